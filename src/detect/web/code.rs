//! Code for an interpreter behind the page: PHP, Java, JavaScript on the server, Perl, Python, Ruby; and objects that
//! become code when they are read back.
//!
//! A call counts by what is called (names that reach the system, the files or the interpreter itself) and by whether
//! it is called: a name, blanks or comments, a parenthesis. Names that are words as well need something inside of it.

use std::ops::Range;
use std::sync::LazyLock;

use super::forms::{Form, Forms};
use super::{Sign, words};
use crate::detect::Kind;

/// Functions that are nothing else; names of the PHP manual, of Node's and Python's libraries, in lower case.
const CLEAR: &str = "base64_decode base64_encode bzdecompress call_user_func call_user_func_array call_user_method convert_uudecode create_function curl_exec \
    curl_init ereg_replace escapeshellarg escapeshellcmd file_get_contents file_put_contents fsockopen pfsockopen func_get_args get_current_user get_defined_vars \
    getenv getmypid getmyuid getpwuid getmygid gzdecode gzinflate gzuncompress gzencode gzcompress hex2bin highlight_file ini_get ini_set is_file is_dir json_decode json_encode move_uploaded_file \
    mysql_query mysqli_query parse_ini_file passthru pcntl_exec pcntl_fork php_uname phpinfo phpversion phpcredits popen proc_open proc_nice posix_getpwuid posix_kill posix_setuid preg_match preg_match_all \
    preg_replace preg_replace_callback preg_split print_r readfile readgzfile realpath register_shutdown_function register_tick_function rename_function scandir set_error_handler set_time_limit shell_exec \
    show_source simplexml_load_file simplexml_load_string socket_connect socket_create spl_autoload_register sqlite_query str_rot13 str_replace stream_context_create stream_get_contents \
    stream_socket_client strrev system_exec tempnam tmpfile uasort uksort unserialize unlink urldecode usort utf8_encode var_dump var_export virtual zend_version array_map array_filter array_walk array_reduce array_diff_uassoc array_udiff \
    assert_options get_cfg_var getcwd chgrp chown chroot disk_free_space fileperms filesize filemtime fopen fwrite fputs fread fgets fgetc fpassthru glob lchown mkdir rmdir symlink opendir readdir rewinddir \
    gethostbyname gethostbyaddr gethostname checkdate dns_get_record import_request_variables parse_str extract_vars is_callable method_exists function_exists class_exists iterator_apply ob_start \
    pg_query odbc_exec oci_parse mb_ereg_replace mb_send_mail xml_parse html_entity_decode htmlspecialchars htmlspecialchars_decode addslashes stripslashes stristr strpos strrpos substr_replace sha1_file md5_file bin2hex \
    cal_days_in_month cal_from_jd date_create getlastmod getservbyname inet_pton ip2long long2ip ucfirst ucwords nl2br number_format money_format wordwrap array_key_exists array_rand array_search mt_rand lcg_value is_executable is_link \
    is_numeric is_readable is_writable is_uploaded_file fileatime filectime filegroup fileinode fileowner filetype fnmatch ftok ignore_user_abort apache_get_env apache_setenv apache_child_terminate apache_note openlog syslog leak dl \
    execsync execfile execfilesync spawnsync child_process readfilesync writefilesync readdirsync existssync runinnewcontext runinthiscontext runincontext settimeout setinterval \
    __import__ os.system os.popen subprocess.popen subprocess.call subprocess.check_output getruntime processbuilder classforname loadclass defineclass getmethod newinstance getdeclaredmethod \
    systemexec kernel.exec io.popen os.execute loadstring getattr setattr file_exists fileputcontents fromcharcode get_object_vars get_loaded_extensions header_register_callback session_start session_decode session_set_save_handler \
    get_defined_functions strip_tags intval floatval serialize unpack zlib_decode zlib_encode array_merge array_flip qx array_intersect_ukey array_uintersect sqlite_create_function bson_decode wddx_deserialize yaml_parse igbinary_unserialize msgpack_unpack libxml_disable_entity_loader";

