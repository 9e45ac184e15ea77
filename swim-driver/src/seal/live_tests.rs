//! Nodes that seal, from their first datagram to the exchange of their keys.

use std::time::{Duration, SystemTime};

use swim_core::{Config, Instant};

use super::{Key, Keyring, Secrets};
use crate::test_net::Net;
use crate::{Alert, CommandError, DriverStats, Setup, SetupError};

fn ring(keys: &[u8], in_use: u8) -> Keyring {
    let key = |n: u8| Key::from_bytes([n; 32]);
    let mut ring = Keyring::new(key(keys[0]));
    keys[1..].iter().for_each(|&n| ring.add(key(n)).unwrap());
    ring.use_key(key(in_use).id()).unwrap();
    ring
}

/// How a node starts that has the first key.
fn sealed(setup: &mut Setup) {
    setup.keyring = Some(ring(&[1], 1));
    setup.secrets = Secrets::Fixed(setup.rng_seed.unwrap());
}

/// The same, and for some minutes it hears and speaks plain, too.
fn migrating(setup: &mut Setup) {
    sealed(setup);
    setup.migrate_until = Some(SystemTime::now() + MIGRATION);
}

fn net<const N: usize>(starts: [fn(&mut Setup); N]) -> Net {
    let mut net = Net::new(0);
    for start in starts {
        net.spawn_with(Config::local("c"), start);
    }
    net
}

fn join(net: &Net) {
    for i in 1..net.nodes.len() {
        net.handle(i).join(&[Net::addr(0)]).unwrap();
    }
}

fn live(net: &mut Net) -> Vec<usize> {
    (0..net.nodes.len()).map(|i| net.pump(i).node().live_count()).collect()
}

fn stats(net: &mut Net) -> Vec<DriverStats> {
    (0..net.nodes.len()).map(|i| net.pump(i).stats()).collect()
}

/// Every datagram is counted once, whatever has become of it.
fn balanced(net: &mut Net) -> bool {
    (0..net.nodes.len()).all(|i| {
        let (s, heard) = (net.pump(i).stats(), net.pump(i).node().stats().datagrams_received);
        s.datagrams_received == heard + s.controls_received + s.refused()
    })
}

#[test]
fn a_sealed_cluster_is_whole_and_nothing_of_it_is_lost() {
    let mut net = net([sealed; 5]);
    join(&net);
    net.run(Duration::from_secs(60));
    assert_eq!(live(&mut net), [5; 5]);
    for s in stats(&mut net) {
        assert_eq!((s.refused(), s.sessions_proven, s.sessions_begun, s.plain_sent), (0, 4, 1, 0), "{s:?}");
        assert!(s.controls_sent <= 10 && s.controls_ignored == 0, "{s:?}");
    }
    assert!(balanced(&mut net));
}

#[test]
fn two_that_do_not_know_each_other_need_three_round_trips() {
    let mut net = net([sealed; 2]);
    join(&net);
    net.commands();
    let mut ways = 0;
    while net.pump(1).node().live_count() < 2 {
        ways += 1;
        for (to, from, mut datagram) in std::mem::take(&mut net.sent) {
            assert!(datagram[0] == 0x51 && datagram[1] & 0xf0 == 0x10, "everything is sealed");
            let (now, i) = (net.now, usize::from(to == Net::addr(1)));
            net.pump(i).datagram(now, Net::addr(from), &mut datagram);
            net.drain(i);
        }
    }
    // Two for the sessions, and one in which the newcomer shows that it is heard where it says.
    assert_eq!((ways, live(&mut net)), (6, vec![2, 2]));
}

#[test]
fn who_has_another_key_or_none_is_not_answered() {
    let mut net = net([sealed, |setup| setup.keyring = Some(ring(&[2], 2)), |_| ()]);
    let mut alerts = net.handle(0).alerts();
    join(&net);
    net.run(Duration::from_secs(30));
    assert_eq!(live(&mut net), [1; 3]);
    let [s, ..] = stats(&mut net)[..] else { panic!("there are three nodes") };
    assert_eq!((s.datagrams_sent, s.refused_key + s.refused_plain), (0, s.datagrams_received));
    assert!(s.refused_key > 3 && s.refused_plain > 3, "{s:?}");
    let told: Vec<Alert> = std::iter::from_fn(|| alerts.try_recv().ok()).collect();
    let key = Key::from_bytes([2; 32]).id();
    assert!(told.contains(&Alert::UnknownKey { from: Net::addr(1), key, suppressed: 0 }), "{told:?}");
    assert!(told.contains(&Alert::PlainRefused { from: Net::addr(2), suppressed: 0 }), "{told:?}");
    assert!((4..=8).contains(&told.len()), "one of a kind in ten seconds: {told:?}");
    assert!(balanced(&mut net));
}

