//! A shop comes from one owner's key to the next, by the consent of who had it.
//!
//! **Invariant:** the hub gives no shop away. It follows what the owner whose key it certified has
//! signed, and withdraws that owner's certificate with the change.

use kirana_core::{time::UnixMs, trust};

use crate::{
    app::{
        Error, Hub,
        policy::{Action, Actor},
    },
    clock::Rng,
    store::shop::{Shop, State},
};

impl Hub {
    /// The shop as it is known here, when it went from the owner known here to the one who applies.
    pub(super) async fn gone_to(
        &self,
        applying: &Shop,
        mut steps: Vec<(Vec<u8>, Vec<u8>)>,
    ) -> Result<Option<Shop>, Error> {
        let there = self.store().shop(applying.id).await?;
        let Some(there) = there.filter(|there| there.owner != applying.owner) else {
            return Ok(None);
        };
        // Steps may go further back than to the owner who is known here.
        steps.reverse();
        let mut refused = None;
        for from in 0..steps.len() {
            match trust::follow(there.id, there.owner, &steps[from..]) {
                Ok(owner) if owner == applying.owner => return Ok(Some(there)),
                Ok(_) => {}
                Err(unfollowed) => refused = Some(unfollowed),
            }
        }
        // Without any step it is somebody who claims another's shop, as ever.
        refused.map_or(Ok(None), |unfollowed| Err(unfollowed.into()))
    }

    /// Writes down that the shop is another's, and certifies the new owner where the one before was.
    pub(super) async fn follow_shop(
        &self,
        actor: &Actor,
        shop: Shop,
        before: Shop,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Shop, Error> {
        let act = actor.act(Action::OwnShop, &shop.id.to_string(), "taken over", now);
        let followed = self.store().follow_shop(shop, before.owner, act).await?;
        self.publish_revocations(now).await?;
        match followed.state {
            State::Approved => {
                self.certify_shop(followed, actor.account.to_string(), now, rng).await
            }
            State::Applied | State::Asked | State::Refused | State::Closed => Ok(followed),
        }
    }
}
