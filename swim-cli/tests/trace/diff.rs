//! `swim trace diff`: 0 the same, 1 not, 2 unreadable.

use crate::files::{file, flipped, with_header};
use crate::nets::three;
use crate::util::{ended, parsed, printed, refused};

const DIFF: &[&str] = &["trace", "diff"];

#[test]
fn the_same_run_recorded_twice() {
    let a = file("diff-a.trace", &three(false, false).0);
    let b = file("diff-b.trace", &three(true, true).0);
    assert!(printed(DIFF, &[&a, &a]).ends_with(" steps alike"));
    let text = printed(DIFF, &[&a, &b]);
    assert!(text.starts_with("header  outputs: false and true\n") && text.ends_with(" steps alike"), "{text}");
    let json = parsed(&printed(DIFF, &[&a, &b, "--format", "json"]));
    assert_eq!((json["header"][0]["field"].as_str(), json["first"].is_null()), (Some("outputs"), true));
}

#[test]
fn the_first_step_that_differs() {
    let (bytes, _) = three(true, false);
    let (step, spoilt) = flipped(&bytes);
    let (a, b) = (file("diff-one.trace", &bytes), file("diff-other.trace", &spoilt));
    let (code, text, why) = ended(DIFF, &[&a, &b]);
    assert_eq!((code, &*why), (1, "swim: the traces differ"));
    assert!(text.starts_with(&format!("{step} steps alike; step {step}: another input\nA  ")), "{text}");
    let sides: Vec<&str> = text.lines().filter(|line| line.contains("datagram from")).collect();
    assert!(
        sides.len() == 2
            && sides[0].starts_with("A  ")
            && sides[1].starts_with("B  ")
            && sides[0][1..] != sides[1][1..]
    );
    let (code, json, _) = ended(DIFF, &[&a, &b, "--format", "json"]);
    let first = &parsed(&json)["first"];
    assert_eq!((code, first["step"].as_u64(), first["differs_in"].as_str()), (1, Some(step), Some("input")));
}

#[test]
fn headers_of_two_runs() {
    let (bytes, _) = three(false, false);
    let other = with_header(&bytes, |header| header.config.indirect_probes = 1);
    let (code, text, _) = ended(DIFF, &[&file("diff-h1.trace", &bytes), &file("diff-h2.trace", &other)]);
    assert!(code == 1 && text.starts_with("header  config.indirect_probes: 6 and 1\n"), "{text}");
}

#[test]
fn what_cannot_be_read_is_no_difference() {
    let (mut bytes, _) = three(false, true);
    let a = file("diff-whole.trace", &bytes);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let (code, _, why) = ended(DIFF, &[&a, &file("diff-damaged.trace", &bytes)]);
    assert!(code == 2 && why.contains("diff-damaged.trace: block "), "{why}");
    refused(DIFF, &[&a, "no-such.trace"], &["no-such.trace cannot be read"]);
}
