//! What nodes send, in datagrams as the very writer of the wire makes them, and what they keep.

use serde::Serialize;
use swim_core::wire::{Detail, Item, Message, More, Writer};
use swim_core::{Incarnation, NodeId, State, Status};
use swim_driver::{Keyring, Plain};

use super::{Question, ms, six_digits};
use crate::NodeIx;

/// What one node sends while nothing happens, with 28 bytes of IPv4 and UDP header for each datagram. It receives as
/// much, less what is lost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Idle {
    /// Datagrams: a ping per period, an ack to another's, and what loss adds to that.
    pub datagrams_per_second: f64,
    /// Bytes.
    pub bytes_per_second: f64,
    /// Thousands of bits.
    pub kbit_per_second: f64,
}

/// What one node sends because one row changed, at most: as if each telling were a datagram of its own. Most of them
/// ride on probes, and news ends sooner when enough others show that they know it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Datagrams for one new status, a death say.
    pub datagrams_max: f64,
    /// Their bytes, headers included.
    pub bytes_max: f64,
    /// Datagrams for one crash: a suspicion, its K confirmations, and the death.
    pub crash_datagrams_max: f64,
    /// Their bytes.
    pub crash_bytes_max: f64,
    /// Datagrams per second while there is news: fan-out, or as many as there are others, per gossip interval.
    pub peak_datagrams_per_second: f64,
}

/// What a join costs, of a member without metadata and with a name of ten bytes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Join {
    /// Bytes that the joiner is sent as rows by its seed.
    pub rows_bytes: f64,
    /// Datagrams of rows.
    pub rows_datagrams: f64,
    /// Bytes that each other node sends at most to announce it.
    pub announced_bytes_max: f64,
    /// Seconds that one seed needs, at `sync_rate`, to answer all others if they join at once through it alone.
    pub all_at_once_seconds: f64,
}

/// Memory of one node that knows all others, in bytes of the heap: an estimate for 64-bit machines.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Memory {
    /// Whatever the cluster's size.
    pub base_bytes: f64,
    /// Each row, with name and without metadata.
    pub row_bytes: f64,
    /// All of it with so many nodes, or with as many of them as `members_max` lets in.
    pub bytes: f64,
    /// All of it when `members_max` rows are there.
    pub bytes_at_members_max: f64,
}

/// Heap of a node with its view, per row with a name of ten bytes: measured by `tests/plan_memory.rs`, which lays it beside
/// 2 to 4096 rows. Tables by hash grow by doubling, so it is some more or less from size to size.
const ROW_BYTES: usize = 240;
/// The same without any row: queues of events, facts, relays and suspicions, as the presets bound them, and buffers.
const BASE_BYTES: usize = 143_000;

const HEADERS: usize = 28;

pub(super) fn idle(question: &Question<'_>) -> Idle {
    let (config, q, k) = (question.config, question.q(), question.relays() as f64);
    // Relays are asked when no ack has come by then.
    let asks = 1.0 - question.arrives(2, config.probe_timeout);
    // A relay sends a nack when nothing has come by then, and what comes later is passed on all the same.
    let left = config.probe_interval.saturating_sub(config.probe_timeout);
    let nacks = 1.0 - question.arrives(2, config.probe_timeout.min(left) / 5 * 4);
    let (ping, ack) = (question.bytes(Some(ping()), &[]), question.bytes(Some(Message::Ack { nonce: 0 }), &[]));
    let ping_req = question.bytes(Some(Message::PingReq { target: ID, nonce: 0 }), &[]);
    let relayed = question.bytes(Some(Message::RelayedAck { nonce: 0, incarnation: LIFE }), &[]);
    let nack = question.bytes(Some(Message::Nack { nonce: 0 }), &[]);
    // How often each is sent per period, by whomever: ping, ack; then once more where that is wanted, and by k relays.
    let again = asks * (config.direct_probes.saturating_sub(1)) as f64;
    let sent = [
        (1.0 + again + asks * k * q, ping),
        (q + again * q + asks * k * q * q, ack),
        (asks * k, ping_req),
        (asks * k * q.powi(3), relayed),
        (asks * k * q * nacks, nack),
    ];
    let per_second = 1_000.0 / ms(config.probe_interval);
    let datagrams = sent.iter().map(|(times, _)| times).sum::<f64>() * per_second;
    let all = sent.iter().map(|(times, bytes)| times * *bytes as f64).sum::<f64>() * per_second;
    Idle {
        datagrams_per_second: six_digits(datagrams),
        bytes_per_second: six_digits(all),
        kbit_per_second: six_digits(all * 8.0 / 1_000.0),
    }
}

