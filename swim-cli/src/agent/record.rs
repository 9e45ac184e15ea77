//! One event as it is printed: as a line for people, or as an object whose keys never change their meaning.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use bind_mio::swim_core::{Event, Incarnation, NodeId, RumorId, State};
use bind_mio::swim_driver::{Change, MemberView, RumorView, View};
use serde::Serialize;

use crate::output::shown;
use crate::why::Why;

/// One printed line. The field order is the order of the keys.
#[derive(Debug, Serialize)]
pub(super) struct Record {
    #[serde(flatten)]
    what: What,
    at_ms: u64,
    #[serde(flatten)]
    who: Who,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<Why>,
    #[serde(skip)]
    at: Duration,
}

/// The member that an event is about, or the node itself.
#[derive(Debug, Serialize)]
struct Who {
    id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    addr: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    incarnation: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum What {
    Started { cluster: String },
    Joined { members: u32 },
    Left,
    Conflict { with: SocketAddr, parked: bool },
    Refuted,
    Health { score: u32 },
    MemberUp { meta: String },
    MemberRestarted,
    MemberUpdated { meta: String },
    MemberMoved { from: SocketAddr },
    MemberSuspect { by: Option<String>, by_name: Option<String> },
    MemberRefuted,
    MemberDown { left: bool },
    MemberForgotten,
    StateSet { key: String, value: String, version: u32 },
    StateDeleted { key: String },
    Rumor { topic: Option<String>, payload: Option<String>, lamport: Option<u64>, epoch: u32, seq: u32 },
    Lagged { missed: u64 },
    AddressConflict { with: String, with_name: String },
    Other { text: String },
}

/// The rows of all members that events may speak of: a view has forgotten a member before its last event is read.
///
/// Bounded as the view is: a row goes with the event that it was kept for.
#[derive(Debug, Default)]
pub(super) struct Known {
    rows: HashMap<NodeId, MemberView>,
    /// Whether suspicions and deaths are explained.
    explains: bool,
}

impl Known {
    pub(super) fn new(explains: bool) -> Self {
        Self { explains, ..Self::default() }
    }

    /// The event, with what is known of those it names. The view is as of the event, or later.
    pub(super) fn record(&mut self, at: Duration, event: &Event, view: &View) -> Record {
        match (event, event.member()) {
            (Event::Lagged { .. }, _) => self.rows = view.members().map(|row| (row.id(), row.clone())).collect(),
            (_, Some(id)) => self.rows.extend(view.member(id).map(|row| (id, row.clone()))),
            _ => {}
        }
        let who = match event.member() {
            Some(id) => Who::new(id, self.rows.get(&id), incarnation(event)),
            None => Who::new(view.me().id(), Some(view.me()), incarnation(event)),
        };
        let mut record = Record::new(at, who, self.what(event, view));
        if let (true, Some(id)) = (self.explains, event.member()) {
            record.why = Why::of(event, self.rows.get(&id), view.me().id(), |id| self.name(id, view));
        }
        if let Event::MemberForgotten { id } = event {
            self.rows.remove(id);
        }
        record
    }

    /// One change of a member's state; `None` where there is nothing to print. The view is as of the change, or later.
    pub(super) fn change(&mut self, at: Duration, change: &Change, view: &View) -> Option<Record> {
        let (member, what) = match change {
            Change::Set { member, entry } => {
                let (key, value) = (entry.key().into(), text(entry.value()));
                (*member, What::StateSet { key, value, version: entry.version() })
            }
            Change::Deleted { member, last } => (*member, What::StateDeleted { key: last.key().into() }),
            // Whoever reads lines has the last value of each key anyway.
            Change::Resync => return None,
        };
        let row = view.member(member).or_else(|| self.rows.get(&member));
        Some(Record::new(at, Who::new(member, row, None), what))
    }

    /// A rumor that was heard; what it says, unless it was missed.
    pub(super) fn rumor(&self, at: Duration, id: RumorId, rumor: Option<&RumorView>, view: &View) -> Record {
        let RumorId { origin, epoch, seq } = id;
        let what = What::Rumor {
            topic: rumor.map(|rumor| rumor.topic().into()),
            payload: rumor.map(|rumor| text(rumor.payload())),
            lamport: rumor.map(RumorView::lamport),
            epoch,
            seq,
        };
        let row = view.member(origin).or_else(|| self.rows.get(&origin));
        Record::new(at, Who::new(origin, row, None), what)
    }

