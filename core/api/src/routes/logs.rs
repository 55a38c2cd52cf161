//! `logs`: framed without a terminal, bare with one.

use super::Answer;
use crate::{extract::Params, failure::ApiError, frames, show, stream, version::ApiVersion};
use axum::extract::{Path, State};
use bytes::Bytes;
use davit_api_types::stream::{MULTIPLEXED, RAW};
use davit_engine::{Engine, LogOptions, LogStream, Output};
use jiff::Timestamp;

pub(super) async fn logs(
    State(engine): State<Engine>,
    version: ApiVersion,
    Path(id): Path<String>,
    params: Params,
) -> Answer {
    let options = LogOptions {
        stdout: params.flag("stdout"),
        stderr: params.flag("stderr"),
        follow: params.flag("follow"),
        tail: tail(params.get("tail")),
        since: moment(&params, "since")?,
        until: moment(&params, "until")?,
    };
    let timestamps = params.flag("timestamps");
    let log = engine.logs(&id, options).await?;
    let content_type = if !log.tty && version >= ApiVersion::MULTIPLEXED { MULTIPLEXED } else { RAW };
    Ok(stream::answer(content_type, Some(log), move |log| next(log, timestamps)))
}

async fn next(log: Option<LogStream>, timestamps: bool) -> Option<(Bytes, Option<LogStream>)> {
    let mut log = log?;
    let tty = log.tty;
    match log.next().await {
        Ok(Some(line)) => Some((piece(&line, tty, timestamps), Some(log))),
        Ok(None) => None,
        Err(e) if tty => {
            tracing::warn!("reading a log: {e}");
            None
        }
        Err(e) => Some((frames::failure(&e.to_string()), None)),
    }
}

fn piece(line: &Output, tty: bool, timestamps: bool) -> Bytes {
    let bytes = if timestamps {
        let mut stamped = show::time::rfc3339_nano(line.time).into_bytes();
        stamped.push(b' ');
        stamped.extend_from_slice(&line.bytes);
        stamped.into()
    } else {
        line.bytes.clone()
    };
    if tty { bytes } else { frames::frame(line.stream, &bytes) }
}

/// How many lines from the end; `all`, and what is no number, is all of them.
fn tail(text: Option<&str>) -> Option<usize> {
    text.and_then(|t| t.parse().ok())
}

fn moment(params: &Params, name: &str) -> Answer<Option<Timestamp>> {
    match params.get(name) {
        None | Some("0") => Ok(None),
        Some(text) => match show::time::parse(text) {
            Some(time) => Ok(Some(time)),
            None => Err(ApiError::invalid(format!("invalid value for {name:?}: {text:?} is no time"))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_stamped_inside_its_frame() {
        let time = Timestamp::new(1_714_557_600, 5).unwrap();
        let line = Output { time, stream: 2, bytes: Bytes::from_static(b"x\n") };
        let want = b"\x02\0\0\0\0\0\0\x212024-05-01T10:00:00.000000005Z x\n";
        assert_eq!(piece(&line, false, true).as_ref(), want);
        assert_eq!(piece(&line, true, false).as_ref(), b"x\n");
    }

    #[test]
    fn a_tail_that_is_no_number_is_everything() {
        assert_eq!((tail(Some("all")), tail(Some("3")), tail(Some("-1")), tail(None)), (None, Some(3), None, None));
    }
}
