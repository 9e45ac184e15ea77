//! Machines whose I/O is blocked while their timers run, and readers that are slow.

use std::time::Duration;

use swim_core::Config;

use super::*;

fn accounted(w: &World) -> bool {
    w.network().begun() == w.network().ended() + w.in_flight() as u64
}

#[test]
fn what_a_blocked_node_sends_and_is_sent_waits() {
    let (mut w, nodes) = cluster(50, 4);
    let node = nodes[1];
    let (received, timeouts) = (w.node(node).stats().datagrams_received, w.node(node).stats().timeouts);
    let order = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&order);
    w.block(node);
    w.set_meta(node, b"told later");
    w.run(secs(3));
    assert_eq!(w.node(node).stats().datagrams_received, received);
    assert!(w.node(node).stats().timeouts > timeouts, "its timers fire");
    assert!(w.in_flight() > 0 && w.network().held_back > 0 && accounted(&w), "{:?}", w.network());
    assert!(w.sees(nodes[0], node) == Some(State::Suspect), "nobody hears of it");

    w.add_rule(move |sent| {
        if sent.from == node.addr() {
            seen.borrow_mut().push(sent.bytes.to_vec());
        }
        crate::Verdict::Pass
    });
    let held = w.host(node).held.as_ref().map(|held| held.iter().map(|h| h.bytes.clone()).collect::<Vec<_>>()).unwrap();
    w.unblock(node);
    assert!(!held.is_empty() && order.borrow().starts_with(&held), "it leaves in the order in which it was sent");
    assert!(w.node(node).stats().datagrams_received > received, "and what waited is read at once");
    w.run(secs(5));
    assert!(accounted(&w) && w.all_see(4) && w.all_agree());
}

#[test]
fn what_waits_is_bounded_both_ways_and_ends_with_the_process() {
    let (mut w, nodes) = cluster(51, 3);
    let node = nodes[2];
    w.socket_buffer = 2;
    w.block(node);
    for _ in 0..5 {
        w.inject(node, nodes[0].addr(), b"forged");
    }
    w.run(secs(0));
    assert_eq!(w.network().overflowed, 3);
    w.run(secs(3));
    let host = w.host(node);
    assert_eq!((host.socket.len(), host.held.as_ref().map(std::collections::VecDeque::len)), (2, Some(2)));
    assert!(w.network().overflowed > 3 && accounted(&w));
    let before = w.network().unreachable;
    w.kill(node);
    assert!(w.network().unreachable >= before + 4 && accounted(&w));
    w.restart(node);
    w.block(node);
    w.unblock(node);
    assert!(accounted(&w));
}

#[test]
fn a_blocked_node_can_be_slow_and_paused() {
    let (mut w, nodes) = cluster(52, 3);
    w.set_slow(nodes[1], millis(5));
    w.block(nodes[1]);
    w.run(secs(1));
    w.pause(nodes[1]);
    w.run(secs(1));
    w.resume(nodes[1]);
    w.run(secs(1));
    w.unblock(nodes[1]);
    w.run(secs(10));
    assert!(w.all_see(3) && w.all_agree() && accounted(&w));
}

/// The anomaly of the Lifeguard paper: with the guard nobody is declared dead by who was blocked, without it all are whom it
/// has come to suspect.
#[test]
fn a_blocked_node_convicts_only_without_its_guard() {
    let deaths = |guard: bool| {
        let mut config = Config::lan("sim");
        (config.pause_guard, config.suspicion_confirmations, config.health_max) = (guard, 0, 0);
        let mut w = World::with_config(53, config);
        let nodes = grow(&mut w, 8);
        w.run(secs(10));
        for _ in 0..10 {
            w.block(nodes[3]);
            w.run(secs(16));
            w.unblock(nodes[3]);
            // Too short for those whom it suspects to be heard.
            w.run(millis(1));
        }
        let down = |e: &&(Instant, Event)| matches!(e.1, Event::MemberDown { left: false, .. });
        w.events(nodes[3]).iter().filter(down).count()
    };
    assert_eq!(deaths(true), 0);
    assert!(deaths(false) > 3);
}

#[test]
fn a_slow_reader_reads_one_after_the_other_and_its_timers_are_on_time() {
    let mut w = World::new(54);
    let (a, b) = (w.spawn("a"), w.spawn("b"));
    let received = |w: &World| w.node(b).stats().datagrams_received;
    w.set_slow_reader(b, millis(100));
    w.run(secs(1));
    for _ in 0..3 {
        w.inject(b, a.addr(), b"forged");
    }
    w.run(secs(0));
    assert_eq!((received(&w), w.in_flight()), (0, 3));
    for (passed, read) in [(99, 0), (1, 1), (99, 1), (1, 2)] {
        w.run(millis(passed));
        assert_eq!(received(&w), read);
    }
    w.set_slow_reader(b, Duration::ZERO);
    assert_eq!(received(&w), 3, "a quick one reads all at once");

    let timeouts = |per_datagram| {
        let (mut w, nodes) = cluster(55, 2);
        w.set_slow_reader(nodes[1], per_datagram);
        let due = w.pump(nodes[1]).poll_timeout().expect("a node in a cluster has a deadline");
        let before = w.node(nodes[1]).stats().timeouts;
        w.run(due.since(w.now()));
        w.node(nodes[1]).stats().timeouts - before
    };
    assert_eq!((timeouts(millis(30)), timeouts(Duration::ZERO)), (1, 1));
}
