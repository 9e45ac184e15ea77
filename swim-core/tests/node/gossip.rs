//! Dissemination and joining at one node: what is told, how often, and what is never sent. Scenarios F3 to F5, B5, I1.

use std::collections::HashMap;

use crate::util::*;
use swim_core::wire::{Detail, Item, Message, More};
use swim_core::wire::{KeyRange, PAGE_END};
use swim_core::{Command, Event, NodeId, Profile, State, Status};

fn told(b: &Bench, id: NodeId) -> usize {
    b.sent.iter().filter(|s| s.update_of(id).is_some()).count()
}

/// The peers, some of them one incarnation further.
fn raised(peers: &[Peer], which: &[usize]) -> Vec<Peer> {
    let mut peers = peers.to_vec();
    which.iter().for_each(|&i| peers[i].incarnation = peers[i].incarnation.next());
    peers
}

/// Every update is told ⌈λ·ln(n+1)⌉ times, no more; then there is nothing to tell, and no tick either.
#[test]
fn an_update_is_told_so_often() {
    let (mut b, peers) = Bench::with_peers(config(), 30);
    let p = peers[0];
    b.gossip(&peers[1], &[accused(p.id, status(1, State::Alive), &[])]);
    let peers = raised(&peers, &[0]);
    b.run_with(ms(20_000), &peers);
    // Datagrams to the subject itself count, but need not say it.
    let limit = b.node.config().retransmit_limit(31);
    assert_eq!(limit, 6);
    assert!((limit - 2..=limit).contains(&told(&b, p.id)), "{}", told(&b, p.id));
    assert_eq!(b.node.gossip_queued(), 0);
    let (before, wakeups) = (b.sent.len(), b.wakeups);
    b.run_with(ms(10_000), &peers);
    assert!(b.sent[before..].iter().all(|s| matches!(s.message(), Some(Message::Ping { .. }))));
    assert!(b.wakeups - wakeups <= 22, "and no ticks: {}", b.wakeups - wakeups);
}

/// F7's core: with nobody to tell, nothing ticks and nothing grows.
#[test]
fn f7_no_peers() {
    let mut b = Bench::new(config());
    for i in 0..1_000_u32 {
        b.command(Command::SetProfile(&Profile::new("me", &i.to_le_bytes()).unwrap()));
        b.run(ms(10));
    }
    b.run(ms(10_000));
    assert_eq!((b.sent.len(), b.node.gossip_queued()), (0, 1));
    assert_eq!(b.node.poll_timeout(), None);
    assert_eq!(b.node.me().profile().meta(), &999_u32.to_le_bytes());
}

/// F3: rows of the largest size neither block nor starve: each of them, and every small one, is told to the limit.
#[test]
fn f3_large_items_do_not_block() {
    let mut c = config();
    c.mtu = 800;
    let (mut b, peers) = Bench::with_peers(c, 30);
    let meta = [7; 512];
    let large: Vec<Item<'_>> = peers[..5]
        .iter()
        .map(|p| {
            let detail = Detail { at: inc(1), addr: p.addr, name: "n", meta: &meta };
            Item { id: p.id, status: status(1, State::Alive), more: More::Detail(detail) }
        })
        .collect();
    for item in &large {
        b.recv_from(peers[29].addr, &frame(&peers[29], None, std::slice::from_ref(item), &[]));
    }
    for p in &peers[5..28] {
        b.gossip(&peers[29], &[accused(p.id, status(1, State::Alive), &[])]);
    }
    let peers = raised(&peers, &(0..28).collect::<Vec<_>>());
    b.run_with(ms(30_000), &peers);
    let limit = b.node.config().retransmit_limit(31);
    for p in &peers[..28] {
        assert!((limit - 3..=limit).contains(&told(&b, p.id)), "{p:?} was told {} times", told(&b, p.id));
    }
    assert_eq!(b.node.gossip_queued(), 0);
}

/// F2's core: what can never fit is refused when it is handed in; what is accepted is sent.
#[test]
fn f2_the_largest_profile_is_sent() {
    let mut c = config();
    c.mtu = swim_core::Config::MTU_MIN;
    let (mut b, peers) = Bench::with_peers(c, 3);
    assert!(Profile::new(&"x".repeat(65), b"").is_err() && Profile::new("", &[0; 513]).is_err());
    let profile = Profile::new(&"x".repeat(64), &[9; 512]).unwrap();
    b.command(Command::SetProfile(&profile));
    b.run_with(ms(1_000), &peers);
    let me = b.me();
    let said = b.sent.iter().find_map(|s| s.frame().updates().find(|i| i.id == me)?.detail().map(|d| d.meta.len()));
    assert_eq!((said, b.node.gossip_queued()), (Some(512), 0));
}