#[test]
fn keys_are_exchanged_while_everybody_lives() {
    let mut net = net([sealed; 3]);
    join(&net);
    net.run(Duration::from_secs(20));
    let mut events = net.handle(0).events();
    let [old, new] = [1, 2].map(|n| Key::from_bytes([n; 32]).id());
    let heard = |net: &mut Net| {
        net.pump(0).publish_counters();
        net.handle(0).counters().keys.iter().collect::<Vec<_>>()
    };
    assert_eq!(heard(&mut net), [(old, 2)]);
    for (keys, in_use) in [(&[1, 2][..], 1), (&[1, 2], 2), (&[2], 2)] {
        for i in 0..3 {
            net.handle(i).set_keyring(ring(keys, in_use)).unwrap();
            net.run(Duration::from_secs(5));
            if (keys.len(), in_use, i) == (2, 2, 1) {
                net.run(Duration::from_secs(10));
                assert_eq!(heard(&mut net), [(old, 1), (new, 1)], "one was forgotten");
            }
        }
        net.run(Duration::from_secs(10));
        let want = if in_use == 1 { vec![(old, 2), (new, 0)] } else { vec![(old, 0), (new, 2)] };
        assert_eq!(heard(&mut net), want[keys.len() % 2..], "those whom it has not heard for long do not count");
    }
    assert_eq!(live(&mut net), [3; 3]);
    for s in stats(&mut net) {
        assert_eq!((s.refused(), s.sessions_begun, s.sessions_proven), (0, 2, 4), "{s:?}");
    }
    assert_eq!(events.try_recv().ok(), None, "nobody was even suspected");
    net.spawn_with(Config::local("c"), sealed);
    net.handle(3).join(&[Net::addr(0)]).unwrap();
    net.run(Duration::from_secs(5));
    assert_eq!((live(&mut net)[3], net.pump(0).stats().refused_key > 0), (1, true), "the removed key opens nothing");
}

#[test]
fn a_node_comes_back_under_another_session_and_after_a_pause() {
    let mut net = net([sealed; 3]);
    join(&net);
    net.run(Duration::from_secs(20));
    let begun = |net: &mut Net| net.pump(2).stats().sessions_begun;
    assert_eq!(begun(&mut net), 1);
    // The other two go on while it is given nothing.
    let late = net.nodes.pop().unwrap();
    net.run(Duration::from_secs(8));
    net.nodes.push(late);
    let now = net.now;
    net.pump(2).timeout(now);
    net.drain(2);
    net.run(Duration::from_secs(60));
    assert_eq!((begun(&mut net), live(&mut net)), (2, vec![3; 3]));
    assert!(balanced(&mut net));
}

#[test]
fn datagrams_are_as_large_as_the_mtu_allows_and_no_larger() {
    let mut config = Config::local("c");
    config.mtu = Config::MTU_MIN;
    let mut net = Net::new(0);
    (0..2).for_each(|_| _ = net.spawn_with(config.clone(), sealed));
    join(&net);
    net.run(Duration::from_secs(5));
    let mut rumors = net.handle(1).rumors(None);
    net.handle(0).broadcast("t", &vec![7; config.rumor_max() - 1]).unwrap();
    net.handle(0).put(&"k".repeat(Config::KEY_MAX), &vec![7; config.value_max()]).unwrap();
    net.run(Duration::from_secs(5));
    assert!(rumors.try_recv().is_ok() && net.handle(1).view().members().any(|m| m.get(&"k".repeat(64)).is_some()));
    let max = stats(&mut net).iter().map(|s| s.refused()).sum::<u64>();
    let largest = net.largest;
    assert!(largest <= Config::MTU_MIN && largest > Config::MTU_MIN - 42 && max == 0, "{largest}");
}

/// The way from a plain cluster to a sealed one: every node is started anew with a keyring and a date.
#[test]
fn a_plain_cluster_gets_its_keys_while_it_runs() {
    let mut net = net([|_| (), migrating, migrating]);
    join(&net);
    net.run(Duration::from_secs(20));
    assert_eq!(live(&mut net), [3; 3], "plain and migrating nodes hear each other");
    let plain = |net: &mut Net, i: usize| net.pump(i).stats().plain_sent;
    // One that only seals joins through one that migrates, and is heard by all who have the key.
    net.spawn_with(Config::local("c"), sealed);
    net.handle(3).join(&[Net::addr(1)]).unwrap();
    net.run(Duration::from_secs(20));
    assert_eq!(net.pump(1).node().live_count(), 4);
    assert_eq!((plain(&mut net, 3), net.pump(3).stats().plain_sent), (0, 0));
    // The last plain one goes.
    net.handle(0).leave().unwrap();
    net.run(Duration::from_secs(60));
    assert!(net.pump(0).finished());
    let counts = |net: &mut Net| [1, 2].map(|i| net.pump(i).stats()).map(|s| (s.plain_sent, s.datagrams_sent));
    let before = counts(&mut net);
    net.run(Duration::from_secs(30));
    assert_eq!(live(&mut net)[1..], [3; 3]);
    for ((plain, sent), (plain_before, sent_before)) in counts(&mut net).into_iter().zip(before) {
        // Those who seal are spoken to sealed; the seed that has left is looked for in both ways.
        let (plain, sent) = (plain - plain_before, sent - sent_before);
        assert!(plain_before > 0 && plain <= 5 && sent > 50, "{plain} of {sent}");
    }
}

