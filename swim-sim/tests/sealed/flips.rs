//! Damaged datagrams: what differs in one bit or two from what a member has sent is not heard.
//!
//! Of 200 datagrams every bit, and every two bits of what is around the frame: header and tag. Of the others, which the tag or the
//! checksum is over, all pairs of some short ones and drawn pairs of the rest. That no two bits of any plain datagram can be
//! flipped unseen is shown for all of them, by what each flip does to the checksum.

use std::collections::BTreeSet;

use swim_core::Config;
use swim_driver::Plain;
use swim_sim::{NodeIx, World, millis, secs};

use crate::cluster::*;

/// Datagrams of all kinds that were sent to nodes that run, all of them taken already, and the world in which they were.
fn samples(seal: Seal, count: usize) -> (World, Vec<Recorded>) {
    let mut w = world(1, seal, Config::lan("sim"));
    let recorded = record(&mut w);
    let nodes = start(&mut w, 5);
    settle(&mut w, 5);
    w.handle(nodes[1]).put("key", &[7; 900]).expect("there is room");
    w.handle(nodes[2]).broadcast("topic", &[8; 300]).expect("there is room");
    w.set_meta(nodes[3], b"news");
    w.run(secs(5));
    w.restart(nodes[4]);
    w.join(nodes[4], &nodes[..1]);
    w.run(secs(60));
    settle(&mut w, 5);
    w.untap();
    w.run(millis(10));
    let mut all = recorded.take();
    // Node 4 was another process before: what that has taken says nothing.
    all.retain(|sent| sent.to != nodes[4] && sent.from != nodes[4].addr());
    assert!(all.len() >= count, "{} datagrams", all.len());
    // A quarter of them are the longest; of the others, which are mostly short, some of every length.
    all.sort_by_key(|sent| sent.bytes.len());
    let longest = all.split_off(all.len() - count / 4);
    let step = all.len() as f64 / (count - longest.len()) as f64;
    let mut sample: Vec<Recorded> =
        (0..count - longest.len()).map(|i| all[(i as f64 * step) as usize].clone()).collect();
    sample.extend(longest);
    (w, sample)
}

/// Offers damaged datagrams in batches, and sees that each is refused and counted.
struct Offers<'a> {
    w: &'a mut World,
    waiting: Vec<u64>,
    total: u64,
}

impl Offers<'_> {
    fn offer(&mut self, sample: &Recorded, flips: &[usize]) {
        let mut bytes = sample.bytes.clone();
        flips.iter().for_each(|bit| bytes[bit / 8] ^= 1 << (bit % 8));
        self.w.inject_datagram(sample.to, sample.from, &bytes);
        self.waiting[sample.to.index()] += 1;
        self.total += 1;
        if self.total % 4_096 == 0 {
            self.settle();
        }
    }

    fn settle(&mut self) {
        let before = driven(self.w);
        self.w.run(millis(0));
        for ((before, now), offered) in before.iter().zip(driven(self.w)).zip(&mut self.waiting) {
            let offered = std::mem::take(offered);
            assert_eq!(
                (now.datagrams_received - before.datagrams_received, now.refused() - before.refused()),
                (offered, offered)
            );
            assert_eq!(
                (now.refused_replayed, now.frames_held, now.controls_received, now.datagrams_sent),
                (before.refused_replayed, before.frames_held, before.controls_received, before.datagrams_sent),
                "something was opened, or answered"
            );
        }
    }
}

/// Bits of what is around a frame: of the header in front of it, and of the tag behind it.
fn around(seal: Seal, datagram: &[u8]) -> Vec<usize> {
    let (header, tag) = match seal {
        Seal::Sealed => (26, 16),
        Seal::Plain => (10, 0),
    };
    (0..header * 8).chain((datagram.len() - tag) * 8..datagram.len() * 8).collect()
}

