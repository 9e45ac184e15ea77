use std::thread;
use std::time::Duration;

use swim_core::{Config, Fact, NodeId, Profile, State};

use super::*;
use crate::seal::Plain;
use crate::test_net::Net;
use crate::{CommandError, Events, RecvError, Setup, TryRecvError};

fn received(events: &mut Events) -> Vec<Event> {
    std::iter::from_fn(|| events.try_recv().ok()).collect()
}

fn id(i: usize) -> NodeId {
    NodeId::from_name(&format!("node-{i}"))
}

/// `Net` compares view and node after every single drain of every node.
#[test]
fn the_view_follows_the_node_through_all_of_a_members_life() {
    let mut net = Net::joined(5);
    net.handle(1).set_profile(Profile::new("node-1", b"zone=b").unwrap()).unwrap();
    net.run(Duration::from_secs(5));
    assert_eq!(net.handle(4).view().member(id(1)).unwrap().meta(), b"zone=b");

    net.handle(2).leave().unwrap();
    net.run(Duration::from_secs(5));
    assert_eq!(net.handle(4).view().member(id(2)).unwrap().state(), State::Left);
    assert_eq!(net.handle(4).view().live_count(), 4);

    let dead = net.nodes.pop().expect("there are five");
    net.run(Duration::from_secs(60));
    let view = net.handle(0).view();
    assert_eq!(view.member(id(4)).unwrap().state(), State::Dead);
    net.run(Duration::from_secs(1_000));
    assert_eq!(
        (net.handle(0).view().member(id(4)), view.members().len()),
        (None, 5),
        "forgotten, and kept in what is held"
    );
    assert_eq!(dead.1.node().live_count(), 4);
}

/// Without the other members in its views a node does, sends and tells the same, and its own row is as new as ever.
#[test]
fn a_node_can_do_without_the_others_in_its_views() {
    let run = |publish_members| {
        let mut net = Net::new(0);
        for _ in 0..4 {
            net.spawn_with(Config::local("c"), |setup| setup.publish_members = publish_members);
        }
        let mut events = net.handle(0).events();
        (1..4).for_each(|i| net.handle(i).join(&[Net::addr(0)]).unwrap());
        net.run(Duration::from_secs(5));
        let version = net.handle(0).view().version();
        net.run(Duration::from_secs(5));
        assert_eq!(net.handle(0).view().version(), version, "nothing has changed");
        net.handle(0).set_profile(Profile::new("node-0", b"zone=b").unwrap()).unwrap();
        net.run(Duration::from_secs(1));
        let view = net.handle(0).wait_changed(version, Duration::ZERO).expect("its own row has");
        assert_eq!((view.version(), view.me().meta()), (version + 1, &b"zone=b"[..]));
        let (rows, live) = (view.members().len(), view.live_count());
        assert_eq!(view.member(id(1)).is_some(), publish_members);
        net.nodes.pop();
        net.handle(1).leave().unwrap();
        net.run(Duration::from_secs(60));
        assert!(net.nodes[1].1.finished() && net.handle(1).is_closed());
        let node = net.nodes[0].1.node();
        ((rows, live), node.snapshot(), net.nodes[0].1.stats(), received(&mut events))
    };
    let (with, without) = (run(true), run(false));
    assert_eq!((with.0, without.0), ((4, 4), (1, 1)));
    assert!(!with.3.is_empty());
    assert_eq!((with.1, with.2, with.3), (without.1, without.2, without.3));
}

/// A row tells what led to its status, in the order in which it happened; where nothing did, it costs nothing.
#[test]
fn rows_carry_why_a_member_is_dead() {
    let mut net = Net::joined(5);
    let quiet = |net: &Net, i| net.handle(i).view().members().all(|row| row.evidence().is_empty());
    assert!((0..5).all(|i| quiet(&net, i)), "to be there needs no reason");

    net.nodes.pop().expect("there are five");
    net.run(Duration::from_secs(60));
    let mut failed = 0;
    for i in 0..4 {
        let view = net.handle(i).view();
        let facts = view.member(id(4)).expect("its tombstone").evidence();
        assert!(facts.iter().eq(net.nodes[i].1.node().why(id(4))), "nothing was noted since the last event");
        assert!(facts.is_sorted_by_key(|e| e.at));
        let place = |wanted: fn(&Fact) -> bool| facts.iter().position(|e| wanted(&e.fact));
        let suspected = place(|f| matches!(f, Fact::Suspected { .. }));
        let dead = place(|f| matches!(f, Fact::Dead { .. }));
        assert!(suspected.is_some() && suspected < dead && dead == Some(facts.len() - 1), "{facts:?}");
        let accused_here = |e: &swim_core::Evidence| matches!(e.fact, Fact::Suspected { by, .. } if by == Some(id(i)));
        if facts.iter().any(accused_here) {
            let probe = place(|f| matches!(f, Fact::ProbeFailed { .. }));
            assert!(probe.is_some() && probe < suspected, "{facts:?}");
            failed += 1;
        }
        let others = view.members().filter(|row| row.id() != id(4));
        assert!(others.map(|row| row.evidence().len()).eq([0; 4]), "the others are there, and no more");
    }
    assert!(failed > 0, "somebody was the first to suspect it");
}

