// Monitoring, and secrets that a person writes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Platform, Verdict, documents::Document, prove};

/// An object of a cluster, and the layer that applies it.
struct Object<'a> {
    path: &'a str,
    cluster: &'a str,
    layer: &'a str,
    value: &'a Value,
}

/// `production/monitoring` of `kubernetes-manifest/clusters/production/monitoring/…`.
fn place(document: &Document) -> Option<(&str, &str)> {
    let mut folders = document.path.split("/clusters/").nth(1)?.split('/');
    Some((folders.next()?, folders.next()?))
}

fn objects<'a>(platform: &'a Platform, kind: &'a str) -> impl Iterator<Item = Object<'a>> {
    platform.documents().flat_map(move |document| {
        let (cluster, layer) = place(document).unwrap_or_default();
        let placed = document.values().filter(move |it| !cluster.is_empty() && it["kind"] == kind);
        placed.map(move |value| Object { path: &document.path, cluster, layer, value })
    })
}

/// The releases of a chart, without the patches of them.
fn releases<'a>(platform: &'a Platform, chart: &'a str) -> impl Iterator<Item = Object<'a>> {
    objects(platform, "HelmRelease").filter(move |it| it.value["spec"]["chart"]["spec"]["chart"] == chart)
}

fn stacks(platform: &Platform) -> impl Iterator<Item = Object<'_>> {
    releases(platform, "kube-prometheus-stack")
}

/// The number before a unit: 24 of `24GiB`.
fn amount(value: &Value, unit: &str) -> Option<u64> {
    value.as_str()?.strip_suffix(unit)?.parse().ok()
}

/// The paths of the secrets that a person writes, by environment.
fn persons(platform: &Platform) -> BTreeMap<&str, BTreeSet<&str>> {
    let names = platform.files.iter().filter(|(path, _)| path.ends_with("/names.txt"));
    names
        .map(|(path, text)| {
            let environment = path.rsplit('/').nth(1).unwrap();
            let secrets = text.lines().filter_map(|it| it.strip_prefix("secret ")?.split(' ').next());
            (environment, secrets.collect())
        })
        .collect()
}

/// The parameters that an ExternalSecret reads.
fn keys(secret: &Value) -> Vec<&str> {
    let data = secret["spec"]["data"].as_array().into_iter().flatten();
    data.filter_map(|it| it["remoteRef"]["key"].as_str()).collect()
}

/// The layers that must be ready before one, by the Kustomizations of a cluster.
fn before<'a>(platform: &'a Platform, cluster: &str, layer: &str) -> BTreeSet<&'a str> {
    let (mut found, mut next) = (BTreeSet::new(), vec![layer.to_owned()]);
    while let Some(name) = next.pop() {
        let layers = objects(platform, "Kustomization")
            .filter(|it| it.cluster == cluster && it.value["metadata"]["name"] == name.as_str());
        for it in layers {
            let waits = it.value["spec"]["dependsOn"].as_array().into_iter().flatten();
            for name in waits.filter_map(|it| it["name"].as_str()) {
                if found.insert(name) {
                    next.push(name.to_owned());
                }
            }
        }
    }
    found
}

