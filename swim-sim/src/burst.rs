//! Losses that come in bursts, as they do where a radio fades or a queue overflows.

use crate::rng::Stream;

/// Loss after Gilbert (1960) and Elliott (1963): a direction is in its good state or in its bad one, may change that
/// with every datagram, and loses each with the chance of the state it is then in. Chances are per million.
///
/// The bad state lasts for `1/leave` datagrams in the mean, and `enter / (enter + leave)` of all meet it. Each
/// direction between two nodes has a state of its own, good at first, which stays as it is while the rule is off.
/// The loss in the good state is [`crate::Link::loss`], to which a datagram is exposed in either state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bursts {
    /// Chance to go from good to bad, before a datagram.
    pub enter: u32,
    /// Chance to go from bad to good, before a datagram.
    pub leave: u32,
    /// Chance that a datagram in the bad state is lost.
    pub loss: u32,
}

impl Bursts {
    /// Decides about one datagram of a direction whose state this is.
    pub(crate) fn lose(&self, bad: &mut bool, draws: &mut Stream) -> bool {
        if draws.chance(if *bad { self.leave } else { self.enter }) {
            *bad = !*bad;
        }
        *bad && draws.chance(self.loss)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::percent;
    use crate::rng::Purpose;

    const N: usize = 200_000;

    fn losses(rule: Bursts) -> Vec<bool> {
        let (mut bad, mut draws) = (false, Stream::new(5, Purpose::Bursts));
        (0..N).map(|_| rule.lose(&mut bad, &mut draws)).collect()
    }

    /// Both moments: how many are lost, and that they are lost together.
    #[test]
    fn bursts_are_as_frequent_and_as_long_as_asked() {
        let lost = losses(Bursts { enter: percent(1), leave: percent(10), loss: percent(100) });
        let count = lost.iter().filter(|&&l| l).count();
        let bursts = lost.windows(2).filter(|w| !w[0] && w[1]).count();
        assert!(count.abs_diff(N / 11) < N / 110, "{count} of {N} lost, not one in eleven");
        let length = count as f64 / bursts as f64;
        assert!((9.0..11.0).contains(&length), "bursts of {length:.1}, not of ten");
    }

    #[test]
    fn a_bad_state_may_let_some_through() {
        let lost = losses(Bursts { enter: percent(100), leave: 0, loss: percent(30) });
        let count = lost.iter().filter(|&&l| l).count();
        assert!(count.abs_diff(N * 3 / 10) < N / 100, "{count} of {N} lost, not three in ten");
    }

    #[test]
    fn what_is_never_entered_loses_nothing() {
        assert!(losses(Bursts { enter: 0, leave: 0, loss: percent(100) }).iter().all(|&l| !l));
    }
}
