//! Signs of an injection in the tokens of a statement, and how they are fused.
//!
//! Each sign counts once, with the greatest weight at which it was seen: a weight is the share of such values that are
//! attacks, as far as the form alone tells. Signs are taken for independent (noisy or): 1 − Π(1 − weight). Prose, which
//! is many names in a row, makes all but the clearest weigh less.

use super::super::Sign;
use super::lex::{Context, Kind, Token};
use super::words::{self, Word};

/// The signs, by number; the names are the rules of detections.
const RULES: [&str; 16] = [
    "tautology",
    "condition",
    "union",
    "select",
    "statement",
    "function",
    "catalog",
    "comment",
    "clause",
    "case",
    "quote_break",
    "bracket_break",
    "call",
    "variable",
    "inline_comment",
    "keywords",
];
const TAUTOLOGY: usize = 0;
const CONDITION: usize = 1;
const UNION: usize = 2;
const SELECT: usize = 3;
const STATEMENT: usize = 4;
const FUNCTION: usize = 5;
const CATALOG: usize = 6;
const COMMENT: usize = 7;
const CLAUSE: usize = 8;
const CASE: usize = 9;
const QUOTE_BREAK: usize = 10;
const BRACKET_BREAK: usize = 11;
const CALL: usize = 12;
const VARIABLE: usize = 13;
const INLINE_COMMENT: usize = 14;
const KEYWORDS: usize = 15;

/// Operands of one expression that are looked at.
const OPERANDS_MAX: usize = 12;
/// Tokens between `select` and its `from` that are looked at.
const COLUMNS_MAX: usize = 96;
/// Names in a row from which a text reads as prose.
const PROSE_NAMES: usize = 4;

struct Signs<'t> {
    text: &'t [u8],
    tokens: &'t [Token],
    /// For each opening parenthesis the one that closes it.
    closes: Vec<u32>,
    quoted: bool,
    /// The first token behind what breaks out: the quote and closing parentheses.
    free: usize,
    weights: [f32; RULES.len()],
    first: [u32; RULES.len()],
}

/// The fused score of a token list; `None` where nothing speaks for an attack.
pub(super) fn fuse(text: &[u8], tokens: &[Token], context: Context) -> Option<Sign> {
    let quoted = context != Context::Bare;
    if tokens.len() < if quoted { 2 } else { 1 } {
        return None;
    }
    let mut free = usize::from(quoted);
    while tokens.get(free).is_some_and(|token| token.kind == Kind::Leave) {
        free += 1;
    }
    let (weights, first) = ([0.0; RULES.len()], [0; RULES.len()]);
    let mut signs = Signs { text, tokens, closes: closes(tokens), quoted, free, weights, first };
    signs.breaks();
    for at in usize::from(quoted)..tokens.len() {
        signs.at(at);
    }
    signs.pieces();
    signs.whole();
    signs.verdict()
}

fn closes(tokens: &[Token]) -> Vec<u32> {
    let mut closes = vec![u32::MAX; tokens.len()];
    let mut open = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Enter => open.push(at),
            Kind::Leave => {
                if let Some(from) = open.pop() {
                    closes[from] = at as u32;
                }
            }
            _ => {}
        }
    }
    closes
}

impl<'t> Signs<'t> {
    fn add(&mut self, rule: usize, weight: f32, at: usize) {
        if weight > self.weights[rule] {
            self.weights[rule] = weight;
            self.first[rule] = self.tokens.get(at).map_or(0, |token| token.start);
        }
    }

    fn kind(&self, at: usize) -> Option<Kind> {
        self.tokens.get(at).map(|token| token.kind)
    }

    fn word(&self, at: usize) -> Option<Word> {
        match self.kind(at)? {
            Kind::Word(word) => Some(word),
            _ => None,
        }
    }

    fn is(&self, at: usize, text: &str) -> bool {
        self.tokens.get(at).is_some_and(|token| token.of(self.text) == text.as_bytes())
    }

