//! Every checker is shown what it is there for, and has to say so.

mod sends;

use std::collections::BTreeMap;
use std::time::Duration;

use swim_core::wire::Message;
use swim_core::{Config, Event, Incarnation, Instant, NodeId, State};
use swim_driver::Pump;

use super::calm::is_one;
use super::chaos::Chaos;
use super::replay::Lives;
use super::shadow::{Checked, Shadow};
use super::watch::{Kind, Turn};
use super::*;
use crate::{NodeIx, World, millis, secs};

/// Five nodes that know each other and have nothing more to tell.
fn five() -> (World, Vec<NodeIx>) {
    let mut w = World::new(1);
    let first = w.spawn("n0");
    let others = w.mass_join("m", 4, &[first], secs(1));
    let quiet = |w: &World| w.all_see(5) && w.is_at_rest();
    assert!(w.run_until(secs(60), quiet).is_some());
    let nodes = std::iter::once(first).chain(others).collect();
    (w, nodes)
}

fn broken(checked: Checked) -> Option<Checker> {
    checked.err().map(|(checker, _)| checker)
}

/// What the turn breaks at a process that looked like this one does now.
fn breaks(pump: &Pump, change: impl FnOnce(&mut Turn)) -> Option<Checker> {
    let mut shadow = Shadow::new(pump.node(), Instant::ORIGIN);
    let mut turn = Turn { kind: Kind::Timeout, before: *pump.node().stats(), ..Turn::default() };
    change(&mut turn);
    broken(shadow.check_turn(&turn, 10, pump))
}

#[test]
fn a_turn_breaks_what_it_breaks() {
    let (mut w, nodes) = five();
    w.run(secs(10));
    let (pump, mtu) = (w.pump(nodes[0]), w.node(nodes[0]).config().mtu);
    assert_eq!(breaks(pump, |_| ()), None);
    assert_eq!(breaks(pump, |t| t.largest = mtu), None);
    assert_eq!(breaks(pump, |t| t.largest = mtu + 1), Some(Checker::TooLarge));
    assert_eq!(breaks(pump, |t| t.clock = Instant::NEVER), Some(Checker::Spin), "the deadline has passed");
    assert_eq!(breaks(pump, |t| t.before.probes_acked -= 1), Some(Checker::Ack), "by no datagram");
    let (target, at) = (w.id(nodes[1]), nodes[1].addr());
    let ask = Message::PingReq { target, nonce: 1 };
    assert_eq!(breaks(pump, |t| t.probes.push((nodes[2].addr(), ask))), None);
    assert_eq!(breaks(pump, |t| t.probes.push((at, ask))), Some(Checker::Relay));
    assert_eq!(breaks(pump, |t| t.probes.push((nodes[0].addr(), ask))), Some(Checker::Relay));

    let mut shadow = Shadow::new(pump.node(), Instant::ORIGIN);
    let mut turns = (0..20).map(|_| Turn { kind: Kind::Timeout, before: *pump.node().stats(), ..Turn::default() });
    let found = turns.find_map(|turn| broken(shadow.check_turn(&turn, 10, pump)));
    assert_eq!(found, Some(Checker::Spin), "time-outs without end at one instant");
}

/// An ack with another nonce than the ping's, seen by the frames themselves.
#[test]
fn an_ack_that_is_none() {
    let (mut w, nodes) = five();
    w.run(secs(10));
    let pump = w.pump(nodes[0]);
    let frame = |nonce| {
        let mut frame = vec![0; 100];
        let mut writer =
            swim_core::wire::Writer::new(&mut frame, w.id(nodes[1]), Incarnation::new(1, 0), 0).expect("it fits");
        assert!(writer.message(Message::Ack { nonce }));
        let len = writer.written();
        [vec![0; 10], frame[..len].to_vec()].concat()
    };
    let mut shadow = Shadow::new(pump.node(), Instant::ORIGIN);
    let mut ping = Turn { kind: Kind::Timeout, before: *pump.node().stats(), ..Turn::default() };
    ping.before.probes -= 1;
    ping.probes.push((nodes[1].addr(), Message::Ping { target: w.id(nodes[1]), nonce: 7 }));
    assert_eq!(broken(shadow.check_turn(&ping, 10, pump)), None);
    for (nonce, found) in [(7, None), (8, Some(Checker::Ack))] {
        let mut ack = Turn { kind: Kind::Datagram, before: *pump.node().stats(), ..Turn::default() };
        ack.before.probes_acked -= 1;
        ack.datagram = frame(nonce);
        assert_eq!(broken(shadow.check_turn(&ack, 10, pump)), found);
    }
}

