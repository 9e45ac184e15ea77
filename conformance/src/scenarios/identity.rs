//! Who is who: one id at two addresses, one address with two ids, and what a member says about itself. Scenarios A2, A3, A8
//! to A11 and A15; those about former lives are in `lives`.

use std::net::SocketAddr;

use swim_core::wire::Message;
use swim_core::{Event, Fact, Instant, NodeId, State};
use swim_driver::CommandError;

use super::common::{CHANGES_APART, others, soon, still_whole};
use crate::{Harness, Inspect, Mark, Peer, Run, Spec, claim, frame, is_down, is_suspect};

/// A2: restarted in an older epoch than the others know, with its state lost, it goes past it with the first answer: one
/// rejoin, no conflict.
pub fn a2_a_restart_with_an_older_epoch<H: Harness>(run: &mut Run) {
    let (mut h, [a, b]) = forgetful::<H>(run);
    let mark = h.mark();
    h.restart(b, Spec::named("b").epoch(1));
    h.join_through(b, &[a]);
    h.until(soon(&h), |h| h.is_whole(2)).expect("it is back");
    assert_eq!(h.view(b).me().incarnation().epoch(), 10_001);
    h.run(h.periods(20));
    let back = |e: &Event| matches!(e, Event::MemberRestarted { .. } | Event::MemberUp { .. });
    assert_eq!(h.count_since(a, &mark, back), 1, "one rejoin");
    for p in [a, b] {
        assert_eq!(h.count_since(p, &mark, |e| matches!(e, Event::Conflict { .. })), 0);
    }
}

/// A2: and that takes it at most four datagrams.
pub fn a2_it_costs_four_datagrams<H: Inspect>(run: &mut Run) {
    let (mut h, [a, b]) = forgetful::<H>(run);
    let before = h.sent(b);
    h.restart(b, Spec::named("b").epoch(1));
    h.join_through(b, &[a]);
    h.until(h.periods(2), |h| h.is_whole(2)).expect("back within one round trip and a little");
    let sent = h.sent(b).datagrams - before.datagrams;
    assert!(sent <= 4, "{sent} datagrams");
}

/// Two nodes, of which the second, of epoch 10 000, has just been killed.
fn forgetful<H: Harness>(run: &mut Run) -> (H, [Peer; 2]) {
    let mut h: H = run.world();
    let a = h.spawn(Spec::named("a"));
    let b = h.spawn(Spec::named("b").epoch(10_000));
    h.join_through(b, &[a]);
    h.until(h.periods(10), |h| h.is_whole(2)).expect("both see both");
    let some_time = h.periods(3) + run.part_of(h.periods(2));
    h.run(some_time);
    h.kill(b);
    (h, [a, b])
}

/// A3: two processes with one id at two addresses, whatever their epochs: both are told, the one at the smaller address stays,
/// the other falls silent, and nobody is reported dead.
pub fn a3_two_processes_with_one_id<H: Harness>(run: &mut Run) {
    rivals::<H>(run);
}

/// A3: the one that fell silent takes no more commands. Started again at its address under a name of its own, it is one more
/// member, and the conflict is over.
pub fn a3_the_silent_one_takes_another_name<H: Harness>(run: &mut Run) {
    let (mut h, stays, parked) = rivals::<H>(run);
    let handle = h.handle(parked);
    assert!(handle.is_closed() && handle.undelivered() == 0);
    assert_eq!(handle.leave(), Err(CommandError::Closed));
    let mark = h.mark();
    h.restart(parked, Spec::named("n5"));
    h.join_through(parked, &[stays]);
    h.until(h.periods(40), |h| h.is_whole(6)).expect("six see six");
    h.run(h.periods(5));
    still_whole(&mut h, 6);
    for p in h.peers() {
        assert_eq!(h.count_since(p, &mark, |e| is_down(e) || matches!(e, Event::Conflict { .. })), 0, "{p:?}");
    }
}

