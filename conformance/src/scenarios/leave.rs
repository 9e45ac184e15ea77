//! Leaving. Scenarios E1, E4 and E5.

use swim_core::{Event, State};
use swim_driver::CommandError;

use super::common::*;
use crate::{Harness, Link, Run, is_down};

/// E1: the process exits as soon as the leave is complete: all report that it left, nobody that it died, at 10 % loss.
pub fn e1_leave_then_exit<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.cluster::<H>(H::base_config(), 10);
    h.set_network(Link::loss(10));
    let leaver = run.pick(&nodes);
    let (id, mark) = (h.id(leaver), h.mark());
    h.leave(leaver);
    h.until(soon(&h), |h| !h.is_running(leaver)).expect("the leave completes");
    assert!(h.since(leaver, &mark).contains(&Event::Left));
    let rest = others(&nodes, leaver);
    let left = |h: &mut H| rest.iter().all(|&p| h.view(p).member(id).is_some_and(|m| m.state() == State::Left));
    h.until(soon(&h), left).expect("all know that it left");
    for &p in &rest {
        assert_eq!(h.count_since(p, &mark, |e| matches!(e, Event::MemberDown { left: false, .. })), 0);
        assert_eq!(h.count_since(p, &mark, |e| is_down(e) && e.member() == Some(id)), 1);
    }
}

/// E1: of two one leaves: the other is told, is alone, and can be joined.
pub fn e1_the_last_but_one_leaves<H: Harness>(run: &mut Run) {
    let (mut h, mut nodes) = run.cluster::<H>(H::base_config(), 2);
    let (leaver, mark) = (run.take(&mut nodes), h.mark());
    let stays = nodes[0];
    h.leave(leaver);
    let over = |h: &mut H| !h.is_running(leaver) && h.sees(stays, leaver) == Some(State::Left);
    h.until(soon(&h), over).expect("it says goodbye to the only other");
    assert_eq!(downs(&h, stays, &mark), [(h.id(leaver), true)]);
    assert_eq!(h.view(stays).live_count(), 1);
    let one = newcomer(&mut h, run, &[stays]);
    h.until(soon(&h), |h| h.is_whole(2) && joined(h, one)).expect("it can be joined");
}

/// E5: with nobody to tell, in a cluster that there never was or where it is the last, a leave is complete at once, and told.
pub fn e5_leave_while_alone<H: Harness>(run: &mut Run) {
    let n = 1 + run.below(2);
    let (mut h, nodes) = run.cluster::<H>(H::base_config(), n);
    let (last, handle) = (nodes[0], h.handle(nodes[0]));
    for &p in &nodes[1..] {
        h.leave(p);
        h.until(soon(&h), |h| h.sees(last, p) == Some(State::Left)).expect("it is the last");
    }
    h.leave(last);
    h.until(soon(&h), |h| !h.is_running(last) && handle.is_closed()).expect("the leave completes");
    assert_eq!(h.events(last).last(), Some(&Event::Left));
    assert_eq!((handle.view().me().state(), handle.undelivered()), (State::Left, 0));
    assert_eq!(handle.leave(), Err(CommandError::Closed));
}

/// E1: one leaves, perhaps the accuser, while another is suspected: that it left is told by all, and what becomes of the
/// suspicion is what had become of it otherwise.
pub fn e1_leave_while_another_is_suspected<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let (silent, mark) = (run.pick(&nodes), h.mark());
    let rest = others(&nodes, silent);
    h.pause(silent);
    let suspected = |h: &mut H| rest.iter().any(|&p| h.sees(p, silent) == Some(State::Suspect));
    h.until(detection(&h, 5), suspected).expect("silence is suspicious");
    let leaver = run.pick(&rest);
    let stay = others(&rest, leaver);
    h.leave(leaver);
    let wakes = run.below(2) == 0;
    let mut expected = vec![(h.id(leaver), true)];
    if wakes {
        h.resume(silent);
    } else {
        h.until(detection(&h, 5), |h| all_hold(h, &stay, silent, State::Dead)).expect("it is found dead");
        expected.push((h.id(silent), false));
    }
    let live = if wakes { 4 } else { 3 };
    h.until(soon(&h), |h| all_hold(h, &stay, leaver, State::Left) && h.is_whole(live)).expect("those that stay agree");
    for &p in &stay {
        assert_eq!(downs(&h, p, &mark), expected, "{p:?}");
    }
}

/// E4: it leaves, and is started again on the same port as soon as that is free, in the next epoch: it is back for all, and
/// nobody reports a death.
pub fn e4_back_on_the_same_port_at_once<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let (leaver, mark) = (run.pick(&nodes), h.mark());
    let (id, rest) = (h.id(leaver), others(&nodes, leaver));
    h.leave(leaver);
    h.until(soon(&h), |h| !h.is_running(leaver)).expect("the leave completes");
    h.restart_same(leaver);
    h.join_through(leaver, &[run.pick(&rest)]);
    h.until(soon(&h), |h| h.is_whole(5) && h.view(leaver).live_count() == 5).expect("five see five");
    h.run(h.periods(5));
    // Late word of the leave sends nobody away.
    still_whole(&mut h, 5);
    for &p in &rest {
        let told = h.since(p, &mark);
        // Who hears of the new life first has no leave to report.
        let left = downs(&h, p, &mark);
        assert!(left.is_empty() || left == [(id, true)], "{p:?}: {told:?}");
        let back = |e: &&Event| matches!(**e, Event::MemberUp { id: whom, .. } | Event::MemberRestarted { id: whom, .. } if whom == id);
        assert_eq!(told.iter().filter(back).count(), 1, "{p:?}: {told:?}");
    }
}
