//! What a configuration means for a cluster of some size, computed and not simulated.
//!
//! All of it holds for the protocol as `docs/protocol.md` tells it, for nodes whose local health is 0, and counts a
//! period as [`Config::probe_interval`], unsynchronised: every node begins its periods at a moment of its own. The tests
//! lay the numbers beside simulated ones.
//!
//! ```
//! use swim_core::Config;
//! use swim_sim::plan::{Plan, Question};
//!
//! let plan = Plan::of(&Question::new(&Config::lan("prod"), 50));
//! assert!((plan.detection.first_suspicion_mean_ms - 2_000.0).abs() < 30.0);
//! assert_eq!(plan.idle.datagrams_per_second, 2.0);
//! ```

mod detection;
mod traffic;
mod warnings;

use std::time::Duration;

use serde::Serialize;
use swim_core::Config;

use self::detection::Crash;
pub use self::traffic::{Change, Idle, Join, Memory};

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// How every node is configured.
    pub config: &'a Config,
    /// Live members, at least 2.
    pub nodes: usize,
    /// Chance that a datagram is lost, on every way alike, per million.
    pub loss: u32,
    /// How long a datagram is under way at least.
    pub latency_min: Duration,
    /// How long at most.
    pub latency_max: Duration,
    /// Whether nodes have keys: what is sealed is longer by 32 bytes a datagram.
    pub sealed: bool,
}

/// The answers. Times are in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// Live members.
    pub nodes: usize,
    /// Whether datagrams are sealed.
    pub sealed: bool,
    /// One process crashes: when that is known.
    pub detection: Detection,
    /// How soon all know what one knows.
    pub dissemination: Dissemination,
    /// Healthy members that are suspected because datagrams were lost.
    pub false_suspicion: FalseSuspicion,
    /// What a node sends while nothing happens.
    pub idle: Idle,
    /// What a node sends because one row changed.
    pub change: Change,
    /// What a member more costs when it joins.
    pub join: Join,
    /// Memory of one node.
    pub memory: Memory,
    /// What is doubtful about the configuration.
    pub warnings: Vec<String>,
}

/// From the crash of one process on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Detection {
    /// The first suspicion, in the mean: the first ping that the crashed member does not answer, and one period.
    pub first_suspicion_mean_ms: f64,
    /// In 99 crashes of 100 it has come by then.
    pub first_suspicion_p99_ms: f64,
    /// It has always come by then: 2N−1 periods.
    pub first_suspicion_worst_ms: f64,
    /// The shortest suspicion: that of a member which K others confirm.
    pub suspicion_min_ms: f64,
    /// The longest: that of a member which nobody confirms.
    pub suspicion_max_ms: f64,
    /// Confirmations that make it the shortest: K, or as many as there are members to give them.
    pub confirmations: usize,
    /// The first node that holds the member for dead, in the mean.
    pub first_dead_mean_ms: f64,
    /// In 99 crashes of 100.
    pub first_dead_p99_ms: f64,
    /// Always: the latest first suspicion, and the longest suspicion.
    pub first_dead_worst_ms: f64,
    /// The same when the local health of all others is at its worst, so that their periods are the longest.
    pub first_dead_worst_health_ms: f64,
}

/// How news spreads by gossip ticks alone.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Dissemination {
    /// Synchronous rounds until all know: log(1+f) N + (ln N)/f with f = fan-out · (1 − loss).
    pub rounds: f64,
    /// So many gossip intervals and latencies. News is told at once and rides on probes as well, so it is sooner there.
    pub all_know_ms: f64,
    /// How often each node tells it.
    pub times_told: usize,
    /// The chance that at least one member misses it all the same: about N·e^(−F(1−p)), and less in so small a cluster
    /// that a tick tells most of it; recent news and syncs bring it.
    pub somebody_misses: f64,
}

/// What loss alone leads to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FalseSuspicion {
    /// The chance that a probe of a healthy member fails: (1−q²)^d·(1−q⁴)^k with q = 1 − loss and d
    /// direct pings, and more where latencies
    /// make answers come too late.
    pub probe_fails: f64,
    /// How often a healthy member is suspected, per hour. It refutes; that it is declared dead takes far more.
    pub per_node_hour: f64,
    /// The same for all members together.
    pub per_hour: f64,
}

impl<'a> Question<'a> {
    /// This config among so many nodes without keys, on a quiet local network: no loss, 0.1 to 1 ms.
    pub fn new(config: &'a Config, nodes: usize) -> Self {
        let latency = crate::Link::default().latency();
        Self { config, nodes, loss: 0, latency_min: latency.min, latency_max: latency.max, sealed: false }
    }

    /// The chance that a datagram arrives.
    fn q(&self) -> f64 {
        1.0 - f64::from(self.loss.min(1_000_000)) / 1e6
    }

    /// One way, in the mean.
    fn latency_ms(&self) -> f64 {
        ms(self.latency_min + self.latency_max.max(self.latency_min)) / 2.0
    }

    /// There and back, at most.
    fn round_trip_max(&self) -> Duration {
        self.latency_max.max(self.latency_min) * 2
    }

