//! What a plan says of memory, counted by the allocator itself.

#[path = "util/heap.rs"]
mod heap;

use std::net::SocketAddr;

use swim_core::wire::{Detail, Frame, Item, Message, More, Writer};
use swim_core::{Config, Incarnation, Input, Instant, Node, NodeId, State, Status};
use swim_sim::plan::{Plan, Question};
use swim_sim::{World, millis};

/// Bytes that one node holds that has been told of so many members, each by itself; its view is published, too.
fn held(members: usize) -> f64 {
    let before = heap::live();
    let mut w = World::with_config(1, Config::lan("sim"));
    w.log_events = false;
    let node = w.spawn_with("node-00000", |setup| setup.publish_members = true);
    let empty = heap::live();
    // The first is believed when it can show that it is heard, and tells of all others.
    w.inject(node, addr(1), &frame(1, None, cookie(w.node(node))));
    w.run(millis(0));
    for i in 2..members {
        w.inject(node, addr(1), &frame(i, Some(Message::Push), None));
        w.run(millis(0));
    }
    // Nobody answers, so it is over before the first probe has failed.
    assert_eq!(w.node(node).live_count(), members);
    let view = w.handle(node).view();
    assert_eq!(view.live_count(), members);
    let held = heap::live();
    drop(view);
    assert!(held >= empty && empty > before);
    (held - before) as f64
}

fn name(i: usize) -> String {
    format!("node-{i:05}")
}

fn addr(i: usize) -> SocketAddr {
    SocketAddr::from(([172, 16, (i >> 8) as u8, i as u8], 7946))
}

/// The cookie that a copy of this node asks the first member for.
fn cookie(node: &Node) -> Option<u64> {
    let (mut twin, mut buf) = (node.clone(), vec![0; 1_400]);
    let pull = frame(1, Some(Message::Pull { nonce: 1 }), None);
    twin.handle(Instant::ORIGIN, Input::Datagram { from: addr(1), bytes: &pull });
    let len = twin.poll_transmit(&mut buf)?.len;
    Frame::parse(&buf[..len]).unwrap().cookie
}

/// A frame of the first member with the row of this one.
fn frame(i: usize, message: Option<Message>, proof: Option<u64>) -> Vec<u8> {
    let (name, sender) = (name(i), NodeId::from_name(&name(1)));
    let (id, life) = (NodeId::from_name(&name), Incarnation::new(1 << 30, 1));
    let mut buf = vec![0; 1_000];
    let mut writer = Writer::new(&mut buf, sender, life, 0).unwrap();
    assert!(message.is_none_or(|message| writer.message(message)) && writer.open_rows());
    let detail = Detail { at: life, addr: addr(i), name: &name, meta: b"" };
    assert!(writer.item(&Item { id, status: Status::new(life, State::Alive), more: More::Detail(detail) }));
    writer.close_section();
    assert!(proof.is_none_or(|proof| writer.proof(proof)));
    let written = writer.written();
    buf.truncate(written);
    buf
}

#[test]
fn memory_is_about_as_planned() {
    let config = Config::lan("sim");
    for members in [2, 256, 1_000, 4_096] {
        let (measured, planned) = (held(members), Plan::of(&Question::new(&config, members)).memory.bytes);
        println!("{members} members: {measured} bytes, {:.0} per row; planned {planned}", measured / members as f64);
        assert!((0.85..1.15).contains(&(measured / planned)), "{members} members: {measured}, planned {planned}");
    }
}
