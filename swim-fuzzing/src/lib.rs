//! What the fuzzer calls, as plain functions: each target is a function of bytes that panics where it finds something,
//! and those in `fuzz/` are a line around them. `cargo test -p swim-fuzzing` plays what is committed in `fuzz/seeds`,
//! and mutations of it, through the same functions. `docs/fuzzing.md` has the table of targets.
//!
//! No crate that is part of the product depends on this one.

#![forbid(unsafe_code)]

pub mod bench;
pub mod bytes;
pub mod cast;
pub mod codec;
pub mod draw;
pub mod frame;
pub mod lockstep;
pub mod merges;
pub mod node;
pub mod reference;
pub mod seal;
pub mod snapshot;
pub mod token;
pub mod traffic;
pub mod watch;

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

/// A target: its name, the folder of its seeds in `fuzz/seeds`, and what is called.
pub type Target = (&'static str, &'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: &[Target] = &[
    ("frame", "frame", frame::target),
    ("codec", "frame", codec::target),
    ("node", "node", node::target),
    ("lockstep", "lockstep", lockstep::target),
    ("merges", "merges", merges::target),
    ("snapshot", "snapshot", snapshot::target),
    ("trace", "trace", trace::target),
    ("redact", "trace", redact::target),
    ("config", "config", config::target),
    ("seal", "seal", seal::target),
    ("token", "token", token::target),
    #[cfg(feature = "containers")]
    ("containers", "containers", containers::target),
];
