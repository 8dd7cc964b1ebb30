//! Syslog.
mod framing;
