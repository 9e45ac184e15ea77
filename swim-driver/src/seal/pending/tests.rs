//! What is held, and how much of it.

use super::super::key::Key;
use super::*;

fn peer(n: u64) -> Peer {
    let mut peer = [0; 18];
    peer[..8].copy_from_slice(&n.to_le_bytes());
    peer
}

fn addr(n: u8) -> SocketAddr {
    ([10, 0, 0, n], 7_946).into()
}

fn held(counter: u64, len: usize) -> Held {
    Held { from: addr(1), counter, frame: vec![0; len].into() }
}

fn add(pending: &mut Pending, secs: u64, n: u64) {
    let cipher = Cipher::new(&Key::from_bytes([0; 32]), &[0; 16], "c");
    pending.add(Instant::from_millis(secs * 1_000), peer(n), Box::new(cipher), n);
}

#[test]
fn of_one_session_the_newest_four_are_held_and_each_once() {
    let mut pending = Pending::default();
    add(&mut pending, 0, 1);
    for counter in [7, 3, 9, 5] {
        assert_eq!(pending.hold(&peer(1), held(counter, 10)), Ok(()));
    }
    assert_eq!(pending.hold(&peer(1), held(9, 10)), Err(NotHeld::Twice));
    assert_eq!(pending.hold(&peer(1), held(2, 10)), Err(NotHeld::NoRoom));
    assert_eq!((pending.hold(&peer(1), held(4, 20)), pending.lost()), (Ok(()), 1));
    assert_eq!(pending.size(), (1, 4, 50));
    let counters: Vec<u64> = pending.take(&peer(1)).unwrap().held.iter().map(|held| held.counter).collect();
    assert_eq!((counters, pending.size()), (vec![7, 9, 5, 4], (0, 0, 0)));
    assert_eq!(pending.hold(&peer(1), held(9, 10)), Err(NotHeld::NoRoom), "a session that is not there");
}

#[test]
fn the_oldest_make_room_and_nobody_waits_for_ever() {
    let mut pending = Pending::default();
    for n in 0..2_000 {
        add(&mut pending, n / 1_000, n);
        pending.hold(&peer(n), held(1, 100)).unwrap();
    }
    assert_eq!((pending.size(), pending.lost()), ((1_024, 1_024, 102_400), 976));
    assert!(pending.get_mut(&peer(975)).is_none() && pending.get_mut(&peer(976)).is_some());
    pending.expire(Instant::from_millis(5_000));
    assert_eq!((pending.size().0, pending.lost()), (1_000, 1_000));
    pending.retain(|peer| peer[0] & 1 == 0);
    assert_eq!((pending.size().0, pending.lost()), (500, 1_500));
    pending.expire(Instant::from_millis(6_000));
    assert_eq!((pending.size(), pending.lost()), ((0, 0, 0), 2_000));
}

#[test]
fn a_mebibyte_is_held_and_no_more() {
    let mut pending = Pending::default();
    for n in 0..20 {
        add(&mut pending, 0, n);
        assert_eq!(pending.hold(&peer(n), held(1, 65_000)), Ok(()));
        assert!(pending.size().2 <= BYTES_MAX);
    }
    assert_eq!((pending.size().1, pending.lost()), (16, 4));
    // The oldest of all does not make room for itself.
    for counter in 2..5 {
        let first = *pending.sessions.first_key_value().unwrap().0;
        let peer = pending.sessions[&first].peer;
        assert_eq!(pending.hold(&peer, held(counter, 65_000)), Err(NotHeld::NoRoom));
    }
    assert_eq!(pending.size().1, 16);
}

#[test]
fn each_address_is_asked_now_and_then() {
    let mut pending = Pending::default();
    add(&mut pending, 0, 7);
    let unproven = pending.get_mut(&peer(7)).unwrap();
    let at = Instant::from_millis;
    assert!(!unproven.is_answered_by(7, addr(1)), "nobody was asked");
    assert_eq!((unproven.ask(at(0), addr(1), || true), unproven.ask(at(249), addr(1), || true)), (Some(7), None));
    assert_eq!((unproven.ask(at(249), addr(2), || true), unproven.ask(at(250), addr(1), || true)), (Some(7), Some(7)));
    assert!(unproven.is_answered_by(7, addr(1)) && unproven.is_answered_by(7, addr(2)));
    assert!(!unproven.is_answered_by(8, addr(1)) && !unproven.is_answered_by(7, addr(3)));
    for n in 3..6 {
        assert_eq!(unproven.ask(at(300), addr(n), || true), Some(7));
    }
    assert!(unproven.is_answered_by(7, addr(1)) && !unproven.is_answered_by(7, addr(2)), "the longest ago gives way");
}
