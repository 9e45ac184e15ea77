//! What the papers publish and what these models measure, side by side.
//!
//! [`rounds`], [`demers`] and [`residue`] run no protocol: each is a model of a paper, on rounds in which all nodes act at
//! once, or on no time at all. [`swim`], [`rapid`] and [`lifeguard`] run the real nodes in a [`crate::World`]; where a figure of the paper
//! is of a model, that is beside them. [`rumors`] and [`state`] run them, too, and are this project's own. Each gives a [`Table`] with the standard error of what it measured beside what it
//! should be. Experiments are deterministic: the same arguments give the same table, in every build.
//!
//! ```
//! use swim_sim::experiments::{Mode, RoundsArgs, rounds};
//! let args = RoundsArgs { trials: 10, modes: vec![Mode::Push], sizes: vec![10], ..RoundsArgs::default() };
//! println!("{}", rounds(&args));
//! assert_eq!(rounds(&args).to_json(), rounds(&args).to_json());
//! ```

mod demers;
mod exact;
mod lifeguard;
mod published;
mod rapid;
mod real;
mod residue;
mod rounds;
mod rumors;
mod state;
mod swim;
mod table;
mod tally;
#[cfg(test)]
mod tests;

pub use demers::{DemersArgs, Rumor, demers};
pub use lifeguard::{LifeguardArgs, LifeguardTable, lifeguard};
pub use rapid::{RapidArgs, RapidFound, RapidTable, rapid};
pub use residue::{ResidueArgs, residue};
pub use rounds::{Mode, RoundsArgs, rounds};
pub use rumors::{RumorsArgs, RumorsTable, rumors};
pub use state::{StateArgs, StateTable, state};
pub use swim::{SwimArgs, SwimTable, swim};
pub(crate) use table::six_digits;
pub use table::{Cell, Table};

use crate::rng::{Purpose, Stream, mix64};

/// The draws of one row of a table. They hang on what the row is, not on where it stands, so a table of fewer rows
/// shows the same numbers.
fn draws(seed: u64, row: &[u64]) -> Stream {
    Stream::new(row.iter().fold(seed, |seed, &part| mix64(seed).wrapping_add(part)), Purpose::Experiment)
}

/// One of the `n` nodes, each other than `me` with the same chance.
fn other(draws: &mut Stream, n: usize, me: usize) -> usize {
    let drawn = draws.within(0, n as u64 - 2) as usize;
    drawn + usize::from(drawn >= me)
}

/// Models need somebody to tell: fewer than two nodes count as two.
fn at_least_two(nodes: u32) -> usize {
    nodes.max(2) as usize
}
