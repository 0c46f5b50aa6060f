//! An application: one base without environments, and an overlay for each of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    contribution::{Need, Needed, Secret, Writer},
    database::{self, ApplicationSpec, Share},
    diagnostics::{Finding, Report},
    foundation::{Environment, Foundation},
    layer::{Layer, Wait},
    page::{Page, seeded},
    pages,
    program::{Commands, Language, Program},
    source::{Decided, Located, Span, value_or},
    words::{
        Bareword, CodeOwner, Cpu, DatabaseName, Memory, Name, Repository, SecretKey, Text, UrlPath,
        VariableName,
        patterns::{Pattern, Spelled},
    },
};

pub mod capacity;
pub mod container;
pub mod delivery;
mod exposure;
pub mod monitoring;
pub mod permissions;
mod shutdown;
mod variables;

use container::Value;
pub use delivery::Delivery;
pub use exposure::Exposure;
pub use permissions::Permission;
pub use shutdown::Shutdown;
pub use variables::{SecretVariable, Variable};

/// For each application, the Kustomization that deploys it. It waits only for its own login.
pub const LAYER: &Layer = &Layer {
    name: "applications",
    after: Some(database::LAYER),
    wait: Wait::ForEach("The Kustomization of each application waits for its own pods."),
    beside: false,
    about: "for each application: the Flux Kustomization that deploys it",
};

/// An application. It has the same files in every environment; what the overlays say may differ.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Spec {
    /// The name of its repository. Default: the application's name.
    #[schemars(with = "Option<Spelled<Repository>>")]
    #[schemars(extend("x-platform-wide" = "an application is built once, in one repository"))]
    repository: Option<Located<String>>,
    /// The port that the application listens on.
    #[schemars(range(min = 1024, max = 65535), extend("default" = PORT))]
    #[schemars(extend("x-platform-wide" = "all environments run the same image, with the same port"))]
    port: Option<Located<u32>>,
    /// The health probes.
    #[schemars(extend("x-platform-wide" = "all environments run the same image, with the same probes"))]
    probes: Option<Probes>,
    /// The endpoint for Prometheus metrics.
    #[schemars(extend("x-platform-wide" = "all environments run the same image, with the same metrics"))]
    metrics: Option<Metrics>,
    /// The programming language, which decides how the code is checked and the image is built. Default: `go`, or none if
    /// `commands` is set.
    #[schemars(extend("x-platform-wide" = "an application is built once, in one language"))]
    language: Option<Located<Language>>,
    /// The line of versions of the language. Robots raise the toolchain and the image that builds within it. Default: the line that
    /// this release of blueprint uses.
    #[schemars(extend("x-platform-wide" = "an application is built once, with one version of its language"))]
    language_version: Option<Located<String>>,
    /// The commands that check the code, instead of those of the language. Without a language you write the Dockerfile yourself.
    #[schemars(extend("x-platform-wide" = "an application is built once, by the same commands"))]
    commands: Option<Commands>,
    /// Whether a starter program is written once, which belongs to you afterwards. It is written in Go. Default: `true` for Go,
    /// else `false`.
    #[schemars(extend("x-platform-wide" = "an application is built once, from one program"))]
    starter: Option<Located<bool>>,
    /// Who must approve changes to the code, such as `@acme/shop-team`.
    #[schemars(with = "Option<Vec<Spelled<CodeOwner>>>", extend("default" = []))]
    #[schemars(extend("x-platform-wide" = "the application has one repository, with one list of owners"))]
    code_owners: Option<Vec<Located<String>>>,
    /// The graceful shutdown of a pod, in seconds.
    #[schemars(extend("x-platform-wide" = "all environments run the same image, which shuts down the same way"))]
    shutdown: Option<shutdown::Spec>,
    /// Environment variables, by name. Everybody who reads the repository sees them: put secrets into `secrets`.
    #[schemars(extend("default" = {}, "propertyNames" = {"pattern": VariableName::pattern()}))]
    env: Option<variables::Table>,
    /// Environment variables with secret values: for each variable, the path in Parameter Store below
    /// `/PLATFORM/ENVIRONMENT/APPLICATION/`. A person puts the value there. A new value under a new path, such as
    /// `payment/key-2`, restarts the pods.
    #[schemars(with = "Option<BTreeMap<String, Spelled<SecretKey>>>")]
    #[schemars(extend("default" = {}, "propertyNames" = {"pattern": VariableName::pattern()}))]
    #[schemars(extend("x-platform-wide" = "the program reads the same variables everywhere; each environment has values of its own"))]
    secrets: Option<variables::Table>,
    /// The number of pods, and when the autoscaler adds some.
    replicas: Option<Replicas>,
    /// The CPU request of each pod.
    #[schemars(with = "Option<Spelled<Cpu>>", extend("default" = CPU.to_string()))]
    cpu: Option<Located<String>>,
    /// The CPU limit of each pod. Default: none, because a limit throttles a pod even if its node has idle cores.
    #[schemars(with = "Option<Spelled<Cpu>>")]
    cpu_limit: Option<Located<String>>,
    /// The memory request of each pod, which is also its limit. Default: `512Mi` for Java, else `256Mi`.
    #[schemars(with = "Option<Spelled<Memory>>")]
    memory: Option<Located<String>>,
    /// The host name of the application: a label below the zone such as `shop`, or a full name in the zone. Default: none, the
    /// application is reached from inside the cluster only.
    host: Option<Located<String>>,
    /// Whether `host` is reachable from the internet. Otherwise it is reachable from inside the network only.
    #[schemars(extend("default" = PUBLIC))]
    public: Option<Located<bool>>,
    /// The address ranges that may connect to `host`. Default: all addresses if it is `public`, else the network and its peers.
    #[schemars(length(min = 1, max = 40))]
    allowed_ranges: Option<Vec<Located<String>>>,
    /// The ARN of an AWS WAF web ACL that filters the requests to `host`. Default: none.
    web_acl: Option<Located<String>>,
    /// Whether the application may open HTTPS connections to the internet.
    #[schemars(extend("default" = INTERNET))]
    #[schemars(extend("x-platform-wide" = "the program connects to the same services everywhere"))]
    internet: Option<Located<bool>>,
    /// What the application may do in AWS, with an IAM role of its own: a name for each permission. Default: none, it has no
    /// role.
    permissions: Option<permissions::Table>,
    /// Whether the image can be pulled without a credential.
    #[schemars(extend("default" = IMAGE_PUBLIC))]
    #[schemars(extend("x-platform-wide" = "all environments pull the same image"))]
    image_public: Option<Located<bool>>,
    /// How a release reaches an environment.
    #[schemars(extend("default" = Delivery::default()))]
    delivery: Option<Located<Delivery>>,
    /// Whether the pull request of a release merges automatically once its checks pass.
    #[schemars(extend("default" = delivery::AUTO_MERGE))]
    auto_merge: Option<Located<bool>>,
    /// A database for this application. It is set outside `[environments]`, for all of them. Default: none.
    database: Option<Located<ApplicationSpec>>,
}

