//! An application: one base without environments, and an overlay for each of them.

use std::{collections::BTreeSet, rc::Rc};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    contribution::{Need, Needed, Secret, Writer},
    database::{ApplicationSpec, Share},
    diagnostics::{Finding, Report},
    foundation::{Environment, Foundation},
    page::{Page, seeded},
    pages,
    program::{Commands, Language, Program},
    source::{Decided, Located, Span, value_or},
    words::{Bareword, CodeOwner, Cpu, DatabaseName, Memory, Name, Repository, SecretKey, Text, UrlPath},
};

pub mod container;
pub mod delivery;
mod exposure;
pub mod permissions;
pub mod room;
mod shutdown;
mod variables;
pub mod watch;

use container::Value;
pub use delivery::Delivery;
pub use exposure::Exposure;
pub use permissions::Permission;
pub use shutdown::Shutdown;
pub use variables::{SecretVariable, Variable};

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
    /// Where it tells how it does, in the format of Prometheus.
    #[schemars(extend("x-platform-wide" = "the image is the same everywhere, and its metrics with it"))]
    metrics: Option<Metrics>,
    /// What it is written in: what checks it, and what its image is made of. `go`, if you do not say, and none if you give
    /// it `commands` instead.
    #[schemars(extend("x-platform-wide" = "an application is built once, in one language"))]
    language: Option<Located<Language>>,
    /// Commands that check it, in place of those of its language. With no language, the Dockerfile is yours too.
    #[schemars(extend("x-platform-wide" = "an application is built once, by the same commands"))]
    commands: Option<Commands>,
    /// Whether a first program is written, once, which is yours from then on. There is one in Go: `true` for that, if you
    /// do not say.
    #[schemars(extend("x-platform-wide" = "an application is built once, from one program"))]
    starter: Option<Located<bool>>,
    /// Who must approve a change of its program, such as `@acme/shop-team`. Nobody in particular, if you do not say.
    #[schemars(extend("x-platform-wide" = "its repository is one, and its owners with it"))]
    code_owners: Option<Vec<Located<String>>>,
    /// How it ends, in seconds: four numbers that fit each other.
    #[schemars(extend("x-platform-wide" = "the image is the same everywhere, and how it ends with it"))]
    shutdown: Option<shutdown::Spec>,
    /// What it finds in its environment, by the name of the variable. For everybody to read: secrets belong into `secrets`.
    env: Option<variables::Table>,
    /// Secrets that it finds in its environment: for each variable, where it lies in Parameter Store below
    /// `/PLATFORM/ENVIRONMENT/APPLICATION/`. A person puts it there. A new value under a new place, such as `payment/key-2`,
    /// restarts the pods.
    #[schemars(extend("x-platform-wide" = "the program asks for the same everywhere; what it gets lies in each environment's own place"))]
    secrets: Option<variables::Table>,
    /// How many pods run, between two bounds.
    replicas: Option<Replicas>,
    /// The processor time each pod is given at least. `250m`, if you do not say.
    cpu: Option<Located<String>>,
    /// The processor time each pod is given at most. As much as its node has to spare, if you do not say: a limit would
    /// throttle it beside idle cores.
    cpu_limit: Option<Located<String>>,
    /// The memory each pod is given, and may not exceed. Default: `512Mi` for Java, else `256Mi`.
    memory: Option<Located<String>>,
    /// Where its users find it: a label below the zone such as `shop`, or a whole name in it. Only inside the cluster, if you do not say.
    host: Option<Located<String>>,
    /// Whether its `host` is reached from the internet. It is, if you do not say; else only from inside the network.
    public: Option<Located<bool>>,
    /// The ranges of addresses that may connect to its `host`. Everybody, if you do not say; the network and its peers,
    /// where it is not `public`.
    #[schemars(length(min = 1, max = 40))]
    allowed_ranges: Option<Vec<Located<String>>>,
    /// The ARN of a web ACL of AWS WAF that judges each request to its `host`. None does, if you do not say.
    web_acl: Option<Located<String>>,
    /// Whether it may open HTTPS connections to the internet. It may not, if you do not say.
    #[schemars(extend("x-platform-wide" = "the program speaks to the same services everywhere"))]
    internet: Option<Located<bool>>,
    /// What it may do in AWS, by a role of its own: a name for each permission. It has no role, if you do not say.
    permissions: Option<permissions::Table>,
    /// Whether anybody may pull its image. Nodes show a credential, if you do not say.
    #[schemars(extend("x-platform-wide" = "the image is one, and so is who may pull it"))]
    image_public: Option<Located<bool>>,
    /// How its releases reach an environment. `manual`, if you do not say: it asks for nothing that a person must make first.
    delivery: Option<Located<Delivery>>,
    /// Whether the pull request of a release merges by itself, once its checks have passed. It waits for a person, if you do
    /// not say.
    auto_merge: Option<Located<bool>>,
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
    /// How many seconds it may take to start. 60, if you do not say.
    #[schemars(range(min = 2, max = 300))]
    start_within: Option<Located<u32>>,
}

