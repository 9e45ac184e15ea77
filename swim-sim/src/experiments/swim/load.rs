//! Datagrams of a cluster in which nothing happens: a ping and an ack per member and period, whatever the size.

use swim_core::Config;

use super::super::real::Cluster;
use super::super::table::{Cell, Table};
use super::super::tally::Tally;
use super::SwimArgs;
use crate::link::millis;

/// What each member sends and receives.
const PUBLISHED: f64 = 2.0;

pub(super) fn measure(args: &SwimArgs) -> Table {
    let columns = ["nodes", "periods", "sent", "received", "bytes sent"];
    let title = "SWIM, load per member and period without changes (Das et al. 2002)";
    let mut table = Table::new(title.to_owned(), &columns);
    for n in args.sizes() {
        let periods = args.trials();
        let config = Config::lan("sim");
        let span = config.probe_interval * periods;
        let mut c = Cluster::form(args.seed, &[args.table as u64, n as u64], n, config);
        // A latency that does not vary: whoever is under way when the span begins has a counterpart at its end.
        c.w.link.latency_max = c.w.link.latency_min;
        c.w.run(millis(10));
        let counts = |c: &Cluster| -> Vec<[u64; 3]> {
            let of = |&node| {
                let sent = c.w.sent(node);
                [sent.datagrams, c.w.node(node).stats().datagrams_received, sent.wire_bytes()]
            };
            c.nodes.iter().map(of).collect()
        };
        let before = counts(&c);
        c.w.run(span);
        let mut tallies: [Tally; 3] = Default::default();
        for (before, after) in before.iter().zip(counts(&c)) {
            tallies
                .iter_mut()
                .zip(before.iter().zip(after))
                .for_each(|(tally, (before, after))| tally.add(after - before));
        }
        let [sent, received, bytes] = tallies.map(|tally| move |reference| tally.cell(u64::from(periods), reference));
        table.row([
            Cell::Count(n as u64),
            Cell::Count(u64::from(periods)),
            sent(Some(PUBLISHED)),
            received(Some(PUBLISHED)),
            bytes(None),
        ]);
    }
    table.note("mean over the members ±standard error, which tells how members differ (published, exact)");
    table.note(
        "real nodes, preset lan, no loss: a ping and an ack, and none of the gossip ticks that there are with news",
    );
    table.note("bytes with the headers of IPv4 and UDP and the plain envelope");
    table.note("±0: all members sent and received alike");
    table
}
