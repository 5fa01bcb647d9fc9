//! The simulation judged from outside: clean seeds keep every promise, a seed replays to the byte,
//! and every planted bug is caught by a checker that does not know its name.

mod mutants;
mod seeds;
