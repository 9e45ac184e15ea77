//! Join tokens: one line with all that a new node needs to get into a sealed cluster (`docs/security.md`, "Join tokens").
//!
//! Invariants: what is parsed is written the same, character for character, so there is one text for one token; parsing never
//! panics, whatever the text, and allocates no more than a few times its length, of which there is a most.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used, clippy::expect_used)]

use core::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::seal::Key;
use crate::seed::{Seed, SeedError};

/// What a node needs to join a sealed cluster: its name, a key, some seeds, and until when a node may start with it.
///
/// **A token contains the cluster's key: treat it as one.** Whoever has read it is a member for as long as that key is in
/// the ring. The date keeps a forgotten token from starting nodes; it takes the key from nobody.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use swim_driver::{JoinToken, Key};
///
/// let in_an_hour = SystemTime::now() + Duration::from_secs(3_600);
/// let token = JoinToken::new("prod", Key::generate()?, ["db.example:7946".parse()?], in_an_hour)?;
/// let text = token.to_secret_text();
/// let token = JoinToken::parse(&text, SystemTime::now())?;
/// assert_eq!((token.cluster(), token.seeds().len()), ("prod", 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct JoinToken {
    cluster: String,
    key: Key,
    seeds: Vec<Seed>,
    /// Unix seconds.
    expires: u64,
}

impl JoinToken {
    /// Characters of the longest token.
    pub const MAX_LEN: usize = 2_048;
    /// The most seeds of a token; it has at least one.
    pub const SEEDS_MAX: usize = 16;

    /// A token for this cluster, with which nodes may start before `expires`, of which the whole second counts.
    ///
    /// # Errors
    /// The first thing that does not fit: [`TokenError::Cluster`], [`TokenError::Seeds`], [`TokenError::Seed`],
    /// [`TokenError::TooLong`]; [`TokenError::Expired`] for a time before 1970.
    pub fn new(
        cluster: &str,
        key: Key,
        seeds: impl IntoIterator<Item = Seed>,
        expires: SystemTime,
    ) -> Result<Self, TokenError> {
        if u8::try_from(cluster.len()).is_err() || cluster.is_empty() {
            return Err(TokenError::Cluster { bytes: cluster.len() });
        }
        // One more than fit is enough to refuse.
        let seeds = seeds.into_iter().take(Self::SEEDS_MAX.saturating_add(1)).enumerate();
        // As they will be read: a seed that was an address may be one that no text names.
        let seeds = seeds.map(|(at, seed)| seed.to_string().parse().map_err(|why| TokenError::Seed { at, why }));
        let seeds = seeds.collect::<Result<Vec<Seed>, TokenError>>()?;
        if seeds.is_empty() || seeds.len() > Self::SEEDS_MAX {
            return Err(TokenError::Seeds { count: seeds.len() });
        }
        let since = expires.duration_since(UNIX_EPOCH).map_err(|_| TokenError::Expired { at: expires })?;
        let token = Self { cluster: cluster.into(), key, seeds, expires: since.as_secs() };
        let longest = token.seeds.iter().map(|seed| seed.to_string().len()).max().unwrap_or(0);
        let len = PREFIX.len().saturating_add(Base64UrlUnpadded::encoded_len(&token.bytes()));
        if len > Self::MAX_LEN || u8::try_from(longest).is_err() {
            return Err(TokenError::TooLong { len });
        }
        Ok(token)
    }

    /// Reads a token, and refuses one that has expired at `now`. Blanks around it do not count.
    ///
    /// # Errors
    /// [`TokenError`], which does not repeat the text. Its order: what it is, its length, its version, whether it is whole, what
    /// is in it, whether it has expired.
    pub fn parse(text: &str, now: SystemTime) -> Result<Self, TokenError> {
        let text = text.trim_ascii();
        let (version, body) = split_prefix(text)?;
        if text.len() > Self::MAX_LEN {
            return Err(TokenError::TooLong { len: text.len() });
        }
        if version != VERSION {
            return Err(TokenError::Version { found: version });
        }
        let mut buf = Zeroizing::new([0; Self::MAX_LEN]);
        let bytes = Base64UrlUnpadded::decode(body, &mut buf[..]).map_err(|_| TokenError::Damaged)?;
        let token = Self::of_bytes(bytes)?;
        let at = UNIX_EPOCH.checked_add(Duration::from_secs(token.expires)).ok_or(TokenError::Damaged)?;
        if at <= now { Err(TokenError::Expired { at }) } else { Ok(token) }
    }

