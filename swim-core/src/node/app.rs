//! States and rumors in the node: what the embedder writes, what follows from a change, and whether others have the same.

use alloc::vec::Vec;
use core::time::Duration;

use super::Node;
use crate::config::StopPolicy;
use crate::event::Event;
use crate::hash::app_mark;
use crate::identity::Addr;
use crate::keyspace::Written;
use crate::members::{ME, ensure};
use crate::outbox::{Intent, What};
use crate::stats::{count, count_all};
use crate::time::{Instant, micros};
use crate::wire::{self, Frame, Message};

/// Members of whom a peer is told in one datagram that it knows less.
pub(super) const TELL_MAX: usize = 48;

/// Rumors of one datagram whose sender is told whether they were known.
pub(super) const FEEDBACK_MAX: usize = 64;

impl Node {
    // --- what the embedder writes

    pub(super) fn on_broadcast(&mut self, topic: &str, payload: &[u8]) {
        if self.leave.has_begun() || self.cx.config.check_rumor(topic, payload).is_err() {
            count(&mut self.cx.stats.commands_refused);
            return;
        }
        let epoch = self.table[ME].status.incarnation().epoch();
        let (said, now) = ((topic, payload), self.driver_now());
        let id = self.rumors.broadcast(epoch, said, now, &mut self.cx).or_else(|()| {
            // Its numbers are used up, so they begin again in another life.
            let next = self.table[ME].status.incarnation().next_epoch();
            self.restart_me(next);
            self.rumors.broadcast(next.epoch(), said, now, &mut self.cx)
        });
        let Ok(id) = id else {
            count(&mut self.cx.stats.commands_refused);
            return;
        };
        self.cx.events.push(Event::Rumor { id });
        self.remark(ME);
        self.gossip.wake(&self.cx);
    }

    pub(super) fn on_put(&mut self, key: &str, value: &[u8], ttl: Option<Duration>) {
        if self.leave.has_begun() || self.cx.config.check_put(key, value, ttl).is_err() {
            count(&mut self.cx.stats.commands_refused);
            return;
        }
        let expires = ttl.map(|ttl| self.driver_now().plus_micros(micros(ttl)));
        let written = self.state.put(key, value, expires, &self.cx);
        if written == Written::Exhausted {
            self.restart_state();
            self.on_put(key, value, ttl);
        } else {
            self.on_written(written);
        }
    }

    pub(super) fn on_delete(&mut self, key: &str) {
        if self.leave.has_begun() || self.cx.config.check_key(key).is_err() {
            count(&mut self.cx.stats.commands_refused);
            return;
        }
        let now = self.driver_now();
        let written = self.state.delete(key, now, &self.cx);
        if written == Written::Exhausted {
            self.restart_state();
            self.on_delete(key);
        } else {
            self.on_written(written);
        }
    }

    fn on_written(&mut self, written: Written) {
        match written {
            Written::Changed => {
                count(&mut self.cx.stats.state_writes);
                self.on_state_changed(ME, true);
            }
            Written::Same => {}
            Written::Full | Written::Exhausted => count(&mut self.cx.stats.commands_refused),
        }
    }

    /// The versions of this node's own state are used up: they begin again in another life.
    fn restart_state(&mut self) {
        self.state.renumber();
        let next = self.table[ME].status.incarnation().next_epoch();
        self.restart_me(next);
    }

    // --- what follows

    /// A state was written, taken over, or entries of it have vanished. `visible`: it can be seen by readers.
    pub(super) fn on_state_changed(&mut self, slot: u32, visible: bool) {
        self.remark(slot);
        if visible {
            self.cx.events.push(Event::StateChanged { id: self.table[slot].id });
        }
        if self.state.news() > 0 {
            self.gossip.wake(&self.cx);
        }
    }

    pub(super) fn on_state_due(&mut self) {
        let now = self.driver_now();
        if let Some((slot, visible)) = self.state.on_due(now, &self.cx) {
            self.on_state_changed(slot, visible);
        }
    }

    pub(super) fn on_rumor_due(&mut self) {
        let now = self.driver_now();
        self.rumors.on_due(now, &self.cx);
    }

    /// The row's mark is what this node now holds of the member.
    pub(super) fn remark(&mut self, slot: u32) {
        let mark = self.mark_of(slot);
        if mark != self.table.raw_mark(slot) {
            self.reserve_app(slot);
            self.table.set_mark(slot, mark);
            self.app_recent.note(slot, false, self.cx.now);
        }
    }

    /// There is something of this member: takes the room now that telling and asking for it needs later.
    pub(super) fn reserve_app(&mut self, slot: u32) {
        self.fetch.admit(slot);
        self.orphans.reserve();
        let told = TELL_MAX.max(self.cx.config.mtu / wire::SUMMARY_LEN);
        self.to_tell.reserve_exact(told.saturating_sub(self.to_tell.len()));
        if self.counts_receivers() {
            self.feedback.reserve_exact(FEEDBACK_MAX.saturating_sub(self.feedback.len()));
        }
    }

    pub(super) fn counts_receivers(&self) -> bool {
        matches!(self.cx.config.rumor_stop, StopPolicy::Counter(_))
    }

    pub(super) fn mark_of(&self, slot: u32) -> u64 {
        let row = &self.table[slot];
        let epoch = row.status.incarnation().epoch();
        app_mark(row.id.as_u64(), epoch, self.state.version(slot), self.rumors.mark(slot))
    }

