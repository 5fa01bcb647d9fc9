//! `device`: shows this device to another of the account, and lets a new one in.

use std::path::Path;

use kirana_core::enrolment::Request;
use serde::Serialize;

use super::{Desk, Failure, args::Device, now, qr::ShownAs};
use crate::{app::Household, clock};

#[derive(Serialize)]
struct Shown {
    device: String,
    request: String,
    compare: String,
}

#[derive(Serialize)]
struct Added {
    device: String,
    compare: String,
    answer: String,
}

pub(super) fn device(desk: &Desk, command: Device) -> Result<(), Failure> {
    let household = desk.household()?;
    match command {
        Device::Show { show } => shown(desk, &household, &show),
        Device::Add { request, photos, show, compare, snapshot } => {
            let request = Request::read(&photos.or(request)?);
            let request = request.map_err(|e| Failure::Usage(e.to_string()))?;
            compared(&request, compare)?;
            let answer = household.let_in(&request, now(), &mut clock::rng())?;
            if let Some(path) = snapshot {
                let sealed = household.snapshot_for(&request, &mut clock::rng())?;
                std::fs::write(&path, sealed).map_err(|source| unusable(&path, source))?;
            }
            let device = request.enrolment.key.id().to_string();
            let added = Added { device, compare: request.comparison(), answer };
            let pictures = show.pictures(&added.answer)?;
            desk.say(&added, || {
                format!(
                    "{pictures}{}\n\nOn the new device: `kirana device import` with this.",
                    added.answer
                )
            });
            Ok(())
        }
        Device::Import { answer, photos, snapshot } => {
            household.be_let_in(&photos.or(answer)?)?;
            imported(desk, &household, snapshot.as_deref())
        }
    }
}

fn shown(desk: &Desk, household: &Household, show: &ShownAs) -> Result<(), Failure> {
    let request = household.ask_to_be_let_in();
    let (device, compare) = (household.keys().id().to_string(), request.comparison());
    let shown = Shown { device, request: request.to_string(), compare };
    let pictures = show.pictures(&shown.request)?;
    desk.say(&shown, || {
        format!(
            "{pictures}{}\n\nOn a device that you have: `kirana device add` with this code. Both \
             have to show {}.",
            shown.request, shown.compare
        )
    });
    Ok(())
}

/// Two people, or one with two devices, have compared what both show.
fn compared(request: &Request, given: Option<String>) -> Result<(), Failure> {
    let expected = request.comparison();
    let typed = match given {
        Some(typed) => typed,
        None => rpassword::prompt_password(format!(
            "The new device has to show {expected}. Type what it shows: "
        ))
        .map_err(|source| Failure::File { path: "the terminal".to_owned(), source })?,
    };
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    if digits(&typed) != digits(&expected) {
        let why = "the new device shows other digits: somebody has changed the code";
        return Err(Failure::Usage(why.to_owned()));
    }
    Ok(())
}

fn imported(desk: &Desk, household: &Household, snapshot: Option<&Path>) -> Result<(), Failure> {
    let taken = match snapshot {
        Some(path) => {
            let sealed = std::fs::read(path).map_err(|e| unusable(path, e))?;
            Some(household.take_snapshot(&sealed, now(), &mut clock::rng())?)
        }
        None => None,
    };
    let device = household.keys().id().to_string();
    desk.say(&serde_json::json!({ "device": device, "taken_over": taken }), || {
        "This device is one of the account now; shops that know the other take its orders."
            .to_owned()
    });
    Ok(())
}

fn unusable(path: &Path, source: std::io::Error) -> Failure {
    Failure::File { path: path.display().to_string(), source }
}
