//! Failures of large systems in production, and the rule that each of them left behind. Scenarios P1 to P12.
//!
//! P4, whose subject is one node whose socket fails, is in the tests of swim-core.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use swim_core::{Config, Event, Incarnation, NodeId, Profile, State, Status};

use crate::{Harness, Inspect, Link, Peer, Run, Spec, Way, alive, detail, frame, is_down, is_suspect, says};

/// All but this one.
pub(super) fn others(nodes: &[Peer], one: Peer) -> Vec<Peer> {
    nodes.iter().copied().filter(|&p| p != one).collect()
}

/// Datagrams that each node that runs sends per period, over so many periods from now on.
pub(super) fn rate<H: Inspect>(h: &mut H, periods: u32) -> f64 {
    let before = h.sent_total().datagrams;
    h.run(h.periods(periods));
    let nodes = h.running().len() as f64;
    (h.sent_total().datagrams - before) as f64 / nodes / f64::from(periods)
}

/// Whether these hold the same live members, told by their view hashes: cheap where there are many.
pub(super) fn hashes_agree<H: Inspect>(h: &H, nodes: &[Peer]) -> bool {
    nodes.windows(2).all(|pair| h.node(pair[0]).view_hash() == h.node(pair[1]).view_hash())
}

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

/// P2: three hundred changes in quick succession. The queue holds what a member says last, however often that changes;
/// it drains when the changes end and stays empty; and nobody is forgotten or new again over it.
pub fn p2_hundreds_of_changes_drain<H: Inspect>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let (mark, interval) = (h.mark(), h.config().gossip_interval);
    let mut last = BTreeMap::new();
    let mut longest = 0;
    for change in 0..300_u32 {
        let p = run.pick(&nodes);
        h.set_meta(p, &change.to_le_bytes());
        last.insert(p, change);
        let moment = run.part_of(interval / 2);
        h.run(moment);
        longest = nodes.iter().map(|&p| h.node(p).gossip_queued()).max().unwrap_or(0).max(longest);
    }
    // Of each of five at most its status, and its address and profile.
    assert!((2..=10).contains(&longest), "{longest} queued");
    // Each change is told `limit` times, to several at each tick: that many ticks are ample.
    let ticks = h.config().retransmit_limit(5) as u32 + 3;
    let took = h.until(interval * ticks, |h| h.is_quiet()).expect("the queue drains");
    run.figure("P2: periods from the last of 300 changes until all queues are empty", in_periods(&h, took));
    // Whom the news has missed, the comparison of views finds.
    let repair = h.config().sync_patience + h.config().sync_backoff_max + h.periods(5);
    h.until(repair, |h| h.is_whole(5) && h.is_quiet()).expect("all agree");
    for _ in 0..20 {
        h.run(h.periods(1));
        assert!(h.is_quiet(), "and stays empty");
    }
    for &p in &nodes {
        let comes_or_goes =
            |e: &Event| is_down(e) || matches!(e, Event::MemberUp { .. } | Event::MemberForgotten { .. });
        assert_eq!(h.count_since(p, &mark, comes_or_goes), 0);
        for (&q, change) in &last {
            let row = h.view(p).member(h.id(q)).map(|m| m.profile().meta().to_vec());
            assert_eq!(row.as_deref(), Some(&change.to_le_bytes()[..]), "the last value wins");
        }
    }
}

/// A time in protocol periods.
pub(super) fn in_periods<H: Harness>(h: &H, d: Duration) -> f64 {
    d.as_secs_f64() / h.periods(1).as_secs_f64()
}

/// P3: everybody has just changed the largest profile there is, so that news fills every datagram many times over, and one
/// says goodbye. The goodbye waits behind nothing: it stands first in each farewell, the leave completes at once, and who
/// hears of it passes it on ahead of that other news, which is told all the same.
pub fn p3_a_leave_is_told_ahead_of_other_news<H: Inspect>(run: &mut Run) {
    const N: usize = 24;
    let mut config = H::base_config();
    config.mtu = Config::MTU_MIN;
    let (mut h, nodes) = run.cluster::<H>(config, N);
    let (leaver, mark) = (run.pick(&nodes), h.mark());
    let rest = others(&nodes, leaver);
    let (id, addr) = (h.id(leaver), h.addr(leaver));
    for (i, &p) in nodes.iter().enumerate() {
        h.set_meta(p, &[i as u8; Profile::MAX_META]);
    }
    h.run(h.config().gossip_interval * 5);
    // One such profile fits into a datagram.
    let queued = h.node(leaver).gossip_queued();
    assert!(queued >= 4, "only {queued} changes are queued");
    let firsts = h.tap_into(move |firsts: &mut Vec<Option<(NodeId, State)>>, sent| {
        if sent.from == addr {
            firsts.push(sent.parsed().updates().next().map(|item| (item.id, item.status.state())));
        }
    });
    h.leave(leaver);
    assert!(!h.is_running(leaver), "nothing keeps it");
    let farewells = firsts.take();
    assert_eq!(farewells, vec![Some((id, State::Left)); farewells.len()]);
    assert!(farewells.len() >= 8, "{} farewells", farewells.len());
    let left = |h: &mut H| rest.iter().all(|&p| h.sees(p, leaver) == Some(State::Left));
    let took = h.until(h.periods(30), left).expect("all know");
    run.figure("P3: periods until 23 know of a leave among 24 changed profiles", in_periods(&h, took));
    // As fast as news spreads where there is no other: a push to three per interval takes log_4 N + ln N / 3 of them.
    let rounds = took.as_secs_f64() / h.config().gossip_interval.as_secs_f64();
    assert!(rounds <= 2.0 * (N as f64).log2(), "{rounds} gossip intervals");
    assert!(rest.iter().any(|&p| h.node(p).gossip_queued() > 1), "the other news is still under way");
    h.until(h.periods(30), |h| h.is_quiet() && hashes_agree(h, &rest)).expect("and is told all the same");
    assert!(h.is_whole(N - 1));
    for &p in &rest {
        assert_eq!(h.count_since(p, &mark, is_down), 1);
    }
}

