//! Commands of a text, as a shell cuts them.

use std::ops::Range;

/// What stands before a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lead {
    /// Nothing: the value begins with it.
    Start,
    /// `;`, `|`, `||`, `&&`, a line end.
    Operator,
    /// A single `&`, which prose has too.
    Ampersand,
    /// `` ` ``, `$(`, `<(`, `>(`.
    Substitution,
    /// A parenthesis behind words: prose, or a call of another language.
    Inside,
}

/// A word with quotes and escapes taken off.
#[derive(Debug, Default)]
pub(super) struct Word {
    pub(super) text: Vec<u8>,
    /// Whether quotes, escapes or empty expansions stood inside of it.
    pub(super) disguised: bool,
    /// Whether it is all that stands between two quotes.
    pub(super) quoted: bool,
    /// Whether it has `*`, `?` or `[`.
    pub(super) glob: bool,
    /// Whether `${IFS}` or a brace's comma parts it from the word before.
    pub(super) spaced_by_ifs: bool,
}

impl Word {
    /// A flag, a path, an address, a file: what commands take and prose does not.
    pub(super) fn is_argument(&self) -> bool {
        let text = self.text.as_slice();
        let flag = text.len() >= 2
            && matches!(text[0], b'-' | b'/' | b'+')
            && text[1].is_ascii_alphanumeric()
            && text.len() < 20
            || text.starts_with(b"--") && text.len() > 3;
        let path = text.len() > 1 && text.contains(&b'/')
            || text.contains(&b'\\')
            || text.starts_with(b"$")
            || text.starts_with(b"~");
        let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
        let dots = text.iter().filter(|byte| **byte == b'.').count();
        let address =
            dots == 3 && digits >= 4 || text.len() == 2 && text[1] == b':' && text[0].is_ascii_alphabetic();
        let file = dots == 1
            && text.len() > 4
            && text[text.len() - 4..].starts_with(b".")
            && text[text.len() - 3..].iter().all(u8::is_ascii_alphanumeric);
        flag || path || address || file || self.glob && text.len() > 1 && text.contains(&b'*')
    }

    /// Letters alone.
    pub(super) fn is_plain(&self) -> bool {
        !self.text.is_empty() && self.text.iter().all(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80)
    }
}

/// A command: its words, what stands before it, whether an operator ends it.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) lead: Lead,
    pub(super) words: Vec<Word>,
    pub(super) ended: bool,
    pub(super) range: Range<usize>,
}

/// Commands that are looked at.
const COMMANDS_MAX: usize = 64;
/// Words of one command that are kept.
const WORDS_MAX: usize = 16;
/// Bytes of one word that are kept.
const WORD_BYTES_MAX: usize = 256;

struct Lexer {
    commands: Vec<Command>,
    words: Vec<Word>,
    word: Option<Word>,
    lead: Lead,
    start: usize,
    /// Parentheses of `$(` that are open.
    depth: usize,
    backtick: bool,
    ifs: bool,
    /// Whether `{a,b}` is open.
    brace: bool,
    /// Whether the text has no blank, so that a `+` may stand for one.
    blankless: bool,
    /// Whether what comes is the value of an assignment, up to a blank.
    assigned: bool,
}

impl Lexer {
    fn word(&mut self) -> &mut Word {
        let ifs = std::mem::take(&mut self.ifs);
        self.word.get_or_insert_with(|| Word { spaced_by_ifs: ifs, ..Word::default() })
    }

    fn push(&mut self, byte: u8) {
        let word = self.word();
        if word.text.len() < WORD_BYTES_MAX {
            word.text.push(byte);
        }
    }

    fn end_word(&mut self) {
        if let Some(word) = self.word.take()
            && !std::mem::take(&mut self.assigned)
            && self.words.len() < WORDS_MAX
        {
            self.words.push(word);
        }
    }

    fn end_command(&mut self, at: usize, ended: bool, next: Lead, from: usize) {
        self.end_word();
        let words = std::mem::take(&mut self.words);
        if !words.is_empty() && self.commands.len() < COMMANDS_MAX {
            self.commands.push(Command { lead: self.lead, words, ended, range: self.start..at });
        }
        (self.lead, self.start, self.assigned) = (next, from, false);
    }
}

/// Cuts a text into commands. Quotes that are never closed are those of the command that the value was put in: they
/// end what stood before.
pub(super) fn commands(text: &[u8]) -> Vec<Command> {
    let mut lexer = Lexer {
        commands: Vec::new(),
        words: Vec::new(),
        word: None,
        lead: Lead::Start,
        start: 0,
        depth: 0,
        backtick: false,
        ifs: false,
        brace: false,
        assigned: false,
        blankless: memchr::memchr(b' ', text).is_none(),
    };
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        at = step(&mut lexer, text, at, byte);
        if lexer.commands.len() >= COMMANDS_MAX {
            break;
        }
    }
    lexer.end_command(text.len(), false, Lead::Start, text.len());
    lexer.commands
}

