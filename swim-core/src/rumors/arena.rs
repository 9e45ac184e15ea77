//! The rumors that are kept, by place: found by their id, gone through in the order in which they came, and those of one
//! origin by their numbers.
//!
//! Topics and payloads lie one behind the other in one buffer, in the order in which they came. What goes leaves a hole, and
//! when the buffer is full and a quarter of it holes, it is closed up: four bytes are moved per byte that comes in, and
//! a buffer per rumor, each as large as the largest that was ever in it, would be many times the bound. Places, buffer and
//! index grow with use and are then used again, so once warm no rumor allocates, and where there is none, nothing is
//! allocated.

use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use crate::hash::TableKey;
use crate::members::ensure;
use crate::node::Rumor;
use crate::status::{NodeId, RumorId};
use crate::storage::{Index, NONE, Slab};
use crate::time::{Instant, micros};
use crate::wire::{DecodeError, rumor_len};

/// From so many bytes on, the buffer of topics and payloads grows by an eighth. In less room it would be closed up more often.
const TEXT_LARGE: usize = 1_024;

/// A rumor but for its topic and payload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) id: RumorId,
    /// The origin's row.
    pub(super) slot: u32,
    pub(super) lamport: u64,
    /// When it came.
    pub(super) at: Instant,
    /// How old it was then, in microseconds.
    pub(super) aged: u64,
    topic: u8,
    payload: u32,
    /// The last round in which it was put into a datagram; 0 before the first.
    pub(super) round: u32,
    /// Receivers in a row that knew it.
    pub(super) knew: u8,
    #[serde(skip)]
    links: Links,
    /// In which input it came, while this one lasts.
    #[serde(skip)]
    pub(super) input: u64,
}

impl Kept {
    pub(super) fn new(item: &Rumor<'_>, slot: u32, at: Instant, input: u64) -> Self {
        let (topic, payload) = (item.topic.len() as u8, item.payload.len() as u32);
        let (id, lamport, aged, links) = (item.id, item.lamport, micros(item.age), Links::default());
        Self { id, slot, lamport, at, aged, topic, payload, round: 0, knew: 0, links, input }
    }

    /// Most bytes that it takes in a frame.
    pub(super) fn wire_len(&self) -> usize {
        rumor_len(usize::from(self.topic), self.payload as usize)
    }

    /// Bytes of topic and payload.
    pub(super) fn len(&self) -> usize {
        usize::from(self.topic) + self.payload as usize
    }
}

/// Where a rumor stands, all of which follows from the rest.
#[derive(Clone, Debug)]
struct Links {
    start: usize,
    /// The places of those that came before and after it.
    before: u32,
    after: u32,
    /// The places of its origin's next lower and higher.
    lower: u32,
    higher: u32,
}

impl Default for Links {
    fn default() -> Self {
        Self { start: 0, before: NONE, after: NONE, lower: NONE, higher: NONE }
    }
}

/// The kept rumors of one origin, by ascending numbers.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    lowest: u32,
    highest: u32,
    pub(super) len: usize,
    /// Bytes of topics and payloads.
    pub(super) bytes: usize,
}