    fn what(&self, event: &Event, view: &View) -> What {
        match *event {
            Event::MemberUp { id, .. } => What::MemberUp { meta: self.meta(id) },
            Event::MemberRestarted { .. } => What::MemberRestarted,
            Event::MemberUpdated { id } => What::MemberUpdated { meta: self.meta(id) },
            Event::MemberMoved { from, .. } => What::MemberMoved { from },
            Event::MemberSuspect { by, .. } => {
                What::MemberSuspect { by: by.map(|id| id.to_string()), by_name: by.map(|id| self.name(id, view)) }
            }
            Event::MemberRefuted { .. } => What::MemberRefuted,
            Event::MemberDown { left, .. } => What::MemberDown { left },
            Event::MemberForgotten { .. } => What::MemberForgotten,
            Event::Conflict { with, parked } => What::Conflict { with, parked },
            Event::Refuted { .. } => What::Refuted,
            Event::Joined { members } => What::Joined { members },
            Event::Left => What::Left,
            Event::Health { score } => What::Health { score },
            Event::Lagged { missed } => What::Lagged { missed },
            Event::AddressConflict { with, .. } => {
                What::AddressConflict { with: with.to_string(), with_name: self.name(with, view) }
            }
            // The core may learn new ones; its own words are better than none.
            _ => What::Other { text: format!("{event:?}") },
        }
    }

    fn name(&self, id: NodeId, view: &View) -> String {
        name(id, view.member(id).or_else(|| self.rows.get(&id)))
    }

    fn meta(&self, id: NodeId) -> String {
        self.rows.get(&id).map(|row| text(row.meta())).unwrap_or_default()
    }
}

/// What may be anything, as text.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Who {
    fn new(id: NodeId, row: Option<&MemberView>, incarnation: Option<Incarnation>) -> Self {
        let incarnation = incarnation.or_else(|| row.map(MemberView::incarnation));
        Self {
            id: id.to_string(),
            name: name(id, row),
            addr: row.map(MemberView::addr),
            incarnation: incarnation.map(|i| i.to_string()),
        }
    }
}

/// The incarnation that the event itself speaks of; the view may have moved on.
fn incarnation(event: &Event) -> Option<Incarnation> {
    match *event {
        Event::MemberUp { incarnation, .. }
        | Event::MemberRestarted { incarnation, .. }
        | Event::MemberSuspect { incarnation, .. }
        | Event::MemberRefuted { incarnation, .. }
        | Event::MemberDown { incarnation, .. }
        | Event::Refuted { incarnation } => Some(incarnation),
        _ => None,
    }
}

/// A member's name; the id of one that has none.
fn name(id: NodeId, row: Option<&MemberView>) -> String {
    match row.map(MemberView::name) {
        Some(name) if !name.is_empty() => name.into(),
        _ => id.to_string(),
    }
}

impl Record {
    /// This node listens.
    pub(super) fn started(at: Duration, cluster: &str, view: &View) -> Self {
        let who = Who::new(view.me().id(), Some(view.me()), None);
        Self::new(at, who, What::Started { cluster: cluster.into() })
    }

    fn new(at: Duration, who: Who, what: What) -> Self {
        Self { what, at_ms: u64::try_from(at.as_millis()).unwrap_or(u64::MAX), who, why: None, at }
    }

