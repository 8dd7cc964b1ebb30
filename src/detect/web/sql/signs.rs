//! Signs of an injection in the tokens of a statement, and how they are fused.
//!
//! Each sign counts once, with the greatest weight at which it was seen: a weight is the share of such values that are
//! attacks, as far as the form alone tells. Signs are taken for independent (noisy or): 1 − Π(1 − weight). Prose, which
//! is many names in a row, makes all but the clearest weigh less.

use super::super::Sign;
use super::lex::{Context, Kind, Token};
use super::words::Word;

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
            _ => {}
        }
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
        let Some((end, operand)) = self.operand(from) else { return };
        let ends = self.is_end(end)
            || self.kind(end - 1) == Some(Kind::Open)
            || self.word(end).is_some()
            || self.kind(end) == Some(Kind::Compare);
        let concat = self.is(at, "||") || self.kind(at) == Some(Kind::Compare);
        let weight = match (operand, ends) {
            (Operand::Call, _) => 0.7,
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
                let own = !matches!(
                    self.text(at),
                    b"table_name" | b"column_name" | b"schemata" | b"xtype" | b"db_name" | b"table_schema"
                );
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
                let alone = self.tokens.len() == 3;
                self.add(TAUTOLOGY, if alone { 0.62 } else { 0.45 }, at);
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
            || !self.tokens[at].apart(self.text) && self.kind(at.wrapping_sub(1)) != Some(Kind::Number)
        {
            return;
        }
        let mut from = at + 1;
        while self.is(from, "not") || self.is(from, "exists") {
            from += 1;
        }
        let behind_break = self.quoted && at == self.free;
        let Some((end, left)) = self.operand(from) else { return };
        let bare_open = self.kind(end - 1) == Some(Kind::Open);
        if matches!(self.kind(end), Some(Kind::Compare | Kind::Word(Word::Like))) {
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

    fn union(&mut self, at: usize) {
        let mut next = at + 1;
        while matches!(self.kind(next), Some(Kind::Word(Word::Part) | Kind::Enter)) && next < at + 8 {
            next += 1;
        }
        if self.word(next) == Some(Word::Select) {
            self.add(UNION, 0.95, at);
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
                if matches!(next, Some(Kind::Enter | Kind::Variable | Kind::Word(Word::Danger))) =>
            {
                0.7
            }
            b"exec" | b"execute" if named => 0.35,
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
            if run || glued(before) && glued(after) {
                self.add(INLINE_COMMENT, if run { 0.5 } else { 0.35 }, 0);
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
