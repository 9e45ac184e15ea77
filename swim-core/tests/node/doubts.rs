//! Others speak of a later life of a member that is believed alive: it is asked itself before it is taken over.

use std::net::SocketAddr;

use crate::util::*;
use swim_core::wire::{Detail, Item, Message, More};
use swim_core::{Event, Incarnation, State, Status};

/// This peer in its next epoch.
fn next_life(p: &Peer) -> Peer {
    Peer { incarnation: p.incarnation.next_epoch(), ..*p }
}

/// What others say of that life, which is at this address.
fn said(life: &Peer, at: SocketAddr) -> Item<'static> {
    let more = More::Detail(Detail { at: life.incarnation, addr: at, name: "another", meta: b"life" });
    Item { id: life.id, status: Status::alive(life.incarnation), more }
}

/// The nonces of the pings sent to this member, at its address.
fn asked(b: &Bench, p: &Peer) -> Vec<u32> {
    let nonce = |s: &Sent| match s.message() {
        Some(Message::Ping { target, nonce }) if target == p.id && s.to == p.addr => Some(nonce),
        _ => None,
    };
    b.sent.iter().filter_map(nonce).collect()
}

fn ack(b: &mut Bench, p: &Peer, nonce: u32) {
    b.recv(p, Some(Message::Ack { nonce }), &[]);
}

/// A member forges the next epoch of another that lives, bare, with an address of its own choice, or by rows that were asked
/// for. The victim denies it, and nothing has changed.
#[test]
fn a_forged_epoch_of_a_live_member_is_denied_by_it() {
    for rows in [false, true] {
        let (mut b, peers) = Bench::with_peers(config(), 5);
        let (victim, liar) = (peers[0], peers[1]);
        let forged = said(&next_life(&victim), addr(66));
        let bare = Item { more: More::Status, ..forged };
        for (n, item) in [(1, forged), (2, bare)] {
            if rows {
                let nonce = b.ping_to(&liar, &peers);
                b.clear();
                b.recv_from(liar.addr, &frame(&liar, Some(Message::Ack { nonce }), &[], &[item]));
            } else {
                b.clear();
                b.gossip(&liar, &[item]);
            }
            assert_eq!(b.node.stats().supersede_refused, n);
            let stray = b.node.stats().stray_acks;
            let [nonce] = asked(&b, &victim)[..] else { panic!("asked once, at its own address") };
            assert!(b.sent.iter().all(|s| s.to != addr(66)), "nothing goes to an address that hearsay names");
            ack(&mut b, &victim, nonce);
            assert_eq!(b.node.stats().stray_acks, stray, "it was asked");
            b.run_with(ms(3_000), &peers);
            let known = b.node.member(victim.id).expect("still there");
            assert_eq!((known.status(), known.addr()), (Status::alive(victim.incarnation), victim.addr));
            assert!(b.events.is_empty(), "{:?}", b.events);
        }
    }
}

/// Who forges as fast as it can has the victim asked once per period, and never twice at a time.
#[test]
fn a_flood_of_forgeries_asks_once_per_period() {
    let (mut b, peers) = Bench::with_peers(config(), 5);
    let (victim, liar) = (peers[0], peers[1]);
    b.clear();
    let mut answered = 0;
    for n in 0..1_000_u32 {
        let life = Peer { incarnation: Incarnation::new(EPOCH + 1 + n, 0), ..victim };
        b.gossip(&liar, &[said(&life, addr(66))]);
        b.run_with(ms(10), &peers);
        let all = asked(&b, &victim);
        all[answered..].iter().for_each(|&nonce| ack(&mut b, &victim, nonce));
        answered = all.len();
    }
    // Ten seconds, in which the victim is probed twice besides.
    assert!((10..=13).contains(&answered), "{answered} pings");
    assert_eq!(b.node.stats().supersede_refused, 1_000);
    assert_eq!(b.node.member(victim.id).map(|m| m.status()), Some(Status::alive(victim.incarnation)));
    assert!(b.events.is_empty(), "{:?}", b.events);
}

/// A member has restarted, and others say so: it says so itself when it is asked, and is believed within a round trip.
#[test]
fn a_restart_is_confirmed_by_who_has_restarted() {
    let (mut b, peers) = Bench::with_peers(config(), 5);
    let life = next_life(&peers[0]);
    b.clear();
    b.gossip(&peers[1], &[said(&life, life.addr)]);
    let [nonce] = asked(&b, &life)[..] else { panic!("asked once") };
    assert!(b.events.is_empty());
    ack(&mut b, &life, nonce);
    assert_eq!(b.events, [Event::MemberRestarted { id: life.id, incarnation: life.incarnation }]);
    assert_eq!((b.node.stats().stray_acks, b.node.stats().supersede_refused), (0, 1));
    // And again at once: one that has answered for its new life makes room for the next.
    let after = next_life(&life);
    b.clear();
    b.gossip(&peers[1], &[said(&after, after.addr)]);
    let [nonce] = asked(&b, &after)[..] else { panic!("asked again") };
    ack(&mut b, &after, nonce);
    assert_eq!(b.events, [Event::MemberRestarted { id: life.id, incarnation: after.incarnation }]);
}

