//! Traces that are made smaller still show what they showed, with nothing in them that could be left out.

use crate::util::{Net, Taped, three};
use swim_core::{Command, Input, Instant, Node, NodeId, State};
use swim_trace::{Header, Item, Outputs, Recorded, Replay, Trace, block};
use swim_trace_tools::shrink::{Predicate, ShrinkError, Shrunk, TRIES, shrink};

fn predicates(texts: &[&str]) -> Vec<Predicate> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn shrunk(bytes: &[u8], texts: &[&str]) -> Shrunk {
    shrink(&Trace::open(bytes).unwrap(), &predicates(texts), TRIES, false).unwrap()
}

type Inputs = Vec<(Instant, Recorded<'static>)>;

/// What a trace without gaps begins with, and all inputs.
fn parts(bytes: &[u8]) -> (Header, Node, Inputs) {
    let trace = Trace::open(bytes).unwrap();
    let mut node = trace.header().node().map(Result::unwrap);
    let (mut cursor, mut inputs) = (trace.cursor(), Vec::new());
    while let Some(item) = cursor.next() {
        match item.unwrap() {
            Item::Keyframe { snapshot, .. } if inputs.is_empty() => node = Some(Node::restore(snapshot).unwrap()),
            Item::Input { at, input, .. } => inputs.push((at, input.into_owned())),
            _ => {}
        }
    }
    (trace.header().clone(), node.expect("it begins somewhere"), inputs)
}

/// Does it show this in some step, played by hand?
fn shows(node: &Node, inputs: &[(Instant, Recorded<'static>)], what: impl Fn(&Outputs, &Node) -> bool) -> bool {
    let (mut node, mut buffer) = (node.clone(), [0; 1_400]);
    inputs.iter().any(|(at, input)| {
        let mut outputs = Outputs::default();
        node.handle(*at, input.as_input());
        while let Some(sent) = node.poll_transmit(&mut buffer) {
            outputs.push_sent(sent.to, &buffer[..sent.len]);
        }
        while let Some(event) = node.poll_event() {
            outputs.push_event(event);
        }
        what(&outputs, &node)
    })
}

/// Every input is needed, and the trace replays.
fn check(shrunk: &Shrunk, what: impl Fn(&Outputs, &Node) -> bool) -> Inputs {
    let (header, node, inputs) = parts(&shrunk.bytes);
    assert_eq!((shrunk.inputs, shrunk.minimal, header.outputs), (inputs.len(), true, true));
    assert!(shows(&node, &inputs, &what), "it still does");
    for i in 0..inputs.len() {
        let less = [&inputs[..i], &inputs[i + 1..]].concat();
        assert!(!shows(&node, &less, &what), "input {i} is not needed: {:?}", inputs[i]);
    }
    let (summary, error) = Replay::new(&Trace::open(&shrunk.bytes).unwrap()).unwrap().run();
    assert_eq!((summary.divergences, summary.unchecked, summary.steps, error), (0, 0, inputs.len() as u64, None));
    assert!(inputs.iter().all(|(at, _)| at.as_micros() % 1_000 == 0), "times are whole milliseconds: {inputs:?}");
    inputs
}

fn down(name: &'static str) -> impl Fn(&Outputs, &Node) -> bool {
    move |outputs, _| {
        let id = NodeId::from_name(name);
        outputs.events().iter().any(|e| matches!(e, swim_core::Event::MemberDown { id: who, .. } if *who == id))
    }
}

#[test]
fn a_death_takes_few_inputs() {
    let (bytes, _) = three(false, false);
    let before = parts(&bytes).2.len();
    let shrunk = shrunk(&bytes, &["event=member_down:c"]);
    let inputs = check(&shrunk, down("c"));
    assert_eq!((shrunk.inputs_before, shrunk.keyframe), (before, None));
    assert!(before > 100 && inputs.len() <= 6, "{} of {before}: {inputs:#?}", inputs.len());
    assert!(shrunk.tries > 10 && shrunk.tries < TRIES, "{}", shrunk.tries);
}

/// By name, by id, about anybody.
#[test]
fn members_are_named_in_two_ways() {
    let (bytes, _) = three(false, false);
    let id = NodeId::from_name("c").to_string();
    let sizes = ["event=member_down:c".to_owned(), format!("event=member_down:{id}"), "event=member_down".into()]
        .map(|text| shrunk(&bytes, &[&text]).inputs);
    assert_eq!([sizes[0]; 2], sizes[1..]);
}

/// From the last keyframe that will do, or from none.
#[test]
fn the_last_keyframe_comes_first() {
    let (bytes, _) = three(false, true);
    let trace = Trace::open(&bytes).unwrap();
    let keyframes: Vec<u64> = trace.blocks().map(Result::unwrap).filter(|b| b.kind == 3).map(|b| b.step).collect();
    // The second of three is the one before which c falls silent; before the last it is dead.
    let from_keyframe = shrunk(&bytes, &["event=member_down:c"]);
    assert_eq!((from_keyframe.keyframe, keyframes.len()), (Some(keyframes[1]), 3));
    check(&from_keyframe, down("c"));
    let constructed = shrink(&trace, &predicates(&["event=member_down:c"]), TRIES, true).unwrap();
    assert_eq!(constructed.keyframe, None);
    check(&constructed, down("c"));
    assert!(!Trace::open(&constructed.bytes).unwrap().blocks().any(|b| b.unwrap().kind == 3));
    // What holds at a keyframe already, is not shown by it.
    let state = shrunk(&bytes, &["state=c:dead"]);
    assert_eq!(state.keyframe, Some(keyframes[1]));
    check(&state, |_, node| node.member(NodeId::from_name("c")).is_some_and(|row| row.state() == State::Dead));
    // Without what comes before it, a part of a trace begins with its first keyframe.
    let header = trace.blocks().next().unwrap().unwrap().len() + 16;
    let second = trace.blocks().map(Result::unwrap).find(|b| b.kind == 3).unwrap().offset;
    let part = [&bytes[..header], &bytes[second..]].concat();
    assert_eq!(shrunk(&part, &["event=member_down:c"]).keyframe, Some(keyframes[1]));
}

#[test]
fn messages_and_several_at_once() {
    let (bytes, _) = three(true, false);
    let asks = |outputs: &Outputs, _: &Node| {
        outputs.sent().any(|(_, frame)| {
            let frame = swim_core::wire::Frame::parse(frame).unwrap();
            matches!(frame.message, Some(swim_core::wire::Message::PingReq { .. }))
        })
    };
    let one = shrunk(&bytes, &["sent=ping_req"]);
    check(&one, asks);
    let both = shrunk(&bytes, &["sent=ping_req", "event=member_down:c"]);
    assert!(both.minimal && both.inputs > one.inputs);
    let (_, node, inputs) = parts(&both.bytes);
    assert!(shows(&node, &inputs, asks) && shows(&node, &inputs, down("c")));
}

/// What is in an input is needed, too: of many addresses one, of many items those.
#[test]
fn inputs_become_smaller() {
    let mut net = Net::new(&["a", "b", "c", "d"], false);
    let seeds: Vec<_> = (2..30).map(|i| ([127, 0, 0, 1], i).into()).collect();
    net.give(0, Input::Command(Command::Join(&seeds)));
    (2..4).for_each(|i| net.join(i, 2));
    net.run(2_000);
    let (bytes, _) = net.end(0);
    let joined = shrunk(&bytes, &["event=joined"]);
    let inputs =
        check(&joined, |outputs, _| outputs.events().iter().any(|e| matches!(e, swim_core::Event::Joined { .. })));
    assert!(inputs.iter().any(|(_, input)| matches!(input, Recorded::Join(seeds) if seeds.len() <= 1)), "{inputs:?}");
    let up = shrunk(&bytes, &["event=member_up:d"]);
    let inputs = check(&up, |outputs, _| {
        let id = NodeId::from_name("d");
        outputs.events().iter().any(|e| matches!(e, swim_core::Event::MemberUp { id: who, .. } if *who == id))
    });
    for (_, input) in &inputs {
        let Recorded::Datagram { bytes, .. } = input else { continue };
        let frame = swim_core::wire::Frame::parse(bytes).unwrap();
        assert!(frame.updates().count() + frame.rows().count() <= 1, "{inputs:#?}");
    }
}

#[test]
fn what_is_not_shown_is_said() {
    let (bytes, _) = three(false, true);
    let trace = Trace::open(&bytes).unwrap();
    for text in ["event=left", "event=member_down:b", "state=c:alive", "sent=push", "panic", "divergence"] {
        let refused = shrink(&trace, &predicates(&["sent=ping", text]), TRIES, false).unwrap_err();
        assert_eq!(refused, ShrinkError::NotShown(text.parse().unwrap()));
        assert_eq!(refused.to_string(), format!("the trace does not show {text}"));
    }
    assert_eq!(shrink(&trace, &[], TRIES, false).unwrap_err(), ShrinkError::NoPredicate);
    // Each on one side of a gap.
    let blocks: Vec<_> = trace.blocks().map(Result::unwrap).collect();
    let mut out = bytes[..blocks[2].offset].to_vec();
    block::gap(blocks[2].step, blocks[2].at, blocks[4].step - blocks[2].step, &mut out);
    out.extend_from_slice(&bytes[blocks[4].offset..]);
    let trace = Trace::open(&out).unwrap();
    let refused = shrink(&trace, &predicates(&["event=member_up:b", "event=member_down:c"]), TRIES, false).unwrap_err();
    assert_eq!(refused, ShrinkError::NotTogether);
}

/// When the tries are used up, that is said, and what was found so far still shows it.
#[test]
fn tries_are_bounded() {
    let (bytes, _) = three(false, false);
    let trace = Trace::open(&bytes).unwrap();
    let mut before = usize::MAX;
    for tries in [0, 12, 40] {
        let shrunk = shrink(&trace, &predicates(&["event=member_down:c"]), tries, false).unwrap();
        assert_eq!((shrunk.tries, shrunk.minimal), (tries, false));
        let (_, node, inputs) = parts(&shrunk.bytes);
        assert!(shows(&node, &inputs, down("c")) && inputs.len() < before);
        before = inputs.len();
    }
}

/// The trace of a build that was another one from some step on: another answer was recorded.
fn of_another_build(keyframes: bool) -> (Vec<u8>, u64) {
    let mut net = Net::new(&["a", "b", "c"], true);
    (1..3).for_each(|i| net.join(i, 1));
    for round in 0..6 {
        net.run(400);
        if keyframes {
            let Taped { node, tape, .. } = &mut net.nodes[0];
            tape.keyframe(node);
        }
        if round == 4 {
            // The build that was recorded told somebody something here that this one does not tell.
            net.nodes[0].tape.sent("127.0.0.1:2".parse().unwrap(), b"said by another build");
        }
    }
    let (bytes, _) = net.end(0);
    let first = Replay::new(&Trace::open(&bytes).unwrap()).unwrap().run().0.first.unwrap();
    (bytes, first.step)
}

#[test]
fn a_divergence_is_cut_out_as_it_was_recorded() {
    for keyframes in [false, true] {
        let (bytes, step) = of_another_build(keyframes);
        let was = Replay::new(&Trace::open(&bytes).unwrap()).unwrap().run().0.first.unwrap();
        let shrunk = shrunk(&bytes, &["divergence"]);
        let trace = Trace::open(&shrunk.bytes).unwrap();
        let (summary, error) = Replay::new(&trace).unwrap().run();
        assert_eq!((error, summary.divergences, summary.first.as_ref().map(|f| f.step)), (None, 1, Some(step)));
        assert_eq!(*summary.first.unwrap(), *was, "both sides are what they were");
        assert!(!shrunk.minimal && shrunk.inputs < shrunk.inputs_before);
        assert_eq!(shrunk.keyframe.is_some(), keyframes);
        // Up to the step, and the check behind it.
        let last = parts_of(&trace);
        assert!(last == step || last == step + 1, "{last}: {step}");
    }
}

/// The number of the last input.
fn parts_of(trace: &Trace<'_>) -> u64 {
    let (mut cursor, mut last) = (trace.cursor(), 0);
    while let Some(item) = cursor.next() {
        if let Item::Input { step, .. } = item.unwrap() {
            last = step;
        }
    }
    last
}
