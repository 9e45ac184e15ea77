//! A drill's report for people, as text and as curves.

use std::path::Path;

use swim_sim::Link;
use swim_sim::drill::{Agreement, Deaths, FaultReport, Report, Sample, Spread, Traffic};

use crate::output::{Failure, Out};
use crate::plot::{Axis, Curve, Plot, Scale};
use crate::units::{counted, number, size, span, time};

pub(super) fn human(out: &mut Out, report: &Report) -> Result<(), Failure> {
    let forming = &report.forming;
    out.line(format_args!(
        "formed in {}; {} sent per node, {} by the first, through which all joined",
        time(forming.formed_ms),
        size(forming.bytes_per_node),
        size(forming.seed_bytes)
    ))?;
    for fault in &report.faults {
        out.line(format_args!("\n{}{}{}", fault.fault, befallen(&fault.nodes), fewer(fault)))?;
        for (what, value) in consequences(fault) {
            out.line(format_args!("  {what:<24} {value}"))?;
        }
    }
    out.line(format_args!("\nover {} s", report.duration_s))?;
    for (what, value) in whole(report) {
        out.line(format_args!("  {what:<24} {value}"))?;
    }
    agreement(out, report)?;
    out.line(format_args!("digest {}", report.digest))
}

/// What the links do, with what was not asked for left out.
pub(super) fn link(link: &Link) -> String {
    let latency = if link.latency_min == link.latency_max {
        span(link.latency_min)
    } else {
        format!("{}..{}", span(link.latency_min), span(link.latency_max))
    };
    let percent = |part: u32| number(f64::from(part) / 1e4);
    let mut text = format!("loss {} %, latency {latency}", percent(link.loss));
    for (what, part) in [("duplicated", link.duplicate), ("held back", link.reorder)] {
        if part > 0 {
            text += &format!(", {what} {} %", percent(part));
        }
    }
    text
}

/// A fault that found fewer nodes than it was to befall.
fn fewer(fault: &FaultReport) -> String {
    match fault.wanted {
        Some(wanted) if fault.nodes.len() < wanted as usize => {
            format!(" ({} of {wanted}: no more were running)", fault.nodes.len())
        }
        _ => String::new(),
    }
}

fn befallen(nodes: &[String]) -> String {
    const SHOWN: usize = 8;
    match nodes.len() {
        0 => String::new(),
        n if n <= SHOWN => format!(": {}", nodes.join(" ")),
        n => format!(": {} and {} more", nodes[..SHOWN].join(" "), n - SHOWN),
    }
}

fn consequences(fault: &FaultReport) -> Vec<(&'static str, String)> {
    let all = fault.nodes.len();
    let mut lines = Vec::new();
    let spreads = [
        ("first suspicion", fault.first_suspicion),
        ("first dead", fault.first_dead),
        ("dead everywhere", fault.dead_everywhere),
        ("left everywhere", fault.left_everywhere),
        ("up everywhere", fault.up_everywhere),
    ];
    for (what, spread) in spreads {
        lines.extend(spread.map(|spread| (what, after(&spread, all))));
    }
    if fault.suspected_members > 0 || fault.refutations > 0 {
        lines.push(("suspected", format!("members {}, refutations {}", fault.suspected_members, fault.refutations)));
    }
    let whence = if fault.until_s.is_some() { "after its end" } else { "after it" };
    lines.push((
        "all views right",
        fault.right_again_ms.map_or("not till the end of the run".into(), |ms| format!("{} {whence}", time(ms))),
    ));
    lines
}

/// One time, or its spread over the members.
fn after(spread: &Spread, all: usize) -> String {
    match spread.count {
        1 if all <= 1 => time(spread.mean),
        count => {
            let of = if count < all { format!(", {count} of {all}") } else { String::new() };
            format!("{} (from {} to {}{of})", time(spread.mean), time(spread.min), time(spread.max))
        }
    }
}

fn whole(report: &Report) -> Vec<(&'static str, String)> {
    let traffic = &report.traffic;
    let rate = |t: &Traffic| format!("{}/s, {}/s", number(t.datagrams), size(t.bytes));
    let deaths = |d: &Deaths| format!("{} ({})", d.members, counted(d.reports as f64, "report"));
    let by_node = format!(
        "{} to {}/s, {} to {}/s",
        number(traffic.datagrams_by_node.min),
        number(traffic.datagrams_by_node.max),
        size(traffic.bytes_by_node.min),
        size(traffic.bytes_by_node.max)
    );
    vec![
        ("false deaths", format!("{}: of members that ran and could be reached", deaths(&report.false_deaths))),
        ("deaths while apart", format!("{}: of members that were cut off or paused", deaths(&report.apart_deaths))),
        ("true deaths", format!("{}: of processes that had ended", deaths(&report.true_deaths))),
        ("false suspicions", format!("{}, refutations {}", report.false_suspicions, report.refutations)),
        ("sent per node, idle", traffic.idle.as_ref().map_or("never idle".into(), rate)),
        ("sent per node, whole", rate(&traffic.whole)),
        ("sent per node, peak", format!("{} at {} s", rate(&traffic.peak), traffic.peak_at_s)),
        ("least to most by node", by_node),
    ]
}

