//! The codes that usage types begin with, and the regions that they stand for: `EUC1-NatGateway-Bytes` is eu-central-1's.
//!
//! Rests on AWS's page "Region billing codes" and on bills. us-east-1 has a code too, but most of its meters stand without.
//! `APS1` is Singapore; Mumbai, `ap-south-1`, is `APS3`.

/// Code, region, and whether AWS writes this code today; older and unconfirmed spellings are read, never written.
const CODES: &[(&str, &str, bool)] = &[
    ("USE1", "us-east-1", true),
    ("USE2", "us-east-2", true),
    ("USW1", "us-west-1", true),
    ("USW2", "us-west-2", true),
    ("CAN1", "ca-central-1", true),
    ("CAN2", "ca-west-1", true),
    ("MXC1", "mx-central-1", true),
    ("SAE1", "sa-east-1", true),
    ("AFS1", "af-south-1", true),
    ("CPT", "af-south-1", false),
    ("APE1", "ap-east-1", true),
    ("APE2", "ap-east-2", true),
    ("APN1", "ap-northeast-1", true),
    ("APN2", "ap-northeast-2", true),
    ("APN3", "ap-northeast-3", true),
    ("APS1", "ap-southeast-1", true),
    ("APS2", "ap-southeast-2", true),
    ("APS3", "ap-south-1", true),
    ("APS4", "ap-southeast-3", true),
    ("APS5", "ap-south-2", true),
    ("APS6", "ap-southeast-4", true),
    ("APS7", "ap-southeast-5", true),
    ("APS8", "ap-southeast-6", true),
    ("APS9", "ap-southeast-7", true),
    ("EU", "eu-west-1", true),
    ("EUW1", "eu-west-1", false),
    ("EUW2", "eu-west-2", true),
    ("EUW3", "eu-west-3", true),
    ("EUC1", "eu-central-1", true),
    ("EUC2", "eu-central-2", true),
    ("EUN1", "eu-north-1", true),
    ("EUS1", "eu-south-1", true),
    ("EUS2", "eu-south-2", true),
    ("MES1", "me-south-1", false),
    ("MEC1", "me-central-1", false),
    ("ILC1", "il-central-1", false),
    ("UGW1", "us-gov-west-1", true),
    ("UGE1", "us-gov-east-1", true),
];

/// Regions whose code is not known.
const WITHOUT_CODE: [&str; 2] = ["cn-north-1", "cn-northwest-1"];

/// Returns whether AWS has such a region, as far as this build knows.
pub fn is_region(region: &str) -> bool {
    CODES.iter().any(|(_, known, _)| *known == region) || WITHOUT_CODE.contains(&region)
}

/// Returns the region that a code stands for.
pub fn region_of_prefix(prefix: &str) -> Option<&'static str> {
    CODES.iter().find(|(code, ..)| *code == prefix).map(|(_, region, _)| *region)
}

/// Returns a region's code as AWS writes it between hyphens; us-east-1's too, though most of its usage types go without.
pub fn prefix_of_region(region: &str) -> Option<&'static str> {
    CODES.iter().find(|(_, named, today)| *named == region && *today).map(|(code, ..)| *code)
}

/// Region whose usage types go without its code.
pub const UNPREFIXED: &str = "us-east-1";

/// Returns a meter's usage type as the bill of a region has it; `None` if the region's code is not confirmed.
pub fn usage_type_in(region: &str, meter: &str) -> Option<String> {
    let code = prefix_of_region(region)?;
    Some(if region == UNPREFIXED { meter.to_owned() } else { format!("{code}-{meter}") })
}

/// Splits a usage type into the region's code and the meter: `EUC1-NatGateway-Bytes`, `NatGateway-Bytes`.
///
/// A code is told by its form, so that a region younger than the table is not taken for a meter of its own. Of
/// `USE1-EU-AWS-Out-Bytes` the destination stays with the meter. `Global-…` (free allowances) has no code.
pub fn split_usage_type(usage_type: &str) -> (Option<&str>, &str) {
    match usage_type.split_once('-') {
        Some((head, meter)) if head != "AWS" && is_code(head) => (Some(head), meter),
        _ => (None, usage_type),
    }
}

/// Two to four capitals, then at most one digit.
pub(super) fn is_code(head: &str) -> bool {
    let letters = head.trim_end_matches(|c: char| c.is_ascii_digit());
    (2..=4).contains(&letters.len()) && head.len() - letters.len() <= 1 && letters.bytes().all(|letter| letter.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_regions() {
        assert_eq!(region_of_prefix("APS1"), Some("ap-southeast-1"));
        assert_eq!(region_of_prefix("APS3"), Some("ap-south-1"));
        assert_eq!(region_of_prefix("EUW1"), Some("eu-west-1"));
        assert_eq!(region_of_prefix("XYZ1"), None);
        assert_eq!(prefix_of_region("eu-west-1"), Some("EU"));
        assert_eq!(prefix_of_region("af-south-1"), Some("AFS1"));
        for (code, region, today) in CODES {
            assert_eq!(region_of_prefix(code), Some(*region));
            assert!(is_code(code), "{code}");
            assert_eq!(prefix_of_region(region) == Some(code), *today, "{code}");
        }
    }

    #[test]
    fn usage_types_are_split() {
        let check = |text, want| assert_eq!(split_usage_type(text), want, "{text}");
        check("NatGateway-Bytes", (None, "NatGateway-Bytes"));
        check("EUC1-NatGateway-Bytes", (Some("EUC1"), "NatGateway-Bytes"));
        check("EU-RegionalNatGateway-Hours", (Some("EU"), "RegionalNatGateway-Hours"));
        check("USE1-EU-AWS-Out-Bytes", (Some("USE1"), "EU-AWS-Out-Bytes"));
        check("EU-AWS-Out-Bytes", (Some("EU"), "AWS-Out-Bytes"));
        check("AWS-Out-Bytes", (None, "AWS-Out-Bytes"));
        check("Global-DataTransfer-Regional-Bytes", (None, "Global-DataTransfer-Regional-Bytes"));
        check("APN1-PublicIPv4:IdleAddress", (Some("APN1"), "PublicIPv4:IdleAddress"));
        check("XYZ1-NatGateway-Bytes", (Some("XYZ1"), "NatGateway-Bytes"));
    }
}
