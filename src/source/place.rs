//! How a place in S3 is written: a bucket or an access point, then a prefix; and what IAM calls them.
//!
//! Rests on the S3 user guide, "Using access points" (names, aliases, ARNs) and "Configuring IAM policies for using access
//! points" (`…:accesspoint/NAME` for the access point, `…:accesspoint/NAME/object/KEY` for what is behind it).

use super::key::{is_account, is_region};
use crate::error::{Error, Result};

/// Ending of the bucket-like names that S3 gives access points.
const ALIAS_SUFFIX: &str = "-s3alias";

/// What holds objects, as requests name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holder {
    /// Name of a bucket, or ARN of an access point.
    pub(super) name: String,
    /// Region of an access point; a bucket's name says none.
    pub(super) region: Option<String>,
}

impl Holder {
    /// Reads a bucket's name; `None` if it can be none.
    pub(super) fn bucket(name: &str) -> Option<Holder> {
        let named = (3..=63).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
        named.then(|| Holder { name: name.to_owned(), region: None })
    }

    /// Whether this is an access point, by ARN.
    pub(super) fn is_access_point(&self) -> bool {
        self.region.is_some()
    }

    /// Returns the URI of a key.
    pub(super) fn uri_of(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.name)
    }

    /// Returns what IAM calls the holder itself; `region` is that of a bucket.
    pub(super) fn arn(&self, region: &str) -> String {
        if self.is_access_point() { self.name.clone() } else { format!("arn:{}:s3:::{}", partition(region), self.name) }
    }

    /// Returns what IAM calls an object in it.
    pub(super) fn object_arn(&self, key: &str, region: &str) -> String {
        let object = if self.is_access_point() { "/object" } else { "" };
        format!("{}{object}/{key}", self.arn(region))
    }

    /// Whether the name stands for an access point that policies cannot name by it (S3 user guide, access point aliases).
    pub(super) fn is_alias(&self) -> bool {
        self.name.ends_with(ALIAS_SUFFIX)
    }
}

fn partition(region: &str) -> &'static str {
    match () {
        () if region.starts_with("cn-") => "aws-cn",
        () if region.starts_with("us-gov-") => "aws-us-gov",
        () if region.starts_with("eusc-") => "aws-eusc",
        () => "aws",
    }
}

/// Returns what follows the scheme, if an argument names a place in S3: `s3://…`, or the ARN of an access point.
pub(super) fn in_s3(arg: &str) -> Option<&str> {
    arg.strip_prefix("s3://").or_else(|| arg.starts_with("arn:").then_some(arg))
}

/// Reads `bucket/prefix` or `arn:…:accesspoint/NAME/prefix`, the part after `s3://`.
///
/// # Errors
/// A usage error that names the argument.
pub(super) fn parse<'a>(arg: &str, place: &'a str) -> Result<(Holder, &'a str)> {
    if place.starts_with("arn:") {
        return access_point(arg, place);
    }
    let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
    match Holder::bucket(bucket) {
        Some(holder) => Ok((holder, prefix)),
        None => Err(Error::usage("not a bucket name").at(arg).with_hint("write s3://bucket/prefix")),
    }
}

