//! Introductions: whose word about itself counts, and what it has to show for it.

use std::net::SocketAddr;

use crate::util::*;
use swim_core::wire::{Detail, Item, Message, More, PAGE_END};
use swim_core::{Command, Event, Incarnation, State, Status};

/// The cookie in what was last sent to this address.
fn asked(b: &Bench, at: SocketAddr) -> Option<u64> {
    b.sent.iter().rev().find(|s| s.to == at).and_then(|s| cookie_in(&s.bytes))
}

fn pull(p: &Peer) -> Vec<u8> {
    frame(p, Some(Message::Pull { nonce: 5 }), &[], &[row(p)])
}

/// One datagram of somebody unknown is answered with a question that is shorter, and makes nothing; a cookie is for one id at
/// one address, and does not hold for ever.
#[test]
fn a_cookie_is_for_one_id_at_one_address() {
    let mut b = Bench::new(config());
    let (p, other) = (peer(1), Peer { id: peer(2).id, ..peer(1) });
    b.recv_from(p.addr, &pull(&p));
    assert_eq!((b.sent.len(), b.sent[0].message()), (1, Some(Message::Prove { nonce: 5 })));
    assert!(b.sent[0].bytes.len() < pull(&p).len() && b.sent[0].frame().asks_who);
    let cookie = asked(&b, p.addr).unwrap();
    b.recv_from(addr(9), &proven(pull(&p), cookie));
    b.recv_from(p.addr, &proven(pull(&other), cookie));
    b.recv_from(p.addr, &proven(pull(&p), cookie ^ 1));
    assert_eq!((b.node.members().len(), b.node.stats().introductions_unproven), (1, 4));
    b.run(ms(61_000));
    b.recv_from(p.addr, &proven(pull(&p), cookie));
    assert_eq!(b.node.members().len(), 1, "it was given too long ago");
    let cookie = asked(&b, p.addr).unwrap();
    b.run(ms(20_000));
    b.clear();
    b.recv_from(p.addr, &proven(pull(&p), cookie));
    assert_eq!(b.events, [Event::MemberUp { id: p.id, incarnation: p.incarnation }]);
    assert!(matches!(b.sent[0].message(), Some(Message::Page { nonce: 5, .. })), "{:?}", b.sent[0]);
}

/// A later life of a live member, at another address: it moves once it is heard there, and not before; from where the member is
/// known to be, nothing needs to be shown.
#[test]
fn a_member_moves_when_it_is_heard_there() {
    let (mut b, peers) = Bench::with_peers(config(), 3);
    let old = peers[0];
    let there = Peer { addr: addr(50), incarnation: Incarnation::new(EPOCH + 1, 0), ..old };
    for message in [Some(Message::Pull { nonce: 5 }), None, Some(Message::Ping { target: b.me(), nonce: 6 })] {
        b.clear();
        b.recv_from(there.addr, &frame(&there, message, &[], &[row(&there)]));
        assert!(b.events.is_empty(), "{:?}", b.events);
        assert_eq!((b.sent.len(), asked(&b, there.addr).is_some()), (1, true), "{message:?}");
    }
    let cookie = asked(&b, there.addr).unwrap();
    b.clear();
    b.recv_from(there.addr, &proven(frame(&there, None, &[], &[row(&there)]), cookie));
    let up = Event::MemberRestarted { id: old.id, incarnation: there.incarnation };
    assert_eq!(b.events, [up, Event::MemberMoved { id: old.id, from: old.addr }]);
    let here = Peer { incarnation: Incarnation::new(EPOCH + 1, 0), ..peers[1] };
    b.clear();
    b.recv_from(here.addr, &pull(&here));
    assert_eq!(b.events, [Event::MemberRestarted { id: here.id, incarnation: here.incarnation }]);
}

/// Behind a translated address: what a live member says of itself in its head goes on to count, and what it says elsewhere of
/// its address and profile counts when it is heard.
#[test]
fn a_translated_address_keeps_nobody_from_refuting() {
    let (mut b, peers) = Bench::with_peers(config(), 3);
    let (p, outside) = (peers[0], addr(50));
    b.gossip(&peers[1], &[accused(p.id, status(0, State::Suspect), &[peers[1].id])]);
    assert_eq!(b.node.member(p.id).unwrap().status(), status(0, State::Suspect));
    let refuted = Peer { incarnation: inc(1), ..p };
    b.recv_from(outside, &frame(&refuted, Some(Message::Ping { target: b.me(), nonce: 1 }), &[], &[]));
    assert_eq!(b.node.member(p.id).unwrap().status(), status(1, State::Alive));
    // Its introduction at the new incarnation writes its row anew.
    b.introduce(outside, &refuted, &row(&refuted));
    assert_eq!(b.node.member(p.id).unwrap().detail_at(), inc(1));
}

/// Whoever is dead here comes back from where it was, or from where it is heard.
#[test]
fn the_dead_come_back_from_where_they_are_heard() {
    let (mut b, peers) = Bench::with_peers(config(), 4);
    let back = |p: &Peer| Peer { incarnation: inc(1), ..*p };
    for p in &peers[..2] {
        b.gossip(&peers[2], &[accused(p.id, status(0, State::Dead), &[])]);
    }
    b.clear();
    let (there, elsewhere) = (back(&peers[0]), addr(50));
    b.recv(&there, Some(Message::Ping { target: b.me(), nonce: 1 }), &[]);
    assert_eq!(b.events, [Event::MemberUp { id: there.id, incarnation: inc(1) }]);
    b.clear();
    let moved = back(&peers[1]);
    b.recv_from(elsewhere, &frame(&moved, Some(Message::Ping { target: b.me(), nonce: 1 }), &[], &[]));
    assert!(b.events.is_empty());
    let cookie = asked(&b, elsewhere).expect("it is asked who it is, with the ack");
    b.recv_from(elsewhere, &proven(frame(&moved, None, &[], &[row(&moved)]), cookie));
    assert_eq!(b.events, [Event::MemberUp { id: moved.id, incarnation: inc(1) }]);
}