/// Takes what stands at `at`; gives where to go on.
fn step(lexer: &mut Lexer, text: &[u8], at: usize, byte: u8) -> usize {
    let next = text.get(at + 1).copied();
    let rest = &text[at..];
    match byte {
        b' ' | b'\t' => lexer.end_word(),
        b';' | b'\n' | b'\r' => lexer.end_command(at, true, Lead::Operator, at + 1),
        b'|' => {
            lexer.end_command(at, true, Lead::Operator, at + 1);
            return at + 1 + usize::from(next == Some(b'|'));
        }
        b'&' if next == Some(b'&') => {
            lexer.end_command(at, true, Lead::Operator, at + 2);
            return at + 2;
        }
        b'&' => lexer.end_command(at, false, Lead::Ampersand, at + 1),
        b'`' => {
            let lead = if lexer.backtick { Lead::Operator } else { Lead::Substitution };
            lexer.backtick = !lexer.backtick;
            // Nothing stands between a closing backtick and a word: `a``b` is one word.
            lexer.end_command(at, true, lead, at + 1);
        }
        b'$' if next == Some(b'(') => {
            lexer.depth += 1;
            lexer.end_command(at, false, Lead::Substitution, at + 2);
            return at + 2;
        }
        b'<' | b'>' if next == Some(b'(') => {
            lexer.depth += 1;
            lexer.end_command(at, false, Lead::Substitution, at + 2);
            return at + 2;
        }
        b'$' => return dollar(lexer, text, at),
        b'(' => {
            // A subshell, or a call of another language.
            let lead = if lexer.word.is_none() && lexer.words.is_empty() { lexer.lead } else { Lead::Inside };
            lexer.end_command(at, false, lead, at + 1);
        }
        b')' => {
            let closes = lexer.depth > 0;
            lexer.depth = lexer.depth.saturating_sub(1);
            lexer.end_command(at, true, if closes { Lead::Operator } else { Lead::Inside }, at + 1);
        }
        b'{' if is_brace_list(rest) => {
            // `{a,b}` is two words; so is `{,a,b}`, and `c{a,oun}t` becomes commands.
            if lexer.word.is_none() {
                lexer.ifs = true;
            }
            lexer.brace = true;
        }
        b',' if lexer.brace => {
            lexer.end_word();
            lexer.ifs = true;
        }
        b'{' | b'}' => {
            lexer.brace = false;
            lexer.end_word();
        }
        b'\'' | b'"' => return quote(lexer, text, at, byte),
        // `\n` that was written out, and a command behind it.
        b'\\'
            if matches!(next, Some(b'n' | b'r'))
                && (begins_command(&rest[2..]) || rest[2..].trim_ascii().is_empty()) =>
        {
            lexer.end_command(at, true, Lead::Operator, at + 2);
            return at + 2;
        }
        b'\\' | b'^' if next.is_some_and(|next| next.is_ascii_alphanumeric()) && !is_drive(text, at) => {
            let inside =
                lexer.word.as_ref().is_some_and(|word| !word.text.is_empty() && !word.text.contains(&b'\\'));
            lexer.word().disguised |= inside || byte == b'\\' && at == lexer.start;
        }
        b'<' | b'>' => lexer.end_word(),
        b'*' | b'?' | b'[' => {
            lexer.word().glob = true;
            lexer.push(byte);
        }
        b'+' if lexer.words.is_empty() && lexer.word.is_none() => {}
        // Nobody decoded the `+` of a form: it parts words.
        b'+' if lexer.words.is_empty()
            && lexer.word.as_ref().is_some_and(|word| super::names::of(&word.text).is_some()) =>
        {
            lexer.end_word()
        }
        b'+' if lexer.blankless
            || matches!(text.get(at.wrapping_sub(1)), Some(b'|' | b';' | b'&' | b'+')) =>
        {
            lexer.end_word()
        }
        b'=' if lexer.words.is_empty()
            && lexer.word.as_ref().is_some_and(|word| {
                word.text.len() <= 32
                    && word.text.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
            }) =>
        {
            // `name=value`: an assignment or a parameter, behind which a command may begin.
            lexer.word = None;
            lexer.start = at + 1;
            lexer.assigned = lexer.lead != Lead::Start;
        }
        _ => lexer.push(byte),
    }
    at + 1
}

/// Bytes of a brace list.
const BRACE_BYTES_MAX: usize = 64;

