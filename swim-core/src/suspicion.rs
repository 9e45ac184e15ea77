//! Suspicions: who accused whom, and until when the accused may refute (Lifeguard §III-B).
//!
//! Every hearer runs a timer. It starts at the longest time-out and shrinks with each independent confirmation:
//!
//! > max(Min, Max − (Max − Min)·ln(C+1)/ln(K+1))
//!
//! with C the accusers beyond the first, once each, known and live. A cluster too small for K confirmations needs as
//! many as it has. The number of counted suspicions is bounded; one beyond it runs for the longest time-out.
//!
//! A suspicion of this node's own that nobody confirms may be one that nobody has heard of: all its datagrams were lost,
//! or nobody listened to a node that all others held for dead. So it is told again as often as the shortest time-out
//! passes: the accused, if it lives, must hear of it before it is too late.

use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::cx::Cx;
use crate::hash::mix64;
use crate::math::log2_q16;
use crate::members::ensure;
use crate::mutation::Mutation;
use crate::stats::{count, count_all};
use crate::status::NodeId;
use crate::storage::{Index, NONE};
use crate::time::Instant;
use crate::wire::MAX_ACCUSERS;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    slot: u32,
    count: u8,
    started: Instant,
    accusers: [NodeId; MAX_ACCUSERS],
    /// When it is told again; `NEVER` unless this node alone accuses.
    tell_at: Instant,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub(crate) struct Suspicions {
    entries: Vec<Entry>,
    entries_max: usize,
    /// Where the entry of a slot is, by the slot's hash: hardly any slot has one.
    places: Index,
    /// Slots are below this.
    slots: usize,
    /// The earliest `tell_at`, or what was until it was disarmed or confirmed.
    tell_next: Instant,
}

/// How suspicions are written.
#[derive(Serialize, Deserialize)]
struct Stored {
    entries: Vec<Entry>,
    entries_max: usize,
    /// By slot: where its entry is, or `NONE`.
    place: Vec<u32>,
    tell_next: Instant,
}

impl From<Suspicions> for Stored {
    fn from(s: Suspicions) -> Self {
        let mut place = vec![NONE; s.slots];
        for (i, e) in s.entries.iter().enumerate() {
            if let Some(at) = place.get_mut(e.slot as usize) {
                *at = i as u32;
            }
        }
        Self { entries: s.entries, entries_max: s.entries_max, place, tell_next: s.tell_next }
    }
}

impl TryFrom<Stored> for Suspicions {
    type Error = &'static str;

    fn try_from(Stored { entries, entries_max, place, tell_next }: Stored) -> Result<Self, Self::Error> {
        let at = |slot: u32| place.get(slot as usize).copied().unwrap_or(NONE);
        ensure(entries.iter().zip(0..).all(|(e, i)| at(e.slot) == i), "a suspicion lost its place")?;
        ensure(place.iter().filter(|&&p| p != NONE).count() == entries.len(), "a place without suspicion")?;
        let mut suspicions = Self { entries, entries_max, places: Index::default(), slots: place.len(), tell_next };
        suspicions.place_all(suspicions.entries.len());
        Ok(suspicions)
    }
}

impl Suspicions {
    pub(crate) fn new(entries_max: usize) -> Self {
        let mut suspicions = Self {
            entries: Vec::with_capacity(entries_max),
            entries_max,
            places: Index::default(),
            slots: 0,
            tell_next: Instant::NEVER,
        };
        suspicions.place_all(entries_max);
        suspicions
    }

    /// Builds the table of places, with room for so many: twice as much, so that it is never made larger for the traces of
    /// those that are gone.
    fn place_all(&mut self, room: usize) {
        self.places = Index::with_capacity(2 * room);
        let entries = &self.entries;
        (0..entries.len() as u32).for_each(|place| self.places.insert(place, |p| hash_at(entries, p)));
    }

    pub(crate) fn grow(&mut self, slots: usize) {
        self.slots = self.slots.max(slots);
    }

