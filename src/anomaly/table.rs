//! What is judged: columns of values over common times.

use value::Time;

/// Values over time. Every column has as many values as there are times, NaN where one is missing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// Ascending, each once.
    pub times: Vec<Time>,
    pub columns: Vec<TableColumn>,
}

/// A column with its name.
#[derive(Debug, Clone, PartialEq)]
pub struct TableColumn {
    pub name: String,
    /// Finite, or NaN where there is none.
    pub values: Vec<f64>,
}

impl Table {
    /// Rows in any order, the values of a row in the order of `names`; a value that is not finite is missing. Of several
    /// rows with the same time, the last one counts.
    pub fn of_rows(names: Vec<String>, mut rows: Vec<(Time, Vec<f64>)>) -> Table {
        // Stable, so that the last of one time stays the last.
        rows.sort_by_key(|(time, _)| *time);
        rows.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                std::mem::swap(later, kept);
            }
            same
        });
        let column = |(at, name): (usize, String)| {
            let values = rows.iter().map(|(_, row)| row.get(at).copied().filter(|value| value.is_finite()).unwrap_or(f64::NAN)).collect();
            TableColumn { name, values }
        };
        let columns = names.into_iter().enumerate().map(column).collect();
        Table { times: rows.iter().map(|(time, _)| *time).collect(), columns }
    }

    pub fn column(&self, name: &str) -> Option<&TableColumn> {
        self.columns.iter().find(|column| column.name == name)
    }

    pub fn names(&self) -> Vec<&str> {
        self.columns.iter().map(|column| column.name.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Table;
    use value::Time;

    #[test]
    fn rows_come_in_order_and_once() {
        let rows = vec![(Time(2), vec![20.0, f64::INFINITY]), (Time(1), vec![10.0, 1.0]), (Time(2), vec![21.0])];
        let table = Table::of_rows(vec!["a".to_owned(), "b".to_owned()], rows);
        assert_eq!(table.times, [Time(1), Time(2)]);
        assert_eq!(table.column("a").unwrap().values, [10.0, 21.0]);
        let b = &table.column("b").unwrap().values;
        assert!(b[0] == 1.0 && b[1].is_nan(), "{b:?}");
        assert_eq!(table.names(), ["a", "b"]);
    }
}
