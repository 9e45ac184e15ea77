use swim_core::{Command, Config, Input, Instant, Profile};
use swim_driver::swim_trace::{Header, Tape};
use swim_driver::{Setup, bind_blocking};

use super::*;

/// A node that was told some things, and what it saw.
fn life() -> (Recorder, Vec<u8>) {
    let mut setup = Setup::new("a", Config::local("replayed"));
    setup.record = Some(Recording::of(1 << 20));
    let any = "127.0.0.1:0".parse().expect("an address");
    let (handle, mut engine) = bind_blocking(any, setup).expect("the loopback interface has ports");
    let recorder = handle.recorder().expect("it was asked for").clone();
    for meta in [b"1", b"2", b"3"] {
        handle.set_profile(Profile::new("a", meta).expect("it is short")).expect("it runs");
    }
    engine.turn().expect("its socket works");
    drop(engine);
    assert!(recorder.stats().steps >= 3);
    let bytes = recorder.trace();
    (recorder, bytes)
}

#[test]
fn what_was_replayed_is_counted_once() {
    let _ = take();
    let (recorder, _) = life();
    let steps = recorder.stats().steps;
    replay("a", &recorder).expect("it comes out the same");
    replay("a", &recorder).expect("and again");
    assert_eq!(take(), Replayed { lives: 2, steps: 2 * steps, from_keyframe: 0 });
    assert_eq!(take(), Replayed::default());
}

#[test]
fn a_life_that_came_out_otherwise_is_a_failure() {
    let (_, bytes) = life();
    let trace = Trace::open(&bytes).expect("it was just written");
    let header: Header = trace.header().clone();
    // A node that is given one more input than its tape says.
    let mut node = header.node().expect("it has a seed").expect("its config holds");
    let mut tape = Tape::new(&header, &node);
    for (ms, noted) in [(1_000, true), (2_000, false), (3_000, true)] {
        let (now, mut buf) = (Instant::from_micros(ms * 1_000), [0; 2_000]);
        let seeds = ["127.0.0.1:9".parse().expect("an address")];
        let input = if noted { Input::Timeout } else { Input::Command(Command::Join(&seeds)) };
        if noted {
            tape.input(&node, now, &input);
        }
        node.handle(now, input);
        while let Some(sent) = node.poll_transmit(&mut buf) {
            tape.sent(sent.to, &buf[..sent.len]);
        }
        while let Some(event) = node.poll_event() {
            tape.event(&event);
        }
    }
    let told = play(&tape.finish(&node), 2).expect_err("it differs");
    assert!(told.starts_with("1 divergences, the first in step "), "{told}");
}

#[test]
fn a_trace_that_lacks_the_end_is_a_failure() {
    let (recorder, bytes) = life();
    let steps = recorder.stats().steps;
    assert_eq!(play(&bytes, steps), Ok(steps));
    let told = play(&bytes, steps + 1).expect_err("one is missing");
    assert!(told.contains(&format!("the trace ends behind {steps}")), "{told}");
    assert!(play(&bytes[..bytes.len() - 1], steps).is_err(), "cut off");
}

#[test]
fn every_third_life_is_recorded_in_a_short_ring() {
    let rings = |seed| (1..=6).map(|life| recording(seed, 0, life, 7 << 20).ring).collect::<Vec<_>>();
    assert_eq!(rings(0), [7 << 20, 7 << 20, SHORT, 7 << 20, 7 << 20, SHORT]);
    assert_ne!(rings(0), rings(1));
    assert_eq!(recording(u64::MAX, usize::MAX, u64::MAX, 1).ring, 1, "no number is too large");
}
