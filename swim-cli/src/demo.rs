//! `swim demo`: a cluster forms, loses a node, is left by another, and gets the lost one back.
//!
//! Everything is awaited on what the nodes themselves report, within a limit per step and one for the whole; a step
//! that does not happen ends the demo with the reason. In the end what the nodes' flight recorders kept is replayed.

mod cluster;
mod replayed;
mod runtimes;
mod show;

use std::time::{Duration, Instant};

use bind_mio::swim_core::Event;
use bind_mio::swim_driver::CommandError;
use serde::Serialize;

use self::cluster::{Cluster, Seen};
use self::replayed::Replayed;
use self::runtimes::Runtime;
use self::show::{Show, time};
use crate::args::{DemoArgs, DemoFormat};
use crate::output::{Failure, Out};
use crate::units;

pub(crate) fn run(args: &DemoArgs) -> Result<(), Failure> {
    let mut show = match args.format {
        DemoFormat::Human => Show::to_people(),
        DemoFormat::Json => Show::nothing(),
    };
    show.title("Five nodes start on the loopback interface. Each is told where web-1 is, and nothing else.")?;
    let mut demo = Demo { cluster: Cluster::start(&NODES, WHOLE_MAX)?, show };
    demo.show.runtimes(&demo.cluster)?;
    let outcome = demo.play()?;
    if args.format == DemoFormat::Json {
        let json = serde_json::to_string(&outcome).expect("numbers under string keys are always JSON");
        return Out::new().line(format_args!("{json}"));
    }
    Ok(())
}

/// What the demo has measured; the keys of `--format json`.
#[derive(Debug, Serialize)]
struct Outcome {
    members: usize,
    /// What each runs on.
    runtimes: Vec<&'static str>,
    formed_ms: u64,
    suspect_ms: u64,
    dead_ms: u64,
    left_ms: u64,
    returned_ms: u64,
    replayed_steps: u64,
    replay_divergences: u64,
    recorded_bytes: u64,
}

struct Demo {
    cluster: Cluster,
    show: Show,
}

impl Demo {
    fn play(&mut self) -> Result<Outcome, Failure> {
        let formed = self.form()?;
        let (suspect, dead) = self.kill()?;
        let left = self.leave()?;
        let returned = self.restart()?;
        self.show.title("That was all: every step was seen by every node that was there to see it.")?;
        self.cluster.part();
        let replayed = self.replay()?;
        Ok(Outcome {
            members: self.cluster.len(),
            runtimes: (0..self.cluster.len()).map(|node| self.cluster.runtime(node).name()).collect(),
            formed_ms: millis(formed),
            suspect_ms: millis(suspect),
            dead_ms: millis(dead),
            left_ms: millis(left),
            returned_ms: millis(returned),
            replayed_steps: replayed.steps,
            replay_divergences: replayed.divergences,
            recorded_bytes: replayed.bytes,
        })
    }

    /// Five nodes that know one address become a cluster in which everybody knows everybody.
    fn form(&mut self) -> Result<Duration, Failure> {
        let (start, all) = (self.cluster.start, self.cluster.len());
        let seed = self.cluster.handle(0).addr();
        self.show.counts(&self.cluster, start)?;
        for node in 1..all {
            self.cluster.handle(node).join(&[seed]).map_err(|e| self.ended(node, e))?;
        }
        let deadline = Instant::now() + STEP_MAX;
        let mut at = start;
        // Seen and reported: a report on its way would be shown in the next step.
        let is_late = |cluster: &Cluster, node| cluster.alive(node) < all || cluster.met(node) < all - 1;
        while (0..all).any(|node| is_late(&self.cluster, node)) {
            let Some(seen) = self.cluster.next(deadline)? else {
                let late = self.names((0..all).filter(|&node| is_late(&self.cluster, node)));
                return Err(failed(&format!("the cluster has not formed: {late} did not see all {all} members alive")));
            };
            at = seen.at;
            self.show.counts(&self.cluster, at)?;
        }
        let took = at - start;
        self.show.result(&format!("All five see all five after {}.", time(took)))?;
        self.show.table(&self.cluster, OBSERVER)?;
        Ok(took)
    }

    /// One node vanishes: the others suspect it and then hold it for dead.
    fn kill(&mut self) -> Result<(Duration, Duration), Failure> {
        let (id, name) = (self.cluster.handle(VICTIM).id(), self.cluster.name(VICTIM));
        let survivors: Vec<usize> = (0..self.cluster.len()).filter(|&node| node != VICTIM).collect();
        self.show.title(&format!("{name} is killed: its socket is closed, and it says no goodbye."))?;
        let (from, killed) = (self.cluster.now(), Instant::now());
        self.cluster.kill(VICTIM);

        let suspected = |event: &Event| matches!(*event, Event::MemberSuspect { id: of, .. } if of == id);
        let first = self.await_any(from, &survivors, suspected, &format!("suspected {name}, which was killed"))?;
        let suspect = first.at - killed;
        self.show.result(&format!("Suspected after {}. It has some time now to object, if it can.", time(suspect)))?;
        self.show.table(&self.cluster, first.node)?;

        let dead = |event: &Event| matches!(*event, Event::MemberDown { id: of, left: false, .. } if of == id);
        let last = self.await_each(from, &survivors, dead, &format!("held {name} for dead, which was killed"))?;
        let took = last - killed;
        self.show.result(&format!("Dead for all four others after {}.", time(took)))?;
        self.show.table(&self.cluster, OBSERVER)?;
        self.show_why(from, first, dead)?;
        Ok((suspect, took))
    }

