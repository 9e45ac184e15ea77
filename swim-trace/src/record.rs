//! One record in a block: an input, or something that came out.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use swim_core::{Command, Event, Input, Instant, Profile};

use crate::block::Builder;
use crate::bytes::Bytes;
use crate::digest::Digest;

/// Kinds below this are inputs: what cannot be read here cannot be replayed. The others are notes, and unknown ones are skipped.
pub(crate) const NOTES: u8 = 64;

mod kind {
    pub(super) const DATAGRAM_V4: u8 = 1;
    pub(super) const DATAGRAM_V6: u8 = 2;
    pub(super) const TIMEOUT: u8 = 3;
    pub(super) const JOIN: u8 = 4;
    pub(super) const SEEDS: u8 = 5;
    pub(super) const LEAVE: u8 = 6;
    pub(super) const SET_PROFILE: u8 = 7;
    pub(super) const SEND_FAILED: u8 = 8;
    pub(super) const SEND_BLOCKED: u8 = 9;
    pub(super) const SEND_RESUMED: u8 = 10;
    pub(super) const BROADCAST: u8 = 11;
    pub(super) const PUT: u8 = 12;
    pub(super) const DELETE: u8 = 13;
    pub(super) const SENT: u8 = super::NOTES;
    pub(super) const EVENT: u8 = super::NOTES + 1;
    /// The time of the next input, where its own field cannot tell: it is more than an hour after the one before, or earlier.
    pub(super) const TIME: u8 = super::NOTES + 2;
}

/// Most bytes of a record behind its first word. A longer one cannot be read again.
pub const LEN_MAX: usize = (1 << 24) - 1;

/// An input as a trace holds it: what [`Input`] says, and owning what need not be borrowed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Recorded<'a> {
    /// [`Input::Datagram`].
    Datagram {
        /// Its source.
        from: SocketAddr,
        /// The frame.
        bytes: Cow<'a, [u8]>,
    },
    /// [`Input::Timeout`].
    Timeout,
    /// [`Command::Join`].
    Join(Vec<SocketAddr>),
    /// [`Command::Seeds`].
    Seeds(Vec<SocketAddr>),
    /// [`Command::Leave`].
    Leave,
    /// [`Command::SetProfile`].
    SetProfile(Profile),
    /// [`Command::Broadcast`].
    Broadcast {
        /// Its topic.
        topic: Cow<'a, str>,
        /// What it says.
        payload: Cow<'a, [u8]>,
    },
    /// [`Command::Put`].
    Put {
        /// The entry's key.
        key: Cow<'a, str>,
        /// Its value.
        value: Cow<'a, [u8]>,
        /// After which time it vanishes, in whole microseconds.
        ttl: Option<Duration>,
    },
    /// [`Command::Delete`].
    Delete {
        /// The entry's key.
        key: Cow<'a, str>,
    },
    /// [`Input::SendFailed`].
    SendFailed {
        /// Where it should have gone.
        to: SocketAddr,
    },
    /// [`Input::SendBlocked`].
    SendBlocked,
    /// [`Input::SendResumed`].
    SendResumed,
}

