use quickcheck::QuickCheck;

use super::super::Buckets;
use super::*;

/// What a pair means: two queues, each with links of its own.
struct Model {
    small: Buckets,
    large: Buckets,
}

impl Model {
    fn new(slots: usize) -> Self {
        let mut model = Self { small: Buckets::new(), large: Buckets::new() };
        model.grow(slots);
        model
    }

    fn grow(&mut self, slots: usize) {
        self.small.grow(slots);
        self.large.grow(slots);
    }

    fn of(&mut self, large: bool) -> &mut Buckets {
        if large { &mut self.large } else { &mut self.small }
    }

    fn enqueue(&mut self, slot: u32, large: bool) {
        self.small.remove(slot);
        self.of(large).enqueue(slot);
    }

    /// All that can be read is the same, and so is what is written; that is sound, and read back the same again.
    fn is(&self, pair: &Pair) -> bool {
        let alike = |large, queue: &Buckets| {
            let slots = 0..pair.slots as u32 + 2;
            pair.len(large) == queue.len() && slots.clone().all(|s| pair.contains(s, large) == queue.contains(s))
        };
        let bytes = postcard::to_allocvec(pair).unwrap();
        let again: Pair = postcard::from_bytes(&bytes).unwrap();
        alike(false, &self.small)
            && alike(true, &self.large)
            && (pair.check(), again.check()) == (Ok(()), Ok(()))
            && bytes == postcard::to_allocvec(&(&self.small, &self.large)).unwrap()
            && bytes == postcard::to_allocvec(&again).unwrap()
    }
}

fn grown(slots: usize) -> Pair {
    let mut pair = Pair::new();
    pair.grow(slots);
    pair
}

/// Mostly it is sent, at times something else.
fn answer(pattern: u64, i: usize) -> Take {
    match pattern.rotate_right(4 * i as u32) % 16 {
        0 => Take::Stop,
        1..=4 => Take::Skip,
        _ => Take::Taken,
    }
}

/// Whatever is done, and however often the guests move to make room, it is two queues.
#[test]
fn like_two_queues() {
    fn holds(ops: Vec<(u8, u8, u64)>, few: bool) -> bool {
        // More guests than there is room for at first, or fewer.
        let mut slots = if few { 3 } else { 60 };
        let (mut pair, mut model) = (grown(slots), Model::new(slots));
        if !few {
            for slot in 0..50 {
                for large in [true, false] {
                    pair.enqueue(slot, large);
                    model.enqueue(slot, large);
                }
            }
        }
        for (op, x, pattern) in ops {
            let (slot, large) = (u32::from(x) % slots as u32, op & 16 == 0);
            let limit = [6, 6, 6, 3, 1, 0, 200, 6][usize::from(x % 8)];
            match op % 8 {
                0..=2 => {
                    pair.enqueue(slot, large);
                    model.enqueue(slot, large);
                }
                3 => {
                    pair.remove(slot);
                    model.small.remove(slot);
                    model.large.remove(slot);
                }
                4 => {
                    slots += usize::from(x % 8);
                    pair.grow(slots);
                    model.grow(slots);
                }
                5 => {
                    let keep = |slot: u32| pattern.rotate_right(slot) % 8 != 0;
                    if pair.retain(large, keep) != model.of(large).retain(keep) {
                        return false;
                    }
                }
                6 => {
                    if pair.count(slot, large, limit) != model.of(large).count(slot, limit) {
                        return false;
                    }
                }
                _ => {
                    let skips_max = usize::from(x >> 3) % 5;
                    let (mut seen, mut want) = (Vec::new(), Vec::new());
                    let take = |offered: &mut Vec<_>, slot, last| {
                        offered.push((slot, last));
                        answer(pattern, offered.len() - 1)
                    };
                    pair.visit(large, limit, skips_max, |slot, last| take(&mut seen, slot, last));
                    model.of(large).visit(limit, skips_max, |slot, last| take(&mut want, slot, last));
                    if seen != want {
                        return false;
                    }
                }
            }
            if !model.is(&pair) {
                return false;
            }
        }
        true
    }
    QuickCheck::new().tests(crate::cases(500)).quickcheck(holds as fn(Vec<(u8, u8, u64)>, bool) -> bool);
}

