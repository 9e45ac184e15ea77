//! Names among the seeds: whoever gave one that leads nowhere is told so, once per change and not at every attempt.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Mutex, PoisonError};

use bind_mio::Resolver;

use crate::output::notice;

/// What the system says, and a line on standard error when a name begins to lead nowhere, or no longer does. `v4_only`:
/// the node is bound to an IPv4 address, so it can send to such addresses only.
pub(super) fn telling_resolver(v4_only: bool) -> Resolver {
    let told = Mutex::new(Told { v4_only, names: HashMap::new() });
    Resolver::blocking(move |host, port| {
        let found = (host, port).to_socket_addrs().map(Vec::from_iter);
        let news = told.lock().unwrap_or_else(PoisonError::into_inner).news(host, port, &found);
        if let Some(news) = news {
            notice(format_args!("{news}"));
        }
        found
    })
}

/// Which names lead where, as far as was told. A node has few, and each has one entry.
struct Told {
    v4_only: bool,
    names: HashMap<(String, u16), Leads>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Leads {
    There,
    /// To addresses, but none that this node can send to.
    Elsewhere,
    Nowhere,
}

impl Told {
    fn news(&mut self, host: &str, port: u16, found: &io::Result<Vec<SocketAddr>>) -> Option<String> {
        let leads = match found {
            Ok(addrs) if addrs.iter().any(|addr| self.is_usable(addr)) => Leads::There,
            Ok(addrs) if !addrs.is_empty() => Leads::Elsewhere,
            _ => Leads::Nowhere,
        };
        let before = self.names.insert((host.into(), port), leads);
        match (found, before) {
            (_, Some(before)) if before == leads => None,
            (Ok(addrs), _) if leads == Leads::Elsewhere => {
                let remedy = if self.v4_only && addrs.iter().any(|addr| addr.ip().to_canonical().is_ipv6()) {
                    ": it is bound to an IPv4 address. Bind it to an IPv6 one, or give the name an IPv4 address"
                } else {
                    ". Give the name the address at which that node is reached"
                };
                Some(format!(
                    "{host}:{port} has no address that this node can send to ({}){remedy}; still trying",
                    ips(addrs)
                ))
            }
            (Err(e), None | Some(Leads::Elsewhere)) => Some(format!(
                "{host}:{port} has no address yet ({e}); still trying. Is the name right, and does a name server know it?"
            )),
            (Err(e), Some(Leads::There)) => Some(format!(
                "{host}:{port} has no address any more ({e}); its last one counts, and it is asked for again"
            )),
            (Ok(_), _) if leads == Leads::Nowhere => Some(format!("{host}:{port} has no address; still trying")),
            (Ok(addrs), Some(_)) => Some(format!("{host}:{port} has an address now: {}", ips(addrs))),
            (_, None | Some(Leads::Nowhere)) => None,
        }
    }

    /// As the node judges addresses, before it counts them.
    fn is_usable(&self, addr: &SocketAddr) -> bool {
        let ip = addr.ip().to_canonical();
        !ip.is_unspecified() && (ip.is_ipv4() || !self.v4_only)
    }
}

fn ips(addrs: &[SocketAddr]) -> String {
    let ips: Vec<String> = addrs.iter().map(|addr| addr.ip().to_string()).collect();
    ips.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_once() {
        let mut told = Told { v4_only: true, names: HashMap::new() };
        let fails = || Err(io::Error::other("unknown"));
        let addrs = || Ok(vec!["10.0.0.2:1".parse().unwrap(), "[::1]:1".parse().unwrap()]);
        let mut news = |host: &str, found: io::Result<Vec<SocketAddr>>| told.news(host, 1, &found).unwrap_or_default();
        assert!(news("a", fails()).starts_with("a:1 has no address yet (unknown); still trying"));
        assert_eq!((news("a", fails()), news("a", Ok(Vec::new()))), (String::new(), String::new()));
        assert_eq!(news("b", addrs()), "", "what works from the start is no news");
        assert_eq!(news("a", addrs()), "a:1 has an address now: 10.0.0.2, ::1");
        assert_eq!((news("a", addrs()), news("b", addrs())), (String::new(), String::new()));
        assert!(news("b", fails()).starts_with("b:1 has no address any more (unknown)"));
        assert_eq!(news("b", fails()), "");
        assert!(news("c", Ok(Vec::new())).starts_with("c:1 has no address; still trying"));
    }

    #[test]
    fn addresses_that_the_node_cannot_send_to_are_as_good_as_none() {
        let addrs = |texts: &[&str]| Ok(texts.iter().map(|text| text.parse().unwrap()).collect());
        let v6_only = || addrs(&["[2001:db8::1]:1", "[2001:db8::2]:1"]);
        let mut told = Told { v4_only: true, names: HashMap::new() };
        let mut news = |host: &str, found: io::Result<Vec<SocketAddr>>| told.news(host, 1, &found).unwrap_or_default();
        assert_eq!(
            news("a", v6_only()),
            "a:1 has no address that this node can send to (2001:db8::1, 2001:db8::2): it is bound to an IPv4 address. \
             Bind it to an IPv6 one, or give the name an IPv4 address; still trying"
        );
        assert_eq!(news("a", v6_only()), "");
        assert!(news("a", Err(io::Error::other("unknown"))).starts_with("a:1 has no address yet (unknown)"));
        assert!(news("a", v6_only()).starts_with("a:1 has no address that this node can send to"), "another remedy");
        assert_eq!(news("a", addrs(&["10.0.0.2:1"])), "a:1 has an address now: 10.0.0.2");
        assert!(news("b", addrs(&["0.0.0.0:1"])).contains("(0.0.0.0). Give the name the address at which"));
        assert_eq!(news("c", addrs(&["[::ffff:10.0.0.2]:1"])), "", "that is one");

        let mut told = Told { v4_only: false, names: HashMap::new() };
        assert_eq!(told.news("a", 1, &v6_only()), None);
        assert!(told.news("b", 1, &addrs(&["[::]:1"])).is_some());
    }
}
