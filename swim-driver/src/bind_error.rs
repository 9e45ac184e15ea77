//! Why a node cannot be bound, and what to do about it.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use crate::setup::SetupError;

/// Why no node could be bound.
#[derive(Debug)]
#[non_exhaustive]
pub enum BindError {
    /// The socket cannot be bound.
    Bind {
        /// The address that was asked for.
        addr: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The socket that was handed over cannot be used.
    Socket(io::Error),
    /// The node cannot be started.
    Setup(SetupError),
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind { addr, source } => {
                write!(f, "cannot bind to {addr}: {source}")?;
                match remedy(source) {
                    Some(remedy) => write!(f, "; {remedy}"),
                    None => Ok(()),
                }
            }
            Self::Socket(e) => write!(f, "the socket cannot be used ({e}): hand over a UDP socket that is bound"),
            Self::Setup(e) => write!(f, "{e}"),
        }
    }
}

/// The codes of a process, and of a system, that has too many files open: the standard library has no name for them.
#[cfg(unix)]
const TOO_MANY_FILES: [i32; 2] = [24, 23];
#[cfg(not(unix))]
const TOO_MANY_FILES: [i32; 0] = [];

fn remedy(source: &io::Error) -> Option<&'static str> {
    if source.raw_os_error().is_some_and(|code| TOO_MANY_FILES.contains(&code)) {
        return Some("no file can be opened any more: close some, or raise the limit (`ulimit -n`)");
    }
    match source.kind() {
        ErrorKind::AddrInUse => Some("another process uses this port: stop it, or choose another port (0: any)"),
        ErrorKind::AddrNotAvailable => {
            Some("this machine does not have that address: bind to one it has, and set `advertise` to the other")
        }
        ErrorKind::PermissionDenied => Some("ports below 1024 are reserved: choose a higher one"),
        _ => None,
    }
}

impl Error for BindError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Bind { source, .. } | Self::Socket(source) => Some(source),
            // Its text stands for this error already, so the chain goes on behind it.
            Self::Setup(e) => e.source(),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn without_a_file_left_the_error_says_what_to_do() {
        let addr = SocketAddr::from(([127, 0, 0, 1], 7946));
        for code in TOO_MANY_FILES {
            let told = BindError::Bind { addr, source: io::Error::from_raw_os_error(code) }.to_string();
            assert!(told.starts_with("cannot bind to 127.0.0.1:7946: ") && told.contains("ulimit -n"), "{told}");
        }
        let told = BindError::Bind { addr, source: io::Error::from_raw_os_error(12) }.to_string();
        assert!(!told.contains("ulimit"), "{told}");
    }
}
