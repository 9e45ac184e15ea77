//! The flight recorder as the agent has it: what is asked for, whether that can work, and what is said of it.
//!
//! Invariant: what cannot be written is refused before the node starts, and a trace that is there is never lost by a start.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bind_mio::swim_driver::{Dumps, Recorder, RecorderStats, Recording};
use clap::Args;

use crate::config_file::{File, Section};
use crate::output::{Failure, notice};
use crate::units::{counted, parse_size, size};

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Flight recorder")]
pub(crate) struct RecordArgs {
    /// Write everything that the node is given to this file, as long as it runs, to be replayed exactly; see below.
    ///
    /// A file that is there is kept beside it, as FILE.old.
    #[arg(long, value_name = "FILE")]
    record_to: Option<PathBuf>,
    /// Keep the newest part of that in memory, and write it into this directory when there is a reason to; see below.
    #[arg(long, value_name = "DIR")]
    record_dumps: Option<PathBuf>,
    /// How much memory the newest part has: 8MiB unless this or --config says otherwise.
    #[arg(long, value_name = "SIZE", value_parser = ring_size)]
    record_ring: Option<usize>,
    /// Record what comes out of the node in full, too, about as much again. A replay makes it anew; recorded, it shows both
    /// sides of a divergence.
    #[arg(long)]
    record_outputs: bool,
}

/// What is recorded, and where it goes.
pub(super) struct Recorded {
    recording: Recording,
    file: Option<PathBuf>,
    dumps: Option<PathBuf>,
}

impl Recorded {
    /// What the command line and the config file ask for, in this order; `None` when that is nothing. That it can be written was
    /// tried.
    pub(super) fn of(args: &RecordArgs, config: Option<&File>) -> Result<Option<Self>, Failure> {
        let nothing = Section::default();
        let section = config.map_or(&nothing, File::record);
        let file = args.record_to.clone().or_else(|| section.file.clone());
        let dumps = args.record_dumps.clone().or_else(|| section.dumps.clone());
        let ring = args.record_ring.or(section.ring);
        let outputs = args.record_outputs || section.outputs.unwrap_or(false);
        if file.is_none() && dumps.is_none() {
            return if args.record_ring.is_some() || args.record_outputs || section.is_given() {
                Err(Failure::Usage(
                    "how to record is said, and not where to: add --record-dumps DIR or --record-to FILE, or write \
                     dumps = \"DIR\" or file = \"FILE\" into the section [record] of the config file"
                        .into(),
                ))
            } else {
                Ok(None)
            };
        }
        if let Some(path) = &file {
            try_file(path).map_err(|e| unwritable("recording to", path, &e))?;
        }
        if let Some(dir) = &dumps {
            try_dir(dir).map_err(|e| unwritable("dumps into", dir, &e))?;
        }
        let mut recording = ring.map_or_else(Recording::default, Recording::of);
        recording.outputs = outputs;
        recording.file.clone_from(&file);
        recording.dumps = dumps.as_ref().map(Dumps::into);
        Ok(Some(Self { recording, file, dumps }))
    }

    pub(super) fn recording(&self) -> Recording {
        self.recording.clone()
    }

    /// Where dumps go.
    pub(super) fn dumps(&self) -> Option<&Path> {
        self.dumps.as_deref()
    }

    /// The trace of a former life is put aside: it may be that of a crash. To be called before the node is given anything, and
    /// not before it is certain to start.
    pub(super) fn keep_former(&self) -> Result<(), Failure> {
        let Some(file) = &self.file else { return Ok(()) };
        let mut former = file.clone().into_os_string();
        former.push(".old");
        match fs::rename(file, former) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(unwritable("recording to", file, &e)),
            _ => Ok(()),
        }
    }

    /// The node has ended: what is still to be written is waited for, and what it came to is said.
    pub(super) fn finish(&self, recorder: &Recorder) {
        let all = recorder.flush(FLUSH_MAX);
        let stats = recorder.stats();
        if let Some(file) = &self.file {
            notice(format_args!("{}", file_line(file, &stats)));
        }
        if let Some(dir) = &self.dumps {
            notice(format_args!("{}", dumps_line(dir, &stats)));
        }
        if !all {
            notice(format_args!(
                "the disk is slow, and what the recorder still had after {} s is not written",
                FLUSH_MAX.as_secs()
            ));
        }
    }
}

/// What SIGUSR2 does: a dump, and a word on where it goes. Whether it could be written is told when it is, by a line in the log.
pub(super) fn dump_on_signal(recorder: Option<&Recorder>, dumps: Option<&Path>) {
    match (recorder, dumps) {
        (Some(recorder), Some(dir)) => {
            // Said first: the log's line tells how it went.
            notice(format_args!("SIGUSR2: dumping into {}", dir.display()));
            if !recorder.request_dump("signal") {
                notice(format_args!("SIGUSR2: so many dumps are waiting already that this one is left out"));
            }
        }
        _ => notice(format_args!("SIGUSR2: nothing is dumped, because no --record-dumps says where to")),
    }
}

