//! `swim agent`: what it prints, and how it ends.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Command;

use crate::util::{Swim, parsed};

const JSONL: [&str; 2] = ["--format", "jsonl"];

#[test]
fn two_meet_and_one_leaves() {
    let (mut a, addr_a) = Swim::agent("a", &JSONL);
    let (mut b, addr_b) = Swim::agent("b", &["--join", &addr_a, "--meta", "zone=x", "--format", "jsonl"]);
    let up = a.stdout.find_event("member_up");
    assert_eq!((&up["name"], &up["addr"], &up["meta"]), (&"b".into(), &addr_b.as_str().into(), &"zone=x".into()));
    assert_eq!(b.stdout.find_event("joined")["members"], 2);

    b.signal("-TERM");
    let down = a.stdout.find_event("member_down");
    assert_eq!((&down["name"], &down["left"], &down["id"]), (&"b".into(), &true.into(), &up["id"]));
    assert_eq!(b.exit_code(), Some(0));
    a.signal("-INT");
    assert_eq!(a.exit_code(), Some(0));

    for (name, lines) in [("a", &a.stdout.seen), ("b", &b.stdout.seen)] {
        let events: Vec<_> = lines.iter().map(|line| parsed(line)).collect();
        let (first, last) = (&events[0], &events[events.len() - 1]);
        assert_eq!(
            (&first["event"], &first["name"], &first["cluster"]),
            (&"started".into(), &name.into(), &"test".into())
        );
        assert_eq!((&last["event"], &last["name"]), (&"left".into(), &name.into()));
        for event in &events {
            assert!(event["id"].as_str().is_some_and(|id| id.len() == 16), "{event}");
            assert!(event["addr"].is_string() && event["incarnation"].is_string(), "{event}");
        }
        let times: Vec<u64> = events.iter().map(|event| event["at_ms"].as_u64().expect("a number")).collect();
        assert!(times.is_sorted(), "{times:?}");
    }
}

/// What a node puts into its state when it starts, all others are told.
#[test]
fn tags_are_told_to_all() {
    let (mut a, addr_a) = Swim::agent("a", &["--format", "jsonl", "--tag", "role=db=1", "--tag", "zone=x"]);
    let (mut b, _) = Swim::agent("b", &["--join", &addr_a, "--format", "jsonl"]);
    for swim in [&mut a, &mut b] {
        let mut tags: Vec<_> = (0..2).map(|_| swim.stdout.find_event("state_set")).collect();
        tags.sort_by_key(|tag| tag["key"].to_string());
        for (tag, (key, value)) in tags.iter().zip([("role", "db=1"), ("zone", "x")]) {
            assert_eq!((&tag["name"], &tag["key"], &tag["value"]), (&"a".into(), &key.into(), &value.into()));
            assert!(tag["version"].is_u64() && tag["incarnation"].is_string(), "{tag}");
        }
    }
    b.signal("-TERM");
    assert_eq!(b.exit_code(), Some(0));
}

#[test]
fn people_read_who_has_come_and_who_has_left() {
    let (mut a, addr_a) = Swim::agent("a", &[]);
    assert!(a.stdout.find_state("started", "a").starts_with("+0."));
    let (mut b, addr_b) = Swim::agent("b", &["--join", &addr_a]);
    assert!(a.stdout.find_state("alive", "b").contains(&addr_b));
    b.stdout.find_state("joined", "b");
    b.signal("-INT");
    assert!(a.stdout.find_state("left", "b").contains(&addr_b));
    assert_eq!(b.exit_code(), Some(0));
    b.stdout.seen.iter().for_each(|line| assert!(line.starts_with('+') && !line.contains('\x1b'), "{line}"));
}

#[test]
fn who_is_killed_is_suspected_and_dead() {
    let (mut a, addr) = Swim::agent("a", &["--preset", "local"]);
    let (b, _) = Swim::agent("b", &["--preset", "local", "--join", &addr]);
    a.stdout.find_state("alive", "b");
    b.signal("-KILL");
    assert!(a.stdout.find_state("suspect", "b").ends_with("(accused by a)"));
    a.stdout.find_state("dead", "b");
}

