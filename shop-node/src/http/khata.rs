//! Khata over HTTP: who owes what, the books with their entries, payments, statements, reminders.

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use kirana_core::{
    catalogue::product::Language, day::Day, id::AccountId, key::KeyId, money::Money,
    order::facts::Means, policy::Action, statement::Party,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Door,
    auth::SignedIn,
    extract::{Json, Path, Query, Repeatable},
    now,
    orders::{may, shown as order_shown, which},
    problem::Problem,
};
mod shown;

pub use shown::{all, of_due, shown, with_entries};

use crate::{
    app::{
        access::Visitor,
        khata::{NewKhata, OnCredit, Writing},
        orders::Deed,
    },
    clock,
};

/// A book to open: for an account, a guest's device, or a person by name and phone.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// The customer's account.
    #[serde(default)]
    account: Option<String>,
    /// The key of a guest's device.
    #[serde(default)]
    guest: Option<String>,
    /// What the person is called; needed where there is no device.
    #[serde(default)]
    #[schema(max_length = 200)]
    name: String,
    /// The person's phone number.
    #[serde(default)]
    #[schema(max_length = 200)]
    phone: String,
    /// What may be owed at most.
    #[schema(value_type = Object)]
    limit: Money,
    /// What was owed before, by the notebook; nothing unless given.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    opening: Option<Money>,
}

/// What is written into a book.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// `charged` (unless given), or by the owner `credited` or `paid_out`.
    #[serde(default)]
    kind: Option<String>,
    /// How much.
    #[schema(value_type = Object)]
    amount: Money,
    /// What it is for.
    #[serde(default)]
    #[schema(max_length = 500)]
    words: String,
    /// By what money is paid out: `cash`, `upi` or `card`.
    #[serde(default)]
    means: Option<String>,
    /// Whether the balance may pass the limit: the owner's to say.
    #[serde(default)]
    over_limit: bool,
}

/// Money that came in for a book.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Payment {
    /// How much; no more than is owed.
    #[schema(value_type = Object)]
    amount: Money,
    /// `cash`, `upi` or `card`; cash unless given.
    #[serde(default)]
    means: Option<String>,
    /// What else to say.
    #[serde(default)]
    #[schema(max_length = 500)]
    words: String,
}

/// What may be owed from now on.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// At most so much.
    #[schema(value_type = Object)]
    limit: Money,
}

/// What the owner gives up.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenUp {
    /// How much; no more than is owed.
    #[schema(value_type = Object)]
    amount: Money,
    /// Why.
    #[schema(max_length = 500)]
    words: String,
}

/// Whose device is linked to a book.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Holder {
    /// The customer's account.
    #[serde(default)]
    account: Option<String>,
    /// The key of a guest's device.
    #[serde(default)]
    guest: Option<String>,
}

/// The words of a reminder.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Reminder {
    /// What to say; the usual words unless given.
    #[schema(max_length = 500)]
    words: String,
    /// The language of the usual words.
    #[schema(value_type = Option<String>)]
    language: Option<Language>,
}

/// What of an order goes into a book.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OrderOnKhata {
    /// Which book; the customer's own unless given.
    khata: Option<String>,
    /// How much; all that is due unless given.
    #[schema(value_type = Option<Object>)]
    amount: Option<Money>,
    /// Whether the balance may pass the limit: the owner's to say.
    over_limit: bool,
}

/// Of which days, and how.
#[derive(Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct Print {
    /// The first day, such as `2026-11-01`; from the beginning if left out.
    #[param(value_type = Option<String>)]
    from: Option<Day>,
    /// The last day.
    #[param(value_type = Option<String>)]
    until: Option<Day>,
    /// The language of the words on it.
    #[param(value_type = Option<String>)]
    language: Option<Language>,
}

/// Who is to be reminded.
#[derive(Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct Old {
    /// Whoever owes something for more days than this; 30 unless given.
    #[param(minimum = 0, maximum = 3650)]
    days: Option<u32>,
    /// The language of the words.
    #[param(value_type = Option<String>)]
    language: Option<Language>,
}

