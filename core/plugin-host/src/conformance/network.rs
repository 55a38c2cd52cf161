//! Network drivers: networks with every wish that a client can have, and endpoints on them.

use super::session::{Found, Session, Why, unexpected};
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
    let found = bare(session).await;
    session.found("network: without its grants it answers, and does not trap", found);
}

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

/// A plan where the driver made one; none where it refused in words of its own.
async fn planned(session: &mut Session<'_>, request: NetworkRequest) -> Result<Option<NetworkPlan>, Why> {
    match session.ask(&Question::Network(NetworkCall::PlanNetwork { request })).await? {
        Ok(Reply::Network(plan)) => {
            session.judge.network(&parents(session), &plan)?;
            Ok(Some(plan))
        }
        Ok(other) => Err(unexpected(&other)),
        Err(_) => Ok(None),
    }
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
    let question = Question::Network(NetworkCall::PlanNetwork { request: plain });
    session.answer(&question).await?;
    for _ in 0..session.how.requests {
        let request = network(session);
        planned(session, request).await?;
    }
    Ok(())
}

async fn some_network(session: &mut Session<'_>) -> Result<NetworkPlan, Why> {
    for _ in 0..20 {
        let request = network(session);
        if let Some(plan) = planned(session, request).await? {
            return Ok(plan);
        }
    }
    Err(Why::Failed("it refused twenty networks one after another".to_owned()))
}

async fn connected(
    session: &mut Session<'_>,
    request: EndpointRequest,
    network: &NetworkPlan,
) -> Result<Option<EndpointPlan>, Why> {
    let call = NetworkCall::PlanEndpoint { request, network: network.clone() };
    match session.ask(&Question::Network(call)).await? {
        Ok(Reply::Endpoint(plan)) => {
            session.judge.endpoint(&parents(session), network, &plan)?;
            Ok(Some(plan))
        }
        Ok(other) => Err(unexpected(&other)),
        Err(_) => Ok(None),
    }
}

async fn endpoints(session: &mut Session<'_>) -> Found {
    let mut made = 0;
    for _ in 0..session.how.requests {
        let network = some_network(session).await?;
        let request = endpoint(session);
        made += u32::from(connected(session, request, &network).await?.is_some());
    }
    if made == 0 { Err(Why::Failed("it refused every endpoint".to_owned())) } else { Ok(()) }
}

async fn ports(session: &mut Session<'_>) -> Found {
    for _ in 0..session.how.requests {
        let network = some_network(session).await?;
        let request = endpoint(session);
        let Some(plan) = connected(session, request.clone(), &network).await? else { continue };
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
    let call = NetworkCall::PlanEndpoint { request, network: network.clone() };
    match session.ask_exhausted(&Question::Network(call)).await? {
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
        let call = NetworkCall::PlanEndpoint { request, network: network.clone() };
        session.survive(&Question::Network(call)).await?;
    }
    let request = NetworkRequest { name: String::new(), internal: true, ipv6: true, subnets: Vec::new(), settings };
    session.survive(&Question::Network(NetworkCall::PlanNetwork { request })).await?;
    Ok(())
}

async fn released(session: &mut Session<'_>) -> Found {
    session.exports("davit:network/released")?;
    for what in ["network", "endpoint", "something of a later version"] {
        let id = session.chance.hex(64);
        session.survive(&Question::Network(NetworkCall::Released { what: what.to_owned(), id })).await?;
    }
    Ok(())
}

async fn bare(session: &mut Session<'_>) -> Found {
    let (request, network) = (network(session), NetworkPlan::default());
    session.ask_bare(&Question::Network(NetworkCall::PlanNetwork { request })).await?;
    let request = endpoint(session);
    session.ask_bare(&Question::Network(NetworkCall::PlanEndpoint { request, network })).await
}
