//! Path traversal and inclusion of local files: the value is read as the path that a file system would see.

use std::ops::Range;
use std::sync::LazyLock;

use super::forms::{Form, Forms};
use super::{Sign, words};
use crate::detect::{Kind, View};

/// Files and folders that are asked for to see whether one can: names of operating systems and servers, in lower case.
const TARGETS: &[Form] = &[
    ("etc/passwd", 92),
    ("etc/shadow", 92),
    ("etc/group", 82),
    ("etc/hosts", 80),
    ("etc/hostname", 75),
    ("etc/issue", 78),
    ("etc/motd", 75),
    ("etc/fstab", 80),
    ("etc/mtab", 78),
    ("etc/inetd.conf", 80),
    ("etc/crontab", 80),
    ("etc/cron.", 75),
    ("etc/sudoers", 85),
    ("etc/profile", 72),
    ("etc/resolv.conf", 75),
    ("etc/ssh/", 80),
    ("etc/ssl/", 70),
    ("etc/apache", 78),
    ("etc/httpd/", 78),
    ("etc/nginx/", 78),
    ("etc/mysql/", 76),
    ("etc/php", 74),
    ("etc/my.cnf", 78),
    ("etc/init.d/", 72),
    ("etc/security/", 76),
    ("etc/environment", 74),
    ("etc/redhat-release", 76),
    ("etc/debian_version", 76),
    ("etc/master.passwd", 90),
    ("etc/proftp", 76),
    ("etc/vsftpd", 76),
    ("etc/pure-ftpd", 76),
    ("proc/self/", 90),
    ("proc/version", 82),
    ("proc/cmdline", 82),
    ("proc/cpuinfo", 78),
    ("proc/meminfo", 78),
    ("proc/mounts", 78),
    ("proc/net/", 80),
    ("proc/sys/", 80),
    ("proc/sched_debug", 82),
    ("root/.", 82),
    ("var/log/", 76),
    ("var/www/", 72),
    ("var/run/", 70),
    ("var/lib/mysql", 75),
    ("var/mail/", 74),
    ("var/spool/", 72),
    ("usr/local/apache", 74),
    ("usr/local/etc/", 74),
    ("usr/lib/", 62),
    ("logs/access", 70),
    ("logs/error", 70),
    ("boot.ini", 88),
    ("win.ini", 88),
    ("system.ini", 84),
    ("php.ini", 78),
    ("my.ini", 74),
    ("windows/system32", 86),
    ("winnt/system32", 86),
    ("system32/drivers", 88),
    ("system32/config", 88),
    ("windows/repair", 84),
    ("windows/panther", 82),
    ("windows/debug", 76),
    ("inetpub/", 74),
    ("autoexec.bat", 80),
    ("ntuser.dat", 82),
    ("pagefile.sys", 78),
    ("/sam", 50),
    ("unattend.xml", 78),
    ("web.config", 74),
    ("web-inf", 84),
    ("meta-inf/", 72),
    ("web.xml", 66),
    (".htaccess", 80),
    (".htpasswd", 86),
    (".git/", 76),
    (".svn/", 74),
    (".hg/", 72),
    (".env", 72),
    (".ssh/", 84),
    ("id_rsa", 84),
    ("id_dsa", 80),
    ("authorized_keys", 84),
    (".bash_history", 86),
    (".bashrc", 78),
    (".bash_profile", 78),
    (".profile", 62),
    (".mysql_history", 84),
    (".aws/credentials", 88),
    (".docker/config", 82),
    (".kube/config", 84),
    (".npmrc", 74),
    (".netrc", 78),
    ("wp-config.php", 82),
    ("config.inc.php", 72),
    ("localsettings.php", 70),
    ("database.yml", 72),
    ("httpd.conf", 78),
    ("apache2.conf", 78),
    ("httpd-vhosts", 74),
    ("access_log", 72),
    ("error_log", 72),
    ("access.log", 66),
    ("error.log", 66),
    ("docker.sock", 84),
    ("serviceaccount/token", 88),
];

