//! The containers against plain models, for the fuzzer: a script of bytes says what is done to both.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use crate::keyspace::{Keyspace, Written};
use crate::rng::Rng;
use crate::rumors::models::{PlayedArena, PlayedWindow};
use crate::storage::{Buckets, Deadlines, FAN, Index, KEY_END, LEVELS, NONE, Order, Radix, Ring, Slab, Take, range_of};
use crate::time::Instant;

/// Slots that the containers by slot have.
const SLOTS: u32 = 400;
/// Containers that a script may choose from.
const ARMS: u8 = 10;
/// Steps of a script that are played.
const STEPS_MAX: usize = 4_000;

/// The first byte chooses a container, the others say what is done to it and to its model. Both say the same after
/// every step.
///
/// # Panics
/// When there is a bug.
pub fn containers(data: &[u8]) {
    let Some((&which, script)) = data.split_first() else { return };
    let mut s = Script(script);
    match which % ARMS {
        0 => radix(&mut s),
        1 => order(&mut s),
        2 => deadlines(&mut s),
        3 => buckets(&mut s),
        4 => index(&mut s),
        5 => ring(&mut s),
        6 => slab(&mut s),
        7 => keyspace(&mut s),
        8 => arena(&mut s),
        _ => window(&mut s),
    }
}

/// What is left of the script: at most [`STEPS_MAX`] steps.
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn u8(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    fn u16(&mut self) -> u16 {
        u16::from_le_bytes([self.u8(), self.u8()])
    }

    fn slot(&mut self) -> u32 {
        u32::from(self.u16()) % SLOTS
    }

    /// Calls this for every step.
    fn steps(&mut self, mut step: impl FnMut(&mut Self)) {
        for _ in 0..STEPS_MAX {
            if self.0.is_empty() {
                break;
            }
            step(self);
        }
    }
}

/// A key that crowds with others: few of its digits differ.
fn key_of(slot: u32, spread: u8) -> u32 {
    let mixed = crate::hash::mix64(u64::from(slot) + 1) as u32;
    match spread % 4 {
        0 => mixed % KEY_END,
        1 => mixed % 4_096,
        2 => ((mixed % 7) << 24) | (mixed % 15),
        _ => 1_000_000 + mixed % 70,
    }
}

fn radix(s: &mut Script<'_>) {
    let spread = s.u8();
    let (mut tree, mut model) = (Radix::default(), BTreeMap::<(u32, u32), u64>::new());
    tree.grow(SLOTS as usize);
    let mut chains = alloc::vec![NONE; SLOTS as usize];
    let mut steps = 0_u32;
    s.steps(|s| {
        let (op, slot) = (s.u8(), s.slot());
        // A run of slots: chains are split only where there are many.
        for slot in slot..(slot + u32::from(op >> 4) * 4 + 1).min(SLOTS) {
            let (key, v) = (key_of(slot, spread), (u64::from(op) << 40) + u64::from(slot) + 1);
            match (model.get(&(key, slot)).copied(), op % 4) {
                (None, 0..=2) if !tree.is_crowded(&chains, key, |s| key_of(s, spread)) => {
                    model.insert((key, slot), v);
                    tree.insert(&mut chains, slot, (key, v), |_, s| keyed(&model, s, spread));
                }
                (Some(old), 0) => {
                    tree.add(key, v.wrapping_sub(old));
                    model.insert((key, slot), v);
                }
                (Some(old), 3) => {
                    tree.remove(&mut chains, slot, (key, old));
                    model.remove(&(key, slot));
                }
                _ => {}
            }
        }
        steps += 1;
        if steps % 16 == 0 {
            read_tree(&tree, &chains, &model, key_of(slot, spread), spread);
        }
    });
    read_tree(&tree, &chains, &model, key_of(7, spread), spread);
}

/// The key of a slot, and what it adds.
fn keyed(model: &BTreeMap<(u32, u32), u64>, slot: u32, spread: u8) -> (u32, u64) {
    let key = key_of(slot, spread);
    (key, model.get(&(key, slot)).copied().unwrap_or(0))
}

