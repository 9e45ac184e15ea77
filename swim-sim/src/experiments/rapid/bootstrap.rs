//! All processes start at once and join through one seed: how long until all see all, and how many different sizes of the
//! cluster somebody sees on the way.

use swim_core::{Config, Event};

use super::super::draws;
use super::super::table::{Cell, Table};
use super::super::tally::Tally;
use super::{RapidArgs, Sizes, bytes};
use crate::host::NodeIx;
use crate::latency::micros;
use crate::link::secs;
use crate::world::World;

/// The size for which there are published values.
const PUBLISHED_NODES: usize = 2_000;

pub(super) fn measure(args: &RapidArgs) -> Table {
    let n = args.nodes();
    let columns = [
        "system",
        "nodes",
        "trials",
        "seconds",
        "sizes, looking each second",
        "sizes, any moment",
        "kB sent per process",
    ];
    let mut table = Table::new("Bootstrap through one seed (Suresh et al. 2018)".to_owned(), &columns);
    let [mut took, mut looking, mut any, mut sent]: [Tally; 4] = Default::default();
    for trial in 0..args.trials() {
        let start = Start::of(args, trial);
        took.add(start.micros);
        looking.add(start.looking);
        any.add(start.any);
        sent.add(start.sent);
    }
    table.row([
        Cell::text("this"),
        Cell::Count(n as u64),
        Cell::Count(u64::from(args.trials())),
        took.cell(1_000_000, None),
        looking.cell(1, None),
        any.cell(1, None),
        sent.cell(1_000 * n as u64, None),
    ]);
    for (system, seconds, sizes) in [("memberlist", "up to 95", 1_858), ("Rapid", "41 to 47", 4)] {
        table.row([
            Cell::text(system),
            Cell::Count(PUBLISHED_NODES as u64),
            Cell::nothing(),
            Cell::text(seconds),
            Cell::Count(sizes),
            Cell::nothing(),
            Cell::nothing(),
        ]);
    }
    table.note("this: mean ±standard error; the other rows are as published");
    table.note("seconds: until every process sees every other; virtual time here, and all begin at one instant");
    table.note(
        "the published processes shared the processors of their machines; ours share none, so compare sizes, not seconds",
    );
    table.note(
        "sizes: different numbers of members that any process saw, looking at all of them each second, and at every change",
    );
    table
}

struct Start {
    micros: u64,
    looking: u64,
    any: u64,
    sent: u64,
}

impl Start {
    fn of(args: &RapidArgs, trial: u32) -> Self {
        let n = args.nodes();
        let seed = draws(args.seed, &[args.table as u64, n as u64, u64::from(trial)]).next_u64();
        let mut w = World::with_config(seed, Config::lan("sim"));
        let nodes: Vec<NodeIx> = (0..n).map(|i| w.spawn(&format!("n{i}"))).collect();
        nodes[1..].iter().for_each(|&node| w.join(node, &[NodeIx::FIRST]));
        let (begin, mut looks) = (w.now(), Sizes::of(n));
        while !w.all_see(n) {
            w.run_until(secs(1), |w| w.all_see(n));
            looks.look(&w);
            assert!(w.now().since(begin) < secs(3_600), "{n} processes do not find each other");
        }
        let mut any = Sizes::of(n);
        for &node in &nodes {
            let mut size = 1;
            any.see(size);
            for (_, event) in w.events(node) {
                match event {
                    Event::MemberUp { .. } => size += 1,
                    Event::MemberDown { .. } => size -= 1,
                    _ => {}
                }
                any.see(size);
            }
        }
        let [_, sent] = bytes(&w);
        Self { micros: micros(w.now().since(begin)), looking: looks.distinct(), any: any.distinct(), sent }
    }
}
