//! Elasticsearch: documents into data streams, each of them once.
//!
//! In: rows, on the workers ([`encode`]). Out: `POST /_bulk` to one of several nodes ([`ship`]), and what became
//! of every row ([`answer`], [`respond`]). Each row is created under its event id: sent again after a time-out, a
//! restart or a crash it is refused as a conflict with itself, which counts as delivered. Rows are judged one by one:
//! those that cannot be taken now go again alone, those that never will come back as rejected, with the reason.
//!
//! Ids are unique in one backing index only. What that asks for is in [`records`] (what is durable before a row is
//! sent), [`doubt`] and [`ask`] (looking up). Seen on Elasticsearch 8.19, in `tests/all/elasticsearch/real.rs` and
//! `tests/all/killed.rs`:
//!
//! - created again after a rollover, the same `_id` is simply created in the new backing index, with status 201;
//! - `_resolve/index` gives a data stream's backing indices, oldest first, the last one is written to; a name that
//!   is not there is a 404 with `index_not_found_exception`;
//! - `_mget` does not take the name of a data stream (`index_not_found_exception` for each id), only that of a
//!   backing index; it sees documents that no refresh has shown yet, and says per id when an index is gone;
//! - a lazy rollover shows the new backing index only after the next write;
//! - creating in an old backing index directly is refused, so that there is no way to pin a retry to one.
//!
//! Fields that do not fit the live mapping are the matter of [`suspect`], [`mapping`] and [`aside`]; templates that of
//! [`mod@setup`].
//!
//! `name.rs` is the smallest part; begin there.

mod answer;
mod aside;
mod ask;
mod buffer;
mod doubt;
mod encode;
mod fields;
mod mapping;
mod name;
mod names;
mod node;
mod parcel;
mod records;
mod respond;
mod row;
mod setup;
mod ship;
mod suspect;
mod tasks;

use std::sync::{Arc, Mutex, PoisonError};

use data_encoding::{BASE64, HEXLOWER};
use sha2::{Digest, Sha256};

use crate::event::{Options, Template};
use crate::limits::{BULK_BODY_BYTES, BULK_ROW_BYTES_MAX, REQUESTS_MAX};
use crate::position::CursorRecord;
use crate::signature::{OptionSpec, OptionType, Signature};
use crate::sink::wait::Random;
use crate::sink::{Encoder, Endpoint, OpenError, Shape, Sink, SinkKind, SinkPlan, World};
use buffer::Buffers;
use encode::BulkEncoder;
use fields::Fields;
use names::Names;
use node::Node;
use records::Records;
use ship::{Shipper, Shipping};
use tasks::Tasks;

pub use setup::{Piece, Setup, setup};

/// What the catalog lists.
pub const KIND: SinkKind = SinkKind { signature: &SIGNATURE, plan };

const SIGNATURE: Signature = Signature {
    name: "elasticsearch",
    summary: "documents into Elasticsearch data streams, each of them once",
    doc: "\
Sends each event as a document to the data stream that `data_stream` names, over one or more nodes:

    sink es = elasticsearch \"https://es-0:9200\", \"https://es-1:9200\" {
      data_stream = \"logs-{.service.name}-prod\"
      fallback = \"logs-other-prod\"
      api_key = secret(\"file:/run/secrets/es-api-key\")
    }

Several nodes may also stand in one text, with commas between, as an environment variable gives them.

**Names.** A value in a hole is made lower case, and every character that a data stream or one of its parts cannot
hold becomes `_`, also `-`, which stands between the parts. Rows whose field is missing or has no letter or digit go to `fallback`.

**Once.** A document's `_id` is its event id and is only ever *created*: the same row sent again is a conflict with
itself and counts as delivered. Elasticsearch checks ids within one backing index only. So how far each stream was
sent, and where to, is kept in the data folder, and rows in doubt (an answer that was lost, a kill) are looked up in the
backing indices of then to now before they are created again, once the server is no longer at work on requests of
before. New rows are not looked up. Needed are the privileges `create_doc`, `auto_configure`, `read` and
`view_index_metadata`, and `monitor` of the cluster; without one of the last three the sink says so once and goes on, and a
row that is sent again after a rollover can appear twice.

**What does not fit.** The mapping of a data stream is asked for before the first row, at a rollover, and when a row
was refused. A field that it cannot take goes to `_conflict`, a list of `{field, value}` with the value as text; the rest
of the event lands. It is counted, and said once. `aludel elasticsearch setup FILE --print|--apply` makes templates and a
lifecycle from the types that the compiler knows, so that there are few such fields.

**What is refused.** 429 and 5xx: only the rows concerned go again, later and later, up to 30 seconds apart, and
`Retry-After` is kept to. A request that is too large goes in halves. A row that will never be taken goes to the dead
letters with the reason; so does one that went to the data stream's failure store. 401, 403 and 404: nothing is lost,
everything waits and is tried again. A node that fails is left alone for a while; requests in flight are halved when the
cluster is too busy, and slowly become as many as `concurrency` again.",
    form: "elasticsearch \"URL\", … { … }",
    options: OPTIONS,
    examples: &[],
};

