//! The same claims in two orders.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| swim_fuzzing::merges::target(bytes));
