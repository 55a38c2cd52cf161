//! The JSON lines in which pull, push, load and build tell how far they are.
//!
//! One object a line, `application/json`. An error after the headers arrives as a last line with `errorDetail`; the
//! HTTP status is 200 by then. Status words of a layer, in Docker's order: `Pulling fs layer`, `Waiting`,
//! `Downloading`, `Verifying Checksum`, `Download complete`, `Extracting`, `Pull complete`, or `Already exists`; of a
//! pushed one: `Preparing`, `Waiting`, `Pushing`, `Pushed`, `Layer already exists`, `Mounted from`.

use serde::{Deserialize, Serialize};

/// One line of progress. Absent fields are left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Progress {
    /// Text of a build, with its own line ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// A status word, or a whole sentence where `id` is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The bar and figures as text, for clients without a terminal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<String>,
    /// The figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress_detail: Option<ProgressDetail>,
    /// What the line is about: 12 letters of a layer's digest, or a tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The same as `error_detail.message`, for clients that know no better.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Why the work ended early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_detail: Option<ErrorDetail>,
    /// Facts for programs, such as the digest of what was pushed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aux: Option<serde_json::Value>,
}

/// How far a piece of work is, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProgressDetail {
    /// Bytes done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<u64>,
    /// Bytes in all; none while unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

/// Why the work ended early.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorDetail {
    /// A number where the step had one: the exit status of a build's command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<i64>,
    /// One line for people.
    pub message: String,
}

impl Progress {
    /// A sentence about the whole: `Pulling from library/busybox`.
    pub fn status(status: impl Into<String>) -> Self {
        Self { status: Some(status.into()), ..Self::default() }
    }

    /// A status word about `id`, without figures.
    pub fn of(id: impl Into<String>, status: impl Into<String>) -> Self {
        Self { id: Some(id.into()), progress_detail: Some(ProgressDetail::default()), ..Self::status(status) }
    }

    /// A status word about `id`, with bytes done and in all.
    pub fn bytes(id: impl Into<String>, status: impl Into<String>, current: u64, total: Option<u64>) -> Self {
        Self { progress_detail: Some(ProgressDetail { current: Some(current), total }), ..Self::of(id, status) }
    }

    /// The last line of a work that failed.
    pub fn failed(message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            error: Some(message.clone()),
            error_detail: Some(ErrorDetail { code: None, message }),
            ..Self::default()
        }
    }

    /// Facts for programs.
    pub fn aux(value: serde_json::Value) -> Self {
        Self { aux: Some(value), ..Self::default() }
    }

    /// What went wrong, where this is an error's line.
    pub fn failure(&self) -> Option<&str> {
        self.error_detail.as_ref().map(|d| d.message.as_str()).or(self.error.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_docker_writes() {
        let line = serde_json::to_string(&Progress::bytes("4f4fb700ef54", "Downloading", 32, Some(64))).unwrap();
        assert_eq!(line, r#"{"status":"Downloading","progressDetail":{"current":32,"total":64},"id":"4f4fb700ef54"}"#);
    }

    #[test]
    fn an_error_is_found_in_either_place() {
        let new: Progress =
            serde_json::from_str(r#"{"errorDetail":{"code":1,"message":"boom"},"error":"boom"}"#).unwrap();
        let old: Progress = serde_json::from_str(r#"{"error":"boom"}"#).unwrap();
        assert_eq!((new.failure(), old.failure()), (Some("boom"), Some("boom")));
        assert_eq!(Progress::status("Pull complete").failure(), None);
    }
}
