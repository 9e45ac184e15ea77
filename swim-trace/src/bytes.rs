//! Reading the few forms that a trace is made of, without trusting any length.

use serde::Deserialize;

/// What is left to be read. Reading past the end is `None`, and nothing is taken then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// Postcard's variable-length number, in its shortest form only.
    pub(crate) fn varint(&mut self) -> Option<u64> {
        let (mut value, mut rest) = (0_u64, self.0);
        for shift in (0..64).step_by(7) {
            let (&byte, behind) = rest.split_first()?;
            rest = behind;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                return None;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                let shortest = byte != 0 || shift == 0;
                self.0 = rest;
                return shortest.then_some(value);
            }
        }
        None
    }

    /// All that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// Any value in postcard that allocates nothing by a count.
    pub(crate) fn value<T: Deserialize<'a>>(&mut self) -> Option<T> {
        let (value, rest) = postcard::take_from_bytes(self.0).ok()?;
        self.0 = rest;
        Some(value)
    }
}

pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_are_postcards() {
        for value in (0..64).flat_map(|shift| [(1_u64 << shift) - 1, 1 << shift, u64::MAX >> shift]) {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(out, postcard::to_allocvec(&value).unwrap());
            let mut bytes = Bytes(&out);
            assert_eq!((bytes.varint(), bytes.is_empty()), (Some(value), true));
        }
        for over in [&[0x80, 0][..], &[0x80], &[0xff; 10], &[0xff; 9]] {
            assert_eq!(Bytes(over).varint(), None);
        }
    }
}
