//! `swim agent`: one node, from its start to its leave.
//!
//! Three threads: the driver's; one that waits for signals; and this one, which waits for events and prints them. A
//! reader of standard output that falls asleep therefore stops neither the node nor its leave.

mod counters;
mod hint;
mod names;
mod record;
mod recorder;
mod sealing;
mod signals;
mod told;

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};
use std::{io, panic};

use bind_mio::swim_core::Event;
use bind_mio::swim_driver::{CommandError, OnlyHere, RecvTimeoutError, SetupError};
use bind_mio::{BindError, Handle, Seed, Setup, bind};

use self::record::{Known, Record};
use self::recorder::Recorded;
pub(crate) use self::recorder::{RecordArgs, ring_size};
use self::sealing::Sealing;
pub(crate) use self::sealing::{SealArgs, moment};
use self::told::Told;
use crate::args::{AgentArgs, EventFormat};
use crate::config_file::{File, Resolved, Sources};
use crate::output::{Failure, Out, notice};

pub(crate) fn run(args: &AgentArgs) -> Result<(), Failure> {
    let start = Instant::now();
    let file = args.config.as_deref().map(File::read).transpose()?;
    let recorded = Recorded::of(&args.record, file.as_ref())?;
    let tags = file.as_ref().map_or_else(Vec::new, |file| file.tags().to_vec());
    let mut sealing = Sealing::of(&args.seal, file.as_ref())?;
    let sources = Sources { cluster: args.cluster.as_deref(), preset: args.preset, file, set: &[] };
    let Resolved { config, preset } = sources.config(sealing.cluster())?;
    let cluster = config.cluster.clone();
    let mut setup = Setup::new(&args.name, config);
    setup.meta = args.meta.clone().into_bytes();
    setup.advertise = args.advertise;
    setup.seeds = sealing.with_seeds(&args.join);
    setup.resolver = names::telling_resolver(args.bind.is_ipv4());
    setup.record = recorded.as_ref().map(Recorded::recording);
    sealing.apply(&cluster, &mut setup)?;
    let seeds = setup.seeds.clone();
    let (handle, driver) = bind(args.bind, setup).map_err(|e| refused(e, &sealing))?;
    recorded.as_ref().map_or(Ok(()), Recorded::keep_former)?;
    let mut told = Told::of(&handle);
    for (key, value) in tags.iter().filter(|(key, _)| args.tag.iter().all(|(other, _)| other != key)).chain(&args.tag) {
        let shown = key.escape_debug();
        handle.put(key, value.as_bytes()).map_err(|e| Failure::Usage(format!("the tag \"{shown}\": {e}")))?;
    }
    let dumps = recorded.as_ref().and_then(Recorded::dumps).map(Into::into);
    let keyring = sealing.file().map(Into::into);
    signals::heed(handle.clone(), dumps, keyring, sealing.is_sealed())
        .map_err(|e| cannot_start("signals cannot be caught", &e))?;
    let driver = thread::Builder::new()
        .name("driver".into())
        .spawn(move || driver.run())
        .map_err(|e| cannot_start("no thread can be started", &e))?;
    sealing.tell();
    notice(format_args!("to join this node: {}", hint::next_command(args, &cluster, preset, handle.addr())));

    let mut printer = Printer { out: Out::new(), format: args.format, start };
    let joins = Joins { cluster: &cluster, seeds: &seeds, sealed: sealing.is_sealed() };
    let followed = follow(&handle, &mut told, args, &joins, &mut printer);
    if followed.is_err() {
        // Nobody is told any more what happens here; that is no reason to vanish without a word.
        accepted(handle.leave());
    }
    let driver = driver.join();
    counters::log_at_the_end(&handle);
    if let Some((recorded, recorder)) = recorded.as_ref().zip(handle.recorder()) {
        recorded.finish(recorder);
    }
    ended(driver)?;
    followed?.map_or(Ok(()), |with| Err(parked(&args.name, with)))
}

/// What the node wants to be a part of.
struct Joins<'a> {
    cluster: &'a str,
    seeds: &'a [Seed],
    sealed: bool,
}

