//! How long it may take until a cluster whose faults have ended is one again.

use std::fmt;
use std::time::Duration;

use swim_core::Config;

use crate::swarm::data::KEYS_MAX;
use crate::swarm::plan::Plan;

/// How long a calm may last until everything that was asked for holds, term by term. They are added: what one waits for may
/// begin only when another is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// What is under way arrives, and clocks that were put back catch up. Nothing is asked for before that.
    pub settle: Duration,
    /// Local health recovers from its worst: its periods are h, h−1, ..., 1 times as long.
    pub recover: Duration,
    /// Everybody is probed once by everybody: 2n − 1 periods.
    pub probe: Duration,
    /// Whoever has ended is suspected for the longest time; and then once more, by those who learn of it from others, or who
    /// took an accusation for old.
    pub suspect: Duration,
    /// Joins are tried again after the longest wait; so is the seed that answers after the one that did not.
    pub join: Duration,
    /// Whoever was lost is knocked at: as often as there are lost members and seeds that answer no more, each in turn with
    /// theirs, and one more time for the one that answers. Each waits the longest, n/8 times as long from n = 16 on.
    pub heal: Duration,
    /// A disagreement becomes a sync after the longest wait and one and a half patiences; and again for those who learnt
    /// something that others do not know.
    pub sync: Duration,
    /// What was learnt is told: each update so many times, one tick after the other, and the bids of a life that goes past
    /// another one, a period each.
    pub gossip: Duration,
    /// What nodes have said goes to everybody, and what was to vanish has vanished.
    pub data: Duration,
}

impl Bound {
    /// The bound of a plan; `lives` is how many nodes there have been, over all addresses.
    pub fn of(plan: &Plan, lives: usize) -> Self {
        let c = &plan.config;
        let n = lives.max(2);
        let period = c.probe_interval;
        let h = c.health_max + 1;
        let (_, longest) = c.suspicion_bounds(n);
        let knock = c.join_retry_max * (n as u32 / 8).max(1);
        // Behind each lost member or dead seed there may be one of the other kind; half of all lives may be gone.
        let knocks = 2 * (n as u32 / 2 + 1);
        Self {
            settle: settle(plan),
            recover: period * (h * (h + 1) / 2),
            probe: period * (2 * n as u32 - 1),
            suspect: longest * 2,
            join: c.join_retry_max * 2,
            heal: knock * knocks,
            sync: (c.sync_backoff_max + c.sync_patience * 3 / 2) * 2,
            gossip: c.gossip_interval * (2 * c.retransmit_limit(n) as u32 + 2) + period * 8,
            data: data(plan, n),
        }
    }

    /// When nobody who runs may be declared dead any more: what was suspected in the chaos is decided, by the slowest, too.
    pub(crate) fn doubt(&self) -> Duration {
        self.settle + self.recover + self.suspect
    }

    /// All of it.
    pub fn total(&self) -> Duration {
        let Self { settle, recover, probe, suspect, join, heal, sync, gossip, data } = *self;
        settle + recover + probe + suspect + join + heal + sync + gossip + data
    }

    /// For how long what holds has to go on holding: every node is probed again, and a period more.
    pub fn hold(config: &Config, n: usize) -> Duration {
        config.probe_interval * (2 * n as u32).clamp(10, 40)
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { settle, recover, probe, suspect, join, heal, sync, gossip, data } = *self;
        let terms = [
            ("settle", settle),
            ("recover", recover),
            ("probe", probe),
            ("suspect", suspect),
            ("join", join),
            ("heal", heal),
            ("sync", sync),
            ("gossip", gossip),
            ("data", data),
        ];
        for (i, (name, term)) in terms.into_iter().enumerate() {
            let (comma, seconds) = (if i > 0 { ", " } else { "" }, term.as_millis() as f64 / 1e3);
            write!(f, "{comma}{name} {seconds} s")?;
        }
        Ok(())
    }
}

/// As long as one node may take that lacks everything and asks one other: as fast as that may answer. Before that, the hashes
/// have to differ for long enough; and again for each who learns something that others do not know.
fn data(plan: &Plan, n: usize) -> Duration {
    use crate::swarm::fault::What;
    if !plan.has_data() {
        return Duration::ZERO;
    }
    let c = &plan.config;
    let vanish = plan.faults.iter().map(|planned| match planned.fault.what {
        What::Put { ttl, .. } => ttl.unwrap_or(Duration::ZERO),
        _ => Duration::ZERO,
    });
    let states = n * (2 * c.state_bytes).min(KEYS_MAX * (Config::KEY_MAX + Config::VALUE_MAX));
    let bytes = (states + c.rumor_bytes).div_ceil(c.sync_rate as usize) as u64;
    let told = c.gossip_interval * Config::RETRANSMIT_MAX as u32;
    let shown = c.sync_patience * 3 / 2 + c.sync_patience * 4 + c.probe_interval * n as u32;
    vanish.max().unwrap_or(Duration::ZERO) + Duration::from_secs(bytes) + told + shown * 3
}

/// The longest that anything of the chaos takes to pass by itself.
fn settle(plan: &Plan) -> Duration {
    use crate::swarm::fault::What;
    let link = &plan.link;
    let queue = |clog: crate::Clog| Duration::from_secs(clog.buffer.div_ceil(clog.rate.max(1)));
    let mut under_way = link.latency_max.max(link.latency_min) + link.reorder_delay;
    under_way += link.clog.map_or(Duration::ZERO, queue);
    let (mut uplink, mut far, mut behind) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    for planned in &plan.faults {
        match planned.fault.what {
            What::Uplink { clog, .. } => uplink = uplink.max(queue(clog)),
            What::Zone { latency, .. } => far = far.max(latency * 2),
            What::ClockBack { by, .. } => behind += by,
            _ => {}
        }
    }
    under_way + uplink + far + behind * 4
}
