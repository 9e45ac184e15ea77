//! The first step in which two traces differ.
//!
//! Traces of one run agree in every byte of input. What came out is compared where both have it recorded, and by the digests that
//! stand at each input otherwise: those tell that something was different, and a replay of each side shows what.

use serde::Serialize;
use serde_json::Value;
use swim_core::{Event, Instant};
use swim_trace::{Entries, Item, Outputs, Recorded, Replay, Trace, TraceError};

use crate::decode::{InputShown, Names, OutputsShown};
use crate::jsonl::header_value;

/// A field of the headers in which they differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Field {
    /// Its name; fields of the configuration begin with `config.`.
    pub field: String,
    /// In the first trace.
    pub a: Value,
    /// In the second one.
    pub b: Value,
}

/// What was compared, and what differs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Diff {
    /// Where the headers differ.
    pub header: Vec<Field>,
    /// Steps that are in both and alike.
    pub same_steps: u64,
    /// Inputs before that which only one of them has, since it begins earlier.
    pub skipped: u64,
    /// The first step that differs.
    pub first: Option<First>,
    /// What stands in the way of comparing all of the first one.
    #[serde(skip)]
    pub error_a: Option<TraceError>,
    /// What stands in the way of comparing all of the second one.
    #[serde(skip)]
    pub error_b: Option<TraceError>,
}

impl Diff {
    /// Whether the runs are alike, however they were recorded.
    pub fn is_same(&self) -> bool {
        const RECORDING: [&str; 4] = ["core", "snapshot_version", "unix_micros", "outputs"];
        let of_run = |field: &&Field| !RECORDING.contains(&&*field.field);
        self.header.iter().find(of_run).is_none() && self.first.is_none()
    }
}

/// What differs in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum In {
    /// When the input came, or what it is.
    Input,
    /// What came out, or the state behind it.
    Output,
    /// One trace is over and the other one is not.
    End,
}

/// A step that differs, on both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct First {
    /// Its number.
    pub step: u64,
    /// In what.
    pub differs_in: In,
    /// `None`: the trace is over.
    pub a: Option<Side>,
    /// `None`: the trace is over.
    pub b: Option<Side>,
}

/// One side of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Side {
    /// When.
    pub at_us: u64,
    /// What the node was given.
    #[serde(rename = "in")]
    pub input: InputShown,
    /// What came out. `None`: it is not recorded, and a replay does not get there.
    pub outputs: Option<OutputsShown>,
    /// It was recorded, and not only replayed.
    pub recorded: bool,
}

/// Compares two traces.
pub fn diff(a: &Trace<'_>, b: &Trace<'_>) -> Diff {
    let mut diff = Diff { header: headers(a, b), ..Diff::default() };
    let (mut left, mut right) = (Steps::new(a), Steps::new(b));
    let both = a.header().outputs && b.header().outputs;
    let differs = loop {
        let numbers = (left.next.as_ref().map(|step| step.number), right.next.as_ref().map(|step| step.number));
        match numbers {
            (None, None) => break None,
            (Some(n), Some(m)) if n < m => left.advance(),
            (Some(n), Some(m)) if n > m => right.advance(),
            (Some(number), Some(_)) => {
                let what = compare(&mut left, &mut right, both);
                let over = left.next.is_none() && right.next.is_none();
                let last = || (over && ends_differ(a, b)).then_some(In::Output);
                if let Some(what) = what.or_else(last) {
                    break Some((number, what));
                }
                diff.same_steps += 1;
                continue;
            }
            (Some(number), None) | (None, Some(number)) => break Some((number, In::End)),
        }
        diff.skipped += 1;
    };
    // Where one cannot be read any further, its end is no difference.
    let unread = left.error.is_some() || right.error.is_some();
    diff.first = differs.filter(|(_, what)| !(unread && *what == In::End)).map(|(step, differs_in)| {
        let side = |steps: &Steps<'_>, trace, of| steps.side(trace, step, of);
        let (current_a, current_b) = match differs_in {
            In::End => (left.next.as_ref(), right.next.as_ref()),
            _ => (left.current.as_ref(), right.current.as_ref()),
        };
        First { step, differs_in, a: side(&left, a, current_a), b: side(&right, b, current_b) }
    });
    (diff.error_a, diff.error_b) = (left.error, right.error);
    diff
}

