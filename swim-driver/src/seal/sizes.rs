//! How much a sealed envelope keeps, beside the most that it may.

/// What is kept, and its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sizes {
    /// Sessions of others that are known.
    pub sessions: (usize, usize),
    /// Sessions that are to show that they live.
    pub waiting: (usize, usize),
    /// Frames that wait for that.
    pub frames: (usize, usize),
    /// Bytes of these.
    pub bytes: (usize, usize),
    /// Control datagrams to be handed out.
    pub replies: (usize, usize),
    /// Frames to be heard before the next input.
    pub ready: usize,
    /// Addresses whose way of speaking is known, while migrating; 0 and 0 otherwise.
    pub contacts: (usize, usize),
}

impl Sizes {
    /// Whether all is within its bound.
    pub fn are_bounded(&self) -> bool {
        let Self { sessions, waiting, frames, bytes, replies, ready, contacts } = *self;
        // What is released is of one session.
        ready <= frames.1 && [sessions, waiting, frames, bytes, replies, contacts].iter().all(|(is, most)| is <= most)
    }
}
