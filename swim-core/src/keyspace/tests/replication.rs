//! One owner and three others, who take deltas from whomever: old ones, cut ones, twice, in any order.

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::sync::atomic::{AtomicUsize, Ordering};

use super::*;

const OTHERS: usize = 3;
const KEYS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
const LIVE: usize = 120;
const TOMBSTONES: usize = 60;

type Value = Vec<u8>;

/// A delta as it lies on the wire: times as what remains of them.
#[derive(Clone, Debug)]
struct Letter {
    head: (u32, u32, u32, u32),
    /// Version, key, value (none: deleted), remaining microseconds.
    entries: Vec<(u32, &'static str, Option<Value>, Option<u64>)>,
}

impl Letter {
    /// What `from` tells a holder at (version, gc), cut behind `room` entries.
    fn write(from: &Keyspace, version: u32, gc: u32, room: usize, now: Instant) -> Option<Self> {
        let since = from.since(version, gc)?;
        let mut upto = from.version();
        let mut entries = Vec::new();
        let mut lacking = since.entries.peekable();
        while let Some(e) = lacking.next() {
            let key = KEYS.into_iter().find(|k| *k == e.key).unwrap();
            let (value, ends) = match e.change {
                Change::Put { value, expires } => (Some(value.to_vec()), expires),
                Change::Delete { purge_at } => (None, Some(purge_at)),
            };
            entries.push((e.version, key, value, ends.map(|at| at.micros_since(now))));
            if entries.len() == room && lacking.peek().is_some() {
                upto = e.version;
                break;
            }
        }
        Some(Self { head: (from.version(), from.gc(), since.from, upto), entries })
    }

    fn apply(&self, to: &mut Keyspace, now: Instant) -> Applied {
        let (version, gc, from, upto) = self.head;
        let entries = self.entries.iter().map(|(version, key, value, ends)| {
            let ends = ends.map(|micros| now.plus_micros(micros));
            let change = match value {
                Some(value) => Change::Put { value, expires: ends },
                None => Change::Delete { purge_at: ends.unwrap() },
            };
            KeyEntry { version: *version, key, change }
        });
        to.apply(Delta { version, gc, from, upto, entries }, now, LIVE, usize::MAX, &mut Vec::new())
    }
}

/// What a holder must never go back on.
#[derive(Default)]
struct Past {
    versions: (u32, u32),
    /// For each key, the newest deletion that the holder had passed, not being reset, when it did not show the key.
    deleted: BTreeMap<&'static str, u32>,
    /// What it has shown or could have: the newest version covered, and what was shown then.
    covered: u32,
    shown: Vec<(String, u32)>,
}

struct World {
    now: Instant,
    /// The owner is the first.
    holders: Vec<Keyspace>,
    past: Vec<Past>,
    /// All that was ever written, by version; no value is a deletion.
    history: BTreeMap<u32, (&'static str, Option<Value>)>,
    letters: Vec<Letter>,
    /// How often there was a reset that was cut, a reset, a gap, a stale delta, one too large, a purge by another.
    seen: [usize; 6],
}

impl World {
    fn new() -> Self {
        Self {
            now: at(1),
            holders: vec![Keyspace::default(); OTHERS + 1],
            past: (0..=OTHERS).map(|_| Past::default()).collect(),
            history: BTreeMap::new(),
            letters: Vec::new(),
            seen: [0; 6],
        }
    }

    fn put(&mut self, key: &'static str, value: &[u8], ttl: Option<u64>) {
        let expires = ttl.map(|secs| self.now.plus_micros(secs * 1_000_000));
        if self.holders[0].put(key, value, expires, LIVE) == Written::Changed {
            self.history.insert(self.holders[0].version(), (key, Some(value.to_vec())));
        }
        self.audit(0);
    }

    fn delete(&mut self, key: &'static str, ttl: u64) {
        let purge_at = self.now.plus_micros(ttl * 1_000_000);
        if self.holders[0].delete(key, purge_at, TOMBSTONES) == Written::Changed {
            self.history.insert(self.holders[0].version(), (key, None));
        }
        self.audit(0);
    }

    fn due(&mut self, who: usize) {
        let owner = (who == 0).then(|| (self.now.plus_micros(20_000_000), TOMBSTONES));
        let gc = self.holders[who].gc();
        self.holders[who].on_due(self.now, owner);
        self.seen[5] += usize::from(who > 0 && self.holders[who].gc() > gc);
        for v in self.history.keys().last().map_or(1, |v| v + 1)..=self.holders[0].version() {
            // What the owner wrote by itself: tombstones of what was over. One may have been purged since.
            let e = self.holders[0].behind(v - 1).next().filter(|e| e.version == v);
            e.map(|e| self.history.insert(v, (KEYS.into_iter().find(|k| *k == e.key).unwrap(), None)));
        }
        self.audit(who);
    }

