//! What the statements read besides connections and coverage: facts from inventory, ledger, inputs and policy, as SQL tables.
//!
//! Facts only; what they mean is said by the SQL of each statement, which a bundle holds beside them.

use super::digest::hex;
use super::inputs::InputFile;
use super::judge::Day;
use crate::error::Result;
use crate::inventory::custody::Protection;
use crate::inventory::model::CUSTOMER_ROUTED;
use crate::inventory::{Cluster, Inventory};
use crate::policy::Finding;
use crate::query::biflow::EniIndex;
use crate::query::collect::Covered;
use crate::query::coverage::State;
use crate::query::deliveries::Judgement;
use crate::query::flow_log_use::{Weakness, is_required};
use crate::query::ledger::{Ledger, cluster_of};
use crate::query::summary::Summary;
use crate::query::{Engine, Logs};
use crate::time::{DAY, TimeRange, UnixSeconds, rfc3339};
use arrow::array::{ArrayRef, BooleanArray, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is known of a run before the statements are tested.
#[derive(Debug)]
pub struct Facts {
    /// Every day of every cluster in scope, by ARN and day.
    pub days: Vec<Day>,
    /// Tables by name.
    pub tables: Vec<(&'static str, RecordBatch)>,
}

/// A column of a table of facts.
enum Column {
    Texts(Vec<Option<String>>),
    Bools(Vec<bool>),
}

/// Returns a UTC day as `2026-10-01`.
pub fn day_name(t: UnixSeconds) -> String {
    rfc3339(t).chars().take(10).collect()
}

fn day_of(t: UnixSeconds) -> UnixSeconds {
    t.div_euclid(DAY) * DAY
}

/// What facts are made from.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Logs with their inventory.
    pub logs: &'a Logs,
    /// What was logged, and what stands behind that.
    pub ledger: &'a Ledger,
    /// What the scan came to.
    pub scan: &'a Summary,
    /// The inputs with their digests.
    pub inputs: &'a [InputFile],
    /// Findings about the policy; `None` without one.
    pub findings: Option<&'a [Finding]>,
}

impl Facts {
    /// Gathers the facts.
    ///
    /// # Errors
    /// None in practice: the tables are its own.
    pub fn of(known: Known<'_>) -> Result<Facts> {
        let Known { logs, ledger, scan, inputs, findings } = known;
        let inventory = &*logs.inventory;
        let scope: Vec<ClusterDay<'_>> = scope(inventory, ledger);
        let missing = missing_periods(ledger);
        let dated = Dated::of(inputs, &scope);
        let unplaced = unplaced(inventory, scan, ledger.period);
        let tables = vec![
            ("evidence_days", days_table(&scope)?),
            ("evidence_modes", modes(&scope)?),
            ("evidence_mode_changes", mode_changes(&scope)?),
            ("evidence_interfaces", interfaces(inventory, ledger)?),
            ("evidence_strangers", strangers(ledger)?),
            ("evidence_flow_logs", flow_logs(inventory, ledger, &scope)?),
            ("evidence_objects", objects(&dated)?),
            ("evidence_deliveries", deliveries(&missing)?),
            ("evidence_custody", custody(ledger)?),
            ("evidence_vpc_cidrs", vpc_cidrs(inventory)?),
            ("evidence_subnets", subnets(inventory)?),
            ("evidence_given", given(inventory)?),
            ("evidence_targets", targets(inventory)?),
            ("evidence_kubernetes", kubernetes(inventory)?),
            ("evidence_scps", scps(inventory)?),
            ("evidence_policy", policy(findings)?),
        ];
        let damaged: Dated<'_> = dated.damaged();
        let days = scope.iter().map(|day| day_facts(day, known, &missing, &damaged, &unplaced)).collect();
        Ok(Facts { days, tables })
    }

    /// Hands the tables to an engine.
    ///
    /// # Errors
    /// If the engine refuses one.
    pub fn add_to(&self, engine: &Engine) -> Result<()> {
        self.tables.iter().try_for_each(|(name, rows)| engine.add_table(name, rows.clone()))
    }
}

/// A cluster on a day, within the period.
struct ClusterDay<'a> {
    cluster: &'a Cluster,
    /// Its interface-hours.
    hours: &'a crate::query::ledger::ClusterDay,
    day: UnixSeconds,
    /// First and last second of it that lie in the period and in the cluster's life.
    span: (UnixSeconds, UnixSeconds),
}

