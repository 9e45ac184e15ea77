//! What a plan says of memory, counted by the allocator itself.

#[path = "util/heap.rs"]
mod heap;

use std::net::SocketAddr;

use swim_core::wire::{Detail, Item, More, Writer};
use swim_core::{Config, Incarnation, NodeId, State, Status};
use swim_sim::plan::{Plan, Question};
use swim_sim::{World, millis};

/// Bytes that one node holds that has been told of so many members, each by itself; its view is published, too.
fn held(members: usize) -> f64 {
    let before = heap::live();
    let mut w = World::with_config(1, Config::lan("sim"));
    w.log_events = false;
    let node = w.spawn_with("node-00000", |setup| setup.publish_members = true);
    let empty = heap::live();
    for i in 1..members {
        let addr = SocketAddr::from(([172, 16, (i >> 8) as u8, i as u8], 7946));
        // It is believed when it can show that it is heard.
        w.inject(node, addr, &introduction(i, addr, None));
        w.run(millis(0));
        let cookie = w.node(node).cookie_for(addr, NodeId::from_name(&name(i)));
        w.inject(node, addr, &introduction(i, addr, Some(cookie)));
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

fn introduction(i: usize, addr: SocketAddr, proof: Option<u64>) -> Vec<u8> {
    let name = name(i);
    let (id, life) = (NodeId::from_name(&name), Incarnation::new(1 << 30, 1));
    let mut buf = vec![0; 1_000];
    let mut writer = Writer::new(&mut buf, id, life, 0).unwrap();
    assert!(writer.open_rows());
    let detail = Detail { at: life, addr, name: &name, meta: b"" };
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
