//! Accounts of others: the list, one of them, its roles and devices, and new ones.
//!
//! **Invariant:** whatever changes somebody else's account is asked for twice.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use kirana_core::id::AccountId;

use super::{
    Answer,
    guard::{Asked, Fields, Operator, Posted, Turned},
    page::{Confirmation, Shell, When, page, page_of},
    see_other,
};
use crate::{
    app::{
        Error,
        account::{NewAccount, Profile},
        administration::Wanted,
        role::{Role, Roles},
    },
    clock,
    http::{Door, extract::id, problem::Problem},
    store::{
        certificate::Device,
        place::{At, Place},
    },
};

/// How many lines a list has.
const LINES: usize = 50;

#[derive(Template)]
#[template(path = "console/accounts.html")]
struct AccountsPage<'a> {
    shell: Shell,
    accounts: Vec<Profile>,
    q: &'a str,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "console/account.html")]
struct AccountPage {
    shell: Shell,
    account: Profile,
    sessions: Vec<Place>,
    devices: Vec<Device>,
    roles: Vec<Choice>,
    is_own: bool,
}

#[derive(Template)]
#[template(path = "console/new_account.html")]
struct NewAccountPage<'a> {
    shell: Shell,
    roles: Vec<Choice>,
    login: &'a str,
    name: &'a str,
    problem: Option<&'a str>,
}

/// A role that can be given: what it comes to, and whether it is ticked.
struct Choice {
    name: &'static str,
    does: &'static str,
    is_ticked: bool,
}

/// The roles that an account can have, with what they come to.
const ROLES: [(Role, &str); 6] = [
    (Role::Customer, "orders from shops"),
    (Role::Courier, "brings orders of shops that name this person"),
    (Role::Staff, "works in shops that name this person"),
    (Role::Owner, "answers for a shop"),
    (Role::HubOperator, "keeps this hub running: approves shops, sees queues, and no names"),
    (Role::Admin, "does all that an operator does, keeps accounts, reads the audit log"),
];

fn choices(ticked: &Roles) -> Vec<Choice> {
    let choice = |(role, does): &(Role, &'static str)| Choice {
        name: role.label(),
        does,
        is_ticked: ticked.contains(role),
    };
    ROLES.iter().map(choice).collect()
}

/// The roles that were ticked.
fn ticked(fields: &Fields) -> Result<Roles, Error> {
    let role = |name| ROLES.iter().find(|(role, _)| role.label() == name).map(|(role, _)| *role);
    let roles = fields.all("role").map(role).collect::<Option<_>>();
    roles.ok_or(Error::Invalid { field: "role", why: "one that the page offers" })
}

/// What to call an account in front of this operator.
pub fn name_of(account: &Profile) -> String {
    match &account.personal {
        Some(personal) => personal.login.clone(),
        None => format!("account {}", short(&account.id)),
    }
}

/// The end of a long id, enough to tell two apart at a glance.
pub fn short(id: &impl ToString) -> String {
    let id = id.to_string();
    format!("…{}", id.get(id.len().saturating_sub(8)..).unwrap_or(&id))
}

/// The list, or those in whom something was found.
pub async fn list(
    State(door): State<Door>,
    Asked(asked): Asked,
    Operator { actor, shell }: Operator,
) -> Result<Response, Turned> {
    let q = asked.text("q").trim();
    let after = asked.given("after").map(|after| id::<AccountId>("account", after)).transpose()?;
    let wanted = Wanted { q: Some(q.to_owned()).filter(|q| !q.is_empty()), ..Wanted::default() };
    let found = door.hub.accounts(&actor, &wanted, after, LINES, clock::now()).await?;
    let next = found.next.map(|next| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("q", q).append_pair("after", &next.to_string()).finish()
    });
    Ok(page(&AccountsPage { shell, accounts: found.profiles, q, next })?)
}

/// One account.
pub async fn show(
    State(door): State<Door>,
    Path(account): Path<String>,
    Operator { actor, shell }: Operator,
) -> Result<Response, Turned> {
    let (account, now) = (id::<AccountId>("account", &account)?, clock::now());
    let account = door.hub.account(&actor, account, now).await?;
    // Whoever may not see the person may not see either what the person does.
    let (sessions, devices) = match account.personal {
        None => (Vec::new(), Vec::new()),
        Some(_) => (
            door.hub.sessions_of(&actor, account.id, now).await?,
            door.hub.devices_of(&actor, account.id, now).await?,
        ),
    };
    let (roles, is_own) = (choices(&account.roles), account.id == actor.account);
    Ok(page(&AccountPage { shell, account, sessions, devices, roles, is_own })?)
}

