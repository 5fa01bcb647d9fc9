//! Answers the streams that others open, within limits for all and for each.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use futures::StreamExt;
use kirana_core::key::PublicKey;
use libp2p::{PeerId, Stream};
use libp2p_stream::IncomingStreams;
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Handler, Limits,
    frame::{self, Unread},
    public_key,
};
use crate::wire::{Code, NotAFrame, Protocol, Refused, Request, Response};

/// What all streams of a node share.
pub(super) struct Server {
    pub handler: Arc<dyn Handler>,
    pub limits: Limits,
    pub open: Mutex<BTreeMap<PeerId, usize>>,
    pub stop: CancellationToken,
    pub tasks: TaskTracker,
}

/// A stream's place within the limits, given back when dropped.
struct Place {
    server: Arc<Server>,
    peer: PeerId,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.server.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.peer);
            }
        }
    }
}

impl Server {
    fn place(self: &Arc<Self>, peer: PeerId) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = open.values().sum();
        let count = open.get(&peer).copied().unwrap_or(0);
        if all >= self.limits.streams || count >= self.limits.streams_per_peer {
            return None;
        }
        open.insert(peer, count + 1);
        Some(Place { server: self.clone(), peer })
    }

    /// Takes in streams of one protocol until the node stops.
    ///
    /// libp2p drops a stream that is not taken in at once, so nothing here waits for an answer.
    pub async fn accept(self: Arc<Self>, protocol: Protocol, mut incoming: IncomingStreams) {
        loop {
            let next = tokio::select! {
                next = incoming.next() => next,
                () = self.stop.cancelled() => None,
            };
            let Some((peer, stream)) = next else { return };
            let (Some(key), Some(place)) = (public_key(&peer), self.place(peer)) else {
                tracing::debug!(%peer, protocol = protocol.name(), "stream refused");
                continue;
            };
            let server = self.clone();
            self.tasks.spawn(async move {
                tokio::select! {
                    () = server.serve(protocol, key, stream) => {}
                    () = server.stop.cancelled() => {}
                }
                drop(place);
            });
        }
    }

    /// Answers one request after the other until the peer ends, is idle, or talks nonsense.
    async fn serve(&self, protocol: Protocol, peer: PublicKey, mut stream: Stream) {
        loop {
            let Ok(len) = timeout(self.limits.idle_time, frame::read_len(&mut stream)).await else {
                return;
            };
            let frame = match len {
                Ok(len) => {
                    let body = frame::read_body(&mut stream, len);
                    timeout(self.limits.frame_time, body).await.unwrap_or(Err(Unread::Ended))
                }
                Err(unread) => Err(unread),
            };
            let (response, go_on) = match frame {
                Ok(frame) => self.answer(protocol, peer, &frame).await,
                Err(Unread::TooLong(len)) => {
                    let reason = format!("a frame of {len} bytes is longer than one may be");
                    (Response::refused(Code::Malformed, reason), false)
                }
                Err(Unread::Ended | Unread::Io(_)) => return,
            };
            let frame = response.to_frame();
            let sent = frame::write(&mut stream, &frame);
            if !matches!(timeout(self.limits.frame_time, sent).await, Ok(Ok(()))) || !go_on {
                let _ = futures::AsyncWriteExt::close(&mut stream).await;
                return;
            }
        }
    }

    /// The answer, and whether the stream goes on.
    async fn answer(&self, protocol: Protocol, peer: PublicKey, frame: &[u8]) -> (Response, bool) {
        match Request::read(frame) {
            Ok(request) if request.protocol() != protocol => {
                let reason = format!("{} does not carry {}", protocol.name(), request.name());
                (Response::refused(Code::Unknown, reason), true)
            }
            Ok(request) => {
                let name = request.name();
                let response = self.handler.answer(peer, request).await;
                tracing::trace!(request = name, "answered");
                (response, true)
            }
            Err(wrong) => {
                let go_on = matches!(wrong, NotAFrame::Unknown(_));
                (Response::Refused(Refused::from(&wrong)), go_on)
            }
        }
    }
}
