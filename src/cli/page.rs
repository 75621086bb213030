//! A human-readable report: headings and lists as plain text, or as Markdown with the same layout.

use std::borrow::Cow;

use diag::{markdown, one_line};

use super::Lang;

pub struct Page {
    pub text: String,
    pub markdown: bool,
    pub lang: Lang,
}

impl Page {
    pub fn new(lang: Lang, markdown: bool) -> Self {
        Page { text: String::new(), markdown, lang }
    }

    /// The English or Chinese text of a phrase that only one report uses.
    pub fn say(&self, english: &'static str, chinese: &'static str) -> &'static str {
        match self.lang {
            Lang::En => english,
            Lang::Zh => chinese,
        }
    }

    /// Text as one harmless line of this report.
    pub fn safe<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.markdown { markdown(text) } else { one_line(text) }
    }

    pub fn title(&mut self, text: &str) {
        let text = self.safe(text);
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(&if self.markdown { format!("## {text}\n") } else { format!("{text}\n") });
    }

    pub fn heading(&mut self, text: &str) {
        let text = self.safe(text);
        self.text.push_str(&if self.markdown { format!("\n**{text}**\n\n") } else { format!("\n  {text}\n") });
    }

    /// A list item directly under the title.
    pub fn entry(&mut self, text: &str) {
        let text = self.safe(text);
        self.text.push_str(&if self.markdown { format!("- {text}\n") } else { format!("  {text}\n") });
    }

    /// A list item under a heading.
    pub fn item(&mut self, text: &str) {
        let text = self.safe(text);
        self.text.push_str(&if self.markdown { format!("- {text}\n") } else { format!("    {text}\n") });
    }

    /// A line under the item before it.
    pub fn sub(&mut self, text: &str) {
        let text = self.safe(text);
        self.text.push_str(&if self.markdown { format!("  - {text}\n") } else { format!("      {text}\n") });
    }

    pub fn numbered(&mut self, number: usize, text: &str) {
        self.step(number, text, None);
    }

    /// A numbered item, with the address of its runbook.
    pub fn step(&mut self, number: usize, text: &str, runbook: Option<&str>) {
        let text = self.safe(text);
        let runbook = runbook.map_or_else(String::new, |address| format!("  {}", self.link(address)));
        let indent = if self.markdown { "" } else { "    " };
        self.text.push_str(&format!("{indent}{number}. {text}{runbook}\n"));
    }

    /// An address from a rule. In Markdown it is a link, if it consists of nothing but what addresses are made of.
    fn link<'t>(&self, address: &'t str) -> Cow<'t, str> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#=&%+".contains(c);
        let is_address = (address.starts_with("https://") || address.starts_with("http://")) && address.chars().all(plain);
        if self.markdown && is_address { Cow::Owned(format!("<{address}>")) } else { self.safe(address) }
    }

    pub fn more(&mut self, total: usize, shown: usize) {
        if total > shown {
            let text = format!("… {} {}", total - shown, self.lang.more());
            self.item(&text);
        }
    }

    /// Names on one line; those beyond `most` are only counted, in Chinese with the others.
    pub fn names<S: AsRef<str>>(&self, names: &[S], most: usize) -> String {
        let shown = self.lang.listed(names.get(..most).unwrap_or(names));
        match (names.len().saturating_sub(most), self.lang) {
            (0, _) => shown,
            (rest, Lang::En) => format!("{shown} … {rest} {}", self.lang.more()),
            (_, Lang::Zh) => format!("{shown} 等 {} 个", names.len()),
        }
    }
}
