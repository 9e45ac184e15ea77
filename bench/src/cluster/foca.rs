//! Foca, from its registry crate, as its example drives it: the configuration for local networks (which its author has
//! taken from memberlist), the codec of postcard, timers as they are asked for, and errors that are passed over.

use std::num::NonZeroU32;
use std::time::Duration;

use foca::{Config, Foca, Member, NoCustomBroadcast, Notification, PostcardCodec, Runtime, Timer};
use rand::SeedableRng;
use rand::rngs::SmallRng;

use super::net::Net;
use super::peer::Peer;
use crate::foca_id::Id;
use crate::tuning::Tuning;

fn id(node: usize) -> Id {
    Id::new(u32::try_from(node).expect("a cluster has fewer"))
}

fn node(id: &Id) -> usize {
    id.member() as usize
}

impl Runtime<Id> for Net<Timer<Id>> {
    fn notify(&mut self, notification: Notification<'_, Id>) {
        match notification {
            Notification::MemberUp(of) => self.tell(node(of), true),
            Notification::MemberDown(of) => self.tell(node(of), false),
            _ => {}
        }
    }

    fn send_to(&mut self, to: Id, data: &[u8]) {
        self.send(node(&to), data);
    }

    fn submit_after(&mut self, timer: Timer<Id>, after: Duration) {
        // What is due at one moment goes in the order that its type gives to timers.
        let rank = match timer {
            Timer::SendIndirectProbe { .. } => 0,
            Timer::ProbeRandomMember(_) => 1,
            Timer::ChangeSuspectToDown { .. } => 2,
            Timer::PeriodicAnnounce(_) => 3,
            Timer::PeriodicGossip(_) => 4,
            Timer::RemoveDown(_) => 5,
            Timer::PeriodicAnnounceDown(_) => 6,
        };
        let after = u64::try_from(after.as_micros()).expect("no time of the configuration is as long");
        self.remind(self.now() + after, rank, timer);
    }
}

pub(super) struct Theirs(Foca<Id, PostcardCodec, SmallRng, NoCustomBroadcast>);

impl Peer for Theirs {
    type Timer = Timer<Id>;

    const NAME: &'static str = "foca";
    const ENVELOPE: u64 = 0;

    fn start(me: usize, nodes: usize, seed: u64, _tuning: Tuning, _net: &mut Net<Timer<Id>>) -> Self {
        let size = u32::try_from(nodes).ok().and_then(NonZeroU32::new).expect("a cluster has members");
        Self(Foca::new(id(me), Config::new_lan(size), SmallRng::seed_from_u64(seed), PostcardCodec))
    }

    fn join(&mut self, seed: usize, net: &mut Net<Timer<Id>>) {
        // Here and below: an error says that something was not taken, and its example goes on as well.
        let _ = self.0.announce(id(seed), net);
    }

    fn meet(&mut self, nodes: usize, net: &mut Net<Timer<Id>>) -> bool {
        let me = node(self.0.identity());
        let others = (0..nodes).filter(|&other| other != me).map(|other| Member::alive(id(other)));
        self.0.apply_many(others, false, net).is_ok()
    }

    fn datagram(&mut self, _from: usize, bytes: &[u8], net: &mut Net<Timer<Id>>) {
        let _ = self.0.handle_data(bytes, net);
    }

    fn timer(&mut self, timer: Timer<Id>, net: &mut Net<Timer<Id>>) {
        let _ = self.0.handle_timer(timer, net);
    }

    fn queued(&self) -> usize {
        self.0.updates_backlog()
    }
}
