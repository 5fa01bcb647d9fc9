//! The directory: signed, numbered, leased records of shops, found by cell.

use std::collections::BTreeSet;

use kirana_core::{id::ShopId, record::SignedRecord, time::UnixMs};
use kirana_sync::wire::{Code, Refused, Response, limit::RECORDS_MAX};

use super::{
    Error, Hub,
    relay::{Answer, No},
};
use crate::store::record::Published;

impl Hub {
    pub(super) async fn publish(&self, bytes: &[u8], now: UnixMs) -> Answer {
        let trust = self.trust(now).await?;
        let record = SignedRecord::verify(bytes, &trust, self.known_now(now).await?)
            .map_err(|bad| Refused::new(Code::NotCertified, bad.to_string()))?;
        match self.store().publish(record).await.map_err(Error::from)? {
            Published::Kept => Ok(Response::Published),
            Published::Older => {
                Err(Refused::new(Code::Older, "a newer record of this shop is here").into())
            }
            Published::Doubled => {
                let reason = "another record of this shop with the same number is here; count up";
                Err(Refused::new(Code::Older, reason).into())
            }
        }
    }

    pub(super) async fn look(&self, shop: ShopId, now: UnixMs) -> Answer {
        let now = self.known_now(now).await?;
        let record = self.store().record(shop, now).await.map_err(Error::from)?;
        Ok(Response::records(record))
    }

    pub(super) async fn find(&self, cells: &[String], now: UnixMs) -> Answer {
        let is_cell =
            |cell: &String| !cell.is_empty() && cell.bytes().all(|b| b.is_ascii_alphanumeric());
        if !cells.iter().all(is_cell) {
            let no: No =
                Refused::new(Code::Malformed, "a cell is 1 to 12 letters and digits").into();
            return Err(no);
        }
        let now = self.known_now(now).await?;
        // Two cells, one inside the other, name the same shops.
        let mut found = BTreeSet::new();
        for cell in cells {
            let cell = cell.to_ascii_lowercase();
            found.extend(
                self.store().records_in(&cell, RECORDS_MAX, now).await.map_err(Error::from)?,
            );
        }
        Ok(Response::records(found))
    }
}
