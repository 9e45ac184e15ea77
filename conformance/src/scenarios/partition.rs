//! Splits, seeds, and how a cluster forms and finds itself again. Scenarios B1 to B8.

use std::net::SocketAddr;
use std::time::Duration;

use swim_core::{Event, State};

use super::common::{in_periods, still_whole};
use crate::{Harness, Inspect, Peer, Run, Spec, Way, is_down, is_suspect};

/// Cuts the nodes into groups, none of which hears another.
fn cut_apart<H: Harness>(h: &mut H, groups: &[&[Peer]]) {
    for (i, these) in groups.iter().enumerate() {
        groups[i + 1..].iter().for_each(|those| h.cut(these, those, Way::Both));
    }
}

/// One cluster again within two minutes of one-second periods, without help, and it stays so: how many periods it took.
fn healed<H: Harness>(h: &mut H, n: usize) -> f64 {
    let took = h.until(h.periods(120), |h| h.is_whole(n)).expect("one cluster again");
    h.run(h.periods(60));
    assert!(h.is_whole(n), "and it stays so");
    took.as_secs_f64() / h.periods(1).as_secs_f64()
}

/// B1: two and three nodes, each cut off from all others for nine minutes. About sixty knocks an hour are what isolation
/// costs.
pub fn b1_isolated_nodes_come_back<H: Inspect>(run: &mut Run) {
    for (n, figure) in [
        (2, "N=2, each isolated for 540 periods: periods until whole"),
        (3, "N=3, each isolated for 540 periods: periods until whole"),
    ] {
        let (mut h, nodes) = run.cluster::<H>(H::base_config(), n);
        let groups: Vec<&[Peer]> = nodes.chunks(1).collect();
        cut_apart(&mut h, &groups);
        h.run(h.periods(300));
        assert!(nodes.iter().all(|&p| h.view(p).live_count() == 1), "everybody is alone");
        let before = h.sent_total().datagrams;
        h.run(h.periods(240));
        let per_hour = (h.sent_total().datagrams - before) as f64 / n as f64 * 15.0;
        assert!((30.0..=130.0).contains(&per_hour), "{per_hour} datagrams per node and hour");
        run.figure("datagrams per isolated node and 3600 periods", per_hour);
        h.heal();
        let took = healed(&mut h, n);
        run.figure(figure, took);
    }
}

/// B1: the only seed says goodbye, and comes back much later with no seed of its own: the others find it.
pub fn b1_a_seed_that_left_is_found_again<H: Inspect>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    h.run(h.periods(120));
    h.leave(nodes[0]);
    h.run(h.periods(1_200));
    h.restart_same(nodes[0]);
    let took = healed(&mut h, 5);
    run.figure("a seed back after 1200 periods: periods until whole", took);
}

/// B2: a list of seeds alone forms a cluster, in whatever order they start, though none of them is up at first.
pub fn b2_seeds_alone_form_a_cluster<H: Harness>(run: &mut Run) {
    let mut h: H = run.world();
    let nodes: Vec<Peer> = (0..5).map(|i| h.spawn(Spec::named(format!("n{i}")))).collect();
    nodes.iter().for_each(|&p| h.kill(p));
    for &p in &nodes {
        let wait = run.part_of(h.periods(5));
        h.run(wait);
        h.restart_same(p);
        h.join_through(p, &nodes);
    }
    let took = h.until(h.periods(120), |h| h.is_whole(5)).expect("one cluster");
    h.run(h.periods(20));
    still_whole(&mut h, 5);
    run.figure("N=5, seeds only: periods from the last start until whole", in_periods(&h, took));
}

/// B3: three and two, cut apart for longer than tombstones are kept, merge without help.
pub fn b3_a_long_split_merges<H: Inspect>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let (these, those) = nodes.split_at(3);
    cut_apart(&mut h, &[these, those]);
    let long = h.config().tombstone_ttl * 3 / 2;
    h.run(long);
    for (p, q) in [(these[0], those[0]), (those[0], these[0])] {
        assert_eq!(h.sees(p, q), None, "the other half is forgotten");
    }
    h.heal();
    let took = healed(&mut h, 5);
    run.figure("3|2, split for longer than tombstones: periods until whole", took);
}

