//! Giving up what the process was: bounding set, groups, ids, and the capability sets that are left.

use crate::failure::{At, Failure, Stage};
use crate::users::Identity;
use oci_spec::runtime::{Capabilities, LinuxCapabilities};
use rustix::thread::{CapabilitySet, CapabilitySets};
use std::str::FromStr;

/// The five sets as bits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sets {
    bounding: u64,
    effective: u64,
    permitted: u64,
    inheritable: u64,
    ambient: u64,
}

impl Sets {
    pub(super) fn of(capabilities: Option<&LinuxCapabilities>) -> Result<Self, Failure> {
        let Some(c) = capabilities else { return Ok(Self::default()) };
        Ok(Self {
            bounding: bits(c.bounding().as_ref())?,
            effective: bits(c.effective().as_ref())?,
            permitted: bits(c.permitted().as_ref())?,
            inheritable: bits(c.inheritable().as_ref())?,
            ambient: bits(c.ambient().as_ref())?,
        })
    }
}

fn bits(set: Option<&Capabilities>) -> Result<u64, Failure> {
    let mut bits = 0;
    for capability in set.into_iter().flatten() {
        let known = caps::Capability::from_str(&format!("CAP_{capability}"))
            .map_err(|_| Failure::new(Stage::Identity, format!("capability {capability} is unknown")))?;
        bits |= known.bitmask();
    }
    Ok(bits)
}

/// Becomes `who` with the sets given. Bits that this kernel does not know are left out.
pub(super) fn assume(who: &Identity, sets: Sets) -> Result<(), Failure> {
    use rustix::fs::{Gid, Uid};
    use rustix::thread as t;
    let what = |name: &'static str| move || name;
    let known = drop_bounding(sets.bounding)?;

    t::set_keep_capabilities(true).at(Stage::Identity, what("keep capabilities"))?;
    let groups: Vec<Gid> = who.groups.iter().map(|g| Gid::from_raw(*g)).collect();
    t::set_thread_groups(&groups).at(Stage::Identity, what("set supplementary groups"))?;
    let (uid, gid) = (Uid::from_raw(who.uid), Gid::from_raw(who.gid));
    t::set_thread_res_gid(gid, gid, gid).at(Stage::Identity, || format!("become group {}", who.gid))?;
    t::set_thread_res_uid(uid, uid, uid).at(Stage::Identity, || format!("become user {}", who.uid))?;
    t::set_keep_capabilities(false).at(Stage::Identity, what("stop keeping capabilities"))?;

    let set = |bits: u64| CapabilitySet::from_bits_retain(bits & known);
    // As in every engine since CVE-2022-24769, a set that is only inheritable is not handed on unless it is also
    // ambient: the specification's own inheritable set counts only as far as that.
    let inheritable = sets.inheritable & sets.ambient;
    t::set_capabilities(
        None,
        CapabilitySets {
            effective: set(sets.effective),
            permitted: set(sets.permitted),
            inheritable: set(inheritable),
        },
    )
    .at(Stage::Identity, what("set capabilities"))?;
    t::clear_ambient_capability_set().at(Stage::Identity, what("clear ambient capabilities"))?;
    for capability in set(sets.ambient & inheritable & sets.permitted).iter() {
        t::configure_capability_in_ambient_set(capability, true)
            .at(Stage::Identity, what("raise ambient capability"))?;
    }
    Ok(())
}

/// Drops every capability that is not in `keep` from the bounding set; the answer is the set of those that exist.
fn drop_bounding(keep: u64) -> Result<u64, Failure> {
    let mut known = 0;
    for index in 0..64 {
        let capability = CapabilitySet::from_bits_retain(1 << index);
        match rustix::thread::capability_is_in_bounding_set(capability) {
            Err(_) => break,
            Ok(present) => {
                known |= 1 << index;
                if present && keep & (1 << index) == 0 {
                    rustix::thread::remove_capability_from_bounding_set(capability)
                        .at(Stage::Identity, || format!("drop capability {index} from the bounding set"))?;
                }
            }
        }
    }
    Ok(known)
}
