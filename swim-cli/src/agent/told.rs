//! All that the node tells: its events, and what only other subscriptions have of those that speak of application data.
//!
//! An event says whose state has changed, or which rumor has come; a watch and a subscription to rumors say what. Both are there
//! when the event is.

use std::time::Duration;

use bind_mio::Handle;
use bind_mio::swim_core::{Event, RumorId};
use bind_mio::swim_driver::{Events, Heard, RumorView, Rumors, View, Watch};

use super::record::{Known, Record};

pub(super) struct Told {
    pub(super) events: Events,
    states: Watch,
    rumors: Rumors,
}

impl Told {
    pub(super) fn of(handle: &Handle) -> Self {
        // The events last: whatever they speak of, the others have.
        let (states, rumors) = (handle.watch(""), handle.rumors(None));
        Self { events: handle.events(), states, rumors }
    }

    /// What is printed for an event. Changes of states come with the first event that speaks of one, so some come with none.
    pub(super) fn records(&mut self, at: Duration, event: &Event, view: &View, known: &mut Known) -> Vec<Record> {
        match *event {
            Event::StateChanged { .. } => self.changes(at, view, known),
            Event::Rumor { id } => vec![known.rumor(at, id, self.rumor(id).as_ref(), view)],
            Event::MemberForgotten { .. } | Event::Lagged { .. } => {
                let mut records = self.changes(at, view, known);
                records.push(known.record(at, event, view));
                records
            }
            _ => vec![known.record(at, event, view)],
        }
    }

    fn changes(&mut self, at: Duration, view: &View, known: &mut Known) -> Vec<Record> {
        let changes = std::iter::from_fn(|| self.states.try_recv().ok());
        changes.filter_map(|change| known.change(at, &change, view)).collect()
    }

    /// The rumor that an event speaks of, unless it was missed. Those before it were missed as events: of both, as many are kept,
    /// and there are more events.
    fn rumor(&mut self, id: RumorId) -> Option<RumorView> {
        std::iter::from_fn(|| self.rumors.try_recv().ok()).find_map(|heard| match heard {
            Heard::Rumor(rumor) if rumor.id() == id => Some(rumor),
            Heard::Rumor(_) | Heard::Lagged { .. } => None,
        })
    }
}
