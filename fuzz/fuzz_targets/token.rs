//! Join tokens, keys, and the files that keys are kept in.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| swim_fuzzing::token::target(bytes));
