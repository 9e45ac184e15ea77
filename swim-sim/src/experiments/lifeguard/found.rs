//! What the runs of one configuration add up to.

use swim_core::Instant;

use super::super::table::Cell;
use super::super::tally::Tally;

/// What one run gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Outcome {
    Anomaly(Trial),
    /// For each crash: microseconds until the first other member, and until all, declared it.
    Crashes(Vec<(u64, u64)>),
}

/// What one run of the grid, or of a cell, counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Trial {
    pub(in super::super) fp: u64,
    pub(in super::super) fp_healthy: u64,
    pub(in super::super) datagrams: u64,
    pub(in super::super) bytes: u64,
}

/// What was found of one configuration.
#[derive(Clone, Debug)]
pub(in super::super) struct Found {
    by_trial: Vec<Trial>,
    /// For each trial the medians of its crashes need all of them.
    crashes: Vec<Vec<(u64, u64)>>,
}

impl Found {
    pub(super) fn new(trials: usize) -> Self {
        Self { by_trial: vec![Trial::default(); trials], crashes: vec![Vec::new(); trials] }
    }

    pub(super) fn add(&mut self, trial: usize, outcome: Outcome) {
        match outcome {
            Outcome::Anomaly(cell) => {
                let sum = &mut self.by_trial[trial];
                sum.fp += cell.fp;
                sum.fp_healthy += cell.fp_healthy;
                sum.datagrams += cell.datagrams;
                sum.bytes += cell.bytes;
            }
            Outcome::Crashes(crashes) => self.crashes[trial].extend(crashes),
        }
    }

    pub(super) fn trials(&self) -> usize {
        self.by_trial.len()
    }

    pub(super) fn crashes(&self) -> usize {
        self.crashes.iter().map(Vec::len).sum()
    }

    /// The sum over all trials.
    pub(in super::super) fn total(&self, what: impl Fn(&Trial) -> u64) -> u64 {
        self.by_trial.iter().map(what).sum()
    }

    pub(super) fn mean(&self, what: impl Fn(&Trial) -> u64) -> Cell {
        let mut tally = Tally::default();
        self.by_trial.iter().for_each(|trial| tally.add(what(trial)));
        tally.cell(1, None)
    }

    /// Seconds until somebody knew, in so many percent of all crashes.
    pub(super) fn first(&self, percent: usize) -> f64 {
        percentile(self.crashes.iter().flatten().map(|c| c.0), percent)
    }

    /// Seconds until all knew.
    pub(in super::super) fn all(&self, percent: usize) -> f64 {
        percentile(self.crashes.iter().flatten().map(|c| c.1), percent)
    }

    /// The median time until all knew, as a share of another configuration's; its error from the medians of the trials.
    pub(super) fn all_share(&self, of: &Self) -> Share {
        let median = |crashes: &Vec<(u64, u64)>| percentile(crashes.iter().map(|c| c.1), 50);
        let pairs = self.crashes.iter().zip(&of.crashes).map(|(a, b)| (median(a), median(b)));
        Share { percent: Some(100.0 * self.all(50) / of.all(50)), standard_error: error_of_ratio(pairs) }
    }
}

/// The nearest rank, in seconds.
fn percentile(micros: impl Iterator<Item = u64>, percent: usize) -> f64 {
    let mut sorted: Vec<u64> = micros.collect();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(rank).map_or(f64::NAN, |&at| Instant::from_micros(at).as_micros() as f64 / 1e6)
}

/// A share in percent; of nothing there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) struct Share {
    pub(in super::super) percent: Option<f64>,
    standard_error: Option<f64>,
}

impl Share {
    /// What `part` has, as a share of what `whole` has. Trials are pairs: both ran with the same draws.
    pub(in super::super) fn of(part: &Found, whole: &Found, what: impl Fn(&Trial) -> u64) -> Self {
        let (a, b) = (part.total(&what), whole.total(&what));
        let pairs = part.by_trial.iter().zip(&whole.by_trial).map(|(a, b)| (what(a) as f64, what(b) as f64));
        Self {
            percent: (b > 0).then(|| 100.0 * a as f64 / b as f64),
            standard_error: if b > 0 { error_of_ratio(pairs) } else { None },
        }
    }

    pub(super) fn cell(self, published: Option<f64>) -> Cell {
        match self.percent {
            Some(percent) => Cell::measured(percent, self.standard_error, published),
            None => Cell::nothing(),
        }
    }
}

/// The standard error of a ratio of two sums, in percent, as sampling theory has it to first order.
fn error_of_ratio(pairs: impl Iterator<Item = (f64, f64)>) -> Option<f64> {
    let pairs: Vec<(f64, f64)> = pairs.collect();
    let n = pairs.len() as f64;
    let (a, b) = pairs.iter().fold((0.0, 0.0), |(a, b), pair| (a + pair.0, b + pair.1));
    if pairs.len() < 2 || b == 0.0 {
        return None;
    }
    let squares: f64 = pairs.iter().map(|pair| (pair.0 - a / b * pair.1) * (pair.0 - a / b * pair.1)).sum();
    Some(100.0 * (squares / (n * (n - 1.0))).sqrt() / (b / n))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(fps: &[u64]) -> Found {
        let mut found = Found::new(fps.len());
        for (trial, &fp) in fps.iter().enumerate() {
            found.add(trial, Outcome::Anomaly(Trial { fp, ..Trial::default() }));
            found.add(trial, Outcome::Crashes(vec![(fp * 1_000_000, fp * 2_000_000)]));
        }
        found
    }

    #[test]
    fn a_share_is_one_of_sums_and_its_error_is_zero_when_all_trials_agree() {
        let (part, whole) = (found(&[1, 2, 3]), found(&[10, 20, 30]));
        let share = Share::of(&part, &whole, |t| t.fp);
        assert_eq!((share.percent, share.standard_error), (Some(10.0), Some(0.0)));
        let share = Share::of(&found(&[2, 2, 2]), &whole, |t| t.fp);
        // Residuals 1, 0 and -1: squares sum to 2; sqrt(2 / (3 * 2)) / 20.
        assert_eq!(share.standard_error, Some(100.0 * (2.0_f64 / 6.0).sqrt() / 20.0));
        assert_eq!(Share::of(&part, &found(&[0, 0, 0]), |t| t.fp).cell(None), Cell::nothing());
        assert_eq!(Share::of(&found(&[1]), &found(&[2]), |t| t.fp).standard_error, None);
    }

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let found = found(&[5, 1, 4, 2, 3]);
        assert_eq!((found.first(50), found.first(99), found.first(1)), (3.0, 5.0, 1.0));
        assert_eq!((found.all(50), found.crashes()), (6.0, 5));
        assert_eq!(found.all_share(&found).percent, Some(100.0));
    }
}
