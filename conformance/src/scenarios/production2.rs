//! Failures of large systems in production, and the rule that each of them left behind. Scenarios P13 to P23.
//!
//! There are no overlays here: P13 and P23 are what their rules mean for a full mesh. P24 is about the documents, and is a
//! test of this crate's own.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use swim_core::wire::Message;
use swim_core::{Event, Fact, Instant, Profile, State};

use super::production::{Captured, hashes_agree, in_periods, others, peer_at, rate, short_tombstones};
use crate::{Inspect, Link, Peer, Run, Spec, Way, is_down, is_suspect};

/// P13: all nodes contact each other at the same moment, so that every pair is introduced from both sides, each more than
/// once. Each holds one row of each and reports it once, and then only pings and acks pass.
pub fn p13_both_make_first_contact_at_once<H: Inspect>(run: &mut Run) {
    let n = 2 + run.below(4);
    let mut h: H = run.world();
    h.set_network(Link { duplicate: 30, reorder: 30, ..Link::default() });
    let nodes: Vec<Peer> = (0..n).map(|i| h.spawn(Spec::named(format!("n{i}")))).collect();
    for &p in &nodes {
        h.join_through(p, &nodes);
    }
    h.until(h.periods(10), |h| h.is_whole(n)).expect("all see all");
    h.set_network(Link::default());
    h.until(h.periods(10), |h| h.is_quiet()).expect("and have told it");
    h.run(h.periods(2));
    for &p in &nodes {
        assert_eq!((h.view(p).members().len(), h.node(p).me().incarnation().refutations()), (n, 0));
        let ups = h.events(p).iter().filter(|e| matches!(e, Event::MemberUp { .. })).count();
        let told = h.events(p).iter().filter(|e| e.member().is_some()).count();
        assert_eq!((ups, told), (n - 1, n - 1), "{p:?}: {:?}", h.events(p));
    }
    let idle = rate(&mut h, 20);
    assert!((1.9..=2.1).contains(&idle), "{idle} datagrams per node and period");
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

/// P15: a member is killed and is there again at the same address, at any moment: before anybody misses it, while it is
/// suspected, or when it is dead for some. Meanwhile one other hears nothing and goes on holding the old life for alive,
/// and all that the old life ever said comes once more. The new life is alive for all, and nobody reports its death.
pub fn p15_a_restarted_node_is_not_stuck_behind_its_old_self<H: Inspect>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let one = run.pick(&nodes[1..]);
    let rest = others(&nodes, one);
    let (id, addr) = (h.id(one), h.addr(one));
    let captured = h.tap_into(move |all: &mut Captured, sent| {
        if sent.from == addr {
            all.push((sent.from, sent.to, sent.bytes.to_vec()));
        }
    });
    h.run(h.periods(3));
    let spoken = captured.take();
    h.untap();
    h.kill(one);
    let away = run.part_of(h.periods(25));
    h.run(away);
    let late = run.pick(&rest[1..]);
    h.cut(&[late], &others(&nodes, late), Way::Both);
    let old = h.view(rest[0]).member(id).expect("still known").incarnation();
    h.restart_same(one);
    let mark = h.mark();
    h.join_through(one, &rest[..1]);
    h.run(h.periods(1) / 2);
    for (from, to, bytes) in &spoken {
        let to = peer_at(&h, &nodes, *to);
        h.deliver(to, *from, bytes);
    }
    h.run(h.periods(1) / 2);
    h.heal();
    let alive = |h: &mut H| {
        let new = |p: &Peer| h.view(*p).member(id).is_some_and(|m| m.state() == State::Alive && m.incarnation() > old);
        rest.iter().all(new)
    };
    let took = h.until(h.periods(15), alive).expect("all see the new life");
    run.figure("P15: periods until all see a restarted node, one of them cut off for one", in_periods(&h, took));
    h.run(h.periods(30));
    assert!(alive(&mut h) && h.is_whole(5));
    for &p in &nodes {
        let dies = |e: &Event| is_down(e) && e.member() == Some(id);
        let late_verdict = usize::from(p == late);
        assert!(h.count_since(p, &mark, dies) <= late_verdict, "{p:?}: {:?}", h.since(p, &mark));
    }
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
        let confirmed = h.node(p).why(id).filter(|e| matches!(e.fact, Fact::Confirmed { .. })).count();
        assert_eq!(confirmed, config.suspicion_confirmations, "{p:?} convicts on less");
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

/// P18: a member is gone. As long as it is listed as gone, everything that was said while it lived comes again and again, by
/// members and by itself: it does not come back. Then all forget it, not at the same time, and nobody teaches it to another.
/// Only one who stood still for all that time, and holds it for alive, may bring it up when it wakes, once; then it is found
/// dead, and forgotten, by all.
pub fn p18_the_forgotten_do_not_come_back<H: Inspect>(run: &mut Run) {
    let (mut h, nodes) = run.cluster::<H>(short_tombstones::<H>(30), 5);
    let gone = run.pick(&nodes[1..]);
    let rest = others(&nodes, gone);
    let (id, addr) = (h.id(gone), h.addr(gone));
    let captured = h.tap_into(|all: &mut Captured, sent| all.push((sent.from, sent.to, sent.bytes.to_vec())));
    h.set_meta(gone, b"last words");
    h.run(h.periods(3));
    let spoken = captured.take();
    h.untap();
    // In half of the runs one of the others stands still from here on.
    let sleeper = (run.below(2) == 0).then(|| run.pick(&rest));
    if let Some(p) = sleeper {
        h.pause(p);
        // Nor does it find the news in its socket when it wakes.
        h.cut(&[p], &others(&nodes, p), Way::Both);
    }
    let awake: Vec<Peer> = rest.iter().copied().filter(|&p| Some(p) != sleeper).collect();
    // One hears of the goodbye later than the others, so their tombstones expire at different times.
    let late = awake[awake.len() - 1];
    h.cut(&[late], &[gone], Way::Both);
    h.leave(gone);
    let (_, longest) = h.config().suspicion_bounds(5);
    let over = |h: &mut H| awake.iter().all(|&p| h.sees(p, gone).is_none_or(|s| !s.is_live()));
    h.until(h.periods(10) + longest, over).expect("gone for all");
    let mark = h.mark();
    let ttl = h.config().tombstone_ttl;
    for _ in 0..9 {
        for (from, to, bytes) in spoken.iter().filter(|(_, to, _)| *to != addr) {
            let to = peer_at(&h, &nodes, *to);
            if Some(to) != sleeper {
                h.deliver(to, *from, bytes);
            }
        }
        h.run(ttl / 10);
        assert!(over(&mut h), "brought back by a replay");
    }
    h.run(ttl / 10 + h.periods(10) + longest);
    for &p in &awake {
        let ups = h.count_since(p, &mark, |e| matches!(e, Event::MemberUp { .. }) && e.member() == Some(id));
        assert_eq!((ups, h.view(p).member(id).is_none()), (0, true), "{p:?}");
    }
    let Some(sleeper) = sleeper else { return };
    h.heal();
    h.resume(sleeper);
    h.run(longest + ttl + h.periods(20));
    for &p in &rest {
        assert!(h.view(p).member(id).is_none(), "{p:?} holds {:?}", h.sees(p, gone));
        let ups = h.count_since(p, &mark, |e| matches!(e, Event::MemberUp { .. }) && e.member() == Some(id));
        run.figure("P18: times that a member was brought up again by one who stood still", ups as f64);
        assert!(ups <= 1, "{p:?}: {ups} times");
    }
    assert!(h.is_whole(4));
}

/// P19: a joiner dies as soon as it has been admitted. Detection is armed by the admission, so it is found dead within the
/// bound of the round-robin and one suspicion, by those too who know it by hearsay only. From then on each tries it ever
/// more rarely.
pub fn p19_a_joiner_that_dies_at_once_is_found_dead<H: Inspect>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let joiner = h.spawn(Spec::named("short-lived"));
    let (id, addr, seed) = (h.id(joiner), h.addr(joiner), run.pick(&nodes));
    h.join_through(joiner, &[seed]);
    h.until(h.periods(1), |h| h.view(seed).member(id).is_some()).expect("admitted");
    h.kill(joiner);
    let mark = h.mark();
    let died = h.now();
    let (_, longest) = h.config().suspicion_bounds(6);
    let dead = |h: &mut H| nodes.iter().all(|&p| h.sees(p, joiner) == Some(State::Dead));
    // 2N − 1 turns until it is probed, one period for the probe; then the suspicion.
    let took = h.until(h.periods(2 * 6) + longest, dead).expect("found dead by all");
    run.figure("P19: periods until all know that a joiner is dead", in_periods(&h, took));
    let knocks = h.tap_into(move |knocks: &mut BTreeMap<SocketAddr, Vec<Instant>>, sent| {
        if sent.to == addr {
            knocks.entry(sent.from).or_default().push(sent.at);
        }
    });
    h.run(h.config().join_retry_max * 4);
    assert_eq!(knocks.get().len(), 5, "each tries it, {:?} after its death", h.now().since(died));
    for (from, at) in knocks.take() {
        // 1, 2, 4, ... up to the longest wait, each drawn between half and all of it.
        assert!((4..=14).contains(&at.len()), "{from} tried it {} times in four of the longest waits", at.len());
        let gaps: Vec<_> = at.windows(2).map(|w| w[1].since(w[0])).collect();
        assert!(gaps[gaps.len() - 1] >= h.config().join_retry_max / 2, "{from}: {gaps:?}");
        assert!(gaps.windows(3).all(|w| w[2] >= w[0]) || gaps.len() > 5, "ever more rarely: {gaps:?}");
    }
    for &p in &nodes {
        assert_eq!(h.count_since(p, &mark, is_down), 1, "{p:?}");
    }
}

