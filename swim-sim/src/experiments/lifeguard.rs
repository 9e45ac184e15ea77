//! The controlled experiment of the Lifeguard paper (Dadgar, Phillips, Currey, "Lifeguard: Local Health Awareness for More
//! Accurate Failure Detection", 2018), on the protocol itself: how often healthy members are declared failed while the
//! I/O of some others is blocked again and again.
//!
//! Unlike the other experiments this one runs nodes, in a [`crate::World`]. What it measures is this project's code with
//! its mechanisms switched off one by one, not the paper's; the notes of the tables say where the two differ.

mod found;
mod runs;

use std::num::NonZeroUsize;
use std::thread;

use swim_core::{Buddy, Config};

use self::found::{Found, Share};
use self::runs::{Run, measure};
use super::table::{Cell, Table};
use crate::parallel::in_parallel;

/// What to measure for the tables of the Lifeguard paper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LifeguardArgs {
    /// All chance is drawn from this.
    pub seed: u64,
    /// How often the whole grid is run; none counts as one.
    pub trials: u32,
    /// Members; fewer than 8 count as 8.
    pub nodes: u32,
    /// C: how many members are blocked, all at the same time; more than half of all count as half.
    pub concurrent: Vec<u32>,
    /// D: for how many milliseconds at a time.
    pub durations: Vec<u32>,
    /// I: for how many milliseconds they run freely in between.
    pub intervals: Vec<u32>,
    /// How many microseconds a member that is blocked now and then takes to read one datagram.
    pub read_micros: u32,
    /// Which tables.
    pub tables: Vec<LifeguardTable>,
}

/// A table of the paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LifeguardTable {
    /// The five configurations and this project's own.
    Configurations,
    /// Lifeguard by the factor α of the suspicion time.
    Alpha,
}

impl LifeguardArgs {
    /// The paper's C.
    pub const CONCURRENT: [u32; 9] = [1, 4, 8, 12, 16, 20, 24, 28, 32];
    /// The paper's D.
    pub const DURATIONS: [u32; 6] = [128, 512, 2_048, 8_192, 16_384, 32_768];
    /// The paper's I.
    pub const INTERVALS: [u32; 8] = [1, 4, 16, 64, 256, 1_024, 4_096, 16_384];

    /// The paper's whole grid: 432 cells, of which most have no false positive.
    pub fn full_grid() -> Self {
        Self {
            concurrent: Self::CONCURRENT.to_vec(),
            durations: Self::DURATIONS.to_vec(),
            intervals: Self::INTERVALS.to_vec(),
            ..Self::default()
        }
    }
}

/// The part of the paper's grid, with some more I, in which there are false positives: blocked for longer than the shortest suspicion lasts,
/// and free for less long than a refutation takes to come.
impl Default for LifeguardArgs {
    fn default() -> Self {
        Self {
            seed: 1,
            trials: 3,
            nodes: 128,
            concurrent: vec![4, 16, 32],
            durations: vec![16_384, 32_768],
            intervals: vec![1, 4, 16, 32, 64, 128, 256],
            // Fitted: the paper does not say how fast its agents read, and the two least shares hang on that alone.
            read_micros: 6,
            tables: vec![LifeguardTable::Configurations, LifeguardTable::Alpha],
        }
    }
}

/// Which mechanisms are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mechanisms {
    Swim,
    LhaProbe,
    LhaSuspicion,
    BuddySystem,
    Lifeguard,
    /// All that this project has.
    Ours,
}

/// The α at which the paper compares configurations.
pub(super) const ALPHA: u32 = 5;

impl Mechanisms {
    pub(super) const ALL: [Self; 6] =
        [Self::Swim, Self::LhaProbe, Self::LhaSuspicion, Self::BuddySystem, Self::Lifeguard, Self::Ours];

