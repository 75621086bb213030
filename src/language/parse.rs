//! Parses a file into its syntax tree, and reports every error.

use pest::Parser;

use super::ast::{At, Body, Clause, Expr, File, Kind, Rule, Token, TokenKind};
use super::build::{Builder, Pair};
use super::cut::{Block, Cutter, RawClause, tokens};
use super::expect::diagnose;
use super::{Grammar, Rule as G};
use diag::{Code, Diagnostic, Place, SourceId, Sources, Span, text};

/// Parses one `.rules` file. Rules with a broken clause are returned too, marked as broken, so that their other clauses are checked.
pub fn parse_file(sources: &Sources, source: SourceId) -> (File, Vec<Diagnostic>) {
    let text = sources.text(source);
    let mut diagnostics = Vec::new();
    let all = all_tokens(text);
    let significant: Vec<_> = all.iter().copied().filter(|t| t.kind != TokenKind::Comment).collect();
    let blocks = Cutter { source, text, diagnostics: &mut diagnostics }.blocks(&significant);
    let rules = parse_blocks(source, text, blocks, &mut diagnostics);
    (File { source, tokens: all, rules }, diagnostics)
}

/// Below this many bytes of text or blocks a thread costs more than it saves.
const MANY_BYTES: usize = 100_000;
const MANY_BLOCKS: usize = 500;

/// All tokens of a file. No token spans two lines, so in a large file each thread cuts its share of the lines.
fn all_tokens(text: &str) -> Vec<Token> {
    let share = text.len().div_ceil(threads(text.len() / MANY_BYTES)).max(1);
    let mut parts = Vec::new();
    let mut from = 0;
    while from < text.len() {
        let end = (from + share).min(text.len());
        let line_end = text.as_bytes().iter().skip(end).position(|byte| *byte == b'\n').map_or(text.len(), |more| end + more + 1);
        parts.push((from, text.get(from..line_end).unwrap_or_default()));
        from = line_end;
    }
    let cut = |(from, part): (usize, &str)| {
        let moved = |token: Token| Token { span: Span::new(token.span.start + from, token.span.end + from), ..token };
        tokens(part).into_iter().map(moved).collect::<Vec<_>>()
    };
    side_by_side(parts, cut).into_iter().flatten().collect()
}

/// Parses blocks. They are independent, so in a large file each thread parses its share. Keeps the order of the text.
fn parse_blocks(source: SourceId, text: &str, mut blocks: Vec<Block>, diagnostics: &mut Vec<Diagnostic>) -> Vec<Rule> {
    let share = blocks.len().div_ceil(threads(blocks.len() / MANY_BLOCKS)).max(1);
    let mut parts = Vec::new();
    while !blocks.is_empty() {
        let rest = blocks.split_off(share.min(blocks.len()));
        parts.push(std::mem::replace(&mut blocks, rest));
    }
    let read = |blocks: Vec<Block>| {
        let mut found = Vec::new();
        let rules: Vec<Rule> = blocks.into_iter().filter_map(|block| rule(source, text, block, &mut found)).collect();
        (rules, found)
    };
    let mut rules = Vec::new();
    for (part, found) in side_by_side(parts, read) {
        rules.extend(part);
        diagnostics.extend(found);
    }
    rules
}

/// How many threads to use if at most `most` would have enough work.
fn threads(most: usize) -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(most).max(1)
}

/// Processes each part on its own thread, the first on this one. The results are in the order of the parts.
fn side_by_side<P: Send, A: Send>(parts: Vec<P>, work: impl Fn(P) -> A + Sync) -> Vec<A> {
    let work = &work;
    std::thread::scope(|scope| {
        let mut parts = parts.into_iter();
        let first = parts.next();
        let others: Vec<_> = parts.map(|part| scope.spawn(move || work(part))).collect();
        let mut answers: Vec<A> = first.map(work).into_iter().collect();
        // A thread ends early only if the parser panics, which then happens here as it would have without threads.
        answers.extend(others.into_iter().map(|other| other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))));
        answers
    })
}

/// Parses a single condition, found at `place` (the definition of a state in `model.yaml`).
pub fn parse_state(sources: &Sources, source: SourceId, place: Place, condition: &str) -> Result<Expr, Box<Diagnostic>> {
    // YAML may quote or fold the text; if the file has it verbatim, places inside it are exact.
    let inside = sources.slice(place).find(condition);
    let base = place.span.start + inside.unwrap_or(0);
    let mut diagnostics = Vec::new();
    let mut builder = Builder { source, base, diagnostics: &mut diagnostics };
    let pairs = Grammar::parse(G::c_state, condition).map_err(|error| {
        let mut diagnostic = diagnose(source, condition, base, Code::SYNTAX, &error);
        if inside.is_none() {
            diagnostic.place = Some(place);
        }
        Box::new(diagnostic)
    })?;
    let expr = pairs.flat_map(Pair::into_inner).find(|p| p.as_rule() == G::expr).and_then(|p| builder.expr(p));
    match (expr, diagnostics.pop()) {
        (Some(expr), None) => Ok(expr),
        (_, Some(diagnostic)) => Err(Box::new(diagnostic)),
        (None, None) => Err(Box::new(Diagnostic::error(Code::SYNTAX, place, "this condition cannot be parsed"))),
    }
}

