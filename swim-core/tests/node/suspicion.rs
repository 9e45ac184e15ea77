//! Suspicion, refutation, incarnations. Scenarios D1 to D3 and D5 to D10, P5.

use crate::util::*;
use swim_core::wire::Message;
use swim_core::wire::PAGE_END;
use swim_core::{Event, Incarnation, Instant, NodeId, State, Status};

const TOP: Incarnation = Incarnation::new(u32::MAX, Incarnation::MAX_REFUTATIONS);

/// A suspicion of me at my incarnation is refuted in the next datagram, one above; one below costs nothing.
#[test]
fn d1_refutation() {
    let (mut b, peers) = Bench::with_peers(config(), 5);
    let me = b.me();
    b.gossip(&peers[0], &[accused(me, status(0, State::Suspect), &[peers[1].id])]);
    assert_eq!(b.node.me().status(), status(1, State::Alive));
    assert_eq!(b.sent[0].update_of(me), Some(status(1, State::Alive)));
    assert_eq!(b.sent[0].at, b.now, "at once, not at the next tick");
    assert_eq!(b.events, [Event::Health { score: 1 }, Event::Refuted { incarnation: inc(1) }]);
    b.quiesce(&peers);
    for _ in 0..100 {
        b.gossip(&peers[0], &[accused(me, status(0, State::Suspect), &[peers[1].id])]);
    }
    assert_eq!((b.sent.len(), b.node.stats().claims_stale), (0, 100), "a stale accusation costs no datagram");
    assert_eq!(b.node.me().incarnation(), inc(1));
    // Suspected in a ping, it answers in the ack.
    b.recv(&peers[0], Some(Message::Ping { target: me, nonce: 7 }), &[accused(me, status(1, State::Suspect), &[])]);
    let ack = b.sent.iter().find(|s| s.message() == Some(Message::Ack { nonce: 7 })).unwrap();
    assert_eq!((ack.frame().incarnation, ack.update_of(me)), (inc(2), Some(status(2, State::Alive))));
}

/// The profile is part of what a refuted life says: whoever asks gets the current one.
#[test]
fn d1_refutation_carries_the_current_profile() {
    let (mut b, peers) = Bench::with_peers(config(), 2);
    let me = b.me();
    let profile = swim_core::Profile::new("me", b"new").unwrap();
    b.command(swim_core::Command::SetProfile(&profile));
    b.gossip(&peers[0], &[accused(me, status(1, State::Suspect), &[])]);
    let mut said =
        b.sent.iter().filter_map(|s| s.frame().updates().find(|i| i.id == me)?.detail().map(|d| d.meta.to_vec()));
    assert_eq!(said.next_back().as_deref(), Some(&b"new"[..]), "news that is still under way stays in the news");
}

/// A suspicion, death or leave of somebody unknown creates nobody and is not passed on.
#[test]
fn d2_only_the_living_are_created() {
    let (mut b, peers) = Bench::with_peers(config(), 3);
    let unknown = NodeId::new(77);
    for state in [State::Suspect, State::Dead, State::Left, State::Alive] {
        b.gossip(&peers[0], &[accused(unknown, status(3, state), &[])]);
    }
    b.run_with(ms(5_000), &peers);
    assert!(b.node.member(unknown).is_none() && b.events.is_empty());
    assert_eq!(b.node.stats().claims_unknown, 4);
    assert!(b.sent.iter().all(|s| s.update_of(unknown).is_none()));
}

/// A member that comes back while its old suspicion runs is not killed by it.
#[test]
fn d3_no_old_timer_kills_the_returned() {
    let (mut b, peers) = Bench::with_peers(config(), 4);
    let p = peers[0];
    b.gossip(&peers[1], &[accused(p.id, status(0, State::Suspect), &[peers[1].id])]);
    let back = Peer { incarnation: Incarnation::new(EPOCH + 1, 0), ..p };
    b.run_with(ms(2_000), &peers[1..]);
    b.admit(&back);
    let all = [&[back], &peers[1..]].concat();
    b.run_with(ms(120_000), &all);
    assert_eq!((b.state(&p), b.downs()), (Some(State::Alive), 0));
}

