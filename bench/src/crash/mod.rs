//! `bench crash`: how soon a crash is known in clusters on sockets of 127.0.0.1, in real time: ours, and those of peers
//! that own their sockets.
//!
//! Each run is a cluster of each kind, side by side, so that whatever else the machine does befalls all of them. When
//! all see all, and have had time to tell what is news, one node of each crashes. All are dropped then, and the next
//! run begins anew.

mod kinds;
mod node;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;

use self::kinds::{Kind, Spec};
use self::node::{Crash, Node, Said, Teller, What};
use crate::crashes::{Crashes, Outcome, false_deaths};
use crate::draw::Draw;
use crate::table;
use crate::tuning::Tuning;
use crate::views::Views;

#[derive(Debug, Args)]
pub(crate) struct CrashArgs {
    /// Nodes of a cluster.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(5..=500))]
    nodes: u32,
    /// The period of all, in milliseconds: all other times are scaled likewise. memberlist's own is 500.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(50..=10_000))]
    period_ms: u64,
    /// Runs of each way to crash, each with clusters of its own.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(2..=1_000))]
    runs: u64,
    /// The first seed: who crashes, and when.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Periods that are waited for after a crash, if not all know it sooner.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    window: u64,
    /// Ways to crash.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "end,hang")]
    how: Vec<Crash>,
    /// Whom ours are beside.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "memberlist,foca")]
    peers: Vec<Kind>,
    #[command(flatten)]
    tuning: Tuning,
}

/// All runs that end so.
struct Measured {
    how: Crash,
    /// One for each kind, ours first, and in each one for each run.
    outcomes: Vec<Vec<Outcome>>,
    /// How long false deaths were counted, in all runs together.
    counted: Duration,
}

impl Measured {
    /// Ours beside this one of the peers, the first of which is 1.
    fn beside(&self, peer: usize, args: &CrashArgs) -> Crashes<'_> {
        Crashes {
            under: format!("sockets {}", self.how),
            nodes: args.nodes as usize,
            period: format!("{} ms", args.period_ms),
            window: args.window,
            counted: format!("{:.0} s of each cluster", self.counted.as_secs_f64()),
            is_target: true,
            // Those of the better one.
            false_most: self.outcomes[1..].iter().map(|peer| false_deaths(peer)).min().unwrap_or(0),
            ours: &self.outcomes[0],
            theirs: &self.outcomes[peer],
        }
    }
}

pub(crate) fn run(args: &CrashArgs) -> Result<(), String> {
    if args.peers.contains(&Kind::Swim) || args.peers.is_empty() {
        return Err("--peers: ours are beside others, which are memberlist and foca".into());
    }
    let mut late = Duration::ZERO;
    let mut all = Vec::new();
    for &how in &args.how {
        let outcomes: Vec<Vec<Outcome>> = kinds_of(args).map(|_| Vec::new()).collect();
        let mut measured = Measured { how, outcomes, counted: Duration::ZERO };
        for number in 0..args.runs {
            let Some((run, counted)) = one(args, how, args.first + number, &mut late)? else { continue };
            measured.outcomes.iter_mut().zip(run).for_each(|(all, one)| all.push(one));
            measured.counted += counted;
        }
        if measured.outcomes[0].is_empty() {
            return Err("no clusters have formed".into());
        }
        all.push(measured);
    }
    println!(
        "Clusters of {} on 127.0.0.1, periods of {} ms, {} runs of each way to crash, in each of which all kinds run \
         side by side. A look at the clock every {} ms came up to {} ms late.\n",
        args.nodes,
        args.period_ms,
        args.runs,
        LOOK.as_millis(),
        late.as_millis()
    );
    args.tuning.print();
    for (at, peer) in args.peers.iter().enumerate() {
        let crashes: Vec<_> = all.iter().map(|of| of.beside(at + 1, args)).collect();
        table::print(&peer.to_string(), &Crashes::rows(&crashes));
        println!();
    }
    Ok(())
}

fn kinds_of(args: &CrashArgs) -> impl Iterator<Item = Kind> {
    [Kind::Swim].into_iter().chain(args.peers.iter().copied())
}

