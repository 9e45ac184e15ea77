//! Claims: the only place where it is decided that membership changes. What follows is in `change`.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used, clippy::expect_used)]

use super::Node;
use crate::event::Event;
use crate::evidence::Fact;
use crate::identity::{Addr, Profile};
use crate::members::{ME, Refusal, Row};
use crate::mutation::Mutation;
use crate::rivals::Verdict;
use crate::stats::count;
use crate::status::{Incarnation, NodeId, State, Status};
use crate::storage::NONE;
use crate::time::Instant;
use crate::wire::{Detail, Item, More};

/// How far ahead of the known incarnation an accusation may be. Nobody can push a counter to its end.
const AHEAD_MAX: u32 = 64;

/// After so many refutations the next one writes address and profile anew, too. Whoever accuses me again and again may look
/// for me where another life of mine has been, under the very incarnation at which I wrote where I am: no view hash shows
/// that.
const REWRITTEN_AFTER: u32 = 8;

/// Where a claim comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Via {
    /// The subject's own word: the head of its frame, or its introduction.
    Subject,
    /// Gossip by a live member.
    Gossip,
    /// Rows that were asked for. A death in them is hearsay of unknown age: it becomes a suspicion that can be refuted.
    Rows,
}

impl Node {
    /// This node's own probe failed.
    pub(super) fn accuse(&mut self, item: &Item<'_>) {
        let me = self.cx.me;
        let Some((slot, row)) = self.table.find_row(item.id) else { return };
        if item.status > row.status {
            self.change(slot, item.status, Some(me));
        }
        if self.table.row(slot).is_some_and(|row| row.status == item.status) {
            self.confirm(slot, core::iter::once(me));
            self.suspicions.on_accused(slot, self.table.live(), &self.cx);
        }
    }

    /// Merges one claim into the table, which the member `by` has sent. `bound` tells that it came in answer to this node's own
    /// nonce.
    pub(super) fn apply(&mut self, item: &Item<'_>, by: NodeId, via: Via, bound: bool) {
        self.apply_at(NONE, item, by, via, bound);
    }

    /// As [`Self::apply`], where the row was at `slot` a moment ago; `NONE` when it was not there.
    pub(super) fn apply_at(&mut self, slot: u32, item: &Item<'_>, by: NodeId, via: Via, bound: bool) {
        let last = if via == Via::Subject { Incarnation::LAST } else { Incarnation::LAST_HEARSAY };
        if item.status.incarnation() >= last {
            count(&mut self.cx.stats.claims_implausible);
            return;
        }
        if let More::Accused(accusers) = item.more {
            // Nobody doubts itself, so whoever says so is no witness.
            if accusers.iter().all(|a| a == item.id) {
                count(&mut self.cx.stats.claims_implausible);
                return;
            }
        }
        if item.id == self.cx.me {
            return self.apply_to_me(item, bound);
        }
        let there = self.table.get(slot).filter(|row| row.id == item.id).map(|row| (slot, row));
        let Some((slot, row)) = there.or_else(|| self.table.find_row(item.id)) else {
            return self.apply_to_unknown(item, via);
        };
        if via != Via::Subject && self.is_doubtful(row, item) {
            return self.doubt(slot, item, by);
        }
        let known = row.status;
        self.apply_to_known(slot, known, item, via);
    }

    /// Only a live claim with an address can create a member.
    fn apply_to_unknown(&mut self, item: &Item<'_>, via: Via) {
        let Some(d) = item.detail().filter(|_| item.status.is_live()) else {
            count(&mut self.cx.stats.claims_unknown);
            return;
        };
        let row = Row {
            id: item.id,
            status: Status::alive(item.status.incarnation()),
            detail_at: d.at,
            addr: Addr::from(d.addr),
            next: NONE,
            profile: Profile::pack(d.name, d.meta),
        };
        match self.table.admit(row, &mut self.cx.rng) {
            Ok(slot) => {
                self.grow(self.table.slots());
                // What a newcomer catches up with is no news to anybody else.
                if via != Via::Rows || !self.join.is_catching_up() {
                    self.gossip.enqueue(slot, true, &self.cx);
                }
                self.gossip.on_peer(&self.cx);
                self.detect.wake(&mut self.cx);
                self.heal.on_found(item.id);
                let incarnation = item.status.incarnation();
                self.note(item.id, Fact::Up { incarnation });
                self.cx.events.push(Event::MemberUp { id: item.id, incarnation });
                // A suspicion does not create, but it holds for who is there.
                if item.status.state() == State::Suspect {
                    self.change(slot, item.status, None);
                }
            }
            Err(refusal) => self.count_refusal(refusal),
        }
    }

