use std::sync::atomic::AtomicUsize;
use std::sync::mpsc;
use std::thread;

use super::*;
use crate::test_task::Task;

/// A command that carries two numbers, to be told apart from all others.
fn order(thread: u16, n: u32) -> Order {
    let [a, b, c, d] = n.to_be_bytes();
    Order::Join { addrs: [SocketAddr::from(([a, b, c, d], thread))].into(), names: [].into() }
}

fn counting() -> (Arc<AtomicUsize>, Waker) {
    let count = Arc::new(AtomicUsize::new(0));
    let waker = Arc::clone(&count);
    let wake = move || {
        waker.fetch_add(1, Ordering::SeqCst);
    };
    (count, Arc::new(wake))
}

#[test]
fn commands_come_out_as_they_went_in() {
    let mailbox = Mailbox::new();
    assert!(mailbox.is_empty() && mailbox.take().is_none());
    for n in 0..3 {
        mailbox.push(order(1, n)).unwrap();
        assert!(!mailbox.is_empty());
    }
    mailbox.push(Order::Leave).unwrap();
    for n in 0..3 {
        assert_eq!(mailbox.take(), Some(order(1, n)));
    }
    assert!(!mailbox.is_empty());
    assert_eq!(mailbox.take(), Some(Order::Leave));
    assert!(mailbox.is_empty() && mailbox.take().is_none());
}

#[test]
fn a_full_mailbox_says_so_and_takes_again_when_there_is_room() {
    let mailbox = Mailbox::new();
    for n in 0..Mailbox::CAPACITY as u32 {
        assert_eq!(mailbox.push(order(1, n)), Ok(()));
    }
    assert_eq!(mailbox.push(Order::Leave), Err(CommandError::Full));
    assert_eq!(mailbox.take(), Some(order(1, 0)));
    assert_eq!(mailbox.push(Order::Leave), Ok(()));
    assert_eq!(mailbox.push(Order::Leave), Err(CommandError::Full));
}

#[test]
fn goodbye_needs_no_place_and_comes_last() {
    let mailbox = Mailbox::new();
    for n in 0..Mailbox::CAPACITY as u32 {
        mailbox.push(order(1, n)).unwrap();
    }
    let (woken, waker) = counting();
    mailbox.set_waker(waker);
    mailbox.goodbye();
    assert_eq!(woken.load(Ordering::SeqCst), 2, "once for what was there, once for the goodbye");
    for n in 0..Mailbox::CAPACITY as u32 {
        assert_eq!(mailbox.take(), Some(order(1, n)));
    }
    assert_eq!(mailbox.take(), Some(Order::Leave));
    assert!(mailbox.is_empty() && mailbox.take().is_none());
}

#[test]
fn the_regular_end_waits_for_what_was_accepted() {
    let mailbox = Mailbox::new();
    mailbox.push(order(1, 1)).unwrap();
    assert!(!mailbox.close_if_delivered());
    assert_eq!(mailbox.push(order(1, 2)), Ok(()), "it is not closed by asking");
    assert!(mailbox.take().is_some() && mailbox.take().is_some());
    assert!(mailbox.close_if_delivered());
    assert_eq!(mailbox.push(order(1, 3)), Err(CommandError::Closed));
    assert_eq!(mailbox.undelivered(), 0);
}

#[test]
fn a_goodbye_does_not_hold_up_an_end_that_has_come() {
    let mailbox = Mailbox::new();
    mailbox.goodbye();
    assert!(mailbox.close_if_delivered() && mailbox.is_empty() && mailbox.take().is_none());
}

#[test]
fn the_irregular_end_counts_what_it_cuts_off() {
    let mailbox = Mailbox::new();
    for n in 0..5 {
        mailbox.push(order(1, n)).unwrap();
    }
    assert!(mailbox.take().is_some());
    mailbox.goodbye();
    mailbox.close();
    mailbox.close();
    assert_eq!(mailbox.undelivered(), 4);
    assert!(mailbox.is_empty() && mailbox.take().is_none());
    assert_eq!(mailbox.push(Order::Leave), Err(CommandError::Closed));
}

#[cfg(feature = "aead")]
#[test]
fn a_keyring_is_accepted_like_a_command() {
    let ring = || Keyring::new(crate::Key::from_bytes([1; 32]));
    let mailbox = Mailbox::new();
    mailbox.put_keyring(ring()).unwrap();
    assert!(!mailbox.close_if_delivered(), "the regular end waits for it");
    mailbox.put_keyring(ring()).unwrap();
    assert_eq!(mailbox.undelivered(), 1, "only the newest is taken");
    assert!(mailbox.take_keyring().is_some() && mailbox.take_keyring().is_none() && mailbox.is_empty());
    mailbox.put_keyring(ring()).unwrap();
    mailbox.close();
    mailbox.close();
    assert_eq!((mailbox.undelivered(), mailbox.put_keyring(ring())), (2, Err(CommandError::Closed)));
}

