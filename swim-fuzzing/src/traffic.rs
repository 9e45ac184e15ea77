//! What three real nodes say to each other, and what they look like: the seeds of the targets that take frames and
//! snapshots.

use std::collections::BTreeMap;
use std::time::Duration;

use swim_core::wire::Frame;
use swim_core::{Command, Config, Input, Profile, StopPolicy};

use crate::lockstep::World;

/// Frames and snapshots.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    /// One of every message with every set of sections.
    pub frames: Vec<Vec<u8>>,
    /// Of two nodes at every turn of the story.
    pub snapshots: Vec<Vec<u8>>,
}

/// Three nodes meet, write, tell, lose sight of one of them, and find it again; one leaves.
///
/// # Panics
/// When one of them does not bear it.
pub fn traffic() -> Traffic {
    let mut config = Config::local("fuzz");
    config.members_reserved = 0;
    config.rumor_stop = StopPolicy::Counter(2);
    config.evidence_max = 32;
    let mut world = World::new(&config, 1);
    world.keep_frames();
    let mut traffic = Traffic::default();
    let mut turn = |world: &mut World, seconds| {
        world.calm(Duration::from_secs(seconds), |_| false);
        traffic.snapshots.extend(world.snapshots().take(2));
    };
    turn(&mut world, 0);
    world.join();
    turn(&mut world, 2);
    let profile = Profile::new("web-1", b"zone=a").expect("both are short");
    world.give(1, Input::Command(Command::SetProfile(&profile)));
    let ttl = Some(Duration::from_secs(3));
    world.give(0, Input::Command(Command::Put { key: "role", value: b"db", ttl: None }));
    world.give(1, Input::Command(Command::Put { key: "lease", value: b"1", ttl }));
    world.give(2, Input::Command(Command::Broadcast { topic: "deploy", payload: b"17" }));
    turn(&mut world, 2);
    world.cut = Some(2);
    world.give(1, Input::Command(Command::Delete { key: "lease" }));
    world.give(1, Input::Command(Command::Broadcast { topic: "", payload: &[7; 300] }));
    turn(&mut world, 1);
    world.give(0, Input::Command(Command::Put { key: "note", value: &[b'x'; 400], ttl: None }));
    turn(&mut world, 10);
    world.cut = None;
    turn(&mut world, 20);
    world.give(0, Input::Command(Command::Leave));
    turn(&mut world, 1);
    traffic.frames = chosen(world.frames());
    traffic
}

fn chosen(frames: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut by_shape: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for bytes in frames {
        let f = Frame::parse(bytes).expect("it was sent");
        let message = f.message.map_or(String::new(), |message| format!("{message:?}"));
        let kind = message.split(' ').next().unwrap_or_default();
        let details = f.updates().any(|item| item.detail().is_some());
        let lists = [
            f.updates().next().is_some(),
            details,
            f.rows().next().is_some(),
            f.asks_who,
            f.held().next().is_some(),
            f.wanted().next().is_some(),
            f.app_hash != 0,
            f.summaries().next().is_some(),
            f.states().next().is_some(),
            f.rumors().next().is_some(),
            f.known().next().is_some(),
            f.cookie.is_some(),
            f.proof.is_some(),
        ];
        by_shape.entry(format!("{kind} {lists:?}")).or_insert_with(|| bytes.clone());
    }
    by_shape.into_values().collect()
}
