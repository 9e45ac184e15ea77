//! Times, rates and sizes as people write and read them.

use std::fmt::Display;
use std::time::Duration;

/// Milliseconds in the unit that suits them.
pub(crate) fn time(ms: f64) -> String {
    match ms {
        ms if ms < 9.995 => format!("{ms:.2} ms"),
        ms if ms < 999.5 => format!("{ms:.0} ms"),
        ms if ms < 99_950.0 => format!("{:.2} s", ms / 1e3),
        ms if ms < 7_200_000.0 => format!("{:.1} min", ms / 6e4),
        ms => format!("{:.1} h", ms / 3.6e6),
    }
}

/// Bytes in the unit that suits them; a kB has a thousand.
pub(crate) fn size(bytes: f64) -> String {
    match bytes {
        b if b < 9_995.0 => format!("{b:.0} B"),
        b if b < 999_500.0 => format!("{:.1} kB", b / 1e3),
        b => format!("{:.2} MB", b / 1e6),
    }
}

/// A number of three digits or so.
pub(crate) fn number(x: f64) -> String {
    match x {
        0.0 => "0".into(),
        x if x.abs() < 1e-3 => format!("{x:.1e}"),
        x if x < 99.95 => format!("{x:.2}"),
        x => format!("{x:.0}"),
    }
}

/// So many of them: 1 datagram, 2 datagrams.
pub(crate) fn counted<N: Display + PartialEq + From<u8>>(count: N, what: &str) -> String {
    format!("{count} {what}{}", if count == N::from(1) { "" } else { "s" })
}

/// A moment or span as one writes it: 90s is 1m30s.
pub(crate) fn span(span: Duration) -> String {
    humantime::format_duration(span).to_string().replace(' ', "")
}

/// A time with its unit.
pub(crate) fn parse_span(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|e| format!("\"{text}\" is no time ({e}): write it like 200ms, 1s or 5m"))
}

/// Latencies of a link: one, or from the shortest to the longest; without a unit they are milliseconds.
pub(crate) fn parse_latency(text: &str) -> Result<(Duration, Duration), String> {
    let one = |text: &str| match text.parse::<f64>() {
        Ok(ms) if (0.0..=1e9).contains(&ms) => Ok(Duration::from_micros((ms * 1e3).round() as u64)),
        _ => humantime::parse_duration(text).map_err(|_| {
            format!("\"{text}\" is no latency: write it like 5ms, or 1ms..20ms from the shortest to the longest")
        }),
    };
    let (min, max) = text.split_once("..").unwrap_or((text, text));
    let (min, max) = (one(min)?, one(max)?);
    if min > max {
        return Err(format!("{} is longer than {}: write the shorter latency first", span(min), span(max)));
    }
    Ok((min, max))
}

/// Bytes, with their unit or without: 8MiB, 500kB, 65536.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let none = || format!("\"{text}\" is no size: write it like 8MiB or 500kB");
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => return Err(none()),
    };
    number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)).ok_or_else(none)
}

/// A percentage, with or without its sign, as a chance per million.
pub(crate) fn parse_percent(text: &str) -> Result<u32, String> {
    match text.strip_suffix('%').unwrap_or(text).parse::<f64>() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok((percent * 10_000.0).round() as u32),
        _ => Err(format!("\"{text}\" is no percentage: write a number from 0 to 100, like 2.5")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_suit_what_they_measure() {
        assert_eq!([0.25, 12.4, 1_970.0, 240_000.0, 9e6].map(time), ["0.25 ms", "12 ms", "1.97 s", "4.0 min", "2.5 h"]);
        assert_eq!([138.0, 36_000.0, 2e6].map(size), ["138 B", "36.0 kB", "2.00 MB"]);
        assert_eq!([0.0, 2.4e-8, 2.0, 1_234.5].map(number), ["0", "2.4e-8", "2.00", "1234"]);
        assert_eq!(span(Duration::from_secs(90)), "1m30s");
        assert_eq!([0.0, 1.0, 2.0].map(|n| counted(n, "node")), ["0 nodes", "1 node", "2 nodes"]);
    }

    #[test]
    fn what_people_write_is_read() {
        let ms = Duration::from_millis;
        assert_eq!(parse_latency("5"), Ok((ms(5), ms(5))));
        assert_eq!(parse_latency("0.5ms..20ms"), Ok((Duration::from_micros(500), ms(20))));
        assert_eq!(parse_latency("1..2s"), Ok((ms(1), ms(2_000))));
        assert!(parse_latency("2s..1ms").unwrap_err().contains("shorter latency first"));
        assert!(parse_latency("fast").unwrap_err().contains("1ms..20ms"));
        assert_eq!(["0", "2.5%", "100"].map(parse_percent), [Ok(0), Ok(25_000), Ok(1_000_000)]);
        assert!(["-1", "101", "x", "NaN"].iter().all(|text| parse_percent(text).is_err()));
        assert_eq!(["8MiB", "500 kB", "17", "1gib"].map(parse_size), [Ok(8 << 20), Ok(500_000), Ok(17), Ok(1 << 30)]);
        assert!(["", "8M", "MiB", "-1", "1.5MiB", "20000000000GiB"].iter().all(|text| parse_size(text).is_err()));
        assert!(parse_span("60").unwrap_err().contains("like 200ms"));
    }
}
