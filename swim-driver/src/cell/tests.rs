use std::pin::pin;
use std::thread;

use super::*;
use crate::test_task::Task;

const LONG: Duration = Duration::from_secs(60);

/// Version and contents: equal, if neither is ever seen without the other.
type Pair = (u64, u64);

fn step(cell: &ViewCell<Pair>) {
    cell.publish(|view| {
        let view = Arc::make_mut(view);
        view.1 += 1;
        view.0 += 1;
        true
    });
}

#[test]
fn no_version_is_ahead_of_its_contents() {
    let cell = ViewCell::new((0, 0));
    thread::scope(|s| {
        for _ in 0..3 {
            s.spawn(|| {
                let mut seen = 0;
                while seen < 20_000 {
                    let view = cell.get();
                    assert!(view.0 == view.1 && view.0 >= seen);
                    seen = view.0;
                }
            });
        }
        s.spawn(|| (0..20_000).for_each(|_| step(&cell)));
    });
}

#[test]
fn who_waits_is_woken_by_every_change() {
    let cell = ViewCell::new((0, 0));
    let (ask, asked) = std::sync::mpsc::channel();
    thread::scope(|s| {
        let cell = &cell;
        s.spawn(move || {
            let mut seen = 0;
            while seen < 1_000 {
                ask.send(()).unwrap();
                seen = cell.wait_view(LONG, |view| view.0 != seen).expect("a change comes").0;
            }
        });
        asked.iter().for_each(|()| step(cell));
    });
}

#[test]
fn what_a_reader_holds_is_not_touched() {
    let cell = ViewCell::new((0, 0));
    step(&cell);
    let held = cell.get();
    step(&cell);
    assert_eq!((*held, *cell.get()), ((1, 1), (2, 2)));
}

#[test]
fn where_nobody_reads_nothing_is_copied() {
    let cell = ViewCell::new((0, 0));
    let at = Arc::as_ptr(&cell.get());
    step(&cell);
    assert_eq!(Arc::as_ptr(&cell.get()), at);
}

#[test]
fn the_end_ends_every_wait_and_keeps_the_view() {
    let cell = ViewCell::new((0, 0));
    assert!(!cell.wait_closed(Duration::ZERO));
    thread::scope(|s| {
        s.spawn(|| assert_eq!(cell.wait_view(LONG, |_| false), None));
        s.spawn(|| assert!(cell.wait_closed(Duration::MAX)));
        s.spawn(|| {
            step(&cell);
            cell.close().wake();
        });
    });
    assert!(cell.is_closed());
    assert_eq!(cell.wait_view(LONG, |view| view.0 != 0).as_deref(), Some(&(1, 1)), "the last change is still told");
}

#[test]
fn a_wait_in_vain_ends_in_time() {
    let cell = ViewCell::new((0, 0));
    assert_eq!(cell.wait_view(Duration::ZERO, |view| view.0 != 0), None);
    assert_eq!(cell.wait_view(Duration::from_millis(1), |view| view.0 != 0), None);
}

#[test]
fn a_task_is_woken_by_a_change_and_waits_on_until_it_is_the_wanted_one() {
    let (cell, task) = (ViewCell::new((0, 0)), Task::new());
    let mut second = pin!(cell.view_when(|view| view.0 == 2));
    assert!(task.poll(&mut second).is_pending());
    cell.publish(|_| false);
    assert_eq!(task.wakes(), 0, "nothing has changed");
    step(&cell);
    assert_eq!((task.wakes(), cell.tasks()), (1, 0));
    assert!(task.poll(&mut second).is_pending(), "it is the first");
    step(&cell);
    step(&cell);
    assert_eq!(task.wakes(), 1, "once, until it asks again");
    assert!(task.poll(&mut second).is_pending(), "and the view is what it is now");
    cell.close().wake();
    assert_eq!((task.wakes(), task.poll(&mut second)), (1, Poll::Ready(None)));
}

