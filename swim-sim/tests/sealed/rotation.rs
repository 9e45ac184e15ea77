//! Keys are exchanged while nodes run, write and broadcast, datagrams are lost, and one of them dies.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use conformance::{over_seeds, summary};
use swim_core::{Config, Event, Instant, NodeId, State};
use swim_sim::{NodeIx, World, millis, percent, secs};

use crate::cluster::*;

const OLD: u8 = 1;
const NEW: u8 = 2;

/// What went over the wires of a cluster.
#[derive(Clone, Copy, Debug, Default)]
struct Wire {
    datagrams: u64,
    /// Not sealed, or under a key that is none of the two.
    other: u64,
    /// Under the old key, and when the last of them was sent.
    old: u64,
    last_old: Option<Instant>,
}

fn watch(w: &mut World) -> Rc<RefCell<Wire>> {
    let wire = Rc::new(RefCell::new(Wire::default()));
    let tap = Rc::clone(&wire);
    let [old, new] = [OLD, NEW].map(|n| key(n).id().to_string());
    w.tap(move |sent| {
        let id = format!("{:02x}{:02x}", sent.bytes[3], sent.bytes[2]);
        let mut wire = tap.borrow_mut();
        wire.datagrams += 1;
        wire.other += u64::from(!is_sealed(sent.bytes) || (id != old && id != new));
        if id == old {
            wire.old += 1;
            wire.last_old = Some(sent.at);
        }
    });
    wire
}

/// Twenty nodes with the old key, whose links lose a tenth of what they carry.
fn lossy(seed: u64) -> (World, Vec<NodeIx>) {
    let mut w = World::with_config(seed, Config::lan("sim"));
    w.seal(ring(&[OLD], OLD));
    let nodes = start(&mut w, 20);
    settle(&mut w, 20);
    w.link.loss = percent(10);
    w.run(secs(5));
    (w, nodes)
}

/// The three steps of an exchange.
const STEPS: [(&[u8], u8); 3] = [(&[OLD, NEW], OLD), (&[OLD, NEW], NEW), (&[NEW], NEW)];

fn step(w: &mut World, node: NodeIx, step: usize) {
    let (keys, in_use) = STEPS[step];
    if w.is_running(node) {
        w.set_keyring(node, ring(keys, in_use));
    }
}

/// What all have to carry beside: with each step somebody writes, and broadcasts.
fn load(w: &World, nodes: &[NodeIx], moment: usize) {
    let node = nodes[moment * 7 % nodes.len()];
    if w.is_running(node) {
        w.handle(node).put(&format!("key {}", moment % 5), &[moment as u8; 100]).expect("there is room");
        w.handle(node).broadcast("moment", &[moment as u8; 100]).expect("it fits");
    }
}

/// All that was written, and what is kept of what was broadcast, is with all of them.
fn all_have_it(w: &mut World, nodes: &[NodeIx]) {
    let running: Vec<NodeIx> = nodes.iter().copied().filter(|&node| w.is_running(node)).collect();
    let same = |w: &World| running.iter().all(|&node| w.node(node).app_hash() == w.node(running[0]).app_hash());
    w.run_until(secs(60), same).expect("all have what was written");
    for &of in &running {
        let (id, written) = (w.id(of), w.node(of).state_version(w.id(of)));
        assert!(written > 0 && running.iter().all(|&node| w.node(node).state_version(id) == written), "{of:?}");
    }
}

/// Those whose deaths were told.
fn dead(w: &World) -> Vec<NodeId> {
    let down = |(_, event): &(Instant, Event)| if let Event::MemberDown { id, .. } = *event { Some(id) } else { None };
    let mut dead: Vec<NodeId> = w.nodes().flat_map(|node| w.events(node)).filter_map(down).collect();
    dead.sort_unstable();
    dead.dedup();
    dead
}

/// No node opens what was sealed under the old key, and says so.
fn nobody_opens_the_old_key(w: &mut World, nodes: &[NodeIx], taken: &[Recorded]) {
    for &node in nodes.iter().filter(|&&node| w.is_running(node)).collect::<Vec<_>>() {
        let before = driver(w, node);
        taken.iter().for_each(|sent| w.inject_datagram(node, sent.from, &sent.bytes));
        w.run(millis(0));
        let now = driver(w, node);
        let (refused, sent) = (now.refused_key - before.refused_key, now.datagrams_sent - before.datagrams_sent);
        assert_eq!((refused, sent), (taken.len() as u64, 0), "{node:?}");
    }
}

