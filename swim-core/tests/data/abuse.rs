//! What others claim of states and rumors, made by hand: forged, contradictory, far ahead, long over, from strangers, too much
//! for a datagram. Scenarios G1, G2, G3, G5, G7 and G8.

use crate::util::data::*;
use crate::util::*;
use swim_core::wire::{Change, Digest, Frame, Message, StateEntry, StateHead, Summary};
use swim_core::{Command, Config, Event, Input, Node, NodeId, State, Status};

fn put(b: &mut Bench, key: &str, value: &[u8]) {
    b.command(Command::Put { key, value, ttl: None });
}

/// The entries that a node reads of somebody, in the order of their versions.
fn read(node: &Node, id: NodeId) -> Vec<(String, Vec<u8>)> {
    node.state(id).map(|e| (e.key.to_owned(), e.value.to_vec())).collect()
}

fn delivered(b: &Bench) -> usize {
    b.events.iter().filter(|e| matches!(e, Event::Rumor { .. })).count()
}

/// G1: an entry of a version above that of its delta, and every other head that contradicts itself, is no frame; and what the
/// parser takes and yet makes no sense is taken over or not, but never fatal.
#[test]
fn g1_a_delta_that_contradicts_itself() {
    let (mut b, peers) = Bench::with_peers(config(), 4);
    let (teller, mut of) = (peers[0], peers[1]);
    let good = delta(&teller, None, &head_of(&of, 1_000), &[entry(999, "k", b"v"), entry(1_000, "l", b"v")]);
    let id = of.id.as_u64().to_le_bytes();
    let at = good.windows(8).position(|w| w == id).expect("the item is in it") + 12;
    assert_eq!(good[at..at + 2], [0xe8, 0x07], "the version, 1000, and then gc and from");
    for (offset, bytes) in [(0, &[0xf4, 0x03][..]), (0, &[0xe7, 0x07]), (2, &[0x7f, 0x00, 0x05]), (4, &[0x02])] {
        let mut bad = good.clone();
        bad[at + offset..at + offset + bytes.len()].copy_from_slice(bytes);
        let before = b.node.stats().dropped_malformed;
        b.recv_from(teller.addr, &bad);
        assert_eq!(b.node.stats().dropped_malformed, before + 1, "{bytes:02x?} at {offset}");
    }
    assert_eq!(b.node.state_version(of.id), 0);
    b.recv_from(teller.addr, &good);
    assert_eq!((b.node.state_version(of.id), read(&b.node, of.id).len()), (1_000, 2));
    // Everything that the parser takes, in any order: versions and tombstones that go to and fro, with and without entries.
    let mut x = 7_u32;
    let mut draw = |below: u32| {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (x >> 8) % below
    };
    let edges = [0, 1, 2, 999, 1_000, 1_001, u32::MAX - 1, u32::MAX];
    for turn in 0..3_000 {
        if turn % 50 == 0 {
            // What came last was perhaps the end of all versions: in another life they begin again.
            of.incarnation = of.incarnation.next_epoch();
            b.gossip(&of, &[row(&of)]);
        }
        let version = if draw(20) == 0 { edges[draw(8) as usize] } else { draw(2_000) };
        let (gc, from) = (draw(version.min(1 << 20) + 1), draw(version.min(1 << 20) + 1));
        // Most often from the start, or from where it is.
        let from = [0, 0, b.node.state_version(of.id).min(version), from][draw(4) as usize];
        let head = StateHead { gc: [0, gc][draw(2) as usize], from, ..head_of(&of, version) };
        let mut at = head.from;
        let mut entries = Vec::new();
        for key in ["a", "b", "a", "c"].into_iter().take(draw(5) as usize) {
            at = at.saturating_add(1 + draw(3));
            let change = match draw(3) {
                0 => Change::Delete { ttl_ms: draw(1_000).into() },
                ttl => Change::Put { value: b"x", ttl_ms: (ttl == 1).then_some(u64::from(draw(500))) },
            };
            if at <= version && entries.last().is_none_or(|e: &StateEntry<'_>| e.version < at) {
                entries.push(StateEntry { version: at, key, change });
            }
        }
        let told = peers[[0, 2, 3][draw(3) as usize]];
        b.recv_from(told.addr, &delta(&told, None, &head, &entries));
        assert_eq!(b.node.check(), Ok(()));
        b.run_with(ms(u64::from(draw(40))), &peers);
    }
    assert!(b.node.stats().deltas_applied > 200 && b.node.stats().deltas_stale > 300, "{:?}", b.node.stats());
    assert_eq!(b.node.check(), Ok(()));
    let me = b.me();
    put(&mut b, "still", b"here");
    assert_eq!(read(&b.node, me), [("still".to_owned(), b"here".to_vec())]);
}