    /// For programs: one object on one line.
    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).expect("strings, numbers and truth values under string keys are always JSON")
    }

    /// For people: the time since the start, the state, who it is about, and where that is reached; and below what led
    /// to it, if that is wanted. `paint` colours.
    pub(super) fn text(&self, paint: impl FnOnce(Option<State>, &str) -> String) -> String {
        let (word, state) = self.word();
        let at = format!("+{:.3}s", self.at.as_secs_f64());
        let word = paint(state, &format!("{word:<9}"));
        let addr = self.who.addr.map(|addr| addr.to_string()).unwrap_or_default();
        let line = format!("{at:<10}  {word}  {:<12}  {addr:<15}", shown(&self.who.name));
        let line = match self.note() {
            note if note.is_empty() => line.trim_end().into(),
            note => format!("{line}  ({note})"),
        };
        self.why.iter().flat_map(Why::lines).fold(line, |text, line| text + "\n" + &line)
    }

    fn word(&self) -> (&'static str, Option<State>) {
        match self.what {
            What::Started { .. } => ("started", None),
            What::Joined { .. } => ("joined", None),
            What::Left => ("left", Some(State::Left)),
            What::Conflict { .. } | What::AddressConflict { .. } => ("conflict", None),
            What::Refuted => ("refuted", None),
            What::Health { .. } => ("health", None),
            What::MemberUp { .. } | What::MemberRestarted | What::MemberRefuted => ("alive", Some(State::Alive)),
            What::MemberUpdated { .. } => ("updated", None),
            What::MemberMoved { .. } => ("moved", None),
            What::MemberSuspect { .. } => ("suspect", Some(State::Suspect)),
            What::MemberDown { left: false } => ("dead", Some(State::Dead)),
            What::MemberDown { left: true } => ("left", Some(State::Left)),
            What::MemberForgotten => ("forgotten", None),
            What::StateSet { .. } | What::StateDeleted { .. } => ("state", None),
            What::Rumor { .. } => ("rumor", None),
            What::Lagged { .. } => ("lagged", None),
            What::Other { .. } => ("other", None),
        }
    }

    fn note(&self) -> String {
        match &self.what {
            What::Started { cluster } => format!("this node, cluster {}", shown(cluster)),
            What::Joined { members } => format!("this node, {members} members"),
            What::Left => "this node".into(),
            What::Conflict { with, parked } => {
                let end = if *parked { "this one falls silent" } else { "this one stays" };
                format!("another live node has this name at {with}; {end}")
            }
            What::Refuted => format!("this node, {}", self.incarnation()),
            What::Health { score } => format!("this node, score {score}, 0 is healthy"),
            What::MemberUp { meta } | What::MemberUpdated { meta } => shown(meta).into(),
            What::MemberRestarted => format!("restarted, {}", self.incarnation()),
            What::MemberRefuted => format!("refuted, {}", self.incarnation()),
            What::MemberMoved { from } => format!("from {from}"),
            What::MemberSuspect { by_name: Some(by), .. } => format!("accused by {}", shown(by)),
            What::MemberSuspect { by_name: None, .. } | What::MemberDown { .. } | What::MemberForgotten => {
                String::new()
            }
            What::StateSet { key, value, .. } => format!("{} = {}", shown(key), shown(value)),
            What::StateDeleted { key } => format!("{} deleted", shown(key)),
            What::Rumor { topic: Some(topic), payload: Some(payload), .. } => {
                format!("{}: {}", shown(topic), shown(payload))
            }
            What::Rumor { .. } => "what it says was missed".into(),
            What::Lagged { missed } => format!("{missed} events are lost: nobody read this output"),
            What::AddressConflict { with_name, .. } => format!("{} answers at its address", shown(with_name)),
            What::Other { text } => text.clone(),
        }
    }

    fn incarnation(&self) -> String {
        format!("incarnation {}", self.who.incarnation.as_deref().unwrap_or("unknown"))
    }
}

#[cfg(test)]
mod tests {
    use bind_mio::swim_core::Config;
    use bind_mio::{Setup, bind};

    use super::*;

    /// The view of a node that is alone.
    fn alone() -> (std::sync::Arc<View>, SocketAddr) {
        let mut setup = Setup::new("web-1", Config::local("c"));
        setup.epoch = Some(7);
        setup.meta = b"zone=\x1b".to_vec();
        let (handle, _driver) = bind("127.0.0.1:0".parse().unwrap(), setup).expect("a loopback socket");
        (handle.view(), handle.addr())
    }

    fn text(record: &Record) -> String {
        record.text(|_, word| word.into())
    }

