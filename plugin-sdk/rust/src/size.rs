//! Sizes as the site's file has them: `512MiB`.

const UNITS: [(&str, u64); 5] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40), ("", 1)];

/// The bytes that a text such as `512MiB` or `1048576` stands for; none where it is no size.
pub fn bytes(text: &str) -> Option<u64> {
    UNITS
        .iter()
        .find_map(|(unit, factor)| text.strip_suffix(unit)?.trim().parse::<u64>().ok().map(|n| n.checked_mul(*factor)))
        .flatten()
}

/// The bytes that somebody at a command line means: `5g`, `512M`, `10GB` and `10GiB` are all binary, as docker reads them.
pub fn asked(text: &str) -> Option<u64> {
    let lower = text.trim().to_ascii_lowercase();
    let lower = lower.strip_suffix("ib").or_else(|| lower.strip_suffix('b')).unwrap_or(&lower);
    let units = [('k', 10), ('m', 20), ('g', 30), ('t', 40)];
    let with_unit = units.into_iter().find_map(|(unit, shift)| Some((lower.strip_suffix(unit)?, shift)));
    let (number, shift) = with_unit.unwrap_or((lower, 0));
    number.trim_end().parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::{asked, bytes};

    #[test]
    fn a_size_at_a_command_line_is_read_as_docker_reads_it() {
        for (text, wanted) in [
            ("5g", Some(5 << 30)),
            ("512M", Some(512 << 20)),
            ("10GB", Some(10 << 30)),
            ("10 GiB", Some(10 << 30)),
            ("4096", Some(4096)),
            ("4096b", Some(4096)),
            ("99999999999t", None),
            ("-1", None),
            ("g", None),
            ("", None),
        ] {
            assert_eq!(asked(text), wanted, "{text:?}");
        }
    }

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