const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        name: "data_stream",
        ty: OptionType::Template,
        default: None,
        doc: "Name of the data stream, with fields in braces: `logs-{.service.name}-prod`.",
    },
    OptionSpec {
        name: "fallback",
        ty: OptionType::Text,
        default: Some(""),
        doc: "Data stream for rows that cannot fill the holes of `data_stream`; needed where it has any.",
    },
    OptionSpec {
        name: "api_key",
        ty: OptionType::Secret,
        default: Some(""),
        doc: "API key, as `id:key` or as Elasticsearch encodes it.",
    },
    OptionSpec {
        name: "username",
        ty: OptionType::Text,
        default: Some(""),
        doc: "User name, together with `password`; not beside `api_key`.",
    },
    OptionSpec {
        name: "password",
        ty: OptionType::Secret,
        default: Some(""),
        doc: "Password of `username`.",
    },
    OptionSpec {
        name: "ca_file",
        ty: OptionType::Text,
        default: Some(""),
        doc: "PEM file with certificates to trust beside the public ones.",
    },
    OptionSpec {
        name: "compression",
        ty: OptionType::Word(&["none", "gzip"]),
        default: Some("none"),
        doc: "`gzip` sends about an eighth of the bytes and costs the agent about as much as all the rest.",
    },
    OptionSpec {
        name: "concurrency",
        ty: OptionType::Int,
        default: Some("4"),
        doc: "Requests in flight at once at most, over all nodes, 1 to 64; fewer while the cluster is too busy.",
    },
    OptionSpec {
        name: "body_bytes",
        ty: OptionType::Size,
        default: Some("1MiB"),
        doc: "Size of a request's body before compression. A larger row goes alone.",
    },
    OptionSpec {
        name: "timeout",
        ty: OptionType::Duration,
        default: Some("60s"),
        doc: "A request without an answer after this long is sent again. Where the data stream has rolled over meanwhile, the \
              server is taken to be at work on the old one for as long; so do not make it short.",
    },
    OptionSpec {
        name: "lifecycle",
        ty: OptionType::Word(&["data_stream", "ilm", "none"]),
        default: Some("data_stream"),
        doc: "For `aludel elasticsearch setup`: what makes old data go. `data_stream` is the data stream's own lifecycle, \
              `ilm` a policy for index lifecycle management, `none` leaves it to somebody else, as OpenSearch needs it.",
    },
    OptionSpec {
        name: "retention",
        ty: OptionType::Duration,
        default: Some("0s"),
        doc: "For `aludel elasticsearch setup`: how long data is kept, counted from the rollover; 0 is for ever.",
    },
    OptionSpec {
        name: "rollover_age",
        ty: OptionType::Duration,
        default: Some("0s"),
        doc: "For `aludel elasticsearch setup` with `lifecycle = ilm`: age at which a backing index is followed by \
              the next; 0 is 30 days.",
    },
    OptionSpec {
        name: "rollover_bytes",
        ty: OptionType::Size,
        default: Some("0"),
        doc: "The same: size of a primary shard; 0 is 50 GB.",
    },
];

