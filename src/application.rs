//! An application: one base without environments, and an overlay for each of them.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    contribution::{Layer, Need, Needed, Secret, Writer},
    database::{ApplicationSpec, Share},
    diagnostics::{Finding, Report},
    foundation::{Environment, Foundation},
    page::{Page, seeded},
    pages,
    source::{Located, value_or},
    words::{Cpu, DatabaseName, Domain, Memory, Name, Repository, UrlPath, Word},
};

/// An application. Which files it has is the same in every environment; what the overlays say is not.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Spec {
    /// Its repository. The name of the application, if you do not say.
    #[schemars(extend("x-platform-wide" = "an application is built once, in one repository"))]
    repository: Option<Located<String>>,
    /// The port it listens on. 8080, if you do not say.
    #[schemars(range(min = 1024, max = 65535))]
    #[schemars(extend("x-platform-wide" = "the image is the same everywhere, and its port with it"))]
    port: Option<Located<u32>>,
    /// The paths that say how it is.
    #[schemars(extend("x-platform-wide" = "the image is the same everywhere, and its paths with it"))]
    probes: Option<Probes>,
    /// How many pods run, between two bounds.
    replicas: Option<Replicas>,
    /// The processor time each pod is given at least. `250m`, if you do not say.
    cpu: Option<Located<String>>,
    /// The memory each pod is given, and may not exceed. `256Mi`, if you do not say.
    memory: Option<Located<String>>,
    /// Where its users find it: a label below the zone such as `shop`, or a whole name in it. Only inside the cluster, if you do not say.
    host: Option<Located<String>>,
    /// Whether anybody may pull its image. Nodes show a credential, if you do not say.
    #[schemars(extend("x-platform-wide" = "the image is one, and so is who may pull it"))]
    image_public: Option<Located<bool>>,
    /// A database of its own. It has none, if you do not say. Whether it has one is decided outside `[environments]`.
    database: Option<Located<ApplicationSpec>>,
}

/// The paths that say how an application is.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Probes {
    /// Answers as long as the process lives; it asks nobody else. `/livez`, if you do not say.
    liveness: Option<Located<String>>,
    /// Answers when requests may come. `/readyz`, if you do not say.
    readiness: Option<Located<String>>,
}

/// How many pods run, between two bounds.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Replicas {
    /// The fewest pods. 2, if you do not say.
    #[schemars(range(min = 1, max = 100))]
    min: Option<Located<u32>>,
    /// The most pods. Three times the fewest, if you do not say.
    #[schemars(range(min = 1, max = 300))]
    max: Option<Located<u32>>,
}

/// What is the same in every environment. The base is rendered from this alone.
#[derive(Clone, Debug)]
pub struct Application {
    pub name: Name,
    pub repository: Repository,
    pub port: u32,
    pub liveness: UrlPath,
    pub readiness: UrlPath,
    /// Whether anybody may pull its image.
    pub image_public: bool,
    /// Its database, and the role that owns it.
    pub database: Option<DatabaseName>,
    /// What the base says, and each overlay says anew.
    pub size: Size,
}

/// How much of it runs.
#[derive(Clone, Debug)]
pub struct Size {
    pub min: u32,
    pub max: u32,
    pub cpu: Cpu,
    pub memory: Memory,
}

/// What one environment's overlay says.
#[derive(Clone, Debug)]
pub struct Workload {
    pub application: Application,
    pub size: Size,
    /// Where its users find it.
    pub host: Option<Domain>,
    pub database: Option<Share>,
}

/// The tag that an overlay starts with: the first release of every application.
pub const FIRST_TAG: &str = "0.1.0";

