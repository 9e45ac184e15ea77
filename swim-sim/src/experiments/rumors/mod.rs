//! Rumors on the real nodes: how fast one gets to all, at what cost, and how many would never hear of it if there were
//! nothing behind the copies that are told.

mod spread;
mod stop;

use swim_core::{Config, Event, RumorId};

use super::real::Cluster;
use super::table::Table;
use crate::host::NodeIx;
use crate::link::percent;

/// A subject, with a table of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RumorsTable {
    /// From the broadcast until all have it, by size and loss. A trial is a rumor.
    Spread = 1,
    /// What the stop policies leave over, beside the tables of Demers et al. 1987. A trial is a rumor.
    Stop = 2,
}

/// What to measure for a table of rumors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RumorsArgs {
    /// The table.
    pub table: RumorsTable,
    /// All draws come from this.
    pub seed: u64,
    /// How often every row is tried; none counts as one. By default it hangs on the size.
    pub trials: Option<u32>,
    /// The numbers of nodes, for each of which there are rows; fewer than five count as five.
    pub sizes: Vec<u32>,
    /// Chances per million that a datagram is lost, for each of which there are rows; `Stop` has no loss.
    pub losses: Vec<u32>,
    /// The counters and coins `k` of `Stop`.
    pub ks: Vec<u32>,
    /// The budgets λ of `Stop`, in percent.
    pub lambdas: Vec<u32>,
}

impl RumorsArgs {
    /// The sizes and policies that are documented; the sizes of the paper, where it is about one.
    pub fn of(table: RumorsTable) -> Self {
        let sizes = match table {
            RumorsTable::Spread => vec![10, 100, 1_000],
            RumorsTable::Stop => vec![super::published::DEMERS_NODES],
        };
        let losses = [0, 10, 25, 50].map(percent).to_vec();
        Self { table, seed: 1, trials: None, sizes, losses, ks: (1..=5).collect(), lambdas: vec![100, 170, 300] }
    }

    fn trials(&self, n: usize) -> u32 {
        let default = match self.table {
            RumorsTable::Spread => (30_000 / n as u32).clamp(20, 1_000),
            RumorsTable::Stop => 100,
        };
        self.trials.unwrap_or(default).max(1)
    }

    fn sizes(&self) -> impl Iterator<Item = usize> + '_ {
        self.sizes.iter().map(|&n| n.max(5) as usize)
    }
}

/// One table of what rumors do.
pub fn rumors(args: &RumorsArgs) -> Table {
    let mut table = match args.table {
        RumorsTable::Spread => spread::measure(args),
        RumorsTable::Stop => stop::measure(args),
    };
    table.note(format!("seed {}", args.seed));
    table
}

fn config() -> Config {
    Config::lan("sim")
}

/// Some node, drawn, broadcasts at some moment of a gossip interval. Events before it are forgotten.
fn broadcast(c: &mut Cluster) -> (NodeIx, RumorId) {
    c.run_a_part_of(config().gossip_interval);
    c.forget_events();
    let origin = c.any_but_the_first(1)[0];
    c.w.handle(origin).broadcast("experiment", b"what everybody should know").expect("it fits into a datagram");
    // The origin delivers it to itself.
    c.w.run(std::time::Duration::ZERO);
    let of_rumor = |event: &Event| if let Event::Rumor { id } = event { Some(*id) } else { None };
    let told = c.w.events(origin).iter().find_map(|(_, event)| of_rumor(event));
    (origin, told.expect("the origin hears its own rumor at once"))
}

/// Copies that all nodes have put into datagrams.
fn copies(c: &Cluster) -> u64 {
    c.nodes.iter().map(|&node| c.w.node(node).stats().rumors_sent).sum()
}

fn nobody_tells(c: &Cluster) -> bool {
    c.nodes.iter().all(|&node| c.w.node(node).rumors_hot() == 0)
}
