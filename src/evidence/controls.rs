//! Which requirements of which frameworks the statements speak to: `controls.toml`, and the verdict that follows for each.
//!
//! A mapping asserts no compliance and no scope. What a control asks and no statement shows stands beside it, and a control that flow
//! logs cannot assess is listed as such. Ids of NIST's catalog are those of its OSCAL edition 5.1.1+u4 (usnistgov/oscal-content).

use super::results::{Control, Statement, Verdict};
use crate::error::{Error, Result, printable};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Ids of the statements that there are, in the order of the catalogue.
pub const STATEMENTS: [&str; 22] =
    ["A1", "A2", "A3", "B1", "B2", "B3", "B4", "B5", "C1", "C2", "C3", "C4", "C5", "C6", "D1", "D2", "D3", "E1", "E2", "F1", "F2", "S5"];

/// The frameworks, their controls, and the statements that none asks for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// Statements that no control asks for.
    pub unmapped: Vec<String>,
    /// Frameworks in the order of reports.
    #[serde(rename = "framework")]
    pub frameworks: Vec<Framework>,
    /// Controls in the order of reports.
    #[serde(rename = "control")]
    pub controls: Vec<Mapping>,
}

/// A framework.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Framework {
    /// `nist-800-53`.
    pub id: String,
    /// `NIST SP 800-53 rev 5`.
    pub name: String,
}

/// A control, and what statements can and cannot show of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// Id of the framework.
    pub framework: String,
    /// Id as the framework writes it: `SC-7(5)`.
    pub control: String,
    /// Title in our words.
    pub title: String,
    /// Ids in NIST's OSCAL catalog; absent for other frameworks.
    pub oscal: Option<OscalIds>,
    /// Statements that speak to it; none if flow logs cannot assess it.
    pub statements: Vec<String>,
    /// What they can show of it.
    pub shows: String,
    /// What they cannot.
    pub cannot_show: String,
    /// Whether a full answer needs a configuration snapshot besides the logs.
    #[serde(default)]
    pub configuration: bool,
    /// How sure the mapping is.
    pub confidence: Confidence,
}

/// A control in NIST's OSCAL catalog.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OscalIds {
    /// `sc-7.5`.
    pub control: String,
    /// The objective or statement that is judged: `sc-7.5_obj-2`, `sc-7.5_smt`.
    pub target: String,
}

/// How sure a mapping is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// Read in the source.
    Confirmed,
    /// Not looked up again.
    FromMemory,
    /// Sources conflict, or only a draft was read.
    Unconfirmed,
}

impl Confidence {
    /// Returns the name that reports use.
    pub fn name(self) -> &'static str {
        match self {
            Confidence::Confirmed => "confirmed",
            Confidence::FromMemory => "from-memory",
            Confidence::Unconfirmed => "unconfirmed",
        }
    }
}

impl Catalogue {
    /// Returns the mapping that comes with the program.
    ///
    /// # Errors
    /// If the embedded file is malformed, which a test rules out.
    pub fn builtin() -> Result<Catalogue> {
        toml::from_str(include_str!("controls.toml"))
            .map_err(|error| Error::failed("the embedded control mapping cannot be read").at("controls.toml").caused_by(error))
    }

    /// Returns the name of a framework: `NIST SP 800-53 rev 5` for `nist-800-53`.
    pub fn framework_name<'a>(&'a self, id: &'a str) -> &'a str {
        self.frameworks.iter().find(|framework| framework.id == id).map_or(id, |framework| &framework.name)
    }

    /// Returns the controls asked for, each once and in the order of the catalogue; all if nothing is asked for.
    ///
    /// A request is a framework (`nist-800-53`, or its name), a control (`SC-7(5)`), or `FRAMEWORK:CONTROL`; case does not matter.
    ///
    /// # Errors
    /// If there is no such framework or control: the known ones are named.
    pub fn controls<S: AsRef<str>>(&self, requested: &[S]) -> Result<Vec<&Mapping>> {
        if requested.is_empty() {
            return Ok(self.controls.iter().collect());
        }
        let mut chosen = BTreeSet::new();
        for request in requested {
            let found = self.find(request.as_ref().trim());
            if found.is_empty() {
                return Err(self.unknown(request.as_ref()));
            }
            chosen.extend(found);
        }
        Ok(chosen.into_iter().filter_map(|at| self.controls.get(at)).collect())
    }

