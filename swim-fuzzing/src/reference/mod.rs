//! A second reader of frames, written from `docs/wire.md` alone: slow, simple, and with copies of everything. What it
//! and the reader of `swim-core` say of the same bytes has to be the same.

mod read;
mod sections;

pub use self::read::decode;

/// Incarnation: epoch and refutations.
pub type Life = (u32, u32);

/// What a frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of docs/wire.md, by their names there")]
pub struct Content {
    pub sender: u64,
    pub life: Life,
    pub view_hash: u64,
    pub message: Option<Said>,
    pub updates: Vec<About>,
    pub rows: Vec<About>,
    pub who: bool,
    /// In *who*.
    pub cookie: Option<u64>,
    pub held: Vec<(u64, u32, u32)>,
    pub wanted: Vec<u64>,
    pub app: u32,
    /// id · epoch · version · last · floor
    pub summaries: Vec<(u64, u32, u32, u32, u32)>,
    pub states: Vec<Part>,
    pub rumors: Vec<Told>,
    /// origin · epoch · seq · known
    pub known: Vec<(u64, u32, u32, bool)>,
    pub proof: Option<u64>,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of docs/wire.md, by their names there")]
pub enum Said {
    Ping {
        target: u64,
        nonce: u32,
    },
    Ack {
        nonce: u32,
    },
    PingReq {
        target: u64,
        nonce: u32,
    },
    RelayedAck {
        nonce: u32,
        life: Life,
    },
    Nack {
        nonce: u32,
    },
    NotMe {
        nonce: u32,
    },
    Pull {
        nonce: u32,
        ranges: Vec<(u32, u32)>,
    },
    Page {
        nonce: u32,
        next: u32,
    },
    Compare {
        nonce: u32,
        level: u8,
        nodes: Vec<(u32, Vec<u32>)>,
    },
    Differ {
        nonce: u32,
        bitmaps: Vec<u64>,
    },
    Push,
    /// Records: id · epoch · version · gc · floor · seen.
    Digest {
        nonce: u32,
        records: Vec<(u64, u32, u32, u32, u32, u64)>,
    },
    Delta {
        nonce: u32,
    },
    Prove {
        nonce: u32,
    },
}

/// An item.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of docs/wire.md, by their names there")]
pub struct About {
    pub id: u64,
    pub life: Life,
    /// 0 alive, 1 suspect, 2 dead, 3 left.
    pub state: u8,
    /// Empty in all forms but *accused*.
    pub accusers: Vec<u64>,
    pub detail: Option<Written>,
}

/// A detail.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of docs/wire.md, by their names there")]
pub struct Written {
    pub at: Life,
    pub ip: Vec<u8>,
    pub port: u16,
    pub name: String,
    pub meta: Vec<u8>,
}

/// A part of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of docs/wire.md, by their names there")]
pub struct Part {
    pub id: u64,
    pub epoch: u32,
    pub version: u32,
    pub gc: u32,
    pub from: u32,
    pub upto: u32,
    pub entries: Vec<Write>,
}

/// An entry of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of docs/wire.md, by their names there")]
pub struct Write {
    pub version: u32,
    pub key: String,
    /// `None`: a tombstone.
    pub value: Option<Vec<u8>>,
    /// In milliseconds.
    pub left: Option<u64>,
}

/// A rumor.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of docs/wire.md, by their names there")]
pub struct Told {
    pub origin: u64,
    pub epoch: u32,
    pub seq: u32,
    pub lamport: u64,
    pub age: u64,
    pub topic: String,
    pub payload: Vec<u8>,
}
