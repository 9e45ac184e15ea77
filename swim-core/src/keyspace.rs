//! One member's state: a small map of versioned entries, as its owner writes it and as the others hold it (Scuttlebutt:
//! van Renesse, Dumitriu, Gough, Thomas, "Efficient Reconciliation and Flow Control for Anti-Entropy Protocols", 2008).
//!
//! Every put and delete takes the owner's next version. A holder at version v has, of every key, the newest record up
//! to v, or none where that record has been overwritten behind v at whoever told it. So it is enough to tell a holder
//! what is behind its version, oldest first; and **a record whose version a holder has covered is never news to it**:
//! if the holder does not have it, it has been overwritten. That alone keeps what was deleted from returning, however
//! late a delta comes.
//!
//! A delete leaves a tombstone, which is purged in the end; `gc` is the newest version purged. Who has not reached it
//! may hold what nobody can tell it is deleted, and is *reset*: it is told all from version 0 on (a *sweep*), and when
//! it has reached the version that was promised (`goal`), it removes what was not among it. Meanwhile it can read what
//! it had. A holder that has not come to another's gc itself has nothing to tell it.
//!
//! Differs from the paper: it lets tombstones be. Within an epoch (gc, version) grows lexicographically, and nothing
//! else.
//!
//! The records lie packed in one vector, in the order of their versions, one per key. There is no index: a map has some
//! tens of kilobytes, and is read through in microseconds. Room that was needed once is kept, so a key that is written
//! again and again allocates nothing.

mod apply;
mod record;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use self::record::{
    CONFIRMED, DROPPED, EXPIRED, EXPIRES, Record, Records, TOMBSTONE, UNSEEN, append, compact, find, records, reflag,
    set_flags, set_version,
};
use crate::config::Config;
use crate::node::Entry;
use crate::time::Instant;

pub(crate) use self::apply::{Applied, Delta, Refusal};

/// Most bytes that an entry takes on the wire beside its key and value: version 5, lengths 1 and 2, remaining time 5.
const WIRE_HEAD: usize = 13;

/// A member's state, as far as this node has it. The owner's own is one that has no goal but what it has.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Keyspace {
    /// What is covered; in a sweep, by the sweep.
    version: u32,
    /// What was ever covered: `version` but in a sweep.
    known: u32,
    /// The newest version that whoever told me had. Until it is reached, an entry may be missing because a newer one,
    /// which has not come, overwrites it.
    goal: u32,
    /// The newest version of all tombstones that are gone.
    gc: u32,
    sweep: bool,
    /// Bytes of the keys and values that can be read.
    live_bytes: u32,
    /// The earliest time at which an entry or a tombstone ends.
    next_expiry: Instant,
    /// The records.
    bytes: Vec<u8>,
}

/// What became of a put or delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// It is so already.
    Same,
    /// It has the next version.
    Changed,
    /// There is no room for it beside the others.
    Full,
    /// There are no more versions in this epoch.
    Exhausted,
}

/// One change of one key, as holders tell it to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyEntry<'a> {
    /// The owner's version that made it.
    pub(crate) version: u32,
    /// 1 to [`Config::KEY_MAX`] bytes.
    pub(crate) key: &'a str,
    /// What was done.
    pub(crate) change: Change<'a>,
}

/// What was done to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change<'a> {
    /// It has this value.
    Put {
        /// At most [`Config::VALUE_MAX`] bytes.
        value: &'a [u8],
        /// It is hidden from this time on, which may be over.
        expires: Option<Instant>,
    },
    /// It is gone.
    Delete {
        /// When this can be forgotten; may be over.
        purge_at: Instant,
    },
}

/// What a holder lacks.
#[derive(Clone, Debug)]
pub(crate) struct Since<'a> {
    /// Behind which version the entries are: the holder's, or 0 for a reset.
    pub(crate) from: u32,
    /// The entries, ascending by version. All of them cover up to [`Keyspace::version`].
    pub(crate) entries: KeyEntries<'a>,
}

/// The entries behind a version, ascending.
#[derive(Clone, Debug)]
pub(crate) struct KeyEntries<'a> {
    records: Records<'a>,
    after: u32,
}

impl<'a> Iterator for KeyEntries<'a> {
    type Item = KeyEntry<'a>;

    fn next(&mut self) -> Option<KeyEntry<'a>> {
        let after = self.after;
        self.records.find(|(_, r)| r.version > after && !r.is(UNSEEN)).and_then(|(_, r)| r.key_entry())
    }
}

