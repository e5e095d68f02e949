//! From logs to results: one pass, facts, statements, verdicts.
//!
//! [`collect`] is what `evidence collect` seals and what `verify --rerun` computes again: the same inputs and parameters give the same
//! [`Results`], whatever the machine, the thread count or the order of the objects.

use super::catalogue::CATALOGUE;
use super::digest::Digest;
use super::facts::{Facts, Known, day_name};
use super::inputs::{self, InputFile, InputList};
use super::judge;
use super::results::{
    ClusterScope, CoverageDay, Destination, Gap, InputsUsed, Period, PolicyFinding, PolicyUsed, Results, SCHEMA, Verdict,
};
use super::{controls, given, limits};
use crate::error::{Error, Result, printable};
use crate::intake::ObjectRead;
use crate::inventory::{self, Cluster};
use crate::policy::{Finding, Policy, findings};
use crate::query::coverage::State;
use crate::query::deliveries::Judgement;
use crate::query::ledger::{Ledger, cluster_of};
use crate::query::{Egress, Engine, Logs, library};
use crate::report::value;
use crate::source::{Digests, Kept};
use crate::time::{DAY, HOUR, TimeRange, UnixSeconds, rfc3339};
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use futures::{StreamExt, TryStreamExt, stream};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Inputs asked for their identity, or read again for their digest, at a time.
const ASKED_IN_FLIGHT_MAX: usize = 32;

/// What a collection is made from.
#[derive(Debug, Clone)]
pub struct Collection<'a> {
    /// Logs whose sources take digests into `digests`; with the policy's judge, if there is one.
    pub logs: Arc<Logs>,
    /// Digests of what is read.
    pub digests: Arc<Digests>,
    /// Files of the inventory, as they were read.
    pub inventory: &'a [inventory::File],
    /// The approved destinations.
    pub policy: Option<&'a Policy>,
    /// Controls and frameworks that were asked for; none means all that are known.
    pub controls: &'a [String],
}