/// A claim about me at the highest incarnation pushes nothing to its end: not mine, not what others hold of me.
#[test]
fn d5_the_highest_incarnation() {
    for state in [State::Suspect, State::Dead, State::Left, State::Alive] {
        let (mut b, peers) = Bench::with_peers(config(), 3);
        let me = b.me();
        b.gossip(&peers[0], &[accused(me, Status::new(TOP, state), &[])]);
        assert_eq!(b.node.me().status(), status(0, State::Alive), "{state}: another epoch, and nobody was asked");
        b.gossip(&peers[0], &[accused(me, status(Incarnation::MAX_REFUTATIONS, state), &[])]);
        let mine = b.node.me().incarnation();
        if state == State::Alive {
            assert_eq!(mine, Incarnation::new(EPOCH + 1, 0), "another life spoke for this one: the next epoch");
        } else {
            assert_eq!((mine, b.node.stats().claims_implausible), (inc(0), 2), "{state}");
        }
    }
}

#[test]
fn d5_implausible_accusations_of_others() {
    let (mut b, peers) = Bench::with_peers(config(), 4);
    let p = peers[0];
    for s in [Status::new(TOP, State::Suspect), Status::new(TOP, State::Dead), status(65, State::Suspect)] {
        b.gossip(&peers[1], &[accused(p.id, s, &[])]);
    }
    assert_eq!((b.state(&p), b.node.stats().claims_implausible), (Some(State::Alive), 3));
    assert_eq!((b.suspects(), b.downs()), (0, 0));
    b.gossip(&peers[1], &[accused(p.id, status(64, State::Suspect), &[])]);
    assert_eq!(b.state(&p), Some(State::Suspect), "64 ahead is as far as an accusation may be");
}

/// At the ceiling of an epoch a refutation takes the next one.
#[test]
fn d5_the_ceiling() {
    let (mut b, peers) = Bench::with_peers(config(), 3);
    let me = b.me();
    let top = Incarnation::MAX_REFUTATIONS;
    let mut at = 0;
    // Walks up in the largest steps that count, near the end only.
    for n in [64, 128, 192] {
        b.gossip(&peers[0], &[accused(me, status(n, State::Suspect), &[])]);
        at = b.node.me().incarnation().refutations();
        assert_eq!(at, n + 1);
    }
    assert!(at < top);
    assert_eq!(inc(top).next(), Incarnation::new(EPOCH + 1, 0));
}

fn dead_after(b: &mut Bench, p: &Peer, answering: &[Peer]) -> u64 {
    let start = b.now;
    while b.state(p) == Some(State::Suspect) {
        b.run_with(ms(50), answering);
    }
    assert_eq!(b.state(p), Some(State::Dead));
    b.now.micros_since(start) / 1_000
}

/// Confirmations count once each, from known live members only; three of them bring the time-out to its minimum.
#[test]
fn d6_confirmations() {
    // n = 11 live members: log10(11) = 1.041, so 4.17 s at the shortest and 24.99 s at the longest. The formula at
    // C = 0, 1, 2, 3: 24.99, 14.58, 8.49, 4.17 s.
    let timeout = |accusers: &[NodeId]| {
        let (mut b, peers) = Bench::with_peers(config(), 10);
        for a in accusers {
            b.gossip(&peers[9], &[accused(peers[0].id, status(0, State::Suspect), &[*a])]);
        }
        // Everybody answers, the accused included: only the accusations count.
        dead_after(&mut b, &peers[0], &peers)
    };
    let ids: Vec<NodeId> = (1..=10).map(|n| peer(n).id).collect();
    let strangers: Vec<NodeId> = (500..510).map(|n| peer(n).id).collect();
    let near = |got: u64, want: u64| assert!(got.abs_diff(want) <= 60, "{got} ms for {want} ms");
    near(timeout(&ids[1..2]), 24_990);
    near(timeout(&ids[1..3]), 14_580);
    near(timeout(&ids[1..4]), 8_490);
    near(timeout(&ids[1..5]), 4_170);
    near(timeout(&ids[1..9]), 4_170);
    near(timeout(&[ids[1]; 10]), 24_990);
    near(timeout(&[&ids[1..2], &strangers].concat()), 24_990);
    near(timeout(&[ids[1], ids[0], ids[0]]), 24_990);
}

