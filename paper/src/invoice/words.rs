//! What invoices and receipts say beside names and amounts, in English and Hindi.

use kirana_core::catalogue::product::Language;

pub(super) struct Words {
    pub(super) tax_invoice: &'static str,
    pub(super) credit_note: &'static str,
    pub(super) number: &'static str,
    pub(super) date: &'static str,
    pub(super) against: &'static str,
    pub(super) buyer: &'static str,
    pub(super) place_of_supply: &'static str,
    pub(super) goods: &'static str,
    pub(super) quantity: &'static str,
    pub(super) rate: &'static str,
    pub(super) taxable: &'static str,
    pub(super) total: &'static str,
    pub(super) round_off: &'static str,
    pub(super) to_pay: &'static str,
    pub(super) credited: &'static str,
    pub(super) signature: &'static str,
    pub(super) page: &'static str,
}

impl Words {
    pub(super) fn of(language: Language) -> &'static Self {
        if language == Language::HINDI { &HINDI } else { &ENGLISH }
    }
}

const ENGLISH: Words = Words {
    tax_invoice: "Tax invoice",
    credit_note: "Credit note",
    number: "No.",
    date: "Date",
    against: "Against",
    buyer: "Buyer",
    place_of_supply: "Place of supply",
    goods: "Goods",
    quantity: "Quantity",
    rate: "Rate",
    taxable: "Taxable",
    total: "Total",
    round_off: "Rounded off",
    to_pay: "To pay",
    credited: "Credited",
    signature: "Authorised signatory",
    page: "Page",
};

const HINDI: Words = Words {
    tax_invoice: "कर बीजक",
    credit_note: "क्रेडिट नोट",
    number: "सं.",
    date: "दिनांक",
    against: "मूल बीजक",
    buyer: "क्रेता",
    place_of_supply: "आपूर्ति का स्थान",
    goods: "वस्तु",
    quantity: "मात्रा",
    rate: "दर",
    taxable: "कर योग्य",
    total: "योग",
    round_off: "पूर्णांकन",
    to_pay: "देय राशि",
    credited: "वापस की गई राशि",
    signature: "प्राधिकृत हस्ताक्षरकर्ता",
    page: "पृष्ठ",
};