/// Wrappers that read files or run something.
const WRAPPERS: &[&str] = &[
    "file://",
    "file:/",
    "php://",
    "phar://",
    "zip://",
    "zlib://",
    "compress.zlib:",
    "glob://",
    "expect://",
    "ogg://",
    "ssh2.",
    "rar://",
    "netdoc:",
    "classpath:",
    "jar:file",
    "data://",
];

/// The top folders of Unix, for paths that begin at the root.
const ROOTS: &[&str] = &[
    "etc",
    "proc",
    "var",
    "usr",
    "root",
    "home",
    "opt",
    "sys",
    "dev",
    "bin",
    "sbin",
    "boot",
    "tmp",
    "mnt",
    "srv",
    "lib",
    "apache",
    "apache2",
    "xampp",
    "www",
    "private",
    "library",
    "volumes",
    "program files",
];

/// Names that say something in a plain value.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    TARGETS.iter().map(|(name, _)| *name)
}

/// The best sign of a value; `path` is its path view, `lower` the same before it was squeezed.
pub(super) fn look(path: &View, lower: &View, kind: Kind) -> Option<Sign> {
    let mut best: Option<Sign> = None;
    let mut see = |rule: &'static str, score: u32, range: Range<usize>| {
        let score = score.min(100) as u8;
        if best.as_ref().is_none_or(|best| best.score < score) {
            best = Some(Sign { rule, score, range });
        }
    };
    let text = path.bytes();
    let steps = dots(text, kind);
    if let Some((score, range)) = &steps {
        see("dot_segments", *score, range.clone());
    }
    // A path is asked for by its own name too; that alone is a probe, not a traversal.
    let weak = if kind == Kind::Path { 25 } else { 0 };
    for (at, (name, score)) in targets(text) {
        let own = score >= 84 && name.ends_with(".ini");
        // `shop.git/` and `test.environment` are other names.
        let ends =
            name != ".env" || text.get(at + name.len()).is_none_or(|byte| !byte.is_ascii_alphanumeric());
        let whole =
            own || (at == 0 || !text[at - 1].is_ascii_alphanumeric() || name.starts_with('/')) && ends;
        if whole {
            let lift = if steps.is_some() { 8 } else { 0 };
            see(
                "file",
                u32::from(score).saturating_sub(if steps.is_some() { 0 } else { weak }) + lift,
                at..at + name.len(),
            );
        }
    }
    let raw = lower.bytes();
    // A wrapper ends in a colon, or stands before one.
    if memchr::memchr(b':', raw).is_some()
        && let Some(wrapper) = WRAPPERS.iter().find(|wrapper| words::find(raw, wrapper.as_bytes()).is_some())
    {
        let at = words::find(raw, wrapper.as_bytes()).unwrap_or(0);
        if at == 0 || !raw[at - 1].is_ascii_alphanumeric() {
            see("wrapper", 84, 0..text.len());
        }
    }
    if let Some(at) = memchr::memchr(0, text) {
        // `x.php\0.jpg`: a name that ends early.
        see("zero_byte", 72, at..text.len());
    }
    padding(text, &mut see);
    if kind != Kind::Path && kind != Kind::Agent {
        rooted(text, raw, &mut see);
    }
    best
}

