//! Time that stands still, goes back, or jumps; configs at their edges. Scenarios C14, I5, I10.

use std::time::Duration;

use crate::util::*;
use quickcheck::QuickCheck;
use swim_core::wire::Message;
use swim_core::{Command, Config, Input, Instant, Node, State};

/// I5: an earlier `now` than before is the last one again; nothing panics, nothing happens twice.
#[test]
fn i5_now_goes_back() {
    let (mut b, peers) = Bench::with_peers(config(), 4);
    b.run_with(ms(3_000), &peers);
    b.handle(Input::Timeout);
    let (now, timeout) = (b.now, b.node.poll_timeout());
    for back in [1, 1_000_000, u64::MAX] {
        b.now = now.minus_micros(back);
        b.handle(Input::Timeout);
        b.gossip(&peers[0], &[accused(peers[1].id, status(0, State::Suspect), &[peers[0].id])]);
        assert!(b.node.poll_timeout().unwrap() <= timeout.unwrap());
        assert!(b.node.poll_timeout().unwrap() > now, "in the future of the last now, not of this one");
    }
    assert_eq!(b.node.stats().clock_backwards, 6);
    b.now = now;
    b.run_with(ms(3_000), &peers);
    assert_eq!(b.downs(), 0);
}

/// I5: whatever sequence of times a node is given, back and forth and to the end, with news or without: it does not panic, its
/// indexes hold, its own time never goes back, and each step back is counted.
#[test]
fn i5_arbitrary_times() {
    fn holds(steps: Vec<(u64, u8)>) -> bool {
        let (mut b, peers) = Bench::with_peers(config(), 4);
        b.handle(Input::Timeout);
        let (mut latest, mut back) = (b.now, b.node.stats().clock_backwards);
        for (micros, what) in steps {
            let now = match what % 8 {
                0 => Instant::from_micros(micros),
                1 => latest.minus_micros(micros),
                2 => latest.plus_micros(micros),
                _ => latest.plus_micros(micros % 2_000_000),
            };
            back += u64::from(now < latest);
            latest = latest.max(now);
            let by = [peers[0].id];
            let doubted = accused(peers[1].id, status(u32::from(what), State::Suspect), &by);
            let bytes = frame(&peers[0], None, &[doubted], &[]);
            let news = Input::Datagram { from: peers[0].addr, bytes: &bytes };
            b.node.handle(now, if what & 16 == 0 { Input::Timeout } else { news });
            let mut buf = [0; 1_400];
            while b.node.poll_transmit(&mut buf).is_some() {}
            while b.node.poll_event().is_some() {}
            let due = b.node.poll_timeout().is_none_or(|at| at > latest || latest == Instant::NEVER);
            if !due || b.node.check().is_err() || b.node.stats().clock_backwards != back {
                return false;
            }
        }
        true
    }
    QuickCheck::new().tests(500).quickcheck(holds as fn(Vec<(u64, u8)>) -> bool);
}

/// C14: the end of time, and steps to it, neither overflow nor kill.
#[test]
fn c14_the_end_of_time() {
    for jump in [1 << 40, 1 << 62, u64::MAX - 1, u64::MAX] {
        let (mut b, peers) = Bench::with_peers(config(), 4);
        b.gossip(&peers[1], &[accused(peers[0].id, status(0, State::Suspect), &[peers[1].id])]);
        b.now = Instant::from_micros(jump);
        for _ in 0..10 {
            // At the very end no deadline can be in the future any more.
            b.node.handle(b.now, Input::Timeout);
            let mut buf = [0; 1_400];
            while b.node.poll_transmit(&mut buf).is_some() {}
            while b.node.poll_event().is_some() {}
        }
        assert_ne!(b.state(&peers[0]), Some(State::Dead), "at {jump}: it slept");
        let frame = frame(&peers[2], None, &[accused(peers[3].id, status(1, State::Suspect), &[])], &[]);
        b.node.handle(Instant::NEVER, Input::Datagram { from: peers[2].addr, bytes: &frame });
    }
}

