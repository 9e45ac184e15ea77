//! The first SIGINT or SIGTERM is a wish to leave; the second is an order to end. SIGUSR1 asks for the counters,
//! SIGUSR2 asks the flight recorder for a dump, and SIGHUP has the keyring read again.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use bind_mio::Handle;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::flag;
use signal_hook::iterator::Signals;

use super::counters::tell_on_signal;
use super::recorder::dump_on_signal;
use super::sealing::reread;
use crate::output::notice;

/// From now on the first signal makes the node leave, and the second ends the process at once, whatever its threads are
/// waiting for: that one is handled where it arrives. SIGUSR1 shows the counters. SIGUSR2 dumps into `dumps`; without a
/// recorder it does no harm. SIGHUP reads `keyring` again; a sealed node without such a file says that it has none, and
/// a plain one is ended by it as programs are.
pub(super) fn heed(handle: Handle, dumps: Option<PathBuf>, keyring: Option<PathBuf>, sealed: bool) -> io::Result<()> {
    let seen = Arc::new(AtomicBool::new(false));
    for signal in ENDING {
        // In this order: the first signal must not find the mark that it sets itself.
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&seen))?;
        flag::register(signal, Arc::clone(&seen))?;
    }
    // Behind the marks, so that whoever is told of the first signal can rely on what the second one does.
    let mut signals = Signals::new(ENDING.into_iter().chain([SIGUSR1, SIGUSR2]).chain(sealed.then_some(SIGHUP)))?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        // The first may have come before there was anything to wait for it.
        let mut ends = seen.load(Ordering::Acquire);
        let mut arriving = signals.forever();
        while !ends {
            match arriving.next() {
                Some(SIGUSR1) => tell_on_signal(&handle),
                Some(SIGUSR2) => dump_on_signal(handle.recorder(), dumps.as_deref()),
                Some(SIGHUP) => match &keyring {
                    Some(path) => reread(&handle, path),
                    None => {
                        notice(format_args!("there is no keyring to read again: the key is that of the token alone"));
                    }
                },
                _ => ends = true,
            }
        }
        super::accepted(handle.leave());
        notice(format_args!("leaving; a second signal ends this at once"));
    })?;
    Ok(())
}

const ENDING: [i32; 2] = [SIGINT, SIGTERM];
