//! What sending must not delay, when it fails at once and when there is much to send, and what goes first when not all
//! fits. Scenarios P4 and P21, at one node.

use crate::util::*;
use swim_core::wire::{Detail, Item, Message, More};
use swim_core::{Config, Event, Input, Instant, NodeId, State};

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

/// P4: more news than a second of gossip can tell, and four newcomers every 5 ms, each of whom is admitted, answered and
/// news in turn: relays are asked to the very moment as on a quiet day, and so is the suspicion raised.
#[test]
fn p4_a_long_queue_and_a_storm_of_joins_delay_nothing() {
    let (mut b, peers) = Bench::with_peers(config(), 150);
    for p in &peers[..140] {
        b.gossip(&peers[149], &[accused(p.id, status(1, State::Alive), &[])]);
    }
    let (target, _) = b.next_ping(&peers);
    let (pinged, seen) = (b.now, b.sent.len());
    assert!(b.node.gossip_queued() > 100, "{} queued", b.node.gossip_queued());
    let since = |at: Instant| at.micros_since(pinged);
    let is_suspicion = |e: &Event| matches!(e, Event::MemberSuspect { id, .. } if *id == target.id);
    let (mut newcomers, mut suspected) = (0, None);
    while since(b.now) < 1_200_000 {
        for _ in 0..4 {
            newcomers += 1;
            let p = peer(1_000 + newcomers);
            b.proving(p.addr, frame(&p, Some(Message::Pull { nonce: newcomers }), &[], &[row(&p)]));
        }
        let end = b.now + ms(5);
        loop {
            let more = b.step(end);
            if suspected.is_none() && b.events.iter().any(is_suspicion) {
                suspected = Some(since(b.now));
            }
            if !more {
                break;
            }
        }
        // A tick tells much of the first news; well before relays are asked there are as many newcomers to tell of.
        assert!(since(b.now) < 250_000 || b.node.gossip_queued() > 150, "the queue stays long");
    }
    assert_eq!(b.node.live_count(), 151 + newcomers as usize, "all of them were admitted");
    let asks = |s: &&Sent| matches!(s.message(), Some(Message::PingReq { target: t, .. }) if t == target.id);
    let asked: Vec<u64> = b.sent[seen..].iter().filter(asks).map(|s| since(s.at)).collect();
    assert_eq!(asked, [500_000; 3]);
    assert_eq!(suspected, Some(1_000_000));
}

/// P21: three pieces of news, equally often told, of which one fits into a datagram. The first datagram has the oldest, the
/// next have the others in their order, and so in every round: none is told for the second time before all have been for
/// the first, and all as often as any news.
#[test]
fn p21_equals_are_told_oldest_first() {
    let mut c = config();
    c.mtu = Config::MTU_MIN;
    // In another order than their ids, addresses and rows have, so that only the time can decide.
    for order in [[1, 2, 3], [3, 1, 2], [2, 3, 1], [3, 2, 1]] {
        let (mut b, peers) = Bench::with_peers(c.clone(), 12);
        let news = order.map(|n: usize| peers[n].id);
        for n in order {
            let detail = Detail { at: inc(1), addr: peers[n].addr, name: "n", meta: &[7; 450] };
            let item = Item { id: peers[n].id, status: status(1, State::Alive), more: More::Detail(detail) };
            b.gossip(&peers[11], &[item]);
        }
        assert_eq!(b.node.gossip_queued(), 3);
        let raised: Vec<Peer> =
            peers.iter().map(|p| if news.contains(&p.id) { Peer { incarnation: inc(1), ..*p } } else { *p }).collect();
        b.clear();
        b.run_with(ms(10_000), &raised);
        assert_eq!(b.node.gossip_queued(), 0, "nobody starves");
        // What is next: least told first, oldest first among equals.
        let limit = b.node.config().retransmit_limit(13);
        let mut queue: Vec<(usize, NodeId)> = news.iter().map(|&id| (0, id)).collect();
        for s in &b.sent {
            if queue.len() < 2 {
                // The last one has nobody to take turns with.
                break;
            }
            let told: Vec<NodeId> = s.frame().updates().map(|i| i.id).collect();
            // Whose news it is has no need of it: what is written to a subject counts as told, and has the one after it.
            let subject = peers.iter().find(|p| p.addr == s.to).map(|p| p.id);
            let next = queue.iter().map(|&(_, id)| id).find(|&id| Some(id) != subject);
            assert_eq!(told, Vec::from_iter(next), "one fits, and in its turn: {queue:?}");
            let (taken, kept): (Vec<_>, Vec<_>) =
                queue.into_iter().partition(|&(_, id)| Some(id) == next || Some(id) == subject);
            queue = kept;
            queue.extend(taken.into_iter().map(|(times, id)| (times + 1, id)).filter(|&(times, _)| times < limit));
            queue.sort_by_key(|&(times, _)| times);
        }
        assert!(queue.len() < 2, "each is told as often as any news: {queue:?}");
    }
}
