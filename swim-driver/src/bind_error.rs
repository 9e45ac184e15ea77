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
                match remedy(source.kind()) {
                    Some(remedy) => write!(f, "; {remedy}"),
                    None => Ok(()),
                }
            }
            Self::Socket(e) => write!(f, "the socket cannot be used ({e}): hand over a UDP socket that is bound"),
            Self::Setup(e) => write!(f, "{e}"),
        }
    }
}

fn remedy(kind: ErrorKind) -> Option<&'static str> {
    match kind {
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
