//! The pages a browser is shown on its way: plain, fit for a phone, without scripts but the one that posts a form, and nothing of a
//! message on them.

use crate::clock::Entropy;
use crate::model::look::Look;
use crate::model::tenant::Organization;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use rosterd_saml::write::html;

const STYLE: &str = ":root{color-scheme:light dark;--ink:#1a2029;--soft:#525d6b;--line:#7f8997;--page:#f2f4f7;--card:#fff;\
    --edge:#dfe3e8;--act:#1d5bc7;--over:#17499f;--on:#fff}\
    @media(prefers-color-scheme:dark){:root{--ink:#e9ecf0;--soft:#b1bac6;--line:#7f8a99;--page:#0f1318;--card:#191f27;\
    --edge:#2c3540;--act:#8ab4ff;--over:#aecbff;--on:#0d1626}}\
    *{box-sizing:border-box}body{font:16px/1.5 system-ui,-apple-system,\"Segoe UI\",Roboto,\"Liberation Sans\",sans-serif;margin:0;\
    color:var(--ink);background:var(--page);min-height:100vh;min-height:100dvh;display:grid;place-items:center;padding:1rem}\
    main{width:100%;max-width:25rem;background:var(--card);border:1px solid var(--edge);border-radius:.9rem;padding:2rem 1.5rem;\
    box-shadow:0 1px 2px #0000000f,0 8px 24px #0000000f;overflow-wrap:anywhere}main>:last-child{margin-bottom:0}\
    h1{font-size:1.5rem;line-height:1.25;margin:0 0 .4rem}p{margin:0 0 1.5rem;color:var(--soft)}\
    button,.way{display:flex;align-items:center;justify-content:center;width:100%;min-height:2.9rem;padding:.6rem 1rem;font:inherit;\
    font-weight:600;border-radius:.55rem;cursor:pointer;text-align:center;text-decoration:none}\
    button{border:0;background:var(--own,var(--act));color:var(--own-on,var(--on))}button:hover{background:var(--own,var(--over))}\
    .way{border:1px solid var(--line);color:inherit}.way:hover{border-color:var(--act)}\
    ul{list-style:none;padding:0;margin:0 0 1.5rem;display:grid;gap:.7rem}\
    fieldset{border:0;margin:0;padding:0;min-width:0}legend{padding:0;margin:0 0 .7rem;font-weight:600}\
    label{display:block;margin:0 0 1rem;font-size:.95rem}\
    input{display:block;width:100%;min-height:2.9rem;margin:.3rem 0 0;padding:.6rem .8rem;font:inherit;font-size:1rem;color:inherit;\
    background:var(--card);border:1px solid var(--line);border-radius:.55rem}\
    form{margin:0 0 1.5rem}ul+form,form+form{border-top:1px solid var(--edge);padding-top:1.5rem}\
    :focus-visible{outline:3px solid var(--act);outline-offset:2px}\
    .logo{display:block;max-width:100%;max-height:3.5rem;margin:0 0 1.25rem}.told{font-size:.875rem;border-top:1px solid var(--edge);padding-top:1rem}code{display:block;font-size:.85rem}";

/// What may stand on a page: texts of ours, and what [`html`] made of others.
pub struct Page<'a> {
    pub title: &'a str,
    pub text: &'a str,
    /// What the person tells an administrator: the code, and the id of the request.
    pub reference: Option<(&'a str, &'a str)>,
    /// Forms and links of ours below the text; whatever is from outside in them was escaped.
    pub form: &'a str,
}

/// Whose people the page is for: their colour and their picture.
#[derive(Clone, Copy)]
pub struct Dress<'a> {
    pub look: &'a Look,
    /// What the picture shows, for whoever does not see it.
    pub name: &'a str,
}

impl<'a> Dress<'a> {
    pub fn of(organization: &'a Organization) -> Self {
        Self { look: &organization.look, name: organization.display_name.as_deref().unwrap_or(&organization.name) }
    }
}

impl Page<'_> {
    pub fn into_response(self, status: StatusCode, entropy: &Entropy) -> Response {
        self.dressed(None, status, entropy)
    }

    /// As an organization has it.
    pub fn dressed(self, dress: Option<Dress<'_>>, status: StatusCode, entropy: &Entropy) -> Response {
        let color = dress.and_then(|dress| dress.look.color);
        let own = color.map_or(String::new(), |color| format!(":root{{--own:{color};--own-on:{}}}", color.ink()));
        let logo = dress.and_then(|dress| Some((dress.look.logo.as_ref()?, dress.name)));
        let picture = logo.map_or(String::new(), |(logo, name)| {
            format!("<img class=\"logo\" src=\"{}\" alt=\"{}\">", html(logo.as_str()), html(name))
        });
        let pictures = logo.map_or(String::new(), |(logo, _)| format!("img-src {}; ", logo.origin()));
        let nonce = nonce(entropy);
        let reference = self.reference.map_or(String::new(), |(code, id)| {
            format!(
                "<p class=\"told\">If it does not help, tell your administrator this reference:<br><code>{}</code> <code>{}</code></p>",
                html(code),
                html(id)
            )
        });
        let Page { title, text, form, .. } = self;
        let (title, text) = (html(title), html(text));
        let body = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{title}</title>\
             <style nonce=\"{nonce}\">{STYLE}{own}</style></head>\
             <body><main>{picture}<h1>{title}</h1><p>{text}</p>{form}{reference}</main></body></html>"
        );
        // The one form of ours leads on to an identity provider, and a browser holds redirects to the same restriction.
        let forms = if form.is_empty() { "form-action 'none'; " } else { "" };
        let mut response =
            answer(status, body, &format!("default-src 'none'; style-src 'nonce-{nonce}'; {pictures}{forms}{FRAMES}"));
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
