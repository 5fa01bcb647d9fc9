//! Fills an empty shelf from the list of everyday articles: one line for each, a few keys long.
//!
//! **Invariant:** what the prompt said is on the shelf is stored, whatever happens to the terminal.

use std::io::{BufRead, Write, stderr, stdin};

use serde_json::json;

use super::{Data, Done, Failure};
use crate::{
    app::{
        Shop,
        import::{Locale, price},
        starter::{Article, Pick, articles, find},
    },
    clock,
    home::Home,
};

/// Everyday articles to put on the shelf: type how a name begins and what it costs.
///
/// `aloo 30` puts potatoes on the shelf at 30.00 a kilogram. Where several fit, they are listed with
/// numbers; type the number. An empty line ends. The same again changes nothing.
#[derive(clap::Args)]
pub struct Starter {
    #[command(flatten)]
    data: Data,
    /// Only lists the articles that these beginnings of words fit; all for "".
    #[arg(long, value_name = "WORDS")]
    list: Option<String>,
}

/// So many articles are listed to choose from.
const CHOICES_MAX: usize = 9;

impl Starter {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        if let Some(words) = self.list {
            let found = find(&words);
            let lines = found.iter().map(|article| told(article));
            let says = lines.collect::<Vec<_>>().join("\n");
            return Ok(Done::new(says, json!({ "items": found })));
        }
        let shop = with(self.data).shop()?;
        let count = converse(&shop, &mut stdin().lock(), &mut stderr())?;
        let says = format!("{count} articles are on the shelf at the prices that you said.");
        Ok(Done::new(says, json!({ "ticked": count })))
    }
}

/// Goes on until an empty line or the end; how many articles were ticked.
fn converse(shop: &Shop, keys: &mut impl BufRead, screen: &mut impl Write) -> Result<u64, Failure> {
    let mut count = 0;
    say(screen, &format!("{} articles. How it begins and what it costs: ", articles().len()))?;
    while let Some(line) = line(keys)? {
        let Some((words, cost)) = line.rsplit_once(' ') else {
            say(screen, "Like this: aloo 30\n> ")?;
            continue;
        };
        let currency = shop.identity().currency;
        let Ok(minor) = price(cost, Locale::INDIAN, currency) else {
            say(screen, &format!("{cost} is no price.\n> "))?;
            continue;
        };
        let found = find(words);
        let meant = match found.as_slice() {
            [] => None,
            [only] => Some(*only),
            several => chosen(several, keys, screen)?,
        };
        let Some(article) = meant else {
            say(screen, "Nothing was taken.\n> ")?;
            continue;
        };
        let (pick, by) = (Pick { slug: article.slug, minor }, shop.keys().node.id());
        match shop.tick(&[pick], by, clock::now(), &mut clock::rng()) {
            Ok(_) => {
                count += 1;
                say(screen, &format!("{} at {cost}.\n> ", told(article)))?;
            }
            Err(why) => say(screen, &format!("{why}\n> "))?,
        }
    }
    Ok(count)
}

fn chosen<'a>(
    several: &[&'a Article],
    keys: &mut impl BufRead,
    screen: &mut impl Write,
) -> Result<Option<&'a Article>, Failure> {
    for (n, article) in several.iter().take(CHOICES_MAX).enumerate() {
        say(screen, &format!("{} {}\n", n + 1, told(article)))?;
    }
    if several.len() > CHOICES_MAX {
        say(screen, &format!("and {} more\n", several.len() - CHOICES_MAX))?;
    }
    say(screen, "Which number? ")?;
    let number = line(keys)?.and_then(|line| line.parse::<usize>().ok());
    let at = number.and_then(|number| number.checked_sub(1));
    Ok(at.filter(|at| *at < CHOICES_MAX).and_then(|at| several.get(at)).copied())
}

fn line(keys: &mut impl BufRead) -> Result<Option<String>, Failure> {
    let mut line = String::new();
    keys.read_line(&mut line).map_err(Failure::of)?;
    Ok(Some(line.trim().to_owned()).filter(|line| !line.is_empty()))
}

fn say(screen: &mut impl Write, text: &str) -> Result<(), Failure> {
    screen.write_all(text.as_bytes()).and_then(|()| screen.flush()).map_err(Failure::of)
}

fn told(article: &Article) -> String {
    let per = match article.price_per {
        1 => "each",
        _ if article.unit == kirana_core::quantity::Unit::Gram => "per kg",
        _ => "per l",
    };
    format!("{} ({}), {per}", article.name, article.name_hi)
}
