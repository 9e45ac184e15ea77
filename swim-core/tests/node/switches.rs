//! What can be switched off to have SWIM or Lifeguard as the papers have them, and what a node does that cannot send.

use crate::util::*;
use swim_core::wire::Message;
use swim_core::{Buddy, Event, Input, State};

/// All but the second direct ping: one goes out, and the relays are asked all the same.
#[test]
fn without_a_second_direct_probe_a_silent_target_is_pinged_once() {
    for (direct, again) in [(1, 0), (2, 1)] {
        let mut c = config();
        c.direct_probes = direct;
        let (mut b, peers) = Bench::with_peers(c, 5);
        let (target, nonce) = b.next_ping(&peers);
        let seen = b.sent.len();
        b.run(ms(900));
        let pings = b.sent[seen..].iter().filter(|s| s.message() == Some(Message::Ping { target: target.id, nonce }));
        assert_eq!((pings.count(), b.ping_reqs(seen).len()), (again, 3));
    }
}

/// In which datagrams a suspect hears of its suspicion when that is not news any more.
#[test]
fn a_suspect_is_told_as_the_buddy_system_says() {
    for (buddy, in_pings, in_acks) in
        [(Buddy::Never, false, false), (Buddy::Pings, true, false), (Buddy::Always, true, true)]
    {
        let mut c = config();
        (c.buddy, c.suspicion_beta) = (buddy, 1_000);
        let (mut b, peers) = Bench::with_peers(c, 6);
        let (suspect, suspicion) = (peers[0], status(0, State::Suspect));
        b.gossip(&peers[1], &[accused(suspect.id, suspicion, &[peers[1].id])]);
        b.quiesce(&peers);
        assert_eq!(b.state(&suspect), Some(State::Suspect));

        b.ping_to(&suspect, &peers);
        let ping = b.sent.iter().rev().find(|s| s.to == suspect.addr).expect("it is pinged");
        assert_eq!(ping.update_of(suspect.id), in_pings.then_some(suspicion), "ping, {buddy:?}");

        b.clear();
        b.recv(&suspect, Some(Message::Ping { target: b.me(), nonce: 7 }), &[]);
        let ack = b.sent.iter().find(|s| s.message() == Some(Message::Ack { nonce: 7 })).expect("it is answered");
        assert_eq!(ack.update_of(suspect.id), in_acks.then_some(suspicion), "ack, {buddy:?}");
    }
}

/// Without the buddy system the accused is one of those who hear the news, and not left out.
#[test]
fn without_the_buddy_system_a_suspect_hears_the_news() {
    let mut c = config();
    c.buddy = Buddy::Never;
    let (mut b, peers) = Bench::with_peers(c, 3);
    let suspicion = status(0, State::Suspect);
    b.gossip(&peers[1], &[accused(peers[0].id, suspicion, &[peers[1].id])]);
    b.run_with(ms(2_000), &peers);
    assert!(b.sent.iter().any(|s| s.to == peers[0].addr && s.update_of(peers[0].id) == Some(suspicion)));
}

/// The dead come back by hearing that they are dead, with the buddy system or without.
#[test]
fn the_dead_are_told_either_way() {
    let mut c = config();
    c.buddy = Buddy::Never;
    let (mut b, peers) = Bench::with_peers(c, 6);
    let dead = status(0, State::Dead);
    b.gossip(&peers[1], &[accused(peers[0].id, dead, &[])]);
    b.quiesce(&peers[1..]);
    b.recv(&peers[0], Some(Message::Ping { target: b.me(), nonce: 7 }), &[]);
    let ack = b.sent.iter().find(|s| s.message() == Some(Message::Ack { nonce: 7 })).expect("it is answered");
    assert_eq!(ack.update_of(peers[0].id), Some(dead));
}

/// Without the guard a node that was asleep goes by the clock: its probe has failed, and suspicions run out.
#[test]
fn without_the_guard_a_sleeper_convicts() {
    for guard in [true, false] {
        let mut c = config();
        c.pause_guard = guard;
        let (mut b, peers) = Bench::with_peers(c, 5);
        b.gossip(&peers[1], &[accused(peers[0].id, status(0, State::Suspect), &[peers[1].id])]);
        b.next_ping(&peers);
        b.clear();
        b.now = b.now + ms(60_000);
        b.handle(Input::Timeout);
        b.run(ms(0));
        assert_eq!((b.suspects() > 0, b.downs() > 0), (!guard, !guard), "guard {guard}");
        assert_eq!((b.node.stats().pauses, b.node.stats().stalls), (u64::from(guard), 0));
    }
}

