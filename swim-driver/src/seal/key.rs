//! Group keys, and the ring of those that a node opens with (`docs/security.md`, "Keys").
//!
//! A key is 32 bytes that all nodes of a cluster have and nobody else. It never encrypts anything itself: every session has a key
//! of its own, which is derived from it. Invariants: a secret is overwritten when its owner is dropped, and appears in no `Debug`
//! and in no error; all keys of a ring have ids that differ, and one of them is in use.

use core::fmt;
use core::str::FromStr;
use std::io;

use base64ct::{Base64, Encoding as _};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::cipher::{HEADER_LEN, TAG_LEN};

/// A secret that all nodes of a cluster share. Who has it, is a member; who has had it, may read what was sent under it for ever.
///
/// ```
/// use swim_driver::{Key, Keyring};
///
/// let key = Key::generate()?;
/// let mut ring = Keyring::new(key);
/// ring.add(Key::generate()?)?;
/// assert_eq!(ring.len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Key {
    id: KeyId,
    /// In a box, so that moving a key leaves no copy behind.
    secret: Box<Zeroizing<[u8; Self::LEN]>>,
}

impl Key {
    /// Bytes of a key.
    pub const LEN: usize = 32;

    /// A key that nobody else has, from the entropy of the operating system.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn generate() -> Result<Self, io::Error> {
        let mut secret = Box::new(Zeroizing::new([0; Self::LEN]));
        getrandom::fill(&mut secret[..]).map_err(|e| io::Error::other(e.to_string()))?;
        Ok(Self::of(secret))
    }

    /// The key that is these bytes. They must be random: a password, or what is derived from one, is guessed.
    pub fn from_bytes(secret: [u8; Self::LEN]) -> Self {
        let secret = Zeroizing::new(secret);
        Self::of(Box::new(secret.clone()))
    }

    /// The key that a text stands for: the 64 hexadecimal digits of [`Self::to_secret_text`], or 44 characters of Base64, as
    /// other programs write 32 random bytes. Blanks around it do not count.
    ///
    /// # Errors
    /// [`KeyTextError`], which does not repeat the text.
    pub fn from_secret_text(text: &str) -> Result<Self, KeyTextError> {
        let text = text.trim_ascii();
        let mut secret = Box::new(Zeroizing::new([0; Self::LEN]));
        let decoded = match text.len() {
            HEX_LEN => from_hex(text.as_bytes(), &mut secret),
            BASE64_LEN => Base64::decode(text, &mut secret[..]).is_ok_and(|bytes| bytes.len() == Self::LEN),
            _ => false,
        };
        if decoded { Ok(Self::of(secret)) } else { Err(KeyTextError(())) }
    }

    /// The secret itself, as 64 hexadecimal digits: for files that nobody else can read, and for nothing else.
    pub fn to_secret_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(HEX_LEN));
        let nibbles = self.secret.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
        text.extend(nibbles.filter_map(|nibble| char::from_digit(nibble.into(), 16)));
        text
    }

    /// What it is called. It follows from the secret and tells nothing of it.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The key of one session of one cluster.
    pub(crate) fn session(&self, session: &[u8; 16], cluster: &str) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        derive(&self.secret, Some(session), &[INFO_SEALED, cluster.as_bytes()], &mut key[..]);
        key
    }

    pub(crate) fn secret(&self) -> &[u8; Self::LEN] {
        &self.secret
    }

    fn of(secret: Box<Zeroizing<[u8; Self::LEN]>>) -> Self {
        let mut id = [0; 2];
        derive(&secret, None, &[INFO_ID], &mut id);
        Self { id: KeyId::from_le_bytes(id), secret }
    }

    /// In the same time wherever they differ.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.secret.iter().zip(other.secret.iter()).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

/// What a key is called, in clear in every datagram that is sealed with it. Displayed as four hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(u16);

impl KeyId {
    pub(crate) const fn from_le_bytes(bytes: [u8; 2]) -> Self {
        Self(u16::from_le_bytes(bytes))
    }

    pub(crate) const fn to_le_bytes(self) -> [u8; 2] {
        self.0.to_le_bytes()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}", self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

impl FromStr for KeyId {
    type Err = KeyTextError;

    /// Four hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, KeyTextError> {
        if text.len() != 4 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(KeyTextError(()));
        }
        u16::from_str_radix(text, 16).map(Self).map_err(|_| KeyTextError(()))
    }
}

/// A text is no key, or no key's id. Which text it was, is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyTextError(());

impl fmt::Display for KeyTextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "this is no key: a key is 64 hexadecimal digits, or 44 characters of Base64, and its id 4 hexadecimal digits",
        )
    }
}

impl std::error::Error for KeyTextError {}

/// The keys that a node opens datagrams with. It seals with one of them, which is in use.
///
/// A key is exchanged in three steps, each of them on all nodes before the next begins on any: add the new one, use it, remove
/// the old one.
#[derive(Clone)]
pub struct Keyring {
    /// In the order in which they were added; never empty.
    keys: Vec<Key>,
    /// The id of one of them.
    in_use: KeyId,
}

