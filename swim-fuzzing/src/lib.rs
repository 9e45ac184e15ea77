//! What the fuzzer calls, as plain functions: each target is a function of bytes that panics where it finds something,
//! and those in `fuzz/` are a line around them. `cargo test -p swim-fuzzing` plays what is committed in `fuzz/seeds`,
//! and mutations of it, through the same functions. `docs/fuzzing.md` has the table of targets.
//!
//! No crate that is part of the product depends on this one.

#![forbid(unsafe_code)]

mod bench;
mod bytes;
mod cast;
mod claims;
pub mod codec;
pub mod draw;
pub mod frame;
pub mod lockstep;
pub mod merges;
pub mod node;
#[cfg(swim_mutations)]
pub mod planted;
mod reference;
pub mod seal;
pub mod snapshot;
pub mod token;
pub mod traffic;
mod watch;

/// Any bytes as a trace: opened, walked, replayed.
pub mod trace {
    pub use swim_trace_tools::fuzzing::trace as target;
}

/// Any inputs, recorded and redacted: the redacted node does the same.
pub mod redact {
    pub use swim_trace_tools::fuzzing::redact as target;
}

/// Any text as a config file, and each line of it as a field, a seed, a fault.
pub mod config {
    pub use swim_cli::fuzzing::config as target;
}

/// The containers of the core against plain models.
#[cfg(feature = "containers")]
pub mod containers {
    pub use swim_core::fuzzing::containers as target;
}

/// A target: all that a fuzzer and the tests need to know of it.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// What it is called, in `fuzz/fuzz_targets`, too.
    pub name: &'static str,
    /// The folder of its seeds in `fuzz/seeds`.
    pub seeds: &'static str,
    /// Its inputs are scripts, which say the more the longer they are, and which drawn bytes are as well as others.
    pub script: bool,
    /// How many mutations of its seeds each test run plays: about a second of them.
    pub rounds: usize,
    /// Runs nodes, or much else, for each input: a run in which each has its share should give it more time.
    pub slow: bool,
    /// What is called; `None` in builds that do not have it.
    pub play: Option<fn(&[u8])>,
}

impl Target {
    const fn bytes(name: &'static str, seeds: &'static str, rounds: usize, play: fn(&[u8])) -> Self {
        Self { name, seeds, script: false, rounds, slow: false, play: Some(play) }
    }

    const fn script(name: &'static str, rounds: usize, play: fn(&[u8])) -> Self {
        Self { name, seeds: name, script: true, rounds, slow: false, play: Some(play) }
    }

    const fn slow(self) -> Self {
        Self { slow: true, ..self }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.name == name)
    }
}

/// All targets. `fuzz/targets` is written of it, for the script that runs them.
pub const TARGETS: &[Target] = &[
    Target::bytes("frame", "frame", 6_000, frame::target),
    Target::bytes("codec", "frame", 6_000, codec::target),
    Target::script("node", 300, node::target).slow(),
    Target::script("lockstep", 40, lockstep::target).slow(),
    Target::script("merges", 40, merges::target).slow(),
    Target::bytes("snapshot", "snapshot", 2_000, snapshot::target).slow(),
    Target::bytes("trace", "trace", 200, trace::target).slow(),
    Target::bytes("redact", "trace", 200, redact::target).slow(),
    Target::bytes("config", "config", 400, config::target),
    Target::script("seal", 200, seal::target).slow(),
    Target::script("token", 400, token::target),
    Target {
        // Its seeds are played by the tests of the core.
        play: CONTAINERS,
        ..Target::script("containers", 300, |_| ()).slow()
    },
];

#[cfg(feature = "containers")]
const CONTAINERS: Option<fn(&[u8])> = Some(containers::target);
#[cfg(not(feature = "containers"))]
const CONTAINERS: Option<fn(&[u8])> = None;
