//! Source and destination of an image side by side, as HTML, with the differences marked.

use std::collections::BTreeMap;

use super::object::LineObject;
use super::text::xml;
use crate::manifest::Spec;
use crate::output::LineResult;

/// Rows and lines shown per image.
const MAX_ROWS: usize = 50;

/// The names, the platforms with their digests, the class of each difference, and the details.
pub fn sides(entry: &LineResult<'_>, object: &LineObject<'_>) -> String {
    let mut text = String::new();
    let has_specs = object.source_spec.is_some() || object.destination_spec.is_some();
    if let Some(image) = entry.image.map(|image| &image.image) {
        text += "<table class=\"s\"><thead><tr><td></td><th scope=\"col\">Source</th><th scope=\"col\">Destination</th></tr></thead><tbody>";
        text += &format!(
            "<tr><th scope=\"row\">image</th><td>{}</td><td>{}</td></tr>",
            xml(&image.source_name()),
            xml(&object
                .destination
                .as_ref()
                .map_or_else(String::new, |_| image.destination_name()))
        );
        if has_specs {
            text += &rows(
                object.source_spec.unwrap_or_default(),
                object.destination_spec.unwrap_or_default(),
            );
        }
        text += "</tbody></table>";
    }
    let mut lines: Vec<String> = Vec::new();
    for why in object.why {
        let dates = match (&why.source_created, &why.destination_created) {
            (Some(source), Some(destination)) => {
                format!(" (source created {source}, destination created {destination})")
            }
            _ => String::new(),
        };
        lines.push(format!(
            "<b>{}</b> {}: {}{}",
            why.class.as_str(),
            xml(why.platform.as_deref().unwrap_or("?")),
            xml(&why.evidence),
            xml(&dates)
        ));
    }
    for detail in &object.details {
        // The table has the complete digests.
        let detail = if has_specs {
            short_digests(detail)
        } else {
            detail.clone()
        };
        lines.push(xml(&detail));
    }
    if !lines.is_empty() {
        text += "<ul>";
        for line in lines.iter().take(MAX_ROWS) {
            text += &format!("<li>{line}</li>");
        }
        if lines.len() > MAX_ROWS {
            text += &format!("<li>… and {} more</li>", lines.len() - MAX_ROWS);
        }
        text += "</ul>";
    }
    text
}

/// One row per platform and digest; a digest that only one side has is marked.
fn rows(source: &[Spec], destination: &[Spec]) -> String {
    let mut platforms: BTreeMap<String, [Vec<&str>; 2]> = BTreeMap::new();
    for (side, specs) in [source, destination].into_iter().enumerate() {
        for spec in specs {
            let row = platforms.entry(spec.platform.to_string()).or_default();
            row[side].push(spec.digest.as_str());
        }
    }
    let mut rows = Vec::new();
    for (platform, [left, right]) in &platforms {
        let name = xml(platform);
        for digest in left.iter().filter(|digest| right.contains(digest)) {
            rows.push(format!(
                "<tr><th scope=\"row\">{name}</th><td>{digest}</td><td>same digest</td></tr>"
            ));
        }
        let only = |own: &[&str], other: &[&str]| -> Vec<String> {
            let own = own.iter().filter(|digest| !other.contains(digest));
            own.map(|digest| (*digest).to_owned()).collect()
        };
        let (left, right) = (only(left, right), only(right, left));
        for index in 0..left.len().max(right.len()) {
            let cell = |side: &[String]| {
                side.get(index)
                    .map_or_else(|| "absent".to_owned(), Clone::clone)
            };
            rows.push(format!(
                "<tr><th scope=\"row\">≠ {name}</th><td><mark>{}</mark></td><td><mark>{}</mark></td></tr>",
                cell(&left),
                cell(&right)
            ));
        }
    }
    let more = rows.len().saturating_sub(MAX_ROWS);
    rows.truncate(MAX_ROWS);
    let mut text = rows.concat();
    if more > 0 {
        text += &format!("<tr><td colspan=\"3\">… and {more} more</td></tr>");
    }
    text
}

/// Cuts the digests in a text after 12 digits.
fn short_digests(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("sha256:") {
        let (before, from) = rest.split_at(at + "sha256:".len());
        out += before;
        let end = from
            .find(|c: char| !c.is_ascii_hexdigit())
            .unwrap_or(from.len());
        out += &from[..end.min(12)];
        if end > 12 {
            out.push('…');
        }
        rest = &from[end..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_cut_and_the_rest_is_kept() {
        let long = format!("a sha256:{}, b sha256:12", "0".repeat(64));
        assert_eq!(short_digests(&long), "a sha256:000000000000…, b sha256:12");
    }
}
