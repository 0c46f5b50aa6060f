//! The files that should exist, by repository, each with one owner. `compare` finds how they differ from those on disk.

use std::collections::{BTreeMap, BTreeSet};

use rayon::iter::{IntoParallelIterator, IntoParallelRefIterator, ParallelIterator};

use crate::{
    application::{
        Application, FIRST_TAG, Workload,
        delivery::{self, DeliveryRoutes},
        monitoring,
    },
    contribution::{ComponentSummary, Contribution},
    database,
    diagnostics::{Finding, Report},
    files,
    foundation::{Environment, Foundation},
    github::Github,
    infrastructure,
    layer::{Layer, Layers},
    logins,
    manifests::{self, Example},
    page::{Ownership, Page, Place, Role, contributed},
    platform::{EnvironmentPlan, Platform},
    repository, review,
    shared_values::Shared,
    words::{Bareword, Name},
};

/// Files by path. A `BTreeMap`, so that the order is always the same.
pub type Files = BTreeMap<String, File>;

/// One file of the plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct File {
    /// Whether renders keep updating it.
    pub owner: Ownership,
    /// The complete text, with its header.
    pub text: String,
    /// The lines whose value is maintained by someone else.
    pub shared: Vec<Shared>,
    /// The component or application that contributed it.
    pub by: Option<String>,
    /// Whether `[files]` hands it over to people.
    pub handed_over: bool,
    /// The paths that earlier versions of this program gave it, the newest first.
    pub formerly: Vec<String>,
    /// The Kustomizations in it that leave.
    pub leaving: Vec<Leaving>,
}

/// A Kustomization that leaves. If it is not suspended on disk, a render suspends it first.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaving {
    /// Its name.
    pub name: &'static str,
    /// The suspended Kustomization, as YAML.
    pub suspended: String,
}

/// The files of all repositories.
#[derive(Debug)]
pub struct Plan {
    /// By the name of the repository, which is also its folder.
    pub repositories: BTreeMap<String, Files>,
    /// What each repository is for, by its name: the same when it is renamed.
    pub roles: BTreeMap<String, String>,
    /// The repositories whose locks list all of them. Two, so that either can be renamed.
    pub listing: [String; 2],
    /// The repository that contains the blueprint, as `OWNER/NAME`.
    pub source: Option<String>,
    /// The paths of the templates that were rendered, for the test that every template is used.
    pub templates: BTreeSet<&'static str>,
}

/// Renders all files of a platform in memory.
pub fn plan(platform: Platform) -> Plan {
    let Platform { foundation, applications, environment_plans } = platform;
    let applications: Vec<Application> = applications.iter().map(|it| Application::clone(it)).collect();
    let environments = environment_plans.iter().map(|it| it.environment.clone()).collect();
    let component_summaries = component_summaries(&environment_plans);
    let first = &environment_plans[0];
    let example = Example::new(&first.environment, &first.workloads, &first.secrets);
    let delivery_routes = &delivery_routes(&applications, &environment_plans);
    let running = running(&environment_plans);
    let of_application = |it: &Application| {
        let running = running.get(&it.name).map(Vec::as_slice).unwrap_or_default();
        let workloads: Vec<&Workload> = running.iter().map(|(workload, _)| *workload).collect();
        let routes = DeliveryRoutes::of(running.iter().copied());
        let mut pages = contributed(&it.name, it.pages(&foundation));
        let repository = repository::pages(it, &foundation, &environments, &workloads, &routes);
        pages.extend(contributed(&it.name, repository));
        pages
    };
    let mut pages: Vec<Page> = applications.par_iter().flat_map_iter(of_application).collect();
    let known = manifests::known(environment_plans.iter().flat_map(|it| &it.contributions).flat_map(layers));
    let (mut lists, mut layers, mut monitoring_namespace) =
        (Lists::new(known.clone()), BTreeSet::new(), None);
    let parts: Vec<Part> = environment_plans
        .into_par_iter()
        .map(|it| of_environment(it, &foundation, &applications, &known))
        .collect();
    for Part { pages: own, listed, layers: used, monitoring_namespace: namespace } in parts {
        pages.extend(own);
        listed.into_iter().for_each(|(folder, entry)| lists.add(&folder, entry));
        layers.extend(used);
        monitoring_namespace = monitoring_namespace.or(namespace);
    }
    if let Some(monitoring_namespace) = &monitoring_namespace {
        let application_monitoring = |it: &Application| {
            contributed(&it.name, monitoring::pages(it, &foundation, monitoring_namespace))
        };
        pages.extend(applications.iter().flat_map(application_monitoring));
    }
    let layers = known.used(|it| layers.contains(it.name));
    pages.extend(infrastructure::shared(&foundation, &environments));
    pages.extend(manifests::shared(
        &foundation,
        &environments,
        &applications,
        &component_summaries,
        &layers,
        &example,
        delivery_routes,
    ));
    pages.extend(review::pages(&foundation));
    lists.fill(&pages);
    pages.extend(lists.pages());
    collect(pages, &foundation.github)
}