/// Guests move from narrow places to wide ones, and back from a copy.
#[test]
fn guests_of_a_table_that_becomes_large() {
    let slots = 65_000;
    let (mut pair, mut model) = (grown(slots), Model::new(slots));
    for slot in (0..65_000).step_by(9) {
        for large in [true, false] {
            pair.enqueue(slot, large);
            model.enqueue(slot, large);
        }
    }
    for slots in [65_000, 65_536, 80_000] {
        pair.grow(slots);
        model.grow(slots);
        assert!(model.is(&pair));
        for large in [true, false] {
            let (mut seen, mut want) = (Vec::new(), Vec::new());
            let all = |told: &mut Vec<_>, slot, last| {
                told.push((slot, last));
                Take::Taken
            };
            pair.visit(large, 5, 9, |slot, last| all(&mut seen, slot, last));
            model.of(large).visit(5, 9, |slot, last| all(&mut want, slot, last));
            assert_eq!(seen, want);
        }
    }
}

/// There is room for as many in both queues as is said, however often they come and go, also in a copy that was read.
#[test]
fn no_guest_allocates_that_there_is_room_for() {
    for slots in [7, 40, 3_000] {
        let room = slots.min(FEW.max(slots / SHARE));
        let mut pair = grown(slots);
        (0..3).for_each(|slot| pair.enqueue(slot, false));
        let mut copy: Pair = postcard::from_bytes(&postcard::to_allocvec(&pair).unwrap()).unwrap();
        let mut clone = pair.clone();
        [&mut copy, &mut clone].into_iter().for_each(|pair| pair.grow(slots));
        for mut pair in [pair, copy, clone] {
            let taken = |pair: &Pair| {
                (pair.lanes.sent.capacity(), pair.lanes.places.slots.capacity(), pair.lanes.places.by_slot.buckets())
            };
            let before = taken(&pair);
            for round in 0..200 {
                (0..slots as u32).for_each(|slot| pair.enqueue(slot, true));
                (0..room as u32).for_each(|i| pair.enqueue((i * 5 + round) % slots as u32, false));
                pair.check().unwrap();
                pair.retain(round % 2 == 0, |slot| slot % 3 == 0);
                pair.visit(false, 1, 1_000, |_, _| Take::Taken);
                pair.check().unwrap();
            }
            assert_eq!(taken(&pair), before);
        }
    }
}

#[test]
fn a_broken_snapshot_is_refused() {
    let mut sound = grown(6);
    for (slot, large) in [(0, true), (0, false), (1, false), (2, true), (3, false)] {
        sound.enqueue(slot, large);
    }
    let refused = |break_it: fn(&mut Written)| {
        let mut written = Written::from(sound.clone());
        break_it(&mut written);
        Pair::try_from(written).and_then(|pair| pair.check()).is_err()
    };
    assert!(!refused(|_| {}));
    let breaks: [fn(&mut Written); 13] = [
        |w| w.small.next[1] = 0,
        |w| w.small.prev[0] = 1,
        |w| w.small.next[3] = 5,
        |w| w.small.next[3] = 77,
        |w| w.small.prev[5] = 1,
        |w| w.large.sent[2] = 5,
        |w| w.large.sent[2] = 70,
        |w| w.small.sent[4] = 0,
        |w| w.small.heads[0] = 2,
        |w| w.large.tails[0] = 0,
        |w| w.large.lens[0] = 3,
        |w| w.large.len = 3,
        |w| _ = w.small.sent.pop(),
    ];
    for (i, &break_it) in breaks.iter().enumerate() {
        assert!(refused(break_it), "break {i} is not found");
    }
}

#[test]
fn check_finds_what_is_broken() {
    let mut sound = grown(6);
    for (slot, large) in [(0, true), (0, false), (1, false), (2, true)] {
        sound.enqueue(slot, large);
    }
    sound.check().unwrap();
    let breaks: [fn(&mut Pair); 6] = [
        |p| p.slots = 99,
        |p| p.lanes.sent[5] = 0,
        |p| p.lanes.lens[1] += 1,
        |p| p.lanes.places.left(p.lanes.places.base),
        |p| _ = p.lanes.places.admit(5),
        |p| _ = p.lanes.places.slots.insert(5),
    ];
    for (i, break_it) in breaks.iter().enumerate() {
        let mut broken = sound.clone();
        break_it(&mut broken);
        assert!(broken.check().is_err(), "break {i} is not found");
    }
}
