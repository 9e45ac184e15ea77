//! Every number that bounds or paces a node, its presets, and the one place where they are checked.

use alloc::string::String;
use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::math::{log10_scale_q16, retransmit_limit};
use crate::mutation::Mutation;
use crate::storage::MEMBERS_MAX;
use crate::time::micros;

/// How a node paces and bounds itself. Start from a preset, change fields, and let [`crate::Node::new`] check the whole.
///
/// ```
/// let mut config = swim_core::Config::lan("prod");
/// config.indirect_probes = 5;
/// assert!(config.validate().is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Config {
    /// The cluster's name, required. Nodes of other clusters are not heard: the name enters every envelope.
    pub cluster: String,
    /// The protocol period T′: one member is probed per period, and a probe has failed when it is over.
    pub probe_interval: Duration,
    /// How long a direct ack may take before relays are asked: the 99th percentile of a round trip (SWIM §4.1).
    pub probe_timeout: Duration,
    /// k: relays asked when a direct ack does not come. 0 turns indirect probes off.
    pub indirect_probes: usize,
    /// Pings sent to the probed member itself: 1 as in SWIM; 2: once more when relays are asked.
    pub direct_probes: usize,
    /// α in percent: the shortest suspicion is α·max(1, log10 n) probe intervals (Lifeguard §III-B).
    pub suspicion_alpha_percent: u32,
    /// β: the longest suspicion is β times the shortest.
    pub suspicion_beta: u32,
    /// K: independent confirmations that bring a suspicion from longest to shortest; at most 3. 0: always the shortest.
    pub suspicion_confirmations: usize,
    /// Whether a suspicion of a node's own that nobody else confirms is told again, as often as the shortest one lasts:
    /// perhaps nobody has heard of it, and the accused could not refute. Not in SWIM and Lifeguard.
    pub suspicion_retell: bool,
    /// S: the ceiling of local health; interval and time-out are multiplied by up to S+1. 0 turns local health off.
    pub health_max: u32,
    /// In which datagrams to a suspect member its suspicion goes ahead of all other news (Lifeguard's buddy system).
    pub buddy: Buddy,
    /// Whether a node that was asleep, held up, or could not send for longer than a `probe_interval` mistrusts what it has
    /// missed meanwhile: no verdict on the probe, and no suspicion that runs out before the shortest one has passed anew.
    /// Without it, as in SWIM and Lifeguard, timers run by the clock alone.
    pub pause_guard: bool,
    /// Time between gossip ticks while there is something to tell.
    pub gossip_interval: Duration,
    /// Peers told per gossip tick.
    pub gossip_fanout: usize,
    /// λ in percent: an update is sent ⌈λ·ln(n+1)⌉ times by each node.
    pub retransmit_lambda_percent: u32,
    /// The largest datagram, envelope included, in bytes. Nothing larger is ever sent.
    pub mtu: usize,
    /// Most rows kept, this node and tombstones included, at most 2^22. A newcomer beyond it is refused and counted.
    pub members_max: usize,
    /// Rows for which memory is taken at construction; more is taken as members are admitted.
    pub members_reserved: usize,
    /// How long a dead or left member's row is kept, so that late gossip cannot resurrect it.
    pub tombstone_ttl: Duration,
    /// First wait before the seeds are contacted again; doubles up to `join_retry_max`, without end.
    pub join_retry: Duration,
    /// Longest wait between attempts to join.
    pub join_retry_max: Duration,
    /// How long view hashes must disagree without interruption before a sync with a peer begins; up to half as long
    /// again is drawn on top. Also how long they must say the same before `Event::Converged` or `Event::Diverged`.
    pub sync_patience: Duration,
    /// Longest wait between two syncs while a disagreement lasts that they do not end. The first wait is half of
    /// `sync_patience`; it doubles with every sync that changes nothing here.
    pub sync_backoff_max: Duration,
    /// Bytes per second that answering others' syncs may cost; what is above is not answered, and asked for again.
    pub sync_rate: u32,
    /// Indirect probes that this node relays at a time. One more is refused with a nack.
    pub relays_max: usize,
    /// Suspicions whose confirmations are counted at a time; a suspicion beyond it runs for the longest time-out.
    pub suspicions_max: usize,
    /// Events kept until they are polled. More are dropped, and said so by `Event::Lagged`.
    pub events_max: usize,
    /// Seed addresses kept.
    pub seeds_max: usize,
    /// Facts kept for `Node::why`, over all members.
    pub evidence_max: usize,
    /// Lost members that are tried again, without end.
    pub lost_max: usize,
    /// When a node stops telling a rumor.
    pub rumor_stop: StopPolicy,
    /// Rumors kept at a time, told or not.
    pub rumors_max: usize,
    /// Bytes of topics and payloads kept at a time. When they are full, the oldest rumor makes way, which is counted.
    pub rumor_bytes: usize,
    /// The newest so many rumors of each member are told apart, a multiple of 64: one that is further behind the member's
    /// newest is refused, so none is delivered twice.
    pub rumor_window: usize,
    /// How old a rumor may become that is kept for members that have missed it, or that join later; at most a quarter of
    /// `tombstone_ttl`. Its age counts from the broadcast, wherever it came late.
    pub rumor_ttl: Duration,
    /// Bytes that one member's state may have, this node's own and others': those of keys and values, and
    /// [`Self::ENTRY_COST`] for each entry.
    pub state_bytes: usize,
    /// Bytes that the states of all members may take together here; what is above is refused and counted.
    pub state_total: usize,
    /// A planted bug.
    #[cfg(swim_mutations)]
    pub mutation: Option<Mutation>,
}

