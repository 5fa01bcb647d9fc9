//! The household's promises, told as stories with a shop that only signs.

#[cfg(test)]
mod neighbour;
mod orders;