/// A3: and then it is as quiet as before, two datagrams per node and period.
pub fn a3_and_then_it_is_quiet<H: Inspect>(run: &mut Run) {
    let (mut h, _, _) = rivals::<H>(run);
    let before = h.sent_total().datagrams;
    h.run(h.periods(20));
    let rate = (h.sent_total().datagrams - before) as f64 / 100.0;
    assert!(rate <= 2.2, "{rate} datagrams per node and period");
}

fn rivals<H: Harness>(run: &mut Run) -> (H, Peer, Peer) {
    let (mut h, nodes) = run.five::<H>();
    let mark = h.mark();
    let [n0, n1, one, n3, n4] = nodes;
    let id = h.id(one);
    let other = h.spawn(Spec::named("n2").epoch(run.pick(&[1, 2, 1_000])));
    h.join_through(other, &[n0]);
    h.until(h.periods(60), |h| !(h.is_running(one) && h.is_running(other))).expect("one of the two falls silent");
    h.run(h.periods(20));
    let (stays, parked) = if h.addr(one) < h.addr(other) { (one, other) } else { (other, one) };
    assert!(h.is_running(stays) && !h.is_running(parked), "the smaller address stays");
    let told =
        |p| -> Vec<Event> { h.since(p, &mark).into_iter().filter(|e| matches!(e, Event::Conflict { .. })).collect() };
    let with = |p, parked| vec![Event::Conflict { with: h.addr(p), parked }];
    assert_eq!((told(stays), told(parked)), (with(parked, false), with(stays, true)), "both are told of the other");
    for p in [n0, n1, n3, n4] {
        assert_eq!(h.view(p).member(id).map(|m| (m.addr(), m.state())), Some((h.addr(stays), State::Alive)));
        assert_eq!(h.count_since(p, &mark, is_down), 0, "nobody is reported dead");
    }
    (h, stays, parked)
}

/// A8: a member changes its metadata a hundred times in ten periods: nobody reports a death or a birth, and all end with the
/// last value.
pub fn a8_a_hundred_changes_of_metadata<H: Harness>(run: &mut Run) {
    hundred_changes::<H>(run);
}

/// A8: nor does anybody report a suspicion. Only for networks on virtual time: a real machine gives reason for one at times.
pub fn a8_a_hundred_changes_raise_no_doubt<H: Inspect>(run: &mut Run) {
    let (h, mark) = hundred_changes::<H>(run);
    assert!(h.peers().iter().all(|&p| h.count_since(p, &mark, is_suspect) == 0));
}

fn hundred_changes<H: Harness>(run: &mut Run) -> (H, Mark) {
    let (mut h, nodes) = run.five::<H>();
    let subject = run.pick(&nodes);
    let id = h.id(subject);
    let mark = h.mark();
    for i in 1..=100_u8 {
        h.set_meta(subject, &[i]);
        h.run(h.periods(1) / 10);
    }
    let knows = |h: &H, p| h.view(p).member(id).is_some_and(|m| m.meta() == [100]);
    h.until(h.periods(10) + CHANGES_APART, |h| nodes.iter().all(|&p| knows(h, p)) && h.is_whole(5))
        .expect("all have the last value");
    h.run(h.periods(10));
    for p in nodes {
        assert!(knows(&h, p), "and keep it");
        let about: Vec<Event> = h.since(p, &mark).into_iter().filter(|e| e.member() == Some(id)).collect();
        assert!(about.iter().any(|e| matches!(e, Event::MemberUpdated { .. })));
        // A change takes the next incarnation, so the raise is told with it.
        let expected =
            |e: &Event| matches!(e, Event::MemberUpdated { .. } | Event::MemberRefuted { .. }) || is_suspect(e);
        assert_eq!(about.iter().find(|e| !expected(e)), None, "{p:?}");
        assert_eq!(h.count_since(p, &mark, is_down), 0);
    }
    (h, mark)
}

