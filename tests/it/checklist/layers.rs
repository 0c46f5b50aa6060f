// The order in which Flux applies objects, and the layer of each.

use std::{collections::BTreeSet, fs};

use blueprint::{components, layer::Layers, manifests};
use serde_json::Value;

use super::{
    Platform, Verdict,
    objects::{BESIDE, CHAIN, Cluster, FIRST, Object, WAITING, dependencies, is_whole, lists},
    prove,
};

/// Each layer depends on the previous existing one; no layer depends on those outside the chain, and applications depend on their
/// own logins.
#[test]
fn a_layer_comes_after_the_last_one_that_is_there() {
    let all = manifests::known(components::layers());
    let before = |used: &Layers| -> Vec<_> {
        used.iter().map(|it| (it.name, used.before(it).map(|it| it.name))).collect()
    };
    let wanted = [
        ("controllers", None),
        ("configs", Some("controllers")),
        ("tenants", Some("configs")),
        ("databases", Some("tenants")),
        ("applications", Some("tenants")),
        ("monitoring", Some("configs")),
        ("overprovisioning", Some("controllers")),
    ];
    assert_eq!(before(&all), wanted);
    let some = all.used(|it| !["configs", "databases", "overprovisioning"].contains(&it.name));
    let wanted = [
        ("controllers", None),
        ("tenants", Some("controllers")),
        ("applications", Some("tenants")),
        ("monitoring", Some("controllers")),
    ];
    assert_eq!(before(&some), wanted);
    assert_eq!(before(&all.used(|it| it.name == "overprovisioning")), [("overprovisioning", None)]);
}

/// Seconds of a duration such as `1m` or `15m`.
fn seconds(value: &Value) -> Option<u64> {
    let text = value.as_str()?;
    let (number, unit) = text.split_at(text.len().checked_sub(1)?);
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    Some(number.parse::<u64>().ok()? * unit)
}

