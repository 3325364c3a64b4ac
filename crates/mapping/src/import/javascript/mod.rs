//! `profileMapper.js` of the AD/LDAP connector, as far as it assigns: [`read`] makes a [`tree`] of the text, `program`
//! follows the statements, `expression` and `method` turn what is assigned into [`value`]s, `profile` turns those into
//! rules. Nothing is run. What is not understood is listed with its line, and whatever hangs on it is left out too.

mod expression;
mod method;
mod profile;
mod program;
mod read;
mod tree;
mod value;

use super::draft::Draft;
use super::{ImportError, Place};
use crate::target::Kind;
use expression::Scope;
use program::{End, Program};
use value::Val;

/// # Errors
/// [`ImportError::Syntax`], [`ImportError::Depth`]; [`ImportError::Shape`] if nothing is exported.
pub fn draft(text: &str) -> Result<Draft, ImportError> {
    let script = read::script(text)?;
    let mut draft = Draft::new(Kind::Ldap);
    let mut scope = Scope::new(&mut draft);
    let (mut program, exported) = Program::module(&mut scope, &script);
    let Some(function) = exported else {
        return Err(ImportError::Shape {
            path: "module.exports".to_owned(),
            found: "nothing that can be called".to_owned(),
            wanted: "`module.exports = function (raw_data) { … }`".to_owned(),
        });
    };
    match program.call(&function) {
        End::Profile(Val::Object(members)) => profile::rules(&mut scope, &members),
        End::Profile(Val::Unknown(_)) => {}
        End::Profile(_) => {
            draft.leave(Place::Line(1), "return", "what is returned is not put together in a way that can be followed", None);
        }
        End::Runs | End::Refused => {
            draft.leave(Place::Line(1), "module.exports", "no profile is returned at the end", None);
        }
    }
    Ok(draft)
}
