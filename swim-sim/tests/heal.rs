//! Splits that outlast every suspicion and every tombstone: nobody helps from outside, and it is one cluster again.

mod util;

use swim_core::{Config, Event, State};
use swim_sim::{NodeIx, Way, World, millis, secs};
use util::*;

/// The nodes cut into groups, none of which hears another.
fn cut_apart(w: &mut World, groups: &[&[NodeIx]]) {
    for (i, a) in groups.iter().enumerate() {
        groups[i + 1..].iter().for_each(|b| w.cut(a, b, Way::Both));
    }
}

fn healed(w: &mut World, n: usize) -> f64 {
    let took = w.run_until(secs(120), |w| w.all_see(n) && w.all_agree()).expect("one cluster again within two minutes");
    w.run(secs(60));
    assert!(w.all_see(n) && w.all_agree(), "and it stays so");
    seconds(took)
}

/// Two and three nodes, each cut off from all others for nine minutes. Sixty knocks an hour is what isolation costs.
#[test]
fn b1_isolated_nodes_come_back() {
    let mut rates = Vec::new();
    for n in [2, 3] {
        let runs = over_seeds(30, |seed| {
            let (mut w, nodes) = cluster(seed, n, Config::lan("sim"));
            let groups: Vec<&[NodeIx]> = nodes.chunks(1).collect();
            cut_apart(&mut w, &groups);
            w.run(secs(300));
            assert!(nodes.iter().all(|&a| w.node(a).live_count() == 1), "everybody is alone");
            let before = w.sent_total().datagrams;
            w.run(secs(240));
            let per_hour = (w.sent_total().datagrams - before) as f64 / n as f64 * 15.0;
            assert!((30.0..=130.0).contains(&per_hour), "{per_hour} datagrams per node and hour");
            w.heal();
            (healed(&mut w, n), per_hour)
        });
        println!("N={n}, each isolated for 9 min: s until whole: {}", summary(runs.iter().map(|r| r.0)));
        rates.extend(runs.iter().map(|r| r.1));
    }
    println!("datagrams per isolated node and hour: {}", summary(rates));
}

/// A list of seeds alone forms a cluster, in whatever order they start, though none of them is up at first.
#[test]
fn b2_seeds_alone_form_a_cluster() {
    let times = over_seeds(30, |seed| {
        let mut w = World::with_config(seed, Config::lan("sim"));
        let nodes: Vec<NodeIx> = (0..5).map(|i| w.spawn(&format!("n{i}"))).collect();
        nodes.iter().for_each(|&n| w.kill(n));
        for &n in &nodes {
            w.run(millis(seed * 311 % 5_000));
            w.restart(n);
            w.join(n, &nodes);
        }
        healed(&mut w, 5)
    });
    println!("N=5, seeds only: s from the last start: {}", summary(times));
}

/// Three and two, cut apart for longer than tombstones are kept.
#[test]
fn b3_a_long_split_merges() {
    let times = over_seeds(30, |seed| {
        let (mut w, nodes) = cluster(seed, 5, Config::lan("sim"));
        let (a, b) = nodes.split_at(3);
        cut_apart(&mut w, &[a, b]);
        w.run(secs(900));
        assert!(w.sees(a[0], b[0]).is_none(), "the other half is forgotten");
        w.heal();
        healed(&mut w, 5)
    });
    println!("3|2, split for 15 min, tombstones kept for 10: s until whole: {}", summary(times));
}

/// The same while the other half's tombstones are still there, and with more nodes.
#[test]
fn b3_halves_that_hold_each_other_dead() {
    let times = over_seeds(4, |seed| {
        let (mut w, nodes) = cluster(seed, 40, Config::lan("sim"));
        let (a, b) = nodes.split_at(15);
        cut_apart(&mut w, &[a, b]);
        w.run(secs(200));
        assert_eq!(w.sees(a[0], b[0]), Some(State::Dead));
        w.heal();
        healed(&mut w, 40)
    });
    println!("15|25, split for 200 s: s until whole: {}", summary(times));
}

