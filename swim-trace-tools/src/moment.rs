//! A moment of a run: what a node believed then.

use std::fmt;
use std::str::FromStr;

use swim_core::{Instant, Node, NodeId};
use swim_trace::{Item, Replay, ReplayError, Trace, TraceError};

/// A moment, by the clock or by the number of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At this time of the recorded node's clock.
    At(Instant),
    /// In this step.
    Step(u64),
}

impl When {
    /// Is a step this moment, or behind it?
    pub(crate) fn is_reached(self, step: u64, at: Instant) -> bool {
        match self {
            Self::At(wanted) => at >= wanted,
            Self::Step(wanted) => step >= wanted,
        }
    }

    /// Is this moment over, when a step comes?
    pub(crate) fn is_before(self, step: u64, at: Instant) -> bool {
        match self {
            Self::At(wanted) => at > wanted,
            Self::Step(wanted) => step > wanted,
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(at) => write!(f, "{at:?}"),
            Self::Step(step) => write!(f, "@{step}"),
        }
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("{text:?} is no moment: write a time like 12.5s, 300ms or 2m, or the number of a step like @120")
        };
        if let Some(step) = text.strip_prefix('@') {
            return step.parse().map(Self::Step).map_err(|_| wrong());
        }
        let unit = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(wrong)?;
        let (number, unit) = text.split_at(unit);
        let micros: u64 = match unit {
            "us" => 1,
            "ms" => 1_000,
            "s" => 1_000_000,
            "m" => 60_000_000,
            "h" => 3_600_000_000,
            _ => return Err(wrong()),
        };
        decimal(number, micros).map(|micros| Self::At(Instant::from_micros(micros))).ok_or_else(wrong)
    }
}

/// So many times this, without rounding errors of floats; what is below one is cut off.
fn decimal(text: &str, times: u64) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let fraction = &fraction[..fraction.len().min(9)];
    let scale = 10_u128.pow(fraction.len() as u32);
    let below = fraction.parse::<u128>().ok()?.checked_mul(times.into())? / scale;
    whole.parse::<u64>().ok()?.checked_mul(times)?.checked_add(u64::try_from(below).ok()?)
}

/// Why a moment cannot be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MomentError {
    /// The replay cannot go on.
    Replay(ReplayError),
    /// The first step comes later.
    TooEarly {
        /// Its time; `None`: there is no step at all.
        first: Option<Instant>,
    },
    /// Inputs before it are missing, so the state is not known.
    Unknown {
        /// The step at that moment.
        step: u64,
    },
    /// Before it, the replay left the run that was recorded.
    Diverged {
        /// In this step.
        step: u64,
    },
}

impl fmt::Display for MomentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replay(e) => write!(f, "{e}"),
            Self::TooEarly { first: Some(first) } => write!(f, "the first step comes later, at {first:?}"),
            Self::TooEarly { first: None } => f.write_str("there is no step"),
            Self::Unknown { step } => {
                write!(f, "what the node believed in step {step} is not known: inputs before it are missing")
            }
            Self::Diverged { step } => {
                write!(f, "the replay leaves the recorded run in step {step}, so what was believed later is not known")
            }
        }
    }
}

impl std::error::Error for MomentError {}

/// A moment that is known.
#[derive(Debug)]
#[non_exhaustive]
pub struct Moment<'a> {
    /// Behind its step.
    pub replay: Replay<'a>,
    /// The number of the last step that is not after it.
    pub step: u64,
    /// That step's time.
    pub at: Instant,
    /// The trace cannot be read up to the moment, so that its last step may be another one.
    pub damage: Option<TraceError>,
}

/// The node as it was behind the last step that is not after `when`.
///
/// # Errors
/// [`MomentError`] when that is not known. Damage of the trace behind the moment does no harm.
pub fn node_at<'a>(trace: &Trace<'a>, when: When) -> Result<Moment<'a>, MomentError> {
    let (mut last, mut first) = (None, None);
    let (mut cursor, mut damage) = (trace.cursor(), None);
    while let Some(item) = cursor.next() {
        let (step, at) = match item {
            Ok(Item::Input { step, at, .. }) => (step, at),
            Ok(_) => continue,
            Err(e) => {
                damage = Some(e);
                break;
            }
        };
        first.get_or_insert(at);
        if when.is_before(step, at) {
            break;
        }
        last = Some((step, at));
        if when == When::Step(step) {
            break;
        }
    }
    let (last, at) = last.ok_or(MomentError::TooEarly { first })?;
    let mut replay = Replay::new(trace).map_err(MomentError::Replay)?;
    while let Some(step) = replay.step() {
        let step = match step {
            // What is damaged is behind the step that is wanted, which was passed over.
            Err(ReplayError::Trace(_)) => break,
            step => step.map_err(MomentError::Replay)?,
        };
        if step.number > last {
            break;
        }
        if step.diverged {
            return Err(MomentError::Diverged { step: step.number });
        }
        if step.number == last {
            return Ok(Moment { replay, step: last, at, damage });
        }
    }
    Err(MomentError::Unknown { step: last })
}

/// Why a text does not name one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotFound {
    /// It fits none.
    Nobody {
        /// The names of all.
        names: Vec<String>,
    },
    /// It fits several.
    Several {
        /// Theirs, with the ids.
        names: Vec<String>,
    },
}

/// Whom a text means, among the rows of a node: a name, the first digits of an id, or an address.
///
/// # Errors
/// [`NotFound`] when that is not one row.
pub fn find(node: &Node, text: &str) -> Result<NodeId, NotFound> {
    let by_name: Vec<_> = node.members().filter(|row| row.name() == text).collect();
    let by_addr = || node.members().filter(|row| row.addr().to_string() == text).collect();
    let by_id = || node.members().filter(|row| !text.is_empty() && row.id().to_string().starts_with(text)).collect();
    let found = [by_name, by_addr(), by_id()].into_iter().find(|rows: &Vec<_>| !rows.is_empty()).unwrap_or_default();
    match &found[..] {
        [one] => Ok(one.id()),
        [] => Err(NotFound::Nobody { names: node.members().map(|row| row.name().to_owned()).collect() }),
        many => {
            Err(NotFound::Several { names: many.iter().map(|row| format!("{} ({})", row.name(), row.id())).collect() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_in_two_ways() {
        let at = |micros| Ok(When::At(Instant::from_micros(micros)));
        assert_eq!("12.5s".parse(), at(12_500_000));
        assert_eq!("300ms".parse(), at(300_000));
        assert_eq!("0.0000019s".parse(), at(1));
        assert_eq!(["2m", "1h", "7us"].map(|text| text.parse()), [at(120_000_000), at(3_600_000_000), at(7)]);
        assert_eq!("@17".parse(), Ok(When::Step(17)));
        for wrong in [
            "",
            "5",
            "s",
            "-1s",
            "1.s",
            ".5s",
            "1e3s",
            "@",
            "@x",
            "1d",
            "99999999999999999999s",
            "18446744073709551615h",
        ] {
            assert!(wrong.parse::<When>().unwrap_err().contains("like 12.5s"), "{wrong}");
        }
    }
}
