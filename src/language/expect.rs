//! Turns a parser failure into a message: what was found, what was expected, and what was probably meant.

use std::collections::BTreeMap;

use pest::error::{Error, ErrorVariant, InputLocation};

use super::Rule as G;
use diag::{Code, Diagnostic, Place, SourceId, Span, Text, did_you_mean, nearest, text};

/// List at most this many alternatives: more would not help.
const MAX_EXPECTED: usize = 6;

/// Turns a failure of the clause that starts at `base` into a diagnostic.
pub fn diagnose(source: SourceId, text: &str, base: usize, code: Code, error: &Error<G>) -> Diagnostic {
    let at = match error.location {
        InputLocation::Pos(at) | InputLocation::Span((at, _)) => at,
    };
    let rest = text.get(at..).unwrap_or("");
    let skipped = rest.len() - rest.trim_start().len();
    let (start, found) = (at + skipped, word(rest.trim_start()));
    let span = Span::new(base + start, base + start + found.len().max(usize::from(start < text.len())));
    let positives: &[G] = match &error.variant {
        ErrorVariant::ParsingError { positives, .. } => positives,
        ErrorVariant::CustomError { .. } => &[],
    };
    // By their English, which decides the order in every language.
    let expected: BTreeMap<String, Text> =
        positives.iter().filter_map(|rule| describe(*rule)).map(|text| (text.to_string(), text)).collect();
    let words: Vec<&str> = expected.keys().filter_map(|e| e.strip_prefix('`')?.strip_suffix('`')).collect();
    let listed = list(&expected);
    let message = if found.is_empty() { text!("the clause ends too early") } else { text!("unexpected `{}`", found) };
    let mut diagnostic = Diagnostic::error(code, Place::new(source, span), message).label(if listed.is_empty() {
        text!("not valid here")
    } else {
        text!("expected {}", listed)
    });
    if let Some(help) = advise(found, text.get(..at).unwrap_or(""), &words) {
        diagnostic = diagnostic.help(help);
    }
    diagnostic
}

