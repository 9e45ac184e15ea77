use std::pin::{Pin, pin};
use std::thread;

use futures_core::Stream;
use quickcheck::{Arbitrary, Gen, QuickCheck};
use swim_core::Event;

use super::*;
use crate::events::{EventRing, Events};
use crate::test_task::Task;

const LONG: Duration = Duration::from_secs(60);
const CAPACITY: u32 = EventRing::CAPACITY as u32;

fn health(score: u32) -> Event {
    Event::Health { score }
}

fn ring() -> Arc<EventRing> {
    Arc::new(EventRing::default())
}

#[test]
fn every_subscriber_is_given_every_event_from_its_beginning_on() {
    let ring = ring();
    ring.push(&[health(0)]);
    let mut early = Events::new(&ring);
    ring.push(&[health(1), health(2)]);
    let mut late = Events::new(&ring);
    ring.push(&[health(3)]);
    let all = |events: &mut Events| std::iter::from_fn(|| events.try_recv().ok()).collect::<Vec<_>>();
    assert_eq!(all(&mut early), [health(1), health(2), health(3)]);
    assert_eq!(all(&mut late), [health(3)]);
    assert_eq!(early.try_recv(), Err(TryRecvError::Empty));
}

#[test]
fn who_is_too_far_behind_is_told_how_far() {
    let ring = ring();
    let mut slow = Events::new(&ring);
    let mut quick = Events::new(&ring);
    for score in 0..CAPACITY + 7 {
        ring.push(&[health(score)]);
        assert_eq!(quick.try_recv(), Ok(health(score)));
    }
    assert_eq!(slow.try_recv(), Ok(Event::Lagged { missed: 7 }));
    for score in 7..CAPACITY + 7 {
        assert_eq!(slow.try_recv(), Ok(health(score)));
    }
    assert_eq!(slow.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(ring.missed(), 7);
}

/// What a sole subscriber has had is not kept, and neither it nor those who come later notice.
#[test]
fn what_all_have_had_takes_no_room() {
    let ring = ring();
    let mut first = Events::new(&ring);
    for score in 0..3 * CAPACITY {
        ring.push(&[health(score), health(score)]);
        assert_eq!([first.try_recv(), first.try_recv()], [Ok(health(score)); 2]);
        assert_eq!(first.try_recv(), Err(TryRecvError::Empty));
    }
    assert!(lock(&ring.state).items.capacity() < 16);
    let mut second = Events::new(&ring);
    ring.push(&[health(1), health(2)]);
    assert_eq!([first.try_recv(), first.try_recv()], [Ok(health(1)), Ok(health(2))]);
    assert_eq!(second.try_recv(), Ok(health(1)), "the first is through, the second is not");
    drop(first);
    assert_eq!([second.try_recv(), second.try_recv()], [Ok(health(2)), Err(TryRecvError::Empty)]);
    assert_eq!(ring.missed(), 0);
}

/// The node's own gaps count with what they stand for.
#[test]
fn a_missed_gap_is_as_large_as_what_is_missing() {
    let ring = ring();
    let mut events = Events::new(&ring);
    ring.push(&[Event::Lagged { missed: 500 }, health(0)]);
    ring.push(&vec![health(1); EventRing::CAPACITY]);
    assert_eq!(events.try_recv(), Ok(Event::Lagged { missed: 501 }));
    assert_eq!(events.try_recv(), Ok(health(1)));
}

#[test]
fn the_end_comes_after_the_last_event() {
    let ring = ring();
    let mut events = Events::new(&ring);
    ring.push(&[Event::Left]);
    ring.close();
    assert_eq!(events.recv(), Ok(Event::Left));
    assert_eq!(events.try_recv(), Err(TryRecvError::Closed));
    assert_eq!(events.recv_timeout(LONG), Err(RecvTimeoutError::Closed));
    assert_eq!(events.recv(), Err(RecvError));
    assert_eq!(Events::new(&ring).try_recv(), Err(TryRecvError::Closed), "a late subscriber too");
}

#[test]
fn a_wait_in_vain_ends_in_time() {
    let mut events = Events::new(&ring());
    assert_eq!(events.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout));
    assert_eq!(events.recv_timeout(Duration::from_millis(1)), Err(RecvTimeoutError::Timeout));
}

#[test]
fn who_waits_is_woken_by_every_event_and_by_the_end() {
    let ring = ring();
    let (ask, asked) = std::sync::mpsc::channel();
    let mut events = Events::new(&ring);
    thread::scope(|s| {
        s.spawn(move || {
            for score in 0..1_000 {
                ask.send(score).unwrap();
                assert_eq!(events.recv_timeout(LONG), Ok(health(score)));
            }
            drop(ask);
            assert_eq!(events.recv(), Err(RecvError));
        });
        asked.iter().for_each(|score| ring.push(&[health(score)]));
        ring.close();
    });
}