#[test]
fn versions_count_what_can_be_seen_and_nothing_else() {
    let mut net = Net::joined(3);
    let before = net.handle(0).view();
    net.run(Duration::from_secs(30));
    assert!(net.pump(0).node().stats().probes > 20);
    assert_eq!(net.handle(0).view().version(), before.version(), "probes change nothing that a view shows");
    net.handle(0).set_profile(Profile::new("node-0", b"x").unwrap()).unwrap();
    net.commands();
    let after = net.handle(0).view();
    assert_eq!((after.version(), after.me().meta()), (before.version() + 1, &b"x"[..]));
    assert_eq!(before.me().meta(), b"");
}

#[test]
fn a_batch_that_lagged_is_made_good() {
    let mut net = Net::joined(60);
    let mut config = Config::local("c");
    config.events_max = 16;
    let late = net.spawn(config);
    net.handle(late).join(&[Net::addr(0)]).unwrap();
    net.run(Duration::from_secs(5));
    let mut events = net.handle(late).events();
    for i in 0..60 {
        net.handle(i).set_profile(Profile::new(&format!("node-{i}"), b"x").unwrap()).unwrap();
    }
    net.commands();
    net.run(Duration::from_secs(5));
    assert!(received(&mut events).iter().any(|e| matches!(e, Event::Lagged { .. })), "gossip brings more than 16 rows");
    assert_eq!(net.handle(late).view().members().filter(|m| m.meta() == b"x").count(), 60);
    assert_eq!(net.handle(late).view().live_count(), 61);
}

#[test]
fn what_cannot_be_opened_is_counted_and_not_heard() {
    let mut net = Net::joined(2);
    let mut frame = [7; 62];
    let mut refused = |spoil: &dyn Fn(&mut [u8]), cluster: &str, len: usize| {
        let n = Plain::new(cluster).seal(&mut frame, 52);
        spoil(&mut frame);
        let now = net.now;
        net.pump(0).datagram(now, Net::addr(1), &mut frame[..n.min(len)]);
    };
    refused(&|_| {}, "c", 9);
    refused(&|d| d[0] ^= 1, "c", 62);
    refused(&|d| d[1] = 1, "c", 62);
    refused(&|_| {}, "another", 62);
    refused(&|d| d[61] ^= 1, "c", 62);
    let heard = net.pump(0).node().stats().datagrams_received;
    let s = net.pump(0).stats();
    let reasons = [s.refused_too_short, s.refused_version, s.refused_suite, s.refused_cluster, s.refused_checksum];
    assert_eq!((reasons, s.refused()), ([1; 5], 5));
    assert_eq!(s.datagrams_received, heard + 5);
}

#[test]
fn datagrams_are_sealed_and_within_the_limit() {
    let mut net = Net::new(2);
    net.handle(1).join(&[Net::addr(0)]).unwrap();
    net.commands();
    assert!(!net.sent.is_empty());
    for (_, _, datagram) in &mut net.sent {
        assert!(datagram.len() <= 1_400);
        assert!(Plain::new("c").open(datagram).is_ok());
    }
    assert_eq!(net.pump(1).stats().datagrams_sent, net.sent.len() as u64);
}

#[test]
#[should_panic(expected = "a datagram may have 1400 bytes, and the buffer for it has 1399")]
fn a_buffer_that_is_too_short_is_a_bug_of_the_binding() {
    let mut net = Net::new(1);
    let _ = net.pump(0).poll_transmit(&mut [0; 1_399]);
}

