//! What becomes of commands and of the node when handles are many, are dropped, or outlive the driver.

use std::thread;

use swim_core::{Event, Profile, State};
use swim_driver::{CommandError, Handle, TryRecvError};

use super::common::*;
use crate::{Harness, Run};

fn says(name: &str, meta: &[u8]) -> Profile {
    Profile::new(name, meta).expect("it is short")
}

/// The embedder drops its last handle: the node says goodbye, and the others report that it left, not that it died.
pub fn the_last_handle_dropped_is_a_goodbye<H: Harness>(run: &mut Run) {
    run.never_excuse();
    let (mut h, nodes) = run.five::<H>();
    let (one, mark) = (run.pick(&nodes), h.mark());
    let (id, rest) = (h.id(one), others(&nodes, one));
    h.let_go(one);
    h.until(soon(&h), |h| !h.is_running(one)).expect("the node leaves, and its driver ends");
    assert_eq!(h.since(one, &mark).last(), Some(&Event::Left));
    h.until(soon(&h), |h| all_hold(h, &rest, one, State::Left)).expect("all are told");
    for &p in &rest {
        assert_eq!(downs(&h, p, &mark), [(id, true)], "{p:?}");
    }
}

/// As long as one handle of many is held, wherever, dropping the others ends nothing: the node stays, and takes commands.
pub fn one_handle_of_many_keeps_the_node<H: Harness>(run: &mut Run) {
    run.never_excuse();
    let (mut h, nodes) = run.five::<H>();
    let (one, mark) = (run.pick(&nodes), h.mark());
    let (id, rest, name) = (h.id(one), others(&nodes, one), h.spec(one).name);
    let mut many: Vec<Handle> = (0..4).map(|_| h.handle(one)).collect();
    let kept = run.take(&mut many).clone();
    h.let_go(one);
    thread::scope(|s| many.into_iter().for_each(|handle| drop(s.spawn(move || drop(handle)))));
    h.run(h.periods(3));
    assert!(h.is_running(one) && !kept.is_closed());
    assert_eq!((kept.id(), kept.addr()), (id, h.addr(one)));
    kept.set_profile(says(&name, b"still here")).expect("it takes commands");
    h.until(soon(&h), |h| all_read(h, &rest, one, b"still here")).expect("and all hear of it");
    for &p in &rest {
        assert_eq!((downs(&h, p, &mark), h.sees(p, one)), (vec![], Some(State::Alive)), "{p:?}");
    }
    drop(kept);
    let left = |h: &mut H| !h.is_running(one) && all_hold(h, &rest, one, State::Left);
    h.until(soon(&h), left).expect("it was the last");
}

/// Eight threads give a hundred commands each through clones of one handle, as fast as they can: each is delivered once, and
/// those of one thread in its order.
///
/// How the threads come between each other is left to the machine, also where time is virtual.
pub fn commands_of_eight_threads_are_all_delivered<H: Harness>(run: &mut Run) {
    run.never_excuse();
    let (mut h, nodes) = run.five::<H>();
    let one = run.pick(&nodes);
    let (handle, name) = (h.handle(one), h.spec(one).name);
    let given = |handle: &Handle| handle.counters().driver.commands;
    let before = given(&handle);
    thread::scope(|s| {
        for thread in 0..8_u8 {
            let (handle, name) = (handle.clone(), &name);
            s.spawn(move || {
                for i in 0..100 {
                    handle.set_profile(says(name, &[thread, i])).expect("fewer than the mailbox holds");
                }
            });
        }
    });
    // A profile changes once per second, so most of them are seen by nobody else than the node.
    let (mut delivered, mut last_of, mut settled) = (0, [0; 8], false);
    let all = |_: &mut H| {
        if let [thread, i] = *handle.view().me().meta() {
            let last = &mut last_of[usize::from(thread)];
            assert!(i >= *last, "thread {thread} has said {last} already, and now {i}");
            *last = i;
        }
        delivered = given(&handle) - before;
        settled = handle.view().me().meta().get(1) == Some(&99);
        delivered >= 800 && settled
    };
    let came = h.until(soon(&h), all);
    assert!(came.is_some() && delivered == 800 && settled, "{delivered} commands were delivered");
    let last = handle.view().me().meta().to_vec();
    assert_eq!(last[1], 99, "the last of all is the last of some thread");
    h.until(soon(&h), |h| all_read(h, &nodes, one, &last) && h.is_whole(5)).expect("all have the last word");
    assert_eq!(handle.undelivered(), 0);
}