impl Application {
    pub fn resolve(name: &Located<String>, spec: &Spec, report: &mut Report) -> Self {
        let at = name;
        let name: Name = report.read(Some(name));
        let repository = match &spec.repository {
            None if name == Name::default() => Repository::default(),
            None => Repository::named(&name),
            asked => report.read(asked.as_ref()),
        };
        let probes = spec.probes.clone().unwrap_or_default();
        let mut path = |asked: Option<&Located<String>>, default| match asked {
            None => UrlPath::read(default).unwrap_or_default(),
            asked => report.read(asked),
        };
        let liveness = path(probes.liveness.as_ref(), "/livez");
        let readiness = path(probes.readiness.as_ref(), "/readyz");
        if let Some(asked) = probes.readiness.as_ref().or(probes.liveness.as_ref())
            && liveness == readiness
            && liveness != UrlPath::default()
        {
            report.add(
                Finding::new("application/probes", "life and readiness are asked at one path")
                    .at(asked.span(), format!("`{liveness}` answers both"))
                    .help("give them two paths: a pod that cannot serve now must not be restarted for it"),
            );
        }
        let size = Size::resolve(at, spec, report);
        let image_public = value_or(&spec.image_public, false);
        let database = spec.database.as_ref().map(|asked| asked.name(at, report));
        let port = value_or(&spec.port, 8080);
        Self { name, repository, port, liveness, readiness, image_public, database, size }
    }

    pub fn workload(
        &self,
        name: &Located<String>,
        spec: &Spec,
        environment: &Environment,
        report: &mut Report,
    ) -> Workload {
        let share = |database: &DatabaseName| Share {
            application: self.name.clone(),
            name: database.clone(),
            login: spec.database.as_ref().map_or(1, |asked| asked.login()),
        };
        if let (None, Some(asked)) = (&self.database, &spec.database)
            && !report.excused(&format!("applications.{}.database", **name))
        {
            let title = format!("only an overlay gives `{}` a database", name.escape_debug());
            report.add(
                Finding::new("application/database", title)
                    .at(asked.span(), "whether it has one is the same everywhere")
                    .help("add a `database` to the application outside `[environments]`"),
            );
        }
        let database = self.database.as_ref().map(share);
        let host = spec.host.as_ref().and_then(|asked| host(asked, environment, report));
        Workload { application: self.clone(), size: Size::resolve(name, spec, report), host, database }
    }

    pub fn first_tag(&self) -> &'static str {
        FIRST_TAG
    }

    pub fn needs(&self) -> Vec<Needed> {
        let by = format!("application `{}`, which is scaled by its use of processors", self.name);
        let usage = Needed { need: Need::Usage, by };
        let secrets =
            |what: &str| Needed { need: Need::Secrets, by: format!("application `{}`, {what}", self.name) };
        let pull = (!self.image_public).then(|| secrets("whose image is private"));
        let database = self.database.is_some().then(|| secrets("which has a database"));
        [usage].into_iter().chain(pull).chain(database).collect()
    }

    /// The base, and the application's own repository.
    /// `environments` is for lists that name them all, and for nothing else.
    pub fn pages(&self, foundation: &Foundation, environments: &Vec<Environment>) -> Vec<Page> {
        let Self { name, repository, .. } = self;
        let application = self;
        let mut pages = pages! { { application: Application, foundation: Foundation, environments: Vec<Environment> }
            Unlisted "{repository}/.dockerignore",
            Unlisted "{repository}/.gitattributes",
            Unlisted "{repository}/.github/requirements.txt",
            Unlisted "{repository}/.github/workflows/ci.yml",
            Unlisted "{repository}/.github/workflows/release.yml",
            Unlisted "{repository}/Dockerfile",
            Unlisted "{repository}/README.md",
            Unlisted "{repository}/scripts/build.sh",
            Unlisted "{repository}/scripts/scan.sh",
            Unlisted "{repository}/scripts/smoke.sh",
            Unlisted "{repository}/scripts/version.sh",
            Resource "kubernetes-manifest/apps/{name}/base/autoscaler.yaml",
            Resource "kubernetes-manifest/apps/{name}/base/deployment.yaml",
            Resource "kubernetes-manifest/apps/{name}/base/disruption-budget.yaml",
            Resource "kubernetes-manifest/apps/{name}/base/network-policies.yaml",
            Resource "kubernetes-manifest/apps/{name}/base/service-account.yaml",
            Resource "kubernetes-manifest/apps/{name}/base/service.yaml",
        };
        pages.extend(seeded(pages! { { application: Application }
            Component "kubernetes-manifest/apps/{name}/base/local/kustomization.yaml",
        }));
        pages
    }
}

