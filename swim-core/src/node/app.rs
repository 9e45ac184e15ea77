//! States and rumors on their way through the node: what the embedder writes, what frames bring, and what follows.

use core::time::Duration;

use smallvec::SmallVec;

use super::Node;
use crate::config::{Config, StopPolicy};
use crate::event::Event;
use crate::fetch::{Progress, Want};
use crate::hash::app_mark;
use crate::identity::Addr;
use crate::keyspace::{Change, Delta, KeyEntry, Written};
use crate::members::{ME, ensure};
use crate::mutation::Mutation;
use crate::node::Rumor;
use crate::outbox::{Intent, What};
use crate::rumors::Offer;
use crate::state::Outcome;
use crate::status::{NodeId, RumorId, Status};
use crate::time::{Instant, micros};
use crate::wire::{self, Frame, Message, StateEntry, StateItem, Summary};

/// Members of whom a peer is told in one datagram that it knows less.
pub(super) const TELL_MAX: usize = 48;

/// Entries that are taken of one datagram; one of the usual size has room for fewer. Each is looked up in what is held, and all
/// of the largest datagram that there can be would keep a node for longer than a probe may take.
const ENTRIES_MAX: usize = 512;

/// Rumors of one datagram whose sender is told whether they were known.
pub(super) const FEEDBACK_MAX: usize = 64;

impl Node {
    // --- what the embedder writes

    pub(super) fn on_broadcast(&mut self, topic: &str, payload: &[u8]) {
        if self.leave.has_begun() || self.cx.config.check_rumor(topic, payload).is_err() {
            self.cx.stats.commands_refused += 1;
            return;
        }
        let epoch = self.table[ME].status.incarnation().epoch();
        let id = self.rumors.broadcast(epoch, topic, payload, &mut self.cx).or_else(|()| {
            // Its numbers are used up, so they begin again in another life.
            let next = self.table[ME].status.incarnation().next_epoch();
            self.restart_me(next);
            self.rumors.broadcast(next.epoch(), topic, payload, &mut self.cx)
        });
        let Ok(id) = id else {
            self.cx.stats.commands_refused += 1;
            return;
        };
        self.cx.events.push(Event::Rumor { id });
        self.remark(ME);
        self.gossip.wake(&self.cx);
    }

