//! A trace is played to a node, and what comes out is compared with what came out then.

use std::any::Any;
use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use swim_core::{ConfigError, Event, Instant, Node, RestoreError};

use crate::cursor::{Check, Cursor, Item};
use crate::digest::{Digest, state_hash};
use crate::error::TraceError;
use crate::header::Header;
use crate::index::Index;
use crate::record::Recorded;
use crate::tape::Steps;
use crate::trace::Trace;

/// Everything that came out of one step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outputs {
    frames: Vec<u8>,
    sent: Vec<(SocketAddr, Range<usize>)>,
    events: Vec<Event>,
}

impl Outputs {
    /// The datagrams, in order: where to, and the frame.
    pub fn sent(&self) -> impl ExactSizeIterator<Item = (SocketAddr, &[u8])> {
        self.sent.iter().map(|(to, frame)| (*to, &self.frames[frame.clone()]))
    }

    /// The events, in order.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    fn clear(&mut self) {
        self.frames.clear();
        self.sent.clear();
        self.events.clear();
    }

    /// One more datagram, behind the others.
    pub fn push_sent(&mut self, to: SocketAddr, frame: &[u8]) {
        let from = self.frames.len();
        self.frames.extend_from_slice(frame);
        self.sent.push((to, from..self.frames.len()));
    }

    /// One more event, behind the others.
    pub fn push_event(&mut self, event: Event) {
        self.events.push(event);
    }
}

/// One step that was played.
#[derive(Clone, Copy, Debug)]
pub struct Step<'r> {
    /// Its number, from 0 since the node was constructed.
    pub number: u64,
    /// When.
    pub at: Instant,
    /// What the node was given.
    pub input: &'r Recorded<'static>,
    /// What came out.
    pub outputs: &'r Outputs,
    /// What came out then, where outputs were recorded.
    pub recorded: Option<&'r Outputs>,
    /// The node behind the step.
    pub node: &'r Node,
    /// What came out is not what came out then.
    pub diverged: bool,
}

/// Where a replay leaves the run that was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Divergence {
    /// The number of the step.
    pub step: u64,
    /// When it was.
    pub at: Instant,
    /// What the node was given in it.
    pub input: Recorded<'static>,
    /// What came out in the replay.
    pub replayed: Outputs,
    /// What came out then, where outputs were recorded.
    pub recorded: Option<Outputs>,
    /// Outputs up to here agree, and the state behind the step is not that of the keyframe there.
    pub in_state_only: bool,
}

/// What a replay came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Steps that were played.
    pub steps: u64,
    /// Of these, steps whose outcome the trace does not tell: the last one, when recording ended within it.
    pub unchecked: u64,
    /// Steps that were passed over, because the state before them is not known: behind a gap or a divergence.
    pub skipped: u64,
    /// Keyframes that the node's state was compared with.
    pub keyframes: u64,
    /// Times that the replay left the run; after each it went on from the next keyframe.
    pub divergences: u64,
    /// The first of them.
    pub first: Option<Box<Divergence>>,
    /// Gaps, and places where the numbers of the steps jump though no gap is there.
    pub gaps: u64,
    /// Inputs that are missing there.
    pub missing: u64,
    /// The time of the first step that was played, less the elapsed time since what came before it.
    pub from: Option<Instant>,
    /// The time of the last step that was played.
    pub to: Option<Instant>,
    /// [`state_hash`] of the node behind it.
    pub state_hash: Option<u64>,
}

impl Summary {
    /// The recorded time that was played.
    pub fn duration(&self) -> std::time::Duration {
        self.from.zip(self.to).map_or_else(Default::default, |(from, to)| to.since(from))
    }
}

/// Why a replay cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplayError {
    /// The trace is damaged.
    Trace(TraceError),
    /// The node's configuration cannot work.
    Config(ConfigError),
    /// A keyframe cannot be used.
    Restore {
        /// The number of the input that comes next.
        step: u64,
        /// Why.
        error: RestoreError,
    },
    /// The configuration asks for more memory than is given to a replay: rows reserved.
    TooLarge {
        /// `members_reserved`.
        members_reserved: usize,
    },
    /// The node panicked, as it may have done then.
    Panicked {
        /// The number of the step.
        step: u64,
        /// When it was.
        at: Instant,
        /// What the panic says.
        message: String,
    },
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trace(e) => write!(f, "{e}"),
            Self::Config(e) => write!(f, "the trace's {e}"),
            Self::Restore { step, error } => write!(f, "the keyframe before step {step}: {error}"),
            Self::TooLarge { members_reserved } => {
                write!(f, "the trace's config reserves {members_reserved} rows, and a replay at most {RESERVED_MAX}")
            }
            Self::Panicked { step, at, message } => {
                write!(f, "the node panicked in step {step}, at {:.6} s: {message}", seconds(*at))
            }
        }
    }
}

impl std::error::Error for ReplayError {}

impl From<TraceError> for ReplayError {
    fn from(e: TraceError) -> Self {
        Self::Trace(e)
    }
}

fn seconds(at: Instant) -> f64 {
    at.as_micros() as f64 / 1e6
}

