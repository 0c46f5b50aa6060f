// Applications in the cluster: Deployments, rollouts, load balancers, isolation and monitoring.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Platform, Verdict, overlays::Overlay, prove, terraform::words};

const PROBES: [&str; 3] = ["startupProbe", "readinessProbe", "livenessProbe"];

/// Runs a check on each application in each environment.
fn each(platform: &Platform, verdict: &mut Verdict, check: impl Fn(&Overlay, &mut dyn FnMut(bool, &str))) {
    for overlay in Overlay::all(platform) {
        verdict.see("application");
        check(&overlay, &mut |holds, what| verdict.hold(holds, format!("{} {what}", overlay.place())));
    }
}

/// Trap 23.
#[test]
fn k27_the_autoscaler_owns_the_number_of_pods() {
    let at = ("base/deployment.yaml", "revisionHistoryLimit: 5", "replicas: 2\n  revisionHistoryLimit: 5");
    let over = ("overlays/production/deployment.yaml", "spec:", "spec:\n  replicas: 2");
    prove(
        "K27",
        &["application"],
        check,
        &[at, over, ("base/autoscaler.yaml", "kind: Deployment", "kind: StatefulSet")],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        each(platform, verdict, |it, hold| {
            let target = |scaler: &Value| {
                let target = &scaler["spec"]["scaleTargetRef"];
                target["kind"] == "Deployment" && target["name"] == it.deployment()["metadata"]["name"]
            };
            hold(it.kinds("HorizontalPodAutoscaler").any(target), "is not scaled");
            hold(it.deployment()["spec"].get("replicas").is_none(), "has a number of pods in Git");
        });
    }
}

