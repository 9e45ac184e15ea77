//! `bench core`: every operation of our core beside foca's, in turns.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;

use crate::case::{Case, Heap, MEMBERS, Measure, Op, Sample};
use crate::core::{Core, Member};
use crate::foca_core::FocaCore;
use crate::held;
use crate::plot;
use crate::results::{Measured, Results, short};
use crate::swim::Swim;

#[derive(Args)]
pub(crate) struct CoreArgs {
    /// Numbers of members.
    #[arg(long, value_delimiter = ',', default_values_t = [10, 1_000, 10_000, 100_000])]
    #[arg(value_parser = clap::value_parser!(Member).range(MEMBERS))]
    members: Vec<Member>,
    /// Only operations whose names have this in them.
    #[arg(long, default_value = "")]
    only: String,
    /// Milliseconds that each core is measured for, in each operation and with each number of members.
    #[arg(long, default_value_t = 300)]
    millis: u64,
    /// A folder for plots of cost against members, as SVG.
    #[arg(long)]
    plots: Option<PathBuf>,
}

/// How long a core has the machine, and its caches, for itself before it is the other's turn.
const SLICE: Duration = Duration::from_millis(20);

/// Batches of each core, at least, unless they take so long.
const BATCHES_MIN: usize = 5;
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn run(args: &CoreArgs) -> Result<(), String> {
    let mut results = Results::default();
    for &members in &args.members {
        for op in Op::ALL.into_iter().filter(|op| op.to_string().contains(&args.only)) {
            eprintln!("{op}, {members} members");
            measure(op, members, Duration::from_millis(args.millis), &mut results);
        }
    }
    if results.0.is_empty() {
        return Err(format!("--only {}: no operation has this in its name", args.only));
    }
    print(&results);
    if args.only.is_empty() {
        let heaps: Vec<Heap> = args.members.iter().map(|&members| Heap::of(members)).collect();
        print_heaps(&heaps);
        println!("{}", held::table(&results, &heaps).table());
    }
    args.plots.as_deref().map_or(Ok(()), |folder| plots(&results, folder))
}

/// Both cores in turns, so that whatever else the machine does falls on both.
fn measure(op: Op, members: Member, each: Duration, results: &mut Results) {
    let mut cases: Vec<(&'static str, Box<dyn Measure>, Vec<Sample>)> =
        vec![(Swim::NAME, Box::new(Case::<Swim>::new(op, members)), Vec::new())];
    if op.is_of::<FocaCore>() {
        cases.push((FocaCore::NAME, Box::new(Case::<FocaCore>::new(op, members)), Vec::new()));
    }
    for (_, case, _) in &mut cases {
        (0..op.warm_up()).for_each(|_| _ = case.batch());
    }
    let (begin, enough) = (Instant::now(), each * cases.len() as u32);
    let fewest = |cases: &[(_, _, Vec<Sample>)]| cases.iter().map(|(.., samples)| samples.len()).min().unwrap_or(0);
    while match fewest(&cases) {
        0 => true,
        taken => begin.elapsed() < enough || taken < BATCHES_MIN && begin.elapsed() < PATIENCE,
    } {
        for (_, case, samples) in &mut cases {
            let slice = Instant::now();
            while samples.is_empty() || slice.elapsed() < SLICE {
                samples.push(case.batch());
            }
        }
    }
    results.0.extend(cases.iter().map(|(core, _, samples)| Measured::of(core, op, members, samples)));
}

fn print(results: &Results) {
    let both = |of: fn(&Measured) -> f64| {
        move |ours: &Measured, peer: Option<&Measured>| match peer {
            Some(peer) => format!("{} / {}", short(of(ours)), short(of(peer))),
            None => short(of(ours)),
        }
    };
    println!("Nanoseconds, swim / foca, and the ratio\n");
    let time = |ours: &Measured, peer: Option<&Measured>| match peer {
        Some(peer) => format!("{} / {} = {}", short(ours.nanos), short(peer.nanos), short(ours.nanos / peer.nanos)),
        None => short(ours.nanos),
    };
    println!("{}", results.table(time));
    println!("Allocations, swim / foca\n\n{}", results.table(both(|m| m.allocations)));
    println!("Bytes allocated, swim / foca\n\n{}", results.table(both(|m| m.allocated)));
    println!("Bytes sent, swim / foca\n\n{}", results.table(both(|m| m.bytes)));
}

fn print_heaps(heaps: &[Heap]) {
    println!("Bytes of heap per member, all of them news\n\n| | reserved | grown |\n|---|---|---|");
    for Heap { members, ours, peers } in heaps {
        let both = |ours, peer| format!("{} / {}", short(ours), short(peer));
        println!("| N = {members}, swim / foca | {} | {} |", both(ours.0, peers.0), both(ours.1, peers.1));
    }
    println!();
}

fn plots(results: &Results, folder: &Path) -> Result<(), String> {
    std::fs::create_dir_all(folder).map_err(|e| format!("--plots {}: {e}", folder.display()))?;
    plot::draw(results, folder)
}