/// Rows that a trace can make a replay reserve: 100 MB.
const RESERVED_MAX: usize = 1 << 20;

/// Plays a trace step by step.
#[derive(Debug)]
pub struct Replay<'a> {
    header: Header,
    cursor: Cursor<'a>,
    /// `None` while its state is not known.
    node: Option<Node>,
    steps: Steps,
    buffer: Vec<u8>,
    input: Recorded<'static>,
    outputs: Outputs,
    recorded: Outputs,
    summary: Summary,
    /// The number of the input that comes next in the trace, where that is known.
    next: Option<u64>,
    /// The last step left the run.
    astray: bool,
    over: bool,
}

impl<'a> Replay<'a> {
    /// From the beginning of the trace.
    ///
    /// # Errors
    /// [`ReplayError`] when the node cannot be constructed.
    pub fn new(trace: &Trace<'a>) -> Result<Self, ReplayError> {
        Self::start(trace, trace.cursor(), true)
    }

    /// From the last keyframe before which nothing happened later than `at`; from the beginning where there is none.
    ///
    /// # Errors
    /// [`ReplayError`] when the node cannot be constructed.
    pub fn near(trace: &Trace<'a>, at: Instant) -> Result<Self, ReplayError> {
        match Index::of(trace).keyframe_before(at) {
            Some((index, place)) => Self::start(trace, Cursor::new(trace.blocks_from(index, place.offset)), false),
            None => Self::new(trace),
        }
    }

    fn start(trace: &Trace<'a>, cursor: Cursor<'a>, from_beginning: bool) -> Result<Self, ReplayError> {
        let header = trace.header().clone();
        let members_reserved = header.config.members_reserved;
        if members_reserved > RESERVED_MAX {
            return Err(ReplayError::TooLarge { members_reserved });
        }
        let node = match header.node().filter(|_| from_beginning && begins_at_zero(trace)) {
            Some(node) => Some(node.map_err(ReplayError::Config)?),
            None => None,
        };
        let steps = Steps::new(0, header.began, Digest::default());
        let buffer = vec![0; header.frame_max as usize];
        let (outputs, recorded) = (Outputs::default(), Outputs::default());
        let (input, summary) = (Recorded::Timeout, Summary::default());
        let (next, astray, over) = (None, false, false);
        Ok(Self { header, cursor, node, steps, buffer, input, outputs, recorded, summary, next, astray, over })
    }