/// Accusers travel with the suspicion, so a hearer counts them however it reaches him.
#[test]
fn d6_confirmations_are_passed_on() {
    let (mut b, peers) = Bench::with_peers(config(), 10);
    let ids: Vec<NodeId> = peers[1..4].iter().map(|p| p.id).collect();
    for a in &ids {
        b.gossip(&peers[9], &[accused(peers[0].id, status(0, State::Suspect), &[*a])]);
    }
    b.run_with(ms(300), &peers);
    let last = b.sent.iter().rev().find_map(|s| s.frame().updates().find(|i| i.id == peers[0].id)).unwrap();
    let swim_core::wire::More::Accused(told) = last.more else { panic!("{last:?}") };
    assert_eq!(told.iter().collect::<Vec<_>>(), ids);
}

/// P5: nobody doubts itself, so an accusation by the accused alone is none: neither refuted nor believed.
#[test]
fn p5_a_suspicion_from_its_subject_is_none() {
    let (mut b, peers) = Bench::with_peers(config(), 10);
    let (me, at) = (b.me(), b.node.me().incarnation());
    b.gossip(&peers[9], &[accused(me, Status::new(at, State::Suspect), &[me])]);
    assert_eq!(b.node.me().incarnation(), at, "not refuted");
    b.gossip(&peers[9], &[accused(peers[0].id, status(0, State::Suspect), &[peers[0].id])]);
    assert_eq!(b.state(&peers[0]), Some(State::Alive));
    assert_eq!(b.node.stats().claims_implausible, 2);
    // With a witness besides it is one.
    b.gossip(&peers[9], &[accused(peers[0].id, status(0, State::Suspect), &[peers[0].id, peers[9].id])]);
    assert_eq!(b.state(&peers[0]), Some(State::Suspect));
}

/// P5: a suspicion in my own name that I never uttered, or in nobody's, confirms nothing.
#[test]
fn p5_nobody_accuses_in_my_name() {
    let (mut b, peers) = Bench::with_peers(config(), 10);
    let me = b.me();
    for a in [peers[1].id, me, NodeId::new(0)] {
        b.gossip(&peers[9], &[accused(peers[0].id, status(0, State::Suspect), &[a])]);
    }
    assert_eq!(b.node.stats().confirmations, 0);
}

/// In a cluster too small for confirmations the time-out is the shortest from the start.
#[test]
fn d6_two_nodes() {
    let (mut b, peers) = Bench::with_peers(config(), 1);
    b.ping_to(&peers[0], &peers);
    b.run(ms(1_000));
    assert_eq!(b.state(&peers[0]), Some(State::Suspect));
    let t = dead_after(&mut b, &peers[0], &[]);
    assert!(t.abs_diff(4_000) <= 60, "{t}");
}

/// Only a strictly higher incarnation revives the dead.
#[test]
fn d7_alive_after_dead() {
    let (mut b, peers) = Bench::with_peers(config(), 3);
    let p = peers[0];
    b.gossip(&peers[1], &[accused(p.id, status(5, State::Dead), &[])]);
    b.clear();
    for refutations in [0, 4, 5] {
        b.gossip(&peers[1], &[accused(p.id, status(refutations, State::Alive), &[])]);
        // Its own replayed introduction, too.
        b.admit(&Peer { incarnation: inc(refutations), ..p });
        assert_eq!(b.state(&p), Some(State::Dead), "at {refutations}");
    }
    assert!(b.events.is_empty());
    b.gossip(&Peer { incarnation: inc(6), ..p }, &[]);
    assert_eq!(b.events, [Event::MemberUp { id: p.id, incarnation: inc(6) }]);
}

/// Reported dead in rows that were pulled, a member that is seen alive becomes suspect, so that it can refute.
#[test]
fn d8_a_death_in_pulled_rows_is_a_suspicion() {
    let mut b = Bench::new(config());
    let (seed, p, q) = (peer(1), peer(2), peer(3));
    [p, q].iter().for_each(|p| b.admit(p));
    b.clear();
    b.command(swim_core::Command::Join(&[seed.addr]));
    let Some(Message::Pull { nonce }) = b.sent[0].message() else { panic!("the seed is asked") };
    let rows = [row(&seed), accused(p.id, status(0, State::Dead), &[]), accused(q.id, status(0, State::Left), &[])];
    b.recv_from(seed.addr, &frame(&seed, Some(Message::Page { nonce, next: PAGE_END }), &[], &rows));
    assert_eq!(b.state(&p), Some(State::Suspect));
    assert_eq!(b.state(&q), Some(State::Left), "only the subject says that it left");
    assert!(b.events.contains(&Event::Joined { members: 3 }));
    // Gossip of a death is a verdict after a full suspicion, and holds.
    b.gossip(&seed, &[accused(p.id, status(0, State::Dead), &[])]);
    assert_eq!(b.state(&p), Some(State::Dead));
}

