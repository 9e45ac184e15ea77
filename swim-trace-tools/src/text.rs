//! How values are written into JSON and for people: ids as 16 hex digits, incarnations as EPOCH.REFUTATIONS, events by name.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::SocketAddr;

use serde::{Serialize, Serializer};
use swim_core::{Event, Incarnation, NodeId};

pub(crate) fn shown<T: Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

pub(crate) fn maybe<T: Display, S: Serializer>(value: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => to.collect_str(value),
        None => to.serialize_none(),
    }
}

/// As eight hexadecimal digits.
pub(crate) fn nonce<S: Serializer>(value: &Option<u32>, to: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => to.collect_str(&format_args!("{value:08x}")),
        None => to.serialize_none(),
    }
}

/// A member's name; the id of one that has none.
pub(crate) fn named(id: NodeId, names: &BTreeMap<NodeId, String>) -> String {
    names.get(&id).cloned().unwrap_or_else(|| id.to_string())
}

/// Names come from others: nothing in one may end a line.
pub(crate) fn one_line(text: &str) -> String {
    let ends = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    text.chars().map(|c| if ends(c) { '\u{fffd}' } else { c }).collect()
}

/// An event with the names of its keys; those that it does not have are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Told {
    /// `member_up`, `member_suspect`, `refuted` and so on.
    pub event: &'static str,
    /// The member it is about; `id` in JSON.
    #[serde(rename = "id", serialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub member: Option<NodeId>,
    /// That it speaks of.
    #[serde(serialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub incarnation: Option<Incarnation>,
    /// Of a suspicion: the accuser, if one was named.
    #[serde(serialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub by: Option<NodeId>,
    /// Of a move: where the member was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<SocketAddr>,
    /// Of a conflict: where the other one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub with: Option<SocketAddr>,
    /// Of a conflict: this node is the one that falls silent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parked: Option<bool>,
    /// Of a member that is down: it said goodbye.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<bool>,
    /// Of `joined` and `converged`: live members.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<u32>,
    /// Of `health`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<u32>,
    /// Of `lagged`: events that were lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missed: Option<u64>,
}

impl Told {
    /// This event.
    pub fn of(event: &Event) -> Self {
        let named = |event| Self { event, ..Self::default() };
        let at = |event, incarnation| Self { incarnation: Some(incarnation), ..named(event) };
        let told = match *event {
            Event::MemberUp { incarnation, .. } => at("member_up", incarnation),
            Event::MemberRestarted { incarnation, .. } => at("member_restarted", incarnation),
            Event::MemberUpdated { .. } => named("member_updated"),
            Event::MemberMoved { from, .. } => Self { from: Some(from), ..named("member_moved") },
            Event::MemberSuspect { incarnation, by, .. } => Self { by, ..at("member_suspect", incarnation) },
            Event::MemberRefuted { incarnation, .. } => at("member_refuted", incarnation),
            Event::MemberDown { incarnation, left, .. } => Self { left: Some(left), ..at("member_down", incarnation) },
            Event::MemberForgotten { .. } => named("member_forgotten"),
            Event::Refuted { incarnation } => at("refuted", incarnation),
            Event::Conflict { with, parked } => Self { with: Some(with), parked: Some(parked), ..named("conflict") },
            Event::Joined { members } => Self { members: Some(members), ..named("joined") },
            Event::Converged { members } => Self { members: Some(members), ..named("converged") },
            Event::Diverged => named("diverged"),
            Event::Left => named("left"),
            Event::Health { score } => Self { score: Some(score), ..named("health") },
            Event::Lagged { missed } => Self { missed: Some(missed), ..named("lagged") },
            _ => named("other"),
        };
        Self { member: event.member(), ..told }
    }

    /// The same as a line, with names as `name` has them.
    pub fn line(&self, name: impl Fn(NodeId) -> String) -> String {
        let parts = [
            Some(self.event.to_owned()),
            self.member.map(&name),
            self.incarnation.map(|incarnation| incarnation.to_string()),
            self.by.map(|by| format!("by {}", name(by))),
            self.from.map(|from| format!("from {from}")),
            self.with.map(|with| format!("with {with}")),
            self.parked.map(|parked| if parked { "(parked)" } else { "(stays)" }.to_owned()),
            self.left.map(|left| if left { "(left)" } else { "(dead)" }.to_owned()),
            self.members.map(|members| format!("{members} members")),
            self.score.map(|score| format!("score {score}")),
            self.missed.map(|missed| format!("{missed} missed")),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}
