//! `swim trace stats`.

use crate::files::file;
use crate::nets::three;
use crate::util::{ended, parsed, printed};

const STATS: &[&str] = &["trace", "stats"];

#[test]
fn counts_are_the_nodes() {
    let (bytes, node) = three(false, false);
    let path = file("stats.trace", &bytes);
    let json = parsed(&printed(STATS, &[&path, "--format", "json"]));
    let own = node.stats();
    assert_eq!(json["inputs"]["datagram"].as_u64(), Some(own.datagrams_received));
    let sum = |key: &str, what: &str| -> u64 {
        json[key].as_object().unwrap().values().map(|one| one[what].as_u64().unwrap()).sum()
    };
    assert_eq!((sum("received", "bytes"), sum("received_from", "bytes")), (own.bytes_received, own.bytes_received));
    assert_eq!((sum("sent", "datagrams"), sum("sent", "bytes")), (own.datagrams_sent, own.bytes_sent));
    assert_eq!(json["received_from"]["127.0.0.1:2"]["datagrams"].as_u64().map(|n| n > 20), Some(true));
    assert_eq!(
        (json["counters"]["probes"].as_u64(), json["events"]["member_down"].as_u64()),
        (Some(own.probes), Some(1))
    );
    assert!(json["per_hour"]["inputs"].as_f64().unwrap() > 10_000.0);

    let text = printed(STATS, &[&path]);
    let row = |name: &str| text.lines().find(|line| line.split_whitespace().next() == Some(name)).unwrap_or_default();
    assert_eq!(row("member_down").split_whitespace().nth(1), Some("1"), "{text}");
    assert!(row("nack").contains(" 1 datagrams") && text.contains("the node's own counters at the end"), "{text}");
}

#[test]
fn damage_ends_it_behind_what_was_counted() {
    let (mut bytes, _) = three(false, true);
    let torn = file("stats-torn.trace", &bytes[..bytes.len() - 1]);
    let (code, _, why) = ended(STATS, &[&torn]);
    assert!(code == 0 && why.contains("the file ends here"), "{why}");
    let middle = bytes.len() * 3 / 5;
    bytes[middle] ^= 1;
    let (code, text, why) = ended(STATS, &[&file("stats-damaged.trace", &bytes)]);
    assert!(code == 2 && text.contains("member_up") && why.contains("the checksum is wrong"), "{why}");
}