/// C14: an interval below a millisecond, a factor of zero, an endless duration: refused when the node is made.
#[test]
fn c14_configs_at_the_edge() {
    type Spoil = fn(&mut Config);
    let spoils: [(&str, Spoil); 6] = [
        ("probe_interval", |c| c.probe_interval = Duration::from_micros(500)),
        ("probe_interval", |c| c.probe_interval = Duration::ZERO),
        ("suspicion_alpha_percent", |c| c.suspicion_alpha_percent = 0),
        ("suspicion_beta", |c| c.suspicion_beta = 0),
        ("tombstone_ttl", |c| c.tombstone_ttl = Duration::MAX),
        ("gossip_interval", |c| c.gossip_interval = Duration::ZERO),
    ];
    let me = || swim_core::Identity {
        id: swim_core::NodeId::new(1),
        addr: addr(0),
        epoch: 1,
        profile: swim_core::Profile::default(),
    };
    for (field, spoil) in spoils {
        let mut c = config();
        spoil(&mut c);
        let e = Node::new(me(), c, 1, Instant::ORIGIN).unwrap_err();
        assert_eq!(e.field(), field);
    }
    for bad in ["0.0.0.0:1", "10.0.0.1:0", "[::]:5"] {
        let me = swim_core::Identity { addr: bad.parse().unwrap(), ..me() };
        assert_eq!(Node::new(me, config(), 1, Instant::ORIGIN).unwrap_err().field(), "addr");
    }
}

/// The smallest config there is runs a cluster without dying of it.
#[test]
fn c14_the_shortest_periods() {
    let mut c = config();
    c.probe_interval = ms(2);
    c.probe_timeout = ms(1);
    c.gossip_interval = ms(1);
    (c.suspicion_alpha_percent, c.suspicion_beta) = (100, 1);
    let (mut b, peers) = Bench::with_peers(c, 3);
    b.run_with(ms(1_000), &peers);
    assert_eq!((b.suspects(), b.downs()), (0, 0));
    b.run_with(ms(1_000), &peers[1..]);
    assert_eq!(b.state(&peers[0]), Some(State::Dead));
}

/// I10: with nothing to do there is no deadline, and with peers there are two per period: begin it, ask relays.
#[test]
fn i10_no_spinning() {
    let mut alone = Bench::new(config());
    assert_eq!(alone.node.poll_timeout(), None);
    alone.command(Command::Join(&[]));
    assert_eq!(alone.node.poll_timeout(), None);

    let (mut b, peers) = Bench::with_peers(config(), 10);
    let before = b.wakeups;
    b.run_with(ms(100_000), &peers);
    let woken = b.wakeups - before;
    assert!((100..110).contains(&woken), "{woken} wake-ups in 100 periods");
    // A call before its time does nothing.
    let digest = b.node.snapshot().len();
    for _ in 0..1_000 {
        b.handle(Input::Timeout);
    }
    assert_eq!((b.node.snapshot().len(), b.node.stats().timeouts > 0), (digest, true));
    assert!(b.sent.is_empty() || b.sent.last().unwrap().at <= b.now);
}

/// Whatever memory is taken at construction, a restored node's snapshot is the one that it was restored from.
#[test]
fn a_fresh_snapshot_comes_back_as_it_was() {
    for reserved in [0, 1, 2, 100] {
        let mut config = config();
        config.members_reserved = reserved;
        let bytes = Bench::new(config).node.snapshot();
        assert!(Node::restore(&bytes).unwrap().snapshot() == bytes, "{reserved} reserved");
    }
}

/// A snapshot taken at any step behaves identically ever after.
#[test]
fn snapshots_continue_identically() {
    for steps in [0, 1, 7, 40, 200] {
        let (mut b, peers) = Bench::with_peers(config(), 12);
        b.gossip(&peers[1], &[accused(peers[0].id, status(0, State::Suspect), &[peers[1].id])]);
        for _ in 0..steps {
            b.step(Instant::NEVER);
            b.answer_pings(&peers[3..]);
        }
        let bytes = b.node.snapshot();
        let mut twin = Bench::new(config());
        (twin.node, twin.now) = (Node::restore(&bytes).unwrap(), b.now);
        assert_eq!(twin.node.snapshot(), bytes);
        b.clear();
        for x in [&mut b, &mut twin] {
            x.run_with(ms(40_000), &peers[3..]);
            x.gossip(&peers[5], &[accused(peers[4].id, status(2, State::Alive), &[])]);
            x.admit(&peer(99));
            x.run_with(ms(20_000), &peers[3..]);
        }
        let bytes_of = |x: &Bench| x.sent.iter().map(|s| (s.at, s.to, s.bytes.clone())).collect::<Vec<_>>();
        assert_eq!(bytes_of(&b), bytes_of(&twin), "after {steps} steps");
        assert_eq!(b.events, twin.events);
        assert_eq!(b.node.snapshot(), twin.node.snapshot());
    }
}

