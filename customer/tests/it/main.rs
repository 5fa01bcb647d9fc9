//! The household's promises, told as stories with a shop that only signs.

mod neighbour;
mod orders;
