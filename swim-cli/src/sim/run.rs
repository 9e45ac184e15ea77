//! `swim sim run`: a cluster of any size and configuration under a timeline of faults, on virtual time.

mod show;

use std::io::{IsTerminal, stderr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use swim_sim::drill::{Drill, Fault, Kind, NotFormed, Progress, Report, Who};
use swim_sim::{Link, percent};

use super::fault_spec;
use crate::config_file::{ConfigArgs, FILE_HELP};
use crate::output::{Failure, Out, notice};
use crate::units::{parse_latency, parse_percent, parse_span, span};

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Nodes that form the cluster, all within a second and through the first of them.
    #[arg(long, value_parser = clap::value_parser!(u32).range(2..=100_000))]
    nodes: u32,
    #[command(flatten)]
    config: ConfigArgs,
    /// All chance is drawn from this: the same seed and options give the same output on every machine.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Datagrams lost on all links from the start on, in percent.
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = parse_percent)]
    loss: u32,
    /// How long a datagram is under way: one latency or from the shortest to the longest, like 5ms or 1ms..20ms; a number
    /// without a unit is milliseconds. From 0.1 to 1 ms if not given.
    #[arg(long, value_name = "MIN..MAX", value_parser = parse_latency)]
    latency: Option<(Duration, Duration)>,
    /// Let 5 % of all datagrams come twice, or so many percent.
    #[arg(long, value_name = "PERCENT", num_args = 0..=1, default_missing_value = "5", value_parser = parse_percent)]
    duplicate: Option<u32>,
    /// Hold 20 % of all datagrams back for up to 100 ms, or so many percent.
    #[arg(long, value_name = "PERCENT", num_args = 0..=1, default_missing_value = "20", value_parser = parse_percent)]
    reorder: Option<u32>,
    /// What goes wrong and when, like crash:3@60s; may be repeated. Without any, one process crashes in the middle.
    #[arg(long, value_name = "SPEC", value_parser = fault_spec::parse)]
    fault: Vec<Fault>,
    /// A TOML file with faults, see below.
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// How long the cluster is watched once it has formed.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_span)]
    duration: Duration,
    /// End with exit code 1 unless all running nodes see exactly those that run in the end.
    #[arg(long)]
    expect_converged: bool,
    /// What is printed.
    #[arg(long, value_enum, default_value_t = RunFormat::Human)]
    format: RunFormat,
    /// Draw live members, suspects and traffic over time into this SVG file as well.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Show no progress bar; there is one on terminals only, when the run takes longer than a second.
    #[arg(long)]
    no_progress: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RunFormat {
    /// What followed from each fault, what it cost, and who sees what in the end.
    Human,
    /// One JSON object; times in milliseconds.
    Json,
}

pub(crate) fn run(args: &RunArgs) -> Result<(), Failure> {
    let drill = args.drill()?;
    let mut bar = Bar::new(args.no_progress, &drill);
    let begun = Instant::now();
    let report = drill.run(&mut |progress| bar.show(progress)).map_err(|not| not_formed(&drill, &not))?;
    bar.clear();
    notice(format_args!("simulated {} in {:.1} s", span(args.duration), begun.elapsed().as_secs_f64()));
    let mut out = Out::new();
    match args.format {
        RunFormat::Json => {
            let json = serde_json::to_string_pretty(&report).expect("strings and finite numbers can be written");
            out.line(format_args!("{json}"))?;
        }
        RunFormat::Human => {
            let default = if args.given_no_fault() { " (no fault was given, so one process crashes)" } else { "" };
            out.line(format_args!(
                "{} nodes, {}, seed {}; {}{default}",
                report.nodes,
                args.config.name(),
                report.seed,
                show::link(&drill.link)
            ))?;
            show::human(&mut out, &report)?;
        }
    }
    if let Some(file) = &args.plot {
        show::plot(&report, file)?;
    }
    args.verdict(&report)
}

impl RunArgs {
    fn drill(&self) -> Result<Drill, Failure> {
        let mut drill = Drill::new(self.config.config()?, self.nodes as usize);
        (drill.seed, drill.duration) = (self.seed, self.duration);
        if self.duration < Duration::from_secs(1) || self.duration > DURATION_MAX {
            return Err(Failure::Usage(format!(
                "--duration {}: it must be from 1s to {}",
                span(self.duration),
                span(DURATION_MAX)
            )));
        }
        let link = Link::default();
        let (latency_min, latency_max) = self.latency.unwrap_or((link.latency_min, link.latency_max));
        let (duplicate, reorder) = (self.duplicate.unwrap_or(0), self.reorder.unwrap_or(0));
        drill.link = Link { loss: self.loss, duplicate, reorder, latency_min, latency_max, ..link };
        drill.faults = self.fault.clone();
        drill.faults.extend(self.faults.as_deref().map(fault_spec::read).transpose()?.into_iter().flatten());
        if self.given_no_fault() {
            let at = Duration::from_secs(self.duration.as_secs() / 2);
            let label = format!("crash:1@{}", span(at));
            drill.faults.push(Fault { label, kind: Kind::Crash(Who::Count(1)), at, until: None });
        }
        if let Some(why) = drill.faults.iter().find_map(|fault| fault_spec::too_many(fault, &drill)) {
            return Err(Failure::Usage(why));
        }
        let too_late = |fault: &&Fault| fault.until.unwrap_or(fault.at) > self.duration;
        if let Some(late) = drill.faults.iter().find(too_late) {
            let end = span(late.until.unwrap_or(late.at));
            return Err(Failure::Usage(format!(
                "fault {}: it goes on until {end}, and the run ends at {}: give a longer --duration, or let the fault \
                 begin and end sooner",
                late.label,
                span(self.duration)
            )));
        }
        Ok(drill)
    }