/// Commands are given before, behind and after a leave, until one is refused: what was accepted is delivered, in its order,
/// and what is not is refused as closed. Nothing is lost silently, and events end with the leave.
pub fn commands_around_a_leave_are_delivered_or_refused<H: Harness>(run: &mut Run) {
    run.never_excuse();
    let (mut h, nodes) = run.five::<H>();
    let one = run.pick(&nodes);
    let (handle, name, rest) = (h.handle(one), h.spec(one).name, others(&nodes, one));
    let mut events = handle.events();
    let given = handle.counters().driver.commands;
    handle.set_profile(says(&name, b"last words")).expect("it runs");
    handle.leave().expect("it runs");
    let mut behind = 0_u32;
    let closed = h.until(soon(&h), |_| match handle.set_profile(says(&name, b"afterwards")) {
        Ok(()) => {
            behind += 1;
            false
        }
        Err(CommandError::Closed) => true,
        Err(e) => panic!("{e}"),
    });
    closed.expect("the driver ends");
    run.figure("commands accepted behind a leave", f64::from(behind));
    assert_eq!(handle.undelivered(), 0, "of those that were accepted");
    let taken = handle.counters().driver.commands - given;
    assert_eq!(taken, 2 + u64::from(behind), "the node was given each of them");
    h.until(soon(&h), |h| !h.is_running(one) && handle.is_closed()).expect("its process ends");
    assert_eq!(handle.join(&[h.addr(rest[0])]), Err(CommandError::Closed));
    assert_eq!(handle.leave(), Err(CommandError::Closed));
    // What was said before the goodbye was heard before it; who has left says nothing.
    let view = handle.view();
    assert_eq!((view.me().state(), view.me().meta()), (State::Left, &b"last words"[..]));
    h.until(soon(&h), |h| all_hold(h, &rest, one, State::Left)).expect("all hear of it");
    let (all, end) = drain(&mut events);
    assert_eq!((end, all.last()), (TryRecvError::Closed, Some(&Event::Left)), "{all:?}");
    assert!(all.contains(&Event::MemberUpdated { id: handle.id() }));
    assert_eq!(handle.events().try_recv(), Err(TryRecvError::Closed), "who comes late is not kept waiting");
}

/// A join is given right behind a leave: it is accepted, and then the node comes back at a higher incarnation; or it is refused,
/// and then the node is gone.
pub fn a_join_behind_a_leave_is_delivered_or_refused<H: Harness>(run: &mut Run) {
    run.never_excuse();
    let (mut h, nodes) = run.five::<H>();
    let (one, mark) = (run.pick(&nodes), h.mark());
    let (handle, rest) = (h.handle(one), others(&nodes, one));
    let before = handle.view().me().incarnation();
    handle.leave().expect("it runs");
    let accepted = match handle.join(&[h.addr(run.pick(&rest))]) {
        Ok(()) => true,
        Err(CommandError::Closed) => false,
        Err(e) => panic!("{e}"),
    };
    run.figure("joins accepted behind a leave", f64::from(u8::from(accepted)));
    if accepted {
        let back = |h: &mut H| handle.view().me().incarnation() > before && h.is_whole(5);
        h.until(soon(&h), back).expect("it comes back");
        assert!(h.is_running(one) && !handle.is_closed());
    } else {
        let left = |h: &mut H| !h.is_running(one) && all_hold(h, &rest, one, State::Left);
        h.until(soon(&h), left).expect("it is gone");
    }
    assert_eq!(handle.undelivered(), 0);
    assert_eq!(h.count_since(one, &mark, |e| *e == Event::Left), 1, "{:?}", h.since(one, &mark));
    for &p in &rest {
        assert!(downs(&h, p, &mark).iter().all(|&(_, left)| left), "{p:?} reports a death");
    }
}
