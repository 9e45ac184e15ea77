//! What has to hold of one node after every input, whatever it was given. The numbers are those of the invariants in
//! `docs/fuzzing.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use swim_core::wire::{Frame, Message};
use swim_core::{Command, Event, Incarnation, Input, Instant, Node, NodeId, Profile, State, Stats, Status};

use crate::claims::Claims;
use crate::codec::content_of;

/// Rows that a push has at most, each in a datagram of its own, besides what an outbox holds.
const PUSHES: usize = 256;
/// How often all facts are counted.
const SELDOM: u64 = 64;
/// An answer to a stranger has at most so many times the size of what it answers.
const AMPLIFICATION: usize = 3;

#[derive(Clone, Debug)]
struct Row {
    status: Status,
    detail_at: Incarnation,
    addr: SocketAddr,
    profile: Profile,
}

/// What one input led to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turn {
    /// Where each datagram goes, and what it says.
    pub(crate) sent: Vec<(SocketAddr, Vec<u8>)>,
    /// What the node tells its embedder.
    pub(crate) events: Vec<Event>,
}

/// What is known of the node from outside.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    me: NodeId,
    my_addr: SocketAddr,
    mine: Status,
    rows: BTreeMap<NodeId, Row>,
    /// What its events add up to (I11).
    told: BTreeMap<NodeId, Status>,
    /// What somebody has said of members and of itself (I7).
    claims: Claims,
    /// The input answers a question of the node.
    answers: bool,
    /// When it took the next epoch last, by its own decision.
    next_epoch_at: Option<Instant>,
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
    pub(crate) fn cookie_for(&self, to: SocketAddr) -> Option<u64> {
        let frames = self.sent.iter().filter(|(sent_to, _)| *sent_to == to);
        frames.filter_map(|(_, bytes)| Frame::parse(bytes).ok()?.cookie).next()
    }
}

impl Watch {
    /// Of a node that has been given nothing yet, or whose former inputs are forgotten.
    pub(crate) fn new(node: &Node, now: Instant) -> Self {
        let me = node.me();
        let rows = rows_of(node);
        let mut claims = Claims::default();
        for (&id, row) in &rows {
            claims.ever(id, row.status);
            claims.ever(id, Status::alive(row.detail_at));
        }
        Self {
            me: me.id(),
            my_addr: me.addr(),
            mine: me.status(),
            told: rows.iter().map(|(&id, row)| (id, row.status)).collect(),
            claims,
            answers: false,
            next_epoch_at: None,
            places: rows.values().map(|row| row.addr).collect(),
            named: BTreeSet::new(),
            seeds: BTreeSet::new(),
            asked: BTreeSet::new(),
            anywhere: false,
            may_be_silent: node.has_left() || node.me().state() == State::Left,
            last: now,
            turns: 0,
            before: *node.stats(),
            rows,
        }
    }

    /// Of a node that has been given things of which nobody knows: seeds, and questions of others.
    pub(crate) fn of_restored(node: &Node, now: Instant) -> Self {
        Self { anywhere: true, ..Self::new(node, now) }
    }

    /// An input is about to be given.
    pub(crate) fn given(&mut self, now: Instant, input: &Input<'_>) {
        self.last = self.last.max(now);
        self.named.clear();
        self.claims.begin();
        self.answers = false;
        match *input {
            Input::Datagram { from, bytes } => self.heard(from, bytes),
            Input::Command(Command::Join(seeds) | Command::Seeds(seeds)) => self.seeds.extend(seeds),
            Input::Command(Command::Leave) => self.may_be_silent = true,
            _ => {}
        }
    }

    /// The latest time that it was given: its clock never goes back.
    pub(crate) fn latest(&self) -> Instant {
        self.last
    }

    fn heard(&mut self, from: SocketAddr, bytes: &[u8]) {
        let Ok(frame) = Frame::parse(bytes) else { return };
        // What comes of it goes to where it came from, later.
        if let Some(Message::PingReq { .. }) = frame.message {
            self.places.insert(from);
        }
        let nonce = frame.message.and_then(answered);
        self.answers = nonce.is_some_and(|nonce| self.asked.contains(&nonce));
        self.claims.hear(&frame);
        let details = frame.updates().chain(frame.rows()).filter_map(|item| item.detail());
        self.named.extend(details.map(|detail| detail.addr));
    }

    /// The input was given, and all that followed from it was taken. Returns the questions that it has asked, and whom.
    ///
    /// # Panics
    /// When something does not hold.
    pub(crate) fn check(
        &mut self,
        node: &Node,
        input: &Input<'_>,
        early: bool,
        turn: &Turn,
    ) -> Vec<(SocketAddr, Message)> {
        self.turns += 1;
        let rows = rows_of(node);
        self.places.extend(rows.values().map(|row| row.addr));
        self.check_me(node, input, turn);
        let questions = self.check_sent(node, input, turn);
        self.check_answer(input, &rows, turn);
        self.check_events(&rows, node, turn);
        self.check_time(node, input, early, turn);
        self.check_bounds(node, input);
        self.rows = rows;
        self.asked.extend(questions.iter().filter_map(|&(_, message)| asked(message)));
        self.before = *node.stats();
        questions
    }

