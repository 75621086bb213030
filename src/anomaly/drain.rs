//! Templates of texts, mined online: a parse tree of fixed depth after He, Zhu, Zheng and Lyu, "Drain: An Online Log Parsing
//! Approach with Fixed Depth Tree" (ICWS 2017). The tree's levels are the number of tokens and the first two tokens; a leaf holds
//! templates, and a text joins the most similar one, in which the words that differ become open.
//!
//! Two things differ from the paper. A position with only values (numbers, ids) accepts no words, so `count 7` and `count unavailable`
//! are two templates. And positions with values on both sides do not count toward the similarity, because values are masked beforehand.

use std::collections::BTreeMap;

use super::tokens::{Token, Tokens, VALUE};

/// Maximum number of templates per source. Programs have a few hundred log statements that are ever used (in the paper up to 376). More
/// means that names are taken for words, and then new templates mean nothing. Also bounds the comparisons per line.
const MAX_TEMPLATES: usize = 512;

/// Beginnings of one length, as in the paper: a level with more children is one of values, and further ones share a leaf.
const MAX_CHILDREN: usize = 100;

/// Of five words that are not values, three must agree. Of two, one is not enough (`login failed`, `login ok`); of three, two are
/// (`login failed alice`). The paper finds its best results with a half; values, masked here beforehand, are half of most lines.
const SIMILAR: (usize, usize) = (3, 5);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Slot {
    Word(String),
    /// Values only.
    Value,
    /// Words that differ.
    Open,
}

#[derive(Debug, Clone)]
struct Template {
    slots: Vec<Slot>,
    /// What stands around the slots in the first text: one more than slots.
    gaps: Vec<String>,
}

/// Length, first token, second token; `None` where a leaf is shared.
type Leaf = (usize, Option<(String, String)>);

/// Templates of one source of texts, numbered as they were found.
#[derive(Debug, Clone, Default)]
pub struct Miner {
    templates: Vec<Template>,
    leaves: BTreeMap<Leaf, Vec<usize>>,
    /// Leaves that are not shared, by length.
    children: BTreeMap<usize, usize>,
    full: bool,
}

/// How a text relates to a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Match {
    /// The template need not be generalized.
    covers: bool,
    equal: usize,
}

impl Miner {
    /// The template that a text belongs to, opened or new if need be. `None` for a text without tokens, and where there are too many
    /// templates already: see [`Miner::is_full`].
    pub fn add(&mut self, text: &Tokens<'_>) -> Option<usize> {
        if text.tokens.is_empty() {
            return None;
        }
        let leaf = self.leaf(text);
        if let Some((at, found)) = leaf.as_ref().and_then(|leaf| self.best(leaf, text)) {
            if !found.covers {
                self.templates.get_mut(at)?.open(text);
            }
            return Some(at);
        }
        if self.templates.len() >= MAX_TEMPLATES {
            self.full = true;
            return None;
        }
        let leaf = leaf.unwrap_or_else(|| self.grow(text));
        let at = self.templates.len();
        self.templates.push(Template::of(text));
        self.leaves.entry(leaf).or_default().push(at);
        Some(at)
    }

    /// The template that covers a text without being generalized.
    pub fn covering(&self, text: &Tokens<'_>) -> Option<usize> {
        let leaf = self.leaf(text)?;
        self.best(&leaf, text).filter(|(_, found)| found.covers).map(|(at, _)| at)
    }

    /// Whether a text was dropped because there are too many templates: then a text that no template covers need not be new.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// A template as text, values and open words as `<*>`; empty if there is none of this number.
    pub fn text(&self, template: usize) -> String {
        let Some(template) = self.templates.get(template) else { return String::new() };
        let mut text = String::new();
        for (gap, slot) in template.gaps.iter().zip(&template.slots) {
            text.push_str(gap);
            text.push_str(match slot {
                Slot::Word(word) => word.as_str(),
                Slot::Value | Slot::Open => VALUE,
            });
        }
        text.push_str(template.gaps.last().map_or("", String::as_str));
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The words of a template, in its order.
    pub fn words(&self, template: usize) -> impl Iterator<Item = &str> {
        self.templates.get(template).into_iter().flat_map(|template| &template.slots).filter_map(|slot| match slot {
            Slot::Word(word) => Some(word.as_str()),
            Slot::Value | Slot::Open => None,
        })
    }

    /// The leaf where a text would be looked for; `None` if it has none yet.
    fn leaf(&self, text: &Tokens<'_>) -> Option<Leaf> {
        let own = (text.tokens.len(), Some(beginning(text)));
        if self.leaves.contains_key(&own) {
            return Some(own);
        }
        let shared = (text.tokens.len(), None);
        self.leaves.contains_key(&shared).then_some(shared)
    }

    fn grow(&mut self, text: &Tokens<'_>) -> Leaf {
        let length = text.tokens.len();
        let children = self.children.entry(length).or_default();
        if *children >= MAX_CHILDREN {
            return (length, None);
        }
        *children += 1;
        (length, Some(beginning(text)))
    }

    /// The most similar template of a leaf, if it is similar enough. Ties: the oldest.
    fn best(&self, leaf: &Leaf, text: &Tokens<'_>) -> Option<(usize, Match)> {
        let mut best: Option<(usize, Match)> = None;
        for &at in self.leaves.get(leaf)? {
            let Some(found) = self.templates.get(at).and_then(|template| template.compare(text)) else { continue };
            if best.is_none_or(|(_, best)| found > best) {
                best = Some((at, found));
            }
        }
        best
    }
}

impl Template {
    fn of(text: &Tokens<'_>) -> Self {
        let slots = text.tokens.iter().map(|token| match token {
            Token::Word(word) => Slot::Word((*word).to_owned()),
            Token::Value => Slot::Value,
        });
        Template { slots: slots.collect(), gaps: text.gaps.iter().map(|gap| (*gap).to_owned()).collect() }
    }

