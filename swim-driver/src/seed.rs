//! Through whom to join: an address, or a name that stands for some.
//!
//! Invariant: what was parsed can be sent to, as far as its text tells; names are never mistaken for addresses that were
//! mistyped, because those would be looked up in vain for ever.

use std::fmt;
use std::net::{Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

/// A node to join through: an address, or a name with a port that is resolved when it is needed, and anew as long as it
/// is.
///
/// ```
/// use swim_driver::Seed;
///
/// let seeds: Vec<Seed> = ["db.example:7946", "10.0.0.1:7946", "[::1]:7946"].map(|s| s.parse().unwrap()).into();
/// assert_eq!(seeds[0].addr(), None);
/// assert_eq!(seeds[1], Seed::from(std::net::SocketAddr::from(([10, 0, 0, 1], 7_946))));
/// assert_eq!("db.example".parse::<Seed>().unwrap_err().to_string(),
///     "the port is missing: write it like db.example:7946, 192.0.2.7:7946 or [2001:db8::7]:7946");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Seed(Kind);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Kind {
    Addr(SocketAddr),
    Name(Name),
}

/// A host's name and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    pub(crate) host: Arc<str>,
    pub(crate) port: u16,
}

impl Seed {
    /// The longest host name that the domain name system has, in bytes.
    pub const HOST_MAX: usize = 253;

    /// The address, when it is not a name.
    pub fn addr(&self) -> Option<SocketAddr> {
        match self.0 {
            Kind::Addr(addr) => Some(addr),
            Kind::Name(_) => None,
        }
    }

    /// The port.
    pub fn port(&self) -> u16 {
        match &self.0 {
            Kind::Addr(addr) => addr.port(),
            Kind::Name(name) => name.port,
        }
    }

    pub(crate) fn into_name(self) -> Result<Name, SocketAddr> {
        match self.0 {
            Kind::Addr(addr) => Err(addr),
            Kind::Name(name) => Ok(name),
        }
    }
}

impl From<SocketAddr> for Seed {
    /// Any address is taken. One that nothing can be sent to is ignored when it comes to joining.
    fn from(addr: SocketAddr) -> Self {
        Self(Kind::Addr(addr))
    }
}

impl FromStr for Seed {
    type Err = SeedError;

    fn from_str(text: &str) -> Result<Self, SeedError> {
        if let Ok(addr) = text.parse::<SocketAddr>() {
            return match addr {
                _ if addr.ip().to_canonical().is_unspecified() => Err(SeedError::Unspecified),
                _ if addr.port() == 0 => Err(SeedError::PortZero),
                _ => Ok(Self::from(addr)),
            };
        }
        if is_ipv6(text) {
            return Err(SeedError::Brackets);
        }
        if text.starts_with('[') {
            // It is no address with a port; what is missing is the one or the other.
            return Err(match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
                Some((ip, port)) if is_ipv6(ip) => port
                    .strip_prefix(':')
                    .map_or(SeedError::PortMissing, |port| port_of(port).err().unwrap_or(SeedError::Address)),
                _ => SeedError::Address,
            });
        }
        let (host, port) = text.rsplit_once(':').ok_or(SeedError::PortMissing)?;
        if host.is_empty() {
            return Err(SeedError::HostEmpty);
        }
        if is_ipv6(host) {
            return Err(SeedError::Brackets);
        }
        check_host(host)?;
        Ok(Self(Kind::Name(Name { host: host.into(), port: port_of(port)? })))
    }
}

fn is_ipv6(text: &str) -> bool {
    text.parse::<Ipv6Addr>().is_ok()
}

fn port_of(text: &str) -> Result<u16, SeedError> {
    // The parser of numbers takes a sign, too.
    if text.is_empty() {
        return Err(SeedError::PortMissing);
    }
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(SeedError::Port);
    }
    match text.parse() {
        Ok(0) => Err(SeedError::PortZero),
        Ok(port) => Ok(port),
        Err(_) => Err(SeedError::Port),
    }
}

fn check_host(host: &str) -> Result<(), SeedError> {
    if host.len() > Seed::HOST_MAX {
        return Err(SeedError::HostTooLong { bytes: host.len() });
    }
    // One dot may stand at the end: it says that the name is complete.
    let labels = host.strip_suffix('.').unwrap_or(host);
    let is_label = |label: &str| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || "-_".contains(c));
    if !labels.split('.').all(is_label) {
        return Err(SeedError::Host);
    }
    // No name of a host ends in a number; resolvers take these for odd spellings of addresses, or ask for them in vain.
    if labels.rsplit('.').next().is_some_and(is_number) { Err(SeedError::Address) } else { Ok(()) }
}

/// Decimal, octal or hexadecimal, as resolvers read a part of an IPv4 address.
fn is_number(label: &str) -> bool {
    match label.strip_prefix("0x").or_else(|| label.strip_prefix("0X")) {
        Some(hex) => hex.bytes().all(|b| b.is_ascii_hexdigit()),
        None => label.bytes().all(|b| b.is_ascii_digit()),
    }
}

/// As the node compares addresses.
pub(crate) fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}

/// Whether anything can be sent to this address, which is canonical.
pub(crate) fn is_reachable(addr: SocketAddr) -> bool {
    addr.port() != 0 && !addr.ip().is_unspecified()
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Addr(addr) => write!(f, "{addr}"),
            Kind::Name(Name { host, port }) => write!(f, "{host}:{port}"),
        }
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Why a text names no seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SeedError {
    /// There is no port.
    PortMissing,
    /// The port is no number from 1 to 65 535.
    Port,
    /// The port is 0.
    PortZero,
    /// The address is the unspecified one.
    Unspecified,
    /// There is nothing in front of the port.
    HostEmpty,
    /// The host name has a character that none has, or a dot where none has one.
    Host,
    /// The host name is longer than [`Seed::HOST_MAX`].
    HostTooLong {
        /// How long it is.
        bytes: usize,
    },
    /// An IPv6 address stands there without brackets.
    Brackets,
    /// It looks like an IP address and is none.
    Address,
}

impl fmt::Display for SeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PortMissing => write!(f, "the port is missing: {LIKE}"),
            Self::Port => {
                f.write_str("the port is no number from 1 to 65535: give the port that the other node listens on")
            }
            Self::PortZero => {
                f.write_str("nothing can be sent to port 0: give the port that the other node listens on")
            }
            Self::Unspecified => f.write_str(
                "nothing can be sent to the unspecified address: give the address at which the other node is reached",
            ),
            Self::HostEmpty => write!(f, "the host is missing: {LIKE}"),
            Self::Host => {
                write!(f, "the host name has a character, or a dot in a place, that no host name has: {LIKE}")
            }
            Self::HostTooLong { bytes } => {
                write!(f, "the host name has {bytes} bytes, and none has more than {}: check it", Seed::HOST_MAX)
            }
            Self::Brackets => {
                f.write_str("an IPv6 address with a port needs brackets: write it like [2001:db8::7]:7946")
            }
            Self::Address => write!(f, "this looks like an IP address and is none: {LIKE}"),
        }
    }
}

impl std::error::Error for SeedError {}

const LIKE: &str = "write it like db.example:7946, 192.0.2.7:7946 or [2001:db8::7]:7946";

#[cfg(test)]
mod tests;
