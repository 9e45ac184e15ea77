//! Failure detection: the probe cycle of SWIM §4.1 with Lifeguard's nacks, and relaying for others.
//!
//! > period T′: ping one member; after the time-out ask k members to ping it; if no ack has come when the period is
//! > over, it has failed.
//!
//! Every probe is bound to (id, incarnation, nonce, address): an ack for anything else is not an ack. At or after the full
//! deadline an ack is too late, even when it is handled before the timer. Relays are asked by member id; they sit at
//! distinct addresses, none of them mine or the target's.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used, clippy::expect_used)]

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::cx::Cx;
use crate::identity::Addr;
use crate::members::{Members, ensure};
use crate::mutation::Mutation;
use crate::outbox::{Hint, Intent, What};
use crate::stats::count;
use crate::status::{Incarnation, NodeId, State, Status};
use crate::storage::{NONE, Ring};
use crate::time::Instant;
use crate::wire::Message;

/// One probe under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Probe {
    /// Where the target's row was when it was probed: not written, and no more than where to look first.
    #[serde(skip, default = "nowhere")]
    slot: u32,
    id: NodeId,
    incarnation: Incarnation,
    addr: Addr,
    nonce: u32,
    sent: Instant,
    /// When relays are asked; `NEVER` once they have been.
    ask_at: Instant,
    deadline: Instant,
}

/// A relay that was asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Seat {
    id: NodeId,
    addr: Addr,
    said: Said,
}

/// What a relay has said of its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Said {
    Nothing,
    /// That it has not asked it: no more than that the relay is there.
    Refusal,
    /// That it has asked, and heard nothing yet.
    Silence,
}

/// An indirect probe that this node runs for somebody else.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Relay {
    /// Where the request came from: the answer goes there.
    requester: Addr,
    requester_nonce: u32,
    /// Most bytes of an answer to the requester.
    room: u16,
    peer: u32,
    target: NodeId,
    target_addr: Addr,
    nonce: u32,
    /// When the requester is told that nothing was heard; `NEVER` once it was told, or got its ack.
    nack_at: Instant,
    drop_at: Instant,
}

/// Who is to be probed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) slot: u32,
    pub(crate) id: NodeId,
    pub(crate) incarnation: Incarnation,
    pub(crate) addr: Addr,
}

/// Who asks for an indirect probe, and how it may be answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Requester {
    pub(crate) addr: Addr,
    pub(crate) nonce: u32,
    pub(crate) room: u16,
    pub(crate) peer: u32,
}

/// How a probe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) id: NodeId,
    /// Suspect, at the incarnation that was probed.
    pub(crate) suspect: Status,
    /// What local health loses: relays that stayed silent, too, or 1 when none could be asked.
    pub(crate) penalty: u32,
    pub(crate) nonce: u32,
    pub(crate) sent: Instant,
    pub(crate) deadline: Instant,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Detect {
    /// When the next period begins; `NEVER` while nobody is there to probe.
    next: Instant,
    probe: Option<Probe>,
    seats: Vec<Seat>,
    relays: Ring<Relay>,
}

impl Detect {
    pub(crate) fn new(indirect_probes: usize, relays_max: usize) -> Self {
        Self {
            next: Instant::NEVER,
            probe: None,
            seats: Vec::with_capacity(indirect_probes),
            relays: Ring::new(relays_max),
        }
    }

    /// When the next period begins.
    pub(crate) fn period_at(&self) -> Instant {
        self.next
    }

    /// When relays must be asked.
    pub(crate) fn ask_at(&self) -> Instant {
        self.probe.as_ref().map_or(Instant::NEVER, |p| p.ask_at)
    }

    /// Is a probe under way, still without an answer?
    pub(crate) fn is_waiting(&self) -> bool {
        self.probe.is_some()
    }

    /// Where the row of the probe's target is likely to be: an ack is nearly always its.
    #[inline]
    pub(crate) fn target_slot(&self) -> u32 {
        self.probe.as_ref().map_or(NONE, |p| p.slot)
    }

    /// When something is due for a relayed probe.
    pub(crate) fn relay_at(&self) -> Instant {
        // Mostly there are none.
        if self.relays.is_empty() {
            return Instant::NEVER;
        }
        self.relays.iter().map(|r| r.nack_at.min(r.drop_at)).min().unwrap_or(Instant::NEVER)
    }

