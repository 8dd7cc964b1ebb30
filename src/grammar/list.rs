//! The grammars that come with aludel, by name. A new one is a file and a line here.

macro_rules! files {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../grammars/", $name, ".grammar")))),*]
    };
}

/// Parts that every grammar may name.
pub(super) const COMMON: &str = include_str!("../../grammars/common.parts");

/// Name and text of every grammar file.
pub(super) const FILES: &[(&str, &str)] = files! {
    "apache.access"
    "apache.error"
    "cron.log"
    "dovecot.log"
    "iptables.log"
    "java"
    "klog"
    "nginx.access"
    "nginx.error"
    "nginx.ingress_controller"
    "plain"
    "postfix.log"
    "postgresql.log"
    "python"
    "redis.log"
    "system.auth"
};
