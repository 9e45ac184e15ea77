//! What was decoded, in words: the same for the terminal, the page, and the viewers of others.
//!
//! Names come from others, so nothing in them may break a line or command a terminal: see [`shown`].

mod app;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::SocketAddr;

use swim_core::Event;
use swim_core::wire::PAGE_END;
use swim_trace::Recorded;

use crate::decode::{DatagramShown, EventShown, FrameShown, InputShown, ItemShown, OutputsShown, Who};
use crate::json::event_name;
use crate::merge::{ClockFrom, Row};

/// A name as it can be shown. Whoever joins chooses it, so nothing in it may break the line or command the terminal.
pub fn shown(name: &str) -> Cow<'_, str> {
    if !name.contains(is_unprintable) {
        return name.into();
    }
    let mut text = String::with_capacity(2 * name.len());
    for c in name.chars() {
        if is_unprintable(c) {
            let _ = write!(text, "{}", c.escape_default());
        } else {
            text.push(c);
        }
    }
    text.into()
}

/// Control characters, line separators, and what turns the direction of writing.
fn is_unprintable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// An input, on one line.
pub fn input(input: &InputShown) -> String {
    match input {
        InputShown::Datagram { from, datagram } => format!("datagram from {from}: {}", line(datagram)),
        InputShown::Other(input) => match input {
            Recorded::Join(seeds) | Recorded::Seeds(seeds) => format!("{} {}", input.name(), list(seeds)),
            Recorded::SetProfile(profile) => {
                format!("set_profile: name {}, {} bytes of metadata", shown(profile.name()), profile.meta().len())
            }
            Recorded::Broadcast { topic, payload } => format!("broadcast: {}, {} bytes", shown(topic), payload.len()),
            Recorded::Put { key, value, ttl: None } => format!("put: {}, {} bytes", shown(key), value.len()),
            Recorded::Put { key, value, ttl: Some(ttl) } => {
                format!("put: {}, {} bytes for {}.{:06} s", shown(key), value.len(), ttl.as_secs(), ttl.subsec_micros())
            }
            Recorded::Delete { key } => format!("delete: {}", shown(key)),
            Recorded::SendFailed { to } => format!("send_failed to {to}"),
            Recorded::Timeout | Recorded::Leave | Recorded::SendBlocked | Recorded::SendResumed => input.name().into(),
            other => shown(&format!("{other:?}")).into_owned(),
        },
    }
}

/// One line for each thing that came out.
pub fn outputs(outputs: &OutputsShown) -> impl Iterator<Item = String> {
    let sent = outputs.sent.iter().map(|sent| format!("-> {}: {}", sent.to, line(&sent.datagram)));
    sent.chain(outputs.events.iter().map(|told| format!("** {}", event(told))))
}

fn list(addrs: &[SocketAddr]) -> String {
    let texts: Vec<String> = addrs.iter().map(ToString::to_string).collect();
    if texts.is_empty() { "nobody".into() } else { texts.join(", ") }
}

/// What a datagram says, on one line.
fn line(datagram: &DatagramShown) -> String {
    let Some(frame) = &datagram.frame else { return nothing(datagram) };
    let mut text = head(frame);
    for (name, items) in parts(frame).filter(|(_, items)| !items.is_empty()) {
        text += &format!("; {name}: {}", items.join(", "));
    }
    text
}

/// The same with a line for each thing that it says.
pub(crate) fn lines(datagram: &DatagramShown) -> Vec<String> {
    let Some(frame) = &datagram.frame else { return vec![nothing(datagram)] };
    let app = frame.app.app_hash.map(|hash| format!(", app {hash}")).unwrap_or_default();
    let mut lines = vec![head(frame), format!("view {}{app}", frame.view_hash)];
    for (name, items) in parts(frame) {
        lines.extend(items.iter().map(|item| format!("{name}: {item}")));
    }
    lines
}

fn nothing(datagram: &DatagramShown) -> String {
    format!("{} bytes that are no frame", datagram.len)
}

fn head(frame: &FrameShown) -> String {
    let mut text = format!("{} {} {}", who(&frame.sender), frame.incarnation, frame.message);
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
    match frame.cookie {
        Some(cookie) => text += &format!(", who are you, {cookie}?"),
        None if frame.asks_who => text += ", who are you?",
        None => {}
    }
    if let Some(proof) = frame.proof {
        text += &format!(", proves {proof}");
    }
    text
}

