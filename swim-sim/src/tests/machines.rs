//! Machines that are slow, or whose clocks are wrong, nodes that move, and what whole crowds do.

use std::time::Duration;

use super::*;

fn received(w: &World, node: NodeIx) -> u64 {
    w.node(node).stats().datagrams_received
}

/// Forges so many datagrams that the node counts and does not understand.
fn forge(w: &mut World, to: NodeIx, from: NodeIx, count: usize) {
    for _ in 0..count {
        w.inject(to, from.addr(), b"forged");
    }
}

#[test]
fn a_slow_process_takes_one_input_at_a_time() {
    let mut w = World::new(30);
    let (a, b) = (w.spawn("a"), w.spawn("b"));
    w.set_slow(b, millis(100));
    forge(&mut w, b, a, 3);
    w.run(secs(0));
    assert_eq!((received(&w, b), w.in_flight()), (0, 3), "they wait in its socket");
    assert!(w.is_running(b));
    for (passed, taken) in [(99, 0), (1, 1), (99, 1), (1, 2), (100, 3)] {
        w.run(millis(passed));
        assert_eq!(received(&w, b), taken);
    }
    // A datagram goes before a command that came earlier, and both take their time.
    w.set_meta(b, b"later");
    forge(&mut w, b, a, 1);
    w.run(millis(100));
    assert_eq!((received(&w, b), w.node(b).me().profile().meta()), (4, &b""[..]));
    w.run(millis(100));
    assert_eq!(w.node(b).me().profile().meta(), b"later");

    forge(&mut w, b, a, 5);
    w.set_slow(b, secs(0));
    w.run(secs(0));
    assert_eq!(received(&w, b), 9, "a quick one reads all at once");
}

#[test]
fn the_timers_of_a_slow_process_are_late() {
    let probes = |pace| {
        let (mut w, nodes) = cluster(31, 2);
        w.set_slow(nodes[1], pace);
        let before = w.node(nodes[1]).stats().timeouts;
        let due = w.pump(nodes[1]).poll_timeout().expect("a node in a cluster has a deadline");
        w.run(due.since(w.now()));
        let on_time = w.node(nodes[1]).stats().timeouts > before;
        w.run(pace);
        (on_time, w.node(nodes[1]).stats().timeouts > before)
    };
    assert_eq!(probes(secs(0)), (true, true));
    assert_eq!(probes(millis(30)), (false, true));
}

#[test]
fn the_socket_of_a_slow_process_is_bounded_and_goes_with_it() {
    let mut w = World::new(32);
    let (a, b) = (w.spawn("a"), w.spawn("b"));
    w.socket_buffer = 10;
    w.set_slow(b, secs(1));
    forge(&mut w, b, a, 15);
    w.run(millis(1));
    assert_eq!((w.network().overflowed, w.in_flight()), (5, 10));
    w.pause(b);
    w.run(secs(10));
    assert_eq!(received(&w, b), 0, "paused is paused");
    w.resume(b);
    w.run(secs(2));
    assert_eq!(received(&w, b), 2, "and then it is slow again");
    w.restart(b);
    assert_eq!((w.network().unreachable, w.in_flight()), (8, 0));
    forge(&mut w, b, a, 2);
    w.run(secs(1));
    assert_eq!(received(&w, b), 1, "its next life is slow too");
}

#[test]
fn a_process_that_is_a_little_slow_lives() {
    let (mut w, nodes) = cluster(33, 8);
    w.set_slow(nodes[3], millis(20));
    w.run(secs(120));
    assert!(w.all_see(8) && w.all_agree());
    let died = |&(_, event): &(Instant, Event)| matches!(event, Event::MemberDown { .. });
    assert!(nodes.iter().all(|&node| !w.events(node).iter().any(died)));
}

#[test]
fn a_clock_that_drifts_sets_the_pace_of_its_node() {
    let timeouts = |ppm| {
        let mut w = World::new(34);
        let nodes = grow(&mut w, 3);
        w.run(secs(10));
        w.drift(nodes[1], ppm);
        let (before, shown) = (w.node(nodes[1]).stats().timeouts, w.clock(nodes[1]));
        w.run(secs(200));
        assert!(w.all_see(3), "at {ppm} ppm");
        (w.node(nodes[1]).stats().timeouts - before, w.clock(nodes[1]).since(shown))
    };
    let (right, fast, slow) = (timeouts(0), timeouts(50_000), timeouts(-50_000));
    assert_eq!((right.1, fast.1, slow.1), (secs(200), secs(210), secs(190)));
    assert!(slow.0 < right.0 && right.0 < fast.0, "{slow:?} {right:?} {fast:?}");
}

#[test]
fn an_alarm_follows_its_clock() {
    let (mut w, nodes) = cluster(42, 3);
    let node = nodes[1];
    let to_go = |w: &World| w.pump(node).poll_timeout().expect("a deadline").since(w.clock(node));
    let timeouts = |w: &World| w.node(node).stats().timeouts;
    w.cut(&[node], &nodes, Way::Both);
    w.run(millis(5)); // nothing but its own timers wakes it from now on

    let before = timeouts(&w);
    w.clock_forth(node, to_go(&w));
    w.run(secs(0));
    assert_eq!(timeouts(&w), before + 1, "what is passed is due at once");

    // In whole microseconds, upwards.
    let (before, half) = (timeouts(&w), Duration::from_micros((to_go(&w).as_micros() as u64).div_ceil(2)));
    w.drift(node, 1_000_000);
    w.run(half - Duration::from_micros(1));
    assert_eq!(timeouts(&w), before);
    w.run(Duration::from_micros(1));
    assert_eq!(timeouts(&w), before + 1, "twice as fast is half as long");
}

