//! What is told, how often and at what size: P2, P3, P8, P11, P13, P20, P21.

use std::collections::BTreeMap;
use std::time::Duration;

use swim_core::{Config, Event, NodeId, Profile, State};

use super::common::*;
use crate::{Inspect, Link, Peer, Run, Spec, Way, is_down, is_suspect};

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
    // What was set within a second of another change is told when that is over.
    h.run(Duration::from_secs(1));
    // Each change is told `limit` times, to several at each tick: that many ticks are ample.
    let ticks = h.config().retransmit_limit(5) as u32 + 3;
    let took = h.until(interval * ticks, |h| h.is_quiet()).expect("the queue drains");
    run.figure(
        "P2: periods from a second after the last of 300 changes until all queues are empty",
        in_periods(&h, took),
    );
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

/// P11: a name or metadata one byte longer than the longest is refused when it is set. Sixteen nodes, each with the longest
/// of both, in the smallest datagrams, all start at the same instant with one seed. Every datagram fits and parses, and all
/// of them see all.
pub fn p11_the_largest_profiles_start_cold<H: Inspect>(run: &mut Run) {
    const N: usize = 16;
    let (longest_name, most_meta) = ("x".repeat(Profile::MAX_NAME), [0; Profile::MAX_META]);
    assert!(Profile::new(&longest_name, &most_meta).is_ok());
    assert!(Profile::new(&format!("{longest_name}x"), b"").is_err(), "a longer name");
    assert!(Profile::new("x", &[0; Profile::MAX_META + 1]).is_err(), "more metadata");
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

/// P20: two halves that hold each other dead are joined again. What they tell each other is bounded by what has changed:
/// each row a few times by each node. Then it is quiet, and stays so; nobody tells anew what all have heard.
pub fn p20_after_a_heal_traffic_settles<H: Inspect>(run: &mut Run) {
    const N: usize = 10;
    let (mut h, nodes) = run.cluster::<H>(H::base_config(), N);
    h.cut(&nodes[..5], &nodes[5..], Way::Both);
    let (_, longest) = h.config().suspicion_bounds(N);
    let apart = |h: &mut H| h.all_see(5) && h.is_quiet();
    // Whose probes fail probes more slowly, so all are probed in up to twice 2N-1 periods.
    h.until(h.periods(2 * (2 * N as u32 - 1)) + longest, apart).expect("each half holds the other dead");
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
