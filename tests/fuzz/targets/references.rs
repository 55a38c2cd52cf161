//! Image references, digests and names, as users, manifests and API clients write them. What is taken is written back in a
//! form that means the same.
#![no_main]

use davit_model::{digest::Digest, id::ObjectName, reference::Reference};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(reference) = text.parse::<Reference>() {
        let written = reference.to_string();
        assert_eq!(written.parse::<Reference>().as_ref(), Ok(&reference), "{text:?} is written {written:?}");
        let familiar = reference.familiar();
        assert_eq!(familiar.parse::<Reference>().as_ref(), Ok(&reference), "{text:?} is shown {familiar:?}");
    }
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.to_string(), text);
    }
    if let Ok(name) = text.parse::<ObjectName>() {
        // It becomes a file name.
        let name = name.to_string();
        assert!(!name.is_empty() && !name.contains('/') && !name.contains('\0') && name != "." && name != "..");
    }
});