    fn write(&mut self, from: usize, to: usize, room: usize) {
        let (version, gc) = (self.holders[to].version(), self.holders[to].gc());
        self.letters.extend(Letter::write(&self.holders[from], version, gc, room, self.now));
    }

    fn deliver(&mut self, letter: usize, to: usize) {
        let Some(letter) = self.letters.get(letter) else { return };
        let (holder, reset) = (&mut self.holders[to], letter.head.1 > self.past[to].versions.0);
        match letter.apply(holder, self.now) {
            Applied::Done { .. } => {
                self.seen[0] += usize::from(reset && holder.is_sweeping());
                self.seen[1] += usize::from(reset && !holder.is_sweeping());
            }
            Applied::Gap => self.seen[2] += 1,
            Applied::Stale => self.seen[3] += 1,
            Applied::Refused(Refusal::TooLarge) => self.seen[4] += 1,
            Applied::Refused(refusal) => panic!("{refusal:?}: {letter:?}"),
        }
        self.audit(to);
    }

    /// What must hold of a holder after each of its steps.
    fn audit(&mut self, who: usize) {
        let (k, past) = (&self.holders[who], &mut self.past[who]);
        k.check(LIVE).unwrap();
        assert!((k.gc(), k.version()) >= past.versions, "{who} went back from {:?}", past.versions);
        past.versions = (k.gc(), k.version());
        let now: Vec<(String, u32)> = k.iter().map(|e| (e.key.to_string(), e.version)).collect();
        for e in k.iter() {
            let (key, value) = &self.history[&e.version];
            assert_eq!((*key, value.as_deref()), (e.key, Some(e.value)), "{who} shows what was never written");
            assert!(past.deleted.get(key).is_none_or(|&v| e.version > v), "{who}: {key} has returned");
            let new = !past.shown.contains(&(key.to_string(), e.version));
            assert!(!new || e.version > past.covered, "{who}: {key} was overwritten long ago");
        }
        past.covered = past.covered.max(k.version());
        past.shown = now;
        if !k.is_sweeping() {
            for (&v, (key, value)) in self.history.range(..=k.version()) {
                if value.is_none() && k.get(key).is_none() {
                    past.deleted.insert(key, v);
                }
            }
        }
    }

    /// Everybody asks the owner until it has nothing more, `room` entries at a time.
    fn settle(&mut self, room: usize) {
        self.due(0);
        for to in 1..=OTHERS {
            for _ in 0..100 {
                self.letters.clear();
                self.write(0, to, room);
                self.deliver(0, to);
            }
            assert!(self.letters.is_empty(), "{to} is never told all");
            self.due(to);
            assert_eq!(shown(&self.holders[to]), shown(&self.holders[0]), "{to}");
            assert!(self.holders[to].is_settled() && !self.holders[to].is_sweeping());
        }
    }

