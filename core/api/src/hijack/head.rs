//! Reads a request's head as far as taking connections over needs it. hyper reads it again and judges it; this reading
//! only has to agree with hyper's on where a request ends, and gives up where the two could disagree.

use super::framing::Framing;
use crate::server::MAX_HEADERS;

/// What a head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// How the body ends.
    pub(crate) framing: Framing,
    /// What may become of the connection.
    pub(crate) takeover: Takeover,
    /// Bytes of the request line with its line end.
    pub(crate) first_line: usize,
}

/// What may become of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takeover {
    /// Nothing: the next request comes after this one.
    No,
    /// The client asks for an upgrade.
    Asked,
    /// The client does not ask, but this is a path whose connection is always taken over.
    Silent,
}

/// Reads a complete head. None where it is not one that can be followed.
pub(crate) fn parse(bytes: &[u8]) -> Option<Head> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    if !request.parse(bytes).ok()?.is_complete() {
        return None;
    }
    let mut length: Option<u64> = None;
    let (mut chunked, mut upgrade) = (false, false);
    for header in request.headers.iter() {
        let name = header.name;
        if name.eq_ignore_ascii_case("content-length") {
            let value: u64 = std::str::from_utf8(header.value).ok()?.trim().parse().ok()?;
            if length.replace(value).is_some_and(|other| other != value) {
                return None;
            }
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            if !header.value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                return None;
            }
            chunked = true;
        } else if name.eq_ignore_ascii_case("upgrade") {
            upgrade = true;
        }
    }
    let framing = match (chunked, length) {
        // Both at once is how requests are smuggled past one another.
        (true, Some(_)) => return None,
        (true, None) => Framing::chunked(),
        (false, length) => Framing::Length(length.unwrap_or(0)),
    };
    let hijacks = request.method == Some("POST") && request.path.is_some_and(is_taken_over);
    let takeover = match (upgrade, hijacks && request.version == Some(1)) {
        (true, _) => Takeover::Asked,
        (false, true) => Takeover::Silent,
        (false, false) => Takeover::No,
    };
    let first_line = bytes.iter().position(|b| *b == b'\n')? + 1;
    Some(Head { framing, takeover, first_line })
}

/// Whether this is attach or exec start.
fn is_taken_over(target: &str) -> bool {
    let path = target.split('?').next().unwrap_or(target);
    let mut parts = path.split('/').filter(|p| !p.is_empty()).peekable();
    parts.next_if(|p| p.starts_with('v') && p.contains('.'));
    let parts: Vec<&str> = parts.collect();
    matches!(parts.as_slice(), ["containers", _, "attach"] | ["exec", _, "start"])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takeover(head: &str) -> Option<(Takeover, Framing)> {
        parse(head.as_bytes()).map(|h| (h.takeover, h.framing))
    }

    #[test]
    fn attach_and_exec_are_taken_over_with_and_without_upgrade() {
        let silent = "POST /v1.40/containers/ab/attach?stream=1 HTTP/1.1\r\nHost: d\r\n\r\n";
        assert_eq!(takeover(silent), Some((Takeover::Silent, Framing::Length(0))));
        let asked = "POST /exec/ab/start HTTP/1.1\r\nUpgrade: tcp\r\nContent-Length: 17\r\n\r\n";
        assert_eq!(takeover(asked), Some((Takeover::Asked, Framing::Length(17))));
        for other in ["GET /containers/ab/attach", "POST /containers/attach/json", "POST /containers/ab/attach/ws"] {
            let head = format!("{other} HTTP/1.1\r\nHost: d\r\n\r\n");
            assert_eq!(takeover(&head).unwrap().0, Takeover::No, "{other}");
        }
    }

    #[test]
    fn a_head_that_two_readers_could_read_differently_is_not_followed() {
        for lines in [
            "Content-Length: 1\r\nContent-Length: 2\r\n",
            "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Content-Length: x\r\n",
        ] {
            assert_eq!(takeover(&format!("POST /a HTTP/1.1\r\n{lines}\r\n")), None, "{lines}");
        }
    }
}
