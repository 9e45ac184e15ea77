//! `bench agents`: what nodes take that have nothing to do, each a process: memory, and time of the processor.
//!
//! They join through the first of them on 127.0.0.1; when all see all, and some seconds later, they are left alone, and
//! what they have used by then is taken from what they have used a minute later. Memory is read at the end.

pub(crate) mod child;
pub(crate) mod peers;
pub(crate) mod usage;

use std::collections::HashSet;
use std::error::Error;
use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum as _};

use self::child::Running;
use self::peers::{ALL_THERE, Peer, free_port};
use self::usage::{Memory, cpu, memory, threads};
use crate::targets::Targets;

#[derive(Debug, Args)]
pub(crate) struct AgentsArgs {
    /// The program `swim`.
    #[arg(long, default_value = "../target/release/swim")]
    swim: PathBuf,
    /// How many of each.
    #[arg(long, default_value_t = 50)]
    agents: usize,
    /// How long they are left alone, in seconds.
    #[arg(long, default_value_t = 60)]
    idle: u64,
    /// Beside the agents: nodes of the crates, each in a process of this program.
    #[arg(long, value_delimiter = ',', default_value = "swim,foca,foca-quiet,memberlist,chitchat")]
    peers: Vec<Peer>,
}

/// What runs in each process.
#[derive(Clone, Copy)]
enum Kind {
    Agent,
    Peer(Peer),
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Agent => f.write_str("`swim agent`"),
            Self::Peer(peer) => write!(f, "{peer}, alone in a process"),
        }
    }
}

/// What one process takes.
struct Taken {
    memory: Memory,
    /// Of one core.
    busy: f64,
    threads: usize,
}

