//! One cluster, one run: blocked again and again, or with members that crash.

use std::time::Duration;

use swim_core::{Config, Event, Instant, NodeId};

use super::super::draws;
use super::LifeguardArgs;
use super::found::{Outcome, Trial};
use crate::rng::Stream;
use crate::{NodeIx, World, millis, secs};

/// How long members are blocked again and again.
const SPAN: Duration = secs(120);
/// What was held to the end still has its effect.
const AFTERMATH: Duration = secs(5);
/// Crashes per trial, one after the other.
const CRASHES: usize = 10;

/// What is done to a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Run {
    /// So many members are blocked for so many milliseconds, and then free for so many.
    Anomaly { c: u32, d: u32, i: u32 },
    /// Members crash.
    Crashes,
}

pub(super) fn nodes(args: &LifeguardArgs) -> usize {
    args.nodes.max(8) as usize
}

/// One run. Its draws hang on trial and cell, not on the configuration, so that configurations are compared on the same
/// clusters and victims.
pub(super) fn measure(args: &LifeguardArgs, config: &Config, trial: u32, run: Run) -> Outcome {
    let row = match run {
        Run::Anomaly { c, d, i } => [u64::from(trial), u64::from(c), u64::from(d), u64::from(i)],
        Run::Crashes => [u64::from(trial), 0, 0, 0],
    };
    let mut draws = draws(args.seed, &row);
    let w = cluster(nodes(args), config, &mut draws);
    match run {
        Run::Anomaly { c, d, i } => {
            let cycle = (Duration::from_millis(u64::from(d)), Duration::from_millis(u64::from(i).max(1)));
            Outcome::Anomaly(block_again_and_again(w, c as usize, cycle, args, draws))
        }
        Run::Crashes => Outcome::Crashes(crash_one_by_one(w, draws)),
    }
}

/// All see all, and have nothing more to tell.
fn cluster(n: usize, config: &Config, draws: &mut Stream) -> World {
    let mut w = World::with_config(draws.next_u64(), config.clone());
    for i in 0..n {
        let node = w.spawn(&format!("n{i}"));
        if i > 0 {
            w.join(node, &[NodeIx::FIRST]);
        }
        w.run(millis(8));
    }
    w.run_until(secs(120), |w| w.all_see(n) && w.is_at_rest()).expect("a calm cluster forms");
    // Periods of all nodes are at any phase, and so is the beginning of what follows.
    w.run(Duration::from_micros(draws.within(0, 999_999)));
    w
}

fn block_again_and_again(
    mut w: World,
    c: usize,
    (blocked, free): (Duration, Duration),
    args: &LifeguardArgs,
    mut draws: Stream,
) -> Trial {
    let all: Vec<NodeIx> = w.nodes().collect();
    let anomalous = some_of(&all, c.min(all.len() / 2), &mut draws);
    let (start, before) = (w.now(), w.sent_total());
    for &node in &anomalous {
        w.set_slow_reader(node, Duration::from_micros(u64::from(args.read_micros)));
    }
    while w.now().since(start) < SPAN {
        anomalous.iter().for_each(|&node| w.block(node));
        w.run(blocked);
        anomalous.iter().for_each(|&node| w.unblock(node));
        w.run(free);
    }
    w.run(AFTERMATH);
    let sent = w.sent_total();
    let ids: Vec<NodeId> = anomalous.iter().map(|&node| w.id(node)).collect();
    let mut trial =
        Trial { datagrams: sent.datagrams - before.datagrams, bytes: sent.bytes - before.bytes, ..Trial::default() };
    for node in w.nodes() {
        let false_positives = deaths(&w, node, start).filter(|(_, id)| !ids.contains(id)).count() as u64;
        trial.fp += false_positives;
        trial.fp_healthy += if anomalous.contains(&node) { 0 } else { false_positives };
    }
    trial
}

/// For each crash: microseconds until the first other member, and until all, declared it.
fn crash_one_by_one(mut w: World, mut draws: Stream) -> Vec<(u64, u64)> {
    let all: Vec<NodeIx> = w.nodes().collect();
    let victims = some_of(&all, CRASHES.min(all.len() / 2), &mut draws);
    let crash = |(gone, victim): (usize, NodeIx)| {
        w.run(Duration::from_micros(draws.within(0, 999_999)));
        let (at, id) = (w.now(), w.id(victim));
        w.kill(victim);
        let left = all.len() - gone - 1;
        w.run_until(secs(600), |w| w.all_see(left)).expect("a crash is noticed by all");
        let running = all.iter().filter(|&&node| w.is_running(node));
        let times: Vec<u64> = running
            .filter_map(|&node| deaths(&w, node, at).find(|death| death.1 == id))
            .map(|(when, _)| when.since(at).as_micros() as u64)
            .collect();
        let first = times.iter().copied().min().unwrap_or(u64::MAX);
        (first, times.iter().copied().max().unwrap_or(u64::MAX))
    };
    victims.into_iter().enumerate().map(crash).collect()
}

/// Whom a node has declared failed since then, and when.
fn deaths(w: &World, node: NodeIx, since: Instant) -> impl Iterator<Item = (Instant, NodeId)> {
    w.events(node).iter().filter(move |(at, _)| *at >= since).filter_map(|&(at, event)| match event {
        Event::MemberDown { id, left: false, .. } => Some((at, id)),
        _ => None,
    })
}

/// So many of these, each as likely as any other.
fn some_of(all: &[NodeIx], many: usize, draws: &mut Stream) -> Vec<NodeIx> {
    let mut pool = all.to_vec();
    (0..many).map(|_| pool.swap_remove(draws.within(0, pool.len() as u64 - 1) as usize)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_of_some_has_nobody_twice() {
        let all: Vec<NodeIx> = (0..20).map(NodeIx::new).collect();
        let mut some = some_of(&all, 20, &mut draws(1, &[]));
        some.sort_unstable();
        assert_eq!(some, all);
    }
}
