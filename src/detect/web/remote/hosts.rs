//! Hosts that nobody outside names: those of a machine's own network, by name or address, of the clouds' metadata services,
//! and of services that show who called.

/// Hosts of a machine's own network, and of the clouds' metadata services.
const INSIDE: &[&str] = &[
    "localhost",
    "localhost.localdomain",
    "localhost4",
    "localhost6",
    "ip6-localhost",
    "ip6-loopback",
    "localhost4.localdomain4",
    "localhost6.localdomain6",
    "metadata",
    "metadata.google.internal",
    "metadata.packet.net",
    "metadata.tencentyun.com",
    "metadata.platformequinix.com",
    "instance-data",
    "kubernetes.default.svc",
    "kubernetes.default",
    "rancher-metadata",
    "localtest.me",
    "spoofed.burpcollaborator.net",
    "lvh.me",
    "vcap.me",
    "xip.io",
    "nip.io",
    "sslip.io",
    "docker.internal",
    "containers.internal",
    "svc.cluster.local",
    "ipv6-localhost",
    "ipv6-loopback",
];

/// Services to which requests are sent so that somebody sees them arrive.
const LISTENERS: &[&str] = &[
    "burpcollaborator.net",
    "oastify.com",
    "interact.sh",
    "oast.pro",
    "oast.live",
    "oast.fun",
    "oast.me",
    "oast.site",
    "oast.online",
    "requestbin.net",
    "webhook.site",
    "dnslog.cn",
    "ceye.io",
    "canarytokens.com",
    "ngrok.io",
    "pipedream.net",
];

/// Hosts that say something in a plain value.
pub(in super::super) fn words() -> impl Iterator<Item = &'static str> {
    INSIDE.iter().chain(LISTENERS).copied()
}

/// How sure it is that nobody but an attacker names this host.
pub(super) fn host_score(host: &[u8]) -> u8 {
    let host = memchr::memrchr(b'@', host).map_or(host, |at| &host[at + 1..]);
    let bracket = host.starts_with(b"[");
    let name = if bracket {
        let end = memchr::memchr(b']', host).map_or(host.len(), |at| at + 1);
        &host[..end]
    } else {
        memchr::memchr(b':', host).map_or(host, |at| &host[..at])
    };
    let name = name.strip_suffix(b".").unwrap_or(name);
    if INSIDE.iter().any(|inside| {
        inside.as_bytes() == name
            || name.ends_with(inside.as_bytes())
                && name.len() > inside.len()
                && name[name.len() - inside.len() - 1] == b'.'
    }) {
        return 80;
    }
    if LISTENERS.iter().any(|listener| name.ends_with(listener.as_bytes())) {
        return 80;
    }
    if bracket {
        let inner: String =
            name.iter().map(|byte| *byte as char).filter(|letter| !matches!(letter, '[' | ']')).collect();
        return match inner.parse::<std::net::Ipv6Addr>() {
            Ok(address)
                if address.is_loopback() || address.is_unspecified() || address.to_ipv4().is_some() =>
            {
                82
            }
            Ok(_) => 64,
            Err(_) => 0,
        };
    }
    address(name)
}

/// IPv4 in the forms that `inet_aton` takes: decimal, octal, hexadecimal, one to four parts.
fn address(name: &[u8]) -> u8 {
    let mut parts: Vec<(u64, bool)> = Vec::new();
    for part in name.split(|byte| *byte == b'.') {
        let text = std::str::from_utf8(part).unwrap_or_default();
        let (digits, radix) = match text.strip_prefix("0x") {
            Some(digits) => (digits, 16),
            None if text.len() > 1 && text.starts_with('0') => (text.trim_start_matches('0'), 8),
            None => (text, 10),
        };
        let digits = if digits.is_empty() && text.starts_with('0') { "0" } else { digits };
        match u64::from_str_radix(digits, radix) {
            Ok(number) if parts.len() < 4 && !text.starts_with('+') => parts.push((number, radix == 10)),
            _ => return 0,
        }
    }
    let Some((last, first)) = parts.split_last() else { return 0 };
    let usual = parts.len() == 4 && parts.iter().all(|(number, decimal)| *decimal && *number < 256);
    if first.iter().any(|(number, _)| *number > 0xffff)
        || parts.len() == 1 && (last.0 < 0x100_0000 || last.0 > 0xffff_ffff)
    {
        return 0;
    }
    if !usual {
        // `1.5` is a number, `0x7f.1` and `2130706433` behind a scheme are not.
        let odd = parts.iter().any(|(_, decimal)| !decimal)
            || parts.len() == 1
            || parts.iter().any(|(number, _)| *number > 255);
        return if odd {
            82
        } else if parts.len() == 2 && parts[0].0 == 127 {
            76
        } else {
            40
        };
    }
    let octets: Vec<u64> = parts.iter().map(|(number, _)| *number).collect();
    match octets[..] {
        [127, ..] | [0, ..] => 78,
        [169, 254, ..] | [100, 100, 100, 200] | [192, 0, 0, 192] => 84,
        [10, ..] | [192, 168, ..] => 66,
        [172, second, ..] if (16..32).contains(&second) => 66,
        _ => 62,
    }
}
