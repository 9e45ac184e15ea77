//! `swim trace why`: the evidence of a moment, as the agent tells it.

use crate::files::file;
use crate::nets::three;
use crate::util::{ended, parsed, printed, refused};

const WHY: &[&str] = &["trace", "why"];

#[test]
fn a_death_is_explained() {
    let (bytes, _) = three(false, false);
    let path = file("why.trace", &bytes);
    let text = printed(WHY, &["c", "--at", "1h", &path]);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].contains(", a believed: c dead 1.0 at 127.0.0.1:3, id 7b8855250f3cde02"), "{text}");
    assert!(lines[1].ends_with("there, incarnation 1.0"), "{text}");
    assert!(text.contains("my probe (nonce ") && text.contains("relay b: is there, heard nothing (nack)"), "{text}");
    assert!(lines.last().unwrap().starts_with("  verdict: dead, declared "), "{text}");

    let json = parsed(&printed(WHY, &["127.0.0.1:3", "--at", "1h", &path, "--format", "json"]));
    assert_eq!((json["name"].as_str(), json["state"].as_str()), (Some("c"), Some("dead")));
    let facts: Vec<&str> = json["why"].as_array().unwrap().iter().map(|fact| fact["fact"].as_str().unwrap()).collect();
    assert_eq!((facts[0], *facts.last().unwrap()), ("up", "dead"));
    assert!(facts.contains(&"suspected") && facts.contains(&"relay_nacked"), "{facts:?}");
}

#[test]
fn the_moment_decides() {
    let (bytes, _) = three(false, true);
    let path = file("why-moment.trace", &bytes);
    let at = |when: &str| printed(WHY, &["7b88", "--at", when, &path]);
    let cat = printed(&["trace", "cat"], &[&path, "--outputs", "--filter", "event=member_suspect", "--format", "json"]);
    let step = parsed(&cat)["step"].as_u64().unwrap();
    assert!(at(&format!("@{step}")).contains("a believed: c suspect 1.0"));
    let before = at(&format!("@{}", step - 1));
    assert!(before.contains("a believed: c alive 1.0") && before.contains("verdict: alive"), "{before}");
    let own = printed(WHY, &["a", "--at", "@3", &path]);
    assert!(own.ends_with("  verdict: this is the node itself"), "{own}");
}

#[test]
fn damage_before_the_moment_is_told() {
    let (mut bytes, _) = three(false, true);
    let middle = bytes.len() * 3 / 5;
    bytes[middle] ^= 1;
    let path = file("why-damaged.trace", &bytes);
    let (code, text, why) = ended(WHY, &["c", "--at", "1h", &path]);
    assert!(code == 2 && text.contains("a believed: c ") && why.contains("the checksum is wrong"), "{text}{why}");
    let torn = file("why-torn.trace", &bytes[..middle]);
    let (code, again, why) = ended(WHY, &["c", "--at", "1h", &torn]);
    assert!(code == 0 && again == text && why.contains("the file ends here"), "{why}");
    let (code, _, why) = ended(WHY, &["c", "--at", "@3", &path]);
    assert_eq!((code, &*why), (0, ""), "what is wrong behind the moment does no harm");
}

#[test]
fn who_or_when_nobody_knows() {
    let (bytes, _) = three(false, false);
    let path = file("why-unknown.trace", &bytes);
    refused(WHY, &["zz", "--at", "2s", &path], &["\"zz\" is no node at that moment; there are a, b, c"]);
    refused(WHY, &["c", "--at", "1ms", &path], &["the first step comes later, at 0.005100s"]);
    refused(WHY, &["c", "--at", "soon", &path], &["like 12.5s"]);
    let (code, ..) = ended(WHY, &["c", &path]);
    assert_eq!(code, 2, "--at is required");
}