#[test]
fn nothing_is_kept_for_nobody() {
    let ring = ring();
    ring.push(&[health(0)]);
    assert_eq!(lock(&ring.state).items.len(), 0);
    let (first, second) = (Events::new(&ring), Events::new(&ring));
    ring.push(&[health(1)]);
    drop(first);
    assert_eq!(lock(&ring.state).items.len(), 1, "one is still there");
    drop(second);
    assert_eq!(lock(&ring.state).items.capacity(), 0);
    let mut third = Events::new(&ring);
    ring.push(&[health(2)]);
    assert_eq!(third.try_recv(), Ok(health(2)));
}

#[derive(Clone, Debug)]
enum Op {
    Push(Vec<Option<u8>>),
    Receive(u8, u16),
    Subscribe,
    Drop(u8),
}

impl Arbitrary for Op {
    fn arbitrary(g: &mut Gen) -> Self {
        match u8::arbitrary(g) % 8 {
            0 => Self::Subscribe,
            1 => Self::Drop(u8::arbitrary(g)),
            2..=4 => Self::Receive(u8::arbitrary(g), u16::arbitrary(g) % 2_000),
            _ => Self::Push((0..u16::arbitrary(g) % 900).map(|_| Option::arbitrary(g)).collect()),
        }
    }
}

/// For each subscriber, what it was given and what it was told to have missed add up to what came since it subscribed,
/// and what it was given is what came there: nothing out of order, nothing twice.
#[test]
fn nothing_is_lost_unsaid() {
    fn weight(event: &Event) -> u64 {
        if let Event::Lagged { missed } = event { *missed } else { 1 }
    }
    fn run(ops: Vec<Op>) -> bool {
        let ring = ring();
        let mut sent: Vec<Event> = Vec::new();
        let mut subscribers: Vec<(Events, u64)> = Vec::new(); // and the weight of all that came before its place
        let receive = |(events, seen): &mut (Events, u64), sent: &[Event]| {
            let Ok(event) = events.try_recv() else { return sent.iter().map(weight).sum::<u64>() == *seen };
            *seen += weight(&event);
            // The next event in the stream is the one at this weight, so a gap of the right size ends at its place.
            let mut passed = 0;
            let place = sent.iter().position(|e| {
                passed += weight(e);
                passed >= *seen
            });
            place.is_some_and(|at| passed == *seen && (matches!(event, Event::Lagged { .. }) || sent[at] == event))
        };
        for op in ops {
            match op {
                Op::Push(news) => {
                    let event = |n: Option<u8>| n.map_or(Event::Lagged { missed: 3 }, |n| health(n.into()));
                    let news: Vec<_> = news.into_iter().map(event).collect();
                    ring.push(&news);
                    sent.extend(news);
                }
                Op::Subscribe => subscribers.push((Events::new(&ring), sent.iter().map(weight).sum())),
                Op::Drop(i) if !subscribers.is_empty() => {
                    let _ = subscribers.swap_remove(usize::from(i) % subscribers.len());
                }
                Op::Receive(i, times) if !subscribers.is_empty() => {
                    let i = usize::from(i) % subscribers.len();
                    if !(0..times.min(40)).all(|_| receive(&mut subscribers[i], &sent)) {
                        return false;
                    }
                    // Then at speed, so that places move on far enough for laps.
                    for _ in 40..times {
                        let (events, seen) = &mut subscribers[i];
                        *seen += events.try_recv().map_or(0, |e| weight(&e));
                    }
                }
                Op::Drop(_) | Op::Receive(..) => {}
            }
        }
        subscribers.iter_mut().all(|s| (0..3).all(|_| receive(s, &sent)))
    }
    QuickCheck::new().tests(80).quickcheck(run as fn(Vec<Op>) -> bool);
}

#[test]
fn a_task_is_woken_by_every_event_and_by_the_end() {
    let (ring, task) = (ring(), Task::new());
    let mut events = Events::new(&ring);
    assert!(events.poll_recv(&mut task.cx()).is_pending());
    ring.push(&[]);
    assert_eq!(task.wakes(), 0, "nothing has come");
    ring.push(&[health(0), health(1)]);
    ring.push(&[health(2)]);
    assert_eq!((task.wakes(), ring.tasks()), (1, 0), "once, until it asks again");
    for score in 0..3 {
        assert_eq!(events.poll_recv(&mut task.cx()), Poll::Ready(Ok(health(score))));
    }
    assert!(events.poll_recv(&mut task.cx()).is_pending());
    ring.close().wake();
    assert_eq!((task.wakes(), task.is_forgotten()), (1, true));
    assert_eq!(events.poll_recv(&mut task.cx()), Poll::Ready(Err(RecvError)));
    assert_eq!(task.poll(&mut pin!(events.recv_async())), Poll::Ready(Err(RecvError)));
}

