//! What members say of themselves under keys, and who reads it when. Scenarios G4, G6, G9, G10 and G11, and F1, P11, P20 and P21 for
//! states. What needs forged deltas is in
//! `swim-core/tests/data/abuse.rs`.

use std::collections::BTreeMap;
use std::time::Duration;

use swim_core::{Config, State};
use swim_driver::{Change, CommandError, Watch};

use super::common::*;
use super::data::*;
use crate::{Harness, Inspect, Link, Peer, Run, Way};

/// One writes, and all read it; it writes something else, and all read that; it deletes it, and nobody reads anything.
pub fn a_key_is_put_read_and_deleted<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let owner = run.pick(&nodes);
    put(&mut h, owner, "role", b"db");
    put(&mut h, owner, "zone", b"a");
    let took = h.until(soon(&h), |h| all_have(h, &nodes, owner, "role", Some(b"db"))).expect("all read it");
    run.figure("one key of one of five: periods until all read it", in_periods(&h, took));
    put(&mut h, owner, "role", b"web");
    h.until(soon(&h), |h| all_have(h, &nodes, owner, "role", Some(b"web"))).expect("all read what it says now");
    delete(&mut h, owner, "role");
    h.until(soon(&h), |h| all_have(h, &nodes, owner, "role", None)).expect("nobody reads what is deleted");
    let id = h.id(owner);
    let version = |h: &H, p: Peer| h.view(p).member(id).map(|row| row.state_version());
    h.until(soon(&h), |h| nodes.iter().all(|&p| version(h, p) == Some(4))).expect("four writes are four versions");
    assert!(all_have(&h, &nodes, owner, "zone", Some(b"a")), "and the other key is what it was");
    assert!(nodes.iter().filter(|&&p| p != owner).all(|&p| value(&h, owner, p, "role").is_none()), "nobody else's");
}

/// F1: two writes and two rumors in one moment, when there has been nothing to tell for long: all of it is told.
pub fn f1_two_at_once_after_silence<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let (one, mut ears) = (run.pick(&nodes), Ear::at_all(&h, &nodes));
    let handle = h.handle(one);
    for i in 1..=2_u8 {
        handle.put(&format!("key-{i}"), &[i]).expect("there is room");
        handle.broadcast("news", &[i]).expect("it can be sent");
    }
    let mut told = |h: &mut H| {
        (1..=2_u8).all(|i| {
            all_have(h, &nodes, one, &format!("key-{i}"), Some(&[i]))
                && ears.iter_mut().all(|e| e.times("news", &[i]) > 0)
        })
    };
    h.until(soon(&h), &mut told).expect("all have both of each");
    assert!(ears.iter_mut().all(|e| e.heard().len() == 2), "each once");
}

/// A member that was killed and is back in its next life says other things: nobody ever reads something of both lives, and
/// soon all read the new one.
pub fn a_restart_replaces_the_state<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let owner = run.pick(&nodes);
    let rest = others(&nodes, owner);
    for i in 0..5 {
        put(&mut h, owner, &format!("former-{i}"), b"life");
    }
    h.until(soon(&h), |h| all_have(h, &nodes, owner, "former-4", Some(b"life"))).expect("all read the former life");
    h.kill(owner);
    let (noticed, pause) = (run.below(2) == 0, run.part_of(h.periods(3)));
    if noticed {
        h.until(detection(&h, 5), |h| all_hold(h, &rest, owner, State::Dead)).expect("it is found dead");
    } else {
        h.run(pause);
    }
    assert!(all_have(&h, &rest, owner, "former-4", Some(b"life")), "of the dead, what they said last can be read");
    h.restart_same(owner);
    h.join_through(owner, &[run.pick(&rest)]);
    put(&mut h, owner, "new", b"life");
    let id = h.id(owner);
    let new_to_all = |h: &mut H| {
        for &p in &nodes {
            let keys: Vec<String> =
                h.view(p).member(id).map_or(Vec::new(), |row| row.entries().map(|e| e.key().into()).collect());
            let both = keys.contains(&"new".into()) && keys.len() > 1;
            assert!(!both, "{p:?} reads {keys:?}, of two lives");
        }
        all_have(h, &nodes, owner, "new", Some(b"life"))
    };
    h.until(soon(&h), new_to_all).expect("all read the new life");
    h.run(h.periods(5));
    assert!(all_have(&h, &nodes, owner, "former-4", None), "what the former one said does not come back");
}

