//! What nodes say to each other under the seal before they hear each other: challenges and proofs (`docs/wire.md`,
//! "First contact").
//!
//! Invariant: a body has one length and each message one encoding, so a control datagram is as long as the shortest sealed
//! frame, and no answer is longer than what it answers.

use super::cipher::{HEADER_LEN, TAG_LEN};

/// A control message: a challenge, a proof, or both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Control {
    /// A number to be said back, which shows that the session that says it lives.
    pub(super) challenge: Option<u64>,
    pub(super) proof: Option<Proof>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Proof {
    /// The challenge's number.
    pub(super) nonce: u64,
    /// What was sealed five seconds ago or earlier is so much, or more, behind the counter of this datagram. Never 0.
    pub(super) behind: u32,
}

impl Control {
    pub(super) fn write(self) -> [u8; BODY_LEN] {
        let Self { challenge, proof } = self;
        let flags = if challenge.is_some() { CHALLENGE } else { 0 } | if proof.is_some() { PROOF } else { 0 };
        let proof = proof.unwrap_or(Proof { nonce: 0, behind: 0 });
        let mut body = [0; BODY_LEN];
        let (first, rest) = body.split_at_mut(1);
        let (a, rest) = rest.split_at_mut(8);
        let (b, c) = rest.split_at_mut(8);
        first.copy_from_slice(&[flags]);
        a.copy_from_slice(&challenge.unwrap_or(0).to_le_bytes());
        b.copy_from_slice(&proof.nonce.to_le_bytes());
        c.copy_from_slice(&proof.behind.to_le_bytes());
        body
    }

    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let (&[flags], rest) = body.split_first_chunk::<1>()?;
        let (challenge, rest) = rest.split_first_chunk::<8>()?;
        let (nonce, behind) = rest.split_first_chunk::<8>()?;
        let challenge = u64::from_le_bytes(*challenge);
        let proof = Proof { nonce: u64::from_le_bytes(*nonce), behind: u32::from_le_bytes(behind.try_into().ok()?) };
        let read = Self {
            challenge: (flags & CHALLENGE != 0).then_some(challenge),
            proof: (flags & PROOF != 0 && proof.behind != 0).then_some(proof),
        };
        // Anything that is not written so has no meaning: unknown flags, none, and fields that are there without theirs.
        (read != Self::default() && read.write() == *body).then_some(read)
    }
}

/// Bytes of a control message: those of the shortest frame, a bare head.
pub(super) const BODY_LEN: usize = 21;
/// Bytes of a control datagram, and of the shortest sealed one.
pub(super) const DATAGRAM_LEN: usize = HEADER_LEN + BODY_LEN + TAG_LEN;
const CHALLENGE: u8 = 0x01;
const PROOF: u8 = 0x02;

#[cfg(all(test, not(loom)))]
mod tests {
    use quickcheck::QuickCheck;

    use super::*;

    #[test]
    fn what_was_written_is_read() {
        fn round(challenge: Option<u64>, proof: Option<(u64, u32)>) -> bool {
            let proof = proof.map(|(nonce, behind)| Proof { nonce, behind: behind.max(1) });
            let control = Control { challenge, proof };
            let wanted = (control != Control::default()).then_some(control);
            Control::read(&control.write()) == wanted
        }
        QuickCheck::new().quickcheck(round as fn(Option<u64>, Option<(u64, u32)>) -> bool);
    }

    #[test]
    fn every_message_has_one_encoding() {
        fn canonical(flags: u8, mut body: Vec<u8>) -> bool {
            body.resize(BODY_LEN, 0);
            body[0] = flags % 5;
            Control::read(&body).is_none_or(|read| read.write() == body[..])
        }
        QuickCheck::new().tests(1_000).quickcheck(canonical as fn(u8, Vec<u8>) -> bool);
        let good = Control { challenge: Some(7), proof: None }.write();
        for (at, to) in [(0, 0), (0, 2), (0, 3), (0, 5), (9, 1), (17, 1), (20, 1)] {
            let mut bad = good;
            bad[at] = to;
            assert_eq!(Control::read(&bad), None, "byte {at} is {to}");
        }
        assert_eq!(Control::read(&good[..20]), None);
        assert_eq!(Control::read(&[&good[..], &[0]].concat()), None);
    }
}
