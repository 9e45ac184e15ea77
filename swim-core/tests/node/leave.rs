//! Leaving and coming back. Scenarios C3 and E1 to E5, at one node.

use crate::util::*;
use swim_core::wire::Message;
use swim_core::wire::PAGE_END;
use swim_core::{Command, Event, Input, NodeId, State};

/// E1: the leave is complete when its notices have been handed out, and they say left, not dead.
#[test]
fn e1_complete_when_handed_out() {
    let (mut b, peers) = Bench::with_peers(config(), 20);
    let me = b.me();
    b.node.handle(b.now, Input::Command(Command::Leave));
    let mut buf = [0; 1_400];
    let mut told = Vec::new();
    while b.node.poll_event().is_none() {
        assert!(!b.node.has_left());
        let t = b.node.poll_transmit(&mut buf).expect("the event comes when all is handed out, not later");
        told.push(Sent { at: b.now, to: t.to, bytes: buf[..t.len].to_vec() });
    }
    assert!(b.node.has_left() && b.node.poll_transmit(&mut buf).is_none());
    assert_eq!(told.len(), 8);
    assert!(told.iter().all(|s| s.update_of(me) == Some(status(0, State::Left))));
    let mut to: Vec<_> = told.iter().map(|s| s.to).collect();
    to.sort();
    to.dedup();
    assert_eq!(to.len(), 8, "eight different peers");
    assert!(to.iter().all(|a| peers.iter().any(|p| p.addr == *a)));
}

/// E2: afterwards nothing is answered, nothing is merged, nothing is due.
#[test]
fn e2_silence() {
    let (mut b, peers) = Bench::with_peers(config(), 4);
    let me = b.me();
    b.ping_to(&peers[0], &peers);
    b.command(Command::Leave);
    assert_eq!(b.events, [Event::Left]);
    assert_eq!(b.node.poll_timeout(), None);
    let before = b.node.snapshot_table();
    b.clear();
    let p = &peers[1];
    let ask = |m| frame(p, Some(m), &[], &[]);
    for bytes in [
        ask(Message::Ping { target: me, nonce: 1 }),
        ask(Message::PingReq { target: peers[2].id, nonce: 1 }),
        ask(Message::Pull { nonce: 1 }),
        frame(p, None, &[accused(me, status(0, State::Suspect), &[])], &[]),
        frame(p, None, &[accused(peers[3].id, status(0, State::Dead), &[])], &[]),
        frame(&peer(9), Some(Message::Pull { nonce: 1 }), &[], &[row(&peer(9))]),
    ] {
        b.recv_from(p.addr, &bytes);
    }
    b.now = b.now + ms(100_000);
    b.handle(Input::Timeout);
    b.handle(Input::SendFailed { to: p.addr });
    b.command(Command::Leave);
    assert!(b.sent.is_empty() && b.events.is_empty());
    assert_eq!(b.node.snapshot_table(), before);
    assert_eq!(b.node.poll_timeout(), None);
    assert_eq!(b.node.stats().dropped_after_leave, 6);
}

trait SnapshotTable {
    fn snapshot_table(&self) -> Vec<(NodeId, swim_core::Status)>;
}

impl SnapshotTable for swim_core::Node {
    fn snapshot_table(&self) -> Vec<(NodeId, swim_core::Status)> {
        self.members().map(|m| (m.id(), m.status())).collect()
    }
}

/// E3: news that was queued rides with the farewell, which itself comes first.
#[test]
fn e3_news_rides_with_the_farewell() {
    let (mut b, peers) = Bench::with_peers(config(), 5);
    for p in &peers[1..] {
        b.recv(&peers[0], None, &[accused(p.id, status(1, State::Alive), &[])]);
    }
    b.clear();
    let me = b.me();
    b.command(Command::Leave);
    // Five farewells; the news reaches its limit of four tellings before the last.
    assert_eq!(b.sent.len(), 5);
    for s in &b.sent[..4] {
        let ids: Vec<NodeId> = s.frame().updates().map(|i| i.id).collect();
        assert_eq!(ids[0], me, "reserved for the farewell");
        assert!(ids.len() >= 3, "{ids:?}");
    }
}

/// E4: the same node joins again after its leave, one incarnation further; late gossip about the leaver does not
/// resurrect it.
#[test]
fn e4_rejoin() {
    let (mut b, peers) = Bench::with_peers(config(), 3);
    b.command(Command::Leave);
    b.clear();
    b.command(Command::Join(&[peers[0].addr]));
    assert!(!b.node.has_left());
    assert_eq!(b.node.me().status(), status(1, State::Alive));
    let pull = |s: &Sent| match s.message() {
        Some(Message::Pull { nonce, .. }) => Some((s.to, nonce)),
        _ => None,
    };
    let (to, nonce) = b.sent.iter().find_map(pull).expect("the seed is asked");
    assert_eq!(to, peers[0].addr);
    let rows: Vec<_> = peers.iter().map(row).collect();
    b.recv_from(peers[0].addr, &frame(&peers[0], Some(Message::Page { nonce, next: PAGE_END }), &[], &rows));
    assert!(b.events.contains(&Event::Joined { members: 4 }));
    b.run_with(ms(10_000), &peers);
    assert_eq!(b.node.live_count(), 4);
}

