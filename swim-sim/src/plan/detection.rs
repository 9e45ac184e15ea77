//! When a crash is noticed.
//!
//! The law: a prober takes its m = N − 1 targets in a new random order each lap (SWIM §4.3). So between two of its pings
//! to one member there are G turns with P(G = g) = (m − |g − m|)/m², 1 ≤ g ≤ 2m − 1. A crash falls at a random moment of
//! that gap, and what is left of it, R in periods, has P(R > x) = (1/m)·∫ₓ P(G > g) dg (renewal theory). All m probers
//! are independent: P(first ping later than x) = P(R > x)^m, which tends to e^(−x), a mean of one period (SWIM §4.1's
//! geometric law, for probers that are not in step).
//!
//! The accuser's failed probe takes one period more, and each further prober confirms a period after its own first ping.
//! So confirmations come as far apart as the pings do, and the suspicion ends at the first moment t at which it has as
//! many of them as make it no longer than t (Lifeguard §III-B).

use std::time::Duration;

use swim_core::Config;

/// Points at which the time of the first ping is taken: the middles of as many equally likely parts.
const PARTS: usize = 128;
/// Steps from the shortest suspicion to the longest.
const STEPS: usize = 512;

/// Turns that are looked at at least; in a large cluster a crash is never noticed so late.
const TURNS: usize = 1_000;

/// One crash, in periods since it happened.
pub(super) struct Crash {
    /// m.
    probers: usize,
    /// P(R > x) at x = 0, 1, 2, ...; straight between them.
    survival: Vec<f64>,
    /// The suspicion's length by confirmations.
    spans: Vec<f64>,
    longest: Duration,
}

impl Crash {
    pub(super) fn new(config: &Config, n: usize) -> Self {
        let m = n - 1;
        let mut survival = vec![1.0];
        // P(G > g), and with it what a unit of x takes away.
        let mut longer = 1.0;
        for g in 0..2 * m - 1 {
            let left = survival[g] - longer / m as f64;
            if left <= 0.0 || g >= TURNS && left.powf(m as f64) < 1e-15 {
                break;
            }
            survival.push(left);
            let next = g + 1;
            longer -= (m - next.abs_diff(m)) as f64 / (m * m) as f64;
        }
        survival.push(0.0);
        let k = config.suspicion_confirmations.min(n - 2);
        let (min, max) = config.suspicion_bounds(n);
        let period = config.probe_interval.as_secs_f64();
        let span = |c: usize| {
            let shrink = if k == 0 { 1.0 } else { ((c + 1) as f64).ln() / ((k + 1) as f64).ln() };
            (max.as_secs_f64() - (max - min).as_secs_f64() * shrink) / period
        };
        let longest = if k == 0 { min } else { max };
        Self { probers: m, survival, spans: (0..=k).map(span).collect(), longest }
    }

    /// K, as far as there are members to confirm.
    pub(super) fn confirmations(&self) -> usize {
        self.spans.len() - 1
    }

    /// The suspicion that nobody confirms.
    pub(super) fn longest(&self) -> Duration {
        self.longest
    }

    /// P(R > x).
    pub(super) fn later_than(&self, x: f64) -> f64 {
        let at = x.max(0.0).floor() as usize;
        match (self.survival.get(at), self.survival.get(at + 1)) {
            (Some(from), Some(to)) => from + (to - from) * (x - at as f64),
            _ => 0.0,
        }
    }

    pub(super) fn first_ping_mean(&self) -> f64 {
        let m = self.probers as f64;
        // ∫ (a − (a − b)·u)^m du over a unit.
        let unit = |w: &[f64]| (w[0].powf(m + 1.0) - w[1].powf(m + 1.0)) / ((w[0] - w[1]) * (m + 1.0));
        self.survival.windows(2).map(unit).sum()
    }

    pub(super) fn first_ping_quantile(&self, part: f64) -> f64 {
        let left = (1.0 - part).powf(1.0 / self.probers as f64);
        let at = self.survival.iter().rposition(|&s| s >= left).unwrap_or(0);
        let (from, to) = (self.survival[at], self.survival.get(at + 1).copied().unwrap_or(0.0));
        at as f64 + (from - left) / (from - to)
    }

    /// Of the first ping, each as likely as any other.
    fn first_pings(&self) -> impl Iterator<Item = f64> + '_ {
        (0..PARTS).map(|i| self.first_ping_quantile((i as f64 + 0.5) / PARTS as f64))
    }

    /// The chance that a suspicion whose first ping was at `first` runs for longer than `t`.
    fn suspected_after(&self, first: f64, t: f64) -> f64 {
        let Some(needed) = self.spans.iter().position(|&span| span <= t) else { return 1.0 };
        let others = self.probers - 1;
        let apart = self.later_than(first);
        let p = if apart > 0.0 { 1.0 - self.later_than(first + t) / apart } else { 1.0 };
        fewer_than(needed, others, p)
    }

    /// From the crash to the first death, less the accuser's own period.
    pub(super) fn dead_mean(&self) -> f64 {
        let (min, max) = (self.spans[self.spans.len() - 1], self.spans[0]);
        let step = (max - min) / STEPS as f64;
        let beyond = |first: f64| -> f64 {
            let at = |i: usize| self.suspected_after(first, min + (i as f64 + 0.5) * step);
            (0..STEPS).map(at).take_while(|&p| p > 1e-12).sum::<f64>() * step
        };
        self.first_ping_mean() + min + self.first_pings().map(beyond).sum::<f64>() / PARTS as f64
    }

    pub(super) fn dead_quantile(&self, part: f64) -> f64 {
        let firsts: Vec<f64> = self.first_pings().collect();
        let later = |z: f64| firsts.iter().map(|&x| self.suspected_after(x, z - x)).sum::<f64>() / PARTS as f64;
        let (mut low, mut high) = (0.0, 2.0 * self.probers as f64 + self.spans[0]);
        for _ in 0..60 {
            let middle = (low + high) / 2.0;
            if later(middle) > 1.0 - part {
                low = middle;
            } else {
                high = middle;
            }
        }
        high
    }
}

/// The chance of fewer than so many successes (at most 3) in so many trials.
fn fewer_than(wanted: usize, trials: usize, p: f64) -> f64 {
    let mut choose = 1.0;
    let mut sum = 0.0;
    for hits in 0..wanted.min(trials + 1) {
        sum += choose * p.powi(hits as i32) * (1.0 - p).powf((trials - hits) as f64);
        choose *= (trials - hits) as f64 / (hits + 1) as f64;
    }
    sum
}
