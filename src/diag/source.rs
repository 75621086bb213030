//! The text of files, and places in them.

/// A range of bytes in one text, end exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

impl Span {
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end: end.max(start) }
    }

    /// The smallest span that contains both.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    #[must_use]
    pub fn shifted(self, by: usize) -> Self {
        Self { start: self.start + by, end: self.end + by }
    }
}

/// Which file of [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u32);

/// A span in one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub source: SourceId,
    pub span: Span,
}

impl Place {
    pub fn new(source: SourceId, span: Span) -> Self {
        Self { source, span }
    }
}

/// A line and a column as an editor counts them: both from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineColumn {
    pub line: usize,
    pub column: usize,
}

#[derive(Debug)]
struct SourceFile {
    path: String,
    text: String,
    /// Byte offset at which each line starts.
    lines: Vec<usize>,
}

/// The texts of all files that were read, so that every diagnostic can show its line.
#[derive(Debug, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
}

impl Sources {
    /// `path` is what the user sees: relative to the project folder, with `/`.
    pub fn add(&mut self, path: impl Into<String>, text: impl Into<String>) -> SourceId {
        let text = text.into();
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        self.files.push(SourceFile { path: path.into(), text, lines });
        SourceId(u32::try_from(self.files.len() - 1).unwrap_or(u32::MAX))
    }

    fn file(&self, id: SourceId) -> Option<&SourceFile> {
        self.files.get(id.0 as usize)
    }

    /// In the order in which they were added.
    pub fn ids(&self) -> impl Iterator<Item = SourceId> {
        (0..u32::try_from(self.files.len()).unwrap_or(u32::MAX)).map(SourceId)
    }

    pub fn path(&self, id: SourceId) -> &str {
        self.file(id).map_or("", |f| &f.path)
    }

    pub fn text(&self, id: SourceId) -> &str {
        self.file(id).map_or("", |f| &f.text)
    }

    /// The text that a place covers.
    pub fn slice(&self, place: Place) -> &str {
        self.text(place.source).get(place.span.start..place.span.end).unwrap_or("")
    }

    /// Line and column of a byte offset; logarithmic in the number of lines.
    pub fn line_column(&self, id: SourceId, offset: usize) -> LineColumn {
        let Some(file) = self.file(id) else { return LineColumn { line: 1, column: 1 } };
        let line = file.lines.partition_point(|&start| start <= offset).max(1);
        let start = file.lines.get(line - 1).copied().unwrap_or(0);
        let before = file.text.get(start..offset).unwrap_or("");
        LineColumn { line, column: before.chars().count() + 1 }
    }

    /// Byte offset of a line and column, both from 1, columns in characters; for readers that report these.
    pub fn offset(&self, id: SourceId, line: usize, column: usize) -> usize {
        let Some(file) = self.file(id) else { return 0 };
        let start = file.lines.get(line.saturating_sub(1)).copied().unwrap_or(file.text.len());
        let rest = file.text.get(start..).unwrap_or("");
        rest.char_indices().nth(column.saturating_sub(1)).map_or(file.text.len(), |(at, _)| start + at)
    }

    /// `path:line:column` of a place.
    pub fn describe(&self, place: Place) -> String {
        let at = self.line_column(place.source, place.span.start);
        format!("{}:{}:{}", self.path(place.source), at.line, at.column)
    }
}
