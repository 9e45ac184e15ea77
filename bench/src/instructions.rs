//! `bench instructions`: how many instructions each operation takes, inside the core alone. Callgrind counts them, so the machine may
//! be as busy as it likes: the figures are the same in every run.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use crate::case::{Case, MEMBERS, Measure, Op};
use crate::core::{Core, Member};
use crate::foca_core::FocaCore;
use crate::held;
use crate::results::short;
use crate::swim::Swim;
use crate::targets::Targets;

#[derive(Args)]
pub(crate) struct InstructionsArgs {
    /// Numbers of members.
    #[arg(long, value_delimiter = ',', default_values_t = [10, 1_000, 10_000])]
    #[arg(value_parser = clap::value_parser!(Member).range(MEMBERS))]
    members: Vec<Member>,
    /// Only operations whose names have this in them.
    #[arg(long, default_value = "")]
    only: String,
    /// Count foca's instructions, too.
    #[arg(long)]
    peers: bool,
    /// Compare with this file, and fail where an operation has become dearer by more than 3 %.
    #[arg(long)]
    check: Option<PathBuf>,
    /// Write what was counted into that file; what was not counted stays as it is there.
    #[arg(long, requires = "check")]
    bless: bool,
}

#[derive(Args)]
pub(crate) struct OneArgs {
    /// `swim` or `foca`.
    core: String,
    /// As the tables name it.
    op: String,
    #[arg(value_parser = clap::value_parser!(Member).range(MEMBERS))]
    members: Member,
    /// How many batches.
    times: u64,
}

/// So much dearer may an operation become, in percent, before its baseline has to be changed.
const TOLERATED: f64 = 3.0;

/// The steady state is what a long run takes more than a short one.
const RUNS: (u64, u64) = (40, 240);

/// Of the peer among so many members or more, since some of its operations go through all of them: fewer, so that each
/// is counted in seconds.
const MANY: Member = 10_000;
const MANY_RUNS: (u64, u64) = (10, 60);

/// What stands in front of the compiler's version in the file.
const COMPILER: &str = "# by ";

type Counted = BTreeMap<(String, Member), f64>;

pub(crate) fn one(args: &OneArgs) -> Result<(), String> {
    let op = Op::ALL.into_iter().find(|op| op.to_string() == args.op);
    let op = op.ok_or_else(|| format!("{}: no operation has this name", args.op))?;
    let mut case: Box<dyn Measure> = match args.core.as_str() {
        "swim" => Box::new(Case::<Swim>::new(op, args.members)),
        "foca" if op.is_of::<FocaCore>() => Box::new(Case::<FocaCore>::new(op, args.members)),
        other => return Err(format!("{other} has no {op} here")),
    };
    let ops: u64 = (0..args.times).map(|_| case.batch().ops).sum();
    println!("{ops}");
    Ok(())
}

/// At most so many instructions, and so many are aimed for, whatever the number of members.
const HELD: [(Op, (f64, f64)); 2] = [(held::PING, (600.0, 300.0)), (held::FRESH, (8_000.0, 4_500.0))];

pub(crate) fn run(args: &InstructionsArgs) -> Result<(), String> {
    let baseline = match &args.check {
        Some(file) => Some((file.as_path(), Baseline::read(file, args.bless)?)),
        None => None,
    };
    if let Some((file, Baseline { by, .. })) = &baseline {
        let mine = compiler()?;
        if *by != mine && !args.bless {
            println!("SKIPPED: {} was written by {by}, and this is {mine}", file.display());
            return Ok(());
        }
    }
    let ours = count_all(args)?;
    let mut targets = Targets::new();
    for (op, wanted) in HELD {
        for ((_, members), count) in ours.iter().filter(|((name, _), _)| *name == op.to_string()) {
            targets.at_most(&format!("instructions of {op}, N = {members}"), *count, wanted);
        }
    }
    println!("\n{}", targets.table());
    match baseline {
        Some((file, baseline)) if args.bless => baseline.write(file, ours),
        Some((file, baseline)) => baseline.check(file, &ours),
        None => Ok(()),
    }
}

fn count_all(args: &InstructionsArgs) -> Result<Counted, String> {
    let mut ours = Counted::new();
    println!("Instructions\n\n| | members | swim | foca | ratio |\n|---|---|---|---|---|");
    for op in Op::ALL.into_iter().filter(|op| op.to_string().contains(&args.only)) {
        for &members in &args.members {
            let count = count(Swim::NAME, op, members)?;
            ours.insert((op.to_string(), members), count);
            let (peer, ratio) = match peer(args, op, members)? {
                Some(peer) => (format!("{peer:.0}"), short(count / peer)),
                None => ("–".into(), String::new()),
            };
            println!("| {op} | {members} | {count:.0} | {peer} | {ratio} |");
        }
    }
    if ours.is_empty() {
        return Err(format!("--only {}: no operation has this in its name", args.only));
    }
    Ok(ours)
}