/// The health probes of an application.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Probes {
    /// The path of the liveness probe. It answers while the process works, and depends on no other service.
    #[schemars(with = "Option<Spelled<UrlPath>>", extend("default" = LIVENESS))]
    liveness: Option<Located<String>>,
    /// The path of the readiness probe. It answers when the application can take requests.
    #[schemars(with = "Option<Spelled<UrlPath>>", extend("default" = READINESS))]
    readiness: Option<Located<String>>,
    /// How long the application may take to start, in seconds.
    #[schemars(range(min = 2, max = 300), extend("default" = START_WITHIN))]
    start_within: Option<Located<u32>>,
}

/// The endpoint for Prometheus metrics.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Metrics {
    /// Whether the application has metrics.
    #[schemars(extend("default" = METRICS))]
    enabled: Option<Located<bool>>,
    /// The port of the metrics. It differs from `port`, so that no load balancer serves them.
    #[schemars(range(min = 1024, max = 65535), extend("default" = METRICS_PORT))]
    port: Option<Located<u32>>,
    /// The path of the metrics.
    #[schemars(with = "Option<Spelled<UrlPath>>", extend("default" = METRICS_PATH))]
    path: Option<Located<String>>,
}

/// The number of pods, and when the autoscaler adds some.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Replicas {
    /// The minimum number of pods.
    #[schemars(range(min = 1, max = 100), extend("default" = MIN_REPLICAS))]
    min: Option<Located<u32>>,
    /// The maximum number of pods. Default: three times `min`.
    #[schemars(range(min = 1, max = 300))]
    max: Option<Located<u32>>,
    /// The CPU usage above which pods are added, in percent of `cpu`.
    #[schemars(range(min = 1, max = 100), extend("default" = CPU_UTILIZATION))]
    #[schemars(extend("x-platform-wide" = "all environments run the same program, which has the same bottleneck"))]
    cpu_utilization: Option<Located<u32>>,
    /// The memory usage above which pods are added, in percent of `memory`. Default: none, because most programs do not return
    /// memory, so that pods would only be added.
    #[schemars(range(min = 1, max = 100))]
    #[schemars(extend("x-platform-wide" = "all environments run the same program, which has the same bottleneck"))]
    memory_utilization: Option<Located<u32>>,
}