    fn text(&self, at: usize) -> &'t [u8] {
        self.tokens.get(at).map_or(&[], |token| token.of(self.text))
    }

    fn is_end(&self, at: usize) -> bool {
        matches!(self.kind(at), None | Some(Kind::Tail | Kind::End | Kind::Leave | Kind::Comma | Kind::Open))
    }

    /// Whether a word stands on its own: a name right behind a quote is an apostrophe's second half.
    fn stands(&self, at: usize) -> bool {
        if !self.quoted || at != 1 {
            return true;
        }
        let Some(token) = self.tokens.get(1) else { return false };
        let quote = token.start as usize;
        let before = quote.checked_sub(2).and_then(|at| self.text.get(at));
        let glued = before.is_some_and(u8::is_ascii_alphabetic) && self.tokens[0].end == token.start;
        // `x'or y*0='0`: no second half of a name computes.
        let computes = || self.single(2).is_some_and(|(end, _)| self.goes_on(end));
        !glued
            || !token.of(self.text)[0].is_ascii_alphabetic()
            || matches!(
                self.kind(2),
                Some(
                    Kind::Text
                        | Kind::Open
                        | Kind::Number
                        | Kind::Enter
                        | Kind::Variable
                        | Kind::Word(Word::Logic | Word::Like)
                )
            )
            || computes()
    }

    /// One past the operand that begins at a token, with what it is made of.
    fn operand(&self, from: usize) -> Option<(usize, Operand)> {
        let mut at = from;
        let mut found: Option<Operand> = None;
        for _ in 0..OPERANDS_MAX {
            while self.is(at, "-")
                || self.is(at, "+")
                || self.is(at, "~")
                || self.is(at, "!")
                || self.is(at, "not")
                || self.is(at, "binary")
                || self.word(at) == Some(Word::Part)
            {
                at += 1;
            }
            let (next, operand) = self.single(at)?;
            found = Some(found.map_or(operand, |before| before.max(operand)));
            at = next;
            if self.kind(at) != Some(Kind::Compute) || self.single(at + 1).is_none() {
                break;
            }
            at += 1;
        }
        found.map(|found| (at, found))
    }

    fn single(&self, at: usize) -> Option<(usize, Operand)> {
        match self.kind(at)? {
            Kind::Number | Kind::Text | Kind::Open | Kind::Variable | Kind::Word(Word::Value) => {
                let cast = self.kind(at + 1) == Some(Kind::Variable) && self.text(at + 1).starts_with(b"::");
                Some((at + 1 + usize::from(cast), Operand::Literal))
            }
            Kind::Enter => {
                let end = self.closes[at];
                Some((if end == u32::MAX { self.tokens.len() } else { end as usize + 1 }, Operand::Call))
            }
            // `array['a','b']`
            Kind::Name if self.is(at, "array") && self.is(at + 1, "[") => {
                let end = (at + 2..self.tokens.len()).find(|end| self.is(*end, "]"));
                Some((end.map_or(self.tokens.len(), |end| end + 1), Operand::Literal))
            }
            Kind::Name
            | Kind::Word(
                Word::Call
                | Word::Common
                | Word::Danger
                | Word::Catalog
                | Word::Case
                | Word::Select
                | Word::Verb
                | Word::Thing,
            ) => {
                let mut at = at + 1;
                while self.kind(at) == Some(Kind::Dot) && self.kind(at + 1).is_some() {
                    at += 2;
                }
                if self.kind(at) != Some(Kind::Enter) {
                    return Some((at, Operand::Name));
                }
                let end = self.closes[at];
                Some((if end == u32::MAX { self.tokens.len() } else { end as usize + 1 }, Operand::Call))
            }
            _ => None,
        }
    }

    /// What stands right behind the quote or parentheses that end what the value was put in.
    fn breaks(&mut self) {
        let mut free = self.free;
        let bracket = if self.quoted {
            free > 1
        } else {
            // `1) and …`: more is closed than was opened.
            free = match self.leading_close() {
                Some(at) => at,
                None => return,
            };
            true
        };
        let next = self.kind(free);
        let goes_on = match next {
            Some(Kind::Word(
                Word::Logic | Word::Like | Word::Union | Word::Where | Word::Clause | Word::From,
            )) => self.stands(free),
            Some(Kind::Compare | Kind::Compute | Kind::End | Kind::Tail | Kind::Comma) => true,
            Some(Kind::Word(Word::Part)) => self.is(free, "as"),
            _ => false,
        };
        if bracket && goes_on {
            self.add(BRACKET_BREAK, 0.5, free);
        }
        if !self.quoted {
            return;
        }
        if self.is_phrase() {
            return;
        }
        let alone = self.tokens[0].end == 1 && memchr::memchr2(b'\'', b'"', &self.text[1..]).is_none();
        match next {
            Some(Kind::Word(Word::Verb | Word::Union)) if alone && self.tokens.len() > 2 => {
                self.add(QUOTE_BREAK, 0.62, free);
            }
            Some(Kind::Tail) => {
                let tail = self.text(free).len();
                self.add(COMMENT, if tail <= 16 { 0.72 } else { 0.4 }, free);
            }
            Some(Kind::End) => {
                let last = free + 1 == self.tokens.len();
                self.add(QUOTE_BREAK, if last { 0.62 } else { 0.4 }, free);
            }
            Some(Kind::Compute | Kind::Compare | Kind::Word(Word::Like)) if self.stands(free) => {
                self.operator_behind_quote(free);
            }
            // `' not like '`
            Some(Kind::Word(Word::Logic))
                if self.is(free, "not") && self.word(free + 1) == Some(Word::Like) && self.stands(free) =>
            {
                self.operator_behind_quote(free + 1);
            }
            _ => {}
        }
    }

    /// Whether double quotes are those of prose: around a phrase, or an inch behind a number.
    fn is_phrase(&self) -> bool {
        let text = self.text.trim_ascii();
        let [b'"', inner @ .., b'"'] = text else { return false };
        let inside = |byte: &u8| *byte != b'"' && !matches!(*byte, b'=' | b';' | b'#' | b'(');
        let words = inner.first().is_some_and(u8::is_ascii_alphanumeric)
            && inner.last().is_some_and(u8::is_ascii_alphanumeric);
        words && inner.iter().all(inside)
    }

    /// Where the text behind leading closing parentheses begins, for a value that is in none.
    fn leading_close(&self) -> Option<usize> {
        let mut at = 0;
        while matches!(
            self.kind(at),
            Some(
                Kind::Number
                    | Kind::Name
                    | Kind::Text
                    | Kind::Compute
                    | Kind::Variable
                    | Kind::Word(Word::Value)
            )
        ) && at < 4
        {
            at += 1;
        }
        let start = at;
        while self.kind(at) == Some(Kind::Leave) {
            at += 1;
        }
        (at > start).then_some(at)
    }

    fn operator_behind_quote(&mut self, at: usize) {
        let mut from = at + 1;
        while self.word(from).is_some_and(|word| matches!(word, Word::Logic | Word::Like)) {
            from += 1;
        }
        if self.text(0).ends_with(b"'") && self.goes_on(at) {
            self.add(QUOTE_BREAK, 0.64, at);
        }
        let Some((end, operand)) = self.operand(from) else { return };
        let ends = self.is_end(end)
            || self.kind(end - 1) == Some(Kind::Open)
            || self.word(end).is_some()
            || self.kind(end) == Some(Kind::Compare);
        let concat = self.is(at, "||") || self.kind(at) == Some(Kind::Compare);
        let mark = self.text(0).last().copied().unwrap_or(0);
        let opens = self.text(from).first().copied();
        // Prose parts phrases in double quotes by such signs, and closes a quote by its own kind.
        let parts = self.text.len() > 4
            && matches!(self.text(at), b"-" | b"&" | b"+")
            && (mark == b'"' || matches!(opens, Some(b'"' | b'`')) && opens != Some(mark));
        let like = self.kind(at) == Some(Kind::Word(Word::Like));
        let weight = match (operand, ends) {
            (Operand::Call, _) => 0.7,
            (Operand::Literal, _)
                if parts || like && mark == b'"' && opens == Some(b'"') && from == at + 1 =>
            {
                0.4
            }
            (Operand::Literal, true) if self.kind(end - 1) == Some(Kind::Number) => 0.45,
            (Operand::Literal, true) if concat => 0.72,
            // `'like'`, `'mod'`: between two quotes prose has other words.
            (Operand::Literal, true) if self.kind(at) == Some(Kind::Word(Word::Like)) => {
                if matches!(self.text(at), b"in" | b"is" | b"between" | b"match" | b"escape") {
                    0.4
                } else {
                    0.66
                }
            }
            (Operand::Literal, true) => {
                if self.text.len() <= 16 {
                    0.62
                } else {
                    0.55
                }
            }
            (Operand::Name, true) if matches!(self.kind(end), Some(Kind::Tail)) => 0.6,
            _ => 0.15,
        };
        self.add(QUOTE_BREAK, weight, at);
    }

    /// Signs that begin at a token.
    fn at(&mut self, at: usize) {
        match self.tokens[at].kind {
            Kind::Word(Word::Logic | Word::Where) => self.condition(at),
            Kind::Word(Word::Union) => self.union(at),
            Kind::Word(Word::Select) => self.select(at),
            Kind::Word(Word::Verb) => self.statement(at),
            Kind::Word(Word::Clause) => self.clause(at),
            Kind::Word(Word::Case) if self.is(at, "case") => {
                let ahead = (at + 1..at + 6).any(|next| self.is(next, "when"));
                if ahead {
                    self.add(CASE, 0.65, at);
                }
            }
            Kind::Word(Word::From)
                if self.is(at, "into") && matches!(self.text(at + 1), b"outfile" | b"dumpfile") =>
            {
                self.add(CLAUSE, 0.85, at);
            }
            Kind::Word(Word::Part)
                if self.is(at, "as")
                    && matches!(self.kind(at + 1), Some(Kind::Name | Kind::Text | Kind::Open))
                    && matches!(self.text(at + 1).first(), Some(b'`' | b'"' | b'\''))
                    && (self.is(at + 2, "from") || self.text(at + 1).ends_with(b"from")) =>
            {
                self.add(CLAUSE, 0.62, at);
            }
            Kind::Word(Word::Danger) => self.danger(at),
            Kind::Word(Word::Catalog) => {
                let own = !words::is_weak(self.text(at));
                self.add(CATALOG, if own { 0.66 } else { 0.35 }, at);
            }
            Kind::Word(word @ (Word::Call | Word::Common)) if self.kind(at + 1) == Some(Kind::Enter) => {
                let leads = at.checked_sub(1).and_then(|before| self.kind(before)).is_some_and(|before| {
                    matches!(
                        before,
                        Kind::Word(Word::Logic | Word::Select | Word::Where | Word::Case)
                            | Kind::Compare
                            | Kind::Compute
                            | Kind::Comma
                            | Kind::Enter
                    )
                });
                let weight = if word == Word::Call { 0.4 } else { 0.15 };
                let leads = leads || at == 0 && word == Word::Call;
                let about = matches!(self.text(at), b"database" | b"schema" | b"user" | b"version")
                    && at == 0
                    && matches!(self.kind(2), None | Some(Kind::Leave));
                self.add(
                    CALL,
                    if about {
                        0.62
                    } else if leads {
                        weight + 0.2
                    } else {
                        weight
                    },
                    at,
                );
            }
            Kind::Number
                if self.kind(at + 1) == Some(Kind::Compare) && self.kind(at + 2) == Some(Kind::Number) =>
            {
                // `3<4` is a comparison that people write, too.
                let alone = self.tokens.len() == 3 && !matches!(self.text(at + 1), b"<" | b">");
                self.add(TAUTOLOGY, if alone { 0.62 } else { 0.45 }, at);
            }
            // `1='1'`
            Kind::Number
                if at == 0
                    && self.kind(1) == Some(Kind::Compare)
                    && matches!(self.kind(2), Some(Kind::Text | Kind::Open))
                    && alike(self.text(0), self.text(2)) =>
            {
                self.add(TAUTOLOGY, 0.62, at);
            }
            // `when 1 then`
            Kind::Word(Word::Case)
                if self.is(at, "then")
                    && at > 1
                    && self.is(at - 2, "when")
                    && self.single(at - 1).is_some_and(|(_, operand)| operand == Operand::Literal) =>
            {
                self.add(CASE, 0.45, at);
            }
            // `div(7, 2)`
            Kind::Word(Word::Like)
                if matches!(self.text(at), b"div" | b"mod")
                    && self.kind(at + 1) == Some(Kind::Enter)
                    && self.kind(at + 2) == Some(Kind::Number)
                    && self.kind(at + 3) == Some(Kind::Comma) =>
            {
                self.add(CALL, 0.62, at);
            }
            // `1-true`
            Kind::Number
                if at == 0
                    && self.tokens.len() == 3
                    && self.kind(1) == Some(Kind::Compute)
                    && self.word(2) == Some(Word::Value) =>
            {
                self.add(TAUTOLOGY, 0.62, at);
            }
            // `'a' = 'b'`, in SQL's own quotes.
            Kind::Text
                if self.kind(at + 1) == Some(Kind::Compare)
                    && matches!(self.kind(at + 2), Some(Kind::Text))
                    && self.text(at).starts_with(b"'")
                    && self.text(at + 2).starts_with(b"'") =>
            {
                self.add(TAUTOLOGY, 0.62, at);
            }
            // `1 is not 2`, `'a' not regexp 'b'`, and nothing else.
            Kind::Number | Kind::Text
                if at == 0 && self.word(1).is_some_and(|word| matches!(word, Word::Logic | Word::Like)) =>
            {
                let not = usize::from(self.is(1, "not"));
                let like = self.word(1 + not) == Some(Word::Like);
                let right = 2 + not + usize::from(self.is(2, "not") && not == 0);
                let ends = self
                    .single(right)
                    .is_some_and(|(end, operand)| end == self.tokens.len() && operand == Operand::Literal);
                if like && right > 2 && ends {
                    self.add(TAUTOLOGY, 0.62, at);
                }
            }
            Kind::Number if self.text(at).len() >= 10 && self.text(at).starts_with(b"0x") => {
                self.add(CALL, 0.3, at);
            }
            Kind::Variable if self.text(at).starts_with(b"@@") => self.add(VARIABLE, 0.6, at),
            Kind::Variable if self.text(at).starts_with(b"::") => {
                let ty = matches!(
                    &self.text(at)[2..],
                    b"int"
                        | b"int2"
                        | b"int4"
                        | b"int8"
                        | b"integer"
                        | b"bigint"
                        | b"smallint"
                        | b"text"
                        | b"bool"
                        | b"boolean"
                        | b"json"
                        | b"jsonb"
                        | b"date"
                        | b"double"
                        | b"real"
                        | b"numeric"
                        | b"varchar"
                        | b"char"
                        | b"bytea"
                        | b"money"
                        | b"timestamp"
                        | b"time"
                        | b"uuid"
                        | b"xml"
                        | b"float"
                        | b"regclass"
                );
                self.add(VARIABLE, if ty { 0.64 } else { 0.3 }, at);
            }
            _ => {}
        }
    }

    fn condition(&mut self, at: usize) {
        if !self.stands(at)
            || !self.tokens[at].behind(self.tokens.get(at.wrapping_sub(1)), self.text)
                && self.kind(at.wrapping_sub(1)) != Some(Kind::Number)
        {
            return;
        }
        let mut from = at + 1;
        while self.is(from, "not") || self.is(from, "exists") {
            from += 1;
        }
        let behind_break = self.quoted && at == self.free;
        let Some((end, left)) = self.operand(from) else { return };
        let bare_open = self.kind(end - 1) == Some(Kind::Open) && self.word(at) == Some(Word::Logic);
        // PostgreSQL asks a JSON text for a key with `?`.
        let asks = left == Operand::Literal && self.is(end, "?");
        if asks || matches!(self.kind(end), Some(Kind::Compare | Kind::Word(Word::Like))) {
            let symbol = self.kind(end) == Some(Kind::Compare);
            let mut next = end + 1;
            while matches!(self.kind(next), Some(Kind::Word(Word::Like | Word::Logic))) {
                next += 1;
            }
            if let Some((_, right)) = self.operand(next) {
                let same = self.text(from).trim_ascii() == self.text(next)
                    || alike(self.text(from), self.text(next));
                let weight = match (left, right) {
                    (Operand::Literal, Operand::Literal) if same => 0.9,
                    (Operand::Literal, Operand::Literal) => 0.75,
                    (Operand::Call, _) | (_, Operand::Call) => 0.75,
                    // `or x=x`: a column is itself.
                    (Operand::Name, Operand::Name) if same && self.is(end, "=") => 0.75,
                    // `or x=y` and nothing else.
                    (Operand::Name, Operand::Name) if at == 0 && symbol && self.tokens.len() <= 5 => 0.62,
                    (Operand::Name, Operand::Literal) => 0.35,
                    _ => 0.25,
                };
                let weight = if symbol || right != Operand::Name { weight } else { weight / 2.0 };
                self.add(TAUTOLOGY, if behind_break { f32::max(weight, 0.75) } else { weight }, at);
                return;
            }
            if symbol && (behind_break || left == Operand::Literal && self.kind(next).is_none()) {
                self.add(CONDITION, 0.62, at);
            }
            return;
        }
        let last = self.is_end(end) || bare_open;
        // `16" or 18"`: two inch marks.
        if self.quoted
            && self.text(0).ends_with(b"\"")
            && self.text(0).iter().rev().nth(1).is_some_and(u8::is_ascii_digit)
            && self.kind(from) == Some(Kind::Number)
            && self.kind(end) == Some(Kind::Open)
            && !self.text(end).iter().any(|byte| matches!(byte, b'=' | b'#' | b'-' | b'('))
        {
            return;
        }
        let tail = self.kind(end) == Some(Kind::Tail);
        let weight = match (left, last) {
            (Operand::Call, true) => {
                if self.quoted || tail {
                    0.7
                } else {
                    0.5
                }
            }
            (Operand::Literal, true) if behind_break => 0.75,
            (Operand::Literal, true) => {
                if tail {
                    0.65
                } else if bare_open {
                    0.62
                } else if at == 0 && self.tokens.len() == 2 {
                    // `and 1`, and nothing else.
                    0.61
                } else {
                    0.35
                }
            }
            (Operand::Name, false)
                if behind_break
                    && matches!(self.kind(end), Some(Kind::Compute | Kind::Other))
                    && end + 1 == self.tokens.len() =>
            {
                0.61
            }
            // `' or x^'1`, `' and x not like y--`
            (_, false) if behind_break && self.goes_on(end) => 0.62,
            (Operand::Name, true) if behind_break => {
                if tail {
                    0.6
                } else {
                    0.3
                }
            }
            (Operand::Call, false) => 0.4,
            _ => 0.0,
        };
        self.add(CONDITION, weight, at);
    }

    /// Whether an expression goes on with an operator, up to the end of the value or of the statement.
    fn goes_on(&self, from: usize) -> bool {
        let mut at = from;
        let mut dash = true;
        for _ in 0..OPERANDS_MAX {
            let begin = at;
            while matches!(
                self.kind(at),
                Some(
                    Kind::Compute
                        | Kind::Compare
                        | Kind::Word(Word::Like | Word::Logic | Word::Part | Word::From)
                )
            ) {
                // `boys' and girls-only`
                dash &= self.is(at, "-");
                at += 1;
                // `similar to`
                at += usize::from(self.is(at, "to"));
            }
            if at == begin {
                break;
            }
            let Some((next, _)) = self.single(at) else { return false };
            at = next;
        }
        // The statement's own quote closes what is left open: a short value, not the rest of a sentence.
        if let Some(open) = self.tokens.get(at.wrapping_sub(1)).filter(|token| token.kind == Kind::Open) {
            let rest = open.of(self.text).trim_ascii();
            return !dash && rest.len() <= 8 && !rest.contains(&b' ') && !rest.contains(&b'+');
        }
        let end = self.is_end(at) && !matches!(self.kind(at), Some(Kind::Comma | Kind::Open));
        let sure = matches!(self.kind(at), Some(Kind::Tail | Kind::End))
            || matches!(self.kind(at.wrapping_sub(1)), Some(Kind::Number | Kind::Leave));
        at > from && end && !dash && sure
    }

    fn union(&mut self, at: usize) {
        let mut next = at + 1;
        while matches!(self.kind(next), Some(Kind::Word(Word::Part) | Kind::Enter)) && next < at + 8 {
            next += 1;
        }
        if self.word(next) == Some(Word::Select) {
            self.add(UNION, 0.95, at);
        } else if self.is(next, "values") && self.kind(next + 1) == Some(Kind::Enter) {
            self.add(UNION, 0.8, at);
        } else if next > at + 1 && (self.is(next, "values") || self.kind(next).is_none()) {
            self.add(UNION, 0.6, at);
        }
    }

    fn select(&mut self, at: usize) {
        let mut next = at + 1;
        while self.word(next) == Some(Word::Part) {
            next += 1;
        }
        let (mut names, mut marks, mut from) = (0, 0, None);
        for column in next..(next + COLUMNS_MAX).min(self.tokens.len()) {
            match self.tokens[column].kind {
                Kind::Word(Word::From) => {
                    from = Some(column);
                    break;
                }
                Kind::Name => names += 1,
                Kind::Comma
                | Kind::Enter
                | Kind::Compute
                | Kind::Dot
                | Kind::Number
                | Kind::Text
                | Kind::Variable => marks += 1,
                Kind::End | Kind::Tail => break,
                _ => {}
            }
        }
        // `*` multiplies elsewhere; behind `select` it is every column.
        let star = self.is(next, "*");
        let follows = match self.single(next) {
            Some((end, Operand::Literal)) => self.is_end(end) || self.word(end) == Some(Word::From),
            Some((_, Operand::Call)) => true,
            _ => false,
        };
        let target = from.is_some_and(|from| {
            matches!(
                self.kind(from + 1),
                Some(Kind::Name | Kind::Enter | Kind::Word(_) | Kind::Text | Kind::Open)
            )
        });
        let weight = match (from.is_some(), target) {
            (true, _) if star => 0.85,
            (true, true) if marks > 0 && names <= marks * 2 => 0.75,
            (true, true) if names == 1 => 0.55,
            (true, false) if marks > 0 => 0.6,
            (true, _) => 0.2,
            _ if follows => 0.6,
            _ if star => 0.4,
            _ => 0.0,
        };
        let inside = at.checked_sub(1).and_then(|before| self.kind(before)) == Some(Kind::Enter);
        self.add(SELECT, if inside && weight > 0.0 { f32::min(weight + 0.2, 0.9) } else { weight }, at);
    }

    fn statement(&mut self, at: usize) {
        let before = at.checked_sub(1).and_then(|before| self.kind(before));
        let begins = matches!(before, None | Some(Kind::Broken)) || at == self.free;
        let stacked = before == Some(Kind::End);
        let next = self.kind(at + 1);
        let thing = self.word(at + 1) == Some(Word::Thing);
        let named = matches!(next, Some(Kind::Name | Kind::Word(_)));
        let base: f32 = match self.text(at) {
            b"drop" | b"create" | b"alter" | b"truncate" if thing && (stacked || self.quoted) => 0.6,
            // Alone it is what people look for, too.
            b"drop" | b"create" | b"alter" | b"truncate" if thing => 0.5,
            b"insert" if self.is(at + 1, "into") => 0.5,
            b"delete" if self.is(at + 1, "from") && named => 0.5,
            b"update" if (at + 2..at + 5).any(|next| self.is(next, "set")) => 0.6,
            b"waitfor" if matches!(self.text(at + 1), b"delay" | b"time") => 0.85,
            b"declare" | b"set" if next == Some(Kind::Variable) => 0.7,
            b"exec" | b"execute"
                if matches!(next, Some(Kind::Variable | Kind::Word(Word::Danger)))
                    || next == Some(Kind::Enter) && self.kind(at + 2).is_some() =>
            {
                0.7
            }
            b"exec" | b"execute" if named => 0.3,
            b"shutdown" if stacked || self.quoted && begins => 0.6,
            b"call" | b"do" if self.single(at + 1).is_some_and(|(_, operand)| operand == Operand::Call) => {
                0.5
            }
            b"begin" if stacked => 0.5,
            b"if" | b"while" if stacked && next == Some(Kind::Enter) => 0.5,
            b"copy" | b"grant" | b"revoke" | b"merge" | b"backup" | b"restore" | b"load" | b"use"
            | b"handler" | b"attach" | b"pragma"
                if stacked && named =>
            {
                0.4
            }
            _ if stacked && named => 0.2,
            _ => 0.0,
        };
        if base > 0.0 {
            let led = stacked && at > 1 || self.quoted && at == self.free;
            self.add(STATEMENT, if led { (base + 0.25).min(0.92) } else { base }, at);
        }
    }

    fn clause(&mut self, at: usize) {
        let behind_break = self.quoted && at == self.free;
        if self.word(at + 1) == Some(Word::By) {
            let Some((end, operand)) = self.operand(at + 2) else { return };
            let ends = self.is_end(end);
            let weight = match operand {
                Operand::Literal if ends => 0.62,
                Operand::Call => 0.6,
                Operand::Name if ends && behind_break => 0.6,
                _ => 0.15,
            };
            self.add(CLAUSE, if behind_break { weight + 0.2 } else { weight }, at);
        } else if self.is(at, "limit") && self.kind(at + 1) == Some(Kind::Number) {
            self.add(CLAUSE, if behind_break { 0.6 } else { 0.25 }, at);
        } else if self.is(at, "procedure") && self.is(at + 1, "analyse") {
            self.add(CLAUSE, 0.8, at);
        }
    }

    fn danger(&mut self, at: usize) {
        let text = self.text(at);
        let called = self.kind(at + 1) == Some(Kind::Enter);
        let own = memchr::memchr(b'_', text).is_some();
        let weight = match (own, called, self.kind(at + 1) == Some(Kind::Dot)) {
            (true, true, _) | (true, _, true) => 0.85,
            (true, ..) => 0.66,
            (false, true, _) => 0.7,
            _ => 0.0,
        };
        self.add(FUNCTION, weight, at);
    }

    /// What is but a piece of a statement: a call that is not closed, a call of what tells about the database inside of
    /// another, the rest of a statement behind its `select`.
    fn pieces(&mut self) {
        let called = |signs: &Self, at: usize| {
            let name = matches!(signs.word(at), Some(Word::Call | Word::Common | Word::Value))
                || matches!(signs.text(at), b"database" | b"schema" | b"insert");
            name && signs.kind(at + 1) == Some(Kind::Enter)
        };
        let first = usize::from(self.quoted);
        if !self.quoted && called(self, 0) && self.tokens.len() == 2 {
            self.add(CALL, 0.62, 0);
        }
        for at in first..self.tokens.len() {
            if called(self, at) {
                let close = self.closes[at + 1];
                let about = matches!(
                    self.text(at + 2),
                    b"user"
                        | b"version"
                        | b"database"
                        | b"schema"
                        | b"current_user"
                        | b"session_user"
                        | b"system_user"
                );
                if about && self.kind(at + 3) == Some(Kind::Enter) && self.kind(at + 4) == Some(Kind::Leave) {
                    self.add(CALL, 0.66, at);
                }
                let hex = |token: &Token| {
                    token.kind == Kind::Number
                        && token.end - token.start >= 10
                        && token.of(self.text).starts_with(b"0x")
                };
                let inside = at + 2..(close as usize).min(self.tokens.len()).max(at + 2);
                if self.tokens.get(inside).is_some_and(|tokens| tokens.iter().any(hex)) {
                    self.add(CALL, 0.64, at);
                }
            }
            // `from x where y = 'z'`
            if at == first
                && self.is(at, "from")
                && matches!(self.kind(at + 1), Some(Kind::Name))
                && self.is(at + 2, "where")
                && let Some((end, Operand::Name)) = self.operand(at + 3)
                && self.kind(end) == Some(Kind::Compare)
                && let Some((_, Operand::Literal)) = self.operand(end + 1)
            {
                self.add(CLAUSE, 0.66, at);
            }
        }
        // `drop x;--`: whatever it is, it is done to something and the rest is cut off.
        if self.word(first) == Some(Word::Verb)
            && self.kind(first + 1) == Some(Kind::Name)
            && self.kind(first + 2) == Some(Kind::End)
            && self.kind(first + 3) == Some(Kind::Tail)
        {
            self.add(STATEMENT, 0.64, first);
        }
        // `drop/**/x`
        if self.word(first) == Some(Word::Verb)
            && self.tokens.len() > first + 1
            && self.text.get(self.tokens[first].end as usize..).is_some_and(|rest| rest.starts_with(b"/*"))
        {
            self.add(STATEMENT, 0.5, first);
        }
    }

    /// Signs of the text as a whole.
    fn whole(&mut self) {
        let mut kinds = 0u32;
        for token in self.tokens {
            kinds |= match token.kind {
                Kind::Word(Word::Select) => 1,
                Kind::Word(Word::From) => 2,
                Kind::Word(Word::Where) => 4,
                Kind::Word(Word::Union) => 8,
                Kind::Word(Word::Logic) => 16,
                Kind::Word(Word::Like) => 32,
                Kind::Word(Word::Case) => 64,
                Kind::Word(Word::Catalog | Word::Danger) => 128,
                _ => 0,
            };
        }
        let weight = match kinds.count_ones() {
            0..=2 => 0.0,
            3 => 0.25,
            _ => 0.4,
        };
        self.add(KEYWORDS, weight, 0);
        // A comment at the end, behind something that a statement can end with.
        if self.tokens.len() > 1
            && let Some(last) = self.tokens.last()
            && last.kind == Kind::Tail
        {
            let len = last.of(self.text).len();
            let before = self.kind(self.tokens.len() - 2);
            let ends = matches!(
                before,
                Some(Kind::Number | Kind::Leave | Kind::Text | Kind::End | Kind::Word(Word::Value))
            );
            if ends && len <= 16 {
                let weight = if self.quoted || before == Some(Kind::Leave) { 0.4 } else { 0.3 };
                self.add(COMMENT, weight, self.tokens.len() - 1);
            }
        }
        // Comments in place of blanks.
        if let Some(at) = memchr::memmem::find(self.text, b"/*")
            && let Some(len) = memchr::memmem::find(&self.text[at..], b"*/")
        {
            let before = at.checked_sub(1).and_then(|at| self.text.get(at));
            let after = self.text.get(at + len + 2);
            let glued =
                |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'\'');
            let run = self.text[at..].starts_with(b"/*!");
            // A comment with nothing in it, in the middle of words.
            let empty = len == 2 && self.text.len() < 256;
            if run || glued(before) && glued(after) {
                self.add(
                    INLINE_COMMENT,
                    if empty {
                        0.61
                    } else if run {
                        0.5
                    } else {
                        0.35
                    },
                    0,
                );
            }
        }
    }

    /// The longest run of names with nothing but blanks between them.
    fn prose(&self) -> usize {
        let (mut longest, mut run) = (0, 0);
        for token in &self.tokens[usize::from(self.quoted)..] {
            match token.kind {
                Kind::Name
                | Kind::Word(Word::Part | Word::Common | Word::Case | Word::From | Word::By | Word::Thing) => {
                    run += 1
                }
                _ => run = 0,
            }
            longest = longest.max(run);
        }
        longest
    }

    fn verdict(&self) -> Option<Sign> {
        let prose = self.prose() >= PROSE_NAMES;
        let weigh = |weight: f32| if prose && weight < 0.9 { weight * 0.6 } else { weight };
        let left = self.weights.iter().fold(1.0, |left, weight| left * (1.0 - weigh(*weight)));
        let best = (0..RULES.len()).max_by(|a, b| self.weights[*a].total_cmp(&self.weights[*b]))?;
        if self.weights[best] <= 0.0 {
            return None;
        }
        let score = ((1.0 - left) * 100.0) as u8;
        let start =
            (0..RULES.len()).filter(|rule| self.weights[*rule] > 0.0).map(|rule| self.first[rule]).min();
        let start = if self.quoted { self.tokens[0].end as usize - 1 } else { start.unwrap_or(0) as usize };
        Some(Sign { rule: RULES[best], score, range: start.min(self.text.len())..self.text.len() })
    }
}

/// What an operand is made of; the greatest part names the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Operand {
    Literal,
    Name,
    Call,
}

/// Whether two literals are the same, one of them perhaps not closed.
fn alike(left: &[u8], right: &[u8]) -> bool {
    let bare = |text: &[u8]| -> Vec<u8> {
        text.iter().copied().filter(|byte| !matches!(byte, b'\'' | b'"' | b'(' | b')')).collect()
    };
    bare(left) == bare(right)
}
