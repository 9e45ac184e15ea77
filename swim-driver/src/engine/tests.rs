use super::*;
use crate::held::HELD_MAX;
use crate::test_socket::{Wire, addr, engine, greeting};

/// A little more than one of the node's periods, so that something is due.
const PERIOD: Duration = Duration::from_secs(310);

/// Steps until it would wait; for how long it would wait at most.
fn settle(engine: &mut Engine<Wire>) -> Option<Duration> {
    for _ in 0..100 {
        match engine.turn().unwrap() {
            Turn::Wait(Some(Duration::ZERO)) => {}
            Turn::Wait(time) => return time,
            Turn::Finished => panic!("it has left"),
        }
    }
    panic!("it always has something to do");
}

#[test]
fn what_the_socket_does_not_take_is_held_and_sent_later_in_its_order() {
    let (handle, mut engine, wire) = engine();
    wire.ends().refuses = Some(ErrorKind::WouldBlock);
    let seeds: Vec<SocketAddr> = (1..=5).map(addr).collect();
    handle.join(&seeds).unwrap();
    let wait = settle(&mut engine).expect("it tries again");
    assert!(wait <= HELD_PAUSE, "{wait:?}");
    assert_eq!(wire.ends().sends, 1, "what comes after the first is not even tried");
    assert!(engine.blocked);
    let (_, kept) = engine.held.front().expect("the first");
    let kept = kept.to_vec();
    for tries in 2..5 {
        settle(&mut engine);
        assert_eq!(wire.ends().sends, tries);
    }
    assert_eq!(engine.held.front(), Some((wire_first(&engine), &kept[..])), "the same is still the first");
    let order: Vec<SocketAddr> = engine.held.addrs().collect();
    assert!(order.len() >= 5 && seeds.iter().all(|seed| order.contains(seed)));
    wire.ends().refuses = None;
    engine.let_pass(PERIOD);
    settle(&mut engine);
    assert_eq!(wire.sent()[..order.len()], order);
    assert_eq!(engine.pump.node().stats().send_blocks, 1, "the node was told, and for how long");
    assert!(!engine.blocked && engine.held.is_empty());
    assert_eq!((engine.pump.stats().send_failures, engine.pump.node().stats().sends_failed), (0, 0));
}

fn wire_first(engine: &Engine<Wire>) -> SocketAddr {
    engine.held.addrs().next().expect("something is held")
}

/// What was answered while nothing could be sent is read before the node draws conclusions.
#[test]
fn sending_resumes_only_when_the_socket_is_read_empty() {
    let (handle, mut engine, wire) = engine();
    wire.ends().refuses = Some(ErrorKind::WouldBlock);
    handle.join(&[addr(1)]).unwrap();
    settle(&mut engine);
    // More than one turn reads; they are no frames, so nothing follows from them.
    wire.ends().inbox = (0..300).map(|_| (addr(9), vec![0; 40])).collect();
    wire.ends().refuses = None;
    engine.let_pass(PERIOD);
    assert_eq!(engine.step().unwrap(), Step::Again);
    assert_eq!(engine.pump.node().stats().send_blocks, 0);
    assert!(engine.held.is_empty() && engine.blocked && !wire.ends().inbox.is_empty());
    settle(&mut engine);
    assert!(!engine.blocked && wire.ends().inbox.is_empty());
    assert_eq!(engine.pump.node().stats().send_blocks, 1);
    // The next time it is told again.
    wire.ends().refuses = Some(ErrorKind::WouldBlock);
    handle.join(&[addr(2)]).unwrap();
    settle(&mut engine);
    wire.ends().refuses = None;
    engine.let_pass(PERIOD);
    settle(&mut engine);
    assert_eq!(engine.pump.node().stats().send_blocks, 2);
}

#[test]
fn more_than_can_be_held_are_failures() {
    let (handle, mut engine, wire) = engine();
    wire.ends().refuses = Some(ErrorKind::WouldBlock);
    for first in [0, 40] {
        handle.join(&(first + 1..=first + 40).map(addr).collect::<Vec<_>>()).unwrap();
    }
    settle(&mut engine);
    let (held, sent) = (engine.held.addrs().count(), engine.pump.stats().datagrams_sent);
    assert_eq!(held, HELD_MAX);
    assert_eq!(engine.pump.stats().send_failures, sent - HELD_MAX as u64);
    assert!(engine.pump.stats().send_failures > 0 && engine.pump.node().stats().sends_failed > 0);
    wire.ends().refuses = None;
    settle(&mut engine);
    assert!(wire.sent().len() >= HELD_MAX && engine.held.is_empty());
}

