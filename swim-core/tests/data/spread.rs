//! Rumors and node state over several nodes: scenarios G and F, as far as they need no driver.

use std::time::Duration;

use crate::net::{Net, id};
use swim_core::{Command, Config};

fn put(key: &str, value: &[u8]) -> (String, Vec<u8>) {
    (key.into(), value.into())
}

impl Net {
    fn put(&mut self, i: usize, key: &str, value: &[u8]) {
        let (key, value) = put(key, value);
        self.command(i, Command::Put { key: &key, value: &value, ttl: None });
    }
}

#[test]
fn a_key_and_a_rumor_reach_all() {
    for loss in [0, 25] {
        let mut net = Net::whole(20, &Config::lan("c"), 3);
        net.loss = loss;
        net.put(4, "role", b"db");
        let key = net.until(30, |net| net.all_see(4, "role", Some(b"db")));
        net.command(7, Command::Broadcast { topic: "deploy", payload: b"v2" });
        let rumor = net.until(60, |net| net.heard.iter().all(|heard| !heard.is_empty()));
        println!("loss {loss} %: a key after {key} ms, a rumor after {rumor} ms");
        net.run(20_000);
        assert!(net.heard.iter().all(|heard| *heard == [put("deploy", b"v2")]), "each exactly once");
        let hashes: Vec<u32> = net.nodes.iter().map(|node| node.app_hash()).collect();
        assert!(hashes[0] != 0 && hashes.iter().all(|hash| *hash == hashes[0]));
        assert!(
            net.nodes.iter().all(|node| node.states_queued() == 0 && node.rumors_hot() == 0),
            "nothing is told for ever"
        );
    }
}

#[test]
fn bulk_goes_to_each_once_and_a_joiner_gets_all() {
    let mut net = Net::whole(10, &Config::lan("c"), 5);
    for i in 0..10 {
        for k in 0..20 {
            net.put(i, &format!("key-{k}"), &[i as u8; 100]);
        }
    }
    let took = net.until(30, |net| (0..10).all(|of| net.all_see(of, "key-19", Some(&[of as u8; 100]))));
    println!("all of 10 x 20 keys after {took} ms");
    net.down[3] = true;
    net.run(30_000);
    net.restart(3, 2);
    let back =
        net.until(30, |net| (0..10).filter(|&of| of != 3).all(|of| net.all_see(of, "key-0", Some(&[of as u8; 100]))));
    println!("a joiner has all after {back} ms");
    net.until(5, |net| (0..10).all(|i| net.nodes[i].state(id(3)).next().is_none()));
}

#[test]
fn what_is_deleted_or_over_is_gone_everywhere() {
    let mut config = Config::lan("c");
    config.tombstone_ttl = Duration::from_secs(60);
    let mut net = Net::whole(8, &config, 9);
    net.put(1, "a", b"1");
    net.command(1, Command::Put { key: "b", value: b"2", ttl: Some(Duration::from_secs(5)) });
    net.until(10, |net| net.all_see(1, "a", Some(b"1")) && net.all_see(1, "b", Some(b"2")));
    net.command(1, Command::Delete { key: "a" });
    net.until(10, |net| net.all_see(1, "a", None));
    net.run(5_000);
    assert!(net.all_see(1, "b", None));
    net.run(120_000);
    assert!(net.nodes.iter().all(|node| node.state_stored() == 0), "tombstones go");
}

/// G10: the owner dies when its last write has reached nobody but one. Whoever lacks it gets it after the death, too.
#[test]
fn g10_the_last_writes_of_the_dead_spread() {
    let mut net = Net::whole(12, &Config::lan("c"), 4);
    net.put(5, "k", b"old");
    net.until(10, |net| net.all_see(5, "k", Some(b"old")));
    net.run(10_000);
    // Only node 6 can hear it.
    (0..12).filter(|&i| i != 5 && i != 6).for_each(|i| net.cut[i] = true);
    net.put(5, "k", b"last");
    net.until(20, |net| net.value(6, 5, "k") == Some(b"last"));
    net.down[5] = true;
    net.cut.fill(false);
    net.until(60, |net| net.nodes[0].member(id(5)).is_some_and(|m| !m.status().is_live()));
    net.until(20, |net| net.all_see(5, "k", Some(b"last")));
}

