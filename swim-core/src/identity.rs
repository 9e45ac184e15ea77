//! What a node says about itself, and addresses in the small.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::status::NodeId;

/// What a node says about itself: a name (≤ [`Profile::MAX_NAME`] bytes of UTF-8) and opaque metadata
/// (≤ [`Profile::MAX_META`] bytes).
///
/// Cloning is cheap: long ones share the bytes.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Packed", into = "Packed")]
pub struct Profile {
    bytes: Bytes,
}

/// Length of the name, the name, the metadata; empty when both are. A name with little beside it lies in the row itself: in
/// an allocation of its own it would take twice as much.
#[derive(Clone)]
enum Bytes {
    Short {
        len: u8,
        bytes: [u8; SHORT_MAX],
    },
    /// In a box of its own, whose pointer is half as large as one that tells the length, too.
    Long(Arc<Box<[u8]>>),
}

/// So that both forms have 16 bytes, and a member's row no more than a cache line.
const SHORT_MAX: usize = 14;

impl Bytes {
    const EMPTY: Self = Self::Short { len: 0, bytes: [0; SHORT_MAX] };

    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Short { len, bytes } => &bytes[..usize::from(*len)],
            Self::Long(bytes) => bytes,
        }
    }
}

impl From<&[u8]> for Bytes {
    fn from(packed: &[u8]) -> Self {
        let mut bytes = [0; SHORT_MAX];
        match bytes.get_mut(..packed.len()) {
            Some(short) => {
                short.copy_from_slice(packed);
                Self::Short { len: packed.len() as u8, bytes }
            }
            None => Self::Long(Arc::new(packed.into())),
        }
    }
}

impl PartialEq for Profile {
    fn eq(&self, other: &Self) -> bool {
        self.bytes.as_slice() == other.bytes.as_slice()
    }
}

impl Eq for Profile {}

impl Default for Profile {
    /// No name and no metadata.
    fn default() -> Self {
        Self { bytes: Bytes::EMPTY }
    }
}

/// How a profile is written into a snapshot.
#[derive(Serialize, Deserialize)]
struct Packed(Vec<u8>);

impl From<Profile> for Packed {
    fn from(p: Profile) -> Self {
        Self(p.bytes.as_slice().to_vec())
    }
}

impl TryFrom<Packed> for Profile {
    type Error = &'static str;

    fn try_from(p: Packed) -> Result<Self, &'static str> {
        let held = Self { bytes: p.0.as_slice().into() };
        let (name, meta) = held.split();
        let name = core::str::from_utf8(name).map_err(|_| "a name is not UTF-8")?;
        let again = Self::new(name, meta).map_err(|_| "a profile is too long")?;
        if again == held { Ok(held) } else { Err("a profile has two encodings") }
    }
}

impl Profile {
    /// Most bytes in a name.
    pub const MAX_NAME: usize = 64;
    /// Most bytes of metadata.
    pub const MAX_META: usize = 512;

    /// A profile of this name and metadata.
    ///
    /// # Errors
    /// [`ProfileError`] when either is too long.
    pub fn new(name: &str, meta: &[u8]) -> Result<Self, ProfileError> {
        if name.len() > Self::MAX_NAME {
            return Err(ProfileError::NameTooLong { len: name.len() });
        }
        if meta.len() > Self::MAX_META {
            return Err(ProfileError::MetaTooLong { len: meta.len() });
        }
        Ok(Self::pack(name, meta))
    }

    pub(crate) fn pack(name: &str, meta: &[u8]) -> Self {
        if name.is_empty() && meta.is_empty() {
            return Self::default();
        }
        let mut packed = SmallVec::<[u8; SHORT_MAX]>::with_capacity(1 + name.len() + meta.len());
        packed.push(name.len() as u8);
        packed.extend_from_slice(name.as_bytes());
        packed.extend_from_slice(meta);
        Self { bytes: packed.as_slice().into() }
    }

    fn split(&self) -> (&[u8], &[u8]) {
        match self.bytes.as_slice().split_first() {
            Some((&n, rest)) => rest.split_at_checked(usize::from(n)).unwrap_or((rest, &[])),
            None => (&[], &[]),
        }
    }

    /// The name, possibly empty.
    pub fn name(&self) -> &str {
        core::str::from_utf8(self.split().0).unwrap_or_default()
    }

    /// The metadata, possibly empty.
    pub fn meta(&self) -> &[u8] {
        self.split().1
    }
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} + {} B", self.name(), self.meta().len())
    }
}

/// Why a [`Profile`] cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProfileError {
    /// The name has more than [`Profile::MAX_NAME`] bytes.
    NameTooLong {
        /// Bytes it has.
        len: usize,
    },
    /// The metadata has more than [`Profile::MAX_META`] bytes.
    MetaTooLong {
        /// Bytes it has.
        len: usize,
    },
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameTooLong { len } => {
                write!(f, "the name has {len} bytes, and at most {} fit: choose a shorter one", Profile::MAX_NAME)
            }
            Self::MetaTooLong { len } => {
                write!(
                    f,
                    "the metadata has {len} bytes, and at most {} fit: publish a reference instead",
                    Profile::MAX_META
                )
            }
        }
    }
}

