//! `flows` and `tgw_flows` as SQL tables: every record of one kind of every source given. Projection reaches the tokenizer; filters on time, interface,
//! object and logged text prune objects and drop lines early; a limit stops the reading.

use super::Logs;
use super::flow_scan::FlowScan;
use crate::decode::{Interfaces, Wanted};
use crate::enrich::{FlowColumn, fields_read, schema};
use crate::flow::RecordKind;
use crate::flow::field::{FieldId, FieldType};
use crate::inventory::Eni;
use crate::pipeline::Input;
use crate::source::Prune;
use crate::time::TimeRange;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use std::sync::Arc;

/// The table `flows` or `tgw_flows`.
#[derive(Debug)]
pub struct FlowTable {
    logs: Arc<Logs>,
    kind: RecordKind,
    columns: Vec<FlowColumn>,
    schema: SchemaRef,
}

impl FlowTable {
    /// Makes the table over some logs.
    pub fn new(logs: Arc<Logs>, kind: RecordKind) -> FlowTable {
        let columns = match kind {
            RecordKind::Vpc => FlowColumn::all(),
            RecordKind::TransitGateway => FlowColumn::all_of_transit_gateways(),
        };
        let schema = schema(&columns);
        FlowTable { logs, kind, columns, schema }
    }
}

#[async_trait]
impl TableProvider for FlowTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // What reading skips is a superset of what the filter keeps, so DataFusion filters again.
        let useful = |filter: &&Expr| Pushed::default().learn(filter);
        let support = |useful| if useful { TableProviderFilterPushDown::Inexact } else { TableProviderFilterPushDown::Unsupported };
        Ok(filters.iter().map(useful).map(support).collect())
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.logs.needs_inputs().map_err(|error| DataFusionError::External(Box::new(error)))?;
        let columns: Vec<FlowColumn> = match projection {
            Some(projection) => projection.iter().filter_map(|at| self.columns.get(*at).copied()).collect(),
            None => self.columns.clone(),
        };
        let mut pushed = Pushed::default();
        filters.iter().for_each(|filter| {
            pushed.learn(filter);
        });
        let wanted = Wanted {
            kind: self.kind,
            fields: fields_read(&columns),
            extra: columns.contains(&FlowColumn::Extra),
            interfaces: pushed.interfaces(&self.logs),
            values: pushed.values(),
            time: self.logs.window.intersect(pushed.time),
            validation: self.logs.validation,
            ..Wanted::default()
        };
        let inputs = self.logs.inputs.iter().filter(|input| pushed.allows_input(input)).cloned().collect();
        Ok(Arc::new(FlowScan::new(&self.logs, inputs, wanted, columns, limit)))
    }
}

/// What the filters of a query say about objects, interfaces and values.
#[derive(Debug, Default)]
struct Pushed {
    time: TimeRange,
    /// Per column: the values that its filter allows.
    allowed: Vec<(String, Vec<String>)>,
}

/// Columns of the recording interface or the object by which lines can be dropped before their values are read.
const ALLOWED_BY: &[&str] = &["interface_id", "interface_kind", "cluster", "cluster_arn", "log_object", "flow_log_id"];

