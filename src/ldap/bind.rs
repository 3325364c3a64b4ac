//! Tries somebody's password: a simple bind (RFC 4513 §5.1.3) with the DN that our own search found, on a connection of its
//! own. Owns what the directory's answer means: Active Directory's sub-codes, the control of password policies
//! (draft-behera-ldap-password-policy), and that success is not always leave to come in. Refuses an empty password before
//! anything is sent: to some servers that is a bind as nobody, and succeeds.

use super::connect::{Session, Ways};
use super::failure::{Answer, Cause, Failure, Step};
use super::settings::{Address, Settings};
use crate::secret::Secret;
use ldap3::LdapResult;
use ldap3::asn1::{PL, parse_tag};
use ldap3::controls::RawControl;

/// Asks for, and carries, what a password policy says (draft-behera-ldap-password-policy-10 §6).
const PASSWORD_POLICY: &str = "1.3.6.1.4.1.42.2.27.8.5.1";
/// 389 and its kin: the password was set by somebody else and opens nothing but its own change.
const PASSWORD_EXPIRED: &str = "2.16.840.1.113730.3.4.4";

/// Why a password did not let anybody in. For the log; nobody outside is told one from the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    WrongPassword,
    /// The entry went, or what names it here is not what signs in.
    NoSuchUser,
    /// Not at this time, not from here, or not in this way.
    LogonDenied,
    PasswordExpired,
    Disabled,
    AccountExpired,
    MustChangePassword,
    LockedOut,
    /// The directory won't, for reasons of its own.
    Unwilling,
}

impl Refusal {
    pub fn code(self) -> &'static str {
        match self {
            Self::WrongPassword => "wrong_password",
            Self::NoSuchUser => "unknown_user",
            Self::LogonDenied => "logon_denied",
            Self::PasswordExpired => "password_expired",
            Self::Disabled => "disabled_at_source",
            Self::AccountExpired => "account_expired",
            Self::MustChangePassword => "must_change_password",
            Self::LockedOut => "locked_out_at_source",
            Self::Unwilling => "refused_by_directory",
        }
    }

    /// Active Directory's `data 52e` (see [`Answer::data`]).
    fn of_data(data: u32) -> Option<Self> {
        Some(match data {
            0x525 => Self::NoSuchUser,
            0x52e => Self::WrongPassword,
            0x530 | 0x531 | 0x534 => Self::LogonDenied,
            0x532 => Self::PasswordExpired,
            0x533 => Self::Disabled,
            0x701 => Self::AccountExpired,
            0x773 => Self::MustChangePassword,
            0x775 => Self::LockedOut,
            _ => return None,
        })
    }

    /// `error` of a password policy's answer. A number that says nothing here says no all the same.
    fn of_policy(error: u8) -> Self {
        match error {
            0 => Self::PasswordExpired,
            1 => Self::LockedOut,
            2 => Self::MustChangePassword,
            _ => Self::Unwilling,
        }
    }
}

/// Why somebody is not in.
#[derive(Debug)]
pub enum NotBound {
    Refused(Refusal),
    /// Nothing was learned about the password. If it was `sent`, the directory may have counted a try.
    Unusable {
        failures: Vec<Failure>,
        sent: bool,
    },
}

/// Binds as `dn`, at the server that `first` names or, if that can't be used by now, at the next.
///
/// # Errors
/// [`NotBound`].
pub async fn bind(settings: &Settings, first: &Address, dn: &str, password: &Secret<String>) -> Result<(), NotBound> {
    if dn.is_empty() || !may_be_a_password(password) {
        return Err(NotBound::Refused(Refusal::WrongPassword));
    }
    let others = settings.urls.iter().filter(|address| *address != first);
    let ways = Ways::new(settings, std::iter::once(first).chain(others).collect());
    let mut ways = ways.map_err(|failure| NotBound::Unusable { failures: vec![failure], sent: false })?;
    while let Some(session) = ways.next().await {
        match sign_in(session, dn, password).await {
            Ok(Verdict::In) => return Ok(()),
            Ok(Verdict::Refused(refusal)) => return Err(NotBound::Refused(refusal)),
            Err(cause) => {
                let sent = !is_for_another(&cause);
                ways.failed(Step::Bind, cause);
                if sent {
                    return Err(NotBound::Unusable { failures: ways.failures, sent });
                }
            }
        }
    }
    Err(NotBound::Unusable { failures: ways.failures, sent: false })
}

/// A password that was sent may have been counted though no answer came: trying it everywhere would lock the account. Busy
/// (51) and unavailable (52) did not look at it.
fn is_for_another(cause: &Cause) -> bool {
    matches!(cause, Cause::Answer(answer) if matches!(answer.code, 51 | 52))
}

