//! One member or stranger that means harm: what it costs the others is bounded.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::util::*;
use swim_core::wire::{KeyRange, Message, PAGE_END};
use swim_core::{Command, Node, NodeId, State};

fn compares(b: &Bench, to: Option<&Peer>) -> usize {
    let compare = |s: &&Sent| matches!(s.message(), Some(Message::Compare { .. }));
    b.sent.iter().filter(compare).filter(|s| to.is_none_or(|p| p.addr == s.to)).count()
}

/// A member that repeats this node's view hash to it does not hide from it that all the others disagree.
#[test]
fn an_echo_does_not_keep_from_syncing() {
    let asked = |echoes: bool| {
        let mut c = config();
        c.suspicion_alpha_percent = 100_000;
        let (mut b, peers) = Bench::with_peers(c, 6);
        for i in 0..300 {
            b.run(ms(200));
            b.agree = true;
            if echoes && i % 2 == 0 {
                b.gossip(&peers[1], &[]);
            }
            b.agree = false;
            for p in [0, 2, 3, 4, 5] {
                b.gossip(&peers[p], &[]);
            }
        }
        compares(&b, None)
    };
    let (with, without) = (asked(true), asked(false));
    assert!(without > 10 && with == without, "{with} of {without}");
}

/// A peer that answers each question late, and with one key more, holds the exchange no longer than `sync_backoff_max`.
#[test]
fn a_slow_peer_does_not_hold_the_exchange_for_ever() {
    let (mut b, peers) = Bench::with_peers(config(), 2);
    let (slow, honest) = (peers[0], peers[1]);
    b.agree = false;
    while compares(&b, Some(&slow)) == 0 {
        b.run_with(ms(200), &[]);
        b.gossip(&slow, &[]);
    }
    let nonce = |s: &Sent| if let Some(Message::Compare { nonce, .. }) = s.message() { Some(nonce) } else { None };
    let nonce = b.sent.iter().rev().find_map(nonce).expect("it is compared with the slow one");
    b.sent.clear();
    b.recv_from(slow.addr, &written(&slow, |w| assert!(w.differ(nonce, [u64::MAX].into_iter()))));
    let began = b.now;
    loop {
        let pull = |s: &Sent| match s.message() {
            Some(Message::Pull { nonce }) if s.to == slow.addr => Some((nonce, s.frame().ranges().next()?.from)),
            _ => None,
        };
        let Some((nonce, first)) = b.sent.iter().find_map(pull) else { break };
        b.sent.clear();
        b.run_with(ms(1_000), &peers);
        b.gossip(&honest, &[]);
        if compares(&b, Some(&honest)) > 0 {
            break;
        }
        b.sent.clear();
        let page = written(&slow, |w| assert!(w.message(Message::Page { nonce, next: first + 1 })));
        b.recv_from(slow.addr, &page);
        assert!(
            b.now.since(began) <= b.node.config().sync_backoff_max + ms(5_000),
            "held for {:?}",
            b.now.since(began)
        );
    }
    assert!(b.node.stats().pages_received > 10);
}

/// A page may come from anywhere, since a seed may have several addresses. What it asks for goes there in one datagram of
/// at most three times its size.
#[test]
fn a_page_from_nowhere_is_not_answered_manyfold() {
    let mut b = Bench::new(config());
    let peers: Vec<Peer> = (1..=250).map(peer).collect();
    peers.iter().for_each(|p| b.admit(p));
    b.quiesce(&peers);
    b.command(Command::Join(&[addr(900)]));
    let pull = |s: &Sent| match s.message() {
        Some(Message::Pull { nonce }) if s.to == addr(900) => Some(nonce),
        _ => None,
    };
    let nonce = b.sent.iter().find_map(pull).expect("the seed is asked");
    for wishes in [2, 170] {
        b.sent.clear();
        let page = written(&peer(999), |w| {
            assert!(w.message(Message::Page { nonce, next: PAGE_END }));
            w.wanted((0..wishes).map(|_| peers[0].id));
        });
        b.recv_from(addr(777), &page);
        let back: Vec<usize> = b.sent.iter().filter(|s| s.to == addr(777)).map(|s| s.bytes.len()).collect();
        assert!(back.len() <= 1 && back.iter().sum::<usize>() <= 3 * page.len(), "{} bytes: {back:?}", page.len());
        // The next one is answered by nobody: the question has been.
        b.command(Command::Join(&[addr(900)]));
    }
}

