//! Reads a request body into memory, no further than its limit and no longer than its time.

use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;
use std::time::Duration;

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// 413. Nothing beyond the limit was kept.
    #[error("the body is larger than {max} bytes")]
    TooLarge { max: usize },
    /// 408.
    #[error("the body did not arrive in time")]
    TimedOut,
    /// 400: the connection broke or the chunks are malformed.
    #[error("the body ended early")]
    Broken,
}

/// What is still taken, and thrown away, of a body over the limit: a client that writes to the end before it reads shall
/// find the 413 there and not a broken connection.
const DISCARDED_BYTES_MAX: usize = 4 << 20;
const DISCARD_TIME: Duration = Duration::from_secs(1);

/// The whole body, if it has at most `max` bytes and arrives within `within`. An announced length far over the limit is
/// refused before a byte is read.
pub async fn read(mut body: Body, max: usize, within: Duration) -> Result<Bytes, BodyError> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > max {
        if announced - max <= DISCARDED_BYTES_MAX {
            discard(body, announced).await;
        }
        return Err(BodyError::TooLarge { max });
    }
    match tokio::time::timeout(within, Limited::new(&mut body, max).collect()).await {
        Err(_elapsed) => Err(BodyError::TimedOut),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            discard(body, DISCARDED_BYTES_MAX).await;
            Err(BodyError::TooLarge { max })
        }
        Ok(Err(_)) => Err(BodyError::Broken),
    }
}

async fn discard(mut body: Body, bytes_max: usize) {
    let mut bytes = 0;
    let rest = async {
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.data_ref().map_or(0, Bytes::len);
            if bytes > bytes_max {
                break;
            }
        }
    };
    // Whether it ended, broke or goes on: it is refused all the same.
    let _ended = tokio::time::timeout(DISCARD_TIME, rest).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn a_body_at_the_limit_is_read_and_one_byte_more_is_refused() {
        assert_eq!(read(Body::from("12345"), 5, SECOND).await, Ok(Bytes::from("12345")));
        assert_eq!(read(Body::from("123456"), 5, SECOND).await, Err(BodyError::TooLarge { max: 5 }));
    }

    /// A body of unknown length: `first` arrives, then nothing more, and the sender keeps the stream open.
    struct Dripping(Option<Bytes>);

    impl hyper::body::Body for Dripping {
        type Data = Bytes;
        type Error = std::io::Error;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, std::io::Error>>> {
            match self.0.take() {
                Some(bytes) => std::task::Poll::Ready(Some(Ok(hyper::body::Frame::data(bytes)))),
                None => std::task::Poll::Pending,
            }
        }
    }

    #[tokio::test]
    async fn an_unannounced_body_is_refused_while_it_arrives() {
        let body = Body::new(Dripping(Some(Bytes::from("123456"))));
        assert_eq!(read(body, 5, SECOND).await, Err(BodyError::TooLarge { max: 5 }));
    }

    #[tokio::test]
    async fn a_body_that_stops_arriving_is_given_up() {
        let body = Body::new(Dripping(Some(Bytes::from("1"))));
        assert_eq!(read(body, 5, Duration::from_millis(20)).await, Err(BodyError::TimedOut));
    }
}