/// Who joins sends its pull again with the cookie, once per contact, and takes it along when it tries again.
#[test]
fn a_joiner_proves_itself_once_per_contact() {
    let (mut b, seed) = (Bench::new(config()), peer(1));
    b.command(Command::Join(&[seed.addr]));
    let Some(Message::Pull { nonce }) = b.sent[0].message() else { panic!("{:?}", b.sent) };
    assert_eq!(b.sent[0].frame().proof, None);
    let prove = |cookie| written(&seed, |w| assert!(w.message(Message::Prove { nonce }) && w.ask_who(Some(cookie))));
    for cookie in 70..80 {
        b.recv_from(seed.addr, &prove(cookie));
    }
    let proofs = |b: &Bench| b.sent.iter().filter_map(|s| s.frame().proof).collect::<Vec<u64>>();
    assert_eq!((proofs(&b), b.sent.len()), (vec![70], 2), "whoever asks again and again is not told again and again");
    b.recv_from(seed.addr, &frame(&seed, Some(Message::Prove { nonce }), &[], &[]));
    assert_eq!(b.node.stats().stray_acks, 10, "nine more than are heard, and one without a cookie");
    assert_eq!((b.sent[1].message(), b.sent[1].frame().rows().count()), (Some(Message::Pull { nonce }), 1));
    b.clear();
    b.run(ms(1_000));
    assert_eq!(proofs(&b), [70]);
    let Some(Message::Pull { nonce }) = b.sent[0].message() else { panic!("{:?}", b.sent) };
    b.recv_from(seed.addr, &frame(&seed, Some(Message::Page { nonce, next: PAGE_END }), &[], &[row(&seed)]));
    assert!(b.events.contains(&Event::Joined { members: 2 }));
}

/// A seed that was silent for long asks for a proof, and what follows is lost: it is contacted again soon, not after the long
/// wait that its silence had led to, and with the proof.
#[test]
fn what_is_lost_behind_a_proof_is_asked_for_soon() {
    let (mut b, seed) = (Bench::new(config()), peer(1));
    b.command(Command::Join(&[seed.addr]));
    b.run(ms(120_000));
    let contacts = |b: &Bench| b.sent.iter().filter(|s| matches!(s.message(), Some(Message::Pull { .. }))).count();
    while contacts(&b) > 0 {
        b.clear();
        b.run(ms(100));
    }
    while contacts(&b) == 0 {
        b.run(ms(100));
    }
    let Some(Message::Pull { nonce }) = b.sent[0].message() else { panic!("{:?}", b.sent) };
    b.clear();
    b.recv_from(seed.addr, &written(&seed, |w| assert!(w.message(Message::Prove { nonce }) && w.ask_who(Some(70)))));
    assert_eq!(contacts(&b), 1);
    b.run(b.node.config().join_retry);
    let proofs: Vec<_> = b.sent.iter().filter_map(|s| s.frame().proof).collect();
    assert_eq!((contacts(&b), proofs), (2, vec![70, 70]));
}

/// What is known of a member may be greater than what it says of itself, or contradict it: its pull from elsewhere is
/// asked for a proof with a cookie all the same, and the page behind the proof tells it what is believed.
#[test]
fn whoever_is_asked_for_a_proof_gets_a_cookie() {
    let later = Incarnation::new(EPOCH + 2, 0);
    let restarted = Peer { addr: addr(50), incarnation: Incarnation::new(EPOCH + 1, 0), ..peer(1) };
    let refuted = Peer { addr: addr(50), incarnation: inc(1), ..peer(1) };
    let detail = Detail { at: inc(0), addr: refuted.addr, name: "", meta: b"" };
    let contradicts = Item { id: refuted.id, status: Status::alive(inc(1)), more: More::Detail(detail) };
    for (back, says, known) in [
        (restarted, row(&restarted), Status::new(later, State::Dead)),
        (refuted, contradicts, Status::new(inc(0), State::Dead)),
    ] {
        let (mut b, peers) = Bench::with_peers(config(), 3);
        // That it has died, and what became of its next life, without where that was.
        for status in [status(0, State::Dead), Status::alive(known.incarnation()), known] {
            b.gossip(&peers[1], &[accused(back.id, status, &[])]);
        }
        assert_eq!(b.node.member(back.id).unwrap().status(), known);
        b.clear();
        let pull = frame(&back, Some(Message::Pull { nonce: 5 }), &[], &[says]);
        b.recv_from(back.addr, &pull);
        assert_eq!(b.sent[0].message(), Some(Message::Prove { nonce: 5 }));
        let cookie = asked(&b, back.addr).expect("without a cookie there is nothing to prove with");
        b.clear();
        b.recv_from(back.addr, &proven(pull, cookie));
        let page = b.sent.iter().find(|s| s.to == back.addr).expect("an answer");
        assert!(matches!(page.message(), Some(Message::Page { nonce: 5, .. })), "{page:?}");
        assert_eq!(page.update_of(back.id), Some(b.node.member(back.id).unwrap().status()), "it hears what to go past");
    }
}