#[test]
fn commands_are_taken_one_at_a_time_and_in_order() {
    let mut net = Net::new(1);
    for meta in [b"a", b"b"] {
        net.handle(0).set_profile(Profile::new("node-0", meta).unwrap()).unwrap();
    }
    for meta in [b"a", b"b"] {
        assert!(!net.pump(0).mailbox().is_empty());
        net.pump(0).command(Instant::ORIGIN);
        net.drain(0);
        assert_eq!(net.handle(0).view().me().meta(), meta);
    }
    net.pump(0).command(Instant::ORIGIN);
    net.drain(0);
    assert_eq!(net.pump(0).stats().commands, 2);
}

#[test]
fn a_leave_that_is_handed_out_is_the_end() {
    let mut net = Net::joined(3);
    let mut events = net.handle(0).events();
    net.handle(0).leave().unwrap();
    net.run(Duration::from_secs(10));
    assert!(net.pump(0).finished());
    assert_eq!(net.pump(0).poll_timeout(), None);
    let handle = net.handle(0);
    assert!(handle.is_closed() && handle.wait_closed(Duration::ZERO));
    assert_eq!(handle.join::<SocketAddr>(&[]), Err(CommandError::Closed));
    assert_eq!(handle.undelivered(), 0);
    assert_eq!(handle.view().me().state(), State::Left, "the last view stays");
    assert_eq!(received(&mut events).last(), Some(&Event::Left));
    assert_eq!(events.try_recv(), Err(TryRecvError::Closed));
    assert_eq!(net.handle(1).view().member(id(0)).unwrap().state(), State::Left);
}

#[test]
fn what_was_accepted_is_delivered_before_the_end() {
    let mut net = Net::new(1);
    net.handle(0).leave().unwrap();
    net.handle(0).set_profile(Profile::new("node-0", b"too late").unwrap()).unwrap();
    let now = net.now;
    net.pump(0).command(now);
    net.drain(0);
    assert!(net.pump(0).node().has_left() && !net.pump(0).finished(), "alone, it has left at once");
    net.pump(0).command(now);
    net.drain(0);
    assert!(net.pump(0).finished());
    assert_eq!((net.pump(0).stats().commands, net.handle(0).undelivered()), (2, 0));
}

#[test]
fn the_last_handle_takes_the_node_with_it() {
    let mut net = Net::joined(3);
    let other = net.handle(2).clone();
    net.nodes[2].0 = None;
    net.run(Duration::from_secs(10));
    assert!(!net.pump(2).finished(), "one is still there");
    drop(other);
    net.run(Duration::from_secs(10));
    assert!(net.pump(2).finished());
    assert_eq!(net.handle(0).view().member(id(2)).unwrap().state(), State::Left);
}

#[test]
fn a_pump_that_is_dropped_ends_everything_and_says_what_it_cut_off() {
    let mut net = Net::new(1);
    let (handle, pump) = net.nodes.pop().expect("there is one");
    let handle = handle.expect("it was not dropped");
    let mut events = handle.events();
    handle.join(&[Net::addr(1)]).unwrap();
    handle.leave().unwrap();
    thread::scope(|s| {
        s.spawn(|| assert_eq!(events.recv(), Err(RecvError)));
        s.spawn(|| assert!(handle.wait_closed(Duration::MAX)));
        s.spawn(|| assert!(handle.wait_changed(0, Duration::MAX).is_none()));
        drop(pump);
    });
    assert_eq!((handle.leave(), handle.undelivered()), (Err(CommandError::Closed), 2));
}

#[test]
fn failed_sends_are_told_to_the_node_at_the_end_of_the_drain() {
    let mut net = Net::new(1);
    net.handle(0).join(&[Net::addr(1), Net::addr(2)]).unwrap();
    let now = net.now;
    net.pump(0).command(now);
    let mut out = [0; 1_400];
    let pump = net.pump(0);
    let mut failed = 0;
    while let Some(tx) = pump.poll_transmit(&mut out) {
        assert!(pump.node().stats().sends_failed <= failed);
        pump.send_failed(tx.to);
        failed += 1;
    }
    assert_eq!((pump.node().stats().sends_failed, pump.stats().send_failures), (failed, failed));
    assert!(failed >= 2);
}

