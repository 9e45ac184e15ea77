//! The world's own promises: that runs repeat, and that each fault does what its name says and nothing else. Here cuts,
//! plain links and the life of processes; [`faults`] has the other faults of the network, [`machines`] those of machines
//! and of whole crowds.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use swim_core::{Event, Instant, NodeId, State};

use crate::{Link, NetworkStats, NodeIx, Sent, Way, World, millis, percent, secs};

mod blocked;
mod calm;
mod faults;
mod machines;
mod state;

/// A cluster of `n` nodes that all see each other.
fn cluster(seed: u64, n: usize) -> (World, Vec<NodeIx>) {
    let mut w = World::new(seed);
    let nodes = grow(&mut w, n);
    assert!(w.run_until(secs(60), |w| w.all_see(n) && w.all_agree()).is_some(), "{n} nodes do not find each other");
    (w, nodes)
}

/// Spawns `n` nodes, none at the same instant, and lets all join the first.
fn grow(w: &mut World, n: usize) -> Vec<NodeIx> {
    let mut nodes = Vec::new();
    for i in 0..n {
        let node = w.spawn(&format!("n{i}"));
        nodes.push(node);
        if i > 0 {
            w.join(node, &nodes[..1]);
        }
        w.run(millis(37));
    }
    nodes
}

/// A link on which everything goes wrong that can.
fn rough() -> Link {
    Link { loss: percent(5), duplicate: percent(20), reorder: percent(20), ..Link::default() }
}

/// A run with every fault there is; what came out of it.
fn stormy_run(seed: u64) -> (u64, NetworkStats, World) {
    let mut w = World::new(seed);
    w.link = rough();
    let nodes = grow(&mut w, 6);
    w.run(secs(5));
    w.set_link(nodes[0], nodes[3], Some(Link { latency_min: millis(50), latency_max: millis(400), ..rough() }));
    w.cut(&nodes[..2], &nodes[2..], Way::To);
    w.pause(nodes[4]);
    w.run(secs(20));
    w.heal();
    w.resume(nodes[4]);
    w.kill(nodes[5]);
    w.leave(nodes[1]);
    w.run(secs(20));
    w.restart(nodes[5]);
    w.join(nodes[5], &nodes[2..3]);
    w.set_meta(nodes[2], b"meta");
    w.inject(nodes[2], nodes[3].addr(), b"not a frame");
    w.run(secs(20));
    (w.digest(), w.network(), w)
}

#[test]
fn the_same_seed_is_the_same_run_and_another_is_not() {
    let (digest, network, w) = stormy_run(7);
    let (again, network_again, w_again) = stormy_run(7);
    assert_eq!((digest, network), (again, network_again));
    for node in w.nodes() {
        assert_eq!((w.events(node), w.sent(node)), (w_again.events(node), w_again.sent(node)), "{node:?}");
    }
    assert_ne!(digest, stormy_run(8).0);
    let took_place = [network.duplicated, network.held_back, network.lost, network.cut, network.unreachable];
    assert!(took_place.iter().all(|&n| n > 0), "a fault never took place: {network:?}");
}

#[test]
fn every_datagram_ends_somewhere() {
    let (_, network, w) = stormy_run(9);
    assert_eq!(network.begun(), network.ended() + w.in_flight() as u64, "{network:?}");
    let per_node: u64 = w.nodes().map(|node| w.sent(node).datagrams).sum();
    assert_eq!((network.sent, w.sent_total().datagrams), (per_node, per_node));
}

#[test]
fn the_digest_has_the_events_whether_they_are_kept_or_not() {
    let run = |keep| {
        let mut w = World::new(1);
        w.log_events = keep;
        grow(&mut w, 3);
        w.run(secs(5));
        (w.digest(), w.events(NodeIx::new(0)).len())
    };
    let (kept, dropped) = (run(true), run(false));
    assert!(kept.1 > 0 && dropped.1 == 0);
    assert_eq!(kept.0, dropped.0);
}

