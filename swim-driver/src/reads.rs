//! How much one turn reads, and what a receive error means.
//!
//! Invariant: a turn reads at most [`DATAGRAMS_MAX`] datagrams and bears at most [`ERRORS_MAX`] errors, so neither a
//! flood nor a broken socket keeps the deadlines waiting; and a socket that returns errors without end is asked again
//! only after a pause, so it cannot make the loop spin.

use std::io::{self, ErrorKind};
use std::time::Duration;

/// The reads of one turn.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    datagrams: u32,
    errors: u32,
}

/// What to do after a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Read again.
    Again,
    /// Enough for this turn. The next is due at the latest after this, or when the poll says so.
    Wait(Option<Duration>),
    /// Nothing will ever be read from it again.
    Lost,
}

impl Reads {
    pub(crate) fn after<T>(&mut self, received: &io::Result<T>) -> Next {
        match received {
            Ok(_) => self.datagrams += 1,
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Next::Wait(None),
            Err(e) if is_fatal(e) => return Next::Lost,
            Err(_) => self.errors += 1,
        }
        if self.errors == ERRORS_MAX {
            Next::Wait(Some(ERRORS_PAUSE))
        } else if self.datagrams == DATAGRAMS_MAX {
            Next::Wait(Some(Duration::ZERO))
        } else {
            Next::Again
        }
    }
}

/// Whether a receive error says that this is no socket (any more). All others pass: refused or reset by a peer that is
/// gone, no buffers, no network, a signal. They may go on for long; a node that ended then would have to be restarted
/// by hand.
fn is_fatal(e: &io::Error) -> bool {
    matches!(e.kind(), ErrorKind::InvalidInput | ErrorKind::NotConnected | ErrorKind::Unsupported)
        || e.raw_os_error().is_some_and(|code| NO_SOCKET.contains(&code))
}

/// Bad descriptor, and not a socket: somebody has closed what is ours. They have no `ErrorKind`.
#[cfg(any(target_os = "linux", target_os = "android"))]
const NO_SOCKET: [i32; 2] = [9, 88];
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
const NO_SOCKET: [i32; 2] = [9, 38];
#[cfg(windows)]
const NO_SOCKET: [i32; 2] = [10_009, 10_038];
#[cfg(not(any(unix, windows)))]
const NO_SOCKET: [i32; 0] = [];

/// Most bursts are taken as a whole; what a full buffer holds, in a few turns.
const DATAGRAMS_MAX: u32 = 256;
/// An error that is told once per peer (refused) passes within one turn; one that stays is not asked for oftener than
/// this per pause.
const ERRORS_MAX: u32 = 16;
/// Short against every probe time-out that makes sense, long against a turn.
const ERRORS_PAUSE: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: ErrorKind) -> io::Result<()> {
        Err(kind.into())
    }

    #[test]
    fn an_empty_socket_ends_the_turn() {
        let mut reads = Reads::default();
        assert_eq!(reads.after(&Ok(())), Next::Again);
        assert_eq!(reads.after(&error(ErrorKind::WouldBlock)), Next::Wait(None));
    }

    #[test]
    fn a_flood_is_interrupted_and_goes_on_at_once() {
        let mut reads = Reads::default();
        for _ in 1..DATAGRAMS_MAX {
            assert_eq!(reads.after(&Ok(())), Next::Again);
        }
        assert_eq!(reads.after(&Ok(())), Next::Wait(Some(Duration::ZERO)));
    }

    /// I4: none of these ends the loop, and none makes it spin.
    #[test]
    fn i4_errors_that_pass_are_borne_and_paced() {
        let mut passing: Vec<io::Error> = [
            ErrorKind::ConnectionRefused,
            ErrorKind::ConnectionReset,
            ErrorKind::ConnectionAborted,
            ErrorKind::Interrupted,
            ErrorKind::NetworkDown,
            ErrorKind::NetworkUnreachable,
            ErrorKind::HostUnreachable,
            ErrorKind::TimedOut,
            ErrorKind::OutOfMemory,
            ErrorKind::PermissionDenied,
            ErrorKind::Other,
        ]
        .into_iter()
        .map(io::Error::from)
        .collect();
        let enobufs = if cfg!(windows) {
            10_055
        } else if cfg!(target_os = "linux") {
            105
        } else {
            55
        };
        passing.push(io::Error::from_raw_os_error(enobufs));
        for e in passing {
            assert!(!is_fatal(&e), "{e}");
            let (mut reads, e) = (Reads::default(), Err::<(), _>(e));
            for _ in 1..ERRORS_MAX {
                assert_eq!(reads.after(&e), Next::Again);
            }
            assert_eq!(reads.after(&e), Next::Wait(Some(ERRORS_PAUSE)));
        }
    }

    #[test]
    fn what_is_no_socket_is_lost() {
        for code in NO_SOCKET {
            assert_eq!(Reads::default().after(&Err::<(), _>(io::Error::from_raw_os_error(code))), Next::Lost);
        }
        assert_eq!(Reads::default().after(&error(ErrorKind::NotConnected)), Next::Lost);
    }

    /// Errors and datagrams by turns have both bounds.
    #[test]
    fn every_mixture_ends() {
        let (mut reads, mut n) = (Reads::default(), 0_u32);
        loop {
            n += 1;
            let next = if n % 2 == 0 { reads.after(&Ok(())) } else { reads.after(&error(ErrorKind::ConnectionReset)) };
            if next != Next::Again {
                break;
            }
        }
        assert_eq!(n, 2 * ERRORS_MAX - 1);
    }
}
