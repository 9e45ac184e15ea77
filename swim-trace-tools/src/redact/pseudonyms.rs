//! Which value stands for which: numbers in the order of first appearance, in as many bytes as the value has.

use std::collections::{HashMap, HashSet};

use swim_core::wire::Opaque;

use super::RedactError;

/// Of each kind of values, what is to be written in their place.
#[derive(Debug)]
pub(super) struct Pseudonyms {
    /// Names are replaced, too.
    names: bool,
    /// By kind, in order of appearance.
    seen: Vec<(Opaque, Vec<u8>)>,
    places: HashMap<Opaque, HashMap<Vec<u8>, Vec<u8>>>,
}

impl Pseudonyms {
    pub(super) fn new(names: bool) -> Self {
        Self { names, seen: Vec::new(), places: HashMap::new() }
    }

    /// This value appears. What was noted before, and what stays as it is, counts for nothing.
    pub(super) fn note(&mut self, what: Opaque, value: &[u8]) {
        if value.is_empty() || !self.is_replaced(what) {
            return;
        }
        let places = self.places.entry(what).or_default();
        if !places.contains_key(value) {
            places.insert(value.to_vec(), Vec::new());
            self.seen.push((what, value.to_vec()));
        }
    }

    fn is_replaced(&self, what: Opaque) -> bool {
        match what {
            Opaque::Meta | Opaque::Value | Opaque::Payload => true,
            Opaque::Name | Opaque::Cluster | Opaque::Key | Opaque::Topic => self.names,
            // Zeros do for it.
            _ => false,
        }
    }

    /// Gives each value its pseudonym. No value is the pseudonym of another, where there are others enough.
    pub(super) fn assigned(mut self) -> Result<Self, RedactError> {
        let mut lengths: HashMap<(Opaque, usize), Numbers> = HashMap::new();
        for (what, value) in &self.seen {
            lengths.entry((*what, value.len())).or_default().values.push(value.clone());
        }
        for ((what, len), numbers) in &mut lengths {
            numbers.begin(*what, *len)?;
        }
        for (what, value) in &self.seen {
            let next = lengths.get_mut(&(*what, value.len())).map(|numbers| numbers.next(value.len()));
            if let (Some(place), Some(next)) = (self.places.get_mut(what).and_then(|p| p.get_mut(value)), next) {
                *place = next;
            }
        }
        Ok(self)
    }

    /// Writes what stands for the value over it.
    pub(super) fn replace(&self, what: Opaque, value: &mut [u8]) {
        if what == Opaque::Skipped {
            value.fill(0);
        } else if let Some(place) = self.places.get(&what).and_then(|places| places.get(&*value)) {
            value.copy_from_slice(place);
        }
    }

    /// Different values of a kind.
    pub(super) fn count(&self, what: Opaque) -> usize {
        self.places.get(&what).map_or(0, HashMap::len)
    }
}

/// The pseudonyms of values of one kind and length.
#[derive(Debug, Default)]
struct Numbers {
    values: Vec<Vec<u8>>,
    base: u128,
    avoid: HashSet<Vec<u8>>,
    next: u128,
}

/// Digits and letters: what is easily read.
const PLAIN: u128 = 36;

impl Numbers {
    /// Chooses digits of which there are enough.
    fn begin(&mut self, what: Opaque, len: usize) -> Result<(), RedactError> {
        // All that one byte can be: in text, ASCII.
        let most = if matches!(what, Opaque::Meta | Opaque::Value | Opaque::Payload) { 256 } else { 128 };
        let values = self.values.len() as u128;
        let room = |base: u128| base.saturating_pow(u32::try_from(len).unwrap_or(u32::MAX));
        self.base = if 2 * values <= room(PLAIN) { PLAIN } else { most };
        if values > room(self.base) {
            return Err(RedactError::TooMany { len, values: self.values.len() });
        }
        if 2 * values <= room(self.base) {
            self.avoid = self.values.drain(..).collect();
        }
        Ok(())
    }

    fn next(&mut self, len: usize) -> Vec<u8> {
        loop {
            let number = self.next;
            self.next += 1;
            let written = self.written(number, len);
            if !self.avoid.contains(&written) {
                return written;
            }
        }
    }

    fn written(&self, mut number: u128, len: usize) -> Vec<u8> {
        let mut digits = vec![0; len];
        for place in digits.iter_mut().rev() {
            *place = digit((number % self.base) as u8);
            number /= self.base;
        }
        digits
    }
}

