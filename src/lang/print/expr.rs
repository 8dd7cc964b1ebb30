//! Expressions, settings, texts.

use super::Printer;
use super::doc::Doc;
use crate::diag::Place;
use crate::lang::ast::{BinaryOp, Expr, ExprKind, Literal, Path, Setting, UnaryOp};
use crate::lang::lex::{in_word, is_bare};
use crate::lang::parse::{BINARY, NEGATE, NOT, tight_of};

/// How tightly an expression of this kind binds; what never needs parentheses binds tightest.
fn tight(kind: &ExprKind) -> u8 {
    match kind {
        ExprKind::If(..) => 0,
        ExprKind::Unary(UnaryOp::Not, _) => NOT,
        ExprKind::Unary(UnaryOp::Negate, _) => NEGATE,
        ExprKind::Binary(op, ..) => tight_of(*op),
        _ => u8::MAX,
    }
}

fn sign(op: BinaryOp) -> &'static str {
    BINARY.iter().find(|(_, known, _)| *known == op).map_or("", |(sign, ..)| sign)
}

impl Printer<'_> {
    pub(super) fn expr(&mut self, expr: &Expr) -> Doc {
        match &*expr.node {
            ExprKind::Literal(literal) => self.literal(literal, &expr.place),
            ExprKind::Path(path) => Doc::text(path_text(path)),
            ExprKind::Word(word) => Doc::text(word),
            ExprKind::List(items) => {
                let items = items.iter().map(|item| (self.expr(item), item.place.start)).collect();
                self.bracket("[", items, "]")
            }
            ExprKind::Object(settings) => self.settings(settings),
            ExprKind::Call { name, arguments, options } => self.call(&name.node, arguments, options),
            ExprKind::Unary(UnaryOp::Not, inner) => self.not(inner),
            ExprKind::Unary(UnaryOp::Negate, inner) => {
                Doc::All(vec![Doc::text("-"), self.at_least(inner, NEGATE)])
            }
            ExprKind::Binary(op, left, right) => self.binary(*op, left, right),
            ExprKind::If(condition, then, otherwise) => {
                let (a, b, c) = (self.expr(condition), self.expr(then), self.expr(otherwise));
                let rest = vec![Doc::Line, Doc::text("then "), b, Doc::Line, Doc::text("else "), c];
                Doc::group(vec![Doc::text("if "), a, Doc::indent(2, Doc::All(rest))])
            }
            ExprKind::Broken => Doc::text(self.written(&expr.place)),
        }
    }

    /// An operand, in parentheses where it binds less than `least`.
    fn at_least(&mut self, expr: &Expr, least: u8) -> Doc {
        let doc = self.expr(expr);
        if tight(&expr.node) >= least {
            return doc;
        }
        Doc::All(vec![Doc::text("("), Doc::indent(1, doc), Doc::text(")")])
    }

    fn not(&mut self, inner: &Expr) -> Doc {
        // The words among the comparisons are negated in their middle.
        if let ExprKind::Binary(op, left, right) = &*inner.node
            && sign(*op).starts_with(in_word)
            && tight_of(*op) > NOT
        {
            return self.chain(*op, left, right, &format!("not {}", sign(*op)));
        }
        Doc::All(vec![Doc::text("not "), self.at_least(inner, NOT)])
    }

    fn binary(&mut self, op: BinaryOp, left: &Expr, right: &Expr) -> Doc {
        self.chain(op, left, right, sign(op))
    }

    /// Operands of the same operator in a row break together.
    fn chain(&mut self, op: BinaryOp, left: &Expr, right: &Expr, sign: &str) -> Doc {
        let level = tight_of(op);
        let comparison = level == tight_of(BinaryOp::Equal);
        let mut links = vec![(sign.to_owned(), right)];
        let mut first = left;
        while let ExprKind::Binary(next, a, b) = &*first.node
            && tight_of(*next) == level
            && !comparison
        {
            links.push((self::sign(*next).to_owned(), b));
            first = a;
        }
        let mut parts = vec![self.at_least(first, if comparison { level + 1 } else { level })];
        let mut rest = Vec::new();
        for (sign, operand) in links.into_iter().rev() {
            rest.extend([Doc::Line, Doc::text(format!("{sign} ")), self.at_least(operand, level + 1)]);
        }
        parts.push(Doc::indent(2, Doc::All(rest)));
        Doc::group(parts)
    }

    pub(super) fn call(&mut self, name: &str, arguments: &[Expr], options: &[Setting]) -> Doc {
        let mut items: Vec<_> = arguments.iter().map(|item| (self.expr(item), item.place.start)).collect();
        for option in options {
            items.push((self.setting(option), option.name.place.start));
        }
        Doc::All(vec![Doc::text(name), self.bracket("(", items, ")")])
    }

    /// Parts between brackets, on one line or one a line.
    fn bracket(&mut self, open: &str, items: Vec<(Doc, usize)>, close: &str) -> Doc {
        if items.is_empty() {
            return Doc::text(format!("{open}{close}"));
        }
        let on_lines = items.len() > 1 && self.begun_on_new_line(items[0].1);
        let line = if on_lines { Doc::Hard } else { Doc::Soft };
        let between = [Doc::text(","), if on_lines { Doc::Hard } else { Doc::Line }];
        let inner = Doc::join(items.into_iter().map(|(doc, _)| doc), &between);
        Doc::group(vec![
            Doc::text(open),
            Doc::indent(2, Doc::All(vec![line.clone(), inner])),
            line,
            Doc::text(close),
        ])
    }

    /// `{ a = 1, b = 2 }`, or one a line without commas.
    pub(super) fn settings(&mut self, settings: &[Setting]) -> Doc {
        let Some(first) = settings.first() else { return Doc::text("{}") };
        let end = settings.last().map_or(0, |last| last.value.place.end);
        if self.begun_on_new_line(first.name.place.start) || self.has_comment_before(end) {
            let mut lines = Vec::new();
            for setting in settings {
                let place = setting.name.place.start..setting.value.place.end;
                self.line(&mut lines, &place, false, |printer| printer.setting(setting));
            }
            let block = self.closing(end);
            self.close(&mut lines, block);
            return Doc::All(vec![
                Doc::text("{"),
                Doc::indent(2, Doc::All([vec![Doc::Hard], lines].concat())),
                Doc::Hard,
                Doc::text("}"),
            ]);
        }
        let mut inner = vec![Doc::Line];
        for (at, setting) in settings.iter().enumerate() {
            if at > 0 {
                inner.extend([Doc::Flat(","), Doc::Line]);
            }
            inner.push(self.setting(setting));
        }
        Doc::group(vec![Doc::text("{"), Doc::indent(2, Doc::All(inner)), Doc::Line, Doc::text("}")])
    }

    /// Where the block of which the last part ends at `end` is closed.
    pub(super) fn closing(&self, end: usize) -> usize {
        let mut at = end;
        loop {
            let Some(rest) = self.text.get(at..) else { return end };
            let skipped = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n', ',']).len();
            at += skipped;
            let comment = self.comments.iter().find(|comment| comment.place.start == at);
            match comment {
                Some(comment) if comment.place.end > at => at = comment.place.end,
                _ => return at,
            }
        }
    }

    fn setting(&mut self, setting: &Setting) -> Doc {
        let value = self.expr(&setting.value);
        Doc::All(vec![Doc::text(setting_name(&setting.name.node)), Doc::text(" = "), value])
    }

    fn literal(&self, literal: &Literal, place: &Place) -> Doc {
        Doc::text(match literal {
            Literal::Null => "null".to_owned(),
            Literal::Missing => "missing".to_owned(),
            Literal::Bool(truth) => truth.to_string(),
            Literal::Int(int) => {
                let written = self.written(place);
                let same = written.replace('_', "").parse() == Ok(*int)
                    && written.starts_with(|c: char| c.is_ascii_digit());
                if same { written.to_owned() } else { int.to_string() }
            }
            Literal::Float(float) => format!("{float:?}"),
            Literal::Text(text) => return self.quoted(text, place),
            Literal::Rate(count, _, within) => format!("{count} per {within}"),
            Literal::Duration(_, written) | Literal::Size(_, written) | Literal::Percent(_, written) => {
                written.clone()
            }
        })
    }

    /// A text in the form in which it was written, if that form can hold it.
    pub(super) fn quoted(&self, text: &str, place: &Place) -> Doc {
        let written = self.written(place);
        if written.starts_with("\"\"\"")
            && (text.is_empty() || text.ends_with('\n'))
            && !text.contains("\"\"\"")
        {
            return block(text);
        }
        if written.starts_with('r') && !text.contains(['\n', '\r']) {
            return Doc::text(raw(text));
        }
        Doc::text(escaped(text))
    }
}