fn scope<'a>(inventory: &'a Inventory, ledger: &'a Ledger) -> Vec<ClusterDay<'a>> {
    let TimeRange { from, to } = ledger.period;
    let of_day = |of: &'a crate::query::ledger::ClusterDay| {
        // Several lives may share an ARN; that of the day is the one that overlaps it.
        let lives = |cluster: &&Cluster| cluster.arn == of.cluster_arn && cluster.valid.from < of.day + DAY && of.day < cluster.valid.to;
        let cluster = inventory.clusters().iter().find(lives)?;
        let first = of.day.max(from.unwrap_or(of.day)).max(cluster.valid.from);
        let last = (of.day + DAY).min(to.unwrap_or(of.day + DAY)).min(cluster.valid.to) - 1;
        Some(ClusterDay { cluster, hours: of, day: of.day, span: (first, last.max(first)) })
    };
    ledger.days.iter().filter_map(of_day).collect()
}

fn day_facts(of: &ClusterDay<'_>, known: Known<'_>, missing: &[MissingPeriod], damaged: &Dated<'_>, unplaced: &[String]) -> Day {
    let Known { logs, ledger, .. } = known;
    let inventory = &*logs.inventory;
    let arn = &*of.cluster.arn;
    let mut day = Day {
        cluster_arn: arn.to_owned(),
        day: day_name(of.day),
        hours_expected: of.hours.expected(),
        hours_covered: of.hours.count(State::Ok) + of.hours.count(State::NoData),
        not_routed: not_routed(of),
        ..Day::default()
    };
    for (flow_log, weakness) in ledger.weaknesses_on(inventory, arn, of.day) {
        let says = |what: &str| format!("{}: {what}", if flow_log.is_empty() { "a flow log" } else { flow_log });
        match weakness {
            Weakness::AcceptOnly => day.rejected_missing = Some(says("records accepted traffic only")),
            Weakness::RejectOnly => day.accepted_missing = Some(says("records rejected traffic only")),
            Weakness::UnknownConfiguration => {
                let reason = says("whether it records all traffic is not known (describe-flow-logs)");
                day.accepted_missing.get_or_insert_with(|| reason.clone());
                day.rejected_missing.get_or_insert(reason);
            }
            Weakness::MissingFields(fields) => day.fields_missing.extend(fields.iter().map(|field| (*field).to_owned())),
            Weakness::EniLevel | Weakness::Recreated => {}
        }
    }
    let is_here = |account: Option<&str>, region: Option<&str>| {
        let agrees = |a: Option<&str>, b: Option<&str>| a.zip(b).is_none_or(|(a, b)| a == b);
        agrees(account, of.cluster.account_id.as_deref()) && agrees(region, of.cluster.region.as_deref())
    };
    day.open = missing
        .iter()
        .filter(|gap| gap.day == of.day && gap.hides && is_here(gap.account.as_deref(), gap.region.as_deref()))
        .map(|gap| format!("{}: {}", gap.subject, gap.reason))
        .collect();
    let broken =
        damaged.on(of.day).filter(|input| is_here(input.input.object.key.account.as_deref(), input.input.object.key.region.as_deref()));
    day.open.extend(broken.map(|input| format!("{}: {}", input.input.object.uri, condition(input).1)));
    day.open.extend_from_slice(unplaced);
    day
}

/// What of the records could not be placed, so that no day can be said to be whole.
fn unplaced(inventory: &Inventory, scan: &Summary, period: TimeRange) -> Vec<String> {
    let facts = [
        (scan.facts.undirected_records, "records of control planes have no direction and enter no connection"),
        (scan.facts.unattributed_records, "records name no interface: they may be a control plane's"),
        (
            undated(inventory, scan, period),
            "records of control planes have no start, and no end on a day of the period: they may be of any day",
        ),
        (scan.facts.in_doubt_bytes, "bytes of a flow log that was set aside lie outside the range of the one that counts"),
    ];
    facts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect()
}

/// Records of traffic, or that some were lost, which stand on no day of the period. A window goes by `start`: a record without one gets
/// past it, and stands in the hour of its end, or in hour 0.
fn undated(inventory: &Inventory, scan: &Summary, period: TimeRange) -> u64 {
    let (Some(from), Some(to)) = (period.from, period.to) else { return 0 };
    let days = day_of(from)..=day_of(to - 1);
    let is_undated =
        |hour: UnixSeconds, covered: &Covered| covered.start_min.or(covered.end_max).is_none() || !days.contains(&day_of(hour));
    let logged = (0..inventory.enis().len()).flat_map(|eni| scan.logged_hours(eni as EniIndex));
    let of_logs = logged.flat_map(|(hour, logs)| logs.values().map(move |covered| (hour, covered)));
    of_logs.filter(|(hour, covered)| is_undated(*hour, covered)).map(|(_, covered)| covered.ok + covered.skipdata).sum()
}

