//! What the checkers of sends, turns and deadlines are there for.

use std::net::SocketAddr;

use swim_core::wire::{Message, Writer};
use swim_core::{Incarnation, Node, NodeId};
use swim_driver::Pump;

use super::*;
use crate::swarm::sends::{Out, Sends};
use crate::swarm::turns::Turns;

const HEADER_LEN: usize = 10;

/// A datagram by this sender, with nothing but this message.
fn datagram(sender: NodeId, message: Message) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_LEN + 100];
    let mut writer = Writer::new(&mut bytes[HEADER_LEN..], sender, Incarnation::new(1, 0), 0).expect("it fits");
    assert!(writer.message(message));
    let len = writer.written();
    bytes.truncate(HEADER_LEN + len);
    bytes
}

/// What it breaks when the node of this pump reads this from there, and sends these, each of so many bytes.
fn answers(
    pump: &Pump,
    question: (NodeId, SocketAddr, Message),
    out: &[(SocketAddr, Message, usize)],
) -> Option<Checker> {
    says(pump, question, out.iter().map(|&(to, message, len)| Out { to, len, message: Some(message) }).collect())
}

/// The same, where what it sends may be without a message.
fn says(pump: &Pump, (sender, from, question): (NodeId, SocketAddr, Message), out: Vec<Out>) -> Option<Checker> {
    let mut sends = Sends::default();
    sends.begin(pump.node());
    sends.begin_at(0, pump.stats().datagrams_received - 1);
    let mut turn = Turn { kind: Kind::Datagram, before: *pump.node().stats(), ..Turn::default() };
    (turn.datagram, turn.from) = (datagram(sender, question), Some(from));
    turn.before.datagrams_sent -= out.len() as u64;
    turn.out = out;
    broken(sends.check(&turn, HEADER_LEN, &Shadow::new(pump.node(), Instant::ORIGIN), pump))
}

#[test]
fn datagrams_that_go_astray() {
    let (mut w, nodes) = five();
    w.run(secs(10));
    let (pump, id, at) = (w.pump(nodes[0]), w.id(nodes[1]), nodes[1].addr());
    let (other, nowhere) = (nodes[2].addr(), SocketAddr::from(([10, 9, 9, 9], 7_946)));
    let (ping, ack) = (Message::Ping { target: w.id(nodes[0]), nonce: 7 }, Message::Ack { nonce: 7 });
    let asked = |out: &[_]| answers(pump, (id, at, ping), out);
    assert_eq!(asked(&[]), None);
    assert_eq!(asked(&[(at, ack, 40)]), None);
    assert_eq!(asked(&[(other, ack, 40)]), Some(Checker::Destination), "the answer to another");
    assert_eq!(asked(&[(at, ack, 40), (at, ack, 40)]), Some(Checker::Amplified), "twice");
    assert_eq!(asked(&[(other, ping, 40)]), None, "a member");
    assert_eq!(asked(&[(nowhere, ping, 40)]), Some(Checker::Destination));
    let relay = Message::PingReq { target: w.id(nodes[2]), nonce: 7 };
    let nack = |nonce| Message::Nack { nonce };
    assert_eq!(answers(pump, (id, at, relay), &[(at, nack(7), 40)]), None);
    assert_eq!(answers(pump, (id, at, relay), &[(at, nack(8), 40)]), Some(Checker::Destination), "nobody asked that");
    assert_eq!(answers(pump, (id, at, relay), &[(other, nack(7), 40)]), Some(Checker::Destination));
}

