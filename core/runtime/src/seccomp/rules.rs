//! A profile sorted by architecture: for every system call number what happens, decided at once or by arguments.

use super::{
    SeccompError,
    arch::{Arch, Table, multiplexed},
};
use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompAction as Action, LinuxSeccompOperator as Op, LinuxSyscall};
use std::collections::{BTreeMap, BTreeSet};

/// `SECCOMP_RET_*` with its data.
pub(super) type Outcome = u32;

pub(super) const KILL_THREAD: Outcome = 0;
pub(super) const ALLOW: Outcome = 0x7fff_0000;
pub(super) const ENOSYS: Outcome = 0x0005_0000 | 38;

/// One comparison with an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Check {
    /// Which argument, 0 to 5.
    pub(super) index: u32,
    pub(super) op: Op,
    /// What it is compared with; for a masked comparison: the mask.
    pub(super) value: u64,
    /// For a masked comparison: what is compared with.
    pub(super) value_two: u64,
}

/// What happens to one number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Whatever the arguments.
    Always(Outcome),
    /// The first rule whose arguments all match; else the default.
    First(Vec<(Vec<Check>, Outcome)>),
}

/// All numbers of one architecture that the profile names.
pub(super) struct ArchRules {
    pub(super) arch: Arch,
    pub(super) fates: BTreeMap<u32, Fate>,
    /// The largest number that the profile names, whatever it says of it; numbers above are unknown to it.
    pub(super) last: Option<u32>,
}

/// A profile, ready to be written.
pub(super) struct Rules {
    pub(super) default: Outcome,
    /// Unknown numbers answer `ENOSYS`, not the default.
    pub(super) enosys: bool,
    pub(super) arches: Vec<ArchRules>,
}

impl Rules {
    pub(super) fn new(profile: &LinuxSeccomp) -> Result<Self, SeccompError> {
        let default = outcome(profile.default_action(), profile.default_errno_ret())?;
        let permissive = matches!(profile.default_action(), Action::ScmpActAllow | Action::ScmpActLog);
        let table = Table::load();
        let listed = profile.architectures().iter().flatten().filter_map(|a| Arch::from_oci(*a));
        // The native one always; others in the order of the dispatch, which is by how often they are met.
        let arches: BTreeSet<Arch> = listed.chain([Arch::NATIVE]).collect();
        let arches =
            arches.into_iter().map(|arch| of_arch(profile, arch, &table, default)).collect::<Result<_, _>>()?;
        Ok(Self { default, enosys: !permissive && default != ENOSYS, arches })
    }
}

fn of_arch(profile: &LinuxSeccomp, arch: Arch, table: &Table, default: Outcome) -> Result<ArchRules, SeccompError> {
    let mut out = ArchRules { arch, fates: BTreeMap::new(), last: None };
    for rule in profile.syscalls().iter().flatten() {
        let then = outcome(rule.action(), rule.errno_ret())?;
        let args = arguments(rule)?;
        for name in rule.names() {
            if let Some(number) = table.number(name, arch) {
                out.last = out.last.max(Some(number));
                if then != default {
                    out.add(number, &args, then);
                }
            }
            // A filter cannot see behind `socketcall`'s pointer. So a rule with arguments is not widened to it where it
            // allows, and is taken without its arguments where it forbids.
            let (Arch::X86, Some((call, first))) = (arch, multiplexed(name)) else { continue };
            if then == default || (!args.is_empty() && then == ALLOW) {
                continue;
            }
            if let Some(number) = table.number(call, arch) {
                let which = Check { index: 0, op: Op::ScmpCmpEq, value: u64::from(first), value_two: 0 };
                out.last = out.last.max(Some(number));
                out.add(number, &[which], then);
            }
        }
    }
    Ok(out)
}

impl ArchRules {
    fn add(&mut self, number: u32, args: &[Check], then: Outcome) {
        match self.fates.entry(number).or_insert_with(|| Fate::First(Vec::new())) {
            Fate::Always(_) => {}
            fate if args.is_empty() => *fate = Fate::Always(then),
            Fate::First(rules) => rules.push((args.to_vec(), then)),
        }
    }
}

fn arguments(rule: &LinuxSyscall) -> Result<Vec<Check>, SeccompError> {
    let bad = |index| SeccompError::Profile(format!("argument index {index} is above 5"));
    let check = |arg: &oci_spec::runtime::LinuxSeccompArg| {
        let index = u32::try_from(arg.index()).ok().filter(|i| *i <= 5).ok_or_else(|| bad(arg.index()))?;
        Ok(Check { index, op: arg.op(), value: arg.value(), value_two: arg.value_two().unwrap_or(0) })
    };
    rule.args().iter().flatten().map(check).collect()
}

/// `SECCOMP_RET_*` of `linux/seccomp.h`; without an errno it is `EPERM`.
fn outcome(action: Action, errno: Option<u32>) -> Result<Outcome, SeccompError> {
    let data = errno.unwrap_or(1);
    if matches!(action, Action::ScmpActErrno | Action::ScmpActTrace) && data > 0xffff {
        return Err(SeccompError::Profile(format!("errno {data} is above 65535")));
    }
    Ok(match action {
        Action::ScmpActKill | Action::ScmpActKillThread => KILL_THREAD,
        Action::ScmpActKillProcess => 0x8000_0000,
        Action::ScmpActTrap => 0x0003_0000,
        Action::ScmpActErrno => 0x0005_0000 | data,
        Action::ScmpActTrace => 0x7ff0_0000 | data,
        Action::ScmpActLog => 0x7ffc_0000,
        Action::ScmpActAllow => ALLOW,
        Action::ScmpActNotify => {
            return Err(SeccompError::Profile("SCMP_ACT_NOTIFY needs a listener, which is not supported".to_owned()));
        }
    })
}
