//! The first SIGINT or SIGTERM is a wish to leave; the second is an order to end.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use bind_mio::Handle;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;

use crate::output::notice;

/// From now on the first signal makes the node leave, and the second ends the process at once, whatever its threads are
/// waiting for: that one is handled where it arrives.
pub(super) fn leave_on_signal(handle: Handle) -> io::Result<()> {
    let seen = Arc::new(AtomicBool::new(false));
    for signal in SIGNALS {
        // In this order: the first signal must not find the mark that it sets itself.
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&seen))?;
        flag::register(signal, Arc::clone(&seen))?;
    }
    // Behind the marks, so that whoever is told of the first signal can rely on what the second one does.
    let mut signals = Signals::new(SIGNALS)?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        // The first may have come before there was anything to wait for it.
        if seen.load(Ordering::Acquire) || signals.forever().next().is_some() {
            super::accepted(handle.leave());
            notice(format_args!("leaving; a second signal ends this at once"));
        }
    })?;
    Ok(())
}

const SIGNALS: [i32; 2] = [SIGINT, SIGTERM];
