//! What follows when what is believed of a peer changes: one visible list.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used, clippy::expect_used)]

use super::Node;
use crate::event::Event;
use crate::evidence::Fact;
use crate::members::ME;
use crate::mutation::Mutation;
use crate::status::{Incarnation, NodeId, State, Status};
use crate::time::Instant;

impl Node {
    /// The one way in which a peer's status changes, and all that follows. `status` is greater than the known one.
    pub(super) fn change(&mut self, slot: u32, status: Status, by: Option<NodeId>) {
        let Some(row) = self.table.row(slot) else { return };
        let (id, old, incarnation) = (row.id, row.status, status.incarnation());
        debug_assert!(
            (status > old || cfg!(swim_mutations)) && slot != ME,
            "a status only grows, and mine has a way of its own"
        );
        #[cfg(swim_mutations)]
        let hash = self.table.view_hash();
        self.table.set_status(slot, status, &mut self.cx.rng);
        #[cfg(swim_mutations)]
        if self.cx.mutant(Mutation::ViewHashMissesRefutation) && old.is_live() && status.is_live() {
            self.table.set_view_hash(hash);
        }
        let another_life = old.incarnation().epoch() != incarnation.epoch();
        if !status.is_live() || another_life {
            self.detect.on_member_gone(id);
        }
        let event = match status.state() {
            State::Alive => self.on_alive(slot, id, old, incarnation),
            State::Suspect => self.on_suspect(slot, id, old, incarnation, by),
            gone => self.on_gone(slot, id, gone, incarnation, by),
        };
        self.gossip.enqueue(slot, false, &self.cx);
        self.reunited |= !old.is_live() && status.is_live();
        if another_life {
            self.on_another_life(slot);
        } else if !status.is_live() {
            // Whoever has missed its last writes learns that it has, as long as somebody keeps them.
            self.announce_state(slot);
        }
        if !(self.cx.mutant(Mutation::DeathWithoutEvent) && status.state() == State::Dead) {
            self.cx.events.push(event);
        }
    }

    /// Somebody is there, or has refuted, or is in another life.
    #[inline]
    fn on_alive(&mut self, slot: u32, id: NodeId, old: Status, incarnation: Incarnation) -> Event {
        if incarnation > old.incarnation() {
            self.note_life(slot, id);
        }
        self.suspicions.disarm(slot);
        self.heal.on_found(id);
        if !self.cx.mutant(Mutation::RefutedSuspicionRunsOut) {
            self.deadlines.cancel(slot);
        }
        if !self.cx.mutant(Mutation::WakeUpLost) {
            self.detect.wake(&mut self.cx);
        }
        if old.is_live() && old.incarnation().epoch() == incarnation.epoch() {
            self.note(id, Fact::Refuted { incarnation });
            return Event::MemberRefuted { id, incarnation };
        }
        self.note(id, Fact::Up { incarnation });
        if old.is_live() { Event::MemberRestarted { id, incarnation } } else { Event::MemberUp { id, incarnation } }
    }

    /// The member at this slot has raised its incarnation: whoever has its address, too, should know that it lives.
    #[inline]
    pub(super) fn note_life(&mut self, slot: u32, id: NodeId) {
        let mine = self.cx.my_addr;
        let shares = self.table.row(slot).is_some_and(|row| row.addr == mine || self.table.shares_addr(row.addr));
        self.conflicts.on_life(id, shares, &self.cx);
    }

    #[inline(never)]
    fn on_suspect(
        &mut self,
        slot: u32,
        id: NodeId,
        old: Status,
        incarnation: Incarnation,
        by: Option<NodeId>,
    ) -> Event {
        if !old.is_live() {
            self.heal.on_found(id);
            self.cx.events.push(Event::MemberUp { id, incarnation });
            self.detect.wake(&mut self.cx);
        }
        let mut deadline = self.suspicions.arm(slot, self.table.live(), &mut self.cx);
        if self.cx.mutant(Mutation::SuspicionKeepsItsDeadline) && old.state() == State::Suspect {
            deadline = self.deadlines.get(slot).unwrap_or(deadline);
        }
        self.set_deadline(slot, deadline);
        let deadline = self.to_driver(self.deadlines.get(slot).unwrap_or(Instant::NEVER));
        self.note(id, Fact::Suspected { incarnation, by, deadline });
        Event::MemberSuspect { id, incarnation, by }
    }

    #[inline(never)]
    fn on_gone(&mut self, slot: u32, id: NodeId, gone: State, incarnation: Incarnation, by: Option<NodeId>) -> Event {
        self.suspicions.disarm(slot);
        if gone == State::Dead {
            if let Some(addr) = self.table.row(slot).map(|row| row.addr) {
                self.heal.on_dead(id, addr, self.table.live(), &mut self.cx);
            }
            self.note(id, Fact::Dead { incarnation, declared_here: by == Some(self.cx.me) });
        } else {
            // Its address may be a seed's, which is nobody's now.
            self.heal.on_found(id);
            self.heal.arm(self.table.live(), &mut self.cx);
            self.note(id, Fact::Left { incarnation });
        }
        let ttl = self.cx.pace.tombstone_ttl;
        let ttl = if self.cx.mutant(Mutation::TombstoneGoesEarly) { ttl / 2 } else { ttl };
        self.set_deadline(slot, self.cx.now.plus_micros(ttl));
        Event::MemberDown { id, incarnation, left: gone == State::Left }
    }
}
