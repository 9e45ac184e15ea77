//! Seeds that are named, on the virtual network: names that nobody knows yet, that come to mean another address, and that
//! are asked for no oftener than they have to be. The resolver is a table of the test, which answers at once.

mod util;

use std::collections::HashMap;
use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use swim_core::{Config, Event, State};
use swim_driver::{Query, Resolver, Seed};
use swim_sim::{NodeIx, World, millis, secs};
use util::over_seeds;

/// What names mean. Everybody asks the same one.
#[derive(Clone, Default)]
struct Names(Arc<Mutex<HashMap<&'static str, Vec<SocketAddr>>>>);

impl Names {
    fn mean(&self, name: &'static str, nodes: &[NodeIx]) {
        self.0.lock().unwrap().insert(name, nodes.iter().map(|node| node.addr()).collect());
    }

    fn vanish(&self, name: &'static str) {
        self.0.lock().unwrap().remove(name);
    }

    fn resolver(&self) -> Resolver {
        let names = self.clone();
        Resolver::new(move |query| names.answer(query))
    }

    fn answer(&self, query: Query) {
        let known = self.0.lock().unwrap().get(query.host()).cloned();
        query.answer(known.ok_or(Error::from(ErrorKind::NotFound)));
    }

    /// Starts a node that joins through these seeds.
    fn spawn(&self, w: &mut World, name: &str, seeds: &[&str]) -> NodeIx {
        let node = w.spawn_with(name, |setup| setup.resolver = self.resolver());
        let seeds: Vec<Seed> = seeds.iter().map(|seed| seed.parse().unwrap()).collect();
        w.handle(node).join(&seeds).unwrap();
        w.run(Duration::ZERO);
        node
    }
}

fn join_retry_max() -> Duration {
    Config::lan("sim").join_retry_max
}

/// The longest wait for a name, and then a round trip on the network's slowest link, with room.
fn soon() -> Duration {
    join_retry_max() + secs(1)
}

fn resolutions(w: &World, node: NodeIx) -> u64 {
    w.pump(node).stats().resolutions
}

/// B4: the seeds are down when the node starts, and so is their name; five minutes later both are there.
#[test]
fn b4_a_seed_that_comes_up_later_under_a_name_that_was_unknown() {
    over_seeds(100, |seed| {
        let (mut w, names) = (World::new(seed), Names::default());
        let a = names.spawn(&mut w, "a", &["seed.example:7946"]);
        w.run(secs(300) + millis(seed * 37 % 1_000));
        assert_eq!(w.pump(a).stats().resolve_failures, resolutions(&w, a), "unknown, again and again");
        assert!((6..=15).contains(&resolutions(&w, a)), "with back-off: {}", resolutions(&w, a));
        let late = names.spawn(&mut w, "seed", &["seed.example:7946"]);
        names.mean("seed.example", &[late]);
        w.run_until(soon(), |w| w.all_see(2)).expect("joined after the next resolution");
        assert!(w.events(a).iter().any(|(_, e)| matches!(e, Event::Joined { members: 2 })));
        // Nobody has joined through the seed's own name but the other.
        assert_eq!(w.sees(late, a), Some(State::Alive));
    });
}

/// B4: the name has an address when the node starts, but nobody is there; and it has another one when somebody is.
#[test]
fn b4_a_name_that_means_another_address_by_the_time_the_seed_is_up() {
    over_seeds(100, |seed| {
        let (mut w, names) = (World::new(seed), Names::default());
        let gone = w.spawn("gone");
        w.kill(gone);
        names.mean("seed.example", &[gone]);
        let a = names.spawn(&mut w, "a", &["seed.example:7946"]);
        w.run(secs(100));
        names.vanish("seed.example");
        w.run(secs(200) + millis(seed * 37 % 1_000));
        assert!(w.pump(a).stats().resolve_failures > 0);
        let late = w.spawn("seed");
        names.mean("seed.example", &[late]);
        w.run_until(soon(), |w| w.sees(a, late) == Some(State::Alive)).expect("joined after the next resolution");
    });
}

/// A pod that is replaced: another node, at another address, under the same name. Who lost it is alone, and asks at once.
#[test]
fn b4_who_is_left_alone_finds_the_seeds_successor_by_its_name() {
    over_seeds(100, |seed| {
        let (mut w, names) = (World::new(seed), Names::default());
        let former = w.spawn("seed-1");
        names.mean("seed.example", &[former]);
        let a = names.spawn(&mut w, "a", &["seed.example:7946"]);
        w.run_until(secs(5), |w| w.all_see(2)).expect("joined");
        w.run(secs(1_000) + millis(seed * 37 % 1_000));
        w.kill(former);
        let successor = w.spawn("seed-2");
        names.mean("seed.example", &[successor]);
        w.run_until(secs(60), |w| w.sees(a, former) == Some(State::Dead)).expect("its death is noticed");
        // The first wait is `join_retry`, and one of the pulls that follow need not be the first.
        w.run_until(secs(5), |w| w.sees(a, successor) == Some(State::Alive)).expect("found by its name");
    });
}

/// In company a missing seed is looked for at the slow pace; and nobody is asked for anything while all are there.
#[test]
fn names_are_asked_for_while_they_are_missed_and_no_longer() {
    let (mut w, names) = (World::new(1), Names::default());
    let first = w.spawn("n0");
    names.mean("seed.example", &[first]);
    let others: Vec<NodeIx> = (1..5)
        .map(|i| {
            let node = names.spawn(&mut w, &format!("n{i}"), &["seed.example:7946"]);
            w.run(millis(100));
            node
        })
        .collect();
    w.run_until(secs(30), |w| w.all_see(5)).expect("the cluster forms");
    w.run(secs(120));
    let before: Vec<u64> = others.iter().map(|&node| resolutions(&w, node)).collect();
    w.run(secs(6 * 3_600));
    let quiet = others.iter().map(|&node| resolutions(&w, node));
    assert!(quiet.eq(before.iter().copied()), "{before:?}");

    w.kill(first);
    let hours = 2;
    w.run(secs(hours * 3_600));
    for (&node, before) in others.iter().zip(before) {
        let asked = resolutions(&w, node) - before;
        assert!((hours * 50..=hours * 85).contains(&asked), "once in 45 to 60 s: {asked} in {hours} h");
    }
    // The seed's successor does not know them; they find it.
    let successor = w.spawn("n0");
    names.mean("seed.example", &[successor]);
    w.run_until(secs(180), |w| w.all_see(5)).expect("found by its name");
}

/// Who has to fall silent, because another process has its id, asks for nothing more.
#[test]
fn who_is_parked_asks_for_nothing() {
    let (mut w, names) = (World::new(1), Names::default());
    let (seed, first) = (w.spawn("seed"), w.spawn("twin"));
    names.mean("seed.example", &[seed]);
    w.join(first, &[seed]);
    w.run_until(secs(5), |w| w.all_see(2)).expect("joined");
    let second = names.spawn(&mut w, "twin", &["seed.example:7946", "unknown.example:1"]);
    w.run_until(secs(60), |w| !w.is_running(second)).expect("the one at the greater address falls silent");
    assert!(resolutions(&w, second) >= 2);
    assert_eq!(w.pump(second).poll_timeout(), None);
}

/// A name and an address: who is there by address does not wait for the name, and is not forgotten over it.
#[test]
fn addresses_and_names_make_one_list() {
    let (mut w, names) = (World::new(1), Names::default());
    let (by_addr, by_name) = (w.spawn("x"), w.spawn("y"));
    names.mean("y.example", &[by_name]);
    let seeds = [by_addr.addr().to_string(), "y.example:7946".into(), "unknown.example:1".into()];
    let seeds: Vec<&str> = seeds.iter().map(String::as_str).collect();
    let a = names.spawn(&mut w, "a", &seeds);
    w.run_until(secs(120), |w| w.all_see(3)).expect("all three, since each half knows a");
    w.kill(by_addr);
    w.run_until(secs(60), |w| w.sees(a, by_addr) == Some(State::Dead)).expect("noticed");
    w.run(secs(1_000));
    w.restart(by_addr);
    w.run_until(secs(180), |w| w.all_see(3)).expect("an address that is no live member's is tried again");
}

/// A name whose resolution hangs stands before that of the seed: which is found all the same, and when it is replaced at
/// another address, its successor.
#[test]
fn b4_a_name_that_hangs_keeps_nobody_from_the_others() {
    over_seeds(100, |seed| {
        let (mut w, names) = (World::new(seed), Names::default());
        let first = w.spawn("first");
        names.mean("seed.example", &[first]);
        let hanging = Arc::new(Mutex::new(Vec::new()));
        let (known, hangs) = (names.clone(), Arc::clone(&hanging));
        let a = w.spawn_with("a", |setup| {
            setup.resolver = Resolver::new(move |query| match query.host() {
                "hangs.example" => hangs.lock().unwrap().push(query),
                _ => known.answer(query),
            });
        });
        let seeds: Vec<Seed> = ["hangs.example:7946", "seed.example:7946"].map(|seed| seed.parse().unwrap()).into();
        w.handle(a).join(&seeds).unwrap();
        w.run_until(secs(5), |w| w.all_see(2)).expect("joined after `join_retry`");
        w.kill(first);
        let second = w.spawn("second");
        names.mean("seed.example", &[second]);
        w.run_until(secs(200), |w| w.sees(a, second) == Some(State::Alive)).expect("found by its name");
        assert_eq!(hanging.lock().unwrap().len(), 1, "asked once");
    });
}

/// The resolver is part of a run, so the same answers give the same run.
#[test]
fn names_leave_runs_reproducible() {
    let run = |late: u64| {
        let (mut w, names) = (World::new(7), Names::default());
        let a = names.spawn(&mut w, "a", &["seed.example:7946"]);
        w.run(secs(late));
        let b = w.spawn("b");
        names.mean("seed.example", &[b]);
        w.run(secs(200));
        (w.digest(), resolutions(&w, a))
    };
    assert_eq!(run(30), run(30));
    assert_ne!(run(30).0, run(31).0);
}

/// Without a resolver of its own a world knows no names, and no thread looks for any.
#[test]
fn a_world_has_addresses_only() {
    let mut w = World::new(1);
    let a = w.spawn("a");
    w.handle(a).join(&["localhost:7946".parse::<Seed>().unwrap()]).unwrap();
    w.run(secs(10));
    let stats = w.pump(a).stats();
    assert!(stats.resolve_failures > 1 && stats.resolve_failures == stats.resolutions);
}

/// B4: everybody is replaced, at other addresses. Who is left has many lost members to try, and still finds the seed's
/// successor soon after its name has been resolved: one of two knocks is at a missing seed.
#[test]
fn b4_a_new_address_is_not_behind_all_the_lost() {
    over_seeds(100, |seed| {
        let (mut w, names) = (World::new(seed), Names::default());
        let former: Vec<NodeIx> = (0..40).map(|i| w.spawn(&format!("n{i}"))).collect();
        for &node in &former[1..] {
            w.join(node, &former[..1]);
        }
        names.mean("seed.example", &former[..1]);
        let a = names.spawn(&mut w, "a", &["seed.example:7946"]);
        w.run_until(secs(60), |w| w.all_see(41)).expect("the cluster forms");
        for &node in &former {
            w.kill(node);
        }
        w.run_until(secs(600), |w| w.node(a).live_count() == 1).expect("it is alone");
        w.run(secs(600));
        let successor = w.spawn("new");
        names.mean("seed.example", &[successor]);
        let knocks = 2 * join_retry_max();
        w.run_until(soon() + knocks, |w| w.sees(a, successor) == Some(State::Alive)).expect("found by its name");
    });
}