/// The world asserts at every alarm that the next deadline is later, by whatever clock.
#[test]
fn no_clock_makes_a_node_spin() {
    let (mut w, nodes) = cluster(35, 6);
    for (i, ppm) in [-999_999, -900_000, -1, 999, 1_000_000, 30_000_000].into_iter().enumerate() {
        w.drift(nodes[i], ppm);
    }
    w.run(secs(20));
    for step in 1..200 {
        let node = nodes[step % 6];
        if step % 3 == 0 {
            w.clock_back(node, millis(step as u64 * 41));
        } else {
            w.clock_forth(node, millis(step as u64 * 29));
        }
        w.run(millis(150));
    }
    w.clock_back(nodes[0], Duration::MAX);
    assert_eq!(w.clock(nodes[0]), Instant::ORIGIN);
    w.clock_forth(nodes[1], secs(1_000_000_000));
    w.run(secs(10));
}

#[test]
fn a_clock_that_jumps_forth_is_a_pause_and_kills_nobody() {
    let (mut w, nodes) = cluster(36, 5);
    let pauses = w.node(nodes[0]).stats().pauses;
    w.clock_forth(nodes[0], secs(3_600));
    w.run(secs(120));
    assert_eq!(w.node(nodes[0]).stats().pauses, pauses + 1);
    assert!(w.all_see(5) && w.all_agree());
    let died = |&(_, event): &(Instant, Event)| matches!(event, Event::MemberDown { .. });
    assert!(nodes.iter().all(|&node| !w.events(node).iter().any(died)));
}

#[test]
fn timers_stand_still_while_a_clock_catches_up() {
    let (mut w, nodes) = cluster(37, 3);
    let node = nodes[2];
    w.run(secs(10));
    w.clock_back(node, secs(5));
    let before = *w.node(node).stats();
    w.run(secs(4));
    let meanwhile = *w.node(node).stats();
    assert_eq!(meanwhile.timeouts, before.timeouts);
    assert!(meanwhile.datagrams_received > before.datagrams_received, "it still answers");
    assert!(meanwhile.clock_backwards > before.clock_backwards);
    w.run(secs(4));
    assert!(w.node(node).stats().timeouts > before.timeouts);
    assert!(w.all_see(3));
}

#[test]
fn a_clock_that_is_wrong_from_the_start_harms_nothing() {
    let (mut w, nodes) = cluster(38, 3);
    w.kill(nodes[1]);
    w.clock_forth(nodes[1], secs(1_000_000));
    w.restart(nodes[1]);
    w.join(nodes[1], &nodes[..1]);
    w.run(secs(10));
    assert!(w.all_see(3) && w.all_agree());
    assert_eq!(w.clock(nodes[1]).since(w.now()), secs(1_000_000));
    assert_eq!(w.node(nodes[1]).stats().pauses, 0);
}

#[test]
fn a_node_that_moves_is_the_same_elsewhere() {
    let (mut w, nodes) = cluster(39, 3);
    let (a, b) = (nodes[0], nodes[1]);
    w.set_slow(b, millis(50));
    let moved = w.relocate(b);
    let me = w.node(moved).me();
    assert_eq!((w.id(moved), me.incarnation().epoch(), me.addr()), (w.id(b), 2, moved.addr()));
    assert!(!w.is_running(b) && moved.addr() != b.addr());
    w.join(moved, &[a]);
    let there = |w: &World| w.node(a).member(w.id(b)).is_some_and(|member| member.addr() == moved.addr());
    assert!(w.run_until(secs(60), |w| there(w) && w.all_see(3) && w.all_agree()).is_some());

    let again = w.relocate_with(moved, |setup| setup.epoch = Some(9));
    assert_eq!(w.node(again).me().incarnation().epoch(), 9);
}

#[test]
fn crowds_come_and_go() {
    let mut w = World::new(40);
    let first = w.spawn("first");
    let start = w.now();
    let nodes = w.mass_join("n", 30, &[first], secs(1));
    assert_eq!((nodes.len(), w.now().since(start)), (30, secs(1)));
    assert!(w.run_until(secs(60), |w| w.all_see(31) && w.all_agree()).is_some());

    w.kill(nodes[0]);
    w.mass_kill(&nodes[..15]);
    assert_eq!(w.nodes().filter(|&node| w.is_running(node)).count(), 16);
    assert!(w.run_until(secs(300), |w| w.all_see(16) && w.all_agree()).is_some(), "the others find out");
}

#[test]
fn a_rolling_restart_restarts_each_once_and_kills_nobody() {
    let (mut w, nodes) = cluster(41, 6);
    let start = w.now();
    w.rolling_restart(&nodes, &nodes[..2], millis(500), secs(12));
    assert_eq!(w.now().since(start), secs(12));
    assert!(w.run_until(secs(30), |w| w.all_see(6) && w.all_agree()).is_some());
    for &node in &nodes {
        assert_eq!(w.node(node).me().incarnation().epoch(), 2);
        let died = |&(_, event): &(Instant, Event)| matches!(event, Event::MemberDown { left: false, .. });
        assert!(!w.events(node).iter().any(died), "half a second is not long enough to die");
    }
    // All at once, and longer down than the span: the last is waited for.
    let start = w.now();
    w.rolling_restart(&nodes, &[], secs(2), secs(0));
    assert_eq!(w.now().since(start), secs(2));
    assert!(w.nodes().all(|node| w.is_running(node) && w.node(node).live_count() == 1));
    w.rolling_restart(&nodes, &nodes[..1], secs(1), secs(0));
    assert_eq!(w.now().since(start), secs(3));
    assert!(w.run_until(secs(30), |w| w.all_see(6) && w.all_agree()).is_some(), "nobody knew anybody but the seed");
    w.rolling_restart(&[], &[], secs(1), millis(10));
}
