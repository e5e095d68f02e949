//! The scan behind `flows` and `tgw_flows`: partitions pull from one running pipeline, as those of other branches of the statement may.

use super::Logs;
use crate::decode::{Fitting, Interfaces, Wanted};
use crate::enrich::{FlowColumn, Tagger, fields_read};
use crate::intake::Intake;
use crate::pipeline::{self, Input, Part, Scan};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::{StreamExt, stream};
use hashbrown::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// The scan.
pub(super) struct FlowScan {
    pipeline: Arc<Pipeline>,
    /// Which of its branches this is.
    branch: usize,
    /// Of the columns that the pipeline yields those that are handed on, where they are not all.
    columns: Option<Vec<usize>>,
    limit: Option<usize>,
    pruned: usize,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

type Received = mpsc::Receiver<crate::error::Result<Part>>;
type Parts = Arc<tokio::sync::Mutex<Received>>;

/// A pipeline that starts when the first partition of a branch is executed.
struct Pipeline {
    logs: Arc<Logs>,
    scan: Scan,
    columns: Vec<FlowColumn>,
    branches: usize,
    running: Mutex<Option<Running>>,
}

/// A started pipeline, and the partitions of branches that have not joined it yet.
struct Running {
    parts: Vec<Parts>,
    intake: Arc<Intake>,
    to_join: Vec<(usize, usize)>,
}

impl Pipeline {
    fn new(logs: &Arc<Logs>, inputs: Arc<[Input]>, wanted: Wanted, columns: Vec<FlowColumn>, branches: usize) -> Arc<Pipeline> {
        let tagger = Arc::new(Tagger::new(Arc::clone(&logs.inventory), columns.clone()));
        let scan = Scan { inputs, wanted: Arc::new(wanted), tagger, log_format: logs.log_format.clone(), threads: logs.threads };
        Arc::new(Pipeline { logs: Arc::clone(logs), scan, columns, branches, running: Mutex::new(None) })
    }

    /// Joins a partition of a branch to the running pipeline; starts a new one when the partition is executed once more.
    fn join(&self, branch: usize, partition: usize) -> (Parts, Arc<Intake>) {
        let mut slot = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = slot.take().filter(|running| running.to_join.contains(&(branch, partition)));
        let mut running = waiting.unwrap_or_else(|| self.start());
        running.to_join.retain(|waiting| *waiting != (branch, partition));
        let joined = (Arc::clone(&running.parts[branch]), Arc::clone(&running.intake));
        // Once all have joined, only their streams hold the pipeline, and it ends when they do.
        *slot = Some(running).filter(|running| !running.to_join.is_empty());
        joined
    }

    fn start(&self) -> Running {
        let intake = self.logs.new_intake();
        let parts = pipeline::run(self.scan.clone(), Arc::clone(&intake));
        let parts = if self.branches == 1 { vec![parts] } else { handed_to_each(parts, self.branches) };
        let partitions = partitions(&self.logs);
        let to_join = (0..self.branches).flat_map(|branch| (0..partitions).map(move |partition| (branch, partition))).collect();
        Running { parts: parts.into_iter().map(|parts| Arc::new(tokio::sync::Mutex::new(parts))).collect(), intake, to_join }
    }
}

fn partitions(logs: &Logs) -> usize {
    logs.threads.max(1)
}

/// Hands the rows of every part to each of so many branches, until none of them takes more.
fn handed_to_each(mut parts: Received, branches: usize) -> Vec<Received> {
    /// Parts that wait for a branch: its partitions take one each.
    const AHEAD: usize = 2;
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..branches).map(|_| mpsc::channel(AHEAD)).unzip();
    tokio::spawn(async move {
        while let Some(part) = parts.recv().await {
            let mut is_taken = false;
            for sender in &senders {
                let part = match &part {
                    Ok(part) => Ok(Part { object: part.object, batch: part.batch.clone(), rejects: Vec::new(), fields: part.fields }),
                    Err(error) => Err(error.copy()),
                };
                is_taken |= sender.send(part).await.is_ok();
            }
            if !is_taken {
                return;
            }
        }
    });
    receivers
}

