//! The flow logs behind the records: how each was configured, what was seen of it, and what that cannot show.
//!
//! A flow log's configuration never changes (CreateFlowLogs): another traffic type or format is another flow log with another
//! id, so a change shows as a seam between two ids. What weakens a statement is said for those interfaces and hours only in which
//! a flow log with that weakness counts: one that records accepts only, beside one that records everything, weakens nothing.

use super::biflow::EniIndex;
use super::summary::Summary;
use super::{Egress, Logs};
use crate::decode::LayoutSeen;
use crate::flow::field::{FieldId, id};
use crate::flow::{Layout, RecordKind};
use crate::inventory::{InterfaceKind, Inventory, model};
use crate::pipeline::Input;
use crate::time::{HOUR, UnixSeconds, earlier};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Without one of these no destination can be named, counted or dated.
pub const REQUIRED: [FieldId; 12] = [
    id::INTERFACE_ID,
    id::SRCADDR,
    id::DSTADDR,
    id::SRCPORT,
    id::DSTPORT,
    id::PROTOCOL,
    id::PACKETS,
    id::BYTES,
    id::START,
    id::END,
    id::ACTION,
    id::LOG_STATUS,
];

/// Without one of these an answer rests on a weaker rule: who opened a connection, whose the real ends are, which way it went.
pub const RECOMMENDED: [FieldId; 7] = [
    id::TCP_FLAGS,
    id::FLOW_DIRECTION,
    id::PKT_SRCADDR,
    id::PKT_DSTADDR,
    id::TRAFFIC_PATH,
    id::PKT_SRC_AWS_SERVICE,
    id::PKT_DST_AWS_SERVICE,
];

/// Why a flow log shows less than a statement about egress needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weakness {
    /// It records accepted traffic only: what was rejected is not shown.
    AcceptOnly,
    /// It records rejected traffic only: no destination that was reached is shown.
    RejectOnly,
    /// It watches single interfaces: one that replaces them is not logged.
    EniLevel,
    /// Its records lack these of [`REQUIRED`] and [`RECOMMENDED`], as AWS names them.
    MissingFields(Vec<&'static str>),
    /// It took over from another flow log within the period: what happened between the two is not shown.
    Recreated,
    /// The inventory does not say how it was configured, so that none of the above can be excluded.
    UnknownConfiguration,
}

impl Weakness {
    /// Returns the weakness as tables write it.
    pub fn name(&self) -> &'static str {
        match self {
            Weakness::AcceptOnly => "accept-only",
            Weakness::RejectOnly => "reject-only",
            Weakness::EniLevel => "eni-level",
            Weakness::MissingFields(_) => "missing-fields",
            Weakness::Recreated => "recreated",
            Weakness::UnknownConfiguration => "unknown-configuration",
        }
    }

    /// Returns what it means for statements about egress.
    pub fn says(&self) -> String {
        match self {
            Weakness::AcceptOnly => "accepted traffic only: that nothing was rejected cannot be said".to_owned(),
            Weakness::RejectOnly => "rejected traffic only: nothing can be said about destinations that were reached".to_owned(),
            Weakness::EniLevel => "set on one interface: an interface that replaces it is not logged".to_owned(),
            Weakness::MissingFields(fields) => {
                let (required, recommended): (Vec<&str>, Vec<&str>) = fields.iter().partition(|field| is_required(field));
                let mut parts = Vec::new();
                if !required.is_empty() {
                    parts.push(format!("{}, without which no statement about destinations holds", required.join(", ")));
                }
                if !recommended.is_empty() {
                    parts.push(format!("{}, without which weaker rules decide", recommended.join(", ")));
                }
                format!("lacks {}", parts.join("; "))
            }
            Weakness::Recreated => "took over from another flow log: what happened between the two is not shown".to_owned(),
            Weakness::UnknownConfiguration => {
                "not described in the inventory: whether it records all traffic is unknown (describe-flow-logs)".to_owned()
            }
        }
    }
}

/// Returns whether a field is one of [`REQUIRED`].
pub fn is_required(field: &str) -> bool {
    REQUIRED.iter().any(|required| required.field().name == field)
}

