//! `swim sim swarm`: whole runs drawn from seeds, with faults and checkers; all of them, whether one fails or not.

use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use swim_sim::swarm::{Batch, BatchArgs, COVERING, Checker, Plan, Violation, batch, run as run_plan, shrink};

use crate::output::{Failure, Out};

/// Runs that shrinking may take.
const TRIES: usize = 400;

#[derive(Debug, Args)]
pub(crate) struct Swarm {
    /// How many runs.
    #[arg(long, default_value_t = COVERING, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first seed.
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    from: u64,
    /// One run alone, and everything about it.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// Only these faults of the run, by their numbers, or `none`.
    #[arg(long, value_name = "NUMBERS", requires = "seed")]
    faults: Option<Numbers>,
    /// Only these nodes of the run, by their numbers, or `none`; 0 and 1, through whom all join, always stay.
    #[arg(long, value_name = "NUMBERS", requires = "seed")]
    nodes: Option<Numbers>,
    /// A chaos of at most so many milliseconds.
    #[arg(long, value_name = "MS", requires = "seed")]
    chaos_ms: Option<u64>,
    /// Make the first run that fails smaller, as long as the same rule is broken.
    #[arg(long)]
    shrink: bool,
    /// Threads; by default as many as there are processors. What is found does not depend on it.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// What is printed.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Text.
    Human,
    /// One JSON object.
    Json,
}

/// Numbers with commas between them.
#[derive(Clone, Debug)]
struct Numbers(Vec<usize>);

impl std::str::FromStr for Numbers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(Vec::new()));
        }
        let number = |n: &str| n.parse().map_err(|_| format!("{n:?} is not a number; write `0,2`, or `none`"));
        text.split(',').map(number).collect::<Result<_, _>>().map(Self)
    }
}

pub(crate) fn run(args: &Swarm) -> Result<(), Failure> {
    match args.seed {
        Some(seed) => run_one(args, args.plan(seed)?),
        None => run_many(args),
    }
}

impl Swarm {
    fn plan(&self, seed: u64) -> Result<Plan, Failure> {
        let mut plan = Plan::draw(seed);
        known(&self.faults, "--faults", plan.faults.len(), seed)?;
        known(&self.nodes, "--nodes", plan.nodes.len(), seed)?;
        if let Some(Numbers(kept)) = &self.faults {
            plan = plan.with_faults(kept);
        }
        if let Some(Numbers(kept)) = &self.nodes {
            plan = plan.with_nodes(kept);
        }
        if let Some(ms) = self.chaos_ms {
            plan = plan.with_chaos(Duration::from_millis(ms));
        }
        Ok(plan)
    }
}

/// Refuses numbers of what the plan, drawn whole, does not have.
fn known(numbers: &Option<Numbers>, option: &str, count: usize, seed: u64) -> Result<(), Failure> {
    let Some(unknown) = numbers.iter().flat_map(|numbers| &numbers.0).find(|&&number| number >= count) else {
        return Ok(());
    };
    let what = option.trim_start_matches('-');
    let there_are = match count {
        0 => format!("no {what}"),
        _ => format!("{count} {what}, numbered 0 to {}", count - 1),
    };
    Err(Failure::Usage(format!("{option} {unknown}: the plan of seed {seed} has {there_are}")))
}

fn run_one(args: &Swarm, plan: Plan) -> Result<(), Failure> {
    let outcome = run_plan(&plan);
    let mut out = Out::new();
    if args.format == Format::Human {
        out.line(format_args!("{}", plan.to_string().trim_end()))?;
        if let Some((took, bound)) = outcome.calm {
            let (took, total) = (seconds(took), seconds(bound.total()));
            out.line(format_args!("one again after {took:.3} s, of {total:.3} s: {bound}"))?;
        }
        out.line(format_args!("digest {:016x}", outcome.digest))?;
    }
    let failed = outcome.violation.map(|violation| Found::of(plan.clone(), violation, args.shrink));
    if args.format == Format::Json {
        let calm = outcome.calm.map(|(took, bound)| json!({ "took": seconds(took), "bound": seconds(bound.total()) }));
        let violations: Vec<Value> = failed.iter().map(Found::json).collect();
        let digest = format!("{:016x}", outcome.digest);
        let object = json!({
            "runs": 1,
            "seed": plan.seed,
            "plan": plan.to_string(),
            "digest": digest,
            "calm": calm,
            "coverage": outcome.coverage,
            "violations": violations,
        });
        out.line(format_args!("{object}"))?;
    }
    match failed {
        Some(found) => found.fail(args.format, &mut out),
        None if args.format == Format::Human => out.line(format_args!("no rule was broken")),
        None => Ok(()),
    }
}

fn run_many(args: &Swarm) -> Result<(), Failure> {
    let threads = args.threads.map_or_else(processors, usize::from);
    let began = Instant::now();
    let batch = batch(BatchArgs { from: args.from, seeds: args.seeds, threads, stop: false });
    let took = began.elapsed();
    let shrunk = |(i, (seed, violation)): (usize, &(u64, Violation))| {
        Found::of(Plan::draw(*seed), violation.clone(), args.shrink && i == 0)
    };
    let failed: Vec<Found> = batch.failures.iter().enumerate().map(shrunk).collect();
    let missing = if batch.runs >= COVERING { batch.coverage.missing() } else { Vec::new() };
    let mut out = Out::new();
    match args.format {
        Format::Human => print(&batch, took, &mut out)?,
        Format::Json => out.line(format_args!("{}", to_json(&batch, &failed, &missing)))?,
    }
    let others = failed.len().saturating_sub(1);
    if let Some(first) = failed.into_iter().next() {
        if others > 0 && args.format == Format::Human {
            out.line(format_args!("{others} more runs failed; the first is told in full"))?;
        }
        return first.fail(args.format, &mut out);
    }
    if !missing.is_empty() {
        return Err(Failure::Runtime(format!("no run came across: {}", missing.join(", "))));
    }
    Ok(())
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get())
}

