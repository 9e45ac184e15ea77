//! The probe cycle: direct, indirect, nack, and everything that must not count as an answer. Scenarios C1 to C10, C12 and C16.

use crate::util::*;
use swim_core::wire::{Detail, Item, Message, More};
use swim_core::{Event, Fact, Incarnation, Input, Instant, NodeId, State};

/// A direct ping has gone unanswered, and the relays have just been asked.
fn asked(n: u32) -> (Bench, Vec<Peer>, Peer, u32, Vec<Peer>) {
    let (mut b, peers) = Bench::with_peers(config(), n);
    let target = peers[0];
    let nonce = b.ping_to(&target, &peers);
    let seen = b.sent.len();
    b.run(ms(500));
    let reqs = b.ping_reqs(seen);
    assert!(reqs.iter().all(|&(_, t, x)| t == target.id && x == nonce));
    let relays = reqs.iter().map(|(to, ..)| *peers.iter().find(|p| p.addr == *to).unwrap()).collect();
    (b, peers, target, nonce, relays)
}

#[test]
fn c16_a_silent_target_is_suspect_only_at_the_full_deadline() {
    // Not when the direct time-out passes, not when relays have been asked.
    let (mut b, _, target, _, relays) = asked(6);
    assert_eq!(relays.len(), 3);
    b.run(ms(499));
    assert_eq!(b.state(&target), Some(State::Alive));
    b.run(ms(1));
    assert_eq!(b.state(&target), Some(State::Suspect));
    let by = Some(b.me());
    let incarnation = target.incarnation;
    assert!(b.events.contains(&Event::MemberSuspect { id: target.id, incarnation, by }));
}

/// The host sleeps 10 s and then hears everything at once: nobody is suspected for that interval.
#[test]
fn c1_a_sleeping_node_convicts_nobody() {
    for woken_by_timeout in [true, false] {
        let (mut b, peers) = Bench::with_peers(config(), 5);
        let target = peers[0];
        let nonce = b.ping_to(&target, &peers);
        b.now = b.now + ms(10_000);
        if woken_by_timeout {
            b.handle(Input::Timeout);
        }
        b.recv(&target, Some(Message::Ack { nonce }), &[]);
        b.handle(Input::Timeout);
        assert_eq!(b.suspects(), 0);
        assert!(b.node.health() > 0, "it trusts itself less");
        b.run_with(ms(30_000), &peers);
        assert_eq!((b.suspects(), b.downs()), (0, 0));
        assert_eq!(b.node.health(), 0, "and more again when its probes are answered");
        assert_eq!(b.node.stats().pauses, 1);
    }
}

/// A suspicion that would have run out during the sleep does not run out on waking.
#[test]
fn c1_no_death_without_fresh_evidence() {
    let (mut b, peers) = Bench::with_peers(config(), 5);
    let others = &peers[1..];
    b.gossip(&peers[1], &[accused(peers[0].id, status(0, State::Suspect), &[peers[1].id])]);
    b.run_with(ms(1_000), others);
    b.now = b.now + ms(600_000);
    b.handle(Input::Timeout);
    b.handle(Input::Timeout);
    assert_eq!(b.state(&peers[0]), Some(State::Suspect));
    let refuted = Peer { incarnation: inc(1), ..peers[0] };
    b.gossip(&refuted, &[]);
    assert_eq!(b.state(&peers[0]), Some(State::Alive));
    assert_eq!(b.downs(), 0);
}

/// One lost timer call changes nothing: the deadlines live in the core, and any later call finds them.
#[test]
fn c2_a_lost_timer_call_recovers() {
    let (mut b, peers) = Bench::with_peers(config(), 3);
    let due = b.node.poll_timeout().unwrap();
    // The call at `due` never comes. The next one, half a second later, does the work.
    b.now = due + ms(500);
    b.handle(Input::Timeout);
    assert!(b.sent.iter().any(|s| matches!(s.message(), Some(Message::Ping { .. }))));
    b.answer_pings(&peers);
    b.run_with(ms(10_000), &peers);
    assert!(b.node.stats().probes >= 9, "probing goes on");
    let dead = &peers[0];
    b.run_with(ms(120_000), &peers[1..]);
    assert_eq!(b.state(dead), Some(State::Dead));
}