/// The only seed says goodbye, and comes back much later with no seed of its own: the others find it.
#[test]
fn b1_a_seed_that_left_is_found_again() {
    let times = over_seeds(20, |seed| {
        let (mut w, nodes) = cluster(seed, 5, Config::lan("sim"));
        w.run(secs(120));
        w.leave(nodes[0]);
        w.run(secs(1_200));
        w.restart(nodes[0]);
        healed(&mut w, 5)
    });
    println!("a seed back after 20 min: s until whole: {}", summary(times));
}

/// Fifty of sixty die and stay away for a day: those that are left try them ever more rarely.
#[test]
fn b7_contact_with_the_dead_decays() {
    let (mut w, nodes) = cluster(1, 60, Config::lan("sim"));
    nodes[10..].iter().for_each(|&n| w.kill(n));
    w.run(secs(3_600));
    let knocks = |w: &World| nodes[..10].iter().map(|&n| w.node(n).stats().knocks).sum::<u64>();
    let before = knocks(&w);
    w.run(secs(6 * 3_600));
    let per_node_hour = (knocks(&w) - before) as f64 / 60.0;
    println!("50 dead for hours: {per_node_hour:.1} attempts per node and hour");
    assert!((40.0..=130.0).contains(&per_node_hour));
    assert_eq!(w.node(nodes[0]).live_count(), 10);
}

/// Two processes with one id at two addresses, whatever their epochs: both are told, the one at the smaller address stays,
/// the other falls silent, and the cluster is quiet again.
#[test]
fn a3_two_processes_with_one_id() {
    over_seeds(50, |seed| {
        let (mut w, nodes) = five(seed);
        let start = w.now();
        let first = nodes[2];
        let second = w.spawn_with("n2", |setup| setup.epoch = Some([1, 2, 1_000][(seed % 3) as usize]));
        w.join(second, &[nodes[0]]);
        w.run_until(secs(60), |w| !w.is_running(second)).expect("the one at the greater address falls silent");
        w.run(secs(20));
        assert!(w.is_running(first));
        let told = |w: &World, n: NodeIx| -> Vec<bool> {
            let conflict = |e: &(swim_core::Instant, Event)| match e.1 {
                Event::Conflict { parked, .. } => Some(parked),
                _ => None,
            };
            since(w, n, start).filter_map(conflict).collect()
        };
        assert_eq!((told(&w, first), told(&w, second)), (vec![false], vec![true]));
        let id = w.id(first);
        let rest = [nodes[0], nodes[1], nodes[3], nodes[4]];
        for n in rest {
            assert_eq!(w.node(n).member(id).map(|m| (m.addr(), m.state())), Some((first.addr(), State::Alive)));
            assert!(since(&w, n, start).all(|(_, e)| !is_down(e)), "nobody is reported dead");
        }
        // As quiet as before: two datagrams per node and period.
        let before = w.sent_total().datagrams;
        w.run(secs(20));
        let rate = (w.sent_total().datagrams - before) as f64 / 100.0;
        assert!(rate <= 2.2, "{rate} datagrams per node and second");
    });
}

/// A2: a restart with an older epoch, its state lost: one answer tells it the known one, and it goes past it.
#[test]
fn a2_a_restart_with_an_older_epoch() {
    over_seeds(50, |seed| {
        let mut w = World::with_config(seed, Config::lan("sim"));
        let a = w.spawn("a");
        let b = w.spawn_with("b", |setup| setup.epoch = Some(10_000));
        w.join(b, &[a]);
        w.run_until(secs(10), |w| w.all_see(2)).expect("both see both");
        w.run(millis(3_000 + seed * 37));
        w.kill(b);
        let (start, before) = (w.now(), w.sent(b));
        w.restart_with(b, |setup| setup.epoch = Some(1));
        w.join(b, &[a]);
        w.run_until(secs(2), |w| w.all_see(2) && w.all_agree()).expect("back within one round trip and a little");
        assert_eq!(w.node(b).me().incarnation().epoch(), 10_001);
        assert!(w.sent(b).datagrams - before.datagrams <= 4, "at most four datagrams");
        w.run(secs(20));
        let restarts =
            since(&w, a, start).filter(|(_, e)| matches!(e, Event::MemberRestarted { .. } | Event::MemberUp { .. }));
        assert_eq!(restarts.count(), 1, "one rejoin");
        assert!(w.nodes().all(|n| since(&w, n, start).all(|(_, e)| !matches!(e, Event::Conflict { .. }))));
    });
}