/// A flow log: its configuration joined with what was seen of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FlowLogUse {
    /// `fl-…`; empty for objects whose key names none.
    pub id: String,
    /// Its configuration, as the inventory has it last; `None` if it has not.
    pub configuration: Option<model::FlowLog>,
    /// First and last instant at which the inventory shows it, where it says so.
    pub listed: (Option<UnixSeconds>, Option<UnixSeconds>),
    /// Objects listed.
    pub objects: u64,
    /// Their stored bytes.
    pub bytes: u64,
    /// Objects of those that were read; none of a flow log that can cover no control plane.
    pub objects_read: u64,
    /// Records in the window, of any interface: OK, NODATA, SKIPDATA.
    pub records: [u64; 3],
    /// Least `start` of those.
    pub first_start: Option<UnixSeconds>,
    /// Greatest `end` of those.
    pub last_end: Option<UnixSeconds>,
    /// Formats seen in its objects, as fields in their order; sorted.
    pub layouts: BTreeSet<String>,
    /// Of [`REQUIRED`], those that a format seen (else the one configured) lacks.
    pub missing_required: Vec<&'static str>,
    /// Of [`RECOMMENDED`], likewise.
    pub missing_recommended: Vec<&'static str>,
    /// Whether objects have a format other than the one configured: they are not as AWS wrote them, or the inventory is wrong.
    pub format_differs: bool,
    /// Control-plane interfaces of which it has records; sorted.
    pub interfaces: BTreeSet<EniIndex>,
    /// Flow logs that it took over from, and that took over from it; sorted.
    pub replaces: BTreeSet<String>,
    /// Flow logs that took over from it; sorted.
    pub replaced_by: BTreeSet<String>,
    /// What it cannot show.
    pub weaknesses: Vec<Weakness>,
}

impl FlowLogUse {
    /// Returns what kind of resource it watches: `vpc`, `subnet`, `network-interface`, `transit-gateway`, …
    pub fn level(&self) -> Option<&'static str> {
        level(self.configuration.as_ref()?.resource_id.as_deref()?)
    }
}

fn level(resource: &str) -> Option<&'static str> {
    const LEVELS: [(&str, &str); 6] = [
        ("vpc-", "vpc"),
        ("subnet-", "subnet"),
        ("eni-", "network-interface"),
        ("tgw-attach-", "transit-gateway-attachment"),
        ("tgw-", "transit-gateway"),
        ("nat-", "regional-nat-gateway"),
    ];
    LEVELS.iter().find(|(prefix, _)| resource.starts_with(prefix)).map(|(_, level)| *level)
}

/// Where one flow log took over from another, as an interface saw it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seam {
    /// The interface.
    pub eni: EniIndex,
    /// The flow log that ended.
    pub before: String,
    /// The flow log that followed.
    pub after: String,
    /// Greatest `end` that the first wrote of the interface.
    pub ended: UnixSeconds,
    /// Least `start` that the second wrote of it.
    pub began: UnixSeconds,
}

/// Hours of an interface, one after another: `from` and `to` are full hours, half-open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The interface.
    pub eni: EniIndex,
    /// First second of the first hour.
    pub from: UnixSeconds,
    /// First second after the last.
    pub to: UnixSeconds,
}

/// The hours that a weakness of a flow log touches: those in which that flow log counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Touched {
    /// The flow log.
    pub flow_log_id: String,
    /// What it cannot show.
    pub weakness: Weakness,
    /// Where that matters; by interface and time. Empty where another flow log counts everywhere.
    pub spans: Vec<Span>,
}

/// The flow logs of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FlowLogs {
    /// Each flow log that was read, listed, or is configured to cover a control plane; by id.
    pub used: Vec<FlowLogUse>,
    /// Where one took over from another.
    pub seams: Vec<Seam>,
    /// What they cannot show, and where.
    pub touched: Vec<Touched>,
}

