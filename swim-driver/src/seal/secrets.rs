//! Where session ids and the numbers in challenges come from.

use std::io;

use sha2::{Digest as _, Sha256};

/// Where a node takes what nobody may guess: the ids of its sessions, and the numbers in its challenges. Never from
/// [`crate::Setup::rng_seed`], which stands in every trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Secrets {
    /// Entropy of the operating system.
    #[default]
    System,
    /// Only for simulations, which have to be played again: what follows from this number. It has to differ from node to
    /// node and from life to life: two that have the same one and the same key seal under the same session, which gives away
    /// what they say.
    Fixed(u64),
}

/// What a node takes them from.
#[derive(Debug)]
pub(super) struct Source {
    secrets: Secrets,
    drawn: u64,
    /// The operating system has none.
    #[cfg(test)]
    pub(super) is_dry: bool,
}

impl Source {
    pub(super) fn new(secrets: Secrets) -> Self {
        Self {
            secrets,
            drawn: 0,
            #[cfg(test)]
            is_dry: false,
        }
    }

    pub(super) fn session(&mut self) -> io::Result<[u8; 16]> {
        let mut id = [0; 16];
        self.fill(&mut id)?;
        Ok(id)
    }

    pub(super) fn nonce(&mut self) -> io::Result<u64> {
        let mut nonce = [0; 8];
        self.fill(&mut nonce)?;
        Ok(u64::from_le_bytes(nonce))
    }

    /// At most 32 bytes.
    fn fill(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        #[cfg(test)]
        if self.is_dry {
            return Err(io::ErrorKind::Other.into());
        }
        match self.secrets {
            Secrets::System => getrandom::fill(bytes).map_err(|e| io::Error::other(e.to_string())),
            Secrets::Fixed(seed) => {
                self.drawn = self.drawn.wrapping_add(1);
                let mut hash = Sha256::new();
                hash.update(b"swim fixed secrets");
                hash.update(seed.to_le_bytes());
                hash.update(self.drawn.to_le_bytes());
                bytes.iter_mut().zip(hash.finalize()).for_each(|(byte, drawn)| *byte = drawn);
                Ok(())
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn fixed_ones_are_played_again_and_others_are_not() {
        let draw = |secrets| {
            let mut source = Source::new(secrets);
            [(); 3].map(|()| (source.session().unwrap(), source.nonce().unwrap()))
        };
        assert_eq!(draw(Secrets::Fixed(1)), draw(Secrets::Fixed(1)));
        assert_ne!(draw(Secrets::Fixed(1)), draw(Secrets::Fixed(2)));
        assert_ne!(draw(Secrets::System), draw(Secrets::System));
        let [a, b, c] = draw(Secrets::Fixed(3));
        assert!(a != b && b != c && a.0[..8] != a.1.to_le_bytes());
    }
}