/// Foca's count, where it is wanted and there is one.
fn peer(args: &InstructionsArgs, op: Op, members: Member) -> Result<Option<f64>, String> {
    let is_counted = args.peers && op.is_of::<FocaCore>();
    is_counted.then(|| count(FocaCore::NAME, op, members)).transpose()
}

/// Instructions of one operation in the steady state.
fn count(core: &str, op: Op, members: Member) -> Result<f64, String> {
    // A table is learned from the start each time.
    let (few, many) = match core {
        _ if op == Op::Ingest => (1, 3),
        FocaCore::NAME if members >= MANY => MANY_RUNS,
        _ => RUNS,
    };
    let (few, many) = (few + op.warm_up() as u64, many + op.warm_up() as u64);
    let ((ops, short), (more, long)) = (callgrind(core, op, members, few)?, callgrind(core, op, members, many)?);
    Ok((long - short) as f64 / (more - ops) as f64)
}

/// Operations, and the instructions of them all.
fn callgrind(core: &str, op: Op, members: Member, times: u64) -> Result<(u64, u64), String> {
    let this = std::env::current_exe().map_err(|e| format!("where this program is: {e}"))?;
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=bench::case::measured*"]);
    valgrind.arg(this).args(["one", core, &op.to_string(), &members.to_string(), &times.to_string()]);
    let output = valgrind.output().map_err(|e| format!("valgrind: {e}: install it (Debian: valgrind)"))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let ops = String::from_utf8_lossy(&output.stdout).trim().parse();
    let collected = said.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    match (ops, collected) {
        // Nothing is counted when the one place is not found in which it counts.
        (Ok(ops), Some(collected)) if output.status.success() && collected > 0 => Ok((ops, collected)),
        _ => Err(format!("{core} {op} {members} under callgrind: {}\n{said}", output.status)),
    }
}

/// Another compiler writes other instructions.
fn compiler() -> Result<String, String> {
    let output = Command::new("rustc").arg("--version").output().map_err(|e| format!("rustc: {e}"))?;
    let version = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(version.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
}

/// What was counted when the file was written, and by which compiler.
struct Baseline {
    by: String,
    counted: Counted,
}

impl Baseline {
    /// The file may be missing, or of another compiler, when it is to be written `anew`.
    fn read(file: &Path, anew: bool) -> Result<Self, String> {
        let text = match std::fs::read_to_string(file) {
            Err(e) if anew && e.kind() == std::io::ErrorKind::NotFound => String::new(),
            text => text.map_err(|e| format!("{}: {e}", file.display()))?,
        };
        let by = text.lines().find_map(|line| line.strip_prefix(COMPILER)).unwrap_or("no compiler").to_owned();
        let mut counted = Counted::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (what, count) = entry(line).ok_or_else(|| format!("{}: what is {line:?}?", file.display()))?;
            counted.insert(what, count);
        }
        Ok(Self { by, counted })
    }

    fn write(mut self, file: &Path, counted: Counted) -> Result<(), String> {
        let mine = compiler()?;
        if self.by != mine {
            self.counted.clear();
        }
        self.counted.extend(counted);
        let head =
            "Instructions of each operation by members: bench instructions --check compares them, --bless writes them.";
        let mut text = format!("# {head}\n{COMPILER}{mine}\n");
        for ((op, members), count) in &self.counted {
            _ = writeln!(text, "{op} {members} {count:.0}");
        }
        std::fs::write(file, text).map_err(|e| format!("{}: {e}", file.display()))
    }

    /// Every operation that was counted: none is missing here, and none dearer. What is cheaper is said, so that the next one
    /// that is not has nothing to hide behind.
    fn check(&self, file: &Path, counted: &Counted) -> Result<(), String> {
        let mut wrong = String::new();
        for (what @ (op, members), &now) in counted {
            let Some(&before) = self.counted.get(what) else {
                _ = writeln!(wrong, "{op}, {members} members: {now:.0} instructions, and no baseline");
                continue;
            };
            let more = 100.0 * (now / before - 1.0);
            let line = format!("{op}, {members} members: {before:.0} instructions before, {now:.0} now: {more:+.1} %");
            if more > TOLERATED {
                wrong += &(line + "\n");
            } else if more < -TOLERATED {
                println!("cheaper, and to be written down (--bless): {line}");
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(format!("{}:\n{wrong}", file.display())) }
    }
}

/// An operation, the number of members, and its instructions.
fn entry(line: &str) -> Option<((String, Member), f64)> {
    let mut words = line.split_whitespace();
    let (op, members) = (words.next()?.to_owned(), words.next()?.parse().ok()?);
    let count = words.next()?.parse().ok()?;
    words.next().is_none().then_some(((op, members), count))
}
