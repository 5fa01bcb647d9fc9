//! `/v1/me/addresses`: where orders of a hosted account are brought.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use kirana_core::{geohash::Place, hash::Hash, household, id::AddressId};
use serde::{Deserialize, Serialize};

use super::{
    Door,
    admin::Page,
    extract::{Body, Key, Signed, id},
    problem::Problem,
};
use crate::{app::Error, clock};

/// An address; parts that a country does not use are left out.
#[derive(Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddressParts {
    /// What its person calls it.
    #[schema(
        min_length = 1,
        max_length = 120,
        pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*[^\\s\\x00-\\x1f\\x7f-\\x9f][^\\x00-\\x1f\\x7f-\\x9f]*$"
    )]
    label: String,
    /// Street, house, landmark.
    #[schema(
        min_length = 1,
        max_length = 120,
        pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*[^\\s\\x00-\\x1f\\x7f-\\x9f][^\\x00-\\x1f\\x7f-\\x9f]*$"
    )]
    text: String,
    /// Where to call.
    #[serde(default)]
    #[schema(max_length = 40, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    phone: String,
    /// The town.
    #[serde(default)]
    #[schema(max_length = 120, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    city: String,
    /// The state or region.
    #[serde(default)]
    #[schema(max_length = 120, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    region: String,
    /// The PIN or postcode.
    #[serde(default)]
    #[schema(max_length = 40, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    postcode: String,
    /// The country, as two letters of ISO 3166-1; nothing stands for the shop's own.
    #[serde(default)]
    #[schema(pattern = "^([A-Z]{2})?$")]
    country: String,
    /// Latitude and longitude in degrees: `12.9716,77.5946`.
    #[serde(default)]
    #[schema(
        pattern = "^-?([0-8]?[0-9](\\.[0-9]{1,7})?|90),-?([0-9]{1,2}(\\.[0-9]{1,7})?|1[0-7][0-9](\\.[0-9]{1,7})?|180)$"
    )]
    position: Option<String>,
}

/// An address as it is kept.
#[derive(Serialize, utoipa::ToSchema)]
pub struct AddressItem {
    /// Its name.
    #[schema(value_type = String, format = Uuid)]
    id: AddressId,
    /// What its person calls it.
    label: String,
    /// Street, house, landmark.
    text: String,
    /// Where to call.
    phone: String,
    /// The town.
    city: String,
    /// The state or region.
    region: String,
    /// The PIN or postcode.
    postcode: String,
    /// The country, as two letters of ISO 3166-1; nothing stands for the shop's own.
    country: String,
    /// Latitude and longitude in degrees.
    position: Option<String>,
    /// Whether it is the one that is taken where none is chosen.
    is_default: bool,
}

