//! Any bytes as a trace: opened, walked, replayed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use swim_trace_tools::fuzzing;

fuzz_target!(|bytes: &[u8]| fuzzing::trace(bytes));
