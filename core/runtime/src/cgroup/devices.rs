//! Which devices a container may open: the ordered rules of the OCI specification, in the v1 devices controller or, on
//! v2, which has no files for it, in a program attached to the group.
//!
//! The program asks the rules from the last to the first, and the first that decides is the answer. An allowing rule
//! decides where it allows all of the access that is asked for, a denying one where it denies any. What no rule decides is
//! denied, as runc and crun do it on v2.

use super::{CgroupError, Group, file};
use davit_sys::bpf::{self, Insn, Register};
use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType};
use std::os::fd::AsFd;

/// `BPF_DEVCG_ACC_*` of `linux/bpf.h`.
const MKNOD: u32 = 1;
const READ: u32 = 2;
const WRITE: u32 = 4;
const ALL: u32 = MKNOD | READ | WRITE;
/// `BPF_DEVCG_DEV_*`.
const BLOCK: u32 = 1;
const CHAR: u32 = 2;
/// More rules make no program: beyond it a failed load would leave the devices open.
const MAX_RULES: usize = 1024;

const RESULT: Register = Register::R0;
const CONTEXT: Register = Register::R1;
/// Once the context is read, its register is free.
const SCRATCH: Register = Register::R1;
const KIND: Register = Register::R2;
const ACCESS: Register = Register::R3;
const MAJOR: Register = Register::R4;
const MINOR: Register = Register::R5;

/// Applies `rules` in order. Every container has such a list, and without it the host's disks are open to whoever may make
/// a node: where it cannot be put in force, nothing runs.
pub(super) fn apply(group: &Group, rules: &[LinuxDeviceCgroup]) -> Result<(), CgroupError> {
    if rules.is_empty() {
        return Ok(());
    }
    if let Some(dir) = group.v1_dir("devices") {
        for rule in rules {
            let (name, value) = line(rule)?;
            file::write(dir, name, &value)?;
        }
        return Ok(());
    }
    let program = program(rules)?;
    let none = CgroupError::NoController { what: "access to devices", controller: "devices" };
    let dir = group.v2.as_ref().ok_or(none)?;
    let failed = |operation| move |source| CgroupError::DeviceProgram { operation, source };
    let program = bpf::load_device_program(&program).map_err(failed("load"))?;
    bpf::attach_device_program(dir.as_fd(), program.as_fd()).map_err(failed("attach"))
}

/// A rule whose words have been checked. Absent: any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rule {
    allow: bool,
    kind: Option<u32>,
    major: Option<u32>,
    minor: Option<u32>,
    access: u32,
}

impl Rule {
    fn parse(rule: &LinuxDeviceCgroup) -> Result<Self, CgroupError> {
        let number = |n: Option<i64>| match n {
            None | Some(-1) => Ok(None),
            Some(n) => u32::try_from(n).map(Some).map_err(|_| CgroupError::Invalid(format!("device number {n}"))),
        };
        let (major, minor) = (number(rule.major())?, number(rule.minor())?);
        let words = rule.access().as_deref().filter(|a| !a.is_empty()).unwrap_or("rwm");
        let mut access = 0;
        for letter in words.bytes() {
            access |= match letter {
                b'r' => READ,
                b'w' => WRITE,
                b'm' => MKNOD,
                _ => return Err(CgroupError::Invalid(format!("device access {words:?}"))),
            };
        }
        let kind = match rule.typ().unwrap_or_default() {
            LinuxDeviceType::A if major.is_none() && minor.is_none() => None,
            LinuxDeviceType::A => {
                return Err(CgroupError::Invalid("a device rule for all kinds with a number".to_owned()));
            }
            LinuxDeviceType::U | LinuxDeviceType::C => Some(CHAR),
            LinuxDeviceType::B => Some(BLOCK),
            LinuxDeviceType::P => return Err(CgroupError::Invalid("device kind \"p\" in a cgroup rule".to_owned())),
        };
        Ok(Self { allow: rule.allow(), kind, major, minor, access })
    }