/// Strangers that ask as much as they like leave half of the budget for answers to members.
#[test]
fn strangers_do_not_starve_members() {
    let mut c = config();
    c.sync_rate = 20_000;
    let mut b = Bench::new(c);
    let peers: Vec<Peer> = (1..=250).map(peer).collect();
    peers.iter().for_each(|p| b.admit(p));
    b.quiesce(&peers);
    let refused = b.node.stats().syncs_refused;
    for i in 0..1_000_u32 {
        b.run_with(ms(10), &peers);
        let pull = written(&peer(5_000), |w| {
            assert!(w.message(Message::Pull { nonce: i }));
            w.held((0..10).map(|n| (NodeId::new(n), 0, 0)));
        });
        b.recv_from(addr(900), &pull);
        if i % 10 == 9 {
            b.clear();
            b.recv(&peers[0], Some(Message::Pull { nonce: i }), &[]);
            let answered = |s: &Sent| matches!(s.message(), Some(Message::Page { .. })) && s.to == peers[0].addr;
            assert!(b.sent.iter().any(answered), "question {i} of a member");
        }
        b.clear();
    }
    assert!(b.node.stats().syncs_refused - refused > 100, "the strangers have asked for more than there was");
}

/// A snapshot whose times are not its config's is refused, not run into an overflow.
#[test]
fn a_forged_pace_is_refused() {
    let varint = |mut v: u64| {
        let mut bytes = Vec::new();
        while v >= 0x80 {
            bytes.push(v as u8 | 0x80);
            v >>= 7;
        }
        bytes.push(v as u8);
        bytes
    };
    let (b, _) = Bench::with_peers(config(), 2);
    let (snapshot, c) = (b.node.snapshot(), b.node.config());
    let micros = |patience| [c.join_retry_max.as_micros() as u64, patience, c.sync_backoff_max.as_micros() as u64];
    let pace: Vec<u8> = micros(c.sync_patience.as_micros() as u64).into_iter().flat_map(varint).collect();
    let forged: Vec<u8> = micros(u64::MAX).into_iter().flat_map(varint).collect();
    let at = snapshot.windows(pace.len()).position(|w| w == pace).expect("the times are in the snapshot");
    assert!(Node::restore(&snapshot).is_ok());
    let forged = [&snapshot[..at], &forged, &snapshot[at + pace.len()..]].concat();
    assert!(Node::restore(&forged).is_err());
}

/// Frames that a stranger may have recorded, or written itself, none of which brings a row.
fn samples(b: &Bench, peers: &[Peer]) -> Vec<Vec<u8>> {
    let (me, asked) = (b.me(), [KeyRange { from: 0, to: PAGE_END }]);
    let mut all = Vec::new();
    for p in [peers[0], peers[7], peer(900), peer(901)] {
        let by = [p.id];
        let suspect = accused(peers[1].id, status(0, State::Suspect), &by);
        let messages = [
            Message::Ping { target: me, nonce: 8 },
            Message::Ping { target: peers[1].id, nonce: 9 },
            Message::Ack { nonce: 1 },
            Message::PingReq { target: peers[1].id, nonce: 2 },
            Message::PingReq { target: me, nonce: 2 },
            Message::RelayedAck { nonce: 3, incarnation: p.incarnation },
            Message::Nack { nonce: 4 },
            Message::NotMe { nonce: 5 },
            Message::Page { nonce: 6, next: 7 },
            Message::Push,
            Message::Delta { nonce: 7 },
        ];
        all.extend(messages.map(|m| frame(&p, Some(m), &[suspect], &[])));
        all.push(written(&p, |w| assert!(w.pull(1, asked.into_iter()))));
        all.push(written(&p, |w| assert!(w.compare(1, 0, [(0, [7; 64])].into_iter()))));
        all.push(written(&p, |w| assert!(w.ask_who(None))));
        all.push(frame(&p, None, &[suspect, accused(me, status(0, State::Dead), &[])], &[]));
    }
    all
}

