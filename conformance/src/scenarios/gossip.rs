//! How news spreads, and that all of it can be read. Scenarios F4, F5 and F9, and A8 and P11 for a whole cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use swim_core::wire::{Frame, Message};
use swim_core::{Config, Event, NodeId, Profile};

use super::common::*;
use crate::{Harness, Inspect, Link, Run, Spec, Way, is_down};

/// F4: every datagram that is ever sent is accepted by the strict parser, and none is above the mtu: with crashes, restarts,
/// cuts, loss, large profiles and a small mtu.
pub fn f4_every_datagram_parses<H: Inspect>(run: &mut Run) {
    let mut config = H::base_config();
    config.mtu = Config::MTU_MIN;
    let (mut h, nodes) = run.cluster::<H>(config, 12);
    let seen = h.tap_into::<(u64, usize)>(|seen, s| {
        assert!(s.bytes.len() <= Config::MTU_MIN, "{} bytes", s.bytes.len());
        s.parsed();
        *seen = (seen.0 + 1, seen.1.max(s.bytes.len()));
    });
    h.set_network(Link { loss: 10, duplicate: 10, reorder: 10, ..Link::default() });
    for (i, &p) in nodes.iter().enumerate() {
        h.set_meta(p, &vec![i as u8; 30 * i]);
    }
    h.run(h.periods(5));
    h.kill(nodes[1]);
    h.cut(&nodes[2..4], &nodes[4..], Way::Both);
    h.run(h.periods(40));
    h.heal();
    h.restart_same(nodes[1]);
    h.join_through(nodes[1], &nodes[5..6]);
    h.leave(nodes[6]);
    h.run(h.periods(40));
    let (datagrams, longest) = *seen.get();
    assert!(datagrams > 1_000 && longest > 700, "{datagrams} datagrams, the longest {longest} bytes");
    let malformed: u64 = h.running().iter().map(|&p| h.node(p).stats().dropped_malformed).sum();
    assert_eq!(malformed, 0);
}

/// F5: what each kind of datagram carries, while every kind is sent: with loss, a way that is cut in one direction, a death,
/// an address that is taken over, a leave, a split that outlasts all news, and profiles that fill the datagrams.
pub fn f5_each_message_carries_its_own<H: Inspect>(run: &mut Run) {
    let mut config = H::base_config();
    config.mtu = Config::MTU_MIN;
    let (mut h, nodes) = run.cluster::<H>(config, 12);
    let seen = h.tap_into::<Carried>(|seen, s| seen.note(s.from, s.to, &s.parsed()));
    h.set_network(Link { loss: 5, duplicate: 5, reorder: 5, ..Link::default() });
    let mut rest = nodes.clone();
    let (deaf, dead, taken, leaver) =
        (run.take(&mut rest), run.take(&mut rest), run.take(&mut rest), run.take(&mut rest));
    for (i, &p) in nodes.iter().enumerate() {
        h.set_meta(p, &vec![i as u8; 40 * i]);
    }
    h.cut(&[rest[0]], &[deaf], Way::To);
    h.kill(dead);
    h.restart(taken, Spec::named("successor"));
    h.join_through(taken, &rest[1..2]);
    h.leave(leaver);
    h.run(h.periods(40));
    h.cut(&rest[..4], &[&rest[4..], &[deaf, taken]].concat(), Way::Both);
    h.run(h.periods(20));
    // In each half, so that both have something to tell when they meet again, after all news of it has ended.
    rest.iter().for_each(|&p| h.set_meta(p, &[0xff; 300]));
    h.run(h.periods(40));
    h.heal();
    h.until(h.periods(120), |h| h.is_whole(10)).expect("one cluster again");
    let seen = seen.get();
    for (kind, name) in KINDS.iter().enumerate() {
        assert!(seen.kinds[kind] > 0, "no {name} was sent");
    }
}

/// In the order of [`Carried::note`].
const KINDS: [&str; 13] = [
    "gossip",
    "ping",
    "ack",
    "ping-req",
    "relayed ack",
    "nack",
    "not-me",
    "pull",
    "page",
    "compare",
    "differ",
    "push",
    "prove",
];

#[derive(Default)]
struct Carried {
    /// How many of each kind there were.
    kinds: [u64; KINDS.len()],
    /// Who has written from an address.
    at: BTreeMap<SocketAddr, BTreeSet<NodeId>>,
}