/// P5: one node gets hardly any processor: it stands still for one to three periods, again and again. The others suspect
/// it, several at a time; it refutes whenever it runs, and nobody is declared dead. It accuses nobody: what it did not hear
/// while it stood still is no evidence.
pub fn p5_a_starved_node_kills_nobody<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let (starved, mark) = (run.pick(&nodes), h.mark());
    for _ in 0..12 {
        h.pause(starved);
        let stop = h.periods(1) + run.part_of(h.periods(2));
        h.run(stop);
        h.resume(starved);
        let go = run.part_of(h.periods(1));
        h.run(go);
    }
    h.until(h.periods(20), |h| h.is_whole(5)).expect("all see all");
    h.run(h.periods(10));
    let id = h.id(starved);
    let mut suspicions = 0;
    for &p in &nodes {
        assert_eq!(h.count_since(p, &mark, is_down), 0, "{p:?} reports a death: {:?}", h.since(p, &mark));
        let of_others = |e: &Event| is_suspect(e) && e.member() != Some(id);
        assert_eq!(h.count_since(p, &mark, of_others), 0, "{p:?}: {:?}", h.since(p, &mark));
        suspicions += h.count_since(p, &mark, is_suspect);
    }
    run.figure("P5: suspicions of a node that stood still for 24 of 30 periods", suspicions as f64);
    assert!(h.is_whole(5));
}

/// Datagrams as they were sent: from, to, bytes.
pub(super) type Captured = Vec<(SocketAddr, SocketAddr, Vec<u8>)>;

/// The node at this address.
pub(super) fn peer_at<H: Harness>(h: &H, nodes: &[Peer], addr: SocketAddr) -> Peer {
    nodes.iter().copied().find(|&p| h.addr(p) == addr).expect("nodes write to nodes only")
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

/// P8: for ten periods every datagram also arrives with one to three bits flipped, and on one link only so. None of it is
/// taken: each is refused before the machine sees it, most by their checksum, and no row and no incarnation changes.
pub fn p8_flipped_bits_change_nothing<H: Inspect>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let before: Vec<u64> = nodes.iter().map(|&p| h.node(p).view_hash()).collect();
    let (a, mark) = (run.pick(&nodes), h.mark());
    let b = run.pick(&others(&nodes, a));
    h.cut(&[a], &[b], Way::To);
    let captured = h.tap_into(|all: &mut Captured, sent| all.push((sent.from, sent.to, sent.bytes.to_vec())));
    let mut damaged: BTreeMap<Peer, u64> = BTreeMap::new();
    for _ in 0..100 {
        h.run(h.periods(1) / 10);
        for (from, to, mut bytes) in captured.take() {
            let to = peer_at(&h, &nodes, to);
            let mut flipped = Vec::new();
            for _ in 0..=run.below(3) {
                let bit = run.below(bytes.len() * 8);
                // The same bit twice would be no damage.
                if !flipped.contains(&bit) {
                    bytes[bit / 8] ^= 1 << (bit % 8);
                    flipped.push(bit);
                }
            }
            h.deliver(to, from, &bytes);
            *damaged.entry(to).or_default() += 1;
        }
    }
    let mut by_checksum = 0;
    for (&p, &count) in &damaged {
        let stats = h.driver_stats(p);
        assert_eq!((stats.refused(), h.node(p).stats().dropped_malformed), (count, 0), "{p:?}");
        by_checksum += stats.refused_checksum;
    }
    let all: u64 = damaged.values().sum();
    assert!(all >= 80 && by_checksum * 2 >= all, "{by_checksum} of {all} refused by their checksum");
    for (&p, before) in nodes.iter().zip(before) {
        assert_eq!(h.node(p).view_hash(), before, "the same members at the same incarnations");
        assert_eq!(h.count_since(p, &mark, |e| is_down(e) || is_suspect(e)), 0, "relays bridge the one dead link");
    }
}

