//! A table that changes under a probe, questions that come again, notices about nobody. Scenarios C11, C13 and D12.

use std::collections::HashSet;

use crate::util::*;
use swim_core::wire::{Detail, Item, Message, More};
use swim_core::{Event, Incarnation, Input, NodeId, State, Status};

/// The peer's row at another address, one incarnation further.
fn moved(p: &Peer, to: u32) -> (Peer, Item<'static>) {
    let there = Peer { addr: addr(to), incarnation: p.incarnation.next(), ..*p };
    (there, row(&there))
}

/// C11: a member is pinged at one address, and the table learns of another while the ping is under way. The probe stays
/// bound to the address that was pinged: an ack from the new one answers nothing, one from the old one does, and the next
/// ping goes to the new one. (There is no ping by a user yet; the probe is the only ping.)
#[test]
fn c11_a_probe_is_bound_to_the_address_that_was_pinged() {
    for acked_from_old in [true, false] {
        let (mut b, peers) = Bench::with_peers(config(), 4);
        let target = peers[0];
        let nonce = b.ping_to(&target, &peers);
        let (there, said) = moved(&target, 90);
        b.clear();
        b.gossip(&peers[1], &[said]);
        assert!(b.events.contains(&Event::MemberMoved { id: target.id, from: target.addr }));
        let acked = b.node.stats().probes_acked;
        b.recv_from(there.addr, &frame(&there, Some(Message::Ack { nonce }), &[], &[]));
        assert_eq!((b.node.stats().probes_acked, b.node.stats().stray_acks), (acked, 1), "not pinged there");
        if acked_from_old {
            b.recv_from(target.addr, &frame(&there, Some(Message::Ack { nonce }), &[], &[]));
            assert_eq!(b.node.stats().probes_acked, acked + 1, "pinged here");
        } else {
            // Somebody else has taken over the old address and acks in its own name.
            b.recv_from(target.addr, &frame(&peer(91), Some(Message::Ack { nonce }), &[], &[]));
            assert_eq!((b.node.stats().probes_acked, b.node.stats().stray_acks), (acked, 2));
            // The verdict is on what was pinged, and that is old.
            b.run(ms(1_000));
            assert_eq!(b.state(&target), Some(State::Alive));
        }
        let all = [&[there], &peers[1..]].concat();
        b.ping_to(&there, &all);
        let accused = |e: &Event| matches!(e, Event::MemberSuspect { id, .. } if *id == target.id);
        assert!(!b.events.iter().any(accused));
    }
}

/// C11, with relays: whoever is asked to ping a member that has moved meanwhile pings it where the relay's own table has
/// it, and takes the ack from there only, also when that changes under the relayed ping.
#[test]
fn c11_a_relayed_probe_is_bound_to_its_address_too() {
    let (mut b, peers) = Bench::with_peers(config(), 4);
    let (asker, target) = (peers[1], peers[0]);
    b.recv(&asker, Some(Message::PingReq { target: target.id, nonce: 42 }), &[]);
    let Some(Message::Ping { nonce, .. }) = b.sent[0].message() else { panic!("the target is pinged") };
    assert_eq!(b.sent[0].to, target.addr);
    let (there, said) = moved(&target, 90);
    b.gossip(&peers[2], &[said]);
    let passed_on =
        |b: &Bench| b.sent.iter().filter(|s| matches!(s.message(), Some(Message::RelayedAck { .. }))).count();
    b.recv_from(there.addr, &frame(&there, Some(Message::Ack { nonce }), &[], &[]));
    assert_eq!((passed_on(&b), b.node.stats().stray_acks), (0, 1));
    b.recv_from(target.addr, &frame(&there, Some(Message::Ack { nonce }), &[], &[]));
    let told = b.sent.iter().find(|s| matches!(s.message(), Some(Message::RelayedAck { .. }))).expect("passed on");
    assert_eq!(told.message(), Some(Message::RelayedAck { nonce: 42, incarnation: there.incarnation }));
    assert_eq!(told.to, asker.addr);
}

