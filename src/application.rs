//! An application: one base without environments, and an overlay for each of them.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    contribution::{Need, Needed},
    diagnostics::{Finding, Report},
    foundation::{Environment, Foundation},
    page::{Page, seeded},
    pages,
    source::{Located, value_or},
    words::{Cpu, Memory, Name, Repository, UrlPath, Word},
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
#[derive(Debug)]
pub struct Workload {
    pub application: Application,
    pub size: Size,
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
        Self { name, repository, port: value_or(&spec.port, 8080), liveness, readiness, size }
    }

    pub fn workload(&self, name: &Located<String>, spec: &Spec, report: &mut Report) -> Workload {
        Workload { application: self.clone(), size: Size::resolve(name, spec, report) }
    }

    pub fn first_tag(&self) -> &'static str {
        FIRST_TAG
    }

    pub fn needs(&self) -> Vec<Needed> {
        let by = format!("application `{}`, which is scaled by its use of processors", self.name);
        vec![Needed { need: Need::Usage, by }]
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

impl Workload {
    /// The same files in every environment: patches of the base, and what the platform gives to whoever it runs.
    pub fn pages(&self, environment: &Environment) -> Vec<Page> {
        let Self { application, size } = self;
        let name = &application.name;
        pages! { { application: Application, size: Size, environment: Environment }
            Patch "kubernetes-manifest/apps/{name}/overlays/{environment}/autoscaler.yaml",
            Patch "kubernetes-manifest/apps/{name}/overlays/{environment}/deployment.yaml",
            Resource "kubernetes-manifest/clusters/{environment}/applications/{name}.yaml",
            Resource "kubernetes-manifest/clusters/{environment}/tenants/{name}/limits.yaml",
            Resource "kubernetes-manifest/clusters/{environment}/tenants/{name}/namespace.yaml",
            Resource "kubernetes-manifest/clusters/{environment}/tenants/{name}/network-policy.yaml",
            Resource "kubernetes-manifest/clusters/{environment}/tenants/{name}/quota.yaml",
            Resource "kubernetes-manifest/clusters/{environment}/tenants/{name}/role-binding.yaml",
            Resource "kubernetes-manifest/clusters/{environment}/tenants/{name}/service-account.yaml",
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
