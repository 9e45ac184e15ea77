//! What can be asked for on the command line. Addresses and names are checked here; whatever the library checks is left to it.

use std::net::SocketAddr;
use std::path::PathBuf;

use bind_mio::swim_core::Config;
use bind_mio::{Seed, SeedError};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::agent::{RecordArgs, SealArgs};
use crate::config_file::FILE_HELP;
use crate::keys::{KEYS_HELP, KeysCommand};
use crate::plan::{self, PlanArgs};
use crate::sim::SimCommand;
use crate::trace::TraceCommand;

/// Cluster membership by gossip: who is there, and what has just happened.
#[derive(Debug, Parser)]
#[command(name = "swim", version, arg_required_else_help = true, after_help = CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Log to standard error what is otherwise silent; RUST_LOG says it more finely.
    #[arg(short, long, global = true, display_order = 100)]
    pub(crate) verbose: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run one node and print a line for everything that happens, until SIGINT or SIGTERM.
    #[command(after_long_help = format!("{AGENT_HELP}\n\n{FILE_HELP}"), after_help = CODES)]
    Agent(AgentArgs),
    /// Show with five real nodes on this machine how a cluster forms, loses a node, and gets it back.
    #[command(after_long_help = DEMO_HELP, after_help = CODES)]
    Demo(DemoArgs),
    /// Make and exchange the keys that nodes seal with, and make tokens for new nodes.
    #[command(subcommand, after_long_help = format!("{KEYS_HELP}\n\n{CODES}"), after_help = CODES)]
    Keys(KeysCommand),
    /// Tell what a configuration means for a cluster: times, traffic, memory; computed, nothing is run.
    #[command(after_long_help = plan::help(), after_help = CODES)]
    Plan(PlanArgs),
    /// Simulate, without any network.
    #[command(subcommand, after_help = CODES)]
    Sim(SimCommand),
    /// Read, replay and explain what nodes saw.
    #[command(subcommand, after_help = CODES)]
    Trace(TraceCommand),
}

#[derive(Debug, Args)]
pub(crate) struct AgentArgs {
    /// The cluster's name; nodes of other clusters are not heard. Goes before the name in --config.
    #[arg(long, required_unless_present_any = ["config", "token"])]
    pub(crate) cluster: Option<String>,
    /// This node's name, unique in the cluster and kept over restarts.
    #[arg(long)]
    pub(crate) name: String,
    /// Address and port to listen on.
    ///
    /// The default serves this machine only: for a cluster of several machines, give this machine's own address, such
    /// as 192.0.2.7:7946, or 0.0.0.0:7946 for all it has. Port 0 stands for any that is free.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7946", value_parser = address)]
    pub(crate) bind: SocketAddr,
    /// Where others reach this node, when that is not where it listens.
    ///
    /// Behind a NAT, for example. A node that is bound to 0.0.0.0 advertises the address from which it reaches the first
    /// of --join, unless this is given. Port 0 stands for the port that is bound.
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(crate) advertise: Option<SocketAddr>,
    /// Nodes to join through; without any, this node waits to be joined.
    ///
    /// Addresses or host names, each with its port. One that is up is enough, and its own address among them does no harm,
    /// so all nodes can be given one list. Names are looked up again as long as nobody answers, and when a node that had
    /// been there is missing.
    #[arg(long, value_name = "HOST:PORT", num_args = 1.., value_delimiter = ',', value_parser = seed)]
    pub(crate) join: Vec<Seed>,
    /// What the node says about itself to all others, at most 512 bytes.
    #[arg(long, value_name = "STRING", default_value = "", hide_default_value = true)]
    pub(crate) meta: String,
    /// What the node puts into its own state when it starts, for all others to read; may be repeated.
    ///
    /// Goes before the line of the same key in the section `[tags]` of --config.
    #[arg(long, value_name = "KEY=VALUE", value_parser = tag)]
    pub(crate) tag: Vec<(String, String)>,
    /// How fast the node probes and how long it is patient; lan unless --config names another.
    #[arg(long, value_enum)]
    pub(crate) preset: Option<Preset>,
    /// A TOML file with the cluster's name, a preset, and fields of the configuration that are changed; see below.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// What is printed for each event.
    #[arg(long, value_enum, default_value_t = EventFormat::Human)]
    pub(crate) format: EventFormat,
    /// Tell after each suspicion and each death what led to it, and what it comes to.
    #[arg(long)]
    pub(crate) why: bool,
    #[command(flatten)]
    pub(crate) seal: SealArgs,
    #[command(flatten)]
    pub(crate) record: RecordArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// What is printed.
    #[arg(long, value_enum, default_value_t = DemoFormat::Human)]
    pub(crate) format: DemoFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Preset {
    /// Nodes on one machine, and tests: five probes a second.
    Local,
    /// One site: one probe a second.
    Lan,
    /// Links of high latency: a probe every five seconds.
    Wan,
}

impl Preset {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Lan => "lan",
            Self::Wan => "wan",
        }
    }

    pub(crate) fn config(self, cluster: &str) -> Config {
        match self {
            Self::Local => Config::local(cluster),
            Self::Lan => Config::lan(cluster),
            Self::Wan => Config::wan(cluster),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EventFormat {
    /// One line: time since the start, state, name, address.
    Human,
    /// One JSON object per line.
    Jsonl,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DemoFormat {
    /// Everything as it happens, and the member table after every step.
    Human,
    /// One JSON object at the end.
    Json,
}

/// Names are not resolved: which of several addresses would be bound, or advertised, is not ours to guess.
fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "this is no IP address with a port: write it like 192.0.2.7:7946 or [2001:db8::7]:7946 (host names are not \
         resolved)"
            .into()
    })
}

