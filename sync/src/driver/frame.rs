//! Frames on a stream: four bytes of length, big-endian, then the frame.
//!
//! A relay that reaches its limit ends a circuit with a clean end of stream; the length tells that
//! from an answer.

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use std::io;

use crate::wire::FRAME_BYTES_MAX;

/// Why no frame was read.
#[derive(Debug)]
pub(super) enum Unread {
    /// The stream ended between two frames.
    Ended,
    /// The frame says that it is longer than a frame may be.
    TooLong(usize),
    /// The stream broke, or ended inside a frame.
    Io(io::Error),
}

/// Waits for the next frame and reads its length; `Ok` within the limit.
pub(super) async fn read_len<S: AsyncRead + Unpin>(stream: &mut S) -> Result<usize, Unread> {
    let mut first = [0; 1];
    match stream.read(&mut first).await {
        Ok(0) => return Err(Unread::Ended),
        Ok(_) => {}
        Err(error) => return Err(Unread::Io(error)),
    }
    let mut rest = [0; 3];
    stream.read_exact(&mut rest).await.map_err(Unread::Io)?;
    let len = u32::from_be_bytes([first[0], rest[0], rest[1], rest[2]]) as usize;
    if len > FRAME_BYTES_MAX { Err(Unread::TooLong(len)) } else { Ok(len) }
}

/// Reads a frame whose length was read; memory grows with what arrives, not with what is claimed.
pub(super) async fn read_body<S: AsyncRead + Unpin>(
    stream: &mut S,
    len: usize,
) -> Result<Vec<u8>, Unread> {
    let mut frame = Vec::new();
    let read = stream.take(len as u64).read_to_end(&mut frame).await.map_err(Unread::Io)?;
    if read < len {
        return Err(Unread::Io(io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(frame)
}

/// Reads one frame.
pub(super) async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Vec<u8>, Unread> {
    let len = read_len(stream).await?;
    read_body(stream, len).await
}

/// Writes one frame and sees it off.
pub(super) async fn write<S: AsyncWrite + Unpin>(stream: &mut S, frame: &[u8]) -> io::Result<()> {
    let Some(len) = u32::try_from(frame.len()).ok().filter(|_| frame.len() <= FRAME_BYTES_MAX)
    else {
        return Err(io::Error::other("the frame is longer than a frame may be"));
    };
    let mut bytes = Vec::with_capacity(4 + frame.len());
    bytes.extend_from_slice(&len.to_be_bytes());
    bytes.extend_from_slice(frame);
    stream.write_all(&bytes).await?;
    stream.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{executor::block_on, io::Cursor};

    #[test]
    fn a_frame_at_its_limit_is_carried_and_one_past_it_is_not() {
        let mut wire = Vec::new();
        block_on(write(&mut wire, &vec![7; FRAME_BYTES_MAX])).expect("fits");
        let read_back = block_on(read(&mut Cursor::new(wire))).expect("fits");
        assert_eq!(read_back.len(), FRAME_BYTES_MAX);
        assert!(block_on(write(&mut Vec::new(), &vec![7; FRAME_BYTES_MAX + 1])).is_err());
        let claimed = u32::try_from(FRAME_BYTES_MAX + 1).expect("small").to_be_bytes();
        let refused = block_on(read(&mut Cursor::new(claimed)));
        assert!(matches!(refused, Err(Unread::TooLong(len)) if len == FRAME_BYTES_MAX + 1));
    }

    #[test]
    fn an_end_between_frames_is_told_from_one_inside() {
        assert!(matches!(block_on(read(&mut Cursor::new([0u8; 0]))), Err(Unread::Ended)));
        for cut in [&[0u8, 0][..], &[0, 0, 0, 5, 1, 2][..]] {
            let read = block_on(read(&mut Cursor::new(cut)));
            assert!(matches!(read, Err(Unread::Io(_))), "{cut:?}");
        }
    }
}
