//! Devices that every container may open, whatever its bundle says: runc and crun append them to the bundle's own rules,
//! and `runc spec` writes bundles that deny everything else and rely on it.

use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType as Kind, Spec};

/// Kind, major and minor number (none: all), and what is allowed (runc, `libcontainer/specconv`, `AllowedDevices`).
const DEFAULTS: &[(Kind, Option<i64>, Option<i64>, &str)] = &[
    // A node may be made of any kind; that does not open it.
    (Kind::C, None, None, "m"),
    (Kind::B, None, None, "m"),
    // null, zero, full, random, urandom, tty, console
    (Kind::C, Some(1), Some(3), "rwm"),
    (Kind::C, Some(1), Some(5), "rwm"),
    (Kind::C, Some(1), Some(7), "rwm"),
    (Kind::C, Some(1), Some(8), "rwm"),
    (Kind::C, Some(1), Some(9), "rwm"),
    (Kind::C, Some(5), Some(0), "rwm"),
    (Kind::C, Some(5), Some(1), "rwm"),
    // Pseudo-terminals and ptmx.
    (Kind::C, Some(136), None, "rwm"),
    (Kind::C, Some(5), Some(2), "rwm"),
];

/// Appends the default rules to the bundle's, where it has any: without one, no device is denied.
pub(super) fn allow_defaults(oci: &mut Spec) {
    let resources = oci.linux_mut().as_mut().and_then(|l| l.resources_mut().as_mut());
    if let Some(rules) = resources.and_then(|r| r.devices_mut().as_mut()).filter(|rules| !rules.is_empty()) {
        rules.extend(DEFAULTS.iter().map(|(kind, major, minor, access)| {
            let mut rule = LinuxDeviceCgroup::default();
            rule.set_allow(true).set_typ(Some(*kind)).set_major(*major).set_minor(*minor);
            rule.set_access(Some((*access).to_owned()));
            rule
        }));
    }
}