pub(crate) fn run(args: &AgentsArgs) -> Result<(), Box<dyn Error>> {
    if args.agents < 2 {
        return Err("there are two agents at least".into());
    }
    if !args.swim.is_file() {
        let path = args.swim.display();
        return Err(format!("there is no {path}: build it (`cargo build --release -p swim-cli`), or say --swim").into());
    }
    println!("{} processes of each, {} s alone; memory in KiB, CPU in percent of one core.\n", args.agents, args.idle);
    println!(
        "| process | RSS: median, max | PSS: median, max | private: median, max | CPU: mean, max | threads | all saw all after |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut targets = Targets::new();
    for kind in [Kind::Agent].into_iter().chain(args.peers.iter().map(|&peer| Kind::Peer(peer))) {
        let (taken, joined) = measure(kind, args)?;
        print(kind, &taken, joined);
        if let Kind::Agent = kind {
            let resident = sorted(&taken, |memory| memory.resident).0 as f64 / 1024.0;
            targets.at_most("`swim agent`: RSS, MiB, the middle one", resident, (4.0, 2.7));
            targets.at_most("`swim agent`: CPU, percent of a core, mean", mean_busy(&taken), (0.03, 0.02));
        }
    }
    println!("\n{}", targets.table());
    Ok(())
}

fn sorted(taken: &[Taken], of: fn(&Memory) -> u64) -> (u64, u64) {
    let mut all: Vec<_> = taken.iter().map(|one| of(&one.memory)).collect();
    all.sort_unstable();
    (all[(all.len() - 1) / 2], all[all.len() - 1])
}

fn mean_busy(taken: &[Taken]) -> f64 {
    taken.iter().map(|one| one.busy).sum::<f64>() / taken.len() as f64
}

/// Where the processes write, removed at the end.
struct Outputs(PathBuf);

impl Outputs {
    fn new() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("bench-agents-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    fn of(&self, agent: usize) -> PathBuf {
        self.0.join(agent.to_string())
    }
}

impl Drop for Outputs {
    fn drop(&mut self) {
        // Left behind, it does no harm.
        _ = fs::remove_dir_all(&self.0);
    }
}

fn measure(kind: Kind, args: &AgentsArgs) -> Result<(Vec<Taken>, Duration), Box<dyn Error>> {
    let outputs = Outputs::new()?;
    let start = Instant::now();
    let mut running = start_all(kind, args, &outputs)?;
    for (number, one) in running.iter_mut().enumerate() {
        while !sees_all(kind, &outputs.of(number), args.agents)? {
            one.check()?;
            if start.elapsed() > PATIENCE {
                return Err(format!("{kind}: not all see all after {PATIENCE:?}").into());
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
    let joined = start.elapsed();
    thread::sleep(SETTLED);
    let used = |running: &[Running]| running.iter().map(|one| cpu(one.pid())).collect::<io::Result<Vec<_>>>();
    let (before, alone) = (used(&running)?, Instant::now());
    thread::sleep(Duration::from_secs(args.idle));
    let (after, alone) = (used(&running)?, alone.elapsed());
    let mut taken = Vec::new();
    for (one, used) in
        running.iter_mut().zip(before.iter().zip(after).map(|(before, after)| after.saturating_sub(*before)))
    {
        one.check()?;
        let (memory, threads) = (memory(one.pid())?, threads(one.pid())?);
        taken.push(Taken { memory, busy: 100.0 * used.as_secs_f64() / alone.as_secs_f64(), threads });
    }
    Ok((taken, joined))
}

fn start_all(kind: Kind, args: &AgentsArgs, outputs: &Outputs) -> io::Result<Vec<Running>> {
    let addrs = addrs(args.agents)?;
    let mut running = Vec::new();
    for (number, &addr) in addrs.iter().enumerate() {
        running.push(launch(kind, args, (number, addr), addrs[0], outputs)?);
        // The others join through the first one, and not all of them ask twice.
        let start = Instant::now();
        while number == 0 && fs::metadata(outputs.of(0))?.len() == 0 {
            running[0].check()?;
            if start.elapsed() > PATIENCE {
                return Err(io::Error::other(format!("the first {kind} has said nothing for {PATIENCE:?}")));
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
    Ok(running)
}

fn addrs(count: usize) -> io::Result<Vec<SocketAddr>> {
    let mut addrs = HashSet::new();
    while addrs.len() < count {
        addrs.insert(free_port()?);
    }
    Ok(addrs.into_iter().collect())
}

fn launch(
    kind: Kind,
    args: &AgentsArgs,
    (number, addr): (usize, SocketAddr),
    first: SocketAddr,
    outputs: &Outputs,
) -> io::Result<Running> {
    let out = File::create(outputs.of(number))?.into();
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let (name, bind, seed) = (format!("agent-{number}"), addr.to_string(), first.to_string());
    match kind {
        Kind::Agent => {
            let mut arguments =
                words(&["agent", "--cluster", "bench", "--name", &name, "--bind", &bind, "--format", "jsonl"]);
            if number > 0 {
                arguments.extend(words(&["--join", &seed]));
            }
            Running::start(args.swim.as_os_str(), &arguments, out)
        }
        Kind::Peer(peer) => {
            let which = peer.to_possible_value().expect("every peer can be named");
            let mut arguments = words(&["peer", which.get_name(), &bind, &args.agents.to_string()]);
            if number > 0 {
                arguments.extend(words(&["--seed", &seed]));
            }
            Running::own(&arguments, out)
        }
    }
}

/// An agent prints a line for every member that is up, or down again.
fn sees_all(kind: Kind, output: &Path, members: usize) -> io::Result<bool> {
    let text = fs::read_to_string(output)?;
    let lines = |what: &str| text.lines().filter(|line| line.contains(what)).count();
    Ok(match kind {
        Kind::Agent => lines(r#""event":"member_up""#) >= members - 1 + lines(r#""event":"member_down""#),
        Kind::Peer(_) => lines(ALL_THERE) > 0,
    })
}

fn print(kind: Kind, taken: &[Taken], joined: Duration) {
    let all = [sorted(taken, |m| m.resident), sorted(taken, |m| m.proportional), sorted(taken, |m| m.private)];
    let [resident, proportional, private] = all.map(|(median, max)| format!("{median}, {max}"));
    let mean = mean_busy(taken);
    let most = taken.iter().map(|one| one.busy).fold(0.0, f64::max);
    let threads = taken.iter().map(|one| one.threads).max().unwrap_or(0);
    println!(
        "| {kind} | {resident} | {proportional} | {private} | {mean:.4}, {most:.4} | {threads} | {:.1} s |",
        joined.as_secs_f64()
    );
}

/// Joins are told by then.
const SETTLED: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(120);
