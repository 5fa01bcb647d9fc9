//! Asks other nodes: keeps streams open for the next request, and opens new ones one at a time.
//!
//! A peer that is slow to take a stream in drops it without a word, and a stream that lay idle may
//! have been given up by the other side; since every request may be repeated without harm, a
//! request that met either is sent again on a fresh stream.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use libp2p::{PeerId, Stream};
use libp2p_stream::{Control, OpenStreamError};
use tokio::sync::Semaphore;

use super::{
    RequestError, behaviour,
    frame::{self, Unread},
};
use crate::wire::{FRAME_BYTES_MAX, Protocol, Request, Response};

/// Streams with one peer in one protocol at a time; further requests wait.
const STREAMS_MAX: usize = 16;
/// The streams with one peer in one protocol.
struct Line {
    idle: Mutex<Vec<Stream>>,
    permits: Semaphore,
    /// Held while a stream is opened, so that they arrive one by one.
    opening: tokio::sync::Mutex<()>,
}

/// The streams with all peers.
pub(super) struct Pool {
    control: Control,
    lines: Mutex<BTreeMap<(PeerId, Protocol), Arc<Line>>>,
}

/// How one exchange went wrong.
pub(super) enum Failed {
    /// Nothing of an answer came: it may be sent again.
    Unanswered(RequestError),
    /// It is final.
    Final(RequestError),
}

impl Pool {
    pub fn new(control: Control) -> Self {
        Self { control, lines: Mutex::new(BTreeMap::new()) }
    }

    /// Forgets the streams with a peer that is gone.
    pub fn forget(&self, peer: &PeerId) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.retain(|(known, _), _| known != peer);
    }

    fn line(&self, peer: PeerId, protocol: Protocol) -> Arc<Line> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let line = lines.entry((peer, protocol)).or_insert_with(|| {
            Arc::new(Line {
                idle: Mutex::new(Vec::new()),
                permits: Semaphore::new(STREAMS_MAX),
                opening: tokio::sync::Mutex::new(()),
            })
        });
        line.clone()
    }

    /// Sends a request to a connected peer and reads the answer: on every stream that lies idle,
    /// since all are dead when the peer restarted, then on a fresh one.
    pub async fn exchange(&self, peer: PeerId, request: &Request) -> Result<Response, Failed> {
        let frame = request.to_frame();
        if frame.len() > FRAME_BYTES_MAX {
            return Err(Failed::Final(RequestError::TooLong(frame.len())));
        }
        let line = self.line(peer, request.protocol());
        let permit = line.permits.acquire().await;
        let _permit = permit.map_err(|_| Failed::Final(RequestError::Stopped))?;
        while let Some(stream) = line.take() {
            match once(&line, stream, &frame).await {
                Err(Failed::Unanswered(_)) => {}
                done => return done,
            }
        }
        let stream = self.open(&line, peer, request.protocol()).await?;
        once(&line, stream, &frame).await
    }

    async fn open(&self, line: &Line, peer: PeerId, protocol: Protocol) -> Result<Stream, Failed> {
        let _one_by_one = line.opening.lock().await;
        let opened = self.control.clone().open_stream(peer, behaviour::protocol(protocol)).await;
        opened.map_err(|error| match error {
            OpenStreamError::UnsupportedProtocol(_) => {
                Failed::Final(RequestError::NotSpoken(protocol.name()))
            }
            other => Failed::Unanswered(RequestError::Broken(other.to_string())),
        })
    }
}

impl Line {
    fn take(&self) -> Option<Stream> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn give_back(&self, stream: Stream) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(stream);
    }
}

async fn once(line: &Line, mut stream: Stream, frame: &[u8]) -> Result<Response, Failed> {
    let broken = |error: std::io::Error| RequestError::Broken(error.to_string());
    frame::write(&mut stream, frame).await.map_err(|e| Failed::Unanswered(broken(e)))?;
    let answer = frame::read(&mut stream).await.map_err(|unread| match unread {
        Unread::Ended => {
            Failed::Unanswered(RequestError::Broken("the peer ended the stream".to_owned()))
        }
        Unread::Io(error) => Failed::Unanswered(broken(error)),
        Unread::TooLong(len) => {
            Failed::Final(RequestError::Broken(format!("an answer of {len} bytes is too long")))
        }
    })?;
    let response = Response::read(&answer).map_err(|e| Failed::Final(e.into()))?;
    line.give_back(stream);
    Ok(response)
}
