//! Two nodes whose members' states differ: what it costs to make them one.

use std::collections::VecDeque;

use crate::util::{Bench, Peer, addr, cookie_in, frame, inc, ms, peer, proven, row, written};
use swim_core::wire::{Change, Detail, Frame, Item, Message, More, StateEntry, StateHead, Summary, Writer};
use swim_core::{Command, Identity, Input, Instant, Node, NodeId, Profile, Status};

/// IP and UDP headers, and the plain envelope.
const AROUND: usize = 28 + 10;

fn identity(n: u32) -> Identity {
    let profile = Profile::new(if n == 0 { "a" } else { "b" }, b"").unwrap();
    Identity { id: NodeId::new(u64::from(n) + 1), addr: addr(60_000 + n), epoch: crate::util::EPOCH, profile }
}

fn as_peer(n: usize) -> Peer {
    let me = identity(n as u32);
    Peer { id: me.id, addr: me.addr, incarnation: inc(0) }
}

/// Two nodes that know the same members, and hear each other's syncs only.
struct Pair {
    now: Instant,
    nodes: [Node; 2],
    datagrams: usize,
    bytes: usize,
}

impl Pair {
    fn new(members: u32) -> Self {
        let mut config = crate::util::config();
        // Nobody is probed here, so nobody may be found dead meanwhile.
        (config.suspicion_alpha_percent, config.suspicion_beta) = (100_000, 1_000);
        config.members_reserved = members as usize;
        let now = Instant::from_millis(1_000);
        let node = |n: u32| Node::new(identity(n), config.clone(), u64::from(n) + 7, now).unwrap();
        let mut pair = Self { now, nodes: [node(0), node(1)], datagrams: 0, bytes: 0 };
        let rows: Vec<Item<'_>> = (1..=members)
            .map(|n| {
                let detail = Detail { at: inc(0), addr: addr(n), name: "member-123456", meta: b"zone-a" };
                Item { id: peer(n).id, status: Status::alive(inc(0)), more: More::Detail(detail) }
            })
            .collect();
        for to in 0..2 {
            let from = as_peer(1 - to);
            let introduction = frame(&from, None, &[], &[row(&from)]);
            let asked = pair.give(to, &introduction);
            let cookie = asked.iter().find_map(|sent| cookie_in(sent)).expect("a stranger is asked for a proof");
            pair.give(to, &proven(introduction, cookie));
            for chunk in rows.chunks(500) {
                pair.give(
                    to,
                    &written(&from, |w| {
                        assert!(w.message(Message::Push) && w.open_rows() && chunk.iter().all(|r| w.item(r)));
                        w.close_section();
                    }),
                );
            }
        }
        pair
    }

    fn give(&mut self, to: usize, bytes: &[u8]) -> Vec<Vec<u8>> {
        let from = as_peer(1 - to).addr;
        self.nodes[to].handle(self.now, Input::Datagram { from, bytes });
        self.drain(to)
    }

    /// What it has to say to the other.
    fn drain(&mut self, n: usize) -> Vec<Vec<u8>> {
        let (mut sent, mut buf) = (Vec::new(), [0; 1_400]);
        while let Some(t) = self.nodes[n].poll_transmit(&mut buf) {
            if t.to == as_peer(1 - n).addr {
                sent.push(buf[..t.len].to_vec());
            }
        }
        while self.nodes[n].poll_event().is_some() {}
        sent
    }

    /// Members `of` have written their key for the `version`th time, as this node has heard some time ago: as an answer, which
    /// is no news.
    fn hear(&mut self, to: usize, of: impl Iterator<Item = u32>, version: u32) {
        let all: Vec<u32> = of.collect();
        for chunk in all.chunks(500) {
            let told = written(&as_peer(1 - to), |w| {
                assert!(w.message(Message::Delta { nonce: 0 }) && w.open_states());
                for &n in chunk {
                    let head =
                        StateHead { id: peer(n).id, epoch: crate::util::EPOCH, version, gc: 0, from: version - 1 };
                    let change = Change::Put { value: &[version as u8; 24], ttl_ms: None };
                    let entry = StateEntry { version, key: "load-avg", change };
                    assert_eq!(w.state(&head, usize::MAX, [entry].into_iter()), Some(version));
                }
                w.close_section();
            });
            self.give(to, &told);
        }
    }

