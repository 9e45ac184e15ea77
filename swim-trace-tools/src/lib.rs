//! What can be done with traces: the library behind `swim trace`.
//!
//! Nothing here opens a file or prints: functions take a [`swim_trace::Trace`] or bytes, and give values that serialise.

#![forbid(unsafe_code)]

pub mod cat;
pub mod convert;
pub mod decode;
pub mod diff;
mod filter;
mod hex;
pub mod info;
pub mod json;
pub mod jsonl;
pub mod moment;
pub mod redact;
pub mod shrink;
pub mod stats;

#[doc(hidden)]
pub mod fuzzing;

pub use filter::Filter;
