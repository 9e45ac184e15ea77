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

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::cx::Cx;
use crate::math::log2_q16;
use crate::members::ensure;
use crate::mutation::Mutation;
use crate::stats::{count, count_all};
use crate::status::NodeId;
use crate::storage::{NONE, Slots};
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
pub(crate) struct Suspicions {
    entries: Vec<Entry>,
    entries_max: usize,
    /// By slot: where its entry is, or `NONE`.
    place: Slots,
    /// The earliest `tell_at`, or what was until it was disarmed or confirmed.
    tell_next: Instant,
}

impl Suspicions {
    pub(crate) fn new(entries_max: usize) -> Self {
        Self { entries: Vec::with_capacity(entries_max), entries_max, place: Slots::new(), tell_next: Instant::NEVER }
    }

    pub(crate) fn grow(&mut self, slots: usize) {
        self.place.admit(self.entries_max);
        self.place.fill(slots);
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
    }

    fn entry(&self, slot: u32) -> Option<&Entry> {
        self.entries.get(self.place.get(slot as usize) as usize)
    }

    /// Begins anew for this slot, with no accuser yet. Returns the deadline, `live` members being around.
    pub(crate) fn arm(&mut self, slot: u32, live: usize, cx: &mut Cx) -> Instant {
        self.disarm(slot);
        count(&mut cx.stats.suspicions);
        if self.entries.len() < self.entries_max && (slot as usize) < self.place.len() {
            self.place.set(slot as usize, self.entries.len() as u32);
            let accusers = [NodeId::new(0); MAX_ACCUSERS];
            self.entries.push(Entry { slot, count: 0, started: cx.now, accusers, tell_at: Instant::NEVER });
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
        let place = self.place.get(slot as usize) as usize;
        if place < self.entries.len() {
            self.place.set(slot as usize, NONE);
            self.entries.swap_remove(place);
            if let Some(moved) = self.entries.get(place) {
                self.place.set(moved.slot as usize, place as u32);
            }
        }
    }

    /// Counts an accuser, unless it has been counted or K+1 have. The caller has made sure that it is a live member and
    /// not the accused. Tells whether it counts.
    pub(crate) fn confirm(&mut self, slot: u32, accuser: NodeId, cx: &mut Cx) -> bool {
        let enough = (cx.config.suspicion_confirmations + 1).min(MAX_ACCUSERS);
        let place = self.place.get(slot as usize);
        let Some(e) = self.entries.get_mut(place as usize) else { return false };
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
        let place = self.place.get(slot as usize);
        let Some(e) = self.entries.get_mut(place as usize) else { return };
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
            ensure(self.place.get(e.slot as usize) == i as u32, "a suspicion lost its place")?;
            ensure(usize::from(e.count) <= MAX_ACCUSERS, "more accusers than their bound")?;
            ensure(e.tell_at >= self.tell_next, "a suspicion would not be told again in time")?;
            ensure(e.tell_at == Instant::NEVER || e.count == 1, "what others confirm need not be told again")?;
        }
        let placed = self.place.iter().filter(|&p| p != NONE).count();
        ensure(placed == self.entries.len(), "a place without suspicion")
    }
}