/// What keeps a day from being `CUSTOMER_ROUTED` throughout.
fn not_routed(of: &ClusterDay<'_>) -> Option<String> {
    instants(of).into_iter().find_map(|t| {
        let (mode, is_assumed) = of.cluster.mode_evidence(t);
        match mode.as_deref() {
            Some(CUSTOMER_ROUTED) if !is_assumed => None,
            Some(CUSTOMER_ROUTED) => Some("that the cluster was CUSTOMER_ROUTED is assumed, not seen".to_owned()),
            Some(mode) => Some(format!("the cluster was {mode}: egress to destinations outside the VPC may not pass through it")),
            None => Some("the cluster's egress mode is not known".to_owned()),
        }
    })
}

/// The instants of a day at which the mode must be looked at: its ends, and whenever something about the mode was seen.
fn instants(of: &ClusterDay<'_>) -> BTreeSet<UnixSeconds> {
    let (first, last) = of.span;
    let seen = of.cluster.mode_seen.iter().map(|(t, _)| *t);
    let changes = of.cluster.mode_changes.iter().map(|(t, ..)| *t);
    let within = seen.chain(changes).filter(|t| (first..=last).contains(t));
    [first, last].into_iter().chain(within).collect()
}

fn table(columns: Vec<(&'static str, Column)>) -> Result<RecordBatch> {
    let array = |column: Column| -> ArrayRef {
        match column {
            Column::Texts(texts) => Arc::new(StringArray::from(texts)),
            Column::Bools(bools) => Arc::new(BooleanArray::from(bools)),
        }
    };
    let arrays: Vec<(&str, ArrayRef)> = columns.into_iter().map(|(name, column)| (name, array(column))).collect();
    let fields: Vec<Field> = arrays.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays.into_iter().map(|(_, array)| array).collect())?)
}

