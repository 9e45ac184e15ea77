//! The expected number of rounds until all know, computed instead of measured.
//!
//! How many know is a Markov chain: nodes are alike, so the next number hangs on this one only. The expectation is
//! found from the end: nobody waits once all know, and with `i` who know, it is one round plus the mean of what the
//! round leads to. That mean is taken one draw at a time, from the last draw of the round to the first.

use super::rounds::Mode;

/// The mean number of rounds from one who knows to `n`, when each node contacts another `f` times. Takes about `f n³ / 6` steps.
pub(super) fn expected_rounds(mode: Mode, f: usize, n: usize) -> f64 {
    // What is still to come when so many know.
    let mut to_come = vec![0.0; n + 1];
    for i in (1..n).rev() {
        let round = Round { mode, f, n, i };
        // A round in which nobody learns leads back here: t = 1 + (mean of the others) + stays * t.
        to_come[i] = (1.0 + round.mean(&to_come[i..])) / (1.0 - round.nobody_learns());
    }
    to_come[1]
}

/// `x` to the power of `times`. The precision of `powi` may differ between builds.
pub(super) fn power(x: f64, times: usize) -> f64 {
    (0..times).fold(1.0, |product, _| product * x)
}

/// One round in which `i` of `n` know at its start.
struct Round {
    mode: Mode,
    f: usize,
    n: usize,
    i: usize,
}

impl Round {
    /// The mean of `value[l]`, where `l` is how many learn.
    fn mean(&self, value: &[f64]) -> f64 {
        let pulled = match self.mode {
            Mode::Push => value.to_vec(),
            Mode::Pull | Mode::PushPull => self.before_pulls(value),
        };
        match self.mode {
            Mode::Pull => pulled[0],
            Mode::Push | Mode::PushPull => self.before_pushes(pulled)[0],
        }
    }

    /// The mean when so many have been pushed to, before the others pull: each of them learns with the same chance.
    fn before_pulls(&self, value: &[f64]) -> Vec<f64> {
        let unaware = self.n - self.i;
        let miss = self.pull_in_vain();
        let (mut mean, mut before) = (value.to_vec(), value.to_vec());
        for pullers in 1..=unaware {
            // With so many still to pull, at most the rest can have learned.
            for learned in 0..=unaware - pullers {
                mean[learned] += (1.0 - miss) * (mean[learned + 1] - mean[learned]);
            }
            before[unaware - pullers] = mean[unaware - pullers];
        }
        before
    }

    /// The mean when so many have learned, before any push: each push reaches one of those who remain, or any other.
    fn before_pushes(&self, mut mean: Vec<f64>) -> Vec<f64> {
        let unaware = self.n - self.i;
        for _ in 0..self.i * self.f {
            for learned in 0..unaware {
                let reaches = (unaware - learned) as f64 / (self.n - 1) as f64;
                mean[learned] += reaches * (mean[learned + 1] - mean[learned]);
            }
        }
        mean
    }

    fn nobody_learns(&self) -> f64 {
        let push_in_vain = (self.i - 1) as f64 / (self.n - 1) as f64;
        let pushes = if self.mode == Mode::Pull { 0 } else { self.i * self.f };
        let pullers = if self.mode == Mode::Push { 0 } else { self.n - self.i };
        power(push_in_vain, pushes) * power(self.pull_in_vain(), pullers)
    }

    /// All contacts of a node that pulls are among the others who do not know.
    fn pull_in_vain(&self) -> f64 {
        power((self.n - self.i - 1) as f64 / (self.n - 1) as f64, self.f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small enough for pencil and paper.
    #[test]
    fn three_nodes() {
        let mean = |mode, f| expected_rounds(mode, f, 3);
        // Push: the first round reaches one; then two senders miss the third with chance 1/4 in each.
        assert!((mean(Mode::Push, 1) - (1.0 + 4.0 / 3.0)).abs() < 1e-12);
        // Pull: from one, nobody, one or both learn with chances 1/4, 1/2, 1/4; from two, the third always does.
        // t = 1 + t/4 + 1/2.
        assert!((mean(Mode::Pull, 1) - 2.0).abs() < 1e-12);
        // Both: the push reaches one, and the other's own pull reaches the source half of the time.
        assert!((mean(Mode::PushPull, 1) - 1.5).abs() < 1e-12);
        // Push, twice each: both draws of the source are the same half of the time; then four draws miss with 1/16.
        assert!((mean(Mode::Push, 2) - (1.0 + 0.5 * 16.0 / 15.0)).abs() < 1e-12);
    }
}
