//! States and rumors, written into a frame.
//!
//! They come behind everything else, in what is left of the datagram, of which a floor was kept free for them; of that,
//! rumors have a part that states leave. What does not fit at all waits for a follow-up of the gossip tick, which holds
//! nothing else: so no class starves, and neither does a rumor that fills a datagram by itself.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used, clippy::expect_used)]

use smallvec::SmallVec;

use super::Node;
use super::app::TELL_MAX;
use crate::config::Config;
use crate::fetch::DIGEST_MAX;
use crate::keyspace::{Change, KeyEntry, Keyspace};
use crate::members::Row;
use crate::mutation::Mutation;
use crate::outbox::{Intent, What};
use crate::stats::{count, count_all};
use crate::status::NodeId;
use crate::storage::{NONE, Take};
use crate::time::Instant;
use crate::wire::{self, APP_HASH_LEN, Digest, Frame, Message, StateEntry, StateHead, Summary, Writer};

/// What a small delta takes with the heads of section and item.
const STATE_FLOOR: usize = 96;

/// States and rumors that wait have one part in so many of what updates could fill.
const FLOOR_PART: usize = 3;

/// Members of whom an ack tells.
const ACK_MAX: usize = 16;

/// Each member that a digest asks about gets so much of its state, if it has it, before any gets more.
const FIRST_KEYS: usize = 160;

/// What stands in front of the items of a section, at most.
const SECTION_HEAD: usize = 4;

/// The longest time on the wire.
const TTL_MAX_MS: u64 = Config::TTL_MAX.as_millis() as u64;

impl Node {
    /// Bytes of this datagram that are kept free for what this module writes.
    pub(super) fn app_floor(&self, intent: &Intent, room: usize) -> usize {
        let hash = if self.table.app_hash() == 0 { 0 } else { APP_HASH_LEN };
        if !self.carries_news(intent) {
            return hash;
        }
        let states = if self.state.news() > 0 { STATE_FLOOR } else { 0 };
        self.rumors.largest_waiting().saturating_add(states).min(room / FLOOR_PART).max(hash)
    }

    fn carries_news(&self, intent: &Intent) -> bool {
        let kind = matches!(intent.what, What::Message(_) | What::Gossip | What::More { .. } | What::Farewell);
        kind && self.has_app_news() && self.table.get(intent.peer).is_some_and(|row| row.status.is_live())
    }

    /// The last sections of any frame; a ping's tell how far this node is with `orphan`. Says whether there is more in them than
    /// the hash.
    pub(super) fn put_app(&mut self, w: &mut Writer<'_>, intent: &Intent, orphan: Option<u32>) -> bool {
        let hash = self.table.app_hash();
        if hash != 0 {
            w.app_hash(hash);
        }
        let before = w.written();
        match intent.what {
            What::Message(Message::Ack { .. }) => self.put_summaries(w, self.to_tell.iter().take(ACK_MAX)),
            What::Message(Message::Ping { .. }) => self.put_summaries(w, orphan.iter()),
            _ => {}
        }
        match intent.what {
            What::More { round } => {
                // Rumors first: theirs may be one that needs all the room there is.
                let room = w.room();
                w.hold(self.rumors.largest_waiting().min(room));
                self.put_states(w, round);
                w.release();
                self.put_rumors(w, round);
            }
            What::Delta { nonce: _ } => self.put_delta(w),
            What::Page { .. } => self.put_summaries(w, self.to_tell.iter()),
            What::Summaries => {
                self.put_summaries(w, self.to_tell.iter().take(TELL_MAX));
                self.budget.spend(w.written());
            }
            What::Known => _ = w.known(self.feedback.iter().copied()),
            _ if self.carries_news(intent) => {
                self.round = self.round.wrapping_add(1).max(1);
                let half = w.room() / 2;
                w.hold(self.rumors.largest_waiting().min(half));
                let states = self.put_states(w, self.round);
                w.release();
                let rumors = self.put_rumors(w, self.round);
                // A follow-up is as long as can be, so none goes where an answer is bounded by what was sent.
                if intent.what == What::Gossip && intent.room == u16::MAX && !(states && rumors) {
                    let what = What::More { round: self.round };
                    self.cx.follow_up(Intent::to_member(intent.to, intent.peer, what));
                }
            }
            _ => {}
        }
        w.written() > before
    }