/// What one environment adds to a plan.
struct Part {
    pages: Vec<Page>,
    /// What the lists of folders name, beside these pages.
    listed: Vec<(String, ListEntry)>,
    /// The names of the layers that the cluster has.
    layers: Vec<&'static str>,
    monitoring_namespace: Option<&'static str>,
}

fn of_environment(
    plan: EnvironmentPlan,
    foundation: &Foundation,
    applications: &Vec<Application>,
    known: &Layers,
) -> Part {
    let EnvironmentPlan { environment, contributions, workloads, secrets, stack } = plan;
    let mut listed = Vec::new();
    let shares = workloads.iter().filter_map(|it| it.database.clone()).collect();
    let mut pages = infrastructure::pages(
        &environment,
        foundation,
        &contributions,
        applications,
        &shares,
        &secrets,
        &workloads,
        &stack,
    );
    pages.extend(logins::pages(&environment, &shares));
    for root in logins::roots(&environment, &shares) {
        listed.push((root, ListEntry::Component("../local".to_owned())));
    }
    let tenants: Vec<_> = workloads.iter().map(|it| &it.application.name).collect();
    let monitoring_namespace = contributions.iter().find_map(Contribution::monitoring_namespace);
    pages.extend(manifests::pages(&environment, contributions, &secrets, &tenants));
    pages.extend(delivery::pages(&workloads, foundation, &environment));
    let of_workload = |it: &Workload| contributed(&it.application.name, it.pages(&environment));
    pages.extend(workloads.par_iter().flat_map_iter(of_workload).collect::<Vec<_>>());
    for workload in &workloads {
        let overlay = format!("apps/{}/overlays/{environment}", workload.application.name);
        listed.push((overlay.clone(), ListEntry::Resource("../../base".to_owned())));
        if monitoring_namespace.is_some() {
            listed.push((overlay.clone(), ListEntry::Resource("../../monitoring".to_owned())));
        }
        let image = foundation.image(&workload.application.repository);
        listed.push((overlay, ListEntry::Image(image, delivery::marker(workload))));
    }
    pages
        .extend(workloads.iter().flat_map(|it| contributed(&it.application.name, it.delivery(&environment))));
    let used = used(known, &pages, &environment.cluster_folder());
    pages.extend(manifests::layers(&environment, &used));
    Part { pages, listed, layers: used.iter().map(|it| it.name).collect(), monitoring_namespace }
}

/// Marks the files that `[files]` hands over, and reports what is no file of the plan.
pub fn hand_over(spec: Option<&files::Spec>, plan: &mut Plan, report: &mut Report) {
    for asked in spec.iter().flat_map(|spec| spec.handed_over.iter().flatten()) {
        let parts = asked.split_once('/');
        let found = parts.and_then(|(repository, path)| plan.repositories.get_mut(repository)?.get_mut(path));
        let title = |what: &str| format!("`{}` {what}", asked.escape_debug());
        match found {
            Some(file) if file.owner == Ownership::Seeded => report.add(
                Finding::warning("files/seeded", title("is yours already"))
                    .at(asked.span(), "renders never change this file after they created it")
                    .help("remove it from `handed-over`"),
            ),
            Some(file) => file.handed_over = true,
            None => {
                let finding = Finding::new("files/unknown", title("is not a rendered file"));
                let finding = finding.at(asked.span(), "this blueprint renders no such file");
                report.add(
                    finding.help(match renamed(asked, plan).or_else(|| nearest(asked, plan)) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => {
                            "write `REPOSITORY/PATH`, as `blueprint render --dry-run` prints it, or remove it"
                                .to_owned()
                        }
                    }),
                );
            }
        }
    }
}

