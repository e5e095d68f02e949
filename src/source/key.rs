//! What the key of an object says, and which keys a run can leave out.
//!
//! Rests on the AWS page "Amazon S3 bucket for flow logs, log file path" (VPC user guide): plain, Hive-compatible and hourly
//! folders, and file names `{account}_vpcflowlogs_{region}_{flow log id}_{YYYYMMDD}T{HHmm}Z_{hash}.log.gz`. A local path that
//! mirrors a bucket is read the same way. Security Lake's folders are as its users report them (wazuh issue 17373); its user guide
//! names the partitions `region`, `accountId`, `eventDay`. This says nothing about what is inside an object: format and fields are found there.

use crate::time::{DAY, HOUR, TimeRange, UnixSeconds, ValidPeriod};
use chrono::{Datelike, Months, NaiveDate};
use std::collections::HashSet;
use std::sync::Arc;

/// Seconds that one file stamp stands for: AWS publishes every five minutes, and the stamp names the records' `end`.
pub const STAMP_BUCKET_S: i64 = 300;
/// Longest aggregation interval, seconds: a record's `start` lies at most this far before its `end`.
pub const INTERVAL_MAX_S: i64 = 600;
/// How far `start` and `end` may be off the clock, seconds (AWS: "up to 60 seconds").
pub const CLOCK_SLACK_S: i64 = 60;
/// How long after its window a record may still be delivered, seconds.
///
/// AWS documents about ten minutes to S3 as typical, "best effort", and states no bound. A day keeps every delay that AWS
/// describes as normal at the price of one more day of objects per run; records delivered later than that are outside what
/// pruning can promise, and are read when the window is given a later end.
pub const LATE_DELIVERY_MAX_S: i64 = DAY;

/// Longest file name that is looked at for an AWS pattern, bytes; S3 allows 1,024 for a whole key.
const NAME_BYTES_MAX: usize = 1_024;

/// Which folder layout a key follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Layout {
    /// No AWS layout: a file as someone copied or exported it.
    #[default]
    Loose,
    /// `…/{account}/vpcflowlogs/{region}/{yyyy}/{MM}/{dd}/`.
    Plain,
    /// The same with an hour folder.
    PlainHourly,
    /// `…/aws-account-id={account}/aws-service=vpcflowlogs/aws-region={region}/year=…/month=…/day=…/`.
    Hive,
    /// The same with an `hour=` folder.
    HiveHourly,
    /// `aws/VPC_FLOW/{source version}/region=…/accountId=…/eventDay=YYYYMMDD/` of Security Lake.
    SecurityLake,
}

impl Layout {
    /// Returns the layout's name as tables show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Layout::Loose => "loose",
            Layout::Plain => "plain",
            Layout::PlainHourly => "plain-hourly",
            Layout::Hive => "hive",
            Layout::HiveHourly => "hive-hourly",
            Layout::SecurityLake => "security-lake",
        }
    }
}

/// What an object's key says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogKey {
    /// Account that owns the flow log, which need not be the records' `account-id`.
    pub account: Option<Arc<str>>,
    /// Region of the flow log.
    pub region: Option<Arc<str>>,
    /// Flow log id, `fl-…`.
    pub flow_log_id: Option<Arc<str>>,
    /// Stamp of the file name: first second of a bucket of [`STAMP_BUCKET_S`], by the records' `end`.
    pub time: Option<UnixSeconds>,
    /// Year, month, day or hour that the folders name: when the file was made, not when the flows ran.
    pub path_time: Option<ValidPeriod>,
    /// Folder layout.
    pub layout: Layout,
}

/// What a key was recognised as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recognised {
    /// A flow log, by its folders or its file name.
    Log(LogKey),
    /// A file that follows no AWS layout but may be a log.
    Loose,
    /// Recognisably something else, with the reason.
    Foreign(&'static str),
}

impl LogKey {
    /// Reads a key, or a path with `/` between its parts.
    pub fn parse(key: &str) -> Recognised {
        recognise(key).0
    }
}

/// Reads a key; says too whether it stands in a layout, which makes what follows none a stranger.
pub(super) fn recognise(key: &str) -> (Recognised, bool) {
    let (folders, name) = key.rsplit_once('/').unwrap_or(("", key));
    let (mut place, mut inside) = (Place::default(), false);
    for folder in folders.split('/') {
        match place.enter(folder) {
            Ok(below) => place = below,
            Err(reason) => return (Recognised::Foreign(reason), inside),
        }
        inside |= place.level != Level::Outside;
    }
    (place.object(name), inside)
}

