//! Copies that were written and read back, broken ones, and what is told of them.

use alloc::string::String;

use super::*;

/// A copy that was written and read back does the same ever after, and what is written does not tell when.
#[test]
fn copies_go_on_alike() {
    fn holds(ops: Vec<(u8, u8, u16)>, at: u8, coin: bool) -> bool {
        let mut c = config();
        c.rumor_stop = if coin { StopPolicy::Coin(3) } else { StopPolicy::Counter(2) };
        let mut tellers = [Teller::new(&c), Teller::new(&c)];
        for (i, (op, x, y)) in ops.into_iter().enumerate() {
            if i % (usize::from(at) + 1) == 0 {
                tellers[1] = tellers[1].restored();
                tellers[1].check();
            }
            let outcomes = tellers.each_mut().map(|t| apply(t, op, x, y));
            if outcomes[0] != outcomes[1] || tellers[0].bytes() != tellers[1].bytes() {
                return false;
            }
        }
        tellers[0].check();
        true
    }
    QuickCheck::new().tests(crate::cases(200)).quickcheck(holds as fn(Vec<(u8, u8, u16)>, u8, bool) -> bool);
}

/// One call, drawn; returns what can be seen of it.
fn apply(t: &mut Teller, op: u8, x: u8, y: u16) -> (Vec<RumorId>, u64, Instant) {
    let (slot, seq) = (u32::from(x % 5), u32::from(y));
    let mut told = Vec::new();
    t.rumors.begin_input();
    match op % 12 {
        0 => told.extend(t.rumors.broadcast(EPOCH, ("topic", &vec![x; usize::from(y % 900)]), t.cx.now, &mut t.cx)),
        1 => t.rumors.forget(slot),
        2 => t.rumors.close(slot, EPOCH, seq % 100, &mut t.cx),
        3 => t.rumors.feedback(id(slot, seq % 100), x > 50, &t.cx),
        4 => {
            t.cx.now = t.cx.now.plus_micros(u64::from(y) * 400);
            t.due(t.cx.now);
        }
        5 => drop(t.rumors.settle(|slot| slot == u32::from(x % 3))),
        6 => t.rumors.visit_lacking(slot, (seq % 10, u64::from(x)), t.cx.now, &t.cx, |rumor| {
            told.push(rumor.id);
            told.len() < 3
        }),
        7 | 8 => told = t.tells(usize::from(x), usize::from(y % 7)),
        _ => drop(t.hears_of_age(slot, seq % 200, &vec![x; usize::from(y % 900)], u64::from(y % 61) * 1_000)),
    }
    let seen = u64::from(t.rumors.kept_floor(slot)) << 32 | t.rumors.largest_waiting() as u64;
    (told, seen ^ t.rumors.mark(slot) ^ t.rumors.digest(slot).1, t.deadline())
}

/// Bytes that are no snapshot are refused, or what they say does no harm.
#[test]
fn a_broken_snapshot_does_no_harm() {
    let mut t = Teller::new(&config());
    for seq in 1..60 {
        t.hears(1 + seq % 3, seq, &[seq as u8; 40]);
        t.tells(100, 2);
    }
    t.broadcast("topic", b"x");
    t.rumors.forget(2);
    let good = postcard::to_allocvec(&t.rumors).unwrap();
    let (mut read, mut refused, mut rng) = (0, 0, Rng::new(9));
    for i in 0..good.len() * 8 {
        let mut bytes = good.clone();
        bytes[i / 8] = match i % 8 {
            0 => 0,
            1 => 0xff,
            2 => bytes[i / 8].wrapping_add(1),
            3 => bytes[i / 8].wrapping_sub(1),
            _ => rng.next_u32() as u8,
        };
        let Ok(mut rumors) = postcard::from_bytes::<Rumors>(&bytes) else { continue };
        read += 1;
        if rumors.rebuild().is_err() || rumors.check(&t.cx.config, t.cx.now, member).is_err() {
            refused += 1;
            continue;
        }
        let mut copy = Teller { rumors, cx: t.cx.clone(), round: rng.next_u32() };
        for _ in 0..60 {
            let draw = rng.next_u64();
            apply(&mut copy, draw as u8, (draw >> 8) as u8, (draw >> 16) as u16);
        }
        copy.check();
    }
    assert!(read > 1_000 && refused > 100 && refused < read, "{read} {refused}");
}

