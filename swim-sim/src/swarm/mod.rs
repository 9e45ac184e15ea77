//! Swarm runs: one seed draws a whole run, chaos with rules that hold at every step, then a calm in which the cluster must
//! become one again.
//!
//! A [`Plan`] has everything that a seed decides: who there is, how all are configured, what the network does, and which
//! faults befall whom and when. Which kinds of faults there are is drawn for each run, so one run is all about clocks, the
//! next about restarts, and a few have no fault at all. While the plan takes place, every input of every node is followed by
//! the checkers ([`Checker`]); the first violation ends the run. Then all faults end, whoever should run runs, and within a
//! [`Bound`] that follows from the config everybody must know exactly everybody, and from then on nothing may happen any
//! more.
//!
//! ```
//! use swim_sim::swarm::{Plan, run};
//!
//! let outcome = run(&Plan::draw(1));
//! assert!(outcome.violation.is_none(), "{:?}", outcome.violation);
//! ```

mod batch;
mod bound;
mod calm;
mod chaos;
mod coverage;
mod data;
mod draw;
mod fault;
mod owner;
mod plan;
mod reader;
mod replay;
mod run;
mod sends;
mod shadow;
mod shrink;
#[cfg(test)]
mod tests;
mod turns;
mod verdict;
mod violation;
mod watch;

pub use batch::{Batch, BatchArgs, COVERING, batch, batch_of};
pub use bound::Bound;
pub use coverage::Coverage;
pub(crate) use data::Op;
pub use fault::{Fault, Life, What};
pub use plan::{Plan, PlannedFault, PlannedNode};
pub use run::{Outcome, run};
pub use shrink::shrink;
pub use violation::{Checker, Violation};
pub(crate) use watch::{Given, Watch};
