//! When what a node tells is reason enough to keep what led to it.

use std::collections::VecDeque;
use std::time::Duration;

use swim_core::{Event, Instant};

use super::Dumps;

/// Listens for anomalies.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    on_suspicion: bool,
    on_deaths: Option<(usize, Duration)>,
    pause: Duration,
    /// The latest deaths, at most as many as are wanted.
    deaths: VecDeque<Instant>,
    /// Before this, nothing is said for this reason again.
    suspected_until: Instant,
    died_until: Instant,
}

impl Alarm {
    pub(super) fn new(dumps: Option<&Dumps>) -> Self {
        let Some(dumps) = dumps else { return Self::default() };
        let on_deaths = dumps.on_deaths.filter(|(count, _)| *count > 0);
        Self { on_suspicion: dumps.on_suspicion, on_deaths, pause: dumps.pause, ..Self::default() }
    }

    /// Why there should be a dump now.
    pub(super) fn hear(&mut self, at: Instant, event: &Event) -> Option<&'static str> {
        match event {
            Event::Refuted { .. } if self.on_suspicion && at >= self.suspected_until => {
                self.suspected_until = at + self.pause;
                Some("suspected")
            }
            Event::MemberDown { left: false, .. } => {
                let (count, within) = self.on_deaths?;
                self.deaths.push_back(at);
                if self.deaths.len() > count {
                    self.deaths.pop_front();
                }
                let many = self.deaths.len() == count && at.since(self.deaths[0]) <= within;
                if !many || at < self.died_until {
                    return None;
                }
                self.died_until = at + self.pause;
                Some("deaths")
            }
            _ => None,
        }
    }
}
