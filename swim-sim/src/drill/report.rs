//! What a drill has shown. Times are in milliseconds, with microseconds behind the point.

use std::time::Duration;

use serde::Serialize;

/// All that a drill has shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Nodes that formed the cluster.
    pub nodes: usize,
    /// The seed.
    pub seed: u64,
    /// How long it was watched, in seconds.
    pub duration_s: f64,
    /// How it formed.
    pub forming: Forming,
    /// What followed from each fault, in the order of their times.
    pub faults: Vec<FaultReport>,
    /// Members declared dead while their process ran and could be reached: these are errors.
    pub false_deaths: Deaths,
    /// Members declared dead while their process ran, by nodes that they were cut off from, or while it was paused. No
    /// detector can tell that from a crash.
    pub apart_deaths: Deaths,
    /// Members declared dead whose process had ended.
    pub true_deaths: Deaths,
    /// Suspicions of members that ran and could be reached, each told by how many nodes whatsoever.
    pub false_suspicions: u64,
    /// How often a node raised its incarnation to refute.
    pub refutations: u64,
    /// What nodes sent.
    pub traffic: TrafficReport,
    /// Who sees what in the end.
    pub agreement: Agreement,
    /// Second by second.
    #[serde(skip)]
    pub samples: Vec<Sample>,
    /// Of the whole run: two with the same digest did the same, byte for byte. 16 hex digits.
    pub digest: String,
}

/// How the cluster formed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Forming {
    /// From the start of the first node until every node saw every other. They were started within a second.
    pub formed_ms: f64,
    /// Bytes that were sent per node by then, headers of IPv4 and UDP included.
    pub bytes_per_node: f64,
    /// Bytes that the first node sent, through which all joined.
    pub seed_bytes: f64,
}

/// What followed from one fault.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FaultReport {
    /// As the fault is labelled.
    pub fault: String,
    /// When it happened, in seconds of the drill.
    pub at_s: f64,
    /// When it ended.
    pub until_s: Option<f64>,
    /// Whom it befell.
    pub nodes: Vec<String>,
    /// Whom it was to befall, when that was a number: fewer may have been running.
    pub wanted: Option<u32>,
    /// From the fault to the first suspicion of each by a node that it did not befall.
    pub first_suspicion: Option<Spread>,
    /// To the first of them that held it for dead.
    pub first_dead: Option<Spread>,
    /// Until all of them did, of those members of which all did.
    pub dead_everywhere: Option<Spread>,
    /// Until all had heard the goodbye.
    pub left_everywhere: Option<Spread>,
    /// From the start of each process that the fault started until all others saw it in that life.
    pub up_everywhere: Option<Spread>,
    /// Members that anybody suspected from its begin until the views were right again.
    pub suspected_members: usize,
    /// Refutations in that time.
    pub refutations: u64,
    /// From the fault's end, or from the fault when it has none, until all running nodes saw exactly those that run, at
    /// the same incarnations; looked at every 50 ms. `None`: not till the end of the drill.
    pub right_again_ms: Option<f64>,
}

/// Several times, or rates.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// How many.
    pub count: usize,
    /// The least.
    pub min: f64,
    /// Their mean.
    pub mean: f64,
    /// The greatest.
    pub max: f64,
}

/// Deaths that were declared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Deaths {
    /// Lives of members that were declared dead.
    pub members: usize,
    /// How many nodes reported one.
    pub reports: u64,
}

/// What nodes sent, with 28 bytes of IPv4 and UDP header for each datagram. They received as much, less what was lost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TrafficReport {
    /// Per node and second, while no fault was going on, the views were right, and all of it was told; `None` when that
    /// was never so.
    pub idle: Option<Traffic>,
    /// Per node and second over the whole drill.
    pub whole: Traffic,
    /// In the second in which most bytes were sent, per node.
    pub peak: Traffic,
    /// When that second began, in seconds of the drill.
    pub peak_at_s: f64,
    /// Datagrams per second over the nodes, each over the time that it ran.
    pub datagrams_by_node: Spread,
    /// Bytes per second over the nodes.
    pub bytes_by_node: Spread,
}

/// Rates per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Traffic {
    /// Datagrams.
    pub datagrams: f64,
    /// Bytes.
    pub bytes: f64,
}

/// Who sees what in the end.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Agreement {
    /// All running nodes see exactly those that run, at the same incarnations.
    pub converged: bool,
    /// Nodes whose process runs, or is paused.
    pub running: usize,
    /// Of the running nodes those that see something else, at most ten of them.
    pub unlike: Vec<Unlike>,
    /// How many there are.
    pub unlike_count: usize,
}

/// A node that does not see what there is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Unlike {
    /// Its name.
    pub node: String,
    /// Live members that it sees, itself included.
    pub sees: usize,
    /// Of those that run, the ones that it does not see; at most five.
    pub misses: Vec<String>,
    /// Live members that it sees although they do not run; at most five.
    pub ghosts: Vec<String>,
    /// Those that it sees in another incarnation than they are in; at most five.
    pub outdated: Vec<String>,
}

/// One second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// When it ends.
    pub at: Duration,
    /// Nodes whose process runs.
    pub running: usize,
    /// Live members seen: the fewest, the median and the most, over the running nodes.
    pub live: [usize; 3],
    /// Members that are suspected by at least one running node.
    pub suspected: usize,
    /// Sent per running node.
    pub sent: Traffic,
}

impl Spread {
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let count = values.len();
        let (min, max) = values.iter().fold((f64::MAX, f64::MIN), |(min, max), &v| (min.min(v), max.max(v)));
        (count > 0).then(|| Self { count, min, mean: values.iter().sum::<f64>() / count as f64, max })
    }
}
