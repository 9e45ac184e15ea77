use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs, process, thread};

use swim_core::{Config, Event, Instant, NodeId};
use swim_trace::{Index, Replay, Summary, Trace};

use super::alarm::Alarm;
use super::file::Appender;
use super::*;
use crate::test_net::Net;

mod ends;

/// So many nodes that know each other, all recorded.
fn recorded(n: usize, recording: &Recording) -> Net {
    let mut net = Net::new(0);
    for i in 0..n {
        net.spawn_with(Config::local("c"), |setup| setup.record = Some(recording.clone()));
        if i > 0 {
            net.handle(i).join(&[Net::addr(0)]).unwrap();
        }
    }
    net.run(Duration::from_secs(5));
    net
}

fn recorder(net: &Net, i: usize) -> Recorder {
    net.handle(i).recorder().expect("it is recorded").clone()
}

/// Replays it to the end; whatever is wrong is a failure, but for what a test looks at itself.
fn replay(trace: &[u8]) -> Summary {
    let trace = Trace::open(trace).unwrap();
    let (summary, error) = Replay::new(&trace).unwrap().run();
    assert_eq!((error, summary.divergences), (None, 0), "{:?}", summary.first);
    summary
}

/// Not when a thread of another test panics.
fn dumps(dir: impl Into<PathBuf>) -> Dumps {
    Dumps { on_panic: false, ..Dumps::into(dir) }
}

/// A directory of this test's own, which is gone when the test has passed.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let dir = env::temp_dir().join(format!("swim-recorder-{}-{name}", process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        if !thread::panicking() {
            // What is written for the panic of another test may come between.
            _ = fs::remove_dir_all(&self.0);
        }
    }
}

fn only_its_owner_reads(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
    }
}

/// Each panic dumps all recorders of the process that are to be, those of other tests included.
static PANICS: Mutex<()> = Mutex::new(());

const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_live_node_is_read_at_any_time() {
    for outputs in [false, true] {
        let mut net = recorded(4, &Recording { outputs, ..Recording::default() });
        let recorder = recorder(&net, 1);
        for _ in 0..3 {
            net.run(Duration::from_secs(2));
            let summary = replay(&recorder.trace());
            // The last step is over, but nothing that came after it says so.
            assert_eq!((summary.steps, summary.unchecked, summary.gaps), (recorder.stats().steps, 1, 0));
        }
        net.handle(1).leave().unwrap();
        net.run(Duration::from_secs(5));
        assert!(net.pump(1).finished());
        let summary = replay(&recorder.trace());
        assert_eq!((summary.steps, summary.unchecked), (recorder.stats().steps, 0));
    }
}

/// Commands, seeds that are resolved, sends that fail, and times at which nothing can be sent: all that the node is given.
#[test]
fn every_way_to_the_node_passes_the_tap() {
    let mut net = recorded(3, &Recording::default());
    let now = net.now;
    net.pump(1).send_blocked(now);
    net.drain(1);
    net.run(Duration::from_secs(1));
    let now = net.now;
    net.pump(1).send_resumed(now);
    net.drain(1);
    net.pump(1).send_failed(Net::addr(2));
    net.drain(1);
    net.handle(1).set_profile(swim_core::Profile::new("other", b"x").unwrap()).unwrap();
    net.run(Duration::from_secs(1));
    let trace = recorder(&net, 1).trace();
    let (mut cursor, mut names) = (Trace::open(&trace).unwrap().cursor(), std::collections::BTreeSet::new());
    while let Some(item) = cursor.next() {
        if let swim_trace::Item::Input { input, .. } = item.unwrap() {
            names.insert(input.name());
        }
    }
    let all = ["datagram", "join", "send_blocked", "send_failed", "send_resumed", "set_profile", "timeout"];
    assert_eq!(names.into_iter().collect::<Vec<_>>(), all);
    assert_eq!(replay(&trace).steps, recorder(&net, 1).stats().steps);
}

