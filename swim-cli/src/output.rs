//! Standard output, standard error, colours, and the ways to fail.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, IsTerminal, StdoutLock, Write as _};

use bind_mio::swim_core::State;
pub(crate) use swim_trace_tools::words::shown;

/// Why the command ends otherwise than it should.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What was asked for cannot work.
    Usage(String),
    /// Something failed at run time.
    Runtime(String),
    /// Standard output was closed by its reader, who has seen enough: no error.
    NobodyReads,
}

impl Failure {
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::NobodyReads => 0,
            Self::Runtime(_) => 1,
            Self::Usage(_) => 2,
        }
    }
}

/// Standard output, line by line.
pub(crate) struct Out {
    stdout: StdoutLock<'static>,
    coloured: bool,
}

impl Out {
    pub(crate) fn new() -> Self {
        let stdout = io::stdout().lock();
        let coloured = colours(stdout.is_terminal());
        Self { stdout, coloured }
    }

    /// Writes a line, and sees to it that it is out.
    pub(crate) fn line(&mut self, line: fmt::Arguments<'_>) -> Result<(), Failure> {
        let written = writeln!(self.stdout, "{line}").and_then(|()| self.stdout.flush());
        written.map_err(|e| match e.kind() {
            io::ErrorKind::BrokenPipe => Failure::NobodyReads,
            _ => Failure::Runtime(format!("cannot write to standard output: {e}; send it to where there is room")),
        })
    }

    /// The text in the colour of this state, where there are colours.
    pub(crate) fn paint<'a>(&self, state: Option<State>, text: &'a str) -> Cow<'a, str> {
        let colour = match state {
            Some(State::Alive) => "32",
            Some(State::Suspect) => "33",
            Some(State::Dead) => "31",
            Some(State::Left) => "36",
            None => return text.into(),
        };
        if self.coloured { format!("\x1b[{colour}m{text}\x1b[0m").into() } else { text.into() }
    }
}

/// Whether a stream that is a terminal or not gets colours (no-color.org).
pub(crate) fn colours(terminal: bool) -> bool {
    terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// A line for people on standard error. Where that is closed, nobody wants to know.
pub(crate) fn notice(text: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{text}");
}
