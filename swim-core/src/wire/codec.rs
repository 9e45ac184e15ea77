//! The primitives of the wire: fixed-width little-endian integers and canonical varints.
//!
//! The bytes are those of postcard (fixed-width integers as byte arrays, varints as LEB128), and a test holds them
//! against it. The reader is our own because postcard accepts over-long varints and trailing bytes, and a datagram must
//! have one encoding only.

use super::DecodeError;

#[cfg(all(test, feature = "std"))]
std::thread_local! {
    /// Values that readers have taken, or tried to take: each is one step of a parser.
    pub(super) static STEPS: core::cell::Cell<u64> = const { core::cell::Cell::new(0) };
}

// A planted bug, in builds that have them: readers know no config, so whoever gives them a frame says so before.
#[cfg(all(swim_mutations, feature = "std"))]
std::thread_local! {
    pub(crate) static TAKES_OVERLONG: core::cell::Cell<bool> = const { core::cell::Cell::new(false) };
}

#[cfg(all(swim_mutations, feature = "std"))]
fn takes_overlong() -> bool {
    TAKES_OVERLONG.get()
}

#[cfg(not(all(swim_mutations, feature = "std")))]
const fn takes_overlong() -> bool {
    false
}

/// One more step.
#[inline]
fn step() {
    #[cfg(all(test, feature = "std"))]
    STEPS.set(STEPS.get() + 1);
}

/// Takes values off the front of a slice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    #[inline]
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    pub(crate) fn bytes(&mut self, n: usize) -> Result<&'a [u8], DecodeError> {
        step();
        let (taken, rest) = self.rest.split_at_checked(n).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        step();
        let (taken, rest) = self.rest.split_first_chunk().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(|[b]| b)
    }

    #[inline]
    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_le_bytes)
    }

    #[inline]
    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }

    #[inline]
    pub(crate) fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_le_bytes)
    }

    /// Both at once: what every item begins with.
    #[inline]
    pub(crate) fn u64_u32(&mut self) -> Result<(u64, u32), DecodeError> {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = self.array()?;
        Ok((u64::from_le_bytes([a, b, c, d, e, f, g, h]), u32::from_le_bytes([i, j, k, l])))
    }

    /// A varint of at most `max`. Refused: over-long forms (a last byte of zero) and values above `max`.
    #[inline]
    pub(crate) fn varint(&mut self, max: u64) -> Result<u64, DecodeError> {
        step();
        match self.rest {
            // Nearly all are below 128.
            [b, rest @ ..] if *b < 0x80 && u64::from(*b) <= max => {
                self.rest = rest;
                Ok(u64::from(*b))
            }
            // Of the others, nearly all have two bytes.
            [b, c @ 1..0x80, rest @ ..] if *b >= 0x80 => {
                let value = u64::from(*b & 0x7f) | u64::from(*c) << 7;
                self.rest = rest;
                if value > max { Err(DecodeError::Varint) } else { Ok(value) }
            }
            _ => self.long_varint(max),
        }
    }

    #[inline(never)]
    fn long_varint(&mut self, max: u64) -> Result<u64, DecodeError> {
        let mut value = 0_u64;
        // Five groups of seven bits hold the largest number on the wire, 34 bits.
        for shift in [0_u32, 7, 14, 21, 28] {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                let overlong = byte == 0 && shift != 0 && !takes_overlong();
                return if overlong || value > max { Err(DecodeError::Varint) } else { Ok(value) };
            }
        }
        Err(DecodeError::Varint)
    }
}

/// Bytes of the varint of `value`.
pub(crate) const fn varint_len(value: u64) -> usize {
    let bits = u64::BITS.saturating_sub((value | 1).leading_zeros());
    bits.div_ceil(7) as usize
}

/// Puts values behind each other into a borrowed buffer. What does not fit changes nothing that has been put before.
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    buf: &'a mut [u8],
    at: usize,
    /// Nothing is put behind this: what is kept free begins here.
    end: usize,
}

impl<'a> Cursor<'a> {
    #[inline]
    pub(crate) fn new(buf: &'a mut [u8]) -> Self {
        let end = buf.len();
        Self { buf, at: 0, end }
    }

    /// Bytes put so far.
    #[inline]
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Forgets everything behind `mark`.
    #[inline]
    pub(crate) fn rewind(&mut self, mark: usize) {
        debug_assert!(mark <= self.at);
        self.at = mark;
    }

    /// Bytes that still fit.
    #[inline]
    pub(crate) fn room(&self) -> usize {
        self.end.saturating_sub(self.at)
    }

    /// Bytes to the end of the buffer, those that are kept free among them.
    #[inline]
    pub(crate) fn whole_room(&self) -> usize {
        self.buf.len().saturating_sub(self.at)
    }

