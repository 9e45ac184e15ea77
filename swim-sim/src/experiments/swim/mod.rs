//! What Das, Gupta and Motivala measured of SWIM, "SWIM: Scalable Weakly-consistent Infection-style Process Group
//! Membership Protocol", DSN 2002, and what follows from its analysis.
//!
//! The real nodes are measured here, in a [`crate::World`]. Where a figure of the paper is of a model in which all act at
//! once, the model is measured beside them.

mod detection;
mod dissemination;
mod false_positives;
mod group;
mod joins;
mod load;
#[cfg(test)]
mod tests;

use std::time::Duration;

use swim_core::Config;

use super::table::Table;

/// A subject of the paper, with a table of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwimTable {
    /// How long it takes until the first member notices a crash. A trial is a crash.
    Detection = 1,
    /// Datagrams per member and period. A trial is a period.
    Load = 2,
    /// How long it takes until all know, by what rides on pings and acks alone. A trial is an update.
    Dissemination = 3,
    /// How often the probe of a healthy member fails, by loss and number of relays. A trial is a probe.
    FalsePositives = 4,
    /// What is left of a group whose members join one after the other, at 10 % loss. A trial is such a group.
    Joins = 5,
}

/// What to measure for a table of SWIM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwimArgs {
    /// The table.
    pub table: SwimTable,
    /// All draws come from this.
    pub seed: u64,
    /// How often every row is tried; none counts as one.
    pub trials: u32,
    /// The numbers of nodes, for each of which there are rows; fewer than five count as five, so that there are relays.
    pub sizes: Vec<u32>,
}

impl SwimArgs {
    /// The sizes of the paper, and as many trials as the digits that are shown need.
    pub fn of(table: SwimTable) -> Self {
        let (trials, sizes) = match table {
            SwimTable::Detection => (10_000, vec![10, 100]),
            SwimTable::Load => (100, vec![10, 100, 1_000]),
            SwimTable::Dissemination => (40, vec![56, 128, 1_000]),
            SwimTable::FalsePositives => (1_000_000, vec![16]),
            SwimTable::Joins => (200, vec![17]),
        };
        Self { table, seed: 1, trials, sizes }
    }

    fn trials(&self) -> u32 {
        self.trials.max(1)
    }

    fn sizes(&self) -> impl Iterator<Item = usize> + '_ {
        self.sizes.iter().map(|&n| n.max(5) as usize)
    }
}

/// One table of SWIM's figures, measured and published side by side.
pub fn swim(args: &SwimArgs) -> Table {
    let mut table = match args.table {
        SwimTable::Detection => detection::measure(args),
        SwimTable::Load => load::measure(args),
        SwimTable::Dissemination => dissemination::measure(args),
        SwimTable::FalsePositives => false_positives::measure(args),
        SwimTable::Joins => joins::measure(args),
    };
    table.note(format!("seed {}", args.seed));
    table
}

/// The preset lan without gossip ticks, and with the paper's budget of 3 ln(n+1) sends: a tick comes at the earliest so
/// long after the start of a node.
fn pings_and_acks_alone() -> Config {
    const DAY: Duration = Duration::from_secs(24 * 3_600);
    let mut config = Config::lan("sim");
    config.gossip_interval = DAY;
    config.tombstone_ttl = 366 * DAY;
    config.retransmit_lambda_percent = 300;
    config
}
