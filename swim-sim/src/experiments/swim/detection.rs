//! From a crash to the first who notices.
//!
//! In the model of the paper (section 3.1) all members begin their periods at once, and each pings any other with the same
//! chance. So a crashed one is pinged within a period with chance 1 - (1 - 1/(n-1))^(n-1), and the first period in which
//! it is comes after e/(e-1) periods on average when there are many.
//!
//! Real periods begin when they like, and ours go round all members in a shuffled order. The first ping comes after 1.00
//! periods on average when there are many, and the probe takes its own period before it has failed.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use swim_core::wire::{Frame, Message};
use swim_core::{Config, Instant};

use super::super::exact::power;
use super::super::real::{Cluster, is_suspicion_of, micros_since};
use super::super::table::{Cell, Table};
use super::super::tally::Tally;
use super::super::{draws, other};
use super::SwimArgs;
use crate::host::NodeIx;
use crate::latency::micros;

pub(super) fn measure(args: &SwimArgs) -> Table {
    let columns = ["nodes", "trials", "model", "first ping", "first suspicion"];
    let title = "SWIM, first detection of a crash, in periods (Das et al. 2002)";
    let mut table = Table::new(title.to_owned(), &columns);
    for n in args.sizes() {
        let found = Found::of(args, n);
        let pinged = round_robin(n, n - at_once(n));
        table.row([
            Cell::Count(n as u64),
            Cell::Count(u64::from(args.trials())),
            model(args, n).cell(1, Some(synchronous(n))),
            found.pinged.cell(found.period, Some(pinged)),
            found.suspected.cell(found.period, Some(pinged + 1.0)),
        ]);
    }
    let e = std::f64::consts::E;
    table.row([
        Cell::text("many"),
        Cell::nothing(),
        Cell::computed(e / (e - 1.0)),
        Cell::computed(1.0),
        Cell::computed(2.0),
    ]);
    table.note(
        "mean ±standard error (computed for so many nodes); the last row has the published values, for many nodes",
    );
    table.note(
        "model: synchronous periods until somebody pings the crashed one, each pinging any other: e/(e-1) = 1.582",
    );
    table.note(
        "first ping: real nodes, unsynchronised, preset lan; from the crash to the first ping to the crashed one",
    );
    table.note("first suspicion: from the crash to the end of the first probe that fails, one period later");
    table.note("of 200 nodes and more one in a hundred crash at once");
    table
}

/// Periods until the first ping, in the model.
fn model(args: &SwimArgs, n: usize) -> Tally {
    let mut draws = draws(args.seed, &[args.table as u64, n as u64, 0]);
    let mut tally = Tally::default();
    for _ in 0..args.trials() {
        // Node 0 has crashed.
        let pinged = |draws: &mut _| (1..n).fold(false, |hit, member| (other(draws, n, member) == 0) | hit);
        let in_vain = std::iter::repeat_with(|| pinged(&mut draws)).take_while(|&hit| !hit).count();
        tally.add(in_vain as u64 + 1);
    }
    tally
}

/// The mean of the model.
fn synchronous(n: usize) -> f64 {
    let others = n - 1;
    1.0 / (1.0 - power(1.0 - 1.0 / others as f64, others))
}

/// The mean time until the first ping when `live` members of `n` go round all others at their own phases, shuffled anew
/// after each lap, and no two have to do with each other.
///
/// One that is pinged in turn `a` of a lap of `m`, and in turn `b` of the next, waits `m - a + b` turns. So the chance that
/// a member's next ping of it is more than `t` away falls by (chance that it waits longer than `t`) / m per turn, evenly
/// within a turn. That none of the live ones pings it is that chance to the power of `live`; the mean is the area below.
fn round_robin(n: usize, live: usize) -> f64 {
    let m = (n - 1) as f64;
    let mut mean = 0.0;
    let mut away = 1.0;
    for turn in 0..2 * (n - 1) {
        let j = turn as f64;
        let longer = if j <= m {
            1.0 - j * (j + 1.0) / (2.0 * m * m)
        } else {
            (2.0 * m - 1.0 - j) * (2.0 * m - j) / (2.0 * m * m)
        };
        let step = longer / m;
        if step <= 0.0 {
            break;
        }
        mean += (power(away, live + 1) - power(away - step, live + 1)) / (step * (live + 1) as f64);
        away -= step;
    }
    mean
}

