//! News that comes after quiet, and news that says again what was once said. Scenarios F1 and F8.
//!
//! There are no user messages yet: news is what changes in the table, and what a member says about itself.

use crate::util::*;
use swim_core::wire::{Detail, Item, Message, More};
use swim_core::{Command, Event, Identity, Incarnation, Node, NodeId, Profile, State, Status};

fn told(b: &Bench, id: NodeId) -> usize {
    b.sent.iter().filter(|s| s.update_of(id).is_some()).count()
}

/// F1: the queue runs empty, and then two updates of the same length come one after the other, about two members: both
/// are told as often as any other. So again and again, and whichever of the two comes first.
#[test]
fn f1_two_updates_after_the_queue_was_empty() {
    let (mut b, mut peers) = Bench::with_peers(config(), 30);
    let limit = b.node.config().retransmit_limit(31);
    for round in 0..20 {
        assert_eq!(b.node.gossip_queued(), 0, "drained in round {round}");
        let pair = if round % 2 == 0 { [3, 17] } else { [17, 3] };
        for i in pair {
            peers[i].incarnation = peers[i].incarnation.next();
            b.gossip(&peers[29], &[accused(peers[i].id, Status::alive(peers[i].incarnation), &[])]);
        }
        assert_eq!(b.node.gossip_queued(), 2);
        b.run_with(ms(20_000), &peers);
        for i in pair {
            // A datagram to the subject itself counts, but need not say it.
            let times = told(&b, peers[i].id);
            assert!((limit - 2..=limit).contains(&times), "round {round}: {times} times, of {limit}");
            let last = b.sent.iter().rev().find_map(|s| s.update_of(peers[i].id));
            assert_eq!(last, Some(Status::alive(peers[i].incarnation)), "and it is the newest");
        }
        b.clear();
    }
}

/// F1, of one's own: two profiles of the same length set in one go after quiet. The second stands for both.
#[test]
fn f1_the_later_of_two_profiles_is_told() {
    let (mut b, peers) = Bench::with_peers(config(), 5);
    let me = b.me();
    for round in 0..20_u8 {
        b.clear();
        for meta in [[round, 0], [round, 1]] {
            b.command(Command::SetProfile(&Profile::new("me", &meta).unwrap()));
        }
        b.run_with(ms(5_000), &peers);
        let said: Vec<Vec<u8>> = b
            .sent
            .iter()
            .filter_map(|s| s.frame().updates().find(|i| i.id == me)?.detail().map(|d| d.meta.to_vec()))
            .collect();
        assert_eq!(said.last(), Some(&vec![round, 1]), "{said:?}");
        assert_eq!(said.iter().filter(|m| **m == [round, 1]).count(), b.node.config().retransmit_limit(6));
        assert_eq!(b.node.gossip_queued(), 0);
    }
}

/// Everything that `from` sent reaches `to` as the word of a member that is heard at `addr`.
fn pass_on(from: &mut Bench, to: &mut Bench) {
    let addr = from.node.me().addr();
    for s in std::mem::take(&mut from.sent) {
        to.recv_from(addr, &s.bytes);
    }
    // Nobody else hears what `to` makes of it.
    to.sent.clear();
}

