//! A compiled form: an open file, and how its code comes to run: mapped, never copied, so that a component that carries an
//! interpreter is ready as soon as a small one, and all processes share its pages. Knows no folder: that is
//! [`crate::forms`].
//!
//! A mapping stays for as long as the process lives: its code, its data and its unwind tables are referred to from wherever
//! a call still runs, and clean pages of a file are the kernel's to take back. Plugins of one form share it, so that a site
//! that is read anew maps nothing.

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags};
use std::{
    collections::BTreeMap,
    fs::File,
    io,
    os::fd::OwnedFd,
    ptr::{self, NonNull},
    slice,
    sync::{Arc, Mutex, PoisonError, Weak},
};
use wasmtime::{Config, CustomCodeMemory, Engine, component::Component};

/// A compiled form that this crate made, and kept where nobody else writes.
pub(crate) struct Compiled(OwnedFd);

/// The components of an engine that are in use, by their forms' device and inode.
#[derive(Default)]
pub(crate) struct Components(Mutex<BTreeMap<(u64, u64), Weak<Component>>>);

impl Components {
    /// The component of a form, ready to be linked: another plugin's, or loaded now. The error is a text about the
    /// component.
    pub(crate) fn of(&self, engine: &Engine, form: &Compiled) -> Result<Arc<Component>, String> {
        let stat = rustix::fs::fstat(&form.0).map_err(|e| format!("its compiled form cannot be looked at: {e}"))?;
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, component| component.strong_count() > 0);
        let key = (stat.st_dev, stat.st_ino);
        if let Some(component) = all.get(&key).and_then(Weak::upgrade) {
            return Ok(component);
        }
        let length = usize::try_from(stat.st_size).unwrap_or(0);
        let component = Arc::new(form.load(engine, length)?);
        all.insert(key, Arc::downgrade(&component));
        Ok(component)
    }
}

impl Compiled {
    /// An open file of the folder of compiled forms.
    pub(crate) fn kept(file: File) -> Self {
        Self(file.into())
    }

    /// A form that came from whoever made it: the daemon, over the one socket that the host process has.
    pub(crate) fn from_daemon(form: OwnedFd) -> Self {
        Self(form)
    }

    /// The form as it travels to a host in a process of its own.
    pub(crate) fn into_descriptor(self) -> OwnedFd {
        self.0
    }

    #[allow(unsafe_code, reason = "wasmtime's only road to a compiled form that was kept")]
    fn load(&self, engine: &Engine, length: usize) -> Result<Component, String> {
        let form = mapped(&self.0, length).map_err(|e| format!("its compiled form cannot be mapped: {e}"))?;
        // SAFETY: the bytes were made by `compile`, from `precompile_component` of an engine with the same
        // settings (a file's name is a hash of them), and are a file of a folder that `CompiledForms::open` found to belong
        // to this user and to be writable by nobody else, or came from the daemon, which had them so. They are mapped for
        // good and for this component alone, and nobody writes to a file of that folder once it has its name.
        unsafe { Component::deserialize_raw(engine, NonNull::from(form)) }
            .map_err(|e| format!("its compiled form cannot be loaded: {e:#}"))
    }
}

/// The whole file, read-only and private.
#[allow(unsafe_code, reason = "mapping a file that does not change")]
fn mapped(file: &OwnedFd, length: usize) -> io::Result<&'static [u8]> {
    if length == 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is empty"));
    }
    // SAFETY: a new mapping at an address of the kernel's choice, of `length` bytes; never taken back, so that a slice of
    // it may live as long as the process. The file does not change (see `Compiled::load`).
    unsafe {
        let start = rustix::mm::mmap(ptr::null_mut(), length, ProtFlags::READ, MapFlags::PRIVATE, file, 0)?;
        Ok(slice::from_raw_parts(start.cast::<u8>().cast_const(), length))
    }
}

/// Tells wasmtime how code of a mapped form is made executable.
pub(crate) fn publish_mapped(config: &mut Config) {
    config.with_custom_code_memory(Some(Arc::new(OfMappings)));
}

struct OfMappings;

impl CustomCodeMemory for OfMappings {
    fn required_alignment(&self) -> usize {
        // Of the C library, which knows it from its start: nothing can be read where a host is confined.
        let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
        size.and_then(|size| usize::try_from(size).ok()).unwrap_or(4096)
    }

    #[allow(unsafe_code, reason = "wasmtime leaves the protection of mapped code to its embedder")]
    fn publish_executable(&self, start: *const u8, length: usize) -> wasmtime::Result<()> {
        // SAFETY: wasmtime calls this for the text of an image that it is given, which is aligned to pages and read by
        // nobody as anything but code.
        unsafe {
            rustix::mm::mprotect(start.cast_mut().cast(), length, MprotectFlags::READ | MprotectFlags::EXEC)?;
        }
        Ok(())
    }

    fn unpublish_executable(&self, _: *const u8, _: usize) -> wasmtime::Result<()> {
        // Nothing else is ever mapped there.
        Ok(())
    }
}