const PORT: u32 = 8080;
const CPU: Cpu = Cpu(250);
const PUBLIC: bool = true;
const INTERNET: bool = false;
const IMAGE_PUBLIC: bool = false;
const LIVENESS: &str = "/livez";
const READINESS: &str = "/readyz";
const START_WITHIN: u32 = 60;
const METRICS: bool = true;
const METRICS_PORT: u32 = 9090;
const METRICS_PATH: &str = "/metrics";
const MIN_REPLICAS: u32 = 2;
const CPU_UTILIZATION: u32 = 70;

/// What is the same in all environments. The base is rendered from this alone.
#[derive(Clone, Debug)]
pub struct Application {
    /// The key of its table in `[applications]`, which is also the name of its namespace.
    pub name: Name,
    /// The repository with its code. Default: the application's name.
    pub repository: Decided<Repository>,
    /// The port that the program listens on for HTTP, 1024 to 65535.
    pub port: u32,
    /// The path of the liveness probe.
    pub liveness: UrlPath,
    /// The path of the readiness probe. It differs from `liveness`.
    pub readiness: UrlPath,
    /// In seconds.
    start_within: u32,
    /// Whether it has metrics.
    pub has_metrics: bool,
    /// The endpoint that Prometheus scrapes.
    pub metrics: MetricsEndpoint,
    /// The durations of the graceful shutdown.
    pub shutdown: Shutdown,
    /// The values of the base; each overlay has its own.
    pub variables: Vec<Variable>,
    /// The variables whose values come from Parameter Store.
    pub secrets: Vec<SecretVariable>,
    /// Whether it may connect to the internet.
    pub internet: bool,
    /// In percent of the CPU request.
    pub cpu_utilization: u32,
    /// In percent of the memory request. None if memory usage does not add pods.
    pub memory_utilization: Option<u32>,
    /// The language, and the commands that check the code.
    pub program: Program,
    /// Who must approve changes to its code.
    pub code_owners: Vec<CodeOwner>,
    /// Whether its image can be pulled without a credential.
    pub image_public: bool,
    /// Its database, and the role that owns it.
    pub database: Option<Decided<DatabaseName>>,
    /// The login in the base; each overlay has its own.
    pub login: u32,
    /// The values of the base; each overlay has its own.
    pub size: Size,
}

/// A port, and a path on it.
#[derive(Clone, Debug)]
pub struct MetricsEndpoint {
    /// The port, 1024 to 65535.
    pub port: u32,
    /// The path of the HTTP endpoint.
    pub path: UrlPath,
}

/// The number and size of its pods.
#[derive(Clone, Debug)]
pub struct Size {
    /// The minimum number of pods.
    pub min: u32,
    /// The maximum number of pods.
    pub max: u32,
    /// The CPU request of a pod.
    pub cpu: Cpu,
    /// The CPU limit of a pod. None if there is no limit.
    pub cpu_limit: Option<Cpu>,
    /// The memory request of a pod, which is also its limit.
    pub memory: Memory,
}

/// An application in one environment.
#[derive(Clone, Debug)]
pub struct Workload {
    /// The position of the application's name.
    pub place: Span,
    /// What is the same in all environments.
    pub application: Arc<Application>,
    /// The number and size of its pods in this environment.
    pub size: Size,
    /// The environment variables with the values of this environment.
    pub variables: Vec<Variable>,
    /// How it is reached from outside the cluster.
    pub exposure: Option<Exposure>,
    /// Its database in this environment. None if the application has no database.
    pub database: Option<Share>,
    /// The permissions of its role. Without any there is no role.
    pub permissions: Vec<Permission>,
    /// How a release reaches this environment.
    pub delivery: Delivery,
    /// Whether the pull request of a release merges automatically.
    pub auto_merge: bool,
}

