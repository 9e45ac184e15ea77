//! One node on a bench, a module for each subject: `cargo test -p swim-core --test node probe::`.
//!
//! In one program, because each has to be linked.

mod abuse;
mod conflict;
mod doubts;
mod examples;
mod gossip;
mod heal;
mod identity;
mod introductions;
mod join;
mod late;
mod laws;
mod leave;
mod malice;
mod many;
#[path = "../net/mod.rs"]
mod net;
mod news;
mod opaque;
mod probe;
mod profile;
mod properties;
mod retold;
mod sends;
mod suspicion;
mod switches;
mod time;
#[path = "../util/mod.rs"]
mod util;
