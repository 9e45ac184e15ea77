//! A member that heard nothing for a while, and is back: what it came to believe meanwhile harms nobody.

mod util;

use swim_core::{Config, Event};
use swim_sim::{Way, secs};
use util::*;

/// It was heard all the time, but held for dead, so nobody listened when it accused others. They must hear of that before
/// its suspicions run out: here a healthy member would be dead for all, 35 s after the fault.
#[test]
fn who_was_accused_by_the_deaf_hears_of_it_in_time() {
    for (seed, n) in [(4, 60), (9, 100)] {
        let (mut w, nodes) = cluster(seed, n, Config::lan("sim"));
        let deaf = nodes[n - 1];
        w.cut(&[deaf], &nodes, Way::From);
        w.run(secs(20));
        w.heal();
        let begin = w.now() + secs(2);
        w.run(secs(100));
        for &node in &nodes[..n - 1] {
            let dead = since(&w, node, begin).find(|(_, event)| matches!(event, Event::MemberDown { .. }));
            assert!(dead.is_none(), "seed {seed}: {node:?} tells {dead:?}");
        }
    }
}