/// One bit, and two: all pairs around the frame, drawn pairs of the others, and, optimised, all pairs of a few short ones.
fn flips_are_refused(seal: Seal) {
    let (mut w, samples) = samples(seal, size(12, 200));
    let (whole, closely, drawn) = size((0, 1, 100), (4, 200, 20_000));
    let (nodes, before) = (w.nodes().len(), all_known(&w));
    let mut offers = Offers { w: &mut w, waiting: vec![0; nodes], total: 0 };
    let mut draw = Draw(2);
    for (i, sample) in samples.iter().enumerate() {
        let bits = sample.bytes.len() * 8;
        (0..bits).for_each(|bit| offers.offer(sample, &[bit]));
        if i < whole {
            (0..bits).for_each(|a| (0..a).for_each(|b| offers.offer(sample, &[a, b])));
            continue;
        }
        if i < whole + closely {
            let around = around(seal, &sample.bytes);
            around
                .iter()
                .enumerate()
                .for_each(|(n, a)| around[..n].iter().for_each(|b| offers.offer(sample, &[*a, *b])));
        }
        for _ in 0..drawn {
            let (a, b) = (draw.below(bits), draw.below(bits - 1));
            offers.offer(sample, &[a, if b < a { b } else { b + 1 }]);
        }
    }
    offers.settle();
    let total = offers.total;
    assert_same(&all_known(&w), &before, "after what was damaged");
    // What is not damaged is opened: these are datagrams that were good once.
    let refused = |w: &World| {
        driven(w).iter().map(|s| (s.refused(), s.refused_replayed)).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
    };
    let ((all, replayed), heard) = (refused(&w), heard(&w));
    samples.iter().for_each(|sample| w.inject_datagram(sample.to, sample.from, &sample.bytes));
    w.run(millis(0));
    let count = samples.len() as u64;
    match seal {
        Seal::Sealed => assert_eq!(refused(&w), (all + count, replayed + count)),
        Seal::Plain => assert_eq!((refused(&w), self::heard(&w)), ((all, replayed), heard + count)),
    }
    println!(
        "{seal:?}: {total} damaged ones of {count} datagrams of {} to {} bytes, none heard",
        samples[0].bytes.len(),
        samples[samples.len() - 1].bytes.len()
    );
}

/// Datagrams that nodes were given.
fn heard(w: &World) -> u64 {
    w.nodes().map(|node: NodeIx| w.node(node).stats().datagrams_received).sum()
}

#[test]
fn sealed_with_one_or_two_bits_flipped() {
    flips_are_refused(Seal::Sealed);
}

#[test]
fn plain_with_one_or_two_bits_flipped() {
    flips_are_refused(Seal::Plain);
}

/// What stands in front of the checksum is compared as it is. The checksum is linear: a flipped bit of the frame changes it in
/// the same bits, whatever the frame is. So two flips pass only if both change the same bits, or if one changes a single bit of the
/// checksum, and that is the other. No bit of the longest frame does, so none of a shorter one does.
#[test]
fn plain_no_two_bits_of_any_datagram_can_be_flipped_unseen() {
    const HEADER: usize = 10;
    const LONGEST: usize = 1_400;
    let plain = Plain::new("sim");
    let checksum = |frame: &[u8]| {
        let mut datagram = [0; LONGEST];
        datagram[HEADER..][..frame.len()].copy_from_slice(frame);
        plain.seal(&mut datagram, frame.len());
        u32::from_le_bytes(datagram[HEADER - 4..HEADER].try_into().expect("four bytes"))
    };
    let mut frame = vec![0; LONGEST - HEADER];
    let intact = checksum(&frame);
    let mut seen = BTreeSet::new();
    for bit in 0..frame.len() * 8 {
        frame[bit / 8] ^= 1 << (bit % 8);
        let change = checksum(&frame) ^ intact;
        frame[bit / 8] = 0;
        assert!(change.count_ones() > 1 && seen.insert(change), "bit {bit} changes {change:032b}");
    }
    // Linear, as was said; and a shorter frame is changed as the end of a longer one.
    let mut draw = Draw(3);
    let mut other = vec![0; 700];
    draw.fill(&mut other);
    let before = checksum(&other);
    other[10] ^= 4;
    let mut same = vec![0; LONGEST - HEADER];
    let at = same.len() - 700 + 10;
    same[at] = 4;
    assert_eq!(checksum(&other) ^ before, checksum(&same) ^ intact);
}
