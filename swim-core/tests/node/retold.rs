//! A suspicion that nobody confirms is told again; who was held dead doubts its own verdicts; who moved is asked who it is.

use crate::util::*;
use swim_core::wire::{Item, Message};
use swim_core::{Node, State, Status};

/// Runs until this node's own probe has made it suspect the first peer, all others answering.
fn accuse_first(b: &mut Bench, peers: &[Peer]) -> Status {
    while b.state(&peers[0]) == Some(State::Alive) {
        b.run_with(ms(100), &peers[1..]);
    }
    b.node.member(peers[0].id).expect("a suspect is known").status()
}

/// Alone it is told as often as the shortest suspicion fits into the longest; confirmed, refuted or untracked it is not,
/// and no wake-up is wasted but one.
#[test]
fn a_lonely_suspicion_is_told_again() {
    for (how, retold) in [("lonely", 5), ("confirmed", 0), ("refuted", 0), ("heard", 0)] {
        let (mut b, peers) = Bench::with_peers(config(), 40);
        if how == "heard" {
            b.gossip(&peers[3], &[accused(peers[0].id, status(0, State::Suspect), &[peers[3].id])]);
        } else {
            let s = accuse_first(&mut b, &peers);
            match how {
                "confirmed" => b.gossip(&peers[3], &[accused(peers[0].id, s, &[peers[3].id])]),
                "refuted" => b.gossip(&Peer { incarnation: inc(1), ..peers[0] }, &[]),
                _ => {}
            }
        }
        b.node = Node::restore(&b.node.snapshot()).unwrap();
        let alive = if how == "refuted" { &peers[..] } else { &peers[1..] };
        b.run_with(ms(60_000), alive);
        assert_eq!(b.node.stats().suspicions_retold, retold, "{how}");
        let gone = how != "refuted";
        assert_eq!(b.state(&peers[0]) == Some(State::Dead), gone, "{how}");
        if how == "refuted" {
            // The time at which it would have been told again is gone: nothing wakes it but its periods.
            let (wakeups, probes) = (b.wakeups, b.node.stats().probes);
            b.run_with(ms(60_000), alive);
            assert_eq!(b.wakeups - wakeups, b.node.stats().probes - probes);
        }
    }
}

#[test]
fn an_untracked_suspicion_is_not_told_again() {
    let mut c = config();
    c.suspicions_max = 1;
    let (mut b, peers) = Bench::with_peers(c, 8);
    b.gossip(&peers[3], &[accused(peers[7].id, status(0, State::Suspect), &[peers[3].id])]);
    accuse_first(&mut b, &peers[..7]);
    b.run_with(ms(15_000), &peers[1..7]);
    assert_eq!((b.node.stats().suspicions_untracked, b.node.stats().suspicions_retold), (1, 0));
    b.run_with(ms(60_000), &peers[1..7]);
    assert_eq!(b.state(&peers[0]), Some(State::Dead));
}

/// At most the shortest suspicion is a verdict put off, however often this node is held dead; and deaths declared after
/// that are told.
#[test]
fn who_is_held_dead_puts_verdicts_off_but_not_for_ever() {
    for attacked in [false, true] {
        let (mut b, peers) = Bench::with_peers(config(), 6);
        let all: Vec<_> = peers[1..5].iter().map(|p| p.id).collect();
        b.gossip(&peers[1], &[accused(peers[0].id, status(0, State::Suspect), &all)]);
        let begun = b.now;
        while b.state(&peers[0]) == Some(State::Suspect) {
            b.run_with(ms(100), &peers[1..]);
            if attacked {
                let mine = b.node.me().incarnation();
                let me = b.me();
                b.gossip(&peers[1], &[Item::status(me, Status::new(mine, State::Dead))]);
            }
        }
        let took = b.now.as_micros() - begun.as_micros();
        assert!((4_000_000..=if attacked { 8_200_000 } else { 4_100_000 }).contains(&took), "{attacked}: {took}");
    }
}

/// A death that is untold when this node hears, in answer to its own question, that it was held dead itself is not told by
/// gossip. Who was not asked cannot keep it from that.
#[test]
fn untold_deaths_are_left_to_syncs() {
    for asked in [true, false] {
        let (mut b, peers) = Bench::with_peers(config(), 8);
        let (other, nonce) = b.next_ping(&peers);
        let dead = if other.id == peers[0].id { peers[1] } else { peers[0] };
        b.gossip(&other, &[Item::status(dead.id, status(0, State::Dead))]);
        assert_eq!(b.node.gossip_queued(), 1);
        b.clear();
        let belief = [Item::status(b.me(), Status::new(b.node.me().incarnation(), State::Dead))];
        let nonce = if asked { nonce } else { !nonce };
        b.recv(&other, Some(Message::Ack { nonce }), &belief);
        b.run_with(ms(10_000), &peers);
        let told = b.sent.iter().any(|s| s.to != dead.addr && s.update_of(dead.id).is_some());
        assert_eq!(told, !asked, "asked: {asked}");
    }
}

#[test]
fn every_eighth_refutation_or_so_writes_address_and_profile_anew() {
    let (mut b, peers) = Bench::with_peers(config(), 3);
    let mut anew = Vec::new();
    for n in 1..=18 {
        b.run_with(ms(1_100), &peers);
        b.clear();
        let (me, mine) = (b.me(), b.node.me().incarnation());
        b.gossip(&peers[1], &[accused(me, Status::new(mine, State::Suspect), &[peers[1].id])]);
        let detail = |s: &Sent| s.frame().updates().any(|u| u.id == me && u.detail().is_some());
        if b.sent.iter().any(detail) {
            anew.push(n);
        }
    }
    assert_eq!(anew, [9, 18]);
}

#[test]
fn who_pings_from_another_address_is_asked_who_it_is_now_and_then() {
    let (mut b, peers) = Bench::with_peers(config(), 3);
    for (from, asked) in [(peers[0].addr, 0), (addr(99), 2)] {
        b.clear();
        for nonce in 1..17 {
            b.recv_from(from, &frame(&peers[0], Some(Message::Ping { target: b.me(), nonce }), &[], &[]));
        }
        assert_eq!(b.sent.iter().filter(|s| s.frame().asks_who).count(), asked);
    }
}
