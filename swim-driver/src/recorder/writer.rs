//! A thread that writes files, so that the driver need not wait for a disk.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::file::{self, Appender};
use super::ring::Block;
use super::{Dumps, RecorderStats, Recording, Shared, options};
use crate::sync::{Arc, AtomicBool, Ordering, lock};

/// What is to be written.
pub(super) enum Job {
    /// A block to the file, and the number of the first input that is not in it.
    Append(Block, u64),
    /// The ring, for this reason.
    Dump(String),
    /// Nothing any more.
    End,
}

/// The way to the thread. Nobody who asks waits.
pub(super) struct Writer {
    jobs: Option<SyncSender<Job>>,
    waiting: Mutex<Option<Receiver<Job>>>,
    appends: bool,
    dumps: bool,
    /// Something did not reach the file: what follows has to begin with a keyframe.
    lost: AtomicBool,
    ended: AtomicBool,
    progress: Mutex<Progress>,
    moved: Condvar,
}

#[derive(Default)]
struct Progress {
    asked: u64,
    done: u64,
    dumps: u64,
    dumps_failed: u64,
    written: u64,
    unwritten: u64,
    /// The thread has ended: what is asked now, its end for example, is never done.
    over: bool,
}

impl Writer {
    pub(super) fn new(recording: &Recording) -> Self {
        let (appends, dumps) = (recording.file.is_some(), recording.dumps.is_some());
        let (jobs, waiting) = if appends || dumps { Some(sync_channel(QUEUE)).unzip() } else { (None, None) };
        Self {
            jobs,
            waiting: Mutex::new(waiting),
            appends,
            dumps,
            lost: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            progress: Mutex::default(),
            moved: Condvar::new(),
        }
    }

