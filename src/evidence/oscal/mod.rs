//! The results as OSCAL assessment results, version 1.2.2: one observation per statement and cluster, one finding per NIST control.
//!
//! Facts this rests on (github.com/usnistgov/OSCAL, release 1.2.2): arrays that may be empty are left out; a finding is `satisfied` or
//! `not-satisfied` and nothing between, so INDETERMINATE is the latter with reason `other`; properties of our own carry a namespace.
//! Every identifier is a UUIDv5 over the run's digest and a local key: unique for each run, and the same when it is run again.

mod document;
mod sample_results;
mod text;

pub use document::Document;

use crate::error::{Error, Result, printable};
use crate::evidence::controls::{Catalogue, OscalIds};
use crate::evidence::results::{ClusterScope, Control, Period, Results, Statement, Verdict};
use crate::time::{UnixSeconds, rfc3339};
use document::*;
use std::collections::{BTreeMap, BTreeSet};
use text::{href, line, markup};
use uuid::Uuid;

/// The OSCAL version of the documents.
pub const OSCAL_VERSION: &str = "1.2.2";

/// Namespace of the properties that are ours.
pub const NS: &str = "https://flowproof.dev/ns/oscal";

/// Namespace of the identifiers: the UUIDv5 of [`NS`] in the namespace of URLs (RFC 9562 §6.6).
const UUIDS: Uuid = Uuid::from_u128(0x4447_c4da_a142_5612_b643_68ec_0b55_517b);

/// The run behind a document.
#[derive(Debug, Clone, Copy)]
pub struct RunIdentity<'a> {
    /// SHA-256 over what determines the results, hex.
    pub run_digest: &'a str,
    /// When the results are taken to be collected: the end of the period, or an instant handed in; never the clock.
    pub collected: UnixSeconds,
    /// Path below `data/` of the run's parameters, which stand in for an assessment plan.
    pub parameters: &'a str,
}

/// A file of the bundle that the document may refer to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleFile {
    /// Path below `data/`.
    pub path: String,
    /// `text/csv`.
    pub media_type: String,
    /// SHA-256, lower-case hex.
    pub sha256: String,
}

impl Document {
    /// Returns the document as indented JSON that ends with a line feed.
    ///
    /// # Errors
    /// If it cannot be written as JSON, which its types rule out.
    pub fn to_json(&self) -> Result<String> {
        let json = serde_json::to_string_pretty(self).map_err(|error| Error::failed("cannot write OSCAL").caused_by(error))?;
        Ok(json + "\n")
    }
}

/// Returns the results as a document that stands at `data/oscal/`, or nothing if no control of NIST SP 800-53 was asked for: OSCAL wants at
/// least one, and the other frameworks have no OSCAL catalog.
///
/// # Errors
/// If the period is not in RFC 3339, a digest is not SHA-256 in hex, a statement or file stands twice, or a file that the document must
/// refer to (the parameters, a statement's SQL) is not among `files`.
pub fn assessment_results(results: &Results, files: &[BundleFile], run: &RunIdentity<'_>) -> Result<Option<Document>> {
    let catalogue = Catalogue::builtin()?;
    let requested: Vec<(&Control, &OscalIds)> =
        results.controls.iter().filter_map(|control| catalogue.oscal_ids(control).map(|ids| (control, ids))).collect();
    if requested.is_empty() {
        return Ok(None);
    }
    let uuids = Uuids { run: digest(run.run_digest, "run digest")? };
    let resources = resources(files, &uuids)?;
    let parameters = reference(run.parameters, &resources, &uuids)?;
    let period = Period { from: instant(&results.period.from)?, to: instant(&results.period.to)? };
    let context = Context { uuids: &uuids, resources: &resources, collected: rfc3339(run.collected), interfaces: interfaces(results) };

    let title = format!("Control-plane egress evidence, {} to {}", period.from, period.to);
    let result = AssessmentResult {
        uuid: uuids.of("result", &[]),
        title: title.clone(),
        description: markup(&format!(
            "What VPC flow logs show of the egress of {} EKS control planes. The period is half-open; start and end are those of the audited period.",
            context.interfaces.len()
        )),
        start: period.from.clone(),
        end: period.to.clone(),
        props: result_props(results, &period, run),
        local_definitions: definitions(results, &context),
        reviewed_controls: reviewed(&requested),
        observations: results.statements.iter().map(|statement| observation(statement, &context)).collect::<Result<_>>()?,
        findings: findings(&requested, &results.statements, &context),
        remarks: remarks(results),
    };
    unique(&result.observations)?;
    Ok(Some(Document {
        assessment_results: AssessmentResults {
            uuid: uuids.of("document", &[]),
            metadata: Metadata {
                title,
                last_modified: context.collected.clone(),
                version: run.run_digest.to_owned(),
                oscal_version: OSCAL_VERSION,
                props: props(&[("run-digest", run.run_digest), ("results-schema", &results.schema), ("tool", &results.tool)]),
            },
            import_ap: ImportAp { href: parameters, remarks: "The parameters of the run stand in for an assessment plan.".to_owned() },
            results: vec![result],
            back_matter: BackMatter { resources: resources.into_values().collect() },
        },
    }))
}