    /// What is news of states; `false` when some of it found no room.
    fn put_states(&mut self, w: &mut Writer<'_>, round: u32) -> bool {
        if self.state.news() == 0 || !w.open_states() {
            return self.state.news() == 0;
        }
        let (limit, now) = (self.limit(), self.driver_now());
        let (table, config, stats) = (&self.table, &self.cx.config, &mut self.cx.stats);
        let mut all = true;
        self.state.fill(limit, round, |slot, map, from| {
            let Some(row) = table.row(slot) else { return Take::Skip };
            let epoch = row.status.incarnation().epoch();
            let entries = map.behind(from).map(|entry| state_entry(&entry, now));
            let head = StateHead { id: row.id, epoch, version: map.version(), gc: told_gc(map, config), from };
            match w.state(&head, usize::MAX, entries).is_some() {
                true => {
                    count(&mut stats.deltas_sent);
                    Take::Taken
                }
                false => {
                    all = false;
                    Take::Skip
                }
            }
        });
        w.close_section();
        all
    }

    /// Rumors that are told; `false` when some of them found no room.
    fn put_rumors(&mut self, w: &mut Writer<'_>, round: u32) -> bool {
        if !self.rumors.has_hot() || !w.open_rumors() {
            return !self.rumors.has_hot();
        }
        let (live, now, mut all) = (self.table.live(), self.driver_now(), true);
        self.rumors.fill((live, round), now, &mut self.cx, |rumor| {
            if w.rumor(rumor) {
                return Take::Taken;
            }
            all = false;
            Take::Skip
        });
        w.close_section();
        all
    }

    /// A digest: how far this node is with the members of this lane.
    pub(super) fn put_digest(&self, w: &mut Writer<'_>, lane: u8) {
        let Some((nonce, slots)) = self.fetch.question(lane) else { return };
        let records = slots.filter_map(|slot| {
            let row = self.table.get(slot)?;
            let (version, gc) = self.state.progress(slot);
            let (floor, seen) = self.rumors.digest(slot);
            Some(Digest { id: row.id, epoch: row.status.incarnation().epoch(), version, gc, floor, seen })
        });
        w.digest(nonce, records);
    }

    /// What the digest which has just come lacks, a little of each member first.
    fn put_delta(&mut self, w: &mut Writer<'_>) {
        let Ok(frame) = Frame::parse(&self.asked) else { return };
        let Some(Message::Digest { nonce }) = frame.message else { return };
        let asked: SmallVec<[Asked; DIGEST_MAX]> = frame.digests().take(DIGEST_MAX).map(|d| self.asked_of(d)).collect();
        // Who lacks nothing that is kept is told so. A digest names 64 rumors behind the first that is lacking, so what is given
        // may all be known: then it helps that what is not kept need not be waited for.
        let told = asked.iter().filter(|a| !a.state && a.rumor == 0 || a.gone > a.digest.floor);
        w.summaries(told.map(|a| Summary { floor: a.gone, ..self.summary(a.slot, a.digest.id, a.digest.epoch) }));
        // What the first rumor takes. It is kept free every other time, so that one which needs more than half of the room does
        // not wait for as long as states are lacking, nor an entry that does for rumors.
        let first = asked.iter().map(|a| a.rumor).find(|&len| len > 0).unwrap_or(0);
        let (rumors, room, states_first) = (first > 0, w.room(), nonce & 1 == 1);
        let half = if rumors { room / 2 } else { 0 };
        w.hold(if states_first { half } else { half.max(first.saturating_add(SECTION_HEAD)).min(room) });
        let some = self.put_delta_states(w, &asked);
        w.release();
        if states_first && rumors && !some {
            self.put_delta_states(w, &asked);
        }
        if rumors && w.open_rumors() {
            for Asked { slot, digest: d, .. } in asked.iter().filter(|a| a.rumor > 0) {
                let mut sent = 0;
                self.rumors.visit_lacking(*slot, (d.floor, d.seen), self.driver_now(), &self.cx, |rumor| {
                    let fits = w.rumor(rumor);
                    sent = u64::saturating_add(sent, u64::from(fits));
                    fits
                });
                count_all(&mut self.cx.stats.rumors_sent, sent);
            }
            w.close_section();
        }
        self.budget.spend(w.written());
    }

    /// The states that are lacking, in equal parts; `false` when nothing of them finds room.
    fn put_delta_states(&mut self, w: &mut Writer<'_>, asked: &[Asked]) -> bool {
        let with_state = asked.iter().filter(|a| a.state).count();
        let (most, now) = (w.room().checked_div(with_state).unwrap_or(0).max(FIRST_KEYS), self.driver_now());
        if with_state == 0 || !w.open_states() {
            return false;
        }
        let mut some = false;
        for Asked { slot, digest: d, .. } in asked.iter().filter(|a| a.state) {
            let Some(map) = self.state.map(*slot) else { continue };
            let sent = put_state(w, d, map, (most, now), &self.cx.config);
            count_all(&mut self.cx.stats.deltas_sent, u64::from(sent));
            some |= sent;
        }
        w.close_section();
        some
    }