impl Recorded<'_> {
    /// What the node is given.
    pub fn as_input(&self) -> Input<'_> {
        match self {
            Self::Datagram { from, bytes } => Input::Datagram { from: *from, bytes },
            Self::Timeout => Input::Timeout,
            Self::Join(seeds) => Input::Command(Command::Join(seeds)),
            Self::Seeds(seeds) => Input::Command(Command::Seeds(seeds)),
            Self::Leave => Input::Command(Command::Leave),
            Self::SetProfile(profile) => Input::Command(Command::SetProfile(profile)),
            Self::Broadcast { topic, payload } => Input::Command(Command::Broadcast { topic, payload }),
            Self::Put { key, value, ttl } => Input::Command(Command::Put { key, value, ttl: *ttl }),
            Self::Delete { key } => Input::Command(Command::Delete { key }),
            Self::SendFailed { to } => Input::SendFailed { to: *to },
            Self::SendBlocked => Input::SendBlocked,
            Self::SendResumed => Input::SendResumed,
        }
    }

    /// The same, borrowing nothing.
    pub fn into_owned(self) -> Recorded<'static> {
        let text = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        let bytes = |bytes: Cow<'_, [u8]>| Cow::Owned(bytes.into_owned());
        match self {
            Self::Datagram { from, bytes: frame } => Recorded::Datagram { from, bytes: bytes(frame) },
            Self::Timeout => Recorded::Timeout,
            Self::Join(seeds) => Recorded::Join(seeds),
            Self::Seeds(seeds) => Recorded::Seeds(seeds),
            Self::Leave => Recorded::Leave,
            Self::SetProfile(profile) => Recorded::SetProfile(profile),
            Self::Broadcast { topic, payload } => Recorded::Broadcast { topic: text(topic), payload: bytes(payload) },
            Self::Put { key, value, ttl } => Recorded::Put { key: text(key), value: bytes(value), ttl },
            Self::Delete { key } => Recorded::Delete { key: text(key) },
            Self::SendFailed { to } => Recorded::SendFailed { to },
            Self::SendBlocked => Recorded::SendBlocked,
            Self::SendResumed => Recorded::SendResumed,
        }
    }

    /// Its name, as filters and listings have it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Datagram { .. } => "datagram",
            Self::Timeout => "timeout",
            Self::Join(_) => "join",
            Self::Seeds(_) => "seeds",
            Self::Leave => "leave",
            Self::SetProfile(_) => "set_profile",
            Self::Broadcast { .. } => "broadcast",
            Self::Put { .. } => "put",
            Self::Delete { .. } => "delete",
            Self::SendFailed { .. } => "send_failed",
            Self::SendBlocked => "send_blocked",
            Self::SendResumed => "send_resumed",
        }
    }
}

// --- written

/// The first word of a record: its kind, and how many bytes follow.
fn first(kind: u8, len: usize) -> u32 {
    u32::from(kind) << 24 | len.min(LEN_MAX) as u32
}

/// Head of an input: first word, elapsed time, check.
#[inline]
fn head(kind: u8, elapsed: u32, check: u32, body: usize) -> [u8; 12] {
    let mut head = [0; 12];
    head[..4].copy_from_slice(&first(kind, 8 + body).to_le_bytes());
    head[4..8].copy_from_slice(&elapsed.to_le_bytes());
    head[8..].copy_from_slice(&check.to_le_bytes());
    head
}

/// The digest of the inputs of one block, up to some record.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Inputs {
    /// Of all of them.
    pub(crate) now: Digest,
    /// Of all but the last.
    pub(crate) before: Digest,
}

impl Inputs {
    /// Takes in one whole record, if it is an input, or the time of one.
    pub(crate) fn add(&mut self, record: &[u8]) {
        let Some((word, body)) = record.split_first_chunk() else { return };
        let (kind, _) = parts(*word);
        match body.split_at_checked(4) {
            Some((elapsed, rest)) if kind < NOTES => {
                self.before = self.now;
                self.now.record(kind, [elapsed, rest.get(4..).unwrap_or_default()]);
            }
            _ if kind == kind::TIME => self.now.record(kind, [body, &[]]),
            _ => {}
        }
    }
}

/// Adds the digest of the inputs before it to every check in the records of a block. Gives that of all of them.
pub(crate) fn mix(records: &mut [u8]) -> Inputs {
    let (mut inputs, mut from) = (Inputs::default(), 0);
    loop {
        let mut rest = Bytes(&records[from..]);
        let Some((kind, body)) = split(&mut rest) else { return inputs };
        let (next, is_input) = (records.len() - rest.0.len(), kind < NOTES && body.0.len() >= 8);
        let before = inputs.now.check().to_le_bytes();
        inputs.add(&records[from..next]);
        if is_input {
            records[from + 8..from + 12].iter_mut().zip(before).for_each(|(check, before)| *check ^= before);
        }
        from = next;
    }
}

