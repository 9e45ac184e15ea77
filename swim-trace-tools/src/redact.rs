//! A trace without what users said about their nodes, that replays as exactly as before.
//!
//! Every value is replaced by another of the same length, everywhere: in the header, in what the node was told and asked, in
//! keyframes and in outputs. A node compares such values for equality and never looks into them, so it takes the same steps. That
//! is not only reasoned: the original and the redacted node are played side by side, and everything that comes out of one has to be
//! what comes out of the other.

mod pseudonyms;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Serialize;
use swim_core::wire::{self, Opaque};
use swim_core::{Config, Event, Input, Instant, Node, Profile, RestoreError};
use swim_trace::block::{self, Builder};
use swim_trace::{Digest, Header, Index, Item, Recorded, Replay, ReplayError, Steps, Trace, TraceError};

use self::pseudonyms::Pseudonyms;

/// A trace that was redacted.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Redacted {
    /// The trace.
    #[serde(skip)]
    pub bytes: Vec<u8>,
    /// Steps that were played side by side.
    pub steps: u64,
    /// Inputs that were left out, because the state before them is not known; a gap stands for them.
    pub left_out: u64,
    /// Different metadata that was replaced.
    pub metadata: usize,
    /// Different names of nodes that were replaced.
    pub names: usize,
    /// Different keys and values of nodes' states that were replaced.
    pub entries: usize,
    /// Different topics and payloads of rumors that were replaced.
    pub rumors: usize,
    /// Where the original is cut off or damaged. What is behind is left out.
    #[serde(serialize_with = "crate::json::maybe_text")]
    pub damage: Option<TraceError>,
}

/// Why a trace cannot be redacted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedactError {
    /// It cannot be replayed.
    Replay(ReplayError),
    /// This build does other things than the one that recorded it, so that it could not be seen whether the redacted trace does
    /// the same.
    Diverges {
        /// The number of the first step that does.
        step: u64,
    },
    /// More different values of one length than there are.
    TooMany {
        /// Their length, in bytes.
        len: usize,
        /// How many there are in the trace.
        values: usize,
    },
    /// The redacted node did something else.
    Differs {
        /// The number of the step.
        step: u64,
        /// What differs.
        what: &'static str,
    },
}

impl fmt::Display for RedactError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replay(e) => write!(f, "{e}"),
            Self::Diverges { step } => {
                write!(
                    f,
                    "the replay leaves the recorded run in step {step}: redact it with the build that recorded it"
                )
            }
            Self::TooMany { len, values } => {
                write!(f, "{values} different values have {len} bytes, and there are not as many others of that length")
            }
            Self::Differs { step, what } => {
                write!(
                    f,
                    "step {step} of the redacted node has other {what} than the original: this is a bug, please report it"
                )
            }
        }
    }
}

impl std::error::Error for RedactError {}

impl From<ReplayError> for RedactError {
    fn from(e: ReplayError) -> Self {
        Self::Replay(e)
    }
}

/// Replaces metadata, keys and values of states, topics and payloads of rumors, and with `names` the names of nodes and of the cluster, too.
///
/// Equal values stay equal and different ones different; pseudonyms are numbers in the order in which values first appear. Blocks
/// and notes of later versions, and what no replay reaches, are left out; datagrams that are no frames lose their content, and
/// keep their length.
///
/// # Errors
/// [`RedactError`], and then there is no trace.
pub fn payload(trace: &Trace<'_>, names: bool) -> Result<Redacted, RedactError> {
    let (summary, error) = Replay::new(trace)?.run();
    if let Some(first) = summary.first {
        return Err(RedactError::Diverges { step: first.step });
    }
    match error {
        None | Some(ReplayError::Trace(_) | ReplayError::Panicked { .. }) => {}
        Some(e) => return Err(e.into()),
    }
    let mut seen = Pseudonyms::new(names);
    collect(trace, &mut seen)?;
    let map = seen.assigned()?;
    let mut redactor = Redactor::new(trace.header(), &map)?;
    let damage = redactor.run(trace)?;
    let (steps, left_out) = (redactor.played, redactor.left_out);
    let bytes = finished(trace, redactor.finish());
    check(&bytes)?;
    let count = |what| map.count(what);
    let (metadata, names) = (count(Opaque::Meta), count(Opaque::Name));
    let entries = count(Opaque::Key) + count(Opaque::Value);
    let rumors = count(Opaque::Topic) + count(Opaque::Payload);
    Ok(Redacted { bytes, steps, left_out, metadata, names, entries, rumors, damage })
}