#[test]
fn one_that_migrates_finds_those_that_seal() {
    let mut net = net([sealed, migrating]);
    join(&net);
    net.run(Duration::from_secs(20));
    assert_eq!(live(&mut net), [2; 2]);
    let [a, b] = stats(&mut net)[..] else { panic!("there are two nodes") };
    assert!(a.refused_plain > 0 && a.plain_sent == 0 && b.plain_sent > 0, "{a:?} {b:?}");
}

#[test]
fn the_date_ends_what_is_plain() {
    let mut net = net([|_| (), migrating]);
    join(&net);
    net.run(Duration::from_secs(20));
    assert_eq!(live(&mut net), [2; 2]);
    net.run(MIGRATION);
    let (sent, refused) = (net.pump(1).stats().plain_sent, net.pump(1).stats().refused_plain);
    net.run(Duration::from_secs(60));
    let s = net.pump(1).stats();
    assert!(s.plain_sent == sent && s.refused_plain > refused, "{s:?}");
    assert_eq!(net.pump(1).node().live_count(), 1);
}

/// A machine that sleeps may have a clock that stands still; and one that was down over the date has to come up again.
#[test]
fn it_ends_when_the_date_says_so_too() {
    let mut net = net([
        |_| (),
        migrating,
        |setup| {
            migrating(setup);
            setup.migrate_until = Some(SystemTime::now());
        },
    ]);
    join(&net);
    net.run(Duration::from_secs(20));
    assert_eq!(net.pump(0).node().live_count(), 2);
    let s = net.pump(2).stats();
    assert!(s.plain_sent == 0 && s.datagrams_sent > 0, "it seals alone: {s:?}");
    let (now, date) = (net.now, SystemTime::now());
    assert!(net.pump(1).wants_date(now) && !net.pump(0).wants_date(now));
    net.pump(1).tell_date(now, date);
    net.run(Duration::from_secs(1));
    assert_eq!(net.pump(1).stats().refused_plain, 0);
    let (now, date) = (net.now, date + MIGRATION);
    net.pump(1).tell_date(now, date);
    let sent = net.pump(1).stats().plain_sent;
    net.run(Duration::from_secs(10));
    let s = net.pump(1).stats();
    assert!(s.plain_sent == sent && s.refused_plain > 0, "{s:?}");
}

/// One of two copies has a clock that stood still while the date went on: the numbers it has used are the other's, too.
#[test]
fn a_date_that_jumps_begins_a_session() {
    let mut net = net([sealed; 2]);
    join(&net);
    net.run(Duration::from_secs(5));
    let told = |net: &mut Net, after: Duration, date: Duration| {
        net.run(after);
        let now = net.now;
        let wants = net.pump(0).wants_date(now);
        if wants {
            net.pump(0).tell_date(now, SystemTime::UNIX_EPOCH + date);
        }
        (wants, net.pump(0).stats().sessions_begun)
    };
    let ms = Duration::from_millis;
    assert_eq!(told(&mut net, ms(0), ms(100_000)), (true, 1));
    assert_eq!(told(&mut net, ms(0), ms(106_000)), (false, 1), "once a millisecond");
    assert_eq!(told(&mut net, ms(1), ms(105_001)), (true, 1), "a clock may be set");
    assert_eq!(told(&mut net, ms(1), ms(111_002)), (true, 2));
    assert_eq!(told(&mut net, ms(1_000), ms(112_002)), (true, 2));
    net.run(Duration::from_secs(5));
    assert_eq!((live(&mut net), net.pump(1).stats().sessions_proven), (vec![2; 2], 2));
    assert!(balanced(&mut net));
}

#[test]
fn what_cannot_work_is_said_at_once() {
    let start = |change: fn(&mut Setup)| {
        let mut setup = Setup::new("a", Config::local("c"));
        setup.rng_seed = Some(1);
        change(&mut setup);
        setup.start(Net::addr(0), Instant::ORIGIN)
    };
    let until = |setup: &mut Setup, days: u64| {
        sealed(setup);
        setup.migrate_until = SystemTime::now().checked_add(Duration::from_secs(days * 86_400));
    };
    assert!(matches!(start(|s| s.migrate_until = Some(SystemTime::now())), Err(SetupError::MigrationWithoutKeyring)));
    let mut late = Setup::new("a", Config::local("c"));
    late.rng_seed = Some(1);
    until(&mut late, 31);
    let late = late.start(Net::addr(0), Instant::ORIGIN).unwrap_err();
    assert!(matches!(late, SetupError::MigrationTooLong { .. }) && late.to_string().contains("30 days"), "{late}");
    let (handle, _pump) = start(|_| ()).unwrap();
    assert_eq!(handle.set_keyring(ring(&[1], 1)), Err(CommandError::NotSealed));
    let (handle, pump) = start(sealed).unwrap();
    drop(pump);
    assert_eq!(handle.set_keyring(ring(&[1], 1)), Err(CommandError::Closed));
}

const MIGRATION: Duration = Duration::from_secs(300);
