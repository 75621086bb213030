//! CSV as rows of texts, for readers whose tables are not topology.

/// The rows of a CSV text. Fields are trimmed; the delimiter is the first of `,`, `;` and tab that the header has.
pub struct Records<'t> {
    reader: csv::Reader<&'t [u8]>,
    record: csv::StringRecord,
    header: Vec<String>,
}

impl<'t> Records<'t> {
    /// # Errors
    /// A message, if the header is not CSV.
    pub fn open(text: &'t str) -> Result<Self, String> {
        let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
        let first = text.lines().next().unwrap_or("");
        let delimiter = [b',', b';', b'\t'].into_iter().find(|one| first.contains(char::from(*one))).unwrap_or(b',');
        let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
        let header = reader.headers().map_err(|error| error.to_string())?.iter().map(str::to_owned).collect();
        Ok(Records { reader, record: csv::StringRecord::new(), header })
    }

    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// The next row: where it begins, and its fields, which may be more or fewer than the header's. `None` at the end.
    ///
    /// # Errors
    /// A message, if the row is not CSV.
    pub fn next_row(&mut self) -> Result<Option<(u64, &csv::StringRecord)>, String> {
        match self.reader.read_record(&mut self.record) {
            Ok(true) => {
                let at = self.record.position().map_or(0, csv::Position::byte);
                Ok(Some((at, &self.record)))
            }
            Ok(false) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The line, from 1, of a row that begins there in this text. The reader's own count is behind after empty lines and where
    /// lines end as on Windows.
    pub fn line(text: &str, at: u64) -> usize {
        let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let skipped = text.bytes().skip(at).take_while(|byte| matches!(byte, b'\n' | b'\r')).filter(|byte| *byte == b'\n').count();
        1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count() + skipped
    }
}

#[cfg(test)]
mod tests {
    use super::Records;

    #[test]
    fn rows_know_their_line() {
        let text = "\u{FEFF}time;value\r\n1; 2 \r\n\r\n\"a\nb\";3;4\r\n5\n";
        let mut records = Records::open(text).unwrap();
        assert_eq!(records.header(), ["time", "value"]);
        let mut rows = Vec::new();
        while let Some((at, row)) = records.next_row().unwrap() {
            let line = Records::line(text, at);
            rows.push(format!("{line}: {}", row.iter().collect::<Vec<_>>().join("|").replace('\n', "/")));
        }
        assert_eq!(rows, ["2: 1|2", "4: a/b|3|4", "6: 5"]);
    }
}
