//! Decides how progress is shown: as a bar only where no other program draws on the terminal.

use std::fs::File;
use std::io::{IsTerminal as _, stderr, stdout};
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileTypeExt as _;

use super::flags::DisplayMode;
use crate::output::Display;
use crate::pipeline::Input;

/// Properties of the standard streams.
#[derive(Clone, Copy, Debug)]
pub struct Streams {
    /// Standard error is a terminal that can erase a line.
    pub stderr_is_terminal: bool,
    /// Standard output is a pipe or socket: a pager that reads it may draw on the same terminal.
    pub stdout_is_pipe: bool,
}

impl Streams {
    pub fn of_process() -> Self {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let out = stdout().as_fd().try_clone_to_owned();
        let kind = out.and_then(|out| File::from(out).metadata());
        Self {
            stderr_is_terminal: stderr().is_terminal() && !is_dumb,
            stdout_is_pipe: kind
                .is_ok_and(|kind| kind.file_type().is_fifo() || kind.file_type().is_socket()),
        }
    }
}

/// How progress is shown. A user who types images sees their results and needs no bar.
pub fn choose(when: DisplayMode, input: Input, streams: &Streams) -> Display {
    match (when, streams.stderr_is_terminal) {
        (DisplayMode::Never, _) | (DisplayMode::Auto, false) => Display::Nothing,
        (DisplayMode::Always, true) => Display::Bar,
        (DisplayMode::Always, false) => Display::Lines,
        (DisplayMode::Auto, true) if streams.stdout_is_pipe || input == Input::Terminal => {
            Display::Nothing
        }
        (DisplayMode::Auto, true) => Display::Bar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_drawn_where_nothing_else_draws() {
        use Display::{Bar, Lines, Nothing};
        const LIST: Input = Input::List { is_file: true };
        for (stderr_is_terminal, stdout_is_pipe, input, auto, always) in [
            (true, false, LIST, Bar, Bar),
            (true, false, Input::List { is_file: false }, Bar, Bar),
            (true, false, Input::Lines, Bar, Bar),
            (true, false, Input::Terminal, Nothing, Bar),
            // `| less`, `| tee log`
            (true, true, LIST, Nothing, Bar),
            (true, true, Input::Lines, Nothing, Bar),
            // `2>log`, `2>&1 | less`, cron, CI
            (false, false, LIST, Nothing, Lines),
            (false, true, LIST, Nothing, Lines),
            (false, true, Input::Terminal, Nothing, Lines),
        ] {
            let streams = Streams {
                stderr_is_terminal,
                stdout_is_pipe,
            };
            let of = |when| choose(when, input, &streams);
            assert_eq!(of(DisplayMode::Auto), auto, "{streams:?} {input:?}");
            assert_eq!(of(DisplayMode::Always), always, "{streams:?} {input:?}");
            assert_eq!(of(DisplayMode::Never), Nothing, "{streams:?} {input:?}");
        }
    }
}
