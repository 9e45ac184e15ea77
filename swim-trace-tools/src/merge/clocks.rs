//! How far the nodes' clocks are apart.
//!
//! A datagram does not arrive before it was sent, so each one bounds the difference of two clocks on one side, and the fastest one
//! says most. Together they are a system of differences: the shortest paths through it are the tightest bounds there are, also
//! between nodes that have only others in common. The estimate is the middle of what is possible, and its error at most half the
//! width. All estimates together are possible at once, because the middle of two solutions is one: no datagram arrives
//! before it was sent.
//!
//! Only bytes that were sent once and received once count: for them there is no doubt which datagram it was.

use super::pairs::{Receipt, Sending};
use super::story::ClockFrom;
use crate::life::Life;

/// For each life: what its clock's time is by the reference's.
#[derive(Debug)]
pub(super) struct Clocks {
    /// To be added to its times.
    pub(super) offsets: Vec<i64>,
    /// How wrong that is at most, where it comes from datagrams.
    pub(super) bounds: Vec<Option<i64>>,
    pub(super) from: Vec<ClockFrom>,
    /// Of two lives, by sender and receiver: the slowest datagram that can be told apart took at most so long.
    slowest: Vec<Vec<Option<i64>>>,
    /// What the clocks contradict each other by: those of machines do not run equally fast.
    pub(super) contradiction: i64,
    /// The datagrams that were counted, of all sends and receipts.
    pub(super) told_apart: Vec<(usize, usize)>,
}

/// By sender and receiver: the least that the receipt's time was ahead of the sending's.
type Differences = Vec<Vec<Option<i64>>>;

impl Clocks {
    pub(super) fn estimate(lives: &[Life], sends: &[Sending], receipts: &[Receipt], frames: usize) -> Self {
        let told_apart = once(sends, receipts, frames);
        let n = lives.len();
        let mut least: Differences = vec![vec![None; n]; n];
        let mut most = least.clone();
        for &(send, receipt) in &told_apart {
            let (Some(s), Some(r)) = (sends.get(send), receipts.get(receipt)) else { continue };
            let took = r.at.saturating_sub(s.at);
            let (least, most) = (&mut least[s.life][r.life], &mut most[s.life][r.life]);
            *least = Some(least.map_or(took, |least: i64| least.min(took)));
            *most = Some(most.map_or(took, |most: i64| most.max(took)));
        }
        let (paths, contradiction) = consistent(&least);
        let mut clocks = Self {
            offsets: vec![0; n],
            bounds: vec![None; n],
            from: vec![ClockFrom::Nothing; n],
            slowest: most,
            contradiction,
            told_apart,
        };
        clocks.place(lives, &paths);
        clocks
    }

    /// A time of this life, by the reference's clock.
    pub(super) fn at(&self, life: usize, at: i64) -> i64 {
        at.saturating_add(self.offsets[life])
    }

    /// A datagram from one to the other can seem to arrive so much too early.
    pub(super) fn tolerance(&self, from: usize, to: usize) -> i64 {
        let of = |life: usize| self.bounds[life].unwrap_or(if from == to { 0 } else { VAGUE });
        of(from).saturating_add(of(to))
    }

    /// As [`Self::tolerance`], as far as it is known.
    pub(super) fn error(&self, from: usize, to: usize) -> i64 {
        let of = |life: usize| self.bounds[life].unwrap_or(0);
        of(from).saturating_add(of(to))
    }

    /// Longer than this no datagram from one to the other was under way, as far as can be told: twice the slowest of those that
    /// can be told apart.
    pub(super) fn patience(&self, from: usize, to: usize) -> i64 {
        let slowest = self.slowest[from][to].map(|took| {
            let took = took.saturating_add(self.offsets[to]).saturating_sub(self.offsets[from]);
            took.saturating_mul(2).max(0)
        });
        slowest.unwrap_or(VAGUE).saturating_add(self.tolerance(from, to)).max(1_000)
    }

