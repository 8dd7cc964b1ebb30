//! Patterns of STIX 2.1 (§9) as far as they are indicators: comparisons of an address, a domain, a URL or a hash with a
//! value, joined by `OR`. What asks for more than one thing at once is no indicator of one thing, and is left.

/// A comparison: the object path and the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Comparison {
    /// Such as `ipv4-addr:value`, or `file:hashes.SHA-256`.
    pub(super) path: String,
    /// The value.
    pub(super) value: String,
}

/// The comparisons of a pattern of which each alone fulfils it, and how many others alone do that are not understood.
/// `None` where none does.
pub(super) fn read(text: &str) -> Option<(Vec<Comparison>, usize)> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0, found: Vec::new(), others: 0 };
    parser.observations()?;
    Some((parser.found, parser.others))
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// A word, a path, or a sign.
    Word(String),
    /// A literal in quotes.
    Text(String),
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(first) = chars.next() {
        match first {
            _ if first.is_whitespace() => {}
            '\'' => tokens.push(Token::Text(literal(&mut chars)?)),
            '[' | ']' | '(' | ')' | ',' | '=' | '>' | '<' | '!' => {
                tokens.push(Token::Word(first.to_string()))
            }
            _ => {
                let mut word = String::from(first);
                // A part of a path may be in quotes: `file:hashes.'SHA-256'`; a path may have an index: `refs[0]`.
                while let Some(&next) = chars.peek() {
                    match next {
                        '\'' if word.ends_with('.') => {
                            chars.next();
                            word.push_str(&literal(&mut chars)?);
                        }
                        '"' => {
                            chars.next();
                        }
                        '[' => {
                            word.push(chars.next()?);
                            word.push(chars.next()?);
                        }
                        ']' if word.contains('[') && !word.ends_with(']') => word.push(chars.next()?),
                        ']' | '(' | ')' | ',' | '=' | '>' | '<' | '!' | '\'' => break,
                        _ if next.is_whitespace() => break,
                        _ => word.push(chars.next()?),
                    }
                }
                tokens.push(Token::Word(word));
            }
        }
    }
    Some(tokens)
}

fn literal(chars: &mut impl Iterator<Item = char>) -> Option<String> {
    let mut text = String::new();
    loop {
        match chars.next()? {
            '\'' => return Some(text),
            '\\' => text.push(chars.next()?),
            other => text.push(other),
        }
    }
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    found: Vec<Comparison>,
    others: usize,
}

impl Parser<'_> {
    fn word(&self) -> Option<&str> {
        match self.tokens.get(self.at)? {
            Token::Word(word) => Some(word),
            Token::Text(_) => None,
        }
    }

    fn eat(&mut self, word: &str) -> bool {
        let found = self.word().is_some_and(|known| known.eq_ignore_ascii_case(word));
        self.at += usize::from(found);
        found
    }

    /// `[…] OR […]`, with parentheses that change nothing. What stands behind them (`AND`, `FOLLOWEDBY`, `WITHIN`)
    /// makes the pattern another.
    fn observations(&mut self) -> Option<()> {
        loop {
            while self.eat("(") {}
            self.eat("[").then_some(())?;
            self.comparisons()?;
            self.eat("]").then_some(())?;
            while self.eat(")") {}
            if self.at == self.tokens.len() {
                return Some(());
            }
            self.eat("OR").then_some(())?;
        }
    }

    fn comparisons(&mut self) -> Option<()> {
        loop {
            while self.eat("(") {}
            self.comparison()?;
            while self.eat(")") {}
            if !self.eat("OR") {
                return Some(());
            }
        }
    }

    /// `path = 'value'`, `path IN ('value', …)`, `path ISSUBSET 'network'`.
    fn comparison(&mut self) -> Option<()> {
        let path = self.word().filter(|word| word.contains(':'))?.to_owned();
        self.at += 1;
        let is_not = self.eat("NOT");
        let is_known = self.eat("=") || self.eat("ISSUBSET");
        if is_known && !is_not {
            let value = self.value()?;
            self.found.push(Comparison { path, value });
        } else if self.eat("IN") {
            self.eat("(").then_some(())?;
            loop {
                let value = self.value()?;
                if is_not {
                    self.others += 1;
                } else {
                    self.found.push(Comparison { path: path.clone(), value });
                }
                if !self.eat(",") {
                    break;
                }
            }
            self.eat(")").then_some(())?;
        } else {
            // `MATCHES`, `LIKE`, `!=`, `<` …
            if !is_known {
                self.at += 1;
                self.eat("=");
            }
            self.at += 1;
            self.others += 1;
        }
        Some(())
    }

    fn value(&mut self) -> Option<String> {
        let value = match self.tokens.get(self.at)? {
            Token::Text(text) | Token::Word(text) => text.clone(),
        };
        self.at += 1;
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Patterns and what of them is read; `-` is nothing.
    const PATTERNS: &[(&str, &str)] = &[
        ("[ipv4-addr:value = '192.0.2.1']", "ipv4-addr:value 192.0.2.1"),
        ("[ ipv4-addr:value='192.0.2.0/24' ]", "ipv4-addr:value 192.0.2.0/24"),
        ("[ipv4-addr:value ISSUBSET '192.0.2.0/24']", "ipv4-addr:value 192.0.2.0/24"),
        (
            "[file:hashes.'SHA-256' = 'aa'] OR [file:hashes.MD5 = 'bb']",
            "file:hashes.SHA-256 aa; file:hashes.MD5 bb",
        ),
        (
            "([url:value = 'http://evil.example/it\\'s'] OR [domain-name:value IN ('a.example', 'b.example')])",
            "url:value http://evil.example/it's; domain-name:value a.example; domain-name:value b.example",
        ),
        (
            "[(domain-name:value = 'a.example' OR file:name = 'x.exe')]",
            "domain-name:value a.example; file:name x.exe",
        ),
        ("[file:name LIKE 'x%' OR url:value = 'http://a.example']", "url:value http://a.example; 1 other"),
        ("[url:value MATCHES '^http']", "1 other"),
        ("[ipv4-addr:value != '192.0.2.1']", "1 other"),
        ("[ipv4-addr:value NOT IN ('192.0.2.1', '192.0.2.2')]", "2 other"),
        ("[ipv4-addr:value NOT = '192.0.2.1']", "1 other"),
        ("[email-message:body_multipart[*].body_raw_ref.name MATCHES '^a']", "1 other"),
        ("[ipv4-addr:value = '192.0.2.1' AND domain-name:value = 'a.example']", "-"),
        ("[ipv4-addr:value = '192.0.2.1'] AND [domain-name:value = 'a.example']", "-"),
        ("[ipv4-addr:value = '192.0.2.1'] REPEATS 5 TIMES WITHIN 60 SECONDS", "-"),
        ("[ipv4-addr:value = '192.0.2.1", "-"),
        ("", "-"),
    ];

    #[test]
    fn patterns_of_one_thing_are_read() {
        for (text, expected) in PATTERNS {
            let found = match read(text) {
                None => "-".to_owned(),
                Some((found, others)) => {
                    let mut parts: Vec<_> =
                        found.iter().map(|of| format!("{} {}", of.path, of.value)).collect();
                    parts.extend((others > 0).then(|| format!("{others} other")));
                    parts.join("; ")
                }
            };
            assert_eq!(found, *expected, "{text}");
        }
    }
}