impl FlowLogs {
    /// Joins configuration and scan.
    pub fn of(logs: &Logs, egress: &Egress) -> FlowLogs {
        let (inventory, summary) = (&logs.inventory, &egress.summary);
        let mut used = seen(logs, egress);
        for held in inventory.flow_logs() {
            let id = &*held.item.id;
            if !used.contains_key(id) && !covers_a_control_plane(inventory, id) {
                continue;
            }
            let flow_log = used.entry(id.to_owned()).or_default();
            let (from, to) = (held.claim.seen.from, held.claim.seen.to);
            flow_log.listed.0 = earlier(flow_log.listed.0, Some(from).filter(|from| *from != i64::MIN));
            flow_log.listed.1 = flow_log.listed.1.max(Some(to).filter(|to| *to != i64::MAX));
            flow_log.configuration = Some(held.item.clone());
        }
        let seams = seams(inventory, summary);
        for (id, flow_log) in &mut used {
            flow_log.id.clone_from(id);
            flow_log.replaces = seams.iter().filter(|seam| seam.after == *id).map(|seam| seam.before.clone()).collect();
            flow_log.replaced_by = seams.iter().filter(|seam| seam.before == *id).map(|seam| seam.after.clone()).collect();
            judge(flow_log);
        }
        let touched = touched(inventory, summary, &used, &seams);
        FlowLogs { used: used.into_values().collect(), seams, touched }
    }

    /// Returns a flow log by id.
    pub fn find(&self, id: &str) -> Option<&FlowLogUse> {
        self.used.binary_search_by(|flow_log| flow_log.id.as_str().cmp(id)).ok().and_then(|at| self.used.get(at))
    }
}

fn is_control_plane(inventory: &Inventory, eni: EniIndex) -> bool {
    inventory.enis().get(eni as usize).is_some_and(|eni| eni.kind == InterfaceKind::EksControlPlane)
}

fn covers_a_control_plane(inventory: &Inventory, id: &str) -> bool {
    inventory.flow_log_may_cover(id, &|eni| eni.kind == InterfaceKind::EksControlPlane) == Some(true)
}

/// What objects and records say of each flow log, by id.
fn seen(logs: &Logs, egress: &Egress) -> BTreeMap<String, FlowLogUse> {
    let id_of = |input: &Input| input.object.key.flow_log_id.as_deref().unwrap_or_default().to_owned();
    let mut used: BTreeMap<String, FlowLogUse> = BTreeMap::new();
    for input in logs.inputs.iter() {
        let flow_log = used.entry(id_of(input)).or_default();
        flow_log.objects += 1;
        flow_log.bytes += input.object.size;
    }
    let mut layouts: BTreeMap<String, Vec<Arc<Layout>>> = BTreeMap::new();
    for (at, read) in egress.intake.objects() {
        let Some(input) = egress.inputs.get(at) else { continue };
        let id = id_of(input);
        let flow_log = used.entry(id.clone()).or_default();
        let tally = &read.tally;
        flow_log.objects_read += u64::from(read.status() != "unreadable");
        for (sum, count) in flow_log.records.iter_mut().zip([tally.ok, tally.nodata, tally.skipdata]) {
            *sum += count;
        }
        flow_log.first_start = earlier(flow_log.first_start, tally.start_min());
        flow_log.last_end = flow_log.last_end.max(tally.end_max());
        let of_vpc = |seen: &&LayoutSeen| seen.layout.kind() == RecordKind::Vpc && !seen.layout.columns.is_empty();
        let known = layouts.entry(id).or_default();
        for seen in tally.layouts.iter().filter(of_vpc) {
            if !known.contains(&seen.layout) {
                known.push(Arc::clone(&seen.layout));
            }
        }
    }
    for (id, layouts) in layouts {
        let Some(flow_log) = used.get_mut(&id) else { continue };
        flow_log.layouts = layouts.iter().map(|layout| layout.to_string()).collect();
    }
    let summary = &egress.summary;
    for eni in 0..logs.inventory.enis().len() as EniIndex {
        if !is_control_plane(&logs.inventory, eni) {
            continue;
        }
        for flow_log in summary.logged_hours(eni).flat_map(|(_, logs)| logs.keys()) {
            used.entry(summary.flow_log_id(*flow_log).to_owned()).or_default().interfaces.insert(eni);
        }
    }
    used
}