impl Carried {
    /// Looks into one frame: what its kind has no room for must not be in it.
    fn note(&mut self, from: SocketAddr, to: SocketAddr, frame: &Frame<'_>) {
        self.at.entry(from).or_default().insert(frame.sender);
        let updates: Vec<NodeId> = frame.updates().map(|item| item.id).collect();
        let rows: Vec<NodeId> = frame.rows().map(|item| item.id).collect();
        let (held, wanted) = (frame.held().count(), frame.wanted().count());
        // What one believes of the receiver, and nothing else.
        let believed = |id: &NodeId| self.at.get(&to).is_some_and(|ids| ids.contains(id));
        let is_belief = updates.len() <= 1 && updates.iter().all(believed);
        let no_rows = rows.is_empty() && held + wanted == 0;
        let bare = no_rows && updates.is_empty();
        let introduces_itself = rows == [frame.sender];
        let (kind, fits) = match frame.message {
            None => (0, no_rows || introduces_itself && updates.is_empty() && held + wanted == 0),
            Some(Message::Ping { .. }) => (1, no_rows),
            Some(Message::Ack { .. }) => (2, no_rows),
            Some(Message::PingReq { .. }) => (3, no_rows),
            Some(Message::RelayedAck { .. }) => (4, no_rows),
            Some(Message::Nack { .. }) => (5, no_rows),
            Some(Message::NotMe { .. }) => (6, no_rows),
            Some(Message::Pull { .. }) => {
                (7, updates.is_empty() && wanted == 0 && (rows.is_empty() || introduces_itself))
            }
            Some(Message::Page { .. }) => (8, held == 0 && is_belief),
            Some(Message::Compare { .. }) => (9, bare),
            Some(Message::Differ { .. }) => (10, bare),
            Some(Message::Push) => (11, updates.is_empty() && held + wanted == 0),
            Some(Message::Prove { .. }) => (12, bare && frame.cookie.is_some()),
            // A new kind needs a rule.
            Some(other) => panic!("nothing says what {other:?} may carry"),
        };
        assert!(fits, "a {} with updates of {updates:?}, rows of {rows:?}, {held} held, {wanted} wanted", KINDS[kind]);
        self.kinds[kind] += 1;
    }
}

/// F9: one update reaches all of many nodes within a small multiple of log N gossip intervals, and each of them tells it at
/// most ⌈λ·ln(N+1)⌉ times; beyond that only with an answer, to the few that show with it that they have missed something.
pub fn f9_one_update_reaches_all<H: Inspect>(run: &mut Run) {
    one_update::<H>(run, 64);
}

/// F9, where it takes longer.
pub fn f9_one_update_reaches_a_thousand<H: Inspect>(run: &mut Run) {
    // Unoptimised, a thousand nodes take too long to form.
    one_update::<H>(run, if cfg!(debug_assertions) { 250 } else { 1_000 });
}

fn one_update<H: Inspect>(run: &mut Run, n: usize) {
    let (mut h, nodes) = run.cluster::<H>(H::base_config(), n);
    h.until(h.periods(120), |h| h.is_quiet()).expect("no other news is left");
    let subject = run.pick(&nodes);
    let (id, limit) = (h.id(subject), h.config().retransmit_limit(n));
    let copies = h.tap_into::<BTreeMap<(SocketAddr, bool), usize>>(move |copies, s| {
        let frame = s.parsed();
        let told = frame.updates().filter(|item| item.id == id && item.detail().is_some()).count();
        // A reminder answers a ping, or is the answer to an ack: then it stands alone.
        let answers = matches!(frame.message, Some(Message::Ack { .. })) || frame.message.is_none();
        let before = copies.get(&(s.from, false)).copied().unwrap_or(0);
        let reminds = answers && before >= limit;
        *copies.entry((s.from, reminds)).or_default() += told;
    });
    h.set_meta(subject, b"changed");
    let knows = |h: &mut H| nodes.iter().all(|&p| h.view(p).member(id).is_some_and(|m| m.meta() == b"changed"));
    let took = h.until(h.periods(60), knows).expect("all know");
    h.run(h.periods(30));
    let most = copies.get().iter().filter(|c| !c.0.1).map(|c| *c.1).max().unwrap_or(0);
    assert!(most > 0 && most <= limit, "somebody told it {most} times, and {limit} is the limit");
    let reminders: usize = copies.get().iter().filter(|c| c.0.1).map(|c| c.1).sum();
    assert!(reminders <= n / 10, "{reminders} reminders among {n}");
    // Push to three per interval: log_4 N + ln N / 3 rounds and some, besides the news that rides on probes.
    let rounds = took.as_secs_f64() / h.config().gossip_interval.as_secs_f64();
    assert!(rounds <= 2.5 * (n as f64).log2(), "{rounds} rounds");
    run.figure("one update among many: gossip intervals until all know", rounds);
    run.figure("one update among many: most copies told by one node", most as f64);
}

