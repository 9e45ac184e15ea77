//! The checkers of what is said are shown what they are there for.

use swim_core::{Config, StopPolicy};

use super::*;
use crate::swarm::chaos::Chaos;
use crate::swarm::data;
use crate::swarm::plan::Plan;
use crate::swarm::{Bound, What};
use crate::{World, millis, secs};

/// Two nodes, of which the first has written `k` twice.
fn two() -> (World, [NodeIx; 2], NodeId) {
    let mut w = World::new(1);
    let nodes = [w.spawn("a"), w.spawn("b")];
    w.join(nodes[1], &nodes[..1]);
    for value in [b"v", b"w"] {
        w.handle(nodes[0]).put("k", value).expect("there is room");
        w.run(secs(5));
    }
    let id = w.id(nodes[0]);
    assert_eq!(w.node(nodes[1]).get(id, "k").map(|entry| entry.version), Some(2));
    (w, nodes, id)
}

fn broken(checked: Checked) -> Option<Checker> {
    checked.err().map(|(checker, _)| checker)
}

#[test]
fn an_entry_that_cannot_be() {
    let (w, nodes, id) = two();
    let node = w.node(nodes[1]);
    let life = |epoch, version, value: &[u8]| -> Lives {
        let versions = BTreeMap::from([(version, hash(value))]);
        BTreeMap::from([((id, epoch), BTreeMap::from([("k".to_string(), versions)]))])
    };
    let sees = |written: &Lives| broken(Reader::default().show(id, node, written));
    assert_eq!(sees(&life(1, 2, b"w")), None);
    assert_eq!(sees(&life(1, 2, b"v")), Some(Checker::NeverWritten), "another value");
    assert_eq!(sees(&life(1, 1, b"w")), Some(Checker::NeverWritten), "at another version");
    assert_eq!(sees(&life(2, 2, b"w")), Some(Checker::NeverWritten), "in another life");
    for (before, found) in [
        ((1, true), None),
        ((1, false), None),
        ((2, true), None),
        ((2, false), Some(Checker::CameBack)),
        ((3, true), Some(Checker::CameBack)),
    ] {
        let shown = Shown { epoch: 1, keys: BTreeMap::from([("k".to_string(), before)]) };
        let mut reader = Reader { members: BTreeMap::from([(id, shown)]), ..Reader::default() };
        assert_eq!(broken(reader.show(id, node, &life(1, 2, b"w"))), found, "{before:?}");
        let mut reader = Reader::default();
        reader.members.insert(id, Shown { epoch: 7, keys: BTreeMap::from([("k".to_string(), before)]) });
        assert_eq!(broken(reader.show(id, node, &life(1, 2, b"w"))), None, "that was another life");
    }
}

#[test]
fn a_rumor_that_cannot_be() {
    let (mut w, nodes, by) = two();
    const NUMBER: u64 = 9;
    w.handle(nodes[0]).broadcast("9", &bytes(NUMBER, 30)).expect("it fits");
    w.run(secs(5));
    let id = RumorId { origin: by, epoch: 1, seq: 1 };
    let lamport = w.node(nodes[1]).rumor(id).expect("it is kept").lamport;
    let said = |number, by, len| BTreeMap::from([(number, Said { by, len })]);
    let hears = |said: &BTreeMap<u64, Said>| {
        let mut reader = Reader::default();
        broken(reader.hear(id, w.node(nodes[1]), said, &mut BTreeMap::new()))
    };
    assert_eq!(hears(&said(NUMBER, by, 30)), None);
    assert_eq!(hears(&said(NUMBER, by, 31)), Some(Checker::Rumor), "another payload");
    assert_eq!(hears(&said(NUMBER + 1, by, 30)), Some(Checker::Rumor), "it was never said");
    assert_eq!(hears(&said(NUMBER, w.id(nodes[1]), 30)), Some(Checker::Rumor), "by another");
    let said = said(NUMBER, by, 30);
    let mut reader = Reader::default();
    let mut ids = BTreeMap::new();
    assert_eq!(broken(reader.hear(id, w.node(nodes[1]), &said, &mut ids)), None);
    assert_eq!(broken(reader.hear(id, w.node(nodes[1]), &said, &mut ids)), Some(Checker::Rumor), "twice");
    let mut ids = BTreeMap::from([(id, (NUMBER, lamport + 1))]);
    let found = broken(Reader::default().hear(id, w.node(nodes[1]), &said, &mut ids));
    assert_eq!(found, Some(Checker::Rumor), "others know it otherwise");
    let mut late = Reader { lamport, ..Reader::default() };
    let found = broken(late.hear(id, w.node(nodes[0]), &said, &mut BTreeMap::new()));
    assert_eq!(found, Some(Checker::Rumor), "its origin had heard one of that time");
    let gone = RumorId { seq: 2, ..id };
    assert_eq!(
        broken(late.hear(gone, w.node(nodes[1]), &said, &mut BTreeMap::new())),
        Some(Checker::Rumor),
        "no rumor"
    );
}

