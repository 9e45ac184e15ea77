//! What a node does with any inputs, redacted.
#![no_main]

use libfuzzer_sys::fuzz_target;
use swim_trace_tools::fuzzing;

fuzz_target!(|bytes: &[u8]| fuzzing::redact(bytes));
