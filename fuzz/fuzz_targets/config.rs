//! Any text as a config file, and each line of it as a field, a seed, a fault.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| swim_fuzzing::config::target(bytes));
