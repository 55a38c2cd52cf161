//! What is written is read back, whatever a kill leaves.

use super::head::{Head, Kind};
use super::*;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

fn log() -> (tempfile::NamedTempFile, File) {
    let file = tempfile::NamedTempFile::new().unwrap();
    let append = File::options().read(true).append(true).open(file.path()).unwrap();
    (file, append)
}

#[test]
fn what_was_written_is_read_back_byte_for_byte() {
    let (file, append) = log();
    let mut writer = Writer::new(append).unwrap();
    let long = vec![0xff; MAX_PAYLOAD + 1];
    writer.append(Stream::Stdout, b"\0\n\xfe").unwrap();
    writer.append(Stream::Stderr, &long).unwrap();
    let mut reader = Reader::new(file.reopen().unwrap(), 0);
    let lengths: Vec<_> =
        std::iter::from_fn(|| reader.next_record().unwrap()).map(|r| (r.stream, r.payload.len())).collect();
    assert_eq!(lengths, [(Stream::Stdout, 3), (Stream::Stderr, MAX_PAYLOAD), (Stream::Stderr, 1)]);
}

fn length(file: &File) -> u64 {
    file.metadata().unwrap().len()
}

/// A record of `length` bytes, of which `there` are in the file.
fn torn(open: bool, length: usize, there: usize) -> Vec<u8> {
    let head = Head { time: 7, kind: Kind::Output(Stream::Stdout), open, length };
    [&head.bytes()[..], &b"payload"[..there]].concat()
}

/// What readers see of a log with a whole record and `tail`: before, and after the next writer wrote a third.
fn seen_around(tail: &[u8]) -> Vec<Vec<u8>> {
    let (file, append) = log();
    Writer::new(append.try_clone().unwrap()).unwrap().append(Stream::Stdout, b"whole").unwrap();
    append.write_all_at(tail, length(&append)).unwrap();

    let mut reader = Reader::new(file.reopen().unwrap(), 0);
    assert_eq!(reader.next_record().unwrap().unwrap().payload, b"whole");
    assert_eq!(reader.next_record().unwrap(), None);
    assert_eq!(Reader::from_end(file.reopen().unwrap()).unwrap().offset(), reader.offset());
    Writer::new(append).unwrap().append(Stream::Stdout, b"next").unwrap();
    std::iter::from_fn(|| reader.next_record().unwrap()).map(|r| r.payload).collect()
}

#[test]
fn a_header_to_which_no_payload_came_is_dropped() {
    for there in [1, HEADER - 1, HEADER] {
        assert_eq!(seen_around(&torn(true, 7, 0)[..there]), [b"next"], "{there} bytes of it");
    }
}

#[test]
fn a_payload_that_was_being_moved_is_kept_as_far_as_it_came() {
    for there in 1..=7 {
        assert_eq!(seen_around(&torn(true, 7, there)), [&b"payload"[..there], b"next"]);
    }
}

/// Not by a kill, but where a machine lost its power.
#[test]
fn a_closed_record_that_is_cut_short_is_dropped() {
    assert_eq!(seen_around(&torn(false, 7, 3)), [b"next"]);
}

#[test]
fn a_record_is_not_seen_before_it_is_closed_and_then_with_the_length_that_came() {
    let (file, append) = log();
    let mut writer = Writer::new(append).unwrap();
    let mut reader = Reader::new(file.reopen().unwrap(), 0);
    writer.begin(Stream::Stderr, 7).unwrap();
    writer.file.write_all_at(b"pay", writer.payload()).unwrap();
    assert_eq!(reader.next_record().unwrap(), None);
    writer.complete(7, 3).unwrap();
    writer.append(Stream::Stdout, b"next").unwrap();
    assert_eq!(reader.next_record().unwrap().unwrap().payload, b"pay");
    assert_eq!(reader.next_record().unwrap().unwrap().payload, b"next");
}

#[test]
fn an_open_record_that_ends_with_its_block_is_found_by_the_next_writer() {
    let (file, append) = log();
    let mut writer = Writer::new(append.try_clone().unwrap()).unwrap();
    while left_in_block(writer.end) > MAX_PAYLOAD as u64 {
        writer.append(Stream::Stdout, &[b'x'; 1000]).unwrap();
    }
    let (end, rest) = (writer.end, usize::try_from(left_in_block(writer.end)).unwrap() - HEADER);
    writer.begin(Stream::Stdout, rest).unwrap();
    writer.file.write_all_at(&vec![b'y'; rest], writer.payload()).unwrap();
    assert_eq!(length(&append), BLOCK);
    assert_eq!(Reader::from_end(file.reopen().unwrap()).unwrap().offset(), end);
    assert_eq!(Writer::new(append).unwrap().end, BLOCK);
    assert_eq!(Reader::new(file.reopen().unwrap(), end).next_record().unwrap().unwrap().payload, vec![b'y'; rest]);
}

#[test]
fn what_waits_in_a_pipe_is_moved_by_the_kernel_on_a_disk_and_in_memory() {
    for folder in [std::env::temp_dir(), "/dev/shm".into()] {
        let file = tempfile::NamedTempFile::new_in(&folder).unwrap();
        let mut writer = Writer::new(file.reopen().unwrap()).unwrap();
        let (from, mut to) = io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&from, true).unwrap();
        let mut expected = Vec::new();
        // Over several blocks, in pieces that do not fit into pages.
        for n in 0..3000_u32 {
            let line = vec![b'a' + u8::try_from(n % 26).unwrap(); usize::try_from(n % 1000).unwrap()];
            to.write_all(&line).unwrap();
            expected.extend(line);
            if n % 40 == 0 {
                while writer.take(from.as_fd(), Stream::Stdout) {}
            }
        }
        while writer.take(from.as_fd(), Stream::Stdout) {}
        assert!(writer.splices, "{} refuses splice", folder.display());
        let mut reader = Reader::new(file.reopen().unwrap(), 0);
        let got: Vec<_> = std::iter::from_fn(|| reader.next_record().unwrap()).flat_map(|r| r.payload).collect();
        assert!(got == expected, "{} of {} bytes in {}", got.len(), expected.len(), folder.display());
    }
}

