//! Inputs and outputs for reading: frames taken apart, and ids with the names that belong to them.
//!
//! What is written here is not read back; [`crate::json`] is lossless.

mod app;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Serialize, Serializer};
use swim_core::wire::{Frame, Item, Message, More};
use swim_core::{Event, Node, NodeId};
use swim_trace::{Header, Outputs, Recorded};

pub use self::app::{AppShown, DigestShown, EntryShown, KnownShown, RumorOf, RumorShown, StateShown, SummaryShown};
use crate::json::{Digits, EventJson, Id, InputJson, Life};

/// The names that were seen so far. Bounded by what has been read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(BTreeMap<NodeId, String>);

impl Names {
    /// At the beginning: that of the node itself.
    pub fn of(header: &Header) -> Self {
        let mut names = Self::default();
        names.see(header.id, header.profile.name());
        names
    }

    /// Somebody says so.
    pub(crate) fn see(&mut self, id: NodeId, name: &str) {
        if !name.is_empty() && self.get(id) != Some(name) {
            self.0.insert(id, name.into());
        }
    }

    /// Those of the details in a frame.
    pub(crate) fn see_frame(&mut self, bytes: &[u8]) {
        let Ok(frame) = Frame::parse(bytes) else { return };
        for item in frame.updates().chain(frame.rows()) {
            if let Some(detail) = item.detail() {
                self.see(item.id, detail.name);
            }
        }
    }

    /// Those that an input tells.
    pub fn see_input(&mut self, me: NodeId, input: &Recorded<'_>) {
        match input {
            Recorded::Datagram { bytes, .. } => self.see_frame(bytes),
            Recorded::SetProfile(profile) => self.see(me, profile.name()),
            _ => {}
        }
    }

    /// Those of the rows of a node.
    pub fn see_node(&mut self, node: &Node) {
        node.members().for_each(|row| self.see(row.id(), row.name()));
    }

    /// Those of the rows in a keyframe; none where it is of another core.
    pub(crate) fn see_snapshot(&mut self, snapshot: &[u8]) {
        if let Ok(node) = Node::restore(snapshot) {
            self.see_node(&node);
        }
    }

    /// A name, when one was seen.
    pub(crate) fn get(&self, id: NodeId) -> Option<&str> {
        self.0.get(&id).map(String::as_str)
    }

    /// All of them, by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (NodeId, &str)> {
        self.0.iter().map(|(&id, name)| (id, name.as_str()))
    }

    fn owned(&self, id: NodeId) -> Option<String> {
        self.get(id).map(Into::into)
    }

    /// The name, and the id where none was seen.
    pub fn name(&self, id: NodeId) -> String {
        self.owned(id).unwrap_or_else(|| id.to_string())
    }
}

/// The kinds of messages, as filters and listings name them. The last two are frames without message, and what is no frame.
pub const MESSAGES: [&str; 16] = [
    "ping",
    "ack",
    "ping_req",
    "relayed_ack",
    "nack",
    "not_me",
    "pull",
    "page",
    "compare",
    "differ",
    "push",
    "digest",
    "delta",
    "prove",
    "gossip",
    "malformed",
];

/// The name of a frame's message, one of [`MESSAGES`]; `other` for one of a later version.
pub(crate) fn message_name(bytes: &[u8]) -> &'static str {
    match Frame::parse(bytes) {
        Ok(frame) => name_of(frame.message),
        Err(_) => MESSAGES[15],
    }
}

fn name_of(message: Option<Message>) -> &'static str {
    let index = match message {
        Some(Message::Ping { .. }) => 0,
        Some(Message::Ack { .. }) => 1,
        Some(Message::PingReq { .. }) => 2,
        Some(Message::RelayedAck { .. }) => 3,
        Some(Message::Nack { .. }) => 4,
        Some(Message::NotMe { .. }) => 5,
        Some(Message::Pull { .. }) => 6,
        Some(Message::Page { .. }) => 7,
        Some(Message::Compare { .. }) => 8,
        Some(Message::Differ { .. }) => 9,
        Some(Message::Push) => 10,
        Some(Message::Digest { .. }) => 11,
        Some(Message::Delta { .. }) => 12,
        Some(Message::Prove { .. }) => 13,
        None => 14,
        Some(_) => return "other",
    };
    MESSAGES[index]
}

/// A node that something speaks of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Who {
    /// Its id.
    pub id: Id,
    /// Its name, when one was seen.
    pub name: Option<String>,
}