/// What fits is the library's business.
fn tag(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("this is no tag: write it like role=db")?;
    Ok((key.into(), value.into()))
}

pub(crate) fn seed(text: &str) -> Result<Seed, String> {
    text.parse().map_err(|e| match e {
        SeedError::PortZero | SeedError::Unspecified => {
            "nothing can be sent there: give the address and port that the other node has printed".into()
        }
        e => e.to_string(),
    })
}

/// The text without what may be a key or a token in one of the arguments; `None` when there is nothing of the kind in
/// it.
pub(crate) fn without_secrets(text: &str, arguments: &[String]) -> Option<String> {
    let may_be_of_one = |c: char| c.is_ascii_alphanumeric() || "+/=_-:".contains(c);
    let runs = text.split(|c| !may_be_of_one(c)).filter(|run| run.len() >= SECRET_MIN);
    let found: Vec<&str> = runs.filter(|run| arguments.iter().any(|word| word.contains(run))).collect();
    let hidden = found.iter().fold(text.to_owned(), |text, run| text.replace(run, "(not shown, it may be a secret)"));
    (!found.is_empty()).then_some(hidden)
}

/// A key takes 44 characters, and a part of it may be missing. Nothing else that is asked for is so long, but for paths
/// and names.
const SECRET_MIN: usize = 32;

const CODES: &str = "Exit codes: 0 all went well, 1 something failed at run time, 2 what was asked for cannot work.";

const AGENT_HELP: &str = "\
The first SIGINT or SIGTERM makes the node say goodbye and end with exit code 0. A second one ends it at
once, with 128 and the signal's number (130, 143). Exit code 1: something failed at run time (the port is
taken, say, or another live node has this name and stays). Exit code 2: what was asked for cannot work.
SIGUSR1 makes it tell what it has counted, as one JSON object on standard error behind \"SIGUSR1: \"; with
--verbose its log has that at the end, too.

Standard output has one line per event and nothing else; the rest goes to standard error. With
--format jsonl each event is an object with these keys:
  event        what happened, see below
  at_ms        milliseconds since the start
  id, name, addr, incarnation
               of the member it is about, or of this node itself: the id has 16 hex digits, the
               incarnation is \"EPOCH.REFUTATIONS\"; no addr and incarnation when they are not known
