//! `swim trace info`: what is in a file, and whether it is whole.

use crate::files::{file, with_header};
use crate::nets::three;
use crate::util::{ended, parsed, printed, refused};
use swim_trace::{Trace, TraceError};

const INFO: &[&str] = &["trace", "info"];

#[test]
fn a_whole_trace() {
    let (bytes, _) = three(true, true);
    let path = file("info-whole.trace", &bytes);
    let text = printed(INFO, &[&path]);
    for line in [
        "node      a, id 02c0bdbf481420f8, 127.0.0.1:1, epoch 1",
        "cluster   c",
        "blocks    3 keyframe, ",
        "blocks    4 records, ",
        "whole     every block",
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert!(text.contains("written   by swim-core 0.1.0, format 1,") && text.contains("seed known, outputs in full"));
    let json = parsed(&printed(INFO, &[&path, "--format", "json"]));
    assert_eq!((json["name"].as_str(), json["id"].as_str()), (Some("a"), Some("02c0bdbf481420f8")));
    assert_eq!((json["blocks"]["keyframe"]["count"].as_u64(), json["first_step"].as_u64()), (Some(3), Some(0)));
    assert_eq!((json["bytes"].as_u64(), json["torn"].is_null()), (Some(bytes.len() as u64), true));
}

#[test]
fn a_torn_tail_is_told_and_no_error() {
    let (bytes, _) = three(false, true);
    let path = file("info-torn.trace", &bytes[..bytes.len() - 9]);
    let (code, text, why) = ended(INFO, &[&path]);
    assert!(
        code == 0 && why.contains("info-torn.trace: block 7 at offset ") && why.ends_with("all before it is whole"),
        "{why}"
    );
    assert!(text.contains("torn      block 7 at offset ") && text.contains("all before it is whole"), "{text}");
}

#[test]
fn damage_is_named_behind_what_is_intact() {
    let (mut bytes, _) = three(false, true);
    let blocks: Vec<(usize, u64)> = {
        let trace = Trace::open(&bytes).unwrap();
        let blocks = trace.blocks().map(|block| block.map(|block| (block.offset, block.step)));
        blocks.collect::<Result<_, TraceError>>().unwrap()
    };
    let (offset, steps) = blocks[3];
    bytes[offset + 40] ^= 16;
    let path = file("info-damaged.trace", &bytes);
    let (code, text, why) = ended(INFO, &[&path]);
    assert_eq!(code, 2);
    assert!(text.contains(&format!("steps     {steps}, from 0 to {}", steps - 1)), "{text}");
    let named = format!("block 3 at offset {offset}: the checksum is wrong");
    assert!(text.contains(&format!("damaged   {named}")) && why.contains(&named), "{text}\n{why}");
    let (code, json, _) = ended(INFO, &[&path, "--format", "json"]);
    let damaged = &parsed(&json)["damaged"];
    assert_eq!((code, damaged["block"].as_u64(), damaged["offset"].as_u64()), (2, Some(3), Some(offset as u64)));
}

#[test]
fn what_is_no_trace_is_refused() {
    refused(INFO, &["no-such-file.trace"], &["no-such-file.trace cannot be read"]);
    refused(INFO, &[&file("info-no.trace", b"something else")], &["block 0 at offset 0: this is no trace"]);
    refused(INFO, &[&file("info-no.jsonl", b"{\"trace\":1}\n{\"step\":1}\n")], &["info-no.jsonl: line 2: "]);
}

/// Dates and names are the file's, and a file may say anything.
#[test]
fn whatever_a_header_says_can_be_shown() {
    let (bytes, _) = three(false, false);
    for unix in [1_790_000_000_000_000, 253_402_300_799_999_999, u64::MAX] {
        let odd = with_header(&bytes, |header| {
            header.unix_micros = unix;
            header.core = "\x1b[2J".into();
        });
        let text = printed(INFO, &[&file("info-odd.trace", &odd)]);
        assert_eq!(text.contains("; began 2026-09-21T"), unix == 1_790_000_000_000_000, "{text}");
        assert!(text.contains("swim-core \\u{1b}[2J"), "{text}");
    }
}
