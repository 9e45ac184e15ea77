//! Frames, each of them once.

use std::collections::HashMap;

use crate::decode::{DatagramShown, Names};

/// Equal bytes have one number.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    numbers: HashMap<Box<[u8]>, u32>,
}

impl Frames {
    pub(crate) fn number(&mut self, bytes: &[u8]) -> u32 {
        if let Some(&number) = self.numbers.get(bytes) {
            return number;
        }
        let number = u32::try_from(self.numbers.len()).expect("memory ends before four billion datagrams");
        self.numbers.insert(bytes.into(), number);
        number
    }

    pub(crate) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// All of them, decoded, by number.
    pub(crate) fn decoded(&self, names: &Names) -> Vec<DatagramShown> {
        let mut bytes = vec![&[][..]; self.len()];
        for (frame, &number) in &self.numbers {
            bytes[number as usize] = frame;
        }
        bytes.into_iter().map(|bytes| DatagramShown::of(bytes, names)).collect()
    }
}
