//! How many never learn an update that everybody who learns it sends a fixed number of times.
//!
//! This is what a send budget does: SWIM (Das, Gupta, Motivala, DSN 2002, section 4.1) passes an update on a number of
//! times that grows with ln N, and then forgets it. There is no feedback, so the order of sends does not matter: who
//! learns is who can be reached from the source over `F` random arrows per node, less those that are lost.
//!
//! If all `N` nodes sent, one of them would miss all `F N` sends with chance e^(-F(1-p)). But those who miss the update
//! do not send it, so the share `s` that misses satisfies s = e^(-F(1-p)(1-s)): the fixed point of Demers et al. 1987,
//! section 1.4, with `F(1-p)` for their k + 1.

use super::table::{Cell, Table};
use super::tally::Tally;
use super::{at_least_two, draws, other};
use crate::link::percent;
use crate::rng::Stream;

/// What to measure for a table of residues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResidueArgs {
    /// All draws come from this.
    pub seed: u64,
    /// How often every row is tried; none counts as one.
    pub trials: u32,
    /// The number of nodes; fewer than two count as two.
    pub nodes: u32,
    /// The budgets `F`, for each of which there are rows.
    pub budgets: Vec<u32>,
    /// The losses `p`, per million; [`percent`] writes them.
    pub losses: Vec<u32>,
}

impl Default for ResidueArgs {
    fn default() -> Self {
        Self {
            seed: 1,
            trials: 10_000,
            nodes: 1000,
            budgets: vec![2, 3, 4, 6, 8, 12, 16],
            losses: [0, 10, 25, 50].map(percent).to_vec(),
        }
    }
}

/// Who misses an update that everybody sends `F` times at loss `p`, for every budget and loss.
pub fn residue(args: &ResidueArgs) -> Table {
    let n = at_least_two(args.nodes);
    let columns = ["F", "loss %", "trials", "died out", "residue s", "e^(-F(1-p))", "somebody misses"];
    let mut table = Table::new(format!("Residue of a send budget: N = {n}"), &columns);
    let trials = args.trials.max(1);
    for &budget in &args.budgets {
        for loss in args.losses.iter().map(|&loss| loss.min(MILLION)) {
            let found = Found::of(trials, &mut Spread::new(args.seed, n, budget, loss));
            let p = f64::from(loss) / f64::from(MILLION);
            let reach = f64::from(budget) * (1.0 - p);
            // Where every update dies out, those that come far are no rule.
            let s = Some(fixed_point(reach)).filter(|_| reach > 1.0);
            table.row([
                Cell::Count(u64::from(budget)),
                Cell::text(p * 100.0),
                Cell::Count(u64::from(trials)),
                found.died.cell(1, Some(extinction(budget, p))),
                found.missed.cell(n as u64, s),
                Cell::computed((-reach).exp()),
                found.somebody.cell(1, s.map(|s| 1.0 - (-(n as f64) * s).exp())),
            ]);
        }
    }
    table.note("mean ±standard error (computed for many nodes)");
    table.note("died out: the update reached at most a tenth; computed as the end of the branching process");
    table.note("residue: share of nodes that miss an update which did not die out; computed as s = e^(-F(1-p)(1-s))");
    table.note("somebody misses: share of updates, of those that did not die out; computed as 1 - e^(-Ns)");
    table.note("±0: all trials came out alike");
    table.note(format!("seed {}", args.seed));
    table
}

const MILLION: u32 = 1_000_000;

/// The least solution of s = e^(-r(1-s)): what remains of an epidemic in which each infects `r` others on average.
fn fixed_point(r: f64) -> f64 {
    // Below that every epidemic ends early, and the iteration would take for ever to say so.
    if r <= 1.0 { 1.0 } else { iterate(|s| (-r * (1.0 - s)).exp()) }
}

/// The chance that all who ever learn the update lose all they send, in a population too large to meet twice.
fn extinction(budget: u32, p: f64) -> f64 {
    let all_in_vain = |x: f64| (0..budget).fold(1.0, |product, _| product * (p + (1.0 - p) * x));
    if f64::from(budget) * (1.0 - p) <= 1.0 { 1.0 } else { iterate(all_in_vain) }
}

/// From zero up to the least fixed point of a growing function.
fn iterate(f: impl Fn(f64) -> f64) -> f64 {
    (0..10_000).fold(0.0, |x, _| f(x))
}

#[derive(Default)]
struct Found {
    died: Tally,
    missed: Tally,
    somebody: Tally,
}

impl Found {
    fn of(trials: u32, spread: &mut Spread) -> Self {
        let mut found = Self::default();
        for _ in 0..trials {
            let missed = spread.run();
            let died = missed * 10 >= spread.knows.len() * 9;
            found.died.add(u64::from(died));
            if !died {
                found.missed.add(missed as u64);
                found.somebody.add(u64::from(missed > 0));
            }
        }
        found
    }
}

/// One update; the memory is used again for the next.
struct Spread {
    budget: u32,
    loss: u32,
    draws: Stream,
    knows: Vec<bool>,
    /// Who has learned it and not sent it yet.
    to_send: Vec<usize>,
}

impl Spread {
    fn new(seed: u64, n: usize, budget: u32, loss: u32) -> Self {
        let draws = draws(seed, &[n as u64, u64::from(budget), u64::from(loss)]);
        Self { budget, loss, draws, knows: vec![false; n], to_send: Vec::new() }
    }

    /// How many miss it.
    fn run(&mut self) -> usize {
        let n = self.knows.len();
        self.knows.fill(false);
        self.knows[0] = true;
        self.to_send.push(0);
        let mut missed = n - 1;
        while let Some(sender) = self.to_send.pop() {
            for _ in 0..self.budget {
                let target = other(&mut self.draws, n, sender);
                if !self.draws.chance(self.loss) && !std::mem::replace(&mut self.knows[target], true) {
                    missed -= 1;
                    self.to_send.push(target);
                }
            }
        }
        missed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fixed_points_are_those_of_the_paper() {
        // Demers et al. 1987, section 1.4: "at k = 1 this formula suggests that 20% will miss the rumor, while at k = 2
        // only 6% will miss it".
        let s = [2.0, 3.0, 4.0, 5.0, 6.0].map(fixed_point);
        let expected = [0.2032, 0.0595, 0.0198, 0.00698, 0.00252];
        assert!(s.iter().zip(expected).all(|(s, e)| (s / e - 1.0).abs() < 0.005), "{s:?}");
        assert_eq!([fixed_point(1.0), fixed_point(0.5)], [1.0, 1.0]);
    }

    #[test]
    fn an_update_dies_out_when_all_that_is_sent_is_lost() {
        assert_eq!([extinction(3, 0.0), extinction(1, 0.1), extinction(0, 0.0)], [0.0, 1.0, 1.0]);
        // Two sends at loss 1/4: x = (1/4 + 3x/4)², which is 9x² - 10x + 1 = 0, so x = 1/9.
        assert!((extinction(2, 0.25) - 1.0 / 9.0).abs() < 1e-12);
    }
}
