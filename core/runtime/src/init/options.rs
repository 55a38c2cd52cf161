//! Mount options of the OCI specification as types: attributes, propagation, and what is left for the file system.

use davit_sys::mount::MountAttr;
use nix::libc;

/// What a list of options asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// Whether it is a bind, and with all that is mounted beneath the source.
    pub(super) bind: Option<Bind>,
    /// Attributes of the mount itself.
    pub(super) attr: MountAttr,
    /// Attributes of the whole tree of a recursive bind (`rro`, `rnosuid`, …).
    pub(super) recursive: MountAttr,
    /// Propagation, and whether of the whole tree.
    pub(super) propagation: Option<(u64, bool)>,
    /// Copy what the image has at the target into the new tmpfs.
    pub(super) copy_up: bool,
    /// The file system's own: key, and value where it has one.
    pub(super) own: Vec<(String, Option<String>)>,
}

/// How a bind is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bind {
    /// The mount alone.
    Single,
    /// With what is mounted beneath.
    Recursive,
}

/// Name, bits that it sets, bits that it clears first.
const ATTRIBUTES: &[(&str, u64, u64)] = &[
    ("ro", libc::MOUNT_ATTR_RDONLY, 0),
    ("rw", 0, libc::MOUNT_ATTR_RDONLY),
    ("nosuid", libc::MOUNT_ATTR_NOSUID, 0),
    ("suid", 0, libc::MOUNT_ATTR_NOSUID),
    ("nodev", libc::MOUNT_ATTR_NODEV, 0),
    ("dev", 0, libc::MOUNT_ATTR_NODEV),
    ("noexec", libc::MOUNT_ATTR_NOEXEC, 0),
    ("exec", 0, libc::MOUNT_ATTR_NOEXEC),
    ("noatime", libc::MOUNT_ATTR_NOATIME, libc::MOUNT_ATTR__ATIME),
    ("atime", libc::MOUNT_ATTR_RELATIME, libc::MOUNT_ATTR__ATIME),
    ("relatime", libc::MOUNT_ATTR_RELATIME, libc::MOUNT_ATTR__ATIME),
    ("norelatime", libc::MOUNT_ATTR_RELATIME, libc::MOUNT_ATTR__ATIME),
    ("strictatime", libc::MOUNT_ATTR_STRICTATIME, libc::MOUNT_ATTR__ATIME),
    ("nostrictatime", libc::MOUNT_ATTR_RELATIME, libc::MOUNT_ATTR__ATIME),
    ("nodiratime", libc::MOUNT_ATTR_NODIRATIME, 0),
    ("diratime", 0, libc::MOUNT_ATTR_NODIRATIME),
    ("nosymfollow", libc::MOUNT_ATTR_NOSYMFOLLOW, 0),
    ("symfollow", 0, libc::MOUNT_ATTR_NOSYMFOLLOW),
];

const PROPAGATIONS: &[(&str, u64)] = &[
    ("private", libc::MS_PRIVATE),
    ("slave", libc::MS_SLAVE),
    ("shared", libc::MS_SHARED),
    ("unbindable", libc::MS_UNBINDABLE),
];

impl Options {
    /// Sorts options by what they are about; what no table knows belongs to the file system, which refuses it if need be.
    pub(super) fn parse(options: &[String]) -> Self {
        let mut parsed = Self::default();
        for option in options {
            let option = option.as_str();
            match option {
                "bind" => parsed.bind = Some(Bind::Single),
                "rbind" => parsed.bind = Some(Bind::Recursive),
                "tmpcopyup" => parsed.copy_up = true,
                // Every devpts is its own instance since Linux 4.7; the others are the absence of something.
                "defaults" | "newinstance" | "async" | "nouser" | "auto" | "noauto" | "loud" => {}
                _ => {
                    if !parsed.attribute(option) && !parsed.propagates(option) {
                        let (key, value) = match option.split_once('=') {
                            Some((key, value)) => (key, Some(value.to_owned())),
                            None => (option, None),
                        };
                        parsed.own.push((key.to_owned(), value));
                    }
                }
            }
        }
        parsed
    }

    fn attribute(&mut self, option: &str) -> bool {
        let find = |name: &str| ATTRIBUTES.iter().find(|(n, ..)| *n == name);
        if let Some((_, set, clear)) = find(option) {
            apply(&mut self.attr, *set, *clear);
        } else if let Some((_, set, clear)) = option.strip_prefix('r').and_then(find) {
            apply(&mut self.recursive, *set, *clear);
        } else {
            return false;
        }
        true
    }

    fn propagates(&mut self, option: &str) -> bool {
        let find = |name: &str| PROPAGATIONS.iter().find(|(n, _)| *n == name).map(|(_, flag)| *flag);
        if let Some(flag) = find(option) {
            self.propagation = Some((flag, false));
        } else if let Some(flag) = option.strip_prefix('r').and_then(find) {
            self.propagation = Some((flag, true));
        } else {
            return false;
        }
        true
    }
}

/// A later option overrides an earlier one.
fn apply(attr: &mut MountAttr, set: u64, clear: u64) {
    attr.set = (attr.set & !clear) | set;
    attr.clear = (attr.clear & !set) | clear;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(options: &[&str]) -> Options {
        Options::parse(&options.iter().map(|o| (*o).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn the_last_of_two_contrary_options_counts() {
        let attr = parse(&["ro", "rw", "nosuid"]).attr;
        assert_eq!((attr.set, attr.clear), (libc::MOUNT_ATTR_NOSUID, libc::MOUNT_ATTR_RDONLY));
    }

    #[test]
    fn a_leading_r_means_the_whole_tree() {
        let options = parse(&["rbind", "rro", "rslave"]);
        assert_eq!(options.bind, Some(Bind::Recursive));
        assert_eq!(options.recursive.set, libc::MOUNT_ATTR_RDONLY);
        assert_eq!(options.attr, MountAttr::default());
        assert_eq!(options.propagation, Some((libc::MS_SLAVE, true)));
    }

    #[test]
    fn relatime_is_no_recursive_elatime() {
        assert_eq!(parse(&["relatime"]).attr.clear, libc::MOUNT_ATTR__ATIME);
    }

    #[test]
    fn what_no_table_knows_goes_to_the_file_system_as_key_and_value() {
        assert_eq!(parse(&["size=64m", "huge"]).own, [("size".into(), Some("64m".into())), ("huge".into(), None)]);
    }
}
