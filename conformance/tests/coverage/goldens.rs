//! Golden traces: what one node saw in a scenario, and all that came out of it. Whatever build replays them, the same has to come
//! out; they are recorded by `swim-sim/tests/conformance/golden.rs`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use swim_trace::{Divergence, Replay, Summary, Trace};
use swim_trace_tools::decode::{InputShown, Names, OutputsShown};
use swim_trace_tools::jsonl;

/// What to do about a divergence.
const BLESS: &str = "SWIM_BLESS=1 cargo test -p swim-sim --test conformance golden";

fn dir() -> PathBuf {
    super::root().join("conformance/traces")
}

/// The golden traces, by name.
fn files() -> Vec<PathBuf> {
    let all = fs::read_dir(dir()).expect("the golden traces have a directory");
    let mut files: Vec<PathBuf> = all.map(|file| file.expect("it can be read to its end").path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "jsonl"));
    files.sort();
    files
}

/// Replays the trace in these lines; what is wrong with it, if anything is.
fn replay(lines: &[u8]) -> Result<Summary, String> {
    let bytes = jsonl::from_jsonl(lines).map_err(|e| e.to_string())?;
    let trace = Trace::open(&bytes).map_err(|e| e.to_string())?;
    let mut replay = Replay::new(&trace).map_err(|e| e.to_string())?;
    let mut names = Names::of(trace.header());
    while let Some(step) = replay.step() {
        let step = step.map_err(|e| e.to_string())?;
        names.see_input(trace.header().id, step.input);
        if step.diverged {
            names.see_node(step.node);
            break;
        }
    }
    let summary = replay.summary();
    match &summary.first {
        Some(first) => Err(told(first, &names)),
        None if (summary.unchecked, summary.skipped, summary.gaps) != (0, 0, 0) => Err(format!("{summary:?}")),
        None => Ok(summary),
    }
}

/// Where a replay leaves its trace, with both sides in words.
fn told(first: &Divergence, names: &Names) -> String {
    let Divergence { step, at, input, replayed, recorded, .. } = first;
    let mut text = format!("step {step}, at {at:?}, is given\n      {}\n", json(&InputShown::of(input, names)));
    let now = lines(&OutputsShown::of(replayed, names));
    let then = recorded.as_ref().map(|recorded| lines(&OutputsShown::of(recorded, names))).unwrap_or_default();
    if now == then {
        text += "  what it sends and tells is what was recorded, but not what it believes, or when it wants to be woken next\n";
    }
    for (head, these, those) in [("was recorded", &then, &now), ("comes out now", &now, &then)] {
        let _ = writeln!(
            text,
            "  {head}{}",
            if these.is_empty() { ": nothing" } else { ", ! where the other side has none" }
        );
        for line in these {
            let _ = writeln!(text, "    {} {line}", if those.contains(line) { ' ' } else { '!' });
        }
    }
    text
}

fn lines(outputs: &OutputsShown) -> Vec<String> {
    outputs.sent.iter().map(|sent| format!("-> {}", json(sent))).chain(outputs.events.iter().map(json)).collect()
}

fn json(shown: &impl Serialize) -> String {
    serde_json::to_string(shown).expect("strings and numbers under string keys are always JSON")
}

/// Of these files: those that come out otherwise, the first of them in detail, and what to do about it.
fn report(failures: &[(String, String)], of: usize) -> String {
    let mut text = format!("{} of {of} golden traces do not come out as they were recorded.\n", failures.len());
    for (name, what) in failures.iter().take(DETAILED) {
        let _ = write!(text, "\nconformance/traces/{name}: {what}");
        let _ = writeln!(text, "  more: cargo run --bin swim -- trace replay conformance/traces/{name}");
    }
    let others: Vec<&str> = failures.iter().skip(DETAILED).map(|(name, _)| name.as_str()).collect();
    if !others.is_empty() {
        let _ = writeln!(text, "\nand in {}", others.join(", "));
    }
    let _ = write!(
        text,
        "\nThe node takes other decisions than before. If it is meant to, the commit message says which and why, and has the\n\
         traces that\n    {BLESS}\nrecords anew; if not, it is a bug."
    );
    text
}

const DETAILED: usize = 3;

#[test]
fn golden_traces_come_out_as_they_were_recorded() {
    let files = files();
    assert!(files.len() >= 25, "{} golden traces show little", files.len());
    let (mut failures, mut steps, mut bytes) = (Vec::new(), 0, 0);
    for path in &files {
        let name = name(path);
        let lines = fs::read(path).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(lines.len() <= LARGEST, "{name} has {} bytes: choose a quieter node", lines.len());
        bytes += lines.len();
        match replay(&lines) {
            Ok(played) => {
                assert!(played.steps > 0, "{name} shows nothing");
                steps += played.steps;
            }
            Err(what) => failures.push((name, what)),
        }
    }
    assert!(failures.is_empty(), "{}", report(&failures, files.len()));
    assert!(bytes <= ALL_OF_THEM, "{bytes} bytes of golden traces");
    println!("{} golden traces, {steps} steps, 0 divergences", files.len());
}

const LARGEST: usize = 150 << 10;
const ALL_OF_THEM: usize = 5 << 19;

/// Who was recorded as somebody else decides otherwise, and then it says so.
#[test]
fn a_change_in_behaviour_is_told() {
    let path = dir().join("d1_a_suspect_refutes.jsonl");
    let text = fs::read_to_string(&path).expect("that trace is there");
    for (from, to, expected) in [
        // Another choice of whom to probe.
        ("\"rng_seed\":\"", "\"rng_seed\":\"f", "\n    ! -> {\"to\":\"10.0.0."),
        ("\"gossip_fanout\":3", "\"gossip_fanout\":1", "comes out now"),
        ("\"gossip_interval\":{\"secs\":0", "\"gossip_interval\":{\"secs\":1", "when it wants to be woken next"),
    ] {
        let changed = if to.ends_with('f') {
            let at = text.find(from).expect("the header has a seed") + from.len();
            format!("{}f{}", &text[..at], &text[at + 1..])
        } else {
            text.replacen(from, to, 1)
        };
        assert_ne!(changed, text, "{from}");
        let what = replay(changed.as_bytes()).expect_err(to);
        let all = report(&[(name(&path), what)], 40);
        let says = [
            "1 of 40",
            "traces/d1_a_suspect_refutes.jsonl: step ",
            "is given\n      ",
            "was recorded",
            expected,
            BLESS,
        ];
        says.iter().for_each(|part| assert!(all.contains(part), "no {part:?} in\n{all}"));
    }
    assert!(replay(text.replacen("\"step\":3,", "\"step\":4,", 1).as_bytes()).is_err(), "nor are gaps overlooked");
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
