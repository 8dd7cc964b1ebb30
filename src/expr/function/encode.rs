//! Hashes and encodings of bytes as text.

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL_NOPAD, Encoding, HEXLOWER, HEXLOWER_PERMISSIVE};
use sha2::Digest;

use super::{Body, Function, example, keep_with, needs, span};
use crate::event::{Facts, Texts, Value};
use crate::signature::{Param, Signature, Type};

const TEXT: &[Type] = &[Type::Text];
const ONE: &[Param] = &[needs("text", TEXT)];

/// `md5(text)`
pub(super) static MD5: Function = encoder(
    &Signature {
        name: "md5",
        summary: "the MD5 hash of a text, in hexadecimal",
        doc: "For joining with other tools' fingerprints (RFC 1321); it protects nothing.",
        form: "md5(text: text) -> text",
        options: &[],
        examples: &[example("a word", "md5(\"abc\")", "\"900150983cd24fb0d6963f7d28e17f72\"")],
    },
    |args, texts| hex(texts, &md5::Md5::digest(texts.bytes(span(args, 0)?))),
);

/// `sha256(text)`
pub(super) static SHA256: Function = encoder(
    &Signature {
        name: "sha256",
        summary: "the SHA-256 hash of a text, in hexadecimal",
        doc: "FIPS 180-4. A hash of a name or address can be guessed back: redact where that matters.",
        form: "sha256(text: text) -> text",
        options: &[],
        examples: &[example(
            "a word",
            "sha256(\"abc\")",
            "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"",
        )],
    },
    |args, texts| hex(texts, &sha2::Sha256::digest(texts.bytes(span(args, 0)?))),
);

/// `sha512(text)`
pub(super) static SHA512: Function = encoder(
    &Signature {
        name: "sha512",
        summary: "the SHA-512 hash of a text, in hexadecimal",
        doc: "FIPS 180-4.",
        form: "sha512(text: text) -> text",
        options: &[],
        examples: &[example(
            "a word",
            "sha512(\"abc\")",
            "\"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd\
             454d4423643ce80e2a9ac94fa54ca49f\"",
        )],
    },
    |args, texts| hex(texts, &sha2::Sha512::digest(texts.bytes(span(args, 0)?))),
);

/// `crc32(text)`
pub(super) static CRC32: Function = encoder(
    &Signature {
        name: "crc32",
        summary: "the CRC-32 of a text, in hexadecimal",
        doc: "The checksum of gzip and zip (ISO 3309); cheap, for sampling and sharding.",
        form: "crc32(text: text) -> text",
        options: &[],
        examples: &[example("the check value", "crc32(\"123456789\")", "\"cbf43926\"")],
    },
    |args, texts| hex(texts, &crc32fast::hash(texts.bytes(span(args, 0)?)).to_be_bytes()),
);

/// `hex_encode(text)`
pub(super) static HEX_ENCODE: Function = encoder(
    &Signature {
        name: "hex_encode",
        summary: "the bytes of a text in hexadecimal",
        doc: "",
        form: "hex_encode(text: text) -> text",
        options: &[],
        examples: &[example("two bytes", "hex_encode(\"é\")", "\"c3a9\"")],
    },
    |args, texts| encode(args, texts, &HEXLOWER),
);

/// `base64_encode(text)`
pub(super) static BASE64_ENCODE: Function = encoder(
    &Signature {
        name: "base64_encode",
        summary: "the bytes of a text in base64",
        doc: "RFC 4648 §4, with padding.",
        form: "base64_encode(text: text) -> text",
        options: &[],
        examples: &[example("padded", "base64_encode(\"a\")", "\"YQ==\"")],
    },
    |args, texts| encode(args, texts, &BASE64),
);

/// `base64_decode(text)`
pub(super) static BASE64_DECODE: Function = Function {
    fallible: true,
    ..encoder(
        &Signature {
            name: "base64_decode",
            summary: "the text that a base64 text stands for",
            doc: "RFC 4648 §4 with or without padding, or §5 (URL-safe) without. Missing where it is no base64, or what \
                  it stands for is no UTF-8.",
            form: "base64_decode(text: text) -> text",
            options: &[],
            examples: &[
                example("padded", "base64_decode(\"YQ==\")", "\"a\""),
                example("no base64", "base64_decode(\"?\")", "missing"),
            ],
        },
        |args, texts| decode(args, texts, &[BASE64, BASE64_NOPAD, BASE64URL_NOPAD]),
    )
};

/// `hex_decode(text)`
pub(super) static HEX_DECODE: Function = Function {
    fallible: true,
    ..encoder(
        &Signature {
            name: "hex_decode",
            summary: "the text that a hexadecimal text stands for",
            doc: "In either case of letters. Missing where it is no such text, or what it stands for is no UTF-8.",
            form: "hex_decode(text: text) -> text",
            options: &[],
            examples: &[
                example("two bytes", "hex_decode(\"C3a9\")", "\"é\""),
                example("no hexadecimal", "hex_decode(\"xyz\")", "missing"),
            ],
        },
        |args, texts| decode(args, texts, &[HEXLOWER_PERMISSIVE]),
    )
};

const fn encoder(signature: &'static Signature, eval: super::Eval) -> Function {
    Function {
        signature,
        params: ONE,
        returns: |_| Type::Text,
        fallible: false,
        accepts_missing: false,
        body: Body::Pure(eval),
    }
}

fn hex(texts: &mut Texts, bytes: &[u8]) -> Option<Value> {
    let mut out = texts.scratch();
    out.resize(HEXLOWER.encode_len(bytes.len()), 0);
    HEXLOWER.encode_mut(bytes, &mut out);
    keep_with(texts, out, Facts::PLAIN).map(Value::Text)
}

fn encode(args: &[Value], texts: &mut Texts, encoding: &Encoding) -> Option<Value> {
    let span = span(args, 0)?;
    let mut out = texts.scratch();
    out.resize(encoding.encode_len(span.len as usize), 0);
    let bytes = texts.bytes(span);
    if bytes.len() == span.len as usize {
        encoding.encode_mut(bytes, &mut out);
    }
    keep_with(texts, out, Facts::PLAIN).map(Value::Text)
}

fn decode(args: &[Value], texts: &mut Texts, encodings: &[Encoding]) -> Option<Value> {
    let bytes = texts.bytes(span(args, 0)?);
    let decoded = encodings.iter().find_map(|encoding| encoding.decode(bytes).ok())?;
    simdutf8::basic::from_utf8(&decoded).ok()?;
    let mut out = texts.scratch();
    out.extend_from_slice(&decoded);
    keep_with(texts, out, Facts::UNKNOWN).map(Value::Text)
}
