//! The client's saved catalogues: each followed shop is pulled from itself, else from a hub.

use kirana_core::{catalogue::head::Head, id::ShopId, key::KeyId, time::UnixMs};

use super::{Effect, Purpose, Run, is_due};
use crate::{
    peer::{Path, Role},
    pull::{self, Known, Pull},
    wire::Response,
};

/// A shop whose catalogue is kept up to date.
#[derive(Debug, Clone)]
pub(super) struct Followed {
    pull: Pull,
    pub next: UnixMs,
    from: Option<KeyId>,
    /// The peer that had nothing or served something bad: another one is tried first.
    avoid: Option<KeyId>,
}

impl Followed {
    pub fn came_into_reach(&mut self, now: UnixMs, role: Role) {
        if role == Role::Shop(self.pull.shop()) || self.from.is_none() {
            self.next = now;
        }
    }
}

impl Run<'_> {
    pub(super) fn follow(&mut self, shop: ShopId, known: Known) {
        let now = self.now;
        let followed = self.client.followed.entry(shop).or_insert_with(|| Followed {
            pull: Pull::new(shop, known),
            next: now,
            from: None,
            avoid: None,
        });
        followed.next = now;
    }

    pub(super) fn look_at_catalogues(&mut self) {
        let (now, pause) = (self.now, self.client.settings.catalogue_ms);
        let mut asks = Vec::new();
        for (shop, followed) in &mut self.client.followed {
            let idle = !followed.pull.is_under_way();
            if !idle || self.client.lines.is_empty() || !is_due(followed.next, now, pause) {
                continue;
            }
            let best = self.client.lines.iter().filter(|(_, line)| match line.role {
                Role::Shop(other) => other == *shop,
                Role::Hub | Role::Community => true,
            });
            let best = best.min_by_key(|(peer, line)| {
                (followed.avoid == Some(**peer), line.role.path(), **peer)
            });
            let Some((peer, _)) = best else { continue };
            followed.next = now.plus_ms(pause);
            if followed.from.replace(*peer) != Some(*peer) {
                followed.pull.forget_answer();
            }
            asks.push((*shop, *peer, followed.pull.start()));
        }
        for (shop, peer, effect) in asks {
            self.pull_effects(shop, peer, vec![effect]);
        }
    }

    pub(super) fn pulled(&mut self, shop: ShopId, peer: KeyId, response: Option<Response>) {
        let (known, trust) = (self.known, self.trust);
        let Some(followed) = self.client.followed.get_mut(&shop) else { return };
        let effects = match response {
            Some(response) => followed.pull.answer(known, trust, response),
            None => {
                followed.pull.stop();
                vec![pull::Effect::Missing]
            }
        };
        self.pull_effects(shop, peer, effects);
    }

    pub(super) fn loaded(&mut self, head: &Head) {
        let Some(followed) = self.client.followed.get_mut(&head.shop) else { return };
        let effects = followed.pull.loaded(head);
        let Some(peer) = followed.from else { return };
        self.pull_effects(head.shop, peer, effects);
    }

    pub(super) fn not_loaded(&mut self, shop: ShopId) {
        if let Some(followed) = self.client.followed.get_mut(&shop) {
            followed.pull.not_loaded();
            followed.avoid = followed.from;
        }
    }

    fn pull_effects(&mut self, shop: ShopId, peer: KeyId, effects: Vec<pull::Effect>) {
        for effect in effects {
            match effect {
                pull::Effect::Ask(request) => {
                    if self.client.lines.contains_key(&peer) {
                        self.request(peer, Purpose::Pull { shop }, request);
                    } else {
                        self.turn_away(shop, peer);
                    }
                }
                pull::Effect::Load(load) => self.effects.push(Effect::Load(load)),
                pull::Effect::Availability(snapshots) => {
                    self.effects.push(Effect::Availability { shop, snapshots });
                }
                pull::Effect::Terms(terms) => self.effects.push(Effect::Terms { shop, terms }),
                pull::Effect::Current => {
                    if let Some(followed) = self.client.followed.get_mut(&shop) {
                        followed.avoid = None;
                    }
                    self.effects.push(Effect::CatalogueCurrent { shop, peer });
                }
                pull::Effect::Missing => self.turn_away(shop, peer),
                pull::Effect::Bad(why) => {
                    self.effects.push(Effect::Suspect { peer, why });
                    self.turn_away(shop, peer);
                }
            }
        }
    }

    /// Gives up on this peer for now; another one in reach is asked soon.
    fn turn_away(&mut self, shop: ShopId, peer: KeyId) {
        let settings = &self.client.settings;
        let (now, soon) = (self.now, settings.poll_ms);
        let others = self.client.lines.iter().any(|(other, line)| {
            *other != peer && (line.role.path() != Path::Direct || line.role == Role::Shop(shop))
        });
        let Some(followed) = self.client.followed.get_mut(&shop) else { return };
        followed.pull.stop();
        if others && followed.avoid != Some(peer) {
            followed.next = now.plus_ms(soon);
        }
        followed.avoid = Some(peer);
    }
}