/// Functions whose names are words: they count where something stands in their parentheses.
const WORDS: &str = "assert copy eval exec system file include include_once require require_once open print echo die exit phpversion chmod chr ord link mail touch rename rand pack implode explode join \
    define isset unset extract header date time flock stat delete curl shell load write spawn fork getopt kill select sleep usleep array constant current each end key next reset sort range compact \
    function module import compile execfile globals locals vars dir input ucfirst trim strlen count max min round floor pi sin cos log exp sqrt pow uniqid crypt md5 sha1 crc32 hash parse global callable method call send invoke proxy printf sprintf vprintf vsprintf fprintf";

/// Beginnings of names of functions in the libraries of PHP.
const PREFIXES: [&str; 24] = [
    "is_",
    "array_",
    "str_",
    "posix_",
    "mysql_",
    "mysqli_",
    "pg_",
    "curl_",
    "ob_",
    "preg_",
    "mb_",
    "stream_",
    "session_",
    "openssl_",
    "xml_",
    "imap_",
    "ftp_",
    "socket_",
    "pcntl_",
    "readline_",
    "runkit_",
    "xmlrpc_",
    "zlib_",
    "sqlite_",
];

/// What only code has, and how clear that is.
const FORMS: &[Form] = &[
    ("<?php", 92),
    ("<?=", 88),
    ("[php]", 78),
    ("[/php]", 78),
    ("[\\php]", 76),
    ("{php}", 78),
    ("{/php}", 78),
    ("<%@", 84),
    ("$_get", 86),
    ("$_post", 86),
    ("$_request", 86),
    ("$_server", 86),
    ("$_cookie", 84),
    ("$_files", 86),
    ("$_env", 84),
    ("$_session", 84),
    ("$globals", 84),
    ("$http_raw_post_data", 84),
    ("$http_", 70),
    ("$argv", 72),
    ("$_s erver", 76),
    ("auto_prepend_file", 86),
    ("auto_append_file", 86),
    ("allow_url_include", 86),
    ("allow_url_fopen", 84),
    ("disable_functions", 84),
    ("open_basedir", 82),
    ("suhosin.simulation", 84),
    ("cgi.force_redirect", 84),
    ("java.lang.", 84),
    ("java.io.", 78),
    ("java.util.", 74),
    ("java.net.", 76),
    ("java.rmi.", 82),
    ("java.beans", 82),
    ("javax.", 72),
    ("java.evil", 72),
    ("org.apache.", 70),
    ("org.springframework", 76),
    ("org.omg.corba", 80),
    ("com.opensymphony", 84),
    ("com.sun.", 76),
    ("com.bea.", 82),
    ("classloader", 74),
    ("processbuilder", 80),
    ("getruntime", 84),
    ("runtime.exec", 84),
    ("clonetransformer", 84),
    ("forclosure", 76),
    ("instantiatefactory", 84),
    ("instantiatetransformer", 84),
    ("invokertransformer", 84),
    ("prototypeclonefactory", 84),
    ("prototypeserializationfactory", 84),
    ("whileclosure", 82),
    ("xmldecoder", 80),
    ("filewriter(", 70),
    ("getparameter(", 72),
    ("getproperty(", 70),
    ("#_memberaccess", 90),
    ("@java", 84),
    ("#context[", 84),
    ("ognl.", 80),
    ("xwork.", 80),
    ("freemarker.template", 86),
    ("scriptengine", 80),
    ("t(java", 84),
    ("child_process", 88),
    ("process.mainmodule", 88),
    ("process.binding", 86),
    ("process.env", 76),
    ("process.exit", 76),
    ("process.kill", 78),
    ("global.process", 84),
    ("require.main", 82),
    ("module.constructor", 80),
    ("constructor._load", 86),
    ("_$$nd_func$$_", 92),
    ("__js_function", 88),
    ("__proto__", 82),
    ("constructor.prototype", 82),
    ("constructor[prototype]", 82),
    ("[constructor][prototype]", 82),
    ("__defineproperty__", 82),
    ("__definegetter__", 80),
    ("__class__", 84),
    ("__globals__", 88),
    ("__builtins__", 88),
    ("__subclasses__", 90),
    ("__mro__", 88),
    ("__base__", 80),
    ("__init__", 80),
    ("__import__", 86),
    ("__dict__", 74),
    (".mro()", 78),
    (".subclasses()", 82),
    ("os.popen", 86),
    ("os.system", 86),
    ("os.execute", 84),
    ("io.popen", 82),
    ("subprocess.", 78),
    ("process.open", 72),
    ("process.spawn", 78),
    ("process.clock_gettime", 72),
    ("kernel.system", 80),
    ("object.const_get", 78),
    ("object.class", 62),
    ("instance_eval", 78),
    ("eval.call", 76),
    ("s:4:\"", 40),
    ("!!python/", 88),
    ("!ruby/", 86),
    ("!!javax.", 88),
    ("<!--#exec", 90),
    ("<!--#include", 86),
    ("<!--#echo", 80),
    ("<!--#", 72),
    ("while(1)", 66),
    ("while(true)", 66),
    // Numbers that old PHP (CVE-2010-4645) and Java (CVE-2010-4476) never finished reading.
    ("2.2250738585072011e-308", 80),
    ("2.2250738585072012e-308", 80),
];