    /// Returns the places of the controls that a request means.
    fn find(&self, request: &str) -> Vec<usize> {
        let place = |wanted: &dyn Fn(&Mapping) -> bool| {
            self.controls.iter().enumerate().filter(|(_, mapping)| wanted(mapping)).map(|(at, _)| at).collect::<Vec<_>>()
        };
        if let Some(framework) = self.framework(request) {
            return place(&|mapping| mapping.framework == framework.id);
        }
        if let Some((framework, control)) = request.split_once(':')
            && let Some(framework) = self.framework(framework.trim())
        {
            return place(&|mapping| mapping.framework == framework.id && mapping.control.eq_ignore_ascii_case(control.trim()));
        }
        place(&|mapping| mapping.control.eq_ignore_ascii_case(request))
    }

    fn framework(&self, name: &str) -> Option<&Framework> {
        self.frameworks.iter().find(|framework| framework.id.eq_ignore_ascii_case(name) || framework.name.eq_ignore_ascii_case(name))
    }

    /// Names the frameworks, or the controls of the framework that was meant.
    fn unknown(&self, request: &str) -> Error {
        let named = request.split_once(':').and_then(|(framework, _)| self.framework(framework.trim()));
        let (what, known) = match named {
            Some(framework) => {
                let controls = self.controls.iter().filter(|mapping| mapping.framework == framework.id);
                (format!("{} has these", framework.id), controls.map(|mapping| mapping.control.as_str()).collect::<Vec<_>>())
            }
            None => ("known frameworks".to_owned(), self.frameworks.iter().map(|framework| framework.id.as_str()).collect()),
        };
        Error::usage(format!("no framework or control is called {}", printable(request)))
            .with_hint(format!("{what}: {}; a control is asked for as FRAMEWORK:CONTROL, such as nist-800-53:SC-7(5)", known.join(", ")))
    }

    /// Returns what the statements say of each of these controls.
    ///
    /// The verdict is the worst of the control's statements over all clusters. One that was judged for another cluster or beside another
    /// statement, but is missing here, counts as INDETERMINATE: what was not judged passes nothing. Without any, there is no verdict.
    pub fn judge(&self, controls: &[&Mapping], statements: &[Statement]) -> Vec<Control> {
        let clusters: BTreeSet<&str> = statements.iter().map(|statement| statement.cluster_arn.as_str()).collect();
        let mut verdicts: BTreeMap<(&str, &str), Verdict> = BTreeMap::new();
        for statement in statements {
            let worst = verdicts.entry((&statement.id, &statement.cluster_arn)).or_insert(statement.verdict);
            *worst = (*worst).max(statement.verdict);
        }
        let verdict = |mapping: &Mapping| {
            let all = mapping.statements.iter().flat_map(|id| clusters.iter().map(|arn| verdicts.get(&(id.as_str(), *arn)).copied()));
            let all: Vec<Option<Verdict>> = all.collect();
            let judged = all.iter().any(Option::is_some);
            all.into_iter().map(|found| found.unwrap_or(Verdict::Indeterminate)).max().filter(|_| judged)
        };
        controls
            .iter()
            .map(|mapping| Control {
                framework: self.framework_name(&mapping.framework).to_owned(),
                control: mapping.control.clone(),
                title: mapping.title.clone(),
                statements: mapping.statements.clone(),
                verdict: verdict(mapping),
                shows: mapping.shows.clone(),
                cannot_show: mapping.cannot_show.clone(),
                confidence: mapping.confidence.name().to_owned(),
            })
            .collect()
    }

    /// Returns the OSCAL ids of a judged control, if its framework has an OSCAL catalog.
    pub fn oscal_ids(&self, control: &Control) -> Option<&OscalIds> {
        let same = |mapping: &&Mapping| mapping.control == control.control && self.framework_name(&mapping.framework) == control.framework;
        self.controls.iter().find(same).and_then(|mapping| mapping.oscal.as_ref())
    }

    /// Returns the mapping as Markdown tables, a framework each: the body of `docs/controls.md`.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        for framework in &self.frameworks {
            out.push_str(&format!("## {}\n\n`{}`\n\n", framework.name, framework.id));
            out.push_str(
                "| control | asks for | statements | they can show | they cannot show | confidence |\n|---|---|---|---|---|---|\n",
            );
            for row in self.controls.iter().filter(|mapping| mapping.framework == framework.id) {
                let statements = if row.statements.is_empty() { "not assessed".to_owned() } else { row.statements.join(", ") };
                let (control, confidence) = (&row.control, row.confidence.name());
                out.push_str(&format!(
                    "| {control} | {} | {statements} | {} | {} | {confidence} |\n",
                    row.title, row.shows, row.cannot_show
                ));
            }
            out.push('\n');
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::results::Statement;

