//! The tokens of JSON (RFC 8259), from left to right.

use super::Unreadable;

/// A place in a text.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    /// The text from a place up to here.
    fn since(&self, start: usize) -> Result<&'a str, Unreadable> {
        self.text.get(start..self.at).ok_or(Unreadable)
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\t' | b'\r')) {
            self.at += 1;
        }
    }

    /// The next byte that is not white space.
    fn peek_token(&mut self) -> Option<u8> {
        self.skip_space();
        self.peek()
    }

    pub(super) fn next_is_end(&mut self) -> bool {
        self.peek_token().is_none()
    }

    /// Takes this byte, which must come next.
    pub(super) fn take(&mut self, byte: u8) -> Result<(), Unreadable> {
        if self.peek_token() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(Unreadable)
        }
    }

    /// Takes this word, if it comes next.
    pub(super) fn take_word(&mut self, word: &str) -> bool {
        self.skip_space();
        let is_next =
            self.text.as_bytes().get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes()));
        if is_next {
            self.at += word.len();
        }
        is_next
    }

    /// Whether another item of an array or object follows; takes the comma before it, or the end.
    pub(super) fn has_item(&mut self, is_first: &mut bool, end: u8) -> Result<bool, Unreadable> {
        if self.peek_token() == Some(end) {
            self.at += 1;
            return Ok(false);
        }
        if !std::mem::replace(is_first, false) {
            self.take(b',')?;
        }
        Ok(true)
    }

    /// A number, as it stands there.
    pub(super) fn number(&mut self) -> Result<&'a str, Unreadable> {
        self.skip_space();
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let whole = self.at;
        self.digits()?;
        if self.at - whole > 1 && self.text.as_bytes().get(whole) == Some(&b'0') {
            return Err(Unreadable);
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        self.since(start)
    }

    fn digits(&mut self) -> Result<(), Unreadable> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(Unreadable) }
    }

    /// A string, decoded.
    pub(super) fn string(&mut self) -> Result<String, Unreadable> {
        self.take(b'"')?;
        let mut decoded = String::new();
        loop {
            let start = self.at;
            while self.peek().is_some_and(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
                self.at += 1;
            }
            decoded.push_str(self.since(start)?);
            match self.next() {
                Some(b'"') => return Ok(decoded),
                Some(b'\\') => decoded.push(self.escaped()?),
                _ => return Err(Unreadable),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, Unreadable> {
        Ok(match self.next() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => self.code_point()?,
            _ => return Err(Unreadable),
        })
    }

    /// A character by its UTF-16 code, or by the two of a surrogate pair. Half a pair is no character.
    fn code_point(&mut self) -> Result<char, Unreadable> {
        let first = self.hex4()?;
        let code = match first {
            0xD800..=0xDBFF => {
                let (Some(b'\\'), Some(b'u')) = (self.next(), self.next()) else { return Err(Unreadable) };
                let second @ 0xDC00..=0xDFFF = self.hex4()? else { return Err(Unreadable) };
                0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00)
            }
            single => single,
        };
        char::from_u32(code).ok_or(Unreadable)
    }

    fn hex4(&mut self) -> Result<u32, Unreadable> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.next().and_then(|byte| char::from(byte).to_digit(16)).ok_or(Unreadable)?;
            code = code * 16 + digit;
        }
        Ok(code)
    }

    /// Any value, as it stands there.
    pub(super) fn value(&mut self) -> Result<&'a str, Unreadable> {
        self.skip_space();
        let start = self.at;
        self.skip_value()?;
        self.since(start)
    }

    /// Without recursion: a text of brackets alone must not end the stack.
    fn skip_value(&mut self) -> Result<(), Unreadable> {
        let mut open_ends = Vec::new();
        loop {
            let mut is_first = false;
            match self.peek_token() {
                Some(b'[' | b'{') => {
                    is_first = true;
                    open_ends.push(if self.next() == Some(b'[') { b']' } else { b'}' });
                }
                Some(b'"') => self.skip_string()?,
                Some(b'-' | b'0'..=b'9') => drop(self.number()?),
                _ if self.take_word("null") || self.take_word("true") || self.take_word("false") => {}
                _ => return Err(Unreadable),
            }
            loop {
                let Some(end) = open_ends.last().copied() else { return Ok(()) };
                if self.has_item(&mut is_first, end)? {
                    if end == b'}' {
                        self.skip_string()?;
                        self.take(b':')?;
                    }
                    break;
                }
                open_ends.pop();
                is_first = false;
            }
        }
    }

    /// Half a surrogate pair passes: nobody asks what the string says.
    fn skip_string(&mut self) -> Result<(), Unreadable> {
        self.take(b'"')?;
        loop {
            match self.next() {
                Some(b'"') => return Ok(()),
                Some(b'\\') => match self.next() {
                    Some(b'u') => drop(self.hex4()?),
                    Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {}
                    _ => return Err(Unreadable),
                },
                Some(b' '..) => {}
                _ => return Err(Unreadable),
            }
        }
    }
}