/// Each step everywhere before the next, one node after the other; and in the middle of the second one dies.
fn exchange(seed: u64) -> (Wire, Duration) {
    let (mut w, nodes) = lossy(seed);
    let recorded = record(&mut w);
    w.run(secs(2));
    let taken = recorded.take();
    let wire = watch(&mut w);
    let victim = nodes[seed as usize % 20];
    let mut died = w.now();
    for i in 0..STEPS.len() {
        for (at, &node) in nodes.iter().enumerate() {
            step(&mut w, node, i);
            load(&w, &nodes, i * nodes.len() + at);
            w.run(millis(300));
            if (i, at) == (1, 10) {
                w.kill(victim);
                died = w.now();
            }
        }
    }
    let gone =
        |w: &World| nodes.iter().filter(|&&node| node != victim).all(|&node| w.sees(node, victim) == Some(State::Dead));
    w.run_until(secs(60), gone).expect("the dead one is missed by all");
    let missed = w.now().since(died);
    w.run(secs(30));
    assert_eq!(dead(&w), [w.id(victim)], "nobody else");
    assert!(w.run_until(secs(30), |w| w.all_see(19)).is_some());
    all_have_it(&mut w, &nodes);
    nobody_opens_the_old_key(&mut w, &nodes, &taken);
    let wire = *wire.borrow();
    assert!(wire.other == 0 && wire.old > 0 && wire.last_old < Some(died + secs(60)), "{wire:?}");
    (wire, missed)
}

/// All steps at all nodes within a second, in any order: for moments some do not hear others.
fn haste(seed: u64) -> (Wire, Duration) {
    let (mut w, nodes) = lossy(seed);
    let recorded = record(&mut w);
    w.run(secs(2));
    let taken = recorded.take();
    let wire = watch(&mut w);
    let mut draw = Draw(seed);
    let mut moments: Vec<(usize, usize, NodeIx)> = Vec::new();
    for &node in &nodes {
        let mut at = [(); 3].map(|()| draw.below(1_000));
        at.sort_unstable();
        moments.extend(at.into_iter().enumerate().map(|(i, at)| (at, i, node)));
    }
    moments.sort_unstable();
    let begun = w.now();
    for (moment, (at, i, node)) in moments.into_iter().enumerate() {
        w.run(millis(at as u64).saturating_sub(w.now().since(begun)));
        step(&mut w, node, i);
        load(&w, &nodes, moment);
    }
    let live = |w: &World| {
        let sees = |a| nodes.iter().all(|&b| w.sees(a, b) == Some(State::Alive));
        w.all_agree() && nodes.iter().all(|&a| sees(a))
    };
    w.run(secs(1));
    w.run_until(secs(120), live).expect("all see all alive");
    let healed = w.now().since(begun);
    w.run(secs(30));
    assert_eq!(dead(&w), [], "nobody");
    all_have_it(&mut w, &nodes);
    nobody_opens_the_old_key(&mut w, &nodes, &taken);
    let wire = *wire.borrow();
    assert!(wire.other == 0 && wire.last_old < Some(begun + secs(1)), "{wire:?}");
    (wire, healed)
}

fn over(what: &str, seeds: u64, play: fn(u64) -> (Wire, Duration)) {
    let ends = over_seeds(seeds, play);
    let sum = |of: fn(&Wire) -> u64| ends.iter().map(|(wire, _)| of(wire)).sum::<u64>();
    let seconds = summary(ends.iter().map(|(_, time)| time.as_secs_f64()));
    println!(
        "{} runs, {} datagrams, {} of them under the old key, none plain; {what} after seconds: {seconds}",
        ends.len(),
        sum(|wire| wire.datagrams),
        sum(|wire| wire.old)
    );
}

#[test]
fn a_key_is_exchanged_while_one_dies_and_nobody_else_is_lost() {
    over("the dead one is missed", size(2, 40), exchange);
}

#[test]
fn a_hasty_exchange_heals() {
    over("all see all alive", size(2, 40), haste);
}