    fn statement(id: &str, cluster: &str, verdict: Verdict) -> Statement {
        let (text, reason) = (format!("{id} holds"), "because".to_owned());
        let (cluster_arn, sql) = (cluster.to_owned(), String::new());
        Statement {
            id: id.to_owned(),
            text,
            cluster_arn,
            verdict,
            reason,
            population: 1,
            tested: 1,
            violations: 0,
            indeterminate: 0,
            sql,
            days: vec![],
        }
    }

    #[test]
    fn every_statement_is_mapped_or_declared_unmapped() {
        let catalogue = Catalogue::builtin().unwrap();
        let mapped: BTreeSet<&str> = catalogue.controls.iter().flat_map(|row| &row.statements).map(String::as_str).collect();
        let unmapped: BTreeSet<&str> = catalogue.unmapped.iter().map(String::as_str).collect();
        let all: BTreeSet<&str> = STATEMENTS.into_iter().collect();
        assert_eq!(mapped.union(&unmapped).copied().collect::<BTreeSet<_>>(), all);
        assert_eq!(mapped.intersection(&unmapped).count(), 0);
    }

    #[test]
    fn every_row_says_what_it_cannot_show() {
        let catalogue = Catalogue::builtin().unwrap();
        let frameworks: BTreeSet<&str> = catalogue.frameworks.iter().map(|framework| framework.id.as_str()).collect();
        let mut seen = BTreeSet::new();
        for row in &catalogue.controls {
            let name = format!("{} {}", row.framework, row.control);
            assert!(frameworks.contains(row.framework.as_str()), "{name}");
            assert!(seen.insert(name.clone()), "{name} stands twice");
            for text in [&row.title, &row.shows, &row.cannot_show] {
                assert!(text.len() > 4 && text.trim() == text && !text.ends_with('.'), "{name}: {text:?}");
                // They stand in tables of Markdown.
                assert!(!text.contains(['|', '\n', '<', '`']), "{name}: {text:?}");
            }
            assert_eq!(row.configuration, row.cannot_show.contains("needs a configuration snapshot"), "{name}");
            assert_eq!(row.oscal.is_some(), row.framework == "nist-800-53", "{name}");
            let order: Vec<_> = row.statements.iter().map(|id| STATEMENTS.iter().position(|known| known == id)).collect();
            assert!(order.is_sorted() && !order.contains(&None), "{name}: {:?}", row.statements);
        }
        assert!(frameworks.iter().all(|id| catalogue.controls.iter().any(|row| row.framework == *id)));
    }

    #[test]
    fn ids_of_nist_follow_from_each_other() {
        for row in Catalogue::builtin().unwrap().controls {
            let Some(ids) = row.oscal else { continue };
            // SC-7(5) is sc-7.5 in the catalog; parts of it begin with its id.
            assert_eq!(row.control.to_lowercase().replace('(', ".").replace(')', ""), ids.control);
            let part = ids.target.strip_prefix(&ids.control).unwrap();
            assert!(part.starts_with("_obj") || part.starts_with("_smt"), "{}", ids.target);
        }
    }

    #[test]
    fn what_is_asked_for_is_listed() {
        let catalogue = Catalogue::builtin().unwrap();
        let ids =
            |requests: &[&str]| catalogue.controls(requests).map(|rows| rows.iter().map(|row| row.control.clone()).collect::<Vec<_>>());
        let count = |framework: &str| catalogue.controls.iter().filter(|row| row.framework == framework).count();

        assert_eq!(ids(&[]).unwrap().len(), catalogue.controls.len());
        assert_eq!(ids(&["nist-800-53"]).unwrap().len(), count("nist-800-53"));
        assert_eq!(ids(&["PCI DSS 4.0.1", "pci-dss"]).unwrap().len(), count("pci-dss"));
        // In the order of the catalogue, each once, those that nothing assesses among them.
        assert_eq!(ids(&["sc-8", "AC-4", "nist-800-53:sc-7(5)", "SC-7(5)"]).unwrap(), ["AC-4", "SC-7(5)", "SC-8"]);
        assert_eq!(ids(&[" CC7.3 "]).unwrap(), ["CC7.3"]);

        for (request, message, hint) in [
            (
                "AC-99",
                "no framework or control is called AC-99",
                "known frameworks: nist-800-53, pci-dss, soc-2, iso-27001, cis-aws, cis-eks,",
            ),
            ("nist-800-53:XX-1", "no framework or control is called nist-800-53:XX-1", "nist-800-53 has these: AC-4, AU-2,"),
            ("", "no framework or control is called ", "known frameworks:"),
            ("a\u{1b}b", "no framework or control is called a\\u{1b}b", "known frameworks:"),
        ] {
            let error = ids(&["AC-4", request]).unwrap_err();
            assert_eq!(error.to_string(), message);
            assert!(error.hint().unwrap().starts_with(hint), "{:?}", error.hint());
            assert_eq!(error.kind(), crate::error::Kind::Usage);
        }
    }

