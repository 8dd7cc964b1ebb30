//! Sources that listen, and journald: the program with real sockets on loopback, real peers, and kill -9.

#[path = "inputs/bulk.rs"]
mod bulk;
#[path = "inputs/http.rs"]
mod http;
#[path = "inputs/journald.rs"]
mod journald;
#[path = "inputs/rig.rs"]
mod rig;
#[path = "inputs/scripted.rs"]
mod scripted;
#[path = "inputs/syslog.rs"]
mod syslog;
#[path = "inputs/wire.rs"]
mod wire;

pub(crate) use rig::certificate;
