//! One record in a block: an input, or something that came out.

use std::borrow::Cow;
use std::net::SocketAddr;

use swim_core::{Command, Event, Input, Profile};

use crate::bytes::{Bytes, put_varint, varint_len};

/// Kinds below this are inputs: what cannot be read here cannot be replayed. The others are notes, and unknown ones are skipped.
pub(crate) const NOTES: u8 = 64;

mod kind {
    pub(super) const DATAGRAM: u8 = 1;
    pub(super) const TIMEOUT: u8 = 2;
    pub(super) const JOIN: u8 = 3;
    pub(super) const SEEDS: u8 = 4;
    pub(super) const LEAVE: u8 = 5;
    pub(super) const SET_PROFILE: u8 = 6;
    pub(super) const SEND_FAILED: u8 = 7;
    pub(super) const SEND_BLOCKED: u8 = 8;
    pub(super) const SEND_RESUMED: u8 = 9;
    pub(super) const SENT: u8 = super::NOTES;
    pub(super) const EVENT: u8 = super::NOTES + 1;
}

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
            Self::SendFailed { to } => Input::SendFailed { to: *to },
            Self::SendBlocked => Input::SendBlocked,
            Self::SendResumed => Input::SendResumed,
        }
    }

    /// The same, borrowing nothing.
    pub fn into_owned(self) -> Recorded<'static> {
        match self {
            Self::Datagram { from, bytes } => Recorded::Datagram { from, bytes: Cow::Owned(bytes.into_owned()) },
            Self::Timeout => Recorded::Timeout,
            Self::Join(seeds) => Recorded::Join(seeds),
            Self::Seeds(seeds) => Recorded::Seeds(seeds),
            Self::Leave => Recorded::Leave,
            Self::SetProfile(profile) => Recorded::SetProfile(profile),
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
            Self::SendFailed { .. } => "send_failed",
            Self::SendBlocked => "send_blocked",
            Self::SendResumed => "send_resumed",
        }
    }
}

// --- written

/// Kind, elapsed time and check of an input, behind the record's length.
fn put_head(out: &mut Vec<u8>, kind: u8, elapsed: u64, check: u32, body: usize) {
    put_varint(out, (1 + varint_len(elapsed) + 4 + body) as u64);
    out.push(kind);
    put_varint(out, elapsed);
    out.extend_from_slice(&check.to_le_bytes());
}

#[inline]
pub(crate) fn put_input(out: &mut Vec<u8>, elapsed: u64, check: u32, input: &Input<'_>) {
    match *input {
        Input::Datagram { from, bytes } => {
            let string = varint_len(bytes.len() as u64) + bytes.len();
            put_head(out, kind::DATAGRAM, elapsed, check, addr_len(from) + string);
            put_addr(out, from);
            put_varint(out, bytes.len() as u64);
            out.extend_from_slice(bytes);
        }
        Input::Timeout => put_head(out, kind::TIMEOUT, elapsed, check, 0),
        ref rare => put_rare(out, elapsed, check, rare),
    }
}