/// How many crash at one instant: few enough that those who are left ping as often as ever, and many enough that a large
/// cluster, which has much to tell about each of them, is measured in a minute.
fn at_once(n: usize) -> usize {
    (n / 100).max(1)
}

/// What the real nodes did.
struct Found {
    period: u64,
    pinged: Tally,
    suspected: Tally,
}

impl Found {
    /// Some members crash at a random moment, and come back, and then others do.
    fn of(args: &SwimArgs, n: usize) -> Self {
        let config = Config::lan("sim");
        let period = config.probe_interval;
        let mut found = Self { period: micros(period), pinged: Tally::default(), suspected: Tally::default() };
        let mut c = Cluster::form(args.seed, &[args.table as u64, n as u64, 1], n, config);
        let watch = Watch::of(&mut c);
        let mut to_go = args.trials() as usize;
        while to_go > 0 {
            c.run_a_part_of(period);
            c.forget_events();
            let victims = c.any_but_the_first(at_once(n).min(to_go));
            to_go -= victims.len();
            watch.begin(&victims);
            let crash = c.w.now();
            c.w.mass_kill(&victims);
            for &victim in &victims {
                let suspects = is_suspicion_of(c.w.id(victim));
                let suspected = loop {
                    if let Some(at) = c.first_told(&suspects).min() {
                        break at;
                    }
                    c.w.run(period);
                };
                let pinged = watch.pinged(victim).expect("who is suspected was pinged");
                found.pinged.add(micros_since(pinged, crash));
                found.suspected.add(micros_since(suspected, crash));
            }
            for victim in victims {
                c.w.restart(victim);
                c.w.join(victim, &[NodeIx::FIRST]);
            }
            c.rest();
        }
        found
    }
}

/// Sees the first ping to each of some nodes.
#[derive(Clone, Default)]
struct Watch(Rc<RefCell<Vec<Watched>>>);

/// A node, and when it was first pinged.
type Watched = (SocketAddr, Option<Instant>);

impl Watch {
    fn of(c: &mut Cluster) -> Self {
        let watch = Self::default();
        let watched = Rc::clone(&watch.0);
        c.w.tap(move |sent| {
            let mut watched = watched.borrow_mut();
            let waiting = watched.iter_mut().find(|(addr, pinged)| *addr == sent.to && pinged.is_none());
            if let Some((_, pinged)) = waiting.filter(|_| is_ping(sent.frame())) {
                *pinged = Some(sent.at);
            }
        });
        watch
    }

    fn begin(&self, nodes: &[NodeIx]) {
        *self.0.borrow_mut() = nodes.iter().map(|node| (node.addr(), None)).collect();
    }

    fn pinged(&self, node: NodeIx) -> Option<Instant> {
        self.0.borrow().iter().find(|(addr, _)| *addr == node.addr()).and_then(|&(_, pinged)| pinged)
    }
}

fn is_ping(frame: &[u8]) -> bool {
    matches!(Frame::parse(frame), Ok(Frame { message: Some(Message::Ping { .. }), .. }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_means_are_those_of_the_paper_and_of_pencil() {
        // Two others: each pings the crashed one with 1/2, so one period in four passes in vain.
        assert!((synchronous(3) - 4.0 / 3.0).abs() < 1e-12);
        assert!((synchronous(100_000) - 1.582).abs() < 5e-4);
        // One other, who pings nobody else: once a period, at any moment of it.
        assert!((round_robin(2, 1) - 0.5).abs() < 1e-12);
        // Two others, in laps of two. Of four waits one is 1 turn, two are 2, one is 3, so the chances that one waits longer
        // than 0, 1, 2 turns are 1, 3/4, 1/4, and the next ping is more than 0, 1, 2, 3 turns away with 1, 1/2, 1/8, 0.
        let area = |from: f64, to: f64| (from * from + from * to + to * to) / 3.0;
        assert!((round_robin(3, 2) - (area(1.0, 0.5) + area(0.5, 0.125) + area(0.125, 0.0))).abs() < 1e-12);
        assert!((round_robin(1_000, 999) - 1.0).abs() < 2e-3);
    }

    #[test]
    fn the_model_is_measured_to_be_what_is_published() {
        let args = SwimArgs { trials: 10_000, ..SwimArgs::of(super::super::SwimTable::Detection) };
        let Cell::Measured { value, .. } = model(&args, 200).cell(1, None) else { panic!("it was tried") };
        assert!((value / 1.582 - 1.0).abs() < 0.02, "{value}");
    }
}