/// F8: a member says x, then y, then x again, and is started anew and says y and x once more. Each is an update under an
/// incarnation greater than all before, each is told, and each reaches a receiver that had heard the same words earlier.
/// The same words twice in a row are one: nothing has changed.
#[test]
fn f8_the_same_profile_again_is_told_again() {
    let life = |epoch, now| {
        let profile = Profile::new("me", b"x").unwrap();
        let me = Identity { id: NodeId::from_name("me"), addr: addr(0), epoch, profile };
        let mut b = Bench::new(config());
        (b.node, b.now) = (Node::new(me, config(), u64::from(epoch), now).unwrap(), now);
        b
    };
    let receiver_addr = addr(1);
    let id = NodeId::from_name("me");
    let mut receiver = Bench::new(config());
    let me = Identity { id: NodeId::from_name("b"), addr: receiver_addr, epoch: EPOCH, profile: Profile::default() };
    receiver.node = Node::new(me, config(), 9, receiver.now).unwrap();
    let p = Peer { id: NodeId::from_name("b"), addr: receiver_addr, incarnation: inc(0) };

    let mut last: Option<Incarnation> = None;
    for epoch in [EPOCH, EPOCH + 1] {
        let mut member = life(epoch, receiver.now);
        let first = member.node.me().incarnation();
        assert!(last.is_none_or(|l| first > l), "a later life starts above all that an earlier one said");
        last = Some(first);
        // It introduces itself, as a joiner does.
        let more = More::Detail(Detail { at: first, addr: addr(0), name: "me", meta: b"x" });
        let itself = Peer { id, addr: addr(0), incarnation: first };
        let row = Item { id, status: Status::alive(first), more };
        receiver.proving(addr(0), frame(&itself, None, &[], &[row]));
        member.admit(&p);
        member.quiesce(&[p]);
        for meta in [b"y", b"x", b"y", b"x"] {
            (member.now, receiver.now) = (receiver.now.max(member.now), receiver.now.max(member.now));
            member.clear();
            receiver.clear();
            member.command(Command::SetProfile(&Profile::new("me", meta).unwrap()));
            let now = member.node.me().incarnation();
            assert!(last.is_none_or(|l| now > l), "{now:?} after {last:?}");
            last = Some(now);
            // The same again changes nothing, and takes no incarnation.
            member.command(Command::SetProfile(&Profile::new("me", meta).unwrap()));
            assert_eq!(member.node.me().incarnation(), now);
            // A profile changes once per second.
            member.run_with(ms(1_000), &[p]);
            let times = told(&member, id);
            assert_eq!(times, member.node.config().retransmit_limit(2), "{meta:?} in epoch {epoch}");
            pass_on(&mut member, &mut receiver);
            let updates = receiver.events.iter().filter(|e| **e == Event::MemberUpdated { id }).count();
            assert_eq!(updates, 1, "{meta:?} in epoch {epoch}: {:?}", receiver.events);
            let row = receiver.node.member(id).unwrap();
            assert_eq!((row.profile().meta(), row.detail_at()), (&meta[..], now));
            assert_eq!(row.state(), State::Alive);
        }
    }
}

/// Who shows another view hears in the answer what was news until a moment ago: within the patience, and nobody else.
#[test]
fn who_has_missed_something_is_reminded() {
    let (mut b, peers) = Bench::with_peers(config(), 10);
    let says = |s: &Sent, p: &Peer| s.frame().updates().any(|item| item.id == p.id);
    b.gossip(&peers[1], &[accused(peers[0].id, status(1, State::Alive), &[])]);
    let mut raised = peers.clone();
    raised[0].incarnation = inc(1);
    let told = b.now;
    while b.node.gossip_queued() > 0 {
        b.run_with(ms(100), &raised);
    }
    let ask = |b: &mut Bench, agree: bool| {
        b.agree = agree;
        b.clear();
        b.recv(&peers[2], Some(Message::Ping { target: b.me(), nonce: 7 }), &[]);
        let ack = b.sent.iter().find(|s| s.message() == Some(Message::Ack { nonce: 7 })).expect("an ack");
        says(ack, &peers[0])
    };
    assert!(b.now.since(told) < ms(2_000));
    b.run_with(ms(1), &raised);
    assert!(!ask(&mut b, true), "who has the same view has heard it");
    assert!(ask(&mut b, false), "who has another may have missed it");
    // The answer to a probe of this node's own shows it, too: then it is told at once.
    b.agree = true;
    b.clear();
    let (p, nonce) = b.next_ping(&raised);
    b.agree = false;
    b.clear();
    b.recv(&p, Some(Message::Ack { nonce }), &[]);
    let reminder = |s: &Sent| s.message().is_none() && s.to == p.addr && says(s, &peers[0]);
    assert!(p.id == peers[0].id || b.sent.iter().any(reminder), "{:?}", b.sent);
    b.agree = true;
    b.run_with(ms(3_000), &raised);
    assert!(!ask(&mut b, false), "later a sync brings it");
}

