//! Writing an object, field by field, for the same reason as [`super::Object`]. Plain data can always be
//! written.

/// An object that is being written.
#[derive(Debug)]
pub struct Fields(String);

impl Fields {
    /// An object without fields.
    #[expect(clippy::new_without_default, reason = "it is written to, never taken as it is")]
    pub fn new() -> Self {
        Self(String::new())
    }

    /// A field with a value that is JSON.
    pub fn raw(&mut self, name: &str, json: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        self.0.push('"');
        self.0.push_str(name);
        self.0.push_str("\":");
        self.0.push_str(json);
    }

    /// A field with text.
    pub fn text(&mut self, name: &str, value: &str) {
        self.raw(name, &text(value));
    }

    /// A field with text, if there is one.
    pub fn text_if(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// A field with a number.
    pub fn number(&mut self, name: &str, value: u64) {
        self.raw(name, &value.to_string());
    }

    /// A field with a number, if there is one.
    pub fn number_if(&mut self, name: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.number(name, value);
        }
    }

    /// A field with a value that is JSON, if there is one.
    pub fn raw_if(&mut self, name: &str, json: Option<String>) {
        if let Some(json) = json {
            self.raw(name, &json);
        }
    }

    /// A field with an array, unless it is empty.
    pub fn list<T>(&mut self, name: &str, items: &[T], write: fn(&T) -> String) {
        if !items.is_empty() {
            let items: Vec<String> = items.iter().map(write).collect();
            self.raw(name, &array(&items));
        }
    }

    /// The object.
    pub fn end(mut self) -> String {
        self.0.push_str(if self.0.is_empty() { "{}" } else { "}" });
        self.0
    }
}

/// Text, with its quotation marks, escaped where JSON demands it and nowhere else.
pub fn text(value: &str) -> String {
    let mut json = String::with_capacity(value.len() + 2);
    json.push('"');
    for letter in value.chars() {
        let escaped = match letter {
            '"' | '\\' => letter,
            '\n' => 'n',
            '\r' => 'r',
            '\t' => 't',
            '\u{8}' => 'b',
            '\u{c}' => 'f',
            '\0'..' ' => 'u',
            _ => {
                json.push(letter);
                continue;
            }
        };
        json.push('\\');
        json.push(escaped);
        if escaped == 'u' {
            let code = u32::from(letter);
            json.push_str(if code < 16 { "000" } else { "001" });
            json.extend(char::from_digit(code % 16, 16));
        }
    }
    json.push('"');
    json
}

/// An array of what is JSON.
pub fn array(items: &[String]) -> String {
    let mut array = String::from("[");
    for item in items {
        if array.len() > 1 {
            array.push(',');
        }
        array.push_str(item);
    }
    array.push(']');
    array
}
