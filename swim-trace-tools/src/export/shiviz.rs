//! Logs with vector clocks, as ShiViz draws them: an entry for each step of each life.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::merge::{Fate, Moment, Story};
use crate::words;

/// The regular expression that parses an entry; it is the first line of what [`shiviz`] writes. The second one is empty: there is
/// one execution.
pub const SHIVIZ_PARSER: &str = r"(?<at>\S*) (?<event>.*)\n(?<host>\S*) (?<clock>\{.*\})";

/// A story as a log for ShiViz. An entry has two lines: seconds by the reference's clock and what happened; and the life with its
/// vector clock. A step that receives a datagram comes behind the step that sent it.
pub fn shiviz(story: &Story) -> String {
    let hosts = hosts(story);
    let mut clocks = vec![vec![0_u64; hosts.len()]; hosts.len()];
    // The clock of each moment that others can depend on.
    let mut sent: Vec<Option<Vec<u64>>> = vec![None; story.timeline.len()];
    let mut out = format!("{SHIVIZ_PARSER}\n\n");
    for (place, moment) in story.timeline.iter().enumerate() {
        let cause = moment.origin.and_then(|origin| origin.datagram).map(|i| story.datagrams[i].sent);
        let clock = &mut clocks[moment.node];
        if let Some(cause) = cause.and_then(|cause| sent[cause].as_ref()) {
            clock.iter_mut().zip(cause).for_each(|(own, theirs)| *own = (*own).max(*theirs));
        }
        clock[moment.node] += 1;
        if !moment.sent.is_empty() {
            sent[place] = Some(clock.clone());
        }
        let known = hosts.iter().zip(clock.iter()).filter(|(_, count)| **count > 0);
        let clock: Vec<String> = known.map(|(host, count)| format!("\"{host}\":{count}")).collect();
        let _ = write!(
            out,
            "{:.6} {}\n{} {{{}}}\n",
            moment.at_us as f64 / 1e6,
            event(story, moment),
            hosts[moment.node],
            clock.join(",")
        );
    }
    out
}

/// A word for each life, of letters that need no escape in JSON.
fn hosts(story: &Story) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let name = |row: &crate::merge::Row| {
        let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        let name: String = row.name.chars().map(plain).collect();
        let lives = story.nodes.iter().filter(|other| other.id == row.id).count();
        let mut host = if lives > 1 { format!("{name}.{}", row.epoch) } else { name };
        while !taken.insert(host.clone()) {
            host.push('_');
        }
        host
    };
    story.nodes.iter().map(name).collect()
}

fn event(story: &Story, moment: &Moment) -> String {
    let mut parts = vec![match moment.origin {
        Some(origin) => format!("receives {} from {}", story.frames[origin.frame].message(), origin.from),
        None => moment.input.to_owned(),
    }];
    parts.extend(moment.events.iter().map(words::event));
    parts.extend(moment.sent.iter().map(|&i| {
        let datagram = &story.datagrams[i];
        let lost = if datagram.fate == Fate::Lost { " (lost)" } else { "" };
        format!("sends {} to {}{lost}", story.frames[datagram.frame].message(), datagram.to)
    }));
    format!("step {}: {}", moment.step, parts.join("; "))
}
