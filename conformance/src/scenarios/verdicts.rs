//! Who is suspected and convicted by whom: P5, P12, P14, P16, P17, P23. There are no overlays here: P23 is what its rule
//! means for a full mesh.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use swim_core::wire::Message;
use swim_core::{Event, Fact, Instant, State};

use super::common::*;
use crate::{Harness, Inspect, Link, Mark, Peer, Run, Spec, Way, is_down, is_suspect};

/// P5: one node gets hardly any processor: it stands still for one to three periods, again and again. The others suspect
/// it, several at a time; it refutes whenever it runs, and nobody is declared dead, neither it nor anybody by it.
pub fn p5_a_starved_node_kills_nobody<H: Harness>(run: &mut Run) {
    starved::<H>(run);
}

/// P5: and it accuses nobody: what it did not hear while it stood still is no evidence. Only for networks on virtual time: on a
/// real machine it may be held up by less than shows, and the others are held up at times, too.
pub fn p5_a_starved_node_accuses_nobody<H: Inspect>(run: &mut Run) {
    let (h, starved, mark) = starved::<H>(run);
    for p in h.peers() {
        let of_others = |e: &Event| is_suspect(e) && e.member() != Some(h.id(starved));
        assert_eq!(h.count_since(p, &mark, of_others), 0, "{p:?}: {:?}", h.since(p, &mark));
    }
}

fn starved<H: Harness>(run: &mut Run) -> (H, Peer, Mark) {
    let (mut h, nodes) = run.five::<H>();
    let (starved, mark) = (run.pick(&nodes), h.mark());
    for _ in 0..12 {
        h.pause(starved);
        let stop = h.periods(1) + run.part_of(h.periods(2));
        h.run(stop);
        h.resume(starved);
        // Where time is real, less might not be enough to read what has come and to answer it.
        let go = h.periods(1) / 4 + run.part_of(h.periods(3) / 4);
        h.run(go);
    }
    h.until(h.periods(20), |h| h.is_whole(5)).expect("all see all");
    h.run(h.periods(10));
    let mut suspicions = 0;
    for &p in &nodes {
        assert_eq!(h.count_since(p, &mark, is_down), 0, "{p:?} reports a death: {:?}", h.since(p, &mark));
        suspicions += h.count_since(p, &mark, is_suspect);
    }
    run.figure("P5: suspicions of a node that stood still for 24 of 31 periods", suspicions as f64);
    h.until(h.periods(20), |h| h.is_whole(5)).expect("all see all");
    (h, starved, mark)
}

/// P12: an observer stands still for longer than the longest suspicion, while it holds somebody suspect who has long
/// refuted, and whose time was running; it wakes to a slow network, and in half of the runs has missed all that was
/// sent to it. It convicts nobody before it has had the time to hear, and finds everybody where they are.
pub fn p12_an_observer_that_stood_still_convicts_nobody<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let victim = run.pick(&nodes);
    h.pause(victim);
    let mut doubters = Vec::new();
    h.until(h.periods(30), |h| {
        doubters = others(&nodes, victim);
        doubters.retain(|&p| h.sees(p, victim) == Some(State::Suspect));
        !doubters.is_empty()
    });
    assert!(!doubters.is_empty(), "silence is suspicious");
    let observer = run.pick(&doubters);
    // Nobody convicts before the shortest time.
    let (shortest, longest) = h.config().suspicion_bounds(5);
    h.run(shortest / 4);
    assert_eq!(h.sees(observer, victim), Some(State::Suspect));
    h.pause(observer);
    h.resume(victim);
    if run.below(2) == 0 {
        h.cut(&[observer], &others(&nodes, observer), Way::Both);
    }
    let long = longest + run.part_of(longest / 2);
    h.run(long);
    let (mark, id) = (h.mark(), h.id(observer));
    h.heal();
    // A round trip takes four fifths of a period.
    h.set_network(Link { delay: h.periods(1) * 2 / 5, ..Link::default() });
    h.resume(observer);
    let took = h.until(h.config().join_retry_max * 2, |h| h.is_whole(5)).expect("one cluster again");
    run.figure(
        "P12: periods until all see all after an observer stood still for longer than any suspicion",
        in_periods(&h, took),
    );
    h.run(h.periods(10));
    assert_eq!(h.count_since(observer, &mark, is_down), 0, "{:?}", h.since(observer, &mark));
    let others_die = |e: &Event| is_down(e) && e.member() != Some(id);
    for p in others(&nodes, observer) {
        assert_eq!(h.count_since(p, &mark, others_die), 0, "{p:?}");
    }
    h.until(h.periods(20), |h| h.is_whole(5)).expect("all see all");
}

