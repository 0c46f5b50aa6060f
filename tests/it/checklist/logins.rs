// How logins come into the database: the Jobs, what they may see, and the words that they say to it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Platform, Verdict, prove};

const DAY: u64 = 24 * 60 * 60;

/// A Job that makes a login.
struct Job<'a> {
    /// The folder of its cluster.
    cluster: &'a str,
    environment: &'a str,
    body: &'a Value,
}

impl<'a> Job<'a> {
    fn all(platform: &'a Platform) -> Vec<Self> {
        let of_document = |path: &'a str, values: Vec<&'a Value>| {
            let (cluster, environment) = place(path)?;
            let jobs = values
                .into_iter()
                .filter(|it| it["kind"] == "Job" && it["metadata"]["namespace"] == "database");
            Some(jobs.map(move |body| Self { cluster, environment, body }))
        };
        let documents = platform.documents.iter();
        documents.filter_map(|it| of_document(&it.path, it.values().collect())).flatten().collect()
    }

    fn name(&self) -> &'a str {
        self.body["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// Its application, and the number of the login.
    fn login(&self) -> Option<(&'a str, u64)> {
        let (application, number) = self.name().rsplit_once("-login-")?;
        Some((application, number.parse().ok()?))
    }

    fn pod(&self) -> &'a Value {
        &self.body["spec"]["template"]["spec"]
    }

    fn containers(&self, kind: &str) -> Vec<&'a Value> {
        self.pod()[kind].as_array().into_iter().flatten().collect()
    }

    fn secret_volumes(&self) -> BTreeSet<&'a str> {
        let volumes = self.pod()["volumes"].as_array().into_iter().flatten();
        volumes.filter(|it| !it["secret"].is_null()).filter_map(|it| it["name"].as_str()).collect()
    }

    /// How long it goes on trying, at the least: ten seconds, doubled up to five minutes.
    fn patience(&self) -> u64 {
        let retries = self.body["spec"]["backoffLimit"].as_u64().unwrap_or(6);
        let same_pod = self.pod()["restartPolicy"] == "OnFailure";
        if same_pod { (0..retries).map(|it| (10 << it.min(5)).min(300)).sum() } else { 0 }
    }
}

/// The folder of a cluster, and its environment.
fn place(path: &str) -> Option<(&str, &str)> {
    let (before, rest) = path.split_once("/clusters/")?;
    let environment = rest.split('/').next()?;
    Some((&path[..before.len() + "/clusters/".len() + environment.len()], environment))
}

fn variable<'a>(container: &'a Value, name: &str) -> &'a str {
    let mut all = container["env"].as_array().into_iter().flatten();
    all.find(|it| it["name"] == name).and_then(|it| it["value"].as_str()).unwrap_or_default()
}

fn mounts(container: &Value) -> BTreeSet<&str> {
    let mounts = container["volumeMounts"].as_array().into_iter().flatten();
    mounts.filter_map(|it| it["name"].as_str()).collect()
}

/// A script beside the Jobs of a cluster.
fn script<'a>(platform: &'a Platform, cluster: &str, name: &str) -> &'a str {
    platform.files.get(&format!("{cluster}/databases/scripts/{name}")).map(String::as_str).unwrap_or_default()
}

