//! The socket of a node, made the same way for all bindings.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use socket2::{Domain, Protocol, Type};

/// How a node's socket is made. What the system does not grant in full (sizes of buffers) is no error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketOptions {
    /// Bytes that the system keeps until they are read, its bookkeeping included: what comes while the process stands still
    /// has to fit. At least: a system that gives more is left alone. Linux grants at most `net.core.rmem_max`. Default: 1 MiB.
    /// `None`: what the system gives.
    pub receive_buffer: Option<usize>,
    /// Bytes that wait to be sent. Default, and `None`: what the system gives.
    pub send_buffer: Option<usize>,
    /// Whether a socket that is bound to an IPv6 address leaves IPv4 alone. Default: no, so that one bound to `[::]` speaks
    /// both. It changes nothing for IPv4 addresses.
    pub only_v6: bool,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self { receive_buffer: Some(1 << 20), send_buffer: None, only_v6: false }
    }
}

/// Which addresses a socket can send to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    V4,
    V6,
    /// IPv4 by mapped addresses.
    Both,
}

impl Speaks {
    pub(crate) fn of(bound: SocketAddr, options: &SocketOptions) -> Self {
        match bound {
            SocketAddr::V4(_) => Self::V4,
            SocketAddr::V6(_) if options.only_v6 => Self::V6,
            SocketAddr::V6(_) => Self::Both,
        }
    }

    /// Whether it can send to this address, which is canonical.
    pub(crate) fn reaches(self, to: SocketAddr) -> bool {
        if to.is_ipv4() { self != Self::V6 } else { self != Self::V4 }
    }
}

/// A socket that never blocks.
pub(crate) fn open(addr: SocketAddr, options: &SocketOptions) -> io::Result<UdpSocket> {
    let socket = socket2::Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    if addr.is_ipv6() {
        // Where both kinds cannot share a socket, it speaks the one.
        let set = socket.set_only_v6(options.only_v6);
        if options.only_v6 {
            set?;
        }
    }
    let at_least = |bytes: &usize| socket.recv_buffer_size().is_ok_and(|now| now < *bytes);
    let receive = options.receive_buffer.filter(at_least).map(|bytes| socket.set_recv_buffer_size(bytes));
    let send = options.send_buffer.map(|bytes| socket.set_send_buffer_size(bytes));
    for (which, set) in [("receive", receive), ("send", send)] {
        if let Some(Err(e)) = set {
            tracing::debug!("the {which} buffer of {addr} stays as it is: {e}");
        }
    }
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_asked_for_and_no_reason_to_fail() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let size = |options: &SocketOptions| {
            let socket = open(any, options).unwrap();
            let socket = socket2::SockRef::from(&socket);
            (socket.recv_buffer_size().unwrap(), socket.send_buffer_size().unwrap())
        };
        let system = SocketOptions { receive_buffer: None, ..SocketOptions::default() };
        let little = SocketOptions { receive_buffer: Some(8_192), send_buffer: Some(8_192), only_v6: false };
        let (system, little, much) = (size(&system), size(&little), size(&SocketOptions::default()));
        assert!(little.0 == system.0 && little.1 < system.1, "{little:?}, {system:?}");
        assert!(much.0 >= system.0 && much.1 == system.1, "{much:?}, {system:?}");
    }

    #[test]
    fn it_never_blocks() {
        let socket = open(SocketAddr::from(([127, 0, 0, 1], 0)), &SocketOptions::default()).unwrap();
        assert_eq!(socket.recv_from(&mut [0]).expect_err("nothing came").kind(), io::ErrorKind::WouldBlock);
    }
}