/// What stands directly below a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Level {
    /// Anything: no layout was recognised yet.
    #[default]
    Outside,
    /// Accounts, perhaps below an organisation id.
    Accounts,
    /// Services of one account.
    Services,
    /// Regions of `vpcflowlogs`.
    Regions,
    /// Years.
    Years,
    /// Months of a year.
    Months,
    /// Days of a month.
    Days,
    /// Files of a day, or its hours.
    Hours,
    /// Files of an hour.
    Files,
    /// Source versions of Security Lake's `VPC_FLOW`.
    LakeVersions,
    /// Regions of one of them.
    LakeRegions,
    /// Accounts of a region.
    LakeAccounts,
    /// Event days of an account, and their files.
    LakeDays,
}

impl Level {
    /// Whether what lies below is listed whole. Days are: their hours are few, and the file stamps tell the same. So are the
    /// event days of Security Lake, which leave nothing out.
    pub(super) fn is_listed_whole(self) -> bool {
        matches!(self, Level::Outside | Level::Hours | Level::Files | Level::LakeDays)
    }
}

/// A folder, and what its path says about everything below it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) level: Level,
    known: LogKey,
    hive: bool,
    /// Account-like last folder outside `AWSLogs/`: it is the account if `vpcflowlogs` follows.
    account_before_service: Option<Arc<str>>,
    /// Last folder is `aws`, below which Security Lake keeps its sources.
    is_lake: bool,
}

impl Place {
    /// Reads the folder that the user named. Nothing in it is foreign: where no layout fits, the search starts anew.
    pub(super) fn of(prefix: &str) -> Place {
        prefix
            .split('/')
            .fold(Place::default(), |place, folder| place.enter(folder).or_else(|_| Place::default().enter(folder)).unwrap_or_default())
    }

