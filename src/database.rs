//! The database: one PostgreSQL instance in each environment whose applications have a database, and the logins of these
//! applications. How a login is created is decided in `logins`.

use std::{collections::BTreeSet, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    catalogue::{PostgresVersion, Region},
    certificates,
    contribution::{Secret, Writer, numbers},
    diagnostics::{Finding, Report},
    layer::{Layer, Wait},
    source::{Decided, Located, value_or},
    words::{Bareword, DatabaseClass, DatabaseName, Name, Text, Word, patterns::Spelled},
};

mod rights;

/// The PostgreSQL instance that the applications of an environment share. It exists if one of them has a `database`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(extend("x-retired" = {
    "ca-bundle-url": "remove it: the certificates of RDS come with blueprint, by region",
    "ca-bundle-sha256": "remove it: the certificates of RDS come with blueprint, by region",
}))]
pub struct Spec {
    /// The major version of PostgreSQL. Minor upgrades are automatic.
    #[schemars(extend("examples" = PostgresVersion::all(), "default" = PostgresVersion::default().to_string()))]
    pub engine_version: Option<Located<String>>,
    /// The instance class. Default: `db.m7g.large`, or `db.m6g.large` in regions that do not offer it.
    #[schemars(with = "Option<Spelled<DatabaseClass>>")]
    pub instance_class: Option<Located<String>>,
    /// The initial storage, in GiB.
    #[schemars(range(min = 20, max = 65536), extend("default" = STORAGE))]
    pub storage: Option<Located<u32>>,
    /// The limit of storage autoscaling, in GiB: at least a tenth more than `storage`, or equal to `storage` to turn autoscaling
    /// off. Default: four times `storage`.
    #[schemars(range(min = 20, max = 65536))]
    pub max_storage: Option<Located<u32>>,
    /// Whether a standby instance runs in another zone.
    #[schemars(extend("default" = MULTI_AZ))]
    pub multi_az: Option<Located<bool>>,
    /// How many days of backups are kept. The database can be restored to any point in time within them.
    #[schemars(range(min = 7, max = 35), extend("default" = BACKUP_DAYS))]
    pub backup_days: Option<Located<u32>>,
    /// The daily window for backups, in UTC.
    #[schemars(extend("default" = BackupWindow::default().to_string()))]
    pub backup_window: Option<Located<String>>,
    /// The weekly window for maintenance such as minor upgrades, in UTC.
    #[schemars(extend("default" = MaintenanceWindow::default().to_string()))]
    pub maintenance_window: Option<Located<String>>,
    /// Whether AWS refuses to delete the instance. The first step of a teardown turns it off.
    #[schemars(extend("default" = DELETION_PROTECTION))]
    pub deletion_protection: Option<Located<bool>>,
    /// The number of the master password. Raise it by one to generate a new password; never lower it.
    #[schemars(range(min = 1, max = 9999), extend("default" = MASTER_PASSWORD_VERSION))]
    pub master_password_version: Option<Located<u32>>,
    /// The interval of enhanced monitoring, in seconds: 1, 5, 10, 15, 30 or 60.
    #[schemars(extend("default" = MONITORING_INTERVAL))]
    pub monitoring_interval: Option<Located<u32>>,
    /// Which statements are logged.
    #[schemars(extend("default" = Statements::default()))]
    pub log_statements: Option<Located<Statements>>,
    /// The duration from which a statement is logged as slow, in milliseconds.
    #[schemars(range(min = 1, max = 3_600_000), extend("default" = LOG_SLOWER_THAN))]
    pub log_slower_than: Option<Located<u32>>,
}

const STORAGE: u32 = 50;
const MULTI_AZ: bool = true;
const BACKUP_DAYS: u32 = 14;
const DELETION_PROTECTION: bool = true;
const MASTER_PASSWORD_VERSION: u32 = 1;
const MONITORING_INTERVAL: u32 = 60;
const LOG_SLOWER_THAN: u32 = 1000;
const LOGIN: u32 = 1;

/// A database for this application, in the instance that all applications share.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ApplicationSpec {
    /// The name of the database and of the role that owns it. Default: the application's name, with `_` for `-`.
    #[schemars(with = "Option<Spelled<DatabaseName>>")]
    #[schemars(extend("x-platform-wide" = "the database and its owner have the same name in all environments"))]
    name: Option<Located<String>>,
    /// The number of the login in use. Raise it by one to rotate the login; the previous login stays valid.
    #[schemars(range(min = 1, max = 9999), extend("default" = LOGIN))]
    login: Option<Located<u32>>,
}