/// A9: a member moves to a new address at a higher incarnation: each of the others reports the move once and no death, finds
/// it at the new address, and what it knows of it follows.
pub fn a9_a_member_moves<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let mark = h.mark();
    let (old, new) = move_one(&mut h, run, &nodes, 2);
    for p in others(&nodes, old) {
        let row = h.view(p).member(h.id(new)).map(|m| (m.addr(), m.state(), m.incarnation().epoch()));
        assert_eq!(row, Some((h.addr(new), State::Alive, 2)));
        let about: Vec<Event> = h.since(p, &mark).into_iter().filter(|e| e.member() == Some(h.id(new))).collect();
        let moves = about.iter().filter(|e| matches!(e, Event::MemberMoved { .. }));
        let from: Vec<&Event> = moves.collect();
        assert_eq!(from, [&Event::MemberMoved { id: h.id(new), from: h.addr(old) }], "{p:?}");
        assert_eq!(about.iter().filter(|e| matches!(e, Event::MemberRestarted { .. })).count(), 1);
        assert_eq!(h.count_since(p, &mark, is_down), 0, "nobody is reported dead");
    }
}

/// A9: from the moment at which a node reports the move, it sends nothing to the former address.
pub fn a9_nothing_goes_to_the_former_address<H: Inspect>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let mark = h.mark();
    let sent = h.tap_into::<Vec<(Instant, SocketAddr, SocketAddr)>>(|all, s| all.push((s.at, s.from, s.to)));
    let (old, new) = move_one(&mut h, run, &nodes, 2);
    for p in others(&nodes, old) {
        let skip = h.events(p).len() - h.since(p, &mark).len();
        let moved = h.log(p)[skip..].iter().find(|(_, e)| matches!(e, Event::MemberMoved { .. })).expect("it moved").0;
        let late = |to| sent.get().iter().filter(|s| s.1 == h.addr(p) && s.2 == to && s.0 > moved).count();
        assert_eq!(late(h.addr(old)), 0, "{p:?} still sends to the former address");
        assert!(late(h.addr(new)) > 5, "and sends to the new one");
    }
}

/// A9: killed and started again within the resolution of its epoch, at another address: found there, and nobody dies of it.
pub fn a9_a_move_within_one_epoch<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    // The former life may have taken incarnations of this epoch that the new one has not.
    if run.below(2) == 0 {
        nodes.iter().for_each(|&p| h.set_meta(p, b"former"));
        h.until(h.periods(10), |h| h.is_whole(5)).expect("all know what all say");
    }
    let mark = h.mark();
    let (old, new) = move_one(&mut h, run, &nodes, 1);
    for p in others(&nodes, old) {
        assert_eq!(h.count_since(p, &mark, is_down), 0, "nobody is reported dead");
        assert_eq!(h.sees(p, new), Some(State::Alive));
    }
}

/// Kills one of the nodes and starts it at another address in this epoch, and waits until all have found it there, and then
/// until whatever might follow from that has happened.
fn move_one<H: Harness>(h: &mut H, run: &mut Run, nodes: &[Peer], epoch: u32) -> (Peer, Peer) {
    // Not the first: the others would go on looking for a seed at its address, as they should.
    let old = run.pick(&nodes[1..]);
    let spec = h.spec(old);
    h.kill(old);
    let new = h.spawn(Spec { epoch: Some(epoch), ..spec });
    h.join_through(new, &nodes[..1]);
    let (id, addr) = (h.id(new), h.addr(new));
    let found = |h: &mut H| h.running().iter().all(|&p| h.view(p).member(id).is_some_and(|m| m.addr() == addr));
    h.until(h.periods(10), found).expect("found at its new address");
    h.run(h.periods(30));
    still_whole(h, nodes.len());
    (old, new)
}