/// What a pass over the records adds up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tally {
    live: usize,
    stored: usize,
    tombstones: usize,
    next_expiry: Instant,
}

impl Default for Keyspace {
    fn default() -> Self {
        Self {
            version: 0,
            known: 0,
            goal: 0,
            gc: 0,
            sweep: false,
            live_bytes: 0,
            next_expiry: Instant::NEVER,
            bytes: Vec::new(),
        }
    }
}

/// As the owner writes, whose own map is always settled.
impl Keyspace {
    /// Writes an entry, if all of them then count at most `live_max` bytes: keys, values, and [`Config::ENTRY_COST`] each.
    pub(crate) fn put(&mut self, key: &str, value: &[u8], expires: Option<Instant>, live_max: usize) -> Written {
        if !storable(key, value) {
            return Written::Full;
        }
        let old = self.find(key.as_bytes());
        if old.is_some_and(|(_, r)| r.is_visible() && r.value == value && !r.is(EXPIRES) && expires.is_none()) {
            return Written::Same;
        }
        let Some(version) = self.goal.checked_add(1) else { return Written::Exhausted };
        let record = Record::of(&KeyEntry { version, key, change: Change::Put { value, expires } }, 0);
        let others: usize =
            records(&self.bytes).map(|(_, r)| r.cost()).sum::<usize>() - old.map_or(0, |(_, r)| r.cost());
        if others + record.cost() > live_max {
            return Written::Full;
        }
        let place = old.map(|(at, r)| at..at + r.len());
        if let Some(place) = place {
            self.bytes.drain(place);
        }
        record.write(&mut self.bytes);
        self.own(version);
        Written::Changed
    }

    /// Deletes an entry. Its tombstone lasts until `purge_at`, or until all tombstones take more than `tombstones_max`
    /// bytes, which is at most half of the bytes that keys and values may have: then the oldest go, so none ever
    /// blocks.
    pub(crate) fn delete(&mut self, key: &str, purge_at: Instant, tombstones_max: usize) -> Written {
        let Some((at, record)) = self.find(key.as_bytes()).filter(|(_, r)| !r.is(TOMBSTONE)) else {
            return Written::Same;
        };
        let place = at..at + record.len();
        let Some(version) = self.goal.checked_add(1) else { return Written::Exhausted };
        self.bytes.drain(place);
        Record::of(&KeyEntry { version, key, change: Change::Delete { purge_at } }, 0).write(&mut self.bytes);
        self.own(version);
        self.purge_beyond(tombstones_max);
        Written::Changed
    }

    /// All versions are used up. In another life the entries have the first ones, in the same order; tombstones are of this one.
    pub(crate) fn renumber(&mut self) {
        reflag(&mut self.bytes, |_, r| if r.is(TOMBSTONE) { r.flags | DROPPED } else { r.flags });
        compact(&mut self.bytes);
        let (mut version, mut at) = (0, 0);
        while let Some(len) = Record::at(&self.bytes, at).map(|r| r.len()) {
            version += 1;
            set_version(&mut self.bytes, at, version);
            at += len;
        }
        self.gc = 0;
        self.own(version);
    }

    /// I wrote up to this version, and there is none behind it.
    fn own(&mut self, version: u32) {
        (self.version, self.known, self.goal) = (version, version, version);
        self.recount();
    }

    fn purge_beyond(&mut self, tombstones_max: usize) {
        let mut excess = tally(&self.bytes, true).tombstones.saturating_sub(tombstones_max);
        if excess == 0 {
            return;
        }
        let gc = &mut self.gc;
        reflag(&mut self.bytes, |_, r| {
            if excess == 0 || !r.is(TOMBSTONE) {
                return r.flags;
            }
            excess = excess.saturating_sub(r.len());
            *gc = r.version.max(*gc);
            r.flags | DROPPED
        });
        compact(&mut self.bytes);
        self.recount();
    }
}

