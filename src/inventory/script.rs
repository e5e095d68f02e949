//! The script that collects an inventory: every call it makes, to read before it is run.
//!
//! POSIX sh, read-only calls of the AWS CLI and kubectl. Writes `DIR/STAMP/ACCOUNT/REGION/CALL.json`, which carries time and scope in
//! its path as `scope` reads them. A call that is denied is reported and the rest goes on. This file prints nothing and
//! runs nothing.

/// What to collect.
#[derive(Debug, Clone, Default)]
pub struct ScriptOptions {
    /// Folder to write into; `flowproof-inventory` if empty.
    pub to_dir: String,
    /// Accounts; none means the account of the current credentials.
    pub accounts: Vec<String>,
    /// Regions; none means the region of the current configuration.
    pub regions: Vec<String>,
    /// Role to assume in each account.
    pub role_name: Option<String>,
    /// External id for the role.
    pub external_id: Option<String>,
    /// Whether to ask the clusters' API servers as well (needs kubectl and access to them).
    pub kubernetes: bool,
    /// Buckets of the logs, asked how they are kept.
    pub buckets: Vec<String>,
}

/// Regional read-only calls whose output is one file.
const CALLS: [&str; 23] = [
    "ec2 describe-network-interfaces",
    "ec2 describe-subnets",
    "ec2 describe-vpcs",
    "ec2 describe-availability-zones",
    "ec2 describe-instances",
    "ec2 describe-nat-gateways",
    "ec2 describe-vpc-endpoints",
    "ec2 describe-route-tables",
    "ec2 describe-network-acls",
    "ec2 describe-security-groups",
    "ec2 describe-dhcp-options",
    "ec2 describe-flow-logs",
    "ec2 describe-vpc-peering-connections",
    "ec2 describe-transit-gateways",
    "ec2 describe-transit-gateway-attachments",
    "ec2 describe-transit-gateway-vpc-attachments",
    "ec2 describe-managed-prefix-lists",
    "elbv2 describe-load-balancers",
    "elb describe-load-balancers",
    "route53resolver list-resolver-endpoints",
    "eks list-clusters",
    "ec2 describe-internet-gateways",
    "ec2 describe-addresses",
];

/// Kubernetes objects that name destinations.
const OBJECTS: [&str; 8] = [
    "nodes",
    "services",
    "endpointslices.discovery.k8s.io",
    "pods",
    "validatingwebhookconfigurations",
    "mutatingwebhookconfigurations",
    "apiservices.apiregistration.k8s.io",
    "customresourcedefinitions.apiextensions.k8s.io",
];

/// Helpers of the script. `$work` is a temporary folder; a failure is noted there, since a loop behind a pipe runs in a
/// process of its own.
const HELPERS: &str = r#"
# keep FILE COMMAND...: stores the output of a call, or reports that it failed and goes on
keep() {
  file=$1
  shift
  if "$@" > "$file.part" 2> "$file.err" < /dev/null; then
    mv -f "$file.part" "$file"
    rm -f "$file.err"
  else
    printf 'not collected: %s\n' "$file" | tee -a "$work/failed" >&2
    sed 's/^/  /' "$file.err" >&2
    rm -f "$file.part" "$file.err"
    return 1
  fi
}

call() {
  keep "$@" || true
}

# names COMMAND...: the words of a call's text output, one a line
names() {
  "$@" --output text 2> /dev/null < /dev/null | tr '\t' '\n' | sed '/^$/d; /^None$/d' || true
}
"#;

/// What is collected per cluster and prefix list.
const DETAILS: &str = r#"
collect_cluster() {
  name=$1
  to=$dir/clusters/$name
  mkdir -p "$to"
  call "$to/describe-cluster.json" aws eks describe-cluster --region "$region" --name "$name" --output json
  names aws eks list-updates --region "$region" --name "$name" --query 'updateIds[]' | while IFS= read -r id; do
    call "$to/describe-update-$id.json" aws eks describe-update --region "$region" --name "$name" --update-id "$id" --output json
  done
  names aws eks list-identity-provider-configs --region "$region" --cluster-name "$name" --query 'identityProviderConfigs[].name' |
    while IFS= read -r provider; do
      call "$to/identity-provider-$provider.json" aws eks describe-identity-provider-config --region "$region" \
        --cluster-name "$name" --identity-provider-config "type=oidc,name=$provider" --output json
    done
}

# Attributes are shown one by one, and name no other VPC.
collect_vpcs() {
  names aws ec2 describe-vpcs --region "$region" --query 'Vpcs[].VpcId' | while IFS= read -r vpc; do
    for attribute in enableDnsSupport enableDnsHostnames; do
      call "$dir/${attribute}_$vpc.json" aws ec2 describe-vpc-attribute --region "$region" --vpc-id "$vpc" --attribute "$attribute" --output json
    done
  done
}

