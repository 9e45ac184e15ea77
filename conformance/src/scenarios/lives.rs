//! What a former life of a member leaves behind: probes and suspicions under way, rows, gossip, datagrams, tombstones.
//! Scenarios A1, A4 to A7, and A12 to A14.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use swim_core::wire::Message;
use swim_core::{Event, Incarnation, Instant, NodeId, State};

use super::common::{CHANGES_APART, others, soon, still_whole};
use crate::{Harness, Inspect, Link, Peer, Run, Spec, Way, alive, claim, detail, frame, is_down, is_suspect, says};

/// A1: of two nodes, and of five, one crashes and is back in a newer epoch between a direct ping to it and the indirect ones:
/// relays are asked elsewhere only, each of the others reports one restart, nobody a death, and no probe or suspicion of
/// the former life touches the new one.
pub fn a1_a_restart_in_the_middle_of_a_probe<H: Inspect>(run: &mut Run) {
    for n in [2, 5] {
        let (mut h, nodes) = run.cluster::<H>(H::base_config(), n);
        let target = nodes[run.below(n)];
        let rest = others(&nodes, target);
        let (id, addr) = (h.id(target), h.addr(target));
        h.kill(target);
        let mark = h.mark();
        let seen = h.tap_into::<(bool, Vec<SocketAddr>)>(move |seen, s| match s.parsed().message {
            Some(Message::Ping { target, .. }) if target == id => seen.0 = true,
            Some(Message::PingReq { target, .. }) if target == id => seen.1.push(s.to),
            _ => {}
        });
        h.until(h.periods(10), |_| seen.get().0).expect("it is pinged");
        let (timeout, grain) = (h.config().probe_timeout, h.periods(1) / 50);
        let before_relays = run.part_of(timeout - grain);
        h.run(before_relays);
        h.restart_same(target);
        // Known again at once, or only after the relays were asked.
        if run.below(2) == 0 {
            h.run(timeout);
        }
        h.join_through(target, &rest[..1]);
        h.until(h.periods(3), |h| h.is_whole(n)).expect("all know the new life");
        let (_, longest) = h.config().suspicion_bounds(n);
        h.run(longest + h.periods(5));
        run.figure("a restart in the middle of a probe: relays asked", seen.get().1.len() as f64);
        assert!(seen.get().1.iter().all(|&relay| relay != addr), "its own address was asked to relay");
        assert!(h.is_whole(n));
        for &p in &rest {
            one_restart(&h, p, id, &h.since(p, &mark));
        }
    }
}

/// A1: the same while the former life is suspected, or about to be: its suspicion kills nobody.
pub fn a1_a_restart_while_suspected<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let target = run.pick(&nodes);
    let rest = others(&nodes, target);
    let id = h.id(target);
    h.kill(target);
    let mark = h.mark();
    let suspected = |h: &mut H| rest.iter().any(|&p| h.sees(p, target) == Some(State::Suspect));
    h.until(h.periods(10), suspected).expect("it is suspected");
    let (shortest, longest) = h.config().suspicion_bounds(5);
    let meanwhile = run.part_of(shortest / 2);
    h.run(meanwhile);
    h.restart_same(target);
    h.join_through(target, &rest[..1]);
    h.run(longest + h.periods(5));
    still_whole(&mut h, 5);
    for &p in &rest {
        one_restart(&h, p, id, &h.since(p, &mark));
    }
}

/// Of these events, those about this id tell of one restart and of nothing that befell the new life.
fn one_restart<H: Harness>(h: &H, p: Peer, id: NodeId, events: &[Event]) {
    let about: Vec<&Event> = events.iter().filter(|e| e.member() == Some(id)).collect();
    let restarts = about.iter().filter(|e| matches!(e, Event::MemberRestarted { .. })).count();
    assert_eq!(restarts, 1, "{p:?}: {about:?}");
    assert!(!about.iter().any(|e| is_down(e) || matches!(e, Event::MemberUp { .. })), "{p:?}: {about:?}");
    let new = h.view(p).member(id).expect("it is there").incarnation();
    let accused = |e: &&Event| matches!(**e, Event::MemberSuspect { incarnation, .. } if incarnation >= new);
    assert!(!about.iter().any(accused), "the new life is suspected: {about:?}");
}

