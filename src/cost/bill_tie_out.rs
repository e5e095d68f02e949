//! The tie-out: what a bill says beside what flow logs tell, key by key, with what remains unexplained.
//!
//! No figure is scaled to fit. `In` of a bill is metered at the receiving end and meets estimates from ingress, `Out` those from
//! egress: both sides carry it in usage type and operation, so it is a part of the key.

use super::bill::{Amounts, Bill, Key, unit};
use crate::time::UnixSeconds;
use rust_decimal::{Decimal, RoundingStrategy};
use std::collections::{BTreeMap, BTreeSet};

/// Decimals of a share.
const SHARE_DECIMALS: u32 = 6;
/// Decimals that AWS writes of a line's usage. One unit of the last per line is the bill's own rounding and no gap: 0.1 byte.
const USAGE_DECIMALS: u32 = 10;

/// What flow logs and inventory tell of one meter, in the bill's unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Estimate {
    /// Account that owns the metered end.
    pub account: String,
    /// Its region.
    pub region: String,
    /// Usage type without the region's code.
    pub usage_type: String,
    /// Operation as billed, e.g. `InterZone-Out`; empty if logs can't tell: then it meets lines of any operation.
    pub operation: String,
    /// The resource, by ARN or id.
    pub resource: Option<String>,
    /// First second of the day (UTC).
    pub day: UnixSeconds,
    /// From records of the metered end itself.
    pub observed_quantity: Decimal,
    /// From records of the other end.
    pub imputed_quantity: Decimal,
}

/// One row of the tie-out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TieOut {
    /// Account.
    pub account_id: String,
    /// Region.
    pub region: String,
    /// Usage type without the region's code.
    pub usage_type: String,
    /// Operation; empty if several were joined.
    pub operation: String,
    /// Resource as billed, else as estimated; `None` if the row stands for several or for none.
    pub resource: Option<String>,
    /// First second of the day (UTC).
    pub day: UnixSeconds,
    /// `GB`, `Hrs` or `Gbps-Hrs`.
    pub unit: &'static str,
    /// As billed.
    pub billed_quantity: Decimal,
    /// From the metered end's own records.
    pub observed_quantity: Decimal,
    /// From the other end's.
    pub imputed_quantity: Decimal,
    /// Share of the billed quantity that the estimate explains, at most 1, six decimals, never rounded up; 1 where the two
    /// differ by no more than the bill's rounding; `None` if none was billed.
    pub explained_share: Option<Decimal>,
    /// Billed, but not estimated; to the last digit.
    pub unexplained_quantity: Decimal,
    /// Estimated, but not billed.
    pub over_estimated: Decimal,
    /// Cost as billed.
    pub billed_cost: Decimal,
    /// Known reasons for a difference, in words; empty if there is none.
    pub reason: String,
}

/// One side of a key, summed.
#[derive(Default)]
struct Side {
    billed: Option<Amounts>,
    operations: BTreeSet<String>,
    resource: Option<String>,
    observed: Decimal,
    imputed: Decimal,
    estimates: usize,
}

/// The key but for the resource: account, region, usage type, operation, day.
type Group<'a> = (&'a str, &'a str, &'a str, &'a str, UnixSeconds);

/// Joins a bill with estimates: by all keys where both know the resource, else by all but the resource.
///
/// Likewise the operation: a side that does not know it meets all of the other's. Lines and estimates that meet nothing become rows
/// too. Sorted by account, region, usage type, operation, day and the resource's id.
pub fn tie_out(bill: &Bill, estimates: &[Estimate]) -> Vec<TieOut> {
    let billed: BTreeSet<Group<'_>> = bill.lines.keys().map(group_of_line).collect();
    let estimated: BTreeSet<Group<'_>> = estimates.iter().map(group_of_estimate).collect();
    let mut groups: BTreeMap<Group<'_>, BTreeMap<&str, Side>> = BTreeMap::new();
    for estimate in estimates {
        let resource = estimate.resource.as_deref().unwrap_or_default();
        let group = meeting(group_of_estimate(estimate), &billed);
        let side = groups.entry(group).or_default().entry(id_of(resource)).or_default();
        side.observed = side.observed.saturating_add(estimate.observed_quantity);
        side.imputed = side.imputed.saturating_add(estimate.imputed_quantity);
        side.estimates += 1;
        side.resource.get_or_insert_with(|| resource.to_owned());
    }
    for (key, amounts) in &bill.lines {
        let group = meeting(group_of_line(key), &estimated);
        let side = groups.entry(group).or_default().entry(id_of(&key.resource_id)).or_default();
        side.bill(amounts);
        side.operations.insert(key.operation.to_string());
        side.resource = Some(key.resource_id.to_string());
    }
    let rows = groups.into_iter().flat_map(|(group, sides)| join(sides).into_iter().map(move |side| row(group, side)));
    rows.collect()
}

