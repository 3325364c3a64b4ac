//! StartTLS (RFC 4511 §4.14): the one answer that is read of a server before its certificate was checked. So it is read here
//! and not by `ldap3`, whose reader goes as deep and takes as much as anybody sends: one message, of bounded length, one
//! level at a time. Nothing after it is read in the clear; what was sent along with it breaks the handshake.

use super::ber::{self, Elements};
use super::failure::{Answer, Cause};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// RFC 4511 §4.14.1.
const OID: &[u8] = b"1.3.6.1.4.1.1466.20037";
const EXTENDED_REQUEST: u8 = 0x77;
const EXTENDED_RESPONSE: u8 = 0x78;
/// The request's name.
const REQUEST_NAME: u8 = 0x80;
const MESSAGE_ID: i64 = 1;
/// The answer holds a code and a text.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// Asks for TLS; after this the next byte either way belongs to the handshake.
///
/// # Errors
/// [`Cause::StartTls`] if it is refused, else what the connection or the answer is.
pub(super) async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Result<(), Cause> {
    let request = ber::element(EXTENDED_REQUEST, &ber::element(REQUEST_NAME, OID));
    let message = ber::element(ber::SEQUENCE, &[ber::number(MESSAGE_ID), request].concat());
    let io = |error: io::Error| Cause::of_io(&error, 0);
    stream.write_all(&message).await.map_err(io)?;
    let answer = answer(&message_of(stream).await?).ok_or_else(odd)?;
    if answer.code == 0 { Ok(()) } else { Err(Cause::StartTls(answer)) }
}

fn odd() -> Cause {
    Cause::Malformed(String::from("the answer to StartTLS"))
}

/// The content of one message, and no byte more.
async fn message_of(stream: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>, Cause> {
    let io = |error: io::Error| Cause::of_io(&error, 0);
    if stream.read_u8().await.map_err(io)? != ber::SEQUENCE {
        return Err(odd());
    }
    let first = stream.read_u8().await.map_err(io)?;
    let length = if first < 0x80 {
        usize::from(first)
    } else {
        // Active Directory writes every length in four bytes.
        let mut bytes = [0; 4];
        let count = usize::from(first & 0x7f);
        let place = bytes.len().checked_sub(count).filter(|_| count > 0).ok_or_else(odd)?;
        stream.read_exact(&mut bytes[place..]).await.map_err(io)?;
        usize::try_from(u32::from_be_bytes(bytes)).unwrap_or(usize::MAX)
    };
    if length > ANSWER_BYTES_MAX {
        return Err(odd());
    }
    let mut content = vec![0; length];
    stream.read_exact(&mut content).await.map_err(io)?;
    Ok(content)
}

/// `ExtendedResponse` (RFC 4511 §4.12).
fn answer(message: &[u8]) -> Option<Answer> {
    let mut parts = Elements(message);
    if ber::integer(parts.take(ber::INTEGER)?)? != MESSAGE_ID {
        return None;
    }
    let mut result = Elements(parts.take(EXTENDED_RESPONSE)?);
    let code = u32::try_from(ber::integer(result.take(ber::ENUMERATED)?)?).ok()?;
    let mut text = || Some(String::from_utf8_lossy(result.take(ber::OCTETS)?).into_owned());
    let (matched, said) = (text()?, text()?);
    Some(Answer::new(code, &matched, &said))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What becomes of a server that answers with these bytes, and what is left to read of it.
    async fn asked(says: Vec<u8>) -> (Result<(), Cause>, Vec<u8>) {
        let (mut ours, mut theirs) = tokio::io::duplex(64 * 1024);
        theirs.write_all(&says).await.unwrap();
        theirs.shutdown().await.unwrap();
        let result = ask(&mut ours).await;
        let mut left = Vec::new();
        ours.read_to_end(&mut left).await.unwrap();
        (result, left)
    }

    fn response(code: u8, id: i64) -> Vec<u8> {
        let result = [vec![0x0a, 1, code], ber::element(ber::OCTETS, b""), ber::element(ber::OCTETS, b"no")].concat();
        ber::element(ber::SEQUENCE, &[ber::number(id), ber::element(EXTENDED_RESPONSE, &result)].concat())
    }

    #[tokio::test]
    async fn a_yes_is_read_to_its_last_byte_and_no_further() {
        let (result, left) = asked([response(0, 1), b"handshake".to_vec()].concat()).await;
        assert_eq!((result, left), (Ok(()), b"handshake".to_vec()));
        // As Active Directory writes it.
        let long = [vec![0x30, 0x84, 0, 0, 0, 14], response(0, 1)[2..].to_vec()].concat();
        assert_eq!(asked(long).await, (Ok(()), vec![]));
    }

    #[tokio::test]
    async fn a_no_is_told_and_anything_else_refused() {
        let (result, _) = asked(response(52, 1)).await;
        assert!(matches!(result, Err(Cause::StartTls(answer)) if answer.code == 52 && answer.text == "no"));
        for bad in
            [response(0, 0), b"HTTP/1.1 400\r\n\r\n".to_vec(), vec![0x30, 0x84, 0x7f, 0xff, 0xff, 0xff], vec![0x30, 0x80, 0, 0]]
        {
            assert_eq!(asked(bad.clone()).await.0, Err(odd()), "{bad:?}");
        }
        assert_eq!(asked(response(0, 1)[..5].to_vec()).await.0, Err(Cause::Closed));
        // Deeper than a stack goes.
        let deep = (0..4_000).fold(Vec::new(), |inner, _| ber::element(ber::SEQUENCE, &inner));
        assert_eq!(asked(deep).await.0, Err(odd()));
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_answer_or_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = answer(&bytes);
        }
    }
}