/// When a suspect member is told that it is suspected, so that it can refute. The dead are told in every datagram, whatever
/// this says: they would not come back otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Buddy {
    /// It hears of it by gossip, as everybody else does (SWIM).
    Never,
    /// In the pings to it, too (Lifeguard).
    Pings,
    /// In every datagram to it that carries updates, and in an answer to it that says less of it.
    Always,
}

/// When a node stops telling a rumor (Demers et al., PODC 1987, section 1.4). Whatever it says, none is told more than
/// [`Config::RETRANSMIT_MAX`] times, and whoever has missed one gets it by the sync behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum StopPolicy {
    /// After ⌈λ·ln(n+1)⌉ times, with λ in percent, as updates.
    Budget(u32),
    /// After so many receivers that knew it already, without one in between that did not. Receivers answer who knew what.
    Counter(u32),
    /// After each time with probability 1/k.
    Coin(u32),
}

impl Config {
    /// For a real network within one site: about a second per period (memberlist's LAN figures, β and K of Lifeguard). Relays are
    /// six, and α is 2.5; `docs/protocol.md` says why, in "Probe" and "Suspicion".
    pub fn lan(cluster: &str) -> Self {
        Self {
            cluster: cluster.into(),
            probe_interval: Duration::from_secs(1),
            probe_timeout: Duration::from_millis(500),
            indirect_probes: 6,
            direct_probes: 2,
            suspicion_alpha_percent: 250,
            suspicion_beta: 6,
            suspicion_confirmations: 3,
            suspicion_retell: true,
            health_max: 8,
            buddy: Buddy::Always,
            pause_guard: true,
            gossip_interval: Duration::from_millis(200),
            gossip_fanout: 3,
            retransmit_lambda_percent: 170,
            mtu: 1_400,
            members_max: 65_536,
            members_reserved: 16,
            tombstone_ttl: Duration::from_secs(600),
            join_retry: Duration::from_secs(1),
            join_retry_max: Duration::from_secs(60),
            sync_patience: Duration::from_secs(2),
            sync_backoff_max: Duration::from_secs(60),
            sync_rate: 1 << 20,
            relays_max: 64,
            suspicions_max: 256,
            events_max: 1_024,
            seeds_max: 64,
            lost_max: 64,
            evidence_max: 256,
            rumor_stop: StopPolicy::Budget(170),
            rumors_max: 1_024,
            rumor_bytes: 256 * 1_024,
            rumor_window: 256,
            rumor_ttl: Duration::from_secs(60),
            state_bytes: 64 * 1_024,
            state_total: 256 * 1_024 * 1_024,
            #[cfg(swim_mutations)]
            mutation: None,
        }
    }

