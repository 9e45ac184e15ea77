//! What the tools tell of a run that is known.

use std::ops::ControlFlow;

use crate::util::three;
use swim_core::{Event, Input, Instant, NodeId, State};
use swim_trace::{Replay, Trace, block};
use swim_trace_tools::Filter;
use swim_trace_tools::cat::{Options, Shown, StepShown, cat};
use swim_trace_tools::decode::{InputShown, MESSAGES};
use swim_trace_tools::diff::{In, diff};
use swim_trace_tools::info::info;
use swim_trace_tools::json::EVENTS;
use swim_trace_tools::moment::{MomentError, NotFound, When, find, node_at};
use swim_trace_tools::stats::stats;

fn steps(bytes: &[u8], options: &Options) -> Vec<StepShown> {
    let mut all = Vec::new();
    let (ended, _) = cat(&Trace::open(bytes).unwrap(), options, |shown| {
        if let Shown::Step(step) = shown {
            all.push(*step);
        }
        ControlFlow::<()>::Continue(())
    });
    assert_eq!((ended.trace, ended.replay, ended.shown), (None, None, all.len() as u64));
    all
}

fn filtered(bytes: &[u8], filters: &[&str], outputs: bool) -> Vec<StepShown> {
    let filters = filters.iter().map(|text| text.parse().unwrap()).collect();
    steps(bytes, &Options { filters, outputs, ..Options::default() })
}

#[test]
fn filters_choose_steps() {
    for recorded in [false, true] {
        let (bytes, _) = three(recorded, false);
        let all = steps(&bytes, &Options::default());
        let count = |filters: &[&str]| filtered(&bytes, filters, false).len();
        let (timeouts, datagrams) = (count(&["kind=timeout"]), count(&["kind=datagram"]));
        assert!(timeouts > 20 && datagrams > 20 && timeouts + datagrams == all.len());
        let messages: usize = MESSAGES.iter().map(|name| count(&[&format!("message={name}")])).sum();
        assert_eq!(messages, datagrams);
        assert_eq!(count(&["message=nack"]), 1);
        assert_eq!(count(&["message=nack", "kind=timeout"]), 0, "both must hold");
        assert_eq!(count(&["from=127.0.0.1:2"]) + count(&["from=127.0.0.1:3"]), datagrams);
        assert!(count(&["node=c"]) > count(&["from=127.0.0.1:3"]), "others speak of it as well");
        assert_eq!(count(&["node=c"]), count(&["node=7b8855250f3cde02"]));
        assert_eq!(count(&["node=7b8855"]), count(&["node=c"]));
        assert_eq!(count(&["node=7b"]), 0, "no name, and too few digits");
        // What came out is found whether it was recorded or not, and shown when that is wanted.
        let died = filtered(&bytes, &["event=member_down"], false);
        assert_eq!((died.len(), &died[0].outputs), (1, &None));
        let died = filtered(&bytes, &["event=member_down", "node=c"], true);
        assert_eq!(died[0].outputs.as_ref().unwrap().events[0].name.as_deref(), Some("c"));
        let events: usize = EVENTS.iter().map(|name| count(&[&format!("event={name}")])).sum();
        assert!(events >= 5);
        assert!(filtered(&bytes, &["message=ping"], true).len() > filtered(&bytes, &["message=ping"], false).len());
    }
}

#[test]
fn moments_bound_what_is_shown() {
    let (bytes, _) = three(false, false);
    let all = steps(&bytes, &Options::default());
    let between = |from: &str, until: &str| {
        let (from, until) = (Some(from.parse().unwrap()), Some(until.parse().unwrap()));
        steps(&bytes, &Options { from, until, ..Options::default() })
    };
    assert_eq!(between("@10", "@19")[..], all[10..20]);
    let some = between("1s", "2s");
    assert!(some.len() > 5 && some.iter().all(|step| (1_000_000..=2_000_000).contains(&step.at_us)));
    let enough = cat(&Trace::open(&bytes).unwrap(), &Options::default(), |_| ControlFlow::Break("enough"));
    assert_eq!((enough.0.shown, enough.1), (1, Some("enough")));
}

