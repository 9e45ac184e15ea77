//! Laws over arbitrary inputs: one table whatever the order, no panic whatever the bytes, every member probed in time.

use std::collections::{BTreeMap, HashMap};

use crate::util::*;
use quickcheck::{Arbitrary, Gen, QuickCheck};
use swim_core::wire::{CHILDREN, Detail, Item, KeyRange, Message, More, PAGE_END};
use swim_core::{Command, Incarnation, Input, Instant, NodeId, Profile, State, Status};

/// What somebody says about one of six members.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Said {
    who: u32,
    status: Status,
    detail: Option<(u32, u8)>,
    accuser: Option<u32>,
}

impl Said {
    fn draw(g: &mut Gen, epochs: &[u32]) -> Self {
        let inc = Incarnation::new(*g.choose(epochs).unwrap(), u32::arbitrary(g) % 8);
        let state = *g.choose(&[State::Alive, State::Suspect, State::Dead, State::Left]).unwrap();
        let detail = (state == State::Alive && bool::arbitrary(g))
            // What a member writes at one incarnation is one thing: address and metadata follow from it.
            .then(|| (50 + inc.refutations(), (inc.epoch() + inc.refutations()) as u8));
        let accuser = (state == State::Suspect && bool::arbitrary(g)).then(|| 1 + u32::arbitrary(g) % 6);
        Self { who: 1 + u32::arbitrary(g) % 6, status: Status::new(inc, state), detail, accuser }
    }

    fn tell(&self, b: &mut Bench, teller: &Peer) {
        let meta = [self.detail.map_or(0, |d| d.1)];
        let accusers = [peer(self.accuser.unwrap_or(0)).id];
        let more = match (self.detail, self.accuser) {
            (Some((a, _)), _) => {
                let detail = Detail { at: self.status.incarnation(), addr: addr(a), name: "n", meta: &meta };
                More::Detail(detail)
            }
            (None, Some(_)) => accused(NodeId::new(0), self.status, &accusers).more,
            (None, None) => More::Status,
        };
        b.gossip(teller, &[Item { id: peer(self.who).id, status: self.status, more }]);
    }
}

#[derive(Clone, Debug)]
struct OneEpoch(Said);
#[derive(Clone, Debug)]
struct AnyEpoch(Said);

impl Arbitrary for OneEpoch {
    fn arbitrary(g: &mut Gen) -> Self {
        Self(Said::draw(g, &[EPOCH]))
    }
}

impl Arbitrary for AnyEpoch {
    fn arbitrary(g: &mut Gen) -> Self {
        Self(Said::draw(g, &[EPOCH - 1, EPOCH, EPOCH + 1]))
    }
}

type Table = BTreeMap<NodeId, (Status, Incarnation, std::net::SocketAddr, Vec<u8>)>;

fn table(b: &Bench) -> Table {
    let row = |m: swim_core::Member<'_>| (m.id(), (m.status(), m.detail_at(), m.addr(), m.profile().meta().to_vec()));
    b.node.members().filter(|m| m.id() != b.me()).map(row).collect()
}

/// A bench whose teller is a seventh member, of whom nobody says anything.
fn told() -> (Bench, Peer) {
    let (b, peers) = Bench::with_peers(config(), 7);
    (b, peers[6])
}

fn shuffled<T: Clone>(items: &[T], order: &[usize]) -> Vec<T> {
    let mut items = items.to_vec();
    for (i, o) in order.iter().enumerate().take(items.len()) {
        let j = o % items.len();
        items.swap(i, j);
    }
    items
}

