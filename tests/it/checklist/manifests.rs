// The checks of a pull request to the manifests, and how secrets get into the cluster.

use serde_json::Value;

use super::{
    Platform, Verdict,
    layers::{DEFINED, is_custom, keys},
    objects::{Cluster, is_whole, lists, objects},
    prove,
};

/// Trap 71.
#[test]
fn k13_every_change_is_checked_as_the_api_server_would() {
    prove(
        "K13",
        &["workflow", "script", "definitions"],
        check,
        &[
            ("workflows/validate.yml", "on: pull_request: branches: - main", "on:"),
            ("workflows/validate.yml", "run: bash scripts/validate", "run: ls"),
            (
                "workflows/validate.yml",
                "run: bash scripts/validate",
                "run: bash scripts/validate\n        continue-on-error: true",
            ),
            ("scripts/validate", "\"production v1.36.", "\"production v1.35."),
            ("scripts/validate", "v2.9.4", "v2.9.0"),
            ("scripts/validate", "v0.58.1", "v0.58.0"),
            ("scripts/validate", "kubectl-validate@v…", "kubectl-validate@latest"),
            ("scripts/validate", "\"github.com/external-secrets/external-secrets …\"", ""),
            ("scripts/validate", "--local-crds \"$work/definitions\"", ""),
            ("scripts/build", "kubectl kustomize", "ls"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for cluster in Cluster::all(platform).iter().filter(|_| is_whole(platform)) {
            let (repository, name) = (cluster.repository, cluster.environment);
            let workflow = format!("{repository}/.github/workflows/validate.yml");
            let document = platform.documents().find(|it| it.path == workflow).unwrap();
            verdict.see("workflow");
            verdict.hold(
                document.value()["on"]["pull_request"].is_object(),
                format!("{workflow}: starts too late"),
            );
            let jobs = document.value()["jobs"].as_object().unwrap();
            let runs = jobs.values().any(|job| {
                let steps = job["steps"].as_array().into_iter().flatten();
                let mut all = steps.filter(|it| it["run"] == "bash scripts/validate");
                all.any(|it| it["continue-on-error"].is_null() && it["if"].is_null()) && job["if"].is_null()
            });
            verdict.hold(runs, format!("{workflow}: does not validate"));
            let build = &platform.files[&format!("{repository}/scripts/build")];
            let script = &platform.files[&format!("{repository}/scripts/validate")];
            verdict.see("script");
            verdict.hold(build.contains("kubectl kustomize"), format!("{repository}: nothing is built"));
            let line = script.lines().find_map(|it| it.trim().strip_prefix(&format!("\"{name} v")));
            let versions: Vec<&str> = line.unwrap_or_default().trim_end_matches('"').split(" v").collect();
            let roots = platform.roots().filter(|it| it.name == "platform" && it.environment == name);
            for it in roots.flat_map(|it| it.resources("aws_eks_cluster")) {
                let minor = it.body["version"].as_str().unwrap();
                let same =
                    versions.first().is_some_and(|it| it.rsplit_once('.').is_some_and(|it| it.0 == minor));
                verdict.hold(same, format!("{}: is checked against another Kubernetes", cluster.place()));
            }
            let find = |kind: &str| cluster.objects.iter().find(|it| it.kind() == kind).unwrap().spec();
            let flux = find("FluxInstance")["distribution"]["version"].as_str();
            verdict.hold(
                versions.get(1).copied() == flux,
                format!("{}: is checked against another Flux", cluster.place()),
            );
            let operator = find("OCIRepository")["ref"]["tag"].as_str();
            verdict.hold(
                versions.get(2).copied() == operator,
                format!("{}: is checked against another operator", cluster.place()),
            );
            let exact =
                script.lines().find_map(|it| it.strip_prefix("checker=sigs.k8s.io/kubectl-validate@v"));
            let exact = exact.is_some_and(|it| it.split('.').all(|it| it.parse::<u32>().is_ok()));
            verdict.hold(exact, format!("{repository}: the checker changes by itself"));
            for object in cluster.objects.iter().filter(|it| is_custom(it)) {
                verdict.see("definitions");
                let module = DEFINED.iter().find(|it| it.0 == object.group()).map_or("?", |it| it.2);
                let known = script.contains(&format!("\"{module} v"))
                    && script.contains("--local-crds \"$work/definitions\"");
                verdict.hold(known, format!("{}: nobody knows its kind", object.path));
            }
        }
    }
}

#[test]
fn k14_no_secret_stands_in_git() {
    prove(
        "K14",
        &["object", "list", "gate"],
        check,
        &[
            (
                "metrics-server/source.yaml",
                "apiVersion: … kind: HelmRepository",
                "apiVersion: v1\nkind: Secret",
            ),
            ("apps/test-app/base/service.yaml", "kind: Service", "kind: Secret"),
            ("test-app/base/kustomization.yaml", "resources:", "secretGenerator:\n  - name: x\nresources:"),
            ("scripts/validate", "grep -l '^kind: Secret$'", "grep -l 'x'"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for object in objects(platform) {
            verdict.see("object");
            let secret = object.version() == "v1" && object.kind() == "Secret";
            verdict.hold(!secret, format!("{}: `{}` is a Secret", object.path, object.name()));
        }
        for list in lists(platform) {
            verdict.see("list");
            verdict.hold(list.value["secretGenerator"].is_null(), format!("{}: makes a Secret", list.path));
        }
        for (path, text) in platform.files.iter().filter(|(path, _)| path.ends_with("/scripts/validate")) {
            verdict.see("gate");
            verdict.hold(text.contains("'^kind: Secret$'"), format!("{path}: lets a Secret in"));
        }
    }
}

/// The number of a login in the path of a parameter.
fn login(key: &str) -> Option<u32> {
    key.split("/database/").nth(1)?.split('/').next()?.parse().ok()
}

/// Names of Secrets that a container of a template reads when it starts.
fn read_at_start(template: &Value) -> Vec<&str> {
    let containers = ["containers", "initContainers"].into_iter();
    let containers = containers.flat_map(|it| template["spec"][it].as_array().into_iter().flatten());
    let names = containers.flat_map(|it| {
        let whole = it["envFrom"].as_array().into_iter().flatten();
        let whole = whole.filter_map(|it| it["secretRef"]["name"].as_str());
        let single = it["env"].as_array().into_iter().flatten();
        whole.chain(single.filter_map(|it| it["valueFrom"]["secretKeyRef"]["name"].as_str()))
    });
    names.collect()
}

#[test]
fn k24_a_rotated_secret_has_a_new_name() {
    prove(
        "K24",
        &["login", "secret of a login", "other secret"],
        check,
        &[
            ("production/platform/parameters.tf", "\"test-app/database/1\"", "\"test-app/database/login\""),
            ("production/platform/monitoring.tf", "/${each.key}/admin-password", "/admin-password"),
            ("production/database.yaml", "target: name: database-1", "target:\n    name: database"),
            ("production/secrets.yaml", "ledger-api/payment/key", "ledger-api/payment/key-2"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for root in platform.roots() {
            let names = root.resources("aws_ssm_parameter").filter_map(|it| it.body["name"].as_str());
            for name in names.filter(|it| it.ends_with("password")) {
                verdict.see("login");
                let number = name.rsplit('/').nth(1).and_then(|it| it.parse::<u32>().ok());
                verdict.hold(number.is_some(), format!("{}: `{name}` has no number", root.path));
            }
        }
        let made: Vec<_> = objects(platform)
            .filter(|it| it.kind() == "ExternalSecret")
            .map(|it| {
                let name = it.spec()["target"]["name"].as_str().unwrap_or(it.name());
                (name, keys(&it).into_iter().find_map(login), it)
            })
            .collect();
        for (name, number, it) in &made {
            if let Some(number) = number {
                verdict.see("secret of a login");
                let new = name.ends_with(&format!("-{number}"));
                verdict.hold(new, format!("{}: `{name}` stays when its login changes", it.path));
            }
        }
        for object in objects(platform) {
            let template = &object.spec()["template"];
            let marks = template["metadata"]["annotations"].as_object();
            let marked = marks.is_some_and(|it| it.keys().any(|it| it.starts_with("checksum/")))
                || object.value["metadata"]["annotations"]["reloader.stakater.com/auto"] == "true";
            for name in read_at_start(template) {
                let others = made.iter().filter(|(it, number, by)| {
                    *it == name && number.is_none() && by.namespace() == object.namespace()
                });
                for by in others {
                    verdict.see("other secret");
                    // A Job runs once, and again only if its template changes. The name of a Secret depends on the path of its value,
                    // so a new path changes the template.
                    let placed =
                        |key: &&str| key.splitn(5, '/').nth(4).is_some_and(|it| it.replace('/', "-") == name);
                    let holds = marked || object.kind() == "Job" || keys(&by.2).iter().all(placed);
                    verdict.hold(holds, format!("{}: keeps the old `{name}`", object.path));
                }
            }
        }
    }
}
