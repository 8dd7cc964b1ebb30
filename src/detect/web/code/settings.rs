//! Settings that a request brings along: of PHP, and the session itself.

/// Names of parameters that carry a session, and the words that are in others: a session that comes with a link is
/// one that the sender of the link knows.
pub(super) const SESSIONS: [&str; 14] = [
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
pub(super) fn is_session(name: &[u8]) -> bool {
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
pub(super) fn setting(text: &[u8]) -> bool {
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
