//! Binary, as lines, and binary again: the same bytes.

use std::sync::LazyLock;
use std::time::Duration;

use crate::util::three;
use quickcheck::{Arbitrary, Gen, QuickCheck};
use serde_json::Value;
use swim_core::{Command, Config, Event, Identity, Input, Instant, Node, NodeId, Profile, RumorId};
use swim_trace::{Block, Header, Index, Replay, Tape, Trace, block};
use swim_trace_tools::convert::{Change, Needed, convert, keyframes_needed};
use swim_trace_tools::jsonl::{JsonlError, Written, from_jsonl, is_jsonl, to_jsonl};

fn lines(bytes: &[u8]) -> (String, Written) {
    let mut out = Vec::new();
    let written = to_jsonl(&Trace::open(bytes).unwrap(), &mut out).unwrap();
    (String::from_utf8(out).unwrap(), written)
}

fn back(lines: &str) -> Result<Vec<u8>, JsonlError> {
    from_jsonl(lines.as_bytes())
}

/// There and back, both ways.
fn assert_same(bytes: &[u8]) -> String {
    let (text, written) = lines(bytes);
    assert!(back(&text).unwrap() == bytes, "not the same bytes");
    assert_eq!(lines(&back(&text).unwrap()).0, text);
    assert_eq!((written.lines, written.torn, written.damage), (text.lines().count(), 0, None));
    text
}

/// With outputs and keyframes, or without.
static RUNS: LazyLock<Vec<Vec<u8>>> =
    LazyLock::new(|| [(false, false), (true, false), (false, true), (true, true)].map(|(o, k)| three(o, k).0).into());

/// A trace whose blocks are changed as only another writer would do it.
#[derive(Clone, Debug)]
struct Odd {
    run: usize,
    blocks: Vec<Way>,
    reserved: Option<u8>,
    index: bool,
}

#[derive(Clone, Copy, Debug)]
enum Way {
    AsItIs,
    Compressed,
    /// By a compressor that does not compress.
    CompressedBadly,
    Open,
    UnknownKind(u8),
    UnknownFlag(u8),
    Reserved(u8),
    SpoiltContent(u8),
    GapBehind,
    IndexBehind,
}

impl Arbitrary for Way {
    fn arbitrary(g: &mut Gen) -> Self {
        let byte = u8::arbitrary(g);
        let ways = [
            Self::AsItIs,
            Self::Compressed,
            Self::CompressedBadly,
            Self::Open,
            Self::UnknownKind(byte | 8),
            Self::UnknownFlag(byte),
            Self::Reserved(byte),
            Self::SpoiltContent(byte),
            Self::GapBehind,
            Self::IndexBehind,
        ];
        *g.choose(&ways).unwrap()
    }
}

impl Arbitrary for Odd {
    fn arbitrary(g: &mut Gen) -> Self {
        let blocks = (0..9).map(|_| Way::arbitrary(g)).collect();
        Self { run: usize::arbitrary(g) % 4, blocks, reserved: Option::arbitrary(g), index: bool::arbitrary(g) }
    }
}

impl Odd {
    fn bytes(&self) -> Vec<u8> {
        let run = &RUNS[self.run];
        let trace = Trace::open(run).unwrap();
        let mut out = run[..16].to_vec();
        if let Some(byte) = self.reserved {
            out[12] = byte;
        }
        for (block, way) in trace.blocks().map(Result::unwrap).zip(&self.blocks) {
            // What cannot be opened is no trace.
            let is_header = block.index == 0;
            changed(&block, *way, is_header, &mut out);
        }
        if self.index {
            let index = Index::make(&Trace::open(&out).unwrap());
            index.write(&mut out);
        }
        out
    }
}

