//! The household's promises, told as stories with a shop that only signs.

#[cfg(test)]
mod availability;
mod files;
#[cfg(test)]
mod neighbour;
mod orders;
#[cfg(test)]
mod program;
#[cfg(test)]
mod shelf;