#[test]
fn a_raised_incarnation_that_nobody_hears_of() {
    let (mut w, nodes) = five();
    let mut shadow = Shadow::new(w.node(nodes[0]), w.now());
    w.set_meta(nodes[0], b"another");
    let pump = w.pump(nodes[0]);
    let turn = || Turn { kind: Kind::Datagram, clock: w.now(), before: *pump.node().stats(), ..Turn::default() };
    let told = Turn { sent: 1, first_frame: b"no frame".to_vec(), ..turn() };
    assert_eq!(broken(shadow.check_turn(&told, 10, pump)), Some(Checker::Refutation), "the old one is told");
    assert_eq!(broken(shadow.check_turn(&turn(), 10, pump)), Some(Checker::Refutation), "nothing is told");
    // Many datagrams may have used up what can be said at once, but then the tick is there.
    let mut shadow = Shadow::new(w.node(nodes[1]), w.now());
    for _ in 0..9 {
        let clock = w.now();
        let turn = Turn { kind: Kind::Datagram, clock, before: *w.node(nodes[1]).stats(), ..Turn::default() };
        assert_eq!(broken(shadow.check_turn(&turn, 10, w.pump(nodes[1]))), None);
    }
    w.set_meta(nodes[1], b"another");
    let pump = w.pump(nodes[1]);
    let turn = |kind, clock| Turn { kind, clock, before: *pump.node().stats(), ..Turn::default() };
    assert_eq!(broken(shadow.check_turn(&turn(Kind::Datagram, w.now()), 10, pump)), None);
    let late = w.now() + pump.node().config().gossip_interval + millis(1);
    let mut silent = turn(Kind::Timeout, late);
    silent.before.timeouts += 1;
    let checked = shadow.check_turn(&Turn { clock: late, ..silent }, 10, pump);
    assert!(matches!(broken(checked), Some(Checker::Refutation | Checker::Spin)));
}

#[test]
fn a_goodbye_that_is_none() {
    let (mut w, nodes) = five();
    let mut shadow = Shadow::new(w.node(nodes[0]), w.now());
    w.leave(nodes[0]);
    let pump = w.pump(nodes[0]);
    let turn = |sent| Turn { kind: Kind::Command, sent, before: *pump.node().stats(), ..Turn::default() };
    assert_eq!(broken(shadow.check_turn(&turn(3), 10, pump)), Some(Checker::Goodbye), "four are there");
    assert_eq!(broken(shadow.check_turn(&turn(1), 10, pump)), Some(Checker::Goodbye), "it was to be silent");
}

/// What events about a member that nobody knows break, told one by one at these seconds of the clock. Who was `asleep` wakes
/// up with the last of them.
fn told(kind: Kind, asleep: bool, events: &[(u64, Event)]) -> Option<Checker> {
    let mut w = World::new(2);
    let pump_of = w.spawn("a");
    let pump = w.pump(pump_of);
    let mut shadow = Shadow::new(pump.node(), Instant::ORIGIN);
    for (i, &(at, event)) in events.iter().enumerate() {
        let clock = Instant::ORIGIN + secs(at);
        let mut turn = Turn { kind, at: clock, clock, before: *pump.node().stats(), ..Turn::default() };
        turn.events.push(event);
        // A node that is alone waits for nothing.
        assert_eq!(broken(shadow.check_turn(&turn, 10, pump)), None);
        if asleep && i + 1 == events.len() {
            shadow.wake(secs(4));
        }
        let found = broken(shadow.check_table(&turn, pump.node(), &BTreeMap::new(), &mut Coverage::default()));
        // That there is no row to what is told is found in any case.
        if found.is_some_and(|checker| checker != Checker::Untold) {
            return found;
        }
    }
    None
}

