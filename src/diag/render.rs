//! Diagnostics as text for the terminal and as JSON.

use std::collections::BTreeMap;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::Serialize;

use super::plain::{mask, one_line, quotable};
use super::{Diagnostic, Severity, SourceId, Sources, Text};

/// All diagnostics as text with the lines they are about, in Chinese or else in English. `color` adds terminal colors.
pub fn render(sources: &Sources, diagnostics: &[Diagnostic], color: bool, chinese: bool) -> String {
    let mut masked: BTreeMap<SourceId, String> = BTreeMap::new();
    for place in diagnostics.iter().flat_map(|d| d.place.iter().chain(d.related.iter().map(|(place, _)| place))) {
        masked.entry(place.source).or_insert_with(|| quotable(&mask(sources.text(place.source))));
    }
    let line = |text: &Text| one_line(&text.shown(chinese)).into_owned();
    let text_of = |source: SourceId| masked.get(&source).map_or("", String::as_str);
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut text = String::new();
    for diagnostic in diagnostics {
        let level = match (diagnostic.severity, chinese) {
            (Severity::Error, false) => Level::ERROR,
            (Severity::Error, true) => Level::ERROR.with_name("错误"),
            (Severity::Warning, false) => Level::WARNING,
            (Severity::Warning, true) => Level::WARNING.with_name("警告"),
        };
        let title = level.primary_title(line(&diagnostic.message)).id(diagnostic.code.0);
        let mut group = annotate_snippets::Group::with_title(title);
        if let Some(place) = diagnostic.place {
            let mut snippet = Snippet::source(text_of(place.source))
                .path(one_line(sources.path(place.source)))
                .annotation(AnnotationKind::Primary.span(clamp(sources, place)).label(line(&diagnostic.label)));
            for (other, label) in diagnostic.related.iter().filter(|(other, _)| other.source == place.source) {
                snippet = snippet.annotation(AnnotationKind::Context.span(clamp(sources, *other)).label(line(label)));
            }
            group = group.element(snippet);
        }
        for (other, label) in diagnostic.related.iter().filter(|(other, _)| Some(other.source) != diagnostic.place.map(|p| p.source)) {
            group = group.element(
                Snippet::source(text_of(other.source))
                    .path(one_line(sources.path(other.source)))
                    .annotation(AnnotationKind::Context.span(clamp(sources, *other)).label(line(label))),
            );
        }
        if let Some(help) = &diagnostic.help {
            let level = if chinese { Level::HELP.with_name("帮助") } else { Level::HELP };
            group = group.element(level.message(line(help)));
        }
        text.push_str(&renderer.render(&[group]));
        text.push_str("\n\n");
    }
    text
}

fn clamp(sources: &Sources, place: super::Place) -> std::ops::Range<usize> {
    let text = sources.text(place.source);
    let mut start = place.span.start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = place.span.end.clamp(start, text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}

#[derive(Serialize)]
struct JsonPlace<'a> {
    path: &'a str,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    start_byte: usize,
    end_byte: usize,
}

#[derive(Serialize)]
struct JsonRelated<'a> {
    message: String,
    place: JsonPlace<'a>,
}

#[derive(Serialize)]
struct JsonDiagnostic<'a> {
    code: &'a str,
    severity: &'a str,
    message: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    label: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<JsonPlace<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related: Vec<JsonRelated<'a>>,
}

/// All diagnostics as one JSON array, pretty-printed; the texts in it are in Chinese or else in English.
pub fn render_json(sources: &Sources, diagnostics: &[Diagnostic], chinese: bool) -> String {
    let place = |p: super::Place| {
        let start = sources.line_column(p.source, p.span.start);
        let end = sources.line_column(p.source, p.span.end);
        JsonPlace {
            path: sources.path(p.source),
            line: start.line,
            column: start.column,
            end_line: end.line,
            end_column: end.column,
            start_byte: p.span.start,
            end_byte: p.span.end,
        }
    };
    let list: Vec<_> = diagnostics
        .iter()
        .map(|d| JsonDiagnostic {
            code: d.code.0,
            severity: match d.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            message: d.message.shown(chinese),
            label: d.label.shown(chinese),
            help: d.help.as_ref().map(|help| help.shown(chinese)),
            place: d.place.map(place),
            related: d.related.iter().map(|(p, label)| JsonRelated { message: label.shown(chinese), place: place(*p) }).collect(),
        })
        .collect();
    serde_json::to_string_pretty(&list).unwrap_or_else(|_| "[]".to_owned())
}
