//! The push of Loki as protobuf.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

use diag::{Code, Text, text};
use signal::{EntryKind, Intake, RawLine};

use super::refusal::Refusal;
use super::wire::loki::{Line, Push, Stream};
use super::wire::{Shape, decode, lossy};

const NANOSECONDS: i128 = 1_000_000_000;

pub(super) fn read(body: &[u8], intake: &mut Intake<'_>) -> Result<(), Refusal> {
    let push: Push = decode(body, Shape::Push)?;
    let mut position = 0;
    for Stream { labels, entries } in push.streams {
        let count = entries.len();
        match labels_of(&lossy(&labels)) {
            Ok(labels) => intake.lines(labels, entries.into_iter().map(line)),
            Err(reason) => intake.refuse(EntryKind::LogLine, position, count, Code::SIGNAL_ENTRY, &reason),
        }
        position += count;
    }
    Ok(())
}

fn line(line: Line) -> RawLine {
    let timestamp = line.timestamp.unwrap_or_default();
    let labels = line.metadata.iter().map(|pair| (lossy(&pair.name), lossy(&pair.value))).collect();
    let nanoseconds = i128::from(timestamp.seconds) * NANOSECONDS + i128::from(timestamp.nanos);
    RawLine { nanoseconds, text: lossy(&line.text), labels }
}

/// The labels of `{job="varlogs", host="a"}`: values are quoted as in Go.
fn labels_of(written: &str) -> Result<BTreeMap<String, String>, Text> {
    let wrong = || text!("the labels `{}` of a stream cannot be read", written.chars().take(200).collect::<String>());
    let inside = written.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).ok_or_else(wrong)?;
    let mut rest = inside.chars().peekable();
    let mut labels = BTreeMap::new();
    loop {
        skip(&mut rest);
        if rest.peek().is_none() {
            return Ok(labels);
        }
        let name = name(&mut rest);
        skip(&mut rest);
        if name.is_empty() || rest.next() != Some('=') {
            return Err(wrong());
        }
        skip(&mut rest);
        labels.insert(name, quoted(&mut rest).ok_or_else(wrong)?);
        skip(&mut rest);
        match rest.next() {
            None => return Ok(labels),
            Some(',') => {}
            Some(_) => return Err(wrong()),
        }
    }
}

fn skip(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(|c| c.is_whitespace()).is_some() {}
}

fn name(rest: &mut Peekable<Chars<'_>>) -> String {
    let mut name = String::new();
    while let Some(c) = rest.next_if(|c| c.is_alphanumeric() || matches!(c, '_' | ':' | '.' | '-')) {
        name.push(c);
    }
    name
}

/// A text in double quotes, with escapes, or in backquotes, without any.
fn quoted(rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    let quote = rest.next_if(|c| matches!(c, '"' | '`'))?;
    let mut text = String::new();
    loop {
        match rest.next()? {
            c if c == quote => return Some(text),
            '\\' if quote == '"' => text.push(escaped(rest)?),
            c => text.push(c),
        }
    }
}

fn escaped(rest: &mut Peekable<Chars<'_>>) -> Option<char> {
    let digits = match rest.next()? {
        'n' => return Some('\n'),
        't' => return Some('\t'),
        'r' => return Some('\r'),
        c @ ('\\' | '"' | '\'') => return Some(c),
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => return None,
    };
    let mut number = 0_u32;
    for _ in 0..digits {
        number = number.checked_mul(16)?.checked_add(rest.next()?.to_digit(16)?)?;
    }
    char::from_u32(number)
}
