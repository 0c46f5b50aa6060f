//! A resolved blueprint: every value is decided and checked.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    application::{Application, Delivery, Exposure, Workload, capacity, delivery, permissions},
    aws::{self, Roles, grants},
    blueprint::{Blueprint, Spec},
    catalogue::{Catalogue, Region},
    cluster::Cluster,
    components,
    contribution::{Contribution, Secret},
    database::{self, Database},
    diagnostics::{Finding, Report},
    dns::Dns,
    foundation::{Environment, Foundation},
    github::Github,
    infrastructure, manifests,
    network::Network,
    rights::{Excess, Rights, Stack},
    source::{Located, Span},
    words::{Account, Domain, Name, Repository, Word},
};

/// A platform whose blueprint has no errors.
#[derive(Debug)]
pub struct Platform {
    /// What all environments share.
    pub foundation: Foundation,
    /// The applications, as they are in every environment.
    pub applications: Vec<Arc<Application>>,
    /// The environments, in the order of the blueprint: at least one.
    pub environment_plans: Vec<EnvironmentPlan>,
}

/// One environment, and what runs in it.
#[derive(Debug)]
pub struct EnvironmentPlan {
    /// The foundation of the environment.
    pub environment: Environment,
    /// The contributions of the enabled components.
    pub contributions: Vec<Contribution>,
    /// The applications in this environment.
    pub workloads: Vec<Workload>,
    /// All its secrets in Parameter Store, by namespace and key.
    pub secrets: Vec<Secret>,
    /// The policies of its bootstrap stack.
    pub stack: Stack,
}

/// Continues after an error with a placeholder, so that one run finds all errors. There is a platform
/// only if there was no error.
pub fn resolve(blueprint: &Blueprint, report: &mut Report) -> Option<Platform> {
    let base = &blueprint.base;
    let name: Name = report.value(base.name.as_ref());
    let mut foundation = Foundation {
        purpose: base.purpose.as_ref().map(|purpose| report.value(Some(purpose))),
        name,
        github: Github::resolve(base.github.as_ref(), report),
        architectures: Vec::new(),
        catalogue: Catalogue::get(),
    };
    let applications = applications(base, &foundation.github, report);
    let mut environment_plans: Vec<EnvironmentPlan> = Vec::new();
    let known: Vec<String> = blueprint
        .environments
        .iter()
        .map(|(name, _)| name.as_ref().map_or_else(|| "production".to_owned(), |it| it.to_string()))
        .collect();
    for (name, spec) in &blueprint.environments {
        report.enter(name.as_ref().map(|name| name.as_str()));
        grants::check(spec.aws.as_ref().and_then(|it| it.grants.as_ref()), &known, report);
        let first =
            |account: &Account| environment_plans.iter().all(|plan| *plan.environment.account != *account);
        let stateful = applications.iter().any(|it| it.database.is_some());
        let place = name.as_ref().map_or_else(|| blueprint.place.clone(), Located::span);
        let environment = environment((name.as_ref(), &place), spec, &foundation, (first, stateful), report);
        let nested = environment_plans.iter().find(|it| it.environment.nests(&environment));
        if let (Some(other), Some(name)) = (nested, name) {
            let title =
                format!("the names of `{}` and `{}` are ambiguous", other.environment, environment.name);
            report.add(
                Finding::new("environment/prefix", title)
                    .at(name.span(), "one name starts with the other, and both are in one account")
                    .help("rename one of them: a pipeline may change everything in its account whose name starts with its environment and `-`"),
            );
        }
        let other = environment_plans.iter().find(|it| it.environment.same_zone(&environment));
        if let (Some(other), Some(asked)) = (other, spec.dns.as_ref().and_then(|dns| dns.zone.as_ref()))
            && !report.already_reported(&["dns"])
        {
            report.add(
                Finding::new("dns/shared", format!("two environments use the zone `{}`", asked.escape_debug()))
                    .at(asked.span(), format!("`{}` uses it as well", other.environment))
                    .help("use one zone for each environment, such as `[environments.staging] dns.zone = \"staging.example.com\"`"),
            );
        }
        environment_plans.push(environment_plan((environment, &place), spec, base, &applications, report));
    }
    let mut zones: BTreeMap<&Domain, Vec<&EnvironmentPlan>> = BTreeMap::new();
    for plan in &environment_plans {
        if let Some(dns) = &plan.environment.dns {
            zones.entry(&dns.zone).or_default().push(plan);
        }
    }
    for (plan, (name, _)) in environment_plans.iter().zip(&blueprint.environments) {
        report.enter(name.as_ref().map(|name| name.as_str()));
        delegated(plan, &zones, report);
    }
    report.enter(None);
    let built_for = |arm| environment_plans.iter().any(|plan| plan.environment.cluster.has(arm));
    let architectures = [(false, "amd64"), (true, "arm64")];
    foundation.architectures =
        architectures.into_iter().filter(|(arm, _)| built_for(*arm)).map(|(_, it)| it).collect();
    (!report.failed()).then_some(Platform { foundation, applications, environment_plans })
}