/// Which statements are logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Statements {
    /// None for their type. Slow statements are still logged.
    None,
    /// Data definition: `CREATE`, `ALTER`, `DROP`.
    #[default]
    Ddl,
    /// Data definition and changes of data.
    Mod,
    /// All statements.
    All,
}

/// The instance of an environment.
#[derive(Clone, Debug)]
pub struct Database {
    /// The major version of PostgreSQL.
    pub version: PostgresVersion,
    /// The instance class.
    pub class: DatabaseClass,
    /// In GiB.
    pub storage: u32,
    /// In GiB.
    pub max_storage: u32,
    /// Whether a standby instance runs in another zone.
    pub multi_az: bool,
    /// How many days of backups are kept, 7 to 35.
    pub backup_days: u32,
    /// The daily window for backups, in UTC.
    pub backup_window: BackupWindow,
    /// The weekly window for maintenance, in UTC. It does not overlap with the backup window.
    pub maintenance_window: MaintenanceWindow,
    /// Whether AWS refuses to delete the instance.
    pub deletion_protection: bool,
    /// The number of the master password, from 1 on. A higher number generates a new password.
    pub master_password_version: u32,
    /// In seconds.
    pub monitoring_interval: u32,
    /// Which statements are logged.
    pub log_statements: Statements,
    /// In milliseconds.
    pub log_slower_than: u32,
}

/// The database of one application in one environment.
#[derive(Clone, Debug)]
pub struct Share {
    /// The application, whose namespace reads the login.
    pub application: Name,
    /// Its database, and the role that owns it.
    pub name: DatabaseName,
    /// The number of the login in use.
    pub login: u32,
}

/// A daily window: `02:00-03:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupWindow {
    /// In minutes, from midnight.
    start: u32,
    length: u32,
}

/// A weekly window: `sun:03:30-sun:04:30`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaintenanceWindow {
    /// In minutes, from Monday's midnight.
    start: u32,
    length: u32,
}

const DAY: u32 = 24 * 60;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Database {
    /// In GiB, by the name of the class: `large` has 8 in the families `m` and `t`, 16 in `r`, 32 in `x2g` and `x2idn`, 64 in
    /// `x2iedn`, and each size has twice as much as the one before. Source: AWS, "DB instance class types", hardware specifications.
    pub fn memory(&self) -> u32 {
        let large = match self.class.family() {
            "x2iedn" => 64,
            family if family.starts_with('x') => 32,
            family if family.starts_with('r') => 16,
            _ => 8,
        };
        match self.class.size() {
            "micro" => large / 8,
            "small" => large / 4,
            "medium" => large / 2,
            size => match size.strip_suffix("xlarge") {
                Some(times) => large * 2 * times.parse().unwrap_or(1),
                None => large,
            },
        }
    }

    /// A tenth of the initial storage, in GiB. With less free storage, RDS adds some if autoscaling is on.
    pub fn storage_low(&self) -> u32 {
        self.storage / 10
    }

    /// The threshold of the alert about connections: six tenths of the default limit in its parameter group, which is
    /// `LEAST({DBInstanceClassMemory/9531392}, 5000)` (AWS, "Quotas and constraints for Amazon RDS"). That memory excludes the
    /// memory of the system, whose size AWS does not document; the other four tenths are a margin for it and for the time to react.
    pub fn busy_connections(&self) -> u32 {
        let admitted = (u64::from(self.memory()) << 30) / 9_531_392;
        u32::try_from(admitted.min(5000) * 6 / 10).expect("a number below 5000")
    }

    /// Resolves `[database]`; without it all values are the defaults. Without a region, the instance class is not checked.
    pub fn resolve(spec: Option<&Located<Spec>>, region: Option<&Region>, report: &mut Report) -> Self {
        let spec = spec.map(|spec| (**spec).clone()).unwrap_or_default();
        let storage = value_or(&spec.storage, STORAGE);
        let max_storage = value_or(&spec.max_storage, (storage * 4).min(65536));
        let known = !report.already_reported(&["database", "storage"])
            && !report.already_reported(&["database", "max-storage"]);
        let short = max_storage < storage || max_storage > storage && max_storage * 10 < storage * 11;
        if let Some(at) = spec.max_storage.as_ref().filter(|_| short && known) {
            let least = (storage * 11).div_ceil(10);
            let help = if least > 65536 {
                format!("write {storage} to turn storage autoscaling off")
            } else {
                format!("write {least} or more, or {storage} to turn storage autoscaling off")
            };
            report.add(
                Finding::new(
                    "database/storage",
                    format!("`max-storage = {max_storage}` is too small for `storage = {storage}`"),
                )
                .at(at.span(), "RDS requires at least a tenth more than `storage`")
                .help(help),
            );
        }
        let interval = value_or(&spec.monitoring_interval, MONITORING_INTERVAL);
        if let Some(at) =
            spec.monitoring_interval.as_ref().filter(|_| ![1, 5, 10, 15, 30, 60].contains(&interval))
        {
            report.add(
                Finding::new(
                    "database/monitoring-interval",
                    format!("`monitoring-interval` cannot be {interval} seconds"),
                )
                .at(at.span(), "1, 5, 10, 15, 30 or 60"),
            );
        }
        let (backup_window, maintenance_window) = windows(&spec, report);
        Self {
            version: version(spec.engine_version.as_ref(), report),
            class: class(spec.instance_class.as_ref(), region, report),
            storage,
            max_storage,
            multi_az: value_or(&spec.multi_az, MULTI_AZ),
            backup_days: value_or(&spec.backup_days, BACKUP_DAYS),
            backup_window,
            maintenance_window,
            deletion_protection: value_or(&spec.deletion_protection, DELETION_PROTECTION),
            master_password_version: value_or(&spec.master_password_version, MASTER_PASSWORD_VERSION),
            monitoring_interval: interval,
            log_statements: value_or(&spec.log_statements, Statements::default()),
            log_slower_than: value_or(&spec.log_slower_than, LOG_SLOWER_THAN),
        }
    }

    /// The name of the master login. Only the platform uses it.
    pub fn master(&self) -> &'static str {
        "postgres"
    }

    /// The version that gives the master login a new password.
    pub fn next_master(&self) -> u32 {
        self.master_password_version + 1
    }

    /// The numbers of its passwords in Parameter Store.
    pub fn master_passwords(&self) -> Vec<Text> {
        numbers(self.master_password_version).iter().map(|it| Text::ours(it.to_string())).collect()
    }

    /// The path of a parameter of the master login, below platform, environment and the namespace of the logins.
    pub fn master_key(&self, parameter: &str) -> String {
        match parameter {
            "password" => format!("master/{}/password", self.master_password_version),
            _ => format!("master/{parameter}"),
        }
    }

    /// The secrets that only the platform's own namespace reads.
    pub fn secrets(&self) -> Vec<Secret> {
        let secret = |number| Secret {
            namespace: Bareword::of(NAMESPACE),
            key: format!("master/{number}/password"),
            writer: Writer::Terraform,
            about: "the password of the master login of the database",
        };
        numbers(self.master_password_version).into_iter().map(secret).collect()
    }
}

