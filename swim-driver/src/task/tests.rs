use std::io::ErrorKind;
use std::time::Duration;

use super::*;
use crate::test_socket::{Wire, addr, engine, greeting};
use crate::test_task::Task;

#[test]
fn it_is_ready_at_the_end_and_not_before() {
    let (handle, mut engine, wire) = engine();
    let task = Task::new();
    assert!(task.poll(&mut engine).is_pending() && task.poll(&mut engine).is_pending());
    assert_eq!(task.wakes(), 0, "it does not wake itself");
    drop(handle);
    assert_eq!(task.wakes(), 1);
    assert!(matches!(task.poll(&mut engine), Poll::Ready(Ok(()))));
    drop((engine, std::mem::take(&mut *wire.ends())));
    assert!(task.is_forgotten());
}

#[test]
fn a_lost_socket_is_an_error() {
    let (handle, mut engine, wire) = engine();
    wire.ends().broken = Some(ErrorKind::NotConnected);
    assert!(matches!(Task::new().poll(&mut engine), Poll::Ready(Err(e)) if e.kind() == ErrorKind::NotConnected));
    drop(engine);
    assert!(handle.is_closed() && handle.leave().is_err());
}

/// Each of the three wakes the task, whichever else it waits for.
#[test]
fn datagram_command_and_deadline_wake_it() {
    let (handle, mut engine, wire) = engine();
    let task = Task::new();
    assert!(task.poll(&mut engine).is_pending());

    wire.ends().inbox.push_back(greeting(addr(1)));
    wire.ends().readable.take().expect("it waits for the socket").wake();
    assert_eq!(task.wakes(), 1);
    assert!(task.poll(&mut engine).is_pending() && wire.sent().contains(&addr(1)));

    handle.join(&[addr(2)]).unwrap();
    assert_eq!(task.wakes(), 1);
    assert!(task.poll(&mut engine).is_pending() && wire.sent().contains(&addr(2)));

    let timeouts = engine.pump().node().stats().timeouts;
    engine.let_pass(Duration::from_secs(601));
    wire.ends().is_due = true;
    wire.ends().timer.take().expect("it waits for the deadline").wake();
    assert_eq!(task.wakes(), 1);
    assert!(task.poll(&mut engine).is_pending());
    assert!(engine.pump().node().stats().timeouts > timeouts);
    assert_eq!(task.wakes(), 0);
}

#[test]
fn a_task_that_is_moved_is_woken_where_it_is() {
    let (handle, mut engine, wire) = engine();
    let (first, second) = (Task::new(), Task::new());
    assert!(first.poll(&mut engine).is_pending() && second.poll(&mut engine).is_pending());
    assert!(first.is_forgotten());
    handle.join(&[addr(1)]).unwrap();
    wire.ends().readable.take().unwrap().wake();
    wire.ends().timer.take().unwrap().wake();
    assert_eq!((first.wakes(), second.wakes()), (0, 3));
}

#[test]
fn the_deadline_is_set_only_when_it_has_changed_or_passed() {
    let (_handle, mut engine, wire) = engine();
    let task = Task::new();
    for _ in 0..3 {
        assert!(task.poll(&mut engine).is_pending());
    }
    assert_eq!(wire.ends().deadlines.len(), 1);
    // A timer that goes off early: nothing is due, but it has to be set again.
    wire.ends().is_due = true;
    assert!(task.poll(&mut engine).is_pending());
    assert_eq!(wire.ends().deadlines.len(), 2);
    let deadlines = wire.ends().deadlines.clone();
    assert_eq!(deadlines[0], deadlines[1]);
    // Another deadline is another timer.
    wire.ends().broken = Some(ErrorKind::ConnectionReset);
    assert!(task.poll(&mut engine).is_pending());
    assert_ne!(deadlines[1], wire.ends().deadlines[2]);
}

/// Of another socket's timer nothing is known.
#[test]
fn a_socket_that_is_replaced_is_told_the_deadline() {
    let (_handle, mut engine, wire) = engine();
    let task = Task::new();
    assert!(task.poll(&mut engine).is_pending());
    let next = Wire::default();
    let mut engine = engine.map_socket(|_| next.clone());
    assert!(task.poll(&mut engine).is_pending());
    let deadlines = wire.ends().deadlines.clone();
    assert!(!deadlines.is_empty() && next.ends().deadlines == deadlines);
}

#[test]
fn a_socket_that_fails_without_end_is_left_alone_until_the_pause_is_over() {
    let (_handle, mut engine, wire) = engine();
    let task = Task::new();
    wire.ends().broken = Some(ErrorKind::ConnectionReset);
    assert!(task.poll(&mut engine).is_pending());
    assert_eq!((wire.ends().polls, task.wakes()), (0, 0), "it would be ready at once, again and again");
    let pause = wire.ends().deadlines[0].expect("it reads again");
    assert!(pause < Instant::now() + Duration::from_secs(1));
    wire.ends().broken = None;
    engine.let_pass(pause.saturating_duration_since(Instant::now()));
    wire.ends().timer.take().expect("it waits for that").wake();
    assert!(task.wakes() == 1 && task.poll(&mut engine).is_pending());
    assert_eq!(wire.ends().polls, 1);
}

#[test]
fn a_flood_is_read_by_bounded_polls_that_wake_themselves() {
    let (_handle, mut engine, wire) = engine();
    let task = Task::new();
    wire.ends().inbox = (0..5_000).map(|_| (addr(9), vec![0; 40])).collect();
    let mut polls = 0;
    while !wire.ends().inbox.is_empty() {
        let before = wire.ends().inbox.len();
        assert!(task.poll(&mut engine).is_pending());
        assert!(before - wire.ends().inbox.len() <= STEPS_PER_POLL * 256);
        polls += 1;
        assert!(task.wakes() == 1 || wire.ends().inbox.is_empty());
    }
    assert!(polls > 1);
    assert!(task.poll(&mut engine).is_pending());
    assert_eq!(task.wakes(), 0);
}

/// Through a handle: given up before anything has happened, and when it was woken; asked again, it tells the same.
#[test]
fn a_change_that_nobody_waited_for_to_the_end_is_told_to_who_asks_next() {
    let (handle, mut engine, wire) = engine();
    let (driver, reader) = (Task::new(), Task::new());
    assert!(driver.poll(&mut engine).is_pending());
    let seen = handle.view().version();
    assert!(reader.poll(&mut Box::pin(handle.changed(seen))).is_pending() && reader.is_forgotten());
    let (mut changed, mut closed) = (Box::pin(handle.changed(seen)), Box::pin(handle.closed()));
    let mut joined = Box::pin(handle.view_when(|view| view.live_count() == 2));
    assert!(reader.poll(&mut changed).is_pending() && reader.poll(&mut joined).is_pending());
    wire.ends().inbox.push_back(greeting(addr(1)));
    assert!(driver.poll(&mut engine).is_pending());
    assert_eq!(reader.wakes(), 2);
    drop((changed, joined));
    for _ in 0..2 {
        let Poll::Ready(Some(view)) = reader.poll(&mut Box::pin(handle.changed(seen))) else {
            panic!("it has changed")
        };
        assert_eq!((view.version(), view.live_count()), (handle.view().version(), 2));
    }
    assert!(reader.poll(&mut closed).is_pending());
    drop(engine);
    assert_eq!((reader.wakes(), reader.poll(&mut closed)), (1, Poll::Ready(())));
    let version = handle.view().version();
    assert!(matches!(reader.poll(&mut Box::pin(handle.changed(version))), Poll::Ready(None)));
}