/// The first silence, who accused, and what it came to: below the events that it explains, and nowhere else.
#[test]
fn a_death_is_explained_when_that_is_wanted() {
    let (mut a, addr) = Swim::agent("a", &["--preset", "local", "--why"]);
    let (b, _) = Swim::agent("b", &["--preset", "local", "--join", &addr]);
    a.stdout.find_state("alive", "b");
    b.signal("-KILL");
    a.stdout.find_state("suspect", "b");
    a.stdout.find(|line| line.starts_with("  ") && line.contains("my probe (nonce ") && line.contains("no relay"));
    a.stdout.find(|line| line.contains("accused by this node; dead in "));
    let verdict = a.stdout.find(|line| line.starts_with("  verdict: "));
    assert!(verdict.starts_with("  verdict: suspect, found here: no ack to my probe"), "{verdict}");
    a.stdout.find_state("dead", "b");
    a.stdout.find(|line| line.contains("my probe (nonce "));
    a.stdout.find(|line| line.ends_with("dead: its time ran out here"));
    let verdict = a.stdout.find(|line| line.starts_with("  verdict: "));
    assert!(
        verdict.starts_with("  verdict: dead, declared here: no ack to my probe, and no relay to ask"),
        "{verdict}"
    );
    assert!(verdict.contains("1 accuser, no refutation in "), "{verdict}");
}

#[test]
fn programs_are_told_why_as_an_array() {
    let (mut a, addr) = Swim::agent("a", &["--preset", "local", "--format", "jsonl", "--why"]);
    let (b, _) = Swim::agent("b", &["--preset", "local", "--join", &addr]);
    let up = a.stdout.find_event("member_up");
    assert!(up.get("why").is_none(), "{up}");
    b.signal("-KILL");
    for (event, last) in [("member_suspect", "suspected"), ("member_down", "dead")] {
        let event = a.stdout.find_event(event);
        let why = event["why"].as_array().unwrap_or_else(|| panic!("no array in {event}"));
        let names: Vec<&str> = why.iter().filter_map(|fact| fact["fact"].as_str()).collect();
        assert_eq!((names.len(), names.last()), (why.len(), Some(&last)), "{event}");
        let failed = why.iter().find(|fact| fact["fact"] == "probe_failed").expect("its own probe failed");
        assert!(failed["nonce"].as_str().is_some_and(|nonce| nonce.len() == 8), "{failed}");
        assert!(failed["relays"] == 0 && failed["waited_ms"].is_u64() && failed["health"].is_u64(), "{failed}");
        let suspected = why.iter().find(|fact| fact["fact"] == "suspected").expect("it was accused");
        assert_eq!(suspected["by_name"], "a");
        let ago: Vec<u64> = why.iter().map(|fact| fact["ago_ms"].as_u64().expect("a number")).collect();
        assert!(ago.iter().rev().is_sorted() && ago.last() == Some(&0), "{ago:?}");
    }
}

/// Both are told, and where the other is; the one that has to give way ends, and says what to do about it.
#[test]
fn of_two_nodes_with_one_name_one_stays() {
    let (_seed, addr) = Swim::agent("seed", &["--preset", "local"]);
    let join = ["--preset", "local", "--format", "jsonl", "--join", &addr];
    let (mut a, addr_a) = Swim::agent("twin", &join);
    a.stdout.find_event("joined");
    let (mut b, addr_b) = Swim::agent("twin", &join);
    let (told_a, told_b) = (a.stdout.find_event("conflict"), b.stdout.find_event("conflict"));
    assert_eq!((&told_a["with"], &told_b["with"]), (&addr_b.as_str().into(), &addr_a.as_str().into()));
    let (mut loser, mut winner, with) = match (told_a["parked"].as_bool(), told_b["parked"].as_bool()) {
        (Some(true), Some(false)) => (a, b, addr_b),
        (Some(false), Some(true)) => (b, a, addr_a),
        neither => panic!("one of two: {neither:?}"),
    };
    assert_eq!(loser.exit_code(), Some(1));
    let why = loser.stderr.text();
    assert!(why.contains(&with) && why.contains("\"twin\"") && why.contains("another --name"), "{why}");
    assert!(winner.is_running());
    winner.signal("-TERM");
    assert_eq!(winner.exit_code(), Some(0));
}

