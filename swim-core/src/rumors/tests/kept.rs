//! What is kept: its bounds, its time, and what others get of it.

use super::*;

/// Whatever is handed in, one in a datagram or many.
#[test]
fn never_above_a_bound() {
    fn holds(offers: Vec<(u8, u16, bool)>) -> bool {
        let mut t = Teller::new(&config());
        let mut current = BTreeSet::new();
        for (x, len, begins) in offers.into_iter().cycle().take(400) {
            let (slot, payload) = (1 + u32::from(x % 4), vec![x; usize::from(len % 1_300)]);
            if begins {
                t.rumors.begin_input();
                current.clear();
            }
            let seq = t.rumors.last(slot) + 1;
            let (evicted, seen) = (t.cx.stats.rumors_evicted, t.rumors.mark(slot));
            match t.also_hears(slot, seq, &payload) {
                Offer::New => drop(current.insert(id(slot, seq))),
                Offer::Full => {
                    let refused = t.cx.stats.rumors_evicted > evicted && t.rumors.mark(slot) == seen;
                    let of_current: usize = current.iter().map(|&id| t.get(id).unwrap().payload.len() + 1).sum();
                    let full = current.len() == 16 || of_current + payload.len() + 1 > 5_600;
                    if !refused || !full {
                        return false;
                    }
                }
                _ => return false,
            }
            let readable = current.iter().all(|&id| t.get(id).is_some());
            if t.rumors.len() > 16 || t.rumors.bytes() > 5_600 || !readable {
                return false;
            }
            t.check();
        }
        t.rumors.kept.room() <= 5_600 * 3 / 2
    }
    QuickCheck::new().tests(crate::cases(100)).quickcheck(holds as fn(Vec<(u8, u16, bool)>) -> bool);
}

#[test]
fn what_an_input_brought_is_there_until_the_next() {
    let mut t = Teller::new(&config());
    assert_eq!(t.hears(1, 1, b""), Offer::New);
    for seq in 2..=16 {
        assert_eq!(t.also_hears(1, seq, b""), Offer::New);
    }
    let mark = t.rumors.mark(1);
    assert_eq!([t.also_hears(1, 17, b""), t.also_hears(2, 1, b"")], [Offer::Full; 2]);
    assert_eq!((t.rumors.mark(1), t.rumors.last(2), t.cx.stats.rumors_evicted), (mark, 0, 2));
    assert_eq!([t.hears(2, 1, b""), t.also_hears(1, 17, b"")], [Offer::New; 2], "they come again");
    assert_eq!(t.get(id(1, 1)), None);
    assert_eq!(t.hears(3, 1, &[0; 5_600]), Offer::Full, "it would not fit into an empty one");
    t.check();
}

/// Whoever floods drops its own, and those of others stay: by the number of rumors, and by their bytes.
#[test]
fn a_flood_makes_room_with_its_own() {
    for (len, most) in [(100, 9), (700, 7)] {
        let mut t = Teller::new(&config());
        for slot in 1..=7 {
            assert_eq!(t.hears(slot, 1, b"quiet"), Offer::New);
        }
        for seq in 1..=500 {
            assert_eq!(t.hears(9, seq, &vec![0; len]), Offer::New);
            t.check();
        }
        let own = (501 - most..=500).map(|seq| id(9, seq));
        assert_eq!(t.kept(), (1..=7).map(|slot| id(slot, 1)).chain(own).collect::<Vec<_>>());
        // Many that are each quiet drop the oldest, whosever it is.
        for slot in 10..=25 {
            assert_eq!(t.hears(slot, 1, b"quiet"), Offer::New);
        }
        assert_eq!(t.kept(), (10..=25).map(|slot| id(slot, 1)).collect::<Vec<_>>());
    }
}

/// Its lowest are passed over while the input that brought them lasts; the oldest of all makes room then.
#[test]
fn a_flood_in_reverse_drops_nothing_current() {
    let mut t = Teller::new(&config());
    for seq in [101, 102, 103, 104] {
        t.hears(9, seq, b"");
    }
    t.hears(1, 1, b"quiet");
    t.rumors.begin_input();
    let fits: Vec<u32> = (60..100).rev().filter(|&seq| t.also_hears(9, seq, b"") == Offer::New).collect();
    assert_eq!(fits, (84..100).rev().collect::<Vec<_>>());
    assert_eq!(t.kept(), fits.iter().map(|&seq| id(9, seq)).collect::<Vec<_>>());
    assert_eq!((t.cx.stats.rumors_evicted, t.get(id(1, 1))), (5 + 24, None));
    t.check();
}

