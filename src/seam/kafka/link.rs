//! How a cluster is reached: the options that sink and source share, as settings of the client.

use rdkafka::ClientConfig;

use crate::event::Options;
use crate::signature::{OptionSpec, OptionType};

/// Options of a connection.
pub const LINK_OPTIONS: [OptionSpec; 5] = [
    OptionSpec {
        name: "tls",
        ty: OptionType::Bool,
        default: Some("false"),
        doc: "Whether brokers are spoken to over TLS. Needs a build with `--features kafka-tls`.",
    },
    OptionSpec {
        name: "ca_file",
        ty: OptionType::Text,
        default: Some(""),
        doc: "PEM file with the certificates to trust instead of the system's; with `tls = true`.",
    },
    OptionSpec {
        name: "sasl",
        ty: OptionType::Word(&["none", "plain", "scram_sha_256", "scram_sha_512"]),
        default: Some("none"),
        doc: "How `username` and `password` are proved. The `scram` ways need a build with `--features kafka-tls`.",
    },
    OptionSpec { name: "username", ty: OptionType::Text, default: Some(""), doc: "User name for `sasl`." },
    OptionSpec {
        name: "password",
        ty: OptionType::Secret,
        default: Some(""),
        doc: "Password of `username`.",
    },
];

/// Whether TLS and SCRAM were built in.
const HAS_TLS: bool = cfg!(feature = "kafka-tls");

/// How a cluster is reached.
#[derive(Clone)]
pub struct Link {
    servers: String,
    settings: Vec<(&'static str, String)>,
}

/// Without the settings, which hold the password.
impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("servers", &self.servers).finish_non_exhaustive()
    }
}

fn given<'a>(options: &'a Options, name: &str) -> Option<&'a str> {
    options.text(name).filter(|text| !text.is_empty())
}

fn needs_tls(what: &str) -> Result<(), String> {
    if HAS_TLS {
        return Ok(());
    }
    Err(format!(
        "{what} needs a build of aludel with TLS for Kafka, which this one has not: \
         `cargo build --release --features kafka-tls`"
    ))
}

impl Link {
    /// From the arguments (`"host:port", …`) and options of a component.
    pub fn from_options(options: &Options) -> Result<Self, String> {
        // One text may name several, since an environment variable holds only one.
        let servers: Vec<_> =
            options.arguments.iter().flat_map(|text| text.split(',')).map(str::trim).collect();
        if servers.iter().all(|server| server.is_empty()) {
            return Err("no broker is named: write `kafka \"localhost:9092\"`".into());
        }
        for server in &servers {
            check_server(server)?;
        }
        let tls = options.is("tls");
        if tls {
            needs_tls("`tls = true`")?;
        }
        let mut settings = Vec::new();
        match (given(options, "ca_file"), tls) {
            (Some(file), true) => settings.push(("ssl.ca.location", file.to_owned())),
            (Some(_), false) => return Err("`ca_file` is used with `tls = true` only".into()),
            (None, _) => {}
        }
        let mechanism = match options.text("sasl").unwrap_or("none") {
            "plain" => Some("PLAIN"),
            "scram_sha_256" => Some("SCRAM-SHA-256"),
            "scram_sha_512" => Some("SCRAM-SHA-512"),
            _ => None,
        };
        match (mechanism, given(options, "username"), given(options, "password")) {
            (None, None, None) => {}
            (Some(mechanism), Some(user), Some(password)) => {
                if mechanism.starts_with("SCRAM") {
                    needs_tls(&format!("`sasl = {}`", options.text("sasl").unwrap_or_default()))?;
                }
                settings.push(("sasl.mechanism", mechanism.to_owned()));
                settings.push(("sasl.username", user.to_owned()));
                settings.push(("sasl.password", password.to_owned()));
            }
            (Some(_), _, _) => return Err("`sasl` wants `username` and `password`".into()),
            (None, _, _) => return Err("`username` and `password` are used with `sasl` only".into()),
        }
        let protocol = match (tls, mechanism) {
            (false, None) => "plaintext",
            (true, None) => "ssl",
            (false, Some(_)) => "sasl_plaintext",
            (true, Some(_)) => "sasl_ssl",
        };
        settings.push(("security.protocol", protocol.to_owned()));
        Ok(Self { servers: servers.join(","), settings })
    }

    /// The brokers, for people.
    pub fn servers(&self) -> &str {
        &self.servers
    }

    /// Settings for a client.
    pub(super) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.servers).set("client.id", "aludel");
        for (name, value) in &self.settings {
            config.set(*name, value);
        }
        config
    }
}

fn check_server(server: &str) -> Result<(), String> {
    let port = server.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
    if server.contains("://") || port.is_none_or(|port| port.parse::<u16>().is_err()) {
        return Err(format!("`{server}` is not a broker: write host and port, such as `localhost:9092`"));
    }
    Ok(())
}
