//! A TOML file → a [`Policy`], or every fault of it with its place.
//!
//! Written by hand rather than derived: a derived reader stops at the first fault and loses the column. Unknown keys are faults,
//! since a misspelt `expires` that is passed over would approve for ever.

use super::values::{self, Wrong};
use super::{Path, Policy, Rule};
use crate::error::{Error, Result};
use crate::policy::lint::{Finding, Severity};
use crate::time::UnixSeconds;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::Read;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use toml::value::{Datetime, Offset};

/// What a file calls its format.
const FORMAT: &str = "1";
/// Bytes of a file: ten thousand rules with long reasons have less.
const BYTES_MAX: u64 = 16 << 20;
/// Faults that a message lists; a file of another kind has one on every line.
const LISTED_MAX: usize = 20;

const KEYS: [&str; 5] = ["policy", "name", "version", "default", "allow"];
const RULE_KEYS: [&str; 13] =
    ["id", "to", "names", "ports", "from", "path", "owner", "reason", "ticket", "approved_by", "approved_on", "not_before", "expires"];

/// Something that keeps a file from being a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Line, 1-based.
    pub line: usize,
    /// Column in characters, 1-based.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: String,
    /// Whether it is finding P6: an approval without owner, reason, ticket or end.
    pub is_p6: bool,
    /// Id of the rule, where the rule has one.
    pub rule: Option<String>,
}

/// Everything that keeps a file from being a policy; at least one fault, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    /// The file.
    pub place: String,
    /// What is wrong in it.
    pub faults: Vec<Fault>,
}

impl Faults {
    /// Returns them as findings: P6, or `invalid` for what is no approval without owner, reason, ticket or end.
    pub fn findings(&self) -> Vec<Finding> {
        let finding = |fault: &Fault| Finding {
            rule: fault.rule.clone(),
            line: Some(fault.line),
            column: Some(fault.column),
            ..Finding::new(if fault.is_p6 { "P6" } else { "invalid" }, Severity::Fail, fault.message.clone())
        };
        self.faults.iter().map(finding).collect()
    }
}

impl From<Faults> for Error {
    fn from(faults: Faults) -> Error {
        let at = |fault: &Fault| format!("{}:{}:{}", faults.place, fault.line, fault.column);
        let text = |fault: &Fault| if fault.is_p6 { format!("P6: {}", fault.message) } else { fault.message.clone() };
        match &faults.faults[..] {
            [only] => Error::failed(text(only)).at(at(only)).with_hint(only.hint.clone()),
            all => {
                let mut message = format!("is no valid policy, for {} faults:", all.len());
                for fault in all.iter().take(LISTED_MAX) {
                    // Writing to a String cannot fail.
                    let _ = write!(message, "\n  {}: {} ({})", at(fault), text(fault), fault.hint);
                }
                if all.len() > LISTED_MAX {
                    let _ = write!(message, "\n  … and {} more", all.len() - LISTED_MAX);
                }
                Error::failed(message).at(&faults.place).with_hint("docs/policy.md describes the format")
            }
        }
    }
}

impl Policy {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, or is no valid policy; then with line and column of every fault.
    pub fn read(path: &std::path::Path) -> Result<Policy> {
        Ok(Policy::parse(Policy::text_of(path)?, &path.display().to_string())?)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// If it cannot be read, is larger than 16 MiB, or is not UTF-8.
    pub fn text_of(path: &std::path::Path) -> Result<String> {
        let fault = |error| Error::failed("cannot read the policy").at(path.display().to_string()).caused_by(error);
        let mut text = String::new();
        let file = std::fs::File::open(path)
            .map_err(|error| fault(error).with_hint("flowproof policy init LOGS… --inventory DIR > FILE drafts one"))?;
        file.take(BYTES_MAX + 1).read_to_string(&mut text).map_err(fault)?;
        if text.len() as u64 > BYTES_MAX {
            return Err(Error::failed(format!("has more than {BYTES_MAX} bytes, which no policy has")).at(path.display().to_string()));
        }
        Ok(text)
    }

    /// Makes a policy of a text; `place` is how messages call it.
    ///
    /// # Errors
    /// All faults of the text; of what is not TOML the first.
    pub fn parse(text: String, place: &str) -> Result<Policy, Faults> {
        let mut reader = Reader { text: &text, faults: Vec::new() };
        let (name, version, rules) = match DeTable::parse(&text) {
            Ok(document) => reader.document(&document),
            Err(error) => {
                let message = error.message().lines().collect::<Vec<_>>().join(", ");
                reader.fault(error.span().unwrap_or(0..0), message, "the file is TOML; docs/policy.md shows one");
                Default::default()
            }
        };
        let mut faults = reader.faults;
        if !faults.is_empty() {
            faults.sort_by_key(|fault| (fault.line, fault.column));
            return Err(Faults { place: place.to_owned(), faults });
        }
        let digest = Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut digest, byte| {
            // Writing to a String cannot fail.
            let _ = write!(digest, "{byte:02x}");
            digest
        });
        Ok(Policy { place: place.to_owned(), name, version, digest, rules, text })
    }
}