/// A ring that was overwritten several times begins in the middle of the run, at a keyframe.
#[test]
fn an_overwritten_ring_replays_from_its_oldest_keyframe() {
    let mut net = recorded(5, &Recording::of(64 << 10));
    net.run(Duration::from_secs(900));
    let (recorder, state) = (recorder(&net, 2), net.pump(2).node().snapshot());
    let stats = recorder.stats();
    assert!(stats.bytes > 6 * stats.held && stats.keyframes > 6, "{stats:?}");
    assert!(stats.held <= (64 << 10) + (8 << 10), "{stats:?}");
    let trace = recorder.trace();
    assert!((trace.len() as u64).abs_diff(stats.held) < 1_024, "{} of {stats:?}", trace.len());
    let summary = replay(&trace);
    assert!(summary.steps < stats.steps && summary.steps > stats.steps / 20, "{summary:?}");
    assert!(summary.keyframes > 0 && summary.skipped == 0, "{summary:?}");
    assert_eq!(summary.state_hash, Some(swim_trace::state_hash(&state)));
}

/// A snapshot that is as large as the ring is of no use without the inputs behind it; until there are some, those before stay.
#[test]
fn a_keyframe_alone_displaces_nothing() {
    let net = recorded(1, &Recording::default());
    let trace = recorder(&net, 0).trace();
    let mut ring = Ring::new(64 << 10, Trace::open(&trace).unwrap().header());
    let held = |ring: &Ring| ring.parts().1.iter().map(|block| block.len() >> 10).collect::<Vec<_>>();
    ring.push(vec![0; 8 << 10]);
    ring.keyframe(vec![0; 40 << 10]);
    ring.push(vec![0; 12 << 10]);
    assert_eq!(held(&ring), [8, 40, 12]);
    ring.push(vec![0; 5 << 10]);
    assert_eq!(held(&ring), [40, 12, 5], "enough behind the keyframe, and no room for what was before");
    ring.keyframe(vec![0; 40 << 10]);
    assert_eq!(held(&ring), [40, 12, 5, 40], "nothing could be replayed without");
    ring.push(vec![0; 15 << 10]);
    assert_eq!(held(&ring), [40, 12, 5, 40, 15]);
    ring.keyframe(vec![0; 70 << 10]);
    assert_eq!(held(&ring), [40, 15, 70], "of two that can be replayed one is enough");
    ring.push(vec![0; 16 << 10]);
    assert_eq!(held(&ring), [70, 16]);
}

/// Somebody who reads the ring does not hold up the node, and what comes meanwhile is not lost.
#[test]
fn what_comes_while_the_ring_is_read_is_kept() {
    let mut net = recorded(3, &Recording::default());
    let recorder = recorder(&net, 0);
    for _ in 0..3 {
        let shared = Arc::clone(&recorder.shared);
        let reading = lock(&shared.ring);
        net.run(Duration::from_secs(3));
        drop(reading);
        net.run(Duration::from_secs(1));
    }
    let (stats, summary) = (recorder.stats(), replay(&recorder.trace()));
    assert_eq!((stats.missed, stats.gaps, summary.steps, summary.gaps), (0, 0, stats.steps, 0));
    // Even where the driver ends meanwhile, or does not know yet that nobody reads any more.
    let reading = lock(&recorder.shared.ring);
    net.run(Duration::from_secs(3));
    drop(reading);
    drop(net);
    assert!(replay(&recorder.trace()).steps > stats.steps);
}

/// Who reads for too long makes a gap, which is counted, and behind which there is a keyframe.
#[test]
fn what_has_no_room_meanwhile_is_a_gap() {
    let mut net = recorded(3, &Recording::default());
    let recorder = recorder(&net, 0);
    let reading = lock(&recorder.shared.ring);
    net.run(Duration::from_secs(1_000));
    drop(reading);
    net.run(Duration::from_secs(10));
    let (stats, summary) = (recorder.stats(), replay(&recorder.trace()));
    assert_eq!((stats.gaps, summary.gaps, summary.missing), (1, 1, stats.missed));
    assert_eq!((summary.steps + stats.missed, summary.skipped), (stats.steps, 0));
    assert!(stats.missed > 100 && summary.steps > 1_000, "{stats:?}");
}

