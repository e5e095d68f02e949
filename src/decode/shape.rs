//! How records stand in an object: what tools between AWS and the user have made of them.

/// A shape of input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shape {
    /// Lines as AWS writes them to S3.
    Text,
    /// CSV, as Athena and others export.
    Csv,
    /// Tab-separated values.
    Tsv,
    /// CSV or TSV of log events with the record in one column (CloudWatch console, Logs Insights).
    CsvMessages,
    /// CloudWatch export task: a timestamp before each record.
    ExportTask,
    /// CloudWatch subscription documents (`logEvents`), as Firehose delivers them.
    Subscription,
    /// JSON documents with a `message` each, as Firehose delivers them.
    JsonMessages,
    /// `events` of `aws logs filter-log-events`.
    LogEvents,
    /// JSON documents whose keys are fields.
    JsonRecords,
    /// Parquet with a column for each field.
    Parquet,
    /// Security Lake: OCSF class 4001 in Parquet.
    SecurityLake,
}

impl Shape {
    /// Returns the name used in the tables `objects` and `layouts`.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Text => "text",
            Shape::Csv => "csv",
            Shape::Tsv => "tsv",
            Shape::CsvMessages => "csv-messages",
            Shape::ExportTask => "export-task",
            Shape::Subscription => "subscription",
            Shape::JsonMessages => "json-messages",
            Shape::LogEvents => "log-events",
            Shape::JsonRecords => "json-records",
            Shape::Parquet => "parquet",
            Shape::SecurityLake => "security-lake",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Shape::{self, *};

    #[test]
    fn shapes_have_names_of_their_own() {
        let all: [(Shape, &str); 11] = [
            (Text, "text"),
            (Csv, "csv"),
            (Tsv, "tsv"),
            (CsvMessages, "csv-messages"),
            (ExportTask, "export-task"),
            (Subscription, "subscription"),
            (JsonMessages, "json-messages"),
            (LogEvents, "log-events"),
            (JsonRecords, "json-records"),
            (Parquet, "parquet"),
            (SecurityLake, "security-lake"),
        ];
        all.into_iter().for_each(|(shape, name)| assert_eq!(shape.name(), name));
    }
}
