//! `swim demo`: the whole story, on real sockets.

use std::process::Command;

use crate::util::{SWIM, Swim, parsed};

#[test]
fn the_story_in_numbers() {
    let mut demo = Swim::start(&["demo", "--format", "json"]);
    assert_eq!(demo.exit_code(), Some(0), "{}", demo.stderr.text());
    assert_eq!((demo.stdout.seen.len(), demo.stderr.text().as_str()), (1, ""));
    let outcome = parsed(&demo.stdout.seen[0]);
    assert_eq!(outcome.as_object().expect("an object").len(), 10, "{outcome}");
    let runtimes = ["mio", "tokio, multi-thread", "tokio, current thread", "smol", "mio"];
    assert_eq!(outcome["runtimes"], serde_json::json!(runtimes));
    assert_eq!(outcome["members"], 5);
    let millis = ["formed_ms", "suspect_ms", "dead_ms", "left_ms", "returned_ms"].map(|key| {
        let value = outcome[key].as_u64().unwrap_or_else(|| panic!("{key} in {outcome}"));
        assert!(value > 0, "{key} in {outcome}");
        value
    });
    let [_, suspect, dead, ..] = millis;
    let replay = ["replayed_steps", "recorded_bytes", "replay_divergences"].map(|key| outcome[key].as_u64());
    let [Some(steps), Some(bytes), Some(0)] = replay else { panic!("no replay in {outcome}") };
    // Each of six lives was given tens of inputs, and the smallest record has some bytes.
    assert!(steps > 100 && bytes > 3 * steps, "{outcome}");
    assert!(dead > suspect, "a suspicion lies between the two: {outcome}");
}

#[test]
fn the_story_for_people() {
    let mut demo = Swim::start(&["demo"]);
    assert_eq!(demo.exit_code(), Some(0), "{}", demo.stderr.text());
    let told = demo.stdout.text();
    let mut rest = told.as_str();
    for step in [
        "Five nodes start",
        "web-1    on mio",
        "web-2    on tokio",
        "web-4    on smol",
        "All five see all five",
        "web-3 is killed",
        "web-3 suspect",
        "Suspected after",
        "web-3 dead",
        "Dead for all",
        "was the first to accuse web-3",
        "my probe (nonce ",
        "accused by this node; dead in ",
        "verdict: dead, declared",
        "web-4 leaves",
        "web-4 left",
        "Known to all",
        "web-3 starts again",
        "web-3 alive (incarnation 2.0)",
        "It sees all three others",
        "What the nodes saw in their 6 lives was recorded (",
        "bit for bit: 0 divergences.",
    ] {
        let (_, after) = rest.split_once(step).unwrap_or_else(|| panic!("no {step:?} in its place in\n{told}"));
        rest = after;
    }
    let row = |name: &str, state: &str| {
        let mut rows = demo.stdout.seen.iter().map(|line| line.split_whitespace());
        rows.any(|mut row| row.next() == Some(name) && row.nth(1) == Some(state))
    };
    for (name, state) in [("web-1", "alive"), ("web-3", "suspect"), ("web-3", "dead"), ("web-4", "left")] {
        assert!(row(name, state), "no row of {name}, {state}, in\n{told}");
    }
    assert!(!told.contains('\x1b'), "colours are for terminals");
}

#[test]
fn without_a_reader_it_ends_quietly() {
    let mut demo = Swim::start_read_by(&["demo"], 1);
    assert_eq!(demo.exit_code(), Some(0));
    assert_eq!(demo.stderr.text(), "");
}

/// A process that may have few files open only: not all five sockets can be made.
#[test]
fn what_cannot_be_done_is_said() {
    let command = format!("ulimit -n 12; exec {SWIM} demo --format json");
    let mut demo = Swim::spawn(Command::new("sh").args(["-c", &command]), usize::MAX);
    assert_eq!(demo.exit_code(), Some(1));
    assert_eq!(demo.stdout.text(), "");
    let why = demo.stderr.text();
    assert!(why.starts_with("swim: web-") && why.contains("(os error 24)") && why.contains("; "), "{why}");
}
