//! Items: what is said about one member.
//!
//! ```text
//! id u64 · epoch u32 · varint(refutations << 4 | form << 2 | state) · by form:
//!   0 status      nothing more                                        13 to 17 bytes
//!   1 accused     count u8 (1..=4), then count accuser ids u64        only with state suspect
//!   2 detail      written-at epoch u32, refutations varint · address · name length u8, name · meta length varint, meta
//! address         4, four bytes, port u16   or   6, sixteen bytes, port u16
//! ```

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::codec::{Cursor, Reader};
use super::{DecodeError, Items, MAX_ACCUSERS};
use crate::identity::{Addr, Profile};
use crate::status::{Incarnation, NodeId, State, Status};

const FORM_STATUS: u64 = 0;
const FORM_ACCUSED: u64 = 1;
const FORM_DETAIL: u64 = 2;

/// What is said about one member: a status, perhaps with its accusers or with what the member says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// Whom it is about.
    pub id: NodeId,
    /// What is believed of it.
    pub status: Status,
    /// What more is said.
    pub more: More<'a>,
}

/// What an [`Item`] carries besides the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum More<'a> {
    /// Nothing.
    Status,
    /// With state suspect: whose probes have failed, independently of each other.
    Accused(Accusers<'a>),
    /// Address and profile, as the member itself wrote them.
    Detail(Detail<'a>),
}

/// Address and profile of a member, as it wrote them at one incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detail<'a> {
    /// The incarnation that wrote them, at most that of the status.
    pub at: Incarnation,
    /// Where it is reached.
    pub addr: SocketAddr,
    /// Its name.
    pub name: &'a str,
    /// Its metadata.
    pub meta: &'a [u8],
}

/// One to four accusers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accusers<'a>(Ids<'a>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ids<'a> {
    Wire(&'a [u8]),
    Own(&'a [NodeId]),
}

impl<'a> Accusers<'a> {
    /// These accusers; only the first four are kept, and at least one is needed.
    pub fn new(ids: &'a [NodeId]) -> Option<Self> {
        if ids.is_empty() { None } else { Some(Self(Ids::Own(ids.get(..MAX_ACCUSERS).unwrap_or(ids)))) }
    }

    /// How many.
    pub fn count(&self) -> usize {
        match self.0 {
            Ids::Wire(bytes) => bytes.len() / 8,
            Ids::Own(ids) => ids.len(),
        }
    }

    /// Who.
    pub fn iter(&self) -> impl Iterator<Item = NodeId> + 'a {
        let (bytes, ids): (&[u8], &[NodeId]) = match self.0 {
            Ids::Wire(bytes) => (bytes, &[]),
            Ids::Own(ids) => (&[], ids),
        };
        let id = |c: &[u8]| NodeId::new(c.try_into().map_or(0, u64::from_le_bytes));
        bytes.chunks_exact(8).map(id).chain(ids.iter().copied())
    }
}

impl Items<'_> {
    /// The next item, if it is a status alone. Another one stays where it is.
    #[inline]
    pub(crate) fn next_status(&mut self) -> Option<(NodeId, Status)> {
        let mut ahead = self.0;
        let (id, status, form) = read_head(&mut ahead).ok()?;
        (form == FORM_STATUS).then(|| {
            self.0 = ahead;
            (id, status)
        })
    }
}

impl<'a> Item<'a> {
    /// Just a status.
    pub fn status(id: NodeId, status: Status) -> Self {
        Self { id, status, more: More::Status }
    }

    /// The detail, if it carries one.
    pub fn detail(&self) -> Option<Detail<'a>> {
        match self.more {
            More::Detail(d) => Some(d),
            _ => None,
        }
    }

    #[inline(always)]
    pub(crate) fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (id, status, form) = read_head(r)?;
        // Nearly all have this form.
        let more = match form {
            FORM_STATUS => More::Status,
            form => read_more(r, form, status)?,
        };
        Ok(Self { id, status, more })
    }

    /// Puts the whole item, or nothing.
    #[inline]
    pub(crate) fn write(&self, c: &mut Cursor<'_>) -> Option<()> {
        if let (More::Status, Some(last)) = (self.more, short_status(self.status)) {
            return c.u64_u32_u8(self.id.as_u64(), self.status.incarnation().epoch(), last);
        }
        let mark = c.at();
        let done = self.write_parts(c);
        if done.is_none() {
            c.rewind(mark);
        }
        done
    }

    fn write_parts(&self, c: &mut Cursor<'_>) -> Option<()> {
        let form = match self.more {
            More::Status => FORM_STATUS,
            More::Accused(_) => FORM_ACCUSED,
            More::Detail(_) => FORM_DETAIL,
        };
        let incarnation = self.status.incarnation();
        c.u64(self.id.as_u64())?;
        c.u32(incarnation.epoch())?;
        c.varint(u64::from(incarnation.refutations()) << 4 | form << 2 | self.status.state() as u64)?;
        match self.more {
            More::Status => Some(()),
            More::Accused(accusers) => {
                c.u8(u8::try_from(accusers.count()).ok()?)?;
                accusers.iter().try_for_each(|id| c.u64(id.as_u64()))
            }
            More::Detail(d) => write_detail(&d, c),
        }
    }
}

