// Alerts, and the metrics that they need. promtool proves in conformance that rules fire when they should.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Platform, Verdict, prove};

/// The objects of a cluster that has monitoring.
struct Monitored<'a> {
    name: String,
    objects: Vec<&'a Value>,
}

impl Monitored<'_> {
    fn all(platform: &Platform) -> Vec<Monitored<'_>> {
        let folder = |path: &str| {
            let (cluster, _) = path.split_once("/monitoring/")?;
            cluster.contains("/clusters/").then(|| format!("{cluster}/"))
        };
        let names: BTreeSet<String> = platform.documents().filter_map(|it| folder(&it.path)).collect();
        let monitored = |name: String| Monitored {
            objects: platform
                .documents()
                .filter(|it| it.path.starts_with(&name))
                .flat_map(|it| it.values())
                .collect(),
            name,
        };
        names.into_iter().map(monitored).filter(|it| it.of("PrometheusRule").next().is_some()).collect()
    }

    fn of(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.objects.iter().filter(move |it| it["kind"] == *kind).copied()
    }

    fn alerts(&self) -> impl Iterator<Item = &Value> {
        let groups = self.of("PrometheusRule").flat_map(|it| it["spec"]["groups"].as_array().unwrap());
        groups.flat_map(|it| it["rules"].as_array().unwrap()).filter(|it| it["alert"].is_string())
    }

    fn monitors(&self, namespace: &str) -> impl Iterator<Item = &Value> {
        let all = self.of("PodMonitor").chain(self.of("ServiceMonitor"));
        all.filter(move |it| it["metadata"]["namespace"] == *namespace)
    }
}

/// Whether a blueprint has the section for monitoring.
fn has_monitoring(platform: &Platform) -> bool {
    platform.blueprint.get("components").is_some_and(|it| it.get("monitoring").is_some())
}

