//! Who may send: a token that every request carries.

use std::fmt;

use data_encoding::BASE64;

use crate::signature::{OptionSpec, OptionType};

/// The option of a source that asks for a token.
pub const TOKEN: OptionSpec = OptionSpec {
    name: "token",
    ty: OptionType::Secret,
    default: Some(""),
    doc: "What a request must bring as `Authorization: Bearer TOKEN` or `ApiKey TOKEN`, or as the password of `Basic`. Without it everyone who can connect may send.",
};

/// A token; never shown.
#[derive(Clone)]
pub struct Token(Option<Vec<u8>>);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Token(…)" } else { "Token(none)" })
    }
}

impl Token {
    /// The token of an option; an empty one asks for nothing.
    pub fn new(text: Option<&str>) -> Self {
        Self(text.filter(|text| !text.is_empty()).map(|text| text.as_bytes().to_vec()))
    }

    /// Whether a header `Authorization` brings it.
    pub fn is_in(&self, authorization: &str) -> bool {
        let Some(token) = &self.0 else { return true };
        let Some((scheme, given)) = authorization.split_once(' ') else { return false };
        let given = given.trim();
        match scheme.to_ascii_lowercase().as_str() {
            "bearer" | "apikey" => same(given.as_bytes(), token),
            "basic" => {
                let Ok(pair) = BASE64.decode(given.as_bytes()) else { return false };
                let password = pair.splitn(2, |byte| *byte == b':').nth(1);
                password.is_some_and(|password| same(password, token))
            }
            _ => false,
        }
    }
}

/// Compares without telling by the time it takes how much of it fits.
fn same(given: &[u8], token: &[u8]) -> bool {
    given.len() == token.len() && given.iter().zip(token).fold(0, |diff, (a, b)| diff | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens() {
        let token = Token::new(Some("sesame"));
        for header in ["Bearer sesame", "bearer  sesame", "ApiKey sesame", "Basic YWxpOnNlc2FtZQ=="] {
            assert!(token.is_in(header), "{header}");
        }
        for header in
            ["", "sesame", "Bearer sesam", "Bearer sesame2", "Basic c2VzYW1l", "Basic !", "Digest sesame"]
        {
            assert!(!token.is_in(header), "{header}");
        }
        assert!(Token::new(None).is_in("") && Token::new(Some("")).is_in("Bearer x"));
        assert_eq!(format!("{token:?}"), "Token(…)");
    }
}
