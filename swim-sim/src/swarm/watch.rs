//! What the world shows to the checkers: every input of every node, and everything that follows from it.
//!
//! Looking changes nothing: a run that is watched has the digest of one that is not, unless it is stopped by a violation.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use swim_core::wire::{Frame, Message};
use swim_core::{Event, Incarnation, Instant, Node, NodeId, Stats};
use swim_driver::{Pump, Recorder};

use crate::host::NodeIx;
use crate::network::Sent;
use crate::swarm::coverage::Coverage;
use crate::swarm::reader::Data;
use crate::swarm::replay::Lives;
use crate::swarm::sends::{Out, Sends};
use crate::swarm::shadow::{Checked, Shadow};
use crate::swarm::violation::{Checker, Violation};

/// The kinds of input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Given<'a> {
    /// The process has just been started.
    Start,
    Datagram {
        from: SocketAddr,
        bytes: &'a [u8],
    },
    Command,
    Timeout,
    SendBlocked,
    SendResumed,
}

/// One input, and what followed from it.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    pub(crate) kind: Kind,
    /// By the world's time, and by the node's clock.
    pub(crate) at: Instant,
    pub(crate) clock: Instant,
    /// The datagram, envelope included, when it was one, and its source.
    pub(crate) datagram: Vec<u8>,
    pub(crate) from: Option<SocketAddr>,
    /// The counters before it.
    pub(crate) before: Stats,
    pub(crate) events: Vec<Event>,
    /// Datagrams that were sent, the frame of the first of them, and the largest.
    pub(crate) sent: usize,
    pub(crate) first_frame: Vec<u8>,
    pub(crate) largest: usize,
    /// All of them: where to, and what for.
    pub(crate) out: Vec<Out>,
    /// The pings and ping-reqs that a time-out made it send.
    pub(crate) probes: Vec<(SocketAddr, Message)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    #[default]
    Start,
    Datagram,
    Command,
    Timeout,
    /// The socket takes nothing, or does again.
    Send,
}

/// All checkers that look at every step, and what they remember.
pub(crate) struct Watch {
    pub(crate) violation: Option<Violation>,
    pub(crate) coverage: Coverage,
    pub(crate) lives: Lives,
    /// What processes say and see.
    pub(crate) data: Data,
    /// The highest incarnation that any process of an id has taken.
    taken: BTreeMap<NodeId, Incarnation>,
    /// The lives that nobody may declare dead, by their epochs, and where they are.
    pub(crate) spared: BTreeMap<NodeId, (u32, SocketAddr)>,
    /// By node of the world; `None` where no process runs.
    shadows: Vec<Option<Shadow>>,
    /// By node of the world, over all processes there: one that is restored knows what its former self did.
    sends: Vec<Sends>,
    turn: Turn,
    header_len: usize,
}

impl Watch {
    pub(crate) fn new(lives: Lives, header_len: usize) -> Self {
        Self {
            violation: None,
            coverage: Coverage::default(),
            lives,
            data: Data::default(),
            taken: BTreeMap::new(),
            spared: BTreeMap::new(),
            shadows: Vec::new(),
            sends: Vec::new(),
            turn: Turn::default(),
            header_len,
        }
    }

    /// Keeps the first.
    pub(crate) fn report(&mut self, checker: Checker, node: Option<NodeIx>, at: Instant, text: String) {
        self.violation.get_or_insert(Violation { checker, node, at, text });
    }

    /// A process starts.
    pub(crate) fn begun(
        &mut self,
        ix: NodeIx,
        (at, clock): (Instant, Instant),
        recorder: Option<&Recorder>,
        node: &Node,
    ) {
        if self.shadows.len() <= ix.index() {
            self.shadows.resize_with(ix.index() + 1, || None);
            self.sends.resize_with(ix.index() + 1, Sends::default);
        }
        self.shadows[ix.index()] = Some(Shadow::new(node, clock));
        self.sends[ix.index()].begin(node);
        self.lives.begun(ix, recorder);
        self.data.begun(ix, node);
        self.given((at, clock), node, Given::Start);
    }

    /// A process has ended.
    pub(crate) fn ended(&mut self, ix: NodeIx, at: Instant, node: &Node) {
        if self.shadows.get_mut(ix.index()).and_then(Option::take).is_none() {
            return;
        }
        self.coverage.life(node.stats());
        if let Err((checker, text)) = self.lives.ended(ix, node) {
            self.report(checker, Some(ix), at, text);
        }
    }