/// This is what recording costs a node for every datagram, so it is one head of fixed length and two copies.
#[inline]
pub(crate) fn put_input(out: &mut Builder, elapsed: u32, check: u32, input: &Input<'_>) {
    match *input {
        Input::Datagram { from: SocketAddr::V4(from), bytes } => {
            let mut whole = [0; 18];
            let first = u64::from(first(kind::DATAGRAM_V4, 14 + bytes.len())) | u64::from(elapsed) << 32;
            let second = u64::from(check) | u64::from(u32::from_le_bytes(from.ip().octets())) << 32;
            whole[..8].copy_from_slice(&first.to_le_bytes());
            whole[8..16].copy_from_slice(&second.to_le_bytes());
            whole[16..].copy_from_slice(&from.port().to_le_bytes());
            out.put(&whole, bytes);
        }
        Input::Timeout => out.put(&head(kind::TIMEOUT, elapsed, check, 0), &[]),
        ref rare => put_rare(out, elapsed, check, rare),
    }
}

/// The time of the next input, in a record of its own, so that no time elapses between the two.
#[cold]
pub(crate) fn put_time(out: &mut Builder, at: Instant) -> u32 {
    put(out, kind::TIME, &at.as_micros().to_le_bytes());
    0
}

/// A record of this kind and body.
fn put(out: &mut Builder, kind: u8, body: &[u8]) {
    out.put(&first(kind, body.len()).to_le_bytes(), body);
}

#[cold]
fn put_rare(out: &mut Builder, elapsed: u32, check: u32, input: &Input<'_>) {
    let mut body = Vec::new();
    let kind = match *input {
        Input::Datagram { from, bytes } => {
            put_addr(&mut body, from);
            // What comes before says which family it is.
            body.remove(0);
            body.extend_from_slice(bytes);
            kind::DATAGRAM_V6
        }
        Input::Timeout => kind::TIMEOUT,
        Input::Command(Command::Join(seeds)) => {
            seeds.iter().for_each(|&seed| put_addr(&mut body, seed));
            kind::JOIN
        }
        Input::Command(Command::Seeds(seeds)) => {
            seeds.iter().for_each(|&seed| put_addr(&mut body, seed));
            kind::SEEDS
        }
        Input::Command(Command::Leave) => kind::LEAVE,
        Input::Command(Command::SetProfile(profile)) => {
            body.push(profile.name().len() as u8);
            body.extend_from_slice(profile.name().as_bytes());
            body.extend_from_slice(profile.meta());
            kind::SET_PROFILE
        }
        Input::Command(Command::Broadcast { topic, payload }) => {
            put_text(&mut body, topic);
            body.extend_from_slice(clipped(payload));
            kind::BROADCAST
        }
        Input::Command(Command::Put { key, value, ttl }) => {
            put_text(&mut body, key);
            body.extend_from_slice(&ttl.map_or(NO_TTL, micros).to_le_bytes());
            body.extend_from_slice(clipped(value));
            kind::PUT
        }
        Input::Command(Command::Delete { key }) => {
            put_text(&mut body, key);
            kind::DELETE
        }
        Input::SendFailed { to } => {
            put_addr(&mut body, to);
            kind::SEND_FAILED
        }
        Input::SendBlocked => kind::SEND_BLOCKED,
        Input::SendResumed => kind::SEND_RESUMED,
        // `Input` can grow; this crate and the core have one version and grow together, and a test has every kind.
        _ => 0,
    };
    out.put(&head(kind, elapsed, check, body.len()), &body);
}

/// In the place of a ttl where there is none. No ttl is as long.
const NO_TTL: u64 = u64::MAX;

