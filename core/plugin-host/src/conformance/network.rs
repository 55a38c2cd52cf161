//! Network drivers: networks with every wish that a client can have, and endpoints on them.

use super::{
    session::{Found, Said, Session, Why, unexpected},
    tally::Tally,
};
use crate::question::{NetworkCall, Question, Reply};
use davit_model::network::{Attachment, EndpointPlan, EndpointRequest, NetworkPlan, NetworkRequest, PortRequest};
use std::collections::{BTreeMap, BTreeSet};

pub(super) async fn suite(session: &mut Session<'_>) {
    let found = networks(session).await;
    session.found("network: a network is a plan that the core takes", found);
    let found = endpoints(session).await;
    session.found("network: an endpoint is a plan that the core takes", found);
    let found = ports(session).await;
    session.found("network: a port is published or refused, never forgotten", found);
    let found = exhausted(session).await;
    session.found("network: where nothing is free it says so, and does not trap", found);
    let found = impossible(session).await;
    session.found("network: what cannot be is answered, not trapped on", found);
    let found = released(session).await;
    session.found("network: released answers where it is exported", found);
    let found = largest(session).await;
    session.found("network: the largest requests stay within its limits", found);
    session.without_help("network", |session| Ok(samples(session))).await;
}

/// Ports and names of the largest endpoint: a plan has at most 256 of each, and a driver has some of its own.
const MANY: u16 = 200;
/// Subnets of the largest network: a plan has at most 64.
const SUBNETS: u8 = 32;

fn parents(session: &Session<'_>) -> BTreeSet<String> {
    session.plugin().interfaces().clone()
}

fn network(session: &mut Session<'_>) -> NetworkRequest {
    let chance = &mut session.chance;
    let subnets = match chance.below(4) {
        0 => vec!["192.168.77.0/24"],
        1 => vec!["192.168.77.0/24", "fd77::/64"],
        _ => Vec::new(),
    };
    NetworkRequest {
        name: format!("net-{}", chance.hex(6)),
        internal: chance.one_in(4),
        ipv6: chance.one_in(2),
        subnets: subnets.iter().filter_map(|text| text.parse().ok()).collect(),
        settings: BTreeMap::new(),
    }
}

fn endpoint(session: &mut Session<'_>) -> EndpointRequest {
    let chance = &mut session.chance;
    let aliases = (0..chance.below(3)).map(|_| format!("name-{}", chance.hex(4))).collect();
    let published = (0..chance.below(4)).map(|number| PortRequest {
        protocol: chance.of(&["tcp", "udp"]).unwrap_or("tcp").to_owned(),
        inside: u16::try_from(8000 + number).unwrap_or(8000),
        outside: chance.one_in(2).then(|| u16::try_from(18000 + number).unwrap_or(18000)),
        address: None,
    });
    let published = published.collect();
    EndpointRequest {
        container: chance.hex(64),
        aliases,
        wanted_v4: None,
        wanted_v6: None,
        wanted_mac: chance.one_in(4).then(|| "02:42:ac:11:00:02".to_owned()),
        published,
        settings: BTreeMap::new(),
    }
}

/// A plan that the core takes, where the driver made one; none where it refused in words of its own.
fn network_of(session: &Session<'_>, said: Said) -> Result<Option<NetworkPlan>, Why> {
    match said {
        Ok(Reply::Network(plan)) => {
            session.judge.network(&parents(session), &plan)?;
            Ok(Some(plan))
        }
        Ok(other) => Err(unexpected(&other)),
        Err(_) => Ok(None),
    }
}

fn plan_network(request: NetworkRequest) -> Question {
    Question::Network(NetworkCall::PlanNetwork { request })
}

/// A driver may refuse wishes, but not all of them.
async fn networks(session: &mut Session<'_>) -> Found {
    let plain = NetworkRequest {
        name: "plain".to_owned(),
        internal: false,
        ipv6: false,
        subnets: Vec::new(),
        settings: BTreeMap::new(),
    };
    session.answer(&plan_network(plain)).await?;
    let mut tally = Tally::default();
    for _ in 0..session.how.requests {
        let request = network(session);
        let said = session.tried(&mut tally, &plan_network(request)).await?;
        network_of(session, said)?;
    }
    session.not_all_refused(tally).await
}

async fn some_network(session: &mut Session<'_>) -> Result<NetworkPlan, Why> {
    let mut tally = Tally::default();
    for _ in 0..20 {
        let request = network(session);
        let said = session.tried(&mut tally, &plan_network(request)).await?;
        if let Some(plan) = network_of(session, said)? {
            return Ok(plan);
        }
    }
    session.not_all_refused(tally).await?;
    Err(Why::Skipped("there is no network to put an endpoint on".to_owned()))
}

fn plan_endpoint(request: EndpointRequest, network: &NetworkPlan) -> Question {
    Question::Network(NetworkCall::PlanEndpoint { request, network: network.clone() })
}