#[test]
fn unknown_filters_say_what_there_is() {
    let refused = |text: &str| text.parse::<Filter>().unwrap_err();
    assert!(refused("colour=red").contains("there are kind=, message=, from=ADDR, node=NAME or node=ID, event="));
    assert!(
        refused("kind=tick")
            .contains("datagram, timeout, join, seeds, leave, set_profile, broadcast, put, delete, send_failed")
    );
    assert!(refused("message=hello").contains("ping, ack, ping_req") && refused("event=x").contains("member_up"));
    assert!(refused("from=here").contains("192.0.2.7:7946") && refused("node=").contains("node=NAME"));
    for text in ["kind=timeout", "message=ping", "from=[::1]:1", "node=web-1", "event=left"] {
        assert_eq!(text.parse::<Filter>().unwrap().to_string(), text);
    }
}

/// A trace that begins in the middle names the members that the keyframe knows.
#[test]
fn names_come_from_keyframes_too() {
    let (bytes, _) = three(false, true);
    let trace = Trace::open(&bytes).unwrap();
    let blocks: Vec<_> = trace.blocks().map(Result::unwrap).collect();
    let later = [&bytes[..blocks[1].offset], &bytes[blocks[4].offset..]].concat();
    let named = filtered(&later, &["node=b", "kind=datagram"], true);
    let InputShown::Datagram { datagram: first, .. } = &named[0].input else { panic!("{named:?}") };
    assert_eq!(first.frame.as_ref().unwrap().sender.name.as_deref(), Some("b"));
    assert!(named[0].outputs.is_some() && named[0].step >= blocks[4].step);
}

#[test]
fn info_counts_up_to_the_damage() {
    let (mut bytes, _) = three(true, true);
    swim_trace::Index::make(&Trace::open(&bytes).unwrap()).write(&mut bytes);
    let trace = Trace::open(&bytes).unwrap();
    let blocks: Vec<_> = trace.blocks().map(Result::unwrap).collect();
    let whole = info(&trace);
    let replayed = Replay::new(&trace).unwrap().run().0;
    assert_eq!((whole.steps, whole.torn.clone(), whole.damaged.clone()), (replayed.steps, None, None));
    assert_eq!((whole.first_step, whole.last_step), (Some(0), Some(replayed.steps - 1)));
    assert_eq!((whole.from_us, whole.to_us), (Some(5_100), replayed.to.map(Instant::as_micros)));
    assert_eq!((&*whole.name, whole.id.0, &*whole.cluster, whole.epoch), ("a", NodeId::from_name("a"), "c", 1));
    let counts: Vec<_> = whole.blocks.iter().map(|(name, blocks)| (*name, blocks.count)).collect();
    assert_eq!(counts, [("header", 1), ("index", 1), ("keyframe", 3), ("records", 4)]);
    assert_eq!(whole.blocks.values().map(|blocks| blocks.bytes).sum::<usize>() + 16, bytes.len());

    let cut = blocks[7].offset + 40;
    let torn = info(&Trace::open(&bytes[..cut]).unwrap());
    let place = torn.torn.unwrap();
    assert_eq!((place.block, place.offset, place.bytes, torn.damaged), (7, blocks[7].offset, 40, None));
    assert_eq!((torn.steps, torn.blocks["records"].count), (blocks[7].step, 3));

    let mut spoilt = bytes.clone();
    spoilt[blocks[3].offset + 50] ^= 1;
    let damaged = info(&Trace::open(&spoilt).unwrap());
    let place = damaged.damaged.unwrap();
    assert_eq!((place.block, place.offset, &*place.what), (3, blocks[3].offset, "the checksum is wrong"));
    assert_eq!((damaged.steps, damaged.torn), (blocks[3].step, None));

    // The checksum is right, and the content is not.
    let mut out = bytes[..blocks[3].offset].to_vec();
    let mut content = blocks[3].stored.to_vec();
    // The length of the first record.
    content[10] = 0xff;
    swim_trace::Block { stored: &content, ..blocks[3] }.write(&mut out);
    let damaged = info(&Trace::open(&out).unwrap());
    assert_eq!(damaged.damaged.unwrap().what, "the content contradicts the format: a record is longer than its block");

    let mut gap = bytes[..blocks[2].offset].to_vec();
    block::gap(blocks[2].step, blocks[2].at, 9, &mut gap);
    let gaps = info(&Trace::open(&gap).unwrap()).gaps;
    assert_eq!((gaps.len(), gaps[0].step, gaps[0].missing), (1, blocks[2].step, 9));
}

