//! What waits for whoever keeps the hub running, and which hubs this one knows.

use kirana_core::{
    certificate::{Serial, UnverifiedCertificate},
    key::KeyId,
    known_time::KnownNow,
    roster::Roster,
    time::{DAY_MS, UnixMs},
};

use super::{
    Error, Hub,
    policy::{Action, Actor},
};
use crate::store::{certificate::Ending, mail::Waiting, shop::Applied};

/// How long before its end a certificate is pointed out, in milliseconds.
pub const SOON_MS: u64 = 30 * DAY_MS;

/// What an operator should know first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overview {
    /// What time the hub goes by, and whether it doubts its clock.
    pub clock: KnownNow,
    /// Whether something could be written now.
    pub is_writable: bool,
    /// Shops that nobody has looked at.
    pub applied: Applied,
    /// Mail in all queues.
    pub mail: Waiting,
    /// When this hub was last backed up, if ever.
    pub backed_up_at: Option<UnixMs>,
    /// Certificates of shops and hubs that end soon, or ended lately, soonest first.
    pub ending: Vec<Ending>,
}

/// The hubs that this one knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbourhood {
    /// The roster, if there is one.
    pub roster: Option<Roster>,
    /// This hub's own key.
    pub own: KeyId,
    /// Community hubs that this hub certified.
    pub community: Vec<Certified>,
}

/// A hub's newest certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certified {
    /// The short name of its key.
    pub key: KeyId,
    /// The certificate's serial number.
    pub serial: Serial,
    /// When it ends.
    pub expires_at: UnixMs,
}

impl Hub {
    /// What waits.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but operators and administrators.
    pub async fn overview(&self, actor: &Actor, now: UnixMs) -> Result<Overview, Error> {
        self.authorise(actor, Action::OpenConsole, "", now).await?;
        let clock = self.known_now(now).await?;
        let (from, to) = (clock.at.minus_ms(SOON_MS), clock.at.plus_ms(SOON_MS));
        Ok(Overview {
            clock,
            is_writable: self.store().is_writable(),
            applied: self.store().applied().await?,
            mail: self.store().waiting_in_all().await?,
            backed_up_at: self.store().backed_up_at().await?,
            ending: self.store().certificates_ending(from, to).await?,
        })
    }

    /// Notes that whoever runs the machine made a backup.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn note_backup(&self, now: UnixMs) -> Result<(), Error> {
        Ok(self.store().note_backup(now).await?)
    }

    /// The roster, and the community hubs that this hub certified.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but operators and administrators.
    pub async fn neighbourhood(&self, actor: &Actor, now: UnixMs) -> Result<Neighbourhood, Error> {
        self.authorise(actor, Action::OpenConsole, "", now).await?;
        let trust = self.trust(now).await?;
        let certificates = self.store().community_hubs(now).await?;
        let certified = certificates.iter().filter_map(|bytes| {
            let read = UnverifiedCertificate::parse(bytes).ok()?;
            let said = read.claimed();
            Some(Certified { key: said.key.id(), serial: said.serial, expires_at: said.expires })
        });
        Ok(Neighbourhood {
            roster: trust.roster().map(|signed| signed.roster().clone()),
            own: self.keys().id(),
            community: certified.collect(),
        })
    }
}
