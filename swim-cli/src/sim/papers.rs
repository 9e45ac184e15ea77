//! `swim sim experiment swim` and `... rapid`: the papers' experiments on the real nodes.

use std::time::Duration;

use clap::{Args, ValueEnum};
use swim_sim::experiments::{RapidArgs, RapidFound, RapidTable, SwimArgs, SwimTable, Table, rapid, swim};

use super::experiment::Common;
use crate::output::Failure;
use crate::plot::{Axis, Plot, Scale};

#[derive(Debug, Args)]
pub(crate) struct Swim {
    #[command(flatten)]
    common: Common,
    /// What is measured. A plot is drawn of dissemination if it is among them, else of the first.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [SwimSubject::Detection, SwimSubject::Load, SwimSubject::Dissemination, SwimSubject::FalsePositives, SwimSubject::Joins])]
    table: Vec<SwimSubject>,
    /// Cluster sizes; by default those that the table is about. 10000 nodes take several gigabytes.
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(5..=10_000))]
    nodes: Vec<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SwimSubject {
    /// Periods from a crash to the first who notices; a trial is a crash.
    Detection,
    /// Datagrams per member and period; a trial is a period.
    Load,
    /// Periods until all know, by pings and acks alone; a trial is an update.
    Dissemination,
    /// Failed probes of healthy members, by loss and relays; a trial is a probe.
    FalsePositives,
    /// 17 joins at 10 % loss; a trial is such a group.
    Joins,
}

impl SwimSubject {
    fn table(self) -> SwimTable {
        match self {
            Self::Detection => SwimTable::Detection,
            Self::Load => SwimTable::Load,
            Self::Dissemination => SwimTable::Dissemination,
            Self::FalsePositives => SwimTable::FalsePositives,
            Self::Joins => SwimTable::Joins,
        }
    }

    fn plot(self, table: &Table) -> Plot {
        use Scale::{Linear, Log};
        let by_size = |what: &str, heads: &[&'static str]| {
            let plots = heads.iter().map(|&head| (head, Plot::of_table(table, ("nodes", Log), (head, Linear), &[])));
            Plot { y: Axis::new(what, Linear), ..Plot::merged(&table.title, plots) }
        };
        match self {
            Self::Detection => by_size("periods", &["model", "first ping", "first suspicion"]),
            Self::Load => by_size("datagrams per member and period", &["sent", "received"]),
            Self::Dissemination => by_size("periods", &["half know", "all know"]),
            Self::FalsePositives => Plot::of_table(table, ("loss %", Linear), ("failed", Log), &["k", "direct pings"]),
            Self::Joins => Plot::of_table(table, ("joins", Linear), ("size", Linear), &["version"]),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Rapid {
    #[command(flatten)]
    common: Common,
    /// What is measured; a trial is a run. A plot is drawn of faults that last.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [RapidSubject::Bootstrap, RapidSubject::Crash, RapidSubject::FlipFlop, RapidSubject::EgressLoss])]
    table: Vec<RapidSubject>,
    /// The cluster's size; by default 500 for the bootstrap, for which 2000 are published, and 1000 otherwise.
    #[arg(long, value_parser = clap::value_parser!(u32).range(10..=10_000))]
    nodes: Option<u32>,
    /// How long faults last that last, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    span: u64,
    /// Print the curves of a plot as tables, too.
    #[arg(long)]
    curves: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RapidSubject {
    /// All join through one seed at once.
    Bootstrap,
    /// One in a hundred crashes.
    Crash,
    /// One in a hundred hears nothing for 20 s, then everything for 20 s, and so on.
    FlipFlop,
    /// One in a hundred loses 80 % of what it sends.
    EgressLoss,
}

impl RapidSubject {
    fn table(self) -> RapidTable {
        match self {
            Self::Bootstrap => RapidTable::Bootstrap,
            Self::Crash => RapidTable::Crash,
            Self::FlipFlop => RapidTable::FlipFlop,
            Self::EgressLoss => RapidTable::EgressLoss,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Bootstrap => "bootstrap",
            Self::Crash => "crash",
            Self::FlipFlop => "flip-flop",
            Self::EgressLoss => "egress loss",
        }
    }

    /// Only a fault that lasts has a curve.
    fn lasts(self) -> bool {
        matches!(self, Self::FlipFlop | Self::EgressLoss)
    }
}

impl Swim {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let tables: Vec<Table> = self.table.iter().map(|&subject| self.measure(subject)).collect();
        self.common.show(&tables.iter().collect::<Vec<_>>(), || {
            let at = self.table.iter().position(|&subject| subject == SwimSubject::Dissemination).unwrap_or(0);
            self.table[at].plot(&tables[at])
        })
    }

    fn measure(&self, subject: SwimSubject) -> Table {
        let default = SwimArgs::of(subject.table());
        swim(&SwimArgs {
            seed: self.common.seed(),
            trials: self.common.trials().unwrap_or(default.trials),
            sizes: if self.nodes.is_empty() { default.sizes } else { self.nodes.clone() },
            table: default.table,
        })
    }
}

impl Rapid {
    pub(super) fn run(&self) -> Result<(), Failure> {
        if self.common.plots() && !self.table.iter().any(|subject| subject.lasts()) {
            let text = "there is no curve in this: ask for --table flip-flop or egress-loss with --plot";
            return Err(Failure::Usage(text.to_owned()));
        }
        let found: Vec<RapidFound> = self.table.iter().map(|&subject| self.measure(subject)).collect();
        let tables = found.iter().flat_map(|f| [Some(&f.summary), f.curve.as_ref().filter(|_| self.curves)]);
        self.common.show(&tables.flatten().collect::<Vec<_>>(), || {
            let curves =
                self.table.iter().zip(&found).filter_map(|(subject, f)| Some((subject.name(), f.curve.as_ref()?)));
            let plot = |table| Plot::of_table(table, ("s", Scale::Linear), ("members", Scale::Linear), &["process"]);
            let title = "Members that healthy processes see (Suresh et al. 2018)";
            Plot::merged(title, curves.map(|(name, table)| (name, plot(table))))
        })
    }

    fn measure(&self, subject: RapidSubject) -> RapidFound {
        let default = RapidArgs::of(subject.table());
        rapid(&RapidArgs {
            seed: self.common.seed(),
            trials: self.common.trials().unwrap_or(default.trials),
            nodes: self.nodes.unwrap_or(default.nodes),
            span: Duration::from_secs(self.span),
            table: default.table,
        })
    }
}
