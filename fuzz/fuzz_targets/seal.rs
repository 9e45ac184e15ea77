//! Sealed datagrams between members, strangers, and somebody on the path.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| swim_fuzzing::seal::target(bytes));
