use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

use super::*;
use crate::test_task::Task;

fn waker(task: &Task) -> Waker {
    task.cx().waker().clone()
}

#[test]
fn a_wait_has_one_place_and_its_newest_waker_counts() {
    let (mut waiters, mut place) = (Waiters::default(), Place::default());
    let (first, second) = (Task::new(), Task::new());
    assert!(!place.is_taken());
    assert!(waiters.enter(&mut place, waker(&first)).is_none());
    let former = waiters.enter(&mut place, waker(&second)).expect("it gives the former one back");
    assert!(former.will_wake(&waker(&first)) && place.is_taken() && waiters.tasks.len() == 1);
    drop(former);
    waiters.take().wake();
    assert_eq!((first.wakes(), second.wakes()), (0, 1));
    assert!(first.is_forgotten() && second.is_forgotten() && waiters.tasks.is_empty());
}

#[test]
fn who_leaves_is_not_woken_and_others_are() {
    let mut waiters = Waiters::default();
    let (tasks, mut places) = ([Task::new(), Task::new(), Task::new()], [const { Place(None) }; 3]);
    for (task, place) in tasks.iter().zip(&mut places) {
        assert!(waiters.enter(place, waker(task)).is_none());
    }
    assert!(waiters.leave(&mut places[1]).is_some_and(|former| former.will_wake(&waker(&tasks[1]))));
    assert!(waiters.leave(&mut places[1]).is_none(), "it has left already");
    waiters.take().wake();
    assert_eq!(tasks.each_ref().map(Task::wakes), [1, 0, 1]);
    assert!(waiters.leave(&mut places[0]).is_none(), "it was taken out");
}

/// Woken, and not yet polled again: its place is its own still, whoever came meanwhile.
#[test]
fn who_waits_again_takes_nobody_s_place() {
    let mut waiters = Waiters::default();
    let (tasks, mut places) = ([Task::new(), Task::new()], [const { Place(None) }; 2]);
    assert!(waiters.enter(&mut places[0], waker(&tasks[0])).is_none());
    waiters.take().wake();
    assert!(waiters.enter(&mut places[1], waker(&tasks[1])).is_none());
    assert!(waiters.enter(&mut places[0], waker(&tasks[0])).is_none());
    waiters.take().wake();
    assert_eq!(tasks.each_ref().map(Task::wakes), [2, 1]);
}

#[test]
fn a_waker_that_panics_keeps_nobody_asleep() {
    let mut waiters = Waiters::default();
    let bad = || Task::when_woken(|| panic!("a runtime's own fault"));
    let tasks = [Task::new(), bad(), Task::new(), bad(), Task::new()];
    for task in &tasks {
        assert!(waiters.enter(&mut Place::default(), waker(task)).is_none());
    }
    let woken = waiters.take();
    assert!(catch_unwind(AssertUnwindSafe(|| woken.wake())).is_err(), "the first panic is the caller's to know");
    assert_eq!(tasks.each_ref().map(Task::wakes), [1; 5]);
    assert!(tasks.iter().all(Task::is_forgotten));
}