/// Makes a table of texts from rows.
fn texts<const N: usize>(names: [&'static str; N], rows: Vec<[Option<String>; N]>) -> Result<RecordBatch> {
    let column = |at: usize| Column::Texts(rows.iter().map(|row| row.get(at).cloned().flatten()).collect());
    table(names.into_iter().enumerate().map(|(at, name)| (name, column(at))).collect())
}

fn some(text: impl Into<String>) -> Option<String> {
    Some(text.into())
}

fn days_table(scope: &[ClusterDay<'_>]) -> Result<RecordBatch> {
    let row = |of: &ClusterDay<'_>| {
        let text = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
        [some(&*of.cluster.arn), Some(day_name(of.day)), text(&of.cluster.account_id), text(&of.cluster.region)]
    };
    texts(["cluster_arn", "day", "account_id", "region"], scope.iter().map(row).collect())
}

fn modes(scope: &[ClusterDay<'_>]) -> Result<RecordBatch> {
    let (mut rows, mut assumed) = (Vec::new(), Vec::new());
    for of in scope {
        for t in instants(of) {
            let (mode, is_assumed) = of.cluster.mode_evidence(t);
            rows.push([some(&*of.cluster.arn), Some(day_name(of.day)), Some(rfc3339(t)), mode.as_deref().map(str::to_owned)]);
            assumed.push(is_assumed);
        }
    }
    let column = |at: usize| Column::Texts(rows.iter().map(|row| row.get(at).cloned().flatten()).collect());
    table(vec![
        ("cluster_arn", column(0)),
        ("day", column(1)),
        ("at", column(2)),
        ("mode", column(3)),
        ("is_assumed", Column::Bools(assumed)),
    ])
}

fn mode_changes(scope: &[ClusterDay<'_>]) -> Result<RecordBatch> {
    let mut rows = Vec::new();
    for of in scope {
        let (first, last) = of.span;
        for (at, mode, status) in of.cluster.mode_changes.iter().filter(|(at, ..)| (first..=last).contains(at)) {
            let day = Some(day_name(of.day));
            rows.push([some(&*of.cluster.arn), day, Some(rfc3339(*at)), some(mode), some(status)]);
        }
    }
    texts(["cluster_arn", "day", "at", "mode", "status"], rows)
}

fn interfaces(inventory: &Inventory, ledger: &Ledger) -> Result<RecordBatch> {
    let lived: BTreeSet<(u32, UnixSeconds)> =
        ledger.hours.iter().filter(|hour| hour.state.is_expected()).map(|hour| (hour.eni, day_of(hour.hour))).collect();
    let (mut rows, mut from_start, mut to_end) = (Vec::new(), Vec::new(), Vec::new());
    for (index, day) in lived {
        let (Some(eni), Some(cluster)) = (inventory.enis().get(index as usize), cluster_of(inventory, index)) else { continue };
        let first = day.max(ledger.period.from.unwrap_or(day)).max(eni.possible.from);
        let last = (day + DAY).min(ledger.period.to.unwrap_or(day + DAY)).min(eni.possible.to);
        rows.push([some(&*cluster.arn), Some(day_name(day)), some(&*eni.id)]);
        from_start.push(eni.known_from.is_some_and(|known| known <= first));
        to_end.push(eni.known_to.is_some_and(|known| last <= known));
    }
    let column = |at: usize| Column::Texts(rows.iter().map(|row| row.get(at).cloned().flatten()).collect());
    table(vec![
        ("cluster_arn", column(0)),
        ("day", column(1)),
        ("interface_id", column(2)),
        ("is_known_from_start", Column::Bools(from_start)),
        ("is_known_to_end", Column::Bools(to_end)),
    ])
}

fn strangers(ledger: &Ledger) -> Result<RecordBatch> {
    let rows = ledger.unknown.iter().map(|unknown| {
        // What the inventory itself names as an EKS interface of nobody's is a hole in the scope; behaviour alone is a suspicion.
        let finding = if unknown.in_logs { "indeterminate" } else { "violation" };
        [some(&unknown.interface_id), some(finding), some(&unknown.reason)]
    });
    texts(["interface_id", "finding", "reason"], rows.collect())
}

fn flow_logs(inventory: &Inventory, ledger: &Ledger, scope: &[ClusterDay<'_>]) -> Result<RecordBatch> {
    let mut rows = Vec::new();
    for of in scope {
        let arn = &*of.cluster.arn;
        let row =
            |subject: &str, finding: &str, reason: String| [some(arn), Some(day_name(of.day)), some(subject), some(finding), Some(reason)];
        let weak = ledger.weaknesses_on(inventory, arn, of.day);
        for (flow_log, weakness) in &weak {
            let finding = match weakness {
                Weakness::UnknownConfiguration => "indeterminate",
                // Weaker rules decide without them; the statements say where that is not enough.
                Weakness::MissingFields(fields) if !fields.iter().any(|field| is_required(field)) => "noted",
                _ => "violation",
            };
            rows.push(row(if flow_log.is_empty() { "a flow log" } else { flow_log }, finding, weakness.says()));
        }
        let of_cluster = |eni: &u32| cluster_of(inventory, *eni).is_some_and(|cluster| &*cluster.arn == arn);
        for flow_log in ledger.flow_logs.used.iter().filter(|flow_log| flow_log.interfaces.iter().any(of_cluster)) {
            if !weak.iter().any(|(id, _)| *id == flow_log.id) {
                rows.push(row(&flow_log.id, "pass", "records all traffic, with the fields that are needed".to_owned()));
            }
        }
    }
    texts(["cluster_arn", "day", "subject", "finding", "reason"], rows)
}

/// The objects that were read, by the days of the period that they are judged on.
struct Dated<'a>(BTreeMap<UnixSeconds, Vec<&'a InputFile>>);

impl<'a> Dated<'a> {
    /// An object belongs to the UTC day of its first record, else to that of its key, within the period; one that tells no day could hold
    /// records of any, and belongs to all: none may go unjudged.
    fn of(inputs: &'a [InputFile], scope: &[ClusterDay<'_>]) -> Dated<'a> {
        let mut days: BTreeMap<UnixSeconds, Vec<&InputFile>> = scope.iter().map(|of| (of.day, Vec::new())).collect();
        for input in inputs {
            let Some(read) = &input.read else { continue };
            let day = read.tally.start_min().or(input.input.object.key.time).map(day_of);
            let Some(day) = day else {
                days.values_mut().for_each(|of_day| of_day.push(input));
                continue;
            };
            let (after, before) = (days.range(day..).next().map(|(day, _)| *day), days.range(..day).next_back().map(|(day, _)| *day));
            if let Some(of_day) = after.or(before).and_then(|day| days.get_mut(&day)) {
                of_day.push(input);
            }
        }
        Dated(days)
    }

    /// Returns those of which something could not be read.
    fn damaged(&self) -> Dated<'a> {
        let damaged = |all: &Vec<&'a InputFile>| all.iter().copied().filter(|input| condition(input).0 != "pass").collect();
        Dated(self.0.iter().map(|(day, all)| (*day, damaged(all))).collect())
    }

    fn on(&self, day: UnixSeconds) -> impl Iterator<Item = &'a InputFile> {
        self.0.get(&day).into_iter().flatten().copied()
    }
}

