"""Images of a YAML or JSON list, one canonical form a line: an independent reader for the tests."""
import re
import sys

import yaml


class Loader(yaml.SafeLoader):
    """Every scalar is text, as it is written."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag.endswith((":null", ":merge"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
NAME = rf"(?:[A-Za-z0-9.-]+(?::\d+)?/)?{PART}(?:/{PART})*"
SIDE = re.compile(rf"(?P<name>{NAME})(?::(?P<tag>\w[\w.-]*))?(?:@(?P<digest>sha256:[0-9a-f]{{64}}))?")


def side(text):
    found = SIDE.fullmatch(text or "")
    return found and (found["name"], found["tag"], found["digest"])


def image(source, destination=None, platforms=(), tag_is_optional=False):
    """Prints an image, if it is one."""
    prefix = "--platform=" + ",".join(platforms) + " " if platforms else ""
    suffix = " " + ",".join(platforms) if platforms else ""
    known = {"amd64", "arm64", "s390x", "arm"}
    if any(platform.split("/")[1] not in known for platform in platforms):
        return
    one = side(source)
    if not one or not (one[1] or one[2]):
        return
    if destination is None:
        print(prefix + source)
        return
    other = side(destination)
    if not other or not (other[1] or other[2] or tag_is_optional):
        return
    from_tag = one[2] or one[1]
    to_tag = other[1] or other[2] or one[1] or one[2]
    if from_tag == to_tag:
        print(one[0], other[0], from_tag + suffix)
    else:
        mark = lambda reference: ("@" if reference.startswith("sha256:") else ":") + reference
        print(prefix + one[0] + mark(from_tag), other[0] + mark(to_tag))


def line(text):
    """A text that may name both sides."""
    sides = re.split("[ =]", text)
    image(sides[0], *sides[1:], tag_is_optional="=" in text)


def walk(node):
    if isinstance(node, list):
        for item in node:
            walk(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key != "image":
                walk(value)
            elif isinstance(value, str):
                image(value)
            elif isinstance(value, dict) and isinstance(value.get("reference"), str):
                image(value["reference"])
            elif isinstance(value, dict) and isinstance(value.get("repository", value.get("name")), str):
                name = "/".join(filter(None, [value.get("registry"), value.get("repository", value.get("name"))]))
                name += ":" + value["tag"] if value.get("tag") else ""
                image(name + ("@" + value["digest"] if value.get("digest") else ""))
            else:
                walk(value)


def plain(items):
    for item in items:
        line(item) if isinstance(item, str) else image(item.get("image", item.get("name")))


def document(doc):
    if isinstance(doc, list):
        plain(doc)
    elif "sync" in doc:
        default = doc.get("defaults", {})
        for step in doc["sync"]:
            platforms = step.get("platforms") or [step.get("platform") or default.get("platform")]
            if step["type"] == "image":
                image(step["source"], step.get("target", ""), sorted(filter(None, platforms)))
    elif doc.get("kind") == "ImagesLock" or "images" in doc:
        plain(doc["images"])
    elif doc.get("kind") == "Images":
        for item in doc["spec"]["images"]:
            image(item["name"], platforms=[item["platform"]] if "platform" in item else [])
    elif "components" in doc:
        for component in doc["components"]:
            plain(component.get("images", []))
    elif all(isinstance(v, dict) and any(key.startswith("images") for key in v) for v in doc.values()):
        for registry, value in doc.items():
            for repository, tags in value.get("images", {}).items():
                for tag in tags or []:
                    image(f"{registry}/{repository}" + ("@" if ":" in tag else ":") + tag)
    elif "kind" not in doc and all(isinstance(value, (str, list)) for value in doc.values()):
        for source, destinations in doc.items():
            name, at, digest = source.partition("@")
            tags = re.fullmatch(r"(.*):([^/]*)", name)
            for destination in [destinations] if isinstance(destinations, str) else destinations:
                for tag in tags[2].split(",") if tags else [None]:
                    one = f"{tags[1]}:{tag}" if tags else name
                    image(one + at + digest, destination, tag_is_optional=True)
    else:
        walk(doc)


with open(sys.argv[1], encoding="utf-8") as file:
    text = file.read()
# PyYAML knows JSON's pairs of escapes as little as tabs between tokens.
text = re.sub(r"\\ud[89a-f]..", "?", text)
text = text.replace("\t", " ") if text.startswith("{") else text
text = re.sub(r"(?m)^(.*): \{\{ .*$", r"\1: '{{'", text)
for doc in yaml.load_all(text, Loader):
    if doc is not None:
        document(doc)