/// A node that missed a change of profile, while its peers went on, gets it: the view hash covers what members say.
pub fn a_missed_profile_is_repaired<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let (deaf, subject) = (nodes[4], nodes[0]);
    h.cut(&nodes[..4], &[deaf], Way::Both);
    h.set_meta(subject, b"new");
    h.run(h.periods(5) / 2);
    h.heal();
    let id = h.id(subject);
    let knows = |h: &H| h.view(deaf).member(id).is_some_and(|m| m.meta() == b"new");
    let limit = h.periods(30);
    h.until(limit, |h| knows(h) && h.is_whole(5)).expect("repaired");
}

/// The other way round: a node that changes its profile while nobody hears it tells it to no avail. All the others agree with
/// each other, and yet they learn of it.
pub fn a_profile_that_nobody_heard_is_repaired<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let subject = run.pick(&nodes);
    let rest = others(&nodes, subject);
    h.cut(&[subject], &rest, Way::Both);
    h.set_meta(subject, b"new");
    // As often as it is told, and shorter than anybody takes to suspect.
    let told = h.config().gossip_interval * (h.config().retransmit_limit(5) as u32 - 1);
    h.run(told);
    h.heal();
    let id = h.id(subject);
    let knows = |h: &H| rest.iter().all(|&p| h.view(p).member(id).is_some_and(|m| m.meta() == b"new"));
    h.until(h.periods(30), |h| knows(h) && h.is_whole(5)).expect("repaired");
}

/// A8: all five change their metadata twenty times in one moment: all end with the last word of each, which nobody takes for
/// anything but an update.
pub fn a8_all_change_their_metadata_at_once<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let mark = h.mark();
    for i in 1..=20_u8 {
        for &p in &nodes {
            h.set_meta(p, &[p.index() as u8, i]);
        }
    }
    let last = |h: &H| nodes.iter().all(|&p| all_read(h, &nodes, p, &[p.index() as u8, 20]));
    let took = h.until(soon(&h), |h| last(h) && h.is_whole(5)).expect("all have the last word of all");
    run.figure("100 changes by five: periods until all have the last", in_periods(&h, took));
    for p in nodes {
        let of_others = others(&nodes, p).into_iter().map(|q| h.id(q));
        let updated = |id| h.count_since(p, &mark, |e| matches!(*e, Event::MemberUpdated { id: whom } if whom == id));
        assert!(of_others.map(updated).all(|n| (1..=20).contains(&n)), "{p:?}: {:?}", h.since(p, &mark));
        assert_eq!(ups(&h, p, &mark), []);
        assert_eq!(h.count_since(p, &mark, is_down), 0);
    }
}

/// P11: all say as much of themselves as can be said, with datagrams as small as they may be, and so does one that joins
/// then: all read all of it. A byte more is refused where it is said.
pub fn p11_the_longest_metadata_reaches_all<H: Harness>(run: &mut Run) {
    let mut config = H::base_config();
    config.mtu = Config::MTU_MIN;
    let (mut h, mut nodes) = run.cluster::<H>(config, 4);
    let words = |i: usize| vec![0xf0 | i as u8; Profile::MAX_META];
    assert!(Profile::new("n0", &[words(0), vec![0]].concat()).is_err());
    for (i, &p) in nodes.iter().enumerate() {
        h.set_meta(p, &words(i));
    }
    let one = h.spawn(Spec::named("n".repeat(Profile::MAX_NAME)).meta(&words(4)));
    h.join_through(one, &[run.pick(&nodes)]);
    nodes.push(one);
    let read = |h: &H| nodes.iter().enumerate().all(|(i, &p)| all_read(h, &nodes, p, &words(i)));
    let took = h.until(soon(&h), |h| read(h) && h.is_whole(5)).expect("all read all of it");
    run.figure("five of 512 bytes each: periods until all read all", in_periods(&h, took));
}