fn group_of_line(key: &Key) -> Group<'_> {
    let (usage_type, operation) = meter(&key.usage_type, &key.operation);
    (&key.account_id, &key.region, usage_type, operation, key.day)
}

fn group_of_estimate(estimate: &Estimate) -> Group<'_> {
    let (usage_type, operation) = meter(&estimate.usage_type, &estimate.operation);
    (&estimate.account, &estimate.region, usage_type, operation, estimate.day)
}

/// A group of one side as the other has it: where that does not know the operation, without.
fn meeting<'a>(own: Group<'a>, others: &BTreeSet<Group<'_>>) -> Group<'a> {
    let any = (own.0, own.1, own.2, "", own.4);
    if !others.contains(&own) && others.contains(&any) { any } else { own }
}

/// Older bills have peering under the regional meter; an operation says nothing where the usage type tells the direction.
fn meter<'a>(usage_type: &'a str, operation: &'a str) -> (&'a str, &'a str) {
    match (usage_type, operation) {
        ("DataTransfer-Regional-Bytes", "VPCPeering-In") => ("VpcPeering-In-Bytes", ""),
        ("DataTransfer-Regional-Bytes", "VPCPeering-Out") => ("VpcPeering-Out-Bytes", ""),
        ("VpcPeering-In-Bytes" | "VpcPeering-Out-Bytes", _) => (usage_type, ""),
        _ => (usage_type, operation),
    }
}

/// The id at the end of an ARN, else the resource as it is.
fn id_of(resource: &str) -> &str {
    if resource.starts_with("arn:") { resource.rsplit(['/', ':']).next().unwrap_or(resource) } else { resource }
}

impl Side {
    fn bill(&mut self, amounts: &Amounts) {
        let sum = |one: Decimal, two: Decimal| one.saturating_add(two);
        self.billed = Some(match self.billed {
            None => *amounts,
            Some(known) => Amounts {
                quantity: sum(known.quantity, amounts.quantity),
                cost: sum(known.cost, amounts.cost),
                list_cost: known.list_cost.zip(amounts.list_cost).map(|(one, two)| sum(one, two)),
                lines: known.lines + amounts.lines,
            },
        });
    }

    /// What the bill's rounding may make up.
    fn slack(&self) -> Decimal {
        Decimal::new(1, USAGE_DECIMALS).saturating_mul(self.billed.map_or(1, |amounts| amounts.lines).into())
    }

    fn take(&mut self, other: Side) {
        if let Some(amounts) = &other.billed {
            self.bill(amounts);
        }
        self.operations.extend(other.operations);
        self.observed = self.observed.saturating_add(other.observed);
        self.imputed = self.imputed.saturating_add(other.imputed);
        self.estimates += other.estimates;
    }
}

/// Within one group: what has met by its resource stays; what is left meets the other side's part that names no resource.
fn join(mut sides: BTreeMap<&str, Side>) -> Vec<Side> {
    let Some(mut whole) = sides.remove("") else { return sides.into_values().collect() };
    let mut rows = Vec::new();
    let (billed_whole, estimated_whole) = (whole.billed.is_some(), whole.estimates > 0);
    for side in sides.into_values() {
        let met = match (&side.billed, side.estimates) {
            (Some(_), 0) => estimated_whole,
            (None, _) => billed_whole,
            _ => false,
        };
        if met { whole.take(side) } else { rows.push(side) }
    }
    whole.resource = None;
    rows.insert(0, whole);
    rows
}

fn row((account, region, usage_type, operation, day): Group<'_>, side: Side) -> TieOut {
    let billed = side.billed.map_or(Decimal::ZERO, |amounts| amounts.quantity);
    let estimated = side.observed.saturating_add(side.imputed);
    let met = side.estimates > 0 && billed.saturating_sub(estimated).abs() <= side.slack();
    let share = if met { Some(Decimal::ONE) } else { estimated.checked_div(billed) };
    let share = share.filter(|_| billed > Decimal::ZERO).map(|share| share.clamp(Decimal::ZERO, Decimal::ONE));
    let operation = match side.operations.iter().next() {
        Some(billed) if side.operations.len() == 1 => billed,
        _ => operation,
    };
    TieOut {
        account_id: account.to_owned(),
        region: region.to_owned(),
        usage_type: usage_type.to_owned(),
        operation: operation.to_owned(),
        day,
        unit: unit(usage_type),
        billed_quantity: billed,
        observed_quantity: side.observed,
        imputed_quantity: side.imputed,
        explained_share: share.map(|share| share.round_dp_with_strategy(SHARE_DECIMALS, RoundingStrategy::ToZero)),
        unexplained_quantity: billed.saturating_sub(estimated).max(Decimal::ZERO),
        over_estimated: estimated.saturating_sub(billed).max(Decimal::ZERO),
        billed_cost: side.billed.map_or(Decimal::ZERO, |amounts| amounts.cost),
        reason: reasons(usage_type, &side, billed, estimated).join("; "),
        resource: side.resource.filter(|resource| !resource.is_empty()),
    }
}

