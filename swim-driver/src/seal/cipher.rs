//! AES-256-GCM as the sealed envelope uses it: the header's layout, the nonce, and what is authenticated beside the frame
//! (`docs/wire.md`, "Sealed").
//!
//! Invariant: what is not opened is left as it came, so no unauthenticated plaintext is ever seen.

use std::fmt;

use aes_gcm::{AeadInOut as _, Aes256Gcm, KeyInit as _};

use super::MAGIC_AND_VERSION;
use super::key::{Key, KeyId};

/// Key id and session: whose cipher opens a datagram. As they stand in it.
pub(super) type Peer = [u8; 18];

/// What stands in clear in front of a sealed frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) is_control: bool,
    pub(super) peer: Peer,
    /// At most [`COUNTER_MAX`].
    pub(super) counter: u64,
}

impl Header {
    /// Reads one whose version and suite are right. The suite byte decides nothing more: it was looked at.
    pub(super) fn read(bytes: &[u8; HEADER_LEN]) -> Option<Self> {
        let (front, counter) = bytes.split_last_chunk::<6>()?;
        let (&[_, suite], peer) = front.split_first_chunk::<2>()?;
        let mut wide = [0; 8];
        wide.first_chunk_mut::<6>()?.copy_from_slice(counter);
        Some(Self {
            is_control: suite == SUITE_SEALED | CONTROL,
            peer: peer.try_into().ok()?,
            counter: u64::from_le_bytes(wide),
        })
    }

    pub(super) fn write(self, bytes: &mut [u8; HEADER_LEN]) {
        let Some((front, counter)) = bytes.split_last_chunk_mut::<6>() else { return };
        let Some((first, peer)) = front.split_first_chunk_mut::<2>() else { return };
        *first = [MAGIC_AND_VERSION, SUITE_SEALED | if self.is_control { CONTROL } else { 0 }];
        peer.copy_from_slice(&self.peer);
        if let Some(bytes) = self.counter.to_le_bytes().first_chunk::<6>() {
            *counter = *bytes;
        }
    }
}

/// Key id and session as they stand in a datagram.
pub(super) fn peer(key: KeyId, session: &[u8; 16]) -> Peer {
    let mut peer = [0; 18];
    let (id, rest) = peer.split_at_mut(2);
    id.copy_from_slice(&key.to_le_bytes());
    rest.copy_from_slice(session);
    peer
}

/// Whose session under which key this is.
pub(super) fn parts(peer: &Peer) -> (KeyId, [u8; 16]) {
    let [a, b, session @ ..] = *peer;
    (KeyId::from_le_bytes([a, b]), session)
}

/// What the tag covers beside the frame: the header, then the cluster's name. Kept, so that no datagram needs memory for it.
pub(super) struct Aad {
    bytes: Vec<u8>,
}

impl Aad {
    pub(super) fn new(cluster: &str) -> Self {
        let mut bytes = vec![0; HEADER_LEN];
        bytes.extend_from_slice(cluster.as_bytes());
        Self { bytes }
    }

    fn of(&mut self, header: &[u8; HEADER_LEN]) -> &[u8] {
        if let Some(place) = self.bytes.first_chunk_mut::<HEADER_LEN>() {
            *place = *header;
        }
        &self.bytes
    }
}

/// The cipher of one session. Its key is overwritten when it is dropped.
pub(super) struct Cipher(Aes256Gcm);

impl Cipher {
    pub(super) fn new(key: &Key, session: &[u8; 16], cluster: &str) -> Self {
        let derived = key.session(session, cluster);
        Self(Aes256Gcm::new((&*derived).into()))
    }

    /// Seals in place: `buf` is header, body and room for the tag. The counter must never have been used in this session.
    /// Says whether there was room.
    pub(super) fn seal(&self, aad: &mut Aad, header: Header, buf: &mut [u8]) -> bool {
        let Some((head, rest)) = buf.split_first_chunk_mut::<HEADER_LEN>() else { return false };
        let Some((body, place)) = rest.split_last_chunk_mut::<TAG_LEN>() else { return false };
        header.write(head);
        match self.0.encrypt_inout_detached((&nonce(header.counter)).into(), aad.of(head), body.into()) {
            Ok(tag) => {
                *place = tag.into();
                true
            }
            Err(_) => false,
        }
    }

    /// Opens in place, and returns the body; `None` when the tag is wrong, and then nothing has changed.
    pub(super) fn open<'a>(&self, aad: &mut Aad, header: Header, datagram: &'a mut [u8]) -> Option<&'a mut [u8]> {
        let (head, rest) = datagram.split_first_chunk_mut::<HEADER_LEN>()?;
        let (body, tag) = rest.split_last_chunk_mut::<TAG_LEN>()?;
        let nonce = nonce(header.counter);
        let tag: &[u8; TAG_LEN] = tag;
        self.0.decrypt_inout_detached((&nonce).into(), aad.of(head), (&mut *body).into(), tag.into()).ok()?;
        Some(body)
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher")
    }
}

/// Unique in a session, since no counter comes twice; and every session has a key of its own.
fn nonce(counter: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    if let (Some(place), Some(bytes)) = (nonce.last_chunk_mut::<6>(), counter.to_le_bytes().first_chunk::<6>()) {
        *place = *bytes;
    }
    nonce
}

/// Suite and flags, session and counter: what is in front of a sealed frame.
pub(super) const HEADER_LEN: usize = 26;
pub(super) const TAG_LEN: usize = 16;
/// High nibble: AES-256-GCM. Low nibble: flags.
pub(super) const SUITE_SEALED: u8 = 0x10;
/// The flag of control datagrams.
pub(super) const CONTROL: u8 = 0x01;
/// Counters have six bytes.
pub(super) const COUNTER_MAX: u64 = (1 << 48) - 1;