    /// I1 and I7, about itself.
    fn check_me(&mut self, node: &Node, input: &Input<'_>, turn: &Turn) {
        let me = node.me();
        assert_eq!((me.id(), me.addr()), (self.me, self.my_addr), "it stays who and where it is");
        self.may_be_silent |= turn.events.iter().any(|event| matches!(event, Event::Conflict { parked: true, .. }));
        let fits = match me.state() {
            State::Alive => self.may_be_silent || !node.has_left(),
            State::Left => self.may_be_silent,
            State::Suspect | State::Dead => false,
        };
        assert!(fits, "I1: it holds itself for {:?}", me.status());
        let (was, is) = (self.mine.incarnation(), me.incarnation());
        assert!(is >= was, "I7: {was} fell to {is}");
        let bound = self.answers || self.anywhere;
        assert!(self.claims.may_raise_me(self.me, was, is, bound), "I7: {was} rose to {is}: {:?}", self.claims);
        // Behind the last refutation there is the next epoch, too.
        let is_own_choice = !bound && was.refutations() < Incarnation::MAX_REFUTATIONS / 2;
        if matches!(input, Input::Datagram { .. }) && is_own_choice && was.epoch() != is.epoch() {
            let apart = self.next_epoch_at.replace(self.last).map(|last| self.last.since(last));
            let seldom = apart.is_none_or(|apart| apart >= node.config().probe_interval);
            assert!(seldom, "I7: {was} is {is} after {apart:?}");
        }
        self.mine = me.status();
    }

    /// I15 and I17: every datagram is a frame of this node's own, not too large, and goes to whom it may go.
    /// Returns what of it are questions.
    fn check_sent(&self, node: &Node, input: &Input<'_>, turn: &Turn) -> Vec<(SocketAddr, Message)> {
        let mut questions = Vec::new();
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
            let question = frame.message.filter(|&message| asked(message).is_some());
            questions.extend(question.map(|message| (*to, message)));
        }
        questions
    }

    /// I14: a stranger gets one answer, of at most three times the size.
    fn check_answer(&self, input: &Input<'_>, rows: &BTreeMap<NodeId, Row>, turn: &Turn) {
        let Input::Datagram { from, bytes } = *input else { return };
        let known = |rows: &BTreeMap<NodeId, Row>| rows.values().any(|row| row.addr == from);
        if self.seeds.contains(&from) || known(rows) || known(&self.rows) || self.answers {
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
        let is_told =
            self.told.iter().map(|(&id, &status)| (id, status)).eq(rows.iter().map(|(&id, row)| (id, row.status)));
        assert!(
            is_told,
            "I11: the events add up to the table: {:?}, and not to {:?} and {rows:?}",
            turn.events, self.told
        );
        for (id, row) in rows {
            let forgotten = lagged || turn.events.contains(&Event::MemberForgotten { id: *id });
            let before = self.rows.get(id).filter(|_| !forgotten);
            let same = before.is_some_and(|before| before.status.incarnation() == row.status.incarnation());
            let heard = same || self.claims.is_said(*id, row.status.incarnation());
            assert!(heard, "I7: nobody has ever said {id} {row:?}");
            let Some(before) = before else { continue };
            let near = self.claims.may_raise(*id, before.status, row.status);
            assert!(near, "I7: too far ahead: {before:?} became {row:?}: {:?}", self.claims);
            check_updated(*id, before, row, turn);
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
    fn check_bounds(&self, node: &Node, input: &Input<'_>) {
        let stats = node.stats();
        let came = u64::from(matches!(input, Input::Datagram { .. }));
        assert_eq!(
            stats.datagrams_received,
            self.before.datagrams_received.saturating_add(came),
            "I24: all are counted"
        );
        assert_eq!(stats.datagrams_received, stats.datagrams_accepted + stats.dropped(), "I24");
        assert_eq!(node.check_bounds(), Ok(()), "I13");
        if self.turns % SELDOM == 0 {
            assert_eq!(node.check(), Ok(()));
        }
    }
}

/// I11: that a profile changed is told, and nothing else is.
fn check_updated(id: NodeId, before: &Row, row: &Row, turn: &Turn) {
    let told = turn.events.contains(&Event::MemberUpdated { id });
    assert!(told || row.profile == before.profile, "I11: nobody was told that {before:?} became {row:?}");
    assert!(
        !told || row.detail_at > before.detail_at,
        "I11: {id} has said nothing new, and {:?} was told",
        turn.events
    );
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
    let row = |m: &swim_core::Member<'_>| Row {
        status: m.status(),
        detail_at: m.detail_at(),
        addr: m.addr(),
        profile: m.profile().clone(),
    };
    rows.map(|m| (m.id(), row(&m))).collect()
}