/// Its own word needs no question: the head of a frame of its, or its introduction.
#[test]
fn its_own_word_is_believed_at_once() {
    for introduces in [false, true] {
        let (mut b, peers) = Bench::with_peers(config(), 5);
        let life = next_life(&peers[0]);
        b.clear();
        let rows = if introduces { vec![said(&life, life.addr)] } else { vec![] };
        b.recv_from(life.addr, &frame(&life, None, &[], &rows));
        assert_eq!(b.events[0], Event::MemberRestarted { id: life.id, incarnation: life.incarnation });
        assert_eq!((asked(&b, &life).len(), b.node.stats().supersede_refused), (0, 0));
    }
}

/// A member has restarted at another address, and where it was nobody answers: what others say of it is believed after one
/// time-out, with the address, though they say it no more.
#[test]
fn silence_for_a_time_out_confirms_it() {
    let (mut b, peers) = Bench::with_peers(config(), 8);
    // One whose turn to be probed does not come meanwhile.
    let probed = b.next_ping(&peers).0;
    let life = next_life(peers.iter().find(|p| p.id != probed.id).expect("there are more"));
    b.clear();
    b.gossip(&probed, &[said(&life, addr(66))]);
    let others: Vec<Peer> = peers.iter().copied().filter(|p| p.id != life.id).collect();
    b.run_with(ms(490), &others);
    assert!(!b.events.iter().any(|e| matches!(e, Event::MemberRestarted { .. })), "{:?}", b.events);
    b.run_with(ms(10), &others);
    let moved = Event::MemberMoved { id: life.id, from: life.addr };
    let updated = Event::MemberUpdated { id: life.id };
    assert_eq!(b.events, [Event::MemberRestarted { id: life.id, incarnation: life.incarnation }, moved, updated]);
    assert_eq!(b.node.member(life.id).map(|m| (m.addr(), m.incarnation())), Some((addr(66), life.incarnation)));
}

/// Where it was nobody answers, and a second member says the same: that is believed at once. The same one once more is not a
/// second one, and after a denial no number of them is.
#[test]
fn a_second_member_confirms_it_unless_it_was_denied() {
    for denied in [false, true] {
        let (mut b, peers) = Bench::with_peers(config(), 5);
        let life = next_life(&peers[0]);
        b.clear();
        b.gossip(&peers[1], &[said(&life, addr(66))]);
        b.gossip(&peers[1], &[said(&life, addr(66))]);
        let [nonce] = asked(&b, &life)[..] else { panic!("asked once") };
        if denied {
            ack(&mut b, &peers[0], nonce);
        }
        assert_eq!((b.events.len(), b.node.stats().supersede_refused), (0, 2));
        b.gossip(&peers[2], &[said(&life, addr(66))]);
        b.gossip(&peers[3], &[said(&life, addr(66))]);
        let believed = Event::MemberRestarted { id: life.id, incarnation: life.incarnation };
        assert_eq!(b.events.contains(&believed), !denied);
        assert_eq!(b.node.stats().supersede_refused, if denied { 4 } else { 2 });
        assert_eq!(b.node.member(life.id).map(|m| m.addr()), Some(if denied { life.addr } else { addr(66) }));
    }
}

/// Of a member that is suspected or dead whatever is later is believed at once, as before.
#[test]
fn what_is_said_of_the_doubtful_is_believed_at_once() {
    for state in [State::Suspect, State::Dead, State::Left] {
        let (mut b, peers) = Bench::with_peers(config(), 5);
        let life = next_life(&peers[0]);
        b.gossip(&peers[1], &[Item { id: life.id, status: status(0, state), more: More::Status }]);
        b.clear();
        b.gossip(&peers[1], &[said(&life, addr(66))]);
        assert_eq!(b.state(&life), Some(State::Alive));
        assert_eq!(b.node.member(life.id).map(|m| m.addr()), Some(addr(66)));
        assert_eq!((asked(&b, &life).len(), b.node.stats().supersede_refused), (0, 0), "{state}");
    }
}

/// One frame that tells of the next epochs of many: so many are asked at the same time, and not one more.
#[test]
fn so_many_are_asked_at_a_time() {
    let (mut b, peers) = Bench::with_peers(config(), 200);
    b.clear();
    let items: Vec<Item<'_>> =
        peers[1..].iter().map(|p| Item { more: More::Status, ..said(&next_life(p), p.addr) }).collect();
    b.gossip(&peers[0], &items);
    let pings = b.sent.iter().filter(|s| matches!(s.message(), Some(Message::Ping { .. }))).count();
    assert_eq!((pings, b.node.stats().supersede_refused, b.node.stats().outbox_full), (32, 199, 0));
    assert!(b.events.is_empty());
}

/// Somebody else has the address by now, and says so: an answer of a wrong one, not a stray one. It is no denial.
#[test]
fn somebody_else_at_its_address_does_not_deny_it() {
    let (mut b, peers) = Bench::with_peers(config(), 5);
    let life = next_life(&peers[0]);
    b.clear();
    b.gossip(&peers[1], &[said(&life, addr(66))]);
    let [nonce] = asked(&b, &life)[..] else { panic!("asked once") };
    b.recv_from(life.addr, &frame(&peer(70), Some(Message::NotMe { nonce }), &[], &[]));
    assert_eq!((b.node.stats().wrong_responders, b.node.stats().stray_acks), (1, 0));
    b.run_with(ms(500), &peers[1..]);
    assert_eq!(b.node.member(life.id).map(|m| m.addr()), Some(addr(66)));
}
