//! The file: what is damaged is named, what is before it is read, and nothing panics.

mod util;

use std::net::SocketAddr;
use std::time::Duration;

use swim_core::{Command, Config, Event, Identity, Input, Instant, Node, NodeId, Profile};
use swim_trace::{Damage, Header, Index, Item, Recorded, Replay, Tape, Trace, block};
use util::three;

fn blocks(bytes: &[u8]) -> (usize, Option<swim_trace::TraceError>) {
    match Trace::open(bytes) {
        Ok(trace) => {
            let error = trace.blocks().find_map(Result::err);
            (trace.blocks().filter(Result::is_ok).count(), error)
        }
        Err(e) => (0, Some(e)),
    }
}

#[test]
fn a_torn_tail_costs_the_last_block_only() {
    let (bytes, _) = three(false, true);
    let trace = Trace::open(&bytes).unwrap();
    let ends: Vec<usize> = trace.blocks().map(|b| b.unwrap()).map(|b| b.offset + b.len()).collect();
    for cut in 0..bytes.len() {
        let whole = ends.iter().filter(|&&end| end <= cut).count();
        let (read, error) = blocks(&bytes[..cut]);
        assert_eq!(read, whole, "{cut}");
        match error {
            None => assert!(ends.contains(&cut), "{cut}"),
            Some(e) if cut < 8 => assert_eq!(e.damage, Damage::NotATrace),
            Some(e) if cut == 16 => assert_eq!(e.damage, Damage::NoHeader),
            Some(e) => assert!(e.is_torn(), "{cut}: {e}"),
        }
    }
}

#[test]
fn a_flipped_bit_is_named_by_block_and_offset() {
    let (bytes, _) = three(true, true);
    let trace = Trace::open(&bytes).unwrap();
    let all: Vec<_> = trace.blocks().map(Result::unwrap).collect();
    for bit in (0..bytes.len() * 8).step_by(37) {
        let mut spoilt = bytes.clone();
        spoilt[bit / 8] ^= 1 << (bit % 8);
        let (read, error) = blocks(&spoilt);
        if (10..16).contains(&(bit / 8)) {
            // Reserved, and not looked at.
            assert_eq!(error, None);
            continue;
        }
        let error = error.expect("every other bit counts");
        if bit / 8 < 16 {
            assert_eq!((read, error.offset), (0, 0));
            continue;
        }
        let hit = all.iter().rposition(|block| block.offset <= bit / 8).unwrap();
        assert_eq!((read, error.block, error.offset), (hit, hit, all[hit].offset), "{error}");
        assert!(!error.is_torn() || hit + 1 == all.len(), "{error}");
        assert!(error.to_string().starts_with(&format!("block {hit} at offset {}: ", all[hit].offset)));
    }
}

#[test]
fn what_is_no_trace_says_so() {
    let (bytes, _) = three(false, false);
    let crlf = |bytes: &[u8], from: &[u8], to: &[u8]| {
        let mut out = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            match rest.strip_prefix(from) {
                Some(behind) => {
                    out.extend_from_slice(to);
                    rest = behind;
                }
                None => {
                    out.push(rest[0]);
                    rest = &rest[1..];
                }
            }
        }
        out
    };
    let as_text = [
        crlf(&bytes, b"\r\n", b"\n"),
        crlf(&bytes, b"\n", b"\r\n"),
        bytes.iter().map(|b| b & 0x7f).collect(),
        String::from_utf8_lossy(&bytes).into_owned().into_bytes(),
        bytes.iter().map(|&b| char::from(b)).collect::<String>().into_bytes(),
    ];
    for text in as_text {
        assert_eq!(Trace::open(&text).unwrap_err().damage, Damage::TextMode);
    }
    assert_eq!(Trace::open(b"").unwrap_err().damage, Damage::NotATrace);
    assert_eq!(Trace::open(b"\x89PNG\r\n\x1a\n").unwrap_err().damage, Damage::NotATrace);
    let mut later = bytes.clone();
    later[8] = 2;
    assert_eq!(Trace::open(&later).unwrap_err().damage, Damage::Version { found: 2 });
    assert_eq!(Trace::open(&bytes[..16]).unwrap_err().damage, Damage::NoHeader);
}

