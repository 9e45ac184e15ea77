//! `swim trace cat`: every step, decoded.

use crate::files::{file, with_header};
use crate::nets::three;
use crate::util::{ended, parsed, printed, refused};

const CAT: &[&str] = &["trace", "cat"];

#[test]
fn each_step_is_a_line() {
    let (bytes, _) = three(false, false);
    let path = file("cat.trace", &bytes);
    let text = printed(CAT, &[&path]);
    let first = "      0      0.005100s  datagram from 127.0.0.1:2: b 1.0 pull #92f89756; rows: b alive 1.0 at 127.0.0.1:2; \
                 ranges: 0x0..0x40000000";
    assert_eq!(text.lines().next(), Some(first));
    let steps = parsed(&printed(&["trace", "info"], &[&path, "--format", "json"]))["steps"].as_u64().unwrap();
    assert_eq!(text.lines().count() as u64, steps);
    assert!(text.lines().any(|line| line.ends_with("s  timeout")));

    let json: Vec<_> = printed(CAT, &[&path, "--format", "json"]).lines().map(parsed).collect();
    assert_eq!(json.len() as u64, steps);
    // As the lines of JSON have it, but for the bytes.
    let input = &json[0]["in"]["datagram"];
    assert_eq!((input["from"].as_str(), input["len"].as_u64() > Some(50)), (Some("127.0.0.1:2"), true));
    assert!(json.iter().any(|step| step["in"] == "timeout"));
    assert_eq!(input["frame"]["rows"][0]["id"], "3e35b21bfb9b6405");
    assert_eq!((input["frame"]["sender"]["name"].as_str(), json[0]["sent"].is_null()), (Some("b"), true));
}

#[test]
fn outputs_come_from_the_replay() {
    let (bytes, _) = three(false, false);
    let path = file("cat-outputs.trace", &bytes);
    let text = printed(CAT, &[&path, "--outputs", "--filter", "event=member_down", "--filter", "node=c"]);
    assert!(text.contains("\n                        ** member_down c 1.0"), "{text}");
    assert_eq!(text.lines().filter(|line| !line.starts_with("           ")).count(), 1, "{text}");
    // Two are asked for a proof, and the first gives it.
    let text = printed(CAT, &[&path, "--outputs", "--from", "@2", "--until", "@2"]);
    let lines: Vec<&str> = text.lines().skip(1).map(str::trim).collect();
    let page = "-> 127.0.0.1:2: a 1.0 page #92f89756, all told; rows: a alive 1.0 at 127.0.0.1:1";
    assert_eq!(lines, [page, "** member_up b 1.0"]);
    let json = parsed(&printed(CAT, &[&path, "--outputs", "--from", "@2", "--until", "@2", "--format", "json"]));
    assert_eq!(
        (json["events"][0]["event"].as_str(), json["events"][0]["name"].as_str()),
        (Some("member_up"), Some("b"))
    );
    assert_eq!(json["sent"][0]["frame"]["message"], "page");
}

#[test]
fn filters_and_moments_are_checked() {
    let (bytes, _) = three(false, false);
    let path = file("cat-filters.trace", &bytes);
    refused(
        CAT,
        &[&path, "--filter", "colour=red"],
        &["there is no filter", "kind=", "message=", "from=ADDR", "event="],
    );
    refused(CAT, &[&path, "--filter", "kind=tick"], &["timeout, join, seeds, leave"]);
    refused(CAT, &[&path, "--from", "later"], &["like 12.5s"]);
    let some = printed(CAT, &[&path, "--filter", "kind=timeout", "--from", "1s", "--until", "@40"]);
    assert!(some.lines().count() > 3 && some.lines().all(|line| line.ends_with("timeout")), "{some}");
    let (code, text, why) = ended(CAT, &[&path, "--filter", "kind=leave"]);
    assert_eq!((code, &*text, &*why), (0, "", "swim: no step is like that"));
}

#[test]
fn damage_ends_it_behind_what_is_intact() {
    let (mut bytes, _) = three(false, true);
    let (code, whole, _) = ended(CAT, &[&file("cat-whole.trace", &bytes)]);
    assert_eq!(code, 0);
    let torn = file("cat-torn.trace", &bytes[..bytes.len() - 1]);
    let (code, text, why) = ended(CAT, &[&torn]);
    assert!(code == 0 && why.contains("the file ends here") && whole.starts_with(&text) && !text.is_empty(), "{why}");
    let middle = bytes.len() * 3 / 5;
    bytes[middle] ^= 1;
    let damaged = file("cat-damaged.trace", &bytes);
    for outputs in [&[][..], &["--outputs"]] {
        let (code, text, why) = ended(CAT, &[&[&*damaged], outputs].concat());
        assert!(code == 2 && text.lines().count() > 20 && why.contains("the checksum is wrong"), "{why}");
    }
}

/// What cannot be replayed can be read, and what came out is not known then.
#[test]
fn inputs_are_shown_without_a_replay() {
    let (bytes, _) = three(false, false);
    let large = with_header(&bytes, |header| {
        header.config.members_max = 1 << 22;
        header.config.members_reserved = 1 << 22;
        header.config.tombstone_ttl *= 2;
    });
    let path = file("cat-large.trace", &large);
    let plain = printed(CAT, &[&path]);
    let (code, text, why) = ended(CAT, &[&path, "--outputs"]);
    assert!(code == 2 && text == plain, "{why}");
    assert!(why.contains("what came out is not known further: the trace's config reserves 4194304 rows"), "{why}");
    let (code, text, why) = ended(&["trace", "stats"], &[&path]);
    assert!(
        code == 2 && text.contains("received, by message\n  ack ") && why.contains("reserves 4194304 rows"),
        "{why}"
    );
}