/// Says what a flow log cannot show, apart from seams.
fn judge(flow_log: &mut FlowLogUse) {
    let declared = flow_log.configuration.as_ref().and_then(|configuration| Layout::from_log_format(configuration.log_format.as_deref()?));
    let seen: Vec<Layout> = flow_log.layouts.iter().filter_map(|layout| Layout::from_header(layout)).collect();
    flow_log.format_differs = declared.as_ref().is_some_and(|declared| seen.iter().any(|seen| !same_fields(seen, declared)));
    let formats: Vec<&Layout> = if seen.is_empty() { declared.iter().collect() } else { seen.iter().collect() };
    let missing = |wanted: &[FieldId]| -> Vec<&'static str> {
        let lacks = |field: &&FieldId| formats.iter().any(|format| format.position(**field).is_none());
        wanted.iter().filter(lacks).map(|field| field.field().name).collect()
    };
    flow_log.missing_required = missing(&REQUIRED);
    flow_log.missing_recommended = missing(&RECOMMENDED);
    let traffic = flow_log.configuration.as_ref().and_then(|configuration| configuration.traffic_type.as_deref());
    let mut weaknesses = Vec::new();
    match traffic {
        Some("ACCEPT") => weaknesses.push(Weakness::AcceptOnly),
        Some("REJECT") => weaknesses.push(Weakness::RejectOnly),
        Some("ALL") => {}
        _ => weaknesses.push(Weakness::UnknownConfiguration),
    }
    if flow_log.level() == Some("network-interface") {
        weaknesses.push(Weakness::EniLevel);
    }
    let fields: Vec<&'static str> = flow_log.missing_required.iter().chain(&flow_log.missing_recommended).copied().collect();
    if !fields.is_empty() {
        weaknesses.push(Weakness::MissingFields(fields));
    }
    if !flow_log.replaces.is_empty() {
        weaknesses.push(Weakness::Recreated);
    }
    weaknesses.sort_unstable();
    flow_log.weaknesses = weaknesses;
}

fn same_fields(a: &Layout, b: &Layout) -> bool {
    let names = |layout: &Layout| layout.to_string().split(' ').map(str::to_owned).collect::<BTreeSet<_>>();
    names(a) == names(b)
}

/// What one flow log wrote of one interface: least `start`, greatest `end`.
type Extent = (UnixSeconds, UnixSeconds);

/// Per interface, each flow log that began after another had ended follows the one that ended last before it.
fn seams(inventory: &Inventory, summary: &Summary) -> Vec<Seam> {
    let mut seams = Vec::new();
    for eni in (0..inventory.enis().len() as EniIndex).filter(|eni| is_control_plane(inventory, *eni)) {
        let mut extents: BTreeMap<u32, Extent> = BTreeMap::new();
        for (flow_log, covered) in summary.logged_hours(eni).flat_map(|(_, logs)| logs) {
            let Some(start) = covered.start_min else { continue };
            let end = covered.end_max.unwrap_or(start).max(start);
            let extent = extents.entry(*flow_log).or_insert((start, end));
            *extent = (extent.0.min(start), extent.1.max(end));
        }
        let named: Vec<(&str, Extent)> =
            extents.iter().map(|(at, extent)| (summary.flow_log_id(*at), *extent)).filter(|(id, _)| !id.is_empty()).collect();
        for (after, (began, _)) in &named {
            let ended_before = named.iter().filter(|(id, (_, end))| id != after && end <= began);
            if let Some((before, (_, ended))) = ended_before.max_by_key(|(id, (_, end))| (*end, *id)) {
                seams.push(Seam { eni, before: (*before).to_owned(), after: (*after).to_owned(), ended: *ended, began: *began });
            }
        }
    }
    seams.sort_unstable();
    seams
}