/// A config whose tombstones last for so many periods.
pub(super) fn short_tombstones<H: Harness>(periods: u32) -> Config {
    let mut config = H::base_config();
    config.tombstone_ttl = config.probe_interval * periods;
    config
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

/// P10: one node comes up with a clock decades ahead, and others are made to believe the same of a second one. Restarted
/// with its clock put right, each is back at once, past what was believed of it; no guard against far-off epochs keeps an
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
    // Hearsay of the same kind about another, from a member.
    let (id, addr, name) = (h.id(lied_about), h.addr(lied_about), h.spec(lied_about).name);
    let at = Incarnation::new(far, 3);
    let gossiper = nodes[0];
    let lie = [alive(id, at, detail(at, addr, &name))];
    let forged = frame(h.id(gossiper), h.node(gossiper).me().incarnation(), None, &lie);
    for p in others(&nodes[1..], lied_about) {
        h.forge(p, h.addr(gossiper), &forged);
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

/// P11: sixteen nodes, each with the longest name and the most metadata there can be, in the smallest datagrams, all start
/// at the same instant with one seed. Every datagram fits and parses, and all of them see all.
pub fn p11_the_largest_profiles_start_cold<H: Inspect>(run: &mut Run) {
    const N: usize = 16;
    let mut config = H::base_config();
    config.mtu = Config::MTU_MIN;
    let mut h: H = run.world_with(config);
    let longest = h.tap_into(|longest: &mut usize, sent| {
        sent.parsed();
        *longest = sent.bytes.len().max(*longest);
    });
    let name = |i: usize| format!("{i:0>0$}", Profile::MAX_NAME);
    let nodes: Vec<Peer> = (0..N).map(|i| h.spawn(Spec::named(name(i)).meta(&[i as u8; Profile::MAX_META]))).collect();
    let seed = run.pick(&nodes);
    for &p in &nodes {
        h.join_through(p, &[seed]);
    }
    let whole = |h: &mut H| h.all_see(N) && hashes_agree(h, &nodes);
    let took = h.until(h.periods(30), whole).expect("all see all");
    run.figure("P11: periods until 16 of the largest profiles, started at once, see all", in_periods(&h, took));
    h.until(h.periods(30), |h| h.is_quiet()).expect("and have told it");
    assert!(h.is_whole(N), "names and metadata included");
    let longest = *longest.get();
    assert!(
        (Profile::MAX_NAME + Profile::MAX_META..=Config::MTU_MIN).contains(&longest),
        "the longest datagram has {longest} bytes"
    );
    for &p in &nodes {
        assert_eq!(h.node(p).stats().dropped_malformed, 0);
        assert_eq!(h.count_since(p, &h.mark(), is_down), 0);
    }
}

/// P12: an observer stands still for many times the longest suspicion, while it holds somebody suspect who has long
/// refuted, and whose time is nearly over; it wakes to a slow network, and in half of the runs has missed all that was
/// sent to it. It convicts nobody before it has had the time to hear, and finds everybody where they are.
pub fn p12_an_observer_that_stood_still_convicts_nobody<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let victim = run.pick(&nodes);
    let observer = run.pick(&others(&nodes, victim));
    h.pause(victim);
    h.until(h.periods(30), |h| h.sees(observer, victim) == Some(State::Suspect)).expect("silence is suspicious");
    // Nobody convicts before the shortest time; with all accusers heard of, it is nearly that.
    let (shortest, _) = h.config().suspicion_bounds(5);
    h.run(shortest * 9 / 10);
    assert_eq!(h.sees(observer, victim), Some(State::Suspect));
    h.pause(observer);
    h.resume(victim);
    if run.below(2) == 0 {
        h.cut(&[observer], &others(&nodes, observer), Way::Both);
    }
    let long = h.periods(30) + run.part_of(h.periods(30));
    h.run(long);
    let (mark, id) = (h.mark(), h.id(observer));
    h.heal();
    // A round trip takes four fifths of a period.
    h.set_network(Link { delay: h.periods(1) * 2 / 5, ..Link::default() });
    h.resume(observer);
    let took = h.until(h.config().join_retry_max * 2, |h| h.is_whole(5)).expect("one cluster again");
    run.figure("P12: periods until all see all after an observer stood still for 30 to 60", in_periods(&h, took));
    h.run(h.periods(10));
    assert_eq!(h.count_since(observer, &mark, is_down), 0, "{:?}", h.since(observer, &mark));
    let others_die = |e: &Event| is_down(e) && e.member() != Some(id);
    for p in others(&nodes, observer) {
        assert_eq!(h.count_since(p, &mark, others_die), 0, "{p:?}");
    }
    assert!(h.is_whole(5));
}
