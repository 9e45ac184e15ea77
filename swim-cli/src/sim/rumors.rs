//! `swim sim rumors`: how rumors spread, and what their stop policies leave over.

use clap::{Args, ValueEnum};
use swim_sim::experiments::{RumorsArgs, RumorsTable, Table, rumors};
use swim_sim::percent;

use super::experiment::Common;
use crate::output::Failure;
use crate::plot::{Plot, Scale};

#[derive(Debug, Args)]
pub(crate) struct Rumors {
    #[command(flatten)]
    common: Common,
    /// What is measured; a trial is a rumor. A plot is drawn of the first.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Which::Spread, Which::Stop])]
    table: Vec<Which>,
    /// Cluster sizes; by default 10, 100 and 1000, and 1000 for the stop policies, of which that is published.
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(5..=10_000))]
    nodes: Vec<u32>,
    /// Loss in percent.
    #[arg(long, value_name = "PERCENT", value_delimiter = ',', default_values_t = [0, 10, 25, 50], value_parser = clap::value_parser!(u32).range(0..=90))]
    loss: Vec<u32>,
    /// The counters and coins k.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 3, 4, 5], value_parser = clap::value_parser!(u32).range(1..=32))]
    k: Vec<u32>,
    /// The budgets λ, in percent: of 170, a node tells a rumor 1.7 ln(n+1) times.
    #[arg(long, value_name = "PERCENT", value_delimiter = ',', default_values_t = [100, 170, 300], value_parser = clap::value_parser!(u32).range(50..=1_000))]
    budget: Vec<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Which {
    /// From the broadcast until all have it, by size and loss.
    Spread,
    /// What the stop policies leave over, by gossip ticks alone (Demers et al. 1987).
    Stop,
}

impl Which {
    fn table(self) -> RumorsTable {
        match self {
            Self::Spread => RumorsTable::Spread,
            Self::Stop => RumorsTable::Stop,
        }
    }

    fn plot(self, table: &Table) -> Plot {
        use Scale::{Linear, Log};
        match self {
            Self::Spread => Plot::of_table(table, ("nodes", Log), ("all have it", Linear), &["loss %"]),
            Self::Stop => Plot::of_table(table, ("k", Linear), ("residue s", Log), &["policy"]),
        }
    }
}

impl Rumors {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let tables: Vec<Table> = self.table.iter().map(|&which| self.measure(which)).collect();
        self.common.show(&tables.iter().collect::<Vec<_>>(), || self.table[0].plot(&tables[0]))
    }

    fn measure(&self, which: Which) -> Table {
        let default = RumorsArgs::of(which.table());
        rumors(&RumorsArgs {
            table: default.table,
            seed: self.common.seed(),
            trials: self.common.trials(),
            sizes: if self.nodes.is_empty() { default.sizes } else { self.nodes.clone() },
            losses: self.loss.iter().copied().map(percent).collect(),
            ks: self.k.clone(),
            lambdas: self.budget.clone(),
        })
    }
}
