use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::mpsc;
use std::thread;

use quickcheck::{Arbitrary, Gen, QuickCheck};

use super::*;
use crate::test_task::Task;
use crate::view::MemberView;

type Cell = SharedArc<ViewCell<View>>;

fn cell(members: u64) -> Cell {
    SharedArc::new(ViewCell::new(View::sample(1, (1..=members).map(|id| MemberView::sample(id, 0)))))
}

/// Publishes a view in which this member has this state; none of it forgets the member.
fn publish(cell: &Cell, id: u64, entries: Option<&[(&str, &str, u32)]>) {
    cell.publish(|view| {
        *view = View::with(view, id, entries);
        true
    });
}

fn set(id: u64, key: &str, value: &str) -> String {
    format!("{id} {key}={value}")
}

/// Runs a task on this thread to its end.
fn run<F: Future>(future: F) -> F::Output {
    let (wake, woken) = mpsc::channel();
    let task = Task::when_woken(move || {
        let _ = wake.send(());
    });
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(result) = task.poll(&mut future) {
            return result;
        }
        woken.recv().expect("its waker is kept here");
    }
}

/// Everything that is there to be received, in words.
fn all(watch: &mut Watch) -> Vec<String> {
    std::iter::from_fn(|| watch.try_recv().ok()).map(|change| word(&change)).collect()
}

fn word(change: &Change) -> String {
    match change {
        Change::Set { member, entry } => {
            set(member.as_u64(), entry.key(), std::str::from_utf8(entry.value()).expect("the tests put text"))
        }
        Change::Deleted { member, last } => format!("{} -{}", member.as_u64(), last.key()),
        Change::Resync => "resync".into(),
    }
}

#[test]
fn first_comes_what_is_there_and_then_every_change() {
    let cell = cell(3);
    publish(&cell, 2, Some(&[("role", "db", 1), ("zone", "a", 2)]));
    publish(&cell, 2, Some(&[("role", "web", 3), ("zone", "a", 2)]));
    let mut roles = Watch::new(&cell, "role");
    let mut everything = Watch::new(&cell, "");
    assert_eq!(all(&mut roles), ["2 role=web"], "who comes late has missed nothing");
    assert_eq!(all(&mut everything), ["2 role=web", "2 zone=a"]);
    publish(&cell, 3, Some(&[("role", "web", 1), ("roles/other", "x", 2)]));
    assert_eq!(all(&mut roles), ["3 role=web", "3 roles/other=x"]);
    publish(&cell, 2, Some(&[("role", "web", 3), ("zone", "b", 4)]));
    assert_eq!(roles.try_recv(), Err(TryRecvError::Empty), "another prefix");
    publish(&cell, 2, Some(&[("zone", "b", 4)]));
    assert_eq!(all(&mut roles), ["2 -role"]);
    publish(&cell, 3, None);
    assert_eq!(all(&mut roles), ["3 -role", "3 -roles/other"], "it was forgotten, and its state with it");
}

/// A consumer that keeps up is never told to resync, whatever else changes meanwhile.
#[test]
fn g11_a_resync_comes_for_what_was_left_out_and_for_nothing_else() {
    let cell = cell(2);
    let mut roles = Watch::new(&cell, "role");
    let mut loads = Watch::new(&cell, "load");
    publish(&cell, 1, Some(&[("role", "db", 1)]));
    for n in 0..100 {
        publish(&cell, 1, Some(&[("role", "db", 1), ("load", &n.to_string(), 2 + n)]));
        assert_eq!(all(&mut loads), [set(1, "load", &n.to_string())]);
    }
    assert_eq!(all(&mut roles), ["1 role=db"], "a hundred views later, and nothing of it was left out");
    publish(&cell, 1, Some(&[("role", "web", 200), ("load", "99", 101)]));
    publish(&cell, 2, Some(&[("role", "web", 1)]));
    let mut changed = all(&mut roles);
    changed.sort();
    assert_eq!(changed, ["1 role=web", "2 role=web"], "two views, and one change of each");
    publish(&cell, 2, Some(&[("role", "a", 2)]));
    publish(&cell, 2, Some(&[("role", "b", 3)]));
    assert_eq!(all(&mut roles), ["resync", "2 role=b"]);
    publish(&cell, 2, Some(&[]));
    publish(&cell, 2, Some(&[("role", "c", 5)]));
    assert_eq!(all(&mut roles), ["resync", "2 role=c"], "that it was deleted was left out");
    publish(&cell, 2, Some(&[("role", "d", 6)]));
    assert_eq!(all(&mut roles), ["2 role=d"], "and then it keeps up again");
    publish(&cell, 2, Some(&[("role", "e", 7)]));
    publish(&cell, 2, Some(&[]));
    assert_eq!(all(&mut roles), ["2 -role"]);
    publish(&cell, 2, Some(&[("role", "f", 9)]));
    publish(&cell, 2, Some(&[]));
    assert_eq!(all(&mut roles), [""; 0], "it came and went");
}

/// What is under way to a consumer is not what is new: one difference is told to its end, and then the next.
#[test]
fn a_change_in_the_midst_of_a_difference_comes_behind_it() {
    let cell = cell(1);
    publish(&cell, 1, Some(&[("a", "1", 1), ("b", "1", 2)]));
    let mut watch = Watch::new(&cell, "");
    assert_eq!(watch.try_recv().map(|change| word(&change)), Ok(set(1, "a", "1")));
    publish(&cell, 1, Some(&[("a", "2", 3)]));
    assert_eq!(all(&mut watch), ["1 b=1", "1 a=2", "1 -b"]);
}