/// Every way of reading the tree, around this key.
fn read_tree(tree: &Radix, chains: &Vec<u32>, model: &BTreeMap<(u32, u32), u64>, at: u32, spread: u8) {
    let of = |slot: u32| keyed(model, slot, spread);
    assert_eq!(tree.check(chains, model.keys().map(|&(_, slot)| slot), of), Ok(()));
    for level in 0..LEVELS {
        let (start, end) = range_of(level, 0);
        let prefix = at / (end - start);
        let sums = tree.sums(chains, level, prefix, of);
        for (child, sum) in sums.into_iter().enumerate() {
            let (from, to) = range_of(level + 1, prefix * FAN as u32 + child as u32);
            let want = model.range((from, 0)..(to, 0)).fold(0_u64, |a, (_, v)| a.wrapping_add(*v));
            assert_eq!(sum, want, "level {level}, child {child}");
        }
    }
    let (from, to) = (at.saturating_sub(5_000), at.saturating_add(1 << 24).min(KEY_END));
    let mut seen = Vec::new();
    let see = |slot, key| {
        seen.push((key, slot));
        seen.len() < 40
    };
    let all = tree.visit(chains, (from, to), |slot| of(slot).0, see);
    let mut want: Vec<_> = model.range((from, 0)..(to, 0)).map(|(k, _)| *k).collect();
    assert_eq!(all, want.len() < 40);
    want.truncate(40);
    assert_eq!(seen, want);
}

fn order(s: &mut Script<'_>) {
    const FEW: u32 = 24;
    let mut rng = Rng::new(s.u8().into());
    // For each member: the turns since its last one, and the greatest size since then.
    let (mut order, mut model) = (Order::new(), BTreeMap::<u32, (usize, usize)>::new());
    order.grow(FEW as usize);
    s.steps(|s| {
        let (op, slot) = (s.u8(), s.slot() % FEW);
        match op % 4 {
            0 => {
                order.insert(slot, &mut rng);
                model.entry(slot).or_insert((0, 0));
            }
            1 => {
                order.remove(slot);
                model.remove(&slot);
            }
            _ => {
                let size = model.len();
                let turn = order.next(&mut rng);
                assert_eq!(turn.is_some(), size > 0);
                for (turns, most) in model.values_mut() {
                    (*turns, *most) = (*turns + 1, size.max(*most));
                    assert!(*turns < 2 * *most, "a turn within 2n-1 turns");
                }
                if let Some(slot) = turn {
                    *model.get_mut(&slot).expect("whose turn it is is there") = (0, 0);
                }
            }
        }
        for (_, most) in model.values_mut() {
            *most = (*most).max(order.len());
        }
        assert_eq!(order.len(), model.len());
        assert!((0..FEW).all(|slot| order.contains(slot) == model.contains_key(&slot)));
        assert_eq!(order.check(), Ok(()));
    });
}

fn deadlines(s: &mut Script<'_>) {
    const FEW: u32 = 40;
    let (mut deadlines, mut model) = (Deadlines::new(), BTreeMap::<u32, Instant>::new());
    deadlines.grow(FEW as usize);
    s.steps(|s| {
        let (op, slot, at) = (s.u8(), s.slot() % FEW, Instant::from_micros(s.u8().into()));
        match op % 4 {
            0 | 1 => {
                let at = if op == 0 { Instant::NEVER } else { at };
                deadlines.set(slot, at);
                model.insert(slot, at);
                model.retain(|_, at| *at != Instant::NEVER);
            }
            2 => {
                deadlines.cancel(slot);
                model.remove(&slot);
            }
            _ => {
                let first = model.iter().map(|(&slot, &at)| (at, slot)).min();
                assert_eq!(deadlines.peek(), first);
                let due = first.filter(|&(due, _)| due <= at);
                assert_eq!(deadlines.pop_due(at), due);
                due.and_then(|(_, slot)| model.remove(&slot));
            }
        }
        assert_eq!((deadlines.len(), deadlines.get(slot)), (model.len(), model.get(&slot).copied()));
        assert_eq!(deadlines.check(), Ok(()));
    });
}

fn buckets(s: &mut Script<'_>) {
    const FEW: u32 = 24;
    let limit = 1 + s.u8() % 6;
    // The model: slots with how often each was sent, in the order in which they came to that.
    let (mut queue, mut model) = (Buckets::new(), Vec::<(u8, u32)>::new());
    queue.grow(FEW as usize);
    s.steps(|s| {
        let (op, slot) = (s.u8(), s.slot() % FEW);
        match op % 4 {
            0 | 1 => {
                queue.enqueue(slot);
                model.retain(|&(_, other)| other != slot);
                model.push((0, slot));
            }
            2 => {
                queue.remove(slot);
                model.retain(|&(_, other)| other != slot);
            }
            _ => visit(&mut queue, &mut model, limit, usize::from(op >> 2)),
        }
        let sent = model.iter().find(|&&(_, other)| other == slot).map(|&(sent, _)| sent);
        assert_eq!((queue.len(), queue.sent(slot), queue.contains(slot)), (model.len(), sent, sent.is_some()));
        let least = model.iter().map(|&(sent, _)| sent).min();
        let first = model.iter().find(|&&(sent, _)| Some(sent) == least).map(|&(_, slot)| slot);
        assert_eq!(queue.first(), first, "least sent and oldest first");
        assert_eq!(queue.check(), Ok(()));
    });
}

