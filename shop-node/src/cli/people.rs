//! Who works here: certifying, shutting out, and tokens for the shop's own door.

use base64::{Engine, engine::general_purpose::STANDARD};
use kirana_core::{
    enrolment::{Enrolment, Request},
    key::KeyId,
};
use serde_json::{Value, json};

use super::{Data, Done, Failure, qr::Photos};
use crate::{
    app::{
        Shop,
        access::{Access, Closed, Session},
        pin::Pin,
        roles::{NotARole, OwnRole, Post, RoleName},
        staff::{Listed, Member, NotStaffed},
    },
    clock,
    home::Home,
    store::staff::Person,
};

/// Prints an access token for this shop's own door.
#[derive(clap::Args)]
pub struct Token {
    #[command(flatten)]
    data: Data,
    /// For whom; staff gets a key and a certificate of their own.
    #[arg(long, default_value = "owner", value_parser = post)]
    role: Post,
    /// A name for the owner's list, such as "till 2".
    #[arg(long, default_value = "")]
    name: String,
}

impl Token {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        let access = door(&with(self.data))?;
        let (now, mut rng) = (clock::now(), clock::rng());
        let session = match self.role {
            Post::Owner if self.name.is_empty() => access.owner_session(now, &mut rng)?,
            post => access.staff_session(post, self.name, now, &mut rng)?,
        };
        let Session { access_token, expires_in, device } = session;
        let shown = json!({
            "access_token": access_token, "token_type": "Bearer", "expires_in": expires_in,
            "device": device,
        });
        Ok(Done::new(access_token, shown))
    }
}

/// People who work here, their devices and what they may do.
#[derive(clap::Args)]
pub struct Staff {
    #[command(subcommand)]
    what: StaffCommand,
}

#[derive(clap::Subcommand)]
enum StaffCommand {
    /// Shows the devices and the people that work here.
    List {
        #[command(flatten)]
        data: Data,
    },
    /// Certifies a device by the code that it shows, or takes in a person for turns at a till.
    Add {
        #[command(flatten)]
        data: Data,
        /// What the new device shows: `kirana-enrol:…`; nothing for a person without a device.
        request: Option<String>,
        #[command(flatten)]
        photos: Photos,
        /// `owner`, `staff`, `courier`, or one of the shop's own roles.
        #[arg(long, value_parser = post)]
        role: Post,
        /// A name for the list, such as "till 2"; for a person, what they type at the till.
        #[arg(long, default_value = "")]
        name: String,
    },
    /// Certifies a device once more, as what it was.
    Renew {
        #[command(flatten)]
        data: Data,
        /// The device.
        device: KeyId,
    },
    /// Shuts a device or a person out, at once and without any hub.
    Revoke {
        #[command(flatten)]
        data: Data,
        /// The device or the person, as `list` names them.
        device: KeyId,
        /// Also where it is the last device of an owner.
        #[arg(long)]
        even_the_last: bool,
    },
    /// Sets a person's PIN, from KIRANA_PIN or a prompt.
    Pin {
        #[command(flatten)]
        data: Data,
        /// The person, by name.
        name: String,
    },
    /// Shows, makes, changes or removes a role of the shop's own.
    Role {
        #[command(flatten)]
        data: Data,
        /// Its name; all are shown without one.
        name: Option<String>,
        /// What it permits, such as `order.view order.pack`.
        permissions: Vec<String>,
        /// Removes it.
        #[arg(long)]
        remove: bool,
    },
}

fn post(word: &str) -> Result<Post, NotARole> {
    word.parse()
}

impl Staff {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        let (now, mut rng) = (clock::now(), clock::rng());
        match self.what {
            StaffCommand::List { data } => list(&with(data).shop()?),
            StaffCommand::Add { data, request, photos, role, name } => {
                let request = photos.or(request)?;
                add(&with(data).shop()?, request.as_deref(), role, name)
            }
            StaffCommand::Renew { data, device } => {
                let shop = with(data).shop()?;
                shop.renew_staff(device, now, &mut rng)?;
                device_shown(&shop, device, "is certified once more")
            }
            StaffCommand::Revoke { data, device, even_the_last } => {
                let shop = with(data).shop()?;
                match shop.remove_person(device) {
                    Err(NotStaffed::Unknown(_)) => {
                        shop.revoke_staff(device, even_the_last, now, &mut rng)?;
                    }
                    removed => removed?,
                }
                let says = format!("{device} is shut out, from now on.");
                Ok(Done::new(says, json!({ "device": device, "revoked": true })))
            }
            StaffCommand::Pin { data, name } => pin(&with(data).shop()?, &name),
            StaffCommand::Role { data, name, permissions, remove } => {
                role(&with(data).shop()?, name, permissions, remove)
            }
        }
    }
}