#[test]
fn strangers_that_are_told_too_much() {
    let (mut w, nodes) = five();
    w.run(secs(10));
    let (pump, id) = (w.pump(nodes[0]), w.id(nodes[1]));
    let (stranger, nowhere) = (NodeId::new(9), SocketAddr::from(([10, 9, 9, 9], 7_946)));
    let ping = Message::Ping { target: w.id(nodes[0]), nonce: 7 };
    let ack = Message::Ack { nonce: 7 };
    let most = 3 * datagram(stranger, ping).len();
    for who in [stranger, id] {
        assert_eq!(answers(pump, (who, nowhere, ping), &[(nowhere, ack, most)]), None);
        assert_eq!(answers(pump, (who, nowhere, ping), &[(nowhere, ack, most + 1)]), Some(Checker::Amplified));
    }
    assert_eq!(answers(pump, (id, nodes[1].addr(), ping), &[(nodes[1].addr(), ack, most + 1)]), None, "a member");
    // Whatever it says, and without a message, too.
    for message in [Some(Message::Pull { nonce: 1 }), None] {
        let told = |out: &[(SocketAddr, usize)]| {
            let out: Vec<_> = out.iter().map(|&(to, len)| Out { to, len, message }).collect();
            says(pump, (stranger, nowhere, ping), out)
        };
        assert_eq!(told(&[(nowhere, most)]), None);
        assert_eq!(told(&[(nowhere, most + 1)]), Some(Checker::Amplified));
        assert_eq!(told(&[(nowhere, 20), (nowhere, 20)]), Some(Checker::Amplified), "twice");
        assert_eq!(told(&[(nodes[1].addr(), most + 1)]), None, "to a member");
    }
}

#[test]
fn counters_that_do_not_add_up() {
    let (mut w, nodes) = five();
    w.run(secs(10));
    let pump = w.pump(nodes[0]);
    let shadow = Shadow::new(pump.node(), Instant::ORIGIN);
    let check = |given_before: u64, sent: u64, more: u64| {
        let mut sends = Sends::default();
        sends.begin_at(given_before, pump.stats().datagrams_received + more);
        let mut turn = Turn { before: *pump.node().stats(), ..Turn::default() };
        turn.before.datagrams_sent -= sent;
        broken(sends.check(&turn, HEADER_LEN, &shadow, pump))
    };
    assert_eq!(check(0, 0, 0), None);
    assert_eq!(check(1, 0, 0), Some(Checker::Uncounted), "one that the driver has not seen");
    assert_eq!(check(0, 1, 0), Some(Checker::Uncounted), "one that has not left");
    assert_eq!(check(0, 0, 1), Some(Checker::Uncounted), "one that has come, and that nobody has counted");
}

/// A period that begins at this second, and the ping that is sent in it.
fn period(turns: &mut Turns, node: &Node, at: u64, ping: Option<(NodeId, u32)>) -> Option<Checker> {
    let mut turn = Turn { kind: Kind::Timeout, before: *node.stats(), ..Turn::default() };
    turn.before.probes -= 1;
    turn.probes.extend(ping.map(|(target, nonce)| {
        let to = node.member(target).expect("a member is probed").addr();
        (to, Message::Ping { target, nonce })
    }));
    broken(turns.check(&turn, Instant::ORIGIN + secs(at), node))
}

#[test]
fn a_member_that_is_never_probed() {
    let (mut w, nodes) = five();
    w.run(secs(10));
    let node = w.node(nodes[0]);
    let ids: Vec<NodeId> = nodes[1..].iter().map(|&peer| w.id(peer)).collect();
    let mut turns = Turns::default();
    // Among four the last in one round and first in the next waits for none, the first and then last for six.
    for at in 0..40_u64 {
        assert_eq!(period(&mut turns, node, at, Some((ids[at as usize % 4], at as u32))), None);
    }
    let found = (40..60_u64).find_map(|at| period(&mut turns, node, at, Some((ids[at as usize % 3], at as u32))));
    assert_eq!(found, Some(Checker::Turn));
}