#[test]
fn stats_are_the_nodes_own() {
    for recorded in [false, true] {
        let (bytes, node) = three(recorded, true);
        let stats = stats(&Trace::open(&bytes).unwrap());
        let own = node.stats();
        let sum = |map: &std::collections::BTreeMap<&str, swim_trace_tools::stats::Traffic>| {
            map.values().fold((0, 0), |sum, one| (sum.0 + one.datagrams, sum.1 + one.bytes))
        };
        assert_eq!(sum(&stats.received), (own.datagrams_received, own.bytes_received));
        assert_eq!(sum(&stats.sent), (own.datagrams_sent, own.bytes_sent));
        assert_eq!(stats.received_from.values().map(|one| one.datagrams).sum::<u64>(), own.datagrams_received);
        assert_eq!(stats.inputs.values().sum::<u64>(), stats.replayed);
        assert_eq!((stats.inputs["datagram"], stats.events["member_down"]), (own.datagrams_received, 1));
        assert_eq!((stats.counters["probes"], stats.counters.get("refutations")), (own.probes, None));
        let hour = stats.per_hour.unwrap();
        let wanted = own.datagrams_sent as f64 * 3.6e9 / stats.duration_us as f64;
        assert!((hour.datagrams_sent - wanted).abs() < 1e-6 && stats.duration_us > 7_000_000);
        let last = info(&Trace::open(&bytes).unwrap()).to_us.unwrap();
        assert_eq!(stats.duration_us, last - 5_000, "from the node's construction on");
        assert_eq!((stats.trace_error, stats.replay_error), (None, None));
    }
}

#[test]
fn a_difference_is_found_where_it_is() {
    let (a, _) = three(false, false);
    let (recorded, _) = three(true, true);
    let open = |bytes| Trace::open(bytes).unwrap();
    let alike = diff(&open(&a), &open(&recorded));
    assert!(alike.is_same() && alike.same_steps > 100);
    assert_eq!(alike.header.iter().map(|field| &*field.field).collect::<Vec<_>>(), ["outputs"]);

    // One begins later, and one ends earlier.
    let blocks: Vec<_> = Trace::open(&recorded).unwrap().blocks().map(Result::unwrap).collect();
    let later = [&recorded[..blocks[1].offset], &recorded[blocks[2].offset..]].concat();
    let alike_later = diff(&open(&later), &open(&recorded));
    assert!(alike_later.is_same());
    assert_eq!((alike_later.skipped, alike_later.skipped + alike_later.same_steps), (blocks[2].step, alike.same_steps));
    let shorter = diff(&open(&recorded[..blocks[7].offset]), &open(&recorded)).first.unwrap();
    assert_eq!((shorter.step, shorter.differs_in, shorter.a), (blocks[7].step, In::End, None));

    // Not when the rest of it cannot be read.
    let torn = diff(&open(&recorded[..recorded.len() - 1]), &open(&recorded));
    assert!(torn.is_same() && torn.error_a.is_some_and(|e| e.is_torn()));
}

/// The same inputs to nodes of other seeds and other configurations.
#[test]
fn what_comes_out_is_compared_by_the_digests() {
    for outputs in [false, true] {
        let run = |seed: u64| {
            let id = swim_core::Identity {
                id: NodeId::new(1),
                addr: "127.0.0.1:1".parse().unwrap(),
                epoch: 1,
                profile: swim_core::Profile::new("a", b"").unwrap(),
            };
            let config = swim_core::Config::local("c");
            let now = Instant::ORIGIN;
            let mut node = swim_core::Node::new(id.clone(), config.clone(), seed, now).unwrap();
            let mut header = swim_trace::Header::new(&id, &config, seed, now);
            header.outputs = outputs;
            let mut tape = swim_trace::Tape::new(&header, &node);
            let seeds = ["127.0.0.1:2".parse().unwrap()];
            let mut buffer = [0; 1_400];
            let join = Input::Command(swim_core::Command::Join(&seeds));
            for (at, input) in [(1, Input::SendBlocked), (2, join), (3, Input::SendResumed)] {
                let at = Instant::from_millis(at);
                tape.input(&node, at, &input);
                node.handle(at, input);
                while let Some(tx) = node.poll_transmit(&mut buffer) {
                    tape.sent(tx.to, &buffer[..tx.len]);
                }
                while let Some(event) = node.poll_event() {
                    tape.event(&event);
                }
            }
            tape.finish(&node)
        };
        let (a, b) = (run(1), run(2));
        let found = diff(&Trace::open(&a).unwrap(), &Trace::open(&b).unwrap());
        assert_eq!(found.header[0].field, "rng_seed");
        let first = found.first.unwrap();
        assert_eq!((first.differs_in, first.step), (In::Output, 1), "outputs {outputs}");
        let (a, b) = (first.a.unwrap(), first.b.unwrap());
        assert_eq!((a.input.clone(), a.recorded, b.recorded), (b.input, outputs, outputs));
        assert!(a.outputs.is_some() && b.outputs.is_some());
    }
}

