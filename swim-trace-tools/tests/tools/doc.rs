//! The vectors of `docs/trace.md` are those of the code.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use swim_core::{Command, Config, Event, Identity, Incarnation, Input, Instant, Node, NodeId, Profile, RumorId};
use swim_trace::block::{self, Builder};
use swim_trace::{Digest, Header, Index, Trace};
use swim_trace_tools::jsonl::{from_jsonl, to_jsonl};

const DOC: &str = include_str!("../../../docs/trace.md");

/// The blocks of text that are marked with a language and a name, by both.
fn vectors(language: &str) -> BTreeMap<&'static str, String> {
    let mut found = BTreeMap::new();
    for part in DOC.split("\n```").skip(1).step_by(2) {
        let (mark, text) = part.split_once('\n').unwrap();
        if let Some(name) = mark.strip_prefix(language).and_then(|name| name.strip_prefix(' ')) {
            assert!(found.insert(name, text.to_owned()).is_none(), "{name} is there twice");
        }
    }
    found
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn me() -> Identity {
    let profile = Profile::new("a", b"m").unwrap();
    Identity { id: NodeId::new(0x1234), addr: "10.0.0.1:7946".parse().unwrap(), epoch: 1, profile }
}

fn header() -> Header {
    let mut header = Header::new(&me(), &Config::lan("c"), 7, Instant::from_micros(1_000));
    // Of their own, so that the vectors stay when these change.
    header.core = "0.1.0".into();
    header.snapshot_version = 1;
    header.unix_micros = 1_790_000_000_000_000;
    header.outputs = true;
    header
}

fn addrs() -> [SocketAddr; 2] {
    ["10.0.0.2:7946".parse().unwrap(), "[2001:db8::1]:80".parse().unwrap()]
}

/// What a block of records has between its digest and its tail.
fn record(record: impl FnOnce(&mut Builder)) -> Vec<u8> {
    let mut builder = Builder::new(0, Instant::ORIGIN, Vec::new());
    record(&mut builder);
    let block = builder.seal(0);
    block[block::OVERHEAD..block.len() - 8].to_vec()
}

/// A time that is no later than the one before, so that it stands in a record of its own.
fn earlier() -> Vec<u8> {
    record(|builder| {
        builder.input(Instant::from_micros(300), 0xdead_beef, &Input::Timeout);
        builder.input(Instant::from_micros(200), 0xdead_beef, &Input::Timeout);
    })
}

fn input(input: Input<'_>) -> Vec<u8> {
    record(|builder| builder.input(Instant::from_micros(300), 0xdead_beef, &input))
}

fn put(key: &str, value: &[u8], ttl: Option<Duration>) -> Vec<u8> {
    input(Input::Command(Command::Put { key, value, ttl }))
}

fn events() -> Vec<(&'static str, Event)> {
    let (id, incarnation) = (NodeId::new(0x1234), Incarnation::new(2, 3));
    vec![
        ("event member_up", Event::MemberUp { id, incarnation }),
        ("event member_restarted", Event::MemberRestarted { id, incarnation }),
        ("event member_updated", Event::MemberUpdated { id }),
        ("event member_moved", Event::MemberMoved { id, from: addrs()[0] }),
        ("event member_suspect", Event::MemberSuspect { id, incarnation, by: Some(NodeId::new(1)) }),
        ("event member_refuted", Event::MemberRefuted { id, incarnation }),
        ("event member_down", Event::MemberDown { id, incarnation, left: true }),
        ("event member_forgotten", Event::MemberForgotten { id }),
        ("event refuted", Event::Refuted { incarnation }),
        ("event conflict", Event::Conflict { with: addrs()[1], parked: false }),
        ("event joined", Event::Joined { members: 300 }),
        ("event converged", Event::Converged { members: 2 }),
        ("event diverged", Event::Diverged),
        ("event left", Event::Left),
        ("event health", Event::Health { score: 1 }),
        ("event rumor", Event::Rumor { id: RumorId { origin: id, epoch: 2, seq: 300 } }),
        ("event state_changed", Event::StateChanged { id }),
        ("event lagged", Event::Lagged { missed: 5 }),
        ("event address_conflict", Event::AddressConflict { id, with: NodeId::new(1) }),
    ]
}

fn records() -> Vec<u8> {
    let mut builder = Builder::new(0, Instant::from_micros(1_000), Vec::new());
    builder.input(Instant::from_micros(1_300), 0, &Input::Timeout);
    builder.sent(addrs()[0], b"hi");
    builder.event(&Event::Health { score: 1 });
    builder.input(Instant::from_micros(1_600), 0x89ab_cdef, &Input::Datagram { from: addrs()[0], bytes: b"hi" });
    let mut out = Vec::new();
    block::finish(&builder.seal(0x0123_4567_89ab_cdef), &mut out);
    out
}

fn keyframe() -> Vec<u8> {
    let mut out = Vec::new();
    block::keyframe(1, Instant::from_micros(1_300), 0x0123_4567_89ab_cdef, b"snapshot", &mut out);
    out
}

fn gap() -> Vec<u8> {
    let mut out = Vec::new();
    block::gap(1, Instant::from_micros(1_300), 41, &mut out);
    out
}

