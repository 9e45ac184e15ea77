//! Two members at one address: the operator hears of it, the cluster is not kept busy, and the dead die all the same.

use std::time::Duration;

use crate::util::*;
use swim_core::wire::{Item, Message};
use swim_core::{Config, Event, Fact, Instant, NodeId, State};

/// Periods of one length, whatever fails.
fn healthy() -> Config {
    let mut c = config();
    c.health_max = 0;
    c
}

fn conflicts(b: &Bench) -> Vec<(NodeId, NodeId)> {
    let told = |e: &Event| if let Event::AddressConflict { id, with } = *e { Some((id, with)) } else { None };
    b.events.iter().filter_map(told).collect()
}

fn suspicions_of(b: &Bench, p: &Peer) -> usize {
    b.events.iter().filter(|e| matches!(e, Event::MemberSuspect { id, .. } if *id == p.id)).count()
}

/// Lets time pass while `wrong` answers whatever `targets` are asked, and all others answer for themselves. Who of the targets is
/// suspected refutes where `refutes` holds.
fn run_misdirected(b: &mut Bench, d: Duration, targets: &mut [Peer], wrong: &Peer, others: &[Peer], refutes: bool) {
    let end = b.now + d;
    loop {
        let (seen, told) = (b.sent.len(), b.events.len());
        if !b.step(end) {
            return;
        }
        let new = b.sent[seen..].to_vec();
        for s in new {
            if let (Some(Message::Ping { nonce, .. }), true) = (s.message(), targets.iter().any(|t| t.addr == s.to)) {
                b.recv_from(s.to, &frame(wrong, Some(Message::NotMe { nonce }), &[], &[]));
            }
        }
        b.answer_pings(others);
        let suspected: Vec<Event> = b.events[told..].to_vec();
        for target in targets.iter_mut().filter(|_| refutes) {
            if suspected.iter().any(|e| matches!(e, Event::MemberSuspect { id, .. } if *id == target.id)) {
                target.incarnation = target.incarnation.next();
                b.gossip(&others[0], &[Item::status(target.id, swim_core::Status::alive(target.incarnation))]);
            }
        }
        b.sent.clear();
    }
}

/// A member that is there, and whose address another one answers: it is suspected twice, then spared; told once a minute, and why
/// says so. When it does not show that it is there any more, it dies.
#[test]
fn a_member_whose_address_another_answers_is_told_and_spared() {
    let (mut b, peers) = Bench::with_peers(healthy(), 5);
    let (mut target, wrong) = ([peers[0]], peer(70));
    run_misdirected(&mut b, ms(290_000), &mut target, &wrong, &peers[1..], true);
    assert_eq!(b.state(&target[0]), Some(State::Alive));
    assert_eq!(suspicions_of(&b, &target[0]), 2, "then it has shown that it is there");
    let told = conflicts(&b);
    assert!(told.iter().all(|&pair| pair == (target[0].id, wrong.id)) && (4..=5).contains(&told.len()), "{told:?}");
    assert!(b.node.stats().verdicts_withheld > 20, "{:?}", b.node.stats());
    assert!(b.node.why(target[0].id).any(|e| e.fact == Fact::AnsweredByAnother { by: wrong.id }));
    assert_eq!(b.suspects(), 2, "nobody else is");
    // Its last refutation was heard in the first minute: it is accused again in time, and refutes no more.
    run_misdirected(&mut b, ms(120_000), &mut target, &wrong, &peers[1..], false);
    assert_eq!(b.state(&target[0]), Some(State::Dead));
    assert_eq!(suspicions_of(&b, &target[0]), 3);
}

/// What has been replaced refutes nothing, and dies as soon as any that is gone; one event says who is there now.
#[test]
fn a_member_that_was_replaced_dies_on_schedule() {
    let died = |answered: bool| {
        let (mut b, peers) = Bench::with_peers(config(), 5);
        let (mut target, begun) = ([peers[0]], b.now);
        let wrong = if answered { peer(70) } else { Peer { addr: addr(900), ..peer(70) } };
        let mut at = None;
        while at.is_none() && b.now < begun + ms(60_000) {
            if answered {
                run_misdirected(&mut b, ms(100), &mut target, &wrong, &peers[1..], false);
            } else {
                b.run_with(ms(100), &peers[1..]);
            }
            at = (b.downs() > 0).then(|| b.now.since(begun));
        }
        (at.expect("it dies"), conflicts(&b).len(), b.node.stats().verdicts_withheld)
    };
    let (silent, replaced) = (died(false), died(true));
    assert_eq!((silent.1, silent.2), (0, 0));
    assert_eq!((replaced.0, replaced.1, replaced.2), (silent.0, 1, 0));
}

/// What a relay says with a nonce.
type Say = fn(u32) -> Message;

