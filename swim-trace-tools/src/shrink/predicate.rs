//! What a run can show.

use std::fmt;
use std::str::FromStr;

use swim_core::{Event, Node, NodeId, State};
use swim_trace::Outputs;

use crate::decode::{MESSAGES, message_name};
use crate::json::{EVENTS, event_name};

/// Something that a run shows, or does not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Predicate {
    /// The node tells an event of this kind: `event=member_down`; about this member: `event=member_down:web-1`.
    Event {
        /// Its name, as `swim trace cat` prints it.
        kind: String,
        /// A name, or an id of 16 hexadecimal digits.
        about: Option<String>,
    },
    /// The node sends a datagram with this message: `sent=ping_req`; `gossip` has none.
    Sent(String),
    /// At the end the node believes this of a member: `state=web-1:dead`.
    State {
        /// A name, or an id of 16 hexadecimal digits.
        member: String,
        /// What it believes.
        state: State,
    },
    /// The node panics: `panic`.
    Panic,
    /// What comes out is not what was recorded: `divergence`.
    Divergence,
}

impl FromStr for Predicate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = |kind: &str, all: &[&str]| match all.contains(&kind) {
            true => Ok(kind.to_owned()),
            false => Err(format!("{kind:?} is none of: {}", all.join(", "))),
        };
        match text.split_once('=') {
            None if text == "panic" => Ok(Self::Panic),
            None if text == "divergence" => Ok(Self::Divergence),
            Some(("event", event)) => {
                let (kind, about) = event.split_once(':').map_or((event, None), |(kind, about)| (kind, Some(about)));
                Ok(Self::Event { kind: known(kind, &EVENTS)?, about: about.map(str::to_owned) })
            }
            // The last of them is no frame, and nobody sends one.
            Some(("sent", message)) => Ok(Self::Sent(known(message, &MESSAGES[..MESSAGES.len() - 1])?)),
            Some(("state", row)) => {
                let (member, state) = row.rsplit_once(':').ok_or("a state is written like web-1:dead")?;
                Ok(Self::State { member: member.to_owned(), state: state_of(state)? })
            }
            _ => Err(format!(
                "{text:?} is none of: event=KIND, event=KIND:NODE, sent=MESSAGE, state=NODE:STATE, panic, divergence"
            )),
        }
    }
}

const STATES: [State; 4] = [State::Alive, State::Suspect, State::Dead, State::Left];

fn state_of(text: &str) -> Result<State, String> {
    let found = STATES.into_iter().find(|&state| state.to_string() == text);
    found.ok_or_else(|| format!("{text:?} is none of: alive, suspect, dead, left"))
}

impl fmt::Display for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event { kind, about: None } => write!(f, "event={kind}"),
            Self::Event { kind, about: Some(about) } => write!(f, "event={kind}:{about}"),
            Self::Sent(message) => write!(f, "sent={message}"),
            Self::State { member, state } => write!(f, "state={member}:{state}"),
            Self::Panic => f.write_str("panic"),
            Self::Divergence => f.write_str("divergence"),
        }
    }
}

/// Is this the member that is meant? By its id, by the name that the node knows it by, or by one that its id was made from.
fn is_meant(text: &str, id: NodeId, node: &Node) -> bool {
    id.to_string() == text || node.member(id).is_some_and(|row| row.name() == text) || NodeId::from_name(text) == id
}

impl Predicate {
    /// Has it happened in the step behind which the node is?
    pub(super) fn happens(&self, outputs: &Outputs, node: &Node) -> bool {
        match self {
            Self::Event { kind, about } => {
                let about = |event: &Event| match (about, event.member()) {
                    (None, _) => true,
                    (Some(text), Some(id)) => is_meant(text, id, node),
                    (Some(text), None) => is_meant(text, node.me().id(), node),
                };
                outputs.events().iter().any(|event| event_name(event) == kind && about(event))
            }
            Self::Sent(message) => outputs.sent().any(|(_, frame)| message_name(frame) == message),
            Self::State { .. } => self.is_state_of(node),
            Self::Panic | Self::Divergence => false,
        }
    }

    /// Is it the node's belief?
    pub(super) fn is_state_of(&self, node: &Node) -> bool {
        match self {
            Self::State { member, state } => {
                node.members().any(|row| row.state() == *state && is_meant(member, row.id(), node))
            }
            _ => false,
        }
    }

    /// Does it hold at the end only, and not from when it has happened?
    pub(super) fn is_of_the_end(&self) -> bool {
        matches!(self, Self::State { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predicates_are_written_as_they_are_read() {
        for text in [
            "event=member_down",
            "event=member_down:web-1",
            "event=health",
            "sent=ping_req",
            "sent=gossip",
            "state=web:1:dead",
            "state=00000000000000ff:alive",
            "panic",
            "divergence",
        ] {
            assert_eq!(text.parse::<Predicate>().unwrap().to_string(), text);
        }
        for (wrong, says) in [
            ("event=died", "member_down"),
            ("sent=pong", "ping_req"),
            ("sent=malformed", "ping_req"),
            ("state=web-1", "like web-1:dead"),
            ("state=web-1:gone", "alive, suspect, dead, left"),
            ("panics", "state=NODE:STATE"),
            ("", "divergence"),
        ] {
            assert!(wrong.parse::<Predicate>().unwrap_err().contains(says), "{wrong}");
        }
    }
}
