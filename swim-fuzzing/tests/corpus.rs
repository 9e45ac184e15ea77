//! What the fuzzer begins with and what it has found, played by every test run, with mutations of it.
//!
//! `SWIM_BLESS=1 cargo test -p swim-fuzzing --test corpus` writes anew what can be made: `traffic-*` from nodes that
//! talk to each other, `drawn-*` from a generator. `found-*` came out of long runs, and `finding-*` has shown a bug;
//! both stay. It writes `fuzz/targets`, too, the table of targets for `fuzz/soak`.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Once;

use swim_fuzzing::draw::Draw;
use swim_fuzzing::traffic::traffic;
use swim_fuzzing::{TARGETS, Target};

/// Files and bytes of a folder at most, and bytes of a file.
const FILES_MAX: usize = 70;
const BYTES_MAX: usize = 150 << 10;
const FILE_MAX: usize = 20 << 10;

/// Targets for which drawn scripts are committed: the seeds of the containers were made one by one.
fn drawn() -> impl Iterator<Item = &'static Target> {
    TARGETS.iter().filter(|target| target.script && target.play.is_some())
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/seeds")).join(name)
}

/// All that is committed for this target, by name.
fn committed(target: &Target) -> Vec<(String, Vec<u8>)> {
    static BLESSED: Once = Once::new();
    BLESSED.call_once(|| {
        if std::env::var_os("SWIM_BLESS").is_some() {
            bless();
        }
    });
    let entries = fs::read_dir(folder(target.seeds))
        .expect("the seeds are in the repository: SWIM_BLESS=1 writes what can be made");
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
    for target in drawn() {
        let drawn = |seed| {
            let mut draw = Draw::new(seed);
            let len = 40 + draw.below(500);
            draw.bytes(len)
        };
        made.insert(format!("{}/drawn", target.seeds), (1..=12).map(drawn).collect());
    }
    for (name, all) in made {
        for (i, bytes) in all.iter().enumerate() {
            let file = folder(&format!("{name}-{i:02}"));
            fs::create_dir_all(file.parent().expect("it is in a folder")).unwrap();
            fs::write(file, bytes).unwrap();
        }
    }
    fs::write(folder("../targets"), table()).unwrap();
}

/// What `fuzz/soak` needs to know of the targets.
fn table() -> String {
    let line = |t: &Target| {
        let (inputs, pace) = (if t.script { "script" } else { "bytes" }, if t.slow { "slow" } else { "fast" });
        format!("{} {} {inputs} {pace}\n", t.name, t.seeds)
    };
    let head =
        "# Target, folder of seeds, inputs, pace. Written by SWIM_BLESS=1 cargo test -p swim-fuzzing --test corpus.\n";
    TARGETS.iter().map(line).fold(head.to_owned(), |table, line| table + &line)
}

/// The targets are listed in one place, and the rest follows it.
#[test]
fn the_fuzzer_has_the_same_targets() {
    let written = |name: &str| fs::read_to_string(folder(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    // Blessing comes first.
    committed(&TARGETS[0]);
    assert_eq!(written("../targets"), table(), "SWIM_BLESS=1 writes it");
    let manifest = written("../Cargo.toml");
    let bins = manifest.split("[[bin]]").skip(1);
    let mut built: Vec<&str> = bins.filter_map(|bin| bin.split('"').nth(1)).collect();
    let mut names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    built.sort_unstable();
    names.sort_unstable();
    assert_eq!(built, names, "each target is a program of fuzz/Cargo.toml");
    for name in names {
        let program = written(&format!("../fuzz_targets/{name}.rs"));
        assert!(program.contains(&format!("swim_fuzzing::{name}::target(bytes)")), "{program}");
    }
}

#[test]
fn all_that_is_committed_is_borne() {
    for target in TARGETS {
        let files = committed(target);
        let Target { name, seeds, .. } = target;
        assert!(files.len() >= 8, "{name}: SWIM_BLESS=1 writes what can be made, and there are {}", files.len());
        let bytes: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
        assert!(files.len() <= FILES_MAX && bytes <= BYTES_MAX, "{seeds}: {} files of {bytes} bytes", files.len());
        for (file, bytes) in &files {
            assert!(bytes.len() <= FILE_MAX, "{seeds}/{file} has {} bytes", bytes.len());
            target.play.iter().for_each(|play| play(bytes));
        }
    }
}

/// Bytes that are changed, left out, put twice, and numbers that are as large as they can be.
#[test]
fn mutations_are_borne() {
    for target in TARGETS {
        let files = committed(target);
        let Some(play) = target.play else { continue };
        let mut draw = Draw::new(0x5eed);
        for round in 0..target.rounds {
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
        let target = Target::named(name).expect("it is a target");
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