/// A ttl, as exactly as nodes count; one that is beyond that is beyond what they take.
fn micros(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_micros()).map_or(NO_TTL - 1, |micros| micros.min(NO_TTL - 1))
}

/// A topic or a key, whose length is one byte: an embedder may name longer ones, which the node refuses. It does so with as
/// much as is kept here, too.
fn put_text(out: &mut Vec<u8>, text: &str) {
    let len = (0..=text.len().min(255)).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    out.push(len as u8);
    out.extend_from_slice(&text.as_bytes()[..len]);
}

/// Of a payload or a value that is longer than any datagram, so that the node refuses it, no more than shows that.
fn clipped(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(1 << 16)]
}

pub(crate) fn put_sent(out: &mut Builder, to: SocketAddr, frame: &[u8]) {
    let mut body = Vec::with_capacity(19 + frame.len());
    put_addr(&mut body, to);
    body.extend_from_slice(frame);
    put(out, kind::SENT, &body);
}

pub(crate) fn put_event(out: &mut Builder, event: &Event) {
    let body = postcard::to_allocvec(event).expect("an event of numbers and addresses serialises into a vector");
    put(out, kind::EVENT, &body);
}

pub(crate) fn put_note(out: &mut Builder, kind: u8, body: &[u8]) {
    put(out, kind, body);
}

/// Family, address, port. Flow label and scope mean nothing to the node, and are not kept.
fn put_addr(out: &mut Vec<u8>, addr: SocketAddr) {
    match addr {
        SocketAddr::V4(addr) => {
            out.push(4);
            out.extend_from_slice(&addr.ip().octets());
        }
        SocketAddr::V6(addr) => {
            out.push(6);
            out.extend_from_slice(&addr.ip().octets());
        }
    }
    out.extend_from_slice(&addr.port().to_le_bytes());
}

// --- read

/// One record, as far as its kind is known.
#[derive(Debug)]
pub(crate) enum Record<'a> {
    Input {
        elapsed: u64,
        check: u32,
        input: Recorded<'a>,
    },
    Sent {
        to: SocketAddr,
        frame: &'a [u8],
    },
    Event(Event),
    /// The next input has this time.
    Time(Instant),
    /// A note of a later version.
    Unknown {
        kind: u8,
        body: &'a [u8],
    },
}

/// Kind and length in the first word of a record.
const fn parts(word: [u8; 4]) -> (u8, usize) {
    let word = u32::from_le_bytes(word);
    ((word >> 24) as u8, word as usize & LEN_MAX)
}

/// A record's kind and body.
fn split<'a>(bytes: &mut Bytes<'a>) -> Option<(u8, Bytes<'a>)> {
    let mut ahead = *bytes;
    let (kind, len) = parts(ahead.array()?);
    let body = ahead.take(len)?;
    *bytes = ahead;
    Some((kind, Bytes(body)))
}

/// The next record, whole.
pub(crate) fn read<'a>(bytes: &mut Bytes<'a>) -> Result<Record<'a>, &'static str> {
    let (kind, mut body) = split(bytes).ok_or("a record is longer than its block")?;
    let unknown = Record::Unknown { kind, body: body.0 };
    let record = match kind {
        0..NOTES => read_input(kind, &mut body)?,
        kind::SENT => {
            let to = addr(&mut body).ok_or("an address of a datagram sent")?;
            Record::Sent { to, frame: body.rest() }
        }
        kind::EVENT => match body.value() {
            Some(event) => Record::Event(event),
            None => return Ok(unknown),
        },
        kind::TIME => Record::Time(Instant::from_micros(body.u64().ok_or("a time")?)),
        _ => return Ok(unknown),
    };
    if body.is_empty() { Ok(record) } else { Err("a record has bytes left over") }
}