fn agreement(out: &mut Out, report: &Report) -> Result<(), Failure> {
    let agreement = &report.agreement;
    if agreement.converged {
        return out.line(format_args!("in the end all {} nodes see the same, and what there is", agreement.running));
    }
    if agreement.running == 0 {
        return out.line(format_args!("in the end no process runs"));
    }
    if agreement.unlike.is_empty() {
        return out.line(format_args!("in the end no process runs that is not paused"));
    }
    out.line(format_args!("{}:", unlike(agreement)))?;
    for unlike in &agreement.unlike {
        let some = |what: &str, names: &[String]| match names.is_empty() {
            true => String::new(),
            false => format!(", {what} {}", names.join(" ")),
        };
        let (misses, ghosts) = (some("misses", &unlike.misses), some("still sees", &unlike.ghosts));
        let outdated = some("in another incarnation than they are in:", &unlike.outdated);
        // Those are right for all that one can tell, and then it is the others that are behind.
        let none = [&unlike.misses, &unlike.ghosts, &unlike.outdated].iter().all(|names| names.is_empty());
        let alone = if none { ", and rightly, but most others see them otherwise" } else { "" };
        out.line(format_args!(
            "  {} sees {} of {}{misses}{ghosts}{outdated}{alone}",
            unlike.node, unlike.sees, agreement.running
        ))?;
    }
    match agreement.unlike_count.saturating_sub(agreement.unlike.len()) {
        0 => Ok(()),
        more => out.line(format_args!("  and {more} more")),
    }
}

/// How many do not see what there is.
pub(super) fn unlike(agreement: &Agreement) -> String {
    let (count, all) = (agreement.unlike_count, agreement.running);
    let verb = if count == 1 { "does" } else { "do" };
    format!("in the end {count} of {} {verb} not see what there is", counted(all as f64, "node"))
}

/// Two panels over the same time.
pub(super) fn plot(report: &Report, file: &Path) -> Result<(), Failure> {
    let samples = thinned(&report.samples);
    let curve = |name: &str, of: &dyn Fn(&Sample) -> f64| {
        let points = samples.iter().map(|sample| (sample.at.as_secs_f64(), of(sample))).collect();
        Curve { name: name.into(), points, reference: false }
    };
    let members = Plot {
        title: format!("{} nodes, seed {}: members as running nodes see them", report.nodes, report.seed),
        x: Axis::new("seconds", Scale::Linear),
        y: Axis::new("members", Scale::Linear),
        curves: vec![
            curve("live, most seen", &|s| s.live[2] as f64),
            curve("live, median", &|s| s.live[1] as f64),
            curve("live, fewest seen", &|s| s.live[0] as f64),
            curve("suspected by anybody", &|s| s.suspected as f64),
        ],
    };
    let traffic = Plot {
        title: "datagrams sent per node".into(),
        x: Axis::new("seconds", Scale::Linear),
        y: Axis::new("datagrams per second", Scale::Linear),
        curves: vec![curve("datagrams per second", &|s| s.sent.datagrams)],
    };
    Plot::write_panels(&[members, traffic], file)
}

/// At most some hundred points: of each stretch the second that was farthest from quiet.
fn thinned(samples: &[Sample]) -> Vec<Sample> {
    const POINTS: usize = 600;
    let worst = |stretch: &[Sample]| {
        let by_traffic = |a: &&Sample, b: &&Sample| a.sent.datagrams.total_cmp(&b.sent.datagrams);
        *stretch.iter().max_by(by_traffic).expect("a stretch is not empty")
    };
    samples.chunks(samples.len().div_ceil(POINTS).max(1)).map(worst).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_they_are_spread() {
        let spread = |count, min, mean, max| Spread { count, min, mean, max };
        assert_eq!(after(&spread(1, 2.0, 2.0, 2.0), 1), "2.00 ms");
        assert_eq!(after(&spread(2, 500.0, 1_000.0, 1_500.0), 2), "1.00 s (from 500 ms to 1.50 s)");
        assert_eq!(after(&spread(1, 500.0, 500.0, 500.0), 3), "500 ms (from 500 ms to 500 ms, 1 of 3)");
    }

    #[test]
    fn many_names_are_cut_short() {
        let names: Vec<String> = (1..=10).map(|i| format!("n{i}")).collect();
        assert_eq!(befallen(&names), ": n1 n2 n3 n4 n5 n6 n7 n8 and 2 more");
        assert_eq!((befallen(&names[..1]), befallen(&[])), (": n1".into(), String::new()));
    }
}
