//! Takes the text out of HTML, as shops' exports have it in descriptions.

use std::cell::RefCell;

use html5ever::tokenizer::{
    BufferQueue, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
    states::RawKind,
};

/// The text of HTML, with a line for each block; what a browser would not show is left out.
///
/// Whatever is no HTML stays as it is: nothing is run, fetched or kept as markup.
pub(super) fn text_of(html: &str) -> String {
    let input = BufferQueue::default();
    input.push_back(html.into());
    let tokenizer = Tokenizer::new(Text::default(), TokenizerOpts::default());
    // A script that ends makes it pause; nobody runs it, so it goes on.
    while !input.is_empty() {
        let _ = tokenizer.feed(&input);
    }
    tokenizer.end();
    let text = tokenizer.sink.text.take();
    let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

#[derive(Default)]
struct Text {
    text: RefCell<String>,
    /// The element whose text nobody sees, while it is open.
    hidden: RefCell<Option<String>>,
}

/// Elements whose end ends a line.
const BLOCKS: [&str; 20] = [
    "p",
    "div",
    "br",
    "li",
    "ul",
    "ol",
    "tr",
    "table",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "section",
    "article",
    "blockquote",
    "dt",
    "dd",
    "hr",
];

impl TokenSink for Text {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        match token {
            Token::CharacterTokens(text) if self.hidden.borrow().is_none() => {
                // Line breaks in the source are spaces to a browser.
                let flat = text.chars().map(|c| if c.is_control() { ' ' } else { c });
                self.text.borrow_mut().extend(flat);
            }
            Token::TagToken(tag) => {
                let name = tag.name.to_string();
                let raw = match name.as_str() {
                    "script" => Some(RawKind::ScriptData),
                    "style" => Some(RawKind::Rawtext),
                    _ => None,
                };
                if BLOCKS.contains(&name.as_str()) {
                    self.text.borrow_mut().push('\n');
                } else if name == "td" || name == "th" {
                    self.text.borrow_mut().push(' ');
                }
                if let (TagKind::StartTag, Some(raw)) = (tag.kind, raw) {
                    self.hidden.replace(Some(name));
                    return TokenSinkResult::RawData(raw);
                }
                self.hidden.borrow_mut().take_if(|open| *open == name);
            }
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_kept_and_markup_is_not() {
        let html = "<p>Fine&nbsp;tea &amp; <b>milk</b></p>\n<ul><li>One</li><li>Two</li></ul>\
                    <script>alert('<p>no</p>')</script><style>p { }</style><!-- no --> last";
        assert_eq!(text_of(html), "Fine tea & milk\nOne\nTwo\nlast");
    }

    #[test]
    fn plain_text_stays_and_broken_markup_ends() {
        assert_eq!(text_of("5 < 6 and 7 > 2"), "5 < 6 and 7 > 2");
        assert_eq!(text_of("<p>open <b"), "open");
        assert_eq!(text_of("<script>never closed"), "");
        let deep = "<div>".repeat(20_000) + "x";
        assert_eq!(text_of(&deep), "x");
    }
}