/// Something to check at all: not empty, and no NUL, behind which some servers read nothing (RFC 4513 §5.1.2).
pub fn may_be_a_password(password: &Secret<String>) -> bool {
    !password.expose().is_empty() && !password.expose().contains('\0')
}

async fn sign_in(mut session: Session, dn: &str, password: &Secret<String>) -> Result<Verdict, Cause> {
    let asked = RawControl { ctype: PASSWORD_POLICY.to_owned(), crit: false, val: None };
    let within = session.answer_timeout;
    session.ldap.with_timeout(within).with_controls(vec![asked]);
    match session.ldap.simple_bind(dn, password.expose()).await {
        Ok(result) => verdict(&result),
        Err(error) => Err(session.cause(error).await),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    In,
    Refused(Refusal),
}

/// What an answer to a bind means.
fn verdict(result: &LdapResult) -> Result<Verdict, Cause> {
    let answer = Answer::of(result);
    let policy = match policy_error(result) {
        Ok(error) => error.map(Refusal::of_policy),
        // Success with something about it that can't be read is none.
        Err(cause) if answer.code == 0 => return Err(cause),
        Err(_) => None,
    };
    let refusal = match answer.code {
        0 if policy.is_none() && !has(result, PASSWORD_EXPIRED) => return Ok(Verdict::In),
        0 => policy.unwrap_or(Refusal::MustChangePassword),
        // invalidCredentials: the one that says it all, and its details.
        49 => policy
            .filter(|policy| *policy != Refusal::Unwilling)
            .or_else(|| answer.data().and_then(Refusal::of_data))
            .unwrap_or(Refusal::WrongPassword),
        // noSuchObject
        32 => Refusal::NoSuchUser,
        // constraintViolation: how 389 says that there were too many tries.
        19 => policy.unwrap_or(Refusal::LockedOut),
        // inappropriateAuthentication (no password is set), insufficientAccessRights, unwillingToPerform (389: inactivated).
        48 | 50 | 53 => policy.unwrap_or(Refusal::Unwilling),
        _ => return Err(Cause::Answer(answer)),
    };
    Ok(Verdict::Refused(refusal))
}

fn has(result: &LdapResult, control: &str) -> bool {
    result.ctrls.iter().any(|found| found.1.ctype == control)
}

/// `error` of `SEQUENCE { warning [0] CHOICE { … } OPTIONAL, error [1] ENUMERATED OPTIONAL }`: the first one, should there be
/// several such controls. A warning is none: a password that runs out soon opens, and so does one that ran out where the
/// policy leaves it some more logins (`graceAuthNsRemaining`). Those are for us to spend: each bind spends one, and refusing
/// it would leave none to change the password with.
fn policy_error(result: &LdapResult) -> Result<Option<u8>, Cause> {
    let controls = result.ctrls.iter().filter(|found| found.1.ctype == PASSWORD_POLICY);
    let values = controls.filter_map(|control| control.1.val.as_deref());
    let errors = values.map(error_of).collect::<Result<Vec<_>, _>>()?;
    Ok(errors.into_iter().flatten().next())
}

fn error_of(value: &[u8]) -> Result<Option<u8>, Cause> {
    let odd = || Cause::Malformed(String::from("the control of a password policy"));
    let (_, tag) = parse_tag(value).map_err(|_| odd())?;
    let PL::C(parts) = tag.payload else { return Err(odd()) };
    let Some(error) = parts.into_iter().find(|part| part.id == 1) else { return Ok(None) };
    match error.payload {
        PL::P(bytes) if bytes.len() == 1 => Ok(bytes.first().copied()),
        _ => Err(odd()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ldap3::controls::Control;

    fn answered(rc: u32, text: &str, controls: &[(&str, Option<&[u8]>)]) -> LdapResult {
        let control = |(oid, value): &(&str, Option<&[u8]>)| {
            Control(None, RawControl { ctype: (*oid).to_owned(), crit: false, val: value.map(<[u8]>::to_vec) })
        };
        let ctrls = controls.iter().map(control).collect();
        LdapResult { rc, matched: String::new(), text: text.to_owned(), refs: vec![], ctrls }
    }

    fn refused(rc: u32, text: &str, controls: &[(&str, Option<&[u8]>)]) -> Refusal {
        match verdict(&answered(rc, text, controls)) {
            Ok(Verdict::Refused(refusal)) => refusal,
            other => panic!("{rc} {text}: {other:?}"),
        }
    }

    #[test]
    fn each_sub_code_of_active_directory_has_its_word() {
        for (data, word) in [
            ("525", "unknown_user"),
            ("52e", "wrong_password"),
            ("530", "logon_denied"),
            ("531", "logon_denied"),
            ("532", "password_expired"),
            ("533", "disabled_at_source"),
            ("701", "account_expired"),
            ("773", "must_change_password"),
            ("775", "locked_out_at_source"),
            ("999", "wrong_password"),
        ] {
            let text = format!("80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data {data}, v4563");
            assert_eq!(refused(49, &text, &[]).code(), word, "{data}");
        }
        assert_eq!(refused(49, "", &[]), Refusal::WrongPassword);
    }

    #[test]
    fn a_bind_that_may_do_nothing_but_change_the_password_is_no_login() {
        let must_change: &[u8] = &[0x30, 3, 0x81, 1, 2];
        assert_eq!(refused(0, "", &[(PASSWORD_POLICY, Some(must_change))]), Refusal::MustChangePassword);
        assert_eq!(refused(0, "", &[(PASSWORD_EXPIRED, None)]), Refusal::MustChangePassword);
        assert_eq!(refused(49, "", &[(PASSWORD_POLICY, Some(&[0x30, 3, 0x81, 1, 1]))]), Refusal::LockedOut);
        assert_eq!(refused(49, "", &[(PASSWORD_POLICY, Some(&[0x30, 3, 0x81, 1, 0]))]), Refusal::PasswordExpired);
    }

    #[test]
    fn a_warning_lets_in_and_a_control_that_is_none_does_not() {
        let soon: &[u8] = &[0x30, 5, 0xa0, 3, 0x80, 1, 60];
        for control in [Some(soon), Some(&[0x30, 0][..]), None] {
            assert_eq!(verdict(&answered(0, "", &[(PASSWORD_POLICY, control)])), Ok(Verdict::In));
        }
        for odd in [&[0x30, 0x84, 0xff][..], &[4, 1, 0], &[0x30, 4, 0x81, 2, 0, 2], &[]] {
            assert!(matches!(verdict(&answered(0, "", &[(PASSWORD_POLICY, Some(odd))])), Err(Cause::Malformed(_))), "{odd:?}");
            assert_eq!(refused(49, "", &[(PASSWORD_POLICY, Some(odd))]), Refusal::WrongPassword);
        }
    }

    #[test]
    fn success_with_an_error_that_has_no_name_here_is_none() {
        for error in 3..=255 {
            let unknown = [0x30, 3, 0x81, 1, error];
            assert_eq!(refused(0, "", &[(PASSWORD_POLICY, Some(&unknown))]), Refusal::Unwilling, "{error}");
            assert_eq!(refused(49, "", &[(PASSWORD_POLICY, Some(&unknown))]), Refusal::WrongPassword, "{error}");
        }
    }

    #[test]
    fn of_several_words_of_a_policy_any_that_says_no_counts() {
        let (fine, expired): (&[u8], &[u8]) = (&[0x30, 0], &[0x30, 3, 0x81, 1, 0]);
        for both in [[fine, expired], [expired, fine]] {
            assert_eq!(refused(0, "", &both.map(|value| (PASSWORD_POLICY, Some(value)))), Refusal::PasswordExpired);
        }
        let odd: &[u8] = &[0x30, 0x84, 0xff];
        let answer = answered(0, "", &[(PASSWORD_POLICY, Some(fine)), (PASSWORD_POLICY, Some(odd))]);
        assert!(matches!(verdict(&answer), Err(Cause::Malformed(_))));
    }

    #[test]
    fn a_login_that_an_expired_password_has_left_is_one() {
        let two_left: &[u8] = &[0x30, 5, 0xa0, 3, 0x81, 1, 2];
        assert_eq!(verdict(&answered(0, "", &[(PASSWORD_POLICY, Some(two_left))])), Ok(Verdict::In));
    }

    #[test]
    fn what_says_nothing_of_the_password_is_no_refusal() {
        for rc in [1, 2, 3, 8, 10, 11, 13, 51, 52, 80, 4096] {
            assert!(matches!(verdict(&answered(rc, "", &[])), Err(Cause::Answer(_))), "{rc}");
        }
        for (rc, refusal) in
            [(32, Refusal::NoSuchUser), (19, Refusal::LockedOut), (48, Refusal::Unwilling), (53, Refusal::Unwilling)]
        {
            assert_eq!(refused(rc, "", &[]), refusal);
        }
    }

    #[test]
    fn nothing_is_no_password() {
        for nothing in ["", "\0", "\0x", "x\0"] {
            assert!(!may_be_a_password(&Secret::new(nothing.to_owned())), "{nothing:?}");
        }
        assert!(may_be_a_password(&Secret::new(" ".to_owned())));
    }
}
