//! Files of traces: nobody but their owner may read them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use swim_core::Instant;
use swim_trace::{Index, Place};

use super::ring::{Block, gap};

/// Writes a whole file, and puts it in its place when it is complete.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A name of its own, for two may be written to one place at a time; and new, for what is there may be somebody's link.
    static WRITTEN: AtomicU64 = AtomicU64::new(0);
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}-{}.part", process::id(), WRITTEN.fetch_add(1, Ordering::Relaxed)));
    let beside = PathBuf::from(beside);
    let written = private(&beside, OpenOptions::new().create_new(true)).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let placed = written.and_then(|()| fs::rename(&beside, path));
    if placed.is_err() {
        // What is left of it is of no use, and the first error is the one to tell.
        let _ = fs::remove_file(&beside);
    }
    placed
}

/// An empty file that only its owner may read.
fn private(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    let file = options.open(path)?;
    // The mode is that of a file that is made: one that was there has its own.
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(file)
}

/// A file that a run is written to, block by block. Whatever fails, what is in it is a trace.
pub(super) struct Appender {
    path: PathBuf,
    compress: bool,
    start: Block,
    file: Option<File>,
    /// Where the last whole block ends.
    good: u64,
    /// The number of the next input that is to be in it.
    next: u64,
    index: Index,
}

impl Appender {
    pub(super) fn new(path: PathBuf, compress: bool, start: Block) -> Self {
        Self { path, compress, start, file: None, good: 0, next: 0, index: Index::default() }
    }

    /// Appends a block that holds the inputs up to number `upto`. Says how many bytes that were.
    pub(super) fn append(&mut self, block: &[u8], upto: u64) -> io::Result<u64> {
        let before = self.good;
        let (step, at) = head(block);
        let appended = self.open().and_then(|()| {
            if step > self.next {
                self.put(&gap(self.next, at, step - self.next))?;
                self.next = step;
            }
            let mut whole = Vec::new();
            super::append(block, self.compress, &mut whole);
            self.put(&whole)
        });
        match appended {
            Ok(()) => self.next = upto,
            Err(_) => self.cut(),
        }
        appended.map(|()| self.good - before)
    }

    /// The run is over: the index is put behind it. Without one the trace is as good.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.open()?;
        let mut block = Vec::new();
        self.index.write(&mut block);
        let put = self.put(&block).and_then(|()| self.file.as_ref().map_or(Ok(()), File::sync_all));
        if put.is_err() {
            self.cut();
        }
        put
    }

    fn open(&mut self) -> io::Result<()> {
        if self.file.is_some() {
            return Ok(());
        }
        if self.good > 0 {
            // It had been cut off behind the last whole block.
            let mut file = OpenOptions::new().write(true).open(&self.path)?;
            file.set_len(self.good)?;
            file.seek(SeekFrom::Start(self.good))?;
            self.file = Some(file);
            return Ok(());
        }
        let mut file = private(&self.path, OpenOptions::new().create(true).truncate(true))?;
        file.write_all(&self.start)?;
        self.file = Some(file);
        self.good = self.start.len() as u64;
        let header = Place { offset: START, kind: 1, step: 0, at: head(&self.start[START..]).1 };
        self.index = Index::default();
        self.index.push(header);
        Ok(())
    }

    fn put(&mut self, block: &[u8]) -> io::Result<()> {
        let file = self.file.as_mut().ok_or(io::ErrorKind::NotFound)?;
        file.write_all(block)?;
        let (step, at) = head(block);
        let offset = usize::try_from(self.good).map_err(io::Error::other)?;
        self.index.push(Place { offset, kind: block[4], step, at });
        self.good += block.len() as u64;
        Ok(())
    }

    /// From now on it is as if the disk took nothing.
    #[cfg(all(test, not(loom)))]
    pub(super) fn fail(&mut self) {
        self.file = File::open(&self.path).ok();
    }

    /// A block that is there in part is taken away: later ones would not be found behind it.
    fn cut(&mut self) {
        if let Some(file) = self.file.take() {
            // If this fails, too, it is done again before anything else is written.
            let _ = file.set_len(self.good);
        }
    }
}

/// Bytes before the first block of a trace.
const START: usize = 16;

/// Step and time in the head of a block.
fn head(block: &[u8]) -> (u64, Instant) {
    let word = |at: usize| block.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes);
    (word(8), Instant::from_micros(word(16)))
}
