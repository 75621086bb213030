//! Columns of a printed table, also where its text is Chinese: such a character is as wide as two others.

/// Text at the left of a column.
pub fn left(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// Text at the right of a column.
pub fn right(text: &str, columns: usize) -> String {
    format!("{}{text}", " ".repeat(columns.saturating_sub(width(text))))
}

fn width(text: &str) -> usize {
    text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum()
}

/// Whether a terminal gives a character two columns: Chinese, Japanese and Korean, and full-width forms.
fn is_wide(c: char) -> bool {
    matches!(c,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{303e}'
        | '\u{3041}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff01}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{20000}'..='\u{3fffd}')
}

#[cfg(test)]
mod tests {
    use super::{left, right};

    #[test]
    fn chinese_takes_two_columns() {
        for (text, expected) in [
            ("group", "group   |   group"),
            ("分组", "分组    |    分组"),
            ("规则误报率", "规则误报率|规则误报率"),
            ("", "        |        "),
        ] {
            assert_eq!(format!("{}|{}", left(text, 8), right(text, 8)), expected);
        }
    }
}
