//! Networks that deliver everything, but twice, late or in another order. Scenario P17 among them.

use swim_core::Event;

use super::common::*;
use crate::{Harness, Link, Peer, Run, Spec};

/// Half of all datagrams come twice, and many are overtaken by later ones: whatever happens is reported once by each, as if
/// each datagram had come once and in its turn.
pub fn doubled_and_overtaken_datagrams_change_nothing<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    h.set_network(Link { duplicate: 50, reorder: 30, ..Link::default() });
    let mark = h.mark();
    let mut rest = nodes.to_vec();
    let (leaver, writer) = (run.take(&mut rest), run.take(&mut rest));
    h.set_meta(writer, b"first");
    let one = h.spawn(Spec::named("one").meta(b"one"));
    h.join_through(one, &[run.pick(&rest)]);
    h.until(soon(&h), |h| h.is_whole(6) && all_read(h, &nodes, writer, b"first")).expect("six see six");
    h.set_meta(writer, b"second");
    h.leave(leaver);
    let stay = others(&nodes, leaver);
    let told = |h: &H| all_read(h, &stay, writer, b"second") && all_read(h, &[one], writer, b"second");
    h.until(soon(&h), |h| told(h) && h.is_whole(5)).expect("all know what has happened");
    // What is still under way comes late, and comes again.
    h.run(h.periods(5));
    still_whole(&mut h, 5);
    for &p in &stay {
        assert_eq!((ups(&h, p, &mark), downs(&h, p, &mark)), (vec![h.id(one)], vec![(h.id(leaver), true)]), "{p:?}");
        let updates = h.count_since(p, &mark, |e| matches!(*e, Event::MemberUpdated { id } if id == h.id(writer)));
        assert_eq!(updates, 2, "{p:?}: {:?}", h.since(p, &mark));
    }
}

/// P17: each way between two nodes takes half a time-out longer, so that no ack is there before the relays are asked: late is
/// not silent, nobody dies of it although a suspicion would be short, and what the two say of themselves arrives.
pub fn p17_a_slow_way_kills_nobody<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.cluster::<H>(hasty::<H>(), 5);
    let mut rest = nodes.to_vec();
    let pair: [Peer; 2] = [run.take(&mut rest), run.take(&mut rest)];
    let slow = Link { delay: h.config().probe_timeout / 2, ..Link::default() };
    h.set_link(pair[0], pair[1], slow);
    h.set_link(pair[1], pair[0], slow);
    let mark = h.mark();
    h.run(h.periods(12));
    pair.iter().for_each(|&p| h.set_meta(p, b"late"));
    let told = |h: &H| pair.iter().all(|&p| all_read(h, &nodes, p, b"late"));
    h.until(soon(&h), |h| told(h) && h.is_whole(5)).expect("all hear of both");
    for p in nodes {
        assert_eq!((ups(&h, p, &mark), downs(&h, p, &mark)), (vec![], vec![]), "{p:?}");
    }
}