/// The prefix of an application's role, before `-` and the application's name. No other role has it.
pub const APPLICATION_ROLE: &str = "app";

/// The initial tag in an overlay: the first release of every application.
pub const FIRST_TAG: &str = "0.1.0";

impl Spec {
    /// Whether the key `database` is set.
    pub fn has_database(&self) -> bool {
        self.database.is_some()
    }

    /// The value of the key `delivery`, or its default.
    pub fn delivery(&self) -> Delivery {
        value_or(&self.delivery, Delivery::default())
    }
}

impl Application {
    /// Resolves the base from the keys outside `[environments]`. Invalid values are reported and replaced by placeholders.
    pub fn resolve(name: &Located<String>, spec: &Spec, report: &mut Report) -> Self {
        let at = name;
        let name: Decided<Name> = report.read(Some(name));
        let repository = match &spec.repository {
            None => name.clone().map(|name| Repository::named(&name)),
            asked => report.read(asked.as_ref()),
        };
        let probes = spec.probes.clone().unwrap_or_default();
        let mut path = |asked, default| report.read_or(asked, UrlPath::ours(default));
        let liveness = path(probes.liveness.as_ref(), LIVENESS);
        let readiness = path(probes.readiness.as_ref(), READINESS);
        if let Some(asked) = probes.readiness.as_ref().or(probes.liveness.as_ref())
            && liveness.same(&readiness)
        {
            report.add(
                Finding::new("application/probes", "`liveness` and `readiness` use the same path")
                    .at(asked.span(), format!("`{liveness}` is used for both"))
                    .help("use two paths: a pod that is not ready must not be restarted for it"),
            );
        }
        let image_public = value_or(&spec.image_public, IMAGE_PUBLIC);
        let database = spec.database.as_ref().map(|asked| asked.name(at, report));
        let port = value_or(&spec.port, PORT);
        let (language, commands) = (spec.language.as_ref(), spec.commands.as_ref());
        let version = spec.language_version.as_ref();
        let program = Program::resolve(at, language, version, commands, spec.starter.as_ref(), report);
        let size = Size::resolve(at, spec, &program, report);
        let code_owners = spec.code_owners.iter().flatten().filter_map(|it| report.try_read(it)).collect();
        let (env, has_database) = (spec.env.as_ref(), database.is_some());
        let secrets = variables::secret(spec.secrets.as_ref(), env, has_database, report);
        let variables = variables::plain(env, has_database, report);
        let replicas = spec.replicas.clone().unwrap_or_default();
        Self {
            metrics: MetricsEndpoint::metrics(at, port, spec, report),
            has_metrics: spec.metrics.as_ref().is_none_or(|it| value_or(&it.enabled, METRICS)),
            start_within: value_or(&probes.start_within, START_WITHIN),
            shutdown: Shutdown::resolve(at, spec.shutdown.as_ref(), report),
            variables: variables::with_memory_limit(variables, &secrets, &program, &size),
            secrets,
            internet: value_or(&spec.internet, INTERNET),
            cpu_utilization: value_or(&replicas.cpu_utilization, CPU_UTILIZATION),
            memory_utilization: replicas.memory_utilization.as_ref().map(|it| **it),
            login: spec.database.as_ref().map_or(1, |asked| asked.login()),
            name: name.value(),
            repository,
            port,
            liveness: liveness.value(),
            readiness: readiness.value(),
            program,
            code_owners,
            image_public,
            database,
            size,
        }
    }