/// P14: a member hears everything and is not heard any more, by all or by two of the others; or it hears nothing, and goes
/// on telling everybody what it believes. Who is not reached, or does not answer, is declared dead; who is reached by
/// another path is not. In each case the rest agree with each other and have nothing to repair: the row of one who is gone
/// is in nobody's sum, and what it believes itself is no disagreement.
pub fn p14_a_mute_member_keeps_nobody_from_agreeing<H: Inspect>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let one = run.pick(&nodes);
    let rest = others(&nodes, one);
    let mark = h.mark();
    let (whom, way, dies) =
        run.pick(&[(&rest[..], Way::To, true), (&rest[..2], Way::To, false), (&rest[..], Way::From, true)]);
    h.cut(&[one], whom, way);
    let (_, longest) = h.config().suspicion_bounds(5);
    if dies {
        let dead = |h: &mut H| rest.iter().all(|&p| h.sees(p, one) == Some(State::Dead));
        h.until(h.periods(10) + longest, dead).expect("who gives no answer dies");
    } else {
        h.run(h.periods(20));
    }
    h.until(h.config().sync_patience, |h| hashes_agree(h, &rest)).expect("the others agree");
    h.until(h.periods(5), |h| rest.iter().all(|&p| h.node(p).gossip_queued() == 0)).expect("and have told it");
    let repairs = |h: &H| rest.iter().map(|&p| h.node(p).stats().syncs).sum::<u64>();
    let before = repairs(&h);
    let mut agreed = 0;
    for _ in 0..30 {
        h.run(h.periods(1));
        agreed += u32::from(hashes_agree(&h, &rest));
    }
    // Who is heard by some is suspected now and then, and refutes: for a moment that is news. So are the refutations of
    // those whom one that hears nothing holds dead.
    assert!(agreed >= 25, "they agreed in {agreed} of 30 periods");
    for &p in &rest {
        assert_eq!(h.count_since(p, &mark, is_down), usize::from(dies), "{p:?}: {:?}", h.since(p, &mark));
        assert_eq!(h.sees(p, one), Some(if dies { State::Dead } else { State::Alive }), "{p:?}");
    }
    assert_eq!(repairs(&h) - before, 0, "and nobody pulls rows over it");
    h.heal();
    h.until(h.config().join_retry_max * 2, |h| h.is_whole(5)).expect("reached again, it is back");
}

