//! What the shops of a seed sell: a few goods, most of them scarce.

use kirana_core::{
    id::{ProductId, VariantId},
    money::{Currency, Price},
    quantity::Unit,
    time::UnixMs,
};

use crate::dice::Dice;

/// One thing that a shop sells.
#[derive(Debug, Clone)]
pub struct Good {
    /// The product.
    pub product: ProductId,
    /// Its only size.
    pub variant: VariantId,
    /// The first price.
    pub price: Price,
    /// Whether the shop counts it; otherwise a person decides.
    pub is_counted: bool,
    /// How much there is at the beginning.
    pub opening: u64,
}

impl Good {
    /// What a shop sells in the beginning.
    pub fn draw_all(currency: Currency, now: UnixMs, dice: &mut Dice) -> Vec<Self> {
        (0..GOODS).map(|n| Self::draw(n, currency, now, dice)).collect()
    }

    fn draw(n: u64, currency: Currency, now: UnixMs, dice: &mut Dice) -> Self {
        let minor = i64::try_from(dice.between(500, 20_000)).unwrap_or(500);
        Self {
            product: ProductId::new(now, dice.bytes()),
            variant: VariantId::new(now, dice.bytes()),
            price: Price { minor, per: 1, currency },
            // The last one is sold by eye.
            is_counted: n + 1 < GOODS,
            opening: if n == 0 { dice.between(1, 3) } else { dice.between(3, 14) },
        }
    }

    /// In what it is counted.
    pub const UNIT: Unit = Unit::Piece;
}

const GOODS: u64 = 4;