/// What follows id and epoch of a status alone when it is one byte, as in nearly all: the member has refuted at most seven times
/// in this life.
#[inline]
pub(super) fn short_status(status: Status) -> Option<u8> {
    // In 64 bits: there are refutations of which 32 would lose the upper ones.
    let packed = u64::from(status.incarnation().refutations()) << 4 | status.state() as u64;
    (packed < 0x80).then_some(packed as u8)
}

/// Whom an item is about, its status, and its form.
#[inline(always)]
fn read_head(r: &mut Reader<'_>) -> Result<(NodeId, Status, u64), DecodeError> {
    let (id, epoch) = r.u64_u32()?;
    let packed = r.varint((u64::from(Incarnation::MAX_REFUTATIONS) << 4) | 0xf)?;
    let incarnation = Incarnation::new(epoch, (packed >> 4) as u32);
    Ok((NodeId::new(id), Status::new(incarnation, State::from_bits(packed)), (packed >> 2) & 3))
}

#[inline(never)]
fn read_more<'a>(r: &mut Reader<'a>, form: u64, status: Status) -> Result<More<'a>, DecodeError> {
    match form {
        FORM_ACCUSED => read_accusers(r, status),
        FORM_DETAIL => read_detail(r, status.incarnation()),
        _ => Err(DecodeError::Value),
    }
}

fn read_accusers<'a>(r: &mut Reader<'a>, status: Status) -> Result<More<'a>, DecodeError> {
    let count = usize::from(r.u8()?);
    if status.state() != State::Suspect || count == 0 || count > MAX_ACCUSERS {
        return Err(DecodeError::Value);
    }
    Ok(More::Accused(Accusers(Ids::Wire(r.bytes(count.saturating_mul(8))?))))
}

#[inline]
fn read_detail<'a>(r: &mut Reader<'a>, status: Incarnation) -> Result<More<'a>, DecodeError> {
    let at = read_incarnation(r)?;
    let addr = read_addr(r)?;
    let name_len = usize::from(r.u8()?);
    if at > status || name_len > Profile::MAX_NAME {
        return Err(DecodeError::Value);
    }
    let name = match name_len {
        0 => "",
        _ => core::str::from_utf8(r.bytes(name_len)?).map_err(|_| DecodeError::Value)?,
    };
    let meta_len = r.varint(Profile::MAX_META as u64)? as usize;
    Ok(More::Detail(Detail { at, addr, name, meta: r.bytes(meta_len)? }))
}

fn write_detail(d: &Detail<'_>, c: &mut Cursor<'_>) -> Option<()> {
    write_incarnation(d.at, c)?;
    match Addr::from(d.addr) {
        Addr::V4(ip, port) => {
            c.u8(4)?;
            c.bytes(&ip)?;
            c.u16(port)?;
        }
        Addr::V6(ip, port) => {
            c.u8(6)?;
            c.bytes(&ip)?;
            c.u16(port)?;
        }
    }
    c.u8(u8::try_from(d.name.len()).ok()?)?;
    c.bytes(d.name.as_bytes())?;
    c.varint(d.meta.len() as u64)?;
    c.bytes(d.meta)
}

/// An address that something can be sent to. An IPv4 address in IPv6 clothes has another encoding, so it is refused.
#[inline]
fn read_addr(r: &mut Reader<'_>) -> Result<SocketAddr, DecodeError> {
    match r.u8()? {
        4 => {
            let ([a, b, c, d], port) = (r.array()?, r.u16()?);
            let addr = SocketAddr::from((Ipv4Addr::new(a, b, c, d), port));
            if Addr::V4([a, b, c, d], port).is_reachable() { Ok(addr) } else { Err(DecodeError::Value) }
        }
        6 => {
            let (octets, port) = (r.array()?, r.u16()?);
            let ip = Ipv6Addr::from(octets);
            let taken = ip.to_ipv4_mapped().is_none() && Addr::V6(octets, port).is_reachable();
            if taken { Ok((ip, port).into()) } else { Err(DecodeError::Value) }
        }
        _ => Err(DecodeError::Value),
    }
}

#[inline]
pub(crate) fn read_incarnation(r: &mut Reader<'_>) -> Result<Incarnation, DecodeError> {
    let epoch = r.u32()?;
    Ok(Incarnation::new(epoch, r.varint(Incarnation::MAX_REFUTATIONS.into())? as u32))
}

#[inline]
pub(crate) fn write_incarnation(i: Incarnation, c: &mut Cursor<'_>) -> Option<()> {
    c.u32(i.epoch())?;
    c.varint(i.refutations().into())
}
