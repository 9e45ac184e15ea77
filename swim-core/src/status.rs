//! Who, which life of it, and what is believed of it: the lattice on which everything else stands.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::hash::name_hash;

/// A member's identity: 64 bits chosen by the embedder. The address is an attribute, never the identity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(u64);

impl NodeId {
    /// The identity with this number.
    pub const fn new(id: u64) -> Self {
        Self(id)
    }

    /// The identity that every node derives from this name (`docs/wire.md`, "Hashes"). Two of n names collide with
    /// probability n²/2^65: one in 10^11 at 10 000 members.
    pub fn from_name(name: &str) -> Self {
        Self(name_hash(name.as_bytes()))
    }

    /// The number.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A member's own counter: `epoch:32 | refutations:30`. A restart takes a higher epoch, a refutation counts up. Only
/// the subject raises it, and it never wraps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Incarnation(u64);

impl Incarnation {
    /// The highest refutation count of an epoch; above it the subject takes the next epoch.
    pub const MAX_REFUTATIONS: u32 = (1 << 30) - 1;

    /// From here to the end of the last epoch nothing is believed. Nobody gets there by counting.
    pub(crate) const LAST: Self = Self::new(u32::MAX, Self::MAX_REFUTATIONS - 64);
    /// From here on hearsay is not believed, only the subject's own word: it needs room to go past what is said of it.
    pub(crate) const LAST_HEARSAY: Self = Self::new(u32::MAX, Self::MAX_REFUTATIONS - 1_024);

    /// The incarnation of this epoch after this many refutations (at most [`Self::MAX_REFUTATIONS`], else that).
    pub const fn new(epoch: u32, refutations: u32) -> Self {
        let r = if refutations > Self::MAX_REFUTATIONS { Self::MAX_REFUTATIONS } else { refutations };
        Self((epoch as u64) << 30 | r as u64)
    }

    /// The part that a restart raises.
    pub const fn epoch(self) -> u32 {
        (self.0 >> 30) as u32
    }

    /// The part that a refutation raises.
    pub const fn refutations(self) -> u32 {
        (self.0 & Self::MAX_REFUTATIONS as u64) as u32
    }

    /// The next one: one refutation more, or the next epoch at the ceiling. At the very end it stays where it is.
    pub const fn next(self) -> Self {
        if self.0 == (1 << 62) - 1 { self } else { Self(self.0 + 1) }
    }

    /// The start of the next epoch; at the last epoch, the next refutation.
    pub const fn next_epoch(self) -> Self {
        if self.epoch() == u32::MAX { self.next() } else { Self::new(self.epoch() + 1, 0) }
    }

    /// Both parts as one number below 2^62.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch(), self.refutations())
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch(), self.refutations())
    }
}

/// What is believed of a member, ordered within one incarnation as in SWIM §4.2, with *left* on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum State {
    /// It answers, or nobody has said otherwise.
    Alive = 0,
    /// Somebody's probe failed; it has until its suspicion runs out to refute.
    Suspect = 1,
    /// Its suspicion ran out. Final for this incarnation.
    Dead = 2,
    /// It said goodbye. Final for this incarnation.
    Left = 3,
}

impl State {
    /// Alive or suspect: still a member.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Alive | Self::Suspect)
    }

    pub(crate) const fn from_bits(bits: u64) -> Self {
        match bits & 3 {
            0 => Self::Alive,
            1 => Self::Suspect,
            2 => Self::Dead,
            _ => Self::Left,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Alive => "alive",
            Self::Suspect => "suspect",
            Self::Dead => "dead",
            Self::Left => "left",
        })
    }
}

/// Incarnation and state as one number, so that merging two beliefs is `max`:
/// alive(i) < suspect(i) < dead(i) < left(i) < alive(i+1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Status(u64);

impl Status {
    /// This state of this incarnation.
    pub const fn new(incarnation: Incarnation, state: State) -> Self {
        Self(incarnation.0 << 2 | state as u64)
    }

    /// Alive at this incarnation.
    pub const fn alive(incarnation: Incarnation) -> Self {
        Self::new(incarnation, State::Alive)
    }

    /// The incarnation it speaks of.
    pub const fn incarnation(self) -> Incarnation {
        Incarnation(self.0 >> 2)
    }

    /// The state it asserts.
    pub const fn state(self) -> State {
        State::from_bits(self.0)
    }

    /// Alive or suspect.
    pub const fn is_live(self) -> bool {
        self.state().is_live()
    }

    /// The belief that holds both: the greater one.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        self.max(other)
    }

    /// As one number: `incarnation << 2 | state`.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.state(), self.incarnation())
    }
}

/// Which rumor: who broadcast it, in which life, and the how manieth of that life it is. The same payload twice is two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RumorId {
    /// Who broadcast it.
    pub origin: NodeId,
    /// The epoch of the origin's incarnation then.
    pub epoch: u32,
    /// From 1 on, in each epoch.
    pub seq: u32,
}

#[cfg(test)]
mod tests {
    use quickcheck::{Arbitrary, Gen, QuickCheck};

    use super::*;

    impl Arbitrary for Status {
        fn arbitrary(g: &mut Gen) -> Self {
            let epoch = *g.choose(&[0, 1, 2, u32::MAX]).unwrap();
            let refutations = *g.choose(&[0, 1, 2, Incarnation::MAX_REFUTATIONS]).unwrap();
            let state = State::from_bits(u64::arbitrary(g));
            Self::new(Incarnation::new(epoch, refutations), state)
        }
    }

    #[test]
    fn precedence_is_swims() {
        let s = |i, st| Status::new(Incarnation::new(9, i), st);
        let rising = [
            s(1, State::Alive),
            s(1, State::Suspect),
            s(1, State::Dead),
            s(1, State::Left),
            s(2, State::Alive),
            Status::alive(Incarnation::new(10, 0)),
        ];
        assert!(rising.windows(2).all(|w| w[0] < w[1]));
    }

    #[test]
    fn merge_is_a_semilattice() {
        fn laws(a: Status, b: Status, c: Status) -> bool {
            a.merge(b) == b.merge(a)
                && a.merge(a) == a
                && a.merge(b).merge(c) == a.merge(b.merge(c))
                && a.merge(b) >= a
                && (a.merge(b) == a || a.merge(b) == b)
        }
        QuickCheck::new().tests(crate::cases(100)).quickcheck(laws as fn(Status, Status, Status) -> bool);
    }

    #[test]
    fn parts_come_back() {
        fn parts(s: Status) -> bool {
            let i = s.incarnation();
            Status::new(i, s.state()) == s && Incarnation::new(i.epoch(), i.refutations()) == i
        }
        QuickCheck::new().tests(crate::cases(100)).quickcheck(parts as fn(Status) -> bool);
    }

    #[test]
    fn nothing_wraps() {
        let top = Incarnation::new(u32::MAX, Incarnation::MAX_REFUTATIONS);
        assert_eq!(top.next(), top);
        assert_eq!(top.next_epoch(), top);
        assert_eq!(Incarnation::new(3, Incarnation::MAX_REFUTATIONS).next(), Incarnation::new(4, 0));
        assert_eq!(Incarnation::new(3, 8).next_epoch(), Incarnation::new(4, 0));
        assert_eq!(Incarnation::new(u32::MAX, 5).next_epoch(), Incarnation::new(u32::MAX, 6));
        assert_eq!(Incarnation::new(0, u32::MAX).epoch(), 0);
    }
}