#[test]
fn a_story_that_cannot_be() {
    let id = NodeId::new(9);
    let (one, two) = (Incarnation::new(1, 0), Incarnation::new(1, 1));
    let up = |incarnation| Event::MemberUp { id, incarnation };
    let suspect = |incarnation| Event::MemberSuspect { id, incarnation, by: None };
    let down = |incarnation| Event::MemberDown { id, incarnation, left: false };
    let forgotten = Event::MemberForgotten { id };
    let story = |events: &[(u64, Event)]| told(Kind::Timeout, false, events);
    assert_eq!(story(&[(0, up(one)), (1, suspect(one)), (5, down(one)), (605, forgotten), (606, up(one))]), None);
    assert_eq!(story(&[(0, up(two)), (1, down(one))]), Some(Checker::StatusFell));
    assert_eq!(story(&[(0, up(one)), (1, suspect(one)), (5, down(one)), (6, up(one))]), Some(Checker::StatusFell));
    assert_eq!(story(&[(0, up(one)), (1, down(one))]), Some(Checker::TooSoon), "never suspected");
    assert_eq!(story(&[(0, up(one)), (1, suspect(one)), (3, down(one))]), Some(Checker::TooSoon), "2 of 3 s");
    let anew = [(0, up(one)), (1, suspect(one)), (9, suspect(two)), (10, down(two))];
    assert_eq!(story(&anew), Some(Checker::TooSoon), "the newer suspicion counts");
    let early = [(0, up(one)), (1, suspect(one)), (5, down(one)), (604, forgotten)];
    assert_eq!(story(&early), Some(Checker::Tombstone));
    let slept = [(0, up(one)), (1, suspect(one)), (50, down(one))];
    assert_eq!(told(Kind::Timeout, true, &slept), Some(Checker::AfterPause));
    assert_eq!(told(Kind::Datagram, true, &slept), None, "others may know");
}

#[test]
fn a_table_that_cannot_be() {
    let (mut w, nodes) = five();
    let all: BTreeMap<NodeId, Incarnation> =
        nodes.iter().map(|&node| (w.id(node), w.node(node).me().incarnation())).collect();
    // The first, when it was alone.
    let mut before = World::new(1);
    before.spawn("n0");
    let node = w.node(nodes[0]);
    let up = |row: swim_core::Member<'_>| Event::MemberUp { id: row.id(), incarnation: row.incarnation() };
    let ups: Vec<Event> = node.members().skip(1).map(up).collect();
    let check = |events: &[Event], taken: &BTreeMap<NodeId, Incarnation>| {
        let mut shadow = Shadow::new(before.node(NodeIx::FIRST), Instant::ORIGIN);
        let turn = Turn { events: events.to_vec(), ..Turn::default() };
        broken(shadow.check_table(&turn, node, taken, &mut Coverage::default()))
    };
    assert_eq!(check(&ups, &all), None);
    assert_eq!(check(&ups[1..], &all), Some(Checker::Untold), "one came, and nobody said so");
    assert_eq!(check(&ups, &BTreeMap::new()), Some(Checker::NotItsOwn), "nobody has ever been there");
    assert_eq!(check(&[ups.clone(), vec![ups[0]]].concat(), &all), Some(Checker::StatusFell), "told twice");

    // Its later life looks at the former one.
    let former = w.node(nodes[1]).clone();
    w.restart(nodes[1]);
    let mut later = Shadow::new(w.node(nodes[1]), Instant::ORIGIN);
    let found = later.check_table(&Turn::default(), &former, &all, &mut Coverage::default());
    assert_eq!(broken(found), Some(Checker::Oneself));
}

