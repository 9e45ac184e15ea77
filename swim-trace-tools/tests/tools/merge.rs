//! Traces of nodes whose clocks differ become one story: what was sent is matched with what was received, and the clocks are found.

use std::collections::BTreeMap;

use crate::util::skewed::{Truth, World};
use swim_core::{Config, Event, Identity, Input, Instant, Node, NodeId, Profile};
use swim_trace::{Header, Tape, Trace, block};
use swim_trace_tools::export::{perfetto, shiviz};
use swim_trace_tools::json::event_name;
use swim_trace_tools::merge::{ClockFrom, Fate, MergeError, Story, TRACES_MAX, merge};

/// Some nodes, of which the second restarts. Nothing is lost when one has just begun or is about to end: nobody can tell then
/// whether it was there to hear.
fn world(seed: u64, change: impl FnOnce(&mut World)) -> World {
    let mut world = World::new(seed);
    change(&mut world);
    let faults = (world.lose, world.double);
    let calm = |world: &mut World, millis| {
        (world.lose, world.double) = (0, 0);
        world.run(millis);
        (world.lose, world.double) = faults;
    };
    let aheads = [7_000_000, 0, 3_600_000_000, 123_456 + seed * 1_000];
    for (i, name) in ["a", "b", "c", "d"].iter().enumerate() {
        world.start(name, i as u16 + 1, 1, aheads[i]);
        calm(&mut world, 100);
        if i > 0 {
            world.join(i, 0);
        }
    }
    world.run(2_500);
    calm(&mut world, 200);
    world.kill(1);
    world.run(1_500);
    let again = world.start("b", 2, 2, 55_000);
    calm(&mut world, 100);
    world.join(again, 2);
    world.run(2_000);
    calm(&mut world, 3_000);
    world
}

fn story(traces: &[Vec<u8>]) -> Story {
    let traces: Vec<Trace<'_>> = traces.iter().map(|bytes| Trace::open(bytes).unwrap()).collect();
    merge(&traces).unwrap()
}

/// The clocks are where they are within what is claimed, and nothing comes before what caused it.
fn clocks_are_right(world: &World, story: &Story) {
    for (row, life) in story.nodes.iter().zip(&world.lives) {
        let truly = world.lives[0].ahead as i64 - life.ahead as i64;
        let bound = row.bound_us.expect("all have exchanged datagrams");
        assert!((row.offset_us - truly).abs() <= bound, "{}: {} ± {bound}, truly {truly}", row.name, row.offset_us);
        assert!(bound < 10_000, "{}: a bound of {bound} says nothing", row.name);
    }
    assert_eq!(story.clocks_apart_us, 0);
    let slack = 2 * story.nodes.iter().filter_map(|row| row.bound_us).max().unwrap();
    assert!(story.timeline.windows(2).all(|pair| pair[0].at_us <= pair[1].at_us + slack), "it goes by time");
    assert!(story.nodes[1..].iter().all(|row| row.clock == ClockFrom::Datagrams));
    for datagram in &story.datagrams {
        let (Some(received), Some(took)) = (datagram.received, datagram.one_way_us) else { continue };
        let bound = |life: usize| story.nodes[life].bound_us.unwrap_or(0);
        assert!(datagram.sent < received);
        assert!(took >= -bound(datagram.from) - bound(story.timeline[received].node), "{datagram:?}");
    }
}

