//! What the members say about themselves in keys and values: one [`Keyspace`] each, which of them are news, and when
//! entries in them vanish.
//!
//! Only the owner writes a keyspace; the others hold copies, each as far as it has come. What is news is told as a *delta*
//! from where the news began, least told first (Scuttlebutt's order within each: gap-free, oldest first; van Renesse et
//! al., LADIS 2008, section 3). A delta too large to be told to everybody is announced by its version alone, and whoever is
//! behind asks for it: so what is large goes to each member once, and not as often as gossip repeats itself.
//!
//! A member without state costs nothing here. Times are the driver's: a value whose time is over while this node sleeps is
//! over when it wakes.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::cx::Cx;
use crate::keyspace::{Applied, Delta, KeyEntry, Keyspace, Refusal, Written};
use crate::members::{ME, ensure};
use crate::mutation::Mutation;
use crate::storage::{Buckets, Deadlines, NONE, Slab, Slots, Take};
use crate::time::{Instant, micros};

/// What a delta's entries may take, about, to be told to everybody: a few small ones. Larger ones are announced.
const EAGER_MAX: usize = 256;

/// Keyspaces that may be passed over per datagram.
const SKIPS_MAX: usize = 8;

/// Tombstones of an owner take at most one part in so many of `Config::state_bytes`; then the oldest go early.
const TOMBSTONES_PART: usize = 4;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Held {
    slot: u32,
    /// The news began behind this version.
    from: u32,
    /// The round of gossip in which it was put into a datagram last.
    round: u32,
    map: Keyspace,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct State {
    /// By slot: the place of its keyspace, or `NONE`. Empty until there is one.
    places: Slots,
    held: Slab<Held>,
    /// By place: whose state is news.
    news: Buckets,
    /// By place: when the next entry vanishes.
    deadlines: Deadlines,
    /// Bytes of all keyspaces.
    stored: usize,
    /// Entries of the delta that is being taken over.
    #[serde(skip)]
    staged: Vec<u8>,
}

/// What became of a delta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All of it was known.
    Stale,
    /// It begins behind what is known here.
    Gap,
    /// Beyond what a state may have; `no_room`: beyond what all may have together.
    Refused { no_room: bool },
    /// Taken over; something can be seen of it, or not.
    Taken { changed: bool },
}

impl State {
    pub(crate) fn new() -> Self {
        Self {
            places: Slots::new(),
            held: Slab::new(0),
            news: Buckets::new(),
            deadlines: Deadlines::new(),
            stored: 0,
            staged: Vec::new(),
        }
    }

    // --- reading

    fn place(&self, slot: u32) -> Option<u32> {
        let known = (slot as usize) < self.places.len();
        known.then(|| self.places.at(slot as usize)).filter(|&place| place != NONE)
    }

    fn held(&self, slot: u32) -> Option<&Held> {
        self.held.get(self.place(slot)?)
    }

    /// What is held of this member's state.
    pub(crate) fn map(&self, slot: u32) -> Option<&Keyspace> {
        self.held(slot).map(|held| &held.map)
    }

    /// How far: versions up to which it is held, and up to which purged tombstones are accounted for.
    pub(crate) fn progress(&self, slot: u32) -> (u32, u32) {
        self.map(slot).map_or((0, 0), |map| (map.version(), map.gc()))
    }

    pub(crate) fn version(&self, slot: u32) -> u32 {
        self.progress(slot).0
    }

    /// Is this member's state still told?
    pub(crate) fn is_news(&self, slot: u32) -> bool {
        self.place(slot).is_some_and(|place| self.news.contains(place))
    }

    /// Is what is held of this member on its way to another version, but not by a reset?
    pub(crate) fn is_stuck(&self, slot: u32) -> bool {
        self.map(slot).is_some_and(|map| map.version() > 0 && !map.is_settled() && !map.is_sweeping())
    }

    /// Members whose state is news.
    pub(crate) fn news(&self) -> usize {
        self.news.len()
    }

    /// Bytes of all keyspaces.
    pub(crate) fn stored(&self) -> usize {
        self.stored
    }

    /// When the next entry vanishes, in the driver's time.
    pub(crate) fn next_deadline(&self) -> Instant {
        self.deadlines.peek().map_or(Instant::NEVER, |(at, _)| at)
    }

    // --- writing

    /// Writes an entry of this node's own. `now` is the driver's time.
    pub(crate) fn put(&mut self, key: &str, value: &[u8], expires: Option<Instant>, cx: &Cx) -> Written {
        let live_max = cx.config.state_bytes;
        self.write(|map| map.put(key, value, expires, live_max))
    }

    /// Deletes an entry of this node's own.
    pub(crate) fn delete(&mut self, key: &str, now: Instant, cx: &Cx) -> Written {
        if self.place(ME).is_none() {
            return Written::Same;
        }
        let (purge_at, tombstones_max) = tombstones(now, cx);
        self.write(|map| map.delete(key, purge_at, tombstones_max))
    }

