//! Summaries: who is behind is told in one datagram, acks have room for them before news, and what an answer gives up
//! is only what was asked about.

use std::collections::BTreeSet;

use crate::util::data::*;
use crate::util::*;
use swim_core::wire::{Message, StateHead, Summary};
use swim_core::{Command, Config, NodeId, Rumor, State, Status};

/// Most members that a peer is told of in one datagram, and in an ack.
const TOLD: usize = 48;
const TOLD_BY_ACK: usize = 16;

/// The node gets to know the first version of these members' states, as an answer: it is no news.
fn hold(b: &mut Bench, of: &[Peer]) {
    for p in of {
        b.recv_from(p.addr, &delta(p, Some(0), &head_of(p, 1), &[entry(1, "k", b"v")]));
        assert_eq!(b.node.state_version(p.id), 1);
    }
    assert_eq!(b.node.states_queued(), 0);
    // What has changed at this very moment is not what has changed of late.
    b.run(ms(1));
}

/// Nothing is known of this member.
fn lacking(p: &Peer) -> Summary {
    Summary { id: p.id, epoch: EPOCH, version: 0, last: 0, floor: 0 }
}

fn ids(peers: &[Peer]) -> BTreeSet<NodeId> {
    peers.iter().map(|p| p.id).collect()
}

/// Of whom each datagram with summaries to this peer tells, since the last time.
fn told(b: &mut Bench, to: &Peer) -> Vec<Vec<NodeId>> {
    let sent = std::mem::take(&mut b.sent);
    let of = |s: &Sent| s.frame().summaries().map(|s| s.id).collect::<Vec<_>>();
    sent.iter().filter(|s| s.to == to.addr).map(of).filter(|of| !of.is_empty()).collect()
}

/// An ack that says with whom its sender is behind, and shows another hash: what is told of the former and what has
/// changed of late go in one datagram, and each member once.
#[test]
fn what_two_reasons_tell_is_one_list() {
    let (mut b, peers) = Bench::with_peers(config(), 30);
    hold(&mut b, &peers[..10]);
    b.run_with(ms(10_000), &peers);
    hold(&mut b, &peers[10..20]);
    let (pinged, nonce) = b.next_ping(&peers);
    b.clear();
    // One of them is both.
    let ack = written(&pinged, |w| {
        assert!(w.message(Message::Ack { nonce }) && w.summaries(peers[..11].iter().map(lacking)));
    });
    b.recv_from(pinged.addr, &ack);
    let told = told(&mut b, &pinged);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((told[0].len(), told[0].iter().copied().collect()), (20, ids(&peers[..20])));
}

/// Each datagram with summaries is answered by one: with those of whom its sender is behind, as many as are told at a
/// time, and nothing of what came before.
#[test]
fn each_list_is_told_once() {
    let (mut b, peers) = Bench::with_peers(config(), 60);
    hold(&mut b, &peers);
    b.run_with(ms(10_000), &peers);
    let asker = peers[59];
    for (from, to, expected) in [(0, 40, 40), (40, 60, 60), (0, 60, TOLD), (TOLD, 60, 60)] {
        b.clear();
        let of: Vec<Summary> = peers[from..to].iter().map(lacking).collect();
        b.recv_from(asker.addr, &summaries(&asker, None, &of));
        let told = told(&mut b, &asker);
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0], peers[from..expected].iter().map(|p| p.id).collect::<Vec<_>>());
    }
    // Who lacks nothing is told nothing.
    let held: Vec<Summary> = peers.iter().map(|p| Summary { version: 1, ..lacking(p) }).collect();
    b.recv_from(asker.addr, &summaries(&asker, None, &held));
    assert!(b.sent.is_empty());
}