fn seconds(d: Duration) -> f64 {
    d.as_secs_f64()
}

fn print(batch: &Batch, took: Duration, out: &mut Out) -> Result<(), Failure> {
    for (name, times) in batch.coverage.counts() {
        out.line(format_args!("{times:>12}  {name}"))?;
    }
    for (seed, violation) in &batch.failures {
        out.line(format_args!("seed {seed}: {violation}"))?;
    }
    if let Some((part, calm, seed)) = batch.slowest {
        let percent = 100.0 * part;
        out.line(format_args!("slowest to be one again: {calm:?}, {percent:.1} % of the bound, seed {seed}"))?;
    }
    let (runs, failures, rate) = (batch.runs, batch.failures.len(), batch.node_seconds / seconds(took));
    out.line(format_args!(
        "{runs} runs, {failures} violations, {:.0} node-seconds, digest {:016x}",
        batch.node_seconds, batch.digest
    ))?;
    out.line(format_args!("{:.1} s, {rate:.0} node-seconds per second", seconds(took)))
}

/// All but the time it took, so that the same runs print the same.
fn to_json(batch: &Batch, failed: &[Found], missing: &[&str]) -> Value {
    let violations: Vec<Value> = failed.iter().map(Found::json).collect();
    json!({
        "runs": batch.runs,
        "node_seconds": batch.node_seconds,
        "digest": format!("{:016x}", batch.digest),
        "slowest": batch.slowest.map(|(part, took, seed)| json!({ "part": part, "took": seconds(took), "seed": seed })),
        "coverage": batch.coverage,
        "missing": missing,
        "violations": violations,
    })
}

/// A run that failed, and the smaller one that was made of it.
struct Found {
    plan: Plan,
    violation: Violation,
    smaller: Option<(Plan, Violation)>,
}

impl Found {
    fn of(plan: Plan, violation: Violation, make_smaller: bool) -> Self {
        let smaller = make_smaller
            .then(|| shrink(plan.clone(), violation.clone(), TRIES, |plan: &Plan| run_plan(plan).violation));
        Self { plan, violation, smaller }
    }

    fn json(&self) -> Value {
        let one = |plan: &Plan, violation: &Violation| {
            json!({
                "seed": plan.seed,
                "checker": violation.checker,
                "node": violation.node.map(|node| node.index()),
                "at": (violation.checker != Checker::Panic).then(|| violation.at.as_micros() as f64 / 1e6),
                "text": violation.text,
                "command": plan.command(),
            })
        };
        let mut object = one(&self.plan, &self.violation);
        if let Some((plan, violation)) = &self.smaller {
            object["smaller"] = one(plan, violation);
            object["smaller"]["plan"] = plan.to_string().into();
        }
        object
    }

    fn fail(self, format: Format, out: &mut Out) -> Result<(), Failure> {
        let mut again = self.plan.command();
        if let Some((plan, violation)) = &self.smaller {
            again = plan.command();
            if format == Format::Human {
                out.line(format_args!("made smaller:\n{}", plan.to_string().trim_end()))?;
                out.line(format_args!("{violation}"))?;
            }
        }
        let (seed, violation) = (self.plan.seed, &self.violation);
        Err(Failure::Runtime(format!("seed {seed}: {violation}\nrun it again: {again}")))
    }
}

#[cfg(test)]
mod tests {
    use bind_mio::swim_core::Instant as Moment;
    use swim_sim::NodeIx;

    use super::*;

    fn found() -> Found {
        let at = Moment::from_millis(1_500);
        let violation =
            Violation { checker: Checker::StatusFell, node: Some(NodeIx::FIRST), at, text: "it fell".to_string() };
        let plan = Plan::draw(12);
        let smaller = plan.clone().with_faults(&[]);
        Found { plan, violation: violation.clone(), smaller: Some((smaller, violation)) }
    }

    #[test]
    fn a_failure_says_what_broke_and_how_to_see_it_again() {
        let json = found().json();
        assert_eq!((json["seed"].as_u64(), json["checker"].as_str()), (Some(12), Some("status-fell")));
        assert_eq!((json["at"].as_f64(), json["node"].as_u64()), (Some(1.5), Some(0)));
        assert_eq!(json["command"], "swim sim swarm --seed 12");
        assert_eq!(json["smaller"]["command"], "swim sim swarm --seed 12 --faults none");
        let failure = found().fail(Format::Json, &mut Out::new()).unwrap_err();
        assert_eq!(failure.exit_code(), 1);
        let Failure::Runtime(text) = failure else { panic!("{failure:?}") };
        assert!(text.starts_with("seed 12: status-fell at 1.500000 s, node 0 (10.0.0.1:7946): it fell\n"), "{text}");
        assert!(text.ends_with("run it again: swim sim swarm --seed 12 --faults none"), "the smaller one: {text}");

        let mut panicked = Found { smaller: None, ..found() };
        panicked.violation = Violation { checker: Checker::Panic, node: None, ..panicked.violation };
        assert!(panicked.json()["at"].is_null());
        let Err(Failure::Runtime(text)) = panicked.fail(Format::Json, &mut Out::new()) else { panic!("it failed") };
        assert!(text.starts_with("seed 12: panic: it fell\n"), "nobody knows when: {text}");
    }
}