    fn write(&mut self, write: impl FnOnce(&mut Keyspace) -> Written) -> Written {
        let place = self.take_place(ME);
        let Some(held) = self.held.get_mut(place) else { return Written::Full };
        let (before, version) = (held.map.stored_bytes(), held.map.version());
        let written = write(&mut held.map);
        let after = held.map.stored_bytes();
        self.account(place, before, after);
        if written == Written::Changed {
            self.enqueue(place, version);
        }
        written
    }

    /// Takes a delta over that somebody has of this member's state. `news`: it is to be told on.
    pub(crate) fn apply<'e>(
        &mut self,
        slot: u32,
        delta: Delta<impl Iterator<Item = KeyEntry<'e>>>,
        news: bool,
        now: Instant,
        cx: &Cx,
    ) -> Outcome {
        let place = self.take_place(slot);
        let Some(held) = self.held.get_mut(place) else { return Outcome::Refused { no_room: true } };
        let (before, version) = (held.map.stored_bytes(), held.map.version());
        let swept = held.map.is_sweeping();
        let from = if cx.mutant(Mutation::DeltaOverGap) { delta.from.min(version) } else { delta.from };
        let delta = Delta { from, ..delta };
        let left = cx.config.state_total.saturating_sub(self.stored);
        let applied = held.map.apply(delta, now, cx.config.state_bytes, before.saturating_add(left), &mut self.staged);
        let (after, reached) = (held.map.stored_bytes(), held.map.version());
        self.account(place, before, after);
        match applied {
            Applied::Stale => Outcome::Stale,
            Applied::Gap => Outcome::Gap,
            Applied::Refused(refusal) => Outcome::Refused { no_room: refusal == Refusal::NoRoom },
            Applied::Done { changed, .. } => {
                if news {
                    // After a reset it begins anew.
                    self.enqueue(place, if swept || reached < version { 0 } else { version });
                }
                self.hush(place);
                Outcome::Taken { changed }
            }
        }
    }

    /// An entry of some member vanishes, or the tombstone of one: whose, and whether something can be seen of it.
    pub(crate) fn on_due(&mut self, now: Instant, cx: &Cx) -> Option<(u32, bool)> {
        let (_, place) = self.deadlines.pop_due(now)?;
        let held = self.held.get_mut(place)?;
        let (slot, before, version) = (held.slot, held.map.stored_bytes(), held.map.version());
        let owner = (slot == ME).then(|| tombstones(now, cx));
        let changed = held.map.on_due(now, owner);
        let (after, written) = (held.map.stored_bytes(), held.map.version() != version);
        self.account(place, before, after);
        if written {
            self.enqueue(place, version);
        }
        Some((slot, changed))
    }

    /// The member is in another life, or gone: tells whether there was anything.
    pub(crate) fn forget(&mut self, slot: u32) -> bool {
        let Some(place) = self.place(slot) else { return false };
        self.news.remove(place);
        self.deadlines.cancel(place);
        self.places.set(slot as usize, NONE);
        let held = self.held.remove(place);
        let bytes = held.as_ref().map_or(0, |held| held.map.stored_bytes());
        self.stored = self.stored.saturating_sub(bytes);
        held.is_some_and(|held| held.map.iter().next().is_some())
    }

    /// The versions of this node's own state begin again at 1.
    pub(crate) fn renumber(&mut self) {
        if let Some(held) = self.place(ME).and_then(|place| self.held.get_mut(place)) {
            held.map.renumber();
            held.from = 0;
        }
    }

    /// Announces how far this node's copy has come, without any entry.
    pub(crate) fn announce(&mut self, slot: u32) {
        if let Some(place) = self.place(slot) {
            let version = self.version(slot);
            self.news.remove(place);
            self.enqueue(place, version);
            self.hush(place);
        }
    }

    /// As [`Self::announce`], for all members of which `of` holds.
    pub(crate) fn announce_all(&mut self, of: impl Fn(u32) -> bool) {
        for place in 0..self.held.slots() as u32 {
            if let Some(slot) = self.held.get(place).map(|held| held.slot).filter(|&slot| of(slot)) {
                self.announce(slot);
            }
        }
    }

    /// A member of which `of` holds, and whose state is held: see [`Slab::some_near`].
    pub(crate) fn some_of(&self, at: u32, of: impl Fn(u32) -> bool) -> Option<u32> {
        self.held.some_near(at, |held| (held.map.version() > 0 && of(held.slot)).then_some(held.slot))
    }

    // --- telling

    /// Offers what is news for a datagram of this round, least told first: whose, its keyspace, and the version behind which
    /// the delta begins, its own where it is only announced. What was put into a datagram of this round already is left out.
    pub(crate) fn fill(&mut self, limit: u8, round: u32, mut put: impl FnMut(u32, &Keyspace, u32) -> Take) {
        let held = &mut self.held;
        self.news.visit(limit, SKIPS_MAX, |place, _| {
            let Some(held) = held.get_mut(place).filter(|held| held.round != round) else { return Take::Skip };
            // Too much for everybody: only that it is there.
            let from = held.from.min(held.map.version());
            let whole = held.map.tail(from, EAGER_MAX) == from;
            let take = put(held.slot, &held.map, if whole { from } else { held.map.version() });
            if take == Take::Taken {
                held.round = round;
            }
            take
        });
    }

    /// Enough members have shown that they know all this.
    pub(crate) fn settle(&mut self, lasts: impl Fn(u32) -> bool) -> usize {
        let held = &self.held;
        self.news.retain(|place| held.get(place).is_some_and(|held| lasts(held.slot)))
    }

    // --- keeping

    fn take_place(&mut self, slot: u32) -> u32 {
        if let Some(place) = self.place(slot) {
            return place;
        }
        let place = self.held.insert(Held { slot, from: 0, round: 0, map: Keyspace::default() });
        let bound = self.held.slots();
        self.places.admit(bound);
        self.places.fill(slot as usize + 1);
        self.places.set(slot as usize, place);
        self.news.grow(bound);
        self.deadlines.grow(bound);
        place
    }

    /// The bytes of a keyspace were `before` and are `after`; its deadline may be another.
    fn account(&mut self, place: u32, before: usize, after: usize) {
        self.stored = self.stored.saturating_sub(before).saturating_add(after);
        let at = self.held.get(place).map_or(Instant::NEVER, |held| held.map.next_expiry());
        // The end of time is no deadline, so it is one microsecond before.
        self.deadlines.set(place, if at == Instant::NEVER { at } else { at.min(Instant::NEVER.minus_micros(1)) });
    }

    /// What is behind `from` is news, and told from the start again. What was news before still is.
    fn enqueue(&mut self, place: u32, from: u32) {
        let Some(held) = self.held.get_mut(place) else { return };
        held.from = if self.news.contains(place) { held.from.min(from) } else { from };
        held.round = 0;
        self.news.enqueue(place);
    }

    /// What has not been swept up to its gc may be deleted, so nobody is told of it. When the sweep is over it is news anew.
    fn hush(&mut self, place: u32) {
        if self.held.get(place).is_some_and(|held| held.map.gc() > held.map.version()) {
            self.news.remove(place);
        }
    }

    /// Takes the room again that a restored copy lacks.
    pub(crate) fn reserve(&mut self) {
        self.news.grow(self.held.slots());
        self.deadlines.grow(self.held.slots());
    }

    /// Every index against its plain meaning.
    pub(crate) fn check(&self, is_member: impl Fn(u32) -> bool, config: &Config) -> Result<(), &'static str> {
        self.news.check()?;
        self.deadlines.check()?;
        let (mut stored, mut news, mut due) = (0_usize, 0, 0);
        for (place, held) in self.held.iter() {
            let told = self.news.contains(place);
            ensure(!told || held.map.gc() <= held.map.version(), "what is told can be told")?;
            ensure(is_member(held.slot), "a state is a member's")?;
            ensure(self.place(held.slot) == Some(place), "a state is at its place")?;
            held.map.check(config.state_bytes)?;
            ensure(held.slot != ME || held.map.is_settled(), "nothing of my own state is missing")?;
            ensure(
                held.map.next_expiry() != Instant::NEVER || self.deadlines.get(place).is_none(),
                "no deadline in vain",
            )?;
            ensure(
                held.map.next_expiry() == Instant::NEVER || self.deadlines.get(place).is_some(),
                "a deadline for it",
            )?;
            stored = stored.saturating_add(held.map.stored_bytes());
            news += usize::from(told);
            due += usize::from(self.deadlines.get(place).is_some());
        }
        let placed = (0..self.places.len()).filter(|&slot| self.places.at(slot) != NONE).count();
        ensure(placed == self.held.len(), "one place per state")?;
        ensure(news == self.news.len() && due == self.deadlines.len(), "news and deadlines are of states")?;
        ensure(stored == self.stored, "the bytes of all states are counted")?;
        let mine = self.map(ME).map_or(0, Keyspace::stored_bytes);
        ensure(stored.saturating_sub(mine) <= config.state_total, "the states of all others are bounded")
    }

    /// Rewrites keys (`false`) and values (`true`) in place.
    pub(crate) fn map_opaque(&mut self, map: &mut dyn FnMut(bool, &mut [u8])) -> Result<(), &'static str> {
        for place in 0..self.held.slots() as u32 {
            if let Some(held) = self.held.get_mut(place) {
                held.map.map_opaque(map)?;
            }
        }
        Ok(())
    }
}

/// When a tombstone written now goes, and how many bytes of them an owner keeps.
fn tombstones(now: Instant, cx: &Cx) -> (Instant, usize) {
    let purge_at = now.plus_micros(micros(cx.config.tombstone_ttl));
    (purge_at, cx.config.state_bytes / TOMBSTONES_PART)
}