/// All kinds of inputs come back as they were.
#[test]
fn every_input_comes_back() {
    let me = Identity {
        id: NodeId::new(7),
        addr: "127.0.0.1:1".parse().unwrap(),
        epoch: 3,
        profile: Profile::new("a", b"m").unwrap(),
    };
    let config = Config::lan("c");
    let mut header = Header::new(&me, &config, 1, Instant::ORIGIN);
    header.outputs = true;
    let mut node = Node::new(me, config, 1, Instant::ORIGIN).unwrap();
    let mut tape = Tape::new(&header, &node);
    let seeds: [SocketAddr; 2] = ["10.0.0.1:7946".parse().unwrap(), "[2001:db8::1]:65535".parse().unwrap()];
    let profile = Profile::new("another", &[0, 255]).unwrap();
    let inputs = [
        (0, Input::Datagram { from: seeds[0], bytes: b"" }),
        (1, Input::Datagram { from: seeds[1], bytes: &[1; 300] }),
        (200, Input::Timeout),
        (200, Input::Command(Command::Join(&seeds))),
        (100, Input::Command(Command::Seeds(&seeds))),
        (u64::MAX / 2, Input::Command(Command::SetProfile(&profile))),
        (u64::MAX / 2, Input::SendFailed { to: seeds[1] }),
        (u64::MAX / 2, Input::SendBlocked),
        (u64::MAX / 2, Input::SendResumed),
        (u64::MAX / 2, Input::Command(Command::Leave)),
    ];
    let mut buffer = [0; 1_400];
    for (at, input) in &inputs {
        tape.input(&node, Instant::from_micros(*at), input);
        node.handle(Instant::from_micros(*at), *input);
        while let Some(tx) = node.poll_transmit(&mut buffer) {
            tape.sent(tx.to, &buffer[..tx.len]);
        }
        while let Some(event) = node.poll_event() {
            tape.event(&event);
        }
    }
    let bytes = tape.finish(&node);
    let trace = Trace::open(&bytes).unwrap();
    let (mut cursor, mut n, mut told) = (trace.cursor(), 0, false);
    while let Some(item) = cursor.next() {
        match item.unwrap() {
            Item::Input { step, at, input, .. } => {
                assert_eq!((step, input.as_input()), (n as u64, inputs[n].1));
                assert_eq!(at.as_micros(), inputs[n].0);
                let owned: Recorded<'static> = input.clone().into_owned();
                assert_eq!(owned, input);
                n += 1;
            }
            Item::Event(event) => told |= event == Event::MemberUpdated { id: NodeId::new(7) },
            Item::Sent { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((n, told), (inputs.len(), true));
    assert_eq!(Replay::new(&trace).unwrap().run().0.divergences, 0);
}

/// What a trace has of these inputs.
fn recorded(inputs: &[Input<'_>]) -> Vec<Recorded<'static>> {
    let (bytes, _) = three(true, true);
    let mut out = bytes[..Trace::open(&bytes).unwrap().blocks().nth(1).unwrap().unwrap().offset].to_vec();
    let mut builder = block::Builder::new(0, Instant::from_millis(5), Vec::new());
    inputs.iter().for_each(|input| builder.input(Instant::from_millis(6), 0, input));
    block::finish(&builder.seal(0), &mut out);
    let trace = Trace::open(&out).unwrap();
    let (mut cursor, mut read) = (trace.cursor(), Vec::new());
    while let Some(item) = cursor.next() {
        if let Item::Input { input, .. } = item.unwrap() {
            let owned: Recorded<'static> = input.clone().into_owned();
            assert_eq!(owned, input);
            read.push(owned);
        }
    }
    read
}

/// So do rumors and entries.
#[test]
fn application_data_comes_back() {
    let put = |key, value, ttl| Input::Command(Command::Put { key, value, ttl });
    let inputs = [
        Input::Command(Command::Broadcast { topic: "deploys", payload: &[0, 255] }),
        Input::Command(Command::Broadcast { topic: "", payload: b"" }),
        put("role", b"db", None),
        put("röle", b"", Some(Duration::from_micros(1))),
        put("k", &[7; 1_024], Some(Config::TTL_MAX)),
        Input::Command(Command::Delete { key: "role" }),
        Input::Command(Command::Delete { key: "" }),
    ];
    let read = recorded(&inputs);
    assert_eq!(read.iter().map(Recorded::as_input).collect::<Vec<_>>(), inputs);
    let names = ["broadcast", "broadcast", "put", "put", "put", "delete", "delete"];
    assert_eq!(read.iter().map(Recorded::name).collect::<Vec<_>>(), names);
}

/// What a node refuses is kept as far as it takes to be refused again, for the same reason.
#[test]
fn what_is_refused_is_refused_again() {
    let (long, wide) = ("k".repeat(300), "ö".repeat(128));
    let forever = Some(Duration::MAX);
    let inputs = [
        Input::Command(Command::Broadcast { topic: &long, payload: &[1; 1 << 17] }),
        Input::Command(Command::Put { key: &wide, value: &[1; 1 << 17], ttl: forever }),
        Input::Command(Command::Delete { key: &long }),
    ];
    let read = recorded(&inputs);
    let config = Config::lan("c");
    for (input, read) in inputs.iter().zip(&read) {
        match (*input, read.as_input()) {
            (Input::Command(Command::Broadcast { .. }), Input::Command(Command::Broadcast { topic, payload })) => {
                assert_eq!((topic.len(), config.check_rumor(topic, payload).unwrap_err().what()), (255, "topic"));
                assert_eq!(config.check_rumor("", payload).unwrap_err().what(), "payload");
            }
            (Input::Command(Command::Put { .. }), Input::Command(Command::Put { key, value, ttl })) => {
                assert_eq!((key.len(), config.check_put(key, value, ttl).unwrap_err().what()), (254, "key"));
                assert_eq!(config.check_put("k", value, ttl).unwrap_err().what(), "value");
                assert_eq!(config.check_put("k", b"", ttl).unwrap_err().what(), "ttl");
            }
            (Input::Command(Command::Delete { .. }), Input::Command(Command::Delete { key })) => {
                assert!(config.check_key(key).is_err());
            }
            other => panic!("{other:?}"),
        }
    }
}

/// A run with them replays, as every other.
#[test]
fn application_data_replays() {
    let mut net = util::Net::new(&["a", "b"], true);
    net.join(1, 0);
    net.run(500);
    for (ttl, key) in [(None, "role"), (Some(Duration::from_micros(1_234_567)), "lease"), (None, "gone")] {
        net.give(0, Input::Command(Command::Put { key, value: b"value", ttl }));
    }
    net.give(0, Input::Command(Command::Broadcast { topic: "deploys", payload: b"v17" }));
    net.run(500);
    net.give(0, Input::Command(Command::Delete { key: "gone" }));
    net.give(1, Input::Command(Command::Put { key: "role", value: b"other", ttl: None }));
    net.run(4_000);
    for _ in 0..2 {
        let (bytes, node) = net.end(0);
        let trace = Trace::open(&bytes).unwrap();
        let mut replay = Replay::new(&trace).unwrap();
        while let Some(step) = replay.step() {
            assert!(!step.unwrap().diverged);
        }
        assert_eq!(replay.node().map(Node::snapshot), Some(node.snapshot()));
    }
}

#[test]
fn compressed_blocks_say_the_same() {
    let (bytes, _) = three(true, true);
    let trace = Trace::open(&bytes).unwrap();
    let mut small = bytes[..16].to_vec();
    let mut shrunk = 0;
    for b in trace.blocks().map(Result::unwrap) {
        let block = &bytes[b.offset..b.offset + b.len()];
        let compressed = block::compressed(block);
        assert!(compressed.len() <= block.len() && block::compressed(&compressed) == compressed);
        shrunk += usize::from(compressed.len() < block.len());
        small.extend_from_slice(&compressed);
    }
    assert!(shrunk >= 4 && small.len() < bytes.len() * 2 / 3, "{shrunk} blocks, {} of {}", small.len(), bytes.len());
    let again = Trace::open(&small).unwrap();
    assert_eq!(again.header(), trace.header());
    assert_eq!(Replay::new(&again).unwrap().run(), Replay::new(&trace).unwrap().run());
}

/// The index at the end is that of the blocks; without it, or with a damaged one, it is made again.
#[test]
fn an_index_is_read_or_made() {
    let (bytes, _) = three(false, true);
    let made = Index::make(&Trace::open(&bytes).unwrap());
    assert_eq!(Index::of(&Trace::open(&bytes).unwrap()), made);
    let mut indexed = bytes.clone();
    made.write(&mut indexed);
    let trace = Trace::open(&indexed).unwrap();
    assert_eq!((Index::of(&trace), Index::make(&trace)), (made.clone(), made.clone()));
    assert_eq!(trace.blocks().count(), made.places().len() + 1);
    // An index that lies is believed as far as there are blocks where it says: those are checked.
    let mut lie = Index::default();
    lie.push(swim_trace::Place { offset: 77, ..made.places()[2] });
    let mut indexed = bytes;
    lie.write(&mut indexed);
    let trace = Trace::open(&indexed).unwrap();
    let (summary, error) = Replay::near(&trace, Instant::from_millis(60_000)).unwrap().run();
    assert!(error.is_some() && summary.steps == 0, "{summary:?}");
}

/// Kinds of blocks and of notes that this version does not know are passed over.
#[test]
fn what_is_unknown_is_skipped() {
    let (bytes, _) = three(true, true);
    let trace = Trace::open(&bytes).unwrap();
    let all: Vec<_> = trace.blocks().map(Result::unwrap).collect();
    let mut out = bytes[..all[2].offset].to_vec();
    // A block of kind 200, made of a gap.
    let mut unknown = Vec::new();
    block::gap(1, Instant::ORIGIN, 2, &mut unknown);
    unknown[4] = 200;
    let sealed = unknown.len() - 8;
    let checksum = crc32fast::hash(&unknown[..sealed]).to_le_bytes();
    unknown[sealed..sealed + 4].copy_from_slice(&checksum);
    out.extend_from_slice(&unknown);
    out.extend_from_slice(&bytes[all[2].offset..]);
    let more = Trace::open(&out).unwrap();
    assert_eq!(more.blocks().count(), all.len() + 1);
    assert_eq!(Replay::new(&more).unwrap().run(), Replay::new(&trace).unwrap().run());
}
