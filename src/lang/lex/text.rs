//! Texts: `"…"` with escapes, `r"…"` and `r#"…"#` without, `"""` blocks of whole lines.

use super::super::codes;
use super::{Lexer, Token};

const ESCAPES: &str = r#"escapes are \n \t \r \0 \\ \" \u{…}; in r"…" a backslash is itself"#;

impl Lexer<'_> {
    pub(super) fn text(&mut self) {
        let start = self.at;
        if self.rest().starts_with("\"\"\"") {
            return self.block();
        }
        let quote = self.peek().unwrap_or('"');
        if quote == '\'' {
            self.error(
                codes::SINGLE_QUOTE,
                start..start + 1,
                "text stands in double quotes",
                "write `\"…\"`",
            );
        }
        let text = self.quoted(quote);
        self.push(Token::Text(text), start);
    }

    /// Text between quotes on one line, the cursor on the first quote.
    pub(super) fn quoted(&mut self, quote: char) -> String {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            match self.peek() {
                None | Some('\n') => {
                    let help = r#"texts end on their line; a block of lines stands between """ and """"#;
                    self.error(codes::OPEN_TEXT, start..self.at, "this text is not closed", help);
                    return text;
                }
                Some(c) if c == quote => {
                    self.at += 1;
                    return text;
                }
                Some('\\') => text.extend(self.escape()),
                Some(c) => {
                    self.at += c.len_utf8();
                    text.push(c);
                }
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        let start = self.at;
        self.at += 1;
        // A line end is left for the caller: it ends the text.
        let c = self.peek().filter(|&c| c != '\n')?;
        self.at += c.len_utf8();
        let meant = match c {
            'n' => Some('\n'),
            't' => Some('\t'),
            'r' => Some('\r'),
            '0' => Some('\0'),
            '\\' | '"' | '\'' => Some(c),
            'u' if self.peek() == Some('{') => {
                self.at += 1;
                let digits = self.take_while(|c| c.is_ascii_hexdigit());
                let closed = self.peek() == Some('}');
                self.at += usize::from(closed);
                u32::from_str_radix(digits, 16).ok().and_then(char::from_u32).filter(|_| closed)
            }
            _ => None,
        };
        if meant.is_none() {
            let written = self.text.get(start..self.at).unwrap_or("");
            self.error(codes::ESCAPE, start..self.at, format!("`{written}` is not an escape"), ESCAPES);
        }
        meant
    }

    /// The number of `#` between `r` and `"`, if the cursor stands on a raw text.
    pub(super) fn raw_hashes(&self) -> Option<usize> {
        let rest = self.rest().strip_prefix('r')?;
        let hashes = rest.bytes().take(16).take_while(|&byte| byte == b'#').count();
        (rest.as_bytes().get(hashes) == Some(&b'"')).then_some(hashes)
    }

    pub(super) fn raw_text(&mut self) {
        let start = self.at;
        let hashes = self.raw_hashes().unwrap_or(0);
        self.at += 2 + hashes;
        let end = format!("\"{}", "#".repeat(hashes));
        let line = self.rest().split('\n').next().unwrap_or("");
        let text = match line.find(&end) {
            Some(len) => {
                self.at += len + end.len();
                line.get(..len).unwrap_or("")
            }
            None => {
                self.at += line.len();
                let help = format!("a raw text ends with `{end}` on its line");
                self.error(codes::OPEN_TEXT, start..self.at, "this text is not closed", &help);
                line
            }
        };
        self.push(Token::Text(text.to_owned()), start);
    }

    /// `"""`, whole lines as they are, and `"""` on a line of its own, whose indentation is taken off each line.
    fn block(&mut self) {
        let start = self.at;
        self.at += 3;
        let head = self.take_while(|c| c != '\n');
        if !head.trim().is_empty() {
            let help = r#"the lines of a block begin after the line of the opening """"#;
            self.error(codes::BLOCK, start..self.at, "text stands beside the opening quotes", help);
        }
        self.bump();
        let from = self.at;
        let body = self.rest();
        let Some(len) = body.find("\"\"\"") else {
            self.at = self.text.len();
            let help = "it ends with `\"\"\"` on a line of its own";
            self.error(codes::OPEN_TEXT, start..start + 3, "this block of lines is not closed", help);
            return self.push(Token::Text(body.to_owned()), start);
        };
        self.at += len + 3;
        let body = body.get(..len).unwrap_or("");
        let (lines, indent) = match body.rsplit_once('\n') {
            Some((lines, last)) => (Some(lines), last),
            None => (None, body),
        };
        if !indent.trim().is_empty() {
            let help = r#"the closing """ stands on a line of its own"#;
            self.error(codes::BLOCK, self.at - 3..self.at, "text stands before the closing quotes", help);
        }
        let text = self.lines(lines, indent, from);
        self.push(Token::Text(text), start);
    }

    fn lines(&mut self, lines: Option<&str>, indent: &str, from: usize) -> String {
        let mut text = String::new();
        let mut at = from;
        for line in lines.into_iter().flat_map(|lines| lines.split('\n')) {
            match line.strip_prefix(indent) {
                Some(inner) => text.push_str(inner),
                None if line.trim().is_empty() => {}
                None => {
                    let help = "every line begins with the white space that stands before the closing quotes";
                    let place = at..at + line.len();
                    self.error(codes::BLOCK, place, "a line is indented less than the closing quotes", help);
                }
            }
            text.push('\n');
            at += line.len() + 1;
        }
        text
    }
}