/// P20: two halves that hold each other dead are joined again. What they tell each other is bounded by what has changed:
/// each row a few times by each node. Then it is quiet, and stays so; nobody tells anew what all have heard.
pub fn p20_after_a_heal_traffic_settles<H: Inspect>(run: &mut Run) {
    const N: usize = 10;
    let (mut h, nodes) = run.cluster::<H>(H::base_config(), N);
    h.cut(&nodes[..5], &nodes[5..], Way::Both);
    let (_, longest) = h.config().suspicion_bounds(N);
    let apart = |h: &mut H| h.all_see(5) && h.is_quiet();
    h.until(h.periods(20) + longest, apart).expect("each half holds the other dead");
    h.run(h.periods(10));
    let before = nodes.iter().map(|&p| h.node(p).me().incarnation().refutations()).collect::<Vec<_>>();
    h.heal();
    let whole = |h: &mut H| h.all_see(N) && hashes_agree(h, &nodes);
    // Nothing is sent between the halves before somebody knocks; from then on bytes count.
    h.until(h.config().join_retry_max * 2, |h| nodes.iter().any(|&p| h.view(p).live_count() > 5)).expect("found");
    let (start, at) = (h.sent_total(), h.now());
    h.until(h.periods(30), whole).expect("one cluster");
    let merged = h.now().since(at);
    h.until(h.periods(10), |h| h.is_quiet()).expect("and all is told");
    let settled = h.now().since(at);
    let used = h.sent_total();
    run.figure("P20: periods from the first contact until all see all", in_periods(&h, merged));
    run.figure("P20: periods from the first contact until nobody has news", in_periods(&h, settled));
    let bytes = (used.wire_bytes - start.wire_bytes) as f64 / N as f64;
    run.figure("P20: kB sent per node in that time", bytes / 1_000.0);
    // Each of the rows so often as any news, in 64 bytes; and what an idle period costs.
    let told = N * h.config().retransmit_limit(N) * 64;
    let bound = told as f64 + 200.0 * (in_periods(&h, settled) + 1.0);
    assert!(bytes <= bound, "{bytes} bytes per node, and {bound} should do");
    for (&p, before) in nodes.iter().zip(before) {
        let raised = h.node(p).me().incarnation().refutations() - before;
        assert!(raised <= 3, "{p:?} refuted {raised} times");
    }
    for _ in 0..20 {
        assert!(whole(&mut h) && h.is_quiet(), "and it stays so");
        let idle = rate(&mut h, 1);
        assert!(idle <= 2.5, "{idle} datagrams per node in one period");
    }
}

