//! Faults of the network beyond cuts and plain loss.

use super::*;
use crate::damage::Damage as Rule;
use crate::rng::{Purpose, Stream};
use crate::{Bursts, Clog, Damage, Latency, Verdict};

/// A link on which everything goes wrong that this version knows.
fn hopeless() -> Link {
    Link {
        bursts: Some(Bursts { enter: percent(2), leave: percent(20), loss: percent(80) }),
        damage: Damage { flip: percent(5), flips_max: 8, truncate: percent(5) },
        mtu: Some(300),
        clog: Some(Clog { rate: 1_000, buffer: 1_500 }),
        ..rough()
    }
    .with_latency(Latency::long_tailed(millis(1), secs(2), percent(35)))
}

/// A run with every fault of machines and network.
fn full_storm(seed: u64) -> (u64, NetworkStats, World) {
    let mut w = World::new(seed);
    let first = w.spawn("first");
    let nodes = w.mass_join("n", 8, &[first], secs(2));
    w.run(secs(5));
    w.link = hopeless();
    w.socket_buffer = 3;
    w.set_meta(first, &[7; 200]);
    w.set_zone(nodes[0], 1);
    w.set_zone_latency(0, 1, Some(Latency::uniform(millis(20), millis(200))));
    w.set_uplink(nodes[1], Some(Clog { rate: 300, buffer: 400 }));
    w.add_rule(move |sent| match sent.at.as_micros() % 13 {
        0 => Verdict::Drop,
        1 => Verdict::Duplicate,
        2 => Verdict::Corrupt(1),
        3 => Verdict::Truncate(20),
        4 => Verdict::Deliver(secs(1)),
        _ => Verdict::Pass,
    });
    w.set_slow(nodes[2], millis(700));
    w.drift(nodes[3], 100_000);
    w.clock_forth(nodes[4], secs(100));
    w.clock_back(nodes[5], secs(7));
    w.cut(&nodes[6..7], &[first], Way::Both);
    w.run(secs(30));
    w.rolling_restart(&nodes[..4], &[first], millis(800), secs(8));
    let moved = w.relocate(nodes[4]);
    w.join(moved, &[first]);
    w.mass_kill(&nodes[5..]);
    w.inject(nodes[2], nodes[3].addr(), b"not a frame");
    w.run(secs(20));
    (w.digest(), w.network(), w)
}

#[test]
fn every_fault_takes_place_and_repeats() {
    let (digest, n, w) = full_storm(1);
    let (again, network_again, _) = full_storm(1);
    assert_eq!((digest, n), (again, network_again));
    assert_ne!(digest, full_storm(2).0);
    assert_eq!(n.begun(), n.ended() + w.in_flight() as u64, "{n:?}");
    let ends = [n.lost, n.lost_in_bursts, n.cut, n.ruled_out, n.too_large, n.clogged, n.overflowed, n.unreachable];
    let passing = [n.injected, n.duplicated, n.held_back, n.queued, n.corrupted, n.truncated, n.delivered];
    assert!(ends.iter().chain(&passing).all(|&count| count > 0), "a fault never took place: {n:?}");
}

#[test]
fn every_datagram_ends_somewhere_in_the_worst_of_storms() {
    for seed in 3..13 {
        let (_, n, w) = full_storm(seed);
        assert_eq!(n.begun(), n.ended() + w.in_flight() as u64, "seed {seed}: {n:?}");
        let per_node: u64 = w.nodes().map(|node| w.sent(node).datagrams).sum();
        assert_eq!(n.sent, per_node, "seed {seed}");
    }
}

/// Each fault draws from a stream of its own, if at all.
#[test]
fn faults_that_never_strike_change_nothing() {
    let run = |armed| {
        let mut w = World::new(14);
        w.link = rough();
        if armed {
            w.link.bursts = Some(Bursts { enter: percent(50), leave: percent(50), loss: 0 });
            w.link.damage = Damage { flip: 0, flips_max: 9, truncate: 0 };
            w.link.mtu = Some(100_000);
            w.set_zone_latency(0, 0, Some(w.link.latency()));
            w.add_rule(|_| Verdict::Pass);
        }
        let nodes = grow(&mut w, 6);
        if armed {
            w.set_slow(nodes[1], secs(0));
            w.drift(nodes[2], 0);
            w.clock_forth(nodes[3], secs(0));
            w.set_zone(nodes[4], 1);
            w.set_uplink(nodes[5], None);
        }
        w.run(secs(30));
        (w.digest(), w.network())
    };
    assert_eq!(run(true), run(false));
}

/// What the pumps have refused, and what the nodes behind them were given.
fn refused_and_taken(w: &World) -> (u64, u64) {
    let sum = |of: fn(&World, NodeIx) -> u64| w.nodes().map(|node| of(w, node)).sum();
    (sum(|w, n| w.pump(n).stats().refused()), sum(|w, n| w.node(n).stats().datagrams_received))
}