/// A permutation of all bytes, and of those of ASCII, that begins with what is easily read.
fn digit(value: u8) -> u8 {
    const READ: &[u8; PLAIN as usize] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    match READ.get(usize::from(value)) {
        Some(&digit) => digit,
        // The bytes before, between and behind those.
        None => match value - PLAIN as u8 {
            n @ ..b'0' => n,
            n @ b'0'..87 => n + 10,
            n => n + PLAIN as u8,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assigned(values: &[(Opaque, &[u8])]) -> Result<Pseudonyms, RedactError> {
        let mut seen = Pseudonyms::new(true);
        values.iter().for_each(|(what, value)| seen.note(*what, value));
        seen.assigned()
    }

    fn replaced(map: &Pseudonyms, what: Opaque, value: &[u8]) -> Vec<u8> {
        let mut value = value.to_vec();
        map.replace(what, &mut value);
        value
    }

    #[test]
    fn values_are_numbered_as_they_appear() {
        let map = assigned(&[
            (Opaque::Meta, b"zone"),
            (Opaque::Meta, b"rack"),
            (Opaque::Meta, b"zone"),
            (Opaque::Name, b"zone"),
            (Opaque::Meta, b"0002"),
            (Opaque::Meta, b"of another length"),
            (Opaque::Cluster, b"prod"),
            (Opaque::Value, b"zone"),
            (Opaque::Payload, b"zone"),
            (Opaque::Key, b"zone"),
            (Opaque::Topic, b"zone"),
        ])
        .unwrap();
        let all = [(&b"zone"[..], &b"0000"[..]), (b"rack", b"0001"), (b"0002", b"0003"), (b"else", b"else")];
        for (value, pseudonym) in all {
            assert_eq!(replaced(&map, Opaque::Meta, value), pseudonym);
        }
        assert_eq!(replaced(&map, Opaque::Name, b"zone"), b"0000");
        assert_eq!(replaced(&map, Opaque::Cluster, b"prod"), b"0000");
        for what in [Opaque::Value, Opaque::Payload, Opaque::Key, Opaque::Topic] {
            assert_eq!(replaced(&map, what, b"zone"), b"0000", "{what:?}");
        }
        assert_eq!(replaced(&map, Opaque::Meta, b"of another length"), b"00000000000000000");
        assert_eq!(replaced(&map, Opaque::Skipped, b"new"), [0; 3]);
        assert_eq!((map.count(Opaque::Meta), map.count(Opaque::Name)), (4, 1));
    }

    #[test]
    fn digits_are_a_permutation() {
        for (most, base) in [(256, 256), (128, 128)] {
            let all: HashSet<u8> = (0..most).map(|n: u16| digit(n as u8)).collect();
            assert_eq!((all.len(), all.iter().all(|&b| u16::from(b) < base)), (usize::from(most), true));
        }
    }

    /// One byte is one of 256, and as text one of 128.
    #[test]
    fn a_length_holds_so_many_values_and_no_more() {
        let bytes: Vec<[u8; 1]> = (0..=255).map(|b| [b]).collect();
        let of = |what, count: usize| {
            let values: Vec<(Opaque, &[u8])> = bytes[..count].iter().map(|b| (what, &b[..])).collect();
            assigned(&values).map(|map| {
                let places: HashSet<Vec<u8>> = bytes[..count].iter().map(|b| replaced(&map, what, b)).collect();
                assert_eq!(places.len(), count, "different ones stay different");
            })
        };
        assert_eq!(of(Opaque::Meta, 256), Ok(()));
        assert_eq!((of(Opaque::Value, 256), of(Opaque::Payload, 256)), (Ok(()), Ok(())));
        assert_eq!(of(Opaque::Name, 128), Ok(()));
        assert!(of(Opaque::Key, 129).is_err() && of(Opaque::Topic, 129).is_err());
        assert_eq!(of(Opaque::Name, 129), Err(RedactError::TooMany { len: 1, values: 129 }));
        // Of two bytes, text has more than ASCII has.
        let wide: Vec<String> = ('\u{80}'..='\u{7ff}').map(String::from).collect();
        let ascii = (0..128_u8).flat_map(|a| (0..128_u8).map(move |b| String::from_utf8(vec![a, b]).unwrap()));
        let names: Vec<String> = ascii.chain(wide).collect();
        let values: Vec<(Opaque, &[u8])> = names.iter().map(|name| (Opaque::Name, name.as_bytes())).collect();
        assert!(assigned(&values[..16_384]).is_ok());
        assert_eq!(assigned(&values).unwrap_err(), RedactError::TooMany { len: 2, values: 18_304 });
        // There is no 257th value of one byte.
        let mut numbers = Numbers { values: vec![Vec::new(); 257], ..Numbers::default() };
        assert_eq!(numbers.begin(Opaque::Meta, 1), Err(RedactError::TooMany { len: 1, values: 257 }));
    }
}
