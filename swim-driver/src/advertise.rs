//! The address that a node tells others, apart from the one its socket is bound to.
//!
//! Invariant: a node never advertises an address that it knows nobody can use. One that everybody can send to, but which
//! means another machine to each (loopback), is worse than none: the others would probe themselves.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use crate::mailbox::Mailbox;
use crate::resolver::{Query, Resolver};
use crate::seed::{Seed, canonical, is_reachable};
use crate::setup::SetupError;
use crate::socket::Speaks;
use crate::sync::Arc;

/// The address to advertise, when this is wanted and the socket is bound to that.
pub(crate) fn advertised(wanted: Option<SocketAddr>, bound: SocketAddr) -> Result<SocketAddr, SetupError> {
    let mut addr = canonical(wanted.unwrap_or(bound));
    if addr.port() == 0 {
        addr.set_port(bound.port());
    }
    if !is_reachable(addr) {
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

/// From which of this machine's addresses the seeds are reached, with the port 0: from the first of them that is not on this
/// machine, or else from the first; addresses come before names, which are resolved first, all at once.
///
/// # Errors
/// Why no seed is reached.
pub(crate) async fn route(seeds: &[Seed], resolver: &Resolver, speaks: Speaks) -> Result<SocketAddr, NoRoute> {
    let mut here = None;
    let mut way_to = |addrs: &[SocketAddr]| {
        for source in addrs.iter().filter_map(|&addr| source_for(addr, speaks).ok()) {
            if !source.ip().is_loopback() {
                return Some(source);
            }
            here.get_or_insert(source);
        }
        None
    };
    let addrs: Vec<SocketAddr> = seeds.iter().filter_map(Seed::addr).collect();
    if let Some(found) = way_to(&addrs) {
        return Ok(found);
    }
    let names: Vec<_> = seeds.iter().filter_map(|seed| seed.clone().into_name().ok()).collect();
    let asked = Asked(Arc::new(Mailbox::new()));
    let (mut answers, mut resolved) = (names.len(), false);
    for query in names.into_iter().enumerate() {
        resolver.ask(Query::new(query, speaks, Arc::clone(&asked.0)));
    }
    while answers > 0 {
        poll_fn(|cx| asked.0.poll_pending(cx)).await;
        while let Some(answer) = asked.0.take_answer() {
            answers -= 1;
            resolved |= !answer.addrs.is_empty();
            if let Some(found) = way_to(&answer.addrs) {
                return Ok(found);
            }
        }
    }
    let unresolved = addrs.is_empty() && !seeds.is_empty() && !resolved;
    here.ok_or(if unresolved { NoRoute::Unresolved } else { NoRoute::None })
}

/// Why no seed says which address to advertise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoute {
    /// There is no seed, or there is no way to any.
    None,
    /// All are names, and none of them could be resolved.
    Unresolved,
}

/// Where one answer is awaited. Given up, nobody is woken by it any more.
struct Asked(Arc<Mailbox>);

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The address from which the system would send to this one. Connecting a UDP socket sends nothing.
fn source_for(to: SocketAddr, speaks: Speaks) -> io::Result<SocketAddr> {
    let to = canonical(to);
    if !speaks.reaches(to) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(to)?;
    let source = socket.local_addr()?.ip();
    if source.is_unspecified() { Err(io::ErrorKind::AddrNotAvailable.into()) } else { Ok((source, 0).into()) }
}

#[cfg(all(test, not(loom)))]
mod tests;