/// A ping to a suspect carries the suspicion, however full the queue is.
#[test]
fn d9_the_suspect_is_told_in_its_ping() {
    let mut c = config();
    (c.mtu, c.suspicion_beta) = (800, 100);
    let (mut b, peers) = Bench::with_peers(c, 150);
    b.gossip(&peers[1], &[accused(peers[0].id, status(0, State::Suspect), &[peers[1].id])]);
    let mut raised = peers.clone();
    let nonce = loop {
        // News of everybody, always fresh: far more than a datagram holds.
        for p in &mut raised[1..] {
            p.incarnation = p.incarnation.next();
            b.gossip(p, &[]);
        }
        let (p, nonce) = b.next_ping(&raised);
        if p.id == peers[0].id {
            break nonce;
        }
        b.recv(&p, Some(Message::Ack { nonce }), &[]);
    };
    let ping = b.sent.iter().rev().find(|s| s.to == peers[0].addr).unwrap();
    assert_eq!(ping.message(), Some(Message::Ping { target: peers[0].id, nonce }));
    assert_eq!(ping.frame().updates().next().map(|i| (i.id, i.status)), Some((peers[0].id, status(0, State::Suspect))));
    assert!(ping.bytes.len() > 700, "and the rest of the datagram is news");
    // It refutes within this round trip.
    let refuted = Peer { incarnation: inc(1), ..peers[0] };
    b.recv(&refuted, Some(Message::Ack { nonce }), &[]);
    assert_eq!(b.state(&peers[0]), Some(State::Alive));
}

/// A message from a suspect at the suspected incarnation proves nothing; its ack to my probe neither.
#[test]
fn d10_a_message_does_not_clear_a_suspicion() {
    let (mut b, peers) = Bench::with_peers(config(), 5);
    let p = peers[0];
    b.gossip(&peers[1], &[accused(p.id, status(0, State::Suspect), &[peers[1].id])]);
    b.gossip(&p, &[]);
    let me = b.me();
    b.recv(&p, Some(Message::Ping { target: me, nonce: 1 }), &[]);
    b.run_with(ms(6_000), &peers);
    assert_eq!(b.state(&p), Some(State::Suspect));
    b.gossip(&Peer { incarnation: inc(1), ..p }, &[]);
    assert_eq!(b.state(&p), Some(State::Alive));
}

/// A sender that does not know that it is held dead is told at once, so that it can refute; at a bounded rate.
#[test]
fn the_dead_are_told() {
    let (mut b, peers) = Bench::with_peers(config(), 3);
    let p = peers[0];
    b.gossip(&peers[1], &[accused(p.id, status(0, State::Dead), &[])]);
    b.clear();
    b.gossip(&p, &[]);
    assert_eq!((b.sent.len(), b.sent[0].to, b.sent[0].update_of(p.id)), (1, p.addr, Some(status(0, State::Dead))));
    for _ in 0..100 {
        b.gossip(&p, &[]);
    }
    assert_eq!(b.sent.len(), 8, "so many per period, and no more");
}

/// Both hold each other dead; one hears of it and refutes, the other follows.
#[test]
fn the_dead_may_speak_about_me() {
    let (mut b, peers) = Bench::with_peers(config(), 3);
    let (p, me) = (peers[0], b.me());
    b.gossip(&peers[1], &[accused(p.id, status(0, State::Dead), &[])]);
    let victim = accused(peers[2].id, status(0, State::Dead), &[]);
    b.gossip(&p, &[victim, accused(me, status(0, State::Dead), &[])]);
    assert_eq!(b.node.me().incarnation(), inc(1));
    assert_eq!(b.state(&peers[2]), Some(State::Alive), "about others it is not heard");
    // A15: a stranger is not even heard about me.
    b.gossip(&peer(60), &[accused(me, status(1, State::Dead), &[])]);
    assert_eq!(b.node.me().incarnation(), inc(1));
}

/// More suspicions than are counted still run out.
#[test]
fn suspicions_are_bounded() {
    let mut c = config();
    c.suspicions_max = 2;
    let (mut b, peers) = Bench::with_peers(c, 20);
    let by = [peers[19].id];
    for p in &peers[..6] {
        b.gossip(&peers[19], &[accused(p.id, status(0, State::Suspect), &by)]);
    }
    assert_eq!(b.node.stats().suspicions_untracked, 4);
    b.run_with(ms(60_000), &peers[6..]);
    assert!(peers[..6].iter().all(|p| b.state(p) == Some(State::Dead)));
    assert!(b.now > Instant::ORIGIN);
}