/// 10^5 datagrams from addresses that are no member's, random ones, real ones and real ones with bytes changed: each is answered
/// at most once, where it came from and nowhere else, and no address is sent more than three times what has come from it.
#[test]
fn strangers_are_answered_once_and_thrice_their_size_at_most() {
    let (mut b, peers) = Bench::with_peers(config(), 40);
    let (samples, members) = (samples(&b, &peers), b.node.members().len());
    let mut state = 1_u64;
    let mut below = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    let mut accounts: BTreeMap<SocketAddr, (usize, usize)> = BTreeMap::new();
    let (mut answers, mut refused) = (0, b.node.stats().dropped_malformed);
    for n in 0..100_000 {
        let bytes: Vec<u8> = match n % 4 {
            0 => (0..below(200)).map(|_| below(256) as u8).collect(),
            1 => samples[below(samples.len())].clone(),
            _ => {
                let mut bytes = samples[below(samples.len())].clone();
                for _ in 0..1 + below(4) {
                    let at = below(bytes.len());
                    bytes[at] ^= 1 << below(8);
                }
                bytes
            }
        };
        let from = addr(10_000 + below(500) as u32);
        b.clear();
        b.recv_from(from, &bytes);
        // What a node tells the members because of it, a refutation for example, is bounded elsewhere.
        let others = b.sent.iter().filter(|s| s.to != from);
        assert!(others.clone().all(|s| peers.iter().any(|p| p.addr == s.to)), "datagram {n} goes to a third address");
        let back: Vec<usize> = b.sent.iter().filter(|s| s.to == from).map(|s| s.bytes.len()).collect();
        assert!(back.len() <= 1, "datagram {n} is answered with {back:?}");
        let most = 3 * bytes.len();
        assert!(back.iter().all(|&len| len <= most), "datagram {n} of {} bytes is answered with {back:?}", bytes.len());
        let (came, went) = accounts.entry(from).or_default();
        (*came, *went) = (*came + bytes.len(), *went + back.iter().sum::<usize>());
        assert!(*went <= 3 * *came, "{went} bytes to {from}, from which {came} have come");
        answers += back.len();
    }
    refused = b.node.stats().dropped_malformed - refused;
    assert!(answers > 10_000 && refused > 10_000, "{answers} were answered, {refused} refused");
    assert_eq!((b.node.members().len(), b.node.check()), (members, Ok(())));
}

/// Whoever writes in a member's name from its address, which plain nodes cannot tell, has it sent no more introductions
/// in a period than there may be members who really ask.
#[test]
fn whoever_asks_who_this_is_without_end_gets_no_end_of_answers() {
    let (mut b, peers) = Bench::with_peers(config(), 3);
    b.run_with(ms(1_000), &peers);
    b.clear();
    let asks = written(&peers[0], |w| assert!(w.ask_who(Some(7))));
    for _ in 0..1_000 {
        b.recv_from(peers[0].addr, &asks);
    }
    let introductions = b.sent.iter().filter(|s| s.frame().proof == Some(7) && s.to == peers[0].addr).count();
    assert_eq!((introductions, b.sent.len(), b.node.stats().introductions_refused), (64, 64, 936));
    b.run_with(ms(1_000), &peers);
    b.clear();
    b.recv_from(peers[0].addr, &asks);
    assert_eq!(b.sent.len(), 1);
}
