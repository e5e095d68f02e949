//! `cargo run --example generate -- --records 1000000 --to-dir DIR`: the log generator as a program.
//!
//! Writes `DIR/logs`, `DIR/inventory` and `DIR/truth.json`; see `generator/mod.rs`.
#![allow(clippy::print_stderr, reason = "a program talks to its user")]

#[path = "generator/mod.rs"]
mod generator;

use clap::Parser;
use generator::{Config, Container, Format, Layout};
use std::path::PathBuf;

/// Generates the flow logs of an invented estate, with its inventory and the truth about it.
#[derive(Parser)]
struct Args {
    /// Folder to write to.
    #[arg(long)]
    to_dir: PathBuf,
    /// Seed; the same seed writes the same bytes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Records to aim for.
    #[arg(long, default_value_t = 20_000)]
    records: u64,
    /// Log objects; 0: one per VPC and five minutes, as AWS delivers.
    #[arg(long, default_value_t = 0)]
    files: usize,
    /// v2, v5, v5-alphabetical, v5-random or v11.
    #[arg(long, default_value = "v5", value_parser = format)]
    format: Format,
    /// plain, plain-hourly, hive, hive-hourly or loose.
    #[arg(long, default_value = "plain", value_parser = layout)]
    layout: Layout,
    /// gzip, gzip-members, text, zstd or parquet.
    #[arg(long, default_value = "gzip", value_parser = container)]
    container: Container,
    /// Accounts; by default in proportion to the records, as are the next four.
    #[arg(long)]
    accounts: Option<usize>,
    /// Regions, 1 or 2.
    #[arg(long)]
    regions: Option<usize>,
    /// Clusters.
    #[arg(long)]
    clusters: Option<usize>,
    /// Nodes per cluster.
    #[arg(long)]
    nodes: Option<usize>,
    /// Length of the period in minutes.
    #[arg(long)]
    minutes: Option<u64>,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

fn format(name: &str) -> Result<Format, String> {
    Ok(match name {
        "v2" => Format::V2,
        "v5" => Format::V5,
        "v5-alphabetical" => Format::V5Alphabetical,
        "v5-random" => Format::V5Random,
        "v11" => Format::V11,
        _ => return Err("expected v2, v5, v5-alphabetical, v5-random or v11".to_owned()),
    })
}

fn layout(name: &str) -> Result<Layout, String> {
    Ok(match name {
        "plain" => Layout::Plain,
        "plain-hourly" => Layout::PlainHourly,
        "hive" => Layout::Hive,
        "hive-hourly" => Layout::HiveHourly,
        "loose" => Layout::Loose,
        _ => return Err("expected plain, plain-hourly, hive, hive-hourly or loose".to_owned()),
    })
}

fn container(name: &str) -> Result<Container, String> {
    Ok(match name {
        "gzip" => Container::Gzip,
        "gzip-members" => Container::GzipMultiMember,
        "text" => Container::PlainText,
        "zstd" => Container::Zstd,
        "parquet" => Container::Parquet,
        _ => return Err("expected gzip, gzip-members, text, zstd or parquet".to_owned()),
    })
}

fn main() {
    let args = Args::parse();
    let base = Config::of(args.seed, args.records);
    let config = Config {
        files: args.files,
        format: args.format,
        layout: args.layout,
        container: args.container,
        accounts: args.accounts.unwrap_or(base.accounts),
        regions: args.regions.unwrap_or(base.regions),
        clusters: args.clusters.unwrap_or(base.clusters),
        nodes: args.nodes.unwrap_or(base.nodes),
        minutes: args.minutes.unwrap_or(base.minutes),
        threads: args.threads,
        ..base
    };
    let truth = generator::generate(&config, &args.to_dir);
    let stored: u64 = truth.objects.iter().map(|object| object.stored_bytes).sum();
    eprintln!("{} records in {} objects, {stored} bytes, below {}", truth.records.total(), truth.objects.len(), args.to_dir.display());
}
