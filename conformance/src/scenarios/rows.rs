//! Who is in the table, and for how long: P1, P6, P7, P9, P10, P15, P18, P19, P22.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use swim_core::{Event, Incarnation, Instant, NodeId, State, Status};

use super::common::*;
use crate::{Inspect, Link, Peer, Run, Spec, Way, alive, detail, frame, is_down, says};

/// How often each sender told each status.
type Told = BTreeMap<(SocketAddr, Status), usize>;

/// P1: a member leaves, comes back, leaves again and once more, faster than the others can settle, and the network mixes
/// up and doubles what they say of it. It is told no more often than anything else: the news ends, and what is left is
/// the traffic of an idle cluster.
pub fn p1_leave_and_return_in_quick_succession<H: Inspect>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let leaver = run.pick(&nodes[1..]);
    let rest = others(&nodes, leaver);
    let (id, addr, mark) = (h.id(leaver), h.addr(leaver), h.mark());
    h.set_network(Link { reorder: 30, duplicate: 20, ..Link::default() });
    let told = h.tap_into(move |told: &mut Told, sent| {
        // To itself it is a hint, and no news.
        if let Some(status) = says(&sent.parsed(), id).filter(|_| sent.to != addr) {
            *told.entry((sent.from, status)).or_default() += 1;
        }
    });
    for round in 0..4 {
        if round > 0 {
            h.restart_same(leaver);
            h.join_through(leaver, &[run.pick(&rest)]);
            let moment = run.part_of(h.periods(1));
            h.run(moment);
        }
        if round == 3 {
            h.until(h.periods(20), |h| h.view(leaver).live_count() == 5).expect("it is back");
        }
        h.leave(leaver);
        h.until(h.periods(2), |h| !h.is_running(leaver)).expect("the leave completes");
    }
    h.set_network(Link::default());
    let epoch = h.view(leaver).me().incarnation().epoch();
    h.run(h.periods(10));
    for &p in &rest {
        let row = h.view(p).member(id).map(|m| (m.state(), m.incarnation().epoch()));
        assert_eq!(row, Some((State::Left, epoch)), "{p:?} saw the last goodbye");
        assert!(h.count_since(p, &mark, is_down) <= 4, "{p:?} reports no more departures than there were");
    }
    assert!(h.is_quiet() && h.is_whole(4));
    // Once for the status, and once more for what each former life said of itself, where that came late.
    let most = told.get().values().copied().max().unwrap_or(0);
    assert!(most <= 4 * h.config().retransmit_limit(5), "somebody told one status {most} times");
    told.take();
    let idle = rate(&mut h, 20);
    assert!((1.9..=2.1).contains(&idle), "{idle} datagrams per node and period");
    assert!(told.get().is_empty(), "nobody speaks of it any more: {:?}", told.get());
}

/// P6: everything that was said while a member lived, by itself and about it, is said once more after it has died, or
/// left. The dead stay dead: the replay is of an incarnation that is over.
pub fn p6_a_replay_revives_nobody<H: Inspect>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let gone = run.pick(&nodes);
    let rest = others(&nodes, gone);
    let captured = h.tap_into(|all: &mut Captured, sent| all.push((sent.from, sent.to, sent.bytes.to_vec())));
    // So that there is news of it, its address and profile included, besides pings and acks.
    h.set_meta(gone, b"last words");
    h.run(h.periods(5));
    let spoken = captured.take();
    h.untap();
    let want = if run.below(2) == 0 { State::Left } else { State::Dead };
    if want == State::Left {
        h.leave(gone);
    } else {
        h.kill(gone);
    }
    let (_, longest) = h.config().suspicion_bounds(5);
    let over = |h: &mut H| rest.iter().all(|&p| h.sees(p, gone) == Some(want));
    h.until(h.periods(10) + longest, over).expect("gone for all");
    h.run(h.periods(5));
    let mark = h.mark();
    assert!(spoken.len() >= 40, "{} datagrams", spoken.len());
    for (from, to, bytes) in &spoken {
        let to = peer_at(&h, &nodes, *to);
        if to != gone {
            h.deliver(to, *from, bytes);
        }
    }
    for _ in 0..10 {
        h.run(h.periods(1));
        assert!(over(&mut h), "revived by a replay");
    }
    for &p in &rest {
        let told = h.since(p, &mark);
        assert!(!told.iter().any(|e| e.member().is_some()), "{p:?}: {told:?}");
    }
    assert!(h.is_whole(4) && h.is_quiet());
}

