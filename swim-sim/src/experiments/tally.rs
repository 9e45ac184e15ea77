//! Mean and standard error of whole numbers.
//!
//! Invariant: sums are integers, so that neither the order of trials nor the build can change them; floats come in
//! once, at the end.

use super::table::Cell;

/// What came out of the trials so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    trials: u128,
    sum: u128,
    squares: u128,
}

impl Tally {
    /// One more trial.
    pub(super) fn add(&mut self, outcome: u64) {
        self.add_often(outcome, 1);
    }

    /// So many more trials, all with this outcome.
    pub(super) fn add_often(&mut self, outcome: u64, trials: u64) {
        let (outcome, trials) = (u128::from(outcome), u128::from(trials));
        self.trials += trials;
        self.sum += trials * outcome;
        self.squares += trials * outcome * outcome;
    }

    /// Mean and standard error in units of `unit`, beside `reference`; a dash when there was no trial.
    pub(super) fn cell(&self, unit: u64, reference: Option<f64>) -> Cell {
        match self.mean() {
            None => Cell::nothing(),
            Some(mean) => {
                let unit = unit as f64;
                Cell::measured(mean / unit, self.standard_error().map(|se| se / unit), reference)
            }
        }
    }

    fn mean(&self) -> Option<f64> {
        (self.trials > 0).then(|| self.sum as f64 / self.trials as f64)
    }

    /// One trial tells nothing about the spread of others.
    fn standard_error(&self) -> Option<f64> {
        let n = self.trials;
        // n² times the variance: exact, where the difference of two rounded sums would not be.
        (n > 1).then(|| (((n * self.squares - self.sum * self.sum) as f64) / ((n * n * (n - 1)) as f64)).sqrt())
    }
}

/// The value below or at which `percent` of these are (nearest rank), 0 when there is none. Sorts them.
pub(super) fn rank(outcomes: &mut [u64], percent: usize) -> u64 {
    outcomes.sort_unstable();
    let at = (outcomes.len() * percent).div_ceil(100).saturating_sub(1);
    outcomes.get(at).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_the_nearest() {
        let mut of: Vec<u64> = (1..=200).rev().collect();
        assert_eq!([50, 99, 100].map(|percent| rank(&mut of, percent)), [100, 198, 200]);
        assert_eq!((rank(&mut [], 99), rank(&mut [7], 1)), (0, 7));
    }

    #[test]
    fn the_standard_error_is_that_of_the_textbook() {
        let mut t = Tally::default();
        assert_eq!(t.cell(1, None), Cell::nothing());
        t.add(2);
        assert_eq!(t.cell(1, None), Cell::measured(2.0, None, None));
        [4, 4, 4, 5, 5, 7, 9].into_iter().for_each(|x| t.add(x));
        // Squared distances from the mean, 5, add up to 32; 32 / 7 is the variance, and there are eight.
        assert_eq!(t.cell(1, None), Cell::measured(5.0, Some((32.0_f64 / 7.0 / 8.0).sqrt()), None));
        assert_eq!(t.cell(10, None), Cell::measured(0.5, Some((32.0_f64 / 7.0 / 8.0).sqrt() / 10.0), None));
    }
}
