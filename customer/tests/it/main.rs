//! The household's promises, told as stories with a shop that only signs.

#[cfg(test)]
mod at_rest;
#[cfg(test)]
mod availability;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod carts;
#[cfg(test)]
mod categories;
#[cfg(test)]
mod damage;
mod devices;
mod files;
#[cfg(test)]
mod khata;
#[cfg(test)]
mod neighbour;
mod orders;
#[cfg(test)]
mod owners;
#[cfg(test)]
mod pictures;
#[cfg(test)]
mod program;
#[cfg(test)]
mod qr;
#[cfg(test)]
mod shelf;
#[cfg(test)]
mod siblings;
#[cfg(test)]
mod verify;
