//! Shell completions, made from the table of flags.

use std::fmt::Write as _;

use super::flags::{FLAGS, Flag, Takes};
use super::{COMMANDS, PROGRAM, SHELLS, VALIDATE};

/// The completion script for a shell of [`SHELLS`].
pub fn script(shell: &str) -> Option<String> {
    match shell {
        "bash" => Some(bash()),
        "zsh" => Some(zsh()),
        "fish" => Some(fish()),
        _ => None,
    }
}

/// All spellings of a flag that are offered.
fn spellings(flag: &Flag) -> Vec<String> {
    let mut names = vec![flag.shown()];
    names.extend(flag.also());
    if let Takes::Grade(words) = flag.takes {
        names.extend(words.iter().map(|word| format!("{}={word}", flag.shown())));
    }
    names
}

fn bash() -> String {
    let all: Vec<String> = FLAGS.iter().flat_map(spellings).collect();
    let mut cases = String::new();
    for flag in FLAGS {
        let names = spellings(flag).join("|");
        // Writing to a String cannot fail.
        let _ = match flag.takes {
            Takes::Switch | Takes::Grade(_) => Ok(()),
            Takes::Path(_) => writeln!(
                cases,
                "    {names}) COMPREPLY=($(compgen -f -- \"$word\")); return ;;"
            ),
            Takes::Choice(words) => {
                writeln!(
                    cases,
                    "    {names}) COMPREPLY=($(compgen -W '{}' -- \"$word\")); return ;;",
                    words.join(" ")
                )
            }
            Takes::Value(_) => writeln!(cases, "    {names}) return ;;"),
        };
    }
    format!(
        "# bash completion for {PROGRAM}: source <({PROGRAM} completion bash)
_image_tools() {{
  local word=\"${{COMP_WORDS[COMP_CWORD]}}\" before=\"${{COMP_WORDS[COMP_CWORD-1]}}\"
  if [[ \"${{COMP_WORDS[0]##*/}}\" != {VALIDATE} && $COMP_CWORD == 1 ]]; then
    COMPREPLY=($(compgen -W '{commands}' -- \"$word\"))
    return
  fi
  case \"$before\" in
    completion) COMPREPLY=($(compgen -W '{shells}' -- \"$word\")); return ;;
{cases}  esac
  COMPREPLY=($(compgen -W '{flags}' -- \"$word\"))
}}
complete -F _image_tools {PROGRAM} {VALIDATE}
",
        commands = COMMANDS.join(" "),
        shells = SHELLS.join(" "),
        flags = all.join(" "),
    )
}

fn zsh() -> String {
    let mut arguments = String::new();
    for flag in FLAGS {
        let help = flag
            .help
            .replace('\'', "'\\''")
            .replace('[', "\\[")
            .replace(']', "\\]")
            .replace(':', "\\:");
        let value = match flag.takes {
            Takes::Switch | Takes::Grade(_) => String::new(),
            Takes::Path(_) => ":file:_files".to_owned(),
            Takes::Choice(words) => format!(":when:({})", words.join(" ")),
            Takes::Value(word) => format!(":{word}: "),
        };
        for name in spellings(flag) {
            // Writing to a String cannot fail.
            let _ = writeln!(arguments, "    '{name}[{help}]{value}' \\");
        }
    }
    format!(
        "#compdef {PROGRAM} {VALIDATE}
# zsh completion for {PROGRAM}: {PROGRAM} completion zsh >\"${{fpath[1]}}/_{PROGRAM}\"
_image_tools() {{
  if [[ ${{words[1]:t}} != {VALIDATE} ]]; then
    if (( CURRENT == 2 )); then
      compadd -- {commands}
      return
    elif [[ ${{words[2]}} == completion ]]; then
      compadd -- {shells}
      return
    fi
    shift words
    (( CURRENT-- ))
  fi
  _arguments \\
{arguments}    && return
}}
_image_tools \"$@\"
",
        commands = COMMANDS.join(" "),
        shells = SHELLS.join(" "),
    )
}

fn fish() -> String {
    let mut text = format!(
        "# fish completion for {PROGRAM}: {PROGRAM} completion fish >~/.config/fish/completions/{PROGRAM}.fish
complete -c {PROGRAM} -f -n __fish_use_subcommand -a '{}'
complete -c {PROGRAM} -f -n '__fish_seen_subcommand_from completion' -a '{}'
",
        COMMANDS.join(" "),
        SHELLS.join(" "),
    );
    for flag in FLAGS {
        let help = flag.help.replace('\'', "\\'");
        let value = match flag.takes {
            Takes::Switch | Takes::Grade(_) => " -f".to_owned(),
            Takes::Path(_) => " -rF".to_owned(),
            Takes::Choice(words) => format!(" -xa '{}'", words.join(" ")),
            Takes::Value(_) => " -x".to_owned(),
        };
        for name in spellings(flag) {
            let option = match name.strip_prefix("--") {
                Some(long) => format!("-l {long}"),
                None if name.len() == 2 => format!("-s {}", &name[1..]),
                None => format!("-o {}", &name[1..]),
            };
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "complete -c {PROGRAM} -n '__fish_seen_subcommand_from {VALIDATE}' {option}{value} -d '{help}'"
            );
            let _ = writeln!(text, "complete -c {VALIDATE} {option}{value} -d '{help}'");
        }
    }
    text
}
