//! Suspicions as a cluster lives through them. Scenarios D4, D5, D11 and D12.

use std::net::SocketAddr;

use swim_core::{Event, Incarnation, NodeId, State, Status};

use super::common::{others, rate};
use crate::{Harness, Inspect, Link, Peer, Run, Way, claim, frame, is_down, is_suspect, says};

/// D4: the first to suspect crashes right after saying so: every hearer runs a timer of its own, so the dead is dead within
/// the longest suspicion all the same.
pub fn d4_the_first_accuser_crashes<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let victim = run.pick(&nodes);
    let id = h.id(victim);
    h.kill(victim);
    let mark = h.mark();
    let rest = others(&nodes, victim);
    let by_itself = |h: &H, p: Peer| {
        let mine = Some(h.id(p));
        h.since(p, &mark).iter().any(|e| matches!(e, Event::MemberSuspect { by, .. } if *by == mine))
    };
    let mut accuser = None;
    h.until(h.periods(30), |h| {
        accuser = rest.iter().copied().find(|&p| by_itself(h, p));
        accuser.is_some()
    });
    // It has said so to whom it could by now, and is gone.
    let accuser = accuser.expect("somebody suspects");
    h.kill(accuser);
    let (_, longest) = h.config().suspicion_bounds(5);
    let survivors = others(&rest, accuser);
    let dead = |h: &mut H| survivors.iter().all(|&p| h.sees(p, victim) == Some(State::Dead));
    h.until(longest + h.periods(1), dead).expect("dead within the longest suspicion");
    for &p in &survivors {
        assert_eq!(h.count_since(p, &mark, |e| is_down(e) && e.member() == Some(id)), 1);
    }
}

/// D5: a member is accused at the highest refutations of its epoch, and at the highest incarnation there is, to be suspect or
/// dead, to one of five nodes or to all: by a stranger; in a member's name from a stranger's address; and in a member's name
/// from that member's own. Nobody suspects or dies of it, no table changes, each of the datagrams is counted once, where it
/// was refused, and then it is quiet.
pub fn d5_forged_accusations_change_nothing<H: Inspect>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    h.until(h.periods(30), |h| h.is_quiet()).expect("what was news has been told");
    let victim = run.pick(&nodes);
    let member = run.pick(&others(&nodes, victim));
    let (id, epoch) = (h.id(victim), h.node(victim).me().incarnation().epoch());
    let (name, nowhere) = (NodeId::from_name("stranger"), SocketAddr::from(([10, 9, 9, 9], 7_946)));
    let (real, at) = (h.id(member), h.node(member).me().incarnation());
    let sources = [(name, nowhere, false), (real, nowhere, true), (real, h.addr(member), true)];
    let (mark, before) = (h.mark(), tables(&h, &nodes));
    for (sender, from, known) in sources {
        for state in [State::Suspect, State::Dead] {
            for epoch in [epoch, u32::MAX] {
                let highest = Incarnation::new(epoch, Incarnation::MAX_REFUTATIONS);
                let lie = frame(sender, at, None, &[claim(id, highest, state, &[])]);
                // Nobody hears itself.
                let hearers = others(&nodes, member);
                let hearers = if run.below(2) == 0 { vec![run.pick(&hearers)] } else { hearers };
                for p in hearers {
                    let refused = |h: &H| {
                        let s = h.node(p).stats();
                        (s.claims_implausible, s.claims_from_strangers)
                    };
                    let (implausible, strange) = refused(&h);
                    h.forge(p, from, &lie);
                    let counted = (implausible + u64::from(known), strange + u64::from(!known));
                    assert_eq!(refused(&h), counted, "{state} at {highest}, heard by {p:?} from {from}");
                }
            }
        }
    }
    assert_eq!(tables(&h, &nodes), before, "at once");
    h.run(h.periods(30));
    assert_eq!(tables(&h, &nodes), before, "and later");
    for &p in &nodes {
        let harmed = |e: &Event| is_down(e) || is_suspect(e) || matches!(e, Event::Refuted { .. });
        assert_eq!(h.count_since(p, &mark, harmed), 0, "{p:?}: {:?}", h.since(p, &mark));
    }
    assert!(h.is_whole(5) && h.is_quiet());
    let rate = rate(&mut h, 20);
    assert!(rate <= 2.2, "{rate} datagrams per node and period");
}