/// The namespace in which the logins are created, with the permissions of the master login.
pub const NAMESPACE: &str = "database";

/// The shared objects of the login Jobs, and for each login the Kustomization that creates it.
pub const LAYER: &Layer = &Layer {
    name: "databases",
    after: Some(Layer::TENANTS),
    wait: Wait::ForEach(
        "Shared objects of all logins. Each login has its own Kustomization, which waits for its Job.",
    ),
    beside: false,
    about: "shared objects of the login Jobs, and for each login: the Flux Kustomization that creates it",
};

/// Names that no application may have: its parameters would be among those of the master login.
pub const RESERVED: [&str; 1] = [NAMESPACE];

fn version(asked: Option<&Located<String>>, report: &mut Report) -> PostgresVersion {
    let Some(asked) = asked else { return PostgresVersion::default() };
    if let Some(version) = PostgresVersion::read(asked) {
        return version;
    }
    let major = asked.split_once('.').map_or(asked.as_str(), |(major, _)| major);
    let known = PostgresVersion::all().join("`, `");
    let (label, help) = if PostgresVersion::ended(major) {
        (
            "its standard support has ended",
            format!("choose `{known}`: extended support costs extra for every hour"),
        )
    } else if PostgresVersion::read(major).is_some() {
        ("this is a minor version", format!("write `{major}`: minor upgrades are automatic"))
    } else {
        ("unknown version", format!("choose `{known}`"))
    };
    let title = format!("`{}` is not a major version of PostgreSQL on RDS", asked.escape_debug());
    report.add(Finding::new("database/engine-version", title).at(asked.span(), label).help(help));
    PostgresVersion::default()
}

