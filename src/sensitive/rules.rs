//! The table of rules.
//!
//! Prefixes, lengths and alphabets are what the issuers document of their keys and tokens, or what their own tools print;
//! where an issuer says a form without a length, the bounds are wide. Examples and near misses: `examples.txt`.

use super::Part::{Run, Text};
use super::chars::{alnum, base32, base64, digit, hex, letter, lower, lower_hex, padded, upper, word};
use super::{Class, Form, Part, Rule, assign, web};

const fn token(
    name: &'static str,
    what: &'static str,
    anchors: &'static [&'static str],
    parts: &'static [Part],
) -> Rule {
    Rule { name, class: Class::Secrets, confidence: 95, what, anchors, form: Form::Parts(parts) }
}

const fn checked(
    name: &'static str,
    confidence: u8,
    what: &'static str,
    anchors: &'static [&'static str],
    check: fn(&[u8], std::ops::Range<usize>) -> Option<std::ops::Range<usize>>,
) -> Rule {
    Rule { name, class: Class::Secrets, confidence, what, anchors, form: Form::Check(check) }
}

const fn shape(class: Class, confidence: u8, what: &'static str) -> Rule {
    Rule { name: class.name(), class, confidence, what, anchors: &[], form: Form::Shape }
}

/// Every rule.
pub static RULES: &[Rule] = &[
    // Clouds.
    token(
        "aws.access_key",
        "id of an access key of AWS",
        &["AKIA", "ASIA", "ABIA", "ACCA"],
        &[Run(base32, 16, 16)],
    ),
    checked(
        "aws.secret_key",
        95,
        "secret of an access key of AWS",
        &["secretaccesskey", "secret_access_key", "secret-access-key", "aws_secret"],
        assign::aws_secret,
    ),
    token("gcp.api_key", "API key of Google", &["AIza"], &[Run(word, 35, 35)]),
    token("gcp.oauth_token", "OAuth access token of Google", &["ya29."], &[Run(word, 20, 2048)]),
    token("gcp.client_secret", "OAuth client secret of Google", &["GOCSPX-"], &[Run(word, 28, 28)]),
    checked(
        "azure.storage_key",
        99,
        "key of an Azure storage account",
        &["accountkey=", "sharedaccesskey="],
        web::azure_key,
    ),
    checked("azure.sas", 95, "signature of a shared access link of Azure", &["sig="], web::azure_signature),
    checked(
        "azure.client_secret",
        95,
        "secret of an application in Azure's directory",
        &["Q~"],
        web::azure_secret,
    ),
    token(
        "digitalocean.token",
        "token of DigitalOcean",
        &["dop_v1_", "doo_v1_", "dor_v1_"],
        &[Run(lower_hex, 64, 64)],
    ),
    token("alibaba.access_key", "id of an access key of Alibaba Cloud", &["LTAI"], &[Run(alnum, 16, 20)]),
    token("heroku.api_key", "API key of Heroku", &["HRKU-AA"], &[Run(word, 58, 58)]),
    token("flyio.token", "access token of Fly.io", &["fo1_"], &[Run(word, 43, 43)]),
    token(
        "cloudflare.origin_key",
        "origin CA key of Cloudflare",
        &["v1.0-"],
        &[Run(lower_hex, 24, 24), Text(b"-"), Run(lower_hex, 146, 146)],
    ),
    token("vault.token", "token of Vault", &["hvs.", "hvb.", "hvr."], &[Run(word, 24, 300)]),
    checked("terraform.token", 95, "API token of HCP Terraform", &[".atlasv1."], web::atlas),
    token(
        "doppler.token",
        "token of Doppler",
        &["dp.pt.", "dp.ct.", "dp.sa.", "dp.scim.", "dp.audit."],
        &[Run(alnum, 40, 44)],
    ),
    token("databricks.token", "personal access token of Databricks", &["dapi"], &[Run(lower_hex, 32, 32)]),
    token(
        "planetscale.token",
        "token of PlanetScale",
        &["pscale_tkn_", "pscale_pw_", "pscale_oauth_"],
        &[Run(word, 32, 64)],
    ),
    token("pulumi.token", "access token of Pulumi", &["pul-"], &[Run(lower_hex, 40, 40)]),
    token("supabase.token", "token of Supabase", &["sbp_"], &[Run(lower_hex, 40, 40)]),
    token(
        "dynatrace.token",
        "token of Dynatrace",
        &["dt0c01.", "dt0s01.", "dt0s08.", "dt0s16."],
        &[Run(base32, 24, 24), Text(b"."), Run(base32, 64, 64)],
    ),
    token(
        "grafana.service_token",
        "service account token of Grafana",
        &["glsa_"],
        &[Run(alnum, 32, 32), Text(b"_"), Run(hex, 8, 8)],
    ),
    token("newrelic.key", "user key of New Relic", &["NRAK-"], &[Run(upper, 27, 27)]),
    token("sentry.user_token", "user token of Sentry", &["sntryu_"], &[Run(lower_hex, 64, 64)]),
    token("sonarqube.token", "token of SonarQube", &["squ_", "sqp_", "sqa_"], &[Run(lower_hex, 40, 40)]),
    // Source code and packages.
    checked("github.token", 99, "token of GitHub", &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], web::github),
    token(
        "github.fine_grained",
        "fine-grained token of GitHub",
        &["github_pat_"],
        &[Run(alnum, 22, 22), Text(b"_"), Run(alnum, 59, 59)],
    ),
    token(
        "gitlab.token",
        "token of GitLab",
        &["glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glsoat-", "glft-", "glimt-", "glagent-"],
        &[Run(word, 20, 64)],
    ),
    token("bitbucket.app_password", "app password of Bitbucket", &["ATBB"], &[Run(alnum, 32, 32)]),
    token("atlassian.api_token", "API token of Atlassian", &["ATATT3xFfGF0"], &[Run(padded, 150, 200)]),
    checked("npm.token", 99, "access token of npm", &["npm_"], web::github),
    token(
        "pypi.token",
        "API token of PyPI",
        &["pypi-AgEIcHlwaS5vcmc", "pypi-AgENdGVzdC5weXBpLm9yZw"],
        &[Run(word, 50, 1000)],
    ),
    token("rubygems.api_key", "API key of RubyGems", &["rubygems_"], &[Run(lower_hex, 48, 48)]),
    token("crates.token", "API token of crates.io", &["cio"], &[Run(alnum, 32, 32)]),
    token("nuget.api_key", "API key of NuGet", &["oy2"], &[Run(lower, 43, 43)]),
    token("dockerhub.token", "access token of Docker Hub", &["dckr_pat_", "dckr_oat_"], &[Run(word, 27, 32)]),
    token("huggingface.token", "access token of Hugging Face", &["hf_"], &[Run(letter, 34, 34)]),
    token("clojars.token", "deploy token of Clojars", &["CLOJARS_"], &[Run(lower, 60, 60)]),
    token("artifactory.api_key", "API key of Artifactory", &["AKCp"], &[Run(alnum, 69, 69)]),
    // Messages and mail.
    token(
        "slack.token",
        "token of Slack",
        &["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxe-"],
        &[Run(digit, 9, 14), Text(b"-"), Run(word, 20, 120)],
    ),
    token(
        "slack.app_token",
        "app-level token of Slack",
        &["xapp-"],
        &[
            Run(digit, 1, 1),
            Text(b"-"),
            Run(upper, 9, 13),
            Text(b"-"),
            Run(digit, 9, 14),
            Text(b"-"),
            Run(lower_hex, 64, 64),
        ],
    ),
    token(
        "slack.webhook",
        "incoming webhook of Slack",
        &["hooks.slack.com/services/"],
        &[Run(upper, 9, 13), Text(b"/"), Run(upper, 9, 13), Text(b"/"), Run(alnum, 24, 24)],
    ),
    token(
        "discord.webhook",
        "webhook of Discord",
        &["discord.com/api/webhooks/", "discordapp.com/api/webhooks/"],
        &[Run(digit, 17, 20), Text(b"/"), Run(word, 60, 80)],
    ),
    checked("telegram.bot_token", 95, "bot token of Telegram", &[":AA"], web::telegram),
    token("twilio.api_key", "API key of Twilio", &["SK"], &[Run(lower_hex, 32, 32)]),
    token(
        "sendgrid.api_key",
        "API key of SendGrid",
        &["SG."],
        &[Run(word, 22, 22), Text(b"."), Run(word, 43, 43)],
    ),
    token("mailgun.api_key", "API key of Mailgun", &["key-"], &[Run(lower_hex, 32, 32)]),
    checked("mailchimp.api_key", 95, "API key of Mailchimp", &["-us"], web::mailchimp),
    token(
        "brevo.api_key",
        "API key of Brevo",
        &["xkeysib-"],
        &[Run(lower_hex, 64, 64), Text(b"-"), Run(alnum, 16, 16)],
    ),
    token(
        "postman.api_key",
        "API key of Postman",
        &["PMAK-"],
        &[Run(lower_hex, 24, 24), Text(b"-"), Run(lower_hex, 34, 34)],
    ),
    token("figma.token", "personal access token of Figma", &["figd_"], &[Run(word, 40, 44)]),
    token("notion.token", "integration token of Notion", &["ntn_"], &[Run(alnum, 46, 46)]),
    token("linear.api_key", "API key of Linear", &["lin_api_", "lin_oauth_"], &[Run(alnum, 40, 64)]),
    token("contentful.token", "management token of Contentful", &["CFPAT-"], &[Run(word, 43, 43)]),
    // Payments and shops.
    token(
        "stripe.key",
        "secret or restricted key of Stripe",
        &["sk_live_", "sk_test_", "rk_live_", "rk_test_"],
        &[Run(alnum, 24, 247)],
    ),
    token(
        "stripe.webhook_secret",
        "signing secret of a webhook of Stripe",
        &["whsec_"],
        &[Run(base64, 32, 64)],
    ),
    token("square.token", "access token of Square", &["sq0atp-", "sq0csp-"], &[Run(word, 22, 43)]),
    token(
        "shopify.token",
        "access token of Shopify",
        &["shpat_", "shpca_", "shppa_", "shpss_"],
        &[Run(hex, 32, 32)],
    ),
    token(
        "braintree.token",
        "access token of Braintree",
        &["access_token$production$", "access_token$sandbox$"],
        &[Run(lower, 16, 16), Text(b"$"), Run(lower_hex, 32, 32)],
    ),
    token("razorpay.key", "key of Razorpay", &["rzp_live_", "rzp_test_"], &[Run(alnum, 14, 14)]),
    // Models.
    checked("openai.api_key", 99, "API key of OpenAI", &["T3BlbkFJ"], web::openai),
    token(
        "anthropic.api_key",
        "API key of Anthropic",
        &["sk-ant-api03-", "sk-ant-admin01-"],
        &[Run(word, 80, 120)],
    ),
    token("groq.api_key", "API key of Groq", &["gsk_"], &[Run(alnum, 52, 52)]),
    token("replicate.token", "API token of Replicate", &["r8_"], &[Run(alnum, 37, 37)]),
    token("perplexity.api_key", "API key of Perplexity", &["pplx-"], &[Run(alnum, 48, 48)]),
    token("xai.api_key", "API key of xAI", &["xai-"], &[Run(alnum, 80, 80)]),
    // Anyone's.
    checked("age.secret_key", 99, "secret key of age", &["AGE-SECRET-KEY-1"], web::age),
    checked("jwt", 97, "JSON web token", &["eyJ"], web::jwt),
    checked("private_key", 99, "private key in PEM", &["-----BEGIN "], web::pem),
    checked(
        "password_hash",
        95,
        "hash of a password, as crypt(3) and Argon2 write it",
        &["$2a$", "$2b$", "$2y$", "$1$", "$5$", "$6$", "$y$", "$argon2id$", "$argon2i$", "$argon2d$"],
        web::crypt,
    ),
    checked("url.password", 95, "password in a URL", &["://"], web::url_password),
    checked("http.basic", 97, "user and password in an HTTP header", &["basic "], web::basic),
    checked("http.bearer", 90, "bearer token in an HTTP header", &["bearer "], web::bearer),
    checked("sql.password", 90, "password in an SQL statement", &["identified by"], assign::sql),
    checked(
        "assignment",
        80,
        "value of a name such as `password`, `api_key`, `token` or `authorization`",
        assign::NAMES,
        assign::value,
    ),
    // People.
    shape(Class::Card, 95, "number of a payment card: issuer's range, length and check digit (ISO/IEC 7812)"),
    shape(
        Class::Iban,
        99,
        "international bank account number: country's length and check digits (ISO 13616)",
    ),
    shape(Class::Ssn, 85, "social security number of the United States, with its dashes"),
    shape(Class::Email, 95, "e-mail address in a domain of a known top level"),
    shape(Class::Phone, 80, "telephone number with its country, or of North America as it is written there"),
    shape(Class::Ip, 95, "IP address, version 4 or 6"),
];