/// As time goes, and as readers see it.
impl Keyspace {
    /// What `now` is over ends: the `owner` writes tombstones in place of entries (until when these last, and how many
    /// bytes they may take, as in [`Self::delete`]); another holder hides them and keeps their records, which it still
    /// has to tell. Tombstones that have served are purged. True when something visible changed.
    pub(crate) fn on_due(&mut self, now: Instant, owner: Option<(Instant, usize)>) -> bool {
        if now < self.next_expiry {
            return false;
        }
        let (mut changed, mut at, end) = (false, 0, self.bytes.len());
        while let Some(record) = Record::at(&self.bytes, at).filter(|_| at < end) {
            let (len, flags, version) = (record.len(), record.flags, record.version);
            let over = record.is(EXPIRES) && record.ends <= now;
            if over && record.is_visible() {
                changed = true;
                match owner.zip(self.goal.checked_add(1)) {
                    Some(((purge_at, _), version)) => {
                        let key = SmallVec::<[u8; Config::KEY_MAX]>::from_slice(record.key);
                        set_flags(&mut self.bytes, at, flags | DROPPED);
                        let flags = TOMBSTONE | EXPIRES;
                        Record { version, flags, ends: purge_at, key: &key, value: &[] }.write(&mut self.bytes);
                        (self.version, self.known, self.goal) = (version, version, version);
                    }
                    None => set_flags(&mut self.bytes, at, flags | EXPIRED),
                }
            } else if over && record.is(TOMBSTONE) && self.is_settled() {
                set_flags(&mut self.bytes, at, flags | DROPPED);
                self.gc = self.gc.max(version);
            }
            at += len;
        }
        compact(&mut self.bytes);
        self.recount();
        if let Some((_, tombstones_max)) = owner {
            self.purge_beyond(tombstones_max);
        }
        changed
    }

    /// What is covered; in a sweep, by the sweep.
    pub(crate) fn version(&self) -> u32 {
        self.version
    }

    /// The newest version of all tombstones that are gone; greater than [`Self::version`] only in a sweep.
    pub(crate) fn gc(&self) -> u32 {
        self.gc
    }

    /// Is it being reset?
    pub(crate) fn is_sweeping(&self) -> bool {
        self.sweep
    }

    /// Is all here that there was at whoever told me? Until then no tombstone goes, since a reset by me would remove
    /// what I lack only because it has been overwritten behind my version. The owner's own always is.
    pub(crate) fn is_settled(&self) -> bool {
        self.version == self.goal
    }

    /// Bytes of the keys and values that can be read.
    #[cfg(test)]
    pub(crate) fn live_bytes(&self) -> usize {
        self.live_bytes as usize
    }

    /// Bytes of the records, tombstones included.
    pub(crate) fn stored_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// When [`Self::on_due`] has something to do; `NEVER` when nothing ends.
    pub(crate) fn next_expiry(&self) -> Instant {
        self.next_expiry
    }

