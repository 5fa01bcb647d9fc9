//! Stories about one shop, told through its library and through its program.

mod catalogue;
mod intake;
mod neighbour;
mod program;
mod recovery;
mod safekeeping;
