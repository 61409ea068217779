//! Reads single fields of a JSON object without building a tree: a document of 100 KB can become a tree
//! of 10 MB.
//!
//! Unknown fields of any type are skipped.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The value of a field.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Field {
    #[default]
    Absent,
    Text(String),
    Number(f64),
    /// The wanted fields of the first object in a list; `None`: the first element is no object.
    List(Option<Vec<Field>>),
    Other,
}

impl Field {
    /// A non-empty string.
    pub fn text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text).filter(|text| !text.is_empty()),
            _ => None,
        }
    }
}

/// The wanted fields of a document, in the order of `wanted`; all are absent if it is not an object. The
/// last of several fields with the same name counts.
///
/// # Errors
/// The text is not JSON.
pub fn fields(json: &[u8], wanted: &[&str]) -> Result<Vec<Field>, serde_json::Error> {
    let mut document = serde_json::Deserializer::from_slice(json);
    let found = Object { wanted, depth: 0 }.deserialize(&mut document)?;
    document.end()?;
    Ok(found.unwrap_or_else(|| vec![Field::Absent; wanted.len()]))
}

/// Reads the wanted fields of an object, and one level deep those of a list's first element.
#[derive(Clone, Copy)]
struct Object<'a> {
    wanted: &'a [&'a str],
    depth: u8,
}

/// Reads the name of a field: its index among the wanted ones.
struct Name<'a>(&'a [&'a str]);

struct Value<'a>(Object<'a>);

/// Skips unneeded values; shared by all three visitors.
macro_rules! others {
    ($other:expr) => {
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok($other)
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($other)
        }
    };
}

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = Option<Vec<Field>>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = Option<Vec<Field>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    others!(None);

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut found = vec![Field::Absent; self.wanted.len()];
        while let Some(at) = object.next_key_seed(Name(self.wanted))? {
            match at {
                Some(at) => found[at] = object.next_value_seed(Value(self))?,
                None => drop(object.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Some(found))
    }
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|wanted| *wanted == name))
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = Field;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    others!(Field::Other);

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Field::Number(number as f64))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Field::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Field::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Field::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let Object { wanted, depth } = self.0;
        let mut first = None;
        if depth == 0 {
            let element = Object { wanted, depth: 1 };
            first = list
                .next_element_seed(element)?
                .map(Option::unwrap_or_default);
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::List(first))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wanted_fields_of_any_type_are_read() {
        let read = |json: &str| fields(json.as_bytes(), &["a", "b"]).ok();
        let text = |text: &str| Field::Text(text.to_owned());
        for (json, found) in [
            (
                r#"{"a":"x","c":[{}],"b":7}"#,
                [text("x"), Field::Number(7.0)],
            ),
            (
                r#"{"a":-1,"b":1.5}"#,
                [Field::Number(-1.0), Field::Number(1.5)],
            ),
            (r#"{"a":1,"a":"\u0078"}"#, [text("x"), Field::Absent]),
            (r#"{"a":null,"b":{"a":1}}"#, [Field::Other, Field::Other]),
            (
                r#"{"a":[],"b":[1,{"a":2}]}"#,
                [Field::List(None), Field::List(Some(Vec::new()))],
            ),
            (
                r#"{"a":[{"b":"x","a":[{"b":1}]},{"b":"y"}]}"#,
                [
                    Field::List(Some(vec![Field::List(None), text("x")])),
                    Field::Absent,
                ],
            ),
            ("[]", [Field::Absent, Field::Absent]),
            ("\"a\"", [Field::Absent, Field::Absent]),
            (" 7 ", [Field::Absent, Field::Absent]),
        ] {
            assert_eq!(read(json), Some(found.to_vec()), "{json}");
        }
        for json in ["", "x", "{", r#"{"a":}"#, "{} {}"] {
            assert_eq!(read(json), None, "{json}");
        }
    }
}