/// The target dies or restarts in the middle of its probe: the probe is over without a verdict, the next period clean.
#[test]
fn c3_a_probe_ends_with_its_target() {
    let (mut b, peers) = Bench::with_peers(config(), 4);
    let target = peers[0];
    b.ping_to(&target, &peers);
    b.gossip(&peers[1], &[accused(target.id, status(0, State::Dead), &[])]);
    b.clear();
    b.run_with(ms(5_000), &peers[1..]);
    assert_eq!((b.suspects(), b.node.stats().probes_failed), (0, 0));
    assert!(b.node.stats().probes > 4);
}

/// While a probe runs, its target is replaced by another instance: no verdict falls on the new one.
#[test]
fn c4_a_new_instance_is_not_convicted_for_the_old() {
    for (case, moved) in [("another address", true), ("the same address", false)] {
        let (mut b, peers) = Bench::with_peers(config(), 4);
        let target = peers[0];
        b.ping_to(&target, &peers);
        let addr = if moved { addr(99) } else { target.addr };
        let reborn = Peer { incarnation: Incarnation::new(EPOCH + 1, 0), addr, ..target };
        b.admit(&reborn);
        assert!(b.events.iter().any(|e| matches!(e, Event::MemberRestarted { .. })), "{case}");
        let rest = [&[reborn], &peers[1..]].concat();
        b.run_with(ms(8_000), &rest);
        assert_eq!((b.suspects(), b.downs()), (0, 0), "{case}");
        assert_eq!(b.node.member(target.id).unwrap().addr(), addr, "{case}");
    }
}

/// The target refutes during the probe: what fails is the incarnation that was probed, and that is old.
#[test]
fn c5_the_probed_incarnation_is_suspected() {
    let (mut b, peers) = Bench::with_peers(config(), 4);
    let target = peers[0];
    b.ping_to(&target, &peers);
    b.gossip(&Peer { incarnation: inc(1), ..target }, &[]);
    b.run(ms(1_000));
    assert!(b.node.stats().probes_failed > 0, "the probe itself does fail");
    assert_eq!(b.state(&target), Some(State::Alive));
    assert_eq!(b.suspects(), 0);
}

/// Relays sit at k distinct addresses, never mine, never the target's, and an address that hides fifty ids is drawn as
/// often as any other.
#[test]
fn c6_relays_at_distinct_addresses() {
    let mut asked_at_shared = 0;
    let rounds = 600;
    for seed in 0..rounds {
        let mut b = Bench::seeded(config(), seed);
        let target = peer(1);
        let singles: Vec<Peer> = (2..=6).map(peer).collect();
        let shared: Vec<Peer> = (100..150).map(|n| Peer { addr: addr(100), ..peer(n) }).collect();
        let aliases = [Peer { addr: target.addr, ..peer(200) }, Peer { addr: addr(0), ..peer(201) }];
        for p in [&target].into_iter().chain(&singles).chain(&shared).chain(&aliases) {
            b.admit(p);
        }
        // The table's order is random per seed; whoever is probed first will do, if it is the target.
        let everyone: Vec<Peer> = [&[target][..], &singles, &shared, &aliases].concat();
        let nonce = ping_to_any(&mut b, &target, &everyone);
        let seen = b.sent.len();
        // The alias of this very node cannot be probed, which costs local health.
        b.run(ms(500) * (b.node.health() + 1));
        let reqs: Vec<_> = b.ping_reqs(seen).into_iter().filter(|r| r.2 == nonce).collect();
        let mut to: Vec<_> = reqs.iter().map(|r| r.0).collect();
        to.sort();
        to.dedup();
        assert_eq!((reqs.len(), to.len()), (3, 3), "three relays at three addresses");
        assert!(!to.contains(&target.addr) && !to.contains(&addr(0)));
        asked_at_shared += u64::from(to.contains(&addr(100)));
    }
    // Six addresses, three relays: each is asked in half of the rounds.
    assert!((rounds * 2 / 5..rounds * 3 / 5).contains(&asked_at_shared), "{asked_at_shared} of {rounds}");
}

fn ping_to_any(b: &mut Bench, target: &Peer, everyone: &[Peer]) -> u32 {
    for _ in 0..10_000 {
        let seen = b.sent.len();
        b.step(Instant::NEVER);
        let pings: Vec<_> = b.sent[seen..].iter().filter_map(|s| Some((s.to, s.message()?))).collect();
        for (_, m) in pings {
            if let Message::Ping { target: t, nonce } = m {
                if t == target.id {
                    return nonce;
                }
                let p = *everyone.iter().find(|p| p.id == t).unwrap();
                b.recv(&p, Some(Message::Ack { nonce }), &[]);
            }
        }
    }
    panic!("the target was never pinged");
}

