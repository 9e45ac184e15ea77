//! Inputs and events as JSON has them: keys in snake case, ids of 16 hexadecimal digits, incarnations "EPOCH.REFUTATIONS".
//!
//! Lossless, and read back; what is for people only is in [`crate::decode`].

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use swim_core::{Event, Incarnation, NodeId, Profile, RumorId};
use swim_trace::Recorded;

pub use crate::hex::{Digits, Hex};

/// A node's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id(pub NodeId);

/// An incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life(pub Incarnation);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Life {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Digits::<u64>::deserialize(deserializer).map(|digits| Self(NodeId::new(digits.0)))
    }
}

impl<'de> Deserialize<'de> for Life {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let parts = text.split_once('.').and_then(|(epoch, refutations)| {
            let life = Incarnation::new(epoch.parse().ok()?, refutations.parse().ok()?);
            (life.to_string() == text).then_some(life)
        });
        parts.map(Self).ok_or_else(|| de::Error::custom(format!("{text:?} is no incarnation: it is written like 1.0")))
    }
}

/// A value in the words that it is shown with.
pub(crate) fn text<T: fmt::Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

/// The same of one that may not be there.
pub(crate) fn maybe_text<T: fmt::Display, S: Serializer>(value: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => to.collect_str(value),
        None => to.serialize_none(),
    }
}

/// A profile: name, and metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileJson<'a> {
    /// At most 64 bytes.
    pub name: Cow<'a, str>,
    /// At most 512 bytes.
    pub meta: Hex<'a>,
}

impl<'a> From<&'a Profile> for ProfileJson<'a> {
    fn from(profile: &'a Profile) -> Self {
        Self { name: profile.name().into(), meta: profile.meta().into() }
    }
}

impl ProfileJson<'_> {
    /// The profile.
    ///
    /// # Errors
    /// What is too long.
    pub(crate) fn profile(&self) -> Result<Profile, String> {
        Profile::new(&self.name, &self.meta.0).map_err(|e| e.to_string())
    }
}

