//! Other owners' chains, looked at and never touched.

use crate::{channel::Channel, error::Result, wire};

const GETCHAIN: u16 = 4;
const FORWARD: u32 = 2;
const DROP: u32 = 0;

/// Base chains of other tables at the forward hook whose policy is drop, as `table chain`.
pub(crate) fn droppers(channel: &mut Channel, own: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    channel.dump(
        (10 << 8) | GETCHAIN,
        &[0; 4],
        |_| {},
        "list",
        "chains",
        |payload| {
            let one = || {
                let family = *payload.first()?;
                let body = payload.get(4..)?;
                let number = |bytes: &[u8], kind| {
                    wire::find(bytes, kind).and_then(|v| v.try_into().ok()).map(u32::from_be_bytes)
                };
                let table = wire::string(wire::find(body, 1)?);
                let hook = number(wire::find(body, 4)?, 1)?;
                let ip = matches!(family, 1 | 2 | 10);
                (ip && hook == FORWARD && number(body, 5)? == DROP && table != own)
                    .then(|| Some(format!("{table} {}", wire::string(wire::find(body, 3)?))))?
            };
            found.extend(one());
        },
    )?;
    Ok(found)
}
