//! What has to hold of one node after every input, whatever it was given. The numbers are those of the invariants in
//! `docs/fuzzing.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use swim_core::wire::{Frame, Message};
use swim_core::{Command, Event, Incarnation, Input, Instant, Node, NodeId, State, Stats, Status};

use crate::codec::content_of;

/// Rows that a push has at most, each in a datagram of its own, besides what an outbox holds.
const PUSHES: usize = 256;
/// How often all facts are counted.
const SELDOM: u64 = 64;
/// An answer to a stranger has at most so many times the size of what it answers.
const AMPLIFICATION: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    status: Status,
    detail_at: Incarnation,
    addr: SocketAddr,
}

/// What one input led to.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    /// Where each datagram goes, and what it says.
    pub sent: Vec<(SocketAddr, Vec<u8>)>,
    /// What the node tells its embedder.
    pub events: Vec<Event>,
}

/// What is known of the node from outside.
#[derive(Clone, Debug)]
pub struct Watch {
    me: NodeId,
    my_addr: SocketAddr,
    mine: Status,
    rows: BTreeMap<NodeId, Row>,
    /// What its events add up to (I11).
    told: BTreeMap<NodeId, Status>,
    /// Incarnations that somebody has spoken of (I7); `heard_of` those that may be anybody's.
    said: BTreeMap<NodeId, BTreeSet<Incarnation>>,
    heard_of: BTreeSet<Incarnation>,
    /// Where it may send to (I17), but for the source of the input.
    places: BTreeSet<SocketAddr>,
    /// Where the input says that members are: they may have been there for as long as it takes to read what it says next.
    named: BTreeSet<SocketAddr>,
    seeds: BTreeSet<SocketAddr>,
    /// Nonces of its questions: whoever knows one has got the question, and may be asked the next one, wherever it is.
    asked: BTreeSet<u32>,
    /// Nobody knows what it was given before, so it may send anywhere.
    anywhere: bool,
    /// A leave was asked for, or another process has its id.
    may_be_silent: bool,
    last: Instant,
    turns: u64,
    before: Stats,
}

impl Turn {
    /// The cookie that this address is to send back, to show that it is heard there.
    pub fn cookie_for(&self, to: SocketAddr) -> Option<u64> {
        let frames = self.sent.iter().filter(|(sent_to, _)| *sent_to == to);
        frames.filter_map(|(_, bytes)| Frame::parse(bytes).ok()?.cookie).next()
    }
}

impl Watch {
    /// Of a node that has been given nothing yet, or whose former inputs are forgotten.
    pub fn new(node: &Node, now: Instant) -> Self {
        let me = node.me();
        let rows = rows_of(node);
        let said = |(&id, row): (&NodeId, &Row)| (id, [row.status.incarnation(), row.detail_at].into());
        Self {
            me: me.id(),
            my_addr: me.addr(),
            mine: me.status(),
            told: rows.iter().map(|(&id, row)| (id, row.status)).collect(),
            said: rows.iter().map(said).collect(),
            heard_of: BTreeSet::new(),
            places: rows.values().map(|row| row.addr).collect(),
            named: BTreeSet::new(),
            seeds: BTreeSet::new(),
            asked: BTreeSet::new(),
            anywhere: false,
            may_be_silent: node.has_left(),
            last: now,
            turns: 0,
            before: *node.stats(),
            rows,
        }
    }

    /// Of a node that has been given things of which nobody knows: seeds, and questions of others.
    pub fn of_restored(node: &Node, now: Instant) -> Self {
        Self { anywhere: true, ..Self::new(node, now) }
    }

    /// An input is about to be given.
    pub fn given(&mut self, now: Instant, input: &Input<'_>) {
        self.last = self.last.max(now);
        self.named.clear();
        match *input {
            Input::Datagram { from, bytes } => self.heard(from, bytes),
            Input::Command(Command::Join(seeds) | Command::Seeds(seeds)) => self.seeds.extend(seeds),
            Input::Command(Command::Leave) => self.may_be_silent = true,
            _ => {}
        }
    }

    /// The latest time that it was given: its clock never goes back.
    pub fn latest(&self) -> Instant {
        self.last
    }

    fn heard(&mut self, from: SocketAddr, bytes: &[u8]) {
        let Ok(frame) = Frame::parse(bytes) else { return };
        match frame.message {
            // What comes of it goes to where it came from, later.
            Some(Message::PingReq { .. }) => _ = self.places.insert(from),
            Some(Message::RelayedAck { incarnation, .. }) => _ = self.heard_of.insert(incarnation),
            _ => {}
        }
        self.said.entry(frame.sender).or_default().insert(frame.incarnation);
        for item in frame.updates().chain(frame.rows()) {
            let said = self.said.entry(item.id).or_default();
            said.insert(item.status.incarnation());
            said.extend(item.detail().map(|detail| detail.at));
            self.named.extend(item.detail().map(|detail| detail.addr));
        }
    }

