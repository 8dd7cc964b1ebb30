//! Words of SQL, by what they do in a statement.

/// What a word does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// `and`, `or`, `xor`, `not`.
    Logic,
    /// `like`, `in`, `between`: compare.
    Like,
    /// `union`, `intersect`, `except`, `minus`.
    Union,
    /// `select`, `values`.
    Select,
    /// `from`, `join`, `into`.
    From,
    /// `where`, `having`, `when`, `on`: a condition follows.
    Where,
    /// `order`, `group`, `limit`, `offset`, `procedure`.
    Clause,
    /// `by`.
    By,
    /// `case`, `then`, `else`, `end`.
    Case,
    /// `all`, `distinct`, `as`, `asc`, `is`, `null`: parts of others.
    Part,
    /// `null`, `true`, `false`: values.
    Value,
    /// A verb that begins a statement that changes or runs something.
    Verb,
    /// What a verb is done to: `table`, `database`, `procedure`.
    Thing,
    /// A function that only SQL has.
    Call,
    /// A function that is a word or of other languages too.
    Common,
    /// A function that waits, reads files or calls out.
    Danger,
    /// A catalogue or a procedure of the database itself.
    Catalog,
}

/// The words, sorted within each row only by habit: they are looked up by hash.
const WORDS: &[(Word, &str)] = &[
    (Word::Logic, "and or xor not"),
    (
        Word::Like,
        "like rlike regexp ilike glob between in is sounds similar div mod soundex isnull notnull match escape collate",
    ),
    (Word::Union, "union intersect except minus"),
    (Word::Select, "select"),
    (Word::From, "from join into"),
    (Word::Where, "where having when on"),
    (Word::Clause, "order group limit offset procedure fetch"),
    (Word::By, "by"),
    (Word::Case, "case then else end"),
    (
        Word::Part,
        "all distinct distinctrow as asc desc top any some exists inner outer left right cross natural using with recursive rows only",
    ),
    (
        Word::Value,
        "null true false current_user session_user system_user current_timestamp current_date sysdate rownum unknown localtime localtimestamp current_time",
    ),
    (
        Word::Verb,
        "insert update delete drop create alter truncate replace exec execute declare grant revoke shutdown merge call begin \
         set handler rename load backup restore kill print dbcc openrowset bulk reconfigure do commit rollback waitfor if \
         while return copy attach pragma deallocate prepare use show describe explain goto raiserror analyze vacuum",
    ),
    (
        Word::Thing,
        "table database schema view index trigger procedure function user column columns login role tablespace sequence \
         outfile dumpfile values delay time infile",
    ),
    (
        Word::Call,
        "elt make_set extractvalue updatexml concat_ws group_concat ascii ord substr mid hex unhex bin char_length \
         ifnull nullif coalesce decode to_char to_number xmltype rawtohex utl_raw bitand row_count found_rows \
         last_insert_id connection_id convert cast nvarchar varchar varchar2 nchar chr iif quotename string_agg array_agg \
         array_to_string json_extract json_keys jsonb json_object json_array json_agg json_value exp polygon multipoint geometrycollection \
         linestring multilinestring multipolygon st_latfromgeohash st_longfromgeohash gtid_subset gtid_subtract procedure_analyse \
         name_const is_srvrolemember suser_name suser_sname user_name db_name object_id object_name col_name schema_name host_name \
         floor rand rpad lpad ltrim rtrim locate instr position substring strcmp bit_length octet_length crc32 md5 sha1 aes_encrypt \
         aes_decrypt compress uncompress compare current_database current_schema current_setting query_to_xml database_to_xml \
         typeof unicode zeroblob hex_encode likelihood likely total_changes last_insert_rowid starts_with json_each \
         inet_aton inet_ntoa uuid_short date_add date_sub adddate subdate timestampdiff timestampadd makedate maketime from_unixtime unix_timestamp \
         to_base64 from_base64 encode export_set field find_in_set interval least greatest quote \
         regexp_substring regexp_replace regexp_like systimestamp nvl nvl2 stragg xmlagg json_arrayagg grouping cume_dist \
         charset coercibility collation acos asin atan2 log10 log2 jsonb_pretty json_build_object unistr sqlite_version version_comment getdate charindex patindex stuff newid checksum rtrim str_to_date variance var_pop stddev std stddev_pop row_number ntile percent_rank",
    ),
    (
        Word::Common,
        "user version database schema concat count sum avg min max length len lower upper char abs round mod if left right \
         reverse repeat trim format now date time year month day sign sqrt pi power pow sin cos tan cot mod row value replace space",
    ),
    (
        Word::Danger,
        "sleep pg_sleep pg_sleep_for benchmark load_file load_extension randomblob generate_series dbms_pipe dbms_lock dbms_xmlgen \
         dbms_ldap dbms_session utl_http utl_inaddr utl_smtp utl_file httpuritype ctxsys drithsx user_lock xp_cmdshell xp_dirtree \
         xp_fileexist xp_regread xp_regwrite xp_servicecontrol xp_availablemedia xp_loginconfig xp_makecab xp_ntsec xp_enumdsn sp_oacreate \
         sp_oamethod sp_execute sp_executesql sp_makewebtask sp_password sp_addlogin sp_configure opendatasource openquery fn_xe_file_target_read_file \
         lo_import lo_export lo_get pg_read_file pg_ls_dir pg_read_binary_file dblink dblink_connect fnmatch get_lock release_lock is_free_lock \
         sys_eval sys_exec master_pos_wait wait_for_executed_gtid_set ddl_export analyse",
    ),
    (
        Word::Catalog,
        "information_schema sysobjects syscolumns sysdatabases sysusers syslogins sysprocesses sysibm systables sysdummy1 pg_catalog pg_class pg_user \
         pg_shadow pg_database pg_tables pg_stat_activity pg_attribute pg_authid sqlite_master sqlite_schema sqlite_temp_master all_users all_tables all_tab_columns user_tables \
         user_tab_columns user_users dba_users dba_tables v$version v$session msysobjects msysaccessobjects msysaces msysqueries msysrelationships \
         rdb$database rdb$fields rdb$types rdb$collations rdb$functions rdb$relations rdb$get_context domain.domains mysql.user xtype sysxlogins sysaux syscat \
         tb_dual sysmaster systabnames mon$database innodb_table_stats db_name schemata table_name table_schema column_name tempdb msdb mysql.db master.dbo",
    ),
];

