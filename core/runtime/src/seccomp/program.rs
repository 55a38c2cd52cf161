//! Classic BPF for a profile: dispatch on the architecture, binary search over ranges of numbers, argument checks.
//!
//! Every path ends in a `ret`, so code needs no registers to survive and parts can be put one behind the other.

use super::{
    SeccompError,
    arch::{Arch, X32_BIT},
    rules::{ArchRules, Check, ENOSYS, Fate, KILL_THREAD, Outcome, Rules},
};
use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompFilterFlag as Flag, LinuxSeccompOperator as Op};

/// The kernel's `BPF_MAXINSNS`.
pub(super) const MAX_INSTRUCTIONS: usize = 4096;

/// A compiled filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    pub(super) bytes: Vec<u8>,
    pub(super) flags: u32,
}

impl Program {
    /// Instructions as the kernel's `struct sock_filter`, 8 bytes each, native byte order.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// `SECCOMP_FILTER_FLAG_*` for `seccomp(2)`.
    pub fn flags(&self) -> u64 {
        u64::from(self.flags)
    }
}

/// Compiles `profile` for programs that can run on this machine.
pub fn compile(profile: &LinuxSeccomp) -> Result<Program, SeccompError> {
    let rules = Rules::new(profile)?;
    let mut code = vec![load(ARCH)];
    for arch in &rules.arches {
        // x32 shares its audit value with x86_64 and is written with it.
        let body = match arch.arch {
            Arch::X32 => continue,
            Arch::X86_64 => x86_64(arch, &rules),
            _ => section(arch, &rules),
        };
        // The body is longer than a conditional jump reaches.
        code.push(Instruction { code: JEQ, jt: 1, jf: 0, k: arch.arch.audit() });
        code.push(jump(body.len()));
        code.extend(body);
    }
    code.push(ret(KILL_THREAD));
    if code.len() > MAX_INSTRUCTIONS {
        return Err(SeccompError::TooLong(code.len()));
    }
    Ok(Program { bytes: code.iter().flat_map(Instruction::bytes).collect(), flags: flags(profile) })
}

/// Without any, speculation mitigations are left to the kernel's default (`SPEC_ALLOW`), as runc does.
fn flags(profile: &LinuxSeccomp) -> u32 {
    let Some(flags) = profile.flags() else { return 1 << 2 };
    flags.iter().fold(0, |all, flag| {
        all | match flag {
            Flag::SeccompFilterFlagTsync => 1 << 0,
            Flag::SeccompFilterFlagLog => 1 << 1,
            Flag::SeccompFilterFlagSpecAllow => 1 << 2,
            Flag::SeccompFilterFlagWaitKillableRecv => 1 << 5,
        }
    })
}

/// Both ABIs of the one audit value; x32 calls are killed where the profile does not list x32.
fn x86_64(arch: &ArchRules, rules: &Rules) -> Vec<Instruction> {
    let other = match rules.arches.iter().find(|a| a.arch == Arch::X32) {
        Some(x32) => section(x32, rules),
        None => vec![ret(KILL_THREAD)],
    };
    let own = section(arch, rules);
    let mut code = vec![load(NUMBER)];
    branch(&mut code, X32_BIT, own, other);
    code
}

/// Everything about one architecture.
fn section(arch: &ArchRules, rules: &Rules) -> Vec<Instruction> {
    let mut ranges: Vec<(u32, Fate)> = Vec::new();
    let mut add = |from: u32, fate: Fate| match ranges.last() {
        Some((_, last)) if *last == fate && matches!(fate, Fate::Always(_)) => {}
        _ => ranges.push((from, fate)),
    };
    let default = Fate::Always(rules.default);
    add(0, default.clone());
    for (number, fate) in &arch.fates {
        add(*number, fate.clone());
        add(number.saturating_add(1), default.clone());
    }
    if let Some(last) = arch.last.filter(|_| rules.enosys) {
        add(last.saturating_add(1), Fate::Always(ENOSYS));
    }
    // A number right behind another left an empty range of the default between them.
    let mut dense: Vec<(u32, Fate)> = Vec::with_capacity(ranges.len());
    for (from, fate) in ranges {
        if dense.last().is_some_and(|(last, _)| *last == from) {
            dense.pop();
        }
        if dense.last().is_none_or(|(_, last)| *last != fate || matches!(fate, Fate::First(_))) {
            dense.push((from, fate));
        }
    }
    let mut code = vec![load(NUMBER)];
    code.extend(search(&dense, rules.default, arch.arch));
    code
}

/// `ranges` by their first number; the accumulator holds the number.
fn search(ranges: &[(u32, Fate)], default: Outcome, arch: Arch) -> Vec<Instruction> {
    match ranges {
        [] => vec![ret(default)],
        [(_, Fate::Always(outcome))] => vec![ret(*outcome)],
        [(_, Fate::First(rules))] => {
            let mut code: Vec<Instruction> =
                rules.iter().flat_map(|(args, then)| conditional(args, *then, arch)).collect();
            code.push(ret(default));
            code
        }
        _ => {
            let (left, right) = ranges.split_at(ranges.len() / 2);
            let mut code = Vec::new();
            let middle = right.first().map_or(0, |(from, _)| *from);
            branch(&mut code, middle, search(left, default, arch), search(right, default, arch));
            code
        }
    }
}

