//! What each datagram says of states and rumors, while every kind of datagram is sent. F4 and F5 for both.

use std::collections::BTreeMap;

use swim_core::wire::{Frame, Message};
use swim_core::{Config, StopPolicy};

use super::common::*;
use super::data::*;
use crate::{Inspect, Link, Peer, Run, Spec, Way};

/// What there is to say of states and rumors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Summaries,
    States,
    Rumors,
    Known,
}

use Part::{Known, Rumors, States, Summaries};

/// What this frame says of them.
fn parts(frame: &Frame<'_>) -> Vec<Part> {
    let all = [
        (Summaries, frame.summaries().count()),
        (States, frame.states().count()),
        (Rumors, frame.rumors().count()),
        (Known, frame.known().count()),
    ];
    all.into_iter().filter(|(_, count)| *count > 0).map(|(part, _)| part).collect()
}

/// What a frame with this message may say of them, and what it is called.
fn allowed(message: Option<Message>) -> (&'static str, &'static [Part]) {
    match message {
        None => ("gossip", &[Summaries, States, Rumors, Known]),
        Some(Message::Ping { .. }) => ("ping", &[Summaries, States, Rumors]),
        Some(Message::Ack { .. }) => ("ack", &[Summaries, States, Rumors]),
        Some(Message::PingReq { .. }) => ("ping-req", &[States, Rumors]),
        Some(Message::RelayedAck { .. }) => ("relayed ack", &[States, Rumors]),
        Some(Message::Nack { .. }) => ("nack", &[States, Rumors]),
        Some(Message::NotMe { .. }) => ("not-me", &[States, Rumors]),
        Some(Message::Page { .. }) => ("page", &[Summaries]),
        Some(Message::Delta { .. }) => ("delta", &[Summaries, States, Rumors]),
        Some(Message::Digest { .. }) => ("digest", &[]),
        Some(Message::Prove { .. }) => ("prove", &[]),
        Some(Message::Pull { .. } | Message::Compare { .. } | Message::Differ { .. } | Message::Push) => ("sync", &[]),
        // A new kind needs a rule.
        Some(other) => panic!("nothing says what {other:?} may carry"),
    }
}

/// All write, delete and broadcast, small and large, while there are crashes, cuts, loss and a leave.
fn turmoil<H: Inspect>(run: &mut Run, h: &mut H, nodes: &[Peer]) {
    h.set_network(Link { loss: 10, duplicate: 10, reorder: 10, ..Link::default() });
    let said = |run: &mut Run, h: &mut H, what: u8| {
        for p in h.running() {
            let len = [1, 40, 250, h.config().value_max()][run.below(4)];
            put(h, p, &format!("key-{}", run.below(12)), &vec![what; len]);
            delete(h, p, &format!("key-{}", run.below(12)));
            let len = [0, 30, h.config().rumor_max() - 1][run.below(3)];
            broadcast(h, p, "t", &vec![what; len]);
        }
        h.run(h.periods(1));
    };
    (0..5).for_each(|what| said(run, h, what));
    h.kill(nodes[1]);
    h.cut(&nodes[2..4], &nodes[4..], Way::Both);
    (5..10).for_each(|what| said(run, h, what));
    h.run(h.periods(30));
    h.heal();
    h.restart_same(nodes[1]);
    h.join_through(nodes[1], &nodes[5..6]);
    h.leave(nodes[6]);
    (10..15).for_each(|what| said(run, h, what));
    let one = h.spawn(Spec::named("newcomer"));
    h.join_through(one, &nodes[5..6]);
    h.run(h.periods(40));
}

/// F4: every datagram with states and rumors in it is accepted by the strict parser, and none is above the mtu.
pub fn f4_every_datagram_with_data_parses<H: Inspect>(run: &mut Run) {
    let mut config = H::base_config();
    config.mtu = Config::MTU_MIN;
    let (mut h, nodes) = run.cluster::<H>(config, 12);
    let seen = h.tap_into::<(u64, usize)>(|seen, s| {
        assert!(s.bytes.len() <= Config::MTU_MIN, "{} bytes", s.bytes.len());
        let carries = !parts(&s.parsed()).is_empty();
        *seen = (seen.0 + u64::from(carries), seen.1.max(s.bytes.len()));
    });
    turmoil(run, &mut h, &nodes);
    let (datagrams, longest) = *seen.get();
    assert!(datagrams > 1_000 && longest > 700, "{datagrams} datagrams with data, the longest {longest} bytes");
    let malformed: u64 = h.running().iter().map(|&p| h.node(p).stats().dropped_malformed).sum();
    assert_eq!(malformed, 0);
    let running = h.running();
    h.set_network(Link::default());
    h.until(reunion(&h) + soon(&h), |h| h.is_whole(12) && data_agrees(h, &running)).expect("in the end all agree");
}

/// F5: what each kind of datagram says of states and rumors: news rides on probes, their answers and gossip; syncs say who
/// has more; digests and their answers have nothing beside them.
pub fn f5_each_message_carries_its_own_data<H: Inspect>(run: &mut Run) {
    let mut config = H::base_config();
    config.rumor_stop = StopPolicy::Counter(2);
    let (mut h, nodes) = run.cluster::<H>(config, 12);
    let seen = h.tap_into::<BTreeMap<(&str, Part), u64>>(|seen, s| {
        let frame = s.parsed();
        let (kind, may) = allowed(frame.message);
        let parts = parts(&frame);
        assert!(parts.iter().all(|part| may.contains(part)), "a {kind} with {parts:?}");
        let (updates, rows) = (frame.updates().count(), frame.rows().count());
        let (held, wanted) = (frame.held().count(), frame.wanted().count());
        match kind {
            "digest" => {
                assert!(
                    frame.digests().next().is_some() && updates + rows + held + wanted == 0,
                    "a digest is only that"
                );
            }
            "delta" => assert_eq!(updates + rows + held + wanted, 0, "its answer is only that"),
            "ping" => assert!(frame.summaries().count() <= 1, "a ping tells of one of the dead"),
            // Feedback and summaries are answers of their own, and stand alone.
            "gossip" if parts.contains(&Known) || parts.contains(&Summaries) => {
                assert!(parts.len() == 1 && updates + rows + held + wanted == 0, "{parts:?} and {updates} updates");
            }
            _ => {}
        }
        parts.into_iter().for_each(|part| *seen.entry((kind, part)).or_default() += 1);
    });
    turmoil(run, &mut h, &nodes);
    let seen = seen.get();
    for (kind, part) in [
        ("gossip", Summaries),
        ("gossip", States),
        ("gossip", Rumors),
        ("gossip", Known),
        ("ping", Summaries),
        ("ping", States),
        ("ping", Rumors),
        ("ack", States),
        ("ack", Rumors),
        ("ping-req", States),
        ("page", Summaries),
        ("delta", States),
        ("delta", Rumors),
    ] {
        assert!(seen.contains_key(&(kind, part)), "no {kind} with {part:?} was sent: {seen:?}");
    }
}
