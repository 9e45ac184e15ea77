//! What users said is gone from a trace, and nothing else is.

use std::time::Duration;

use crate::util::Net;
use swim_core::{Command, Input, Node, NodeId, Profile};
use swim_trace::{Index, Item, Recorded, Replay, Summary, Trace, block};
use swim_trace_tools::redact::{RedactError, Redacted, payload};

/// Names and metadata, in rows and in allocations of their own.
const SAID: [(&str, &[u8]); 4] = [
    ("hidden-alpha", b"hidden-zone=north;rack=7;owner=somebody"),
    ("hidden-beta", b"hidden-zone=south"),
    ("hidden-gamma", b"hidden-zone=south"),
    ("hidden-delta-of-a-length-that-takes-an-allocation", b""),
];
const LATER: &[u8] = b"hidden-until-later";
const CLUSTER: &str = "hidden-cluster";

/// The trace of the first node: keyframes at moments when it has just been asked, profiles that change, a leave, a restart.
fn recorded(outputs: bool) -> Vec<u8> {
    let mut net = Net::of(CLUSTER, &SAID, outputs);
    net.lose = 17;
    (1..4).for_each(|i| net.join(i, 1));
    for round in 0..6 {
        net.run(150);
        let taped = &mut net.nodes[0];
        taped.tape.keyframe(&taped.node);
        net.run(150);
        if round == 1 {
            let later = Profile::new(SAID[0].0, LATER).unwrap();
            net.give(0, Input::Command(Command::SetProfile(&later)));
            let same = Profile::new("hidden-epsilon", LATER).unwrap();
            net.give(1, Input::Command(Command::SetProfile(&same)));
        }
        if round == 2 {
            // No frame, and one with a section of a later version.
            let from = "127.0.0.1:9".parse().unwrap();
            net.give(0, Input::Datagram { from, bytes: b"hidden in what is no frame" });
            let mut frame = vec![0; 20];
            frame.push(0);
            frame.extend_from_slice(b"\x64\x06hidden");
            net.give(0, Input::Datagram { from, bytes: &frame });
        }
    }
    net.end(3);
    net.run(3_000);
    net.end(0).0
}

