//! What tables and pictures for people call a cluster: its name, and where another cluster has the same one, its place too.

use std::collections::BTreeMap;

/// Labels by ARN.
#[derive(Debug, Clone, Default)]
pub struct ClusterLabels(BTreeMap<String, String>);

impl ClusterLabels {
    /// Makes labels of ARNs and names; several lives of a cluster are one.
    pub fn of<'a>(clusters: impl IntoIterator<Item = (&'a str, &'a str)>) -> ClusterLabels {
        let names: BTreeMap<&str, &str> = clusters.into_iter().collect();
        let mut bearers: BTreeMap<&str, usize> = BTreeMap::new();
        names.values().for_each(|name| *bearers.entry(name).or_default() += 1);
        let label = |arn: &str, name: &str| match place(arn) {
            _ if bearers.get(name) == Some(&1) => name.to_owned(),
            Some((region, account)) => format!("{name} ({account}, {region})"),
            None => arn.to_owned(),
        };
        ClusterLabels(names.into_iter().map(|(arn, name)| (arn.to_owned(), label(arn, name))).collect())
    }

    /// Returns the label of a cluster; of one that is not among them, its ARN.
    pub fn get<'a>(&'a self, arn: &'a str) -> &'a str {
        self.0.get(arn).map_or(arn, String::as_str)
    }
}

/// Region and account of `arn:aws:eks:REGION:ACCOUNT:cluster/NAME` (EKS API reference, `Cluster.arn`): a name is unique in them.
fn place(arn: &str) -> Option<(&str, &str)> {
    let mut parts = arn.split(':').skip(3);
    Some((parts.next()?, parts.next()?)).filter(|(region, account)| !region.is_empty() && !account.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_several_bear_is_told_apart() {
        let arn = |region: &str, account: &str, name: &str| format!("arn:aws:eks:{region}:{account}:cluster/{name}");
        let (here, there, elsewhere) =
            (arn("eu-west-1", "111122223333", "prod"), arn("eu-west-1", "444455556666", "prod"), arn("us-east-1", "111122223333", "dev"));
        let twice = [(&*here, "prod"), (&*there, "prod"), (&*elsewhere, "dev"), (&*elsewhere, "dev"), ("odd", "prod")];
        let labels = ClusterLabels::of(twice);
        assert_eq!(labels.get(&here), "prod (111122223333, eu-west-1)");
        assert_eq!(labels.get(&there), "prod (444455556666, eu-west-1)");
        assert_eq!(labels.get(&elsewhere), "dev");
        assert_eq!((labels.get("odd"), labels.get("arn:unknown")), ("odd", "arn:unknown"));
    }
}
