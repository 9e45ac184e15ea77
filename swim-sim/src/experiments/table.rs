//! The shape all experiments give their results in, and how it is written as text and as JSON.
//!
//! Invariant: a row has a cell for every column, and a number that comes from a float has six significant digits, so
//! that the last bits of a machine's `exp` and `ln` reach no output.

use std::fmt;

use serde::Serialize;

/// What an experiment found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Table {
    /// What was measured, and by whose model.
    pub title: String,
    /// The heads of the columns.
    pub columns: Vec<String>,
    /// The rows, each with one cell per column.
    pub rows: Vec<Vec<Cell>>,
    /// What one must know to read the numbers: the rules of the model, the sources, the seed.
    pub notes: Vec<String>,
}

/// One cell of a [`Table`]. In JSON text is a string, a count and a computed number are numbers, and what was measured
/// is an object.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Cell {
    /// What the row is about, or a dash where there is nothing to say.
    Text(String),
    /// A parameter of the row, or how often it was tried.
    Count(u64),
    /// What theory says, where nothing was measured.
    Computed(f64),
    /// The mean of the trials.
    Measured {
        /// The mean.
        value: f64,
        /// Its standard error; `None` when one trial is all there is.
        standard_error: Option<f64>,
        /// What it should be: the published value, or the computed one where the table's notes say so.
        reference: Option<f64>,
    },
}

impl Table {
    pub(super) fn new(title: String, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|&head| head.to_owned()).collect();
        Self { title, columns, rows: Vec::new(), notes: Vec::new() }
    }

    pub(super) fn row(&mut self, cells: impl Into<Vec<Cell>>) {
        let cells = cells.into();
        assert_eq!(cells.len(), self.columns.len(), "a row has a cell for every column");
        self.rows.push(cells);
    }

    pub(super) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// The table as one JSON object, with the members of [`Table`].
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("strings and finite numbers can be written")
    }
}

impl Cell {
    pub(super) fn text(text: impl fmt::Display) -> Self {
        Self::Text(text.to_string())
    }

    pub(super) fn nothing() -> Self {
        Self::text('-')
    }

    pub(super) fn computed(value: f64) -> Self {
        Self::Computed(six_digits(value))
    }

    pub(super) fn measured(value: f64, standard_error: Option<f64>, reference: Option<f64>) -> Self {
        Self::Measured {
            value: six_digits(value),
            standard_error: standard_error.map(six_digits),
            reference: reference.map(six_digits),
        }
    }
}

/// Aligned columns under the title, then the notes. Numbers are shortened to what a reader needs; JSON has all digits.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.title)?;
        let rows: Vec<Vec<String>> = self.rows.iter().map(|row| row.iter().map(Cell::to_string).collect()).collect();
        let width = |column: usize| {
            let cells = rows.iter().map(|row| &row[column]).chain([&self.columns[column]]);
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        for line in [&self.columns].into_iter().chain(&rows) {
            let cells = line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:>width$}"));
            writeln!(f, "{}", cells.collect::<Vec<_>>().join("  "))?;
        }
        if !self.notes.is_empty() {
            writeln!(f)?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "- {note}"))
    }
}

/// What was measured reads `mean ± standard error (reference)`.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Count(count) => count.fmt(f),
            Self::Computed(value) => f.write_str(&digits(*value, 4)),
            Self::Measured { value, standard_error, reference } => {
                f.write_str(&digits(*value, 4))?;
                if let Some(se) = standard_error {
                    write!(f, " ±{}", digits(*se, 2))?;
                }
                if let Some(reference) = reference {
                    // A published value has the digits it was published with; padding would claim more.
                    write!(f, " ({})", without_zeros(&digits(*reference, 4)))?;
                }
                Ok(())
            }
        }
    }
}

pub(crate) fn six_digits(x: f64) -> f64 {
    format!("{x:.5e}").parse().expect("what was written as a float can be read as one")
}

/// `x` with so many significant digits, written out unless that would be mostly zeros.
fn digits(x: f64, significant: usize) -> String {
    let scientific = format!("{x:.*e}", significant - 1);
    let (_, exponent) = scientific.split_once('e').expect("the format writes an exponent");
    let exponent: i32 = exponent.parse().expect("an exponent is a whole number");
    match exponent {
        _ if x == 0.0 => "0".to_owned(),
        -4..6 => format!("{x:.*}", (significant as i32 - 1 - exponent).max(0) as usize),
        _ => scientific,
    }
}

/// `0.1800` as `0.18`, `4.000e-6` as `4e-6`.
fn without_zeros(number: &str) -> String {
    let (mantissa, exponent) = number.split_at(number.find('e').unwrap_or(number.len()));
    match mantissa.contains('.') {
        true => format!("{}{exponent}", mantissa.trim_end_matches('0').trim_end_matches('.')),
        false => number.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut t = Table::new("A title".to_owned(), &["what", "n", "s"]);
        t.row([Cell::text("push"), Cell::Count(1000), Cell::measured(0.176_254_9, Some(0.000_412), Some(0.18))]);
        t.row([Cell::nothing(), Cell::Count(7), Cell::measured(4.123_4e-6, Some(1.5e-7), Some(4e-6))]);
        t.row([Cell::text("theory"), Cell::Count(7), Cell::computed(1.0 / 3.0)]);
        t.note("A note.");
        t
    }

    #[test]
    fn text_is_aligned_and_shows_what_was_measured_beside_what_it_should_be() {
        let expected = "A title

  what     n                            s
  push  1000     0.1763 ±0.00041 (0.18)
     -     7  4.123e-6 ±1.5e-7 (4e-6)
theory     7                     0.3333

- A note.
";
        let unpadded = |text: &str| text.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        let (found, expected): (Vec<String>, Vec<String>) = (unpadded(&sample().to_string()), unpadded(expected));
        assert_eq!(found, expected);
        let text = sample().to_string();
        let lines: Vec<usize> = text.lines().skip(2).take(4).map(|line| line.chars().count()).collect();
        assert_eq!(lines, [lines[0]; 4], "{text}");
    }

    #[test]
    fn json_has_every_cell_by_its_kind() {
        let json: serde_json::Value = serde_json::from_str(&sample().to_json()).unwrap();
        assert_eq!(json["columns"], serde_json::json!(["what", "n", "s"]));
        let measured = serde_json::json!({"value": 0.176255, "standard_error": 0.000412, "reference": 0.18});
        assert_eq!(json["rows"][0], serde_json::json!(["push", 1000, measured]));
        assert_eq!(json["rows"][2][2], serde_json::json!(0.333333));
        assert_eq!(json["notes"][0], "A note.");
    }

    #[test]
    fn numbers_have_the_digits_they_are_worth() {
        let written = [0.0, 1.0, 12.3456, 99_999.0, 0.5, 9.9999, 0.000_123_456, 0.000_012_345].map(|x| digits(x, 4));
        assert_eq!(written, ["0", "1.000", "12.35", "99999", "0.5000", "10.00", "0.0001235", "1.234e-5"]);
        assert_eq!(["1.000", "100", "10.50", "4.000e-6", "0"].map(without_zeros), ["1", "100", "10.5", "4e-6", "0"]);
    }
}
