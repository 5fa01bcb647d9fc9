//! Edits as intents: what somebody wanted, kept until the shop's node has admitted it, so that a
//! refused batch can be made again on newer heads.

use minicbor::{Decode, Encode};

use super::{
    category::{Category, NotACategory},
    conflict::{Field, Value},
    product::{Language, Product, ProductError},
};
use crate::{
    id::{ProductId, VariantId},
    money::Price,
};

/// One wish about one product.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Edit {
    /// Put a product in, or make a known one so; only what differs is written, so that edits of
    /// other fields made apart stay.
    #[n(0)]
    PutProduct(#[n(0)] Box<Product>),
    /// Set or take away a price. This settles a clash of prices.
    #[n(1)]
    SetPrice {
        /// Of which product.
        #[n(0)]
        product: ProductId,
        /// Of which variant.
        #[n(1)]
        variant: VariantId,
        /// The new price; `None` takes it off sale.
        #[n(2)]
        price: Option<Price>,
    },
    /// Set or take away the name in one language.
    #[n(2)]
    Rename {
        /// Of which product.
        #[n(0)]
        product: ProductId,
        /// In which language.
        #[n(1)]
        language: Language,
        /// The new name.
        #[n(2)]
        name: Option<String>,
    },
    /// Say whether its stock is counted.
    #[n(3)]
    SetCounted {
        /// Of which product.
        #[n(0)]
        product: ProductId,
        /// Whether it is.
        #[n(1)]
        counted: bool,
    },
    /// Take it off the shelf.
    #[n(4)]
    Delist {
        /// Which product.
        #[n(0)]
        product: ProductId,
    },
    /// Put it back on the shelf.
    #[n(5)]
    Relist {
        /// Which product.
        #[n(0)]
        product: ProductId,
    },
    /// Pick a value where two edits made apart clash.
    #[n(6)]
    Settle {
        /// Of which product.
        #[n(0)]
        product: ProductId,
        /// Of which variant; `None` for a field of the product itself.
        #[n(1)]
        variant: Option<VariantId>,
        /// Which field.
        #[n(2)]
        field: Field,
        /// The value that holds from now on.
        #[n(3)]
        value: Value,
    },
    /// Say something of a category, in place of what was said under this entry; only what differs
    /// is written. It lies in the index document.
    #[n(7)]
    PutCategory(#[n(0)] Box<Category>),
}

impl Edit {
    /// The product, or the entry about a category, that it is about.
    pub fn product(&self) -> ProductId {
        match self {
            Self::PutProduct(product) => product.id,
            Self::PutCategory(category) => category.entry,
            Self::SetPrice { product, .. }
            | Self::Rename { product, .. }
            | Self::SetCounted { product, .. }
            | Self::Delist { product }
            | Self::Relist { product }
            | Self::Settle { product, .. } => *product,
        }
    }
}

/// An edit that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The bucket does not hold the product.
    #[error("there is no product {0}")]
    NoSuchProduct(ProductId),
    /// The product has no such variant.
    #[error("product {product} has no variant {variant}")]
    NoSuchVariant {
        /// The product.
        product: ProductId,
        /// The variant that was named.
        variant: VariantId,
    },
    /// The product would not keep the limits.
    #[error("product {product}: {why}")]
    Limits {
        /// The product.
        product: ProductId,
        /// Which limit.
        why: ProductError,
    },
    /// What is said of a category would not keep the limits.
    #[error(transparent)]
    Category(#[from] NotACategory),
    /// A product among the categories, or a category among the products.
    #[error("products and categories lie in documents of their own")]
    OtherDocument,
    /// The value is of another kind than the field.
    #[error("the field {0} cannot have such a value")]
    WrongKind(Field),
    /// The document did not take it; it is as it was before.
    #[error("the catalogue document refused the edit: {0}")]
    Document(String),
}