impl Default for Chain {
    fn default() -> Self {
        Self { lowest: NONE, highest: NONE, len: 0, bytes: 0 }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Stored")]
pub(super) struct Arena {
    places: Slab<Kept>,
    text: Vec<u8>,
    /// Bytes of `text` that are not holes.
    bytes: usize,
    oldest: u32,
    newest: u32,
    index: Index,
    key: TableKey,
}

impl Arena {
    /// `key` places ids in the index.
    pub(super) fn new(key: TableKey) -> Self {
        let (places, text, index) = (Slab::new(0), Vec::new(), Index::default());
        Self { places, text, bytes: 0, oldest: NONE, newest: NONE, index, key }
    }

    /// Keeps a rumor that is not kept, behind all others in time, and in its place among those of its origin. The walk to it
    /// passes higher ones only, so it is no longer than the window.
    pub(super) fn insert(&mut self, kept: Kept, topic: &str, payload: &[u8], chain: &mut Chain) -> u32 {
        debug_assert_eq!((kept.topic as usize, kept.payload as usize), (topic.len(), payload.len()));
        let (hash, len) = (self.hash(kept.id), kept.len());
        let start = self.append(topic, payload);
        self.bytes += len;
        let place = self.places.insert(kept);
        let (places, key) = (&self.places, self.key);
        self.index.insert(place, |p| places.get(p).map_or(hash, |k| hash_of(key, k.id)));
        self.follow(place, start);
        self.chain(place, chain);
        place
    }

    /// Puts a place in among those of its origin.
    pub(super) fn chain(&mut self, place: u32, chain: &mut Chain) {
        let Some((seq, len)) = self.places.get(place).map(|k| (k.id.seq, k.len())) else { return };
        let (mut lower, mut higher) = (chain.highest, NONE);
        while let Some(k) = self.places.get(lower).filter(|k| k.id.seq > seq) {
            (lower, higher) = (k.links.lower, lower);
        }
        match self.places.get_mut(lower) {
            Some(k) => k.links.higher = place,
            None => chain.lowest = place,
        }
        match self.places.get_mut(higher) {
            Some(k) => k.links.lower = place,
            None => chain.highest = place,
        }
        if let Some(k) = self.places.get_mut(place) {
            (k.links.lower, k.links.higher) = (lower, higher);
        }
        (chain.len, chain.bytes) = (chain.len + 1, chain.bytes + len);
    }

    /// Drops a rumor.
    pub(super) fn remove(&mut self, place: u32, chain: &mut Chain) {
        let Some(kept) = self.places.remove(place) else { return };
        self.index.remove(place, self.hash(kept.id));
        let Links { before, after, lower, higher, .. } = kept.links;
        match self.places.get_mut(before) {
            Some(k) => k.links.after = after,
            None => self.oldest = after,
        }
        match self.places.get_mut(after) {
            Some(k) => k.links.before = before,
            None => self.newest = before,
        }
        match self.places.get_mut(lower) {
            Some(k) => k.links.higher = higher,
            None => chain.lowest = higher,
        }
        match self.places.get_mut(higher) {
            Some(k) => k.links.lower = lower,
            None => chain.highest = lower,
        }
        self.bytes -= kept.len();
        (chain.len, chain.bytes) = (chain.len - 1, chain.bytes - kept.len());
    }

    pub(super) fn get_mut(&mut self, place: u32) -> Option<&mut Kept> {
        self.places.get_mut(place)
    }

    /// Replaces topics and payloads by others of the same length, oldest first, empty ones left out. Holes go, so nothing of
    /// what was replaced is left.
    pub(super) fn map_opaque(&mut self, f: &mut dyn FnMut(bool, &mut [u8])) -> Result<(), DecodeError> {
        self.close_up();
        let mut rest = self.text.as_mut_slice();
        let order = Order { places: &self.places, next: self.oldest };
        for k in order.filter_map(|p| self.places.get(p)) {
            let (topic, behind) = core::mem::take(&mut rest).split_at_mut(usize::from(k.topic));
            let (payload, behind) = behind.split_at_mut(k.payload as usize);
            for (is_payload, bytes) in [(false, &mut *topic), (true, payload)] {
                if !bytes.is_empty() {
                    f(is_payload, bytes);
                }
            }
            core::str::from_utf8(topic).map_err(|_| DecodeError::Value)?;
            rest = behind;
        }
        Ok(())
    }

    /// Builds the index, with this key.
    pub(super) fn place_by(&mut self, key: TableKey) {
        self.key = key;
        self.index = Index::with_capacity(self.places.len());
        let places = &self.places;
        for (place, _) in places.iter() {
            self.index.insert(place, |p| places.get(p).map_or(0, |k| hash_of(key, k.id)));
        }
    }

    /// All rumors' slots and places, so that chains can be built of them: each goes to the end of its own.
    pub(super) fn by_origin(&self) -> Vec<(u32, u32)> {
        let mut all: Vec<(u32, u32, u32)> = self.places.iter().map(|(p, k)| (k.slot, k.id.seq, p)).collect();
        all.sort_unstable();
        all.into_iter().map(|(slot, _, place)| (slot, place)).collect()
    }

    pub(super) fn get(&self, place: u32) -> Option<&Kept> {
        self.places.get(place)
    }

    /// The rumor at this place, and how old it is.
    pub(super) fn rumor(&self, place: u32, now: Instant) -> Option<Rumor<'_>> {
        let k = self.places.get(place)?;
        let (topic, payload) = self.text(k)?.split_at_checked(usize::from(k.topic))?;
        let age = Duration::from_micros(now.micros_since(k.at).saturating_add(k.aged));
        Some(Rumor { id: k.id, lamport: k.lamport, age, topic: core::str::from_utf8(topic).ok()?, payload })
    }

    /// Its topic, and behind that its payload.
    fn text(&self, k: &Kept) -> Option<&[u8]> {
        self.text.get(k.links.start..)?.get(..k.len())
    }

    pub(super) fn find(&self, id: RumorId) -> Option<u32> {
        self.index.find(self.hash(id), |place| self.places.get(place).is_some_and(|k| k.id == id))
    }

    /// The place of the one that came first.
    pub(super) fn oldest(&self) -> Option<u32> {
        Some(self.oldest).filter(|&place| place != NONE)
    }

    /// The places of an origin's, by ascending numbers.
    pub(super) fn of(&self, chain: &Chain) -> impl Iterator<Item = u32> {
        let next = |&place: &u32| self.places.get(place).map(|k| k.links.higher).filter(|&p| p != NONE);
        core::iter::successors(Some(chain.lowest).filter(|&p| p != NONE), next)
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Every place ever taken is below this.
    pub(super) fn places(&self) -> usize {
        self.places.slots()
    }

    /// Bytes of topics and payloads.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// See [`super::Rumors::some_of`].
    pub(super) fn some_of(&self, at: u32, of: impl Fn(u32) -> bool) -> Option<u32> {
        self.places.some_near(at, |kept| of(kept.slot).then_some(kept.slot))
    }

    /// The places in the order in which the rumors came.
    pub(super) fn order(&self) -> impl Iterator<Item = u32> {
        Order { places: &self.places, next: self.oldest }
    }

    /// Index and order against the places: none came later than now. What belongs to an origin is checked with it.
    pub(super) fn check(&self, now: Instant) -> Result<(), &'static str> {
        let (mut count, mut bytes, mut before, mut end, mut at) = (0, 0, NONE, 0, Instant::ORIGIN);
        for place in self.order() {
            let k = self.places.get(place).ok_or("a rumor's place is empty")?;
            (count, bytes) = (count + 1, bytes + k.len());
            ensure(count <= self.places.len(), "the rumors' order ends")?;
            ensure(k.links.before == before, "the rumors' order is linked both ways")?;
            ensure(k.links.start >= end && k.at >= at, "rumors lie in the order in which they came")?;
            ensure(self.rumor(place, now).is_some(), "a rumor has a topic and a payload")?;
            ensure(self.find(k.id) == Some(place), "a rumor is found by its id, and there once")?;
            (before, end, at) = (place, k.links.start + k.len(), k.at);
        }
        ensure(at <= now, "a rumor comes from the future")?;
        ensure(count == self.places.len() && before == self.newest, "all rumors are in their order")?;
        ensure(bytes == self.bytes && self.index.len() == count, "all rumors are counted")
    }

    /// The chain of an origin against the places.
    pub(super) fn check_chain(&self, chain: &Chain, slot: u32) -> Result<(), &'static str> {
        let (mut len, mut bytes, mut lower, mut last) = (0, 0, NONE, 0);
        for place in self.of(chain) {
            let k = self.places.get(place).ok_or("a rumor's place is empty")?;
            (len, bytes) = (len + 1, bytes + k.len());
            ensure(k.slot == slot && k.id.seq > last, "an origin's rumors ascend")?;
            ensure(k.links.lower == lower, "an origin's rumors are linked both ways")?;
            (lower, last) = (place, k.id.seq);
        }
        ensure((len, bytes, lower) == (chain.len, chain.bytes, chain.highest), "an origin's rumors are counted")
    }