/// G10: no hash has the state of the dead. So whoever announces less of it than is held here is told, once per datagram; who
/// announces as much, or less of a live member, is not.
#[test]
fn g10_who_lacks_the_last_words_of_the_dead_is_told() {
    let (mut b, peers) = Bench::with_peers(config(), 4);
    let (gone, one) = (peers[1], peers[2]);
    b.recv_from(gone.addr, &delta(&gone, None, &head_of(&gone, 2), &[entry(1, "k", b"old"), entry(2, "k", b"last")]));
    b.run_with(ms(10_000), &peers);
    let announced = |version| delta(&one, None, &StateHead { from: version, ..head_of(&gone, version) }, &[]);
    let answers = |b: &mut Bench, version| {
        b.clear();
        b.recv_from(one.addr, &announced(version));
        told(b, &one)
    };
    assert!(answers(&mut b, 1).is_empty(), "it lives, and so its state is in a hash");
    b.recv(&one, None, &[accused(gone.id, Status::new(gone.incarnation, State::Left), &[])]);
    assert_eq!(answers(&mut b, 1), [[gone.id]]);
    assert!(answers(&mut b, 2).is_empty());
    let twice = written(&one, |w| {
        let head = StateHead { from: 1, ..head_of(&gone, 1) };
        assert!(w.open_states());
        assert!((0..2).all(|_| w.state(&head, usize::MAX, std::iter::empty()).is_some()));
        w.close_section();
    });
    b.clear();
    b.recv_from(one.addr, &twice);
    assert_eq!(told(&mut b, &one), [[gone.id]]);
}

