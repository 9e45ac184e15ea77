//! A second reader of frames, written from `docs/wire.md` alone: slow, simple, and with copies of everything. What it
//! and the reader of `swim-core` say of the same bytes has to be the same.

mod read;
mod sections;

pub(crate) use self::read::decode;

/// Incarnation: epoch and refutations.
pub(crate) type Life = (u32, u32);

/// What a frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of docs/wire.md, by their names there")]
pub(crate) struct Content {
    pub(crate) sender: u64,
    pub(crate) life: Life,
    pub(crate) view_hash: u64,
    pub(crate) message: Option<Said>,
    pub(crate) updates: Vec<About>,
    pub(crate) rows: Vec<About>,
    pub(crate) who: bool,
    /// In *who*.
    pub(crate) cookie: Option<u64>,
    pub(crate) held: Vec<(u64, u32, u32)>,
    pub(crate) wanted: Vec<u64>,
    pub(crate) app: u32,
    /// id · epoch · version · last · floor
    pub(crate) summaries: Vec<(u64, u32, u32, u32, u32)>,
    pub(crate) states: Vec<Part>,
    pub(crate) rumors: Vec<Told>,
    /// origin · epoch · seq · known
    pub(crate) known: Vec<(u64, u32, u32, bool)>,
    pub(crate) proof: Option<u64>,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of docs/wire.md, by their names there")]
pub(crate) enum Said {
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
pub(crate) struct About {
    pub(crate) id: u64,
    pub(crate) life: Life,
    /// 0 alive, 1 suspect, 2 dead, 3 left.
    pub(crate) state: u8,
    /// Empty in all forms but *accused*.
    pub(crate) accusers: Vec<u64>,
    pub(crate) detail: Option<Written>,
}

/// A detail.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of docs/wire.md, by their names there")]
pub(crate) struct Written {
    pub(crate) at: Life,
    pub(crate) ip: Vec<u8>,
    pub(crate) port: u16,
    pub(crate) name: String,
    pub(crate) meta: Vec<u8>,
}

/// A part of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of docs/wire.md, by their names there")]
pub(crate) struct Part {
    pub(crate) id: u64,
    pub(crate) epoch: u32,
    pub(crate) version: u32,
    pub(crate) gc: u32,
    pub(crate) from: u32,
    pub(crate) upto: u32,
    pub(crate) entries: Vec<Write>,
}

/// An entry of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of docs/wire.md, by their names there")]
pub(crate) struct Write {
    pub(crate) version: u32,
    pub(crate) key: String,
    /// `None`: a tombstone.
    pub(crate) value: Option<Vec<u8>>,
    /// In milliseconds.
    pub(crate) left: Option<u64>,
}

/// A rumor.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of docs/wire.md, by their names there")]
pub(crate) struct Told {
    pub(crate) origin: u64,
    pub(crate) epoch: u32,
    pub(crate) seq: u32,
    pub(crate) lamport: u64,
    pub(crate) age: u64,
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
}
