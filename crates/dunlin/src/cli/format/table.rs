//! Replies that are pairs or rows as tables, for people at a prompt.
//!
//! Invariant: only replies whose shape is known from their command become tables; everything else, errors and nested values included, is
//! shown as always. Values stand there as they are if they can be printed, else quoted.

use dunlin_resp::Value;

use super::double;
use super::quote::quoted_text;

/// Columns of one command's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Columns {
    names: [&'static str; 2],
    /// The second one is a number.
    numeric: bool,
}

const fn columns(first: &'static str, second: &'static str, numeric: bool) -> Columns {
    Columns {
        names: [first, second],
        numeric,
    }
}

/// Commands whose replies are pairs.
const PAIRS: [(&str, Columns); 3] = [
    ("hgetall", columns("field", "value", false)),
    ("config", columns("key", "value", false)),
    ("zscan", columns("member", "score", true)),
];
const SCORES: Columns = columns("member", "score", true);

/// The table, if `value` is one as the answer to `arguments`.
pub(crate) fn of(arguments: &[Vec<u8>], value: &Value) -> Option<String> {
    let words: Vec<String> = arguments
        .iter()
        .map(|word| String::from_utf8_lossy(word).to_lowercase())
        .collect();
    let name = words.first()?.as_str();
    if matches!(name, "xrange" | "xrevrange") {
        return entries(value);
    }
    let shape = match name {
        "config" if words.get(1).is_none_or(|word| word != "get") => return None,
        name if name.starts_with('z') && words.iter().any(|word| word == "withscores") => SCORES,
        "zpopmin" | "zpopmax" => SCORES,
        "zscan" => return None,
        _ => PAIRS.iter().find(|(command, _)| *command == name)?.1,
    };
    let rows = pairs(value)?;
    (!rows.is_empty()).then(|| drawn(&shape.names.map(str::to_owned), &rows, shape.numeric))
}

/// Pairs of scalars, however they came: a map, an array of arrays of two, or one flat array.
fn pairs(value: &Value) -> Option<Vec<Vec<String>>> {
    match value {
        Value::Map(pairs) => pairs
            .iter()
            .map(|(key, value)| Some(vec![cell(key)?, cell(value)?]))
            .collect(),
        Value::Array(items) if items.iter().all(|item| matches!(item, Value::Array(_))) => {
            let row = |item: &Value| match item {
                Value::Array(pair) if pair.len() == 2 => pair.iter().map(cell).collect(),
                _ => None,
            };
            items.iter().map(row).collect()
        }
        Value::Array(items) if items.len().is_multiple_of(2) => items
            .chunks_exact(2)
            .map(|pair| pair.iter().map(cell).collect())
            .collect(),
        _ => None,
    }
}

/// Entries of a stream: a column for the id, one for each field's name.
fn entries(value: &Value) -> Option<String> {
    let Value::Array(items) = value else {
        return None;
    };
    let mut names = vec!["id".to_owned()];
    let mut parsed = Vec::new();
    for item in items {
        let Value::Array(entry) = item else {
            return None;
        };
        let [id, fields] = entry.as_slice() else {
            return None;
        };
        let fields = pairs(fields)?;
        for field in &fields {
            if !names.contains(&field[0]) {
                names.push(field[0].clone());
            }
        }
        parsed.push((cell(id)?, fields));
    }
    if parsed.is_empty() || names.len() > FIELDS_MAX {
        return None;
    }
    let rows = parsed.into_iter().map(|(id, fields)| {
        let mut row = vec![String::new(); names.len()];
        row[0] = id;
        for field in fields {
            if let Some(at) = names.iter().position(|name| *name == field[0]) {
                row[at].clone_from(&field[1]);
            }
        }
        row
    });
    let rows: Vec<Vec<String>> = rows.collect();
    Some(drawn(&names, &rows, false))
}

/// Columns of entries beyond which a table is no help.
const FIELDS_MAX: usize = 9;

