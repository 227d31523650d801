//! The tables of fields as schemas for `/openapi.json`.

use serde_json::Value;
use utoipa::openapi::{
    Array, ArrayBuilder, Object, ObjectBuilder, RefOr, Schema, Type,
    schema::{AnyOfBuilder, SchemaType},
};

use super::{Field, LONGEST_STOP, Shape, Treatment};

/// An object with the fields of a table.
pub(crate) fn object(table: &[Field]) -> ObjectBuilder {
    table.iter().fold(ObjectBuilder::new().schema_type(Type::Object), |object, field| {
        let object = object.property(field.name, field.schema());
        if field.required { object.required(field.name) } else { object }
    })
}

impl Field {
    fn schema(&self) -> Schema {
        let schema = match self.treatment {
            Treatment::Refused { leaves, .. } => leaves(),
            _ => self.shape.schema(),
        };
        let (name, note) = (self.treatment.name(), self.note);
        let text = match note {
            "" => name.to_owned(),
            note if note.starts_with(name) => note.to_owned(),
            note => format!("{name}: {note}"),
        };
        described(if self.required { schema } else { or_null(schema) }, text)
    }
}

impl Shape {
    fn schema(self) -> Schema {
        match self {
            Self::Boolean => of(Type::Boolean),
            Self::Text => of(Type::String),
            Self::Number(from, to) => {
                ObjectBuilder::new().schema_type(Type::Number).minimum(Some(from)).maximum(Some(to)).into()
            }
            Self::Integer(from, to) => integer(from, to),
            Self::Stop => {
                let text = || ObjectBuilder::new().schema_type(Type::String).max_length(Some(LONGEST_STOP));
                any_of([text().into(), ArrayBuilder::new().items(text()).max_items(Some(4)).into()])
            }
            Self::Texts => list(of(Type::String)),
            Self::Words(list) => words(list),
            Self::Object => of(Type::Object),
            Self::Fields(table) => object(table).into(),
            Self::Map(each) => ObjectBuilder::new()
                .schema_type(Type::Object)
                .additional_properties(Some(each.schema()))
                .into(),
            Self::TextOrObjects => any_of([of(Type::String), list(of(Type::Object))]),
            Self::Objects => list(of(Type::Object)),
            Self::TextOrObject => any_of([of(Type::String), of(Type::Object)]),
            Self::Read(_, schema) => schema(),
        }
    }
}

pub(crate) fn of(kind: Type) -> Schema {
    ObjectBuilder::new().schema_type(kind).into()
}

pub(crate) fn integer(from: i64, to: i64) -> Schema {
    let bound = |bound: i64| (bound.unsigned_abs() < u64::from(u32::MAX)).then_some(bound);
    ObjectBuilder::new().schema_type(Type::Integer).minimum(bound(from)).maximum(bound(to)).into()
}

pub(crate) fn list(items: Schema) -> Schema {
    Array::new(items).into()
}

pub(crate) fn words(words: &[&str]) -> Schema {
    crate::openapi::words::one_of(words).into()
}

pub(crate) fn any_of<const N: usize>(schemas: [Schema; N]) -> Schema {
    let any = schemas.into_iter().fold(AnyOfBuilder::new(), AnyOfBuilder::item);
    // Without a type of its own it would say that it is an object.
    any.schema_type(SchemaType::AnyValue).into()
}

/// What asks for nothing special is `null` alone.
pub(crate) fn nothing() -> Schema {
    of(Type::Null)
}

/// `null` is the same as leaving a field out.
pub(crate) fn or_null(schema: Schema) -> Schema {
    match schema {
        Schema::Object(Object { schema_type: SchemaType::Type(Type::Null), .. }) => schema,
        Schema::Object(mut object) => {
            if let SchemaType::Type(kind) = object.schema_type {
                object.schema_type = SchemaType::from_iter([kind, Type::Null]);
            }
            if let Some(values) = &mut object.enum_values {
                values.push(Value::Null);
            }
            Schema::Object(object)
        }
        Schema::AnyOf(mut any) => {
            any.items.push(RefOr::T(nothing()));
            Schema::AnyOf(any)
        }
        other => any_of([other, nothing()]),
    }
}

/// Forms know no `null`.
pub(crate) fn form(table: &[Field]) -> ObjectBuilder {
    let mut object = object(table).build();
    object.properties.retain(|_, schema| match schema {
        RefOr::T(Schema::Object(field)) => not_null(&mut field.schema_type, field.enum_values.as_mut()),
        RefOr::T(Schema::AnyOf(any)) => {
            any.items.retain(|item| !matches!(item, RefOr::T(schema) if *schema == nothing()));
            true
        }
        _ => true,
    });
    object.into()
}

/// Whether anything else is left.
fn not_null(kind: &mut SchemaType, values: Option<&mut Vec<Value>>) -> bool {
    if let Some(values) = values {
        values.retain(|value| !value.is_null());
    }
    if let SchemaType::Array(kinds) = kind {
        kinds.retain(|kind| *kind != Type::Null);
    }
    *kind != SchemaType::Type(Type::Null)
}

fn described(mut schema: Schema, text: String) -> Schema {
    match &mut schema {
        Schema::Object(object) => object.description = Some(text),
        Schema::Array(array) => array.description = Some(text),
        Schema::AnyOf(any) => any.description = Some(text),
        _ => {}
    }
    schema
}