    /// What the first accuser holds against the dead node. A report may overtake its own: the one who is named counts.
    fn show_why(&mut self, from: usize, suspicion: Seen, dead: impl Fn(&Event) -> bool) -> Result<(), Failure> {
        let Event::MemberSuspect { by, .. } = suspicion.event else { return Ok(()) };
        let witness = by.and_then(|id| self.cluster.index(id)).unwrap_or(suspicion.node);
        let mut reports = self.cluster.seen(from).iter();
        let Some(&death) = reports.find(|seen| seen.node == witness && dead(&seen.event)) else { return Ok(()) };
        let (witness, victim) = (self.cluster.name(witness), self.cluster.name(VICTIM));
        self.show.title(&format!("{witness} was the first to accuse {victim}. What it has against it:"))?;
        self.show.why(&self.cluster, &death)
    }

    /// One node says goodbye.
    fn leave(&mut self) -> Result<Duration, Failure> {
        let (id, name) = (self.cluster.handle(LEAVER).id(), self.cluster.name(LEAVER));
        self.show.title(&format!("{name} leaves: it says goodbye first, so nobody has to suspect it."))?;
        let (from, start) = (self.cluster.now(), Instant::now());
        self.cluster.handle(LEAVER).leave().map_err(|e| self.ended(LEAVER, e))?;
        let left = |event: &Event| matches!(*event, Event::MemberDown { id: of, left: true, .. } if of == id);
        let last = self.await_each(from, &self.remaining(), left, &format!("heard that {name} left"))?;
        let took = last - start;
        self.show.result(&format!("Known to all three others after {}.", time(took)))?;
        self.show.table(&self.cluster, OBSERVER)?;
        Ok(took)
    }

    /// The killed node comes back.
    fn restart(&mut self) -> Result<Duration, Failure> {
        let (id, name) = (self.cluster.handle(VICTIM).id(), self.cluster.name(VICTIM));
        let life = self.cluster.view(VICTIM).me().incarnation().epoch();
        let remaining = self.remaining();
        self.show.title(&format!("{name} starts again: same name, same address, next life."))?;
        let (from, start) = (self.cluster.now(), Instant::now());
        self.cluster.restart(VICTIM)?;
        let seed = self.cluster.handle(OBSERVER).addr();
        self.cluster.handle(VICTIM).join(&[seed]).map_err(|e| self.ended(VICTIM, e))?;

        let back = |event: &Event| match *event {
            Event::MemberUp { id: of, incarnation } => of == id && incarnation.epoch() > life,
            _ => false,
        };
        let mut last = self.await_each(from, &remaining, back, &format!("seen {name} again, which was restarted"))?;
        for &node in &remaining {
            let (id, other) = (self.cluster.handle(node).id(), self.cluster.name(node));
            let met = |event: &Event| matches!(*event, Event::MemberUp { id: of, .. } if of == id);
            last = last.max(self.await_each(from, &[VICTIM], met, &format!("found {other} after its restart"))?);
        }
        let took = last - start;
        self.show.result(&format!("It sees all three others and they see it after {}.", time(took)))?;
        self.show.table(&self.cluster, VICTIM)?;
        Ok(took)
    }

    /// What the flight recorders have kept, once all is over, is played to nodes that are as the former ones were in the beginning.
    fn replay(&mut self) -> Result<Replayed, Failure> {
        let replayed = self.cluster.replay()?;
        let Replayed { lives, steps, divergences, bytes } = replayed;
        let (steps, bytes) = (units::counted(steps as f64, "step"), units::size(bytes as f64));
        let divergences = units::counted(divergences as f64, "divergence");
        self.show.title(&format!(
            "What the nodes saw in their {lives} lives was recorded ({steps}, {bytes}). Played again just now, it \
             leads to the same datagrams and the same events, bit for bit: {divergences}."
        ))?;
        Ok(replayed)
    }

    /// Those who neither vanish nor leave.
    fn remaining(&self) -> Vec<usize> {
        (0..self.cluster.len()).filter(|&node| node != VICTIM && node != LEAVER).collect()
    }

    /// Waits until one of these nodes has reported such an event since `from`, and returns the first.
    fn await_any(
        &mut self,
        from: usize,
        nodes: &[usize],
        wanted: impl Fn(&Event) -> bool,
        what: &str,
    ) -> Result<Seen, Failure> {
        let first = |cluster: &Cluster| {
            cluster.seen(from).iter().find(|seen| nodes.contains(&seen.node) && wanted(&seen.event)).copied()
        };
        self.await_seen(first, |demo| format!("none of {} has {what}", demo.names(nodes.iter().copied())))
    }