/// Here it is the source that the kernel does not move from (EINVAL): a file, which has no end of a pipe.
#[test]
fn what_the_kernel_does_not_move_is_read() {
    let (file, append) = log();
    let mut writer = Writer::new(append).unwrap();
    let mut source = tempfile::tempfile().unwrap();
    source.write_all(b"read").unwrap();
    io::Seek::rewind(&mut source).unwrap();
    assert!(writer.take(source.as_fd(), Stream::Stdout));
    assert!(!writer.splices);
    assert!(!writer.take(source.as_fd(), Stream::Stdout));
    let mut reader = Reader::new(file.reopen().unwrap(), 0);
    assert_eq!(reader.next_record().unwrap().unwrap().payload, b"read");
    assert_eq!(reader.next_record().unwrap(), None);
}

/// Lengths that end exactly at a block, one byte before, a header before, and so on.
#[test]
fn no_record_lies_across_a_block_and_none_is_lost_there() {
    for left in [0, 1, HEADER - 1, HEADER, HEADER + 1, HEADER + 9, HEADER + 10, HEADER + 11] {
        let (file, append) = log();
        let mut writer = Writer::new(append.try_clone().unwrap()).unwrap();
        let mut expected = Vec::new();
        let mut room = usize::try_from(BLOCK).unwrap() - left;
        while room > 0 {
            // Never so that less than a header stays.
            let piece = match room - HEADER {
                last if last <= MAX_PAYLOAD => last,
                more if more <= MAX_PAYLOAD + 2 * HEADER => MAX_PAYLOAD / 2,
                _ => MAX_PAYLOAD,
            };
            expected.push(vec![b'x'; piece]);
            writer.append(Stream::Stdout, expected.last().unwrap()).unwrap();
            room -= HEADER + piece;
        }
        assert_eq!(file.as_file().metadata().unwrap().len(), BLOCK - left as u64);
        let mut reader = Reader::new(file.reopen().unwrap(), 0);
        for payload in [b"0123456789".to_vec(), vec![0xfe; MAX_PAYLOAD]] {
            // By the same writer, and by one that comes after it was killed.
            writer.append(Stream::Stderr, &payload).unwrap();
            expected.push(payload);
            writer = Writer::new(append.try_clone().unwrap()).unwrap();
            assert_eq!(Reader::from_end(file.reopen().unwrap()).unwrap().offset(), writer.end);
        }
        let all: Vec<_> = std::iter::from_fn(|| reader.next_record().unwrap()).map(|r| r.payload).collect();
        assert!(all == expected, "{left} left: {} of {} records", all.len(), expected.len());
        assert_eq!(reader.offset(), writer.end);
    }
}

/// A kill between the filler and what follows it, or within: cut off or kept, nothing is lost.
#[test]
fn a_filler_that_was_cut_short_is_written_again() {
    for torn in [1, HEADER, HEADER + 1, HEADER + 100] {
        let (file, append) = log();
        let mut writer = Writer::new(append.try_clone().unwrap()).unwrap();
        while left_in_block(writer.end) > 1000 + HEADER as u64 {
            let piece = (usize::try_from(left_in_block(writer.end)).unwrap() - 1000 - HEADER).min(1000);
            writer.append(Stream::Stdout, &vec![1; piece]).unwrap();
        }
        let end = writer.end;
        writer.append(Stream::Stdout, &[2; 2000]).unwrap();
        append.set_len(end + torn as u64).unwrap();
        let mut writer = Writer::new(append).unwrap();
        assert_eq!(writer.end, end);
        writer.append(Stream::Stdout, &[3; 2000]).unwrap();
        let mut reader = Reader::new(file.reopen().unwrap(), end);
        assert_eq!(reader.next_record().unwrap().unwrap().payload, [3; 2000]);
    }
}

#[test]
fn a_log_of_200_000_records_is_opened_again_a_hundred_times_sooner_than_it_was_written() {
    const RECORDS: u32 = 200_000;
    let (file, append) = log();
    let began = std::time::Instant::now();
    let mut writer = Writer::new(append.try_clone().unwrap()).unwrap();
    for n in 0..RECORDS {
        writer.append(Stream::Stdout, format!("line {n}\n").as_bytes()).unwrap();
    }
    let writing = began.elapsed();
    let began = std::time::Instant::now();
    for _ in 0..100 {
        assert_eq!(Writer::new(append.try_clone().unwrap()).unwrap().end, writer.end);
        assert_eq!(Reader::from_end(file.reopen().unwrap()).unwrap().offset(), writer.end);
    }
    let opening = began.elapsed();
    assert!(opening < writing, "{opening:?} for a hundred times, against {writing:?}");
    let mut reader = Reader::new(file.reopen().unwrap(), 0);
    for n in 0..RECORDS {
        assert_eq!(reader.next_record().unwrap().unwrap().payload, format!("line {n}\n").as_bytes());
    }
    assert_eq!(reader.next_record().unwrap(), None);
}

#[test]
fn a_file_that_is_no_log_is_refused() {
    let (_file, append) = log();
    append.write_all_at(&[9; 64], 0).unwrap();
    assert_eq!(Writer::new(append).unwrap_err().kind(), io::ErrorKind::InvalidData);
}