    /// The token as one line. The key is in it: for the one who is to join, by a way that nobody else reads, and for nothing else.
    pub fn to_secret_text(&self) -> Zeroizing<String> {
        let bytes = self.bytes();
        let mut text = Zeroizing::new(String::with_capacity(Self::MAX_LEN));
        text.push_str(PREFIX);
        let mut buf = Zeroizing::new([0; Self::MAX_LEN]);
        text.push_str(Base64UrlUnpadded::encode(&bytes, &mut buf[..]).unwrap_or_default());
        text
    }

    /// The cluster's name.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// Through whom to join.
    pub fn seeds(&self) -> &[Seed] {
        &self.seeds
    }

    /// The cluster's key, which was in use when the token was made.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// From when on no node starts with it.
    pub fn expires(&self) -> SystemTime {
        // It was one when the token was made, or checked when it was read.
        UNIX_EPOCH.checked_add(Duration::from_secs(self.expires)).unwrap_or(UNIX_EPOCH)
    }

    fn bytes(&self) -> Zeroizing<Vec<u8>> {
        // Once and for all, since a vector that grows leaves copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(BYTES_MAX));
        bytes.push(VERSION);
        bytes.extend(self.expires.to_le_bytes());
        let mut put = |text: &str| {
            bytes.push(text.len() as u8);
            bytes.extend_from_slice(text.as_bytes());
        };
        put(&self.cluster);
        bytes.extend_from_slice(self.key.secret());
        bytes.push(self.seeds.len() as u8);
        for seed in &self.seeds {
            let text = seed.to_string();
            bytes.push(text.len() as u8);
            bytes.extend_from_slice(text.as_bytes());
        }
        let sum = checksum(&bytes);
        bytes.extend_from_slice(&sum);
        bytes
    }

    fn of_bytes(bytes: &[u8]) -> Result<Self, TokenError> {
        let (rest, sum) = bytes.split_last_chunk::<SUM_LEN>().ok_or(TokenError::Damaged)?;
        if checksum(rest) != *sum {
            return Err(TokenError::Damaged);
        }
        let mut rest = Reader(rest);
        let [version] = rest.array()?;
        if version != VERSION {
            return Err(TokenError::Version { found: version });
        }
        let expires = u64::from_le_bytes(rest.array()?);
        let cluster = rest.text()?;
        if cluster.is_empty() {
            return Err(TokenError::Damaged);
        }
        let key = Key::from_bytes(rest.array()?);
        let [count] = rest.array()?;
        let count = usize::from(count);
        if count == 0 || count > Self::SEEDS_MAX {
            return Err(TokenError::Seeds { count });
        }
        let seed = |at| {
            let text = rest.text()?;
            let seed: Seed = text.parse().map_err(|why| TokenError::Seed { at, why })?;
            if seed.to_string() == text { Ok(seed) } else { Err(TokenError::Damaged) }
        };
        let seeds = (0..count).map(seed).collect::<Result<Vec<Seed>, TokenError>>()?;
        if !rest.0.is_empty() {
            return Err(TokenError::Damaged);
        }
        Ok(Self { cluster: cluster.into(), key, seeds, expires })
    }
}

/// The text of a token of these bytes, to which the checksum is added, whatever they are: for the fuzzer, since nobody guesses
/// a checksum.
#[doc(hidden)]
pub fn text_of(bytes: &[u8]) -> String {
    let mut bytes = bytes.to_vec();
    bytes.extend(checksum(&bytes));
    format!("{PREFIX}{}", Base64UrlUnpadded::encode_string(&bytes))
}

