//! The versions and limits that blueprint uses: `catalogue.toml`, parsed once.
//!
//! Each row has its source. Nothing here uses the network or a clock.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::words::{Atomic, Bare, Bareword, DatabaseClass, GithubAction};

/// All rows of `catalogue.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Catalogue {
    kubernetes: Kubernetes,
    regions: BTreeMap<String, Vec<String>>,
    postgres: Postgres,
    instances: BTreeMap<String, BTreeMap<String, InstanceSize>>,
    quotas: BTreeMap<String, Quota>,
    charts: BTreeMap<String, Pin>,
    images: BTreeMap<String, Pin>,
    tools: BTreeMap<String, Pin>,
    definitions: BTreeMap<String, Definitions>,
    languages: BTreeMap<String, BTreeMap<String, LanguageLine>>,
    actions: BTreeMap<String, Commit>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Kubernetes {
    default: String,
    versions: BTreeMap<String, Minor>,
}

/// PostgreSQL on RDS.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Postgres {
    default: String,
    /// Major versions that have only extended support.
    ended: Vec<String>,
    /// The last day of standard support of each major.
    majors: BTreeMap<String, String>,
    /// The sizes of each family of instances.
    families: BTreeMap<String, Vec<String>>,
    /// The families that each region offers.
    regions: BTreeMap<String, Vec<String>>,
}

/// What belongs to one minor version of Kubernetes on EKS.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Minor {
    /// The last day of standard support.
    pub standard_support_ends: String,
    /// A patch release, whose schemas are used to validate manifests.
    pub patch: String,
    /// The release of the AL2023 node image.
    pub node_image: String,
    /// The release of cluster-autoscaler for it.
    pub cluster_autoscaler: String,
    /// The version of each add-on.
    pub addons: BTreeMap<String, String>,
}

/// What an instance type offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct InstanceSize {
    /// The number of vCPUs.
    pub processors: u32,
    /// In MiB.
    pub memory: u32,
    /// The maximum number of pods on such a node.
    pub pods: u32,
}

/// A quota for the vCPUs of running instances of some families, per account and region.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Quota {
    /// Its code in Service Quotas.
    pub on_demand: String,
    /// None if there is more than one.
    pub spot: Option<String>,
    /// The first letters of these families.
    pub families: Vec<String>,
}

/// A version, and its source.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// The exact version.
    pub version: String,
    /// The line of versions in which robots may raise it: what its beginning stays.
    pub line: Option<String>,
    /// The digest of an image, or the checksum of a file, where it is known.
    pub digest: Option<String>,
    /// The minor versions of Kubernetes that it supports, if that is documented.
    pub kubernetes: Option<Vec<String>>,
    /// Where the version was looked up.
    pub source: String,
}

/// Where custom resource definitions are: a Go module, and a folder in it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definitions {
    /// The path of the Go module.
    pub module: String,
    /// The version of the module, a release or a pseudo-version.
    pub version: String,
    /// The folder in the module that contains the definitions.
    pub folder: String,
    source: String,
}

/// What belongs to a line of versions of a language that is not its default.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LanguageLine {
    /// The exact version that workflows install.
    pub tool: String,
    /// The tag of the image that builds.
    pub image: String,
    /// The digest of that image.
    pub digest: String,
    source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Commit {
    tag: String,
    sha: String,
    source: String,
}

static CATALOGUE: LazyLock<Catalogue> =
    LazyLock::new(|| toml::from_str(include_str!("catalogue.toml")).expect("the catalogue reads"));

