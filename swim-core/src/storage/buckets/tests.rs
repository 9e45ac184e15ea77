use alloc::collections::BTreeMap;

use quickcheck::QuickCheck;

use super::*;

const SLOTS: u32 = 16;

fn grown() -> Buckets {
    let mut buckets = Buckets::new();
    buckets.grow(SLOTS as usize);
    buckets
}

/// What the queue means: for each queued slot, how often it was sent and when it got that count.
#[derive(Default)]
struct Model {
    queued: Vec<(u8, u64, u32)>,
    order: u64,
}

impl Model {
    fn remove(&mut self, slot: u32) {
        self.queued.retain(|q| q.2 != slot);
    }

    fn put(&mut self, slot: u32, sent: u8) {
        self.remove(slot);
        self.order += 1;
        self.queued.push((sent, self.order, slot));
    }

    /// The visit in plain words; returns who was asked.
    fn visit(&mut self, limit: u8, skips_max: usize, answer: impl Fn(usize, u32) -> Take) -> Vec<u32> {
        let limit = limit.min(63);
        self.queued.sort_unstable();
        let (mut asked, mut skips) = (Vec::new(), 0);
        for (sent, _, slot) in self.queued.clone() {
            if sent >= limit {
                self.remove(slot);
                continue;
            }
            asked.push(slot);
            match answer(asked.len() - 1, slot) {
                Take::Taken if sent + 1 >= limit => self.remove(slot),
                Take::Taken => self.put(slot, sent + 1),
                Take::Skip => {
                    skips += 1;
                    if skips >= skips_max {
                        break;
                    }
                }
                Take::Stop => break,
            }
        }
        asked
    }

    fn is(&self, buckets: &Buckets) -> bool {
        let sent: BTreeMap<u32, u8> = self.queued.iter().map(|q| (q.2, q.0)).collect();
        let same = (0..SLOTS + 1)
            .all(|s| buckets.sent(s) == sent.get(&s).copied() && buckets.contains(s) == sent.contains_key(&s));
        let first = self.queued.iter().min().map(|q| q.2);
        same && buckets.first() == first && buckets.len() == sent.len() && buckets.check() == Ok(())
    }
}

/// What a visit asks, in order.
fn asked(buckets: &mut Buckets, limit: u8, skips_max: usize, answer: impl Fn(usize, u32) -> Take) -> Vec<u32> {
    let mut asked = Vec::new();
    buckets.visit(limit, skips_max, |slot, _| {
        asked.push(slot);
        answer(asked.len() - 1, slot)
    });
    asked
}

fn answer(pattern: u64, i: usize) -> Take {
    match pattern.rotate_right(4 * i as u32) % 16 {
        0 => Take::Stop,
        1..=4 => Take::Skip,
        _ => Take::Taken,
    }
}

#[test]
fn like_a_sorted_list() {
    fn holds(ops: Vec<(u8, u8, u64)>) -> bool {
        let (mut buckets, mut model) = (grown(), Model::default());
        for (op, x, pattern) in ops {
            let slot = u32::from(x) % SLOTS;
            match op % 6 {
                0..=2 => {
                    buckets.enqueue(slot);
                    model.put(slot, 0);
                }
                3 => {
                    buckets.remove(slot);
                    model.remove(slot);
                }
                _ => {
                    // Mostly a limit that lets counts rise, at times one that has shrunk, at times one above the greatest.
                    let limit = [6, 6, 6, 3, 1, 0, 200, 6][usize::from(x % 8)];
                    let skips_max = usize::from(x >> 3) % 5;
                    let by_queue = asked(&mut buckets, limit, skips_max, |i, _| answer(pattern, i));
                    if by_queue != model.visit(limit, skips_max, |i, _| answer(pattern, i)) {
                        return false;
                    }
                }
            }
            if !model.is(&buckets) {
                return false;
            }
        }
        true
    }
    QuickCheck::new().tests(crate::cases(3_000)).quickcheck(holds as fn(Vec<(u8, u8, u64)>) -> bool);
}

/// However little fits into a datagram: with fewer stubborn skips than a visit allows, each slot is sent `limit` times
/// and no more, and the queue is empty after so many visits as that takes.
#[test]
fn nothing_starves_and_nothing_exceeds_the_limit() {
    fn holds(slots: u16, limit: u8, room: u8, stubborn: u32) -> bool {
        let (limit, room, stubborn) = (limit % 64, usize::from(room % 4) + 1, stubborn % SLOTS);
        let mut buckets = grown();
        let queued: Vec<u32> = (0..SLOTS).filter(|s| slots >> s & 1 == 1).collect();
        queued.iter().for_each(|&s| buckets.enqueue(s));
        let mut sent = [0; SLOTS as usize];
        let visits = (queued.len() * usize::from(limit)).div_ceil(room) + usize::from(limit) + 1;
        for _ in 0..visits {
            let mut fits = room;
            buckets.visit(limit, 2, |slot, last| {
                assert_eq!(last, sent[slot as usize] + 1 == limit);
                if slot == stubborn {
                    return Take::Skip;
                }
                if fits == 0 {
                    return Take::Stop;
                }
                fits -= 1;
                sent[slot as usize] += 1;
                Take::Taken
            });
        }
        let expected = |s: u32| if queued.contains(&s) && s != stubborn { limit } else { 0 };
        let left = limit > 0 && queued.contains(&stubborn);
        (0..SLOTS).all(|s| sent[s as usize] == expected(s) && buckets.contains(s) == (left && s == stubborn))
    }
    QuickCheck::new().tests(crate::cases(2_000)).quickcheck(holds as fn(u16, u8, u8, u32) -> bool);
}

