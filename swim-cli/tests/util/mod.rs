//! The binary as a child process. Everything is awaited on what it prints; the time-outs only bound a failure.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

pub(crate) const SWIM: &str = env!("CARGO_BIN_EXE_swim");
const LONG: Duration = Duration::from_secs(60);

/// A running `swim`. Killed when dropped.
pub(crate) struct Swim {
    child: Child,
    pub(crate) stdout: Lines,
    pub(crate) stderr: Lines,
}

/// Runs a command that ends by itself: exit code, standard output, standard error.
pub(crate) fn ended(command: &[&str], args: &[&str]) -> (i32, String, String) {
    let mut swim = Swim::start(&[command, args].concat());
    let code = swim.exit_code().expect("no signal ends it");
    (code, swim.stdout.text(), swim.stderr.text())
}

/// Runs a command that must succeed: its standard output.
pub(crate) fn printed(command: &[&str], args: &[&str]) -> String {
    let (code, out, why) = ended(command, args);
    assert_eq!(code, 0, "{args:?}: {why}");
    out
}

/// Runs a command that must be refused with these words.
pub(crate) fn refused(command: &[&str], args: &[&str], words: &[&str]) {
    let (code, out, why) = ended(command, args);
    assert_eq!((code, &*out), (2, ""), "{args:?}: {why}");
    for word in words {
        assert!(why.contains(word), "{args:?}: no {word:?} in: {why}");
    }
}

/// What a process writes to one stream, as it comes.
pub(crate) struct Lines {
    received: Receiver<String>,
    /// Everything so far.
    pub(crate) seen: Vec<String>,
}

impl Swim {
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::spawn(Command::new(SWIM).args(args), usize::MAX)
    }

    /// Starts it with a reader of standard output who goes away after so many lines.
    pub(crate) fn start_read_by(args: &[&str], lines: usize) -> Self {
        Self::spawn(Command::new(SWIM).args(args), lines)
    }

    pub(crate) fn spawn(command: &mut Command, lines: usize) -> Self {
        command.env_remove("RUST_LOG").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary can be started");
        let stdout = Lines::of(child.stdout.take().expect("it is piped"), lines);
        let stderr = Lines::of(child.stderr.take().expect("it is piped"), usize::MAX);
        Self { child, stdout, stderr }
    }

    /// Starts it with a standard output that is not read.
    pub(crate) fn start_into(args: &[&str], stdout: impl Into<Stdio>) -> Self {
        Self::spawn_into(Command::new(SWIM).args(args), stdout)
    }

    /// Starts it with a standard output that is not read here.
    pub(crate) fn spawn_into(command: &mut Command, stdout: impl Into<Stdio>) -> Self {
        command.env_remove("RUST_LOG").stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary can be started");
        let stderr = Lines::of(child.stderr.take().expect("it is piped"), usize::MAX);
        Self { child, stdout: Lines::of(std::io::empty(), 0), stderr }
    }

    /// An agent on a loopback port of its own, and its address.
    pub(crate) fn agent(name: &str, more: &[&str]) -> (Self, String) {
        let args = ["agent", "--cluster", "test", "--name", name, "--bind", "127.0.0.1:0"];
        let mut agent = Self::start(&[&args, more].concat());
        let hint = agent.stderr.find(|line| line.starts_with("to join this node: "));
        let join = hint.split(" --join ").nth(1).expect("the hint names the address");
        let addr = join.split_whitespace().next().expect("the hint names the address").to_owned();
        (agent, addr)
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().expect("there is a kill").success());
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it can be asked").is_none()
    }

    /// The exit code, once it has closed its streams: `None` when a signal ended it.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.stderr.drain();
        self.stdout.drain();
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Swim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Lines {
    fn of(stream: impl Read + Send + 'static, lines: usize) -> Self {
        let (sender, received) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().take(lines) {
                let Ok(()) = sender.send(line.expect("it writes UTF-8")) else { return };
            }
        });
        Self { received, seen: Vec::new() }
    }

    /// The next line; `None` at the end.
    fn next(&mut self, deadline: Instant) -> Option<String> {
        match self.received.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                self.seen.push(line.clone());
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("nothing more after {:#?}", self.seen),
        }
    }

    /// The next line that is wanted.
    pub(crate) fn find(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + LONG;
        loop {
            match self.next(deadline) {
                Some(line) if wanted(&line) => return line,
                Some(_) => {}
                None => panic!("it ended after {:#?}", self.seen),
            }
        }
    }

    /// The first line that is wanted, were it one that was passed over.
    pub(crate) fn find_any(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        let seen = self.seen.iter().find(|line| wanted(line)).cloned();
        seen.unwrap_or_else(|| self.find(wanted))
    }

    /// The next line of this state and name, for people.
    pub(crate) fn find_state(&mut self, state: &str, name: &str) -> String {
        self.find(|line| line.split_whitespace().skip(1).take(2).eq([state, name]))
    }

    /// The next event of this kind, as an object.
    pub(crate) fn find_event(&mut self, event: &str) -> Value {
        let found = |line: &str| parsed(line)["event"] == event;
        parsed(&self.find(found))
    }

    pub(crate) fn drain(&mut self) {
        let deadline = Instant::now() + LONG;
        while self.next(deadline).is_some() {}
    }

    pub(crate) fn text(&self) -> String {
        self.seen.join("\n")
    }
}

pub(crate) fn parsed(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))
}