impl FlowScan {
    /// Makes the scan that hands on these columns of what is wanted of these objects.
    pub(super) fn new(logs: &Arc<Logs>, inputs: Arc<[Input]>, wanted: Wanted, columns: Vec<FlowColumn>, limit: Option<usize>) -> FlowScan {
        let pruned = logs.inputs.len() - inputs.len();
        let pipeline = Pipeline::new(logs, inputs, wanted, columns, 1);
        let equivalence = EquivalenceProperties::new(Arc::clone(pipeline.scan.tagger.schema()));
        let partitions = Partitioning::UnknownPartitioning(partitions(logs));
        let properties = Arc::new(PlanProperties::new(equivalence, partitions, EmissionType::Incremental, Boundedness::Bounded));
        FlowScan { pipeline, branch: 0, columns: None, limit, pruned, properties, metrics: ExecutionPlanMetricsSet::new() }
    }

    /// Returns for each scan the one that takes its place, where it can be that of several: one pipeline then yields what any of them wants.
    pub(super) fn shared(scans: &[Option<&FlowScan>]) -> Vec<Option<FlowScan>> {
        let first = scans.iter().flatten().copied().find(|scan| scan.is_whole());
        let can_share = |scan: &FlowScan| first.is_some_and(|first| scan.is_whole() && scan.is_like(first));
        let of: Vec<&FlowScan> = scans.iter().flatten().copied().filter(|scan| can_share(scan)).collect();
        if of.len() < 2 {
            return scans.iter().map(|_| None).collect();
        }
        let (pipeline, mut next) = (any_of(&of), 0);
        let mut branch_of = |scan: &FlowScan| {
            let place = |column: &FlowColumn| pipeline.columns.iter().position(|known| known == column);
            let branch = next;
            next += 1;
            FlowScan {
                pipeline: Arc::clone(&pipeline),
                branch,
                columns: Some(scan.pipeline.columns.iter().filter_map(place).collect()),
                limit: None,
                pruned: pipeline.logs.inputs.len() - pipeline.scan.inputs.len(),
                properties: Arc::clone(&scan.properties),
                metrics: ExecutionPlanMetricsSet::new(),
            }
        };
        scans.iter().map(|scan| scan.filter(|scan| can_share(scan)).map(&mut branch_of)).collect()
    }

    /// Whether both read records of one kind from the same logs.
    fn is_like(&self, other: &FlowScan) -> bool {
        let (own, other) = (&self.pipeline, &other.pipeline);
        Arc::ptr_eq(&own.logs, &other.logs) && own.scan.wanted.kind == other.scan.wanted.kind
    }

    /// Whether all that it wants is to be read, for nobody else yet.
    fn is_whole(&self) -> bool {
        self.limit.is_none() && self.pipeline.branches == 1
    }
}

/// The pipeline that yields every row and column that one of some scans yields.
fn any_of(scans: &[&FlowScan]) -> Arc<Pipeline> {
    let all: Vec<&Pipeline> = scans.iter().map(|scan| &*scan.pipeline).collect();
    let wanted = || all.iter().map(|one| &*one.scan.wanted);
    let mut columns: Vec<FlowColumn> = Vec::new();
    for column in all.iter().flat_map(|one| &one.columns) {
        if !columns.contains(column) {
            columns.push(*column);
        }
    }
    let logs = &all[0].logs;
    let read: HashSet<&str> = all.iter().flat_map(|one| one.scan.inputs.iter()).map(|input| &*input.object.uri).collect();
    let inputs = logs.inputs.iter().filter(|input| read.contains(&*input.object.uri)).cloned().collect();
    let only = |one: &'_ Wanted| match &one.interfaces {
        Interfaces::Only(only) => Some(Arc::clone(only)),
        Interfaces::All | Interfaces::AllBut(_) => None,
    };
    let only: Option<Vec<_>> = wanted().map(only).collect();
    let interfaces =
        only.map_or(Interfaces::All, |all| Interfaces::Only(Arc::new(all.iter().flat_map(|one| one.iter().cloned()).collect())));
    let wants_all = wanted().any(|one| matches!(one.interfaces, Interfaces::All) && one.values.is_empty());
    let fitting = wanted().map(|one| Fitting { interfaces: one.interfaces.clone(), values: one.values.clone() });
    let together = Wanted {
        fields: fields_read(&columns),
        extra: columns.contains(&FlowColumn::Extra),
        interfaces,
        values: Vec::new(),
        any_of: if wants_all { Vec::new() } else { fitting.collect() },
        time: wanted().map(|one| one.time).reduce(|a, b| a.hull(b)).unwrap_or_default(),
        ..Wanted::clone(&all[0].scan.wanted)
    };
    Pipeline::new(logs, inputs, together, columns, scans.len())
}

