//! Seventeen members join one after the other while one datagram in ten is lost, section 5 of the paper: how large the
//! group is after 175 s.
//!
//! Published are three versions of SWIM: basic, with dissemination by infection, and with suspicion. Our nodes cannot be
//! made into the first two, and what they add is the point: a member that is taken for dead returns. So the paper's versions
//! are a model ([`super::group`]), and the nodes themselves are beside it, as the paper has its own set and as ours are.
//!
//! When they join is not known here; one every 10 s, which ends just before the 175 s, is our reading.

use swim_core::{Config, Event};

use super::super::draws;
use super::super::table::{Cell, Table};
use super::super::tally::Tally;
use super::group::{Group, LOSS, Version};
use super::{SwimArgs, SwimTable, pings_and_acks_alone};
use crate::host::NodeIx;
use crate::link::{millis, secs};
use crate::world::World;

/// When the group is looked at, in seconds.
const END: u64 = 175;
/// Seconds from one join to the next.
const GAP: u64 = 10;
/// The paper's protocol period, in seconds.
const PERIOD: u64 = 2;

const PUBLISHED_NODES: usize = 17;

pub(super) fn measure(args: &SwimArgs) -> Table {
    let title = "SWIM, group size 175 s after joins begin, 10 % loss (Das et al. 2002)";
    let mut table = Table::new(title.to_owned(), &["joins", "version", "trials", "size", "deaths seen"]);
    for n in args.sizes() {
        let mut row = |version: &str, size: Cell, deaths: Cell| {
            let trials = Cell::Count(u64::from(args.trials()));
            table.row([Cell::Count(n as u64), Cell::text(version), trials, size, deaths]);
        };
        let versions = [
            ("model, basic", Version::Basic, 2.0),
            ("model, dissemination", Version::Dissemination, 4.0),
            ("model, suspicion", Version::Suspicion, 12.0),
        ];
        for (name, version, published) in versions {
            let published = (n == PUBLISHED_NODES).then_some(published);
            row(name, model(args, n, version).cell(1, published), Cell::nothing());
        }
        for (name, config) in [("nodes, as in the paper", as_in_the_paper()), ("nodes, preset lan", Config::lan("sim"))]
        {
            let (size, deaths) = real(args, n, &config);
            row(name, size.cell(1_000, None), deaths.cell(1_000, None));
        }
    }
    table.note("mean ±standard error (published)");
    table.note(
        "model: periods of 2 s, one relay, 3⌈ln(n+1)⌉ periods of suspicion; the size is how many have not heard that they failed",
    );
    table.note(
        "model: who is declared failed stays out; a join every 10 s is our reading, since the schedule is not known here",
    );
    table.note("model: it loses nobody with suspicion; what the paper's group lost then, it does not explain");
    table.note(
        "nodes, as in the paper: the same period, relays and suspicion, no local health, no gossip tick; the size is what they see",
    );
    table.note("nodes differ from the paper: who is declared dead returns, and syncs mend views");
    table.note("deaths seen: how often a member was taken for dead by some other, per member that was looking");
    table
}

fn model(args: &SwimArgs, n: usize, version: Version) -> Tally {
    let mut tally = Tally::default();
    for trial in 0..args.trials() {
        let row = [SwimTable::Joins as u64, n as u64, version as u64, u64::from(trial)];
        let mut group = Group::new(version, args.seed, &row);
        for period in 0..END / PERIOD {
            if period * PERIOD % GAP == 0 && period * PERIOD / GAP < n as u64 {
                group.join();
            }
            group.run_a_period();
        }
        tally.add(group.size());
    }
    tally
}

/// Nodes with the settings of the paper's experiment, as far as they have them.
fn as_in_the_paper() -> Config {
    let mut config = pings_and_acks_alone();
    config.probe_interval = secs(PERIOD);
    config.probe_timeout = millis(500);
    config.indirect_probes = 1;
    config.direct_probes = 1;
    config.health_max = 0;
    config.suspicion_confirmations = 0;
    // So many times log10 n periods are about 3 ln(n+1) of them.
    config.suspicion_alpha_percent = 700;
    config
}

/// The mean size, and the deaths that members saw, both in thousandths.
fn real(args: &SwimArgs, n: usize, config: &Config) -> (Tally, Tally) {
    let (mut size, mut deaths) = (Tally::default(), Tally::default());
    for trial in 0..args.trials() {
        let row = [SwimTable::Joins as u64, n as u64, 0, config.probe_interval.as_secs(), u64::from(trial)];
        let mut w = World::with_config(draws(args.seed, &row).next_u64(), config.clone());
        w.link.loss = LOSS;
        for second in 0..END {
            if second % GAP == 0 && second / GAP < n as u64 {
                let node = w.spawn(&format!("n{}", second / GAP));
                if node != NodeIx::FIRST {
                    w.join(node, &[NodeIx::FIRST]);
                }
            }
            w.run(secs(1));
        }
        let nodes = w.nodes().len() as u64;
        let seen: usize = w.nodes().map(|node| w.node(node).live_count()).sum();
        let is_death = |event: &Event| matches!(event, Event::MemberDown { .. });
        let died: usize =
            w.nodes().map(|node| w.events(node).iter().filter(|(_, event)| is_death(event)).count()).sum();
        size.add(1_000 * seen as u64 / nodes);
        deaths.add(1_000 * died as u64 / nodes);
    }
    (size, deaths)
}
