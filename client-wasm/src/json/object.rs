//! An object, field by field: reading without a shape that was compiled for it.
//!
//! What `serde` derives for one struct is a kilobyte or two of code, and this device reads twenty. Here each
//! field costs a call. Unknown fields are passed over, `null` is as good as nothing, and what has not the
//! kind that was asked for is not there.

use std::str::FromStr;

use serde::Deserialize;
use serde::de::IntoDeserializer;

use super::scanner::Scanner;
use super::{Raw, Unreadable};

/// The fields of one object, in the order of the text.
#[derive(Debug)]
pub struct Object<'a>(Vec<(String, &'a str)>);

impl<'a> Object<'a> {
    /// Reads one object, with nothing but white space around it. Its values are not looked into yet, but they
    /// are JSON.
    pub fn read(text: &'a str) -> Option<Self> {
        let mut scanner = Scanner::new(text);
        let fields = fields(&mut scanner).ok()?;
        scanner.next_is_end().then_some(Self(fields))
    }

    /// A field's value as it stands there.
    pub fn raw(&self, name: &str) -> Option<Raw<'a>> {
        let (_, value) = self.0.iter().find(|(known, _)| known == name)?;
        (*value != "null").then_some(Raw(value))
    }

    /// A field that holds `true`.
    pub fn is_true(&self, name: &str) -> bool {
        self.raw(name).is_some_and(|value| value.text() == "true")
    }

    /// A field that holds text.
    pub fn text(&self, name: &str) -> Option<String> {
        text(self.raw(name)?)
    }

    /// A field that holds a whole number, not negative.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.raw(name)?.text().parse().ok()
    }

    /// The same, up to 32 bits.
    pub fn small(&self, name: &str) -> Option<u32> {
        self.number(name)?.try_into().ok()
    }

    /// A field that holds the text form of something.
    pub fn parsed<T: FromStr>(&self, name: &str) -> Option<T> {
        self.text(name)?.parse().ok()
    }

    /// A field that holds one word of several.
    pub fn word<T: for<'de> Deserialize<'de>>(&self, name: &str) -> Option<T> {
        let word = self.text(name)?;
        T::deserialize(IntoDeserializer::<Unreadable>::into_deserializer(word.as_str())).ok()
    }

    /// A field that holds an object.
    pub fn object(&self, name: &str) -> Option<Object<'a>> {
        Object::read(self.raw(name)?.text())
    }

    /// The items of a field that holds an array.
    pub fn items(&self, name: &str) -> Option<Vec<Raw<'a>>> {
        items(self.raw(name)?.text())
    }
}

impl<'a> Object<'a> {
    /// The items of a field that holds an array, each of which must be readable; none when there is no such
    /// field.
    pub fn list<T>(&self, name: &str, read: fn(Raw<'a>) -> Option<T>) -> Option<Vec<T>> {
        let mut list = Vec::new();
        let is_read = self.each(name, &mut |item| read(item).map(|item| list.push(item)).is_some());
        is_read.then_some(list)
    }

    /// Shows every item to a reader, which says whether it could read it. Apart from [`Self::list`], because that is
    /// compiled for every kind of item.
    fn each(&self, name: &str, read: &mut dyn FnMut(Raw<'a>) -> bool) -> bool {
        let Some(array) = self.raw(name) else { return true };
        items(array.text()).is_some_and(|items| items.into_iter().all(read))
    }
}

/// The items of an array, as they stand there.
pub fn items(text: &str) -> Option<Vec<Raw<'_>>> {
    let mut scanner = Scanner::new(text);
    let (mut items, mut is_first) = (Vec::new(), true);
    scanner.take(b'[').ok()?;
    while scanner.has_item(&mut is_first, b']').ok()? {
        items.push(Raw(scanner.value().ok()?));
    }
    scanner.next_is_end().then_some(items)
}

/// A value that is text.
pub fn text(value: Raw<'_>) -> Option<String> {
    Scanner::new(value.text()).string().ok()
}

fn fields<'a>(scanner: &mut Scanner<'a>) -> Result<Vec<(String, &'a str)>, Unreadable> {
    let (mut fields, mut is_first) = (Vec::new(), true);
    scanner.take(b'{')?;
    while scanner.has_item(&mut is_first, b'}')? {
        let name = scanner.string()?;
        scanner.take(b':')?;
        fields.push((name, scanner.value()?));
    }
    Ok(fields)
}