/// The check of the outputs before the next input, when that or its time comes next. `inputs` are those before it in the block.
pub(crate) fn check_ahead(mut bytes: Bytes<'_>, mut inputs: Inputs) -> Option<u32> {
    loop {
        let whole = bytes.0;
        let (kind, mut body) = split(&mut bytes)?;
        match kind {
            0..NOTES => {
                body.u32()?;
                return Some(body.u32()? ^ inputs.now.check());
            }
            kind::TIME => inputs.add(&whole[..whole.len() - bytes.0.len()]),
            _ => return None,
        }
    }
}

fn read_input<'a>(kind: u8, body: &mut Bytes<'a>) -> Result<Record<'a>, &'static str> {
    let elapsed = body.u32().ok_or("the time of an input")?.into();
    let check = body.u32().ok_or("the check of an input")?;
    let input = match kind {
        kind::DATAGRAM_V4 | kind::DATAGRAM_V6 => {
            let ip = if kind == kind::DATAGRAM_V4 { v4(body) } else { v6(body) };
            let port = body.array().map(u16::from_le_bytes);
            let (ip, port) = ip.zip(port).ok_or("the source of a datagram")?;
            Recorded::Datagram { from: SocketAddr::new(ip, port), bytes: Cow::Borrowed(body.rest()) }
        }
        kind::TIMEOUT => Recorded::Timeout,
        kind::JOIN => Recorded::Join(addrs(body).ok_or("the seeds of a join")?),
        kind::SEEDS => Recorded::Seeds(addrs(body).ok_or("the seeds")?),
        kind::LEAVE => Recorded::Leave,
        kind::SET_PROFILE => Recorded::SetProfile(profile(body).ok_or("a profile")?),
        kind::BROADCAST => {
            let topic = text(body).ok_or("the topic of a rumor")?;
            Recorded::Broadcast { topic, payload: Cow::Borrowed(body.rest()) }
        }
        kind::PUT => {
            let key = text(body).ok_or("the key of an entry")?;
            let ttl = Some(body.u64().ok_or("the ttl of an entry")?).filter(|&ttl| ttl != NO_TTL);
            Recorded::Put { key, value: Cow::Borrowed(body.rest()), ttl: ttl.map(Duration::from_micros) }
        }
        kind::DELETE => Recorded::Delete { key: text(body).ok_or("the key of an entry")? },
        kind::SEND_FAILED => Recorded::SendFailed { to: addr(body).ok_or("an address that could not be sent to")? },
        kind::SEND_BLOCKED => Recorded::SendBlocked,
        kind::SEND_RESUMED => Recorded::SendResumed,
        _ => return Err("an input of a later version"),
    };
    Ok(Record::Input { elapsed, check, input })
}

fn v4(bytes: &mut Bytes<'_>) -> Option<IpAddr> {
    bytes.array::<4>().map(IpAddr::from)
}

fn v6(bytes: &mut Bytes<'_>) -> Option<IpAddr> {
    bytes.array::<16>().map(IpAddr::from)
}

fn addr(bytes: &mut Bytes<'_>) -> Option<SocketAddr> {
    let ip = match bytes.u8()? {
        4 => v4(bytes)?,
        6 => v6(bytes)?,
        _ => return None,
    };
    Some(SocketAddr::new(ip, bytes.array().map(u16::from_le_bytes)?))
}

fn addrs(bytes: &mut Bytes<'_>) -> Option<Vec<SocketAddr>> {
    let mut addrs = Vec::new();
    while !bytes.is_empty() {
        addrs.push(addr(bytes)?);
    }
    Some(addrs)
}

/// A topic or a key.
fn text<'a>(bytes: &mut Bytes<'a>) -> Option<Cow<'a, str>> {
    let len = bytes.u8()?;
    std::str::from_utf8(bytes.take(len.into())?).ok().map(Cow::Borrowed)
}

fn profile(bytes: &mut Bytes<'_>) -> Option<Profile> {
    let len = bytes.u8()?;
    let name = std::str::from_utf8(bytes.take(len.into())?).ok()?;
    Profile::new(name, bytes.rest()).ok()
}