    /// Whether two rules are about the same devices, by their words.
    fn same_devices(&self, other: &Self) -> bool {
        (self.kind, self.major, self.minor) == (other.kind, other.major, other.minor)
    }

    /// Whether it decides every access to every device.
    fn is_total(&self) -> bool {
        self.kind.is_none() && self.major.is_none() && self.minor.is_none() && self.access == ALL
    }

    /// Answers where the rule decides, and falls through to what follows where it does not.
    fn emit(&self, code: &mut Vec<Insn>) {
        // From the last instruction backwards: a skip counts what stands between it and the next rule.
        let mut backwards = vec![Insn::exit(), Insn::set(RESULT, u32::from(self.allow))];
        let mut rest = 2;
        for (register, number) in [(MINOR, self.minor), (MAJOR, self.major)] {
            if let Some(number) = number {
                backwards.push(Insn::skip_unless_equal(register, number, rest));
                rest += 1;
            }
        }
        // A rule about every access decides also when none is asked for, as `access(2)` with `F_OK` does.
        if self.access != ALL {
            backwards.push(if self.allow {
                Insn::skip_unless_same(SCRATCH, ACCESS, rest)
            } else {
                Insn::skip_if_equal(SCRATCH, 0, rest)
            });
            backwards.extend([Insn::and(SCRATCH, self.access), Insn::copy(SCRATCH, ACCESS)]);
            rest += 3;
        }
        if let Some(kind) = self.kind {
            backwards.push(Insn::skip_unless_equal(KIND, kind, rest));
        }
        code.extend(backwards.into_iter().rev());
    }
}

/// The program for `rules`.
pub(super) fn program(rules: &[LinuxDeviceCgroup]) -> Result<Vec<Insn>, CgroupError> {
    if rules.len() > MAX_RULES {
        return Err(CgroupError::Invalid(format!("{} device rules, more than {MAX_RULES}", rules.len())));
    }
    let mut parsed: Vec<Rule> = Vec::with_capacity(rules.len());
    for rule in rules {
        let mut rule = Rule::parse(rule)?;
        if rule.allow {
            // Reading allowed by one rule and writing by the next is both, as in the v1 controller.
            let before = parsed.iter().rev().take_while(|r| r.allow);
            rule.access |= before.filter(|r| r.same_devices(&rule)).fold(0, |all, r| all | r.access);
        }
        parsed.push(rule);
    }
    // `struct bpf_cgroup_dev_ctx`: access in the high half and kind in the low half of the first word, then the numbers.
    let mut code = vec![
        Insn::load_word(KIND, CONTEXT, 0),
        Insn::copy(ACCESS, KIND),
        Insn::shift_right(ACCESS, 16),
        Insn::and(KIND, 0xFFFF),
        Insn::load_word(MAJOR, CONTEXT, 4),
        Insn::load_word(MINOR, CONTEXT, 8),
    ];
    for rule in parsed.iter().rev() {
        rule.emit(&mut code);
        if rule.is_total() {
            // The verifier refuses instructions that are never reached.
            return Ok(code);
        }
    }
    code.extend([Insn::set(RESULT, 0), Insn::exit()]);
    Ok(code)
}

/// The v1 file and the line for one rule; `a` alone stands for everything.
pub(super) fn line(rule: &LinuxDeviceCgroup) -> Result<(&'static str, String), CgroupError> {
    let rule = Rule::parse(rule)?;
    let name = if rule.allow { "devices.allow" } else { "devices.deny" };
    let kind = match rule.kind {
        None => return Ok((name, "a".to_owned())),
        Some(BLOCK) => 'b',
        Some(_) => 'c',
    };
    let number = |n: Option<u32>| n.map_or_else(|| "*".to_owned(), |n| n.to_string());
    let letters = [(READ, 'r'), (WRITE, 'w'), (MKNOD, 'm')];
    let access: String = letters.iter().filter(|(bit, _)| rule.access & bit != 0).map(|(_, letter)| letter).collect();
    Ok((name, format!("{kind} {}:{} {access}", number(rule.major), number(rule.minor))))
}
