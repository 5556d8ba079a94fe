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
        let mut array = String::new();
        for item in items {
            array.push(if array.is_empty() { '[' } else { ',' });
            array.push_str(&write(item));
        }
        if !array.is_empty() {
            array.push(']');
            self.raw(name, &array);
        }
    }

    /// The object.
    pub fn end(mut self) -> String {
        self.0.push_str(if self.0.is_empty() { "{}" } else { "}" });
        self.0
    }
}

/// Text, with its quotation marks.
pub fn text(value: &str) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
