//! `picture`: what a product looks like, also without a network.

use kirana_core::{hash::Hash, id::ProductId};
use kirana_migrations::catalogue::pictures::Picture;
use serde::Serialize;

use super::{Desk, Failure, args, now, wait};
use crate::{
    app::Household,
    net::{
        pictures::{Fetched, fetch},
        round::RoundError,
    },
};

#[derive(Serialize)]
struct Shown {
    image: Hash,
    bytes: usize,
    /// Whether it came over the network just now.
    fetched: bool,
    file: Option<String>,
    /// Who did not give it.
    notes: Vec<String>,
}

#[derive(Serialize)]
struct Held {
    pictures: u64,
    bytes: u64,
    bytes_max: u64,
}

pub(super) fn picture(desk: &Desk, asked: args::Picture) -> Result<(), Failure> {
    let household = desk.household()?;
    if let Some(mib) = asked.mib_max {
        household.set_pictures_bytes_max(mib * 1024 * 1024)?;
    }
    let Some(what) = &asked.what else { return held(desk, &household) };
    let image = meant(&household, what)?;
    let kept = household.picture(image, now())?;
    let is_kept = kept.is_some();
    let fetched = match kept {
        Some(picture) => Fetched { picture: Some(picture), notes: Vec::new() },
        None if asked.offline => Fetched::default(),
        None => wait(fetch(&household, image))?.map_err(|why| match why {
            RoundError::Household(why) => Failure::from(why),
            RoundError::Net(why) => Failure::from(why),
        })?,
    };
    let Some(picture) = fetched.picture else {
        return Err(Failure::NoPicture { image, notes: fetched.notes });
    };
    let file = asked.file.map(|file| written(&picture, &file)).transpose()?;
    let (bytes, notes) = (picture.jpeg().len(), fetched.notes);
    let shown = Shown { image, bytes, fetched: !is_kept, file, notes };
    desk.say(&shown, || match &shown.file {
        Some(file) => format!("The picture {image} is in {file}."),
        None => format!("The picture {image} is kept here: {bytes} bytes."),
    });
    Ok(())
}

/// The picture of this digest, or the one that the product of this id names.
fn meant(household: &Household, what: &str) -> Result<Hash, Failure> {
    if let Ok(image) = what.parse::<Hash>() {
        return Ok(image);
    }
    let wrong = |_| Failure::Usage(format!("«{what}» is neither a digest nor a product's id"));
    let product: ProductId = what.parse().map_err(wrong)?;
    let none = Failure::Nothing("no saved catalogue has a picture of this product");
    household.picture_of(product)?.ok_or(none)
}

fn written(picture: &Picture, file: &std::path::Path) -> Result<String, Failure> {
    let path = file.display().to_string();
    let failed = |source| Failure::File { path: path.clone(), source };
    std::fs::write(file, picture.jpeg()).map_err(failed)?;
    Ok(path)
}

fn held(desk: &Desk, household: &Household) -> Result<(), Failure> {
    let ((pictures, bytes), bytes_max) =
        (household.pictures_held()?, household.pictures_bytes_max()?);
    let held = Held { pictures, bytes, bytes_max };
    desk.say(&held, || {
        format!("{pictures} pictures are kept: {bytes} of at most {bytes_max} bytes.")
    });
    Ok(())
}
