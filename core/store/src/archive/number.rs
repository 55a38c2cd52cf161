//! Numbers in headers: octal text, or base-256 where the first bit is set (GNU).

use crate::error::{Result, StoreError};

/// A header field's number; an empty field is 0.
pub(super) fn field(bytes: &[u8], what: &str) -> Result<i64> {
    let fail = || StoreError::archive(format!("the header's {what} is not a number"));
    let Some(first) = bytes.first() else { return Ok(0) };
    if first & 0x80 != 0 {
        // Two's complement in the field's width; the sign is the second bit.
        let negative = first & 0x40 != 0;
        let mut value: i128 = if negative { -1 } else { 0 };
        for (i, byte) in bytes.iter().enumerate() {
            let byte = if i == 0 { if negative { byte | 0x80 } else { byte & 0x7f } } else { *byte };
            value = (value << 8) | i128::from(byte);
            if i64::try_from(value).is_err() {
                return Err(fail());
            }
        }
        return i64::try_from(value).map_err(|_| fail());
    }
    let text = bytes.split(|b| *b == 0).next().unwrap_or_default();
    let text = text.trim_ascii();
    if text.is_empty() {
        return Ok(0);
    }
    let text = std::str::from_utf8(text).map_err(|_| fail())?;
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(fail());
    }
    i64::from_str_radix(text, 8).map_err(|_| fail())
}

/// A decimal number of a PAX record.
pub(super) fn decimal(bytes: &[u8], what: &str) -> Result<u64> {
    let digits = !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(bytes).ok().filter(|_| digits).and_then(|t| t.parse().ok());
    number.ok_or_else(|| StoreError::archive(format!("PAX record {what} is not a number")))
}

/// A time of a PAX record: `[-]seconds[.fraction]`, to seconds and nanoseconds.
pub(super) fn time(bytes: &[u8], what: &str) -> Result<(i64, u32)> {
    let fail = || StoreError::archive(format!("PAX record {what} is not a time"));
    let text = std::str::from_utf8(bytes).map_err(|_| fail())?;
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return Err(fail());
    }
    let seconds: i64 = whole.parse().map_err(|_| fail())?;
    let nanos: u32 = format!("{:0<9.9}", fraction).parse().map_err(|_| fail())?;
    Ok(match (negative, nanos) {
        (false, _) => (seconds, nanos),
        (true, 0) => (-seconds, 0),
        (true, _) => (-seconds - 1, 1_000_000_000 - nanos),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_gnu_tar_writes_them() {
        assert_eq!(field(b"0000644\0", "mode").unwrap(), 0o644);
        assert_eq!(field(b"   644 \0", "mode").unwrap(), 0o644);
        assert_eq!(field(b"\0\0\0", "mode").unwrap(), 0);
        assert_eq!(field(&[0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xfe], "uid").unwrap(), 0xffff_fffe);
        assert_eq!(field(&[0xff; 12], "mtime").unwrap(), -1);
        assert!(field(b"12x4\0", "size").is_err());
        assert!(field(b"-1\0", "size").is_err());
        let mut huge = [0xff; 12];
        huge[0] = 0x80;
        assert!(field(&huge, "size").is_err());
    }

    #[test]
    fn times_have_fractions_and_may_be_before_1970() {
        assert_eq!(time(b"1.5", "mtime").unwrap(), (1, 500_000_000));
        assert_eq!(time(b"-1.25", "mtime").unwrap(), (-2, 750_000_000));
        assert_eq!(time(b"7.1234567891", "mtime").unwrap(), (7, 123_456_789));
        assert!(time(b"", "mtime").is_err() && time(b"1e3", "mtime").is_err());
    }
}