/// Trap 6.
#[test]
fn k03_a_layer_starts_when_the_one_before_is_ready() {
    prove(
        "K03",
        &["layer", "application", "login"],
        check,
        &[
            ("production/layers.yaml", "dependsOn: - name: configs", "dependsOn:\n    - name: controllers"),
            // One login that is not ready would block all applications.
            (
                "production/layers.yaml",
                "path: ./clusters/production/configs prune: true … wait: false",
                "path: ./clusters/production/configs\n  prune: true\n  wait: true",
            ),
            (
                "production/layers.yaml",
                "path: ./clusters/production/tenants prune: true … wait: false",
                "path: ./clusters/production/tenants\n  prune: true\n  wait: true",
            ),
            (
                "production/layers.yaml",
                "path: ./clusters/production/databases prune: true … wait: false",
                "path: ./clusters/production/databases\n  prune: true\n  wait: true",
            ),
            ("applications/test-app.yaml", "- name: test-app-login-1", "- name: databases"),
            ("applications/test-app.yaml", "- name: test-app-login-1", "- name: test-app-login-2"),
            ("applications/test-app.yaml", "- name: test-app-login-1", ""),
            ("applications/test-app.yaml", "wait: true", "wait: false"),
            ("databases/test-app-login-1.yaml", "wait: true", "wait: false"),
            ("databases/test-app-login-1.yaml", "- name: databases", "- name: controllers"),
            ("databases/test-app-login-1.yaml", "retryInterval: 1m", "retryInterval: 1h"),
            // Of two applications, one waits for the other's login.
            ("applications/batch.yaml", "- name: tenants", "- name: tenants\n    - name: ledger-api-login-3"),
            (
                "production/layers.yaml",
                "name: configs namespace: flux-system spec: dependsOn: - name: controllers",
                "name: configs\n  namespace: flux-system\nspec:",
            ),
            ("production/layers.yaml", "wait: true", "wait: false"),
            ("production/layers.yaml", "retryInterval: 1m", "retryInterval: 1h"),
            (
                "production/layers.yaml",
                "path: ./clusters/production/tenants",
                "path: ./clusters/staging/tenants",
            ),
            ("applications/test-app.yaml", "dependsOn: - name: tenants", "dependsOn:"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for cluster in Cluster::all(platform).iter().filter(|_| is_whole(platform)) {
            let deliveries = cluster.deliveries();
            let there = |it: &&str| deliveries.contains_key(*it);
            let used: Vec<&str> = CHAIN.into_iter().filter(there).collect();
            for (at, name) in used.iter().enumerate() {
                let it = deliveries[name];
                verdict.see("layer");
                let before = at.checked_sub(1).map(|at| used[at]).into_iter();
                // An application depends on its own login.
                let before = before
                    .map(|it| if *name == "applications" && it == "databases" { "tenants" } else { it });
                let before: Vec<&str> = before.collect();
                verdict.hold(
                    dependencies(it) == before,
                    format!("{}: `{name}` waits for {:?}, not {before:?}", cluster.place(), dependencies(it)),
                );
            }
            for name in used.iter().copied().chain(BESIDE).filter(|it| deliveries.contains_key(it)) {
                let waits = deliveries[name].spec()["wait"] == true;
                if WAITING.contains(&name) {
                    verdict.hold(
                        waits,
                        format!("{}: `{name}` is ready before its objects are", cluster.place()),
                    );
                } else {
                    let words = "one object that is not ready stops all that comes after it";
                    verdict.hold(!waits, format!("{}: `{name}` waits: {words}", cluster.place()));
                }
            }
            for name in used.iter().copied().chain(BESIDE).filter(|it| deliveries.contains_key(it)) {
                let it = deliveries[name];
                let path = format!("./clusters/{}/{name}", cluster.environment);
                verdict
                    .hold(it.spec()["path"] == *path, format!("{}: `{name}` is elsewhere", cluster.place()));
                let soon = seconds(&it.spec()["retryInterval"]).is_some_and(|it| it <= 120);
                verdict.hold(soon, format!("{}: `{name}` is tried again too late", cluster.place()));
            }
            for name in cluster.applications() {
                verdict.see("application");
                let needs = dependencies(deliveries[name]);
                let place = format!("{}: `{name}`", cluster.place());
                verdict.hold(needs.contains(&"tenants"), format!("{place} has no namespace"));
                let known = needs.iter().all(|it| deliveries.contains_key(it));
                verdict.hold(known, format!("{place} waits for ever"));
                let asked = platform.setting(cluster.environment, &["applications", name, "database"]);
                let login = asked.map(|it| it.get("login").and_then(toml::Value::as_integer).unwrap_or(1));
                let own: Vec<String> = login.iter().map(|it| format!("{name}-login-{it}")).collect();
                let others = needs.iter().filter(|it| **it != "tenants").collect::<Vec<_>>();
                verdict.hold(
                    others == own.iter().collect::<Vec<_>>(),
                    format!("{place} waits for {others:?}, not {own:?}"),
                );
                let ready = deliveries[name].spec()["wait"] == true;
                verdict.hold(ready, format!("{place} says nothing of its pods and secrets"));
            }
            for name in cluster.logins() {
                verdict.see("login");
                let (it, place) = (deliveries[name], format!("{}: `{name}`", cluster.place()));
                verdict.hold(
                    dependencies(it) == ["databases"],
                    format!("{place} waits for {:?}", dependencies(it)),
                );
                verdict.hold(it.spec()["wait"] == true, format!("{place} is ready before its Job is"));
                let soon = seconds(&it.spec()["retryInterval"]).is_some_and(|it| it <= 120);
                verdict.hold(soon, format!("{place} is tried again too late"));
                let path = format!("./clusters/{}/databases/logins/{name}", cluster.environment);
                verdict.hold(it.spec()["path"] == *path, format!("{place} is elsewhere"));
                let jobs = cluster.objects.iter().filter(|it| it.kind() == "Job" && it.layer == name).count();
                verdict.hold(jobs == 1, format!("{place} makes {jobs} logins"));
            }
        }
    }
}

/// The chart that defines the kinds of a group, and the Go module that contains these definitions.
pub const DEFINED: [(&str, &[&str], &str); 3] = [
    ("external-secrets.io", &["external-secrets"], "github.com/external-secrets/external-secrets"),
    (
        "monitoring.coreos.com",
        &["prometheus-operator-crds"],
        "github.com/prometheus-operator/prometheus-operator",
    ),
    ("elbv2.k8s.aws", &["aws-load-balancer-controller"], "sigs.k8s.io/aws-load-balancer-controller"),
];

/// Whether a chart has to define it first.
pub fn is_custom(object: &Object) -> bool {
    let group = object.group();
    let native = ["apps", "autoscaling", "batch", "policy"].contains(&group) || group.ends_with(".k8s.io");
    !group.is_empty() && !native && !object.is_flux()
}

/// Trap 5.
#[test]
fn k04_what_is_custom_comes_after_its_definition() {
    prove(
        "K04",
        &["custom resource"],
        check,
        &[
            (
                "production/layers.yaml",
                "name: configs namespace: flux-system spec: dependsOn: - name: controllers",
                "name: configs\n  namespace: flux-system\nspec:",
            ),
            (
                "controllers/metrics-server/source.yaml",
                "source.toolkit.fluxcd.io/v1",
                "external-secrets.io/v1",
            ),
            ("configs/database/store.yaml", "external-secrets.io/v1", "nobody.example.com/v1"),
            ("controllers/external-secrets/release.yaml", "chart: external-secrets", "chart: another"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for cluster in Cluster::all(platform).iter().filter(|_| is_whole(platform)) {
            for object in cluster.objects.iter().filter(|it| is_custom(it)) {
                verdict.see("custom resource");
                let place = format!("{}: {} `{}`", object.path, object.kind(), object.name());
                let charts = DEFINED.iter().find(|it| it.0 == object.group()).map_or(&[][..], |it| it.1);
                let release = cluster.objects.iter().find(|it| {
                    it.is_release()
                        && charts.iter().any(|chart| it.spec()["chart"]["spec"]["chart"] == **chart)
                });
                let Some(release) = release else {
                    verdict.hold(false, format!("{place} is defined by nobody"));
                    continue;
                };
                let before =
                    object.layer != release.layer && cluster.waits_for(object.layer).contains(release.layer);
                verdict.hold(before, format!("{place} does not wait for its definition"));
            }
        }
    }
}

/// Trap 25. The ledger contains all Flux objects ever rendered for the reference platform, with their sources. Flux deletes what a
/// renamed or moved one applied, so a removed name must be deleted here by hand, with a migration. The ledger also contains the
/// Kustomization of each Namespace: the old Kustomization deletes a Namespace that moves, with everything in it, unless the new one
/// has applied it before.
#[test]
fn k15_flux_objects_keep_their_names() {
    const LEDGER: &str = "tests/flux-objects.txt";
    let ledger: BTreeSet<String> =
        fs::read_to_string(LEDGER).unwrap_or_default().lines().map(str::to_owned).collect();
    let now = names(&super::PLATFORMS[0].1);
    if std::env::var("SNAPSHOTS").is_ok_and(|it| it == "overwrite") {
        let all: Vec<String> = ledger.union(&now).cloned().collect();
        fs::write(LEDGER, all.join("\n") + "\n").unwrap();
        return;
    }
    assert!(now.is_subset(&ledger), "`{LEDGER}` does not know all: bless it with SNAPSHOTS=overwrite");
    prove(
        "K15",
        &["flux object", "namespace"],
        check,
        &[
            ("production/layers.yaml", "name: tenants namespace", "name: teams\n  namespace"),
            (
                "production/layers.yaml",
                "path: ./clusters/production/tenants",
                "path: ./clusters/production/teams",
            ),
            ("production/applications/test-app.yaml", "path: …", "path: ./apps/test-app/production"),
            (
                "production/controllers/metrics-server/release.yaml",
                "releaseName: metrics-server",
                "releaseName: metrics",
            ),
            ("production/flux-system/instance.yaml", "path: clusters/production", "path: production"),
            ("production/namespaces/database.yaml", "name: database", "name: databases"),
            ("production/tenants/test-app/namespace.yaml", "name: test-app", "name: test"),
            // As if another layer applied them.
            ("production/namespaces/database.yaml", "kind: Namespace", "kind: ConfigMap"),
            ("production/tenants/test-app/namespace.yaml", "kind: Namespace", "kind: ConfigMap"),
        ],
    );
    fn names(platform: &Platform) -> BTreeSet<String> {
        if platform.blueprint.get("name").and_then(toml::Value::as_str) != Some("faceit") {
            return BTreeSet::new();
        }
        let clusters = Cluster::all(platform);
        let production = clusters.iter().find(|it| it.environment == "production").unwrap();
        let line = |it: &Object| {
            let spec = it.spec();
            let from =
                spec["path"].as_str().or(spec["sync"]["path"].as_str()).or(spec["releaseName"].as_str());
            format!("{} {}/{} {}", it.kind(), it.namespace(), it.name(), from.unwrap_or("-"))
        };
        let whole = |it: &&Object| it.is_flux() && !it.path.ends_with("/values.yaml");
        let namespaces = production.objects.iter().filter(|it| it.kind() == "Namespace");
        let namespaces = namespaces.map(|it| format!("Namespace {} applied by {}", it.name(), it.layer));
        production.objects.iter().filter(whole).map(line).chain(namespaces).collect()
    }
    fn check(platform: &Platform, verdict: &mut Verdict) {
        let now = names(platform);
        for line in fs::read_to_string(LEDGER).unwrap().lines().filter(|_| !now.is_empty()) {
            let Some(namespace) = line.strip_prefix("Namespace ") else {
                verdict.see("flux object");
                verdict.hold(now.contains(line), format!("`{line}` is gone, and what it applied with it"));
                continue;
            };
            verdict.see("namespace");
            let words = "the Kustomization that it leaves deletes it, with everything inside";
            verdict.hold(now.contains(line), format!("no longer so: namespace {namespace}; {words}"));
        }
    }
}

/// Trap 72. Trap 74.
#[test]
fn k42_each_thing_lies_in_its_layer() {
    prove(
        "K42",
        &["layers", "tenant"],
        check,
        &[
            ("production/layers.yaml", "name: tenants namespace", "name: teams\n  namespace"),
            (
                "production/layers.yaml",
                "name: applications namespace: flux-system spec: dependsOn: - name: …",
                "name: applications\n  namespace: flux-system\nspec:\n  dependsOn:\n    - name: monitoring",
            ),
            ("tenants/test-app/quota.yaml", "kind: ResourceQuota", "kind: ConfigMap"),
            ("tenants/test-app/limits.yaml", "namespace: test-app", "namespace: default"),
            ("tenants/test-app/role-binding.yaml", "namespace: test-app", "namespace: kube-system"),
            ("tenants/test-app/namespace.yaml", "name: test-app", "name: test"),
            (
                "apps/test-app/base/service.yaml",
                "apiVersion: v1 kind: Service",
                "apiVersion: v1\nkind: ResourceQuota",
            ),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for cluster in Cluster::all(platform).iter().filter(|_| is_whole(platform)) {
            verdict.see("layers");
            let applications = cluster.applications();
            for (name, it) in cluster.deliveries() {
                let own = applications.contains(&name) || cluster.logins().contains(&name);
                let known = CHAIN.contains(&name) || BESIDE.contains(&name) || own;
                verdict.hold(known, format!("{}: `{name}` is no layer", cluster.place()));
                let beside = dependencies(it).into_iter().find(|it| BESIDE.contains(it));
                verdict.hold(beside.is_none(), format!("{}: `{name}` waits for {beside:?}", cluster.place()));
                // Placeholder pods may stay pending.
                let patient = name != "overprovisioning" || it.spec()["wait"] == false;
                verdict.hold(patient, format!("{}: `{name}` waits for pods that wait", cluster.place()));
            }
            let folders = cluster.objects.iter().filter(|it| it.environment.is_some());
            let folders: BTreeSet<&str> = folders.map(|it| it.layer).collect();
            for folder in folders.into_iter().filter(|it| *it != FIRST) {
                let applied = cluster.deliveries().contains_key(folder);
                verdict.hold(applied, format!("{}: nothing applies `{folder}`", cluster.place()));
            }
            for name in applications {
                verdict.see("tenant");
                for kind in ["Namespace", "ResourceQuota", "LimitRange", "RoleBinding", "NetworkPolicy"] {
                    let own = cluster.objects.iter().any(|it| {
                        let inside = if kind == "Namespace" { it.name() } else { it.namespace() };
                        it.layer == "tenants" && it.kind() == kind && inside == name
                    });
                    verdict.hold(own, format!("{}: `{name}` has no {kind}", cluster.place()));
                }
            }
            for object in &cluster.objects {
                let rights = ["Namespace", "ResourceQuota", "LimitRange", "Role", "RoleBinding"]
                    .contains(&object.kind());
                let own = CHAIN.contains(&object.layer)
                    || BESIDE.contains(&object.layer)
                    || cluster.logins().contains(&object.layer);
                let theirs = object.layer != FIRST && !own;
                verdict.hold(
                    !(rights && theirs),
                    format!("{}: an application gives itself a {}", object.path, object.kind()),
                );
            }
        }
    }
}

/// The keys in Parameter Store that an ExternalSecret reads.
pub fn keys<'p>(object: &Object<'p>) -> Vec<&'p str> {
    let spec = object.spec();
    let listed = |field: &str| spec[field].as_array().into_iter().flatten();
    let one = listed("data").filter_map(|it| it["remoteRef"]["key"].as_str());
    let whole = listed("dataFrom").filter_map(|it| it["extract"]["key"].as_str());
    one.chain(whole).collect()
}

#[test]
fn k44_every_layer_has_a_place_of_the_persons_own() {
    prove(
        "K44",
        &["layer", "base", "login"],
        check,
        &[
            ("logins/test-app-login-1/kustomization.yaml", "components: - ../local", ""),
            ("databases/logins/local/kustomization.yaml", "kind: Component", "kind: Kustomization"),
            ("production/controllers/kustomization.yaml", "components: - local", ""),
            ("production/applications/kustomization.yaml", "- local", "- theirs"),
            ("test-app/base/kustomization.yaml", "components:", "crds:"),
            ("tenants/local/kustomization.yaml", "kind: Component", "kind: Kustomization"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        let lists: Vec<_> = lists(platform).collect();
        let mut places: Vec<(&'static str, String, String)> = Vec::new();
        for cluster in Cluster::all(platform).iter().filter(|_| is_whole(platform)) {
            for name in CHAIN.into_iter().chain(BESIDE).filter(|it| cluster.deliveries().contains_key(it)) {
                places.push(("layer", format!("{}/{name}", cluster.place()), "local".to_owned()));
            }
            for name in cluster.applications() {
                let base = format!("{}/apps/{name}/base", cluster.repository);
                places.push(("base", base, "local".to_owned()));
            }
            // One folder for all logins, because the objects of a login disappear with its number.
            for name in cluster.logins() {
                let login = format!("{}/databases/logins/{name}", cluster.place());
                places.push(("login", login, "../local".to_owned()));
            }
        }
        for (subject, place, local) in places {
            verdict.see(subject);
            let list = lists.iter().find(|it| it.path == format!("{place}/kustomization.yaml"));
            let takes = list.is_some_and(|it| {
                it.value["components"].as_array().is_some_and(|it| it.last().is_some_and(|it| *it == local))
            });
            verdict.hold(takes, format!("{place} does not take in `{local}`"));
            let above = place.rsplit_once('/').map_or("", |it| it.0);
            let folder =
                local.strip_prefix("../").map_or(format!("{place}/{local}"), |it| format!("{above}/{it}"));
            let own = lists.iter().find(|it| it.path == format!("{folder}/kustomization.yaml"));
            let ours = own.is_some_and(|it| it.kind() == "Component");
            verdict.hold(ours, format!("{place}/local is no component"));
        }
    }
}