/// A name that is not in the catalogue is a bug, so all of these panic.
impl Catalogue {
    /// The catalogue that is compiled into the program.
    pub fn get() -> &'static Self {
        &CATALOGUE
    }

    /// None for an unknown type.
    pub fn instance_size(&self, family: &str, size: &str) -> Option<InstanceSize> {
        self.instances.get(family)?.get(size).copied()
    }

    /// The quota that instances of a family, such as `m7i`, count towards. None for an unknown family.
    pub fn quota(&self, family: &str) -> Option<&Quota> {
        let letters = family.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        self.quotas.values().find(|it| it.families.iter().any(|it| it == letters))
    }

    /// A GitHub action by its name, such as `actions/checkout`.
    pub fn action(&self, name: &str) -> GithubAction {
        let Commit { tag, sha, .. } = row(&self.actions, name);
        GithubAction { name: name.to_owned(), tag: tag.clone(), sha: sha.clone() }
    }

    /// The version of a Helm chart.
    pub fn chart(&self, name: &str) -> &str {
        &row(&self.charts, name).version
    }

    /// The version of a tool.
    pub fn tool(&self, name: &str) -> &str {
        &row(&self.tools, name).version
    }

    /// Where the custom resource definitions of a component are.
    pub fn definitions(&self, name: &str) -> &Definitions {
        row(&self.definitions, name)
    }

    /// Whether a tool supports a minor version of Kubernetes. A tool without a list supports all.
    pub fn fits(&self, tool: &str, version: &KubernetesVersion) -> bool {
        let listed = row(&self.tools, tool).kubernetes.as_ref();
        listed.is_none_or(|it| it.contains(&version.to_string()))
    }

    /// The checksum of the file that a tool is downloaded as.
    pub fn checksum(&self, name: &str) -> &str {
        row(&self.tools, name).digest.as_deref().unwrap_or_else(|| panic!("`{name}` has no checksum"))
    }

    /// The line of versions in which robots may raise a tool.
    pub fn tool_line(&self, name: &str) -> &str {
        row(&self.tools, name).line.as_deref().unwrap_or_else(|| panic!("`{name}` has no line of versions"))
    }

    /// The line of versions in which robots may raise an image. None if only its digest changes.
    pub fn image_line(&self, name: &str) -> Option<&str> {
        row(&self.images, name).line.as_deref()
    }

    /// The first two numbers of a version: `1.26`.
    pub fn minor(&self, tool: &str) -> &str {
        let version = self.tool(tool);
        version.rsplit_once('.').map_or(version, |(minor, _)| minor)
    }

    /// The lines of versions of a language: the default first.
    pub fn language_lines(&self, language: &str) -> Vec<&str> {
        let others = self.languages.get(language).into_iter().flat_map(BTreeMap::keys).map(String::as_str);
        [self.tool_line(language)].into_iter().chain(others).collect()
    }

    /// What belongs to a line of a language. None for its default.
    pub fn language_line(&self, language: &str, line: &str) -> Option<&LanguageLine> {
        self.languages.get(language)?.get(line)
    }

    /// An image by tag, and by digest where it is known. Docker official images, whose name has no folder, come from their mirror
    /// in ECR Public: Docker Hub limits anonymous pulls per address, and all nodes of a platform share one.
    pub fn image(&'static self, name: &'static str) -> Bareword {
        let Pin { version, digest, .. } = row(&self.images, name);
        Self::tagged(name, version, digest.as_deref())
    }

    /// An image by another tag than that of its row.
    pub fn tagged(name: &'static str, version: &'static str, digest: Option<&'static str>) -> Bareword {
        let mirror = Bareword::of("public.ecr.aws/docker/library");
        let image = if name.contains('/') { Bareword::of(name) } else { mirror.and('/', name) };
        let tagged = image.and(':', version);
        match digest {
            Some(digest) => tagged.and('@', digest),
            None => tagged,
        }
    }

    /// Each row with its source, for the test that all have one.
    pub fn sources(&self) -> impl Iterator<Item = (&str, &str)> {
        let pins = self.charts.iter().chain(&self.images).chain(&self.tools);
        let pins = pins.map(|(name, pin)| (name.as_str(), pin.source.as_str()));
        let pins = pins.chain(self.definitions.iter().map(|(name, it)| (name.as_str(), it.source.as_str())));
        let lines = self.languages.values().flatten().map(|(line, it)| (line.as_str(), it.source.as_str()));
        let pins = pins.chain(lines);
        pins.chain(self.actions.iter().map(|(name, it)| (name.as_str(), it.source.as_str())))
    }
}

