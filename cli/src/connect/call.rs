//! A request to the daemon, before it has a connection.

use super::{Upload, upload::Payload};
use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use std::time::Duration;

/// How long an answer's head may take where nothing else is said: room for a full copy of a root file system.
const PATIENCE: Duration = Duration::from_secs(300);

/// What stays as it is in a path: references have slashes and colons.
const PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/').remove(b':').remove(b'@');
/// What stays as it is in a query.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One name as a part of a path.
pub(crate) fn segment(name: &str) -> String {
    // A name of dots would climb: `GET /containers/../…`.
    let encoded = utf8_percent_encode(name, PATH).to_string();
    if encoded.split('/').any(|part| part == ".." || part == ".") { encoded.replace('.', "%2E") } else { encoded }
}

/// Method, path, query, headers and body of a request.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    query: Vec<(&'static str, String)>,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Option<Vec<u8>>,
    upload: Option<Upload>,
    pub(crate) patience: Duration,
    /// Whether the path begins with the API's version.
    pub(crate) versioned: bool,
}

impl Call {
    fn new(method: Method, path: String) -> Self {
        Self {
            method,
            path,
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            upload: None,
            patience: PATIENCE,
            versioned: true,
        }
    }

    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path.into())
    }

    pub(crate) fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path.into())
    }

    pub(crate) fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path.into())
    }

    /// A request to `/davit/v1`, which has a version of its own.
    pub(crate) fn unversioned(mut self) -> Self {
        self.versioned = false;
        self
    }

    pub(crate) fn query(mut self, key: &'static str, value: impl ToString) -> Self {
        self.query.push((key, value.to_string()));
        self
    }

    pub(crate) fn query_some(self, key: &'static str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.query(key, value),
            None => self,
        }
    }

    /// `key=true` where `on`.
    pub(crate) fn switch(self, key: &'static str, on: bool) -> Self {
        if on { self.query(key, "true") } else { self }
    }

    pub(crate) fn header(mut self, key: &'static str, value: String) -> Self {
        self.headers.push((key, value));
        self
    }

    pub(crate) fn json(mut self, body: &impl Serialize) -> Self {
        // Our own request types have string keys only: they always serialise.
        self.body = Some(serde_json::to_vec(body).unwrap_or_default());
        self.header("content-type", "application/json".to_owned())
    }

    /// A body that is at hand.
    pub(crate) fn bytes(mut self, body: Vec<u8>) -> Self {
        self.body = Some(body);
        self
    }

    /// A body that is made while it is sent.
    pub(crate) fn upload(mut self, upload: Upload) -> Self {
        self.upload = Some(upload);
        self
    }

    /// What goes on the wire.
    pub(super) fn payload(&self) -> Payload {
        match &self.upload {
            Some(upload) => upload.body(),
            None => Either::Left(Full::new(Bytes::from(self.body.clone().unwrap_or_default()))),
        }
    }

    pub(crate) fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Path and query as they go on the wire.
    pub(crate) fn target(&self, version: &str) -> String {
        let mut target = if self.versioned { format!("/v{version}{}", self.path) } else { self.path.clone() };
        for (i, (key, value)) in self.query.iter().enumerate() {
            target.push(if i == 0 { '?' } else { '&' });
            target.push_str(key);
            target.push('=');
            target.extend(utf8_percent_encode(value, QUERY));
        }
        target
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_carries_version_and_query() {
        let call = Call::get("/containers/json").switch("all", true).query("filters", r#"{"name":["a b"]}"#);
        assert_eq!(call.target("1.51"), "/v1.51/containers/json?all=true&filters=%7B%22name%22%3A%5B%22a%20b%22%5D%7D");
    }

    #[test]
    fn names_stay_within_their_part_of_the_path() {
        assert_eq!(segment("127.0.0.1:5000/demo/x:1"), "127.0.0.1:5000/demo/x:1");
        assert_eq!(segment("a?force=true"), "a%3Fforce%3Dtrue");
        assert_eq!(segment("../images"), "%2E%2E/images");
    }
}
