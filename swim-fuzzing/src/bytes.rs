//! A script read from bytes: whatever they are, there is a value, and behind the end all are zero.

/// Takes values off the front of the fuzzer's bytes.
#[derive(Clone, Debug)]
pub(crate) struct Bytes<'a> {
    rest: &'a [u8],
}

impl<'a> Bytes<'a> {
    /// A script of these.
    pub(crate) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    /// Has all been read?
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next byte.
    pub(crate) fn u8(&mut self) -> u8 {
        match self.rest {
            [first, rest @ ..] => {
                self.rest = rest;
                *first
            }
            [] => 0,
        }
    }

    /// The next two bytes.
    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_le_bytes([self.u8(), self.u8()])
    }

    /// The next four bytes.
    pub(crate) fn u32(&mut self) -> u32 {
        u32::from(self.u16()) | u32::from(self.u16()) << 16
    }

    /// The next eight bytes.
    pub(crate) fn u64(&mut self) -> u64 {
        u64::from(self.u32()) | u64::from(self.u32()) << 32
    }

    /// A number below `n`, which is at most 256; 0 when that is 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::from(self.u8()) % n.max(1)
    }

    /// One of these.
    ///
    /// # Panics
    /// When there are none.
    pub(crate) fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// Is the next byte odd?
    pub(crate) fn flag(&mut self) -> bool {
        self.u8() & 1 == 1
    }

    /// The next `n` bytes, or as many as there are.
    pub(crate) fn take(&mut self, n: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(n.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// So many bytes as the next one says, below `n`.
    pub(crate) fn some(&mut self, n: usize) -> &'a [u8] {
        let len = self.below(n);
        self.take(len)
    }

    /// A short text: the printable form of some bytes, so that it is always UTF-8.
    pub(crate) fn text(&mut self, n: usize) -> String {
        self.some(n).iter().map(|b| char::from(b'a' + b % 26)).collect()
    }

    /// A number of any size: small ones, those near a power of two, and all others.
    pub(crate) fn number(&mut self) -> u64 {
        match self.u8() {
            small @ 0..=127 => u64::from(small),
            edge @ 128..=191 => (1_u64 << (edge & 63)).wrapping_add(self.u8().into()).wrapping_sub(2),
            _ => self.u64(),
        }
    }
}
