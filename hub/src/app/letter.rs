//! What the hub writes to people, in their language.
//!
//! **Invariants:** a letter is queued in the transaction that it tells of, so that a crash loses
//! none; it is sealed under the key of the person it goes to, and leaves with the account.

use kirana_core::time::{DAY_MS, UnixMs};
use kirana_migrations::StoreError;
use serde::{Deserialize, Serialize};

use super::{Error, Hub, notice::News, person::Personal, session::uuid};
use crate::{
    clock::{Rng, draw},
    store::{account::Stored, letter::Letter},
};

/// What a letter is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content<'a> {
    /// Somebody forgot the password.
    Reset {
        /// Where another one is set.
        link: &'a str,
    },
    /// Another password was set without the old one.
    PasswordSet,
    /// An administrator made a code that sets another password.
    CodeMade,
    /// The address is to be confirmed.
    EmailCode {
        /// The code to type.
        code: &'a str,
    },
    /// Another address stands in the profile now.
    EmailChanged,
    /// A device signed in that was never seen at this account.
    NewDevice {
        /// When, and with what from where.
        seen: &'a str,
    },
    /// Something is new of an order.
    News {
        /// Of which shop.
        shop: &'a str,
        /// By the number that people say.
        number: &'a str,
        /// What.
        news: News,
    },
    /// Mail lies here that no device has fetched.
    Waiting,
}

/// A letter as it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// To which address.
    pub to: String,
    /// What it is about.
    pub subject: String,
    /// The text.
    pub body: String,
}

/// How long a letter is worth sending, in milliseconds; one with a code, as long as the code counts.
const KEPT_MS: u64 = 3 * DAY_MS;
/// Letters that are taken up at once.
const BATCH: u32 = 20;
/// After how many milliseconds a letter is tried again at first, and at most; twice as long each
/// time.
const RETRY_MS: (u64, u64) = (2_000, 60 * 60_000);

impl Hub {
    /// Writes to a person, where there is an address that mail can reach.
    pub(super) fn letter(
        &self,
        stored: &Stored,
        to: Option<&str>,
        content: Content<'_>,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Option<Letter>, Error> {
        let Some(to) = to.filter(|to| is_address(to)) else { return Ok(None) };
        let (subject, body) = content.said(is_hindi(&stored.language));
        let written = Written { to: to.to_owned(), subject: subject.to_owned(), body };
        let plain = serde_json::to_vec(&written).expect("three texts always make JSON");
        let id = uuid(now, rng);
        let sealed = self.person(stored)?.secrets().seal(&place(id), &plain, draw(rng));
        let kept_ms = match content {
            Content::Reset { .. } | Content::EmailCode { .. } => super::reset::CODE_MS,
            _ => KEPT_MS,
        };
        let until = now.plus_ms(kept_ms);
        Ok(Some(Letter { id, account: stored.id, sealed, due_at: now, until, tries: 0 }))
    }

    /// Letters whose time has come, opened.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn due_letters(&self, now: UnixMs) -> Result<Vec<(Letter, Written)>, Error> {
        let mut due = Vec::new();
        for letter in self.store().due_letters(now, BATCH).await? {
            let Some(account) = self.store().account(letter.account).await? else { continue };
            let person = self.person(&account).ok();
            let plain = person.and_then(|p| p.secrets().open(&place(letter.id), &letter.sealed));
            match plain.and_then(|plain| serde_json::from_slice(&plain).ok()) {
                Some(written) => due.push((letter, written)),
                None => {
                    let error = StoreError::damaged("a letter to", account.id);
                    tracing::error!(%error, "a letter cannot be read and is thrown away");
                    self.store().remove_letter(letter.id).await?;
                }
            }
        }
        Ok(due)
    }

    /// The letter left, or never will.
    ///
    /// # Errors
    /// When the database cannot be written: it will be sent once more.
    pub async fn letter_left(&self, letter: &Letter) -> Result<(), Error> {
        Ok(self.store().remove_letter(letter.id).await?)
    }

    /// The letter could not leave now.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn letter_waits(&self, letter: &Letter, now: UnixMs) -> Result<(), Error> {
        let (first_ms, most_ms) = RETRY_MS;
        let wait_ms = first_ms.saturating_mul(1 << letter.tries.min(20)).min(most_ms);
        Ok(self.store().postpone_letter(letter.id, now.plus_ms(wait_ms)).await?)
    }

    /// Waits until something may have to be sent.
    pub async fn post_is_called(&self) {
        self.0.post.notified().await;
    }

    /// Says that something may have to be sent.
    pub(super) fn call_post(&self) {
        self.0.post.notify_one();
    }
}

impl Personal {
    /// Where mail reaches the person: the address in the profile, or a login that is one.
    pub fn address(&self) -> Option<&str> {
        self.email.as_deref().or(Some(&self.login)).filter(|address| is_address(address))
    }
}

/// Whether mail can be sent there.
pub(super) fn is_address(text: &str) -> bool {
    text.parse::<lettre::Address>().is_ok()
}

pub(super) fn is_hindi(language: &str) -> bool {
    language.split('-').next().is_some_and(|name| name.eq_ignore_ascii_case("hi"))
}

fn place(id: [u8; 16]) -> Vec<u8> {
    [b"letter ", &id[..]].concat()
}

