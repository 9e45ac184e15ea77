//! What the nodes saw, from their flight recorders, played again.

use bind_mio::swim_driver::Recorder;
use bind_mio::swim_driver::swim_trace::{Replay, Summary, Trace, TraceError};

use crate::output::Failure;

/// What it came to, over all lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Replayed {
    pub(super) lives: usize,
    pub(super) steps: u64,
    pub(super) divergences: u64,
    /// Of all traces.
    pub(super) bytes: u64,
}

/// One life of a node, and what recorded it.
pub(super) struct Life {
    pub(super) name: &'static str,
    pub(super) recorder: Recorder,
}

/// Replays these lives to their ends. The first one that does not replay as it was is the reason to fail.
pub(super) fn replay(lives: &[Life]) -> Result<Replayed, Failure> {
    let mut sum = Replayed { lives: lives.len(), ..Replayed::default() };
    for life in lives {
        let bytes = life.recorder.trace();
        let summary = replay_one(life.name, &bytes).map_err(Failure::Runtime)?;
        sum.steps += summary.steps;
        sum.divergences += summary.divergences;
        sum.bytes += bytes.len() as u64;
    }
    Ok(sum)
}

fn replay_one(name: &str, bytes: &[u8]) -> Result<Summary, String> {
    let unread = |e: TraceError| format!("what {name} saw cannot be read: {e}; this is a bug, please report it");
    let trace = Trace::open(bytes).map_err(unread)?;
    let life = format!("{name} (life {})", trace.header().epoch);
    let (summary, error) = match Replay::new(&trace) {
        Ok(replay) => replay.run(),
        Err(e) => (Summary::default(), Some(e)),
    };
    let steps = summary.steps;
    let why = match (&summary.first, error) {
        (Some(first), _) => {
            let at = first.at.since(trace.header().began);
            let input = first.input.name();
            format!("does otherwise in step {} ({input}, {:.3} s after its start)", first.step, at.as_secs_f64())
        }
        (None, Some(e)) => format!("cannot be replayed beyond step {steps}: {e}"),
        // Nothing but a reader who takes his time makes a gap, and there is none here.
        (None, None) if summary.gaps + summary.skipped > 0 => {
            format!("was not recorded as a whole: behind step {steps}")
        }
        (None, None) => return Ok(summary),
    };
    Err(format!("{life}, replayed from what it saw, {why}; this is a bug, please report it"))
}

#[cfg(test)]
mod tests {
    use bind_mio::swim_core::{Command, Config, Identity, Input, Instant, Node, NodeId, Profile};
    use bind_mio::swim_driver::swim_trace::{Header, Tape};

    use super::*;

    /// The trace of a node that calls at a seed where nobody is. What it was told is not quite what its trace says it was, if so
    /// wanted.
    fn trace(lie: bool) -> Vec<u8> {
        let (now, config) = (Instant::from_millis(5), Config::local("c"));
        let profile = Profile::new("a", b"").unwrap();
        let me = Identity { id: NodeId::from_name("a"), addr: ([127, 0, 0, 1], 1).into(), epoch: 2, profile };
        let mut node = Node::new(me.clone(), config.clone(), 1, now).unwrap();
        let mut tape = Tape::new(&Header::new(&me, &config, 1, now), &node);
        let (seeds, others) = ([([127, 0, 0, 1], 2).into()], [([127, 0, 0, 1], 3).into()]);
        for step in 0..4_u64 {
            let input = if step == 0 { Input::Command(Command::Join(&seeds)) } else { Input::Timeout };
            let now = if step == 0 { now } else { node.poll_timeout().unwrap() };
            let told = if lie && step == 0 { Input::Command(Command::Join(&others)) } else { input };
            tape.input(&node, now, &told);
            node.handle(now, input);
            let mut buffer = [0; 1_400];
            while let Some(sent) = node.poll_transmit(&mut buffer) {
                tape.sent(sent.to, &buffer[..sent.len]);
            }
            while let Some(event) = node.poll_event() {
                tape.event(&event);
            }
        }
        tape.finish(&node)
    }

    #[test]
    fn a_divergence_is_named_by_node_and_step() {
        assert_eq!(replay_one("a", &trace(false)).map(|summary| summary.steps), Ok(4));
        let why = replay_one("a", &trace(true)).unwrap_err();
        assert!(
            why.starts_with("a (life 2), replayed from what it saw, does otherwise in step 0 (join, 0.000 s"),
            "{why}"
        );
    }

    #[test]
    fn a_damaged_trace_is_no_replay() {
        let whole = trace(false);
        let why = replay_one("a", &whole[..whole.len() - 1]).unwrap_err();
        assert!(why.contains("a (life 2)") && why.contains("beyond step 0: block 1 at offset "), "{why}");
        let why = replay_one("a", &whole[1..]).unwrap_err();
        assert!(why.starts_with("what a saw cannot be read: block 0 at offset 0"), "{why}");
    }
}