/// The version that stands in clear, and what is behind it.
fn split_prefix(text: &str) -> Result<(u8, &str), TokenError> {
    let (head, body) = text.split_once(':').ok_or(TokenError::NotAToken)?;
    let version = head.strip_prefix("swim").ok_or(TokenError::NotAToken)?;
    if version.is_empty() || version.starts_with('0') || !version.bytes().all(|b| b.is_ascii_digit()) {
        return Err(TokenError::NotAToken);
    }
    Ok((version.parse().map_err(|_| TokenError::NotAToken)?, body))
}

fn checksum(bytes: &[u8]) -> [u8; SUM_LEN] {
    let [a, b, c, d, ..] = Sha256::digest(bytes).0;
    [a, b, c, d]
}

/// What is still to be read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], TokenError> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(TokenError::Damaged)?;
        self.0 = rest;
        Ok(*head)
    }

    fn text(&mut self) -> Result<&'a str, TokenError> {
        let [len] = self.array()?;
        let (text, rest) = self.0.split_at_checked(usize::from(len)).ok_or(TokenError::Damaged)?;
        self.0 = rest;
        core::str::from_utf8(text).map_err(|_| TokenError::Damaged)
    }
}

/// Why a text is no token that a node can start with, or why there can be no such token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenError {
    /// It does not begin as tokens do.
    NotAToken,
    /// It has more characters than [`JoinToken::MAX_LEN`], or would have, or a seed does not fit.
    TooLong {
        /// How many.
        len: usize,
    },
    /// It is of a version that this one does not know.
    Version {
        /// Which.
        found: u8,
    },
    /// It was cut off, or changed on the way.
    Damaged,
    /// The cluster's name has no bytes, or more than 255.
    Cluster {
        /// How many.
        bytes: usize,
    },
    /// There are no seeds, or more than [`JoinToken::SEEDS_MAX`].
    Seeds {
        /// How many, or one more than are allowed.
        count: usize,
    },
    /// One of the seeds is none.
    Seed {
        /// Which: the first is 0.
        at: usize,
        /// Why.
        why: SeedError,
    },
    /// Its time is over.
    Expired {
        /// Since when.
        at: SystemTime,
    },
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAToken => write!(f, "this is no join token: one begins with {PREFIX}"),
            Self::TooLong { len } => write!(
                f,
                "the token has {len} characters or a seed that does not fit, and {} are the most: name fewer or shorter \
                 seeds",
                JoinToken::MAX_LEN
            ),
            Self::Version { found } => {
                write!(
                    f,
                    "the token has version {found}, and this program knows version {VERSION}: use a newer program"
                )
            }
            Self::Damaged => f.write_str("the token is damaged: copy the whole line, or have a new one made"),
            Self::Cluster { bytes } => {
                write!(f, "the cluster's name has {bytes} bytes: it must have at least 1 and at most 255")
            }
            Self::Seeds { count: 0 } => {
                f.write_str("the token has no seeds: name one node at least that is there to be joined")
            }
            Self::Seeds { .. } => write!(f, "the token has more than {} seeds: name fewer", JoinToken::SEEDS_MAX),
            Self::Seed { at, why } => write!(f, "seed {} of the token: {why}", at.saturating_add(1)),
            Self::Expired { at } => {
                let since = at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
                write!(f, "the token has expired at {since} (Unix seconds): have a new one made")
            }
        }
    }
}

impl std::error::Error for TokenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The text of a seed's error is part of this one's.
        None
    }
}

const PREFIX: &str = "swim1:";
const VERSION: u8 = 1;
const SUM_LEN: usize = 4;
/// Version, time, cluster, key, count, seeds, sum: more than fits into a text.
const BYTES_MAX: usize = 1 + 8 + 256 + Key::LEN + 1 + JoinToken::SEEDS_MAX * (1 + Seed::HOST_MAX + 6) + SUM_LEN;

#[cfg(all(test, not(loom)))]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used, clippy::expect_used)]
mod tests;