/// A plan without faults in which nodes write.
fn talking() -> Plan {
    let fits = |plan: &Plan| plan.is_quiet() && plan.has_data() && (8..13).contains(&plan.nodes.len());
    (1..).map(Plan::draw).find(fits).expect("half of the quiet plans do")
}

fn at_rest(plan: &Plan) -> Chaos<'_> {
    let mut chaos = Chaos::new(plan);
    chaos.run();
    let (took, bound) = chaos.calm(plan.config.probe_interval);
    assert!(took <= bound.total() && !chaos.world.is_halted(), "{:?}", chaos.watch().violation);
    chaos
}

fn found(chaos: &mut Chaos<'_>) -> Option<Checker> {
    chaos.watch().violation.as_ref().map(|violation| violation.checker)
}

#[test]
fn what_nobody_ordered_is_found() {
    let plan = talking();
    let mut chaos = at_rest(&plan);
    let ix = chaos.wanted()[0];
    chaos.give(ix, Op::Put { key: "ordered".into(), value: b"v".to_vec(), ttl: None });
    assert_eq!(found(&mut chaos), None);
    chaos.world.handle(ix).put("sly", b"v").expect("there is room");
    chaos.world.take_commands(ix);
    assert_eq!(found(&mut chaos), Some(Checker::OwnState));
    // What vanishes is waited for.
    let mut chaos = at_rest(&plan);
    let ttl = Some(secs(1));
    chaos.give(ix, Op::Put { key: "mortal".into(), value: b"v".to_vec(), ttl });
    assert!(chaos.watch().data.is_mortal(ix));
    assert!(chaos.run_for(millis(1_100)) && !chaos.watch().data.is_mortal(ix));
}

#[test]
fn a_rumor_that_does_not_arrive_is_found() {
    let plan = talking();
    let bound = Bound::of(&plan, plan.nodes.len());
    assert!(bound.data > Duration::ZERO && bound.data < bound.total());
    let mut chaos = at_rest(&plan);
    let wanted = chaos.wanted();
    let alone = wanted[wanted.len() - 1];
    chaos.world.cut(&[alone], &wanted[..wanted.len() - 1], crate::Way::Both);
    let heard = |chaos: &mut Chaos<'_>| wanted.iter().filter(|&&ix| chaos.watch().data.has_heard(ix, 77)).count();
    chaos.give(wanted[0], Op::Broadcast { number: 77, len: 9 });
    chaos.run_for(secs(5));
    assert_eq!(heard(&mut chaos), wanted.len() - 1);
    // The one of the calm was told already, so this one has to be another.
    chaos.watch().data = Data::default();
    chaos.tell_all(&wanted, secs(1));
    assert!(matches!(found(&mut chaos), Some(Checker::Unheard | Checker::OwnState)));
}

/// One burst more or less moves no other, and what is drawn keeps to the limits.
#[test]
fn what_is_said_follows_from_seed_and_burst() {
    let (mut kinds, mut talk) = (BTreeSet::new(), 0);
    for seed in 0..400 {
        let plan = Plan::draw(seed);
        talk += u32::from(plan.has_data());
        for planned in plan.faults.iter().filter(|planned| planned.fault.what.is_data()) {
            kinds.insert(planned.fault.what.kind());
            for time in 0..50 {
                let draw = || data::op((seed, planned.number), &planned.fault.what, time);
                let (node, op) = draw().expect("it is a burst");
                assert_eq!(draw(), Some((node, op.clone())));
                let names = |what: &What| what.among(|other| other == node).is_some();
                assert!(names(&planned.fault.what) && node < plan.nodes.len());
                keeps_to(&plan.config, &op);
            }
        }
    }
    assert_eq!(kinds, BTreeSet::from(["put", "delete", "broadcast"]));
    assert!((150..250).contains(&talk), "{talk} of 400 say something");
    let coins = (0..400).filter(|&seed| matches!(Plan::draw(seed).config.rumor_stop, StopPolicy::Coin(_))).count();
    assert!(coins > 5, "{coins}");
}

fn keeps_to(config: &Config, op: &Op) {
    match op {
        Op::Put { key, value, ttl } => assert_eq!(config.check_put(key, value, *ttl), Ok(())),
        Op::Delete { key } => assert_eq!(config.check_key(key), Ok(())),
        Op::Broadcast { number, len } => {
            assert_eq!(config.check_rumor(&format!("{number:x}"), &bytes(*number, *len)), Ok(()));
        }
        Op::Other => panic!("no burst does anything else"),
    }
}