/// `..` segments and their disguises.
fn dots(text: &[u8], kind: Kind) -> Option<(u32, Range<usize>)> {
    let (mut up, mut first, mut last, mut more, mut at) = (0u32, None, 0, 0u32, 0);
    let is_separator = |byte: u8| matches!(byte, b'/' | 0);
    while let Some(found) = memchr::memchr(b'.', text.get(at..)?) {
        let start = at + found;
        let len = text[start..].iter().take_while(|byte| **byte == b'.').count();
        let before = start.checked_sub(1).map(|at| text[at]);
        let after = text.get(start + len).copied();
        let opens = before.is_none_or(|byte| !byte.is_ascii_alphanumeric());
        let closes = after.is_some_and(is_separator)
            || after.is_none() && before == Some(b'/')
            || matches!((after, text.get(start + len + 1)), (Some(b';'), _) | (Some(b'0'..=b'9' | b'%' | b'?' | 0x80..), Some(b'/' | b'.' | b'%' | 0x80..)));
        if len >= 2 && opens && closes {
            if len == 2 {
                up += 1
            } else {
                more += 1
            }
            first.get_or_insert(start);
            last = start + len;
        }
        at = start + len;
    }
    // `0x2e0x2e0x2f`, `%%32%65`, `..%5c` that nobody decoded.
    let hex = words::find_iter(text, b"0x2e0x2e").count() as u32
        + words::find_iter(text, b"%2e%2e").count() as u32
        + words::find_iter(text, b"..%").count() as u32
        + words::find_iter(text, b"%c0%ae").count() as u32
        + words::find_iter(text, b"../").count().saturating_sub((up + more) as usize) as u32;
    let range = first.unwrap_or(0)..if first.is_some() { last } else { text.len() };
    let score = match (up, more, hex) {
        (0, 0, 0) => return None,
        (0, 0, 1) => 66,
        (0, 0, _) => 84,
        (0, 1, _) => 66,
        (0, ..) => 82,
        // `/a/../b` stays inside; one step up is what browsers resolve.
        (1, 0, _) if kind == Kind::Path || kind == Kind::Agent => 45,
        (1, ..) => 64,
        (2, ..) => 82,
        _ => 92,
    };
    Some((score, range))
}

fn targets(text: &[u8]) -> impl Iterator<Item = (usize, Form)> {
    static FIND: LazyLock<Forms> = LazyLock::new(|| Forms::new(TARGETS));
    FIND.apart(text).map(|(target, found)| (found.start(), *target)).take(32)
}

/// Bytes of one letter from which a path is padded: old systems cut what is longer than they take.
const PADDING_BYTES: usize = 64;

/// A path that is there for its length, or the placeholder of a list of payloads that nobody filled in.
fn padding(text: &[u8], see: &mut dyn FnMut(&'static str, u32, Range<usize>)) {
    let path = memchr::memchr(b'/', text).is_some();
    if path || text.starts_with(b".") {
        for placeholder in ["{file}", "{filename}", "§file§"] {
            if let Some(at) = words::find(text, placeholder.as_bytes()) {
                see("placeholder", 66, at..at + placeholder.len());
            }
        }
    }
    let begin = text.iter().position(|byte| *byte == b'.').unwrap_or(0);
    let dots = text[begin..].iter().take_while(|byte| **byte == b'.').count();
    let led = text[..begin].iter().all(|byte| matches!(byte, b'/' | b':')) || text[..begin].ends_with(b":");
    if dots >= 6 && led && text.len() > begin + dots {
        see("dot_segments", 66, 0..text.len());
    }
    let (mut run, mut last) = (0, 0);
    for (at, byte) in text.iter().enumerate() {
        run = if *byte == last { run + 1 } else { 1 };
        last = *byte;
        if run >= PADDING_BYTES && path && byte.is_ascii_graphic() && *byte != b'/' {
            see("padding", 62, at + 1 - run..at + 1);
        }
    }
}

/// A value that is an absolute path of the server: `/etc/x`, `c:/x`, `\\host\share`.
fn rooted(text: &[u8], raw: &[u8], see: &mut dyn FnMut(&'static str, u32, Range<usize>)) {
    let text_at = text.iter().position(|byte| !matches!(byte, b' ' | b'=' | b'"' | b'\'')).unwrap_or(0);
    let value = &text[text_at..];
    if let Some(rest) = value.strip_prefix(b"/") {
        let top = memchr::memchr(b'/', rest);
        if let Some(len) = top
            && ROOTS.iter().any(|root| root.as_bytes() == &rest[..len])
            && rest.len() > len + 1
        {
            see("absolute_path", 62, text_at..text.len());
        }
    }
    if let [b'a'..=b'z', b':', b'/', name, ..] = value
        && words::find(raw, b"://").is_none()
        && (name.is_ascii_alphanumeric() || *name == b'.' || *name == b'$')
    {
        see("absolute_path", 64, text_at..text.len());
    }
}
