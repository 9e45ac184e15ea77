//! The trace-event format of Chrome, which Perfetto reads: a process for each life, its events as instants, probes and suspicions
//! as asynchronous slices, datagrams as flows from the sending to the receipt.

use serde_json::{Value, json};

use crate::merge::{Fate, Moment, Story};
use crate::spans::spans;
use crate::words;

/// Threads of a process: what the events are drawn on.
const EVENTS: u32 = 1;
const DATAGRAMS: u32 = 2;

/// A story as one JSON object with `traceEvents`. Times are microseconds since the first moment of the story; process ids are the
/// lives' places from 1.
pub fn perfetto(story: &Story) -> String {
    let start = story.timeline.iter().map(|moment| moment.at_us).min().unwrap_or(0);
    let mut out = Writer { story, start, events: Vec::new() };
    out.processes();
    for moment in &story.timeline {
        out.told(moment);
    }
    out.spans();
    out.datagrams();
    let about = json!({ "reference": story.nodes.first().map(|node| &node.name), "starts_at_us": start });
    json!({ "displayTimeUnit": "ms", "otherData": about, "traceEvents": out.events }).to_string()
}

struct Writer<'a> {
    story: &'a Story,
    start: i64,
    events: Vec<Value>,
}

impl Writer<'_> {
    fn processes(&mut self) {
        for (i, node) in self.story.nodes.iter().enumerate() {
            let pid = i + 1;
            let name = format!("{} epoch {}", node.name, node.epoch);
            self.events
                .push(json!({ "ph": "M", "name": "process_name", "pid": pid, "tid": 0, "args": { "name": name } }));
            for (tid, name) in [(EVENTS, "events"), (DATAGRAMS, "datagrams")] {
                let args = json!({ "name": name });
                self.events.push(json!({ "ph": "M", "name": "thread_name", "pid": pid, "tid": tid, "args": args }));
            }
        }
    }

    fn told(&mut self, moment: &Moment) {
        let (pid, ts) = (moment.node + 1, self.ts(moment.at_us));
        for told in &moment.events {
            let name = words::event(told);
            let args = json!({ "step": moment.step, "event": told });
            self.events.push(
                json!({ "ph": "i", "s": "t", "cat": "event", "name": name, "pid": pid, "tid": EVENTS, "ts": ts, "args": args }),
            );
        }
        for (is, name) in [(moment.after_gap, "steps are missing"), (moment.diverged, "the replay diverges")] {
            if is {
                let args = json!({ "step": moment.step });
                self.events.push(
                    json!({ "ph": "i", "s": "p", "cat": "trace", "name": name, "pid": pid, "tid": EVENTS, "ts": ts, "args": args }),
                );
            }
        }
    }

    fn spans(&mut self) {
        for (id, span) in spans(self.story).into_iter().enumerate() {
            let moment = &self.story.timeline[span.begins];
            let (pid, cat) = (moment.node + 1, span.kind.name());
            let name = format!("{cat} {}", self.name(span.member));
            let args = json!({ "step": moment.step, "ended_by": span.by });
            let ends = span.ends_us.max(moment.at_us);
            for (ph, at) in [("b", moment.at_us), ("e", ends)] {
                let ts = self.ts(at);
                self.events.push(
                    json!({ "ph": ph, "cat": cat, "name": name, "id": id, "pid": pid, "tid": EVENTS, "ts": ts, "args": args }),
                );
            }
        }
    }

    fn datagrams(&mut self) {
        for (i, datagram) in self.story.datagrams.iter().enumerate() {
            let frame = &self.story.frames[datagram.frame];
            let lost = if datagram.fate == Fate::Lost { " (lost)" } else { "" };
            let args = json!({ "to": datagram.to, "says": words::lines(frame), "fate": datagram.fate, "one_way_us": datagram.one_way_us });
            self.slice(datagram.sent, format!("send {}{lost}", frame.message()), args);
            if let Some(received) = datagram.received {
                self.flow("s", i, datagram.sent, frame.message());
                self.flow("f", i, received, frame.message());
            }
        }
        for (place, moment) in self.story.timeline.iter().enumerate() {
            let Some(origin) = moment.origin else { continue };
            let frame = &self.story.frames[origin.frame];
            let args = json!({ "from": origin.from, "says": words::lines(frame), "copy": origin.copy, "unexplained": origin.unexplained });
            self.slice(place, format!("receive {}", frame.message()), args);
        }
    }

    /// Flows go from slice to slice, so a moment is one of a microsecond.
    fn slice(&mut self, place: usize, name: String, args: Value) {
        let moment = &self.story.timeline[place];
        let (pid, ts) = (moment.node + 1, self.ts(moment.at_us));
        self.events.push(
            json!({ "ph": "X", "cat": "datagram", "name": name, "pid": pid, "tid": DATAGRAMS, "ts": ts, "dur": 1, "args": args }),
        );
    }

    fn flow(&mut self, ph: &str, id: usize, place: usize, name: &str) {
        let moment = &self.story.timeline[place];
        let (pid, ts) = (moment.node + 1, self.ts(moment.at_us));
        self.events.push(
            json!({ "ph": ph, "cat": "datagram", "name": name, "id": id, "bp": "e", "pid": pid, "tid": DATAGRAMS, "ts": ts }),
        );
    }

    fn ts(&self, at_us: i64) -> i64 {
        at_us.saturating_sub(self.start)
    }

    fn name(&self, id: swim_core::NodeId) -> String {
        self.story.names().name(id)
    }
}