/// Asks for what a new account needs.
pub async fn ask_new(Operator { shell, .. }: Operator) -> Result<Response, Turned> {
    let roles = choices(&[Role::Customer].into());
    Ok(page(&NewAccountPage { shell, roles, login: "", name: "", problem: None })?)
}

/// Makes an account for somebody.
pub async fn create(State(door): State<Door>, Posted { actor, shell, fields }: Posted) -> Answer {
    let given = |name| fields.given(name).map(str::to_owned);
    let new = NewAccount {
        login: fields.text("login").to_owned(),
        password: fields.text("password").to_owned(),
        email: given("email"),
        name: given("name"),
        language: None,
    };
    let (roles, now, mut rng) = (ticked(&fields)?, clock::now(), clock::rng());
    match door.hub.create_account_for(&actor, new, roles.clone(), None, now, &mut rng).await {
        Ok(id) => Ok(see_other(&format!("/console/accounts/{id}?done=created"))),
        Err(error) => {
            let problem = Problem::from(error);
            let status = StatusCode::from_u16(problem.status);
            let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let (login, name) = (fields.text("login"), fields.text("name"));
            let problem = problem.detail.as_deref().or(Some("something failed inside; try again"));
            let roles = choices(&roles);
            page_of(status, &NewAccountPage { shell, roles, login, name, problem })
        }
    }
}

/// Asks whether these roles are meant.
pub async fn ask_roles(
    State(door): State<Door>,
    Path(account): Path<String>,
    Asked(asked): Asked,
    Operator { actor, shell }: Operator,
) -> Result<Response, Turned> {
    let account = id::<AccountId>("account", &account)?;
    let profile = door.hub.account(&actor, account, clock::now()).await?;
    let roles = ticked(&asked)?;
    let names = |roles: &Roles| roles.iter().map(|role| role.label()).collect::<Vec<_>>();
    let said = |roles| Some(names(roles).join(", ")).filter(|said| !said.is_empty());
    let said = |roles| said(roles).unwrap_or_else(|| "none".to_owned());
    let question = Confirmation {
        shell,
        title: format!("Give {} these roles?", name_of(&profile)),
        lines: vec![
            format!("Now: {}.", said(&profile.roles)),
            format!("From then on: {}.", said(&roles)),
            "A browser that is signed in at the console with this account is signed out there."
                .to_owned(),
        ],
        action: format!("/console/accounts/{account}/roles"),
        fields: names(&roles).into_iter().map(|role| ("role", role.to_owned())).collect(),
        button: "Set the roles",
        is_grave: false,
        back: format!("/console/accounts/{account}"),
    };
    Ok(page(&question)?)
}

/// Sets the roles.
pub async fn set_roles(
    State(door): State<Door>,
    Path(account): Path<String>,
    Posted { actor, fields, .. }: Posted,
) -> Answer {
    let account = id::<AccountId>("account", &account)?;
    door.hub.set_roles(&actor, account, &ticked(&fields)?, clock::now()).await?;
    Ok(see_other(&format!("/console/accounts/{account}?done=roles-set")))
}

/// Asks whether a device is to be shut out.
pub async fn ask_revoke(
    State(door): State<Door>,
    Path((account, device)): Path<(String, String)>,
    Operator { actor, shell }: Operator,
) -> Result<Response, Turned> {
    let account = id::<AccountId>("account", &account)?;
    let devices = door.hub.devices_of(&actor, account, clock::now()).await?;
    let device = devices.into_iter().find(|known| known.key.to_string() == device);
    let device = device.ok_or(Error::NotFound { what: "device" })?.key;
    let why = "Hubs and shops refuse it as soon as they hear of this. It cannot be undone; the \
               person can have the device certified anew.";
    let question = Confirmation {
        shell,
        title: format!("Shut the device {device} out?"),
        lines: vec![why.to_owned()],
        action: format!("/console/accounts/{account}/devices/{device}"),
        fields: Vec::new(),
        button: "Shut it out",
        is_grave: true,
        back: format!("/console/accounts/{account}"),
    };
    Ok(page(&question)?)
}

/// Shuts a device out.
pub async fn revoke(
    State(door): State<Door>,
    Path((account, device)): Path<(String, String)>,
    Posted { actor, .. }: Posted,
) -> Answer {
    let account = id::<AccountId>("account", &account)?;
    let device = id("device", &device)?;
    door.hub.revoke_device_of(&actor, account, device, clock::now()).await?;
    Ok(see_other(&format!("/console/accounts/{account}?done=device-revoked")))
}
