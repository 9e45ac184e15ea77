//! More than fits: all nodes write new keys without pause for a while, then stop.
//!
//! What fits is measured, by bisection: the greatest rate at which readers that lag do not lag more and more. Then all
//! write twice as much, each key only once, so that nothing is saved by writing over what nobody has read yet.

use std::time::Duration;

use swim_core::{Config, Instant};

use super::super::real::{Cluster, micros_since};
use super::super::table::{Cell, Table};
use super::super::tally::Tally;
use super::{StateArgs, VALUE, all_hold_the_same, come_to_rest, config, key, put};
use crate::latency::micros;
use crate::link::millis;
use crate::world::World;

/// What each node may spend on answers, in bytes per second for each of the others: 16 KiB/s where there are 50, which is a
/// sixty-fourth of the preset. So it is what binds, and what is written in a minute is about as much as a state may have.
const SYNC_RATE: u32 = 334;

/// Room for all keys that one node writes.
const STATE_BYTES: usize = 256 * 1_024;

/// How long an entry is in an answer: version, key, value and their lengths.
const ENTRY: u64 = 116;

/// How often nodes write.
const STEP: Duration = millis(50);

/// How many steps there are between two looks at who is how far behind.
const LOOK: u32 = 5;

/// A rate fits when all readers together lag no more at the end than what is written in so long a time.
const LAG: Duration = Duration::from_secs(3);

/// Halvings of the range in which what fits is looked for.
const HALVINGS: u32 = 5;

const SECOND: u64 = 1_000_000;

pub(super) fn measure(args: &StateArgs) -> Table {
    let columns = [
        "nodes",
        "trials",
        "fits",
        "written",
        "taken over",
        "mean lag",
        "max lag",
        "worst owner",
        "worst reader",
        "drained",
        "ideal",
        "ratio",
    ];
    let title = format!("Overload: all write twice what fits for {} s", args.span.as_secs());
    let mut table = Table::new(title, &columns);
    for n in args.sizes() {
        let mut tallies: [Tally; 10] = Default::default();
        for trial in 0..args.trials() {
            let fits = what_fits(args, n, trial);
            let flood = Flood::run(args, n, (trial, 0), 2 * fits);
            let lag = flood.lags();
            let (drained, ideal) = (micros(flood.drained), flood.ideal());
            let found = [
                fits,
                flood.written,
                flood.taken,
                lag.mean,
                lag.max,
                lag.owner,
                lag.reader,
                drained,
                ideal,
                1_000 * drained / ideal.max(1),
            ];
            tallies.iter_mut().zip(found).for_each(|(tally, found)| tally.add(found));
        }
        const KILO: u64 = 1_000;
        let units = [KILO, KILO, KILO, SECOND, SECOND, KILO, KILO, SECOND, SECOND, KILO];
        let cells = tallies.iter().zip(units).map(|(tally, unit)| tally.cell(unit, None));
        let head = [Cell::Count(n as u64), Cell::Count(u64::from(args.trials()))];
        table.row(head.into_iter().chain(cells).collect::<Vec<_>>());
    }
    table.note(format!(
        "real nodes, preset lan, no loss, values of {VALUE} bytes; sync_rate is {SYNC_RATE} bytes/s for each other member"
    ));
    table.note(
        "fits, written: kB of entries per second and owner; fits: the greatest, by bisection, at which in the same",
    );
    table.note(format!(
        "time no more than {} s of what is written are on their way at the end; taken over: kB per second and reader",
        LAG.as_secs()
    ));
    table.note(
        "lag: for how long the oldest write that a reader has not seen has been there, in seconds, four times a second",
    );
    table.note(
        "worst: the greatest mean lag of one owner's keys, over all readers, and of one reader, by the mean of all",
    );
    table.note(
        "drained: seconds from the last write until all have all; ideal: what all lacked then, as fast as before",
    );
    table
}

/// In bytes per second and owner, between a quarter and four times what answers alone could carry: gossip carries some.
fn what_fits(args: &StateArgs, n: usize, trial: u32) -> u64 {
    let answers = u64::from(overloaded(n).sync_rate) / (n as u64 - 1);
    let (mut low, mut high) = (answers / 4, answers * 4);
    for halving in 1..=HALVINGS {
        let rate = (low + high) / 2;
        let flood = Flood::run(args, n, (trial, halving), rate);
        if flood.backlog <= rate * LAG.as_secs() * (n * (n - 1)) as u64 {
            low = rate;
        } else {
            high = rate;
        }
    }
    low
}

fn overloaded(n: usize) -> Config {
    let mut config = config();
    // Not below what a config may have.
    config.sync_rate = (SYNC_RATE * (n as u32 - 1)).max(4_096);
    config.state_bytes = STATE_BYTES;
    config
}

struct Flood {
    cluster: Cluster,
    /// By owner: when each version was written.
    written_at: Vec<Vec<Instant>>,
    /// By owner, then by reader: the sum of all looks, and the greatest.
    lags: Vec<Vec<(u64, u64)>>,
    looks: u64,
    /// Bytes per second that each owner wrote, and each reader took over.
    written: u64,
    taken: u64,
    /// Bytes that readers lacked when the last was written.
    backlog: u64,
    drained: Duration,
}

