//! The command that joins one more node, ready to be pasted into a shell.

use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

use bind_mio::swim_core::Profile;

use crate::args::{AgentArgs, Preset};

/// The command for a next node that joins through this one, which is reached at `addr`.
pub(super) fn next_command(args: &AgentArgs, cluster: &str, preset: Preset, addr: SocketAddr) -> String {
    let program = std::env::args().next().unwrap_or_else(|| "swim".into());
    let mut command = format!(
        "{} agent {} {}",
        quoted(&program),
        option("--cluster", cluster),
        option("--name", &next_name(&args.name))
    );
    command += &match addr.ip() {
        ip if ip.to_canonical().is_loopback() => format!(" --bind {}", SocketAddr::new(ip, 0)),
        // Which of its addresses it is reached by, it finds out from the way to this one.
        IpAddr::V4(_) => format!(" --bind 0.0.0.0:{}", addr.port()),
        IpAddr::V6(_) => format!(" --bind '[::]:{}'", addr.port()),
    };
    command += &format!(" --join {}", quoted(&addr.to_string()));
    match (&args.seal.keyring, &args.seal.token) {
        (Some(file), _) => command += &format!(" --keyring {}", quoted(&file.display().to_string())),
        // A token that was an argument is not shown.
        (None, Some(token)) => {
            command += &format!(" --token {}", quoted(&format!("@{}", token.file().unwrap_or("FILE"))));
        }
        (None, None) => {}
    }
    // Who seals alone is not heard by those for whom this one migrates.
    if let Some(until) = args.seal.migrate_until.filter(|&until| until > SystemTime::now()) {
        command += &format!(" --migrate-until {}", humantime::format_rfc3339(until));
    }
    if let Some(file) = &args.config {
        command += &format!(" --config {}", quoted(&file.display().to_string()));
    }
    if args.preset.is_some() && preset != Preset::Lan {
        command += &format!(" --preset {}", preset.name());
    }
    command
}

/// Counts on where the name ends in a number, and starts to count where it does not.
fn next_name(name: &str) -> String {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = &name[stem.len()..];
    let next = match digits.parse::<u64>() {
        Ok(number) if number < u64::MAX => format!("{stem}{:0width$}", number + 1, width = digits.len()),
        _ => format!("{name}-2"),
    };
    if next.len() <= Profile::MAX_NAME { next } else { "node-2".into() }
}

fn option(flag: &str, value: &str) -> String {
    let separator = if value.starts_with('-') { '=' } else { ' ' };
    format!("{flag}{separator}{}", quoted(value))
}

/// As one word for a POSIX shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.into() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    fn agent(args: &[&str]) -> AgentArgs {
        let args = ["swim", "agent"].iter().chain(args);
        let Command::Agent(agent) = Cli::try_parse_from(args).unwrap().command else { panic!("no agent") };
        agent
    }

    /// The command without its first word, which is the test's own program.
    fn hint(args: &[&str], addr: &str) -> String {
        let args = agent(args);
        let (cluster, preset) = (args.cluster.clone().unwrap_or("c".into()), args.preset.unwrap_or(Preset::Lan));
        next_command(&args, &cluster, preset, addr.parse().unwrap()).split_once(" agent ").unwrap().1.into()
    }

    #[test]
    fn the_next_node_is_the_next_in_name_and_joins_this_one() {
        assert_eq!(
            hint(&["--cluster", "prod", "--name", "web-9"], "127.0.0.1:7946"),
            "--cluster prod --name web-10 --bind 127.0.0.1:0 --join 127.0.0.1:7946"
        );
        assert_eq!(
            hint(&["--cluster=it's $x", "--name=-x", "--preset=local"], "[::1]:9"),
            r"--cluster 'it'\''s $x' --name=-x-2 --bind [::1]:0 --join '[::1]:9' --preset local"
        );
        assert_eq!(
            hint(&["--cluster", "c", "--name", "a"], "192.0.2.7:80"),
            "--cluster c --name a-2 --bind 0.0.0.0:80 --join 192.0.2.7:80"
        );
        assert_eq!(
            hint(&["--config", "my swim.toml", "--name", "a"], "127.0.0.1:80"),
            "--cluster c --name a-2 --bind 127.0.0.1:0 --join 127.0.0.1:80 --config 'my swim.toml'"
        );
    }

    /// The next node needs the keys; how it gets them must not be how others do.
    #[test]
    fn keys_are_named_and_not_shown() {
        let with = |more: &[&str]| hint(&[&["--cluster", "c", "--name", "a"], more].concat(), "127.0.0.1:80");
        let plain = with(&[]);
        assert_eq!(with(&["--keyring", "my keys"]), format!("{plain} --keyring 'my keys'"));
        assert_eq!(with(&["--token", "@/run/t"]), format!("{plain} --token @/run/t"));
        assert_eq!(with(&["--token", "swim1:AAAA"]), format!("{plain} --token @FILE"));
        assert_eq!(with(&["--token", "@t", "--keyring", "k"]), format!("{plain} --keyring k"));
    }

    /// As long as this node speaks plain to those who have no keys, so must the next.
    #[test]
    fn who_migrates_names_the_date() {
        let with = |until: &str| {
            let args = ["--cluster", "c", "--name", "a", "--keyring", "k", "--migrate-until", until];
            hint(&args, "127.0.0.1:80").split_once(" --keyring k").unwrap().1.to_owned()
        };
        assert_eq!(with("2999-12-01T00:00:00Z"), " --migrate-until 2999-12-01T00:00:00Z");
        assert_eq!(with("2001-12-01T00:00:00Z"), "");
    }

    #[test]
    fn names_are_counted_on_and_fit() {
        let long = "x".repeat(63);
        for (name, next) in [
            ("db-07", "db-08"),
            ("db-99", "db-100"),
            ("7", "8"),
            ("é", "é-2"),
            ("n18446744073709551615", "n18446744073709551615-2"),
            (&long, "node-2"),
        ] {
            assert_eq!(next_name(name), next);
        }
    }
}
