//! Processes that come back with what they knew.

use swim_core::Config;

use super::*;

/// Six of twenty are killed, and three of the others with them for good; the six come back from their disks, which say
/// that all nineteen others are alive. Nobody believes them: the three are members of nobody, and no table has more rows than
/// there are nodes.
#[test]
fn saved_tables_bring_nobody_back() {
    for seed in 80..84 {
        let mut config = Config::lan("sim");
        config.tombstone_ttl = secs(60);
        config.members_max = 1_000;
        let mut w = World::with_config(seed, config);
        let nodes = grow(&mut w, 20);
        assert!(w.run_until(secs(60), |w| w.all_see(20) && w.all_agree()).is_some());
        let (six, gone) = (&nodes[3..9], &nodes[9..12]);
        let saved: Vec<Vec<u8>> = six.iter().map(|&node| w.node(node).snapshot()).collect();
        w.mass_kill(six);
        w.mass_kill(gone);
        // The cluster forgets the three before their names come back.
        w.run(secs(200));
        for (&node, state) in six.iter().zip(&saved) {
            w.restart_from(node, state);
            assert_eq!(w.node(node).members().len(), 1, "nobody is a member before it has answered");
        }
        assert!(w.run_until(secs(10), |w| w.all_see(17) && w.all_agree()).is_some(), "seed {seed}: they are back");
        assert!(six.iter().all(|&node| w.node(node).me().incarnation().epoch() == 2), "a life of their own");
        w.run(secs(200));
        for &node in nodes.iter().filter(|node| !gone.contains(node)) {
            assert_eq!(w.node(node).members().len(), 17, "rows at {node:?}, seed {seed}");
            assert!(gone.iter().all(|&gone| w.sees(node, gone).is_none()));
        }
    }
}

/// Without a word of seeds, and with a clock that begins anew.
#[test]
fn what_was_known_in_the_end_is_enough_to_come_back() {
    let (mut w, nodes) = cluster(85, 4);
    w.run(secs(100));
    w.restart_with_state(nodes[2]);
    w.clock_back(nodes[2], secs(90));
    assert!(w.run_until(secs(5), |w| w.all_see(4) && w.all_agree()).is_some());
    // An old image, twice: it goes past the life that was lived since.
    let image = w.node(nodes[1]).snapshot();
    for _ in 0..2 {
        w.restart_from(nodes[1], &image);
        assert!(w.run_until(secs(5), |w| w.all_see(4) && w.all_agree()).is_some());
    }
    let downs = w.nodes().flat_map(|node| w.events(node)).filter(|(_, e)| matches!(e, Event::MemberDown { .. }));
    assert_eq!(downs.count(), 0, "nobody missed them");
}

/// Two lives of a node share an epoch, and the one that is over was at another address. A peer holds that address under the
/// very incarnation at which the other life wrote its own, so their views agree, and it looks for the node where nobody is.
/// Relays know better and find it, so nobody would ever notice, if not by the address from which the node writes itself.
#[test]
fn who_is_looked_for_at_the_address_of_a_former_life_is_found() {
    let (mut w, nodes) = cluster(86, 2);
    let (a, b) = (nodes[0], nodes[1]);
    let former = w.spawn("x");
    w.join(former, &[a]);
    w.run(secs(5));
    assert_eq!(w.sees(a, former), Some(State::Alive));
    // Only one that knows nothing of the former life hears the introduction of the later one.
    w.kill(b);
    w.kill(former);
    w.cut(&[a], &[b], Way::Both);
    w.restart(b);
    let later = w.spawn("x");
    w.cut(&[a], &[later], Way::Both);
    w.join(later, &[b]);
    w.run(millis(500));
    w.heal();
    w.join(b, &[a]);
    let found = |w: &World| w.node(a).member(w.id(later)).is_some_and(|row| row.addr() == later.addr());
    assert!(w.run_until(secs(120), found).is_some());
    assert_eq!(w.node(later).me().incarnation().epoch(), 2, "it has gone past the former life");
    w.run(secs(60));
    assert!(w.all_see(3) && w.all_agree());
}