#[test]
fn a_slot_is_visited_once_though_it_moves_ahead_of_the_visit() {
    let mut buckets = grown();
    (0..3).for_each(|s| buckets.enqueue(s));
    assert_eq!(asked(&mut buckets, 5, 9, |i, _| if i < 2 { Take::Taken } else { Take::Stop }), [0, 1, 2]);
    buckets.enqueue(3);
    // 2 and 3 pass 0 and 1 by being taken; they come behind them, and not twice.
    assert_eq!(asked(&mut buckets, 5, 9, |_, _| Take::Taken), [2, 3, 0, 1]);
    assert_eq!([0, 1, 2, 3].map(|s| buckets.sent(s)), [Some(2), Some(2), Some(1), Some(1)]);
}

#[test]
fn the_newer_replaces_the_older() {
    let mut buckets = grown();
    (0..3).for_each(|s| buckets.enqueue(s));
    asked(&mut buckets, 9, 9, |_, _| Take::Taken);
    buckets.enqueue(1);
    assert_eq!((buckets.len(), buckets.sent(1)), (3, Some(0)));
    assert_eq!(asked(&mut buckets, 9, 9, |_, _| Take::Skip), [1, 0, 2]);
    buckets.enqueue(2);
    assert_eq!(asked(&mut buckets, 9, 9, |_, _| Take::Skip), [1, 2, 0]);
}

#[test]
fn what_a_smaller_limit_forbids_is_dropped_unasked() {
    let mut buckets = grown();
    (0..4).for_each(|s| buckets.enqueue(s));
    for _ in 0..3 {
        asked(&mut buckets, 9, 9, |_, _| Take::Taken);
    }
    buckets.enqueue(3);
    assert_eq!(asked(&mut buckets, 2, 9, |_, _| Take::Taken), [3]);
    assert_eq!((buckets.len(), buckets.sent(3)), (1, Some(1)));
}

#[test]
fn a_visit_ends_after_its_skips() {
    let mut buckets = grown();
    (0..9).for_each(|s| buckets.enqueue(s));
    assert_eq!(asked(&mut buckets, 9, 3, |i, _| if i % 2 == 0 { Take::Taken } else { Take::Skip }), [0, 1, 2, 3, 4, 5]);
    assert_eq!(asked(&mut buckets, 9, 0, |_, _| Take::Skip), [1]);
}

#[test]
fn a_copy_goes_on_alike() {
    let mut buckets = grown();
    (0..5).for_each(|s| buckets.enqueue(s));
    asked(&mut buckets, 9, 9, |_, s| if s % 2 == 0 { Take::Taken } else { Take::Skip });
    let mut copy: Buckets = postcard::from_bytes(&postcard::to_allocvec(&buckets).unwrap()).unwrap();
    copy.check().unwrap();
    let rest = asked(&mut buckets, 9, 9, |_, _| Take::Taken);
    assert_eq!(
        (rest.as_slice(), asked(&mut copy, 9, 9, |_, _| Take::Taken)),
        ([1, 3, 0, 2, 4].as_slice(), rest.clone())
    );
}

#[test]
fn check_finds_what_is_broken() {
    let mut sound = grown();
    (0..4).for_each(|s| sound.enqueue(s));
    sound.check().unwrap();
    let breaks: [fn(&mut Buckets); 8] = [
        |b| b.0.links.set_next(1, 0),
        |b| b.0.links.set_prev(2, 3),
        |b| b.0.links.set_next(3, SLOTS + 9),
        |b| b.0.sent[2] = 5,
        |b| b.0.sent[9] = 0,
        |b| b.0.lists[0].tail = 2,
        |b| b.0.lists[0].len = 3,
        |b| b.0.lists.truncate(4),
    ];
    for (i, break_it) in breaks.iter().enumerate() {
        let mut broken = sound.clone();
        break_it(&mut broken);
        assert!(broken.check().is_err(), "break {i} is not found");
    }
}

/// A copy without news has nothing in it that is too large for two bytes; what is told next may be.
#[test]
fn a_restored_queue_admits_what_it_did() {
    let mut queue = Buckets::new();
    queue.grow(70_000);
    let mut again: Buckets = postcard::from_bytes(&postcard::to_allocvec(&queue).unwrap()).unwrap();
    again.grow(70_000);
    [5, 65_535, 66_000, 69_999].into_iter().for_each(|slot| again.enqueue(slot));
    again.check().unwrap();
    assert!(again.contains(65_535) && again.len() == 4);
}

/// Read back, a queue is as wide as its slots need, whichever of them are queued: told in turns, they go on as they did.
#[test]
fn a_restored_queue_is_as_wide_as_its_slots() {
    let mut queue = Buckets::new();
    queue.grow(70_001);
    queue.enqueue(5);
    queue.count(5, 9);
    queue.enqueue(70_000);
    let mut again: Buckets = postcard::from_bytes(&postcard::to_allocvec(&queue).unwrap()).unwrap();
    for _ in 0..20 {
        let told = |queue: &mut Buckets| {
            let mut told = Vec::new();
            queue.visit(4, 9, |slot, sent| {
                told.push((slot, sent));
                Take::Taken
            });
            told
        };
        assert_eq!(told(&mut queue), told(&mut again));
        again.check().unwrap();
    }
    assert_eq!((queue.len(), again.len()), (0, 0), "all is told");
}