    /// Keeps so many bytes at the end of the buffer free.
    pub(crate) fn hold(&mut self, bytes: usize) {
        self.end = self.buf.len().saturating_sub(bytes);
    }

    #[inline]
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.at.checked_add(bytes.len()).filter(|&end| end <= self.end)?;
        self.buf.get_mut(self.at..end)?.copy_from_slice(bytes);
        self.at = end;
        Some(())
    }

    #[inline]
    pub(crate) fn u8(&mut self, v: u8) -> Option<()> {
        self.bytes(&[v])
    }

    #[inline]
    pub(crate) fn u16(&mut self, v: u16) -> Option<()> {
        self.bytes(&v.to_le_bytes())
    }

    #[inline]
    pub(crate) fn u32(&mut self, v: u32) -> Option<()> {
        self.bytes(&v.to_le_bytes())
    }

    #[inline]
    pub(crate) fn u64(&mut self, v: u64) -> Option<()> {
        self.bytes(&v.to_le_bytes())
    }

    /// All at once: what most items are.
    #[inline]
    pub(crate) fn u64_u32_u8(&mut self, v: u64, w: u32, x: u8) -> Option<()> {
        let ([a, b, c, d, e, f, g, h], [i, j, k, l]) = (v.to_le_bytes(), w.to_le_bytes());
        self.bytes(&[a, b, c, d, e, f, g, h, i, j, k, l, x])
    }

    #[inline]
    pub(crate) fn varint(&mut self, v: u64) -> Option<()> {
        if v < 0x80 {
            return self.u8(v as u8);
        }
        self.long_varint(v)
    }

    fn long_varint(&mut self, mut v: u64) -> Option<()> {
        while v >= 0x80 {
            self.u8(v as u8 | 0x80)?;
            v >>= 7;
        }
        self.u8(v as u8)
    }

    /// Overwrites bytes that have been put before.
    #[inline]
    pub(crate) fn patch(&mut self, at: usize, bytes: &[u8]) {
        let end = at.saturating_add(bytes.len());
        debug_assert!(end <= self.at, "only what has been put can be patched");
        if let Some(place) = self.buf.get_mut(at..end) {
            place.copy_from_slice(bytes);
        }
    }

    /// Moves everything from `from` on to `to`, in front of it, closing a gap.
    #[inline]
    pub(crate) fn close_gap(&mut self, to: usize, from: usize) {
        if to < from && from <= self.at && self.at <= self.buf.len() {
            self.buf.copy_within(from..self.at, to);
            self.at = self.at.saturating_sub(from.saturating_sub(to));
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use quickcheck::QuickCheck;

    use super::*;

    fn put(f: impl FnOnce(&mut Cursor<'_>) -> Option<()>) -> Vec<u8> {
        let mut buf = vec![0; 64];
        let mut c = Cursor::new(&mut buf);
        f(&mut c).unwrap();
        let n = c.at();
        buf.truncate(n);
        buf
    }

    #[test]
    fn agrees_with_postcard() {
        fn same(a: u32, b: u64, c: u16) -> bool {
            let b34 = b >> 30;
            put(|w| w.varint(a.into())) == postcard::to_allocvec(&a).unwrap()
                && put(|w| w.varint(b34)) == postcard::to_allocvec(&b34).unwrap()
                && put(|w| w.u64(b)) == postcard::to_allocvec(&b.to_le_bytes()).unwrap()
                && put(|w| w.u16(c)) == postcard::to_allocvec(&c.to_le_bytes()).unwrap()
                && varint_len(b34) == put(|w| w.varint(b34)).len()
                && Reader::new(&put(|w| w.varint(b34))).varint(u64::MAX) == Ok(b34)
        }
        QuickCheck::new().tests(crate::cases(100)).quickcheck(same as fn(u32, u64, u16) -> bool);
    }

    #[test]
    fn one_encoding_only() {
        for overlong in [&[0x80, 0x00][..], &[0x80, 0x80, 0x80, 0x00], &[0xff, 0x00]] {
            assert_eq!(Reader::new(overlong).varint(u64::MAX), Err(DecodeError::Varint));
        }
        assert_eq!(Reader::new(&[0xff; 9]).varint(u64::MAX), Err(DecodeError::Varint));
        assert_eq!(Reader::new(&[0x80]).varint(u64::MAX), Err(DecodeError::Truncated));
        assert_eq!(Reader::new(&[64]).varint(63), Err(DecodeError::Varint));
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let mut buf = [0_u8; 5];
        let mut c = Cursor::new(&mut buf);
        assert_eq!(c.u32(7), Some(()));
        assert_eq!(c.u16(9), None);
        assert_eq!((c.at(), c.room()), (4, 1));
        assert_eq!(c.u8(1), Some(()));
        c.close_gap(1, 4);
        assert_eq!(c.at(), 2);
        assert_eq!(buf[..2], [7, 1]);
    }
}
