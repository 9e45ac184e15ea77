//! An hour of sealed traffic, repeated: whoever is on the path has kept all of it, and sends it again.
//!
//! Each world is played twice, with the attacker and without him. What nodes know, have counted and have told has to be the
//! same, and every repeated datagram is to be found in one counter.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use swim_core::Config;
use swim_driver::DriverStats;
use swim_sim::{NodeIx, Sent, Verdict, World, millis, secs};

use crate::cluster::*;

/// Whom the attacker finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victims {
    /// Those who have heard it all.
    Same,
    /// Those who are in other lives, and know each other again.
    Restarted,
    /// One in another life, who knows nobody: all others prove to it that they live, and nothing that they say reaches it.
    Alone,
    /// One that had to forget whom it knew, for want of room.
    Forgetful,
}

/// Node 1 forgets what it has heard of this one.
const FORGOTTEN: NodeIx = NodeIx::FIRST;

/// Five nodes for an hour: they write and tell something; after six minutes one is stopped for a while, after twelve another
/// is started again. So sessions of both have ended.
fn an_hour(victims: Victims) -> (World, Vec<NodeIx>, Vec<Recorded>) {
    let mut config = Config::lan("sim");
    if victims == Victims::Forgetful {
        // The smallest table of sessions there is.
        config.members_max = 16;
    }
    let mut w = world(3, Seal::Sealed, config);
    let recorded = record(&mut w);
    let nodes = start(&mut w, 5);
    settle(&mut w, 5);
    let minutes = size(12, 60);
    for minute in 0..minutes {
        let writer = w.handle(nodes[minute % 5]);
        writer.put(&format!("key {}", minute % 7), &[minute as u8; 100]).expect("there is room");
        writer.broadcast("minute", &[minute as u8; 40]).expect("there is room");
        w.run(secs(20));
        if minute == minutes / 10 {
            w.pause(nodes[1]);
            w.run(secs(8));
            w.resume(nodes[1]);
        }
        if minute == minutes / 5 {
            w.restart(nodes[2]);
            w.join(nodes[2], &nodes[..1]);
        }
        w.run(secs(40));
    }
    settle(&mut w, 5);
    w.untap();
    let recorded = recorded.take();
    (w, nodes, recorded)
}

/// Frames of this node do not reach that one, unless it is none in particular; what is needed to be known does.
fn deafen(w: &mut World, to: NodeIx, only: Option<NodeIx>) {
    w.add_rule(move |sent: &Sent<'_>| {
        let is_his = only.is_none_or(|only| sent.from == only.addr());
        if sent.to == to.addr() && is_his && !is_control(sent.bytes) { Verdict::Drop } else { Verdict::Pass }
    });
}

/// What the attacker waits for.
fn prepare(w: &mut World, nodes: &[NodeIx], victims: Victims) {
    match victims {
        Victims::Same => {}
        Victims::Restarted => {
            // A new life may hear once more what is younger.
            w.run(secs(7));
            for &node in nodes {
                w.restart(node);
                w.join(node, nodes);
                w.run(secs(3));
            }
        }
        Victims::Alone => {
            deafen(w, nodes[3], None);
            w.run(secs(7));
            w.restart(nodes[3]);
        }
        Victims::Forgetful => {
            deafen(w, nodes[1], Some(FORGOTTEN));
            for _ in 0..80 {
                w.restart(nodes[4]);
                w.join(nodes[4], nodes);
                w.run(secs(1));
            }
        }
    }
    w.run(secs(15));
}

/// What was repeated at one node.
#[derive(Clone, Copy, Debug, Default)]
struct Repeated {
    datagrams: u64,
    bytes_out: u64,
}

/// How a world ended, and what went over it since the attacker began.
struct End {
    known: Vec<Known>,
    before: Vec<DriverStats>,
    after: Vec<DriverStats>,
    /// Control datagrams that were sent to each node.
    controls: Vec<u64>,
    repeated: Vec<Repeated>,
    recorded: usize,
}

fn play(victims: Victims, attacked: bool) -> End {
    let (mut w, nodes, recorded) = an_hour(victims);
    prepare(&mut w, &nodes, victims);
    let controls = Rc::new(RefCell::new(vec![0; nodes.len()]));
    let tap = Rc::clone(&controls);
    w.tap(move |sent| {
        if let Some(to) = NodeIx::at(sent.to).filter(|_| is_control(sent.bytes)) {
            tap.borrow_mut()[to.index()] += 1;
        }
    });
    let (before, old) = (driven(&w), old(&recorded));
    let mut repeated = vec![Repeated::default(); nodes.len()];
    for (i, sent) in recorded.iter().enumerate() {
        if attacked {
            // What is old also where it was not meant to go. What is younger and was never there would be new there.
            let to = match victims {
                Victims::Alone => nodes[3],
                _ if i % 2 == 0 && old[i] => nodes[(sent.to.index() + 1 + i % 4) % 5],
                _ => sent.to,
            };
            repeat(&mut w, &mut repeated[to.index()], to, sent);
        }
        if i % 500 == 0 {
            w.run(millis(100));
        }
    }
    // Whatever waits to be proven has waited long enough.
    w.run(secs(10));
    // One who is alone notices when it is given something.
    nodes.iter().for_each(|&node| w.inject_datagram(node, node.addr(), b"?"));
    w.run(millis(0));
    w.untap();
    let controls = controls.take();
    End { known: all_known(&w), before, after: driven(&w), controls, repeated, recorded: recorded.len() }
}