/// G2: what a peer says of my own state and rumors is never taken over. What goes beyond what I have written in this epoch
/// makes me take the next one, with my state as it is; what does not, and what is of another epoch, makes me do nothing.
#[test]
fn g2_nobody_else_writes_my_state() {
    let claims: [(u32, u32, &str); 5] = [
        (EPOCH, 1, "what I have written, otherwise"),
        (EPOCH, 2, "more than I have written"),
        (EPOCH, u32::MAX, "far more"),
        (EPOCH - 1, 9, "of a former life"),
        (EPOCH + 1, 9, "of a life to come"),
    ];
    for (epoch, version, what) in claims {
        for way in ["delta", "answer", "summary", "rumor"] {
            let (mut b, peers) = Bench::with_peers(config(), 3);
            let (me, liar) = (b.me(), peers[1]);
            put(&mut b, "mine", b"1");
            b.command(Command::Broadcast { topic: "t", payload: b"mine" });
            b.clear();
            let head = StateHead { id: me, epoch, version, gc: 0, from: 0 };
            let forged = entry(version, "mine", b"forged");
            let summary = Summary { id: me, epoch, version, last: version, floor: 0 };
            let mut rumor = rumor_of(&liar, version, 9, b"forged");
            (rumor.id.origin, rumor.id.epoch) = (me, epoch);
            let frame = match way {
                "delta" => delta(&liar, None, &head, &[forged]),
                "answer" => delta(&liar, Some(77), &head, &[forged]),
                "summary" => summaries(&liar, None, &[summary]),
                _ => rumors(&liar, &[rumor]),
            };
            b.recv_from(liar.addr, &frame);
            assert_eq!(read(&b.node, me), [("mine".to_owned(), b"1".to_vec())], "{way} of {what}");
            assert_eq!(delivered(&b), 0, "{way} of {what}");
            let beyond = epoch == EPOCH && version > 1;
            let expected = if beyond { EPOCH + 1 } else { EPOCH };
            assert_eq!(b.node.me().incarnation().epoch(), expected, "{way} of {what}");
            // It goes on as if nothing had been said.
            put(&mut b, "mine", b"2");
            b.command(Command::Broadcast { topic: "t", payload: b"again" });
            assert_eq!(b.node.get(me, "mine").map(|e| e.value), Some(&b"2"[..]), "{way} of {what}");
            assert_eq!(delivered(&b), 1, "{way} of {what}");
        }
    }
}