/// Acks that are not the ack: wrong source, wrong sender, wrong nonce, a former life's.
#[test]
fn c7_forged_acks() {
    let (b, peers) = Bench::with_peers(config(), 5);
    type Forge = fn(&mut Bench, &Peer, &[Peer], u32);
    let forgeries: [(&str, Forge); 6] = [
        ("wrong source", |b, t, _, n| b.recv_from(addr(77), &frame(t, Some(Message::Ack { nonce: n }), &[], &[]))),
        ("wrong sender", |b, t, p, n| b.recv_from(t.addr, &frame(&p[1], Some(Message::Ack { nonce: n }), &[], &[]))),
        ("guessed nonce", |b, t, _, n| b.recv(t, Some(Message::Ack { nonce: n ^ 1 }), &[])),
        ("former life", |b, t, _, n| {
            let old = Peer { incarnation: Incarnation::new(EPOCH - 1, 9), ..*t };
            b.recv(&old, Some(Message::Ack { nonce: n }), &[]);
        }),
        ("a relay nobody asked", |b, t, p, n| {
            let incarnation = t.incarnation;
            b.recv(&p[1], Some(Message::RelayedAck { nonce: n, incarnation }), &[]);
        }),
        ("a stranger", |b, t, _, n| b.recv(&Peer { addr: t.addr, ..peer(500) }, Some(Message::Ack { nonce: n }), &[])),
    ];
    drop(b);
    for (what, forge) in forgeries {
        let (mut b, peers) = (Bench::with_peers(config(), 5).0, peers.clone());
        let target = peers[0];
        let nonce = b.ping_to(&target, &peers);
        forge(&mut b, &target, &peers, nonce);
        assert_eq!(b.node.stats().stray_acks, 1, "{what}");
        b.run(ms(1_000));
        assert_eq!(b.state(&target), Some(State::Suspect), "{what}");
    }
}

/// An ack that comes 256 probes late is not an ack.
#[test]
fn c7_an_ack_256_probes_late() {
    let (mut b, peers) = Bench::with_peers(config(), 2);
    let late = b.ping_to(&peers[0], &peers);
    b.recv(&peers[0], Some(Message::Ack { nonce: late }), &[]);
    let mut nonce = late;
    for _ in 0..256 {
        let (p, n) = b.next_ping(&peers);
        b.recv(&p, Some(Message::Ack { nonce: n }), &[]);
        nonce = n;
    }
    b.ping_to(&peers[0], &peers);
    assert_ne!(nonce, late);
    let acked = b.node.stats().probes_acked;
    b.recv(&peers[0], Some(Message::Ack { nonce: late }), &[]);
    assert_eq!(b.node.stats().probes_acked, acked);
    assert_eq!(b.node.stats().stray_acks, 1);
}

/// A nack counts once per relay that was asked, and in time only.
#[test]
fn c8_nacks() {
    let penalty = |nacks: &dyn Fn(&mut Bench, &[Peer], u32)| {
        let (mut b, _, target, nonce, relays) = asked(6);
        nacks(&mut b, &relays, nonce);
        b.run(ms(500));
        assert_eq!(b.state(&target), Some(State::Suspect));
        b.node.health()
    };
    let nack = |nonce| Some(Message::Nack { nonce });
    assert_eq!(penalty(&|_, _, _| ()), 3, "three relays were silent, too");
    assert_eq!(penalty(&|b, r, n| r.iter().for_each(|r| b.recv(r, nack(n), &[]))), 0, "all three are there");
    assert_eq!(penalty(&|b, r, n| (0..3).for_each(|_| b.recv(&r[0], nack(n), &[]))), 2, "one speaks for itself only");
    let refusal = |nonce| Some(Message::NotMe { nonce });
    assert_eq!(penalty(&|b, r, n| r.iter().for_each(|r| b.recv(r, refusal(n), &[]))), 0, "so are those that refuse");
    let both = |b: &mut Bench, r: &[Peer], n| [nack(n), refusal(n)].into_iter().for_each(|m| b.recv(&r[0], m, &[]));
    assert_eq!(penalty(&both), 2, "once per relay");
    assert_eq!(penalty(&|b, r, n| b.recv(&r[0], nack(n ^ 1), &[])), 3, "another probe's");
    assert_eq!(penalty(&|b, _, n| b.recv(&peer(1), nack(n), &[])), 3, "the target's own, unasked");
    assert_eq!(penalty(&|b, r, n| b.recv_from(addr(88), &frame(&r[0], nack(n), &[], &[]))), 3, "another address");
    let late = |b: &mut Bench, r: &[Peer], n| {
        b.now = b.now + ms(500);
        r.iter().for_each(|r| b.recv(r, nack(n), &[]));
    };
    assert_eq!(penalty(&late), 3, "at the deadline it is too late");
}