/// F5: which kinds of frames carry what. Strangers get the bare message, a join nothing but its own row, a page no news.
#[test]
fn f5_what_each_message_carries() {
    let (mut b, peers) = Bench::with_peers(config(), 10);
    let stranger = peer(500);
    let me = b.me();
    let news = |b: &mut Bench, n| b.gossip(&peers[1], &[accused(peers[0].id, status(n, State::Alive), &[])]);
    let asked = [
        Message::Ping { target: me, nonce: 1 },
        Message::Ping { target: NodeId::new(1), nonce: 2 },
        Message::PingReq { target: me, nonce: 3 },
        Message::PingReq { target: NodeId::new(1), nonce: 4 },
        Message::Pull { nonce: 5 },
    ];
    for (n, m) in asked.into_iter().enumerate() {
        news(&mut b, n as u32 + 1);
        b.clear();
        b.recv(&stranger, Some(m), &[]);
        assert_eq!(b.sent.len(), 1, "{m:?}");
        assert!(b.sent[0].frame().updates().is_empty(), "no news for strangers: {m:?}");
        b.clear();
        b.recv(&peers[2], Some(m), &[]);
        let f = b.sent[0].frame();
        let page = matches!(m, Message::Pull { .. });
        assert_eq!((f.updates().is_empty(), f.rows().is_empty()), (page, !page), "{m:?}");
    }
    b.clear();
    news(&mut b, 50);
    b.clear();
    b.command(Command::Join(&[addr(700)]));
    let f = b.sent[0].frame();
    assert!(f.updates().is_empty());
    assert_eq!(f.rows().map(|r| r.id).collect::<Vec<_>>(), [me]);
}

/// I1: to an address that is not a known member's, an answer is one datagram of at most three times the request.
#[test]
fn i1_no_amplification() {
    let (mut b, peers) = Bench::with_peers(config(), 200);
    let me = b.me();
    let mut spoofed = peers[3];
    spoofed.addr = addr(999);
    for asker in [peer(900), spoofed] {
        for m in [
            Message::Ping { target: me, nonce: 1 },
            Message::Ping { target: NodeId::new(0), nonce: 1 },
            Message::PingReq { target: me, nonce: 1 },
            Message::PingReq { target: NodeId::new(0), nonce: 1 },
            Message::Pull { nonce: 1 },
            Message::Ack { nonce: 1 },
            Message::Nack { nonce: 1 },
            Message::Page { nonce: 1, next: 9 },
        ] {
            for updates in [&[][..], &[accused(peers[0].id, status(1, State::Suspect), &[])]] {
                b.clear();
                let bytes = frame(&asker, Some(m), updates, &[]);
                b.recv_from(asker.addr, &bytes);
                let back: Vec<_> = b.sent.iter().filter(|s| s.to == asker.addr).collect();
                assert!(back.len() <= 1, "{m:?}: {back:?}");
                assert!(back.iter().all(|s| s.bytes.len() <= 3 * bytes.len()), "{m:?}");
            }
        }
    }
    // A known member at its own address gets a whole page.
    b.clear();
    b.recv(&peers[0], Some(Message::Pull { nonce: 1 }), &[]);
    let page = b.sent.iter().find(|s| matches!(s.message(), Some(Message::Page { .. })));
    assert!(page.is_some_and(|p| p.bytes.len() > 1_300));
}

/// The rows of a table come page by page, each once, whatever its size.
#[test]
fn pages_cover_the_table() {
    let (mut b, peers) = Bench::with_peers(config(), 300);
    b.gossip(&peers[1], &[accused(peers[7].id, status(0, State::Dead), &[])]);
    let (mut from, mut seen) = (0, HashMap::new());
    for nonce in 0.. {
        b.clear();
        let all = [KeyRange { from, to: PAGE_END }];
        let ask = written(&peers[0], |w| assert!(w.pull(nonce, all.into_iter())));
        b.recv_from(peers[0].addr, &ask);
        let page = &b.sent[0];
        let Some(Message::Page { nonce: n, next }) = page.message() else { panic!("{page:?}") };
        assert_eq!(n, nonce);
        for r in page.frame().rows() {
            assert!(r.detail().is_some());
            assert!(seen.insert(r.id, r.status).is_none(), "once");
        }
        if next == PAGE_END {
            break;
        }
        assert!(next > from);
        from = next;
    }
    assert_eq!(seen.len(), 299, "every live member but the asker itself, this node included");
    assert!(!seen.contains_key(&peers[7].id), "a death is told to those who believe the dead to live");
}

