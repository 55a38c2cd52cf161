//! Moments as people write and read them: `10m`, a date, `2 minutes ago`.

use crate::error::{Error, Result};
use jiff::{Timestamp, civil, tz::TimeZone};

/// How long ago something was: `2 minutes`, `About an hour`.
pub(crate) fn duration(seconds: i64) -> String {
    let (minutes, hours) = (seconds / 60, (seconds + 1800) / 3600);
    match seconds {
        i64::MIN..1 => "Less than a second".to_owned(),
        1 => "1 second".to_owned(),
        2..60 => format!("{seconds} seconds"),
        60..120 => "About a minute".to_owned(),
        120..3600 => format!("{minutes} minutes"),
        _ if hours <= 1 => "About an hour".to_owned(),
        _ if hours < 48 => format!("{hours} hours"),
        _ if hours < 24 * 14 => format!("{} days", hours / 24),
        _ if hours < 24 * 60 => format!("{} weeks", hours / 24 / 7),
        _ if hours < 24 * 730 => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", hours / 24 / 365),
    }
}

/// Seconds since the epoch, now.
pub(crate) fn now() -> i64 {
    Timestamp::now().as_second()
}

/// `2 minutes ago`, of seconds since the epoch.
pub(crate) fn ago(second: i64) -> String {
    format!("{} ago", duration(now() - second))
}

/// Seconds since the epoch in the way lists show a date: `2026-11-24 11:25:38 +0000 UTC`.
pub(crate) fn date(second: i64) -> String {
    Timestamp::from_second(second)
        .map(|t| t.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %z %Z").to_string())
        .unwrap_or_default()
}

/// What `--since` and `--until` take, as the API takes it: seconds since the epoch with a fraction.
pub(crate) fn moment(text: &str) -> Result<String> {
    if text.parse::<f64>().is_ok_and(|n| n >= 0.0) {
        return Ok(text.to_owned());
    }
    let stamp = from_duration(text)
        .or_else(|| text.parse::<Timestamp>().ok())
        .or_else(|| local(text.parse::<civil::DateTime>().ok()?))
        .or_else(|| local(text.parse::<civil::Date>().ok()?.at(0, 0, 0, 0)));
    let Some(stamp) = stamp else {
        return Err(Error::usage(format!(
            "invalid time: {text:?}: a duration such as 10m, a date such as 2026-11-24T11:25:38Z, or seconds since the epoch"
        )));
    };
    Ok(format!("{}.{:09}", stamp.as_second(), stamp.subsec_nanosecond()))
}

fn local(moment: civil::DateTime) -> Option<Timestamp> {
    Some(moment.to_zoned(TimeZone::system()).ok()?.timestamp())
}

fn from_duration(text: &str) -> Option<Timestamp> {
    let span: jiff::SignedDuration = text.parse().ok()?;
    Timestamp::now().checked_sub(span).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_dockers_do() {
        for (seconds, text) in [
            (0, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (61, "About a minute"),
            (600, "10 minutes"),
            (3600, "About an hour"),
            (7200, "2 hours"),
            (60 * 3600, "2 days"),
            (20 * 86400, "2 weeks"),
            (90 * 86400, "3 months"),
            (800 * 86400, "2 years"),
        ] {
            assert_eq!(duration(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn moments_are_read_in_each_form() {
        assert_eq!(moment("1700000000").unwrap(), "1700000000");
        assert_eq!(moment("2023-11-14T22:13:20Z").unwrap(), "1700000000.000000000");
        let ago: f64 = moment("10m").unwrap().parse().unwrap();
        assert!((now() as f64 - 600.0 - ago).abs() < 5.0);
        assert!(moment("yesterday").is_err());
    }
}