/// P16: one of a hundred dies. Everybody has heard of the suspicion, and each has the confirmations that shorten it, before
/// it runs out: the shortest suspicion grows with log n, as the time for news to spread does. So somebody who merely stood
/// still has heard of it, too, and refutes.
pub fn p16_a_suspicion_outlasts_its_dissemination<H: Inspect>(run: &mut Run) {
    const N: usize = 100;
    let config = H::base_config();
    let min = |n: usize| config.suspicion_bounds(n).0;
    for (n, times) in [(100, 2), (1_000, 3), (10_000, 4)] {
        let scaled = min(10) * times;
        assert!(min(n).abs_diff(scaled) <= scaled / 100, "the bounds scale with log n: {:?} at {n}", min(n));
    }
    let mut h: H = run.world();
    let nodes: Vec<Peer> = (0..N).map(|i| h.spawn(Spec::named(format!("n{i}")))).collect();
    for &p in &nodes[1..] {
        h.join_through(p, &nodes[..1]);
        h.run(h.periods(1) / 50);
    }
    h.until(h.periods(60), |h| h.all_see(N) && hashes_agree(h, &nodes) && h.is_quiet()).expect("the cluster forms");
    let gone = run.pick(&nodes);
    let (id, mark) = (h.id(gone), h.mark());
    let rest = others(&nodes, gone);
    let slow = run.pick(&rest);
    let rest_awake = others(&rest, slow);
    h.kill(gone);
    h.pause(slow);
    h.run(min(N) * 3 / 4);
    h.resume(slow);
    let (_, longest) = config.suspicion_bounds(N);
    let dead = |h: &mut H| rest.iter().all(|&p| h.sees(p, gone) == Some(State::Dead));
    h.until(h.periods(20) + longest, dead).expect("dead for all");
    h.run(h.periods(30));
    let first = |hit: fn(&Event) -> bool| {
        let of = |p: &Peer| h.log(*p).iter().find(|(_, e)| hit(e) && e.member() == Some(id)).map(|(at, _)| *at);
        rest_awake.iter().filter_map(of).collect::<Vec<Instant>>()
    };
    let (suspected, died) = (first(is_suspect), first(is_down));
    assert_eq!((suspected.len(), died.len()), (N - 2, N - 2), "each hears of the suspicion before the death");
    let begin = *suspected.iter().min().expect("somebody was first");
    let (spread, end) = (suspected.iter().max().expect("and last"), died.iter().min().expect("and declared it"));
    run.figure("P16: periods until 100 have heard of a suspicion", in_periods(&h, spread.since(begin)));
    run.figure("P16: periods until the first of them runs out", in_periods(&h, end.since(begin)));
    assert!(spread < end, "all have heard before anybody convicts");
    // Not before the shortest time, and with all confirmations, so long before the longest.
    assert!(end.since(begin) >= min(N) && end.since(begin) <= min(N) + h.periods(8), "{:?}", end.since(begin));
    let declared: Vec<Peer> = rest.iter().copied().filter(|&p| h.node(p).stats().deaths_declared > 0).collect();
    assert!(!declared.is_empty());
    for p in declared {
        // With all confirmations, or after the time that it takes with one less.
        let facts: Vec<_> = h.node(p).why(id).collect();
        let at = |of: fn(&Fact) -> bool| facts.iter().rfind(|e| of(&e.fact)).expect("it was noted").at;
        let took = at(|f| matches!(f, Fact::Dead { .. })).since(at(|f| matches!(f, Fact::Suspected { .. })));
        let confirmed = facts.iter().filter(|e| matches!(e.fact, Fact::Confirmed { .. })).count();
        let all = config.suspicion_confirmations;
        let share = (1.0 + confirmed as f64).ln() / (1.0 + all as f64).ln();
        let least = longest - (longest - min(N)).mul_f64(share);
        assert!((all - 1..=all).contains(&confirmed), "{p:?} convicts on less");
        // Of a member that is gone itself, so the bounds are those of one less.
        assert!(took >= least.mul_f64(0.99), "{p:?} convicts after {took:?}: {confirmed} have confirmed");
    }
    for &p in &rest {
        assert_eq!(h.count_since(p, &mark, |e| is_down(e) && e.member() != Some(id)), 0, "{p:?}");
    }
}