/// When the ping to this peer went out, when relays were asked after it, and when it was suspected.
fn budget(b: &mut Bench, target: &Peer, peers: &[Peer]) -> (u64, u64) {
    b.ping_to(target, peers);
    let (pinged, seen, before) = (b.now, b.sent.len(), b.suspects());
    while b.suspects() == before {
        assert!(b.step(b.now + ms(20_000)), "there is always a deadline");
    }
    let asked = b.sent[seen..].iter().find(|s| matches!(s.message(), Some(Message::PingReq { .. })));
    let asked = asked.expect("relays are asked before anybody is suspected").at;
    (asked.micros_since(pinged) / 1_000, b.now.micros_since(pinged) / 1_000)
}

/// C13: there are no streams to fall back to, so the rule is one of time: each probe has its whole time-out and its whole
/// period from the moment that its own ping went out, however late the one before it ended, and however often it is
/// repeated.
#[test]
fn c13_each_probe_has_its_whole_time() {
    for late in [0, 100, 240, 300, 900] {
        let mut c = config();
        c.health_max = 0;
        let (mut b, peers) = Bench::with_peers(c, 5);
        // The period before ends late: this node was held up.
        b.next_ping(&peers);
        let due = b.now + ms(1_000 + late);
        b.run(ms(999));
        b.now = due;
        b.handle(Input::Timeout);
        let ping = b.sent.iter().rev().find(|s| matches!(s.message(), Some(Message::Ping { .. }))).expect("a ping");
        assert_eq!(ping.at, due, "the next period begins when it is noticed");
        let p = *peers.iter().find(|p| p.addr == ping.to).expect("a peer");
        let seen = b.sent.len();
        b.run(ms(499));
        assert!(b.ping_reqs(seen).is_empty(), "its time-out is its own, {late} ms late");
        b.run(ms(1));
        assert_eq!(b.ping_reqs(seen).len(), 3);
        assert!(b.ping_reqs(seen).iter().all(|r| r.1 == p.id));
        let accused = |b: &Bench| b.events.iter().any(|e| matches!(e, Event::MemberSuspect { id, .. } if *id == p.id));
        b.run(ms(499));
        assert!(!accused(&b), "and so is its period");
        b.run(ms(1));
        assert!(accused(&b));
    }
}

/// C13: asked again and again about the same silent member, a prober gives each question the same time.
#[test]
fn c13_a_repeated_probe_has_its_whole_time() {
    let mut c = config();
    (c.health_max, c.suspicion_beta) = (0, 100);
    let (mut b, peers) = Bench::with_peers(c, 3);
    let mut target = peers[0];
    for round in 0..5 {
        assert_eq!(budget(&mut b, &target, &peers), (500, 1_000), "round {round}");
        // It refutes, so that the next silence is a new suspicion.
        target.incarnation = b.node.member(target.id).expect("still there").incarnation().next();
        b.gossip(&target, &[]);
    }
}

/// C13: five members ask the same relay about the same target, one after the other. Each question has the relay's whole
/// delay before its nack, and the ack to the last serves neither as the answer to the first nor ends its time.
#[test]
fn c13_each_relayed_probe_has_its_whole_delay() {
    let (mut b, peers) = Bench::with_peers(config(), 6);
    let target = peers[0];
    b.clear();
    let mut asked = Vec::new();
    for (n, p) in peers[1..].iter().enumerate() {
        b.recv(p, Some(Message::PingReq { target: target.id, nonce: n as u32 }), &[]);
        asked.push(b.now);
        b.run(ms(70));
    }
    let pings: Vec<u32> = b
        .sent
        .iter()
        .filter_map(|s| match s.message() {
            Some(Message::Ping { target: t, nonce }) if t == target.id && asked.contains(&s.at) => Some(nonce),
            _ => None,
        })
        .collect();
    assert_eq!((pings.len(), pings.iter().collect::<HashSet<_>>().len()), (5, 5), "a ping and a nonce for each");
    // The target answers the last question only, after the first nack was due.
    b.run(asked[0].plus_micros(401_000).since(b.now));
    b.recv(&target, Some(Message::Ack { nonce: pings[4] }), &[]);
    b.run(ms(1_000));
    for (n, p) in peers[1..].iter().enumerate() {
        let to_it: Vec<&Sent> = b.sent.iter().filter(|s| s.to == p.addr).collect();
        let nacks: Vec<u64> = to_it
            .iter()
            .filter(|s| s.message() == Some(Message::Nack { nonce: n as u32 }))
            .map(|s| s.at.micros_since(asked[n]))
            .collect();
        let acks = to_it.iter().filter(|s| matches!(s.message(), Some(Message::RelayedAck { .. }))).count();
        if n == 4 {
            assert_eq!((nacks, acks), (vec![], 1));
        } else {
            assert_eq!((nacks, acks), (vec![400_000], 0), "asker {n}");
        }
    }
}

