// How database logins are created: the Jobs, the secrets that they read, and their SQL.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Platform, Verdict, prove};

const DAY: u64 = 24 * 60 * 60;

/// A Job that creates a login.
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
        let documents = platform.documents();
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

    /// The minimum time for which it retries: ten seconds, doubled up to five minutes.
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

/// A script beside the Jobs of a cluster.
fn script<'a>(platform: &'a Platform, cluster: &str, name: &str) -> &'a str {
    platform
        .files
        .get(&format!("{cluster}/databases/scripts/{name}"))
        .map(|it| it.as_str())
        .unwrap_or_default()
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
            ("test-app-login-1/login.yaml", "value: /scripts/rds.pem", "value: system"),
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
            ("databases/scripts/kustomization.yaml", "- rds.pem", ""),
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
            for container in job.containers("containers") {
                verdict.hold(
                    variable(container, "LOGIN_NUMBER") == number.to_string(),
                    format!("{place}: makes another login than it says"),
                );
                let known = variable(container, "PGSSLMODE") == "verify-full"
                    && variable(container, "PGSSLROOTCERT") == "/scripts/rds.pem";
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
            let map = map.map(|it| it.as_str()).unwrap_or_default();
            let whole =
                ["login.sh", "login.sql", "rds.pem"].iter().all(|it| map.contains(&format!("- {it}\n")));
            // The Job and the ConfigMap are in different builds, so both contain the name, which changes with the scripts.
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
            let asked = platform.setting(environment, &["applications", application, "database", "login"]);
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
fn certificates_come_with_what_reads_them() {
    prove(
        "Trap 80",
        &["Job", "image"],
        check,
        &[
            ("databases/scripts/rds.pem", "RSA2048 G1", "RSA G1"),
            ("databases/scripts/rds.pem", "-----BEGIN CERTIFICATE-----", ""),
            ("application/certificates/rds.pem", "RSA2048 G1", "RSA G1"),
            ("application/Dockerfile", "COPY --chmod=444 certificates/rds.pem", "COPY certificates/rds.pem"),
            (
                "application/Dockerfile",
                "ENV DATABASE_CA_FILE=…",
                "ENV DATABASE_CA_FILE=/etc/ssl/certs/ca.pem",
            ),
            ("application/.dockerignore", "CODEOWNERS", "certificates"),
            ("platform/database.tf", "\"rds-ca-rsa2048-g1\"", "\"rds-ca-2019\""),
            ("databases/network-policies.yaml", "port: 5432", "port: 443"),
        ],
    );
    /// The certificate authorities in a file, by the names in `ca_cert_identifier` and by region.
    fn authorities(text: &str) -> BTreeSet<(String, String)> {
        let named = text.match_indices("\n# Amazon RDS ").filter_map(|(at, _)| {
            let mut lines = text[at + 1..].lines();
            let words = lines.next()?.strip_prefix("# Amazon RDS ")?;
            let (region, kind) = words.strip_suffix(" G1")?.split_once(" Root CA ")?;
            let whole = lines.next()? == "-----BEGIN CERTIFICATE-----";
            whole.then(|| (format!("rds-ca-{}-g1", kind.to_lowercase()), region.to_owned()))
        });
        named.collect()
    }
    fn check(platform: &Platform, verdict: &mut Verdict) {
        let signing = |environment: Option<&str>| {
            let roots = platform.roots();
            let roots = roots.filter(move |it| environment.is_none_or(|name| it.environment == name));
            let instances = roots.flat_map(|it| it.resources("aws_db_instance"));
            let names = instances.filter_map(|it| it.body["ca_cert_identifier"].as_str().map(str::to_owned));
            names.collect::<BTreeSet<_>>()
        };
        let region = |environment: &str| {
            platform.setting(environment, &["aws", "region"]).and_then(|it| it.as_str()).unwrap_or_default()
        };
        for job in Job::all(platform) {
            verdict.see("Job");
            let place = format!("{}, {}", job.cluster, job.name());
            let known = authorities(script(platform, job.cluster, "rds.pem"));
            let signing = signing(Some(job.environment));
            let all =
                signing.iter().all(|it| known.contains(&(it.clone(), region(job.environment).to_owned())));
            verdict.hold(!signing.is_empty() && all, format!("{place}: does not know who signs"));
            let policies = platform.files.get(&format!("{}/databases/network-policies.yaml", job.cluster));
            let outside = policies.is_none_or(|it| it.contains("0.0.0.0/0") || it.contains("port: 443"));
            verdict.hold(!outside, format!("{place}: reaches the internet"));
        }
        for (path, text) in platform.files.iter().filter(|it| it.0.ends_with("/certificates/rds.pem")) {
            verdict.see("image");
            let repository = path.split('/').next().unwrap();
            let read = |name: &str| {
                platform.files.get(&format!("{repository}/{name}")).map(|it| it.as_str()).unwrap_or_default()
            };
            let known = authorities(text);
            let environments: BTreeSet<&str> = Job::all(platform).iter().map(|it| it.environment).collect();
            let all = environments.iter().all(|it| {
                signing(Some(it)).into_iter().all(|name| known.contains(&(name, region(it).to_owned())))
            });
            verdict.hold(!environments.is_empty() && all, format!("{repository}: does not know who signs"));
            let hidden =
                read(".dockerignore").lines().any(|it| it.contains("certificates") || it.contains("pem"));
            verdict.hold(!hidden, format!("{repository}: the build does not see the certificates"));
            let dockerfile = read("Dockerfile");
            // Without a language, the user writes the Dockerfile.
            let copied = "COPY --chmod=444 certificates/rds.pem /etc/ssl/rds/authorities.pem\nENV DATABASE_CA_FILE=/etc/ssl/rds/authorities.pem\n";
            let held = dockerfile.is_empty() || dockerfile.contains(copied);
            verdict.hold(held, format!("{repository}: the program may not read the certificates"));
        }
    }
}