#[test]
fn e4_late_gossip_about_a_leaver() {
    let (mut b, peers) = Bench::with_peers(config(), 3);
    let p = peers[0];
    b.gossip(&p, &[accused(p.id, status(0, State::Left), &[])]);
    assert_eq!(b.events, [Event::MemberDown { id: p.id, incarnation: inc(0), left: true }]);
    b.clear();
    for state in [State::Alive, State::Suspect, State::Dead] {
        b.gossip(&peers[1], &[accused(p.id, status(0, state), &[])]);
    }
    b.admit(&p);
    b.run_with(ms(5_000), &peers[1..]);
    assert_eq!((b.state(&p), b.events.len()), (Some(State::Left), 0));
}

/// E5: with nobody there, or with one peer that is down, it completes at once.
#[test]
fn e5_nobody_to_tell() {
    let mut alone = Bench::new(config());
    alone.command(Command::Leave);
    assert_eq!((&alone.events[..], alone.sent.len()), (&[Event::Left][..], 0));
    assert_eq!(alone.node.poll_timeout(), None);

    let (mut b, peers) = Bench::with_peers(config(), 1);
    b.gossip(&peers[0], &[accused(peers[0].id, status(0, State::Left), &[])]);
    b.clear();
    b.command(Command::Leave);
    assert_eq!((&b.events[..], b.sent.len()), (&[Event::Left][..], 0));

    let (mut b, _) = Bench::with_peers(config(), 1);
    b.command(Command::Leave);
    assert_eq!((&b.events[..], b.sent.len()), (&[Event::Left][..], 1), "said once, whoever listens");
}

/// A join that is under way ends with the leave.
#[test]
fn leave_while_joining() {
    let mut b = Bench::new(config());
    b.command(Command::Join(&[addr(1), addr(2)]));
    b.clear();
    b.command(Command::Leave);
    // The seeds may have admitted it, though it has not heard so.
    let goodbye = |s: &Sent| s.frame().updates().any(|item| item.id == b.me() && item.status.state() == State::Left);
    assert!(b.sent.iter().map(|s| s.to).eq([addr(1), addr(2)]) && b.sent.iter().all(goodbye));
    b.clear();
    b.run(ms(100_000));
    assert!(b.sent.is_empty() && b.node.has_left());
}

/// What was under way at the leave is no evidence against anybody after the return, and the time away is not a pause.
#[test]
fn e4_a_return_is_a_fresh_start() {
    for away in [200, 60_000] {
        let (mut b, peers) = Bench::with_peers(config(), 3);
        b.gossip(&peers[1], &[accused(peers[2].id, status(0, State::Suspect), &[peers[1].id])]);
        b.ping_to(&peers[0], &peers);
        b.command(Command::Leave);
        assert_eq!(b.node.poll_timeout(), None);
        b.now = b.now + ms(away);
        b.clear();
        b.command(Command::Join(&[peers[0].addr]));
        b.run_with(ms(3_000), &peers);
        let accused: Vec<_> = b.events.iter().filter(|e| matches!(e, Event::MemberSuspect { .. })).collect();
        assert!(accused.is_empty(), "{accused:?}");
        assert!(!b.events.iter().any(|e| matches!(e, Event::MemberDown { .. })), "after {away} ms: {:?}", b.events);
        assert_eq!((b.node.stats().pauses, b.node.health()), (0, 0), "after {away} ms");
    }
}

/// C3: the node's own leave in the middle of a probe, before or after relays were asked, ends that probe. A return within the
/// same period finds nothing left of it: no relay is asked at its time, no verdict falls at its deadline, and an ack of it
/// is nobody's. What is probed then is probed anew.
#[test]
fn c3_the_own_leave_ends_the_probe() {
    for (probed, away) in [(0, 1), (100, 200), (499, 1), (600, 100), (999, 1), (300, 5_000)] {
        let (mut b, peers) = Bench::with_peers(config(), 5);
        let target = peers[0];
        let nonce = b.ping_to(&target, &peers);
        b.run(ms(probed));
        let before = *b.node.stats();
        b.command(Command::Leave);
        assert_eq!(b.node.poll_timeout(), None, "nothing of the probe is due");
        b.now = b.now + ms(away);
        b.clear();
        b.command(Command::Join(&[peers[1].addr]));
        b.recv(&target, Some(Message::Ack { nonce }), &[]);
        let after = *b.node.stats();
        assert_eq!((after.probes_acked, after.stray_acks), (before.probes_acked, before.stray_acks + 1), "{probed} ms");
        b.run_with(ms(4_000), &peers);
        let after = *b.node.stats();
        assert_eq!((b.ping_reqs(0), after.probes_failed), (vec![], before.probes_failed), "left after {probed} ms");
        assert_eq!((b.suspects(), b.downs(), b.node.health()), (0, 0, 0));
        let anew = after.probes - before.probes;
        assert!((3..=5).contains(&anew) && after.probes_acked - before.probes_acked >= anew - 1, "{anew} probes");
    }
}
