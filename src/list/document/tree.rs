//! A YAML file as a tree whose nodes know their line. JSON is parsed as YAML.
//!
//! The tree is flat (16 bytes per node, one string for all text), so that a file of 10 MB needs little
//! more than its own size. Aliases are edges, which cost nothing until they are followed. Following them
//! is counted: [`Tree::is_exhausted`].

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use super::MAX_LINE;
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError};

/// The maximum depth, aliases included. Schemas of Kubernetes reach 40.
const MAX_DEPTH: usize = 200;

/// The number of bytes kept of a scalar: more than any image has, so that a cut one is still too long.
const MAX_SCALAR: usize = 2 * MAX_LINE;

/// The maximum number of nodes visited through aliases: per node of the file, plus a constant for small
/// files.
const VISITS_PER_NODE: u64 = 16;
const VISITS: u64 = 1_000_000;

/// A parse error.
#[derive(Debug)]
pub struct TreeError {
    /// The line, from 1.
    pub line: u32,
    pub what: String,
}

#[derive(Debug, Default)]
pub struct Tree {
    text: String,
    nodes: Vec<StoredNode>,
    /// The children of all sequences and mappings; those of one node are adjacent.
    children: Vec<u32>,
    roots: Vec<u32>,
    visits: Cell<u64>,
}

#[derive(Clone, Copy, Debug)]
struct StoredNode {
    line: u32,
    kind: NodeKind,
}

#[derive(Clone, Copy, Debug)]
enum NodeKind {
    /// Start and length of its text.
    Scalar {
        start: u32,
        length: u32,
        is_plain: bool,
    },
    /// Index of its first child, and the number of children.
    Sequence { start: u32, count: u32 },
    /// The same; keys and values alternate.
    Mapping { start: u32, count: u32 },
    /// Index of the target.
    Alias(u32),
}

#[derive(Clone, Copy)]
pub struct Node<'a> {
    tree: &'a Tree,
    id: u32,
    /// The line; for an alias, that of the alias.
    line: u32,
    /// Whether it was reached through an alias.
    is_repeated: bool,
}

/// A sequence or mapping whose end has not been read.
struct OpenNode {
    line: u32,
    anchor: usize,
    is_mapping: bool,
    /// Index of its first child.
    first: usize,
    /// The maximum depth below it.
    depth: usize,
}

impl Tree {
    /// # Errors
    /// [`TreeError`] if it is malformed or nested too deeply.
    pub fn parse(text: &str) -> Result<Self, TreeError> {
        let mut builder = Builder::default();
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| malformed(&error))?;
            let line = number(span.start.line());
            builder
                .take(event, line)
                .map_err(|what| TreeError { line, what })?;
        }
        Ok(builder.tree)
    }

    pub fn documents(&self) -> impl Iterator<Item = Node<'_>> {
        self.roots.iter().map(|id| self.node(*id, false))
    }

    /// Whether aliases expand to too much content; further results are incomplete then.
    pub fn is_exhausted(&self) -> bool {
        self.visits.get() > VISITS + VISITS_PER_NODE * self.nodes.len() as u64
    }

    fn node(&self, id: u32, is_repeated: bool) -> Node<'_> {
        let stored = self.nodes[id as usize];
        // An alias never points to an alias.
        let (id, is_repeated) = match stored.kind {
            NodeKind::Alias(id) => (id, true),
            _ => (id, is_repeated),
        };
        Node {
            tree: self,
            id,
            line: stored.line,
            is_repeated,
        }
    }
}

impl<'a> Node<'a> {
    /// The line, from 1.
    pub fn line(self) -> u32 {
        self.line
    }