#[test]
fn what_is_damaged_on_the_way_is_refused_and_nothing_else() {
    let (mut w, _) = cluster(20, 5);
    for (flip, truncate) in [(percent(20), 0), (0, percent(20)), (percent(20), percent(20))] {
        w.run(millis(5)); // what was under way has arrived
        let (before, (refused, taken)) = (w.network(), refused_and_taken(&w));
        w.link.damage = Damage { flip, flips_max: 3, truncate };
        w.run(secs(10));
        w.link.damage = Damage::default();
        w.run(millis(5));
        let (after, (refused, taken)) =
            (w.network(), (refused_and_taken(&w).0 - refused, refused_and_taken(&w).1 - taken));
        let (flipped, cut_off) = (after.corrupted - before.corrupted, after.truncated - before.truncated);
        assert_eq!(((flipped > 0), (cut_off > 0)), (flip > 0, truncate > 0));
        assert!((flipped.max(cut_off)..=flipped + cut_off).contains(&refused), "{refused} of {flipped} + {cut_off}");
        assert_eq!(refused + taken, after.delivered - before.delivered);
    }
}

#[test]
fn a_damaged_datagram_changes_no_state() {
    let (mut w, nodes) = cluster(21, 3);
    let (a, b) = (nodes[0], nodes[1]);
    let seen = Rc::new(RefCell::new(Vec::new()));
    let tap = Rc::clone(&seen);
    w.tap(move |sent| *tap.borrow_mut() = sent.bytes.to_vec());
    w.run(secs(1));
    w.untap();
    let (whole, mut draws) = (seen.take(), Stream::new(21, Purpose::Damage));
    let (state, refused) = (w.node(b).snapshot(), w.pump(b).stats().refused());
    for (n, rule) in [
        Rule { flip: percent(100), flips_max: 1, truncate: 0 },
        Rule { flip: percent(100), flips_max: 200, truncate: 0 },
        Rule { flip: 0, flips_max: 0, truncate: percent(100) },
    ]
    .into_iter()
    .cycle()
    .take(3_000)
    .enumerate()
    {
        let mut bytes = whole.clone();
        rule.befall(&mut bytes, &mut draws);
        w.inject_datagram(b, a.addr(), &bytes);
        w.run(secs(0));
        assert_eq!(w.pump(b).stats().refused(), refused + n as u64 + 1);
    }
    assert!(w.node(b).snapshot() == state, "not a byte of the node's state differs");
}

#[test]
fn a_black_hole_takes_large_datagrams_and_only_those() {
    let (mut w, nodes) = cluster(22, 4);
    let sizes = Rc::new(RefCell::new(Vec::new()));
    let tap = Rc::clone(&sizes);
    w.tap(move |sent| tap.borrow_mut().push(sent.bytes.len()));
    w.run(secs(3));
    // The largest that there is now passes; what tells of the metadata is larger.
    let mtu = sizes.take().into_iter().max().expect("a cluster is never silent for three seconds");
    w.link.mtu = Some(mtu);
    w.run(secs(3));
    assert_eq!(w.network().too_large, 0);
    assert!(sizes.borrow().contains(&mtu));
    w.set_meta(nodes[0], &[1; 300]);
    w.run(secs(10));
    let larger = sizes.borrow().iter().filter(|&&size| size > mtu).count() as u64;
    assert!(larger > 0, "what does not fit is tried");
    assert_eq!((w.network().too_large, w.network().lost), (larger, 0));
    for &node in &nodes {
        assert_ne!(w.sees(node, nodes[0]), Some(State::Dead), "small datagrams pass");
    }
    // And where not even the smallest fits, none passes.
    let least = sizes.take().into_iter().min().expect("nor for ten");
    w.link.mtu = Some(least - 1);
    let (before, sent) = (w.network().too_large, w.network().sent);
    w.run(secs(2));
    assert_eq!(w.network().too_large - before, w.network().sent - sent);
}

#[test]
fn bursts_belong_to_a_direction_and_are_counted_apart() {
    let (mut w, nodes) = cluster(23, 2);
    let (a, b) = (nodes[0], nodes[1]);
    let always = Bursts { enter: percent(100), leave: 0, loss: percent(100) };
    w.set_link(a, b, Some(Link { bursts: Some(always), ..Link::default() }));
    let sent = count_sent(&mut w);
    w.run(secs(2));
    let from_a = sent.borrow().iter().filter(|&&way| way == (a, b)).count() as u64;
    assert!(from_a > 0);
    assert_eq!((w.network().lost_in_bursts, w.network().lost), (from_a, 0));
}