/// A relay answers whoever asked, at the address that the question came from. For strangers it pings nobody.
#[test]
fn c9_a_relay_answers_the_source() {
    let (mut b, peers) = Bench::with_peers(config(), 3);
    let target = peers[0];
    let stranger = Peer { addr: addr(900), ..peer(900) };
    let moved = Peer { addr: addr(901), ..peers[1] };
    b.recv(&stranger, Some(Message::PingReq { target: target.id, nonce: 42 }), &[]);
    assert_eq!(
        b.sent.iter().map(|s| (s.to, s.message())).collect::<Vec<_>>(),
        [(stranger.addr, Some(Message::NotMe { nonce: 42 }))]
    );
    assert_eq!((b.node.stats().relays_refused, b.node.stats().relayed), (1, 0));
    for asker in [moved, peers[2]] {
        b.clear();
        b.recv(&asker, Some(Message::PingReq { target: target.id, nonce: 42 }), &[]);
        let ping = |s: &Sent| match s.message() {
            Some(Message::Ping { target, nonce }) => Some((target, s.to, nonce)),
            _ => None,
        };
        let (t, to, nonce) = b.sent.iter().find_map(ping).expect("the target is pinged");
        assert_eq!((t, to), (target.id, target.addr));
        assert_ne!(nonce, 42, "a nonce of its own");
        b.recv(&target, Some(Message::Ack { nonce }), &[]);
        let incarnation = target.incarnation;
        let answer = b.sent.iter().find(|s| s.message() == Some(Message::RelayedAck { nonce: 42, incarnation }));
        assert_eq!(answer.map(|s| s.to), Some(asker.addr));
        // A second ack is not passed on again, and no nack follows.
        let seen = b.sent.len();
        b.recv(&target, Some(Message::Ack { nonce }), &[]);
        b.run(ms(450));
        let about = |s: &Sent| matches!(s.message(), Some(Message::RelayedAck { .. } | Message::Nack { .. }));
        assert!(!b.sent[seen..].iter().any(about));
    }
}

#[test]
fn c9_a_relay_nacks_what_it_cannot_reach() {
    let (mut b, peers) = Bench::with_peers(config(), 3);
    let nacks = |b: &Bench| b.sent.iter().filter(|s| s.message() == Some(Message::Nack { nonce: 42 })).count();
    b.recv(&peers[1], Some(Message::PingReq { target: peers[0].id, nonce: 42 }), &[]);
    b.run(ms(399));
    assert_eq!(nacks(&b), 0);
    b.run(ms(1));
    assert_eq!(nacks(&b), 1, "four fifths of the time-out have passed in silence");
    b.run(ms(5_000));
    assert_eq!(nacks(&b), 1);
    // Nobody of that id is known: at once, and that is no nack, since nobody was silent.
    b.clear();
    b.recv(&peers[1], Some(Message::PingReq { target: NodeId::new(5), nonce: 42 }), &[]);
    let refused = b.sent.iter().filter(|s| s.message() == Some(Message::NotMe { nonce: 42 })).count();
    assert_eq!((refused, nacks(&b), b.node.stats().relays_refused), (1, 0, 1));
    // Asked about itself, it answers itself.
    let (me, incarnation) = (b.me(), inc(0));
    b.recv(&peers[1], Some(Message::PingReq { target: me, nonce: 43 }), &[]);
    assert!(b.sent.iter().any(|s| s.message() == Some(Message::RelayedAck { nonce: 43, incarnation })));
}

#[test]
fn c9_relays_are_bounded() {
    let mut c = config();
    c.relays_max = 4;
    let (mut b, peers) = Bench::with_peers(c, 3);
    for nonce in 0..10 {
        b.recv(&peers[1], Some(Message::PingReq { target: peers[0].id, nonce }), &[]);
    }
    assert_eq!((b.node.stats().relayed, b.node.stats().relays_refused), (4, 6));
    b.run_with(ms(1_500), &peers[1..]);
    b.recv(&peers[1], Some(Message::PingReq { target: peers[0].id, nonce: 99 }), &[]);
    assert_eq!(b.node.stats().relayed, 5, "their places are free again");
}