fn endpoint_of(session: &Session<'_>, network: &NetworkPlan, said: Said) -> Result<Option<EndpointPlan>, Why> {
    match said {
        Ok(Reply::Endpoint(plan)) => {
            session.judge.endpoint(&parents(session), network, &plan)?;
            Ok(Some(plan))
        }
        Ok(other) => Err(unexpected(&other)),
        Err(_) => Ok(None),
    }
}

async fn endpoints(session: &mut Session<'_>) -> Found {
    let mut tally = Tally::default();
    for _ in 0..session.how.requests {
        let network = some_network(session).await?;
        let request = endpoint(session);
        let said = session.tried(&mut tally, &plan_endpoint(request, &network)).await?;
        endpoint_of(session, &network, said)?;
    }
    session.not_all_refused(tally).await
}

async fn ports(session: &mut Session<'_>) -> Found {
    for _ in 0..session.how.requests {
        let network = some_network(session).await?;
        let request = endpoint(session);
        let said = session.permit(&plan_endpoint(request.clone(), &network)).await?;
        let Some(plan) = endpoint_of(session, &network, said)? else { continue };
        // Whoever is in the host's namespace, or reached directly, has nothing that could be published.
        let own = matches!(plan.attachment, Attachment::Veth { .. });
        let forgotten = request.published.iter().find(|p| !plan.ports.iter().any(|made| made.request == **p));
        if let (true, Some(port)) = (own, forgotten) {
            let port = format!("{}/{}", port.inside, port.protocol);
            return Err(Why::Failed(format!("port {port} was asked for, and the plan does not have it")));
        }
    }
    Ok(())
}

async fn exhausted(session: &mut Session<'_>) -> Found {
    let network = some_network(session).await?;
    let request = endpoint(session);
    match session.ask_exhausted(&plan_endpoint(request, &network)).await? {
        Ok(Reply::Endpoint(plan)) if !plan.addresses.is_empty() || !plan.ports.is_empty() => {
            Err(Why::Failed("it answered leases that nobody gave it".to_owned()))
        }
        _ => Ok(()),
    }
}

async fn impossible(session: &mut Session<'_>) -> Found {
    let network = some_network(session).await?;
    let base = endpoint(session);
    let settings = BTreeMap::from([("no-such-setting".to_owned(), "\u{fffd}".repeat(1000))]);
    for request in [
        EndpointRequest { wanted_v4: "8.8.8.8".parse().ok(), ..base.clone() },
        EndpointRequest { wanted_v6: "2001:db8::1".parse().ok(), ..base.clone() },
        EndpointRequest { wanted_mac: Some("not a mac".to_owned()), ..base.clone() },
        EndpointRequest { settings: settings.clone(), ..base.clone() },
        EndpointRequest { aliases: vec![String::new(); 100], ..base },
    ] {
        session.survive(&plan_endpoint(request, &network)).await?;
    }
    let request = NetworkRequest { name: String::new(), internal: true, ipv6: true, subnets: Vec::new(), settings };
    session.survive(&plan_network(request)).await
}

async fn released(session: &mut Session<'_>) -> Found {
    session.exports("davit:network/released")?;
    let mut tally = Tally::default();
    for what in ["network", "endpoint", "something of a later version"] {
        let id = session.chance.hex(64);
        let call = NetworkCall::Released { what: what.to_owned(), id };
        session.tried(&mut tally, &Question::Network(call)).await?.ok();
    }
    session.not_all_refused(tally).await
}

async fn largest(session: &mut Session<'_>) -> Found {
    let subnets = (0..SUBNETS).filter_map(|n| format!("192.168.{n}.0/24").parse().ok()).collect();
    let request = NetworkRequest { name: "n".repeat(128), internal: false, subnets, ..network(session) };
    let said = session.bear(&plan_network(request)).await?;
    // Whoever makes no such network has to connect so much to one that it makes.
    let network = match network_of(session, said)? {
        Some(network) => network,
        None => some_network(session).await?,
    };
    let request = EndpointRequest {
        aliases: (0..MANY).map(|n| format!("{n:0>63}")).collect(),
        published: (0..MANY)
            .map(|n| PortRequest {
                protocol: "tcp".to_owned(),
                inside: 8000 + n,
                outside: Some(18000 + n),
                address: None,
            })
            .collect(),
        ..endpoint(session)
    };
    let said = session.bear(&plan_endpoint(request, &network)).await?;
    endpoint_of(session, &network, said).map(drop)
}

/// Of each call one.
fn samples(session: &mut Session<'_>) -> Vec<Question> {
    let (request, network) = (network(session), NetworkPlan::default());
    let released = NetworkCall::Released { what: "network".to_owned(), id: request.name.clone() };
    vec![plan_network(request), plan_endpoint(endpoint(session), &network), Question::Network(released)]
}
