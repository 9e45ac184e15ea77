use std::thread;

use super::*;

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
            cell.close();
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