/// P21: sixty members with the most metadata there can be, one of which changes its own all the time, and a joiner on a
/// network that loses one datagram in ten. Two rows fit into a datagram; the joiner gets all of them, each as its subject
/// wrote it, and none has to wait for those that change.
pub fn p21_rows_come_without_gaps<H: Inspect>(run: &mut Run) {
    const N: usize = 60;
    let mut h: H = run.world();
    let says = |i: usize| [i as u8; Profile::MAX_META];
    let nodes: Vec<Peer> = (0..N).map(|i| h.spawn(Spec::named(format!("n{i}")).meta(&says(i)))).collect();
    for &p in &nodes[1..] {
        h.join_through(p, &nodes[..1]);
        h.run(h.periods(1) / 20);
    }
    let formed = |h: &mut H| h.all_see(N) && hashes_agree(h, &nodes) && h.is_quiet();
    h.until(h.periods(120), formed).expect("the cluster forms");
    h.set_network(Link::loss(10));
    let (busy, seed) = (run.pick(&nodes), run.pick(&nodes));
    let joiner = h.spawn(Spec::named("joiner"));
    h.join_through(joiner, &[seed]);
    let started = h.now();
    let mut change = 0_u32;
    let told = loop {
        change += 1;
        h.set_meta(busy, &change.to_le_bytes().repeat(Profile::MAX_META / 4));
        h.run(h.config().gossip_interval / 2);
        let view = h.view(joiner);
        let row = |i: usize| view.member(h.id(nodes[i])).map(|m| m.profile().meta().to_vec());
        if (0..N).all(|i| nodes[i] == busy && row(i).is_some() || row(i).is_some_and(|meta| meta == says(i))) {
            break h.now().since(started);
        }
        assert!(h.now().since(started) < h.periods(30), "rows are missing: {} of {N}", view.live_count() - 1);
    };
    run.figure("P21: periods until a joiner has 60 of the largest rows, at 10 % loss", in_periods(&h, told));
    h.set_network(Link::default());
    let all: Vec<Peer> = nodes.iter().copied().chain([joiner]).collect();
    let whole = |h: &mut H| h.all_see(N + 1) && hashes_agree(h, &all);
    h.until(h.config().sync_patience + h.config().sync_backoff_max + h.periods(20), whole).expect("all agree");
    assert!(h.is_whole(N + 1), "on what each says, too");
}