/// P7: a node of another cluster is given a seed of this one, and later comes up at the very address of a member that has
/// died. The clusters do not merge: the tag is in every datagram, nothing of the other is taken, and it is counted where
/// an operator can see it.
pub fn p7_a_wrong_seed_merges_nothing<H: Inspect>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let mut other = H::base_config();
    other.cluster = format!("{} of others", other.cluster);
    let theirs = |name: &str| Spec { config: Some(other.clone()), ..Spec::named(name) };
    let (first, lost) = (h.spawn(theirs("t0")), h.spawn(theirs("t1")));
    let wrong = run.pick(&nodes);
    h.join_through(lost, &[first, wrong]);
    h.run(h.periods(5));
    let refused = |h: &H, p: Peer| h.driver_stats(p).refused_cluster;
    assert!(refused(&h, wrong) > 0, "the seed has counted who is not of its cluster");
    assert_eq!((h.view(lost).live_count(), h.view(first).live_count()), (2, 2), "its own seed it has found");
    // The address of a member is given to a node of the other cluster.
    let mark = h.mark();
    let heard = |h: &H, p: Peer| h.node(p).stats().claims_from_strangers;
    let before: Vec<u64> = nodes.iter().map(|&p| heard(&h, p)).collect();
    let gone = run.pick(&others(&nodes, wrong));
    let rest = others(&nodes, gone);
    let gone_id = h.id(gone);
    h.restart(gone, theirs("t2"));
    h.join_through(gone, &[first]);
    let (_, longest) = h.config().suspicion_bounds(5);
    let dead = |h: &mut H| rest.iter().all(|&p| h.view(p).member(gone_id).is_some_and(|m| m.state() == State::Dead));
    h.until(h.periods(10) + longest, dead).expect("the former member dies on schedule");
    h.run(h.periods(10));
    assert!(refused(&h, gone) > 0, "the newcomer has counted the pings to its predecessor");
    let strangers: Vec<NodeId> = [first, lost, gone].iter().map(|&p| h.id(p)).collect();
    for &p in &rest {
        assert_eq!((h.view(p).live_count(), h.count_since(p, &mark, is_down)), (4, 1));
        assert!(strangers.iter().all(|&id| h.view(p).member(id).is_none()));
        assert_eq!(heard(&h, p), before[p.index()], "nothing of it came as far as the machine");
    }
    for p in [first, lost, gone] {
        assert_eq!((h.view(p).live_count(), h.view(p).members().len()), (3, 3));
    }
}

/// P9: a member dies, or leaves, and its row is gone from everywhere one tombstone's time after the last had learnt of it:
/// also when others restart and newcomers join meanwhile, who might have learnt of it anew.
pub fn p9_a_removed_node_is_gone_everywhere<H: Inspect>(run: &mut Run) {
    let (mut h, nodes) = run.cluster::<H>(short_tombstones::<H>(30), 5);
    let gone = run.pick(&nodes[1..]);
    let rest = others(&nodes, gone);
    let (id, mark) = (h.id(gone), h.mark());
    let says_goodbye = run.below(2) == 0;
    if says_goodbye {
        h.leave(gone);
    } else {
        h.kill(gone);
    }
    let (_, longest) = h.config().suspicion_bounds(5);
    let buried = |h: &mut H| rest.iter().all(|&p| h.sees(p, gone).is_some_and(|s| !s.is_live()));
    h.until(h.periods(10) + longest, buried).expect("all know");
    let known = h.now();
    // In the middle of that time one restarts and one is new: both are told the rows of the others.
    let some_time = run.part_of(h.periods(20));
    h.run(some_time);
    let back = run.pick(&rest[1..]);
    h.restart_same(back);
    let new = h.spawn(Spec::named("new"));
    for p in [back, new] {
        h.join_through(p, &[run.pick(&others(&rest, back))]);
    }
    let left = h.config().tombstone_ttl.saturating_sub(h.now().since(known));
    h.run(left + h.periods(1));
    let all: Vec<Peer> = rest.iter().copied().chain([new]).collect();
    for _ in 0..15 {
        assert!(all.iter().all(|&p| h.view(p).member(id).is_none()), "a row that nobody takes away");
        h.run(h.periods(1));
    }
    for &p in &all {
        let told = |hit: fn(&Event) -> bool| h.count_since(p, &mark, |e| e.member() == Some(id) && hit(e));
        assert_eq!(told(|e| matches!(e, Event::MemberUp { .. })), 0, "{p:?}");
        let forgotten = usize::from(p != new && p != back);
        assert_eq!(told(|e| matches!(e, Event::MemberForgotten { .. })), forgotten, "{p:?}");
    }
    assert!(h.is_whole(5) && h.is_quiet());
}

