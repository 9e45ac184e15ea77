//! A beginning, and the inputs that follow: what is tried.

use std::panic::{AssertUnwindSafe, catch_unwind};

use swim_core::{Input, Instant, Node};
use swim_trace::{Header, Item, Outputs, Recorded, Tape, Trace};

use super::{Predicate, ShrinkError};

/// One input, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) at: Instant,
    pub(super) input: Recorded<'static>,
}

/// How a node is given an input: [`Node::handle`], but in tests of what a node never does.
pub(super) type Give = fn(&mut Node, Instant, Input<'_>);

#[derive(Clone, Debug)]
pub(super) struct Case {
    /// Of the trace that it becomes, outputs and all.
    header: Header,
    /// Before the first input.
    node: Node,
    /// The number of the input behind the keyframe that this is.
    pub(super) keyframe: Option<u64>,
    pub(super) inputs: Vec<Given>,
    give: Give,
}

/// All that a trace offers to begin with, in its order.
pub(super) struct Cases<'t> {
    header: &'t Header,
    begins: Vec<Begin>,
    /// All of the trace.
    pub(super) inputs: Vec<Given>,
}

/// A state that is known, and what follows without a gap.
struct Begin {
    /// The number of the input behind the keyframe, the time before it, and the keyframe; otherwise the node is constructed.
    keyframe: Option<(u64, Instant, Vec<u8>)>,
    /// Places among all inputs.
    from: usize,
    end: usize,
}

/// What is intact.
pub(super) fn cases<'t>(trace: &'t Trace<'_>) -> Cases<'t> {
    let (mut begins, mut inputs) = (vec![Begin { keyframe: None, from: 0, end: 0 }], Vec::new());
    // The first beginning that the next input belongs to, and that input's number.
    let (mut open, mut next) = (0, 0);
    let mut cursor = trace.cursor();
    while let Some(Ok(item)) = cursor.next() {
        let step = match item {
            Item::Input { step, .. } | Item::Keyframe { step, .. } => step,
            Item::Gap { .. } => {
                open = begins.len();
                continue;
            }
            _ => continue,
        };
        if step != next {
            open = begins.len();
        }
        match item {
            Item::Input { at, input, .. } => {
                inputs.push(Given { at, input: input.into_owned() });
                begins.iter_mut().skip(open).for_each(|begin| begin.end = inputs.len());
                next = step.saturating_add(1);
            }
            Item::Keyframe { at, snapshot, .. } => {
                let (from, end) = (inputs.len(), inputs.len());
                begins.push(Begin { keyframe: Some((step, at, snapshot.to_vec())), from, end });
                next = step;
            }
            _ => {}
        }
    }
    Cases { header: trace.header(), begins, inputs }
}

impl Cases<'_> {
    /// The one with the last beginning from which all of these hold, cut where they do.
    pub(super) fn first_that_holds(&self, predicates: &[Predicate], constructed: bool) -> Result<Case, ShrinkError> {
        let of_the_end = || predicates.iter().filter(|p| p.is_of_the_end());
        let reaches_the_end = |begin: &&Begin| begin.end == self.inputs.len();
        if let Some(some) = of_the_end().next() {
            let end = self.begins.iter().rev().filter(reaches_the_end).find_map(|begin| self.case(begin)?.end());
            let wrong = end.map_or(Some(some), |node| of_the_end().find(|p| !p.is_state_of(&node)));
            wrong.map_or(Ok(()), |p| Err(ShrinkError::NotShown(p.clone())))?;
        }
        let fits = |begin: &&Begin| {
            (begin.keyframe.is_none() || !constructed) && (of_the_end().next().is_none() || reaches_the_end(begin))
        };
        let cases = || self.begins.iter().rev().filter(fits).filter_map(|begin| self.case(begin));
        for mut case in cases() {
            // What holds before anything has happened, shows nothing.
            let holds = case.holds(&case.inputs, predicates);
            if let Some(count) = holds.filter(|&count| count > 0 || case.keyframe.is_none()) {
                case.inputs.truncate(count);
                return Ok(case);
            }
        }
        let shown =
            |one: &&Predicate| cases().any(|case| case.holds(&case.inputs, std::slice::from_ref(*one)).is_some());
        let missing = predicates.iter().find(|one| !shown(one));
        Err(missing.map_or(ShrinkError::NotTogether, |one| ShrinkError::NotShown(one.clone())))
    }

    /// `None` where the state is not known, or cannot be read by this build.
    fn case(&self, begin: &Begin) -> Option<Case> {
        let mut header = self.header.clone();
        header.outputs = true;
        let node = match &begin.keyframe {
            None => header.node()?.ok()?,
            Some((_, at, snapshot)) => {
                (header.rng_seed, header.began) = (None, *at);
                Node::restore(snapshot).ok()?
            }
        };
        let keyframe = begin.keyframe.as_ref().map(|(step, ..)| *step);
        let inputs = self.inputs.get(begin.from..begin.end).unwrap_or_default().to_vec();
        Some(Case::new(header, node, keyframe, inputs))
    }
}

