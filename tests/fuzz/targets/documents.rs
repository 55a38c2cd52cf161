//! Manifests and image configurations, as a registry or an archive serves them. What is taken names what it was read from,
//! and reads the same again.
#![no_main]

use davit_store::image::{Config, Manifest, is_index};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(manifest) = Manifest::parse(None, bytes.to_vec()) {
        assert!(!is_index(&manifest.media_type));
        assert_eq!(manifest.raw, bytes);
        let again = Manifest::parse(Some(&manifest.media_type), manifest.raw.clone()).expect("said to be what it is");
        assert_eq!((again.digest, again.layers.len()), (manifest.digest, manifest.layers.len()));
    }
    if let Ok(config) = Config::parse(bytes.to_vec()) {
        assert_eq!(config.diff_ids.len(), config.spec.rootfs().diff_ids().len());
        assert_eq!(Config::parse(config.raw).map(|c| c.digest).ok(), Some(config.digest));
    }
});
