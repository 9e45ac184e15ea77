//! States and rumors in frames: what others say is taken over, what is lacking is asked for, and what others lack is told.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used, clippy::expect_used)]

use smallvec::SmallVec;

use super::Node;
use super::app::{FEEDBACK_MAX, tell_of};
use crate::config::Config;
use crate::event::Event;
use crate::fetch::{DIGEST_MAX, Progress, Want};
use crate::identity::Addr;
use crate::keyspace::{Change, Delta, KeyEntry};
use crate::members::ME;
use crate::mutation::Mutation;
use crate::node::Rumor;
use crate::outbox::{Intent, What};
use crate::rumors::{Offer, Rumors};
use crate::state::{Outcome, State};
use crate::stats::count;
use crate::status::{NodeId, RumorId, Status};
use crate::time::{Instant, micros};
use crate::wire::{self, Frame, Message, StateEntry, StateItem, Summary};

/// Entries that are taken of one datagram; one of the usual size has room for fewer. Each is looked up in what is held, and all
/// of the largest datagram that there can be would keep a node for longer than a probe may take.
const ENTRIES_MAX: usize = 512;

/// How far beyond the known version of a state a delta may be that others bring unasked.
const VERSION_JUMP: u32 = 1 << 16;

/// In what a summary was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// In an answer to the digest of this lane, or to none that is under way: the sender has no more of the member.
    Answer(Option<usize>),
    /// In a page: our marks differ.
    Page,
    /// In a datagram of its own, or with a ping or an ack.
    Alone,
}

