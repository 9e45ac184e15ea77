//! What the stop policies leave over when nothing but gossip ticks carries a rumor, beside Demers et al. 1987.
//!
//! Differs from the paper: nodes tick each at its own time, and one that has not ticked for an interval ticks at once when
//! it hears of something, so a cycle of one is not a cycle of the next, and a rumor gets on by more than one hop in it. A
//! receiver says whether it knew the rumor when the copy came, not at the start of a cycle; and its answer is a datagram,
//! which comes before the sender's next tick.

use std::time::Duration;

use swim_core::{Config, Event, StopPolicy};

use super::super::demers::Rumor;
use super::super::published;
use super::super::real::{Cluster, micros_since};
use super::super::table::{Cell, Table};
use super::super::tally::Tally;
use super::super::{draws, state};
use super::{RumorsArgs, broadcast, config, copies, nobody_tells};
use crate::latency::micros;
use crate::link::{millis, secs};
use crate::world::World;

/// So seldom are members probed: a rumor is over long before a hundredth of them is.
const PROBE_INTERVAL: Duration = secs(4_000);

#[derive(Default)]
struct Sums {
    missed: Tally,
    sent: Tally,
    mean_delay: Tally,
    last: Tally,
}

pub(super) fn measure(args: &RumorsArgs) -> Table {
    let columns = ["policy", "k", "nodes", "trials", "residue s", "traffic m", "t_ave", "t_last"];
    let mut table =
        Table::new("Stop policies of rumors by gossip ticks alone (Demers et al. 1987)".to_owned(), &columns);
    for n in args.sizes() {
        let counters = args.ks.iter().map(|&k| (StopPolicy::Counter(k.max(1)), Some(Rumor::PushCounter), k.max(1)));
        let coins = args.ks.iter().map(|&k| (StopPolicy::Coin(k.max(1)), Some(Rumor::PushCoin), k.max(1)));
        let budgets = args.lambdas.iter().map(|&percent| (StopPolicy::Budget(percent), None, percent));
        for (policy, paper, k) in counters.chain(coins).chain(budgets) {
            row(&mut table, args, n, policy, paper, k);
        }
    }
    table.note("mean ±standard error (published, for 1000 nodes and synchronous cycles); a cycle is a gossip interval");
    table
        .note("s: share of nodes that never hear of it; m: copies per node; delays in cycles, of those who hear of it");
    table.note(format!(
        "real nodes, preset lan, but fan-out 1, a probe each {} s and syncs no sooner; no loss",
        PROBE_INTERVAL.as_secs()
    ));
    table.note("differs: nodes tick at their own times, and at once when they hear of something after a pause");
    table.note("differs: a copy is useless if the rumor was known when it came, not at the start of the cycle");
    table.note("a budget of λ ends after λ ln(n+1) copies, sooner when as many others have shown to know all");
    table
}

fn row(table: &mut Table, args: &RumorsArgs, n: usize, policy: StopPolicy, paper: Option<Rumor>, k: u32) {
    let trials = args.trials(n);
    let sums = measure_policy(args, n, policy, trials);
    let published =
        paper.and_then(|rumor| published::demers(rumor, k)).filter(|_| n == published::DEMERS_NODES as usize);
    let cycle = micros(config().gossip_interval);
    let (name, k) = match policy {
        StopPolicy::Counter(k) => ("counter", Cell::Count(k.into())),
        StopPolicy::Coin(k) => ("coin", Cell::Count(k.into())),
        _ => ("budget", Cell::text(format_args!("λ = {}.{:02}", k / 100, k % 100))),
    };
    table.row([
        Cell::text(name),
        k,
        Cell::Count(n as u64),
        Cell::Count(trials.into()),
        sums.missed.cell(n as u64, published.map(|p| p.s)),
        sums.sent.cell(n as u64, published.map(|p| p.m)),
        sums.mean_delay.cell(cycle * 1_000, published.and_then(|p| p.t_ave)),
        sums.last.cell(cycle, published.map(|p| p.t_last)),
    ]);
}

fn measure_policy(args: &RumorsArgs, n: usize, policy: StopPolicy, trials: u32) -> Sums {
    let config = by_ticks_alone(policy);
    let (kind, k) = match policy {
        StopPolicy::Counter(k) => (1, k),
        StopPolicy::Coin(k) => (2, k),
        StopPolicy::Budget(percent) => (3, percent),
        _ => (4, 0),
    };
    let mut c = acquainted(args, &[args.table as u64, n as u64, kind, k.into()], n, config);
    let mut sums = Sums::default();
    for _ in 0..trials {
        heal(&mut c);
        let before = copies(&c);
        let (_, id) = broadcast(&mut c);
        let begin = c.w.now();
        for _ in 0..2 {
            while !nobody_tells(&c) {
                c.w.run(millis(200));
            }
            c.w.run(millis(200));
        }
        let is = move |event: &Event| matches!(event, Event::Rumor { id: of } if *of == id);
        let delays: Vec<u64> = c.first_told(is).map(|at| micros_since(at, begin)).collect();
        sums.missed.add((n - delays.len()) as u64);
        sums.sent.add(copies(&c) - before);
        sums.mean_delay.add(delays.iter().sum::<u64>() * 1_000 / delays.len() as u64);
        sums.last.add(delays.into_iter().max().unwrap_or(0));
    }
    sums
}

/// Whoever missed the rumor before hears of it by probes, and tells it to those who know it, until nobody does.
fn heal(c: &mut Cluster) {
    let begin = c.w.now();
    while !(state::all_hold_the_same(&c.w) && nobody_tells(c)) {
        c.w.run(PROBE_INTERVAL / 8);
        assert!(c.w.now().since(begin) < c.w.node(c.nodes[0]).config().rumor_ttl, "a rumor gets to all");
    }
}

fn by_ticks_alone(policy: StopPolicy) -> Config {
    let mut config = config();
    (config.rumor_stop, config.gossip_fanout) = (policy, 1);
    (config.probe_interval, config.probe_timeout) = (PROBE_INTERVAL, PROBE_INTERVAL / 2);
    // Known for as long as it takes until the probes of all have shown it to those who lack it.
    config.sync_patience = PROBE_INTERVAL;
    config.sync_backoff_max = 8 * PROBE_INTERVAL;
    (config.rumor_ttl, config.tombstone_ttl) = (100 * PROBE_INTERVAL, 100 * PROBE_INTERVAL);
    config
}

/// A cluster at rest. It would take long to form one by joins where nobody probes.
fn acquainted(args: &RumorsArgs, row: &[u64], n: usize, config: Config) -> Cluster {
    let mut draws = draws(args.seed, row);
    let mut w = World::with_config(draws.next_u64(), config);
    w.log_events = false;
    let mut nodes = Vec::with_capacity(n);
    for i in 0..n {
        nodes.push(w.spawn(&format!("n{i}")));
        w.run(millis(1));
    }
    w.acquaint(&nodes);
    let mut c = Cluster { w, nodes, draws };
    c.rest();
    c.w.log_events = true;
    c
}