/// Trap 31.
#[test]
fn k20_the_stack_is_configured() {
    prove(
        "K20",
        &["stack", "persistent Grafana"],
        check,
        &[
            (
                "kube-prometheus-stack/release.yaml",
                "kubeControllerManager: enabled: false",
                "kubeControllerManager:\n      enabled: true",
            ),
            (
                "kube-prometheus-stack/release.yaml",
                "kubeScheduler: enabled: false",
                "kubeApiServer:\n      enabled: true",
            ),
            (
                "kube-prometheus-stack/release.yaml",
                "kubeEtcd: enabled: false",
                "kubeEtcd:\n      enabled: true",
            ),
            (
                "kube-prometheus-stack/release.yaml",
                "kubeProxy: enabled: false",
                "kubeProxy:\n      enabled: true",
            ),
            (
                "kube-prometheus-stack/release.yaml",
                "kubeSchedulerAlerting: false",
                "kubeSchedulerAlerting: true",
            ),
            ("kube-prometheus-stack/release.yaml", "etcd: false", "general: false"),
            (
                "kube-prometheus-stack/release.yaml",
                "release, controllers/prometheus-operator-crds. enabled: false",
                "release.\n      enabled: true",
            ),
            (
                "prometheus-operator-crds/release.yaml",
                "chart: prometheus-operator-crds",
                "chart: metrics-server",
            ),
            ("kube-prometheus-stack/release.yaml", "storageClassName: gp3", "storageClassName: gp2"),
            ("kube-prometheus-stack/release.yaml", "retentionSize: …", ""),
            ("kube-prometheus-stack/release.yaml", "retentionSize: \"24GiB\"", "retentionSize: \"30GiB\""),
            ("kube-prometheus-stack/release.yaml", "retention: \"15d\"", ""),
            ("kube-prometheus-stack/release.yaml", "serviceMonitorSelectorNilUsesHelmValues: false", ""),
            ("kube-prometheus-stack/release.yaml", "cluster: faceit-production", "cluster: faceit"),
            (
                "kube-prometheus-stack/release.yaml",
                "existingSecret: grafana-login-1",
                "existingSecret: grafana",
            ),
            ("kube-prometheus-stack/release.yaml", "rbac: create: false", "rbac:\n        create: true"),
            ("kube-prometheus-stack/release.yaml", "namespaceOverride: node-exporter", ""),
            ("namespaces/node-exporter.yaml", "enforce: privileged", "enforce: restricted"),
            ("namespaces/monitoring.yaml", "enforce: restricted", "enforce: privileged"),
            ("kube-prometheus-stack/release.yaml", "limits: memory: 2Gi", ""),
            ("kube-prometheus-stack/release.yaml", "type: Recreate", "type: RollingUpdate"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for Object { path, cluster, value, .. } in stacks(platform) {
            verdict.see("stack");
            let values = &value["spec"]["values"];
            let rules = &values["defaultRules"]["rules"];
            let prometheus = &values["prometheus"]["prometheusSpec"];
            let alertmanager = &values["alertmanager"]["alertmanagerSpec"];
            let grafana = &values["grafana"];
            let claim = |it: &Value| it["volumeClaimTemplate"]["spec"].clone();
            let volume = claim(&prometheus["storageSpec"]);
            let size = amount(&prometheus["retentionSize"], "GiB");
            let space = amount(&volume["resources"]["requests"]["storage"], "Gi");
            let admits = |namespace: &str| {
                let found = objects(platform, "Namespace")
                    .find(|it| it.cluster == cluster && it.value["metadata"]["name"] == namespace);
                found.map(|it| it.value["metadata"]["labels"]["pod-security.kubernetes.io/enforce"].clone())
            };
            let secrets: Vec<Value> = objects(platform, "ExternalSecret")
                .filter(|it| it.cluster == cluster)
                .map(|it| it.value["spec"]["target"]["name"].clone())
                .collect();
            let hidden = ["kubeControllerManager", "kubeEtcd", "kubeProxy", "kubeScheduler"];
            let about = [
                "etcd",
                "kubeControllerManager",
                "kubeProxy",
                "kubeSchedulerAlerting",
                "kubeSchedulerRecording",
            ];
            let found = ["podMonitor", "probe", "rule", "scrapeConfig", "serviceMonitor"];
            let sized = [
                prometheus,
                alertmanager,
                grafana,
                &values["kube-state-metrics"],
                &values["prometheus-node-exporter"],
                &values["prometheusOperator"],
            ];
            let limited = |it: &&Value| {
                it["resources"]["requests"]["cpu"].is_string()
                    && it["resources"]["limits"]["memory"].is_string()
            };
            for (holds, what) in [
                (hidden.iter().all(|it| values[it]["enabled"] == false), "measures what EKS hides"),
                (about.iter().all(|it| rules[it] == false), "calls a person for what EKS hides"),
                (
                    values["crds"]["enabled"] == false
                        && releases(platform, "prometheus-operator-crds")
                            .any(|it| it.cluster == cluster && it.layer == "controllers"),
                    "has its definitions no release of their own",
                ),
                (
                    volume["storageClassName"] == "gp3"
                        && claim(&alertmanager["storage"])["storageClassName"] == "gp3",
                    "takes any volume",
                ),
                (prometheus["retention"].is_string() && size.is_some() && size < space, "fills its volume"),
                (
                    found.iter().all(|it| prometheus[format!("{it}SelectorNilUsesHelmValues")] == false),
                    "finds only what is its own",
                ),
                (
                    prometheus["externalLabels"]["cluster"]
                        .as_str()
                        .is_some_and(|it| it.ends_with(&format!("-{cluster}"))),
                    "does not say which cluster speaks",
                ),
                (
                    secrets.contains(&grafana["admin"]["existingSecret"]),
                    "has an administrator whose password nobody brings",
                ),
                (grafana["rbac"]["create"] == false, "lets Grafana read every Secret"),
                (
                    admits("monitoring").is_some_and(|it| it == "restricted")
                        && values["prometheus-node-exporter"]["namespaceOverride"] == "node-exporter"
                        && admits("node-exporter").is_some_and(|it| it == "privileged"),
                    "mixes pods that look at their node with the others",
                ),
                (sized.iter().all(limited), "has pods without bounds"),
            ] {
                verdict.hold(holds, format!("{path}: the stack {what}"));
            }
            if grafana["persistence"]["enabled"] == true {
                verdict.see("persistent Grafana");
                let holds = grafana["persistence"]["storageClassName"] == "gp3"
                    && grafana["deploymentStrategy"]["type"] == "Recreate"
                    && grafana["initChownData"]["enabled"] == false;
                verdict.hold(holds, format!("{path}: two pods of Grafana want one volume"));
            }
        }
    }
}

/// Trap 67.
#[test]
fn k43_what_waits_for_a_person_stands_beside_the_layers() {
    prove(
        "K43",
        &["secret of a person", "layers"],
        check,
        &[
            (
                "clusters/production/layers.yaml",
                "name: applications namespace: flux-system spec: dependsOn: - name: …",
                "name: applications\n  namespace: flux-system\nspec:\n  dependsOn:\n    - name: monitoring",
            ),
            (
                "controllers/external-secrets/release.yaml",
                "apiVersion: helm.toolkit.fluxcd.io/v2",
                "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nspec:\n  data:\n    - remoteRef:\n        key: /faceit/production/monitoring/alertmanager/slack-url\n---\napiVersion: helm.toolkit.fluxcd.io/v2",
            ),
            (
                "kube-prometheus-stack/release.yaml",
                "secretName: alertmanager-receiver optional: true",
                "secretName: alertmanager-receiver",
            ),
            ("production/monitoring/kube-prometheus-stack/receiver.yaml", "slack-url", "slack"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        let persons = persons(platform);
        for Object { path, cluster, layer, value } in objects(platform, "ExternalSecret") {
            let own = persons.get(cluster);
            if !keys(value).iter().any(|key| own.is_some_and(|own| own.contains(key))) {
                continue;
            }
            verdict.see("secret of a person");
            let beside = ["monitoring", "applications"].contains(&layer);
            verdict.hold(beside, format!("{path}: `{layer}` waits for a person"));
        }
        // A person writes these secrets, possibly later, so their volumes are optional.
        for Object { path, cluster, value, .. } in stacks(platform) {
            let volumes = value["spec"]["values"]["alertmanager"]["alertmanagerSpec"]["volumes"].as_array();
            for secret in volumes.into_iter().flatten().map(|it| &it["secret"]) {
                verdict.hold(
                    secret["optional"] == true,
                    format!("{path}: no alert leaves before `{}` is put", secret["secretName"]),
                );
                let source = objects(platform, "ExternalSecret").find(|it| {
                    it.cluster == cluster && it.value["spec"]["target"]["name"] == secret["secretName"]
                });
                let put = source.is_some_and(|it| {
                    keys(it.value).iter().all(|key| persons.get(cluster).is_some_and(|own| own.contains(key)))
                });
                verdict.hold(put, format!("{path}: preflight says nothing of `{}`", secret["secretName"]));
            }
        }
        for Object { path, cluster, value, .. } in objects(platform, "Kustomization") {
            let Some(name) = value["metadata"]["name"].as_str() else { continue };
            verdict.see("layers");
            let waits = before(platform, cluster, name);
            verdict.hold(!waits.contains("monitoring"), format!("{path}: `{name}` waits for `monitoring`"));
        }
    }
}

/// Trap 29.
#[test]
fn definitions_are_too_big_for_an_annotation() {
    prove(
        "Trap 29",
        &["definitions"],
        check,
        &[
            ("prometheus-operator-crds/release.yaml", "serverSideApply: true", ""),
            (
                "prometheus-operator-crds/release.yaml",
                "upgrade: crds: CreateReplace serverSideApply: enabled",
                "upgrade:\n    crds: CreateReplace",
            ),
            ("prometheus-operator-crds/release.yaml", "helm.sh/resource-policy: keep", "keep: me"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for Object { path, value, .. } in releases(platform, "prometheus-operator-crds") {
            verdict.see("definitions");
            let spec = &value["spec"];
            let server =
                spec["install"]["serverSideApply"] == true && spec["upgrade"]["serverSideApply"] == "enabled";
            verdict.hold(server, format!("{path}: an annotation would hold the whole definition"));
            let kept = spec["values"]["crds"]["annotations"]["helm.sh/resource-policy"] == "keep";
            verdict.hold(kept, format!("{path}: an uninstall takes every monitor and rule with it"));
        }
    }
}

/// Trap 74.
#[test]
fn a_release_comes_after_the_store_of_its_secret() {
    prove(
        "Trap 74",
        &["store"],
        check,
        &[
            (
                "clusters/production/layers.yaml",
                "name: monitoring namespace: flux-system spec: dependsOn: - name: configs",
                "name: monitoring\n  namespace: flux-system\nspec:\n  dependsOn:\n    - name: controllers",
            ),
            (
                "kube-prometheus-stack/release.yaml",
                "strategy: name: RetryOnFailure retryInterval: 5m",
                "remediation:\n      retries: 3",
            ),
            // The retry of a failed installation is an upgrade.
            (
                "kube-prometheus-stack/release.yaml",
                "upgrade: crds: CreateReplace serverSideApply: enabled strategy: name: RetryOnFailure retryInterval: 5m",
                "upgrade:\n    remediation:\n      retries: 3",
            ),
            ("kube-prometheus-stack/grafana-login.yaml", "name: parameter-store", "name: store"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for Object { path, cluster, layer, value } in objects(platform, "ExternalSecret") {
            let named = &value["spec"]["secretStoreRef"]["name"];
            let store = objects(platform, "SecretStore").find(|it| {
                it.cluster == cluster
                    && it.value["metadata"]["name"] == *named
                    && it.value["metadata"]["namespace"] == value["metadata"]["namespace"]
            });
            let Some(store) = store else {
                verdict.hold(false, format!("{path}: no store `{named}`"));
                continue;
            };
            verdict.see("store");
            let first = before(platform, cluster, layer);
            verdict.hold(
                first.contains(store.layer),
                format!("{path}: `{layer}` comes before its store in `{}`", store.layer),
            );
        }
        for Object { path, layer, value, .. } in stacks(platform) {
            verdict.hold(layer == "monitoring", format!("{path}: `{layer}` waits for Grafana's Secret"));
            let again = ["install", "upgrade"]
                .iter()
                .all(|it| value["spec"][it]["strategy"]["name"] == "RetryOnFailure");
            verdict.hold(
                again,
                format!("{path}: a Secret that comes late is waited for three times, and never again"),
            );
        }
    }
}
