//! Parses a registries.conf of either version.
//!
//! A field of the wrong type is an error: a user who writes `insecure = "false"` needs to know.

use toml_span::Value;

use super::{Entry, File};
use crate::escape::escape;

/// # Errors
/// The line, and its error.
pub fn parse(text: &str) -> Result<File, String> {
    let document = toml_span::parse(text).map_err(|error| {
        let line = line_of(text, error.span.start);
        format!("line {line}: {}", escape(&error.to_string()))
    })?;
    let reader = Reader { text };
    let mut file = File {
        helpers: reader.strings(&document, "/credential-helpers")?,
        ..File::default()
    };
    for value in reader.list(&document, "/registry")?.unwrap_or_default() {
        let location = reader.string(value, "/location")?;
        let Some(prefix) = reader
            .string(value, "/prefix")?
            .or_else(|| location.clone())
        else {
            return reader.wrong(value, "a [[registry]] has neither prefix nor location");
        };
        file.entries.push(Entry {
            location: location.unwrap_or_else(|| prefix.clone()),
            insecure: reader.flag(value, "/insecure")?,
            blocked: reader.flag(value, "/blocked")?,
            has_mirrors: reader
                .list(value, "/mirror")?
                .is_some_and(|list| !list.is_empty()),
            prefix,
        });
    }
    // The first version of the format.
    let of_first =
        |kind: &str| reader.strings(&document, &format!("/registries/{kind}/registries"));
    for host in of_first("insecure")?.unwrap_or_default() {
        file.entry(host).insecure = true;
    }
    for host in of_first("block")?.unwrap_or_default() {
        file.entry(host).blocked = true;
    }
    Ok(file)
}

/// Reads optional fields by JSON pointers.
struct Reader<'a> {
    text: &'a str,
}

impl Reader<'_> {
    fn wrong<T>(&self, value: &Value<'_>, what: &str) -> Result<T, String> {
        let line = line_of(self.text, value.span.start);
        Err(format!("line {line}: {what}"))
    }

    fn flag(&self, table: &Value<'_>, pointer: &str) -> Result<bool, String> {
        let Some(value) = table.pointer(pointer) else {
            return Ok(false);
        };
        match value.as_bool() {
            Some(flag) => Ok(flag),
            None => self.wrong(value, &format!("{} must be true or false", name(pointer))),
        }
    }

    /// A string; an empty one is `None`.
    fn string(&self, table: &Value<'_>, pointer: &str) -> Result<Option<String>, String> {
        let Some(value) = table.pointer(pointer) else {
            return Ok(None);
        };
        match value.as_str() {
            Some(text) => Ok(Some(text.to_owned()).filter(|text| !text.is_empty())),
            None => self.wrong(value, &format!("{} must be a string", name(pointer))),
        }
    }

    fn list<'v, 'd>(
        &self,
        table: &'v Value<'d>,
        pointer: &str,
    ) -> Result<Option<&'v [Value<'d>]>, String> {
        let Some(value) = table.pointer(pointer) else {
            return Ok(None);
        };
        match value.as_array() {
            Some(list) => Ok(Some(list)),
            None => self.wrong(value, &format!("{} must be a list", name(pointer))),
        }
    }

    fn strings(&self, table: &Value<'_>, pointer: &str) -> Result<Option<Vec<String>>, String> {
        let Some(list) = self.list(table, pointer)? else {
            return Ok(None);
        };
        let strings = list.iter().map(|value| match value.as_str() {
            Some(text) => Ok(text.to_owned()),
            None => self.wrong(value, "expected a string"),
        });
        strings.collect::<Result<_, _>>().map(Some)
    }
}

/// A pointer in the notation of the file.
fn name(pointer: &str) -> String {
    pointer[1..].replace('/', ".")
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}
