// The installation, hardening and configuration of Flux.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    Platform, Verdict,
    objects::{Cluster, FIRST, Object, is_whole, lists, objects},
    prove,
};

/// The objects of complete clusters; a patch of a release contains only its values.
fn whole(platform: &Platform) -> impl Iterator<Item = Object<'_>> {
    let real = is_whole(platform);
    objects(platform).filter(move |it| real && !it.path.ends_with("/values.yaml"))
}

fn instances(platform: &Platform) -> impl Iterator<Item = Object<'_>> {
    whole(platform).filter(|it| it.kind() == "FluxInstance")
}

/// Only digits and dots, as in an exact version.
fn is_exact(version: &Value) -> bool {
    let numbers: Vec<&str> = version.as_str().unwrap_or_default().split('.').collect();
    numbers.len() == 3 && numbers.iter().all(|it| it.parse::<u32>().is_ok())
}

/// Trap 27.
#[test]
fn k01_only_stable_versions_of_flux() {
    prove(
        "K01",
        &["flux object"],
        check,
        &[
            (
                "production/layers.yaml",
                "kustomize.toolkit.fluxcd.io/v1",
                "kustomize.toolkit.fluxcd.io/v1beta2",
            ),
            ("external-secrets/release.yaml", "helm.toolkit.fluxcd.io/v2", "helm.toolkit.fluxcd.io/v2beta2"),
            (
                "external-secrets/source.yaml",
                "source.toolkit.fluxcd.io/v1",
                "source.toolkit.fluxcd.io/v1beta2",
            ),
            (
                "flux-system/operator-source.yaml",
                "source.toolkit.fluxcd.io/v1",
                "image.toolkit.fluxcd.io/v1beta2",
            ),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for object in objects(platform).filter(|it| it.is_flux()) {
            verdict.see("flux object");
            let stable = match (object.group(), object.kind()) {
                ("fluxcd.controlplane.io", _) => "v1",
                ("helm.toolkit.fluxcd.io", _) => "v2",
                // Flux 2.9 serves these two kinds in no other version.
                ("notification.toolkit.fluxcd.io", "Alert" | "Provider") => "v1beta3",
                _ => "v1",
            };
            let (_, version) = object.version().split_once('/').unwrap();
            verdict.hold(
                version == stable,
                format!("{}: {} is of {}, not {stable}", object.path, object.kind(), object.version()),
            );
        }
    }
}

/// Trap 27.
#[test]
fn k02_flux_and_kubernetes_fit() {
    prove(
        "K02",
        &["flux"],
        check,
        &[
            ("production/flux-system/instance.yaml", "version: \"…\"", "version: \"2.6.4\""),
            ("production/platform/cluster.tf", "kubernetes_version = \"…\"", "kubernetes_version = \"1.31\""),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        let catalogue: toml::Table = toml::from_str(include_str!("../../../src/catalogue.toml")).unwrap();
        let flux = &catalogue["tools"]["flux"];
        let minor = |it: &str| it.rsplit_once('.').map(|it| it.0.to_owned());
        for instance in instances(platform) {
            let version = instance.spec()["distribution"]["version"].as_str().unwrap_or_default();
            let known = minor(version) == minor(flux["version"].as_str().unwrap());
            verdict.hold(known, format!("{}: nobody says where Flux {version} runs", instance.path));
            let roots = platform
                .roots()
                .filter(|it| it.name == "platform" && Some(&*it.environment) == instance.environment);
            for cluster in roots.flat_map(|it| it.resources("aws_eks_cluster")) {
                verdict.see("flux");
                let kubernetes = cluster.body["version"].as_str().unwrap();
                let fits =
                    flux["kubernetes"].as_array().unwrap().iter().any(|it| it.as_str() == Some(kubernetes));
                verdict.hold(fits, format!("{}: Flux {version} is not made for {kubernetes}", instance.path));
            }
        }
    }
}

/// How the definitions of a chart survive the deletion of its release. Helm deletes those among the templates, unless they have
/// the annotation `helm.sh/resource-policy: keep`; it never deletes those in `crds/`.
const DEFINITIONS: [(&str, Definitions); 7] = [
    ("aws-load-balancer-controller", Definitions::Folder),
    ("cluster-autoscaler", Definitions::None),
    ("external-dns", Definitions::Folder),
    ("external-secrets", Definitions::Templates),
    ("kube-prometheus-stack", Definitions::Disabled),
    ("metrics-server", Definitions::None),
    ("prometheus-operator-crds", Definitions::Templates),
];

enum Definitions {
    None,
    /// In `crds/`.
    Folder,
    /// Among the templates, with annotations from `crds.annotations`.
    Templates,
    /// Among the templates, but turned off with `crds.enabled`: another release has them.
    Disabled,
}

/// Trap 28. Trap 30.
#[test]
fn k05_what_flux_does_it_tries_again_and_undoes() {
    prove(
        "K05",
        &["kustomization", "release", "first", "definitions", "runbook"],
        check,
        &[
            ("production/layers.yaml", "interval: 1h", ""),
            ("production/layers.yaml", "retryInterval: 1m", ""),
            ("production/layers.yaml", "timeout: 5m", ""),
            ("production/layers.yaml", "prune: true", "prune: false"),
            ("applications/test-app.yaml", "prune: true", ""),
            ("metrics-server/release.yaml", "version: \"…\"", "version: \"3.x\""),
            ("metrics-server/release.yaml", "install: crds: CreateReplace", "install:\n    crds: Skip"),
            ("metrics-server/release.yaml", "upgrade: crds: CreateReplace", "upgrade:"),
            ("metrics-server/release.yaml", "remediation: retries: -1 upgrade:", "x: 1\n  upgrade:"),
            ("metrics-server/release.yaml", "retries: -1", "retries: 3"),
            ("flux-system/operator-release.yaml", "retries: -1", "retries: 3"),
            // Its second failure would be that of an upgrade, which has no version to roll back to.
            (
                "metrics-server/release.yaml",
                "remediation: retries: -1 upgrade:",
                "strategy:\n      name: RetryOnFailure\n  upgrade:",
            ),
            ("metrics-server/release.yaml", "strategy: rollback", "strategy: uninstall"),
            (
                "kube-prometheus-stack/release.yaml",
                "strategy: name: RetryOnFailure",
                "x:\n      name: RetryOnFailure",
            ),
            (
                "external-secrets/release.yaml",
                "helm.sh/resource-policy: keep",
                "helm.sh/resource-policy: delete",
            ),
            ("prometheus-operator-crds/release.yaml", "helm.sh/resource-policy: keep", "a: b"),
            ("metrics-server/release.yaml", "chart: metrics-server", "chart: another"),
            ("kubernetes-manifest/README.md", "--reset", ""),
            ("metrics-server/release.yaml", "remediateLastFailure: true", ""),
            ("metrics-server/release.yaml", "serverSideApply: true", ""),
            ("metrics-server/release.yaml", "serverSideApply: enabled cleanupOnFail", "cleanupOnFail"),
            ("metrics-server/release.yaml", "values:", "postRenderers: []\n  values:"),
            ("flux-system/operator-source.yaml", "tag: \"…\"", "semver: \"*\""),
            ("flux-system/instance.yaml", "path: /spec/retryInterval", "path: /spec/force"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for object in whole(platform) {
            let (place, spec) = (format!("{}: `{}`", object.path, object.name()), object.spec());
            if object.is_delivery() {
                verdict.see("kustomization");
                for key in ["interval", "retryInterval", "timeout"] {
                    verdict.hold(spec[key].is_string(), format!("{place} has no `{key}`"));
                }
                verdict.hold(spec["prune"] == true, format!("{place} leaves what is gone from Git"));
            }
            if object.is_release() {
                verdict.see("release");
                for key in ["interval", "timeout"] {
                    verdict.hold(spec[key].is_string(), format!("{place} has no `{key}`"));
                }
                for (key, way) in [("install", Value::from(true)), ("upgrade", "enabled".into())] {
                    let it = &spec[key];
                    verdict.hold(it["crds"] == "CreateReplace", format!("{place} keeps old definitions"));
                    // Its default changed in Flux 2.8, and may change again.
                    verdict
                        .hold(it["serverSideApply"] == way, format!("{place} leaves to Flux how to {key}"));
                }
                let retries = |it: &Value| it["strategy"]["name"] == "RetryOnFailure";
                let (install, upgrade) = (&spec["install"], &spec["upgrade"]);
                // Outside the chain a failed release may stay and be retried until it is ready. Both settings are needed: the
                // retry of an installation is an upgrade, whose rollback has no earlier version (helm-controller v1.6.3,
                // internal/reconcile/atomic_release.go: `ErrMissingRollbackTarget`).
                let stays = object.layer == "monitoring" && retries(install) && retries(upgrade);
                let endless = install["strategy"].is_null()
                    && install["remediation"]["retries"].as_i64().is_some_and(|it| it < 0);
                verdict.hold(stays || endless, format!("{place} gives up before it was ever installed"));
                let undone = upgrade["strategy"].is_null()
                    && upgrade["remediation"]["retries"].as_i64().is_some_and(|it| it > 0)
                    && upgrade["remediation"]["remediateLastFailure"] == true
                    && upgrade["remediation"]["strategy"] == "rollback";
                verdict.hold(stays || undone, format!("{place} stays in the middle of an upgrade"));
                // The chart of the operator has the annotation itself (controlplaneio-fluxcd/charts@0193bc57e91a,
                // charts/flux-operator/templates/crds.yaml).
                if spec["chartRef"].is_null() {
                    verdict.see("definitions");
                    let chart = &spec["chart"]["spec"]["chart"];
                    let crds = &spec["values"]["crds"];
                    let kept = DEFINITIONS.iter().find(|it| *chart == it.0).is_some_and(|it| match it.1 {
                        Definitions::None | Definitions::Folder => true,
                        Definitions::Templates => crds["annotations"]["helm.sh/resource-policy"] == "keep",
                        Definitions::Disabled => crds["enabled"] == false,
                    });
                    verdict.hold(kept, format!("{place} takes its definitions along when it goes"));
                }
                let renders = spec["postRenderers"].is_null() || spec["postRenderStrategy"].is_string();
                verdict.hold(renders, format!("{place} leaves to Flux which hooks it renders"));
                let from = spec["chartRef"]["kind"] == "OCIRepository";
                let exact = from || is_exact(&spec["chart"]["spec"]["version"]);
                verdict.hold(exact, format!("{place} takes whatever chart is newest"));
            }
            if object.kind() == "OCIRepository" {
                verdict.hold(is_exact(&spec["ref"]["tag"]), format!("{place} takes whatever is newest"));
            }
            if object.kind() == "FluxInstance" {
                verdict.see("first");
                // It creates a Kustomization that sets none of these by default.
                let patches = spec["kustomize"]["patches"].as_array().into_iter().flatten();
                let patches: String = patches
                    .filter(|it| it["target"]["kind"] == "Kustomization")
                    .filter_map(|it| it["patch"].as_str())
                    .collect();
                for path in ["/spec/retryInterval", "/spec/timeout"] {
                    verdict.hold(patches.contains(path), format!("{place}: no `{path}` for the first"));
                }
            }
        }
        for cluster in Cluster::all(platform).iter().filter(|_| is_whole(platform)) {
            verdict.see("runbook");
            let path = format!("{}/README.md", cluster.repository);
            let said =
                platform.files[&path].contains("flux reconcile helmrelease NAME --namespace NAME --reset");
            verdict.hold(said, format!("{path}: nobody knows how to go on after a failed upgrade"));
        }
    }
}

/// Trap 23. Trap 24.
#[test]
fn k06_flux_corrects_what_is_its_own() {
    prove(
        "K06",
        &["release", "autoscaled", "runbook"],
        check,
        &[
            ("metrics-server/release.yaml", "driftDetection: mode: enabled", ""),
            ("metrics-server/release.yaml", "mode: enabled", "mode: warn"),
            ("metrics-server/release.yaml", "values:", "values:\n    autoscaling:\n      enabled: true"),
            ("test-app/base/deployment.yaml", "spec:", "spec:\n  replicas: 2"),
            ("overlays/production/deployment.yaml", "spec:", "spec:\n  replicas: 2"),
            ("kubernetes-manifest/README.md", "--field-manager=flux-client-side-apply", ""),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for object in whole(platform).filter(|it| it.is_release()) {
            verdict.see("release");
            let (place, spec) = (format!("{}: `{}`", object.path, object.name()), object.spec());
            let corrects = spec["driftDetection"]["mode"] == "enabled";
            verdict.hold(corrects, format!("{place} leaves what somebody changes by hand"));
            let mut found = Vec::new();
            super::terraform::attributes(&spec["values"], &mut found);
            let scaled =
                found.iter().any(|(key, it)| ["autoscaling", "hpa"].contains(key) && it["enabled"] == true);
            let ignored = spec["driftDetection"]["ignore"].as_array().into_iter().flatten();
            let ignored =
                ignored.flat_map(|it| super::terraform::words(&it["paths"])).any(|it| it == "/spec/replicas");
            verdict.hold(!scaled || ignored, format!("{place} takes the number of pods from its autoscaler"));
        }
        let scalers: BTreeSet<_> = whole(platform)
            .filter(|it| it.kind() == "HorizontalPodAutoscaler" && it.spec()["scaleTargetRef"].is_object())
            .map(|it| (it.repository, it.layer, it.spec()["scaleTargetRef"]["name"].as_str().unwrap()))
            .collect();
        for object in whole(platform).filter(|it| it.kind() == "Deployment") {
            if scalers.contains(&(object.repository, object.layer, object.name())) {
                verdict.see("autoscaled");
                let free = object.spec()["replicas"].is_null();
                verdict.hold(free, format!("{}: sets back what the autoscaler decides", object.path));
            }
        }
        for cluster in Cluster::all(platform).iter().filter(|_| is_whole(platform)) {
            verdict.see("runbook");
            let text = &platform.files[&format!("{}/README.md", cluster.repository)];
            let said =
                text.contains("rollout restart") && text.contains("--field-manager=flux-client-side-apply");
            verdict.hold(said, format!("{}: a restart is undone by Flux", cluster.repository));
        }
    }
}

/// Trap 56.
#[test]
fn k07_no_reference_leaves_its_namespace() {
    prove(
        "K07",
        &["instance", "reference", "list"],
        check,
        &[
            ("flux-system/instance.yaml", "multitenant: true", "multitenant: false"),
            ("flux-system/instance.yaml", "value: 1m", "value: --insecure-kubeconfig-exec=true"),
            (
                "metrics-server/release.yaml",
                "kind: HelmRepository",
                "kind: HelmRepository\n        namespace: flux-system",
            ),
            ("metrics-server/source.yaml", "namespace: metrics-server", "namespace: flux-system"),
            ("production/layers.yaml", "- name: configs", "- name: configs\n      namespace: other"),
            ("metrics-server/kustomization.yaml", "- source.yaml", "- https://example.com/source.yaml"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for instance in instances(platform) {
            verdict.see("instance");
            let spec = instance.spec();
            let locked = spec["cluster"]["multitenant"] == true;
            verdict.hold(locked, format!("{}: whoever names no account may do everything", instance.path));
            let open = spec["kustomize"].to_string().contains("--insecure-");
            verdict.hold(!open, format!("{}: a kubeconfig may run programs", instance.path));
        }
        for object in whole(platform).filter(|it| it.is_delivery() || it.is_release()) {
            verdict.see("reference");
            let spec = object.spec();
            let references = [&spec["sourceRef"], &spec["chartRef"], &spec["chart"]["spec"]["sourceRef"]];
            let needs = spec["dependsOn"].as_array().into_iter().flatten();
            for it in references.into_iter().chain(needs).filter(|it| it.is_object()) {
                let near = it["namespace"].is_null() || it["namespace"] == object.namespace();
                verdict.hold(near, format!("{}: {it} lies in another namespace", object.path));
                let kind = it["kind"].as_str().unwrap_or_default();
                let made = kind == "GitRepository" && it["name"] == FIRST && object.namespace() == FIRST;
                let there = kind.is_empty()
                    || made
                    || whole(platform).any(|other| {
                        other.kind() == kind
                            && it["name"] == other.name()
                            && other.namespace() == object.namespace()
                            && other.environment == object.environment
                    });
                verdict.hold(there, format!("{}: {it} is not there", object.path));
            }
        }
        for list in lists(platform).filter(|_| is_whole(platform)) {
            verdict.see("list");
            for entry in super::terraform::words(&list.value["resources"]) {
                let far = entry.contains(':') || entry.contains('?') || entry.starts_with("github.com/");
                verdict.hold(!far, format!("{}: `{entry}` comes from elsewhere", list.path));
            }
        }
    }
}

/// Trap 75.
#[test]
fn k08_each_deploys_with_its_own_rights() {
    prove(
        "K08",
        &["layer", "application", "release"],
        check,
        &[
            ("production/layers.yaml", "serviceAccountName: kustomize-controller", ""),
            (
                "applications/test-app.yaml",
                "serviceAccountName: test-app",
                "serviceAccountName: kustomize-controller",
            ),
            ("metrics-server/release.yaml", "serviceAccountName: flux", ""),
            ("metrics-server/release.yaml", "serviceAccountName: flux", "serviceAccountName: metrics-server"),
            ("namespaces/metrics-server.yaml", "kind: ClusterRoleBinding", "kind: ConfigMap"),
            (
                "namespaces/metrics-server.yaml",
                "kind: ServiceAccount metadata:",
                "kind: ConfigMap\nmetadata:",
            ),
            ("test-app/role-binding.yaml", "kind: RoleBinding", "kind: ClusterRoleBinding"),
            (
                "test-app/role-binding.yaml",
                "name: application-deployer subjects",
                "name: cluster-admin\nsubjects",
            ),
            ("test-app/role-binding.yaml", "namespace: test-app", "namespace: kube-system"),
            ("test-app/service-account.yaml", "namespace: flux-system", "namespace: test-app"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for cluster in Cluster::all(platform).iter().filter(|_| is_whole(platform)) {
            let applications = cluster.applications();
            let account = |namespace: &str, name: &str| {
                cluster.objects.iter().find(|it| {
                    it.kind() == "ServiceAccount" && it.namespace() == namespace && it.name() == name
                })
            };
            let bindings = |namespace: &str, name: &str| -> Vec<&Object> {
                let bound = |it: &&Object| {
                    let subjects = it.value["subjects"].as_array().into_iter().flatten();
                    it.kind().ends_with("RoleBinding")
                        && subjects.into_iter().any(|it| it["name"] == name && it["namespace"] == namespace)
                };
                cluster.objects.iter().filter(bound).collect()
            };
            for object in &cluster.objects {
                let place = format!("{}: `{}`", object.path, object.name());
                let who = object.spec()["serviceAccountName"].as_str().unwrap_or_default();
                if object.is_delivery() && applications.contains(&object.name()) {
                    verdict.see("application");
                    verdict.hold(who == object.name(), format!("{place} deploys as `{who}`"));
                    let own = account(FIRST, who).is_some_and(|it| it.layer == "tenants");
                    verdict.hold(own, format!("{place} has no account beside its source"));
                    let bound = bindings(FIRST, who);
                    let inside = bound.iter().all(|it| {
                        it.kind() == "RoleBinding"
                            && it.namespace() == object.name()
                            && it.value["roleRef"]["name"] == "application-deployer"
                    });
                    verdict
                        .hold(inside && !bound.is_empty(), format!("{place} reaches beyond its namespace"));
                } else if object.is_delivery() {
                    verdict.see("layer");
                    verdict.hold(who == "kustomize-controller", format!("{place} has no rights as `{who}`"));
                } else if object.is_release() && !object.path.ends_with("/values.yaml") {
                    verdict.see("release");
                    // Flux's own service account, in its own namespace.
                    let flux = object.namespace() == FIRST && who == "helm-controller";
                    let own = account(object.namespace(), who).is_some_and(|it| it.layer == FIRST)
                        && bindings(object.namespace(), who).iter().any(|it| it.layer == FIRST);
                    verdict.hold(flux || own, format!("{place} has no rights as `{who}`"));
                }
            }
        }
    }
}

/// Trap 47.
#[test]
fn k09_nobody_calls_flux_from_outside() {
    prove(
        "K09",
        &["network policies"],
        check,
        &[
            ("flux-system/instance.yaml", "networkPolicy: true", "networkPolicy: false"),
            ("flux-system/instance.yaml", "kind: Kustomization", "kind: NetworkPolicy"),
            (
                "flux-system/operator-source.yaml",
                "apiVersion: … kind: OCIRepository",
                "apiVersion: notification.toolkit.fluxcd.io/v1\nkind: Receiver",
            ),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for instance in instances(platform) {
            verdict.see("network policies");
            let spec = instance.spec();
            let kept = spec["cluster"]["networkPolicy"] == true
                && !spec["kustomize"].to_string().contains("NetworkPolicy");
            verdict.hold(kept, format!("{}: every pod reaches the controllers", instance.path));
        }
        let receivers = whole(platform).filter(|it| it.kind() == "Receiver");
        for receiver in receivers {
            let led = whole(platform).any(|it| {
                it.kind() == "Ingress"
                    && it.environment == receiver.environment
                    && it.spec().to_string().contains("\"webhook-receiver\"")
                    && it.spec()["tls"].is_array()
            });
            verdict.hold(led, format!("{}: no way with TLS leads to it", receiver.path));
        }
    }
}

#[test]
fn k10_flux_reads_git_and_may_not_write() {
    prove(
        "K10",
        &["source", "runbook", "signature"],
        check,
        &[
            ("flux-system/instance.yaml", "pullSecret: flux-system", ""),
            (
                "flux-system/instance.yaml",
                "url: \"ssh://…\"",
                "url: \"http://github.com/acme/kubernetes-manifest\"",
            ),
            ("flux-system/instance.yaml", "ref: refs/heads/main", "ref: refs/heads/next"),
            ("production/README.md", "a read-only deploy key", "a deploy key"),
            ("flux-system/operator-source.yaml", "verify: provider: cosign", "x:\n    provider: cosign"),
            (
                "flux-system/operator-source.yaml",
                "subject: ^https://github\\.com/controlplaneio-fluxcd/…",
                "subject: .*",
            ),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for instance in instances(platform) {
            verdict.see("source");
            let sync = &instance.spec()["sync"];
            let url = sync["url"].as_str().unwrap_or_default();
            let key = url.starts_with("ssh://git@github.com/") && sync["provider"].is_null();
            let app = url.starts_with("https://github.com/") && sync["provider"] == "github";
            let known = (key || app) && sync["pullSecret"].is_string();
            verdict.hold(known, format!("{}: reads Git as nobody", instance.path));
            verdict
                .hold(sync["ref"] == "refs/heads/main", format!("{}: reads another branch", instance.path));
            let runbook = format!("/environments/{}/README.md", instance.environment.unwrap());
            let (path, text) = platform.files.iter().find(|it| it.0.ends_with(&runbook)).unwrap();
            verdict.see("runbook");
            let words = if app { "read access to its contents" } else { "a read-only deploy key" };
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            verdict.hold(text.contains(words), format!("{path}: Flux may write"));
        }
        for source in whole(platform).filter(|it| it.kind() == "OCIRepository") {
            verdict.see("signature");
            let verify = &source.spec()["verify"];
            let who = verify["matchOIDCIdentity"][0]["subject"].as_str().unwrap_or_default();
            let named = verify["provider"] == "cosign" && who.starts_with("^https://github\\.com/");
            verdict.hold(named, format!("{}: anybody may have made it", source.path));
        }
    }
}

/// Trap 26. Trap 57.
#[test]
fn k11_nothing_is_filled_in_behind_the_reviewer() {
    prove(
        "K11",
        &["kustomization"],
        check,
        &[
            (
                "production/layers.yaml",
                "prune: true",
                "prune: true\n  postBuild:\n    substitute:\n      x: y",
            ),
            ("applications/test-app.yaml", "prune: true", "prune: true\n  postBuild: {}"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        // Every name is computed from the blueprint, so nothing must be substituted, and `${…}` in scripts and dashboards
        // stays unchanged.
        for object in whole(platform).filter(|it| it.is_delivery()) {
            verdict.see("kustomization");
            let plain = object.spec()["postBuild"].is_null();
            verdict.hold(plain, format!("{}: `{}` substitutes", object.path, object.name()));
        }
    }
}

#[test]
fn k45_flux_is_an_instance_of_an_exact_version() {
    prove(
        "K45",
        &["instance", "operator"],
        check,
        &[
            ("flux-system/instance.yaml", "version: \"…\"", "version: \"2.x\""),
            (
                "flux-system/instance.yaml",
                "registry: ghcr.io/fluxcd",
                "registry: ghcr.io/fluxcd\n    artifact: oci://ghcr.io/controlplaneio-fluxcd/flux-operator-manifests:latest",
            ),
            ("flux-system/instance.yaml", "networkPolicy: true", ""),
            ("flux-system/instance.yaml", "size: medium", ""),
            ("flux-system/instance.yaml", "kustomize.toolkit.fluxcd.io/prune: disabled", "a: b"),
            ("flux-system/instance.yaml", "name: flux namespace", "name: main\n  namespace"),
            ("flux-system/instance.yaml", "- helm-controller", ""),
            ("flux-system/operator-source.yaml", "tag: \"…\"", "tag: latest"),
            ("flux-system/operator-release.yaml", "kustomize.toolkit.fluxcd.io/prune: disabled", "a: b"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        let kept = |it: &Object| {
            it.value["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/prune"] == "disabled"
        };
        for cluster in Cluster::all(platform).iter().filter(|_| is_whole(platform)) {
            let own = |kind: &str| {
                cluster.objects.iter().filter(|it| it.kind() == kind && it.layer == FIRST).collect::<Vec<_>>()
            };
            let (instances, sources) = (own("FluxInstance"), own("OCIRepository"));
            verdict.hold(instances.len() == 1, format!("{}: {} instances", cluster.place(), instances.len()));
            for instance in instances {
                verdict.see("instance");
                let (spec, place) = (instance.spec(), instance.path);
                let named = (instance.namespace(), instance.name()) == (FIRST, "flux");
                verdict.hold(named, format!("{place}: the operator passes over it"));
                let exact =
                    is_exact(&spec["distribution"]["version"]) && spec["distribution"]["artifact"].is_null();
                verdict.hold(exact, format!("{place}: Flux changes without a commit"));
                verdict
                    .hold(spec["cluster"]["networkPolicy"] == true, format!("{place}: no network policies"));
                verdict.hold(
                    spec["cluster"]["size"].is_string(),
                    format!("{place}: nobody says how much it takes"),
                );
                verdict.hold(kept(instance), format!("{place}: Flux may uninstall itself"));
                let controllers = super::terraform::words(&spec["components"]);
                for name in ["source", "kustomize", "helm", "notification"] {
                    let there = controllers.contains(&&*format!("{name}-controller"));
                    verdict.hold(there, format!("{place}: no {name}-controller"));
                }
            }
            for source in sources {
                verdict.see("operator");
                verdict.hold(
                    is_exact(&source.spec()["ref"]["tag"]),
                    format!("{}: changes unasked", source.path),
                );
            }
            for release in cluster.objects.iter().filter(|it| it.is_release() && it.layer == FIRST) {
                verdict.hold(kept(release), format!("{}: may uninstall Flux", release.path));
            }
        }
    }
}