    /// Takes its place behind all others in time.
    fn follow(&mut self, place: u32, start: usize) {
        let before = core::mem::replace(&mut self.newest, place);
        match self.places.get_mut(before) {
            Some(k) => k.links.after = place,
            None => self.oldest = place,
        }
        if let Some(k) = self.places.get_mut(place) {
            (k.links.start, k.links.before) = (start, before);
        }
    }

    /// Writes topic and payload behind all others; returns where.
    fn append(&mut self, topic: &str, payload: &[u8]) -> usize {
        let len = topic.len() + payload.len();
        let holes = self.text.len() - self.bytes;
        if self.text.len() + len > self.text.capacity() && holes > 0 && holes >= self.bytes / 4 {
            self.close_up();
        }
        let start = self.text.len();
        let now = self.text.capacity();
        if now < start + len {
            let more = if now < TEXT_LARGE { now } else { now / 8 };
            self.text.reserve_exact((start + len).max(now + more) - start);
        }
        self.text.extend_from_slice(topic.as_bytes());
        self.text.extend_from_slice(payload);
        start
    }

    /// Moves what is kept together.
    fn close_up(&mut self) {
        let (mut place, mut end) = (self.oldest, 0);
        while let Some(k) = self.places.get_mut(place) {
            let from = core::mem::replace(&mut k.links.start, end);
            self.text.copy_within(from..from + k.len(), end);
            (place, end) = (k.links.after, end + k.len());
        }
        self.text.truncate(end);
    }

