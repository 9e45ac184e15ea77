//! `swim agent` with its flight recorder: what it writes, when, and that it replays.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::util::Swim;
use bind_mio::swim_core::Event;
use swim_trace::{Replay, ReplayError, Summary, Trace};

const LOCAL: [&str; 4] = ["--preset", "local", "--format", "jsonl"];

/// A directory of this test's own, empty.
fn dir(test: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("agent-record-{test}"));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

fn utf8(path: &Path) -> &str {
    path.to_str().expect("paths of tests are UTF-8")
}

/// An agent of the preset `local`, with JSON lines, and these options.
fn agent(name: &str, more: &[&str]) -> (Swim, String) {
    Swim::agent(name, &[&LOCAL, more].concat())
}

/// Plays all that can be read of it. Whatever else is wrong is a failure.
fn replayed(bytes: &[u8]) -> (Summary, Option<ReplayError>) {
    let trace = Trace::open(bytes).unwrap();
    let (summary, error) = Replay::new(&trace).unwrap().run();
    assert_eq!((summary.divergences, summary.gaps, summary.skipped), (0, 0, 0), "{:?}", summary.first);
    (summary, error)
}

/// Plays a file to its end.
fn whole(path: &Path) -> Summary {
    let (summary, error) = replayed(&fs::read(path).unwrap());
    assert_eq!(error, None, "{}", path.display());
    summary
}

/// The agent leaves, and so all is on the disk.
fn left(swim: &mut Swim) {
    swim.signal("-TERM");
    assert_eq!(swim.exit_code(), Some(0), "{}", swim.stderr.text());
}

/// The file that the agent says it has dumped to, for this reason.
fn dumped(swim: &mut Swim, why: &str) -> PathBuf {
    let end = format!("-{why}.swt");
    let line = swim.stderr.find(|line| line.contains("the flight recorder is dumped to ") && line.ends_with(&end));
    line.split_once(" is dumped to ").unwrap().1.into()
}

#[test]
fn a_whole_run_is_in_its_file() {
    let dir = dir("whole");
    let (file, former) = (dir.join("a.swt"), dir.join("a.swt.old"));
    fs::write(&file, "of a former life").unwrap();
    let (mut a, addr) = agent("a", &["--record-to", utf8(&file), "--record-outputs"]);
    assert_eq!(fs::read(&former).unwrap(), b"of a former life");
    let (mut b, _) = agent("b", &["--join", &addr]);
    let up = a.stdout.find_event("member_up");
    b.stdout.find_event("joined");
    left(&mut b);
    a.stdout.find_event("member_down");
    left(&mut a);

    let summary = whole(&file);
    assert_eq!(summary.unchecked, 0, "it ended in good order");
    let said = a.stderr.seen.last().unwrap();
    assert!(said.starts_with(&format!("recorded to {}: {} steps, ", file.display(), summary.steps)), "{said}");
    // Said when all was written, and not before.
    assert!(said.ends_with(" B, no gaps") && !said.contains(", 0 B"), "{said}");

    let bytes = fs::read(&file).unwrap();
    let trace = Trace::open(&bytes).unwrap();
    let header = trace.header();
    assert_eq!((header.profile.name(), &*header.config.cluster), ("a", "test"));
    let (mut replay, mut told, mut sent) = (Replay::new(&trace).unwrap(), Vec::new(), 0);
    while let Some(step) = replay.step() {
        let step = step.unwrap();
        let recorded = step.recorded.expect("outputs were asked for");
        assert_eq!(recorded, step.outputs);
        sent += recorded.sent().len();
        told.extend(step.outputs.events().iter().filter_map(|event| event.member()).map(|id| id.to_string()));
    }
    assert!(sent > 0, "it has at least joined and left");
    assert!(told.len() >= 2 && told.iter().all(|id| up["id"] == **id), "b came and left: {told:?}");
}

#[test]
fn a_signal_dumps_the_newest_part() {
    let dir = dir("signal");
    let dumps = dir.join("made").join("here");
    let (mut a, addr) = agent("a", &["--record-dumps", utf8(&dumps), "--record-ring", "1MiB"]);
    let (mut b, _) = agent("b", &["--join", &addr]);
    a.stdout.find_event("member_up");
    b.stdout.find_event("joined");
    let mut steps = 0;
    for number in ["1", "2"] {
        if number == "2" {
            left(&mut b);
            a.stdout.find_event("member_down");
        }
        a.signal("-USR2");
        a.stderr.find(|line| line == format!("SIGUSR2: dumping into {}", dumps.display()));
        let path = dumped(&mut a, "signal");
        let name = path.strip_prefix(&dumps).unwrap().to_str().unwrap();
        let parts: Vec<&str> = name.split('-').collect();
        let [node, life, seconds, count, "signal.swt"] = parts[..] else { panic!("{name}") };
        assert_eq!((node, count), ("a", number));
        assert!(life.parse::<u32>().unwrap() > 0 && seconds.parse::<u64>().is_ok(), "{name}");
        let summary = whole(&path);
        assert!(summary.steps > steps, "the second one has the first in it, and more");
        steps = summary.steps;
    }
    left(&mut a);
    assert_eq!(a.stderr.seen.last().unwrap(), &format!("dumps into {}: 2", dumps.display()));
}

