//! Tells a run line by line, for whoever wants to know how a promise broke.
//!
//! **Invariant:** telling changes nothing: no draw, no event, no byte of the trace.

use kirana_core::{
    envelope,
    key::SealingSecret,
    mail::Mail,
    order::wish::{Answer, Said, Wish},
    statement::{Statement, UnverifiedStatement},
    time::UnixMs,
};
use kirana_sync::wire::{Request, Response};

use crate::claim::Entry;

/// Prints what happens, or nothing.
#[derive(Debug, Clone, Copy)]
pub struct Story {
    from: Option<UnixMs>,
}

impl Story {
    /// Tells nothing.
    pub const SILENT: Self = Self { from: None };

    /// Tells everything, by the time since `start`.
    pub const fn since(start: UnixMs) -> Self {
        Self { from: Some(start) }
    }

    /// Whether anybody listens.
    pub const fn is_told(self) -> bool {
        self.from.is_some()
    }

    /// Tells one line; the words are made only where somebody listens.
    pub fn line(self, now: UnixMs, words: impl FnOnce() -> String) {
        if let Some(start) = self.from {
            let ms = now.since(start);
            let (h, m, s) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
            eprintln!("{h:3}:{m:02}:{s:02}.{:03} {}", ms % 1000, words());
        }
    }
}

/// What a request is about, in a few words; mail is opened where one of the keys opens it.
pub fn of_request(request: &Request, keys: &[SealingSecret]) -> String {
    match request {
        Request::Put { mail } => format!("put {}", of_mail(mail, keys)),
        Request::List { after, .. } => format!("list after {after}"),
        Request::Delete { ids } => {
            let ids: Vec<String> = ids.iter().map(|id| short(&id.to_string())).collect();
            format!("delete {}", ids.join(" "))
        }
        other => other.name().to_owned(),
    }
}

/// What an answer says, in a few words.
pub fn of_response(response: &Response, keys: &[SealingSecret]) -> String {
    match response {
        Response::Refused(refused) => format!("refused: {:?}, {}", refused.code, refused.reason),
        Response::Stored { id } => format!("stored {}", short(&id.to_string())),
        Response::Mails { items, more } => {
            let mails: Vec<String> = items.iter().map(|(_, mail)| of_mail(mail, keys)).collect();
            format!("{} mails, more: {more} [{}]", items.len(), mails.join("; "))
        }
        Response::Welcome { lists, .. } => format!("welcome, {} lists", lists.len()),
        Response::Deleted => "deleted".to_owned(),
        _ => "answered".to_owned(),
    }
}

fn of_mail(mail: &Mail, keys: &[SealingSecret]) -> String {
    let name = short(&mail.id().to_string());
    let Ok(parcel) = envelope::open(&mail.sealed, keys) else { return format!("{name} (sealed)") };
    let statements = parcel.statements.iter().map(|bytes| match Entry::read(bytes) {
        Ok(entry) => format!(
            "{} entry {} kind {} of generation {}",
            entry.statement.order, entry.seq, entry.statement.kind, entry.generation
        ),
        Err(_) => UnverifiedStatement::parse(bytes)
            .map_or_else(|e| e.to_string(), |read| of_request_or_answer(read.claimed())),
    });
    let statements: Vec<String> = statements.collect();
    format!("{name} ({})", statements.join(", "))
}

fn of_request_or_answer(statement: &Statement) -> String {
    match Said::of(statement) {
        Ok(Said::Wish(Wish::Heads(heads))) => {
            let each = heads.heads.iter().map(|head| format!("{} at {}", head.order, head.seq));
            let each: Vec<String> = each.collect();
            format!("heads for generation {}: {}", heads.generation, each.join(", "))
        }
        Ok(Said::Answer(Answer::HeadsReply(reply))) => {
            format!("wants {:?}, same {:?}", reply.wanted, reply.same)
        }
        Ok(Said::Answer(Answer::Refusal(refusal))) => {
            format!("{} refused: {}", statement.order, refusal.code)
        }
        _ => format!("{} request kind {}", statement.order, statement.kind),
    }
}

fn short(name: &str) -> String {
    name.chars().take(8).collect()
}
