//! What `docs/wire.md` says of bytes is so.

use super::*;

const DOC: &str = include_str!("../../../../docs/wire.md");

/// The rows of tables between two marks: their cells.
fn rows(from: &str, to: &str) -> Vec<Vec<&'static str>> {
    let (_, behind) = DOC.split_once(from).unwrap();
    let (part, _) = behind.split_once(to).unwrap();
    let cells = |line: &'static str| line.trim_matches('|').split(" | ").map(|cell| cell.trim()).collect();
    part.lines().filter(|line| line.starts_with("| ")).map(cells).collect()
}

/// A cell that is nothing but bytes, with the head before them.
fn framed(cell: &str) -> Option<Vec<u8>> {
    let (text, zeros) = match cell.split_once(" and ") {
        Some((text, "256 zeros")) => (text, 256),
        Some(_) => return None,
        None => (cell, 0),
    };
    let digits = text.strip_prefix('`')?.strip_suffix('`')?.replace(['_', ' '], "");
    if digits.len() % 2 != 0 || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = frame(|_| ());
    bytes.extend((0..digits.len()).step_by(2).map(|i| u8::from_str_radix(&digits[i..i + 2], 16).unwrap()));
    bytes.extend(core::iter::repeat_n(0, zeros));
    Some(bytes)
}

#[test]
fn vectors_are_frames() {
    let vectors: Vec<_> = rows("\n### Messages", "\n### A whole datagram")
        .into_iter()
        .filter_map(|cells| cells.last().and_then(|cell| framed(cell)))
        .collect();
    for bytes in &vectors {
        let f = Frame::parse(bytes).unwrap_or_else(|e| panic!("{}: {e}", hex(bytes)));
        assert_eq!(hex(&rewrite(&f)), hex(bytes));
    }
    assert_eq!(vectors.len(), VECTORS, "a row that is not read as bytes, or a new one");
}

/// Of messages, syncs, items and application data; those with dots in them left out.
const VECTORS: usize = 27;

#[test]
fn vectors_of_refusal_are_refused() {
    let mut count = 0;
    for cells in rows("\nVectors of refusal", "\n## Hashes") {
        let want = match cells[1] {
            "truncated" => DecodeError::Truncated,
            "varint" => DecodeError::Varint,
            "trailing" => DecodeError::Trailing,
            "order" => DecodeError::Order,
            "value" => DecodeError::Value,
            _ => continue,
        };
        // The one row without head is in another test.
        let Some(bytes) = framed(cells[0]) else {
            assert_eq!(cells[0], "`0807` without head");
            continue;
        };
        assert_eq!(Frame::parse(&bytes).err(), Some(want), "{}", cells[0]);
        count += 1;
    }
    assert!(count > 60, "{count} rows");
}