/// Each breaks one thing that `check` holds.
#[test]
fn what_contradicts_itself_is_seen() {
    let mut good = Teller::new(&config());
    good.broadcast("t", b"mine");
    [3, 5].iter().for_each(|&seq| assert_eq!(good.hears(1, seq, b"x"), Offer::New));
    good.rumors.close(2, EPOCH, 9, &mut good.cx);
    good.check();
    fn window(t: &mut Teller, slot: usize) -> &mut Window {
        &mut t.rumors.origins[slot].as_mut().unwrap().window
    }
    type Breaks = fn(&mut Teller);
    let broken: [(&str, Breaks); 9] = [
        ("a member's", |t| {
            let other = t.rumors.origins[2].clone();
            t.rumors.origins.resize(41, other);
        }),
        ("the present epoch", |t| t.rumors.origins[2].as_mut().unwrap().epoch += 1),
        ("none of mine is missing", |t| assert_eq!(window(t, 0).mark(3), 0)),
        ("kept, and not seen", |t| *window(t, 1) = Window::new(64)),
        ("a window of another size", |t| *window(t, 2) = Window::new(128)),
        ("an origin that is gone", |t| drop(t.rumors.origins[1].take())),
        ("too many", |t| t.cx.config.rumors_max = 2),
        ("too long", |t| t.cx.config.rumor_bytes = 5),
        ("told, and not kept", |t| t.rumors.hot.enqueue(9, 10)),
    ];
    for (what, breaks) in broken {
        let mut t = good.clone();
        breaks(&mut t);
        assert!(t.checked().is_err(), "{what}");
    }
    let kept = |of: fn(&mut Kept)| {
        let mut t = good.clone();
        let place = t.rumors.kept.find(id(1, 5)).unwrap();
        of(t.rumors.kept.get_mut(place).unwrap());
        t.checked()
    };
    assert!(kept(|k| k.slot = 2).is_err() && kept(|k| k.id.seq = 4).is_err() && kept(|k| k.id.epoch = 8).is_err());
    assert!(kept(|k| k.at = Instant::NEVER).is_err() && kept(|k| k.at = Instant::ORIGIN).is_err());
    assert_eq!(kept(|k| k.round = 8), Ok(()));
}

#[test]
fn what_is_opaque_can_be_replaced_and_is_gone_then() {
    let mut t = Teller::new(&config());
    for secret in ["secret 1", "secret 2", ""] {
        t.broadcast(secret, secret.as_bytes());
    }
    t.rumors.forget(ME);
    let ids = [t.broadcast("secret 3", b"secret 4"), t.broadcast("", b"secret 5"), t.broadcast("secret 6", b"")];
    let mut copy = t.restored();
    let mut given = Vec::new();
    let result = copy.rumors.map_opaque(&mut |payload, bytes| {
        given.push((payload, String::from_utf8(bytes.to_vec()).unwrap()));
        bytes.fill(b'z');
    });
    let all = [(false, "secret 3"), (true, "secret 4"), (true, "secret 5"), (false, "secret 6")];
    assert_eq!(result, Ok(()));
    assert_eq!(given, all.map(|(payload, text)| (payload, text.into())));
    let read = ids.map(|id| copy.get(id).map(|r| (r.topic, r.payload)).unwrap());
    assert_eq!(read, [("zzzzzzzz", b"zzzzzzzz" as &[u8]), ("", b"zzzzzzzz"), ("zzzzzzzz", b"")]);
    copy.check();
    for of in [&copy.bytes(), &t.bytes()] {
        let tells = of.windows(6).any(|w| w == b"secret");
        assert_eq!(tells, of == &t.bytes());
    }
    assert!(!t.bytes().windows(8).any(|w| w == b"secret 1"), "what was dropped is not written");
    assert_eq!(copy.rumors.map_opaque(&mut |_, bytes| bytes.fill(0xff)), Err(DecodeError::Value));
    assert_eq!(copy.get(ids[0]), None, "and nothing panics on it");
}