/// The hours in which a weak flow log counts, as spans.
fn touched(inventory: &Inventory, summary: &Summary, used: &BTreeMap<String, FlowLogUse>, seams: &[Seam]) -> Vec<Touched> {
    let mut spans: BTreeMap<&str, Vec<Span>> = BTreeMap::new();
    for eni in (0..inventory.enis().len() as EniIndex).filter(|eni| is_control_plane(inventory, *eni)) {
        for (hour, _) in summary.logged_hours(eni) {
            for flow_log in summary.counted_in(eni, hour) {
                let spans = spans.entry(summary.flow_log_id(*flow_log)).or_default();
                match spans.last_mut() {
                    Some(last) if last.eni == eni && last.to == hour => last.to = hour + HOUR,
                    _ => spans.push(Span { eni, from: hour, to: hour + HOUR }),
                }
            }
        }
    }
    let mut touched = Vec::new();
    for (id, flow_log) in used {
        for weakness in &flow_log.weaknesses {
            let spans = match weakness {
                Weakness::Recreated => seams.iter().filter(|seam| seam.after == *id).map(Seam::span).collect(),
                _ => spans.get(id.as_str()).cloned().unwrap_or_default(),
            };
            touched.push(Touched { flow_log_id: id.clone(), weakness: weakness.clone(), spans });
        }
    }
    touched
}

impl Seam {
    /// Returns the hours that the change reaches into.
    pub fn span(&self) -> Span {
        let from = crate::time::hour_of(self.ended);
        Span { eni: self.eni, from, to: crate::time::hour_of(self.began).max(from) + HOUR }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_by_resource() {
        let of = |resource: &str| level(resource);
        assert_eq!(of("vpc-0a"), Some("vpc"));
        assert_eq!(of("subnet-0a"), Some("subnet"));
        assert_eq!(of("eni-0a"), Some("network-interface"));
        assert_eq!(of("tgw-attach-0a"), Some("transit-gateway-attachment"));
        assert_eq!(of("tgw-0a"), Some("transit-gateway"));
        assert_eq!(of("something"), None);
    }

    fn judged(traffic_type: Option<&str>, resource: &str, declared: &str, seen: &[&str]) -> FlowLogUse {
        let configuration = model::FlowLog {
            id: "fl-0a".into(),
            resource_id: Some(resource.into()),
            log_format: Some(declared.into()),
            tag_fields: crate::inventory::tags::Tags::new(),
            traffic_type: traffic_type.map(Arc::from),
            aggregation_max_s: None,
            status: None,
            deliver_status: None,
            destination: None,
            created_at: None,
        };
        let layouts = seen.iter().map(|layout| (*layout).to_owned()).collect();
        let mut flow_log = FlowLogUse { configuration: Some(configuration), layouts, ..FlowLogUse::default() };
        judge(&mut flow_log);
        flow_log
    }

    const ALL: &str = "interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status tcp-flags \
        flow-direction pkt-srcaddr pkt-dstaddr traffic-path pkt-src-aws-service pkt-dst-aws-service";

    #[test]
    fn configuration_and_fields_are_judged_apart() {
        assert_eq!(judged(Some("ALL"), "vpc-0a", ALL, &[ALL]).weaknesses, []);
        assert_eq!(judged(Some("ACCEPT"), "vpc-0a", ALL, &[]).weaknesses, [Weakness::AcceptOnly]);
        assert_eq!(judged(Some("REJECT"), "eni-0a", ALL, &[]).weaknesses, [Weakness::RejectOnly, Weakness::EniLevel]);
        assert_eq!(judged(None, "vpc-0a", ALL, &[]).weaknesses, [Weakness::UnknownConfiguration]);
        assert_eq!(judged(Some("SOME"), "vpc-0a", ALL, &[]).weaknesses, [Weakness::UnknownConfiguration], "a type of the future");
        let without = ALL.replace(" action", "").replace(" tcp-flags", "");
        let weak = judged(Some("ALL"), "vpc-0a", ALL, &[ALL, &without]);
        assert_eq!(weak.weaknesses, [Weakness::MissingFields(vec!["action", "tcp-flags"])], "any format that lacks a field counts");
        assert_eq!((weak.missing_required, weak.missing_recommended), (vec!["action"], vec!["tcp-flags"]));
        assert!(weak.format_differs);
        assert!(
            !judged(Some("ALL"), "vpc-0a", &ALL.replace("start end", "end start"), &[ALL]).format_differs,
            "order is not configuration"
        );
    }
}