/// Any order and any multiplicity of the same updates gives one table, and its statuses are the maxima.
#[test]
fn order_and_multiplicity_do_not_matter() {
    fn law(said: Vec<OneEpoch>, order: Vec<usize>, again: Vec<usize>) -> bool {
        let said: Vec<Said> = said.into_iter().map(|s| s.0).collect();
        let mut other = shuffled(&said, &order);
        if !said.is_empty() {
            other.extend(again.iter().map(|i| said[i % said.len()]));
        }
        let (mut a, t) = told();
        let (mut b, _) = told();
        said.iter().for_each(|s| s.tell(&mut a, &t));
        other.iter().for_each(|s| s.tell(&mut b, &t));
        let maxima = (1..=6).all(|n| {
            // Nobody accuses itself.
            let counts = |s: &&Said| s.who == n && s.accuser != Some(n);
            let best = said.iter().filter(counts).map(|s| s.status).max();
            let want = best.map_or(status(0, State::Alive), |s| s.max(status(0, State::Alive)));
            table(&a)[&peer(n).id].0 == want
        });
        // The register of details lags behind a status that came first, until the detail is told again.
        said.iter().for_each(|s| s.tell(&mut a, &t));
        other.iter().for_each(|s| s.tell(&mut b, &t));
        maxima && table(&a) == table(&b) && a.node.view_hash() == b.node.view_hash()
    }
    QuickCheck::new().tests(300).quickcheck(law as fn(Vec<OneEpoch>, Vec<usize>, Vec<usize>) -> bool);
}

/// Members whose later lives were spoken of, and that were asked, are in the latest of these lives.
fn answer_as_said(b: &mut Bench, said: &[Said]) {
    for s in std::mem::take(&mut b.sent) {
        let Some(Message::Ping { target, nonce }) = s.message() else { continue };
        let of_it = said.iter().filter(|s| peer(s.who).id == target && s.status.state() == State::Alive);
        let epoch = of_it.map(|s| s.status.incarnation().epoch()).max().expect("only who was spoken of is asked");
        let life = Peer { id: target, addr: s.to, incarnation: Incarnation::new(epoch, 0) };
        b.recv(&life, Some(Message::Ack { nonce }), &[]);
    }
}

/// Over epochs an accusation may be refused until its epoch is known. Told until nothing changes, as gossip and sync do,
/// every order ends in the same table.
#[test]
fn every_order_has_the_same_end() {
    fn law(said: Vec<AnyEpoch>, order: Vec<usize>) -> bool {
        let said: Vec<Said> = said.into_iter().map(|s| s.0).collect();
        let settle = |said: &[Said]| {
            let (mut b, t) = told();
            loop {
                let before = table(&b);
                said.iter().for_each(|s| s.tell(&mut b, &t));
                answer_as_said(&mut b, said);
                if table(&b) == before {
                    return (before, b.node.view_hash());
                }
            }
        };
        settle(&said) == settle(&shuffled(&said, &order))
    }
    QuickCheck::new().tests(300).quickcheck(law as fn(Vec<AnyEpoch>, Vec<usize>) -> bool);
}

/// One input of any kind, from anybody, at any time.
#[derive(Clone, Debug)]
enum Anything {
    Bytes(u32, Vec<u8>),
    Frame(u32, u8, u32, Vec<AnyEpoch>, bool),
    Spoilt(u32, u8, Vec<AnyEpoch>, u16, u8),
    Wait(u32),
    Timeout,
    SendFailed(u32),
    Join(u32),
    Leave,
    SetMeta(u8),
}

impl Arbitrary for Anything {
    fn arbitrary(g: &mut Gen) -> Self {
        let who = u32::arbitrary(g) % 12;
        match u8::arbitrary(g) % 24 {
            0 => Self::Bytes(who, Vec::arbitrary(g)),
            1..=10 => Self::Frame(who, u8::arbitrary(g), u32::arbitrary(g), Vec::arbitrary(g), bool::arbitrary(g)),
            11 | 12 => Self::Spoilt(who, u8::arbitrary(g), Vec::arbitrary(g), u16::arbitrary(g), u8::arbitrary(g)),
            13..=16 => Self::Wait(u32::arbitrary(g) % 3_000_000),
            17..=20 => Self::Timeout,
            21 => Self::SendFailed(who),
            22 => Self::Join(who),
            23 if u8::arbitrary(g) < 8 => Self::Leave,
            _ => Self::SetMeta(u8::arbitrary(g)),
        }
    }
}

