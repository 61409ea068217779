//! Shell completions, generated from the tables of commands and flags.

use std::fmt::Write as _;

use super::PROGRAM;
use super::commands::{self, COMMANDS, Command};
use super::error::UsageError;
use super::flags::{self, Flag, FlagValue};

pub const SHELLS: &[&str] = &["bash", "zsh", "fish"];

/// The completion script for a shell of [`SHELLS`].
///
/// # Errors
/// [`UsageError::Value`] for any other word.
pub fn script(shell: &str) -> Result<String, UsageError> {
    match shell {
        "bash" => Ok(bash()),
        "zsh" => Ok(zsh()),
        "fish" => Ok(fish()),
        _ => Err(UsageError::Value {
            what: "completion".to_owned(),
            value: shell.to_owned(),
            wanted: SHELLS.join(", "),
        }),
    }
}

fn command_names() -> String {
    let names: Vec<&str> = COMMANDS.iter().map(|command| command.name).collect();
    names.join(" ")
}

/// All spellings of a flag.
fn spellings(flag: &Flag) -> Vec<String> {
    let mut names: Vec<String> = flag.names.iter().map(|name| (*name).to_owned()).collect();
    if let FlagValue::Grade(words, _) = flag.takes {
        names.extend(words.iter().map(|word| format!("{}={word}", flag.name())));
    }
    names
}

