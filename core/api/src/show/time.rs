//! Times as the API writes them, and durations as people read them.

use jiff::Timestamp;

/// What Go writes for a time that never was.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// RFC 3339 with nanoseconds where there are any; a time that never was has a text too.
pub(crate) fn rfc3339(time: Option<Timestamp>) -> String {
    time.map_or_else(|| NEVER.to_owned(), |t| t.to_string())
}

/// RFC 3339 with all nine digits, so that columns of logs line up.
pub(crate) fn rfc3339_nano(time: Timestamp) -> String {
    format!("{time:.9}")
}

/// How long ago, in Docker's words: `5 seconds`, `About a minute`, `2 hours`.
pub(crate) fn since(time: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(time).as_secs().max(0);
    let (minutes, hours) = (seconds / 60, (seconds + 1800) / 3600);
    match (seconds, minutes, hours) {
        (0, ..) => "Less than a second".to_owned(),
        (1, ..) => "1 second".to_owned(),
        (2..60, ..) => format!("{seconds} seconds"),
        (_, 1, _) => "About a minute".to_owned(),
        (_, 2..60, _) => format!("{minutes} minutes"),
        (_, _, 1) => "About an hour".to_owned(),
        (_, _, 2..48) => format!("{hours} hours"),
        (_, _, 48..336) => format!("{} days", hours / 24),
        (_, _, 336..1440) => format!("{} weeks", hours / 24 / 7),
        (_, _, 1440..17520) => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", hours / 24 / 365),
    }
}

/// Reads a moment as clients write it: seconds since 1970 with a fraction, or RFC 3339.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = seconds.parse().ok()?;
    if fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nanoseconds: i32 = format!("{fraction:0<9}").parse().ok()?;
    Timestamp::new(seconds, nanoseconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_dockers() {
        let at = |s: i64| since(Timestamp::UNIX_EPOCH, Timestamp::from_second(s).unwrap());
        for (seconds, words) in [
            (0, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (61, "About a minute"),
            (125, "2 minutes"),
            (3600, "About an hour"),
            (7200, "2 hours"),
            (3 * 86400, "3 days"),
            (20 * 86400, "2 weeks"),
            (90 * 86400, "3 months"),
            (800 * 86400, "2 years"),
        ] {
            assert_eq!(at(seconds), words);
        }
    }

    #[test]
    fn moments_are_read_in_both_forms() {
        let want: Timestamp = "2024-05-01T10:00:00.5Z".parse().unwrap();
        for text in ["2024-05-01T10:00:00.5Z", "2024-05-01T12:00:00.500+02:00", "1714557600.5", "1714557600.500000000"]
        {
            assert_eq!(parse(text), Some(want), "{text}");
        }
        assert_eq!(parse("1714557600"), Timestamp::from_second(1_714_557_600).ok());
        for bad in ["", "x", "1.2.3", "1.0000000001", "1.-5"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert_eq!(rfc3339_nano(want), "2024-05-01T10:00:00.500000000Z");
        assert_eq!(rfc3339(None), "0001-01-01T00:00:00Z");
    }
}