    /// A member is in another life: what it said in the former one is over.
    pub(super) fn on_another_life(&mut self, slot: u32) {
        self.rumors.forget(slot);
        self.fetch.forget(slot);
        self.orphans.forget(slot);
        let visible = self.state.forget(slot);
        self.on_state_changed(slot, visible);
        // What was asked may have been about this one alone, and others wait.
        self.ask_on();
    }

    /// This node is in another life. Its state stands, and is told from the start; rumors that nobody has heard are of this
    /// life from now on, those that somebody may have heard stay those of the former.
    pub(super) fn on_own_other_life(&mut self, epoch: u32) {
        let now = self.driver_now();
        self.rumors.restart(epoch, now, &mut self.cx);
        self.remark(ME);
        self.announce_state(ME);
    }

    /// Tells how far this node is with a member's state.
    pub(super) fn announce_state(&mut self, slot: u32) {
        self.state.announce(slot);
        if self.state.news() > 0 {
            self.gossip.wake(&self.cx);
        }
    }

    /// As [`Self::announce_state`], for all that are dead or have left.
    pub(super) fn announce_dead(&mut self) {
        let table = &self.table;
        self.state.announce_all(|slot| !table[slot].status.is_live());
    }

    /// The row of this slot goes.
    pub(super) fn forget_app(&mut self, slot: u32) {
        self.app_recent.remove(slot);
        self.state.forget(slot);
        self.rumors.forget(slot);
        self.fetch.forget(slot);
        self.orphans.forget(slot);
        self.ask_on();
    }

    pub(super) fn has_app_news(&self) -> bool {
        self.state.news() > 0 || self.rumors.has_hot()
    }

    /// A live peer's states and rumors against mine, as `compare_views` does for rows. Tells whether they differ.
    pub(super) fn compare_app(&mut self, from: Addr, frame: &Frame<'_>, peer: u32) -> bool {
        if !self.is_at(peer, from) {
            return false;
        }
        let mine = self.table.app_hash();
        let agrees = frame.app_hash == mine;
        if !agrees {
            self.app_same.on_other();
        } else if self.has_app_news() {
            let enough = usize::from(self.limit());
            if self.app_same.on_same(from, (mine.into(), 0), enough) {
                self.settle_app();
            }
        }
        let answers = self.is_answer_to_probe(from, frame);
        let pings = matches!(frame.message, Some(Message::Ping { target, .. }) if target == self.cx.me);
        if (answers || pings) && !agrees {
            self.note_recent();
        }
        // To a ping they go with the ack.
        if !pings && !self.to_tell.is_empty() {
            self.answer_sync(Intent::to_member(from, peer, What::Summaries));
        }
        let counts = !agrees || answers;
        let due = counts && self.app_views.on_report(agrees, self.table.live(), &mut self.cx);
        let asks = matches!(frame.message, Some(Message::Compare { .. }));
        if due && !asks && !self.sync.is_busy() {
            self.app_views.on_sync(&mut self.cx);
            self.sync.start(from, frame.sender, &mut self.cx);
        }
        !agrees
    }

    /// A peer that has pinged, or has answered a probe, lacks something, or has more. It is to be told how far this node is
    /// with those who have changed of late and are no longer told by themselves, and asks for what it lacks, or tells in turn.
    /// Once per probe, so that this neither adds up nor goes to and fro; what is older is left to a sync.
    fn note_recent(&mut self) {
        let since = self.cx.now.minus_micros(2 * self.cx.pace.sync_patience);
        let recent = self.app_recent.between(since, self.cx.now).map(|(slot, _)| slot);
        for slot in recent.filter(|&slot| !self.state.is_news(slot) && !self.rumors.tells_of(slot)) {
            tell_of(&mut self.to_tell, slot);
        }
    }

    /// As many members as this node tells have all states and rumors that it has. Those of the dead are in no hash, and the
    /// policies that do without it are left to themselves.
    fn settle_app(&mut self) {
        let gone = |slot: u32| self.table.row(slot).is_some_and(|row| !row.status.is_live());
        let mut settled = self.state.settle(gone);
        if matches!(self.cx.config.rumor_stop, StopPolicy::Budget(_)) {
            settled += self.rumors.settle(gone);
        }
        count_all(&mut self.cx.stats.news_settled, settled as u64);
    }

    /// Now, in the driver's time.
    pub(super) fn driver_now(&self) -> Instant {
        self.to_driver(self.cx.now)
    }

    /// Every index of states and rumors against its plain meaning.
    pub(super) fn check_app(&self) -> Result<(), &'static str> {
        let is_member = |slot| self.table.get(slot).is_some();
        self.state.check(is_member, &self.cx.config)?;
        let life = |slot| self.table.get(slot).map(|row| (row.id, row.status.incarnation().epoch()));
        self.rumors.check(&self.cx.config, self.driver_now(), life)?;
        self.fetch.check(is_member)?;
        self.orphans.check(is_member, &self.cx)?;
        self.app_recent.check(is_member)?;
        for (slot, _) in self.table.iter() {
            ensure(self.table.raw_mark(slot) == self.mark_of(slot), "a mark is that of what is held")?;
        }
        Ok(())
    }
}

/// How far this node is with this member goes into the answer to what has just come, once, and of so many at most.
pub(super) fn tell_of(to_tell: &mut Vec<u32>, slot: u32) {
    if to_tell.len() < TELL_MAX && !to_tell.contains(&slot) {
        to_tell.push(slot);
    }
}
