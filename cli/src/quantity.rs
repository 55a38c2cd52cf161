//! Sizes and numbers as people write and read them.

use crate::error::{Error, Result};

/// Bytes in a text such as `512m`, `1.5g`, `100KiB`, `64`; factors of 1024, as Docker reads them.
pub(crate) fn bytes(text: &str) -> Result<i64> {
    let refuse = || Error::flag(format!("invalid size: {text:?}: a number with b, k, m, g, t or p after it"));
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    let unit = lower.get(digits.len()..).unwrap_or("").trim();
    let power: i32 = match unit.trim_end_matches("ib").trim_end_matches('b') {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return Err(refuse()),
    };
    let number: f64 = digits.parse().map_err(|_| refuse())?;
    let bytes = number * 1024f64.powi(power);
    // Past 2^63 there is no such machine; below zero only -1 has a meaning, and its flags ask for it by name.
    if !(0.0..9.2e18).contains(&bytes) {
        return Err(refuse());
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked against the range just above")]
    Ok(bytes as i64)
}

/// Billionths of a processor in a text such as `0.5`.
pub(crate) fn nano_cpus(text: &str) -> Result<i64> {
    let refuse = || Error::flag(format!("invalid number of CPUs: {text:?}: a number such as 0.5 or 2"));
    let number: f64 = text.parse().map_err(|_| refuse())?;
    if !(0.0..1e9).contains(&number) {
        return Err(refuse());
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked against the range just above")]
    Ok((number * 1e9).round() as i64)
}

/// A size with four significant digits and factors of 1000: `4.26MB`.
pub(crate) fn human(bytes: i64) -> String {
    with_digits(bytes, 4)
}

/// A size with three significant digits, as lists show it.
pub(crate) fn human_short(bytes: i64) -> String {
    with_digits(bytes, 3)
}

/// A size with factors of 1024, as memory is counted: `1.5MiB`.
pub(crate) fn binary(bytes: f64) -> String {
    scaled(bytes, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB", "PiB"], 4)
}

fn with_digits(bytes: i64, digits: usize) -> String {
    scaled(bytes as f64, 1000.0, &["B", "kB", "MB", "GB", "TB", "PB", "EB"], digits)
}

/// A size in the largest unit that leaves at least one before the point; units go up by `factor`.
fn scaled(bytes: f64, factor: f64, units: &[&str], digits: usize) -> String {
    let mut size = bytes.max(0.0);
    let mut units = units.iter();
    let mut unit = units.next().copied().unwrap_or("B");
    while size >= factor {
        let Some(next) = units.next() else { break };
        unit = next;
        size /= factor;
    }
    digits_of(size, digits, unit)
}

fn digits_of(size: f64, digits: usize, unit: &str) -> String {
    let whole = format!("{size:.0}").len();
    let text = format!("{size:.*}", digits.saturating_sub(whole));
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_factors_of_1024() {
        for (text, size) in [
            ("64", 64),
            ("1k", 1024),
            ("512m", 536_870_912),
            ("1.5g", 1_610_612_736),
            ("2KiB", 2048),
            ("3 MB", 3_145_728),
        ] {
            assert_eq!(bytes(text).unwrap(), size, "{text}");
        }
        for text in ["", "m", "1x", "-1m", "1e30", "nan"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn parts_of_a_processor_are_billionths() {
        assert_eq!(nano_cpus("0.5").unwrap(), 500_000_000);
        assert!(nano_cpus("many").is_err());
        assert!(nano_cpus("-1").is_err());
    }

    #[test]
    fn sizes_are_shown_with_factors_of_1000() {
        for (size, text) in [(0, "0B"), (999, "999B"), (4_261_550, "4.26MB"), (77_900_000, "77.9MB"), (1_000, "1kB")] {
            assert_eq!(human_short(size), text);
        }
        assert_eq!(human(4_261_550), "4.262MB");
        assert_eq!((binary(1_572_864.0).as_str(), binary(900.0).as_str()), ("1.5MiB", "900B"));
    }
}
