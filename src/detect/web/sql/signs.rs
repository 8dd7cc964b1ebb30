//! Signs of an injection in the tokens of a statement, and how they are fused.
//!
//! Each sign counts once, with the greatest weight at which it was seen: a weight is the share of such values that are
//! attacks, as far as the form alone tells. Signs are taken for independent (noisy or): 1 − Π(1 − weight). Prose, which
//! is many names in a row, makes all but the clearest weigh less.

mod breaks;
mod condition;
mod operand;
mod statement;

use super::super::Sign;
use super::super::words::find;
use super::lex::{Context, Kind, Token};
use super::words::{self, Word};
use operand::{Operand, alike};

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
    if signs.contradicts() {
        return None;
    }
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

    /// `1 != 1`, `'a' is not 'a'` and nothing else: what never holds opens nothing.
    fn contradicts(&self) -> bool {
        let last = self.tokens.len().saturating_sub(1);
        let literal = |at| matches!(self.kind(at), Some(Kind::Number | Kind::Text));
        let not = match last {
            2 => matches!(self.text(1), b"!=" | b"<>"),
            3 => {
                self.is(1, "is") && self.is(2, "not") || self.is(1, "not") && self.word(2) == Some(Word::Like)
            }
            _ => false,
        };
        not && literal(0) && literal(last) && self.text(0) == self.text(last)
    }

    fn text(&self, at: usize) -> &'t [u8] {
        self.tokens.get(at).map_or(&[], |token| token.of(self.text))
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
        if let Some(at) = find(self.text, b"/*")
            && let Some(len) = find(&self.text[at..], b"*/")
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
