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

/// A queue that is full is nobody's fault, whoever reports it, and however.
#[test]
fn no_buffers_is_a_socket_that_takes_nothing() {
    let no_buffers = io::Error::from_raw_os_error(NO_BUFFERS.expect("tests run on systems that have it"));
    assert!(takes_nothing(&no_buffers) && !takes_nothing(&ErrorKind::ConnectionRefused.into()));
    let (handle, mut engine, wire) = engine();
    wire.ends().refuses = Some(ErrorKind::OutOfMemory);
    handle.join(&[addr(1), addr(2)]).unwrap();
    settle(&mut engine);
    assert!(engine.blocked && engine.held.addrs().count() == 2);
    wire.ends().refuses = None;
    settle(&mut engine);
    assert_eq!((engine.pump.stats().send_failures, wire.sent().len()), (0, 2));
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
    for kind in [ErrorKind::ConnectionRefused, ErrorKind::PermissionDenied, ErrorKind::HostUnreachable] {
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
    assert!(engine.pump.finished() && turns > 20 && engine.held.is_empty());
    assert!(wire.sent().is_empty() && engine.pump.stats().send_failures > 0, "what is lost is counted");
}

#[test]
fn a_node_that_has_left_ends_when_what_is_held_has_gone() {
    let (handle, mut engine, wire) = engine();
    wire.ends().inbox.push_back(greeting(addr(1)));
    settle(&mut engine);
    wire.sent();
    wire.ends().refuses = Some(ErrorKind::WouldBlock);
    handle.leave().unwrap();
    settle(&mut engine);
    assert!(engine.pump.node().has_left() && !engine.pump.finished() && !handle.is_closed(), "nobody has heard it yet");
    wire.ends().refuses = None;
    assert_eq!(engine.turn().unwrap(), Turn::Finished);
    assert!(handle.is_closed());
    assert_eq!(wire.sent()[0], addr(1));
}

/// A datagram and a command, each of which makes the node say something to another.
#[test]
fn datagrams_come_before_commands() {
    let (handle, mut engine, wire) = engine();
    wire.ends().inbox.push_back(greeting(addr(2)));
    handle.join(&[addr(3)]).unwrap();
    engine.turn().unwrap();
    let sent = wire.sent();
    let at = |n| sent.iter().position(|&to| to == addr(n)).unwrap_or_else(|| panic!("nothing to {n} in {sent:?}"));
    assert!(at(2) < at(3), "{sent:?}");
}

/// A leave that was given before a deadline came is heard before the deadline is: nobody is probed any more.
#[test]
fn commands_come_before_the_deadline() {
    let (handle, mut engine, wire) = engine();
    wire.ends().inbox.push_back(greeting(addr(1)));
    settle(&mut engine);
    wait_for_deadline(&mut engine);
    let probes = engine.pump.node().stats().probes;
    handle.leave().unwrap();
    engine.turn().unwrap();
    assert!(engine.pump.node().has_left());
    assert_eq!(engine.pump.node().stats().probes, probes);
}

/// What a node that is alone has refused is seen through its handle, though it has nothing to wake up for.
#[test]
fn counters_are_as_new_as_the_last_turn() {
    let (handle, mut engine, wire) = engine();
    settle(&mut engine);
    assert_eq!(engine.pump.poll_timeout(), None);
    wire.ends().inbox.push_back((addr(9), vec![0; 40]));
    settle(&mut engine);
    assert_eq!(handle.counters().driver.datagrams_received, 1);
    assert_eq!(handle.counters().driver, engine.pump.stats());
}

/// I6: held up, and with more to read than one turn does: what came in time is read before the deadline is handled.
#[test]
fn i6_all_that_has_come_is_read_before_a_deadline() {
    let (_handle, mut engine, wire) = engine();
    wire.ends().inbox.push_back(greeting(addr(1)));
    settle(&mut engine);
    wait_for_deadline(&mut engine);
    wire.ends().inbox = (0..3_000).map(|_| (addr(9), vec![0; 40])).collect();
    let timeouts = engine.pump.node().stats().timeouts;
    while !wire.ends().inbox.is_empty() {
        assert_eq!(engine.pump.node().stats().timeouts, timeouts, "{} are left", wire.ends().inbox.len());
        engine.turn().unwrap();
    }
    settle(&mut engine);
    assert!(engine.pump.node().stats().timeouts > timeouts);
}

/// So much time passes that something is due.
fn wait_for_deadline(engine: &mut Engine<Wire>) {
    let at = engine.pump.poll_timeout().expect("it has somebody to probe");
    engine.let_pass(at.since(engine.clock.now()));
}

/// A flood that never ends does not keep a node from its conclusions for ever, either, when it could not send for a moment.
#[test]
fn a_flood_without_end_keeps_nobody_blocked() {
    let (handle, mut engine, wire) = engine();
    wire.ends().refuses = Some(ErrorKind::WouldBlock);
    handle.join(&[addr(1)]).unwrap();
    settle(&mut engine);
    wire.ends().refuses = None;
    let mut turns = 0;
    while engine.blocked {
        wire.ends().inbox = (0..300).map(|_| (addr(9), vec![0; 40])).collect();
        engine.turn().unwrap();
        turns += 1;
        assert!(turns <= PUT_OFF_MAX + 1, "it waits for ever");
    }
    assert_eq!(turns, PUT_OFF_MAX + 1);
}

/// I6: a flood that never ends keeps no deadline waiting for ever, neither the first nor those after it.
#[test]
fn i6_a_flood_without_end_does_not_stop_the_clock() {
    let (_handle, mut engine, wire) = engine();
    wire.ends().inbox.push_back(greeting(addr(1)));
    settle(&mut engine);
    for _ in 0..3 {
        wait_for_deadline(&mut engine);
        let timeouts = engine.pump.node().stats().timeouts;
        let mut turns = 0;
        while engine.pump.node().stats().timeouts == timeouts {
            wire.ends().inbox = (0..300).map(|_| (addr(9), vec![0; 40])).collect();
            engine.turn().unwrap();
            turns += 1;
            assert!(turns <= PUT_OFF_MAX + 1, "it waits for ever");
        }
    }
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

/// The pump reads no clock: the date comes from here, before whatever is sealed next.
#[cfg(feature = "aead")]
#[test]
fn a_node_that_seals_is_told_the_date() {
    let (handle, mut engine, wire) = crate::test_socket::sealed_engine();
    let begun = |engine: &Engine<Wire>| engine.pump.stats().sessions_begun;
    settle(&mut engine);
    engine.let_pass(Duration::from_secs(2));
    settle(&mut engine);
    assert_eq!(begun(&engine), 1, "both go on");
    // It stands still for less than any pause that would tell.
    engine.let_pass(Duration::from_millis(1));
    engine.let_date_jump(Duration::from_secs(1_000));
    handle.join(&[addr(1)]).unwrap();
    settle(&mut engine);
    assert_eq!((begun(&engine), wire.sent()), (2, vec![addr(1)]));
}