/// A4: after a restart it is handed lists that hold its former life as alive, by a seed that has not noticed and then a
/// hundred times more: it never shows two of itself, answers none of it, and its new life is told as often as any news.
pub fn a4_its_own_ghost<H: Inspect>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let back = run.pick(&nodes[1..]);
    let rest = others(&nodes, back);
    let (id, addr, name) = (h.id(back), h.addr(back), h.spec(back).name);
    let mark = h.mark();
    // With and without address and profile: they can be news after the status is, to who hears of it in two steps.
    let told = h.tap_into::<BTreeMap<(SocketAddr, bool), usize>>(move |told, s| {
        for item in s.parsed().updates().filter(|item| item.id == id) {
            *told.entry((s.from, item.detail().is_some())).or_default() += 1;
        }
    });
    h.restart_same(back);
    h.join_through(back, &rest[..1]);
    let mine =
        |h: &H| h.view(back).members().filter(|m| m.id() == id).map(|m| m.incarnation().epoch()).collect::<Vec<_>>();
    let whole = |h: &mut H| {
        assert_eq!(mine(h), [2]);
        h.is_whole(5)
    };
    h.until(h.periods(5), whole).expect("one restart, seen by all");
    h.until(h.periods(5), |h| h.is_quiet()).expect("and then nothing more to tell");
    let limit = h.config().retransmit_limit(5);
    let most = told.get().values().copied().max().unwrap_or(0);
    // Once more to whoever shows that it has missed something.
    assert!(most <= 2 * limit, "somebody told it {most} times, and {limit} is the limit");

    // Until nothing is so new that it would be told to whoever shows that it has missed something.
    h.run(h.periods(10));
    let (stale, events) = (h.node(back).stats().claims_stale, h.events(back).len());
    let sent = h.sent(back);
    let old = Incarnation::new(1, 0);
    let witness = rest[0];
    let list: Vec<_> = [alive(id, old, detail(old, addr, &name)), claim(id, old, State::Alive, &[])].into();
    let lie = frame(h.id(witness), h.node(witness).me().incarnation(), None, &list);
    for _ in 0..100 {
        h.forge(back, h.addr(witness), &lie);
    }
    assert_eq!(mine(&h), [2]);
    assert_eq!(h.node(back).stats().claims_stale - stale, 200);
    assert_eq!((h.sent(back), h.events(back).len()), (sent, events), "no answer, nothing to report");
    h.run(h.periods(20));
    assert!(h.is_whole(5));
    for &p in &rest {
        one_restart(&h, p, id, &h.since(p, &mark));
    }
}

/// A5: six of twenty restart together, three of them under other names, and hear of the former lives of all six as alive:
/// from seeds that have not noticed, and in gossip. Only who is heard from stays, and in the end no table has more rows
/// than there are nodes.
///
/// No table is saved here, so there is none to load. What comes nearest is a seed that was asleep to all of it.
pub fn a5_six_restart_together<H: Inspect>(run: &mut Run) {
    let mut config = H::base_config();
    // The shortest that is accepted, so that the dead are forgotten within the run.
    config.tombstone_ttl = config.gossip_interval * 2 * config.retransmit_limit(config.members_max) as u32;
    let ttl = config.tombstone_ttl;
    let (mut h, nodes) = run.cluster::<H>(config, 20);
    let mut rest = nodes.clone();
    let six: Vec<Peer> = (0..6).map(|_| run.take(&mut rest)).collect();
    let former: Vec<(NodeId, SocketAddr, String)> = six.iter().map(|&p| (h.id(p), h.addr(p), h.spec(p).name)).collect();
    for (i, &p) in six.iter().enumerate() {
        let spec = h.spec(p);
        let renamed = Spec::named(format!("new{i}"));
        h.restart(p, if i < 3 { Spec { epoch: None, ..spec } } else { renamed });
    }
    for &p in &six {
        let seeds = [run.pick(&six), run.pick(&rest)];
        h.join_through(p, &seeds);
    }
    h.run(h.periods(1) / 10);
    let old = Incarnation::new(1, 0);
    let list: Vec<_> = former.iter().map(|(id, addr, name)| alive(*id, old, detail(old, *addr, name))).collect();
    for &p in &six {
        let witness = run.pick(&rest);
        let lie = frame(h.id(witness), h.node(witness).me().incarnation(), None, &list);
        h.forge(p, h.addr(witness), &lie);
    }
    let (_, longest) = h.config().suspicion_bounds(23);
    h.until(h.periods(2 * 23) + longest, |h| h.is_whole(20)).expect("the twenty that are there, and nobody else");
    // Once more as long as tombstones are kept: whoever was taught late has forgotten, too.
    h.run(ttl * 2);
    assert!(h.is_whole(20));
    for &p in &nodes {
        assert_eq!(h.view(p).members().len(), 20, "rows at {p:?}");
    }
}

