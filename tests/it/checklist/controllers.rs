// What Flux installs before any application: releases, the storage class, spare capacity, namespaces.

use serde_json::{Value, json};

use super::{
    Platform, Verdict,
    cluster::clusters,
    policies::grants,
    prove,
    terraform::{Item, Root, words},
};

/// An object of one environment's cluster, and the Terraform of that environment.
struct Object<'a> {
    path: &'a str,
    environment: &'a str,
    body: &'a Value,
    root: &'a Root,
    cluster: &'a Item,
}

impl<'a> Object<'a> {
    /// All objects below `clusters/`.
    fn all(platform: &'a Platform) -> Vec<Self> {
        let mut objects = Vec::new();
        for document in platform.documents() {
            let Some((_, rest)) = document.path.split_once("/clusters/") else { continue };
            let environment = rest.split('/').next().unwrap();
            let Some((root, cluster)) = clusters(platform).find(|(it, _)| it.environment == environment)
            else {
                continue;
            };
            let object = |body| Self { path: &document.path, environment, body, root, cluster };
            objects.extend(document.values().map(object));
        }
        objects
    }

    fn kind(platform: &'a Platform, kind: &str) -> Vec<Self> {
        Self::all(platform).into_iter().filter(|it| it.body["kind"] == kind).collect()
    }

    /// The releases of a chart. A patch names no chart.
    fn releases(platform: &'a Platform, chart: &str) -> Vec<Self> {
        let releases = Self::kind(platform, "HelmRelease").into_iter();
        releases.filter(|it| it.body["spec"]["chart"]["spec"]["chart"] == chart).collect()
    }

    fn name(&self) -> &'a str {
        self.body["metadata"]["name"].as_str().unwrap_or_default()
    }

    fn values(&self) -> &'a Value {
        &self.body["spec"]["values"]
    }

    fn layer(&self) -> &'a str {
        self.path.split_once("/clusters/").and_then(|(_, it)| it.split('/').nth(1)).unwrap_or_default()
    }

    /// Whether a role of this environment trusts the service account of the release.
    fn is_known_to_aws(&self, account: &Value) -> bool {
        let namespace = &self.body["metadata"]["namespace"];
        let name = account["name"].as_str().unwrap_or_default();
        let bound = self.root.resources("aws_eks_pod_identity_association");
        let bound = bound
            .filter(|it| it.body["namespace"] == *namespace && it.body["service_account"] == name)
            .count();
        let subject = format!("system:serviceaccount:{}:{name}", namespace.as_str().unwrap_or_default());
        let trusts = |role: &&Item| role.body["assume_role_policy"].to_string().contains(&subject);
        let arn = account["annotations"]["eks.amazonaws.com/role-arn"].as_str();
        let role = self.root.resources("aws_iam_role").find(trusts);
        let named = |role: &Item| format!("/{}", role.body["name"].as_str().unwrap_or_default());
        match (arn, role) {
            (None, None) => bound == 1,
            (Some(arn), Some(role)) => bound == 0 && arn.ends_with(&named(role)),
            _ => false,
        }
    }

    fn region(&self) -> &'a Value {
        let mut providers = self.root.words("provider");
        providers.find(|it| it.labels == ["aws"]).map_or(&Value::Null, |it| &it.body["region"])
    }

    /// A Kustomization of this environment.
    fn kustomization(&self, platform: &'a Platform, name: &str) -> Option<&'a Value> {
        let all = Self::kind(platform, "Kustomization").into_iter();
        let mut own = all.filter(|it| it.environment == self.environment && it.name() == name);
        own.find(|it| it.body["spec"].is_object()).map(|it| it.body)
    }
}

