//! What a run does, all of it drawn from one seed before it begins.
//!
//! Invariant: nodes 0 and 1 are the *anchors*. They run at their addresses whenever all faults are over, and whoever joins asks
//! one of them at least. Without that nobody could promise that a cluster finds together again.

use std::fmt;
use std::time::Duration;

use swim_core::Config;

use crate::link::Link;
use crate::swarm::draw;
use crate::swarm::fault::Fault;

/// Nodes of a plan that everybody can join through.
pub(crate) const ANCHORS: usize = 2;

/// Everything that one run does.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What it was drawn from, and what the world draws from.
    pub seed: u64,
    /// The config of all nodes.
    pub config: Config,
    /// Which preset it was before it was changed.
    pub preset: &'static str,
    /// What every link does during the chaos.
    pub link: Link,
    /// What the sockets of paused and slow nodes hold during the chaos.
    pub socket_buffer: usize,
    /// Who there is.
    pub nodes: Vec<PlannedNode>,
    /// What befalls them.
    pub faults: Vec<PlannedFault>,
    /// How long the chaos lasts. Then all faults end, and the calm begins.
    pub chaos: Duration,
    /// The node whose inputs are recorded, to be replayed.
    pub recorded: usize,
    /// After which part of its inputs the replayed node is written to a snapshot and read back, in thousandths.
    pub restored_permille: usize,
}

/// A node of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedNode {
    /// Its number among all that the seed draws; the same when others are left out.
    pub number: usize,
    /// When it is started.
    pub start: Duration,
    /// Through whom it joins, every time that it starts; by their numbers.
    pub seeds: Vec<usize>,
    /// Bytes of metadata.
    pub meta: usize,
}

/// A fault of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedFault {
    /// Its number among all that the seed draws; the same when others are left out.
    pub number: usize,
    /// What befalls whom.
    pub fault: Fault,
}

impl Plan {
    /// The plan of a seed.
    pub fn draw(seed: u64) -> Self {
        draw::plan(seed)
    }

    /// The same without the faults whose numbers are not among these.
    #[must_use]
    pub fn with_faults(mut self, kept: &[usize]) -> Self {
        self.faults.retain(|fault| kept.contains(&fault.number));
        self
    }

    /// The same without the nodes whose numbers are not among these. The anchors 0 and 1 always stay.
    #[must_use]
    pub fn with_nodes(mut self, kept: &[usize]) -> Self {
        let kept = |number: usize| number < ANCHORS || kept.contains(&number);
        self.nodes.retain(|node| kept(node.number));
        for node in &mut self.nodes {
            node.seeds.retain(|&seed| kept(seed));
        }
        self.faults.retain_mut(|planned| match planned.fault.what.among(kept) {
            Some(what) => {
                planned.fault.what = what;
                true
            }
            None => false,
        });
        if !kept(self.recorded) {
            self.recorded = 0;
        }
        self
    }

    /// The same with a chaos of at most this length; faults that would begin later are left out.
    #[must_use]
    pub fn with_chaos(mut self, chaos: Duration) -> Self {
        self.chaos = self.chaos.min(chaos);
        self.faults.retain(|planned| planned.fault.from < self.chaos);
        for planned in &mut self.faults {
            planned.fault.until = planned.fault.until.min(self.chaos);
        }
        self
    }

    /// Whether nothing goes wrong in it: then nobody may be suspected.
    pub fn is_quiet(&self) -> bool {
        let calm = self.link.with_latency(Link::default().latency()) == Link::default();
        let spared = self.faults.iter().all(|planned| planned.fault.what.is_data());
        calm && spared && self.link.latency_max < self.config.probe_timeout / 4
    }

    /// Whether anybody has anything to say in it but that he is there.
    pub(crate) fn has_data(&self) -> bool {
        self.faults.iter().any(|planned| planned.fault.what.is_data())
    }

    /// The command that runs it again, given what was left out.
    pub fn command(&self) -> String {
        let whole = Self::draw(self.seed);
        let mut command = format!("swim sim swarm --seed {}", self.seed);
        let list = |numbers: Vec<String>| if numbers.is_empty() { "none".to_string() } else { numbers.join(",") };
        if self.faults.len() != whole.faults.len() {
            let numbers = self.faults.iter().map(|fault| fault.number.to_string()).collect();
            command += &format!(" --faults {}", list(numbers));
        }
        if self.nodes.len() != whole.nodes.len() {
            let numbers = self.nodes.iter().map(|node| node.number.to_string()).collect();
            command += &format!(" --nodes {}", list(numbers));
        }
        if self.chaos != whole.chaos {
            command += &format!(" --chaos-ms {}", self.chaos.as_millis());
        }
        command
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let preset = match self.preset {
            "local" => Config::local("sim"),
            "wan" => Config::wan("sim"),
            _ => Config::lan("sim"),
        };
        let (chaos, nodes) = (self.chaos.as_secs_f64(), self.nodes.len());
        writeln!(f, "seed {}: {nodes} nodes, preset {}, {chaos:.1} s of chaos", self.seed, self.preset)?;
        let changed = changes(&preset, &self.config);
        if !changed.is_empty() {
            writeln!(f, "  config: {}", changed.join(", "))?;
        }
        if self.link != Link::default() {
            writeln!(f, "  link: {:?}", self.link)?;
        }
        writeln!(f, "  sockets hold {} datagrams", self.socket_buffer)?;
        for node in &self.nodes {
            let (number, start, seeds) = (node.number, node.start.as_secs_f64(), &node.seeds);
            writeln!(f, "  node {number}: starts at {start:.3} s, joins through {seeds:?}, {} bytes", node.meta)?;
        }
        for planned in &self.faults {
            writeln!(f, "  fault {}: {}", planned.number, planned.fault)?;
        }
        Ok(())
    }
}

/// The fields in which one config differs from another, whatever fields there are.
fn changes(from: &Config, to: &Config) -> Vec<String> {
    let fields = |config: &Config| serde_json::to_value(config).expect("a config can be written");
    let (from, to) = (fields(from), fields(to));
    let Some(to) = to.as_object() else { return Vec::new() };
    let changed = to.iter().filter(|(name, value)| from.get(name) != Some(value));
    changed
        .map(|(name, value)| match (value["secs"].as_u64(), value["nanos"].as_u64()) {
            (Some(secs), Some(nanos)) => format!("{name} {:?}", Duration::new(secs, nanos as u32)),
            _ => format!("{name} {value}"),
        })
        .collect()
}
