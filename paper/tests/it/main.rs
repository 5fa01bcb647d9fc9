//! Stories about paper: what was printed is drawn and read back, never trusted.

mod invoices;
mod labels;
mod read_back;