fn block(text: &str) -> Doc {
    let mut parts = vec![Doc::text("\"\"\"")];
    for line in text.strip_suffix('\n').into_iter().flat_map(|lines| lines.split('\n')) {
        parts.extend([Doc::Hard, Doc::text(line)]);
    }
    parts.extend([Doc::Hard, Doc::text("\"\"\"")]);
    Doc::All(parts)
}

/// `r"…"`, with as many `#` as keep the text from closing it.
fn raw(text: &str) -> String {
    let mut hashes = String::new();
    while text.contains(&format!("\"{hashes}")) {
        hashes.push('#');
    }
    if hashes.len() > 16 { escaped(text) } else { format!("r{hashes}\"{text}\"{hashes}") }
}

/// `"…"` with escapes.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\0' => out.push_str("\\0"),
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            c if c.is_control() => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn setting_name(name: &str) -> String {
    if name.split('.').all(is_bare) { name.to_owned() } else { escaped(name) }
}

/// `.a."odd key"`
pub(super) fn path_text(path: &Path) -> String {
    if path.keys.is_empty() {
        return ".".to_owned();
    }
    path.keys.iter().fold(String::new(), |mut out, key| {
        out.push('.');
        out.push_str(&if is_bare(key) { key.clone() } else { escaped(key) });
        out
    })
}