#[test]
fn looking_changes_nothing() {
    let run = |tap| {
        let (mut w, nodes) = cluster(5, 3);
        if tap {
            w.tap(|_| ());
        }
        w.run_until(secs(10), |w| w.sees(nodes[0], nodes[1]) == Some(State::Dead));
        w.digest()
    };
    assert_eq!(run(false), run(true));
    let (mut w, _) = cluster(5, 3);
    w.run(secs(10));
    assert_eq!(run(false), w.digest(), "asking a condition changes nothing either");
}

#[test]
fn time_passes_exactly_as_asked() {
    let mut w = World::new(1);
    w.run(secs(3));
    assert_eq!(w.now(), Instant::from_millis(3_000));
    assert_eq!(w.run_until(millis(25), |_| false), None);
    assert_eq!(w.now(), Instant::from_millis(3_025));
    assert_eq!(w.run_until(secs(1), |w| w.now() >= Instant::from_millis(3_040)), Some(millis(20)));
    assert_eq!(w.run_until(secs(1), |_| true), Some(secs(0)));
    assert!(!w.all_see(0), "nobody sees anything in an empty world");
}

/// Counts datagrams per direction from now on.
fn count_sent(w: &mut World) -> Rc<RefCell<Vec<(NodeIx, NodeIx)>>> {
    let log = Rc::new(RefCell::new(Vec::new()));
    let tap = Rc::clone(&log);
    w.tap(move |sent: &Sent<'_>| {
        if let (Some(from), Some(to)) = (NodeIx::at(sent.from), NodeIx::at(sent.to)) {
            tap.borrow_mut().push((from, to));
        }
    });
    log
}

#[test]
fn a_one_way_cut_lets_the_other_way_through() {
    let (mut w, nodes) = cluster(2, 2);
    let [a, b] = nodes[..] else { unreachable!("a cluster of two") };
    let received = |w: &World, node| w.node(node).stats().datagrams_received;

    w.cut(&[a], &[b], Way::To);
    w.run(millis(2)); // what was under way has arrived
    let (at_a, at_b, cut) = (received(&w, a), received(&w, b), w.network().cut);
    let sent = count_sent(&mut w);
    // Both probe, and nobody's suspicion runs out yet: they would stop talking.
    w.run(secs(2));
    let from_a = sent.borrow().iter().filter(|&&way| way == (a, b)).count() as u64;
    assert!(from_a > 0, "a still sends");
    assert_eq!(received(&w, b), at_b, "b hears nothing of it");
    assert_eq!(w.network().cut, cut + from_a);
    assert!(received(&w, a) > at_a, "a still hears b");

    w.heal();
    w.run(secs(3));
    assert!(received(&w, b) > at_b, "b hears a again");
}

#[test]
fn groups_that_are_cut_go_on_by_themselves() {
    let (mut w, nodes) = cluster(3, 5);
    w.cut(&nodes[..2], &nodes[2..], Way::Both);
    let gone = |w: &World| w.sees(nodes[2], nodes[0]) == Some(State::Dead);
    assert!(w.run_until(secs(120), gone).is_some(), "two nodes that are cut off are found out");
    assert_eq!(w.sees(nodes[2], nodes[3]), Some(State::Alive));
    assert_eq!(w.sees(nodes[0], nodes[1]), Some(State::Alive));
}

#[test]
fn a_link_of_its_own_overrides_the_worlds() {
    let (mut w, nodes) = cluster(4, 2);
    let (a, b) = (nodes[0], nodes[1]);
    w.link.loss = percent(100);
    let quiet = Link::default();
    w.set_link(a, b, Some(quiet));
    w.set_link(b, a, Some(quiet));
    w.run(secs(10));
    assert_eq!(w.network().lost, 0);
    w.set_link(b, a, None);
    let sent = count_sent(&mut w);
    w.run(secs(2));
    assert_eq!(w.network().lost, sent.borrow().iter().filter(|&&way| way == (b, a)).count() as u64);
    assert!(w.network().lost > 0);
}

