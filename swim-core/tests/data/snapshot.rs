//! Snapshots of nodes with states and rumors: a restored one does the same ever after, and a broken one breaks nothing.

use std::time::Duration;

use crate::net::{Net, addr};
use swim_core::{Command, Config, Identity, Input, Instant, Node, NodeId, Profile, RestoreError, StopPolicy};

/// Knuth's generator, the upper bits of it.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

const NODES: usize = 5;

/// Mutations of each snapshot.
const ROUNDS: u32 = if cfg!(debug_assertions) { 1_000 } else { 10_000 };

/// Writes of all nodes, while a fifth of what is sent is lost.
fn live_on(net: &mut Net, dice: &mut Dice, steps: usize) {
    for step in 0..steps {
        let (i, key) = (dice.below(NODES), format!("key-{}", dice.below(5)));
        let value = vec![step as u8; [2, 60, 800][dice.below(3)]];
        let ttl = (dice.below(3) == 0).then(|| Duration::from_millis(dice.below(5_000) as u64));
        match dice.below(4) {
            0 => net.command(i, Command::Delete { key: &key }),
            1 => net.command(i, Command::Broadcast { topic: &key, payload: &value }),
            _ => net.command(i, Command::Put { key: &key, value: &value, ttl }),
        }
        net.run(dice.below(400) as u64);
    }
}

fn config(dice: &mut Dice) -> Config {
    let mut config = Config::lan("c");
    // Arena and window are full at once, and tombstones go while the test looks on.
    (config.rumors_max, config.rumor_window, config.tombstone_ttl) = (16, 64, Duration::from_secs(10));
    config.rumor_stop = [StopPolicy::Budget(170), StopPolicy::Counter(2), StopPolicy::Coin(3)][dice.below(3)];
    config
}

/// What is drawn for this seed, and nodes that have met.
fn met(seed: u64) -> (Dice, Net) {
    let mut dice = Dice(seed);
    let config = config(&mut dice);
    let net = Net::whole(NODES, &config, seed);
    (dice, net)
}

/// A copy that was written and read back in the middle of everything sends, tells and waits for the same as the node, to the
/// last byte, and writes the same snapshot in the end.
#[test]
fn a_restored_node_does_the_same() {
    for seed in 1..=if cfg!(debug_assertions) { 12 } else { 60 } {
        let (mut dice, mut net) = met(seed);
        net.loss = 20;
        live_on(&mut net, &mut dice, 20 + seed as usize);
        let i = dice.below(NODES);
        let (said, heard) = (net.nodes[i].stats().deltas_applied, net.heard[i].len());
        net.twin = Some((i, Node::restore(&net.nodes[i].snapshot()).expect("it was written by a node")));
        live_on(&mut net, &mut dice, 60);
        net.loss = 0;
        net.run(20_000);
        let (_, twin) = net.twin.take().expect("it has lived as long");
        assert_eq!(twin.snapshot(), net.nodes[i].snapshot(), "seed {seed}");
        assert_eq!(twin.app_hash(), net.nodes[i].app_hash());
        let (said, heard) = (net.nodes[i].stats().deltas_applied - said, net.heard[i].len() - heard);
        assert!(said > 10 && heard > 3, "{said} deltas and {heard} rumors have come meanwhile");
    }
}

/// A snapshot in which bytes were changed is refused, or is that of a node that goes on, whatever comes.
#[test]
fn a_mutated_snapshot_breaks_nothing() {
    let (mut refused, mut lived) = (0, 0);
    for seed in 1..=8 {
        let (mut dice, mut net) = met(seed);
        (net.keep_frames, net.loss) = (true, 20);
        live_on(&mut net, &mut dice, 60);
        let to_me: Vec<(usize, Vec<u8>)> =
            net.seen.iter().filter(|seen| seen.1 == 2).map(|(from, _, bytes)| (*from, bytes.clone())).collect();
        let snapshot = net.nodes[2].snapshot();
        for _ in 0..ROUNDS {
            let mut bytes = snapshot.clone();
            for _ in 0..=dice.below(2) {
                let at = 4 + dice.below(bytes.len() - 4);
                let flipped = bytes[at] ^ 1 << dice.below(8);
                bytes[at] = [0, 1, 0x7f, 0xff, flipped, bytes[at].wrapping_add(1)][dice.below(6)];
            }
            let Ok(mut node) = Node::restore(&bytes) else {
                refused += 1;
                continue;
            };
            lived += 1;
            use_up(&mut node, &to_me, &mut dice);
        }
    }
    println!("{refused} refused, {lived} lived on");
    assert!(refused > ROUNDS && lived > ROUNDS, "{refused} refused, {lived} lived on");
}

