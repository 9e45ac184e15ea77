//! What a cluster in which nothing happens sends, without loss and with it.

use super::peer::Peer;
use super::world::{SECOND, World};
use super::{Plan, each_seed, formed};
use crate::table::{Mean, Row, mean, runs};

/// Of IPv4 and UDP.
const HEADERS: f64 = 28.0;
const WARM_UP: u64 = 60 * SECOND;
const SPAN: u64 = 120 * SECOND;
/// No more runs than this: each is a mean over all nodes and two minutes.
const RUNS: u64 = 5;

/// Per node and second, in one run: datagrams, and their bytes without headers of IP and UDP, but with the envelope.
struct Rate {
    datagrams: f64,
    bytes: f64,
}

/// The same of so many runs.
struct Rates {
    datagrams: Mean,
    bytes: Mean,
    /// Headers in.
    wire: Mean,
    runs: usize,
}

fn rates<P: Peer>(plan: &Plan, loss: u64) -> Result<Rates, String> {
    let of_seed = |seed| {
        let mut world = World::<P>::joining(plan.nodes, seed, SECOND, plan.tuning).formed()?;
        world.net.loss_percent = loss;
        world.run(WARM_UP);
        let before = world.net.sent;
        world.run(SPAN);
        let (datagrams, bytes) = (world.net.sent.datagrams - before.datagrams, world.net.sent.bytes - before.bytes);
        let node_seconds = plan.nodes as f64 * SPAN as f64 / SECOND as f64;
        Some(Rate {
            datagrams: datagrams as f64 / node_seconds,
            bytes: (bytes + P::ENVELOPE * datagrams) as f64 / node_seconds,
        })
    };
    let all = formed::<P, Rate>(each_seed(plan, plan.seeds.min(RUNS), of_seed))?;
    eprintln!("traffic of {}, {loss} % loss: {} clusters", P::NAME, all.len());
    let of = |rate: fn(&Rate) -> f64| mean(all.iter().map(rate));
    Ok(Rates {
        datagrams: of(|rate| rate.datagrams),
        bytes: of(|rate| rate.bytes),
        wire: of(|rate| rate.bytes + HEADERS * rate.datagrams),
        runs: all.len(),
    })
}

pub(super) fn rows<A: Peer, B: Peer>(plan: &Plan) -> Result<Vec<Row>, String> {
    let (a, b) = (rates::<A>(plan, 0)?, rates::<B>(plan, 0)?);
    // A ping and its ack per period; what lies across the ends of the span may make a few more.
    let is_two = a.datagrams.mean < 2.005;
    let datagrams = Row {
        what: format!("steady traffic, N={}, no loss: datagrams per node and s, {}", plan.nodes, over(&a, &b)),
        ours: format!("{:.3}", a.datagrams.mean),
        theirs: format!("{:.3}", b.datagrams.mean),
        ratio: Some(a.datagrams.mean / b.datagrams.mean),
        gate: "≤ 2.00, rounded".into(),
        aim: "2.00".into(),
        holds: Some((is_two, is_two)),
    };
    let bytes = Row {
        what: "the same: B per node and s, headers of IP and UDP in".into(),
        ours: format!("{:.1}", a.wire.mean),
        theirs: format!("{:.1}", b.wire.mean),
        ratio: Some(a.wire.mean / b.wire.mean),
        gate: "≤ 150".into(),
        aim: "130".into(),
        holds: Some((a.wire.mean <= 150.0, a.wire.mean <= 130.0)),
    };
    let lossy = plan.loss.iter().filter(|&&loss| loss > 0).map(|&loss| lossy::<A, B>(plan, loss));
    [Ok(datagrams), Ok(bytes)].into_iter().chain(lossy).collect()
}

/// Of how many runs the means are, and how long each is.
fn over(a: &Rates, b: &Rates) -> String {
    format!("mean of {} of {} s", runs(a.runs, b.runs), SPAN / SECOND)
}

fn lossy<A: Peer, B: Peer>(plan: &Plan, loss: u64) -> Result<Row, String> {
    let (a, b) = (rates::<A>(plan, loss)?, rates::<B>(plan, loss)?);
    let ratio = a.bytes.mean / b.bytes.mean;
    let is_target = loss == 20;
    let told =
        |rates: &Rates| format!("{:.0} ± {:.0} ({:.2})", rates.bytes.mean, rates.bytes.error, rates.datagrams.mean);
    Ok(Row {
        what: format!(
            "traffic at {loss} % loss, N={}: payload, B per node and s (datagrams), {}",
            plan.nodes,
            over(&a, &b)
        ),
        ours: told(&a),
        theirs: told(&b),
        ratio: Some(ratio),
        gate: if is_target { "≤ 0.5 × foca".into() } else { String::new() },
        aim: if is_target { "0.3 ×".into() } else { String::new() },
        holds: is_target.then_some((ratio <= 0.5, ratio <= 0.3)),
    })
}