fn class(asked: Option<&Located<String>>, region: Option<&Region>, report: &mut Report) -> DatabaseClass {
    let standard = |region: &Region| {
        let newest = DatabaseClass::ours("db.m7g.large");
        if region.offers(&newest) { newest } else { DatabaseClass::ours("db.m6g.large") }
    };
    let Some(asked) = asked else { return region.map(standard).unwrap_or_default() };
    let decided: Decided<DatabaseClass> = report.read(Some(asked));
    let unfit = decided.valid().zip(region).filter(|(class, region)| !region.offers(class));
    let Some((class, region)) = unfit else { return decided.value() };
    let (family, size) = (class.family(), class.size());
    let quoted = |words: Vec<String>| words.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ");
    let (label, help) = match PostgresVersion::sizes(family) {
        Some(sizes) if region.families().iter().any(|it| it == family) => {
            ("no such size", format!("`{family}` has the sizes {}", quoted(sizes.to_vec())))
        }
        sizes => {
            // The intended class probably has the same first letter: `m`, `r` or `t`.
            let near = region.families().iter().filter(|it| it[..1] == family[..1]);
            let near = near.map(|it| DatabaseClass::read(&format!("db.{it}.{size}")).unwrap_or_default());
            let near: Vec<String> = near.filter(|it| region.offers(it)).map(|it| it.to_string()).collect();
            let label = if sizes.is_some() { "not offered there" } else { "no such family" };
            let choice = if near.is_empty() { region.families().to_vec() } else { near };
            (label, format!("choose {}", quoted(choice)))
        }
    };
    let title = format!("RDS does not offer `{class}` for PostgreSQL in `{region}`");
    report.add(Finding::new("database/offering", title).at(asked.span(), label).help(help));
    decided.value()
}

/// Without its root certificates, clients cannot verify the database.
pub fn trust(region: Option<&Located<String>>, report: &mut Report) {
    let unknown = |it: &&Located<String>| Region::read(it).is_some() && certificates::roots(it).is_none();
    if let Some(asked) = region.filter(unknown) {
        report.add(
            Finding::new("database/region", format!("blueprint has no RDS certificates for `{}`", **asked))
                .at(asked.span(), "applications could not verify the database there")
                .help("choose another region, or use a newer version of blueprint that has them"),
        );
    }
}

/// RDS refuses a backup window that overlaps with the maintenance window.
fn windows(spec: &Spec, report: &mut Report) -> (BackupWindow, MaintenanceWindow) {
    let backup = report.read_or(spec.backup_window.as_ref(), BackupWindow::default());
    let maintenance = report.read_or(spec.maintenance_window.as_ref(), MaintenanceWindow::default());
    let valid = backup.valid().is_some() && maintenance.valid().is_some();
    let known = valid
        && !report.already_reported(&["database", "backup-window"])
        && !report.already_reported(&["database", "maintenance-window"]);
    let (backup, maintenance) = (backup.value(), maintenance.value());
    let at = spec.backup_window.as_ref().or(spec.maintenance_window.as_ref());
    if let Some(at) = at.filter(|_| known && maintenance.meets(backup)) {
        report.add(
            Finding::new(
                "database/windows",
                format!("`backup-window` and `maintenance-window` overlap: `{backup}` and `{maintenance}`"),
            )
            .at(at.span(), "RDS refuses windows that overlap")
            .help("change `backup-window` or `maintenance-window`"),
        );
    }
    (backup, maintenance)
}

/// All databases of the instance share its roles, so names must be unique, and none may be the name of a login of another.
pub fn apart(names: &[(&Located<String>, &DatabaseName)], report: &mut Report) {
    let all: BTreeSet<&DatabaseName> = names.iter().map(|(_, name)| *name).collect();
    let mut before: BTreeSet<&DatabaseName> = BTreeSet::new();
    for &(at, name) in names {
        let other = name.owner().filter(|owner| all.contains(owner));
        let title = match other {
            _ if !before.insert(name) => format!("two databases are named `{name}`"),
            Some(other) => format!("`{name}` could be the name of a login of the database `{other}`"),
            None => continue,
        };
        report.add(
            Finding::new("database/taken", title)
                .at(at.span(), "all databases of the instance share its roles")
                .help("set another `name` in the `database` of this application"),
        );
    }
}

impl ApplicationSpec {
    /// The name in the base. `application` is the application's name, with its position.
    pub fn name(&self, application: &Located<String>, report: &mut Report) -> Decided<DatabaseName> {
        match (&self.name, Name::read(application)) {
            (None, None) => Decided::Placeholder(DatabaseName::default()),
            (None, Some(name)) => report.read(Some(&Located::new(application.span(), name.identifier()))),
            (asked, _) => report.read(asked.as_ref()),
        }
    }

    /// The number of the login in use, from 1 on.
    pub fn login(&self) -> u32 {
        value_or(&self.login, LOGIN)
    }
}

impl Share {
    /// The environment variables of the application, and the parameter of each: of its database, or of its login.
    pub const VARIABLES: [(&'static str, &'static str); 5] = [
        ("DATABASE_HOST", "endpoint"),
        ("DATABASE_NAME", "name"),
        ("DATABASE_PASSWORD", "password"),
        ("DATABASE_PORT", "port"),
        ("DATABASE_USERNAME", "username"),
    ];