#[cold]
fn put_rare(out: &mut Vec<u8>, elapsed: u64, check: u32, input: &Input<'_>) {
    let mut body = Vec::new();
    let kind = match *input {
        Input::Command(Command::Join(seeds)) => {
            put_addrs(&mut body, seeds);
            kind::JOIN
        }
        Input::Command(Command::Seeds(seeds)) => {
            put_addrs(&mut body, seeds);
            kind::SEEDS
        }
        Input::Command(Command::Leave) => kind::LEAVE,
        Input::Command(Command::SetProfile(profile)) => {
            for part in [profile.name().as_bytes(), profile.meta()] {
                put_varint(&mut body, part.len() as u64);
                body.extend_from_slice(part);
            }
            kind::SET_PROFILE
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
    put_head(out, kind, elapsed, check, body.len());
    out.extend_from_slice(&body);
}

pub(crate) fn put_sent(out: &mut Vec<u8>, to: SocketAddr, frame: &[u8]) {
    let string = varint_len(frame.len() as u64) + frame.len();
    put_varint(out, (1 + addr_len(to) + string) as u64);
    out.push(kind::SENT);
    put_addr(out, to);
    put_varint(out, frame.len() as u64);
    out.extend_from_slice(frame);
}

pub(crate) fn put_event(out: &mut Vec<u8>, event: &Event) {
    let body = postcard::to_allocvec(event).expect("an event of numbers and addresses serialises into a vector");
    put_varint(out, (1 + body.len()) as u64);
    out.push(kind::EVENT);
    out.extend_from_slice(&body);
}

fn put_addrs(out: &mut Vec<u8>, addrs: &[SocketAddr]) {
    put_varint(out, addrs.len() as u64);
    addrs.iter().for_each(|&addr| put_addr(out, addr));
}

/// As postcard has it: family, address, port. Flow label and scope mean nothing to the node, and are not kept.
fn put_addr(out: &mut Vec<u8>, addr: SocketAddr) {
    match addr {
        SocketAddr::V4(addr) => {
            out.push(0);
            out.extend_from_slice(&addr.ip().octets());
        }
        SocketAddr::V6(addr) => {
            out.push(1);
            out.extend_from_slice(&addr.ip().octets());
        }
    }
    put_varint(out, addr.port().into());
}

const fn addr_len(addr: SocketAddr) -> usize {
    let ip = if addr.is_ipv4() { 4 } else { 16 };
    1 + ip + varint_len(addr.port() as u64)
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
    /// A note of a later version.
    Unknown,
}

/// The next record, whole.
pub(crate) fn read<'a>(bytes: &mut Bytes<'a>) -> Result<Record<'a>, &'static str> {
    let mut body = Bytes(bytes.string().ok_or("a record is longer than its block")?);
    let kind = body.u8().ok_or("a record is empty")?;
    let record = match kind {
        0..NOTES => read_input(kind, &mut body)?,
        kind::SENT => {
            let to = addr(&mut body).ok_or("an address of a datagram sent")?;
            Record::Sent { to, frame: body.string().ok_or("the bytes of a datagram sent")? }
        }
        kind::EVENT => match body.value() {
            Some(event) => Record::Event(event),
            None => return Ok(Record::Unknown),
        },
        _ => return Ok(Record::Unknown),
    };
    if body.is_empty() { Ok(record) } else { Err("a record has bytes left over") }
}

/// The check of the next record, when it is an input.
pub(crate) fn check_ahead(mut bytes: Bytes<'_>) -> Option<u32> {
    let mut body = Bytes(bytes.string()?);
    (body.u8()? < NOTES).then_some(())?;
    body.varint()?;
    body.u32()
}

fn read_input<'a>(kind: u8, body: &mut Bytes<'a>) -> Result<Record<'a>, &'static str> {
    let elapsed = body.varint().ok_or("the time of an input")?;
    let check = body.u32().ok_or("the check of an input")?;
    let input = match kind {
        kind::DATAGRAM => {
            let from = addr(body).ok_or("the source of a datagram")?;
            Recorded::Datagram { from, bytes: Cow::Borrowed(body.string().ok_or("the bytes of a datagram")?) }
        }
        kind::TIMEOUT => Recorded::Timeout,
        kind::JOIN => Recorded::Join(addrs(body).ok_or("the seeds of a join")?),
        kind::SEEDS => Recorded::Seeds(addrs(body).ok_or("the seeds")?),
        kind::LEAVE => Recorded::Leave,
        kind::SET_PROFILE => Recorded::SetProfile(profile(body).ok_or("a profile")?),
        kind::SEND_FAILED => Recorded::SendFailed { to: addr(body).ok_or("an address that could not be sent to")? },
        kind::SEND_BLOCKED => Recorded::SendBlocked,
        kind::SEND_RESUMED => Recorded::SendResumed,
        _ => return Err("an input of a later version"),
    };
    Ok(Record::Input { elapsed, check, input })
}

fn addr(bytes: &mut Bytes<'_>) -> Option<SocketAddr> {
    let ip = match bytes.u8()? {
        0 => bytes.array::<4>()?.into(),
        1 => bytes.array::<16>()?.into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::try_from(bytes.varint()?).ok()?))
}

fn addrs(bytes: &mut Bytes<'_>) -> Option<Vec<SocketAddr>> {
    let count = usize::try_from(bytes.varint()?).ok()?;
    // The shortest has six bytes, so no count makes this longer than what is there.
    if count > bytes.0.len() / 6 {
        return None;
    }
    (0..count).map(|_| addr(bytes)).collect()
}

fn profile(bytes: &mut Bytes<'_>) -> Option<Profile> {
    let name = std::str::from_utf8(bytes.string()?).ok()?;
    Profile::new(name, bytes.string()?).ok()
}
