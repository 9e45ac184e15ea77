//! How an update spreads that rides on pings and acks alone, section 4.1 of the paper.
//!
//! Periods are not synchronised, so the unit is a period of time and not a round. What our nodes have beyond the paper is
//! put off: the gossip tick, and the syncs that a disagreement leads to.

use std::time::Duration;

use swim_core::{Config, Event};

use super::super::real::{Cluster, micros_since};
use super::super::table::{Cell, Table};
use super::super::tally::Tally;
use super::{SwimArgs, pings_and_acks_alone};
use crate::latency::micros;
use crate::link::secs;

/// Periods until half of the members know, and until all do, by size.
const PUBLISHED: [(usize, f64, f64); 4] = [(56, 2.4, 3.8), (128, 2.9, 4.6), (1_000, 4.3, 6.4), (10_000, 5.3, 7.7)];

/// Longer than an update takes, so that no sync gets it on.
const SYNC_PATIENCE: Duration = secs(40);

pub(super) fn measure(args: &SwimArgs) -> Table {
    let title = "SWIM, dissemination by pings and acks alone, in periods (Das et al. 2002)";
    let mut table = Table::new(title.to_owned(), &["nodes", "trials", "half know", "all know"]);
    for n in args.sizes() {
        let period = micros(config().probe_interval);
        let (half, all) = spread(args, n);
        let published = PUBLISHED.iter().find(|(nodes, ..)| *nodes == n);
        table.row([
            Cell::Count(n as u64),
            Cell::Count(u64::from(args.trials())),
            half.cell(period, published.map(|p| p.1)),
            all.cell(period, published.map(|p| p.2)),
        ]);
    }
    table.note("mean ±standard error (computed for the paper's protocol)");
    table.note(
        "from the moment at which a member has news of its own, at random within its period; not synchronised, no loss",
    );
    table.note("half know: until the median of the others does; all know: until the last does");
    table.note(
        "real nodes, preset lan, but no gossip tick, no sync in that time, and the paper's budget of 3 ln(n+1) sends",
    );
    table
}

/// Without the syncs that a disagreement leads to, either.
fn config() -> Config {
    let mut config = pings_and_acks_alone();
    config.sync_patience = SYNC_PATIENCE;
    config
}

/// When half of the others know an update, and when all do, in microseconds.
fn spread(args: &SwimArgs, n: usize) -> (Tally, Tally) {
    let (mut half, mut all) = (Tally::default(), Tally::default());
    let mut c = Cluster::form(args.seed, &[args.table as u64, n as u64], n, config());
    // Only who has been told that views agree is patient when they do not.
    c.w.run(2 * SYNC_PATIENCE);
    for trial in 0..args.trials() {
        c.run_a_part_of(config().probe_interval);
        c.forget_events();
        let subject = c.any_but_the_first(1)[0];
        let id = c.w.id(subject);
        let learns = |event: &Event| matches!(event, Event::MemberUpdated { id: of } if *of == id);
        c.w.set_meta(subject, format!("update {trial}").as_bytes());
        let begin = c.w.now();
        let mut learned = loop {
            c.w.run(config().probe_interval);
            let learned: Vec<u64> = c.first_told(learns).map(|at| micros_since(at, begin)).collect();
            if learned.len() == n {
                break learned;
            }
        };
        learned.sort_unstable();
        // The first is the subject itself, at once.
        half.add(learned[n / 2]);
        all.add(learned[n - 1]);
        c.rest();
    }
    (half, all)
}
