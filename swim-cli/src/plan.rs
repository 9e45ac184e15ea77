//! `swim plan`: what a configuration means, line by line with what it says.

use std::path::PathBuf;
use std::time::Duration;

use bind_mio::swim_core::Config;
use clap::{Args, ValueEnum};
use swim_sim::Link;
use swim_sim::plan::{Plan, Question};

use crate::args::Preset;
use crate::config_file::{ConfigArgs, FILE_HELP};
use crate::output::{Failure, Out};
use crate::plot::{Axis, Curve, Plot, Scale};
use crate::units::{counted, number, parse_latency, parse_percent, size, span, time};

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// Live members of the cluster.
    #[arg(long, value_parser = clap::value_parser!(u32).range(2..=4_194_304))]
    nodes: u32,
    #[command(flatten)]
    config: ConfigArgs,
    /// Datagrams lost, in percent.
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = parse_percent)]
    loss: u32,
    /// How long a datagram is under way: one latency or from the shortest to the longest, like 5ms or 1ms..20ms; a number
    /// without a unit is milliseconds. From 0.1 to 1 ms if not given.
    #[arg(long, value_name = "MIN..MAX", value_parser = parse_latency)]
    latency: Option<(Duration, Duration)>,
    /// Nodes have keys, which makes every datagram 32 bytes longer; so they have if --config has them in its section
    /// [sealing].
    #[arg(long)]
    sealed: bool,
    /// What is printed.
    #[arg(long, value_enum, default_value_t = PlanFormat::Human)]
    format: PlanFormat,
    /// Draw detection times by cluster size into this SVG file as well: for all presets, or for what is asked with
    /// --preset, --config or --set.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PlanFormat {
    /// A table with a line of explanation for each number.
    Human,
    /// One JSON object; times in milliseconds.
    Json,
}

pub(crate) fn run(args: &PlanArgs) -> Result<(), Failure> {
    let (config, seals) = args.config.config_and_keys()?;
    let sealed = seals || args.sealed;
    let plan = Plan::of(&args.question(&config, args.nodes as usize, sealed));
    let mut out = Out::new();
    match args.format {
        PlanFormat::Json => {
            let json = serde_json::to_string_pretty(&plan).expect("finite numbers can be written");
            out.line(format_args!("{json}"))?;
        }
        PlanFormat::Human => human(&mut out, args, &config, &plan)?,
    }
    args.plot.as_ref().map_or(Ok(()), |file| args.curves(&config, sealed).write(file))
}

impl PlanArgs {
    fn question<'a>(&self, config: &'a Config, nodes: usize, sealed: bool) -> Question<'a> {
        let (latency_min, latency_max) = self.latency();
        Question { loss: self.loss, latency_min, latency_max, sealed, ..Question::new(config, nodes) }
    }

    fn latency(&self) -> (Duration, Duration) {
        let link = Link::default();
        self.latency.unwrap_or((link.latency_min, link.latency_max))
    }

    fn curves(&self, config: &Config, sealed: bool) -> Plot {
        let asked = self.config.preset.is_some() || self.config.config.is_some() || !self.config.set.is_empty();
        let preset = |preset: &Preset| (preset.name().to_owned(), preset.config("sim"));
        let configs: Vec<(String, Config)> = match asked {
            true => vec![(self.config.name(), config.clone())],
            false => Preset::value_variants().iter().map(preset).collect(),
        };
        let sizes: Vec<usize> = (0..=40).map(|i| (2.0 * 10_f64.powf(f64::from(i) * 0.1)).round() as usize).collect();
        let mut curves = Vec::new();
        for (name, config) in &configs {
            let plans: Vec<Plan> = sizes.iter().map(|&n| Plan::of(&self.question(config, n, sealed))).collect();
            let mut curve = |what: &str, of: fn(&Plan) -> f64| {
                let points = plans.iter().map(|plan| (plan.nodes as f64, of(plan) / 1e3)).collect();
                curves.push(Curve { name: format!("{name}: {what}"), points, reference: false });
            };
            curve("first suspicion", |plan| plan.detection.first_suspicion_mean_ms);
            curve("first dead", |plan| plan.detection.first_dead_mean_ms);
            curve("first dead, 99 %", |plan| plan.detection.first_dead_p99_ms);
        }
        Plot {
            title: "Detection of a crash, by cluster size".into(),
            x: Axis::new("nodes", Scale::Log),
            y: Axis::new("seconds after the crash", Scale::Log),
            curves,
        }
    }
}

