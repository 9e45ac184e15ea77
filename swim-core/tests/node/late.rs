//! What comes late is not what this node has slept through. Scenario C1, at one node.

use crate::util::*;
use swim_core::wire::Message;
use swim_core::{Event, State};

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