/// Once as many different members have shown that they have this node's view as it would tell, its news is none any more;
/// a suspicion, which no view hash covers, is. One member that repeats the hash does not count for many.
#[test]
fn what_enough_members_know_is_no_news() {
    let (mut b, peers) = Bench::with_peers(config(), 30);
    let limit = b.node.config().retransmit_limit(31);
    let accuser = [peers[3].id];
    let suspicion = accused(peers[2].id, status(0, State::Suspect), &accuser);
    b.gossip(&peers[29], &[accused(peers[0].id, status(1, State::Alive), &[]), suspicion]);
    assert_eq!(b.node.gossip_queued(), 2);
    for _ in 0..3 * limit {
        b.gossip(&peers[5], &[]);
    }
    assert_eq!((b.node.gossip_queued(), b.node.stats().news_settled), (2, 0), "an echo silences nobody");
    // Something new begins the count anew.
    for p in &peers[6..4 + limit] {
        b.gossip(p, &[]);
    }
    b.gossip(&peers[28], &[accused(peers[1].id, status(1, State::Alive), &[])]);
    for p in &peers[6..4 + limit] {
        b.gossip(p, &[]);
    }
    assert_eq!((b.node.gossip_queued(), b.node.stats().news_settled), (3, 0));
    b.gossip(&peers[20], &[]);
    b.gossip(&peers[21], &[]);
    assert_eq!((b.node.gossip_queued(), b.node.stats().news_settled), (1, 2), "the suspicion is still told");
}

/// What a node says of itself is for those who doubt it: no agreement of others ends it.
#[test]
fn a_refutation_is_told_to_the_end() {
    let (mut b, peers) = Bench::with_peers(config(), 30);
    let (me, accuser) = (b.me(), [peers[3].id]);
    b.gossip(&peers[3], &[accused(me, status(0, State::Suspect), &accuser)]);
    assert_eq!(b.node.gossip_queued(), 1);
    for p in &peers[4..20] {
        b.gossip(p, &[]);
    }
    assert_eq!((b.node.gossip_queued(), b.node.stats().news_settled), (1, 0));
}

/// News that changes no view hash, as that a dead member has left, is not taken for known on old agreement.
#[test]
fn agreement_counts_from_the_last_news_on() {
    let (mut b, peers) = Bench::with_peers(config(), 30);
    let limit = b.node.config().retransmit_limit(29);
    b.gossip(&peers[29], &[accused(peers[1].id, status(0, State::Dead), &[])]);
    for p in &peers[5..4 + limit] {
        b.gossip(p, &[]);
    }
    let (queued, hash) = (b.node.gossip_queued(), b.node.view_hash());
    b.gossip(&peers[28], &[accused(peers[1].id, status(0, State::Left), &[])]);
    b.gossip(&peers[27], &[]);
    assert_eq!((b.node.gossip_queued(), b.node.stats().news_settled, b.node.view_hash()), (queued, 0, hash));
}

/// News that was settled is recent like any other that is told no more.
#[test]
fn what_was_settled_is_recent() {
    let (mut b, mut peers) = Bench::with_peers(config(), 30);
    let limit = b.node.config().retransmit_limit(31);
    b.gossip(&peers[29], &[accused(peers[0].id, status(1, State::Alive), &[])]);
    peers[0].incarnation = inc(1);
    for p in &peers[5..5 + limit] {
        b.gossip(p, &[]);
    }
    assert_eq!(b.node.stats().news_settled, 1);
    b.run_with(ms(300), &peers);
    b.clear();
    b.agree = false;
    b.recv(&peers[20], Some(Message::Ping { target: b.me(), nonce: 5 }), &[]);
    assert!(b.sent.iter().any(|s| s.to == peers[20].addr && s.update_of(peers[0].id).is_some()));
}