struct Lags {
    /// In microseconds.
    mean: u64,
    max: u64,
    /// The greatest mean of an owner, and of a reader, in thousandths of the mean of all.
    owner: u64,
    reader: u64,
}

impl Flood {
    /// All write at this rate, in bytes of entries per second; `row` draws another cluster.
    fn run(args: &StateArgs, n: usize, row: (u32, u32), rate: u64) -> Self {
        let row = [args.table as u64, n as u64, row.0.into(), row.1.into()];
        let mut cluster = Cluster::form(args.seed, &row, n, overloaded(n));
        cluster.w.log_events = false;
        let lags = vec![vec![(0, 0); n]; n];
        let mut flood = Self {
            cluster,
            written_at: vec![Vec::new(); n],
            lags,
            looks: 0,
            written: 0,
            taken: 0,
            backlog: 0,
            drained: Duration::ZERO,
        };
        flood.write(args.span, rate);
        flood.drain();
        flood
    }

    fn write(&mut self, span: Duration, rate: u64) {
        let n = self.written_at.len();
        let steps = u32::try_from(span.as_micros() / STEP.as_micros()).unwrap_or(u32::MAX);
        // Bytes that each may write, in millionths, and what is left of them; not all begin with the same.
        let share = rate * micros(STEP);
        let mut left: Vec<u64> = (0..n).map(|_| self.cluster.draws.within(0, ENTRY * SECOND)).collect();
        for step in 1..=steps {
            for (owner, left) in left.iter_mut().enumerate() {
                *left += share;
                while *left >= ENTRY * SECOND {
                    *left -= ENTRY * SECOND;
                    self.write_one(owner);
                }
            }
            self.cluster.w.run(STEP);
            if step % LOOK == 0 {
                self.look();
            }
        }
        let entries: u64 = self.written_at.iter().map(|of| of.len() as u64).sum();
        let lacking = self.lacking();
        let seconds = u128::from(micros(span));
        let per_second = |entries: u64| (u128::from(entries * ENTRY * SECOND) / seconds / n as u128) as u64;
        self.backlog = lacking * ENTRY;
        self.written = per_second(entries);
        self.taken = per_second(entries * (n as u64 - 1) - lacking);
    }

    fn write_one(&mut self, owner: usize) {
        let Cluster { w, nodes, .. } = &self.cluster;
        let number = self.written_at[owner].len() as u64;
        put(w, nodes[owner], &key(number), number);
        self.written_at[owner].push(w.now());
    }

    /// Versions that all readers lack, together.
    fn lacking(&self) -> u64 {
        self.behind().map(|(owner, _, version)| (self.written_at[owner].len() - version) as u64).sum()
    }

    /// Every owner and reader, and the version that the reader is at.
    fn behind(&self) -> impl Iterator<Item = (usize, usize, usize)> + '_ {
        let Cluster { w, nodes, .. } = &self.cluster;
        nodes.iter().enumerate().flat_map(move |(owner, &of)| {
            let id = w.id(of);
            let readers = nodes.iter().enumerate().filter(move |(reader, _)| *reader != owner);
            readers.map(move |(reader, &at)| (owner, reader, w.node(at).state_version(id) as usize))
        })
    }

    fn look(&mut self) {
        let now = self.cluster.w.now();
        let lag =
            |owner: usize, version: usize| self.written_at[owner].get(version).map_or(0, |&at| micros_since(now, at));
        let lags: Vec<_> = self.behind().map(|(owner, reader, version)| (owner, reader, lag(owner, version))).collect();
        for (owner, reader, lag) in lags {
            let (sum, max) = &mut self.lags[owner][reader];
            *sum += lag;
            *max = lag.max(*max);
        }
        self.looks += 1;
    }

    fn drain(&mut self) {
        let begin = self.cluster.w.now();
        let same = |w: &World| all_hold_the_same(w);
        let hour = Duration::from_secs(3_600);
        self.drained = self.cluster.w.run_until(hour, same).expect("all hold all within an hour");
        assert_eq!((self.lacking(), begin + self.drained), (0, self.cluster.w.now()), "the same is not all");
        come_to_rest(&mut self.cluster);
    }

    /// How long all would take, in microseconds, if they went on to take over as much as they did while all wrote.
    fn ideal(&self) -> u64 {
        let n = self.written_at.len() as u64;
        let rate = (self.taken * n).max(1);
        (u128::from(self.backlog) * u128::from(SECOND) / u128::from(rate)) as u64
    }

    fn lags(&self) -> Lags {
        let n = self.lags.len();
        let pairs = (n * (n - 1)) as u64 * self.looks.max(1);
        let sum: u64 = self.lags.iter().flatten().map(|lag| lag.0).sum();
        let of_owner = self.lags.iter().map(|of| of.iter().map(|lag| lag.0).sum::<u64>()).max().unwrap_or(0);
        let of_reader = (0..n).map(|reader| self.lags.iter().map(|of| of[reader].0).sum::<u64>()).max().unwrap_or(0);
        let by_mean = |most: u64| 1_000 * n as u64 * most / sum.max(1);
        Lags {
            mean: sum / pairs,
            max: self.lags.iter().flatten().map(|lag| lag.1).max().unwrap_or(0),
            owner: by_mean(of_owner),
            reader: by_mean(of_reader),
        }
    }
}
