//! What Suresh et al. measured, "Stable and Consistent Membership at Scale with Rapid", USENIX ATC 2018, of their own
//! system and of memberlist, an implementation of SWIM and Lifeguard, at its defaults.
//!
//! The real nodes at the preset lan are measured here, in a [`crate::World`]. The paper's processes ran on real machines,
//! several on each, and shared its processors; ours share nothing, and start at one instant. So the times of a bootstrap
//! are to be read with care.

mod bootstrap;
mod crash;
mod faults;
#[cfg(test)]
mod tests;

use std::time::Duration;

use super::table::Table;
use crate::link::secs;
use crate::world::World;

/// An experiment of the paper, with a table of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RapidTable {
    /// All processes join through one seed at once.
    Bootstrap = 1,
    /// One in a hundred processes crashes, all at one instant.
    Crash = 2,
    /// One in a hundred processes hears nothing for 20 s, then everything for 20 s, and so on; it is always heard.
    FlipFlop = 3,
    /// One in a hundred processes loses four in five of the datagrams that it sends.
    EgressLoss = 4,
}

/// What to measure for a table of Rapid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RapidArgs {
    /// The table.
    pub table: RapidTable,
    /// All draws come from this.
    pub seed: u64,
    /// How often the experiment is run; none counts as once.
    pub trials: u32,
    /// The number of processes; fewer than ten count as ten.
    pub nodes: u32,
    /// How long the faults of [`RapidTable::FlipFlop`] and [`RapidTable::EgressLoss`] last.
    pub span: Duration,
}

impl RapidArgs {
    /// The paper's size where that is a matter of seconds; a bootstrap of 2000 takes some more.
    pub fn of(table: RapidTable) -> Self {
        let nodes = if table == RapidTable::Bootstrap { 500 } else { 1_000 };
        Self { table, seed: 1, trials: 3, nodes, span: secs(300) }
    }

    fn trials(&self) -> u32 {
        self.trials.max(1)
    }

    fn nodes(&self) -> usize {
        self.nodes.max(10) as usize
    }

    /// How many of them something befalls.
    fn faulty(&self) -> usize {
        (self.nodes() / 100).max(1)
    }
}

/// What an experiment of Rapid has found.
#[derive(Clone, Debug, PartialEq)]
pub struct RapidFound {
    /// All trials in one row, beside what was published.
    pub summary: Table,
    /// For faults that last: what the healthy processes saw in the first trial, every five seconds.
    pub curve: Option<Table>,
}

/// One experiment of Rapid's, beside the published values.
pub fn rapid(args: &RapidArgs) -> RapidFound {
    let mut found = match args.table {
        RapidTable::Bootstrap => RapidFound { summary: bootstrap::measure(args), curve: None },
        RapidTable::Crash => RapidFound { summary: crash::measure(args), curve: None },
        RapidTable::FlipFlop | RapidTable::EgressLoss => faults::measure(args),
    };
    for table in [Some(&mut found.summary), found.curve.as_mut()].into_iter().flatten() {
        table.note(format!("seed {}", args.seed));
    }
    found
}

/// Which sizes of the cluster were seen, by anybody.
struct Sizes(Vec<bool>);

impl Sizes {
    /// None yet, of a cluster of `n`.
    fn of(n: usize) -> Self {
        Self(vec![false; n + 1])
    }

    fn see(&mut self, size: usize) {
        self.0[size] = true;
    }

    /// What all running processes see now.
    fn look(&mut self, w: &World) {
        w.nodes().filter(|&node| w.is_running(node)).for_each(|node| self.see(w.node(node).live_count()));
    }

    fn distinct(&self) -> u64 {
        self.0.iter().filter(|&&seen| seen).count() as u64
    }
}

/// Bytes that all nodes have received and sent, with all headers.
fn bytes(w: &World) -> [u64; 2] {
    let received = |node| {
        let stats = w.node(node).stats();
        stats.bytes_received + (w.header_len as u64 + 28) * stats.datagrams_received
    };
    [w.nodes().map(received).sum(), w.sent_total().wire_bytes()]
}