impl Content<'_> {
    /// Subject and text.
    fn said(self, hindi: bool) -> (&'static str, String) {
        if hindi { self.in_hindi() } else { self.in_english() }
    }

    fn in_english(self) -> (&'static str, String) {
        match self {
            Self::Reset { link } => (
                "Set a new password",
                format!(
                    "Somebody asked for a new password for your kirana account.\n\n\
                     If it was you, open this link within one hour. It works once:\n\n{link}\n\n\
                     If it was not you, you need not do anything: your password stays.\n"
                ),
            ),
            Self::PasswordSet => (
                "Your password was changed",
                "A new password was set for your kirana account, by a link, a printed code or a \
                 code from an administrator. All devices were signed out.\n\n\
                 If it was not you, ask for a new password now and tell the people who run the \
                 hub.\n"
                    .to_owned(),
            ),
            Self::CodeMade => (
                "A code for a new password was made",
                "An administrator made a code with which you can set a new password. It works \
                 once and for one hour.\n\n\
                 If you did not ask for it, tell the people who run the hub.\n"
                    .to_owned(),
            ),
            Self::EmailCode { code } => (
                "Confirm your email address",
                format!(
                    "This is the code that confirms your email address at kirana:\n\n{code}\n\n\
                     It works once and for one hour. If you did not ask for it, you need not do \
                     anything.\n"
                ),
            ),
            Self::EmailChanged => (
                "Your email address was changed",
                "Your kirana account has another email address from now on, and letters no \
                 longer come here.\n\n\
                 If it was not you, sign in, change it back and set a new password, or tell the \
                 people who run the hub.\n"
                    .to_owned(),
            ),
            Self::NewDevice { seen } => (
                "A new device signed in",
                format!(
                    "A device that was never seen there before signed in to your kirana \
                     account:\n\n{seen}\n\n\
                     If it was not you, set a new password: that signs out all devices.\n"
                ),
            ),
            Self::News { shop, number, news } => (
                "News of your order",
                format!(
                    "{shop}, order {number}: {}\n\n\
                     You asked for letters about your orders at kirana and can turn them off there.\n",
                    news.sentence(false)
                ),
            ),
            Self::Waiting => (
                "Something waits for your device",
                "Something came for your device that it has not fetched yet, such as a shop's answer. \
                 Open kirana and let it go online; only your device can read what it is.\n\n\
                 You asked for such letters and can turn them off there.\n"
                    .to_owned(),
            ),
        }
    }

    fn in_hindi(self) -> (&'static str, String) {
        match self {
            Self::Reset { link } => (
                "नया पासवर्ड बनाएँ",
                format!(
                    "किसी ने आपके किराना खाते के लिए नया पासवर्ड माँगा है।\n\n\
                     अगर यह आपने किया है, तो एक घंटे के अंदर यह लिंक खोलें। यह एक ही बार चलता है:\n\n\
                     {link}\n\n\
                     अगर यह आपने नहीं किया, तो कुछ करने की ज़रूरत नहीं: आपका पासवर्ड वही रहेगा।\n"
                ),
            ),
            Self::PasswordSet => (
                "आपका पासवर्ड बदला गया",
                "आपके किराना खाते का नया पासवर्ड बनाया गया है: लिंक से, छपे हुए कोड से या \
                 व्यवस्थापक के दिए कोड से। सभी उपकरण साइन-आउट हो गए हैं।\n\n\
                 अगर यह आपने नहीं किया, तो अभी नया पासवर्ड माँगें और हब चलाने वालों को बताएँ।\n"
                    .to_owned(),
            ),
            Self::CodeMade => (
                "नए पासवर्ड के लिए कोड बनाया गया",
                "व्यवस्थापक ने एक कोड बनाया है, जिससे आप नया पासवर्ड बना सकते हैं। यह एक ही बार और \
                 एक घंटे तक चलता है।\n\n\
                 अगर आपने यह नहीं माँगा, तो हब चलाने वालों को बताएँ।\n"
                    .to_owned(),
            ),
            Self::EmailCode { code } => (
                "अपना ईमेल पता पक्का करें",
                format!(
                    "किराना में आपका ईमेल पता पक्का करने का कोड यह है:\n\n{code}\n\n\
                     यह एक ही बार और एक घंटे तक चलता है। अगर आपने यह नहीं माँगा, तो कुछ करने की \
                     ज़रूरत नहीं।\n"
                ),
            ),
            Self::EmailChanged => (
                "आपका ईमेल पता बदला गया",
                "अब से आपके किराना खाते का ईमेल पता दूसरा है, और चिट्ठियाँ यहाँ नहीं आएँगी।\n\n\
                 अगर यह आपने नहीं किया, तो साइन-इन करके इसे वापस बदलें और नया पासवर्ड बनाएँ, या हब \
                 चलाने वालों को बताएँ।\n"
                    .to_owned(),
            ),
            Self::NewDevice { seen } => (
                "नए उपकरण से साइन-इन हुआ",
                format!(
                    "एक ऐसे उपकरण ने आपके किराना खाते में साइन-इन किया जो पहले यहाँ नहीं देखा गया:\n\n\
                     {seen}\n\n\
                     अगर यह आप नहीं थे, तो नया पासवर्ड बनाएँ: इससे सभी उपकरण साइन-आउट हो जाएँगे।\n"
                ),
            ),
            Self::News { shop, number, news } => (
                "आपके ऑर्डर की ख़बर",
                format!(
                    "{shop}, ऑर्डर {number}: {}\n\n\
                     आपने किराना में ऑर्डर की चिट्ठियाँ माँगी थीं; उन्हें वहीं बंद कर सकते हैं।\n",
                    news.sentence(true)
                ),
            ),
            Self::Waiting => (
                "आपके उपकरण के लिए कुछ आया है",
                "आपके उपकरण के लिए कुछ आया है जो उसने अभी तक नहीं लिया, जैसे दुकान का जवाब। किराना खोलें और \
                 उसे ऑनलाइन आने दें; इसे केवल आपका उपकरण पढ़ सकता है।\n\n\
                 आपने ऐसी चिट्ठियाँ माँगी थीं; उन्हें वहीं बंद कर सकते हैं।\n"
                    .to_owned(),
            ),
        }
    }
}
