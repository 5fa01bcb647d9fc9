//! Who should be reminded of what they owe, and in which words.

use kirana_core::{
    catalogue::product::Language,
    id::KhataId,
    money::Money,
    time::{DAY_MS, UnixMs},
};
use kirana_migrations::StoreError;
use kirana_paper::amounts::written;
use rand_core::CryptoRng;

use super::{By, KhataView, NotWritten, Writing};
use crate::{
    app::{Once, Shop, once::request_hash},
    store::khata,
};

/// The most days that may be asked for.
pub const OLD_DAYS_MAX: u32 = 3_650;

/// Somebody to be reminded.
#[derive(Debug, Clone)]
pub struct Due {
    /// Of which book.
    pub view: KhataView,
    /// How much is owed for longer than asked, in minor units.
    pub old: i64,
    /// Whether a device of theirs hears it; else it is read aloud, printed or sent by hand.
    pub by_device: bool,
    /// What to say.
    pub says: String,
}

impl Shop {
    /// Who owes something for more than so many days, or more than may be owed; the oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn khata_dues(
        &self,
        days: u32,
        language: Language,
        now: UnixMs,
    ) -> Result<Vec<Due>, StoreError> {
        let ms = u64::from(days.min(OLD_DAYS_MAX)).saturating_mul(DAY_MS);
        let before = UnixMs::new(self.known_now(now)?.at.get().saturating_sub(ms));
        let views = self.khatas()?.into_iter().filter(|view| view.row.is_open);
        let mut due: Vec<Due> = views
            .filter_map(|view| {
                let old = view.row.dues.older_than(before);
                (view.row.balance > 0 && (old > 0 || view.is_over())).then(|| Due {
                    old,
                    by_device: view.by_device,
                    says: self.khata_reminder(&view, language),
                    view,
                })
            })
            .collect();
        due.sort_by_key(|due| (due.view.row.dues.oldest(), due.view.row.n));
        Ok(due)
    }

    /// Reminds somebody, in these words or in the usual ones, and says which they were. Under a key that
    /// was used before nothing is written, and the words are those of the last reminder, whatever was
    /// paid since.
    ///
    /// # Errors
    /// [`NotWritten`]; nothing was changed.
    pub fn remind_khata(
        &self,
        once: Option<Once>,
        (id, words, language): (KhataId, &str, Language),
        by: Option<By>,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<(KhataView, String), NotWritten> {
        let words = words.trim().to_owned();
        // Named by what was asked: what the book comes to may have changed when it is asked again.
        let request = request_hash(&("remind khata", id, &words, language.as_str()));
        let shop = self.clone();
        let view = self.at_the_book(once, request, now, rng, move |desk| {
            let mut row = khata::find(desk.tx, id)?.ok_or(NotWritten::Unknown)?;
            let says = match words.is_empty() {
                true => shop.khata_reminder(&desk.shop.khata_view(desk.tx, row.clone())?, language),
                false => words.clone(),
            };
            desk.put_down(&mut row, &Writing::Remind(says), by)?;
            Ok(row.id)
        })?;
        let book = self.khata(id)?;
        let said = book.entries.iter().rfind(|entry| entry.shown.kind == "reminded");
        let says = said.and_then(|entry| entry.words.clone()).unwrap_or_default();
        Ok((view, says))
    }

    /// The words that remind somebody of a book.
    pub fn khata_reminder(&self, view: &KhataView, language: Language) -> String {
        let shop = &self.identity().name;
        let name = view.person.as_ref().map_or("", |person| person.name.as_str());
        let sum = written(Money::new(view.row.balance, self.identity().currency));
        let since =
            view.row.dues.oldest().map(|at| self.day_of(at).to_string()).unwrap_or_default();
        let greeting = |word: &str| match name {
            "" => format!("{word},"),
            name => format!("{word} {name},"),
        };
        match language.as_str() {
            "hi" => format!(
                "{} {shop} की खाता बही में आपके {sum} बाकी हैं, सबसे पुराना हिसाब {since} का है। \
                 कृपया जब सुविधा हो, चुका दें।",
                greeting("नमस्ते")
            ),
            _ => format!(
                "{} your khata at {shop} stands at {sum}; the oldest of it is of {since}. Please \
                 pay it when you can.",
                greeting("Hello")
            ),
        }
    }
}
