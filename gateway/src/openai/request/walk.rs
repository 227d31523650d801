//! A JSON value on its way to typed terms: taken apart by ownership, and every piece knows where it was.

use std::fmt;

use grok2api_proto::{Error, Kind, Result};
use serde_json::{Map, Value};

/// Where a value stood: `messages[2].content`. A chain on the stack; text is made only for an error.
#[derive(Clone, Copy)]
pub(crate) enum Path<'p> {
    Root,
    Key(&'p Path<'p>, &'p str),
    Index(&'p Path<'p>, usize),
}

/// A value and where it stood.
pub(crate) struct Node<'p> {
    pub(crate) value: Value,
    pub(crate) path: Path<'p>,
}

/// The fields of an object that have not been taken yet.
pub(crate) struct Fields<'p> {
    map: Map<String, Value>,
    path: &'p Path<'p>,
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Key(Path::Root, key) => f.write_str(key),
            Path::Key(parent, key) => write!(f, "{parent}.{key}"),
            Path::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

impl Path<'_> {
    /// An error about this place. The body as a whole is no parameter.
    pub(crate) fn error(&self, code: &'static str, message: impl Into<String>) -> Error {
        let error = Error::new(Kind::InvalidRequest, code, message);
        if matches!(self, Path::Root) { error } else { error.at(self.to_string()) }
    }

    /// `what` is not here but should be.
    fn missing(&self) -> Error {
        self.error("missing_required_parameter", format!("'{self}' is required"))
    }

    /// What an error text calls this place.
    fn name(&self) -> String {
        if matches!(self, Path::Root) { "the request body".to_owned() } else { format!("'{self}'") }
    }
}

impl<'p> Node<'p> {
    pub(crate) fn root(value: Value) -> Self {
        Self { value, path: Path::Root }
    }

    /// `invalid_type`: something else was expected here.
    pub(crate) fn expected(&self, what: &str) -> Error {
        let message = format!("{} must be {what}, got {}", self.path.name(), kind_of(&self.value));
        self.path.error("invalid_type", message)
    }

    /// `invalid_value`: the type is right, the value is not.
    pub(crate) fn invalid(&self, why: impl fmt::Display) -> Error {
        self.path.error("invalid_value", format!("{} {why}", self.path.name()))
    }

    pub(crate) fn string(self) -> Result<String> {
        match self.value {
            Value::String(text) => Ok(text),
            _ => Err(self.expected("a string")),
        }
    }

    pub(crate) fn nonempty(self) -> Result<String> {
        if self.value.as_str() == Some("") {
            return Err(self.invalid("must not be empty"));
        }
        self.string()
    }

    pub(crate) fn boolean(self) -> Result<bool> {
        self.value.as_bool().ok_or_else(|| self.expected("a boolean"))
    }

    /// Opens an object.
    pub(crate) fn fields<'n>(&'n mut self) -> Result<Fields<'n>> {
        match self.value.take() {
            Value::Object(map) => Ok(Fields { map, path: &self.path }),
            other => Err(Node { value: other, path: self.path }.expected("an object")),
        }
    }

    /// Opens a list.
    pub(crate) fn items<'n>(&'n mut self) -> Result<impl ExactSizeIterator<Item = Node<'n>>> {
        match self.value.take() {
            Value::Array(items) => {
                let path: &'n Path<'n> = &self.path;
                let at = |(index, value)| Node { value, path: Path::Index(path, index) };
                Ok(items.into_iter().enumerate().map(at))
            }
            other => Err(Node { value: other, path: self.path }.expected("a list")),
        }
    }
}

impl<'p> Fields<'p> {
    /// Takes a field out; absent and `null` are the same.
    pub(crate) fn take(&mut self, key: &'p str) -> Option<Node<'p>> {
        let value = self.map.remove(key).filter(|value| !value.is_null())?;
        Some(Node { value, path: Path::Key(self.path, key) })
    }

    pub(crate) fn required(&mut self, key: &'p str) -> Result<Node<'p>> {
        self.take(key).ok_or_else(|| Path::Key(self.path, key).missing())
    }

    pub(crate) fn optional<T>(
        &mut self,
        key: &'p str,
        read: impl FnOnce(Node<'p>) -> Result<T>,
    ) -> Result<Option<T>> {
        self.take(key).map(read).transpose()
    }

    /// Whether the client wrote the field at all, `null` included.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }
}

/// A client's own text as an error repeats it: quoted, and only its beginning.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 64;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
