//! The pages a browser is shown on its way: plain, fit for a phone, without scripts but the one that posts a form, and nothing of a
//! message on them.

use crate::clock::Entropy;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use rosterd_saml::write::html;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:0;color:#1b1f24;background:#fff}\
    main{max-width:34rem;margin:12vh auto;padding:0 1.25rem}h1{font-size:1.4rem}code{font-size:.9em}\
    button,input,.way{font:inherit;padding:.5rem 1rem;box-sizing:border-box}ul{list-style:none;padding:0}\
    label{display:block;margin:.5rem 0}label input{display:block;width:100%}fieldset{border:1px solid #8a929b;margin:1rem 0}\
    .way{display:block;border:1px solid #8a929b;border-radius:.3rem;margin:.5rem 0;color:inherit}\
    @media(prefers-color-scheme:dark){body{color:#e6e8ea;background:#16191d}}";

/// What may stand on a page: texts of ours, and what [`html`] made of others.
pub struct Page<'a> {
    pub title: &'a str,
    pub text: &'a str,
    /// What the person tells an administrator: the code, and the id of the request.
    pub reference: Option<(&'a str, &'a str)>,
    /// Forms and links of ours below the text; whatever is from outside in them was escaped.
    pub form: &'a str,
}

impl Page<'_> {
    pub fn into_response(self, status: StatusCode, entropy: &Entropy) -> Response {
        let nonce = nonce(entropy);
        let reference = self.reference.map_or(String::new(), |(code, id)| {
            format!(
                "<p>If it does not help, tell your administrator this reference:<br><code>{}</code> <code>{}</code></p>",
                html(code),
                html(id)
            )
        });
        let Page { title, text, form, .. } = self;
        let (title, text) = (html(title), html(text));
        let body = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{title}</title>\
             <style nonce=\"{nonce}\">{STYLE}</style></head>\
             <body><main><h1>{title}</h1><p>{text}</p>{form}{reference}</main></body></html>"
        );
        // The one form of ours leads on to an identity provider, and a browser holds redirects to the same restriction.
        let forms = if form.is_empty() { "form-action 'none'; " } else { "" };
        let mut response = answer(status, body, &format!("default-src 'none'; style-src 'nonce-{nonce}'; {forms}{FRAMES}"));
        if !form.is_empty() {
            // Without any referrer a browser says of its form that it comes from nowhere.
            response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        }
        response
    }
}

const FRAMES: &str = "frame-ancestors 'none'; base-uri 'none'";

/// A page that posts a message of ours to an identity provider. Where that leads is not restricted: a browser would hold every
/// redirect after it to the same restriction, and identity providers send people on to others.
pub fn posting(form: impl FnOnce(&str) -> String, entropy: &Entropy) -> Response {
    let nonce = nonce(entropy);
    let body = form(&nonce);
    answer(StatusCode::OK, body, &format!("default-src 'none'; script-src 'nonce-{nonce}'; {FRAMES}"))
}

fn nonce(entropy: &Entropy) -> String {
    entropy.bytes::<16>().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn answer(status: StatusCode, body: String, policy: &str) -> Response {
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_str(policy).expect("constant texts and a nonce in hex"));
    response
}
