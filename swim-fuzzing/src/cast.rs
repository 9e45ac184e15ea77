//! Who is there, and what they say: frames that are well-formed, by members and strangers, full of lies.

use std::net::SocketAddr;
use std::time::Duration;

use swim_core::wire::{
    Accusers, CHILDREN, Change, Detail, Digest, Item, KeyRange, Message, More, PAGE_END, StateEntry, StateHead,
    Summary, Writer,
};
use swim_core::{Incarnation, Node, NodeId, Rumor, RumorId, State, Status};

use crate::bytes::Bytes;

/// So many peers may become members; others are strangers.
pub(crate) const PEERS: usize = 12;

/// The epoch in which all begin.
pub(crate) const EPOCH: u32 = 0x6920_0000;

/// Messages whose byte is this or more ask for a proof, in answer to nothing.
const PROVES: u8 = 247;

/// The number of the node that is played to.
pub(crate) const ME: usize = 0;

/// The id of the one with this number.
pub(crate) fn id(n: usize) -> NodeId {
    NodeId::new(1_000 + n as u64)
}

/// Where it is.
pub(crate) fn addr(n: usize) -> SocketAddr {
    ([10, 1, (n >> 8) as u8, n as u8], 7_946).into()
}

/// Whom the speaker speaks to, and what it has been asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Speaker<'n> {
    /// The listener.
    pub(crate) node: &'n Node,
    /// Nonces that it has used of late.
    pub(crate) nonces: &'n [u32],
}

