//! One box with its clock, its chance and its database, and the program that runs on it.
//!
//! **Invariant:** a crash drops the program and everything it kept in memory; the database goes on
//! from its last commit.

use kirana_core::{
    key::{KeyId, PublicKey},
    time::UnixMs,
};
use kirana_migrations::Database;

use crate::{clocks::NodeClock, dice::Dice};

/// A box running a program of kind `P`.
pub struct Machine<P> {
    /// Its clock.
    pub clock: NodeClock,
    /// What its program draws from.
    pub dice: Dice,
    /// What survives.
    pub database: Database,
    /// The program, unless the box is off.
    pub program: Option<P>,
    /// How often it was started: what an earlier life asked for is answered to nobody.
    pub life: u32,
    /// When the next tick of its program is planned, by true time.
    pub wake_at: Option<UnixMs>,
    /// Its node or device key, by which the transport knows it.
    pub key: PublicKey,
}

impl<P> Machine<P> {
    /// A box that was never switched on.
    pub fn new(database: Database, key: PublicKey, clock: NodeClock, dice: Dice) -> Self {
        Self { clock, dice, database, program: None, life: 0, wake_at: None, key }
    }

    /// Whether the program runs.
    pub fn is_on(&self) -> bool {
        self.program.is_some()
    }

    /// What its clock shows.
    pub fn now(&self, truth: UnixMs) -> UnixMs {
        self.clock.read(truth)
    }

    /// The short name of its key.
    pub fn key_id(&self) -> KeyId {
        self.key.id()
    }

    /// Starts a program on what the database holds.
    pub fn start(&mut self, program: P) {
        self.program = Some(program);
        self.life += 1;
        self.wake_at = None;
    }

    /// Power fails: what was not committed is gone.
    pub fn crash(&mut self) {
        self.program = None;
        self.database = self.database.restart();
    }

    /// Whether a commit failed, so that the program must end.
    pub fn is_dying(&self) -> bool {
        self.is_on() && self.database.writer.is_stopped()
    }
}