/// Prints every event until there will be none any more. When that is because this node had to fall silent, it returns
/// the address of the one with its name that stays.
fn follow(
    handle: &Handle,
    told: &mut Told,
    args: &AgentArgs,
    joins: &Joins<'_>,
    printer: &mut Printer,
) -> Result<Option<SocketAddr>, Failure> {
    let seeds: Vec<&Seed> = joins.seeds.iter().filter(|seed| seed.addr() != Some(handle.addr())).collect();
    let mut patience = if seeds.is_empty() { Duration::MAX } else { JOIN_PATIENCE };
    let mut known = Known::new(args.why);
    let mut loses_to = None;
    printer.print(&Record::started(printer.now(), joins.cluster, &handle.view()))?;
    loop {
        match told.events.recv_timeout(patience) {
            Ok(event) => {
                tracing::debug!("{event:?}");
                match event {
                    Event::Joined { .. } => patience = Duration::MAX,
                    Event::Conflict { with, parked: true } => loses_to = Some(with),
                    _ => {}
                }
                for record in told.records(printer.now(), &event, &handle.view(), &mut known) {
                    printer.print(&record)?;
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                no_seed_answers(joins, &seeds);
                patience = Duration::MAX;
            }
            Err(RecvTimeoutError::Closed) => return Ok(loses_to),
        }
    }
}

/// The node goes on trying; but a wrong address, another cluster's or one of other keys is silent for ever, so its user
/// is told.
fn no_seed_answers(joins: &Joins<'_>, seeds: &[&Seed]) {
    let seeds: Vec<String> = seeds.iter().map(ToString::to_string).collect();
    notice(format_args!(
        "no answer yet from {}; still trying. Does a node of cluster \"{}\" run there, {}, and does UDP get through?",
        seeds.join(", "),
        joins.cluster.escape_debug(),
        if joins.sealed { "has it one of the keys of this one" } else { "is it without keys, as this one is" },
    ));
}

/// A closed mailbox means that the node has left already, and then its events end too. It cannot be full: there are no
/// more commands than signals.
fn accepted(command: Result<(), CommandError>) {
    if let Err(e) = command {
        tracing::info!("not accepted: {e}");
    }
}

fn ended(driver: thread::Result<io::Result<()>>) -> Result<(), Failure> {
    match driver {
        Ok(Ok(())) => Ok(()),
        Ok(Err(e)) => Err(Failure::Runtime(format!(
            "the socket was lost ({e}), and the node is gone without a goodbye: start it again"
        ))),
        Err(panic) => panic::resume_unwind(panic),
    }
}

fn parked(name: &str, with: SocketAddr) -> Failure {
    Failure::Runtime(format!(
        "another live node, at {with}, has the name \"{}\", and of two the one at the greater address falls silent, \
         which is this one: give it another --name, or end the other one first",
        name.escape_debug(),
    ))
}

/// The library's words name its own fields; here they are options.
fn refused(error: BindError, sealing: &Sealing) -> Failure {
    match error {
        BindError::Setup(SetupError::Unspecified { bound }) => Failure::Usage(format!(
            "--bind {bound} is no address that others could send to, and no --join says by which of this machine's \
             addresses they reach it: add --advertise with that address, or bind to it"
        )),
        BindError::Setup(SetupError::Unreachable { advertise }) => Failure::Usage(format!(
            "nothing can be sent to --advertise {advertise}: give the address at which others reach this machine"
        )),
        BindError::Setup(SetupError::OnlyHere(OnlyHere { advertise, seed })) => Failure::Usage(format!(
            "--join {seed} is on another machine, where {advertise} means that machine itself: add --advertise with the \
             address at which others reach this machine, or --bind to that address"
        )),
        BindError::Setup(e @ SetupError::Unresolved { .. }) => Failure::Runtime(e.to_string()),
        BindError::Setup(SetupError::Seeds(e)) => Failure::Usage(format!("--join: {e}")),
        BindError::Setup(e @ SetupError::MigrationTooLong { .. }) => {
            Failure::Usage(format!("{}: {e}", sealing.migration_by()))
        }
        BindError::Setup(e @ (SetupError::Entropy(_) | SetupError::Secrets(_))) => Failure::Runtime(e.to_string()),
        BindError::Setup(e) => Failure::Usage(e.to_string()),
        BindError::Bind { addr, ref source } if source.kind() == io::ErrorKind::AddrInUse => Failure::Runtime(format!(
            "cannot bind to {addr}: {source}; another process uses this port: stop it, or choose another with --bind \
             (port 0: any that is free)"
        )),
        BindError::Bind { addr, ref source } if source.kind() == io::ErrorKind::AddrNotAvailable => {
            Failure::Runtime(format!(
                "cannot bind to {addr}: {source}; this machine does not have that address: give --bind one that it \
                 has, and --advertise the one at which others reach it"
            ))
        }
        e => Failure::Runtime(e.to_string()),
    }
}

fn cannot_start(what: &str, error: &io::Error) -> Failure {
    Failure::Runtime(format!("{what}: {error}; the system is short of something, try again when it has more"))
}

/// Where events go, and since when.
struct Printer {
    out: Out,
    format: EventFormat,
    start: Instant,
}

impl Printer {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn print(&mut self, record: &Record) -> Result<(), Failure> {
        let line = match self.format {
            EventFormat::Jsonl => record.json(),
            EventFormat::Human => record.text(|state, word| self.out.paint(state, word).into_owned()),
        };
        self.out.line(format_args!("{line}"))
    }
}

/// Several attempts are over by then, in every preset but `wan`.
const JOIN_PATIENCE: Duration = Duration::from_secs(5);
