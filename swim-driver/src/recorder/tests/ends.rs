//! Runs that end within a step, panics, and where dumps go.

use super::*;

/// It is in the file as well, as the last one: nobody may have asked for dumps.
#[test]
fn the_input_before_a_panic_is_in_the_file() {
    let dir = Dir::new("panic-file");
    let path = dir.0.join("run.swt");
    let mut net = Net::new(0);
    net.spawn_with(Config::local("c"), |setup| setup.record = Some(Recording::default().file(&path)));
    net.run(Duration::from_secs(5));
    let recorder = recorder(&net, 0);
    let now = net.now;
    net.pump(0).timeout(now);
    let steps = recorder.stats().steps;
    // Never drained, as when the node has panicked.
    drop(net);
    assert!(recorder.flush(LONG));
    let summary = replay(&fs::read(&path).unwrap());
    assert_eq!((summary.steps, summary.unchecked), (steps, 1));
    assert_eq!(summary.steps, replay(&recorder.trace()).steps);
}

/// What was kept aside too long, and the gap behind it, are told also where the driver ends within a step.
#[test]
fn a_gap_at_an_end_within_a_step_is_told() {
    let mut net = recorded(3, &Recording::default());
    let recorder = recorder(&net, 0);
    let reading = lock(&recorder.shared.ring);
    net.run(Duration::from_secs(1_000));
    let now = net.now;
    net.pump(0).timeout(now);
    drop(reading);
    drop(net);
    let (stats, summary) = (recorder.stats(), replay(&recorder.trace()));
    assert!(stats.missed > 0);
    assert_eq!((summary.gaps, summary.missing, summary.steps + stats.missed), (1, stats.missed, stats.steps));
}

/// A panic where the ring is held cannot be dumped, and must not wait for itself.
#[test]
fn a_panic_that_holds_the_ring_ends() {
    let _alone = PANICS.lock();
    let dir = Dir::new("panic-held");
    let net = recorded(1, &Recording::default().dumps(Dumps::into(&dir.0)));
    let recorder = recorder(&net, 0);
    let (ended, is_over) = std::sync::mpsc::channel::<()>();
    let shared = Arc::clone(&recorder.shared);
    thread::spawn(move || {
        let _ended = ended;
        let _held = lock(&shared.ring);
        panic!("while it holds the ring");
    });
    let over = is_over.recv_timeout(Duration::from_secs(20));
    assert_eq!(over, Err(std::sync::mpsc::RecvTimeoutError::Disconnected), "it waits for a lock that it has");
    assert!(!recorder.trace().is_empty());
}

/// What stands where a dump is put together, is not followed to where it points.
#[cfg(unix)]
#[test]
fn a_dump_follows_no_link() {
    let dir = Dir::new("link");
    let (precious, path) = (dir.0.join("precious"), dir.0.join("run.swt"));
    fs::write(&precious, b"precious").unwrap();
    std::os::unix::fs::symlink(&precious, dir.0.join("run.swt.part")).unwrap();
    let net = recorded(1, &Recording::default());
    recorder(&net, 0).dump(&path).unwrap();
    assert_eq!(fs::read(&precious).unwrap(), b"precious");
    only_its_owner_reads(&path);
    replay(&fs::read(&path).unwrap());
}

/// Two nodes of one name, as those of two clusters may be, dump into one directory in one second.
#[test]
fn no_dump_takes_the_place_of_another() {
    let dir = Dir::new("names");
    let recording = Recording::default().dumps(dumps(&dir.0));
    let nets = [recorded(1, &recording), recorded(1, &recording)];
    for net in &nets {
        let recorder = recorder(net, 0);
        assert!((0..3).all(|_| recorder.request_dump("asked")) && recorder.flush(LONG));
        assert_eq!(recorder.stats().dumps, 3);
    }
    assert_eq!(dir.files().len(), 6, "{:?}", dir.files());
}
