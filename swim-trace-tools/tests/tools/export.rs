//! What is exported keeps to the rules of the formats.

use std::collections::{BTreeMap, BTreeSet};

use crate::util::skewed::World;
use serde_json::Value;
use swim_trace::Trace;
use swim_trace_tools::export::{SHIVIZ_PARSER, perfetto, shiviz};
use swim_trace_tools::merge::{Story, merge};

/// Three nodes; one dies, and comes back.
fn story() -> Story {
    let mut world = World::new(9);
    (world.lose, world.double) = (30, 30);
    for (i, name) in ["a b", "b\"\n</x>", "c"].iter().enumerate() {
        world.start(name, i as u16 + 1, 1, 1_000_000 * i as u64);
        if i > 0 {
            world.join(i, 0);
        }
    }
    world.run(1_500);
    world.kill(2);
    world.run(4_000);
    let again = world.start("c", 3, 2, 0);
    world.join(again, 0);
    world.run(1_000);
    let traces = world.traces();
    let traces: Vec<Trace<'_>> = traces.iter().map(|bytes| Trace::open(bytes).unwrap()).collect();
    merge(&traces).unwrap()
}

#[test]
fn perfetto_reads_it() {
    let story = story();
    let json: Value = serde_json::from_str(&perfetto(&story)).unwrap();
    let events = json["traceEvents"].as_array().unwrap();
    let text = |event: &Value, key: &str| event[key].as_str().unwrap_or_default().to_owned();
    let of = |ph: &str| events.iter().filter(|e| e["ph"] == ph).cloned().collect::<Vec<_>>();
    for event in events {
        let pid = event["pid"].as_u64().unwrap() as usize;
        assert!((1..=story.nodes.len()).contains(&pid) && event["name"].is_string());
        assert!(event["ph"] == "M" || event["ts"].as_u64().is_some(), "{event}");
    }
    assert_eq!(of("M").iter().filter(|e| e["name"] == "process_name").count(), story.nodes.len());

    // Each flow begins once and ends once, in slices that are there, and not before it began.
    let place = |e: &Value| (e["pid"].as_u64(), e["tid"].as_u64(), e["ts"].as_u64());
    let slices: BTreeSet<_> = of("X").iter().map(place).collect();
    let ends: BTreeMap<u64, Value> = of("f").into_iter().map(|e| (e["id"].as_u64().unwrap(), e)).collect();
    let begins = of("s");
    assert_eq!(begins.len() as u64, story.totals.matched);
    assert_eq!(begins.iter().map(|e| e["id"].as_u64()).collect::<BTreeSet<_>>().len(), begins.len());
    assert_eq!((ends.len(), of("f").len()), (begins.len(), begins.len()));
    for begin in begins {
        let end = &ends[&begin["id"].as_u64().unwrap()];
        assert!(slices.contains(&place(&begin)) && slices.contains(&place(end)));
        assert_eq!((text(end, "bp"), &begin["cat"], &begin["name"]), ("e".into(), &end["cat"], &end["name"]));
        let slack = 2 * story.nodes.iter().filter_map(|n| n.bound_us).max().unwrap() as u64;
        assert!(begin["ts"].as_u64().unwrap() <= end["ts"].as_u64().unwrap() + slack);
    }

    // Asynchronous slices pair up by category and id, and those that are expected are there.
    let key = |e: &Value| (text(e, "cat"), e["id"].as_u64().unwrap());
    let begun: BTreeMap<_, _> = of("b").into_iter().map(|e| (key(&e), e)).collect();
    assert_eq!((begun.len(), of("e").len()), (of("b").len(), begun.len()));
    for end in of("e") {
        assert!(begun[&key(&end)]["ts"].as_u64() <= end["ts"].as_u64());
    }
    let spot = |e: &Value| (text(e, "cat"), text(e, "name"), e["pid"].as_u64(), e["ts"].as_u64());
    assert_eq!(of("b").iter().map(spot).collect::<BTreeSet<_>>().len(), of("b").len(), "each ends once");
    let spans = |cat: &str, by: &str| of("e").iter().filter(|e| e["cat"] == cat && e["args"]["ended_by"] == by).count();
    assert!(spans("probe", "ack") > 20 && spans("relay", "trace") + spans("relay", "ack") > 0);
    assert!(spans("suspicion", "member_down") >= 2);
    let open = of("e").iter().filter(|e| e["args"]["ended_by"] == "trace").count();
    assert!(open > 0 && open <= 3 * story.nodes.len(), "what goes on at the end ends there");
    assert_eq!(of("i").len(), story.timeline.iter().map(|m| m.events.len()).sum::<usize>());
}

#[test]
fn vector_clocks_hold_what_happened_before_what() {
    let story = story();
    let log = shiviz(&story);
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!((lines[0], lines[1]), (SHIVIZ_PARSER, ""));
    let entries: Vec<&[&str]> = lines[2..].chunks(2).collect();
    assert_eq!(entries.len(), story.timeline.len());
    let mut hosts = BTreeMap::new();
    let mut clocks: Vec<BTreeMap<String, u64>> = Vec::new();
    for (entry, moment) in entries.iter().zip(&story.timeline) {
        let (at, event) = entry[0].split_once(' ').unwrap();
        let (host, clock) = entry[1].split_once(' ').unwrap();
        assert!(at.parse::<f64>().is_ok() && event.starts_with(&format!("step {}: ", moment.step)));
        assert_eq!(*hosts.entry(moment.node).or_insert(host), host, "a life has one name");
        clocks.push(serde_json::from_str(clock).unwrap());
    }
    assert_eq!(hosts.values().collect::<BTreeSet<_>>().len(), story.nodes.len(), "and no other has it");
    let mut own = vec![0; story.nodes.len()];
    for (clock, moment) in clocks.iter().zip(&story.timeline) {
        own[moment.node] += 1;
        assert_eq!(clock[hosts[&moment.node]], own[moment.node], "a host counts its own entries from 1");
    }
    let before = |a: &BTreeMap<String, u64>, b: &BTreeMap<String, u64>| {
        a != b && a.iter().all(|(host, count)| b.get(host).is_some_and(|other| other >= count))
    };
    for datagram in &story.datagrams {
        let Some(received) = datagram.received else { continue };
        assert!(before(&clocks[datagram.sent], &clocks[received]));
        assert!(!before(&clocks[received], &clocks[datagram.sent]));
    }
    // Not everything is in one order: who has not heard of each other is apart.
    let apart = |a, b| !before(a, b) && !before(b, a);
    assert!(clocks.windows(2).filter(|pair| apart(&pair[0], &pair[1])).count() > 50);
}
