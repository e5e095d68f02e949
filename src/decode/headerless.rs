//! What the columns of records without a header are: said by the user, or by the inventory's `describe-flow-logs`.

use crate::flow::Layout;
use hashbrown::HashMap;
use std::sync::Arc;

/// The format of each CloudWatch log group; `None` where its flow logs have several.
pub type LogGroups = HashMap<String, Option<Arc<Layout>>>;

/// What is known of records without a header.
#[derive(Debug, Clone, Default)]
pub struct Headerless {
    /// `--log-format`, else the format of the flow log that the object's key names.
    pub layout: Option<Arc<Layout>>,
    /// What the inventory says of log groups.
    pub log_groups: Arc<LogGroups>,
}
