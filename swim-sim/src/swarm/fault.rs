//! The faults of a plan.

use std::fmt;
use std::time::Duration;

use crate::clog::Clog;
use crate::fabric::Way;

/// A fault, and when it begins and ends, counted from the beginning of the run. Nodes are those of the plan, by their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub what: What,
    /// When it begins.
    pub from: Duration,
    /// When it ends; at the end of the chaos at the latest. Of no meaning where there is nothing to end.
    pub until: Duration,
}

/// What can be done to the nodes of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// These are cut off from those.
    Cut {
        /// One side.
        these: Vec<usize>,
        /// The other.
        those: Vec<usize>,
        /// Which way.
        way: Way,
    },
    /// Every input takes so long.
    Slow {
        /// Whom.
        node: usize,
        /// How long.
        per_input: Duration,
    },
    /// The process gets no processor.
    Pause {
        /// Whose.
        node: usize,
    },
    /// What the process sends waits, and so does what arrives; its timers fire.
    Block {
        /// Whose.
        node: usize,
    },
    /// The clock goes wrong, by so many microseconds in a million.
    Drift {
        /// Whose.
        node: usize,
        /// By how much.
        ppm: i32,
    },
    /// The clock is put forward.
    ClockForth {
        /// Whose.
        node: usize,
        /// By how much.
        by: Duration,
    },
    /// The clock is put back.
    ClockBack {
        /// Whose.
        node: usize,
        /// By how much.
        by: Duration,
    },
    /// Processes are killed at one instant; at the end they come back in a life of this kind, or never.
    Kill {
        /// Whose.
        nodes: Vec<usize>,
        /// What they come back as.
        back: Option<Life>,
    },
    /// The process ends, and its next life begins at another address.
    Relocate {
        /// Whose.
        node: usize,
    },
    /// The process ends for good, and another node starts on its machine, with a name of its own.
    Replace {
        /// Whose.
        node: usize,
    },
    /// Says goodbye; at the end it may come back.
    Leave {
        /// Who.
        node: usize,
        /// Whether it comes back.
        back: bool,
    },
    /// Says something else about itself.
    Meta {
        /// Who.
        node: usize,
        /// How many bytes.
        len: usize,
    },
    /// Is told to join once more, with these seeds.
    Join {
        /// Who.
        node: usize,
        /// Whom it asks.
        seeds: Vec<usize>,
    },
    /// Everything that the node sends has one rate and one queue.
    Uplink {
        /// Whose.
        node: usize,
        /// How slow.
        clog: Clog,
    },
    /// Larger datagrams vanish between these two, both ways.
    BlackHole {
        /// One end.
        node: usize,
        /// The other.
        peer: usize,
        /// The largest that passes.
        mtu: usize,
    },
    /// A second process starts under the node's id, at another address; at the end one of the two is killed.
    Conflict {
        /// Whose id.
        node: usize,
        /// Whether the second process is the one that stays.
        second_stays: bool,
    },
    /// These stand at another site: so much later does everything come there, and back.
    Zone {
        /// Who.
        nodes: Vec<usize>,
        /// How much later.
        latency: Duration,
    },
    /// Entries are written: no fault, but it takes as long, and is dropped and named like one.
    Put {
        /// One of these at a time.
        nodes: Vec<usize>,
        /// One entry each time.
        every: Duration,
        /// Under one of so many keys of each.
        keys: usize,
        /// At most so many bytes.
        len: usize,
        /// They vanish by themselves.
        ttl: Option<Duration>,
    },
    /// Entries are deleted.
    Delete {
        /// One of these at a time.
        nodes: Vec<usize>,
        /// One entry each time.
        every: Duration,
        /// Under one of so many keys of each.
        keys: usize,
    },
    /// Rumors are broadcast.
    Broadcast {
        /// One of these at a time.
        nodes: Vec<usize>,
        /// One each time.
        every: Duration,
        /// At most so many bytes.
        len: usize,
    },
}

/// As what a process comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// In the next epoch, and knows nothing.
    Next,
    /// In the epoch of the life before, and knows nothing: restarted within a second, or its disk was put back.
    SameEpoch,
    /// In the first epoch again, and knows nothing: what it had written of its epochs is lost.
    FirstEpoch,
    /// In the next epoch, with what it knew when it was killed.
    WithState,
}

/// The words for all kinds of faults.
pub(crate) const KINDS: [&str; 25] = [
    "cut",
    "slow",
    "pause",
    "block",
    "drift",
    "clock-forth",
    "clock-back",
    "end",
    "restart",
    "restart-same-epoch",
    "restart-first-epoch",
    "restart-with-state",
    "relocate",
    "replace",
    "leave",
    "leave-and-return",
    "meta",
    "join-again",
    "uplink",
    "black-hole",
    "conflict",
    "zone",
    "put",
    "delete",
    "broadcast",
];