#[test]
fn a_paused_process_does_nothing_and_its_socket_fills() {
    let (mut w, nodes) = cluster(5, 3);
    let (a, b) = (nodes[0], nodes[1]);
    w.pause(b);
    let (before, sent) = (*w.node(b).stats(), w.sent(b));
    w.set_meta(b, b"later");
    for _ in 0..3 {
        w.inject(b, a.addr(), b"forged");
    }
    w.run(secs(2));
    assert!(!w.is_running(b) && w.in_flight() >= 3, "datagrams wait for it");
    assert_eq!((*w.node(b).stats(), w.sent(b)), (before, sent), "nothing happens inside");

    w.resume(b);
    assert!(w.is_running(b));
    let after = *w.node(b).stats();
    assert!(after.datagrams_received >= before.datagrams_received + 3, "the socket is read at once");
    assert_eq!(after.timeouts, before.timeouts, "and before any timer fires");
    assert_eq!(w.node(b).me().profile().meta(), b"later", "the command that waited is taken");
    w.run(millis(1));
    assert!(w.node(b).stats().timeouts > before.timeouts, "then the timers fire");
}

#[test]
fn the_socket_of_a_paused_process_is_bounded() {
    let mut w = World::new(6);
    let (a, b) = (w.spawn("a"), w.spawn("b"));
    w.socket_buffer = 10;
    w.pause(b);
    for _ in 0..15 {
        w.inject(b, a.addr(), b"forged");
    }
    w.run(millis(1));
    assert_eq!((w.network().overflowed, w.in_flight()), (5, 10));
    w.kill(b);
    assert_eq!((w.network().unreachable, w.in_flight()), (10, 0), "what it held is gone with it");
}

#[test]
fn a_killed_process_says_nothing_and_is_not_reached() {
    let (mut w, nodes) = cluster(7, 3);
    let dead = nodes[2];
    w.kill(dead);
    let sent = w.sent(dead);
    assert!(w.run_until(secs(120), |w| w.all_see(2)).is_some(), "the others find out");
    assert_eq!(w.sees(nodes[0], dead), Some(State::Dead));
    assert_eq!(w.sent(dead), sent);
    assert!(w.network().unreachable > 0);
}

#[test]
fn a_restarted_process_is_the_same_node_and_knows_nothing() {
    let (mut w, nodes) = cluster(8, 3);
    let (a, b) = (nodes[0], nodes[1]);
    let (id, addr) = (w.id(b), w.handle(b).addr());
    w.restart(b);
    let me = w.node(b).me();
    assert_eq!((w.id(b), me.addr(), me.incarnation().epoch()), (id, addr, 2));
    assert_eq!(w.node(b).live_count(), 1);
    w.join(b, &[a]);
    assert!(w.run_until(secs(60), |w| w.all_see(3) && w.all_agree()).is_some());
    let restarted = |&(_, event): &(Instant, Event)| matches!(event, Event::MemberRestarted { id: i, .. } if i == id);
    assert!(w.events(a).iter().any(restarted), "{:?}", w.events(a));

    w.restart_with(b, |setup| setup.name = "another".into());
    assert_eq!((w.id(b), w.handle(b).addr()), (NodeId::from_name("another"), addr));
}

#[test]
fn a_name_can_come_back_at_another_address() {
    let (mut w, nodes) = cluster(14, 3);
    let (a, b) = (nodes[0], nodes[1]);
    w.kill(b);
    let moved = w.spawn_with("n1", |setup| setup.epoch = Some(2));
    assert_eq!((w.id(moved), moved.addr() == b.addr()), (w.id(b), false));
    w.join(moved, &[a]);
    let there = |w: &World| w.node(a).member(w.id(b)).is_some_and(|member| member.addr() == moved.addr());
    assert!(w.run_until(secs(60), |w| there(w) && w.all_see(3)).is_some());
}