    /// Resolves the application in one environment. `spec` is the base merged with the overlay; `name` is its key there.
    pub fn workload(
        self: &Arc<Self>,
        name: &Located<String>,
        spec: &Spec,
        environment: &Environment,
        report: &mut Report,
    ) -> Workload {
        let share = |database: &Decided<DatabaseName>| Share {
            application: self.name.clone(),
            name: database.clone().value(),
            login: spec.database.as_ref().map_or(1, |asked| asked.login()),
        };
        if let (None, Some(asked)) = (&self.database, &spec.database)
            && !report.already_reported(&["applications", name, "database"])
        {
            let title = format!("`database` of `{}` is set only in an environment", name.escape_debug());
            report.add(
                Finding::new("application/database", title)
                    .at(asked.span(), "an application has a database in all environments or in none")
                    .help("add `database` to the application outside `[environments]`"),
            );
        }
        check_single_replica(name, spec, report);
        let has_database = self.database.is_some();
        // A secret of the base may conflict with a variable of the overlay.
        let secrets = variables::secret(spec.secrets.as_ref(), spec.env.as_ref(), has_database, report);
        let variables = variables::plain(spec.env.as_ref(), has_database, report);
        let size = Size::resolve(name, spec, &self.program, report);
        Workload {
            place: name.span(),
            application: Arc::clone(self),
            variables: variables::with_memory_limit(variables, &secrets, &self.program, &size),
            size,
            exposure: Exposure::resolve(name, spec, environment, report),
            database: self.database.as_ref().map(share),
            permissions: permissions::resolve(spec.permissions.as_ref(), report),
            delivery: spec.delivery(),
            auto_merge: delivery::auto_merge(name, spec, report),
        }
    }

    /// The code owners, in the syntax of CODEOWNERS.
    pub fn owners(&self) -> Text {
        Text::ours(self.code_owners.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
    }

    /// How often the startup probe may fail. It runs every two seconds.
    pub fn start_failures(&self) -> u32 {
        self.start_within.div_ceil(2)
    }

    /// In seconds: time for a new node, for pulling the image, and for the program to start.
    pub fn progress_deadline(&self) -> u32 {
        240 + self.start_within
    }

    /// Whether its environment contains values of a Secret.
    pub fn is_trusted(&self) -> bool {
        self.database.is_some() || !self.secrets.is_empty()
    }

    /// The end of its role's name.
    pub fn role(&self) -> Bareword {
        Bareword::of(APPLICATION_ROLE).and('-', &self.name)
    }

    /// [`FIRST_TAG`], for templates.
    pub fn first_tag(&self) -> &'static str {
        FIRST_TAG
    }

    /// The needs of the application in every environment.
    pub fn needs(&self) -> Vec<Needed> {
        let by = format!("application `{}`, which is scaled by its CPU usage", self.name);
        let usage = Needed { need: Need::Usage, by };
        let secrets =
            |what: &str| Needed { need: Need::Secrets, by: format!("application `{}`, {what}", self.name) };
        let pull = (!self.image_public).then(|| secrets("whose image is private"));
        let database = self.database.is_some().then(|| secrets("which has a database"));
        [usage].into_iter().chain(pull).chain(database).collect()
    }

