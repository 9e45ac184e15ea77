//! What is in one block of records, all of it: also the notes that a [`crate::Cursor`] passes over.

use std::net::SocketAddr;

use swim_core::{Event, Instant};

use crate::bytes::Bytes;
use crate::record::{self, Inputs, Record, Recorded};

/// One record.
#[derive(Debug)]
#[non_exhaustive]
pub enum Entry<'a> {
    /// What the node was given.
    Input {
        /// Its number.
        step: u64,
        /// When.
        at: Instant,
        /// Of the digest before it, as it stands in the block.
        check: u32,
        /// What.
        input: Recorded<'a>,
    },
    /// A datagram that the input before made the node send.
    Sent {
        /// Where to.
        to: SocketAddr,
        /// Its frame.
        frame: &'a [u8],
    },
    /// An event that the input before made the node tell.
    Event(Event),
    /// A note that is not known here.
    Unknown {
        /// 64 or more.
        kind: u8,
        /// Its bytes behind the kind.
        body: &'a [u8],
    },
}

/// The records of one block, in order. After an error there are no more.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    digest: u64,
    inputs: Inputs,
    rest: Bytes<'a>,
    step: u64,
    at: Instant,
}

impl<'a> Entries<'a> {
    /// Of the decompressed content of a block of records, with the block's step and time; `None` when it is too short for one.
    pub fn of(content: &'a [u8], step: u64, at: Instant) -> Option<Self> {
        let mut rest = Bytes(content);
        Some(Self { digest: rest.u64()?, inputs: Inputs::default(), rest, step, at })
    }

    /// The digest that the block begins with.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// The same without the inputs, when all records were read: of the outputs behind the last step, wherever blocks end.
    pub fn outputs(&self) -> u64 {
        self.digest ^ self.inputs.now.value()
    }
}

impl<'a> Iterator for Entries<'a> {
    /// What is wrong with a record, when something is.
    type Item = Result<Entry<'a>, &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let read = self.read();
        if read.is_err() {
            self.rest = Bytes(&[]);
        }
        Some(read)
    }
}

impl<'a> Entries<'a> {
    fn read(&mut self) -> Result<Entry<'a>, &'static str> {
        let mut record = self.record()?;
        while let Record::Time(at) = record {
            self.at = at;
            record = self.record()?;
        }
        Ok(match record {
            Record::Time(_) => return Err("the time of no input"),
            Record::Input { elapsed, check, input } => {
                let step = self.step;
                self.step = step.checked_add(1).ok_or("the number of a step")?;
                self.at = self.at.plus_micros(elapsed);
                Entry::Input { step, at: self.at, check, input }
            }
            Record::Sent { to, frame } => Entry::Sent { to, frame },
            Record::Event(event) => Entry::Event(event),
            Record::Unknown { kind, body } => Entry::Unknown { kind, body },
        })
    }

    fn record(&mut self) -> Result<Record<'a>, &'static str> {
        let before = self.rest.0;
        let record = record::read(&mut self.rest)?;
        self.inputs.add(&before[..before.len() - self.rest.0.len()]);
        Ok(record)
    }
}