/// Makes identifiers.
struct Uuids<'a> {
    run: &'a str,
}

impl Uuids<'_> {
    /// Returns the identifier of a thing of this run. A byte that no name holds unescaped keeps parts apart.
    fn of(&self, kind: &str, key: &[&str]) -> String {
        let name = [&[self.run, kind], key].concat().iter().map(|part| part.replace('\0', "\0\0")).collect::<Vec<_>>().join("\0,");
        Uuid::new_v5(&UUIDS, name.as_bytes()).to_string()
    }

    fn cluster(&self, arn: &str) -> String {
        self.of("cluster", &[arn])
    }

    fn interface(&self, arn: &str, id: &str) -> String {
        self.of("interface", &[arn, id])
    }

    fn observation(&self, statement: &Statement) -> String {
        self.of("observation", &[&statement.id, &statement.cluster_arn])
    }
}

/// What observations refer to.
struct Context<'a> {
    uuids: &'a Uuids<'a>,
    /// By path.
    resources: &'a BTreeMap<String, Resource>,
    collected: String,
    /// Interfaces by the ARN of their cluster; also clusters that only a statement names.
    interfaces: BTreeMap<&'a str, BTreeSet<&'a str>>,
}

fn interfaces(results: &Results) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut all: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for scope in &results.clusters {
        all.entry(&scope.cluster_arn).or_default().extend(scope.interfaces.iter().map(String::as_str));
    }
    for statement in &results.statements {
        all.entry(&statement.cluster_arn).or_default();
    }
    all
}

fn digest<'a>(sha256: &'a str, of: &str) -> Result<&'a str> {
    let hex = sha256.len() == 64 && sha256.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    hex.then_some(sha256).ok_or_else(|| Error::failed(format!("`{}` is not SHA-256 in lower-case hex", printable(sha256))).at(of))
}

/// Returns an instant in the one form that OSCAL's pattern takes from any year that it knows.
fn instant(text: &str) -> Result<String> {
    let bad = || Error::failed(format!("`{}` is not an instant in RFC 3339 from 1900 to 2999", printable(text))).at("period");
    let instant = chrono::DateTime::parse_from_rfc3339(text).map_err(|error| bad().caused_by(error))?;
    let text = rfc3339(instant.timestamp());
    if ["19", "2"].iter().any(|century| text.starts_with(century)) { Ok(text) } else { Err(bad()) }
}