/// Inputs of all kinds.
fn use_up(node: &mut Node, frames: &[(usize, Vec<u8>)], dice: &mut Dice) {
    let mut now = node.poll_timeout().unwrap_or(Instant::ORIGIN);
    let mut buf = [0; 2_000];
    for step in 0..12 {
        let (from, bytes) = &frames[dice.below(frames.len())];
        let key = format!("key-{}", dice.below(5));
        match step % 6 {
            0 => node.handle(now, Input::Command(Command::Broadcast { topic: "t", payload: &[1; 100] })),
            1 => node.handle(now, Input::Command(Command::Put { key: &key, value: b"1", ttl: None })),
            2 => node.handle(now, Input::Command(Command::Delete { key: &key })),
            3 => node.handle(now, Input::Datagram { from: addr(*from), bytes }),
            _ => node.handle(now, Input::Timeout),
        }
        while node.poll_transmit(&mut buf).is_some() {}
        while node.poll_event().is_some() {}
        let due = node.poll_timeout().filter(|due| due.as_micros() < u64::MAX / 2);
        now = due.unwrap_or(now).max(now).plus_micros(dice.below(100_000) as u64);
    }
    let ids: Vec<NodeId> = node.members().map(|m| m.id()).collect();
    assert!(ids.iter().map(|&id| node.state(id).map(|e| e.key.len()).sum::<usize>()).sum::<usize>() < 1 << 20);
    assert_eq!(node.check(), Ok(()));
}

/// A snapshot that is cut off, at whatever byte, is refused, and so is one with something behind it. What a change of the
/// profile waits for is part of it.
#[test]
fn a_snapshot_that_is_cut_off_is_refused() {
    let mut net = Net::whole(NODES, &Config::lan("c"), 5);
    live_on(&mut net, &mut Dice(9), 20);
    for meta in [[1; 30], [2; 30]] {
        net.command(0, Command::SetProfile(&Profile::new("n0", &meta).unwrap()));
    }
    let whole = net.nodes[0].snapshot();
    assert!(whole.windows(30).any(|w| w == [2; 30]), "what waits is written");
    for cut in 0..whole.len() {
        assert_eq!(Node::restore(&whole[..cut]).err(), Some(RestoreError::Malformed), "cut off at {cut}");
    }
    assert_eq!(Node::restore(&[&whole[..], &[0]].concat()).err(), Some(RestoreError::Malformed));
    assert!(Node::restore(&whole).is_ok_and(|node| node.snapshot() == whole));
}

/// What a snapshot of this build looks like. When the hash is another one, the layout is: raise `Node::SNAPSHOT_VERSION`,
/// and write both here. When it is another one because a node does something else in these few inputs, the hash alone.
const PINNED: (u16, u64) = (8, 0x0d15_ebdc_23d3_3019);

#[test]
fn the_layout_has_a_version() {
    let me = Identity {
        id: NodeId::new(1),
        addr: addr(1),
        epoch: 3,
        profile: Profile::new("a name that is too long for its row", b"m").unwrap(),
    };
    let mut node = Node::new(me, Config::lan("c"), 1, Instant::from_millis(5)).unwrap();
    let mut buf = [0; 1_400];
    let long = [7; 600];
    let commands = [
        Command::Join(&[addr(9)]),
        Command::Put { key: "a", value: b"1", ttl: None },
        Command::Put { key: "b", value: &long, ttl: Some(Duration::from_secs(9)) },
        Command::Put { key: "c", value: b"3", ttl: None },
        Command::Delete { key: "c" },
        Command::Broadcast { topic: "t", payload: b"p" },
        Command::Broadcast { topic: "", payload: &long },
    ];
    for command in commands {
        node.handle(Instant::from_millis(6), Input::Command(command));
        while node.poll_transmit(&mut buf).is_some() {}
        while node.poll_event().is_some() {}
    }
    // FNV-1a: any hash does, so one that needs no crate.
    let fnv = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = node.snapshot()[4..].iter().fold(0xcbf2_9ce4_8422_2325, fnv);
    assert_eq!((Node::SNAPSHOT_VERSION, hash), PINNED, "the layout of a snapshot has changed: {hash:#018x}");
}

/// Where members lie in a node's tables depends on a key that nobody else has. Nothing else does: a twin with another key does
/// the same, bit for bit, and what is written of either is the same.
#[test]
fn the_key_of_the_tables_decides_nothing() {
    for seed in 1..=3 {
        let mut net = Net::whole(8, &Config::lan("c"), seed);
        let mut twin = net.nodes[2].clone();
        twin.place_by([seed, 0x0123_4567_89ab_cdef]);
        assert_eq!(twin.check(), Ok(()));
        net.twin = Some((2, twin));
        net.loss = 10;
        live_on(&mut net, &mut Dice(seed), 60);
        let (_, twin) = net.twin.as_ref().expect("it lives as long");
        assert!(net.nodes[2].snapshot() == twin.snapshot(), "seed {seed}");
    }
}

/// What a datagram says is the same whether it comes the short way, which is that of nearly all, or has something behind it
/// that nobody looks at, for which there is the long way alone.
#[test]
fn the_short_way_does_what_the_long_way_does() {
    for seed in 1..=if cfg!(debug_assertions) { 6 } else { 60 } {
        let (mut dice, mut net) = met(seed);
        net.twin_goes_long = true;
        let i = dice.below(NODES);
        net.twin = Some((i, Node::restore(&net.nodes[i].snapshot()).expect("it was written by a node")));
        for loss in [0, 20, 0] {
            net.loss = loss;
            live_on(&mut net, &mut dice, 20);
            net.run(120_000);
        }
        let (_, twin) = net.twin.take().expect("it has lived as long");
        let of = |node: &Node| {
            let mut stats = *node.stats();
            stats.bytes_received = 0;
            format!("{stats:?} {:?}", node.members().collect::<Vec<_>>())
        };
        assert_eq!(of(&twin), of(&net.nodes[i]), "seed {seed}");
        assert!(twin.stats().bytes_received > net.nodes[i].stats().bytes_received, "it has heard more");
    }
}
