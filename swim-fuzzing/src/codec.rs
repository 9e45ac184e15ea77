//! Target: the reader of frames against the module `reference`.

use std::net::IpAddr;

use swim_core::wire::{Change, Frame, Item, Message, More, StateItem};
use swim_core::{Incarnation, Rumor};

use crate::reference::{self, About, Content, Life, Part, Said, Told, Write, Written};

/// Any bytes as a frame: both readers refuse them, or take the same from them.
///
/// # Panics
/// When there is a bug.
pub fn target(data: &[u8]) {
    let (ours, plain) = (Frame::parse(data), reference::decode(data));
    match (&ours, &plain) {
        (Ok(frame), Some(content)) => assert_eq!(&content_of(frame), content, "both say the same"),
        (Err(_), None) => {}
        _ => panic!("swim-core: {:?}, the reference: {plain:?}", ours.map(|frame| content_of(&frame))),
    }
}

/// All that can be read of a frame.
pub(crate) fn content_of(frame: &Frame<'_>) -> Content {
    Content {
        sender: frame.sender.as_u64(),
        life: life(frame.incarnation),
        view_hash: frame.view_hash,
        message: frame.message.map(|message| said(frame, message)),
        updates: frame.updates().map(|item| about(&item)).collect(),
        rows: frame.rows().map(|item| about(&item)).collect(),
        who: frame.asks_who,
        cookie: frame.cookie,
        held: frame.held().map(|(id, hash, app)| (id.as_u64(), hash, app)).collect(),
        wanted: frame.wanted().map(|id| id.as_u64()).collect(),
        app: frame.app_hash,
        summaries: frame.summaries().map(|s| (s.id.as_u64(), s.epoch, s.version, s.last, s.floor)).collect(),
        states: frame.states().map(|item| part(&item)).collect(),
        rumors: frame.rumors().map(|rumor| told(&rumor)).collect(),
        known: frame.known().map(|(id, known)| (id.origin.as_u64(), id.epoch, id.seq, known)).collect(),
        proof: frame.proof,
    }
}

fn life(incarnation: Incarnation) -> Life {
    (incarnation.epoch(), incarnation.refutations())
}

fn said(frame: &Frame<'_>, message: Message) -> Said {
    match message {
        Message::Ping { target, nonce } => Said::Ping { target: target.as_u64(), nonce },
        Message::Ack { nonce } => Said::Ack { nonce },
        Message::PingReq { target, nonce } => Said::PingReq { target: target.as_u64(), nonce },
        Message::RelayedAck { nonce, incarnation } => Said::RelayedAck { nonce, life: life(incarnation) },
        Message::Nack { nonce } => Said::Nack { nonce },
        Message::NotMe { nonce } => Said::NotMe { nonce },
        Message::Pull { nonce } => Said::Pull { nonce, ranges: frame.ranges().map(|r| (r.from, r.to)).collect() },
        Message::Page { nonce, next } => Said::Page { nonce, next },
        Message::Compare { nonce, level } => {
            let nodes = frame.nodes().map(|node| (node.prefix, node.hashes.to_vec())).collect();
            Said::Compare { nonce, level, nodes }
        }
        Message::Differ { nonce } => Said::Differ { nonce, bitmaps: frame.bitmaps().collect() },
        Message::Push => Said::Push,
        Message::Digest { nonce } => {
            let records = frame.digests().map(|d| (d.id.as_u64(), d.epoch, d.version, d.gc, d.floor, d.seen));
            Said::Digest { nonce, records: records.collect() }
        }
        Message::Delta { nonce } => Said::Delta { nonce },
        Message::Prove { nonce } => Said::Prove { nonce },
        _ => panic!("{message:?} is new: it belongs into the reference, too"),
    }
}

fn about(item: &Item<'_>) -> About {
    let accusers = match item.more {
        More::Accused(accusers) => {
            let all: Vec<u64> = accusers.iter().map(|id| id.as_u64()).collect();
            assert_eq!(all.len(), accusers.count(), "as many as are counted");
            all
        }
        _ => Vec::new(),
    };
    let detail = item.detail().map(|detail| Written {
        at: life(detail.at),
        ip: match detail.addr.ip() {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        },
        port: detail.addr.port(),
        name: detail.name.into(),
        meta: detail.meta.into(),
    });
    About {
        id: item.id.as_u64(),
        life: life(item.status.incarnation()),
        state: item.status.state() as u8,
        accusers,
        detail,
    }
}

fn part(item: &StateItem<'_>) -> Part {
    let entries = item.entries().map(|entry| {
        let (value, left) = match entry.change {
            Change::Put { value, ttl_ms } => (Some(value.to_vec()), ttl_ms),
            Change::Delete { ttl_ms } => (None, Some(ttl_ms)),
        };
        Write { version: entry.version, key: entry.key.into(), value, left }
    });
    assert_eq!(item.is_complete(), item.upto() == item.version);
    Part {
        id: item.id.as_u64(),
        epoch: item.epoch,
        version: item.version,
        gc: item.gc,
        from: item.from,
        upto: item.upto(),
        entries: entries.collect(),
    }
}

fn told(rumor: &Rumor<'_>) -> Told {
    Told {
        origin: rumor.id.origin.as_u64(),
        epoch: rumor.id.epoch,
        seq: rumor.id.seq,
        lamport: rumor.lamport,
        age: rumor.age.as_millis() as u64,
        topic: rumor.topic.into(),
        payload: rumor.payload.into(),
    }
}
