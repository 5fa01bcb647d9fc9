//! `kirana-hub client …`: programs that people may sign in to with their account here.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use super::{Failed, block_on, hub, say};
use crate::{app::client::NewClient, clock};

#[derive(Subcommand)]
pub(super) enum Client {
    /// Add a program, also beside a running hub; the secret of a confidential one is shown once.
    Add {
        /// Where the data lies.
        #[arg(long)]
        data: PathBuf,
        /// What the program calls itself: its `client_id`.
        #[arg(long)]
        id: String,
        /// Where codes may go, compared byte for byte; may be given again.
        #[arg(long, value_name = "URL", required_unless_present = "confidential")]
        redirect_uri: Vec<String>,
        /// The program runs where it can keep a secret, such as on a server.
        #[arg(long)]
        confidential: bool,
    },
    /// List the programs.
    List {
        /// Where the data lies.
        #[arg(long)]
        data: PathBuf,
    },
    /// Remove a program, and end all that it was given.
    Remove {
        /// Where the data lies.
        #[arg(long)]
        data: PathBuf,
        /// Its `client_id`.
        #[arg(long)]
        id: String,
    },
}

pub(super) fn run(command: Client, json: bool) -> Result<(), Failed> {
    match command {
        Client::Add { data, id, redirect_uri, confidential } => {
            let new = NewClient { id: id.clone(), redirect_uris: redirect_uri, confidential };
            let hub = hub(&data)?;
            let secret = block_on(hub.add_client(new, clock::now(), &mut clock::rng()))?;
            let added = match &secret {
                Some(secret) => json!({ "client_id": id, "client_secret": secret }),
                None => json!({ "client_id": id }),
            };
            say(&added, json, |_| match secret {
                Some(secret) => format!("{id} is added; its secret is shown only now:\n{secret}"),
                None => format!("{id} is added"),
            });
        }
        Client::List { data } => {
            let clients = block_on(hub(&data)?.clients())?;
            let item = |client: &crate::store::client::Client| {
                json!({
                    "client_id": client.id, "redirect_uris": client.redirect_uris,
                    "confidential": client.secret.is_some(),
                    "created_at": client.created_at.to_string(),
                })
            };
            let items: Vec<_> = clients.iter().map(item).collect();
            say(&json!({ "items": items, "next_cursor": null }), json, |_| {
                let line = |client: &crate::store::client::Client| {
                    format!("{}  {}", client.id, client.redirect_uris.join(" "))
                };
                clients.iter().map(line).collect::<Vec<_>>().join("\n")
            });
        }
        Client::Remove { data, id } => {
            block_on(hub(&data)?.remove_client(&id, clock::now()))?;
            say(&json!({ "removed": true }), json, |_| {
                format!("{id} is removed, and what it was given has ended")
            });
        }
    }
    Ok(())
}
