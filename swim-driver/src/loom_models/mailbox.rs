use std::future::poll_fn;
use std::pin::pin;

use loom::future::block_on;
use loom::thread::{self, JoinHandle};

use super::Sleeper;
use crate::mailbox::{Answer, CommandError, Mailbox, Order};
use crate::resolver::Query;
use crate::seed::Seed;
use crate::sync::Arc;
#[cfg(feature = "aead")]
use crate::{Key, Keyring};

/// A command that tells who has given it, and which of its commands it is.
fn order(who: u8, n: u16) -> Order {
    Order::Seeds([([10, 0, 0, who], n).into()].into())
}

/// Gives so many commands; returns how many were accepted.
fn pusher(mailbox: &Arc<Mailbox>, who: u8, count: u16) -> JoinHandle<usize> {
    let mailbox = Arc::clone(mailbox);
    thread::spawn(move || {
        let mut accepted = 0;
        for n in 0..count {
            match mailbox.push(order(who, n)) {
                Ok(()) => accepted += 1,
                Err(e) => assert_eq!(e, CommandError::Closed),
            }
        }
        accepted
    })
}

/// Takes what is there.
fn take_all(mailbox: &Mailbox, taken: &mut Vec<Order>) {
    taken.extend(std::iter::from_fn(|| mailbox.take()));
}

/// All the commands of one, in their order.
fn check_order(taken: &[Order], who: u8, count: u16) {
    let all: Vec<Order> = (0..count).map(|n| order(who, n)).collect();
    let of_one: Vec<&Order> = taken.iter().filter(|order| all.contains(order)).collect();
    assert!(of_one.iter().copied().eq(&all), "{taken:?}");
}

#[test]
fn a_task_sleeps_through_no_command() {
    loom::model(|| {
        let mailbox = Arc::new(Mailbox::new());
        let pushers = [pusher(&mailbox, 1, 1), pusher(&mailbox, 2, 1)];
        let mut taken = Vec::new();
        while taken.len() < 2 {
            block_on(poll_fn(|cx| mailbox.poll_pending(cx)));
            take_all(&mailbox, &mut taken);
        }
        pushers.into_iter().for_each(|pusher| assert_eq!(pusher.join().unwrap(), 1));
        check_order(&taken, 1, 1);
        check_order(&taken, 2, 1);
    });
}

#[test]
fn a_thread_sleeps_through_no_command() {
    loom::model(|| {
        let (mailbox, sleeper) = (Arc::new(Mailbox::new()), Sleeper::new());
        let pushers = [pusher(&mailbox, 1, 2), pusher(&mailbox, 2, 1)];
        mailbox.set_waker(sleeper.thread_waker());
        let mut taken = Vec::new();
        while taken.len() < 3 {
            while mailbox.is_empty() {
                sleeper.sleep();
            }
            take_all(&mailbox, &mut taken);
        }
        pushers.into_iter().for_each(|pusher| assert!(pusher.join().unwrap() > 0));
        check_order(&taken, 1, 2);
        check_order(&taken, 2, 1);
        mailbox.close();
        assert!(sleeper.is_forgotten());
    });
}

/// A driver is handed on while commands come: from one thread to the next, to a task, and from one task to the next.
#[test]
fn the_newest_waker_is_called_whoever_it_is() {
    fn wait(mailbox: &Mailbox, kind: u8, sleeper: &Sleeper) {
        if kind == 0 {
            // It has looked, and does not look again: what came in between has to wake it.
            while mailbox.is_empty() {
                mailbox.set_waker(sleeper.thread_waker());
                sleeper.sleep();
            }
        } else {
            while sleeper.poll(pin!(poll_fn(|cx| mailbox.poll_pending(cx)))).is_pending() {
                sleeper.sleep();
            }
        }
    }
    for (former, next) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        loom::model(move || {
            let (mailbox, sleepers) = (Arc::new(Mailbox::new()), [Sleeper::new(), Sleeper::new()]);
            let pusher = pusher(&mailbox, 1, 2);
            if former == 0 {
                mailbox.set_waker(sleepers[0].thread_waker());
            } else {
                let _ = sleepers[0].poll(pin!(poll_fn(|cx| mailbox.poll_pending(cx))));
            }
            let mut taken = Vec::new();
            while taken.len() < 2 {
                wait(&mailbox, next, &sleepers[1]);
                take_all(&mailbox, &mut taken);
            }
            pusher.join().unwrap();
            check_order(&taken, 1, 2);
            mailbox.close();
            assert!(sleepers.iter().all(Sleeper::is_forgotten));
        });
    }
}

/// The regular end: it waits for what was accepted, and what it does not deliver it refuses.
#[test]
fn what_races_with_the_regular_end_is_delivered_or_refused() {
    loom::model(|| {
        let mailbox = Arc::new(Mailbox::new());
        let pushers = [pusher(&mailbox, 1, 2), pusher(&mailbox, 2, 1)];
        let mut taken = Vec::new();
        while !mailbox.close_if_delivered() {
            take_all(&mailbox, &mut taken);
        }
        let accepted: usize = pushers.into_iter().map(|pusher| pusher.join().unwrap()).sum();
        assert_eq!((taken.len(), mailbox.undelivered()), (accepted, 0));
        assert_eq!(mailbox.push(order(3, 0)), Err(CommandError::Closed));
        assert!(mailbox.is_empty() && mailbox.take().is_none());
    });
}