/// A6: two nodes that hold each other dead meet again: each refutes once, and they are one cluster within three periods of
/// the first datagram.
pub fn a6_two_that_hold_each_other_dead<H: Inspect>(run: &mut Run) {
    let took = reunion::<H>(run, 1, 1);
    assert!(took <= H::base_config().probe_interval * 3, "{took:?}");
}

/// A6: the same for two and three. Most learn of it by gossip at once; for who misses that the repair has its patience, on top
/// of the three periods.
pub fn a6_halves_that_hold_each_other_dead<H: Inspect>(run: &mut Run) {
    let took = reunion::<H>(run, 3, 2);
    let config = H::base_config();
    run.figure(
        "3|2 that hold each other dead: periods from first contact until whole",
        took.as_secs_f64() / config.probe_interval.as_secs_f64(),
    );
    assert!(took <= config.probe_interval * 3 + config.sync_patience, "{took:?}");
}

fn reunion<H: Inspect>(run: &mut Run, a: usize, b: usize) -> Duration {
    let n = a + b;
    let (mut h, nodes) = run.cluster::<H>(H::base_config(), n);
    let (these, those) = nodes.split_at(a);
    h.cut(these, those, Way::Both);
    let apart = |h: &mut H| these.iter().all(|&p| those.iter().all(|&q| dead(h, p, q) && dead(h, q, p)));
    h.until(h.periods(100), apart).expect("each half holds the other dead");
    let a_while = run.part_of(h.periods(60));
    h.run(a_while);
    let addrs: Vec<SocketAddr> = those.iter().map(|&p| h.addr(p)).collect();
    let ids: BTreeMap<SocketAddr, NodeId> = nodes.iter().map(|&p| (h.addr(p), h.id(p))).collect();
    #[derive(Default)]
    struct Seen {
        contact: Option<Instant>,
        notices: BTreeMap<(SocketAddr, SocketAddr), usize>,
    }
    let seen = h.tap_into::<Seen>(move |seen, s| {
        if addrs.contains(&s.from) != addrs.contains(&s.to) {
            seen.contact.get_or_insert(s.at);
            let says = ids.get(&s.to).and_then(|&id| says(&s.parsed(), id));
            if says.is_some_and(|status| status.state() == State::Dead) {
                *seen.notices.entry((s.from, s.to)).or_default() += 1;
            }
        }
    });
    h.heal();
    let mark = h.mark();
    h.until(h.config().join_retry_max * 2, |h| h.is_whole(n)).expect("one cluster again");
    let contact = seen.get().contact.expect("they have met");
    let took = h.now().since(contact);
    h.run(h.periods(20));
    assert!(h.is_whole(n), "and it stays so");
    for &p in &nodes {
        assert!(h.count_since(p, &mark, |e| matches!(e, Event::Refuted { .. })) <= 1, "{p:?} refutes once");
    }
    let most = seen.get().notices.values().copied().max().unwrap_or(0);
    assert!(most <= 3, "{most} notices from one to another");
    took
}

fn dead<H: Harness>(h: &H, observer: Peer, subject: Peer) -> bool {
    h.sees(observer, subject) == Some(State::Dead)
}

/// A7: every datagram that a member's former life has sent to somebody comes again, from its address. No row changes and
/// nothing is reported.
///
/// A replayed question cannot be told from one by a process that came back in an older epoch, which must hear what is
/// known of it (A2). So it is answered, once, and at the address that it came from; a bounded number of the others is.
pub fn a7_datagrams_of_a_former_life<H: Inspect>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let subject = run.pick(&nodes[1..]);
    let hearer = run.pick(&others(&nodes, subject));
    let (from, to) = (h.addr(subject), h.addr(hearer));
    let recorded = h.tap_into::<Vec<(bool, Vec<u8>)>>(move |all, s| {
        if (s.from, s.to) == (from, to) {
            let asks = matches!(
                s.parsed().message,
                Some(Message::Ping { .. } | Message::PingReq { .. } | Message::Pull { .. })
            );
            all.push((asks, s.bytes.to_vec()));
        }
    });
    h.set_meta(subject, b"former");
    h.run(h.periods(30));
    h.untap();
    h.restart_same(subject);
    h.join_through(subject, &nodes[..1]);
    h.until(h.periods(5), |h| h.is_whole(5)).expect("all know the new life");
    h.until(h.periods(5), |h| h.is_quiet()).expect("and have nothing more to tell");
    let recorded = recorded.take();
    assert!(recorded.len() > 5, "{} datagrams", recorded.len());
    let before: Vec<_> = h.view(hearer).members().cloned().collect();
    let (events, sent) = (h.events(hearer).len(), h.sent(hearer).datagrams);
    recorded.iter().for_each(|(_, datagram)| h.deliver(hearer, from, datagram));
    let after: Vec<_> = h.view(hearer).members().cloned().collect();
    assert!(before == after, "{before:?}, then {after:?}");
    assert_eq!(h.events(hearer).len(), events, "nothing to report");
    let questions = recorded.iter().filter(|(asks, _)| *asks).count() as u64;
    let answers = h.sent(hearer).datagrams - sent;
    assert!(answers <= questions + 8, "{answers} answers to {questions} questions among {}", recorded.len());
    let mark = h.mark();
    h.run(h.periods(20));
    assert!(h.is_whole(5) && nodes.iter().all(|&p| h.count_since(p, &mark, |e| is_down(e) || is_suspect(e)) == 0));
}

