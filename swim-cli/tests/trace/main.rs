//! `swim trace`, a module for each command: `cargo test -p swim-cli --test trace merge::`.

mod cat;
mod convert;
mod diff;
mod export;
mod files;
mod html;
mod info;
mod merge;
#[path = "../../../swim-trace/tests/util/mod.rs"]
mod nets;
mod redact;
mod replay;
mod several;
mod shrink;
mod stats;
#[path = "../util/mod.rs"]
mod util;
mod why;