    /// Goes into a folder, or says why nothing below it can be a flow log.
    pub(super) fn enter(&self, folder: &str) -> Result<Place, &'static str> {
        let (name, value) = match folder.split_once('=') {
            Some((name, value)) => (Some(name), value),
            None => (None, folder),
        };
        match self.level {
            Level::Outside => self.enter_outside(folder),
            Level::Accounts => match name {
                None if folder == "AWSLogs" || is_organisation(folder) => Ok(self.clone()),
                None | Some("aws-account-id") if is_account(value) => {
                    let mut place = self.at(Level::Services, name);
                    place.known.account = Some(value.into());
                    Ok(place)
                }
                _ => Err("not an account folder"),
            },
            Level::Services => {
                if is_flow_logs(folder) {
                    Ok(self.at(Level::Regions, name))
                } else {
                    Err("another AWS service's logs")
                }
            }
            Level::Regions => match name {
                None | Some("aws-region") if is_region(value) => {
                    let mut place = self.at(Level::Years, name);
                    place.known.region = Some(value.into());
                    Ok(place)
                }
                _ => Err("not a region folder"),
            },
            Level::Years => self.enter_period(Level::Months, "year", name, value).ok_or("not a year folder"),
            Level::Months => self.enter_period(Level::Days, "month", name, value).ok_or("not a month folder"),
            Level::Days => self.enter_period(Level::Hours, "day", name, value).ok_or("not a day folder"),
            Level::Hours => self.enter_period(Level::Files, "hour", name, value).ok_or("not an hour folder"),
            Level::Files => Err("a folder below an hour"),
            Level::LakeVersions if name == Some("region") => self.at_lake(Level::LakeRegions).enter(folder),
            Level::LakeVersions if is_source_version(folder) => Ok(self.at_lake(Level::LakeRegions)),
            Level::LakeVersions => Err("not a source version of Security Lake"),
            Level::LakeRegions if name == Some("region") && is_region(value) => {
                let mut place = self.at_lake(Level::LakeAccounts);
                place.known.region = Some(value.into());
                Ok(place)
            }
            Level::LakeRegions => Err("not a region folder"),
            Level::LakeAccounts if name == Some("accountId") && is_account(value) => {
                let mut place = self.at_lake(Level::LakeDays);
                place.known.account = Some(value.into());
                Ok(place)
            }
            Level::LakeAccounts => Err("not an account folder"),
            // AWS does not say by which instant of a record its day is chosen, so the day leaves nothing out.
            Level::LakeDays if name == Some("eventDay") => Ok(self.clone()),
            Level::LakeDays => Err("not an event day folder"),
        }
    }

    fn at_lake(&self, level: Level) -> Place {
        let known = LogKey { layout: Layout::SecurityLake, ..self.known.clone() };
        Place { level, known, ..Place::default() }
    }

    fn enter_outside(&self, folder: &str) -> Result<Place, &'static str> {
        if folder == "AWSLogs" {
            return Ok(Place { level: Level::Accounts, ..Place::default() });
        }
        // A subtree of AWSLogs/ that was copied elsewhere is still recognised.
        if is_flow_logs(folder) {
            let mut place = self.at(Level::Regions, folder.split_once('=').map(|(name, _)| name));
            place.known.account = self.account_before_service.clone();
            return Ok(place);
        }
        if let Some(account) = folder.strip_prefix("aws-account-id=").filter(|account| is_account(account)) {
            let mut place = self.at(Level::Services, Some("aws-account-id"));
            place.known.account = Some(account.into());
            return Ok(place);
        }
        if folder == LAKE_SOURCE {
            return Ok(self.at_lake(Level::LakeVersions));
        }
        if self.is_lake && OTHER_LAKE_SOURCES.contains(&folder) {
            return Err("another source of Security Lake");
        }
        // `.` and `..` are ways to write a local path, not hidden folders.
        if folder.starts_with(['.', '_']) && !matches!(folder, "." | "..") {
            return Err("hidden folder");
        }
        let account_before_service = is_account(folder).then(|| folder.into());
        Ok(Place { account_before_service, is_lake: folder == LAKE_ROOT, ..Place::default() })
    }

    fn at(&self, level: Level, hive_name: Option<&str>) -> Place {
        let hive = self.hive || hive_name.is_some();
        let mut place = Place { level, known: self.known.clone(), hive, ..Place::default() };
        place.known.layout = match (hive, level) {
            (true, Level::Files) => Layout::HiveHourly,
            (true, _) => Layout::Hive,
            (false, Level::Files) => Layout::PlainHourly,
            (false, _) => Layout::Plain,
        };
        place
    }

    /// Goes into a year, month, day or hour; `None` if the folder is not one.
    fn enter_period(&self, below: Level, want: &str, name: Option<&str>, value: &str) -> Option<Place> {
        let digits = if below == Level::Months { 4 } else { 2 };
        if name.is_some_and(|name| name != want) || value.len() != digits || !value.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let number: u32 = value.parse().ok()?;
        let outer = self.known.path_time.and_then(|period| chrono::DateTime::from_timestamp(period.from, 0)).map(|at| at.date_naive());
        let seconds = |date: NaiveDate| date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp();
        let (from, to) = match below {
            Level::Months => {
                let first = NaiveDate::from_ymd_opt(i32::try_from(number).ok()?, 1, 1)?;
                (seconds(first), seconds(first.checked_add_months(Months::new(12))?))
            }
            Level::Days => {
                let first = outer?.with_month(number)?;
                (seconds(first), seconds(first.checked_add_months(Months::new(1))?))
            }
            Level::Hours => {
                let first = seconds(outer?.with_day(number)?);
                (first, first + DAY)
            }
            _ => {
                let first = self.known.path_time?.from + i64::from(number) * HOUR;
                (number < 24).then_some((first, first + HOUR))?
            }
        };
        let mut place = self.at(below, name);
        place.known.path_time = Some(ValidPeriod { from, to });
        Some(place)
    }

    /// Recognises a file of this folder.
    pub(super) fn object(&self, name: &str) -> Recognised {
        if let Some(reason) = foreign_name(name) {
            return Recognised::Foreign(reason);
        }
        if let Some(named) = parse_name(name) {
            let layout = if self.known.layout == Layout::Loose { Layout::Loose } else { self.known.layout };
            return Recognised::Log(LogKey { path_time: self.known.path_time, layout, ..named });
        }
        match self.level {
            Level::Outside => Recognised::Loose,
            Level::Accounts | Level::Services => Recognised::Foreign("outside any vpcflowlogs/ folder"),
            _ => Recognised::Log(self.known.clone()),
        }
    }

    /// Recognises a key below this folder, given relative to it.
    pub(super) fn below(&self, relative: &str) -> Recognised {
        let Some((folders, name)) = relative.rsplit_once('/') else { return self.object(relative) };
        match folders.split('/').try_fold(self.clone(), |place, folder| place.enter(folder)) {
            Ok(place) => place.object(name),
            Err(reason) => Recognised::Foreign(reason),
        }
    }
}