/// An input: its name alone, or an object with its name as the only key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum InputJson<'a> {
    /// A datagram came.
    Datagram {
        /// Its source.
        from: SocketAddr,
        /// The frame.
        bytes: Hex<'a>,
    },
    /// The time has come.
    Timeout,
    /// Contact these.
    Join(Cow<'a, [SocketAddr]>),
    /// These are the seeds now.
    Seeds(Cow<'a, [SocketAddr]>),
    /// Say goodbye.
    Leave,
    /// Say this of yourself.
    SetProfile(ProfileJson<'a>),
    /// Tell everybody this.
    Broadcast {
        /// At most 64 bytes.
        topic: Cow<'a, str>,
        /// What it says.
        payload: Hex<'a>,
    },
    /// Write an entry of the state.
    Put {
        /// 1 to 64 bytes.
        key: Cow<'a, str>,
        /// At most 1024 bytes.
        value: Hex<'a>,
        /// Microseconds after which it vanishes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ttl_us: Option<u64>,
    },
    /// Delete an entry of it.
    Delete {
        /// 1 to 64 bytes.
        key: Cow<'a, str>,
    },
    /// Sending failed.
    SendFailed {
        /// Where it should have gone.
        to: SocketAddr,
    },
    /// The socket takes nothing.
    SendBlocked,
    /// It takes something again.
    SendResumed,
}

impl<'a> InputJson<'a> {
    /// Of an input; `None` for one that this version has no form for.
    pub(crate) fn of(input: &'a Recorded<'_>) -> Option<Self> {
        Some(match input {
            Recorded::Datagram { from, bytes } => Self::Datagram { from: *from, bytes: bytes.as_ref().into() },
            Recorded::Timeout => Self::Timeout,
            Recorded::Join(seeds) => Self::Join(Cow::Borrowed(seeds)),
            Recorded::Seeds(seeds) => Self::Seeds(Cow::Borrowed(seeds)),
            Recorded::Leave => Self::Leave,
            Recorded::SetProfile(profile) => Self::SetProfile(profile.into()),
            Recorded::Broadcast { topic, payload } => {
                Self::Broadcast { topic: Cow::Borrowed(topic), payload: payload.as_ref().into() }
            }
            Recorded::Put { key, value, ttl } => Self::Put {
                key: Cow::Borrowed(key),
                value: value.as_ref().into(),
                // As it is recorded, it has no more.
                ttl_us: ttl.map(|ttl| u64::try_from(ttl.as_micros()).unwrap_or(u64::MAX - 1)),
            },
            Recorded::Delete { key } => Self::Delete { key: Cow::Borrowed(key) },
            Recorded::SendFailed { to } => Self::SendFailed { to: *to },
            Recorded::SendBlocked => Self::SendBlocked,
            Recorded::SendResumed => Self::SendResumed,
            _ => return None,
        })
    }

    /// The input.
    ///
    /// # Errors
    /// What is too long.
    pub(crate) fn input(self) -> Result<Recorded<'a>, String> {
        Ok(match self {
            Self::Datagram { from, bytes } => Recorded::Datagram { from, bytes: bytes.0 },
            Self::Timeout => Recorded::Timeout,
            Self::Join(seeds) => Recorded::Join(seeds.into_owned()),
            Self::Seeds(seeds) => Recorded::Seeds(seeds.into_owned()),
            Self::Leave => Recorded::Leave,
            Self::SetProfile(profile) => Recorded::SetProfile(profile.profile()?),
            Self::Broadcast { topic, payload } => Recorded::Broadcast { topic, payload: payload.0 },
            Self::Put { key, value, ttl_us } => {
                Recorded::Put { key, value: value.0, ttl: ttl_us.map(Duration::from_micros) }
            }
            Self::Delete { key } => Recorded::Delete { key },
            Self::SendFailed { to } => Recorded::SendFailed { to },
            Self::SendBlocked => Recorded::SendBlocked,
            Self::SendResumed => Recorded::SendResumed,
        })
    }
}

/// An event: an object whose key `event` is its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "they are those of `Event`")]
pub enum EventJson {
    MemberUp { id: Id, incarnation: Life },
    MemberRestarted { id: Id, incarnation: Life },
    MemberUpdated { id: Id },
    MemberMoved { id: Id, from: SocketAddr },
    MemberSuspect { id: Id, incarnation: Life, by: Option<Id> },
    MemberRefuted { id: Id, incarnation: Life },
    MemberDown { id: Id, incarnation: Life, left: bool },
    MemberForgotten { id: Id },
    Refuted { incarnation: Life },
    Conflict { with: SocketAddr, parked: bool },
    Joined { members: u32 },
    Converged { members: u32 },
    Diverged {},
    Left {},
    Health { score: u32 },
    Rumor { origin: Id, epoch: u32, seq: u32 },
    StateChanged { id: Id },
    Lagged { missed: u64 },
    AddressConflict { id: Id, with: Id },
}

/// The names of all events, as they stand in JSON.
pub const EVENTS: [&str; 19] = [
    "member_up",
    "member_restarted",
    "member_updated",
    "member_moved",
    "member_suspect",
    "member_refuted",
    "member_down",
    "member_forgotten",
    "refuted",
    "conflict",
    "joined",
    "converged",
    "diverged",
    "left",
    "health",
    "rumor",
    "state_changed",
    "lagged",
    "address_conflict",
];

impl EventJson {
    /// Of an event; `None` for one that this version has no form for.
    pub(crate) fn of(event: &Event) -> Option<Self> {
        Some(match *event {
            Event::MemberUp { id, incarnation } => Self::MemberUp { id: Id(id), incarnation: Life(incarnation) },
            Event::MemberRestarted { id, incarnation } => {
                Self::MemberRestarted { id: Id(id), incarnation: Life(incarnation) }
            }
            Event::MemberUpdated { id } => Self::MemberUpdated { id: Id(id) },
            Event::MemberMoved { id, from } => Self::MemberMoved { id: Id(id), from },
            Event::MemberSuspect { id, incarnation, by } => {
                Self::MemberSuspect { id: Id(id), incarnation: Life(incarnation), by: by.map(Id) }
            }
            Event::MemberRefuted { id, incarnation } => {
                Self::MemberRefuted { id: Id(id), incarnation: Life(incarnation) }
            }
            Event::MemberDown { id, incarnation, left } => {
                Self::MemberDown { id: Id(id), incarnation: Life(incarnation), left }
            }
            Event::MemberForgotten { id } => Self::MemberForgotten { id: Id(id) },
            Event::Refuted { incarnation } => Self::Refuted { incarnation: Life(incarnation) },
            Event::Conflict { with, parked } => Self::Conflict { with, parked },
            Event::Joined { members } => Self::Joined { members },
            Event::Converged { members } => Self::Converged { members },
            Event::Diverged => Self::Diverged {},
            Event::Left => Self::Left {},
            Event::Health { score } => Self::Health { score },
            Event::Rumor { id: RumorId { origin, epoch, seq } } => Self::Rumor { origin: Id(origin), epoch, seq },
            Event::StateChanged { id } => Self::StateChanged { id: Id(id) },
            Event::Lagged { missed } => Self::Lagged { missed },
            Event::AddressConflict { id, with } => Self::AddressConflict { id: Id(id), with: Id(with) },
            _ => return None,
        })
    }

    /// The event.
    pub(crate) fn event(self) -> Event {
        match self {
            Self::MemberUp { id, incarnation } => Event::MemberUp { id: id.0, incarnation: incarnation.0 },
            Self::MemberRestarted { id, incarnation } => {
                Event::MemberRestarted { id: id.0, incarnation: incarnation.0 }
            }
            Self::MemberUpdated { id } => Event::MemberUpdated { id: id.0 },
            Self::MemberMoved { id, from } => Event::MemberMoved { id: id.0, from },
            Self::MemberSuspect { id, incarnation, by } => {
                Event::MemberSuspect { id: id.0, incarnation: incarnation.0, by: by.map(|by| by.0) }
            }
            Self::MemberRefuted { id, incarnation } => Event::MemberRefuted { id: id.0, incarnation: incarnation.0 },
            Self::MemberDown { id, incarnation, left } => {
                Event::MemberDown { id: id.0, incarnation: incarnation.0, left }
            }
            Self::MemberForgotten { id } => Event::MemberForgotten { id: id.0 },
            Self::Refuted { incarnation } => Event::Refuted { incarnation: incarnation.0 },
            Self::Conflict { with, parked } => Event::Conflict { with, parked },
            Self::Joined { members } => Event::Joined { members },
            Self::Converged { members } => Event::Converged { members },
            Self::Diverged {} => Event::Diverged,
            Self::Left {} => Event::Left,
            Self::Health { score } => Event::Health { score },
            Self::Rumor { origin, epoch, seq } => Event::Rumor { id: RumorId { origin: origin.0, epoch, seq } },
            Self::StateChanged { id } => Event::StateChanged { id: id.0 },
            Self::Lagged { missed } => Event::Lagged { missed },
            Self::AddressConflict { id, with } => Event::AddressConflict { id: id.0, with: with.0 },
        }
    }
}

/// An event's name, one of [`EVENTS`]; `other` for one that this version has no form for.
pub fn event_name(event: &Event) -> &'static str {
    let index = match event {
        Event::MemberUp { .. } => 0,
        Event::MemberRestarted { .. } => 1,
        Event::MemberUpdated { .. } => 2,
        Event::MemberMoved { .. } => 3,
        Event::MemberSuspect { .. } => 4,
        Event::MemberRefuted { .. } => 5,
        Event::MemberDown { .. } => 6,
        Event::MemberForgotten { .. } => 7,
        Event::Refuted { .. } => 8,
        Event::Conflict { .. } => 9,
        Event::Joined { .. } => 10,
        Event::Converged { .. } => 11,
        Event::Diverged => 12,
        Event::Left => 13,
        Event::Health { .. } => 14,
        Event::Rumor { .. } => 15,
        Event::StateChanged { .. } => 16,
        Event::Lagged { .. } => 17,
        Event::AddressConflict { .. } => 18,
        _ => return "other",
    };
    EVENTS[index]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_back() {
        let (id, incarnation) = (NodeId::new(0x1a), Incarnation::new(u32::MAX, 7));
        let addr = "[2001:db8::1]:7946".parse().unwrap();
        let events = [
            Event::MemberUp { id, incarnation },
            Event::MemberRestarted { id, incarnation },
            Event::MemberUpdated { id },
            Event::MemberMoved { id, from: addr },
            Event::MemberSuspect { id, incarnation, by: None },
            Event::MemberSuspect { id, incarnation, by: Some(id) },
            Event::MemberRefuted { id, incarnation },
            Event::MemberDown { id, incarnation, left: true },
            Event::MemberForgotten { id },
            Event::Refuted { incarnation },
            Event::Conflict { with: addr, parked: false },
            Event::Joined { members: 3 },
            Event::Converged { members: u32::MAX },
            Event::Diverged,
            Event::Left,
            Event::Health { score: 8 },
            Event::Rumor { id: RumorId { origin: id, epoch: u32::MAX, seq: 1 } },
            Event::StateChanged { id },
            Event::Lagged { missed: u64::MAX },
            Event::AddressConflict { id, with: NodeId::new(3) },
        ];
        for event in events {
            let json = serde_json::to_value(EventJson::of(&event).unwrap()).unwrap();
            assert_eq!(json["event"], event_name(&event));
            assert_eq!(serde_json::from_value::<EventJson>(json).unwrap().event(), event);
        }
        let text = serde_json::to_string(&EventJson::of(&events[5])).unwrap();
        let wanted = r#"{"event":"member_suspect","id":"000000000000001a","incarnation":"4294967295.7","by":"000000000000001a"}"#;
        assert_eq!(text, wanted);
    }

    #[test]
    fn what_is_not_as_it_is_written_is_refused() {
        let refused = |text: &str| serde_json::from_str::<EventJson>(text).is_err();
        assert!(refused(r#"{"event":"member_updated","id":"1a"}"#));
        assert!(refused(r#"{"event":"member_updated","id":"000000000000001A"}"#));
        assert!(refused(r#"{"event":"refuted","incarnation":"1.1073741824"}"#), "more than an incarnation has");
        assert!(refused(r#"{"event":"refuted","incarnation":"01.0"}"#));
        assert!(refused(r#"{"event":"refuted","incarnation":"1.0","more":1}"#));
        assert!(serde_json::from_str::<InputJson<'_>>(r#"{"datagram":{"from":"1.2.3.4:5"}}"#).is_err());
    }
}