/// Who joins when all has been said long ago reads all of it, and hears the rumors that are still kept, each once.
pub fn a_late_joiner_has_all<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    for &p in &nodes {
        (0..3_u8).for_each(|i| put(&mut h, p, &format!("key-{i}"), &[p.index() as u8, i]));
        broadcast(&mut h, p, "born", &[p.index() as u8]);
    }
    let all = |h: &H, at: &[Peer]| nodes.iter().all(|&p| all_have(h, at, p, "key-2", Some(&[p.index() as u8, 2])));
    h.until(soon(&h), |h| all(h, &nodes)).expect("all read all");
    // So long that nothing is told any more.
    let told = h.config().gossip_interval * (h.config().retransmit_limit(5) as u32 + 2);
    h.run(told);
    let mark = h.mark();
    let one = newcomer(&mut h, run, &nodes);
    let mut ear = Ear::at(&h, one);
    let here = |h: &mut H| all(h, &[one]) && rumors(h, one, &mark).len() == 5;
    let took = h.until(soon(&h), here).expect("the joiner has all");
    run.figure("15 keys and 5 rumors: periods until a joiner has all", in_periods(&h, took));
    for &p in &nodes {
        assert_eq!(ear.times("born", &[p.index() as u8]), 1);
        (0..3_u8).for_each(|i| assert_eq!(value(&h, one, p, &format!("key-{i}")), Some(vec![p.index() as u8, i])));
    }
    h.run(h.periods(5));
    assert_eq!(all_different(&rumors(&h, one, &mark)), 5);
}

/// G4: a value of 70 kB is refused where it is said, with the limit in the error, and so is one byte more than the longest, a
/// key that is too long, and what finds no room beside the others. What was accepted before and after it reaches all.
pub fn g4_what_can_never_be_sent_is_refused<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let owner = run.pick(&nodes);
    let (handle, config) = (h.handle(owner), h.config().clone());
    let longest = config.value_max();
    put(&mut h, owner, "before", b"1");
    for (key, len, what, max) in [
        ("k", 70 << 10, "value", longest),
        ("k", longest + 1, "value", longest),
        (&*"k".repeat(Config::KEY_MAX + 1), 1, "key", Config::KEY_MAX),
    ] {
        match handle.put(key, &vec![7; len]) {
            Err(CommandError::TooLong(e)) => assert_eq!((e.what(), e.max()), (what, max), "{len} bytes"),
            other => panic!("{len} bytes under a key of {}: {other:?}", key.len()),
        }
    }
    put(&mut h, owner, "longest", &vec![7; longest]);
    put(&mut h, owner, "after", b"2");
    // As much as there may be, and then nothing more.
    let mut fill = 0;
    while fill * (longest + 8) < config.state_bytes {
        match handle.put(&format!("fill-{fill:03}"), &vec![fill as u8; longest]) {
            Ok(()) => fill += 1,
            Err(CommandError::StateFull { bytes, max }) => {
                assert!(bytes > max && max == config.state_bytes, "{bytes} of {max}");
                break;
            }
            Err(other) => panic!("{other:?}"),
        }
        h.run(Duration::ZERO);
    }
    assert!(matches!(handle.put("one-more", &vec![0; longest]), Err(CommandError::StateFull { .. })));
    assert!(fill > 50, "only {fill} found room");
    let all = |h: &mut H| {
        all_have(h, &nodes, owner, "before", Some(b"1"))
            && all_have(h, &nodes, owner, "longest", Some(&vec![7; longest]))
            && all_have(h, &nodes, owner, "after", Some(b"2"))
            && (0..fill).all(|i| all_have(h, &nodes, owner, &format!("fill-{i:03}"), Some(&vec![i as u8; longest])))
    };
    let took = h.until(soon(&h), all).expect("all that was accepted reaches all");
    run.figure("G4: 64 KiB of state: periods until all five have it", in_periods(&h, took));
    assert!(nodes.iter().all(|&p| value(&h, p, owner, "k").is_none() && value(&h, p, owner, "one-more").is_none()));
}

