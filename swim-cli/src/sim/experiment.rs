//! `swim sim experiment`: what a paper measured, measured again.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use swim_sim::experiments::{DemersArgs, Mode, ResidueArgs, RoundsArgs, Rumor, Table, demers, residue, rounds};
use swim_sim::percent;

use super::lifeguard::Lifeguard;
use super::papers::{Rapid, Swim};
use crate::output::{Failure, Out};
use crate::plot::{Plot, Scale};

#[derive(Debug, Subcommand)]
pub(crate) enum Experiment {
    /// Synchronous rounds until all nodes know what one knew, by cluster size, fan-out and mode.
    Rounds(Rounds),
    /// Rumor mongering with counters and coins: residue, traffic and delay of Demers et al. 1987, tables 1 to 3.
    Demers(Demers),
    /// Who misses an update that every node sends so often, by that number and by loss.
    Residue(Residue),
    /// SWIM on the real nodes: first detection, load, dissemination, failed probes, 17 joins (Das et al. 2002).
    Swim(Swim),
    /// How often healthy members are declared failed while others are blocked: Lifeguard's configurations.
    Lifeguard(Lifeguard),
    /// Bootstrap, crash and lasting faults of large clusters on the real nodes (Suresh et al. 2018, Rapid).
    Rapid(Rapid),
}