    /// The text of a scalar other than null.
    pub fn scalar(self) -> Option<&'a str> {
        match self.stored() {
            NodeKind::Scalar {
                start,
                length,
                is_plain,
            } => {
                let text = &self.tree.text[start as usize..(start + length) as usize];
                let is_null = is_plain && matches!(text, "" | "~" | "null" | "Null" | "NULL");
                (!is_null).then_some(text)
            }
            _ => None,
        }
    }

    pub fn is_sequence(self) -> bool {
        matches!(self.stored(), NodeKind::Sequence { .. })
    }

    pub fn is_mapping(self) -> bool {
        matches!(self.stored(), NodeKind::Mapping { .. })
    }

    /// The items of a sequence; empty for other nodes.
    pub fn items(self) -> impl Iterator<Item = Node<'a>> {
        let items = match self.stored() {
            NodeKind::Sequence { start, count } => self.children(start, count),
            _ => &[],
        };
        items.iter().map(move |id| self.child(*id))
    }

    /// Keys and values of a mapping, including merged ones (`<<`); empty for other nodes.
    pub fn entries(self) -> Vec<(Node<'a>, Node<'a>)> {
        let mut entries: Vec<_> = self.own_entries().collect();
        let is_merge = |(key, _): &(Node<'a>, Node<'a>)| key.is_merge_key();
        if !entries.iter().any(is_merge) {
            return entries;
        }
        let merged: Vec<_> = entries.extract_if(.., |entry| is_merge(entry)).collect();
        let mut known: HashSet<&str> = entries.iter().filter_map(|(key, _)| key.scalar()).collect();
        for (_, value) in merged {
            let several: Vec<_> = value.items().collect();
            let sources = if value.is_mapping() {
                vec![value]
            } else {
                several
            };
            for source in sources {
                let line = value.line;
                for (key, value) in source.entries() {
                    if key.scalar().is_none_or(|key| known.insert(key)) {
                        entries.push((Node { line, ..key }, Node { line, ..value }));
                    }
                }
            }
        }
        entries
    }

    /// The value of a key; the last of duplicates.
    pub fn get(self, key: &str) -> Option<Node<'a>> {
        let [value] = self.fields([key]);
        value
    }

    /// The values of several keys, as [`Node::get`] finds them.
    pub fn fields<const N: usize>(self, keys: [&str; N]) -> [Option<Node<'a>>; N] {
        let mut found = [None; N];
        let mut merges = false;
        for (key, value) in self.own_entries() {
            let Some(text) = key.scalar() else { continue };
            merges |= key.is_merge_key();
            if let Some(index) = keys.iter().position(|key| *key == text) {
                found[index] = Some(value);
            }
        }
        if merges && found.iter().any(Option::is_none) {
            for (key, value) in self.entries() {
                let index = keys.iter().position(|own| key.scalar() == Some(own));
                if let Some(index) = index.filter(|index| found[*index].is_none()) {
                    found[index] = Some(value);
                }
            }
        }
        found
    }

    /// The text of a scalar value.
    pub fn text(self, key: &str) -> Option<&'a str> {
        self.get(key)?.scalar()
    }

    fn own_entries(self) -> impl Iterator<Item = (Node<'a>, Node<'a>)> {
        let children = match self.stored() {
            NodeKind::Mapping { start, count } => self.children(start, count),
            _ => &[],
        };
        children
            .chunks_exact(2)
            .map(move |pair| (self.child(pair[0]), self.child(pair[1])))
    }

    fn children(self, start: u32, count: u32) -> &'a [u32] {
        let tree = self.tree;
        if self.is_repeated {
            tree.visits.set(tree.visits.get() + u64::from(count) + 1);
            if tree.is_exhausted() {
                return &[];
            }
        }
        &tree.children[start as usize..(start + count) as usize]
    }

    fn child(self, id: u32) -> Node<'a> {
        self.tree.node(id, self.is_repeated)
    }

    fn is_merge_key(self) -> bool {
        matches!(self.stored(), NodeKind::Scalar { is_plain: true, .. })
            && self.scalar() == Some("<<")
    }

    fn stored(self) -> NodeKind {
        self.tree.nodes[self.id as usize].kind
    }
}

/// Builds a tree from parser events.
#[derive(Default)]
struct Builder {
    tree: Tree,
    open: Vec<OpenNode>,
    /// Children of open nodes.
    pending: Vec<u32>,
    /// The nodes of anchors, and their depth.
    anchors: HashMap<usize, (u32, usize)>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, line: u32) -> Result<(), String> {
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let text = &text[..text.floor_char_boundary(MAX_SCALAR)];
                let kind = NodeKind::Scalar {
                    start: size(self.tree.text.len())?,
                    length: size(text.len())?,
                    is_plain: style == ScalarStyle::Plain,
                };
                self.tree.text.push_str(text);
                self.add(line, kind, anchor, 0)
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor).copied() {
                Some((target, depth)) => self.add(line, NodeKind::Alias(target), 0, depth),
                None => Err("an alias refers to a node that contains it".to_owned()),
            },
            Event::SequenceStart(anchor, _) => self.begin(line, anchor, false),
            Event::MappingStart(anchor, _) => self.begin(line, anchor, true),
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::DocumentStart(_) => {
                // Anchors are valid within one document.
                self.anchors.clear();
                Ok(())
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn begin(&mut self, line: u32, anchor: usize, is_mapping: bool) -> Result<(), String> {
        if self.open.len() >= MAX_DEPTH {
            return Err(deep());
        }
        self.open.push(OpenNode {
            line,
            anchor,
            is_mapping,
            first: self.pending.len(),
            depth: 0,
        });
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let Some(open) = self.open.pop() else {
            return Err("an end without a start".to_owned());
        };
        let start = size(self.tree.children.len())?;
        let count = size(self.pending.len() - open.first)?;
        self.tree.children.extend(self.pending.drain(open.first..));
        let kind = if open.is_mapping {
            NodeKind::Mapping { start, count }
        } else {
            NodeKind::Sequence { start, count }
        };
        self.add(open.line, kind, open.anchor, open.depth + 1)
    }

    fn add(
        &mut self,
        line: u32,
        kind: NodeKind,
        anchor: usize,
        depth: usize,
    ) -> Result<(), String> {
        if self.open.len() + depth > MAX_DEPTH {
            return Err(deep());
        }
        let id = size(self.tree.nodes.len())?;
        self.tree.nodes.push(StoredNode { line, kind });
        if anchor != 0 {
            self.anchors.insert(anchor, (id, depth));
        }
        match self.open.last_mut() {
            Some(open) => {
                open.depth = open.depth.max(depth);
                self.pending.push(id);
            }
            None => self.tree.roots.push(id),
        }
        Ok(())
    }
}