# What the cluster's role may do. These lists do not say whose they are: the folder roles/NAME does.
collect_role() {
  arn=$(aws eks describe-cluster --region "$region" --name "$1" --query cluster.roleArn --output text 2> /dev/null < /dev/null) || return 0
  role=${arn##*/}
  to=$dir/roles/$role
  [ ! -d "$to" ] || return 0
  mkdir -p "$to/policies"
  call "$to/get-role.json" aws iam get-role --role-name "$role" --output json
  call "$to/list-attached-role-policies.json" aws iam list-attached-role-policies --role-name "$role" --output json
  call "$to/list-role-policies.json" aws iam list-role-policies --role-name "$role" --output json
  names aws iam list-role-policies --role-name "$role" --query 'PolicyNames[]' | while IFS= read -r policy; do
    call "$to/get-role-policy-$policy.json" aws iam get-role-policy --role-name "$role" --policy-name "$policy" --output json
  done
  {
    names aws iam list-attached-role-policies --role-name "$role" --query 'AttachedPolicies[].PolicyArn'
    names aws iam get-role --role-name "$role" --query 'Role.PermissionsBoundary.PermissionsBoundaryArn'
  } | while IFS= read -r policy; do
    version=$(aws iam get-policy --policy-arn "$policy" --query Policy.DefaultVersionId --output text 2> /dev/null < /dev/null) || version=none
    call "$to/policies/${policy##*/}.json" aws iam get-policy-version --policy-arn "$policy" --version-id "$version" --output json
  done
}

collect_prefix_lists() {
  names aws ec2 describe-managed-prefix-lists --region "$region" --query "PrefixLists[?OwnerId!='AWS'].[PrefixListId]" |
    while IFS= read -r id; do
      call "$dir/entries_$id.json" aws ec2 get-managed-prefix-list-entries --region "$region" --prefix-list-id "$id" --output json
    done
}
"#;

/// What is collected per bucket. The output of these calls does not name the bucket, so it is kept with the name around it; that there
/// is no policy or lock is an error of the CLI, and a fact.
const BUCKET_CALLS: &str = r#"
# of_bucket BUCKET MEMBER NONE COMMAND...: stores the output of a call with the bucket around it; the error NONE means that there is none
of_bucket() {
  bucket=$1
  member=$2
  none=$3
  shift 3
  mkdir -p "$root/$stamp/buckets/$bucket"
  file=$root/$stamp/buckets/$bucket/$3.json
  if "$@" --bucket "$bucket" --query "{Bucket: '$bucket', $member: @}" --output json > "$file.part" 2> "$file.err" < /dev/null; then
    mv -f "$file.part" "$file"
  elif grep -q "($none)" "$file.err"; then
    printf '{"Bucket": "%s", "%s": null}\n' "$bucket" "$member" > "$file"
  else
    printf 'not collected: %s\n' "$file" | tee -a "$work/failed" >&2
    sed 's/^/  /' "$file.err" >&2
  fi
  rm -f "$file.part" "$file.err"
}

collect_bucket() {
  of_bucket "$1" BucketVersioning none aws s3api get-bucket-versioning
  of_bucket "$1" ObjectLock ObjectLockConfigurationNotFoundError aws s3api get-object-lock-configuration
  of_bucket "$1" BucketPolicy NoSuchBucketPolicy aws s3api get-bucket-policy
  of_bucket "$1" PublicAccessBlock NoSuchPublicAccessBlockConfiguration aws s3api get-public-access-block
}
"#;

/// Access to a cluster by a file of our own: `update-kubeconfig` would be the only call that changes something.
const OBJECT_ACCESS: &str = r#"
access() {
  server=$(aws eks describe-cluster --region "$region" --name "$1" --query cluster.endpoint --output text) || return 1
  authority=$(aws eks describe-cluster --region "$region" --name "$1" --query cluster.certificateAuthority.data --output text) || return 1
  cat > "$work/kubeconfig" <<END
apiVersion: v1
kind: Config
current-context: cluster
clusters: [{name: cluster, cluster: {server: "$server", certificate-authority-data: "$authority"}}]
contexts: [{name: cluster, context: {cluster: cluster, user: user}}]
users:
- name: user
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      interactiveMode: Never
      command: aws
      args: [eks, get-token, --region, "$region", --cluster-name, "$1"]
END
}
"#;

/// Returns the script: sh text, to be read and then run by the user.
pub fn script(options: &ScriptOptions) -> String {
    let to_dir = if options.to_dir.is_empty() { "flowproof-inventory" } else { &options.to_dir };
    let mut out = String::from(
        "#!/bin/sh\n# Collects an inventory for flowproof. Every call only reads; nothing is changed in any account.\nset -eu\n",
    );
    out.push_str(&format!("\nroot={}\nstamp=$(date -u +%Y-%m-%dT%H%M%SZ)\nwork=$(mktemp -d)\n", quoted(to_dir)));
    out.push_str("trap 'rm -rf \"$work\"' EXIT\numask 077\n");
    out.push_str(HELPERS);
    out.push_str(DETAILS);
    if !options.buckets.is_empty() {
        out.push_str(BUCKET_CALLS);
    }
    if options.kubernetes {
        out.push_str(OBJECT_ACCESS);
        out.push_str(&objects_function());
    }
    out.push_str(&region_function(options.kubernetes));
    out.push_str(&account_function(options));
    out.push_str(&run_part(options));
    out
}

fn objects_function() -> String {
    let mut out =
        String::from("\n# Asks the cluster's API server, with a temporary access file: ~/.kube is not touched.\ncollect_objects() {\n");
    out.push_str("  to=$dir/clusters/$1\n  if ! access \"$1\"; then\n");
    out.push_str("    printf 'not collected: Kubernetes objects of %s\\n' \"$1\" | tee -a \"$work/failed\" >&2\n    return 0\n  fi\n");
    for object in OBJECTS {
        let file = object.split('.').next().unwrap_or(object);
        out.push_str(&format!(
            "  call \"$to/{file}.json\" kubectl get {object} --kubeconfig \"$work/kubeconfig\" --all-namespaces --output json\n"
        ));
    }
    out.push_str("}\n");
    out
}

fn region_function(kubernetes: bool) -> String {
    let mut out = String::from("\ncollect_region() {\n  region=$1\n  dir=$root/$stamp/$account/$region\n  mkdir -p \"$dir\"\n");
    for call in CALLS {
        out.push_str(&format!("  call \"$dir/{}.json\" aws {call} --region \"$region\" --output json\n", call.replace(' ', "-")));
    }
    out.push_str("  collect_prefix_lists\n  collect_vpcs\n  names aws eks list-clusters --region \"$region\" --query 'clusters[]' > \"$work/clusters\"\n");
    out.push_str("  while IFS= read -r cluster; do\n    collect_cluster \"$cluster\"\n    collect_role \"$cluster\"\n");
    if kubernetes {
        out.push_str("    collect_objects \"$cluster\"\n");
    }
    out.push_str("  done < \"$work/clusters\"\n}\n");
    out
}

fn account_function(options: &ScriptOptions) -> String {
    let mut out = String::from(
        "\n# Runs in a sub-shell, so that one account's credentials never reach the next one.\ncollect_account() (\n  account=$1\n",
    );
    if let Some(role) = &options.role_name {
        let external = options.external_id.as_ref().map(|id| format!(" --external-id {}", quoted(id))).unwrap_or_default();
        out.push_str(&format!("  role={}\n", quoted(role)));
        out.push_str("  partition=$(aws sts get-caller-identity --query Arn --output text | cut -d: -f2)\n");
        out.push_str("  if ! keys=$(aws sts assume-role --role-arn \"arn:$partition:iam::$account:role/$role\" \\\n");
        out.push_str(&format!("    --role-session-name flowproof-inventory{external} \\\n"));
        out.push_str("    --query 'Credentials.[AccessKeyId,SecretAccessKey,SessionToken]' --output text); then\n");
        out.push_str(
            "    printf 'not collected: account %s, role %s cannot be assumed\\n' \"$account\" \"$role\" | tee -a \"$work/failed\" >&2\n",
        );
        out.push_str("    exit 0\n  fi\n");
        for (at, name) in (1..).zip(["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]) {
            out.push_str(&format!("  {name}=$(printf '%s' \"$keys\" | cut -f{at})\n  export {name}\n"));
        }
        out.push_str("  unset AWS_PROFILE AWS_DEFAULT_PROFILE\n");
    }
    if options.regions.is_empty() {
        out.push_str("  collect_region \"${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region)}}\"\n");
    }
    for region in &options.regions {
        out.push_str(&format!("  collect_region {}\n", quoted(region)));
    }
    out.push_str(")\n");
    out
}

fn run_part(options: &ScriptOptions) -> String {
    let mut out = String::from("\nmkdir -p \"$root/$stamp\"\n");
    if options.accounts.is_empty() {
        out.push_str("collect_account \"$(aws sts get-caller-identity --query Account --output text)\"\n");
    }
    for account in &options.accounts {
        out.push_str(&format!("collect_account {}\n", quoted(account)));
    }
    for bucket in &options.buckets {
        out.push_str(&format!("collect_bucket {}\n", quoted(bucket)));
    }
    out.push_str("call \"$root/$stamp/ip-ranges.json\" curl -fsS https://ip-ranges.amazonaws.com/ip-ranges.json\n");
    out.push_str("printf 'collected into %s\\n' \"$root/$stamp\"\n");
    out.push_str("if [ -s \"$work/failed\" ]; then\n  printf 'incomplete: some calls failed, see above\\n' >&2\n  exit 1\nfi\n");
    out
}

/// Returns the text as one word for sh, whatever it holds.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted() {
        assert_eq!(quoted("a'b; rm -rf /"), r"'a'\''b; rm -rf /'");
    }
}