    fn count_refusal(&mut self, refusal: Refusal) {
        match refusal {
            Refusal::Full | Refusal::Crowd => count(&mut self.cx.stats.members_refused),
            Refusal::Address => count(&mut self.cx.stats.addresses_refused),
        }
    }

    /// `known` is the status of the row at `slot`.
    pub(super) fn apply_to_known(&mut self, slot: u32, known: Status, item: &Item<'_>, via: Via) {
        let mut status = item.status;
        let hearsay = via == Via::Rows && !self.cx.mutant(Mutation::PagedDeathsFinal);
        if hearsay && status.state() == State::Dead && known.is_live() {
            status = Status::new(status.incarnation(), State::Suspect);
        }
        let last = self.cx.mutant(Mutation::LastWriterWins) && status != known;
        let returns = self.cx.mutant(Mutation::DeadReturnUnrefuted)
            && known.state() == State::Dead
            && status == Status::alive(known.incarnation());
        let unrecorded = self.cx.mutant(Mutation::DeathUnrecorded) && !known.is_live() && !status.is_live();
        if status > known && !unrecorded || last || returns {
            if !is_plausible(known, status) && !self.cx.mutant(Mutation::ImplausibleAccusations) {
                count(&mut self.cx.stats.claims_implausible);
                return;
            }
            let comes_back = !known.is_live() && status.is_live();
            if comes_back && !self.address_after(slot, item).is_some_and(|addr| self.table.has_place_at(addr)) {
                return self.count_refusal(Refusal::Address);
            }
            let first = self.first_accuser(item);
            self.change(slot, status, first);
        } else if status < known {
            count(&mut self.cx.stats.claims_stale);
        } else if self.cx.mutant(Mutation::KnownNewsAgain) {
            self.gossip.enqueue(slot, false, &self.cx);
        } else if self.cx.mutant(Mutation::TombstoneRenewed) && !known.is_live() {
            self.set_deadline(slot, self.cx.now.plus_micros(self.cx.pace.tombstone_ttl));
        }
        if let More::Accused(accusers) = item.more {
            // My own accusation is mine to make, whoever speaks in my name.
            let me = self.cx.me;
            if self.table.row(slot).is_some_and(|row| row.status == status) {
                self.confirm(slot, accusers.iter().filter(|&a| a != me));
            }
        }
        let tied = self.cx.mutant(Mutation::DetailTiedToStatus) && status <= known;
        if let Some(d) = item.detail().filter(|_| !tied) {
            self.apply_detail(slot, &d);
        }
    }

    /// Where the member will be reached once the whole item has been taken over.
    fn address_after(&self, slot: u32, item: &Item<'_>) -> Option<Addr> {
        let row = self.table.row(slot)?;
        Some(item.detail().filter(|d| d.at > row.detail_at).map_or(row.addr, |d| d.addr.into()))
    }

    /// The accuser that an event names.
    fn first_accuser(&self, item: &Item<'_>) -> Option<NodeId> {
        match item.more {
            // My own accusation is mine to make.
            More::Accused(accusers) => accusers.iter().find(|&a| a != self.cx.me),
            _ => None,
        }
    }

    /// Address and profile are a register of their own: a suspicion that overtakes them must not hide them.
    fn apply_detail(&mut self, slot: u32, d: &Detail<'_>) {
        let Some(row) = self.table.row(slot) else { return };
        let is_alive = row.state() == State::Alive;
        if d.at <= row.detail_at || d.at > row.status.incarnation() {
            return;
        }
        let (id, old) = (row.id, row.addr);
        let another_life = row.detail_at.epoch() != d.at.epoch();
        let moved = old != Addr::from(d.addr);
        let updated = row.profile.name() != d.name || row.profile.meta() != d.meta;
        // Equal words are shared, not copied.
        let profile = if updated { Profile::pack(d.name, d.meta) } else { row.profile.clone() };
        if let Err(refusal) = self.table.set_detail(slot, d.at, d.addr.into(), profile) {
            return self.count_refusal(refusal);
        }
        // Where a member is, everybody hears at once; what it says about itself, once per second.
        if moved || another_life || self.profiles.on_changed(slot, &self.cx) {
            self.gossip.enqueue(slot, true, &self.cx);
        }
        if !is_alive {
            // That it is suspected, or gone, waits for no address and profile.
            self.gossip.enqueue(slot, false, &self.cx);
        }
        if moved {
            self.heal.on_moved(id, d.addr.into());
            self.heal.arm(self.table.live(), &mut self.cx);
        }
        if moved {
            self.cx.events.push(Event::MemberMoved { id, from: old.into() });
        }
        if updated {
            self.cx.events.push(Event::MemberUpdated { id });
        }
    }