/// Results with what the files of a bundle are made from.
pub struct Collected {
    /// What the bundle says.
    pub results: Results,
    /// Rows of `report egress`, unapproved first.
    pub destinations: Vec<RecordBatch>,
    /// What re-performing takes as given, by place in the bundle.
    pub given: Vec<(&'static str, RecordBatch)>,
    /// The list of inputs.
    pub inputs: InputList,
    /// The one scan, with the raw records of control planes.
    pub egress: Arc<Egress>,
    /// The engine, which has the facts as tables.
    pub engine: Engine,
}

/// Collects the evidence.
///
/// # Errors
/// If logs cannot be read at all, a query fails, or a requested control is not known.
pub async fn collect(collection: Collection<'_>) -> Result<Collected> {
    let Collection { logs, digests, inventory, policy, controls, .. } = collection;
    let engine = Engine::new(&logs)?;
    let egress = logs.egress_recorded().await?;
    let inputs = input_files(&logs, &egress, &digests).await?;
    if let Some(said) = untold(&inputs) {
        tracing::warn!("{}", printable(&said));
    }
    let list = inputs::list(&inputs)?;
    let ledger = Ledger::of(&logs, &egress);
    let found = policy_findings(&logs, &egress, &ledger)?;
    let facts = Facts::of(Known { logs: &logs, ledger: &ledger, scan: &egress.summary, inputs: &inputs, findings: found.as_deref() })?;
    facts.add_to(&engine)?;
    let given = given::tables(&logs, &egress, policy, &facts.days)?;

    let (mut statements, mut exceptions) = (Vec::new(), Vec::new());
    for definition in &CATALOGUE {
        let (_, batches) = engine.collect(definition.sql, &[]).await?;
        let (judged, odd) = judge::judge(definition, &judge::rows(definition, &batches)?, &facts.days);
        statements.extend(judged);
        exceptions.extend(odd);
    }
    let destinations = destinations(&engine).await?;
    let mapping = controls::Catalogue::builtin()?;
    let controls = mapping.judge(&mapping.controls(controls)?, &statements);
    let ids: Vec<&str> = CATALOGUE.iter().map(|definition| definition.id).collect();
    let results = Results {
        schema: SCHEMA.to_owned(),
        tool: format!("flowproof {}", env!("CARGO_PKG_VERSION")),
        period: period(ledger.period)?,
        clusters: clusters(&logs, &ledger),
        controls,
        destinations: destination_rows(&destinations)?,
        exceptions,
        coverage: coverage(&logs, &ledger),
        gaps: gaps(&logs, &ledger),
        policy: policy.map(|policy| policy_used(policy, found.as_deref().unwrap_or_default())),
        inputs: inputs_used(&egress, &inputs, &list, inventory),
        limits: limits::limits_for(&ids)?,
        notes: notes(&logs, &egress, &inputs, &statements),
        statements,
    };
    Ok(Collected { results, destinations, given, inputs: list, egress, engine })
}

/// Joins what was listed with what became of it, sorted by URI; digests what was not read to its end, and asks what the source keeps.
async fn input_files(logs: &Logs, egress: &Egress, digests: &Digests) -> Result<Vec<InputFile>> {
    let reads: BTreeMap<Arc<str>, ObjectRead> =
        logs.intakes().iter().flat_map(|intake| intake.objects()).map(|(_, read)| (Arc::clone(&read.uri), read)).collect();
    let opened: BTreeSet<&str> = egress.inputs.iter().map(|input| &*input.object.uri).collect();
    let file = |input: crate::pipeline::Input| {
        let read = reads.get(&input.object.uri).filter(|_| opened.contains(&*input.object.uri)).cloned();
        async move {
            if read.is_some() && digests.of(&input.object.uri).is_none() {
                // What a damaged object holds after the damage is part of what was stored. A fault of reading is told already.
                if let Ok(mut body) = input.source.read(&input.object).await {
                    while let Ok(Some(_)) = body.try_next().await {}
                }
            }
            let (kept, kept_fault) = match read {
                Some(_) => match input.source.kept(&input.object).await {
                    Ok(kept) => (kept, None),
                    Err(fault) => (Kept::default(), Some(fault.to_string())),
                },
                None => Default::default(),
            };
            let sha256 = digests.of(&input.object.uri);
            InputFile { input, read, sha256, kept, kept_fault }
        }
    };
    let mut files: Vec<InputFile> =
        stream::iter(logs.inputs.iter().cloned()).map(file).buffer_unordered(ASKED_IN_FLIGHT_MAX).collect().await;
    files.sort_by(|a, b| a.input.object.uri.cmp(&b.input.object.uri));
    Ok(files)
}

/// Says of how many objects the source did not tell what it keeps. That they have no version and no checksum would be another fact.
fn untold(inputs: &[InputFile]) -> Option<String> {
    let faults: Vec<&str> = inputs.iter().filter_map(|input| input.kept_fault.as_deref()).collect();
    let (count, first) = (faults.len(), faults.first()?);
    Some(format!("version id and checksum of {count} objects are not known (s3_fault in the list of inputs), the first: {first}"))
}

/// The findings about the policy, as of the end of the period: another day of looking must not change the results.
fn policy_findings(logs: &Logs, egress: &Egress, ledger: &Ledger) -> Result<Option<Vec<Finding>>> {
    let Some(judge) = &logs.policy else { return Ok(None) };
    let usage = egress.usage(judge, logs)?;
    Ok(Some(findings(judge.policy(), Some(&usage), Some(judge.resolver()), ledger.period.to)))
}

async fn destinations(engine: &Engine) -> Result<Vec<RecordBatch>> {
    let (schema, rows) = engine.collect(library::find("egress")?.sql, &[]).await?;
    engine.add_table("evidence_egress", concat_batches(&schema, &rows)?)?;
    let (schema, mut rows) = engine.collect(include_str!("../../queries/evidence/destinations.sql"), &[]).await?;
    if rows.is_empty() {
        // A table without rows still has its columns.
        rows.push(RecordBatch::new_empty(schema));
    }
    Ok(rows)
}

fn destination_rows(batches: &[RecordBatch]) -> Result<Vec<Destination>> {
    let fault = |error: serde_json::Error| Error::failed("a destination cannot be written").caused_by(error);
    let read = |row: value::Row<'_>| serde_json::from_value(serde_json::to_value(row).map_err(fault)?).map_err(fault);
    value::rows(batches).into_iter().map(read).collect()
}

fn period(range: TimeRange) -> Result<Period> {
    let (Some(from), Some(to)) = (range.from, range.to) else {
        return Err(Error::usage("the logs have no record with a time, and no period is given").with_hint("add --from and --to"));
    };
    Ok(Period { from: rfc3339(from), to: rfc3339(to) })
}

fn clusters(logs: &Logs, ledger: &Ledger) -> Vec<ClusterScope> {
    let lived: BTreeSet<u32> = ledger.hours.iter().filter(|hour| hour.state.is_expected()).map(|hour| hour.eni).collect();
    let in_scope: BTreeSet<&str> = ledger.days.iter().map(|day| &*day.cluster_arn).collect();
    let TimeRange { from, to } = ledger.period;
    let scope = |cluster: &Cluster| {
        let text = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
        let seen = cluster.mode_seen.iter().filter(|(t, _)| ledger.period.contains(*t)).map(|(_, mode)| mode.clone());
        let at = |t: Option<UnixSeconds>| t.map(|t| cluster.mode_at(t));
        let mut modes: Vec<_> = at(from).into_iter().chain(seen).chain(at(to.map(|to| to - 1))).collect();
        modes.dedup();
        let own = lived.iter().filter(|eni| cluster_of(&logs.inventory, **eni).is_some_and(|of| of.arn == cluster.arn));
        ClusterScope {
            cluster: cluster.name.to_string(),
            cluster_arn: cluster.arn.to_string(),
            account_id: text(&cluster.account_id),
            region: text(&cluster.region),
            vpc_id: text(&cluster.vpc_id),
            egress_modes: modes.iter().map(|mode| mode.as_deref().map(str::to_owned)).collect(),
            interfaces: own.filter_map(|eni| Some(logs.inventory.enis().get(*eni as usize)?.id.to_string())).collect(),
        }
    };
    let mut clusters: Vec<ClusterScope> =
        logs.inventory.clusters().iter().filter(|cluster| in_scope.contains(&*cluster.arn)).map(scope).collect();
    clusters.sort_by(|a, b| a.cluster_arn.cmp(&b.cluster_arn));
    clusters
}

/// One letter per hour of each interface's day.
fn coverage(logs: &Logs, ledger: &Ledger) -> Vec<CoverageDay> {
    let mut days: BTreeMap<(String, String, UnixSeconds), ([u8; 24], u64)> = BTreeMap::new();
    for hour in &ledger.hours {
        let (Some(cluster), Some(eni)) = (cluster_of(&logs.inventory, hour.eni), logs.inventory.enis().get(hour.eni as usize)) else {
            continue;
        };
        let day = hour.hour.div_euclid(DAY) * DAY;
        let (letters, records) = days.entry((cluster.arn.to_string(), eni.id.to_string(), day)).or_insert(([b'-'; 24], 0));
        if let Some(letter) = usize::try_from((hour.hour - day) / HOUR).ok().and_then(|at| letters.get_mut(at)) {
            *letter = match hour.state {
                State::Ok => b'O',
                State::NoData => b'N',
                State::SkipData => b'S',
                State::Gap => b'G',
                State::Late => b'L',
                State::Unknown => b'U',
                State::NotApplicable => b'-',
            };
        }
        *records += hour.records();
    }
    let day = |((cluster_arn, interface_id, day), (letters, records)): ((String, String, UnixSeconds), ([u8; 24], u64))| CoverageDay {
        cluster_arn,
        interface_id,
        day: day_name(day),
        hours: letters.iter().map(|letter| char::from(*letter)).collect(),
        records,
    };
    days.into_iter().map(day).collect()
}

fn gaps(logs: &Logs, ledger: &Ledger) -> Vec<Gap> {
    let of_interfaces = ledger.gaps.iter().filter_map(|gap| {
        let eni = logs.inventory.enis().get(gap.span.eni as usize)?;
        Some(Gap {
            cluster_arn: cluster_of(&logs.inventory, gap.span.eni).map(|cluster| cluster.arn.to_string()).unwrap_or_default(),
            subject: eni.id.to_string(),
            state: gap.state.as_str().to_owned(),
            period: Period { from: rfc3339(gap.span.from), to: rfc3339(gap.span.to) },
        })
    });
    let of_deliveries = ledger.deliveries.iter().flat_map(|delivery| {
        let of = [Some(delivery.flow_log_id.as_str()), delivery.account_id.as_deref(), delivery.region.as_deref()];
        let subject = of.into_iter().flatten().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ");
        delivery.missing.iter().map(move |missing| Gap {
            cluster_arn: String::new(),
            subject: subject.clone(),
            state: match missing.judgement {
                Judgement::NothingDue => "NOTHING-DUE",
                Judgement::LoggedAround | Judgement::Silent | Judgement::NotJudged => "NOT-DELIVERED",
            }
            .to_owned(),
            period: Period { from: rfc3339(missing.from), to: rfc3339(missing.to) },
        })
    });
    let mut gaps: Vec<Gap> = of_interfaces.chain(of_deliveries).collect();
    gaps.sort_by(|a, b| (&a.cluster_arn, &a.subject, &a.period, &a.state).cmp(&(&b.cluster_arn, &b.subject, &b.period, &b.state)));
    gaps
}

fn policy_used(policy: &Policy, findings: &[Finding]) -> PolicyUsed {
    let finding = |finding: &Finding| PolicyFinding {
        id: finding.id.to_owned(),
        severity: finding.severity.as_str().to_owned(),
        rule: finding.rule.clone(),
        what: finding.what.clone(),
    };
    PolicyUsed {
        name: policy.name.clone(),
        version: policy.version.clone(),
        sha256: policy.digest.clone(),
        rules: policy.rules.len() as u64,
        findings: findings.iter().map(finding).collect(),
    }
}

fn inputs_used(egress: &Egress, inputs: &[InputFile], list: &InputList, inventory: &[inventory::File]) -> InputsUsed {
    let totals = &egress.totals;
    let read = || inputs.iter().filter_map(|input| input.read.as_ref());
    let mut of_inventory: Vec<String> =
        inventory.iter().map(|file| format!("{}  {}\n", Digest::of(&file.bytes), super::payload::one_line(&file.path))).collect();
    of_inventory.sort_unstable();
    InputsUsed {
        objects: totals.objects,
        objects_incomplete: totals.faults.len() as u64,
        objects_left_out: inputs.iter().filter(|input| input.read.is_none()).count() as u64,
        bytes: totals.bytes,
        lines: read().map(|read| read.tally.lines).sum(),
        ok: totals.ok,
        nodata: totals.nodata,
        skipdata: totals.skipdata,
        rejected: totals.rejected,
        outside_window: totals.outside_window,
        duplicate: egress.summary.facts.duplicate_records,
        digest: super::digest::hex(&list.digest),
        inventory_files: inventory.len() as u64,
        inventory_digest: Digest::of(of_inventory.concat().as_bytes()).to_string(),
    }
}

fn notes(logs: &Logs, egress: &Egress, inputs: &[InputFile], statements: &[super::results::Statement]) -> Vec<String> {
    let mut notes = Vec::new();
    let facts = &egress.summary.facts;
    let failed = statements.iter().filter(|statement| statement.verdict == Verdict::Fail).count();
    if failed > 0 {
        notes.push(format!("{failed} statements fail; exceptions.csv names what violates them"));
    }
    if facts.duplicate_records > 0 {
        notes.push(format!("{} records that overlapping flow logs wrote too were set aside", facts.duplicate_records));
    }
    if facts.undirected_records > 0 {
        notes.push(format!("{} records of control planes have no direction and enter no connection", facts.undirected_records));
    }
    if facts.unattributed_records > 0 {
        notes.push(format!("{} records name no interface and cannot be attributed", facts.unattributed_records));
    }
    notes.extend(untold(inputs));
    notes.extend(egress.totals.faults.iter().map(|(uri, status, reason)| format!("{status}: {uri}: {reason}")));
    notes.extend(logs.listed.notes.iter().cloned());
    notes.extend(logs.inventory.warnings().iter().map(|warning| format!("inventory: {warning}")));
    notes
}