/// A probe whose answer cannot be expected is not concluded while nothing can be sent, so there is one of them; and there
/// is no gossip.
#[test]
fn who_cannot_send_waits_with_its_probe_and_its_news() {
    for (guard, suspects) in [(true, 0), (false, 1)] {
        let mut c = config();
        // Few datagrams besides gossip, so that what is news stays so.
        (c.pause_guard, c.indirect_probes, c.direct_probes) = (guard, 0, 1);
        let (mut b, peers) = Bench::with_peers(c, 5);
        let refuted = Peer { incarnation: inc(1), ..peers[4] };
        b.run_with(ms(300), &peers);
        b.clear();
        b.handle(Input::SendBlocked);
        b.gossip(&refuted, &[]);
        let probes = b.node.stats().probes;
        b.run(ms(10_000));
        assert!(b.node.stats().probes <= probes + 1);
        assert_eq!((b.suspects(), b.node.gossip_queued()), (0, 1));
        assert!(b.sent.iter().all(|s| s.message().is_some()), "no gossip");

        b.handle(Input::SendResumed);
        b.run(ms(1));
        assert_eq!(b.suspects(), suspects, "guard {guard}");
        assert_eq!(b.node.stats().stalls, u64::from(guard), "guard {guard}");
        assert!(b.sent.iter().any(|s| s.message().is_none()), "gossip goes on at once");
        assert_eq!(b.node.stats().pauses, 0, "its timers have run");
    }
}

/// Who could not send does not declare anybody dead for it: those could not refute what they did not hear of.
#[test]
fn a_suspicion_does_not_run_out_while_nothing_can_be_sent() {
    for guard in [true, false] {
        let mut c = config();
        (c.pause_guard, c.health_max) = (guard, 8);
        let (mut b, peers) = Bench::with_peers(c, 5);
        b.gossip(&peers[1], &[accused(peers[0].id, status(0, State::Suspect), &[peers[1].id])]);
        b.handle(Input::SendBlocked);
        // Six live members: at most 24 s.
        b.run(ms(60_000));
        assert_eq!(b.state(&peers[0]), Some(if guard { State::Suspect } else { State::Dead }), "guard {guard}");
        b.handle(Input::SendResumed);
        let health = b.events.iter().filter(|e| matches!(e, Event::Health { .. })).count();
        assert_eq!((b.node.stats().send_blocks, health > 0), (u64::from(guard), guard));
        // The shortest suspicion, 4 s, must pass anew.
        b.run_with(ms(3_900), &peers[1..]);
        assert_eq!(b.downs(), usize::from(!guard));
        b.run_with(ms(200), &peers[1..]);
        assert_eq!(b.state(&peers[0]), Some(State::Dead), "but not for ever");
    }
}

/// A socket that is full for a moment is nothing to speak of.
#[test]
fn a_short_block_changes_no_verdict() {
    let (mut b, peers) = Bench::with_peers(config(), 5);
    b.gossip(&peers[1], &[accused(peers[0].id, status(0, State::Suspect), &[peers[1].id])]);
    for _ in 0..300 {
        b.handle(Input::SendBlocked);
        b.handle(Input::SendBlocked);
        b.run_with(ms(100), &peers[1..]);
        b.handle(Input::SendResumed);
        b.handle(Input::SendResumed);
        b.run_with(ms(1), &peers[1..]);
    }
    assert_eq!(b.state(&peers[0]), Some(State::Dead));
    assert_eq!((b.node.stats().send_blocks, b.node.stats().pauses), (0, 0));
}

/// The pings of a probe that was due to end meanwhile were held: it has no verdict, however short the block was.
#[test]
fn a_probe_that_could_not_be_answered_has_no_verdict() {
    for guard in [true, false] {
        let mut config = config();
        config.pause_guard = guard;
        let (mut b, peers) = Bench::with_peers(config, 5);
        b.run_with(ms(5_000), &peers);
        while b.node.stats().probes_acked == b.node.stats().probes {
            b.run(ms(1));
        }
        // A ping has just left, or so it seems.
        b.handle(Input::SendBlocked);
        b.run(ms(1_250));
        b.handle(Input::SendResumed);
        b.run_with(ms(1), &peers);
        let stats = b.node.stats();
        assert_eq!((b.suspects(), stats.stalls), if guard { (0, 1) } else { (1, 0) });
    }
}