fn holds(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

/// All payloads, decompressed: what a search through a file could find.
fn content(bytes: &[u8]) -> Vec<u8> {
    let trace = Trace::open(bytes).unwrap();
    let mut all = bytes.to_vec();
    for block in trace.blocks() {
        all.extend_from_slice(&block.unwrap().content().unwrap());
    }
    all
}

/// Every step: when, what kind of input, whereto and how much was sent, and the events.
fn story(bytes: &[u8]) -> (Vec<String>, Summary) {
    let trace = Trace::open(bytes).unwrap();
    let mut replay = Replay::new(&trace).unwrap();
    let mut steps = Vec::new();
    while let Some(step) = replay.step() {
        let step = step.unwrap();
        assert!(!step.diverged);
        let sent: Vec<_> = step.outputs.sent().map(|(to, frame)| (to, frame.len())).collect();
        steps.push(format!("{} {:?} {} {sent:?} {:?}", step.number, step.at, step.input.name(), step.outputs.events()));
    }
    (steps, replay.summary())
}

fn redacted(bytes: &[u8], names: bool) -> Redacted {
    payload(&Trace::open(bytes).unwrap(), names).unwrap()
}

#[test]
fn nothing_that_was_said_is_left() {
    for outputs in [false, true] {
        let bytes = recorded(outputs);
        let before = content(&bytes);
        for text in [&b"hidden-zone"[..], LATER, b"hidden-alpha", CLUSTER.as_bytes(), b"hidden in"] {
            assert!(holds(&before, text), "{text:?}");
        }
        let with_names = redacted(&bytes, true);
        let after = content(&with_names.bytes);
        assert!(!holds(&after, b"hidden") && !holds(&after, b"somebody"));
        assert_eq!((with_names.metadata, with_names.names, with_names.left_out), (3, 5, 0));

        // Without, names stay, and only they do.
        let without = redacted(&bytes, false);
        let after = content(&without.bytes);
        assert!(holds(&after, b"hidden-alpha") && holds(&after, CLUSTER.as_bytes()));
        assert!(!holds(&after, b"hidden-zone") && !holds(&after, LATER) && !holds(&after, b"hidden in"));
        assert_eq!((without.metadata, without.names), (3, 0));

        for redacted in [&with_names, &without] {
            assert_eq!(redacted.bytes.len(), bytes.len(), "all lengths stay");
            let ((before, was), (after, is)) = (story(&bytes), story(&redacted.bytes));
            assert_eq!(before, after);
            assert_eq!((is.divergences, is.skipped, is.keyframes), (0, 0, 6));
            assert_eq!((was.steps, was.keyframes, redacted.steps), (is.steps, 6, is.steps));
            assert_ne!(was.state_hash, is.state_hash);
        }
    }
}

/// Who had the same metadata has the same afterwards, and who had another has another.
#[test]
fn equal_ones_stay_equal() {
    let bytes = recorded(true);
    let last = |bytes: &[u8]| -> Node {
        let trace = Trace::open(bytes).unwrap();
        let mut replay = Replay::new(&trace).unwrap();
        while replay.step().is_some() {}
        replay.node().unwrap().clone()
    };
    let (was, is) = (last(&bytes), last(&redacted(&bytes, true).bytes));
    let of = |node: &Node, i: usize| {
        node.member(NodeId::from_name(SAID[i].0)).map(|row| (row.name().to_owned(), row.profile().meta().to_vec()))
    };
    let (was, is): (Vec<_>, Vec<_>) = (0..4).map(|i| (of(&was, i).unwrap(), of(&is, i).unwrap())).unzip();
    assert_eq!(was[0].1, was[1].1);
    for i in 0..4 {
        assert_eq!((was[i].0.len(), was[i].1.len()), (is[i].0.len(), is[i].1.len()));
        for j in 0..4 {
            assert_eq!(
                (was[i].0 == was[j].0, was[i].1 == was[j].1),
                (is[i].0 == is[j].0, is[i].1 == is[j].1),
                "{i} {j}"
            );
        }
    }
}

/// The same trace with a part that is missing, told or not, compressed, with an index.
#[test]
fn gaps_keyframes_compression_and_index_are_kept() {
    let bytes = recorded(true);
    let trace = Trace::open(&bytes).unwrap();
    let blocks: Vec<_> = trace.blocks().map(Result::unwrap).collect();
    let second = blocks.iter().position(|b| b.kind == 3 && b.step > blocks[2].step).unwrap();
    let part = |i: usize| block::compressed(&bytes[blocks[i].offset..blocks[i].offset + blocks[i].len()]);
    for told in [false, true] {
        // The header, a block without the state before it, then a keyframe; later a block is missing.
        let mut out = bytes[..blocks[1].offset].to_vec();
        for (i, b) in blocks.iter().enumerate().skip(3) {
            match i == second + 3 {
                true if told => block::gap(b.step, b.at, 7, &mut out),
                true => {}
                false => out.extend_from_slice(&part(i)),
            }
        }
        let index = Index::make(&Trace::open(&out).unwrap());
        index.write(&mut out);
        let redacted = redacted(&out, true);
        assert!(redacted.left_out > 0 && !holds(&content(&redacted.bytes), b"hidden"));
        assert_eq!(story(&out).0, story(&redacted.bytes).0);
        let again = Trace::open(&redacted.bytes).unwrap();
        assert!(again.blocks().any(|b| b.unwrap().is_compressed()));
        assert_eq!(again.blocks().last().unwrap().unwrap().kind, 5);
        assert_eq!(Index::of(&again), Index::make(&again));
        // What no replay reaches is a gap now.
        let was = story(&out).1;
        let is = story(&redacted.bytes).1;
        assert_eq!((is.skipped, is.missing), (0, was.skipped + was.missing));
    }
}

#[test]
fn what_is_intact_is_redacted() {
    let bytes = recorded(false);
    let torn = &bytes[..bytes.len() - 99];
    let redacted = redacted(torn, true);
    assert!(redacted.damage.is_some_and(|e| e.is_torn()));
    assert!(!holds(&content(&redacted.bytes), b"hidden"));
    assert_eq!(story(&redacted.bytes).1.divergences, 0);
}

/// What cannot be checked is not done.
#[test]
fn a_run_that_is_left_is_refused() {
    let bytes = recorded(true);
    let trace = Trace::open(&bytes).unwrap();
    // The same inputs under another seed.
    let mut header = trace.header().clone();
    header.rng_seed = Some(99);
    let mut out = Vec::new();
    block::start(&header, &mut out);
    out.extend_from_slice(&bytes[trace.blocks().nth(1).unwrap().unwrap().offset..]);
    let other = Trace::open(&out).unwrap();
    let first = Replay::new(&other).unwrap().run().0.first.unwrap();
    let refused = payload(&other, true).unwrap_err();
    assert_eq!(refused, RedactError::Diverges { step: first.step });
    assert!(refused.to_string().contains("with the build that recorded it"), "{refused}");
}

/// What is replaced are profiles; who, where and when stay.
#[test]
fn ids_addresses_and_times_stay() {
    let bytes = recorded(true);
    let redacted = redacted(&bytes, true);
    let (was, is) = (Trace::open(&bytes).unwrap(), Trace::open(&redacted.bytes).unwrap());
    let (a, b) = (was.header(), is.header());
    assert_eq!((a.id, a.addr, a.rng_seed, a.began), (b.id, b.addr, b.rng_seed, b.began));
    assert_ne!((a.profile.name(), &a.config.cluster), (b.profile.name(), &b.config.cluster));
    let inputs = |trace: &Trace<'_>| {
        let (mut cursor, mut found) = (trace.cursor(), Vec::new());
        while let Some(item) = cursor.next() {
            if let Item::Input { step, at, input, .. } = item.unwrap() {
                let what = match input {
                    Recorded::Datagram { from, bytes } => format!("{from} {}", bytes.len()),
                    other => other.name().into(),
                };
                found.push((step, at, what));
            }
        }
        found
    };
    assert_eq!(inputs(&was), inputs(&is));
}

