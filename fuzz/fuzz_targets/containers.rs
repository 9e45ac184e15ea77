//! The containers of the core against plain models.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| swim_fuzzing::containers::target(bytes));