/// G3: a version and a number at the end of all numbers, told by another, are not believed but asked for. In the member's own
/// name they are bound to its present life: in its next one they are forgotten. Of Lamport time nobody can take more than a
/// part at once.
#[test]
fn g3_far_ahead_is_bound_to_one_life() {
    let (mut b, peers) = Bench::with_peers(config(), 4);
    let (liar, of) = (peers[0], peers[1]);
    let far = delta(&liar, None, &head_of(&of, u32::MAX), &[entry(u32::MAX, "k", b"forged")]);
    b.recv_from(liar.addr, &far);
    b.recv_from(liar.addr, &rumors(&liar, &[rumor_of(&of, u32::MAX, u64::MAX, b"forged")]));
    let s = *b.node.stats();
    assert_eq!((s.deltas_implausible, s.rumors_implausible, b.node.state_version(of.id), delivered(&b)), (1, 1, 0, 0));
    let asked: Vec<_> = b.sent.iter().filter(|s| s.frame().digests().any(|d| d.id == of.id)).map(|s| s.to).collect();
    assert_eq!(asked, [liar.addr], "once for both");
    // The same by one that sends as the member itself.
    b.recv_from(of.addr, &delta(&of, None, &head_of(&of, u32::MAX), &[entry(u32::MAX, "k", b"forged")]));
    b.recv_from(of.addr, &rumors(&of, &[rumor_of(&of, u32::MAX, u64::MAX, b"forged")]));
    assert!(b.node.state_version(of.id) == u32::MAX && delivered(&b) == 1, "nobody can tell that it is a lie");
    assert_eq!((b.node.stats().lamport_implausible, b.node.lamport()), (1, 1 << 40), "time follows by so much");
    let me = b.me();
    b.command(Command::Broadcast { topic: "t", payload: b"mine" });
    let mine = swim_core::RumorId { origin: me, epoch: EPOCH, seq: 1 };
    assert_eq!(b.node.rumor(mine).map(|r| r.lamport), Some((1 << 40) + 1), "and goes on from there");
    // What it says itself is behind that, in this life.
    b.recv_from(of.addr, &delta(&of, None, &head_of(&of, 1), &[entry(1, "k", b"true")]));
    b.recv_from(of.addr, &rumors(&of, &[rumor_of(&of, 1, 1, b"true")]));
    assert_eq!((b.node.get(of.id, "k").map(|e| e.value), delivered(&b)), (Some(&b"forged"[..]), 2));
    // It was shown that, and is in its next life.
    let next = Peer { incarnation: of.incarnation.next_epoch(), ..of };
    b.gossip(&next, &[row(&next)]);
    assert!(b.node.get(of.id, "k").is_none() && b.node.state_version(of.id) == 0, "the former life is forgotten");
    b.recv_from(of.addr, &delta(&next, None, &head_of(&next, 1), &[entry(1, "k", b"true")]));
    let mut said = rumor_of(&next, 1, 1, b"true");
    said.id.epoch = next.incarnation.epoch();
    b.recv_from(of.addr, &rumors(&next, &[said]));
    assert_eq!((b.node.get(of.id, "k").map(|e| e.value), delivered(&b)), (Some(&b"true"[..]), 3));
}

/// G3, among nodes: one lie of each kind in a member's own name is put right everywhere, by the member itself.
#[test]
fn g3_far_ahead_claims_are_put_right() {
    for seed in 1..=10 {
        let mut net = crate::net::Net::whole(6, &Config::lan("c"), seed);
        net.command(3, Command::Put { key: "k", value: b"true", ttl: None });
        net.command(3, Command::Broadcast { topic: "t", payload: b"before" });
        net.until(20, |net| net.all_see(3, "k", Some(b"true")));
        net.run(5_000);
        let of =
            Peer { id: crate::net::id(3), addr: crate::net::addr(3), incarnation: net.nodes[3].me().incarnation() };
        let mut rumor = rumor_of(&of, u32::MAX, u64::MAX, b"forged");
        rumor.id.epoch = of.incarnation.epoch();
        let lie = match seed % 3 {
            0 => delta(&of, None, &head_of(&of, u32::MAX), &[entry(u32::MAX, "k", b"forged")]),
            1 => delta(&of, None, &StateHead { gc: u32::MAX, ..head_of(&of, u32::MAX) }, &[]),
            _ => rumors(&of, &[rumor]),
        };
        net.handle(1, Input::Datagram { from: of.addr, bytes: &lie });
        net.until(40, |net| net.nodes[3].me().incarnation().epoch() > of.incarnation.epoch());
        net.until(20, |net| net.all_see(3, "k", Some(b"true")));
        net.command(3, Command::Put { key: "k", value: b"new", ttl: None });
        net.command(3, Command::Broadcast { topic: "t", payload: b"after" });
        let heard = |net: &crate::net::Net, i: usize| net.heard[i].iter().any(|(_, payload)| payload == b"after");
        net.until(40, |net| net.all_see(3, "k", Some(b"new")) && (0..6).all(|i| heard(net, i)));
        let hashes: Vec<u32> = net.nodes.iter().map(Node::app_hash).collect();
        net.until(20, |net| net.nodes.iter().all(|node| node.app_hash() == net.nodes[0].app_hash()));
        assert!(hashes.iter().all(|hash| *hash != 0), "seed {seed}");
    }
}

