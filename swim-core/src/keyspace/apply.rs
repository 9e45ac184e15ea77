//! A delta, applied whole or not at all.
//!
//! Its entries are staged in a buffer that all keyspaces share, and what goes is marked; when the result is too large, the
//! marks are taken back. Else what goes makes room first: so a map never has more room than for what it held at most, and
//! nothing is allocated once it has.

use alloc::vec::Vec;

use super::{
    CONFIRMED, Change, DROPPED, EXPIRED, KeyEntry, Keyspace, Record, TOMBSTONE, Tally, UNSEEN, append, compact, find,
    fits, records, reflag, set_flags, storable, tally,
};
use crate::time::Instant;

/// What another holder has told: what it has in (`from`, `upto`].
#[derive(Clone, Debug)]
pub(crate) struct Delta<I> {
    /// The version that the other holder has.
    pub(crate) version: u32,
    /// Its gc; at most `version`.
    pub(crate) gc: u32,
    /// Behind which version the entries are; 0 when this is all.
    pub(crate) from: u32,
    /// The version that they cover: `version`, or that of the last entry when there was no room for more.
    pub(crate) upto: u32,
    /// Ascending by version.
    pub(crate) entries: I,
}

/// What became of a delta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Applied {
    /// Nothing of it is new.
    Stale,
    /// Something before it is missing here: ask for it.
    Gap,
    /// It is not applied, and nothing has changed.
    Refused(Refusal),
    /// It is applied.
    Done {
        /// Something visible has changed.
        changed: bool,
        /// The version that was covered before.
        from: u32,
    },
}

/// Why a delta is not applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The result would be larger than a member's state may be.
    TooLarge,
    /// The states of all members would be larger than they may be together.
    NoRoom,
    /// It contradicts itself.
    Malformed,
}

/// What applying a delta comes to.
#[derive(Clone, Copy)]
struct Step {
    /// It starts a sweep.
    reset: bool,
    upto: u32,
    goal: u32,
    gc: u32,
    /// The goal is reached.
    settled: bool,
}

impl Step {
    /// Is this record, which was there before, as far as told not among what there is now?
    fn is_unseen(&self, r: &Record<'_>) -> bool {
        !r.is(CONFIRMED) && (self.reset || r.is(UNSEEN))
    }
}