fn applications(base: &Spec, github: &Github, report: &mut Report) -> Vec<Arc<Application>> {
    // GitHub and many file systems ignore case in names.
    let of_platform = [&github.infrastructure, &github.manifests].map(|it| it.lower());
    let mut taken: BTreeSet<Repository> = of_platform.into();
    taken.extend(github.blueprint.as_ref().map(Repository::lower));
    let specs = base.applications.iter().flatten();
    let resolve = |(name, spec): (&Located<String>, _)| {
        let application = Application::resolve(name, spec, report);
        let valid = application.repository.valid();
        if valid.is_some_and(|it| !taken.insert(it.lower())) {
            let title = format!("two repositories are named `{}`", application.repository);
            report.add(
                Finding::new("application/repository", title)
                    .at(name.span(), "the repository of this application")
                    .help("set another `repository` for this application"),
            );
        }
        Arc::new(application)
    };
    let applications: Vec<Arc<Application>> = specs.map(resolve).collect();
    let names = base.applications.iter().flatten().map(|(name, _)| name).zip(&applications);
    let names: Vec<_> = names.filter_map(|(name, it)| Some((name, it.database.as_ref()?.valid()?))).collect();
    database::apart(&names, report);
    applications
}

/// The name of an environment is part of role names, with those of the platform and an application, and
/// AWS allows 64 characters.
const LONGEST_ENVIRONMENT: usize = 12;

fn environment(
    (name, place): (Option<&Located<String>>, &Span),
    spec: &Spec,
    foundation: &Foundation,
    (first, stateful): (impl FnOnce(&Account) -> bool, bool),
    report: &mut Report,
) -> Environment {
    if let Some(name) = name.filter(|name| name.len() > LONGEST_ENVIRONMENT && Name::read(name).is_some()) {
        report.add(
            Finding::new("environment/name", format!("the environment name `{}` is too long", name.as_str()))
                .at(name.span(), format!("at most {LONGEST_ENVIRONMENT} characters, such as `production`"))
                .help("use a shorter name: it is part of IAM role names, which have at most 64 characters"),
        );
    }
    let aws = spec.aws.clone().unwrap_or_default();
    let account = report.read(aws.account.as_ref());
    let region = aws.region.as_ref().and_then(|asked| Region::read(asked));
    let network = Network::resolve(spec.network.as_ref(), region.as_ref(), report);
    let at = &aws.account.as_ref().map_or_else(|| place.clone(), Located::span);
    if let Some(asked) =
        spec.database.as_ref().filter(|_| !stateful && !report.already_reported(&["applications"]))
    {
        report.add(
            Finding::warning("database/unused", "`[database]` is not used")
                .at(asked.span(), "no application has a `database`")
                .help("add `[applications.NAME.database]`, or remove the section"),
        );
    }
    if stateful {
        database::trust(aws.region.as_ref(), report);
    }
    let mut environment = Environment {
        platform: foundation.name.clone(),
        name: name.map_or_else(|| Name::ours("production"), |name| report.value(Some(name))),
        cluster: Cluster::resolve(spec.cluster.as_ref(), &network, &account, at, report),
        database: stateful.then(|| Database::resolve(spec.database.as_ref(), region.as_ref(), report)),
        dns: spec.dns.as_ref().map(|dns| Dns::resolve(dns, report)),
        first_of_account: first(&account),
        roles: Roles::resolve(&aws, &account, report),
        tags: aws::tags(&aws, report),
        account,
        region: region.unwrap_or_default(),
        network,
        github: foundation.github.clone(),
        image_automation: spec
            .applications
            .iter()
            .flatten()
            .any(|(_, it)| it.delivery() == Delivery::ImageAutomation),
        grants: Rights::default(),
        catalogue: foundation.catalogue,
    };
    environment.grants = grants::resolve(aws.grants.as_ref(), &environment.names(), report);
    environment
}

