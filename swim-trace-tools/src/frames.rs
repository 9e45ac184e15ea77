//! Frames, each of them once, and what they say in words.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use swim_core::NodeId;
use swim_core::wire::{Frame, Item, Message, More};

use crate::text;

/// Equal bytes have one number.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    numbers: HashMap<Box<[u8]>, u32>,
}

impl Frames {
    pub(crate) fn number(&mut self, bytes: &[u8]) -> u32 {
        if let Some(&number) = self.numbers.get(bytes) {
            return number;
        }
        let number = u32::try_from(self.numbers.len()).expect("memory ends before four billion datagrams");
        self.numbers.insert(bytes.into(), number);
        number
    }

    pub(crate) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// All of them, decoded, by number.
    pub(crate) fn decoded(&self, names: &BTreeMap<NodeId, String>) -> Vec<DecodedFrame> {
        let mut bytes = vec![&[][..]; self.len()];
        for (frame, &number) in &self.numbers {
            bytes[number as usize] = frame;
        }
        bytes.into_iter().map(|bytes| DecodedFrame::of(bytes, names)).collect()
    }
}

/// What a frame says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DecodedFrame {
    /// Bytes that it has.
    pub bytes: usize,
    /// The name of its message, and its key in JSON is `message`: `ping`, `ack`, `ping_req`, `relayed_ack`, `nack`, `not_me`,
    /// `pull`, `page`, `compare`, `differ`, `push`, `gossip` for one without message, `malformed` for what is no frame, or `other`.
    #[serde(rename = "message")]
    pub kind: &'static str,
    /// Who has sent it, as it says.
    #[serde(serialize_with = "text::maybe")]
    pub sender: Option<NodeId>,
    /// Of probes and what answers them, and of syncs; eight hexadecimal digits in JSON.
    #[serde(serialize_with = "text::nonce")]
    pub nonce: Option<u32>,
    /// Whom a ping is for.
    #[serde(serialize_with = "text::maybe")]
    pub target: Option<NodeId>,
    /// All of it in words, a line each.
    pub says: Vec<String>,
}

impl DecodedFrame {
    fn of(bytes: &[u8], names: &BTreeMap<NodeId, String>) -> Self {
        let frame = match Frame::parse(bytes) {
            Ok(frame) => frame,
            Err(e) => {
                let says = vec![format!("no frame: {e}")];
                return Self { bytes: bytes.len(), kind: "malformed", sender: None, nonce: None, target: None, says };
            }
        };
        let name = |id: NodeId| text::named(id, names);
        let (kind, nonce, target) = message(frame.message);
        let mut says =
            vec![format!("from {} {}, view {:016x}", name(frame.sender), frame.incarnation, frame.view_hash)];
        let nonce_text = nonce.map(|nonce| format!(" nonce {nonce:08x}")).unwrap_or_default();
        let target_text = target.map(|target| format!(" for {}", name(target))).unwrap_or_default();
        let more = match frame.message {
            Some(Message::RelayedAck { incarnation, .. }) => format!(" of incarnation {incarnation}"),
            Some(Message::Page { next, .. }) => format!(" up to key {next}"),
            Some(Message::Compare { level, .. }) => format!(" of level {level}, {} nodes", frame.nodes().count()),
            Some(Message::Pull { .. }) => format!(" of {} ranges", frame.ranges().count()),
            _ => String::new(),
        };
        says.push(format!("{kind}{target_text}{nonce_text}{more}"));
        if frame.asks_who {
            says.push("asks who the receiver is".into());
        }
        says.extend(frame.updates().map(|item| format!("update: {}", said(&item, &name))));
        says.extend(frame.rows().map(|item| format!("row: {}", said(&item, &name))));
        says.extend(frame.held().map(|(id, _)| format!("holds {}", name(id))));
        says.extend(frame.wanted().map(|id| format!("wants {}", name(id))));
        Self { bytes: bytes.len(), kind, sender: Some(frame.sender), nonce, target, says }
    }
}

fn message(message: Option<Message>) -> (&'static str, Option<u32>, Option<NodeId>) {
    match message {
        None => ("gossip", None, None),
        Some(Message::Ping { target, nonce }) => ("ping", Some(nonce), Some(target)),
        Some(Message::Ack { nonce }) => ("ack", Some(nonce), None),
        Some(Message::PingReq { target, nonce }) => ("ping_req", Some(nonce), Some(target)),
        Some(Message::RelayedAck { nonce, .. }) => ("relayed_ack", Some(nonce), None),
        Some(Message::Nack { nonce }) => ("nack", Some(nonce), None),
        Some(Message::NotMe { nonce }) => ("not_me", Some(nonce), None),
        Some(Message::Pull { nonce }) => ("pull", Some(nonce), None),
        Some(Message::Page { nonce, .. }) => ("page", Some(nonce), None),
        Some(Message::Compare { nonce, .. }) => ("compare", Some(nonce), None),
        Some(Message::Differ { nonce }) => ("differ", Some(nonce), None),
        Some(Message::Push) => ("push", None, None),
        Some(_) => ("other", None, None),
    }
}

fn said(item: &Item<'_>, name: &impl Fn(NodeId) -> String) -> String {
    let status = format!("{} {} {}", name(item.id), item.status.state(), item.status.incarnation());
    match item.more {
        More::Status => status,
        More::Accused(accusers) => {
            let by: Vec<String> = accusers.iter().map(name).collect();
            format!("{status}, accused by {}", by.join(", "))
        }
        More::Detail(detail) => {
            format!("{status}, at {} as {:?}, {} B of metadata", detail.addr, detail.name, detail.meta.len())
        }
    }
}
