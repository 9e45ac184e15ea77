//! What can be done with traces: the library behind `swim trace`.
//!
//! Nothing here opens a file or prints: functions take a [`swim_trace::Trace`] or bytes, and give values that serialise.

#![forbid(unsafe_code)]

pub mod cat;
pub mod convert;
pub mod decode;
pub mod diff;
pub mod export;
mod filter;
mod frames;
mod hex;
pub mod html;
pub mod info;
pub mod json;
pub mod jsonl;
mod life;
pub mod merge;
pub mod moment;
pub mod redact;
pub mod shrink;
mod spans;
pub mod stats;
pub mod words;

#[doc(hidden)]
pub mod fuzzing;

pub use filter::Filter;