/// A net whose node 0 knows so many members that do not exist, each with a state of its own: live ones, and others that are
/// dead.
fn crowded(identities: usize) -> crate::net::Net {
    let mut net = crate::net::Net::new(2, &Config::lan("c"), 3);
    net.down[1] = true;
    for i in 2..2 + identities {
        let p = Peer { id: crate::net::id(i), addr: crate::net::addr(i), incarnation: inc(0) };
        let hello = frame(&p, Some(Message::Pull { nonce: 1 }), &[], &[row(&p)]);
        net.keep_frames = true;
        net.handle(0, Input::Datagram { from: p.addr, bytes: &hello });
        net.keep_frames = false;
        let cookie = net.seen.drain(..).find_map(|(_, _, sent)| cookie_in(&sent)).expect("it is asked for a proof");
        net.handle(0, Input::Datagram { from: p.addr, bytes: &proven(hello, cookie) });
        let said = delta(&p, None, &head_of(&p, 1), &[entry(1, "k", &(i as u32).to_le_bytes())]);
        net.handle(0, Input::Datagram { from: p.addr, bytes: &said });
        if i % 3 == 0 {
            let dead = accused(p.id, Status::new(p.incarnation, State::Left), &[]);
            net.handle(0, Input::Datagram { from: p.addr, bytes: &frame(&p, None, &[dead], &[]) });
        }
    }
    net
}

/// G5: 1 500 identities, live and dead: what two nodes compare and ask of each other about all those states comes in pieces,
/// none above the mtu, and neither takes the other for dead.
#[test]
fn g5_many_identities_are_paged() {
    const IDENTITIES: usize = 1_500;
    let mut net = crowded(IDENTITIES);
    assert!(net.nodes[0].state_stored() > 0);
    net.keep_frames = true;
    net.restart(1, 2);
    // Sends above the mtu fail in `Net`.
    let has = |net: &crate::net::Net, i: usize| net.value(1, i, "k") == Some(&(i as u32).to_le_bytes());
    let took = net.until(60, |net| (2..2 + IDENTITIES).filter(|i| i % 3 != 0).all(|i| has(net, i)));
    let question = |(from, to, bytes): &(usize, usize, Vec<u8>)| {
        let frame = Frame::parse(bytes).expect("all that is sent parses");
        (*from == 1 && *to == 0).then(|| frame.digests().count()).filter(|&n| n > 0)
    };
    let asked: Vec<usize> = net.seen.iter().filter_map(question).collect();
    println!("{IDENTITIES} states after {took} ms, in {} questions", asked.len());
    assert!(asked.iter().all(|&n| n <= 16), "{asked:?}");
    assert!((60..400).contains(&asked.len()), "{} questions", asked.len());
    for (at, of) in [(0, 1), (1, 0)] {
        assert!(
            net.nodes[at].member(crate::net::id(of)).is_some_and(|m| m.state() == State::Alive),
            "{of} is not dead"
        );
    }
}

/// G7: every delta that was ever told of a member, through deletes, dropped tombstones and a restart, comes again, in any
/// order, more than once. Who has all of it loses nothing and gets nothing back; who is behind, or new, is never led astray for
/// good.
#[test]
fn g7_deltas_told_long_ago_change_nothing() {
    let mut config = Config::lan("c");
    config.tombstone_ttl = std::time::Duration::from_secs(8);
    let mut net = crate::net::Net::whole(4, &config, 11);
    net.keep_frames = true;
    for round in 0..30_u8 {
        for k in 0..4_u8 {
            let key = format!("key-{}", (round / 4 + k) % 12);
            net.command(2, Command::Put { key: &key, value: &[round; 90], ttl: None });
        }
        net.command(2, Command::Delete { key: &format!("key-{}", round % 12) });
        net.run(1_500);
        if round == 14 {
            net.restart(2, 2);
        }
        // This one has to be asked for what it has missed, and gets it in other pieces.
        net.cut[3] = round % 10 > 6;
    }
    net.cut.fill(false);
    let agree = |net: &crate::net::Net| net.nodes.iter().all(|node| node.app_hash() == net.nodes[0].app_hash());
    net.until(60, agree);
    net.keep_frames = false;
    let of = crate::net::id(2);
    let right = read(&net.nodes[2], of);
    assert!(!right.is_empty());
    let about = |bytes: &[u8]| Frame::parse(bytes).is_ok_and(|f| f.states().any(|item| item.id == of));
    let mut told: Vec<(usize, usize, Vec<u8>)> = std::mem::take(&mut net.seen);
    told.retain(|(from, _, bytes)| *from != 2 && about(bytes) || *from == 2 && about(bytes));
    assert!(told.len() > 100, "{} deltas", told.len());
    let mut x = 5_u64;
    let mut shuffled = |told: &mut Vec<(usize, usize, Vec<u8>)>| {
        for i in (1..told.len()).rev() {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            told.swap(i, (x >> 33) as usize % (i + 1));
        }
    };
    let stale = net.stat(|s| s.deltas_stale + s.deltas_refused);
    for _ in 0..3 {
        shuffled(&mut told);
        for (from, to, bytes) in &told {
            for _ in 0..2 {
                let version = net.nodes[*to].state_version(of);
                net.handle(*to, Input::Datagram { from: crate::net::addr(*from), bytes });
                assert_eq!((net.nodes[*to].state_version(of), read(&net.nodes[*to], of)), (version, right.clone()));
            }
        }
    }
    assert!(net.stat(|s| s.deltas_stale + s.deltas_refused) > stale + 500);
    net.run(10_000);
    assert!((0..4).all(|i| read(&net.nodes[i], of) == right) && agree(&net));
    // One that begins with nothing hears all of that first, in any order; whatever it has by then, it ends with what is right.
    for epoch in 2..8 {
        net.restart(1, epoch);
        net.run(50);
        shuffled(&mut told);
        for (from, _, bytes) in &told {
            net.handle(1, Input::Datagram { from: crate::net::addr(*from), bytes });
            assert_eq!(net.nodes[1].check(), Ok(()));
        }
        net.until(60, |net| read(&net.nodes[1], of) == right && agree(net));
    }
}