    fn step(&mut self, (op, x, y): (u8, u8, u8)) {
        let key = KEYS[usize::from(x) % KEYS.len()];
        let (from, to) = (usize::from(x) % (OTHERS + 1), 1 + usize::from(y) % OTHERS);
        let from = if from == to { 0 } else { from };
        match op % 16 {
            0..=3 => self.put(key, &vec![y; usize::from(y) % 30], None),
            4 => self.put(key, &[y], Some(u64::from(y) % 16)),
            5 | 6 => self.delete(key, u64::from(y) % 20),
            7 => {
                self.now = self.now.plus_micros(u64::from(x) % 8 * 1_000_000);
                self.due(usize::from(y) % (OTHERS + 1));
            }
            8..=11 => {
                self.write(from, to, 1 + usize::from(y >> 4) % 5);
                if op & 16 == 0 {
                    self.deliver(self.letters.len().wrapping_sub(1), to);
                }
            }
            _ => self.deliver(usize::from(x) * self.letters.len() / 256, to),
        }
    }
}

/// G7: whatever comes late, twice, cut or out of order, (gc, version) of a holder only grows, and all end up alike.
#[test]
fn g7_deltas_in_any_order() {
    static SEEN: [AtomicUsize; 6] = [const { AtomicUsize::new(0) }; 6];
    fn holds(ops: Vec<(u8, u8, u8)>, more: Vec<(u8, u8, u8)>, room: u8) -> bool {
        let mut w = World::new();
        ops.into_iter().chain(more).for_each(|op| w.step(op));
        SEEN.iter().zip(w.seen).for_each(|(all, n)| {
            all.fetch_add(n, Ordering::Relaxed);
        });
        w.settle(1 + usize::from(room % 8));
        true
    }
    type Ops = Vec<(u8, u8, u8)>;
    QuickCheck::new().tests(crate::cases(4_000)).quickcheck(holds as fn(Ops, Ops, u8) -> bool);
    let seen = SEEN.each_ref().map(|n| n.load(Ordering::Relaxed));
    assert!(seen.iter().enumerate().all(|(i, &n)| n > 0 || i == 4), "not all was played: {seen:?}");
}

/// G6: a key is deleted, somebody who has only part of it goes on, the tombstone is purged, then an old holder comes.
#[test]
fn g6_what_was_deleted_does_not_return() {
    let mut w = World::new();
    w.put("a", b"old", None);
    w.put("b", b"1", None);
    for to in 1..=OTHERS {
        w.write(0, to, 99);
        w.deliver(w.letters.len() - 1, to);
    }
    w.delete("a", 10);
    w.put("c", b"2", None);
    // The first hears of the deletion and no more, the second of everything, the third of nothing.
    w.write(0, 1, 1);
    w.deliver(w.letters.len() - 1, 1);
    w.write(0, 2, 99);
    w.deliver(w.letters.len() - 1, 2);
    assert_eq!([1, 2, 3].map(|i| w.holders[i].version()), [3, 4, 2]);
    w.now = at(60);
    (0..=OTHERS).for_each(|who| w.due(who));
    assert_eq!([0, 1, 2, 3].map(|i| w.holders[i].gc()), [3, 0, 3, 0], "who lacks something keeps what it can tell");
    // All that was ever told comes once more, to everybody.
    for (letter, to) in (0..w.letters.len()).flat_map(|letter| (1..=OTHERS).map(move |to| (letter, to))) {
        if to != 3 {
            w.deliver(letter, to);
        }
    }
    assert!([1, 2].iter().all(|&i| w.holders[i].get("a").is_none()));
    // The old holder has nothing for them, and is reset by either.
    assert!(w.holders[3].since(4, 3).is_none() && w.holders[3].get("a").is_some());
    w.write(2, 3, 1);
    assert_eq!(w.letters.last().unwrap().head, (4, 3, 0, 2));
    w.deliver(w.letters.len() - 1, 3);
    assert!(w.holders[3].is_sweeping() && w.holders[3].get("a").is_some(), "until it knows more, it shows what it had");
    assert!(w.holders[3].since(0, 0).is_none(), "what may be deleted is not passed on");
    w.write(2, 3, 9);
    w.deliver(w.letters.len() - 1, 3);
    assert_eq!((shown(&w.holders[3]), w.holders[3].gc()), (shown(&w.holders[0]), 3));
    w.settle(1);
}

/// A tombstone that was overwritten where it was told is missing elsewhere. When its successor's tombstone is purged,
/// and somebody is reset by a holder that still has the first value, that value does not come back either.
#[test]
fn g6_nor_by_a_reset() {
    let mut k = written(&[("a", b"1"), ("b", b"2")]);
    assert_eq!(apply(&mut k, (4, 0, 2, 4), &[gone(3, "a"), gone(4, "b")]), Applied::Done { changed: true, from: 2 });
    // This holder has passed the deletion of b, and not that of a, which has another value meanwhile.
    let done = Applied::Done { changed: false, from: 4 };
    assert_eq!(apply(&mut k, (9, 6, 0, 6), &[put(1, "a", b"1"), gone(6, "c")]), done);
    assert_eq!((k.is_sweeping(), shown(&k)), (true, vec![]));
    let done = Applied::Done { changed: true, from: 6 };
    assert_eq!(apply(&mut k, (9, 6, 6, 9), &[put(9, "a", b"3")]), done);
    assert_eq!((k.is_sweeping(), shown(&k)), (false, vec![("a", b"3".as_slice(), 9)]));
}

/// G7: a sweep ends where what was promised at its beginning is reached, not where somebody older has no more.
#[test]
fn g7_a_sweep_reaches_what_was_promised() {
    let mut k = written(&[("a", b"1"), ("b", b"2"), ("c", b"3")]);
    let done = |changed, from| Applied::Done { changed, from };
    assert_eq!(apply(&mut k, (9, 5, 0, 4), &[put(2, "b", b"2"), put(4, "d", b"4")]), done(true, 3));
    assert_eq!((k.version(), k.gc(), k.is_sweeping()), (4, 5, true));
    // The first is told again, as is one from before, then what somebody has who is older than the promise.
    assert_eq!(apply(&mut k, (9, 5, 0, 4), &[put(2, "b", b"2"), put(4, "d", b"4")]), Applied::Stale);
    assert_eq!(apply(&mut k, (3, 0, 0, 3), &[put(1, "a", b"1")]), Applied::Stale);
    assert_eq!(apply(&mut k, (6, 1, 4, 6), &[put(6, "e", b"6")]), done(true, 4));
    assert_eq!((k.is_sweeping(), k.get("a").is_some(), k.get("c").is_some()), (true, true, true));
    // Another reset begins before the first is over: what the first has seen has to be seen again.
    assert_eq!(apply(&mut k, (12, 10, 0, 4), &[put(4, "d", b"4")]), done(false, 6));
    assert_eq!((k.version(), k.gc(), k.iter().count()), (4, 10, 5));
    assert!(k.since(3, 10).is_none(), "below its gc it does not know what it has");
    assert_eq!(apply(&mut k, (12, 10, 4, 11), &[put(11, "a", b"5")]), done(true, 4));
    // It passes on what it has seen, to those who need no reset.
    let told = |version, gc| k.since(version, gc).map(|s| (s.from, s.entries.map(|e| e.version).collect::<Vec<_>>()));
    assert_eq!([told(0, 0), told(9, 0)], [None, None]);
    assert_eq!([told(3, 10), told(10, 0)], [Some((3, vec![4, 11])), Some((10, vec![11]))]);
    assert_eq!(apply(&mut k, (12, 10, 11, 12), &[]), done(true, 11));
    assert_eq!((k.version(), k.gc(), k.is_sweeping()), (12, 10, false));
    assert_eq!(shown(&k), [("d", b"4".as_slice(), 4), ("a", b"5", 11)]);
}

/// G7: in a sweep, a delta from before the deletion comes late. What was deleted is not taken for seen.
#[test]
fn g7_who_is_older_than_a_purge_confirms_nothing() {
    let mut k = Keyspace::default();
    let late = [put(1, "c", b"1"), put(2, "d", b"2"), put(3, "b", b"3")];
    assert_eq!(apply(&mut k, (4, 0, 0, 3), &late), Applied::Done { changed: true, from: 0 });
    // Then b was deleted at 5, and that purged.
    assert_eq!(apply(&mut k, (5, 5, 0, 2), &late[..2]), Applied::Done { changed: false, from: 3 });
    assert_eq!(apply(&mut k, (4, 0, 0, 3), &late), Applied::Stale);
    let done = Applied::Done { changed: true, from: 2 };
    assert_eq!(apply(&mut k, (5, 5, 2, 5), &[put(4, "a", b"4")]), done);
    assert_eq!(shown(&k), [("c", b"1".as_slice(), 1), ("d", b"2", 2), ("a", b"4", 4)]);
}

/// What the other has forgotten is forgotten here, once all that it has is here.
#[test]
fn a_purge_spreads() {
    let mut k = written(&[("a", b"1"), ("b", b"2")]);
    apply(&mut k, (4, 0, 2, 4), &[gone(3, "a"), gone(4, "b")]);
    assert_eq!((k.stored_bytes(), k.gc()), (34, 0));
    apply(&mut k, (6, 3, 4, 5), &[put(5, "c", b"")]);
    assert_eq!((k.stored_bytes(), k.gc()), (43, 0), "not before");
    apply(&mut k, (6, 3, 5, 6), &[put(6, "c", b"")]);
    assert_eq!((k.stored_bytes(), k.gc()), (26, 3));
}

/// Who is on the way to a version may lack what is overwritten behind it: somebody reset by it would lose that.
#[test]
fn on_the_way_nothing_is_purged() {
    let mut k = Keyspace::default();
    let passing = KeyEntry { version: 2, key: "b", change: Change::Put { value: b"", expires: Some(at(600)) } };
    apply(&mut k, (4, 0, 0, 2), &[gone(1, "a"), passing]);
    assert!(k.on_due(at(600), None));
    assert_eq!((k.gc(), k.next_expiry()), (0, Instant::NEVER));
    apply(&mut k, (4, 0, 2, 4), &[put(4, "c", b"")]);
    assert_eq!(k.next_expiry(), at(600));
    assert!(!k.on_due(at(600), None));
    assert_eq!((k.gc(), k.next_expiry()), (1, Instant::NEVER));
}

/// One reset after another, each with much that is new: what was here before makes room when it is known to be
/// overwritten.
#[test]
fn a_sweep_that_needs_room_takes_it_from_the_past() {
    let mut k = written(&[("a", &[0; 49]), ("b", &[0; 49])]);
    let mut apply = |head: (u32, u32, u32, u32), entries: &[KeyEntry<'_>]| {
        let applied = apply_within(&mut k, 100, head, entries);
        (applied, k.iter().map(|e| e.version).collect::<Vec<_>>())
    };
    let done = |from| Applied::Done { changed: true, from };
    let (applied, versions) = apply((9, 3, 0, 6), &[put(5, "c", &[0; 49]), put(6, "d", &[0; 49])]);
    assert_eq!((applied, versions), (done(2), vec![1, 2, 5, 6]));
    assert_eq!(apply((30, 15, 0, 20), &[put(20, "e", &[0; 49])]), (done(6), vec![20]));
}