/// An input that the node does not survive is in the ring, as the last one.
#[test]
fn the_input_before_a_panic_is_there() {
    let _alone = PANICS.lock();
    let dir = Dir::new("panic");
    let mut net = recorded(2, &Recording::default().dumps(Dumps::into(&dir.0)));
    let recorder = recorder(&net, 0);
    let before = recorder.stats().steps;
    let panicked = thread::scope(|s| {
        let input = s.spawn(|| {
            let now = net.now;
            net.pump(0).timeout(now);
            panic!("an input that nobody survives");
        });
        input.join().is_err()
    });
    assert!(panicked);
    // Both were recorded, and both are dumped. Other tests of this process may panic as well, before and after that, and what
    // is written for them is in parts as long as it is.
    let whole = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "swt");
    let files: Vec<PathBuf> = dir.files().into_iter().filter(whole).collect();
    assert!(files.len() >= 2, "{files:?}");
    assert!(files.iter().all(|file| file.to_string_lossy().ends_with("-panic.swt")), "{files:?}");
    files.iter().for_each(|file| only_its_owner_reads(file));
    let first = files.iter().filter(|file| file.to_string_lossy().contains("node-0-1-"));
    let summaries = first.map(|file| replay(&fs::read(file).unwrap()));
    let last = summaries.max_by_key(|summary| summary.steps).expect("the first node's");
    assert_eq!((last.steps, last.unchecked), (before + 1, 1));
    // The step was not drained, so its outcome is not known when the driver ends either.
    drop(net);
    assert_eq!(replay(&recorder.trace()).unchecked, 1);
}

#[test]
fn a_run_is_written_to_its_file() {
    let dir = Dir::new("file");
    for compress in [false, true] {
        let path = dir.0.join("run.swt");
        fs::write(&path, "an older file, which anybody may read").unwrap();
        let mut net = recorded(1, &Recording { compress, ..Recording::of(64 << 10).file(&path) });
        for i in 1..4 {
            net.spawn(Config::local("c"));
            net.handle(i).join(&[Net::addr(0)]).unwrap();
        }
        net.run(Duration::from_secs(600));
        let recorder = recorder(&net, 0);
        assert!(recorder.flush(LONG));
        let early = fs::read(&path).unwrap();
        assert!(replay(&early).steps > recorder.stats().steps * 9 / 10, "a block waits for five seconds at most");
        let state = net.pump(0).node().snapshot();
        drop(net);
        assert!(recorder.flush(LONG));
        only_its_owner_reads(&path);
        let (bytes, stats) = (fs::read(&path).unwrap(), recorder.stats());
        let summary = replay(&bytes);
        assert_eq!((summary.steps, summary.unchecked, summary.gaps), (stats.steps, 0, 0));
        assert_eq!(summary.state_hash, Some(swim_trace::state_hash(&state)));
        assert!(stats.bytes > 4 * stats.held && stats.unwritten == 0, "{stats:?}");
        let trace = Trace::open(&bytes).unwrap();
        assert_eq!(Index::of(&trace), Index::make(&trace));
        assert_eq!(trace.blocks().last().unwrap().unwrap().kind, 5, "it ends with an index");
        assert_eq!(trace.blocks().any(|block| block.unwrap().is_compressed()), compress);
    }
}

/// A block that a file waits for is sealed long before it is full, and takes no more memory than what is in it.
#[test]
fn early_blocks_take_what_they_hold() {
    let dir = Dir::new("early");
    let mut net = recorded(1, &Recording::default().file(dir.0.join("run.swt")));
    net.spawn(Config::local("c"));
    net.handle(1).join(&[Net::addr(0)]).unwrap();
    net.run(Duration::from_secs(300));
    let recorder = recorder(&net, 0);
    let (_, blocks) = lock(&recorder.shared.ring).parts();
    let taken: usize = blocks.iter().map(|block| block.capacity()).sum();
    assert!(blocks.len() > 50, "{}", blocks.len());
    assert!(taken <= 2 * recorder.stats().held as usize, "{taken} of {}", recorder.stats().held);
}