impl Who {
    /// This node.
    pub(crate) fn of(id: NodeId, names: &Names) -> Self {
        Self { id: Id(id), name: names.owned(id) }
    }
}

/// A frame, taken apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FrameShown {
    /// Who says it has sent it.
    pub sender: Who,
    /// The sender's incarnation.
    pub incarnation: Life,
    /// The sender's view.
    pub view_hash: Digits<u64>,
    /// What it asks or answers: one of [`MESSAGES`].
    pub message: &'static str,
    /// The message's nonce.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Digits<u32>>,
    /// Whom a ping or a ping-req is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Who>,
    /// The incarnation in a relayed ack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered: Option<Life>,
    /// How far a page tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u32>,
    /// The level of the nodes that are to be compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<u8>,
    /// The sender asks the receiver to introduce itself.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub asks_who: bool,
    /// What the receiver has to send back, to show that it is heard at its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cookie: Option<Digits<u64>>,
    /// What the sender sends back for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<Digits<u64>>,
    /// Gossip.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub updates: Vec<ItemShown>,
    /// Rows of the sender's table.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<ItemShown>,
    /// Ranges of keys that a pull asks for, first and behind the last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ranges: Vec<[u32; 2]>,
    /// Nodes of the tree that are to be compared: their prefixes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<u32>,
    /// Which children differ, a bit for each, by node.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differ: Vec<Digits<u64>>,
    /// Members that the sender of a pull holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<Who>,
    /// Members whose rows the sender of a page wants.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub wanted: Vec<Who>,
    /// Rumors and states.
    #[serde(flatten)]
    pub app: AppShown,
}

/// What is said of one member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ItemShown {
    /// The member.
    #[serde(flatten)]
    pub of: Who,
    /// `alive`, `suspect`, `dead` or `left`.
    pub state: String,
    /// At which incarnation.
    pub incarnation: Life,
    /// Its accusers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<Who>,
    /// Its address, where it says so itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub addr: Option<SocketAddr>,
    /// Bytes of its metadata, where it says so itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta_len: Option<usize>,
}

impl FrameShown {
    /// Of a frame's bytes; `None` when they are none.
    pub(crate) fn of(bytes: &[u8], names: &Names) -> Option<Self> {
        let frame = Frame::parse(bytes).ok()?;
        let who = |id| Who::of(id, names);
        let items = |item: Item<'_>| ItemShown::of(&item, names);
        let mut shown = Self {
            sender: who(frame.sender),
            incarnation: Life(frame.incarnation),
            view_hash: Digits(frame.view_hash),
            message: name_of(frame.message),
            nonce: None,
            target: None,
            answered: None,
            next: None,
            level: None,
            asks_who: frame.asks_who,
            cookie: frame.cookie.map(Digits),
            proof: frame.proof.map(Digits),
            updates: frame.updates().map(items).collect(),
            rows: frame.rows().map(items).collect(),
            ranges: frame.ranges().map(|range| [range.from, range.to]).collect(),
            nodes: frame.nodes().map(|node| node.prefix).collect(),
            differ: frame.bitmaps().map(Digits).collect(),
            held: frame.held().map(|(id, ..)| who(id)).collect(),
            wanted: frame.wanted().map(who).collect(),
            app: AppShown::of(&frame, names),
        };
        shown.message(frame.message, names);
        Some(shown)
    }

    fn message(&mut self, message: Option<Message>, names: &Names) {
        let nonce = match message {
            Some(Message::Ping { target, nonce } | Message::PingReq { target, nonce }) => {
                self.target = Some(Who::of(target, names));
                nonce
            }
            Some(Message::RelayedAck { nonce, incarnation }) => {
                self.answered = Some(Life(incarnation));
                nonce
            }
            Some(Message::Page { nonce, next }) => {
                self.next = Some(next);
                nonce
            }
            Some(Message::Compare { nonce, level }) => {
                self.level = Some(level);
                nonce
            }
            Some(
                Message::Ack { nonce }
                | Message::Nack { nonce }
                | Message::NotMe { nonce }
                | Message::Pull { nonce }
                | Message::Differ { nonce }
                | Message::Digest { nonce }
                | Message::Delta { nonce }
                | Message::Prove { nonce },
            ) => nonce,
            _ => return,
        };
        self.nonce = Some(Digits(nonce));
    }