#[test]
fn other_errors_are_failures_that_the_node_is_told_of() {
    for kind in [ErrorKind::ConnectionRefused, ErrorKind::PermissionDenied, ErrorKind::OutOfMemory] {
        let (handle, mut engine, wire) = engine();
        wire.ends().refuses = Some(kind);
        handle.join(&[addr(1), addr(2)]).unwrap();
        settle(&mut engine);
        assert_eq!((engine.pump.stats().send_failures, engine.pump.node().stats().sends_failed), (2, 2), "{kind}");
        assert!(engine.held.is_empty() && !engine.blocked);
    }
    // What was held may fail so in the end.
    let (handle, mut engine, wire) = engine();
    wire.ends().refuses = Some(ErrorKind::WouldBlock);
    handle.join(&[addr(1), addr(2)]).unwrap();
    settle(&mut engine);
    wire.ends().refuses = Some(ErrorKind::ConnectionRefused);
    settle(&mut engine);
    assert_eq!((engine.pump.stats().send_failures, engine.pump.node().stats().sends_failed), (2, 2));
    assert!(engine.held.is_empty() && !engine.blocked);
}

#[test]
fn a_node_that_has_left_and_cannot_say_so_ends_all_the_same() {
    let (handle, mut engine, wire) = engine();
    wire.ends().inbox.push_back(greeting(addr(1)));
    settle(&mut engine);
    assert!(engine.pump.node().live_count() == 2 && !wire.sent().is_empty());
    wire.ends().refuses = Some(ErrorKind::WouldBlock);
    drop(handle);
    let mut turns = 0;
    while engine.turn().unwrap() != Turn::Finished {
        engine.let_pass(HELD_PAUSE);
        turns += 1;
        assert!(turns < 100, "it tries for ever");
    }
    assert!(engine.pump.finished() && turns > 20 && !engine.held.is_empty());
    assert!(wire.sent().is_empty());
}

#[test]
fn a_node_that_has_left_ends_when_what_is_held_has_gone() {
    let (handle, mut engine, wire) = engine();
    wire.ends().inbox.push_back(greeting(addr(1)));
    settle(&mut engine);
    wire.sent();
    wire.ends().refuses = Some(ErrorKind::WouldBlock);
    drop(handle);
    settle(&mut engine);
    assert!(engine.pump.finished());
    wire.ends().refuses = None;
    assert_eq!(engine.turn().unwrap(), Turn::Finished);
    assert_eq!(wire.sent()[0], addr(1));
}

/// A datagram, a command and a deadline, each of which makes the node say something to another.
#[test]
fn datagrams_come_before_commands_and_those_before_the_deadline() {
    let (handle, mut engine, wire) = engine();
    handle.join(&[addr(1)]).unwrap();
    settle(&mut engine);
    assert_eq!(wire.sent(), [addr(1)]);
    engine.let_pass(PERIOD);
    wire.ends().inbox.push_back(greeting(addr(2)));
    handle.join(&[addr(3)]).unwrap();
    engine.turn().unwrap();
    let sent = wire.sent();
    let at = |n| sent.iter().position(|&to| to == addr(n)).unwrap_or_else(|| panic!("nothing to {n} in {sent:?}"));
    assert!(at(2) < at(3), "{sent:?}");
    assert!(engine.pump.node().stats().timeouts > 0);
}

#[test]
fn a_turn_is_bounded_whatever_waits() {
    let (handle, mut engine, wire) = engine();
    wire.ends().inbox = (0..1_000).map(|_| (addr(9), vec![0; 40])).collect();
    for _ in 0..200 {
        handle.join(&[addr(1)]).unwrap();
    }
    assert_eq!(engine.turn().unwrap(), Turn::Wait(Some(Duration::ZERO)));
    assert_eq!(wire.ends().inbox.len(), 1_000 - 256);
    assert_eq!(engine.pump.stats().commands, COMMANDS_PER_TURN as u64, "nor do datagrams keep commands waiting");
    settle(&mut engine);
    assert_eq!((wire.ends().inbox.len(), engine.pump.stats().commands), (0, 200));
}

#[test]
fn errors_without_end_are_counted_and_paced_and_a_lost_socket_ends_it() {
    let (_handle, mut engine, wire) = engine();
    wire.ends().broken = Some(ErrorKind::ConnectionReset);
    let wait = settle(&mut engine).expect("it reads again");
    assert!(engine.is_resting() && wait > Duration::ZERO && wait < Duration::from_secs(1));
    assert_eq!(engine.pump.stats().receive_failures, wire.ends().reads as u64);
    let reads = wire.ends().reads;
    settle(&mut engine);
    assert_eq!(wire.ends().reads, reads, "not before the pause is over");
    engine.let_pass(wait);
    wire.ends().broken = None;
    settle(&mut engine);
    assert!(!engine.is_resting() && wire.ends().reads > reads);
    wire.ends().broken = Some(ErrorKind::NotConnected);
    assert_eq!(engine.turn().expect_err("it is lost").kind(), ErrorKind::NotConnected);
}
