//! `swim trace shrink`: a small trace of a large one.

use std::fs;
use std::path::PathBuf;

use crate::files::{place, text};
use crate::nets::three;
use crate::util::{ended, parsed, printed, refused};
use swim_core::{Event, Instant, NodeId};
use swim_trace::{Replay, Trace, block};
use swim_trace_tools::jsonl::from_jsonl;

/// Three nodes, one of which dies.
fn recorded(name: &str, keyframes: bool) -> PathBuf {
    let path = place(name);
    fs::write(&path, three(true, keyframes).0).unwrap();
    path
}

/// Who died in a replay without divergence, and how many steps that took.
fn deaths(bytes: &[u8]) -> (Vec<NodeId>, u64) {
    let trace = Trace::open(bytes).unwrap();
    let (mut replay, mut dead) = (Replay::new(&trace).unwrap(), Vec::new());
    while let Some(step) = replay.step() {
        let down = |event: &Event| match event {
            Event::MemberDown { id, .. } => Some(*id),
            _ => None,
        };
        dead.extend(step.unwrap().outputs.events().iter().filter_map(down));
    }
    assert_eq!(replay.summary().divergences, 0);
    (dead, replay.summary().steps)
}

const SHRINK: [&str; 2] = ["trace", "shrink"];

#[test]
fn a_death_in_a_few_inputs() {
    let (path, out) = (recorded("shrink.trace", true), place("shrunk.jsonl"));
    let args = [text(&path), "-o", text(&out), "--predicate", "event=member_down:c", "--constructed"];
    let line = printed(&SHRINK, &args);
    let bytes = from_jsonl(&fs::read(&out).unwrap()).unwrap();
    let (dead, steps) = deaths(&bytes);
    assert_eq!(dead, [NodeId::from_name("c")]);
    assert!(steps <= 6 && line.starts_with(&format!("{steps} of ")), "{line}");
    assert!(line.contains("from where the node was constructed, and none can be left out, after "), "{line}");
    // From the keyframe before it, in binary.
    let out = place("shrunk.trace");
    let args = [text(&path), "-o", text(&out), "-p", "event=member_down:c", "-p", "state=c:dead", "--format", "json"];
    let json = parsed(&printed(&SHRINK, &args));
    let (dead, steps) = deaths(&fs::read(&out).unwrap());
    assert_eq!((dead, &json["minimal"], &json["inputs"]), (vec![NodeId::from_name("c")], &true.into(), &steps.into()));
    assert!(json["keyframe"].as_u64().is_some_and(|step| step > 0), "{json}");
    assert!(json["inputs_before"].as_u64() > Some(100) && json["tries"].as_u64() > Some(3), "{json}");
}

#[test]
fn tries_that_are_used_up_are_told() {
    let (path, out) = (recorded("shrink-few.trace", false), place("shrunk-few.trace"));
    let args = [text(&path), "-o", text(&out), "-p", "event=member_down:c", "--tries", "7"];
    let (code, line, why) = ended(&SHRINK, &args);
    assert!(code == 0 && line.contains("after 7 tries") && !line.contains("none can be left out"), "{line}");
    assert!(why.contains("all tries are used up"), "{why}");
    assert_eq!(deaths(&fs::read(&out).unwrap()).0, [NodeId::from_name("c")]);
}

/// What is intact is enough, and that there was more is told.
#[test]
fn damage_is_told_behind_what_was_written() {
    let (path, out) = (recorded("shrink-damaged.trace", false), place("shrunk-damaged.trace"));
    let (bytes, mut gap) = (fs::read(&path).unwrap(), Vec::new());
    block::gap(147, Instant::from_millis(8_000), 1, &mut gap);
    let args = [text(&path), "-o", text(&out), "-p", "event=member_down:c"];
    for (damaged, wanted) in [(true, 2), (false, 0)] {
        let mut behind = gap.clone();
        if damaged {
            behind[20] ^= 1;
        } else {
            behind.pop();
        }
        let end = [&bytes[..], &behind].concat();
        fs::write(&path, end).unwrap();
        let (code, line, why) = ended(&SHRINK, &args);
        assert!(code == wanted && line.contains(" inputs from ") && why.contains("block "), "{code} {line}{why}");
        assert_eq!(deaths(&fs::read(&out).unwrap()).0, [NodeId::from_name("c")]);
    }
}

#[test]
fn what_it_does_not_show_is_refused() {
    let (path, out) = (recorded("shrink-not.trace", false), place("shrunk-not.trace"));
    let with = |predicate: &str, words: &[&str]| {
        refused(&SHRINK, &[text(&path), "-o", text(&out), "-p", predicate], words);
    };
    with("event=member_down:b", &["shrink-not.trace", "does not show event=member_down:b"]);
    with("panic", &["does not show panic"]);
    with("event=died", &["\"died\" is none of", "member_down"]);
    with("state=c", &["like web-1:dead"]);
    assert!(!out.exists(), "nothing is written then");
}