/// Who sees that another member lives at its own address cannot tell silence from answers that the other has got; unless it
/// hears from relays that they heard nothing either.
#[test]
fn who_shares_its_address_accuses_nobody_else() {
    // A relay that has asked nobody says so at once, and that speaks for its being there alone.
    let refuses = |nonce| Message::NotMe { nonce };
    let nacks = |nonce| Message::Nack { nonce };
    let says: [Option<Say>; 4] = [None, None, Some(nacks), Some(refuses)];
    for (case, says) in says.into_iter().enumerate() {
        let raised = u32::from(case > 0);
        let nacks = case == 2;
        let (mut b, peers) = Bench::with_peers(config(), 5);
        let mut twin = Peer { addr: b.node.me().addr(), ..peer(60) };
        b.gossip(&peers[0], &[row(&twin)]);
        assert_eq!(b.state(&twin), Some(State::Alive));
        for _ in 0..raised {
            twin.incarnation = twin.incarnation.next();
            b.gossip(&peers[0], &[Item::status(twin.id, swim_core::Status::alive(twin.incarnation))]);
        }
        // A row at the own address is nothing unusual: somebody's former one, of whom nothing has been heard since.
        run_relayed(&mut b, ms(60_000), if says.is_some() { &peers } else { &[] }, says.unwrap_or(refuses));
        let others = b.suspects() - suspicions_of(&b, &twin);
        assert_eq!(others == 0, raised == 1 && !nacks, "{others} others are accused, {raised}, {nacks}");
        assert!(nacks || (b.node.stats().verdicts_withheld > 0) == (raised == 1));
        let told = conflicts(&b);
        assert!(told.iter().all(|&pair| pair == (twin.id, b.me())) && told.len() <= 1, "{told:?}");
    }
}

/// Lets time pass while nobody answers but relays, which say this.
fn run_relayed(b: &mut Bench, d: Duration, relays: &[Peer], say: Say) {
    let end = b.now + d;
    loop {
        let seen = b.sent.len();
        if !b.step(end) {
            return;
        }
        let new = b.sent[seen..].to_vec();
        for s in new {
            let relay = relays.iter().find(|relay| relay.addr == s.to);
            if let Some((relay, Message::PingReq { nonce, .. })) = relay.zip(s.message()) {
                b.recv(relay, Some(say(nonce)), &[]);
            }
        }
    }
}

/// A member that comes back from the dead shares its address with nobody, and nothing is made of it.
#[test]
fn who_was_dead_shares_its_address_with_nobody() {
    let (mut b, peers) = Bench::with_peers(healthy(), 5);
    let (mut target, wrong) = ([peers[0]], peer(70));
    for _ in 0..3 {
        let dead = swim_core::Status::new(target[0].incarnation, State::Dead);
        b.gossip(&peers[1], &[Item::status(target[0].id, dead)]);
        target[0].incarnation = target[0].incarnation.next();
        b.gossip(&peers[1], &[Item::status(target[0].id, swim_core::Status::alive(target[0].incarnation))]);
    }
    assert_eq!(b.state(&target[0]), Some(State::Alive));
    // Now it is gone, and another has its address.
    run_misdirected(&mut b, ms(60_000), &mut target, &wrong, &peers[1..], false);
    assert_eq!((b.state(&target[0]), b.node.stats().verdicts_withheld), (Some(State::Dead), 0));
}

/// Where many addresses are answered by others, sixteen of them are told of in a minute.
#[test]
fn events_of_many_conflicts_are_bounded() {
    let mut c = config();
    (c.health_max, c.indirect_probes) = (0, 0);
    let (mut b, mut peers) = Bench::with_peers(c, 40);
    let (wrong, others) = (peer(70), peers.split_off(39));
    run_misdirected(&mut b, ms(59_000), &mut peers, &wrong, &others, false);
    let told = conflicts(&b);
    assert_eq!(told.len(), 16, "{told:?}");
    let stats = b.node.stats();
    assert!(stats.wrong_responders > 30 && stats.conflicts_untold > 60, "{stats:?}");
    assert_eq!(b.node.check(), Ok(()));
}

/// The state of conflicts is part of a snapshot: a copy does what the node does.
#[test]
fn a_restored_node_spares_as_well() {
    let (mut b, peers) = Bench::with_peers(healthy(), 5);
    let (mut target, wrong) = ([peers[0]], peer(70));
    run_misdirected(&mut b, ms(60_000), &mut target, &wrong, &peers[1..], true);
    let bytes = b.node.snapshot();
    let mut twin = Bench::new(config());
    (twin.node, twin.now) = (swim_core::Node::restore(&bytes).unwrap(), b.now);
    b.clear();
    for x in [&mut b, &mut twin] {
        run_misdirected(x, ms(150_000), &mut target, &wrong, &peers[1..], true);
    }
    assert!(!conflicts(&b).is_empty() && b.now > Instant::ORIGIN);
    assert_eq!(b.events, twin.events);
    assert_eq!(b.node.snapshot(), twin.node.snapshot());
}