/// Between the direct time-out and the full deadline an ack is an ack; at the deadline it is not, even when it is handled
/// before the timer.
#[test]
fn c10_an_ack_in_time() {
    for (wait, direct, good) in [(499, true, true), (499, false, true), (500, true, false), (500, false, false)] {
        let (mut b, _, target, nonce, relays) = asked(6);
        b.now = b.now + ms(wait);
        let incarnation = target.incarnation;
        if direct {
            b.recv(&target, Some(Message::Ack { nonce }), &[]);
        } else {
            b.recv(&relays[0], Some(Message::RelayedAck { nonce, incarnation }), &[]);
        }
        b.now = b.now.max(b.now + ms(500 - wait));
        b.handle(Input::Timeout);
        let want = if good { State::Alive } else { State::Suspect };
        assert_eq!(b.state(&target), Some(want), "{wait} ms, direct {direct}");
    }
}

/// A ping that could not be sent is not waited for: relays are asked at once, and nobody is convicted for it.
#[test]
fn c12_a_ping_that_cannot_be_sent() {
    let (mut b, peers) = Bench::with_peers(config(), 5);
    let target = peers[0];
    let nonce = b.ping_to(&target, &peers);
    let seen = b.sent.len();
    b.handle(Input::SendFailed { to: target.addr });
    b.run(ms(1));
    let reqs = b.ping_reqs(seen);
    assert_eq!(reqs.len(), 3, "half a second earlier than otherwise");
    let relay = *peers.iter().find(|p| p.addr == reqs[0].0).unwrap();
    b.recv(&relay, Some(Message::RelayedAck { nonce, incarnation: target.incarnation }), &[]);
    b.run_with(ms(3_000), &peers);
    assert_eq!((b.suspects(), b.node.stats().sends_failed), (0, 1));
}

/// A10's core: a ping names its target, and whoever else sits there says so.
#[test]
fn a10_not_me() {
    let (mut b, peers) = Bench::with_peers(config(), 2);
    b.recv(&peers[0], Some(Message::Ping { target: NodeId::new(5), nonce: 9 }), &[]);
    assert_eq!(b.sent[0].message(), Some(Message::NotMe { nonce: 9 }));
    let target = peers[0];
    let nonce = b.ping_to(&target, &peers);
    b.recv_from(target.addr, &frame(&peer(70), Some(Message::NotMe { nonce }), &[], &[]));
    assert_eq!(b.node.stats().wrong_responders, 1);
    b.run(ms(1_000));
    assert_eq!(b.state(&target), Some(State::Suspect), "the old id dies on schedule");
}

/// Held up for so long that an ack may wait unread, this node has no verdict; shorter than that, it has.
#[test]
fn a_node_that_is_held_up_convicts_nobody() {
    for (stall, convicts) in
        [(1_000, true), (1_200, true), (1_251, false), (1_600, false), (1_999, false), (2_500, false)]
    {
        let (mut b, peers) = Bench::with_peers(config(), 4);
        let target = peers[0];
        let nonce = b.ping_to(&target, &peers);
        if convicts {
            // Its timers run until just before the deadline.
            b.run(ms(990));
            b.now = b.now + ms(stall - 990);
        } else {
            b.now = b.now + ms(stall);
        }
        b.recv(&target, Some(Message::Ack { nonce }), &[]);
        b.handle(Input::Timeout);
        assert_eq!(b.suspects() > 0, convicts, "{stall} ms");
        if !convicts {
            assert_eq!(b.node.stats().stalls + b.node.stats().pauses, 1, "{stall} ms");
        }
    }
}

/// A nack is there before the requester's deadline, whatever the relation of time-out and period.
#[test]
fn c8_nacks_are_in_time() {
    for c in [swim_core::Config::lan("c"), swim_core::Config::wan("c"), swim_core::Config::local("c")] {
        let (timeout, interval) = (c.probe_timeout, c.probe_interval);
        let (mut b, peers) = Bench::with_peers(c, 3);
        let asked = b.now;
        b.recv(&peers[1], Some(Message::PingReq { target: peers[0].id, nonce: 42 }), &[]);
        b.run(interval);
        let nack = b.sent.iter().find(|s| s.message() == Some(Message::Nack { nonce: 42 })).expect("a nack");
        assert!(nack.at.since(asked) < interval - timeout, "{:?} of {:?}", nack.at.since(asked), interval - timeout);
    }
}

