//! The hubs that this one knows; certifying a community hub, and shutting one out.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};
use kirana_core::{certificate::HubRole, key::KeyId, roster::Roster};

use super::{
    Answer,
    guard::{Operator, Posted, Turned},
    page::{Confirmation, Shell, When, page},
    see_other,
};
use crate::{
    app::{
        Error,
        overview::{Certified, Neighbourhood},
    },
    clock,
    http::{
        Door,
        extract::{GivenKeys, id},
    },
};

#[derive(Template)]
#[template(path = "console/hubs.html")]
struct HubsPage {
    shell: Shell,
    roster: Option<Roster>,
    own: KeyId,
    community: Vec<Certified>,
}

/// The roster and the community hubs.
pub async fn show(
    State(door): State<Door>,
    Operator { actor, shell }: Operator,
) -> Result<Response, Turned> {
    let Neighbourhood { roster, own, community } =
        door.hub.neighbourhood(&actor, clock::now()).await?;
    Ok(page(&HubsPage { shell, roster, own, community })?)
}

/// Certifies a community hub by the line that it printed.
pub async fn certify(State(door): State<Door>, Posted { actor, fields, .. }: Posted) -> Answer {
    let why = "the line that the community hub prints: signing_key, sealing_key and proof as JSON";
    let given = serde_json::from_str::<GivenKeys>(fields.text("keys").trim());
    let given = given.map_err(|_| Error::Invalid { field: "keys", why })?;
    let (keys, now, mut rng) = (given.parse()?, clock::now(), clock::rng());
    door.hub.certify_hub(Some(&actor), keys, now, &mut rng).await?;
    Ok(see_other("/console/hubs?done=hub-certified"))
}

/// Asks whether a community hub is to be shut out.
pub async fn ask_revoke(
    State(door): State<Door>,
    Path(hub): Path<String>,
    Operator { actor, shell }: Operator,
) -> Result<Response, Turned> {
    let Neighbourhood { community, .. } = door.hub.neighbourhood(&actor, clock::now()).await?;
    let hub = community.into_iter().find(|known| known.key.to_string() == hub);
    let key = hub.ok_or(Error::NotFound { what: "community hub certified here" })?.key;
    let why = "Other hubs take nothing from it any more, and devices refuse it, as soon as they hear \
               of this. Mail that it holds and nobody fetched is sent again by its senders, another \
               way. It comes back only when somebody certifies it anew.";
    let question = Confirmation {
        shell,
        title: format!("Shut the community hub {key} out?"),
        lines: vec![why.to_owned()],
        action: format!("/console/hubs/{key}"),
        fields: Vec::new(),
        button: "Shut it out",
        is_grave: true,
        back: "/console/hubs".to_owned(),
    };
    Ok(page(&question)?)
}

/// Shuts a community hub out.
pub async fn revoke(
    State(door): State<Door>,
    Path(hub): Path<String>,
    Posted { actor, .. }: Posted,
) -> Answer {
    door.hub.revoke_hub(&actor, id("hub", &hub)?, clock::now()).await?;
    Ok(see_other("/console/hubs?done=hub-revoked"))
}
