//! Application data from one handle to the others: states, watches, rumors.

use std::sync::Arc;
use std::time::Duration;

use swim_core::{Config, Event, NodeId};

use crate::test_net::Net;
use crate::{Change, CommandError, Heard, TryRecvError, Watch};

const SOON: Duration = Duration::from_secs(5);

fn id(i: usize) -> NodeId {
    NodeId::from_name(&format!("node-{i}"))
}

fn value(net: &Net, at: usize, of: usize, key: &str) -> Option<Vec<u8>> {
    net.handle(at).view().member(id(of))?.get(key).map(<[u8]>::to_vec)
}

fn all(watch: &mut Watch) -> Vec<Change> {
    std::iter::from_fn(|| watch.try_recv().ok()).collect()
}

/// Key and value where there is one now.
fn words(changes: &[Change]) -> Vec<(NodeId, String, Option<Vec<u8>>)> {
    let word = |change: &Change| match change {
        Change::Set { member, entry } => (*member, entry.key().to_owned(), Some(entry.value().to_vec())),
        Change::Deleted { member, last } => (*member, last.key().to_owned(), None),
        Change::Resync => panic!("nothing was left out"),
    };
    changes.iter().map(word).collect()
}

#[test]
fn what_one_puts_all_read() {
    let mut net = Net::joined(4);
    net.handle(1).put("role", b"primary").unwrap();
    net.handle(1).put_as("weight", &300_u16).unwrap();
    net.commands();
    assert_eq!(value(&net, 1, 1, "role").as_deref(), Some(&b"primary"[..]), "its own view shows it at once");
    net.run(SOON);
    for at in 0..4 {
        let view = net.handle(at).view();
        let row = view.member(id(1)).unwrap();
        assert_eq!((row.get("role"), row.get_as("weight")), (Some(&b"primary"[..]), Ok(Some(300_u16))));
        assert_eq!((row.state_version(), row.entries().len()), (2, 2));
        assert_eq!(view.member(id(2)).unwrap().state_version(), 0);
    }
    net.handle(1).delete("role").unwrap();
    net.run(SOON);
    assert!((0..4).all(|at| value(&net, at, 1, "role").is_none()));
    assert!((0..4).all(|at| value(&net, at, 1, "weight").is_some()));
}

/// A change of the status of a member costs nothing for its state.
#[test]
fn a_state_is_read_when_it_has_changed() {
    let mut net = Net::joined(3);
    net.handle(1).put("role", b"primary").unwrap();
    net.run(SOON);
    let before = net.handle(0).view();
    net.handle(1).set_profile(swim_core::Profile::new("node-1", b"new").unwrap()).unwrap();
    net.run(SOON);
    let after = net.handle(0).view();
    let row = |view: &Arc<crate::View>| view.member(id(1)).unwrap().clone();
    assert_ne!(row(&before).meta(), row(&after).meta());
    assert_eq!(row(&after).get("role"), Some(&b"primary"[..]));
    assert!(row(&before).kept_state().is(row(&after).kept_state()));
}

#[test]
fn a_watch_follows_all_members() {
    let mut net = Net::joined(3);
    net.handle(1).put("role", b"db").unwrap();
    net.run(SOON);
    let mut watch = net.handle(0).watch("role");
    assert_eq!(words(&all(&mut watch)), [(id(1), "role".into(), Some(b"db".to_vec()))]);
    net.handle(2).put("role", b"web").unwrap();
    net.handle(2).put("zone", b"a").unwrap();
    net.run(SOON);
    assert_eq!(words(&all(&mut watch)), [(id(2), "role".into(), Some(b"web".to_vec()))]);
    net.handle(1).delete("role").unwrap();
    net.run(SOON);
    assert_eq!(words(&all(&mut watch)), [(id(1), "role".into(), None)]);
    // A dead member's entries can be read, until it is forgotten.
    net.nodes.truncate(2);
    net.run(Duration::from_secs(60));
    assert!(net.handle(0).view().member(id(2)).is_some_and(|row| !row.state().is_live()));
    assert_eq!((value(&net, 0, 2, "role").as_deref(), watch.try_recv()), (Some(&b"web"[..]), Err(TryRecvError::Empty)));
    net.run(Duration::from_secs(3_600));
    assert!(net.handle(0).view().member(id(2)).is_none());
    assert_eq!(words(&all(&mut watch)), [(id(2), "role".into(), None)]);
}