/// A checked sink.
struct Plan {
    name: String,
    endpoints: Vec<Endpoint>,
    template: Template,
    fallback: Option<String>,
    body_bytes: usize,
    shipping: Shipping,
    buffers: Buffers,
    names: Names,
    fields: Arc<Mutex<Fields>>,
}

fn plan(name: &str, options: &Options) -> Result<Box<dyn SinkPlan>, String> {
    let template = options.template("data_stream").cloned().unwrap_or_default();
    let fallback = options.given("fallback").map(str::to_owned);
    name::RULES.check(&template, fallback.as_deref())?;
    let body_bytes = within(options, "body_bytes", BULK_BODY_BYTES, 1024..=BULK_ROW_BYTES_MAX)?;
    let concurrency = within(options, "concurrency", 4, 1..=REQUESTS_MAX)?;
    let timeout = options.duration("timeout").unwrap_or(std::time::Duration::from_secs(60));
    setup::Lifecycle::new(options)?;
    if timeout.is_zero() {
        return Err("`timeout` must be longer than nothing".into());
    }
    Ok(Box::new(Plan {
        name: name.to_owned(),
        endpoints: endpoints(options)?,
        template,
        fallback,
        body_bytes,
        shipping: Shipping { gzip: options.text("compression") == Some("gzip"), concurrency, timeout },
        buffers: Buffers::new(body_bytes),
        names: Names::default(),
        fields: Arc::default(),
    }))
}

fn within(
    options: &Options,
    name: &str,
    default: usize,
    range: std::ops::RangeInclusive<usize>,
) -> Result<usize, String> {
    let Some(int) = options.int(name) else { return Ok(default) };
    usize::try_from(int)
        .ok()
        .filter(|int| range.contains(int))
        .ok_or_else(|| format!("`{name}` is {int}, and goes from {} to {}", range.start(), range.end()))
}

fn endpoints(options: &Options) -> Result<Vec<Endpoint>, String> {
    let authorization = match (options.given("api_key"), options.given("username"), options.given("password"))
    {
        (None, None, None) => None,
        (Some(key), None, None) if key.contains(':') => {
            Some(format!("ApiKey {}", BASE64.encode(key.as_bytes())))
        }
        (Some(key), None, None) => Some(format!("ApiKey {key}")),
        (None, Some(user), Some(password)) => {
            Some(format!("Basic {}", BASE64.encode(format!("{user}:{password}").as_bytes())))
        }
        (Some(_), _, _) => {
            return Err("`api_key` stands alone: leave out `username` and `password`".into());
        }
        (None, _, _) => return Err("`username` and `password` belong together".into()),
    };
    let ca_file = options.given("ca_file").map(str::to_owned);
    if options.arguments.is_empty() {
        return Err("no node is named: write `elasticsearch \"http://localhost:9200\"`".into());
    }
    let endpoint = |url: &str| {
        let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        let rest = rest.filter(|rest| !rest.is_empty()).ok_or_else(|| {
            format!("`{url}` is not the URL of a node: it begins with `http://` or `https://`")
        })?;
        if rest.split('/').next().is_some_and(|host| host.contains('@')) {
            return Err("a URL is shown to people: give `username` and `password` as options".to_owned());
        }
        Ok(Endpoint {
            url: url.trim_end_matches('/').to_owned(),
            authorization: authorization.clone(),
            ca_file: ca_file.clone(),
        })
    };
    // One text may name several, since an environment variable holds only one.
    options.arguments.iter().flat_map(|urls| urls.split(',')).map(|url| endpoint(url.trim())).collect()
}

impl SinkPlan for Plan {
    fn encoder(&self, shape: &Shape) -> Result<Box<dyn Encoder>, String> {
        let router =
            name::router(&self.template, self.fallback.as_deref(), &shape.layout, self.names.clone())?;
        self.fields.lock().unwrap_or_else(PoisonError::into_inner).add(shape);
        let timestamp = shape.layout.slot("@timestamp");
        let buffers = self.buffers.clone();
        Ok(Box::new(BulkEncoder::new(router, buffers, timestamp, self.body_bytes, self.shipping.gzip)))
    }