fn word(rest: &str) -> &str {
    let mut chars = rest.char_indices();
    let Some((_, first)) = chars.next() else { return "" };
    if !is_word(first) {
        let two = rest.get(..2).filter(|two| matches!(*two, "==" | "&&" | "||" | "=>" | "<>" | "//"));
        return two.unwrap_or_else(|| rest.get(..first.len_utf8()).unwrap_or(""));
    }
    let end = chars.find(|(_, c)| !is_word(*c)).map_or(rest.len(), |(at, _)| at);
    rest.get(..end).unwrap_or("")
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

fn list(expected: &BTreeMap<String, Text>) -> Text {
    let mut items: Vec<Text> = expected.values().take(MAX_EXPECTED).cloned().collect();
    let last = items.pop().unwrap_or_default();
    match Text::joined(items, "{}, {}") {
        None => last,
        Some(rest) => text!("{} or {}", rest, last),
    }
}

/// Words that start a set.
const SET_WORDS: &[&str] = &["dependents", "dependencies", "peers", "members", "components"];

/// What other languages call statistics, and what they are called here.
const OTHER_STATISTICS: &[(&str, &str)] = &[
    ("sum", "total"),
    ("max", "peak"),
    ("maximum", "peak"),
    ("min", "lowest"),
    ("minimum", "lowest"),
    ("average", "mean"),
    ("avg", "mean"),
];

/// Habits from other languages, and spelling.
fn advise(found: &str, before: &str, words: &[&str]) -> Option<Text> {
    let fixed = match found {
        "==" => text!("write `=` for equality"),
        "&&" => text!("write `and`"),
        "||" => text!("write `or`"),
        "!" => text!("write `not`"),
        "=>" => text!("write `>=`, or `->` in a tree"),
        "<>" => text!("write `!=`"),
        "//" => text!("start a comment with `#`"),
        "'" => text!("use double quotes: `\"…\"`"),
        ";" | "；" => text!("clauses need no terminator: the next keyword starts the next clause"),
        "then" | "AND" | "OR" | "NOT" | "IF" | "THEN" => {
            text!("keywords are lowercase, and a clause must be complete before the next one starts")
        }
        _ => Text::default(),
    };
    if !fixed.is_empty() {
        return Some(fixed);
    }
    if found.is_empty() {
        return None;
    }
    // Most ids have a `-`, which no bare name has.
    if found.len() > 1
        && found.starts_with('-')
        && let Some(start) = before.rsplit(|c: char| !is_word(c)).next().filter(|start| !start.is_empty())
    {
        return Some(text!("put an id in quotes, after `component`: `component \"{}\"`", format!("{start}{found}")));
    }
    let mut earlier = before.split_whitespace().rev();
    let (last, last_but_one) = (earlier.next().unwrap_or(""), earlier.next().unwrap_or(""));
    if matches!(last_but_one, "least" | "most" | "至少" | "至多") {
        return Some(text!("write a number in digits or a percentage: `at least 2`, `at least 30%`"));
    }
    if found == "of"
        && let Some((_, stat)) = OTHER_STATISTICS.iter().find(|(word, _)| *word == last)
    {
        return Some(text!("write `{} of …`, with `within 10m` or `over instances` after the metric", *stat));
    }
    if found == "of"
        && let Some(set) = nearest(last, SET_WORDS.iter().copied()).filter(|set| *set != last)
    {
        return Some(did_you_mean(set));
    }
    if found == "on" && words.contains(&"at") {
        return Some(text!("use `at` to name the component: `fault \"…\" at db`"));
    }
    if found.starts_with('"')
        && words.is_empty()
        && (last.ends_with("tags") || last.ends_with(','))
        && before.trim_start().starts_with("tags")
    {
        return Some(text!("write tags without quotes: `tags database, pool`"));
    }
    if found.starts_with(|c: char| c.is_ascii_digit()) && matches!(last, "for" | "within" | "of" | "持续" | "近") {
        return Some(text!("a duration is a whole number with a unit: `90m`, not `1.5h`"));
    }
    let is_event = matches!(
        found,
        "alert"
            | "alerts"
            | "log"
            | "logs"
            | "change"
            | "changes"
            | "report"
            | "reports"
            | "event"
            | "events"
            | "probe"
            | "告警"
            | "日志"
            | "变更"
            | "反馈"
            | "事件"
            | "探测"
    );
    if is_event && (before.trim_end().ends_with("no") || before.trim_end().ends_with("没有")) {
        return Some(text!("write `not {} …` (`非 …`): `no` is only for sets of components", found));
    }
    if let Some(near) = nearest(found, words.iter().copied()).filter(|near| *near != found) {
        return Some(did_you_mean(near));
    }
    if let Some(near) = nearest(found, super::cut::CLAUSE_WORDS.iter().copied()).filter(|near| *near != found && found.chars().count() > 2)
    {
        return Some(did_you_mean(near));
    }
    // A quantity with an unknown unit fails right after its number.
    let last = before.trim_end().rsplit(|c: char| !is_word(c) && c != '.').next().unwrap_or("");
    if last.starts_with(|c: char| c.is_ascii_digit()) && found.chars().next().is_some_and(char::is_alphabetic) {
        return Some(text!("use a unit like `%`, `ms`, `s`, `min`, `h`, `d`, `GiB`, `MB/s`, `/s`, `/min`, `/h`, or none for a count"));
    }
    None
}

/// A human-readable name for a grammar rule; `None` if it would only confuse.
fn describe(rule: G) -> Option<Text> {
    let name = format!("{rule:?}");
    if let Some(keyword) = name.strip_prefix("kw_") {
        let spelled = match keyword {
            "de" => return None,
            "is_not" => return None,
            "at_least" => "at least",
            "at_most" => "at most",
            "any_distance" => "at any distance",
            "either_way" => "either way",
            "over_instances" => "over instances",
            "no_other_rule" => "no other rule explains",
            other => other,
        };
        return Some(format!("`{spelled}`").into());
    }
    let words = match rule {
        G::EOI => text!("the end of the clause"),
        G::expr | G::conjunction | G::negation | G::held | G::primary | G::condition | G::comparison | G::state => text!("a condition"),
        G::string | G::text => text!("a quoted string"),
        G::reason => text!("a reason such as `\"OOMKilled\"`"),
        G::ident | G::member_name => text!("a name"),
        G::reference => text!("a variable"),
        G::metric => text!("a metric such as `db.connections`"),
        G::operand | G::quantity | G::number => text!("a value such as `90%` or `db.connections`"),
        G::unit => text!("a unit"),
        G::percent => text!("a percentage"),
        G::integer => text!("a whole number"),
        G::duration | G::held_for => text!("a duration such as `5m`"),
        G::window => text!("`within` and a duration"),
        G::rule_id => text!("a rule identifier such as `TOP-001`"),
        G::case_id => text!("a case identifier such as `HIS-20250601`"),
        G::date => text!("a date such as `2025-06-01`"),
        G::set | G::walk | G::peers | G::members | G::everything => text!("a set such as `dependents of db`"),
        G::place | G::container => text!("a place such as `db` or `subnet of h`"),
        G::conclusion => text!("a conclusion such as `impact` or `fault`"),
        G::impact_part => text!("a set such as `dependents of db`"),
        G::branch | G::answer => text!("an answer such as `yes ->`"),
        G::target => text!("a question of the tree or `end`"),
        G::arrow => text!("`->`"),
        G::lbrace => text!("`{`"),
        G::rbrace => text!("`}`"),
        G::lparen => text!("`(`"),
        G::rparen => text!("`)`"),
        G::comma => text!("`,`"),
        G::colon => text!("`:`"),
        G::dot => text!("`.`"),
        G::lt | G::le | G::gt | G::ge | G::eq | G::ne => text!("a comparison such as `>`"),
        G::where_test | G::where_any | G::where_short => text!("a filter such as `type = service`"),
        G::where_value => text!("a value"),
        G::given_item | G::variable => text!("a variable such as `db: database`"),
        G::link | G::relation | G::shares => text!("a relation such as `s depends_on db`"),
        G::modifier => text!("a modifier such as `on s` or `within 5m`"),
        G::selector => text!("a label such as `with severity = \"warning\"`"),
        G::stat => text!("`mean`, `peak`, `lowest`, `total` or a percentile such as `p95`"),
        G::tag => text!("a tag"),
        _ => return None,
    };
    Some(words)
}
