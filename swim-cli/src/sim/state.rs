//! `swim sim state`: how fast keys get to all, what they cost, and what happens when more is written than fits.

use std::time::Duration;

use clap::{Args, ValueEnum};
use swim_sim::experiments::{StateArgs, StateTable, Table, state};

use super::experiment::Common;
use crate::output::Failure;
use crate::plot::{Plot, Scale};

#[derive(Debug, Args)]
pub(crate) struct State {
    #[command(flatten)]
    common: Common,
    /// What is measured. A plot is drawn of the first.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Which::Bulk, Which::Change, Which::Overload])]
    table: Vec<Which>,
    /// Cluster sizes; by default 10, 100 and 1000, and 50 for overload. 1000 nodes with 20 keys each take several gigabytes.
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(5..=10_000))]
    nodes: Vec<u32>,
    /// Keys of each node, with values of 100 bytes. Overload writes as many as it takes.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=500))]
    keys: u32,
    /// For how long overload writes, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(5..=90))]
    span: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Which {
    /// Many keys of every node at once, of members and of nodes that start and join; a trial is a cluster.
    Bulk,
    /// One key changes, or one member's metadata; a trial is a change.
    Change,
    /// All write twice what fits, then stop; a trial is a cluster.
    Overload,
}

impl Which {
    fn table(self) -> StateTable {
        match self {
            Self::Bulk => StateTable::Bulk,
            Self::Change => StateTable::Change,
            Self::Overload => StateTable::Overload,
        }
    }

    fn plot(self, table: &Table) -> Plot {
        use Scale::{Linear, Log};
        match self {
            Self::Bulk => Plot::of_table(table, ("nodes", Log), ("seconds", Linear), &["the nodes"]),
            Self::Change => Plot::of_table(table, ("nodes", Log), ("all know", Linear), &["what changes"]),
            Self::Overload => Plot::of_table(table, ("nodes", Log), ("ratio", Linear), &[]),
        }
    }
}

impl State {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let tables: Vec<Table> = self.table.iter().map(|&which| self.measure(which)).collect();
        self.common.show(&tables.iter().collect::<Vec<_>>(), || self.table[0].plot(&tables[0]))
    }

    fn measure(&self, which: Which) -> Table {
        let default = StateArgs::of(which.table());
        state(&StateArgs {
            table: default.table,
            seed: self.common.seed(),
            trials: self.common.trials().unwrap_or(default.trials),
            sizes: if self.nodes.is_empty() { default.sizes } else { self.nodes.clone() },
            keys: self.keys,
            span: Duration::from_secs(self.span),
        })
    }
}
