//! Splits a JSON stream into values, so that a document of a million lines is never in memory as a
//! whole. Only finds the end of each value; `serde_json` parses it.

use std::io::{self, BufRead, ErrorKind};

/// Limit of a value, in bytes.
const LONGEST: usize = 64 * 1024 * 1024;

/// A stream of JSON text.
pub struct JsonValues<R> {
    input: R,
    /// Current line number, from 1.
    line: u64,
    /// Bytes that were read.
    offset: u64,
}

impl<R: BufRead> JsonValues<R> {
    pub fn new(input: R) -> Self {
        Self {
            input,
            line: 1,
            offset: 0,
        }
    }

    /// Offset of the next byte.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Line number of the next byte, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Returns the next byte that is not white space, without consuming it; `None`: end of input.
    ///
    /// # Errors
    /// Errors of the input.
    pub fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            let buffer = match self.input.fill_buf() {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                buffer => buffer?,
            };
            if buffer.is_empty() {
                return Ok(None);
            }
            let blank = buffer.iter().take_while(|b| is_blank(**b));
            let (count, lines) = blank.fold((0, 0), |(count, lines), b| {
                (count + 1, lines + u64::from(*b == b'\n'))
            });
            let found = buffer.get(count).copied();
            self.line += lines;
            self.offset += count as u64;
            self.input.consume(count);
            if found.is_some() {
                return Ok(found);
            }
        }
    }

    /// Consumes the byte of [`JsonValues::peek`].
    pub fn skip(&mut self) {
        self.offset += 1;
        self.input.consume(1);
    }

    /// Reads the text of the next value.
    ///
    /// # Errors
    /// Errors of the input; `UnexpectedEof` where the value is cut off, `InvalidData` where it is longer than
    /// [`LONGEST`].
    pub fn value(&mut self) -> io::Result<Vec<u8>> {
        self.peek()?;
        let mut text = Vec::new();
        let mut state = State::default();
        loop {
            let buffer = match self.input.fill_buf() {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                buffer => buffer?,
            };
            if buffer.is_empty() {
                // The end of the input can end a number or a literal.
                let ended = state.is_scalar && !text.is_empty();
                return if ended {
                    Ok(text)
                } else {
                    Err(ErrorKind::UnexpectedEof.into())
                };
            }
            let mut taken = 0;
            let mut is_whole = false;
            for byte in buffer {
                match state.step(*byte) {
                    Step::Before => is_whole = true,
                    Step::Inside => {
                        taken += 1;
                        continue;
                    }
                    Step::Last => {
                        taken += 1;
                        is_whole = true;
                    }
                }
                break;
            }
            let read = &buffer[..taken];
            text.extend_from_slice(read);
            self.line += read.iter().map(|b| u64::from(*b == b'\n')).sum::<u64>();
            self.offset += taken as u64;
            self.input.consume(taken);
            if is_whole {
                return Ok(text);
            }
            if text.len() > LONGEST {
                return Err(ErrorKind::InvalidData.into());
            }
        }
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Position within a value.
#[derive(Default)]
struct State {
    depth: usize,
    in_string: bool,
    is_escaped: bool,
    /// A number or a literal, which the next delimiter ends.
    is_scalar: bool,
}

enum Step {
    /// The value ended before this byte.
    Before,
    Inside,
    /// The value ends with this byte.
    Last,
}

impl State {
    fn step(&mut self, byte: u8) -> Step {
        if self.in_string {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => {
                    self.in_string = false;
                    return self.at_end();
                }
                _ => {}
            }
            return Step::Inside;
        }
        match byte {
            _ if self.is_scalar => {
                let is_end = is_blank(byte) || matches!(byte, b',' | b':' | b']' | b'}');
                if is_end { Step::Before } else { Step::Inside }
            }
            b'"' => {
                self.in_string = true;
                Step::Inside
            }
            b'{' | b'[' => {
                self.depth += 1;
                Step::Inside
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                self.at_end()
            }
            _ if self.depth == 0 => {
                self.is_scalar = true;
                Step::Inside
            }
            _ => Step::Inside,
        }
    }

    fn at_end(&self) -> Step {
        if self.depth == 0 {
            Step::Last
        } else {
            Step::Inside
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::BufReader;

    #[test]
    fn values_end_where_they_end() {
        let text = " {\"a\":\"}\\\"\",\n\"b\":[1,{}]} \"x\" 12\n,true]";
        // A buffer of one byte: every cut is tried.
        let mut values = JsonValues::new(BufReader::with_capacity(1, text.as_bytes()));
        let mut next = || {
            let value = values.value().expect("a value");
            String::from_utf8(value).expect("text")
        };
        assert_eq!(next(), "{\"a\":\"}\\\"\",\n\"b\":[1,{}]}");
        assert_eq!(next(), "\"x\"");
        assert_eq!(next(), "12");
        assert_eq!(values.peek().expect("a byte"), Some(b','));
        assert_eq!(values.line(), 3);
        values.skip();
        assert_eq!(values.value().expect("a value"), b"true");
        let mut torn = JsonValues::new(&b"{\"a\": [1"[..]);
        let error = torn.value().expect_err("no end");
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    }

    proptest! {
        #[test]
        fn any_text_comes_to_an_end(text in any::<Vec<u8>>()) {
            let mut values = JsonValues::new(&text[..]);
            for _ in 0..=text.len() {
                if values.value().is_err() {
                    return Ok(());
                }
            }
        }
    }
}