/// Whether an object was read whole, as a finding with its reason.
fn condition(input: &InputFile) -> (&'static str, String) {
    match &input.read {
        None => ("indeterminate", "not read".to_owned()),
        Some(read) if read.fault.is_some() => ("violation", format!("{}: {}", read.status(), read.fault.clone().unwrap_or_default())),
        Some(read) if read.tally.rejects > 0 => {
            ("indeterminate", format!("{} lines are not records: what they were is unknown", read.tally.rejects))
        }
        Some(_) if input.sha256.is_none() => ("indeterminate", "it has no digest".to_owned()),
        Some(_) => ("pass", "read whole, digested".to_owned()),
    }
}

fn objects(dated: &Dated<'_>) -> Result<RecordBatch> {
    let row = |day: UnixSeconds, input: &InputFile| {
        let object = &input.input.object;
        let (finding, reason) = condition(input);
        let text = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
        [
            Some(day_name(day)),
            some(&*object.uri),
            text(&object.key.account),
            text(&object.key.region),
            input.sha256.map(|digest| hex(&digest)),
            some(finding),
            Some(reason),
        ]
    };
    let rows = dated.0.iter().flat_map(|(day, all)| all.iter().map(move |input| row(*day, input)));
    texts(["day", "log_object", "account_id", "region", "sha256", "finding", "reason"], rows.collect())
}

/// Periods without a file on one day.
struct MissingPeriod {
    day: UnixSeconds,
    account: Option<String>,
    region: Option<String>,
    subject: String,
    reason: String,
    /// Whether records may be missing with it.
    hides: bool,
}

fn missing_periods(ledger: &Ledger) -> Vec<MissingPeriod> {
    let mut all = Vec::new();
    for delivery in &ledger.deliveries {
        let text = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
        for gap in &delivery.missing {
            let reason = match gap.judgement {
                Judgement::NothingDue => "no file, and none of its records need have ended then",
                Judgement::LoggedAround => "no file, though records lie around it: one may be missing",
                Judgement::Silent => "no file and no record of a control plane",
                Judgement::NotJudged => "no file, and no record of a control plane to judge that by",
            };
            let id = if delivery.flow_log_id.is_empty() { "a flow log" } else { &delivery.flow_log_id };
            for day in (day_of(gap.from)..gap.to).step_by(DAY as usize) {
                all.push(MissingPeriod {
                    day,
                    account: text(&delivery.account_id),
                    region: text(&delivery.region),
                    subject: format!("{id} {} to {}", rfc3339(gap.from), rfc3339(gap.to)),
                    reason: reason.to_owned(),
                    hides: matches!(gap.judgement, Judgement::LoggedAround | Judgement::Silent),
                });
            }
        }
    }
    all
}

fn deliveries(missing: &[MissingPeriod]) -> Result<RecordBatch> {
    let row =
        |gap: &MissingPeriod| [Some(day_name(gap.day)), gap.account.clone(), gap.region.clone(), some(&gap.subject), some(&gap.reason)];
    texts(["day", "account_id", "region", "subject", "reason"], missing.iter().map(row).collect())
}

/// A bucket's custody passes if it is seen that nobody can overwrite or delete an object without trace.
fn custody(ledger: &Ledger) -> Result<RecordBatch> {
    let mut rows = Vec::new();
    for bucket in &ledger.custody {
        for known in &bucket.facts {
            let (protection, reason) = known.fact.judge();
            let finding = match protection {
                _ if !known.proven => "indeterminate",
                Protection::Absent => "violation",
                Protection::Protects | Protection::Partly => "pass",
            };
            let reason = if known.proven { reason.to_owned() } else { format!("{reason}; not seen before and after the period") };
            rows.push([some(format!("{} {}", bucket.bucket, known.fact.call())), some(finding), Some(reason)]);
        }
        for call in &bucket.unknown {
            let reason = "how the bucket is kept is not known: the inventory lacks this call";
            rows.push([some(format!("{} {call}", bucket.bucket)), some("indeterminate"), some(reason)]);
        }
    }
    if rows.is_empty() {
        rows.push([some("custody"), some("indeterminate"), some("the logs were not read from a bucket whose keeping is known")]);
    }
    texts(["subject", "finding", "reason"], rows)
}