/// A snapshot that is cut or flipped is refused or restores to a node whose indexes hold; it never panics.
#[test]
fn damaged_snapshots() {
    let (mut b, peers) = Bench::with_peers(config(), 12);
    b.gossip(&peers[1], &[accused(peers[0].id, status(0, State::Suspect), &[peers[1].id])]);
    let bytes = b.node.snapshot();
    for cut in 0..bytes.len() {
        assert!(Node::restore(&bytes[..cut]).is_err());
    }
    for at in 0..bytes.len() {
        for bit in [0x01, 0x10, 0x80] {
            let mut spoilt = bytes.clone();
            spoilt[at] ^= bit;
            if let Ok(node) = Node::restore(&spoilt) {
                assert_eq!(node.check(), Ok(()));
            }
        }
    }
}

/// A longer form of a number would be another file of the same state: it is refused, so that equal states are equal
/// bytes. Found by the fuzz target `snapshot`.
#[test]
fn a_state_has_one_encoding() {
    let (b, _) = Bench::with_peers(config(), 3);
    let bytes = b.node.snapshot();
    for at in 4..bytes.len() {
        let mut spoilt = bytes.clone();
        spoilt.splice(at..=at, [bytes[at] | 0x80, 0]);
        if let Ok(node) = Node::restore(&spoilt) {
            assert!(node.snapshot() == spoilt, "byte {at}");
        }
    }
}

/// Any number of a snapshot is as large as can be: it is refused, or the node works with it for a while. What is added
/// to such a number, or counted with it, must not end in a panic.
#[test]
fn numbers_at_their_end_are_refused_or_borne() {
    let (mut b, peers) = Bench::with_peers(config(), 4);
    b.gossip(&peers[1], &[accused(peers[0].id, status(0, State::Suspect), &[peers[1].id])]);
    b.ping_to(&peers[2], &peers);
    let (bytes, mut borne) = (b.node.snapshot(), 0);
    let most = |n: u64| -> Vec<u8> {
        let groups = (0..10).map(|i| n >> (7 * i)).take_while(|&left| left > 0);
        groups.map(|left| (left & 0x7f) as u8 | if left >= 0x80 { 0x80 } else { 0 }).collect()
    };
    for at in 4..bytes.len() {
        // A number ends with the first byte that has no upper bit; what is no number is refused.
        let len = 1 + bytes[at..].iter().take_while(|&&byte| byte >= 0x80).count();
        for largest in [most(u64::MAX), most(u64::from(u32::MAX)), most(u64::MAX / 2)] {
            let mut forged = bytes.clone();
            forged.splice(at..at + len, largest);
            if let Ok(node) = Node::restore(&forged) {
                borne += usize::from(lives_on(node, b.now, &peers));
            }
        }
    }
    assert!(borne > 300, "{borne}");
}

/// The node handles some deadlines and datagrams.
fn lives_on(mut node: Node, mut now: Instant, peers: &[Peer]) -> bool {
    let mut buf = [0; 65_535];
    let mut give = |node: &mut Node, now, input: Input<'_>| {
        node.handle(now, input);
        while node.poll_transmit(&mut buf).is_some() {}
        while node.poll_event().is_some() {}
    };
    give(&mut node, now, Input::SendResumed);
    for nonce in 0..40 {
        now = now + ms(100);
        give(&mut node, now, Input::Timeout);
        let ping = Message::Ping { target: node.me().id(), nonce };
        give(&mut node, now, Input::Datagram { from: peers[1].addr, bytes: &frame(&peers[1], Some(ping), &[], &[]) });
    }
    node.check().is_ok()
}