pub(super) fn change(question: &Question<'_>) -> Change {
    let config = question.config;
    let told = config.retransmit_limit(question.nodes) as f64;
    let one = told * question.bytes(None, &[status(State::Dead)]) as f64;
    // Three tellings of a suspicion have accusers, 8 bytes each.
    let confirmations = config.suspicion_confirmations.min(question.nodes.saturating_sub(2)) as f64;
    let tellings = confirmations + 2.0;
    let fan_out = config.gossip_fanout.min(question.nodes - 1) as f64;
    let accusers = (confirmations + 1.0) * (confirmations + 2.0) / 2.0 * 9.0;
    Change {
        datagrams_max: told,
        bytes_max: one,
        crash_datagrams_max: told * tellings,
        crash_bytes_max: one * tellings + told * accusers,
        peak_datagrams_per_second: six_digits(fan_out * 1_000.0 / ms(config.gossip_interval)),
    }
}

pub(super) fn join(question: &Question<'_>) -> Join {
    let config = question.config;
    let empty = question.bytes(None, &[]);
    let row = question.bytes(None, &[detail()]) - empty;
    let page = question.bytes(Some(Message::Page { nonce: 0, next: 0 }), &[]);
    let room = (config.mtu + HEADERS).saturating_sub(page).max(row);
    let rows = question.nodes as f64;
    let pages = (rows / (room / row) as f64).ceil();
    let all = rows * row as f64 + pages * page as f64;
    let told = config.retransmit_limit(question.nodes) as f64;
    Join {
        rows_bytes: all,
        rows_datagrams: pages,
        announced_bytes_max: told * (empty + row) as f64,
        // In the mean a joiner finds half of the others there.
        all_at_once_seconds: six_digits(all * rows / 2.0 / f64::from(config.sync_rate)),
    }
}

pub(super) fn memory(question: &Question<'_>) -> Memory {
    let all = |rows: usize| (BASE_BYTES + ROW_BYTES * rows) as f64;
    Memory {
        base_bytes: BASE_BYTES as f64,
        row_bytes: ROW_BYTES as f64,
        bytes: all(question.nodes.min(question.config.members_max)),
        bytes_at_members_max: all(question.config.members_max),
    }
}

impl Question<'_> {
    /// A datagram with this message and these updates, envelope and headers of IPv4 and UDP included.
    fn bytes(&self, message: Option<Message>, items: &[Item<'_>]) -> usize {
        let mut buf = [0; 1_024];
        let mut writer = Writer::new(&mut buf, ID, LIFE, 0).expect("a head fits");
        assert!(message.is_none_or(|message| writer.message(message)), "a message fits");
        if !items.is_empty() {
            assert!(writer.open_updates() && items.iter().all(|item| writer.item(item)), "an item fits");
            writer.close_section();
        }
        let envelope = if self.sealed { Keyring::ENVELOPE_LEN } else { Plain::LEN };
        envelope + writer.written() + HEADERS
    }
}

/// As real ones are: ids are hashes, epochs are seconds.
const ID: NodeId = NodeId::new(u64::MAX / 3);
const LIFE: Incarnation = Incarnation::new(1 << 30, 1);

const fn ping() -> Message {
    Message::Ping { target: ID, nonce: 0 }
}

fn status(state: State) -> Item<'static> {
    Item { id: ID, status: Status::new(LIFE, state), more: More::Status }
}

fn detail() -> Item<'static> {
    let detail = Detail { at: LIFE, addr: NodeIx::FIRST.addr(), name: "node-00001", meta: b"" };
    Item { more: More::Detail(detail), ..status(State::Alive) }
}
