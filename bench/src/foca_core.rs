//! The peer that can be driven in the same way: foca, from its registry crate.

use std::cell::Cell;
use std::convert::Infallible;
use std::num::{NonZeroU32, NonZeroUsize};
use std::rc::Rc;
use std::time::Duration;

use foca::{
    BroadcastHandler, Codec, Config, Foca, Header, Identity as _, Invalidates, Message, Notification, PostcardCodec,
    ProbeNumber, Runtime, State, Timer,
};
use rand::SeedableRng;
use rand::rngs::SmallRng;

use crate::core::{Core, Member, Said, Sent, Update};
use crate::foca_id::Id;

/// What foca calls a member.
fn id(member: Member) -> Id {
    Id::new(member)
}

/// Rumors are numbered; what is above the last one was not heard before.
#[derive(Default)]
struct Rumors {
    last: u32,
    told: Rc<Cell<u64>>,
}

struct Key(u32);

impl Invalidates for Key {
    fn invalidates(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl BroadcastHandler<Id> for Rumors {
    type Key = Key;
    type Error = Infallible;

    fn receive_item(&mut self, data: &[u8], _sender: Option<&Id>) -> Result<Option<Key>, Infallible> {
        let Some((number, payload)) = data.split_first_chunk() else { return Ok(None) };
        let number = u32::from_le_bytes(*number);
        if number <= self.last {
            return Ok(None);
        }
        self.last = number;
        self.told.set(self.told.get() + payload.len() as u64);
        Ok(Some(Key(number)))
    }
}

/// What it asks of its embedder: datagrams go nowhere, and timers are kept.
#[derive(Default)]
struct Net {
    now: Duration,
    timers: Vec<(Duration, Timer<Id>)>,
    sent: Sent,
    last_to: Option<Id>,
    last: Vec<u8>,
    /// Keeps the compiler from leaving out what nobody reads.
    noted: u64,
}

impl Runtime<Id> for Net {
    fn notify(&mut self, _notification: Notification<'_, Id>) {
        self.noted += 1;
    }

    fn send_to(&mut self, to: Id, data: &[u8]) {
        self.sent.datagrams += 1;
        self.sent.bytes += data.len() as u64;
        self.last_to = Some(to);
        // It lends its own buffer: what is sent would be copied by the kernel from there. The head of it is looked at later.
        self.last.clear();
        self.last.extend_from_slice(&data[..data.len().min(64)]);
    }

    fn submit_after(&mut self, event: Timer<Id>, after: Duration) {
        self.timers.push((self.now + after, event));
    }
}

type Machine = Foca<Id, PostcardCodec, SmallRng, Rumors>;

fn machine(members: Member, told: &Rc<Cell<u64>>) -> Machine {
    let size = NonZeroU32::new(members + 1).expect("there is one more");
    let mut config = Config::new_lan(size);
    // As many as in ours are gossiped to, and datagrams are as long. Its relays are those that it has by default.
    config.num_indirect_probes = NonZeroUsize::new(3).expect("three");
    config.max_packet_size = NonZeroUsize::new(1_400).expect("a size");
    (config.periodic_announce, config.periodic_announce_to_down_members, config.periodic_gossip) = (None, None, None);
    let rng = SmallRng::seed_from_u64(1);
    Foca::with_custom_broadcast(id(0), config, rng, PostcardCodec, Rumors { last: 0, told: told.clone() })
}

pub(crate) struct FocaCore {
    foca: Machine,
    told: Rc<Cell<u64>>,
    net: Net,
    incarnations: Vec<u16>,
    highest: u16,
    nonce: ProbeNumber,
    rumors: u32,
}

impl FocaCore {
    /// The first member says hello.
    fn meet(&mut self) {
        let hello = self.frame(1, Message::Gossip, &[]);
        self.receive(1, &hello);
    }

    fn update(&mut self, update: Update) -> foca::Member<Id> {
        let incarnation = &mut self.incarnations[update.member as usize];
        *incarnation = incarnation.checked_add(update.fresh.into()).expect("it is spent before that");
        self.highest = self.highest.max(*incarnation);
        foca::Member::new(id(update.member), *incarnation, State::Alive)
    }

    fn frame(&self, from: Member, message: Message<Id>, members: &[foca::Member<Id>]) -> Vec<u8> {
        let header = Header { src: id(from), src_incarnation: self.incarnations[from as usize], dst: id(0), message };
        let mut frame = Vec::new();
        PostcardCodec.encode_header(&header, &mut frame).expect("it fits");
        if !members.is_empty() {
            frame.extend_from_slice(&(members.len() as u16).to_be_bytes());
            members.iter().for_each(|member| PostcardCodec.encode_member(member, &mut frame).expect("it fits"));
        }
        frame
    }

    /// Lets the earliest timer go off. Tells whether that was the beginning of a period.
    fn tick(&mut self) -> bool {
        let timers = self.net.timers.iter().enumerate();
        let (at, _) = timers.min_by_key(|(_, (due, _))| *due).expect("a probe is always due");
        let (due, timer) = self.net.timers.swap_remove(at);
        self.net.now = self.net.now.max(due);
        let period = matches!(timer, Timer::ProbeRandomMember(_));
        self.foca.handle_timer(timer, &mut self.net).expect("probes are answered");
        period
    }

    fn last(&self) -> Header<Id> {
        PostcardCodec.decode_header(&self.net.last[..]).expect("what it sends can be read")
    }
}

impl Core for FocaCore {
    const NAME: &'static str = "foca";
    const SYNCS: bool = false;

    fn alone(members: Member) -> Self {
        let told = Rc::default();
        let mut alone = Self {
            foca: machine(members, &told),
            told,
            net: Net::default(),
            incarnations: vec![0; members as usize + 1],
            highest: 0,
            nonce: 0,
            rumors: 0,
        };
        alone.meet();
        alone
    }

    fn renew(&mut self, room: Member) {
        self.foca = machine(room, &self.told);
        self.net.timers = Vec::new();
        self.meet();
    }

    fn know(&mut self, members: &[Member]) {
        let known = members.iter().map(|&member| foca::Member::alive(id(member)));
        self.foca.apply_many(known, false, &mut self.net).expect("they are new");
    }

    fn write(&mut self, from: Member, said: Said<'_>) -> Vec<u8> {
        match said {
            Said::Ping(updates) => {
                self.nonce = self.nonce.wrapping_add(1);
                let updates: Vec<_> = updates.iter().map(|&update| self.update(update)).collect();
                self.frame(from, Message::Ping(self.nonce), &updates)
            }
            Said::Ack => {
                let Message::Ping(nonce) = self.last().message else { panic!("nobody was pinged") };
                self.frame(from, Message::Ack(nonce), &[])
            }
            Said::Gossip(updates) => {
                let updates: Vec<_> = updates.iter().map(|&update| self.update(update)).collect();
                self.frame(from, Message::Gossip, &updates)
            }
            Said::Members(members) => {
                let known =
                    |&member: &Member| foca::Member::new(id(member), self.incarnations[member as usize], State::Alive);
                let members: Vec<_> = members.iter().map(known).collect();
                self.frame(from, Message::Feed, &members)
            }
            Said::Rumor(len) => {
                self.rumors += 1;
                let mut frame = self.frame(from, Message::Broadcast, &[]);
                frame.extend_from_slice(&(len as u16 + 4).to_be_bytes());
                frame.extend_from_slice(&self.rumors.to_le_bytes());
                frame.extend(std::iter::repeat_n(7, len));
                frame
            }
            Said::Compare | Said::Pull | Said::Delta(_) => unreachable!("it has no syncs"),
        }
    }

    fn receive(&mut self, _from: Member, datagram: &[u8]) {
        self.foca.handle_data(datagram, &mut self.net).expect("it is taken");
    }

    fn probe(&mut self) {
        while !self.tick() {}
    }

    fn pinged(&self) -> Option<Member> {
        let is_ping = matches!(self.last().message, Message::Ping(_));
        self.net.last_to.filter(|_| is_ping).map(|to| to.member())
    }

    fn gossip(&mut self) -> bool {
        self.foca.gossip(&mut self.net).expect("it can be told");
        true
    }

    fn queued(&self) -> usize {
        self.foca.updates_backlog() + self.foca.custom_broadcast_backlog()
    }

    fn visit(&self) -> u64 {
        self.foca.iter_members().map(|member| u64::from(member.id().addr().port())).sum()
    }

    fn told(&self) -> u64 {
        self.told.get()
    }

    fn members(&self) -> usize {
        self.foca.num_members()
    }

    fn sent(&self) -> Sent {
        self.net.sent
    }

    fn is_spent(&self) -> bool {
        self.highest > u16::MAX / 2
    }
}