/// A disk that takes nothing for a while costs a gap in the file, and nothing else.
#[test]
fn a_disk_that_fails_makes_a_gap() {
    let dir = Dir::new("fails");
    let path = dir.0.join("not-there-yet").join("run.swt");
    let mut net = recorded(1, &Recording::default().file(&path));
    net.spawn(Config::local("c"));
    net.handle(1).join(&[Net::addr(0)]).unwrap();
    net.run(Duration::from_secs(30));
    let recorder = recorder(&net, 0);
    assert!(recorder.flush(LONG));
    let lost = recorder.stats().unwritten;
    assert!(lost > 3 && !path.exists());
    fs::create_dir(path.parent().unwrap()).unwrap();
    net.run(Duration::from_secs(30));
    let state = net.pump(0).node().snapshot();
    drop(net);
    assert!(recorder.flush(LONG));
    let (summary, stats) = (replay(&fs::read(&path).unwrap()), recorder.stats());
    assert_eq!(stats.unwritten, lost);
    assert_eq!((summary.gaps, stats.gaps), (1, 0), "the ring has none");
    assert!(summary.missing > 10 && summary.steps > 10, "{summary:?}");
    assert_eq!(summary.steps + summary.missing + summary.skipped, stats.steps);
    assert_eq!(summary.state_hash, Some(swim_trace::state_hash(&state)));
    assert_eq!(replay(&recorder.trace()).steps, stats.steps);
}

