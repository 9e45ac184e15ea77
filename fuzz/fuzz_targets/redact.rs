//! What a node does with any inputs, redacted.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| swim_fuzzing::redact::target(bytes));