/// With the command that the first has printed, the next joins, whatever the names are.
#[test]
fn the_printed_command_joins_the_next_node() {
    let args = ["agent", "--cluster", "it's a $test", "--name", "web 1", "--bind", "127.0.0.1:0", "--preset", "local"];
    let mut first = Swim::start(&args);
    let hint = first.stderr.find(|line| line.starts_with("to join this node: "));
    let command = hint.split_once(": ").unwrap().1;
    let mut next = Swim::spawn(Command::new("sh").args(["-c", &format!("exec {command} --format jsonl")]), usize::MAX);
    assert_eq!(next.stdout.find_event("joined")["name"], "web 2");
    first.stdout.find(|line| line.contains("alive") && line.contains("web 2"));
    next.signal("-TERM");
    assert_eq!(next.exit_code(), Some(0));
}

#[test]
fn a_node_can_be_reached_elsewhere_than_it_listens() {
    let args = ["agent", "--cluster", "test", "--name", "a", "--bind", "0.0.0.0:0", "--advertise", "127.0.0.1:0"];
    let mut a = Swim::start(&[&args[..], &JSONL].concat());
    let addr = a.stdout.find_event("started")["addr"].as_str().unwrap().to_owned();
    assert!(addr.starts_with("127.0.0.1:") && !addr.ends_with(":0"), "{addr}");
    let (mut b, _) = Swim::agent("b", &["--join", &addr, "--format", "jsonl"]);
    assert_eq!(b.stdout.find_event("joined")["members"], 2);
    // From the way to a seed it follows where this one is reached.
    let args = ["agent", "--cluster", "test", "--name", "c", "--bind", "0.0.0.0:0", "--join", &addr];
    let mut c = Swim::start(&[&args[..], &JSONL].concat());
    assert!(c.stdout.find_event("started")["addr"].as_str().unwrap().starts_with("127.0.0.1:"));
    assert_eq!(c.stdout.find_event("joined")["members"], 3);
}

/// Seeds that nobody answers at: the node goes on, and its user is told what to look at.
#[test]
fn silent_seeds_are_named() {
    let closed = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (mut a, addr) = Swim::agent("a", &["--join", &closed]);
    let notice = a.stderr.find(|line| line.starts_with("no answer yet"));
    assert!(notice.contains(&closed) && notice.contains("cluster \"test\""), "{notice}");
    assert!(notice.contains("is it without keys"), "{notice}");
    // A foreign cluster's node is as silent, and this one's still comes through.
    let (mut b, _) = Swim::agent("b", &["--join", &addr]);
    b.stdout.find_state("joined", "b");
}

/// Seeds by name: one that is there, and one with a label so long that a resolver need not ask anybody to refuse it.
#[test]
fn seeds_may_have_names() {
    let (mut a, addr) = Swim::agent("a", &JSONL);
    let port = addr.rsplit_once(':').unwrap().1;
    let nobody = format!("{}.example:1", "x".repeat(64));
    let seeds = format!("{nobody},localhost:{port}");
    let (mut b, _) = Swim::agent("b", &["--join", &seeds, "--preset", "local", "--format", "jsonl"]);
    // It may come before the line that tells how to join this node, and after it.
    let notice = b.stderr.find_any(|line| line.starts_with(&nobody));
    assert!(notice.contains("has no address yet (") && notice.contains("still trying"), "{notice}");
    assert_eq!(b.stdout.find_event("joined")["members"], 2);
    a.stdout.find_event("member_up");
    b.signal("-TERM");
    assert_eq!(b.exit_code(), Some(0));
    assert_eq!(b.stderr.seen.iter().filter(|line| line.contains(&nobody)).count(), 1, "{:?}", b.stderr.seen);
}

/// The node has left, but its process waits for a reader that will never come; the second signal ends that.
#[test]
fn a_second_signal_ends_at_once() {
    for (second, code) in [("-INT", 130), ("-TERM", 143)] {
        let (_nobody, full) = full_stream();
        let args = ["agent", "--cluster", "test", "--name", "a", "--bind", "127.0.0.1:0"];
        let mut a = Swim::start_into(&args, OwnedFd::from(full));
        a.stderr.find(|line| line.starts_with("to join this node: "));
        a.signal("-INT");
        a.stderr.find(|line| line.starts_with("leaving; "));
        assert!(a.is_running());
        a.signal(second);
        assert_eq!(a.exit_code(), Some(code));
    }
}

