//! One node, given anything at any time.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| swim_fuzzing::node::target(bytes));