/// Of the last step the digest behind the block tells, or what was recorded where that step was not over.
#[test]
fn the_last_step_is_compared_as_well() {
    for (outputs, open, found) in [(false, false, true), (false, true, false), (true, true, true)] {
        let one = |frame: &[u8]| {
            let (bytes, _) = three(outputs, false);
            let mut out = Vec::new();
            block::start(Trace::open(&bytes).unwrap().header(), &mut out);
            let mut builder = block::Builder::new(0, Instant::from_millis(5), Vec::new());
            builder.input(Instant::from_millis(6), 0, &Input::Timeout);
            if outputs {
                builder.sent("127.0.0.1:9".parse().unwrap(), frame);
            }
            let digest = if open { 0 } else { u64::from(frame[0]) };
            block::finish(&if open { builder.seal_open(digest) } else { builder.seal(digest) }, &mut out);
            out
        };
        let (a, b) = (one(b"x"), one(b"y"));
        let first = diff(&Trace::open(&a).unwrap(), &Trace::open(&b).unwrap()).first;
        assert_eq!(first.map(|first| (first.step, first.differs_in)), found.then_some((0, In::Output)));
    }
}

#[test]
fn a_moment_is_the_state_behind_its_last_step() {
    let (bytes, _) = three(false, true);
    let trace = Trace::open(&bytes).unwrap();
    let mut replay = Replay::new(&trace).unwrap();
    let mut suspected = None;
    while let Some(step) = replay.step() {
        let step = step.unwrap();
        if step.outputs.events().iter().any(|event| matches!(event, Event::MemberSuspect { .. })) {
            suspected = Some((step.number, step.at));
        }
    }
    let (number, at) = suspected.expect("one of three falls silent");
    let state = |when| {
        let moment = node_at(&trace, when).unwrap();
        assert_eq!(moment.damage, None);
        let node = moment.replay.node().unwrap();
        (moment.step, node.member(find(node, "c").unwrap()).unwrap().state())
    };
    assert_eq!(state(When::Step(number)), (number, State::Suspect));
    assert_eq!(state(When::Step(number - 1)), (number - 1, State::Alive));
    assert_eq!(state(When::At(at)).1, State::Suspect);
    assert_eq!(state(When::At(at.minus_micros(1))).1, State::Alive);
    assert_eq!(state(When::At(Instant::NEVER)).1, State::Dead);
    let early = node_at(&trace, When::At(Instant::ORIGIN)).unwrap_err();
    assert_eq!(early, MomentError::TooEarly { first: Some(Instant::from_micros(5_100)) });

    let moment = node_at(&trace, When::Step(number)).unwrap();
    let node = moment.replay.node().unwrap();
    let c = NodeId::from_name("c");
    for text in ["127.0.0.1:3", &c.to_string(), &c.to_string()[..4]] {
        assert_eq!(find(node, text), Ok(c), "{text}");
    }
    assert!(matches!(find(node, "zz"), Err(NotFound::Nobody { names }) if names.len() == 3));
    assert!(matches!(find(node, ""), Err(NotFound::Nobody { .. })));
}