/// Reads an AWS file name; `None` if it is not one.
fn parse_name(name: &str) -> Option<LogKey> {
    if name.len() > NAME_BYTES_MAX {
        return None;
    }
    let mut parts = name.splitn(6, '_');
    let account = parts.next().filter(|part| is_account(part))?;
    parts.next().filter(|part| *part == "vpcflowlogs")?;
    let region = parts.next().filter(|part| is_region(part))?;
    let id = parts.next().filter(|part| is_flow_log_id(part))?;
    let time = parse_stamp(parts.next()?)?;
    parts.next().filter(|rest| !rest.is_empty())?;
    Some(LogKey {
        account: Some(account.into()),
        region: Some(region.into()),
        flow_log_id: Some(id.into()),
        time: Some(time),
        path_time: None,
        layout: Layout::Loose,
    })
}

/// Reads `YYYYMMDDTHHmmZ`.
fn parse_stamp(text: &str) -> Option<UnixSeconds> {
    let bytes = text.as_bytes();
    let shaped = bytes.len() == 14
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 => *byte == b'T',
            13 => *byte == b'Z',
            _ => byte.is_ascii_digit(),
        });
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u32>().ok();
    if !shaped {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(i32::try_from(number(0..4)?).ok()?, number(4..6)?, number(6..8)?)?;
    Some(date.and_hms_opt(number(9..11)?, number(11..13)?, 0)?.and_utc().timestamp())
}