#[test]
fn k46_a_login_is_made_without_a_hand() {
    prove(
        "K46",
        &["login", "login before"],
        check,
        &[
            (
                "test-app-login-1/login.yaml",
                "name: test-app-login-1 namespace: database labels: app.kubernetes.io/name: login app.kubernetes.io/instance: test-app-login-1 app.kubernetes.io/part-of: faceit annotations:",
                "name: test-app-login-2\n  namespace: database\n  annotations:",
            ),
            (
                "test-app-login-1/login.yaml",
                "name: LOGIN_NUMBER value: \"1\"",
                "name: LOGIN_NUMBER\n              value: \"2\"",
            ),
            ("test-app-login-1/login.yaml", "defaultMode: 288", "optional: true"),
            ("test-app-login-1/login.yaml", "backoffLimit: 600", "backoffLimit: 60"),
            ("test-app-login-1/login.yaml", "restartPolicy: OnFailure", "restartPolicy: Never"),
            ("test-app-login-1/login.yaml", "verify-full", "verify-ca"),
            ("test-app-login-1/login.yaml", "value: /authority/bundle.pem", "value: system"),
            (
                "test-app-login-1/login.yaml",
                "mountPath: /authority",
                "mountPath: /authority\n            - name: master\n              mountPath: /secrets",
            ),
            (
                "test-app-login-1/login.yaml",
                "name: LOGIN_NUMBER",
                "name: PGPASSWORD\n              valueFrom:\n                secretKeyRef:\n                  name: master\n                  key: password\n            - name: LOGIN_NUMBER",
            ),
            (
                "scripts/login.sql",
                "WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') ",
                "",
            ),
            (
                "scripts/login.sql",
                "\\password `echo \"$LOGIN\"`",
                "ALTER ROLE :\"login\" PASSWORD :'password';",
            ),
            ("databases/scripts/kustomization.yaml", "- login.sql", ""),
            ("databases/scripts/kustomization.yaml", "- name: login-…", "- name: login"),
            (
                "databases/scripts/kustomization.yaml",
                "disableNameSuffixHash: true",
                "disableNameSuffixHash: false",
            ),
            ("test-app-login-1/login.yaml", "name: login-…", "name: login"),
            (
                "ledger-api-login-2/login.yaml",
                "name: ledger-api-login-2 namespace: database labels: app.kubernetes.io/name: login app.kubernetes.io/instance: ledger-api-login-2 app.kubernetes.io/part-of: ledger annotations:",
                "name: ledger-api-login-1\n  namespace: database\n  annotations:",
            ),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        let mut alive: BTreeSet<(&str, &str, u64)> = BTreeSet::new();
        for job in Job::all(platform) {
            verdict.see("login");
            let place = format!("{}, {}", job.cluster, job.name());
            let Some((application, number)) = job.login() else {
                verdict.hold(false, format!("{place}: the name bears no number"));
                continue;
            };
            alive.insert((job.environment, application, number));
            verdict.hold(job.patience() > DAY, format!("{place}: gives up within a day"));
            let secrets = job.secret_volumes();
            let volumes = job.pod()["volumes"].as_array().into_iter().flatten();
            let waits =
                volumes.filter(|it| it["secret"]["optional"] != true && it["secret"]["defaultMode"] == 288);
            verdict.hold(
                secrets.len() == 2 && waits.count() == 2,
                format!("{place}: does not wait for its secrets"),
            );
            for container in job.containers("initContainers") {
                let blind = mounts(container).is_disjoint(&secrets)
                    && !container.to_string().contains("secretKeyRef");
                verdict.hold(blind, format!("{place}: what fetches certificates sees secrets"));
            }
            for container in job.containers("containers") {
                verdict.hold(
                    variable(container, "LOGIN_NUMBER") == number.to_string(),
                    format!("{place}: makes another login than it says"),
                );
                let known = variable(container, "PGSSLMODE") == "verify-full"
                    && variable(container, "PGSSLROOTCERT") == "/authority/bundle.pem";
                verdict.hold(known, format!("{place}: speaks to any server"));
                let silent = !container.to_string().contains("secretKeyRef");
                verdict.hold(silent, format!("{place}: has a secret in its environment"));
            }
            let sql = script(platform, job.cluster, "login.sql");
            let made = sql.matches("CREATE ").count();
            verdict.hold(
                made > 0 && sql.matches("NOT EXISTS (").count() == made,
                format!("{place}: cannot run twice"),
            );
            verdict.hold(
                sql.contains("\\password ") && !sql.contains(" PASSWORD "),
                format!("{place}: shows the password to the server's log"),
            );
            let map = platform.files.get(&format!("{}/databases/scripts/kustomization.yaml", job.cluster));
            let map = map.map(String::as_str).unwrap_or_default();
            let whole =
                ["authority.sh", "login.sh", "login.sql"].iter().all(|it| map.contains(&format!("- {it}\n")));
            // The Job is built apart from the ConfigMap, so the name stands in both, and changes with the scripts.
            let named = job.pod()["volumes"].as_array().into_iter().flatten();
            let named = named.filter_map(|it| it["configMap"]["name"].as_str()).next().unwrap_or_default();
            let same =
                map.contains(&format!("  - name: {named}\n")) && map.contains("disableNameSuffixHash: true");
            let changes = named.rsplit_once('-').is_some_and(|(_, it)| it.len() == 10 && it != "0000000000");
            verdict.hold(
                whole && same && changes,
                format!("{place}: a change of what it does would change nothing"),
            );
        }
        for (environment, application, _) in &alive {
            let asked = platform.asked(environment, &["applications", application, "database", "login"]);
            let number = asked.and_then(|it| it.as_integer()).unwrap_or(1) as u64;
            for wanted in number.saturating_sub(1).max(1)..=number {
                if wanted < number {
                    verdict.see("login before");
                }
                let found = alive.contains(&(environment, application, wanted));
                verdict.hold(found, format!("{environment}: nothing makes login {wanted} of {application}"));
            }
        }
    }
}

/// Trap 76.
#[test]
fn the_master_may_become_the_owner_first() {
    prove(
        "Trap 76",
        &["grant to the master"],
        check,
        &[
            ("scripts/login.sql", "EXECUTE format('GRANT %I TO CURRENT_USER', owner) || whole;", ""),
            ("scripts/login.sql", "INHERIT TRUE, SET TRUE", "INHERIT TRUE"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for (path, sql) in platform.files.iter().filter(|(path, _)| path.ends_with("/scripts/login.sql")) {
            verdict.see("grant to the master");
            let at = |words: &str| sql.find(words);
            let granted = at("EXECUTE format('GRANT %I TO CURRENT_USER', owner) || whole");
            let first = granted.is_some() && granted < at("CREATE DATABASE %I OWNER %I");
            verdict.hold(first, format!("{path}: the master may not give a database to its owner"));
            let whole = sql.matches(">= 160000 THEN ' WITH INHERIT TRUE, SET TRUE'").count();
            verdict.hold(
                whole == sql.matches("whole text :=").count() && whole > 0,
                format!("{path}: from PostgreSQL 16 on, the grant is of no use"),
            );
        }
    }
}

/// Trap 77.
#[test]
fn a_job_neither_blocks_its_layer_nor_comes_back_for_ever() {
    prove(
        "Trap 77",
        &["job"],
        check,
        &[
            (
                "test-app-login-1/login.yaml",
                "kustomize.toolkit.fluxcd.io/force: enabled",
                "kustomize.toolkit.fluxcd.io/force: disabled",
            ),
            (
                "test-app-login-1/login.yaml",
                "backoffLimit: 600",
                "backoffLimit: 600\n  activeDeadlineSeconds: 600",
            ),
            (
                "test-app-login-1/login.yaml",
                "backoffLimit: 600",
                "backoffLimit: 600\n  ttlSecondsAfterFinished: 600",
            ),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for job in Job::all(platform) {
            verdict.see("job");
            let place = format!("{}, {}", job.cluster, job.name());
            let replaced =
                job.body["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/force"] == "enabled";
            verdict.hold(replaced, format!("{place}: a new template would be refused"));
            let spec = &job.body["spec"];
            verdict.hold(
                spec["activeDeadlineSeconds"].is_null(),
                format!("{place}: fails for ever when it is late"),
            );
            verdict.hold(
                spec["ttlSecondsAfterFinished"].is_null(),
                format!("{place}: comes back each time it is gone"),
            );
        }
    }
}

/// Trap 19. Trap 80.
#[test]
fn certificates_come_with_a_checksum_that_a_key_renews() {
    prove(
        "Trap 80",
        &["bundle"],
        check,
        &[
            ("test-app-login-1/login.yaml", "name: CA_BUNDLE_SHA256", "name: CHECKSUM"),
            ("test-app-login-1/login.yaml", "value: https://", "value: http://"),
            ("scripts/authority.sh", "\"$checksum\" != \"$CA_BUNDLE_SHA256\"", "\"$checksum\" = \"\""),
            ("scripts/authority.sh", "ca-bundle-sha256", "checksum"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for job in Job::all(platform) {
            verdict.see("bundle");
            let place = format!("{}, {}", job.cluster, job.name());
            let fetching = job.containers("initContainers");
            let held = fetching.iter().any(|it| {
                variable(it, "CA_BUNDLE_URL").starts_with("https://")
                    && variable(it, "CA_BUNDLE_SHA256").len() == 64
            });
            verdict.hold(held, format!("{place}: takes whatever certificates it gets"));
            let script = script(platform, job.cluster, "authority.sh");
            verdict.hold(
                script.contains("\"$checksum\" != \"$CA_BUNDLE_SHA256\""),
                format!("{place}: does not look at the checksum"),
            );
            verdict.hold(
                script.contains("ca-bundle-sha256"),
                format!("{place}: does not say which key to change"),
            );
        }
    }
}