/// B5: a seed list may name this node by an address that is not the one it tells: it learns so from its own first datagram,
/// and never sends there again. Another seed behind it is asked all the same.
#[test]
fn b5_an_alias_of_its_own_among_the_seeds() {
    let (mut b, alias, other) = (Bench::new(config()), addr(77), addr(78));
    b.command(Command::Join(&[alias, other]));
    let (mut to_alias, mut to_other) = (0, 0);
    for _ in 0..200 {
        for s in std::mem::take(&mut b.sent) {
            to_other += usize::from(s.to == other);
            if s.to == alias {
                to_alias += 1;
                b.recv_from(alias, &s.bytes);
            }
        }
        b.run(ms(10_000));
    }
    assert_eq!(to_alias, 1, "datagrams to itself");
    assert!(to_other > 20 && b.node.is_own_addr(alias) && !b.node.is_own_addr(other));
    // Alone on the list, it leaves nothing to do.
    let mut b = Bench::new(config());
    b.command(Command::Join(&[alias]));
    let sent = std::mem::take(&mut b.sent);
    b.recv_from(alias, &sent[0].bytes);
    b.run(ms(2_000_000));
    assert_eq!((b.sent.len(), b.node.poll_timeout()), (0, None));
}

/// B5: a seed list may name this node; it never writes to itself. (The bench asserts that of every datagram.)
#[test]
fn b5_own_address_among_the_seeds() {
    let mut b = Bench::new(config());
    b.command(Command::Join(&[addr(0), addr(1), addr(1), "0.0.0.0:1".parse().unwrap(), "10.0.0.1:0".parse().unwrap()]));
    assert_eq!(b.sent.iter().map(|s| s.to).collect::<Vec<_>>(), [addr(1)]);
    let mut only_me = Bench::new(config());
    only_me.command(Command::Join(&[addr(0)]));
    only_me.run(ms(100_000));
    assert!(only_me.sent.is_empty());
}

/// Seeds that do not answer are asked again and again, ever more slowly, without end.
#[test]
fn joining_backs_off_without_end() {
    let mut b = Bench::new(config());
    b.command(Command::Join(&[addr(1)]));
    b.run(ms(3_600_000));
    let gaps: Vec<u64> = b.sent.windows(2).map(|w| w[1].at.micros_since(w[0].at) / 1_000).collect();
    assert!((750..=1_000).contains(&gaps[0]), "{gaps:?}");
    assert!(gaps[8..].iter().all(|g| (45_000..=60_000).contains(g)), "{gaps:?}");
    assert!((60..90).contains(&b.sent.len()), "{} in an hour", b.sent.len());
    let Some(Message::Pull { nonce, .. }) = b.sent.last().unwrap().message() else { panic!() };
    let seed = peer(1);
    b.recv_from(seed.addr, &frame(&seed, Some(Message::Page { nonce, next: PAGE_END }), &[], &[row(&seed)]));
    assert!(b.events.contains(&Event::Joined { members: 2 }));
}

/// A node that is not known by those whom it knows introduces itself when it is asked, and asks strangers in turn.
#[test]
fn strangers_introduce_themselves() {
    let (mut b, peers) = Bench::with_peers(config(), 3);
    let (me, stranger) = (b.me(), peer(40));
    b.recv(&stranger, Some(Message::Ping { target: me, nonce: 1 }), &[]);
    let ack = &b.sent[0];
    assert_eq!((ack.message(), ack.frame().asks_who), (Some(Message::Ack { nonce: 1 }), true));
    let hello = frame(&stranger, None, &[], &[row(&stranger)]);
    let unproven = b.node.stats().introductions_unproven;
    b.recv_from(stranger.addr, &hello);
    assert!(b.node.member(stranger.id).is_none(), "whoever can send can say that");
    assert_eq!(b.node.stats().introductions_unproven, unproven + 1);
    let cookie = b.sent[0].frame().cookie.expect("the question has what is to come back");
    b.recv_from(stranger.addr, &proven(hello, cookie));
    assert_eq!(b.events, [Event::MemberUp { id: stranger.id, incarnation: stranger.incarnation }]);
    // It does not introduce others.
    b.recv_from(addr(41), &frame(&peer(41), None, &[], &[row(&peer(42))]));
    assert!(b.node.member(peer(42).id).is_none());
    // Asked by a member, this node introduces itself; asked by a stranger, it does not.
    let asks = |p: &Peer| {
        let mut buf = [0; 100];
        let mut w = swim_core::wire::Writer::new(&mut buf, p.id, p.incarnation, 0).unwrap();
        assert!(w.ask_who(None));
        let n = w.written();
        buf[..n].to_vec()
    };
    b.clear();
    b.recv_from(peers[0].addr, &asks(&peers[0]));
    let rows: Vec<NodeId> = b.sent[0].frame().rows().map(|r| r.id).collect();
    assert_eq!((b.sent[0].to, rows), (peers[0].addr, vec![me]));
    for p in [peer(60), Peer { addr: addr(61), ..peers[1] }] {
        b.clear();
        b.recv_from(p.addr, &asks(&p));
        assert!(b.sent.iter().all(|s| s.frame().rows().is_empty()));
    }
}