/// One step of a node, drained; `None` when it panicked.
fn step(node: &mut Node, give: Give, given: &Given, buffer: &mut [u8]) -> Option<Outputs> {
    let played = || {
        let mut outputs = Outputs::default();
        give(node, given.at, given.input.as_input());
        while let Some(sent) = node.poll_transmit(buffer) {
            outputs.push_sent(sent.to, &buffer[..sent.len]);
        }
        while let Some(event) = node.poll_event() {
            outputs.push_event(event);
        }
        outputs
    };
    catch_unwind(AssertUnwindSafe(played)).ok()
}

impl Case {
    pub(super) fn new(header: Header, node: Node, keyframe: Option<u64>, inputs: Vec<Given>) -> Self {
        let give: Give = |node, at, input| node.handle(at, input);
        Self { header, node, keyframe, inputs, give }
    }

    #[cfg(test)]
    pub(super) fn given_by(mut self, give: Give) -> Self {
        self.give = give;
        self
    }

    /// The time of what came before the first input.
    pub(super) fn began(&self) -> Instant {
        self.header.began
    }

    /// After how many of these inputs all of these hold, for the first time.
    pub(super) fn holds(&self, inputs: &[Given], predicates: &[Predicate]) -> Option<usize> {
        let mut node = self.node.clone();
        let mut buffer = vec![0; self.header.frame_max as usize];
        let mut happened: Vec<bool> = predicates.iter().map(|p| p.is_state_of(&node)).collect();
        if happened.iter().all(|&happened| happened) {
            return Some(0);
        }
        for (i, given) in inputs.iter().enumerate() {
            let outputs = step(&mut node, self.give, given, &mut buffer);
            for (happened, predicate) in happened.iter_mut().zip(predicates) {
                *happened = match &outputs {
                    Some(outputs) if predicate.is_of_the_end() => predicate.happens(outputs, &node),
                    Some(outputs) => *happened || predicate.happens(outputs, &node),
                    None => *happened || *predicate == Predicate::Panic,
                };
            }
            if happened.iter().all(|&happened| happened) {
                return Some(i + 1);
            }
            outputs?;
        }
        None
    }

    /// The node behind all inputs; `None` when it does not get there.
    fn end(&self) -> Option<Node> {
        let mut node = self.node.clone();
        let mut buffer = vec![0; self.header.frame_max as usize];
        let survived = self.inputs.iter().all(|given| step(&mut node, self.give, given, &mut buffer).is_some());
        survived.then_some(node)
    }

    /// As a trace, outputs and all.
    pub(super) fn recorded(&self) -> Vec<u8> {
        let (mut node, mut tape) = (self.node.clone(), Tape::new(&self.header, &self.node));
        let mut buffer = vec![0; self.header.frame_max as usize];
        for given in &self.inputs {
            tape.input(&node, given.at, &given.input.as_input());
            let Some(outputs) = step(&mut node, self.give, given, &mut buffer) else { return tape.finish_open() };
            outputs.sent().for_each(|(to, frame)| tape.sent(to, frame));
            outputs.events().iter().for_each(|event| tape.event(event));
        }
        tape.finish(&node)
    }
}