/// Asked why, the node tells the whole story: the probe with its nonce and deadline, what each relay answered, the
/// suspicion with its deadline, each confirmation, the verdict.
#[test]
fn why_tells_the_story_of_a_death() {
    let (mut b, peers, target, nonce, relays) = asked(6);
    let sent = b.now.minus_micros(500_000);
    b.recv(&relays[0], Some(Message::Nack { nonce }), &[]);
    b.run(ms(500));
    let me = b.me();
    let facts: Vec<Fact> = b.node.why(target.id).map(|e| e.fact).collect();
    let tail = &facts[facts.len() - 5..];
    assert_eq!(tail[0], Fact::ProbeFailed { nonce, sent, deadline: b.now, relays: 3 });
    assert_eq!(tail[1], Fact::RelayNacked { relay: relays[0].id });
    assert_eq!(tail[2..4].iter().filter(|f| matches!(f, Fact::RelaySilent { .. })).count(), 2);
    let Fact::Suspected { incarnation, by, deadline } = tail[4] else { panic!("{tail:?}") };
    assert_eq!((incarnation, by), (target.incarnation, Some(me)));
    let confirmer = peers.iter().find(|p| p.id != target.id).unwrap();
    b.gossip(confirmer, &[accused(target.id, status(0, State::Suspect), &[me, confirmer.id])]);
    let sooner = match b.node.why(target.id).last().map(|e| e.fact) {
        Some(Fact::Confirmed { by, deadline: sooner }) if by == confirmer.id => sooner,
        other => panic!("{other:?}"),
    };
    assert!(sooner < deadline);
    b.run_with(sooner.since(b.now), &peers[1..]);
    let last = b.node.why(target.id).last().unwrap();
    assert_eq!((last.at, last.fact), (sooner, Fact::Dead { incarnation: inc(0), declared_here: true }));
    assert!(b.node.why(target.id).any(|e| e.health > 0), "with my own health at each step");
    // A death that others declared says so; a refutation ends a suspicion.
    b.gossip(confirmer, &[accused(peers[1].id, status(0, State::Dead), &[])]);
    assert!(b.node.why(peers[1].id).any(|e| e.fact == Fact::Dead { incarnation: inc(0), declared_here: false }));
    b.gossip(&Peer { incarnation: inc(1), ..target }, &[]);
    assert_eq!(b.node.why(target.id).last().map(|e| e.fact), Some(Fact::Up { incarnation: inc(1) }));
    assert_eq!(b.node.why(NodeId::new(1)).count(), 0);
}

/// The target that did not answer in time is asked once more, with the relays and under the same nonce; either ack is one.
#[test]
fn a_silent_target_is_asked_once_more() {
    for late in [0, 300] {
        let (mut b, peers) = Bench::with_peers(config(), 5);
        let (target, nonce) = b.next_ping(&peers);
        let seen = b.sent.len();
        b.run(ms(500));
        let again = |s: &&Sent| s.message() == Some(Message::Ping { target: target.id, nonce }) && s.to == target.addr;
        assert_eq!((b.sent[seen..].iter().filter(again).count(), b.ping_reqs(seen).len()), (1, 3));
        b.run(ms(late));
        let acked = b.node.stats().probes_acked;
        b.recv(&target, Some(Message::Ack { nonce }), &[]);
        assert_eq!(b.node.stats().probes_acked, acked + 1);
        b.recv(&target, Some(Message::Ack { nonce }), &[]);
        let stats = b.node.stats();
        assert_eq!((stats.probes_acked, stats.stray_acks, b.node.health()), (acked + 1, 1, 0), "the second is late");
        b.run(ms(499 - late));
        assert_eq!((b.suspects(), b.sent[seen..].iter().filter(again).count()), (0, 1));
    }
    // Not at an address that is no longer its own.
    let (mut b, peers) = Bench::with_peers(config(), 5);
    let (target, nonce) = b.next_ping(&peers);
    let detail = Detail { at: inc(1), addr: addr(77), name: "", meta: b"" };
    let moved = Item { id: target.id, status: status(1, State::Alive), more: More::Detail(detail) };
    let other = peers.iter().find(|p| p.id != target.id).unwrap();
    b.gossip(other, &[moved]);
    b.clear();
    b.run(ms(500));
    assert!(!b.sent.iter().any(|s| s.message() == Some(Message::Ping { target: target.id, nonce })));
}
