//! Two tables that differ: what it costs to make them one, and what may go wrong on the way.

mod util;

use std::collections::VecDeque;

use swim_core::wire::{Detail, Item, Message, More};
use swim_core::{Config, Identity, Input, Instant, Node, NodeId, Profile, State, Status, Transmit};
use util::{Peer, addr, cookie_in, inc, ms, peer, proven, row, written};

/// IP and UDP headers, and the plain envelope.
const AROUND: usize = 28 + 10;

/// Two nodes that hear nobody but each other; the test decides what is lost.
struct Pair {
    now: Instant,
    nodes: [Node; 2],
    /// Of syncs alone: datagrams, and bytes with all headers.
    sync_datagrams: usize,
    sync_bytes: usize,
    questions: usize,
    /// Percent of the datagrams of syncs that are lost.
    loss: u64,
    dice: u64,
}

fn identity(n: u32) -> Identity {
    let profile = Profile::new(if n == 0 { "a" } else { "b" }, b"").unwrap();
    Identity { id: NodeId::new(u64::from(n) + 1), addr: addr(60_000 + n), epoch: util::EPOCH, profile }
}

fn as_peer(n: u32) -> Peer {
    Peer { id: identity(n).id, addr: identity(n).addr, incarnation: inc(0) }
}

/// Names and metadata as they are in life: a row takes about 46 bytes.
fn member(n: u32, refutations: u32) -> Item<'static> {
    let detail = Detail { at: inc(0), addr: addr(n), name: "member-123456", meta: b"zone-a" };
    Item { id: peer(n).id, status: Status::alive(inc(refutations)), more: More::Detail(detail) }
}

impl Pair {
    fn new(config: Config) -> Self {
        let now = Instant::from_millis(1_000);
        let node = |n: u32| Node::new(identity(n), config.clone(), u64::from(n) + 7, now).unwrap();
        let mut pair =
            Self { now, nodes: [node(0), node(1)], sync_datagrams: 0, sync_bytes: 0, questions: 0, loss: 0, dice: 1 };
        pair.tell(0, &as_peer(1), &[row(&as_peer(1))]);
        pair.tell(1, &as_peer(0), &[row(&as_peer(0))]);
        pair
    }