impl core::error::Error for ProfileError {}

/// What a node is constructed with: who it is, where it is reached, which life this is, and what it says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Who: unique in the cluster, kept over restarts.
    pub id: NodeId,
    /// Where others reach it: the advertised address, not necessarily the bound one.
    pub addr: SocketAddr,
    /// Which life: higher at every restart. Unix seconds or a persisted counter; a node that comes back with an older
    /// one learns the known one from the first answer and jumps past it.
    pub epoch: u32,
    /// What it says of itself.
    pub profile: Profile,
}

/// An address in 20 bytes instead of `SocketAddr`'s 32. Flow label and scope are not kept: neither means anything to
/// another machine.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Addr {
    V4([u8; 4], u16),
    V6([u8; 16], u16),
}

impl Addr {
    pub(crate) fn port(self) -> u16 {
        match self {
            Self::V4(_, p) | Self::V6(_, p) => p,
        }
    }

    /// Can anything be sent there? Port 0 and the unspecified address name nobody.
    pub(crate) fn is_reachable(self) -> bool {
        self.port() != 0
            && match self {
                Self::V4(ip, _) => ip != [0; 4],
                Self::V6(ip, _) => ip != [0; 16],
            }
    }

    /// Two words that tell any two addresses apart, for hashing.
    pub(crate) fn words(self) -> (u64, u64) {
        match self {
            Self::V4(ip, p) => (u64::from(u32::from_be_bytes(ip)) << 16 | u64::from(p), 0),
            Self::V6(ip, p) => {
                let ip = u128::from_be_bytes(ip);
                ((ip >> 64) as u64 ^ u64::from(p), ip as u64 ^ 0x5bd1_e995)
            }
        }
    }
}

impl From<SocketAddr> for Addr {
    /// An IPv4 address mapped into IPv6, which a dual-stack socket reports, becomes the IPv4 address it is.
    #[inline]
    fn from(a: SocketAddr) -> Self {
        match a {
            SocketAddr::V4(a) => Self::V4(a.ip().octets(), a.port()),
            SocketAddr::V6(a) => match a.ip().to_ipv4_mapped() {
                Some(ip) => Self::V4(ip.octets(), a.port()),
                None => Self::V6(a.ip().octets(), a.port()),
            },
        }
    }
}

impl From<Addr> for SocketAddr {
    fn from(a: Addr) -> Self {
        match a {
            Addr::V4(ip, p) => (Ipv4Addr::from(ip), p).into(),
            Addr::V6(ip, p) => (Ipv6Addr::from(ip), p).into(),
        }
    }
}

impl fmt::Debug for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", SocketAddr::from(*self))
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;

    #[test]
    fn profile_limits_name_themselves() {
        let long: String = core::iter::repeat_n('x', 65).collect();
        let e = Profile::new(&long, &[]).unwrap_err();
        assert_eq!(alloc::format!("{e}"), "the name has 65 bytes, and at most 64 fit: choose a shorter one");
        assert_eq!(Profile::new("a", &[0; 513]), Err(ProfileError::MetaTooLong { len: 513 }));
        let p = Profile::new(&long[..64], &[7; 512]).unwrap();
        assert_eq!((p.name().len(), p.meta()), (64, &[7; 512][..]));
        let empty = Profile::new("", &[]).unwrap();
        assert_eq!((empty.name(), empty.meta()), ("", &[][..]));
    }

    /// Where the bytes lie shows nowhere.
    #[test]
    fn short_and_long_profiles_are_alike() {
        for len in 0..80 {
            let meta: Vec<u8> = (0..len).collect();
            for name in ["", "n", "a-longer-name"] {
                let p = Profile::new(name, &meta).unwrap();
                let short = name.len() + meta.len() < SHORT_MAX;
                assert_eq!(matches!(p.bytes, Bytes::Short { .. }), short);
                assert_eq!((p.name(), p.meta()), (name, &meta[..]));
                assert_eq!((&p, &p.clone()), (&p.clone(), &Profile::new(name, &meta).unwrap()));
                assert_ne!(p, Profile::new("another", &meta).unwrap());
                let written = postcard::to_allocvec(&p).unwrap();
                let packed: Vec<u8> = match (name, &meta[..]) {
                    ("", []) => Vec::new(),
                    _ => [&[name.len() as u8], name.as_bytes(), &meta].concat(),
                };
                assert_eq!(written, postcard::to_allocvec(&packed).unwrap());
                assert_eq!(postcard::from_bytes::<Profile>(&written).unwrap(), p);
            }
        }
        assert_eq!((size_of::<Profile>(), size_of::<Option<Profile>>()), (16, 16));
    }

    #[test]
    fn addresses_come_back() {
        for a in ["1.2.3.4:5", "[2001:db8::1]:7946"] {
            let a: SocketAddr = a.parse().unwrap();
            assert_eq!(SocketAddr::from(Addr::from(a)), a);
        }
        let mapped: SocketAddr = "[::ffff:10.0.0.1]:9".parse().unwrap();
        assert_eq!(SocketAddr::from(Addr::from(mapped)), "10.0.0.1:9".parse().unwrap());
        assert_eq!(size_of::<Addr>(), 20);
    }
}
