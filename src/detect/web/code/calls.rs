//! Calls: a name in front of a parenthesis, by what is called.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

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

fn named(list: &'static str) -> HashSet<&'static [u8]> {
    list.split_ascii_whitespace().map(str::as_bytes).collect()
}

/// Bytes of a name that is known wherever it stands.
const CLEAR_BYTES_MIN: usize = 8;

/// Whether a name ends in one of these.
fn ends_in(name: &[u8], names: &HashSet<&'static [u8]>) -> bool {
    (1..name.len().saturating_sub(CLEAR_BYTES_MIN - 1)).any(|at| names.contains(&name[at..]))
}

/// Calls that are looked at.
pub(super) const CALLS_MAX: usize = 64;

/// A name in front of every parenthesis.
pub(super) fn calls(text: &[u8], see: &mut dyn FnMut(&'static str, u8, Range<usize>)) {
    type Names = HashSet<&'static [u8]>;
    static TABLES: LazyLock<(Names, Names)> = LazyLock::new(|| (named(CLEAR), named(WORDS)));
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
