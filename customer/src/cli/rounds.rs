//! `sync`: sends what waits, fetches what has come.

use kirana_sync::peer::Path;
use minicbor::bytes::ByteVec;

use super::{
    Desk, Failure,
    args::{Sync, Way},
    now, wait,
};
use crate::{
    app::{
        Household,
        session::{Renewal, Session},
    },
    clock,
    net::{
        NetError,
        round::{self, Length, Report, RoundError},
        sign_in,
    },
};

pub(super) fn sync(desk: &Desk, sync: &Sync) -> Result<(), Failure> {
    let household = desk.household()?;
    let only = sync.only.map(|way| match way {
        Way::Direct => Path::Direct,
        Way::Hub => Path::Hub,
        Way::Community => Path::Community,
    });
    let targets = round::targets(&household, only)?;
    let length = match sync.seconds {
        Some(seconds) if !sync.once => Length::Until(now().plus_ms(u64::from(seconds) * 1000)),
        _ => Length::Once,
    };
    let report = wait(round::go(&household, targets, length))?.map_err(|why| match why {
        RoundError::Household(why) => Failure::from(why),
        RoundError::Net(why) => Failure::from(why),
    })?;
    let mut report = report;
    if only.is_none_or(|only| only == Path::Hub)
        && let Err(why) = renew(&household)
    {
        // Orders went and came: that the account is out of reach is for the next time.
        report.notes.push(why);
    }
    desk.say(&report, || sentence(&report));
    Ok(())
}

/// Renews this device's certificate where that is due.
fn renew(household: &Household) -> Result<(), String> {
    let failed = |why: &dyn std::fmt::Display| format!("this device is not renewed: {why}");
    let due = household.renewal_due(now()).map_err(|e| failed(&e))?;
    let Some(Renewal { session, hub }) = due else { return Ok(()) };
    let Some(session) = session else { return renew_by_key(household, None, hub) };
    let retry = clock::draw(&mut clock::rng());
    let refreshed = wait(sign_in::refresh(&session, retry, now())).map_err(|_| failed(&"busy"))?;
    let (session, token) = match refreshed {
        // The sign-in is over; the device's key is not.
        Err(NetError::Denied { .. }) => return renew_by_key(household, Some(session), hub),
        refreshed => refreshed.map_err(|e| failed(&e))?,
    };
    household.keep_session(&session).map_err(|e| failed(&e))?;
    let renewed = wait(sign_in::renew(&session.url, &token, household.keys()));
    let chain = renewed.map_err(|_| failed(&"busy"))?.map_err(|e| failed(&e))?;
    let chain = chain.into_iter().map(ByteVec::from).collect();
    household.certify(chain).map_err(|e| failed(&e))
}

/// Renews this device's certificate by its own key, where no sign-in is left.
fn renew_by_key(
    household: &Household,
    before: Option<Session>,
    hub: Option<String>,
) -> Result<(), String> {
    let failed = |why: &dyn std::fmt::Display| format!("this device is not renewed: {why}");
    let kept = before.as_ref().map(|session| session.url.clone());
    let names: Vec<String> = kept.clone().into_iter().chain(hub.clone()).collect();
    let url = kept.or(hub).ok_or_else(|| failed(&"no address of its hub is known"))?;
    let (own, certificates) = ((household.keys(), now()), household.certificates());
    let signed_in =
        wait(sign_in::sign_in_by_key((&url, &names), &certificates, own, before.as_ref()));
    let signed_in = signed_in.map_err(|_| failed(&"busy"))?.map_err(|e| failed(&e))?;
    household.keep_session(&signed_in.session).map_err(|e| failed(&e))?;
    let chain = signed_in.certificates.into_iter().map(ByteVec::from).collect();
    household.certify(chain).map_err(|e| failed(&e))
}

fn sentence(report: &Report) -> String {
    let mut lines = Vec::new();
    for tried in &report.paths {
        let way = match tried.path {
            "direct" => "the shop",
            "hub" => "the internet",
            _ => "the neighbourhood",
        };
        let how = if tried.reached { "reached" } else { "not in reach" };
        lines.push(format!("{way}: {how} ({})", tried.address));
    }
    if report.paths.is_empty() {
        lines.push("No shop was chosen yet: `kirana shops add` chooses one.".to_owned());
    }
    for order in &report.changed {
        lines.push(format!("news about order {order}"));
    }
    if report.waiting > 0 {
        lines.push(format!("{} still on this device, waiting for an answer", report.waiting));
    }
    lines.join("\n")
}