/// AC ED 00 05, with which serialized Java objects begin, in base64 at its three offsets: the letters that do not depend
/// on what stands around it.
const SERIALIZED: [&str; 3] = ["rO0AB", "KztAA", "s7QAF"];

/// Ends of names that servers run.
const SCRIPTS: &[&str] = &[
    ".php",
    ".php2",
    ".php3",
    ".php4",
    ".php5",
    ".php6",
    ".php7",
    ".php8",
    ".phtml",
    ".pht",
    ".phar",
    ".phps",
    ".phpt",
    ".pgif",
    ".shtml",
    ".inc.php",
    ".jsp",
    ".jspx",
    ".jspf",
    ".jsw",
    ".jsv",
    ".asp",
    ".aspx",
    ".asa",
    ".asax",
    ".ascx",
    ".ashx",
    ".asmx",
    ".cer",
    ".cfm",
    ".cfml",
    ".cgi",
    ".do",
    ".exe",
    ".war",
    ".htaccess",
];

/// Names of parameters that carry a session, and the words that are in others: a session that comes with a link is
/// one that the sender of the link knows.
const SESSIONS: [&str; 14] = [
    "jsessionid",
    "aspsessionid",
    "asp.net_sessionid",
    "phpsession",
    "phpsessid",
    "weblogicsession",
    "jservsession",
    "jwsession",
    "sessionid",
    "cfid",
    "cftoken",
    "cfsid",
    "cakephp",
    "shiny-token",
];

/// Last words of such names, behind a word of the framework: `rack.session`, `connect.sid`.
const SESSION_WORDS: [&str; 5] = ["session", "sess", "sid", "session-token", "login_token"];

/// Whether a parameter's name is that of a cookie which holds a session.
fn is_session(name: &[u8]) -> bool {
    let is = |known: &&str| {
        let known = known.as_bytes();
        known == name
            || name.len() > known.len() + 1
                && name.ends_with(known)
                && matches!(name[name.len() - known.len() - 1], b'.' | b'_' | b'-' | b':')
    };
    let name_id = name.strip_suffix(b"_id").or_else(|| name.strip_suffix(b"-id")).unwrap_or(name);
    SESSIONS.iter().any(|known| known.as_bytes() == name)
        || SESSION_WORDS.iter().any(|word| word.len() < name.len() && is(word))
        || name_id.len() < name.len() && name_id.ends_with(b"session")
}

/// Beginnings and names of settings of PHP (`php.ini`), in lower case.
const SETTINGS: &str = "opcache. mbstring. session. zend. zlib. xdebug. soap. assert. phar. mysqli. pdo_mysql. pcre. curl. openssl. date. iconv. \
    filter. intl. memory_limit extension_dir unserialize_max_depth unserialize_callback_func max_execution_time max_input_time max_input_vars post_max_size \
    upload_max_filesize upload_tmp_dir include_path doc_root user_dir safe_mode register_globals magic_quotes_gpc short_open_tag display_errors \
    error_reporting error_prepend_string error_append_string sendmail_path sys_temp_dir user_ini.filename variables_order hard_timeout zend_extension";

/// A value that is a setting of PHP: `memory_limit = 1`.
fn setting(text: &[u8]) -> bool {
    let len =
        text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')).count();
    let (name, rest) = (&text[..len], text[len..].trim_ascii_start());
    len > 4
        && rest.starts_with(b"=")
        && !rest.starts_with(b"==")
        && rest.len() > 1
        && SETTINGS.split_ascii_whitespace().any(|known| {
            let known = known.as_bytes();
            known == name || known.ends_with(b".") && name.starts_with(known) && name.contains(&b'_')
        })
}

