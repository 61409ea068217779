//! A JSON document as a tree, for comparing it as a whole.
//!
//! Duplicate keys in an object are rejected, and in objects with fixed fields also keys that Go's
//! decoder treats as one. The keys of Go's maps ([`MAPS`]) may differ in letter case only.

use std::cell::Cell;
use std::collections::{BTreeMap, HashSet};
use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};

use super::ManifestError;
use super::fold::fold;
use super::strict::shown;

/// The maximum number of values per document: a tree needs many times the memory of its text.
pub const MAX_VALUES: usize = 50_000;

/// The fields of manifests and configs that are maps in Go.
const MAPS: [&str; 4] = ["Labels", "Volumes", "ExposedPorts", "annotations"];

/// An object of a tree.
pub type Object = BTreeMap<String, Value>;

/// A JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Null,
    Bool(bool),
    /// A number as Rust prints it: `5` and `5.0` are two, as for Go's readers of whole numbers.
    Number(String),
    Text(String),
    List(Vec<Value>),
    Object(Object),
}

impl Value {
    /// Parses a document.
    ///
    /// # Errors
    /// [`ManifestError`] if it is not JSON in UTF-8, has duplicate keys in an object, or too many
    /// values.
    pub fn read(bytes: &[u8]) -> Result<Self, ManifestError> {
        let refusal = Cell::new(None);
        let tree = Tree {
            left: &Cell::new(MAX_VALUES),
            refusal: &refusal,
        };
        let mut json = serde_json::Deserializer::from_slice(bytes);
        let read = tree.deserialize(&mut json).and_then(|value| {
            json.end()?;
            Ok(value)
        });
        match (refusal.take(), read) {
            (Some(refusal), _) => Err(refusal),
            (None, Err(error)) => Err(ManifestError::NotJson(format!("not JSON ({error})"))),
            (None, Ok(value)) => {
                value.refuse_folded(false)?;
                Ok(value)
            }
        }
    }

