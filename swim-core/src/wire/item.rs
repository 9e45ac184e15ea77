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
use super::{DecodeError, MAX_ACCUSERS};
use crate::identity::{Addr, Profile};
use crate::status::{Incarnation, NodeId, State, Status};

const FORM_STATUS: u64 = 0;
const FORM_ACCUSED: u64 = 1;
const FORM_DETAIL: u64 = 2;

/// Refutations below this leave room in one byte for form and state; then a status has so many bytes.
const SHORT: u32 = 8;
const SHORT_LEN: usize = 13;

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

    pub(crate) fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let id = NodeId::new(r.u64()?);
        let epoch = r.u32()?;
        let packed = r.varint((u64::from(Incarnation::MAX_REFUTATIONS) << 4) | 0xf)?;
        let incarnation = Incarnation::new(epoch, (packed >> 4) as u32);
        let status = Status::new(incarnation, State::from_bits(packed));
        let more = match (packed >> 2) & 3 {
            FORM_STATUS => More::Status,
            FORM_ACCUSED => More::Accused(read_accusers(r, status)?),
            FORM_DETAIL => More::Detail(read_detail(r, incarnation)?),
            _ => return Err(DecodeError::Value),
        };
        Ok(Self { id, status, more })
    }

    /// Puts the whole item, or nothing.
    pub(crate) fn write(&self, c: &mut Cursor<'_>) -> Option<()> {
        let incarnation = self.status.incarnation();
        // What nearly all are, in one step.
        if self.more == More::Status && incarnation.refutations() < SHORT {
            let mut short = [0; SHORT_LEN];
            let (id, rest) = short.split_first_chunk_mut()?;
            let (epoch, rest) = rest.split_first_chunk_mut()?;
            *id = self.id.as_u64().to_le_bytes();
            *epoch = incarnation.epoch().to_le_bytes();
            *rest.first_mut()? = (incarnation.refutations() << 4) as u8 | self.status.state() as u8;
            return c.bytes(&short);
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

fn read_accusers<'a>(r: &mut Reader<'a>, status: Status) -> Result<Accusers<'a>, DecodeError> {
    let count = usize::from(r.u8()?);
    if status.state() != State::Suspect || count == 0 || count > MAX_ACCUSERS {
        return Err(DecodeError::Value);
    }
    Ok(Accusers(Ids::Wire(r.bytes(count.saturating_mul(8))?)))
}

fn read_detail<'a>(r: &mut Reader<'a>, status: Incarnation) -> Result<Detail<'a>, DecodeError> {
    let at = read_incarnation(r)?;
    let addr = read_addr(r)?;
    let name_len = usize::from(r.u8()?);
    if at > status || name_len > Profile::MAX_NAME {
        return Err(DecodeError::Value);
    }
    let name = core::str::from_utf8(r.bytes(name_len)?).map_err(|_| DecodeError::Value)?;
    let meta_len = r.varint(Profile::MAX_META as u64)? as usize;
    Ok(Detail { at, addr, name, meta: r.bytes(meta_len)? })
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
fn read_addr(r: &mut Reader<'_>) -> Result<SocketAddr, DecodeError> {
    let addr: SocketAddr = match r.u8()? {
        4 => (Ipv4Addr::from(r.array::<4>()?), r.u16()?).into(),
        6 => {
            let ip = Ipv6Addr::from(r.array::<16>()?);
            if ip.to_ipv4_mapped().is_some() {
                return Err(DecodeError::Value);
            }
            (ip, r.u16()?).into()
        }
        _ => return Err(DecodeError::Value),
    };
    if Addr::from(addr).is_reachable() { Ok(addr) } else { Err(DecodeError::Value) }
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