#[test]
fn who_has_left_is_kept_but_silent() {
    let (mut w, nodes) = cluster(9, 3);
    let (a, c) = (nodes[0], nodes[2]);
    w.leave(c);
    assert!(w.run_until(secs(30), |w| !w.is_running(c)).is_some(), "a leave comes to its end");
    assert!(w.node(c).has_left());
    let sent = w.sent(c);
    w.run(secs(5));
    assert_eq!((w.sees(a, c), w.sent(c)), (Some(State::Left), sent));
}

#[test]
fn forged_datagrams_are_sealed_and_damaged_ones_refused() {
    let (mut w, nodes) = cluster(10, 2);
    let (a, b) = (nodes[0], nodes[1]);
    let seen = Rc::new(RefCell::new((Vec::new(), Vec::new())));
    let tap = Rc::clone(&seen);
    w.tap(move |sent| *tap.borrow_mut() = (sent.bytes.to_vec(), sent.frame().to_vec()));
    w.run(secs(2));
    w.untap();
    let (mut datagram, frame) = seen.take();

    // Cut, so that what a receives is what is injected.
    w.cut(&[a], &[b], Way::Both);
    w.run(millis(5));
    let received = w.node(a).stats().datagrams_received;
    w.inject(a, b.addr(), &frame);
    w.inject_datagram(a, b.addr(), &datagram);
    w.run(secs(0));
    assert_eq!(w.node(a).stats().datagrams_received, received + 2, "the frame of a real datagram passes the envelope");
    *datagram.last_mut().expect("a datagram has bytes") ^= 1;
    w.inject_datagram(a, b.addr(), &datagram);
    w.run(secs(0));
    assert_eq!(w.node(a).stats().datagrams_received, received + 2, "a flipped bit does not");
    assert_eq!(w.network().injected, 3);
}

#[test]
fn a_tap_sees_what_is_sent_and_no_more_once_it_is_off() {
    let (mut w, _) = cluster(11, 3);
    let (bytes, datagrams) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let tap = (Rc::clone(&bytes), Rc::clone(&datagrams));
    let before = w.sent_total();
    w.tap(move |sent| {
        tap.0.set(tap.0.get() + sent.bytes.len() as u64);
        tap.1.set(tap.1.get() + 1);
    });
    w.run(secs(5));
    w.untap();
    let seen = w.sent_total();
    assert_eq!((seen.bytes - before.bytes, seen.datagrams - before.datagrams), (bytes.get(), datagrams.get()));
    assert!(datagrams.get() > 0);
    w.run(secs(5));
    assert!(w.sent_total().datagrams > before.datagrams + datagrams.get());
}

#[test]
fn a_command_through_the_handle_is_taken_when_the_world_runs() {
    let mut w = World::new(12);
    let (a, b) = (w.spawn("a"), w.spawn("b"));
    w.handle(b).join(&[a.addr()]).expect("the mailbox is empty");
    assert!(w.run_until(secs(10), |w| w.all_see(2)).is_some());
}

#[test]
#[should_panic(expected = "node 0 takes no command: its process has ended")]
fn a_command_to_nobody_is_a_mistake_in_the_test() {
    let mut w = World::new(13);
    let a = w.spawn("a");
    w.kill(a);
    w.leave(a);
}

/// Not later: a test that looks between two runs finds what came of the first.
#[test]
fn handles_see_what_was_counted_when_the_world_stands_still() {
    let (mut w, nodes) = cluster(1, 4);
    for _ in 0..20 {
        w.run(millis(170));
        for &node in &nodes {
            assert_eq!(w.handle(node).counters().node.timeouts, w.node(node).stats().timeouts);
        }
    }
    w.run_until(secs(3), |w| {
        let counted = |&node: &NodeIx| w.handle(node).counters().node.timeouts == w.node(node).stats().timeouts;
        assert!(nodes.iter().all(counted));
        false
    });
}