/// C13: an ack that is cut off at whatever byte answers nothing, and what comes with it has no effect; the whole one does.
/// (A stream would deliver the rest later. A datagram has no rest, so half of one is refused.)
#[test]
fn c13_an_ack_cut_off_is_no_ack() {
    let (mut b, peers) = Bench::with_peers(config(), 4);
    let (target, victim) = (peers[0], peers[1]);
    let nonce = b.ping_to(&target, &peers);
    let message = Some(Message::Ack { nonce });
    let accusers = [target.id, peers[2].id];
    let news = [accused(victim.id, status(0, State::Suspect), &accusers), row(&peer(80))];
    let whole = frame(&target, message, &news, &[row(&peer(81))]);
    // Where a section ends the rest is a frame of its own, which the envelope's checksum refuses, not the core.
    let ends = [frame(&target, None, &[], &[]).len(), frame(&target, message, &[], &[]).len()];
    let rows_from = frame(&target, message, &news, &[]).len();
    let (before, probes) = (b.node.members().map(|m| m.status()).collect::<Vec<_>>(), b.node.stats().probes_acked);
    let mut refused = 0;
    for cut in (0..whole.len()).filter(|c| !ends.contains(c) && *c != rows_from) {
        b.recv_from(target.addr, &whole[..cut]);
        refused += 1;
        assert_eq!(b.node.stats().dropped_malformed, refused, "cut off at {cut} of {}", whole.len());
    }
    // Cut off behind the head, it is an empty frame.
    b.recv_from(target.addr, &whole[..ends[0]]);
    assert_eq!(b.node.stats().probes_acked, probes);
    assert_eq!(b.node.members().map(|m| m.status()).collect::<Vec<_>>(), before);
    assert!(refused as usize > whole.len() - 5 && b.events.is_empty());
    b.recv_from(target.addr, &whole);
    assert_eq!(b.node.stats().probes_acked, probes + 1);
    assert_eq!((b.state(&victim), b.node.members().len()), (Some(State::Suspect), before.len() + 2));
}