/// B3: the same with more nodes, while the other half's tombstones are still there.
pub fn b3_halves_that_hold_each_other_dead<H: Inspect>(run: &mut Run) {
    let (mut h, nodes) = run.cluster::<H>(H::base_config(), 40);
    let (these, those) = nodes.split_at(15);
    cut_apart(&mut h, &[these, those]);
    h.run(h.periods(200));
    assert_eq!(h.sees(these[0], those[0]), Some(State::Dead));
    h.heal();
    let took = healed(&mut h, 40);
    run.figure("15|25, split for 200 periods: periods until whole", took);
}

/// B4: the seeds are down when a node boots and come up three hundred periods later: it joins within one retry interval.
pub fn b4_seeds_come_up_later<H: Inspect>(run: &mut Run) {
    let (mut h, node, seeds) = early_bird::<H>(run);
    for &p in &seeds {
        h.restart_same(p);
        h.join_through(p, &seeds);
    }
    let limit = h.config().join_retry_max;
    let took = h.until(limit, |h| told_joined(h, node)).expect("it joins within one retry interval");
    run.figure("seeds up after 300 periods: periods until joined", took.as_secs_f64() / h.periods(1).as_secs_f64());
    h.until(h.periods(10), |h| h.is_whole(4)).expect("and all know it");
}

/// B4: the same when the seeds come up at other addresses, and are no names that could be looked up again: told to join at
/// the new ones, the node does so at once. Seeds that are names are tested where there is a resolver.
pub fn b4_seeds_come_up_elsewhere<H: Inspect>(run: &mut Run) {
    let (mut h, node, seeds) = early_bird::<H>(run);
    let specs: Vec<Spec> = seeds.iter().map(|&p| h.spec(p)).collect();
    let moved: Vec<Peer> = specs.into_iter().map(|spec| h.spawn(spec)).collect();
    moved[1..].iter().for_each(|&p| h.join_through(p, &moved[..1]));
    let retry = h.config().join_retry_max;
    h.run(retry);
    assert!(!told_joined(&h, node) && h.view(node).live_count() == 1, "nobody is where it looks");
    h.join_through(node, &moved);
    h.until(h.periods(1), |h| told_joined(h, node)).expect("the new addresses are contacted at once");
    h.until(h.periods(10), |h| h.is_whole(4)).expect("and all know it");
}

/// A node that has tried for three hundred periods to join three seeds that are down.
fn early_bird<H: Inspect>(run: &mut Run) -> (H, Peer, Vec<Peer>) {
    let mut h: H = run.world();
    let seeds: Vec<Peer> = (0..3).map(|i| h.spawn(Spec::named(format!("seed{i}")))).collect();
    seeds.iter().for_each(|&p| h.kill(p));
    let node = h.spawn(Spec::named("early"));
    h.join_through(node, &seeds);
    let wait = h.periods(300) + run.part_of(h.periods(60));
    h.run(wait);
    assert!(h.sent(node).datagrams > 5, "it goes on trying");
    (h, node, seeds)
}

fn told_joined<H: Harness>(h: &H, p: Peer) -> bool {
    h.events(p).iter().any(|e| matches!(e, Event::Joined { .. }))
}

/// B5: every node is given the same list of seeds, itself in it: nobody ever sends anything to its own address.
pub fn b5_own_address_among_the_seeds<H: Inspect>(run: &mut Run) {
    let mut h: H = run.world();
    let to_self = h.tap_into::<(u64, u64)>(|count, s| {
        count.0 += 1;
        count.1 += u64::from(s.from == s.to);
    });
    let nodes: Vec<Peer> = (0..3).map(|i| h.spawn(Spec::named(format!("n{i}")))).collect();
    for &p in &nodes {
        h.join_through(p, &nodes);
        let wait = run.part_of(h.periods(1));
        h.run(wait);
    }
    h.until(h.periods(10), |h| h.is_whole(3)).expect("the list alone forms the cluster");
    h.run(h.periods(100));
    let (all, own) = *to_self.get();
    assert!(all > 500 && own == 0, "{own} of {all} datagrams to oneself");
}