/// A12: nodes forget a dead member at different times, because they learnt of it at different times or were asleep, and one
/// joins meanwhile. Nobody teaches it anybody again: after twice the retention it is gone everywhere, for good.
pub fn a12_forgotten_by_all<H: Inspect>(run: &mut Run) {
    let mut config = H::base_config();
    config.tombstone_ttl = config.probe_interval * 60;
    let ttl = config.tombstone_ttl;
    let (mut h, nodes) = run.cluster::<H>(config, 5);
    let victim = run.pick(&nodes[1..]);
    let id = h.id(victim);
    let rest = others(&nodes, victim);
    h.set_network(Link::loss(20));
    h.kill(victim);
    h.until(h.periods(60), |h| rest.iter().any(|&p| dead(h, p, victim))).expect("it is found dead");
    let learnt = h.now();
    // Half of the others sleep, each for a time of its own; what they slept through counts as no time for them.
    for _ in 0..2 {
        let sleeper = run.pick(&rest);
        let (before, asleep) = (run.part_of(ttl / 8), run.part_of(ttl / 4));
        h.run(before);
        h.pause(sleeper);
        h.run(asleep);
        h.resume(sleeper);
    }
    let newcomer = h.spawn(Spec::named("newcomer"));
    h.join_through(newcomer, &[run.pick(&rest)]);
    let end = learnt + ttl * 2;
    h.run(end.since(h.now()));
    let mut left = ttl;
    while left > Duration::ZERO {
        for p in h.running() {
            assert!(h.view(p).member(id).is_none(), "{p:?} still has, or has again, a row of it");
        }
        let step = h.periods(1).min(left);
        h.run(step);
        left -= step;
    }
    for &p in &rest {
        let forgotten = |e: &Event| matches!(e, Event::MemberForgotten { id: whom } if *whom == id);
        assert_eq!(h.events(p).iter().filter(|e| forgotten(e)).count(), 1, "{p:?} forgets it once");
    }
}

/// A13: three of five crash and restart at the first incarnation of the epoch in which the others hold them dead at the
/// sixth, while 30 % of all datagrams are lost: each goes past what is believed of it, and the five are whole in bounded time.
pub fn a13_restarts_below_a_believed_death<H: Inspect>(run: &mut Run) {
    let raise = |h: &mut H, p: Peer, witness: Peer| {
        let (id, at) = (h.id(p), h.node(p).me().incarnation());
        let doubt = [claim(id, at, State::Suspect, &[])];
        let doubt = frame(h.id(witness), h.node(witness).me().incarnation(), None, &doubt);
        h.forge(p, h.addr(witness), &doubt);
    };
    below_a_death::<H>(run, raise, |spec| spec);
}

/// A13: the same when the former life had come so far by changing its metadata, and the new one says what it said first.
pub fn a13_restarts_with_older_metadata<H: Harness>(run: &mut Run) {
    let raise = |h: &mut H, p: Peer, _| {
        let next = h.view(p).me().meta().first().map_or(1, |last| last + 1);
        h.set_meta(p, &[next]);
    };
    below_a_death::<H>(run, raise, |spec| spec.meta(b"as before"));
}