/// A host without a zone would have neither record nor certificate.
fn host(asked: &Located<String>, environment: &Environment, report: &mut Report) -> Option<Domain> {
    if environment.dns.is_none() && !report.excused("dns") {
        report.add(
            Finding::new("application/zone", "a host needs a zone")
                .at(asked.span(), "no zone holds its record")
                .help("add `[dns]` with `zone = \"example.com\"`"),
        );
    }
    environment.dns.as_ref()?.host(asked, report)
}

impl Workload {
    pub fn needs(&self) -> Vec<Needed> {
        let by = format!("application `{}`, which has a host", self.application.name);
        self.host.iter().map(|_| Needed { need: Need::LoadBalancers, by: by.clone() }).collect()
    }

    /// What its namespace reads from Parameter Store.
    pub fn secrets(&self) -> Vec<Secret> {
        let pull = || Secret {
            namespace: self.application.name.to_string(),
            key: "registry/docker-config".to_owned(),
            writer: Writer::Person,
            about: "the credential that pulls the application's image, as a Docker configuration",
        };
        let logins = self.database.iter().flat_map(Share::secrets);
        (!self.application.image_public).then(pull).into_iter().chain(logins).collect()
    }

    /// The same files in every environment: patches of the base, and what the platform gives to whoever it runs.
    pub fn pages(&self, environment: &Environment) -> Vec<Page> {
        let Self { application, size, .. } = self;
        let name = &application.name;
        pages! { { application: Application, size: Size, environment: Environment }
            Patch "kubernetes-manifest/apps/{name}/overlays/{environment}/autoscaler.yaml",
            Patch "kubernetes-manifest/apps/{name}/overlays/{environment}/deployment.yaml",
            Resource "kubernetes-manifest/clusters/{environment}/tenants/{name}/limits.yaml",
            Resource "kubernetes-manifest/clusters/{environment}/tenants/{name}/namespace.yaml",
            Resource "kubernetes-manifest/clusters/{environment}/tenants/{name}/network-policy.yaml",
            Resource "kubernetes-manifest/clusters/{environment}/tenants/{name}/quota.yaml",
            Resource "kubernetes-manifest/clusters/{environment}/tenants/{name}/role-binding.yaml",
            Resource "kubernetes-manifest/clusters/{environment}/tenants/{name}/service-account.yaml",
        }
    }
}

impl Workload {
    /// What deploys it, after all that it stands on.
    pub fn delivery(&self, environment: &Environment, used: &[Layer]) -> Vec<Page> {
        let application = &self.application;
        let name = &application.name;
        let logins = &(self.database.is_some() && used.contains(&Layer::Databases));
        pages! { { application: Application, environment: Environment, logins: bool }
            Resource "kubernetes-manifest/clusters/{environment}/applications/{name}.yaml",
        }
    }
}

impl Size {
    fn resolve(name: &Located<String>, spec: &Spec, report: &mut Report) -> Self {
        let replicas = spec.replicas.clone().unwrap_or_default();
        let min = value_or(&replicas.min, 2);
        let max = value_or(&replicas.max, min * 3);
        let known = !report.excused(&format!("applications.{}.replicas", **name));
        if let Some(at) = replicas.max.as_ref().or(replicas.min.as_ref()).filter(|_| max < min && known) {
            report.add(
                Finding::new(
                    "application/replicas",
                    format!("`{}` has at least {min} pods, and at most {max}", name.escape_debug()),
                )
                .at(at.span(), "the most is less than the fewest")
                .help(format!("write `max = {min}` or more")),
            );
        }
        let cpu = spec.cpu.as_ref().map_or(Cpu(250), |asked| report.read(Some(asked)));
        let memory = spec.memory.as_ref().map_or(Memory(256), |asked| report.read(Some(asked)));
        Self { min, max, cpu, memory }
    }
    /// How many pods more there may be while a rollout goes on: a quarter, as the Deployment says.
    pub fn surge(&self) -> u32 {
        self.max.div_ceil(4)
    }

    /// Twice what the largest rollout needs.
    pub fn quota_pods(&self) -> u32 {
        2 * (self.max + self.surge())
    }

    pub fn quota_cpu(&self) -> Cpu {
        Cpu(self.cpu.0.saturating_mul(self.quota_pods()))
    }

    pub fn quota_memory(&self) -> Memory {
        Memory(self.memory.0.saturating_mul(self.quota_pods()))
    }
}
