//! What is to be recorded, and where it goes.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use swim_trace::Header;

use super::{Recorder, Tap};

/// How a node is recorded: [`crate::Setup::record`]. The default keeps the newest 8 MiB in memory, for whoever asks for them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recording {
    /// Bytes of memory that the newest part of the run is kept in. At least 64 KiB, and in effect at least about two snapshots of
    /// the node (roughly 100 bytes for each member), or there would be nothing to replay.
    pub ring: usize,
    /// Whether outputs are recorded in full, too, and not only their digest. A replay makes them anew; recorded, they show
    /// both sides of a divergence, and take about as much again. Default: no.
    pub outputs: bool,
    /// Dumps of the ring that are written by themselves. Default: none.
    pub dumps: Option<Dumps>,
    /// A file that the whole run is written to, as long as it lasts: what was there is replaced. Default: none.
    pub file: Option<PathBuf>,
    /// Whether what is written to files is compressed (LZ4). Default: yes.
    pub compress: bool,
    /// Unix time of the driver's `now` at the start, in microseconds, for the trace's header. Default: asked of the system.
    pub unix_micros: Option<u64>,
}

impl Default for Recording {
    fn default() -> Self {
        Self { ring: 8 << 20, outputs: false, dumps: None, file: None, compress: true, unix_micros: None }
    }
}

impl Recording {
    /// The default, with a ring of another size.
    pub fn of(ring: usize) -> Self {
        Self { ring, ..Self::default() }
    }

    /// The same, with dumps.
    #[must_use]
    pub fn dumps(self, dumps: Dumps) -> Self {
        Self { dumps: Some(dumps), ..self }
    }

    /// Both ends of a recorder for a node that is constructed like this, and whose datagrams have an envelope of so many bytes.
    pub(crate) fn start(&self, mut header: Header, envelope: usize) -> (Recorder, Tap) {
        let now =
            || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| u64::try_from(d.as_micros()).unwrap_or(0));
        header.unix_micros = self.unix_micros.unwrap_or_else(now);
        header.outputs = self.outputs;
        header.frame_max = u32::try_from(header.config.mtu - envelope).unwrap_or(u32::MAX);
        super::start(self, &header)
    }

    /// The same, written to a file.
    #[must_use]
    pub fn file(self, path: impl Into<PathBuf>) -> Self {
        Self { file: Some(path.into()), ..self }
    }
}

/// When the ring is dumped without being asked. A dump is a file `NAME-EPOCH-SECONDS-N-WHY.swt` that only its owner may read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dumps {
    /// The directory. It is made when it is not there.
    pub dir: PathBuf,
    /// When this node was accused, or taken for a former life, and refuted. Default: yes.
    pub on_suspicion: bool,
    /// When so many members died within this time. Default: 3 within a minute.
    pub on_deaths: Option<(usize, Duration)>,
    /// When any thread of the process panics, before it unwinds or aborts. Sets a panic hook, which calls the one that is there first.
    /// Default: yes.
    pub on_panic: bool,
    /// The shortest time between two dumps for the same reason. Default: a minute.
    pub pause: Duration,
    /// Dumps of this node's life that are kept; the oldest goes first. Default: 16.
    pub keep: usize,
}

impl Dumps {
    /// Into this directory, for every reason there is.
    pub fn into(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            on_suspicion: true,
            on_deaths: Some((3, Duration::from_secs(60))),
            on_panic: true,
            pause: Duration::from_secs(60),
            keep: 16,
        }
    }
}

/// What of a text can be part of a file's name.
pub(super) fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).take(64).collect()
}
