//! `swim trace convert`, and that all commands read lines of JSON as well.

use std::fs;

use crate::files::{file, path};
use crate::nets::three;
use crate::util::{ended, parsed, printed, refused};
use swim_trace::Trace;

const CONVERT: &[&str] = &["trace", "convert"];

#[test]
fn there_and_back_is_the_same() {
    let (bytes, _) = three(true, true);
    let (binary, lines, again) = (file("convert.trace", &bytes), path("convert.jsonl"), path("convert-again.trace"));
    let text = printed(CONVERT, &[&binary, &lines]);
    assert!(text.starts_with(&lines) && text.contains(": 8 blocks, "), "{text}");
    let json = parsed(&printed(CONVERT, &[&lines, &again, "--format", "json"]));
    assert_eq!((json["bytes"].as_u64(), json["blocks"].as_u64()), (Some(bytes.len() as u64), Some(8)));
    assert!(fs::read(&again).unwrap() == bytes);
    for command in [&["info"][..], &["cat", "--outputs"], &["stats"], &["replay"], &["why", "c", "--at", "6s"]] {
        let said = |path: &str| printed(&[&["trace"], command].concat(), &[path]);
        assert!(said(&lines) == said(&binary), "{command:?}");
    }
    assert!(printed(&["trace", "diff"], &[&lines, &binary]).ends_with(" steps alike"));
}

#[test]
fn without_keyframes_and_compressed() {
    let (bytes, _) = three(true, true);
    let (binary, bare, small) =
        (file("convert-kf.trace", &bytes), path("convert-bare.jsonl"), path("convert-small.trace"));
    printed(CONVERT, &[&binary, &bare, "--no-keyframes"]);
    assert!(!fs::read_to_string(&bare).unwrap().contains("\"keyframe\""));
    let replay = |path: &str| printed(&["trace", "replay"], &[path]);
    assert_eq!(replay(&bare), replay(&binary));
    printed(CONVERT, &[&binary, &small, "--compress"]);
    let packed = fs::read(&small).unwrap();
    assert!(packed.len() < bytes.len() * 2 / 3 && replay(&small) == replay(&binary));
    printed(CONVERT, &[&small, &path("convert-plain.trace"), "--plain"]);
    assert!(fs::read(path("convert-plain.trace")).unwrap() == bytes);
    refused(CONVERT, &[&binary, &small, "--plain", "--compress"], &["cannot be used with"]);

    let trace = Trace::open(&bytes).unwrap();
    let blocks: Vec<_> = trace.blocks().map(Result::unwrap).collect();
    let later = [&bytes[..blocks[1].offset], &bytes[blocks[2].offset..]].concat();
    let later = file("convert-later.trace", &later);
    refused(CONVERT, &[&later, &bare, "--no-keyframes"], &["its keyframes are needed: it does not hold the run"]);
}

#[test]
fn what_is_not_whole() {
    let (mut bytes, _) = three(false, true);
    let lines = path("convert-torn.jsonl");
    let torn = file("convert-torn.trace", &bytes[..bytes.len() - 5]);
    let (code, text, why) = ended(CONVERT, &[&torn, &lines]);
    assert!(code == 0 && text.contains(": 7 blocks"), "{text}");
    assert!(why.contains("the file ends here") && why.contains("all before it is whole"), "{why}");
    assert!(printed(&["trace", "info"], &[&lines]).ends_with("whole     every block"));

    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let damaged = file("convert-damaged.trace", &bytes);
    let (code, text, why) = ended(CONVERT, &[&damaged, &lines]);
    assert!(code == 2 && text.contains(" blocks, ") && why.contains("the checksum is wrong"), "{why}");
    assert!(printed(&["trace", "info"], &[&lines]).ends_with("whole     every block"));
    let (code, _, why) = ended(CONVERT, &[&torn, "/no/such/place.trace"]);
    assert!(code == 1 && why.contains("/no/such/place.trace cannot be written"), "{why}");
}