    /// The input was given, and all that followed from it was taken.
    ///
    /// # Panics
    /// When something does not hold.
    pub fn check(&mut self, node: &Node, input: &Input<'_>, early: bool, turn: &Turn) {
        self.turns += 1;
        let rows = rows_of(node);
        self.places.extend(rows.values().map(|row| row.addr));
        self.check_me(node, turn);
        self.check_sent(node, input, turn);
        self.check_answer(input, &rows, turn);
        self.check_events(&rows, node, turn);
        self.check_time(node, input, early, turn);
        self.check_bounds(node);
        self.rows = rows;
        let sent = turn.sent.iter().filter_map(|(_, bytes)| Frame::parse(bytes).ok()?.message);
        self.asked.extend(sent.filter_map(asked));
        self.before = *node.stats();
    }

    /// I1 and I7, about itself.
    fn check_me(&mut self, node: &Node, turn: &Turn) {
        let me = node.me();
        assert_eq!((me.id(), me.addr()), (self.me, self.my_addr), "it stays who and where it is");
        self.may_be_silent |= turn.events.iter().any(|event| matches!(event, Event::Conflict { parked: true, .. }));
        let fits = match me.state() {
            State::Alive => self.may_be_silent || !node.has_left(),
            State::Left => self.may_be_silent,
            State::Suspect | State::Dead => false,
        };
        assert!(fits, "I1: it holds itself for {:?}", me.status());
        assert!(me.status().incarnation() >= self.mine.incarnation(), "I7: {:?} fell to {me:?}", self.mine);
        let said = self.said.get(&self.me).and_then(|said| said.last()).copied().unwrap_or_default();
        let most = self.mine.incarnation().max(said).next_epoch().next();
        assert!(me.incarnation() <= most, "I7: {:?} rose to {me:?}, and {said:?} was said", self.mine);
        self.mine = me.status();
    }

    /// I15 and I17: every datagram is a frame of this node's own, not too large, and goes to whom it may go.
    fn check_sent(&self, node: &Node, input: &Input<'_>, turn: &Turn) {
        let source = if let Input::Datagram { from, .. } = input { Some(*from) } else { None };
        let config = node.config();
        let most = config.relays_max + config.seeds_max + config.gossip_fanout + config.indirect_probes + 80 + PUSHES;
        assert!(turn.sent.len() <= most, "I14: {} datagrams for one input", turn.sent.len());
        for (to, bytes) in &turn.sent {
            assert!(bytes.len() <= config.mtu, "I15: {} bytes, and the mtu is {}", bytes.len(), config.mtu);
            let frame = Frame::parse(bytes).expect("what is sent is a frame");
            assert_eq!((frame.sender, frame.incarnation), (self.me, self.mine.incarnation()), "in its own name");
            assert_ne!(*to, self.my_addr, "I17: never to itself");
            let places = [&self.places, &self.seeds, &self.named];
            let may = self.anywhere || source == Some(*to) || places.iter().any(|places| places.contains(to));
            assert!(may, "I17: {to} is no member, no seed, and not the source {source:?}: {:?}", frame.message);
        }
    }

    /// I14: a stranger gets one answer, of at most three times the size.
    fn check_answer(&self, input: &Input<'_>, rows: &BTreeMap<NodeId, Row>, turn: &Turn) {
        let Input::Datagram { from, bytes } = *input else { return };
        let known = |rows: &BTreeMap<NodeId, Row>| rows.values().any(|row| row.addr == from);
        let nonce = Frame::parse(bytes).ok().and_then(|frame| answered(frame.message?));
        let answers = nonce.is_some_and(|nonce| self.asked.contains(&nonce));
        if self.seeds.contains(&from) || known(rows) || known(&self.rows) || answers {
            return;
        }
        let answers: Vec<usize> = turn.sent.iter().filter(|(to, _)| *to == from).map(|(_, sent)| sent.len()).collect();
        let few = answers.len() <= 1 && answers.iter().sum::<usize>() <= AMPLIFICATION * bytes.len();
        let said = |bytes: &[u8]| Frame::parse(bytes).map(|frame| content_of(&frame));
        let sent: Vec<_> = turn.sent.iter().filter(|(to, _)| *to == from).map(|(_, sent)| said(sent)).collect();
        assert!(
            few,
            "I14: answers of {answers:?} bytes to {} of {from}: {:#?} to {:#?}",
            bytes.len(),
            sent,
            said(bytes)
        );
    }

    /// I2, I3, I5 and I11: what rows may become, and that the events tell just that.
    fn check_events(&mut self, rows: &BTreeMap<NodeId, Row>, node: &Node, turn: &Turn) {
        let mut lagged = false;
        for event in &turn.events {
            lagged |= matches!(event, Event::Lagged { .. });
            self.fold(event);
        }
        if lagged {
            self.told = rows.iter().map(|(&id, row)| (id, row.status)).collect();
        }
        let now: BTreeMap<NodeId, Status> = rows.iter().map(|(&id, row)| (id, row.status)).collect();
        assert_eq!(self.told, now, "I11: the events add up to the table: {:?}", turn.events);
        for (id, row) in rows {
            let forgotten = lagged || turn.events.contains(&Event::MemberForgotten { id: *id });
            let before = self.rows.get(id).filter(|_| !forgotten);
            let heard = |life| self.heard_of.contains(&life) || self.said.get(id).is_some_and(|s| s.contains(&life));
            let same = before.is_some_and(|before| before.status.incarnation() == row.status.incarnation());
            assert!(same || heard(row.status.incarnation()), "I7: nobody has ever said {id} {row:?}");
            let Some(before) = before else { continue };
            assert!(row.status >= before.status && row.detail_at >= before.detail_at, "I2: {before:?} became {row:?}");
            let told = turn.events.contains(&Event::MemberMoved { id: *id, from: before.addr });
            assert!(row.addr == before.addr || told, "I11: nobody was told that {before:?} became {row:?}");
        }
        let live = rows.values().filter(|row| row.status.is_live()).count();
        let alone = usize::from(self.mine.is_live());
        assert_eq!(live + alone, node.live_count(), "live rows are counted");
    }