/// Start, header, records, keyframe, gap, index.
fn whole() -> Vec<u8> {
    let mut out = Vec::new();
    block::start(&header(), &mut out);
    out.extend_from_slice(&records());
    out.extend_from_slice(&keyframe());
    out.extend_from_slice(&gap());
    let index = Index::make(&Trace::open(&out).unwrap());
    index.write(&mut out);
    out
}

fn known() -> BTreeMap<&'static str, Vec<u8>> {
    let mut start = Vec::new();
    block::start(&header(), &mut start);
    let seeds = addrs();
    let profile = Profile::new("b", &[0, 255]).unwrap();
    let index = whole().split_off([&start[..], &records(), &keyframe(), &gap()].concat().len());
    let mut all = BTreeMap::from([
        ("start", start[..16].to_vec()),
        ("header", start[16..].to_vec()),
        ("records", records()),
        ("keyframe", keyframe()),
        ("gap", gap()),
        ("index", index),
        ("datagram", input(Input::Datagram { from: seeds[0], bytes: b"hi" })),
        ("datagram over IPv6", input(Input::Datagram { from: seeds[1], bytes: b"hi" })),
        ("timeout", input(Input::Timeout)),
        ("timeout, and an earlier one", earlier()),
        ("join", input(Input::Command(Command::Join(&seeds)))),
        ("seeds", input(Input::Command(Command::Seeds(&[])))),
        ("leave", input(Input::Command(Command::Leave))),
        ("set_profile", input(Input::Command(Command::SetProfile(&profile)))),
        ("broadcast", input(Input::Command(Command::Broadcast { topic: "deploys", payload: b"v17" }))),
        ("put", put("role", b"db", None)),
        ("put, with a ttl", put("lease", b"", Some(Duration::from_millis(1_500)))),
        ("delete", input(Input::Command(Command::Delete { key: "role" }))),
        ("send_failed", input(Input::SendFailed { to: seeds[1] })),
        ("send_blocked", input(Input::SendBlocked)),
        ("send_resumed", input(Input::SendResumed)),
        ("sent", record(|builder| builder.sent(seeds[0], b"hi"))),
    ]);
    all.extend(events().into_iter().map(|(name, event)| (name, record(|builder| builder.event(&event)))));
    all
}

/// Each step of the table on its own, from the digest before.
fn digests() -> Vec<String> {
    let mut digest = Digest::default();
    let mut rows = Vec::new();
    let mut row = |what: &str, digest: Digest| rows.push(format!("| {what} | `{:016x}` |", digest.value()));
    row("nothing", digest);
    digest.sent(addrs()[0], b"hi");
    row("sent to 10.0.0.2:7946, `6869`", digest);
    digest.sent(addrs()[1], &(0..40).collect::<Vec<u8>>());
    row("sent to [2001:db8::1]:80, the bytes 0 to 39", digest);
    digest.event(&events()[4].1);
    row("event, the bytes of `event member_suspect` above", digest);
    let node = Node::new(me(), Config::lan("c"), 7, Instant::ORIGIN).unwrap();
    digest.settled(&node);
    let due = node.poll_timeout().unwrap_or(Instant::NEVER).as_micros();
    row(&format!("settled, due {due}, view hash `{:016x}`", node.view_hash()), digest);
    rows
}

#[test]
fn the_bytes_are_those_of_the_document() {
    let mut written = vectors("hex");
    assert!(written.remove("compressed").is_some(), "that is read, and not written, by another test");
    for (name, bytes) in known() {
        let text = written.remove(name).unwrap_or_else(|| panic!("no vector {name}: {}", hex(&bytes)));
        let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        assert_eq!(digits, hex(&bytes), "{name}");
    }
    assert!(written.is_empty(), "vectors that nothing makes: {written:?}");
}

/// Another compressor may write other bytes; what they stand for is the same.
#[test]
fn the_compressed_block_of_the_document_is_read() {
    let digits: String = vectors("hex")["compressed"].chars().filter(|c| !c.is_whitespace()).collect();
    let block: Vec<u8> =
        (0..digits.len() / 2).map(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).unwrap()).collect();
    let bytes = [whole(), block].concat();
    let last = Trace::open(&bytes).unwrap().blocks().last().unwrap().unwrap();
    assert!(last.is_compressed() && (last.kind, last.step, last.at) == (3, 42, Instant::from_micros(9_000)));
    assert_eq!(last.content().unwrap(), [&[1, 0, 0, 0, 0, 0, 0, 0][..], &[0; 100]].concat());
}

#[test]
fn the_digests_are_those_of_the_document() {
    for row in digests() {
        assert!(DOC.contains(&row), "{row}");
    }
}

#[test]
fn the_lines_are_those_of_the_document() {
    let bytes = whole();
    let trace = Trace::open(&bytes).unwrap();
    let mut lines = Vec::new();
    let _ = to_jsonl(&trace, &mut lines).unwrap();
    let lines = String::from_utf8(lines).unwrap();
    let written = &vectors("json")["lines"];
    assert_eq!(written.trim_end(), lines.trim_end());
    assert_eq!(from_jsonl(written.as_bytes()).unwrap(), bytes);
}
