//! A network of its own: a namespace per node, each on a bridge in one more namespace, and faults that are switched while
//! datagrams pass. The host's own network is left alone.

use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};

/// How many datagrams in a hundred are lost on their way in while there is loss.
pub(crate) const LOSS_PERCENT: u32 = 20;

/// Namespaces, removed when dropped.
pub(crate) struct Lab {
    prefix: String,
    nodes: usize,
    /// Those that exist.
    made: Vec<String>,
}

/// What does not pass the bridge, between the same two nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Nothing passes at all, address resolution included.
    All,
    /// Only IPv4 does not: else no address would be resolved either, in neither direction, and no cut would be one-way.
    Datagrams,
}

impl Lab {
    /// A network of so many nodes; the reason when this machine does not let us have one.
    pub(crate) fn new(nodes: usize) -> Result<Self, String> {
        static LABS: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("swim-{}-{}", process::id(), LABS.fetch_add(1, Ordering::Relaxed));
        let mut lab = Self { prefix, nodes, made: Vec::new() };
        let hub = lab.add_namespace("hub".into())?;
        ip(&["-n", &hub, "link", "add", "name", "br0", "type", "bridge"])?;
        ip(&["-n", &hub, "link", "set", "dev", "br0", "up"])?;
        nft(&hub, BRIDGE)?;
        for node in 0..nodes {
            lab.add_node(&hub, node)?;
        }
        Ok(lab)
    }

    fn add_namespace(&mut self, name: String) -> Result<String, String> {
        let namespace = format!("{}-{name}", self.prefix);
        ip(&["netns", "add", &namespace])?;
        self.made.push(namespace.clone());
        Ok(namespace)
    }

    fn add_node(&mut self, hub: &str, node: usize) -> Result<(), String> {
        let namespace = self.add_namespace(node.to_string())?;
        let (port, addr) = (port(node), format!("{}/24", Self::addr(node)));
        // Both ends are born in their namespaces, so that no name can collide on the host.
        ip(&["-n", &namespace, "link", "add", "name", "eth0", "type", "veth", "peer", "name", &port, "netns", hub])?;
        ip(&["-n", hub, "link", "set", "dev", &port, "master", "br0", "up"])?;
        ip(&["-n", &namespace, "addr", "add", &addr, "dev", "eth0"])?;
        for link in ["lo", "eth0"] {
            ip(&["-n", &namespace, "link", "set", "dev", link, "up"])?;
        }
        nft(&namespace, &format!("{NODE} add rule inet f lossy numgen random mod 100 < {LOSS_PERCENT} counter drop"))?;
        Ok(())
    }

    /// Where a node is reached.
    pub(crate) fn addr(node: usize) -> String {
        format!("10.213.0.{}", node + 1)
    }

    /// A command that runs a program where this node is.
    pub(crate) fn command(&self, node: usize, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace(&node.to_string()), program]);
        command
    }

    /// From now on every node loses some of what comes in.
    pub(crate) fn begin_loss(&self) {
        self.on_nodes("add rule inet f input jump lossy");
    }

    /// Nothing is lost any more.
    pub(crate) fn end_loss(&self) {
        self.on_nodes("flush chain inet f input");
    }

    /// How many packets loss has taken, by node.
    pub(crate) fn lost(&self) -> Vec<u64> {
        self.on_nodes("list chain inet f lossy").iter().map(|rules| packets(rules)).collect()
    }

    fn on_nodes(&self, script: &str) -> Vec<String> {
        let run = |node: usize| must(nft(&self.namespace(&node.to_string()), script));
        (0..self.nodes).map(run).collect()
    }

    /// Nothing passes from these to those any more, all at one moment.
    pub(crate) fn cut(&self, cut: Cut, pairs: impl Iterator<Item = (usize, usize)>) {
        let pairs: Vec<String> = pairs.map(|(from, to)| format!("{} . {}", port(from), port(to))).collect();
        self.on_hub(&format!("add element bridge f {} {{ {} }}", cut.set(), pairs.join(", ")));
    }

    /// Everything passes again.
    pub(crate) fn heal(&self, cut: Cut) {
        self.on_hub(&format!("flush set bridge f {}", cut.set()));
    }

    /// How many frames such cuts have stopped.
    pub(crate) fn stopped(&self, cut: Cut) -> u64 {
        packets(&self.on_hub(&format!("list chain bridge f {}", cut.set())))
    }

    fn on_hub(&self, script: &str) -> String {
        must(nft(&self.namespace("hub"), script))
    }

    fn namespace(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for namespace in &self.made {
            if let Err(e) = ip(&["netns", "del", namespace]) {
                eprintln!("{namespace} is left behind: {e}");
            }
        }
    }
}

impl Cut {
    fn set(self) -> &'static str {
        match self {
            Self::All => "cut",
            Self::Datagrams => "mute",
        }
    }
}

/// The bridge's end of a node's link.
fn port(node: usize) -> String {
    format!("port{node}")
}

/// A cut is a set of pairs of ports, and the rule that it feeds counts in a chain of the same name.
const BRIDGE: &str = "add table bridge f; \
    add set bridge f cut { type ifname . ifname; }; \
    add set bridge f mute { type ifname . ifname; }; \
    add chain bridge f cut { type filter hook forward priority 0; }; \
    add chain bridge f mute { type filter hook forward priority 1; }; \
    add rule bridge f cut meta iifname . meta oifname @cut counter drop; \
    add rule bridge f mute ether type ip meta iifname . meta oifname @mute counter drop;";

/// Loss is a chain beside the way in, which leads there while there is loss.
const NODE: &str = "add table inet f; \
    add chain inet f lossy; \
    add chain inet f input { type filter hook input priority 0; };";

/// What the only counter of a listed chain says.
fn packets(rules: &str) -> u64 {
    let mut words = rules.split_whitespace().skip_while(|&word| word != "packets").skip(1);
    words.next().and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("no counter in {rules}"))
}

fn nft(namespace: &str, script: &str) -> Result<String, String> {
    run("ip", &["netns", "exec", namespace, "nft", script])
}

fn ip(args: &[&str]) -> Result<String, String> {
    run("ip", args)
}

/// What it printed; what it complained about when it failed.
fn run(program: &str, args: &[&str]) -> Result<String, String> {
    let command = || format!("{program} {}", args.join(" ")).chars().take(60).collect::<String>();
    let ran = Command::new(program).args(args).output().map_err(|e| format!("`{}`: {e}", command()))?;
    if ran.status.success() {
        Ok(String::from_utf8_lossy(&ran.stdout).into_owned())
    } else {
        Err(format!("`{}`: {}", command(), String::from_utf8_lossy(&ran.stderr).trim().replace('\n', "; ")))
    }
}

/// In a network that stands, what fails is no reason to skip anything.
fn must(ran: Result<String, String>) -> String {
    ran.unwrap_or_else(|e| panic!("{e}"))
}
