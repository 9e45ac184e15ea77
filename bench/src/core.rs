//! What is measured: a core that is handed datagrams and time, and hands out datagrams.

/// A member other than the core itself, which is 0.
pub(crate) type Member = u32;

/// What a member sends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Said<'a> {
    /// A ping with these updates: each tells of a member what the core knows, or its next incarnation.
    Ping(&'a [Update]),
    /// The answer to the core's last ping.
    Ack,
    /// Gossip of these members, which are perhaps not known yet, as a datagram of a sync or a feed has them.
    Members(&'a [Member]),
    /// Updates that ask for no answer.
    Gossip(&'a [Update]),
    /// Something that was not heard before, of so many bytes, to be handed to the application and told on.
    Rumor(usize),
    /// The root of a tree of hashes, which differs: in which children?
    Compare,
    /// The question for the table, by one who knows nobody.
    Pull,
    /// The member has written this anew, under its one key.
    Delta(&'a [u8]),
}

/// What is said of a member.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Update {
    pub(crate) member: Member,
    /// It is alive with the next incarnation, or else as it is known.
    pub(crate) fresh: bool,
}

/// What a core has sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) datagrams: u64,
    /// Without headers of UDP and IP.
    pub(crate) bytes: u64,
}

/// One node, whose members and clock are played by the benchmark. Every method drains what the core hands out, into a buffer that a
/// socket could be handed.
pub(crate) trait Core: Sized + 'static {
    const NAME: &'static str;

    /// It compares tables and pages them, and members have states.
    const SYNCS: bool;

    /// Nobody is known yet, and there is room for so many.
    fn alone(members: Member) -> Self;

    /// Begins anew, with room for so many: nobody is known but the first member.
    fn renew(&mut self, room: Member);

    /// These are known, and no news. Not measured.
    fn know(&mut self, members: &[Member]);

    /// A datagram as this member would write it. Not measured.
    fn write(&mut self, from: Member, said: Said<'_>) -> Vec<u8>;

    /// Handles a datagram of a member.
    fn receive(&mut self, from: Member, datagram: &[u8]);

    /// Lets the clock go on until the next ping has been sent, with all that is due by then.
    fn probe(&mut self);

    /// Who was pinged by the last datagram, if that was a ping.
    fn pinged(&self) -> Option<Member>;

    /// Tells the news to some members, as often happens by the clock. `false`: nothing was sent, or something else as well, and it is
    /// to be called again.
    fn gossip(&mut self) -> bool;

    /// So many members and rumors are news.
    fn queued(&self) -> usize;

    /// Goes through all members, and adds up their ports.
    fn visit(&self) -> u64;

    fn members(&self) -> usize;

    /// Bytes of rumors that the application was handed.
    fn told(&self) -> u64;

    fn sent(&self) -> Sent;

    /// Its numbers come to an end soon: another one is to take its place.
    fn is_spent(&self) -> bool {
        false
    }
}