#[test]
fn k12_flux_says_when_it_fails() {
    prove(
        "K12",
        &["provider", "alert", "monitor", "rule"],
        check,
        &[
            ("flux/notifications.yaml", "kind: Provider", "kind: Receiver"),
            ("flux/notifications.yaml", "type: alertmanager", "type: slack"),
            ("flux/notifications.yaml", ":9093/api/v2/alerts/", ":9093/"),
            ("flux/notifications.yaml", "eventSeverity: error", "eventSeverity: info"),
            ("flux/notifications.yaml", "providerRef: name: alertmanager", "providerRef:\n    name: other"),
            ("flux/notifications.yaml", "kind: Kustomization", "kind: Bucket"),
            (
                "flux/notifications.yaml",
                "- kind: HelmRelease",
                "- namespace: monitoring\n      kind: HelmRelease",
            ),
            ("monitors/flux.yaml", "- kustomize-controller", ""),
            ("monitors/flux.yaml", "port: http-prom", "port: http"),
            ("monitors/flux.yaml", "namespace: flux-system", "namespace: monitoring"),
            ("rules/flux.yaml", "for: 15m", "for: 2h"),
            ("rules/flux.yaml", "flux_resource_info{ready!=\"True\"…", "vector(0) > 1"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        let monitored = Monitored::all(platform);
        verdict.hold(!monitored.is_empty() || !has_monitoring(platform), "nobody is told of anything");
        for cluster in monitored {
            let name = &cluster.name;
            let here = |it: &&Value| it["metadata"]["namespace"] == "flux-system";
            let provider = cluster.of("Provider").filter(here).find(|it| {
                let address = it["spec"]["address"].as_str().unwrap_or_default();
                it["spec"]["type"] == "alertmanager" && address.ends_with(":9093/api/v2/alerts/")
            });
            verdict.see("provider");
            verdict.hold(provider.is_some(), format!("{name}: Flux knows no Alertmanager"));
            verdict.see("alert");
            let told = cluster.of("Alert").filter(here).any(|it| {
                let sources = it["spec"]["eventSources"].as_array().unwrap();
                let kinds: Vec<_> =
                    sources.iter().filter(|it| it["name"] == "*").map(|it| &it["kind"]).collect();
                it["spec"]["eventSeverity"] == "error"
                    && provider
                        .is_some_and(|own| it["spec"]["providerRef"]["name"] == own["metadata"]["name"])
                    && sources.iter().all(|it| it["namespace"].is_null())
                    && ["GitRepository", "HelmRelease", "Kustomization", "OCIRepository"]
                        .iter()
                        .all(|kind| kinds.iter().any(|it| *it == kind))
            });
            verdict.hold(told, format!("{name}: an error of Flux reaches nobody"));
            verdict.see("monitor");
            let measured = cluster.monitors("flux-system").any(|it| {
                let apps = &it["spec"]["selector"]["matchExpressions"][0];
                let values: Vec<_> = apps["values"].as_array().into_iter().flatten().collect();
                it["spec"]["podMetricsEndpoints"][0]["port"] == "http-prom"
                    && apps["key"] == "app"
                    && ["helm", "kustomize", "notification", "source"]
                        .iter()
                        .all(|it| values.iter().any(|value| **value == format!("{it}-controller")))
            });
            verdict.hold(measured, format!("{name}: Flux's controllers are not measured"));
            verdict.see("rule");
            let late = cluster.alerts().any(|it| {
                let expression = it["expr"].as_str().unwrap();
                expression.contains("flux_resource_info{ready!=\"True\"") && it["for"] == "15m"
            });
            verdict.hold(late, format!("{name}: what stays unready is not said"));
        }
    }
}

/// The failures that need an alert, and the metrics of each alert.
const CONCERNS: [(&str, &str); 9] = [
    ("DeploymentDown", "kube_deployment_status_replicas_available"),
    ("RequestsFailing", "aws_applicationelb_httpcode_target_5_xx_count_sum"),
    ("RequestsSlow", "aws_applicationelb_target_response_time_p95"),
    ("NodeUnderPressure", "kube_node_status_condition"),
    ("HorizontalPodAutoscalerAtMaximum", "kube_horizontalpodautoscaler_spec_max_replicas"),
    ("PodCrashLooping", "kube_pod_container_status_waiting_reason"),
    ("CertificateNotRenewed", "aws_certificatemanager_days_to_expiry_minimum"),
    ("SecretNotSynced", "externalsecret_status_condition"),
    ("DatabaseConnectionsHigh", "aws_rds_database_connections_maximum"),
];

/// The components whose metrics the rules above use.
const MEASURED: [&str; 5] = [
    "cloudwatch-exporter",
    "cluster-autoscaler",
    "external-dns",
    "external-secrets",
    "load-balancer-controller",
];

#[test]
fn k41_the_platform_is_measured_and_calls_for_help() {
    prove(
        "K41",
        &["alert", "monitor", "query"],
        check,
        &[
            ("rules/workloads.yaml", "alert: DeploymentDown", "alert: Nothing"),
            ("rules/workloads.yaml", "severity: critical", "severity: loud"),
            ("rules/workloads.yaml", "runbook:", "note:"),
            ("rules/external-secrets.yaml", "externalsecret_status_condition", "externalsecret_condition"),
            ("rules/load-balancers.yaml", "alert: RequestsSlow", "alert: RequestsFast"),
            ("monitors/external-dns.yaml", "app.kubernetes.io/name: external-dns", "{}"),
            ("monitors/cluster-autoscaler.yaml", "namespace: cluster-autoscaler", "namespace: monitoring"),
            ("monitors/external-secrets.yaml", "port: metrics interval", "interval"),
            ("cloudwatch-exporter/config.yaml", "- name: DatabaseConnections", "- name: SwapUsage"),
            ("cloudwatch-exporter/config.yaml", "- p95", "- p99"),
            ("cloudwatch-exporter/config.yaml", "- name: DaysToExpiry", "- name: DaysLeft"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for cluster in Monitored::all(platform) {
            let name = &cluster.name;
            for (alert, metric) in CONCERNS {
                verdict.see("alert");
                let found = cluster
                    .alerts()
                    .any(|it| it["alert"] == alert && it["expr"].as_str().unwrap().contains(metric));
                verdict.hold(found, format!("{name}: `{alert}` does not watch `{metric}`"));
            }
            for it in cluster.alerts() {
                let severity = it["labels"]["severity"].as_str().unwrap_or_default();
                let words = ["summary", "description", "runbook"];
                let said =
                    words.iter().all(|word| it["annotations"][word].as_str().is_some_and(|it| it.len() > 20));
                verdict.hold(
                    ["critical", "warning"].contains(&severity) && said,
                    format!("{name}: {}: whom does it call, and what are they to do?", it["alert"]),
                );
            }
            for namespace in MEASURED {
                verdict.see("monitor");
                let mut own = cluster.monitors(namespace);
                let scraped = own.any(|it| {
                    let end = &it["spec"]["podMetricsEndpoints"][0];
                    let labels = it["spec"]["selector"]["matchLabels"].as_object();
                    labels.is_some_and(|it| !it.is_empty())
                        && (end["port"].is_string() || end["portNumber"].is_number())
                });
                verdict.hold(scraped, format!("{name}: nobody measures `{namespace}`"));
            }
            // The exporter fetches every CloudWatch metric that a rule uses.
            let configuration =
                cluster.of("ConfigMap").find_map(|it| it["data"]["config.yml"].as_str()).unwrap_or_default();
            let fetched = fetched(configuration);
            let asked = cluster.alerts().flat_map(|it| cloud_metrics(it["expr"].as_str().unwrap()));
            for metric in asked {
                verdict.see("query");
                verdict.hold(fetched.contains(&metric), format!("{name}: nobody fetches `{metric}`"));
            }
        }
    }
}

/// The names of metrics that come from CloudWatch.
fn cloud_metrics(query: &str) -> Vec<String> {
    let words = query.split(|it: char| !it.is_ascii_alphanumeric() && it != '_');
    words.filter(|it| it.starts_with("aws_")).map(str::to_owned).collect()
}

/// The exporter's names for the metrics in its configuration: `aws_`, the service, the metric, the statistic.
fn fetched(configuration: &str) -> BTreeSet<String> {
    let read: Value = serde_yaml::from_str(configuration).unwrap_or_default();
    let jobs =
        [&read["static"], &read["discovery"]["jobs"]].into_iter().filter_map(|it| it.as_array()).flatten();
    let mut names = BTreeSet::new();
    for job in jobs {
        let service = job["namespace"].as_str().or(job["type"].as_str()).unwrap_or_default();
        for metric in job["metrics"].as_array().into_iter().flatten() {
            for statistic in metric["statistics"].as_array().into_iter().flatten() {
                let words = [metric["name"].as_str(), statistic.as_str()].map(Option::unwrap_or_default);
                let service = service.replace('/', "_").to_lowercase();
                names.insert(format!("{service}_{}_{}", snake(words[0]), snake(words[1])));
            }
        }
    }
    names
}

/// A name as the exporter converts it (pkg/promutil/prometheus.go): an upper-case letter after a lower-case one or a digit begins
/// a word.
fn snake(name: &str) -> String {
    let mut words = String::new();
    let mut before = ' ';
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit()) {
            words.push('_');
        }
        words.push(letter.to_ascii_lowercase());
        before = letter;
    }
    words
}

#[test]
fn names_are_the_exporters() {
    assert_eq!(snake("HTTPCode_Target_5XX_Count"), "httpcode_target_5_xx_count");
    assert_eq!(snake("CPUUtilization"), "cpuutilization");
    assert_eq!(snake("FreeStorageSpace"), "free_storage_space");
    assert_eq!(snake("p95"), "p95");
}

/// A rule about a periodic event waits until several were missed.
#[test]
fn records_are_late_after_three_intervals() {
    prove(
        "K41",
        &["interval"],
        check,
        &[
            ("controllers/external-dns/release.yaml", "interval: 5m", "interval: 10m"),
            ("rules/external-dns.yaml", "> 900", "> 300"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for cluster in Monitored::all(platform) {
            let release =
                cluster.of("HelmRelease").find(|it| it["spec"]["chart"]["spec"]["chart"] == "external-dns");
            let minutes = release.and_then(|it| {
                it["spec"]["values"]["interval"].as_str()?.strip_suffix('m')?.parse::<u64>().ok()
            });
            let alert = cluster.alerts().find(|it| it["alert"] == "RecordsNotSynced");
            let seconds =
                alert.and_then(|it| it["expr"].as_str()?.rsplit("> ").next()?.trim().parse::<u64>().ok());
            let (Some(minutes), Some(seconds)) = (minutes, seconds) else { continue };
            verdict.see("interval");
            verdict.hold(
                seconds >= 3 * 60 * minutes,
                format!("{}: {seconds} s are less than three times {minutes} minutes", cluster.name),
            );
        }
    }
}

/// A ServiceMonitor that names a file can make Prometheus send its own token to the author of the monitor.
#[test]
fn a_monitor_of_an_application_names_no_file() {
    const FILE: &str = "production/configs/monitoring/monitors-policy.yaml";
    prove(
        "K41",
        &["policy"],
        check,
        &[
            (FILE, "failurePolicy: Fail", "failurePolicy: Ignore"),
            (FILE, "- UPDATE", ""),
            (FILE, "- servicemonitors", "- podmonitors"),
            (FILE, "!has(endpoint.bearerTokenFile)", "true"),
            (FILE, "has(endpoint.tlsConfig.keyFile)", "false"),
            (FILE, "- Deny", "- Audit"),
            (FILE, "operator: NotIn", "operator: In"),
            (FILE, "values: - monitoring", "values:\n            - monitoring\n            - test-app"),
            (FILE, "policyName: monitors-without-files", "policyName: other"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for cluster in Monitored::all(platform) {
            verdict.see("policy");
            let deny = |binding: &Value, policy: &Value| {
                let all = &binding["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"];
                binding["spec"]["policyName"] == policy["metadata"]["name"]
                    && binding["spec"]["validationActions"] == json!(["Deny"])
                    && *all
                        == json!([{
                            "key": "kubernetes.io/metadata.name",
                            "operator": "NotIn",
                            "values": ["monitoring"],
                        }])
            };
            let holds = cluster.of("ValidatingAdmissionPolicy").any(|policy| {
                let spec = &policy["spec"];
                let rule = &spec["matchConstraints"]["resourceRules"][0];
                let refused: String = spec["validations"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|it| it["expression"].as_str())
                    .collect();
                spec["failurePolicy"] == "Fail"
                    && rule["operations"] == json!(["CREATE", "UPDATE"])
                    && rule["resources"] == json!(["servicemonitors"])
                    && ["bearerTokenFile", "tlsConfig.caFile", "tlsConfig.certFile", "tlsConfig.keyFile"]
                        .iter()
                        .all(|it| refused.contains(&format!("has(endpoint.{it})")))
                    && cluster.of("ValidatingAdmissionPolicyBinding").any(|binding| deny(binding, policy))
            });
            verdict.hold(holds, format!("{}: Prometheus sends its token to any application", cluster.name));
        }
    }
}

/// An index of charts may have many megabytes, and each HelmRepository fetches it again.
#[test]
fn an_index_of_charts_is_fetched_once_in_a_namespace() {
    prove(
        "K11",
        &["repository"],
        check,
        &[(
            "production/controllers/prometheus-operator-crds/source.yaml",
            "kind: HelmRepository",
            "kind: HelmRepository\nmetadata:\n  name: again\n  namespace: monitoring\nspec:\n  url: \"https://prometheus-community.github.io/helm-charts\"\n---\napiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository",
        )],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for cluster in Monitored::all(platform) {
            let mut known = BTreeSet::new();
            for source in cluster.of("HelmRepository") {
                verdict.see("repository");
                let place = (source["metadata"]["namespace"].to_string(), source["spec"]["url"].to_string());
                verdict.hold(
                    known.insert(place),
                    format!("{}: {} is fetched twice", cluster.name, source["spec"]["url"]),
                );
            }
        }
    }
}

/// They all become files of one folder: an application `cluster` must not replace the dashboard of that name.
#[test]
fn dashboards_have_files_of_their_own() {
    prove(
        "K42",
        &["stack"],
        check,
        &[(
            "production/monitoring/kube-prometheus-stack/release.yaml",
            "enableUniqueFilenames: true",
            "enableUniqueFilenames: false",
        )],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for cluster in Monitored::all(platform) {
            for release in cluster.of("HelmRelease") {
                let sidecar = &release["spec"]["values"]["grafana"]["sidecar"];
                if release["spec"]["chart"]["spec"]["chart"] != "kube-prometheus-stack" || sidecar.is_null() {
                    continue;
                }
                verdict.see("stack");
                verdict.hold(
                    sidecar["enableUniqueFilenames"] == true,
                    format!("{}: dashboards overwrite each other", cluster.name),
                );
            }
        }
    }
}

/// Grafana and Flux both write variables with `$`. With `postBuild`, Flux would replace those in braces.
#[test]
fn dashboards_read_and_hold_no_variable_of_flux() {
    for (name, platform) in super::PLATFORMS.iter() {
        for cluster in Monitored::all(platform) {
            let boards =
                cluster.of("ConfigMap").filter(|it| it["metadata"]["labels"]["grafana_dashboard"] == "1");
            let mut count = 0;
            for text in boards.flat_map(|it| it["data"].as_object().unwrap().values()) {
                let text = text.as_str().unwrap();
                let read: Value =
                    serde_json::from_str(text).unwrap_or_else(|it| panic!("{name}: {it}\n{text}"));
                assert!(read["uid"].as_str().is_some_and(|it| it.starts_with("platform-")), "{name}: {text}");
                assert!(!text.contains("${"), "{name}: {text}");
                count += 1;
            }
            assert!(count >= 3, "{name}: {}: only {count} dashboards", cluster.name);
        }
    }
}