/// Up to `room` slots are sent; every third is skipped.
fn visit(queue: &mut Buckets, model: &mut Vec<(u8, u32)>, limit: u8, room: usize) {
    let mut offered = Vec::new();
    queue.visit(limit, 8, |slot, last| {
        if offered.len() == room {
            return Take::Stop;
        }
        let take = if slot % 3 == 0 { Take::Skip } else { Take::Taken };
        offered.push((slot, last, take));
        take
    });
    let mut want: Vec<(u8, u32)> = model.clone();
    want.sort_by_key(|&(sent, _)| sent);
    let skips = want.iter().scan(0, |skips, &(_, slot)| {
        let before = *skips;
        *skips += usize::from(slot % 3 == 0);
        Some(before)
    });
    let most = skips.take_while(|&skips| skips < 8).count().min(room);
    want.truncate(most);
    let want: Vec<_> = want
        .into_iter()
        .map(|(sent, slot)| (slot, sent + 1 == limit, if slot % 3 == 0 { Take::Skip } else { Take::Taken }))
        .collect();
    assert_eq!(offered, want);
    for (slot, last, _) in offered.into_iter().filter(|&(_, _, take)| take == Take::Taken) {
        let place = model.iter().position(|&(_, other)| other == slot).expect("what was offered is queued");
        let (sent, _) = model.remove(place);
        if !last {
            model.push((sent + 1, slot));
        }
    }
}

fn index(s: &mut Script<'_>) {
    let few = 1 + u64::from(s.u8());
    let hash = |slot: u32| u64::from(slot) % few;
    let (mut index, mut model) = (Index::with_capacity(3), BTreeMap::<u32, u64>::new());
    s.steps(|s| {
        let (op, mut slot) = (s.u8(), s.slot());
        // Beyond two bytes the table becomes a wide one.
        if op >= 250 {
            slot += 1 << 16;
        }
        if op % 3 > 0 && !model.contains_key(&slot) {
            index.insert(slot, hash);
            model.insert(slot, hash(slot));
        } else {
            index.remove(slot, hash(slot));
            model.remove(&slot);
        }
        assert_eq!(index.len(), model.len());
        assert_eq!(index.find(hash(slot), |other| other == slot), model.contains_key(&slot).then_some(slot));
        let below = |other: u32| hash(other) == hash(slot) && other < slot;
        assert_eq!(index.count(hash(slot), below), model.keys().filter(|&&other| below(other)).count());
    });
}

fn ring(s: &mut Script<'_>) {
    let bound = usize::from(s.u8() % 20);
    let (mut ring, mut model) = (Ring::new(bound), VecDeque::new());
    s.steps(|s| {
        let (op, item) = (s.u8(), s.u16());
        let room = model.len() < bound;
        match op % 8 {
            0..=2 => {
                assert_eq!(ring.push(item).is_ok(), room);
                model.extend(Some(item).filter(|_| room));
            }
            3 => {
                assert_eq!(ring.push_front(item).is_ok(), room);
                Some(item).filter(|_| room).into_iter().for_each(|item| model.push_front(item));
            }
            4..=6 => assert_eq!(ring.pop(), model.pop_front()),
            _ if item == 0 => {
                ring.clear();
                model.clear();
            }
            _ => ring.iter_mut().chain(model.iter_mut()).for_each(|item| *item ^= 1),
        }
        assert!(ring.iter().eq(model.iter()) && ring.front() == model.front());
        assert_eq!((ring.is_empty(), ring.capacity()), (model.is_empty(), bound));
    });
}

fn slab(s: &mut Script<'_>) {
    let (mut slab, mut model, mut free) = (Slab::new(4), BTreeMap::<u32, u16>::new(), Vec::new());
    s.steps(|s| {
        let (op, slot, row) = (s.u8(), s.slot() % 60, s.u16());
        match op % 4 {
            0 | 1 if model.len() < 60 => {
                // The one that was freed last is taken first.
                let want = free.pop().unwrap_or(model.len() as u32);
                assert_eq!(slab.insert(row), want);
                model.insert(want, row);
            }
            2 => {
                let former = model.remove(&slot);
                assert_eq!(slab.remove(slot), former);
                free.extend(former.map(|_| slot));
            }
            _ => {
                let rows = [slab.get_mut(slot), model.get_mut(&slot)];
                rows.into_iter().flatten().for_each(|there| *there = row);
            }
        }
        assert_eq!(
            (slab.len(), slab.slots(), slab.get(slot)),
            (model.len(), model.len() + free.len(), model.get(&slot))
        );
        assert!(slab.iter().map(|(slot, &row)| (slot, row)).eq(model.iter().map(|(&slot, &row)| (slot, row))));
    });
}

