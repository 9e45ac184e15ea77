//! Which steps are wanted.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use crate::cat::StepShown;
use crate::decode::{InputShown, MESSAGES, Who};
use crate::json::{EVENTS, event_name};

/// One condition on a step.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Filter {
    /// The input is of this kind.
    Kind(&'static str),
    /// The datagram that came has this message; where outputs are shown, or one that was sent.
    Message(&'static str),
    /// The datagram that came is from this address.
    From(SocketAddr),
    /// The step speaks of this node: its name, or the first digits of its id.
    Node(String),
    /// This event came out.
    Event(&'static str),
}

/// The kinds of inputs.
const KINDS: [&str; 12] = [
    "datagram",
    "timeout",
    "join",
    "seeds",
    "leave",
    "set_profile",
    "broadcast",
    "put",
    "delete",
    "send_failed",
    "send_blocked",
    "send_resumed",
];

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text.split_once('=').unwrap_or((text, ""));
        let one_of = |all: &[&'static str]| {
            let found = all.iter().find(|name| **name == value).copied();
            found.ok_or_else(|| format!("there is no {key} {value:?}: there are {}", all.join(", ")))
        };
        match key {
            "kind" => one_of(&KINDS).map(Self::Kind),
            "message" => one_of(&MESSAGES).map(Self::Message),
            "event" => one_of(&EVENTS).map(Self::Event),
            "from" => {
                let from = value.parse().map(Self::From);
                from.map_err(|_| format!("{value:?} is no address with a port: write it like 192.0.2.7:7946"))
            }
            "node" if !value.is_empty() => Ok(Self::Node(value.into())),
            _ => Err(format!(
                "there is no filter {text:?}: there are kind=, message=, from=ADDR, node=NAME or node=ID, event="
            )),
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(kind) => write!(f, "kind={kind}"),
            Self::Message(message) => write!(f, "message={message}"),
            Self::From(from) => write!(f, "from={from}"),
            Self::Node(node) => write!(f, "node={node}"),
            Self::Event(event) => write!(f, "event={event}"),
        }
    }
}

impl Filter {
    /// Does it ask for what comes out?
    pub(crate) fn needs_outputs(&self) -> bool {
        matches!(self, Self::Event(_))
    }

    pub(crate) fn lets(&self, step: &StepShown, kind: &str) -> bool {
        let came =
            if let InputShown::Datagram { from, datagram } = &step.input { Some((from, datagram)) } else { None };
        let sent = step.outputs.iter().flat_map(|outputs| &outputs.sent).map(|sent| &sent.datagram);
        let mut datagrams = came.iter().map(|(_, datagram)| *datagram).chain(sent);
        let mut events = step.outputs.iter().flat_map(|outputs| &outputs.events);
        match self {
            Self::Kind(wanted) => kind == *wanted,
            Self::Message(wanted) => datagrams.any(|datagram| datagram.message() == *wanted),
            Self::From(wanted) => came.is_some_and(|(from, _)| from == wanted),
            Self::Node(node) => {
                let mut frames = datagrams.filter_map(|datagram| datagram.frame.as_deref());
                frames.any(|frame| frame.speaks_of().any(|who| is(who, node)))
                    || events.any(|told| {
                        let id = told.event.member().map(|id| id.to_string());
                        told.name.as_deref() == Some(node) || id.is_some_and(|id| is_id(&id, node))
                    })
            }
            Self::Event(wanted) => events.any(|told| event_name(&told.event) == *wanted),
        }
    }
}

fn is(who: &Who, node: &str) -> bool {
    who.name.as_deref() == Some(node) || is_id(&who.id.to_string(), node)
}

/// Four digits and more name a node.
fn is_id(id: &str, node: &str) -> bool {
    node.len() >= 4 && id.starts_with(node)
}