#[test]
fn kept_for_its_time_even_while_it_is_told() {
    let mut t = Teller::new(&config());
    assert_eq!(t.deadline(), Instant::NEVER);
    let first = t.broadcast("t", b"x");
    t.cx.now = t.cx.now.plus_micros(5);
    let second = t.broadcast("t", b"y");
    let due = Instant::from_millis(61_000);
    assert_eq!(t.deadline(), due);
    t.due(due.minus_micros(1));
    assert_eq!(t.kept(), [first, second]);
    t.due(due);
    assert_eq!((t.kept(), t.rumors.hot_len(), t.deadline()), (vec![second], 1, due.plus_micros(5)));
    assert_eq!(t.get(first), None);
    assert_eq!((t.rumors.kept_floor(ME), t.hears(ME, 1, b"x")), (1, Offer::Known));
    t.due(due.plus_micros(5));
    assert_eq!((t.rumors.len(), t.rumors.bytes(), t.deadline()), (0, 0, Instant::NEVER));
    t.check();
}

/// Its age counts from the broadcast, whoever has kept it: what was old when it came is dropped by that much earlier, and when
/// it has to wait behind one that came before it, nobody is told it or given it meanwhile.
#[test]
fn what_is_over_is_neither_taken_nor_told() {
    let mut t = Teller::new(&config());
    let of_age =
        |seq, ms| Rumor { id: id(1, seq), lamport: 1, age: Duration::from_millis(ms), topic: "t", payload: b"x" };
    assert_eq!(
        [t.offer(1, EPOCH, &of_age(1, 60_000)), t.offer(1, EPOCH, &of_age(2, 59_999))],
        [Offer::Stale, Offer::New]
    );
    assert_eq!(
        (t.deadline(), t.get(id(1, 2)).unwrap().age),
        (t.cx.now.plus_micros(1_000), Duration::from_millis(59_999))
    );
    t.due(t.deadline());
    assert_eq!((t.rumors.len(), t.rumors.digest(1)), (0, (0, 0b10)), "the other one may still be told by somebody");
    // The second of these waits for the first, which came before it.
    assert_eq!([t.offer(1, EPOCH, &of_age(3, 0)), t.offer(1, EPOCH, &of_age(4, 40_000))], [Offer::New; 2]);
    let lacking = |t: &Teller| {
        let mut found = Vec::new();
        t.rumors.visit_lacking(1, (0, 0), t.cx.now, &t.cx, |rumor| {
            found.push((rumor.id.seq, rumor.age.as_millis()));
            true
        });
        found
    };
    t.cx.now = t.cx.now.plus_micros(19_999_000);
    assert_eq!(lacking(&t), [(3, 19_999), (4, 59_999)]);
    t.cx.now = t.cx.now.plus_micros(1_000);
    t.due(t.cx.now);
    assert_eq!((lacking(&t), t.kept()), (vec![(3, 20_000)], vec![id(1, 3), id(1, 4)]));
    assert_eq!((t.tells(9, 9), t.rumors.hot_len()), (vec![id(1, 3)], 1));
    t.cx.now = t.deadline();
    t.due(t.cx.now);
    assert_eq!(t.rumors.len(), 0, "and goes with it");
    t.check();
}

/// Whoever was asked is believed that a rumor is over, or it would be asked for again and again where others keep rumors for
/// longer. From others it says nothing.
#[test]
fn what_is_over_in_an_answer_is_given_up() {
    let mut t = Teller::new(&config());
    assert_eq!(t.hears(1, 3, b"x"), Offer::New);
    let over = |seq| Rumor { id: id(1, seq), lamport: 1, age: Duration::from_secs(60), topic: "t", payload: b"x" };
    assert_eq!((t.offer(1, EPOCH, &over(1)), t.rumors.digest(1)), (Offer::Stale, (0, 0b100)));
    let mut answered = |seq| {
        let offer = t.rumors.offer((1, EPOCH), &over(seq), true, t.cx.now, &mut t.cx);
        (offer, t.rumors.digest(1), t.cx.stats.rumors_missed, t.rumors.len())
    };
    assert_eq!(answered(1), (Offer::Stale, (1, 0b10), 1, 1));
    assert_eq!(answered(2), (Offer::Stale, (3, 0), 2, 1));
    assert_eq!(t.hears(1, 2, b"x"), Offer::Known);
    t.check();
}

/// What nobody can have heard in a former life goes on in the next one, as old as it is; what is over by then does not.
#[test]
fn another_life_does_not_make_young() {
    let mut t = Teller::new(&config());
    t.broadcast("t", b"over");
    t.cx.now = t.cx.now.plus_micros(20_000_000);
    t.broadcast("t", b"old");
    t.cx.now = t.cx.now.plus_micros(40_000_000);
    t.rumors.restart(EPOCH + 1, t.cx.now, &mut t.cx);
    let again = t.get(RumorId { epoch: EPOCH + 1, ..id(ME, 1) }).map(|r| (r.payload, r.age.as_secs()));
    assert_eq!((again, t.rumors.len()), (Some((&b"old"[..], 40)), 1));
}

