//! The CPUs and memory nodes that a container asks for: they must be there. Looked at when it is created or updated, in
//! Docker's words; the kernel would say it at the start, with a number.

use crate::EngineError;
use davit_model::container::Limits;
use std::ops::RangeInclusive;

/// A hundredth of a CPU: less is no share that the kernel can give.
const LEAST: u64 = 10_000_000;
const WHOLE: u64 = 1_000_000_000;
/// Higher than the number of any CPU or node that Linux knows.
const HIGHEST: u32 = 65_535;

/// Refuses what this machine does not have.
pub(crate) fn check(limits: &Limits) -> Result<(), EngineError> {
    let most = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    share(limits.nano_cpus, most)?;
    let online = |place: &str| std::fs::read_to_string(format!("/sys/devices/system/{place}/online"));
    if let Some(asked) = &limits.cpuset_cpus {
        // What cannot be read is left to the kernel.
        among("cpus", "CPUs", asked, online("cpu").ok().as_deref())?;
    }
    if let Some(asked) = &limits.cpuset_mems {
        among("mems", "memory nodes", asked, online("node").ok().as_deref())?;
    }
    Ok(())
}

fn share(nano: Option<u64>, most: u64) -> Result<(), EngineError> {
    match nano {
        Some(nano) if nano < LEAST || nano > most.saturating_mul(WHOLE) => Err(EngineError::invalid(format!(
            "range of CPUs is from 0.01 to {most}.00, as there are only {most} CPUs available"
        ))),
        _ => Ok(()),
    }
}

fn among(field: &str, what: &str, asked: &str, there: Option<&str>) -> Result<(), EngineError> {
    let wanted = ranges(asked).ok_or_else(|| {
        EngineError::invalid(format!("Invalid value {asked} for cpuset {field}: written as 0-3 or 0,1"))
    })?;
    let Some((text, there)) = there.map(str::trim).and_then(|text| Some((text, ranges(text)?))) else { return Ok(()) };
    let is_there = |number: u32| there.iter().any(|range| range.contains(&number));
    if wanted.into_iter().flatten().all(is_there) {
        return Ok(());
    }
    Err(EngineError::invalid(format!("Requested {what} are not available - requested {asked}, available: {text}")))
}

/// `0-3,5`; none where it is not written so.
fn ranges(text: &str) -> Option<Vec<RangeInclusive<u32>>> {
    let number = |text: &str| text.parse::<u32>().ok().filter(|n| *n <= HIGHEST);
    let one = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (number(first)?, number(last)?);
        (first <= last).then_some(first..=last)
    };
    text.split(',').map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpus_that_are_not_there_are_refused_as_docker_does() {
        assert!(among("cpus", "CPUs", "0,2-3", Some("0-3\n")).is_ok());
        assert_eq!(
            among("cpus", "CPUs", "0,99", Some("0-1\n")).unwrap_err().message(),
            "Requested CPUs are not available - requested 0,99, available: 0-1"
        );
        assert!(among("mems", "memory nodes", "7", None).is_ok(), "the kernel says it");
        for bad in ["", "x", "1-", "3-1", "0,,1", "-1", "0-4294967295"] {
            let refused = among("cpus", "CPUs", bad, Some("0-1")).unwrap_err();
            assert!(refused.message().starts_with(&format!("Invalid value {bad} for cpuset cpus")), "{refused}");
        }
    }

    #[test]
    fn a_share_is_between_a_hundredth_and_all_of_them() {
        for fine in [None, Some(LEAST), Some(2 * WHOLE)] {
            assert!(share(fine, 2).is_ok(), "{fine:?}");
        }
        for bad in [1, LEAST - 1, 2 * WHOLE + 1] {
            let refused = share(Some(bad), 2).unwrap_err();
            assert!(refused.message().starts_with("range of CPUs is from 0.01 to 2.00"), "{refused}");
        }
    }
}