    fn refuse_folded(&self, is_map: bool) -> Result<(), ManifestError> {
        match self {
            Self::List(list) => list.iter().try_for_each(|value| value.refuse_folded(false)),
            Self::Object(object) => {
                let mut seen = HashSet::new();
                for (key, value) in object {
                    if !is_map && !seen.insert(fold(key.as_bytes())) {
                        return Err(ManifestError::Ambiguous(format!(
                            "duplicate key {} (ignoring letter case)",
                            shown(key.as_bytes())
                        )));
                    }
                    value.refuse_folded(MAPS.contains(&key.as_str()))?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The fields of an object; none if absent.
    ///
    /// # Errors
    /// [`ManifestError`] for another type, and if a key is another spelling of one of these names.
    pub fn fields(&self, names: &[&str]) -> Result<&Object, ManifestError> {
        static NONE: Object = Object::new();
        let object = match self {
            Self::Null => return Ok(&NONE),
            Self::Object(object) => object,
            _ => return Err(ManifestError::Damaged("not an object".to_owned())),
        };
        for key in object.keys().filter(|key| !names.contains(&key.as_str())) {
            let folded = fold(key.as_bytes());
            let known = |name: &&&str| name.as_bytes().eq_ignore_ascii_case(&folded);
            if let Some(name) = names.iter().find(known) {
                return Err(ManifestError::Ambiguous(format!(
                    "the key {}, which some JSON readers treat as \"{name}\"",
                    shown(key.as_bytes())
                )));
            }
        }
        Ok(object)
    }

    /// The elements of a list; none if absent.
    ///
    /// # Errors
    /// [`ManifestError::Damaged`] for another type.
    pub fn elements(&self) -> Result<&[Self], ManifestError> {
        match self {
            Self::Null => Ok(&[]),
            Self::List(list) => Ok(list),
            _ => Err(ManifestError::Damaged("not a list".to_owned())),
        }
    }

    /// A string; empty if absent.
    ///
    /// # Errors
    /// [`ManifestError::Damaged`] for another type.
    pub fn text(&self) -> Result<&str, ManifestError> {
        match self {
            Self::Null => Ok(""),
            Self::Text(text) => Ok(text),
            _ => Err(ManifestError::Damaged("not a string".to_owned())),
        }
    }

    /// Whether Go's readers treat it as absent.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Null | Self::Bool(false) => true,
            Self::Bool(true) => false,
            Self::Number(number) => number == "0",
            Self::Text(text) => text.is_empty(),
            Self::List(list) => list.is_empty(),
            Self::Object(object) => object.is_empty(),
        }
    }
}

/// Builds a tree within limits.
#[derive(Clone, Copy)]
struct Tree<'t> {
    /// The remaining number of values.
    left: &'t Cell<usize>,
    /// Why the document is rejected; serde's errors concern only the JSON.
    refusal: &'t Cell<Option<ManifestError>>,
}

impl Tree<'_> {
    fn refuse<E: serde::de::Error>(self, refusal: ManifestError) -> E {
        self.refusal.set(Some(refusal));
        E::custom("refused")
    }
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        let Some(left) = self.left.get().checked_sub(1) else {
            let many = format!("the document has more than {MAX_VALUES} values");
            return Err(self.refuse(ManifestError::TooLarge(many)));
        };
        self.left.set(left);
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, is: bool) -> Result<Value, E> {
        Ok(Value::Bool(is))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Number(format!("{number:?}")))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(self)? {
            values.push(value);
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Object::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(self)?;
            if object.contains_key(&key) {
                let twice = format!("duplicate key {}", shown(key.as_bytes()));
                return Err(self.refuse(ManifestError::Ambiguous(twice)));
            }
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_tree_has_the_values_of_the_text() {
        let read = |text: &str| Value::read(text.as_bytes());
        let one = read(r#"{"a": [1, -2, 1.5, null, true], "b": {"c": "x\u00e9"}}"#);
        let other = read(r#"{"b":{"c":"xé"},"a":[1,-2,15e-1,null,true]}"#);
        assert_eq!(one, other);
        assert!(one.is_ok());
        for (one, other) in [
            ("5", "5.0"),
            ("\"5\"", "5"),
            ("[1,2]", "[2,1]"),
            ("null", "0"),
        ] {
            assert_ne!(read(one), read(other));
        }
    }

    #[test]
    fn ambiguous_documents_are_refused() {
        for text in [
            &br#"{"a": 1, "a": 1}"#[..],
            br#"{"a": 1, "\u0061": 1}"#,
            br#"["\ud800"]"#,
            b"[\"\xe9\"]",
            b"[1] x",
            b"",
            br#"{"a": 1, "A": 1}"#,
            br#"[{"a": {"os": 1, "o\u017f": 1}}]"#,
        ] {
            assert!(Value::read(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_keys_of_maps_differ_in_letter_case_and_those_of_fields_do_not() {
        let read = |text: &str| Value::read(text.as_bytes());
        assert!(read(r#"{"Labels": {"a": "", "A": ""}}"#).is_ok());
        assert!(read(r#"{"Labels": [{"a": "", "A": ""}]}"#).is_err());
        let value = read(r#"{"os": "linux", "x": 1}"#).expect("a tree");
        assert!(value.fields(&["os"]).is_ok());
        assert!(value.fields(&["OS"]).is_err());
        assert!(value.fields(&["X"]).is_err());
    }

    #[test]
    fn too_many_and_too_deep_values_are_refused() {
        let list = |count: usize| format!("[{}]", vec!["0"; count].join(","));
        assert!(Value::read(list(MAX_VALUES - 1).as_bytes()).is_ok());
        let error = Value::read(list(MAX_VALUES).as_bytes()).expect_err("too many");
        assert!(matches!(error, ManifestError::TooLarge(_)), "{error}");
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert!(Value::read(deep.as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn a_tree_is_the_same_in_any_layout(text in "\\PC{0,20}", number in any::<i64>()) {
            let value = serde_json::json!({"a": text, "b": [number, {text.clone(): null}]});
            let pretty = serde_json::to_vec_pretty(&value).expect("JSON");
            prop_assert_eq!(Value::read(value.to_string().as_bytes()), Value::read(&pretty));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in "[\\[\\]{}\",:0-9a-z]{0,40}") {
            let _ = Value::read(bytes.as_bytes());
        }
    }
}