/// Notes every value, in order.
fn collect(trace: &Trace<'_>, seen: &mut Pseudonyms) -> Result<(), RedactError> {
    let header = trace.header();
    let note_profile = |seen: &mut Pseudonyms, profile: &Profile| {
        seen.note(Opaque::Name, profile.name().as_bytes());
        seen.note(Opaque::Meta, profile.meta());
    };
    note_profile(seen, &header.profile);
    seen.note(Opaque::Cluster, header.config.cluster.as_bytes());
    let mut cursor = trace.cursor();
    while let Some(Ok(item)) = cursor.next() {
        match item {
            Item::Input { input: Recorded::SetProfile(profile), .. } => note_profile(seen, &profile),
            Item::Input { input: Recorded::Broadcast { topic, payload }, .. } => {
                seen.note(Opaque::Topic, topic.as_bytes());
                seen.note(Opaque::Payload, &payload);
            }
            Item::Input { input: Recorded::Put { key, value, .. }, .. } => {
                seen.note(Opaque::Key, key.as_bytes());
                seen.note(Opaque::Value, &value);
            }
            Item::Input { input: Recorded::Delete { key }, .. } => seen.note(Opaque::Key, key.as_bytes()),
            Item::Input { input: Recorded::Datagram { bytes, .. }, .. } => {
                for (what, place) in wire::opaque(&bytes).unwrap_or_default() {
                    seen.note(what, bytes.get(place).unwrap_or_default());
                }
            }
            Item::Keyframe { step, snapshot, .. } if is_readable(header) => {
                let mut node = restored(step, snapshot)?;
                let mapped = node.map_opaque(&mut |what, bytes| seen.note(what, bytes));
                mapped.map_err(|_| broken(step))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Keyframes of another core say nothing here, where the state is known without them.
fn is_readable(header: &Header) -> bool {
    header.snapshot_version == Node::SNAPSHOT_VERSION
}

fn restored(step: u64, snapshot: &[u8]) -> Result<Node, RedactError> {
    Node::restore(snapshot).map_err(|error| ReplayError::Restore { step, error }.into())
}

fn broken(step: u64) -> RedactError {
    ReplayError::Restore { step, error: RestoreError::Inconsistent("names are text") }.into()
}

/// As the original has it: compressed, and with an index.
fn finished(trace: &Trace<'_>, bytes: Vec<u8>) -> Vec<u8> {
    const INDEX: u8 = 5;
    let is = |wanted: fn(&swim_trace::Block<'_>) -> bool| trace.blocks().map_while(Result::ok).any(|b| wanted(&b));
    let (compress, index) = (is(|b| b.is_compressed()), is(|b| b.kind == INDEX));
    let mut out = bytes;
    if compress {
        let whole = std::mem::take(&mut out);
        let blocks = Trace::open(&whole).into_iter().flat_map(|written| written.blocks().collect::<Vec<_>>());
        let blocks: Vec<_> = blocks.map_while(Result::ok).collect();
        out.extend_from_slice(&whole[..blocks.first().map_or(whole.len(), |first| first.offset)]);
        for block in blocks {
            out.extend_from_slice(&block::compressed(&whole[block.offset..block.offset + block.len()]));
        }
    }
    let made = Trace::open(&out).ok().filter(|_| index).map(|written| Index::make(&written));
    if let Some(index) = made {
        index.write(&mut out);
    }
    out
}

/// The whole result, once more as a reader sees it.
fn check(bytes: &[u8]) -> Result<(), RedactError> {
    let trace = Trace::open(bytes).map_err(ReplayError::Trace)?;
    let (summary, error) = Replay::new(&trace)?.run();
    match (summary.first, error) {
        (Some(first), _) => Err(RedactError::Differs { step: first.step, what: "outputs" }),
        (None, None | Some(ReplayError::Panicked { .. })) => Ok(()),
        (None, Some(e)) => Err(e.into()),
    }
}

/// The original node and the redacted one, behind the same step.
struct Twins {
    original: Node,
    redacted: Node,
}

/// What came out of one step.
#[derive(Default)]
struct Outputs {
    sent: Vec<(std::net::SocketAddr, Vec<u8>)>,
    events: Vec<Event>,
}

struct Redactor<'m> {
    map: &'m Pseudonyms,
    header: Header,
    /// `None` while the state is not known.
    twins: Option<Twins>,
    steps: Steps,
    out: Vec<u8>,
    builder: Builder,
    /// Inputs that are missing before what comes next: the first one's number, the time before it, how many.
    gap: Option<(u64, Instant, u64)>,
    played: u64,
    left_out: u64,
    /// The digest before the last step, when the node did not survive that.
    ended: Option<u64>,
}

impl<'m> Redactor<'m> {
    fn new(header: &Header, map: &'m Pseudonyms) -> Result<Self, RedactError> {
        let mut redacted = header.clone();
        redacted.profile = map.profile(&header.profile);
        map.cluster(&mut redacted.config);
        let twins = match (header.node(), redacted.node()) {
            (Some(Ok(original)), Some(Ok(redacted))) => Some(Twins { original, redacted }),
            (None, None) => None,
            (Some(Err(e)), _) | (_, Some(Err(e))) => return Err(ReplayError::Config(e).into()),
            _ => None,
        };
        let steps = Steps::new(0, header.began, Digest::default());
        let mut out = Vec::new();
        block::start(&redacted, &mut out);
        let builder = Builder::new(0, steps.at(), Vec::new());
        let (gap, played, left_out, ended) = (None, 0, 0, None);
        Ok(Self { map, header: redacted, twins, steps, out, builder, gap, played, left_out, ended })
    }

    /// Everything, up to where the trace is damaged.
    fn run(&mut self, trace: &Trace<'_>) -> Result<Option<TraceError>, RedactError> {
        let mut cursor = trace.cursor();
        while let Some(item) = cursor.next() {
            match item {
                Ok(Item::Input { step, at, input, .. }) => {
                    if self.twins.is_some() && step == self.steps.number() {
                        self.play(at, &input)?;
                    } else {
                        self.left_out += 1;
                        self.miss(step, self.steps.at(), 1);
                    }
                }
                Ok(Item::Keyframe { step, at, snapshot, .. }) => self.keyframe(step, at, snapshot)?,
                Ok(Item::Gap { step, at, missing }) => self.miss(step, at, missing),
                // They are made anew.
                Ok(_) => {}
                Err(e) => return Ok(Some(e)),
            }
            if self.ended.is_some() {
                break;
            }
        }
        Ok(None)
    }

    /// Inputs are missing: what comes next begins with a keyframe, or is missing, too.
    fn miss(&mut self, step: u64, at: Instant, missing: u64) {
        self.seal();
        self.twins = None;
        let gap = self.gap.get_or_insert((step, at, 0));
        gap.2 = gap.2.saturating_add(missing);
    }

    fn keyframe(&mut self, step: u64, at: Instant, snapshot: &[u8]) -> Result<(), RedactError> {
        let known = self.twins.is_some() && step == self.steps.number();
        if known && !is_readable(&self.header) {
            return Ok(());
        }
        let (original, mut redacted) = (restored(step, snapshot)?, restored(step, snapshot)?);
        redacted.map_opaque(&mut |what, bytes| self.map.replace(what, bytes)).map_err(|_| broken(step))?;
        self.seal();
        match &self.twins {
            Some(twins) if known => {
                let same = twins.redacted.snapshot() == redacted.snapshot();
                same.then_some(()).ok_or(RedactError::Differs { step, what: "state before it" })?;
            }
            _ => {
                // Nothing of the run before is known, nor needed: a digest of what was not redacted would say more than this.
                self.steps = Steps::new(step, at, Digest::default());
                self.twins = Some(Twins { original, redacted });
            }
        }
        if let Some((step, at, missing)) = self.gap.take() {
            block::gap(step, at, missing, &mut self.out);
        }
        if let Some(Twins { redacted, .. }) = &self.twins {
            let digest = self.steps.settled(redacted).value();
            block::keyframe(step, self.steps.at(), digest, &redacted.snapshot(), &mut self.out);
        }
        self.builder = Builder::new(self.steps.number(), self.steps.at(), Vec::new());
        Ok(())
    }

    /// One step of both.
    fn play(&mut self, at: Instant, input: &Recorded<'_>) -> Result<(), RedactError> {
        if self.builder.len() >= BLOCK {
            self.seal();
        }
        let mapped = self.map.input(input);
        let Some(twins) = &mut self.twins else { return Ok(()) };
        let (step, before) = (self.steps.number(), self.steps.settled(&twins.redacted));
        self.steps.begin(&twins.redacted, at);
        self.builder.input(at, before.check(), &mapped.as_input());
        self.played += 1;
        let most = self.header.frame_max as usize;
        let original = given(&mut twins.original, at, input.as_input(), most);
        let redacted = given(&mut twins.redacted, at, mapped.as_input(), most);
        let (Some(mut original), Some(redacted)) = (original, redacted) else {
            self.ended = Some(before.value());
            return Ok(());
        };
        original.sent.iter_mut().for_each(|(_, frame)| self.map.frame(frame));
        let state = |node: &Node| (node.poll_timeout(), node.view_hash());
        let differs = if original.sent != redacted.sent {
            Some("datagrams")
        } else if original.events != redacted.events {
            Some("events")
        } else {
            (state(&twins.original) != state(&twins.redacted)).then_some("deadlines")
        };
        if let Some(what) = differs {
            return Err(RedactError::Differs { step, what });
        }
        for (to, frame) in &redacted.sent {
            self.steps.sent(*to, frame);
            if self.header.outputs {
                self.builder.sent(*to, frame);
            }
        }
        for event in &redacted.events {
            self.steps.event(event);
            if self.header.outputs {
                self.builder.event(event);
            }
        }
        Ok(())
    }

    /// Ends the open block.
    fn seal(&mut self) {
        let next = Builder::new(self.steps.number(), self.steps.at(), Vec::new());
        let full = std::mem::replace(&mut self.builder, next);
        if let (Some(twins), false) = (&self.twins, full.is_empty()) {
            let block = match self.ended {
                Some(digest) => full.seal_open(digest),
                None => full.seal(self.steps.settled(&twins.redacted).value()),
            };
            block::finish(&block, &mut self.out);
        }
    }

    fn finish(mut self) -> Vec<u8> {
        self.seal();
        if let Some((step, at, missing)) = self.gap.take() {
            block::gap(step, at, missing, &mut self.out);
        }
        self.out
    }
}

/// A block is sealed when it has so many bytes.
const BLOCK: usize = 64 << 10;

/// One step of a node, drained; `None` when it panicked, which the replay of the original has told already.
fn given(node: &mut Node, at: Instant, input: Input<'_>, frame_max: usize) -> Option<Outputs> {
    let step = || {
        let (mut outputs, mut buffer) = (Outputs::default(), vec![0; frame_max]);
        node.handle(at, input);
        while let Some(sent) = node.poll_transmit(&mut buffer) {
            outputs.sent.push((sent.to, buffer[..sent.len].to_vec()));
        }
        while let Some(event) = node.poll_event() {
            outputs.events.push(event);
        }
        outputs
    };
    catch_unwind(AssertUnwindSafe(step)).ok()
}

impl Pseudonyms {
    fn profile(&self, profile: &Profile) -> Profile {
        let (mut name, mut meta) = (profile.name().as_bytes().to_vec(), profile.meta().to_vec());
        self.replace(Opaque::Name, &mut name);
        self.replace(Opaque::Meta, &mut meta);
        Profile::new(&text(name), &meta).expect("it is as long as one that fits")
    }

    fn cluster(&self, config: &mut Config) {
        config.cluster = self.text(Opaque::Cluster, std::mem::take(&mut config.cluster));
    }

    fn text(&self, what: Opaque, value: String) -> String {
        text(self.bytes(what, value.into_bytes()))
    }

    fn bytes(&self, what: Opaque, mut value: Vec<u8>) -> Vec<u8> {
        self.replace(what, &mut value);
        value
    }

    /// A frame; what is none is dropped by the node, whatever it is, and is none afterwards.
    fn frame(&self, bytes: &mut [u8]) {
        match wire::opaque(bytes) {
            Ok(places) => {
                for (what, place) in places {
                    self.replace(what, bytes.get_mut(place).unwrap_or_default());
                }
            }
            Err(_) => bytes.fill(0xff),
        }
    }

    fn input(&self, input: &Recorded<'_>) -> Recorded<'static> {
        match input.clone().into_owned() {
            Recorded::SetProfile(profile) => Recorded::SetProfile(self.profile(&profile)),
            Recorded::Broadcast { topic, payload } => Recorded::Broadcast {
                topic: self.text(Opaque::Topic, topic.into_owned()).into(),
                payload: self.bytes(Opaque::Payload, payload.into_owned()).into(),
            },
            Recorded::Put { key, value, ttl } => Recorded::Put {
                key: self.text(Opaque::Key, key.into_owned()).into(),
                value: self.bytes(Opaque::Value, value.into_owned()).into(),
                ttl,
            },
            Recorded::Delete { key } => Recorded::Delete { key: self.text(Opaque::Key, key.into_owned()).into() },
            Recorded::Datagram { from, bytes } => {
                let mut bytes = bytes.into_owned();
                self.frame(&mut bytes);
                Recorded::Datagram { from, bytes: bytes.into() }
            }
            other => other,
        }
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("pseudonyms of names are text")
}
