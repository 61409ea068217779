//! The repair of one failed image with one tool.
//!
//! What the tools skip, according to their source code: skopeo pushes every manifest, and skips blobs
//! that the registry claims to have; regctl and regsync do the same with `--force-recursive`, and skip
//! everything below an equal manifest without it; crane and oras assume that an existing manifest is
//! complete; image-syncer needs `--force`; hangar adds to the existing index.

use crate::manifest::Digest;
use crate::reference::Reference;

use super::failure::{Failure, Repair};
use super::text::shell_word;
use super::tool::{Plan, Step, Tool};

/// Digests named in comments.
const MOST_NAMED: usize = 20;

pub fn steps(plan: &Plan, failure: &Failure) -> Vec<Step> {
    let mut steps = Vec::new();
    if let Repair::Nothing(why) = failure.mending {
        return vec![Step::comment(why)];
    }
    if !failure.is_pinned() {
        steps.push(Step::comment(
            "not pinned: the report has no digest of the source, so this copies the current image of the tag",
        ));
    }
    let copies = CopySteps { plan, failure };
    match failure.mending {
        Repair::Copy => copies.whole(&mut steps),
        Repair::Manifests => copies.manifests(&mut steps),
        Repair::Blobs { damaged } => copies.blobs(damaged, &mut steps),
        Repair::Referrers => copies.referrers(&mut steps),
        Repair::Nothing(_) => {}
    }
    steps
}

struct CopySteps<'a> {
    plan: &'a Plan,
    failure: &'a Failure,
}

