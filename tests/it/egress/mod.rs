//! Requests to servers of others: where they may go, what may come back, and what becomes of the connections.

mod addresses;
mod answers;
mod connections;
mod stages;
mod tls;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt;
use portreeve::{
    base::config::EgressRule,
    io::net::{
        address::AddressPolicy,
        body::ReplyBody,
        client::{Egress, EgressSettings, Reply, Request},
        error::EgressError,
        resolve::Resolver,
    },
};

/// The networks, and after a space perhaps the port, that an operator allows.
fn policy(allow: &[&str]) -> AddressPolicy {
    let rule = |text: &&str| {
        let (network, port) =
            text.split_once(' ').map_or((*text, None), |(network, port)| (network, Some(port)));
        EgressRule { network: network.parse().unwrap(), port: port.map(|port| port.parse().unwrap()) }
    };
    AddressPolicy::new(&allow.iter().map(rule).collect::<Vec<_>>(), &[])
}

fn settings(allow: &[&str]) -> EgressSettings {
    EgressSettings { connect_within: Duration::from_secs(2), ..EgressSettings::new(policy(allow)) }
}

/// A client that may call loopback.
fn local() -> Egress {
    Egress::new(settings(&["127.0.0.0/8"]))
}

fn with_names(allow: &[&str], names: Arc<dyn Resolver>) -> Egress {
    Egress::new(EgressSettings { resolver: names, ..settings(allow) })
}

fn request(egress: &Egress, url: &str) -> Result<Request, EgressError> {
    Ok(Request::new(Method::GET, egress.target(url)?))
}

async fn get(egress: &Egress, url: &str) -> Result<Reply, EgressError> {
    egress.send(request(egress, url)?).await
}

/// The whole of what a server answers.
async fn text(egress: &Egress, url: &str) -> Result<String, EgressError> {
    let bytes = get(egress, url).await?.read(1 << 20).await?;
    Ok(String::from_utf8(bytes.to_vec()).unwrap())
}

/// The next part of a body.
async fn next(body: &mut ReplyBody) -> Option<Result<Bytes, EgressError>> {
    Some(body.frame().await?.map(|frame| frame.into_data().unwrap_or_default()))
}
