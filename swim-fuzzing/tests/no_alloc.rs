//! Reading a frame allocates nothing, whatever is in it. One test, since the allocator counts for all threads.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use swim_core::wire::Frame;
use swim_fuzzing::draw::Draw;
use swim_fuzzing::frame::read_all;

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is handed on to the system's allocator as it is; the counter is all that is added.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
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
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        match black_box(Frame::parse(&bytes)) {
            Ok(frame) => {
                black_box(read_all(&frame, |part| _ = black_box(part)));
                taken += 1;
            }
            Err(_) => refused += 1,
        }
        let after = ALLOCATIONS.load(Ordering::Relaxed);
        assert_eq!(after, before, "{bytes:02x?}");
    }
    assert!(taken > 1_000 && refused > 1_000, "{taken} were taken, {refused} refused");
}