impl Speaker<'_> {
    /// A frame of anything, by this sender; `message` where it is an answer.
    pub(crate) fn frame(&self, b: &mut Bytes<'_>, sender: NodeId, message: Option<Message>) -> Vec<u8> {
        let life = self.life(b, sender);
        let view = if b.flag() { self.node.view_hash() } else { b.u64() };
        let what = b.u16();
        let on = |bit: u16| what >> bit & 1 == 1;
        let mut buf = vec![0; 6_000];
        let mut w = Writer::new(&mut buf, sender, life, view).expect("a head fits into 6000 bytes");
        match message {
            Some(message) => self.put_message(b, &mut w, message),
            None if on(0) => {
                let message = self.message(b);
                self.put_message(b, &mut w, message);
            }
            None => {}
        }
        if on(1) && w.open_updates() {
            (0..=b.below(4)).for_each(|_| self.item(b, &mut w, None));
            w.close_section();
        }
        if on(2) && w.open_rows() {
            // The first is most often the sender's own, with which it introduces itself.
            let first = if b.below(4) > 0 { Some(sender) } else { None };
            self.item(b, &mut w, first);
            (0..b.below(4)).for_each(|_| self.item(b, &mut w, None));
            w.close_section();
        }
        if on(3) {
            w.ask_who(Some(b.u64()).filter(|cookie| cookie % 4 > 0));
        }
        if on(4) {
            w.held((0..b.below(4)).map(|_| (self.who(b), b.u32(), b.u32())).collect::<Vec<_>>().into_iter());
        }
        if on(5) {
            w.wanted((0..b.below(4)).map(|_| self.who(b)).collect::<Vec<_>>().into_iter());
        }
        if on(6) {
            w.app_hash(if b.flag() { self.node.app_hash() } else { b.u32() });
        }
        self.app_sections(b, &mut w, what);
        let written = w.written();
        buf.truncate(written);
        if on(11) {
            let skipped = b.some(64);
            buf.extend_from_slice(&[255, skipped.len() as u8]);
            buf.extend_from_slice(skipped);
        }
        buf
    }

    /// The sender's own row, with what it was asked to send back, perhaps in a pull.
    pub(crate) fn introduction(&self, b: &mut Bytes<'_>, sender: NodeId, cookie: u64) -> Vec<u8> {
        let mut buf = vec![0; 1_400];
        let mut w = Writer::new(&mut buf, sender, self.life(b, sender), 0).expect("a head fits into 1400 bytes");
        let form = b.u8();
        if form & 1 == 1 {
            w.message(Message::Pull { nonce: b.u32() });
        }
        if w.open_rows() {
            self.item(b, &mut w, Some(sender));
            w.close_section();
        }
        // One in eight has it wrong.
        w.proof(if form >> 5 == 7 { cookie ^ (1 << (form & 31)) } else { cookie });
        let written = w.written();
        buf.truncate(written);
        buf
    }

    /// Somebody: the listener, one of the peers, one of its rows, or anybody.
    pub(crate) fn who(&self, b: &mut Bytes<'_>) -> NodeId {
        match b.below(32) {
            0 | 1 => self.node.me().id(),
            2 => NodeId::new(b.u64()),
            3..=6 => {
                let rows = self.node.members();
                let at = b.below(rows.len());
                rows.into_iter().nth(at).map_or(id(1), |row| row.id())
            }
            n => id(1 + n % PEERS),
        }
    }

    /// An incarnation near to the one that is known, or at an end, or any.
    fn life(&self, b: &mut Bytes<'_>, of: NodeId) -> Incarnation {
        let known = self.node.member(of).map_or(Incarnation::new(EPOCH, 0), |row| row.incarnation());
        match b.below(32) {
            0 => known.next_epoch(),
            1 => known.next(),
            2 => Incarnation::new(known.epoch(), known.refutations().saturating_add(b.u8().into())),
            3 => Incarnation::new(known.epoch().wrapping_sub(1), b.u8().into()),
            4 => Incarnation::new(u32::MAX, Incarnation::MAX_REFUTATIONS - u32::from(b.u16() & 0x7ff)),
            5 => Incarnation::new(known.epoch(), Incarnation::MAX_REFUTATIONS - u32::from(b.u8())),
            6 => Incarnation::new(b.number() as u32, b.number() as u32),
            _ => known,
        }
    }

    fn nonce(&self, b: &mut Bytes<'_>) -> u32 {
        match b.u8() {
            n @ 0..=191 if !self.nonces.is_empty() => self.nonces[usize::from(n) % self.nonces.len()],
            _ => b.u32(),
        }
    }

    fn message(&self, b: &mut Bytes<'_>) -> Message {
        let (kind, nonce) = (b.u8(), self.nonce(b));
        match kind % 13 {
            _ if kind >= PROVES => Message::Prove { nonce },
            0 => Message::Ping { target: self.who(b), nonce },
            1 => Message::Ack { nonce },
            2 => Message::PingReq { target: self.who(b), nonce },
            3 => {
                let of = self.who(b);
                Message::RelayedAck { nonce, incarnation: self.life(b, of) }
            }
            4 => Message::Nack { nonce },
            5 => Message::NotMe { nonce },
            6 => Message::Pull { nonce },
            7 => Message::Page { nonce, next: b.pick(&[0, PAGE_END, 1 << 20, PAGE_END - 1]) },
            8 => Message::Compare { nonce, level: b.below(5) as u8 },
            9 => Message::Differ { nonce },
            10 => Message::Push,
            11 => Message::Digest { nonce },
            _ => Message::Delta { nonce },
        }
    }

    fn put_message(&self, b: &mut Bytes<'_>, w: &mut Writer<'_>, message: Message) {
        match message {
            Message::Pull { nonce } if b.flag() => {
                let from = (b.u32() % PAGE_END).min(PAGE_END - 2);
                let middle = from + 1 + b.u32() % (PAGE_END - from - 1);
                let second = Some(KeyRange { from: middle.saturating_add(9).min(PAGE_END - 1), to: PAGE_END });
                let ranges = [KeyRange { from, to: middle }].into_iter();
                w.pull(nonce, ranges.chain(second.filter(|r| r.from > middle)));
            }
            Message::Compare { nonce, level } => {
                let end = 64_u32.pow(level.into());
                let mut prefixes: Vec<u32> = (0..=b.below(3)).map(|_| b.u32() % end).collect();
                prefixes.sort_unstable();
                prefixes.dedup();
                let nodes: Vec<_> = prefixes.into_iter().map(|prefix| (prefix, [b.u32() & 1; CHILDREN])).collect();
                w.compare(nonce, level, nodes.into_iter());
            }
            Message::Differ { nonce } => {
                let bitmaps: Vec<u64> =
                    (0..=b.below(9)).map(|_| if b.flag() { u64::MAX } else { b.number() }).collect();
                w.differ(nonce, bitmaps.into_iter());
            }
            Message::Digest { nonce } => {
                let digests: Vec<Digest> = (0..=b.below(4)).map(|_| self.digest(b)).collect();
                w.digest(nonce, digests.into_iter());
            }
            message => _ = w.message(message),
        }
    }

    fn item(&self, b: &mut Bytes<'_>, w: &mut Writer<'_>, own: Option<NodeId>) {
        let about = own.unwrap_or_else(|| self.who(b));
        let life = self.life(b, about);
        let state = if own.is_some() {
            State::Alive
        } else {
            b.pick(&[State::Alive, State::Suspect, State::Dead, State::Left])
        };
        let form = if own.is_some() { 2 } else { b.below(4) };
        let (name, meta) = if form == 2 { (b.text(40), b.some(60)) } else { (String::new(), &[][..]) };
        let accusers: Vec<NodeId> =
            if form == 1 { (0..=b.below(4)).map(|_| self.who(b)).collect() } else { Vec::new() };
        let more = match form {
            1 if state == State::Suspect => Accusers::new(&accusers).map_or(More::Status, More::Accused),
            2 => {
                let at = if b.below(4) == 0 { Incarnation::new(life.epoch(), 0) } else { life };
                More::Detail(Detail { at, addr: self.place(b, about), name: &name, meta })
            }
            _ => More::Status,
        };
        w.item(&Item { id: about, status: Status::new(life, state), more });
    }

    /// Where it says that it is: most often where it is.
    fn place(&self, b: &mut Bytes<'_>, of: NodeId) -> SocketAddr {
        match b.below(8) {
            0 => addr(b.below(20)),
            1 => ([0x2001_u16, 0xdb8, 0, 0, 0, 0, 0, u16::from(b.u8())], 1 + b.u16() % 9).into(),
            _ => addr((of.as_u64().wrapping_sub(1_000) % 256) as usize),
        }
    }

    fn digest(&self, b: &mut Bytes<'_>) -> Digest {
        let id = self.who(b);
        let epoch = self.life(b, id).epoch();
        let [version, gc, floor] = [(); 3].map(|()| b.number() as u32);
        Digest { id, epoch, version, gc, floor, seen: b.number() }
    }

    fn app_sections(&self, b: &mut Bytes<'_>, w: &mut Writer<'_>, what: u16) {
        let on = |bit: u16| what >> bit & 1 == 1;
        if on(7) {
            let all: Vec<Summary> = (0..=b.below(4)).map(|_| self.summary(b)).collect();
            w.summaries(all.into_iter());
        }
        if on(8) && w.open_states() {
            (0..=b.below(3)).for_each(|_| self.state(b, w));
            w.close_section();
        }
        if on(9) && w.open_rumors() {
            (0..=b.below(4)).for_each(|_| self.rumor(b, w));
            w.close_section();
        }
        if on(10) {
            let all: Vec<(RumorId, bool)> = (0..=b.below(4)).map(|_| (self.rumor_id(b), b.flag())).collect();
            w.known(all.into_iter());
        }
    }

    fn summary(&self, b: &mut Bytes<'_>) -> Summary {
        let id = self.who(b);
        let epoch = self.life(b, id).epoch();
        let (version, last) = (b.number() as u32, b.number() as u32);
        Summary { id, epoch, version, last, floor: last.min(b.number() as u32) }
    }

    fn state(&self, b: &mut Bytes<'_>, w: &mut Writer<'_>) {
        let id = self.who(b);
        let epoch = self.life(b, id).epoch();
        let known = self.node.state_version(id);
        let from = if b.below(4) > 0 { known } else { b.number() as u32 };
        let mut changes = Vec::new();
        let mut version = from;
        for _ in 0..b.below(6) {
            let step = if b.below(8) > 0 { 1 } else { 1 + u32::from(b.u16()) };
            let Some(next) = version.checked_add(step) else { break };
            version = next;
            let key = b.pick(&["a", "b", "c", "node/role", "key"]);
            changes.push((version, key, b.below(3), b.some(40), b.number() & 0x3_ffff_ffff));
        }
        let entries = changes.iter().map(|&(version, key, form, value, ttl_ms)| {
            let change = match form {
                0 => Change::Put { value, ttl_ms: None },
                1 => Change::Put { value, ttl_ms: Some(ttl_ms) },
                _ => Change::Delete { ttl_ms },
            };
            StateEntry { version, key, change }
        });
        let version = if b.below(4) > 0 { version } else { version.saturating_add(b.u8().into()) };
        let gc = if b.below(4) > 0 { 0 } else { version.min(b.number() as u32) };
        let most = if b.flag() { usize::MAX } else { 50 };
        w.state(&StateHead { id, epoch, version, gc, from }, most, entries);
    }

    fn rumor_id(&self, b: &mut Bytes<'_>) -> RumorId {
        let origin = self.who(b);
        let epoch = self.life(b, origin).epoch();
        let seq = if b.below(4) > 0 { u32::from(b.u8()) } else { b.number() as u32 };
        RumorId { origin, epoch, seq: seq.max(1) }
    }

    fn rumor(&self, b: &mut Bytes<'_>, w: &mut Writer<'_>) {
        let (id, lamport, topic) = (self.rumor_id(b), b.number(), b.text(12));
        let age = Duration::from_millis(b.number() & 0x3_ffff_ffff);
        w.rumor(&Rumor { id, lamport, age, topic: &topic, payload: b.some(64) });
    }
}