    #[test]
    fn an_event_is_a_line_and_an_object() {
        let (view, addr) = alone();
        let me = view.me().id();
        let suspect = Event::MemberSuspect { id: me, incarnation: Incarnation::new(7, 2), by: Some(me) };
        let record = Known::default().record(Duration::from_millis(12_034), &suspect, &view);
        assert_eq!(text(&record), format!("+12.034s    suspect    web-1         {addr:<15}  (accused by web-1)"));
        let wanted = format!(
            r#"{{"event":"member_suspect","by":"{me}","by_name":"web-1","at_ms":12034,"id":"{me}","name":"web-1","addr":"{addr}","incarnation":"7.2"}}"#
        );
        assert_eq!(record.json(), wanted);
    }

    #[test]
    fn two_of_one_name_are_told_where_the_other_is() {
        let (view, addr) = alone();
        let with: SocketAddr = "10.0.0.9:7946".parse().unwrap();
        let record = |parked| Known::new(true).record(Duration::ZERO, &Event::Conflict { with, parked }, &view);
        assert_eq!(
            text(&record(true)),
            format!(
                "+0.000s     conflict   web-1         {addr:<15}  (another live node has this name at {with}; this one \
                 falls silent)"
            )
        );
        assert!(text(&record(false)).ends_with("this one stays)"));
        let wanted = format!(r#"{{"event":"conflict","with":"{with}","parked":true,"at_ms":0,"#);
        assert!(record(true).json().starts_with(&wanted), "{:?}", record(true));
    }

    #[test]
    fn two_at_one_address_are_both_named() {
        let (view, addr) = alone();
        let (me, with) = (view.me().id(), NodeId::new(9));
        let record = Known::new(true).record(Duration::ZERO, &Event::AddressConflict { id: me, with }, &view);
        let wanted = format!("+0.000s     conflict   web-1         {addr:<15}  ({with} answers at its address)");
        assert_eq!(text(&record), wanted);
        let wanted =
            format!(r#"{{"event":"address_conflict","with":"{with}","with_name":"{with}","at_ms":0,"id":"{me}","#);
        assert!(record.json().starts_with(&wanted), "{record:?}");
    }

    #[test]
    fn a_rumor_is_a_line_and_an_object() {
        let (view, addr) = alone();
        let me = view.me().id();
        let id = RumorId { origin: me, epoch: 7, seq: 3 };
        let record = Known::default().rumor(Duration::ZERO, id, None, &view);
        assert_eq!(
            text(&record),
            format!("+0.000s     rumor      web-1         {addr:<15}  (what it says was missed)")
        );
        let who = format!(r#""at_ms":0,"id":"{me}","name":"web-1","addr":"{addr}","incarnation":"7.0"}}"#);
        let wanted = r#"{"event":"rumor","topic":null,"payload":null,"lamport":null,"epoch":7,"seq":3,"#;
        assert_eq!(record.json(), format!("{wanted}{who}"));
    }

    #[test]
    fn a_forgotten_member_has_its_name_once_more() {
        let (view, _) = alone();
        let (me, stranger) = (view.me().id(), NodeId::new(9));
        let mut known = Known::default();
        let mut name = |event| known.record(Duration::ZERO, &event, &view).who.name;
        let up = |id| Event::MemberUp { id, incarnation: Incarnation::default() };
        assert_eq!(name(up(me)), "web-1");
        assert_eq!(name(up(stranger)), stranger.to_string(), "no row, no name");
        assert_eq!(name(Event::MemberForgotten { id: me }), "web-1");
        assert!(known.rows.is_empty(), "and is not kept any longer");
        known.record(Duration::ZERO, &Event::Lagged { missed: 3 }, &view);
        assert!(known.rows.contains_key(&me), "whoever lags reads afresh");
    }

    #[test]
    fn what_others_say_breaks_no_line() {
        let (view, _) = alone();
        let up = Event::MemberUp { id: view.me().id(), incarnation: Incarnation::new(7, 0) };
        let record = Known::default().record(Duration::ZERO, &up, &view);
        assert!(text(&record).ends_with("(zone=\\u{1b})"), "{record:?}");
        assert!(record.json().contains(r#""meta":"zone=\u001b""#), "{record:?}");
    }
}