#[test]
fn the_waker_is_called_for_each_command_and_for_what_waits_already() {
    let mailbox = Mailbox::new();
    mailbox.push(Order::Leave).unwrap();
    let (first, waker) = counting();
    mailbox.set_waker(waker);
    assert_eq!(first.load(Ordering::SeqCst), 1);
    mailbox.push(Order::Leave).unwrap();
    assert_eq!(first.load(Ordering::SeqCst), 2);
    while mailbox.take().is_some() {}
    let (second, waker) = counting();
    mailbox.set_waker(waker);
    assert_eq!((second.load(Ordering::SeqCst), Arc::strong_count(&first)), (0, 1), "nothing waits; the first is gone");
    mailbox.push(Order::Leave).unwrap();
    assert_eq!((first.load(Ordering::SeqCst), second.load(Ordering::SeqCst)), (2, 1));
    mailbox.close();
    assert_eq!(Arc::strong_count(&second), 1, "a closed mailbox keeps no waker");
    let (third, waker) = counting();
    mailbox.set_waker(waker);
    assert_eq!(Arc::strong_count(&third), 1, "nor takes a new one");
}

#[test]
fn an_answer_is_no_command_but_wakes_like_one() {
    let mailbox = Mailbox::new();
    let (woken, waker) = counting();
    mailbox.set_waker(waker);
    for n in 0..Mailbox::CAPACITY as u32 {
        mailbox.push(order(1, n)).unwrap();
    }
    let before = woken.load(Ordering::SeqCst);
    let answer = |at| Answer { at, addrs: [SocketAddr::from(([10, 0, 0, 1], 1))].into() };
    mailbox.answer(answer(7));
    assert_eq!(woken.load(Ordering::SeqCst), before + 1, "a full mailbox has a place for it");
    mailbox.answer(answer(0));
    assert_eq!(woken.load(Ordering::SeqCst), before + 2, "and for that of another name");
    assert_eq!((mailbox.take_answer(), mailbox.take_answer()), (Some(answer(7)), Some(answer(0))), "as they came");
    assert!(mailbox.take_answer().is_none());
    while mailbox.take().is_some() {}

    mailbox.answer(answer(0));
    mailbox.answer(answer(1));
    assert!(mailbox.take_answer().is_some());
    assert!(!mailbox.is_empty() && mailbox.take().is_none() && !mailbox.is_empty(), "it waits beside the commands");
    assert!(mailbox.close_if_delivered(), "and holds up no end");
    assert!(mailbox.is_empty() && lock(&mailbox.state).is_empty(), "nor is it kept");
    mailbox.answer(answer(0));
    assert!(mailbox.is_empty() && lock(&mailbox.state).is_empty());
    assert_eq!((mailbox.undelivered(), woken.load(Ordering::SeqCst)), (0, before + 4));
}

/// A waker that looks back into the mailbox would deadlock if it were called, or dropped, under the lock.
#[test]
fn no_foreign_code_runs_under_the_lock() {
    struct Probe(std::sync::Weak<Mailbox>, mpsc::Sender<bool>);
    impl Probe {
        fn look(&self) {
            self.1.send(self.0.upgrade().is_none_or(|mailbox| mailbox.state.try_lock().is_ok())).unwrap();
        }
    }
    impl Drop for Probe {
        fn drop(&mut self) {
            self.look();
        }
    }
    let mailbox = Arc::new(Mailbox::new());
    let (tell, told) = mpsc::channel();
    let probe = || {
        let probe = Probe(Arc::downgrade(&mailbox), tell.clone());
        Arc::new(move || probe.look()) as Waker
    };
    mailbox.push(Order::Leave).unwrap();
    mailbox.set_waker(probe());
    mailbox.set_waker(probe());
    mailbox.push(Order::Leave).unwrap();
    mailbox.goodbye();
    mailbox.close();
    drop(tell);
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [true; 6], "called four times and dropped twice");
}

/// No lost wake-up, nothing twice, nothing out of order: each producer waits for its last command to come out, so a
/// consumer that slept through one would sleep for ever.
#[test]
fn a_consumer_that_looks_before_it_waits_gets_everything() {
    const PRODUCERS: u16 = 3;
    const EACH: u32 = 5_000;
    let mailbox = Mailbox::new();
    let (mut replies, listeners): (Vec<_>, Vec<_>) = (0..PRODUCERS).map(|_| mpsc::channel()).unzip();
    thread::scope(|s| {
        let consumer = s.spawn(|| {
            let mut next = [0; PRODUCERS as usize];
            while next != [EACH; PRODUCERS as usize] {
                while mailbox.is_empty() {
                    thread::park();
                }
                let taken = mailbox.take();
                let Some(Order::Join { addrs, .. }) = &taken else { panic!("nothing there, though it said so") };
                let producer = usize::from(addrs[0].port());
                assert_eq!(taken, Some(order(addrs[0].port(), next[producer])));
                next[producer] += 1;
                replies[producer].send(()).unwrap();
            }
            replies.clear();
            next
        });
        let thread = consumer.thread().clone();
        mailbox.set_waker(Arc::new(move || thread.unpark()));
        for (producer, listener) in (0..).zip(listeners) {
            let mailbox = &mailbox;
            s.spawn(move || {
                for n in 0..EACH {
                    mailbox.push(order(producer, n)).unwrap();
                    listener.recv().unwrap();
                }
            });
        }
    });
    assert!(mailbox.is_empty());
}