/// However many accusations come in one moment, the answers and what local health loses are bounded.
#[test]
fn a_flood_of_accusations_costs_little() {
    let (mut b, peers) = Bench::with_peers(config(), 30);
    let me = b.me();
    for _ in 0..1_000 {
        let at = b.node.me().incarnation();
        b.gossip(&peers[0], &[accused(me, Status::new(at, State::Suspect), &[])]);
    }
    assert_eq!(b.node.me().incarnation(), inc(1_000), "each is refuted");
    assert_eq!(b.sent.len(), 8 * b.node.config().gossip_fanout, "but so many times per period at once");
}

/// Nobody believes an incarnation that its subject could not go past.
#[test]
fn d5_alive_at_the_end_of_all_incarnations() {
    let (mut b, peers) = Bench::with_peers(config(), 3);
    b.gossip(&peers[1], &[accused(peers[0].id, Status::alive(TOP), &[])]);
    assert_eq!(b.node.member(peers[0].id).unwrap().incarnation(), inc(0));
    b.admit(&Peer { incarnation: TOP, ..peer(50) });
    assert!(b.node.member(peer(50).id).is_none());
    assert_eq!(b.node.stats().claims_implausible, 2);
}

/// Heard of in answer to its own question, a later life of mine is gone past, up to the last epoch.
#[test]
fn a2_a_later_life_of_mine() {
    for known in [Incarnation::new(EPOCH + 9_900, 7), Incarnation::new(u32::MAX, 5)] {
        let mut b = Bench::new(config());
        let seed = peer(1);
        b.command(swim_core::Command::Join(&[seed.addr]));
        let Some(Message::Pull { nonce, .. }) = b.sent[0].message() else { panic!() };
        let belief = [accused(b.me(), Status::alive(known), &[])];
        let page = Message::Page { nonce, next: PAGE_END };
        b.recv_from(seed.addr, &frame(&seed, Some(page), &belief, &[row(&seed)]));
        assert!(b.node.me().incarnation() > known);
        assert_eq!(b.node.me().detail_at(), b.node.me().incarnation(), "and writes its address anew");
    }
}

/// Whoever answers a question of mine holds me dead at an incarnation far ahead of mine, to which somebody has led it in small
/// steps. Nobody would take me for alive again if that went unheard. Unasked it is refused.
#[test]
fn d5_a_death_far_ahead_that_is_believed_is_gone_past() {
    let last = Status::alive(Incarnation::new(u32::MAX, 2));
    for earlier in [None, Some(last)] {
        let (mut b, peers) = Bench::with_peers(config(), 3);
        let me = b.me();
        if let Some(other) = earlier {
            let (p, nonce) = b.next_ping(&peers);
            b.recv(&p, Some(Message::Ack { nonce }), &[accused(me, other, &[])]);
        }
        let mine = b.node.me().incarnation();
        let dead = Status::new(Incarnation::new(mine.epoch(), 5_000), State::Dead);
        b.gossip(&peers[0], &[accused(me, dead, &[])]);
        assert_eq!((b.node.me().incarnation(), b.node.stats().claims_implausible), (mine, 1));
        let (p, nonce) = b.next_ping(&peers);
        b.recv(&p, Some(Message::Ack { nonce }), &[accused(me, dead, &[])]);
        assert!(Status::alive(b.node.me().incarnation()) > dead, "{:?}", b.node.me().incarnation());
    }
}

/// The bound on members at one address holds for those who come back, too.
#[test]
fn aliases_are_bounded() {
    let mut b = Bench::new(config());
    let mut all: Vec<Peer> = Vec::new();
    for round in 0..3 {
        for n in 0..64 {
            let p = Peer { addr: addr(7), ..peer(1_000 + round * 64 + n) };
            b.admit(&p);
            all.push(p);
        }
        for p in &all {
            b.gossip(p, &[accused(p.id, Status::new(p.incarnation, State::Left), &[])]);
        }
    }
    for p in &all {
        b.gossip(&Peer { incarnation: inc(1), ..*p }, &[]);
    }
    assert_eq!((b.node.live_count(), b.node.stats().addresses_refused), (65, 128));
}
