//! What is replayed is what was recorded, and what was changed is found at its step.

mod util;

use swim_core::{Event, Instant, Node};
use swim_trace::{Cursor, Item, Recorded, Replay, ReplayError, Steps, Tape, Trace, block};
use util::three;

#[test]
fn a_run_replays_to_the_same_state() {
    for outputs in [false, true] {
        for keyframes in [false, true] {
            let (bytes, node) = three(outputs, keyframes);
            let trace = Trace::open(&bytes).unwrap();
            let mut replay = Replay::new(&trace).unwrap();
            let mut died = 0;
            while let Some(step) = replay.step() {
                let step = step.unwrap();
                assert!(!step.diverged);
                assert_eq!(step.recorded.is_some_and(|recorded| recorded == step.outputs), outputs);
                died += step.outputs.events().iter().filter(|e| matches!(e, Event::MemberDown { .. })).count();
            }
            let s = replay.summary();
            assert_eq!((s.divergences, s.skipped, s.gaps, s.unchecked, died), (0, 0, 0, 0, 1));
            assert_eq!(s.keyframes, if keyframes { 3 } else { 0 });
            assert!(s.steps > 100 && s.duration().as_secs() >= 7, "{s:?}");
            assert_eq!(replay.node().unwrap().snapshot(), node.snapshot());
        }
    }
}

/// From each keyframe on, a trace is a trace.
#[test]
fn a_replay_may_begin_at_a_keyframe() {
    let (bytes, node) = three(false, true);
    let trace = Trace::open(&bytes).unwrap();
    let whole = Replay::new(&trace).unwrap().run().0;
    let mut before = whole.steps;
    for millis in [1_500, 2_000, 6_000] {
        let (summary, error) = Replay::near(&trace, Instant::from_millis(millis)).unwrap().run();
        assert_eq!(error, None);
        assert_eq!((summary.divergences, summary.state_hash), (0, whole.state_hash));
        assert!(summary.steps < before, "{millis} ms: {} of {before}", summary.steps);
        before = summary.steps;
    }
    let early = Replay::near(&trace, Instant::from_millis(500)).unwrap().run().0;
    assert_eq!(early.steps, whole.steps);
    assert_eq!(whole.state_hash, Some(swim_trace::state_hash(&node.snapshot())));
}

/// Rewrites a trace: each input as `change` has it, all checks as they were.
fn rewritten(bytes: &[u8], mut change: impl FnMut(u64, Recorded<'static>) -> Recorded<'static>) -> Vec<u8> {
    let trace = Trace::open(bytes).unwrap();
    let mut out = Vec::new();
    block::start(trace.header(), &mut out);
    let mut builder = block::Builder::new(0, trace.header().began, Vec::new());
    let mut cursor = trace.cursor();
    while let Some(item) = cursor.next() {
        match item.unwrap() {
            Item::Input { step, at, check, input, .. } => {
                builder.input(at, check, &change(step, input.into_owned()).as_input());
            }
            Item::Sent { to, frame } => builder.sent(to, frame),
            Item::Event(event) => builder.event(&event),
            other => panic!("{other:?}"),
        }
    }
    block::copy(&builder.seal_open(0), &mut out);
    out
}

#[test]
fn a_flipped_byte_is_found_at_its_step() {
    let (bytes, _) = three(true, false);
    let trace = Trace::open(&bytes).unwrap();
    let datagrams = |mut cursor: Cursor<'_>| {
        let mut found = Vec::new();
        while let Some(item) = cursor.next() {
            if let Item::Input { step, input: Recorded::Datagram { bytes, .. }, .. } = item.unwrap() {
                found.push((step, bytes.len()));
            }
        }
        found
    };
    let all = datagrams(trace.cursor());
    assert_eq!(
        Replay::new(&Trace::open(&rewritten(&bytes, |_, input| input)).unwrap()).unwrap().run().0.divergences,
        0
    );
    let last = Replay::new(&trace).unwrap().run().0.steps - 1;
    // What the last step came to is not said by a block that is sealed before it is over.
    for (n, &(at, len)) in all.iter().enumerate().step_by(7).filter(|(_, (at, _))| *at < last) {
        let spoilt = rewritten(&bytes, |step, mut input| {
            if let (true, Recorded::Datagram { bytes, .. }) = (step == at, &mut input) {
                bytes.to_mut()[n % len] ^= 1 << (n % 8);
            }
            input
        });
        let (summary, _) = Replay::new(&Trace::open(&spoilt).unwrap()).unwrap().run();
        let first = summary.first.expect("a flipped byte makes a difference");
        assert_eq!((summary.divergences, first.step), (1, at));
        assert!(first.recorded.is_some() && !first.in_state_only);
        assert_eq!(summary.skipped + summary.steps, Replay::new(&trace).unwrap().run().0.steps);
    }
}

