use std::future::poll_fn;

use loom::future::block_on;
use loom::thread;
use swim_core::{Config, Instant, Profile};

use crate::pump::Pump;
use crate::setup::Setup;
use crate::{Handle, RecvError};

fn node() -> (Handle, Pump) {
    let mut config = Config::local("c");
    // Made thousands of times.
    (config.members_reserved, config.events_max, config.evidence_max) = (1, 16, 32);
    let mut setup = Setup::new("a", config);
    (setup.epoch, setup.rng_seed) = (Some(1), Some(1));
    setup.start(([10, 0, 0, 1], 7_946).into(), Instant::ORIGIN).unwrap()
}

/// As a driver does where nothing comes but commands.
fn run(pump: &mut Pump) {
    let mut out = [0; 1_400];
    loop {
        while pump.poll_transmit(&mut out).is_some() {}
        if pump.finished() {
            return;
        }
        block_on(poll_fn(|cx| pump.mailbox().poll_pending(cx)));
        pump.command(Instant::ORIGIN);
    }
}

/// A thread of a model has 32 KiB of stack, which is too few for a node.
pub(super) fn model(story: fn()) {
    loom::model(move || {
        let story = thread::Builder::new().stack_size(STACK).spawn(story);
        story.expect("loom makes every thread").join().unwrap();
    });
}

/// Words: a megabyte.
const STACK: usize = 1 << 17;

/// Whichever of two handles is dropped last asks the node to leave, once, behind what both have asked for.
#[test]
fn the_drop_of_the_last_handle_ends_the_driver() {
    model(|| {
        let (handle, mut pump) = node();
        let other = handle.clone();
        let threads = [(handle, "b"), (other, "c")]
            .map(|(handle, name)| thread::spawn(move || handle.set_profile(Profile::new(name, b"").unwrap()).unwrap()));
        run(&mut pump);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!((pump.stats().commands, pump.node().has_left()), (3, true));
        assert_ne!(pump.node().me().name(), "a", "it left after what was asked before");
    });
}

/// Whoever is told the end finds all of it: no command is taken, no event comes, and the view is the last.
#[test]
fn the_end_is_everywhere_when_it_is_told_anywhere() {
    model(|| {
        let (handle, mut pump) = node();
        let mut events = handle.events();
        let reader = handle.clone();
        let reader = thread::spawn(move || {
            while events.recv().is_ok() {}
            assert!(reader.leave().is_err() && reader.view().live_count() == 0);
            assert_eq!(block_on(events.recv_async()), Err(RecvError));
            block_on(reader.closed());
        });
        handle.leave().unwrap();
        run(&mut pump);
        reader.join().unwrap();
        assert!(handle.is_closed() && handle.undelivered() == 0);
    });
}