fn changed(block: &Block<'_>, way: Way, is_header: bool, out: &mut Vec<u8>) {
    let mut bytes = Vec::new();
    block.write(&mut bytes);
    let mut spoilt = block.stored.to_vec();
    match way {
        Way::Compressed => out.extend_from_slice(&block::compressed(&bytes)),
        Way::CompressedBadly => {
            // One sequence of literals: a token, more of the length, the bytes.
            let len = block.stored.len();
            let mut stored = (len as u32).to_le_bytes().to_vec();
            match len.checked_sub(15) {
                None => stored.push((len as u8) << 4),
                Some(more) => {
                    stored.push(0xf0);
                    stored.resize(stored.len() + more / 255, 255);
                    stored.push((more % 255) as u8);
                }
            }
            stored.extend_from_slice(block.stored);
            let bad = Block { flags: 1, stored: &stored, ..*block };
            assert_eq!(bad.content().unwrap(), block.stored);
            bad.write(out);
        }
        Way::Open if !is_header => Block { flags: 2, ..*block }.write(out),
        Way::UnknownKind(kind) if !is_header => Block { kind, ..*block }.write(out),
        Way::UnknownFlag(flags) if !is_header => Block { flags, ..*block }.write(out),
        Way::Reserved(byte) => Block { reserved: [0, byte], ..*block }.write(out),
        Way::SpoiltContent(byte) if !is_header && !spoilt.is_empty() => {
            let at = usize::from(byte) * 7 % spoilt.len();
            spoilt[at] ^= byte;
            Block { stored: &spoilt, ..*block }.write(out);
        }
        Way::GapBehind => {
            out.extend_from_slice(&bytes);
            block::gap(block.step, block.at, 7, out);
        }
        Way::IndexBehind => {
            out.extend_from_slice(&bytes);
            Index::default().write(out);
        }
        _ => out.extend_from_slice(&bytes),
    }
}

#[test]
fn every_trace_comes_back() {
    fn same(odd: Odd) -> bool {
        let bytes = odd.bytes();
        let (text, written) = lines(&bytes);
        written.damage.is_none() && back(&text).as_deref() == Ok(&*bytes) && lines(&back(&text).unwrap()).0 == text
    }
    QuickCheck::new().tests(150).quickcheck(same as fn(Odd) -> bool);
}

