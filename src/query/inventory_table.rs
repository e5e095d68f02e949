//! Tables of the inventory, made when a statement first reads them: those of many interfaces take as much memory as the interfaces.

use crate::error::{Error, Result};
use crate::inventory::{Inventory, Table};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result as PlanResult};
use datafusion::datasource::MemTable;
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use std::sync::{Arc, OnceLock};

/// A table of the inventory.
#[derive(Debug)]
pub struct InventoryTable {
    inventory: Arc<Inventory>,
    table: Table,
    schema: SchemaRef,
    made: OnceLock<PlanResult<MemTable>>,
}

impl InventoryTable {
    /// Makes the table without its rows.
    ///
    /// # Errors
    /// If its columns make no batch.
    pub fn new(table: Table, inventory: &Arc<Inventory>) -> Result<InventoryTable> {
        let none = table.rows(&Inventory::default()).ok_or_else(|| no_batch(table.name))?;
        Ok(InventoryTable { inventory: Arc::clone(inventory), table, schema: none.schema(), made: OnceLock::new() })
    }

    fn made(&self) -> PlanResult<&MemTable> {
        let make = || {
            let rows = self.table.rows(&self.inventory).ok_or_else(|| DataFusionError::External(Box::new(no_batch(self.table.name))))?;
            MemTable::try_new(Arc::clone(&self.schema), vec![vec![rows]])
        };
        self.made.get_or_init(make).as_ref().map_err(|error| DataFusionError::Execution(error.strip_backtrace()))
    }
}

fn no_batch(name: &str) -> Error {
    Error::failed(format!("the inventory's table {name} cannot be made"))
}

#[async_trait]
impl TableProvider for InventoryTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        self.made()?.scan(state, projection, filters, limit).await
    }

    async fn insert_into(&self, state: &dyn Session, rows: Arc<dyn ExecutionPlan>, insert: InsertOp) -> PlanResult<Arc<dyn ExecutionPlan>> {
        self.made()?.insert_into(state, rows, insert).await
    }

    async fn delete_from(&self, state: &dyn Session, filters: Vec<Expr>) -> PlanResult<Arc<dyn ExecutionPlan>> {
        self.made()?.delete_from(state, filters).await
    }

    async fn update(&self, state: &dyn Session, values: Vec<(String, Expr)>, filters: Vec<Expr>) -> PlanResult<Arc<dyn ExecutionPlan>> {
        self.made()?.update(state, values, filters).await
    }
}
