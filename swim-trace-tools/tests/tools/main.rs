//! The tools as functions, a module for each subject: `cargo test -p swim-trace-tools --test tools merge::`.

mod corpus;
mod doc;
mod export;
mod jsonl;
mod merge;
mod read;
mod redact;
mod shrink;
#[path = "../../../swim-trace/tests/util/mod.rs"]
mod util;