/// Traps 7, 8, 9, 38.
#[test]
fn k16_the_load_balancer_controller_stands_in_nobodys_way() {
    const FILE: &str = "controllers/load-balancer-controller/release.yaml";
    prove(
        "K16",
        &["release"],
        check,
        &[
            (FILE, "clusterName: …", "clusterName: other"),
            (FILE, "region: …", ""),
            (FILE, "Name: faceit-production", "Name: other"),
            (FILE, "replicaCount: 2", "replicaCount: 1"),
            (FILE, "maxUnavailable: 1", "maxUnavailable: 0"),
            (FILE, "enableServiceMutatorWebhook: false", "enableServiceMutatorWebhook: true"),
            (FILE, "enableServiceMutatorWebhook: false", ""),
            (FILE, "keepTLSSecret: true", ""),
            (FILE, "failurePolicy: Fail", "failurePolicy: Ignore"),
            (FILE, "operator: DoesNotExist", "operator: Exists"),
            (FILE, "default: false", "default: true"),
            (FILE, "serviceAccount: name: load-balancer-controller", "serviceAccount:\n      name: other"),
            (FILE, "eks.amazonaws.com/role-arn: …", "eks.amazonaws.com/role-arn: other"),
            (FILE, "bucket value: …", "bucket\n            value: other"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for release in Object::releases(platform, "aws-load-balancer-controller") {
            verdict.see("release");
            let values = release.values();
            let mut hold = |holds, words: &str| verdict.hold(holds, format!("{}: {words}", release.path));
            hold(values["clusterName"] == release.cluster.body["name"], "another cluster");
            hold(values["region"] == *release.region(), "another region");
            let tags = values["vpcTags"].as_object().cloned().unwrap_or_default();
            let mut networks = release.root.resources("aws_vpc");
            let found = networks.all(|it| tags.iter().all(|(key, value)| it.body["tags"][key] == *value));
            hold(found && !tags.is_empty(), "it does not find the network");
            hold(values["replicaCount"].as_u64() >= Some(2), "one alone");
            hold(values["podDisruptionBudget"]["maxUnavailable"] == 1, "no budget");
            hold(values["enableServiceMutatorWebhook"] == false, "holds up every Service");
            hold(values["keepTLSSecret"] == true, "a new certificate at each upgrade");
            hold(values["podMutatorWebhookConfig"]["failurePolicy"] == "Fail", "pods without their gate");
            let selector = &values["objectSelector"]["matchExpressions"][0];
            let jobs = selector["key"] == "batch.kubernetes.io/job-name";
            hold(jobs && selector["operator"] == "DoesNotExist", "it holds up pods that serve nobody");
            hold(values["ingressClassConfig"]["default"] == false, "an Ingress without a class is public");
            hold(release.is_known_to_aws(&values["serviceAccount"]), "no role trusts its account");
            let attributes = values["ingressClassParams"]["spec"]["loadBalancerAttributes"].as_array();
            let bucket = attributes.into_iter().flatten().find(|it| it["key"] == "access_logs.s3.bucket");
            let mut buckets = release.root.resources("aws_s3_bucket");
            let known = |it: &Value| buckets.any(|bucket| bucket.body["bucket"] == it["value"]);
            let logs = release.root.resources("aws_s3_bucket_policy").count() > 0;
            hold(bucket.map_or(!logs, known), "no bucket for its logs");
        }
    }
}

/// Trap 34.
#[test]
fn k17_the_autoscaler_is_of_the_clusters_minor() {
    const FILE: &str = "controllers/cluster-autoscaler/release.yaml";
    prove(
        "K17",
        &["release"],
        check,
        &[
            (FILE, "tag: v1.36", "tag: v1.35"),
            (FILE, "clusterName: …", ""),
            (FILE, "awsRegion: …", ""),
            (FILE, "expander: least-waste", "expander: random"),
            (FILE, "balance-similar-node-groups: true", ""),
            (FILE, "expendable-pods-priority-cutoff: -10", ""),
            (FILE, "skip-nodes-with-local-storage: false", ""),
            (FILE, "serviceAccount: name: cluster-autoscaler", "serviceAccount:\n        name: default"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for release in Object::releases(platform, "cluster-autoscaler") {
            verdict.see("release");
            let values = release.values();
            let mut hold = |holds, words: &str| verdict.hold(holds, format!("{}: {words}", release.path));
            let minor = format!("v{}.", release.cluster.body["version"].as_str().unwrap());
            let tag = values["image"]["tag"].as_str().unwrap_or_default();
            hold(tag.starts_with(&minor), "of another minor");
            hold(values["autoDiscovery"]["clusterName"] == release.cluster.body["name"], "another cluster");
            hold(values["awsRegion"] == *release.region(), "another region");
            let arguments = &values["extraArgs"];
            hold(arguments["expander"] == "least-waste", "it grows what it happens to");
            hold(arguments["balance-similar-node-groups"] == true, "it fills one group first");
            hold(arguments["expendable-pods-priority-cutoff"] == -10, "who calls for nodes is not said");
            hold(arguments["skip-nodes-with-local-storage"] == false, "scratch space keeps nodes");
            hold(release.is_known_to_aws(&values["rbac"]["serviceAccount"]), "no role trusts its account");
        }
    }
}

/// Traps 35, 72.
#[test]
fn k18_room_is_kept_free_by_pods_that_call_for_nodes_and_hold_nobody_up() {
    prove(
        "K18",
        &["class", "pods", "layer"],
        check,
        &[
            ("overprovisioning/priority-class.yaml", "value: -10", "value: -11"),
            ("overprovisioning/priority-class.yaml", "value: -10", "value: 0"),
            ("overprovisioning/priority-class.yaml", "globalDefault: false", "globalDefault: true"),
            ("overprovisioning/deployment.yaml", "@sha256:…", ""),
            ("overprovisioning/deployment.yaml", "replicas: 3", "replicas: 1"),
            ("overprovisioning/deployment.yaml", "priorityClassName: overprovisioning", ""),
            ("overprovisioning/deployment.yaml", "cpu: …", ""),
            (
                "overprovisioning/deployment.yaml",
                "topologyKey: topology.kubernetes.io/zone",
                "topologyKey: zone",
            ),
            ("layers.yaml", "failure. wait: false", "failure.\n  wait: true"),
            ("layers.yaml", "dependsOn: - name: tenants", "dependsOn:\n    - name: overprovisioning"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for class in Object::kind(platform, "PriorityClass") {
            verdict.see("class");
            let mut hold = |holds, words: &str| verdict.hold(holds, format!("{}: {words}", class.path));
            let value = class.body["value"].as_i64().unwrap_or_default();
            let releases = Object::releases(platform, "cluster-autoscaler").into_iter();
            for autoscaler in releases.filter(|it| it.environment == class.environment) {
                let cutoff = &autoscaler.values()["extraArgs"]["expendable-pods-priority-cutoff"];
                hold(Some(value) >= cutoff.as_i64(), "its pods call for no node");
            }
            hold(value < 0, "its pods give way to nobody");
            hold(class.body["globalDefault"] == false, "every pod gives way");
            let mut pods = Object::kind(platform, "Deployment").into_iter();
            let pods = pods.find(|it| {
                it.environment == class.environment
                    && it.body["spec"]["template"]["spec"]["priorityClassName"] == class.name()
            });
            let Some(pods) = pods else {
                hold(false, "nobody has it");
                continue;
            };
            verdict.see("pods");
            let mut hold = |holds, words: &str| verdict.hold(holds, format!("{}: {words}", pods.path));
            let zones = pods.root.resources("aws_subnet").filter(|it| it.labels[1] == "private").count();
            let asked = platform.setting(pods.environment, &["components", "overprovisioning", "replicas"]);
            let wanted = asked.and_then(toml::Value::as_integer).unwrap_or(zones as i64);
            hold(pods.body["spec"]["replicas"] == wanted, "not one for each zone");
            let spec = &pods.body["spec"]["template"]["spec"];
            let container = &spec["containers"][0];
            hold(
                container["image"].as_str().is_some_and(|it| it.contains("@sha256:")),
                "an image that may move",
            );
            let requests = &container["resources"]["requests"];
            hold(requests["cpu"].is_string() && requests["memory"].is_string(), "they keep nothing");
            let spread = spec["topologySpreadConstraints"].as_array().cloned().unwrap_or_default();
            for key in ["topology.kubernetes.io/zone", "kubernetes.io/hostname"] {
                hold(spread.iter().any(|it| it["topologyKey"] == key), "all in one place");
            }
            verdict.see("layer");
            let mut hold = |holds, words: &str| verdict.hold(holds, format!("{}: {words}", pods.path));
            let layer = pods.kustomization(platform, pods.layer());
            hold(layer.is_some_and(|it| it["spec"]["wait"] == false), "its layer waits for pods that wait");
            let layers = Object::kind(platform, "Kustomization").into_iter();
            for other in layers.filter(|it| it.environment == pods.environment) {
                let before = other.body["spec"]["dependsOn"].as_array().cloned().unwrap_or_default();
                hold(before.iter().all(|it| it["name"] != pods.layer()), "something waits for its layer");
            }
        }
    }
}

#[test]
fn k19_use_is_measured_once() {
    prove(
        "K19",
        &["release"],
        check,
        &[
            ("controllers/metrics-server/release.yaml", "replicas: 2", "replicas: 1"),
            ("controllers/metrics-server/release.yaml", "chart: metrics-server", "chart: other"),
            ("platform/addons.tf", "\"coredns\" = {", "\"metrics-server\" = {"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for (root, cluster) in clusters(platform) {
            let releases = Object::releases(platform, "metrics-server").into_iter();
            let own: Vec<_> = releases.filter(|it| it.environment == root.environment).collect();
            let addons =
                root.resources("aws_eks_addon").filter(|it| it.body["addon_name"] == "metrics-server");
            let count = own.len() + addons.count();
            let place = cluster.body["name"].as_str().unwrap();
            verdict.hold(count == 1, format!("{place}: measured {count} times"));
            for release in own {
                verdict.see("release");
                let replicas = release.values()["replicas"].as_u64();
                verdict.hold(replicas >= Some(2), format!("{}: one alone", release.path));
            }
        }
    }
}

/// Trap 32.
#[test]
fn k21_a_claim_gets_an_encrypted_volume_beside_its_pod() {
    const FILE: &str = "controllers/ebs-csi-driver/storage-class.yaml";
    prove(
        "K21",
        &["class"],
        check,
        &[
            (FILE, "is-default-class: \"true\"", "is-default-class: \"false\""),
            (FILE, "encrypted: \"true\"", ""),
            (FILE, "type: gp3", "type: gp2"),
            (FILE, "provisioner: ebs.csi.aws.com", "provisioner: kubernetes.io/aws-ebs"),
            (FILE, "WaitForFirstConsumer", "Immediate"),
            (FILE, "allowVolumeExpansion: true", ""),
            (FILE, "-volumes\"", "\""),
            (FILE, "kustomize.toolkit.fluxcd.io/force: enabled", ""),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for (root, cluster) in clusters(platform) {
            let is_default = |it: &Object| {
                it.body["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"
            };
            let classes = Object::kind(platform, "StorageClass").into_iter();
            let classes: Vec<_> = classes.filter(|it| it.environment == root.environment).collect();
            let place = cluster.body["name"].as_str().unwrap();
            let defaults = classes.iter().filter(|it| is_default(it)).count();
            verdict.hold(defaults == 1, format!("{place}: {defaults} default classes"));
            for class in classes {
                verdict.see("class");
                let mut hold = |holds, words: &str| verdict.hold(holds, format!("{}: {words}", class.path));
                let parameters = &class.body["parameters"];
                hold(parameters["encrypted"] == "true" && parameters["type"] == "gp3", "not encrypted");
                hold(class.body["provisioner"] == "ebs.csi.aws.com", "nobody makes its volumes");
                hold(class.body["volumeBindingMode"] == "WaitForFirstConsumer", "in any zone");
                hold(class.body["allowVolumeExpansion"] == true, "for ever as small");
                let key = parameters["kmsKeyId"].as_str().unwrap_or_default();
                let mut aliases = root.resources("aws_kms_alias");
                let known =
                    aliases.any(|it| key.ends_with(&format!(":{}", it.body["name"].as_str().unwrap())));
                hold(known, "Terraform makes no such key");
                let force = &class.body["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/force"];
                hold(*force == "enabled", "Flux cannot change it");
            }
        }
    }
}

/// Trap 73.
#[test]
fn k22_records_are_marked_and_stay() {
    const FILE: &str = "controllers/external-dns/release.yaml";
    prove(
        "K22",
        &["release"],
        check,
        &[
            (FILE, "policy: upsert-only", "policy: sync"),
            (FILE, "policy: upsert-only", ""),
            (FILE, "txtOwnerId: faceit-production", "txtOwnerId: faceit-staging"),
            (FILE, "txtOwnerId: …", "txtOwnerId: default"),
            (FILE, "txtPrefix: …", "txtPrefix: own-"),
            (FILE, "txtPrefix: …", "txtPrefix: \"own-%{record_type}.\""),
            (FILE, "txtPrefix: …", "txtSuffix: -own"),
            (FILE, "txtPrefix: …", ""),
            ("names.txt", "ownership external-dns-TYPE.NAME", "ownership TYPE-NAME"),
            (FILE, "registry: txt", "registry: noop"),
            (FILE, "domainFilters: - …", "domainFilters: []"),
            (FILE, "- faceit.example.com", "- example.com"),
            (FILE, "aws-zone-type: public", ""),
            (FILE, "value: eu-west-1", "value: eu-west-2"),
            (FILE, "serviceAccount: name: external-dns", "serviceAccount:\n      name: default"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for release in Object::releases(platform, "external-dns") {
            verdict.see("release");
            let values = release.values();
            let mut hold = |holds, words: &str| verdict.hold(holds, format!("{}: {words}", release.path));
            let asked = platform.setting(release.environment, &["components", "external-dns", "policy"]);
            let wanted = asked.and_then(toml::Value::as_str).unwrap_or("upsert-only");
            hold(values["policy"] == wanted, "records go, and nobody asked for it");
            // A teardown finds the TXT records by this name, and by their type and host.
            hold(values["txtOwnerId"] == release.cluster.body["name"], "marked as somebody else's");
            let prefix = values["txtPrefix"].as_str().unwrap_or_default();
            let alone = values["registry"] == "txt" && values["txtSuffix"].is_null();
            // The record for the zone's own name must be inside the zone, and distinguish the types of records.
            let inside = prefix.ends_with('.') && prefix.contains("%{record_type}");
            let wanted = format!("ownership {}NAME", prefix.replace("%{record_type}", "TYPE"));
            let names = platform.files.iter().filter(|(path, _)| {
                path.ends_with(&format!("/environments/{}/names.txt", release.environment))
            });
            let found = names.flat_map(|(_, text)| text.lines()).any(|line| line == wanted);
            hold(alone && inside && found, "marks that a teardown does not find");
            let zone = platform.setting(release.environment, &["dns", "zone"]).and_then(toml::Value::as_str);
            hold(values["domainFilters"] == json!([zone]), "other people's zones");
            hold(values["extraArgs"]["aws-zone-type"] == "public", "private zones as well");
            let region = values["env"].as_array().into_iter().flatten().find(|it| it["name"] == "AWS_REGION");
            hold(region.is_some_and(|it| it["value"] == *release.region()), "another region");
            hold(release.is_known_to_aws(&values["serviceAccount"]), "no role trusts its account");
        }
    }
}

/// Trap 93.
#[test]
fn external_dns_may_read_each_zone_that_its_filter_passes() {
    const RIGHTS: &str = "platform/iam.tf";
    const READ: &str =
        "Action = [\"route53:ListResourceRecordSets\"] Resource = [\"arn:aws:route53:::hostedzone/*\"]";
    prove(
        "Trap 93",
        &["filter"],
        check,
        &[
            (
                RIGHTS,
                READ,
                "Action = [\"route53:ListResourceRecordSets\"]\n        Resource = [local.zone_arn]",
            ),
            (RIGHTS, READ, "Action = [\"route53:GetHostedZone\"]\n        Resource = [\"*\"]"),
            (RIGHTS, "[\"route53:ListHostedZones\"]", "[\"route53:ListHostedZonesByName\"]"),
            (
                RIGHTS,
                "Action = [\"route53:ChangeResourceRecordSets\"] Resource = [local.zone_arn]",
                "Action = [\"route53:ChangeResourceRecordSets\"]\n        Resource = [\"arn:aws:route53:::hostedzone/*\"]",
            ),
            (
                "controllers/external-dns/release.yaml",
                "aws-zone-type: public",
                "aws-zone-type: public\n      aws-zone-tags: owner=us",
            ),
            (
                "controllers/external-dns/release.yaml",
                "domainFilters: - faceit.example.com",
                "domainFilters:\n      - other.example.com",
            ),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for release in Object::releases(platform, "external-dns") {
            let Some(zone) =
                platform.setting(release.environment, &["dns", "zone"]).and_then(toml::Value::as_str)
            else {
                continue;
            };
            verdict.see("filter");
            let mut hold = |holds, words: &str| verdict.hold(holds, format!("{}: {words}", release.path));
            let role = release.root.resources("aws_iam_role").find(|it| it.labels[1] == "external_dns");
            let statements = role.map(|role| grants(release.root, role)).unwrap_or_default();
            let resources = |action: &str| -> Vec<&str> {
                statements.iter().filter(|it| it.may(action)).flat_map(|it| it.resources()).collect()
            };
            // Terraform does not know the ids of other zones, so only a pattern can match them.
            let every = |action: &str| {
                resources(action).iter().any(|it| ["*", "arn:aws:route53:::hostedzone/*"].contains(it))
            };
            // external-dns compares them like this (v0.22.0, endpoint/domain_filter.go, `matchFilter`).
            let filters = words(&release.values()["domainFilters"]);
            let passes = |name: &str| {
                let ends =
                    |it: &str| name == it || name.ends_with(&format!(".{}", it.trim_start_matches('.')));
                filters.is_empty() || filters.iter().any(|it| ends(it))
            };
            hold(every("route53:ListHostedZones"), "it cannot look for zones");
            hold(passes(zone), "it does not see its own zone");
            let own = |it: &&str| it.contains("aws_route53_zone.");
            let writes = resources("route53:ChangeResourceRecordSets");
            hold(
                !writes.is_empty() && writes.iter().all(own),
                "it does not write into its own zone, or not only",
            );
            let (_, above) = zone.split_once('.').unwrap_or_default();
            for other in [&format!("staging.{zone}"), &format!("a.b.{zone}"), above, &format!("not{zone}")] {
                let reads = every("route53:ListResourceRecordSets");
                hold(reads || !passes(other), &format!("every round ends at the zone {other}"));
            }
            let tags = !release.values()["extraArgs"]["aws-zone-tags"].is_null();
            hold(!tags || every("route53:ListTagsForResources"), "it cannot read the tags of zones");
        }
    }
}

/// Traps 6, 68.
#[test]
fn k23_each_namespace_reads_its_own_secrets() {
    const FILE: &str = "controllers/external-secrets/release.yaml";
    const LAYERS: &str = "layers.yaml";
    prove(
        "K23",
        &["release", "store"],
        check,
        &[
            (FILE, "processClusterStore: false", "processClusterStore: true"),
            (FILE, "processClusterExternalSecret: false", ""),
            (FILE, "processPushSecret: false", "processPushSecret: true"),
            (FILE, "createClusterSecretStore: false", ""),
            (FILE, "serviceAccountTokenCreate: true", "serviceAccountTokenCreate: false"),
            ("configs/monitoring/store.yaml", "external-secrets.io/v1", "external-secrets.io/v1beta1"),
            ("configs/monitoring/store.yaml", "kind: SecretStore", "kind: ClusterSecretStore"),
            ("configs/monitoring/store.yaml", "auth: jwt: serviceAccountRef: name: …", ""),
            ("configs/monitoring/store.yaml", "name: external-secrets", "name: other"),
            (LAYERS, "path: ./clusters/production/controllers prune: true wait: true", "prune: true"),
            (LAYERS, "dependsOn: - name: controllers interval: 1h", "interval: 1h"),
            (LAYERS, "retryInterval: 1m", ""),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for release in Object::releases(platform, "external-secrets") {
            verdict.see("release");
            let values = release.values();
            let mut hold = |holds, words: &str| verdict.hold(holds, format!("{}: {words}", release.path));
            for feature in ["ClusterExternalSecret", "ClusterGenerator", "ClusterPushSecret", "PushSecret"] {
                hold(values[format!("process{feature}")] == false, "it reaches over namespaces");
                hold(values["crds"][format!("create{feature}")] == false, "it offers what nobody uses");
            }
            hold(values["processClusterStore"] == false, "one store for all");
            hold(values["crds"]["createClusterSecretStore"] == false, "one store for all");
            let speaks = values["rbac"]["serviceAccountTokenCreate"] == true;
            hold(speaks != is_bound(&release), "it speaks for others, or cannot");
        }
        for store in Object::all(platform) {
            if !store.body["kind"].as_str().unwrap_or_default().ends_with("SecretStore") {
                continue;
            }
            verdict.see("store");
            let mut hold = |holds, words: &str| verdict.hold(holds, format!("{}: {words}", store.path));
            hold(store.body["apiVersion"] == "external-secrets.io/v1", "an old version");
            hold(store.body["kind"] == "SecretStore", "every namespace reads it");
            let aws = &store.body["spec"]["provider"]["aws"];
            let account = aws["auth"]["jwt"]["serviceAccountRef"]["name"].as_str();
            let namespace = store.body["metadata"]["namespace"].as_str().unwrap_or_default();
            let subject = format!("system:serviceaccount:{namespace}:{}", account.unwrap_or_default());
            let mut roles = store.root.resources("aws_iam_role");
            let trusted = roles.any(|it| it.body["assume_role_policy"].to_string().contains(&subject));
            let fair = if is_bound(&store) {
                account.is_none() && aws["role"].is_string()
            } else {
                account.is_some() && trusted
            };
            hold(fair, "nobody lets it read");
            let installer = Object::releases(platform, "external-secrets").into_iter();
            let installer =
                installer.filter(|it| it.environment == store.environment).map(|it| it.layer()).next();
            let ready = installer.is_some_and(|it| waits(platform, &store, store.layer(), it));
            hold(ready, "its webhook may not serve yet");
        }
    }
    /// Whether pods authenticate by EKS Pod Identity.
    fn is_bound(object: &Object) -> bool {
        object.root.resources("aws_eks_pod_identity_association").next().is_some()
    }
    /// Whether a layer starts only after another is completely ready, and retries soon.
    fn waits(platform: &Platform, object: &Object, layer: &str, other: &str) -> bool {
        let of = |name| object.kustomization(platform, name).map_or(&Value::Null, |it| &it["spec"]);
        let soon = |it: &Value| it["retryInterval"].as_str().is_some_and(|it| it == "1m");
        let before = of(layer)["dependsOn"].as_array().cloned().unwrap_or_default();
        let mut names = before.iter().filter_map(|it| it["name"].as_str());
        soon(of(layer))
            && names.any(|it| {
                let ready =
                    if it == other { of(it)["wait"] == true } else { waits(platform, object, it, other) };
                ready && soon(of(it))
            })
    }
}

#[test]
fn k25_each_part_says_what_it_needs_and_takes_no_more() {
    prove(
        "K25",
        &["release", "deployment"],
        check,
        &[
            ("controllers/external-dns/release.yaml", "requests: cpu: 20m", "requests:"),
            ("controllers/external-dns/release.yaml", "limits: memory: …", ""),
            ("controllers/external-dns/release.yaml", "drop: - ALL", "drop: []"),
            ("controllers/external-dns/release.yaml", "seccompProfile: type: RuntimeDefault", ""),
            ("controllers/cluster-autoscaler/release.yaml", "allowPrivilegeEscalation: false", ""),
            ("controllers/cluster-autoscaler/release.yaml", "runAsNonRoot: true", ""),
            ("controllers/cluster-autoscaler/release.yaml", "replicaCount: 2", "replicaCount: 1"),
            ("controllers/cluster-autoscaler/release.yaml", "priorityClassName: …", ""),
            ("controllers/load-balancer-controller/release.yaml", "drop: - ALL", ""),
            (
                "controllers/load-balancer-controller/release.yaml",
                "topologyKey: kubernetes.io/hostname",
                "topologyKey: host",
            ),
            ("controllers/metrics-server/release.yaml", "maxUnavailable: 1", "maxUnavailable: 2"),
            (
                "controllers/external-secrets/release.yaml",
                "webhook: replicaCount: 2",
                "webhook:\n      replicaCount: 1",
            ),
            (
                "controllers/external-secrets/release.yaml",
                "certController: priorityClassName: …",
                "certController:",
            ),
            ("overprovisioning/deployment.yaml", "runAsNonRoot: true", ""),
            ("overprovisioning/deployment.yaml", "drop: - ALL", ""),
            ("overprovisioning/deployment.yaml", "limits: memory: …", ""),
        ],
    );
    /// The security contexts of its chart meet the restricted standard (external-secrets 2.9.0, values.yaml).
    const RESTRICTED: &str = "external-secrets";
    /// Only definitions, no pod.
    const DEFINITIONS: &str = "prometheus-operator-crds";
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for release in Object::kind(platform, "HelmRelease") {
            let chart = &release.body["spec"]["chart"]["spec"]["chart"];
            if release.layer() != "controllers" || !chart.is_string() || chart == DEFINITIONS {
                continue;
            }
            verdict.see("release");
            let values = release.values();
            let parts = [Some(values), values.get("webhook"), values.get("certController")];
            for values in parts.into_iter().flatten() {
                let mut hold = |holds, words: &str| verdict.hold(holds, format!("{}: {words}", release.path));
                hold(sized(&values["resources"]), "no requests, or no limit");
                hold(values["priorityClassName"] == "system-cluster-critical", "no priority");
                let count = values["replicas"].as_u64().or(values["replicaCount"].as_u64());
                let alone = values["deploymentStrategy"]["type"] == "Recreate"
                    || *values == release.values()["certController"];
                hold(alone || count >= Some(2), "one alone");
                let budget = &values["podDisruptionBudget"];
                let budget = budget["maxUnavailable"] == 1 || budget["minAvailable"] == 1;
                hold(alone || budget, "no budget");
                let spread = values["topologySpreadConstraints"].as_array().cloned().unwrap_or_default();
                for key in ["topology.kubernetes.io/zone", "kubernetes.io/hostname"] {
                    let soft = |it: &&Value| it["whenUnsatisfiable"] == "ScheduleAnyway";
                    let found = spread.iter().filter(soft).any(|it| it["topologyKey"] == key);
                    hold(alone || found, "all in one place");
                }
            }
            // Charts have different names for the two contexts.
            let pod = values.get("podSecurityContext").unwrap_or(&values["securityContext"]);
            let container = values.get("containerSecurityContext").unwrap_or(&values["securityContext"]);
            let fair = *chart == RESTRICTED || restricted(pod, container);
            verdict.hold(fair, format!("{}: its pods are not restricted", release.path));
        }
        for deployment in Object::kind(platform, "Deployment") {
            verdict.see("deployment");
            let spec = &deployment.body["spec"]["template"]["spec"];
            for container in spec["containers"].as_array().unwrap() {
                let mut hold =
                    |holds, words: &str| verdict.hold(holds, format!("{}: {words}", deployment.path));
                hold(sized(&container["resources"]), "no requests, or no limit");
                hold(restricted(&spec["securityContext"], &container["securityContext"]), "not restricted");
            }
        }
    }
    fn sized(resources: &Value) -> bool {
        let (requests, limits) = (&resources["requests"], &resources["limits"]);
        [&requests["cpu"], &requests["memory"], &limits["memory"]].iter().all(|it| it.is_string())
    }
    fn restricted(pod: &Value, container: &Value) -> bool {
        let dropped = words(&container["capabilities"]["drop"]) == ["ALL"];
        container["allowPrivilegeEscalation"] == false
            && container["readOnlyRootFilesystem"] == true
            && dropped
            && pod["runAsNonRoot"] == true
            && pod["seccompProfile"]["type"] == "RuntimeDefault"
    }
}

#[test]
fn k26_namespaces_admit_only_restricted_pods() {
    prove(
        "K26",
        &["platform", "tenant"],
        check,
        &[
            ("namespaces/external-dns.yaml", "enforce: restricted", "enforce: baseline"),
            ("namespaces/external-dns.yaml", "pod-security.kubernetes.io/audit: …", ""),
            ("namespaces/external-dns.yaml", "enforce-version: latest", "enforce-version: v1.30"),
            ("tenants/test-app/namespace.yaml", "enforce: restricted", "enforce: privileged"),
            ("tenants/test-app/namespace.yaml", "pod-security.kubernetes.io/warn-version: …", ""),
            (
                "tenants/test-app/namespace.yaml",
                "pod-readiness-gate-inject: enabled",
                "pod-readiness-gate-inject: disabled",
            ),
            // No load balancer targets these pods.
            (
                "tenants/shop/namespace.yaml",
                "labels:",
                "labels:\n    elbv2.k8s.aws/pod-readiness-gate-inject: enabled",
            ),
        ],
    );
    /// That of the cluster: an upgrade changes no namespace.
    const VERSION: &str = "latest";
    /// Its pods read data of their node.
    const PRIVILEGED: &str = "node-exporter";
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for namespace in Object::kind(platform, "Namespace") {
            let tenant = namespace.layer() == "tenants";
            verdict.see(if tenant { "tenant" } else { "platform" });
            let labels = &namespace.body["metadata"]["labels"];
            let wanted = if namespace.name() == PRIVILEGED && !tenant { "privileged" } else { "restricted" };
            let said = ["enforce", "audit", "warn"].iter().all(|mode| {
                let label = format!("pod-security.kubernetes.io/{mode}");
                labels[&label] == wanted && labels[format!("{label}-version")] == VERSION
            });
            // While the controller is unavailable, no pod starts in a namespace with this label.
            let gate = labels["elbv2.k8s.aws/pod-readiness-gate-inject"] == "enabled";
            let host = platform.setting(namespace.environment, &["applications", namespace.name(), "host"]);
            let gated = tenant && host.is_some();
            verdict.hold(said && gate == gated, format!("{}: {labels}", namespace.path));
        }
    }
}

/// Traps 28, 30, 56.
#[test]
fn releases_say_how_they_are_applied_and_stay_in_their_namespace() {
    const FILE: &str = "controllers/external-dns/release.yaml";
    prove(
        "Trap 56",
        &["release"],
        check,
        &[
            (FILE, "crds: CreateReplace", ""),
            (FILE, "crds: CreateReplace serverSideApply: enabled", "serverSideApply: enabled"),
            (FILE, "serverSideApply: true", ""),
            (FILE, "serverSideApply: enabled", ""),
            (FILE, "kind: HelmRepository name: external-dns", "kind: HelmRepository\n        name: other"),
            (
                FILE,
                "kind: HelmRepository name: external-dns",
                "kind: HelmRepository\n        name: external-dns\n        namespace: flux-system",
            ),
            ("controllers/external-dns/source.yaml", "namespace: external-dns", "namespace: flux-system"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for release in Object::kind(platform, "HelmRelease") {
            let spec = &release.body["spec"];
            if spec["chart"].is_null() {
                continue;
            }
            verdict.see("release");
            let mut hold = |holds, words: &str| verdict.hold(holds, format!("{}: {words}", release.path));
            for step in ["install", "upgrade"] {
                hold(spec[step]["crds"] == "CreateReplace", "Helm leaves definitions as they are");
            }
            hold(spec["install"]["serverSideApply"] == true, "a new Flux may apply it in another way");
            for step in ["upgrade", "rollback"] {
                hold(spec[step]["serverSideApply"] == "enabled", "a new Flux may apply it in another way");
            }
            let wanted = &spec["chart"]["spec"]["sourceRef"];
            let sources = Object::kind(platform, wanted["kind"].as_str().unwrap_or_default()).into_iter();
            let mut sources = sources.filter(|it| it.environment == release.environment);
            let found = sources.any(|it| {
                it.body["metadata"]["name"] == wanted["name"]
                    && it.body["metadata"]["namespace"] == release.body["metadata"]["namespace"]
            });
            hold(found && wanted["namespace"].is_null(), "its source is in another namespace");
        }
    }
}