    /// The pages of the base.
    pub fn pages(&self, foundation: &Foundation) -> Vec<Page> {
        let Self { name, .. } = self;
        let application = self;
        let mut pages = pages! { { application: Application, foundation: Foundation }
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

/// A disruption budget and a topology spread need at least two pods, and graceful shutdown does not cover the time until a new pod is ready.
fn check_single_replica(name: &Located<String>, spec: &Spec, report: &mut Report) {
    let min = spec.replicas.as_ref().and_then(|it| it.min.as_ref()).filter(|it| ***it == 1);
    if let (Some(at), Some(_)) = (min, &spec.host) {
        let reached = if value_or(&spec.public, PUBLIC) { "is public" } else { "has a host" };
        let title = format!("`{}` {reached} but runs one replica", name.escape_debug());
        report.add(
            Finding::warning("application/alone", title)
                .at(at.span(), "it is unavailable when its node is drained")
                .help("write `min = 2`, or accept the interruption"),
        );
    }
}

impl Workload {
    /// The needs that the application has only in this environment.
    pub fn needs(&self) -> Vec<Needed> {
        let by = format!("application `{}`, which has a host", self.application.name);
        self.exposure.iter().map(|_| Needed { need: Need::LoadBalancers, by: by.clone() }).collect()
    }

    /// The secrets that its namespace reads from Parameter Store.
    pub fn secrets(&self) -> Vec<Secret> {
        let pull = || Secret {
            namespace: Bareword::of(&self.application.name),
            key: "registry/docker-config".to_owned(),
            writer: Writer::Person,
            about: "the pull credential for the image of the application, as a Docker configuration",
        };
        let logins = self.database.iter().flat_map(Share::secrets);
        let own: BTreeSet<Secret> =
            self.application.secrets.iter().map(|it| it.put(&self.application.name)).collect();
        (!self.application.image_public).then(pull).into_iter().chain(logins).chain(own).collect()
    }

    /// Patches of the base, resources of one environment, and what the platform creates for every application.
    pub fn pages(&self, environment: &Environment) -> Vec<Page> {
        let Self { application, size, variables, .. } = self;
        let name = &application.name;
        let login = &self.database.as_ref().map(|share| share.login);
        let has_role = &!self.permissions.is_empty();
        let has_host = &self.exposure.is_some();
        let mut pages = pages! {
            {
                application: Application, size: Size, environment: Environment, variables: Vec<Variable>,
                login: Option<u32>, has_role: bool, has_host: bool,
            }
            Patch "kubernetes-manifest/apps/{name}/overlays/{environment}/autoscaler.yaml",
            Patch "kubernetes-manifest/apps/{name}/overlays/{environment}/deployment.yaml",
            Patch "kubernetes-manifest/apps/{name}/overlays/{environment}/disruption-budget.yaml",
            Resource "kubernetes-manifest/clusters/{environment}/tenants/{name}/limits.yaml",
            Resource "kubernetes-manifest/clusters/{environment}/tenants/{name}/namespace.yaml",
            Resource "kubernetes-manifest/clusters/{environment}/tenants/{name}/network-policy.yaml",
            Resource "kubernetes-manifest/clusters/{environment}/tenants/{name}/quota.yaml",
            Resource "kubernetes-manifest/clusters/{environment}/tenants/{name}/role-binding.yaml",
            Resource "kubernetes-manifest/clusters/{environment}/tenants/{name}/service-account.yaml",
        };
        pages.extend(self.secret_pages(environment));
        if let Some(exposure) = &self.exposure {
            pages.extend(pages! {
                { application: Application, exposure: Exposure, environment: Environment }
                Resource "kubernetes-manifest/apps/{name}/overlays/{environment}/allow-load-balancer.yaml",
                Resource "kubernetes-manifest/apps/{name}/overlays/{environment}/ingress.yaml",
            });
        }
        if application.internet {
            pages.extend(pages! { { application: Application, environment: Environment }
                Resource "kubernetes-manifest/apps/{name}/overlays/{environment}/allow-internet.yaml",
            });
        }
        if *has_role {
            pages.extend(pages! { { application: Application, environment: Environment }
                Resource "kubernetes-manifest/apps/{name}/overlays/{environment}/allow-aws.yaml",
            });
        }
        // With Pod Identity, Terraform associates the role with the service account.
        if *has_role && !environment.pod_identity() {
            pages.extend(pages! { { application: Application, environment: Environment }
                Patch "kubernetes-manifest/apps/{name}/overlays/{environment}/service-account.yaml",
            });
        }
        pages
    }

    /// The ExternalSecrets of its namespace, and the connection to its database.
    fn secret_pages(&self, environment: &Environment) -> Vec<Page> {
        let application = &self.application;
        let name = &application.name;
        let keys = &variables::keys(&application.secrets);
        let mut pages = Vec::new();
        if let Some(share) = &self.database {
            pages.extend(pages! { { application: Application, share: Share, environment: Environment }
                Resource "kubernetes-manifest/apps/{name}/overlays/{environment}/allow-database.yaml",
                Resource "kubernetes-manifest/apps/{name}/overlays/{environment}/database.yaml",
            });
        }
        if !application.image_public {
            pages.extend(pages! { { application: Application, environment: Environment }
                Resource "kubernetes-manifest/apps/{name}/overlays/{environment}/registry.yaml",
            });
        }
        if !keys.is_empty() {
            pages.extend(
                pages! { { application: Application, keys: Vec<SecretKey>, environment: Environment }
                    Resource "kubernetes-manifest/apps/{name}/overlays/{environment}/secrets.yaml",
                },
            );
        }
        pages
    }
}

impl MetricsEndpoint {
    fn metrics(name: &Located<String>, serves: u32, spec: &Spec, report: &mut Report) -> Self {
        let asked = spec.metrics.clone().unwrap_or_default();
        let port = value_or(&asked.port, METRICS_PORT);
        let known = !report.already_reported(&["applications", name, "port"])
            && !report.already_reported(&["applications", name, "metrics"]);
        let at = asked.port.as_ref().or(spec.port.as_ref()).filter(|_| port == serves && known);
        if let Some(at) = at {
            report.add(
                Finding::new("application/metrics", format!("`port` and `metrics.port` are both {port}"))
                    .at(at.span(), "whoever may send requests could also read the metrics")
                    .help("use two ports, such as `port = 8080` and `metrics = { port = 9090 }`"),
            );
        }
        let path = report.read_or(asked.path.as_ref(), UrlPath::ours(METRICS_PATH)).value();
        Self { port, path }
    }
}

impl Workload {
    /// The Kustomization that deploys it, after everything that it depends on.
    pub fn delivery(&self, environment: &Environment) -> Vec<Page> {
        let application = &self.application;
        let name = &application.name;
        let database = &self.database;
        pages! { { application: Application, environment: Environment, database: Option<Share> }
            Resource "kubernetes-manifest/clusters/{environment}/applications/{name}.yaml",
        }
    }
}

impl Size {
    fn resolve(name: &Located<String>, spec: &Spec, program: &Program, report: &mut Report) -> Self {
        let replicas = spec.replicas.clone().unwrap_or_default();
        let min = value_or(&replicas.min, MIN_REPLICAS);
        let max = value_or(&replicas.max, min * 3);
        let known = !report.already_reported(&["applications", name, "replicas"]);
        if let Some(at) = replicas.max.as_ref().or(replicas.min.as_ref()).filter(|_| max < min && known) {
            report.add(
                Finding::new(
                    "application/replicas",
                    format!("`{}` has `min = {min}` and `max = {max}`", name.escape_debug()),
                )
                .at(at.span(), "`max` is smaller than `min`")
                .help(format!("write `max = {min}` or more")),
            );
        }
        let cpu = report.read_or(spec.cpu.as_ref(), CPU);
        let known = cpu.valid().is_some() && !report.already_reported(&["applications", name, "cpu"]);
        let cpu = cpu.value();
        let cpu_limit: Option<Cpu> = spec.cpu_limit.as_ref().and_then(|asked| report.try_read(asked));
        if let (Some(asked), Some(limit)) = (&spec.cpu_limit, cpu_limit)
            && limit < cpu
            && known
        {
            report.add(
                Finding::new(
                    "application/cpu-limit",
                    format!("`cpu-limit` of `{}` is smaller than `cpu`", name.escape_debug()),
                )
                .at(asked.span(), format!("`cpu` is {cpu}"))
                .help(format!("write {cpu} or more, or remove it")),
            );
        }
        let memory = report.read_or(spec.memory.as_ref(), program.memory());
        let known = memory.valid().is_some() && !report.already_reported(&["applications", name, "language"]);
        let memory = memory.value();
        if let (Some(asked), Some((language, least))) = (&spec.memory, program.least_memory())
            && memory < least
            && known
        {
            report.add(
                Finding::warning(
                    "application/memory",
                    format!("{memory} of memory is too little for a service in {language}"),
                )
                .at(asked.span(), "the kernel kills a pod that exceeds its limit")
                .help(format!(
                    "write `{least}` or more, or remove it: the default is `{}`",
                    program.memory()
                )),
            );
        }
        Self { min, max, cpu, cpu_limit, memory }
    }

    /// How many extra pods there may be during a rollout: a quarter, as in the Deployment.
    pub fn surge(&self) -> u32 {
        self.max.div_ceil(4)
    }

    /// Twice the number of pods in the largest rollout.
    pub fn quota_pods(&self) -> u32 {
        2 * (self.max + self.surge())
    }

    /// The CPU requests that the quota of the namespace allows: those of `quota_pods` pods.
    pub fn quota_cpu(&self) -> Cpu {
        Cpu(self.cpu.0.saturating_mul(self.quota_pods()))
    }

    /// The memory requests that the quota of the namespace allows: those of `quota_pods` pods.
    pub fn quota_memory(&self) -> Memory {
        Memory(self.memory.0.saturating_mul(self.quota_pods()))
    }
}
