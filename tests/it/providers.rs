use std::{collections::BTreeMap, path::Path, sync::LazyLock};

use blueprint::{
    blueprint::read,
    components::{self, Component, Provider, Specs},
    contribution::{Contribution, HelmRelease, Need, PodSecurity},
    diagnostics::Report,
    foundation::Environment,
    layer::{Layer, Layers, Wait},
    page::{Page, Role},
    plan,
    platform::{Platform, resolve},
    source::{Located, Source},
    words::{Text, filters},
};
use serde::Deserialize;
use serde_json::Value;
use snapbox::{Data, assert_data_eq};
use toml::{
    Spanned,
    de::{DeTable, DeValue, Deserializer, ValueDeserializer},
};

use crate::{Tree, tree, walk, wide};

/// A made-up component: it answers the same need as cluster-autoscaler, has its own layer, and its chart is in a registry.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SecondAutoscaler {
    enabled: Option<Located<bool>>,
}

const NAME: &str = "second-autoscaler";

/// All code that a new layer needs.
const LAYER: &Layer = &Layer {
    name: "autoscalers",
    after: Some(Layer::CONTROLLERS),
    wait: Wait::ForNothing("The nodes that it makes are waited for by whoever needs them."),
    beside: false,
    about: "what makes nodes",
};

impl Component for SecondAutoscaler {
    fn enabled(&self) -> Option<&Located<bool>> {
        self.enabled.as_ref()
    }

    fn answers(&self) -> Need {
        Need::NodeScaling
    }

    fn layers(&self) -> &'static [&'static Layer] {
        &[LAYER]
    }

    fn contribute(&self, environment: &Environment, _: &mut Report) -> Contribution {
        contribution(LAYER.name, environment)
    }
}

/// With a release whose page is in `folder`.
fn contribution(folder: &str, environment: &Environment) -> Contribution {
    #[derive(askama::Template)]
    #[template(path = "kubernetes-manifest/clusters/{environment}/release.yaml")]
    struct Template<'r> {
        release: &'r HelmRelease,
    }
    let release = HelmRelease {
        name: NAME,
        source: NAME,
        layer: LAYER,
        namespace: NAME,
        pods: PodSecurity::Restricted,
        url: Text::ours("oci://registry.example.com/charts"),
        chart: "autoscaler",
        version: "1.2.3+4".to_owned(),
        values: toml::Table::new(),
    };
    let path = format!("kubernetes-manifest/clusters/{environment}/{folder}/{NAME}/release.yaml");
    let body = askama::Template::render(&Template { release: &release });
    Contribution {
        about: "adds nodes, in another way",
        pages: vec![Page::new("kubernetes-manifest", path, Role::Resource, body)],
        releases: vec![release],
        ..Contribution::new(NAME)
    }
}

static ENVIRONMENT: LazyLock<Environment> =
    LazyLock::new(|| platform().environment_plans[0].environment.clone());

fn platform() -> Platform {
    let source = Source { path: "wide.toml".to_owned(), text: wide(|_| ()) };
    let mut report = Report::default();
    let blueprint = read(&source, &mut report).unwrap();
    resolve(&blueprint, &mut report).unwrap()
}

/// The findings for a blueprint with these components, with the made-up one in the list.
fn chosen(text: &str, report: &mut Report) -> Vec<Contribution> {
    let mut tree = DeTable::parse(text).unwrap().into_inner();
    let mut components = match tree.remove("components").map(Spanned::into_inner) {
        Some(DeValue::Table(components)) => components,
        _ => DeTable::new(),
    };
    let second = components.remove(NAME).map(ValueDeserializer::from);
    let second: Option<Located<SecondAutoscaler>> = second.map(|it| Located::deserialize(it).unwrap());
    let specs = Specs::deserialize(Deserializer::from(Spanned::new(0..0, components))).unwrap();
    let mut all = specs.all();
    all.push(Provider::new("second_autoscaler", second));
    components::choose(all, components::needs(&ENVIRONMENT), &ENVIRONMENT, report)
}