/// All that a watch has to tell by now.
fn changes(watch: &mut Watch) -> Vec<(String, Option<Vec<u8>>)> {
    let mut all = Vec::new();
    while let Ok(change) = watch.try_recv() {
        all.push(match change {
            Change::Set { entry, .. } => (entry.key().to_owned(), Some(entry.value().to_vec())),
            Change::Deleted { last, .. } => (last.key().to_owned(), None),
            Change::Resync => panic!("whoever keeps up is never told that something was left out"),
        });
    }
    all
}

/// G11: the value that is there, put again, is no new version, and whoever watches is told nothing. A delete is told as one,
/// once, and deleting what is not there is nothing.
pub fn g11_the_same_value_is_no_news<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let owner = run.pick(&nodes);
    let reader = run.pick(&others(&nodes, owner));
    let mut watch = h.handle(reader).watch("");
    put(&mut h, owner, "load", b"7");
    h.until(soon(&h), |h| all_have(h, &nodes, owner, "load", Some(b"7"))).expect("all read it");
    let set = |key: &str, value: &[u8]| (key.to_owned(), Some(value.to_vec()));
    assert_eq!(changes(&mut watch), [set("load", b"7")]);
    for _ in 0..10 {
        put(&mut h, owner, "load", b"7");
        delete(&mut h, owner, "nothing");
        let moment = run.part_of(h.periods(1) / 2);
        h.run(moment);
    }
    // What comes behind it shows that nothing came before.
    put(&mut h, owner, "last", b"");
    h.until(soon(&h), |h| all_have(h, &nodes, owner, "last", Some(b""))).expect("all read this");
    let id = h.id(owner);
    let version = |h: &H, p: Peer| h.view(p).member(id).map_or(0, |row| row.state_version());
    assert!(nodes.iter().all(|&p| version(&h, p) == 2), "two writes changed something");
    assert_eq!(changes(&mut watch), [set("last", b"")]);
    delete(&mut h, owner, "load");
    h.until(soon(&h), |h| all_have(h, &nodes, owner, "load", None)).expect("it is deleted everywhere");
    h.run(h.periods(3));
    assert_eq!(changes(&mut watch), [("load".to_owned(), None)], "a delete is no value, and told once");
}

/// A value with a ttl is read until it is over, and by nobody afterwards, be its owner alive or dead, or the reader a joiner.
pub fn a_ttl_is_over_everywhere_at_once<H: Inspect>(run: &mut Run) {
    let (mut h, mut nodes) = run.cluster::<H>(H::base_config(), 5);
    let owner = run.pick(&nodes);
    let ttl = h.periods(20);
    let begun = h.now();
    h.handle(owner).put_with_ttl("lease", b"mine", ttl).expect("there is room");
    h.until(h.periods(10), |h| all_have(h, &nodes, owner, "lease", Some(b"mine"))).expect("all read it");
    if run.below(2) == 0 {
        h.kill(owner);
        nodes = others(&nodes, owner);
    }
    nodes.push(newcomer(&mut h, run, &nodes));
    let joined = |h: &mut H| all_have(h, &nodes, owner, "lease", Some(b"mine"));
    h.until(h.periods(8), joined).expect("the joiner, too");
    let gone = h.until(h.periods(40), |h| all_have(h, &nodes, owner, "lease", None)).expect("it is over");
    let lived = h.now().since(begun);
    run.figure("a ttl of 20 periods: periods until nobody reads the value", in_periods(&h, lived));
    // Every hop may add what a datagram takes, since what is left of the time is what travels.
    assert!(lived >= ttl && lived <= ttl + h.periods(1), "{lived:?}, {gone:?} of it at the end");
    h.run(h.periods(10));
    assert!(all_have(&h, &nodes, owner, "lease", None), "and does not come back");
}

