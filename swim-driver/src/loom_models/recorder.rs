use std::net::SocketAddr;

use loom::thread;
use swim_core::{Config, Instant};
use swim_trace::{Replay, Trace};

use super::pump::model;
use crate::pump::Pump;
use crate::recorder::Recording;
use crate::setup::Setup;
use crate::{Handle, Recorder};

fn recorded() -> (Handle, Pump, Recorder) {
    let mut config = Config::local("c");
    (config.members_reserved, config.events_max, config.evidence_max) = (1, 16, 32);
    let mut setup = Setup::new("a", config);
    (setup.epoch, setup.rng_seed) = (Some(1), Some(1));
    let mut recording = Recording::of(64 << 10);
    recording.unix_micros = Some(0);
    setup.record = Some(recording);
    let (handle, pump) = setup.start(SocketAddr::from(([10, 0, 0, 1], 7_946)), Instant::ORIGIN).unwrap();
    let recorder = handle.recorder().unwrap().clone();
    (handle, pump, recorder)
}

/// Three inputs of a lone node.
fn run(pump: &mut Pump) {
    let mut out = [0; 1_400];
    for millis in 1..4 {
        pump.timeout(Instant::from_millis(millis));
        while pump.poll_transmit(&mut out).is_some() {}
    }
}

/// On a thread of the system: a node that is read back takes more stack than a model's threads have, and shares nothing.
fn replayed(trace: &[u8]) -> u64 {
    let replay = || {
        let trace = Trace::open(trace).unwrap();
        let (summary, error) = Replay::new(&trace).unwrap().run();
        assert_eq!((error, summary.divergences, summary.gaps, summary.skipped), (None, 0, 0, 0));
        summary.steps
    };
    std::thread::scope(|s| s.spawn(replay).join().unwrap())
}

/// Whoever reads the ring while the node is given something finds a run that replays, up to some input; and nothing is lost, also
/// of what came while the ring was read.
#[test]
fn a_reader_finds_whole_inputs_and_costs_none() {
    model(|| {
        let (_handle, mut pump, recorder) = recorded();
        let reader = recorder.clone();
        let reading = thread::spawn(move || replayed(&reader.trace()));
        run(&mut pump);
        let seen = reading.join().unwrap();
        assert!(seen <= 3, "{seen}");
        drop(pump);
        assert_eq!((replayed(&recorder.trace()), recorder.stats().missed), (3, 0));
    });
}

/// The driver ends while somebody reads: what is read is whole, and so is what remains.
#[test]
fn the_end_of_a_driver_is_recorded_whoever_reads() {
    model(|| {
        let (_handle, mut pump, recorder) = recorded();
        run(&mut pump);
        let reader = recorder.clone();
        let reading = thread::spawn(move || replayed(&reader.trace()));
        drop(pump);
        assert_eq!(reading.join().unwrap(), 3);
        assert_eq!(replayed(&recorder.trace()), 3);
    });
}