    /// Somebody is there: the first period begins at a random phase, so that nodes started together do not probe in step.
    pub(crate) fn wake(&mut self, cx: &mut Cx) {
        if self.next == Instant::NEVER {
            self.next = cx.now.plus_micros(cx.rng.below(cx.pace.probe_interval).saturating_add(1));
        }
    }

    /// Begins a period: pings the target, or rests when nobody is there.
    pub(crate) fn start(&mut self, target: Option<Target>, factor: u64, cx: &mut Cx) {
        debug_assert!(self.probe.is_none(), "the last period has been concluded");
        let Some(t) = target else {
            self.next = Instant::NEVER;
            return;
        };
        let interval = cx.pace.probe_interval.saturating_mul(factor);
        let nonce = cx.rng.next_u32();
        self.seats.clear();
        self.next = cx.now.plus_micros(interval);
        self.probe = Some(Probe {
            slot: t.slot,
            id: t.id,
            incarnation: t.incarnation,
            addr: t.addr,
            nonce,
            sent: cx.now,
            ask_at: cx.now.plus_micros(cx.pace.probe_timeout.saturating_mul(factor)),
            deadline: self.next,
        });
        count(&mut cx.stats.probes);
        // A row that names my own address is somebody's former address; its probe runs, and fails, without a datagram.
        if t.addr != cx.my_addr {
            let ping = What::Message(Message::Ping { target: t.id, nonce });
            cx.send(Intent::to_member(t.addr, t.slot, ping));
        }
    }

    /// The period is over: has its probe failed?
    ///
    /// Not when this node itself comes too late to say: what was answered in time may wait unread.
    pub(crate) fn conclude(&mut self, cx: &mut Cx) -> Option<Failure> {
        let p = self.probe.take()?;
        if cx.config.pause_guard && cx.now.micros_since(p.deadline) > cx.pace.probe_timeout / 2 {
            count(&mut cx.stats.stalls);
            return None;
        }
        count(&mut cx.stats.probes_failed);
        let silent = self.seats.iter().filter(|s| s.said == Said::Nothing).count() as u32;
        let penalty = if self.seats.is_empty() { 1 } else { silent };
        let suspect = Status::new(p.incarnation, State::Suspect);
        Some(Failure { id: p.id, suspect, penalty, nonce: p.nonce, sent: p.sent, deadline: p.deadline })
    }

    /// The relays that were asked in the last probe, and whether each has said that it is there.
    pub(crate) fn relays_asked(&self) -> impl ExactSizeIterator<Item = (NodeId, bool)> {
        self.seats.iter().map(|s| (s.id, s.said != Said::Nothing))
    }

    /// Has a relay found the target of the last probe silent, too? Then so it is, and this node hears.
    pub(crate) fn is_silence_confirmed(&self) -> bool {
        self.seats.iter().any(|s| s.said == Said::Silence)
    }

    /// Forgets the probe under way without a verdict: this node was asleep, or its target is gone. The next period
    /// begins when it would have.
    pub(crate) fn abandon(&mut self) {
        self.probe = None;
    }

    /// This node leaves: nothing is probed or relayed any more, and a return begins with a phase of its own.
    pub(crate) fn stop(&mut self) {
        self.abandon();
        self.relays.clear();
        self.next = Instant::NEVER;
    }

    /// The member is no longer live, or somebody new under the same id.
    pub(crate) fn on_member_gone(&mut self, id: NodeId) {
        if self.probe.as_ref().is_some_and(|p| p.id == id) {
            self.abandon();
        }
    }

