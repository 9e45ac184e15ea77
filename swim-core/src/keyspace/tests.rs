use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use quickcheck::QuickCheck;

use super::*;

mod model;
mod replication;

const ROOM: usize = 1 << 12;

fn at(secs: u64) -> Instant {
    Instant::from_millis(1_000 * secs)
}

/// What can be read: keys, values, versions.
fn shown(k: &Keyspace) -> Vec<(&str, &[u8], u32)> {
    k.iter().map(|e| (e.key, e.value, e.version)).collect()
}

fn put<'a>(version: u32, key: &'a str, value: &'a [u8]) -> KeyEntry<'a> {
    KeyEntry { version, key, change: Change::Put { value, expires: None } }
}

fn gone(version: u32, key: &str) -> KeyEntry<'_> {
    KeyEntry { version, key, change: Change::Delete { purge_at: at(600) } }
}

/// Applies (version, gc, from, upto) with these entries, and checks what that leaves.
fn apply(k: &mut Keyspace, head: (u32, u32, u32, u32), entries: &[KeyEntry<'_>]) -> Applied {
    apply_within(k, ROOM, head, entries)
}

/// The same where a state has so many bytes at most.
fn apply_within(k: &mut Keyspace, room: usize, head: (u32, u32, u32, u32), entries: &[KeyEntry<'_>]) -> Applied {
    let (version, gc, from, upto) = head;
    let delta = Delta { version, gc, from, upto, entries: entries.iter().copied() };
    let applied = k.apply(delta, at(1), room, usize::MAX, &mut Vec::new());
    k.check(room).unwrap();
    applied
}

fn written(entries: &[(&str, &[u8])]) -> Keyspace {
    let mut k = Keyspace::default();
    entries.iter().for_each(|(key, value)| assert_eq!(k.put(key, value, None, ROOM), Written::Changed));
    k
}

/// Everything that one holder lacks of another, in one delta.
fn pull(to: &mut Keyspace, from: &Keyspace) -> Option<Applied> {
    let since = from.since(to.version(), to.gc())?;
    let head = (from.version(), from.gc(), since.from, from.version());
    Some(apply(to, head, &since.entries.collect::<Vec<_>>()))
}

#[test]
fn what_is_written_again_takes_no_room() {
    let mut k = written(&[("a", b"one"), ("b", b"two"), ("c", b"three")]);
    let mut replica = Keyspace::default();
    pull(&mut replica, &k).unwrap();
    k.put("a", b"eno", None, ROOM);
    pull(&mut replica, &k).unwrap();
    let room = (k.bytes.capacity(), replica.bytes.capacity());
    k.bytes.shrink_to_fit();
    let exact = k.bytes.capacity();
    for i in 0..1_000_u32 {
        assert_eq!(k.put("b", &[i as u8, (i >> 8) as u8, 7], None, ROOM), Written::Changed);
        assert_eq!(pull(&mut replica, &k), Some(Applied::Done { changed: true, from: i + 4 }));
    }
    assert_eq!((k.bytes.capacity(), replica.bytes.capacity()), (exact, room.1));
    assert!(exact <= room.0);
}

#[test]
fn g11_what_is_so_already_takes_no_version() {
    let mut k = written(&[("a", b"1")]);
    assert_eq!(k.put("a", b"1", None, ROOM), Written::Same);
    assert_eq!(k.delete("b", at(9), ROOM), Written::Same);
    assert_eq!(k.version(), 1);
    assert_eq!(k.delete("a", at(9), ROOM), Written::Changed);
    assert_eq!(k.delete("a", at(10), ROOM), Written::Same);
    assert_eq!((k.version(), k.next_expiry()), (2, at(9)));
    // An end that is renewed is news, and so is one that is taken back.
    assert_eq!(k.put("a", b"1", Some(at(5)), ROOM), Written::Changed);
    assert_eq!(k.put("a", b"1", Some(at(7)), ROOM), Written::Changed);
    assert_eq!(k.put("a", b"1", None, ROOM), Written::Changed);
    assert_eq!((k.version(), k.next_expiry()), (5, Instant::NEVER));
    k.check(ROOM).unwrap();
}

#[test]
fn what_has_no_room_changes_nothing() {
    let mut k = written(&[("a", b"1")]);
    let before = k.clone();
    // Each entry counts 16 bytes beside key and value.
    assert_eq!(k.put("b", &[0; 40], None, 74), Written::Full);
    assert_eq!(k.put("", b"", None, ROOM), Written::Full);
    assert_eq!(k.put("v", &[0; 1_025], None, ROOM), Written::Full);
    assert_eq!((&k.bytes, k.version()), (&before.bytes, 1));
    assert_eq!(k.put("b", &[0; 39], None, 74), Written::Changed);
    assert_eq!(k.put("a", &[0; 2], None, 74), Written::Full);
    // Many small entries: others have to store their heads, too.
    let mut k = Keyspace::default();
    let fit = (0_u8..100).take_while(|i| k.put(&(*i as char).to_string(), b"", None, 100) == Written::Changed).count();
    assert_eq!((fit, k.live_bytes(), k.stored_bytes()), (5, 5, 45));
    k.check(100).unwrap();
}

#[test]
fn the_last_version_is_the_last() {
    let mut k = Keyspace::default();
    assert!(matches!(apply(&mut k, (u32::MAX - 1, 0, 0, u32::MAX - 1), &[put(7, "a", b"1")]), Applied::Done { .. }));
    assert_eq!(k.put("b", b"2", Some(at(2)), ROOM), Written::Changed);
    assert_eq!(k.put("c", b"3", None, ROOM), Written::Exhausted);
    assert_eq!(k.delete("a", at(9), ROOM), Written::Exhausted);
    assert_eq!(k.put("a", b"1", None, ROOM), Written::Same);
    // There is no version for a tombstone: the entry is hidden all the same.
    assert!(k.on_due(at(2), Some((at(9), ROOM))));
    assert_eq!((shown(&k), k.next_expiry()), (vec![("a", b"1".as_slice(), 7)], Instant::NEVER));
    k.check(ROOM).unwrap();
}

#[test]
fn a_holder_hides_what_is_over_and_passes_it_on() {
    let mut owner = Keyspace::default();
    owner.put("a", b"1", Some(at(5)), ROOM);
    owner.put("b", b"2", None, ROOM);
    let (mut holder, mut late) = (Keyspace::default(), Keyspace::default());
    pull(&mut holder, &owner).unwrap();
    assert_eq!((holder.next_expiry(), holder.on_due(at(4), None), holder.get("a").is_some()), (at(5), false, true));
    assert!(holder.on_due(at(5), None) && !holder.on_due(at(6), None));
    assert_eq!(
        (shown(&holder), holder.live_bytes(), holder.next_expiry()),
        (shown(&owner)[1..].to_vec(), 2, Instant::NEVER)
    );
    // To whom it comes late, it never was visible.
    let since = holder.since(0, 0).unwrap();
    let delta = Delta { version: 2, gc: 0, from: since.from, upto: 2, entries: since.entries };
    assert_eq!(late.apply(delta, at(6), ROOM, usize::MAX, &mut Vec::new()), Applied::Done { changed: true, from: 0 });
    assert_eq!((shown(&late), late.version()), (shown(&holder), 2));
    // The owner's tombstone takes its place, which nobody sees.
    assert!(owner.on_due(at(6), Some((at(60), ROOM))));
    assert_eq!((owner.version(), owner.next_expiry(), shown(&owner)), (3, at(60), shown(&late)));
    assert_eq!(pull(&mut late, &owner), Some(Applied::Done { changed: false, from: 2 }));
    assert_eq!((late.stored_bytes(), late.next_expiry()), (owner.stored_bytes(), at(60)));
}

#[test]
fn tombstones_never_block() {
    let mut k = Keyspace::default();
    for i in 0..100_u8 {
        assert_eq!(k.put(&(i as char).to_string(), &[i; 20], None, 42), Written::Changed);
        assert_eq!(k.delete(&(i as char).to_string(), at(600), 34), Written::Changed);
        k.check(42).unwrap();
    }
    // Two of 17 bytes have room; who has not seen the others is reset.
    assert_eq!((k.stored_bytes(), k.version(), k.gc()), (34, 200, 196));
    assert_eq!(k.since(195, 0).map(|s| (s.from, s.entries.count())), Some((0, 2)));
    assert_eq!(k.since(196, 0).map(|s| (s.from, s.entries.count())), Some((196, 2)));
    assert_eq!(k.since(3, 196).map(|s| (s.from, s.entries.count())), Some((3, 2)));
    assert!(k.since(200, 0).is_none());
}

#[test]
fn news_is_cut_at_its_old_end() {
    let mut k = written(&[("a", &[0; 87]), ("b", &[0; 86]), ("c", &[0; 86])]);
    k.delete("c", at(9), ROOM);
    // On the wire 101, 100 and, a tombstone, 14 bytes.
    let tails = [0, 14, 113, 114, 214, 215, 999].map(|room| k.tail(0, room));
    assert_eq!(tails, [4, 2, 2, 1, 1, 0, 0]);
    assert_eq!([k.tail(2, 14), k.tail(2, 13), k.tail(3, 999), k.tail(4, 0), k.tail(9, 0)], [2, 4, 3, 4, 9]);
}

/// G1: what contradicts itself, or what is here, is refused, and never an assertion.
#[test]
fn g1_impossible_deltas_change_nothing() {
    let mut owner = written(&[("a", b"1"), ("b", b"2"), ("c", b"3")]);
    owner.delete("a", at(1), ROOM);
    owner.on_due(at(1), Some((at(9), ROOM)));
    let mut k = Keyspace::default();
    pull(&mut k, &owner).unwrap();
    assert_eq!((k.version(), k.gc(), shown(&k)), (4, 4, shown(&owner)), "gc == version is a version like any other");
    let before = postcard::to_allocvec(&k).unwrap();
    let malformed = Applied::Refused(Refusal::Malformed);
    let long = [b'k'; 65];
    let long = core::str::from_utf8(&long).unwrap();
    let e = put(6, "e", b"");
    type Case<'a> = ((u32, u32, u32, u32), &'a [KeyEntry<'a>], Applied);
    let cases: [Case<'_>; 18] = [
        ((3, 4, 4, 3), &[], malformed),
        ((6, 7, 4, 6), &[e], malformed),
        ((6, 7, 0, 6), &[e], malformed),
        ((6, 4, 4, 7), &[e], malformed),
        ((6, 4, 7, 6), &[e], malformed),
        ((6, 4, 7, 7), &[], malformed),
        ((6, 4, 4, 6), &[put(4, "e", b"")], malformed),
        ((6, 4, 4, 6), &[put(7, "e", b"")], malformed),
        ((9, 4, 4, 9), &[put(8, "e", b""), put(7, "f", b"")], malformed),
        ((9, 4, 4, 9), &[e, e], malformed),
        ((6, 4, 4, 6), &[e, put(6, "", b"")], malformed),
        ((6, 4, 4, 6), &[put(6, long, b"")], malformed),
        ((6, 4, 4, 6), &[put(6, "e", &[0; 1_025])], malformed),
        ((6, 4, 5, 6), &[e], Applied::Gap),
        ((6, 5, 4, 6), &[e], Applied::Gap),
        ((4, 4, 0, 4), &[put(2, "x", b"")], Applied::Stale),
        ((u32::MAX, 4, 4, 4), &[], Applied::Stale),
        ((0, 0, 0, 0), &[], Applied::Stale),
    ];
    for (i, (head, entries, expected)) in cases.iter().enumerate() {
        assert_eq!(apply(&mut k, *head, entries), *expected, "case {i}");
        assert_eq!(postcard::to_allocvec(&k).unwrap(), before, "case {i}");
    }
    assert_eq!(apply(&mut k, (6, 4, 4, 6), &[e]), Applied::Done { changed: true, from: 4 });
    // The later of two changes of a key counts.
    assert!(matches!(apply(&mut k, (9, 4, 6, 9), &[put(8, "e", b"1"), put(9, "e", b"2")]), Applied::Done { .. }));
    assert_eq!((k.get("e").map(|e| (e.value, e.version)), k.live_bytes()), (Some((b"2".as_slice(), 9)), 6));
    let end = u32::MAX;
    assert!(matches!(apply(&mut k, (end, end, 0, end), &[put(end, "z", b"")]), Applied::Done { changed: true, .. }));
    assert_eq!(shown(&k), [("z", b"".as_slice(), end)]);
}

#[test]
fn what_is_too_large_is_refused_whole() {
    let mut k = written(&[("a", &[1; 40]), ("b", &[2; 40])]);
    let before = postcard::to_allocvec(&k).unwrap();
    let refused = Applied::Refused(Refusal::TooLarge);
    let mut try_it = |head: (u32, u32, u32, u32), entries: &[KeyEntry<'_>]| {
        let applied = apply_within(&mut k, 100, head, entries);
        (applied, postcard::to_allocvec(&k).unwrap() == before)
    };
    assert_eq!(try_it((5, 0, 2, 5), &[put(3, "a", &[3; 20]), put(4, "c", &[4; 39])]), (refused, true));
    assert_eq!(try_it((9, 3, 0, 9), &[put(1, "a", &[1; 40]), put(9, "c", &[4; 60])]), (refused, true));
    // On the way to another version, the new may be beside the old that it takes the place of; but not without end.
    assert_eq!(try_it((9, 0, 2, 5), &[put(3, "c", &[3; 80]), put(5, "d", &[4; 80])]), (refused, true));
    let done = (Applied::Done { changed: true, from: 2 }, false);
    assert_eq!(try_it((9, 0, 2, 5), &[put(3, "c", &[3; 80]), put(5, "d", &[])]), done);
    // There, it has to fit again.
    assert_eq!(try_it((9, 0, 5, 9), &[gone(6, "d")]).0, refused);
    let done = Applied::Done { changed: true, from: 5 };
    assert_eq!(try_it((9, 0, 5, 9), &[gone(6, "d"), gone(7, "b"), gone(8, "a")]).0, done);
}

#[test]
fn keys_and_values_can_be_replaced_at_their_length() {
    let mut k = written(&[("a", b"one"), ("b", b"")]);
    k.put("c", b"two", Some(at(3)), ROOM);
    k.delete("a", at(9), ROOM);
    let (before, mut seen) = (k.clone(), Vec::new());
    k.map_opaque(&mut |value, bytes| {
        seen.push((value, bytes.to_vec()));
        bytes.iter_mut().for_each(|b| *b = b.to_ascii_uppercase());
    })
    .unwrap();
    let seen: Vec<(bool, &[u8])> = seen.iter().map(|(value, bytes)| (*value, bytes.as_slice())).collect();
    assert_eq!(seen, [(false, b"b".as_slice()), (false, b"c"), (true, b"two"), (false, b"a")]);
    k.check(ROOM).unwrap();
    assert_eq!(shown(&k), [("B", b"".as_slice(), 2), ("C", b"TWO", 3)]);
    assert_eq!((k.next_expiry(), k.version()), (before.next_expiry(), before.version()));
    assert!(k.map_opaque(&mut |_, bytes| bytes.fill(0xff)).is_err());
}

/// A map with everything in it: a sweep half done, ends, tombstones.
fn rich() -> Keyspace {
    let mut k = written(&[("a", b"1"), ("b", b"2"), ("c", b"3")]);
    k.put("d", b"4", Some(at(1)), ROOM);
    k.on_due(at(1), None);
    k.put("e", b"5", Some(at(7)), ROOM);
    k.delete("b", at(9), ROOM);
    let entries = [put(1, "a", b"1"), put(8, "f", b"6"), gone(9, "g")];
    assert!(matches!(apply(&mut k, (12, 7, 0, 9), &entries), Applied::Done { .. }));
    assert!(k.is_sweeping());
    k
}

#[test]
fn a_copy_goes_on_alike() {
    let mut k = rich();
    let mut copy: Keyspace = postcard::from_bytes(&postcard::to_allocvec(&k).unwrap()).unwrap();
    copy.check(ROOM).unwrap();
    for k in [&mut k, &mut copy] {
        assert!(k.on_due(at(7), None));
        let done = Applied::Done { changed: true, from: 9 };
        assert_eq!(apply(k, (12, 7, 9, 12), &[put(12, "c", b"7")]), done);
        assert_eq!(shown(k), [("a", b"1".as_slice(), 1), ("f", b"6", 8), ("c", b"7", 12)]);
    }
    assert_eq!(postcard::to_allocvec(&k).unwrap(), postcard::to_allocvec(&copy).unwrap());
}

#[test]
fn check_finds_what_is_broken() {
    let sound = rich();
    let records: Vec<usize> = records(&sound.bytes).map(|(at, _)| at).collect();
    let breaks: [&dyn Fn(&mut Keyspace); 20] = [
        &|k| k.version = 10 + k.known,
        &|k| k.known = 1 + k.goal,
        &|k| k.gc = 1 + k.goal,
        &|k| k.sweep = false,
        &|k| (k.version, k.known) = (k.goal, k.goal),
        &|k| k.live_bytes += 1,
        &|k| k.next_expiry = at(8),
        &|k| k.bytes.push(0),
        &|k| k.bytes.truncate(k.bytes.len() - 1),
        &|k| k.bytes.extend_from_within(records[1]..),
        &|k| k.bytes[records[1]] = 1,
        &|k| k.bytes[records[0] + 8] = b'c',
        &|k| k.bytes[records[0] + 8] = 0xff,
        &|k| k.bytes[records[0] + 5] = 0,
        &|k| k.bytes[records[0] + 4] |= DROPPED,
        &|k| k.bytes[records[0] + 4] |= CONFIRMED,
        &|k| k.bytes[records[0] + 4] |= EXPIRED,
        &|k| k.bytes[records[0] + 4] |= 128,
        &|k| k.bytes[*records.last().unwrap()] = 10,
        &|k| k.bytes[records[0]] = 0,
    ];
    for (i, break_it) in breaks.iter().enumerate() {
        let mut broken = sound.clone();
        break_it(&mut broken);
        assert!(broken.check(ROOM).is_err(), "break {i} is not found");
    }
    assert!(sound.check(25).is_ok() && sound.check(24).is_err(), "its size counts");
}

/// Whatever stands in a snapshot: it is refused, or all that can be done with it goes well.
#[test]
fn hostile_snapshots_are_harmless() {
    fn survives(bytes: &[u8]) -> bool {
        let Ok(mut k) = postcard::from_bytes::<Keyspace>(bytes) else { return false };
        if k.check(ROOM).is_err() {
            return false;
        }
        for version in [0, k.version, k.goal, u32::MAX] {
            let count = k.since(version, 0).map_or(0, |s| s.entries.count());
            assert!(count <= k.bytes.len() && k.tail(version, 20) >= version);
        }
        assert!(k.iter().all(|e| k.get(e.key) == Some(e)));
        k.map_opaque(&mut |_, bytes| assert!(!bytes.is_empty())).unwrap();
        let (from, version) = (k.version, k.version.saturating_add(3));
        let mut other = k.clone();
        apply(&mut other, (version, k.gc.min(version), from, version), &[put(version, "new", b"new")]);
        apply(&mut other, (u32::MAX, u32::MAX, 0, 9), &[put(3, "new", b"new")]);
        other.on_due(at(1 << 40), None);
        other.check(ROOM).unwrap();
        if k.is_settled() {
            k.put("new", b"new", Some(at(2)), ROOM);
            k.on_due(at(1 << 40), Some((at(1 << 41), 30)));
            k.delete("a", at(3), 0);
            k.check(ROOM).unwrap();
        }
        true
    }
    fn holds(changes: Vec<(u16, u8)>, owned: bool, cut: u16) -> bool {
        let sound = if owned { written(&[("a", b"1"), ("b", b"2")]) } else { rich() };
        let mut bytes = postcard::to_allocvec(&sound).unwrap();
        for (at, to) in changes.into_iter().take(3) {
            let at = usize::from(at) % bytes.len();
            bytes[at] = to;
        }
        survives(&bytes);
        bytes.truncate(usize::from(cut) % (bytes.len() + 1));
        survives(&bytes);
        true
    }
    fn random(bytes: Vec<u8>) -> bool {
        survives(&bytes);
        true
    }
    assert!(survives(&postcard::to_allocvec(&rich()).unwrap()));
    assert!(survives(&postcard::to_allocvec(&written(&[("a", b"1")])).unwrap()));
    QuickCheck::new().tests(crate::cases(10_000)).quickcheck(holds as fn(Vec<(u16, u8)>, bool, u16) -> bool);
    QuickCheck::new().tests(crate::cases(5_000)).quickcheck(random as fn(Vec<u8>) -> bool);
    // Every byte, and every value of it.
    let bytes = postcard::to_allocvec(&rich()).unwrap();
    let mut survivors = 0;
    for at in 0..bytes.len() {
        for to in 0..=u8::MAX {
            let mut bytes = bytes.clone();
            bytes[at] = to;
            survivors += usize::from(survives(&bytes));
        }
    }
    assert!((bytes.len()..bytes.len() * 128).contains(&survivors), "{survivors}");
}

#[test]
fn when_versions_are_used_up_they_begin_again() {
    let mut k = written(&[("a", b"1"), ("b", b"2"), ("c", b"3")]);
    k.put("a", b"4", None, ROOM);
    k.delete("b", at(9), ROOM);
    k.renumber();
    assert_eq!(shown(&k), [("c", b"3".as_slice(), 1), ("a", b"4", 2)]);
    assert_eq!((k.version(), k.gc(), k.next_expiry()), (2, 0, Instant::NEVER));
    k.check(ROOM).unwrap();
    let mut holder = Keyspace::default();
    pull(&mut holder, &k).unwrap();
    assert_eq!(shown(&holder), shown(&k));
}
