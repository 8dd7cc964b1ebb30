//! Sources that listen, and journald: the program with real sockets on loopback, real peers, and kill -9.

#[path = "inputs/rig.rs"]
mod rig;
#[path = "inputs/syslog.rs"]
mod syslog;
