//! The real object store: S3, and what speaks its protocol, by the `object_store` crate.
//!
//! In: asks, from a sink on a thread of its own. Out: answers, by polling. One thread runs the connections of one
//! store. Nothing is tried again here: who asks decides that.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, bounded};
use hyper::{Method, Uri};
use object_store::aws::{
    AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, AwsAuthorizer, AwsCredential, S3ConditionalPut,
};
use object_store::client::{HttpClient, HttpConnector, HttpRequest, HttpRequestBody, ReqwestConnector};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{
    Certificate, ClientOptions, Error, GetOptions, ObjectStore, ObjectStoreExt, PutMode, RetryConfig,
    StaticCredentialProvider,
};

use super::http::{Runtime, chain};
use crate::limits::OBJECT_ASKS_MAX;
use crate::seam::{Answer, Ask, Objects, Refusal};

/// Most characters of an error that are shown.
const WHY_CHARS_MAX: usize = 300;

/// Where objects are, and with which rights. Its text names the place and shows nothing else.
#[derive(Clone, Default)]
pub struct Place {
    /// The bucket.
    pub bucket: String,
    /// What all keys begin with, without a slash at its end; may be empty.
    pub prefix: String,
    /// The region; else as the environment has it.
    pub region: Option<String>,
    /// URL of a store that is not Amazon's.
    pub endpoint: Option<String>,
    /// Name and secret of an access key; else as the environment has it.
    pub access_key: Option<(String, String)>,
    /// Token that belongs to a temporary access key.
    pub session_token: Option<String>,
    /// PEM file with certificates to trust beside the public ones.
    pub ca_file: Option<String>,
    /// After this long without an answer a request counts as failed.
    pub timeout: Duration,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        write!(f, "s3://{}{slash}{}", self.bucket, self.prefix)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

type Outcome = (u64, Result<Answer, Refusal>);

/// A store in S3.
pub struct S3 {
    runtime: Runtime,
    client: Arc<Client>,
    /// Has room for more answers than there are asks in flight.
    answered: Sender<Outcome>,
    answers: Receiver<Outcome>,
    /// Polled by `wait`, for the next `poll`.
    next: Option<Outcome>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

struct Client {
    store: AmazonS3,
    /// For what the crate does not know.
    http: HttpClient,
    region: String,
}

impl S3 {
    /// Reads the credentials that the environment has, and starts the thread.
    pub fn connect(place: &Place, wake: Arc<dyn Fn() + Send + Sync>) -> Result<Self, String> {
        let client = Arc::new(Client::new(place)?);
        let runtime = Runtime::start("object-store").map_err(|error| error.to_string())?;
        let (answered, answers) = bounded(2 * OBJECT_ASKS_MAX);
        Ok(Self { runtime, client, answered, answers, next: None, wake })
    }
}

impl Objects for S3 {
    fn start(&mut self, ticket: u64, ask: Ask) {
        let (client, answered, wake) =
            (Arc::clone(&self.client), self.answered.clone(), Arc::clone(&self.wake));
        self.runtime.handle.spawn(async move {
            let result = client.answer(ask).await;
            // Nobody polls any more: the sink is gone.
            let _ = answered.try_send((ticket, result));
            wake();
        });
    }

    fn poll(&mut self) -> Option<Outcome> {
        self.next.take().or_else(|| self.answers.try_recv().ok())
    }

    fn wait(&mut self, at_most: Duration) {
        if self.next.is_none() {
            self.next = self.answers.recv_timeout(at_most).ok();
        }
    }
}

impl Client {
    fn new(place: &Place) -> Result<Self, String> {
        let mut builder = AmazonS3Builder::from_env();
        if let Some(endpoint) = &place.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        let endpoint = builder.get_config_value(&AmazonS3ConfigKey::Endpoint).unwrap_or_default();
        let plain = endpoint.starts_with("http://");
        let mut options = ClientOptions::new().with_timeout(place.timeout).with_allow_http(plain);
        if let Some(path) = &place.ca_file {
            let pem = std::fs::read(path).map_err(|error| format!("cannot read `{path}`: {error}"))?;
            let certificates = Certificate::from_pem_bundle(&pem)
                .map_err(|error| format!("`{path}` holds no PEM certificate: {error}"))?;
            options = certificates.into_iter().fold(options, ClientOptions::with_root_certificate);
        }
        let retries = RetryConfig { max_retries: 0, ..RetryConfig::default() };
        builder = builder
            .with_bucket_name(&place.bucket)
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            .with_retry(retries)
            .with_client_options(options.clone());
        if let Some(region) = &place.region {
            builder = builder.with_region(region);
        }
        if let Some((id, secret)) = &place.access_key {
            // Not by the builder's own options: a token of the environment belongs to its key, not to this one.
            builder = builder.with_credentials(Arc::new(StaticCredentialProvider::new(AwsCredential {
                key_id: id.clone(),
                secret_key: secret.clone(),
                token: place.session_token.clone(),
            })));
        }
        let region = builder.get_config_value(&AmazonS3ConfigKey::Region);
        let store = builder.build().map_err(|error| error.to_string())?;
        let http = ReqwestConnector::default().connect(&options).map_err(|error| error.to_string())?;
        Ok(Self { store, http, region: region.unwrap_or_else(|| "us-east-1".to_owned()) })
    }

