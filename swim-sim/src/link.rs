//! What one direction between two nodes does to datagrams.

use std::time::Duration;

use crate::burst::Bursts;
use crate::clog::Clog;
use crate::damage::Damage;
use crate::latency::{Latency, Spread, micros};
use crate::rng::Stream;

/// How a direction between two nodes treats datagrams. Chances are per million; [`percent`] writes them.
///
/// A datagram meets the faults in this order: `mtu`, `clog`, `bursts`, `loss`, `duplicate`; then each copy for itself
/// `damage`, latency and `reorder`. Those that are off draw nothing, so a run in which a fault is off is the run that it
/// would be if there were no such fault.
///
/// ```
/// use swim_sim::{Link, millis, percent};
/// let wan = Link { latency_min: millis(40), latency_max: millis(60), loss: percent(1), ..Link::default() };
/// assert_eq!(wan.loss, 10_000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Chance that a datagram is lost.
    pub loss: u32,
    /// Chance that a datagram which is not lost comes twice, the second time with a latency of its own.
    pub duplicate: u32,
    /// Chance that a datagram is held back for up to `reorder_delay` on top of its latency.
    pub reorder: u32,
    /// The shortest latency. Latency is drawn for each datagram, so datagrams that are sent within less than
    /// `latency_max - latency_min` can overtake each other even without `reorder`.
    pub latency_min: Duration,
    /// The longest latency; `latency_min` when it is below that.
    pub latency_max: Duration,
    /// The longest time for which `reorder` holds a datagram back.
    pub reorder_delay: Duration,
    /// How latencies are spread between the shortest and the longest.
    pub spread: Spread,
    /// Loss that comes in bursts, on top of `loss`.
    pub bursts: Option<Bursts>,
    /// Bits that flip, and ends that are cut off.
    pub damage: Damage,
    /// A datagram of more bytes is dropped and nobody told, as where fragments are filtered: a black hole. Counted
    /// as a node counts its own `mtu`, envelope included, headers of IP and UDP not.
    pub mtu: Option<usize>,
    /// A rate, and a queue in front of it, for each direction between two nodes that has this link.
    pub clog: Option<Clog>,
}

impl Default for Link {
    /// A quiet local network: nothing is lost, and a datagram takes 0.1 to 1 ms.
    fn default() -> Self {
        Self {
            loss: 0,
            duplicate: 0,
            reorder: 0,
            latency_min: Duration::from_micros(100),
            latency_max: Duration::from_millis(1),
            reorder_delay: Duration::from_millis(100),
            spread: Spread::Uniform,
            bursts: None,
            damage: Damage::default(),
            mtu: None,
            clog: None,
        }
    }
}

/// What a link does to one datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Lost,
    /// It arrives after this time, and perhaps again after another.
    Arrives {
        first: Delay,
        again: Option<Delay>,
    },
}

/// How long a datagram is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delay {
    pub(crate) micros: u64,
    pub(crate) held_back: bool,
}

impl Link {
    /// This link with these latencies.
    pub const fn with_latency(self, latency: Latency) -> Self {
        Self { latency_min: latency.min, latency_max: latency.max, spread: latency.spread, ..self }
    }

    /// Its latencies, without what `reorder` and `clog` add to them.
    pub const fn latency(&self) -> Latency {
        Latency { min: self.latency_min, max: self.latency_max, spread: self.spread }
    }

    /// Draws whether one datagram is lost by chance, and how long each copy is under way.
    pub(crate) fn fate(&self, draws: &mut Stream) -> Fate {
        if draws.chance(self.loss) {
            return Fate::Lost;
        }
        let first = self.delay(draws);
        let again = draws.chance(self.duplicate).then(|| self.delay(draws));
        Fate::Arrives { first, again }
    }

    /// Draws how long one copy is under way.
    pub(crate) fn delay(&self, draws: &mut Stream) -> Delay {
        let latency = self.latency().draw(draws);
        let held_back = draws.chance(self.reorder);
        let extra = if held_back { draws.within(1, micros(self.reorder_delay)) } else { 0 };
        Delay { micros: latency.saturating_add(extra), held_back }
    }
}

/// A chance per million of so many in a hundred.
pub const fn percent(p: u32) -> u32 {
    p.saturating_mul(10_000)
}

/// So many seconds.
pub const fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

/// So many milliseconds.
pub const fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Purpose;

    fn fates(link: Link) -> Vec<Fate> {
        let mut draws = Stream::new(3, Purpose::Network);
        (0..10_000).map(|_| link.fate(&mut draws)).collect()
    }

    #[test]
    fn a_quiet_link_only_delays() {
        for fate in fates(Link::default()) {
            let Fate::Arrives { first, again: None } = fate else { panic!("{fate:?}") };
            assert!((100..=1_000).contains(&first.micros) && !first.held_back, "{first:?}");
        }
    }

    #[test]
    fn every_fault_comes_about_as_often_as_asked() {
        let link = Link { loss: percent(10), duplicate: percent(20), reorder: percent(30), ..Link::default() };
        let (mut lost, mut twice, mut held_back) = (0, 0, 0);
        for fate in fates(link) {
            match fate {
                Fate::Lost => lost += 1,
                Fate::Arrives { first, again } => {
                    twice += u32::from(again.is_some());
                    held_back += u32::from(first.held_back);
                    assert!(first.micros <= 101_000 && (first.held_back || first.micros <= 1_000), "{first:?}");
                }
            }
        }
        assert!((900..1_100).contains(&lost), "{lost} of 10000 lost at 10 %");
        assert!((1_600..2_000).contains(&twice), "{twice} of about 9000 twice at 20 %");
        assert!((2_500..2_900).contains(&held_back), "{held_back} of about 9000 held back at 30 %");
    }

    #[test]
    fn odd_settings_mean_something() {
        assert!(fates(Link { loss: percent(100), ..Link::default() }).iter().all(|&f| f == Fate::Lost));
        let fixed = Link { latency_min: millis(5), latency_max: millis(2), ..Link::default() };
        let five = Fate::Arrives { first: Delay { micros: 5_000, held_back: false }, again: None };
        assert!(fates(fixed).iter().all(|&f| f == five), "a maximum below the minimum is the minimum");
        let mut draws = Stream::new(3, Purpose::Network);
        let endless = Link { latency_min: Duration::MAX, reorder: percent(100), ..Link::default() };
        assert!(matches!(endless.fate(&mut draws), Fate::Arrives { first: Delay { micros: u64::MAX, .. }, .. }));
    }
}