/// Whole traces have no hexadecimal blocks; keys and their order are as they are documented.
#[test]
fn what_is_known_is_readable() {
    for (run, outputs) in RUNS.iter().zip([false, true, false, true]) {
        for compress in [None, Some(true)] {
            let mut bytes = convert(&Trace::open(run).unwrap(), Change { compress, no_keyframes: false }).bytes;
            let index = Index::make(&Trace::open(&bytes).unwrap());
            index.write(&mut bytes);
            let text = assert_same(&bytes);
            let mut counts = std::collections::BTreeMap::<&str, usize>::new();
            for line in text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
                assert!(line.get("payload").is_none(), "{line}");
                let key = ["trace", "block", "in", "sent", "event"].into_iter().find(|key| line.get(key).is_some());
                *counts.entry(key.unwrap()).or_default() += 1;
            }
            assert_eq!(
                (counts["trace"], counts.contains_key("sent"), counts.contains_key("event")),
                (1, outputs, outputs)
            );
            assert_eq!(text.contains(r#""lz4":true"#), compress.is_some());
            assert!(text.ends_with("{\"block\":\"index\"}\n"));
        }
    }
    let (text, _) = lines(&RUNS[1]);
    let begins = [
        r#"{"block":"records","step":0,"at_us":5000,"digest":""#,
        r#"{"step":0,"at_us":5100,"check":"00000000","in":{"datagram":{"from":"127.0.0.1:2","bytes":"05649bfb"#,
        r#"{"sent":{"to":"127.0.0.1:2","bytes":"f8201448"#,
    ];
    for (line, begin) in text.lines().skip(1).zip(begins) {
        assert!(line.starts_with(begin), "{line}");
    }
    // Once it has proved where it is.
    let up = r#"{"event":"member_up","id":"3e35b21bfb9b6405","incarnation":"1.0"}"#;
    assert!(text.lines().any(|line| line == up), "{text}");
}

/// Every kind of input, and numbers at their ends.
#[test]
fn every_input_comes_back() {
    let me = Identity {
        id: NodeId::new(u64::MAX),
        addr: "[::1]:1".parse().unwrap(),
        epoch: u32::MAX,
        profile: Profile::new("\u{1}\"é", &[0; 512]).unwrap(),
    };
    let config = Config::wan("c");
    let mut header = Header::new(&me, &config, u64::MAX, Instant::ORIGIN);
    header.unix_micros = u64::MAX;
    let mut node = Node::new(me, config, 1, Instant::ORIGIN).unwrap();
    let mut tape = Tape::new(&header, &node);
    let seeds = ["10.0.0.1:7946".parse().unwrap(), "[2001:db8::1]:65535".parse().unwrap()];
    let profile = Profile::new("another", &[0, 255]).unwrap();
    let inputs = [
        (0, Input::Datagram { from: seeds[0], bytes: b"" }),
        (1, Input::Datagram { from: seeds[1], bytes: &[1; 300] }),
        (200, Input::Timeout),
        (200, Input::Command(Command::Join(&seeds))),
        (200, Input::Command(Command::Seeds(&[]))),
        // A clock that went back.
        (150, Input::Timeout),
        (1_000, Input::Command(Command::SetProfile(&profile))),
        (1_000, Input::SendFailed { to: seeds[1] }),
        (1_000, Input::SendBlocked),
        (1_000, Input::SendResumed),
        (u64::MAX, Input::Command(Command::Leave)),
    ];
    let mut buffer = [0; 1_400];
    for (at, input) in &inputs {
        tape.input(&node, Instant::from_micros(*at), input);
        node.handle(Instant::from_micros((*at).min(1_000)), *input);
        while node.poll_transmit(&mut buffer).is_some() {}
        while node.poll_event().is_some() {}
    }
    let text = assert_same(&tape.finish(&node));
    for name in
        ["datagram", "timeout", "join", "seeds", "leave", "set_profile", "send_failed", "send_blocked", "send_resumed"]
    {
        assert!(
            text.contains(&format!(r#""in":{{"{name}":"#)) || text.contains(&format!(r#""in":"{name}""#)),
            "{name}"
        );
    }
    assert!(
        text.contains(r#""rng_seed":"ffffffffffffffff""#) && text.contains(r#""at_us":18446744073709551615"#),
        "{text}"
    );
    assert!(text.contains(r#""at_us":150,"#), "{text}");
}

/// So do rumors and entries; what is not there is not written.
#[test]
fn application_data_comes_back() {
    let trace = Trace::open(&RUNS[0]).unwrap();
    let mut bytes = Vec::new();
    block::start(trace.header(), &mut bytes);
    let began = trace.header().began;
    let mut builder = block::Builder::new(0, began, Vec::new());
    let mut give = |command| builder.input(began, 0, &Input::Command(command));
    give(Command::Broadcast { topic: "deploys \"é", payload: &[0, 255] });
    give(Command::Put { key: "role", value: b"db", ttl: None });
    give(Command::Put { key: "lease", value: b"", ttl: Some(Duration::from_micros(1_500_001)) });
    give(Command::Delete { key: "role" });
    builder.event(&Event::Rumor { id: RumorId { origin: NodeId::new(26), epoch: 3, seq: 1 } });
    builder.event(&Event::StateChanged { id: NodeId::new(26) });
    block::finish(&builder.seal(1), &mut bytes);
    let text = assert_same(&bytes);
    let lines = [
        r#""in":{"broadcast":{"topic":"deploys \"é","payload":"00ff"}}}"#,
        r#""in":{"put":{"key":"role","value":"6462"}}}"#,
        r#""in":{"put":{"key":"lease","value":"","ttl_us":1500001}}}"#,
        r#""in":{"delete":{"key":"role"}}}"#,
        r#"{"event":"rumor","origin":"000000000000001a","epoch":3,"seq":1}"#,
        r#"{"event":"state_changed","id":"000000000000001a"}"#,
    ];
    for (line, end) in text.lines().skip(2).zip(lines) {
        assert!(line.ends_with(end), "{line}");
    }
}

/// Notes of a later version stay.
#[test]
fn unknown_notes_come_back() {
    let trace = Trace::open(&RUNS[0]).unwrap();
    let mut bytes = Vec::new();
    block::start(trace.header(), &mut bytes);
    let mut builder = block::Builder::new(0, trace.header().began, Vec::new());
    builder.input(trace.header().began, 0, &Input::Timeout);
    builder.note(200, b"new");
    // An event that is not known here.
    builder.note(65, &[255, 1]);
    block::finish(&builder.seal(1), &mut bytes);
    let text = assert_same(&bytes);
    assert!(
        text.contains(r#"{"note":200,"bytes":"6e6577"}"#) && text.contains(r#"{"note":65,"bytes":"ff01"}"#),
        "{text}"
    );
}

#[test]
fn a_torn_tail_is_left_out_and_damage_ends_it() {
    let run = &RUNS[3];
    let trace = Trace::open(run).unwrap();
    let blocks: Vec<_> = trace.blocks().map(Result::unwrap).collect();
    let last = blocks.last().unwrap();
    let (text, written) = lines(&run[..run.len() - 5]);
    assert_eq!((written.torn, written.blocks, written.damage), (last.len() - 5, blocks.len() - 1, None));
    assert_eq!(back(&text).unwrap(), run[..last.offset]);

    let mut spoilt = run.clone();
    spoilt[blocks[3].offset + 30] ^= 1;
    let (text, written) = lines(&spoilt);
    let damage = written.damage.unwrap();
    assert_eq!((written.torn, written.blocks, damage.block, damage.offset), (0, 3, 3, blocks[3].offset));
    assert_eq!(back(&text).unwrap(), run[..blocks[3].offset]);
}

/// Lines that were committed before the configuration had a field are read with its default.
#[test]
fn missing_fields_of_the_configuration_are_the_presets() {
    let (text, _) = lines(&RUNS[1]);
    let (first, rest) = text.split_once('\n').unwrap();
    let mut start: Value = serde_json::from_str(first).unwrap();
    let config = start["header"]["config"].as_object_mut().unwrap();
    config.remove("evidence_max");
    config.remove("probe_interval");
    let bytes = back(&format!("{start}\n{rest}")).unwrap();
    let mut wanted = Config::local("c");
    wanted.probe_interval = Config::lan("c").probe_interval;
    assert_eq!(Trace::open(&bytes).unwrap().header().config, wanted);

    config_field(&mut start, "evidence_maximum");
    config_field(&mut start, "later");
    let refused = back(&start.to_string()).unwrap_err();
    assert_eq!(refused.line, 1);
    assert_eq!(refused.what, r#""config": the fields "evidence_maximum", "later" are not known here"#);
}

fn config_field(start: &mut Value, key: &str) {
    start["header"]["config"][key] = Value::from(1);
}

#[test]
fn what_is_wrong_is_named_by_its_line() {
    let (text, _) = lines(&RUNS[1]);
    let replaced = |line: usize, with: &str| {
        let mut all: Vec<&str> = text.lines().collect();
        all[line - 1] = with;
        all.join("\n")
    };
    let cases = [
        (3, "{", "this is no JSON object"),
        (3, "[1]", "this is no JSON object"),
        (3, r#"{"step":7,"at_us":5000,"check":"00000000","in":"timeout"}"#, "step 7 where step 0 belongs"),
        (3, r#"{"step":0,"at_us":5000,"check":"000000","in":"timeout"}"#, "6 hexadecimal digits where 8 belong"),
        (3, r#"{"step":0,"at_us":5000,"check":"00000000","in":"later"}"#, "later"),
        (3, r#"{"step":0,"at_us":5000,"check":"00000000","in":"timeout","x":1}"#, "the field \"x\" is not known"),
        (3, r#"{"step":0,"at_us":5000,"in":"timeout"}"#, "\"check\" is missing"),
        (3, r#"{"note":1,"bytes":""}"#, "those of notes begin with 64"),
        (3, r#"{"event":"later"}"#, "later"),
        (3, r#"{"more":1}"#, "one of the keys"),
        (2, r#"{"block":"later"}"#, "\"later\""),
        (2, r#"{"block":256,"step":0,"at_us":0,"flags":0,"payload":""}"#, "up to 255"),
        (2, r#"{"step":0,"at_us":5000,"check":"00000000","in":"timeout"}"#, "there is none before it"),
        (1, r#"{"trace":2}"#, "version 2 of the format"),
        (1, r#"{"header":{}}"#, "\"trace\" is missing"),
    ];
    for (line, with, what) in cases {
        let refused = back(&replaced(line, with)).unwrap_err();
        assert!(refused.line == line && refused.what.contains(what), "{line} {with}: {refused}");
    }
    // A clock that was set back is none of it.
    let set_back = r#"{"step":0,"at_us":4999,"check":"00000000","in":"timeout"}"#;
    assert!(lines(&back(&replaced(3, set_back)).unwrap()).0.contains(set_back));
    assert!(back("").unwrap_err().what.contains("no line"));
    assert!(back("{\"trace\":1}\n").unwrap_err().what.contains("header is missing"));
    let double = format!("{text}{{\"block\":\"index\"}}\n{{\"block\":\"index\"}}\n");
    assert_eq!(back(&double).unwrap_err().what, "an index is the last block, and here is another");
    assert!(is_jsonl(text.as_bytes()) && !is_jsonl(&RUNS[0]));
}

#[test]
fn without_keyframes_a_trace_replays_alike() {
    let mut run = RUNS[2].clone();
    Index::make(&Trace::open(&RUNS[2]).unwrap()).write(&mut run);
    let trace = Trace::open(&run).unwrap();
    assert_eq!(keyframes_needed(&trace), Ok(()));
    let bare = convert(&trace, Change { no_keyframes: true, compress: None }).bytes;
    let bare = Trace::open(&bare).unwrap();
    assert!(bare.blocks().all(|block| block.unwrap().kind <= 2));
    let (with, without) = (Replay::new(&trace).unwrap().run().0, Replay::new(&bare).unwrap().run().0);
    assert_eq!((with.keyframes, without.keyframes, without.divergences), (3, 0, 0));
    assert_eq!((with.steps, with.state_hash), (without.steps, without.state_hash));

    // The index is that of the blocks as they are now.
    let small = convert(&trace, Change { no_keyframes: false, compress: Some(true) }).bytes;
    assert!(small.len() < run.len());
    let packed = Trace::open(&small).unwrap();
    assert_eq!(Index::of(&packed), Index::make(&packed));
    assert_eq!(convert(&packed, Change { no_keyframes: false, compress: Some(false) }).bytes, run);

    let blocks: Vec<_> = trace.blocks().map(Result::unwrap).collect();
    let later = [&run[..blocks[1].offset], &run[blocks[2].offset..]].concat();
    assert_eq!(keyframes_needed(&Trace::open(&later).unwrap()), Err(Needed::Beginning));
    let broken = [&run[..blocks[3].offset], &run[blocks[4].offset..]].concat();
    assert_eq!(keyframes_needed(&Trace::open(&broken).unwrap()), Err(Needed::Gap));
    let mut told = run[..blocks[2].offset].to_vec();
    block::gap(blocks[2].step, blocks[2].at, 1, &mut told);
    assert_eq!(keyframes_needed(&Trace::open(&told).unwrap()), Err(Needed::Gap));
}

/// The length of a record has 24 bits.
#[test]
fn a_record_that_is_too_long_is_refused() {
    let (bytes, _) = three(false, false);
    let mut lines = Vec::new();
    to_jsonl(&Trace::open(&bytes).unwrap(), &mut lines).unwrap();
    let head: Vec<&[u8]> = lines.split(|&b| b == b'\n').take(2).collect();
    let with = |len: usize| {
        let note = format!("{{\"note\":200,\"bytes\":\"{}\"}}", "00".repeat(len));
        from_jsonl(&[head[0], head[1], note.as_bytes()].join(&b"\n"[..]))
    };
    assert!(with((1 << 24) - 1).is_ok());
    let refused = with(1 << 24).unwrap_err();
    assert!(refused.line == 3 && refused.what.contains("16777215"), "{refused}");
}