/// Which of the two components for node scaling are enabled.
fn autoscalers(text: &str) -> (Vec<&'static str>, Vec<&'static str>) {
    let mut report = Report::default();
    let contributions = chosen(text, &mut report);
    let names = contributions.iter().map(|it| it.name).filter(|it| it.ends_with("autoscaler")).collect();
    (names, report.codes())
}

#[test]
fn the_default_answers_until_another_is_asked_for() {
    let first = "[components.cluster-autoscaler]";
    let second = "[components.second-autoscaler]";
    let off = "enabled = false";
    for (text, name) in [
        (String::new(), "cluster-autoscaler"),
        (first.to_owned(), "cluster-autoscaler"),
        (second.to_owned(), NAME),
        (format!("{second}\nenabled = true"), NAME),
        (format!("{first}\n{off}\n{second}"), NAME),
        (format!("{first}\n{second}\n{off}"), "cluster-autoscaler"),
        (format!("{second}\n{off}"), "cluster-autoscaler"),
    ] {
        assert_eq!(autoscalers(&text), (vec![name], vec![]), "{text}");
    }
    assert_eq!(autoscalers(&format!("{first}\n{second}")).0.len(), 1, "whatever is asked, one is chosen");
    let neither = autoscalers(&format!("{first}\n{off}\n{second}\n{off}"));
    assert_eq!(neither, (vec![], vec!["component/needed"]));
}

/// The codes of the fixtures here.
pub fn codes() -> Vec<&'static str> {
    let texts = walk("tests/providers").into_iter().filter(|(path, _)| path.ends_with(".toml"));
    texts.flat_map(|(_, text)| autoscalers(&text).1).collect()
}

/// `two.toml` must result in exactly the text in `two.txt`. Update it with `SNAPSHOTS=overwrite`.
#[test]
fn each_mistake_earns_its_words() {
    let texts = walk("tests/providers");
    let fixtures = texts.iter().filter_map(|(path, text)| Some((path.strip_suffix(".toml")?, text)));
    for (name, text) in fixtures {
        let source = Source { path: format!("{name}.toml"), text: text.clone() };
        let mut report = Report::default();
        chosen(text, &mut report);
        let words = Data::read_from(Path::new(&format!("tests/providers/{name}.txt")), None);
        assert_data_eq!(report.render(&source), words);
    }
}

/// The files of the wide platform, with the made-up component in place of cluster-autoscaler.
fn files(contribute: impl Fn(&Environment) -> Contribution) -> Tree {
    let mut platform = platform();
    for plan in &mut platform.environment_plans {
        plan.contributions.retain(|it| it.name != "cluster-autoscaler");
        plan.contributions.push(contribute(&plan.environment));
    }
    tree(plan::plan(platform))
}

fn with_layers(environment: &Environment) -> Contribution {
    Contribution { layers: &[LAYER], ..contribution(LAYER.name, environment) }
}

/// The objects of a file by kind.
fn objects(files: &Tree, file: &str) -> BTreeMap<String, Value> {
    let found: Vec<_> = files.iter().filter(|(path, _)| path.ends_with(file)).collect();
    let [(_, text)] = found[..] else { panic!("not one file ends with `{file}`: {found:?}") };
    let documents = serde_yaml::Deserializer::from_str(text);
    let values = documents.map(|it| Value::deserialize(it).unwrap());
    values.map(|it| (it["kind"].as_str().unwrap().to_owned(), it)).collect()
}

