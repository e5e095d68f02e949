//! What a flow record is: the fields, and [`Layout`], which says which field stands in which column.
//!
//! A layout comes from an object's own header or Parquet schema, or from `--log-format`; never from the number of
//! tokens or from `version`, because real formats share both (a v5 record exists in many orders).

pub mod field;

use field::{FIELDS, FieldId};
use std::fmt;
use std::sync::Arc;

/// What one column of an object holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Column {
    /// A field that this version knows.
    Known(FieldId),
    /// A field of a later version; its values go into `extra` under this name.
    Unknown(Arc<str>),
}

/// The columns of an object, in the order in which they stand.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Layout {
    /// One entry for each token of a record.
    pub columns: Vec<Column>,
}

impl Layout {
    /// Returns the default format: the 14 fields of version 2 in AWS's order.
    pub fn default_format() -> Layout {
        Layout { columns: (0..14).map(|at| Column::Known(FieldId(at))).collect() }
    }

    /// Reads a text header, e.g. `version account-id …`. Returns `None` for anything that is not one.
    ///
    /// Every AWS name is lower-case letters, digits and hyphens, and a record never is (its `log-status` is upper-case,
    /// its numbers and addresses start with digits). At least half of the names must be known, so that a format with
    /// fields of a later version is still recognised.
    pub fn from_header(line: &str) -> Option<Layout> {
        let columns: Vec<Column> = line.split_ascii_whitespace().map(column).collect::<Option<_>>()?;
        let known = columns.iter().filter(|column| matches!(column, Column::Known(_))).count();
        (known > 0 && known * 2 >= columns.len()).then_some(Layout { columns })
    }

    /// Reads a `--log-format` value: names with spaces or commas between them, with or without `${…}`.
    pub fn from_log_format(text: &str) -> Option<Layout> {
        let bare = text.replace("${", " ").replace(['}', ','], " ");
        Layout::from_header(&bare)
    }

    /// Returns the column in which a field stands.
    pub fn position(&self, field: FieldId) -> Option<usize> {
        self.columns.iter().position(|column| *column == Column::Known(field))
    }

    /// Returns the names of the unknown columns, with their positions.
    pub fn unknown(&self) -> impl Iterator<Item = (usize, &Arc<str>)> {
        self.columns.iter().enumerate().filter_map(|(at, column)| match column {
            Column::Unknown(name) => Some((at, name)),
            Column::Known(_) => None,
        })
    }

    /// Returns whether this is the layout of a transit gateway flow log, whose records are not VPC records.
    pub fn is_transit_gateway(&self) -> bool {
        self.unknown().any(|(_, name)| matches!(&**name, "tgw-id" | "resource-type" | "tgw_id" | "resource_type"))
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, column) in self.columns.iter().enumerate() {
            let name = match column {
                Column::Known(field) => field.field().name,
                Column::Unknown(name) => name,
            };
            write!(f, "{}{name}", if at == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

fn column(token: &str) -> Option<Column> {
    if let Some(field) = FIELDS.iter().position(|field| field.name == token) {
        return Some(Column::Known(FieldId(field as u8)));
    }
    let name_like = token.starts_with(|c: char| c.is_ascii_lowercase())
        && token.len() <= NAME_LEN_MAX
        && token.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    name_like.then(|| Column::Unknown(token.into()))
}

/// Longest header token taken for a field name; AWS's longest is 27 characters.
const NAME_LEN_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use field::id;

    #[test]
    fn header_in_any_order() {
        let layout = Layout::from_header("dstaddr srcaddr log-status").unwrap();
        assert_eq!(layout.position(id::SRCADDR), Some(1));
        assert_eq!(layout.to_string(), "dstaddr srcaddr log-status");
    }

    #[test]
    fn records_are_not_headers() {
        for line in [
            "2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK",
            "eni-0abc ingress",
            "",
            "bogus line",
        ] {
            assert_eq!(Layout::from_header(line), None, "{line}");
        }
    }

    #[test]
    fn later_fields_are_kept_as_unknown() {
        let layout = Layout::from_header("version srcaddr quantum-state").unwrap();
        assert_eq!(layout.unknown().map(|(at, name)| (at, &**name)).collect::<Vec<_>>(), [(2, "quantum-state")]);
    }

    #[test]
    fn log_format_option_takes_the_api_syntax() {
        assert_eq!(Layout::from_log_format("${version} ${account-id}"), Layout::from_header("version account-id"));
        assert_eq!(Layout::from_log_format("version,account-id"), Layout::from_header("version account-id"));
    }
}