/// G8: who asks with nothing gets one datagram within the mtu, however much there is and however much it asks about; a
/// stranger, or a member elsewhere than where it is known, gets none.
#[test]
fn g8_answers_fit_and_go_to_members() {
    for mtu in [Config::MTU_MIN, 1_400, Config::MTU_MAX] {
        let mut c = config();
        c.mtu = mtu;
        let longest = c.value_max();
        let (mut b, peers) = Bench::with_peers(c, 40);
        for k in 0..40 {
            put(&mut b, &format!("mine-{k}"), &vec![k; longest]);
        }
        for p in &peers {
            let value = vec![7; longest];
            let keys: Vec<String> = (0..20).map(|k| format!("key-{k}")).collect();
            let entries: Vec<StateEntry<'_>> = (1..).zip(&keys).map(|(v, key)| entry(v, key, &value)).collect();
            b.recv_from(p.addr, &delta(p, None, &head_of(p, 20), &entries));
            b.recv_from(p.addr, &rumors(p, &[rumor_of(p, 1, 1, &[1; 500])]));
        }
        b.clear();
        let me = Peer { id: b.me(), addr: addr(0), incarnation: b.node.me().incarnation() };
        let everybody: Vec<Digest> = peers.iter().chain([&me]).map(nothing_of).collect();
        let answers = |b: &Bench| b.sent.iter().filter(|s| matches!(s.message(), Some(Message::Delta { .. }))).count();
        // A stranger, and a member's question from an address that is not the member's.
        b.recv_from(addr(99), &digest(&peer(99), 1, &everybody));
        assert_eq!((answers(&b), b.node.stats().claims_from_strangers), (0, 1));
        b.recv_from(addr(98), &digest(&peers[0], 2, &everybody));
        assert_eq!(answers(&b), 0);
        // A member: `Bench` looks at the mtu.
        for asked in [&everybody[40..], &everybody[..1], &everybody[..16], &everybody] {
            b.clear();
            // Odd: see large_entries_and_rumors_take_turns_in_answers.
            b.recv_from(peers[0].addr, &digest(&peers[0], 3, asked));
            assert_eq!(answers(&b), 1);
            let sent = b.sent.iter().find(|s| matches!(s.message(), Some(Message::Delta { .. }))).expect("an answer");
            assert_eq!((sent.to, sent.frame().states().count() > 0), (peers[0].addr, true), "mtu {mtu}");
            assert!(sent.frame().states().count() <= 16, "of as many members as a digest may have");
            let whole = sent.bytes.len() > mtu / 4 || sent.frame().states().all(|item| item.is_complete());
            assert!(whole, "{} of {mtu} bytes", sent.bytes.len());
        }
        // Asked without end it answers only so much per second.
        b.clear();
        (0..5_000).for_each(|nonce| b.recv_from(peers[0].addr, &digest(&peers[0], nonce, &everybody)));
        let bytes: usize = b.sent.iter().map(|s| s.bytes.len()).sum();
        let rate = b.node.config().sync_rate as usize;
        assert!(bytes <= 2 * rate && b.node.stats().digests_refused > 0, "{bytes} bytes at once, of {rate} per second");
    }
}
