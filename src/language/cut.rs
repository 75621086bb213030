//! Cuts a file into tokens, the tokens into blocks, the blocks into clauses. Nothing here fails: all text ends up in a block
//! or is reported as text outside any rule, so one error never hides the next.

use pest::Parser;

use super::ast::{Token, TokenKind};
use super::{Grammar, Rule as G};
use diag::{Code, Diagnostic, Place, SourceId, Span, did_you_mean, text};

/// Parentheses nested deeper than this are rejected: they are unreadable, and the parser's stack is finite.
const MAX_NESTING: usize = 64;
/// So are more nesting words (`not`, quantifiers) than this in one clause.
const MAX_NESTING_WORDS: usize = 128;

/// One rule's text: header, clauses, and whether its braces match.
#[derive(Debug)]
pub struct Block {
    pub header: Span,
    pub clauses: Vec<RawClause>,
    pub span: Span,
    pub broken: bool,
}

#[derive(Debug)]
pub struct RawClause {
    pub entry: G,
    pub span: Span,
}

/// The clause that a keyword starts.
pub fn clause_of(word: &str) -> Option<G> {
    Some(match word {
        "given" | "给定" => G::c_given,
        "if" | "如果" => G::c_if,
        "then" | "那么" | "impact" | "影响" | "fault" | "故障" | "cause" | "根因" | "suppress" | "抑制" => G::c_then,
        "check" | "排查" => G::c_check,
        "solution" | "方案" => G::c_solution,
        "note" | "备注" => G::c_note,
        "priority" | "优先级" => G::c_priority,
        "severity" | "级别" => G::c_severity,
        "owner" | "负责人" => G::c_owner,
        "tags" | "标签" => G::c_tags,
        "status" | "状态" => G::c_status,
        "added" | "新增" => G::c_added,
        "reviewed" | "复核" => G::c_reviewed,
        "overrides" | "优先于" => G::c_overrides,
        "ask" | "询问" => G::c_ask,
        _ => return None,
    })
}

/// Every clause keyword, for "did you mean".
pub const CLAUSE_WORDS: &[&str] = &[
    "given",
    "if",
    "then",
    "impact",
    "fault",
    "cause",
    "suppress",
    "check",
    "solution",
    "note",
    "priority",
    "severity",
    "owner",
    "tags",
    "status",
    "added",
    "reviewed",
    "overrides",
    "ask",
    "给定",
    "如果",
    "那么",
    "影响",
    "故障",
    "根因",
    "抑制",
    "排查",
    "方案",
    "备注",
    "优先级",
    "级别",
    "负责人",
    "标签",
    "状态",
    "新增",
    "复核",
    "优先于",
    "询问",
];

/// All tokens of a text.
pub fn tokens(text: &str) -> Vec<Token> {
    let Ok(pairs) = Grammar::parse(G::tokens, text) else { return Vec::new() };
    pairs
        .flat_map(pest::iterators::Pair::into_inner)
        .filter_map(|pair| {
            let span = Span::new(pair.as_span().start(), pair.as_span().end());
            let kind = match pair.as_rule() {
                G::comment => TokenKind::Comment,
                G::t_string => TokenKind::Text,
                G::t_open => TokenKind::OpenText,
                G::t_number => TokenKind::Number,
                G::t_word if pair.as_str().contains('-') => TokenKind::RuleId,
                G::t_word => TokenKind::Word,
                G::t_punct => TokenKind::Punctuation,
                G::t_unknown => TokenKind::Unknown,
                _ => return None,
            };
            Some(Token { kind, span })
        })
        .collect()
}

pub struct Cutter<'a> {
    pub source: SourceId,
    pub text: &'a str,
    pub diagnostics: &'a mut Vec<Diagnostic>,
}

