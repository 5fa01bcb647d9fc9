//! Sends letters: by a mail server, or into a folder where there is none.
//!
//! **Invariant:** a letter is taken from the queue only once the mail server took it or its file is
//! on disk, so a crash sends it a second time at most, under the same message id.

use std::{
    fs::File,
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::{Duration, UNIX_EPOCH},
};

use kirana_core::time::UnixMs;
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Body, Mailbox, SinglePart,
        header::{ContentTransferEncoding, ContentType},
    },
    transport::smtp::authentication::Credentials,
};

use crate::{
    app::{self, Hub, letter::Written},
    clock,
    config::{Security, Smtp},
    key_file,
    store::letter::Letter,
};

/// Where letters go.
pub enum Post {
    /// Into a folder, a file each.
    Folder(PathBuf),
    /// To a mail server.
    Server(Box<AsyncSmtpTransport<Tokio1Executor>>),
}

/// Why a letter did not leave.
#[derive(Debug, thiserror::Error)]
enum NotSent {
    #[error("it cannot be written as a message: {0}")]
    Message(#[from] lettre::error::Error),
    #[error("its file cannot be written: {0}")]
    Folder(#[from] io::Error),
    #[error("the mail server did not take it: {0}")]
    Server(#[from] lettre::transport::smtp::Error),
}

/// How often the queue is looked at when nobody called.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long a mail server may take for one step.
const SERVER_TIME_MAX: Duration = Duration::from_secs(20);
/// The folder for letters, in the data folder.
pub const OUTBOX: &str = "outbox";

impl Post {
    /// The mail server of the settings, or the folder.
    ///
    /// # Errors
    /// When the system's certificates cannot be read.
    pub fn of(smtp: Option<&Smtp>, data: &Path) -> Result<Self, lettre::transport::smtp::Error> {
        let Some(smtp) = smtp else {
            let outbox = data.join(OUTBOX);
            tracing::info!("no mail server is set: letters are written to {}", outbox.display());
            return Ok(Self::Folder(outbox));
        };
        type Transport = AsyncSmtpTransport<Tokio1Executor>;
        let builder = match smtp.security {
            Security::Tls => Transport::relay(&smtp.host)?,
            Security::Starttls => Transport::starttls_relay(&smtp.host)?,
            Security::Plain => Transport::builder_dangerous(&smtp.host),
        };
        let builder = builder.port(smtp.port).timeout(Some(SERVER_TIME_MAX));
        let builder = match &smtp.user {
            Some(user) => {
                let password = smtp.password.as_ref().map(|p| p.reveal().to_owned());
                builder.credentials(Credentials::new(user.clone(), password.unwrap_or_default()))
            }
            None => builder,
        };
        Ok(Self::Server(Box::new(builder.build())))
    }
}

/// Sends what is queued, for as long as the program runs.
pub async fn run(hub: Hub, post: Post, from: Mailbox) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            _ = look.tick() => {}
            () = hub.post_is_called() => {}
        }
        if let Err(error) = send_all(&hub, &post, &from).await {
            tracing::warn!(%error, "letters wait; they are tried again");
        }
    }
}

async fn send_all(hub: &Hub, post: &Post, from: &Mailbox) -> Result<(), app::Error> {
    hub.store_refusals().await?;
    hub.answer_resets(clock::now(), &mut clock::rng()).await?;
    loop {
        let due = hub.due_letters(clock::now()).await?;
        if due.is_empty() {
            return Ok(());
        }
        for (letter, written) in due {
            match send(post, from, &letter, &written, clock::now()).await {
                Ok(()) => hub.letter_left(&letter).await?,
                Err(not_sent) if not_sent.is_for_good() => {
                    tracing::warn!(error = %not_sent, "a letter is thrown away");
                    hub.letter_left(&letter).await?;
                }
                Err(not_sent) => {
                    tracing::warn!(error = %not_sent, tries = letter.tries, "a letter waits");
                    hub.letter_waits(&letter, clock::now()).await?;
                }
            }
        }
    }
}

impl NotSent {
    /// Whether another try would end the same way.
    fn is_for_good(&self) -> bool {
        match self {
            Self::Message(_) => true,
            Self::Folder(_) => false,
            Self::Server(error) => error.is_permanent(),
        }
    }
}

async fn send(
    post: &Post,
    from: &Mailbox,
    letter: &Letter,
    written: &Written,
    now: UnixMs,
) -> Result<(), NotSent> {
    let id = uuid::Uuid::from_bytes(letter.id);
    let to: lettre::Address = written.to.parse().map_err(|_| lettre::error::Error::MissingTo)?;
    let message = Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(written.subject.clone())
        .message_id(Some(format!("<{id}@{}>", from.email.domain())))
        .date(UNIX_EPOCH + Duration::from_millis(now.get()))
        .singlepart(part(&written.body)?)?;
    match post {
        Post::Folder(outbox) => Ok(write(outbox, &id.to_string(), &message.formatted())?),
        Post::Server(server) => Ok(server.send(message).await.map(drop)?),
    }
}

/// A text of plain letters stays readable in the raw message, so that a long link is not broken
/// into pieces; lines may have 998 characters (RFC 5322, section 2.1.1).
fn part(text: &str) -> Result<SinglePart, NotSent> {
    let text = text.replace('\n', "\r\n");
    let body = match text.is_ascii() {
        true => {
            let plain = ContentTransferEncoding::SevenBit;
            Body::dangerous_pre_encoded(text.into_bytes(), plain)
        }
        false => Body::new_with_encoding(text, ContentTransferEncoding::Base64)
            .map_err(|_| lettre::error::Error::NonAsciiChars)?,
    };
    Ok(SinglePart::builder().header(ContentType::TEXT_PLAIN).body(body))
}

/// Writes a file in one step: whoever looks sees all of it or none.
fn write(outbox: &Path, name: &str, message: &[u8]) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(outbox)?;
    let unfinished = outbox.join(format!(".{name}"));
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    key_file::private_file(&unfinished, message)?;
    std::fs::rename(&unfinished, outbox.join(format!("{name}.eml")))?;
    File::open(outbox)?.sync_all()
}