    /// `None` if they are not similar. Both have the same length.
    fn compare(&self, text: &Tokens<'_>) -> Option<Match> {
        let (mut equal, mut counted, mut covers) = (0, 0, true);
        for (slot, token) in self.slots.iter().zip(&text.tokens) {
            match (slot, token) {
                (Slot::Word(ours), Token::Word(theirs)) => {
                    counted += 1;
                    if ours == theirs {
                        equal += 1;
                    } else {
                        covers = false;
                    }
                }
                (Slot::Value, Token::Value) => {}
                (Slot::Word(_), Token::Value) | (Slot::Value, Token::Word(_)) => {
                    counted += 1;
                    covers = false;
                }
                (Slot::Open, Token::Word(_) | Token::Value) => counted += 1,
            }
        }
        let (of, out_of) = SIMILAR;
        (covers || equal * out_of >= counted * of).then_some(Match { covers, equal })
    }

    fn open(&mut self, text: &Tokens<'_>) {
        for (slot, token) in self.slots.iter_mut().zip(&text.tokens) {
            let same = match (&*slot, token) {
                (Slot::Word(ours), Token::Word(theirs)) => ours == theirs,
                (Slot::Value, Token::Value) | (Slot::Open, Token::Word(_) | Token::Value) => true,
                (Slot::Word(_), Token::Value) | (Slot::Value, Token::Word(_)) => false,
            };
            if !same {
                *slot = Slot::Open;
            }
        }
    }
}

/// The first two tokens: constants in most statements, as the paper observes.
fn beginning(text: &Tokens<'_>) -> (String, String) {
    let token = |at: usize| match text.tokens.get(at) {
        Some(Token::Word(word)) => (*word).to_owned(),
        Some(Token::Value) => VALUE.to_owned(),
        None => String::new(),
    };
    (token(0), token(1))
}

#[cfg(test)]
mod tests {
    use super::super::tokens::tokens;
    use super::{MAX_TEMPLATES, Miner};

    /// The templates of some texts, in the order found.
    fn check(texts: &[&str], expected: &[&str]) {
        let mut miner = Miner::default();
        texts.iter().for_each(|text| {
            miner.add(&tokens(text)).unwrap();
        });
        let found: Vec<String> = (0..miner.templates.len()).map(|at| miner.text(at)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn texts_join_templates() {
        check(&["took 5 ms", "took 7 ms"], &["took <*> ms"]);
        check(&["connection to 10.0.0.1 refused", "connection to 10.0.0.2 reset"], &["connection to <*> <*>"]);
        check(&["user alice logged in", "user bob logged in"], &["user alice logged in", "user bob logged in"]);
        check(&["logged in user alice", "logged in user bob", "logged in user carol"], &["logged in user <*>"]);
        check(&["login ok", "login failed"], &["login ok", "login failed"]);
        check(&["count 7", "count unavailable", "count 8"], &["count <*>", "count unavailable"]);
        check(&["订单123支付失败", "订单456支付失败", "订单456支付成功"], &["订单<*>支付失败", "订单<*>支付成功"]);
        check(&["a=1, b=2", "a=3, b=4"], &["a=<*>, b=<*>"]);
        check(&["7 8 9", "1 2 3"], &["<*> <*> <*>"]);
    }

    #[test]
    fn covering_opens_nothing() {
        let mut miner = Miner::default();
        miner.add(&tokens("connection to 10.0.0.1 open"));
        assert_eq!(miner.covering(&tokens("connection to 10.0.0.9 open")), Some(0));
        assert_eq!(miner.covering(&tokens("connection to 10.0.0.9 refused")), None);
        assert_eq!(miner.text(0), "connection to <*> open");
        miner.add(&tokens("connection to 10.0.0.1 closed"));
        assert_eq!(miner.covering(&tokens("connection to 10.0.0.9 refused")), Some(0));
        assert_eq!(miner.words(0).collect::<Vec<_>>(), ["connection", "to"]);
        assert_eq!(miner.covering(&tokens("")), None);
        assert_eq!(miner.add(&tokens("...")), None);
    }

    #[test]
    fn templates_are_limited() {
        let letter = |n: usize| char::from(b'a' + u8::try_from(n).unwrap());
        let text = |n: usize| ["x", "y", "z"].map(|end| format!("{}{}{end}", letter(n % 26), letter(n / 26))).join(" ");
        let mut miner = Miner::default();
        let placed = (0..MAX_TEMPLATES + 10).filter(|n| miner.add(&tokens(&text(*n))).is_some()).count();
        assert_eq!((placed, miner.is_full()), (MAX_TEMPLATES, true));
        assert_eq!(miner.covering(&tokens(&text(3))), Some(3), "what is known stays known");
    }
}