/// G6: a key is deleted, and its tombstone is dropped everywhere, while one holder is cut off, or stands still, for longer than
/// tombstones are kept: short of its death or far beyond. It comes back with the key: nobody else ever reads it again, and it
/// itself soon does not either.
pub fn g6_a_deleted_key_never_returns<H: Inspect>(run: &mut Run) {
    // So short that nobody has died by then, which is possible where few can be members.
    let mut config = short_tombstones::<H>(4);
    config.members_max = 16;
    let (mut h, nodes) = run.cluster::<H>(config, 6);
    let mut rest = nodes.clone();
    let (owner, holder) = (run.take(&mut rest), run.take(&mut rest));
    rest.push(owner);
    put(&mut h, owner, "gone", b"old");
    put(&mut h, owner, "stays", b"old");
    h.until(soon(&h), |h| all_have(h, &nodes, owner, "gone", Some(b"old"))).expect("all read it");
    let (stands_still, away) = (run.below(2) == 0, [6, 6, 30, 90][run.below(4)]);
    if stands_still {
        h.pause(holder);
    } else {
        h.cut(&[holder], &rest, Way::Both);
    }
    let moment = run.part_of(h.periods(1));
    h.run(moment);
    delete(&mut h, owner, "gone");
    put(&mut h, owner, "other", b"new");
    h.until(soon(&h), |h| all_have(h, &rest, owner, "gone", None)).expect("it is deleted");
    h.run(h.periods(away));
    let kept = rest.iter().filter(|&&p| h.node(p).state(h.id(owner)).any(|e| e.key == "gone")).count();
    assert_eq!(kept, 0);
    // Who was cut off for long has forgotten the owner, too.
    let has = value(&h, holder, owner, "gone");
    assert!(has.as_deref() == Some(b"old") || h.sees(holder, owner).is_none(), "it has not heard of the delete");
    if stands_still {
        h.resume(holder);
    } else {
        h.heal();
    }
    let right = |h: &mut H| {
        assert!(all_have(h, &rest, owner, "gone", None), "it is back");
        all_have(h, &nodes, owner, "gone", None)
            && all_have(h, &nodes, owner, "other", Some(b"new"))
            && all_have(h, &nodes, owner, "stays", Some(b"old"))
            && data_agrees(h, &nodes)
    };
    let limit = reunion(&h) + detection(&h, 6) + soon(&h);
    let took = h.until(limit, right).expect("and who was away learns of it");
    run.figure("G6: periods until the one that was away knows of the delete", in_periods(&h, took));
    put(&mut h, owner, "stays", b"new");
    h.until(soon(&h), |h| all_have(h, &nodes, owner, "stays", Some(b"new"))).expect("writes go on");
    for _ in 0..20 {
        h.run(h.periods(1));
        assert!(all_have(&h, &nodes, owner, "gone", None), "it does not come back later, either");
    }
}

/// G9: nine members with 60 KiB each and one with two small keys. Who joins over a slow way has the small one's keys, and the
/// first of every other, long before the bulk of anybody.
pub fn g9_the_small_come_before_the_bulk<H: Inspect>(run: &mut Run) {
    const VALUES: usize = 60;
    let (mut h, nodes) = run.cluster::<H>(H::base_config(), 10);
    let (small, mark) = (run.pick(&nodes), h.mark());
    let rest = others(&nodes, small);
    for i in 0..VALUES {
        for &p in &rest {
            put(&mut h, p, &format!("bulk-{i:02}"), &[i as u8; 1_000]);
        }
        h.run(h.config().gossip_interval / 4);
    }
    put(&mut h, small, "leader", b"me");
    put(&mut h, small, "schema", b"7");
    let all = |h: &mut H| data_is_quiet(h, &nodes) && data_agrees(h, &nodes);
    h.until(h.periods(120), all).expect("all have all");
    h.set_network(Link { delay: h.periods(1) / 20, ..Link::default() });
    let one = newcomer(&mut h, run, &nodes);
    let entries = |h: &H, of: Peer| h.view(one).member(h.id(of)).map_or(0, |row| row.entries().count());
    let took = h.until(h.periods(40), |h| entries(h, small) == 2).expect("it has the small one's keys");
    let most = rest.iter().map(|&p| entries(&h, p)).max().unwrap_or(0);
    assert!(most <= VALUES / 4, "it has {most} values of somebody's bulk already");
    run.figure("G9: periods until a joiner has the small keys", in_periods(&h, took));
    let firsts = h.until(h.periods(40), |h| rest.iter().all(|&p| entries(h, p) > 0)).expect("it has something of each");
    let most = rest.iter().map(|&p| entries(&h, p)).max().unwrap_or(0);
    assert!(most <= VALUES / 2, "it has {most} values of somebody, and none of others");
    let whole = |h: &mut H| rest.iter().all(|&p| entries(h, p) == VALUES);
    let bulk = h.until(h.periods(240), whole).expect("and in the end it has all");
    run.figure("G9: periods until a joiner has something of each", in_periods(&h, took + firsts));
    run.figure("G9: periods until a joiner has 540 kB", in_periods(&h, took + firsts + bulk));
    assert_eq!(h.count_since(one, &mark, crate::is_down), 0, "and nobody dies of it");
}