/// What the merge says of each datagram, and what it was: how many were received, lost, received twice, and twins.
///
/// Twins, equal bytes to one receiver that were under way at once, cannot be told apart: only their sum counts.
fn compare(world: &World, story: &Story) -> (u64, u64, u64, usize) {
    let mut said = BTreeMap::new();
    for moment in &story.timeline {
        said.extend(moment.sent.iter().enumerate().map(|(nth, &i)| ((moment.node, moment.step, nth), i)));
    }
    assert_eq!(said.len(), world.truth.len());
    let of = |truth: &Truth| &story.datagrams[said[&(truth.from.0, truth.from.1, truth.from.3)]];
    let mut groups: BTreeMap<(usize, usize, u16), Vec<u64>> = BTreeMap::new();
    let group = |truth: &Truth| (truth.from.0, of(truth).frame, truth.to.port() % 1_000);
    for truth in &world.truth {
        groups.entry(group(truth)).or_default().push(truth.from.2);
    }
    let (mut matched, mut lost, mut copies, mut twins) = (0, 0, 0, 0);
    for truth in &world.truth {
        let at = truth.from.2;
        let is_twin = groups[&group(truth)].iter().filter(|other| other.abs_diff(at) < 15_000).count() > 1;
        let first = truth.received.first().map(|&(life, step, _)| (life, step));
        let fate = match first {
            Some(_) => Fate::Received,
            None if truth.lost && truth.to_running => Fate::Lost,
            // To a process that had ended, or on the way at the end.
            None => Fate::NotTraced,
        };
        let found = of(truth);
        let received = found.received.map(|r| (story.timeline[r].node, story.timeline[r].step));
        assert!(is_twin || (received, found.fate) == (first, fate), "{truth:?}: {found:?}");
        matched += u64::from(fate == Fate::Received);
        lost += u64::from(fate == Fate::Lost);
        copies += truth.received.len().saturating_sub(1) as u64;
        twins += usize::from(is_twin);
    }
    (matched, lost, copies, twins)
}

#[test]
fn offsets_lie_within_their_bounds_and_every_datagram_finds_its_sending() {
    let (mut lost_of_all, mut copies_of_all) = (0, 0);
    for seed in 0..24 {
        let mut world = world(seed, |world| {
            (world.lose, world.double) = ([0, 50, 200][seed as usize % 3], [0, 30][seed as usize % 2]);
        });
        let story = story(&world.traces());
        clocks_are_right(&world, &story);
        let (matched, lost, copies, twins) = compare(&world, &story);
        assert!(twins * 10 < world.truth.len(), "{twins} say nothing");
        let totals = story.totals;
        assert_eq!((totals.matched, totals.lost, totals.copies), (matched, lost, copies), "seed {seed}");
        assert_eq!((totals.unexplained, totals.from_untraced, totals.to_untraced), (0, 0, 0));
        assert_eq!(totals.received, matched + copies);
        assert!(matched > 300);
        (lost_of_all, copies_of_all) = (lost_of_all + lost, copies_of_all + copies);
    }
    assert!(lost_of_all > 500 && copies_of_all > 100, "{lost_of_all} lost, {copies_of_all} copies");
}

#[test]
fn where_addresses_do_not_fit_bytes_do() {
    let mut world = world(3, |world| (world.behind_nat, world.lose) = (Some(2), 100));
    let story = story(&world.traces());
    clocks_are_right(&world, &story);
    let (matched, lost, copies, twins) = compare(&world, &story);
    assert!(twins * 10 < world.truth.len(), "{twins} say nothing");
    assert_eq!((story.totals.matched, story.totals.lost, story.totals.copies), (matched, lost, copies));
    let through_nat = story.timeline.iter().filter(|m| m.origin.is_some_and(|o| o.from.port() > 1_000)).count();
    assert!(through_nat > 50 && story.totals.from_untraced == 0);
}

/// Where nothing can be told apart, and an address is that of nobody known, equal bytes are all there is.
#[test]
fn without_addresses_and_clocks_there_are_the_bytes() {
    let mut world = World::new(7);
    (world.behind_nat, world.unix, world.double) = (Some(1), true, 1_000);
    world.start("a", 1, 1, 0);
    world.start("b", 2, 1, 40_000_000);
    world.run(50);
    world.join(1, 0);
    world.run(3_000);
    let story = story(&world.traces());
    assert_eq!(story.nodes[1].clock, ClockFrom::UnixMicros);
    let (matched, lost, copies, _) = compare(&world, &story);
    assert_eq!((story.totals.matched, story.totals.lost, story.totals.copies), (matched, lost, copies));
    let translated = story.datagrams.iter().filter(|d| d.to.port() == 1_002);
    assert!(copies > 50 && translated.filter(|d| d.fate == Fate::Received).count() > 0);
}

#[test]
fn lives_of_one_node_are_rows_of_their_own() {
    let mut world = world(1, |_| ());
    let story = story(&world.traces());
    let rows: Vec<(&str, u32)> = story.nodes.iter().map(|row| (&*row.name, row.epoch)).collect();
    assert_eq!(rows, [("a", 1), ("b", 1), ("c", 1), ("d", 1), ("b", 2)]);
    assert!(story.totals.to_not_traced > 0, "the first life was sent to when it was over");
    let died = story.timeline.iter().filter(|m| m.node != 1).flat_map(|m| &m.events);
    assert_eq!(died.filter(|told| matches!(told.event, Event::MemberDown { .. })).count(), 3);
}

