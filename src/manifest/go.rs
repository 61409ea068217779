//! For tests: what a Go program sees in a manifest, written from the rules of `encoding/json` and not
//! from the reader that is tested.
//!
//! The rules: a key is a struct's field if they are equal but for letter case (Unicode's simple
//! folding); keys are decoded in their order, and a later one into what an earlier one left (a struct
//! is merged, a map is merged, a slice's elements are decoded over the old ones); `null` empties a
//! pointer, a slice or a map and leaves anything else; a wrong type is an error in the end.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// JSON with the keys of its objects as they stand there.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    Null,
    Bool(bool),
    /// None: not a number for an integer of Go.
    Number(Option<i64>, f64),
    Text(String),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TreeVisitor;
        impl<'de> Visitor<'de> for TreeVisitor {
            type Value = Tree;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
                Ok(Tree::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
                Ok(Tree::Number(Some(value), 0.0))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
                Ok(
                    i64::try_from(value).map_or(Tree::Number(None, 1e19), |value| {
                        Tree::Number(Some(value), 0.0)
                    }),
                )
            }

            fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
                Ok(Tree::Number(None, value))
            }

            fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
                Ok(Tree::Text(value.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
                let mut found = Vec::new();
                while let Some(value) = list.next_element()? {
                    found.push(value);
                }
                Ok(Tree::List(found))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
                let mut found = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    found.push(pair);
                }
                Ok(Tree::Object(found))
            }
        }
        deserializer.deserialize_any(TreeVisitor)
    }
}

impl Tree {
    /// As JSON.
    pub fn write(&self, out: &mut String) {
        let text = |text: &str| Value::from(text).to_string();
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(&value.to_string()),
            Self::Number(Some(value), _) => out.push_str(&value.to_string()),
            Self::Number(None, value) => out.push_str(&format!("{value:?}")),
            Self::Text(value) => out.push_str(&text(value)),
            Self::List(values) => {
                out.push('[');
                for (index, value) in values.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { "," });
                    value.write(out);
                }
                out.push(']');
            }
            Self::Object(pairs) => {
                out.push('{');
                for (index, (key, value)) in pairs.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { "," });
                    out.push_str(&text(key));
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

/// What Go refuses to decode.
#[derive(Debug, PartialEq)]
pub struct GoError;

/// A type that JSON is decoded into; fields keep their values if the JSON lacks them.
trait Decode: Default {
    fn decode(&mut self, from: &Tree) -> Result<(), GoError>;
}

impl Decode for String {
    fn decode(&mut self, from: &Tree) -> Result<(), GoError> {
        match from {
            Tree::Null => {}
            Tree::Text(text) => self.clone_from(text),
            _ => return Err(GoError),
        }
        Ok(())
    }
}

impl Decode for i64 {
    fn decode(&mut self, from: &Tree) -> Result<(), GoError> {
        match from {
            Tree::Null => {}
            Tree::Number(Some(value), _) => *self = *value,
            _ => return Err(GoError),
        }
        Ok(())
    }
}

/// A pointer to a struct.
impl<T: Decode> Decode for Option<Box<T>> {
    fn decode(&mut self, from: &Tree) -> Result<(), GoError> {
        if *from == Tree::Null {
            *self = None;
            return Ok(());
        }
        self.get_or_insert_default().decode(from)
    }
}

/// A slice, and the elements beyond its end that it still has.
#[derive(Default)]
pub struct Slice<T> {
    backing: Vec<T>,
    length: usize,
}

impl<T> Slice<T> {
    /// Its elements.
    pub fn elements(&self) -> &[T] {
        &self.backing[..self.length]
    }
}

impl<T: Decode> Decode for Slice<T> {
    fn decode(&mut self, from: &Tree) -> Result<(), GoError> {
        match from {
            Tree::Null => *self = Self::default(),
            Tree::List(values) if values.is_empty() => *self = Self::default(),
            Tree::List(values) => {
                self.length = values.len();
                for (index, value) in values.iter().enumerate() {
                    if index == self.backing.len() {
                        self.backing.push(T::default());
                    }
                    self.backing[index].decode(value)?;
                }
            }
            _ => return Err(GoError),
        }
        Ok(())
    }
}

/// `map[string]string`: its keys are not folded.
#[derive(Default)]
pub struct Map(Vec<(String, String)>);

