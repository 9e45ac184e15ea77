//! `swim trace merge`: several nodes' traces as one story.

use crate::files::place;
use crate::several::{HOSTILE, traces};
use crate::util::{ended, parsed, printed, refused};

fn with<'a>(traces: &'a [String], more: &[&'a str]) -> Vec<&'a str> {
    traces.iter().map(String::as_str).chain(more.iter().copied()).collect()
}

#[test]
fn people_get_the_nodes_their_clocks_the_counts_and_the_timeline() {
    let traces = traces("trace-merge-human");
    let text = printed(&["trace", "merge"], &with(&traces, &[]));
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("node") && lines[0].contains("clock offset"), "{text}");
    assert!(lines[1].starts_with("web-1 ") && lines[1].contains("  reference  "), "{text}");
    // The second node's clock is a second ahead, and its name commands no terminal.
    assert!(
        lines[2].starts_with("web-2\\u{1b}[2J") && (lines[2].contains(" -0.99") || lines[2].contains(" -1.00")),
        "{text}"
    );
    assert!(lines[4].starts_with("db-1 ") && lines[5].starts_with("db-1 "), "{text}");
    assert!(!text.contains('\x1b'));
    let counts = |what: &str| lines.iter().find(|line| line.starts_with(what)).unwrap_or_else(|| panic!("{text}"));
    assert!(
        counts("sent ").contains(" matched, ") && counts("received ").contains(" 0 that are not in their"),
        "{text}"
    );
    let timeline: Vec<&&str> = lines.iter().skip_while(|line| !line.starts_with("received ")).skip(2).collect();
    assert!(timeline.iter().any(|line| line.contains("; member_down db-1 1.0")), "{text}");
    assert!(
        timeline.iter().any(|line| line.contains("LOST"))
            && timeline.iter().any(|line| line.contains("→ ping to db-1 in 0.0"))
    );
    let datagrams = timeline.iter().filter(|line| line.contains(" ack from web-1, step ")).count();
    assert!(datagrams > 20, "{text}");
}

#[test]
fn programs_get_one_document() {
    let traces = traces("trace-merge-json");
    let json = parsed(&printed(&["trace", "merge"], &with(&traces, &["--format", "json"])));
    let nodes = json["nodes"].as_array().unwrap();
    let names: Vec<&str> = nodes.iter().map(|node| node["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["web-1", "web-2\x1b[2J", HOSTILE, "db-1", "db-1"]);
    assert_eq!((nodes[3]["id"].as_str(), nodes[4]["epoch"].as_u64()), (nodes[4]["id"].as_str(), Some(2)));
    for (node, ahead) in nodes.iter().zip([0, 1_000_000, 2_000_000, 3_000_000, 77]) {
        let (offset, bound) = (node["offset_us"].as_i64().unwrap(), node["bound_us"].as_i64().unwrap());
        assert!((offset + ahead).abs() <= bound && bound < 5_000, "{node}");
    }
    assert!(json["totals"]["lost"].as_u64().unwrap() > 5);
    let timeline = json["timeline"].as_array().unwrap();
    let steps: u64 = nodes.iter().map(|node| node["steps"].as_u64().unwrap()).sum();
    assert_eq!(timeline.len() as u64, steps);
    for datagram in json["datagrams"].as_array().unwrap() {
        let received = datagram["received"].as_u64();
        assert_eq!(received.is_some(), datagram["fate"] == "received");
        assert!(received.is_none_or(|received| datagram["sent"].as_u64().unwrap() < received));
    }
}

#[test]
fn what_is_wrong_with_a_trace_is_said_and_the_rest_is_used() {
    let traces = traces("trace-merge-wrong");
    let bytes = std::fs::read(&traces[1]).unwrap();
    std::fs::write(&traces[1], &bytes[..bytes.len() - 20]).unwrap();
    let (code, out, why) = ended(&["trace", "merge"], &with(&traces, &[]));
    let says = |why: &str, what: &str| why.matches(&traces[1]).count() == 1 && why.contains(what);
    assert!(code == 0 && says(&why, "the file ends here"), "{why}");
    assert!(out.lines().nth(3).is_some_and(|line| line.contains("block")), "{out}");

    // Damage before the end is told behind what is intact, by all that take several traces.
    let mut spoilt = bytes;
    let middle = spoilt.len() / 2;
    spoilt[middle] ^= 1;
    std::fs::write(&traces[1], &spoilt).unwrap();
    let file = place("trace-merge-wrong.out");
    let into = ["-o", file.to_str().unwrap()];
    for (command, more) in [(&["merge"][..], &[][..]), (&["export", "shiviz"], &[]), (&["html"], &into)] {
        let _ = std::fs::remove_file(&file);
        let (code, out, why) = ended(&[&["trace"], command].concat(), &with(&traces, more));
        assert!(code == 2 && says(&why, "the checksum is wrong"), "{command:?}: {why}");
        assert!(out.contains("web-1") || std::fs::metadata(&file).is_ok_and(|page| page.len() > 10_000), "{out}");
    }

    let none = place("trace-merge-none");
    std::fs::write(&none, "{}").unwrap();
    refused(&["trace", "merge"], &[none.to_str().unwrap()], &["trace-merge-none"]);
    refused(&["trace", "merge"], &["nowhere.swt"], &["nowhere.swt", "cannot be read"]);
    refused(&["trace", "merge"], &[], &["TRACE"]);
    let help = printed(&["trace", "merge", "--help"], &[]);
    assert!(
        ["bound_us", "unix_micros", "to_not_traced", "Exit codes"].iter().all(|word| help.contains(word)),
        "{help}"
    );
}