    /// The path of a parameter below platform, environment and application. User name and password have the number of the login.
    pub fn key(login: &u32, parameter: &'static str) -> Bareword {
        let folder = Bareword::of("database");
        match parameter {
            "password" | "username" => folder.and('/', login).and('/', parameter),
            _ => folder.and('/', parameter),
        }
    }

    /// The name of the Secret of a login. A new number gives a new name, so that pods restart.
    pub fn secret(login: &u32) -> Bareword {
        Bareword::of("database").and('-', login)
    }

    /// The valid logins: the one in use, and the previous one.
    pub fn logins(&self) -> Vec<u32> {
        numbers(self.login)
    }

    /// The login after the next rotation.
    pub fn next(&self) -> u32 {
        self.login + 1
    }

    /// The user name of the login in use.
    pub fn user_now(&self) -> String {
        self.user(&self.login)
    }

    /// The user name after the next rotation.
    pub fn user_next(&self) -> String {
        self.user(&self.next())
    }

    /// The user name of a login.
    pub fn user(&self, login: &u32) -> String {
        format!("{}_{login}", self.name)
    }

    /// The secrets that the application's namespace reads.
    pub fn secrets(&self) -> Vec<Secret> {
        let secret = |login: u32, part: &'static str, about| Secret {
            namespace: Bareword::of(&self.application),
            key: Self::key(&login, part).to_string(),
            writer: Writer::Terraform,
            about,
        };
        let both = |login| {
            [
                secret(login, "password", "the password of a database login"),
                secret(login, "username", "the user name of a database login"),
            ]
        };
        self.logins().into_iter().flat_map(both).collect()
    }
}

/// Minutes since midnight: `02:30`.
fn minutes(word: &str) -> Option<u32> {
    let (hours, minutes) = word.split_once(':')?;
    let number = |part: &str, below: u32| {
        let valid = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        part.parse::<u32>().ok().filter(|it| valid && *it < below)
    };
    Some(number(hours, 24)? * 60 + number(minutes, 60)?)
}

fn clock(minutes: u32) -> String {
    format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60)
}

impl Word for BackupWindow {
    const CODE: &'static str = "database/backup-window";
    const WHAT: &'static str = "a valid backup window";
    const RULE: &'static str = "at least 30 minutes, in UTC, such as `02:00-03:00`";

    fn read(word: &str) -> Option<Self> {
        let (start, end) = word.split_once('-')?;
        let (start, end) = (minutes(start)?, minutes(end)?);
        let length = (end + DAY - start) % DAY;
        (length >= 30).then_some(Self { start, length })
    }
}

impl Word for MaintenanceWindow {
    const CODE: &'static str = "database/maintenance-window";
    const WHAT: &'static str = "a valid maintenance window";
    const RULE: &'static str =
        "at least 30 minutes and less than a day, in UTC, such as `sun:03:30-sun:04:30`";

    fn read(word: &str) -> Option<Self> {
        let at = |word: &str| {
            let (day, time) = word.split_once(':')?;
            let day = DAYS.iter().position(|it| *it == day)? as u32;
            Some(day * DAY + minutes(time)?)
        };
        let (start, end) = word.split_once('-')?;
        let (start, end) = (at(start)?, at(end)?);
        let length = (end + 7 * DAY - start) % (7 * DAY);
        (30..DAY).contains(&length).then_some(Self { start, length })
    }
}

impl MaintenanceWindow {
    fn meets(self, backup: BackupWindow) -> bool {
        // From the start of either to the start of the other, on the clock of one day.
        let start = self.start % DAY;
        (backup.start + DAY - start) % DAY < self.length || (start + DAY - backup.start) % DAY < backup.length
    }
}

impl Default for BackupWindow {
    fn default() -> Self {
        Self { start: 2 * 60, length: 60 }
    }
}

impl Default for MaintenanceWindow {
    fn default() -> Self {
        Self { start: 6 * DAY + 3 * 60 + 30, length: 60 }
    }
}

impl fmt::Display for BackupWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", clock(self.start), clock(self.start + self.length))
    }
}

impl fmt::Display for MaintenanceWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |minutes: u32| format!("{}:{}", DAYS[(minutes / DAY % 7) as usize], clock(minutes));
        write!(f, "{}-{}", at(self.start), at(self.start + self.length))
    }
}

impl fmt::Display for Statements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Ddl => "ddl",
            Self::Mod => "mod",
            Self::All => "all",
        })
    }
}
