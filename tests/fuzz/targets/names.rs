//! Questions to the resolver, which any container may send. What is answered is a message that can be read, is about the same
//! question, and fits.
#![no_main]

use davit_runtime::names::{
    Zone,
    answer::{Decision, decide},
};
use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;

fn zone() -> &'static Zone {
    static ZONE: OnceLock<Zone> = OnceLock::new();
    ZONE.get_or_init(|| {
        let text = r#"{"names": {"web": ["10.1.0.2", "fd00::2"], "db.example": ["10.1.0.3"]}}"#;
        serde_json::from_str(text).expect("a zone")
    })
}

fuzz_target!(|data: &[u8]| {
    for udp in [true, false] {
        if let Decision::Reply(answer) = decide(zone(), data, udp, 1) {
            assert!(answer.len() >= 12 && answer.get(..2) == data.get(..2), "an answer has the question's number");
            assert!(answer.get(2).is_some_and(|flags| flags & 0x80 != 0), "an answer is marked as one");
            assert!(!udp || answer.len() <= 1232, "{} bytes over UDP", answer.len());
            // Two resolvers that send each other answers would never stop.
            assert_eq!(decide(zone(), &answer, udp, 1), Decision::Drop);
        }
    }
});