impl Keyring {
    /// Keys that fit into a ring.
    pub const MAX: usize = 4;

    /// Bytes that sealing puts around each frame, header and tag; [`crate::Plain::LEN`] is what the plain envelope takes.
    pub const ENVELOPE_LEN: usize = HEADER_LEN + TAG_LEN;

    /// A ring of this key, which is in use.
    pub fn new(key: Key) -> Self {
        Self { in_use: key.id(), keys: vec![key] }
    }

    /// Adds a key to open with. The one in use stays in use.
    ///
    /// # Errors
    /// [`KeyringError::Known`], [`KeyringError::SameId`], [`KeyringError::Full`].
    pub fn add(&mut self, key: Key) -> Result<(), KeyringError> {
        match self.get(key.id()) {
            Some(known) if known.is(&key) => Err(KeyringError::Known { key: key.id() }),
            Some(_) => Err(KeyringError::SameId { key: key.id() }),
            None if self.keys.len() >= Self::MAX => Err(KeyringError::Full),
            None => {
                self.keys.push(key);
                Ok(())
            }
        }
    }

    /// Seals with this key from now on.
    ///
    /// # Errors
    /// [`KeyringError::Unknown`].
    pub fn use_key(&mut self, key: KeyId) -> Result<(), KeyringError> {
        self.get(key).ok_or(KeyringError::Unknown { key })?;
        self.in_use = key;
        Ok(())
    }

    /// Removes a key: what is sealed with it is not opened any more.
    ///
    /// # Errors
    /// [`KeyringError::Unknown`], [`KeyringError::InUse`].
    pub fn remove(&mut self, key: KeyId) -> Result<(), KeyringError> {
        self.get(key).ok_or(KeyringError::Unknown { key })?;
        if key == self.in_use {
            return Err(KeyringError::InUse { key });
        }
        self.keys.retain(|kept| kept.id() != key);
        Ok(())
    }

    /// The key that datagrams are sealed with.
    pub fn in_use(&self) -> KeyId {
        self.in_use
    }

    /// All keys, in the order in which they were added.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = KeyId> {
        self.keys.iter().map(Key::id)
    }

    /// Keys in it: 1 to [`Self::MAX`].
    #[allow(clippy::len_without_is_empty, reason = "it never is")]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn key_in_use(&self) -> &Key {
        #[allow(clippy::expect_used, reason = "it was in the ring when it was taken into use, and cannot be removed")]
        self.get(self.in_use).expect("the key in use is in the ring")
    }

    pub(crate) fn get(&self, key: KeyId) -> Option<&Key> {
        self.keys.iter().find(|known| known.id() == key)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("keys", &self.keys).field("in_use", &self.in_use).finish()
    }
}

/// Why a ring stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyringError {
    /// No more keys fit.
    Full,
    /// The ring has this key.
    Known {
        /// Its id.
        key: KeyId,
    },
    /// The ring has another key that is called the same, as one in 65 536 is by chance.
    SameId {
        /// The id of both.
        key: KeyId,
    },
    /// The ring has no such key.
    Unknown {
        /// What was asked for.
        key: KeyId,
    },
    /// The key is the one that datagrams are sealed with.
    InUse {
        /// Its id.
        key: KeyId,
    },
}

impl fmt::Display for KeyringError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => {
                write!(f, "the ring has {} keys, and no more fit: remove one that is used no more", Keyring::MAX)
            }
            Self::Known { key } => write!(f, "the ring has the key {key} already: there is nothing to do"),
            Self::SameId { key } => {
                write!(f, "the ring has another key that is called {key}, too, as happens by chance: take a new one")
            }
            Self::Unknown { key } => write!(f, "the ring has no key {key}: add it first"),
            Self::InUse { key } => write!(f, "the key {key} is in use: use another one before it is removed"),
        }
    }
}

impl std::error::Error for KeyringError {}

/// HKDF with SHA-256 (RFC 5869).
fn derive(secret: &[u8; Key::LEN], salt: Option<&[u8]>, info: &[&[u8]], out: &mut [u8]) {
    // Were it to fail, what comes out must be no key that somebody could know.
    #[allow(clippy::expect_used, reason = "it depends on the length of `out` alone, and no caller's is received")]
    Hkdf::<Sha256>::new(salt, secret).expand_multi_info(info, out).expect("HKDF makes up to 8160 bytes");
}

fn from_hex(text: &[u8], out: &mut [u8; Key::LEN]) -> bool {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    for (byte, pair) in out.iter_mut().zip(text.chunks_exact(2)) {
        let &[high, low] = pair else { return false };
        let (Some(high), Some(low)) = (digit(high), digit(low)) else { return false };
        *byte = high << 4 | low;
    }
    text.len() == HEX_LEN
}

const HEX_LEN: usize = 2 * Key::LEN;
const BASE64_LEN: usize = 44;
/// With the zero that ends it, so that no cluster's name can go on with it.
const INFO_SEALED: &[u8] = b"swim sealed 1\0";
const INFO_ID: &[u8] = b"swim key id";

#[cfg(all(test, not(loom)))]
mod tests;