    /// The entry of this key, unless it was deleted or is over.
    pub(crate) fn get(&self, key: &str) -> Option<Entry<'_>> {
        self.find(key.as_bytes()).and_then(|(_, r)| r.entry())
    }

    /// All entries that [`Self::get`] would find, ascending by version.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        records(&self.bytes).filter_map(|(_, r)| r.entry())
    }

    /// What a holder at this version and gc lacks. `None` when that is nothing, when the holder is being reset to what
    /// is not known here, or in the middle of a sweep, if it had to be told all: what has not been swept yet may be
    /// deleted.
    pub(crate) fn since(&self, version: u32, gc: u32) -> Option<Since<'_>> {
        let reset = self.gc > gc.max(version);
        if self.version <= version || self.version < gc.max(self.gc) || reset && self.sweep {
            return None;
        }
        let from = if reset { 0 } else { version };
        Some(Since { from, entries: self.behind(from) })
    }

    /// The least version from `from` on such that the entries behind it take at most `bytes_max` on the wire.
    pub(crate) fn tail(&self, from: u32, bytes_max: usize) -> u32 {
        let size = |e: &KeyEntry<'_>| {
            let value = if let Change::Put { value, .. } = e.change { value.len() } else { 0 };
            WIRE_HEAD + e.key.len() + value
        };
        let mut rest: usize = self.behind(from).map(|e| size(&e)).sum();
        let skipped = self.behind(from).take_while(|e| {
            let over = rest > bytes_max;
            rest -= if over { size(e) } else { 0 };
            over
        });
        skipped.last().map_or(from, |e| e.version)
    }

    /// Hands every key (`false`) and every value (`true`) to `f`, which may replace it by another of the same length.
    /// Empty values are left out. Different keys have to stay different.
    ///
    /// # Errors
    /// A key is no UTF-8 any more. The map cannot be used then.
    pub(crate) fn map_opaque(&mut self, f: &mut dyn FnMut(bool, &mut [u8])) -> Result<(), &'static str> {
        let mut at = 0;
        while let Some(record) = Record::at(&self.bytes, at) {
            let (key_at, key_len, len) = (at + record.head(), record.key.len(), record.len());
            let (key, value) = self.bytes[key_at..at + len].split_at_mut(key_len);
            f(false, key);
            core::str::from_utf8(key).map_err(|_| "keyspace: a key is not UTF-8")?;
            if !value.is_empty() {
                f(true, value);
            }
            at += len;
        }
        Ok(())
    }

    /// Every sum and every rule of the records against its plain meaning, with the `live_max` that deltas were applied
    /// with.
    pub(crate) fn check(&self, live_max: usize) -> Result<(), &'static str> {
        let Self { version, known, goal, gc, sweep, .. } = *self;
        if version > known || known > goal || gc > goal {
            return Err("keyspace: a version is beyond the one that bounds it");
        }
        let stands = if sweep { version < goal } else { version == known && gc <= version };
        if !stands {
            return Err("keyspace: a sweep is over, or was never begun");
        }
        self.check_records()?;
        let sums = tally(&self.bytes, self.is_settled());
        if sums.stored != self.bytes.len() {
            return Err("keyspace: there are bytes that are no record");
        }
        if sums.live != self.live_bytes as usize || sums.next_expiry != self.next_expiry {
            return Err("keyspace: a sum is not that of the records");
        }
        if fits(&sums, live_max, self.is_settled()) { Ok(()) } else { Err("keyspace: it is larger than it may be") }
    }

    fn check_records(&self) -> Result<(), &'static str> {
        let (mut last, mut keys) = (0, SmallVec::<[&str; 32]>::new());
        for (_, r) in records(&self.bytes) {
            let key = core::str::from_utf8(r.key).map_err(|_| "keyspace: a key is not UTF-8")?;
            if !storable(key, r.value) || r.is(TOMBSTONE) && !r.value.is_empty() {
                return Err("keyspace: a key or value is too long");
            }
            if r.flags & !(TOMBSTONE | EXPIRES | UNSEEN | EXPIRED) != 0
                || r.is(TOMBSTONE | EXPIRED) && !r.is(EXPIRES)
                || r.is(TOMBSTONE) && r.is(EXPIRED)
            {
                return Err("keyspace: flags that contradict each other");
            }
            if r.is(UNSEEN) && !self.sweep || r.version > if r.is(UNSEEN) { self.known } else { self.version } {
                return Err("keyspace: a record is not covered");
            }
            if r.version <= last {
                return Err("keyspace: the records are not in the order of their versions");
            }
            last = r.version;
            keys.push(key);
        }
        keys.sort_unstable();
        if keys.is_sorted_by(|a, b| a < b) { Ok(()) } else { Err("keyspace: a key has two records") }
    }

    pub(crate) fn behind(&self, after: u32) -> KeyEntries<'_> {
        KeyEntries { records: records(&self.bytes), after }
    }

    fn find(&self, key: &[u8]) -> Option<(usize, Record<'_>)> {
        find(&self.bytes, key)
    }

    fn recount(&mut self) {
        let sums = tally(&self.bytes, self.is_settled());
        (self.live_bytes, self.next_expiry) = (u32::try_from(sums.live).unwrap_or(u32::MAX), sums.next_expiry);
    }
}

/// Can a record hold this?
fn storable(key: &str, value: &[u8]) -> bool {
    (1..=Config::KEY_MAX).contains(&key.len()) && value.len() <= Config::VALUE_MAX
}

/// Adds the records up that stay; `purging`: tombstones end, too.
fn tally(bytes: &[u8], purging: bool) -> Tally {
    let mut sums = Tally { live: 0, stored: 0, tombstones: 0, next_expiry: Instant::NEVER };
    for (_, r) in records(bytes).filter(|(_, r)| !r.is(DROPPED)) {
        sums.live += r.live_bytes();
        sums.stored += r.len();
        sums.tombstones += if r.is(TOMBSTONE) { r.len() } else { 0 };
        if r.is_visible() || r.is(TOMBSTONE) && purging {
            sums.next_expiry = sums.next_expiry.min(r.ends);
        }
    }
    sums
}

/// May a map be as large? The owner's has `live_max` bytes of keys and values, and twice as many in all. A holder that
/// has not reached its goal may have what was deleted beside what came in its place, so twice that.
fn fits(sums: &Tally, live_max: usize, settled: bool) -> bool {
    let live_max = live_max.saturating_mul(if settled { 1 } else { 2 });
    sums.live <= live_max && sums.stored <= live_max.saturating_mul(2)
}