fn below_a_death<H: Harness>(run: &mut Run, raise: fn(&mut H, Peer, Peer), say: fn(Spec) -> Spec) {
    let (mut h, nodes) = run.five::<H>();
    let mut rest = nodes.to_vec();
    let three: Vec<Peer> = (0..3).map(|_| run.take(&mut rest)).collect();
    for i in 1..=5 {
        three.iter().for_each(|&p| raise(&mut h, p, rest[0]));
        h.run(h.periods(1) / 5);
        let raised = |h: &mut H| three.iter().all(|&p| h.view(p).me().incarnation() >= Incarnation::new(1, i));
        h.until(h.periods(10) + CHANGES_APART, raised).expect("it takes the next incarnation");
    }
    h.until(h.periods(10), |h| h.is_whole(5)).expect("all know the fifth");
    three.iter().for_each(|&p| h.kill(p));
    let all_dead = |h: &mut H| rest.iter().all(|&p| three.iter().all(|&q| dead(h, p, q)));
    h.until(h.periods(150), all_dead).expect("the survivors hold all three dead");
    for &p in &three {
        assert!(h.view(rest[0]).member(h.id(p)).map(|m| m.incarnation()) >= Some(Incarnation::new(1, 5)));
    }
    h.set_network(Link::loss(30));
    for &p in &three {
        let spec = say(Spec { epoch: Some(1), ..h.spec(p) });
        h.restart(p, spec);
        h.join_through(p, &rest);
    }
    // What the first answers leave over is repaired by syncs, some of whose datagrams are lost, too.
    let limit = h.periods(20) + h.config().sync_backoff_max;
    let took = h.until(limit, |h| h.is_whole(5)).expect("whole in bounded time");
    run.figure(
        "restarted below a death, 30 % loss: periods until whole",
        took.as_secs_f64() / h.periods(1).as_secs_f64(),
    );
    for &p in &three {
        let me = h.view(p).me().clone();
        assert!(me.incarnation() >= Incarnation::new(1, 6), "{me:?}");
        assert_eq!(me.meta(), h.spec(p).meta, "what the new life says");
    }
}

/// A14: right after its restart, before it knows anybody and after, a node hears from its peers that its former life is dead
/// or has left. It stays, at the incarnation that it has, and answers nothing.
pub fn a14_its_former_life_is_dead<H: Inspect>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let back = run.pick(&nodes[1..]);
    let rest = others(&nodes, back);
    let id = h.id(back);
    h.restart_same(back);
    let mark = h.mark();
    let accuse = |h: &mut H, refutations| {
        for &p in &rest {
            for state in [State::Suspect, State::Dead, State::Left] {
                let says = [claim(id, Incarnation::new(1, refutations), state, &[])];
                let lie = frame(h.id(p), h.node(p).me().incarnation(), None, &says);
                h.forge(back, h.addr(p), &lie);
            }
        }
    };
    accuse(&mut h, 0);
    h.join_through(back, &rest[..1]);
    accuse(&mut h, 3);
    h.until(h.periods(5), |h| h.is_whole(5)).expect("it is back");
    h.until(h.periods(5), |h| h.is_quiet()).expect("and all is told");
    let sent = h.sent(back);
    accuse(&mut h, 7);
    assert_eq!(h.sent(back), sent, "old, so not worth an answer");
    h.run(h.periods(20));
    assert!(h.is_running(back) && h.is_whole(5));
    let me = h.node(back).me();
    assert_eq!((me.state(), me.incarnation()), (State::Alive, Incarnation::new(2, 0)));
    assert!(!h.since(back, &mark).iter().any(|e| matches!(e, Event::Refuted { .. } | Event::Left)));
    for &p in &rest {
        assert_eq!(h.count_since(p, &mark, |e| is_down(e) || is_suspect(e)), 0);
    }
}

/// A14: the same without forgery: it is back while the news of its death is on its way.
pub fn a14_back_while_its_death_is_told<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let back = run.pick(&nodes);
    let rest = others(&nodes, back);
    let id = h.id(back);
    h.kill(back);
    let told = |h: &mut H| rest.iter().any(|&p| dead(h, p, back));
    h.until(h.periods(60), told).expect("somebody declares it dead");
    h.restart_same(back);
    h.join_through(back, &[run.pick(&rest)]);
    h.until(soon(&h), |h| h.is_whole(5)).expect("it is back");
    h.run(h.periods(30));
    assert!(h.is_running(back));
    still_whole(&mut h, 5);
    for &p in &nodes {
        let again = |e: &Event| matches!(*e, Event::MemberDown { id: whom, incarnation, .. } if whom == id && incarnation.epoch() > 1);
        assert!(!h.events(p).iter().any(again), "the new life is reported dead");
    }
}
