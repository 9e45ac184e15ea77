use std::pin::pin;
use std::sync::Arc as StdArc;
use std::time::Duration;

use loom::future::block_on;
use loom::thread::{self, JoinHandle};

use super::Sleeper;
use crate::cell::ViewCell;
use crate::sync::Arc;

/// Version and contents: equal, if neither is ever seen without the other.
type Pair = (u64, u64);

/// For ever: no time passes in a model.
const EVER: Duration = Duration::MAX;

fn cell() -> Arc<ViewCell<Pair>> {
    Arc::new(ViewCell::new((0, 0)))
}

fn step(cell: &ViewCell<Pair>) {
    cell.publish(|view| {
        let view = StdArc::make_mut(view);
        view.0 += 1;
        view.1 += 1;
        true
    });
}

fn publisher(cell: &Arc<ViewCell<Pair>>, steps: u64) -> JoinHandle<()> {
    let cell = Arc::clone(cell);
    thread::spawn(move || (0..steps).for_each(|_| step(&cell)))
}

/// Does this with the cell on a thread of its own.
fn on<R: 'static>(cell: &Arc<ViewCell<Pair>>, run: impl FnOnce(&ViewCell<Pair>) -> R + 'static) -> JoinHandle<R> {
    let cell = Arc::clone(cell);
    thread::spawn(move || run(&cell))
}

#[test]
fn no_version_is_ahead_of_its_contents_or_goes_back() {
    loom::model(|| {
        let cell = cell();
        let publisher = publisher(&cell, 2);
        let reader = on(&cell, |cell| {
            let (first, second) = (cell.get(), cell.get());
            assert!(first.0 == first.1 && second.0 == second.1 && first.0 <= second.0);
        });
        let seen = cell.get();
        assert_eq!(seen.0, seen.1);
        publisher.join().unwrap();
        reader.join().unwrap();
        assert_eq!(*cell.get(), (2, 2));
    });
}

/// A thread and a task wait for different things.
#[test]
fn who_waits_for_a_view_sleeps_through_no_change() {
    loom::model(|| {
        let cell = cell();
        let publisher = publisher(&cell, 2);
        let task = on(&cell, |cell| block_on(cell.view_when(|view| view.0 != 0)));
        assert_eq!(cell.wait_view(EVER, |view| view.0 == 2).as_deref(), Some(&(2, 2)));
        publisher.join().unwrap();
        let seen = task.join().unwrap().expect("the cell is not closed");
        assert!(seen.0 == seen.1 && seen.0 != 0);
    });
}

/// Each change is seen, one after the other, by whoever asks for the next in time.
#[test]
fn who_asks_for_the_next_version_gets_to_the_last() {
    loom::model(|| {
        let cell = cell();
        let publisher = publisher(&cell, 2);
        let task = on(&cell, |cell| {
            let mut seen = 0;
            while seen < 2 {
                let next = block_on(cell.view_when(|view| view.0 != seen)).expect("the cell is not closed");
                assert!(next.0 > seen && next.0 == next.1);
                seen = next.0;
            }
        });
        let mut seen = 0;
        while seen < 2 {
            seen = cell.wait_view(EVER, |view| view.0 != seen).expect("the cell is not closed").0;
        }
        publisher.join().unwrap();
        task.join().unwrap();
    });
}

#[test]
fn a_wait_given_up_meanwhile_leaves_nothing_and_takes_nobody_s_wake_up() {
    loom::model(|| {
        let cell = cell();
        let publisher = publisher(&cell, 1);
        let patient = on(&cell, |cell| block_on(cell.view_when(|view| view.0 != 0)));
        let sleeper = Sleeper::new();
        {
            let given_up = pin!(cell.view_when(|view| view.0 != 0));
            let _ = sleeper.poll(given_up);
        }
        assert!(cell.tasks() <= 1, "only the patient one is left");
        assert_eq!(block_on(cell.view_when(|view| view.0 != 0)).as_deref(), Some(&(1, 1)), "asked again, it sees it");
        assert_eq!(patient.join().unwrap().as_deref(), Some(&(1, 1)));
        publisher.join().unwrap();
        assert!(sleeper.is_forgotten() && cell.tasks() == 0);
    });
}

#[test]
fn the_end_is_told_to_threads_and_tasks_that_wait_for_it_or_in_vain() {
    loom::model(|| {
        let cell = cell();
        let end = on(&cell, |cell| cell.close().wake());
        let never = on(&cell, |cell| block_on(cell.view_when(|_| false)));
        assert!(cell.wait_closed(EVER));
        end.join().unwrap();
        assert_eq!((never.join().unwrap(), cell.tasks()), (None, 0));
    });
}

#[test]
fn the_end_and_a_change_just_before_it_are_both_told() {
    loom::model(|| {
        let cell = cell();
        let end = on(&cell, |cell| {
            step(cell);
            cell.close().wake();
        });
        let closed = on(&cell, |cell| block_on(cell.closed()));
        assert_eq!(cell.wait_view(EVER, |view| view.0 == 9), None);
        assert_eq!(cell.get().0, 1, "the last change is still told");
        end.join().unwrap();
        closed.join().unwrap();
        assert!(cell.is_closed() && cell.tasks() == 0);
    });
}
