//! Crashes, and pauses that look like one: who reports what, how often, and how a member comes back. Scenarios D1 and D7
//! among them.

use swim_core::{Event, Incarnation, State};

use super::common::*;
use crate::{Harness, Mark, Peer, Run};

/// One crashes: all the others find it dead and report that once, and nobody else's death.
pub fn a_crash_is_reported_once_by_each<H: Harness>(run: &mut Run) {
    crash::<H>(run, 1);
}

/// Two of five crash in one moment, so that each is probed through fewer relays and confirmed by fewer accusers.
pub fn two_crash_at_once<H: Harness>(run: &mut Run) {
    crash::<H>(run, 2);
}

fn crash<H: Harness>(run: &mut Run, n: usize) {
    let (mut h, nodes) = run.five::<H>();
    let mut rest = nodes.to_vec();
    let gone: Vec<Peer> = (0..n).map(|_| run.take(&mut rest)).collect();
    let mark = h.mark();
    gone.iter().for_each(|&p| h.kill(p));
    let found = |h: &mut H| gone.iter().all(|&q| all_hold(h, &rest, q, State::Dead));
    let took = h.until(detection(&h, 5), found).expect("all find them dead");
    if n == 1 {
        run.figure("one of five crashes: periods until all hold it dead", in_periods(&h, took));
    }
    h.until(soon(&h), |h| h.is_whole(5 - n)).expect("the others stay");
    let mut expected: Vec<_> = gone.iter().map(|&p| (h.id(p), false)).collect();
    expected.sort_unstable();
    for &p in &rest {
        let mut told = downs(&h, p, &mark);
        told.sort_unstable();
        assert_eq!(told, expected, "{p:?}");
    }
}

/// One is paused for less than a suspicion takes: whatever the others made of it, nobody reports a death, and all see all.
pub fn a_short_pause_kills_nobody<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let (sleeper, mark) = (run.pick(&nodes), h.mark());
    let (shortest, _) = h.config().suspicion_bounds(5);
    let span = shortest / 2 + run.part_of(shortest / 4);
    h.pause(sleeper);
    h.run(span);
    h.resume(sleeper);
    // As long as a suspicion that was told meanwhile would take.
    h.run(shortest);
    h.until(soon(&h), |h| h.is_whole(5)).expect("all see all");
    for p in nodes {
        assert_eq!(downs(&h, p, &mark), [], "{p:?}");
    }
}

/// D1: one is paused until it is suspected: it refutes with the first word that it hears, says so, and is alive for all at a
/// higher incarnation. Nobody reports its death.
pub fn d1_a_suspect_refutes<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let (sleeper, mark) = (run.pick(&nodes), h.mark());
    let rest = others(&nodes, sleeper);
    let before = h.view(sleeper).me().incarnation();
    h.pause(sleeper);
    let suspected = |h: &mut H| rest.iter().any(|&p| h.sees(p, sleeper) == Some(State::Suspect));
    h.until(detection(&h, 5), suspected).expect("silence is suspicious");
    h.resume(sleeper);
    comes_back(&mut h, sleeper, &rest, before, &mark);
    for p in nodes {
        assert_eq!(downs(&h, p, &mark), [], "{p:?}");
    }
    for &p in &rest {
        assert_eq!(ups(&h, p, &mark), [], "who was never gone is not new");
    }
}

/// D7: one is paused until all hold it dead: it hears of that when it runs again, goes past it, and each of the others reports
/// one death and one return.
pub fn d7_who_was_found_dead_comes_back<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let (sleeper, mark) = (run.pick(&nodes), h.mark());
    let rest = others(&nodes, sleeper);
    let (id, before) = (h.id(sleeper), h.view(sleeper).me().incarnation());
    h.pause(sleeper);
    h.until(detection(&h, 5), |h| all_hold(h, &rest, sleeper, State::Dead)).expect("it is found dead");
    let a_while = run.part_of(h.periods(5));
    h.run(a_while);
    h.resume(sleeper);
    comes_back(&mut h, sleeper, &rest, before, &mark);
    assert_eq!(downs(&h, sleeper, &mark), [], "it convicts nobody for the time that it was away");
    for &p in &rest {
        assert_eq!((downs(&h, p, &mark), ups(&h, p, &mark)), (vec![(id, false)], vec![id]), "{p:?}");
    }
}

/// It refutes once at least, and is alive for all at the incarnation that it says that it has.
fn comes_back<H: Harness>(h: &mut H, sleeper: Peer, rest: &[Peer], before: Incarnation, mark: &Mark) {
    let refuted = |h: &H| {
        let raised = |e: Event| if let Event::Refuted { incarnation } = e { Some(incarnation) } else { None };
        h.since(sleeper, mark).into_iter().filter_map(raised).next_back()
    };
    h.until(reunion(h), |h| refuted(h).is_some() && h.is_whole(5)).expect("it refutes, and all hear of it");
    let now = h.view(sleeper).me().incarnation();
    assert!(now > before && Some(now) == refuted(h), "{now:?} after {before:?}, told {:?}", refuted(h));
    for &p in rest {
        let row = h.view(p).member(h.id(sleeper)).map(|row| (row.state(), row.incarnation()));
        assert_eq!(row, Some((State::Alive, now)), "{p:?}");
    }
}
