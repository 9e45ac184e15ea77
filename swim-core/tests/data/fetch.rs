//! What is lacking is asked for until it has come, where answers are used up and no sync shows it again.

use std::time::Duration;

use crate::net::Net;
use swim_core::{Command, Config};

/// All write more than answers carry. Whoever is refused, or is shown more while it asks for less, gets all the same, about
/// as fast as answers may be given.
#[test]
fn what_answers_are_used_up_for_is_not_forgotten() {
    const N: usize = 12;
    const ROUNDS: usize = 20;
    let mut config = Config::lan("c");
    config.sync_rate = 4_096;
    // Nothing but gossip shows anything in the first half of it.
    config.sync_patience = Duration::from_secs(120);
    config.sync_backoff_max = Duration::from_secs(120);
    let mut net = Net::whole(N, &config, 3);
    for round in 0..ROUNDS {
        for i in 0..N {
            for half in 0..2 {
                let key = format!("key-{round}-{half}");
                net.command(i, Command::Put { key: &key, value: &[round as u8; 100], ttl: None });
            }
        }
        net.run(100);
    }
    // Entries of some 115 bytes, to each of the others; every node answers with so many bytes a second.
    let (entries, ideal) = (N * (N - 1) * 2 * ROUNDS, (N - 1) * 2 * ROUNDS * 115 * 1_000 / 4_096);
    net.run(2 * ideal as u64);
    let held = |of: usize| net.nodes.iter().map(|node| node.state_version(crate::net::id(of)) as usize).sum::<usize>();
    let lacking = (0..N).map(|of| 2 * ROUNDS * N - held(of)).sum::<usize>();
    let refused = net.stat(|stats| stats.digests_refused);
    println!("{lacking} of {entries} entries lack after {} ms; {refused} digests refused", 2 * ideal);
    assert!(refused > 1_000, "answers are used up");
    // Some hear of somebody's last writes too rarely, and wait for a sync.
    assert!(lacking * 100 < entries, "{lacking} of {entries}");
}
