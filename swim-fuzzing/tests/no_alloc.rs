//! Reading a frame allocates nothing, whatever is in it. Counted by the allocator itself, for each thread: the test harness
//! allocates in its own while a test runs.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::hint::black_box;

use swim_core::wire::Frame;
use swim_fuzzing::draw::Draw;
use swim_fuzzing::frame::read_all;

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is handed on to the system's allocator as it is; the counter is a plain thread-local cell without
// destructor, so it can be used at any time. What is not here, as growing in place, is made of these two.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn reading_a_frame_allocates_nothing() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/seeds/frame");
    let files = fs::read_dir(folder).expect("the seeds are in the repository");
    let seeds: Vec<Vec<u8>> = files.map(|file| fs::read(file.unwrap().path()).unwrap()).collect();
    let mut draw = Draw::new(7);
    let (mut taken, mut refused) = (0, 0);
    for round in 0..20_000 {
        let mut bytes = seeds[round % seeds.len()].clone();
        if round >= seeds.len() {
            draw.mutate(&mut bytes);
        }
        let before = COUNT.get();
        match black_box(Frame::parse(&bytes)) {
            Ok(frame) => {
                black_box(read_all(&frame, |part| _ = black_box(part)));
                taken += 1;
            }
            Err(_) => refused += 1,
        }
        let after = COUNT.get();
        assert_eq!(after, before, "{bytes:02x?}");
    }
    assert!(taken > 1_000 && refused > 1_000, "{taken} were taken, {refused} refused");
}