    /// Delivers what syncs send, there and back, until nothing is under way; gossip and probes are not let through.
    fn exchange(&mut self, from: usize, sent: Vec<Vec<u8>>) {
        let mut under_way: VecDeque<(usize, Vec<u8>)> = VecDeque::new();
        let is_sync = |bytes: &[u8]| {
            let frame = Frame::parse(bytes).unwrap();
            match frame.message {
                None => frame.summaries().next().is_some(),
                Some(m) => !matches!(m, Message::Ping { .. } | Message::Ack { .. } | Message::PingReq { .. }),
            }
        };
        under_way.extend(sent.into_iter().filter(|b| is_sync(b)).map(|b| (1 - from, b)));
        while let Some((to, bytes)) = under_way.pop_front() {
            (self.datagrams, self.bytes) = (self.datagrams + 1, self.bytes + bytes.len() + AROUND);
            let back = self.give(to, &bytes);
            under_way.extend(back.into_iter().filter(|b| is_sync(b)).map(|b| (1 - to, b)));
        }
    }

    fn agree(&self) -> bool {
        self.nodes[0].app_hash() == self.nodes[1].app_hash()
    }

    /// Lets node 0 alone hear the other, by frames with nothing in them, until it starts a sync, and what follows from it.
    fn sync(&mut self) {
        let end = self.now + ms(10_000);
        let mut next_word = self.now;
        while self.now < end && !self.agree() {
            let due = self.nodes[0].poll_timeout().unwrap_or(Instant::NEVER);
            self.now = due.min(next_word).min(end);
            let sent = if self.now == next_word {
                next_word = self.now + ms(100);
                let (mut buf, other) = ([0; 64], &self.nodes[1]);
                let me = other.me();
                let mut w = Writer::new(&mut buf, me.id(), me.incarnation(), other.view_hash()).unwrap();
                assert!(w.app_hash(other.app_hash()));
                let len = w.written();
                self.give(0, &buf[..len])
            } else {
                self.nodes[0].handle(self.now, Input::Timeout);
                self.drain(0)
            };
            self.exchange(0, sent);
        }
    }
}

/// The cost of a sync follows the difference, not the number or size of the states. Bytes of both directions, all headers.
#[test]
fn cost_follows_the_difference() {
    // Unoptimised, where a node compares every index with what it stands for, a fifth.
    let n = if cfg!(debug_assertions) { 2_000 } else { 10_000 };
    println!("     N  differing     bytes  per state  datagrams");
    for d in [0, 1, 10, 100, 1_000] {
        let mut pair = Pair::new(n);
        (0..2).for_each(|to| pair.hear(to, 1..=n, 1));
        assert!(pair.agree() && pair.nodes[0].view_hash() == pair.nodes[1].view_hash());
        // Half of what differs is newer here, and half there.
        (0..2).for_each(|to| pair.hear(to as usize, (1..=d).filter(|i| i % 2 == to).map(|i| i * (n / d)), 2));
        assert_eq!(pair.agree(), d == 0);
        pair.sync();
        assert!(pair.agree(), "{d}");
        println!("{n:6}  {d:9}  {:8}  {:9}  {:9}", pair.bytes, pair.bytes / d.max(1) as usize, pair.datagrams);
        assert!(pair.bytes <= if d == 0 { 0 } else { 3_000 + 500 * d as usize }, "{d}: {} bytes", pair.bytes);
    }
}

/// Who shows a node that it lacks something of that node's own is told how far it is: perhaps nobody else has it.
#[test]
fn whoever_lacks_my_own_is_told() {
    let (mut b, peers) = Bench::with_peers(crate::util::config(), 3);
    b.command(Command::Put { key: "k", value: b"1", ttl: None });
    b.command(Command::Broadcast { topic: "t", payload: b"p" });
    b.run_with(ms(20_000), &peers);
    b.clear();
    let lacks = Summary { id: b.me(), epoch: crate::util::EPOCH, version: 0, last: 0, floor: 0 };
    let frame = written(&peers[0], |w| assert!(w.summaries([lacks].into_iter())));
    b.recv_from(peers[0].addr, &frame);
    let told: Vec<Summary> = b
        .sent
        .iter()
        .filter(|s| s.to == peers[0].addr)
        .flat_map(|s| s.frame().summaries().collect::<Vec<_>>())
        .collect();
    assert_eq!(told, [Summary { version: 1, last: 1, ..lacks }]);
    // Who is ahead is not asked for it, and not told anything.
    b.clear();
    let ahead = Summary { version: 1, last: 1, ..lacks };
    let frame = written(&peers[0], |w| assert!(w.summaries([ahead].into_iter())));
    b.recv_from(peers[0].addr, &frame);
    assert!(b.sent.is_empty() && b.node.stats().digests_sent == 0);
}
