//! Who a foca node is, as its examples have it.

use std::net::{Ipv4Addr, SocketAddrV4};

use foca::Identity;
use serde::{Deserialize, Serialize};

use crate::core::Member;

/// An address, and a number that a member counts up which was thought dead and comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Id {
    addr: SocketAddrV4,
    bump: u16,
}

impl Identity for Id {
    type Addr = SocketAddrV4;

    fn renew(&self) -> Option<Self> {
        Some(Self { addr: self.addr, bump: self.bump.wrapping_add(1) })
    }

    fn addr(&self) -> SocketAddrV4 {
        self.addr
    }

    fn win_addr_conflict(&self, other: &Self) -> bool {
        self.bump > other.bump
    }
}

impl Id {
    /// Members are told apart by the last three bytes of their addresses.
    pub(crate) fn new(member: Member) -> Self {
        let [_, a, b, c] = member.to_be_bytes();
        Self { addr: SocketAddrV4::new(Ipv4Addr::new(10, a, b, c), 7_946), bump: 0 }
    }

    /// One on a socket.
    #[cfg(feature = "loopback")]
    pub(crate) fn at(addr: SocketAddrV4) -> Self {
        Self { addr, bump: 0 }
    }

    pub(crate) fn member(&self) -> Member {
        self.addr.ip().to_bits() & 0xff_ffff
    }
}
