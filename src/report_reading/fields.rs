//! The fields of a JSON object in the order in which they stand, and a text of it of one line.

use std::fmt::{self, Write as _};

use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::escape::is_hidden;

/// The fields of an object.
#[derive(Debug, Default)]
pub struct Fields(Vec<(String, Box<RawValue>)>);

impl Fields {
    /// False: it is there already.
    pub fn insert(&mut self, name: String, value: Box<RawValue>) -> bool {
        let is_new = !self.contains(&name);
        self.0.push((name, value));
        is_new
    }

    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|(own, _)| own == name)
    }

    /// The value of a field, if it is one of this type.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let (_, value) = self.0.iter().find(|(own, _)| own == name)?;
        serde_json::from_str(value.get()).ok()
    }

    pub fn remove(&mut self, name: &str) -> Option<Box<RawValue>> {
        let at = self.0.iter().position(|(own, _)| own == name)?;
        Some(self.0.remove(at).1)
    }

    /// The object, as JSON.
    pub fn to_text(&self) -> String {
        let mut text = "{".to_owned();
        for (index, (name, value)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            // Writing to a String cannot fail.
            let _ = write!(text, "{comma}{}:{}", serde_json::json!(name), value.get());
        }
        text + "}"
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Fields::default();
                while let Some((name, value)) = map.next_entry()? {
                    fields.0.push((name, value));
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// JSON without white space between its tokens, in which no character hides.
pub fn one_line(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let (mut in_string, mut is_escaped) = (false, false);
    for c in json.chars() {
        if !in_string {
            in_string = c == '"';
            if !matches!(c, ' ' | '\t' | '\r' | '\n') {
                text.push(c);
            }
            continue;
        }
        in_string = is_escaped || c != '"';
        is_escaped = !is_escaped && c == '\\';
        if is_hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(text, "\\u{unit:04x}");
            }
        } else {
            text.push(c);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    #[test]
    fn fields_keep_their_order() {
        let text = "{\"b\":[1,2],\"a\":\"x\",\"type\":1}";
        let mut fields: Fields = serde_json::from_str(text).expect("an object");
        assert!(fields.remove("type").is_some());
        assert_eq!(fields.to_text(), "{\"b\":[1,2],\"a\":\"x\"}");
    }

    #[test]
    fn one_line_has_the_strings_as_they_were() {
        assert_eq!(
            one_line("{\n  \"a \\\" b\" : [ 1,\t\"\\\\\" , \"\u{202e}\u{e0041}\" ]\n}"),
            "{\"a \\\" b\":[1,\"\\\\\",\"\\u202e\\udb40\\udc41\"]}"
        );
    }

    proptest! {
        #[test]
        fn one_line_means_the_same(texts in any::<Vec<String>>()) {
            let value = serde_json::json!({"a": texts, "b": [{"c": 1.5}, null]});
            let pretty = serde_json::to_string_pretty(&value).expect("JSON");
            let line = one_line(&pretty);
            prop_assert!(!line.contains('\n'));
            prop_assert_eq!(serde_json::from_str::<Value>(&line).ok(), Some(value));
        }
    }
}