    /// No direct ack in time: asks k members at distinct addresses, and the target once more. One lost datagram is more
    /// likely than a death, and what comes of the second ping is seen as soon as what comes of the relays.
    pub(crate) fn ask_relays(&mut self, members: &Members, cx: &mut Cx) {
        let Some(p) = &mut self.probe else { return };
        if cx.now >= p.deadline && cx.config.pause_guard {
            // This node was held up past both: whatever was answered meanwhile waits unread.
            count(&mut cx.stats.stalls);
            return self.abandon();
        }
        p.ask_at = Instant::NEVER;
        let (theirs, target, nonce) = (p.addr, p.id, p.nonce);
        let again = cx.config.direct_probes > 1;
        if let Some(slot) = members.find(target).filter(|&s| again && members[s].addr == theirs) {
            cx.send(Intent::to_member(theirs, slot, What::Message(Message::Ping { target, nonce })));
        }
        let picks = members.pick(&mut cx.rng, cx.config.indirect_probes, |r| {
            !cx.config.mutant(Mutation::RelaysThroughTarget) && (r.addr == theirs || r.id == target)
        });
        for &slot in &picks {
            let row = &members[slot];
            let ask = What::Message(Message::PingReq { target, nonce });
            if cx.try_send(Intent::to_member(row.addr, slot, ask)) {
                self.seats.push(Seat { id: row.id, addr: row.addr, said: Said::Nothing });
                count(&mut cx.stats.ping_reqs_sent);
            }
        }
    }

    /// Is this the ack that the probe waits for?
    pub(crate) fn is_ack(&self, from: Addr, sender: NodeId, incarnation: Incarnation, nonce: u32, cx: &Cx) -> bool {
        self.probe.as_ref().is_some_and(|p| {
            (p.nonce == nonce || cx.mutant(Mutation::AckWithoutNonce))
                && p.id == sender
                && p.addr == from
                && p.incarnation.epoch() == incarnation.epoch()
                && (cx.now < p.deadline || cx.mutant(Mutation::LateAckCounts))
        })
    }

    /// Is this a relay's word that the target has answered?
    pub(crate) fn is_relayed_ack(&self, from: Addr, sender: NodeId, target: Incarnation, nonce: u32, cx: &Cx) -> bool {
        self.probe.as_ref().is_some_and(|p| {
            p.nonce == nonce
                && p.incarnation.epoch() == target.epoch()
                && cx.now < p.deadline
                && self.seat(from, sender).is_some()
        })
    }

    fn seat(&self, from: Addr, sender: NodeId) -> Option<usize> {
        self.seats.iter().position(|s| s.id == sender && s.addr == from)
    }

    /// The probe under way is answered.
    pub(crate) fn succeed(&mut self, cx: &mut Cx) {
        self.probe = None;
        count(&mut cx.stats.probes_acked);
    }

    /// Somebody else answers at an address from here: whose was probed there, for this node or for another?
    pub(crate) fn asked_at(&self, from: Addr, nonce: u32) -> Option<NodeId> {
        let mine = self.probe.as_ref().filter(|p| p.nonce == nonce && p.addr == from).map(|p| p.id);
        let relayed = || self.relays.iter().find(|r| r.nonce == nonce && r.target_addr == from).map(|r| r.target);
        mine.or_else(relayed)
    }

    /// A relay heard nothing from the target, but is there: it does not speak against this node. One per relay.
    pub(crate) fn on_nack(&mut self, from: Addr, sender: NodeId, nonce: u32, cx: &mut Cx) {
        if !self.on_said(Said::Silence, from, sender, nonce, cx) {
            count(&mut cx.stats.stray_acks);
        }
    }

    /// A relay has not asked the target, but is there. Tells whether one of mine says so.
    pub(crate) fn on_refusal(&mut self, from: Addr, sender: NodeId, nonce: u32, cx: &Cx) -> bool {
        self.on_said(Said::Refusal, from, sender, nonce, cx)
    }

    fn on_said(&mut self, said: Said, from: Addr, sender: NodeId, nonce: u32, cx: &Cx) -> bool {
        let current = self.probe.as_ref().is_some_and(|p| p.nonce == nonce && cx.now < p.deadline);
        let seat = self.seat(from, sender).and_then(|i| self.seats.get_mut(i));
        let Some(seat) = seat.filter(|seat| current && seat.said == Said::Nothing) else { return false };
        seat.said = said;
        true
    }

    /// Sending to this address failed at once. If it was the ping, there is no point in waiting for its ack.
    pub(crate) fn on_send_failed(&mut self, to: Addr, cx: &Cx) {
        if let Some(p) = &mut self.probe {
            if p.addr == to && p.ask_at != Instant::NEVER {
                p.ask_at = cx.now;
            }
        }
    }