/// What everybody believes of everybody.
fn tables<H: Inspect>(h: &H, nodes: &[Peer]) -> Vec<Vec<(NodeId, Status)>> {
    let table = |p: &Peer| {
        let mut rows: Vec<_> = h.node(*p).members().map(|row| (row.id(), row.status())).collect();
        rows.sort_unstable();
        rows
    };
    nodes.iter().map(table).collect()
}

/// D11: two nodes lose 40 % of what they send each other, in both directions, for forty periods: nobody dies while any path
/// works, and neither refutes as often as once per shortest suspicion.
pub fn d11_a_bad_link_kills_nobody<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let mut rest = nodes.to_vec();
    let pair = [run.take(&mut rest), run.take(&mut rest)];
    h.set_link(pair[0], pair[1], Link::loss(40));
    h.set_link(pair[1], pair[0], Link::loss(40));
    let mark = h.mark();
    let before = pair.map(|p| h.view(p).me().incarnation().refutations());
    let span = h.long(60);
    h.run(span);
    assert!(nodes.iter().all(|&p| h.count_since(p, &mark, is_down) == 0), "a death");
    let (shortest, _) = h.config().suspicion_bounds(5);
    let windows = (span.as_micros() / shortest.as_micros()) as u32;
    for (p, before) in pair.into_iter().zip(before) {
        let refuted = h.view(p).me().incarnation().refutations() - before;
        assert!(refuted < windows, "{refuted} refutations in {windows} suspicion windows");
    }
}

/// D12: 134 datagrams with 150 deaths each, all of members that nobody ever heard of: nothing is kept, nothing is passed on,
/// nothing is reported.
pub fn d12_deaths_of_nobody<H: Inspect>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let (hearer, liar) = (nodes[run.below(4)], nodes[4]);
    let known: Vec<NodeId> = nodes.iter().map(|&p| h.id(p)).collect();
    let told = h.tap_into::<usize>(move |told, s| {
        *told += s.parsed().updates().filter(|item| !known.contains(&item.id)).count();
    });
    let mark = h.mark();
    for i in 0..134 {
        let ids = (0..150).map(|j| NodeId::new(1_000_000 + i * 150 + j));
        let states = [State::Dead, State::Left, State::Suspect];
        let claims: Vec<_> = ids.map(|id| claim(id, Incarnation::new(7, 0), states[i as usize % 3], &[])).collect();
        let lie = frame(h.id(liar), h.node(liar).me().incarnation(), None, &claims);
        h.forge(hearer, h.addr(liar), &lie);
    }
    assert_eq!(h.node(hearer).stats().claims_unknown, 134 * 150, "all were heard, and none could create a member");
    assert_eq!(h.node(hearer).gossip_queued(), 0, "no backlog");
    h.run(h.periods(20));
    assert_eq!(*told.get(), 0, "nobody passes any of it on");
    for p in nodes {
        assert_eq!(h.view(p).members().len(), 5, "rows at {p:?}");
        assert_eq!(h.count_since(p, &mark, |e| is_down(e) || is_suspect(e)), 0);
    }
}

/// D9: with nobody else to tell it, the accused hears of the doubt in the very next datagram that it gets from the doubter, and
/// is alive again a round trip later.
pub fn d9_the_suspect_hears_of_it_first<H: Inspect>(run: &mut Run) {
    let (mut h, mut nodes) = run.cluster::<H>(H::base_config(), 3);
    let (doubter, accused, witness) = (run.take(&mut nodes), run.take(&mut nodes), nodes[0]);
    h.cut(&[doubter, accused], &[witness], Way::Both);
    let (id, at) = (h.id(accused), h.addr(accused));
    let by = [h.id(witness)];
    let incarnation = h.node(accused).me().incarnation();
    let from = h.addr(doubter);
    let first = h.tap_into::<Option<bool>>(move |first, s| {
        if (s.from, s.to) == (from, at) {
            first.get_or_insert(says(&s.parsed(), id).is_some_and(|status| status.state() == State::Suspect));
        }
    });
    let doubt =
        frame(h.id(witness), h.node(witness).me().incarnation(), None, &[claim(id, incarnation, State::Suspect, &by)]);
    h.forge(doubter, h.addr(witness), &doubt);
    assert_eq!(h.sees(doubter, accused), Some(State::Suspect));
    h.until(h.periods(10), |_| first.get().is_some()).expect("the doubter speaks to the accused");
    assert_eq!(*first.get(), Some(true), "and says so at once");
    h.until(h.periods(1) / 10, |h| h.sees(doubter, accused) == Some(State::Alive)).expect("it refutes at once");
}