fn any_frame(b: &Bench, who: u32, kind: u8, nonce: u32, said: &[AnyEpoch], about_me: bool) -> Vec<u8> {
    // Half of the nonces are ones that the node has used, so that answers are answers.
    let used = b.sent.iter().rev().find_map(|s| match s.message()? {
        Message::Ping { nonce, .. } | Message::PingReq { nonce, .. } => Some(nonce),
        Message::Pull { nonce } | Message::Compare { nonce, .. } => Some(nonce),
        _ => None,
    });
    let nonce = if nonce % 2 == 0 { used.unwrap_or(nonce) } else { nonce };
    let target = if nonce % 3 == 0 { b.me() } else { peer(nonce % 12).id };
    let message = match kind % 13 {
        0 => Message::Ping { target, nonce },
        1 => Message::Ack { nonce },
        2 => Message::PingReq { target, nonce },
        3 => Message::RelayedAck { nonce, incarnation: inc(nonce % 4) },
        4 => Message::Nack { nonce },
        5 => Message::NotMe { nonce },
        6 | 7 => Message::Page { nonce, next: (nonce % 5) << 28 },
        8 => Message::Push,
        _ => return any_sync(who, kind % 13, nonce),
    };
    let items: Vec<Item<'_>> = said
        .iter()
        .map(|s| Item { id: if about_me { b.me() } else { peer(s.0.who).id }, status: s.0.status, more: More::Status })
        .collect();
    let rows: Vec<Item<'_>> = (0..kind % 5).map(|n| row(&peer(u32::from(n) + who))).collect();
    frame(&peer(who), (kind % 16 != 15).then_some(message), &items, &rows)
}

/// Questions and answers of syncs with whatever in them.
fn any_sync(who: u32, kind: u8, nonce: u32) -> Vec<u8> {
    let ids = |n: u32| (0..n).map(move |i| peer(nonce.wrapping_add(i) % 20).id);
    written(&peer(who), |w| {
        match kind {
            9 => {
                let from = nonce % (PAGE_END / 2);
                let ranges = [KeyRange { from, to: from + 1 + nonce % 7 }, KeyRange { from: from + 9, to: PAGE_END }];
                w.pull(nonce, ranges.into_iter().take(1 + nonce as usize % 2))
            }
            10 | 11 => {
                let level = (nonce % 5) as u8;
                let prefixes = (0..nonce % 4 + 1).map(|i| (i << (6 * level)) / 4);
                let nodes: BTreeMap<_, _> = prefixes.map(|p| (p, [nonce; CHILDREN])).collect();
                w.compare(nonce, level, nodes.into_iter())
            }
            _ => {
                let which = |i| u64::from(nonce).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(i);
                w.differ(nonce, (0..nonce / 2 % 9 + 1).map(which))
            }
        };
        w.held(ids(nonce % 30).map(|id| (id, nonce, nonce)));
        w.wanted(ids(nonce / 7 % 30));
    })
}