    /// Plays the next step whose state before it is known; `None` at the end.
    ///
    /// # Errors
    /// [`ReplayError`], after which there are no more steps.
    pub fn step(&mut self) -> Option<Result<Step<'_>, ReplayError>> {
        if self.over {
            return None;
        }
        match self.advance() {
            Ok(Some((number, at, diverged))) => Some(Ok(Step {
                number,
                at,
                input: &self.input,
                outputs: &self.outputs,
                recorded: self.header.outputs.then_some(&self.recorded),
                node: self.node.as_ref()?,
                diverged,
            })),
            Ok(None) => {
                self.over = true;
                None
            }
            Err(e) => {
                self.over = true;
                Some(Err(e))
            }
        }
    }

    /// Plays all that is left, and tells what the whole replay came to. An error stands beside what was played before it.
    pub fn run(mut self) -> (Summary, Option<ReplayError>) {
        let mut error = None;
        while let Some(step) = self.step() {
            error = step.err();
        }
        (self.summary(), error)
    }

    /// Steps that were played so far.
    pub fn steps(&self) -> u64 {
        self.summary.steps
    }

    /// What it came to so far.
    pub fn summary(&self) -> Summary {
        let state_hash = self.node.as_ref().filter(|_| self.summary.steps > 0).map(|node| state_hash(&node.snapshot()));
        Summary { state_hash: state_hash.or(self.summary.state_hash), ..self.summary.clone() }
    }

    /// The node as it is behind the last step; `None` while its state is not known.
    pub fn node(&self) -> Option<&Node> {
        self.node.as_ref()
    }

    /// Puts another node in the place of this one: one that was restored from its snapshot should make no difference.
    pub fn replace_node(&mut self, with: impl FnOnce(Node) -> Node) {
        self.node = self.node.take().map(with);
    }

    fn advance(&mut self) -> Result<Option<(u64, Instant, bool)>, ReplayError> {
        if self.astray {
            self.lose();
        }
        loop {
            let Some(item) = self.cursor.next().transpose()? else { return Ok(None) };
            // Inputs that are not there are missing, also where no gap says so.
            if let Item::Input { step, .. } | Item::Keyframe { step, .. } | Item::Gap { step, .. } = item {
                let untold = self.next.map_or(0, |next| step.saturating_sub(next));
                self.summary.gaps += u64::from(untold > 0);
                self.summary.missing = self.summary.missing.saturating_add(untold);
                self.next = Some(match item {
                    Item::Input { .. } => step.saturating_add(1),
                    Item::Gap { missing, .. } => step.saturating_add(missing),
                    _ => step,
                });
            }
            match item {
                Item::Input { step, at, input, .. } if self.node.is_some() && step == self.steps.number() => {
                    self.input = input.into_owned();
                    return self.play(step, at).map(Some);
                }
                Item::Input { .. } => {
                    self.summary.skipped += 1;
                    self.lose();
                }
                Item::Keyframe { step, at, digest, snapshot } => {
                    let steps = Steps::new(step, at, Digest::from_value(digest));
                    match &self.node {
                        Some(node) if step == self.steps.number() => {
                            // Keyframes of another core are laid out in another way, and say nothing here.
                            if self.header.snapshot_version != Node::SNAPSHOT_VERSION {
                                continue;
                            }
                            self.summary.keyframes += 1;
                            if node.snapshot() == snapshot {
                                continue;
                            }
                            let outputs = std::mem::take(&mut self.outputs);
                            let number = step.saturating_sub(1);
                            diverged(&mut self.summary, number, at, (&self.input, outputs, None), true);
                        }
                        _ => {}
                    }
                    let node = Node::restore(snapshot).map_err(|error| ReplayError::Restore { step, error })?;
                    self.node = Some(node);
                    self.steps = steps;
                }
                Item::Gap { missing, .. } => {
                    self.summary.gaps += 1;
                    self.summary.missing = self.summary.missing.saturating_add(missing);
                    self.lose();
                }
                // Of a step that was passed over.
                Item::Sent { .. } | Item::Event(_) => {}
            }
        }
    }

    /// The node's state is not known any more, until a keyframe tells.
    fn lose(&mut self) {
        if let Some(node) = self.node.take() {
            self.summary.state_hash = Some(state_hash(&node.snapshot()));
        }
        self.astray = false;
    }

    fn play(&mut self, number: u64, at: Instant) -> Result<(u64, Instant, bool), ReplayError> {
        let node = self.node.as_mut().expect("a step is played to a node that is there");
        if self.summary.from.is_none() {
            self.summary.from = Some(self.steps.at());
        }
        self.steps.begin(node, at);
        self.outputs.clear();
        // What was recorded may be the very input that a bug could not bear.
        let played = AssertUnwindSafe(|| play(node, at, &self.input, &mut self.buffer, &mut self.outputs));
        catch_unwind(played).map_err(|panic| {
            let message = message(panic.as_ref());
            ReplayError::Panicked { step: number, at, message }
        })?;
        self.outputs.sent().for_each(|(to, frame)| self.steps.sent(to, frame));
        self.outputs.events().iter().for_each(|event| self.steps.event(event));
        self.read_recorded()?;
        self.summary.steps += 1;
        self.summary.to = Some(at);
        self.astray = self.compare(number, at);
        Ok((number, at, self.astray))
    }

    fn read_recorded(&mut self) -> Result<(), TraceError> {
        self.recorded.clear();
        while let Some(item) = self.cursor.next_output().transpose()? {
            match item {
                Item::Sent { to, frame } => self.recorded.push_sent(to, frame),
                Item::Event(event) => self.recorded.events.push(event),
                Item::Keyframe { .. } | Item::Input { .. } | Item::Gap { .. } => {}
            }
        }
        Ok(())
    }

    /// Whether the step that was just played left the run.
    fn compare(&mut self, number: u64, at: Instant) -> bool {
        let node = self.node.as_ref().expect("a step was just played to it");
        let now = self.steps.settled(node);
        let same = match self.cursor.check() {
            Some(Check::Whole(digest)) => now.value() == digest,
            Some(Check::Half(check)) => now.check() == check,
            None => {
                self.summary.unchecked += 1;
                true
            }
        };
        let recorded = self.header.outputs.then_some(&self.recorded);
        if !same {
            let sides = (&self.input, self.outputs.clone(), recorded.cloned());
            diverged(&mut self.summary, number, at, sides, false);
        }
        !same
    }
}

fn diverged(
    summary: &mut Summary,
    step: u64,
    at: Instant,
    (input, replayed, recorded): (&Recorded<'static>, Outputs, Option<Outputs>),
    in_state_only: bool,
) {
    summary.divergences += 1;
    let divergence = || Divergence { step, at, input: input.clone(), replayed, recorded, in_state_only };
    summary.first.get_or_insert_with(|| Box::new(divergence()));
}

/// One step, drained in the order of the pump.
fn play(node: &mut Node, at: Instant, input: &Recorded<'_>, buffer: &mut [u8], outputs: &mut Outputs) {
    node.handle(at, input.as_input());
    while let Some(sent) = node.poll_transmit(buffer) {
        outputs.push_sent(sent.to, &buffer[..sent.len]);
    }
    while let Some(event) = node.poll_event() {
        outputs.events.push(event);
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("for no reason that it gives").into()
}

/// Does it hold the run from the first input on? Otherwise a node that is constructed anew is of no use to it.
fn begins_at_zero(trace: &Trace<'_>) -> bool {
    match trace.cursor().next() {
        Some(Ok(Item::Input { step, .. } | Item::Keyframe { step, .. } | Item::Gap { step, .. })) => step == 0,
        _ => true,
    }
}
