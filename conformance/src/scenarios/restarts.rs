//! A process that crashed is started again, in a higher, the same or a lower epoch, before and after the others have found it
//! dead. Scenarios A2, A13, A14 and P15 among them.

use swim_core::{Event, Incarnation, State};

use super::common::*;
use crate::{Harness, Mark, Peer, Run, Spec};

/// The epoch of the life that crashes.
const FORMER: u32 = 7;

/// P15: in the next epoch, before anybody has noticed: each of the others reports one restart and no death.
pub fn p15_restarted_before_it_is_missed<H: Harness>(run: &mut Run) {
    let (h, back, mark) = restarted::<H>(run, FORMER + 1, Missed::No);
    assert_eq!(h.view(back).me().incarnation().epoch(), FORMER + 1);
    each_tells(&h, back, &mark, (0, 1));
}

/// P15: in the next epoch, after all have found it dead: each of the others reports that it is there.
pub fn p15_restarted_after_its_death<H: Harness>(run: &mut Run) {
    let (h, back, mark) = restarted::<H>(run, FORMER + 1, Missed::FoundDead);
    assert_eq!(h.view(back).me().incarnation().epoch(), FORMER + 1);
    each_tells(&h, back, &mark, (1, 0));
}

/// A14: in the epoch in which it crashed, as happens within a second, before anybody has noticed: there is nothing to report, and
/// the new life knows everybody.
pub fn a14_restarted_in_the_same_epoch<H: Harness>(run: &mut Run) {
    let (h, back, mark) = restarted::<H>(run, FORMER, Missed::No);
    assert_eq!(h.view(back).me().incarnation().epoch(), FORMER);
    each_tells(&h, back, &mark, (0, 0));
}

/// A13: in the epoch in which the others hold it dead: it hears of that from the first that answers, and goes past it.
pub fn a13_restarted_in_the_epoch_of_its_death<H: Harness>(run: &mut Run) {
    let (h, back, mark) = restarted::<H>(run, FORMER, Missed::FoundDead);
    assert!(h.view(back).me().incarnation() > Incarnation::new(FORMER, 0));
    each_tells(&h, back, &mark, (1, 0));
}

/// A2: in a lower epoch, from a clock that went back or a disk that was restored: it goes past what is known, which the others
/// report as one restart.
pub fn a2_restarted_in_a_lower_epoch<H: Harness>(run: &mut Run) {
    let (h, back, mark) = restarted::<H>(run, FORMER - 4, Missed::No);
    assert_eq!(h.view(back).me().incarnation().epoch(), FORMER + 1);
    each_tells(&h, back, &mark, (0, 1));
}

/// A13: in a lower epoch than that in which the others hold it dead.
pub fn a13_restarted_below_the_epoch_of_its_death<H: Harness>(run: &mut Run) {
    let (h, back, mark) = restarted::<H>(run, FORMER - 4, Missed::FoundDead);
    assert_eq!(h.view(back).me().incarnation().epoch(), FORMER + 1);
    each_tells(&h, back, &mark, (1, 0));
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Missed {
    No,
    FoundDead,
}

/// One of five crashes in the epoch [`FORMER`] and is started again in this one, which joins through any of the others; in the
/// end all see all, and nobody has reported a death since.
fn restarted<H: Harness>(run: &mut Run, epoch: u32, missed: Missed) -> (H, Peer, Mark) {
    let (mut h, rest) = run.cluster::<H>(H::base_config(), 4);
    let back = h.spawn(Spec::named("back").epoch(FORMER));
    h.join_through(back, &rest[..1]);
    h.until(soon(&h), |h| h.is_whole(5)).expect("five see five");
    let a_while = run.part_of(h.periods(3));
    h.run(a_while);
    h.kill(back);
    if missed == Missed::FoundDead {
        h.until(detection(&h, 5), |h| all_hold(h, &rest, back, State::Dead)).expect("it is found dead");
    }
    let mark = h.mark();
    // In one epoch it says the same of itself, too: no merge could tell which of two words under one key is newer.
    let spec = Spec::named("back").epoch(epoch);
    h.restart(back, if epoch == FORMER { spec } else { spec.meta(b"anew") });
    h.join_through(back, &[run.pick(&rest)]);
    let new = |h: &mut H| joined_since(h, back, &mark) && h.is_whole(5);
    h.until(soon(&h), new).expect("all know the new life");
    let (shortest, _) = h.config().suspicion_bounds(5);
    // What was under way against the former life runs out meanwhile.
    h.run(shortest + h.periods(1));
    assert!(h.is_running(back));
    still_whole(&mut h, 5);
    for &p in &rest {
        assert_eq!(downs(&h, p, &mark), [], "{p:?}");
        assert_eq!(h.view(p).member(h.id(back)).map(|row| row.meta().to_vec()), Some(h.spec(back).meta), "{p:?}");
    }
    (h, back, mark)
}

fn joined_since<H: Harness>(h: &H, p: Peer, mark: &Mark) -> bool {
    h.count_since(p, mark, |e| matches!(e, Event::Joined { .. })) > 0
}

/// Each of the others has reported the node's return so often as a newcomer's, and so often as a restart.
fn each_tells<H: Harness>(h: &H, back: Peer, mark: &Mark, (up, restarted): (usize, usize)) {
    let id = h.id(back);
    for p in others(&h.peers(), back) {
        let ups = h.count_since(p, mark, |e| matches!(*e, Event::MemberUp { id: whom, .. } if whom == id));
        let restarts = h.count_since(p, mark, |e| matches!(*e, Event::MemberRestarted { id: whom, .. } if whom == id));
        assert_eq!((ups, restarts), (up, restarted), "{p:?}: {:?}", h.since(p, mark));
    }
}