/// P10: one node comes up with a clock decades ahead, and others are made to believe the same of a second one. Hearsay does
/// not do that, since the second one denies it; its own word does, when that is forged, too. Restarted with its clock put right, each is back at once, past what was believed of it; no guard against far-off epochs keeps an
/// honest node out.
pub fn p10_a_far_future_epoch_shuts_nobody_out<H: Inspect>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let far = run.pick(&[100_000, 2_000_000_000, u32::MAX - 10, u32::MAX]);
    let ahead = run.pick(&nodes[1..]);
    let lied_about = run.pick(&others(&nodes[1..], ahead));
    let spec = h.spec(ahead);
    h.restart(ahead, spec.clone().epoch(far));
    h.join_through(ahead, &nodes[..1]);
    h.until(h.periods(5), |h| h.is_whole(5)).expect("in, with its clock ahead");
    // Hearsay of the same kind about another, from a member: whoever hears it asks the other.
    let (id, addr, name) = (h.id(lied_about), h.addr(lied_about), h.spec(lied_about).name);
    let at = Incarnation::new(far, 3);
    let gossiper = nodes[0];
    let lie = [alive(id, at, detail(at, addr, &name))];
    let forged = frame(h.id(gossiper), h.node(gossiper).me().incarnation(), None, &lie);
    let refused = |h: &H, p: Peer| h.node(p).stats().supersede_refused;
    for p in others(&nodes[1..], lied_about) {
        let before = refused(&h, p);
        h.forge(p, h.addr(gossiper), &forged);
        assert_eq!(refused(&h, p), before + 1, "{p:?}");
    }
    let honest = h.view(lied_about).me().incarnation();
    h.run(h.periods(3));
    for p in others(&nodes, lied_about) {
        assert_eq!(h.view(p).member(id).map(|m| m.incarnation()), Some(honest), "{p:?}");
    }
    assert_eq!(h.view(lied_about).me().incarnation(), honest);
    // In its own name, from its own address.
    let forged = frame(id, at, None, &[]);
    for p in others(&nodes[1..], lied_about) {
        h.forge(p, addr, &forged);
        assert_eq!(h.node(p).member(id).map(|m| m.incarnation()), Some(at), "{p:?}");
    }
    h.until(h.periods(15), |h| h.is_whole(5)).expect("it goes past what is believed of it");
    assert!(h.view(lied_about).me().incarnation() > at);
    // The clocks are right again.
    let mark = h.mark();
    for (p, known) in [(ahead, Incarnation::new(far, 0)), (lied_about, at)] {
        let spec = h.spec(p);
        h.restart(p, spec.epoch(2));
        h.join_through(p, &nodes[..1]);
        h.until(h.periods(5), |h| h.is_whole(5)).expect("back with an ordinary epoch");
        assert!(h.view(p).me().incarnation() > known);
    }
    h.run(h.periods(10));
    for &p in &nodes {
        assert_eq!(h.count_since(p, &mark, is_down), 0, "{p:?}");
        assert!(h.is_running(p));
    }
    assert!(h.is_whole(5));
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
