//! States, rumors and verdicts where the swarm alone would not show soon what goes wrong.

use swim_core::{Config, Event};
use swim_sim::{NodeIx, World, secs};

use crate::stories::three;

/// A rumor of so many bytes does not reach anybody before it is kept no more. All give it up in the end, although those who
/// miss it agree with each other, so that only its origin sees that something is wrong.
#[test]
fn what_is_lost_for_good_is_given_up() {
    for sizes in [[1_100, 1_100], [1_100, 100]] {
        let mut config = Config::local("sim");
        config.rumor_ttl = secs(5);
        let (mut w, nodes) = three(config);
        w.link.mtu = Some(800);
        for len in sizes {
            w.handle(nodes[2]).broadcast("lost", &vec![7; len]).expect("it fits into a datagram");
            w.run(secs(1));
        }
        let hash = |w: &World, node: NodeIx| w.node(node).app_hash();
        let agree = |w: &World| nodes.iter().all(|&node| hash(w, node) == hash(w, nodes[2]));
        assert!(!agree(&w), "{sizes:?}");
        w.run(secs(20));
        w.link.mtu = None;
        assert!(w.run_until(secs(60), agree).is_some(), "{sizes:?}");
    }
}

#[test]
fn a_tombstone_goes_everywhere_at_its_time() {
    crate::stories::a_tombstone_goes_at_its_time(Config::local("sim"));
}

#[test]
fn p12_a_pause_convicts_nobody() {
    crate::stories::a_pause_convicts_nobody(Config::local("sim"));
}

#[test]
fn what_was_deleted_stays_deleted() {
    crate::stories::what_was_deleted_stays_deleted(Config::local("sim"));
}

#[test]
fn nobody_else_writes_my_state() {
    crate::stories::nobody_else_writes_my_state(Config::local("sim"));
}

/// A node that sleeps until others have forgotten it does not tell them once more what it broadcast before.
#[test]
fn who_has_slept_tells_nothing_twice() {
    let mut config = Config::local("sim");
    config.tombstone_ttl = secs(30);
    config.rumor_ttl = secs(29);
    let (mut w, nodes) = three(config);
    w.handle(nodes[2]).broadcast("once", b"told").expect("it fits into a datagram");
    w.run(secs(1));
    let id = w.id(nodes[2]);
    w.pause(nodes[2]);
    assert!(w.run_until(secs(90), |w| w.node(nodes[0]).member(id).is_none()).is_some());
    w.resume(nodes[2]);
    assert!(w.run_until(secs(90), |w| w.all_see(3)).is_some());
    w.run(secs(30));
    let told = w.events(nodes[0]).iter().filter(|(_, event)| matches!(event, Event::Rumor { .. })).count();
    assert_eq!(told, 1);
}