    /// Counts accusers that are live members and not the accused, once each; with every new one the suspicion shrinks and
    /// is news again.
    fn confirm(&mut self, slot: u32, accusers: impl Iterator<Item = NodeId>) {
        let Some(accused) = self.table.row(slot).filter(|row| row.state() == State::Suspect).map(|row| row.id) else {
            return;
        };
        let mut counted = false;
        for by in accusers {
            let counts = by != accused && (self.table.is_live(by) || self.cx.mutant(Mutation::AnybodyConfirms));
            if counts && self.suspicions.confirm(slot, by, &mut self.cx) {
                counted = true;
                let deadline = self.suspicions.deadline(slot, self.table.live(), &self.cx);
                if self.suspicions.accusers(slot).len() > 1 {
                    self.note(accused, Fact::Confirmed { by, deadline: self.to_driver(deadline) });
                }
            }
        }
        if counted {
            // A confirmation only shortens, also when the cluster has grown since the suspicion began.
            let former = self.deadlines.get(slot).unwrap_or(Instant::NEVER);
            let deadline = self.suspicions.deadline(slot, self.table.live(), &self.cx).min(former);
            self.set_deadline(slot, deadline);
            self.gossip.enqueue(slot, false, &self.cx);
        }
    }

    // --- claims about this node itself

    /// What others believe of me at or above my incarnation is answered by raising it; below it is old.
    fn apply_to_me(&mut self, item: &Item<'_>, bound: bool) {
        let (mine, theirs) = (self.table.me().status.incarnation(), item.status.incarnation());
        if theirs.epoch() > mine.epoch() {
            return self.jump_past(item, bound);
        }
        // A former life of mine had this epoch, too: a restart within a second, a restored disk.
        let contradicted = theirs.epoch() == mine.epoch() && self.table.me().contradicts(item);
        if contradicted && self.take_next_epoch(item, bound) {
            return;
        }
        let old = theirs < mine || item.status == Status::alive(mine) || self.cx.mutant(Mutation::RefutationSkipped);
        if old {
            if theirs < mine {
                count(&mut self.cx.stats.claims_stale);
            }
            return;
        }
        if item.status.state() == State::Alive {
            // Somebody speaks for me in this epoch with an incarnation that I have not taken: another life of mine.
            self.take_next_epoch(item, bound);
        } else if theirs.refutations().saturating_sub(mine.refutations()) > AHEAD_MAX
            && !self.cx.mutant(Mutation::RefutesAnyJump)
        {
            // Whoever answers me with it believes it, however it came to be, and would hold me dead for good.
            if !bound || !self.take_next_epoch(item, bound) {
                count(&mut self.cx.stats.claims_implausible);
            }
        } else {
            self.refute(theirs);
            self.reunited |= item.status.state() == State::Dead;
            if item.status.state() == State::Dead && self.cx.config.pause_guard {
                self.doubt_verdicts(bound);
            }
        }
    }

    /// Whoever held me dead did not listen to me, and perhaps I heard nobody: whom I accused meanwhile may not know. They get
    /// the time to hear of it; and of the deaths that I have not told yet I leave it to syncs to tell, which take them for
    /// suspicions. That only on the word of one whom I have asked (`bound`): else whoever can send a datagram could keep my
    /// news from spreading.
    fn doubt_verdicts(&mut self, bound: bool) {
        if self.verdicts.doubt(self.table.live(), &self.cx) && bound {
            let table = &self.table;
            self.gossip.drop_untold(|slot| table.row(slot).is_some_and(|row| row.state() == State::Dead));
        }
    }

    /// Another life of mine uses this epoch. Once per period, so that two processes of one id do not outbid each other at the
    /// speed of the network; tells whether this was the time.
    pub(super) fn take_next_epoch(&mut self, item: &Item<'_>, bound: bool) -> bool {
        let due = self.cx.now >= self.next_epoch_after;
        if due {
            self.next_epoch_after = self.cx.now.plus_micros(self.cx.pace.probe_interval);
            // In the last epoch there is no next one, so it takes going past what is believed. Nobody who was not asked makes
            // this node take more than one step.
            let (mine, theirs) = (self.table.me().status.incarnation(), item.status.incarnation());
            self.outbid(item, if bound && theirs.epoch() == u32::MAX { mine.max(theirs) } else { mine }, bound);
        }
        due
    }