pub(super) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Organisation ids are `o-` and 10 to 32 letters or digits (Organizations API reference).
fn is_organisation(text: &str) -> bool {
    text.strip_prefix("o-").is_some_and(|id| (10..=32).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// AWS adds regions, so this goes by shape: `us-gov-east-1`, `eusc-de-east-1`.
pub(super) fn is_region(text: &str) -> bool {
    text.len() <= 32
        && text.contains('-')
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.ends_with(|last: char| last.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn is_flow_log_id(text: &str) -> bool {
    text.strip_prefix("fl-").is_some_and(|id| (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// Folder of Security Lake's own sources.
pub(super) const LAKE_ROOT: &str = "aws";
/// Security Lake's folder of flow logs.
pub(super) const LAKE_SOURCE: &str = "VPC_FLOW";
/// Folders of its other sources, beside that one.
const OTHER_LAKE_SOURCES: [&str; 7] = ["CLOUD_TRAIL_MGMT", "EKS_AUDIT", "LAMBDA_EXECUTION", "ROUTE53", "S3_DATA", "SH_FINDINGS", "WAF"];

/// Source versions are `1.0` and `2.0` so far.
fn is_source_version(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('.').is_some_and(|(major, minor)| digits(major) && digits(minor))
}

/// The transit gateway page writes `service=` for Hive folders where the VPC page writes `aws-service=`.
fn is_flow_logs(folder: &str) -> bool {
    matches!(folder, "vpcflowlogs" | "aws-service=vpcflowlogs" | "service=vpcflowlogs")
}

/// File names of other services in an `AWSLogs/` tree: `{account}_{service}_…`.
const OTHER_SERVICES: [&str; 8] =
    ["CloudTrail", "Config", "elasticloadbalancing", "GuardDuty", "network-firewall", "redshift", "vpcdnsquerylogs", "waflogs"];
/// Files that AWS services write to see whether they may.
const WRITE_TESTS: [&str; 3] = ["aws-logs-write-test", "ConfigWritabilityCheckFile", "ELBAccessLogTestFile"];
const DOCUMENTS: [&str; 11] = [".md", ".rst", ".html", ".pdf", ".png", ".svg", ".sql", ".py", ".sh", ".yaml", ".toml"];
const SEALS: [&str; 9] = [".md5", ".sha1", ".sha256", ".sha512", ".crc", ".sig", ".asc", ".pub", ".manifest"];
const UNFINISHED: [&str; 6] = ["~", ".tmp", ".swp", ".bak", ".lock", ".part"];

/// Says why a file of this name is no flow log, wherever it stands.
fn foreign_name(name: &str) -> Option<&'static str> {
    let lower = name.get(..name.len().min(NAME_BYTES_MAX)).unwrap_or_default().to_ascii_lowercase();
    let ends = |suffixes: &[&str]| suffixes.iter().any(|suffix| lower.ends_with(suffix));
    let reason = match () {
        () if name.is_empty() || name.ends_with("_$folder$") => "folder marker",
        () if name.starts_with(['.', '_']) => "hidden file or marker",
        () if WRITE_TESTS.contains(&name) => "write test of an AWS service",
        () if lower.ends_with(".metadata") || is_athena_result(&lower) => "Athena query result",
        () if ends(&SEALS) || ends(&["sums", "checksums.txt"]) || lower == "manifest.json" => "manifest, checksum or signature",
        () if lower.starts_with("readme") || ends(&DOCUMENTS) => "document",
        () if ends(&UNFINISHED) => "unfinished or backup file",
        () if is_other_service(name) => "another AWS service's log",
        () => return None,
    };
    Some(reason)
}

/// Athena names a result after its query: `{uuid}.csv`, `{uuid}.txt`, `{uuid}-manifest.csv`.
fn is_athena_result(lower: &str) -> bool {
    let Some(stem) = lower.strip_suffix(".csv").or_else(|| lower.strip_suffix(".txt")) else { return false };
    let id = stem.strip_suffix("-manifest").unwrap_or(stem);
    id.len() == 36
        && id.bytes().enumerate().all(|(at, byte)| if matches!(at, 8 | 13 | 18 | 23) { byte == b'-' } else { byte.is_ascii_hexdigit() })
}

fn is_other_service(name: &str) -> bool {
    name.split_once('_')
        .is_some_and(|(account, rest)| is_account(account) && OTHER_SERVICES.iter().any(|service| rest.starts_with(service)))
}

/// Limits applied while listing. A key that does not tell is never left out.
#[derive(Clone, Debug, Default)]
pub struct Prune {
    /// Accounts that own the flow logs; empty: all.
    pub accounts: Vec<String>,
    /// Regions; empty: all.
    pub regions: Vec<String>,
    /// Flow log ids; empty: all.
    pub flow_log_ids: Vec<String>,
    /// Window of the records' `start`; keys are kept with a margin on both sides.
    pub time: TimeRange,
    /// Flow logs that can hold nothing that the run asks for.
    pub skip_flow_log_ids: Arc<HashSet<String>>,
}

/// The limit that a key fell to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// [`Prune::accounts`].
    Account,
    /// [`Prune::regions`].
    Region,
    /// [`Prune::time`].
    Time,
    /// [`Prune::flow_log_ids`] or [`Prune::skip_flow_log_ids`].
    FlowLogId,
}

impl Prune {
    /// Returns the limit that leaves this object out, if one does.
    pub fn rejects(&self, key: &LogKey) -> Option<Limit> {
        let unlisted = |wanted: &[String], value: &Option<Arc<str>>| {
            !wanted.is_empty() && value.as_ref().is_some_and(|value| !wanted.iter().any(|wanted| **wanted == **value))
        };
        let stamps = key.time.map(|time| (time, time)).or(key.path_time.map(|period| (period.from, period.to - 1)));
        match () {
            () if unlisted(&self.accounts, &key.account) => Some(Limit::Account),
            () if unlisted(&self.regions, &key.region) => Some(Limit::Region),
            () if stamps.is_some_and(|(first, last)| self.is_outside(first, last)) => Some(Limit::Time),
            () if unlisted(&self.flow_log_ids, &key.flow_log_id) => Some(Limit::FlowLogId),
            () if key.flow_log_id.as_ref().is_some_and(|id| self.skip_flow_log_ids.contains(&**id)) => Some(Limit::FlowLogId),
            () => None,
        }
    }

    /// Returns the limit that leaves out everything in a folder, if one does.
    pub(super) fn rejects_place(&self, place: &Place) -> Option<Limit> {
        self.rejects(&place.known)
    }

    /// Whether no file stamped `first..=last` can hold a record whose `start` lies in the window.
    ///
    /// A file holds records that end in its bucket and started up to an interval earlier, each end off by the clock's slack.
    /// A file that was delivered late may carry a later stamp, and stand in a later folder.
    fn is_outside(&self, first: UnixSeconds, last: UnixSeconds) -> bool {
        let latest_start = last.saturating_add(STAMP_BUCKET_S + CLOCK_SLACK_S);
        let earliest_start = first.saturating_sub(INTERVAL_MAX_S + CLOCK_SLACK_S + LATE_DELIVERY_MAX_S);
        self.time.from.is_some_and(|from| latest_start <= from) || self.time.to.is_some_and(|to| earliest_start >= to)
    }
}