/// Takes a step of both, of the same number.
fn compare(left: &mut Steps<'_>, right: &mut Steps<'_>, both: bool) -> Option<In> {
    left.advance();
    right.advance();
    let (Some(a), Some(b)) = (&left.current, &right.current) else { return None };
    if (a.at, &a.input) != (b.at, &b.input) {
        return Some(In::Input);
    }
    if both && (&a.sent, &a.events) != (&b.sent, &b.events) {
        return Some(In::Output);
    }
    // The digest before the next step is the one behind this.
    match (&left.next, &right.next) {
        (Some(next_a), Some(next_b))
            if next_a.number == next_b.number && a.number.checked_add(1) == Some(next_a.number) =>
        {
            (next_a.check != next_b.check).then_some(In::Output)
        }
        _ => None,
    }
}

/// Whether the digests behind the last steps, where both traces tell them, are different.
fn ends_differ(a: &Trace<'_>, b: &Trace<'_>) -> bool {
    let last = |trace: &Trace<'_>| {
        let block = trace.blocks().map_while(Result::ok).filter(|block| block.kind == 2).last()?;
        let content = block.content().ok()?;
        // 2: the last step was not over.
        let mut entries = Entries::of(&content, block.step, block.at)?;
        let whole = entries.by_ref().all(|entry| entry.is_ok());
        (whole && block.flags & 2 == 0).then(|| entries.outputs())
    };
    last(a).zip(last(b)).is_some_and(|(a, b)| a != b)
}

struct Step {
    number: u64,
    at: Instant,
    check: u32,
    input: Recorded<'static>,
    sent: Vec<(std::net::SocketAddr, Vec<u8>)>,
    events: Vec<Event>,
}

/// The steps of one trace, one ahead.
struct Steps<'a> {
    cursor: swim_trace::Cursor<'a>,
    recorded: bool,
    current: Option<Step>,
    next: Option<Step>,
    error: Option<TraceError>,
    names: Names,
}

impl<'a> Steps<'a> {
    fn new(trace: &Trace<'a>) -> Self {
        let (names, recorded) = (Names::of(trace.header()), trace.header().outputs);
        let mut steps = Self { cursor: trace.cursor(), recorded, current: None, next: None, error: None, names };
        steps.advance();
        steps
    }

    /// The next one becomes the present one, with all that came out.
    fn advance(&mut self) {
        self.current = self.next.take();
        while let Some(item) = self.cursor.next() {
            match (item, &mut self.current) {
                (Ok(Item::Input { step, at, outputs: check, input, .. }), _) => {
                    let input = input.into_owned();
                    self.next = Some(Step { number: step, at, check, input, sent: Vec::new(), events: Vec::new() });
                    break;
                }
                (Ok(Item::Sent { to, frame }), Some(current)) => current.sent.push((to, frame.to_vec())),
                (Ok(Item::Event(event)), Some(current)) => current.events.push(event),
                (Ok(Item::Keyframe { snapshot, .. }), _) => self.names.see_snapshot(snapshot),
                (Ok(_), _) => {}
                (Err(e), _) => self.error = Some(e),
            }
        }
        if let Some(current) = &self.current {
            self.names.see_frame(if let Recorded::Datagram { bytes, .. } = &current.input { bytes } else { &[] });
        }
    }

    fn side(&self, trace: &Trace<'_>, number: u64, of: Option<&Step>) -> Option<Side> {
        let step = of?;
        let outputs = match self.recorded {
            true => {
                let mut outputs = Outputs::default();
                step.sent.iter().for_each(|(to, frame)| outputs.push_sent(*to, frame));
                step.events.iter().for_each(|event| outputs.push_event(*event));
                Some(outputs)
            }
            false => replayed(trace, number),
        };
        Some(Side {
            at_us: step.at.as_micros(),
            input: InputShown::of(&step.input, &self.names),
            outputs: outputs.map(|outputs| OutputsShown::of(&outputs, &self.names)),
            recorded: self.recorded,
        })
    }
}

fn replayed(trace: &Trace<'_>, number: u64) -> Option<Outputs> {
    let mut replay = Replay::new(trace).ok()?;
    loop {
        let step = replay.step()?.ok()?;
        if step.number == number {
            return Some(step.outputs.clone());
        }
    }
}

fn headers(a: &Trace<'_>, b: &Trace<'_>) -> Vec<Field> {
    let (a, b) = (header_value(a.header()), header_value(b.header()));
    let mut fields = Vec::new();
    differences("", &a, &b, &mut fields);
    fields
}

fn differences(prefix: &str, a: &Value, b: &Value, fields: &mut Vec<Field>) {
    let (Value::Object(all), Value::Object(other)) = (a, b) else { return };
    for (key, a) in all {
        let b = other.get(key).unwrap_or(&Value::Null);
        match key.as_str() {
            "config" => differences("config.", a, b, fields),
            _ if a != b => fields.push(Field { field: format!("{prefix}{key}"), a: a.clone(), b: b.clone() }),
            _ => {}
        }
    }
}