/// A table of the document with its own place.
struct Entry<'a> {
    table: &'a DeTable<'a>,
    span: Range<usize>,
    /// Id of the rule, once known.
    rule: Option<String>,
}

impl<'a> Entry<'a> {
    fn get(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }
}

struct Reader<'t> {
    text: &'t str,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    fn fault(&mut self, span: Range<usize>, message: impl Into<String>, hint: impl Into<String>) {
        let (line, column) = self.place(span.start);
        self.faults.push(Fault { line, column, message: message.into(), hint: hint.into(), is_p6: false, rule: None });
    }

    fn place(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        (line, before.rsplit('\n').next().unwrap_or_default().chars().count() + 1)
    }

    fn document(&mut self, document: &Spanned<DeTable<'_>>) -> (String, String, Vec<Rule>) {
        let entry = Entry { table: document.get_ref(), span: 0..0, rule: None };
        self.known_keys(&entry, &KEYS, "a policy");
        match self.text_at(&entry, "policy") {
            None if entry.get("policy").is_none() => {
                self.fault(0..0, "the file does not say which format it has", "begin with policy = \"1\"")
            }
            Some(format) if format != FORMAT => {
                let span = entry.get("policy").map_or(0..0, Spanned::span);
                self.fault(span, format!("{format:?} is no known format of a policy"), "write policy = \"1\"");
            }
            _ => {}
        }
        if let Some(default) = self.text_at(&entry, "default").filter(|default| default != "deny") {
            let span = entry.get("default").map_or(0..0, Spanned::span);
            self.fault(span, format!("{default:?} is no default"), "a policy only allows: write default = \"deny\" or leave it out");
        }
        let (name, version) = (self.text_at(&entry, "name").unwrap_or_default(), self.text_at(&entry, "version").unwrap_or_default());
        (name, version, self.rules(&entry))
    }

    fn rules(&mut self, document: &Entry<'_>) -> Vec<Rule> {
        let Some(allow) = document.get("allow") else { return Vec::new() };
        let DeValue::Array(entries) = allow.get_ref() else {
            self.fault(allow.span(), "allow is not a list of rules", "write each rule under a line [[allow]]");
            return Vec::new();
        };
        let mut rules = Vec::new();
        let mut lines: BTreeMap<String, usize> = BTreeMap::new();
        for value in entries.iter() {
            let DeValue::Table(table) = value.get_ref() else {
                self.fault(value.span(), "a rule is a table", "write each rule under a line [[allow]]");
                continue;
            };
            let before = self.faults.len();
            let mut entry = Entry { table, span: value.span(), rule: None };
            entry.rule = self.id(&entry);
            if let Some(id) = &entry.rule {
                let span = entry.get("id").map_or(value.span(), Spanned::span);
                if let Some(first) = lines.insert(id.clone(), self.place(span.start).0) {
                    let hint = "reports name rules by their ids: give each its own";
                    self.fault(span, format!("the id {id:?} is that of the rule in line {first} too"), hint);
                }
            }
            let rule = self.rule(&entry);
            for fault in self.faults.iter_mut().skip(before) {
                fault.rule.clone_from(&entry.rule);
            }
            rules.extend(rule.filter(|_| self.faults.len() == before));
        }
        rules
    }

    /// Reads a rule; where it has a fault the result is not used.
    fn rule(&mut self, entry: &Entry<'_>) -> Option<Rule> {
        self.known_keys(entry, &RULE_KEYS, "a rule");
        let to = self.words(entry, "to", values::target);
        if entry.get("to").is_none() {
            self.fault(entry.span.clone(), "the rule does not say to what", "add to = [\"203.0.113.0/28\"]");
        }
        let names = self.words(entry, "names", |text| Ok(text.to_owned()));
        let ports = self.words(entry, "ports", values::ports);
        let from = self.words(entry, "from", values::source);
        let path = self.words(entry, "path", |text| Path::parse(text).ok_or_else(|| (format!("{text:?} is no path"), Path::NAMES)));
        let [owner, reason, ticket] = ["owner", "reason", "ticket"].map(|key| self.mandatory(entry, key));
        let approved_by = self.text_at(entry, "approved_by").filter(|text| !text.trim().is_empty());
        let [approved_on, not_before, expires] = ["approved_on", "not_before", "expires"].map(|key| self.instant(entry, key));
        if entry.get("expires").is_none() {
            self.p6(entry, entry.span.clone(), "has no expires", "add expires = 2027-03-01: an approval ends, or is renewed");
        }
        if let (Some(start), Some(end)) = (approved_on.max(not_before), expires)
            && start >= end
        {
            let span = entry.get("expires").map_or(entry.span.clone(), Spanned::span);
            self.fault(span, "the rule expires before it begins", "expires is exclusive: the first instant that is no longer approved");
        }
        let line = self.place(entry.span.start).0;
        Some(Rule {
            id: entry.rule.clone()?,
            to,
            names,
            ports,
            from,
            path,
            owner: owner?,
            reason: reason?,
            ticket: ticket?,
            approved_by,
            approved_on,
            not_before,
            expires: expires?,
            line,
        })
    }

    fn known_keys(&mut self, entry: &Entry<'_>, known: &[&str], what: &str) {
        for (key, _) in entry.table.iter().filter(|(key, _)| !known.contains(&&**key.get_ref())) {
            self.fault(key.span(), format!("{:?} is no key of {what}", key.get_ref()), format!("one of {}", known.join(", ")));
        }
    }

    fn id(&mut self, entry: &Entry<'_>) -> Option<String> {
        if entry.get("id").is_none() {
            self.fault(entry.span.clone(), "the rule has no id", "add id = \"…\" of a-z, 0-9 and -; reports name the rule by it");
        }
        let id = self.text_at(entry, "id")?;
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if id.is_empty() || id.len() > 128 || !id.bytes().all(plain) {
            let span = entry.get("id").map_or(entry.span.clone(), Spanned::span);
            self.fault(span, format!("{id:?} is no id"), "an id is of a-z, 0-9 and -, at most 128 characters");
            return None;
        }
        Some(id)
    }

    fn p6(&mut self, entry: &Entry<'_>, span: Range<usize>, what: &str, hint: &str) {
        let rule = entry.rule.as_ref().map_or_else(|| "the rule".to_owned(), |id| format!("rule {id}"));
        self.fault(span, format!("{rule} {what}"), hint);
        if let Some(fault) = self.faults.last_mut() {
            fault.is_p6 = true;
        }
    }

    fn mandatory(&mut self, entry: &Entry<'_>, key: &'static str) -> Option<String> {
        let Some(value) = entry.get(key) else {
            self.p6(entry, entry.span.clone(), &format!("has no {key}"), &format!("add {key} = \"…\""));
            return None;
        };
        let text = self.text_at(entry, key)?;
        if text.trim().is_empty() {
            self.p6(entry, value.span(), &format!("has an empty {key}"), &format!("fill in {key} = \"…\""));
            return None;
        }
        Some(text)
    }

    fn text_at(&mut self, entry: &Entry<'_>, key: &str) -> Option<String> {
        let value = entry.get(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(text.clone().into_owned()),
            other => {
                self.fault(value.span(), format!("{key} is {}, not a text", kind(other)), format!("write {key} = \"…\""));
                None
            }
        }
    }

    fn words<T>(&mut self, entry: &Entry<'_>, key: &str, read: impl Fn(&str) -> Result<T, Wrong>) -> Vec<T> {
        let Some(value) = entry.get(key) else { return Vec::new() };
        let DeValue::Array(items) = value.get_ref() else {
            self.fault(value.span(), format!("{key} is {}, not a list", kind(value.get_ref())), format!("write {key} = [\"…\"]"));
            return Vec::new();
        };
        if items.is_empty() && key != "names" {
            self.fault(
                value.span(),
                format!("{key} is empty, so it names nothing"),
                if key == "to" { "name what it approves" } else { "name something, or leave the key out where any will do" },
            );
        }
        let mut words = Vec::new();
        for item in items.iter() {
            match item.get_ref() {
                DeValue::String(text) => match read(text) {
                    Ok(word) => words.push(word),
                    Err((message, hint)) => self.fault(item.span(), message, hint),
                },
                other => self.fault(item.span(), format!("{key} holds {}, not a text", kind(other)), format!("write {key} = [\"…\"]")),
            }
        }
        words
    }

    /// Reads a day, as its first instant in UTC, or an instant with its offset.
    fn instant(&mut self, entry: &Entry<'_>, key: &str) -> Option<UnixSeconds> {
        let value = entry.get(key)?;
        let DeValue::Datetime(datetime) = value.get_ref() else {
            let message = format!("{key} is {}, not a day", kind(value.get_ref()));
            self.fault(value.span(), message, format!("write {key} = 2027-03-01, without quotes"));
            return None;
        };
        let at = unix_seconds(datetime);
        if at.is_none() {
            self.fault(
                value.span(),
                format!("{key} is no day and no instant"),
                format!("write {key} = 2027-03-01, or {key} = 2027-03-01T12:00:00Z with its offset"),
            );
        }
        at
    }
}

fn unix_seconds(datetime: &Datetime) -> Option<UnixSeconds> {
    let date = datetime.date?;
    let day = chrono::NaiveDate::from_ymd_opt(date.year.into(), date.month.into(), date.day.into())?;
    let midnight = day.and_hms_opt(0, 0, 0)?.and_utc().timestamp();
    match (datetime.time, datetime.offset) {
        (None, None) => Some(midnight),
        (Some(time), Some(offset)) => {
            let minutes = match offset {
                Offset::Z => 0,
                Offset::Custom { minutes } => i64::from(minutes),
            };
            let seconds = i64::from(time.hour) * 3_600 + i64::from(time.minute) * 60 + i64::from(time.second);
            Some(midnight + seconds - minutes * 60)
        }
        // Without an offset nobody can tell which instant is meant.
        _ => None,
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
