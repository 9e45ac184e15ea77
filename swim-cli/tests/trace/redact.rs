//! `swim trace redact payload`: a file that can be shown to others.

use std::fs;
use std::path::PathBuf;

use crate::files::{place, text};
use crate::nets::Net;
use crate::util::{ended, parsed, printed, refused};
use swim_trace::{Replay, Trace};
use swim_trace_tools::jsonl::from_jsonl;

/// A trace with something in it that should not be shown.
fn recorded(name: &str) -> (PathBuf, Vec<u8>) {
    let said: [(&str, &[u8]); 2] = [("hidden-name-a", b"hidden-meta-a"), ("hidden-name-b", b"hidden-meta-b")];
    let mut net = Net::of("hidden-cluster", &said, true);
    net.join(1, 1);
    net.run(2_000);
    let (bytes, _) = net.end(0);
    let path = place(name);
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
    let out = place("redacted.trace");
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
    let out = place("redacted-names.jsonl");
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
    let out = place("redacted-torn.trace");
    let (code, _, why) = ended(&PAYLOAD, &[text(&path), "-o", text(&out)]);
    assert!(code == 0 && why.contains("the file ends here"), "{why}");
    assert_eq!(steps(&fs::read(&out).unwrap()), 0, "there was one block of steps");
    let (mut spoilt, middle) = (bytes.clone(), bytes.len() - 50);
    spoilt[middle] ^= 1;
    fs::write(&path, &spoilt).unwrap();
    fs::remove_file(&out).unwrap();
    let (code, line, why) = ended(&PAYLOAD, &[text(&path), "-o", text(&out)]);
    assert!(
        code == 2 && line.contains(" 0 steps go as before") && why.contains("the checksum is wrong"),
        "{line}{why}"
    );
    assert_eq!(steps(&fs::read(&out).unwrap()), 0);
    fs::write(&path, b"no trace").unwrap();
    refused(&PAYLOAD, &[text(&path), "-o", text(&out)], &["redact-torn.trace", "this is no trace"]);
}
