//! Three nodes, and what is on its way between them.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| swim_fuzzing::lockstep::target(bytes));
