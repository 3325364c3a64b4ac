//! A domain of Active Directory, as far as those who follow its changes see it: counts of changes, deleted entries in a
//! place of their own, folders whose renaming touches nobody in them, DirSync in fragments and in several answers. It
//! answers what comes in by [`listen`].

use super::scripted_directory::{Asked, Say, listen};
use ldap3::asn1::{PL, StructureTag, parse_tag};
use std::sync::{Arc, Mutex, MutexGuard};
use uuid::Uuid;

pub const ROOT: &str = "DC=corp,DC=test";
pub const PEOPLE: &str = "OU=People,DC=corp,DC=test";
const SERVICE: &str = "CN=NTDS Settings,CN=DC1,CN=Configuration,DC=corp,DC=test";
const DIR_SYNC: &str = "1.2.840.113556.1.4.841";
const SHOW_DELETED: &str = "1.2.840.113556.1.4.417";
/// Objects in one answer of DirSync, however many are asked for.
const DIR_SYNC_OBJECTS: usize = 2;

/// A running domain; what is changed here is seen by the next question.
#[derive(Clone)]
pub struct Domain(Arc<Mutex<State>>);

pub struct State {
    pub objects: Vec<Object>,
    pub highest: u64,
    /// Sixteen characters.
    pub invocation: &'static str,
    /// The account may see deleted entries.
    pub shows_deleted: bool,
    /// The account may replicate.
    pub may_replicate: bool,
}

#[derive(Clone)]
pub struct Object {
    guid: String,
    pub dn: String,
    class: &'static str,
    usn: u64,
    /// The count when it was made, renamed or moved.
    moved: u64,
    deleted: bool,
}

impl Domain {
    /// With a folder of people, and the port it listens on.
    pub fn start() -> (Self, u16) {
        let state = State {
            objects: Vec::new(),
            highest: 1_000,
            invocation: "invocation-one-1",
            shows_deleted: true,
            may_replicate: true,
        };
        let domain = Self(Arc::new(Mutex::new(state)));
        domain.add(PEOPLE, "organizationalUnit");
        domain.add(&format!("CN=Deleted Objects,{ROOT}"), "container");
        domain.state().objects[1].deleted = true;
        let answering = domain.clone();
        (domain, listen(move |asked| answering.answer(asked)))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics with it")
    }

    /// A new entry; its id.
    pub fn add(&self, dn: &str, class: &'static str) -> String {
        let mut state = self.state();
        state.highest += 1;
        let usn = state.highest;
        let guid = format!("guid-{usn:011}");
        state.objects.push(Object { guid: guid.clone(), dn: dn.to_owned(), class, usn, moved: usn, deleted: false });
        Uuid::from_bytes_le(guid.into_bytes().try_into().expect("sixteen")).to_string()
    }

    pub fn person(&self, name: &str, folder: &str) -> String {
        self.add(&format!("CN={name},{folder}"), "user")
    }

    pub fn touch(&self, dn: &str) {
        self.change(dn, |_, _| ());
    }

    /// The entry, and what lies in it; of those the counts stay.
    pub fn rename(&self, dn: &str, to: &str) {
        self.change(dn, |object, usn| object.moved = usn);
        for object in &mut self.state().objects {
            if let Some(before) = object.dn.strip_suffix(dn) {
                object.dn = format!("{before}{to}");
            }
        }
    }

    pub fn delete(&self, dn: &str) {
        self.change(dn, |object, usn| {
            object.deleted = true;
            object.moved = usn;
            object.dn = format!("CN=x\\0ADEL:{},CN=Deleted Objects,{ROOT}", object.guid);
        });
    }

    fn change(&self, dn: &str, change: impl FnOnce(&mut Object, u64)) {
        let mut state = self.state();
        state.highest += 1;
        let usn = state.highest;
        let object = state.objects.iter_mut().find(|object| object.dn == dn).unwrap_or_else(|| panic!("there is no {dn}"));
        object.usn = usn;
        change(object, usn);
    }

    fn answer(&self, asked: &Asked) -> Vec<Say> {
        let state = self.state();
        if asked.base.is_empty() {
            let of = |name: &str, values: &[&str]| (name.to_owned(), values.iter().map(|value| (*value).to_owned()).collect());
            let attributes = vec![
                of("namingContexts", &[ROOT, &format!("CN=Configuration,{ROOT}")]),
                of("defaultNamingContext", &[ROOT]),
                of("highestCommittedUSN", &[&state.highest.to_string()]),
                of("dsServiceName", &[SERVICE]),
            ];
            return vec![Say::Entry(String::new(), attributes), Say::Done(0, None)];
        }
        if asked.base == SERVICE {
            let attributes = vec![("invocationId".to_owned(), vec![state.invocation.to_owned()])];
            return vec![Say::Entry(SERVICE.into(), attributes), Say::Done(0, None)];
        }
        if let Some(value) = asked.control(DIR_SYNC) {
            return state.dir_sync(value, asked);
        }
        let deleted = format!("CN=Deleted Objects,{ROOT}");
        let with_deleted = asked.control(SHOW_DELETED).is_some();
        if asked.base == deleted && !with_deleted {
            return vec![Say::Done(32, None)];
        }
        if asked.scope == 0 {
            return vec![Say::Entry(asked.base.clone(), Vec::new()), Say::Done(0, None)];
        }
        let (_, filter) = parse_tag(asked.filter()).expect("a filter");
        // The place of the deleted is shown to everybody, as Samba has it.
        let shown = |object: &Object| !object.deleted || (with_deleted && (state.shows_deleted || object.dn == deleted));
        let here = |object: &&Object| object.dn.ends_with(&asked.base) && shown(object) && object.matches(&filter);
        let found = state.objects.iter().filter(here);
        let mut says: Vec<Say> = found.map(|object| object.say(asked)).collect();
        says.push(Say::Done(0, asked.cookie.as_ref().map(|_| &b""[..])));
        says
    }
}