fn vpc_cidrs(inventory: &Inventory) -> Result<RecordBatch> {
    let mut rows = BTreeSet::new();
    for cluster in inventory.clusters() {
        let vpcs = inventory.vpcs().iter().filter(|held| Some(&held.item.id) == cluster.vpc_id.as_ref());
        let mut cidrs: BTreeSet<String> = vpcs.flat_map(|vpc| &vpc.item.cidrs).map(ToString::to_string).collect();
        if cidrs.is_empty() {
            // Subnets lie in their VPC: both together would count an address twice.
            cidrs = subnets_of(inventory, cluster).flat_map(|subnet| &subnet.cidrs).map(ToString::to_string).collect();
        }
        rows.extend(cidrs.into_iter().map(|cidr| [some(&*cluster.arn), Some(cidr)]));
    }
    texts(["cluster_arn", "cidr"], rows.into_iter().collect())
}

fn subnets_of<'a>(inventory: &'a Inventory, cluster: &'a Cluster) -> impl Iterator<Item = &'a crate::inventory::model::Subnet> {
    inventory.subnets().iter().map(|held| &held.item).filter(|subnet| Some(&subnet.vpc_id) == cluster.vpc_id.as_ref())
}

fn subnets(inventory: &Inventory) -> Result<RecordBatch> {
    let mut rows = BTreeMap::new();
    for cluster in inventory.clusters() {
        for subnet in subnets_of(inventory, cluster) {
            for cidr in &subnet.cidrs {
                let key = (cluster.arn.to_string(), cidr.to_string());
                let az = rows.entry(key).or_insert(None);
                *az = az.take().or_else(|| subnet.az_id.as_deref().map(str::to_owned));
            }
        }
    }
    texts(["cluster_arn", "cidr", "az_id"], rows.into_iter().map(|((arn, cidr), az)| [Some(arn), Some(cidr), az]).collect())
}

fn given(inventory: &Inventory) -> Result<RecordBatch> {
    table(vec![("has_ip_ranges", Column::Bools(vec![inventory.has_aws_ranges()]))])
}

/// What the configuration of each cluster makes its API server call, under the names that `peer_name` has.
fn targets(inventory: &Inventory) -> Result<RecordBatch> {
    let mut rows = BTreeSet::new();
    for (index, cluster) in inventory.clusters().iter().enumerate() {
        rows.extend(inventory.configured_callers(index as u32).into_iter().map(|name| [some(&*cluster.arn), Some(name)]));
    }
    texts(["cluster_arn", "name"], rows.into_iter().collect())
}

fn kubernetes(inventory: &Inventory) -> Result<RecordBatch> {
    let clusters = inventory.clusters().iter().enumerate();
    let has = clusters.filter(|(index, _)| inventory.has_kubernetes(*index as u32));
    // Several lives of a cluster share an ARN.
    let arns: BTreeSet<&str> = has.map(|(_, cluster)| &*cluster.arn).collect();
    texts(["cluster_arn"], arns.into_iter().map(|arn| [some(arn)]).collect())
}

fn scps(inventory: &Inventory) -> Result<RecordBatch> {
    let policies = inventory.service_control_policies();
    table(vec![
        ("name", Column::Texts(policies.iter().map(|held| some(&*held.item.name)).collect())),
        ("denies", Column::Bools(policies.iter().map(|held| held.item.requires_customer_routed).collect())),
    ])
}

fn policy(findings: Option<&[Finding]>) -> Result<RecordBatch> {
    const NAMES: [&str; 5] = ["cluster_arn", "rule", "id", "severity", "what"];
    let Some(findings) = findings else { return texts(NAMES, Vec::new()) };
    let row = |finding: &Finding| {
        [finding.cluster_arn.clone(), finding.rule.clone(), some(finding.id), some(finding.severity.as_str()), some(&finding.what)]
    };
    let mut rows: Vec<[Option<String>; 5]> = findings.iter().map(row).collect();
    // So that a policy about which nothing is to be said differs from none.
    rows.push([None, None, some("read"), some("info"), some("the file is a valid policy")]);
    texts(NAMES, rows)
}
