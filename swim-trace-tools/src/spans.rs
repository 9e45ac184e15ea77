//! What lasts: probes, from the ping to what ended them, and suspicions.

use std::collections::BTreeMap;

use swim_core::{Event, NodeId};

use crate::decode::FrameShown;
use crate::json::{Digits, event_name};
use crate::merge::{Moment, Story};

/// A probe or a suspicion of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) kind: Kind,
    /// The moment in which it begins.
    pub(crate) begins: usize,
    /// By the reference's clock.
    pub(crate) ends_us: i64,
    /// What ended it: the kind of an answer, the name of an event, `next` the next probe, or `trace` what is known.
    pub(crate) by: &'static str,
    pub(crate) member: NodeId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Probe,
    /// A ping on behalf of another node.
    Relay,
    Suspicion,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Relay => "relay",
            Self::Suspicion => "suspicion",
        }
    }
}

/// All of them, as they end.
pub(crate) fn spans(story: &Story) -> Vec<Span> {
    let mut open: Vec<Open> = story.nodes.iter().map(|_| Open::default()).collect();
    let mut spans = Vec::new();
    for (place, moment) in story.timeline.iter().enumerate() {
        let open = &mut open[moment.node];
        if moment.after_gap {
            open.close(&mut spans);
        }
        open.ends_us = moment.at_us;
        open.answers(story, moment, &mut spans);
        open.events(moment, place, &mut spans);
        open.pings(story, moment, place, &mut spans);
    }
    open.iter_mut().for_each(|open| open.close(&mut spans));
    spans
}

/// What has begun on one node and not ended.
#[derive(Default)]
struct Open {
    /// By nonce.
    pings: BTreeMap<u32, Span>,
    suspicions: BTreeMap<NodeId, Span>,
    ends_us: i64,
}

impl Open {
    /// Nothing more is known of it.
    fn close(&mut self, spans: &mut Vec<Span>) {
        let ends_us = self.ends_us;
        let suspicions = std::mem::take(&mut self.suspicions).into_values();
        let all = std::mem::take(&mut self.pings).into_values().chain(suspicions);
        spans.extend(all.map(|span| Span { ends_us, by: "trace", ..span }));
    }

    fn answers(&mut self, story: &Story, moment: &Moment, spans: &mut Vec<Span>) {
        let frame = moment.origin.and_then(|origin| story.frames[origin.frame].frame.as_deref());
        let answers = |frame: &&FrameShown| matches!(frame.message, "ack" | "relayed_ack" | "not_me");
        let Some(frame) = frame.filter(answers) else { return };
        let Some(nonce) = frame.nonce.map(|nonce| nonce.0) else { return };
        if let Some(span) = self.pings.remove(&nonce) {
            spans.push(Span { ends_us: moment.at_us, by: frame.message, ..span });
        }
    }

    fn events(&mut self, moment: &Moment, place: usize, spans: &mut Vec<Span>) {
        for told in &moment.events {
            // What a member puts into its state, says of itself, or whom it shares an address with, leaves it
            // suspected.
            let member = match told.event {
                Event::MemberUp { id, .. }
                | Event::MemberRestarted { id, .. }
                | Event::MemberSuspect { id, .. }
                | Event::MemberRefuted { id, .. }
                | Event::MemberDown { id, .. }
                | Event::MemberForgotten { id } => id,
                _ => continue,
            };
            if let Some(span) = self.suspicions.remove(&member) {
                spans.push(Span { ends_us: moment.at_us, by: event_name(&told.event), ..span });
            }
            if matches!(told.event, Event::MemberSuspect { .. }) {
                let span = Span { kind: Kind::Suspicion, begins: place, ends_us: moment.at_us, by: "trace", member };
                self.suspicions.insert(member, span);
            }
        }
    }

    fn pings(&mut self, story: &Story, moment: &Moment, place: usize, spans: &mut Vec<Span>) {
        let asked = moment.origin.is_some_and(|origin| story.frames[origin.frame].message() == "ping_req");
        let kind = if asked { Kind::Relay } else { Kind::Probe };
        for frame in moment.sent.iter().filter_map(|&i| story.frames[story.datagrams[i].frame].frame.as_deref()) {
            let (Some(target), Some(Digits(nonce))) = (&frame.target, frame.nonce) else { continue };
            let member = target.id.0;
            // A probe that goes on sends its ping again.
            if frame.message != "ping" || self.pings.contains_key(&nonce) {
                continue;
            }
            // One probe at a time.
            if kind == Kind::Probe {
                let before: Vec<u32> =
                    self.pings.iter().filter(|(_, span)| span.kind == kind).map(|(&nonce, _)| nonce).collect();
                let ended = before.iter().filter_map(|nonce| self.pings.remove(nonce));
                spans.extend(ended.map(|span| Span { ends_us: moment.at_us, by: "next", ..span }));
            }
            self.pings.insert(nonce, Span { kind, begins: place, ends_us: moment.at_us, by: "trace", member });
        }
    }
}

#[cfg(test)]
mod tests {
    use swim_core::Incarnation;

    use super::*;
    use crate::decode::EventShown;

    /// One moment with one event.
    fn told(event: Event) -> Moment {
        Moment {
            at_us: 7,
            node: 0,
            step: 1,
            own_us: 7,
            input: "datagram",
            origin: None,
            sent: Vec::new(),
            events: vec![EventShown { event, name: None, by_name: None }],
            beliefs: Vec::new(),
            because: None,
            after_gap: false,
            diverged: false,
        }
    }

    #[test]
    fn a_suspicion_ends_with_what_its_member_is_believed_to_be_and_with_nothing_else() {
        let (id, with, incarnation) = (NodeId::new(1), NodeId::new(2), Incarnation::new(1, 0));
        let from = ([192, 0, 2, 1], 1).into();
        for event in [
            Event::StateChanged { id },
            Event::MemberUpdated { id },
            Event::MemberMoved { id, from },
            Event::AddressConflict { id, with },
            Event::MemberDown { id: with, incarnation, left: false },
            Event::Diverged,
        ] {
            let (mut open, mut spans) = (Open::default(), Vec::new());
            open.events(&told(Event::MemberSuspect { id, incarnation, by: None }), 0, &mut spans);
            open.events(&told(event), 1, &mut spans);
            assert!(spans.is_empty() && open.suspicions.contains_key(&id), "{event:?}");
            open.events(&told(Event::MemberRefuted { id, incarnation }), 2, &mut spans);
            assert_eq!(
                spans.iter().map(|span| (span.kind, span.by)).collect::<Vec<_>>(),
                [(Kind::Suspicion, "member_refuted")]
            );
        }
        for event in [
            Event::MemberUp { id, incarnation },
            Event::MemberRestarted { id, incarnation },
            Event::MemberDown { id, incarnation, left: true },
            Event::MemberForgotten { id },
        ] {
            let (mut open, mut spans) = (Open::default(), Vec::new());
            open.events(&told(Event::MemberSuspect { id, incarnation, by: Some(with) }), 0, &mut spans);
            open.events(&told(event), 1, &mut spans);
            assert!(spans.len() == 1 && spans[0].by == event_name(&event) && open.suspicions.is_empty(), "{event:?}");
        }
    }
}