/// A10: another node takes over the address of one that was killed: the old id dies on schedule although its address answers,
/// the new one lives.
pub fn a10_an_address_is_taken_over<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let taken = run.pick(&nodes[1..]);
    let old = h.id(taken);
    let mark = h.mark();
    h.restart(taken, Spec::named("successor"));
    h.join_through(taken, &nodes[..1]);
    let new = h.id(taken);
    assert_ne!(old, new);
    let rest = others(&nodes, taken);
    let state = |h: &H, p: Peer, id: NodeId| h.view(p).member(id).map(|m| m.state());
    let (_, longest) = h.config().suspicion_bounds(6);
    // Everybody is probed within 2n-1 periods; then a period for the probe, and the suspicion.
    let limit = h.periods(12) + longest;
    h.until(limit, |h| rest.iter().all(|&p| state(h, p, old) == Some(State::Dead))).expect("the old id dies");
    // The successor gives the old id up by itself, as its own former address. The others must find out, too.
    let found = |p: &&Peer| {
        let view = h.view(**p);
        let facts = view.member(old).map_or(&[][..], |m| m.evidence());
        facts.iter().any(|e| matches!(e.fact, Fact::ProbeFailed { .. }))
    };
    assert!(rest.iter().filter(found).count() >= 2, "its address answers for it");
    h.run(h.periods(20));
    for &p in &rest {
        assert_eq!(state(&h, p, new), Some(State::Alive));
        let downs: Vec<_> = h.since(p, &mark).iter().filter(|e| is_down(e)).filter_map(Event::member).collect();
        assert_eq!(downs, [old], "one death, once");
    }
}

/// A11: while two members restart, one of them at another address, no node ever shows two of one id, more members than there
/// are, or an older life after a newer one.
pub fn a11_one_instance_at_every_step<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let mut rest = nodes[1..].to_vec();
    let (stays, moves) = (run.take(&mut rest), run.take(&mut rest));
    let pause = run.part_of(h.periods(3));
    h.restart_same(stays);
    h.join_through(stays, &nodes[..1]);
    let mut known = Vec::new();
    let mut look = |h: &mut H| {
        for p in h.running() {
            let view = h.view(p);
            let mut ids: Vec<NodeId> = view.members().map(|m| m.id()).collect();
            ids.sort_unstable();
            assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "{p:?} has two rows of one id");
            assert!(view.live_count() <= 5, "{p:?} sees {} of five", view.live_count());
            for row in view.members() {
                // What the restarted process knows begins anew; the former one's table is not its own.
                let key = (p, h.view(p).me().incarnation().epoch(), row.id());
                match known.iter_mut().find(|(k, _)| *k == key) {
                    Some((_, last)) => {
                        assert!(row.incarnation() >= *last, "{p:?} shows an older life of {}", row.id());
                        *last = row.incarnation();
                    }
                    None => known.push((key, row.incarnation())),
                }
            }
        }
        false
    };
    assert_eq!(h.until(pause, &mut look), None);
    let spec = h.spec(moves);
    h.kill(moves);
    let moved = h.spawn(Spec { epoch: Some(2), ..spec });
    h.join_through(moved, &nodes[..1]);
    assert_eq!(h.until(h.periods(10), &mut look), None);
    still_whole(&mut h, 5);
}

/// A15: told by somebody who was never heard of that it is dead, a node believes nothing, refutes nothing, and sends at most
/// the question who that is.
pub fn a15_a_stranger_says_i_am_dead<H: Inspect>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let victim = run.pick(&nodes);
    let (id, me) = (h.id(victim), h.node(victim).me().incarnation());
    let stranger = NodeId::from_name("stranger");
    let somewhere: SocketAddr = ([10, 9, 9, 9], 7_946).into();
    let (mark, sent, ignored) = (h.mark(), h.sent(victim), h.node(victim).stats().claims_from_strangers);
    for from in [somewhere, h.addr(nodes[(victim.index() + 1) % 5])] {
        for state in [State::Suspect, State::Dead, State::Left] {
            h.forge(victim, from, &frame(stranger, me, None, &[claim(id, me, state, &[])]));
            let ping = Message::Ping { target: id, nonce: 7 };
            h.forge(victim, from, &frame(stranger, me, Some(ping), &[claim(id, me, state, &[])]));
        }
    }
    assert_eq!(h.node(victim).me().incarnation(), me, "no new incarnation");
    assert_eq!(h.node(victim).stats().claims_from_strangers - ignored, 12);
    assert_eq!(h.since(victim, &mark), []);
    assert!(h.sent(victim).datagrams - sent.datagrams <= 12, "one answer to one datagram");
    h.run(h.periods(30));
    assert!(h.is_whole(5) && nodes.iter().all(|&p| h.view(p).member(id).is_some_and(|m| m.incarnation() == me)));
}
