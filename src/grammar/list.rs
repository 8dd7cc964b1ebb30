//! The grammars that come with aludel, by name. A new one is a file and a line here.

macro_rules! files {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../grammars/", $name, ".grammar")))),*]
    };
}

/// Name and text of every grammar file.
pub(super) const FILES: &[(&str, &str)] = files! {
    "apache.access"
    "apache.error"
    "java"
    "klog"
    "nginx.access"
    "nginx.error"
    "nginx.ingress_controller"
    "plain"
    "postgresql.log"
    "python"
    "redis.log"
    "system.auth"
};
