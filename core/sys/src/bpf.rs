//! `bpf(2)`: loading a device program (`BPF_PROG_TYPE_CGROUP_DEVICE`) and attaching it to a v2 control group.
//!
//! Instructions are those of `linux/bpf.h`, only the few that a device program needs. What a program decides is the
//! caller's; it sees a context of three words, `struct bpf_cgroup_dev_ctx`, and returns 1 to allow.

use crate::checked;
use nix::libc;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// One instruction, `struct bpf_insn`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Insn {
    /// Class, operation and source.
    pub code: u8,
    /// Destination in the low four bits, source in the high four (little endian; the other way round on big endian).
    pub registers: u8,
    /// Of a load: bytes from the source's address. Of a jump: instructions to skip.
    pub offset: i16,
    /// The constant.
    pub immediate: i32,
}

/// A register: `R0` is the result, `R1` the context at entry, `R0` to `R9` can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register(u8);

impl Register {
    /// The result.
    pub const R0: Self = Self(0);
    /// The context at entry.
    pub const R1: Self = Self(1);
    /// Free.
    pub const R2: Self = Self(2);
    /// Free.
    pub const R3: Self = Self(3);
    /// Free.
    pub const R4: Self = Self(4);
    /// Free.
    pub const R5: Self = Self(5);
}

impl Insn {
    /// `BPF_LDX | BPF_MEM | BPF_W`: to = the word at `offset` bytes from the address in `from`.
    pub const LOAD_WORD: u8 = 0x61;
    /// `BPF_ALU | BPF_MOV | BPF_X`: the low half of one register to another.
    pub const MOVE: u8 = 0xBC;
    /// `BPF_ALU | BPF_MOV | BPF_K`.
    pub const SET: u8 = 0xB4;
    /// `BPF_ALU | BPF_AND | BPF_K`.
    pub const AND: u8 = 0x54;
    /// `BPF_ALU | BPF_RSH | BPF_K`.
    pub const SHIFT_RIGHT: u8 = 0x74;
    /// `BPF_JMP32 | BPF_JEQ | BPF_K` (Linux 5.1).
    pub const SKIP_IF_EQUAL: u8 = 0x16;
    /// `BPF_JMP32 | BPF_JNE | BPF_K`.
    pub const SKIP_UNLESS_EQUAL: u8 = 0x56;
    /// `BPF_JMP32 | BPF_JNE | BPF_X`.
    pub const SKIP_UNLESS_SAME: u8 = 0x5E;
    /// `BPF_JMP | BPF_EXIT`.
    pub const EXIT: u8 = 0x95;

    const fn new(code: u8, to: Register, from: Register, offset: i16, value: u32) -> Self {
        let registers = if cfg!(target_endian = "little") { from.0 << 4 | to.0 } else { to.0 << 4 | from.0 };
        Self { code, registers, offset, immediate: value.cast_signed() }
    }

    /// `to = *(u32 *)(from + offset)`.
    pub const fn load_word(to: Register, from: Register, offset: i16) -> Self {
        Self::new(Self::LOAD_WORD, to, from, offset, 0)
    }

    /// `to = from`, 32 bits.
    pub const fn copy(to: Register, from: Register) -> Self {
        Self::new(Self::MOVE, to, from, 0, 0)
    }

    /// `to = value`.
    pub const fn set(to: Register, value: u32) -> Self {
        Self::new(Self::SET, to, Register::R0, 0, value)
    }

    /// `to &= mask`.
    pub const fn and(to: Register, mask: u32) -> Self {
        Self::new(Self::AND, to, Register::R0, 0, mask)
    }

    /// `to >>= bits`.
    pub const fn shift_right(to: Register, bits: u32) -> Self {
        Self::new(Self::SHIFT_RIGHT, to, Register::R0, 0, bits)
    }

    /// Skips `count` instructions where the register has this value.
    pub const fn skip_if_equal(register: Register, value: u32, count: i16) -> Self {
        Self::new(Self::SKIP_IF_EQUAL, register, Register::R0, count, value)
    }

    /// Skips `count` instructions where the register has another value.
    pub const fn skip_unless_equal(register: Register, value: u32, count: i16) -> Self {
        Self::new(Self::SKIP_UNLESS_EQUAL, register, Register::R0, count, value)
    }

    /// Skips `count` instructions where two registers differ.
    pub const fn skip_unless_same(one: Register, other: Register, count: i16) -> Self {
        Self::new(Self::SKIP_UNLESS_SAME, one, other, count, 0)
    }

