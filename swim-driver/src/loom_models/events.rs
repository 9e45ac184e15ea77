use std::pin::pin;

use loom::future::block_on;
use loom::thread::{self, JoinHandle};
use swim_core::Event;

use super::Sleeper;
use crate::events::{EventRing, Events, RecvError, TryRecvError};
use crate::sync::Arc;

fn ring() -> Arc<EventRing> {
    Arc::new(EventRing::default())
}

fn health(score: u32) -> Event {
    Event::Health { score }
}

/// One event after the other, and then the end.
fn pump(ring: &Arc<EventRing>, events: u32) -> JoinHandle<()> {
    let ring = Arc::clone(ring);
    thread::spawn(move || {
        (0..events).for_each(|score| ring.push(&[health(score)]));
        ring.close().wake();
    })
}

/// What comes, from this event on: in order, without a gap that is not told, to the last. Returns how many were missed.
fn check(first: u32, total: u32, mut receive: impl FnMut() -> Result<Event, RecvError>) -> u64 {
    let (mut next, mut all_missed) = (u64::from(first), 0);
    while let Ok(event) = receive() {
        match event {
            Event::Lagged { missed } => {
                assert!(missed > 0);
                all_missed += missed;
                next += missed;
            }
            Event::Health { score } => {
                assert_eq!(u64::from(score), next);
                next += 1;
            }
            _ => panic!("{event:?} was not sent"),
        }
    }
    assert_eq!(next, u64::from(total));
    all_missed
}

const MORE_THAN_FIT: u32 = EventRing::CAPACITY as u32 + 1;

#[test]
fn a_thread_and_a_task_are_given_everything_or_told_how_much_not() {
    loom::model(|| {
        let ring = ring();
        let (mut here, mut there) = (Events::new(&ring), Events::new(&ring));
        let pump = pump(&ring, MORE_THAN_FIT);
        let task = thread::spawn(move || check(0, MORE_THAN_FIT, || block_on(there.recv_async())));
        let missed = check(0, MORE_THAN_FIT, || here.recv()) + task.join().unwrap();
        pump.join().unwrap();
        assert_eq!(ring.missed(), missed);
    });
}

/// Without an end that would wake whoever an event has not woken.
#[test]
fn no_event_is_slept_through() {
    loom::model(|| {
        let ring = ring();
        let (mut here, mut there) = (Events::new(&ring), Events::new(&ring));
        let task = thread::spawn(move || block_on(there.recv_async()));
        let pump = thread::spawn(move || ring.push(&[health(0)]));
        assert_eq!((here.recv(), task.join().unwrap()), (Ok(health(0)), Ok(health(0))));
        pump.join().unwrap();
    });
}

/// It sees what comes from its beginning on; where that is, the first event tells.
#[test]
fn who_subscribes_meanwhile_has_no_gap_either() {
    loom::model(|| {
        let ring = ring();
        let pump = pump(&ring, MORE_THAN_FIT);
        let mut late = Events::new(&ring);
        let first = match late.recv() {
            Ok(Event::Health { score }) => score + 1,
            Ok(Event::Lagged { missed }) => {
                assert_eq!(missed, 1, "no more than one was pushed out");
                MORE_THAN_FIT - EventRing::CAPACITY as u32
            }
            Ok(other) => panic!("{other:?} was not sent"),
            Err(RecvError) => MORE_THAN_FIT,
        };
        check(first, MORE_THAN_FIT, || block_on(late.recv_async()));
        pump.join().unwrap();
    });
}

#[test]
fn a_subscriber_that_goes_meanwhile_takes_nothing_from_the_others() {
    loom::model(|| {
        let ring = ring();
        let (mut here, mut gone) = (Events::new(&ring), Events::new(&ring));
        let pump = pump(&ring, EventRing::CAPACITY as u32);
        let leaver = thread::spawn(move || {
            let sleeper = Sleeper::new();
            let mut first = None;
            if let std::task::Poll::Ready(event) = sleeper.poll(pin!(gone.recv_async())) {
                first = Some(event.unwrap());
            }
            drop(gone);
            assert!(first.is_none_or(|event| event == health(0)));
            sleeper
        });
        assert_eq!(check(0, EventRing::CAPACITY as u32, || here.recv()), 0);
        pump.join().unwrap();
        assert!(leaver.join().unwrap().is_forgotten() && ring.tasks() == 0);
    });
}

/// An event comes to whoever was ready, or to the next call.
#[test]
fn a_call_given_up_meanwhile_loses_no_event() {
    loom::model(|| {
        let ring = ring();
        let mut events = Events::new(&ring);
        let pump = pump(&ring, EventRing::CAPACITY as u32);
        let sleeper = Sleeper::new();
        let first = match sleeper.poll(pin!(events.recv_async())) {
            std::task::Poll::Ready(event) => {
                assert_eq!(event, Ok(health(0)));
                1
            }
            std::task::Poll::Pending => 0,
        };
        assert_eq!(ring.tasks(), 0);
        assert_eq!(check(first, EventRing::CAPACITY as u32, || block_on(events.recv_async())), 0);
        assert_eq!(events.try_recv(), Err(TryRecvError::Closed));
        pump.join().unwrap();
        assert!(sleeper.is_forgotten() && ring.tasks() == 0);
    });
}
