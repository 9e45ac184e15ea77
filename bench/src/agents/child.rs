//! A process that ends with us, however we end.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{self, Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// A program that starts has said where it is by then.
const PATIENCE: Duration = Duration::from_secs(15);

/// Killed when dropped; and by the system, when this process dies without dropping anything.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(program: &OsStr, arguments: &[String], stdout: Stdio) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(stdout).stderr(Stdio::null());
        // SAFETY: the closure makes one system call, and touches no memory that the fork may have left half-written.
        unsafe {
            command.pre_exec(|| match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            });
        }
        Ok(Self(command.spawn()?))
    }

    /// A subcommand of this very program.
    pub(crate) fn own(arguments: &[String], stdout: Stdio) -> io::Result<Self> {
        Self::start(std::env::current_exe()?.as_os_str(), arguments, stdout)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// The first line that it prints, for which it has some seconds. Its output is to be piped.
    pub(crate) fn first_line(&mut self) -> io::Result<String> {
        let out = self.0.stdout.take().ok_or_else(|| io::Error::other("its output is not read here"))?;
        let (said, hears) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            // Nobody listens any more when it comes too late.
            _ = said.send(BufReader::new(out).read_line(&mut line).map(|_| line));
        });
        let line =
            hears.recv_timeout(PATIENCE).map_err(|_| io::Error::other(format!("no word for {PATIENCE:?}")))??;
        if line.is_empty() { Err(io::Error::other("it has ended without a word")) } else { Ok(line.trim_end().into()) }
    }

    /// An error when it has ended by itself.
    pub(crate) fn check(&mut self) -> io::Result<()> {
        match self.0.try_wait()? {
            None => Ok(()),
            Some(status) => Err(io::Error::other(format!("a process has ended too early: {status}"))),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// For a process that was started so: it ends when whoever has started it does not hold its input any more.
pub(crate) fn end_with_input() {
    thread::spawn(|| {
        _ = io::stdin().read_to_end(&mut Vec::new());
        process::exit(0);
    });
}