fn rule(source: SourceId, text: &str, block: Block, diagnostics: &mut Vec<Diagnostic>) -> Option<Rule> {
    let mut broken = block.broken;
    let (header, faulty) = header(source, text, block.header, diagnostics)?;
    broken |= faulty;
    let mut clauses = Vec::new();
    for raw in block.clauses {
        match clause(source, text, &raw, diagnostics) {
            Some(clause) => clauses.push(clause),
            None => broken = true,
        }
    }
    broken |= duplicates(source, &clauses, diagnostics);
    let (kind, id, title, case) = header;
    Some(Rule { kind, id, title, case, clauses, broken, span: block.span })
}

type Header = (Kind, At<String>, At<String>, Option<At<String>>);

/// The header. If only its identifier can be parsed, the rule is still checked under that.
fn header(source: SourceId, text: &str, span: Span, diagnostics: &mut Vec<Diagnostic>) -> Option<(Header, bool)> {
    let slice = text.get(span.start..span.end)?;
    let mut builder = Builder { source, base: span.start, diagnostics };
    match Grammar::parse(G::c_header, slice) {
        Ok(mut pairs) => {
            let (mut id, mut title, mut case) = (None, None, None);
            for pair in pairs.next()?.into_inner() {
                match pair.as_rule() {
                    G::rule_id => id = Some(builder.word(&pair)),
                    G::string => title = builder.string(&pair),
                    G::case_id => case = Some(builder.word(&pair)),
                    _ => {}
                }
            }
            let (id, title) = (id?, title?);
            Some(((Kind::of(&id.value)?, id, title, case), false))
        }
        Err(error) => {
            let open = tokens(slice).into_iter().find(|token| token.kind == TokenKind::OpenText);
            let mut diagnostic = match open {
                Some(open) => super::cut::unclosed(source, Span::new(span.start + open.span.start, span.start + open.span.end)),
                None => diagnose(source, slice, span.start, Code::BAD_HEADER, &error),
            };
            if diagnostic.help.is_none() {
                diagnostic = diagnostic.help(
                    "a rule starts like this: `TOP-001 \"Title\" {`; a CAS rule names its case: `CAS-001 \"Title\" case HIS-20250601 {`",
                );
            }
            builder.diagnostics.push(diagnostic);
            let word = slice.split(|c: char| c.is_whitespace() || c == '"' || c == '{').next()?;
            let id = At::new(word.to_owned(), Span::new(span.start, span.start + word.len()));
            let title = At::new(word.to_owned(), id.span);
            Some(((Kind::of(word)?, id, title, None), true))
        }
    }
}

fn clause(source: SourceId, text: &str, raw: &RawClause, diagnostics: &mut Vec<Diagnostic>) -> Option<Clause> {
    let slice = text.get(raw.span.start..raw.span.end)?;
    let before = diagnostics.len();
    match Grammar::parse(raw.entry, slice) {
        Ok(mut pairs) => {
            let mut builder = Builder { source, base: raw.span.start, diagnostics };
            let body = builder.body(pairs.next()?);
            if body.is_none() && diagnostics.len() == before {
                diagnostics.push(Diagnostic::error(Code::SYNTAX, Place::new(source, raw.span), "this clause cannot be parsed"));
            }
            Some(Clause { span: raw.span, body: body? })
        }
        Err(error) => {
            diagnostics.push(diagnose(source, slice, raw.span.start, Code::SYNTAX, &error));
            None
        }
    }
}

/// Reports clauses that are allowed only once but occur twice.
fn duplicates(source: SourceId, clauses: &[Clause], diagnostics: &mut Vec<Diagnostic>) -> bool {
    let mut seen: Vec<(&str, Span)> = Vec::new();
    let before = diagnostics.len();
    for clause in clauses {
        let name = match clause.body {
            Body::If(_) => "if",
            Body::Priority(_) => "priority",
            Body::Severity(_) => "severity",
            Body::Owner(_) => "owner",
            Body::Tags(_) => "tags",
            Body::Status(_) => "status",
            Body::Added(_) => "added",
            Body::Reviewed(_) => "reviewed",
            Body::Given(_)
            | Body::Conclusion(_)
            | Body::Check(_)
            | Body::Solution(_)
            | Body::Note(_)
            | Body::Overrides { .. }
            | Body::Ask(_) => continue,
        };
        if let Some((_, first)) = seen.iter().find(|(n, _)| *n == name) {
            let help = if name == "if" { text!("join the conditions with `and` or `or`") } else { text!("keep one of them") };
            diagnostics.push(
                Diagnostic::error(Code::DUPLICATE_CLAUSE, Place::new(source, clause.span), text!("`{}` occurs twice in one rule", name))
                    .label("second occurrence")
                    .related(Place::new(source, *first), "first occurrence")
                    .help(help),
            );
        } else {
            seen.push((name, clause.span));
        }
    }
    diagnostics.len() > before
}

#[cfg(test)]
mod tests {
    use super::{MANY_BYTES, all_tokens, tokens};

    #[test]
    fn a_large_file_has_the_tokens_of_its_lines() {
        let block = "TOP-1 \"标题 \\\" # no comment\" { # 注释 \"\n  if c.cpu >= 90% and \"open\\\n  not \\ 持续5分钟 「x」}\n";
        let text = block.repeat(4 * MANY_BYTES / block.len());
        assert_eq!(all_tokens(&text), tokens(&text));
    }
}