/// The path that this version gives to a file that an earlier one rendered.
fn renamed(asked: &str, plan: &Plan) -> Option<String> {
    let (repository, path) = asked.split_once('/')?;
    let files = plan.repositories.get(repository)?;
    let (now, _) = files.iter().find(|(_, file)| file.formerly.iter().any(|it| it == path))?;
    Some(format!("{repository}/{now}"))
}

/// The rendered file whose path differs least, if it differs little.
fn nearest(asked: &str, plan: &Plan) -> Option<String> {
    let all = plan
        .repositories
        .iter()
        .flat_map(|(repository, files)| files.keys().map(move |path| format!("{repository}/{path}")));
    let distance = |path: &str| strsim::damerau_levenshtein(path, asked);
    all.map(|path| (distance(&path), path)).min().filter(|(distance, _)| *distance <= 3).map(|(_, path)| path)
}

/// Each application's workloads, in the order of the environments.
type Running<'s> = BTreeMap<&'s Name, Vec<(&'s Workload, &'s Environment)>>;

fn running(environment_plans: &[EnvironmentPlan]) -> Running<'_> {
    let mut running = Running::new();
    for EnvironmentPlan { environment, workloads, .. } in environment_plans {
        for workload in workloads {
            running.entry(&workload.application.name).or_default().push((workload, environment));
        }
    }
    running
}

/// How the releases of all applications reach each environment, by application.
fn delivery_routes(applications: &[Application], environment_plans: &[EnvironmentPlan]) -> DeliveryRoutes {
    let running = running(environment_plans);
    DeliveryRoutes::of(applications.iter().filter_map(|it| running.get(&it.name)).flatten().copied())
}

/// Each component that any environment has, by name.
fn component_summaries(environment_plans: &[EnvironmentPlan]) -> Vec<ComponentSummary> {
    let contributions = environment_plans.iter().flat_map(|it| &it.contributions);
    let installed = contributions.filter(|it| it.is_installed());
    let component_summaries: BTreeMap<_, _> =
        installed.map(|it| (it.name, ComponentSummary::of(it))).collect();
    component_summaries.into_values().collect()
}

/// The layers of a component.
fn layers(contribution: &Contribution) -> impl Iterator<Item = &'static Layer> {
    contribution.layers.iter().copied().chain(contribution.releases.iter().map(|it| it.layer))
}

/// The layers with files. A file in none of them would be applied before all others, together with the layers themselves.
fn used(known: &Layers, pages: &[Page], cluster: &str) -> Layers {
    let below = pages.iter().filter(|page| page.place == Place::Manifests);
    let below = below.filter_map(|page| page.path.strip_prefix(cluster)?.strip_prefix('/')?.split_once('/'));
    let folders: BTreeSet<&str> = below.map(|(folder, _)| folder).collect();
    let astray = folders.iter().find(|it| !known.has(it) && !FIRST.contains(it));
    assert!(astray.is_none(), "`{cluster}`: no layer is called {astray:?}");
    known.used(|it| folders.contains(it.name))
}

/// The folders of a cluster that are applied before all layers.
const FIRST: [&str; 2] = ["flux-system", "namespaces"];

fn collect(pages: Vec<Page>, github: &Github) -> Plan {
    let mut plan = Plan {
        repositories: BTreeMap::new(),
        roles: BTreeMap::new(),
        listing: [github.infrastructure.to_string(), github.manifests.to_string()],
        source: github.blueprint.as_ref().map(|it| github.slug(it).to_string()),
        templates: BTreeSet::new(),
    };
    for page in pages {
        plan.templates.extend(page.template);
        let repository = match &page.place {
            Place::Infrastructure => github.infrastructure.to_string(),
            Place::Manifests => github.manifests.to_string(),
            Place::Blueprint => {
                github.blueprint.as_ref().expect("a page of a repository that has no name").to_string()
            }
            Place::Application(repository) => repository.clone(),
        };
        plan.roles.entry(repository.clone()).or_insert_with(|| match (&page.place, &page.by) {
            (Place::Infrastructure, _) => "infrastructure".to_owned(),
            (Place::Manifests, _) => "manifests".to_owned(),
            (Place::Blueprint, _) => "blueprint".to_owned(),
            (Place::Application(_), by) => format!("application {}", by.as_deref().unwrap_or_default()),
        });
        let files = plan.repositories.entry(repository).or_default();
        let text = page.text();
        let file = File { owner: page.owner, text, shared: page.shared, by: page.by, ..File::default() };
        let clash = files.insert(page.path.clone(), file);
        assert!(clash.is_none(), "two owners for `{}`", page.path);
    }
    plan
}

