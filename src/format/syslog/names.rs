//! Names of facilities and severities.

/// Keywords of facilities by their code (RFC 5424 §6.2.1, names as in `syslog.conf`).
pub(super) const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
];

/// Names of severities by their code (RFC 5424 §6.2.1), as ECS has them, and as `log.level`.
pub(super) const SEVERITIES: [(&str, &str); 8] = [
    ("Emergency", "emerg"),
    ("Alert", "alert"),
    ("Critical", "critical"),
    ("Error", "error"),
    ("Warning", "warning"),
    ("Notice", "notice"),
    ("Informational", "info"),
    ("Debug", "debug"),
];
