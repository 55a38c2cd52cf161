//! Settings under `/proc/sys/net` of the calling thread's namespace.
//!
//! A plan may set what [`allowed`] lets through: `net.ipv4.*` and `net.ipv6.*` are the namespace's own.

use crate::error::{NetError, Result};
use std::{fs, path::PathBuf};

/// Whether a plan may set `key`: each part a plain word below `net.ipv4` or `net.ipv6`.
pub(crate) fn allowed(key: &str) -> bool {
    let word =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    let mut parts = key.split('.');
    parts.next() == Some("net")
        && matches!(parts.next(), Some("ipv4" | "ipv6"))
        && key.split('.').count() > 2
        && parts.all(word)
}

/// Writes `value` to the setting `key` (dots between its parts).
pub(crate) fn write(key: &str, value: &str) -> Result<()> {
    let path: PathBuf = ["/proc/sys"].into_iter().chain(key.split('.')).collect();
    // One write call: the kernel takes each as a whole, and `fs::write` reports what it answers.
    fs::write(path, value).map_err(|source| NetError::io("set", key, source))?;
    davit_sys::fault::point("sysctl.done");
    Ok(())
}

/// Brings a switch to `1` where it is not; it is never turned off, as others of the host may need it by then.
pub(crate) fn turn_on(key: &str) -> Result<()> {
    let path: PathBuf = ["/proc/sys"].into_iter().chain(key.split('.')).collect();
    match fs::read_to_string(&path) {
        Ok(now) if now.trim() == "1" => Ok(()),
        Ok(_) => write(key, "1"),
        Err(source) => Err(NetError::io("read", key, source)),
    }
}

#[cfg(test)]
mod tests {
    use super::allowed;

    #[test]
    fn only_plain_names_below_net_ipv4_and_ipv6_are_allowed() {
        for key in ["net.ipv4.ip_forward", "net.ipv4.conf.all.rp_filter", "net.ipv6.conf.eth0.disable_ipv6"] {
            assert!(allowed(key), "{key}");
        }
        for key in
            ["kernel.core_pattern", "net.core.somaxconn", "net.ipv4", "net.ipv4.", "net.ipv4...x", "net.ipv4.a/b"]
        {
            assert!(!allowed(key), "{key}");
        }
    }
}
