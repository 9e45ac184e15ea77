//! What a flight recorder costs a node that runs: five on loopback, each on a thread, with a recorder or without. It prints how many
//! inputs they were given; whoever runs it counts what the process executes (`.ci/recording-cost live`, by callgrind).
//!
//! ```sh
//! cargo run --release -p bind-mio --example recording_live -- on 20
//! ```
//!
//! Arguments: `on` or `off`, and seconds.

use std::error::Error;
use std::time::Duration;
use std::{env, thread};

use bind_mio::swim_core::Config;
use bind_mio::swim_driver::Recording;
use bind_mio::{Setup, bind};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [mode, seconds] = &args[..] else { return Err("usage: recording_live on|off SECONDS".into()) };
    let (mut nodes, mut seed) = (Vec::new(), None);
    for i in 0..5 {
        let mut setup = Setup::new(format!("node-{i}"), Config::local("cost")).join(seed);
        setup.record = (mode == "on").then(Recording::default);
        let (handle, driver) = bind("127.0.0.1:0".parse()?, setup)?;
        seed = seed.or(Some(handle.addr()));
        nodes.push((handle, thread::spawn(move || driver.run())));
    }
    // Nothing is awaited: this is how long is measured.
    thread::sleep(Duration::from_secs(seconds.parse()?));
    let counted = nodes.iter().map(|(handle, _)| handle.counters());
    println!("{}", counted.map(|all| all.driver.datagrams_received + all.node.timeouts).sum::<u64>());
    for (handle, driver) in nodes {
        handle.leave()?;
        driver.join().map_err(|_| "a driver panicked")??;
    }
    Ok(())
}