/// The drop of a pump: what it was not given is counted.
#[test]
fn what_races_with_the_irregular_end_is_delivered_counted_or_refused() {
    loom::model(|| {
        let mailbox = Arc::new(Mailbox::new());
        let pushers = [pusher(&mailbox, 1, 2), pusher(&mailbox, 2, 1)];
        let taken = usize::from(mailbox.take().is_some());
        mailbox.close();
        let accepted: usize = pushers.into_iter().map(|pusher| pusher.join().unwrap()).sum();
        assert_eq!(taken + mailbox.undelivered(), accepted);
        assert!(mailbox.is_empty() && mailbox.take().is_none());
    });
}

/// Two who exchange keys at once: the pump is given one ring or both, is woken for the last, and what it is not given is counted.
#[cfg(feature = "aead")]
#[test]
fn no_keyring_is_slept_through() {
    let ring = ring();
    loom::model(move || {
        let mailbox = Arc::new(Mailbox::new());
        let putters = [putter(&mailbox, &ring), putter(&mailbox, &ring)];
        let mut taken = 0;
        while taken + mailbox.undelivered() < 2 {
            block_on(poll_fn(|cx| mailbox.poll_pending(cx)));
            taken += usize::from(mailbox.take_keyring().is_some());
        }
        putters.into_iter().for_each(|putter| assert_eq!(putter.join().unwrap(), 1));
        assert!((1..=2).contains(&taken) && mailbox.is_empty() && mailbox.take_keyring().is_none());
    });
}

/// The regular end delivers a ring that was accepted, the irregular one counts it; behind either it is refused.
#[cfg(feature = "aead")]
#[test]
fn a_keyring_that_races_with_the_end_is_taken_counted_or_refused() {
    let ring = ring();
    for is_regular in [true, false] {
        let ring = ring.clone();
        loom::model(move || {
            let (mailbox, sleeper) = (Arc::new(Mailbox::new()), Sleeper::new());
            mailbox.set_waker(sleeper.thread_waker());
            let (putter, pusher) = (putter(&mailbox, &ring), pusher(&mailbox, 1, 1));
            let take = || usize::from(mailbox.take_keyring().is_some()) + usize::from(mailbox.take().is_some());
            let mut taken = take();
            if is_regular {
                while !mailbox.close_if_delivered() {
                    taken += take();
                }
            } else {
                mailbox.close();
            }
            let accepted = putter.join().unwrap() + pusher.join().unwrap();
            assert_eq!(taken + mailbox.undelivered(), accepted);
            assert!(!is_regular || mailbox.undelivered() == 0);
            assert!(mailbox.is_empty() && mailbox.take_keyring().is_none() && sleeper.is_forgotten());
        });
    }
}

/// Made once: a key takes longer than a model.
#[cfg(feature = "aead")]
fn ring() -> Keyring {
    Keyring::new(Key::from_bytes([1; 32]))
}

/// Gives a ring to seal with; returns how many were accepted.
#[cfg(feature = "aead")]
fn putter(mailbox: &Arc<Mailbox>, ring: &Keyring) -> JoinHandle<usize> {
    let (mailbox, ring) = (Arc::clone(mailbox), ring.clone());
    thread::spawn(move || match mailbox.put_keyring(ring) {
        Ok(()) => 1,
        Err(e) => {
            assert_eq!(e, CommandError::Closed);
            0
        }
    })
}

/// Of two queries one is answered and one is dropped, which is an answer, too.
#[test]
fn no_answer_of_the_resolver_is_slept_through() {
    loom::model(|| {
        let mailbox = Arc::new(Mailbox::new());
        let ask = |at| query(at, &mailbox);
        let (first, second) = (ask(0), ask(1));
        let threads = [
            thread::spawn(move || first.answer(Ok(vec![([10, 0, 0, 1], 1).into()]))),
            thread::spawn(move || drop(second)),
        ];
        let mut answers = Vec::new();
        while answers.len() < 2 {
            block_on(poll_fn(|cx| mailbox.poll_pending(cx)));
            answers.extend(std::iter::from_fn(|| mailbox.take_answer()));
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        answers.sort_by_key(|answer| answer.at);
        assert_eq!(answers.iter().map(|answer| answer.addrs.len()).collect::<Vec<_>>(), [1, 0]);
        assert!(mailbox.is_empty() && mailbox.take_answer().is_none());
    });
}

/// Nothing is left of an answer that nobody wants to know, and nobody is woken for it for ever.
#[test]
fn an_answer_that_races_with_the_end_is_taken_or_dropped() {
    loom::model(|| {
        let (mailbox, sleeper) = (Arc::new(Mailbox::new()), Sleeper::new());
        mailbox.set_waker(sleeper.thread_waker());
        let (late, push) = (query(0, &mailbox), pusher(&mailbox, 1, 1));
        let resolver = thread::spawn(move || drop(late));
        let answered = mailbox.take_answer();
        let taken = usize::from(mailbox.take().is_some());
        mailbox.close();
        resolver.join().unwrap();
        let accepted = push.join().unwrap();
        assert!(answered.is_none_or(|answer| answer == Answer { at: 0, addrs: [].into() }));
        assert_eq!(taken + mailbox.undelivered(), accepted, "an answer is no command");
        assert!(mailbox.is_empty() && mailbox.take_answer().is_none() && sleeper.is_forgotten());
    });
}

fn query(at: usize, mailbox: &Arc<Mailbox>) -> Query {
    let name = "db.example:7946".parse::<Seed>().unwrap().into_name().unwrap();
    Query::new((at, name), crate::socket::Speaks::Both, Arc::clone(mailbox))
}