/// Whatever comes, in whatever order: no panic, no index out of step (the node checks them itself after every input),
/// deadlines in the future, nothing above the mtu, nothing to itself, every datagram counted once.
#[test]
fn arbitrary_inputs() {
    fn law(inputs: Vec<Anything>) -> bool {
        let mut c = config();
        (c.members_max, c.relays_max, c.suspicions_max, c.mtu) = (10, 3, 2, 800);
        c.members_reserved = 0;
        let mut b = Bench::new(c);
        b.admit(&peer(1));
        b.admit(&peer(2));
        for input in inputs {
            match input {
                Anything::Bytes(who, bytes) => b.recv_from(addr(who), &bytes),
                Anything::Frame(who, kind, nonce, said, about_me) => {
                    let bytes = any_frame(&b, who, kind, nonce, &said, about_me);
                    b.recv_from(addr(who), &bytes);
                }
                Anything::Spoilt(who, kind, said, at, xor) => {
                    let mut bytes = any_frame(&b, who, kind, 4, &said, false);
                    let at = usize::from(at) % bytes.len();
                    bytes[at] ^= xor;
                    b.recv_from(addr(who), &bytes);
                }
                Anything::Wait(micros) => b.now = b.now.plus_micros(micros.into()),
                Anything::Timeout => b.handle(Input::Timeout),
                Anything::SendFailed(who) => b.handle(Input::SendFailed { to: addr(who) }),
                Anything::Join(who) => b.command(Command::Join(&[addr(who), addr(who + 1)])),
                Anything::Leave => b.command(Command::Leave),
                Anything::SetMeta(m) => b.command(Command::SetProfile(&Profile::new("me", &[m]).unwrap())),
            }
            let s = b.node.stats();
            assert_eq!(s.datagrams_received, s.datagrams_accepted + s.dropped());
            assert!(b.sent.iter().all(|s| s.frame().sender == b.node.me().id()));
            assert!(b.node.members().len() <= 10);
        }
        let bytes = b.node.snapshot();
        swim_core::Node::restore(&bytes).unwrap().snapshot() == bytes
    }
    QuickCheck::new().tests(600).quickcheck(law as fn(Vec<Anything>) -> bool);
}

/// C15: under any churn, every member that stays is probed at least once in 2N−1 periods, N being the most there were.
#[test]
fn c15_probed_within_2n_minus_1_periods() {
    fn law(churn: Vec<(u8, bool)>, seed: u64) -> bool {
        let mut b = Bench::seeded(config(), seed);
        let stay: Vec<Peer> = (1..=5).map(peer).collect();
        let guests: Vec<Peer> = (10..26).map(peer).collect();
        stay.iter().for_each(|p| b.admit(p));
        let everyone: Vec<Peer> = [&stay[..], &guests].concat();
        let mut epochs: HashMap<NodeId, u32> = HashMap::new();
        let mut last: HashMap<NodeId, u64> = HashMap::new();
        let n_max = 5 + 16;
        for (period, (guest, comes)) in churn.iter().cycle().take(120).enumerate() {
            // One guest comes or goes in every period.
            let g = guests[usize::from(*guest) % guests.len()];
            let epoch = epochs.entry(g.id).or_insert(EPOCH);
            if *comes {
                *epoch += 1;
                b.admit(&Peer { incarnation: Incarnation::new(*epoch, 0), ..g });
            } else if b.state(&g) == Some(State::Alive) {
                let at = Status::new(Incarnation::new(*epoch, 0), State::Left);
                b.gossip(&stay[0], &[accused(g.id, at, &[])]);
            }
            let before = b.node.stats().probes;
            while b.node.stats().probes == before {
                b.sent.clear();
                b.step(Instant::NEVER);
            }
            let pings: Vec<_> = b.sent.iter().filter_map(|s| s.message()).collect();
            for m in pings {
                if let Message::Ping { target, nonce } = m {
                    last.insert(target, period as u64);
                    let mut p = *everyone.iter().find(|p| p.id == target).unwrap();
                    p.incarnation = b.node.member(target).unwrap().incarnation();
                    b.recv(&p, Some(Message::Ack { nonce }), &[]);
                }
            }
            for p in &stay {
                let since = period as u64 + 1 - last.get(&p.id).map_or(0, |l| l + 1);
                assert!(since < 2 * n_max, "{p:?} was not probed for {since} periods");
            }
        }
        true
    }
    QuickCheck::new().tests(60).quickcheck(law as fn(Vec<(u8, bool)>, u64) -> bool);
}
