//! What can be done, by the words that policies, audits and own roles use.
//!
//! **Invariant:** a word names one action, for ever.

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $label:literal;)*) => {
        /// Something that a policy permits or not.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Action { $($(#[$doc])* $name,)* }

        impl Action {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The word used in policies and audits.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }
        }
    };
}

actions! {
    /// Edit products and prices of a shop.
    EditCatalogue = "catalogue.edit";
    /// Pick one of two clashing values.
    SettleClash = "catalogue.settle";
    /// See the stock ledger.
    ViewStock = "stock.view";
    /// Enter receipts, losses, counts, transfers, returns.
    MoveStock = "stock.move";
    /// Sell at the counter.
    RingUpSale = "sale.ring_up";
    /// Import a file of products.
    RunImport = "import.run";
    /// Certify and shut out the shop's own staff and tills.
    ManageStaff = "staff.manage";
    /// See takings and reports.
    ViewReport = "report.view";
    /// See suppliers, and what was ordered of them.
    ViewPurchases = "purchase.view";
    /// Keep suppliers, order of them, and call an order to them off.
    Purchase = "purchase.edit";
    /// See what goods cost the shop, and what it earns with them.
    ViewMargin = "margin.view";
    /// Edit the shop's profile, hours and addresses.
    EditShop = "shop.edit";
    /// List the shop's orders.
    ListOrders = "order.list";
    /// Place an order at a shop.
    PlaceOrder = "order.place";
    /// Publish a shop's record in the directory.
    PublishRecord = "directory.publish";
    /// Let a shop into the directory.
    ApproveShop = "shop.approve";
    /// See one order.
    ViewOrder = "order.view";
    /// Ask to withdraw, cancel or change one's order.
    AskAboutOrder = "order.ask";
    /// Accept or decline.
    DecideOrder = "order.decide";
    /// Pack and weigh.
    PackOrder = "order.pack";
    /// Hand over, dispatch, report a failed delivery.
    HandOverOrder = "order.hand_over";
    /// Enter a payment.
    TakePayment = "order.take_payment";
    /// Call an accepted order off for the shop.
    CancelOrder = "order.cancel";
    /// Give money back.
    RefundOrder = "order.refund";
    /// See the credit books.
    ViewKhata = "khata.view";
    /// Write what somebody takes on credit into the credit book, and remind.
    ChargeKhata = "khata.charge";
    /// Take a payment towards a credit book.
    TakeKhataPayment = "khata.take_payment";
    /// Open, limit, link, write off and close credit books, and let one pass its limit.
    ManageKhata = "khata.manage";
    /// Search the people of all accounts.
    SearchAccounts = "account.search";
    /// Make an account for somebody.
    CreateAccount = "account.create";
    /// See an account: who the person is.
    ViewAccount = "account.view";
    /// Edit an account: profile, addresses, carts, password.
    EditAccount = "account.edit";
    /// Close an account.
    CloseAccount = "account.close";
    /// Give and take roles.
    SetRoles = "account.set_roles";
    /// Enrol a device into an account.
    EnrolDevice = "device.enrol";
    /// Shut a device out.
    RevokeDevice = "device.revoke";
    /// Leave mail.
    PutMail = "mailbox.put";
    /// List and delete mail.
    ReadMail = "mailbox.read";
    /// List all accounts.
    ListAccounts = "account.list";
    /// Apply for a shop.
    ApplyForShop = "shop.apply";
    /// See which shops applied.
    ReviewShops = "shop.review";
    /// Certify a community hub.
    CertifyHub = "hub.certify";
    /// Search the directory.
    ReadDirectory = "directory.read";
    /// Take no more work before a stop.
    DrainHub = "hub.drain";
    /// See how long the queues are.
    ViewQueues = "queue.view";
    /// Read the audit.
    ReadAudit = "audit.read";
    /// Read these policies.
    ReadPolicies = "policy.read";
}

impl Action {
    /// What an owner may put into a role of the shop's own. Who works here, what the shop says of
    /// itself and its record stay the owner's.
    pub const GIVEN_BY_OWNERS: [Self; 22] = [
        Self::EditCatalogue,
        Self::SettleClash,
        Self::ViewStock,
        Self::MoveStock,
        Self::RingUpSale,
        Self::RunImport,
        Self::ViewReport,
        Self::ViewPurchases,
        Self::Purchase,
        Self::ViewMargin,
        Self::ListOrders,
        Self::ViewOrder,
        Self::DecideOrder,
        Self::PackOrder,
        Self::HandOverOrder,
        Self::TakePayment,
        Self::CancelOrder,
        Self::RefundOrder,
        Self::ViewKhata,
        Self::ChargeKhata,
        Self::TakeKhataPayment,
        Self::ManageKhata,
    ];

    /// The action of a word that an owner may give; `None` for every other word.
    pub fn given_by_owners(label: &str) -> Option<Self> {
        Self::GIVEN_BY_OWNERS.into_iter().find(|action| action.label() == label)
    }
}