/// The shop's books: who owes what, who is over the limit, since when the oldest is owed.
#[utoipa::path(get, path = "/v1/khata", tag = "khata", security(("token" = [])),
    responses((status = 200, body = Value), (status = 403, body = Problem)))]
pub async fn list(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
) -> Result<axum::Json<Value>, Problem> {
    let (views, currency) = door
        .run(move |access| {
            access.allow(&visitor, Action::ViewKhata, &access.here())?;
            Ok::<_, Problem>((access.shop().khatas()?, access.shop().identity().currency))
        })
        .await?;
    Ok(axum::Json(all(&views, currency)))
}

/// Opens a book, with what was owed before.
#[utoipa::path(post, path = "/v1/khata", tag = "khata", request_body = Opening,
    security(("token" = [])), responses((status = 201, body = Value),
    (status = 403, body = Problem), (status = 409, body = Problem)))]
pub async fn open(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    key: Repeatable,
    Json(given): Json<Opening>,
) -> Result<Response, Problem> {
    let once = key.by(visitor.device)?;
    let holder = holder(given.account.as_deref(), given.guest.as_deref())?;
    let opening = given.opening.unwrap_or(Money::zero(given.limit.currency));
    let Opening { name, phone, limit, .. } = given;
    let new = NewKhata { holder, name, phone, limit, opening };
    let shown = door
        .run(move |access| {
            access.allow(&visitor, Action::ManageKhata, &access.here())?;
            let (shop, by) = (access.shop(), Some(visitor.by()));
            let view = shop.open_khata(once, new, by, now(), &mut clock::rng())?;
            Ok::<_, Problem>(shown(&view, shop.identity().currency))
        })
        .await?;
    Ok((StatusCode::CREATED, axum::Json(shown)).into_response())
}

/// A book with its entries; named by its id, its holder's account, or the key of a guest's device.
#[utoipa::path(get, path = "/v1/khata/{customer}", tag = "khata",
    params(("customer" = String, Path)), security(("token" = [])),
    responses((status = 200, body = Value), (status = 404, body = Problem)))]
pub async fn one(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(named): Path<String>,
) -> Result<axum::Json<Value>, Problem> {
    let (book, currency) = door
        .run(move |access| {
            access.allow(&visitor, Action::ViewKhata, &access.here())?;
            let shop = access.shop();
            let book = shop.khata(shop.find_khata(&named)?)?;
            Ok::<_, Problem>((book, shop.identity().currency))
        })
        .await?;
    Ok(axum::Json(with_entries(&book, currency)))
}

/// Writes into a book by hand: what was taken on credit, or what the owner takes off or pays back.
#[utoipa::path(post, path = "/v1/khata/{customer}/entries", tag = "khata",
    params(("customer" = String, Path)), request_body = Entry, security(("token" = [])),
    responses((status = 200, body = Value), (status = 409, body = Problem)))]
pub async fn enter(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(named): Path<String>,
    key: Repeatable,
    Json(given): Json<Entry>,
) -> Result<axum::Json<Value>, Problem> {
    let means = means(given.means.as_deref())?;
    let Entry { amount, words, over_limit: beyond, .. } = given;
    let (writing, action) = match given.kind.as_deref().unwrap_or("charged") {
        "charged" if beyond => (Writing::Charge { amount, words, beyond }, Action::ManageKhata),
        "charged" => (Writing::Charge { amount, words, beyond }, Action::ChargeKhata),
        "credited" => (Writing::Credit(amount, words), Action::ManageKhata),
        "paid_out" => (Writing::PayOut(amount, means, words), Action::ManageKhata),
        _ => return Err(Problem::malformed("kind is charged, credited or paid_out")),
    };
    write(door, visitor, (named, key), writing, action).await
}

