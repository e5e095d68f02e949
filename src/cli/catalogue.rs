//! What there is to ask: the shipped queries, the columns of the tables, the functions.

use super::Status;
use super::output::{self, OutputArgs};
use crate::cost::prices;
use crate::enrich::FlowColumn;
use crate::error::Result;
use crate::query::{connections, functions, hours, library, log_tables};
use crate::report::renderer;
use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use clap::{Args, Subcommand};
use std::io::Write;
use std::sync::Arc;

/// The shipped queries.
#[derive(Debug, Subcommand)]
pub enum Queries {
    /// List the shipped queries
    List {
        /// How the list is written
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Print a query's SQL
    Show {
        /// Name of the query
        name: String,
    },
}

/// Options of `fields`.
#[derive(Debug, Args)]
pub struct FieldsArgs {
    #[command(flatten)]
    output: OutputArgs,
}

/// Lists or shows the shipped queries.
///
/// # Errors
/// A usage error for a name that is none.
pub fn queries(command: &Queries) -> Result<Status> {
    match command {
        Queries::List { output } => {
            let queries = &library::QUERIES;
            let params = |query: &library::Query| {
                let shown = query.params.iter().map(|(name, kind, default)| match default {
                    Some(default) => format!("{name} {kind} = {default}"),
                    None => format!("{name} {kind}"),
                });
                shown.collect::<Vec<_>>().join(", ")
            };
            let columns: [(&str, ArrayRef); 4] = [
                ("name", texts(queries.iter().map(|query| query.name.to_owned()))),
                ("question", texts(queries.iter().map(|query| query.question.to_owned()))),
                ("answers", texts(queries.iter().map(|query| query.answers.to_owned()))),
                ("params", texts(queries.iter().map(params))),
            ];
            write(*output, &columns)
        }
        Queries::Show { name } => {
            let mut out = output::stdout();
            out.write_all(library::find(name)?.sql.as_bytes())?;
            out.flush()?;
            Ok(Status::Done)
        }
    }
}

/// Lists every column and function.
///
/// # Errors
/// If the output cannot be written.
pub fn fields(args: &FieldsArgs) -> Result<Status> {
    let rows = rows();
    let columns: [(&str, ArrayRef); 6] = [
        ("table", texts(rows.iter().map(|row| row.table.to_owned()))),
        ("column", texts(rows.iter().map(|row| row.column.clone()))),
        ("type", texts(rows.iter().map(|row| row.kind.clone()))),
        ("version", Arc::new(rows.iter().map(|row| row.version).collect::<Int32Array>())),
        ("meaning", texts(rows.iter().map(|row| row.meaning.to_owned()))),
        ("null_when", Arc::new(rows.iter().map(|row| row.null_when).collect::<StringArray>())),
    ];
    write(args.output, &columns)
}

/// What every column of `prices` is about.
const PRICES: &str = "The built-in price list, tier by tier; flowproof prices show has it with files of your own";

/// One line of the catalogue.
struct Row {
    table: &'static str,
    column: String,
    kind: String,
    version: Option<i32>,
    meaning: &'static str,
    null_when: Option<&'static str>,
}

fn rows() -> Vec<Row> {
    let flows = FlowColumn::all().into_iter().map(|column| flow_row("flows", column));
    let gateways = FlowColumn::all_of_transit_gateways().into_iter().map(|column| flow_row("tgw_flows", column));
    let connections = connections::COLUMNS.iter().map(|(name, kind, meaning)| made("connections", name, kind, meaning));
    let functions = functions::FUNCTIONS.iter().map(|(signature, meaning)| Row {
        table: "function",
        column: (*signature).to_owned(),
        kind: String::new(),
        version: None,
        meaning,
        null_when: None,
    });
    // The inventory's tables are shown by `inventory show`.
    let whole = log_tables::columns()
        .into_iter()
        .flat_map(|(table, columns)| columns.into_iter().map(move |(name, kind, meaning)| made(table, name, &kind, meaning)));
    let hourly = hours::COLUMNS.iter().map(|(name, kind, meaning)| made("hourly", name, kind, meaning));
    let prices = prices::table_schema();
    let prices: Vec<Row> = prices.fields().iter().map(|field| made("prices", field.name(), field.data_type(), PRICES)).collect();
    let views = library::VIEWS.iter().map(|(name, sql)| Row {
        table: name,
        column: "*".to_owned(),
        kind: "view".to_owned(),
        version: None,
        meaning: sql.lines().find_map(|line| line.strip_prefix("-- view:")).unwrap_or_default().trim(),
        null_when: None,
    });
    flows.chain(gateways).chain(connections).chain(hourly).chain(views).chain(whole).chain(prices).chain(functions).collect()
}

fn made(table: &'static str, name: &str, kind: &DataType, meaning: &'static str) -> Row {
    Row { table, column: name.to_owned(), kind: sql_type(kind), version: None, meaning, null_when: None }
}

fn flow_row(table: &'static str, column: FlowColumn) -> Row {
    let kind = column.field();
    let row = |meaning| made(table, column.name(), kind.data_type(), meaning);
    match column {
        FlowColumn::Aws(id) => {
            let field = id.field();
            let meaning = if table == "tgw_flows" { id.meaning_at_transit_gateway() } else { field.meaning };
            Row { version: Some(field.version.into()), null_when: Some(field.null_when), ..row(meaning) }
        }
        FlowColumn::Extra => {
            Row { null_when: Some("none in the record"), ..row("Fields of versions that are not known yet, by header token") }
        }
        FlowColumn::Derived(derived) => row(derived.row().meaning),
    }
}

fn sql_type(kind: &DataType) -> String {
    match kind {
        DataType::Int32 => "INTEGER",
        DataType::Int64 => "BIGINT",
        DataType::Boolean => "BOOLEAN",
        DataType::Timestamp(..) => "TIMESTAMP",
        DataType::Map(..) => "MAP",
        DataType::Decimal128(..) => "DECIMAL",
        _ => "VARCHAR",
    }
    .to_owned()
}

fn texts(values: impl Iterator<Item = String>) -> ArrayRef {
    Arc::new(values.map(Some).collect::<StringArray>())
}

/// Writes columns in the format asked for.
///
/// # Errors
/// If the output cannot be written.
pub fn write(output: OutputArgs, columns: &[(&str, ArrayRef)]) -> Result<Status> {
    let fields: Vec<Field> = columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.iter().map(|(_, array)| Arc::clone(array)).collect())?;
    let mut out = output::stdout();
    let mut writer = renderer(output.format(), &batch.schema(), &mut out)?;
    writer.batch(&batch)?;
    writer.end()?;
    drop(writer);
    out.flush()?;
    Ok(Status::Done)
}