/// The disk has another trouble than being full, but it is one.
#[test]
fn a_dump_that_fails_stops_nobody() {
    let dir = dir("failing");
    let dumps = dir.join("dumps");
    let (mut a, _) = agent("a", &["--record-dumps", utf8(&dumps)]);
    a.stdout.find_event("started");
    fs::remove_dir_all(&dumps).unwrap();
    fs::write(&dumps, "where the directory was").unwrap();
    a.signal("-USR2");
    let why = a.stderr.find(|line| line.contains("the flight recorder cannot be dumped: "));
    assert!(why.contains("WARN") && why.contains("(os error "), "{why}");
    fs::remove_file(&dumps).unwrap();
    a.signal("-USR2");
    whole(&dumped(&mut a, "signal"));
    left(&mut a);
    let said = a.stderr.seen.last().unwrap();
    assert_eq!(said, &format!("dumps into {}: 1, 1 could not be written", dumps.display()));
}

/// It is no signal that ends a process whose operator has forgotten an option.
#[test]
fn a_signal_to_dump_does_no_harm_where_nothing_can_be() {
    let file = dir("nowhere").join("a.swt");
    for more in [&[][..], &["--record-to", utf8(&file)]] {
        let (mut a, _) = agent("a", more);
        a.stdout.find_event("started");
        a.signal("-USR2");
        a.stderr.find(|line| line.starts_with("SIGUSR2: nothing is dumped") && line.contains("--record-dumps"));
        left(&mut a);
    }
    assert!(whole(&file).steps > 0);
}

/// What was written before a process is killed is a trace, wherever it is cut off.
#[test]
fn a_file_of_a_killed_node_replays() {
    let dir = dir("killed");
    let file = dir.join("a.swt");
    let (mut a, addr) = agent("a", &["--record-to", utf8(&file), "--record-ring", "64KiB", "--record-outputs"]);
    let (b, _) = agent("b", &["--join", &addr]);
    a.stdout.find_event("member_up");
    // Nobody tells when a block is on the disk.
    let deadline = Instant::now() + Duration::from_secs(60);
    while fs::metadata(&file).map_or(0, |found| found.len()) < 1_200 {
        assert!(Instant::now() < deadline, "nothing is written");
        thread::sleep(Duration::from_millis(20));
    }
    a.signal("-KILL");
    assert_eq!(a.exit_code(), None);
    drop(b);
    let bytes = fs::read(&file).unwrap();
    let (all, error) = replayed(&bytes);
    assert!(all.steps > 10, "{all:?}");
    assert!(error.is_none_or(|e| torn(&e)), "nothing but its end may be missing");
    let end = Trace::open(&bytes).unwrap().blocks().nth(1).unwrap().unwrap();
    let (nothing, error) = replayed(&bytes[..end.offset]);
    assert_eq!((nothing.steps, error), (0, None), "cut off between two blocks");
    for cut in [end.offset + 1, end.offset + end.len() / 2, end.offset + end.len() - 1, bytes.len() - 1] {
        let (part, error) = replayed(&bytes[..cut]);
        assert!(part.steps <= all.steps, "{part:?} of {all:?}");
        assert!(error.is_some_and(|e| torn(&e)), "cut off at {cut}");
    }
}

fn torn(error: &ReplayError) -> bool {
    matches!(error, ReplayError::Trace(e) if e.is_torn())
}

