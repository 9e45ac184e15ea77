//! Names among the seeds: whoever gave one that leads nowhere is told so, once per change and not at every attempt.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Mutex, PoisonError};

use bind_mio::Resolver;

use crate::output::notice;

/// What the system says, and a line on standard error when a name begins to lead nowhere, or no longer does.
pub(super) fn telling_resolver() -> Resolver {
    let told = Mutex::new(Told::default());
    Resolver::blocking(move |host, port| {
        let found = (host, port).to_socket_addrs().map(Vec::from_iter);
        let news = told.lock().unwrap_or_else(PoisonError::into_inner).news(host, port, &found);
        if let Some(news) = news {
            notice(format_args!("{news}"));
        }
        found
    })
}

/// Which names lead nowhere, as far as was told. A node has few, and each has one entry.
#[derive(Default)]
struct Told(HashMap<(String, u16), bool>);

impl Told {
    fn news(&mut self, host: &str, port: u16, found: &io::Result<Vec<SocketAddr>>) -> Option<String> {
        let fails = !matches!(found, Ok(addrs) if !addrs.is_empty());
        let before = self.0.insert((host.into(), port), fails);
        match (found, before) {
            (_, Some(failed)) if failed == fails => None,
            (Err(e), None) => Some(format!(
                "{host}:{port} has no address yet ({e}); still trying. Is the name right, and does a name server know it?"
            )),
            (Err(e), Some(_)) => Some(format!(
                "{host}:{port} has no address any more ({e}); its last one counts, and it is asked for again"
            )),
            (Ok(_), _) if fails => Some(format!("{host}:{port} has no address; still trying")),
            (Ok(addrs), Some(_)) => {
                let addrs: Vec<String> = addrs.iter().map(|addr| addr.ip().to_string()).collect();
                Some(format!("{host}:{port} has an address now: {}", addrs.join(", ")))
            }
            (Ok(_), None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_once() {
        let mut told = Told::default();
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
}