/// The own addresses, oldest first.
#[utoipa::path(get, path = "/v1/me/addresses", tag = "hosted", security(("bearer" = [])),
    responses((status = 200, body = Page<AddressItem>),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn list(
    State(door): State<Door>,
    Signed(actor): Signed,
) -> Result<Json<Page<AddressItem>>, Problem> {
    let (all, usual) = door.hub.addresses(&actor, clock::now(), &mut clock::rng()).await?;
    let item = |(id, address)| AddressItem::of(id, address, Some(id) == usual);
    Ok(Json(Page { items: all.into_iter().map(item).collect(), next_cursor: None }))
}

/// Adds an address; the first one is the usual one.
#[utoipa::path(post, path = "/v1/me/addresses", tag = "hosted", security(("bearer" = [])),
    request_body = AddressParts, responses((status = 201, body = AddressItem),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn add(
    State(door): State<Door>,
    Signed(actor): Signed,
    key: Key,
    Body(given): Body<AddressParts>,
) -> Result<(StatusCode, Json<AddressItem>), Problem> {
    let once = key.once(&actor.account.to_string(), "addresses", given.fingerprint());
    let (now, mut rng) = (clock::now(), clock::rng());
    let id = door.hub.put_address(&actor, (None, once), given.parse()?, now, &mut rng).await?;
    Ok((StatusCode::CREATED, Json(one(&door, &actor, id).await?)))
}

/// One of the own addresses.
#[utoipa::path(get, path = "/v1/me/addresses/{id}", tag = "hosted", security(("bearer" = [])),
    params(("id" = String, Path)), responses((status = 200, body = AddressItem),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn show(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path(address): Path<String>,
) -> Result<Json<AddressItem>, Problem> {
    Ok(Json(one(&door, &actor, id("address", &address)?).await?))
}

/// Puts other parts in place of an address's.
#[utoipa::path(put, path = "/v1/me/addresses/{id}", tag = "hosted", security(("bearer" = [])),
    params(("id" = String, Path)), request_body = AddressParts,
    responses((status = 200, body = AddressItem),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn put(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path(address): Path<String>,
    Body(given): Body<AddressParts>,
) -> Result<Json<AddressItem>, Problem> {
    let (known, now, mut rng) = (id("address", &address)?, clock::now(), clock::rng());
    let parts = given.parse()?;
    door.hub.put_address(&actor, (Some(known), None), parts, now, &mut rng).await?;
    Ok(Json(one(&door, &actor, known).await?))
}

/// Removes an address.
#[utoipa::path(delete, path = "/v1/me/addresses/{id}", tag = "hosted", security(("bearer" = [])),
    params(("id" = String, Path)), responses((status = 204),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn remove(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path(address): Path<String>,
) -> Result<StatusCode, Problem> {
    let (known, now) = (id("address", &address)?, clock::now());
    door.hub.change_address(&actor, known, true, now, &mut clock::rng()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes an address the usual one.
#[utoipa::path(put, path = "/v1/me/addresses/{id}/default", tag = "hosted",
    security(("bearer" = [])), params(("id" = String, Path)), responses((status = 204),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn choose(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path(address): Path<String>,
) -> Result<StatusCode, Problem> {
    let (known, now) = (id("address", &address)?, clock::now());
    door.hub.change_address(&actor, known, false, now, &mut clock::rng()).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn one(
    door: &Door,
    actor: &crate::app::policy::Actor,
    id: AddressId,
) -> Result<AddressItem, Problem> {
    let (all, usual) = door.hub.addresses(actor, clock::now(), &mut clock::rng()).await?;
    let found = all.into_iter().find(|(known, _)| *known == id);
    let (_, address) = found.ok_or(Error::NotFound { what: "address" })?;
    Ok(AddressItem::of(id, address, Some(id) == usual))
}

impl AddressItem {
    fn of(id: AddressId, address: household::Address, is_default: bool) -> Self {
        let household::Address { label, text, phone, city, region, postcode, country, position } =
            address;
        let position = position.map(|place| place.to_string());
        Self { id, label, text, phone, city, region, postcode, country, position, is_default }
    }
}

impl AddressParts {
    fn parse(self) -> Result<household::Address, Error> {
        let texts =
            [&self.label, &self.text, &self.phone, &self.city, &self.region, &self.postcode];
        if texts.iter().any(|text| text.chars().any(char::is_control) || text.chars().count() > 120)
        {
            let why = "at most 120 characters, none of them control";
            return Err(Error::Invalid { field: "address", why });
        }
        if [&self.phone, &self.postcode].iter().any(|text| text.chars().count() > 40) {
            let why = "at most 40 characters";
            return Err(Error::Invalid { field: "phone and postcode", why });
        }
        if self.text.trim().is_empty() || self.label.trim().is_empty() {
            return Err(Error::Invalid { field: "label and text", why: "something to read" });
        }
        let is_code =
            self.country.len() == 2 && self.country.bytes().all(|b| b.is_ascii_uppercase());
        if !self.country.is_empty() && !is_code {
            return Err(Error::Invalid {
                field: "country",
                why: "two capital letters, such as IN",
            });
        }
        let position = self.position.as_deref().map(str::parse::<Place>).transpose();
        let why = "latitude and longitude in degrees, such as 12.9716,77.5946";
        let position = position.map_err(|_| Error::Invalid { field: "position", why })?;
        let Self { label, text, phone, city, region, postcode, country, .. } = self;
        Ok(household::Address { label, text, phone, city, region, postcode, country, position })
    }

    fn fingerprint(&self) -> Hash {
        // A struct of texts always becomes JSON.
        Hash::of(serde_json::to_string(self).unwrap_or_default().as_bytes())
    }
}