/// G10: the last write of one that dies has reached one other only. It spreads after the death, for as long as the row is
/// kept; with the row it goes, everywhere, and does not come back.
pub fn g10_the_last_words_of_the_dead<H: Inspect>(run: &mut Run) {
    let (mut h, nodes) = run.cluster::<H>(short_tombstones::<H>(60), 8);
    let mut rest = nodes.clone();
    let (owner, heir) = (run.take(&mut rest), run.take(&mut rest));
    put(&mut h, owner, "k", b"old");
    h.until(soon(&h), |h| all_have(h, &nodes, owner, "k", Some(b"old")) && data_is_quiet(h, &nodes))
        .expect("all read it");
    h.cut(&[owner, heir], &rest, Way::Both);
    put(&mut h, owner, "k", b"last");
    h.until(h.periods(20), |h| value(h, heir, owner, "k").as_deref() == Some(b"last")).expect("one hears of it");
    h.kill(owner);
    h.heal();
    rest.push(heir);
    h.until(detection(&h, 8), |h| all_hold(h, &rest, owner, State::Dead)).expect("it is found dead");
    let took =
        h.until(h.periods(20), |h| all_have(h, &rest, owner, "k", Some(b"last"))).expect("all have its last word");
    run.figure("G10: periods from the death until all have the last word", in_periods(&h, took));
    let stored = |h: &H| rest.iter().map(|&p| h.node(p).state_stored()).sum::<usize>();
    let forgotten = |h: &mut H| rest.iter().all(|&p| h.sees(p, owner).is_none());
    h.until(h.periods(120) + detection(&h, 8), forgotten).expect("the dead are forgotten");
    h.run(h.periods(20));
    assert_eq!(stored(&h), 0, "and what they said with them");
}

/// P11: four with as much state as there may be, in the smallest datagrams, and one more that starts with nothing: it has all
/// of it, in datagrams that all fit. What is more is refused where it is said.
pub fn p11_the_largest_states_start_cold<H: Inspect>(run: &mut Run) {
    let mut config = H::base_config();
    config.mtu = Config::MTU_MIN;
    let (mut h, nodes) = run.cluster::<H>(config, 4);
    let longest = h.config().value_max();
    let each = h.config().state_bytes / (longest + 8 + Config::ENTRY_COST);
    let seen = h.tap_into::<usize>(|longest, s| {
        s.parsed();
        *longest = s.bytes.len().max(*longest);
    });
    for i in 0..each {
        for &p in &nodes {
            put(&mut h, p, &format!("fill-{i:03}"), &vec![i as u8; longest]);
        }
    }
    for &p in &nodes {
        let more = h.handle(p).put("more", &vec![0; longest]);
        assert!(matches!(more, Err(CommandError::StateFull { .. })), "{more:?}");
    }
    let last = format!("fill-{:03}", each - 1);
    let read =
        |h: &H, at: &[Peer]| nodes.iter().all(|&p| all_have(h, at, p, &last, Some(&vec![(each - 1) as u8; longest])));
    h.until(h.periods(120), |h| read(h, &nodes)).expect("all have all");
    let one = newcomer(&mut h, run, &nodes);
    let took = h.until(h.periods(120), |h| read(h, &[one])).expect("so has a joiner");
    run.figure("P11: 4 states of 64 KiB, 800 bytes a datagram: periods until a joiner has all", in_periods(&h, took));
    for &p in &nodes {
        let row = h.view(one).member(h.id(p)).map_or(0, |row| row.entries().count());
        assert_eq!(row, each);
    }
    let longest = *seen.get();
    assert!(longest <= Config::MTU_MIN, "{longest} bytes");
}