impl CopySteps<'_> {
    fn tool(&self) -> Tool {
        self.plan.tool
    }

    fn target(&self) -> String {
        let reference = self.failure.target(self.plan.run.allow_single);
        let repository = self.failure.destination_repository();
        match (&reference, self.tool()) {
            // oras copies by digest to a name without a tag.
            (Reference::Digest(_), Tool::Oras) => repository,
            _ => reference.of(&repository),
        }
    }

    /// Copies the whole source.
    fn whole(&self, steps: &mut Vec<Step>) {
        let failure = self.failure;
        let needs_index = failure.is_bare && !self.plan.run.allow_single;
        let (from, to) = (failure.source_name(), self.target());
        if !needs_index || self.tool() == Tool::Hangar {
            steps.push(self.copy(from, to, false, self.plan.run.referrers));
            self.warn_of_hangar(steps);
            return;
        }
        let is_tag = matches!(failure.destination_reference, Reference::Tag(_));
        if self.tool() == Tool::Regctl && is_tag {
            steps.push(Step::comment(
                "the source is a single image: this creates an index of it, because validation without --allow-single requires one",
            ));
            let mut words = self.regctl();
            words.extend(["index", "create", "--ref"].map(String::from));
            words.push(from);
            if self.plan.run.referrers {
                words.extend(["--digest-tags", "--referrers"].map(String::from));
            }
            words.push(to);
            steps.push(Step::Command(words));
            return;
        }
        steps.push(Step::comment(
            "the source is a single image: its copy passes only with --allow-single. To create an index instead of the copy:",
        ));
        steps.push(Step::comment(format!(
            "  docker buildx imagetools create -t {} {}",
            shell_word(&to),
            shell_word(&from)
        )));
        if failure.is_there {
            steps.push(Step::comment("the copy exists already"));
        } else {
            steps.push(self.copy(from, to, false, self.plan.run.referrers));
        }
    }

    /// Copies manifests that the destination's index lists and the registry lacks.
    fn manifests(&self, steps: &mut Vec<Step>) {
        match self.tool() {
            Tool::Crane | Tool::Oras => {
                if self.failure.named.is_empty() {
                    self.delete_first(steps);
                }
                self.each(&self.failure.named, steps);
            }
            _ => self.forced(steps),
        }
    }

    fn blobs(&self, damaged: bool, steps: &mut Vec<Step>) {
        let what = if damaged {
            "damaged blobs: copy tools skip blobs that the registry claims to have. Delete them first:"
        } else {
            "missing blobs: copy tools skip blobs that the registry claims to have. If the copy changes nothing, delete them first:"
        };
        steps.push(Step::comment(what));
        if self.tool() == Tool::Regctl {
            let repository = shell_word(&self.failure.destination_repository());
            self.name(&self.failure.named, steps, |digest| {
                format!("  regctl blob delete {repository} {digest}")
            });
            steps.push(Step::comment(
                "if the registry refuses to delete blobs, or keeps the files (docker-registry): delete the manifests, and run the registry's garbage collection:",
            ));
        } else {
            steps.push(Step::comment(
                "delete the manifests (this also deletes their tags), run the registry's garbage collection, then copy:",
            ));
        }
        self.name(&self.failure.manifests, steps, |digest| {
            self.delete(&self.failure.destination_at(digest))
        });
        if matches!(self.tool(), Tool::Crane | Tool::Oras) && !self.failure.manifests.is_empty() {
            steps.push(Step::comment(format!(
                "{} assumes that an existing manifest is complete: without the deletion the copy changes nothing",
                self.tool().name()
            )));
            self.each(&self.failure.manifests, steps);
        } else {
            self.forced(steps);
        }
    }

    /// Copies the referrers of the image.
    fn referrers(&self, steps: &mut Vec<Step>) {
        let failure = self.failure;
        let (from, to) = (failure.source_name(), self.target());
        match self.tool() {
            Tool::Regctl | Tool::Regsync => steps.push(self.copy(from, to, true, true)),
            Tool::Oras => {
                steps.push(self.copy(from.clone(), to.clone(), false, true));
                steps.push(Step::comment(
                    "oras does not copy the tags of cosign (sha256-….sig); to copy them:",
                ));
                steps.push(Step::comment(cosign(&from, &to)));
            }
            Tool::Skopeo | Tool::Crane | Tool::ImageSyncer | Tool::Hangar => {
                if !failure.is_there && !failure.is_bare && self.tool() != Tool::Hangar {
                    steps.push(self.copy(from.clone(), to.clone(), false, false));
                }
                steps.push(Step::comment(format!(
                    "{} does not copy referrers; use one of these commands:",
                    self.tool().name()
                )));
                let (from_word, to_word) = (shell_word(&from), shell_word(&to));
                for text in [
                    format!(
                        "  regctl image copy --force-recursive --digest-tags --referrers {from_word} {to_word}"
                    ),
                    format!("  oras cp -r {from_word} {to_word}"),
                    cosign(&from, &to),
                ] {
                    steps.push(Step::comment(text));
                }
            }
        }
    }

    /// Copies everything, also manifests that seem to exist.
    fn forced(&self, steps: &mut Vec<Step>) {
        if self.tool() == Tool::Hangar {
            steps.push(Step::comment(
                "hangar skips images that the index at the destination lists: delete the tag first, or use another tool",
            ));
        }
        let (from, to) = (self.failure.source_name(), self.target());
        steps.push(self.copy(from, to, true, self.plan.run.referrers));
        self.warn_of_hangar(steps);
    }

    /// Copies each of these manifests by digest.
    fn each(&self, digests: &[Digest], steps: &mut Vec<Step>) {
        for digest in digests {
            let to = match self.tool() {
                Tool::Oras => self.failure.destination_repository(),
                _ => self.failure.destination_at(digest),
            };
            steps.push(self.copy(self.failure.source_at(digest), to, false, false));
        }
        if digests.is_empty() {
            self.forced(steps);
        }
    }

    fn delete_first(&self, steps: &mut Vec<Step>) {
        steps.push(Step::comment(format!(
            "{} assumes that an existing manifest is complete; delete it first:",
            self.tool().name()
        )));
        steps.push(Step::comment(self.delete(&self.target())));
    }

    /// The command that deletes a manifest.
    fn delete(&self, name: &str) -> String {
        match self.tool() {
            Tool::Skopeo => format!(
                "  skopeo delete {}",
                shell_word(&format!("docker://{name}"))
            ),
            Tool::Crane => format!("  crane delete {}", shell_word(name)),
            Tool::Oras => format!("  oras manifest delete --force {}", shell_word(name)),
            Tool::Regctl | Tool::Regsync | Tool::ImageSyncer | Tool::Hangar => {
                format!("  regctl manifest delete {}", shell_word(name))
            }
        }
    }

    fn name(&self, digests: &[Digest], steps: &mut Vec<Step>, line: impl Fn(&Digest) -> String) {
        let shown = digests.iter().take(MOST_NAMED);
        steps.extend(shown.map(|digest| Step::Comment(line(digest))));
        if digests.len() > MOST_NAMED {
            steps.push(Step::comment(format!(
                "  … and {} more; the report names all of them",
                digests.len() - MOST_NAMED
            )));
        }
    }

    fn warn_of_hangar(&self, steps: &mut Vec<Step>) {
        if self.tool() == Tool::Hangar && matches!(steps.last(), Some(Step::Line(_))) {
            steps.insert(
                steps.len() - 1,
                Step::comment("not pinned: hangar copies the current image of the tag"),
            );
        }
    }

    fn regctl(&self) -> Vec<String> {
        let mut words = vec!["regctl".to_owned()];
        let mut registries = self.failure.registries().to_vec();
        registries.dedup();
        for registry in registries {
            if self.plan.is_insecure(registry) {
                words.extend(["--host".to_owned(), format!("reg={registry},tls=insecure")]);
            }
        }
        words
    }

    fn copy(&self, from: String, to: String, force: bool, referrers: bool) -> Step {
        let [source, destination] = self.failure.registries();
        let insecure = (
            self.plan.is_insecure(source),
            self.plan.is_insecure(destination),
        );
        let mut words: Vec<String>;
        let add = |words: &mut Vec<String>, when: bool, flags: &[&str]| {
            if when {
                words.extend(flags.iter().map(|flag| (*flag).to_owned()));
            }
        };
        match self.tool() {
            Tool::Skopeo => {
                words = ["skopeo", "copy", "--all", "--preserve-digests"]
                    .map(String::from)
                    .into();
                add(&mut words, insecure.0, &["--src-tls-verify=false"]);
                add(&mut words, insecure.1, &["--dest-tls-verify=false"]);
                words.extend([format!("docker://{from}"), format!("docker://{to}")]);
                return Step::Command(words);
            }
            Tool::Regctl => {
                words = self.regctl();
                add(&mut words, true, &["image", "copy"]);
                add(&mut words, force, &["--force-recursive"]);
                add(&mut words, referrers, &["--digest-tags", "--referrers"]);
            }
            Tool::Crane => {
                words = ["crane", "copy"].map(String::from).into();
                add(&mut words, insecure.0 || insecure.1, &["--insecure"]);
            }
            Tool::Oras => {
                words = ["oras", "cp"].map(String::from).into();
                add(&mut words, referrers, &["-r"]);
                add(&mut words, insecure.0, &["--from-insecure"]);
                add(&mut words, insecure.1, &["--to-insecure"]);
            }
            Tool::Regsync | Tool::ImageSyncer => {
                return Step::Entry {
                    from,
                    to,
                    force,
                    referrers,
                };
            }
            Tool::Hangar => {
                return match self.failure.by_tag() {
                    Some(line) => Step::Line(line),
                    None => Step::comment(
                        "a list for hangar has one tag for both sides, and no digests: use another tool",
                    ),
                };
            }
        }
        words.extend([from, to]);
        Step::Command(words)
    }
}

fn cosign(from: &str, to: &str) -> String {
    format!("  cosign copy {} {}", shell_word(from), shell_word(to))
}