    /// Ends the program; `R0` is its answer.
    pub const fn exit() -> Self {
        Self::new(Self::EXIT, Register::R0, Register::R0, 0, 0)
    }
}

const PROG_LOAD: libc::c_int = 5;
const PROG_ATTACH: libc::c_int = 8;
const PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const CGROUP_DEVICE: u32 = 6;
const F_ALLOW_MULTI: u32 = 2;
/// No helper is called that asks for another licence.
const LICENSE: &CStr = c"Apache-2.0";
const NAME: [u8; 16] = *b"davit_devices\0\0\0";
/// Room for what the verifier says of a refused program.
const LOG_SIZE: u32 = 1 << 16;
/// How often a load is tried that a signal broke off.
const MAX_TRIES: u32 = 5;

/// The part of `union bpf_attr` that `BPF_PROG_LOAD` reads; what it does not have counts as zero.
#[repr(C)]
struct LoadAttributes {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
}

/// The part of `union bpf_attr` that `BPF_PROG_ATTACH` reads.
#[repr(C)]
struct AttachAttributes {
    target_fd: i32,
    attach_bpf_fd: i32,
    attach_type: u32,
    attach_flags: u32,
}

/// Loads a device program. Where the verifier refuses it, the error carries the verifier's words; `EPERM` without
/// `CAP_BPF` or `CAP_SYS_ADMIN`.
pub fn load_device_program(program: &[Insn]) -> io::Result<OwnedFd> {
    let refused = match load(program, &mut []) {
        Ok(loaded) => return Ok(loaded),
        Err(e) => e,
    };
    // Only a program that is refused is worth the log: one too small for it would be an error of its own.
    let mut log = vec![0; LOG_SIZE as usize];
    match load(program, &mut log) {
        Ok(loaded) => Ok(loaded),
        Err(_) => {
            let said = CStr::from_bytes_until_nul(&log).unwrap_or_default().to_string_lossy();
            if said.trim().is_empty() {
                return Err(refused);
            }
            Err(io::Error::new(refused.kind(), format!("{refused}: {}", said.trim())))
        }
    }
}

fn load(program: &[Insn], log: &mut [u8]) -> io::Result<OwnedFd> {
    let invalid = |_| io::Error::from_raw_os_error(libc::E2BIG);
    let logged = !log.is_empty();
    let attributes = LoadAttributes {
        prog_type: PROG_TYPE_CGROUP_DEVICE,
        insn_cnt: u32::try_from(program.len()).map_err(invalid)?,
        insns: program.as_ptr().expose_provenance() as u64,
        license: LICENSE.as_ptr().expose_provenance() as u64,
        log_level: u32::from(logged),
        log_size: u32::try_from(log.len()).map_err(invalid)?,
        log_buf: if logged { log.as_mut_ptr().expose_provenance() as u64 } else { 0 },
        kern_version: 0,
        prog_flags: 0,
        prog_name: NAME,
    };
    let size = size_of::<LoadAttributes>();
    let mut tries = 1..MAX_TRIES;
    let fd = loop {
        // SAFETY: the structure has the layout and size that are given; the instructions and the licence are only read,
        // at most `log_size` bytes are written to the log, and all of them live until the call returns.
        match checked(unsafe { libc::syscall(libc::SYS_bpf, PROG_LOAD, &raw const attributes, size) }) {
            // The verifier gives up with EAGAIN when a signal is pending.
            Err(e) if e.raw_os_error() == Some(libc::EAGAIN) && tries.next().is_some() => {}
            other => break other?,
        }
    };
    let fd = RawFd::try_from(fd).map_err(invalid)?;
    // SAFETY: the kernel has just made this descriptor (close-on-exec) for us, and no one else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Attaches a device program to a v2 group, beside those of its parents and others of its own: all must allow. The
/// group keeps the program until it is removed.
pub fn attach_device_program(cgroup: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    let attributes = AttachAttributes {
        target_fd: cgroup.as_raw_fd(),
        attach_bpf_fd: program.as_raw_fd(),
        attach_type: CGROUP_DEVICE,
        attach_flags: F_ALLOW_MULTI,
    };
    let size = size_of::<AttachAttributes>();
    // SAFETY: the structure has the layout and size that are given and is only read; both descriptors are open for as
    // long as they are borrowed.
    checked(unsafe { libc::syscall(libc::SYS_bpf, PROG_ATTACH, &raw const attributes, size) })?;
    Ok(())
}
