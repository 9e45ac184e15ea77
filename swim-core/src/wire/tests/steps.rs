//! What parsing costs, in steps and not in time: a step is a value that the reader takes off the front, or tries to.

use super::super::codec::STEPS;
use super::*;

/// Most steps per byte. The smallest records that are read value by value have two bytes and three values.
const PER_BYTE: u64 = 2;

/// Those of the head, and of the value at which a refusal comes.
const FIXED: u64 = 16;

#[track_caller]
fn steps(bytes: &[u8]) -> u64 {
    STEPS.set(0);
    let _ = Frame::parse(bytes);
    let steps = STEPS.get();
    assert!(steps <= PER_BYTE * bytes.len() as u64 + FIXED, "{steps} steps for {} bytes", bytes.len());
    steps
}

/// The head, and one section of this kind with this body.
fn section(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = frame(|_| {});
    bytes.push(kind);
    let mut len = body.len();
    while len >= 0x80 {
        bytes.push(len as u8 | 0x80);
        len >>= 7;
    }
    bytes.push(len as u8);
    bytes.extend_from_slice(body);
    bytes
}

/// The same record again and again, in sections of all kinds there may be: as many bytes more, as many steps more.
#[test]
fn parsing_takes_steps_in_proportion_to_the_length() {
    let mut taken = 0;
    for kind in 0..=255 {
        // Some that are records, some that are refused at once, some that say how much comes and have less.
        for record in [&[0][..], &[1, 0], &[0, 0xff], &[0xff; 5], &[0, 1, 2, 3, 4, 5, 6, 7, 4, 0, 0], &[0x80, 0x80]] {
            let of = |records: usize| {
                let body: Vec<u8> = record.iter().copied().cycle().take(records * record.len()).collect();
                steps(&section(kind, &body))
            };
            let (few, many) = (of(500), of(5_000));
            assert!(many <= 10 * few + FIXED, "{many} steps for ten times what takes {few}, in section {kind}");
            taken += u64::from(many > 1_000);
        }
    }
    assert!(taken > 5, "nothing was read that has many records");
}

/// A frame full of statuses, one of them with accusers, cut off and damaged anywhere.
#[test]
fn damage_makes_no_parser_take_more_steps() {
    let accusers = [id(1), id(2), id(3), id(4)];
    let good = frame(|w| {
        assert!(w.message(Message::Ping { target: id(9), nonce: 7 }) && w.open_updates());
        let suspect = Status::new(Incarnation::new(7, 1), State::Suspect);
        let more = More::Accused(Accusers::new(&accusers).unwrap());
        assert!(w.item(&Item { id: id(10), status: suspect, more }));
        for n in 20.. {
            if !w.item(&Item::status(id(n), Status::alive(Incarnation::new(7, n as u32)))) {
                break;
            }
        }
        w.close_section();
    });
    assert!(Frame::parse(&good).is_ok() && good.len() > 1_300 && steps(&good) > 200);
    for at in 0..good.len() {
        steps(&good[..at]);
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            steps(&bad);
        }
    }
}
