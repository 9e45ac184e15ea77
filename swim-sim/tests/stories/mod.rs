//! Stories about states, rumors and verdicts, for any config: what a run drawn by a seed hardly shows, because it takes too
//! long.

pub(crate) mod forged;
pub(crate) mod sealed;

use swim_core::wire::{Change, StateEntry, StateHead, Writer};
use swim_core::{Config, State};
use swim_sim::{NodeIx, Way, World, millis, secs};

/// Three nodes that know each other and have nothing to tell.
pub(crate) fn three(config: Config) -> (World, [NodeIx; 3]) {
    let mut w = World::with_config(1, config);
    let first = w.spawn("first");
    let others = w.mass_join("m", 2, &[first], secs(1));
    assert!(w.run_until(secs(60), |w| w.all_see(3) && w.is_at_rest()).is_some());
    (w, [first, others[0], others[1]])
}

/// A tombstone goes everywhere when it goes at its owner, also at one who has heard of it late.
pub(crate) fn a_tombstone_goes_at_its_time(mut config: Config) {
    config.tombstone_ttl = secs(60);
    let (mut w, nodes) = three(config);
    let deleted = w.now();
    w.handle(nodes[0]).put("k", b"v").expect("there is room");
    w.run(millis(100));
    w.handle(nodes[0]).delete("k").expect("it is taken");
    w.run(secs(50));
    let late = w.spawn("late");
    w.join(late, &nodes);
    let id = w.id(nodes[0]);
    assert!(w.run_until(secs(8), |w| w.node(late).state_version(id) == 2).is_some());
    let all = [nodes[0], nodes[1], nodes[2], late];
    assert!(all.iter().all(|&node| w.node(node).state_stored() > 0));
    w.run(secs(61).saturating_sub(w.now().since(deleted)));
    for node in all {
        assert_eq!((w.node(node).state_stored(), w.node(node).state_version(id)), (0, 2), "{node:?}");
    }
}

/// Who has slept through a delete, and through the time of its tombstone, learns of it nevertheless.
pub(crate) fn what_was_deleted_stays_deleted(mut config: Config) {
    config.tombstone_ttl = secs(30);
    let (mut w, nodes) = three(config);
    // What is sent to one who sleeps is lost.
    w.socket_buffer = 0;
    let id = w.id(nodes[0]);
    for key in ["deleted", "kept"] {
        w.handle(nodes[0]).put(key, b"v").expect("there is room");
    }
    w.run(secs(5));
    assert!(w.node(nodes[2]).get(id, "deleted").is_some());
    w.pause(nodes[2]);
    w.handle(nodes[0]).delete("deleted").expect("it is taken");
    w.run(secs(60));
    w.resume(nodes[2]);
    assert!(w.run_until(secs(90), |w| w.all_see(3) && w.node(nodes[2]).state_version(id) == 3).is_some());
    let keys: Vec<&str> = w.node(nodes[2]).state(id).map(|entry| entry.key).collect();
    assert_eq!(keys, ["kept"]);
}

/// What others have of this node's state is theirs, whether it is of a former process in the same epoch or made up: it takes
/// the next epoch, in which it has written nothing.
pub(crate) fn nobody_else_writes_my_state(config: Config) {
    let (mut w, nodes) = three(config);
    let id = w.id(nodes[2]);
    w.handle(nodes[2]).put("former", b"v").expect("there is room");
    w.run(secs(2));
    w.kill(nodes[2]);
    w.restart_with(nodes[2], |setup| setup.epoch = Some(1));
    w.join(nodes[2], &nodes[..1]);
    w.run(secs(20));
    let epoch = w.node(nodes[2]).me().incarnation().epoch();
    assert!(w.all_see(3) && epoch > 1);
    let mut frame = [0; 200];
    let head = StateHead { id, epoch, version: 9, gc: 0, from: 0 };
    let entry = StateEntry { version: 9, key: "forged", change: Change::Put { value: b"v", ttl_ms: None } };
    let sender = w.node(nodes[0]).me();
    let mut writer = Writer::new(&mut frame, sender.id(), sender.incarnation(), 0).expect("it fits");
    assert!(writer.open_states() && writer.state(&head, usize::MAX, [entry].into_iter()).is_some());
    writer.close_section();
    let len = writer.written();
    w.inject(nodes[2], nodes[0].addr(), &frame[..len]);
    w.run(secs(20));
    assert!(w.all_see(3) && w.node(nodes[2]).me().incarnation().epoch() > epoch);
    for node in nodes {
        assert_eq!(w.node(node).state(id).count(), 0, "{node:?}");
    }
}

/// P12: who stood still shortly before a suspicion of its own would have been over gives the accused the shortest time anew
/// when it wakes up.
pub(crate) fn a_pause_convicts_nobody(config: Config) {
    let (mut w, nodes) = three(config);
    let [one, accused, other] = nodes;
    let (shortest, longest) = w.node(one).config().suspicion_bounds(3);
    let id = w.id(accused);
    let sees = |w: &World| w.node(one).member(id).map(|row| row.status().state());
    // Nobody else tells it anything.
    w.cut(&[one], &[accused, other], Way::Both);
    assert!(w.run_until(secs(60), |w| sees(w) == Some(State::Suspect)).is_some());
    w.run(longest - shortest / 2);
    assert_eq!(sees(&w), Some(State::Suspect));
    w.pause(one);
    w.run(longest);
    w.resume(one);
    w.run(shortest * 9 / 10);
    assert_eq!((w.node(one).stats().pauses, sees(&w)), (1, Some(State::Suspect)));
    assert!(w.run_until(longest, |w| sees(w) == Some(State::Dead)).is_some(), "in the end it does convict");
}