    async fn answer(&self, ask: Ask) -> Result<Answer, Refusal> {
        let path = |key: &str| Path::parse(key).map_err(|error| Refusal::Denied(error.to_string()));
        let answer = match ask {
            Ask::Begin { key } => self.store.create_multipart(&path(&key)?).await.map(Answer::Upload),
            Ask::Part { key, upload, number, bytes } => {
                let part = self.store.put_part(&path(&key)?, &upload, number as usize, bytes.into()).await;
                part.map(|part| Answer::Part(part.content_id))
            }
            Ask::Complete { key, upload, parts } => {
                let parts = parts.into_iter().map(|content_id| PartId { content_id }).collect();
                let object = self.store.complete_multipart(&path(&key)?, &upload, parts).await;
                object.map(|_| Answer::Done)
            }
            Ask::Abort { key, upload } => {
                self.store.abort_multipart(&path(&key)?, &upload).await.map(|()| Answer::Done)
            }
            Ask::Put { key, bytes, create } => {
                let mode = if create { PutMode::Create } else { PutMode::Overwrite };
                let object = self.store.put_opts(&path(&key)?, bytes.into(), mode.into()).await;
                object.map(|_| Answer::Done)
            }
            Ask::Get { key } => match self.store.get(&path(&key)?).await {
                Ok(object) => object.bytes().await.map(Answer::Object),
                Err(error) => Err(error),
            },
            Ask::Size { key } => {
                let options = GetOptions { head: true, ..GetOptions::default() };
                let object = self.store.get_opts(&path(&key)?, options).await;
                object.map(|object| Answer::Size(object.meta.size))
            }
            Ask::List { folder } => {
                let listed = self.store.list_with_delimiter(Some(&path(&folder)?)).await;
                listed.map(|list| {
                    Answer::Keys(list.objects.into_iter().map(|object| object.location.into()).collect())
                })
            }
            Ask::Uploads { prefix } => return self.uploads(&prefix).await.map(Answer::Uploads),
            Ask::Remove { key } => match self.store.delete(&path(&key)?).await {
                Err(Error::NotFound { .. }) => Ok(Answer::Done),
                other => other.map(|()| Answer::Done),
            },
        };
        answer.map_err(|error| refusal(&error))
    }

    /// `ListMultipartUploads`, page by page.
    async fn uploads(&self, prefix: &str) -> Result<Vec<(String, String)>, Refusal> {
        let later = |why: String| Refusal::Later { why, after: None };
        let own = |error: Error| refusal(&error);
        // The bucket's own URL, with the bucket in the host or in the path, whichever the store wants.
        let probe = self
            .store
            .signed_url(Method::GET, &Path::from("x"), Duration::from_secs(1))
            .await
            .map_err(own)?;
        let bucket = format!(
            "{}{}",
            probe.origin().ascii_serialization(),
            probe.path().strip_suffix("/x").unwrap_or_default()
        );
        let (mut found, mut from) = (Vec::new(), None::<(String, String)>);
        loop {
            let mut query = String::new();
            // In the order in which they are signed.
            if let Some((key, upload)) = &from {
                query = format!("key-marker={}&", encoded(key));
                query += &format!("prefix={}&upload-id-marker={}&uploads=", encoded(prefix), encoded(upload));
            } else {
                query += &format!("prefix={}&uploads=", encoded(prefix));
            }
            let uri: Uri = format!("{bucket}/?{query}").parse().map_err(|error| later(format!("{error}")))?;
            let mut request = HttpRequest::new(HttpRequestBody::empty());
            *request.uri_mut() = uri;
            let credential = self.store.credentials().get_credential().await.map_err(own)?;
            AwsAuthorizer::new(&credential, "s3", &self.region).authorize(&mut request, None);
            let response = self.http.execute(request).await.map_err(|error| later(chain(&error)))?;
            let status = response.status();
            let body = response.into_body().bytes().await.map_err(|error| later(chain(&error)))?;
            let text = String::from_utf8_lossy(&body);
            if !status.is_success() {
                return Err(classified(&text, &format!("it answers {status}")));
            }
            let before = found.len();
            for upload in elements(&text, "Upload") {
                if let (Some(key), Some(id)) = (element(upload, "Key"), element(upload, "UploadId")) {
                    found.push((plain(key), plain(id)));
                }
            }
            let truncated = element(&text, "IsTruncated").is_some_and(|text| text == "true");
            match found.last() {
                Some(last) if truncated && found.len() > before => from = Some(last.clone()),
                _ => return Ok(found),
            }
        }
    }
}

/// The text between `<name>` and `</name>`, the first.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

/// The texts of all elements of this name.
fn elements<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let (begin, end) = (format!("<{name}>"), format!("</{name}>"));
    xml.split(&begin).skip(1).filter_map(|rest| rest.split_once(&end).map(|(text, _)| text)).collect()
}

/// Text without the five entities of XML.
fn plain(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    text.replace("&apos;", "'").replace("&#34;", "\"").replace("&#39;", "'").replace("&amp;", "&")
}

/// Everything but unreserved characters as `%XX`, as signatures want it.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out += &format!("%{byte:02X}");
        }
    }
    out
}