/// Before its first poll, waiting, woken: nothing of it is left, nobody else is kept from anything, and whoever asks again
/// sees the same.
#[test]
fn a_wait_given_up_at_any_point_leaves_nothing_behind() {
    let (cell, task, other) = (ViewCell::new((0, 0)), Task::new(), Task::new());
    let changed = || Box::pin(cell.view_when(|view| view.0 != 0));
    let mut patient = changed();
    assert!(other.poll(&mut patient).is_pending());

    drop(changed());
    let mut waiting = changed();
    assert!(task.poll(&mut waiting).is_pending() && cell.tasks() == 2);
    drop(waiting);
    assert!(task.is_forgotten() && cell.tasks() == 1);

    let mut woken = changed();
    assert!(task.poll(&mut woken).is_pending());
    step(&cell);
    assert_eq!((task.wakes(), other.wakes()), (1, 1));
    drop(woken);
    assert!(task.is_forgotten() && cell.tasks() == 0);
    let pair = Some((1, 1));
    assert!(matches!(task.poll(&mut changed()), Poll::Ready(view) if view.as_deref() == pair.as_ref()), "the same");
    assert!(matches!(other.poll(&mut patient), Poll::Ready(view) if view.as_deref() == pair.as_ref()));
    assert!(task.is_forgotten() && other.is_forgotten() && cell.tasks() == 0);
}

#[test]
fn a_wait_that_was_moved_to_another_task_wakes_that() {
    let (cell, first, second) = (ViewCell::new((0, 0)), Task::new(), Task::new());
    let mut closed = pin!(cell.closed());
    assert!(first.poll(&mut closed).is_pending() && second.poll(&mut closed).is_pending());
    assert!(first.is_forgotten() && cell.tasks() == 1);
    cell.close().wake();
    assert_eq!((first.wakes(), second.wakes(), second.poll(&mut closed)), (0, 1, Poll::Ready(())));
}

#[test]
fn the_end_wakes_all_tasks_and_keeps_no_waker() {
    let (cell, tasks_) = (ViewCell::new((0, 0)), [Task::new(), Task::new(), Task::new()]);
    let mut never = pin!(cell.view_when(|_| false));
    let mut change = pin!(cell.view_when(|view| view.0 != 0));
    let mut closed = pin!(cell.closed());
    assert!(tasks_[0].poll(&mut never).is_pending() && tasks_[1].poll(&mut change).is_pending());
    assert!(tasks_[2].poll(&mut closed).is_pending());
    cell.close().wake();
    assert_eq!(tasks_.each_ref().map(Task::wakes), [1; 3]);
    assert!(tasks_.iter().all(Task::is_forgotten));
    assert_eq!((tasks_[0].poll(&mut never), tasks_[1].poll(&mut change)), (Poll::Ready(None), Poll::Ready(None)));
    assert_eq!(tasks_[2].poll(&mut closed), Poll::Ready(()));
    assert_eq!(tasks_[0].poll(&mut pin!(cell.view_when(|_| false))), Poll::Ready(None), "a late one need not wait");
}

/// Wakers run when the lock is not held, so they may do what they like.
#[test]
fn a_waker_may_look_into_the_cell_or_panic() {
    let cell = Arc::new(ViewCell::new((0, 0)));
    let (tell, told) = std::sync::mpsc::channel();
    let inside = Arc::downgrade(&cell);
    let curious = Task::when_woken(move || {
        let cell = inside.upgrade().expect("it is here");
        assert_eq!(Task::new().poll(&mut pin!(cell.view_when(|view| view.0 == 9))).is_ready(), cell.is_closed());
        tell.send(*cell.get()).unwrap();
    });
    let (bad, last) = (Task::when_woken(|| panic!("a runtime's own fault")), Task::new());
    let (mut first, mut second, mut third) = (pin!(cell.closed()), pin!(cell.closed()), pin!(cell.closed()));
    assert!(curious.poll(&mut first).is_pending() && bad.poll(&mut second).is_pending());
    assert!(last.poll(&mut third).is_pending());
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| step(&cell))).expect_err("the bad one's panic");
    assert_eq!((told.try_recv(), last.wakes()), (Ok((1, 1)), 1));
    assert!(curious.poll(&mut first).is_pending() && last.poll(&mut third).is_pending());
    cell.close().wake();
    assert_eq!((told.try_recv(), last.wakes(), cell.tasks()), (Ok((1, 1)), 1, 0));
}
