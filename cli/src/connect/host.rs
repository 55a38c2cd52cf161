//! The daemon's address: `unix:///run/davit/davit.sock`, `tcp://host:2376` with TLS, `ssh://user@host`.

use crate::error::{Error, Result};
use std::{fmt, path::PathBuf};

/// Most bytes of a socket's path (`sun_path`, without its end).
const LONGEST: usize = 107;

/// Files of mutual TLS, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    /// Whom to trust.
    pub(crate) ca: PathBuf,
    /// Who we are.
    pub(crate) cert: PathBuf,
    /// The key of that.
    pub(crate) key: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Unix(PathBuf),
    Tcp { name: String, port: u16, tls: TlsFiles },
    Ssh { destination: String, port: Option<u16>, socket: Option<String> },
}

impl Host {
    /// Reads an address. TCP is taken only with `tls`: whoever reaches the API is root.
    pub(crate) fn parse(text: &str, tls: Option<TlsFiles>) -> Result<Self> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(refuse(text, "it begins with unix://, tcp:// or ssh://"));
        };
        match scheme {
            "unix" if rest.starts_with('/') => Self::unix(PathBuf::from(rest)),
            "unix" => Err(refuse(text, "the socket's path is absolute: unix:///run/…")),
            "tcp" => {
                let Some(tls) = tls else {
                    return Err(refuse(text, "over TCP only with --tlsverify and the files of mutual TLS"));
                };
                let (name, port) = name_and_port(rest.trim_end_matches('/'));
                let port = port.transpose().map_err(|()| refuse(text, "the port is a number"))?.unwrap_or(2376);
                if name.is_empty() {
                    return Err(refuse(text, "a host's name is missing"));
                }
                Ok(Self::Tcp { name: name.to_owned(), port, tls })
            }
            "ssh" => {
                let (destination, socket) = match rest.split_once('/') {
                    Some((destination, path)) if !path.is_empty() => (destination, Some(format!("/{path}"))),
                    Some((destination, _)) => (destination, None),
                    None => (rest, None),
                };
                let (name, port) = name_and_port(destination);
                let port = port.transpose().map_err(|()| refuse(text, "the port is a number"))?;
                if name.is_empty() || name.starts_with('-') {
                    return Err(refuse(text, "a host's name is missing"));
                }
                Ok(Self::Ssh { destination: name.to_owned(), port, socket })
            }
            _ => Err(refuse(text, "it begins with unix://, tcp:// or ssh://")),
        }
    }

    /// A socket at a path; the kernel takes no long ones.
    pub(crate) fn unix(path: PathBuf) -> Result<Self> {
        if path.as_os_str().len() > LONGEST {
            let why = format!("a socket's path has at most {LONGEST} bytes; choose a shorter one");
            return Err(refuse(&format!("unix://{}", path.display()), &why));
        }
        Ok(Self::Unix(path))
    }

    /// Refuses a folder where a socket should be.
    pub(super) fn check_place(&self) -> Result<()> {
        match self {
            Self::Unix(path) if path.is_dir() => {
                let inside = path.join("davit.sock");
                let why = format!("it is a folder; name the socket in it, such as unix://{}", inside.display());
                Err(refuse(&self.to_string(), &why))
            }
            _ => Ok(()),
        }
    }
}

fn name_and_port(text: &str) -> (&str, Option<std::result::Result<u16, ()>>) {
    match text.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port.parse().map_err(|_| ()))),
        _ => (text, None),
    }
}

fn refuse(text: &str, why: &str) -> Error {
    Error::usage(format!("invalid daemon address {text:?}: {why}"))
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { name, port, .. } => write!(f, "tcp://{name}:{port}"),
            Self::Ssh { destination, port: Some(port), .. } => write!(f, "ssh://{destination}:{port}"),
            Self::Ssh { destination, port: None, .. } => write!(f, "ssh://{destination}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> TlsFiles {
        TlsFiles { ca: "ca.pem".into(), cert: "cert.pem".into(), key: "key.pem".into() }
    }

    #[test]
    fn addresses_of_each_kind_are_read() {
        assert_eq!(Host::parse("unix:///run/x.sock", None).unwrap(), Host::Unix("/run/x.sock".into()));
        assert_eq!(
            Host::parse("tcp://box:1234", Some(files())).unwrap(),
            Host::Tcp { name: "box".to_owned(), port: 1234, tls: files() }
        );
        assert_eq!(
            Host::parse("ssh://me@box:22/run/x.sock", None).unwrap(),
            Host::Ssh { destination: "me@box".to_owned(), port: Some(22), socket: Some("/run/x.sock".to_owned()) }
        );
    }

    #[test]
    fn tcp_without_tls_is_refused() {
        let error = Host::parse("tcp://box:2375", None).unwrap_err().to_string();
        assert!(error.contains("--tlsverify"), "{error}");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "/run/x.sock", "unix://x.sock", "http://x", "ssh://", "ssh://-oProxyCommand=x", "tcp://:1"] {
            assert!(Host::parse(text, Some(files())).is_err(), "{text}");
        }
    }
}
