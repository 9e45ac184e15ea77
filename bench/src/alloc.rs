//! Counts what the thread that measures takes from the heap.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<u64> = const { Cell::new(0) };
    static LIVE: Cell<i64> = const { Cell::new(0) };
}

/// What this thread has allocated so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Heap {
    /// Calls that took memory: each of `alloc` and `realloc`.
    pub(crate) calls: u64,
    /// Bytes that these asked for.
    pub(crate) bytes: u64,
    /// Bytes that are taken and not given back.
    pub(crate) live: i64,
}

pub(crate) fn heap() -> Heap {
    Heap { calls: CALLS.get(), bytes: BYTES.get(), live: LIVE.get() }
}

fn took(bytes: usize) {
    CALLS.set(CALLS.get() + 1);
    BYTES.set(BYTES.get() + bytes as u64);
    LIVE.set(LIVE.get() + bytes as i64);
}

// SAFETY: every call is passed on to the system allocator unchanged; the counters are plain thread-local cells without
// destructors, so they can be used at any time.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        LIVE.set(LIVE.get() - layout.size() as i64);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.dealloc(p, layout) }
    }

    unsafe fn realloc(&self, p: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LIVE.set(LIVE.get() - layout.size() as i64);
        took(size);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.realloc(p, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;