/// What a node writes to its own state, against a map.
fn keyspace(s: &mut Script<'_>) {
    const LIVE_MAX: usize = 600;
    const TOMBSTONES: usize = 400;
    let (mut own, mut model) = (Keyspace::default(), BTreeMap::<String, (Vec<u8>, u32, Option<Instant>)>::new());
    let mut now = 0_u64;
    s.steps(|s| {
        let (op, key, len) = (s.u8(), s.u8(), s.u8());
        let mut key_text = String::from("k");
        (0..key % 3).for_each(|_| key_text.push(char::from(b'a' + key / 3 % 8)));
        let value = alloc::vec![op; usize::from(len) / 2];
        let later = Instant::from_micros(now + 10 * u64::from(len) + 1);
        match op % 8 {
            0..=3 => {
                let expires = (op % 4 == 3).then_some(later);
                let others = model.iter().filter(|(other, _)| **other != key_text);
                let cost = |key: &str, value: &[u8]| key.len() + value.len() + crate::Config::ENTRY_COST;
                let room = others.map(|(key, (value, ..))| cost(key, value)).sum::<usize>() + cost(&key_text, &value);
                let same = matches!(model.get(&key_text), Some((old, _, None)) if *old == value) && expires.is_none();
                match own.put(&key_text, &value, expires, LIVE_MAX) {
                    Written::Same => assert!(same),
                    Written::Full => assert!(room > LIVE_MAX && !same),
                    Written::Changed => {
                        assert!(room <= LIVE_MAX && !same);
                        model.insert(key_text.clone(), (value, own.version(), expires));
                    }
                    Written::Exhausted => panic!("there are more versions than a script has steps"),
                }
            }
            4 | 5 => {
                let there = model.remove(&key_text).is_some();
                assert_eq!(own.delete(&key_text, later, TOMBSTONES) == Written::Changed, there);
            }
            _ => {
                now += u64::from(len) * 8;
                let at = Instant::from_micros(now);
                let before = model.len();
                model.retain(|_, (_, _, expires)| expires.is_none_or(|end| end > at));
                assert_eq!(own.on_due(at, Some((later, TOMBSTONES))), model.len() < before);
                assert!(own.next_expiry() > at);
            }
        }
        assert_eq!(own.check(LIVE_MAX), Ok(()));
        let mut want: Vec<_> =
            model.iter().map(|(key, (value, version, _))| (*version, key.as_str(), value.as_slice())).collect();
        want.sort_unstable();
        assert!(own.iter().map(|e| (e.version, e.key, e.value)).eq(want.iter().copied()));
        assert_eq!(own.get(&key_text).map(|e| e.version), model.get(&key_text).map(|(_, version, _)| *version));
    });
}

/// The rumors that are kept, with their texts in one buffer.
fn arena(s: &mut Script<'_>) {
    let mut played = PlayedArena::new();
    s.steps(|s| played.step(s.u8(), s.u8(), s.u8()));
}

/// Which rumors of one origin were seen.
fn window(s: &mut Script<'_>) {
    let size = 64 << (s.u8() % 4);
    let mut played = PlayedWindow::new(size, s.u8());
    s.steps(|s| played.step(s.u8(), s.u8()));
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use std::fs;

    use super::*;

    /// What is committed, and as many drawn scripts of every container.
    #[test]
    fn like_their_models() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/seeds/containers");
        let files = fs::read_dir(folder).expect("the seeds are in the repository");
        let seeds: Vec<Vec<u8>> = files.map(|file| fs::read(file.unwrap().path()).unwrap()).collect();
        let arms: BTreeSet<u8> = seeds.iter().filter_map(|seed| Some(seed.first()? % ARMS)).collect();
        assert!(arms.into_iter().eq(0..ARMS), "one of each container at least");
        seeds.iter().for_each(|seed| containers(seed));
        let mut rng = Rng::new(1);
        for round in 0..400_u32 {
            let len = 1 + rng.index(600);
            let mut script: Vec<u8> = (0..len).map(|_| rng.next_u32() as u8).collect();
            script[0] = (round % u32::from(ARMS)) as u8;
            containers(&script);
        }
    }
}