#[test]
fn the_end_comes_after_the_last_change() {
    let cell = cell(1);
    let mut watch = Watch::new(&cell, "");
    assert_eq!(watch.recv_timeout(Duration::from_millis(1)), Err(RecvTimeoutError::Timeout));
    publish(&cell, 1, Some(&[("a", "1", 1)]));
    cell.close().wake();
    assert_eq!(watch.recv().map(|change| word(&change)), Ok(set(1, "a", "1")));
    assert_eq!((watch.try_recv(), watch.recv()), (Err(TryRecvError::Closed), Err(RecvError)));
    assert_eq!(watch.recv_timeout(Duration::MAX), Err(RecvTimeoutError::Closed));
    assert_eq!(run(watch.recv_async()), Err(RecvError));
}

#[test]
fn threads_and_tasks_are_woken_by_what_they_watch() {
    const LAST: u32 = 200;
    let cell = cell(2);
    let mut watches: [Watch; 3] = std::array::from_fn(|_| Watch::new(&cell, "n"));
    let [thread, task, stream] = &mut watches;
    let is_last = |change: &Change| word(change) == set(1, "n", &LAST.to_string());
    thread::scope(|s| {
        s.spawn(move || while !is_last(&thread.recv().expect("it is not the end")) {});
        s.spawn(move || while !is_last(&run(task.recv_async()).expect("it is not the end")) {});
        s.spawn(move || {
            let next = |stream: &mut Watch| run(poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx)));
            while !is_last(&next(stream).expect("it is not the end")) {}
        });
        for n in 1..=LAST {
            publish(&cell, 2, Some(&[("other", &n.to_string(), n)]));
            publish(&cell, 1, Some(&[("n", &n.to_string(), n)]));
        }
    });
    drop(watches);
    assert_eq!(cell.tasks(), 0);
}

/// The last task that has asked is woken, and a watch that goes leaves nobody behind.
#[test]
fn a_watch_that_goes_is_forgotten() {
    let cell = cell(1);
    let (mut watch, task, other) = (Watch::new(&cell, "a"), Task::new(), Task::new());
    assert!(watch.poll_recv(&mut task.cx()).is_pending() && watch.poll_recv(&mut other.cx()).is_pending());
    publish(&cell, 1, Some(&[("b", "", 1)]));
    assert_eq!((task.wakes(), other.wakes()), (0, 1));
    assert!(watch.poll_recv(&mut other.cx()).is_pending(), "of another prefix");
    assert_eq!(cell.tasks(), 1);
    drop(watch);
    assert!(cell.tasks() == 0 && task.is_forgotten() && other.is_forgotten());
}

#[derive(Clone, Debug)]
enum Step {
    /// This member has this state from now on.
    Publish(u64, Vec<(u8, u8)>),
    Forget(u64),
    /// The consumer takes so many changes.
    Take(u8),
}

impl Arbitrary for Step {
    fn arbitrary(g: &mut Gen) -> Self {
        let id = u64::arbitrary(g) % 40;
        match u8::arbitrary(g) % 10 {
            0..6 => {
                let entry = |g: &mut Gen| (u8::arbitrary(g) % 12, u8::arbitrary(g) % 3);
                Self::Publish(id, (0..u8::arbitrary(g) % 5).map(|_| entry(g)).collect())
            }
            6 => Self::Forget(id),
            _ => Self::Take(u8::arbitrary(g) % 6),
        }
    }
}

/// Whoever applies what comes has what is there, and knows each time whether a value was left out.
#[test]
fn the_changes_are_the_state() {
    fn holds(steps: Vec<Step>) -> bool {
        let cell = cell(1);
        let mut watch = Watch::new(&cell, "k1");
        let mut picture: BTreeMap<(u64, String), Vec<u8>> = BTreeMap::new();
        let mut take = |watch: &mut Watch| match watch.try_recv() {
            Ok(Change::Set { member, entry }) => {
                picture.insert((member.as_u64(), entry.key().into()), entry.value().into());
                true
            }
            Ok(Change::Deleted { member, last }) => {
                let former = picture.remove(&(member.as_u64(), last.key().into()));
                assert_eq!(former.as_deref(), Some(last.value()), "what is deleted was there");
                true
            }
            Ok(Change::Resync) => true,
            Err(_) => false,
        };
        for (n, step) in steps.into_iter().enumerate() {
            match step {
                Step::Publish(id, entries) => {
                    let version = n as u32 + 1;
                    let entries: BTreeMap<_, _> =
                        entries.iter().map(|(key, value)| (format!("k{key}"), value.to_string())).collect();
                    let entries: Vec<_> = entries.iter().map(|(k, v)| (k.as_str(), v.as_str(), version)).collect();
                    publish(&cell, id + 1, Some(&entries));
                }
                Step::Forget(id) => publish(&cell, id + 2, None),
                Step::Take(n) => (0..n).for_each(|_| {
                    take(&mut watch);
                }),
            }
        }
        while take(&mut watch) {}
        let view = cell.get();
        let there = view.members().flat_map(|row| row.entries().map(|entry| (row.id().as_u64(), entry)));
        let there = there.filter(|(_, entry)| entry.key().starts_with("k1"));
        picture == there.map(|(id, entry)| ((id, entry.key().into()), entry.value().to_vec())).collect()
    }
    QuickCheck::new().tests(300).quickcheck(holds as fn(Vec<Step>) -> bool);
}