/// P21: one writes all the time, new keys and the same key over and over, more than any datagram takes, while datagrams are
/// lost. Whoever has seen a write has seen all before it, and no key waits for the one that changes all the time.
pub fn p21_a_state_comes_without_gaps<H: Inspect>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let owner = run.pick(&nodes);
    let id = h.id(owner);
    h.set_network(Link { loss: 20, duplicate: 10, reorder: 10, ..Link::default() });
    let (mut written, mut behind) = (0_usize, BTreeMap::new());
    for _ in 0..60 {
        for _ in 0..=run.below(3) {
            put(&mut h, owner, &format!("key-{written:04}"), &[written as u8; 200]);
            put(&mut h, owner, "hot", &written.to_le_bytes());
            written += 1;
        }
        let moment = run.part_of(h.config().gossip_interval);
        h.run(moment);
        for &p in &nodes {
            let view = h.view(p);
            let Some(row) = view.member(id) else { panic!("{p:?} has no row for it") };
            // In the order of the keys, which is that in which they were written; `hot` stands in front.
            let keys: Vec<&str> = row.entries().map(|e| e.key()).filter(|key| *key != "hot").collect();
            let gap = keys.iter().enumerate().find(|(i, key)| **key != format!("key-{i:04}"));
            assert_eq!(gap, None, "{p:?} has {} keys", keys.len());
            let hot = row.get("hot").map_or(0, |v| usize::from_le_bytes(v.try_into().expect("it was written so")) + 1);
            assert!(hot <= keys.len(), "{p:?} has seen write {hot}, and {} keys", keys.len());
            behind.insert(
                p,
                (written - keys.len(), behind.get(&p).map_or(0, |b: &(usize, usize)| b.1).max(written - keys.len())),
            );
        }
    }
    let most = behind.values().map(|b| b.1).max().unwrap_or(0);
    run.figure("P21: most of some 150 writes that somebody was behind", most as f64);
    assert!(most > 0 && most < written, "{most} of {written}");
    let last = format!("key-{:04}", written - 1);
    let all =
        |h: &mut H| all_have(h, &nodes, owner, &last, Some(&[(written - 1) as u8; 200])) && data_agrees(h, &nodes);
    h.until(soon(&h), all).expect("all have all of it");
}

/// P20: each half of a split writes on. When they meet again all read all, and when that is done there is no more traffic
/// than before.
pub fn p20_states_settle_after_a_heal<H: Inspect>(run: &mut Run) {
    const N: usize = 12;
    let (mut h, nodes) = run.cluster::<H>(H::base_config(), N);
    for &p in &nodes {
        put(&mut h, p, "k", b"before");
    }
    h.until(soon(&h), |h| data_agrees(h, &nodes) && data_is_quiet(h, &nodes)).expect("all read all");
    h.run(h.periods(10));
    let calm = rate(&mut h, 20);
    let at = 1 + run.below(N - 1);
    h.cut(&nodes[..at], &nodes[at..], Way::Both);
    let apart = h.periods(3 + 20 * run.below(3) as u32);
    for &p in &nodes {
        (0..10).for_each(|i| put(&mut h, p, &format!("key-{i}"), &[i; 100]));
        put(&mut h, p, "k", b"apart");
        delete(&mut h, p, "key-3");
        broadcast(&mut h, p, "apart", b"");
    }
    h.run(apart);
    h.heal();
    let one = |h: &mut H| {
        h.is_whole(N) && nodes.iter().all(|&p| all_have(h, &nodes, p, "k", Some(b"apart"))) && data_agrees(h, &nodes)
    };
    let limit = reunion(&h) + detection(&h, N) + soon(&h);
    let took = h.until(limit, one).expect("all read all");
    run.figure("P20: periods from the heal until all have the states of all", in_periods(&h, took));
    h.until(soon(&h), |h| h.is_quiet() && data_is_quiet(h, &nodes)).expect("nothing is told for ever");
    h.run(h.periods(10));
    let after = rate(&mut h, 20);
    run.figure("P20: datagrams per node and period, before", calm);
    run.figure("P20: datagrams per node and period, after", after);
    assert!(after <= calm * 1.1 + 0.1, "{after} datagrams per node and period, and {calm} before");
}
