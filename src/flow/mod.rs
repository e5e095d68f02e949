//! What a flow record is: the fields, and [`Layout`], which says which field stands in which column.
//!
//! A layout comes from an object's own header, Parquet schema or JSON keys, from `--log-format`, or from the inventory's
//! `describe-flow-logs`; never from the number of tokens or from `version`, because real formats share both (a v5 record
//! exists in many orders).

pub mod field;

use field::{FIELD_COUNT, FieldId, VPC_FIELD_COUNT};
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

/// Whose records they are: the two kinds have fields of their own, and never stand in one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum RecordKind {
    /// Of network interfaces.
    #[default]
    Vpc,
    /// Of transit gateway attachments.
    TransitGateway,
}

impl RecordKind {
    /// Returns the name used in tables.
    pub fn name(self) -> &'static str {
        match self {
            RecordKind::Vpc => "vpc",
            RecordKind::TransitGateway => "transit-gateway",
        }
    }
}

/// What stands between the columns of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Separator {
    /// Runs of spaces or tabs; AWS writes one space, its own documentation has two in a sample.
    #[default]
    Spaces,
    /// One tab; nothing between two tabs is a missing value.
    Tab,
    /// One comma, values perhaps in double quotes (RFC 4180); nothing between two commas is a missing value.
    Comma,
}

/// The columns of an object, in the order in which they stand.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Layout {
    /// One entry for each value of a record; no field twice.
    pub columns: Vec<Column>,
    /// What stands between them, in text.
    pub separator: Separator,
}

/// What a line of names says about the lines below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Header {
    /// They are records.
    Records(Layout),
    /// They are exported log events (CloudWatch console, Logs Insights), with a record in one of `columns` columns.
    Messages {
        /// Number of columns.
        columns: usize,
        /// Position of the record.
        at: usize,
        /// What stands between the columns.
        separator: Separator,
    },
}

impl Header {
    /// Reads a line of names, e.g. `version account-id …`. Returns `None` for anything that is not one.
    ///
    /// Names start with a lower-case letter, and a record never consists of such tokens (its `log-status` is upper-case, its
    /// numbers and addresses start with digits). At least half of the names must be known, so that a format with
    /// fields of a later version is still recognised.
    pub fn parse(line: &str) -> Option<Header> {
        let separator = match line {
            _ if line.contains(',') => Separator::Comma,
            _ if line.contains('\t') => Separator::Tab,
            _ => Separator::Spaces,
        };
        let names: Vec<&str> = match separator {
            Separator::Spaces => line.split_ascii_whitespace().collect(),
            Separator::Tab => line.split('\t').map(str::trim).collect(),
            Separator::Comma => line.split(',').map(|name| name.trim().trim_matches('"')).collect(),
        };
        if !names.iter().all(|name| is_name(name, separator)) {
            return None;
        }
        if let Some(layout) = Layout::of_names(&names, separator) {
            return Some(Header::Records(layout));
        }
        let at = names.iter().position(|name| matches!(*name, "message" | "@message"))?;
        (separator != Separator::Spaces).then_some(Header::Messages { columns: names.len(), at, separator })
    }
}

