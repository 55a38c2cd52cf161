//! Profiles in Docker's form (`--security-opt seccomp=FILE`): an OCI profile whose rules have conditions, and which names
//! sub-architectures by architecture. The shipped default is Docker's own; see `data/README.md`.

use super::SeccompError;
use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompFilterFlag, LinuxSyscall,
};
use serde::Deserialize;
use std::collections::BTreeSet;

/// What conditions are decided on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts<'a> {
    /// The container's bounding set, as `CAP_SYS_ADMIN`.
    pub caps: &'a BTreeSet<String>,
    /// The running kernel, major and minor.
    pub kernel: (u32, u32),
}

/// Major and minor number of a kernel release as `uname` gives it (`6.1.0-32-cloud-amd64`).
pub fn kernel_version(release: &str) -> Option<(u32, u32)> {
    let (major, rest) = release.split_once('.')?;
    let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// The default profile for one container.
///
/// One thing is stricter than Docker's file: `socketcall` as a whole is not allowed, so that 32-bit programs cannot have
/// an `AF_ALG` socket through it (CVE-2026-31431), whose family a filter cannot see. Docker leaves that to AppArmor or SELinux,
/// which may not be there. What `socketcall` does with sockets that exist stays allowed, as does the direct `socket`.
pub fn default_profile(facts: &Facts<'_>) -> Result<LinuxSeccomp, SeccompError> {
    let mut profile = decode(include_str!("data/moby-default.json"))?;
    for rule in &mut profile.syscalls {
        rule.names.retain(|n| n != "socketcall");
    }
    decide(profile, facts)
}

/// A profile of Docker's form. None: it has neither a default action nor rules, which means no filter.
pub fn parse_profile(json: &str, facts: &Facts<'_>) -> Result<Option<LinuxSeccomp>, SeccompError> {
    let profile = decode(json)?;
    if profile.default_action.is_none() && profile.syscalls.is_empty() {
        return Ok(None);
    }
    decide(profile, facts).map(Some)
}

fn decode(json: &str) -> Result<Profile, SeccompError> {
    serde_json::from_str(json).map_err(SeccompError::Decode)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    default_action: Option<LinuxSeccompAction>,
    default_errno_ret: Option<u32>,
    #[serde(default)]
    architectures: Option<Vec<Arch>>,
    #[serde(default)]
    arch_map: Option<Vec<ArchMap>>,
    #[serde(default)]
    flags: Option<Vec<LinuxSeccompFilterFlag>>,
    listener_path: Option<std::path::PathBuf>,
    listener_metadata: Option<String>,
    #[serde(default, deserialize_with = "null_is_default")]
    syscalls: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArchMap {
    architecture: Arch,
    #[serde(default, deserialize_with = "null_is_default")]
    sub_architectures: Vec<Arch>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    #[serde(default)]
    name: String,
    #[serde(default, deserialize_with = "null_is_default")]
    names: Vec<String>,
    action: LinuxSeccompAction,
    errno_ret: Option<u32>,
    #[serde(default, deserialize_with = "null_is_default")]
    args: Vec<LinuxSeccompArg>,
    #[serde(default, deserialize_with = "null_is_default")]
    includes: Condition,
    #[serde(default, deserialize_with = "null_is_default")]
    excludes: Condition,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    #[serde(default, deserialize_with = "null_is_default")]
    caps: Vec<String>,
    #[serde(default, deserialize_with = "null_is_default")]
    arches: Vec<String>,
    #[serde(default, deserialize_with = "null_is_default")]
    min_kernel: String,
}

/// Go writes empty lists as `null`.
fn null_is_default<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

/// How conditions name this machine, and how `archMap` does.
const NATIVE: (&str, Arch) =
    if cfg!(target_arch = "aarch64") { ("arm64", Arch::ScmpArchAarch64) } else { ("amd64", Arch::ScmpArchX86_64) };

fn decide(profile: Profile, facts: &Facts<'_>) -> Result<LinuxSeccomp, SeccompError> {
    let bad = |text: &str| SeccompError::Profile(text.to_owned());
    let mut architectures = profile.architectures.unwrap_or_default();
    if let Some(map) = profile.arch_map.filter(|m| !m.is_empty()) {
        if !architectures.is_empty() {
            return Err(bad("both architectures and archMap are given, use either"));
        }
        if let Some(entry) = map.into_iter().find(|e| e.architecture == NATIVE.1) {
            architectures.push(entry.architecture);
            architectures.extend(entry.sub_architectures);
        }
    }
    let mut syscalls = Vec::new();
    for mut rule in profile.syscalls {
        if !rule.name.is_empty() {
            if !rule.names.is_empty() {
                return Err(bad("both name and names are given in a rule, use either"));
            }
            rule.names.push(std::mem::take(&mut rule.name));
        }
        if rule.names.is_empty() || excluded(&rule.excludes, facts)? || !included(&rule.includes, facts)? {
            continue;
        }
        let mut call = LinuxSyscall::default();
        call.set_names(rule.names).set_action(rule.action).set_errno_ret(rule.errno_ret);
        call.set_args((!rule.args.is_empty()).then_some(rule.args));
        syscalls.push(call);
    }
    let mut out = LinuxSeccomp::default();
    out.set_default_action(profile.default_action.ok_or_else(|| bad("it has rules but no defaultAction"))?);
    out.set_default_errno_ret(profile.default_errno_ret);
    out.set_architectures((!architectures.is_empty()).then_some(architectures));
    out.set_flags(profile.flags).set_listener_path(profile.listener_path);
    out.set_listener_metadata(profile.listener_metadata).set_syscalls(Some(syscalls));
    Ok(out)
}

/// Any one is enough.
fn excluded(when: &Condition, facts: &Facts<'_>) -> Result<bool, SeccompError> {
    Ok(when.arches.iter().any(|a| a == NATIVE.0)
        || when.caps.iter().any(|c| facts.caps.contains(c))
        || (!when.min_kernel.is_empty() && at_least(&when.min_kernel, facts)?))
}

/// All are needed.
fn included(when: &Condition, facts: &Facts<'_>) -> Result<bool, SeccompError> {
    Ok((when.arches.is_empty() || when.arches.iter().any(|a| a == NATIVE.0))
        && when.caps.iter().all(|c| facts.caps.contains(c))
        && (when.min_kernel.is_empty() || at_least(&when.min_kernel, facts)?))
}

fn at_least(version: &str, facts: &Facts<'_>) -> Result<bool, SeccompError> {
    let bad = || SeccompError::Profile(format!("invalid kernel version {version:?}, expected \"<kernel>.<major>\""));
    let (major, minor) = version.split_once('.').ok_or_else(bad)?;
    let wanted = (major.parse().map_err(|_| bad())?, minor.parse().map_err(|_| bad())?);
    if wanted == (0, 0) { Err(bad()) } else { Ok(facts.kernel >= wanted) }
}