fn access_point<'a>(arg: &str, place: &'a str) -> Result<(Holder, &'a str)> {
    let mut parts = place.splitn(6, ':').skip(1);
    let mut part = || parts.next().unwrap_or_default();
    let (partition, service, region, account, resource) = (part(), part(), part(), part(), part());
    let Some(named) = resource.strip_prefix("accesspoint").and_then(|rest| rest.strip_prefix(['/', ':'])) else {
        let hint = format!("write s3://{resource}, or the ARN of an access point");
        return Err(Error::usage("an ARN is not a place that logs are read from, unless it is an access point's").at(arg).with_hint(hint));
    };
    let (name, prefix) = named.split_once('/').unwrap_or((named, ""));
    if service != "s3" {
        let hint = "name the bucket, or an access point arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME";
        return Err(Error::usage(format!("access points of {service} are not read")).at(arg).with_hint(hint));
    }
    if region.is_empty() {
        let hint = "name a bucket or a single-region access point behind it: aws s3control get-multi-region-access-point names them";
        return Err(Error::usage("multi-region access points are not read: their requests need another signature (SigV4A)")
            .at(arg)
            .with_hint(hint));
    }
    // Rules of the S3 user guide, "Access points restrictions and limitations".
    let named =
        (3..=50).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !named || !is_region(region) || !is_account(account) || !partition.starts_with("aws") {
        let hint = "write s3://arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME/prefix";
        return Err(Error::usage("not the ARN of an access point").at(arg).with_hint(hint));
    }
    let name = format!("arn:{partition}:s3:{region}:{account}:accesspoint/{name}");
    Ok((Holder { name, region: Some(region.to_owned()) }, prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads(arg: &str, name: &str, region: Option<&str>, prefix: &str) {
        let (holder, found) = parse(arg, in_s3(arg).unwrap()).unwrap();
        assert_eq!((&*holder.name, holder.region.as_deref(), found), (name, region, prefix), "{arg}");
        // A URI made from it can be given back.
        let uri = holder.uri_of("AWSLogs/x y:z");
        assert_eq!(parse(&uri, in_s3(&uri).unwrap()).unwrap(), (holder, "AWSLogs/x y:z"));
    }

    #[test]
    fn buckets_and_access_points_as_users_write_them() {
        let point = "arn:aws:s3:us-east-1:123456789012:accesspoint/my-ap";
        reads("s3://logs.example/a/b", "logs.example", None, "a/b");
        reads("s3://my-ap-abc123-s3alias/a", "my-ap-abc123-s3alias", None, "a");
        for scheme in ["s3://", ""] {
            reads(&format!("{scheme}{point}/a/b:c"), point, Some("us-east-1"), "a/b:c");
            reads(&format!("{scheme}{point}"), point, Some("us-east-1"), "");
            reads(&format!("{scheme}{}/a/", point.replace("point/", "point:")), point, Some("us-east-1"), "a/");
        }
        let china = "arn:aws-cn:s3:cn-north-1:123456789012:accesspoint/my-ap";
        reads(china, china, Some("cn-north-1"), "");
    }

    #[test]
    fn what_is_not_read_says_why() {
        let check = |arg: &str, want: &str| {
            let fault = parse(arg, in_s3(arg).unwrap()).unwrap_err();
            assert!(fault.to_string().contains(want) && fault.to_string().contains(arg) && fault.hint().is_some(), "{fault:?}");
        };
        check("arn:aws:s3::123456789012:accesspoint/xyz.mrap/a", "SigV4A");
        check("s3://arn:aws:s3::123456789012:accesspoint/xyz.mrap", "SigV4A");
        check("arn:aws:s3-object-lambda:us-east-1:123456789012:accesspoint/my-ap", "s3-object-lambda");
        check("arn:aws:s3-outposts:us-east-1:123456789012:outpost/op-01/accesspoint/my-ap", "not a place");
        check("arn:aws:s3:::bucket/x", "not a place");
        check("arn:aws:s3:us-east-1:1234:accesspoint/my-ap", "not the ARN");
        check("arn:aws:s3:us-east-1:123456789012:accesspoint/My_Ap", "not the ARN");
        check("arn:", "not a place");
        check("s3://b", "not a bucket name");
    }

    #[test]
    fn iam_names_of_buckets_and_access_points() {
        let (bucket, _) = parse("", "logs").unwrap();
        assert_eq!(bucket.object_arn("a*", "eusc-de-east-1"), "arn:aws-eusc:s3:::logs/a*");
        let (point, _) = parse("", "arn:aws:s3:us-east-1:123456789012:accesspoint/my-ap").unwrap();
        assert_eq!(point.arn("eu-west-1"), "arn:aws:s3:us-east-1:123456789012:accesspoint/my-ap");
        assert_eq!(point.object_arn("a*", "eu-west-1"), "arn:aws:s3:us-east-1:123456789012:accesspoint/my-ap/object/a*");
    }
}