fn is_name(token: &str, separator: Separator) -> bool {
    // `@timestamp` and the like are CloudWatch's own columns; they stand in exports only.
    let bare = if separator == Separator::Spaces { token } else { token.strip_prefix('@').unwrap_or(token) };
    bare.starts_with(|c: char| c.is_ascii_lowercase())
        && token.len() <= NAME_LEN_MAX
        && bare.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// Longest header token taken for a field name; AWS's longest is 27 characters.
const NAME_LEN_MAX: usize = 64;

impl Layout {
    /// Returns the default format: the 14 fields of version 2 in AWS's order.
    pub fn default_format() -> Layout {
        Layout { columns: (0..14).map(|at| Column::Known(FieldId(at))).collect(), separator: Separator::Spaces }
    }

    /// Makes a layout of columns with these names, if at least half of them are known.
    ///
    /// Of columns with one field, the first counts, and of an exact name and another one the exact; the rest are kept as
    /// unknown.
    pub fn of_names(names: &[&str], separator: Separator) -> Option<Layout> {
        let layout = Layout { columns: columns(names), separator };
        let known = layout.columns.iter().filter(|column| matches!(column, Column::Known(_))).count();
        (known > 0 && known * 2 >= names.len()).then_some(layout)
    }

    /// Makes a layout of columns with these names, whatever they are.
    pub fn of_any_names(names: &[&str]) -> Layout {
        Layout { columns: columns(names), separator: Separator::Spaces }
    }

    /// Reads a text header whose columns are fields.
    pub fn from_header(line: &str) -> Option<Layout> {
        match Header::parse(line)? {
            Header::Records(layout) => Some(layout),
            Header::Messages { .. } => None,
        }
    }

    /// Reads a `--log-format` value or `LogFormat` of `describe-flow-logs`: names with spaces or commas between them, with or
    /// without `${…}`.
    pub fn from_log_format(text: &str) -> Option<Layout> {
        let bare = text.replace("${", " ").replace(['}', ','], " ");
        // The option names columns of AWS's text, whatever stands between the names here.
        Layout::from_header(&bare.split_ascii_whitespace().collect::<Vec<_>>().join(" "))
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

    /// Returns whose records these are: a transit gateway's have fields that no VPC record has.
    pub fn kind(&self) -> RecordKind {
        let own = |column: &Column| matches!(column, Column::Known(field) if field.index() >= VPC_FIELD_COUNT);
        if self.columns.iter().any(own) { RecordKind::TransitGateway } else { RecordKind::Vpc }
    }
}

fn columns(names: &[&str]) -> Vec<Column> {
    let exact = |name: &str| FieldId::by_name(name).or_else(|| FieldId::by_name(&name.replace('_', "-")));
    let named: Vec<Option<FieldId>> = names.iter().map(|name| exact(name)).collect();
    // A hostile header has thousands of names, so none is compared with all others.
    let (mut is_exact, mut is_taken) = ([false; FIELD_COUNT], [false; FIELD_COUNT]);
    named.iter().flatten().for_each(|field| is_exact[field.index()] = true);
    let column = |(name, exact): (&&str, &Option<FieldId>)| {
        let field = exact.or_else(|| FieldId::by_any_name(name).filter(|field| !is_exact[field.index()]));
        match field.filter(|field| !std::mem::replace(&mut is_taken[field.index()], true)) {
            Some(field) => Column::Known(field),
            None => Column::Unknown((*name).into()),
        }
    };
    names.iter().zip(&named).map(column).collect()
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
            "\"2\",\"123456789010\",\"eni-1235b8ca123456789\"",
            "eni-0abc ingress",
            "eni-0abc,start,ACCEPT",
            "",
            "bogus line",
        ] {
            assert_eq!(Header::parse(line), None, "{line}");
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

    #[test]
    fn exports_have_other_names_and_separators() {
        let fields = ["interface-id", "srcaddr", "log-status"];
        for (line, separator) in [
            ("interface_id,srcaddr,log_status", Separator::Comma),
            ("\"interface_id\",\"srcaddr\", \"log_status\"", Separator::Comma),
            ("interfaceId\tsrcAddr\tlogStatus", Separator::Tab),
            ("interfaceid sourceaddress logstatus", Separator::Spaces),
        ] {
            let layout = Layout::from_header(line).unwrap();
            assert_eq!((layout.to_string(), layout.separator), (fields.join(" "), separator), "{line}");
        }
    }

    #[test]
    fn of_two_columns_for_one_field_one_counts() {
        let layout = Layout::from_header("start_time,start,srcaddr,srcaddr,end,srcport").unwrap();
        assert_eq!(layout.to_string(), "start_time start srcaddr srcaddr end srcport");
        assert_eq!((layout.position(id::START), layout.position(id::SRCADDR)), (Some(1), Some(2)));
        assert_eq!(layout.unknown().map(|(at, _)| at).collect::<Vec<_>>(), [0, 3]);
    }

    #[test]
    fn exported_events_hold_the_record_in_one_column() {
        let header = Header::parse("@timestamp,@message").unwrap();
        assert_eq!(header, Header::Messages { columns: 2, at: 1, separator: Separator::Comma });
        assert_eq!(Header::parse("timestamp message"), None);
    }

    #[test]
    fn transit_gateway_layouts_have_fields_of_their_own() {
        assert_eq!(Layout::from_header("version tgw-id srcaddr").unwrap().kind(), RecordKind::TransitGateway);
        assert_eq!(Layout::from_header("version srcaddr").unwrap().kind(), RecordKind::Vpc);
    }
}