/// Before its first poll, waiting, woken: no event is lost, and nothing of it is left.
#[test]
fn a_call_given_up_at_any_point_loses_no_event_and_leaves_nothing_behind() {
    let (ring, task) = (ring(), Task::new());
    let mut events = Events::new(&ring);
    drop(events.recv_async());
    let mut waiting = Box::pin(events.recv_async());
    assert!(task.poll(&mut waiting).is_pending() && ring.tasks() == 1);
    drop(waiting);
    assert!(task.is_forgotten() && ring.tasks() == 0);
    ring.push(&[health(0)]);
    assert_eq!(task.wakes(), 0);
    assert_eq!(events.try_recv(), Ok(health(0)));

    let mut woken = Box::pin(events.recv_async());
    assert!(task.poll(&mut woken).is_pending());
    ring.push(&[health(1), health(2)]);
    assert_eq!(task.wakes(), 1);
    drop(woken);
    assert_eq!(task.poll(&mut pin!(events.recv_async())), Poll::Ready(Ok(health(1))));
    assert_eq!(events.try_recv(), Ok(health(2)));
    assert!(task.is_forgotten() && ring.tasks() == 0);
}

#[test]
fn a_stream_has_all_events_and_ends() {
    let (ring, task) = (ring(), Task::new());
    let mut events = Events::new(&ring);
    let next = |events: &mut Events| Pin::new(events).poll_next(&mut task.cx());
    assert!(next(&mut events).is_pending());
    ring.push(&[health(0)]);
    assert_eq!((task.wakes(), next(&mut events)), (1, Poll::Ready(Some(health(0)))));
    assert!(next(&mut events).is_pending());
    ring.push(&[Event::Left]);
    ring.close().wake();
    assert_eq!((next(&mut events), next(&mut events)), (Poll::Ready(Some(Event::Left)), Poll::Ready(None)));
    assert!(task.is_forgotten());
}

#[test]
fn the_last_task_that_asked_is_woken_and_a_subscription_that_is_gone_wakes_none() {
    let (ring, first, second) = (ring(), Task::new(), Task::new());
    let (mut moved, mut other) = (Events::new(&ring), Events::new(&ring));
    assert!(moved.poll_recv(&mut first.cx()).is_pending() && moved.poll_recv(&mut second.cx()).is_pending());
    assert!(first.is_forgotten() && ring.tasks() == 1);
    assert!(other.poll_recv(&mut first.cx()).is_pending() && ring.tasks() == 2);
    ring.push(&[health(0)]);
    assert_eq!((first.wakes(), second.wakes()), (1, 1), "every subscription has its own");
    assert!(moved.poll_recv(&mut second.cx()).is_ready() && moved.poll_recv(&mut second.cx()).is_pending());
    drop(moved);
    assert!(second.is_forgotten() && ring.tasks() == 0);
    ring.push(&[health(1)]);
    assert_eq!(second.wakes(), 0);
}

/// Wakers run when the lock is not held, so they may do what they like.
#[test]
fn a_waker_may_subscribe_or_panic() {
    let ring = ring();
    let inside = Arc::downgrade(&ring);
    let curious = Task::when_woken(move || {
        let ring = inside.upgrade().expect("it is here");
        assert_eq!(Events::new(&ring).try_recv(), Err(TryRecvError::Empty));
        ring.push(&[health(7)]);
    });
    let (bad, last) = (Task::when_woken(|| panic!("a runtime's own fault")), Task::new());
    let mut subscribers = [Events::new(&ring), Events::new(&ring), Events::new(&ring)];
    for (events, task) in subscribers.iter_mut().zip([&curious, &bad, &last]) {
        assert!(events.poll_recv(&mut task.cx()).is_pending());
    }
    let push = || ring.push(&[health(0)]);
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(push)).expect_err("the bad one's panic");
    assert_eq!((curious.wakes(), last.wakes(), ring.tasks()), (1, 1, 0));
    for events in &mut subscribers {
        assert_eq!([events.try_recv(), events.try_recv()], [Ok(health(0)), Ok(health(7))]);
    }
}
