//! Files of traces for the commands that read them.

use std::path::{Path, PathBuf};

use swim_core::wire::{Frame, Message};
use swim_trace::{Header, Item, Recorded, Trace, block};

/// A file of this test's own, by its name.
pub(crate) fn file(name: &str, bytes: &[u8]) -> String {
    let path = path(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Where a file of this name would be.
pub(crate) fn path(name: &str) -> String {
    text(&place(name)).to_owned()
}

/// The same, as a path.
pub(crate) fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("the build's folder has a plain name")
}

/// The same run with other inputs, all checks as they were.
pub(crate) fn rewritten(bytes: &[u8], mut change: impl FnMut(u64, Recorded<'static>) -> Recorded<'static>) -> Vec<u8> {
    let trace = Trace::open(bytes).unwrap();
    let mut out = Vec::new();
    block::start(trace.header(), &mut out);
    let mut builder = block::Builder::new(0, trace.header().began, Vec::new());
    let mut cursor = trace.cursor();
    while let Some(item) = cursor.next() {
        match item.unwrap() {
            Item::Input { step, at, check, input, .. } => {
                builder.input(at, check, &change(step, input.into_owned()).as_input());
            }
            Item::Sent { to, frame } => builder.sent(to, frame),
            Item::Event(event) => builder.event(&event),
            other => panic!("{other:?}"),
        }
    }
    block::copy(&builder.seal_open(0), &mut out);
    out
}

/// A datagram in the middle of the run, and the trace with one of its bits the other way.
pub(crate) fn flipped(bytes: &[u8]) -> (u64, Vec<u8>) {
    let trace = Trace::open(bytes).unwrap();
    let mut cursor = trace.cursor();
    let mut datagrams = Vec::new();
    while let Some(item) = cursor.next() {
        if let Item::Input { step, input: Recorded::Datagram { bytes, .. }, .. } = item.unwrap() {
            // Nobody answers an ack, so what comes of it is another step's outcome.
            let is_ack = |frame: Frame<'_>| matches!(frame.message, Some(Message::Ack { .. }));
            if Frame::parse(&bytes).is_ok_and(is_ack) {
                datagrams.push(step);
            }
        }
    }
    let hit = datagrams[datagrams.len() / 2];
    let spoilt = rewritten(bytes, |step, mut input| {
        if let (true, Recorded::Datagram { bytes, .. }) = (step == hit, &mut input) {
            bytes.to_mut()[0] ^= 4;
        }
        input
    });
    (hit, spoilt)
}

/// The same blocks behind another header.
pub(crate) fn with_header(bytes: &[u8], change: impl FnOnce(&mut Header)) -> Vec<u8> {
    let trace = Trace::open(bytes).unwrap();
    let mut header = trace.header().clone();
    change(&mut header);
    let mut out = Vec::new();
    block::start(&header, &mut out);
    trace.blocks().skip(1).for_each(|block| block.unwrap().write(&mut out));
    out
}