    /// For nodes on one machine, and for tests: five periods a second, and an α of 3, since who is late there is late for all.
    pub fn local(cluster: &str) -> Self {
        Self {
            probe_interval: Duration::from_millis(200),
            probe_timeout: Duration::from_millis(80),
            suspicion_alpha_percent: 300,
            gossip_interval: Duration::from_millis(50),
            join_retry: Duration::from_millis(200),
            join_retry_max: Duration::from_secs(10),
            sync_patience: Duration::from_millis(500),
            sync_backoff_max: Duration::from_secs(10),
            ..Self::lan(cluster)
        }
    }

    /// For links of high latency: five seconds per period, more patience (memberlist's WAN figures).
    pub fn wan(cluster: &str) -> Self {
        Self {
            probe_interval: Duration::from_secs(5),
            probe_timeout: Duration::from_secs(3),
            suspicion_alpha_percent: 600,
            gossip_interval: Duration::from_millis(500),
            gossip_fanout: 4,
            join_retry: Duration::from_secs(3),
            sync_patience: Duration::from_secs(10),
            sync_backoff_max: Duration::from_secs(300),
            sync_rate: 1 << 18,
            tombstone_ttl: Duration::from_secs(1_800),
            ..Self::lan(cluster)
        }
    }

    /// Smallest `mtu`: the largest row, with its frame and a sealed envelope, fits.
    pub const MTU_MIN: usize = 800;
    /// Largest `mtu`: the payload of a UDP datagram over IPv4.
    pub const MTU_MAX: usize = 65_507;

    /// Is this bug planted?
    #[cfg(swim_mutations)]
    pub(crate) fn mutant(&self, bug: Mutation) -> bool {
        self.mutation == Some(bug)
    }

    /// Is this bug planted? None is.
    #[cfg(not(swim_mutations))]
    #[inline]
    pub(crate) const fn mutant(&self, _: Mutation) -> bool {
        false
    }