/// `below` where the accumulator is less than `k`, else `above`.
fn branch(code: &mut Vec<Instruction>, k: u32, below: Vec<Instruction>, above: Vec<Instruction>) {
    match u8::try_from(below.len()) {
        Ok(jt) => code.push(Instruction { code: JGE, jt, jf: 0, k }),
        Err(_) => {
            code.push(Instruction { code: JGE, jt: 0, jf: 1, k });
            code.push(jump(below.len()));
        }
    }
    code.extend(below);
    code.extend(above);
}

/// `ret then` if all of `args` match, else falls through.
fn conditional(args: &[Check], then: Outcome, arch: Arch) -> Vec<Instruction> {
    let mut code = vec![ret(then)];
    // From the back, so that the distance to the end is known: at most six checks of six instructions.
    for arg in args.iter().rev() {
        let mut check = check(arg, arch, u8::try_from(code.len()).unwrap_or(u8::MAX));
        check.append(&mut code);
        code = check;
    }
    code
}

/// Goes on where `arg` matches, and skips `skip` further instructions where not.
fn check(arg: &Check, arch: Arch, skip: u8) -> Vec<Instruction> {
    let (mask, value) = match arg.op {
        Op::ScmpCmpMaskedEq => (arg.value, arg.value_two),
        _ => (u64::MAX, arg.value),
    };
    let word = |half: u64, mask: u64, at: u32| {
        let mut code = vec![load(at)];
        if mask != 0xffff_ffff {
            code.push(Instruction { code: AND, jt: 0, jf: 0, k: low(mask) });
        }
        (code, low(half))
    };
    // `args` of `struct seccomp_data`, on machines whose lower half comes first.
    let at = 16 + 8 * arg.index;
    let (mut lower, low_value) = word(value & mask & 0xffff_ffff, mask & 0xffff_ffff, at);
    // A value with bits outside the mask never matches.
    let impossible = arg.op == Op::ScmpCmpMaskedEq && value & !mask != 0;
    let (upper, high_value) = word((value & mask) >> 32, mask >> 32, at + 4);

    let test = |code: u16, jt: u8, jf: u8, k: u32| Instruction { code, jt, jf, k };
    if impossible {
        return vec![test(JA, 0, 0, u32::from(skip))];
    }
    let last = match arg.op {
        Op::ScmpCmpEq | Op::ScmpCmpMaskedEq => test(JEQ, 0, skip, low_value),
        Op::ScmpCmpNe => test(JEQ, skip, 0, low_value),
        Op::ScmpCmpGt => test(JGT, 0, skip, low_value),
        Op::ScmpCmpGe => test(JGE, 0, skip, low_value),
        Op::ScmpCmpLt => test(JGE, skip, 0, low_value),
        Op::ScmpCmpLe => test(JGT, skip, 0, low_value),
    };
    lower.push(last);
    if arch.is_32_bit() {
        return lower;
    }
    let rest = u8::try_from(lower.len()).unwrap_or(u8::MAX);
    let fail = skip.saturating_add(rest);
    let mut code = upper;
    match arg.op {
        Op::ScmpCmpEq | Op::ScmpCmpMaskedEq => code.push(test(JEQ, 0, fail, high_value)),
        Op::ScmpCmpNe => code.push(test(JEQ, 0, rest, high_value)),
        Op::ScmpCmpGt | Op::ScmpCmpGe => {
            code.push(test(JGT, rest.saturating_add(1), 0, high_value));
            code.push(test(JEQ, 0, fail, high_value));
        }
        Op::ScmpCmpLt | Op::ScmpCmpLe => {
            code.push(test(JGT, fail.saturating_add(1), 0, high_value));
            code.push(test(JEQ, 0, rest, high_value));
        }
    }
    code.extend(lower);
    code
}

fn low(value: u64) -> u32 {
    u32::try_from(value & 0xffff_ffff).unwrap_or(u32::MAX)
}

// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;

// Codes of `linux/bpf_common.h`.
const LD_W_ABS: u16 = 0x20;
const AND: u16 = 0x54;
const JA: u16 = 0x05;
const JEQ: u16 = 0x15;
const JGT: u16 = 0x25;
const JGE: u16 = 0x35;
const RET: u16 = 0x06;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Instruction {
    code: u16,
    jt: u8,
    jf: u8,
    k: u32,
}

impl Instruction {
    fn bytes(&self) -> [u8; 8] {
        let ([c0, c1], [k0, k1, k2, k3]) = (self.code.to_ne_bytes(), self.k.to_ne_bytes());
        [c0, c1, self.jt, self.jf, k0, k1, k2, k3]
    }
}

fn load(at: u32) -> Instruction {
    Instruction { code: LD_W_ABS, jt: 0, jf: 0, k: at }
}

fn ret(outcome: Outcome) -> Instruction {
    Instruction { code: RET, jt: 0, jf: 0, k: outcome }
}

/// Skips `over` instructions.
fn jump(over: usize) -> Instruction {
    Instruction { code: JA, jt: 0, jf: 0, k: u32::try_from(over).unwrap_or(u32::MAX) }
}
