//! How long a rumor takes to all, with the sync behind it; and how often it would not get to all without.
//!
//! Whether the copies alone reach everybody is measured in a cluster of its own, whose nodes are too patient for a sync, or
//! for what probes show, to come in before nobody tells the rumor any more.

use std::time::Duration;

use swim_core::{Config, Event, RumorId};

use super::super::real::{Cluster, micros_since};
use super::super::state::come_to_rest;
use super::super::table::{Cell, Table};
use super::super::tally::{Tally, rank};
use super::{RumorsArgs, broadcast, config, copies, nobody_tells};
use crate::latency::micros;

/// Percent, and shares of nodes, are added up in millionths.
const MILLION: u64 = 1_000_000;

#[derive(Default)]
struct Found {
    /// Until all have it, in microseconds; of those trials in which all got it.
    took: Vec<u64>,
    copies: Tally,
    missed: u64,
    twice: u64,
}

pub(super) fn measure(args: &RumorsArgs) -> Table {
    let columns = [
        "nodes",
        "loss %",
        "trials",
        "all have it",
        "median",
        "p99",
        "max",
        "copies per node",
        "% left over by copies",
        "missed",
        "twice",
    ];
    let title = "A rumor, from its broadcast until all have it, in gossip intervals of 200 ms";
    let mut table = Table::new(title.to_owned(), &columns);
    for n in args.sizes() {
        for &loss in &args.losses {
            let trials = args.trials(n);
            let mut found = with_syncs(args, n, loss, trials);
            let left_over = copies_alone(args, n, loss, trials);
            let interval = micros(config().gossip_interval);
            let mut took = Tally::default();
            found.took.iter().for_each(|&micros| took.add(micros));
            let intervals = |micros: u64| Cell::computed(micros as f64 / interval as f64);
            table.row([
                Cell::Count(n as u64),
                Cell::computed(f64::from(loss) / 10_000.0),
                Cell::Count(u64::from(trials)),
                took.cell(interval, None),
                intervals(rank(&mut found.took, 50)),
                intervals(rank(&mut found.took, 99)),
                intervals(rank(&mut found.took, 100)),
                found.copies.cell(n as u64, None),
                left_over.cell(MILLION / 100, None),
                Cell::Count(found.missed),
                Cell::Count(found.twice),
            ]);
        }
    }
    table
        .note("mean ±standard error; real nodes, preset lan; datagrams are lost from a moment before the broadcast on");
    table.note("copies per node: told, and in answers to those who missed it");
    table.note(
        "left over: share of trials in which somebody lacks it when nobody tells it any more, where syncs wait longer",
    );
    table.note(
        "missed, twice: nodes without it after rumor_ttl (60 s), and deliveries beyond the first, over all trials",
    );
    table
}

/// The preset as it is.
fn with_syncs(args: &RumorsArgs, n: usize, loss: u32, trials: u32) -> Found {
    let mut c = Cluster::form(args.seed, &[args.table as u64, n as u64, loss.into(), 0], n, config());
    let mut found = Found::default();
    for _ in 0..trials {
        come_to_rest(&mut c);
        c.w.link.loss = loss;
        let before = copies(&c);
        let (_, id) = broadcast(&mut c);
        let begin = c.w.now();
        while !(deliveries(&c, id) >= n && nobody_tells(&c)) && c.w.now().since(begin) < config().rumor_ttl {
            c.w.run(config().gossip_interval);
        }
        c.w.link.loss = 0;
        found.copies.add(copies(&c) - before);
        let first: Vec<u64> = c.first_told(move |event| is(event, id)).map(|at| micros_since(at, begin)).collect();
        found.missed += (n - first.len()) as u64;
        found.twice += (deliveries(&c, id) - first.len()) as u64;
        if first.len() == n {
            found.took.extend(first.iter().max());
        }
    }
    found
}

/// In how many trials, in millionths, somebody lacks the rumor when nobody tells it any more.
fn copies_alone(args: &RumorsArgs, n: usize, loss: u32, trials: u32) -> Tally {
    let mut c = Cluster::form(args.seed, &[args.table as u64, n as u64, loss.into(), 1], n, patient());
    let mut left_over = Tally::default();
    for _ in 0..trials {
        come_to_rest(&mut c);
        c.w.link.loss = loss;
        let (_, id) = broadcast(&mut c);
        let begin = c.w.now();
        // Twice, because between the last who tells it and the first who has just heard it there is a datagram.
        for _ in 0..2 {
            while !nobody_tells(&c) {
                c.w.run(config().gossip_interval);
            }
            c.w.run(config().gossip_interval);
        }
        let all_told = c.w.now().since(begin) < patient().sync_patience / 2;
        assert!(all_told, "a rumor is told for so long that what is behind it has come in");
        left_over.add(if deliveries(&c, id) < n { MILLION } else { 0 });
        c.w.link.loss = 0;
    }
    left_over
}

/// What stands behind rumors comes half of a `sync_patience` after them at the earliest.
fn patient() -> Config {
    let mut config = config();
    config.sync_patience = Duration::from_secs(60);
    config
}

fn is(event: &Event, rumor: RumorId) -> bool {
    matches!(event, Event::Rumor { id } if *id == rumor)
}

fn deliveries(c: &Cluster, rumor: RumorId) -> usize {
    c.nodes.iter().map(|&node| c.w.events(node).iter().filter(|(_, event)| is(event, rumor)).count()).sum()
}