    /// One event more: may it follow?
    fn fold(&mut self, event: &Event) {
        let (id, status) = match *event {
            Event::MemberUp { id, incarnation }
            | Event::MemberRefuted { id, incarnation }
            | Event::MemberRestarted { id, incarnation } => (id, Status::alive(incarnation)),
            Event::MemberSuspect { id, incarnation, .. } => (id, Status::new(incarnation, State::Suspect)),
            Event::MemberDown { id, incarnation, left } => {
                (id, Status::new(incarnation, if left { State::Left } else { State::Dead }))
            }
            Event::MemberForgotten { id } => {
                let told = self.told.remove(&id);
                return assert!(told.is_some_and(|told| !told.is_live()), "I5: {id} is forgotten, and was {told:?}");
            }
            _ => return,
        };
        let before = self.told.insert(id, status);
        assert!(before.is_none_or(|before| before < status), "I2: {id} was {before:?}, and {event:?}");
        let was_live = before.is_some_and(Status::is_live);
        let fits = match event {
            Event::MemberUp { .. } => !was_live,
            Event::MemberDown { .. } => before.is_some(),
            _ => was_live,
        };
        assert!(fits, "I5: {id} was {before:?}, and {event:?}");
        let life = before.map(Status::incarnation);
        // Whoever is gone comes back with a greater incarnation (I3).
        assert!(was_live || !status.is_live() || life.is_none_or(|life| life < status.incarnation()), "I3: {event:?}");
    }

    /// I12: the next deadline is ahead, and a time-out before it does nothing.
    fn check_time(&self, node: &Node, input: &Input<'_>, early: bool, turn: &Turn) {
        let due = node.poll_timeout();
        assert!(due.is_none_or(|due| due > self.last), "I12: {due:?} is due at {:?}", self.last);
        if early && *input == Input::Timeout {
            assert!(turn.sent.is_empty() && turn.events.is_empty(), "I12: nothing was due, and yet {turn:?}");
        }
    }

    /// I13 and I24.
    fn check_bounds(&self, node: &Node) {
        let (config, stats, rows) = (node.config(), node.stats(), node.members().len());
        assert_eq!(stats.datagrams_received, stats.datagrams_accepted + stats.dropped(), "I24");
        assert!(stats.datagrams_received >= self.before.datagrams_received);
        let bounds = [
            (rows, config.members_max, "rows"),
            (node.gossip_queued(), 2 * rows, "pieces of news"),
            (node.health() as usize, config.health_max as usize, "of health"),
            (node.states_queued(), rows, "states that are news"),
            (node.state_stored(), config.state_total, "bytes of states"),
            (node.rumors_kept(), config.rumors_max, "rumors"),
            (node.rumors_hot(), node.rumors_kept(), "hot rumors"),
        ];
        for (is, most, what) in bounds {
            assert!(is <= most, "I13: {is} {what}, of {most}");
        }
        if self.turns % SELDOM == 0 {
            let facts: usize = node.members().map(|member| node.why(member.id()).count()).sum();
            assert!(facts <= config.evidence_max, "I13: {facts} facts, of {}", config.evidence_max);
            assert_eq!(node.check(), Ok(()));
        }
    }
}

/// The nonce of the question that a message is.
pub(crate) fn asked(message: Message) -> Option<u32> {
    use Message::{Compare, Digest, Ping, PingReq, Pull};
    match message {
        Ping { nonce, .. } | PingReq { nonce, .. } | Pull { nonce } | Compare { nonce, .. } | Digest { nonce } => {
            Some(nonce)
        }
        _ => None,
    }
}

/// The nonce of the question that a message answers.
fn answered(message: Message) -> Option<u32> {
    use Message::{Ack, Delta, Differ, Page, RelayedAck};
    match message {
        Ack { nonce } | RelayedAck { nonce, .. } | Page { nonce, .. } | Differ { nonce } | Delta { nonce } => {
            Some(nonce)
        }
        _ => None,
    }
}

/// All rows but the node's own.
fn rows_of(node: &Node) -> BTreeMap<NodeId, Row> {
    let me = node.me().id();
    let rows = node.members().filter(|member| member.id() != me);
    rows.map(|m| (m.id(), Row { status: m.status(), detail_at: m.detail_at(), addr: m.addr() })).collect()
}
