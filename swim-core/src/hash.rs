//! Fixed and keyed mixing functions.
//!
//! The fixed ones are part of the wire format (`docs/wire.md`): ids made from names, the cluster tag and the view hash
//! must agree between all nodes, so they never change. The keyed one places rows in this node's own tables only.

/// The finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): a bijection of 64 bits.
#[inline]
pub(crate) const fn mix64(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// 64 bits of a name: FNV-1a over its bytes, then the finaliser of SplitMix64, so that near names are far apart.
pub fn name_hash(name: &[u8]) -> u64 {
    let mut h = 0xcbf2_9ce4_8422_2325_u64;
    for &b in name {
        h = (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    mix64(h)
}

/// What one live row adds to the view hash: its id, which has been mixed already since its place in the tree is made of it,
/// too; its incarnation, and the incarnation that wrote its address and profile.
#[inline]
pub(crate) const fn row_hash(mixed_id: u64, incarnation: u64, detail_at: u64) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    mix64(mix64(mixed_id.wrapping_add(incarnation.wrapping_mul(ODD))).wrapping_add(detail_at.wrapping_mul(ODD)))
}

/// The mark of a member's application data: in which life, the version of its state, and what is known of its rumors. 0 is
/// kept for nothing at all.
pub(crate) const fn app_mark(id: u64, epoch: u32, version: u32, rumors: u64) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    if version == 0 && rumors == 0 {
        return 0;
    }
    let life = mix64(!mix64(id)).wrapping_add((epoch as u64).wrapping_mul(ODD));
    let mark = mix64(mix64(mix64(life).wrapping_add((version as u64).wrapping_mul(ODD))) ^ rumors);
    if mark == 0 { 1 } else { mark }
}

/// A row's place in the tree of hashes, of 30 bits: the upper ones of its id's hash.
pub(crate) const fn tree_key(id: u64) -> u32 {
    mixed_tree_key(mix64(id))
}

/// As [`tree_key`], of an id that has been mixed already.
#[inline]
pub(crate) const fn mixed_tree_key(mixed_id: u64) -> u32 {
    (mixed_id >> 34) as u32
}

/// 32 bits of a hash, for one question: with another nonce, two that were taken for equal by chance differ.
pub(crate) const fn short_hash(hash: u64, nonce: u32) -> u32 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    (mix64(hash ^ (nonce as u64).wrapping_mul(ODD)) >> 32) as u32
}

/// A hash keyed per node, for the tables: two folded 64x64 multiplications. An id is chosen by whoever sends it, so the
/// place it takes must not be foreseeable.
#[derive(Clone, Copy)]
pub(crate) struct TableKey(pub(crate) u64, pub(crate) u64);

impl core::fmt::Debug for TableKey {
    /// It is nobody's business.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("TableKey")
    }
}

impl Default for TableKey {
    /// Of a copy that was read back: the key of a live node is not written.
    fn default() -> Self {
        Self(0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f)
    }
}

impl TableKey {
    #[inline]
    pub(crate) fn hash(self, x: u64) -> u64 {
        fold(fold(x ^ self.0, 0x9e37_79b9_7f4a_7c15), self.1 | 1)
    }

    pub(crate) fn hash2(self, a: u64, b: u64) -> u64 {
        self.hash(self.hash(a) ^ b)
    }
}

fn fold(a: u64, b: u64) -> u64 {
    let wide = u128::from(a) * u128::from(b);
    (wide as u64) ^ ((wide >> 64) as u64)
}

/// SipHash-2-4 (Aumasson, Bernstein, INDOCRYPT 2012) over whole words: a hash that nobody foresees who has not its key.
pub(crate) fn sip24(key: [u64; 2], words: &[u64]) -> u64 {
    const INITIAL: [u64; 4] =
        [0x736f_6d65_7073_6575, 0x646f_7261_6e64_6f6d, 0x6c79_6765_6e65_7261, 0x7465_6462_7974_6573];
    let mut v = INITIAL;
    for (i, v) in v.iter_mut().enumerate() {
        *v ^= key[i % 2];
    }
    let length = (words.len() as u64).wrapping_mul(8) << 56;
    for &word in words.iter().chain(core::iter::once(&length)) {
        v[3] ^= word;
        sip_rounds(&mut v, 2);
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    sip_rounds(&mut v, 4);
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

fn sip_rounds(v: &mut [u64; 4], rounds: usize) {
    for _ in 0..rounds {
        v[0] = v[0].wrapping_add(v[1]);
        v[1] = v[1].rotate_left(13) ^ v[0];
        v[0] = v[0].rotate_left(32);
        v[2] = v[2].wrapping_add(v[3]);
        v[3] = v[3].rotate_left(16) ^ v[2];
        v[0] = v[0].wrapping_add(v[3]);
        v[3] = v[3].rotate_left(21) ^ v[0];
        v[2] = v[2].wrapping_add(v[1]);
        v[1] = v[1].rotate_left(17) ^ v[2];
        v[2] = v[2].rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of its authors, for messages of 8 and 16 bytes: key and message count up from 0.
    #[test]
    fn sip24_is_that_of_its_authors() {
        let word = |from: u8| u64::from_le_bytes(core::array::from_fn(|i| from + i as u8));
        let key = [word(0), word(8)];
        assert_eq!(sip24(key, &[word(0)]), 0x93f5_f579_9a93_2462);
        assert_eq!(sip24(key, &[word(0), word(8)]), 0x3f2a_cc7f_57c2_9bdb);
    }

    /// These values are wire format: they may never change.
    #[test]
    fn golden() {
        assert_eq!(mix64(0), 0);
        assert_eq!(mix64(1), 0x5692_161d_100b_05e5);
        assert_eq!(name_hash(b""), 0xf52a_15e9_a9b5_e89b);
        assert_eq!(name_hash(b"web-1"), 0xf576_b188_329f_7edd);
        assert_eq!(row_hash(mix64(1), 2, 1), 0x81fb_535c_a52e_6825);
        assert_eq!(tree_key(1), 0x15a4_8587);
        assert_eq!(short_hash(1, 2), 0xbeeb_8da1);
        assert_eq!((app_mark(1, 0, 0, 0), app_mark(1, 0, 5, 0)), (0, 0xbd6b_1e15_ac64_e00e));
        assert_eq!(app_mark(1, 0, 5, 0x289e_da85_37f8_5098), 0xfbbe_3fff_4180_6125);
        let sum = app_mark(1, 0, 5, 0).wrapping_add(app_mark(9, 7, 0, 0x5692_161d_100b_05e5));
        assert_eq!((short_hash(app_mark(1, 0, 5, 0), 0), short_hash(sum, 0)), (0x4cf1_fa8d, 0x2147_37e0));
        assert_eq!(short_hash(0x81fb_535c_a52e_6825, 0xa1a2_a3a4), 0xcabd_0553);
    }

    #[test]
    fn different_keys_place_differently() {
        let (a, b) = (TableKey(1, 2), TableKey(3, 4));
        let same = (0..1000).filter(|&x| a.hash(x) & 1023 == b.hash(x) & 1023).count();
        assert!(same < 20, "{same} of 1000 ids fall into the same place under another key");
    }
}
