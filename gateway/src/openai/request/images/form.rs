//! A form as the JSON it stands for: forms know texts only.

use bytes::Bytes;
use grok2api_proto::{
    Error, Kind, Result,
    chat::{Attachment, Part, attachment::Source, part},
};
use serde_json::{Map, Value};

/// Most entries of a form.
const MOST_ENTRIES: usize = 64;
/// Fields that are no text in JSON.
const NUMBERS: [&str; 3] = ["n", "partial_images", "output_compression"];
const BOOLEANS: [&str; 1] = ["stream"];

/// What a form holds.
#[derive(Debug, Default)]
pub struct Form {
    fields: Map<String, Value>,
    files: Vec<Part>,
    entries: usize,
}

impl Form {
    /// The texts as JSON, and the files.
    pub(in crate::openai::request) fn into_parts(self) -> (Map<String, Value>, Vec<Part>) {
        (self.fields, self.files)
    }

    /// Takes an entry of the form; one with a file name, or named as an image, is a file.
    ///
    /// # Errors
    /// `InvalidRequest`, naming the entry.
    pub fn entry(
        &mut self,
        name: &str,
        file_name: Option<&str>,
        media_type: &str,
        data: Bytes,
    ) -> Result<()> {
        self.entries += 1;
        if self.entries > MOST_ENTRIES {
            return Err(Error::invalid("body", format!("the form holds more than {MOST_ENTRIES} entries")));
        }
        let base = name.split('[').next().unwrap_or_default();
        if matches!(base, "image" | "images" | "input_reference") {
            self.files.push(file(name, file_name, media_type, data));
            return Ok(());
        }
        if base == "mask" {
            self.fields.insert(base.to_owned(), Value::Object(Map::new()));
            return Ok(());
        }
        let text = std::str::from_utf8(&data)
            .map_err(|_| Error::invalid(name, format!("'{name}' is not UTF-8 text")))?;
        self.fields.insert(base.to_owned(), value(base, text));
        Ok(())
    }
}

fn file(name: &str, file_name: Option<&str>, media_type: &str, data: Bytes) -> Part {
    Part {
        kind: Some(part::Kind::Attachment(Attachment {
            source: Some(Source::Data(data)),
            media_type: if media_type.starts_with("image/") { media_type.to_owned() } else { String::new() },
            file_name: file_name.unwrap_or_default().to_owned(),
            param: name.to_owned(),
        })),
    }
}

/// What does not read as its type stays a text, which the check of the field then refuses by name.
fn value(name: &str, text: &str) -> Value {
    let number = NUMBERS.contains(&name).then(|| text.trim().parse::<i64>().ok().map(Value::from)).flatten();
    let boolean =
        BOOLEANS.contains(&name).then(|| text.trim().parse::<bool>().ok().map(Value::from)).flatten();
    number.or(boolean).unwrap_or_else(|| Value::from(text))
}

/// What a form says that cannot be read at all.
pub fn malformed(why: impl std::fmt::Display) -> Error {
    Error::new(Kind::InvalidRequest, "invalid_form", format!("the form cannot be read: {why}"))
}