    /// The chance that a datagram and all that answer it pass so many ways, none of them lost, sooner than `within`:
    /// the sum of uniform latencies after Irwin and Hall.
    fn arrives(&self, ways: u32, within: Duration) -> f64 {
        let (min, max) = (ms(self.latency_min), ms(self.latency_max.max(self.latency_min)));
        let room = ms(within) - min * f64::from(ways);
        let in_time = match (max - min, room) {
            (_, room) if room <= 0.0 => 0.0,
            (width, room) if room >= width * f64::from(ways) => 1.0,
            (width, room) => irwin_hall(ways, room / width),
        };
        self.q().powi(ways as i32) * in_time
    }

    /// Relays that there can be: neither the prober nor the member probed.
    fn relays(&self) -> usize {
        self.config.indirect_probes.min(self.nodes.saturating_sub(2))
    }
}

impl Plan {
    /// Computes all of it.
    ///
    /// # Panics
    /// With fewer than two nodes: nobody would watch anybody.
    pub fn of(question: &Question<'_>) -> Self {
        assert!(question.nodes >= 2, "a cluster to plan has at least 2 nodes");
        let false_suspicion = false_suspicion(question);
        let mut plan = Self {
            nodes: question.nodes,
            sealed: question.sealed,
            detection: detection(question),
            dissemination: dissemination(question),
            false_suspicion,
            idle: traffic::idle(question),
            change: traffic::change(question),
            join: traffic::join(question),
            memory: traffic::memory(question),
            warnings: Vec::new(),
        };
        plan.warnings = warnings::of(question, &plan);
        plan
    }
}

fn detection(question: &Question<'_>) -> Detection {
    let (config, n) = (question.config, question.nodes);
    let period = ms(config.probe_interval);
    let crash = Crash::new(config, n);
    // A ping that was under way when the process ended finds nobody either.
    let late = period - question.latency_ms();
    // Where nobody can confirm, it is the shortest.
    let longest = ms(crash.longest());
    let (min, _) = config.suspicion_bounds(n);
    let worst = period * (2 * n - 1) as f64;
    let health = f64::from(config.health_max + 1);
    Detection {
        first_suspicion_mean_ms: six_digits((crash.first_ping_mean() * period + late).max(0.0)),
        first_suspicion_p99_ms: six_digits((crash.first_ping_quantile(0.99) * period + late).max(0.0)),
        first_suspicion_worst_ms: six_digits(worst),
        suspicion_min_ms: six_digits(ms(min)),
        suspicion_max_ms: six_digits(longest),
        confirmations: crash.confirmations(),
        first_dead_mean_ms: six_digits(crash.dead_mean() * period + late),
        first_dead_p99_ms: six_digits(crash.dead_quantile(0.99) * period + late),
        first_dead_worst_ms: six_digits(worst + longest),
        first_dead_worst_health_ms: six_digits(worst * health + longest),
    }
}

fn dissemination(question: &Question<'_>) -> Dissemination {
    let (config, n, q) = (question.config, question.nodes as f64, question.q());
    let others = n - 1.0;
    // Nobody can be told more than there are others.
    let fan_out = config.gossip_fanout.min(question.nodes - 1) as f64;
    let f = q * fan_out;
    let rounds = n.ln() / f.ln_1p() + n.ln() / f;
    let times_told = config.retransmit_limit(question.nodes);
    // Each tick of each of the others tells a member with that chance, and each of them has F/fan-out ticks. Where a
    // tick tells all there are, only loss makes one miss it: (1−q)^F.
    let misses = (1.0 - f / others).powf(times_told as f64 * others / fan_out);
    Dissemination {
        rounds: six_digits(rounds),
        all_know_ms: six_digits(rounds * (ms(config.gossip_interval) + question.latency_ms())),
        times_told,
        somebody_misses: six_digits(1.0 - (1.0 - misses).powf(others)),
    }
}

/// What comes after the deadline does not count: a slow network takes ways away.
fn false_suspicion(question: &Question<'_>) -> FalseSuspicion {
    let period = question.config.probe_interval;
    let left = period.saturating_sub(question.config.probe_timeout);
    let first = 1.0 - question.arrives(2, period);
    let second = if question.config.direct_probes > 1 { 1.0 - question.arrives(2, left) } else { 1.0 };
    let relayed = (1.0 - question.arrives(4, left)).powi(question.relays() as i32);
    let probe_fails = first * second * relayed;
    let per_node_hour = probe_fails * 3_600_000.0 / ms(period);
    FalseSuspicion {
        probe_fails: six_digits(probe_fails),
        per_node_hour: six_digits(per_node_hour),
        per_hour: six_digits(per_node_hour * question.nodes as f64),
    }
}

/// The chance that the sum of `n` numbers between 0 and 1 is below `x`.
fn irwin_hall(n: u32, x: f64) -> f64 {
    let (mut sum, mut choose, mut factorial) = (0.0, 1.0, 1.0);
    for k in 0..=n {
        let beyond = x - f64::from(k);
        if beyond > 0.0 {
            sum += choose * beyond.powi(n as i32) * if k % 2 == 0 { 1.0 } else { -1.0 };
        }
        choose *= f64::from(n - k) / f64::from(k + 1);
        factorial *= f64::from(k.max(1));
    }
    (sum / factorial).clamp(0.0, 1.0)
}

fn ms(span: Duration) -> f64 {
    span.as_micros() as f64 / 1e3
}

/// So that the last bits of a machine's `exp` and `ln` reach no output.
fn six_digits(x: f64) -> f64 {
    if x.is_finite() { crate::experiments::six_digits(x) } else { f64::MAX }
}

#[cfg(test)]
mod tests;