/// Whoever says something else of itself is told to have, and nobody else is.
#[test]
fn profiles_that_change_in_secret() {
    let (mut w, nodes) = five();
    let (me, subject) = (nodes[0], w.id(nodes[1]));
    let former = w.node(me).clone();
    let said = |w: &World| w.node(me).member(subject).map(|row| row.profile().meta().to_vec());
    w.set_meta(nodes[1], b"new");
    assert!(w.run_until(secs(60), |w| said(w).is_some_and(|meta| meta == b"new")).is_some());
    let now = w.node(me);
    let all: BTreeMap<NodeId, Incarnation> =
        nodes.iter().map(|&node| (w.id(node), w.node(node).me().incarnation())).collect();
    let life = now.member(subject).expect("it is there").incarnation();
    let refuted = Event::MemberRefuted { id: subject, incarnation: life };
    let updated = Event::MemberUpdated { id: subject };
    let check = |from: &swim_core::Node, to: &swim_core::Node, events: &[Event]| {
        let mut shadow = Shadow::new(from, Instant::ORIGIN);
        let turn = |events: &[Event]| Turn { kind: Kind::Datagram, events: events.to_vec(), ..Turn::default() };
        let lagged = turn(&[Event::Lagged { missed: 1 }]);
        assert_eq!(broken(shadow.check_table(&lagged, from, &all, &mut Coverage::default())), None);
        broken(shadow.check_table(&turn(events), to, &all, &mut Coverage::default()))
    };
    assert_eq!(check(&former, now, &[refuted, updated]), None);
    assert_eq!(check(&former, now, &[refuted]), Some(Checker::Untold), "nobody was told");
    assert_eq!(check(now, now, &[]), None);
    assert_eq!(check(now, now, &[updated]), Some(Checker::Untold), "it says what it has said");
}

/// Where events were lost the rows are all there is to go by, and a status may not have fallen in them, either: unless the row
/// was forgotten meanwhile, and the member is new.
#[test]
fn a_status_that_falls_where_events_were_lost() {
    let (mut w, nodes) = five();
    let all: BTreeMap<NodeId, Incarnation> =
        nodes.iter().map(|&node| (w.id(node), w.node(node).me().incarnation())).collect();
    let (me, subject) = (nodes[0], w.id(nodes[1]));
    let state = |w: &World| w.node(me).member(subject).map(|row| row.state());
    let alive = w.node(me).clone();
    w.kill(nodes[1]);
    assert!(w.run_until(secs(60), |w| state(w) == Some(State::Suspect)).is_some());
    let suspecting = w.node(me).clone();
    assert!(w.run_until(secs(60), |w| state(w) == Some(State::Dead)).is_some());
    let dead = w.node(me).clone();
    let (incarnation, ttl) = (all[&subject], dead.config().tombstone_ttl);
    let lagged = [Event::Lagged { missed: 1 }];
    let suspect = Event::MemberSuspect { id: subject, incarnation, by: None };
    let down = Event::MemberDown { id: subject, incarnation, left: false };
    let turn = |shadow: &mut Shadow, node: &swim_core::Node, clock: Duration, events: &[Event]| {
        shadow.look(Instant::ORIGIN + clock);
        let turn = Turn { kind: Kind::Datagram, events: events.to_vec(), ..Turn::default() };
        broken(shadow.check_table(&turn, node, &all, &mut Coverage::default()))
    };
    let mut shadow = Shadow::new(&suspecting, Instant::ORIGIN);
    assert_eq!(turn(&mut shadow, &dead, secs(1), &lagged), None, "a death that was missed");
    let mut shadow = Shadow::new(&suspecting, Instant::ORIGIN);
    assert_eq!(turn(&mut shadow, &alive, secs(1), &lagged), Some(Checker::StatusFell));
    for (after, found) in [(ttl - millis(1), Some(Checker::StatusFell)), (ttl, None)] {
        let mut shadow = Shadow::new(&alive, Instant::ORIGIN);
        assert_eq!(turn(&mut shadow, &alive, secs(1), &lagged), None, "from now on it knows all of them");
        assert_eq!(turn(&mut shadow, &dead, secs(9), &[suspect, down]), None);
        assert_eq!(turn(&mut shadow, &alive, secs(9) + after, &lagged), found, "{after:?} after the death");
    }
}