/// A divergence is over at the next keyframe, and what is missing is told.
#[test]
fn after_a_gap_the_next_keyframe_counts() {
    let (bytes, node) = three(false, true);
    let trace = Trace::open(&bytes).unwrap();
    let blocks: Vec<_> = trace.blocks().map(Result::unwrap).collect();
    let kinds: Vec<u8> = blocks.iter().map(|b| b.kind).collect();
    assert_eq!(kinds, [1, 2, 3, 2, 3, 2, 3, 2]);
    let part = |i: usize| &bytes[blocks[i].offset..blocks[i].offset + blocks[i].len()];
    let missing = blocks[4].step - blocks[3].step;

    // Without the block, and with a gap in its place.
    for told in [false, true] {
        let mut out = bytes[..blocks[3].offset].to_vec();
        if told {
            block::gap(blocks[3].step, blocks[3].at, missing, &mut out);
        }
        (4..8).for_each(|i| out.extend_from_slice(part(i)));
        let trace = Trace::open(&out).unwrap();
        let (summary, error) = Replay::new(&trace).unwrap().run();
        assert_eq!(error, None);
        // What is missing is missing, also where no gap says so.
        assert_eq!((summary.divergences, summary.gaps, summary.missing), (0, 1, missing), "told: {told}");
        assert_eq!(summary.state_hash, Some(swim_trace::state_hash(&node.snapshot())));
    }
    // Nothing is known of the node before the first keyframe that is left.
    let mut out = bytes[..blocks[1].offset].to_vec();
    (3..8).for_each(|i| out.extend_from_slice(part(i)));
    let (summary, error) = Replay::new(&Trace::open(&out).unwrap()).unwrap().run();
    assert_eq!((error, summary.skipped, summary.divergences), (None, missing, 0));
}

/// The times in a block stand on that of its head, which no digest knows.
#[test]
fn a_block_goes_on_when_the_one_before_has_ended() {
    let (bytes, _) = three(false, true);
    let trace = Trace::open(&bytes).unwrap();
    let blocks: Vec<_> = trace.blocks().map(Result::unwrap).collect();
    for i in [3, 4] {
        let (block, mut out) = (blocks[i], bytes[..blocks[i].offset].to_vec());
        swim_trace::Block { at: block.at.plus_micros(1), ..block }.write(&mut out);
        out.extend_from_slice(&bytes[block.offset + block.len()..]);
        let spoilt = Trace::open(&out).unwrap();
        let (summary, error) = Replay::new(&spoilt).unwrap().run();
        let Some(ReplayError::Trace(e)) = error else { panic!("block {i}: {summary:?}") };
        assert_eq!((e.block, e.offset), (i, block.offset));
    }
}

