//! Tables of the inventory: the columns that a statement names, made whenever it names them. Those of many interfaces take as much memory
//! as the interfaces themselves.

use crate::error;
use crate::error::Error;
use crate::inventory::{Inventory, Table};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
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
    /// All of it, once a statement has written to it.
    written: OnceLock<Result<MemTable>>,
}

impl InventoryTable {
    /// Makes the table without its rows.
    ///
    /// # Errors
    /// If its columns make no batch.
    pub fn new(table: Table, inventory: &Arc<Inventory>) -> error::Result<InventoryTable> {
        let none = table.rows(&Inventory::default()).ok_or_else(|| no_batch(table.name))?;
        Ok(InventoryTable { inventory: Arc::clone(inventory), table, schema: none.schema(), written: OnceLock::new() })
    }

    /// Makes the table of these columns, in their order.
    fn of_columns(&self, columns: &[usize]) -> Result<MemTable> {
        let schema = self.schema.project(columns)?;
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let rows =
            self.table.columns(&self.inventory, &names).ok_or_else(|| DataFusionError::External(Box::new(no_batch(self.table.name))))?;
        let places = names.iter().map(|name| rows.schema_ref().index_of(name)).collect::<Result<Vec<_>, _>>()?;
        MemTable::try_new(Arc::new(schema), vec![vec![rows.project(&places)?]])
    }

    /// Returns the table with all columns, to be written to.
    fn whole(&self) -> Result<&MemTable> {
        let made = self.written.get_or_init(|| self.of_columns(&all(&self.schema)));
        made.as_ref().map_err(|error| DataFusionError::Execution(error.strip_backtrace()))
    }
}

fn all(schema: &SchemaRef) -> Vec<usize> {
    (0..schema.fields().len()).collect()
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
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if self.written.get().is_some() {
            return self.whole()?.scan(state, projection, filters, limit).await;
        }
        let columns = projection.cloned().unwrap_or_else(|| all(&self.schema));
        self.of_columns(&columns)?.scan(state, None, filters, limit).await
    }

    async fn insert_into(&self, state: &dyn Session, rows: Arc<dyn ExecutionPlan>, insert: InsertOp) -> Result<Arc<dyn ExecutionPlan>> {
        self.whole()?.insert_into(state, rows, insert).await
    }

    async fn delete_from(&self, state: &dyn Session, filters: Vec<Expr>) -> Result<Arc<dyn ExecutionPlan>> {
        self.whole()?.delete_from(state, filters).await
    }

    async fn update(&self, state: &dyn Session, values: Vec<(String, Expr)>, filters: Vec<Expr>) -> Result<Arc<dyn ExecutionPlan>> {
        self.whole()?.update(state, values, filters).await
    }
}