    /// Suspicions whose confirmations are counted.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_tracked(&self, slot: u32) -> bool {
        self.entry(slot).is_some()
    }

    /// Takes the room again that a restored copy lacks.
    pub(crate) fn reserve(&mut self) {
        self.entries.reserve_exact(self.entries_max.saturating_sub(self.entries.len()));
        self.place_all(self.entries_max);
    }

    /// Where the entry of this slot is.
    fn place(&self, slot: u32) -> Option<usize> {
        let is = |place: u32| self.entries.get(place as usize).is_some_and(|e| e.slot == slot);
        self.places.find(hash(slot), is).map(|place| place as usize)
    }

    fn entry(&self, slot: u32) -> Option<&Entry> {
        self.place(slot).and_then(|place| self.entries.get(place))
    }

    /// Begins anew for this slot, with no accuser yet. Returns the deadline, `live` members being around.
    pub(crate) fn arm(&mut self, slot: u32, live: usize, cx: &mut Cx) -> Instant {
        self.disarm(slot);
        count(&mut cx.stats.suspicions);
        if self.entries.len() < self.entries_max && (slot as usize) < self.slots {
            let accusers = [NodeId::new(0); MAX_ACCUSERS];
            self.entries.push(Entry { slot, count: 0, started: cx.now, accusers, tell_at: Instant::NEVER });
            let entries = &self.entries;
            self.places.insert(entries.len() as u32 - 1, |p| hash_at(entries, p));
        } else {
            count(&mut cx.stats.suspicions_untracked);
        }
        self.deadline(slot, live, cx)
    }

    #[inline]
    pub(crate) fn disarm(&mut self, slot: u32) {
        if !self.entries.is_empty() {
            self.drop_entry(slot);
        }
    }

    fn drop_entry(&mut self, slot: u32) {
        let (Some(place), Some(last)) = (self.place(slot), self.entries.len().checked_sub(1)) else { return };
        self.places.remove(place as u32, hash(slot));
        self.places.remove(last as u32, hash_at(&self.entries, last as u32));
        self.entries.swap_remove(place);
        if place < last {
            let entries = &self.entries;
            self.places.insert(place as u32, |p| hash_at(entries, p));
        }
    }

    /// Counts an accuser, unless it has been counted or K+1 have. The caller has made sure that it is a live member and
    /// not the accused. Tells whether it counts.
    pub(crate) fn confirm(&mut self, slot: u32, accuser: NodeId, cx: &mut Cx) -> bool {
        let enough = (cx.config.suspicion_confirmations + 1).min(MAX_ACCUSERS);
        let Some(e) = self.place(slot).and_then(|place| self.entries.get_mut(place)) else { return false };
        let count = usize::from(e.count);
        if count >= enough || e.accusers[..count].contains(&accuser) {
            return false;
        }
        e.accusers[count] = accuser;
        e.count += 1;
        e.tell_at = Instant::NEVER;
        count_all(&mut cx.stats.confirmations, u64::from(count > 0));
        true
    }

    #[inline]
    pub(crate) fn accusers(&self, slot: u32) -> &[NodeId] {
        if self.entries.is_empty() {
            return &[];
        }
        self.entry(slot).map_or(&[], |e| &e.accusers[..usize::from(e.count)])
    }

    /// When the accused is dead if it does not refute.
    pub(crate) fn deadline(&self, slot: u32, live: usize, cx: &Cx) -> Instant {
        let (min, max) = cx.config.suspicion_micros(live as u64);
        let Some(e) = self.entry(slot) else { return cx.now.plus_micros(max) };
        // Those who could confirm: everybody but the accused and its first accuser.
        let k = cx.config.suspicion_confirmations.min(live.saturating_sub(2)) as u64;
        let first = if cx.mutant(Mutation::FirstAccuserConfirms) { 0 } else { 1 };
        let c = u64::from(e.count).saturating_sub(first).min(k);
        let span = if k == 0 {
            min
        } else {
            let shrink = u128::from(max - min) * u128::from(log2_q16(c + 1)) / u128::from(log2_q16(k + 1));
            max.saturating_sub(shrink as u64).max(min)
        };
        e.started.plus_micros(span)
    }

    /// This node has just accused; while nobody else does, it says so again.
    pub(crate) fn on_accused(&mut self, slot: u32, live: usize, cx: &Cx) {
        let Some(e) = self.place(slot).and_then(|place| self.entries.get_mut(place)) else { return };
        if cx.config.suspicion_retell && e.count == 1 && e.accusers[0] == cx.me && e.tell_at == Instant::NEVER {
            e.tell_at = cx.now.plus_micros(cx.config.suspicion_micros(live as u64).0);
            self.tell_next = self.tell_next.min(e.tell_at);
        }
    }

    /// When a suspicion is to be told again.
    pub(crate) fn tell_at(&self) -> Instant {
        self.tell_next
    }

    /// A slot whose suspicion is to be told again now, if there is one.
    pub(crate) fn pop_untold(&mut self, live: usize, cx: &Cx) -> Option<u32> {
        let due = self.entries.iter_mut().find(|e| e.tell_at <= cx.now).map(|e| {
            e.tell_at = cx.now.plus_micros(cx.config.suspicion_micros(live as u64).0);
            e.slot
        });
        self.tell_next = self.entries.iter().map(|e| e.tell_at).min().unwrap_or(Instant::NEVER);
        due
    }

    /// Every index against its plain meaning.
    pub(crate) fn check(&self, config: &Config) -> Result<(), &'static str> {
        ensure(self.entries_max == config.suspicions_max, "the bound of suspicions is the config's")?;
        ensure(self.entries.len() <= self.entries_max, "more suspicions than their bound")?;
        for (i, e) in self.entries.iter().enumerate() {
            ensure(self.place(e.slot) == Some(i) && (e.slot as usize) < self.slots, "a suspicion lost its place")?;
            ensure(usize::from(e.count) <= MAX_ACCUSERS, "more accusers than their bound")?;
            ensure(e.tell_at >= self.tell_next, "a suspicion would not be told again in time")?;
            ensure(e.tell_at == Instant::NEVER || e.count == 1, "what others confirm need not be told again")?;
        }
        ensure(self.places.len() == self.entries.len(), "a place without suspicion")
    }
}

fn hash(slot: u32) -> u64 {
    mix64(u64::from(slot))
}

fn hash_at(entries: &[Entry], place: u32) -> u64 {
    entries.get(place as usize).map_or(0, |e| hash(e.slot))
}
