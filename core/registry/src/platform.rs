//! Platforms, and which entry of an index serves one (OCI image-spec, "Image Index": platform; containerd's rules for
//! variants).

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// `os/architecture[/variant]` in Go's words: `linux/amd64`, `linux/arm/v7`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// `linux`.
    pub os: String,
    /// `amd64`, `arm64`, ….
    pub architecture: String,
    /// `v7`, `v8`, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Platform {
    /// What this program was compiled for.
    pub fn host() -> Self {
        let (architecture, variant) = match std::env::consts::ARCH {
            "x86_64" => ("amd64", None),
            "x86" => ("386", None),
            "aarch64" => ("arm64", Some("v8")),
            "arm" => ("arm", Some("v7")),
            "powerpc64" if cfg!(target_endian = "little") => ("ppc64le", None),
            "loongarch64" => ("loong64", None),
            other => (other, None),
        };
        Self { os: "linux".into(), architecture: architecture.into(), variant: variant.map(Into::into) }
    }

    /// Whether what was made for `offered` is what is meant by `self`.
    #[must_use]
    pub fn takes(&self, offered: &Self) -> bool {
        self.score(offered).is_some()
    }

    /// How well `offered` serves `self`: none where it does not, else higher is better.
    fn score(&self, offered: &Self) -> Option<u32> {
        if self.os != offered.os || self.architecture != offered.architecture {
            return None;
        }
        let (want, have) = (self.level(), offered.level());
        (have <= want).then_some(have)
    }

    /// The variant as a number, with the architecture's default filled in.
    fn level(&self) -> u32 {
        let default = match self.architecture.as_str() {
            "arm64" => 8,
            "arm" => 7,
            _ => 1,
        };
        match self.variant.as_deref() {
            None | Some("") => default,
            Some(v) => v.strip_prefix('v').and_then(|n| n.parse().ok()).unwrap_or(u32::MAX),
        }
    }

    /// The place of the best among `offered`; the first of equals.
    pub(crate) fn best<'a>(&self, offered: impl Iterator<Item = Option<&'a Self>>) -> Option<usize> {
        let mut best: Option<(usize, u32)> = None;
        for (place, platform) in offered.enumerate() {
            if let Some(score) = platform.and_then(|p| self.score(p))
                && best.is_none_or(|(_, s)| score > s)
            {
                best = Some((place, score));
            }
        }
        best.map(|(place, _)| place)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match self.variant.as_deref() {
            Some(v) if !v.is_empty() => write!(f, "/{v}"),
            _ => Ok(()),
        }
    }
}

/// Why a text is not a platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a platform: expected os/architecture[/variant]")]
pub struct PlatformError(String);

impl FromStr for Platform {
    type Err = PlatformError;
    /// Reads `linux/arm/v7`, `linux/amd64`, and the names that compilers and kernels use (`x86_64`, `aarch64`).
    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let fail = || PlatformError(text.chars().take(80).collect());
        let ok =
            |p: &str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
        let lower = text.to_ascii_lowercase();
        let parts: Vec<&str> = lower.split('/').collect();
        if !parts.iter().all(|p| ok(p)) {
            return Err(fail());
        }
        let (os, arch, variant) = match parts.as_slice() {
            [os, arch] => (*os, *arch, None),
            [os, arch, variant] => (*os, *arch, Some((*variant).to_owned())),
            _ => return Err(fail()),
        };
        let architecture = match arch {
            "x86_64" | "x86-64" => "amd64",
            "aarch64" => "arm64",
            "i386" | "i686" => "386",
            "armhf" | "armel" => "arm",
            other => other,
        };
        Ok(Self { os: os.to_owned(), architecture: architecture.to_owned(), variant })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick(want: &str, have: &[&str]) -> Option<String> {
        let want: Platform = want.parse().unwrap();
        let have: Vec<Platform> = have.iter().map(|h| h.parse().unwrap()).collect();
        want.best(have.iter().map(Some)).map(|i| have[i].to_string())
    }

    #[test]
    fn the_closest_variant_that_runs_is_picked() {
        let arms = ["linux/arm/v5", "linux/arm/v7", "linux/arm/v6", "linux/arm64/v8"];
        assert_eq!(pick("linux/arm/v7", &arms).as_deref(), Some("linux/arm/v7"));
        assert_eq!(pick("linux/arm/v6", &arms).as_deref(), Some("linux/arm/v6"));
        assert_eq!(pick("linux/arm", &arms).as_deref(), Some("linux/arm/v7"));
        assert_eq!(pick("linux/arm64", &arms).as_deref(), Some("linux/arm64/v8"));
        assert_eq!(pick("linux/arm64/v8", &["linux/arm64"]).as_deref(), Some("linux/arm64"));
    }

    #[test]
    fn a_variant_that_this_machine_may_lack_is_not_picked() {
        assert_eq!(pick("linux/amd64", &["linux/amd64/v3"]), None);
        assert_eq!(pick("linux/amd64/v3", &["linux/amd64", "linux/amd64/v2"]).as_deref(), Some("linux/amd64/v2"));
        assert_eq!(pick("linux/amd64", &["windows/amd64", "linux/arm64"]), None);
    }

    #[test]
    fn malformed_platforms_are_refused() {
        for bad in ["", "linux", "linux/", "a/b/c/d", "linux/amd 64", "/amd64"] {
            assert!(bad.parse::<Platform>().is_err(), "{bad}");
        }
    }
}
