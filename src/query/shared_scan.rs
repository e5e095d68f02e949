//! One pass over the logs for a statement that asks `flows` several questions, as the branches of a UNION ALL.
//!
//! Every branch is handed every batch, and one that does not take its batches holds up the others. So a scan is shared only where each
//! branch takes all of them whatever becomes of the others: all are started at once, nothing between them and what starts them waits,
//! and each hands on its first row when it has taken its last batch. Joins do not promise that; what they read is read for each.

use super::flow_scan::FlowScan;
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::analyze::AnalyzeExec;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::limit::{GlobalLimitExec, LocalLimitExec};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::union::{InterleaveExec, UnionExec};
use datafusion::physical_plan::{ExecutionPlan, InputOrderMode};
use std::sync::Arc;

type Plan = Arc<dyn ExecutionPlan>;

/// Has the branches of a union read one scan.
#[derive(Debug)]
pub struct ShareScans;

impl PhysicalOptimizerRule for ShareScans {
    fn name(&self) -> &str {
        "ShareScans"
    }

    fn optimize(&self, plan: Plan, _: &ConfigOptions) -> Result<Plan> {
        // All partitions of a statement's rows are collected at once.
        shared(plan, true)
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Has the unions of a plan share their scans; `at_once` says whether all partitions of the plan are asked at once.
fn shared(plan: Plan, at_once: bool) -> Result<Plan> {
    let is_union = plan.is::<UnionExec>() || plan.is::<InterleaveExec>();
    let children: Vec<Plan> = if at_once && is_union {
        branches(plan.children())?
    } else {
        let at_once = starts_all(&plan) || at_once && asks_its_own(&plan);
        plan.children().into_iter().map(|child| shared(Arc::clone(child), at_once)).collect::<Result<_>>()?
    };
    if children.is_empty() { Ok(plan) } else { replace_children_if_necessary(plan, children) }
}

/// Has those branches of a union that can do so share a scan.
fn branches(all: Vec<&Plan>) -> Result<Vec<Plan>> {
    let scans: Vec<Option<&FlowScan>> = all.iter().map(|branch| scan_of(branch, false)).collect();
    let shared = FlowScan::shared(&scans);
    let with = |(branch, scan): (&Plan, Option<FlowScan>)| match scan {
        Some(scan) => with_scan(branch, &(Arc::new(scan) as Plan)),
        None => Ok(Arc::clone(branch)),
    };
    all.into_iter().zip(shared).map(with).collect()
}

/// The one scan of a branch, if that takes all of its batches before it hands on a row; `has_end` says whether what stands above it does.
fn scan_of(plan: &Plan, has_end: bool) -> Option<&FlowScan> {
    if let Some(scan) = plan.downcast_ref::<FlowScan>() {
        return Some(scan).filter(|_| has_end);
    }
    let [input] = plan.children()[..] else { return None };
    // What is cut off behind the last batch keeps nobody waiting.
    let is_fit = starts_all(plan) || asks_its_own(plan) || !has_end && is_limit(plan);
    is_fit.then(|| scan_of(input, has_end || takes_all_first(plan))).flatten()
}

fn with_scan(plan: &Plan, scan: &Plan) -> Result<Plan> {
    if plan.is::<FlowScan>() {
        return Ok(Arc::clone(scan));
    }
    let inputs = plan.children().into_iter().map(|input| with_scan(input, scan)).collect::<Result<_>>()?;
    replace_children_if_necessary(Arc::clone(plan), inputs)
}

/// Whether whoever asks one partition of it has it ask all of its input's.
fn starts_all(plan: &Plan) -> bool {
    let merges = plan.is::<CoalescePartitionsExec>() || plan.is::<SortPreservingMergeExec>();
    merges || plan.is::<RepartitionExec>() || plan.is::<AnalyzeExec>()
}

/// Whether each partition of it asks that of its input, and nobody else, until there is no more. A LIMIT does not.
fn asks_its_own(plan: &Plan) -> bool {
    let is_sum = || plan.downcast_ref::<AggregateExec>().is_some_and(|sums| sums.limit_options().is_none());
    plan.is::<ProjectionExec>() || plan.is::<FilterExec>() || plan.is::<SortExec>() || plan.is::<CooperativeExec>() || is_sum()
}

/// Whether it hands on some of the first rows.
fn is_limit(plan: &Plan) -> bool {
    let some = |fetch: Option<usize>| fetch != Some(0);
    plan.downcast_ref::<LocalLimitExec>().is_some_and(|limit| some(Some(limit.fetch())))
        || plan.downcast_ref::<GlobalLimitExec>().is_some_and(|limit| some(limit.fetch()))
}

/// Whether it has taken all of its input before it hands on a row.
fn takes_all_first(plan: &Plan) -> bool {
    plan.is::<SortExec>()
        || plan.downcast_ref::<AggregateExec>().is_some_and(|sums| {
            !matches!(sums.mode(), AggregateMode::Partial | AggregateMode::PartialReduce)
                && *sums.input_order_mode() == InputOrderMode::Linear
        })
}