    /// Waits until each of these nodes has reported such an event since `from`, and returns when the last one did.
    fn await_each(
        &mut self,
        from: usize,
        nodes: &[usize],
        wanted: impl Fn(&Event) -> bool,
        what: &str,
    ) -> Result<Instant, Failure> {
        let at = |cluster: &Cluster, node| {
            cluster.seen(from).iter().find(|seen| seen.node == node && wanted(&seen.event)).map(|seen| seen.at)
        };
        let last = |cluster: &Cluster| {
            let each: Option<Vec<Instant>> = nodes.iter().map(|&node| at(cluster, node)).collect();
            each?.into_iter().max()
        };
        self.await_seen(last, |demo| {
            let late = nodes.iter().copied().filter(|&node| at(&demo.cluster, node).is_none());
            format!("not all have {what}: {} not", demo.names(late))
        })
    }

    /// Takes and shows what is reported, until it is enough.
    fn await_seen<T>(
        &mut self,
        enough: impl Fn(&Cluster) -> Option<T>,
        missing: impl Fn(&Self) -> String,
    ) -> Result<T, Failure> {
        let deadline = Instant::now() + STEP_MAX;
        loop {
            if let Some(found) = enough(&self.cluster) {
                return Ok(found);
            }
            match self.cluster.next(deadline)? {
                Some(seen) => self.show.seen(&self.cluster, &seen)?,
                None => return Err(failed(&missing(self))),
            }
        }
    }

    fn names(&self, nodes: impl Iterator<Item = usize>) -> String {
        let names: Vec<&str> = nodes.map(|node| self.cluster.name(node)).collect();
        names.join(", ")
    }

    fn ended(&self, node: usize, error: CommandError) -> Failure {
        Failure::Runtime(format!("{} takes no command: {error}", self.cluster.name(node)))
    }
}

/// A step has not happened.
fn failed(why: &str) -> Failure {
    Failure::Runtime(format!(
        "{why} in time; the demo needs a machine that is not too busy, and UDP on the loopback interface: try again, \
         with --verbose for more"
    ))
}

/// Whole milliseconds, rounded up: nothing takes no time.
fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// All the bindings, in one cluster.
const NODES: [(&str, Runtime); 5] = [
    ("web-1", Runtime::Mio),
    ("web-2", Runtime::TokioMulti),
    ("web-3", Runtime::TokioCurrent),
    ("web-4", Runtime::Smol),
    ("web-5", Runtime::Mio),
];
/// Whose table is shown, and through whom the lost node returns.
const OBSERVER: usize = 0;
const VICTIM: usize = 2;
const LEAVER: usize = 3;
/// Where nothing else runs, no step takes a quarter of it.
const STEP_MAX: Duration = Duration::from_secs(8);
/// Of all steps together.
const WHOLE_MAX: Duration = Duration::from_secs(18);

#[cfg(test)]
mod tests {
    use super::*;

    fn demo(nodes: &[(&'static str, Runtime)], limit: Duration) -> Demo {
        Demo { cluster: Cluster::start(nodes, limit).expect("loopback sockets"), show: Show::nothing() }
    }

    fn reason<T>(outcome: Result<T, Failure>) -> String {
        match outcome {
            Err(Failure::Runtime(why)) => why,
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("this cannot have happened"),
        }
    }

    /// Where there is no time, no report is taken: nobody has been seen to meet anybody, however fast they are.
    #[test]
    fn a_step_that_does_not_happen_ends_the_demo() {
        let why = reason(demo(&NODES, Duration::ZERO).play());
        assert!(why.starts_with("the cluster has not formed: web-1, web-2, web-3, web-4, web-5 did not see"), "{why}");
    }

    #[test]
    fn who_was_late_is_named() {
        let mut demo =
            demo(&[("a", Runtime::Smol), ("b", Runtime::TokioMulti), ("c", Runtime::Mio)], Duration::from_secs(60));
        let seed = demo.cluster.handle(0).addr();
        demo.cluster.handle(1).join(&[seed]).unwrap();
        let met = |event: &Event| matches!(event, Event::MemberUp { .. });
        demo.await_each(0, &[0, 1], met, "met").expect("two meet");
        demo.cluster.end_now();
        let why = reason(demo.await_each(0, &[0, 1, 2], met, "met anybody"));
        assert!(why.starts_with("not all have met anybody: c not in time;"), "{why}");
        let why = reason(demo.await_any(0, &[2], met, "met anybody"));
        assert!(why.starts_with("none of c has met anybody in time;"), "{why}");
    }

    #[test]
    fn times_are_rounded_up() {
        assert_eq!([0, 1, 1_000_000, 1_000_001].map(|nanos| millis(Duration::from_nanos(nanos))), [0, 1, 1, 2]);
    }
}