/// Takes a payment towards a book; it lies in the till once, whatever is sent twice under one key.
#[utoipa::path(post, path = "/v1/khata/{customer}/payments", tag = "khata",
    params(("customer" = String, Path)), request_body = Payment, security(("token" = [])),
    responses((status = 200, body = Value), (status = 409, body = Problem)))]
pub async fn pay(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(named): Path<String>,
    key: Repeatable,
    Json(given): Json<Payment>,
) -> Result<axum::Json<Value>, Problem> {
    let writing = Writing::Pay(given.amount, means(given.means.as_deref())?, given.words);
    write(door, visitor, (named, key), writing, Action::TakeKhataPayment).await
}

/// Says what may be owed from now on.
#[utoipa::path(put, path = "/v1/khata/{customer}/limit", tag = "khata",
    params(("customer" = String, Path)), request_body = Limit, security(("token" = [])),
    responses((status = 200, body = Value), (status = 403, body = Problem)))]
pub async fn set_limit(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(named): Path<String>,
    key: Repeatable,
    Json(given): Json<Limit>,
) -> Result<axum::Json<Value>, Problem> {
    let writing = Writing::Limit(given.limit);
    write(door, visitor, (named, key), writing, Action::ManageKhata).await
}

/// Gives up a part of what is owed.
#[utoipa::path(post, path = "/v1/khata/{customer}/write-off", tag = "khata",
    params(("customer" = String, Path)), request_body = GivenUp, security(("token" = [])),
    responses((status = 200, body = Value), (status = 409, body = Problem)))]
pub async fn write_off(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(named): Path<String>,
    key: Repeatable,
    Json(given): Json<GivenUp>,
) -> Result<axum::Json<Value>, Problem> {
    let writing = Writing::WriteOff(given.amount, given.words);
    write(door, visitor, (named, key), writing, Action::ManageKhata).await
}

/// Closes a book of which nothing is owed.
#[utoipa::path(post, path = "/v1/khata/{customer}/closing", tag = "khata",
    params(("customer" = String, Path)), security(("token" = [])),
    responses((status = 200, body = Value), (status = 409, body = Problem)))]
pub async fn close(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(named): Path<String>,
    key: Repeatable,
) -> Result<axum::Json<Value>, Problem> {
    write(door, visitor, (named, key), Writing::Close, Action::ManageKhata).await
}

/// Links a device to the book of a person who had none; the device hears of all entries.
#[utoipa::path(put, path = "/v1/khata/{customer}/holder", tag = "khata",
    params(("customer" = String, Path)), request_body = Holder, security(("token" = [])),
    responses((status = 200, body = Value), (status = 409, body = Problem)))]
pub async fn link(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(named): Path<String>,
    key: Repeatable,
    Json(given): Json<Holder>,
) -> Result<axum::Json<Value>, Problem> {
    let holder = holder(given.account.as_deref(), given.guest.as_deref())?;
    let holder = holder.ok_or_else(|| Problem::malformed("name an account or a guest"))?;
    write(door, visitor, (named, key), Writing::Claim(holder), Action::ManageKhata).await
}

/// Goes on with a book after a restore, without hearing its holder's device.
#[utoipa::path(post, path = "/v1/khata/{customer}/override", tag = "khata",
    params(("customer" = String, Path)), security(("token" = [])),
    responses((status = 200, body = Value), (status = 403, body = Problem)))]
pub async fn go_on(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(named): Path<String>,
    key: Repeatable,
) -> Result<axum::Json<Value>, Problem> {
    write(door, visitor, (named, key), Writing::GoOn, Action::ManageKhata).await
}

/// Brings what stands in a second book of one customer, as one may come back after a restore, into the
/// other, and closes it.
#[utoipa::path(post, path = "/v1/khata/{customer}/joining", tag = "khata",
    params(("customer" = String, Path)), security(("token" = [])),
    responses((status = 200, body = Value), (status = 409, body = Problem)))]
pub async fn join(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(named): Path<String>,
    key: Repeatable,
) -> Result<axum::Json<Value>, Problem> {
    write(door, visitor, (named, key), Writing::Join, Action::ManageKhata).await
}

