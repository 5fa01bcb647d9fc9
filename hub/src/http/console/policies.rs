//! The rules that say who may do what, as they are written.

use askama::Template;
use axum::response::Response;
use kirana_core::{hash::Hash, policy::Policies};

use super::{
    guard::{Operator, Turned},
    page::{Shell, page},
};

#[derive(Template)]
#[template(path = "console/policies.html")]
struct PoliciesPage {
    shell: Shell,
    hash: Hash,
    text: &'static str,
}

/// The policies; they are public.
pub async fn show(Operator { shell, .. }: Operator) -> Result<Response, Turned> {
    let (hash, text) = (Policies::hash(), Policies::text());
    Ok(page(&PoliciesPage { shell, hash, text })?)
}