impl What {
    /// A word for the kind of fault.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Cut { .. } => "cut",
            Self::Slow { .. } => "slow",
            Self::Pause { .. } => "pause",
            Self::Block { .. } => "block",
            Self::Drift { .. } => "drift",
            Self::ClockForth { .. } => "clock-forth",
            Self::ClockBack { .. } => "clock-back",
            Self::Kill { back: None, .. } => "end",
            Self::Kill { back: Some(Life::Next), .. } => "restart",
            Self::Kill { back: Some(Life::SameEpoch), .. } => "restart-same-epoch",
            Self::Kill { back: Some(Life::FirstEpoch), .. } => "restart-first-epoch",
            Self::Kill { back: Some(Life::WithState), .. } => "restart-with-state",
            Self::Relocate { .. } => "relocate",
            Self::Replace { .. } => "replace",
            Self::Leave { back: false, .. } => "leave",
            Self::Leave { back: true, .. } => "leave-and-return",
            Self::Meta { .. } => "meta",
            Self::Join { .. } => "join-again",
            Self::Uplink { .. } => "uplink",
            Self::BlackHole { .. } => "black-hole",
            Self::Conflict { .. } => "conflict",
            Self::Zone { .. } => "zone",
            Self::Put { .. } => "put",
            Self::Delete { .. } => "delete",
            Self::Broadcast { .. } => "broadcast",
        }
    }

    /// Whether it is what applications do, and nothing goes wrong.
    pub(crate) const fn is_data(&self) -> bool {
        self.every().is_some()
    }

    /// Of what applications do: how often.
    pub(crate) const fn every(&self) -> Option<Duration> {
        match self {
            Self::Put { every, .. } | Self::Delete { every, .. } | Self::Broadcast { every, .. } => Some(*every),
            _ => None,
        }
    }

    /// Whether two lives of a node have the same epoch in it.
    pub(crate) const fn shares_epoch(&self) -> bool {
        matches!(self, Self::Kill { back: Some(Life::SameEpoch | Life::FirstEpoch), .. } | Self::Conflict { .. })
    }

    /// The same fault without some nodes; `None` when nothing is left of it.
    pub(crate) fn among(&self, kept: impl Fn(usize) -> bool) -> Option<Self> {
        let some = |nodes: &[usize]| -> Vec<usize> { nodes.iter().copied().filter(|&node| kept(node)).collect() };
        let mut what = self.clone();
        let left = match &mut what {
            Self::Cut { these, those, .. } => {
                (*these, *those) = (some(these), some(those));
                !these.is_empty() && !those.is_empty()
            }
            Self::Kill { nodes, .. }
            | Self::Zone { nodes, .. }
            | Self::Put { nodes, .. }
            | Self::Delete { nodes, .. }
            | Self::Broadcast { nodes, .. } => {
                *nodes = some(nodes);
                !nodes.is_empty()
            }
            Self::Join { node, seeds } => {
                *seeds = some(seeds);
                kept(*node) && !seeds.is_empty()
            }
            Self::BlackHole { node, peer, .. } => kept(*node) && kept(*peer),
            Self::Slow { node, .. }
            | Self::Pause { node }
            | Self::Block { node }
            | Self::Drift { node, .. }
            | Self::ClockForth { node, .. }
            | Self::ClockBack { node, .. }
            | Self::Relocate { node }
            | Self::Replace { node }
            | Self::Leave { node, .. }
            | Self::Meta { node, .. }
            | Self::Uplink { node, .. }
            | Self::Conflict { node, .. } => kept(*node),
        };
        left.then_some(what)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s to {:.3} s: {}", self.from.as_secs_f64(), self.until.as_secs_f64(), self.what)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind())?;
        match self {
            Self::Cut { these, those, way } => {
                let way = match way {
                    Way::Both => "and",
                    Way::To => "do not reach",
                    Way::From => "do not hear",
                };
                write!(f, "{these:?} {way} {those:?}")
            }
            Self::Slow { node, per_input } => write!(f, "{node}, {per_input:?} for each input"),
            Self::Drift { node, ppm } => write!(f, "{node}, {ppm} ppm"),
            Self::ClockForth { node, by } | Self::ClockBack { node, by } => write!(f, "{node} by {by:?}"),
            Self::Kill { nodes, .. } => write!(f, "{nodes:?}"),
            Self::Meta { node, len } => write!(f, "{node}, {len} bytes"),
            Self::Join { node, seeds } => write!(f, "{node} through {seeds:?}"),
            Self::Uplink { node, clog } => write!(f, "{node}, {} bytes/s, {} wait", clog.rate, clog.buffer),
            Self::BlackHole { node, peer, mtu } => write!(f, "{node} and {peer}, above {mtu} bytes"),
            Self::Conflict { node, second_stays } => {
                write!(f, "{node}, the {} stays", if *second_stays { "second" } else { "first" })
            }
            Self::Zone { nodes, latency } => write!(f, "{nodes:?}, {latency:?} away"),
            Self::Put { nodes, every, keys, len, ttl } => {
                write!(f, "{nodes:?}, every {every:?}, {keys} keys, to {len} bytes")?;
                ttl.map_or(Ok(()), |ttl| write!(f, ", for {ttl:?}"))
            }
            Self::Delete { nodes, every, keys } => write!(f, "{nodes:?}, every {every:?}, {keys} keys"),
            Self::Broadcast { nodes, every, len } => write!(f, "{nodes:?}, every {every:?}, to {len} bytes"),
            Self::Pause { node }
            | Self::Block { node }
            | Self::Relocate { node }
            | Self::Replace { node }
            | Self::Leave { node, .. } => write!(f, "{node}"),
        }
    }
}