    pub(super) fn on_put(&mut self, key: &str, value: &[u8], ttl: Option<Duration>) {
        if self.leave.has_begun() || self.cx.config.check_put(key, value, ttl).is_err() {
            self.cx.stats.commands_refused += 1;
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
            self.cx.stats.commands_refused += 1;
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
                self.cx.stats.state_writes += 1;
                self.on_state_changed(ME, true);
            }
            Written::Same => {}
            Written::Full | Written::Exhausted => self.cx.stats.commands_refused += 1,
        }
    }

    /// The versions of this node's own state are used up: they begin again in another life.
    fn restart_state(&mut self) {
        self.state.renumber();
        let next = self.table[ME].status.incarnation().next_epoch();
        self.restart_me(next);
    }

    // --- what frames bring

    /// Sections of states and rumors, by a live member.
    pub(super) fn apply_app(&mut self, from: Addr, frame: &Frame<'_>, peer: u32) {
        let lane = match frame.message {
            Some(Message::Delta { nonce }) => self.fetch.lane_of(from, frame.sender, nonce),
            _ => None,
        };
        // Answers are taken from whom they were asked of, at any time; but they are no news then.
        let answer = matches!(frame.message, Some(Message::Delta { .. }));
        let mut left = ENTRIES_MAX;
        for item in frame.states() {
            self.apply_state(&item, peer, lane, answer, &mut left);
        }
        self.feedback.clear();
        for rumor in frame.rumors() {
            self.apply_rumor(&rumor, !answer);
        }
        self.answer_rumors(from, peer);
        for (id, known) in frame.known() {
            self.rumors.feedback(id, known, &self.cx);
        }
        let page = matches!(frame.message, Some(Message::Page { .. }));
        for summary in frame.summaries() {
            self.apply_summary(&summary, peer, answer.then_some(lane.is_some()), page);
        }
        if !answer && self.is_at(peer, from) {
            self.ask_on();
        }
    }

    fn is_at(&self, peer: u32, from: Addr) -> bool {
        self.table.get(peer).is_some_and(|row| row.addr == from && row.status.is_live())
    }

    /// One delta of somebody's state.
    fn apply_state(&mut self, item: &StateItem<'_>, peer: u32, lane: Option<usize>, answer: bool, left: &mut usize) {
        if item.id == self.cx.me && !self.cx.mutant(Mutation::PeersWriteMyState) {
            let stats = &mut self.cx.stats;
            let ahead = item.version > self.state.version(ME);
            *(if ahead { &mut stats.deltas_refused } else { &mut stats.deltas_stale }) += 1;
            return self.on_own_shown(item.epoch, item.version, 0);
        }
        let Some(slot) = self.slot_in_life(item.id, item.epoch) else {
            self.cx.stats.deltas_refused += 1;
            return;
        };
        // What is beyond is asked for, as if it had found no room in the datagram.
        let taken = item.entries().take(*left).count();
        let cut = item.entries().nth(taken).is_some();
        *left -= taken;
        let last = item.entries().take(taken).last();
        let upto = if cut { last.map_or(item.from, |entry| entry.version) } else { item.upto() };
        let now = self.driver_now();
        let entries = item.entries().take(taken).map(|entry| key_entry(&entry, now, &self.cx.config));
        let delta = Delta { version: item.version, gc: item.gc, from: item.from, upto, entries };
        let news = if answer { lane.is_some_and(|lane| self.fetch.is_news(lane, slot)) } else { true };
        match self.state.apply(slot, delta, news, now, &self.cx) {
            Outcome::Stale => self.cx.stats.deltas_stale += 1,
            Outcome::Refused { no_room } => {
                self.cx.stats.deltas_refused += 1;
                self.cx.stats.state_refused += u64::from(no_room);
                if !no_room && self.state.is_stuck(slot) {
                    // What is held from different moments is too much together: it begins anew.
                    let visible = self.state.forget(slot);
                    self.on_state_changed(slot, visible);
                    self.want(slot, peer, (item.version, 0), true);
                }
            }
            Outcome::Gap => {
                self.cx.stats.deltas_gapped += 1;
                self.want(slot, peer, (item.version, 0), true);
            }
            Outcome::Taken { changed } => {
                self.cx.stats.deltas_applied += 1;
                self.on_state_changed(slot, changed);
                if !answer && upto < item.version {
                    self.want(slot, peer, (item.version, 0), true);
                }
            }
        }
    }

    fn apply_rumor(&mut self, rumor: &Rumor<'_>, news: bool) {
        let RumorId { origin, epoch, seq } = rumor.id;
        if origin == self.cx.me {
            self.cx.stats.rumors_known += 1;
            if news && self.counts_receivers() && self.feedback.len() < FEEDBACK_MAX {
                self.feedback.push((rumor.id, true));
            }
            return self.on_own_shown(epoch, 0, seq);
        }
        let Some(slot) = self.table.find(origin) else {
            self.cx.stats.rumors_unknown += 1;
            return;
        };
        let life = self.table[slot].status.incarnation().epoch();
        let offer = self.rumors.offer(slot, life, rumor, &mut self.cx);
        let answered = news && self.counts_receivers() && self.feedback.len() < FEEDBACK_MAX;
        if answered && matches!(offer, Offer::New | Offer::Known) {
            self.feedback.push((rumor.id, offer == Offer::Known));
        }
        if offer == Offer::New {
            self.remark(slot);
            self.cx.events.push(Event::Rumor { id: rumor.id });
            self.gossip.wake(&self.cx);
        }
    }

    /// Who counts receivers that knew a rumor is told which did.
    fn answer_rumors(&mut self, from: Addr, peer: u32) {
        if !self.feedback.is_empty() && self.is_at(peer, from) {
            self.cx.send(Intent::to_member(from, peer, What::Known));
        }
    }

    /// How far a peer is with some member. `answer`: it says that it has no more of what I asked for, and whether I did.
    /// `page`: it says so because our marks differ.
    fn apply_summary(&mut self, s: &Summary, peer: u32, answer: Option<bool>, page: bool) {
        if s.id == self.cx.me {
            self.on_own_shown(s.epoch, s.version, s.last);
        }
        let Some(slot) = self.slot_in_life(s.id, s.epoch) else { return };
        if answer == Some(true) {
            // What nobody keeps any more is not waited for.
            self.rumors.close(slot, s.epoch, s.floor, &mut self.cx);
            self.remark(slot);
        }
        if answer.is_some() {
            return;
        }
        let (version, last) = (self.state.version(slot), self.rumors.last(slot));
        let holes = self.rumors.digest(slot).0 < last;
        // Where each of two is ahead in something, once is enough: what is asked for already was told, too.
        let told = self.fetch.is_wanted(slot);
        // Of my own nothing is wanted. Whoever lacks something of it is told like of any other: perhaps nobody else has it.
        if slot != ME && (s.version > version || s.last > last || holes && s.last > 0) {
            self.want(slot, peer, (s.version, s.last), false);
        }
        if !told {
            self.tell_back(s, slot, page);
        }
    }

    /// Whoever is behind with a member is told, and asks for the rest. With the same versions and numbers, and yet other
    /// marks, one of us misses a rumor; whether it is the other, the other knows, and it is told once per page, so that this
    /// does not go to and fro.
    fn tell_back(&mut self, s: &Summary, slot: u32, page: bool) {
        let life = self.table[slot].status.incarnation().epoch();
        let (version, last) = (self.state.version(slot), self.rumors.last(slot));
        let holes = page && last == s.last && self.rumors.digest(slot).0 > s.floor;
        let behind = version > s.version || last > s.last || holes;
        if behind && life == s.epoch && self.to_tell.len() < TELL_MAX {
            self.to_tell.push(slot);
        }
    }

    /// Somebody shows more of this life of mine than I have written: another life of mine has had this epoch.
    fn on_own_shown(&mut self, epoch: u32, version: u32, seq: u32) {
        let mine = self.table[ME].status.incarnation();
        let ahead = version > self.state.version(ME) || seq > self.rumors.last(ME);
        if epoch == mine.epoch() && ahead {
            self.take_next_epoch(&wire::Item::status(self.cx.me, Status::alive(mine)), false);
        }
    }

    /// The member of this id, if this is the life in which it is known.
    fn slot_in_life(&self, id: NodeId, epoch: u32) -> Option<u32> {
        self.table.find(id).filter(|&slot| self.table[slot].status.incarnation().epoch() == epoch)
    }

    // --- asking

    fn want(&mut self, slot: u32, peer: u32, ahead: (u32, u32), news: bool) {
        if let Some(row) = self.table.get(peer).filter(|row| row.status.is_live()) {
            self.fetch.want(slot, (peer, row.id), ahead, news);
        }
    }

    /// Asks for what is wanted, as far as questions may be under way.
    pub(super) fn ask_on(&mut self) {
        let (state, rumors) = (&self.state, &self.rumors);
        self.fetch.advance(&self.table, |slot| progress(state, rumors, slot), &mut self.cx);
    }

    /// Only members are answered, where they are known to be.
    pub(super) fn on_digest(&mut self, nonce: u32, answer: Intent) {
        if !self.is_at(answer.peer, answer.to) {
            self.cx.stats.claims_from_strangers += 1;
        } else if self.budget.allows(false, &self.cx) {
            self.cx.send(Intent { what: What::Delta { nonce }, ..answer });
        } else {
            self.cx.stats.digests_refused += 1;
        }
    }

    pub(super) fn on_delta(&mut self, from: Addr, frame: &Frame<'_>, nonce: u32) {
        let Some(lane) = self.fetch.lane_of(from, frame.sender, nonce) else {
            self.cx.stats.stray_acks += 1;
            return;
        };
        let done: SmallVec<[u32; 16]> = frame.summaries().filter_map(|s| self.table.find(s.id)).take(16).collect();
        let (state, rumors) = (&self.state, &self.rumors);
        let has = |want: &Want| {
            let last = rumors.last(want.slot);
            state.version(want.slot) >= want.version && last >= want.last && rumors.digest(want.slot).0 == last
        };
        let how_far = |slot| progress(state, rumors, slot);
        self.fetch.on_delta(lane, how_far, |slot| done.contains(&slot), has, &self.cx);
        self.ask_on();
    }

    // --- what follows

    /// A state was written, taken over, or entries of it have vanished. `visible`: it can be seen by readers.
    fn on_state_changed(&mut self, slot: u32, visible: bool) {
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

    /// The row's mark is what this node now holds of the member.
    fn remark(&mut self, slot: u32) {
        let mark = self.mark_of(slot);
        if mark != self.table.raw_mark(slot) {
            self.reserve_app(slot);
            self.table.set_mark(slot, mark);
            self.app_recent.note(slot, false, self.cx.now);
        }
    }

    /// There is something of this member: takes the room now that telling and asking for it needs later.
    fn reserve_app(&mut self, slot: u32) {
        self.fetch.admit(slot);
        let told = TELL_MAX.max(self.cx.config.mtu / wire::SUMMARY_LEN);
        self.to_tell.reserve_exact(told.saturating_sub(self.to_tell.len()));
        if self.counts_receivers() {
            self.feedback.reserve_exact(FEEDBACK_MAX.saturating_sub(self.feedback.len()));
        }
    }

    fn counts_receivers(&self) -> bool {
        matches!(self.cx.config.rumor_stop, StopPolicy::Counter(_))
    }

    fn mark_of(&self, slot: u32) -> u64 {
        let row = &self.table[slot];
        let epoch = row.status.incarnation().epoch();
        app_mark(row.id.as_u64(), epoch, self.state.version(slot), self.rumors.mark(slot))
    }

    /// A member is in another life: what it said in the former one is over.
    pub(super) fn on_another_life(&mut self, slot: u32) {
        self.rumors.forget(slot);
        self.fetch.forget(slot);
        let visible = self.state.forget(slot);
        self.on_state_changed(slot, visible);
        // What was asked may have been about this one alone, and others wait.
        self.ask_on();
    }

    /// This node is in another life. Its state stands, and is told from the start; rumors that nobody has heard are of this
    /// life from now on, those that somebody may have heard stay those of the former.
    pub(super) fn on_own_other_life(&mut self, epoch: u32) {
        self.rumors.restart(epoch, &mut self.cx);
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
            if self.to_tell.len() < TELL_MAX && !self.to_tell.contains(&slot) {
                self.to_tell.push(slot);
            }
        }
    }

    /// As many members as this node tells have all states and rumors that it has. Those of the dead are in no hash, and the
    /// policies that do without it are left to themselves.
    fn settle_app(&mut self) {
        let table = &self.table;
        let mut settled = self.state.settle(|slot| !table[slot].status.is_live());
        if matches!(self.cx.config.rumor_stop, StopPolicy::Budget(_)) {
            settled += self.rumors.settle();
        }
        self.cx.stats.news_settled += settled as u64;
    }

    /// Now, in the driver's time.
    pub(super) fn driver_now(&self) -> Instant {
        self.to_driver(self.cx.now)
    }

    /// Every index of states and rumors against its plain meaning.
    pub(super) fn check_app(&self) -> Result<(), &'static str> {
        let is_member = |slot| self.table.get(slot).is_some();
        self.state.check(is_member, &self.cx.config)?;
        self.rumors
            .check(&self.cx, |slot| self.table.get(slot).map(|row| (row.id, row.status.incarnation().epoch())))?;
        ensure(self.rumors.slept() == self.slept, "rumors are kept in the driver's time")?;
        self.fetch.check(is_member)?;
        self.app_recent.check(is_member)?;
        for (slot, _) in self.table.iter() {
            ensure(self.table.raw_mark(slot) == self.mark_of(slot), "a mark is that of what is held")?;
        }
        Ok(())
    }
}

fn progress(state: &crate::state::State, rumors: &crate::rumors::Rumors, slot: u32) -> Progress {
    let (version, gc) = state.progress(slot);
    Progress { version, gc, rumors: rumors.mark(slot) }
}

/// An entry of the wire, whose times begin now.
fn key_entry<'a>(entry: &StateEntry<'a>, now: Instant, config: &Config) -> KeyEntry<'a> {
    let after = |ms: u64| now.plus_micros(ms.saturating_mul(1_000));
    let change = match entry.change {
        wire::Change::Put { value, ttl_ms } => Change::Put { value, expires: ttl_ms.map(after) },
        wire::Change::Delete { .. } if config.mutant(Mutation::TombstoneTimeBegins) => {
            Change::Delete { purge_at: now.plus_micros(micros(config.tombstone_ttl)) }
        }
        wire::Change::Delete { ttl_ms } => Change::Delete { purge_at: after(ttl_ms) },
    };
    KeyEntry { version: entry.version, key: entry.key, change }
}