#[test]
fn a_verdict_of_no_probe() {
    let (mut w, nodes) = five();
    w.run(secs(10));
    let (node, me, id) = (w.node(nodes[0]), w.id(nodes[0]), w.id(nodes[1]));
    let at = node.member(id).expect("it is a member").incarnation();
    let accuses = |id, incarnation, by| {
        let mut turns = Turns::default();
        assert_eq!(period(&mut turns, node, 1, Some((w.id(nodes[1]), 7))), None);
        let mut turn = Turn { kind: Kind::Timeout, before: *node.stats(), ..Turn::default() };
        turn.events.push(Event::MemberSuspect { id, incarnation, by });
        broken(turns.check(&turn, Instant::ORIGIN + secs(2), node))
    };
    assert_eq!(accuses(id, at, Some(me)), None);
    assert_eq!(accuses(id, at.next(), Some(me)), Some(Checker::Accusation), "it has refuted meanwhile");
    assert_eq!(accuses(w.id(nodes[2]), at, Some(me)), Some(Checker::Accusation), "another was probed");
    assert_eq!(accuses(w.id(nodes[2]), at.next(), Some(id)), None, "another's word");
    let mut turns = Turns::default();
    assert_eq!(period(&mut turns, node, 1, Some((id, 7))), None);
    let ends = Instant::ORIGIN + secs(1) + node.config().probe_interval;
    assert_eq!((turns.nonce(), broken(turns.check_ack(ends.minus_micros(1)))), (Some(7), None));
    assert_eq!(broken(turns.check_ack(ends)), Some(Checker::Ack));
}

#[test]
fn a_tombstone_that_stays() {
    let mut w = World::new(2);
    let node = w.spawn("a");
    let (pump, id, at) = (w.pump(node), NodeId::new(9), Incarnation::new(1, 0));
    let config = pump.node().config();
    let events = [
        (0, Event::MemberUp { id, incarnation: at }),
        (1, Event::MemberSuspect { id, incarnation: at, by: None }),
        (5, Event::MemberDown { id, incarnation: at, left: false }),
    ];
    let most = config.tombstone_ttl + config.probe_interval * 2;
    for (after, found) in [(most, None), (most + millis(1), Some(Checker::Tombstone))] {
        let mut shadow = Shadow::new(pump.node(), Instant::ORIGIN);
        let turn = |clock| Turn { kind: Kind::Datagram, clock, before: *pump.node().stats(), ..Turn::default() };
        for (at, event) in events {
            let turn = Turn { events: vec![event], ..turn(Instant::ORIGIN + secs(at)) };
            assert_eq!(broken(shadow.check_turn(&turn, HEADER_LEN, pump)), None);
            // That there is no row is found in any case.
            let _ = shadow.check_table(&turn, pump.node(), &BTreeMap::new(), &mut Coverage::default());
        }
        let late = turn(Instant::ORIGIN + secs(5) + after);
        assert_eq!((0..32).find_map(|_| broken(shadow.check_turn(&late, HEADER_LEN, pump))), found, "{after:?}");
    }
}

#[test]
fn a_pause_that_goes_unnoticed() {
    let (mut w, nodes) = five();
    w.run(secs(10));
    let pump = w.pump(nodes[0]);
    let due = pump.node().poll_timeout().expect("it probes");
    let late = |by: Duration, timeouts: u64| {
        let mut shadow = Shadow::new(pump.node(), Instant::ORIGIN);
        let turn = |clock| Turn { kind: Kind::Datagram, clock, before: *pump.node().stats(), ..Turn::default() };
        assert_eq!(broken(shadow.check_turn(&turn(w.now()), HEADER_LEN, pump)), None);
        let mut turn = turn(due + by);
        turn.before.timeouts -= timeouts;
        broken(shadow.check_turn(&turn, HEADER_LEN, pump))
    };
    let interval = pump.node().config().probe_interval;
    assert_eq!((late(interval, 1), late(interval * 9, 0)), (None, None), "held up, or it has done nothing");
    assert_eq!(late(interval + millis(1), 1), Some(Checker::AfterPause));
}
