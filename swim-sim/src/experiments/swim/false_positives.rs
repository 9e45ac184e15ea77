//! How often a probe of a healthy member fails, section 3.1 of the paper: a path fails when either of its legs does.
//!
//! With loss `p` and q = 1 - p, the direct ping and its ack come through with chance q², a relay's four datagrams with q⁴.
//! So with `k` relays a probe fails with (1-q²)(1-q⁴)^k: not with p^(2(k+1)), as is often said.
//!
//! The nodes of the presets ping the member itself once more when they ask relays, which makes that (1-q²)²(1-q⁴)^k; both
//! are measured.

use swim_core::Config;

use super::super::exact::power;
use super::super::real::Cluster;
use super::super::table::{Cell, Table};
use super::super::tally::Tally;
use super::SwimArgs;
use crate::link::percent;

/// Loss in percent, and relays.
const ROWS: [(u32, usize); 6] = [(10, 3), (10, 1), (5, 3), (5, 1), (1, 3), (1, 1)];

/// How often the member itself is pinged.
const DIRECT: [usize; 2] = [1, 2];

/// Where fewer failures are to be expected, nothing is measured.
const FAILURES_MIN: f64 = 10.0;

pub(super) fn measure(args: &SwimArgs) -> Table {
    let columns = ["nodes", "loss %", "k", "direct pings", "trials", "failed", "SWIM", "p^(2(k+1))"];
    let title = "SWIM, failed probes of healthy members (Das et al. 2002)";
    let mut table = Table::new(title.to_owned(), &columns);
    for n in args.sizes() {
        for (loss, k) in ROWS {
            for direct in DIRECT {
                let expected = chance(loss, direct, k);
                let worthwhile = expected * f64::from(args.trials()) >= FAILURES_MIN;
                let (probes, failed) = if worthwhile { probe(args, n, loss, direct, k) } else { (0, Tally::default()) };
                table.row([
                    Cell::Count(n as u64),
                    Cell::Count(u64::from(loss)),
                    Cell::Count(k as u64),
                    Cell::Count(direct as u64),
                    Cell::Count(probes),
                    if worthwhile { failed.cell(1, Some(expected)) } else { unmeasured(expected) },
                    Cell::computed(chance(loss, 1, k)),
                    Cell::computed(power(f64::from(loss) / 100.0, 2 * (k + 1))),
                ]);
            }
        }
    }
    table.note("share of probes that fail ±standard error (computed for as many direct pings)");
    table.note("a dash, and what is computed, where fewer than ten failures were to be expected: nothing was measured");
    table.note("real nodes, preset lan without local health; who is suspected refutes, and nobody dies");
    table.note("SWIM: (1-q²)(1-q⁴)^k with one direct ping, q = 1-p; our second one makes it (1-q²)²(1-q⁴)^k");
    table.note("p^(2(k+1)) is often given instead; it would take both legs of every path to be lost");
    table
}

fn chance(loss: u32, direct: usize, k: usize) -> f64 {
    let q = 1.0 - f64::from(loss) / 100.0;
    power(1.0 - power(q, 2), direct) * power(1.0 - power(q, 4), k)
}

/// As the others are written, a dash for what would be measured.
fn unmeasured(expected: f64) -> Cell {
    Cell::text(format_args!("- ({})", Cell::computed(expected)))
}

/// How many probes ended, and how each did.
fn probe(args: &SwimArgs, n: usize, loss: u32, direct: usize, k: usize) -> (u64, Tally) {
    let mut config = Config::lan("sim");
    config.indirect_probes = k;
    config.direct_probes = direct;
    // Longer periods would only mean fewer probes.
    config.health_max = 0;
    // A suspicion ends when it is refuted.
    config.suspicion_alpha_percent = 100_000;
    let period = config.probe_interval;
    let row = [args.table as u64, n as u64, u64::from(loss), k as u64, direct as u64];
    let mut c = Cluster::form(args.seed, &row, n, config);
    c.w.log_events = false;
    c.w.link.loss = percent(loss);
    let ended = |c: &Cluster| {
        let stats = c.nodes.iter().map(|&node| c.w.node(node).stats());
        stats.fold([0, 0], |[acked, failed], s| [acked + s.probes_acked, failed + s.probes_failed])
    };
    let before = ended(&c);
    c.w.run(period * args.trials().div_ceil(n as u32));
    let after = ended(&c);
    let [acked, failed] = [after[0] - before[0], after[1] - before[1]];
    let mut tally = Tally::default();
    tally.add_often(0, acked);
    tally.add_often(1, failed);
    (acked + failed, tally)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiments::SwimTable;

    #[test]
    fn what_is_not_measured_does_not_look_as_if_it_were() {
        let table = measure(&SwimArgs { trials: 1, sizes: vec![5], ..SwimArgs::of(SwimTable::FalsePositives) });
        assert!(table.rows.iter().all(|row| row[4] == Cell::Count(0)), "{table}");
        let failed: Vec<&Cell> = table.rows.iter().map(|row| &row[5]).collect();
        assert_eq!(failed[0], &Cell::text(format_args!("- ({})", Cell::computed(chance(10, 1, 3)))), "{table}");
        assert!(failed.iter().all(|cell| matches!(cell, Cell::Text(text) if text.starts_with("- ("))), "{table}");
    }

    #[test]
    fn the_chances_are_those_of_the_paper() {
        let published = [(10, 3, 7.7e-3), (10, 1, 6.5e-2), (5, 3, 6.2e-4), (1, 3, 1.2e-6)];
        for (loss, k, share) in published {
            let computed = chance(loss, 1, k);
            assert!((computed / share - 1.0).abs() < 0.02, "{computed} at {loss} %, k = {k}");
        }
    }
}
