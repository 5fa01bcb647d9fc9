//! Joins the app to libp2p: what nodes ask is answered by [`Hub::answer`].

use std::{sync::Arc, time::Duration};

use kirana_core::key::PublicKey;
use kirana_sync::{
    driver::{BoxFuture, Config, Handler, Multiaddr, Node, NodeHandle, RelayLimits, SpawnError},
    wire::{Request, Response},
};

use tokio::sync::mpsc;

use crate::{
    app::Hub,
    clock,
    forwarding::{NEWS_MAX, News},
};

struct Door {
    hub: Hub,
    news: mpsc::Sender<News>,
}

impl Handler for Door {
    fn answer(&self, peer: PublicKey, request: Request) -> BoxFuture<'_, Response> {
        Box::pin(async move {
            let (name, news) = (request.name(), News::of(&request));
            let response = self.hub.answer(&peer, request, clock::now()).await;
            let outcome = match &response {
                Response::Refused(_) => "refused",
                _ => "answered",
            };
            metrics::counter!("node_requests_total", "request" => name, "outcome" => outcome)
                .increment(1);
            if let Some(news) = news.filter(|_| outcome == "answered")
                && news.is_for_others(&self.hub, &peer).await
            {
                // Where too much waits already, the next look or the next record says it again.
                let _ = self.news.try_send(news);
            }
            response
        })
    }
}

/// Listens for nodes, answers them, and relays connections between them; what concerns other hubs
/// comes out of the receiver.
///
/// # Errors
/// When the address is taken or is none of this machine's.
pub async fn listen(
    hub: &Hub,
    address: Multiaddr,
) -> Result<(NodeHandle, mpsc::Receiver<News>), SpawnError> {
    let seed = hub.keys().signing.to_seed();
    let config = Config::new(seed).listening_on(address).relaying(RelayLimits::default());
    let (sender, news) = mpsc::channel(NEWS_MAX);
    let node = Node::spawn(config, Arc::new(Door { hub: hub.clone(), news: sender })).await?;
    hub.set_p2p(node.addresses().iter().map(ToString::to_string).collect());
    Ok((node, news))
}

/// How often what is past its time is thrown away.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// Throws away what is past its time, now and again, for as long as the program runs.
pub async fn sweep(hub: Hub) {
    let mut ticks = tokio::time::interval(SWEEP_EVERY);
    loop {
        ticks.tick().await;
        if let Err(error) = hub.sweep(clock::now()).await {
            tracing::warn!(error = %error, "what is past its time could not be thrown away");
        }
    }
}
