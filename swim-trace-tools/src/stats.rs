//! What came and what went, counted.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::Serialize;
use serde_json::Value;
use swim_core::{Instant, Node};
use swim_trace::{Item, Recorded, Replay, ReplayError, Trace, TraceError};

use crate::decode::message_name;
use crate::json::event_name;

/// Datagrams and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// How many.
    pub datagrams: u64,
    /// Bytes of their frames.
    pub bytes: u64,
}

impl Traffic {
    fn add(&mut self, frame: &[u8]) {
        self.datagrams += 1;
        self.bytes = self.bytes.saturating_add(frame.len() as u64);
    }
}

/// Everything that is counted. Up to the first damage; what came out is that of a replay.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Inputs by kind.
    pub inputs: BTreeMap<&'static str, u64>,
    /// Datagrams that came, by message.
    pub received: BTreeMap<&'static str, Traffic>,
    /// Datagrams that came, by source.
    pub received_from: BTreeMap<SocketAddr, Traffic>,
    /// Steps that were replayed; what follows is of these.
    pub replayed: u64,
    /// Datagrams that were sent, by message.
    pub sent: BTreeMap<&'static str, Traffic>,
    /// Events by name.
    pub events: BTreeMap<&'static str, u64>,
    /// Microseconds from when the node was constructed, or from the first keyframe or input, to the last input.
    pub duration_us: u64,
    /// By the hour: `None` when no time has passed.
    pub per_hour: Option<PerHour>,
    /// The node's own counters behind the last step, those that are not zero. They count from its construction.
    pub counters: BTreeMap<String, u64>,
    /// Where the trace is damaged or cut off.
    #[serde(skip)]
    pub trace_error: Option<TraceError>,
    /// Why the replay did not go on.
    #[serde(skip)]
    pub replay_error: Option<ReplayError>,
}

/// How much in an hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct PerHour {
    /// Inputs.
    pub inputs: f64,
    /// Datagrams that came.
    pub datagrams_received: f64,
    /// Bytes of the frames that came.
    pub bytes_received: f64,
    /// Datagrams that were sent.
    pub datagrams_sent: f64,
    /// Bytes of the frames that were sent.
    pub bytes_sent: f64,
    /// Bytes of the trace.
    pub trace_bytes: f64,
}

/// Counts a trace.
pub fn stats(trace: &Trace<'_>) -> Stats {
    let mut stats = Stats::default();
    stats.inputs_of(trace);
    match Replay::new(trace) {
        Ok(replay) => stats.outputs_of(replay),
        Err(e) => stats.replay_error = Some(e),
    }
    let hours = stats.duration_us as f64 / 3.6e9;
    if hours > 0.0 {
        let sum = |traffic: &BTreeMap<&str, Traffic>| {
            let all = traffic.values();
            all.fold((0.0, 0.0), |sum, one| (sum.0 + one.datagrams as f64 / hours, sum.1 + one.bytes as f64 / hours))
        };
        let (received, sent) = (sum(&stats.received), sum(&stats.sent));
        stats.per_hour = Some(PerHour {
            inputs: stats.inputs.values().sum::<u64>() as f64 / hours,
            datagrams_received: received.0,
            bytes_received: received.1,
            datagrams_sent: sent.0,
            bytes_sent: sent.1,
            trace_bytes: trace.bytes().len() as f64 / hours,
        });
    }
    stats
}

impl Stats {
    fn inputs_of(&mut self, trace: &Trace<'_>) {
        let (mut cursor, mut from, mut to) = (trace.cursor(), None, None);
        while let Some(item) = cursor.next() {
            match item {
                Ok(Item::Input { step, at, input, .. }) => {
                    let began = if step == 0 { trace.header().began } else { at };
                    from.get_or_insert(began);
                    to = Some(at);
                    *self.inputs.entry(input.name()).or_default() += 1;
                    if let Recorded::Datagram { from, bytes } = &input {
                        self.received.entry(message_name(bytes)).or_default().add(bytes);
                        self.received_from.entry(*from).or_default().add(bytes);
                    }
                }
                Ok(Item::Keyframe { at, .. }) => {
                    from.get_or_insert(at);
                }
                Ok(_) => {}
                Err(e) => self.trace_error = Some(e),
            }
        }
        let span: Option<(Instant, Instant)> = from.zip(to);
        self.duration_us = span.map_or(0, |(from, to)| to.micros_since(from));
    }

    fn outputs_of(&mut self, mut replay: Replay<'_>) {
        while let Some(step) = replay.step() {
            let step = match step {
                Ok(step) => step,
                Err(e) => {
                    self.replay_error = Some(e).filter(|e| !matches!(e, ReplayError::Trace(_)));
                    break;
                }
            };
            self.replayed += 1;
            step.outputs.sent().for_each(|(_, frame)| self.sent.entry(message_name(frame)).or_default().add(frame));
            for event in step.outputs.events() {
                *self.events.entry(event_name(event)).or_default() += 1;
            }
        }
        self.counters = replay.node().map(counters).unwrap_or_default();
    }
}

fn counters(node: &Node) -> BTreeMap<String, u64> {
    let Ok(Value::Object(all)) = serde_json::to_value(node.stats()) else { return BTreeMap::new() };
    let count = |(name, value): (String, Value)| value.as_u64().filter(|&value| value > 0).map(|value| (name, value));
    all.into_iter().filter_map(count).collect()
}