/// What each folder's `kustomization.yaml` lists. It is computed, so that no list can be forgotten.
struct Lists {
    layers: Layers,
    entries: BTreeMap<String, BTreeSet<ListEntry>>,
}

/// In the order in which a list names them.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum ListEntry {
    Resource(String),
    Patch(String),
    Component(String),
    /// A file of a ConfigMap that the folder makes.
    Mounted {
        map: Bareword,
        namespace: &'static str,
        file: String,
    },
    /// An image, whose tag is set only here, and the marker by which automation finds the line.
    Image(Bareword, String),
}

impl Lists {
    fn new(layers: Layers) -> Self {
        Self { layers, entries: BTreeMap::new() }
    }

    fn fill(&mut self, pages: &[Page]) {
        let listed = |page: &&Page| page.place == Place::Manifests && page.role != Role::Unlisted;
        for page in pages.iter().filter(listed) {
            let (folder, name) = split(&page.path);
            match &page.role {
                Role::Unlisted => {}
                Role::Resource => self.add(folder, ListEntry::Resource(name.to_owned())),
                Role::Patch => self.add(folder, ListEntry::Patch(name.to_owned())),
                Role::Mounted { map, namespace } => {
                    self.add(
                        folder,
                        ListEntry::Mounted { map: map.clone(), namespace, file: name.to_owned() },
                    );
                }
                Role::Component => {
                    let (above, name) = split(folder);
                    self.add(above, ListEntry::Component(name.to_owned()));
                }
            }
        }
    }

    /// A folder that is not built by itself is listed in the folder above it.
    fn add(&mut self, folder: &str, entry: ListEntry) {
        self.entries.entry(folder.to_owned()).or_default().insert(entry);
        if !self.is_root(folder) {
            let (above, name) = split(folder);
            self.add(above, ListEntry::Resource(name.to_owned()));
        }
    }

    /// Whether Flux, or an overlay, builds this folder by itself.
    fn is_root(&self, folder: &str) -> bool {
        match folder.split('/').collect::<Vec<_>>()[..] {
            ["clusters", _] | ["apps", _, "base" | "monitoring"] | ["apps", _, "overlays", _] => true,
            ["clusters", _, layer] => self.layers.has(layer),
            ["clusters", _, layer, "logins", _] => layer == database::LAYER.name,
            _ => false,
        }
    }

    fn pages(&self) -> Vec<Page> {
        let page = |(folder, entries): (&String, &BTreeSet<ListEntry>)| {
            let mut body = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n".to_owned();
            let mut last = String::new();
            for entry in entries {
                let (title, line) = entry.text();
                if title != last {
                    body.push_str(&title);
                }
                body.push_str(&line);
                last = title;
            }
            let path = format!("{folder}/kustomization.yaml");
            let image = entries.iter().find_map(|it| match it {
                ListEntry::Image(_, marker) => Some(marker),
                _ => None,
            });
            let shared = match image {
                None => Vec::new(),
                // Flux raises the tag alone, so that a digest would keep the image of another one.
                Some(marker) if !marker.is_empty() => vec![Shared::any("newTag: ")],
                Some(_) => vec![Shared::any("newTag: "), Shared::digest()],
            };
            let mut page = Page::computed(Place::Manifests, path, Role::Unlisted, body).shared(shared);
            if let ["apps", application, ..] = folder.split('/').collect::<Vec<_>>()[..] {
                page.by = Some(application.to_owned());
            }
            page
        };
        self.entries.iter().map(page).collect()
    }
}

impl ListEntry {
    /// The list that contains it, and its line.
    fn text(&self) -> (String, String) {
        let (title, line) = match self {
            Self::Resource(name) => ("resources", format!("  - {name}\n")),
            Self::Patch(name) => ("patches", format!("  - path: {name}\n")),
            Self::Component(name) => ("components", format!("  - {name}\n")),
            Self::Mounted { map, namespace, file } => {
                let head = format!(
                    "  - name: {map}\n    namespace: {namespace}\n    options:\n      disableNameSuffixHash: true\n    files:\n"
                );
                return (format!("configMapGenerator:\n{head}"), format!("      - {file}\n"));
            }
            Self::Image(name, marker) => {
                ("images", format!("  - name: {name}\n    newTag: \"{FIRST_TAG}\"{marker}\n"))
            }
        };
        (format!("{title}:\n"), line)
    }
}

/// Splits a path into folder and file name.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').expect("every manifest lies in a folder")
}
