//! What holds for the repository as a whole.

mod data;
mod lost_phone;
mod tidy;
