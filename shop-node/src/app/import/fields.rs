//! The meanings that a column of a product file can have, by the names that maps give them.

use std::collections::BTreeMap;

use kirana_core::catalogue::product::Language;

/// The meaning of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// What rows of one product have in common: each row is a variant of it.
    Handle,
    /// What tells a variant from its siblings for ever, whatever else of it changes.
    Variant,
    /// The number under the barcode.
    Gtin,
    /// The shop's own number.
    Sku,
    /// A name, in one language.
    Name(Language),
    /// Words that should find it too, with `|` between them.
    Synonyms,
    /// One more word that should find it too, as it stands.
    Synonym,
    /// Who makes it.
    Brand,
    /// The shelf.
    Category,
    /// Shelves from the widest to the narrowest, with commas between them; the last counts.
    CategoryPath,
    /// A shelf, or several with commas between them, of which the narrowest counts that is a node of
    /// the shop's tree by its id or its name in some language; where none is, the last as it stands.
    CategoryNode,
    /// A sentence about it.
    Description,
    /// The same in HTML, of which the text is kept.
    Html,
    /// What it is made of.
    Ingredients,
    /// Diets it suits, with `|` between them.
    Diets,
    /// Allergens in it, with `|` between them.
    Allergens,
    /// Allergens as Open Food Facts has them: `en:milk,en:nuts`.
    AllergenTags,
    /// Labels with commas between them, of which those that name a diet count.
    LabelTags,
    /// Tags with commas between them: those that name a diet do, the others are words to find it by.
    Tags,
    /// How old a buyer must be, in years.
    AgeMin,
    /// How it is kept.
    Storage,
    /// Its class of the Harmonised System.
    Hsn,
    /// Whether its stock is counted: `true` or `false`.
    Counted,
    /// What tells a variant from its siblings.
    Label,
    /// What tells a variant from its siblings in one respect, such as its colour: 1 to 4.
    Option(u8),
    /// `active`, or a word for what is not on sale: `draft`, `archived`, `unlisted`.
    Status,
    /// Whether it is a gift card, which no shelf holds.
    GiftCard,
    /// Where a picture lies on the web: noted, never fetched.
    Picture,
    /// The price, as people write it.
    Price,
    /// For how much of the row's unit the price is; one of it if left out.
    PricePer,
    /// `piece`, `g`, `kg`, `ml` or `l`: what the row's amounts and its price are in.
    Unit,
    /// Quantities are multiples of this, in the row's unit.
    Step,
    /// The least that is sold, in the row's unit.
    Min,
    /// What is in one pack: `500 g`.
    Content,
    /// As a bare number, for packs and loose goods alike, in the unit of the next.
    Measure,
    /// The unit of the measure.
    MeasureUnit,
    /// Tax in basis points.
    TaxBp,
    /// Tax in per cent.
    TaxPercent,
    /// The tax of the whole product in basis points, where variants have others.
    ProductTaxBp,
    /// What is given back for the empty bottle, as people write prices.
    Deposit,
    /// The legal maximum, as people write prices.
    MaxPrice,
    /// By how much a weighed piece usually differs, in basis points.
    ToleranceBp,
    /// How much is never promised to orders, in the row's unit.
    Safety,
    /// Prices to come: `45.00 per 1000 from 2026-12-01T00:00:00Z until 2026-12-08T00:00:00Z`, with
    /// `|` between them.
    Planned,
    /// Deals: `3 for 2 from 2026-12-01T00:00:00Z` or `12.5% off from …`, with `|` between them.
    Deals,
    /// What lies in the shop when a product comes in for the first time, in the row's unit.
    Stock,
}

/// The fields that have a name of their own, as maps and files of our own call them.
const NAMED: &[(&str, Field)] = &[
    ("handle", Field::Handle),
    ("variant", Field::Variant),
    ("gtin", Field::Gtin),
    ("sku", Field::Sku),
    ("name", Field::Name(Language::ENGLISH)),
    ("synonyms", Field::Synonyms),
    ("synonym", Field::Synonym),
    ("brand", Field::Brand),
    ("category", Field::Category),
    ("category_path", Field::CategoryPath),
    ("category_node", Field::CategoryNode),
    ("description", Field::Description),
    ("html", Field::Html),
    ("ingredients", Field::Ingredients),
    ("diets", Field::Diets),
    ("allergens", Field::Allergens),
    ("allergen_tags", Field::AllergenTags),
    ("label_tags", Field::LabelTags),
    ("tags", Field::Tags),
    ("age_min", Field::AgeMin),
    ("storage", Field::Storage),
    ("hsn", Field::Hsn),
    ("counted", Field::Counted),
    ("option1", Field::Option(1)),
    ("option2", Field::Option(2)),
    ("option3", Field::Option(3)),
    ("option4", Field::Option(4)),
    ("status", Field::Status),
    ("gift_card", Field::GiftCard),
    ("picture", Field::Picture),
    ("label", Field::Label),
    ("price", Field::Price),
    ("price_per", Field::PricePer),
    ("unit", Field::Unit),
    ("step", Field::Step),
    ("min", Field::Min),
    ("content", Field::Content),
    ("measure", Field::Measure),
    ("measure_unit", Field::MeasureUnit),
    ("tax_bp", Field::TaxBp),
    ("tax_percent", Field::TaxPercent),
    ("product_tax_bp", Field::ProductTaxBp),
    ("deposit", Field::Deposit),
    ("max_price", Field::MaxPrice),
    ("tolerance_bp", Field::ToleranceBp),
    ("safety", Field::Safety),
    ("planned", Field::Planned),
    ("deals", Field::Deals),
    ("stock", Field::Stock),
];

impl Field {
    /// The field of a name in a map: `gtin`, `name`, `name.hi`, `price`…
    pub fn named(name: &str) -> Option<Self> {
        let known = NAMED.iter().find(|(known, _)| *known == name).map(|(_, field)| *field);
        known.or_else(|| Some(Self::Name(name.strip_prefix("name.")?.parse().ok()?)))
    }
}

/// Where each field stands in a record.
pub type Columns = BTreeMap<Field, usize>;
