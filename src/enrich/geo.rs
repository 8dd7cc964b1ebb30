//! Where an address is, and whose network it is of: databases in MaxMind's format
//! (<https://maxmind.github.io/MaxMind-DB/>), which the operator brings.

use std::net::IpAddr;
use std::sync::Arc;

use maxminddb::Reader;
use serde::Deserialize;

use super::{Enricher, EnricherKind, fields, slots, text};
use crate::event::{Slot, Span, Texts, Value};
use crate::format::{Bind, Fields, Target};
use crate::lookup::{Data, Held};
use crate::seam::RealFs;
use crate::signature::{OptionSpec, OptionType, Signature, Type};

const DATABASE: OptionSpec = OptionSpec {
    name: "database",
    ty: OptionType::Path,
    default: None,
    doc: "file of the database (`.mmdb`); read anew when it is changed",
};

const GEO: [(&str, Type); 11] = [
    ("geo.continent_code", Type::Text),
    ("geo.continent_name", Type::Text),
    ("geo.country_iso_code", Type::Text),
    ("geo.country_name", Type::Text),
    ("geo.region_iso_code", Type::Text),
    ("geo.region_name", Type::Text),
    ("geo.city_name", Type::Text),
    ("geo.postal_code", Type::Text),
    ("geo.timezone", Type::Text),
    ("geo.location.lat", Type::Float),
    ("geo.location.lon", Type::Float),
];

const AS: [(&str, Type); 2] = [("as.number", Type::Int), ("as.organization.name", Type::Text)];

/// `geoip(.source.ip, database = "…")`
pub(super) const GEOIP: EnricherKind = EnricherKind {
    signature: &Signature {
        name: "geoip",
        summary: "country, region, city and location of an address",
        doc: "Fields `geo.*` beside the address, from a City or Country database in MaxMind's format; names in English. An \
              address that is not in the database gives nothing.",
        form: "geoip(.FIELD, database = \"FILE.mmdb\")",
        options: &[DATABASE],
        examples: &[],
    },
    takes: true,
    gives: |_| Ok(fields(&GEO)),
    bind: |bind, data| Ok(Box::new(Geo { data: database(bind, data)?, slots: slots(bind, &GEO)? })),
};

/// `asn(.source.ip, database = "…")`
pub(super) const ASN: EnricherKind = EnricherKind {
    signature: &Signature {
        name: "asn",
        summary: "number and owner of the network that an address is of",
        doc: "Fields `as.number` and `as.organization.name` beside the address, from an ASN database in MaxMind's format.",
        form: "asn(.FIELD, database = \"FILE.mmdb\")",
        options: &[DATABASE],
        examples: &[],
    },
    takes: true,
    gives: |_| Ok(fields(&AS)),
    bind: |bind, data| Ok(Box::new(System { data: database(bind, data)?, slots: slots(bind, &AS)? })),
};

type Database = Reader<Vec<u8>>;

fn database(bind: &Bind<'_>, data: &mut Data) -> Result<usize, String> {
    let path = bind.options.text("database").ok_or("a database is missing")?;
    data.file(
        &RealFs,
        path,
        Box::new(|bytes| {
            let database = Database::from_source(bytes.to_vec()).map_err(|error| error.to_string())?;
            Ok(Arc::new(database))
        }),
    )
}

/// What a City or Country database says, as far as it is of use here.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Place<'a> {
    #[serde(borrow)]
    continent: Named<'a>,
    #[serde(borrow)]
    country: Named<'a>,
    #[serde(borrow)]
    subdivisions: Vec<Named<'a>>,
    #[serde(borrow)]
    city: Named<'a>,
    #[serde(borrow)]
    postal: Postal<'a>,
    #[serde(borrow)]
    location: Location<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Named<'a> {
    code: &'a str,
    iso_code: &'a str,
    #[serde(borrow)]
    names: English<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct English<'a> {
    en: &'a str,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Postal<'a> {
    code: &'a str,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Location<'a> {
    latitude: Option<f64>,
    longitude: Option<f64>,
    time_zone: &'a str,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Network<'a> {
    autonomous_system_number: u32,
    autonomous_system_organization: &'a str,
}

/// The address that a text is.
pub(super) fn address(input: Span, texts: &Texts) -> Option<IpAddr> {
    texts.text(input)?.parse().ok()
}

struct Geo {
    data: usize,
    slots: [Slot; 11],
}

impl Enricher for Geo {
    fn enrich(&self, input: Span, texts: &mut Texts, fields: &mut Fields, held: &mut Held) {
        let Some(address) = address(input, texts) else { return };
        let found = held.get::<Database>(self.data).and_then(|database| database.lookup(address).ok());
        let Some(place) = found.and_then(|found| found.decode::<Place<'_>>().ok().flatten()) else { return };
        // Regions are told within their country: `DE-BE`.
        let region = place.subdivisions.first();
        let code = region.filter(|region| !region.iso_code.is_empty());
        let code =
            code.map_or(String::new(), |region| format!("{}-{}", place.country.iso_code, region.iso_code));
        let values = [
            place.continent.code,
            place.continent.names.en,
            place.country.iso_code,
            place.country.names.en,
            &code,
            region.map_or("", |region| region.names.en),
            place.city.names.en,
            place.postal.code,
            place.location.time_zone,
        ];
        for (slot, value) in self.slots.iter().zip(values) {
            text(texts, fields, *slot, value.as_bytes());
        }
        if let (Some(lat), Some(lon)) = (place.location.latitude, place.location.longitude)
            && lat.is_finite()
            && lon.is_finite()
        {
            fields.push((Target::Slot(self.slots[9]), Value::Float(lat)));
            fields.push((Target::Slot(self.slots[10]), Value::Float(lon)));
        }
    }
}

struct System {
    data: usize,
    slots: [Slot; 2],
}

impl Enricher for System {
    fn enrich(&self, input: Span, texts: &mut Texts, fields: &mut Fields, held: &mut Held) {
        let Some(address) = address(input, texts) else { return };
        let found = held.get::<Database>(self.data).and_then(|database| database.lookup(address).ok());
        let network = found.and_then(|found| found.decode::<Network<'_>>().ok().flatten());
        let Some(network) = network else { return };
        if network.autonomous_system_number > 0 {
            let number = Value::Int(i64::from(network.autonomous_system_number));
            fields.push((Target::Slot(self.slots[0]), number));
        }
        text(texts, fields, self.slots[1], network.autonomous_system_organization.as_bytes());
    }
}