/// A chart in a registry has an OCIRepository, and its release refers to that.
#[test]
fn a_chart_comes_from_a_registry() {
    let files = files(with_layers);
    let folder = format!("/production/autoscalers/{NAME}");
    let release = &objects(&files, &format!("{folder}/release.yaml"))["HelmRelease"];
    let source = &objects(&files, &format!("{folder}/source.yaml"))["OCIRepository"];
    assert!(release["spec"]["chart"].is_null(), "{release}");
    assert_eq!(release["spec"]["chartRef"]["kind"], "OCIRepository");
    assert_eq!(release["spec"]["chartRef"]["name"], source["metadata"]["name"]);
    assert_eq!(release["metadata"]["namespace"], source["metadata"]["namespace"]);
    assert_eq!(source["spec"]["url"], "oci://registry.example.com/charts/autoscaler");
    assert_eq!(source["spec"]["ref"]["tag"], "1.2.3_4", "a tag has no plus");
    // Flux would use the first layer of an artifact, which may be a signature or a provenance file.
    assert_eq!(source["spec"]["layerSelector"]["operation"], "copy");
    let readme = files.iter().find(|(path, _)| path.ends_with("-manifests/README.md")).unwrap().1;
    let row =
        format!("| {NAME} | `tag` in `clusters/production{}/source.yaml` |", &folder["/production".len()..]);
    assert!(readme.contains(&row), "no row says `{row}`");
    // All other releases are unchanged.
    let release = &objects(&files, "/production/controllers/metrics-server/release.yaml")["HelmRelease"];
    assert_eq!(release["spec"]["chart"]["spec"]["sourceRef"]["kind"], "HelmRepository");
}

#[test]
fn a_new_layer_is_one_constant() {
    let files = files(with_layers);
    let find = |end: &str| {
        files.iter().find(|(path, _)| path.ends_with(end)).unwrap_or_else(|| panic!("no `{end}`")).1
    };
    let layers = find("clusters/production/layers.yaml");
    let documents = serde_yaml::Deserializer::from_str(layers);
    let layers: Vec<Value> = documents.map(|it| Value::deserialize(it).unwrap()).collect();
    let own = layers.iter().find(|it| it["metadata"]["name"] == LAYER.name).unwrap();
    assert_eq!(own["spec"]["dependsOn"][0]["name"], "controllers");
    assert_eq!(own["spec"]["path"], "./clusters/production/autoscalers");
    assert_eq!(own["spec"]["wait"], false);
    // Flux builds the folder itself, and the user's files come last.
    let list = find("clusters/production/autoscalers/kustomization.yaml");
    assert!(list.contains(&format!("- {NAME}\n")) && list.contains("components:\n  - local\n"), "{list}");
    let first = find("clusters/production/kustomization.yaml");
    assert!(!first.contains("autoscalers"), "applied with the layers themselves: {first}");
    let readme = find("-manifests/README.md");
    assert!(readme.contains("controllers -->|ready| autoscalers\n"), "no arrow leads to it");
    assert!(readme.contains("| `autoscalers` | `clusters/production/autoscalers` | what makes nodes |\n"));
}

#[test]
fn layers_stand_in_the_order_of_the_chain() {
    let names = |layers: &Layers| layers.iter().map(|it| it.name).collect::<Vec<_>>();
    const ASIDE: &Layer = &Layer {
        name: "aside",
        after: Some(LAYER),
        wait: Wait::ForAll,
        beside: true,
        about: "what nothing waits for",
    };
    let all = Layers::of([Layer::MONITORING, ASIDE, Layer::TENANTS, LAYER]);
    let wanted = ["controllers", "autoscalers", "configs", "tenants", "aside", "monitoring"];
    assert_eq!(names(&all), wanted);
}

/// A file outside all layers would be applied before everything else, together with the layers.
#[test]
#[should_panic(expected = "no layer is called Some(\"nowhere\")")]
fn no_file_lies_outside_of_the_layers() {
    files(|environment| contribution("nowhere", environment));
}

#[test]
#[should_panic(expected = "two layers are called `controllers`")]
fn no_two_layers_have_one_name() {
    const OTHER: &Layer = &Layer {
        name: "controllers",
        after: None,
        wait: Wait::ForNothing("Another one."),
        beside: false,
        about: "another one",
    };
    Layers::of([OTHER, Layer::CONTROLLERS]);
}

#[test]
#[should_panic(expected = "`last` waits for a layer beside the chain")]
fn nothing_waits_for_what_stands_beside_the_chain() {
    const LAST: &Layer = &Layer {
        name: "last",
        after: Some(Layer::MONITORING),
        wait: Wait::ForAll,
        beside: false,
        about: "what comes after monitoring",
    };
    Layers::of([LAST]);
}
