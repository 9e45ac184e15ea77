//! A single key that changes, beside a change of the member's own row, in the same cluster.

use swim_core::Event;

use super::super::real::{Cluster, micros_since};
use super::super::table::{Cell, Table};
use super::super::tally::{Tally, rank};
use super::{StateArgs, VALUE, come_to_rest, config, key, put};
use crate::link::secs;

const SECOND: u64 = 1_000_000;

pub(super) fn measure(args: &StateArgs) -> Table {
    let title =
        format!("One change in a cluster whose nodes have {} keys of {VALUE} bytes each, in seconds", args.keys);
    let columns = ["nodes", "trials", "what changes", "a node knows", "p99", "all know", "p99 of all", "max"];
    let mut table = Table::new(title, &columns);
    for n in args.sizes() {
        let (keys, metas) = changes(args, n);
        for (what, mut found) in [("a key", keys), ("its metadata", metas)] {
            let (mut each, mut all) = (Tally::default(), Tally::default());
            found.each.iter().for_each(|&took| each.add(took));
            found.all.iter().for_each(|&took| all.add(took));
            let quantile = |of: &mut Vec<u64>, percent| Cell::computed(rank(of, percent) as f64 / SECOND as f64);
            table.row([
                Cell::Count(n as u64),
                Cell::Count(u64::from(args.trials())),
                Cell::text(what),
                each.cell(SECOND, None),
                quantile(&mut found.each, 99),
                all.cell(SECOND, None),
                quantile(&mut found.all, 99),
                quantile(&mut found.all, 100),
            ]);
        }
    }
    table.note("mean ±standard error; real nodes, preset lan, no loss; from the moment at which the owner writes it");
    table.note("a node knows: over all other nodes of all trials; all know: until the last does");
    table
}

#[derive(Default)]
struct Found {
    each: Vec<u64>,
    all: Vec<u64>,
}

/// Keys and metadata change in turn, each when the change before is over.
fn changes(args: &StateArgs, n: usize) -> (Found, Found) {
    let mut c = Cluster::form(args.seed, &[args.table as u64, n as u64], n, config());
    c.w.log_events = false;
    for &node in &c.nodes {
        (0..u64::from(args.keys)).for_each(|number| put(&c.w, node, &key(number), number));
    }
    come_to_rest(&mut c);
    c.w.log_events = true;
    let (mut keys, mut metas) = (Found::default(), Found::default());
    for trial in 1..=u64::from(args.trials()) {
        one(&mut c, &mut keys, trial, false);
        one(&mut c, &mut metas, trial, true);
    }
    (keys, metas)
}

/// One change, timed from the moment at which a node makes it until each of the others tells of it.
fn one(c: &mut Cluster, found: &mut Found, trial: u64, meta: bool) {
    c.run_a_part_of(config().probe_interval);
    c.forget_events();
    let owner = c.any_but_the_first(1)[0];
    let (id, begin, n) = (c.w.id(owner), c.w.now(), c.nodes.len());
    if meta {
        c.w.set_meta(owner, format!("update {trial}").as_bytes());
    } else {
        put(&c.w, owner, &key(0), trial << 32);
    }
    let learns = move |event: &Event| match event {
        Event::MemberUpdated { id: of, .. } => meta && *of == id,
        Event::StateChanged { id: of } => !meta && *of == id,
        _ => false,
    };
    let mut learned: Vec<u64> = loop {
        c.w.run(config().gossip_interval);
        let learned: Vec<u64> = c.first_told(learns).map(|at| micros_since(at, begin)).collect();
        if learned.len() == n {
            break learned;
        }
        assert!(c.w.now().since(begin) < secs(600), "a change gets to all");
    };
    learned.sort_unstable();
    // The first is the owner itself, at once.
    found.each.extend(&learned[1..]);
    found.all.push(learned[n - 1]);
    come_to_rest(c);
}
