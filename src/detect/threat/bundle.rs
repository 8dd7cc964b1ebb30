//! Bundles of STIX are read object by object: what three million indicators take as JSON is more than a node has to spare.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::documents;
use super::read::Intake;

/// Whether a file of JSON that begins so may be a bundle.
pub(super) fn is_one(front: &[u8]) -> bool {
    front.trim_ascii_start().starts_with(b"{") && memchr::memmem::find(front, b"\"objects\"").is_some()
}

/// Reads bundles, and what else stands in their place.
pub(super) fn read(input: &mut dyn Read, intake: &mut Intake<'_>) -> Result<(), String> {
    let mut documents = serde_json::Deserializer::from_reader(input);
    loop {
        let mut refused = None;
        let bundle = Bundle { intake: &mut *intake, refused: &mut refused };
        let others = bundle.deserialize(&mut documents);
        let others = others.map_err(|error| refused.unwrap_or_else(|| documents::broken(&error)))?;
        if let Some(others) = others {
            let text = serde_json::to_vec(&others).map_err(|error| error.to_string())?;
            documents::read(&text, intake)?;
        }
        if documents.end().is_ok() {
            return Ok(());
        }
    }
}

/// One document; what it gives are its members where it has no objects.
struct Bundle<'i, 'a> {
    intake: &'i mut Intake<'a>,
    /// Why an object ends the reading.
    refused: &'i mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for Bundle<'_, '_> {
    type Value = Option<BTreeMap<String, Box<RawValue>>>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Bundle<'_, '_> {
    type Value = Option<BTreeMap<String, Box<RawValue>>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a bundle")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let (mut others, mut has_objects) = (BTreeMap::new(), false);
        while let Some(name) = members.next_key::<String>()? {
            if name == "objects" {
                let objects = Objects(Bundle { intake: &mut *self.intake, refused: &mut *self.refused });
                members.next_value_seed(objects)?;
                has_objects = true;
            } else {
                others.insert(name, members.next_value()?);
            }
        }
        Ok((!has_objects).then_some(others))
    }
}

struct Objects<'i, 'a>(Bundle<'i, 'a>);

impl<'de> DeserializeSeed<'de> for Objects<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Objects<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut objects: A) -> Result<(), A::Error> {
        while let Some(object) = objects.next_element::<Box<RawValue>>()? {
            if let Err(error) = documents::stix(&object, self.0.intake) {
                *self.0.refused = Some(error);
                return Err(A::Error::custom("refused"));
            }
        }
        Ok(())
    }
}