    /// Pings the target for somebody else, or says at once that it cannot. `target` is `None` when it is not a live
    /// member.
    pub(crate) fn on_ping_req(&mut self, requester: Requester, target: Option<Target>, cx: &mut Cx) {
        let nonce = cx.rng.next_u32();
        // Four fifths of the time-out (Lifeguard §III-A), or of what is left of the requester's period after its own
        // time-out if that is shorter: the nack must be there before the requester's deadline.
        let patience = cx.pace.probe_timeout.min(cx.pace.probe_interval.saturating_sub(cx.pace.probe_timeout));
        let nack_at = cx.now.plus_micros((patience / 5).saturating_mul(4));
        let drop_at = cx.now.plus_micros(cx.pace.probe_interval);
        let accepted = target.filter(|t| t.addr != cx.my_addr).is_some_and(|t| {
            let relay = Relay {
                requester: requester.addr,
                requester_nonce: requester.nonce,
                room: requester.room,
                peer: requester.peer,
                target: t.id,
                target_addr: t.addr,
                nonce,
                nack_at,
                drop_at,
            };
            self.relays.push(relay).is_ok()
        });
        match target {
            Some(t) if accepted => {
                count(&mut cx.stats.relayed);
                let ping = What::Message(Message::Ping { target: t.id, nonce });
                cx.send(Intent::to_member(t.addr, t.slot, ping));
            }
            _ => {
                // Not a nack: nobody has been asked, so nobody was silent.
                count(&mut cx.stats.relays_refused);
                answer(requester, Message::NotMe { nonce: requester.nonce }, cx);
            }
        }
    }

    /// Is this the ack to a relayed ping? Then it is passed on, to where the request came from.
    pub(crate) fn on_relay_ack(
        &mut self,
        from: Addr,
        sender: NodeId,
        incarnation: Incarnation,
        nonce: u32,
        cx: &mut Cx,
    ) -> bool {
        let hit =
            |r: &&mut Relay| r.nonce == nonce && r.target == sender && r.target_addr == from && r.drop_at > cx.now;
        let Some(r) = self.relays.iter_mut().find(hit) else { return false };
        let requester = Requester { addr: r.requester, nonce: r.requester_nonce, room: r.room, peer: r.peer };
        // Passed on once: the entry is over, and goes when it comes to the front.
        (r.nack_at, r.drop_at) = (Instant::NEVER, cx.now);
        answer(requester, Message::RelayedAck { nonce: requester.nonce, incarnation }, cx);
        true
    }

    /// Tells requesters that nothing was heard, and drops what is over.
    pub(crate) fn on_relay_due(&mut self, cx: &mut Cx) {
        let now = cx.now;
        for r in self.relays.iter_mut().filter(|r| r.nack_at <= now) {
            r.nack_at = Instant::NEVER;
            let requester = Requester { addr: r.requester, nonce: r.requester_nonce, room: r.room, peer: r.peer };
            answer(requester, Message::Nack { nonce: r.requester_nonce }, cx);
        }
        while self.relays.front().is_some_and(|r| r.drop_at <= cx.now) {
            self.relays.pop();
        }
        // What is over but not yet at the front must not be due again before the front is.
        let front = self.relays.front().map_or(Instant::NEVER, |r| r.drop_at);
        for r in self.relays.iter_mut().filter(|r| r.drop_at <= cx.now) {
            r.drop_at = front;
        }
    }

    /// A slot is about to be reused: answers to its former holder go out bare.
    pub(crate) fn on_slot_freed(&mut self, slot: u32) {
        for r in self.relays.iter_mut().filter(|r| r.peer == slot) {
            r.peer = NONE;
        }
    }

    /// Takes the room again that a restored copy lacks.
    pub(crate) fn reserve(&mut self, indirect_probes: usize) {
        self.seats.reserve_exact(indirect_probes.saturating_sub(self.seats.len()));
        self.relays.reserve();
    }

    /// Invariants.
    pub(crate) fn check(&self, config: &Config) -> Result<(), &'static str> {
        ensure(self.relays.capacity() == config.relays_max, "the bound of relayed probes is the config's")?;
        ensure(self.probe.as_ref().is_none_or(|p| p.deadline == self.next), "a probe ends with its period")
    }
}

fn nowhere() -> u32 {
    NONE
}

fn answer(to: Requester, message: Message, cx: &mut Cx) {
    let intent =
        Intent { to: to.addr, peer: to.peer, room: to.room, hint: Hint::Nothing, what: What::Message(message) };
    cx.send(intent);
}