/// A disk that takes nothing for a while, and then all of it, costs what had no room in between.
#[cfg(unix)]
#[test]
fn a_slow_disk_makes_a_gap() {
    let dir = Dir::new("slow");
    let path = dir.0.join("run.swt");
    // Whoever opens a pipe to write to it waits for a reader.
    assert!(process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let mut net = recorded(1, &Recording { compress: false, ..Recording::default().file(&path) });
    net.spawn(Config::local("c"));
    net.handle(1).join(&[Net::addr(0)]).unwrap();
    net.run(Duration::from_secs(900));
    let recorder = recorder(&net, 0);
    assert!(!recorder.flush(Duration::ZERO));
    let (stats, node) = (recorder.stats(), net.pump(0).node().stats().probes);
    assert!(stats.unwritten > 50 && stats.gaps == 0 && node > 4_000, "the node runs on: {stats:?}");
    let read = thread::spawn({
        let path = path.clone();
        move || fs::read(path).unwrap()
    });
    // The next blocks find room, and what is missing is asked for as a keyframe.
    assert!(recorder.flush(LONG));
    net.run(Duration::from_secs(20));
    drop(net);
    assert!(recorder.flush(LONG));
    let summary = replay(&read.join().unwrap());
    assert!(summary.gaps >= 1 && summary.missing > 1_000, "{summary:?}");
    assert_eq!(summary.steps + summary.missing + summary.skipped, recorder.stats().steps);
}

/// Also of a node whose driver is not to be had.
#[test]
fn the_state_is_read_from_the_ring() {
    let mut net = recorded(3, &Recording::of(64 << 10));
    let recorder = recorder(&net, 1);
    for _ in 0..3 {
        assert_eq!(recorder.snapshot().as_deref(), Some(&*net.pump(1).node().snapshot()));
        net.run(Duration::from_secs(200));
    }
    assert!(recorder.stats().keyframes > 0);
    let (handle, pump) = crate::Setup::new("node-1", Config::local("c"))
        .resume(&recorder.snapshot().unwrap(), Net::addr(1), Instant::ORIGIN)
        .unwrap();
    assert_eq!((handle.id(), pump.node().live_count()), (NodeId::from_name("node-1"), 1));
}

/// A block that came to the disk in part is taken away before the next one is written.
#[test]
fn a_block_written_in_part_is_cut_off() {
    let dir = Dir::new("part");
    let net = recorded(2, &Recording::default());
    let recorder = recorder(&net, 0);
    drop(net);
    let (start, blocks) = lock(&recorder.shared.ring).parts();
    let (block, steps) = (&blocks[0], recorder.stats().steps);
    let path = dir.0.join("run.swt");
    let mut appender = Appender::new(path.clone(), false, start);
    assert!(appender.append(block, steps).is_ok());
    let whole = fs::read(&path).unwrap();
    assert_eq!(replay(&whole).steps, steps);
    fs::write(&path, [&whole[..], &[7; 100]].concat()).unwrap();
    appender.fail();
    assert!(appender.append(block, steps).is_err(), "the file is open for reading only");
    assert_eq!(fs::read(&path).unwrap().len(), whole.len() + 100, "nor could it be cut");
    // It is there twice then, and does not continue; what matters here is that it is found.
    assert!(appender.append(block, steps).is_ok());
    let again = fs::read(&path).unwrap();
    assert_eq!(Trace::open(&again).unwrap().blocks().map(Result::unwrap).count(), 3);
}

#[test]
fn dumps_are_written_when_they_are_asked_for() {
    let dir = Dir::new("asked");
    let dumps = Dumps { keep: 2, ..dumps(dir.0.join("sub")) };
    let mut net = recorded(2, &Recording::default().dumps(dumps));
    let recorder = recorder(&net, 1);
    for why in ["first", "../second", ""] {
        net.run(Duration::from_secs(1));
        assert!(recorder.request_dump(why));
        assert!(recorder.flush(LONG));
    }
    let files = Dir(dir.0.join("sub")).files();
    let ends: Vec<_> = files.iter().map(|file| file.to_string_lossy().into_owned()).collect();
    assert_eq!(files.len(), 2, "the oldest is gone: {ends:?}");
    assert!(ends[0].ends_with("-2-second.swt") && ends[1].ends_with("-3-asked.swt"), "{ends:?}");
    assert!(ends.iter().all(|end| end.contains("/node-1-1-")), "{ends:?}");
    fs::create_dir_all(dir.0.join("sub")).unwrap();
    assert_eq!((recorder.stats().dumps, recorder.stats().dumps_failed), (3, 0));
    let path = dir.0.join("by-hand.swt");
    recorder.dump(&path).unwrap();
    only_its_owner_reads(&path);
    assert_eq!(fs::read(&path).unwrap(), recorder.trace());
    assert!(recorder.dump(dir.0.join("nowhere").join("x.swt")).is_err());
    assert_eq!(dir.files().len(), 2, "nothing is left of what failed");
    drop(net);
    assert!(recorder.flush(LONG) && !recorder.request_dump("late"));
    assert!(!recorded(1, &Recording::default()).handle(0).recorder().unwrap().request_dump("no directory"));
}

/// Being suspected is reason enough.
#[test]
fn a_node_that_was_suspected_keeps_what_led_to_it() {
    let dir = Dir::new("suspected");
    let mut net = recorded(3, &Recording::default().dumps(dumps(&dir.0)));
    let recorder = recorder(&net, 2);
    // Nothing reaches it or leaves it for a while.
    let silent = net.nodes.pop().unwrap();
    net.run(Duration::from_secs(2));
    net.nodes.push(silent);
    net.run(Duration::from_secs(5));
    assert!(recorder.flush(LONG));
    let own = |file: &PathBuf| file.to_string_lossy().contains("node-2-1-");
    let files: Vec<_> = dir.files().into_iter().filter(own).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    assert!(files[0].to_string_lossy().ends_with("-suspected.swt"));
    let bytes = fs::read(&files[0]).unwrap();
    replay(&bytes);
    let trace = Trace::open(&bytes).unwrap();
    let (mut replay, mut refuted) = (Replay::new(&trace).unwrap(), false);
    while let Some(step) = replay.step() {
        refuted |= step.unwrap().outputs.events().iter().any(|event| matches!(event, Event::Refuted { .. }));
    }
    assert!(refuted, "what it tells of is in it");
}

#[test]
fn the_alarm_counts_deaths_within_their_time() {
    let dumps = Dumps { on_deaths: Some((3, Duration::from_secs(10))), ..dumps("") };
    let mut alarm = Alarm::new(Some(&dumps));
    let at = |seconds: u64| Instant::from_millis(seconds * 1_000);
    let incarnation = swim_core::Incarnation::new(1, 0);
    let down = |left| Event::MemberDown { id: NodeId::new(1), incarnation, left };
    let heard: Vec<_> = [0, 6, 11, 12, 15, 16, 90, 95, 99, 100]
        .map(|seconds| (seconds, alarm.hear(at(seconds), &down(false))))
        .into_iter()
        .filter_map(|(seconds, why)| why.map(|why| (seconds, why)))
        .collect();
    assert_eq!(heard, [(12, "deaths"), (99, "deaths")]);
    assert!((0..9).all(|_| alarm.hear(at(200), &down(true)).is_none()), "goodbyes are no deaths");
    let refuted = Event::Refuted { incarnation };
    let heard = [0, 59, 60].map(|seconds| alarm.hear(at(seconds), &refuted));
    assert_eq!(heard, [Some("suspected"), None, Some("suspected")]);
    let mut deaf = Alarm::new(None);
    assert!((0..9).all(|_| deaf.hear(at(0), &down(false)).is_none() && deaf.hear(at(0), &refuted).is_none()));
}