fn file_line(file: &Path, stats: &RecorderStats) -> String {
    let mut line = format!(
        "recorded to {}: {}, {}",
        file.display(),
        counted(stats.steps as f64, "step"),
        size(stats.written as f64)
    );
    if stats.missed == 0 && stats.unwritten == 0 {
        line += ", no gaps";
    }
    if stats.missed > 0 {
        let (missed, gaps) = (counted(stats.missed as f64, "step"), counted(stats.gaps as f64, "gap"));
        line += &format!("; {missed} missing in {gaps}, while the newest part was being read");
    }
    if stats.unwritten > 0 {
        let blocks = counted(stats.unwritten as f64, "block");
        line += &format!("; {blocks} missing, because the disk was full or slow");
    }
    line
}

fn dumps_line(dir: &Path, stats: &RecorderStats) -> String {
    let failed = match stats.dumps_failed {
        0 => String::new(),
        failed => format!(", {failed} could not be written"),
    };
    format!("dumps into {}: {}{failed}", dir.display(), stats.dumps)
}

/// A file that can be written, as far as can be told without changing it.
fn try_file(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(io::Error::other("it is a directory")),
        // It would be given another mode, and could not be put aside.
        Ok(found) if !found.is_file() => Err(io::Error::other("it is no regular file")),
        Ok(_) => OpenOptions::new().append(true).open(path).map(drop),
        Err(_) => try_new(path),
    }
}

fn try_dir(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    try_new(&dir.join(format!(".swim-{}", std::process::id())))
}

fn try_new(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).open(path)?;
    fs::remove_file(path)
}

fn unwritable(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::Usage(format!("{what} {} cannot work: {error}; give a path that can be written", path.display()))
}

/// A size that a ring can have.
pub(crate) fn ring_size(text: &str) -> Result<usize, String> {
    let bytes = parse_size(text)?;
    if bytes < RING_MIN {
        return Err(format!("\"{text}\" is too small to keep anything in: at least 64KiB"));
    }
    usize::try_from(bytes).map_err(|_| format!("\"{text}\" is more memory than there can be"))
}

/// The recorder would take a smaller one for this.
const RING_MIN: u64 = 64 << 10;
/// A disk that works needs a small part of it.
const FLUSH_MAX: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use std::process::{self, Command};
    use std::{env, thread};

    use bind_mio::swim_core::Config;
    use bind_mio::{Setup, bind};

    use super::*;

    /// A disk that takes nothing before somebody comes to read it: a pipe.
    #[test]
    fn what_is_still_to_be_written_is_waited_for() {
        let pipe = env::temp_dir().join(format!("swim-agent-{}-pipe", process::id()));
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let recording = Recording::default().file(&pipe);
        let recorded = Recorded { recording, file: Some(pipe.clone()), dumps: None };
        let mut setup = Setup::new("a", Config::local("c"));
        setup.record = Some(recorded.recording());
        let (handle, driver) = bind(([127, 0, 0, 1], 0).into(), setup).unwrap();
        handle.leave().unwrap();
        driver.run().unwrap();
        let recorder = handle.recorder().unwrap();
        assert_eq!(recorder.stats().written, 0);
        let reader = thread::spawn({
            let pipe = pipe.clone();
            move || fs::read(pipe).unwrap()
        });
        recorded.finish(recorder);
        let written = recorder.stats().written;
        assert!(written > 0);
        assert!(reader.join().unwrap().len() as u64 >= written);
        fs::remove_file(pipe).unwrap();
    }

    #[test]
    fn what_is_missing_is_told() {
        let mut stats = RecorderStats::default();
        (stats.steps, stats.written, stats.dumps) = (4_321, 56_700, 2);
        let (file, dir) = (Path::new("run.swt"), Path::new("d"));
        assert_eq!(file_line(file, &stats), "recorded to run.swt: 4321 steps, 56.7 kB, no gaps");
        assert_eq!(dumps_line(dir, &stats), "dumps into d: 2");
        (stats.missed, stats.gaps, stats.unwritten, stats.dumps_failed) = (17, 1, 2, 3);
        let line = file_line(file, &stats);
        assert!(
            line.contains("; 17 steps missing in 1 gap, while") && line.contains("; 2 blocks missing, b"),
            "{line}"
        );
        assert_eq!(dumps_line(dir, &stats), "dumps into d: 2, 3 could not be written");
    }

    #[test]
    fn a_ring_has_a_size() {
        assert_eq!(["64KiB", "65536", "1GB"].map(ring_size), [Ok(64 << 10), Ok(64 << 10), Ok(1_000_000_000)]);
        assert!(ring_size("64kB").unwrap_err().contains("at least 64KiB"));
    }
}
