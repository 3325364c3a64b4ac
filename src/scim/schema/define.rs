//! How an attribute is written down: the defaults of RFC 7643 §2.2, and a method per deviation.

use super::{Attribute, Mutability, Returned, Type, Uniqueness};
use crate::model::query::Index;

impl Attribute {
    /// Single-valued, optional, readWrite, returned by default, not unique. Binary and reference values compare
    /// exactly (RFC 7643 §2.3.6, §2.3.7), all others ignore case.
    pub(super) fn new(name: &str, kind: Type, description: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            multi_valued: false,
            description: description.to_owned(),
            required: false,
            canonical_values: Vec::new(),
            case_exact: matches!(kind, Type::Binary | Type::Reference),
            mutability: Mutability::ReadWrite,
            returned: Returned::Default,
            uniqueness: Uniqueness::None,
            reference_types: Vec::new(),
            sub_attributes: Vec::new(),
            index: Index::Document,
        }
    }

    pub(super) fn string(name: &str, description: &str) -> Self {
        Self::new(name, Type::String, description)
    }

    pub(super) fn boolean(name: &str, description: &str) -> Self {
        Self::new(name, Type::Boolean, description)
    }

    pub(super) fn reference(name: &str, description: &str, types: &[&str]) -> Self {
        let reference_types = types.iter().map(|&kind| kind.to_owned()).collect();
        Self { reference_types, ..Self::new(name, Type::Reference, description) }
    }

    pub(super) fn complex(name: &str, description: &str, sub_attributes: Vec<Self>) -> Self {
        Self { sub_attributes, ..Self::new(name, Type::Complex, description) }
    }

    /// A list of objects with `value` and the usual `display`, `type`, `primary` (RFC 7643 §2.4).
    pub(super) fn plural(name: &str, description: &str, value: Self, types: &[&str]) -> Self {
        let sub_attributes = vec![
            value,
            Self::string("display", "A human-readable name, primarily for display."),
            Self::kind_label(types),
            Self::primary(),
        ];
        Self::complex(name, description, sub_attributes).multi_valued()
    }

    /// The `type` sub-attribute. Its canonical values are hints: others are taken too.
    pub(super) fn kind_label(types: &[&str]) -> Self {
        Self::string("type", "A label that says what the value is for.").canonical(types)
    }

    pub(super) fn primary() -> Self {
        Self::boolean("primary", "Whether this is the preferred value. True for at most one element.")
    }

    pub(super) fn multi_valued(self) -> Self {
        Self { multi_valued: true, ..self }
    }

    pub(super) fn required(self) -> Self {
        Self { required: true, ..self }
    }

    pub(super) fn case_exact(self) -> Self {
        Self { case_exact: true, ..self }
    }

    pub(super) fn read_only(self) -> Self {
        Self { mutability: Mutability::ReadOnly, ..self }
    }

    pub(super) fn immutable(self) -> Self {
        Self { mutability: Mutability::Immutable, ..self }
    }

    pub(super) fn returned(self, returned: Returned) -> Self {
        Self { returned, ..self }
    }

    pub(super) fn unique(self) -> Self {
        Self { uniqueness: Uniqueness::Server, ..self }
    }

    pub(super) fn canonical(self, values: &[&str]) -> Self {
        Self { canonical_values: values.iter().map(|&value| value.to_owned()).collect(), ..self }
    }

    pub(super) fn indexed(self, index: Index) -> Self {
        Self { index, ..self }
    }

    /// Found by rows of the value table under the dotted name.
    pub(super) fn searchable(self, dotted: &str) -> Self {
        self.indexed(Index::Values(dotted.to_owned()))
    }
}