/// Of what causes what: a death comes from the suspicion, that from the ping.
#[test]
fn time_outs_say_what_led_to_them() {
    let mut world = world(1, |_| ());
    let story = story(&world.traces());
    let by = |event: &str| {
        let found = story.timeline.iter().filter(|m| m.input == "timeout");
        found.filter(|m| m.events.iter().any(|told| event_name(&told.event) == event)).collect::<Vec<_>>()
    };
    let (suspected, died) = (by("member_suspect"), by("member_down"));
    assert!(!suspected.is_empty() && !died.is_empty());
    for moment in suspected {
        let ping = &story.timeline[moment.because.expect("a probe failed")];
        assert!(ping.at_us < moment.at_us && ping.node == moment.node);
        assert!(ping.sent.iter().any(|&i| story.frames[story.datagrams[i].frame].message() == "ping"));
    }
    for moment in died {
        let suspicion = &story.timeline[moment.because.expect("it was suspected")];
        assert!(
            suspicion.node == moment.node
                && suspicion.events.iter().any(|told| matches!(told.event, Event::MemberSuspect { .. }))
        );
    }
}

#[test]
fn without_datagrams_the_time_of_day_counts() {
    let mut world = World::new(1);
    world.unix = true;
    for (i, ahead) in [5_000, 9_000_000].into_iter().enumerate() {
        world.start(&format!("n{i}"), i as u16 + 1, 1, ahead);
        world.now += 250_000;
    }
    world.run(1_000);
    let traces = world.traces();
    let told = story(&traces);
    let row = &told.nodes[1];
    assert_eq!((row.clock, row.offset_us, row.bound_us), (ClockFrom::UnixMicros, 5_000 - 9_000_000, None));
    // And from nothing comes nothing.
    let mut world = World::new(1);
    world.start("x", 1, 1, 0);
    world.start("y", 2, 1, 77);
    let told = story(&world.traces());
    assert_eq!((told.nodes[1].clock, told.nodes[1].offset_us), (ClockFrom::Nothing, 0));
}

/// Clocks that do not run equally fast are told, and nothing comes before what caused it all the same.
#[test]
fn clocks_that_drift_are_told() {
    let mut world = World::new(5);
    world.delay = (200, 400);
    world.start("a", 1, 1, 0);
    world.start("b", 2, 1, 1_000_000);
    world.join(1, 0);
    for _ in 0..20 {
        world.run(500);
        world.lives[1].ahead += 500;
    }
    let story = story(&world.traces());
    // The clock went from 1 s to 1.01 s.
    let row = &story.nodes[1];
    assert!(story.clocks_apart_us > 3_000, "{}", story.clocks_apart_us);
    assert!((row.offset_us + 1_005_000).abs() < row.bound_us.unwrap() && row.bound_us.unwrap() < 20_000, "{row:?}");
    assert!(story.datagrams.iter().all(|d| d.received.is_none_or(|received| d.sent < received)));
}

/// Two dumps of one ring are one life; what is missing in both is told.
#[test]
fn traces_of_one_life_are_joined() {
    let mut world = World::new(2);
    world.start("a", 1, 1, 0);
    world.start("b", 2, 1, 10);
    world.join(1, 0);
    for _ in 0..4 {
        world.run(1_000);
        world.keyframe(1);
    }
    world.run(1_000);
    let traces = world.traces();
    let whole = story(&traces);
    let trace = Trace::open(&traces[1]).unwrap();
    let blocks: Vec<_> = trace.blocks().map(Result::unwrap).collect();
    let kinds: Vec<u8> = blocks.iter().map(|b| b.kind).collect();
    assert_eq!(kinds, [1, 2, 3, 2, 3, 2, 3, 2, 3, 2]);
    let without = |missing: &[usize]| {
        let mut bytes = traces[1][..blocks[0].offset].to_vec();
        for (i, block) in blocks.iter().enumerate() {
            if missing.contains(&i) {
                let next = blocks.get(i + 1).map_or(block.step, |next| next.step);
                block::gap(block.step, block.at, next - block.step, &mut bytes);
            } else {
                bytes.extend_from_slice(&traces[1][block.offset..block.offset + block.len()]);
            }
        }
        bytes
    };
    let (early, late, neither) = (without(&[5, 7]), without(&[3, 5]), without(&[5]));
    let joined = story(&[traces[0].clone(), early.clone(), late.clone()]);
    assert_eq!((joined.nodes.len(), joined.nodes[1].gaps), (2, 1));
    assert_eq!(
        (joined.nodes[1].missing, joined.nodes[1].steps),
        (blocks[6].step - blocks[5].step, story(&[traces[0].clone(), neither]).nodes[1].steps)
    );
    assert_eq!(joined.nodes[1].steps + joined.nodes[1].missing, whole.nodes[1].steps);
    assert_eq!(joined.timeline.iter().filter(|m| m.after_gap).count(), 1);
    // What was sent into the gap is not called lost, and what came out of it not unknown.
    assert_eq!((whole.totals.lost, joined.totals.lost, joined.totals.from_untraced), (0, 0, 0));
    assert!(joined.totals.unexplained > 5 && joined.totals.to_not_traced > 5, "{:?}", joined.totals);
}