    fn name(self) -> &'static str {
        match self {
            Self::Swim => "SWIM",
            Self::LhaProbe => "LHA-Probe",
            Self::LhaSuspicion => "LHA-Suspicion",
            Self::BuddySystem => "Buddy System",
            Self::Lifeguard => "Lifeguard",
            Self::Ours => "swim, all on",
        }
    }

    /// In percent of SWIM: FP, FP-, messages, bytes (the paper's table of configurations).
    pub(super) fn published(self) -> Option<[f64; 4]> {
        match self {
            Self::Swim | Self::Ours => None,
            Self::LhaProbe => Some([67.72, 32.88, 98.46, 90.03]),
            Self::LhaSuspicion => Some([3.00, 6.71, 111.31, 106.52]),
            Self::BuddySystem => Some([94.08, 44.57, 100.07, 99.01]),
            Self::Lifeguard => Some([1.53, 1.89, 110.59, 97.97]),
        }
    }

    /// β is 6 and K is 3 wherever suspicions shrink, as in the paper.
    pub(super) fn config(self, alpha: u32) -> Config {
        let mut config = Config::lan("sim");
        config.suspicion_alpha_percent = 100 * alpha;
        if self == Self::Ours {
            return config;
        }
        let all = self == Self::Lifeguard;
        // As in memberlist, on which the paper measured.
        config.indirect_probes = 3;
        // None is in the papers.
        config.direct_probes = 1;
        config.pause_guard = false;
        config.suspicion_retell = false;
        if !all && self != Self::LhaProbe {
            config.health_max = 0;
        }
        if !all && self != Self::LhaSuspicion {
            config.suspicion_confirmations = 0;
        }
        config.buddy = if all || self == Self::BuddySystem { Buddy::Pings } else { Buddy::Never };
        config
    }
}

/// In percent of SWIM at α = 5, for Lifeguard at this α: the median time until all know of a failure, and FP.
fn published_by_alpha(alpha: u32) -> Option<[f64; 2]> {
    match alpha {
        5 => Some([100.0, 2.0]),
        4 => Some([84.5, 5.0]),
        2 => Some([57.0, 14.0]),
        _ => None,
    }
}

/// The α of the second table.
const ALPHAS: [u32; 3] = [5, 4, 2];

/// The tables asked for, beside the paper's. Runs on as many threads as the machine has; what comes out does not depend on
/// that.
pub fn lifeguard(args: &LifeguardArgs) -> Vec<Table> {
    let mut rows: Vec<Row> = Vec::new();
    for table in &args.tables {
        let of_table = match table {
            LifeguardTable::Configurations => Mechanisms::ALL.map(|mechanisms| (mechanisms, ALPHA)).to_vec(),
            LifeguardTable::Alpha => {
                [(Mechanisms::Swim, ALPHA)].into_iter().chain(ALPHAS.map(|a| (Mechanisms::Lifeguard, a))).collect()
            }
        };
        rows.extend(of_table);
    }
    rows.sort_unstable_by_key(|&(mechanisms, alpha)| (mechanisms as u32, std::cmp::Reverse(alpha)));
    rows.dedup();
    let found = found(args, &rows);
    let of = |row: Row| &found[rows.iter().position(|&r| r == row).expect("what a table shows has been measured")];
    let table = |table: &LifeguardTable| match table {
        LifeguardTable::Configurations => configurations(args, of),
        LifeguardTable::Alpha => alphas(args, of),
    };
    args.tables.iter().map(table).collect()
}

/// A configuration, and its α.
pub(super) type Row = (Mechanisms, u32);

/// What was found for each of these.
pub(super) fn found(args: &LifeguardArgs, rows: &[Row]) -> Vec<Found> {
    let trials = args.trials.max(1);
    let mut runs = Vec::new();
    for row in 0..rows.len() {
        for trial in 0..trials {
            runs.push((row, trial, Run::Crashes));
            for &c in &args.concurrent {
                for &d in &args.durations {
                    runs.extend(args.intervals.iter().map(|&i| (row, trial, Run::Anomaly { c, d, i })));
                }
            }
        }
    }
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let work = |job| {
        let (row, trial, run) = runs[job as usize];
        let (mechanisms, alpha) = rows[row];
        measure(args, &mechanisms.config(alpha), trial, run)
    };
    let measured = in_parallel(threads, runs.len() as u64, work, |_| false);
    let mut found = vec![Found::new(trials as usize); rows.len()];
    for (&(row, trial, _), outcome) in runs.iter().zip(measured) {
        found[row].add(trial as usize, outcome);
    }
    found
}

