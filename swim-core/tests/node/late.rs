//! What comes late is not what this node has slept through (scenario C1, at one node), and what is due late is still
//! sent.

use crate::util::*;
use swim_core::wire::Message;
use swim_core::{Event, Input, State};

/// A confirmation shortens a suspicion to a moment that has passed already: the accused is dead at once. This node has not
/// slept: it loses no health, cuts nothing out of time, and the probe under way goes on.
#[test]
fn c1_a_late_confirmation_is_no_pause() {
    // Eleven live members: 24.99 s at the longest, and 14.58, 8.49 and 4.17 s with one, two and three confirmations.
    for (wait, confirmations) in [(16_000, 1), (16_000, 3), (9_000, 2), (24_000, 1)] {
        let (mut b, peers) = Bench::with_peers(config(), 10);
        let accused_one = peers[0];
        let told = |by: &Peer| [by.id];
        let suspicion = status(0, State::Suspect);
        b.gossip(&peers[9], &[accused(accused_one.id, suspicion, &told(&peers[1]))]);
        // Everybody answers, the accused included: only the accusations count.
        b.run_with(ms(wait), &peers);
        assert_eq!(b.state(&accused_one), Some(State::Suspect));
        let (target, nonce) = b.next_ping(&peers);
        b.events.clear();
        let (now, health, acked) = (b.now, b.node.health(), b.node.stats().probes_acked);
        for by in &peers[2..2 + confirmations] {
            b.gossip(&peers[9], &[accused(accused_one.id, suspicion, &told(by))]);
        }
        b.run(ms(1));
        assert_eq!(b.state(&accused_one), Some(State::Dead), "its time was over when the confirmation came");
        assert_eq!((b.node.stats().pauses, b.node.health()), (0, health), "after {wait} ms: nobody slept");
        if target.id != accused_one.id {
            b.recv(&target, Some(Message::Ack { nonce }), &[]);
            assert_eq!(b.node.stats().probes_acked, acked + 1, "the probe under way was not forgotten");
        }
        b.run(ms(1_500));
        let pinged = |s: &&Sent| s.at > now && matches!(s.message(), Some(Message::Ping { .. }));
        assert!(b.sent.iter().any(|s| pinged(&s)), "the next period begins in its time");
        assert!(b.events.iter().all(|e| !matches!(e, Event::Health { .. })));
    }
}

/// A requester whose row is forgotten in the very call that makes its nack due gets it all the same.
#[test]
fn an_intent_may_outlive_the_row_it_is_for() {
    let (mut b, peers) = Bench::with_peers(config(), 3);
    let p = peers[0];
    b.gossip(&p, &[accused(p.id, status(0, State::Left), &[])]);
    let forgotten_at = b.now + ms(600_000);
    let before = forgotten_at.minus_micros(350_000);
    b.run_with(before.since(b.now), &peers[1..]);
    b.recv(&p, Some(Message::PingReq { target: peers[1].id, nonce: 5 }), &[]);
    b.clear();
    b.now = forgotten_at + ms(100);
    b.handle(Input::Timeout);
    assert!(b.node.member(p.id).is_none());
    assert_eq!(b.sent.iter().find(|s| s.to == p.addr).and_then(|s| s.message()), Some(Message::Nack { nonce: 5 }));
}
