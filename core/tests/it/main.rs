//! What the parts of core hold together.

mod catalogue;
mod khata;
mod order;