/// One digest and what it brings make two alike, or what is missing is given up.
#[test]
fn a_digest_brings_what_is_missing() {
    let (mut has, mut asks) = (Teller::new(&config()), Teller::new(&config()));
    for seq in [2, 1, 4, 3, 5, 6] {
        has.hears(1, seq, &[seq as u8]);
    }
    [2, 6].into_iter().for_each(|seq| assert_eq!(asks.hears(1, seq, &[seq as u8]), Offer::New));
    assert_eq!((asks.rumors.digest(1), asks.rumors.last(1)), ((0, 0b10_0010), 6));
    assert_eq!((has.rumors.digest(1), has.rumors.kept_floor(1)), ((6, 0), 0));
    assert_ne!(asks.rumors.mark(1), has.rumors.mark(1));
    let lacking = |t: &Teller, (floor, seen): (u32, u64), most: usize| {
        let mut found = Vec::new();
        t.rumors.visit_lacking(1, (floor, seen), t.cx.now, &t.cx, |rumor| {
            found.push(rumor.id.seq);
            found.len() < most
        });
        found
    };
    assert_eq!(lacking(&has, asks.rumors.digest(1), 9), [1, 3, 4, 5]);
    assert_eq!(lacking(&has, asks.rumors.digest(1), 2), [1, 3]);
    assert_eq!(lacking(&has, (2, 1 << 63), 9), [3, 4, 5, 6]);
    assert_eq!(lacking(&has, (u32::MAX, 0), 9), []);
    has.due(Instant::NEVER.minus_micros(1));
    assert_eq!((lacking(&has, asks.rumors.digest(1), 9), has.rumors.kept_floor(1)), (vec![], 6));
    asks.hears(1, 4, b"late");
    assert_eq!((asks.rumors.kept_floor(1), asks.rumors.digest(1)), (0, (0, 0b10_1010)));
    asks.rumors.close(1, EPOCH, 4, &mut asks.cx);
    assert_eq!((asks.rumors.digest(1), asks.cx.stats.rumors_missed), ((4, 0b10), 2));
    asks.rumors.close(1, EPOCH, 6, &mut asks.cx);
    assert_eq!((asks.rumors.mark(1), asks.cx.stats.rumors_missed), (has.rumors.mark(1), 3));
    // One that comes later learns where the others are, and has missed nothing.
    let mut late = Teller::new(&config());
    late.rumors.close(1, EPOCH, has.rumors.kept_floor(1), &mut late.cx);
    assert_eq!((late.rumors.mark(1), late.cx.stats.rumors_missed), (has.rumors.mark(1), 0));
    assert_eq!([late.hears(1, 6, b""), late.hears(1, 7, b"")], [Offer::Known, Offer::New]);
    [has, asks, late].iter().for_each(Teller::check);
}

/// What falls behind the window is given up, and counted.
#[test]
fn a_gap_that_falls_behind_is_missed() {
    let mut t = Teller::new(&config());
    [10, 80, 1_000].into_iter().for_each(|seq| assert_eq!(t.hears(1, seq, b""), Offer::New));
    // 11 to 16 fell out for 80; of all up to 936, 10 and 80 had come, and 1 to 9 are not counted but those in the window.
    assert_eq!((t.cx.stats.rumors_missed, t.rumors.digest(1).0), (936 - 2, 936));
    assert_eq!(t.hears(1, 936, b""), Offer::Stale);
    t.check();
}

#[test]
fn lamport_time_follows_what_is_plausible() {
    let mut t = Teller::new(&config());
    let mut hear = |seq: u32, lamport: u64| {
        let rumor = Rumor { id: id(1, seq), lamport, age: Duration::ZERO, topic: "", payload: b"" };
        assert_eq!(t.offer(1, EPOCH, &rumor), Offer::New);
        (t.rumors.lamport(), t.cx.stats.lamport_implausible)
    };
    assert_eq!([hear(1, 50), hear(2, 20), hear(3, 50 + LAMPORT_JUMP)], [(50, 0), (50, 0), (50 + LAMPORT_JUMP, 0)]);
    assert_eq!(hear(4, u64::MAX), (50 + 2 * LAMPORT_JUMP, 1));
    let id = t.broadcast("t", b"x");
    assert_eq!(t.get(id).unwrap().lamport, 51 + 2 * LAMPORT_JUMP);
    t.rumors.lamport = u64::MAX;
    t.broadcast("t", b"y");
    assert_eq!(t.rumors.lamport(), u64::MAX);
}

/// Once it has been full, nothing that comes takes any room.
#[test]
fn no_room_is_taken_once_warm() {
    let mut c = config();
    c.rumor_stop = StopPolicy::Coin(2);
    let mut t = Teller::new(&c);
    assert_eq!((t.rumors.kept.room(), t.rumors.kept.places(), t.rumors.origins.capacity()), (0, 0, 0));
    let mut seq = 0;
    let mut flood = |t: &mut Teller, rounds: u32| {
        for _ in 0..rounds {
            seq += 1;
            let payload = vec![1; (seq as usize * 37) % 1_270];
            (1..5).for_each(|slot| assert_eq!(t.hears(slot, seq, &payload), Offer::New));
            t.tells(9, 3);
        }
        (t.rumors.kept.room(), t.rumors.kept.places(), t.rumors.origins.capacity(), t.rumors.hot.room())
    };
    let warm = flood(&mut t, 500);
    assert_eq!(flood(&mut t, 5_000), warm);
    assert!(warm.0 <= 5_600 * 3 / 2 && warm.1 <= 16, "{warm:?}");
}