fn parts(frame: &FrameShown) -> impl Iterator<Item = (&'static str, Vec<String>)> {
    let all = |of: &[Who]| of.iter().map(|one| who(one).into_owned()).collect();
    let rows = [
        ("updates", frame.updates.iter().map(item).collect()),
        ("rows", frame.rows.iter().map(item).collect()),
        ("ranges", frame.ranges.iter().map(|[from, to]| format!("{from:#x}..{to:#x}")).collect()),
        ("nodes", frame.nodes.iter().map(|prefix| format!("{prefix:#x}")).collect()),
        ("differ", frame.differ.iter().map(ToString::to_string).collect()),
        ("held", all(&frame.held)),
        ("wanted", all(&frame.wanted)),
    ];
    rows.into_iter().chain(app::parts(&frame.app))
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

/// An event, on one line.
pub fn event(told: &EventShown) -> String {
    let about = |id: swim_core::NodeId| match &told.name {
        Some(name) => shown(name).into_owned(),
        None => id.to_string(),
    };
    let kind = event_name(&told.event);
    match told.event {
        Event::MemberUp { id, incarnation }
        | Event::MemberRestarted { id, incarnation }
        | Event::MemberRefuted { id, incarnation } => format!("{kind} {} {incarnation}", about(id)),
        Event::MemberUpdated { id } | Event::MemberForgotten { id } | Event::StateChanged { id } => {
            format!("{kind} {}", about(id))
        }
        Event::MemberMoved { id, from } => format!("{kind} {} from {from}", about(id)),
        Event::MemberSuspect { id, incarnation, by } => {
            let by = match (&told.by_name, by) {
                (Some(name), _) => format!(" by {}", shown(name)),
                (None, Some(by)) => format!(" by {by}"),
                (None, None) => String::new(),
            };
            format!("{kind} {} {incarnation}{by}", about(id))
        }
        Event::MemberDown { id, incarnation, left } => {
            format!("{kind} {} {incarnation}{}", about(id), if left { ", said goodbye" } else { "" })
        }
        Event::Refuted { incarnation } => format!("{kind} {incarnation}"),
        Event::Conflict { with, parked } => {
            format!("{kind} with {with}, this node {}", if parked { "falls silent" } else { "stays" })
        }
        Event::AddressConflict { id, with } => {
            let with = told.by_name.as_deref().map_or_else(|| with.to_string().into(), shown);
            format!("{kind} {}, whose address {with} answers", about(id))
        }
        Event::Joined { members } | Event::Converged { members } => format!("{kind}, {members} live"),
        Event::Diverged | Event::Left => kind.into(),
        Event::Health { score } => format!("{kind} {score}"),
        Event::Rumor { id } => format!("{kind} {} of {} in epoch {}", id.seq, about(id.origin), id.epoch),
        Event::Lagged { missed } => format!("{kind}, {missed} missed"),
        other => shown(&format!("{other:?}")).into_owned(),
    }
}

/// How far a life's clock is from the reference's, and how that is known.
pub fn clock(row: &Row) -> String {
    let offset = seconds(row.offset_us);
    match (row.clock, row.bound_us) {
        (ClockFrom::Reference, _) => "reference".into(),
        (ClockFrom::Datagrams, Some(bound)) => format!("{offset} s ± {} s", seconds(bound)),
        (ClockFrom::Nothing, _) => "not known, taken for 0".into(),
        (ClockFrom::Datagrams | ClockFrom::UnixMicros, _) => format!("{offset} s by the time of day"),
    }
}

/// Microseconds as seconds, to the last digit.
pub fn seconds(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let micros = micros.unsigned_abs();
    format!("{sign}{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn application_data_is_one_line() {
        let told = |recorded: Recorded<'static>| input(&InputShown::Other(recorded));
        let broadcast = Recorded::Broadcast { topic: "de\nploys".into(), payload: b"v17"[..].into() };
        assert_eq!(told(broadcast), "broadcast: de\\nploys, 3 bytes");
        let put = |ttl| Recorded::Put { key: "role".into(), value: b"db"[..].into(), ttl };
        assert_eq!(told(put(None)), "put: role, 2 bytes");
        let ttl = std::time::Duration::from_micros(1_500_001);
        assert_eq!(told(put(Some(ttl))), "put: role, 2 bytes for 1.500001 s");
        assert_eq!(told(Recorded::Delete { key: "\u{1b}[2J".into() }), "delete: \\u{1b}[2J");
        let id = swim_core::RumorId { origin: swim_core::NodeId::new(26), epoch: 3, seq: 7 };
        let shown =
            |event, name: Option<&str>| super::event(&EventShown { event, name: name.map(Into::into), by_name: None });
        assert_eq!(shown(Event::Rumor { id }, Some("web-1")), "rumor 7 of web-1 in epoch 3");
        assert_eq!(shown(Event::StateChanged { id: id.origin }, None), "state_changed 000000000000001a");
        let (event, name) =
            (Event::AddressConflict { id: id.origin, with: swim_core::NodeId::new(27) }, Some("web-1".into()));
        let conflict = |by_name| super::event(&EventShown { event, name: name.clone(), by_name });
        assert_eq!(conflict(Some("web-2".into())), "address_conflict web-1, whose address web-2 answers");
        assert_eq!(conflict(None), "address_conflict web-1, whose address 000000000000001b answers");
    }

    #[test]
    fn a_name_commands_no_terminal() {
        assert!(matches!(shown("wéb-1 ✓"), Cow::Borrowed("wéb-1 ✓")));
        assert_eq!(shown("a\x1b[2Jb\n"), "a\\u{1b}[2Jb\\n");
        assert_eq!(shown("\u{202e}cod\u{2069}\u{9b}"), "\\u{202e}cod\\u{2069}\\u{9b}");
    }
}