/// P17: load delays every ack of one node beyond the time-out, yet below the period; or one other reaches it through relays
/// only, and its acks to these come late. An ack that is there before the deadline is an ack, by whichever way it comes:
/// nobody is even suspected.
pub fn p17_late_acks_are_acks<H: Inspect>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let (loaded, mark) = (run.pick(&nodes), h.mark());
    let rest = others(&nodes, loaded);
    let (timeout, period) = (h.config().probe_timeout, h.periods(1));
    let through_relays = run.below(2) == 0;
    if through_relays {
        h.cut(&[loaded], &rest[..1], Way::Both);
    }
    let asked = |h: &H| rest.iter().map(|&p| h.node(p).stats().ping_reqs_sent).sum::<u64>();
    let before = asked(&h);
    for _ in 0..30 {
        for &p in &rest {
            // Through relays an ack starts when the time-out has passed, and has what is left of the period.
            let left = period - timeout;
            let delay = if through_relays { run.part_of(left * 7 / 10) } else { timeout + run.part_of(left * 9 / 10) };
            h.set_link(loaded, p, Link { delay, ..Link::default() });
        }
        h.run(period);
    }
    assert!(asked(&h) - before >= 9, "relays were asked {} times", asked(&h) - before);
    for &p in &nodes {
        let harmed = |e: &Event| is_down(e) || is_suspect(e);
        assert_eq!(h.count_since(p, &mark, harmed), 0, "{p:?}: {:?}", h.since(p, &mark));
    }
    assert!(h.is_whole(5));
}

/// What a tap sees of probes of one member: pings by sender, and the questions to relays by sender and nonce.
#[derive(Default)]
struct Probes {
    pings: u64,
    asked: BTreeMap<(SocketAddr, u32), BTreeSet<SocketAddr>>,
    twice: bool,
}

/// P23: a member is silent, so all the others ask relays about it, at the same time and on a network that loses some of it.
/// A question to a relay leads to one ping and never to another question: it goes one hop, to at most k relays at
/// addresses of their own, once per probe.
pub fn p23_a_relay_asks_no_relay<H: Inspect>(run: &mut Run) {
    let (mut h, nodes) = run.cluster::<H>(H::base_config(), 8);
    let gone = run.pick(&nodes);
    let rest = others(&nodes, gone);
    let id = h.id(gone);
    if run.below(2) == 0 {
        h.set_network(Link::loss(10));
    }
    let probes = h.tap_into(move |probes: &mut Probes, sent| match sent.parsed().message {
        Some(Message::Ping { target, .. }) => probes.pings += u64::from(target == id),
        Some(Message::PingReq { target, nonce }) if target == id => {
            probes.twice |= !probes.asked.entry((sent.from, nonce)).or_default().insert(sent.to);
        }
        _ => {}
    });
    let counted = |h: &H, p: Peer| {
        let s = h.node(p).stats();
        (s.probes, s.relayed, s.ping_reqs_sent)
    };
    let before: Vec<_> = rest.iter().map(|&p| counted(&h, p)).collect();
    h.kill(gone);
    let (_, longest) = h.config().suspicion_bounds(8);
    let dead = |h: &mut H| rest.iter().all(|&p| h.sees(p, gone) == Some(State::Dead));
    h.until(h.periods(20) + longest, dead).expect("dead for all");
    h.run(h.periods(2));
    let probes = probes.take();
    let k = h.config().indirect_probes;
    let asked: u64 = probes.asked.values().map(|relays| relays.len() as u64).sum();
    assert!(asked > 0 && !probes.twice, "{asked} questions, one of them twice: {}", probes.twice);
    assert!(probes.asked.values().all(|relays| relays.len() <= k));
    let mut own_probes = 0;
    for (&p, before) in rest.iter().zip(before) {
        let now = counted(&h, p);
        let of_it = probes.asked.keys().filter(|(from, _)| *from == h.addr(p)).count() as u64;
        // A relay that asked relays would ask under nonces that are no probe of its own.
        let (own, relayed) = (now.0 - before.0, now.1 - before.1);
        assert!(of_it <= own, "{p:?} asked about {of_it} probes and made {own}");
        assert!(now.2 - before.2 <= k as u64 * own, "{p:?}");
        own_probes += of_it;
        assert!(relayed <= asked, "{p:?}");
    }
    // Each probe is two pings and k questions, and each question at most one ping.
    assert!(
        probes.pings <= 2 * own_probes + asked + rest.len() as u64,
        "{} pings of {own_probes} probes",
        probes.pings
    );
}
