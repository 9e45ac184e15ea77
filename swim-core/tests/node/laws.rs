//! Laws of belief, over all orders where there are few of them: the dead stay dead, and what one liar says for many counts as
//! no more than those many could say who are there.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::util::*;
use quickcheck::{Arbitrary, Gen, QuickCheck};
use swim_core::{Fact, Incarnation, NodeId, State, Status};

/// All orders of `n` things.
fn orders(n: usize) -> Vec<Vec<usize>> {
    match n {
        0 => vec![Vec::new()],
        n => orders(n - 1)
            .into_iter()
            .flat_map(|order| {
                (0..n).map(move |at| {
                    let mut order = order.clone();
                    order.insert(at, n - 1);
                    order
                })
            })
            .collect(),
    }
}

const LIFE: [(u32, State); 4] = [(1, State::Alive), (1, State::Dead), (10, State::Dead), (2, State::Alive)];

/// Alive at 1, dead at 1, dead at 10, alive at 2, in all 24 orders: dead at 10. So they are when each of them comes twice at
/// once, when one that came before comes again behind each, and when all of them come again in any other order.
#[test]
fn d7_dead_at_ten_in_every_order() {
    let orders = orders(LIFE.len());
    assert_eq!(orders.iter().collect::<BTreeSet<_>>().len(), 24);
    for order in &orders {
        let twice: Vec<usize> = order.iter().flat_map(|&i| [i, i]).collect();
        let again: Vec<usize> = (1..=4).flat_map(|n| order[..n].iter().copied()).collect();
        let all_again = orders.iter().map(|other| [&order[..], other].concat());
        for told in [order.clone(), twice, again].into_iter().chain(all_again) {
            let (mut b, peers) = Bench::with_peers(config(), 3);
            let (subject, teller) = (peers[0], peers[1]);
            for &i in &told {
                let (refutations, state) = LIFE[i];
                b.gossip(&teller, &[accused(subject.id, status(refutations, state), &[])]);
            }
            let row = b.node.member(subject.id).unwrap();
            assert_eq!(row.status(), status(10, State::Dead), "{told:?}");
        }
    }
}

/// Three claims about one member, whatever they are, in all six orders, told once or twice: one belief, the greatest of them.
#[test]
fn three_claims_in_every_order() {
    #[derive(Clone, Copy, Debug)]
    struct Claim(Status);
    impl Arbitrary for Claim {
        fn arbitrary(g: &mut Gen) -> Self {
            let state = *g.choose(&[State::Alive, State::Suspect, State::Dead, State::Left]).unwrap();
            Self(status(u32::arbitrary(g) % 64, state))
        }
    }
    fn law(a: Claim, b: Claim, c: Claim) -> bool {
        let claims = [a.0, b.0, c.0];
        let greatest = claims.into_iter().fold(status(0, State::Alive), Status::merge);
        let believed = |told: Vec<usize>| {
            let (mut b, peers) = Bench::with_peers(config(), 3);
            for i in told {
                b.gossip(&peers[1], &[accused(peers[0].id, claims[i], &[])]);
            }
            b.node.member(peers[0].id).unwrap().status()
        };
        orders(3).into_iter().all(|order| {
            let twice = order.iter().chain(&order).copied().collect();
            believed(order.clone()) == greatest && believed(twice) == greatest
        })
    }
    QuickCheck::new().tests(100).quickcheck(law as fn(Claim, Claim, Claim) -> bool);
}

/// When the suspicion runs out by the node's own account: after so long, as of its beginning.
fn runs_for(b: &Bench, id: NodeId) -> Duration {
    let mut begun = None;
    let mut ends = None;
    for evidence in b.node.why(id) {
        match evidence.fact {
            Fact::Suspected { deadline, .. } => (begun, ends) = (Some(evidence.at), Some(deadline)),
            Fact::Confirmed { deadline, .. } => ends = Some(deadline),
            _ => {}
        }
    }
    ends.expect("it is suspected").since(begun.expect("it is suspected"))
}

/// One liar names any accusers, as often as it likes: nobody who is no member, the accused itself, members that are dead, this
/// node. However many it names, the suspicion is no shorter than that many distinct live members could make it, and never
/// shorter than the shortest; and the accused can refute it all the while.
#[test]
fn d6_one_liar_counts_for_no_more_than_who_is_there() {
    fn law(frames: Vec<Vec<u8>>) -> bool {
        let (mut b, peers) = Bench::with_peers(config(), 8);
        let (subject, liar, dead) = (peers[0], peers[1], peers[2]);
        let (me, first) = (b.me(), [peers[3].id]);
        b.gossip(&liar, &[accused(dead.id, status(0, State::Dead), &[])]);
        b.gossip(&liar, &[accused(subject.id, status(0, State::Suspect), &first)]);
        let mut named: BTreeSet<NodeId> = BTreeSet::from(first);
        for names in frames {
            let id = |n: &u8| match n % 16 {
                0 => me,
                1 => subject.id,
                2 => dead.id,
                n @ 3..=7 => peers[usize::from(n)].id,
                n => NodeId::new(u64::from(n) << 40),
            };
            let ids: Vec<NodeId> = names.iter().take(4).map(id).collect();
            b.gossip(&liar, &[accused(subject.id, status(0, State::Suspect), &ids)]);
            named.extend(ids.into_iter().filter(|id| peers[3..].iter().any(|p| p.id == *id)));
        }
        let (shortest, longest) = b.node.config().suspicion_bounds(b.node.live_count());
        let (confirmations, most) = (named.len() as f64 - 1.0, b.node.config().suspicion_confirmations as f64);
        let part = (confirmations.min(most) + 1.0).ln() / (most + 1.0).ln();
        let least = longest.as_secs_f64() - (longest - shortest).as_secs_f64() * part;
        let runs = runs_for(&b, subject.id);
        // Logarithms are tables of integers.
        assert!(runs.as_secs_f64() >= least * 0.999, "{runs:?} of {least} s, {named:?}");
        assert!(runs >= shortest && b.state(&subject) == Some(State::Suspect));
        let refuted = Peer { incarnation: Incarnation::new(EPOCH, 1), ..subject };
        b.gossip(&refuted, &[]);
        b.state(&subject) == Some(State::Alive)
    }
    QuickCheck::new().tests(300).quickcheck(law as fn(Vec<Vec<u8>>) -> bool);
}
