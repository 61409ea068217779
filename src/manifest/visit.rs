//! serde visitors for named fields and list elements, which build no values.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::ManifestError;
use super::fold::fold;
use super::strict::{Field, JsonPath, shown};

/// The maximum number of keys of an object: they are kept until its end.
pub const MAX_KEYS: usize = 1000;

/// The decoded bytes of a string; half a surrogate pair is not UTF-8.
pub struct Bytes<'de>(pub Cow<'de, [u8]>);

impl<'de> Deserialize<'de> for Bytes<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BytesVisitor;
        impl<'de> Visitor<'de> for BytesVisitor {
            type Value = Bytes<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
                Ok(Bytes(Cow::Borrowed(bytes)))
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                Ok(Bytes(Cow::Owned(bytes.to_vec())))
            }
        }
        deserializer.deserialize_bytes(BytesVisitor)
    }
}

/// Reads the named fields of an object as JSON text.
pub struct ObjectVisitor<'v, const N: usize> {
    /// The names.
    pub names: &'v [&'static str; N],
    /// The object's place.
    pub at: &'v JsonPath<'v>,
    /// Why the object is rejected; serde's errors concern only the JSON.
    pub refusal: &'v mut Option<ManifestError>,
}

impl<const N: usize> ObjectVisitor<'_, N> {
    fn refuse<E: serde::de::Error>(&mut self, refusal: ManifestError) -> E {
        *self.refusal = Some(refusal);
        E::custom("refused")
    }

    fn twice(&self, key: &[u8]) -> ManifestError {
        ManifestError::Ambiguous(format!(
            "{} has the key {} twice (ignoring letter case)",
            self.at,
            shown(key)
        ))
    }
}

impl<'de, const N: usize> Visitor<'de> for ObjectVisitor<'_, N> {
    type Value = [Option<&'de str>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut values = [None; N];
        let mut others = HashSet::new();
        let mut count = 0;
        while let Some(Bytes(key)) = map.next_key()? {
            count += 1;
            if count > MAX_KEYS {
                let many = format!("{} has more than {MAX_KEYS} keys", self.at);
                return Err(self.refuse(ManifestError::TooLarge(many)));
            }
            let exact = self
                .names
                .iter()
                .position(|name| name.as_bytes() == &key[..]);
            let found = match exact {
                Some(index) => Some(index),
                None => {
                    let folded = fold(&key);
                    let same = |name: &&str| name.as_bytes().eq_ignore_ascii_case(&folded);
                    if let Some(name) = self.names.iter().find(|name| same(name)) {
                        let refusal = ManifestError::Ambiguous(format!(
                            "{} has the key {}, which some JSON readers treat as \"{name}\"",
                            self.at,
                            shown(&key)
                        ));
                        return Err(self.refuse(refusal));
                    }
                    if !others.insert(folded) {
                        let refusal = self.twice(&key);
                        return Err(self.refuse(refusal));
                    }
                    None
                }
            };
            let Some(index) = found else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let value: &RawValue = map.next_value()?;
            if values[index].replace(value.get()).is_some() {
                let refusal = self.twice(&key);
                return Err(self.refuse(refusal));
            }
        }
        Ok(values)
    }
}

/// Passes on the elements of a list.
pub struct ListVisitor<'v, F> {
    /// The list's place.
    pub at: &'v JsonPath<'v>,
    /// Reads an element.
    pub read: F,
    /// The error of `read` that ended the list.
    pub refusal: &'v mut Option<ManifestError>,
}

impl<'de, F> Visitor<'de> for ListVisitor<'_, F>
where
    F: FnMut(Field<'de, '_>) -> Result<(), ManifestError>,
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        let mut index = 0;
        while let Some(value) = list.next_element::<&RawValue>()? {
            let field = Field {
                raw: Some(value.get()),
                at: JsonPath::Element(self.at, index),
            };
            if let Err(refusal) = (self.read)(field) {
                *self.refusal = Some(refusal);
                return Err(A::Error::custom("refused"));
            }
            index += 1;
        }
        Ok(())
    }
}