    /// Checks every field and the relations between them.
    ///
    /// # Errors
    /// The first [`ConfigError`], which names field, bound and remedy.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.check_name()?;
        self.check_times()?;
        self.check_counts()?;
        self.check_relations()
    }

    fn check_name(&self) -> Result<(), ConfigError> {
        const REMEDY: &str = "name the cluster, the same on all its nodes";
        must(!self.cluster.is_empty(), "cluster", "must not be empty", REMEDY)?;
        must(self.cluster.len() <= 255, "cluster", "must have at most 255 bytes", REMEDY)
    }

    fn check_times(&self) -> Result<(), ConfigError> {
        const YEAR: u64 = 366 * 24 * 3_600 * 1_000_000;
        let times = [
            ("probe_interval", self.probe_interval),
            ("probe_timeout", self.probe_timeout),
            ("gossip_interval", self.gossip_interval),
            ("tombstone_ttl", self.tombstone_ttl),
            ("join_retry", self.join_retry),
            ("join_retry_max", self.join_retry_max),
            ("sync_patience", self.sync_patience),
            ("sync_backoff_max", self.sync_backoff_max),
            ("rumor_ttl", self.rumor_ttl),
        ];
        for (field, value) in times {
            must(micros(value) >= 1_000, field, "must be at least 1 ms", "take a preset's value")?;
            must(micros(value) <= YEAR, field, "must be at most a year", "take a preset's value")?;
        }
        Ok(())
    }

    fn check_counts(&self) -> Result<(), ConfigError> {
        // 1 TiB; where addresses have 32 bits, all that there is.
        const STATE_TOTAL_MAX: usize = match 1_usize.checked_shl(40) {
            Some(most) => most,
            None => usize::MAX,
        };
        let counts = [
            ("indirect_probes", self.indirect_probes, 0, 16),
            ("direct_probes", self.direct_probes, 1, 2),
            ("suspicion_alpha_percent", self.suspicion_alpha_percent as usize, 100, 100_000),
            ("suspicion_beta", self.suspicion_beta as usize, 1, 1_000),
            ("suspicion_confirmations", self.suspicion_confirmations, 0, 3),
            ("health_max", self.health_max as usize, 0, 100),
            ("gossip_fanout", self.gossip_fanout, 1, 32),
            ("retransmit_lambda_percent", self.retransmit_lambda_percent as usize, 50, 1_000),
            ("mtu", self.mtu, Self::MTU_MIN, Self::MTU_MAX),
            ("members_max", self.members_max, 2, MEMBERS_MAX),
            ("members_reserved", self.members_reserved, 0, MEMBERS_MAX),
            ("sync_rate", self.sync_rate as usize, 4_096, 1 << 30),
            ("relays_max", self.relays_max, 1, 1_024),
            ("suspicions_max", self.suspicions_max, 1, 1 << 16),
            ("events_max", self.events_max, 16, 1 << 20),
            ("seeds_max", self.seeds_max, 1, 1_024),
            ("lost_max", self.lost_max, 1, 1_024),
            ("evidence_max", self.evidence_max, 32, 1 << 16),
            ("rumors_max", self.rumors_max, 16, 1 << 16),
            ("rumor_bytes", self.rumor_bytes, self.mtu.saturating_mul(4), 1 << 30),
            ("rumor_window", self.rumor_window, 64, 1 << 16),
            ("state_bytes", self.state_bytes, 2_048, 1 << 20),
            ("state_total", self.state_total, self.state_bytes, STATE_TOTAL_MAX),
        ];
        for (field, value, low, high) in counts {
            must(value >= low, field, Bound::AtLeast(low), "raise it, or take a preset's value")?;
            must(value <= high, field, Bound::AtMost(high), "lower it, or take a preset's value")?;
        }
        Ok(())
    }

    fn check_relations(&self) -> Result<(), ConfigError> {
        must(
            self.rumor_window % 64 == 0,
            "rumor_window",
            "must be a multiple of 64",
            "it is kept in words of 64 bits",
        )?;
        let (low, high, most) = match self.rumor_stop {
            StopPolicy::Budget(percent) => (50, percent, 1_000),
            StopPolicy::Counter(k) | StopPolicy::Coin(k) => (1, k, 32),
        };
        must(
            (low..=most).contains(&high),
            "rumor_stop",
            "must be a budget of 50 to 1000 percent, or a k of 1 to 32",
            "take a preset's value",
        )?;
        must(
            self.probe_timeout < self.probe_interval,
            "probe_timeout",
            "must be shorter than probe_interval, or no time is left for relays",
            "half of probe_interval is usual",
        )?;
        must(
            self.join_retry <= self.join_retry_max,
            "join_retry",
            "must not exceed join_retry_max",
            "it is the first wait, the other the longest",
        )?;
        must(
            self.sync_patience <= self.sync_backoff_max,
            "sync_patience",
            "must not exceed sync_backoff_max",
            "it is the first wait, the other the longest",
        )?;
        must(
            self.members_reserved <= self.members_max,
            "members_reserved",
            "must not exceed members_max",
            "0 lets memory grow as members come",
        )?;
        let limit = retransmit_limit(u64::from(self.retransmit_lambda_percent), self.members_max as u64);
        must(
            micros(self.tombstone_ttl) >= micros(self.gossip_interval).saturating_mul(2 * limit),
            "tombstone_ttl",
            "must be at least twice the time in which an update spreads: 2·⌈λ·ln(members_max+1)⌉ gossip intervals",
            "keep tombstones for minutes, or gossip faster",
        )
    }

    /// The shortest and the longest suspicion, in microseconds, in a cluster of `n` live members.
    pub(crate) fn suspicion_micros(&self, n: u64) -> (u64, u64) {
        let unit = (u128::from(micros(self.probe_interval)) * u128::from(log10_scale_q16(n))) >> 16;
        let min = u64::try_from(unit * u128::from(self.suspicion_alpha_percent) / 100).unwrap_or(u64::MAX);
        (min, min.saturating_mul(u64::from(self.suspicion_beta)))
    }

    /// The shortest and the longest time a suspicion runs in a cluster of `n` live members.
    pub fn suspicion_bounds(&self, n: usize) -> (Duration, Duration) {
        let (min, max) = self.suspicion_micros(n as u64);
        (Duration::from_micros(min), Duration::from_micros(max))
    }

    /// Most often that one update is sent by one node, whatever λ and n.
    pub const RETRANSMIT_MAX: usize = 63;

    /// How often each node sends one update in a cluster of `n` live members: ⌈λ·ln(n+1)⌉, at most
    /// [`Self::RETRANSMIT_MAX`].
    pub fn retransmit_limit(&self, n: usize) -> usize {
        let limit = retransmit_limit(u64::from(self.retransmit_lambda_percent), n as u64) as usize;
        limit.min(Self::RETRANSMIT_MAX)
    }
}

