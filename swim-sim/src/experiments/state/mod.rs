//! Node state on the real nodes: how fast many keys and a single one get to all, what they cost, and what happens when
//! more is written than there is room for.
//!
//! There are no published values for these: what is beside the measured ones is said in each table's notes.

mod bulk;
mod change;
mod overload;

use std::time::Duration;

use swim_core::{Config, Instant};

use super::real::Cluster;
use super::table::Table;
use crate::host::NodeIx;
use crate::world::World;

/// A subject, with a table of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateTable {
    /// Every node has many keys at once, as a member or when it joins: how long until all have all, and what it costs. A
    /// trial is a cluster.
    Bulk = 1,
    /// One key changes, or one member's metadata: how long until all know. A trial is such a change.
    Change = 2,
    /// All write for a while twice what fits: how far behind readers fall, whether anybody is starved, and how long it takes
    /// until they have caught up. A trial is a cluster.
    Overload = 3,
}

/// What to measure for a table of node state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateArgs {
    /// The table.
    pub table: StateTable,
    /// All draws come from this.
    pub seed: u64,
    /// How often every row is tried; none counts as one.
    pub trials: u32,
    /// The numbers of nodes, for each of which there are rows; fewer than five count as five.
    pub sizes: Vec<u32>,
    /// Keys of each node, with values of 100 bytes. Overload writes as many as it takes.
    pub keys: u32,
    /// For how long overload writes.
    pub span: Duration,
}

impl StateArgs {
    /// As many trials as the digits that are shown need, and sizes that take minutes.
    pub fn of(table: StateTable) -> Self {
        let (trials, sizes) = match table {
            StateTable::Bulk => (1, vec![10, 100, 1_000]),
            StateTable::Change => (100, vec![10, 100, 1_000]),
            StateTable::Overload => (1, vec![50]),
        };
        Self { table, seed: 1, trials, sizes, keys: 20, span: Duration::from_secs(60) }
    }

    fn trials(&self) -> u32 {
        self.trials.max(1)
    }

    fn sizes(&self) -> impl Iterator<Item = usize> + '_ {
        self.sizes.iter().map(|&n| n.max(5) as usize)
    }
}

/// One table of what node state does.
pub fn state(args: &StateArgs) -> Table {
    let mut table = match args.table {
        StateTable::Bulk => bulk::measure(args),
        StateTable::Change => change::measure(args),
        StateTable::Overload => overload::measure(args),
    };
    table.note(format!("seed {}", args.seed));
    table
}

/// Bytes of every value.
const VALUE: usize = 100;

fn config() -> Config {
    Config::lan("sim")
}

fn key(number: u64) -> String {
    format!("key-{number:08}")
}

/// A value that is not the one before.
fn value(number: u64) -> [u8; VALUE] {
    let mut value = [b'v'; VALUE];
    value[..8].copy_from_slice(&number.to_le_bytes());
    value
}

/// One entry of a node's own, at once.
fn put(w: &World, node: NodeIx, key: &str, number: u64) {
    w.handle(node).put(key, &value(number)).expect("an entry of this size finds room");
}

/// Do all nodes hold the same of all: every state, every rumor? Of clusters that are whole.
pub(super) fn all_hold_the_same(w: &World) -> bool {
    let mut hashes = w.nodes().map(|node| w.node(node).app_hash());
    hashes.next().is_none_or(|first| hashes.all(|hash| hash == first))
}

/// Runs until all hold the same and nobody has anything to tell any more, of members, states or rumors.
///
/// # Panics
/// When that takes an hour.
pub(super) fn come_to_rest(c: &mut Cluster) {
    let n = c.nodes.len();
    let told = |w: &World, node: NodeIx| w.node(node).states_queued() == 0 && w.node(node).rumors_hot() == 0;
    let quiet =
        |w: &World| w.all_see(n) && w.is_at_rest() && all_hold_the_same(w) && w.nodes().all(|node| told(w, node));
    let rests = c.w.run_until(Duration::from_secs(3_600), quiet);
    assert!(rests.is_some(), "{n} nodes do not come to rest");
}

/// Bytes and datagrams that all nodes have sent, headers of IPv4 and UDP in.
#[derive(Clone, Copy)]
struct Meter {
    at: Instant,
    bytes: u64,
    datagrams: u64,
}

impl Meter {
    fn read(w: &World) -> Self {
        let sent = w.sent_total();
        Self { at: w.now(), bytes: sent.wire_bytes(), datagrams: sent.datagrams }
    }

    /// Per node and second from this reading to another: bytes, and datagrams in thousandths.
    fn rates(self, until: Self, n: usize) -> (u64, u64) {
        let micros = until.at.since(self.at).as_micros().max(1) * n as u128;
        let rate =
            |count: u64| u64::try_from(u128::from(count) * 1_000_000 / micros).expect("no more than was counted");
        (rate(until.bytes - self.bytes), rate((until.datagrams - self.datagrams) * 1_000))
    }
}