/// Words that say something in a plain value.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    FORMS.iter().map(|(form, _)| *form).chain(SERIALIZED).chain(SESSIONS).chain([
        "_session",
        ".session",
        "-session",
        "sessionid",
        "session_id",
        "session-id",
        ".sid",
        "_sid",
        ".sess",
        ":sess",
        "login_token",
        "-token",
        "_dir=",
    ])
}

/// The best sign; `exact` is the same text before it was made lower case, and empty where references were resolved in it.
pub(super) fn look(lower: &[u8], exact: &[u8], kind: Kind) -> Option<Sign> {
    let mut best: Option<Sign> = None;
    let mut see = |rule: &'static str, score: u8, range: Range<usize>| {
        if best.as_ref().is_none_or(|best| best.score < score) {
            best = Some(Sign { rule, score, range });
        }
    };
    calls(lower, &mut see);
    forms(lower, kind, exact.is_empty(), &mut see);
    serialized(lower, exact, &mut see);
    if kind == Kind::File {
        upload(lower, 0, lower.len(), &mut see);
    }
    if let Some(at) = words::find(lower, b"filename=") {
        let end = memchr::memchr2(b'\n', b';', &lower[at + 9..]).map_or(lower.len(), |len| at + 9 + len);
        upload(lower, at + 9, end, &mut see);
    }
    if matches!(kind, Kind::Query | Kind::Value) && setting(lower) {
        see("setting", 66, 0..lower.len());
    }
    if matches!(kind, Kind::Name | Kind::Query) && is_session(lower) {
        see("session", 62, 0..lower.len());
    }
    best
}

