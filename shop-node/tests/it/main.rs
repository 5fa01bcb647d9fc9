//! Stories about one shop, told through its library and through its program.

mod availability;
mod catalogue;
mod disk;
mod floors;
mod holding;
mod intake;
mod mending;
mod neighbour;
mod program;
mod recovery;
mod refusals;
mod safekeeping;
mod superseded;
mod without_a_till;
