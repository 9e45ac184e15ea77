//! What sealing costs beside its cipher: a datagram sealed by one end and opened by another, with header, session, window and
//! counters, and with a look at the date a millisecond, as at a node; and the same bytes encrypted and decrypted by the same
//! crate's cipher called bare.
//!
//! ```sh
//! cargo run --release -p swim-driver --example sealing_cost
//! ```
//!
//! Batches of the two take turns, and of each the median counts, so that neither a slow moment nor a clock that changes its pace
//! shows. Argument: how many batches, 401 unless said. It ends with an error when sealing adds more bytes than 46, or takes more
//! than 1.15 times as long, at a payload of 100 bytes or at datagrams of 1,400.

use std::hint::black_box;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant as Clock, SystemTime};

use aes_gcm::{AeadInOut as _, Aes256Gcm, KeyInit as _};
use swim_driver::fuzzing::End;
use swim_driver::swim_core::{Config, Instant};
use swim_driver::{Key, Keyring, Secrets};

const CLUSTER: &str = "production";
const DATAGRAM: usize = 1_400;
/// So many datagrams are sealed, then opened, and timed as one.
const BATCH: usize = 256;

/// Two ends that know each other, at one moment.
struct Pair {
    from: End,
    to: End,
}

fn addr(n: u8) -> SocketAddr {
    ([10, 0, 0, n], 7_946).into()
}

/// What precedes each datagram: the date, where it is wanted.
fn input(end: &mut End, now: Instant) {
    if end.wants_date(now) {
        end.on_date(now, SystemTime::now());
    }
    end.on_input(now);
}

/// All that one has to say itself comes to the other.
fn controls(from: &mut End, by: SocketAddr, to: &mut End) {
    let mut out = [0; 128];
    while let Some(tx) = from.poll_control(&mut out) {
        to.open(by, &mut out[..tx.len]).expect("it is a genuine one");
    }
}

impl Pair {
    fn met() -> Self {
        let end = || {
            let ring = Keyring::new(Key::from_bytes([7; 32]));
            End::new(&Config::lan(CLUSTER), ring, Secrets::System, Instant::ORIGIN).expect("there are random numbers")
        };
        let (mut from, mut to) = (end(), end());
        let mut first = [0; 100 + OVERHEAD];
        let len = from.seal(addr(2), &mut first, 100).expect("there is room");
        to.open(addr(1), &mut first[..len]).expect("it is held");
        controls(&mut to, addr(2), &mut from);
        controls(&mut from, addr(1), &mut to);
        controls(&mut to, addr(2), &mut from);
        assert!(to.release().is_some(), "the session has shown that it lives");
        Self { from, to }
    }

    /// Seals and opens what is in the buffers, as a pump does with each datagram.
    fn batch(&mut self, now: Instant, buffers: &mut [Vec<u8>], len: usize) -> Duration {
        let begun = Clock::now();
        for buf in &mut *buffers {
            input(&mut self.from, now);
            black_box(self.from.seal(addr(2), buf, len));
        }
        for buf in &mut *buffers {
            input(&mut self.to, now);
            let opened = self.to.open(addr(1), black_box(&mut buf[..len + OVERHEAD]));
            assert!(opened.is_ok_and(|frame| frame.is_some()), "it is heard");
        }
        begun.elapsed()
    }
}

/// The cipher alone: the same key for all, a nonce that counts, the same associated data.
struct Bare {
    cipher: Aes256Gcm,
    aad: [u8; End::HEADER_LEN + CLUSTER.len()],
    counter: u64,
}

impl Bare {
    fn new() -> Self {
        let aad = [0x5a; End::HEADER_LEN + CLUSTER.len()];
        Self { cipher: Aes256Gcm::new((&[7; 32]).into()), aad, counter: 0 }
    }

    fn batch(&mut self, buffers: &mut [Vec<u8>], len: usize) -> Duration {
        let nonce = |counter: u64| {
            let mut nonce = [0; 12];
            nonce[4..].copy_from_slice(&counter.to_le_bytes());
            nonce
        };
        let first = self.counter;
        self.counter += buffers.len() as u64;
        let begun = Clock::now();
        for (buf, counter) in buffers.iter_mut().zip(first..) {
            let (body, place) = buf[End::HEADER_LEN..][..len + End::TRAILER_LEN].split_at_mut(len);
            let tag = self.cipher.encrypt_inout_detached((&nonce(counter)).into(), black_box(&self.aad), body.into());
            place.copy_from_slice(&tag.expect("it is short enough"));
        }
        for (buf, counter) in buffers.iter_mut().zip(first..) {
            let (body, tag) = buf[End::HEADER_LEN..][..len + End::TRAILER_LEN].split_at_mut(len);
            let tag = (&*tag).try_into().expect("it has the length of a tag");
            let opened =
                self.cipher.decrypt_inout_detached((&nonce(counter)).into(), black_box(&self.aad), body.into(), tag);
            opened.expect("it is what was encrypted");
            black_box(body);
        }
        begun.elapsed()
    }
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e9 / BATCH as f64
}

fn main() -> ExitCode {
    let batches = std::env::args().nth(1).map_or(401, |text| text.parse().expect("how many batches"));
    let (mut pair, mut bare) = (Pair::met(), Bare::new());
    let mut worst: f64 = 0.0;
    println!("seal and open, ns      swim      bare     ratio");
    for len in [100, DATAGRAM - OVERHEAD] {
        let mut buffers = vec![vec![0x42; len + OVERHEAD]; BATCH];
        let mut times = [Vec::new(), Vec::new()];
        for n in 0..batches + WARM {
            let now = Instant::from_millis(n);
            let taken = [pair.batch(now, &mut buffers, len), bare.batch(&mut buffers, len)];
            if n >= WARM {
                times.iter_mut().zip(taken).for_each(|(all, one)| all.push(one));
            }
        }
        let [swim, bare] = times.map(median);
        worst = worst.max(swim / bare);
        println!("{len:>7} bytes    {swim:>9.0} {bare:>9.0}     {:.3}", swim / bare);
    }
    println!("bytes that sealing adds to a frame: {OVERHEAD}");
    if worst <= 1.15 && OVERHEAD <= 46 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What sealing adds.
const OVERHEAD: usize = End::HEADER_LEN + End::TRAILER_LEN;
/// Batches that are not counted.
const WARM: u64 = 20;
