//! The reader of frames against a plain one.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| swim_fuzzing::codec::target(bytes));
