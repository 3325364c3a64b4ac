//! A browser without a window: cookies by the rules of sites, redirects, forms that somebody fills in and forms that a script
//! sends. It goes through a login as people do and tells the way it went when a test that holds it fails.
//!
//! A public address is wherever the test says: `https://id.example.test` is answered by a gateway that speaks plain HTTP, as
//! behind a proxy, and by another one from one moment to the next, as behind a balancer.

use super::cookies::{Asked, Cookies, is_trustworthy, site};
use super::page::{Form, Page};
use std::time::Duration;
use url::Url;

const REDIRECTS_MAX: usize = 20;
/// Of a page, when a test fails.
const SHOWN_MAX: usize = 4_000;

pub struct Browser {
    client: reqwest::Client,
    pub cookies: Cookies,
    /// Public origins and where they really are.
    routes: Vec<(String, String)>,
    trail: Vec<String>,
    page: Option<Page>,
}

/// Where a way through redirects and forms ends before it is at its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until<'a> {
    End,
    /// At a form that would send this field by itself.
    Field(&'a str),
}

impl Browser {
    pub fn new() -> Self {
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(60))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .expect("an HTTP client");
        Self { client, cookies: Cookies::default(), routes: Vec::new(), trail: Vec::new(), page: None }
    }

    /// From now on this origin is answered there.
    pub fn route(&mut self, origin: &str, base_url: &str) {
        self.routes.retain(|(from, _)| from != origin);
        self.routes.push((origin.to_owned(), base_url.to_owned()));
    }

    /// The page it shows.
    pub fn page(&self) -> &Page {
        self.page.as_ref().expect("somebody opened a page")
    }

    /// Types an address and goes on to where that ends.
    pub async fn open(&mut self, url: &str) -> &Page {
        self.page = None;
        self.go(parsed(url), None, Until::End).await.expect("it ends at no form");
        self.page()
    }

    /// [`Self::open`], but stops at a form that would send this field by itself: that form.
    pub async fn open_until(&mut self, url: &str, field: &str) -> Form {
        self.page = None;
        let stopped = self.go(parsed(url), None, Until::Field(field)).await;
        stopped.err().unwrap_or_else(|| panic!("no form sends {field}: {}", self.told()))
    }

    /// Sends a form of the page it shows and goes on to where that ends.
    pub async fn submit(&mut self, form: &Form) -> &Page {
        self.send(form, Until::End).await.expect("it ends at no form");
        self.page()
    }

    /// [`Self::submit`], but stops at a form that would send this field by itself: that form.
    pub async fn submit_until(&mut self, form: &Form, field: &str) -> Form {
        let stopped = self.send(form, Until::Field(field)).await;
        stopped.err().unwrap_or_else(|| panic!("no form sends {field}: {}", self.told()))
    }

    /// Fills in the page for user name and password.
    pub async fn sign_in(&mut self, username: &str, password: &str) -> &Page {
        let form = self.login_form(username, password);
        self.submit(&form).await
    }

    /// [`Self::sign_in`] up to the answer that goes to the gateway.
    pub async fn sign_in_until_answer(&mut self, username: &str, password: &str) -> Form {
        let form = self.login_form(username, password);
        self.submit_until(&form, "SAMLResponse").await
    }

    fn login_form(&self, username: &str, password: &str) -> Form {
        let form = self.page().form_with("password");
        form.filled(&[("username", username), ("password", password)])
    }

    async fn send(&mut self, form: &Form, until: Until<'_>) -> Result<(), Form> {
        if form.is_post {
            return self.go(form.action.clone(), Some(form.body()), until).await;
        }
        let mut url = form.action.clone();
        url.set_query(Some(&form.body()));
        self.go(url, None, until).await
    }

    /// # Errors
    /// With the form that it stopped at.
    async fn go(&mut self, mut url: Url, mut body: Option<String>, until: Until<'_>) -> Result<(), Form> {
        for _ in 0..REDIRECTS_MAX {
            let from = self.page.as_ref().map(|page| page.url.clone());
            let page = self.request(&url, body.take(), from.as_ref()).await;
            if matches!(page.status, 301..=303 | 307 | 308) {
                let to = page.header("location").unwrap_or_else(|| panic!("{} without an address", page.status));
                assert!(!matches!(page.status, 307 | 308), "a form sent on as it is: {}", self.told());
                url = url.join(to).unwrap_or_else(|error| panic!("{to}: {error}"));
                continue;
            }
            let by_itself = self.sends_itself(&page).await;
            self.page = Some(page);
            let Some(form) = by_itself else { return Ok(()) };
            if let Until::Field(field) = until
                && form.field(field).is_some()
            {
                return Err(form);
            }
            assert!(form.is_post, "{form:?}");
            (url, body) = (form.action.clone(), Some(form.body()));
        }
        panic!("no end of redirects and forms: {}", self.told());
    }

    /// The form of a page that a script of it sends: one that says so, in the page or where that page has it from.
    async fn sends_itself(&mut self, page: &Page) -> Option<Form> {
        let form = page.silent_form()?;
        let (mut scripts, sources) = page.scripts();
        for source in sources {
            scripts += &self.request(&source, None, Some(&page.url)).await.text;
        }
        [".submit()", ".submit.call(", ".click()"].iter().any(|call| scripts.contains(call)).then_some(form)
    }

    /// One request as a browser makes it when it goes to a page; `from` has the link or form.
    async fn request(&mut self, url: &Url, body: Option<String>, from: Option<&Url>) -> Page {
        let method = if body.is_some() { "POST" } else { "GET" };
        let is_cross_site = from.is_some_and(|from| site(from) != site(url));
        let asked = Asked { is_cross_site, is_post: body.is_some() };
        let mut request = self.client.request(method.parse().expect("a method"), self.really(url));
        if let Some(cookies) = self.cookies.header(url, asked) {
            request = request.header("cookie", cookies);
        }
        if is_trustworthy(url) {
            let relation = match from {
                None => "none",
                Some(from) if from.origin() == url.origin() => "same-origin",
                Some(_) if is_cross_site => "cross-site",
                Some(_) => "same-site",
            };
            request = request
                .header("sec-fetch-site", relation)
                .header("sec-fetch-mode", "navigate")
                .header("sec-fetch-dest", "document");
        }
        request = request.header("host", authority(url)).header("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        if let Some(body) = &body {
            request = request.header("content-type", "application/x-www-form-urlencoded").body(body.clone());
            request = request.header("origin", from.map_or(String::from("null"), |from| from.origin().ascii_serialization()));
        }
        let response = request.send().await.unwrap_or_else(|error| panic!("{method} {url}: {error}\n{}", self.told()));
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        for line in headers.get_all("set-cookie") {
            self.cookies.keep(url, line.to_str().expect("a cookie is text"));
        }
        let page = Page { url: url.clone(), status, headers, text: response.text().await.expect("a body") };
        let to = page.header("location").map_or(String::new(), |to| format!(" → {to}"));
        self.trail.push(format!("{method} {url} ({} bytes) {status}{to}", body.map_or(0, |body| body.len())));
        page
    }

    /// Goes there and no further: the answer, which leads somewhere else or not.
    pub async fn fetch_visit(&mut self, url: &str) -> Page {
        let url = parsed(url);
        let mut request = self.client.get(self.really(&url)).header("host", authority(&url)).header("sec-fetch-mode", "navigate");
        if let Some(cookies) = self.cookies.header(&url, Asked { is_cross_site: false, is_post: false }) {
            request = request.header("cookie", cookies);
        }
        let response = request.send().await.unwrap_or_else(|error| panic!("{url}: {error}\n{}", self.told()));
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        for line in headers.get_all("set-cookie") {
            self.cookies.keep(&url, line.to_str().expect("a cookie is text"));
        }
        self.trail.push(format!("GET {url} {status} (no further)"));
        Page { url, status, headers, text: response.text().await.expect("a body") }
    }

    /// What a script of a page of that site would get: JSON, with the cookies of the site.
    pub async fn fetch(&mut self, method: &str, url: &str) -> Page {
        let url = parsed(url);
        let mut request = self.client.request(method.parse().expect("a method"), self.really(&url));
        if let Some(cookies) = self.cookies.header(&url, Asked { is_cross_site: false, is_post: method != "GET" }) {
            request = request.header("cookie", cookies);
        }
        request =
            request.header("host", authority(&url)).header("accept", "application/json").header("sec-fetch-site", "same-origin");
        let response = request.send().await.unwrap_or_else(|error| panic!("{method} {url}: {error}\n{}", self.told()));
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        for line in headers.get_all("set-cookie") {
            self.cookies.keep(&url, line.to_str().expect("a cookie is text"));
        }
        self.trail.push(format!("{method} {url} {status} (by a script)"));
        Page { url, status, headers, text: response.text().await.expect("a body") }
    }

    fn really(&self, url: &Url) -> String {
        let origin = url.origin().ascii_serialization();
        match self.routes.iter().find(|(from, _)| *from == origin) {
            Some((_, to)) => format!("{to}{}", &url.as_str()[origin.len()..]),
            None => url.to_string(),
        }
    }

    /// The way it went, for whoever wants to know why a test failed.
    pub fn told(&self) -> String {
        let page = self.page.as_ref().map_or("", |page| beginning(&page.text, SHOWN_MAX));
        let trail: Vec<&str> = self.trail.iter().map(|step| beginning(step, 300)).collect();
        format!("\n{}\n--- the page it shows ---\n{page}", trail.join("\n"))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the browser went ---{}", self.told());
        }
    }
}

fn beginning(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

fn parsed(url: &str) -> Url {
    Url::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"))
}

fn authority(url: &Url) -> String {
    url.port()
        .map_or(url.host_str().unwrap_or_default().to_owned(), |port| format!("{}:{port}", url.host_str().unwrap_or_default()))
}