/// Returns properties of ours, without those that have no value.
fn props(pairs: &[(&'static str, &str)]) -> Vec<Property> {
    pairs.iter().filter_map(|&(name, value)| line(value).map(|value| Property { name, ns: NS, value })).collect()
}

fn resources(files: &[BundleFile], uuids: &Uuids<'_>) -> Result<BTreeMap<String, Resource>> {
    let mut resources = BTreeMap::new();
    for file in files {
        let hashes = [Hash { algorithm: "SHA-256", value: digest(&file.sha256, &file.path)?.to_owned() }];
        let resource = Resource {
            uuid: uuids.of("file", &[&file.path]),
            title: markup(&file.path),
            rlinks: [ResourceLink { href: href(&file.path), media_type: line(&file.media_type), hashes }],
        };
        if resources.insert(file.path.clone(), resource).is_some() {
            return Err(Error::failed("the file stands twice in the bundle").at(&file.path));
        }
    }
    Ok(resources)
}

/// Returns the reference to a file that must be there.
fn reference(path: &str, resources: &BTreeMap<String, Resource>, uuids: &Uuids<'_>) -> Result<String> {
    if !resources.contains_key(path) {
        return Err(Error::failed("the OSCAL document refers to a file that the bundle does not hold").at(path));
    }
    Ok(format!("#{}", uuids.of("file", &[path])))
}

fn result_props(results: &Results, period: &Period, run: &RunIdentity<'_>) -> Vec<Property> {
    let inputs = &results.inputs;
    let mut all = props(&[
        ("period-from", &period.from),
        ("period-to", &period.to),
        ("run-digest", run.run_digest),
        ("inputs-digest", &inputs.digest),
        ("inputs-objects", &inputs.objects.to_string()),
        ("inputs-objects-incomplete", &inputs.objects_incomplete.to_string()),
        ("inventory-digest", &inputs.inventory_digest),
    ]);
    if let Some(policy) = &results.policy {
        all.extend(props(&[("policy-name", &policy.name), ("policy-version", &policy.version), ("policy-sha256", &policy.sha256)]));
    }
    all
}

fn definitions(results: &Results, context: &Context<'_>) -> LocalDefinitions {
    let uuids = context.uuids;
    let mut components = vec![Component {
        uuid: uuids.of("tool", &[]),
        r#type: "software",
        title: markup(&results.tool),
        description: "The program that read the flow logs and judged the statements.".to_owned(),
        props: Vec::new(),
        status: ComponentStatus { state: "operational", remarks: None },
    }];
    let mut inventory_items = Vec::new();
    for (&arn, interfaces) in &context.interfaces {
        let scope = results.clusters.iter().find(|scope| scope.cluster_arn == arn);
        let name = scope.map_or(arn, |scope| &scope.cluster);
        let modes = scope.map(|s| s.egress_modes.iter().map(|mode| mode.as_deref().unwrap_or("unknown")).collect::<Vec<_>>().join(","));
        let of = |field: fn(&ClusterScope) -> &Option<String>| scope.and_then(|s| field(s).as_deref()).unwrap_or_default();
        let place = [("account-id", of(|s| &s.account_id)), ("region", of(|s| &s.region)), ("vpc-id", of(|s| &s.vpc_id))];
        components.push(Component {
            uuid: uuids.cluster(arn),
            r#type: "service",
            title: markup(name),
            description: format!("The control plane of the EKS cluster {}, ARN {}.", markup(name), markup(arn)),
            props: props(&[&[("cluster-arn", arn), ("egress-modes", modes.as_deref().unwrap_or_default())][..], &place].concat()),
            status: ComponentStatus { state: "other", remarks: Some("It lived in the audited period; logs do not tell more.") },
        });
        inventory_items.extend(interfaces.iter().map(|&id| InventoryItem {
            uuid: uuids.interface(arn, id),
            description: format!("The control-plane interface {} of the EKS cluster {}.", markup(id), markup(name)),
            props: props(&[&[("interface-id", id), ("cluster-arn", arn)][..], &place].concat()),
            implemented_components: vec![ImplementedComponent { component_uuid: uuids.cluster(arn) }],
        }));
    }
    LocalDefinitions { components, inventory_items }
}

/// Selects the NIST controls that were assessed; if none could be, those that were asked for.
fn reviewed(requested: &[(&Control, &OscalIds)]) -> ReviewedControls {
    let (assessed, open): (Vec<_>, Vec<_>) = requested.iter().partition(|(control, _)| control.verdict.is_some());
    let selected = if assessed.is_empty() { &open } else { &assessed };
    let include_controls = selected.iter().map(|(_, ids)| SelectedControl { control_id: ids.control.clone() }).collect();
    let open: Vec<String> =
        open.iter().map(|(control, _)| format!("{} (cannot be shown: {})", control.control, control.cannot_show)).collect();
    ReviewedControls {
        description: "Controls of NIST SP 800-53 rev 5 that statements about flow logs speak to.".to_owned(),
        control_selections: vec![ControlSelection { include_controls }],
        remarks: (!open.is_empty()).then(|| markup(&format!("Asked for and not assessed: {}.", open.join("; ")))),
    }
}

fn observation(statement: &Statement, context: &Context<'_>) -> Result<Observation> {
    let uuids = context.uuids;
    let arn = statement.cluster_arn.as_str();
    let covered = statement.days.iter().filter_map(|day| day.covered_per_10000).min().map(|share| share.to_string());
    let mut types = vec!["control-objective"];
    if statement.verdict == Verdict::Fail {
        types.push("finding");
    }
    let mut subjects = vec![Subject { subject_uuid: uuids.cluster(arn), r#type: "component" }];
    let interfaces = context.interfaces.get(arn).into_iter().flatten();
    subjects.extend(interfaces.map(|id| Subject { subject_uuid: uuids.interface(arn, id), r#type: "inventory-item" }));
    Ok(Observation {
        uuid: uuids.observation(statement),
        title: markup(&format!("{}: {} for {arn}", statement.id, statement.verdict)),
        description: markup(&statement.text),
        props: props(&[
            ("statement", &statement.id),
            ("verdict", statement.verdict.name()),
            ("population", &statement.population.to_string()),
            ("tested", &statement.tested.to_string()),
            ("violations", &statement.violations.to_string()),
            ("indeterminate", &statement.indeterminate.to_string()),
            ("days", &statement.days.len().to_string()),
            ("least-covered-per-10000", covered.as_deref().unwrap_or_default()),
        ]),
        methods: ["TEST"],
        types,
        origins: [Origin { actors: [Actor { r#type: "tool", actor_uuid: uuids.of("tool", &[]) }] }],
        subjects,
        relevant_evidence: evidence(statement, context)?,
        collected: context.collected.clone(),
        remarks: line(&statement.reason).is_some().then(|| markup(&statement.reason)),
    })
}

/// Refers to the tables that hold what the statement is about, as far as the bundle has them, and to its SQL.
fn evidence(statement: &Statement, context: &Context<'_>) -> Result<Vec<Evidence>> {
    /// File, the statements that it is about by their first letter, and what it holds.
    const TABLES: [(&str, &str, &str); 4] = [
        ("statements.csv", "ABCDEFS", "The statement's verdict and counts, day by day."),
        ("coverage.csv", "ABCDE", "The hours of the control-plane interfaces by state."),
        ("destinations.csv", "CDE", "The destinations of the control planes, with the lines that they come from."),
        ("exceptions.csv", "ABCDEFS", "What violates the statement or leaves it open."),
    ];
    let mut all = Vec::new();
    for (path, letters, description) in TABLES {
        if context.resources.contains_key(path) && statement.id.starts_with(|c| letters.contains(c)) {
            all.push((path, description));
        }
    }
    if !statement.sql.is_empty() {
        all.push((&statement.sql, "The SQL that was run."));
    }
    let evidence = |(path, description): (&str, &str)| {
        Ok(Evidence { href: reference(path, context.resources, context.uuids)?, description: description.to_owned() })
    };
    all.into_iter().map(evidence).collect()
}

fn findings(requested: &[(&Control, &OscalIds)], statements: &[Statement], context: &Context<'_>) -> Vec<Finding> {
    let uuids = context.uuids;
    let finding = |(control, ids): &(&Control, &OscalIds)| {
        let verdict = control.verdict?;
        let related: Vec<&Statement> = statements.iter().filter(|statement| control.statements.contains(&statement.id)).collect();
        let (state, reason) = match verdict {
            Verdict::Pass => ("satisfied", "pass"),
            Verdict::Indeterminate => ("not-satisfied", "other"),
            Verdict::Fail => ("not-satisfied", "fail"),
        };
        Some(Finding {
            uuid: uuids.of("finding", &[&ids.control]),
            title: markup(&format!("{}: {}", control.control, control.title)),
            description: markup(&format!("Can show: {}. Cannot show: {}.", control.shows, control.cannot_show)),
            props: props(&[("control-id", &ids.control), ("verdict", verdict.name()), ("mapping-confidence", &control.confidence)]),
            target: Target {
                r#type: if ids.target.contains("_obj") { "objective-id" } else { "statement-id" },
                target_id: ids.target.clone(),
                status: Status { state, reason, remarks: markup(&tally(verdict, context.interfaces.len(), &control.statements, &related)) },
            },
            related_observations: related.iter().map(|s| RelatedObservation { observation_uuid: uuids.observation(s) }).collect(),
        })
    };
    requested.iter().filter_map(finding).collect()
}

/// Says how the statements of a control came out: `FAIL. Of 4 clusters, C2: 3 PASS, 1 FAIL; S5: not judged.`
fn tally(verdict: Verdict, clusters: usize, ids: &[String], related: &[&Statement]) -> String {
    let of = |id: &String| {
        let count = |verdict| related.iter().filter(|statement| statement.id == *id && statement.verdict == verdict).count();
        let counts = [Verdict::Pass, Verdict::Indeterminate, Verdict::Fail].map(|verdict| (count(verdict), verdict));
        let words: Vec<String> =
            counts.iter().filter(|(count, _)| *count > 0).map(|(count, verdict)| format!("{count} {verdict}")).collect();
        format!("{id}: {}", if words.is_empty() { "not judged".to_owned() } else { words.join(", ") })
    };
    let words: Vec<String> = ids.iter().map(of).collect();
    format!("{verdict}. Of {clusters} clusters, {}. The related observations say why.", words.join("; "))
}

/// The limits and notes, beside the conclusions.
fn remarks(results: &Results) -> Option<String> {
    let limits = results.limits.iter().map(|limit| format!("* {}", markup(&limit.text)));
    let notes = results.notes.iter().filter(|note| line(note).is_some()).map(|note| format!("* {}", markup(note)));
    let parts = [("What flow logs cannot show:", limits.collect::<Vec<_>>()), ("Notes:", notes.collect())];
    let parts: Vec<String> =
        parts.iter().filter(|(_, list)| !list.is_empty()).map(|(head, list)| format!("{head}\n\n{}", list.join("\n"))).collect();
    (!parts.is_empty()).then(|| parts.join("\n\n"))
}

/// A statement that stands twice about a cluster would give two observations one identifier.
fn unique(observations: &[Observation]) -> Result<()> {
    let mut seen = BTreeSet::new();
    match observations.iter().find(|observation| !seen.insert(&observation.uuid)) {
        None => Ok(()),
        Some(twice) => Err(Error::failed("the statement stands twice in the results").at(&twice.title)),
    }
}