fn list(shop: &Shop) -> Result<Done, Failure> {
    let (devices, people) =
        (shop.staff().map_err(Failure::of)?, shop.people().map_err(Failure::of)?);
    let mut says = Vec::new();
    for d in &devices {
        let state = if d.revoked { "shut out".to_owned() } else { format!("until {}", d.expires) };
        says.push(format!("{}  {}  {}  {state}", d.device, d.role, d.label));
    }
    for p in &people {
        let pin = if p.pin.is_some() { "has a PIN" } else { "no PIN yet" };
        says.push(format!("{}  {}  {}  {pin}", p.id, p.role, p.name));
    }
    let items: Vec<Value> = devices.iter().map(shown).collect();
    let person = |p: &Person| json!({ "id": p.id, "name": p.name, "role": p.role, "has_pin": p.pin.is_some() });
    let people: Vec<Value> = people.iter().map(person).collect();
    Ok(Done::new(says.join("\n"), json!({ "items": items, "people": people })))
}

fn shown(listed: &Listed) -> Value {
    let certificates = listed.certificates.iter().map(|bytes| STANDARD.encode(bytes));
    json!({
        "id": listed.device, "label": listed.label, "role": listed.role,
        "since": listed.since.to_string(), "expires": listed.expires.to_string(),
        "revoked": listed.revoked, "certificates": certificates.collect::<Vec<_>>(),
    })
}

fn device_shown(shop: &Shop, device: KeyId, what: &str) -> Result<Done, Failure> {
    let listed = shop.staff().map_err(Failure::of)?.into_iter().find(|l| l.device == device);
    let listed = listed.ok_or(NotStaffed::Unknown(device))?;
    Ok(Done::new(format!("{device} {what}, until {}.", listed.expires), shown(&listed)))
}

fn add(shop: &Shop, request: Option<&str>, post: Post, name: String) -> Result<Done, Failure> {
    let (now, mut rng) = (clock::now(), clock::rng());
    let Some(request) = request else {
        let person = shop.add_person(&name, post, now, &mut rng)?;
        let says = format!("{} works here; set a PIN with `staff pin`.", person.name);
        let shown = json!({ "id": person.id, "name": person.name, "role": person.role });
        return Ok(Done::new(says, shown));
    };
    let not = |says: String| Failure { code: 1, name: "not-staffed", says };
    let read = Request::read(request).map_err(|e| not(e.to_string()))?;
    if read.enrolment.shop != Some(shop.id()) || read.enrolment.account.is_some() {
        return Err(not("the device asks for another shop".to_owned()));
    }
    let Enrolment { key, sealing, .. } = read.enrolment;
    shop.add_staff(Member { key, sealing, post, label: name }, now, &mut rng)?;
    device_shown(shop, key.id(), "works here")
}

fn pin(shop: &Shop, name: &str) -> Result<Done, Failure> {
    let people = shop.people().map_err(Failure::of)?;
    let person = people.into_iter().find(|p| p.name.to_lowercase() == name.to_lowercase());
    let person = person.ok_or_else(|| Failure::usage(format!("nobody here is called «{name}»")))?;
    let typed = match std::env::var("KIRANA_PIN") {
        Ok(pin) => pin,
        Err(_) => rpassword::prompt_password("PIN, six digits: ").map_err(Failure::of)?,
    };
    let pin = Pin::choose(&typed).map_err(|e| Failure::usage(e.to_string()))?;
    shop.set_pin(person.id, &pin, &mut clock::rng())?;
    let says = format!("{} has a PIN; turns that were open have ended.", person.name);
    Ok(Done::new(says, json!({ "id": person.id, "name": person.name })))
}

fn role(
    shop: &Shop,
    name: Option<String>,
    permissions: Vec<String>,
    remove: bool,
) -> Result<Done, Failure> {
    if let Some(name) = name {
        let name: RoleName = name.parse().map_err(|e: NotARole| Failure::usage(e.to_string()))?;
        match remove {
            true => shop.remove_role(name)?,
            false => {
                let words = permissions.into_iter().collect();
                shop.put_role(name, &crate::http::staff::actions(&words)?)?;
            }
        }
    }
    let roles = shop.own_roles().map_err(Failure::of)?;
    let shown = |role: &OwnRole| {
        let words: Vec<_> = role.permissions.iter().map(|action| action.label()).collect();
        json!({ "id": role.name, "permissions": words })
    };
    let items: Vec<Value> = roles.iter().map(shown).collect();
    let line = |item: &Value| format!("{}: {}", item["id"], item["permissions"]);
    let says: Vec<_> = items.iter().map(line).collect();
    Ok(Done::new(says.join("\n"), json!({ "items": items })))
}

impl From<NotStaffed> for Failure {
    fn from(why: NotStaffed) -> Self {
        Self { code: 1, name: "not-staffed", says: why.to_string() }
    }
}

fn door(home: &Home) -> Result<Access, Failure> {
    let secret = clock::draw(&mut clock::rng());
    Access::new(home.shop()?, secret).map_err(Failure::of)
}

impl From<Closed> for Failure {
    fn from(closed: Closed) -> Self {
        Self { code: 1, name: "closed", says: closed.to_string() }
    }
}