fn row<'c, T>(rows: &'c BTreeMap<String, T>, name: &str) -> &'c T {
    rows.get(name).unwrap_or_else(|| panic!("`{name}` is not in the catalogue"))
}

/// A minor version of Kubernetes on EKS that is in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KubernetesVersion(String);

impl KubernetesVersion {
    /// The row of this version in the catalogue.
    pub fn minor(&self) -> &'static Minor {
        row(&Catalogue::get().kubernetes.versions, &self.0)
    }

    /// Whether checkov 3.3.30 does not support it yet: its list ends with 1.35 (CKV_AWS_339).
    pub fn is_new(&self) -> bool {
        self.0.as_str() > "1.35"
    }

    /// None if it is not in the catalogue, which the schema of a blueprint excludes.
    pub fn read(word: &str) -> Option<Self> {
        Catalogue::get().kubernetes.versions.contains_key(word).then(|| Self(word.to_owned()))
    }

    /// For the schema, so that an editor offers them.
    pub fn all() -> Value {
        json!(Catalogue::get().kubernetes.versions.keys().collect::<Vec<_>>())
    }
}

impl Default for KubernetesVersion {
    fn default() -> Self {
        Self(Catalogue::get().kubernetes.default.clone())
    }
}

impl std::fmt::Display for KubernetesVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A major version of PostgreSQL on RDS that is in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PostgresVersion(String);

impl PostgresVersion {
    /// None if it is not in the catalogue.
    pub fn read(word: &str) -> Option<Self> {
        Catalogue::get().postgres.majors.contains_key(word).then(|| Self(word.to_owned()))
    }

    /// Whether RDS has only extended support for it, which costs extra.
    pub fn ended(word: &str) -> bool {
        Catalogue::get().postgres.ended.iter().any(|it| it == word)
    }

    /// The major versions in the catalogue: those with standard support.
    pub fn all() -> Vec<&'static str> {
        Catalogue::get().postgres.majors.keys().map(String::as_str).collect()
    }

    /// The last day of standard support.
    pub fn standard_support_ends(&self) -> &'static str {
        row(&Catalogue::get().postgres.majors, &self.0).as_str()
    }

    /// The sizes of an instance family, if it is known.
    pub fn sizes(family: &str) -> Option<&'static [String]> {
        Catalogue::get().postgres.families.get(family).map(Vec::as_slice)
    }
}

impl Default for PostgresVersion {
    fn default() -> Self {
        Self(Catalogue::get().postgres.default.clone())
    }
}

impl std::fmt::Display for PostgresVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// An AWS region whose zones are in the catalogue. All of them are in the partition `aws`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Region(String);

impl Region {
    /// The ids of its zones, in the order in which they are used: at least two.
    pub fn zones(&self) -> &'static [String] {
        row(&Catalogue::get().regions, &self.0).as_slice()
    }

    /// The instance families that RDS offers there for PostgreSQL.
    pub fn families(&self) -> &'static [String] {
        row(&Catalogue::get().postgres.regions, &self.0).as_slice()
    }

    /// Whether RDS offers this class there for PostgreSQL.
    pub fn offers(&self, class: &DatabaseClass) -> bool {
        let has = |it: &[String], word: &str| it.iter().any(|it| it == word);
        has(self.families(), class.family())
            && PostgresVersion::sizes(class.family()).is_some_and(|sizes| has(sizes, class.size()))
    }

    /// None if it is not in the catalogue, which the schema of a blueprint excludes.
    pub fn read(word: &str) -> Option<Self> {
        Catalogue::get().regions.contains_key(word).then(|| Self(word.to_owned()))
    }

    /// For the schema, so that an editor offers them.
    pub fn all() -> Value {
        json!(Catalogue::get().regions.keys().collect::<Vec<_>>())
    }
}

/// Regions begin with a letter, as the catalogue lists them.
impl Atomic for Region {}
impl Bare for Region {}

/// The placeholder for a region that is missing, which was reported.
impl Default for Region {
    fn default() -> Self {
        Self("eu-west-1".to_owned())
    }
}

impl std::fmt::Display for Region {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