/// P22: two halves, each started with seeds of its own half, are cut apart until each has reaped the other: no row, no
/// tombstone. Joined again they find each other by themselves, since whom they lost is on a list that does not expire.
pub fn p22_both_sides_reaped_each_other<H: Inspect>(run: &mut Run) {
    let mut h: H = run.world_with(short_tombstones::<H>(30));
    let nodes: Vec<Peer> = (0..5).map(|i| h.spawn(Spec::named(format!("n{i}")))).collect();
    let (a, b) = nodes.split_at(3);
    for (half, p) in a.iter().map(|p| (a, p)).chain(b.iter().map(|p| (b, p))) {
        h.join_through(*p, half);
        h.run(h.periods(1) / 10);
    }
    // What makes one cluster of the two is one join, once. Who did it does not know its seed any more: it has restarted.
    h.join_through(b[0], &a[..1]);
    h.until(h.periods(30), |h| h.is_whole(5)).expect("one cluster");
    h.restart_same(b[0]);
    h.join_through(b[0], &b[1..]);
    h.until(h.periods(30), |h| h.is_whole(5)).expect("still one cluster");
    h.cut(a, b, Way::Both);
    let (_, longest) = h.config().suspicion_bounds(5);
    let reaped = |h: &mut H| {
        let apart = |p: &Peer, q: &Peer| h.sees(*p, *q).is_none() && h.sees(*q, *p).is_none();
        a.iter().all(|p| b.iter().all(|q| apart(p, q)))
    };
    h.until(longest * 2 + h.config().tombstone_ttl + h.periods(20), reaped).expect("each has forgotten the other");
    let more = run.part_of(h.periods(60));
    h.run(more);
    h.heal();
    let took = h.until(h.config().join_retry_max * 2, |h| h.is_whole(5)).expect("one cluster again");
    run.figure("P22: periods until halves that have reaped each other are one", in_periods(&h, took));
    h.run(h.periods(30));
    assert!(h.is_whole(5) && h.is_quiet());
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