/// Of each datagram, whether its session has sealed so many others since that no window reaches back to it: 1,024, and some more
/// because the newest went to one node only.
fn old(recorded: &[Recorded]) -> Vec<bool> {
    let mut newest: HashMap<&[u8], u64> = HashMap::new();
    recorded.iter().for_each(|sent| _ = newest.insert(sent.session(), sent.counter()));
    recorded.iter().map(|sent| sent.counter() + 1_200 <= newest[sent.session()]).collect()
}

/// Whatever it leads to is not larger.
fn repeat(w: &mut World, repeated: &mut Repeated, to: NodeIx, sent: &Recorded) {
    w.run(millis(0));
    let before = w.sent(to).bytes;
    w.inject_datagram(to, sent.from, &sent.bytes);
    w.run(millis(0));
    let out = w.sent(to).bytes - before;
    assert!(out <= sent.bytes.len() as u64, "{out} bytes to {}", sent.bytes.len());
    repeated.datagrams += 1;
    repeated.bytes_out += out;
}

fn replays_change_nothing(victims: Victims) {
    let (quiet, attacked) = (play(victims, false), play(victims, true));
    assert_same(&attacked.known, &quiet.known, &format!("{victims:?}"));
    let mut sum = DriverStats::default();
    for node in 0..5 {
        let grown = |end: &End, of: fn(&DriverStats) -> u64| of(&end.after[node]) - of(&end.before[node]);
        let more = |of: fn(&DriverStats) -> u64| grown(&attacked, of) - grown(&quiet, of);
        let repeated = attacked.repeated[node].datagrams;
        let answers = attacked.controls[node] - quiet.controls[node];
        let (replayed, stale, unproven) =
            (more(|s| s.refused_replayed), more(|s| s.refused_stale), more(|s| s.refused_unproven));
        let controls = more(|s| s.controls_received);
        assert_eq!(more(|s| s.datagrams_received), repeated + answers, "node {node}");
        assert_eq!(replayed + stale + unproven + controls, repeated + answers, "node {node}: every one in one counter");
        assert_eq!(more(DriverStats::refused), replayed + stale + unproven, "node {node}: for no other reason");
        sum.refused_replayed += replayed;
        sum.refused_stale += stale;
        sum.refused_unproven += unproven;
        sum.controls_received += controls;
        sum.sessions_proven += more(|s| s.sessions_proven);
    }
    let (replayed, stale, unproven) = (sum.refused_replayed, sum.refused_stale, sum.refused_unproven);
    assert!(replayed > 1_000 && unproven > 0, "{sum:?}");
    match victims {
        Victims::Same | Victims::Restarted => assert_eq!((stale, sum.sessions_proven), (0, 0), "who lives is known"),
        // Whoever is asked lives and says so, and it helps nobody.
        Victims::Alone => assert!(stale > 0 && sum.sessions_proven >= 4, "{sum:?}"),
        Victims::Forgetful => {
            assert!(sum.sessions_proven > 0, "the session was forgotten, and is proven again: {sum:?}");
        }
    }
    let total: u64 = attacked.repeated.iter().map(|r| r.datagrams).sum();
    let out: u64 = attacked.repeated.iter().map(|r| r.bytes_out).sum();
    println!(
        "{victims:?}: {total} datagrams, {} recorded: {replayed} replayed, {stale} stale, {unproven} unproven, {} control \
         messages; {out} bytes out",
        attacked.recorded, sum.controls_received
    );
}

#[test]
fn an_hour_is_played_back_at_the_same_nodes() {
    replays_change_nothing(Victims::Same);
}

#[test]
fn an_hour_is_played_back_at_nodes_that_were_started_again() {
    replays_change_nothing(Victims::Restarted);
}

#[test]
fn an_hour_is_played_back_at_a_new_life_that_knows_nobody() {
    replays_change_nothing(Victims::Alone);
}

#[test]
fn an_hour_is_played_back_at_a_node_that_had_to_forget_sessions() {
    replays_change_nothing(Victims::Forgetful);
}
