//! A dump when the process is about to end by a panic, also where that aborts.

use std::io;
use std::panic;
use std::sync::{Mutex, Once, PoisonError};
use std::thread;
use std::time::Duration;

use super::writer::{dump_path, write_dump};
use super::{Dumps, Shared};
use crate::sync::Arc;

/// Recorders that are dumped when any thread panics.
static WATCHED: Mutex<Vec<Watched>> = Mutex::new(Vec::new());
static HOOK: Once = Once::new();

struct Watched {
    shared: Arc<Shared>,
    dumps: Dumps,
    compress: bool,
    /// A program may catch its panics and go on, and have many.
    left: usize,
}

/// From now on, until [`forget`].
pub(super) fn watch(shared: &Arc<Shared>, dumps: &Dumps, compress: bool) {
    let (shared, dumps) = (Arc::clone(shared), dumps.clone());
    let watched = Watched { shared, left: dumps.keep.clamp(1, PANICS_MAX), dumps, compress };
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner).push(watched);
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            // First, since the other one may end the process.
            dump_all();
            before(info);
        }));
    });
}

pub(super) fn forget(shared: &Arc<Shared>) {
    let mut watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    watched.retain(|watched| !Arc::ptr_eq(&watched.shared, shared));
}

fn dump_all() {
    // Another thread that panics just now may have read the rings before this one came here, so it is waited for; and not for long,
    // since this thread may be one that has the lock.
    let held = (0..WAIT_TRIES).find_map(|_| {
        let held = WATCHED.try_lock().ok();
        if held.is_none() {
            thread::sleep(Duration::from_millis(1));
        }
        held
    });
    let Some(mut watched) = held else { return };
    for Watched { shared, dumps, compress, left } in watched.iter_mut().filter(|watched| watched.left > 0) {
        *left -= 1;
        let path = dump_path(&dumps.dir, &shared.label, &format!("p{left}"), "panic");
        let dumped = match shared.packed_unless_held(*compress) {
            Some(trace) => write_dump(&path, &trace),
            None => Err(io::ErrorKind::WouldBlock.into()),
        };
        shared.writer.dumped(&dumped);
    }
}

/// Milliseconds in which another thread's dumps are usually written.
const WAIT_TRIES: usize = 2_000;
/// Dumps of one recorder for this reason.
const PANICS_MAX: usize = 4;
