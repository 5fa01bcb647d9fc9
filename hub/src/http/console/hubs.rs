//! The hubs that this one knows, and certifying a community hub.

use askama::Template;
use axum::{extract::State, response::Response};
use kirana_core::{certificate::HubRole, key::KeyId, roster::Roster};

use super::{
    Answer,
    guard::{Operator, Posted, Turned},
    page::{Shell, When, page},
    see_other,
};
use crate::{
    app::{
        Error,
        overview::{Certified, Neighbourhood},
    },
    clock,
    http::{Door, extract::GivenKeys},
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