    /// All nodes that it speaks of.
    pub(crate) fn speaks_of(&self) -> impl Iterator<Item = &Who> {
        let items = self.updates.iter().chain(&self.rows).flat_map(|item| [&item.of].into_iter().chain(&item.by));
        let rows = items.chain(&self.held).chain(&self.wanted);
        [&self.sender].into_iter().chain(&self.target).chain(rows).chain(self.app.speaks_of())
    }
}

impl ItemShown {
    fn of(item: &Item<'_>, names: &Names) -> Self {
        let accusers = match item.more {
            More::Accused(accusers) => accusers.iter().map(|by| Who::of(by, names)).collect(),
            _ => Vec::new(),
        };
        Self {
            of: Who::of(item.id, names),
            state: item.status.state().to_string(),
            incarnation: Life(item.status.incarnation()),
            by: accusers,
            addr: item.detail().map(|detail| detail.addr),
            meta_len: item.detail().map(|detail| detail.meta.len()),
        }
    }
}

/// What is in a datagram.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DatagramShown {
    /// Bytes of the frame.
    pub len: usize,
    /// `None`: it is no frame.
    pub frame: Option<Box<FrameShown>>,
}

impl DatagramShown {
    /// Of its bytes, with the names that were seen.
    pub(crate) fn of(bytes: &[u8], names: &Names) -> Self {
        Self { len: bytes.len(), frame: FrameShown::of(bytes, names).map(Box::new) }
    }

    /// One of [`MESSAGES`].
    pub fn message(&self) -> &'static str {
        self.frame.as_ref().map_or(MESSAGES[15], |frame| frame.message)
    }
}

/// An input: as [`InputJson`] has it, with what is in the datagram instead of its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InputShown {
    /// A datagram came.
    Datagram {
        /// Its source.
        from: SocketAddr,
        /// What is in it.
        #[serde(flatten)]
        datagram: DatagramShown,
    },
    /// Any other.
    #[serde(untagged, serialize_with = "input_json")]
    Other(Recorded<'static>),
}

impl InputShown {
    /// Of an input, with the names that were seen.
    pub fn of(input: &Recorded<'_>, names: &Names) -> Self {
        match input {
            Recorded::Datagram { from, bytes } => {
                Self::Datagram { from: *from, datagram: DatagramShown::of(bytes, names) }
            }
            other => Self::Other(other.clone().into_owned()),
        }
    }
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventShown {
    /// What it says; as [`EventJson`] has it.
    #[serde(flatten, serialize_with = "event_json")]
    pub event: Event,
    /// The name of the member that it is about, or whose rumor it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The name of the accuser, or of who answers at its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_name: Option<String>,
}

impl EventShown {
    /// Of an event, with the names that were seen.
    pub(crate) fn of(event: &Event, names: &Names) -> Self {
        let by = match event {
            Event::MemberSuspect { by: Some(by), .. } | Event::AddressConflict { with: by, .. } => names.owned(*by),
            _ => None,
        };
        let about = if let Event::Rumor { id } = event { Some(id.origin) } else { event.member() };
        Self { event: *event, name: about.and_then(|id| names.owned(id)), by_name: by }
    }
}

/// What a later version of the core knows, in its own words.
#[derive(Serialize)]
#[serde(tag = "event", rename = "other")]
struct OtherEvent {
    text: String,
}

fn event_json<S: Serializer>(event: &Event, to: S) -> Result<S::Ok, S::Error> {
    match EventJson::of(event) {
        Some(known) => known.serialize(to),
        None => OtherEvent { text: format!("{event:?}") }.serialize(to),
    }
}

fn input_json<S: Serializer>(input: &Recorded<'_>, to: S) -> Result<S::Ok, S::Error> {
    match InputJson::of(input) {
        Some(known) => known.serialize(to),
        None => BTreeMap::from([("other", format!("{input:?}"))]).serialize(to),
    }
}

/// A datagram that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SentShown {
    /// Where to.
    pub to: SocketAddr,
    /// What is in it.
    #[serde(flatten)]
    pub datagram: DatagramShown,
}

/// What came out of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OutputsShown {
    /// Datagrams, in order.
    pub sent: Vec<SentShown>,
    /// Events, in order.
    pub events: Vec<EventShown>,
}

impl OutputsShown {
    /// Of a step's outputs.
    pub fn of(outputs: &Outputs, names: &Names) -> Self {
        let sent = |(to, frame): (_, &[u8])| SentShown { to, datagram: DatagramShown::of(frame, names) };
        Self {
            sent: outputs.sent().map(sent).collect(),
            events: outputs.events().iter().map(|event| EventShown::of(event, names)).collect(),
        }
    }
}
