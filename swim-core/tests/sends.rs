//! Sending that fails at once. Scenario P4, at one node.

mod util;

use swim_core::wire::Message;
use swim_core::{Event, Input, Instant};
use util::*;

/// When, counted from the ping, relays were asked and the target was suspected; and how many relays.
fn verdict(fail_after: Option<u64>) -> (u64, u64, usize) {
    let (mut b, peers) = Bench::with_peers(config(), 6);
    let target = peers[0];
    b.ping_to(&target, &peers);
    let (pinged, seen) = (b.now, b.sent.len());
    if let Some(after) = fail_after {
        b.run(ms(after));
        b.handle(Input::SendFailed { to: target.addr });
    }
    let since = |at: Instant| at.micros_since(pinged) / 1_000;
    let suspected =
        |b: &Bench| b.events.iter().any(|e| matches!(e, Event::MemberSuspect { id, .. } if *id == target.id));
    while !suspected(&b) {
        assert!(b.step(pinged + ms(10_000)), "there is a deadline until then");
    }
    let asked: Vec<u64> = b.sent[seen..]
        .iter()
        .filter(|s| matches!(s.message(), Some(Message::PingReq { target: t, .. }) if t == target.id))
        .map(|s| since(s.at))
        .collect();
    assert!(asked.windows(2).all(|w| w[0] == w[1]), "all at once: {asked:?}");
    (asked[0], since(b.now), asked.len())
}

/// P4: a ping that could not even be sent is not waited for. Relays are asked at once, so the target gets a path that works
/// half a second earlier, and the suspicion, if it is silent there too, comes no later than with silence. It comes no
/// earlier either: that this node cannot send is no evidence that the other does not live.
#[test]
fn p4_a_failed_send_is_not_waited_for() {
    assert_eq!(verdict(None), (500, 1_000, 3));
    for after in [0, 1, 250, 499] {
        assert_eq!(verdict(Some(after)), (after, 1_000, 3), "failed after {after} ms");
    }
    assert_eq!(verdict(Some(600)), (500, 1_000, 3), "relays are asked once");
}

/// P4: failures that go on do not multiply: relays are asked once per probe, whoever else cannot be reached, and the relays
/// that can be are enough.
#[test]
fn p4_failures_do_not_multiply() {
    let (mut b, peers) = Bench::with_peers(config(), 6);
    let target = peers[0];
    let nonce = b.ping_to(&target, &peers);
    let seen = b.sent.len();
    for _ in 0..100 {
        // The target's address, the relays', and one that is nobody's.
        for p in &peers {
            b.handle(Input::SendFailed { to: p.addr });
        }
        b.handle(Input::SendFailed { to: addr(999) });
        b.step(b.now + ms(1));
    }
    let asked = b.ping_reqs(seen);
    assert_eq!((asked.len(), b.node.stats().sends_failed), (3, 700));
    let relay = *peers.iter().find(|p| p.addr == asked[2].0).expect("a peer");
    b.recv(&relay, Some(Message::RelayedAck { nonce, incarnation: target.incarnation }), &[]);
    b.run_with(ms(5_000), &peers);
    assert_eq!((b.suspects(), b.node.health()), (0, 0));
}