fn environment_plan(
    (environment, place): (Environment, &Span),
    spec: &Spec,
    base: &Spec,
    applications: &[Arc<Application>],
    report: &mut Report,
) -> EnvironmentPlan {
    let (mut workloads, mut known) = (Vec::new(), applications.iter());
    for (name, spec) in spec.applications.iter().flatten() {
        if base.applications.as_ref().is_some_and(|base| base.contains_key(name)) {
            workloads.extend(known.next().map(|it| it.workload(name, spec, &environment, report)));
        } else if !report.was_removed(&["applications"]) {
            report.add(
                Finding::new(
                    "application/unknown",
                    format!("the application `{}` does not exist", name.escape_debug()),
                )
                .at(name.span(), "defined only in an environment")
                .help("define it outside `[environments]`, as `[applications.NAME]`"),
            );
        }
    }
    let mut needs = components::needs(&environment);
    needs.extend(applications.iter().flat_map(|it| it.needs()));
    needs.extend(workloads.iter().flat_map(Workload::needs));
    let components = spec.components.clone().unwrap_or_default();
    let contributions = components::resolve(&components, needs, &environment, report);
    names(&contributions, spec, report);
    zones(&contributions, spec, &environment, report);
    hosts(&workloads, &contributions, report);
    capacity::check(&workloads, &environment.cluster, report);
    permissions::check(&workloads, report);
    let mut secrets: Vec<Secret> = contributions.iter().flat_map(|it| it.secrets.clone()).collect();
    secrets.extend(environment.database.iter().flat_map(Database::secrets));
    secrets.extend(workloads.iter().flat_map(Workload::secrets));
    secrets.extend(delivery::secrets(&workloads));
    secrets.sort();
    let make = |wide| {
        let rights = infrastructure::rights(&environment, &contributions, &workloads, &secrets, wide);
        Stack::new(&environment.names(), &rights, environment.roles.boundary.is_none(), wide)
    };
    let asks = workloads.iter().find(|it| !it.permissions.is_empty()).or(workloads.first());
    let grants = spec.aws.as_ref().and_then(|it| it.grants.as_ref());
    let grant = grants.and_then(|it| it.keys().next()).map(Located::span);
    let place = grant.as_ref().unwrap_or_else(|| asks.map_or(place, |it| &it.place));
    let stack = fitting(make, &environment, place, report);
    EnvironmentPlan { environment, contributions, workloads, secrets, stack }
}

/// The stack with exact resources if they fit into the limits of IAM and CloudFormation, else with patterns for the resources of
/// applications. `place` is the position for findings.
fn fitting(
    make: impl Fn(bool) -> Stack,
    environment: &Environment,
    place: &Span,
    report: &mut Report,
) -> Stack {
    let names = environment.names();
    // Placeholders need not fit.
    let valid = !report.failed();
    let length = |stack| if valid { infrastructure::bootstrap(environment, stack).text().len() } else { 0 };
    let exact = make(false);
    if exact.excess(&names, length(&exact)).is_empty() {
        return exact;
    }
    let wide = make(true);
    let excess: Vec<String> = wide.excess(&names, length(&wide)).into_iter().map(Excess::words).collect();
    if !excess.is_empty() {
        report.add(
            Finding::new("aws/rights", "the bootstrap stack needs more rights than AWS takes")
                .at(place.clone(), excess.join("; "))
                .help("write `*` behind what several actions have in common, such as `s3:Get*`, or ask for less"),
        );
    }
    wide
}