    /// Those that are bound to each other from both sides are placed together, around the first of them.
    fn place(&mut self, lives: &[Life], paths: &Differences) {
        let mut placed = vec![false; lives.len()];
        for root in 0..lives.len() {
            if placed[root] {
                continue;
            }
            let (offset, from) = if root == 0 { (0, ClockFrom::Reference) } else { wall_clock(lives, root) };
            for other in root..lives.len() {
                let between = if other == root { Some((0, 0)) } else { paths[root][other].zip(paths[other][root]) };
                let Some((ahead, behind)) = between.filter(|_| !placed[other]) else { continue };
                placed[other] = true;
                // The other's clock is ahead of the root's by -behind at least, by ahead at most.
                let middle = ((i128::from(ahead) - i128::from(behind)) / 2) as i64;
                let half = ((i128::from(ahead) + i128::from(behind) + 1) / 2).max(0);
                let half = i64::try_from(half).unwrap_or(i64::MAX);
                self.offsets[other] = offset.saturating_sub(middle);
                let known = matches!(from, ClockFrom::Reference);
                self.bounds[other] =
                    known.then(|| half.saturating_add(if other == root { 0 } else { self.contradiction }));
                self.from[other] = if other == root || !known { from } else { ClockFrom::Datagrams };
            }
        }
    }
}

/// What counts as possible between clocks of which little is known: five seconds.
const VAGUE: i64 = 5_000_000;

/// The frames that were sent once and received once.
fn once(sends: &[Sending], receipts: &[Receipt], frames: usize) -> Vec<(usize, usize)> {
    #[derive(Clone, Copy)]
    enum Seen {
        Never,
        Once(usize),
        Often,
    }
    let count = |frames_of: &mut dyn Iterator<Item = u32>| {
        let mut seen = vec![Seen::Never; frames];
        for (i, frame) in frames_of.enumerate() {
            let seen = &mut seen[frame as usize];
            *seen = if let Seen::Never = seen { Seen::Once(i) } else { Seen::Often };
        }
        seen
    };
    let sent = count(&mut sends.iter().map(|s| s.frame));
    let received = count(&mut receipts.iter().map(|r| r.frame));
    let both = sent.into_iter().zip(received).filter_map(|pair| match pair {
        (Seen::Once(send), Seen::Once(receipt)) => Some((send, receipt)),
        _ => None,
    });
    both.collect()
}

/// The first guess: what the header says of the time of day.
fn wall_clock(lives: &[Life], life: usize) -> (i64, ClockFrom) {
    let origin = |life: &Life| {
        let unix = i128::from(life.unix_micros) - i128::from(life.began.as_micros());
        (life.unix_micros != 0).then_some(unix)
    };
    match lives.first().and_then(origin).zip(lives.get(life).and_then(origin)) {
        Some((reference, own)) => {
            let offset = (own - reference).clamp(i64::MIN.into(), i64::MAX.into());
            (offset as i64, ClockFrom::UnixMicros)
        }
        None => (0, ClockFrom::Nothing),
    }
}

/// The shortest paths, and what had to be added to every difference so that there are any: clocks that drift apart say that some
/// datagrams arrived before they were sent.
fn consistent(least: &Differences) -> (Differences, i64) {
    if let Some(paths) = shortest(least, 0) {
        return (paths, 0);
    }
    let (mut too_little, mut enough) = (0_i64, 1_i64);
    while shortest(least, enough).is_none() && enough < i64::MAX / 4 {
        (too_little, enough) = (enough, enough * 2);
    }
    // Closer than a sixteenth is not worth the time.
    while enough - too_little > enough / 16 + 1 {
        let middle = too_little + (enough - too_little) / 2;
        if shortest(least, middle).is_some() { enough = middle } else { too_little = middle }
    }
    (shortest(least, enough).unwrap_or_else(|| vec![vec![None; least.len()]; least.len()]), enough)
}

/// Floyd and Warshall's; `None` when some node would be ahead of itself.
fn shortest(least: &Differences, more: i64) -> Option<Differences> {
    let n = least.len();
    let mut paths = least.clone();
    paths.iter_mut().flatten().flatten().for_each(|difference| *difference = difference.saturating_add(more));
    for via in 0..n {
        let onward = paths[via].clone();
        for path in &mut paths {
            let Some(first) = path[via] else { continue };
            for (to, second) in path.iter_mut().zip(&onward) {
                let Some(second) = second else { continue };
                let whole = first.saturating_add(*second);
                *to = Some(to.map_or(whole, |so_far| so_far.min(whole)));
            }
        }
        if (0..n).any(|i| paths[i][i].is_some_and(|own| own < 0)) {
            return None;
        }
    }
    Some(paths)
}