    /// What this node has for whoever asks about a member, in the life that it is about.
    fn asked_of(&self, digest: Digest) -> Asked {
        let of_life = |row: &Row| row.status.incarnation().epoch() == digest.epoch;
        let Some((slot, _)) = self.table.find_row(digest.id).filter(|(_, row)| of_life(row)) else {
            return Asked { slot: NONE, digest, state: false, rumor: 0, gone: 0 };
        };
        let (mut rumor, mut gone) = (0, self.rumors.digest(slot).0);
        self.rumors.visit_lacking(slot, (digest.floor, digest.seen), self.driver_now(), &self.cx, |first| {
            rumor = wire::rumor_len(first.topic.len(), first.payload.len());
            gone = gone.min(first.id.seq.saturating_sub(1));
            false
        });
        let state = self.state.map(slot).is_some_and(|map| map.since(digest.version, digest.gc).is_some());
        Asked { slot, digest, state, rumor, gone }
    }

    /// How far this node is with a member.
    fn summary(&self, slot: u32, id: NodeId, epoch: u32) -> Summary {
        let known = slot != NONE;
        let of = |value: fn(&Self, u32) -> u32| if known { value(self, slot) } else { 0 };
        Summary {
            id,
            epoch,
            version: of(|node, slot| node.state.version(slot)),
            last: of(|node, slot| node.rumors.last(slot)),
            floor: of(|node, slot| node.rumors.kept_floor(slot)),
        }
    }

    /// A member that is gone and has left a state or a rumor, for a ping to a live one. No hash has what the dead have said, so
    /// without this nobody would find out who lacks some of it. Mostly there is none; else it is drawn by chance, and where
    /// states are very many, not every ping finds one.
    pub(super) fn orphan(&self, intent: &Intent) -> Option<u32> {
        let What::Message(Message::Ping { nonce, .. }) = intent.what else { return None };
        let live = self.table.get(intent.peer).is_some_and(|row| row.status.is_live());
        if !live || self.table.len() == self.table.live() {
            return None;
        }
        let gone = |slot: u32| self.is_gone(slot);
        let (state, rumor) = (|| self.state.some_of(nonce, gone), || self.rumors.some_of(nonce, gone));
        // The highest bit, since the lowest ones say where it is looked for.
        if nonce >> 31 == 0 { state().or_else(rumor) } else { rumor().or_else(state) }
    }

    /// How far this node is with these members.
    fn put_summaries<'a>(&self, w: &mut Writer<'_>, of: impl ExactSizeIterator<Item = &'a u32>) {
        if of.len() == 0 || !w.open_summaries() {
            return;
        }
        for &slot in of {
            if let Some(row) = self.table.get(slot) {
                w.summary(&self.summary(slot, row.id, row.status.incarnation().epoch()));
            }
        }
        w.close_section();
    }
}

/// One member of a digest that is answered.
struct Asked {
    /// `NONE` when it is not known in the life that was asked about.
    slot: u32,
    digest: Digest,
    /// There is state that the asker lacks.
    state: bool,
    /// Bytes of the first kept rumor that it lacks, 0 where there is none.
    rumor: usize,
    /// All rumors up to this one were seen here, and of those that it lacks none is kept.
    gone: u32,
}

/// A delta for a holder that is so far. `false` when nothing of it fits.
fn put_state(
    w: &mut Writer<'_>,
    holder: &Digest,
    map: &Keyspace,
    (most, now): (usize, Instant),
    config: &Config,
) -> bool {
    let Some(since) = map.since(holder.version, holder.gc) else { return false };
    let newest = config.mutant(Mutation::AnswersNewestFirst);
    let from = if newest { map.tail(since.from, most) } else { since.from };
    let (id, epoch) = (holder.id, holder.epoch);
    let head = StateHead { id, epoch, version: map.version(), gc: told_gc(map, config), from };
    let entries = since.entries.skip_while(|entry| entry.version <= from);
    w.state(&head, most, entries.map(|entry| state_entry(&entry, now))).is_some()
}

fn told_gc(map: &Keyspace, config: &Config) -> u32 {
    if config.mutant(Mutation::DroppedTombstonesUntold) { 0 } else { map.gc() }
}

/// An entry as the wire has it: times are what is left of them.
fn state_entry<'a>(entry: &KeyEntry<'a>, now: Instant) -> StateEntry<'a> {
    let left = |at: Instant| at.micros_since(now).div_ceil(1_000).min(TTL_MAX_MS);
    let change = match entry.change {
        Change::Put { value, expires } => wire::Change::Put { value, ttl_ms: expires.map(left) },
        Change::Delete { purge_at } => wire::Change::Delete { ttl_ms: left(purge_at) },
    };
    StateEntry { version: entry.version, key: entry.key, change }
}