/// What all experiments have in common.
#[derive(Clone, Debug, Args)]
pub(crate) struct Common {
    /// All chance is drawn from this: the same seed and trials give the same output on every machine.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How often every row is tried; by default enough for the digits shown.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    trials: Option<u32>,
    /// What is printed.
    #[arg(long, value_enum, default_value_t = TableFormat::Human)]
    format: TableFormat,
    /// Draw the curves into this SVG file as well.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum TableFormat {
    /// Aligned columns; a measured value reads: mean ± standard error (published or computed value).
    Human,
    /// One line per table, a JSON object: title, columns, rows, notes.
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Rounds {
    #[command(flatten)]
    common: Common,
    /// Cluster sizes.
    #[arg(long, value_delimiter = ',', default_values_t = [10, 100, 1_000, 10_000, 100_000], value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    nodes: Vec<u32>,
    /// How many others a node contacts in a round.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 3], value_parser = clap::value_parser!(u32).range(1..=64))]
    fan_out: Vec<u32>,
    /// Who tells whom.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Direction::Push, Direction::Pull, Direction::PushPull])]
    mode: Vec<Direction>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Direction {
    /// Who knows it tells.
    Push,
    /// Who does not know it asks.
    Pull,
    /// Both.
    PushPull,
}

#[derive(Debug, Args)]
pub(crate) struct Demers {
    #[command(flatten)]
    common: Common,
    /// Which of the paper's tables.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [PaperTable::PushCounter, PaperTable::PushCoin, PaperTable::PullCounter])]
    table: Vec<PaperTable>,
    /// The counters or coins k.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 3, 4, 5], value_parser = clap::value_parser!(u32).range(1..=64))]
    k: Vec<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PaperTable {
    /// Table 1: push, feedback and counter.
    PushCounter,
    /// Table 2: push, blind and coin.
    PushCoin,
    /// Table 3: pull, feedback and counter.
    PullCounter,
}

impl PaperTable {
    fn name(self) -> &'static str {
        match self {
            Self::PushCounter => "push, feedback and counter",
            Self::PushCoin => "push, blind and coin",
            Self::PullCounter => "pull, feedback and counter",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Residue {
    #[command(flatten)]
    common: Common,
    /// The cluster's size.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    nodes: u32,
    /// How often every node sends the update.
    #[arg(long, value_delimiter = ',', default_values_t = [2, 3, 4, 6, 8, 12, 16], value_parser = clap::value_parser!(u32).range(1..=64))]
    budget: Vec<u32>,
    /// Loss in percent.
    #[arg(long, value_name = "PERCENT", value_delimiter = ',', default_values_t = [0, 10, 25, 50], value_parser = clap::value_parser!(u32).range(0..=100))]
    loss: Vec<u32>,
}

pub(crate) fn run(experiment: &Experiment) -> Result<(), Failure> {
    use Scale::{Linear, Log};
    match experiment {
        Experiment::Rounds(args) => {
            let table = args.measure();
            args.common
                .show(&[&table], || Plot::of_table(&table, ("nodes", Log), ("rounds", Linear), &["mode", "fan-out"]))
        }
        Experiment::Demers(args) => {
            let tables = args.measure();
            args.common.show(&tables.iter().collect::<Vec<_>>(), || {
                let plot = |table| Plot::of_table(table, ("k", Linear), ("residue s", Log), &[]);
                let named = args.table.iter().zip(&tables).map(|(kind, table)| (kind.name(), plot(table)));
                Plot::merged("Residue of rumors (Demers et al. 1987)", named)
            })
        }
        Experiment::Residue(args) => {
            let table = args.measure();
            args.common.show(&[&table], || Plot::of_table(&table, ("F", Linear), ("somebody misses", Log), &["loss %"]))
        }
        Experiment::Swim(args) => args.run(),
        Experiment::Rapid(args) => args.run(),
        Experiment::Lifeguard(args) => args.run(),
    }
}

impl Common {
    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    pub(super) fn trials(&self) -> Option<u32> {
        self.trials
    }

    pub(super) fn plots(&self) -> bool {
        self.plot.is_some()
    }

    /// Prints the tables, and draws the curves when they were asked for.
    pub(super) fn show(&self, tables: &[&Table], plot: impl FnOnce() -> Plot) -> Result<(), Failure> {
        print(tables, self.format)?;
        self.plot.as_ref().map_or(Ok(()), |file| plot().write(file))
    }
}

impl Rounds {
    fn measure(&self) -> Table {
        let mode = |mode: &Direction| match mode {
            Direction::Push => Mode::Push,
            Direction::Pull => Mode::Pull,
            Direction::PushPull => Mode::PushPull,
        };
        let default = RoundsArgs::default();
        rounds(&RoundsArgs {
            seed: self.common.seed,
            trials: self.common.trials.unwrap_or(default.trials),
            modes: self.mode.iter().map(mode).collect(),
            fan_outs: self.fan_out.clone(),
            sizes: self.nodes.clone(),
        })
    }
}

impl Demers {
    fn measure(&self) -> Vec<Table> {
        let table = |table: &PaperTable| {
            let rumor = match table {
                PaperTable::PushCounter => Rumor::PushCounter,
                PaperTable::PushCoin => Rumor::PushCoin,
                PaperTable::PullCounter => Rumor::PullCounter,
            };
            let default = DemersArgs::default();
            let trials = self.common.trials.unwrap_or(default.trials);
            demers(&DemersArgs { seed: self.common.seed, trials, rumor, ks: self.k.clone(), ..default })
        };
        self.table.iter().map(table).collect()
    }
}

impl Residue {
    fn measure(&self) -> Table {
        let default = ResidueArgs::default();
        residue(&ResidueArgs {
            seed: self.common.seed,
            trials: self.common.trials.unwrap_or(default.trials),
            nodes: self.nodes,
            budgets: self.budget.clone(),
            losses: self.loss.iter().copied().map(percent).collect(),
        })
    }
}

fn print(tables: &[&Table], format: TableFormat) -> Result<(), Failure> {
    let mut out = Out::new();
    for (i, table) in tables.iter().enumerate() {
        match format {
            TableFormat::Human => {
                let gap = if i > 0 { "\n" } else { "" };
                out.line(format_args!("{gap}{}", table.to_string().trim_end()))?;
            }
            TableFormat::Json => {
                let json = serde_json::to_string(table).expect("strings and finite numbers can be written");
                out.line(format_args!("{json}"))?;
            }
        }
    }
    Ok(())
}