/// G2, and the same for rumors: a node that has lost its memory within one epoch finds its former life's state with the
/// others, and goes past it. Nothing of the former life stays, and nothing new is taken for old.
#[test]
fn g2_a_restart_in_the_same_epoch_is_noticed() {
    let mut net = Net::whole(8, &Config::lan("c"), 6);
    (0..20_u8).for_each(|n| net.put(2, &format!("former-{n}"), &[n; 40]));
    net.command(2, Command::Broadcast { topic: "t", payload: b"former" });
    net.until(20, |net| net.all_see(2, "former-19", Some(&[19; 40])));
    net.restart(2, 1);
    net.put(2, "new", b"life");
    net.command(2, Command::Broadcast { topic: "t", payload: b"new" });
    net.until(30, |net| net.all_see(2, "new", Some(b"life")) && net.all_see(2, "former-3", None));
    assert!(net.nodes[2].me().incarnation().epoch() > 1, "it has taken another epoch");
    net.until(30, |net| net.heard.iter().all(|heard| heard.contains(&put("t", b"new"))));
    let hashes: Vec<u32> = net.nodes.iter().map(|node| node.app_hash()).collect();
    assert!(hashes.iter().all(|hash| *hash == hashes[0]));
}

/// A node that was away gets the rumors that are still kept, and no others; the others' states as they are.
#[test]
fn who_was_cut_off_gets_what_is_kept() {
    let mut config = Config::lan("c");
    config.rumor_ttl = Duration::from_secs(20);
    let mut net = Net::whole(6, &config, 8);
    net.command(0, Command::Broadcast { topic: "t", payload: b"before" });
    net.run(5_000);
    net.cut[4] = true;
    net.command(1, Command::Broadcast { topic: "t", payload: b"early" });
    net.put(1, "k", b"1");
    net.run(25_000);
    net.command(1, Command::Broadcast { topic: "t", payload: b"late" });
    net.command(2, Command::Broadcast { topic: "t", payload: b"late, too" });
    net.run(1_000);
    net.cut[4] = false;
    net.until(60, |net| net.heard[4].len() == 3 && net.value(4, 1, "k") == Some(b"1"));
    net.run(10_000);
    let mut heard = net.heard[4].clone();
    heard.sort();
    assert_eq!(heard, [put("t", b"before"), put("t", b"late"), put("t", b"late, too")]);
    let missed = net.nodes[4].stats().rumors_missed;
    assert_eq!(missed, 1, "what nobody keeps any more is given up, and counted");
    let hashes: Vec<u32> = net.nodes.iter().map(|node| node.app_hash()).collect();
    assert!(hashes.iter().all(|hash| *hash == hashes[0]), "and then all agree");
}

/// A rumor takes its age with it: whoever was handed it late keeps it for what is left of its time only, and with joiners in a
/// chain it does not live on.
#[test]
fn late_joiners_do_not_keep_rumors_alive() {
    let mut config = Config::lan("c");
    config.rumor_ttl = Duration::from_secs(20);
    let mut net = Net::whole(8, &config, 12);
    // These come later, one after another.
    (3..8).for_each(|i| net.down[i] = true);
    net.until(60, |net| net.nodes[0].live_count() == 3);
    net.command(0, Command::Broadcast { topic: "t", payload: b"old" });
    for (i, since) in (3..8).zip([0, 6_000, 12_000, 18_000, 24_000]) {
        net.restart(i, 2);
        net.run(6_000);
        assert_eq!(net.nodes[i].live_count(), i + 1, "it has met all");
        let ages: Vec<u64> = net.ages[i].iter().map(|age| age.as_millis() as u64).collect();
        match ages[..] {
            [age] => assert!(since < age && age < 20_000.min(since + 6_000), "{i}: {age} ms old"),
            _ => assert!(ages.is_empty() && since > 20_000, "{i}: {ages:?}"),
        }
        let keeps = net.nodes[..=i].iter().filter(|node| node.rumors_kept() > 0).count();
        assert_eq!(keeps, if since + 6_000 < 20_000 { i + 1 } else { 0 }, "all drop it at the same time");
    }
}