fn named(list: &'static str) -> std::collections::HashSet<&'static [u8]> {
    list.split_ascii_whitespace().map(str::as_bytes).collect()
}

/// Bytes of a name that is known wherever it stands.
const CLEAR_BYTES_MIN: usize = 8;

/// Whether a name ends in one of these.
fn ends_in(name: &[u8], names: &std::collections::HashSet<&'static [u8]>) -> bool {
    (1..name.len().saturating_sub(CLEAR_BYTES_MIN - 1)).any(|at| names.contains(&name[at..]))
}

/// Calls that are looked at.
const CALLS_MAX: usize = 64;

/// A name in front of every parenthesis.
fn calls(text: &[u8], see: &mut dyn FnMut(&'static str, u8, Range<usize>)) {
    type Names = std::collections::HashSet<&'static [u8]>;
    static TABLES: std::sync::LazyLock<(Names, Names)> =
        std::sync::LazyLock::new(|| (named(CLEAR), named(WORDS)));
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    for open in memchr::memchr_iter(b'(', text).take(CALLS_MAX) {
        // Blanks, quotes and comments between a name and its parenthesis hide the call.
        let mut end = open;
        // `[link](address)` is how prose links.
        let skipped = |end: usize| match text[end - 1] {
            b']' => end > 1 && matches!(text[end - 2], b'"' | b'\'' | b'`'),
            byte => matches!(byte, 0..=32 | b'"' | b'\'' | b')'),
        };
        while end > 0 && open - end < 40 && skipped(end) {
            end -= 1;
        }
        let mut hidden = end < open && text[end..open].iter().any(|byte| *byte != b' ');
        let window = end.saturating_sub(48);
        if let Some(hash) = memchr::memrchr2(b'#', b'/', &text[window..end]).map(|at| window + at)
            && (text[hash] == b'#'
                || text[hash..].starts_with(b"/*")
                || hash > 0 && matches!(text[hash - 1], b'/' | b'*'))
        {
            let cut = text[..hash + 1]
                .iter()
                .rposition(|byte| !matches!(byte, b'#' | b'/' | b'*' | b' '))
                .map_or(0, |at| at + 1);
            // The comment's beginning, for `/* … */`.
            let begin = memchr::memmem::rfind(&text[window..hash], b"/*").map_or(cut, |at| window + at);
            (end, hidden) = (begin.min(cut), true);
            while end > 0 && text[end - 1] <= b' ' {
                end -= 1;
            }
        }
        let start = text[..end].iter().rposition(|byte| !is_name(*byte)).map_or(0, |at| at + 1);
        if end - start > 40 || start == end {
            continue;
        }
        let whole = &text[start..end];
        let name = memchr::memrchr(b'.', whole)
            .map_or(whole, |dot| if TABLES.0.contains(whole) { whole } else { &whole[dot + 1..] });
        let method = name.len() < whole.len();
        let inner = text[open + 1..].trim_ascii_start();
        let argument = inner.first().is_some_and(|byte| !matches!(byte, b')'));
        let literal = inner.first().is_some_and(|byte| {
            matches!(byte, b'$' | b'\'' | b'"' | b'`' | b'/' | b'@' | b'[' | b'0'..=b'9' | b'\\' | b'_')
        });
        let closed = memchr::memchr(b')', inner).is_some();
        let blank = end < open && !hidden;
        let library = PREFIXES
            .iter()
            .any(|prefix| name.len() > prefix.len() + 2 && name.starts_with(prefix.as_bytes()));
        let runs = matches!(name, b"system" | b"exec" | b"eval" | b"assert" | b"shell");
        let score = if TABLES.0.contains(name) || library && !method && !blank {
            if blank && !closed { 55 } else { 76 }
        } else if TABLES.1.contains(name) && !method {
            match (literal, argument, closed) {
                // `pack (12 pieces)`
                (true, _, true) if blank && inner[0].is_ascii_digit() => 52,
                // A comment or a line end in front of the parenthesis, and nothing in it.
                (_, false, true) if hidden => 58,
                (true, _, true) => 66,
                (true, ..) => 60,
                (_, true, true) if !blank && runs => 68,
                (_, true, true) if !blank => 56,
                _ => 30,
            }
        } else if !method && ends_in(name, &TABLES.0) {
            // `XX` that a filter has put in front, or taken to be enough.
            64
        } else {
            0
        };
        if score > 0 {
            let score = if hidden { (score + 10).min(90) } else { score };
            see("call", score, start..text.len().min(open + 64));
        }
    }
}

fn forms(text: &[u8], kind: Kind, escaped: bool, see: &mut dyn FnMut(&'static str, u8, Range<usize>)) {
    static FIND: LazyLock<Forms> = LazyLock::new(|| Forms::new(FORMS));
    let weak = if kind == Kind::Path { 20 } else { 0 };
    for ((form, score), found) in FIND.apart(text).take(CALLS_MAX) {
        let begins = form.as_bytes()[0].is_ascii_alphabetic();
        if begins && found.start() > 0 && text[found.start() - 1].is_ascii_alphanumeric() {
            continue;
        }
        see("form", score.saturating_sub(if *score < 86 { weak } else { 0 }), found.range());
    }
    // `<?` and a blank or a word: an instruction of XML has its own names.
    for at in words::find_iter(text, b"<?").take(8) {
        let rest = &text[at + 2..];
        let known =
            [&b"xml"[..], b"xsl", b"xpacket", b"import", b"mso"].iter().any(|name| rest.starts_with(name));
        let code = rest.iter().take(200).any(|byte| matches!(byte, b'(' | b';' | b'$' | b'`'));
        let blank = matches!(rest.first(), Some(b' ' | b'\t' | b'\n'));
        // `<?xml` has its version behind it; `x<?` waits for what the page adds.
        let named = rest.strip_prefix(b"xml").is_none_or(|rest| {
            let rest = rest.trim_ascii_start();
            rest.is_empty() || rest.starts_with(b"-") || rest[0].is_ascii_alphabetic() || rest[0] == b'?'
        });
        if rest.is_empty() || !named && code {
            see("instruction", 66, at..text.len());
        }
        // `&lt;? a question`: a text that was made safe.
        if !known && (code || blank && !escaped) {
            see("instruction", if code { 80 } else { 66 }, at..text.len());
        }
    }
    // `while(!false)`: a loop that does not end.
    for at in words::find_iter(text, b"while").take(4) {
        let rest = text[at + 5..].trim_ascii_start();
        if let Some(inside) = rest.strip_prefix(b"(") {
            let end = memchr::memchr(b')', inside).unwrap_or(inside.len());
            let constant = &inside[..end];
            let is_constant = constant.len() <= 24
                && !constant.is_empty()
                && constant.iter().all(|byte| {
                    byte.is_ascii_digit()
                        || matches!(
                            byte,
                            b'!' | b'-'
                                | b'+'
                                | b' '
                                | b'"'
                                | b'\''
                                | b'{'
                                | b'}'
                                | b'['
                                | b']'
                                | b'('
                                | b'~'
                                | b'.'
                                | b'/'
                                | b'*'
                                | b'|'
                                | b'&'
                                | b'<'
                                | b'>'
                                | b'='
                        )
                });
            let word = constant.strip_prefix(b"!").unwrap_or(constant);
            let word = word.strip_prefix(b"(").unwrap_or(word);
            let behind = inside.get(end + 1..).unwrap_or_default().trim_ascii_start();
            let alone = text.len() < 64
                && matches!(behind.first(), None | Some(b'{' | b';' | b')'))
                && !constant.is_empty()
                && constant.iter().all(|byte| {
                    byte.is_ascii_alphabetic() || matches!(byte, b' ' | b'!' | b'-' | b'+' | b'`')
                });
            if is_constant
                || alone
                || [&b"true"[..], b"false", b"null", b"undefined", b"''", b"nan", b"infinity"]
                    .contains(&word.trim_ascii())
            {
                see("endless_loop", 72, at..text.len());
            }
        }
    }
    // `$ {'name'}`, `${$a}`: a variable whose name is computed.
    for at in memchr::memchr_iter(b'$', text).take(8) {
        let rest = text[at + 1..].trim_ascii_start();
        if let Some(inside) = rest.strip_prefix(b"{") {
            let inside = inside.trim_ascii_start();
            let end = memchr::memchr(b'}', inside);
            // `${${` is a lookup's.
            let computed = match inside {
                [b'\'' | b'"', ..] => true,
                [b'$', next, ..] => next.is_ascii_alphabetic() || *next == b'_',
                _ => false,
            };
            if computed && end.is_some_and(|end| end > 1) {
                see("variable", 66, at..text.len());
            }
        }
    }
    // `@{[ … ]}`: Perl's interpolation.
    if let Some(at) = words::find(text, b"@{") {
        let rest = text[at + 2..].trim_ascii_start();
        if rest.starts_with(b"[") {
            see("interpolation", 80, at..text.len());
        }
    }
    // `java` or `runtime` with a name of the library behind it.
    if let Some(at) = words::find(text, b"java").filter(|at| words::find(&text[*at..], b"runtime").is_some())
    {
        see("form", 76, at..text.len());
    }
}

fn serialized(lower: &[u8], exact: &[u8], see: &mut dyn FnMut(&'static str, u8, Range<usize>)) {
    for magic in SERIALIZED {
        if let Some(at) = words::find(exact, magic.as_bytes()) {
            let begins = at < 4 || !exact[at - 1].is_ascii_alphanumeric();
            see("serialized", if begins { 86 } else { 62 }, at..exact.len().min(at + 64));
        }
    }
    if let Some(at) = words::find(exact, b"\xac\xed\x00\x05") {
        see("serialized", 92, at..exact.len());
    }
    // PHP: `O:8:"ClassName":1:{`.
    for at in words::find_iter(lower, b"o:").take(16) {
        let rest = &lower[at + 2..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'+').count();
        if digits > 0 && rest[digits..].starts_with(b":\"") && words::find(rest, b":{").is_some() {
            see("serialized", 88, at..lower.len());
        }
    }
}

/// A file name that a server would run.
fn upload(text: &[u8], from: usize, to: usize, see: &mut dyn FnMut(&'static str, u8, Range<usize>)) {
    let name: Vec<u8> =
        text[from..to].iter().copied().filter(|byte| !matches!(byte, b'"' | b'\'' | b'\r' | b' ')).collect();
    // `a.php.`, `a.php .png`, `a.php;.jpg`: what servers take off.
    for (at, _) in name.iter().enumerate().filter(|(_, byte)| **byte == b'.') {
        let part = &name[at..];
        let end =
            part[1..].iter().position(|byte| !byte.is_ascii_alphanumeric()).map_or(part.len(), |end| end + 1);
        if SCRIPTS.iter().any(|script| script.as_bytes() == &part[..end])
            || part.len() > 4 && part.starts_with(b".php") && part[4].is_ascii_digit()
        {
            see("upload", 74, from..to);
        }
    }
    let base = name.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    if base.starts_with(b"sess_") && base.len() > 20 {
        see("upload", 70, from..to);
    }
}
