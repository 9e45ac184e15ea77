//! Laws of application data over arbitrary networks: what comes late, twice, in any order or never changes nothing of where
//! all arrive.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::net::{Net, addr, id};
use swim_core::{Command, Config, Input, StopPolicy};

/// Knuth's generator, the upper bits of it.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

const NODES: usize = 3;

const SEEDS: u64 = 200;

/// One write of any kind by any node.
fn write(net: &mut Net, dice: &mut Dice, told: &mut u32) {
    let i = dice.below(NODES);
    let key = format!("key-{}", dice.below(6));
    // Some values do not fit into what is told to everybody.
    let value = vec![dice.below(256) as u8; [3, 40, 300, 900][dice.below(4)]];
    match dice.below(8) {
        0 | 1 => net.command(i, Command::Delete { key: &key }),
        2 => {
            let ttl = Some(Duration::from_millis(500 + dice.below(20_000) as u64));
            net.command(i, Command::Put { key: &key, value: &value, ttl });
        }
        3 | 4 => {
            *told += 1;
            net.command(i, Command::Broadcast { topic: "t", payload: &told.to_le_bytes() });
        }
        _ => net.command(i, Command::Put { key: &key, value: &value, ttl: None }),
    }
}

/// One node hears nothing for longer than tombstones may last, while the others write.
fn cut_off(net: &mut Net, dice: &mut Dice, told: &mut u32) {
    let i = dice.below(NODES);
    net.cut[i] = true;
    for _ in 0..8 {
        write(net, dice, told);
        net.run(4_000);
    }
    net.cut[i] = false;
}

/// A datagram of any age comes once more, where it was meant to go.
fn replay(net: &mut Net, dice: &mut Dice) {
    if !net.seen.is_empty() {
        let (from, to, bytes) = net.seen[dice.below(net.seen.len())].clone();
        net.handle(to, Input::Datagram { from: addr(from), bytes: &bytes });
    }
}

fn agree(net: &Net) -> bool {
    let same = |i: usize, of: usize| {
        let (held, own) = (net.nodes[i].state(id(of)), net.nodes[of].state(id(of)));
        held.map(|e| (e.key, e.value, e.version)).eq(own.map(|e| (e.key, e.value, e.version)))
    };
    let hash = net.nodes[0].app_hash();
    (0..NODES).all(|i| net.nodes[i].app_hash() == hash && (0..NODES).all(|of| same(i, of)))
}

/// Whatever was lost, repeated, held up or reordered, old datagrams included: after a quiet time all states are those of
/// their owners, and each rumor was delivered once at most; what was told while everything passed, exactly once.
#[test]
fn order_multiplicity_and_loss_do_not_matter() {
    let mut replayed = 0;
    for seed in 1..=SEEDS {
        let mut dice = Dice(seed);
        let mut config = Config::lan("c");
        config.tombstone_ttl = Duration::from_secs([20, 600][dice.below(2)]);
        // Nobody is found dead, so that what was cut off has missed something, and is no newcomer.
        config.suspicion_alpha_percent = 100_000;
        config.rumor_stop = [StopPolicy::Budget(170), StopPolicy::Counter(2), StopPolicy::Coin(3)][dice.below(3)];
        let mut net = Net::whole(NODES, &config, seed);
        (net.keep_frames, net.loss) = (true, [10, 40, 70][dice.below(3)]);
        let mut told = 0;
        for _ in 0..120 {
            match dice.below(3) {
                _ if dice.below(60) == 0 => cut_off(&mut net, &mut dice, &mut told),
                0 => write(&mut net, &mut dice, &mut told),
                1 => {
                    replayed += 1;
                    replay(&mut net, &mut dice);
                }
                _ => net.run(dice.below(800) as u64),
            }
        }
        net.loss = 0;
        net.run(90_000);
        for _ in 0..50 {
            // All of it is old.
            replay(&mut net, &mut dice);
        }
        net.run(30_000);
        assert!(agree(&net), "seed {seed}");
        for (i, heard) in net.heard.iter().enumerate() {
            let different: BTreeSet<_> = heard.iter().collect();
            assert_eq!(different.len(), heard.len(), "seed {seed}: a rumor was delivered twice by node {i}");
        }
        let before: Vec<usize> = net.heard.iter().map(Vec::len).collect();
        net.command(dice.below(NODES), Command::Broadcast { topic: "last", payload: b"" });
        net.run(10_000);
        assert!(net.heard.iter().zip(before).all(|(heard, before)| heard.len() == before + 1), "seed {seed}");
        assert!(net.nodes.iter().all(|node| node.me().incarnation().epoch() == 1), "old datagrams are no other life");
    }
    assert!(replayed > 30 * SEEDS, "{replayed} old datagrams have come");
}
