//! A dump when the process is about to end by a panic, also where that aborts.

use std::panic;
use std::sync::{Mutex, Once, PoisonError};

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
            before(info);
            dump_all();
        }));
    });
}

pub(super) fn forget(shared: &Arc<Shared>) {
    let mut watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    watched.retain(|watched| !Arc::ptr_eq(&watched.shared, shared));
}

fn dump_all() {
    // Another thread that panics just now does it for both.
    let Ok(mut watched) = WATCHED.try_lock() else { return };
    for Watched { shared, dumps, compress, left } in watched.iter_mut().filter(|watched| watched.left > 0) {
        *left -= 1;
        let path = dump_path(&dumps.dir, &shared.label, &format!("p{left}"), "panic");
        shared.writer.dumped(&write_dump(&path, shared, *compress));
    }
}

/// Dumps of one recorder for this reason.
const PANICS_MAX: usize = 4;