    /// Rows that a node is told by the other, none of which is news any more.
    fn tell(&mut self, to: usize, from: &Peer, rows: &[Item<'_>]) {
        for chunk in rows.chunks(500) {
            let frame = written(from, |w| {
                assert!(chunk.len() == 1 || w.message(Message::Push));
                assert!(w.open_rows() && chunk.iter().all(|r| w.item(r)));
                w.close_section();
            });
            self.nodes[to].handle(self.now, Input::Datagram { from: from.addr, bytes: &frame });
            if let Some(cookie) = self.drain(to).iter().find_map(|(_, sent)| cookie_in(sent)) {
                let bytes = &proven(frame, cookie);
                self.nodes[to].handle(self.now, Input::Datagram { from: from.addr, bytes });
                self.drain(to);
            }
        }
    }

    /// News from the other.
    fn gossip(&mut self, to: usize, updates: &[Item<'_>]) {
        let from = as_peer(1 - to as u32);
        let frame = written(&from, |w| {
            assert!(w.open_updates() && updates.iter().all(|u| w.item(u)));
            w.close_section();
        });
        self.nodes[to].handle(self.now, Input::Datagram { from: from.addr, bytes: &frame });
        self.drain(to);
    }

    fn drain(&mut self, n: usize) -> Vec<(Transmit, Vec<u8>)> {
        let mut sent = Vec::new();
        let mut buf = [0; 1_400];
        while let Some(t) = self.nodes[n].poll_transmit(&mut buf) {
            sent.push((t, buf[..t.len].to_vec()));
        }
        while self.nodes[n].poll_event().is_some() {}
        sent
    }

    /// Delivers what syncs send, there and back, until nothing is under way; gossip and probes are not let through.
    fn exchange(&mut self, from: usize, first: Vec<(Transmit, Vec<u8>)>) {
        let mut under_way: VecDeque<(usize, Vec<u8>)> = VecDeque::new();
        let send = |pair: &mut Self, from: usize, sent: Vec<(Transmit, Vec<u8>)>| {
            let mut kept = Vec::new();
            for (t, bytes) in sent.into_iter().filter(|(t, _)| t.to == identity(1 - from as u32).addr) {
                let frame = swim_core::wire::Frame::parse(&bytes).unwrap();
                let asks = matches!(frame.message, Some(Message::Pull { .. } | Message::Compare { .. }));
                let answers = matches!(frame.message, Some(Message::Page { .. } | Message::Differ { .. }));
                if asks || answers || frame.message == Some(Message::Push) {
                    pair.sync_datagrams += 1;
                    pair.sync_bytes += t.len + AROUND;
                    pair.questions += usize::from(asks);
                    // Knuth's generator, the upper bits of it.
                    pair.dice =
                        pair.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    if (pair.dice >> 33) % 100 >= pair.loss {
                        kept.push((1 - from, bytes));
                    }
                }
            }
            kept
        };
        under_way.extend(send(self, from, first));
        while let Some((to, bytes)) = under_way.pop_front() {
            let source = identity(1 - to as u32).addr;
            self.nodes[to].handle(self.now, Input::Datagram { from: source, bytes: &bytes });
            let sent = self.drain(to);
            under_way.extend(send(self, to, sent));
        }
    }

    /// Lets node 0 alone hear the other, by gossip without news, until it starts a sync, and what follows from it.
    fn sync(&mut self) {
        self.sync_for(ms(10_000));
    }

    fn sync_for(&mut self, d: std::time::Duration) {
        let end = self.now + d;
        let mut next_word = self.now;
        while self.now < end && self.nodes[0].view_hash() != self.nodes[1].view_hash() {
            let due = self.nodes[0].poll_timeout().unwrap_or(Instant::NEVER);
            self.now = due.min(next_word).min(end);
            if self.now == next_word {
                next_word = self.now + ms(100);
                let mut b = as_peer(1);
                b.incarnation = self.nodes[1].me().incarnation();
                let hash = self.nodes[1].view_hash();
                let word = with_hash(&b, hash);
                self.nodes[0].handle(self.now, Input::Datagram { from: b.addr, bytes: &word });
            } else {
                self.nodes[0].handle(self.now, Input::Timeout);
            }
            let sent = self.drain(0);
            self.exchange(0, sent);
        }
    }
}

fn with_hash(p: &Peer, hash: u64) -> Vec<u8> {
    let mut buf = [0; 64];
    let w = swim_core::wire::Writer::new(&mut buf, p.id, p.incarnation, hash).unwrap();
    let n = w.written();
    buf[..n].to_vec()
}

/// `n` members known to both, but for `differing` of them: of these a fourth is known to the one alone, a fourth to the
/// other alone, and of the rest each knows half in a later incarnation.
fn differing(n: u32, differing: u32, config: Config) -> Pair {
    let others = n - 2;
    let mut pair = Pair::new(config);
    let mut tables = [Vec::new(), Vec::new()];
    let stride = others / differing.max(1);
    for i in 0..others {
        let differs = i % stride.max(1) == 0 && i / stride.max(1) < differing;
        let known = match i / stride.max(1) % 4 {
            _ if !differs => [Some(0), Some(0)],
            0 => [Some(0), None],
            1 => [None, Some(0)],
            2 => [Some(1), Some(0)],
            _ => [Some(0), Some(1)],
        };
        for (table, refutations) in tables.iter_mut().zip(known) {
            table.extend(refutations.map(|r| member(i + 1, r)));
        }
    }
    pair.tell(0, &as_peer(1), &tables[0]);
    pair.tell(1, &as_peer(0), &tables[1]);
    pair
}

fn config() -> Config {
    let mut c = util::config();
    // Nobody is probed here, so nobody may be found dead meanwhile.
    (c.suspicion_alpha_percent, c.suspicion_beta) = (100_000, 1_000);
    c
}

/// The cost of a sync follows the difference. Bytes of both directions, with all headers.
#[test]
fn cost_follows_the_difference() {
    println!("     N  differing     bytes  per row  datagrams  questions");
    for n in [1_000, 10_000] {
        for d in [0, 1, 10, 100, 1_000] {
            let mut pair = differing(n, d, config());
            pair.sync();
            let (bytes, per_row) = (pair.sync_bytes, pair.sync_bytes / d.max(1) as usize);
            println!("{n:6}  {d:9}  {bytes:8}  {per_row:7}  {:9}  {:9}", pair.sync_datagrams, pair.questions);
            assert_eq!(pair.nodes[0].view_hash(), pair.nodes[1].view_hash());
            assert_eq!(pair.nodes[0].live_count(), n as usize);
            match d {
                0 => assert_eq!(bytes, 0, "equal tables cost nothing"),
                10 => assert!(bytes < 8_192, "{bytes}"),
                d => assert!(bytes < 2_000 + 600 * d as usize, "{bytes}"),
            }
        }
    }
}

/// Whatever is lost, and however often: what was exchanged stays, and the next sync goes on from there.
#[test]
fn a_sync_can_be_lost_anywhere() {
    for seed in 1..=100 {
        let mut pair = differing(300, 60, config());
        (pair.loss, pair.dice) = ([10, 30, 50][seed as usize % 3], seed);
        pair.sync_for(ms(600_000));
        assert_eq!(pair.nodes[0].view_hash(), pair.nodes[1].view_hash(), "{} % lost, seed {seed}", pair.loss);
        assert_eq!((pair.nodes[0].live_count(), pair.nodes[1].live_count()), (300, 300));
    }
}

/// A node that knows nobody takes over a table through a few questions at a time.
#[test]
fn an_empty_table_is_filled() {
    let mut pair = Pair::new(config());
    let rows: Vec<_> = (1..=2_000).map(|n| member(n, 0)).collect();
    pair.tell(1, &as_peer(0), &rows);
    pair.sync();
    assert_eq!(pair.nodes[0].live_count(), 2_002);
    // Little more than the rows themselves, 46 bytes each.
    println!("2000 rows: {} bytes, {} questions", pair.sync_bytes, pair.questions);
    assert!(pair.sync_bytes < 2_000 * 75, "{}", pair.sync_bytes);
}

/// More rows than fit into one page under one node of the tree, all of them large, and a small mtu.
#[test]
fn large_rows_and_small_datagrams() {
    let mut c = config();
    c.mtu = Config::MTU_MIN;
    let mut pair = Pair::new(c);
    let meta = [7; 512];
    let large = |n: u32| {
        let detail = Detail { at: inc(0), addr: addr(n), name: "large", meta: &meta };
        Item { id: peer(n).id, status: Status::alive(inc(0)), more: More::Detail(detail) }
    };
    let (left, right): (Vec<_>, Vec<_>) = (1..=200).map(large).partition(|r| r.id.as_u64() % 2 == 0);
    pair.tell(0, &as_peer(1), &left);
    pair.tell(1, &as_peer(0), &right);
    pair.sync();
    assert_eq!(pair.nodes[0].view_hash(), pair.nodes[1].view_hash());
    assert_eq!((pair.nodes[0].live_count(), pair.nodes[1].live_count()), (202, 202));
}

/// What one believes dead and the other alive: the death is told, as a suspicion that can be refuted.
#[test]
fn d8_a_death_is_synced_as_a_suspicion() {
    let mut pair = differing(100, 0, config());
    let dead = Item::status(peer(5).id, Status::new(inc(0), State::Dead));
    let left = Item::status(peer(6).id, Status::new(inc(0), State::Left));
    pair.gossip(0, &[dead]);
    pair.gossip(1, &[left]);
    assert_ne!(pair.nodes[0].view_hash(), pair.nodes[1].view_hash());
    pair.sync_for(ms(2_000));
    let state = |n: usize, who: u32| pair.nodes[n].member(peer(who).id).map(|m| m.state());
    assert_eq!((state(0, 5), state(1, 5)), (Some(State::Dead), Some(State::Suspect)));
    assert_eq!((state(0, 6), state(1, 6)), (Some(State::Left), Some(State::Left)));
}

/// Rows that nobody asked for are taken from members only, at their own address.
#[test]
fn strangers_push_nothing() {
    let mut pair = differing(10, 0, config());
    let push = |from: &Peer| {
        written(from, |w| {
            assert!(w.message(Message::Push) && w.open_rows() && w.item(&member(50, 0)));
            w.close_section();
        })
    };
    let elsewhere = Peer { addr: addr(999), ..peer(1) };
    for (from, taken) in [(peer(70), false), (elsewhere, false), (peer(1), true)] {
        pair.nodes[0].handle(pair.now, Input::Datagram { from: from.addr, bytes: &push(&from) });
        pair.drain(0);
        assert_eq!(pair.nodes[0].member(peer(50).id).is_some(), taken, "{from:?}");
    }
}

/// Answering others costs at most so many bytes per second; what is above is dropped and counted.
#[test]
fn answers_are_bounded_per_second() {
    let mut c = config();
    c.sync_rate = 20_000;
    let mut pair = differing(500, 0, c);
    let mut bytes = 0;
    for _ in 0..10 {
        for nonce in 0..100 {
            let pull = written(&peer(1), |w| assert!(w.message(Message::Pull { nonce })));
            pair.nodes[0].handle(pair.now, Input::Datagram { from: peer(1).addr, bytes: &pull });
            bytes += pair.drain(0).iter().filter(|(t, _)| t.to == peer(1).addr).map(|(t, _)| t.len).sum::<usize>();
        }
        for _ in 0..10 {
            pair.now = pair.now + ms(100);
            pair.nodes[0].handle(pair.now, Input::Timeout);
            pair.drain(0);
        }
    }
    // A second's worth ahead, and one page over it.
    assert!((150_000..=11 * 20_000 + 1_400).contains(&bytes), "{bytes} bytes in ten seconds");
    assert!(pair.nodes[0].stats().syncs_refused > 700);
}

/// Ids that all fall into one place of the tree are refused beyond a bound, and cost no more than others.
#[test]
fn a_crowd_in_one_place_is_refused() {
    let mut pair = Pair::new(config());
    // The inverse of the hash, so that all keys are equal: whoever chooses ids can do that.
    let unmix = |x: u64| {
        let x = x ^ (x >> 31) ^ (x >> 62);
        let x = x.wrapping_mul(0x3196_42b2_d24d_8ec3);
        let x = x ^ (x >> 27) ^ (x >> 54);
        let x = x.wrapping_mul(0x96de_1b17_3f11_9089);
        x ^ (x >> 30) ^ (x >> 60)
    };
    let crowd: Vec<Item<'_>> =
        (0..1_000).map(|n| Item { id: NodeId::new(unmix(n)), ..member(n as u32 + 1, 0) }).collect();
    pair.tell(0, &as_peer(1), &crowd);
    let stats = pair.nodes[0].stats();
    let known = pair.nodes[0].live_count();
    assert!((34..=2 + 70).contains(&known) && stats.members_refused == 1_002 - known as u64, "{known}");
    // What was let in can be told.
    pair.sync();
    assert_eq!(pair.nodes[1].live_count(), known);
}