fn bash() -> String {
    let mut values = String::new();
    let mut words = String::new();
    for command in COMMANDS {
        let name = command.name;
        for flag in flags::all(command.groups) {
            let before: Vec<String> = spellings(flag)
                .iter()
                .map(|flag| format!("'{name} {flag}'"))
                .collect();
            let offer = match flag.takes {
                FlagValue::Switch(_) | FlagValue::Grade(..) => continue,
                FlagValue::Path(..) | FlagValue::SuffixedPath(..) => "compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- \"$word\"); return".to_owned(),
                FlagValue::Choice(words, _) => format!(
                    "mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$word\"); return",
                    words.join(" ")
                ),
                FlagValue::Text(..) => "return".to_owned(),
            };
            // Writing to a String cannot fail.
            let _ = writeln!(values, "    {}) {offer} ;;", before.join("|"));
        }
        if command.takes_files() {
            let _ = writeln!(
                words,
                "    {name}) if [[ $word != -* ]]; then compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- \"$word\"); return; fi ;;&"
            );
        }
        let _ = writeln!(
            words,
            "    {name}) mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$word\") ;;",
            offered(command).join(" ")
        );
    }
    format!(
        "# bash completion for {PROGRAM}: source <({PROGRAM} completion bash)
_image_tools() {{
  local word=\"${{COMP_WORDS[COMP_CWORD]}}\" before=\"${{COMP_WORDS[COMP_CWORD-1]}}\" name=\"${{COMP_WORDS[1]}}\"
  COMPREPLY=()
  if [[ \"${{COMP_WORDS[0]##*/}}\" == {link} ]]; then
    name={link}
  elif [[ $COMP_CWORD == 1 ]]; then
    mapfile -t COMPREPLY < <(compgen -W '{commands}' -- \"$word\")
    return
  fi
  case \"$name $before\" in
{values}  esac
  case \"$name\" in
{words}  esac
}}
complete -F _image_tools {PROGRAM} {link}
",
        link = commands::default_command().name,
        commands = command_names(),
    )
}

/// Completions after a command: its arguments, or else its flags.
fn offered(command: &Command) -> Vec<String> {
    if command.words.is_empty() {
        flags::all(command.groups).flat_map(spellings).collect()
    } else {
        command
            .words
            .iter()
            .map(|word| (*word).to_owned())
            .collect()
    }
}

fn zsh() -> String {
    let mut cases = String::new();
    for command in COMMANDS {
        let mut arguments = String::new();
        for flag in flags::all(command.groups) {
            let help = flag
                .help
                .replace('\'', "'\\''")
                .replace('[', "\\[")
                .replace(']', "\\]")
                .replace(':', "\\:");
            let value = match flag.takes {
                FlagValue::Switch(_) | FlagValue::Grade(..) => String::new(),
                FlagValue::Path(..) | FlagValue::SuffixedPath(..) => ":file:_files".to_owned(),
                FlagValue::Choice(words, _) => format!(":when:({})", words.join(" ")),
                FlagValue::Text(word, _) => format!(":{word}: "),
            };
            // `*`: zsh offers the flag again after its first use.
            let repeat = if flag.accumulates { "*" } else { "" };
            for name in spellings(flag) {
                // Writing to a String cannot fail.
                let _ = write!(arguments, " \\\n        '{repeat}{name}[{help}]{value}'");
            }
        }
        if !command.words.is_empty() {
            let _ = write!(
                arguments,
                " \\\n        '1:{}:({})'",
                command.arguments,
                command.words.join(" ")
            );
        }
        if command.takes_files() {
            arguments.push_str(" \\\n        '*:file:_files'");
        }
        let _ = writeln!(
            cases,
            "    {})\n      _arguments{arguments}\n      ;;",
            command.name
        );
    }
    format!(
        "#compdef {PROGRAM} {link}
# zsh completion for {PROGRAM}: {PROGRAM} completion zsh >\"${{fpath[1]}}/_{PROGRAM}\"
_image_tools() {{
  if [[ ${{words[1]:t}} != {link} ]]; then
    if (( CURRENT == 2 )); then
      compadd -- {commands}
      return
    fi
    shift words
    (( CURRENT-- ))
  fi
  case ${{words[1]:t}} in
{cases}  esac
}}
_image_tools \"$@\"
",
        link = commands::default_command().name,
        commands = command_names(),
    )
}

fn fish() -> String {
    let mut text = format!(
        "# fish completion for {PROGRAM}: {PROGRAM} completion fish >~/.config/fish/completions/{PROGRAM}.fish
complete -c {PROGRAM} -f -n __fish_use_subcommand -a '{}'
",
        command_names(),
    );
    let link = commands::default_command().name;
    for command in COMMANDS {
        let name = command.name;
        if !command.words.is_empty() {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "complete -c {PROGRAM} -f -n '__fish_seen_subcommand_from {name}' -a '{}'",
                command.words.join(" ")
            );
        }
        for flag in flags::all(command.groups) {
            let help = flag.help.replace('\'', "\\'");
            let value = match flag.takes {
                FlagValue::Switch(_) | FlagValue::Grade(..) => " -f".to_owned(),
                FlagValue::Path(..) | FlagValue::SuffixedPath(..) => " -rF".to_owned(),
                FlagValue::Choice(words, _) => format!(" -xa '{}'", words.join(" ")),
                FlagValue::Text(..) => " -x".to_owned(),
            };
            for spelling in spellings(flag) {
                let option = match spelling.strip_prefix("--") {
                    Some(long) => format!("-l {long}"),
                    None if spelling.len() == 2 => format!("-s {}", &spelling[1..]),
                    None => format!("-o {}", &spelling[1..]),
                };
                let _ = writeln!(
                    text,
                    "complete -c {PROGRAM} -n '__fish_seen_subcommand_from {name}' {option}{value} -d '{help}'"
                );
                if name == link {
                    let _ = writeln!(text, "complete -c {link} {option}{value} -d '{help}'");
                }
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_has_a_script_and_no_other_word_has() {
        for shell in SHELLS {
            let script = script(shell).expect("a script");
            assert!(script.contains(&format!("completion {shell}")), "{shell}");
            assert!(script.contains("mirror-validate"), "{shell}");
        }
        assert_eq!(
            script("tcsh").expect_err("a mistake").to_string(),
            "invalid value \"tcsh\" for completion (expected bash, zsh, fish)"
        );
    }
}