impl Cutter<'_> {
    fn str(&self, token: Token) -> &str {
        self.text.get(token.span.start..token.span.end).unwrap_or("")
    }

    fn place(&self, span: Span) -> Place {
        Place::new(self.source, span)
    }

    fn first_on_line(&self, token: Token) -> bool {
        let before = self.text.get(..token.span.start).unwrap_or("");
        before.rsplit('\n').next().unwrap_or("").chars().all(|c| c.is_whitespace() || c == '\u{FEFF}' || c == '}' || c == '｝')
    }

    /// Cuts tokens (comments left out by the caller) into blocks.
    pub fn blocks(&mut self, tokens: &[Token]) -> Vec<Block> {
        let starts: Vec<usize> = (0..tokens.len())
            .filter(|&i| {
                let Some(&token) = tokens.get(i) else { return false };
                let follower = tokens.get(i + 1).copied();
                token.kind == TokenKind::RuleId
                    && self.first_on_line(token)
                    && follower.is_some_and(|f| {
                        matches!(f.kind, TokenKind::Text | TokenKind::OpenText) || is_brace(self.str(f), true) || f.kind == TokenKind::Word
                    })
                    && !self.is_reference(tokens, i)
            })
            .collect();
        if let Some(first) = tokens.first() {
            let until = starts.first().copied().unwrap_or(tokens.len());
            if until > 0 {
                let end = tokens.get(until - 1).map_or(first.span, |t| t.span);
                self.outside(first.span.to(end));
            }
        }
        let mut blocks = Vec::new();
        for (n, &start) in starts.iter().enumerate() {
            let end = starts.get(n + 1).copied().unwrap_or(tokens.len());
            if let Some(block) = tokens.get(start..end).and_then(|slice| self.block(slice)) {
                blocks.push(block);
            }
        }
        blocks
    }

    /// `see TOP-001` and `overrides TOP-001` may break their line before the identifier.
    fn is_reference(&self, tokens: &[Token], i: usize) -> bool {
        let before = i.checked_sub(1).and_then(|j| tokens.get(j)).map_or("", |&t| self.str(t));
        matches!(before, "see" | "参见" | "overrides" | "优先于")
    }

    fn outside(&mut self, span: Span) {
        let word = self.text.get(span.start..span.end).unwrap_or("").split_whitespace().next().unwrap_or("").to_owned();
        let upper = word.to_ascii_uppercase();
        let help = if super::ast::Kind::of(&upper).is_some() && upper != word {
            text!(
                "identifiers start with an uppercase prefix: `{}`",
                upper.split_once('-').map_or(upper.clone(), |(kind, _)| format!("{kind}{}", word.get(kind.len()..).unwrap_or("")))
            )
        } else {
            text!("a rule starts on a new line with its identifier and title: `TOP-001 \"Title\" {`; the prefix is TOP, MET, CAS or TREE")
        };
        self.diagnostics.push(
            Diagnostic::error(Code::OUTSIDE_BLOCK, self.place(span), text!("`{}` is outside any rule", word))
                .label("not part of a rule")
                .help(help),
        );
    }

    fn block(&mut self, tokens: &[Token]) -> Option<Block> {
        let (first, last) = (*tokens.first()?, *tokens.last()?);
        let mut broken = false;
        let open = tokens.iter().position(|&t| is_brace(self.str(t), true));
        let first_clause = (1..tokens.len()).find(|&i| self.starts_clause(tokens, i));
        let header_end = match (open, first_clause) {
            (Some(open), None) => open + 1,
            (Some(open), Some(clause)) if open < clause => open + 1,
            (_, Some(clause)) => clause,
            (None, None) => tokens.len(),
        };
        let close = (header_end..tokens.len()).find(|&i| tokens.get(i).is_some_and(|&t| is_brace(self.str(t), false)));
        let body_end = close.unwrap_or(tokens.len());
        if close.is_none() {
            broken = true;
            self.diagnostics.push(
                Diagnostic::error(Code::UNCLOSED_BLOCK, self.place(first.span), text!("rule `{}` has no closing brace", self.str(first)))
                    .label("starts here")
                    .help("write `}` after its last clause"),
            );
        } else if let (Some(after), Some(_)) = (tokens.get(body_end + 1), close) {
            self.outside(after.span.to(last.span));
        }
        let header = first.span.to(header_end.checked_sub(1).and_then(|i| tokens.get(i)).map_or(first.span, |t| t.span));
        let body = tokens.get(header_end..body_end).unwrap_or(&[]);
        let (clauses, clean) = self.clauses(body);
        let end = close.and_then(|i| tokens.get(i)).map_or(last.span, |t| t.span);
        Some(Block { header, clauses, span: first.span.to(end), broken: broken || !clean })
    }

    fn clauses(&mut self, tokens: &[Token]) -> (Vec<RawClause>, bool) {
        let mut clean = true;
        let mut clauses = Vec::new();
        let starts: Vec<usize> = (0..tokens.len()).filter(|&i| self.starts_clause(tokens, i)).collect();
        let lead = starts.first().copied().unwrap_or(tokens.len());
        if let (Some(first), Some(last)) = (tokens.first(), lead.checked_sub(1).and_then(|i| tokens.get(i))) {
            clean = false;
            self.unknown_clause(*first, first.span.to(last.span));
        }
        for (n, &start) in starts.iter().enumerate() {
            let end = starts.get(n + 1).copied().unwrap_or(tokens.len());
            let slice = tokens.get(start..end).unwrap_or(&[]);
            let (Some(first), Some(last)) = (slice.first(), slice.last()) else { continue };
            let Some(entry) = clause_of(self.str(*first)) else { continue };
            let span = first.span.to(last.span);
            if let Some(open) = slice.iter().find(|t| t.kind == TokenKind::OpenText) {
                clean = false;
                self.diagnostics.push(unclosed(self.source, open.span));
            } else if self.too_deep(slice) {
                clean = false;
                self.diagnostics.push(
                    Diagnostic::error(
                        Code::TOO_DEEP,
                        self.place(Span::new(span.start, span.start + first.span.end - first.span.start)),
                        "this clause is nested too deeply",
                    )
                    .label(text!("more than {} levels", MAX_NESTING))
                    .help("split the rule, or define part of it as a state in `topology/model.yaml`"),
                );
            } else {
                clauses.push(RawClause { entry, span });
            }
        }
        (clauses, clean)
    }

    fn unknown_clause(&mut self, first: Token, span: Span) {
        let word = self.str(first).to_owned();
        let near = diag::nearest(&word, CLAUSE_WORDS.iter().copied());
        let help =
            near.map_or_else(|| text!("a clause starts with a keyword such as `given`, `if`, `then`, `check`, `note`"), did_you_mean);
        self.diagnostics.push(
            Diagnostic::error(Code::UNKNOWN_CLAUSE, self.place(span), text!("`{}` does not start a clause", word))
                .label("not a clause keyword")
                .help(help),
        );
    }

    /// Whether the token starts a clause. A clause keyword is also a good name for an attribute, a state or a question, so
    /// it does not count where its neighbors show that it is a name.
    fn starts_clause(&self, tokens: &[Token], i: usize) -> bool {
        let Some(&token) = tokens.get(i) else { return false };
        if token.kind != TokenKind::Word || clause_of(self.str(token)).is_none() {
            return false;
        }
        let before = i.checked_sub(1).and_then(|j| tokens.get(j)).map_or("", |&t| self.str(t));
        let after = tokens.get(i + 1).map_or("", |&t| self.str(t));
        let named =
            matches!(before, "." | ":" | "：" | "->" | "→" | "ask" | "询问" | "is" | "are" | "处于" | "same" | "相同" | "with" | "带有")
                || matches!(after, "=" | "＝" | "!=" | "≠" | "->" | "→" | ".");
        let after_then = matches!(before, "then" | "那么") && matches!(clause_of(self.str(token)), Some(G::c_then));
        !named && !after_then && !self.in_labels(tokens, i)
    }

    /// Whether the word is a further label of a list: `with same device, owner`.
    fn in_labels(&self, tokens: &[Token], i: usize) -> bool {
        let before = |at: usize| at.checked_sub(1).and_then(|at| tokens.get(at)).map_or("", |&t| self.str(t));
        let mut first = i;
        while matches!(before(first), "," | "，" | "、") {
            first = first.saturating_sub(2);
        }
        first < i && matches!(before(first), "same" | "相同")
    }

    fn too_deep(&self, tokens: &[Token]) -> bool {
        let (mut depth, mut deepest, mut words) = (0_usize, 0_usize, 0_usize);
        for &token in tokens {
            match self.str(token) {
                "(" | "（" => {
                    depth += 1;
                    deepest = deepest.max(depth);
                }
                ")" | "）" => depth = depth.saturating_sub(1),
                "not" | "非" | "every" | "all" | "每个" | "所有" | "any" | "任一" | "no" | "没有" | "least" | "至少" | "most" | "至多" =>
                {
                    words += 1;
                }
                _ => {}
            }
        }
        deepest > MAX_NESTING || words > MAX_NESTING_WORDS
    }
}

/// The error for a string that does not end on its line.
pub fn unclosed(source: SourceId, span: Span) -> Diagnostic {
    Diagnostic::error(Code::UNCLOSED_STRING, Place::new(source, span), "this string has no closing quote")
        .label("starts here")
        .help("close it on the same line; write a quote inside a string as `\\\"`")
}

fn is_brace(text: &str, open: bool) -> bool {
    if open { matches!(text, "{" | "｛") } else { matches!(text, "}" | "｝") }
}