fn deep() -> String {
    format!("more than {MAX_DEPTH} levels of nesting")
}

fn size(size: usize) -> Result<u32, String> {
    u32::try_from(size).map_err(|_| "the file is too large".to_owned())
}

fn number(line: usize) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX)
}

fn malformed(error: &ScanError) -> TreeError {
    TreeError {
        line: number(error.marker().line()),
        what: error.info().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tree(text: &str) -> Tree {
        Tree::parse(text).expect("YAML")
    }

    fn what(text: &str) -> String {
        let error = Tree::parse(text).expect_err("malformed");
        format!("{}: {}", error.line, error.what)
    }

    #[test]
    fn nodes_know_their_lines() {
        let tree = tree("# x\na:\n  - b\n  - c: [d,\n     e]\n---\nf\n");
        let documents: Vec<Node<'_>> = tree.documents().collect();
        assert_eq!(documents.len(), 2);
        let items: Vec<Node<'_>> = documents[0].get("a").expect("a").items().collect();
        assert_eq!((items[0].line(), items[1].line()), (3, 4));
        let inner: Vec<u32> = items[1]
            .get("c")
            .expect("c")
            .items()
            .map(Node::line)
            .collect();
        assert_eq!(inner, [4, 5]);
        assert_eq!((documents[1].scalar(), documents[1].line()), (Some("f"), 7));
    }

    #[test]
    fn aliases_are_resolved_and_merged() {
        let tree =
            tree("a: &a {x: 1, y: 2}\nb: *a\nc:\n  <<: *a\n  y: 3\nd:\n  <<: [*a, {z: 4, x: 5}]\n");
        let root = tree.documents().next().expect("a document");
        let text = |node: &str, key: &str| root.get(node).and_then(|node| node.text(key));
        assert_eq!(text("b", "x"), Some("1"));
        assert_eq!((text("c", "x"), text("c", "y")), (Some("1"), Some("3")));
        assert_eq!((text("d", "x"), text("d", "z")), (Some("1"), Some("4")));
        assert_eq!(root.get("b").map(Node::line), Some(2));
        let entries = root.get("d").expect("d").entries();
        let keys: Vec<_> = entries.iter().filter_map(|(key, _)| key.scalar()).collect();
        assert_eq!(keys, ["x", "y", "z"]);
    }

    #[test]
    fn null_is_not_text() {
        let tree = tree("- null\n- ~\n-\n- 'null'\n- ''\n- 1.10\n");
        let root = tree.documents().next().expect("a document");
        let texts: Vec<_> = root.items().map(Node::scalar).collect();
        assert_eq!(
            texts,
            [None, None, None, Some("null"), Some(""), Some("1.10")]
        );
    }

    #[test]
    fn nesting_is_bounded_even_through_aliases() {
        assert!(
            what(&"[".repeat(300)).contains("nested")
                || what(&"[".repeat(300)).contains("recursion")
        );
        let mut chain = "a0: &a0 [x]\n".to_owned();
        for n in 1..300 {
            chain += &format!("a{n}: &a{n} [*a{}]\n", n - 1);
        }
        assert_eq!(what(&chain), "200: more than 200 levels of nesting");
        assert!(what("a: &a [*a]").contains("alias"));
    }

    #[test]
    fn aliases_that_multiply_are_bounded() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..30 {
            let last = format!("*a{}", n - 1);
            bomb += &format!("a{n}: &a{n} [{}]\n", vec![last; 10].join(", "));
        }
        let tree = tree(&bomb);
        fn count(node: Node<'_>) -> u64 {
            1 + node.items().map(count).sum::<u64>()
                + node
                    .entries()
                    .into_iter()
                    .map(|(_, value)| count(value))
                    .sum::<u64>()
        }
        assert!(!tree.is_exhausted());
        assert!(tree.documents().map(count).sum::<u64>() < 2 * VISITS);
        assert!(tree.is_exhausted());
    }

    #[test]
    fn json_is_yaml() {
        let tree = tree("{\n\t\"a\": [\"b\\/c\", \"\\u0041\"],\n\t\"d\":1}");
        let root = tree.documents().next().expect("a document");
        let items: Vec<_> = root.get("a").expect("a").items().collect();
        assert_eq!(items[0].scalar(), Some("b/c"));
        assert_eq!((items[1].scalar(), items[1].line()), (Some("A"), 2));
    }

    proptest! {
        #[test]
        fn no_text_causes_a_panic(text in "[-:a &*<{}\\[\\],?|>'\"#%!\n\t\u{e9}]{0,60}") {
            if let Ok(tree) = Tree::parse(&text) {
                for document in tree.documents() {
                    let _ = (document.entries().len(), document.items().count(), document.get("a").is_some());
                }
            }
        }
    }
}