#[test]
fn k28_a_pod_can_harm_nobody() {
    let file = "base/deployment.yaml";
    prove(
        "K28",
        &["application"],
        check,
        &[
            (file, "runAsNonRoot: true", "runAsNonRoot: false"),
            (file, "runAsUser: 65532", "runAsUser: 1000"),
            (file, "type: RuntimeDefault", "type: Unconfined"),
            (file, "allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true"),
            (file, "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"),
            (file, "- ALL", "- NET_RAW"),
            (file, "sizeLimit: \"64Mi\"", "medium: Memory"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        each(platform, verdict, |it, hold| {
            let (pod, container) = (&it.pod()["securityContext"], &it.container()["securityContext"]);
            hold(
                pod["runAsNonRoot"] == true && pod["runAsUser"].as_u64() >= Some(10_000),
                "may run as somebody",
            );
            hold(pod["seccompProfile"]["type"] == "RuntimeDefault", "may call anything of the kernel");
            hold(container["allowPrivilegeEscalation"] == false, "may become more than it is");
            hold(container["readOnlyRootFilesystem"] == true, "may write into its image");
            hold(container["capabilities"]["drop"] == json!(["ALL"]), "keeps capabilities");
            let volumes = it.pod()["volumes"].as_array().cloned().unwrap_or_default();
            let limited =
                volumes.iter().any(|it| it["name"] == "tmp" && it["emptyDir"]["sizeLimit"].is_string());
            let mounts = it.container()["volumeMounts"].as_array().cloned().unwrap_or_default();
            hold(limited && mounts.iter().any(|it| it["mountPath"] == "/tmp"), "has no `/tmp` with an end");
        });
    }
}

#[test]
fn k29_a_pod_has_no_token_of_the_cluster() {
    prove(
        "K29",
        &["application"],
        check,
        &[
            ("base/deployment.yaml", "automountServiceAccountToken: false", ""),
            (
                "base/service-account.yaml",
                "automountServiceAccountToken: false",
                "automountServiceAccountToken: true",
            ),
            ("base/deployment.yaml", "serviceAccountName: …", "serviceAccountName: default"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        each(platform, verdict, |it, hold| {
            let own = |account: &&Value| account["metadata"]["name"] == it.pod()["serviceAccountName"];
            let account = it.kinds("ServiceAccount").find(own);
            hold(
                account.is_some_and(|it| it["automountServiceAccountToken"] == false),
                "has no account of its own",
            );
            hold(it.pod()["automountServiceAccountToken"] == false, "gets a token");
        });
    }
}

#[test]
fn k30_a_pod_asks_for_what_it_may_use() {
    let over = "overlays/production/deployment.yaml";
    prove(
        "K30",
        &["application"],
        check,
        &[
            (over, "limits: memory: \"256Mi\"", "limits:\n              memory: \"512Mi\""),
            (over, "limits: memory", "limits:\n              cpu: \"1\"\n              memory"),
            (over, "cpu: \"250m\"", "cpu: null"),
            ("tenants/test-app/quota.yaml", "kind: ResourceQuota", "kind: ConfigMap"),
            ("tenants/test-app/limits.yaml", "kind: LimitRange", "kind: ConfigMap"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        each(platform, verdict, |it, hold| {
            let (requests, limits) =
                (&it.container()["resources"]["requests"], &it.container()["resources"]["limits"]);
            hold(requests["cpu"].is_string() && requests["memory"].is_string(), "asks for nothing");
            hold(limits["memory"] == requests["memory"], "may use more memory than it asked for");
            let asked = it.setting(platform, &["cpu-limit"]).and_then(|it| it.as_str());
            hold(limits["cpu"].as_str() == asked, "is throttled beside idle cores");
            for kind in ["LimitRange", "ResourceQuota"] {
                hold(it.tenant.iter().any(|it| it["kind"] == kind), &format!("has no {kind}"));
            }
        });
    }
}

#[test]
fn k31_three_probes_ask_three_things() {
    let file = "base/deployment.yaml";
    prove(
        "K31",
        &["application"],
        check,
        &[
            (file, "startupProbe:", "startupProb:"),
            (file, "path: /readyz", "path: /livez"),
            (
                file,
                "livenessProbe: httpGet: path: /livez",
                "livenessProbe:\n            httpGet:\n              path: /readyz",
            ),
            (file, "failureThreshold: 30", "failureThreshold: 3"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        each(platform, verdict, |it, hold| {
            let [startup, readiness, liveness] = PROBES.map(|probe| &it.container()[probe]);
            let path = |probe: &Value| probe["httpGet"]["path"].as_str().unwrap_or_default().to_owned();
            hold([startup, readiness, liveness].iter().all(|it| !path(it).is_empty()), "lacks a probe");
            hold(path(readiness) != path(liveness), "is restarted when its database is away");
            let number = |probe: &Value, key: &str| probe[key].as_u64().unwrap_or_default();
            let patience = |probe: &Value| number(probe, "periodSeconds") * number(probe, "failureThreshold");
            let asked = it
                .setting(platform, &["probes", "start-within"])
                .and_then(|it| it.as_integer())
                .unwrap_or(60);
            hold(patience(startup) >= asked as u64, "is killed while it starts");
            hold(patience(readiness) < patience(liveness), "is restarted before it is left alone");
        });
    }
}

/// The durations of a pod's shutdown: until SIGTERM, and until SIGKILL.
fn life(it: &Overlay) -> (u64, u64) {
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let sleep = number(&it.container()["lifecycle"]["preStop"]["sleep"]["seconds"]);
    (sleep, number(&it.pod()["terminationGracePeriodSeconds"]))
}

/// An attribute of a load balancer or its targets, from `a=b,c=d`.
fn attribute<'a>(ingress: &'a Value, annotation: &str, name: &str) -> Option<&'a str> {
    let list = note(ingress, annotation)?.split(',');
    list.filter_map(|it| it.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn note<'a>(ingress: &'a Value, annotation: &str) -> Option<&'a str> {
    ingress["metadata"]["annotations"][format!("alb.ingress.kubernetes.io/{annotation}")].as_str()
}

/// Traps 37, 39, 40.
#[test]
fn k32_a_pod_outlives_its_last_request() {
    let file = "base/deployment.yaml";
    prove(
        "K32",
        &["application", "ingress"],
        check,
        &[
            (file, "sleep: seconds: 15", "exec:\n                command: [\"sleep\", \"15\"]"),
            (file, "seconds: 15", "seconds: 1"),
            (file, "terminationGracePeriodSeconds: 60", "terminationGracePeriodSeconds: 15"),
            (
                "overlays/production/ingress.yaml",
                "deregistration_delay.timeout_seconds=30",
                "stickiness.enabled=false",
            ),
            ("overlays/production/ingress.yaml", "timeout_seconds=30", "timeout_seconds=300"),
            (
                "tenants/test-app/namespace.yaml",
                "pod-readiness-gate-inject: enabled",
                "pod-readiness-gate-inject: disabled",
            ),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        let mut seen = false;
        for it in Overlay::all(platform) {
            verdict.see("application");
            let (sleep, grace) = life(&it);
            verdict.hold(sleep >= 5, format!("{} leaves before anybody knows", it.place()));
            verdict.hold(grace > sleep + 5, format!("{} has no time to finish", it.place()));
            for ingress in it.kinds("Ingress") {
                seen = true;
                let delay =
                    attribute(ingress, "target-group-attributes", "deregistration_delay.timeout_seconds");
                let delay = delay.and_then(|it| it.parse::<u64>().ok());
                verdict.hold(
                    delay.is_some_and(|it| it < grace),
                    format!("{} is waited for when it is gone", it.place()),
                );
                let gate = |it: &Value| {
                    it["kind"] == "Namespace"
                        && it["metadata"]["labels"]["elbv2.k8s.aws/pod-readiness-gate-inject"] == "enabled"
                };
                verdict.hold(
                    it.tenant.iter().any(gate),
                    format!("{} is ready before its target is", it.place()),
                );
            }
        }
        if seen {
            verdict.see("ingress");
        }
    }
}

#[test]
fn k33_a_rollout_takes_no_pod_away() {
    let file = "base/deployment.yaml";
    prove(
        "K33",
        &["application"],
        check,
        &[
            (file, "type: RollingUpdate", "type: Recreate"),
            (file, "maxUnavailable: 0", "maxUnavailable: 1"),
            (file, "maxSurge: 25%", "maxSurge: 1"),
            (file, "minReadySeconds: 10", ""),
            (file, "revisionHistoryLimit: 5", "revisionHistoryLimit: 0"),
            (file, "progressDeadlineSeconds: 300", "progressDeadlineSeconds: 900"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        each(platform, verdict, |it, hold| {
            let spec = &it.deployment()["spec"];
            let rolling = &spec["strategy"]["rollingUpdate"];
            hold(spec["strategy"]["type"] == "RollingUpdate" && rolling["maxUnavailable"] == 0, "loses pods");
            let surge = rolling["maxSurge"].as_str().and_then(|it| it.strip_suffix('%')?.parse::<u32>().ok());
            hold(surge >= Some(25), "rolls one by one, however many there are");
            hold(spec["minReadySeconds"].as_u64() >= Some(5), "takes the first answer for health");
            hold(
                (2..=10).contains(&spec["revisionHistoryLimit"].as_u64().unwrap_or(99)),
                "forgets, or never does",
            );
            // The Flux Kustomization waits for ten minutes.
            hold(
                spec["progressDeadlineSeconds"].as_u64().is_some_and(|it| it < 600),
                "is stuck without a word",
            );
        });
    }
}

#[test]
fn k34_pods_are_spread_where_there_is_room() {
    let file = "base/deployment.yaml";
    prove(
        "K34",
        &["application"],
        check,
        &[
            (file, "topologyKey: topology.kubernetes.io/zone", "topologyKey: kubernetes.io/os"),
            (file, "topologyKey: kubernetes.io/hostname", "topologyKey: kubernetes.io/os"),
            (file, "whenUnsatisfiable: ScheduleAnyway", "whenUnsatisfiable: DoNotSchedule"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        each(platform, verdict, |it, hold| {
            let rules = it.pod()["topologySpreadConstraints"].as_array().cloned().unwrap_or_default();
            for key in ["topology.kubernetes.io/zone", "kubernetes.io/hostname"] {
                let labels = &it.deployment()["spec"]["selector"];
                let spread = |rule: &Value| rule["topologyKey"] == key && rule["labelSelector"] == *labels;
                hold(rules.iter().any(spread), &format!("is not spread by {key}"));
            }
            hold(
                rules.iter().all(|it| it["whenUnsatisfiable"] == "ScheduleAnyway"),
                "waits for a zone that is down",
            );
        });
    }
}

fn scale(it: &Overlay) -> (u64, u64) {
    let number = |key: &str| it.kinds("HorizontalPodAutoscaler").find_map(|it| it["spec"][key].as_u64());
    (number("minReplicas").unwrap_or(1), number("maxReplicas").unwrap_or(1))
}

/// Trap 33.
#[test]
fn k35_a_budget_never_stops_a_drain() {
    let file = "base/disruption-budget.yaml";
    prove(
        "K35",
        &["application", "budget", "single pod"],
        check,
        &[
            (file, "maxUnavailable: 1", "minAvailable: 2"),
            (file, "unhealthyPodEvictionPolicy: AlwaysAllow", ""),
            (file, "component: server", "component: worker"),
            ("overlays/production/disruption-budget.yaml", "maxUnavailable: 1", "maxUnavailable: 0"),
            ("overlays/staging/disruption-budget.yaml", "$patch: delete", ""),
            ("overlays/production/autoscaler.yaml", "minReplicas: 2", "minReplicas: 1"),
            ("overlays/production/disruption-budget.yaml", "spec: maxUnavailable: 1", "$patch: delete"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for it in Overlay::all(platform) {
            verdict.see("application");
            let budgets: Vec<&Value> = it.kinds("PodDisruptionBudget").collect();
            let place = it.place();
            if scale(&it).0 < 2 {
                verdict.see("single pod");
                verdict.hold(budgets.is_empty(), format!("{place} holds up a drain for its only pod"));
                continue;
            }
            verdict.see("budget");
            verdict.hold(budgets.len() == 1, format!("{place} may lose all pods at once"));
            for budget in budgets {
                let spec = &budget["spec"];
                verdict.hold(
                    spec["maxUnavailable"] == 1 && spec.get("minAvailable").is_none(),
                    format!("{place} holds up a drain"),
                );
                verdict.hold(
                    spec["unhealthyPodEvictionPolicy"] == "AlwaysAllow",
                    format!("{place} holds up a drain by pods that are ill"),
                );
                let labels = &it.deployment()["spec"]["selector"];
                verdict.hold(spec["selector"] == *labels, format!("{place} guards other pods"));
            }
        }
    }
}

#[test]
fn k36_pods_come_at_once_and_go_slowly() {
    let file = "base/autoscaler.yaml";
    prove(
        "K36",
        &["application", "memory"],
        check,
        &[
            (file, "averageUtilization: 70", "averageUtilization: 90"),
            (file, "name: cpu", "name: storage"),
            (file, "stabilizationWindowSeconds: 300", "stabilizationWindowSeconds: 0"),
            (
                file,
                "scaleUp: stabilizationWindowSeconds: 0",
                "scaleUp:\n      stabilizationWindowSeconds: 600",
            ),
            ("overlays/production/autoscaler.yaml", "minReplicas: 2", "minReplicas: 1"),
            ("overlays/production/autoscaler.yaml", "maxReplicas: 6", "maxReplicas: 1"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for it in Overlay::all(platform) {
            verdict.see("application");
            let place = it.place();
            let asked = |path: &[&str]| it.setting(platform, path).and_then(|it| it.as_integer());
            let (min, max) = scale(&it);
            verdict.hold(
                min as i64 == asked(&["replicas", "min"]).unwrap_or(2),
                format!("{place} has other bounds"),
            );
            verdict.hold(max >= min, format!("{place} cannot grow"));
            for scaler in it.kinds("HorizontalPodAutoscaler") {
                let spec = &scaler["spec"];
                let target = |name: &str| {
                    let mut metrics = spec["metrics"].as_array().into_iter().flatten();
                    let metric = metrics.find(|it| it["resource"]["name"] == name)?;
                    metric["resource"]["target"]["averageUtilization"].as_i64()
                };
                let cpu = asked(&["replicas", "cpu-utilization"]).unwrap_or(70);
                verdict.hold(target("cpu") == Some(cpu), format!("{place} grows too late"));
                let memory = asked(&["replicas", "memory-utilization"]);
                verdict.hold(target("memory") == memory, format!("{place} is scaled by memory, or not"));
                if memory.is_some() {
                    verdict.see("memory");
                }
                let window = |way: &str| spec["behavior"][way]["stabilizationWindowSeconds"].as_u64();
                verdict.hold(window("scaleUp") == Some(0), format!("{place} waits for more pods"));
                verdict.hold(window("scaleDown") >= Some(300), format!("{place} swings"));
            }
        }
    }
}

/// The settings of the IngressClassParams, which apply to every Ingress of an environment.
fn class_of<'a>(platform: &'a Platform, environment: &str) -> &'a Value {
    let end = format!("clusters/{environment}/controllers/load-balancer-controller/release.yaml");
    let mut releases = platform.documents().filter(|it| it.path.ends_with(&end)).flat_map(|it| it.values());
    releases.next().map_or(&Value::Null, |it| &it["spec"]["values"]["ingressClassParams"]["spec"])
}

/// An annotation that the controller ignores, because the class has the field (docs/guide/ingress/ingress_class.md of the controller).
fn dead(ingress: &Value, class: &Value) -> Option<&'static str> {
    const DECIDED: [(&str, &str); 9] = [
        ("certificateArn", "certificate-arn"),
        ("group", "group.name"),
        ("inboundCIDRs", "inbound-cidrs"),
        ("ipAddressType", "ip-address-type"),
        ("loadBalancerAttributes", "load-balancer-attributes"),
        ("scheme", "scheme"),
        ("sslPolicy", "ssl-policy"),
        ("subnets", "subnets"),
        ("targetType", "target-type"),
    ];
    DECIDED
        .iter()
        .find(|(field, annotation)| !class[field].is_null() && note(ingress, annotation).is_some())
        .map(|(_, annotation)| *annotation)
}

/// The Ingress of Grafana, too.
#[test]
fn no_ingress_says_what_its_class_has_decided() {
    prove(
        "K37",
        &["ingress"],
        check,
        &[(
            "production/monitoring/kube-prometheus-stack/ingress.yaml",
            "group.name: monitoring",
            "group.name: monitoring\n    alb.ingress.kubernetes.io/ssl-policy: ELBSecurityPolicy-2016-08",
        )],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for document in platform.documents() {
            let Some(environment) =
                document.path.split("/clusters/").nth(1).and_then(|it| it.split('/').next())
            else {
                continue;
            };
            for ingress in document.values().filter(|it| it["kind"] == "Ingress") {
                verdict.see("ingress");
                let dead = dead(ingress, class_of(platform, environment));
                verdict.hold(dead.is_none(), format!("{}: {dead:?} is ignored", document.path));
            }
        }
    }
}

#[test]
fn k37_the_way_in_is_encrypted_checked_and_its_own() {
    let file = "overlays/production/ingress.yaml";
    let class = "production/controllers/load-balancer-controller/release.yaml";
    prove(
        "K37",
        &["internet", "inside", "access logs", "web ACL"],
        check,
        &[
            (file, "ingressClassName: alb", "ingressClassName: nginx"),
            (file, "{\\\"HTTP\\\": 80}, {\\\"HTTPS\\\": 443}", "{\\\"HTTP\\\": 80}"),
            (file, "ssl-redirect: \"443\"", "ssl-redirect: \"80\""),
            (file, "healthcheck-path: /readyz", "healthcheck-path: /livez"),
            (file, "group.name: test-app", "group.name: shared"),
            (file, "scheme: internet-facing", "scheme: internal"),
            (file, "inbound-cidrs: \"0.0.0.0/0\"", "inbound-cidrs: \"\""),
            (file, "host: test-app.faceit.example.com", "host: test-app.example.com"),
            (file, "wafv2-acl-arn: …", "shield-advanced-protection: \"true\""),
            (class, "targetType: ip", "targetType: instance"),
            (class, "sslPolicy: …", "sslPolicy: ELBSecurityPolicy-2016-08"),
            (
                class,
                "access_logs.s3.enabled value: \"true\"",
                "access_logs.s3.enabled\n            value: \"false\"",
            ),
            (
                class,
                "drop_invalid_header_fields.enabled value: \"true\"",
                "drop_invalid_header_fields.enabled\n            value: \"false\"",
            ),
            (class, "value: faceit-production-lb-logs", "value: faceit-staging-lb-logs"),
            // The controller ignores annotations for fields that the class has.
            (
                file,
                "group.name: test-app",
                "group.name: test-app\n    alb.ingress.kubernetes.io/ssl-policy: ELBSecurityPolicy-2016-08",
            ),
            (
                file,
                "group.name: test-app",
                "group.name: test-app\n    alb.ingress.kubernetes.io/target-type: instance",
            ),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for it in Overlay::all(platform) {
            let class = class_of(platform, it.environment);
            let host = it.setting(platform, &["host"]).and_then(|it| it.as_str());
            let place = it.place();
            verdict.hold(
                host.is_some() == it.kinds("Ingress").next().is_some(),
                format!("{place} has no way in, or one too many"),
            );
            for ingress in it.kinds("Ingress") {
                let note = |name: &str| note(ingress, name).unwrap_or_default();
                let public = it.setting(platform, &["public"]).is_none_or(|it| it.as_bool() == Some(true));
                verdict.see(if public { "internet" } else { "inside" });
                let zone = platform
                    .setting(it.environment, &["dns", "zone"])
                    .and_then(|it| it.as_str())
                    .unwrap_or_default();
                let named = &ingress["spec"]["rules"][0]["host"];
                let ranges: Vec<&str> = note("inbound-cidrs").split(',').collect();
                let readiness = it.container()["readinessProbe"]["httpGet"]["path"].as_str();
                let asked: Vec<&str> = it
                    .setting(platform, &["allowed-ranges"])
                    .and_then(|it| it.as_array())
                    .map_or_else(|| vec!["0.0.0.0/0"], |it| it.iter().filter_map(|it| it.as_str()).collect());
                let attribute = |name: &str| {
                    let mut all = class["loadBalancerAttributes"].as_array().into_iter().flatten();
                    all.find(|it| it["key"] == name)?["value"].as_str()
                };
                let tls = class["sslPolicy"].as_str().unwrap_or_default();
                for (holds, what) in [
                    (ingress["spec"]["ingressClassName"] == "alb", "is nobody's"),
                    (class["targetType"] == "ip", "goes through nodes"),
                    (dead(ingress, class).is_none(), "says what its class has decided"),
                    (
                        note("listen-ports").contains("{\"HTTPS\": 443}") && note("ssl-redirect") == "443",
                        "is not encrypted",
                    ),
                    (tls.starts_with("ELBSecurityPolicy-TLS13-1-2-"), "takes old TLS"),
                    (
                        Some(note("healthcheck-path")) == readiness,
                        "asks something else than the readiness probe",
                    ),
                    (note("group.name") == it.application, "shares its load balancer"),
                    (
                        note("scheme") == if public { "internet-facing" } else { "internal" },
                        "has another scheme",
                    ),
                    (ranges == asked, "lets others in"),
                    (
                        named.as_str().is_some_and(|it| it == zone || it.ends_with(&format!(".{zone}"))),
                        "lies outside the zone",
                    ),
                    (
                        attribute("routing.http.drop_invalid_header_fields.enabled") == Some("true"),
                        "takes any header",
                    ),
                ] {
                    verdict.hold(holds, format!("the way to {place} {what}"));
                }
                let buckets = platform.roots().filter(|root| root.environment == it.environment);
                let mut buckets = buckets.flat_map(|it| it.resources("aws_s3_bucket"));
                let bucket =
                    buckets.find(|it| it.labels[1] == "load_balancer_logs").map(|it| &it.body["bucket"]);
                let logs = attribute("access_logs.s3.enabled") == Some("true");
                verdict
                    .hold(bucket.is_some() == logs, format!("requests to {place} leave no line, or nowhere"));
                if let Some(bucket) = bucket {
                    verdict.see("access logs");
                    verdict.hold(
                        attribute("access_logs.s3.bucket") == bucket.as_str(),
                        format!("{place} logs elsewhere"),
                    );
                }
                let acl = it.setting(platform, &["web-acl"]).and_then(|it| it.as_str());
                verdict.hold(
                    acl.unwrap_or_default() == note("wafv2-acl-arn"),
                    format!("nobody judges requests to {place}"),
                );
                if acl.is_some() {
                    verdict.see("web ACL");
                }
            }
        }
    }
}

/// Go's garbage collector runs more often from nine tenths of the memory on, before the kernel kills the program.
#[test]
fn go_knows_its_memory() {
    let prometheus = "production/monitoring/kube-prometheus-stack/release.yaml";
    prove(
        "K33",
        &["container", "release"],
        check,
        &[
            ("base/deployment.yaml", "name: GOMEMLIMIT", "name: OTHER"),
            ("overlays/production/deployment.yaml", "name: GOMEMLIMIT", "name: OTHER"),
            ("controllers/external-dns/release.yaml", "value: 115MiB", "value: 128MiB"),
            ("controllers/external-secrets/release.yaml", "memory: 256Mi", "memory: 512Mi"),
            ("controllers/cluster-autoscaler/release.yaml", "GOMEMLIMIT: 460MiB", "OTHER: 460MiB"),
            (prometheus, "GOMEMLIMIT: 57MiB", "GOMEMLIMIT: 64MiB"),
            (prometheus, "name: GOMEMLIMIT", "name: OTHER"),
        ],
    );
    /// How many of its containers have a `GOMEMLIMIT`, for each chart whose values support variables.
    const CHARTS: [(&str, usize); 5] = [
        ("aws-load-balancer-controller", 1),
        ("cluster-autoscaler", 1),
        ("external-dns", 1),
        ("external-secrets", 3),
        ("kube-prometheus-stack", 2),
    ];
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for document in platform.documents() {
            for object in document.values() {
                let mut found = Vec::new();
                limits(object, &mut found);
                for (limit, memory) in &found {
                    verdict.see("container");
                    let mebibytes = mebibytes(memory).map(|it| format!("{}MiB", it * 9 / 10));
                    verdict.hold(
                        Some(limit) == mebibytes.as_ref(),
                        format!("{}: {limit} is not nine tenths of {memory}", document.path),
                    );
                }
                let chart = &object["spec"]["chart"]["spec"]["chart"];
                if let Some((_, count)) = CHARTS.iter().find(|(name, _)| chart == name) {
                    verdict.see("release");
                    verdict.hold(found.len() == *count, format!("{}: {} limits", document.path, found.len()));
                }
                let name = object["metadata"]["name"].as_str().unwrap_or_default();
                let application = platform.blueprint.get("applications").and_then(|it| it.get(name));
                let language = application.and_then(|it| it.get("language")).and_then(|it| it.as_str());
                let go = object["kind"] == "Deployment" && language.is_none_or(|it| it == "go");
                if go && document.path.contains("/apps/") {
                    verdict.hold(found.len() == 1, format!("{}: Go does not know its memory", document.path));
                }
            }
        }
    }

    /// `GOMEMLIMIT` and memory of each container.
    fn limits(value: &Value, found: &mut Vec<(String, String)>) {
        let memory = value["resources"]["limits"]["memory"].as_str();
        for variables in ["env", "extraEnv", "extraEnvs"].map(|it| &value[it]) {
            let listed = variables.as_array().into_iter().flatten();
            let listed = listed.filter(|it| it["name"] == "GOMEMLIMIT").map(|it| &it["value"]);
            let limit = listed.chain([&variables["GOMEMLIMIT"]]).find_map(|it| it.as_str());
            found.extend(limit.zip(memory).map(|(limit, memory)| (limit.to_owned(), memory.to_owned())));
        }
        match value {
            Value::Array(all) => all.iter().for_each(|it| limits(it, found)),
            Value::Object(all) => all.values().for_each(|it| limits(it, found)),
            _ => {}
        }
    }

    fn mebibytes(memory: &str) -> Option<u64> {
        let number = memory.trim_end_matches(char::is_alphabetic).parse::<u64>().ok()?;
        Some(number * if memory.ends_with("Gi") { 1024 } else { 1 })
    }
}

/// The peers of a policy's rules: a range of addresses, or labels of namespace and pod; with the ports.
fn ends(policy: &Value, way: &str) -> Vec<(String, Vec<u64>)> {
    let key = if way == "ingress" { "from" } else { "to" };
    let rules = policy["spec"][way].as_array().into_iter().flatten();
    rules
        .flat_map(|rule| {
            let ports = rule["ports"].as_array().into_iter().flatten().filter_map(|it| it["port"].as_u64());
            let ports: Vec<u64> = ports.collect();
            let ends = rule[key].as_array().cloned().unwrap_or_else(|| vec![json!("anybody")]);
            ends.into_iter().map(move |end| {
                let block = end["ipBlock"]["cidr"].as_str().map(str::to_owned);
                (block.unwrap_or_else(|| end.to_string()), ports.clone())
            })
        })
        .collect()
}

#[test]
fn k38_only_what_is_needed_passes() {
    prove(
        "K38",
        &["application", "load balancer", "database", "metrics", "internet", "AWS"],
        check,
        &[
            (
                "tenants/test-app/network-policy.yaml",
                "podSelector: {}",
                "podSelector:\n    matchLabels:\n      a: b",
            ),
            ("tenants/test-app/network-policy.yaml", "- Egress", ""),
            ("base/network-policies.yaml", "port: 53", "port: 54"),
            ("overlays/production/allow-load-balancer.yaml", "10.20.128.0/22", "0.0.0.0/0"),
            ("overlays/production/allow-load-balancer.yaml", "port: 8080", "port: 9090"),
            ("overlays/production/allow-database.yaml", "10.20.144.0/22", "10.20.0.0/16"),
            ("overlays/production/allow-database.yaml", "ports: - port: 5432 protocol: TCP", ""),
            ("monitoring/allow-metrics.yaml", "name: monitoring", "name: default"),
            ("monitoring/allow-metrics.yaml", "port: 9090", "port: 8080"),
            ("overlays/production/allow-internet.yaml", "- \"10.0.0.0/8\"", "- \"10.0.0.0/16\""),
            ("overlays/production/allow-aws.yaml", "- \"10.0.0.0/8\"", "- \"10.0.0.0/16\""),
            ("overlays/production/allow-aws.yaml", "169.254.170.23/32", "169.254.169.254/32"),
            ("overlays/production/allow-aws.yaml", "port: 80", "port: 443"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for it in Overlay::all(platform) {
            verdict.see("application");
            let place = it.place();
            let denies = |policy: &Value| {
                policy["kind"] == "NetworkPolicy"
                    && policy["spec"]["podSelector"] == json!({})
                    && policy["spec"]["policyTypes"] == json!(["Ingress", "Egress"])
                    && policy["spec"].get("ingress").is_none()
                    && policy["spec"].get("egress").is_none()
            };
            verdict.hold(it.tenant.iter().any(denies), format!("what nobody named passes to {place}"));
            let mut own =
                BTreeSet::from(["egress DNS".to_owned(), "egress own".to_owned(), "ingress own".to_owned()]);
            let network =
                platform.roots().find(|root| root.environment == it.environment && root.name == "platform");
            let subnets = |tier: &str| -> Vec<String> {
                let subnets = network.into_iter().flat_map(|it| it.resources("aws_subnet"));
                let subnets = subnets.filter(|it| it.labels[1] == tier);
                subnets.filter_map(|it| it.body["cidr_block"].as_str().map(str::to_owned)).collect()
            };
            let port = |name: &str| {
                let mut ports = it.container()["ports"].as_array().into_iter().flatten();
                ports.find(|it| it["name"] == name).and_then(|it| it["containerPort"].as_u64())
            };
            if it.kinds("Ingress").next().is_some() {
                verdict.see("load balancer");
                let public = it.setting(platform, &["public"]).is_none_or(|it| it.as_bool() == Some(true));
                own.extend(
                    subnets(if public { "public" } else { "private" })
                        .iter()
                        .map(|it| format!("ingress {it}")),
                );
            }
            if it.setting(platform, &["database"]).is_some() {
                verdict.see("database");
                own.extend(subnets("database").iter().map(|it| format!("egress {it}")));
            }
            if it.kinds("ServiceMonitor").next().is_some() {
                verdict.see("metrics");
                own.insert("ingress metrics".to_owned());
            }
            if it.setting(platform, &["internet"]).is_some_and(|it| it.as_bool() == Some(true)) {
                verdict.see("internet");
                own.insert("egress 0.0.0.0/0".to_owned());
            }
            if it.setting(platform, &["permissions"]).is_some() {
                verdict.see("AWS");
                own.insert("egress 0.0.0.0/0".to_owned());
                let has = |kind: &str| network.into_iter().flat_map(|it| it.resources(kind)).next().is_some();
                if has("aws_eks_pod_identity_association") {
                    own.insert("egress agent".to_owned());
                }
                if network
                    .is_some_and(|it| it.resources("aws_vpc_endpoint").any(|it| it.labels[1] == "interface"))
                {
                    own.extend(subnets("private").iter().map(|it| format!("egress endpoint {it}")));
                }
            }
            let private: Vec<String> = subnets("private");
            let mut found = BTreeSet::new();
            for policy in it.kinds("NetworkPolicy") {
                for way in ["ingress", "egress"] {
                    for (end, ports) in ends(policy, way) {
                        let (http, metrics) = (port("http"), port("metrics"));
                        let within = |it: &str| end.contains(it);
                        let endpoint: String;
                        let (end, wanted): (&str, Vec<Option<u64>>) = match end.as_str() {
                            _ if within("kube-dns") => ("DNS", vec![Some(53), Some(53)]),
                            _ if within("\"name\":\"prometheus\"")
                                || within("\"app.kubernetes.io/name\":\"prometheus\"") =>
                            {
                                let from = within("\"kubernetes.io/metadata.name\":\"monitoring\"");
                                (if from { "metrics" } else { "anybody" }, vec![metrics])
                            }
                            "0.0.0.0/0" => {
                                let all = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"];
                                let except =
                                    words(&policy["spec"]["egress"][0]["to"][0]["ipBlock"]["except"]);
                                let apart = way == "egress" && all.iter().all(|it| except.contains(it));
                                (if apart { "0.0.0.0/0" } else { "anybody" }, vec![Some(443)])
                            }
                            "169.254.170.23/32" => ("agent", vec![Some(80)]),
                            block if way == "egress" && private.iter().any(|it| it == block) => {
                                endpoint = format!("endpoint {block}");
                                (&endpoint, vec![Some(443)])
                            }
                            block if block.contains('/') && !block.contains('{') => {
                                (block, vec![if way == "egress" { Some(5432) } else { http }])
                            }
                            _ if within("podSelector") => ("own", vec![http]),
                            _ => ("anybody", Vec::new()),
                        };
                        let ports: Vec<Option<u64>> = ports.into_iter().map(Some).collect();
                        verdict.hold(ports == wanted, format!("{place}: {way} {end} passes at other ports"));
                        found.insert(format!("{way} {end}"));
                    }
                }
            }
            verdict.hold(found == own, format!("{place}: {found:?} pass, not {own:?}"));
        }
    }
}

/// Traps 20, 22.
#[test]
fn k39_secrets_are_what_the_pods_ask_for() {
    prove(
        "K39",
        &["application", "database", "own secret"],
        check,
        &[
            ("overlays/production/deployment.yaml", "name: database-1", "name: database-2"),
            ("overlays/production/database.yaml", "target: name: database-1", "target:\n    name: database"),
            ("overlays/production/database.yaml", "secretKey: DATABASE_HOST", "secretKey: PGHOST"),
            ("overlays/production/database.yaml", "database/1/password", "database/2/password"),
            ("overlays/production/database.yaml", "refreshInterval: 1h", "refreshInterval: 10s"),
            ("overlays/production/database.yaml", "deletionPolicy: Retain", "deletionPolicy: Delete"),
            ("overlays/production/secrets.yaml", "secretKey: value", "secretKey: other"),
            ("overlays/production/secrets.yaml", "name: payment-key", "name: payment"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for it in Overlay::all(platform) {
            verdict.see("application");
            let place = it.place();
            let mut secrets: Vec<(&str, Vec<&str>)> = Vec::new();
            for secret in it.kinds("ExternalSecret") {
                let spec = &secret["spec"];
                let data = spec["data"].as_array().into_iter().flatten();
                let keys: Vec<&str> = data.clone().filter_map(|it| it["secretKey"].as_str()).collect();
                let name = spec["target"]["name"].as_str().unwrap_or_default();
                verdict.hold(secret["metadata"]["name"] == name, format!("{place}: `{name}` has two names"));
                verdict.hold(
                    spec["refreshInterval"] == "1h",
                    format!("{place}: `{name}` is fetched all the time, or never"),
                );
                let target = &spec["target"];
                verdict.hold(
                    target["deletionPolicy"] == "Retain",
                    format!("{place}: `{name}` goes with its parameter"),
                );
                if let Some(login) = name.strip_prefix("database-") {
                    for key in data.filter_map(|it| it["remoteRef"]["key"].as_str()) {
                        let numbered = key.ends_with("/password") || key.ends_with("/username");
                        let own = key.contains(&format!("/database/{login}/"));
                        verdict.hold(numbered == own, format!("{place}: `{key}` is of another login"));
                    }
                }
                secrets.push((name, keys));
            }
            let has = |name: &Value, key: Option<&Value>| {
                let known = secrets.iter().find(|(it, _)| name == it);
                known.is_some_and(|(_, keys)| key.is_none_or(|key| keys.iter().any(|it| key == it)))
            };
            for source in it.container()["envFrom"].as_array().into_iter().flatten() {
                verdict.hold(
                    has(&source["secretRef"]["name"], None),
                    format!("{place} asks for a Secret that nobody makes"),
                );
            }
            for variable in it.container()["env"].as_array().into_iter().flatten() {
                let reference = &variable["valueFrom"]["secretKeyRef"];
                if reference.is_object() {
                    verdict.see("own secret");
                    let there = has(&reference["name"], Some(&reference["key"]));
                    verdict.hold(there, format!("{place} asks for a key that nobody fills"));
                }
            }
            if it.setting(platform, &["database"]).is_some() {
                verdict.see("database");
                let login =
                    it.setting(platform, &["database", "login"]).and_then(|it| it.as_integer()).unwrap_or(1);
                let wanted =
                    ["HOST", "NAME", "PASSWORD", "PORT", "USERNAME"].map(|it| format!("DATABASE_{it}"));
                let name = format!("database-{login}");
                let found = secrets.iter().find(|(it, _)| *it == name);
                verdict.hold(
                    found.is_some_and(|(_, keys)| *keys == wanted),
                    format!("{place} does not find its database"),
                );
                let source = &it.container()["envFrom"][0]["secretRef"]["name"];
                verdict.hold(*source == name, format!("{place} does not restart with a new login"));
                let before = format!("database-{}", (login - 1).max(1));
                verdict.hold(
                    secrets.iter().any(|(it, _)| *it == before),
                    format!("{place} loses the login before"),
                );
            }
        }
    }
}

/// Traps 44, 45.
#[test]
fn k40_an_image_is_one_release() {
    prove(
        "K40",
        &["application", "private image", "automation"],
        check,
        &[
            ("overlays/production/kustomization.yaml", "newTag: \"0.1.0\"", "newTag: latest"),
            ("overlays/production/kustomization.yaml", "newTag: \"0.1.0\"", "newTag: \"1\""),
            ("base/deployment.yaml", "imagePullSecrets: - name: registry", ""),
            ("overlays/production/registry.yaml", "type: kubernetes.io/dockerconfigjson", "type: Opaque"),
            ("applications/images/ledger-api.yaml", "range: \">=0.0.0\"", "range: \"*-0\""),
            (
                "overlays/production/kustomization.yaml",
                "flux-system:ledger-api:tag",
                "flux-system:ledger:tag",
            ),
            (
                "applications/images/ledger-api.yaml",
                "path: ./apps/ledger-api/overlays/production",
                "path: ./apps",
            ),
            ("applications/image-automation/source.yaml", "name: git-write", "name: flux-system"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for it in Overlay::all(platform) {
            verdict.see("application");
            let (place, application) = (it.place(), it.application);
            let image = it.container()["image"].as_str().unwrap_or_default();
            let tag = image.rsplit_once(':').map(|(_, tag)| tag).unwrap_or_default();
            let exact = tag.split('.').count() == 3 && tag.split('.').all(|it| it.parse::<u32>().is_ok());
            verdict.hold(exact, format!("{place} runs `{image}`, whatever that is"));
            if it.setting(platform, &["image-public"]).is_none_or(|it| it.as_bool() != Some(true)) {
                verdict.see("private image");
                let name = &it.pod()["imagePullSecrets"][0]["name"];
                let shows = |it: &Value| {
                    it["spec"]["target"]["name"] == *name
                        && it["spec"]["target"]["template"]["type"] == "kubernetes.io/dockerconfigjson"
                };
                verdict.hold(
                    name.is_string() && it.kinds("ExternalSecret").any(shows),
                    format!("{place} cannot pull its image"),
                );
            }
            let folder = format!("{}/clusters/{}/applications/", it.repository, it.environment);
            let beside: Vec<&Value> = platform
                .documents()
                .filter(|it| it.path.starts_with(&folder))
                .flat_map(|it| it.values())
                .collect();
            let of = |kind: &str, name: &str| {
                beside
                    .iter()
                    .find(|it| it["kind"] == kind && it["metadata"]["name"] == name)
                    .map(|it| &it["spec"])
            };
            let list = format!(
                "{}/apps/{application}/overlays/{}/kustomization.yaml",
                it.repository, it.environment
            );
            let marked = platform.files[&list]
                .contains(&format!("# {{\"$imagepolicy\": \"flux-system:{application}:tag\"}}"));
            let asked =
                it.setting(platform, &["delivery"]).and_then(|it| it.as_str()) == Some("image-automation");
            verdict.hold(marked == asked, format!("{place}: a robot finds no tag, or one too many"));
            verdict.hold(
                of("ImagePolicy", application).is_some() == asked,
                format!("{place}: a robot looks, or does not"),
            );
            if asked {
                verdict.see("automation");
                let policy = of("ImagePolicy", application).map(|it| &it["policy"]["semver"]["range"]);
                verdict.hold(
                    policy.is_some_and(|it| it == ">=0.0.0"),
                    format!("{place} takes what is no release"),
                );
                let path = format!("./apps/{application}/overlays/{}", it.environment);
                let robot = of("ImageUpdateAutomation", application);
                verdict.hold(
                    robot.is_some_and(|it| it["update"]["path"] == path),
                    format!("{place}: the robot writes elsewhere"),
                );
                let source = robot.and_then(|it| of("GitRepository", it["sourceRef"]["name"].as_str()?));
                let credential = source.and_then(|it| it["secretRef"]["name"].as_str()).unwrap_or_default();
                let own = credential != "flux-system" && of("ExternalSecret", credential).is_some();
                verdict.hold(own, format!("{place}: the robot has no credential of its own"));
            }
        }
    }
}

#[test]
fn somebody_is_told_of_each_application() {
    prove(
        "K41",
        &["monitored"],
        check,
        &[
            ("monitoring/service-monitor.yaml", "port: metrics", "port: http"),
            (
                "monitoring/service-monitor.yaml",
                "app.kubernetes.io/name: test-app endpoints",
                "app.kubernetes.io/name: other\n  endpoints",
            ),
            ("monitoring/application-pods.yaml", "alert: ApplicationMemoryFull", "record: full"),
            ("monitoring/application-requests.yaml", "severity: critical", "level: critical"),
            ("monitoring/application-requests.yaml", "alert: ApplicationFails", "record: fails"),
            ("monitoring/application-requests.yaml", "http_request_duration_seconds_bucket", "duration"),
            ("monitoring/application-pods.yaml", "container_memory_working_set_bytes", "memory"),
            ("monitoring/application-pods.yaml", "runbook: >-", "text: >-"),
            ("monitoring/application-database.yaml", "database_reachable", "reachable"),
            ("monitoring/dashboard.yaml", "grafana_dashboard: \"1\"", "dashboard: \"1\""),
            ("monitoring/dashboard.yaml", "\"panels\": [", "\"panel\": ["),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for it in Overlay::all(platform) {
            let monitored = platform.setting(it.environment, &["components", "monitoring"]).is_some();
            let place = it.place();
            verdict.hold(
                monitored == it.kinds("PrometheusRule").next().is_some(),
                format!("nobody is told of {place}, or too much"),
            );
            if !monitored {
                continue;
            }
            verdict.see("monitored");
            let measured =
                it.setting(platform, &["metrics", "enabled"]).is_none_or(|it| it.as_bool() != Some(false));
            let service = it.kinds("Service").next().expect("each application has one");
            let monitors = |monitor: &Value| {
                let labels =
                    monitor["spec"]["selector"]["matchLabels"].as_object().cloned().unwrap_or_default();
                let port = &monitor["spec"]["endpoints"][0]["port"];
                let ports = service["spec"]["ports"].as_array().into_iter().flatten();
                labels.iter().all(|(key, it)| service["metadata"]["labels"][key] == *it)
                    && port == "metrics"
                    && ports.clone().any(|it| it["name"] == *port)
            };
            verdict.hold(
                measured == it.kinds("ServiceMonitor").any(monitors),
                format!("nobody asks {place} how it does"),
            );
            let rules = it
                .kinds("PrometheusRule")
                .flat_map(|it| it["spec"]["groups"][0]["rules"].as_array().unwrap().iter());
            let rules: Vec<&Value> = rules.collect();
            let mut about = vec!["container_memory_working_set_bytes"];
            if measured {
                about.extend(["http_requests_total", "http_request_duration_seconds_bucket"]);
                about.extend(it.setting(platform, &["database"]).map(|_| "database_reachable"));
            }
            for word in about {
                let about = |rule: &&Value| {
                    rule["alert"].is_string() && rule["expr"].as_str().unwrap_or_default().contains(word)
                };
                verdict.hold(rules.iter().any(about), format!("nobody is told of {place}: {word}"));
            }
            for rule in rules {
                let whole = rule["labels"]["severity"].is_string()
                    && rule["for"].is_string()
                    && ["summary", "description", "runbook"]
                        .iter()
                        .all(|it| rule["annotations"][it].is_string());
                verdict.hold(whole, format!("{place}: {} says too little", rule["alert"]));
            }
            let shown = |it: &Value| {
                let text =
                    it["data"].as_object().and_then(|it| it.values().next()?.as_str()).unwrap_or_default();
                let board: Option<Value> = serde_json::from_str(text).ok();
                it["metadata"]["labels"]["grafana_dashboard"] == "1"
                    && board.is_some_and(|it| it["panels"].as_array().is_some_and(|it| it.len() > 3))
            };
            verdict.hold(it.kinds("ConfigMap").any(shown), format!("nobody sees {place}"));
        }
    }
}