/// Forgets who the person is: name, phone and words go, the sums stay.
#[utoipa::path(delete, path = "/v1/khata/{customer}/person", tag = "khata",
    params(("customer" = String, Path)), security(("token" = [])),
    responses((status = 200, body = Value), (status = 403, body = Problem)))]
pub async fn forget(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(named): Path<String>,
    key: Repeatable,
) -> Result<axum::Json<Value>, Problem> {
    write(door, visitor, (named, key), Writing::Forget, Action::ManageKhata).await
}

/// Reminds somebody: their device hears it; where there is none, the words are to be read, printed or
/// sent by hand.
#[utoipa::path(post, path = "/v1/khata/{customer}/reminders", tag = "khata",
    params(("customer" = String, Path)), request_body = Reminder, security(("token" = [])),
    responses((status = 200, body = Value), (status = 404, body = Problem)))]
pub async fn remind(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(named): Path<String>,
    key: Repeatable,
    Json(given): Json<Reminder>,
) -> Result<axum::Json<Value>, Problem> {
    let once = key.by(visitor.device)?;
    let (view, says, currency) = door
        .run(move |access| {
            access.allow(&visitor, Action::ChargeKhata, &access.here())?;
            let (shop, by) = (access.shop(), Some(visitor.by()));
            let id = shop.find_khata(&named)?;
            let language = given.language.unwrap_or(Language::ENGLISH);
            let asked = (id, &given.words[..], language);
            let (view, says) = shop.remind_khata(once, asked, by, now(), &mut clock::rng())?;
            Ok::<_, Problem>((view, says, shop.identity().currency))
        })
        .await?;
    let mut shown = shown(&view, currency);
    shown["says"] = json!(says);
    shown["by_device"] = json!(view.by_device);
    Ok(axum::Json(shown))
}

/// Who should be reminded of what they owe, the oldest first, with the words.
#[utoipa::path(get, path = "/v1/khata-reminders", tag = "khata", params(Old),
    security(("token" = [])),
    responses((status = 200, body = Value), (status = 403, body = Problem)))]
pub async fn due(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Query(old): Query<Old>,
) -> Result<axum::Json<Value>, Problem> {
    let (due, currency) = door
        .run(move |access| {
            access.allow(&visitor, Action::ViewKhata, &access.here())?;
            let (days, language) = (old.days.unwrap_or(30), old.language);
            let shop = access.shop();
            let due = shop.khata_dues(days, language.unwrap_or(Language::ENGLISH), now())?;
            Ok::<_, Problem>((due, shop.identity().currency))
        })
        .await?;
    Ok(axum::Json(of_due(&due, currency)))
}

/// The statement of a book as a PDF, with room for both signatures.
#[utoipa::path(get, path = "/v1/khata/{customer}/statement", tag = "khata",
    params(Print, ("customer" = String, Path)), security(("token" = [])),
    responses((status = 200, body = Vec<u8>, content_type = "application/pdf"),
    (status = 404, body = Problem)))]
pub async fn statement(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(named): Path<String>,
    Query(print): Query<Print>,
) -> Result<Response, Problem> {
    let fonts = door.fonts.clone();
    let printed = door
        .run(move |access| {
            access.allow(&visitor, Action::ViewKhata, &access.here())?;
            let (shop, days) = (access.shop(), (print.from, print.until));
            let language = print.language.unwrap_or(Language::ENGLISH);
            let id = shop.find_khata(&named)?;
            Ok::<_, Problem>(shop.print_khata(id, days, language, &fonts)?)
        })
        .await?;
    let disposition = "inline; filename=\"khata.pdf\"";
    let headers =
        [(header::CONTENT_TYPE, "application/pdf"), (header::CONTENT_DISPOSITION, disposition)];
    Ok((headers, printed.pdf).into_response())
}