impl Map {
    /// A value; empty where there is none.
    pub fn get(&self, key: &str) -> &str {
        let found = self.0.iter().rev().find(|(name, _)| name == key);
        found.map_or("", |(_, value)| value)
    }
}

impl Decode for Map {
    fn decode(&mut self, from: &Tree) -> Result<(), GoError> {
        match from {
            Tree::Null => *self = Self::default(),
            Tree::Object(pairs) => {
                for (key, value) in pairs {
                    let mut text = String::new();
                    text.decode(value)?;
                    self.0.push((key.clone(), text));
                }
            }
            _ => return Err(GoError),
        }
        Ok(())
    }
}

/// `bytes.EqualFold`, for names of ASCII letters.
fn equal_fold(name: &str, key: &str) -> bool {
    let fold = |c: char| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        _ => c.to_ascii_lowercase(),
    };
    name.chars().map(fold).eq(key.chars().map(fold))
}

/// Makes a struct and its decoding.
macro_rules! structure {
    ($name:ident { $($field:ident: $kind:ty = $key:literal,)* }) => {
        #[derive(Default)]
        pub struct $name { $(pub $field: $kind,)* }

        impl Decode for $name {
            fn decode(&mut self, from: &Tree) -> Result<(), GoError> {
                let pairs = match from {
                    Tree::Null => return Ok(()),
                    Tree::Object(pairs) => pairs,
                    _ => return Err(GoError),
                };
                for (key, value) in pairs {
                    $(if equal_fold($key, key) { self.$field.decode(value)?; })*
                }
                Ok(())
            }
        }
    };
}

structure!(Platform {
    architecture: String = "architecture",
    os: String = "os",
    os_version: String = "os.version",
    os_features: Slice<String> = "os.features",
    variant: String = "variant",
});

structure!(Descriptor {
    media_type: String = "mediaType",
    digest: String = "digest",
    size: i64 = "size",
    urls: Slice<String> = "urls",
    annotations: Map = "annotations",
    platform: Option<Box<Platform>> = "platform",
});

structure!(Layer1 {
    blob_sum: String = "blobSum",
});
structure!(History1 {
    compatibility: String = "v1Compatibility",
});

structure!(Document {
    schema_version: i64 = "schemaVersion",
    media_type: String = "mediaType",
    manifests: Slice<Descriptor> = "manifests",
    config: Descriptor = "config",
    layers: Slice<Descriptor> = "layers",
    architecture: String = "architecture",
    fs_layers: Slice<Layer1> = "fsLayers",
    history: Slice<History1> = "history",
});

/// Decodes a manifest.
pub fn read(tree: &Tree) -> Result<Document, GoError> {
    let mut document = Document::default();
    document.decode(tree)?;
    Ok(document)
}

/// Decodes a config, or what schema 1 has in its place.
pub fn read_config(text: &str) -> Result<Platform, GoError> {
    let tree: Tree = serde_json::from_str(text).map_err(|_| GoError)?;
    let mut platform = Platform::default();
    platform.decode(&tree)?;
    Ok(platform)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests(text: &str) -> Vec<String> {
        let tree: Tree = serde_json::from_str(text).expect("JSON");
        let document = read(&tree).expect("a document");
        let elements = document.manifests.elements().iter();
        elements.map(|entry| entry.digest.clone()).collect()
    }

    #[test]
    fn the_last_key_wins_in_any_spelling_and_structs_are_merged() {
        for text in [
            r#"{"manifests":[{"digest":"a"}],"Manifests":[{"digest":"b"}]}"#,
            r#"{"manifests":[{"digest":"a"}],"manife\u017ft\u017f":[{"digest":"b"}]}"#,
            r#"{"manifests":[{"digest":"a","DIGEST":"b"}]}"#,
            r#"{"manifests":[{"digest":"b"},{"digest":"a"}],"manifests":[{}]}"#,
            r#"{"manifests":[{"digest":"b","digest":null}]}"#,
        ] {
            assert_eq!(digests(text), ["b"], "{text}");
        }
        assert!(digests(r#"{"manifests":[{"digest":"a"}],"manifests":null}"#).is_empty());
        let wrong: Tree = serde_json::from_str(r#"{"manifests":{}}"#).expect("JSON");
        assert!(read(&wrong).is_err());
    }
}