#[test]
fn a_node_that_is_not_a_function_of_its_inputs() {
    let mut lives = Lives::new(NodeIx::FIRST, 500);
    let mut w = World::new(4);
    let node = w.spawn_with("a", |setup| setup.record = Some(Lives::recording(500)));
    let recorder = w.handle(node).recorder().cloned();
    lives.begun(node, recorder.as_ref());
    assert_eq!(broken(lives.ended(node, w.node(node))), None, "nothing was given, and nothing came");
    w.set_meta(node, b"recorded");
    lives.begun(node, recorder.as_ref());
    assert_eq!(broken(lives.ended(node, w.node(node))), None);
    let before = w.node(node).clone();
    w.set_meta(node, b"another");
    lives.begun(node, recorder.as_ref());
    assert_eq!(broken(lives.ended(node, &before)), Some(Checker::Replay));
    assert_eq!((lives.replayed, lives.restored), (3, 1), "no life had an input to be restored before but the second");
    lives.begun(NodeIx::new(1), recorder.as_ref());
    assert_eq!(broken(lives.ended(NodeIx::new(1), &before)), None, "it is another's");
}

fn lacks(w: &World, wanted: &[NodeIx]) -> Option<Checker> {
    is_one(w, wanted).err().map(|(checker, ..)| checker)
}

#[test]
fn a_cluster_that_is_not_one() {
    let (mut w, nodes) = five();
    w.run(secs(60));
    assert_eq!(lacks(&w, &nodes), None);
    w.set_meta(nodes[3], b"another");
    assert_eq!(lacks(&w, &nodes), Some(Checker::Agreement));
    let still_told = |w: &World| lacks(w, &nodes) == Some(Checker::Settled);
    assert!(w.run_until(secs(1), still_told).is_some(), "all know, and go on telling");
    w.run(secs(10));
    assert_eq!(lacks(&w, &nodes), None);
    w.kill(nodes[4]);
    assert_eq!(lacks(&w, &nodes), Some(Checker::Liveness));
    assert_eq!(lacks(&w, &nodes[..4]), Some(Checker::Ghost));
}

/// A plan without faults, up to where the cluster is one.
fn at_rest(plan: &Plan) -> Chaos<'_> {
    let mut chaos = Chaos::new(plan);
    chaos.run();
    let (took, bound) = chaos.calm(plan.config.probe_interval);
    assert!(took <= bound.total() && !chaos.world.is_halted(), "{:?}", chaos.watch().violation);
    chaos
}

fn quiet_plan() -> Plan {
    let plan = (1..).map(Plan::draw).find(|plan| plan.is_quiet() && plan.nodes.len() >= 8 && plan.nodes.len() < 13);
    plan.expect("one plan in fourteen is quiet")
}

#[test]
fn rest_that_is_disturbed() {
    type Disturb = fn(&mut World);
    let disturbances: [(Disturb, Option<Checker>); 3] = [
        (|_| (), None),
        (|w| w.pause(NodeIx::FIRST), Some(Checker::Unrest)),
        (|w| w.link.duplicate = crate::percent(100), Some(Checker::Idle)),
    ];
    let plan = quiet_plan();
    for (disturb, found) in disturbances {
        let mut chaos = at_rest(&plan);
        disturb(&mut chaos.world);
        let wanted = chaos.wanted();
        chaos.hold(&wanted, plan.config.probe_interval);
        assert_eq!(chaos.watch().violation.as_ref().map(|violation| violation.checker), found);
    }
}