/// Where an application tells how it does.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Metrics {
    /// Whether it does at all. It does, if you do not say.
    enabled: Option<Located<bool>>,
    /// A port of its own, so that no load balancer shows them. 9090, if you do not say.
    #[schemars(range(min = 1024, max = 65535))]
    port: Option<Located<u32>>,
    /// `/metrics`, if you do not say.
    path: Option<Located<String>>,
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
    /// The use of processors, in percent of `cpu`, above which there will be more pods. 70, if you do not say.
    #[schemars(range(min = 1, max = 100))]
    #[schemars(extend("x-platform-wide" = "the program is the same everywhere, and what wears it out with it"))]
    cpu_utilization: Option<Located<u32>>,
    /// The use of memory, in percent of `memory`, above which there will be more pods. It does not matter, if you do not
    /// say: most programs keep what they once had.
    #[schemars(range(min = 1, max = 100))]
    #[schemars(extend("x-platform-wide" = "the program is the same everywhere, and what wears it out with it"))]
    memory_utilization: Option<Located<u32>>,
}

/// What is the same in every environment. The base is rendered from this alone.
#[derive(Clone, Debug)]
pub struct Application {
    pub name: Name,
    pub repository: Decided<Repository>,
    pub port: u32,
    pub liveness: UrlPath,
    pub readiness: UrlPath,
    /// In seconds.
    start_within: u32,
    /// Whether it tells how it does.
    pub measured: bool,
    /// Where Prometheus asks how it does.
    pub metrics: Endpoint,
    pub shutdown: Shutdown,
    /// What the base says, and each overlay says anew.
    pub variables: Vec<Variable>,
    pub secrets: Vec<SecretVariable>,
    /// Whether it may speak to the internet.
    pub internet: bool,
    /// In percent of what a pod asks for.
    pub cpu_utilization: u32,
    pub memory_utilization: Option<u32>,
    pub program: Program,
    /// Who must approve a change of its program.
    pub code_owners: Vec<CodeOwner>,
    /// Whether anybody may pull its image.
    pub image_public: bool,
    /// Its database, and the role that owns it.
    pub database: Option<Decided<DatabaseName>>,
    /// The login that the base speaks of, and each overlay anew.
    pub login: u32,
    /// What the base says, and each overlay says anew.
    pub size: Size,
}

/// A port, and a path on it.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub port: u32,
    pub path: UrlPath,
}

/// How much of it runs.
#[derive(Clone, Debug)]
pub struct Size {
    pub min: u32,
    pub max: u32,
    pub cpu: Cpu,
    pub cpu_limit: Option<Cpu>,
    pub memory: Memory,
}

/// What one environment's overlay says.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Where the application is named.
    pub place: Span,
    pub application: Rc<Application>,
    pub size: Size,
    pub variables: Vec<Variable>,
    /// How it is reached from outside the cluster.
    pub exposure: Option<Exposure>,
    pub database: Option<Share>,
    /// What its role may do. Without any there is no role.
    pub permissions: Vec<Permission>,
    pub delivery: Delivery,
    /// Whether the pull request of a release merges by itself.
    pub auto_merge: bool,
}

/// What the end of the name of an application's role begins with, before `-` and its name, and no other role's.
pub const APPLICATION_ROLE: &str = "app";

/// The tag that an overlay starts with: the first release of every application.
pub const FIRST_TAG: &str = "0.1.0";