    fn given_no_fault(&self) -> bool {
        self.fault.is_empty() && self.faults.is_none()
    }

    fn verdict(&self, report: &Report) -> Result<(), Failure> {
        if report.agreement.converged || !self.expect_converged {
            return Ok(());
        }
        if report.agreement.running == 0 {
            let text = "no process runs in the end, so none sees anything; let the faults leave some";
            return Err(Failure::Runtime(text.to_owned()));
        }
        Err(Failure::Runtime(format!(
            "{}; if the last fault is too near the end, give a longer --duration",
            show::unlike(&report.agreement)
        )))
    }
}

fn not_formed(drill: &Drill, not: &NotFormed) -> Failure {
    let lost = f64::from(drill.link.loss) / f64::from(percent(1));
    Failure::Runtime(format!(
        "the cluster did not form within {}: some node sees {} of {} members; {lost} % loss and latencies up to {} are \
         what it had to cope with, so lower them, or take a more patient preset",
        span(not.waited),
        not.fewest,
        drill.nodes,
        span(drill.link.latency_max)
    ))
}

/// Progress on standard error, for those who wait before a terminal.
struct Bar {
    bar: ProgressBar,
    begun: Instant,
    shown: bool,
    nodes: usize,
    wanted: bool,
}

impl Bar {
    fn new(unwanted: bool, drill: &Drill) -> Self {
        let bar = ProgressBar::with_draw_target(Some(drill.duration.as_secs()), ProgressDrawTarget::hidden());
        let style = ProgressStyle::with_template("{msg} [{bar:40}] {pos}/{len} s, {eta} left");
        bar.set_style(style.expect("the template is right").progress_chars("=> "));
        Self {
            bar,
            begun: Instant::now(),
            shown: false,
            nodes: drill.nodes,
            wanted: !unwanted && stderr().is_terminal(),
        }
    }

    fn show(&mut self, progress: Progress) {
        if !self.wanted {
            return;
        }
        if !self.shown && self.begun.elapsed() > Duration::from_secs(1) {
            self.shown = true;
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        match progress {
            Progress::Forming { started } => self.bar.set_message(format!("{started}/{} nodes start", self.nodes)),
            Progress::Running { passed } => {
                self.bar.set_message("running");
                self.bar.set_position(passed.as_secs());
            }
        }
    }

    fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// A month.
const DURATION_MAX: Duration = Duration::from_secs(30 * 24 * 3_600);

/// What `--help` says behind the options.
pub(crate) fn help() -> String {
    format!("{}\n\n{HELP}\n\n{FILE_HELP}\n\n{CODES}", fault_spec::HELP)
}

const HELP: &str = "\
Standard output has the result only, the same for the same options; how long it took goes to standard error.
With --format json it is one object:
  forming          formed_ms, bytes_per_node, seed_bytes
  faults           for each: fault, at_s, until_s, nodes, wanted (null unless a number was asked for); first_suspicion, first_dead, dead_everywhere,
                   left_everywhere, up_everywhere (each null, or count, min, mean, max in ms over the nodes
                   that it befell); suspected_members, refutations; right_again_ms: from the fault's end until
                   all running nodes saw exactly those that run (null: never)
  false_deaths     members (lives) declared dead that ran and could be reached, and reports of it
  apart_deaths     the same for members that were cut off from who said so, or paused
  true_deaths      the same for processes that had ended
  false_suspicions, refutations
  traffic          per node and second, IP and UDP headers in: idle, whole, peak (datagrams, bytes), peak_at_s,
                   datagrams_by_node, bytes_by_node
  agreement        converged, running, unlike_count, unlike (who sees something else: node, sees, misses, ghosts,
                   and outdated, seen in another incarnation than they are in)
  digest           two runs with the same one did the same, byte for byte";

const CODES: &str = "\
Exit codes: 0 the run took place, whatever it showed; 1 the cluster did not form, the plot cannot be written,
or, with --expect-converged, the views do not agree in the end; 2 what was asked for cannot work.";
