//! Output logs after any crash of the machine: a writer and two readers agree on where the last whole record ends.
#![no_main]

use davit_runtime::log::{Reader, Stream, Writer};
use libfuzzer_sys::fuzz_target;
use std::{fs::File, io::Write};

fuzz_target!(|data: &[u8]| {
    // Appending, as the engine opens it.
    let memory = rustix::fs::memfd_create("log", rustix::fs::MemfdFlags::CLOEXEC).expect("memory");
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&memory));
    let open = || File::options().read(true).append(true).open(&path).expect("opened");
    open().write_all(data).expect("written");
    let Ok(mut writer) = Writer::new(open()) else { return };
    writer.append(Stream::Stderr, b"after the crash").expect("written");
    let mut reader = Reader::new(open(), 0);
    let mut last = None;
    while let Some(record) = reader.next_record().expect("what a writer took is a log") {
        last = Some(record.payload);
    }
    assert_eq!(last.as_deref(), Some(&b"after the crash"[..]));
    assert_eq!(reader.offset(), Reader::from_end(open()).expect("a log").offset());
});
