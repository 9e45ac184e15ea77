//! Steps in words: one line for an input, one for each thing that came out.

use std::borrow::Cow;
use std::time::Duration;

use bind_mio::swim_core::Instant;
use bind_mio::swim_core::wire::PAGE_END;
use serde::Serialize;
use swim_trace_tools::cat::StepShown;
use swim_trace_tools::decode::{
    DatagramShown, EventShown, EventTold, FrameShown, InputShown, ItemShown, OutputsShown, Who,
};
use swim_trace_tools::json::EventJson;

use crate::output::{Failure, Out, shown};

/// Of a value whose keys are strings.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("strings, numbers and truth values under string keys are always JSON")
}

/// One object on one line.
pub(super) fn put_json(out: &mut Out, value: &impl Serialize) -> Result<(), Failure> {
    out.line(format_args!("{}", json(value)))
}

/// A time of the driver's clock, in seconds.
pub(super) fn clock(at_us: u64) -> String {
    format!("{:?}", Instant::from_micros(at_us))
}

pub(super) fn span(span: Duration) -> String {
    format!("{:.3} s", span.as_secs_f64())
}

/// The line of a step.
pub(super) fn step(step: &StepShown) -> String {
    let what = input(&step.input);
    let mark = if step.diverged { "  (what comes out differs)" } else { "" };
    format!("{:>7}  {:>13}  {what}{mark}", step.step, clock(step.at_us))
}

pub(super) fn input(input: &InputShown) -> String {
    match input {
        InputShown::Datagram(came) => format!("datagram from {}: {}", came.addr, datagram(came)),
        InputShown::Timeout => "timeout".into(),
        InputShown::Join { seeds } => format!("join {}", list(seeds)),
        InputShown::Seeds { seeds } => format!("seeds {}", list(seeds)),
        InputShown::Leave => "leave".into(),
        InputShown::SetProfile { profile } => {
            format!("set_profile: name {}, {} bytes of metadata", shown(&profile.name), profile.meta.0.len())
        }
        InputShown::SendFailed { to } => format!("send_failed to {to}"),
        InputShown::SendBlocked => "send_blocked".into(),
        InputShown::SendResumed => "send_resumed".into(),
        InputShown::Other { text } => shown(text).into_owned(),
    }
}

/// One line for each thing that came out.
pub(super) fn outputs(outputs: &OutputsShown) -> impl Iterator<Item = String> {
    let sent = outputs.sent.iter().map(|sent| format!("-> {}: {}", sent.addr, datagram(sent)));
    sent.chain(outputs.events.iter().map(|told| format!("** {}", event(told))))
}

fn list(addrs: &[std::net::SocketAddr]) -> String {
    let texts: Vec<String> = addrs.iter().map(ToString::to_string).collect();
    if texts.is_empty() { "nobody".into() } else { texts.join(", ") }
}

fn datagram(datagram: &DatagramShown) -> String {
    match &datagram.frame {
        Some(of) => frame(of),
        None => format!("{} bytes that are no frame", datagram.len),
    }
}

fn frame(frame: &FrameShown) -> String {
    let mut text = format!("{} {}", who(&frame.sender), frame.incarnation);
    text += &format!(" {}", frame.message);
    if let Some(target) = &frame.target {
        text += &format!(" {}", who(target));
    }
    if let Some(answered) = frame.answered {
        text += &format!(" of {answered}");
    }
    if let Some(nonce) = &frame.nonce {
        text += &format!(" #{nonce}");
    }
    if let Some(level) = frame.level {
        text += &format!(", level {level}");
    }
    match frame.next {
        Some(PAGE_END) => text += ", all told",
        Some(next) => text += &format!(", told below {next:#x}"),
        None => {}
    }
    if frame.asks_who {
        text += ", who are you?";
    }
    let ranges = frame.ranges.iter().map(|[from, to]| format!("{from:#x}..{to:#x}"));
    let parts = [
        ("updates", frame.updates.iter().map(item).collect::<Vec<_>>()),
        ("rows", frame.rows.iter().map(item).collect()),
        ("ranges", ranges.collect()),
        ("nodes", frame.nodes.iter().map(|prefix| format!("{prefix:#x}")).collect()),
        ("differ", frame.differ.clone()),
        ("held", frame.held.iter().map(|held| who(held).into_owned()).collect()),
        ("wanted", frame.wanted.iter().map(|wanted| who(wanted).into_owned()).collect()),
    ];
    for (name, items) in parts.iter().filter(|(_, items)| !items.is_empty()) {
        text += &format!("; {name}: {}", items.join(", "));
    }
    text
}

fn item(item: &ItemShown) -> String {
    let mut text = format!("{} {} {}", who(&item.of), item.state, item.incarnation);
    let by: Vec<_> = item.by.iter().map(who).collect();
    if !by.is_empty() {
        text += &format!(" by {}", by.join(" and "));
    }
    if let Some(addr) = item.addr {
        text += &format!(" at {addr}");
    }
    text
}

/// The name, and the id where none is known.
fn who(who: &Who) -> Cow<'_, str> {
    match &who.name {
        Some(name) => shown(name),
        None => who.id.to_string().into(),
    }
}

fn event(told: &EventShown) -> String {
    let event = match &told.event {
        EventTold::Known(event) => *event,
        EventTold::Other { text, .. } => return shown(text).into_owned(),
    };
    let name = |id: String| told.name.as_deref().map_or(id, |name| shown(name).into_owned());
    match event {
        EventJson::MemberUp { id, incarnation } => format!("member_up {} {incarnation}", name(id.to_string())),
        EventJson::MemberRestarted { id, incarnation } => {
            format!("member_restarted {} {incarnation}", name(id.to_string()))
        }
        EventJson::MemberUpdated { id } => format!("member_updated {}", name(id.to_string())),
        EventJson::MemberMoved { id, from } => format!("member_moved {} from {from}", name(id.to_string())),
        EventJson::MemberSuspect { id, incarnation, by } => {
            let by = match (&told.by_name, by) {
                (Some(name), _) => format!(" by {}", shown(name)),
                (None, Some(by)) => format!(" by {by}"),
                (None, None) => String::new(),
            };
            format!("member_suspect {} {incarnation}{by}", name(id.to_string()))
        }
        EventJson::MemberRefuted { id, incarnation } => {
            format!("member_refuted {} {incarnation}", name(id.to_string()))
        }
        EventJson::MemberDown { id, incarnation, left } => {
            let how = if left { ", said goodbye" } else { "" };
            format!("member_down {} {incarnation}{how}", name(id.to_string()))
        }
        EventJson::MemberForgotten { id } => format!("member_forgotten {}", name(id.to_string())),
        EventJson::Refuted { incarnation } => format!("refuted {incarnation}"),
        EventJson::Conflict { with, parked } => {
            format!("conflict with {with}, this node {}", if parked { "falls silent" } else { "stays" })
        }
        EventJson::Joined { members } => format!("joined, {members} live"),
        EventJson::Converged { members } => format!("converged, {members} live"),
        EventJson::Diverged {} => "diverged".into(),
        EventJson::Left {} => "left".into(),
        EventJson::Health { score } => format!("health {score}"),
        EventJson::Lagged { missed } => format!("lagged, {missed} missed"),
    }
}