/// A volume belongs to one zone, and its pod can run only there. A group with fewer nodes than zones leaves a zone without a node.
fn zones(contributions: &[Contribution], spec: &Spec, environment: &Environment, report: &mut Report) {
    let (groups, zones) = (&environment.cluster.node_groups, environment.network.zones.len() as u32);
    let already_reported = report.already_reported(&["cluster"]) || report.already_reported(&["network"]);
    let has_volumes = contributions.iter().any(|it| it.is_monitoring);
    let Some(largest) = groups.iter().max_by_key(|group| group.min) else { return };
    if already_reported || !has_volumes || largest.min >= zones {
        return;
    }
    let cluster = spec.cluster.as_ref();
    let asked = cluster.and_then(|it| it.node_groups.as_ref()).into_iter().flatten();
    let group = asked.filter(|(name, _)| name.as_str() == largest.name.to_string());
    let at = group.map(|(name, group)| group.min.as_ref().map_or_else(|| name.span(), Located::span)).next();
    // By default there are three nodes in three zones.
    let Some(at) = at.or_else(|| Some(spec.network.as_ref()?.zones.as_ref()?.span())) else { return };
    report.add(
        Finding::warning("monitoring/zones", "a volume of monitoring can be in a zone without a node")
            .at(at, format!("`{}` can have only {} nodes, but there are {zones} availability zones", largest.name, largest.min))
            .help(format!(
                "an EBS volume belongs to one zone, and its pod waits until that zone has a node: write `min = {zones}`, or lower `network.zones`"
            )),
    );
}

/// A host belongs to one application or component.
fn hosts(workloads: &[Workload], contributions: &[Contribution], report: &mut Report) {
    let own = contributions.iter().flat_map(|it| it.hosts.iter().map(|host| (host, it.name.to_owned())));
    let mut taken: BTreeMap<&Domain, String> = own.collect();
    for Workload { place, application, exposure, .. } in workloads {
        let Some(Exposure { host, .. }) = exposure else { continue };
        if let Some(other) = taken.get(host) {
            report.add(
                Finding::new("application/host", format!("the host `{host}` is used twice"))
                    .at(place.clone(), format!("`{other}` uses this host as well"))
                    .help("set another `host` for one of them"),
            );
        }
        taken.entry(host).or_insert_with(|| application.name.to_string());
    }
}

/// If the zone of one environment is a subdomain of another one's zone, DNS resolves its names there, and records for them in the
/// parent zone have no effect.
fn delegated(plan: &EnvironmentPlan, zones: &BTreeMap<&Domain, Vec<&EnvironmentPlan>>, report: &mut Report) {
    for Workload { place, exposure, .. } in &plan.workloads {
        let Some(Exposure { host, .. }) = exposure else { continue };
        let others = zones.get(host).into_iter().flatten();
        if let Some(other) = others.copied().find(|it| it.environment.name != plan.environment.name) {
            report.add(
                Finding::new(
                    "application/host",
                    format!("`{host}` is the zone of the environment `{}`", other.environment),
                )
                .at(place.clone(), "that zone answers for this name, so a record here has no effect")
                .help("set another `host` for this application"),
            );
        }
    }
}

/// An application gives its name to a namespace, and in `flux-system` to a Kustomization and a service
/// account, so that name must be free.
fn names(contributions: &[Contribution], spec: &Spec, report: &mut Report) {
    let mut taken = vec!["default", "flux-system", "kube-node-lease", "kube-public", "kube-system"];
    // Names in the folders that also contain files with the names of applications.
    taken.extend(["kustomization", "local"]);
    let layers = manifests::known(components::layers());
    taken.extend(layers.iter().map(|it| it.name));
    taken.extend(database::RESERVED);
    taken.extend(contributions.iter().flat_map(|it| it.reserved));
    let namespaces: Vec<_> = contributions.iter().flat_map(Contribution::namespaces).collect();
    taken.extend(namespaces.iter().map(|it| it.name));
    let taken: BTreeSet<&str> = taken.into_iter().collect();
    let stateful = spec.applications.iter().flatten().filter(|(_, it)| it.has_database());
    let stateful: BTreeSet<&str> = stateful.map(|(name, _)| name.as_str()).collect();
    for name in spec.applications.iter().flatten().map(|(name, _)| name) {
        // Each database login has a Kustomization in `flux-system`, too.
        let login = name
            .rsplit_once("-login-")
            .filter(|(other, number)| stateful.contains(other) && number.parse::<u32>().is_ok());
        if let Some((other, _)) = login {
            report.add(
                Finding::new("application/reserved", format!("the name `{}` is reserved", name.as_str()))
                    .at(name.span(), format!("a database login of `{other}` has this name"))
                    .help("rename the application"),
            );
        }
        if taken.contains(&name.as_str()) {
            report.add(
                Finding::new("application/reserved", format!("the name `{}` is reserved", name.as_str()))
                    .at(name.span(), "the platform uses this name itself")
                    .help("rename the application"),
            );
        }
    }
}
