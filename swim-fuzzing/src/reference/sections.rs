//! The records of the sections.

use super::read::Input;
use super::{About, Part, Told, Write, Written};

pub(super) fn items(input: &mut Input) -> Option<About> {
    let (id, epoch) = (input.u64()?, input.u32()?);
    let packed = input.varint((1 << 34) - 1)?;
    let (life, form, state) = ((epoch, (packed >> 4) as u32), packed >> 2 & 3, (packed & 3) as u8);
    let mut about = About { id, life, state, accusers: Vec::new(), detail: None };
    match form {
        0 => {}
        1 => {
            let count = input.u8()?;
            if state != 1 || count == 0 || count > 4 {
                return None;
            }
            about.accusers = (0..count).map(|_| input.u64()).collect::<Option<_>>()?;
        }
        2 => about.detail = Some(detail(input)?).filter(|detail| detail.at <= life),
        _ => return None,
    }
    // A detail that is later than the item.
    if form == 2 && about.detail.is_none() { None } else { Some(about) }
}

fn detail(input: &mut Input) -> Option<Written> {
    let at = input.life()?;
    let ip = match input.u8()? {
        4 => input.bytes(4)?,
        6 => input.bytes(16)?,
        _ => return None,
    };
    let port = input.fixed(2)? as u16;
    let mapped = ip.len() == 16 && ip[..10].iter().all(|&b| b == 0) && ip[10..12] == [0xff, 0xff];
    if port == 0 || mapped || ip.iter().all(|&b| b == 0) {
        return None;
    }
    let name_len = Some(input.u8()?).filter(|&len| len <= 64)?;
    let name = input.text(name_len.into())?;
    let meta_len = input.varint(512)?;
    let meta = input.bytes(meta_len as usize)?;
    Some(Written { at, ip, port, name, meta })
}

pub(super) fn held(input: &mut Input) -> Option<(u64, u32, u32)> {
    Some((input.u64()?, input.u32()?, input.u32()?))
}

pub(super) fn wanted(input: &mut Input) -> Option<u64> {
    input.u64()
}

pub(super) fn summaries(input: &mut Input) -> Option<(u64, u32, u32, u32, u32)> {
    let (id, epoch, version) = (input.u64()?, input.u32()?, input.u32()?);
    let (last, floor) = (input.u32()?, input.u32()?);
    (floor <= last).then_some((id, epoch, version, last, floor))
}

pub(super) fn digests(input: &mut Input) -> Option<(u64, u32, u32, u32, u32, u64)> {
    Some((input.u64()?, input.u32()?, input.u32()?, input.u32()?, input.u32()?, input.u64()?))
}

pub(super) fn parts(input: &mut Input) -> Option<Part> {
    let (id, epoch) = (input.u64()?, input.u32()?);
    let version = input.varint(u64::from(u32::MAX))?;
    let (gc, from) = (input.varint(version)?, input.varint(version)?);
    let length = input.varint(65_535 << 1 | 1)?;
    let (len, complete) = ((length >> 1) as usize, length & 1 == 1);
    let mut body = Input::new(&input.bytes(len)?);
    let (mut entries, mut at) = (Vec::new(), from);
    while body.left() > 0 {
        let entry = write(&mut body, at, version)?;
        at = entry.version.into();
        entries.push(entry);
    }
    if !complete && (entries.is_empty() || at == version) {
        return None;
    }
    let upto = if complete { version } else { at };
    let [version, gc, from, upto] = [version, gc, from, upto].map(|v| v as u32);
    Some(Part { id, epoch, version, gc, from, upto, entries })
}

fn write(input: &mut Input, before: u64, most: u64) -> Option<Write> {
    let version = before + input.varint(u64::from(u32::MAX))?;
    if version == before || version > most {
        return None;
    }
    let key_len = Some(input.u8()?).filter(|len| (1..=64).contains(len))?;
    let key = input.text(key_len.into())?;
    let packed = input.varint(1024 << 2 | 3)?;
    let (len, form) = ((packed >> 2) as usize, packed & 3);
    let left = match form {
        1 | 2 => Some(input.varint((1 << 34) - 1)?),
        _ => None,
    };
    let value = match form {
        0 | 1 => Some(input.bytes(len)?),
        2 if len == 0 => None,
        _ => return None,
    };
    Some(Write { version: version as u32, key, value, left })
}

pub(super) fn rumors(input: &mut Input) -> Option<Told> {
    let (origin, epoch) = (input.u64()?, input.u32()?);
    let seq = Some(input.u32()?).filter(|&seq| seq != 0)?;
    let lamport = input.u64()?;
    let age = input.varint((1 << 34) - 1)?;
    let topic_len = Some(input.u8()?).filter(|&len| len <= 64)?;
    let topic = input.text(topic_len.into())?;
    let payload_len = input.varint(65_535)?;
    let payload = input.bytes(payload_len as usize)?;
    Some(Told { origin, epoch, seq, lamport, age, topic, payload })
}

pub(super) fn known(input: &mut Input) -> Option<(u64, u32, u32, bool)> {
    let (origin, epoch, seq) = (input.u64()?, input.u32()?, input.u32()?);
    match input.u8()? {
        0 => Some((origin, epoch, seq, false)),
        1 => Some((origin, epoch, seq, true)),
        _ => None,
    }
}