impl Pushed {
    /// Takes what is useful of a filter; returns whether anything was.
    fn learn(&mut self, filter: &Expr) -> bool {
        if let Some((name, values)) = one_of(filter) {
            return self.allow(name, values);
        }
        match filter {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
                let (left, right) = (self.learn(left), self.learn(right));
                left || right
            }
            _ => self.learn_time(filter),
        }
    }

    fn learn_time(&mut self, filter: &Expr) -> bool {
        match filter {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (is_start(left), is_start(right)) {
                (true, false) => self.compare(*op, right),
                (false, true) => op.swap().is_some_and(|op| self.compare(op, left)),
                _ => false,
            },
            Expr::Between(between) if !between.negated && is_start(&between.expr) => {
                let from = self.compare(Operator::GtEq, &between.low);
                self.compare(Operator::LtEq, &between.high) || from
            }
            _ => false,
        }
    }

    fn compare(&mut self, op: Operator, value: &Expr) -> bool {
        let Some(t) = seconds(value) else { return false };
        let range = match op {
            Operator::Eq => TimeRange { from: Some(t), to: t.checked_add(1) },
            Operator::Gt => TimeRange { from: t.checked_add(1), to: None },
            Operator::GtEq => TimeRange { from: Some(t), to: None },
            Operator::Lt => TimeRange { from: None, to: Some(t) },
            Operator::LtEq => TimeRange { from: None, to: t.checked_add(1) },
            _ => return false,
        };
        self.time = self.time.intersect(range);
        true
    }

    fn allow(&mut self, name: &str, values: Vec<String>) -> bool {
        let useful = ALLOWED_BY.contains(&name) || text_field(name).is_some();
        if useful {
            self.allowed.push((name.to_owned(), values));
        }
        useful
    }

    fn allows(&self, name: &str, value: Option<&str>) -> bool {
        self.allowed
            .iter()
            .filter(|(column, _)| column == name)
            .all(|(_, values)| value.is_some_and(|value| values.iter().any(|v| v == value)))
    }

    /// What records must hold to be kept.
    fn values(&self) -> Vec<(FieldId, Vec<String>)> {
        self.allowed.iter().filter_map(|(name, values)| Some((text_field(name)?, values.clone()))).collect()
    }

    fn allows_input(&self, input: &Input) -> bool {
        let object = &input.object;
        let prune = Prune { time: self.time, ..Prune::default() };
        self.allows("log_object", Some(&object.uri))
            && self.allows("flow_log_id", object.key.flow_log_id.as_deref())
            && prune.rejects(&object.key).is_none()
    }

    fn interfaces(&self, logs: &Logs) -> Interfaces {
        let by = |name: &str| self.allowed.iter().any(|(column, _)| column == name);
        if by("interface_id") && !by("interface_kind") && !by("cluster") && !by("cluster_arn") {
            let ids = self.allowed.iter().filter(|(column, _)| column == "interface_id").flat_map(|(_, values)| values);
            return Interfaces::Only(Arc::new(ids.filter(|id| self.allows("interface_id", Some(id))).cloned().collect()));
        }
        if !["interface_kind", "cluster", "cluster_arn"].into_iter().any(by) {
            return Interfaces::All;
        }
        let cluster = |eni: &Eni| eni.cluster.and_then(|cluster| logs.inventory.clusters().get(cluster as usize));
        let allows = |eni: &&Eni| {
            self.allows("interface_id", Some(&eni.id))
                && self.allows("interface_kind", Some(eni.kind.as_str()))
                && self.allows("cluster", cluster(eni).map(|cluster| &*cluster.name))
                && self.allows("cluster_arn", cluster(eni).map(|cluster| &*cluster.arn))
        };
        Interfaces::Only(Arc::new(logs.inventory.enis().iter().filter(allows).map(|eni| eni.id.to_string()).collect()))
    }
}

/// Returns the field that stands in a column of text as it was logged.
fn text_field(name: &str) -> Option<FieldId> {
    let field = FieldId::by_column(name)?;
    (field.field().kind == FieldType::Text && !ALLOWED_BY.contains(&name)).then_some(field)
}

/// Reads `column = 'a'`, `column IN ('a', 'b')`, or `column = 'a' OR column = 'b'` (which DataFusion makes of a short list).
pub(super) fn one_of(filter: &Expr) -> Option<(&str, Vec<String>)> {
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => match (column(left), column(right)) {
            (Some(name), None) => Some((name, vec![text(right)?])),
            (None, Some(name)) => Some((name, vec![text(left)?])),
            _ => None,
        },
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let ((name, mut values), (other, more)) = (one_of(left)?, one_of(right)?);
            values.extend(more);
            (name == other).then_some((name, values))
        }
        Expr::InList(list) if !list.negated => Some((column(&list.expr)?, list.list.iter().map(text).collect::<Option<_>>()?)),
        _ => None,
    }
}

fn is_start(expr: &Expr) -> bool {
    matches!(column(expr), Some("start" | "start_time"))
}

fn column(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Column(column) => Some(&column.name),
        Expr::Cast(cast) => column(&cast.expr),
        _ => None,
    }
}

fn text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Literal(ScalarValue::Utf8(text) | ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text), _) => text.clone(),
        _ => None,
    }
}

/// An instant in whole seconds; NULL and everything else: none. A fraction widens the range, never narrows it.
fn seconds(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Literal(ScalarValue::Int64(value) | ScalarValue::TimestampSecond(value, _), _) => *value,
        Expr::Literal(ScalarValue::TimestampMillisecond(Some(value), _), _) if value % 1_000 == 0 => Some(value / 1_000),
        Expr::Literal(ScalarValue::TimestampMicrosecond(Some(value), _), _) if value % 1_000_000 == 0 => Some(value / 1_000_000),
        Expr::Literal(ScalarValue::TimestampNanosecond(Some(value), _), _) if value % 1_000_000_000 == 0 => Some(value / 1_000_000_000),
        _ => None,
    }
}