/// A page that nobody asked for, or a former attempt's, is not taken.
#[test]
fn pages_are_bound_to_their_pull() {
    let mut b = Bench::new(config());
    let (seed, p) = (peer(1), peer(2));
    let page = |nonce| frame(&seed, Some(Message::Page { nonce, next: PAGE_END }), &[], &[row(&seed), row(&p)]);
    b.recv_from(seed.addr, &page(0));
    b.command(Command::Join(&[seed.addr]));
    assert!(b.sent[0].frame().asks_who, "who sends me pages?");
    let Some(Message::Pull { nonce, .. }) = b.sent[1].message() else { panic!() };
    b.recv_from(seed.addr, &page(nonce ^ 1));
    assert_eq!((b.node.live_count(), b.node.stats().claims_from_strangers), (1, 4));
    b.recv_from(seed.addr, &page(nonce));
    assert_eq!(b.node.live_count(), 3);
}

/// A view that keeps disagreeing with every peer's is compared with a peer's, ever more rarely when that changes nothing.
#[test]
fn a_lasting_disagreement_starts_a_sync() {
    let (mut b, peers) = Bench::with_peers(config(), 3);
    // A disagreement without end.
    b.agree = false;
    b.run_with(ms(6_000), &peers);
    let asks =
        |s: &Sent| if let Some(Message::Compare { nonce, .. }) = s.message() { Some((s.to, nonce)) } else { None };
    let (to, nonce) = b.sent.iter().rev().find_map(asks).expect("the root is compared");
    assert_eq!(b.diverged, 1);
    let from = *peers.iter().find(|p| p.addr == to).unwrap();
    // A page is no answer to a comparison.
    let page = frame(&from, Some(Message::Page { nonce, next: PAGE_END }), &[], &[row(&peer(50))]);
    b.recv_from(from.addr, &page);
    assert!(b.node.member(peer(50).id).is_none());
    b.clear();
    b.run_with(ms(600_000), &peers);
    let syncs = b.node.stats().syncs;
    // Twice the patience, and so on up to a minute; each wait loses up to half of itself by lot.
    assert!((10..=24).contains(&syncs), "{syncs} in ten minutes");
    assert_eq!(b.diverged, 1, "told once");
}

/// A newcomer beyond the bound is refused and counted; a tombstone makes room when it expires.
#[test]
fn members_are_bounded() {
    let mut c = config();
    (c.members_max, c.members_reserved) = (5, 0);
    let mut b = Bench::new(c);
    for n in 1..=10 {
        b.admit(&peer(n));
    }
    assert_eq!((b.node.live_count(), b.node.stats().members_refused), (5, 6));
    b.gossip(&peer(1), &[accused(peer(1).id, status(0, State::Left), &[])]);
    let rest: Vec<Peer> = (2..5).map(peer).collect();
    b.run_with(ms(601_000), &rest);
    assert!(b.events.contains(&Event::MemberForgotten { id: peer(1).id }));
    assert!(b.node.member(peer(1).id).is_none());
    b.admit(&peer(10));
    assert_eq!(b.state(&peer(10)), Some(State::Alive));
}

