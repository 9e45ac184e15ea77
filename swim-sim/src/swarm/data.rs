//! What applications do in a run: which entries are written, and which rumors are broadcast, when, by whom.
//!
//! It is drawn apart from everything else, so a run does the same to its nodes whether they say anything or not. What is
//! drawn is a rate; each single write follows from the seed, the number of its burst, and its own number, so leaving out
//! one burst changes no other.

use std::time::Duration;

use swim_core::{Config, StopPolicy};

use crate::latency::micros;
use crate::link::{millis, percent, secs};
use crate::rng::{Purpose, Stream, mix64};
use crate::swarm::fault::{Fault, What};

/// Writes of one burst.
const BURST_MAX: u32 = 200;
/// Keys of one member.
pub(crate) const KEYS_MAX: usize = 40;
/// Bytes of the longest key that is drawn.
const KEY_MAX: usize = Config::KEY_MAX;

/// One thing that an application does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Put {
        key: String,
        value: Vec<u8>,
        ttl: Option<Duration>,
    },
    Delete {
        key: String,
    },
    /// The rumor of this number, of so many bytes.
    Broadcast {
        number: u64,
        len: usize,
    },
    /// Any other command.
    Other,
}

/// The bursts of a run, none in half of them, and how much room there is for what they say.
pub(crate) fn draw(seed: u64, (count, chaos): (usize, Duration), c: &mut Config, faults: &[Fault]) -> Vec<Fault> {
    let mut draws = Stream::new(seed, Purpose::Data);
    if draws.chance(percent(50)) {
        return Vec::new();
    }
    perturb(c, &mut draws);
    let kinds = draws.pick(&[&[0][..], &[0, 1], &[2], &[0, 1, 2], &[0, 1, 2], &[0, 0, 1, 1, 2]]);
    let keys = draws.pick(&[1, 4, 12, KEYS_MAX]);
    let bursts = kinds.len() + draws.below(3);
    (0..bursts).map(|i| burst(kinds[i % kinds.len()], keys, (count, chaos), c, faults, &mut draws)).collect()
}

fn perturb(c: &mut Config, draws: &mut Stream) {
    let mut now_and_then = |change: &mut dyn FnMut(&mut Stream)| {
        if draws.chance(percent(25)) {
            change(draws);
        }
    };
    now_and_then(&mut |d| c.rumors_max = 16 + d.below(100));
    now_and_then(&mut |d| c.rumor_bytes = c.mtu * (4 + d.below(20)));
    now_and_then(&mut |d| c.rumor_window = 64 * (1 + d.below(2)));
    now_and_then(&mut |d| c.rumor_ttl = secs(2 + d.below(30) as u64));
    now_and_then(&mut |d| c.rumor_stop = StopPolicy::Counter(1 + d.below(5) as u32));
    now_and_then(&mut |d| c.rumor_stop = StopPolicy::Coin(1 + d.below(8) as u32));
    now_and_then(&mut |d| c.state_bytes = 2_048 + d.below(4_000));
    // Who has forgotten an origin takes what is still kept of it once more.
    c.rumor_ttl = c.rumor_ttl.min(c.tombstone_ttl / 4);
}

fn burst(
    kind: usize,
    keys: usize,
    (count, chaos): (usize, Duration),
    c: &Config,
    faults: &[Fault],
    draws: &mut Stream,
) -> Fault {
    let period = c.probe_interval;
    // At any time, or while something else is going on.
    let mut from = Duration::from_micros(draws.within(0, micros(chaos * 9 / 10)));
    if !faults.is_empty() && draws.chance(percent(40)) {
        from = draws.pick(faults).from;
    }
    let span = draws.pick(&[period * 3, period * 20, chaos]);
    let until = (from + Duration::from_micros(draws.within(0, micros(span)))).min(chaos);
    let rate = draws.pick(&[millis(20), period / 4, period * 4]);
    let every = rate.max((until - from) / BURST_MAX);
    let one = draws.below(count);
    let chance = draws.pick(&[0, percent(30), percent(100)]);
    let nodes = (0..count).filter(|&node| node == one || draws.chance(chance)).collect();
    let len = |draws: &mut Stream, max: usize| draws.pick(&[0, 8, 60, 300, max]).min(max);
    let what = match kind {
        0 => {
            let ttl = draws.pick(&[None, None, Some(period * 2), Some(chaos / 2)]);
            What::Put { nodes, every, keys, len: len(draws, c.value_max()), ttl }
        }
        1 => What::Delete { nodes, every, keys },
        _ => What::Broadcast { nodes, every, len: len(draws, c.rumor_max() - KEY_MAX) },
    };
    Fault { what, from, until }
}

/// What a burst does the so manieth time, and at whom; `None` when it is no burst.
pub(crate) fn op((seed, number): (u64, usize), what: &What, time: u64) -> Option<(usize, Op)> {
    let unique = (number as u64) << 32 | time;
    let mut draws = Stream::new(mix64(seed ^ mix64(unique)), Purpose::Data);
    let mut at = |nodes: &[usize]| draws.pick(nodes);
    Some(match what {
        What::Put { nodes, keys, len, ttl, .. } => {
            let node = at(nodes);
            // Small values are the same again and again.
            let len = draws.within(0, *len as u64) as usize;
            let value = bytes(draws.next_u64(), len);
            let ttl = ttl.map(|ttl| Duration::from_millis(draws.within(1, ttl.as_millis() as u64)));
            (node, Op::Put { key: key(draws.below(*keys)), value, ttl })
        }
        What::Delete { nodes, keys, .. } => (at(nodes), Op::Delete { key: key(draws.below(*keys)) }),
        What::Broadcast { nodes, len, .. } => {
            (at(nodes), Op::Broadcast { number: unique, len: draws.within(0, *len as u64) as usize })
        }
        _ => return None,
    })
}

/// Every other one is as long as a key may be, so that tombstones of all of them have no room in a small state.
fn key(number: usize) -> String {
    let key = format!("k{number}");
    if number % 2 == 1 { format!("{key:.<KEY_MAX$}") } else { key }
}

/// Bytes that follow from a number.
pub(crate) fn bytes(of: u64, len: usize) -> Vec<u8> {
    let mut draws = Stream::new(of, Purpose::Data);
    let words = std::iter::repeat_with(|| draws.next_u64().to_le_bytes());
    words.flatten().take(len).collect()
}

/// A number for these bytes: different ones have different numbers, as far as 64 bits can tell.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let word = |chunk: &[u8]| chunk.iter().fold(0, |word, &byte| word << 8 | u64::from(byte));
    bytes.chunks(8).fold(bytes.len() as u64, |hash, chunk| mix64(hash ^ word(chunk)).wrapping_add(1))
}
