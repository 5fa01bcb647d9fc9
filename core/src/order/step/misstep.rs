//! Why an entry does not fit an order.

use crate::{
    money::{Money, MoneyError},
    order::placed::Invalid,
};

/// An entry that does not fit the order as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misstep {
    /// The step does not follow from this stage.
    #[error("an order that is \"{stage}\" cannot become \"{step}\"")]
    NotNow {
        /// Where the order, the group or the payment stands.
        stage: &'static str,
        /// What was tried.
        step: &'static str,
    },
    /// Nothing is granted, or nothing is left to do it with.
    #[error("there is not one line to do this with")]
    NothingGranted,
    /// The order has no such line.
    #[error("the order has no line {line} here")]
    NoSuchLine {
        /// Index of the line.
        line: u16,
    },
    /// A line is answered twice.
    #[error("line {line} is answered twice")]
    LineTwice {
        /// Index of the line.
        line: u16,
    },
    /// A line is not answered.
    #[error("line {line} is not answered")]
    LineLeft {
        /// Index of the line.
        line: u16,
    },
    /// Nothing is held for the line that this could apply to.
    #[error("nothing is held for line {line} that this could apply to")]
    LineNotHeld {
        /// Index of the line.
        line: u16,
    },
    /// More than was ordered or held, or nothing.
    #[error("line {line} cannot get that much")]
    GrantedBeyond {
        /// Index of the line.
        line: u16,
    },
    /// The customer wants the whole line or nothing.
    #[error("line {line} was ordered whole or not at all")]
    GrantedInPart {
        /// Index of the line.
        line: u16,
    },
    /// The price is above what the customer signed.
    #[error("the price of line {line} is above what the customer agreed to")]
    PriceTooHigh {
        /// Index of the line.
        line: u16,
    },
    /// The tax rate is above [`TAX_BP_MAX`].
    #[error("the tax rate of line {line} is above 100 percent")]
    TaxTooHigh {
        /// Index of the line.
        line: u16,
    },
    /// The weight is outside the tolerance.
    #[error("the weight of line {line} is further off than the customer allowed")]
    WeightOff {
        /// Index of the line.
        line: u16,
    },
    /// The order has no such group of lines.
    #[error("the order has no group {0}")]
    NoSuchGroup(u8),
    /// The goods are not all handed over or back.
    #[error("the goods are not all handed over")]
    NotHandedOver,
    /// Something is still owed by one side.
    #[error("{due} is still to be settled")]
    NotSettled {
        /// What is owed to the shop; below zero, what the shop owes.
        due: Money,
    },
    /// A payment of nothing or less.
    #[error("a payment is above zero")]
    NoMoney,
    /// More is paid than the order costs.
    #[error("that is more than the order costs ({sum})")]
    PaidBeyond {
        /// What the order costs.
        sum: Money,
    },
    /// Nobody was asked for such a payment by card.
    #[error("the customer was not asked for that payment")]
    NotAsked,
    /// More goes back than came in.
    #[error("that is more than was paid ({paid})")]
    RefundedBeyond {
        /// What came in.
        paid: Money,
    },
    /// More is charged for bringing it than the customer signed.
    #[error("bringing it costs more than the customer agreed to")]
    FeeTooHigh,
    /// Something else may not come in place of the line.
    #[error("the customer did not allow that for line {line}")]
    NotAllowedInstead {
        /// Index of the line.
        line: u16,
    },
    /// The time for an answer is not over yet.
    #[error("the customer still has time to answer")]
    TooEarly,
    /// The order would be one that cannot be.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// A sum that cannot be.
    #[error(transparent)]
    Money(#[from] MoneyError),
}