fn configurations<'a>(args: &LifeguardArgs, of: impl Fn(Row) -> &'a Found) -> Table {
    let columns = [
        "configuration",
        "trials",
        "FP",
        "FP %",
        "FP-",
        "FP- %",
        "messages %",
        "bytes %",
        "first s",
        "first p99",
        "all s",
        "all p99",
        "all %",
    ];
    let mut table = Table::new(title("Lifeguard's configurations", args), &columns);
    let swim = of((Mechanisms::Swim, ALPHA));
    for mechanisms in Mechanisms::ALL {
        let row = of((mechanisms, ALPHA));
        let published = mechanisms.published();
        let share = |what: fn(&found::Trial) -> u64, i: usize| {
            Share::of(row, swim, what).cell(published.map(|published| published[i]))
        };
        table.row([
            Cell::text(mechanisms.name()),
            Cell::Count(row.trials() as u64),
            row.mean(|t| t.fp),
            share(|t| t.fp, 0),
            row.mean(|t| t.fp_healthy),
            share(|t| t.fp_healthy, 1),
            share(|t| t.datagrams, 2),
            share(|t| t.bytes, 3),
            Cell::computed(row.first(50)),
            Cell::computed(row.first(99)),
            Cell::computed(row.all(50)),
            Cell::computed(row.all(99)),
            Cell::computed(100.0 * row.all(50) / swim.all(50)),
        ]);
    }
    for note in [
        "FP: healthy members declared failed, counted once per member that says so, in one run of the grid; FP-: of these, \
         those said by healthy members; %: of SWIM",
        "first, all: seconds from the crash of a member of a calm cluster until the first other member, and until all, \
         declared it failed; median and 99th percentile; all %: of SWIM's median",
        "SWIM: health_max 0, suspicion_confirmations 0 (always the shortest suspicion, with the same α), buddy Never; \
         LHA-Probe: health_max 8; LHA-Suspicion: β 6, K 3; Buddy System: buddy Pings; Lifeguard: all three. None of these \
         has the second direct ping, the guard against own pauses, or suspicions that are told again (direct_probes 1, \
         pause_guard and suspicion_retell off)",
        "swim, all on: Config::lan with α 5; it has six relays instead of three, the second direct ping, buddy Always, and the \
         guard, to which counts that a node is told by its driver when its socket takes nothing",
    ] {
        table.note(note);
    }
    conditions(&mut table, args);
    table
}

fn alphas<'a>(args: &LifeguardArgs, of: impl Fn(Row) -> &'a Found) -> Table {
    let columns = ["alpha", "trials", "crashes", "all s", "all p99", "all %", "FP %"];
    let mut table = Table::new(title("Lifeguard by alpha", args), &columns);
    let swim = of((Mechanisms::Swim, ALPHA));
    for alpha in ALPHAS {
        let row = of((Mechanisms::Lifeguard, alpha));
        let published = published_by_alpha(alpha);
        table.row([
            Cell::Count(u64::from(alpha)),
            Cell::Count(row.trials() as u64),
            Cell::Count(row.crashes() as u64),
            Cell::computed(row.all(50)),
            Cell::computed(row.all(99)),
            row.all_share(swim).cell(published.map(|published| published[0])),
            Share::of(row, swim, |t| t.fp).cell(published.map(|published| published[1])),
        ]);
    }
    table.note("all: seconds from the crash of a member of a calm cluster until all others declared it failed: median");
    table.note("%: of SWIM at α 5; the published latencies are of members that were blocked, not crashed");
    conditions(&mut table, args);
    table
}

fn title(what: &str, args: &LifeguardArgs) -> String {
    format!("{what}: N = {} (Dadgar, Phillips, Currey 2018)", runs::nodes(args))
}

fn conditions(table: &mut Table, args: &LifeguardArgs) {
    let list = |of: &[u32]| of.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    table.note("mean ±standard error of the trials (published); a trial is one run of every cell of the grid");
    table.note(format!(
        "grid: C = {} members blocked at the same time, for D = {} ms, then free for I = {} ms, and so on for 120 s",
        list(&args.concurrent),
        list(&args.durations),
        list(&args.intervals)
    ));
    table.note(
        "blocked: what is sent waits, what arrives waits, suspicions run out; the probe under way is not concluded before \
         sending goes on, as where a sender waits in its send",
    );
    table.note(format!(
        "those who are blocked take {} µs to read a datagram once they are free. Where that is so long that they do not \
         come to the end of what waits, they miss refutations for minutes. The paper does not say how fast its agents read: \
         the default of 6 µs is fitted to the shares of LHA-Suspicion and Lifeguard, which hang on it alone (at 5 µs they \
         are about .5 and 1, at 10 µs about 10)",
        args.read_micros
    ));
    table.note(
        "not reproduced: FP-, which comes from few, cluster-wide events here; what the Buddy System saves by itself, which is \
         less than the standard error here; and the bytes of accusations, which name up to four accusers here and are told \
         anew with each",
    );
    table.note(
        "latency 0.1 to 1 ms, no loss; probe interval 1 s, time-out 500 ms, k 3, gossip to 3 members every 200 ms",
    );
    table.note(
        "not as in the paper's implementation: syncs by view hash instead of TCP push-pull every 30 s, no TCP ping, an \
         accusation names up to four accusers, and an accuser that is believed dead does not count",
    );
    table.note(format!("seed {}", args.seed));
}
