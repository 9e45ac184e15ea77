//! Target: any bytes as a frame.

use swim_core::wire::{Change, Frame, Message, More, StateItem, Writer, opaque};

/// Parsed without a panic; what is taken has one encoding, and what it lends lies within the bytes.
///
/// # Panics
/// When there is a bug.
pub fn target(data: &[u8]) {
    let Ok(frame) = Frame::parse(data) else {
        assert!(opaque(data).is_err(), "what is refused has nothing opaque");
        return;
    };
    let lent = read_all(&frame, |part| assert!(lies_within(part, data), "what is lent is part of the bytes"));
    assert!(lent <= data.len(), "{lent} bytes are lent of {}", data.len());
    check_opaque(data);
    let known = without_skipped(data);
    let again = encode(&frame, known.len());
    assert!(again == known, "a frame has one encoding:\n  {known:02x?}\nand it was written as\n  {again:02x?}");
}

/// Reads everything that a frame says, and hands out what it lends. Returns how many bytes that is.
pub fn read_all<'a>(frame: &Frame<'a>, mut lends: impl FnMut(&'a [u8])) -> usize {
    let mut lent = 0;
    let mut see = |part: &'a [u8]| {
        lent += part.len();
        lends(part);
    };
    for item in frame.updates().chain(frame.rows()) {
        match item.more {
            More::Detail(detail) => [detail.name.as_bytes(), detail.meta].into_iter().for_each(&mut see),
            More::Accused(accusers) => assert_eq!(accusers.iter().count(), accusers.count()),
            More::Status => {}
        }
    }
    for entry in frame.states().flat_map(|item| item.entries()) {
        see(entry.key.as_bytes());
        if let Change::Put { value, .. } = entry.change {
            see(value);
        }
    }
    for rumor in frame.rumors() {
        [rumor.topic.as_bytes(), rumor.payload].into_iter().for_each(&mut see);
    }
    let counts = [frame.ranges().count(), frame.nodes().count(), frame.bitmaps().count(), frame.digests().count()];
    assert!(counts.iter().filter(|&&count| count > 0).count() <= 1, "one message has one kind of record: {counts:?}");
    let records = frame.held().count() + frame.wanted().count() + frame.summaries().count() + frame.known().count();
    lent + records
}

/// Nothing lies everywhere: an empty name is no place in the bytes.
fn lies_within(part: &[u8], whole: &[u8]) -> bool {
    let (bounds, inner) = (whole.as_ptr_range(), part.as_ptr_range());
    part.is_empty() || (bounds.start <= inner.start && inner.end <= bounds.end)
}

/// The places of what nobody looks into ascend, and other bytes there make a frame that is taken, too.
fn check_opaque(data: &[u8]) {
    let places = opaque(data).expect("it was taken just now");
    let mut end = 0;
    let mut other = data.to_vec();
    for (_, place) in places {
        assert!(end <= place.start && place.start < place.end && place.end <= data.len());
        end = place.end;
        other[place].fill(b'x');
    }
    assert!(Frame::parse(&other).is_ok(), "opaque bytes decide nothing");
}

/// The bytes but for sections and messages that this version skips.
fn without_skipped(data: &[u8]) -> Vec<u8> {
    // Refutations are a varint of at most five bytes.
    let head = 12 + data[12..].iter().take_while(|&&byte| byte >= 0x80).count() + 1 + 8;
    let (mut known, mut at) = (data[..head].to_vec(), head);
    while at < data.len() {
        let bytes = data[at + 1..].iter().take_while(|&&byte| byte >= 0x80).count() + 1;
        let length = &data[at + 1..at + 1 + bytes];
        let length = length.iter().rev().fold(0_usize, |value, &byte| value << 7 | usize::from(byte & 0x7f));
        let next = at + 1 + bytes + length;
        if !matches!(data[at], 15 | 27..) {
            known.extend_from_slice(&data[at..next]);
        }
        at = next;
    }
    known
}

/// The frame, written anew into a buffer of just this size.
fn encode(frame: &Frame<'_>, room: usize) -> Vec<u8> {
    // A section keeps room for the longest length that it can have until it is closed.
    let mut buf = vec![0; room + 8];
    let mut w = Writer::new(&mut buf, frame.sender, frame.incarnation, frame.view_hash).expect("it had room for that");
    let mut fits = true;
    if let Some(message) = frame.message {
        fits &= match message {
            Message::Pull { nonce } => w.pull(nonce, frame.ranges()),
            Message::Compare { nonce, level } => {
                w.compare(nonce, level, frame.nodes().map(|node| (node.prefix, node.hashes)))
            }
            Message::Differ { nonce } => w.differ(nonce, frame.bitmaps()),
            Message::Digest { nonce } => w.digest(nonce, frame.digests()),
            message => w.message(message),
        };
    }
    fits &= w.open_updates() && frame.updates().all(|item| w.item(&item));
    w.close_section();
    fits &= w.open_rows() && frame.rows().all(|item| w.item(&item));
    w.close_section();
    fits &= !frame.asks_who || w.ask_who(frame.cookie);
    fits &= w.held(frame.held()) && w.wanted(frame.wanted()) && w.app_hash(frame.app_hash);
    fits &= w.summaries(frame.summaries());
    fits &= w.open_states() && frame.states().all(|item| w.state_item(&item) && has_its_length(&item));
    w.close_section();
    fits &= w.open_rumors() && frame.rumors().all(|rumor| w.rumor(&rumor));
    w.close_section();
    fits &= w.known(frame.known());
    fits &= frame.proof.is_none_or(|proof| w.proof(proof));
    assert!(fits, "all that was read can be written");
    let written = w.written();
    buf.truncate(written);
    buf
}

/// Do the entries add up to what is there? Each is as long as it would be written.
fn has_its_length(item: &StateItem<'_>) -> bool {
    let (mut before, mut room) = (item.from, 0);
    for entry in item.entries() {
        room += entry.wire_len(before);
        before = entry.version;
    }
    let mut buf = vec![0; room + 64];
    let head = swim_core::wire::StateHead {
        id: item.id,
        epoch: item.epoch,
        version: item.version,
        gc: item.gc,
        from: item.from,
    };
    let mut w = Writer::new(&mut buf, item.id, swim_core::Incarnation::default(), 0).expect("64 bytes are a head");
    let upto = w.open_states().then(|| w.state(&head, usize::MAX, item.entries())).flatten();
    // The entries of a part that was cut are all that the writer gets: it takes them for the whole.
    upto == Some(item.version)
}