/// Keys, values, topics and payloads, wherever they are: in commands, datagrams and keyframes.
#[test]
fn states_and_rumors_are_gone_as_well() {
    let mut net = Net::of(CLUSTER, &SAID[..3], true);
    (1..3).for_each(|i| net.join(i, 0));
    net.run(500);
    let put = |key, value, ttl| Input::Command(Command::Put { key, value, ttl });
    for i in 0..3 {
        net.give(i, put("hidden-role", b"hidden-primary", None));
        net.give(i, put("hidden-lease", b"hidden-holder", Some(Duration::from_secs(2))));
        net.give(i, put("hidden-gone", b"hidden-gone-too", None));
        net.give(i, Input::Command(Command::Broadcast { topic: "hidden-topic", payload: b"hidden-news" }));
        net.run(300);
        let taped = &mut net.nodes[0];
        taped.tape.keyframe(&taped.node);
        net.give(i, Input::Command(Command::Delete { key: "hidden-gone" }));
        net.run(300);
    }
    net.run(4_000);
    let taped = &mut net.nodes[0];
    taped.tape.keyframe(&taped.node);
    net.run(300);
    let bytes = net.end(0).0;
    assert!(holds(&content(&bytes), b"hidden-primary") && holds(&content(&bytes), b"hidden-topic"));
    let redacted = redacted(&bytes, true);
    assert!(!holds(&content(&redacted.bytes), b"hidden"));
    assert_eq!((redacted.entries, redacted.rumors), (6, 2));
    let (before, after) = (story(&bytes), story(&redacted.bytes));
    assert_eq!(before.0, after.0);
}
