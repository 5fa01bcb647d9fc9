//! Stories about one shop, told through its library and through its program.

mod availability;
mod catalogue;
mod closing;
mod desk;
mod devices;
mod disk;
mod floors;
mod holding;
mod import_program;
mod imports;
mod intake;
mod locked_out;
mod mending;
mod neighbour;
mod program;
mod recovery;
mod refusals;
mod safekeeping;
mod same_answers;
mod shelf;
mod staff;
mod succession;
mod superseded;
mod turns;
mod without_a_till;