impl fmt::Debug for FlowScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scan = &self.pipeline.scan;
        f.debug_struct("FlowScan").field("objects", &scan.inputs.len()).field("wanted", &scan.wanted).finish_non_exhaustive()
    }
}

impl DisplayAs for FlowScan {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scan { inputs, wanted, .. } = &self.pipeline.scan;
        let fields: Vec<&str> = wanted.fields.iter().map(|field| field.field().column).collect();
        write!(f, "FlowScan: objects={}, objects_pruned={}, fields=[{}]", inputs.len(), self.pruned, fields.join(", "))?;
        if self.pipeline.branches > 1 {
            write!(f, ", shared by {} branches", self.pipeline.branches)?;
        }
        if let Interfaces::Only(only) = &wanted.interfaces {
            write!(f, ", interfaces={}", only.len())?;
        }
        for (field, values) in &wanted.values {
            write!(f, ", {}={}", field.field().column, values.join("|"))?;
        }
        if let Some(limit) = self.limit {
            write!(f, ", limit={limit}")?;
        }
        Ok(())
    }
}

impl ExecutionPlan for FlowScan {
    fn name(&self) -> &'static str {
        "FlowScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn apply_expressions(&self, _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (parts, intake) = self.pipeline.join(self.branch, partition);
        let (schema, columns) = (self.schema(), self.columns.clone());
        let meter = Meter::new(&self.metrics, partition, self.branch, self.pruned, intake);
        let rows = stream::unfold((parts, meter, columns, self.limit), move |(parts, meter, columns, left)| async move {
            if left == Some(0) {
                return None;
            }
            loop {
                let part = parts.lock().await.recv().await;
                let batch = match part {
                    None => {
                        meter.end();
                        return None;
                    }
                    Some(Ok(part)) if part.batch.num_rows() == 0 => continue,
                    Some(Ok(part)) => match &columns {
                        None => Ok(part.batch),
                        Some(columns) => part.batch.project(columns).map_err(DataFusionError::from),
                    },
                    Some(Err(error)) => Err(DataFusionError::External(Box::new(error))),
                };
                let Ok(mut batch) = batch else { return Some((batch, (parts, meter, columns, Some(0)))) };
                if let Some(left) = left {
                    batch = batch.slice(0, left.min(batch.num_rows()));
                }
                meter.output.add(batch.num_rows());
                let left = left.map(|left| left - batch.num_rows());
                return Some((Ok(batch), (parts, meter, columns, left)));
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows.boxed())))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// What `EXPLAIN ANALYZE` shows of a scan.
struct Meter {
    output: datafusion::physical_plan::metrics::Count,
    objects: datafusion::physical_plan::metrics::Count,
    bytes: datafusion::physical_plan::metrics::Count,
    dropped: datafusion::physical_plan::metrics::Count,
    rejects: datafusion::physical_plan::metrics::Count,
    intake: Arc<Intake>,
    first: bool,
}

impl Meter {
    fn new(metrics: &ExecutionPlanMetricsSet, partition: usize, branch: usize, pruned: usize, intake: Arc<Intake>) -> Meter {
        let counter = |name: &'static str| MetricBuilder::new(metrics).counter(name, partition);
        // What is read for several branches is told of the first one.
        let first = (branch, partition) == (0, 0);
        if first {
            counter("objects_pruned").add(pruned);
        }
        Meter {
            output: MetricBuilder::new(metrics).output_rows(partition),
            objects: counter("objects"),
            bytes: counter("bytes_read"),
            dropped: counter("rows_dropped_early"),
            rejects: counter("rejects"),
            intake,
            first,
        }
    }

    fn end(&self) {
        if !self.first {
            return;
        }
        for (_, read) in self.intake.objects() {
            self.objects.add(1);
            self.dropped.add((read.tally.dropped + read.tally.outside_window) as usize);
            self.rejects.add(read.tally.rejects as usize);
        }
        self.bytes.add(self.intake.progress.bytes.load(std::sync::atomic::Ordering::Relaxed) as usize);
    }
}