/// A state that is not the one that was recorded, though all that came out was.
#[test]
fn a_keyframe_that_differs_is_a_divergence() {
    let (bytes, _) = three(false, true);
    let trace = Trace::open(&bytes).unwrap();
    let blocks: Vec<_> = trace.blocks().map(Result::unwrap).collect();
    let snapshot = &bytes[blocks[2].offset + 32..blocks[2].offset + blocks[2].len() - 8];
    let mut other = Node::restore(snapshot).unwrap();
    other.handle(blocks[2].at, swim_core::Input::SendFailed { to: "127.0.0.1:99".parse().unwrap() });
    let digest = u64::from_le_bytes(*bytes[blocks[2].offset + 24..].first_chunk().unwrap());
    let mut out = bytes[..blocks[2].offset].to_vec();
    block::keyframe(blocks[2].step, blocks[2].at, digest, &other.snapshot(), &mut out);
    out.extend_from_slice(&bytes[blocks[3].offset..]);
    let (summary, error) = Replay::new(&Trace::open(&out).unwrap()).unwrap().run();
    let first = summary.first.unwrap();
    assert_eq!((error, first.step, first.in_state_only), (None, blocks[2].step - 1, true));
}

/// The last input may be the one that ended the process.
#[test]
fn a_step_that_was_not_over_is_not_compared() {
    let (_, node) = three(false, false);
    let mut steps = Steps::new(0, Instant::ORIGIN, swim_trace::Digest::default());
    let (at, before) = steps.begin(&node, Instant::from_millis(1));
    assert_eq!((at, before, steps.number()), (Instant::from_millis(1), swim_trace::Digest::default(), 1));
    let (bytes, _) = three(true, false);
    let (summary, _) = Replay::new(&Trace::open(&rewritten(&bytes, |_, i| i)).unwrap()).unwrap().run();
    assert_eq!((summary.unchecked, summary.divergences), (1, 0));
}

#[test]
fn a_config_that_asks_for_too_much_is_refused() {
    let (bytes, node) = three(false, false);
    let mut header = Trace::open(&bytes).unwrap().header().clone();
    header.config.members_max = 1 << 22;
    header.config.members_reserved = 1 << 22;
    header.config.tombstone_ttl *= 2;
    let bytes = Tape::new(&header, &node).finish(&node);
    let refused = Replay::new(&Trace::open(&bytes).unwrap()).unwrap_err();
    assert_eq!(refused, ReplayError::TooLarge { members_reserved: 1 << 22 });
}

/// The state can be written and read back anywhere.
#[test]
fn a_restored_node_goes_on_alike() {
    let (bytes, _) = three(false, false);
    let trace = Trace::open(&bytes).unwrap();
    let mut replay = Replay::new(&trace).unwrap();
    while replay.step().transpose().unwrap().is_some() {
        replay.replace_node(|node| Node::restore(&node.snapshot()).unwrap());
    }
    assert_eq!(replay.summary(), Replay::new(&trace).unwrap().run().0);
    assert_eq!(replay.summary().divergences, 0);
}

/// The node counts it when a clock goes back, and that count is in its snapshot; as are times too far apart for one record.
#[test]
fn any_time_is_replayed_as_it_was() {
    let mut net = util::Net::new(&["a", "b"], false);
    net.join(1, 1);
    net.run(300);
    let util::Taped { node, tape, .. } = &mut net.nodes[0];
    let input = swim_core::Input::SendFailed { to: "127.0.0.1:2".parse().unwrap() };
    for millis in [100, 100, 7_200_000, 200] {
        tape.input(node, Instant::from_millis(millis), &input);
        node.handle(Instant::from_millis(millis), input);
        while let Some(event) = node.poll_event() {
            tape.event(&event);
        }
        assert!(node.poll_transmit(&mut [0; 1_400]).is_none(), "a failed send alone asks for nothing");
    }
    assert_eq!(node.stats().clock_backwards, 3, "less than the latest so far");
    tape.keyframe(node);
    let (bytes, _) = net.end(0);
    let (summary, error) = Replay::new(&Trace::open(&bytes).unwrap()).unwrap().run();
    assert_eq!((summary.divergences, summary.keyframes, error), (0, 1, None), "{:?}", summary.first);
}