/// `{a,b}` as a shell expands it: no blanks, no colon, no number alone, so neither JSON nor a repetition in a pattern.
fn is_brace_list(rest: &[u8]) -> bool {
    let inside = &rest[1..rest.len().min(BRACE_BYTES_MAX)];
    let Some(end) = memchr::memchr(b'}', inside) else { return false };
    let inside = &inside[..end];
    let plain = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b',' | b'/' | b'-' | b'.' | b'_' | b'#' | b'*' | b'?' | b'\'' | b'$')
    };
    inside.contains(&b',') && inside.iter().all(plain) && inside.iter().any(u8::is_ascii_alphabetic)
}

/// Whether a known command, or one of SQLite's shell, begins here.
fn begins_command(rest: &[u8]) -> bool {
    let len = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'.').count();
    super::names::of(&rest[..len]).is_some()
        || super::names::is_dot_command(&rest[..len])
        || rest.starts_with(b". shell")
        || rest.starts_with(b". system")
}

/// `c:\x` is a path, not an escape.
fn is_drive(text: &[u8], at: usize) -> bool {
    at > 0 && matches!(text[at - 1], b':' | b'\\') || at == 0 && text.get(1) == Some(&b'\\')
}

/// `$x`, `${x}`: `${IFS}` is a blank, most others are nothing.
fn dollar(lexer: &mut Lexer, text: &[u8], at: usize) -> usize {
    let rest = &text[at + 1..];
    let (name, len) = match rest.first() {
        Some(b'{') => {
            let end = memchr::memchr(b'}', &rest[..rest.len().min(64)]).unwrap_or(0);
            // `${`id`}`: what is inside is run.
            if matches!(rest[1..], [b'`', ..] | [b'$', b'(', ..]) {
                return at + 2;
            }
            (&rest[1..end.max(1)], end + 1)
        }
        Some(byte) if byte.is_ascii_alphabetic() || *byte == b'_' => {
            let len = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
            (&rest[..len], len)
        }
        Some(b'@' | b'*' | b'1'..=b'9' | b'!' | b'#' | b'-') => (&rest[..1], 1),
        // `$'x'`, `$"x"`, and a dollar alone.
        Some(b'\'' | b'"') => {
            if lexer.word.is_some() {
                lexer.word().disguised = true;
            }
            return at + 1;
        }
        _ => (&rest[..0], 0),
    };
    let ifs = name.starts_with(b"ifs") || name.ends_with(b"ifs");
    if ifs {
        lexer.end_word();
        lexer.ifs = true;
        // `$IFS$9`
        return at + 1 + len;
    }
    if name.is_empty() {
        lexer.push(b'$');
    } else if lexer.word.as_ref().is_some_and(|word| !word.text.is_empty())
        && text.get(at + 1 + len).is_some_and(u8::is_ascii_alphanumeric)
    {
        lexer.word().disguised = true;
    } else if lexer.word.is_none() {
        lexer.push(b'$');
    }
    at + 1 + len
}

/// A quote. Inside of a word, or around a part of one, it hides the word; else it parts words.
fn quote(lexer: &mut Lexer, text: &[u8], at: usize, byte: u8) -> usize {
    let before = at.checked_sub(1).map(|at| text[at]);
    let next = text.get(at + 1).copied();
    let letter = |byte: Option<u8>| {
        byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'*' | b'?'))
    };
    if letter(before) && next == Some(byte) && letter(text.get(at + 2).copied()) {
        // `c''at`
        lexer.word().disguised = true;
        return at + 2;
    }
    let close = memchr::memchr(byte, text.get(at + 1..).unwrap_or_default()).map(|len| at + 1 + len);
    if let Some(close) = close
        && close - at <= 24
        && text[at + 1..close]
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'*' | b'?' | b'.'))
    {
        let after = text.get(close + 1).copied();
        if at == lexer.start && close + 1 == text.len() && close > at + 1 {
            // Single quotes: phrases that people search for are in double ones.
            lexer.word().quoted = byte == b'\'';
            text[at + 1..close].iter().for_each(|byte| lexer.push(*byte));
            return close + 1;
        }
        if (letter(before) || letter(after)) && close > at + 1 {
            // `c'a't`, `'i'd`: an apostrophe pair in prose has a blank on its outer side.
            lexer.word().disguised = true;
            text[at + 1..close].iter().for_each(|byte| lexer.push(*byte));
            return close + 1;
        }
    }
    // The quote of the command that the value was put in: what is behind it begins anew.
    if lexer.words.is_empty() && lexer.word.is_none() {
        lexer.start = at + 1;
    } else {
        lexer.end_word();
    }
    at + 1
}