    #[test]
    fn the_worst_statement_decides() {
        use Verdict::{Fail, Indeterminate, Pass};
        let catalogue = Catalogue::builtin().unwrap();
        // SC-7(4) is about C2 and S5; SC-8 about none.
        for (statements, expected) in [
            (vec![], None),
            (vec![("D3", "x", Fail)], None),
            (vec![("C2", "x", Pass), ("S5", "x", Pass)], Some(Pass)),
            (vec![("C2", "x", Pass), ("S5", "x", Indeterminate)], Some(Indeterminate)),
            (vec![("C2", "x", Fail), ("S5", "x", Indeterminate)], Some(Fail)),
            (vec![("C2", "x", Pass), ("S5", "x", Pass), ("C2", "y", Fail), ("S5", "y", Pass)], Some(Fail)),
            (vec![("C2", "x", Fail), ("S5", "x", Pass), ("D3", "x", Pass)], Some(Fail)),
            // Said twice of one cluster: the worse counts.
            (vec![("C2", "x", Fail), ("C2", "x", Pass), ("S5", "x", Pass)], Some(Fail)),
            // What was not judged passes nothing: S5 at all, S5 of the other cluster, both of a cluster that is in scope.
            (vec![("C2", "x", Pass)], Some(Indeterminate)),
            (vec![("C2", "x", Pass), ("S5", "x", Pass), ("C2", "y", Pass)], Some(Indeterminate)),
            (vec![("C2", "x", Pass), ("S5", "x", Pass), ("D3", "y", Pass)], Some(Indeterminate)),
        ] {
            let statements: Vec<Statement> = statements.into_iter().map(|(id, cluster, verdict)| statement(id, cluster, verdict)).collect();
            let controls = catalogue.judge(&catalogue.controls(&["SC-7(4)", "SC-8"]).unwrap(), &statements);
            let [four, eight] = controls.as_slice() else { panic!("{controls:?}") };
            assert_eq!((four.control.as_str(), four.verdict), ("SC-7(4)", expected), "{statements:?}");
            assert_eq!((eight.control.as_str(), eight.verdict), ("SC-8", None));
            assert_eq!((eight.framework.as_str(), eight.confidence.as_str()), ("NIST SP 800-53 rev 5", "confirmed"));
            assert!(!eight.cannot_show.is_empty());
        }
    }

    #[test]
    fn ids_for_oscal() {
        let catalogue = Catalogue::builtin().unwrap();
        let controls = catalogue.judge(&catalogue.controls(&["SC-7(5)", "1.2.5"]).unwrap(), &[]);
        let targets: Vec<_> = controls.iter().map(|control| catalogue.oscal_ids(control).map(|ids| ids.target.as_str())).collect();
        assert_eq!(targets, [Some("sc-7.5_obj-2"), None]);
    }

    #[test]
    fn the_document_holds_the_mapping() {
        let document = include_str!("../../docs/controls.md").replace("\r\n", "\n");
        let tables = Catalogue::builtin().unwrap().markdown();
        let begin = "<!-- tables of src/evidence/controls.toml -->\n\n";
        let held = document.split_once(begin).expect("docs/controls.md has its mark").1;
        if held != tables {
            // Where the tests write: copy it from here after a change of the mapping.
            let head = document.split_once(begin).unwrap().0;
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tmp");
            std::fs::create_dir_all(&path).unwrap();
            std::fs::write(path.join("controls.md"), format!("{head}{begin}{tables}")).unwrap();
            panic!("docs/controls.md is not what controls.toml says: see target/tmp/controls.md");
        }
    }
}
