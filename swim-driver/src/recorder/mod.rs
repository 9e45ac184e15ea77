//! The flight recorder: what the node sees is kept in a bounded ring, and leaves it as a trace.
//!
//! Two sides. The [`Tap`] is the driver's: it stands where inputs reach the node, and what it does there is bounded and never
//! waits: when somebody reads the ring just then, it goes on in memory of its own, and what has no room there is a gap. The
//! [`Recorder`] is everybody else's: it reads the ring, at any time, from any thread. Writing files is a third side's business, of
//! a thread that exists only where files are asked for.

mod alarm;
mod file;
mod options;
mod panics;
mod ring;
mod tap;
mod writer;

use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

use swim_core::Node;
use swim_trace::{Header, Replay, Trace, block};

pub use self::options::{Dumps, Recording};
use self::ring::Ring;
pub(crate) use self::tap::Tap;
use self::writer::{Job, Writer};
use crate::sync::{Arc, Mutex, lock};

/// What a recorder has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecorderStats {
    /// Inputs that the node was given.
    pub steps: u64,
    /// Of these, inputs that were not recorded, because the ring was being read for too long. Each row of them is a gap in it.
    pub missed: u64,
    /// Rows of inputs that were not recorded.
    pub gaps: u64,
    /// Bytes of records and keyframes so far, those included that the ring has forgotten.
    pub bytes: u64,
    /// Snapshots of the node's state that were taken.
    pub keyframes: u64,
    /// Bytes that the ring holds now.
    pub held: u64,
    /// Dumps written.
    pub dumps: u64,
    /// Dumps that were wanted and could not be written.
    pub dumps_failed: u64,
    /// Bytes written to [`Recording::file`].
    pub written: u64,
    /// Blocks that [`Recording::file`] lacks, because the disk was full or slow. Each row of them is a gap in it.
    pub unwritten: u64,
}

/// What all sides share.
struct Shared {
    ring: Mutex<Ring>,
    /// Who the node is, for the names of files.
    label: String,
    writer: Writer,
}

/// The embedder's end of a flight recorder: [`crate::Handle::recorder`]. It outlives the driver, and with it the run's last
/// part stays readable.
#[derive(Clone)]
pub struct Recorder {
    shared: Arc<Shared>,
}

impl Recorder {
    /// The newest part of the run, up to the last input that the node was given, as a whole trace. At most about as long as the
    /// ring.
    pub fn trace(&self) -> Vec<u8> {
        self.shared.trace()
    }

    /// Writes [`Self::trace`] to a file that only its owner may read. The file is complete or not there: what was there
    /// before is replaced at the end.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn dump(&self, path: impl AsRef<Path>) -> io::Result<()> {
        file::replace(path.as_ref(), &self.trace())
    }

    /// The node's state behind the last input that it was given, as [`swim_core::Node::snapshot`]: for [`crate::Setup::resume`],
    /// wherever the driver runs. Not asked of the node: what is in the ring is replayed, which takes milliseconds. `None` when the
    /// ring cannot be replayed, because the node has panicked, for example.
    pub fn snapshot(&self) -> Option<Vec<u8>> {
        let bytes = self.trace();
        let mut replay = Trace::open(&bytes).ok().and_then(|trace| Replay::new(&trace).ok())?;
        while let Some(step) = replay.step() {
            if step.ok()?.diverged {
                return None;
            }
        }
        replay.node().map(Node::snapshot)
    }

    /// Asks for a dump into the directory of [`Recording::dumps`], and does not wait for it. `why` becomes part of the file's name:
    /// letters, digits and `-`, anything else is left out. `false`: no directory was given, or so many dumps are wanted already
    /// that this one is not taken.
    pub fn request_dump(&self, why: &str) -> bool {
        self.shared.writer.ask(Job::Dump(why.into()))
    }

    /// Blocks the thread until everything that was recorded before is written, and every dump that was wanted. `false`: not within
    /// `timeout`. Without a file and dumps there is nothing to wait for.
    pub fn flush(&self, timeout: Duration) -> bool {
        self.shared.writer.flush(timeout)
    }

    /// What was counted.
    pub fn stats(&self) -> RecorderStats {
        let ring = lock(&self.shared.ring).stats();
        self.shared.writer.stats(ring)
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl Shared {
    fn trace(&self) -> Vec<u8> {
        self.packed(false)
    }

    /// The same, compressed if so wanted.
    fn packed(&self, compress: bool) -> Vec<u8> {
        // The parts are put together when the lock is no longer held: the driver wants it.
        let parts = lock(&self.ring).parts();
        put_together(parts, compress)
    }

    /// The same, where this thread may hold the lock itself, as one that panics does; then it is never to be had.
    fn packed_unless_held(&self, compress: bool) -> Option<Vec<u8>> {
        let parts = (0..HELD_TRIES).find_map(|_| {
            let parts = tap::to_be_had(&self.ring).map(|ring| ring.parts());
            if parts.is_none() {
                // Whoever else holds it has no more to do than a few copies.
                std::thread::sleep(Duration::from_millis(1));
            }
            parts
        })?;
        Some(put_together(parts, compress))
    }
}

/// Milliseconds in which everybody but a thread that panics lets the ring go.
const HELD_TRIES: usize = 200;

fn put_together((start, blocks): (ring::Block, Vec<ring::Block>), compress: bool) -> Vec<u8> {
    let mut out = start.to_vec();
    blocks.iter().for_each(|block| append(block, compress, &mut out));
    out
}

/// Finishes a block, and appends it.
fn append(block: &[u8], compress: bool, out: &mut Vec<u8>) {
    if !compress {
        return block::finish(block, out);
    }
    let mut whole = Vec::with_capacity(block.len());
    block::finish(block, &mut whole);
    out.extend_from_slice(&block::compressed(&whole));
}

/// Both ends of a recorder for a node that is constructed like this.
pub(crate) fn start(recording: &Recording, header: &Header) -> (Recorder, Tap) {
    let ring = Ring::new(recording.ring, header);
    let label = label(header);
    let writer = Writer::new(recording);
    let shared = Arc::new(Shared { ring: Mutex::new(ring), label, writer });
    writer::spawn(recording, &shared);
    if let Some(dumps) = recording.dumps.as_ref().filter(|dumps| dumps.on_panic) {
        panics::watch(&shared, dumps, recording.compress);
    }
    let tap = Tap::new(recording, header, Arc::clone(&shared));
    (Recorder { shared }, tap)
}

/// Name and life of a node, as far as they can be part of a file's name.
fn label(header: &Header) -> String {
    let name = options::plain(header.profile.name());
    format!("{}-{}", if name.is_empty() { header.id.to_string() } else { name }, header.epoch)
}

#[cfg(all(test, not(loom)))]
mod tests;
