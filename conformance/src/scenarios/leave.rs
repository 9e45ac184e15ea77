//! Leaving. Scenario E1.

use swim_core::{Event, State};

use super::common::others;
use crate::{Harness, Link, Run, is_down};

/// E1: the process exits as soon as the leave is complete: all report that it left, nobody that it died, at 10 % loss.
pub fn e1_leave_then_exit<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.cluster::<H>(H::base_config(), 20);
    h.set_network(Link::loss(10));
    let leaver = run.pick(&nodes);
    let (id, mark) = (h.id(leaver), h.mark());
    h.leave(leaver);
    h.until(h.periods(1), |h| !h.is_running(leaver)).expect("the leave completes");
    assert!(h.since(leaver, &mark).contains(&Event::Left));
    let rest = others(&nodes, leaver);
    let left = |h: &mut H| rest.iter().all(|&p| h.view(p).member(id).is_some_and(|m| m.state() == State::Left));
    h.until(h.periods(10), left).expect("all know that it left");
    for &p in &rest {
        assert_eq!(h.count_since(p, &mark, |e| matches!(e, Event::MemberDown { left: false, .. })), 0);
        assert_eq!(h.count_since(p, &mark, |e| is_down(e) && e.member() == Some(id)), 1);
    }
}