impl State {
    /// A place is the count up to which was told.
    fn dir_sync(&self, value: &[u8], asked: &Asked) -> Vec<Say> {
        let (_, request) = parse_tag(value).expect("a request");
        let parts: Vec<Vec<u8>> = request
            .expect_constructed()
            .expect("parts")
            .into_iter()
            .map(|part| part.expect_primitive().expect("bytes"))
            .collect();
        let secured = parts[0] == [1];
        if !self.may_replicate && !secured {
            return vec![Say::Done(50, None)];
        }
        let Ok(since) = String::from_utf8(parts[2].clone()).expect("text").trim_start_matches("usn:").parse::<u64>() else {
            if parts[2].is_empty() {
                return self.told_since(0, secured, asked);
            }
            return vec![Say::Done(12, None)];
        };
        self.told_since(since, secured, asked)
    }

    fn told_since(&self, since: u64, secured: bool, asked: &Asked) -> Vec<Say> {
        let mut changed: Vec<&Object> =
            self.objects.iter().filter(|object| object.usn > since && !(secured && object.deleted)).collect();
        changed.sort_by_key(|object| object.usn);
        let told = &changed[..changed.len().min(DIR_SYNC_OBJECTS)];
        let more = changed.len() > told.len();
        let to = if more { told.last().map_or(since, |object| object.usn) } else { self.highest };
        let mut says: Vec<Say> = told.iter().map(|object| object.fragment(since, asked)).collect();
        let place = format!("usn:{to}").into_bytes();
        let mut parts = vec![2, 1, u8::from(more), 2, 1, 0, 4, u8::try_from(place.len()).expect("short")];
        parts.extend(place);
        let mut value = vec![0x30, u8::try_from(parts.len()).expect("short")];
        value.extend(parts);
        says.push(Say::With(Box::new(Say::Done(0, None)), vec![(DIR_SYNC, value)]));
        says
    }
}

impl Object {
    fn attributes(&self) -> Vec<(&'static str, String)> {
        let mut all = vec![
            ("objectGUID", self.guid.clone()),
            ("objectClass", self.class.to_owned()),
            ("objectCategory", if self.class == "user" { "person".to_owned() } else { self.class.to_owned() }),
            ("uSNChanged", self.usn.to_string()),
            ("cn", self.dn[3..].split(',').next().unwrap_or_default().to_owned()),
        ];
        if self.deleted {
            all.push(("isDeleted", "TRUE".to_owned()));
        }
        all
    }

    fn say(&self, asked: &Asked) -> Say {
        let wanted = |name: &str| asked.attributes.iter().any(|asked| asked.eq_ignore_ascii_case(name));
        let attributes = self.attributes().into_iter().filter(|(name, _)| wanted(name));
        Say::Entry(self.dn.clone(), attributes.map(|(name, value)| (name.to_owned(), vec![value])).collect())
    }

    /// What changed of it, and its id.
    fn fragment(&self, since: u64, asked: &Asked) -> Say {
        assert!(asked.attributes.iter().any(|name| name == "parentGUID"), "moves are watched for");
        let mut attributes = vec![("objectGUID".to_owned(), vec![self.guid.clone()])];
        if self.moved > since {
            attributes.push(("name".into(), vec!["x".into()]));
        }
        if self.deleted {
            attributes.extend([("isDeleted".into(), vec!["TRUE".into()]), ("member".into(), vec![])]);
        }
        Say::Entry(self.dn.clone(), attributes)
    }

    /// RFC 4511 §4.5.1.7, as far as it is used.
    fn matches(&self, filter: &StructureTag) -> bool {
        let text = |tag: &StructureTag| match &tag.payload {
            PL::P(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            PL::C(_) => panic!("no value"),
        };
        let PL::C(parts) = &filter.payload else {
            let name = text(filter);
            return name.eq_ignore_ascii_case("objectClass") || self.value(&name).is_some();
        };
        match filter.id {
            0 => parts.iter().all(|part| self.matches(part)),
            1 => parts.iter().any(|part| self.matches(part)),
            3 => self.value(&text(&parts[0])).is_some_and(|value| value == text(&parts[1])),
            5 => self.value(&text(&parts[0])).is_some_and(|value| {
                let number = |text: &str| text.parse::<u64>().expect("a count");
                number(&value) >= number(&text(&parts[1]))
            }),
            other => panic!("a filter of kind {other}"),
        }
    }

    fn value(&self, name: &str) -> Option<String> {
        self.attributes().into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}
