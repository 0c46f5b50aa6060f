// References between the repositories: names of roles, parameters, images and ports.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    Platform, Verdict,
    overlays::Overlay,
    policies::{Stack, Statement, grants},
    prove,
    terraform::{Root, attributes},
};

/// The first root of each environment.
fn roots(platform: &Platform) -> impl Iterator<Item = &Root> {
    platform.roots().filter(|root| root.name == "platform")
}

/// The objects of an environment's cluster: of its folder, and of its applications.
fn objects<'p>(platform: &'p Platform, environment: &str) -> Vec<&'p Value> {
    let (cluster, overlay) = (format!("/clusters/{environment}/"), format!("/overlays/{environment}/"));
    let own = |path: &str| path.contains(&cluster) || path.contains(&overlay) || path.contains("/base/");
    platform.documents().filter(|it| own(&it.path)).flat_map(|it| it.values()).collect()
}

/// Every role in the manifests exists and trusts the service account that names it; every role for secrets is used. An application
/// has a role if the blueprint has permissions for it, with exactly these, and a pod that runs as its service account.
#[test]
fn x01_roles_and_service_accounts_know_each_other() {
    let store = "tenants/test-app/store.yaml";
    prove(
        "X01",
        &["service account", "store's own role", "application's role"],
        check,
        &[
            (store, "secrets-test-app", "secrets-test"),
            (store, "arn:aws:iam::111122223333", "arn:aws:iam::999922223333"),
            (
                store,
                "kind: ServiceAccount metadata: name: external-secrets",
                "kind: ServiceAccount\nmetadata:\n  name: other",
            ),
            (store, "eks.amazonaws.com/role-arn: …", "a: b"),
            ("platform/secrets.tf", "\"test-app\" = [\"test-app\"]", ""),
            ("ledger-api/store.yaml", "role: …", "auth: {}"),
            ("overlays/production/service-account.yaml", "production-app-shop", "production-app-shops"),
            ("overlays/production/service-account.yaml", "eks.amazonaws.com/role-arn: …", "a: b"),
            (
                "platform/iam.tf",
                "\"app-shop\" = { namespace = \"shop\", name = \"shop\" }",
                "\"app-shop\" = { namespace = \"shop\", name = \"other\" }",
            ),
            ("platform/iam.tf", "name = \"${local.name}-app-shop\"", "name = \"${local.name}-shop\""),
            ("platform/iam.tf", "arn:aws:s3:::orchard-images/*", "arn:aws:s3:::*"),
            (
                "platform/iam.tf",
                "Action = [\"s3:GetObject\"]",
                "Action = [\"s3:GetObject\", \"s3:PutObject\"]",
            ),
            ("bootstrap/stack.yaml", "arn:aws:s3:::orchard-images/*", "arn:aws:s3:::orchard/*"),
            (
                "bootstrap/stack.yaml",
                "Action: s3:GetObject Resource: arn:aws:s3:::orchard-images/*",
                "Action: s3:PutObject\n            Resource: arn:aws:s3:::orchard-images/*",
            ),
            ("platform/iam.tf", "namespace = \"ledger-api\"", "namespace = \"ledger\""),
            (
                "platform/iam.tf",
                "role_arn = aws_iam_role.app_ledger_api.arn",
                "role_arn = aws_iam_role.node.arn",
            ),
            (
                "ledger-api/base/deployment.yaml",
                "serviceAccountName: ledger-api",
                "serviceAccountName: default",
            ),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for root in roots(platform) {
            let place = &root.path;
            // The service account that each role trusts, by the role's name.
            let made: BTreeMap<String, String> = root
                .resources("aws_iam_role")
                .filter_map(|it| {
                    Some((it.body["name"].as_str()?.to_owned(), it.body["assume_role_policy"].to_string()))
                })
                .collect();
            let account = root.words("provider").find_map(|it| it.body["allowed_account_ids"][0].as_str());
            let mut named = BTreeSet::new();
            for object in objects(platform, &root.environment) {
                let mut found = Vec::new();
                attributes(object, &mut found);
                let irsa = &object["metadata"]["annotations"]["eks.amazonaws.com/role-arn"];
                for (_, value) in found {
                    let Some(arn) =
                        value.as_str().filter(|it| it.starts_with("arn:aws:iam::") && it.contains(":role/"))
                    else {
                        continue;
                    };
                    let name = arn.rsplit('/').next().unwrap_or_default();
                    let ours = account.is_none_or(|it| arn.starts_with(&format!("arn:aws:iam::{it}:")));
                    verdict.hold(ours && made.contains_key(name), format!("{place}: nobody makes `{arn}`"));
                    let kind = object["kind"].as_str().unwrap_or_default();
                    if kind == "ServiceAccount" && *irsa == *value {
                        verdict.see("service account");
                        let metadata = &object["metadata"];
                        let subject = format!(
                            "system:serviceaccount:{}:{}",
                            metadata["namespace"].as_str().unwrap_or_default(),
                            metadata["name"].as_str().unwrap_or_default()
                        );
                        let believes =
                            made.get(name).is_some_and(|it| it.contains(&format!("\"{subject}\"")));
                        verdict.hold(believes, format!("{place}: `{name}` does not believe {subject}"));
                    } else if kind == "SecretStore" {
                        verdict.see("store's own role");
                    }
                    named.insert(name.to_owned());
                }
            }
            for name in made.keys().filter(|it| it.contains("-secrets-")) {
                verdict.hold(named.contains(name), format!("{place}: nobody is `{name}`"));
            }
            applications(platform, root, &named, verdict);
        }
    }
    fn applications(platform: &Platform, root: &Root, named: &BTreeSet<String>, verdict: &mut Verdict) {
        let place = &root.path;
        let objects = objects(platform, &root.environment);
        let roles = root
            .resources("aws_iam_role")
            .filter_map(|it| Some((it.body["name"].as_str()?.split_once("-app-")?.1.to_owned(), it)));
        let mut roles: BTreeMap<String, _> = roles.collect();
        let asked = platform.setting("", &["applications"]).and_then(|it| it.as_table());
        for name in asked.into_iter().flatten().map(|(name, _)| name) {
            let own = ["applications", name.as_str(), "permissions"];
            let Some(permissions) = platform.setting("", &own).and_then(|it| it.as_table()) else { continue };
            verdict.see("application's role");
            let Some(role) = roles.remove(name) else {
                verdict.hold(false, format!("{place}: `{name}` has no role"));
                continue;
            };
            let full = role.body["name"].as_str().unwrap_or_default();
            let mut ends = root
                .resources("aws_eks_pod_identity_association")
                .filter(|it| role.is_meant_by(&it.body["role_arn"]));
            let associated = ends.any(|it| {
                it.body["namespace"] == name.as_str() && it.body["service_account"] == name.as_str()
            });
            verdict.hold(associated != named.contains(full), format!("{place}: nobody is `{full}`"));
            let is_pod = |it: &&&Value| {
                it["kind"] == "Deployment"
                    && it["metadata"]["namespace"] == name.as_str()
                    && it["spec"]["template"]["spec"]["serviceAccountName"] == name.as_str()
            };
            verdict.hold(objects.iter().any(|it| is_pod(&it)), format!("{place}: no pod is `{full}`"));
            let mut may = BTreeSet::new();
            for statement in grants(root, role) {
                let pairs = statement.actions().into_iter().flat_map(|action| {
                    statement.resources().into_iter().map(move |it| (action.to_owned(), it.to_owned()))
                });
                may.extend(pairs);
            }
            let mut wanted = BTreeSet::new();
            for permission in permissions.keys() {
                let words = |key: &str| -> Vec<String> {
                    let path = [own.as_slice(), &[permission.as_str(), key]].concat();
                    let list = platform.setting(&root.environment, &path).and_then(|it| it.as_array());
                    list.into_iter().flatten().filter_map(|it| Some(it.as_str()?.to_owned())).collect()
                };
                let resources = words("resources");
                for action in words("actions") {
                    wanted.extend(resources.iter().map(|it| (action.clone(), it.clone())));
                }
            }
            verdict.hold(may == wanted, format!("{place}: `{full}` may {may:?}, not {wanted:?}"));
            for stack in Stack::all(platform).filter(|it| it.environment == root.environment) {
                for (_, boundary) in
                    stack.resources("AWS::IAM::ManagedPolicy").filter(|it| it.0 == "Boundary")
                {
                    let all = Statement::all("boundary", &boundary["Properties"]["PolicyDocument"]);
                    let lets = |(action, resource): &(String, String)| {
                        all.iter().any(|it| it.may(action) && it.resources().contains(&resource.as_str()))
                    };
                    verdict.hold(wanted.iter().all(lets), format!("{place}: the boundary stops `{full}`"));
                }
            }
        }
        verdict.hold(roles.is_empty(), format!("{place}: {:?} have a role for nothing", roles.keys()));
    }
}

/// The parameters that Terraform writes, and those that a person writes, which preflight checks.
fn parameters(platform: &Platform, root: &Root) -> BTreeSet<String> {
    let made =
        root.resources("aws_ssm_parameter").filter_map(|it| it.body["name"].as_str().map(str::to_owned));
    let list = format!("{}/names.txt", root.path.trim_end_matches("/platform"));
    let asked = platform.files.get(&list).into_iter().flat_map(|it| it.lines());
    let asked = asked.filter_map(|it| it.strip_prefix("secret ")?.split(' ').next().map(str::to_owned));
    made.chain(asked).collect()
}

/// Trap 21.
#[test]
fn x02_every_secret_is_there_and_may_be_read() {
    let file = "overlays/production/database.yaml";
    prove(
        "X02",
        &["secret"],
        check,
        &[
            (file, "/database/endpoint", "/database/address"),
            (file, "/database/1/password", "/database/9/password"),
            (file, "key: /faceit/production/test-app/", "key: /faceit/staging/test-app/"),
            (
                file,
                "key: /faceit/production/test-app/database/1/password",
                "key: /faceit/production/database/master/password",
            ),
            ("overlays/production/registry.yaml", "registry/docker-config", "registry/config"),
            ("environments/production/names.txt", "test-app/registry/docker-config", "test-app/registry"),
            (file, "name: parameter-store", "name: vault"),
            ("platform/secrets.tf", "\"test-app\" = [\"test-app\"]", "\"test-app\" = [\"other\"]"),
            ("platform/secrets.tf", "[\"kms:Decrypt\"]", "[\"kms:DescribeKey\"]"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for root in roots(platform) {
            let known = parameters(platform, root);
            let objects = objects(platform, &root.environment);
            for secret in objects.iter().filter(|it| it["kind"] == "ExternalSecret") {
                verdict.see("secret");
                let namespace = secret["metadata"]["namespace"].as_str().unwrap_or_default();
                let reference = &secret["spec"]["secretStoreRef"];
                let store = objects.iter().any(|it| {
                    it["kind"] == "SecretStore"
                        && it["metadata"]["namespace"] == namespace
                        && it["metadata"]["name"] == reference["name"]
                });
                let place = format!("{}: {namespace}/{}", root.path, secret["metadata"]["name"]);
                verdict.hold(store && reference["kind"] == "SecretStore", format!("{place} has no store"));
                let role = root.resources("aws_iam_role").find(|it| {
                    it.body["name"].as_str().is_some_and(|it| it.ends_with(&format!("-secrets-{namespace}")))
                });
                let rights: Vec<_> = role.into_iter().flat_map(|it| grants(root, it)).collect();
                let decrypts = rights.iter().any(|it| it.may("kms:Decrypt"));
                verdict.hold(decrypts, format!("{place} cannot be decrypted"));
                for key in secret["spec"]["data"].as_array().into_iter().flatten() {
                    let key = key["remoteRef"]["key"].as_str().unwrap_or_default();
                    verdict.hold(known.contains(key), format!("{place}: nobody puts `{key}`"));
                    let reads = rights
                        .iter()
                        .filter(|it| it.may("ssm:GetParameter"))
                        .flat_map(|it| it.resources())
                        .any(|it| {
                            let path = it.split_once(":parameter").map(|(_, path)| path).unwrap_or_default();
                            path.strip_suffix('*').is_some_and(|path| key.starts_with(path))
                        });
                    verdict.hold(reads, format!("{place}: its role does not read `{key}`"));
                }
            }
        }
    }
}

#[test]
fn x03_one_image_is_built_deployed_and_looked_for() {
    prove(
        "X03",
        &["built image", "looked for"],
        check,
        &[
            (
                ".github/workflows/release.yml",
                "IMAGE: ghcr.io/acme/application",
                "IMAGE: ghcr.io/acme/test-app",
            ),
            ("base/deployment.yaml", "image: ghcr.io/acme/application", "image: ghcr.io/acme/other"),
            (
                "overlays/production/kustomization.yaml",
                "name: ghcr.io/acme/application",
                "name: ghcr.io/acme/other",
            ),
            ("applications/images/ledger-api.yaml", "image: …", "image: ghcr.io/acme-corp/other"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        let releases = platform.documents().filter(|it| it.path.ends_with("/.github/workflows/release.yml"));
        let built: BTreeSet<&str> = releases.filter_map(|it| it.value()["env"]["IMAGE"].as_str()).collect();
        for it in Overlay::all(platform) {
            verdict.see("built image");
            let image = it.container()["image"].as_str().unwrap_or_default();
            let (name, tag) = image.rsplit_once(':').unwrap_or_default();
            let tagged = !tag.is_empty() && !tag.contains('/');
            verdict.hold(built.contains(name) && tagged, format!("{}: nobody builds `{image}`", it.place()));
            let prefix = format!("{}/clusters/{}/applications/", it.repository, it.environment);
            let scanned = platform.documents().filter(|it| it.path.starts_with(&prefix));
            let scanned = scanned.flat_map(|it| it.values()).filter(|it| it["kind"] == "ImageRepository");
            for repository in scanned.filter(|repository| repository["metadata"]["name"] == it.application) {
                verdict.see("looked for");
                verdict.hold(
                    repository["spec"]["image"] == name,
                    format!("{}: another image is looked for", it.place()),
                );
            }
        }
    }
}

#[test]
fn x04_ports_and_paths_are_one_from_image_to_load_balancer() {
    prove(
        "X04",
        &["application", "load balancer"],
        check,
        &[
            ("application/Dockerfile", "EXPOSE 8080", "EXPOSE 80"),
            ("base/deployment.yaml", "containerPort: 8080", "containerPort: 8081"),
            ("base/deployment.yaml", "port: http", "port: 9090"),
            ("base/service.yaml", "port: 8080", "port: 80"),
            ("base/service.yaml", "targetPort: http", "targetPort: metrics"),
            ("overlays/production/ingress.yaml", "healthcheck-path: /readyz", "healthcheck-path: /health"),
            (
                "overlays/production/ingress.yaml",
                "healthcheck-port: traffic-port",
                "healthcheck-port: \"9090\"",
            ),
            ("overlays/production/ingress.yaml", "name: http", "name: metrics"),
            ("monitoring/service-monitor.yaml", "port: metrics", "port: measures"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for it in Overlay::all(platform) {
            verdict.see("application");
            let place = it.place();
            let ports: Vec<&Value> = it.container()["ports"].as_array().into_iter().flatten().collect();
            let port =
                |name: &Value| ports.iter().find(|it| it["name"] == *name).map(|it| &it["containerPort"]);
            let http = port(&"http".into());
            let repository =
                it.setting(platform, &["repository"]).and_then(|it| it.as_str()).unwrap_or(it.application);
            let exposed = platform.files[&format!("{repository}/Dockerfile")]
                .lines()
                .find_map(|it| it.strip_prefix("EXPOSE "));
            let exposed = exposed.and_then(|it| it.split(' ').next()?.parse::<u64>().ok());
            verdict.hold(
                http.and_then(Value::as_u64) == exposed,
                format!("{place}: the image listens elsewhere"),
            );
            for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
                let asks = &it.container()[probe]["httpGet"]["port"];
                verdict.hold(asks == "http", format!("{place}: the {probe} asks another port"));
            }
            let service = it.kinds("Service").next().expect("each application has one");
            let served: Vec<&Value> = service["spec"]["ports"].as_array().into_iter().flatten().collect();
            for served in &served {
                let target = port(&served["targetPort"]);
                let same = target == Some(&served["port"]) && served["name"] == served["targetPort"];
                verdict.hold(same, format!("{place}: the Service leads to another port"));
            }
            for ingress in it.kinds("Ingress") {
                verdict.see("load balancer");
                let note = |name: &str| {
                    &ingress["metadata"]["annotations"][format!("alb.ingress.kubernetes.io/{name}")]
                };
                let path = &it.container()["readinessProbe"]["httpGet"]["path"];
                let own = note("healthcheck-path") == path && note("healthcheck-port") == "traffic-port";
                verdict.hold(own, format!("{place}: the load balancer asks something else"));
                let backend = &ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"];
                let leads =
                    backend["name"] == service["metadata"]["name"] && backend["port"]["name"] == "http";
                verdict.hold(leads, format!("{place}: the load balancer leads elsewhere"));
            }
            for monitor in it.kinds("ServiceMonitor") {
                let asks = &monitor["spec"]["endpoints"][0]["port"];
                verdict.hold(
                    served.iter().any(|it| it["name"] == *asks),
                    format!("{place}: nobody is measured"),
                );
            }
        }
    }
}
