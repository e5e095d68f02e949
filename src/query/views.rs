//! The tables that a statement may name, and the views, each planned when it is first named: to plan all of them took most of a short run.

use super::library::VIEWS;
use async_trait::async_trait;
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider, TableProvider};
use datafusion::common::{Result, plan_datafusion_err};
use datafusion::logical_expr::TableType;
use datafusion::prelude::SessionContext;
use std::sync::Arc;

/// Tables in memory, and the views over them.
pub struct WithViews {
    /// Views are here too once they are planned.
    tables: MemorySchemaProvider,
    session: Box<dyn Fn() -> Option<SessionContext> + Send + Sync>,
}

impl WithViews {
    /// Starts without tables, for a session that will have them.
    pub fn of(context: &SessionContext) -> WithViews {
        // The session has this, so this may not have the session.
        let state = context.state_weak_ref();
        let session = move || Some(SessionContext::new_with_state(state.upgrade()?.read().clone()));
        WithViews { tables: MemorySchemaProvider::new(), session: Box::new(session) }
    }

    /// The statement of a view that is not planned yet.
    fn unplanned(&self, name: &str) -> Option<&'static str> {
        VIEWS.iter().find(|(view, _)| *view == name && !self.tables.table_exist(name)).map(|(_, sql)| *sql)
    }
}

impl std::fmt::Debug for WithViews {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WithViews").field("tables", &self.tables).finish_non_exhaustive()
    }
}

#[async_trait]
impl SchemaProvider for WithViews {
    fn table_names(&self) -> Vec<String> {
        let unplanned = VIEWS.iter().filter(|(name, _)| self.unplanned(name).is_some()).map(|(name, _)| (*name).to_owned());
        self.tables.table_names().into_iter().chain(unplanned).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if let Some(sql) = self.unplanned(name) {
            let session = (self.session)().ok_or_else(|| plan_datafusion_err!("the session is gone"))?;
            let view = session.sql(sql).await?.into_view();
            // Another statement may have planned it meanwhile.
            if !self.tables.table_exist(name) {
                self.tables.register_table(name.to_owned(), view)?;
            }
        }
        self.tables.table(name).await
    }

    async fn table_type(&self, name: &str) -> Result<Option<TableType>> {
        match self.unplanned(name) {
            Some(_) => Ok(Some(TableType::View)),
            None => self.tables.table_type(name).await,
        }
    }

    fn register_table(&self, name: String, table: Arc<dyn TableProvider>) -> Result<Option<Arc<dyn TableProvider>>> {
        self.tables.register_table(name, table)
    }

    fn deregister_table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        self.tables.deregister_table(name)
    }

    fn table_exist(&self, name: &str) -> bool {
        self.tables.table_exist(name) || self.unplanned(name).is_some()
    }
}