impl Keyspace {
    /// Applies what another holder has told, if it follows what is here, and if the result is not too large: `live_max`
    /// bytes of keys and values, twice as many in all, and double both until the version of the other is reached; never more
    /// than `stored_max` bytes in all. What `staged` holds is overwritten.
    pub(crate) fn apply<'a, I>(
        &mut self,
        delta: Delta<I>,
        now: Instant,
        live_max: usize,
        stored_max: usize,
        staged: &mut Vec<u8>,
    ) -> Applied
    where
        I: Iterator<Item = KeyEntry<'a>>,
    {
        let Delta { version, gc, from, upto, entries } = delta;
        if gc > version || from > upto || upto > version {
            return Applied::Refused(Refusal::Malformed);
        }
        let reset = gc > self.gc.max(self.version);
        // Who has not reached my gc may have what was deleted up to there; in a sweep, that would be taken for seen.
        if !reset && (upto <= self.version || version < self.gc) {
            return Applied::Stale;
        }
        let start = if reset { 0 } else { self.version };
        if from > start {
            return Applied::Gap;
        }
        let goal = self.goal.max(version);
        let settled = upto == goal;
        // Also without a reset, the other's gc is mine when I have what it has: what it has forgotten, I need not keep.
        let gc = if reset || settled { gc.max(self.gc) } else { self.gc };
        let step = Step { reset, upto, goal, gc, settled };
        staged.clear();
        let fits = self.stage(staged, entries, (from, start, upto), now);
        if let Err(refusal) = fits.and_then(|()| self.fit(staged, &step, live_max, stored_max)) {
            reflag(&mut self.bytes, |_, r| r.flags & !(DROPPED | CONFIRMED));
            return Applied::Refused(refusal);
        }
        let from = self.version;
        Applied::Done { changed: self.commit(staged, &step), from }
    }

    /// Stages what is new, marks what it replaces, and confirms what is here already.
    fn stage<'a>(
        &mut self,
        staged: &mut Vec<u8>,
        entries: impl Iterator<Item = KeyEntry<'a>>,
        (from, start, upto): (u32, u32, u32),
        now: Instant,
    ) -> Result<(), Refusal> {
        let mut last = from;
        for e in entries {
            let (value, over): (&[u8], bool) = match e.change {
                Change::Put { value, expires } => (value, expires.is_some_and(|at| at <= now)),
                Change::Delete { .. } => (&[], false),
            };
            if e.version <= last || e.version > upto || !storable(e.key, value) {
                return Err(Refusal::Malformed);
            }
            last = e.version;
            if e.version > self.known {
                for bytes in [&mut self.bytes, &mut *staged] {
                    if let Some((at, flags)) = find(bytes, e.key.as_bytes()).map(|(at, r)| (at, r.flags)) {
                        set_flags(bytes, at, flags | DROPPED);
                    }
                }
                Record::of(&e, if over { EXPIRED } else { 0 }).write(staged);
            } else if e.version > start {
                // Covered before this sweep: what is not here was overwritten since, whoever still has it.
                if let Some((at, r)) = self.find(e.key.as_bytes()).filter(|(_, r)| r.version == e.version) {
                    let flags = r.flags | CONFIRMED;
                    set_flags(&mut self.bytes, at, flags);
                }
            }
        }
        Ok(())
    }

    /// Marks what goes at this step, and looks whether the rest may be here.
    fn fit(&mut self, staged: &mut [u8], step: &Step, live_max: usize, stored_max: usize) -> Result<(), Refusal> {
        let mark = |goes: bool, r: &Record<'_>| if goes { r.flags | DROPPED } else { r.flags };
        let forgotten = |r: &Record<'_>| step.settled && r.is(TOMBSTONE) && r.version <= step.gc;
        reflag(&mut self.bytes, |_, r| mark(step.settled && step.is_unseen(r) || forgotten(r), r));
        reflag(staged, |_, r| mark(forgotten(r), r));
        let new = tally(staged, true);
        let sum = |held: Tally| Tally { live: held.live + new.live, stored: held.stored + new.stored, ..held };
        let allowed = |sums: &Tally| sums.stored <= stored_max && fits(sums, live_max, step.settled);
        if allowed(&sum(tally(&self.bytes, true))) {
            return Ok(());
        }
        // What the sweep has passed and not seen is overwritten. It could have stayed until its successor comes.
        reflag(&mut self.bytes, |_, r| mark(step.is_unseen(r) && r.version <= step.upto, r));
        let sums = sum(tally(&self.bytes, true));
        match fits(&sums, live_max, step.settled) {
            true if allowed(&sums) => Ok(()),
            true => Err(Refusal::NoRoom),
            false => Err(Refusal::TooLarge),
        }
    }

    /// Makes it so; true when something visible changed.
    fn commit(&mut self, staged: &mut Vec<u8>, step: &Step) -> bool {
        let goes = records(&self.bytes).any(|(_, r)| r.is_visible() && r.is(DROPPED));
        let comes = records(staged).any(|(_, r)| r.is_visible() && !r.is(DROPPED));
        self.sweep = (self.sweep || step.reset) && !step.settled;
        let sweep = self.sweep;
        reflag(&mut self.bytes, |_, r| {
            let unseen = if sweep && step.is_unseen(r) { UNSEEN } else { 0 };
            r.flags & !(UNSEEN | CONFIRMED) | unseen
        });
        compact(&mut self.bytes);
        compact(staged);
        append(&mut self.bytes, staged);
        (self.version, self.goal, self.gc) = (step.upto, step.goal, step.gc);
        self.known = self.known.max(step.upto);
        self.recount();
        goes || comes
    }
}