/// G10: as long as the row of the dead is kept, pings tell how far their sender is with what it has said, and with nobody
/// else.
#[test]
fn g10_pings_tell_of_the_dead() {
    let (mut b, peers) = Bench::with_peers(config(), 40);
    let gone = peers[1];
    hold(&mut b, &peers[..20]);
    b.run_with(ms(10_000), &peers);
    let of_pings = |b: &mut Bench| {
        b.clear();
        let answering: Vec<Peer> = peers.iter().copied().filter(|p| p.id != gone.id).collect();
        b.run_with(ms(60_000), &answering);
        let pings = b.sent.iter().filter(|s| matches!(s.message(), Some(Message::Ping { .. })));
        pings.map(|s| s.frame().summaries().collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    assert!(of_pings(&mut b).iter().all(Vec::is_empty), "all live");
    b.recv(&peers[2], None, &[accused(gone.id, Status::new(gone.incarnation, State::Left), &[])]);
    let told = of_pings(&mut b);
    let held = Summary { version: 1, ..lacking(&gone) };
    assert!(told.iter().all(|of| *of == [held]), "{told:?}");
    b.run_with(b.node.config().tombstone_ttl, &peers);
    assert!(of_pings(&mut b).iter().all(Vec::is_empty), "its row is gone");
}

/// E3: of a rumor of who has left they tell, too, as long as it is kept.
#[test]
fn e3_pings_tell_of_who_left_a_rumor() {
    let (mut b, peers) = Bench::with_peers(config(), 4);
    let gone = peers[1];
    b.recv_from(gone.addr, &rumors(&gone, &[rumor_of(&gone, 1, 1, b"bye")]));
    b.recv(&peers[2], None, &[accused(gone.id, Status::new(gone.incarnation, State::Left), &[])]);
    let of_pings = |b: &mut Bench| {
        b.clear();
        b.run_with(ms(20_000), &[peers[0], peers[2], peers[3]]);
        let pings = b.sent.iter().filter(|s| matches!(s.message(), Some(Message::Ping { .. })));
        pings.map(|s| s.frame().summaries().collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    let told = of_pings(&mut b);
    assert!(told.len() > 10 && told.iter().all(|of| *of == [Summary { last: 1, ..lacking(&gone) }]), "{told:?}");
    b.run_with(b.node.config().rumor_ttl, &[peers[0], peers[2], peers[3]]);
    assert!(of_pings(&mut b).iter().all(Vec::is_empty), "it is over");
}

/// What nobody has of the dead, or this node cannot take, is shown by each ping, and asked for ever less often: after two
/// seconds, four, and so on to a minute. What comes makes the next question as soon as the first.
#[test]
fn g10_what_nobody_has_of_the_dead_is_asked_for_seldom() {
    let (mut b, peers) = Bench::with_peers(config(), 4);
    let (gone, one) = (peers[1], peers[2]);
    hold(&mut b, &[gone]);
    b.recv(&one, None, &[accused(gone.id, Status::new(gone.incarnation, State::Left), &[])]);
    let shown = |version| Summary { version, ..lacking(&gone) };
    // Each second the peer pings and says that it has more. To a question it says that it has no more than this node.
    let asked = |b: &mut Bench, version: u32, secs: u32| {
        let mut asked = 0;
        for _ in 0..secs {
            b.run_with(ms(1_000), &[peers[0], one, peers[3]]);
            b.clear();
            let target = b.me();
            let ping = written(&one, |w| {
                assert!(w.message(Message::Ping { target, nonce: 7 }) && w.summaries([shown(version)].into_iter()));
            });
            b.recv_from(one.addr, &ping);
            let digests: Vec<u32> = b.sent.iter().filter_map(nonce_of_digest).collect();
            asked += digests.len();
            for nonce in digests {
                b.recv_from(one.addr, &summaries(&one, Some(nonce), &[shown(1)]));
            }
        }
        asked
    };
    let seldom = asked(&mut b, 3, 300);
    assert!((5..=12).contains(&seldom), "{seldom} questions in 300 s");
    b.recv_from(one.addr, &delta(&one, None, &StateHead { from: 1, ..head_of(&gone, 2) }, &[entry(2, "k", b"2")]));
    assert_eq!(b.node.state_version(gone.id), 2);
    let again = asked(&mut b, 3, 4);
    assert!((1..=2).contains(&again), "{again} questions in 4 s");
}

/// Two of whom each is ahead in something of the dead, and neither has more to give, do not tell each other so without end:
/// who may not ask yet is silent. Another one of the dead is asked for meanwhile.
#[test]
fn g10_who_may_not_ask_does_not_tell_in_turn() {
    let (mut b, peers) = Bench::with_peers(config(), 5);
    let (gone, one, another) = (peers[1], peers[2], peers[3]);
    hold(&mut b, &[gone, another]);
    b.recv_from(gone.addr, &rumors(&gone, &[rumor_of(&gone, 1, 1, b"r")]));
    b.run_with(ms(10_000), &peers);
    for dead in [gone, another] {
        b.recv(&one, None, &[accused(dead.id, Status::new(dead.incarnation, State::Left), &[])]);
    }
    b.run_with(ms(1), &peers);
    // One more version than is held, and no rumor.
    let shown = |of: &Peer| summaries(&one, None, &[Summary { version: 2, ..lacking(of) }]);
    b.clear();
    b.recv_from(one.addr, &shown(&gone));
    let nonce = b.sent.iter().find_map(nonce_of_digest).expect("it is asked for");
    assert_eq!(told(&mut b, &one), [[gone.id]], "and told what it lacks itself");
    b.recv_from(one.addr, &summaries(&one, Some(nonce), &[Summary { version: 2, ..lacking(&gone) }]));
    b.clear();
    b.recv_from(one.addr, &shown(&gone));
    assert!(b.sent.is_empty(), "{:?}", b.sent);
    b.recv_from(one.addr, &shown(&another));
    assert!(b.sent.iter().any(|s| nonce_of_digest(s).is_some()), "of another it knows nothing yet");
}

fn nonce_of_digest(s: &Sent) -> Option<u32> {
    match s.message() {
        Some(Message::Digest { nonce }) => Some(nonce),
        _ => None,
    }
}

/// A ping by this peer, which has nothing: the ack to it, and how many other datagrams were sent.
fn ack(b: &mut Bench, p: &Peer) -> (Sent, usize) {
    b.clear();
    let target = b.me();
    b.recv(p, Some(Message::Ping { target, nonce: 7 }), &[]);
    let is_ack = |s: &&Sent| s.message() == Some(Message::Ack { nonce: 7 });
    (b.sent.iter().find(is_ack).expect("an ack").clone(), b.sent.len() - 1)
}

/// An ack tells what has changed of late and is no news any more, and news, too.
#[test]
fn an_ack_has_summaries_and_news() {
    let (mut b, peers) = Bench::with_peers(config(), 30);
    hold(&mut b, &peers[..5]);
    b.command(Command::Put { key: "k", value: b"1", ttl: None });
    b.command(Command::Broadcast { topic: "t", payload: b"p" });
    let (ack, others) = ack(&mut b, &peers[20]);
    let frame = ack.frame();
    assert_eq!(frame.summaries().map(|s| s.id).collect::<BTreeSet<_>>(), ids(&peers[..5]));
    assert_eq!(frame.states().map(|s| (s.id, s.upto())).collect::<Vec<_>>(), [(b.me(), 1)]);
    assert_eq!(frame.rumors().map(|r| (r.id.origin, r.payload)).collect::<Vec<_>>(), [(b.me(), &b"p"[..])]);
    assert_eq!(others, 0, "what is in the ack is in no datagram of its own");
}

/// What a ping shows its sender to be behind with goes with what has changed of late into the ack, and into nothing
/// else.
#[test]
fn what_is_told_to_a_ping_is_in_the_ack() {
    let (mut b, peers) = Bench::with_peers(config(), 30);
    hold(&mut b, &peers[..10]);
    b.run_with(ms(10_000), &peers);
    hold(&mut b, &peers[10..15]);
    let (asker, target) = (peers[20], b.me());
    b.clear();
    let ping = written(&asker, |w| {
        assert!(w.message(Message::Ping { target, nonce: 7 }) && w.summaries(peers[..11].iter().map(lacking)));
    });
    b.recv_from(asker.addr, &ping);
    assert!(b.sent.len() == 1 && b.sent[0].message() == Some(Message::Ack { nonce: 7 }));
    let told = told(&mut b, &asker);
    assert_eq!((told[0].len(), told[0].iter().copied().collect()), (15, ids(&peers[..15])));
}

/// Where there is little room, summaries are in the ack, and news waits for the next gossip tick.
#[test]
fn summaries_of_an_ack_come_before_news() {
    let mut small = config();
    small.mtu = Config::MTU_MIN;
    let payload = vec![3; small.rumor_max() - 1];
    for full in [false, true] {
        let (mut b, peers) = Bench::with_peers(small.clone(), 40);
        hold(&mut b, &peers[..30]);
        b.command(Command::Broadcast { topic: "t", payload: &payload });
        if full {
            // Updates fill what is not kept free.
            (41..80).for_each(|n| b.admit(&peer(n)));
        }
        let (ack, others) = ack(&mut b, &peers[35]);
        let of: Vec<NodeId> = ack.frame().summaries().map(|s| s.id).collect();
        assert_eq!((ack.frame().rumors().count(), others), (0, 0));
        if full {
            assert!(ack.frame().updates().count() > 10 && (8..TOLD_BY_ACK).contains(&of.len()), "{}", of.len());
        } else {
            assert_eq!(of.len(), TOLD_BY_ACK);
        }
        assert!(of.iter().collect::<BTreeSet<_>>().len() == of.len() && of.iter().all(|id| ids(&peers).contains(id)));
        b.run_with(ms(1_000), &peers);
        assert!(b.sent.iter().any(|s| s.frame().rumors().any(|r| r.payload == payload)), "it is told soon");
    }
}

/// What an answer says is kept no more is given up for those whom its digest asked about, by the peer that was asked,
/// once. Anything else gives up nothing, and what is missing is taken when it comes.
#[test]
fn only_who_was_asked_gives_up_and_only_what_was_asked_about() {
    let (mut b, peers) = Bench::with_peers(config(), 4);
    let [teller, other, asked, not_asked] = peers[..] else { panic!() };
    for of in [asked, not_asked] {
        b.recv_from(of.addr, &rumors(&of, &[rumor_of(&of, 2, 1, b"second")]));
    }
    b.clear();
    let shown = Summary { last: 2, ..lacking(&asked) };
    b.recv_from(teller.addr, &summaries(&teller, None, &[shown]));
    let digest = b.sent.iter().find(|s| matches!(s.message(), Some(Message::Digest { .. }))).expect("a digest");
    assert!(digest.to == teller.addr && digest.frame().digests().map(|d| d.id).eq([asked.id]));
    let Some(Message::Digest { nonce }) = digest.message() else { unreachable!("it is one") };
    let gone = [asked, not_asked].map(|p| Summary { last: 2, floor: 2, ..lacking(&p) });
    let missed = |b: &Bench| (b.node.stats().rumors_missed, b.node.check());
    b.recv_from(teller.addr, &summaries(&teller, Some(nonce ^ 1), &gone));
    b.recv_from(other.addr, &summaries(&other, Some(nonce), &gone));
    b.recv_from(teller.addr, &summaries(&other, Some(nonce), &gone));
    b.recv_from(teller.addr, &summaries(&teller, None, &gone[..1]));
    assert_eq!(missed(&b), (0, Ok(())), "none of them is the answer");
    b.recv_from(teller.addr, &summaries(&teller, Some(nonce), &gone));
    assert_eq!(missed(&b), (1, Ok(())), "of whom was asked about, one is given up");
    b.recv_from(teller.addr, &summaries(&teller, Some(nonce), &gone));
    assert_eq!(missed(&b), (1, Ok(())), "there is one answer");
    let before = b.node.stats().rumors_received;
    let first = |of: &Peer| -> Rumor<'static> { rumor_of(of, 1, 1, b"first") };
    b.recv_from(teller.addr, &rumors(&teller, &[first(&asked), first(&not_asked)]));
    assert_eq!(b.node.stats().rumors_received, before + 1);
    assert!(b.node.rumor(first(&not_asked).id).is_some() && b.node.rumor(first(&asked).id).is_none());
}