/// Address and profile are a register of their own: a suspicion that overtakes them does not hide them.
#[test]
fn details_are_not_hidden_by_a_status() {
    let (mut b, peers) = Bench::with_peers(config(), 3);
    let p = peers[0];
    b.gossip(&peers[1], &[accused(p.id, status(1, State::Suspect), &[])]);
    let detail = Detail { at: inc(1), addr: addr(77), name: "new", meta: b"" };
    let late = Item { id: p.id, status: Status::alive(inc(1)), more: More::Detail(detail) };
    b.clear();
    b.gossip(&peers[1], &[late]);
    assert_eq!(b.events, [Event::MemberMoved { id: p.id, from: p.addr }, Event::MemberUpdated { id: p.id }]);
    let m = b.node.member(p.id).unwrap();
    assert_eq!((m.addr(), m.name(), m.state()), (addr(77), "new", State::Suspect));
    // An older detail changes nothing.
    let old = Detail { at: inc(0), addr: p.addr, name: "old", meta: b"" };
    b.gossip(&peers[1], &[Item { id: p.id, status: status(1, State::Suspect), more: More::Detail(old) }]);
    assert_eq!(b.node.member(p.id).unwrap().name(), "new");
}

/// A seed that answers in pages without end, or without getting on, is not asked at the speed of the network.
#[test]
fn a_faulty_seed_does_not_keep_a_joiner_busy() {
    for next in [0, 7] {
        let mut b = Bench::new(config());
        b.command(Command::Join(&[addr(1)]));
        let mut asked = 0;
        loop {
            let pull = |s: &Sent| match s.message() {
                Some(Message::Pull { nonce, .. }) => Some(nonce),
                _ => None,
            };
            let Some(nonce) = b.sent.drain(..).filter_map(|s| pull(&s)).next_back() else { break };
            asked += 1;
            assert!(asked < 10, "asked {asked} times while no time passes");
            b.recv(&peer(1), Some(Message::Page { nonce, next }), &[]);
        }
        // It is asked again, when the sync with it is given up.
        b.run(ms(30_000));
        assert!(b.sent.iter().any(|s| matches!(s.message(), Some(Message::Pull { .. }))));
    }
}

/// Where an answer may not be long enough for one row, the puller asks again with padding, and gets on.
#[test]
fn pulls_are_padded_when_rows_do_not_fit() {
    let meta = [5; 512];
    let (mut b, _) = Bench::with_peers(config(), 0);
    for n in 1..=8 {
        let p = peer(n);
        let more = More::Detail(Detail { at: inc(0), addr: p.addr, name: "long", meta: &meta });
        let large = Item { id: p.id, status: Status::alive(inc(0)), more };
        b.introduce(p.addr, &p, &large);
    }
    let mut joiner = Bench::new(config());
    // The joiner's datagrams come from an address that is not the one it advertises.
    let source = addr(900);
    let me = swim_core::Identity {
        id: NodeId::from_name("joiner"),
        addr: addr(901),
        epoch: EPOCH,
        profile: Profile::new("joiner", b"").unwrap(),
    };
    joiner.node = swim_core::Node::new(me, config(), 9, joiner.now).unwrap();
    joiner.command(Command::Join(&[addr(0)]));
    let mut exchanges = 0;
    while let Some(ask) = joiner.sent.iter().position(|s| s.to == addr(0)).map(|i| joiner.sent.remove(i)) {
        b.clear();
        b.recv_from(source, &ask.bytes);
        let answers: Vec<Sent> = b.sent.iter().filter(|s| s.to == source).cloned().collect();
        assert!(answers.len() <= 1 && answers.iter().all(|s| s.bytes.len() <= 3 * ask.bytes.len()));
        for s in answers {
            exchanges += 1;
            joiner.recv_from(addr(0), &s.bytes);
        }
        assert!(exchanges < 20);
    }
    assert_eq!(joiner.node.live_count(), 10);
    assert!(joiner.events.iter().any(|e| matches!(e, Event::Joined { members: 10 })));
}

/// A restart within the resolution of its epoch, at another address: its peers tell it what they hold, and it takes the
/// next epoch.
#[test]
fn a_restart_in_the_same_epoch_is_told_apart() {
    let (mut b, peers) = Bench::with_peers(config(), 3);
    let moved = Peer { addr: addr(50), ..peers[0] };
    b.admit(&moved);
    let page = b.sent.iter().find(|s| s.to == moved.addr).expect("an answer");
    let told = page.frame().updates().find(|i| i.id == moved.id).and_then(|i| i.detail()).expect("what is known of it");
    assert_eq!((told.addr, told.at), (peers[0].addr, inc(0)));
    // The other side: hearing its own row with another address, a node takes the next epoch, once per period.
    let me = b.me();
    let mine = Peer { id: me, addr: addr(77), incarnation: inc(0) };
    for _ in 0..10 {
        b.gossip(&peers[1], &[row(&mine)]);
    }
    assert_eq!(b.node.me().incarnation(), swim_core::Incarnation::new(EPOCH + 1, 0));
    assert_eq!(b.node.me().addr(), addr(0));
}
