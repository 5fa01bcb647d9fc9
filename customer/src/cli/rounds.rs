//! `sync`: sends what waits, fetches what has come.

use kirana_sync::peer::Path;

use super::{
    Desk, Failure,
    args::{Sync, Way},
    now, wait,
};
use crate::net::round::{self, Length, Report, RoundError};

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
    desk.say(&report, || sentence(&report));
    Ok(())
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
