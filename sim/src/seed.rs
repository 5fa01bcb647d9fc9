//! Runs one seed.

use kirana_core::time::UnixMs;

use crate::{
    dice::Dice,
    plan::{self, Scale},
    report::{Outcome, Violation},
    story::Story,
    world::World,
};

/// Runs a seed to its end and checks it; `tells` prints what happens on the way.
pub fn run(seed: u64, tells: bool) -> Outcome {
    let scale = Scale::of(seed, &mut Dice::new(seed, "scale"));
    let plan = plan::draw(scale, &mut Dice::new(seed, "plan"));
    let mut world = World::found(seed, scale, plan, START);
    if tells {
        world.story = Story::since(START);
    }
    world.run_until(START.plus_ms(scale.busy_ms));
    world.heal_and_check();
    world.digest_databases();
    world.outcome(seed, START)
}

impl World {
    fn outcome(self, seed: u64, start: UnixMs) -> Outcome {
        let violations = self.broken.iter();
        let violations =
            violations.map(|(promise, what)| Violation { seed, promise, what: what.clone() });
        Outcome {
            seed,
            simulated_ms: self.now().since(start),
            orders_decided: self.orders_decided(),
            violations: violations.collect(),
            faults: self.faults,
            met: self.met,
            trace: self.trace.finish(),
        }
    }
}

/// Where virtual time begins: a Sunday night in November.
const START: UnixMs = UnixMs::new(1_795_312_800_000);
