//! The way of a Response through its stages, in their one order. The part that costs time is [`authenticate`]: it belongs on
//! a thread that may block.

use crate::limits::Limits;
use crate::read::{AuthenticAssertion, read};
use crate::rule::Refusal;
use crate::scan::scan;
use crate::signature::shape;
use crate::signed::{Trust, verify};
use crate::structure::response;
use crate::transport::Message;

/// The value of the form field `SAMLResponse` as an assertion of somebody who is trusted.
///
/// The order can't be another one:
///
/// ```compile_fail
/// # use rosterd_saml::{limits::Limits, read::read, scan::scan, transport::Message};
/// let message = Message::from_form("PHg+").unwrap();
/// // A document is not signed: `read` wants what `signed::verify` made.
/// let _ = read(scan(message.text(), Limits::MESSAGE).unwrap());
/// ```
///
/// ```compile_fail
/// # use rosterd_saml::{read::AuthenticAssertion, protocol::VerifiedAssertion};
/// fn skip(authentic: AuthenticAssertion) -> VerifiedAssertion {
///     // Authentic is not yet verified: nothing of it can be read.
///     VerifiedAssertion { assertion: authentic.assertion }
/// }
/// ```
pub fn authenticate(field: &str, trust: Trust<'_>) -> Result<AuthenticAssertion, Refusal> {
    let message = Message::from_form(field)?;
    let document = scan(message.text(), Limits::MESSAGE)?;
    let shaped = shape(response(&document)?)?;
    read(verify(shaped, trust)?)
}