/// A stream whose next write blocks.
fn full_stream() -> (UnixStream, UnixStream) {
    let (ours, mut full) = UnixStream::pair().unwrap();
    full.set_nonblocking(true).unwrap();
    while full.write(b"\n").is_ok() {}
    full.set_nonblocking(false).unwrap();
    (ours, full)
}

/// `swim agent | head -1`: the next line has no reader, so the node leaves.
#[test]
fn without_a_reader_the_node_leaves_quietly() {
    let args = ["agent", "--cluster", "test", "--name", "a", "--bind", "127.0.0.1:0"];
    let mut a = Swim::start_read_by(&args, 1);
    let hint = a.stderr.find(|line| line.starts_with("to join this node: "));
    let addr = hint.rsplit(' ').next().unwrap();
    a.stdout.drain();
    let (mut b, _) = Swim::agent("b", &["--join", addr]);
    assert_eq!(a.exit_code(), Some(0));
    assert_eq!(a.stderr.seen.len(), 2, "what it is not, and how to join it: {:?}", a.stderr.seen);
    b.stdout.find_state("left", "a");
}

/// What is counted is told when it is asked for, as often as it is, and the node goes on.
#[test]
fn a_signal_shows_the_counters() {
    let (mut a, addr) = Swim::agent("a", &["--preset", "local"]);
    let mut counters = || {
        a.signal("-USR1");
        parsed(a.stderr.find(|line| line.starts_with("SIGUSR1: ")).trim_start_matches("SIGUSR1: "))
    };
    let alone = counters();
    assert_eq!((&alone["driver"]["datagrams_received"], &alone["node"]["probes"]), (&0.into(), &0.into()), "{alone}");
    let (mut b, _) = Swim::agent("b", &["--preset", "local", "--join", &addr]);
    b.stdout.find_state("joined", "b");
    let met = counters();
    let count = |part: &str, name: &str| met[part][name].as_u64().unwrap_or_else(|| panic!("no {name} in {met}"));
    assert!(count("driver", "datagrams_received") > 0 && count("driver", "datagrams_sent") > 0, "{met}");
    assert!(count("node", "datagrams_accepted") > 0 && count("driver", "refused_key") == 0, "{met}");
    assert_eq!(a.stderr.text().matches("SIGUSR1: ").count(), 2);
    a.signal("-TERM");
    assert_eq!(a.exit_code(), Some(0));
    assert!(!a.stderr.text().contains("counted: "), "that is for the log: {}", a.stderr.text());
}

/// Logs go to standard error, and only when they are asked for.
#[test]
fn logs_are_apart_from_data() {
    let (mut a, _) = Swim::agent("a", &["--verbose", "--format", "jsonl"]);
    a.stdout.find_event("started");
    a.signal("-TERM");
    assert_eq!(a.exit_code(), Some(0));
    assert!(a.stderr.text().contains("DEBUG") && a.stderr.text().contains("Left"), "{}", a.stderr.text());
    let counted = a.stderr.find_any(|line| line.contains("counted: {"));
    let counters = parsed(counted.split_once("counted: ").unwrap().1);
    assert!(counters["driver"]["commands"].as_u64() >= Some(1), "the wish to leave was one: {counters}");
    a.stdout.seen.iter().for_each(|line| drop(parsed(line)));
}

#[test]
fn cluster_and_preset_come_from_a_file() {
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("agent.toml");
    std::fs::write(&file, "cluster = 'filed'\npreset = 'local'\nprobe_interval = '150ms'\n").unwrap();
    let args =
        ["agent", "--name", "a", "--bind", "127.0.0.1:0", "--format", "jsonl", "--config", file.to_str().unwrap()];
    let mut a = Swim::start(&args);
    assert_eq!(a.stdout.find_event("started")["cluster"], "filed");
    let hint = a.stderr.find(|line| line.starts_with("to join this node: "));
    assert!(hint.contains("--cluster filed") && hint.contains("--config ") && !hint.contains("--preset"), "{hint}");
    a.signal("-TERM");
    assert_eq!(a.exit_code(), Some(0));
}