/// Two that no longer hear each other are declared dead, where they may not be, and by a verdict that is no rumour.
#[test]
fn a_verdict_about_one_who_runs() {
    let plan = quiet_plan();
    for spared in [false, true] {
        let mut chaos = at_rest(&plan);
        let wanted = chaos.wanted();
        if spared {
            chaos.spare(&wanted);
        }
        let (one, others) = wanted.split_first().expect("there are eight");
        chaos.world.cut(&[*one], others, crate::Way::Both);
        chaos.run_for(Bound::of(&plan, wanted.len()).total());
        let found = chaos.watch().violation.as_ref().map(|violation| violation.checker);
        assert_eq!(found, spared.then_some(Checker::FalseVerdict));
    }
    // Its next life is another one, and so is the one at another address.
    let mut chaos = at_rest(&plan);
    let wanted = chaos.wanted();
    chaos.spare(&wanted);
    chaos.world.kill(wanted[2]);
    for spared in chaos.watch().spared.values_mut() {
        spared.0 += 1;
    }
    assert!(chaos.run_for(Bound::of(&plan, wanted.len()).total()), "{:?}", chaos.watch().violation);
}

#[test]
fn a_quiet_run_suspects_nobody_and_a_panic_is_told() {
    let plan = quiet_plan();
    let outcome = run(&plan);
    assert_eq!(outcome.violation, None);
    // Latency that a quiet plan would not have.
    let mut loud = plan.clone();
    loud.link.loss = crate::percent(60);
    assert!(!loud.is_quiet());
    let suspicions = run(&loud).coverage.counts().find(|&(name, _)| name == "node: suspicions").map(|(_, n)| n);
    assert!(suspicions > Some(0));
    let mut impossible = plan;
    impossible.config = Config::lan("");
    let violation = run(&impossible).violation.expect("no node starts in a cluster without a name");
    assert_eq!(violation.checker, Checker::Panic);
    assert!(violation.text.contains("cluster must not be empty"), "{}", violation.text);
}

/// Everything that is looked for has a name, and nothing that is impossible is looked for under another.
#[test]
fn what_is_missing_is_named() {
    let nothing = Coverage::expected();
    let missing = nothing.missing();
    assert!(missing.contains(&"node: suspicions") && missing.contains(&"event: conflict, parked"), "{missing:?}");
    assert!(!missing.contains(&"network: injected") && missing.contains(&"lives restored"));
    let mut something = nothing.clone();
    something.count("node: suspicions", 1);
    assert_eq!(something.missing().len() + 1, missing.len());
    let impossible = nothing.counts().count() - missing.len();
    assert_eq!(impossible, coverage::IMPOSSIBLE.len(), "each of them is a counter");
}

/// A fault is counted where it strikes, and each kind under the name that is looked for.
#[test]
fn faults_are_counted_when_they_strike() {
    let kinds: std::collections::BTreeSet<&str> =
        (0..500).flat_map(|seed| Plan::draw(seed).faults).map(|planned| planned.fault.what.kind()).collect();
    assert!(kinds.iter().copied().eq(std::collections::BTreeSet::from(fault::KINDS)), "{kinds:?}");
    let mut plan = quiet_plan();
    let strike = |number, node, from| {
        let fault = Fault { what: What::Kill { nodes: vec![node], back: None }, from, until: from };
        PlannedFault { number, fault }
    };
    let started = plan.nodes[2].start;
    // Nobody is there yet; then there is; then no more.
    plan.faults = vec![strike(0, 2, Duration::ZERO), strike(1, 3, plan.chaos), strike(2, 3, plan.chaos)];
    assert!(started > Duration::ZERO);
    let outcome = run(&plan);
    let struck = outcome.coverage.counts().find(|&(name, _)| name == "fault: end").map(|(_, n)| n);
    assert_eq!((struck, outcome.violation), (Some(1), None));
}

/// As long as the longest of what a bound adds up, so nobody has to wait for nothing.
#[test]
fn a_bound_follows_from_the_config() {
    let mut plan = quiet_plan();
    let short = Bound::of(&plan, 10);
    plan.config.suspicion_alpha_percent *= 2;
    let long = Bound::of(&plan, 10);
    assert_eq!(long.suspect, short.suspect * 2);
    assert_eq!(long.total() - short.total(), short.suspect);
    assert!(Bound::of(&plan, 30).total() > long.total() && short.settle < Duration::from_secs(1));
}
