//! One node crashes: when the first of the others takes it for dead, when all do, and who of those that run is taken
//! for dead as well.

use super::peer::Peer;
use super::table::{Mean, Row, mean, percentile, spread};
use super::world::{PERIOD, SECOND, World};
use super::{Plan, each_seed, formed};

/// How long the network loses datagrams before the crash.
const WARM_UP: u64 = 30 * SECOND;

struct Outcome {
    /// Periods from the crash to the first Dead, and from that until all knew: infinite when it was not within the
    /// time.
    first: f64,
    all: f64,
    /// Who had not heard of it in the end.
    missing: usize,
    /// Running ones taken for dead, since the loss began: how often, by all together, and how many of them.
    false_dead: u64,
    befell: usize,
}

fn outcomes<P: Peer>(plan: &Plan, loss: u64) -> Result<Vec<Outcome>, String> {
    let of_seed = |seed| {
        let mut world = World::<P>::joining(plan.nodes, seed, SECOND, plan.tuning).formed()?;
        world.net.views.forget_false();
        world.net.loss_percent = loss;
        let moment = world.net.draw.below(PERIOD);
        world.run(WARM_UP + moment);
        let victim = victim(&mut world)?;
        world.crash(victim);
        world.run(plan.window * PERIOD);
        let views = &world.net.views;
        let crash = views.crash?;
        let periods = |from: u64, to: Option<u64>| to.map_or(f64::INFINITY, |to| (to - from) as f64 / PERIOD as f64);
        Some(Outcome {
            first: periods(crash.at, crash.first),
            all: periods(crash.first.unwrap_or(crash.at), crash.last),
            missing: views.missing(),
            false_dead: views.false_dead,
            befell: views.befell(),
        })
    };
    let all = formed::<P, Outcome>(each_seed(plan, plan.seeds, of_seed))?;
    eprintln!("crash among {} of {}, {loss} % loss: {} clusters", plan.nodes, P::NAME, all.len());
    Ok(all)
}

/// One of those that all see. Where the living are taken for dead as well, it may be a while until there is one.
fn victim<P: Peer>(world: &mut World<P>) -> Option<usize> {
    for _ in 0..300 {
        let seen = world.net.views.seen_by_all();
        if !seen.is_empty() {
            return Some(seen[world.net.draw.below(seen.len() as u64) as usize]);
        }
        world.run(PERIOD / 10);
    }
    None
}

pub(super) fn rows<A: Peer, B: Peer>(plan: &Plan) -> Result<Vec<Row>, String> {
    let mut runs = Vec::new();
    for &loss in &plan.loss {
        runs.push((loss, outcomes::<A>(plan, loss)?, outcomes::<B>(plan, loss)?));
    }
    // First one question at every loss, then the next.
    let questions = [first, false_dead, all_know, missing];
    Ok(questions.iter().flat_map(|row| runs.iter().map(move |(loss, a, b)| row(plan, *loss, a, b))).collect())
}

fn first(plan: &Plan, loss: u64, a: &[Outcome], b: &[Outcome]) -> Row {
    let of = |all: &[Outcome]| -> Mean { mean(all.iter().map(|outcome| outcome.first)) };
    let (ours, foca) = (of(a), of(b));
    let ratio = ours.mean / foca.mean;
    let is_target = loss != 10;
    // Without loss nobody is taken for dead in vain; with it, ours must be no worse than the other.
    let is_safe = sum(a) <= sum(b);
    Row {
        what: format!("crash → first Dead, N={}, {loss} % loss: periods, mean of {} runs", plan.nodes, a.len()),
        ours: ours.to_string(),
        foca: foca.to_string(),
        ratio: Some(ratio).filter(|_| foca.mean.is_finite()),
        gate: if is_target { "≤ 0.8 ×, no more false Dead".into() } else { String::new() },
        aim: if is_target { "0.6 ×".into() } else { String::new() },
        holds: is_target.then_some((ratio <= 0.8 && is_safe, ratio <= 0.6 && is_safe)),
    }
}

fn sum(all: &[Outcome]) -> u64 {
    all.iter().map(|outcome| outcome.false_dead).sum()
}

fn false_dead(plan: &Plan, loss: u64, a: &[Outcome], b: &[Outcome]) -> Row {
    let told = |all: &[Outcome]| {
        let befell: usize = all.iter().map(|outcome| outcome.befell).sum();
        if sum(all) == 0 { "none".into() } else { format!("{} (of {befell} nodes)", sum(all)) }
    };
    let seconds = (WARM_UP / SECOND + plan.window * PERIOD / SECOND) * plan.seeds;
    Row {
        what: format!("the same runs, {seconds} s of cluster, {loss} % loss: false Dead, by all nodes together"),
        ours: told(a),
        foca: told(b),
        ratio: (sum(b) > 0).then(|| sum(a) as f64 / sum(b) as f64),
        ..Row::default()
    }
}

fn all_know(plan: &Plan, loss: u64, a: &[Outcome], b: &[Outcome]) -> Row {
    let of = |all: &[Outcome]| -> Vec<f64> { all.iter().map(|outcome| outcome.all).collect() };
    let (ours, foca) = (of(a), of(b));
    let p99 = percentile(&ours, 99);
    Row {
        what: format!("all know − first Dead, {loss} % loss: periods, p50 / p99 / max of runs"),
        ours: spread(&ours, plan.window as f64),
        foca: spread(&foca, plan.window as f64),
        ratio: Some(p99 / percentile(&foca, 99)).filter(|ratio| *ratio > 0.0),
        gate: "p99 ≤ 2, none missing".into(),
        aim: "1.2".into(),
        holds: Some((p99 <= 2.0, p99 <= 1.2)),
    }
}

fn missing(plan: &Plan, loss: u64, a: &[Outcome], b: &[Outcome]) -> Row {
    let told = |all: &[Outcome]| {
        if all.iter().all(|outcome| outcome.missing == 0) {
            return "none".to_owned();
        }
        let runs = all.iter().filter(|outcome| outcome.missing > 0).count();
        let missing: usize = all.iter().map(|outcome| outcome.missing).sum();
        let most = all.iter().map(|outcome| outcome.missing).max().unwrap_or(0);
        format!("{missing} in {runs} of {} runs, at most {most}", all.len())
    };
    let none = a.iter().all(|outcome| outcome.missing == 0);
    Row {
        what: format!("who has not heard of it after {} periods, {loss} % loss", plan.window),
        ours: told(a),
        foca: told(b),
        gate: "none".into(),
        holds: Some((none, false)),
        ..Row::default()
    }
}