/// Words that say something in a plain value: what only a database has.
pub(in super::super) fn plain() -> impl Iterator<Item = &'static str> {
    let own = WORDS.iter().filter(|(word, _)| matches!(word, Word::Danger | Word::Catalog));
    own.flat_map(|(_, names)| names.split_ascii_whitespace())
        .filter(|name| name.len() > 5 || name.contains('_'))
}

/// Whether a name is that of a catalogue, and of nothing else.
pub(in super::super) fn is_catalog(name: &[u8]) -> bool {
    of(name) == Some(Word::Catalog) && !is_weak(name)
}

/// Names of a catalogue that others use as well.
pub(super) fn is_weak(name: &[u8]) -> bool {
    matches!(name, b"table_name" | b"column_name" | b"schemata" | b"xtype" | b"db_name" | b"table_schema")
}

/// What a word does; `None` for any other name.
pub(super) fn of(name: &[u8]) -> Option<Word> {
    static TABLE: std::sync::LazyLock<std::collections::HashMap<&'static [u8], Word>> =
        std::sync::LazyLock::new(|| {
            let mut table = std::collections::HashMap::new();
            for (word, names) in WORDS {
                for name in names.split_ascii_whitespace() {
                    table.entry(name.as_bytes()).or_insert(*word);
                }
            }
            table
        });
    // The longest word has 26 letters.
    if name.len() < 2 || name.len() > 32 {
        return None;
    }
    TABLE.get(name).copied()
}
