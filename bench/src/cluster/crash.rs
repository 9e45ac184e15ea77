//! One node crashes: when the first of the others takes it for dead, when all do, and who of those that run is taken
//! for dead as well.

use super::peer::Peer;
use super::world::{PERIOD, SECOND, World};
use super::{Plan, each_seed, formed};
use crate::crashes::{Crashes, Outcome, false_deaths};
use crate::table::Row;

/// How long the network loses datagrams before the crash.
const WARM_UP: u64 = 30 * SECOND;

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
        Outcome::of(&world.net.views, PERIOD)
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
    let least = (WARM_UP + plan.window * PERIOD) / SECOND;
    let crashes = runs.iter().map(|(loss, a, b)| Crashes {
        under: format!("{loss} % loss"),
        nodes: plan.nodes,
        period: format!("{} s", PERIOD / SECOND),
        window: plan.window,
        // Up to a period more till the crash, and till there is one whom all see.
        counted: format!("at least {least} s each"),
        is_target: *loss != 10,
        false_most: false_deaths(b),
        ours: a,
        theirs: b,
    });
    Ok(Crashes::rows(&crashes.collect::<Vec<_>>()))
}