/// A node that stood still while others accused it: it tells them that it lives, and keeps what it saw of that.
#[test]
fn a_node_that_was_suspected_dumps() {
    let dir = dir("suspected");
    let (mut a, addr) = agent("a", &[]);
    let (mut b, _) = agent("b", &["--join", &addr]);
    let (mut c, _) = agent("c", &["--join", &addr, "--record-dumps", utf8(&dir)]);
    for node in [&mut a, &mut b] {
        node.stdout.find(|line| line.contains("\"member_up\"") && line.contains("\"c\""));
    }
    c.stdout.find_event("joined");
    c.signal("-STOP");
    for node in [&mut a, &mut b] {
        node.stdout.find(|line| line.contains("\"member_suspect\"") && line.contains("\"c\""));
    }
    c.signal("-CONT");
    c.stdout.find_event("refuted");
    let path = dumped(&mut c, "suspected");
    assert_eq!(path.parent(), Some(&*dir));
    let summary = whole(&path);
    assert!(summary.steps > 0);
    let bytes = fs::read(&path).unwrap();
    let trace = Trace::open(&bytes).unwrap();
    let (mut replay, mut refuted) = (Replay::new(&trace).unwrap(), false);
    while let Some(step) = replay.step() {
        refuted |= step.unwrap().outputs.events().iter().any(|event| matches!(event, Event::Refuted { .. }));
    }
    assert!(refuted, "what it dumps for is in the dump");
    [a, b, c].iter_mut().for_each(left);
}

/// Runs an agent that must be refused with these words.
fn refused(more: &[&str], words: &[&str]) {
    crate::util::refused(&["agent", "--cluster", "c", "--name", "a", "--bind", "127.0.0.1:0"], more, words);
}

#[test]
fn what_cannot_be_written_is_refused_at_once() {
    let dir = dir("refused");
    let file = dir.join("file");
    fs::write(&file, "").unwrap();
    let below = file.join("below");
    refused(
        &["--record-dumps", utf8(&below)],
        &["dumps into ", "file/below cannot work: ", "(os error ", "give a path"],
    );
    refused(&["--record-to", utf8(&below)], &["recording to ", "file/below cannot work: ", "(os error "]);
    refused(&["--record-to", utf8(&dir)], &["cannot work: it is a directory"]);
    // Like a device, which would be renamed; this one is of no use to anybody else.
    let socket = dir.join("socket");
    let _bound = UnixListener::bind(&socket).unwrap();
    refused(&["--record-to", utf8(&socket)], &["cannot work: it is no regular file"]);
    refused(&["--record-ring", "1MiB"], &["not where to", "--record-dumps DIR", "--record-to FILE", "[record]"]);
    refused(&["--record-outputs"], &["not where to"]);
    refused(&["--record-to", "x", "--record-ring", "8M"], &["--record-ring", "\"8M\" is no size", "8MiB"]);
    refused(&["--record-to", "x", "--record-ring", "4KiB"], &["at least 64KiB"]);
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 2, "trying leaves nothing behind");
}

/// A node that is refused for another reason has not touched the trace that was there.
#[test]
fn who_does_not_start_puts_nothing_aside() {
    let file = dir("untouched").join("a.swt");
    fs::write(&file, "of a former life").unwrap();
    refused(&["--record-to", utf8(&file), "--meta", &"x".repeat(513)], &["513 bytes"]);
    assert_eq!(fs::read(&file).unwrap(), b"of a former life");
}

#[test]
fn a_config_file_says_what_to_record() {
    let dir = dir("config");
    let [config, filed, given, dumps] = ["swim.toml", "filed.swt", "given.swt", "dumps"].map(|name| dir.join(name));
    let text = format!(
        "cluster = 'filed'\npreset = 'local'\n[record]\nfile = '{}'\ndumps = '{}'\nring = '128KiB'\noutputs = true\n",
        filed.display(),
        dumps.display()
    );
    fs::write(&config, text).unwrap();
    let args = ["agent", "--name", "a", "--bind", "127.0.0.1:0", "--format", "jsonl", "--config", utf8(&config)];
    let mut a = Swim::start(&[&args[..], &["--record-to", utf8(&given)]].concat());
    a.stdout.find_event("started");
    a.signal("-USR2");
    let dump = dumped(&mut a, "signal");
    left(&mut a);
    assert!(dump.starts_with(&dumps) && !filed.exists(), "the command line goes before the file, key by key");
    assert!(whole(&given).steps >= whole(&dump).steps);
    assert!(Trace::open(&fs::read(&given).unwrap()).unwrap().header().outputs);

    fs::write(&config, "cluster = 'c'\n[record]\nfile = 'x.swt'\nrign = '1MiB'\n").unwrap();
    crate::util::refused(&args, &[], &["swim.toml:4: [record] has no rign; did you mean ring?"]);
    fs::write(&config, "cluster = 'c'\n[record]\nring = '1MiB'\n").unwrap();
    crate::util::refused(&args, &[], &["not where to"]);
}

#[test]
fn help_tells_when_there_are_dumps() {
    let help = crate::util::printed(&["agent", "--help"], &[]);
    for word in ["--record-to <FILE>", "NAME-EPOCH-SECONDS-N-WHY.swt", "SIGUSR2", "FILE.old", "[record]", "suspected"] {
        assert!(help.contains(word), "no {word:?} in {help}");
    }
}