    fn open(&self, world: World) -> Result<(Box<dyn Sink>, Vec<CursorRecord>), OpenError> {
        self.buffers.begin();
        let node = |endpoint: &Endpoint| {
            let transport = world.network.connect(endpoint, Arc::clone(&world.wake))?;
            Ok(Node { url: endpoint.url.clone(), transport, in_flight: 0, wait: None })
        };
        let nodes = self.endpoints.iter().map(node).collect::<Result<Vec<_>, String>>()?;
        let random = Random::of_sink(&self.name, world.clock.now_unix_ns());
        let (records, warnings) = Records::open(Arc::clone(&world.fs), &world.data_dir, &self.name)
            .map_err(|error| format!("cannot read its records in {}: {error}", world.data_dir.display()))?;
        let durable = (records, warnings);
        let told = (self.names.clone(), Arc::clone(&self.fields));
        let agent: Vec<u8> = Sha256::digest(&world.host).iter().take(8).copied().collect();
        let tasks = Tasks::new(&HEXLOWER.encode(&agent), &self.name, world.clock.now_unix_ns());
        let shipper = Shipper::new(
            self.shipping.clone(),
            self.buffers.clone(),
            nodes,
            random,
            durable,
            told,
            (world.clock, tasks),
        );
        Ok((Box::new(shipper), Vec::new()))
    }

    fn guarantee(&self) -> &'static str {
        "effectively once: a row is created under its own id, sent again it is refused as itself, and one in doubt \
         is looked up in all backing indices where it can be"
    }

    fn place(&self) -> String {
        let urls: Vec<_> = self.endpoints.iter().map(|endpoint| endpoint.url.as_str()).collect();
        urls.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::OptionValue;

    fn planned(urls: &[&str], values: &[(&'static str, &str)]) -> Result<Vec<Option<String>>, String> {
        let mut all = vec![(
            "data_stream",
            OptionValue::Template(Template::parse("logs-web-prod").expect("a template")),
        )];
        all.extend(values.iter().map(|(name, text)| {
            let value = text.parse().map_or_else(|_| OptionValue::Text((*text).into()), OptionValue::Int);
            (*name, value)
        }));
        let options = Options::new(urls.iter().map(|url| (*url).to_owned()).collect(), all);
        plan("es", &options)?;
        Ok(endpoints(&options)?.into_iter().map(|endpoint| endpoint.authorization).collect())
    }

    #[test]
    fn credentials_become_one_header() {
        let http = &["http://a:9200"][..];
        assert_eq!(planned(http, &[]), Ok(vec![None]));
        assert_eq!(planned(&["http://a, https://b", "http://c"], &[]), Ok(vec![None; 3]));
        assert_eq!(planned(http, &[("api_key", "id:key")]), Ok(vec![Some("ApiKey aWQ6a2V5".into())]));
        assert_eq!(planned(http, &[("api_key", "aWQ6a2V5")]), Ok(vec![Some("ApiKey aWQ6a2V5".into())]));
        let basic = planned(http, &[("username", "u"), ("password", "p")]);
        assert_eq!(basic, Ok(vec![Some("Basic dTpw".into())]));
    }

    #[test]
    fn what_cannot_work_is_said_at_once() {
        let fault =
            |urls: &[&str], values: &[(&'static str, &str)]| planned(urls, values).expect_err("a fault");
        assert!(fault(&[], &[]).contains("no node"));
        assert!(fault(&["localhost:9200"], &[]).contains("begins with"));
        assert!(fault(&["http://u:p@a"], &[]).contains("options"));
        assert!(!fault(&["http://u:p@a"], &[]).contains("u:p"), "a password is never shown");
        assert!(fault(&["http://a"], &[("username", "u")]).contains("belong together"));
        assert!(fault(&["http://a"], &[("api_key", "k"), ("username", "u")]).contains("stands alone"));
        assert!(fault(&["http://a"], &[("concurrency", "0")]).contains("1 to 64"));
        assert!(fault(&["http://a"], &[("body_bytes", "10")]).contains("goes from"));
    }
}