/// Each command either fails or is delivered, even when the end races with it.
#[test]
fn what_races_with_the_end_is_delivered_or_refused() {
    for _ in 0..200 {
        let mailbox = Mailbox::new();
        let (accepted, delivered) = thread::scope(|s| {
            let producer = s.spawn(|| (0..50).filter(|&n| mailbox.push(order(1, n)).is_ok()).count());
            let mut delivered = 0;
            loop {
                delivered += usize::from(mailbox.take().is_some());
                if delivered > 10 && mailbox.close_if_delivered() {
                    break;
                }
                if producer.is_finished() && mailbox.is_empty() {
                    break;
                }
            }
            (producer.join().unwrap(), delivered)
        });
        assert_eq!((accepted, mailbox.undelivered()), (delivered, 0));
    }
}

#[test]
fn a_task_is_woken_once_by_what_comes_and_asks_again() {
    let (mailbox, task) = (Mailbox::new(), Task::new());
    assert!(mailbox.poll_pending(&mut task.cx()).is_pending());
    mailbox.push(order(1, 0)).unwrap();
    mailbox.push(order(1, 1)).unwrap();
    assert_eq!((task.wakes(), task.is_forgotten()), (1, true));
    assert!(mailbox.poll_pending(&mut task.cx()).is_ready(), "what waits is told at once");
    assert!(mailbox.take().is_some() && mailbox.poll_pending(&mut task.cx()).is_ready() && mailbox.take().is_some());
    let answer = Answer { at: 0, addrs: [].into() };
    let puts: [&dyn Fn(); 2] = [&|| mailbox.goodbye(), &|| mailbox.answer(answer.clone())];
    for put in puts {
        assert!(mailbox.poll_pending(&mut task.cx()).is_pending());
        put();
        assert_eq!(task.wakes(), 1);
        assert!(mailbox.poll_pending(&mut task.cx()).is_ready());
        assert!(mailbox.take_answer().is_some() || mailbox.take().is_some());
    }
}

#[test]
fn whoever_asked_last_is_woken_and_nobody_after_the_end() {
    let (mailbox, first, second) = (Mailbox::new(), Task::new(), Task::new());
    assert!(mailbox.poll_pending(&mut first.cx()).is_pending() && mailbox.poll_pending(&mut second.cx()).is_pending());
    assert!(first.is_forgotten());
    mailbox.push(Order::Leave).unwrap();
    assert_eq!((first.wakes(), second.wakes(), mailbox.take()), (0, 1, Some(Order::Leave)));
    assert!(mailbox.poll_pending(&mut first.cx()).is_pending());
    let (woken, waker) = counting();
    mailbox.set_waker(waker);
    mailbox.push(Order::Leave).unwrap();
    assert_eq!((first.wakes(), first.is_forgotten(), woken.load(Ordering::SeqCst)), (0, true, 1), "a thread, too");
    assert!(mailbox.take().is_some() && mailbox.poll_pending(&mut first.cx()).is_pending());
    assert_eq!(Arc::strong_count(&woken), 1, "and the thread's waker is gone");
    mailbox.close();
    assert!(first.is_forgotten() && mailbox.poll_pending(&mut first.cx()).is_pending());
    assert!(first.is_forgotten() && first.wakes() == 0, "nothing will ever come");
}

/// A task's waker is foreign code in whatever is done with it.
#[test]
fn a_task_s_waker_is_not_even_cloned_under_the_lock() {
    fn look(mailbox: &Mailbox) {
        assert!(mailbox.state.try_lock().is_ok());
    }
    let mailbox = Arc::new(Mailbox::new());
    let inside = Arc::downgrade(&mailbox);
    let curious = Task::when_woken(move || {
        let mailbox = inside.upgrade().expect("it is here");
        look(&mailbox);
        assert!(mailbox.push(order(1, 1)).is_ok() && mailbox.poll_pending(&mut Task::new().cx()).is_ready());
    });
    assert!(mailbox.poll_pending(&mut curious.cx()).is_pending());
    mailbox.push(order(1, 0)).unwrap();
    assert_eq!((curious.wakes(), curious.was_copied()), (1, false), "given away");
    assert_eq!((mailbox.take(), mailbox.take()), (Some(order(1, 0)), Some(order(1, 1))));
    let bad = Task::when_woken(|| panic!("a runtime's own fault"));
    assert!(mailbox.poll_pending(&mut bad.cx()).is_pending());
    let push = || mailbox.push(order(1, 2));
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(push)).expect_err("the bad one's panic");
    assert_eq!(mailbox.take(), Some(order(1, 2)), "accepted all the same");
}
