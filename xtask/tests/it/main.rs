//! What holds for the repository as a whole.

mod after_placing;
mod data;
mod lost_phone;
mod notices;
mod on_khata;
mod on_terms;
mod shop_day;
mod street;
mod thin_client;
mod tidy;