impl Spec {
    pub fn has_database(&self) -> bool {
        self.database.is_some()
    }

    pub fn delivery(&self) -> Delivery {
        value_or(&self.delivery, Delivery::default())
    }
}

impl Application {
    pub fn resolve(name: &Located<String>, spec: &Spec, report: &mut Report) -> Self {
        let at = name;
        let name: Decided<Name> = report.read(Some(name));
        let repository = match &spec.repository {
            None => name.clone().map(|name| Repository::named(&name)),
            asked => report.read(asked.as_ref()),
        };
        let probes = spec.probes.clone().unwrap_or_default();
        let mut path = |asked, default| report.read_or(asked, UrlPath::ours(default));
        let liveness = path(probes.liveness.as_ref(), "/livez");
        let readiness = path(probes.readiness.as_ref(), "/readyz");
        if let Some(asked) = probes.readiness.as_ref().or(probes.liveness.as_ref())
            && liveness.same(&readiness)
        {
            report.add(
                Finding::new("application/probes", "life and readiness are asked at one path")
                    .at(asked.span(), format!("`{liveness}` answers both"))
                    .help("give them two paths: a pod that cannot serve now must not be restarted for it"),
            );
        }
        let image_public = value_or(&spec.image_public, false);
        let database = spec.database.as_ref().map(|asked| asked.name(at, report));
        let port = value_or(&spec.port, 8080);
        let (language, commands) = (spec.language.as_ref(), spec.commands.as_ref());
        let program = Program::resolve(at, language, commands, spec.starter.as_ref(), report);
        let size = Size::resolve(at, spec, &program, report);
        let code_owners = spec.code_owners.iter().flatten().filter_map(|it| report.try_read(it)).collect();
        let (env, has_database) = (spec.env.as_ref(), database.is_some());
        let secrets = variables::secret(spec.secrets.as_ref(), env, has_database, report);
        let variables = variables::plain(env, has_database, report);
        let replicas = spec.replicas.clone().unwrap_or_default();
        Self {
            metrics: Endpoint::metrics(at, port, spec, report),
            measured: spec.metrics.as_ref().is_none_or(|it| value_or(&it.enabled, true)),
            start_within: value_or(&probes.start_within, 60),
            shutdown: Shutdown::resolve(at, spec.shutdown.as_ref(), report),
            variables: variables::with_memory_limit(variables, &secrets, &program, &size),
            secrets,
            internet: value_or(&spec.internet, false),
            cpu_utilization: value_or(&replicas.cpu_utilization, 70),
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

    pub fn workload(
        self: &Rc<Self>,
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
            && !report.excused(&["applications", name, "database"])
        {
            let title = format!("only an overlay gives `{}` a database", name.escape_debug());
            report.add(
                Finding::new("application/database", title)
                    .at(asked.span(), "whether it has one is the same everywhere")
                    .help("add a `database` to the application outside `[environments]`"),
            );
        }
        alone(name, spec, report);
        let has_database = self.database.is_some();
        // A secret of the base may meet a variable that only an overlay has.
        let secrets = variables::secret(spec.secrets.as_ref(), spec.env.as_ref(), has_database, report);
        let variables = variables::plain(spec.env.as_ref(), has_database, report);
        let size = Size::resolve(name, spec, &self.program, report);
        Workload {
            place: name.span(),
            application: Rc::clone(self),
            variables: variables::with_memory_limit(variables, &secrets, &self.program, &size),
            size,
            exposure: Exposure::resolve(name, spec, environment, report),
            database: self.database.as_ref().map(share),
            permissions: permissions::resolve(spec.permissions.as_ref(), report),
            delivery: spec.delivery(),
            auto_merge: delivery::auto_merge(name, spec, report),
        }
    }

    /// As CODEOWNERS lists them.
    pub fn owners(&self) -> Text {
        Text::ours(self.code_owners.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
    }

    /// How often the startup probe may fail, every two seconds.
    pub fn start_failures(&self) -> u32 {
        self.start_within.div_ceil(2)
    }

    /// In seconds: time for a node that has to come first, for the image, and for the program to start.
    pub fn progress_deadline(&self) -> u32 {
        240 + self.start_within
    }

    /// Whether a Secret becomes part of its environment.
    pub fn is_trusted(&self) -> bool {
        self.database.is_some() || !self.secrets.is_empty()
    }

    /// The end of the name of its role, where it has one.
    pub fn role(&self) -> Bareword {
        Bareword::of(APPLICATION_ROLE).and('-', &self.name)
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

    /// The base.
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

/// A budget and a spread hold only from two pods on, and no way of ending bridges the time until a new pod is ready.
fn alone(name: &Located<String>, spec: &Spec, report: &mut Report) {
    let min = spec.replicas.as_ref().and_then(|it| it.min.as_ref()).filter(|it| ***it == 1);
    if let (Some(at), Some(_)) = (min, &spec.host) {
        let title = format!("`{}` has users, and one pod", name.escape_debug());
        report.add(
            Finding::warning("application/alone", title)
                .at(at.span(), "each drain of its node interrupts it")
                .help("write `min = 2`, or accept the gap"),
        );
    }
}

impl Workload {
    pub fn needs(&self) -> Vec<Needed> {
        let by = format!("application `{}`, which has a host", self.application.name);
        self.exposure.iter().map(|_| Needed { need: Need::LoadBalancers, by: by.clone() }).collect()
    }

    /// What its namespace reads from Parameter Store.
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

    /// Patches of the base, what only an environment can say, and what the platform gives to whoever it runs.
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
        // With Pod Identity it is Terraform that says whose the role is.
        if *has_role && !environment.pod_identity() {
            pages.extend(pages! { { application: Application, environment: Environment }
                Patch "kubernetes-manifest/apps/{name}/overlays/{environment}/service-account.yaml",
            });
        }
        pages
    }

    /// What its namespace fetches from Parameter Store, and the way to its database.
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

impl Endpoint {
    fn metrics(name: &Located<String>, serves: u32, spec: &Spec, report: &mut Report) -> Self {
        let asked = spec.metrics.clone().unwrap_or_default();
        let port = value_or(&asked.port, 9090);
        let known = !report.excused(&["applications", name, "port"])
            && !report.excused(&["applications", name, "metrics"]);
        let at = asked.port.as_ref().or(spec.port.as_ref()).filter(|_| port == serves && known);
        if let Some(at) = at {
            report.add(
                Finding::new("application/metrics", format!("metrics and requests come in at port {port}"))
                    .at(at.span(), "then whoever reaches the one reads the other")
                    .help("give them two, such as `port = 8080` and `metrics = { port = 9090 }`"),
            );
        }
        let path = report.read_or(asked.path.as_ref(), UrlPath::ours("/metrics")).value();
        Self { port, path }
    }
}

impl Workload {
    /// What deploys it, after all that it stands on.
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
        let min = value_or(&replicas.min, 2);
        let max = value_or(&replicas.max, min * 3);
        let known = !report.excused(&["applications", name, "replicas"]);
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
        let cpu = report.read_or(spec.cpu.as_ref(), Cpu(250));
        let known = cpu.sound().is_some() && !report.excused(&["applications", name, "cpu"]);
        let cpu = cpu.value();
        let cpu_limit: Option<Cpu> = spec.cpu_limit.as_ref().and_then(|asked| report.try_read(asked));
        if let (Some(asked), Some(limit)) = (&spec.cpu_limit, cpu_limit)
            && limit < cpu
            && known
        {
            report.add(
                Finding::new(
                    "application/cpu-limit",
                    format!("`{}` may use less than it asks for", name.escape_debug()),
                )
                .at(asked.span(), format!("`cpu` is {cpu}"))
                .help(format!("write {cpu} or more, or leave it out")),
            );
        }
        let memory = report.read_or(spec.memory.as_ref(), program.memory());
        let known = memory.sound().is_some() && !report.excused(&["applications", name, "language"]);
        let memory = memory.value();
        if let (Some(asked), Some((language, least))) = (&spec.memory, program.least_memory())
            && memory < least
            && known
        {
            report.add(
                Finding::warning(
                    "application/memory",
                    format!("{memory} is less than a service in {language} needs"),
                )
                .at(asked.span(), "the kernel kills the pod when it exceeds this")
                .help(format!(
                    "write `{least}` or more, or leave it out: the default is `{}`",
                    program.memory()
                )),
            );
        }
        Self { min, max, cpu, cpu_limit, memory }
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