fn human(out: &mut Out, args: &PlanArgs, config: &Config, plan: &Plan) -> Result<(), Failure> {
    let (min, max) = args.latency();
    let latency = if min == max { span(min) } else { format!("{}..{}", span(min), span(max)) };
    out.line(format_args!(
        "{} nodes, {}; loss {} %, latency {latency}, {}",
        plan.nodes,
        args.config.name(),
        number(f64::from(args.loss) / 1e4),
        if plan.sealed { "sealed" } else { "not sealed" }
    ))?;
    for (head, lines) in sections(config, plan) {
        out.line(format_args!("\n{head}"))?;
        for (what, value, meaning) in lines {
            out.line(format_args!("  {what:<28} {value:>12}   {meaning}"))?;
        }
    }
    if !plan.warnings.is_empty() {
        out.line(format_args!("\nWarnings"))?;
    }
    plan.warnings.iter().try_for_each(|warning| out.line(format_args!("  {warning}")))
}

type Line = (&'static str, String, String);

fn sections(config: &Config, plan: &Plan) -> [(&'static str, Vec<Line>); 5] {
    [
        ("A process crashes", detection(config, plan)),
        ("News", news(config, plan)),
        ("Loss", loss(config, plan)),
        ("Traffic sent by each node; it receives as much (28 bytes of IP and UDP headers are counted)", traffic(plan)),
        ("Memory of each node (heap; estimated)", memory(config, plan)),
    ]
}

fn detection(config: &Config, plan: &Plan) -> Vec<Line> {
    let d = &plan.detection;
    let period = span(config.probe_interval);
    vec![
        (
            "first suspicion, mean",
            time(d.first_suspicion_mean_ms),
            format!("the first unanswered ping, and one probe_interval ({period})"),
        ),
        ("first suspicion, 99 %", time(d.first_suspicion_p99_ms), "in 99 of 100 crashes it has come by then".into()),
        (
            "first suspicion, at most",
            time(d.first_suspicion_worst_ms),
            "2N-1 periods: the bound of the round-robin".into(),
        ),
        (
            "suspicion, shortest",
            time(d.suspicion_min_ms),
            match d.confirmations {
                0 => "nobody can confirm it: alpha x log10 N periods".into(),
                1 => "when another one has confirmed it: alpha x log10 N periods".into(),
                k => format!("when {k} others have confirmed it: alpha x log10 N periods"),
            },
        ),
        (
            "suspicion, longest",
            time(d.suspicion_max_ms),
            match d.confirmations {
                0 => "nobody can confirm it: the same".into(),
                _ => "when nobody confirms it: beta times that".into(),
            },
        ),
        (
            "first dead, mean",
            time(d.first_dead_mean_ms),
            if d.confirmations == 0 {
                "first suspicion, and the suspicion"
            } else {
                "confirmations come as others probe it, too"
            }
            .into(),
        ),
        ("first dead, 99 %", time(d.first_dead_p99_ms), "in 99 of 100 crashes it has come by then".into()),
        (
            "first dead, at most",
            time(d.first_dead_worst_ms),
            "latest first suspicion, and the longest suspicion".into(),
        ),
        (
            "the same, nodes unwell",
            time(d.first_dead_worst_health_ms),
            format!(
                "with the local health of all others at its worst: periods {} times as long",
                config.health_max + 1
            ),
        ),
    ]
}

fn news(config: &Config, plan: &Plan) -> Vec<Line> {
    let d = &plan.dissemination;
    vec![
        (
            "all know",
            time(d.all_know_ms),
            format!("{:.1} gossip rounds of {}; rather sooner", d.rounds, span(config.gossip_interval)),
        ),
        ("each node tells it", counted(d.times_told as f64, "time"), "lambda x ln(N+1)".into()),
        (
            "somebody misses it",
            format!("{} %", number(100.0 * d.somebody_misses)),
            "of all news, by gossip alone; a sync brings it later".into(),
        ),
    ]
}

fn loss(config: &Config, plan: &Plan) -> Vec<Line> {
    let f = &plan.false_suspicion;
    vec![
        (
            "a probe fails wrongly",
            format!("{} %", number(100.0 * f.probe_fails)),
            format!(
                "{} of its own and up to {} through relays all lost, of a healthy member",
                if config.direct_probes > 1 { "two pings" } else { "one ping" },
                config.indirect_probes
            ),
        ),
        (
            "false suspicions per node",
            format!("{}/h", number(f.per_node_hour)),
            "each is refuted in time as a rule".into(),
        ),
        ("in the whole cluster", format!("{}/h", number(f.per_hour)), "the same for all members together".into()),
    ]
}

fn traffic(plan: &Plan) -> Vec<Line> {
    let (idle, change, join) = (&plan.idle, &plan.change, &plan.join);
    vec![
        (
            "idle, datagrams",
            format!("{}/s", number(idle.datagrams_per_second)),
            "a ping and an ack per period, and what loss adds".into(),
        ),
        (
            "idle, bytes",
            format!("{} kbit/s", number(idle.kbit_per_second)),
            format!("{} per second", size(idle.bytes_per_second)),
        ),
        (
            "one change, at most",
            size(change.bytes_max),
            format!("{}, if none of it rides on probes", counted(change.datagrams_max, "datagram")),
        ),
        (
            "one crash, at most",
            size(change.crash_bytes_max),
            format!("{}: suspicion, confirmations, death", counted(change.crash_datagrams_max, "datagram")),
        ),
        (
            "peak while there is news",
            format!("{}/s", number(change.peak_datagrams_per_second)),
            "datagrams: gossip_fanout, or all others, per gossip_interval".into(),
        ),
        (
            "a newcomer is sent",
            size(join.rows_bytes),
            format!("{} of rows, by its seed alone", counted(join.rows_datagrams, "datagram")),
        ),
        ("a newcomer is announced", size(join.announced_bytes_max), "by each other node, at most".into()),
        (
            "all join at once by one seed",
            time(join.all_at_once_seconds * 1e3),
            "that the seed's answers take at sync_rate, at most".into(),
        ),
    ]
}

fn memory(config: &Config, plan: &Plan) -> Vec<Line> {
    let m = &plan.memory;
    vec![
        (
            "with all of them",
            size(m.bytes),
            format!(
                "{} and {} per row, metadata aside{}",
                size(m.base_bytes),
                size(m.row_bytes),
                if plan.nodes > config.members_max { "; members_max lets no more in" } else { "" }
            ),
        ),
        ("at members_max", size(m.bytes_at_members_max), format!("with {} rows, and never more", config.members_max)),
    ]
}

/// What `--help` says behind the options.
pub(crate) fn help() -> String {
    format!(
        "{HELP}\n\n{FILE_HELP}\n\nExit codes: 0 it was computed, warnings or not; 1 the plot cannot be written; 2 what was asked for cannot work."
    )
}

const HELP: &str = "\
Nothing is run: all numbers are computed, for nodes that are healthy and probe out of step. What one cannot
compute, such as what follows from a partition, `swim sim run` shows.

Times of detection count from the crash. With --format json standard output has one object; times are in
milliseconds, sizes in bytes:
  nodes, sealed    what was asked for
  detection        first_suspicion_mean_ms, _p99_ms, _worst_ms, suspicion_min_ms, suspicion_max_ms,
                   confirmations, first_dead_mean_ms, _p99_ms, _worst_ms, _worst_health_ms
  dissemination    rounds, all_know_ms, times_told, somebody_misses (a chance)
  false_suspicion  probe_fails (a chance), per_node_hour, per_hour
  idle             datagrams_per_second, bytes_per_second, kbit_per_second, sent by each node
  change           datagrams_max, bytes_max, crash_datagrams_max, crash_bytes_max, peak_datagrams_per_second
  join             rows_bytes, rows_datagrams, announced_bytes_max, all_at_once_seconds
  memory           base_bytes, row_bytes, bytes, bytes_at_members_max
  warnings         what is doubtful, each with what to do";
