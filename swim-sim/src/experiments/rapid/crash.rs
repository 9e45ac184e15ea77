//! Ten in a thousand processes crash at one instant: when the others know of all ten, what sizes they see on the way, and
//! what it costs.

use swim_core::Config;

use super::super::real::Cluster;
use super::super::table::{Cell, Table};
use super::super::tally::Tally;
use super::{RapidArgs, Sizes, bytes};
use crate::latency::micros;
use crate::link::secs;

/// Kilobytes per second that a process of memberlist receives and sends, at the size for which that is published.
const MEMBERLIST: [f64; 2] = [0.54, 0.64];
const PUBLISHED_NODES: usize = 1_000;

pub(super) fn measure(args: &RapidArgs) -> Table {
    let columns =
        ["nodes", "crashed", "trials", "first knows, s", "all know, s", "sizes", "KB/s received", "KB/s sent"];
    let mut table = Table::new("Crash of one in a hundred at once (Suresh et al. 2018)".to_owned(), &columns);
    let n = args.nodes();
    let [mut first, mut all, mut sizes, mut received, mut sent]: [Tally; 5] = Default::default();
    for trial in 0..args.trials() {
        let crash = Crash::of(args, trial);
        first.add(crash.first);
        all.add(crash.all);
        sizes.add(crash.sizes);
        received.add(crash.rates[0]);
        sent.add(crash.rates[1]);
    }
    let published = |i: usize| (n == PUBLISHED_NODES).then_some(MEMBERLIST[i]);
    table.row([
        Cell::Count(n as u64),
        Cell::Count(args.faulty() as u64),
        Cell::Count(u64::from(args.trials())),
        first.cell(1_000_000, None),
        all.cell(1_000_000, None),
        sizes.cell(1, None),
        received.cell(1_000, published(0)),
        sent.cell(1_000, published(1)),
    ]);
    table.note("mean ±standard error (published for memberlist)");
    table.note(
        "first knows, all know: from the crash until some process, and until all others, hold all of them for dead",
    );
    table.note(
        "sizes: different numbers of members that a process saw from the crash on, looking at all of them each second",
    );
    table.note(
        "KB/s: per process, with the headers of IPv4 and UDP, from the crash until all know; with nothing to tell it is 0.14",
    );
    table.note(
        "over which time the published KB/s are means is not known here; over the detection alone, at 1000 nodes, ours are about three \
         times as much",
    );
    table
}

struct Crash {
    first: u64,
    all: u64,
    sizes: u64,
    /// Bytes per second and process, received and sent.
    rates: [u64; 2],
}

impl Crash {
    fn of(args: &RapidArgs, trial: u32) -> Self {
        let n = args.nodes();
        let mut c = Cluster::form(args.seed, &[args.table as u64, n as u64, u64::from(trial)], n, Config::lan("sim"));
        c.w.log_events = false;
        c.run_a_part_of(secs(1));
        let alive = n - args.faulty();
        let begin = c.w.now();
        let (before, mut sizes) = (bytes(&c.w), Sizes::of(n));
        c.w.mass_kill(&c.nodes[alive..]);
        let mut first = None;
        while !c.w.all_see(alive) {
            c.w.run_until(secs(1), |w| {
                let knows = || w.nodes().any(|node| w.is_running(node) && w.node(node).live_count() == alive);
                if first.is_none() && knows() {
                    first = Some(micros(w.now().since(begin)));
                }
                w.all_see(alive)
            });
            sizes.look(&c.w);
            assert!(c.w.now().since(begin) < secs(3_600), "a crash of {} in {n} is not noticed", args.faulty());
        }
        let all = micros(c.w.now().since(begin));
        let rate = |i: usize| {
            let bytes = u128::from(bytes(&c.w)[i] - before[i]);
            (bytes * 1_000_000 / (u128::from(all) * alive as u128)) as u64
        };
        Self { first: first.unwrap_or(all), all, sizes: sizes.distinct(), rates: [rate(0), rate(1)] }
    }
}