/// B6: nothing passes from one node to another, while everything else does: the relays keep each of the two alive for the
/// other, and nobody suspects more often than once in the shortest suspicion.
///
/// There is no event for a way that is cut in one direction. While a relay answers in time there is no doubt to report; when
/// a probe does fail, the facts behind the suspicion say so: the relays that were asked, and what came of it
/// (`Node::why`, and `MemberView::evidence`).
pub fn b6_a_way_that_is_cut_in_one_direction<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let mut rest = nodes.to_vec();
    let (a, b) = (run.take(&mut rest), run.take(&mut rest));
    h.cut(&[a], &[b], Way::To);
    let mark = h.mark();
    let span = h.long(60);
    h.run(span);
    let (shortest, _) = h.config().suspicion_bounds(5);
    let windows = span.as_micros() / shortest.as_micros();
    for p in nodes {
        assert_eq!(h.count_since(p, &mark, is_down), 0, "{p:?} reports a death");
        let suspicions = h.count_since(p, &mark, is_suspect);
        assert!(suspicions as u128 <= windows, "{suspicions} suspicions in {windows} windows");
        assert_eq!(h.view(p).live_count(), 5);
    }
}

/// B6: it is the relays that do it: they are asked for every probe of the one by the other, and answer.
pub fn b6_the_relays_answer<H: Inspect>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let mut rest = nodes.to_vec();
    let (a, b) = (run.take(&mut rest), run.take(&mut rest));
    h.cut(&[a], &[b], Way::To);
    let before = *h.node(a).stats();
    h.run(h.periods(60));
    let after = *h.node(a).stats();
    let asked = after.ping_reqs_sent - before.ping_reqs_sent;
    // One probe in four is of the other, and asks three relays; the first and the last lap may be cut.
    assert!((3 * 12..=3 * 18).contains(&asked), "{asked} relays asked");
    assert_eq!(after.probes_failed, before.probes_failed, "and yet no probe fails");
}

/// B7: fifty of sixty die and stay away for hours: those that are left try them ever more rarely.
pub fn b7_contact_with_the_dead_decays<H: Inspect>(run: &mut Run) {
    let (mut h, nodes) = run.cluster::<H>(H::base_config(), 60);
    nodes[10..].iter().for_each(|&p| h.kill(p));
    h.run(h.periods(3_600));
    let knocks = |h: &H| nodes[..10].iter().map(|&p| h.node(p).stats().knocks).sum::<u64>();
    let before = knocks(&h);
    h.run(h.periods(6 * 3_600));
    let per_node_hour = (knocks(&h) - before) as f64 / 60.0;
    run.figure("50 dead for hours: attempts per node and 3600 periods", per_node_hour);
    assert!((40.0..=130.0).contains(&per_node_hour), "{per_node_hour}");
    assert_eq!(h.view(nodes[0]).live_count(), 10);
}

/// B8: a hundred nodes, one after the other, join two hundred through one of them that they ask three times in quick
/// succession: each knows all of them with a bounded number of questions.
pub fn b8_a_joiner_learns_of_all<H: Inspect>(run: &mut Run) {
    const N: usize = 200;
    let (mut h, nodes) = run.cluster::<H>(H::base_config(), N);
    let mut most = (0, Duration::ZERO);
    // Each is another draw of what the first one was; unoptimised, a hundred of them would take ten seconds.
    for i in 0..if cfg!(debug_assertions) { 25 } else { 100 } {
        let joiner = h.spawn(Spec::named(format!("joiner{i}")));
        let seeds: Vec<SocketAddr> = vec![h.addr(run.pick(&nodes))];
        (0..3).for_each(|_| h.join(joiner, &seeds));
        let knows = |h: &mut H| told_joined(h, joiner) && h.view(joiner).live_count() > N;
        let took = h.until(h.periods(1), knows).expect("it knows everybody");
        most = (most.0.max(h.sent(joiner).datagrams), most.1.max(took));
        // The next one finds two hundred again, and nobody who is still being told of.
        h.until(h.periods(10), |h| h.all_see(N + 1)).expect("all know it");
        h.leave(joiner);
        h.until(h.periods(10), |h| h.all_see(N)).expect("all know that it left");
    }
    run.figure("N=200: most datagrams a joiner sends until it knows all", most.0 as f64);
    run.figure("N=200: most periods until a joiner knows all", most.1.as_secs_f64() / h.periods(1).as_secs_f64());
    assert!(most.0 <= 40, "{} datagrams", most.0);
}
