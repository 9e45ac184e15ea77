//! Stories about who lies, for any config: what no run shows, because in runs nobody lies.

use std::net::SocketAddr;

use conformance::{alive, claim, detail, frame};
use swim_core::wire::{Item, Writer};
use swim_core::{Config, Event, Fact, Incarnation, NodeId, State};
use swim_sim::{NodeIx, World, secs};

use super::three;

/// An accusation that its subject could not go past is believed by nobody, whether it comes from a stranger or in a member's
/// name.
pub(crate) fn forged_accusations_change_nothing(config: Config) {
    let (mut w, nodes) = three(config);
    let (victim, liar) = (nodes[2], nodes[0]);
    let (id, epoch) = (w.id(victim), w.node(victim).me().incarnation().epoch());
    let before: Vec<u64> = nodes.iter().map(|&node| w.node(node).view_hash()).collect();
    let stranger: SocketAddr = ([10, 9, 9, 9], 7_946).into();
    for state in [State::Suspect, State::Dead] {
        for epoch in [epoch, u32::MAX] {
            let forged = [claim(id, Incarnation::new(epoch, Incarnation::MAX_REFUTATIONS), state, &[])];
            for from in [stranger, liar.addr()] {
                let lie = frame(w.id(liar), w.node(liar).me().incarnation(), None, &forged);
                nodes[1..].iter().for_each(|&node| w.inject(node, from, &lie));
                w.run(secs(0));
            }
        }
    }
    w.run(secs(60));
    for (&node, before) in nodes.iter().zip(before) {
        let told = w.events(node).iter().filter(|(_, event)| harms(event)).count();
        assert_eq!((told, w.node(node).view_hash()), (0, before), "{node:?}");
    }
    for &node in &nodes[1..] {
        assert_eq!(w.node(node).stats().claims_implausible, 8, "each is refused, and counted once");
    }
    assert!(w.all_see(3) && w.is_at_rest());
}

fn harms(event: &Event) -> bool {
    matches!(event, Event::MemberSuspect { .. } | Event::MemberDown { .. } | Event::Refuted { .. })
}

/// Alive at 1, dead at 1, dead at 10, alive at 2: in whatever order they come, each of them twice in a row, the member is dead
/// at 10.
pub(crate) fn the_dead_stay_dead_in_every_order(config: Config) {
    let (mut w, nodes) = three(config);
    let (hearer, teller) = (nodes[1], nodes[0]);
    let said = [(1, State::Alive), (1, State::Dead), (10, State::Dead), (2, State::Alive)];
    for (n, order) in orders().into_iter().enumerate() {
        let (id, at) = (NodeId::new(77_000 + n as u64), SocketAddr::from(([10, 7, 7, n as u8], 7_946)));
        let first = Incarnation::new(1, 0);
        tell(&mut w, hearer, teller, &[alive(id, first, detail(first, at, "ghost"))]);
        for i in order.iter().flat_map(|i| [i, i]) {
            let (refutations, state) = said[*i];
            tell(&mut w, hearer, teller, &[claim(id, Incarnation::new(1, refutations), state, &[])]);
        }
        let row = w.node(hearer).member(id).expect("it was there");
        assert_eq!((row.state(), row.incarnation()), (State::Dead, Incarnation::new(1, 10)), "{order:?}");
    }
}