/// The gaps that are known, as far as the key tells.
fn reasons(usage_type: &str, side: &Side, billed: Decimal, estimated: Decimal) -> Vec<&'static str> {
    let mut reasons = Vec::new();
    let resource = side.resource.as_deref().unwrap_or_default();
    let service_side = usage_type.starts_with("DataTransfer-xAZ-") || usage_type.starts_with("DataTransfer-AZ-");
    let slack = side.slack();
    match &side.billed {
        None if estimated > slack => reasons.push("nothing was billed under this key"),
        None => {}
        Some(_) if usage_type.starts_with("Global-") => reasons.push("free allowance"),
        Some(_) if billed.saturating_sub(estimated) > slack => reasons.push(match () {
            () if service_side || resource.contains(":rds:") => "RDS side: the service's end, at no charge or not in the logs",
            () if resource.contains(":elasticloadbalancing:") => "load balancer: its own end is not in the logs",
            () if unit(usage_type) != "GB" => "hours: not told by flow logs",
            () if side.estimates == 0 && !resource.is_empty() => "no logs for this resource",
            () if side.estimates == 0 => "no logs for this account and day",
            () => "partly logged: an end without logs, SKIPDATA, or traffic that is never logged",
        }),
        Some(_) if estimated.saturating_sub(billed) > slack => {
            reasons.push("the logs show more than was billed: free allowance, or ends that AWS does not meter")
        }
        Some(_) => {}
    }
    if let Some(amounts) = side.billed
        && amounts.list_cost.is_some_and(|list_cost| amounts.cost < list_cost)
    {
        reasons.push("discount");
    }
    if !service_side && billed > Decimal::ZERO && side.billed.is_some_and(|amounts| amounts.cost.is_zero()) {
        reasons.push("billed at zero: free allowance, or waived");
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::bill::read;
    use bytes::Bytes;

    const DAY_1: i64 = 1_791_158_400;
    const NAT: &str = "arn:aws:ec2:eu-central-1:111122223333:natgateway/nat-0a";

    /// Lines as `usage type, operation, resource, quantity, cost, list cost` of one account and day.
    fn bill(lines: &[(&str, &str, &str, &str, &str, &str)]) -> Bill {
        let mut text = "line_item_usage_account_id,line_item_usage_type,line_item_operation,line_item_resource_id,line_item_usage_start_date,\
             line_item_usage_amount,line_item_unblended_cost,pricing_public_on_demand_cost,line_item_line_item_type,line_item_product_code\n"
            .to_owned();
        for (usage_type, operation, resource, quantity, cost, list_cost) in lines {
            text += &format!(
                "111122223333,{usage_type},{operation},{resource},2026-10-05T07:00:00Z,{quantity},{cost},{list_cost},Usage,AmazonEC2\n"
            );
        }
        let mut bill = Bill::default();
        read("cur.csv", Bytes::from(text), &mut bill).unwrap();
        bill
    }

    fn estimate(usage_type: &str, operation: &str, resource: Option<&str>, observed: i64, imputed: i64) -> Estimate {
        Estimate {
            account: "111122223333".to_owned(),
            region: "eu-central-1".to_owned(),
            usage_type: usage_type.to_owned(),
            operation: operation.to_owned(),
            resource: resource.map(str::to_owned),
            day: DAY_1,
            observed_quantity: observed.into(),
            imputed_quantity: imputed.into(),
        }
    }

    /// What a test compares: operation, resource, billed, observed + imputed, share, unexplained, over, reason.
    fn shown(rows: &[TieOut]) -> Vec<String> {
        let text = |row: &TieOut| {
            let share = row.explained_share.map_or("-".to_owned(), |share| share.normalize().to_string());
            let resource = row.resource.as_deref().unwrap_or("-");
            let (billed, observed, imputed) = (row.billed_quantity, row.observed_quantity, row.imputed_quantity);
            let (unexplained, over) = (row.unexplained_quantity, row.over_estimated);
            format!(
                "{} {} {resource}: {billed} = {observed} + {imputed}, {share}, {unexplained} under, {over} over: {}",
                row.usage_type, row.operation, row.reason
            )
        };
        rows.iter().map(text).collect()
    }

    #[test]
    fn by_resource_where_both_know_it() {
        let bill = bill(&[
            ("EUC1-NatGateway-Bytes", "NatGateway", NAT, "10", "0.52", "0.52"),
            ("EUC1-NatGateway-Bytes", "NatGateway", "arn:aws:ec2:eu-central-1:111122223333:natgateway/nat-0b", "4", "0.208", "0.208"),
            ("EUC1-NatGateway-Hours", "NatGateway", NAT, "24", "1.248", "1.248"),
        ]);
        let rows = tie_out(
            &bill,
            &[estimate("NatGateway-Bytes", "", Some("nat-0a"), 7, 1), estimate("NatGateway-Bytes", "", Some("nat-0c"), 2, 0)],
        );
        assert_eq!(
            shown(&rows),
            [
                format!(
                    "NatGateway-Bytes NatGateway {NAT}: 10 = 7 + 1, 0.8, 2 under, 0 over: partly logged: an end without logs, SKIPDATA, or traffic that is never logged"
                ),
                format!(
                    "NatGateway-Bytes NatGateway {}: 4 = 0 + 0, 0, 4 under, 0 over: no logs for this resource",
                    NAT.replace("0a", "0b")
                ),
                "NatGateway-Bytes  nat-0c: 0 = 2 + 0, -, 0 under, 2 over: nothing was billed under this key".to_owned(),
                format!("NatGateway-Hours NatGateway {NAT}: 24 = 0 + 0, 0, 24 under, 0 over: hours: not told by flow logs"),
            ]
        );
        assert_eq!(rows[0].billed_cost, Decimal::new(52, 2));
        assert_eq!((rows[0].unit, rows[3].unit, rows[0].day), ("GB", "Hrs", DAY_1));
    }

    #[test]
    fn in_and_out_are_keys_of_their_own() {
        let regional = "EUC1-DataTransfer-Regional-Bytes";
        let bill = bill(&[(regional, "InterZone-In", "", "8", "0.08", ""), (regional, "InterZone-Out", "", "8", "0.06", "0.08")]);
        let meter = "DataTransfer-Regional-Bytes";
        let rows = tie_out(&bill, &[estimate(meter, "InterZone-In", None, 8, 0), estimate(meter, "InterZone-Out", None, 4, 5)]);
        assert_eq!(
            shown(&rows),
            [
                "DataTransfer-Regional-Bytes InterZone-In -: 8 = 8 + 0, 1, 0 under, 0 over: ",
                "DataTransfer-Regional-Bytes InterZone-Out -: 8 = 4 + 5, 1, 0 under, 1 over: the logs show more than was billed: free allowance, \
                 or ends that AWS does not meter; discount",
            ]
        );
    }

    #[test]
    fn without_a_resource_on_one_side_all_of_the_other_meet() {
        let regional = "EUC1-DataTransfer-Regional-Bytes";
        let meter = "DataTransfer-Regional-Bytes";
        let by_instance = bill(&[(regional, "InterZone-In", "i-1", "3", "0.03", ""), (regional, "InterZone-In", "i-2", "5", "0.05", "")]);
        let rows = tie_out(&by_instance, &[estimate(meter, "InterZone-In", None, 8, 0)]);
        assert_eq!(shown(&rows), ["DataTransfer-Regional-Bytes InterZone-In -: 8 = 8 + 0, 1, 0 under, 0 over: "]);
        assert_eq!(rows[0].billed_cost, Decimal::new(8, 2));
        // One instance by name, the rest in a lump.
        let rows =
            tie_out(&by_instance, &[estimate(meter, "InterZone-In", Some("i-2"), 5, 0), estimate(meter, "InterZone-In", None, 2, 1)]);
        assert_eq!(
            shown(&rows),
            [
                "DataTransfer-Regional-Bytes InterZone-In -: 3 = 2 + 1, 1, 0 under, 0 over: ",
                "DataTransfer-Regional-Bytes InterZone-In i-2: 5 = 5 + 0, 1, 0 under, 0 over: ",
            ]
        );
        let lump = bill(&[(regional, "InterZone-In", "", "8", "0.08", "")]);
        let rows =
            tie_out(&lump, &[estimate(meter, "InterZone-In", Some("i-1"), 3, 0), estimate(meter, "InterZone-In", Some("i-2"), 5, 0)]);
        assert_eq!(shown(&rows), ["DataTransfer-Regional-Bytes InterZone-In -: 8 = 8 + 0, 1, 0 under, 0 over: "]);
    }

    #[test]
    fn without_an_operation_on_one_side_all_of_the_other_meet() {
        let (regional, meter) = ("EUC1-DataTransfer-Regional-Bytes", "DataTransfer-Regional-Bytes");
        let lump = bill(&[(regional, "", "", "8", "0.08", ""), ("EUC1-NatGateway-Bytes", "", NAT, "1", "0.052", "")]);
        let estimates = [estimate(meter, "InterZone-In", None, 3, 0), estimate(meter, "InterZone-Out", None, 4, 1)];
        let rows = tie_out(&lump, &estimates);
        assert_eq!(shown(&rows)[0], "DataTransfer-Regional-Bytes  -: 8 = 7 + 1, 1, 0 under, 0 over: ");
        // A line without an operation draws no other lines to it.
        let mixed = bill(&[(regional, "", "", "2", "0.02", ""), (regional, "InterZone-In", "", "3", "0.03", "")]);
        let rows = tie_out(&mixed, &[estimate(meter, "InterZone-In", None, 3, 0)]);
        assert_eq!(
            shown(&rows),
            [
                "DataTransfer-Regional-Bytes  -: 2 = 0 + 0, 0, 2 under, 0 over: no logs for this account and day",
                "DataTransfer-Regional-Bytes InterZone-In -: 3 = 3 + 0, 1, 0 under, 0 over: ",
            ]
        );
        let any = [estimate("NatGateway-Bytes", "", Some("nat-0a"), 6, 0)];
        let two = bill(&[("EUC1-NatGateway-Bytes", "a", NAT, "2", "0.1", ""), ("EUC1-NatGateway-Bytes", "b", NAT, "4", "0.2", "")]);
        assert_eq!(shown(&tie_out(&two, &any)), [format!("NatGateway-Bytes  {NAT}: 6 = 6 + 0, 1, 0 under, 0 over: ")]);
    }

    #[test]
    fn peering_of_older_bills_meets_todays_meter() {
        let bill = bill(&[("EUC1-DataTransfer-Regional-Bytes", "VPCPeering-Out", "", "2", "0.02", "")]);
        let rows = tie_out(&bill, &[estimate("VpcPeering-Out-Bytes", "", None, 2, 0)]);
        assert_eq!(shown(&rows), ["VpcPeering-Out-Bytes VPCPeering-Out -: 2 = 2 + 0, 1, 0 under, 0 over: "]);
    }

    #[test]
    fn known_gaps_are_named() {
        let reason = |usage_type: &str, resource: &str| {
            let rows = tie_out(&bill(&[(usage_type, "", resource, "2", "0.02", "0.02")]), &[]);
            rows[0].reason.clone()
        };
        assert_eq!(reason("EUC1-DataTransfer-xAZ-In-Bytes", ""), "RDS side: the service's end, at no charge or not in the logs");
        assert_eq!(reason("Global-DataTransfer-Regional-Bytes", ""), "free allowance");
        assert_eq!(reason("EUC1-DataTransfer-Regional-Bytes", ""), "no logs for this account and day");
        let free = tie_out(&bill(&[("EUC1-DataTransfer-Regional-Bytes", "InterZone-In", "", "1", "0", "0")]), &[]);
        assert_eq!(free[0].reason, "no logs for this account and day; billed at zero: free allowance, or waived");
        let balancer = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:loadbalancer/app/a/b";
        assert_eq!(reason("EUC1-DataTransfer-Out-Bytes", balancer), "load balancer: its own end is not in the logs");
    }

    #[test]
    fn rounding_of_the_bill_is_no_gap() {
        let bill = bill(&[("EUC1-NatGateway-Bytes", "NatGateway", NAT, "3.0000000001", "0.15", "")]);
        let rows = tie_out(&bill, &[estimate("NatGateway-Bytes", "", Some(NAT), 3, 0)]);
        assert_eq!((rows[0].explained_share, rows[0].reason.as_str()), (Some(Decimal::ONE), ""));
        assert_eq!(rows[0].unexplained_quantity, Decimal::new(1, 10));
        // Beyond it a share is never rounded up to 1.
        let bill = self::bill(&[("EUC1-NatGateway-Bytes", "NatGateway", NAT, "3.000000001", "0.15", "")]);
        let rows = tie_out(&bill, &[estimate("NatGateway-Bytes", "", Some(NAT), 3, 0)]);
        assert_eq!(rows[0].explained_share, Some(Decimal::new(999_999, 6)));
        assert!(rows[0].reason.starts_with("partly logged"));
    }
}