#[test]
fn a_ttl_makes_room_when_it_is_over() {
    let mut net = Net::joined(2);
    let full = |net: &Net, prefix: &str| {
        let put = |key: &str| net.handle(0).put_with_ttl(key, &[7; 1_000], Duration::from_secs(3));
        (0..70).filter(|n| put(&format!("{prefix}-{n:02}")).is_ok()).count()
    };
    let fits = Config::local("c").state_bytes / (1_006 + Config::ENTRY_COST);
    assert_eq!(full(&net, "one"), fits);
    let refused = net.handle(0).put("other", &[7; 1_000]);
    assert!(matches!(refused, Err(CommandError::StateFull { max, .. }) if max == Config::local("c").state_bytes));
    net.run(Duration::from_secs(1));
    assert!(net.handle(0).put("other", &[7; 1_000]).is_err());
    net.run(Duration::from_secs(9));
    assert_eq!(net.handle(0).view().me().entries().len(), 0);
    assert_eq!((full(&net, "two"), net.pump(0).node().stats().commands_refused), (fits, 0));
}

/// Where views show this node alone, they show its state, too.
#[test]
fn a_view_of_this_node_alone_has_its_state() {
    let mut net = Net::new(1);
    let i = net.spawn_with(Config::local("c"), |setup| setup.publish_members = false);
    net.handle(i).join(&[Net::addr(0)]).unwrap();
    net.handle(i).put("mine", b"1").unwrap();
    net.handle(0).put("others", b"2").unwrap();
    let mut watch = net.handle(i).watch("");
    net.run(SOON);
    assert_eq!(value(&net, i, i, "mine").as_deref(), Some(&b"1"[..]));
    assert_eq!(words(&all(&mut watch)), [(id(i), "mine".into(), Some(b"1".to_vec()))]);
    assert_eq!(net.pump(i).node().state_version(id(0)), 1, "the node itself knows");
}

#[test]
fn a_rumor_is_heard_once_by_all() {
    let mut net = Net::joined(4);
    let mut events: Vec<_> = (0..4).map(|i| net.handle(i).events()).collect();
    let mut rumors: Vec<_> = (0..4).map(|i| net.handle(i).rumors(Some("deploys"))).collect();
    net.handle(1).broadcast("noise", b"").unwrap();
    net.handle(1).broadcast("deploys", b"v17").unwrap();
    net.handle(2).broadcast("deploys", b"v18").unwrap();
    net.run(SOON);
    for i in 0..4 {
        let mut heard: Vec<_> = std::iter::from_fn(|| rumors[i].try_recv().ok())
            .map(|heard| match heard {
                Heard::Rumor(rumor) => (rumor.id().origin, rumor.topic().to_owned(), rumor.payload().to_vec()),
                Heard::Lagged { .. } => panic!("nobody is behind"),
            })
            .collect();
        heard.sort_by_key(|rumor| rumor.2.clone());
        let deploys = |i, payload: &[u8]| (id(i), "deploys".to_owned(), payload.to_vec());
        assert_eq!(heard, [deploys(1, b"v17"), deploys(2, b"v18")], "node {i}");
        let told = std::iter::from_fn(|| events[i].try_recv().ok()).filter(|e| matches!(e, Event::Rumor { .. }));
        assert_eq!(told.count(), 3, "events name all of them");
    }
}

#[test]
fn what_does_not_fit_is_refused_at_once() {
    let net = Net::new(1);
    let handle = net.handle(0);
    let what = |refused: Result<(), CommandError>| match refused {
        Err(CommandError::TooLong(e)) => e.what(),
        other => panic!("{other:?}"),
    };
    assert_eq!(what(handle.put("", b"")), "key");
    assert_eq!(what(handle.delete(&"k".repeat(65))), "key");
    assert_eq!(what(handle.put("k", &[0; 1_025])), "value");
    assert_eq!(what(handle.put_with_ttl("k", b"", Duration::MAX)), "ttl");
    assert_eq!(what(handle.broadcast(&"t".repeat(65), b"")), "topic");
    assert_eq!(what(handle.broadcast("t", &[0; 1_400])), "payload");
    assert!(net.nodes[0].1.mailbox().is_empty());
}
