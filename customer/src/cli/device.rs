//! `device`: shows this device to another of the account, and lets a new one in.

use kirana_core::enrolment::Request;
use serde::Serialize;

use super::{Desk, Failure, args::Device, now};
use crate::clock;

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
    let own = household.keys().id().to_string();
    match command {
        Device::Show => {
            let request = household.ask_to_be_let_in();
            let compare = request.comparison();
            let shown = Shown { device: own, request: request.to_string(), compare };
            desk.say(&shown, || {
                format!(
                    "{}\n\nOn a device that you have: `kirana device add` with this code. Both \
                     have to show {}.",
                    shown.request, shown.compare
                )
            });
        }
        Device::Add { request, compare, snapshot } => {
            let request = Request::read(&request).map_err(|e| Failure::Usage(e.to_string()))?;
            let expected = request.comparison();
            let typed = match compare {
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
            let answer = household.let_in(&request, now(), &mut clock::rng())?;
            if let Some(path) = snapshot {
                let sealed = household.snapshot_for(&request, &mut clock::rng())?;
                std::fs::write(&path, sealed).map_err(|source| unusable(&path, source))?;
            }
            let device = request.enrolment.key.id().to_string();
            let added = Added { device, compare: expected, answer };
            desk.say(&added, || {
                format!("{}\n\nOn the new device: `kirana device import` with this.", added.answer)
            });
        }
        Device::Import { answer, snapshot } => {
            household.be_let_in(&answer)?;
            let taken = match snapshot {
                Some(path) => {
                    let sealed = std::fs::read(&path).map_err(|e| unusable(&path, e))?;
                    Some(household.take_snapshot(&sealed, now(), &mut clock::rng())?)
                }
                None => None,
            };
            desk.say(&serde_json::json!({ "device": own, "taken_over": taken }), || {
                "This device is one of the account now; shops that know the other take its orders."
                    .to_owned()
            });
        }
    }
    Ok(())
}

fn unusable(path: &std::path::Path, source: std::io::Error) -> Failure {
    Failure::File { path: path.display().to_string(), source }
}
