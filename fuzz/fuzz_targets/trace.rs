//! Any bytes as a trace: opened, walked, replayed.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| swim_fuzzing::trace::target(bytes));
