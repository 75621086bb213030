//! Basic terms: strings, numbers, durations, quantities.

use super::Rule as G;
use super::ast::{At, Op, Quantity, Stat};
use super::build::{Builder, Pair};
use diag::{Code, Diagnostic, Place, Span, Text, text};
use value::{Duration, Unit};

/// The longest window or `for`: ten years in milliseconds. Anything longer is an error.
const MAX_DURATION: Duration = 10 * 366 * value::DAY;

impl Builder<'_> {
    pub fn span(&self, pair: &Pair<'_>) -> Span {
        // A compound rule's span includes the white space that was skipped after its last token.
        let text = pair.as_str();
        let start = pair.as_span().start();
        Span::new(start, start + text.trim_end().len()).shifted(self.base)
    }

    pub fn place(&self, span: Span) -> Place {
        Place::new(self.source, span)
    }

    pub fn word(&self, pair: &Pair<'_>) -> At<String> {
        At::new(pair.as_str().to_owned(), self.span(pair))
    }

    /// A string without its quotes and with escapes resolved. An unknown escape is an error.
    pub fn string(&mut self, pair: &Pair<'_>) -> Option<At<String>> {
        let span = self.span(pair);
        let raw = pair.as_str();
        let mut chars = raw.char_indices();
        chars.next();
        chars.next_back();
        let mut text = String::with_capacity(raw.len());
        while let Some((at, c)) = chars.next() {
            if c != '\\' {
                text.push(c);
                continue;
            }
            match chars.next().map(|(_, c)| c) {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some(c @ ('"' | '\\' | '”' | '“' | '」' | '「')) => text.push(c),
                other => {
                    let shown = other.map(String::from).unwrap_or_default();
                    let here = Span::new(span.start + at, span.start + at + 1 + shown.len());
                    self.diagnostics.push(
                        Diagnostic::error(Code::SYNTAX, self.place(here), text!("invalid escape `\\{}`", shown))
                            .label("unknown escape")
                            .help("use `\\\"`, `\\n` or `\\t`; write a backslash as `\\\\`"),
                    );
                    return None;
                }
            }
        }
        Some(At::new(text, span))
    }

    /// A pattern without its quotes. Backslashes belong to the pattern, except before a quote.
    pub fn pattern(&self, pair: &Pair<'_>) -> At<String> {
        let mut chars = pair.as_str().chars();
        chars.next();
        chars.next_back();
        At::new(chars.as_str().replace("\\\"", "\""), self.span(pair))
    }

    pub fn integer(&mut self, pair: &Pair<'_>, max: u32, what: &'static str) -> Option<At<u32>> {
        let span = self.span(pair);
        match pair.as_str().parse::<u32>() {
            Ok(value) if value <= max => Some(At::new(value, span)),
            _ => {
                self.out_of_range(span, pair.as_str(), text!("{} must be between 0 and {}", Text::from(what), max));
                None
            }
        }
    }

    fn out_of_range(&mut self, span: Span, found: &str, help: impl Into<Text>) {
        self.diagnostics.push(
            Diagnostic::error(Code::BAD_NUMBER, self.place(span), text!("`{}` is out of range", found)).label("out of range").help(help),
        );
    }

    fn number(&mut self, pair: &Pair<'_>) -> Option<f64> {
        let value = pair.as_str().parse::<f64>().ok().filter(|v| v.is_finite());
        if value.is_none() {
            let span = self.span(pair);
            self.out_of_range(span, pair.as_str(), text!("use a finite number"));
        }
        value
    }

    pub fn percent(&mut self, pair: Pair<'_>) -> Option<At<f64>> {
        let span = self.span(&pair);
        let number = pair.into_inner().find(|p| p.as_rule() == G::number)?;
        Some(At::new(self.number(&number)?, span))
    }

    pub fn quantity(&mut self, pair: Pair<'_>) -> Option<At<Quantity>> {
        let span = self.span(&pair);
        let (mut number, mut unit) = (None, Unit::COUNT);
        for inner in pair.into_inner() {
            match inner.as_rule() {
                G::number => number = self.number(&inner),
                G::unit => unit = Unit::parse(inner.as_str())?,
                _ => {}
            }
        }
        Some(At::new(Quantity { number: number?, unit }, span))
    }

    /// `5m`, `1h 30m`, `5分钟`.
    pub fn duration(&mut self, pair: &Pair<'_>) -> Option<At<Duration>> {
        let span = self.span(pair);
        let mut total = 0.0;
        let mut rest = pair.as_str().trim();
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let (number, tail) = rest.split_at(digits);
            let tail = tail.trim_start();
            let letters = tail.find(|c: char| c.is_ascii_digit() || c.is_whitespace()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(letters);
            total += number.parse::<f64>().ok()? * Unit::parse(unit)?.factor;
            rest = tail.trim_start();
        }
        #[allow(clippy::cast_precision_loss, reason = "the limit is far below 2^53")]
        if total <= 0.0 || total > MAX_DURATION as f64 {
            self.out_of_range(span, pair.as_str(), text!("a duration must be more than 0 and at most ten years"));
            return None;
        }
        #[allow(clippy::cast_possible_truncation, reason = "checked against the limit above")]
        Some(At::new(total as Duration, span))
    }

    pub fn op(&self, pair: &Pair<'_>) -> Option<At<Op>> {
        let op = match pair.as_rule() {
            G::lt => Op::Lt,
            G::le => Op::Le,
            G::eq => Op::Eq,
            G::ne => Op::Ne,
            G::ge => Op::Ge,
            G::gt => Op::Gt,
            _ => return None,
        };
        Some(At::new(op, self.span(pair)))
    }

    pub fn stat(&self, pair: Pair<'_>) -> Option<At<Stat>> {
        let span = self.span(&pair);
        let stat = match pair.into_inner().next()?.as_rule() {
            G::kw_mean => Stat::Mean,
            G::kw_peak => Stat::Peak,
            G::kw_lowest => Stat::Lowest,
            G::kw_total => Stat::Total,
            G::kw_p50 => Stat::P50,
            G::kw_p90 => Stat::P90,
            G::kw_p95 => Stat::P95,
            G::kw_p99 => Stat::P99,
            _ => return None,
        };
        Some(At::new(stat, span))
    }
}