#[test]
fn latency_goes_by_zones_but_for_links_of_their_own() {
    let mut w = World::new(24);
    let [a, b, c] = ["a", "b", "c"].map(|name| w.spawn(name));
    w.set_zone(b, 1);
    w.set_zone(c, 1);
    assert_eq!((w.zone(a), w.zone(b)), (0, 1));
    w.set_zone_latency(0, 1, Some(Latency::constant(millis(100))));
    w.set_zone_latency(1, 0, Some(Latency::constant(millis(150))));
    w.join(b, &[a]);
    let took = w.run_until(secs(5), |w| w.sees(a, b).is_some()).expect("a hears of b");
    // There, back with the question where it is heard, and there again.
    assert_eq!(took, millis(150 + 100 + 150));
    let took = w.run_until(secs(5), |w| w.sees(b, a).is_some()).expect("b hears of a");
    assert_eq!(took, millis(100));
    w.set_link(c, a, Some(Link::default()));
    w.join(c, &[a]);
    let took = w.run_until(secs(5), |w| w.sees(a, c).is_some()).expect("a hears of c");
    // The question where it is heard comes by zones.
    assert!((millis(100)..=millis(120)).contains(&took), "{took:?}");
}

#[test]
fn a_clogged_way_delays_and_then_drops() {
    let (mut w, nodes) = cluster(25, 2);
    let (a, b) = (nodes[0], nodes[1]);
    // Less than pings and acks need, and four seconds of it in the queue.
    w.set_link(a, b, Some(Link { clog: Some(Clog { rate: 50, buffer: 200 }), ..Link::default() }));
    w.run(secs(20));
    let n = w.network();
    assert!(n.queued > 0 && n.clogged > 0, "{n:?}");
    assert!(w.in_flight() > 0, "something waits");
    w.cut(&[a], &[b], Way::Both);
    w.run(secs(4) + millis(2));
    assert_eq!(w.in_flight(), 0, "no longer than buffer and rate say");
}

#[test]
fn an_uplink_is_shared_by_all_that_a_node_sends() {
    let (mut w, nodes) = cluster(26, 6);
    let sent = count_sent(&mut w);
    let before = w.network();
    w.set_uplink(nodes[0], Some(Clog { rate: 0, buffer: 1_000 }));
    w.run(secs(3));
    let from_it = sent.borrow().iter().filter(|way| way.0 == nodes[0]).count() as u64;
    assert!(from_it > 0);
    assert_eq!(w.network().clogged - before.clogged, from_it, "nothing passes, and nothing of others is touched");
    w.set_uplink(nodes[0], None);
    w.run(secs(3));
    assert_eq!(w.network().clogged - before.clogged, from_it);
}

#[test]
fn a_rule_does_what_it_says_to_whom_it_says() {
    let run = |verdict: Verdict| {
        let (mut w, nodes) = cluster(27, 2);
        let target = nodes[1].addr();
        let asked = Rc::new(Cell::new(0));
        let count = Rc::clone(&asked);
        let before = w.network();
        w.add_rule(|_| Verdict::Pass);
        w.add_rule(move |sent| {
            if sent.to != target {
                return Verdict::Pass;
            }
            count.set(count.get() + 1);
            verdict
        });
        w.add_rule(move |sent| if sent.to == target { Verdict::Drop } else { Verdict::Pass });
        w.run(millis(1_500));
        let asked = asked.get();
        assert!(asked > 0);
        w.clear_rules();
        w.run(millis(300));
        (asked, before, w.network())
    };
    let (asked, before, after) = run(Verdict::Drop);
    assert_eq!(after.ruled_out - before.ruled_out, asked);
    let (asked, before, after) = run(Verdict::Pass);
    assert_eq!(after.ruled_out - before.ruled_out, asked, "the next rule is asked");
    let (asked, before, after) = run(Verdict::Duplicate);
    assert_eq!((after.duplicated - before.duplicated, after.ruled_out), (asked, 0), "and else it is not");
    let (asked, before, after) = run(Verdict::Corrupt(0));
    assert_eq!(after.corrupted - before.corrupted, asked);
    let (asked, before, after) = run(Verdict::Truncate(3));
    assert_eq!(after.truncated - before.truncated, asked);
    let (asked, before, after) = run(Verdict::Deliver(millis(250)));
    assert_eq!(after.held_back - before.held_back, asked);
}

#[test]
fn a_long_tail_kills_nobody() {
    let (mut w, nodes) = cluster(28, 8);
    w.link = w.link.with_latency(Latency::long_tailed(millis(1), secs(1), percent(40)));
    w.run(secs(300));
    let died = |&(_, event): &(Instant, Event)| matches!(event, Event::MemberDown { .. });
    assert!(nodes.iter().all(|&node| !w.events(node).iter().any(died)));
}