    /// A process is about to be given this.
    pub(crate) fn given(&mut self, (at, clock): (Instant, Instant), node: &Node, given: Given<'_>) {
        let turn = &mut self.turn;
        (turn.at, turn.clock, turn.before) = (at, clock, *node.stats());
        turn.events.clear();
        turn.probes.clear();
        turn.out.clear();
        turn.from = None;
        turn.datagram.clear();
        (turn.sent, turn.largest) = (0, 0);
        turn.kind = match given {
            Given::Start => Kind::Start,
            Given::Datagram { from, bytes } => {
                turn.from = Some(from);
                turn.datagram.extend_from_slice(bytes);
                Kind::Datagram
            }
            Given::Command => Kind::Command,
            Given::Timeout => Kind::Timeout,
            Given::SendBlocked | Given::SendResumed => Kind::Send,
        };
    }

    /// It sends.
    pub(crate) fn sent(&mut self, sent: &Sent<'_>) {
        let turn = &mut self.turn;
        turn.sent += 1;
        turn.largest = turn.largest.max(sent.bytes.len());
        if turn.sent == 1 {
            turn.first_frame.clear();
            turn.first_frame.extend_from_slice(sent.frame());
        }
        let message = Frame::parse(sent.frame()).ok().and_then(|frame| frame.message);
        turn.out.push(Out { to: sent.to, len: sent.bytes.len(), message });
        if turn.kind == Kind::Timeout {
            if let Some(message @ (Message::Ping { .. } | Message::PingReq { .. })) = message {
                turn.probes.push((sent.to, message));
            }
        }
    }

    /// It is told to join through these.
    pub(crate) fn seeded(&mut self, ix: NodeIx, seeds: &[SocketAddr]) {
        if let Some(sends) = self.sends.get_mut(ix.index()) {
            sends.learn(seeds.iter().copied());
        }
    }

    /// It tells.
    pub(crate) fn told(&mut self, event: Event) {
        self.turn.events.push(event);
        self.coverage.event(&event);
    }

    /// It is done.
    pub(crate) fn settled(&mut self, ix: NodeIx, pump: &Pump) {
        let node = pump.node();
        let me = node.me();
        let taken = self.taken.entry(me.id()).or_insert(me.incarnation());
        *taken = (*taken).max(me.incarnation());
        let Some(Some(shadow)) = self.shadows.get_mut(ix.index()) else { return };
        let sends = &mut self.sends[ix.index()];
        let checked = shadow
            .check_turn(&self.turn, self.header_len, pump)
            .and_then(|()| sends.check(&self.turn, self.header_len, shadow, pump))
            .and_then(|()| shadow.check_table(&self.turn, node, &self.taken, &mut self.coverage))
            .and_then(|()| check_spared(&self.turn, node, &self.spared))
            .and_then(|()| self.data.settled(ix, &self.turn, pump));
        if let Err((checker, text)) = checked {
            self.report(checker, Some(ix), self.turn.at, text);
        }
    }

    /// The run is over: what still runs is counted, and the recording is played back.
    pub(crate) fn finish<'a>(&mut self, at: Instant, running: impl Iterator<Item = (NodeIx, &'a Node)>) {
        for (ix, node) in running {
            self.ended(ix, at, node);
        }
    }
}

/// Nobody who is spared may be declared dead by the node's own verdict. What others have said is not its own: a tombstone from
/// the chaos is told when a partition is found to be over, which may be late. Nor is it to know a life, or an address, that it
/// was not told of yet; who is looked for there does not answer.
fn check_spared(turn: &Turn, node: &Node, spared: &BTreeMap<NodeId, (u32, SocketAddr)>) -> Checked {
    for event in turn.events.iter().filter(|_| turn.kind == Kind::Timeout) {
        let Event::MemberDown { id, incarnation, left: false } = *event else { continue };
        let found = node.member(id).map(|row| (incarnation.epoch(), row.addr()));
        if found.is_some() && found == spared.get(&id).copied() {
            return Err((Checker::FalseVerdict, format!("{id} runs, and is declared dead at {incarnation:?}")));
        }
    }
    Ok(())
}