/// One run: an outcome for each kind, and how long false deaths were counted; `None` when not all clusters have formed
/// in time.
fn one(
    args: &CrashArgs,
    how: Crash,
    seed: u64,
    late: &mut Duration,
) -> Result<Option<(Vec<Outcome>, Duration)>, String> {
    let (period, mut draw) = (Duration::from_millis(args.period_ms), Draw::new(seed));
    let mut run = Run::start(args)?;
    let formed = run.until(period * FORMING, |cluster| cluster.views.all_see_all())?;
    if !formed {
        let unseen: Vec<_> = run.clusters.iter().map(|of| format!("{}: {}", of.spec.kind, of.views.unseen())).collect();
        eprintln!("run {seed}: not all have formed, and none counts; pairs unseen: {}", unseen.join(", "));
        return Ok(None);
    }
    let since = Instant::now();
    run.clusters.iter_mut().for_each(|cluster| cluster.views.forget_false());
    let moment = Duration::from_micros(draw.below(period.as_micros() as u64));
    run.until(period * SETTLING + moment, |_| false)?;
    for cluster in &mut run.clusters {
        let seen = cluster.views.seen_by_all();
        if seen.is_empty() {
            eprintln!("run {seed}: in the cluster of {} nobody is seen by all, and none counts", cluster.spec.kind);
            return Ok(None);
        }
        let victim = seen[draw.below(seen.len() as u64) as usize];
        cluster.views.crashed(run.start.elapsed().as_micros() as u64, victim);
        cluster.nodes[victim].crash(how);
    }
    let known = |cluster: &Cluster| cluster.views.crash.is_some_and(|crash| crash.last.is_some());
    run.until(period * args.window as u32, known)?;
    *late = run.late.max(*late);
    let counted = since.elapsed();
    let outcome = |of: &Cluster| Outcome::of(&of.views, args.period_ms * 1_000).expect("one of each has crashed");
    let outcomes: Vec<Outcome> = run.clusters.iter().map(outcome).collect();
    let told: Vec<_> = run.clusters.iter().zip(&outcomes).map(|(of, got)| format!("{}: {got}", of.spec.kind)).collect();
    eprintln!("run {seed}, {how}: periods to the first Dead, and from then until all knew: {}", told.join(", "));
    Ok(Some((outcomes, counted)))
}

/// Clusters of all kinds, and what their nodes say.
struct Run {
    clusters: Vec<Cluster>,
    said: mpsc::Receiver<Said>,
    start: Instant,
    /// How late this thread looked at the clock at worst: nodes were no better off.
    late: Duration,
}

struct Cluster {
    spec: Spec,
    nodes: Vec<Node>,
    at: HashMap<SocketAddr, usize>,
    views: Views,
}

impl Run {
    /// Starts all: first one of each kind, then the others, which join through it, a few at a time.
    fn start(args: &CrashArgs) -> Result<Self, String> {
        let (period, nodes, tuning) = (Duration::from_millis(args.period_ms), args.nodes as usize, args.tuning);
        let (to, said) = mpsc::channel();
        let clusters: Vec<Cluster> = kinds_of(args)
            .map(|kind| Spec { kind, nodes, period, tuning })
            .map(|spec| Cluster { spec, nodes: Vec::new(), at: HashMap::new(), views: Views::new(nodes) })
            .collect();
        let mut run = Self { clusters, said, start: Instant::now(), late: Duration::ZERO };
        let mut seeds = vec![None; run.clusters.len()];
        for node in 0..nodes {
            for (cluster, of) in run.clusters.iter_mut().enumerate() {
                let teller = Teller { cluster, node, to: to.clone() };
                let started = Node::start(of.spec, seeds[cluster], teller);
                of.nodes.push(started.map_err(|e| format!("{}: node {node}: {e}", of.spec.kind))?);
            }
            if node == 0 {
                if !run.until(PATIENCE, |cluster| !cluster.at.is_empty())? {
                    return Err(format!("not all first nodes listen after {PATIENCE:?}"));
                }
                seeds = run.clusters.iter().map(|cluster| cluster.at.keys().next().copied()).collect();
            }
            thread::sleep(GAP);
        }
        Ok(run)
    }

    /// Hears what is said until this is so of all clusters, no longer than this span. Whether it came to that.
    fn until(&mut self, span: Duration, is_so: impl Fn(&Cluster) -> bool) -> Result<bool, String> {
        let end = Instant::now() + span;
        loop {
            if self.clusters.iter().all(&is_so) {
                return Ok(true);
            }
            let now = Instant::now();
            if now >= end {
                return Ok(false);
            }
            let look = (now + LOOK).min(end);
            match self.said.recv_timeout(look - now) {
                Ok(said) => self.hear(said)?,
                Err(RecvTimeoutError::Timeout) => self.late = self.late.max(look.elapsed()),
                Err(RecvTimeoutError::Disconnected) => return Err("all nodes have ended".into()),
            }
        }
    }

    fn hear(&mut self, Said { cluster, node, at, what }: Said) -> Result<(), String> {
        let of = &mut self.clusters[cluster];
        match what {
            What::Listens(addr) => {
                of.at.insert(addr, node);
                of.views.started(node);
            }
            What::Sees(other, is_up) => {
                // Itself, before it has said where it is; and what it had said before it crashed, and nobody heard.
                let is_gone = of.views.crash.is_some_and(|crash| crash.node == node);
                if let Some(&other) = of.at.get(&other).filter(|_| !is_gone) {
                    of.views.tell((at - self.start).as_micros() as u64, node, other, is_up);
                }
            }
            What::Fails(why) => return Err(format!("{}: node {node}: {why}", of.spec.kind)),
        }
        Ok(())
    }
}

/// From the start of one node to that of the next.
const GAP: Duration = Duration::from_millis(10);
/// How often the clock is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// A node listens by then.
const PATIENCE: Duration = Duration::from_secs(15);
/// Periods in which a cluster forms: foca may ask its seed again only after thirty.
const FORMING: u32 = 200;
/// Periods after which joins are told: what a peer has left to tell it does not say, so it cannot be waited for.
const SETTLING: u32 = 10;
