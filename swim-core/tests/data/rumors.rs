//! Single rumors as one node takes them: what it answers to whoever counts receivers, and ages that are not true.

use std::time::Duration;

use crate::util::data::*;
use crate::util::*;
use swim_core::wire::Message;
use swim_core::{Command, Event, Input, Rumor, RumorId, StopPolicy};

/// The feedback that this peer was sent.
fn feedback(b: &mut Bench, to: &Peer) -> Vec<(RumorId, bool)> {
    let sent = std::mem::take(&mut b.sent);
    sent.iter().filter(|s| s.to == to.addr).flat_map(|s| s.frame().known().collect::<Vec<_>>()).collect()
}

/// Whoever tells a node its own rumor hears that it was known, like of any other: it would go on for longer otherwise.
/// Where receivers are not counted, or to an answer, nothing is said.
#[test]
fn the_origin_says_that_it_knew_its_own_rumor() {
    for (policy, counts) in
        [(StopPolicy::Counter(2), true), (StopPolicy::Budget(170), false), (StopPolicy::Coin(2), false)]
    {
        let mut c = config();
        c.rumor_stop = policy;
        let (mut b, peers) = Bench::with_peers(c, 3);
        b.command(Command::Broadcast { topic: "t", payload: b"mine" });
        let [Event::Rumor { id }] = b.events[..] else { panic!("it is heard: {:?}", b.events) };
        b.clear();
        let mine = Rumor { id, lamport: 1, age: Duration::ZERO, topic: "t", payload: b"mine" };
        let theirs = rumor_of(&peers[1], 1, 1, b"theirs");
        b.recv_from(peers[0].addr, &rumors(&peers[0], &[mine, theirs]));
        let said = if counts { vec![(id, true), (theirs.id, false)] } else { vec![] };
        assert_eq!(feedback(&mut b, &peers[0]), said);
        assert_eq!((b.node.stats().rumors_known, b.node.me().incarnation().epoch()), (1, EPOCH));
        let answer = written(&peers[0], |w| {
            assert!(w.message(Message::Delta { nonce: 1 }) && w.open_rumors() && w.rumor(&mine));
            w.close_section();
        });
        b.recv_from(peers[0].addr, &answer);
        assert_eq!((feedback(&mut b, &peers[0]), b.node.stats().rumors_known), (vec![], 2));
    }
}

/// The age of a rumor is what whoever tells it says. What is said to be as old as rumors get, or as old as can be
/// written, is not taken, and comes to nothing else: told with its true age it still is.
#[test]
fn too_old_rumors_are_dropped() {
    let (mut b, peers) = Bench::with_peers(config(), 3);
    let (teller, of, ttl) = (peers[0], peers[1], b.node.config().rumor_ttl);
    let tell = |b: &mut Bench, seq, age| {
        b.recv_from(teller.addr, &rumors(&teller, &[Rumor { age, ..rumor_of(&of, seq, 1, b"p") }]));
        assert_eq!(b.node.check(), Ok(()));
        (b.node.stats().rumors_received, b.node.stats().rumors_stale, b.node.rumors_kept())
    };
    assert_eq!(tell(&mut b, 1, Duration::MAX), (0, 1, 0));
    assert_eq!(tell(&mut b, 1, ttl), (0, 2, 0));
    assert_eq!(tell(&mut b, u32::MAX, ttl), (0, 3, 0), "nor does it move the window");
    assert_eq!((b.node.lamport(), b.node.app_hash()), (0, 0));
    assert!(b.events.is_empty() && b.sent.is_empty());
    assert_eq!(tell(&mut b, 1, ttl - ms(1)), (1, 3, 1));
    assert_eq!(tell(&mut b, 2, Duration::ZERO), (2, 3, 2));
    b.run_with(ms(1), &peers);
    assert_eq!(b.node.rumors_kept(), 1, "the other was a millisecond younger than what is dropped");
}

/// Whoever says of an old rumor that it is young does not renew it where it is kept, and where it was dropped it is
/// known.
#[test]
fn a_rumor_does_not_become_younger() {
    let (mut b, peers) = Bench::with_peers(config(), 3);
    let (liar, of, ttl) = (peers[0], peers[1], b.node.config().rumor_ttl);
    let young = rumors(&liar, &[rumor_of(&of, 1, 1, b"p")]);
    b.recv_from(of.addr, &rumors(&of, &[Rumor { age: ttl - ms(1_000), ..rumor_of(&of, 1, 1, b"p") }]));
    for _ in 0..10 {
        assert_eq!(b.node.rumors_kept(), 1);
        b.recv_from(liar.addr, &young);
        b.run_with(ms(100), &peers);
    }
    assert_eq!(b.node.rumors_kept(), 0, "it is as old as it was");
    b.recv_from(liar.addr, &young);
    let stats = b.node.stats();
    assert_eq!((stats.rumors_received, stats.rumors_known, b.node.rumors_kept()), (1, 11, 0));
    assert_eq!(b.events.iter().filter(|e| matches!(e, Event::Rumor { .. })).count(), 1);
    // Nor does one that is told as if it were older end sooner.
    b.recv_from(of.addr, &rumors(&of, &[rumor_of(&of, 2, 1, b"p")]));
    b.recv_from(liar.addr, &rumors(&liar, &[Rumor { age: Duration::MAX, ..rumor_of(&of, 2, 1, b"p") }]));
    b.run_with(ttl - ms(1), &peers);
    assert_eq!(b.node.rumors_kept(), 1);
    b.run_with(ms(1), &peers);
    assert_eq!(b.node.rumors_kept(), 0);
}

/// A rumor grows old while its node sleeps. What is over when the node wakes is not told any more, whatever comes first, and
/// goes with the next deadline.
#[test]
fn a_rumor_grows_old_while_its_node_sleeps() {
    for slept in [false, true] {
        let (mut b, peers) = Bench::with_peers(config(), 3);
        b.command(Command::Broadcast { topic: "t", payload: b"mine" });
        let [Event::Rumor { id }] = b.events[..] else { panic!("it is heard: {:?}", b.events) };
        b.clear();
        let ttl = b.node.config().rumor_ttl;
        b.now = b.now + if slept { ttl } else { ms(1) };
        b.recv_from(peers[0].addr, &frame(&peers[0], Some(Message::Ping { target: b.me(), nonce: 1 }), &[], &[]));
        b.recv_from(peers[1].addr, &digest(&peers[1], 2, &[nothing_of(&as_peer(&b))]));
        let told = b.sent.iter().map(|s| s.frame().rumors().count()).sum::<usize>();
        assert_eq!((told > 0, b.node.stats().pauses), (!slept, u64::from(slept)));
        assert_eq!(b.node.rumor(id).map(|rumor| rumor.age), Some(if slept { ttl } else { ms(1) }));
        b.handle(Input::Timeout);
        assert_eq!(b.node.rumors_kept(), usize::from(!slept));
    }
}

fn as_peer(b: &Bench) -> Peer {
    Peer { id: b.me(), addr: b.node.me().addr(), incarnation: b.node.me().incarnation() }
}
