//! What the fuzzer begins with and what it has found, played by every test run, with mutations of it.
//!
//! `SWIM_BLESS=1 cargo test -p swim-trace-tools --test tools corpus::` writes the traces of [`seeds`] anew; what else lies beside them
//! are findings, and stays.

use std::fs;
use std::path::PathBuf;
use std::sync::Once;

use crate::util::{Net, three};
use swim_core::{Command, Input, Instant, Profile};
use swim_trace::{Index, Trace, block};
use swim_trace_tools::fuzzing;

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/seeds/trace"))
}

/// All that is committed, by name.
fn committed() -> Vec<(String, Vec<u8>)> {
    static BLESSED: Once = Once::new();
    BLESSED.call_once(|| {
        if std::env::var_os("SWIM_BLESS").is_some() {
            fs::create_dir_all(folder()).unwrap();
            seeds()
                .iter()
                .for_each(|(name, bytes)| fs::write(folder().join(name).with_extension("trace"), bytes).unwrap());
        }
    });
    let entries = fs::read_dir(folder()).expect("the seeds are in the repository");
    let file = |entry: fs::DirEntry| {
        (entry.file_name().into_string().expect("names are plain"), fs::read(entry.path()).expect("it can be read"))
    };
    let mut files: Vec<_> = entries.map(|entry| file(entry.expect("the folder can be read"))).collect();
    files.sort();
    files
}

/// A small trace of every kind.
fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let keyframes = three(false, true).0;
    let trace = Trace::open(&keyframes).unwrap();
    let blocks: Vec<_> = trace.blocks().map(Result::unwrap).collect();
    let part = |i: usize| &keyframes[blocks[i].offset..blocks[i].offset + blocks[i].len()];
    let mut compressed = keyframes[..16].to_vec();
    (0..blocks.len()).for_each(|i| compressed.extend_from_slice(&block::compressed(part(i))));
    let mut indexed = keyframes.clone();
    Index::make(&trace).write(&mut indexed);
    let mut gap = keyframes[..blocks[1].offset].to_vec();
    block::gap(0, blocks[1].at, blocks[2].step, &mut gap);
    (2..5).for_each(|i| gap.extend_from_slice(part(i)));
    vec![
        ("header", keyframes[..blocks[1].offset].to_vec()),
        ("keyframes", keyframes.clone()),
        ("compressed", compressed),
        ("indexed", indexed),
        ("gap", gap),
        ("torn", keyframes[..keyframes.len() - 77].to_vec()),
        ("lone", run(1, lone)),
        ("pair", run(2, |net| net.run(2_000))),
        ("lossy", run(5, lossy)),
        ("leave", run(3, leave)),
        ("profiles", run(3, profiles)),
        ("sockets", run(3, sockets)),
        ("sync", run(9, |net| net.run(700))),
    ]
}

/// The trace of the first of so many nodes, outputs and all.
fn run(nodes: u16, story: impl FnOnce(&mut Net)) -> Vec<u8> {
    let names: Vec<String> = (0..nodes).map(|i| format!("n{i}")).collect();
    let mut net = Net::new(&names.iter().map(String::as_str).collect::<Vec<_>>(), true);
    (1..nodes).for_each(|i| net.join(usize::from(i), 1));
    story(&mut net);
    net.end(0).0
}

/// Looks for somebody who is not there.
fn lone(net: &mut Net) {
    net.join(0, 77);
    net.run(3_000);
}

fn lossy(net: &mut Net) {
    net.lose = 3;
    net.run(1_500);
}

fn leave(net: &mut Net) {
    net.run(500);
    net.give(0, Input::Command(Command::Leave));
    net.run(500);
    net.join(0, 2);
    net.run(500);
    net.give(1, Input::Command(Command::Leave));
    net.run(500);
}

fn profiles(net: &mut Net) {
    net.run(300);
    for (i, meta) in [&b"zone=a"[..], b"zone=b;rack=12;version=1.2.3", b""].into_iter().enumerate() {
        net.give(i, Input::Command(Command::SetProfile(&Profile::new("named", meta).unwrap())));
        net.run(300);
    }
}

fn sockets(net: &mut Net) {
    net.run(300);
    net.give(0, Input::Command(Command::Seeds(&["[2001:db8::1]:7946".parse().unwrap()])));
    net.give(0, Input::SendFailed { to: "127.0.0.1:2".parse().unwrap() });
    net.run(300);
    net.give(0, Input::SendBlocked);
    net.run(700);
    net.give(0, Input::SendResumed);
    net.run(700);
}

#[test]
fn all_that_is_committed_is_borne() {
    let files = committed();
    assert!(files.len() >= seeds().len(), "SWIM_BLESS=1 writes what is missing: {}", files.len());
    for (name, bytes) in &files {
        assert!(bytes.len() <= 20 << 10, "{name} has {} bytes", bytes.len());
        fuzzing::trace(bytes);
        fuzzing::redact(bytes);
    }
    // Mending does nothing to what is whole, so the fuzzer begins with what it was given.
    let whole = files.iter().filter(|(_, bytes)| fuzzing::mended(bytes) == *bytes).count();
    assert!(whole >= seeds().len() - 1, "{whole} of {}", files.len());
}

#[test]
fn truncations_are_borne() {
    let (_, bytes) = committed().into_iter().find(|(name, _)| name == "gap.trace").unwrap();
    // Odd, so that cuts fall everywhere into what has two, four or eight bytes.
    for cut in (0..bytes.len()).step_by(5) {
        fuzzing::trace(&bytes[..cut]);
    }
}

/// Bytes that are changed, left out, put twice, and numbers that are as large as they can be.
#[test]
fn mutations_are_borne() {
    let files = committed();
    let mut random = 0x5eed_u64;
    let mut below = |n: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 16) as usize % n.max(1)
    };
    let mut opened = 0;
    for round in 0..1_500 {
        let mut bytes = files[round % files.len()].1.clone();
        for _ in 0..=below(4) {
            let at = below(bytes.len());
            let len = below(24).min(bytes.len() - at);
            match below(5) {
                0 => bytes[at] = below(256) as u8,
                1 => bytes[at] ^= 1 << below(8),
                2 => bytes[at..at + len].fill(0xff),
                3 => drop(bytes.drain(at..at + len)),
                _ => {
                    let again = bytes[at..at + len].to_vec();
                    bytes.splice(at..at, again);
                }
            }
        }
        opened += usize::from(Trace::open(&fuzzing::mended(&bytes)).is_ok());
        fuzzing::trace(&bytes);
        if round % 8 == 0 {
            fuzzing::redact(&bytes);
        }
    }
    assert!(opened > 1_000, "most mutations get beyond the header: {opened}");
}

/// Times have no end, and the node goes on at the last of them.
#[test]
fn time_can_stand_at_its_end() {
    let mut net = Net::new(&["a", "b"], true);
    net.join(1, 1);
    net.run(500);
    net.now = Instant::from_micros(u64::MAX - 1);
    net.give(0, Input::Timeout);
    net.now = Instant::NEVER;
    net.give(0, Input::Timeout);
    fuzzing::trace(&net.end(0).0);
}
