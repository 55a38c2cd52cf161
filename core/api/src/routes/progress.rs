//! Progress of pull and push, one JSON object a line. An error after the headers is a line as well.

use super::Answer;
use crate::stream;
use davit_api_types::progress::Progress as Line;
use davit_engine::{Progress, ProgressStream};

/// Streams progress. An error that comes before any progress is an error of the whole request, with its status.
pub(super) async fn answer(mut progress: ProgressStream) -> Answer {
    let first = match progress.next().await {
        Some(Err(e)) => return Err(e.into()),
        Some(Ok(line)) => Some(line),
        None => None,
    };
    Ok(stream::answer("application/json", (first, Some(progress)), |(first, progress)| async move {
        if let Some(line) = first {
            return Some((stream::line(&shown(line)), (None, progress)));
        }
        let mut progress = progress?;
        match progress.next().await? {
            Ok(line) => Some((stream::line(&shown(line)), (None, Some(progress)))),
            Err(e) => Some((stream::line(&Line::failed(e.message())), (None, None))),
        }
    }))
}

fn shown(progress: Progress) -> Line {
    match (progress.id.is_empty(), progress.bytes) {
        (true, _) => Line::status(progress.status),
        (false, None) => Line::of(progress.id, progress.status),
        (false, Some((done, all))) => Line::bytes(progress.id, progress.status, done, (all > 0).then_some(all)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_dockers() {
        let line = |id: &str, bytes| {
            let progress = Progress { id: id.into(), status: "Downloading".into(), bytes };
            serde_json::to_string(&shown(progress)).unwrap()
        };
        assert_eq!(line("", None), r#"{"status":"Downloading"}"#);
        assert_eq!(line("ab", None), r#"{"status":"Downloading","progressDetail":{},"id":"ab"}"#);
        let with_bytes = r#"{"status":"Downloading","progressDetail":{"current":1,"total":2},"id":"ab"}"#;
        assert_eq!(line("ab", Some((1, 2))), with_bytes);
    }
}