/// The same as a file for a spreadsheet.
#[utoipa::path(get, path = "/v1/khata/{customer}/statement.csv", tag = "khata",
    params(Print, ("customer" = String, Path)), security(("token" = [])),
    responses((status = 200, body = String, content_type = "text/csv"),
    (status = 404, body = Problem)))]
pub async fn statement_file(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(named): Path<String>,
    Query(print): Query<Print>,
) -> Result<Response, Problem> {
    let file = door
        .run(move |access| {
            access.allow(&visitor, Action::ViewKhata, &access.here())?;
            let shop = access.shop();
            let id = shop.find_khata(&named)?;
            Ok::<_, Problem>(shop.khata_file(id, (print.from, print.until))?)
        })
        .await?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"khata.csv\""),
    ];
    Ok((headers, file).into_response())
}

/// Puts what is due of an order, or a part of it, into its customer's book or another one.
#[utoipa::path(post, path = "/v1/orders/{id}/khata", tag = "khata",
    params(("id" = String, Path)), request_body = OrderOnKhata, security(("token" = [])),
    responses((status = 200, body = Value), (status = 409, body = Problem)))]
pub async fn put_order(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<String>,
    key: Repeatable,
    Json(given): Json<OrderOnKhata>,
) -> Result<axum::Json<Value>, Problem> {
    let (which, once) = (which(&id, &visitor)?, key.by(visitor.device)?);
    let OrderOnKhata { khata, amount, over_limit: beyond } = given;
    let view = door
        .run(move |access| {
            let shop = access.shop();
            may(access, &visitor, Action::ViewOrder, &shop.order(which)?)?;
            access.allow(&visitor, charging(beyond), &access.here())?;
            let khata = khata.map(|named| shop.find_khata(&named)).transpose()?;
            let deed = Deed::OnKhata(OnCredit { khata, amount, beyond });
            let (by, rng) = (Some(visitor.by()), &mut clock::rng());
            Ok::<_, Problem>(shop.act_once(once, which, deed, by, now(), rng)?)
        })
        .await?;
    Ok(axum::Json(order_shown(&view)))
}

/// What somebody has to be allowed who writes what is taken on credit.
pub fn charging(beyond: bool) -> Action {
    if beyond { Action::ManageKhata } else { Action::ChargeKhata }
}

async fn write(
    door: Door,
    visitor: Visitor,
    (named, key): (String, Repeatable),
    writing: Writing,
    action: Action,
) -> Result<axum::Json<Value>, Problem> {
    let once = key.by(visitor.device)?;
    let shown = door
        .run(move |access| {
            access.allow(&visitor, action, &access.here())?;
            let (shop, by) = (access.shop(), Some(visitor.by()));
            let id = shop.find_khata(&named)?;
            let view = shop.write_khata(once, (id, writing), by, now(), &mut clock::rng())?;
            Ok::<_, Problem>(shown(&view, shop.identity().currency))
        })
        .await?;
    Ok(axum::Json(shown))
}

fn means(given: Option<&str>) -> Result<Means, Problem> {
    let means = given.map_or(Some(Means::Cash), Means::from_label);
    let means = means.filter(|means| *means != Means::Khata);
    means.ok_or_else(|| Problem::malformed("means is cash, upi or card"))
}

fn holder(account: Option<&str>, guest: Option<&str>) -> Result<Option<Party>, Problem> {
    let given = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    match (given(account), given(guest)) {
        (None, None) => Ok(None),
        (Some(account), None) => {
            let account: Result<AccountId, _> = account.parse();
            let account = account.map_err(|why| Problem::malformed(why.to_string()))?;
            Ok(Some(Party::Account(account)))
        }
        (None, Some(guest)) => {
            let guest: Result<KeyId, _> = guest.parse();
            let guest = guest.map_err(|_| Problem::malformed("guest is the key of a device"))?;
            Ok(Some(Party::Guest(guest)))
        }
        (Some(_), Some(_)) => Err(Problem::malformed("name an account or a guest, not both")),
    }
}
