//! `swim sim experiment lifeguard`: the grid on the command line, and what is measured on it.

use clap::{Args, ValueEnum};
use swim_sim::experiments::{LifeguardArgs, LifeguardTable, Table, lifeguard};

use crate::output::Failure;
use crate::plot::{Axis, Plot, Scale};

#[derive(Debug, Args)]
pub(crate) struct Lifeguard {
    #[command(flatten)]
    pub(super) common: super::experiment::Common,
    /// Which of the tables.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Which::Configurations, Which::Alpha])]
    table: Vec<Which>,
    /// The cluster's size.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(8..=10_000))]
    nodes: u32,
    /// C: how many members are blocked at the same time; at most half of the cluster.
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=5_000))]
    concurrent: Option<Vec<u32>>,
    /// D: for how long at a time, in milliseconds.
    #[arg(long, value_name = "MS", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=600_000))]
    duration: Option<Vec<u32>>,
    /// I: for how long they run freely in between, in milliseconds.
    #[arg(long, value_name = "MS", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=600_000))]
    interval: Option<Vec<u32>>,
    /// How long a member that is blocked now and then takes to read one datagram, in microseconds.
    #[arg(long, value_name = "MICROS", default_value_t = LifeguardArgs::default().read_micros)]
    read_micros: u32,
    /// The paper's whole grid, where the lists above say nothing else: 432 cells, an hour or so.
    #[arg(long)]
    full_grid: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Which {
    /// SWIM, Lifeguard's parts, Lifeguard, and this project with all that it has.
    Configurations,
    /// Lifeguard with shorter suspicions.
    Alpha,
}

impl Lifeguard {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let alpha = self.table.iter().position(|&which| which == Which::Alpha);
        if self.common.plots() && alpha.is_none() {
            return Err(Failure::Usage("there is no curve in this: ask for --table alpha with --plot".to_owned()));
        }
        let tables = self.measure();
        self.common.show(&tables.iter().collect::<Vec<_>>(), || {
            let table = &tables[alpha.expect("looked for above")];
            let curve = |head: &'static str| {
                (head, Plot::of_table(table, ("alpha", Scale::Linear), (head, Scale::Linear), &[]))
            };
            let plot = Plot::merged(&table.title, ["all %", "FP %"].map(curve).into_iter());
            Plot { y: Axis::new("% of SWIM at alpha 5", Scale::Linear), ..plot }
        })
    }

    fn measure(&self) -> Vec<Table> {
        let default = if self.full_grid { LifeguardArgs::full_grid() } else { LifeguardArgs::default() };
        let table = |which: &Which| match which {
            Which::Configurations => LifeguardTable::Configurations,
            Which::Alpha => LifeguardTable::Alpha,
        };
        lifeguard(&LifeguardArgs {
            seed: self.common.seed(),
            trials: self.common.trials().unwrap_or(default.trials),
            nodes: self.nodes,
            concurrent: self.concurrent.clone().unwrap_or(default.concurrent),
            durations: self.duration.clone().unwrap_or(default.durations),
            intervals: self.interval.clone().unwrap_or(default.intervals),
            read_micros: self.read_micros,
            tables: self.table.iter().map(table).collect(),
        })
    }
}
