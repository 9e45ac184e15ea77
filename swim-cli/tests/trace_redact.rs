//! `swim trace redact payload`: a file that can be shown to others.

#[path = "../../swim-trace/tests/util/mod.rs"]
mod nets;
mod util;

use std::fs;
use std::path::{Path, PathBuf};

use nets::Net;
use swim_trace::{Replay, Trace};
use swim_trace_tools::jsonl::from_jsonl;
use util::{ended, parsed, printed, refused};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the build's folder has a plain name")
}

/// A trace with something in it that should not be shown.
fn recorded(name: &str) -> (PathBuf, Vec<u8>) {
    let said: [(&str, &[u8]); 2] = [("hidden-name-a", b"hidden-meta-a"), ("hidden-name-b", b"hidden-meta-b")];
    let mut net = Net::of("hidden-cluster", &said, true);
    net.join(1, 1);
    net.run(2_000);
    let (bytes, _) = net.end(0);
    let path = file(name);
    fs::write(&path, &bytes).unwrap();
    (path, bytes)
}

fn holds(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

fn steps(bytes: &[u8]) -> u64 {
    let (summary, error) = Replay::new(&Trace::open(bytes).unwrap()).unwrap().run();
    assert_eq!((summary.divergences, error), (0, None));
    summary.steps
}

const PAYLOAD: [&str; 3] = ["trace", "redact", "payload"];

#[test]
fn what_was_said_is_gone() {
    let (path, bytes) = recorded("redact.trace");
    let out = file("redacted.trace");
    let line = printed(&PAYLOAD, &[text(&path), "-o", text(&out)]);
    let redacted = fs::read(&out).unwrap();
    assert_eq!(line, format!("2 values of metadata replaced; {} steps go as before: {}", steps(&bytes), text(&out)));
    assert!(holds(&bytes, b"hidden-meta") && !holds(&redacted, b"hidden-meta"));
    assert!(holds(&redacted, b"hidden-name") && holds(&redacted, b"hidden-cluster"));
    assert_eq!((redacted.len(), steps(&redacted)), (bytes.len(), steps(&bytes)));
}

#[test]
fn names_go_as_well_and_lines_of_json_are_written() {
    let (path, bytes) = recorded("redact-names.trace");
    let out = file("redacted-names.jsonl");
    let json = parsed(&printed(&PAYLOAD, &[text(&path), "--output", text(&out), "--names", "--format", "json"]));
    assert_eq!(
        (&json["metadata"], &json["names"], &json["steps"], &json["left_out"], &json["damage"]),
        (&2.into(), &2.into(), &steps(&bytes).into(), &0.into(), &serde_json::Value::Null)
    );
    let lines = fs::read(&out).unwrap();
    assert!(lines.starts_with(b"{") && !holds(&lines, b"hidden"));
    let binary = from_jsonl(&lines).unwrap();
    assert!(!holds(&binary, b"hidden"));
    assert_eq!(steps(&binary), steps(&bytes));
}

#[test]
fn what_is_damaged_is_told_and_what_is_no_trace_refused() {
    let (path, bytes) = recorded("redact-torn.trace");
    fs::write(&path, &bytes[..bytes.len() - 5]).unwrap();
    let out = file("redacted-torn.trace");
    let (code, _, why) = ended(&PAYLOAD, &[text(&path), "-o", text(&out)]);
    assert!(code == 0 && why.contains("the file ends here") && why.contains("what is behind is left out"), "{why}");
    assert_eq!(steps(&fs::read(&out).unwrap()), 0, "there was one block of steps");
    fs::write(&path, b"no trace").unwrap();
    refused(&PAYLOAD, &[text(&path), "-o", text(&out)], &["redact-torn.trace", "this is no trace"]);
}
