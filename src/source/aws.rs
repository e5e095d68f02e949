//! Credentials, endpoint and region: one way in for the SDK and for whatever else talks to S3.
//!
//! The chain is the AWS CLI's, by aws-config: environment, profile, SSO, web identity, credential process, container,
//! instance. A role given here is assumed on top of it. Nothing is read from the environment by this crate itself.

use super::place::Holder;
use crate::error::{Error, Result};
use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{ProvideCredentials, RequestChecksumCalculation, ResponseChecksumValidation, SharedCredentialsProvider};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

/// Region of the first request when none is configured; S3 answers with the bucket's own.
const FIRST_REGION: &str = "us-east-1";
/// Attempts per request. With the pauses below they span about 13 s, longer than S3 needs to scale a prefix's request rate.
const ATTEMPTS_MAX: u32 = 8;
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// A name that does not resolve or a host that drops packets is told within seconds.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Silence after which an answer is given up; S3 starts to answer within a second or two.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// Name of assumed-role sessions, as CloudTrail shows it.
const SESSION_NAME: &str = "flowproof";

/// How S3 is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct S3Options {
    /// Profile of the AWS config files; default: the chain's own choice.
    pub profile: Option<String>,
    /// Region of the first request; the bucket's own is found by itself.
    pub region: Option<String>,
    /// Endpoint of an S3-compatible server; buckets are then named in the path.
    pub endpoint_url: Option<String>,
    /// Role to assume on top of the chain's credentials.
    pub role_arn: Option<String>,
    /// External id that the role asks for.
    pub external_id: Option<String>,
    /// Sends requests without a signature, for public buckets.
    pub no_sign_request: bool,
    /// Agrees to pay for requests and transfer (requester-pays buckets).
    pub request_payer: bool,
}

/// The way to S3, opened when the first place in S3 is met.
#[derive(Debug)]
pub(crate) struct Access {
    options: S3Options,
    connection: tokio::sync::OnceCell<Connection>,
}

impl Access {
    pub(super) fn new(options: &S3Options) -> Access {
        Access { options: options.clone(), connection: tokio::sync::OnceCell::new() }
    }

    /// Returns the connection.
    ///
    /// # Errors
    /// Those of [`Connection::open`].
    pub(super) async fn connection(&self) -> Result<&Connection> {
        self.connection.get_or_try_init(|| Connection::open(&self.options)).await
    }
}

/// The configured way to S3, shared by every bucket of a run.
#[derive(Debug)]
pub(crate) struct Connection {
    config: SdkConfig,
    options: S3Options,
    buckets: Mutex<HashMap<String, Arc<Bucket>>>,
}

impl Connection {
    /// Finds credentials and endpoint.
    ///
    /// # Errors
    /// A usage error if the options contradict each other; an access error if there are no credentials, or the role is denied.
    pub(crate) async fn open(options: &S3Options) -> Result<Connection> {
        if options.no_sign_request && options.role_arn.is_some() {
            return Err(Error::usage("--no-sign-request and --role-arn exclude each other"));
        }
        if options.external_id.is_some() && options.role_arn.is_none() {
            return Err(Error::usage("--external-id needs --role-arn"));
        }
        let config = load(options).await;
        if !options.no_sign_request {
            check_credentials(&config, options).await?;
        }
        Ok(Connection::of(config, options.clone()))
    }

    pub(super) fn of(config: SdkConfig, options: S3Options) -> Connection {
        Connection { config, options, buckets: Mutex::default() }
    }

    /// Returns the bucket or access point of this name; what is learnt about its region is shared.
    pub(super) fn bucket(&self, holder: &Holder) -> Arc<Bucket> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get(&holder.name) {
            return Arc::clone(bucket);
        }
        let bucket = Arc::new(Bucket::new(holder, &self.config, &self.options));
        buckets.insert(holder.name.clone(), Arc::clone(&bucket));
        bucket
    }
}

