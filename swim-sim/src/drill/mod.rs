//! A cluster that forms, runs for a while under a timeline of faults, and is watched: what an operator would try before
//! the real one is built.
//!
//! All nodes join through the first one. When they have formed and have nothing more to tell, the drill's time begins,
//! and [`Fault`]s happen at their times. Whom they befall is drawn. [`Report`] says what followed from each, what was
//! declared that was not true, what it cost, and whether the views agree in the end. The same drill gives the same
//! report, on every machine.
//!
//! ```
//! use swim_core::Config;
//! use swim_sim::drill::{Drill, Fault, Kind, Who};
//! use swim_sim::secs;
//!
//! let mut drill = Drill::new(Config::lan("sim"), 10);
//! drill.duration = secs(60);
//! drill.faults = vec![Fault { label: "crash".into(), kind: Kind::Crash(Who::Count(1)), at: secs(10), until: None }];
//! let report = drill.run(&mut |_| ()).expect("ten nodes form a cluster");
//! assert!(report.agreement.converged && report.false_deaths.members == 0);
//! assert!(report.faults[0].dead_everywhere.is_some());
//! ```

mod report;
mod stage;
mod track;
mod watch;

use std::time::Duration;

use swim_core::Config;

pub use self::report::{
    Agreement, Deaths, FaultReport, Forming, Report, Sample, Spread, Traffic, TrafficReport, Unlike,
};
use self::stage::Stage;
use crate::link::Link;

/// What is to be tried.
#[derive(Clone, Debug)]
pub struct Drill {
    /// How every node is configured.
    pub config: Config,
    /// How many nodes form the cluster.
    pub nodes: usize,
    /// All chance is drawn from this.
    pub seed: u64,
    /// What every link does, from the start of the first node on.
    pub link: Link,
    /// What happens when.
    pub faults: Vec<Fault>,
    /// How long the cluster is watched once it has formed.
    pub duration: Duration,
}

/// One fault of a timeline. Times count from when the cluster has formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What the report calls it.
    pub label: String,
    /// What happens.
    pub kind: Kind,
    /// When it happens, or begins.
    pub at: Duration,
    /// When it ends; what lasts and has no end lasts until the drill's.
    pub until: Option<Duration>,
}

/// What can happen. Those that last do so until the fault's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Processes end without goodbye, for ever.
    Crash(Who),
    /// Processes end without goodbye, and start again when the fault ends, at once when it has no end.
    Restart(Who),
    /// Processes restart one after the other, evenly until the fault's end, and each is down for so long.
    RollingRestart(Who, Duration),
    /// Processes say goodbye and end.
    Leave(Who),
    /// So many new nodes start and join: at once, or evenly until the fault's end.
    Join(u32),
    /// Lasts: nothing passes between these nodes and all others.
    Cut(Who),
    /// Lasts: what these nodes send to others is lost.
    Mute(Who),
    /// Lasts: what others send to these nodes is lost.
    Deaf(Who),
    /// Lasts: these processes take so long for each input.
    Slow(Who, Duration),
    /// Lasts: these processes do not run, as after `SIGSTOP`.
    Pause(Who),
    /// Lasts: this chance of loss on all links, per million. Of several at a time the greatest holds.
    Loss(u32),
    /// Lasts: latencies from and to, on all links. Of several at a time the last one holds.
    Latency(Duration, Duration),
    /// These machines' clocks jump forth.
    ClockForth(Who, Duration),
    /// These machines' clocks jump back.
    ClockBack(Who, Duration),
    /// Lasts: these machines' clocks gain so many microseconds in a million.
    Drift(Who, i32),
}

/// Whom a fault befalls: drawn from those that run and are not under another fault already, as far as there are enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// So many.
    Count(u32),
    /// So many in a hundred, rounded, and at least one.
    Percent(u32),
    /// Every one.
    All,
}

impl Kind {
    /// Whom it befalls; some befall links, or nodes that are not there yet.
    pub fn who(&self) -> Option<Who> {
        match *self {
            Self::Crash(who) | Self::Restart(who) | Self::RollingRestart(who, _) | Self::Leave(who) => Some(who),
            Self::Cut(who) | Self::Mute(who) | Self::Deaf(who) | Self::Pause(who) | Self::Slow(who, _) => Some(who),
            Self::ClockForth(who, _) | Self::ClockBack(who, _) | Self::Drift(who, _) => Some(who),
            Self::Join(_) | Self::Loss(_) | Self::Latency(..) => None,
        }
    }

    /// Whether it goes on until its end, if it has one.
    pub fn lasts(&self) -> bool {
        match self {
            Self::Crash(_) | Self::Leave(_) | Self::ClockForth(..) | Self::ClockBack(..) => false,
            Self::Restart(_) | Self::RollingRestart(..) | Self::Join(_) => true,
            Self::Cut(_) | Self::Mute(_) | Self::Deaf(_) | Self::Slow(..) | Self::Pause(_) => true,
            Self::Loss(_) | Self::Latency(..) | Self::Drift(..) => true,
        }
    }
}

/// How far a drill is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The cluster forms; so many nodes have been started.
    Forming {
        /// Nodes.
        started: usize,
    },
    /// It runs; so much of the duration has passed.
    Running {
        /// Virtual time.
        passed: Duration,
    },
}

/// The cluster did not form: what to say to whoever asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotFormed {
    /// For how long it was tried.
    pub waited: Duration,
    /// The fewest live members that a node saw in the end.
    pub fewest: usize,
}

impl Drill {
    /// This many nodes of this configuration for five minutes, on a quiet local network and without any fault; seed 1.
    pub fn new(config: Config, nodes: usize) -> Self {
        let duration = Duration::from_secs(300);
        Self { config, nodes, seed: 1, link: Link::default(), faults: Vec::new(), duration }
    }

    /// Runs it from its first node to its end. `progress` is told often.
    ///
    /// # Errors
    /// When the cluster does not form within ten minutes.
    pub fn run(&self, progress: &mut dyn FnMut(Progress)) -> Result<Report, NotFormed> {
        let mut stage = Stage::formed(self, progress)?;
        stage.play(progress);
        Ok(stage.report())
    }
}

#[cfg(test)]
mod tests;