/// A network that is down refuses everything; a drain must end all the same, and say what was left out.
#[test]
fn a_drain_ends_even_when_every_send_fails() {
    let mut net = Net::joined(30);
    let mut out = [0; 1_400];
    for _ in 0..50 {
        let pump = net.pump(0);
        let at = pump.poll_timeout().expect("a member always has a deadline");
        pump.timeout(at);
        for _ in 0..2 {
            for i in 0..2 * FAILURES_MAX {
                pump.send_failed(Net::addr(i));
            }
        }
        let mut sent = 0;
        while let Some(tx) = pump.poll_transmit(&mut out) {
            pump.send_failed(tx.to);
            sent += 1;
            assert!(sent < 1_000);
        }
        assert!(pump.told <= FAILURES_MAX);
    }
    let stats = net.pump(0).stats();
    assert!(stats.send_failures_untold > 0 && stats.send_failures > stats.send_failures_untold);
}

#[test]
fn a_dual_stack_socket_is_given_mapped_addresses() {
    let mut setup = Setup::new("a", Config::local("c"));
    setup.advertise = Some(Net::addr(0));
    let (handle, mut pump) = setup.start("[::]:7946".parse().unwrap(), Instant::ORIGIN).unwrap();
    handle.join(&[Net::addr(1), "[2001:db8::1]:1".parse().unwrap()]).unwrap();
    pump.command(Instant::ORIGIN);
    let mut to = Vec::new();
    while let Some(tx) = pump.poll_transmit(&mut [0; 1_400]) {
        to.push(tx.to.to_string());
    }
    to.sort();
    assert_eq!(to, ["[2001:db8::1]:1", "[::ffff:10.0.0.1]:7946"]);
}

/// The view is ahead of the events, on any thread, at any moment; and it never goes back.
#[test]
fn who_is_given_an_event_finds_its_effect_in_the_view() {
    let mut net = Net::new(1);
    let handle = net.handle(0).clone();
    let mut events = handle.events();
    thread::scope(|s| {
        let watcher = s.spawn(move || {
            let (mut up, mut version) = (0, 0);
            while let Ok(event) = events.recv() {
                let view = handle.view();
                assert!(view.version() >= version);
                version = view.version();
                match event {
                    Event::MemberUp { id, incarnation } => {
                        assert!(view.member(id).is_some_and(|row| row.incarnation() >= incarnation));
                        up += 1;
                    }
                    Event::MemberDown { id, incarnation, .. } => {
                        let over =
                            |row: &crate::MemberView| row.state() >= State::Dead || row.incarnation() > incarnation;
                        assert!(view.member(id).is_none_or(over));
                    }
                    Event::Left => assert_eq!(view.me().state(), State::Left),
                    _ => {}
                }
            }
            up
        });
        for i in 1..80 {
            net.spawn(Config::local("c"));
            net.handle(i).join(&[Net::addr(0)]).unwrap();
            net.settle();
        }
        for i in 40..80 {
            net.handle(i).leave().unwrap();
        }
        net.handle(0).leave().unwrap();
        net.run(Duration::from_secs(20));
        net.nodes.clear();
        assert_eq!(watcher.join().unwrap(), 79);
    });
}

#[test]
fn handles_see_what_was_counted() {
    let mut net = Net::new(2);
    net.handle(1).join(&[Net::addr(0)]).unwrap();
    net.settle();
    assert_eq!(net.handle(1).counters(), Counters::default(), "nothing was published yet");
    net.pump(1).publish_counters();
    let stats = (*net.pump(1).node().stats(), net.pump(1).stats());
    let seen = net.handle(1).counters();
    assert!((seen.node, seen.driver) == stats && seen.driver.datagrams_received > 0, "{seen:?}");
    net.handle(1).leave().unwrap();
    net.run(Duration::from_secs(1));
    assert!(net.pump(1).finished() && net.handle(1).counters().driver.commands == 2, "the end is published by itself");
}

#[test]
fn events_told_tell_whether_to_look_for_events() {
    let mut net = Net::new(2);
    let mut events = net.handle(1).events();
    let before = net.pump(1).events_told();
    net.settle();
    assert_eq!((net.pump(1).events_told(), received(&mut events).len()), (before, 0));
    net.handle(1).join(&[Net::addr(0)]).unwrap();
    net.run(Duration::from_secs(1));
    let told = net.pump(1).events_told() - before;
    assert_eq!(told, received(&mut events).len() as u64);
    assert!(told > 0, "it has joined");
}
