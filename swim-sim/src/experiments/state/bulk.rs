//! Many keys of every node at once: those of members, and those of nodes that start and join with them.

use std::time::Duration;

use super::super::draws;
use super::super::real::Cluster;
use super::super::table::{Cell, Table};
use super::super::tally::Tally;
use super::{Meter, StateArgs, VALUE, all_hold_the_same, come_to_rest, config, key, put};
use crate::host::NodeIx;
use crate::latency::micros;
use crate::link::secs;
use crate::world::World;

/// For how long idle clusters are measured.
const IDLE: Duration = secs(60);

/// Bytes that the hash of all states and rumors adds to every frame.
const HASH: u64 = 6;

/// What is measured in one cluster.
#[derive(Default)]
struct Tallies {
    took: Tally,
    /// Bytes per node and second.
    before: Tally,
    during: Tally,
    after: Tally,
    expected: Tally,
    /// Thousandths of what each node has to get at least.
    share: Tally,
}

pub(super) fn measure(args: &StateArgs) -> Table {
    let title = format!("{} keys of {VALUE} bytes of every node at once", args.keys);
    let columns =
        ["nodes", "trials", "the nodes", "seconds", "idle before", "meanwhile", "idle after", "expected", "overhead"];
    let mut table = Table::new(title, &columns);
    for n in args.sizes() {
        let (mut members, mut joiners) = (Tallies::default(), Tallies::default());
        for trial in 0..args.trials() {
            let before = of_members(args, n, trial, &mut members);
            of_joiners(args, n, trial, before, &mut joiners);
        }
        for (what, found) in [("are members", members), ("start and join", joiners)] {
            let idle = |tally: Tally| tally.cell(1, None);
            table.row([
                Cell::Count(n as u64),
                Cell::Count(u64::from(args.trials())),
                Cell::text(what),
                found.took.cell(1_000_000, None),
                idle(found.before),
                idle(found.during),
                idle(found.after),
                idle(found.expected),
                found.share.cell(1_000, None),
            ]);
        }
    }
    table.note("real nodes, preset lan, no loss; mean ±standard error");
    table.note("seconds: from the first key, or from the start of the nodes, until all nodes hold all keys of all");
    table.note("bytes sent per node and second, headers of IPv4 and UDP in; idle: over 60 s with nothing to tell");
    table.note(
        "expected: the idle rate of the members without state, and 6 bytes of hash for each datagram of the idle ones",
    );
    table.note("overhead: all bytes sent meanwhile, by the bytes of keys and values that all nodes have to get");
    table
}

/// Keys are put when the cluster is at rest. Returns what it sends without any.
fn of_members(args: &StateArgs, n: usize, trial: u32, tallies: &mut Tallies) -> u64 {
    let mut c = Cluster::form(args.seed, &[args.table as u64, n as u64, u64::from(trial)], n, config());
    c.w.log_events = false;
    let (before, _) = idle(&mut c, n);
    fill(&c, args.keys);
    until_all_hold_all(&mut c, args, n, before, tallies);
    before
}

fn of_joiners(args: &StateArgs, n: usize, trial: u32, before: u64, tallies: &mut Tallies) {
    let mut draws = draws(args.seed, &[args.table as u64, n as u64, u64::from(trial), 1]);
    let mut w = World::with_config(draws.next_u64(), config());
    w.log_events = false;
    let nodes: Vec<NodeIx> = (0..n).map(|i| w.spawn(&format!("n{i}"))).collect();
    let mut c = Cluster { w, nodes, draws };
    fill(&c, args.keys);
    c.nodes[1..].iter().for_each(|&node| c.w.join(node, &[NodeIx::FIRST]));
    until_all_hold_all(&mut c, args, n, before, tallies);
}

fn fill(c: &Cluster, keys: u32) {
    for &node in &c.nodes {
        (0..u64::from(keys)).for_each(|number| put(&c.w, node, &key(number), number));
    }
}

/// From the keys until all have them, and what the cluster sends when it is at rest again.
fn until_all_hold_all(c: &mut Cluster, args: &StateArgs, n: usize, before: u64, tallies: &mut Tallies) {
    let begin = Meter::read(&c.w);
    let same = |w: &World| w.all_see(n) && all_hold_the_same(w) && w.node(NodeIx::FIRST).app_hash() != 0;
    c.w.run(Duration::ZERO);
    let took = c.w.run_until(secs(3_600), same).expect("all hold all within an hour");
    let end = Meter::read(&c.w);
    let last = c.w.id(c.nodes[n - 1]);
    assert_eq!(c.w.node(NodeIx::FIRST).state_version(last), args.keys, "the same is not all");
    tallies.took.add(micros(took));
    let entries = (n * (n - 1)) as u64 * u64::from(args.keys) * (key(0).len() + VALUE) as u64;
    tallies.share.add((end.bytes - begin.bytes) * 1_000 / entries.max(1));
    tallies.during.add(begin.rates(end, n).0);
    let (after, datagrams) = idle(c, n);
    tallies.before.add(before);
    tallies.after.add(after);
    tallies.expected.add(before + datagrams * HASH / 1_000);
}

/// Bytes per node and second of a cluster at rest, and thousandths of datagrams.
fn idle(c: &mut Cluster, n: usize) -> (u64, u64) {
    come_to_rest(c);
    let begin = Meter::read(&c.w);
    c.w.run(IDLE);
    begin.rates(Meter::read(&c.w), n)
}