fn refusal(error: &Error) -> Refusal {
    let text = format!("{error}: {}", chain(error));
    if element(&text, "Code").is_some() {
        return classified(&text, "");
    }
    match error {
        // Answers to `HEAD` have no body.
        Error::NotFound { .. } => Refusal::Missing,
        Error::AlreadyExists { .. } | Error::Precondition { .. } => Refusal::Exists,
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
            Refusal::Denied(format!("access is denied: {}", short(&chain(error))))
        }
        Error::NotImplemented { .. } | Error::NotSupported { .. } | Error::InvalidPath { .. } => {
            Refusal::Denied(short(&error.to_string()))
        }
        _ => Refusal::Later { why: short(&chain(error)), after: None },
    }
}

/// By the error code of S3 (API reference, "List of error codes").
fn classified(text: &str, otherwise: &str) -> Refusal {
    let Some(code) = element(text, "Code") else {
        return Refusal::Later { why: short(otherwise), after: None };
    };
    let message = element(text, "Message").map(plain).unwrap_or_default();
    let why = short(&format!("{code}: {message}"));
    match code {
        "NoSuchKey" | "NoSuchUpload" => Refusal::Missing,
        // A conditional put that met another of the same name: who asks looks.
        "PreconditionFailed" | "ConditionalRequestConflict" => Refusal::Exists,
        "InvalidPart" | "InvalidPartOrder" | "EntityTooSmall" => Refusal::Unfit(why),
        "NoSuchBucket"
        | "AccessDenied"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "ExpiredToken"
        | "InvalidToken"
        | "NotImplemented"
        | "PermanentRedirect"
        | "AuthorizationHeaderMalformed"
        | "AccountProblem"
        | "AllAccessDisabled"
        | "InvalidBucketName"
        | "MethodNotAllowed" => Refusal::Denied(why),
        _ => Refusal::Later { why, after: None },
    }
}

fn short(text: &str) -> String {
    text.chars().take(WHY_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_are_read_from_their_list() {
        let xml = "<R><IsTruncated>false</IsTruncated>\
                   <Upload><Key>a/b&amp;c</Key><UploadId>1</UploadId></Upload>\
                   <Upload><Key>d</Key><UploadId>2</UploadId></Upload></R>";
        let all: Vec<_> = elements(xml, "Upload")
            .into_iter()
            .map(|upload| (element(upload, "Key").map(plain), element(upload, "UploadId")))
            .collect();
        assert_eq!(all, [(Some("a/b&c".to_owned()), Some("1")), (Some("d".to_owned()), Some("2"))]);
    }

    #[test]
    fn a_place_shows_no_secret() {
        let place = Place {
            bucket: "logs".into(),
            prefix: "web".into(),
            access_key: Some(("id".into(), "sesame".into())),
            ..Place::default()
        };
        assert_eq!(format!("{place} {place:?}"), "s3://logs/web s3://logs/web");
    }

    #[test]
    fn codes_say_what_to_do() {
        let refused = |code: &str| classified(&format!("<Error><Code>{code}</Code></Error>"), "");
        assert_eq!(refused("NoSuchUpload"), Refusal::Missing);
        assert_eq!(refused("PreconditionFailed"), Refusal::Exists);
        assert!(matches!(refused("InvalidPart"), Refusal::Unfit(_)));
        assert!(matches!(refused("NoSuchBucket"), Refusal::Denied(_)));
        assert!(matches!(refused("SlowDown"), Refusal::Later { .. }));
    }
}