and with these, by event:
  started           this node listens: cluster
  joined            this node is in the cluster: members (live ones, this node included)
  left              this node has said goodbye
  conflict          another live node has this name: with (its address), parked (true: this node falls
                    silent and ends with exit code 1; false: it stays, and the other one falls silent)
  address_conflict  another member answers at a member's address: with, with_name (who). Once where a process
                    was replaced, every minute where two machines have one address
  refuted           this node was accused, or taken for a former life, and raised its incarnation
  health            this node's local health: score (0 is healthy)
  member_up         a member is there: meta
  member_restarted  a member is there in another life, and was not missed
  member_updated    a member says something else about itself: meta
  member_moved      a member has another address: from (the former one)
  member_suspect    a member does not answer: by, by_name (its accuser, or null)
  member_refuted    a member has answered a suspicion
  member_down       a member is gone: left (true: it said goodbye; false: its suspicion ran out)
  member_forgotten  a gone member's row was dropped
  state_set         a member has put something into its state: key, value, version
  state_deleted     an entry of a member's state is gone: key
  rumor             a member has told everybody something: topic, payload, lamport, epoch, seq
  lagged            events were lost because nobody read this output: missed (how many)

Metadata, values and payloads are shown as text, whatever they are.

With --why, member_suspect and member_down (left: false) have a further key, why: what led to it, as an
array of objects from the oldest to the newest, and empty when that is not known any more. Each has
  fact         what was noted, see below
  ago_ms       milliseconds before the event
  health       this node's local health then (0 is healthy)
and with these, by fact:
  up                it was there: incarnation
  probe_failed      this node's probe of it was not answered: nonce (8 hex digits), waited_ms (from the
                    ping to the deadline), relays (how many were asked to try as well)
  relay_silent      of those one that said nothing: relay, relay_name
  relay_nacked      of those one that is there and heard nothing either: relay, relay_name
  suspected         it was accused: incarnation, by, by_name (or null), dead_in_ms (the time it had to
                    refute, or null)
  confirmed         so it was by one more: by, by_name, dead_in_ms (the time that was left then)
  refuted           it had answered an earlier suspicion: incarnation
  answered_by_another
                    another member answers at its address: by, by_name
  dead              it is dead: incarnation, declared_here (false: another node said so first)
Take facts and keys that are not in this list for new ones.

What --tag puts into the state, a config file can say in a section at its end, too:
  [tags]
  role = \"db\"

Without keys, datagrams are neither secret nor proven: that suits a network in which everybody is trusted.
With --keyring they are sealed, and who has none of the keys is neither heard nor answered. swim keys makes
and exchanges keys; SIGHUP makes the node read its file again, and a file that cannot be used changes nothing.
What is refused is told in the log, and counted (SIGUSR1). docs/security.md tells what is promised, and what
is not.
A config file can say the same, in a section at its end; options go before it:
  [sealing]
  keyring = \"/etc/swim/keys\"
  token = \"@/etc/swim/token\"                # a file with it, never the token itself
  migrate_until = 2026-12-01T00:00:00Z

The flight recorder keeps everything that the node is given, from which it can be replayed exactly: see
swim trace. --record-to writes the whole of it, --record-dumps the newest part, when
  this node was suspected            3 members died within a minute
  this program panics                it gets SIGUSR2
(the first two at most once a minute). A dump is a file NAME-EPOCH-SECONDS-N-WHY.swt: the node's name and
life, the Unix time, a number that counts on, and suspected, deaths, panic or signal. Nobody but their owner
may read these files, and the newest 16 dumps of a life are kept. What cannot be written while the node runs
is told, and it runs on. A config file can say the same, in a section at its end; options go before it:
  [record]
  dumps = \"/var/lib/swim\"
  file = \"web-1.swt\"         # one for each node
  ring = \"8MiB\"
  outputs = false";

const DEMO_HELP: &str = "\
Exit code 1 when a step does not happen in time, or when what the nodes' flight recorders kept does not
replay as it was; the reason is on standard error.

With --format json standard output has one object and nothing else. Times are whole milliseconds,
rounded up:
  members       nodes in the cluster
  formed_ms     from the start of the first node until every node saw every other
  suspect_ms    from the kill until the first of the others suspected the node
  dead_ms       from the kill until the last of the others held it for dead
  left_ms       from the goodbye until all others had heard it
  returned_ms   from the restart until all others saw the node again, and it them
The nodes are recorded while they run, and what they saw is replayed in the end:
  replayed_steps      inputs that were replayed, of all nodes in all their lives
  replay_divergences  of these, those in which a node did otherwise: 0
  recorded_bytes      what was recorded of them, as traces";
