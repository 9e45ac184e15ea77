//! What node and driver have counted, as one JSON object. Its keys are the names of the fields of [`Counters`], so a
//! counter that is new there is shown without a line of this file.

use bind_mio::Handle;
use bind_mio::swim_driver::Counters;

use crate::output::notice;

/// What SIGUSR1 does.
pub(super) fn tell_on_signal(handle: &Handle) {
    notice(format_args!("SIGUSR1: {}", json(&handle.counters())));
}

/// The last ones, for the log.
pub(super) fn log_at_the_end(handle: &Handle) {
    tracing::info!("counted: {}", json(&handle.counters()));
}

fn json(counters: &Counters) -> String {
    serde_json::to_string(counters).expect("numbers can be written")
}