    fn hash(&self, id: RumorId) -> u64 {
        hash_of(self.key, id)
    }

    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.text.capacity()
    }
}

fn hash_of(key: TableKey, id: RumorId) -> u64 {
    key.hash2(NodeId::as_u64(id.origin), u64::from(id.epoch) << 32 | u64::from(id.seq))
}

/// Places in the order in which the rumors came.
struct Order<'a> {
    places: &'a Slab<Kept>,
    next: u32,
}

impl Iterator for Order<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let k = self.places.get(self.next)?;
        Some(core::mem::replace(&mut self.next, k.links.after))
    }
}

/// Without holes, so that what is written does not tell what was dropped, nor when the buffer was last closed up.
impl Serialize for Arena {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let order: Vec<u32> = self.order().collect();
        let mut text = Vec::with_capacity(self.bytes);
        for kept in order.iter().filter_map(|&place| self.places.get(place)) {
            text.extend_from_slice(self.text(kept).unwrap_or_default());
        }
        let mut arena = serializer.serialize_struct("Arena", 3)?;
        arena.serialize_field("places", &self.places)?;
        arena.serialize_field("order", &order)?;
        arena.serialize_field("text", &text)?;
        arena.end()
    }
}

/// An arena as it was written, not yet believed.
#[derive(Deserialize)]
struct Stored {
    places: Slab<Kept>,
    order: Vec<u32>,
    text: Vec<u8>,
}

impl TryFrom<Stored> for Arena {
    type Error = &'static str;

    /// The index is built later, with the chains.
    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let Stored { places, order, text } = stored;
        let key = TableKey::default();
        let mut unlisted = vec![false; places.slots()];
        places.iter().for_each(|(place, _)| unlisted[place as usize] = true);
        let mut arena = Self { places, text, bytes: 0, oldest: NONE, newest: NONE, index: Index::default(), key };
        for place in order {
            match unlisted.get_mut(place as usize) {
                Some(new) if *new => *new = false,
                _ => return Err("rumors: a place of their order is empty, or listed twice"),
            }
            arena.follow(place, arena.bytes);
            arena.bytes = arena.bytes.saturating_add(arena.places.get(place).map_or(0, Kept::len));
        }
        ensure(!unlisted.contains(&true), "rumors: one is not in their order")?;
        ensure(arena.bytes == arena.text.len(), "rumors: their text is not as long as they are")?;
        Ok(arena)
    }
}
