//! What the fuzzer begins with and what it has found, played by every test run, with mutations of it.
//!
//! `SWIM_BLESS=1 cargo test -p swim-fuzzing --test corpus` writes anew what can be made: `traffic-*` from nodes that
//! talk to each other, `drawn-*` from a generator. `found-*` came out of long runs, and `finding-*` has shown a bug;
//! both stay.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Once;

use swim_fuzzing::draw::Draw;
use swim_fuzzing::traffic::traffic;
use swim_fuzzing::{TARGETS, Target};

/// Files and bytes of a folder at most, and bytes of a file.
const FILES_MAX: usize = 60;
const BYTES_MAX: usize = 150 << 10;
const FILE_MAX: usize = 20 << 10;

/// Targets whose inputs are scripts, which drawn bytes are as well as others.
const SCRIPTS: [&str; 5] = ["lockstep", "merges", "node", "seal", "token"];

fn folder(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/seeds")).join(name)
}

/// All that is committed for this target, by name.
fn committed((_, name, _): &Target) -> Vec<(String, Vec<u8>)> {
    static BLESSED: Once = Once::new();
    BLESSED.call_once(|| {
        if std::env::var_os("SWIM_BLESS").is_some() {
            bless();
        }
    });
    let entries =
        fs::read_dir(folder(name)).expect("the seeds are in the repository: SWIM_BLESS=1 writes what can be made");
    let file = |entry: fs::DirEntry| {
        (entry.file_name().into_string().expect("names are plain"), fs::read(entry.path()).expect("it can be read"))
    };
    let mut files: Vec<_> = entries.map(|entry| file(entry.expect("the folder can be read"))).collect();
    files.sort();
    files
}

fn bless() {
    let traffic = traffic();
    let mut made: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    made.insert("frame/traffic".into(), traffic.frames);
    made.insert("snapshot/traffic".into(), traffic.snapshots);
    for name in SCRIPTS {
        let drawn = |seed| {
            let mut draw = Draw::new(seed);
            let len = 40 + draw.below(500);
            draw.bytes(len)
        };
        made.insert(format!("{name}/drawn"), (1..=12).map(drawn).collect());
    }
    for (name, all) in made {
        for (i, bytes) in all.iter().enumerate() {
            let file = folder(&format!("{name}-{i:02}"));
            fs::create_dir_all(file.parent().expect("it is in a folder")).unwrap();
            fs::write(file, bytes).unwrap();
        }
    }
}

#[test]
fn all_that_is_committed_is_borne() {
    for target in TARGETS {
        let files = committed(target);
        let (name, seeds, play) = target;
        assert!(files.len() >= 8, "{name}: SWIM_BLESS=1 writes what can be made, and there are {}", files.len());
        let bytes: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
        assert!(files.len() <= FILES_MAX && bytes <= BYTES_MAX, "{seeds}: {} files of {bytes} bytes", files.len());
        for (file, bytes) in &files {
            assert!(bytes.len() <= FILE_MAX, "{seeds}/{file} has {} bytes", bytes.len());
            play(bytes);
        }
    }
}

/// How many inputs of each target: those that are slow get few.
fn rounds(name: &str) -> usize {
    match name {
        "frame" | "codec" => 6_000,
        "snapshot" => 2_000,
        "lockstep" | "merges" => 40,
        "trace" | "redact" | "seal" => 200,
        _ => 300,
    }
}

/// Bytes that are changed, left out, put twice, and numbers that are as large as they can be.
#[test]
fn mutations_are_borne() {
    for target in TARGETS {
        let files = committed(target);
        let (name, _, play) = target;
        let mut draw = Draw::new(0x5eed);
        for round in 0..rounds(name) {
            let mut bytes = files[round % files.len()].1.clone();
            draw.mutate(&mut bytes);
            play(&bytes);
        }
    }
}

/// What is real is taken: the seeds get beyond the first check.
#[test]
fn what_nodes_say_is_a_frame_and_what_they_are_a_snapshot() {
    let of = |name: &str| {
        let target = TARGETS.iter().find(|(other, ..)| *other == name).expect("it is a target");
        committed(target).into_iter().filter(|(file, _)| file.starts_with("traffic-"))
    };
    let mut kinds: Vec<String> = Vec::new();
    for (file, bytes) in of("frame") {
        let frame = swim_core::wire::Frame::parse(&bytes).unwrap_or_else(|e| panic!("{file}: {e}"));
        kinds.extend(
            frame.message.map(|message| format!("{message:?}").split(' ').next().unwrap_or_default().to_owned()),
        );
    }
    kinds.sort();
    kinds.dedup();
    assert!(kinds.len() >= 10, "most messages are among them: {kinds:?}");
    for (file, bytes) in of("snapshot") {
        assert!(swim_core::Node::restore(&bytes).is_ok(), "{file}");
    }
}