fn tell(w: &mut World, to: NodeIx, by: NodeIx, claims: &[Item<'_>]) {
    let said = frame(w.id(by), w.node(by).me().incarnation(), None, claims);
    w.inject(to, by.addr(), &said);
    w.run(secs(0));
}

/// All orders of four.
fn orders() -> Vec<[usize; 4]> {
    let all = (0..256).map(|n| [n & 3, n >> 2 & 3, n >> 4 & 3, n >> 6]);
    all.filter(|order| (0..4).all(|i| order.contains(&i))).collect()
}

/// Three who are no members are named as accusers: they shorten nothing.
pub(crate) fn only_members_confirm(config: Config) {
    let (mut w, nodes) = three(config);
    let (hearer, teller, gone) = (nodes[1], nodes[0], nodes[2]);
    let (id, at) = (w.id(gone), w.node(gone).me().incarnation());
    w.kill(gone);
    let nobody = [NodeId::new(7), NodeId::new(8), NodeId::new(9)];
    tell(&mut w, hearer, teller, &[claim(id, at, State::Suspect, &nobody)]);
    // Whoever is asleep confirms nothing either.
    w.pause(teller);
    let (began, (_, longest)) = (w.now(), w.node(hearer).config().suspicion_bounds(3));
    let dead = |w: &World| w.sees(hearer, gone) == Some(State::Dead);
    assert!(w.run_until(longest * 2, dead).is_some(), "it is dead in the end");
    assert!(w.now().since(began) >= longest, "after {:?} of {longest:?}", w.now().since(began));
    let confirmed = |fact: &Fact| matches!(fact, Fact::Confirmed { by, .. } if nobody.contains(by));
    assert!(!w.node(hearer).why(id).any(|evidence| confirmed(&evidence.fact)));
}

/// Who introduces itself with a cookie that was never given to it becomes no member.
pub(crate) fn who_is_not_heard_is_not_let_in(config: Config) {
    let (mut w, nodes) = three(config);
    let (id, life, at) = (NodeId::new(77), Incarnation::new(1, 0), SocketAddr::from(([10, 7, 7, 7], 7_946)));
    let mut buf = [0; 200];
    let mut out = Writer::new(&mut buf, id, life, 0).expect("a head fits");
    assert!(out.open_rows() && out.item(&alive(id, life, detail(life, at, "nobody"))));
    out.close_section();
    out.proof(7);
    let len = out.written();
    w.inject(nodes[1], at, &buf[..len]);
    w.run(secs(0));
    assert!(w.node(nodes[1]).member(id).is_none(), "it is a member");
    assert_eq!(w.node(nodes[1]).stats().introductions_unproven, 1);
}

/// One says that another lives elsewhere, in a later life: that other is asked, and nothing changes.
pub(crate) fn nobody_speaks_of_a_later_life(config: Config) {
    let (mut w, nodes) = three(config);
    let (hearer, teller, subject) = (nodes[1], nodes[0], nodes[2]);
    let row = |w: &World| w.node(hearer).member(w.id(subject)).map(|row| (row.incarnation(), row.addr()));
    let (id, before) = (w.id(subject), row(&w));
    let later = w.node(subject).me().incarnation().next_epoch();
    let elsewhere = SocketAddr::from(([10, 7, 7, 7], 7_946));
    tell(&mut w, hearer, teller, &[alive(id, later, detail(later, elsewhere, "n"))]);
    w.run(secs(10));
    assert_eq!(row(&w), before);
    assert_eq!(w.node(hearer).stats().supersede_refused, 1);
}

/// A frame whose last section has a length of one byte more than it takes is no frame.
pub(crate) fn a_frame_has_one_encoding(config: Config) {
    let (mut w, nodes) = three(config);
    let mut said = frame(w.id(nodes[0]), w.node(nodes[0]).me().incarnation(), None, &[]);
    for (section, malformed) in [(&[255, 1, 7][..], 0), (&[255, 0x81, 0, 7], 1)] {
        let len = said.len();
        said.extend_from_slice(section);
        w.inject(nodes[1], nodes[0].addr(), &said);
        w.run(secs(0));
        assert_eq!(w.node(nodes[1]).stats().dropped_malformed, malformed);
        said.truncate(len);
    }
}

/// Two processes have one id: one of them falls silent.
pub(crate) fn one_of_two_rivals_stays(config: Config) {
    let (mut w, nodes) = three(config);
    let rival = w.spawn_with("first", |setup| setup.epoch = Some(1));
    w.join(rival, &nodes[1..]);
    let one = |w: &World| w.is_running(nodes[0]) != w.is_running(rival);
    assert!(w.run_until(secs(120), one).is_some(), "both stay, or none");
    w.run(secs(20));
    assert!(w.is_running(nodes[0]) && w.all_see(3), "the smaller address");
}