impl Node {
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
            if self.is_too_far(&item, peer, lane.is_some() || item.id == frame.sender && self.is_at(peer, from)) {
                continue;
            }
            self.apply_state(&item, peer, lane, answer, &mut left);
        }
        self.feedback.clear();
        for rumor in frame.rumors() {
            let known = lane.is_some() || rumor.id.origin == frame.sender && self.is_at(peer, from);
            self.apply_rumor(&rumor, peer, !answer, known);
        }
        self.answer_rumors(from, peer);
        for (id, known) in frame.known() {
            self.rumors.feedback(id, known, &self.cx);
        }
        let told = match frame.message {
            Some(Message::Delta { .. }) => Told::Answer(lane),
            Some(Message::Page { .. }) => Told::Page,
            _ => Told::Alone,
        };
        for summary in frame.summaries() {
            self.apply_summary(&summary, peer, told);
        }
        if !answer && self.is_at(peer, from) {
            self.ask_on();
        }
    }

    pub(super) fn is_at(&self, peer: u32, from: Addr) -> bool {
        self.table.get(peer).is_some_and(|row| row.addr == from && row.status.is_live())
    }

    /// Is it of a version far ahead of what is known, by one that is neither its owner nor was asked? One of the last versions
    /// there are would keep all that the owner will ever write in this epoch from being taken. So it is asked for.
    fn is_too_far(&mut self, item: &StateItem<'_>, peer: u32, known: bool) -> bool {
        let Some(slot) = self.slot_in_life(item.id, item.epoch).filter(|&slot| slot != ME && !known) else {
            return false;
        };
        let version = self.state.version(slot);
        let far = item.version.saturating_sub(version) > VERSION_JUMP;
        if far {
            count(&mut self.cx.stats.deltas_implausible);
            self.want(slot, peer, (version.saturating_add(1), 0), true);
        }
        far
    }

    /// One delta of somebody's state.
    fn apply_state(&mut self, item: &StateItem<'_>, peer: u32, lane: Option<usize>, answer: bool, left: &mut usize) {
        if item.id == self.cx.me && !self.cx.mutant(Mutation::PeersWriteMyState) {
            let stats = &mut self.cx.stats;
            let ahead = item.version > self.state.version(ME);
            count(if ahead { &mut stats.deltas_refused } else { &mut stats.deltas_stale });
            return self.on_own_shown(item.epoch, item.version, 0);
        }
        let Some(slot) = self.slot_in_life(item.id, item.epoch) else {
            count(&mut self.cx.stats.deltas_refused);
            return;
        };
        // What is beyond is asked for, as if it had found no room in the datagram.
        let taken = item.entries().take(*left).count();
        let cut = item.entries().nth(taken).is_some();
        *left = left.saturating_sub(taken);
        let last = item.entries().take(taken).last();
        let upto = if cut { last.map_or(item.from, |entry| entry.version) } else { item.upto() };
        let now = self.driver_now();
        let entries = item.entries().take(taken).map(|entry| key_entry(&entry, now, &self.cx.config));
        let delta = Delta { version: item.version, gc: item.gc, from: item.from, upto, entries };
        // No hash has what the dead have said, so nobody else finds out what he lacks of it: whoever learns it tells it on.
        let orphaned = self.is_gone(slot) && !self.join.is_catching_up();
        let news = if answer { orphaned || lane.is_some_and(|lane| self.fetch.is_news(lane, slot)) } else { true };
        match self.state.apply(slot, delta, news, now, &self.cx) {
            Outcome::Stale => {
                count(&mut self.cx.stats.deltas_stale);
                self.want_rest(item, slot, peer, upto, answer);
                // For the same reason whoever announces less of the dead is told, or nobody might have told it.
                if orphaned && !answer && item.version < self.state.version(slot) {
                    tell_of(&mut self.to_tell, slot);
                }
            }
            Outcome::Refused { no_room } => {
                count(&mut self.cx.stats.deltas_refused);
                if no_room {
                    count(&mut self.cx.stats.state_refused);
                }
                if !no_room && self.state.is_stuck(slot) {
                    self.begin_anew(slot, peer, item.version, lane);
                }
            }
            Outcome::Gap => {
                count(&mut self.cx.stats.deltas_gapped);
                self.want(slot, peer, (item.version, 0), true);
            }
            Outcome::Taken { changed } => {
                count(&mut self.cx.stats.deltas_applied);
                if orphaned {
                    self.orphans.forget(slot);
                }
                self.on_state_changed(slot, changed);
                self.want_rest(item, slot, peer, upto, answer);
            }
        }
    }

    /// What is held of this member from different moments is too much together, so all of it is asked for again. Unasked it is
    /// no reason to drop anything: perhaps an answer fits. And where its owner may have more than this node, it ends as before,
    /// so that what is held stays, and is not what others have.
    fn begin_anew(&mut self, slot: u32, peer: u32, version: u32, lane: Option<usize>) {
        if !lane.is_some_and(|lane| self.fetch.asks_about(lane, slot)) {
            self.want(slot, peer, (version, 0), true);
        } else if self.orphans.begins_anew(&self.cx) {
            let visible = self.state.forget(slot);
            self.on_state_changed(slot, visible);
            self.want(slot, peer, (version, 0), true);
        }
    }

    /// What found no room in a datagram of news, or was too much of one, is asked for. What an answer has not brought
    /// still is.
    fn want_rest(&mut self, item: &StateItem<'_>, slot: u32, peer: u32, upto: u32, answer: bool) {
        let (version, gc) = self.state.progress(slot);
        if !answer && upto < item.version && item.version > version && item.version >= gc {
            self.want(slot, peer, (item.version, 0), true);
        }
    }

    fn apply_rumor(&mut self, rumor: &Rumor<'_>, peer: u32, news: bool, known: bool) {
        let RumorId { origin, epoch, seq } = rumor.id;
        if origin == self.cx.me {
            count(&mut self.cx.stats.rumors_known);
            if news && self.counts_receivers() && self.feedback.len() < FEEDBACK_MAX {
                self.feedback.push((rumor.id, true));
            }
            return self.on_own_shown(epoch, 0, seq);
        }
        let Some((slot, row)) = self.table.find_row(origin) else {
            count(&mut self.cx.stats.rumors_unknown);
            return;
        };
        let life = row.status.incarnation().epoch();
        let now = self.driver_now();
        let offer = self.rumors.offer((slot, life), rumor, known, now, &mut self.cx);
        if offer == Offer::Ahead {
            self.want(slot, peer, (0, self.rumors.last(slot).saturating_add(1)), false);
        }
        let answered = news && self.counts_receivers() && self.feedback.len() < FEEDBACK_MAX;
        if answered && matches!(offer, Offer::New | Offer::Known) {
            self.feedback.push((rumor.id, offer == Offer::Known));
        }
        if matches!(offer, Offer::New | Offer::Stale) {
            self.remark(slot);
        }
        if offer == Offer::New {
            self.orphans.forget(slot);
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

    /// How far a peer is with some member.
    fn apply_summary(&mut self, s: &Summary, peer: u32, told: Told) {
        if s.id == self.cx.me {
            self.on_own_shown(s.epoch, s.version, s.last);
        }
        let Some(slot) = self.slot_in_life(s.id, s.epoch) else { return };
        if let Told::Answer(lane) = told {
            if lane.is_some_and(|lane| self.fetch.asks_about(lane, slot)) {
                // What whom I have asked keeps no more is not waited for.
                self.rumors.close(slot, s.epoch, s.floor, &mut self.cx);
                self.remark(slot);
            }
            return;
        }
        let (version, last) = (self.state.version(slot), self.rumors.last(slot));
        let holes = self.rumors.digest(slot).0 < last;
        // Where each of two is ahead in something, once is enough: what is asked for already was told, too.
        let was_told = self.fetch.is_wanted(slot);
        // Of my own nothing is wanted. Whoever lacks something of it is told like of any other: perhaps nobody else has it.
        let lacks = slot != ME && (s.version > version || s.last > last || holes && s.last > 0);
        if lacks && !self.ask_about(slot, peer, (s.version, s.last)) {
            return;
        }
        if !was_told {
            self.tell_back(s, slot, told == Told::Page);
        }
    }

    /// Of the dead nothing is asked before it may be. Who lacks something and does not ask does not tell in turn, either, or
    /// two of whom each is ahead in something would tell each other without end.
    fn ask_about(&mut self, slot: u32, peer: u32, ahead: (u32, u32)) -> bool {
        let gone = self.is_gone(slot);
        if gone && !self.orphans.may_ask(slot, &self.cx) {
            return false;
        }
        let was_wanted = self.fetch.is_wanted(slot);
        self.want(slot, peer, ahead, false);
        if gone && !was_wanted && self.fetch.is_wanted(slot) {
            self.orphans.on_asked(slot, &self.cx);
        }
        true
    }

    pub(super) fn is_gone(&self, slot: u32) -> bool {
        self.table.row(slot).is_some_and(|row| !row.status.is_live())
    }

    /// Whoever is behind with a member is told, and asks for the rest. With the same versions and numbers, and yet other
    /// marks, one of us misses a rumor; whether it is the other, the other knows, and it is told once per page, so that this
    /// does not go to and fro.
    fn tell_back(&mut self, s: &Summary, slot: u32, page: bool) {
        let (version, last) = (self.state.version(slot), self.rumors.last(slot));
        let holes = page && last == s.last && self.rumors.digest(slot).0 > s.floor;
        let behind = version > s.version || last > s.last || holes;
        if behind {
            tell_of(&mut self.to_tell, slot);
        }
    }

    /// Somebody shows more of this life of mine than I have written: another life of mine has had this epoch.
    fn on_own_shown(&mut self, epoch: u32, version: u32, seq: u32) {
        let mine = self.table.me().status.incarnation();
        let ahead = version > self.state.version(ME) || seq > self.rumors.last(ME);
        if epoch == mine.epoch() && ahead {
            self.take_next_epoch(&wire::Item::status(self.cx.me, Status::alive(mine)), false);
        }
    }

    /// The member of this id, if this is the life in which it is known.
    fn slot_in_life(&self, id: NodeId, epoch: u32) -> Option<u32> {
        let row = self.table.find_row(id).filter(|(_, row)| row.status.incarnation().epoch() == epoch);
        row.map(|(slot, _)| slot)
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
            count(&mut self.cx.stats.claims_from_strangers);
        } else if self.budget.allows(false, &self.cx) {
            self.cx.send(Intent { what: What::Delta { nonce }, ..answer });
        } else {
            count(&mut self.cx.stats.digests_refused);
        }
    }

    pub(super) fn on_delta(&mut self, from: Addr, frame: &Frame<'_>, nonce: u32) {
        let Some(lane) = self.fetch.lane_of(from, frame.sender, nonce) else {
            count(&mut self.cx.stats.stray_acks);
            return;
        };
        let done = frame.summaries().filter_map(|s| self.table.find(s.id)).take(DIGEST_MAX);
        let done: SmallVec<[u32; DIGEST_MAX]> = done.collect();
        let (state, rumors) = (&self.state, &self.rumors);
        let has = |want: &Want| {
            let last = rumors.last(want.slot);
            state.version(want.slot) >= want.version && last >= want.last && rumors.digest(want.slot).0 == last
        };
        let how_far = |slot| progress(state, rumors, slot);
        self.fetch.on_delta(lane, how_far, |slot| done.contains(&slot), has, &self.cx);
        self.ask_on();
    }
}

fn progress(state: &State, rumors: &Rumors, slot: u32) -> Progress {
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
