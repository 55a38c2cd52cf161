//! Sizes as the site's file has them: `512MiB`.

const UNITS: [(&str, u64); 5] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40), ("", 1)];

/// The bytes that a text such as `512MiB` or `1048576` stands for; none where it is no size.
pub fn bytes(text: &str) -> Option<u64> {
    UNITS
        .iter()
        .find_map(|(unit, factor)| text.strip_suffix(unit)?.trim().parse::<u64>().ok().map(|n| n.checked_mul(*factor)))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn a_size_has_a_binary_unit_or_is_bytes() {
        for (text, wanted) in [
            ("512MiB", Some(512 << 20)),
            ("1 TiB", Some(1 << 40)),
            ("4096", Some(4096)),
            ("18446744073709551615TiB", None),
            ("1.5GiB", None),
            ("-1", None),
            ("512MB", None),
            ("MiB", None),
            ("", None),
        ] {
            assert_eq!(bytes(text), wanted, "{text:?}");
        }
    }
}