/// D12: thousands of notices that somebody died, left or is suspected whom nobody here has ever seen: in news of members,
/// in answers that were asked for, with accusers, with an address, by the subject itself. Nothing is stored, nothing is
/// told on, and nothing is kept for later.
#[test]
fn d12_a_death_of_nobody_is_not_stored() {
    let (mut b, peers) = Bench::with_peers(config(), 5);
    b.run_with(ms(100), &peers);
    b.clear();
    let known: HashSet<NodeId> = b.node.members().map(|m| m.id()).collect();
    let accusers = [peers[0].id, peers[1].id];
    let mut notices = 0;
    let mut notice = |b: &mut Bench, bytes: &[u8], from: &Peer| {
        b.recv_from(from.addr, bytes);
        notices += 1;
        assert_eq!((b.node.members().len(), b.node.gossip_queued()), (6, 0), "after {notices} notices");
    };
    for n in 0..1_500_u32 {
        let ghost = peer(10_000 + n);
        let gone = [State::Suspect, State::Dead, State::Left][n as usize % 3];
        let at = Incarnation::new([0, 1, EPOCH, EPOCH + 1, u32::MAX - 1][n as usize % 5], n % 70);
        let accusers = if gone == State::Suspect { &accusers[..] } else { &[] };
        let bare = accused(ghost.id, Status::new(at, gone), accusers);
        let detail = More::Detail(Detail { at, addr: ghost.addr, name: "ghost", meta: &[9; 40] });
        // With its address a suspicion is a live claim, which does create; a death or a leave never is.
        let with_detail = Item { status: Status::new(at, gone.max(State::Dead)), more: detail, ..bare };
        let from = peers[n as usize % 5];
        notice(&mut b, &frame(&from, None, &[bare], &[]), &from);
        notice(&mut b, &frame(&from, None, &[with_detail], &[]), &from);
        notice(&mut b, &frame(&ghost, None, &[with_detail], &[with_detail]), &ghost);
        if n % 100 == 0 {
            let (asked, nonce) = b.next_ping(&peers);
            let bytes = frame(&asked, Some(Message::Ack { nonce }), &[with_detail], &[bare, with_detail]);
            notice(&mut b, &bytes, &asked);
        }
        // To a stranger's own frame: who are you? At most, and not about it.
        assert!(b.sent.iter().all(|s| s.frame().updates().chain(s.frame().rows()).all(|i| known.contains(&i.id))));
        b.sent.clear();
    }
    assert_eq!(notices, 4_515);
    assert!(b.events.is_empty(), "{:?}", &b.events[..b.events.len().min(5)]);
    assert_eq!(b.node.stats().claims_unknown, 1_500 * 2 + 15 * 3);
    assert_eq!(
        b.node.stats().claims_from_strangers,
        1_500 * 2,
        "who was never seen does not even report its own death"
    );
    assert!((0..1_500).all(|n| b.node.why(peer(10_000 + n).id).next().is_none()), "no evidence is kept of it");
    b.run_with(ms(5_000), &peers);
    assert!(b.sent.iter().all(|s| s.frame().updates().all(|i| known.contains(&i.id))));
    assert_eq!((b.node.members().len(), b.suspects(), b.downs()), (6, 0, 0));
}

/// Ids that are chosen to have the place of one member in the tree of hashes take it on every node that does not know
/// that member yet, and then it is refused there. They have to live for that: once they are gone and forgotten, it is
/// let in.
#[test]
fn whoever_is_crowded_out_is_back_when_the_crowd_is_gone() {
    let (mut b, peers) = Bench::with_peers(config(), 3);
    let victim = peer(500);
    // The finaliser of SplitMix64, turned round: ids with the upper 30 bits of the hash that the victim's id has.
    let unshift = |x: u64, n: u32| (0..64 / n).fold(x, |y, _| x ^ (y >> n));
    let unmix = |x: u64| {
        let x = unshift(x, 31).wrapping_mul(0x3196_42b2_d24d_8ec3);
        unshift(unshift(x, 27).wrapping_mul(0x96de_1b17_3f11_9089), 30)
    };
    let mix = |x: u64| {
        let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    };
    let hash = mix(victim.id.as_u64());
    let crowd: Vec<Peer> = (1..=32).map(|n| Peer { id: NodeId::new(unmix(hash ^ n)), ..peer(600) }).collect();
    crowd.iter().for_each(|p| b.admit(p));
    assert_eq!((b.node.members().len(), b.node.stats().members_refused), (36, 0));
    b.admit(&victim);
    assert_eq!((b.state(&victim), b.node.stats().members_refused), (None, 1));
    // Nobody answers for them any more, which others have found first.
    for p in &crowd {
        b.gossip(&peers[0], &[accused(p.id, status(0, State::Dead), &[])]);
    }
    assert!(crowd.iter().all(|p| b.state(p) == Some(State::Dead)));
    b.admit(&victim);
    assert_eq!(b.state(&victim), None, "their places are kept for as long as anybody's");
    b.run_with(b.node.config().tombstone_ttl + ms(1), &peers);
    assert!(crowd.iter().all(|p| b.state(p).is_none()));
    b.admit(&victim);
    assert_eq!(b.state(&victim), Some(State::Alive));
    assert_eq!((b.node.live_count(), b.node.check()), (5, Ok(())));
}
