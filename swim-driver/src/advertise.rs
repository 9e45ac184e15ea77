//! The address that a node tells others, apart from the one its socket is bound to.
//!
//! Invariant: a node never advertises an address that it knows nobody can use. One that everybody can send to, but which
//! means another machine to each (loopback), is worse than none: the others would probe themselves.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::slice;

use crate::mailbox::Mailbox;
use crate::resolver::{Query, Resolver};
use crate::seed::Seed;
use crate::setup::SetupError;
use crate::sync::Arc;

/// The address to advertise, when this is wanted and the socket is bound to that.
pub(crate) fn advertised(wanted: Option<SocketAddr>, bound: SocketAddr) -> Result<SocketAddr, SetupError> {
    let mut addr = wanted.unwrap_or(bound);
    if addr.port() == 0 {
        addr.set_port(bound.port());
    }
    if addr.ip().to_canonical().is_unspecified() || addr.port() == 0 {
        return Err(match wanted {
            Some(advertise) => SetupError::Unreachable { advertise },
            None => SetupError::Unspecified { bound },
        });
    }
    Ok(addr)
}

/// A node that advertises a loopback address was to join through another machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OnlyHere {
    /// The address it advertises.
    pub advertise: SocketAddr,
    /// The first seed that is not on this machine.
    pub seed: SocketAddr,
}

impl fmt::Display for OnlyHere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { advertise, seed } = self;
        write!(
            f,
            "the seed {seed} is on another machine, where the advertised address {advertise} means that machine itself: \
             set `advertise` to the address at which others reach this machine, or bind to that address"
        )
    }
}

impl std::error::Error for OnlyHere {}

/// Whether nodes at these addresses can use what this node advertises.
pub(crate) fn check(advertise: SocketAddr, seeds: &[SocketAddr]) -> Result<(), OnlyHere> {
    let is_here = |addr: &SocketAddr| addr.ip().to_canonical().is_loopback();
    if !is_here(&advertise) {
        return Ok(());
    }
    // What nothing can be sent to is nowhere.
    let is_away = |addr: &&SocketAddr| !is_here(addr) && !addr.ip().to_canonical().is_unspecified();
    seeds.iter().find(is_away).map_or(Ok(()), |&seed| Err(OnlyHere { advertise, seed }))
}

/// From which of this machine's addresses the first of these seeds is reached that can be, with the port 0: an address
/// before a name, which is resolved first. `None` when there is none.
pub(crate) async fn route(seeds: &[Seed], resolver: &Resolver, bound: SocketAddr) -> Option<SocketAddr> {
    if let Some(found) = seeds.iter().filter_map(Seed::addr).find_map(|seed| source_for(seed, bound).ok()) {
        return Some(found);
    }
    for name in seeds.iter().filter_map(|seed| seed.clone().into_name().ok()) {
        let asked = Asked(Arc::new(Mailbox::new()));
        resolver.ask(Query::new((0, name), bound.is_ipv4(), Arc::clone(&asked.0)));
        poll_fn(|cx| asked.0.poll_pending(cx)).await;
        let addrs = asked.0.take_answer().map(|answer| answer.addrs).unwrap_or_default();
        if let Some(found) = addrs.iter().find_map(|&addr| source_for(addr, bound).ok()) {
            return Some(found);
        }
    }
    None
}

/// Where one answer is awaited. Given up, nobody is woken by it any more.
struct Asked(Arc<Mailbox>);

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The address from which the system would send to this one. Connecting a UDP socket sends nothing.
fn source_for(to: SocketAddr, bound: SocketAddr) -> io::Result<SocketAddr> {
    let any: SocketAddr = match (to.is_ipv4(), bound.is_ipv4()) {
        (false, true) => return Err(io::ErrorKind::Unsupported.into()),
        (true, _) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        (false, false) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(slice::from_ref(&to))?;
    let mut source = socket.local_addr()?;
    source.set_port(0);
    if source.ip().is_unspecified() { Err(io::ErrorKind::AddrNotAvailable.into()) } else { Ok(source) }
}

#[cfg(all(test, not(loom)))]
mod tests;