async fn load(options: &S3Options) -> SdkConfig {
    let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX).with_initial_backoff(PAUSE_FIRST).with_max_backoff(PAUSE_MAX);
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_MAX).read_timeout(SILENCE_MAX).build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).retry_config(retries).timeout_config(timeouts);
    if let Some(profile) = &options.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &options.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if options.no_sign_request {
        loader = loader.no_credentials();
    }
    let mut config = loader.load().await;
    if config.region().is_none() {
        config = config.into_builder().region(Region::from_static(FIRST_REGION)).build();
    }
    let Some(role) = &options.role_arn else { return config };
    // The endpoint option is for S3 alone: it is set on its clients, so the role is asked for at AWS's own STS.
    let mut provider = AssumeRoleProvider::builder(role).configure(&config).session_name(SESSION_NAME);
    if let Some(id) = &options.external_id {
        provider = provider.external_id(id);
    }
    let provider = SharedCredentialsProvider::new(provider.build().await);
    config.into_builder().credentials_provider(provider).build()
}

/// Asks for credentials once before the first request, so that their absence is told as such and not as a failed listing.
async fn check_credentials(config: &SdkConfig, options: &S3Options) -> Result<()> {
    let hint = match (&options.role_arn, &options.profile) {
        (Some(role), _) => format!("allow sts:AssumeRole on {role}, and check its trust policy and --external-id"),
        (None, Some(profile)) => format!("check profile {profile} with `aws sts get-caller-identity`, or run `aws sso login`"),
        (None, None) => "set AWS_PROFILE or --profile, run `aws sso login`, or use --no-sign-request for a public bucket".to_owned(),
    };
    let Some(provider) = config.credentials_provider() else {
        return Err(Error::access("no AWS credentials were found").with_hint(hint));
    };
    match provider.provide_credentials().await {
        Ok(_) => Ok(()),
        Err(fault) => Err(Error::access("no AWS credentials were found").caused_by(chain(&fault)).with_hint(hint)),
    }
}

/// Returns an error and everything behind it on one line; the SDK keeps the cause a user needs several layers down.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        next = error.source();
    }
    parts.join(": ")
}

/// One bucket or access point, and the client for the region where it lies.
#[derive(Debug)]
pub(crate) struct Bucket {
    /// What it is.
    pub(super) holder: Holder,
    /// Whether requests say that the requester pays.
    pub(super) request_payer: bool,
    state: RwLock<(Client, String)>,
}

impl Bucket {
    fn new(holder: &Holder, config: &SdkConfig, options: &S3Options) -> Bucket {
        let mut builder = aws_sdk_s3::config::Builder::from(config)
            // S3-compatible servers need not know the newer checksums; TLS, length and ETag are checked all the same.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        if let Some(url) = &options.endpoint_url {
            builder = builder.endpoint_url(url);
        }
        // An access point is always named in the host.
        if !holder.is_access_point() && (options.endpoint_url.is_some() || config.endpoint_url().is_some()) {
            builder = builder.force_path_style(true);
        }
        if options.no_sign_request {
            builder = builder.allow_no_auth();
        }
        let region = match &holder.region {
            Some(region) => region.clone(),
            None => config.region().map_or(FIRST_REGION, Region::as_ref).to_owned(),
        };
        builder = builder.region(Region::new(region.clone()));
        let state = RwLock::new((Client::from_conf(builder.build()), region));
        Bucket { holder: holder.clone(), request_payer: options.request_payer, state }
    }

    /// Returns the client for the region that is known so far.
    pub(super) fn client(&self) -> Client {
        self.state.read().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// Returns the region that is known so far.
    pub(super) fn region(&self) -> String {
        self.state.read().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    /// Goes on in another region.
    pub(super) fn move_to(&self, region: &str) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.1 != region {
            let config = state.0.config().to_builder().region(Region::new(region.to_owned())).build();
            *state = (Client::from_conf(config), region.to_owned());
        }
    }
}