fn must(holds: bool, field: &'static str, bound: impl Into<Bound>, remedy: &'static str) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(ConfigError { field, bound: bound.into(), remedy }) }
}

/// A [`Config`] that cannot work: which field, what must hold, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    field: &'static str,
    bound: Bound,
    remedy: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Bound {
    Text(&'static str),
    AtLeast(usize),
    AtMost(usize),
}

impl From<&'static str> for Bound {
    fn from(text: &'static str) -> Self {
        Self::Text(text)
    }
}

impl ConfigError {
    pub(crate) fn new(field: &'static str, bound: &'static str, remedy: &'static str) -> Self {
        Self { field, bound: Bound::Text(bound), remedy }
    }

    /// The field's name.
    pub fn field(&self) -> &'static str {
        self.field
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "config: {} ", self.field)?;
        match self.bound {
            Bound::Text(t) => f.write_str(t)?,
            Bound::AtLeast(n) => write!(f, "must be at least {n}")?,
            Bound::AtMost(n) => write!(f, "must be at most {n}")?,
        }
        write!(f, "; {}", self.remedy)
    }
}

impl core::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn presets_hold() {
        for c in [Config::local("c"), Config::lan("c"), Config::wan("c")] {
            assert_eq!(c.validate(), Ok(()));
        }
    }

    #[test]
    fn every_error_names_field_bound_and_remedy() {
        type Spoil = fn(&mut Config);
        let broken: [(&str, Spoil); 11] = [
            ("cluster", |c| c.cluster.clear()),
            ("probe_interval", |c| c.probe_interval = Duration::ZERO),
            ("probe_timeout", |c| c.probe_timeout = c.probe_interval),
            ("direct_probes", |c| c.direct_probes = 0),
            ("direct_probes", |c| c.direct_probes = 3),
            ("suspicion_alpha_percent", |c| c.suspicion_alpha_percent = 0),
            ("gossip_fanout", |c| c.gossip_fanout = 0),
            ("mtu", |c| c.mtu = 799),
            ("mtu", |c| c.mtu = 65_508),
            ("join_retry", |c| c.join_retry = c.join_retry_max * 2),
            ("sync_backoff_max", |c| c.sync_backoff_max = Duration::MAX),
        ];
        for (field, spoil) in broken {
            let mut c = Config::lan("c");
            spoil(&mut c);
            let e = c.validate().unwrap_err();
            assert_eq!(e.field(), field);
            let text = e.to_string();
            assert!(text.starts_with("config: ") && text.contains(field) && text.contains("; "), "{text}");
        }
    }

    /// F6: tombstones that go before the gossip that could resurrect would let the dead return.
    #[test]
    fn f6_retention_shorter_than_spread_is_refused() {
        let mut c = Config::lan("c");
        c.tombstone_ttl = c.gossip_interval * 10;
        assert_eq!(c.validate().unwrap_err().field(), "tombstone_ttl");
    }

    #[test]
    fn suspicion_follows_lifeguards_formula() {
        let mut c = Config::lan("c");
        c.suspicion_alpha_percent = 500;
        let ms = |d: Duration| d.as_millis();
        // α·log10(N)·interval with α=5: 5 s up to N=10, 10 s at 100; β=6 times that at most.
        for (n, want) in [(1, 5_000), (10, 5_000), (100, 10_000), (1_000, 15_000)] {
            let (min, max) = c.suspicion_bounds(n);
            assert!(ms(min).abs_diff(want) < 5, "{n}: {min:?}");
            assert_eq!(max, min * 6);
        }
    }
}