/// A scalar as text; `None` for aggregates.
fn cell(value: &Value) -> Option<String> {
    Some(match value {
        Value::Bulk(bytes) | Value::Simple(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
            _ => quoted_text(bytes),
        },
        Value::Integer(n) => n.to_string(),
        Value::Double(number) => {
            let mut out = Vec::new();
            double(&mut out, *number);
            String::from_utf8_lossy(&out).into_owned()
        }
        Value::Boolean(truth) => truth.to_string(),
        Value::Null => "(nil)".to_owned(),
        _ => return None,
    })
}

fn drawn(names: &[String], rows: &[Vec<String>], numeric: bool) -> String {
    let width = |text: &str| text.chars().count();
    let widths: Vec<usize> = (0..names.len())
        .map(|at| {
            rows.iter()
                .map(|row| width(&row[at]))
                .max()
                .unwrap_or(0)
                .max(width(&names[at]))
        })
        .collect();
    let last = names.len() - 1;
    let line = |cells: &[String]| {
        let padded = cells.iter().enumerate().map(|(at, cell)| {
            let gap = " ".repeat(widths[at] - width(cell));
            match (at == last, numeric) {
                (true, true) => format!(" {gap}{cell}"),
                (true, false) => format!(" {cell}"),
                _ => format!(" {cell}{gap} "),
            }
        });
        padded.collect::<Vec<_>>().join("│").trim_end().to_owned() + "\n"
    };
    let rule: Vec<String> = widths.iter().map(|width| "─".repeat(width + 2)).collect();
    let mut table = line(names);
    table.push_str(&rule.join("┼"));
    table.push('\n');
    for row in rows {
        table.push_str(&line(row));
    }
    let plural = if rows.len() == 1 { "row" } else { "rows" };
    table.push_str(&format!("({} {plural})\n", rows.len()));
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<Vec<u8>> {
        line.split(' ')
            .map(|word| word.as_bytes().to_vec())
            .collect()
    }

    fn bulk(text: &str) -> Value {
        Value::Bulk(text.as_bytes().to_vec())
    }

    #[test]
    fn pairs_of_both_protocols_give_the_same_table() {
        let flat = Value::Array(vec![bulk("name"), bulk("Ada"), bulk("é"), bulk("x\ny")]);
        let map = Value::Map(vec![(bulk("name"), bulk("Ada")), (bulk("é"), bulk("x\ny"))]);
        let table = of(&words("HGETALL h"), &flat).expect("it is one");
        assert_eq!(
            table,
            " field │ value\n───────┼────────\n name  │ Ada\n é     │ \"x\\ny\"\n(2 rows)\n"
        );
        assert_eq!(of(&words("hgetall h"), &map), Some(table));
    }

    #[test]
    fn scores_stand_to_the_right_and_entries_get_a_column_for_each_field() {
        let scores = Value::Array(vec![bulk("a"), bulk("1"), bulk("b"), bulk("10.5")]);
        let table = of(&words("zrange z 0 -1 WITHSCORES"), &scores).expect("it is one");
        assert!(
            table.contains(" a      │     1\n b      │  10.5\n"),
            "{table}"
        );
        assert_eq!(of(&words("zrange z 0 -1"), &scores), None);
        let entry = |id: &str, fields: &[&str]| {
            Value::Array(vec![
                bulk(id),
                Value::Array(fields.iter().map(|field| bulk(field)).collect()),
            ])
        };
        let stream = Value::Array(vec![
            entry("1-0", &["t", "20"]),
            entry("2-0", &["h", "40", "t", "21"]),
        ]);
        let table = of(&words("xrange s - +"), &stream).expect("it is one");
        assert!(table.starts_with(" id  │ t  │ h\n"), "{table}");
        assert!(table.contains(" 2-0 │ 21 │ 40\n"), "{table}");
    }

    #[test]
    fn what_is_no_table_is_left_alone() {
        assert_eq!(
            of(&words("hgetall h"), &Value::Error(b"ERR".to_vec())),
            None
        );
        assert_eq!(of(&words("hgetall h"), &Value::Array(Vec::new())), None);
        assert_eq!(
            of(&words("config set a b"), &Value::Simple(b"OK".to_vec())),
            None
        );
        assert_eq!(
            of(
                &words("lrange l 0 -1"),
                &Value::Array(vec![bulk("a"), bulk("b")])
            ),
            None
        );
    }
}