#[test]
fn a_moment_behind_a_gap_is_not_known() {
    let (bytes, _) = three(false, true);
    let trace = Trace::open(&bytes).unwrap();
    let blocks: Vec<_> = trace.blocks().map(Result::unwrap).collect();
    let broken = [&bytes[..blocks[3].offset], &bytes[blocks[5].offset..]].concat();
    let trace = Trace::open(&broken).unwrap();
    assert!(node_at(&trace, When::Step(blocks[3].step - 1)).is_ok());
    let behind = node_at(&trace, When::Step(blocks[5].step)).unwrap_err();
    assert_eq!(behind, MomentError::Unknown { step: blocks[5].step });
    assert!(node_at(&trace, When::Step(blocks[7].step)).is_ok(), "the next keyframe tells again");
    // What is wrong behind the moment does not count.
    let torn = Trace::open(&broken[..broken.len() - 1]).unwrap();
    assert_eq!(node_at(&torn, When::Step(blocks[5].step)).unwrap_err(), behind);
    // What is wrong before it is told with what is known.
    let torn = Trace::open(&bytes[..bytes.len() - 1]).unwrap();
    let late = node_at(&torn, When::At(Instant::NEVER)).unwrap();
    assert_eq!((late.step, late.damage.is_some_and(|e| e.is_torn())), (blocks[7].step - 1, true));
    assert_eq!(node_at(&torn, When::Step(late.step)).unwrap().damage, None);
}

/// Bytes that contradict the format behind checksums that are right: every tool says something, and none panics.
#[test]
fn hostile_content_is_borne() {
    let (mut bytes, _) = three(true, true);
    swim_trace::Index::make(&Trace::open(&bytes).unwrap()).write(&mut bytes);
    let whole = Trace::open(&bytes).unwrap();
    let blocks: Vec<_> = whole.blocks().map(Result::unwrap).collect();
    let payload: usize = blocks.iter().map(|block| block.stored.len()).sum();
    let (mut opened, mut damaged, mut diverged) = (0, 0, 0);
    let (step, least) = if cfg!(debug_assertions) { (149, (90, 1, 12)) } else { (47, (150, 2, 25)) };
    for n in (0..payload).step_by(step) {
        let mut spoilt = bytes[..16].to_vec();
        let mut before = 0;
        for block in &blocks {
            let mut stored = block.stored.to_vec();
            if let Some(byte) = n.checked_sub(before).and_then(|at| stored.get_mut(at)) {
                *byte ^= 1 << (n % 8);
            }
            before += stored.len();
            swim_trace::Block { stored: &stored, ..*block }.write(&mut spoilt);
        }
        let Ok(trace) = Trace::open(&spoilt) else { continue };
        opened += 1;
        damaged += usize::from(info(&trace).damaged.is_some());
        let _ = stats(&trace);
        diverged += usize::from(!diff(&trace, &whole).is_same());
        let _ = node_at(&trace, When::At(Instant::from_millis(6_000)));
        let options = Options { outputs: true, ..Options::default() };
        let _ = cat(&trace, &options, |shown| {
            let _ = serde_json::to_string(&shown).unwrap();
            ControlFlow::<()>::Continue(())
        });
        let mut lines = Vec::new();
        let _ = swim_trace_tools::jsonl::to_jsonl(&trace, &mut lines).unwrap();
        assert_eq!(swim_trace_tools::jsonl::from_jsonl(&lines).unwrap(), spoilt);
    }
    assert!(
        opened > least.0 && damaged > least.1 && diverged > least.2,
        "{opened} opened, {damaged} damaged, {diverged} diverged"
    );
}

/// Times and steps at the ends of their numbers.
#[test]
fn the_largest_numbers_are_borne() {
    let (bytes, _) = three(false, false);
    let mut out = Vec::new();
    let mut header = Trace::open(&bytes).unwrap().header().clone();
    header.unix_micros = u64::MAX;
    block::start(&header, &mut out);
    let mut builder = block::Builder::new(u64::MAX - 1, Instant::NEVER, Vec::new());
    builder.input(Instant::NEVER, 0, &Input::Timeout);
    builder.input(Instant::NEVER, 0, &Input::Timeout);
    block::finish(&builder.seal(0), &mut out);
    block::gap(u64::MAX, Instant::NEVER, u64::MAX, &mut out);
    block::gap(u64::MAX, Instant::NEVER, u64::MAX, &mut out);
    let trace = Trace::open(&out).unwrap();
    let told = info(&trace);
    assert_eq!((told.steps, told.last_step), (1, Some(u64::MAX - 1)));
    assert!(told.damaged.is_some_and(|at| at.what.contains("the number of a step")));
    let _ = (stats(&trace), diff(&trace, &trace), node_at(&trace, When::Step(u64::MAX)));
    let (ended, _) = cat(&trace, &Options { outputs: true, ..Options::default() }, |_| ControlFlow::<()>::Continue(()));
    assert_eq!(ended.shown, 1);
}