#[test]
fn what_is_wrong_with_a_trace_is_carried() {
    let mut world = world(1, |_| ());
    let mut traces = world.traces();
    let cut = traces[2].len() - 9;
    traces[2].truncate(cut);
    let story = story(&traces);
    assert!(story.nodes[2].error.as_ref().is_some_and(|e| e.contains("block")), "{:?}", story.nodes[2].error);
    assert_eq!(story.nodes.iter().filter(|row| row.error.is_some()).count(), 1);
    assert!(matches!(&story.damage[..], [(2, e)] if e.is_torn()), "{:?}", story.damage);
    assert_eq!(merge(&[]), Err(MergeError::Nothing));
    let trace = Trace::open(&traces[0]).unwrap();
    let many = vec![trace; TRACES_MAX + 1];
    assert_eq!(merge(&many), Err(MergeError::TooMany { found: TRACES_MAX + 1 }));
}

/// Everything in one document, ids and incarnations as text.
#[test]
fn a_story_is_json() {
    let mut world = world(1, |world| world.lose = 50);
    let story = story(&world.traces());
    let json: serde_json::Value = serde_json::from_str(&serde_json::to_string(&story).unwrap()).unwrap();
    assert_eq!(json["nodes"][0]["id"], story.nodes[0].id.to_string());
    assert_eq!(json["totals"]["lost"], story.totals.lost);
    assert_eq!(json["timeline"].as_array().unwrap().len(), story.timeline.len());
    let up = json["timeline"].as_array().unwrap().iter().flat_map(|m| m["events"].as_array().into_iter().flatten());
    assert!(
        up.clone().any(|told| told["event"] == "member_up" && told["incarnation"] == "1.0" && told["id"].is_string()),
        "{json}"
    );
    let sent = &json["datagrams"][0];
    assert!(
        sent["to"].is_string()
            && json["frames"][sent["frame"].as_u64().unwrap() as usize]["frame"]["message"].is_string()
    );
}

/// Times are numbers of others, too.
#[test]
fn the_end_of_time_is_no_end() {
    let mut traces = world(1, |_| ()).traces();
    for (last, name) in [(u64::MAX, "x"), (1 << 63, "y")] {
        let began = Instant::from_micros(last - 1);
        let addr = ([127, 0, 0, 1], 1).into();
        let profile = Profile::new(name, b"").unwrap();
        let me = Identity { id: NodeId::from_name(name), addr, epoch: u32::MAX, profile };
        let node = Node::new(me.clone(), Config::local("c"), 1, began).unwrap();
        let mut header = Header::new(&me, &Config::local("c"), 1, began);
        header.unix_micros = u64::MAX;
        let mut tape = Tape::new(&header, &node);
        tape.input(&node, Instant::from_micros(last), &Input::Timeout);
        traces.push(tape.finish(&node));
    }
    for reversed in [false, true] {
        if reversed {
            traces.reverse();
        }
        let story = story(&traces);
        assert_eq!(story.nodes.len(), 7);
        assert_eq!(story.timeline.len() as u64, story.nodes.iter().map(|row| row.steps).sum::<u64>());
        let page = swim_trace_tools::html::html(&story);
        assert!(page.ends_with("</html>\n"));
        let exported = [perfetto(&story), shiviz(&story)];
        assert!(exported.iter().all(|text| text.len() > 1_000));
    }
}
