//! Splits that heal by themselves: shorter than a suspicion, longer, and in one direction.

use swim_core::{Incarnation, State};

use super::common::*;
use crate::{Harness, Peer, Run, Way};

/// Two and two are cut apart for less than a suspicion takes: they doubt each other, and nobody reports a death.
pub fn a_short_split_kills_nobody<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.cluster::<H>(H::base_config(), 4);
    let (these, those) = halves(run, &nodes, 2);
    let mark = h.mark();
    let (shortest, _) = h.config().suspicion_bounds(4);
    let span = shortest / 2 + run.part_of(shortest / 4);
    h.cut(&these, &those, Way::Both);
    h.run(span);
    h.heal();
    // As long as a suspicion that began meanwhile would take.
    h.run(shortest);
    h.until(soon(&h), |h| h.is_whole(4)).expect("all see all");
    for p in nodes {
        assert_eq!(downs(&h, p, &mark), [], "{p:?}");
    }
}

/// Two and three are cut apart until each half holds the other dead: when they reach each other again they become one by
/// themselves, each at a higher incarnation, and report each other's death and return, and no other.
pub fn a_long_split_heals<H: Harness>(run: &mut Run) {
    split::<H>(run, Way::Both);
}

/// The same when nothing passes in one direction only: who hears the others and is not heard cannot tell them that it lives,
/// nor learn that it is accused in vain.
pub fn a_one_way_split_heals<H: Harness>(run: &mut Run) {
    split::<H>(run, Way::To);
}

fn split<H: Harness>(run: &mut Run, way: Way) {
    let (mut h, nodes) = run.cluster::<H>(hasty::<H>(), 5);
    let (these, those) = halves(run, &nodes, 2);
    let before: Vec<Incarnation> = nodes.iter().map(|&p| h.view(p).me().incarnation()).collect();
    let mark = h.mark();
    h.cut(&these, &those, way);
    let apart = |h: &mut H| {
        let dead = |by: &[Peer], these: &[Peer]| these.iter().all(|&q| all_hold(h, by, q, State::Dead));
        dead(&these, &those) && dead(&those, &these)
    };
    h.until(detection(&h, 5), apart).expect("each half holds the other dead");
    // Until the deaths are no news any more, and not recent: one that is told when they meet again would be believed.
    let told = h.config().gossip_interval * (h.config().retransmit_limit(5) as u32 + 2) + h.config().sync_patience;
    let a_while = told + run.part_of(h.periods(4));
    h.run(a_while);
    h.heal();
    let took = h.until(reunion(&h), |h| h.is_whole(5)).expect("one cluster again");
    run.figure("2|3 that held each other dead: periods from the heal until whole", in_periods(&h, took));
    h.run(h.periods(5));
    still_whole(&mut h, 5);
    for (&p, before) in nodes.iter().zip(before) {
        assert!(h.view(p).me().incarnation() > before, "{p:?} has refuted its death");
        let lost = ids(&h, if these.contains(&p) { &those } else { &these });
        let (mut back, mut gone) = (ups(&h, p, &mark), downs(&h, p, &mark));
        gone.sort_unstable();
        assert_eq!(back.len(), gone.len(), "{p:?}: who has died is back");
        // As a rule once; but who raises its incarnation for another reason is heard through a way that is open.
        back.dedup();
        gone.dedup();
        assert_eq!((back, gone), (lost.clone(), lost.iter().map(|&id| (id, false)).collect()), "{p:?}");
    }
}

/// The nodes in two groups, so many in the first.
fn halves(run: &mut Run, nodes: &[Peer], n: usize) -> (Vec<Peer>, Vec<Peer>) {
    let mut those = nodes.to_vec();
    let these = (0..n).map(|_| run.take(&mut those)).collect();
    (these, those)
}
