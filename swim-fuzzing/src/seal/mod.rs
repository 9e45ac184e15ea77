//! Target: sealed datagrams between members, strangers, a liar, and somebody on the path who keeps, changes, repeats and makes
//! whatever the script says, at any time, while keys are exchanged and ends start anew. What has to hold is in `world`.

pub(crate) mod party;
pub(crate) mod world;

use std::time::Duration;

use self::party::Kind;
use self::world::{LIAR, STRANGERS, World};
use crate::bytes::Bytes;

/// Inputs of a script at most: more show nothing new, and take longer.
const STEPS_MAX: usize = 250;

/// Plays a script.
///
/// # Panics
/// When there is a bug.
pub fn target(data: &[u8]) {
    let mut script = Bytes::new(data);
    let mut world = World::new(&mut script);
    for _ in 0..STEPS_MAX {
        if script.is_empty() {
            break;
        }
        step(&mut world, &mut script);
    }
    world.pass(Duration::from_secs(12), 0);
}

fn step(world: &mut World, script: &mut Bytes<'_>) {
    match script.u8() % 16 {
        0 | 1 => say(world, script),
        2 | 3 => talk(world, script),
        4 => {
            let at = pick(world, script);
            let said = world.said(at);
            let (to, from, bytes) = (said.to, said.from, said.bytes.clone());
            world.give(to, from, &bytes);
        }
        5 => repeat(world, script),
        6 => {
            let bytes = changed(world, script);
            anywhere(world, script, &bytes);
        }
        7 => {
            let bytes = mixed(world, script);
            anywhere(world, script, &bytes);
        }
        8 => {
            let bytes = headed(world, script);
            anywhere(world, script, &bytes);
        }
        9 => {
            let bytes = world.plain(script.some(80));
            anywhere(world, script, &bytes);
        }
        10 | 11 => {
            let millis = u64::from(script.u16()) % 20_000;
            world.pass(Duration::from_millis(millis), script.u8());
        }
        12 => keys(world, script),
        13 => {
            let who = script.below(world.len());
            world.restart(who);
        }
        14 => {
            let (from, count) = (script.below(world.len()), usize::from(script.u16()));
            // Past a whole window seldom, since each is sealed.
            world.skip(from, if count % 16 == 15 { count / 16 % 1_200 } else { count / 16 % 20 });
        }
        _ => forge(world, script),
    }
}

/// One says something to another, which comes, or does not come yet.
fn say(world: &mut World, script: &mut Bytes<'_>) {
    let (from, to) = (script.below(world.len()), script.below(world.len()));
    let len = match script.u8() {
        long @ 240.. => 300 + 70 * (usize::from(long) - 240),
        short => usize::from(short) / 2,
    };
    let said = world.say(from, to, len);
    if let Some(at) = said.filter(|_| script.flag()) {
        let (from, bytes) = (world.said(at).from, world.said(at).bytes.clone());
        world.give(to, from, &bytes);
    }
}

/// One says something to another, and all that follows comes at once.
fn talk(world: &mut World, script: &mut Bytes<'_>) {
    let (from, to) = (script.below(world.len()), script.below(world.len()));
    let first = world.count();
    world.say(from, to, 40);
    world.deliver_from(first);
}

/// Something that was said comes to anybody, from any address, perhaps often.
fn repeat(world: &mut World, script: &mut Bytes<'_>) {
    let at = pick(world, script);
    let bytes = world.said(at).bytes.clone();
    let to = script.below(world.len());
    match script.u8() {
        many @ 240.. => (0..many - 239).for_each(|n| world.give(to, world::address(100 + n), &bytes)),
        from => world.give(to, world::address(from % 8), &bytes),
    }
}

fn anywhere(world: &mut World, script: &mut Bytes<'_>, bytes: &[u8]) {
    let to = script.below(world.len());
    let from = world::address(script.u8() % 8);
    world.give(to, from, bytes);
}

/// The number of something that was said, more often of what was said last.
fn pick(world: &World, script: &mut Bytes<'_>) -> usize {
    let last = world.count() - 1;
    let back = match script.u8() {
        near @ 0..=191 => usize::from(near % 16),
        _ => usize::from(script.u16()),
    };
    last - back % world.count()
}

/// Something that was said with some bytes changed, cut off or put behind.
fn changed(world: &World, script: &mut Bytes<'_>) -> Vec<u8> {
    let mut bytes = world.said(pick(world, script)).bytes.clone();
    for _ in 0..=script.below(3) {
        let at = usize::from(script.u16()) % bytes.len().max(1);
        match script.u8() % 6 {
            0 | 1 if at < bytes.len() => bytes[at] ^= 1 << script.below(8),
            2 if at < bytes.len() => bytes[at] = script.u8(),
            // The header, where every byte decides something.
            3 if at < bytes.len() => {
                let at = at % bytes.len().min(26);
                bytes[at] = bytes[at].wrapping_add(script.u8());
            }
            4 => bytes.truncate(at),
            _ => bytes.extend_from_slice(script.some(40)),
        }
    }
    bytes
}

/// The header of one datagram, and what is behind it of another.
fn mixed(world: &World, script: &mut Bytes<'_>) -> Vec<u8> {
    let (a, b) = (&world.said(pick(world, script)).bytes, &world.said(pick(world, script)).bytes);
    let at = [2, 4, 20, 26, 47][script.below(5)].min(a.len()).min(b.len());
    [&a[..at], &b[at..]].concat()
}

/// Any bytes, perhaps behind what stands in front of every sealed datagram, and behind the session of one that is known.
fn headed(world: &World, script: &mut Bytes<'_>) -> Vec<u8> {
    let front = [0, 1, 2, 4, 20][script.below(5)];
    let mut bytes = world.said(pick(world, script)).bytes.clone();
    bytes.truncate(front);
    bytes.extend_from_slice(script.some(160));
    bytes
}

/// Somebody gets other keys.
fn keys(world: &mut World, script: &mut Bytes<'_>) {
    let who = script.below(LIAR + 1);
    let set = script.u8() % 15 + 1;
    let keys: Vec<u8> = (1..=4).filter(|n| set >> (n - 1) & 1 == 1).collect();
    let in_use = script.pick(&keys);
    world.set_keys(who, &keys, in_use);
}

/// A member that lies says any control message, and a stranger says what he can.
fn forge(world: &mut World, script: &mut Bytes<'_>) {
    let who = if script.flag() { LIAR } else { STRANGERS.start };
    debug_assert!(world.kind(who) != Kind::Honest);
    let to = script.below(world.len());
    let mut body = script.some(40).to_vec();
    if script.flag() {
        body.resize(21, 0);
    }
    if let Some(at) = world.forge(who, to, &body) {
        let (from, bytes) = (world.said(at).from, world.said(at).bytes.clone());
        world.give(to, from, &bytes);
    }
}