    /// A later life of mine is known. Taken only from an answer to my own question, so that a forged datagram cannot push
    /// the epoch; whoever believes it answers my next probe with it.
    fn jump_past(&mut self, item: &Item<'_>, bound: bool) {
        let theirs = item.status.incarnation();
        if bound && theirs < Incarnation::LAST {
            self.outbid(item, theirs, bound);
        } else {
            count(&mut self.cx.stats.claims_implausible);
        }
    }

    /// Another life of mine has gone further: I go past it, unless it turns out to be another process that lives. Only what
    /// came in answer to a question of mine speaks for that: whoever can send a datagram could else silence a node.
    fn outbid(&mut self, item: &Item<'_>, theirs: Incarnation, bound: bool) {
        let other = item.detail().filter(|_| bound).map(|d| Addr::from(d.addr)).filter(|&a| a != self.cx.my_addr);
        let verdict = other.map_or(Verdict::Unclear, |a| self.rivals.on_outbid(a, &self.cx));
        let parked = verdict == Verdict::Lost;
        if let (Verdict::Won | Verdict::Lost, Some(addr)) = (verdict, other) {
            self.cx.events.push(Event::Conflict { with: addr.into(), parked });
        }
        if parked && !self.cx.mutant(Mutation::RivalsBothStay) {
            return self.fall_silent();
        }
        self.restart_me(theirs.next_epoch());
    }

    fn refute(&mut self, accused: Incarnation) {
        // An incarnation ahead of mine is one that a former life took in this epoch, perhaps to say something else.
        let (mine, written) = (self.table.me().status.incarnation(), self.table.me().detail_at);
        let since = mine.refutations().saturating_sub(written.refutations());
        let often = since >= REWRITTEN_AFTER || mine.epoch() != written.epoch();
        let anew = accused > mine || often;
        self.raise_me(if self.cx.mutant(Mutation::RefutesTooLow) { accused } else { accused.next() });
        if anew {
            self.write_me_anew();
        }
        count(&mut self.cx.stats.refutations);
        self.gossip.enqueue(ME, anew, &self.cx);
        // At once, and a sign that this node is slow. So many times per period; beyond that it is an attack, and the next
        // tick will do.
        if !self.cx.mutant(Mutation::RefutationWaits) && self.echoes.take(&self.cx) {
            self.health.worsen(1, &mut self.cx);
            self.gossip.spread(&self.table, &mut self.cx);
        }
        self.cx.events.push(Event::Refuted { incarnation: self.table.me().status.incarnation() });
    }

    /// Another life: address and profile are written anew, since others may hold those of the life that they know.
    pub(super) fn restart_me(&mut self, incarnation: Incarnation) {
        self.raise_me(incarnation);
        self.write_me_anew();
        count(&mut self.cx.stats.refutations);
        self.gossip.enqueue(ME, true, &self.cx);
        if self.echoes.take(&self.cx) {
            self.gossip.spread(&self.table, &mut self.cx);
        }
        self.cx.events.push(Event::Refuted { incarnation });
    }

    /// Address and profile as of my present incarnation.
    fn write_me_anew(&mut self) {
        let (at, profile) = (self.table.me().status.incarnation(), self.table.me().profile.clone());
        // Slot 0 has no address entry, so writing its detail is never refused.
        let _ = self.table.set_detail(ME, at, self.cx.my_addr, profile);
    }

    /// Raises my own incarnation; nobody else does.
    pub(super) fn raise_me(&mut self, incarnation: Incarnation) {
        let former = self.table.me().status.incarnation();
        debug_assert!(incarnation >= former);
        self.table.set_status(ME, Status::alive(incarnation), &mut self.cx.rng);
        if former.epoch() != incarnation.epoch() {
            self.on_own_other_life(incarnation.epoch());
        }
    }

    /// How often each node tells one update.
    pub(super) fn limit(&mut self) -> u8 {
        self.gossip.limit(self.table.live(), &self.cx)
    }
}

/// A raised incarnation of a live claim needs no further proof; an accusation counts only against the epoch that is known,
/// and not far ahead of it.
fn is_plausible(known: Status, claim: Status) -> bool {
    let (k, c) = (known.incarnation(), claim.incarnation());
    claim.state() == State::Alive
        || c.epoch() == k.epoch() && c.refutations().saturating_sub(k.refutations()) <= AHEAD_MAX
}
