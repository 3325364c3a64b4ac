//! What a connection to a directory may be told, as types. Their spelling on the outside is [`super::options`]; whether
//! the whole of it makes sense is for the reader of directories, which checks it before anything is connected.

/// What answers at the other end: decides defaults, and later how changes are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectoryServer {
    ActiveDirectory,
    OpenLdap,
    Ds389,
    Generic,
}

impl DirectoryServer {
    /// The mapping that comes with the program for it.
    pub fn mapping(self) -> &'static str {
        match self {
            Self::ActiveDirectory => "active-directory",
            Self::Ds389 => "directory-389",
            Self::OpenLdap | Self::Generic => "openldap",
        }
    }

    /// What names an entry for good: never its DN, e-mail address or login name, all of which change.
    pub fn id_attribute(self) -> &'static str {
        match self {
            Self::ActiveDirectory => "objectGUID",
            // Every entry of every version has it, and a deletion is told by it; an entryUUID only newer entries have.
            Self::Ds389 => "nsUniqueId",
            // RFC 4530
            Self::OpenLdap | Self::Generic => "entryUUID",
        }
    }

    /// Disabled accounts are in it: a filter that leaves them out makes disabling look like deletion.
    pub fn user_filter(self) -> &'static str {
        match self {
            Self::ActiveDirectory => "(&(objectCategory=person)(objectClass=user))",
            Self::OpenLdap | Self::Ds389 => "(objectClass=inetOrgPerson)",
            Self::Generic => "(objectClass=person)",
        }
    }

    /// `{}` is what was typed. Active Directory lets people type either name.
    pub fn login_filter(self) -> &'static str {
        match self {
            Self::ActiveDirectory => "(|(sAMAccountName={})(userPrincipalName={}))",
            Self::OpenLdap | Self::Ds389 | Self::Generic => "(uid={})",
        }
    }

    pub fn group_filter(self) -> &'static str {
        match self {
            Self::ActiveDirectory => "(objectClass=group)",
            Self::OpenLdap | Self::Ds389 | Self::Generic => "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames))",
        }
    }

    /// Attributes of a group that hold the DNs of its members.
    pub fn member_attributes(self) -> &'static [&'static str] {
        match self {
            Self::ActiveDirectory => &["member"],
            Self::OpenLdap | Self::Ds389 | Self::Generic => &["member", "uniqueMember"],
        }
    }
}

/// Whether runs may read changes alone, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deltas {
    /// By whatever the server has that shows the most.
    Auto,
    /// Everything is read each time.
    Off,
    /// The time of the last change.
    Modified,
    /// Active Directory's count of changes.
    Usn,
    /// RFC 4533.
    SyncRepl,
    /// Active Directory's replication.
    DirSync,
}

/// How we say who we are (RFC 4513 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindMethod {
    /// A DN and a password.
    Simple,
    /// SASL EXTERNAL: the certificate of the TLS connection.
    External,
}

/// The options of a directory, as they were set; what depends on the server is filled in by [`Self::settle`].
#[derive(Clone, Debug, PartialEq)]
pub struct DirectoryOptions {
    pub server: DirectoryServer,
    /// In the order they are tried.
    pub urls: Vec<String>,
    pub start_tls: bool,
    /// PEM; without it the system's roots are trusted.
    pub ca_file: Option<String>,
    pub allow_plaintext: bool,
    pub bind_method: BindMethod,
    pub bind_dn: Option<String>,
    pub client_cert_file: Option<String>,
    pub client_key_file: Option<String>,
    pub user_base: Option<String>,
    pub user_filter: Option<String>,
    pub login_filter: Option<String>,
    pub group_base: Option<String>,
    pub group_filter: Option<String>,
    pub id_attribute: Option<String>,
    /// Of groups: what names a person for good may be a number only people have.
    pub group_id_attribute: Option<String>,
    pub page_size: u32,
    pub entries_max: u32,
    /// Parts below the bases that lie on other servers are left out on purpose.
    pub expect_references: bool,
    pub connect_timeout_seconds: u32,
    pub answer_timeout_seconds: u32,
    /// Between two runs that begin by themselves; `None`: none does.
    pub schedule_seconds: Option<u32>,
    /// Whether the runs between two complete ones read changes alone.
    pub deltas: Deltas,
    /// How old a complete read may be before the next one.
    pub full_every_seconds: u32,
}

impl Default for DirectoryOptions {
    fn default() -> Self {
        Self {
            server: DirectoryServer::ActiveDirectory,
            urls: Vec::new(),
            start_tls: false,
            ca_file: None,
            allow_plaintext: false,
            bind_method: BindMethod::Simple,
            bind_dn: None,
            client_cert_file: None,
            client_key_file: None,
            user_base: None,
            user_filter: None,
            login_filter: None,
            group_base: None,
            group_filter: None,
            id_attribute: None,
            group_id_attribute: None,
            // What OpenLDAP lets anybody have at a time unless it is told otherwise; twice that is not faster.
            page_size: 500,
            entries_max: 1_000_000,
            expect_references: false,
            connect_timeout_seconds: 10,
            answer_timeout_seconds: 30,
            schedule_seconds: Some(3_600),
            deltas: Deltas::Auto,
            full_every_seconds: 24 * 3_600,
        }
    }
}

impl DirectoryOptions {
    /// Fills in what the kind of server decides.
    pub fn settle(&mut self) {
        let server = self.server;
        let unset = |option: &mut Option<String>, text: &str| _ = option.get_or_insert_with(|| text.to_owned());
        unset(&mut self.user_filter, server.user_filter());
        unset(&mut self.login_filter, server.login_filter());
        unset(&mut self.group_filter, server.group_filter());
        unset(&mut self.id_attribute, server.id_attribute());
        unset(&mut self.group_id_attribute, server.id_attribute());
    }
}
