//! Messages that a catalogue can translate: an English template, with its arguments kept apart from it.

use std::fmt;

use super::zh;

/// A sentence or a piece of one. Its template is English; `Display` gives it with the arguments in place.
///
/// In a template, `{}` takes the next argument and `{1}` the second one. A brace that stands for no argument is an ordinary character.
#[derive(Debug, Clone, Default)]
pub struct Text {
    template: &'static str,
    arguments: Vec<Argument>,
}

/// What a template takes.
#[derive(Debug, Clone)]
pub enum Argument {
    /// The same in every language: a name, a number, a message of somebody else.
    Plain(String),
    /// Words of ours, translated with the template.
    Text(Text),
}

/// A number of errors.
pub fn errors(count: usize) -> Text {
    if count == 1 { crate::text!("1 error") } else { crate::text!("{} errors", count) }
}

impl Text {
    pub fn new(template: &'static str, arguments: Vec<Argument>) -> Self {
        Self { template, arguments }
    }

    /// In Chinese, as far as the catalogue has it; the rest stays English.
    pub fn in_chinese(&self) -> String {
        self.shown(true)
    }

    /// In Chinese, or else in English.
    pub fn shown(&self, chinese: bool) -> String {
        let translated = if chinese { zh::find(self.template) } else { None };
        let arguments: Vec<String> = self.arguments.iter().map(|argument| argument.shown(chinese)).collect();
        match translated {
            Some(template) => fill(template, &arguments, spaced),
            None => fill(self.template, &arguments, String::push_str),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.shown(false).is_empty()
    }

    /// Several pieces as one; `between` is a template for two of them: `"{}; {}"`. `None` without any.
    pub fn joined(pieces: impl IntoIterator<Item = Text>, between: &'static str) -> Option<Text> {
        pieces.into_iter().reduce(|before, next| Text::new(between, vec![Argument::Text(before), Argument::Text(next)]))
    }
}

impl Argument {
    fn shown(&self, chinese: bool) -> String {
        match self {
            Argument::Plain(text) => text.clone(),
            Argument::Text(text) => text.shown(chinese),
        }
    }
}

/// The template with the arguments in place; `push` adds a piece to what there is.
fn fill(template: &str, arguments: &[String], push: fn(&mut String, &str)) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut next = 0;
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        push(&mut filled, before);
        let (position, behind) = match after.split_once('}') {
            Some(("", behind)) => {
                next += 1;
                (Some(next - 1), behind)
            }
            Some((inside, behind)) => (inside.parse::<usize>().ok(), behind),
            None => (None, ""),
        };
        match position.and_then(|position| arguments.get(position)) {
            Some(argument) => {
                push(&mut filled, argument);
                rest = behind;
            }
            None => {
                filled.push('{');
                rest = after;
            }
        }
    }
    push(&mut filled, rest);
    filled
}

/// Adds a piece of Chinese text, after a space where a Chinese character meets a Latin letter, a digit or code. Code itself stays as it is.
fn spaced(text: &mut String, piece: &str) {
    let is_chinese = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c);
    let is_latin = |c: char| c.is_ascii_alphanumeric() || c == '`';
    let in_code = text.matches('`').count() % 2 == 1;
    if !in_code
        && let (Some(before), Some(after)) = (text.chars().next_back(), piece.chars().next())
        && ((is_chinese(before) && is_latin(after)) || (is_latin(before) && is_chinese(after)))
    {
        text.push(' ');
    }
    text.push_str(piece);
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown(false))
    }
}

/// Equal if they say the same, however they were put together.
impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.shown(false) == other.shown(false)
    }
}

impl Eq for Text {}

/// A template without arguments.
impl From<&'static str> for Text {
    fn from(template: &'static str) -> Self {
        Self { template, arguments: Vec::new() }
    }
}

/// Text of somebody else, which no catalogue has.
impl From<String> for Text {
    fn from(text: String) -> Self {
        Self { template: "{}", arguments: vec![Argument::Plain(text)] }
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.to_string()
    }
}

/// A [`Text`] from a template and an argument for each of its `{}`: a `Text`, which is translated too, or anything that can be shown.
///
/// Braces need no doubling, and arguments are not named inside the template: `text!("no component `{}`", id)`.
#[macro_export]
macro_rules! text {
    ($template:literal $(, $argument:expr)* $(,)?) => {{
        #[allow(unused_imports, reason = "which of them is used depends on the arguments")]
        use $crate::{PlainArgument as _, TextArgument as _};
        const _: () = assert!($crate::placeholders($template) == {
            let arguments: &[&str] = &[$(stringify!($argument)),*];
            arguments.len()
        });
        $crate::Text::new($template, vec![$((&$crate::Handed(&$argument)).argument()),*])
    }};
}

/// How many arguments an English template takes.
pub const fn placeholders(template: &str) -> usize {
    let mut count = 0;
    let mut rest = template.as_bytes();
    loop {
        match rest {
            [b'{', b'}', after @ ..] => {
                count += 1;
                rest = after;
            }
            [_, after @ ..] => rest = after,
            [] => return count,
        }
    }
}

/// What [`text!`] is given. Its two traits make the compiler choose: the one for `Text` needs one reference less, so it is found first.
#[derive(Debug)]
pub struct Handed<'a, T: ?Sized>(pub &'a T);

pub trait TextArgument {
    fn argument(&self) -> Argument;
}

impl TextArgument for Handed<'_, Text> {
    fn argument(&self) -> Argument {
        Argument::Text(self.0.clone())
    }
}

impl TextArgument for Handed<'_, &Text> {
    fn argument(&self) -> Argument {
        Argument::Text((*self.0).clone())
    }
}

pub trait PlainArgument {
    fn argument(&self) -> Argument;
}

impl<T: fmt::Display + ?Sized> PlainArgument for &Handed<'_, T> {
    fn argument(&self) -> Argument {
        Argument::Plain(self.0.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::{Text, fill, spaced};

    #[test]
    fn templates_take_their_arguments() {
        let filled = |template: &str| fill(template, &["a".to_owned(), "b{}".to_owned()], String::push_str);
        assert_eq!(filled("{} and {}"), "a and b{}");
        assert_eq!(filled("{1} and {0}"), "b{} and a");
        assert_eq!(filled("`}` {x} {\"k\": {}} {7} {"), "`}` {x} {\"k\": a} {7} {");
        assert_eq!(fill("an empty `{}`", &[], String::push_str), "an empty `{}`");
        let words = ["`id`".to_owned(), "文本".to_owned()];
        assert_eq!(fill("{}必须是{}，{}", &words, spaced), "`id` 必须是文本，{}");
        assert_eq!(fill("`{1}` 或{0}或{1}", &words, spaced), "`文本` 或 `id` 或文本");
    }

    #[test]
    fn pieces_are_translated_with_the_whole() {
        let inner = text!("did you mean `{}`?", "cpu");
        let text = text!("{} -> {}", 7_u32, &inner);
        assert_eq!(text.to_string(), "7 -> did you mean `cpu`?");
        assert_eq!(text.in_chinese(), format!("7 -> {}", inner.in_chinese()));
        assert_ne!(inner.in_chinese(), inner.to_string());
        assert_eq!(Text::from("no such template").in_chinese(), "no such template");
        assert_eq!(Text::from("{0} stays".to_owned()).to_string(), "{0} stays");
        let list = Text::joined(["a", "b", "c"].map(|one| Text::from(one.to_owned())), "{}; {}").unwrap();
        assert_eq!((list.to_string(), list.in_chinese()), ("a; b; c".to_owned(), "a；b；c".to_owned()));
    }
}