    /// Hands a job to the thread, if it has room for it.
    pub(super) fn ask(&self, job: Job) -> bool {
        let Some(jobs) = &self.jobs else { return false };
        if self.ended.load(Ordering::Acquire) || (matches!(job, Job::Dump(_)) && !self.dumps) {
            return false;
        }
        // Counted before it can be done.
        self.progress(|progress| progress.asked += 1);
        let taken = jobs.try_send(job);
        if let Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) = &taken {
            self.progress(|progress| {
                progress.asked -= 1;
                match job {
                    Job::Append(..) => progress.unwritten += 1,
                    Job::Dump(_) => progress.dumps_failed += 1,
                    Job::End => {}
                }
            });
        }
        taken.is_ok()
    }

    /// A block is sealed that holds the inputs below number `upto`.
    pub(super) fn append(&self, block: Block, upto: u64) {
        if self.appends && !self.ask(Job::Append(block, upto)) {
            self.lost.store(true, Ordering::Release);
        }
    }

    /// Whether the next block should be preceded by a keyframe. Asked once.
    pub(super) fn wants_keyframe(&self) -> bool {
        self.appends && self.lost.swap(false, Ordering::AcqRel)
    }

    /// The thread ends once it has done what it was asked before.
    pub(super) fn end(&self) {
        // This first: a job that has no room is looked for as long as there are others, and then this is.
        let ended = self.ended.swap(true, Ordering::AcqRel);
        if let (Some(jobs), false) = (&self.jobs, ended) {
            self.progress(|progress| progress.asked += 1);
            // Nobody waits for it alone, and the thread sees the mark.
            let _ = jobs.try_send(Job::End);
        }
    }

    pub(super) fn flush(&self, timeout: Duration) -> bool {
        let end = Instant::now().checked_add(timeout);
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = progress.asked;
        // The end is done when the thread is.
        while progress.done < wanted && !progress.over {
            let left = end.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return false;
            }
            progress = self.moved.wait_timeout(progress, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    pub(super) fn stats(&self, ring: RecorderStats) -> RecorderStats {
        self.progress(|progress| RecorderStats {
            dumps: progress.dumps,
            dumps_failed: progress.dumps_failed,
            written: progress.written,
            unwritten: progress.unwritten,
            ..ring
        })
    }

    fn progress<T>(&self, change: impl FnOnce(&mut Progress) -> T) -> T {
        change(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whoever waits need not any more.
    fn finished(&self) {
        self.ended.store(true, Ordering::Release);
        self.progress(|progress| progress.over = true);
        self.moved.notify_all();
    }

    pub(super) fn dumped(&self, dumped: &io::Result<()>) {
        self.progress(|progress| match dumped {
            Ok(()) => progress.dumps += 1,
            Err(_) => progress.dumps_failed += 1,
        });
    }
}

/// Starts the thread, if there is anything for it to do.
pub(super) fn spawn(recording: &Recording, shared: &Arc<Shared>) {
    let waiting = shared.writer.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(jobs) = waiting else { return };
    let start = lock(&shared.ring).start();
    let appender = recording.file.clone().map(|path| Appender::new(path, recording.compress, start));
    let dumper = recording.dumps.clone().map(|dumps| Dumper::new(dumps, recording.compress));
    let thread = Thread { shared: Arc::clone(shared), jobs, appender, dumper };
    let spawned = thread::Builder::new().name("swim-recorder".into()).spawn(move || thread.run());
    if let Err(e) = spawned {
        // The ring works without it; that nothing is written is counted from now on.
        tracing::warn!("the recorder's thread cannot be started, so nothing is written: {e}");
        shared.writer.progress(|progress| progress.over = true);
    }
}

struct Thread {
    shared: Arc<Shared>,
    jobs: Receiver<Job>,
    appender: Option<Appender>,
    dumper: Option<Dumper>,
}

impl Thread {
    fn run(mut self) {
        let (mut said, mut ending) = (false, false);
        while let Some(job) = self.next(ending) {
            let writer = &self.shared.writer;
            match job {
                Job::Append(block, upto) => {
                    let appended = self.appender.as_mut().map_or(Ok(0), |appender| appender.append(&block, upto));
                    if let Err(e) = &appended {
                        writer.lost.store(true, Ordering::Release);
                        if !std::mem::replace(&mut said, true) {
                            tracing::warn!("the trace cannot be written, and will have gaps: {e}");
                        }
                    }
                    writer.progress(|progress| match appended {
                        Ok(bytes) => progress.written += bytes,
                        Err(_) => progress.unwritten += 1,
                    });
                }
                Job::Dump(why) => {
                    let dumped = self.dumper.as_mut().map_or(Ok(()), |dumper| dumper.dump(&self.shared, &why));
                    if let Err(e) = &dumped {
                        tracing::warn!("the flight recorder cannot be dumped: {e}");
                    }
                    writer.dumped(&dumped);
                }
                // Counted when the last of the file is written.
                Job::End => {
                    ending = true;
                    continue;
                }
            }
            writer.progress(|progress| progress.done += 1);
            writer.moved.notify_all();
        }
        if let Some(Err(e)) = self.appender.as_mut().map(Appender::finish) {
            tracing::warn!("the trace has no index: {e}");
        }
        self.shared.writer.finished();
    }

    /// The next job; `None` when there will be none.
    fn next(&self, ending: bool) -> Option<Job> {
        let ended = ending || self.shared.writer.ended.load(Ordering::Acquire);
        if ended { self.jobs.try_recv().ok() } else { self.jobs.recv().ok() }
    }
}

/// Writes dumps, each a file of its own.
pub(super) struct Dumper {
    dumps: Dumps,
    compress: bool,
    count: u64,
    kept: VecDeque<PathBuf>,
}

impl Dumper {
    pub(super) fn new(dumps: Dumps, compress: bool) -> Self {
        Self { dumps, compress, count: 0, kept: VecDeque::new() }
    }

    pub(super) fn dump(&mut self, shared: &Shared, why: &str) -> io::Result<()> {
        let path = self.path(&shared.label, why);
        write_dump(&path, &shared.packed(self.compress))?;
        tracing::info!("the flight recorder is dumped to {}", path.display());
        self.kept.push_back(path);
        if self.kept.len() > self.dumps.keep.max(1) {
            if let Some(oldest) = self.kept.pop_front() {
                // Somebody may have taken it away, which is as good.
                let _ = fs::remove_file(oldest);
            }
        }
        Ok(())
    }

    fn path(&mut self, label: &str, why: &str) -> PathBuf {
        // A node of the same name, as that of another cluster may be, can have dumped in this second, too.
        loop {
            self.count += 1;
            let path = dump_path(&self.dumps.dir, label, &self.count.to_string(), why);
            if !path.exists() {
                return path;
            }
        }
    }
}

/// Where a dump goes.
pub(super) fn dump_path(dir: &Path, label: &str, count: &str, why: &str) -> PathBuf {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let why = options::plain(why);
    let why = if why.is_empty() { "asked".into() } else { why };
    dir.join(format!("{label}-{seconds}-{count}-{why}.swt"))
}

pub(super) fn write_dump(path: &Path, trace: &[u8]) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    file::replace(path, trace)
}

/// Jobs that wait at most: blocks of up to 64 KiB, so this bounds the memory that a slow disk can hold.
const QUEUE: usize = 64;
