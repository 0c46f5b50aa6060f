//! Monitoring: Prometheus, Alertmanager and Grafana from one chart, and their custom resource definitions from another. The
//! alert rules belong to the components that they are about.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Component;
use crate::{
    contribution::{
        Contribution, HelmRelease, Namespace, Need, Needed, PodSecurity, Secret, Writer, numbers,
    },
    diagnostics::{Finding, Report},
    entrance::{self, Settings},
    foundation::Environment,
    layer::Layer,
    pages,
    source::{Located, value_or},
    words::{Bareword, Domain, Text, Word},
};

/// Monitoring: Prometheus, Alertmanager and Grafana.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Monitoring {
    /// Whether the component is enabled. Default: it is if something needs it.
    enabled: Option<Located<bool>>,
    /// The number of replicas of Prometheus, and of Alertmanager.
    #[schemars(range(min = 1, max = 2), extend("default" = REPLICAS))]
    replicas: Option<Located<u32>>,
    /// How many days each Prometheus keeps its data.
    #[schemars(range(min = 1, max = 365), extend("default" = RETENTION_DAYS))]
    retention_days: Option<Located<u32>>,
    /// How much of its volume the data may take, in GiB. The oldest data is deleted first. Default: four fifths of `storage`.
    #[schemars(range(min = 1, max = 16384))]
    retention_size: Option<Located<u32>>,
    /// The volume size of each Prometheus, in GiB.
    #[schemars(range(min = 5, max = 16384), extend("default" = STORAGE))]
    storage: Option<Located<u32>>,
    /// Where Alertmanager sends alerts. Default: none, alerts stay inside the cluster.
    alerts: Option<Located<Alerts>>,
    /// The e-mail settings for `alerts = "email"`.
    email: Option<Located<Email>>,
    /// Whether Alertmanager calls an external URL every minute. The service behind it alerts a person when the calls stop.
    #[schemars(extend("default" = HEARTBEAT_ON))]
    heartbeat: Option<Located<bool>>,
    /// How Grafana is reached, and what it keeps.
    grafana: Option<Located<Grafana>>,
    /// The number of the password of Grafana's administrator. Raise it by one, and the next apply generates a new password.
    #[schemars(range(min = 1), extend("default" = GRAFANA_PASSWORD_VERSION))]
    grafana_password_version: Option<Located<u32>>,
    /// Values for its Helm release, merged over those of the platform.
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>", extend("default" = {}))]
    values: Option<toml::Table>,
}

const REPLICAS: u32 = 2;
const RETENTION_DAYS: u32 = 15;
const STORAGE: u32 = 30;
const HEARTBEAT_ON: bool = false;
const GRAFANA_PASSWORD_VERSION: u32 = 1;
const PERSISTENT: bool = false;
const PUBLIC: bool = false;

/// Where Alertmanager sends alerts.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Alerts {
    /// To a Slack channel, by webhook.
    Slack,
    /// By e-mail, with the settings in `email`.
    Email,
    /// To a PagerDuty service.
    Pagerduty,
    /// To any other URL, as JSON.
    Webhook,
}

/// The e-mail settings. The password of the user is a secret that a person puts into Parameter Store.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Email {
    /// The recipients.
    #[schemars(required, length(min = 1, max = 20), extend("examples" = [["team@example.com"]]))]
    to: Option<Vec<Located<String>>>,
    /// The sender.
    #[schemars(required, extend("examples" = ["alerts@example.com"]))]
    from: Option<Located<String>>,
    /// The SMTP server with its port, such as `smtp.example.com:587`. It must support TLS.
    #[schemars(required, extend("examples" = ["smtp.example.com:587"]))]
    server: Option<Located<String>>,
    /// The user name for the server. Default: the address in `from`.
    user: Option<Located<String>>,
}

/// How Grafana is reached, and what it keeps.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(extend("x-retired" = {
    "access": "write `public = true` for `access = \"public\"`, and remove it for `internal`",
    "allow": "write `allowed-ranges` instead, as an application has it",
}))]
struct Grafana {
    /// The host name of Grafana: a label below the zone such as `grafana`, or a full name in the zone. Default: none, Grafana is
    /// reached by `kubectl port-forward`.
    host: Option<Located<String>>,
    /// Whether `host` is reachable from the internet. Otherwise it is reachable from inside the network only.
    #[schemars(extend("default" = PUBLIC))]
    public: Option<Located<bool>>,
    /// The address ranges that may connect to `host`. Default: all addresses if it is `public`, else the network and its peers.
    #[schemars(length(min = 1, max = 40))]
    allowed_ranges: Option<Vec<Located<String>>>,
    /// Whether changes that people make in Grafana survive a restart of its pod. Dashboards from Git are always loaded again.
    #[schemars(extend("default" = PERSISTENT))]
    persistent: Option<Located<bool>>,
}

/// The resolved settings.
struct Stack {
    replicas: u32,
    days: u32,
    storage: u32,
    /// The maximum size of the data in it, in GiB.
    size: u32,
    receiver: Option<Receiver>,
    heartbeat: bool,
    /// The number of the password of Grafana's administrator.
    password_number: u32,
    persistent: bool,
    entrance: Option<Entrance>,
}

/// Where alerts go.
struct Receiver {
    alerts: Alerts,
    /// The key in its Secret, which is also the name of the file that Alertmanager reads.
    file: &'static str,
    /// Its key in Parameter Store, which a person writes.
    key: &'static str,
    about: &'static str,
    mail: Option<Mail>,
}

struct Mail {
    to: Text,
    from: Text,
    server: Text,
    user: Text,
}

/// A load balancer for Grafana.
struct Entrance {
    host: Domain,
    public: bool,
    ranges: Text,
}

const HEARTBEAT: &str = "alertmanager/heartbeat-url";

impl Component for Monitoring {
    fn enabled(&self) -> Option<&Located<bool>> {
        self.enabled.as_ref()
    }

    fn answers(&self) -> Need {
        Need::Monitoring
    }

    fn layers(&self) -> &'static [&'static Layer] {
        &[Layer::MONITORING]
    }

    fn contribute(&self, environment: &Environment, report: &mut Report) -> Contribution {
        let version = value_or(&self.grafana_password_version, GRAFANA_PASSWORD_VERSION);
        let stack = &self.stack(version, environment, report);
        let definitions = &HelmRelease {
            layer: Layer::CONTROLLERS,
            values: toml::Table::new(),
            ..chart("prometheus-operator-crds", environment)
        };
        let release = &HelmRelease {
            values: self.values.clone().unwrap_or_default(),
            ..chart("kube-prometheus-stack", environment)
        };
        let mut pages = pages! { { environment: Environment, stack: Stack }
            Unlisted "infrastructure/environments/{environment}/platform/monitoring.tf",
            Resource "kubernetes-manifest/clusters/{environment}/configs/monitoring/deployer.yaml",
            Resource "kubernetes-manifest/clusters/{environment}/configs/monitoring/monitors-policy.yaml",
            Resource "kubernetes-manifest/clusters/{environment}/monitoring/kube-prometheus-stack/grafana-account.yaml",
            Resource "kubernetes-manifest/clusters/{environment}/monitoring/kube-prometheus-stack/grafana-login.yaml",
            Resource "kubernetes-manifest/clusters/{environment}/monitoring/kube-prometheus-stack/network-policies.yaml",
        };
        pages.extend(pages! { { release: HelmRelease, environment: Environment, stack: Stack }
            Resource "kubernetes-manifest/clusters/{environment}/monitoring/kube-prometheus-stack/release.yaml",
        });
        let release_of_definitions = |release: &HelmRelease| {
            pages! { { release: HelmRelease, environment: Environment }
                Resource "kubernetes-manifest/clusters/{environment}/controllers/prometheus-operator-crds/release.yaml",
            }
        };
        pages.extend(release_of_definitions(definitions));
        if let Some(receiver) = &stack.receiver {
            pages.extend(pages! { { receiver: Receiver, environment: Environment }
                Resource "kubernetes-manifest/clusters/{environment}/monitoring/kube-prometheus-stack/receiver.yaml",
            });
        }
        if stack.heartbeat {
            pages.extend(pages! { { environment: Environment }
                Resource "kubernetes-manifest/clusters/{environment}/monitoring/kube-prometheus-stack/heartbeat.yaml",
            });
        }
        if let Some(entrance) = &stack.entrance {
            pages.extend(pages! { { entrance: Entrance, environment: Environment }
                Resource "kubernetes-manifest/clusters/{environment}/monitoring/kube-prometheus-stack/ingress.yaml",
            });
        }
        let balancer = |entrance: &Entrance| Needed {
            need: Need::LoadBalancers,
            by: format!("Grafana, which has the host `{}`", entrance.host),
        };
        // Metrics that only CloudWatch has.
        let cloud = (environment.database.is_some() || environment.dns.is_some())
            .then(|| Needed { need: Need::CloudMetrics, by: "component `monitoring`".to_owned() });
        Contribution {
            about: "metrics, dashboards and alerts: Prometheus, Grafana, Alertmanager",
            needs: stack.entrance.iter().map(balancer).chain(cloud).collect(),
            secrets: stack.secrets(),
            is_monitoring: true,
            definitions: Some("prometheus-operator"),
            hosts: stack.entrance.iter().map(|it| it.host.clone()).collect(),
            // The first one is that of Prometheus, which `monitoring_namespace` returns.
            namespaces: vec![
                Namespace { name: "monitoring", pods: PodSecurity::Restricted, installs: true },
                Namespace { name: "node-exporter", pods: PodSecurity::Privileged, installs: false },
            ],
            releases: vec![definitions.clone(), release.clone()],
            pages,
            monitoring: pages! { { environment: Environment }
                Resource "kubernetes-manifest/clusters/{environment}/monitoring/dashboards/applications.yaml",
                Resource "kubernetes-manifest/clusters/{environment}/monitoring/dashboards/cluster.yaml",
                Resource "kubernetes-manifest/clusters/{environment}/monitoring/rules/nodes.yaml",
                Resource "kubernetes-manifest/clusters/{environment}/monitoring/rules/volumes.yaml",
                Resource "kubernetes-manifest/clusters/{environment}/monitoring/rules/workloads.yaml",
            },
            ..Contribution::new("monitoring")
        }
    }
}

fn chart(name: &'static str, environment: &Environment) -> HelmRelease {
    HelmRelease {
        name,
        source: "prometheus-community",
        layer: Layer::MONITORING,
        namespace: "monitoring",
        pods: PodSecurity::Restricted,
        url: Text::ours("https://prometheus-community.github.io/helm-charts"),
        chart: name,
        version: environment.catalogue.chart(name).to_owned(),
        values: toml::Table::new(),
    }
}

impl Monitoring {
    fn stack(&self, version: u32, environment: &Environment, report: &mut Report) -> Stack {
        let storage = value_or(&self.storage, STORAGE);
        let size = value_or(&self.retention_size, storage * 4 / 5);
        let known = !report.already_reported(&["components", "monitoring", "storage"]);
        if let Some(asked) = self.retention_size.as_ref().filter(|_| size * 10 > storage * 9 && known) {
            report.add(
                Finding::new(
                    "monitoring/retention",
                    format!("`retention-size` of {size} GiB is too large for a volume of {storage} GiB"),
                )
                .at(asked.span(), "Prometheus stops when its volume is full")
                .help(format!(
                    "write {} or less, so that a tenth of the volume stays free, or raise `storage`",
                    storage * 9 / 10
                )),
            );
        }
        let grafana = self.grafana.as_deref().cloned().unwrap_or_default();
        Stack {
            replicas: value_or(&self.replicas, REPLICAS),
            days: value_or(&self.retention_days, RETENTION_DAYS),
            storage,
            size,
            receiver: self.receiver(report),
            heartbeat: value_or(&self.heartbeat, HEARTBEAT_ON),
            password_number: version,
            persistent: value_or(&grafana.persistent, PERSISTENT),
            entrance: grafana.entrance(environment, report),
        }
    }

    fn receiver(&self, report: &mut Report) -> Option<Receiver> {
        let alerts = self.alerts.as_ref().map(|it| **it);
        let known = !report.already_reported(&["components", "monitoring", "alerts"]);
        if let Some(asked) = self.email.as_ref().filter(|_| alerts != Some(Alerts::Email) && known) {
            report.add(
                Finding::warning("monitoring/email", "`email` has no effect")
                    .at(asked.span(), "alerts are not sent by e-mail")
                    .help("remove it, or write `alerts = \"email\"`"),
            );
        }
        let (file, key, about) = match alerts? {
            Alerts::Slack => ("url", "alertmanager/slack-url", "the URL of the Slack webhook for alerts"),
            Alerts::Email => {
                ("password", "alertmanager/email-password", "the SMTP password for alerts by email")
            }
            Alerts::Pagerduty => (
                "key",
                "alertmanager/pagerduty-key",
                "the Events API v2 integration key of the PagerDuty service for alerts",
            ),
            Alerts::Webhook => ("url", "alertmanager/webhook-url", "the URL of the webhook for alerts"),
        };
        let mail = (alerts == Some(Alerts::Email)).then(|| self.mail(report));
        Some(Receiver { alerts: alerts?, file, key, about, mail })
    }

    fn mail(&self, report: &mut Report) -> Mail {
        if let (None, Some(asked)) = (&self.email, &self.alerts)
            && !report.already_reported(&["components", "monitoring", "email"])
        {
            report.add(
                Finding::new("monitoring/email", "`email` is missing")
                    .at(asked.span(), "needs recipients, a sender and a server")
                    .help("add `email = { to = [\"team@example.com\"], from = \"alerts@example.com\", server = \"smtp.example.com:587\" }`"),
            );
        }
        let email = self.email.as_deref().cloned().unwrap_or_default();
        let Mailbox(from) = report.value(email.from.as_ref());
        let to: Vec<String> = email
            .to
            .iter()
            .flatten()
            .filter_map(|asked| report.try_read(asked))
            .map(|Mailbox(it)| it)
            .collect();
        let Server(server) = report.value(email.server.as_ref());
        let user = email.user.as_ref().map(|asked| report.value(Some(asked)));
        Mail {
            to: Text::ours(to.join(", ")),
            user: user.unwrap_or_else(|| Text::ours(from.clone())),
            from: Text::ours(from),
            server: Text::ours(server),
        }
    }
}

impl Grafana {
    fn entrance(&self, environment: &Environment, report: &mut Report) -> Option<Entrance> {
        let settings = Settings {
            host: self.host.as_ref(),
            already_reported: report.already_reported(&["components", "monitoring", "grafana", "host"]),
            public: self.public.as_ref(),
            allowed_ranges: self.allowed_ranges.as_deref(),
            others: Vec::new(),
        };
        let open = self.host.is_some() && self.allowed_ranges.is_none();
        if let Some(public) = self.public.as_ref().filter(|public| ***public && open)
            && !report.already_reported(&["components", "monitoring", "grafana", "allowed-ranges"])
        {
            report.add(
                Finding::warning("monitoring/public", "Grafana's login page is open to the whole internet")
                    .at(public.span(), "only its password protects it")
                    .help(
                        "add `allowed-ranges = [\"198.51.100.0/24\"]` with the address ranges of its users",
                    ),
            );
        }
        let entrance::Entrance { host, public, ranges } =
            entrance::resolve(&settings, PUBLIC, environment, report)?;
        let ranges: Vec<String> = ranges.iter().map(ToString::to_string).collect();
        Some(Entrance { host, public, ranges: Text::ours(ranges.join(",")) })
    }
}

impl Stack {
    /// The name of the Secret that Grafana's administrator logs in with. A new password has a new name, so that the pod restarts.
    fn login(&self) -> Bareword {
        Bareword::of("grafana-login").and('-', self.password_number)
    }

    /// The numbers of the passwords in Parameter Store.
    fn passwords(&self) -> Vec<Text> {
        numbers(self.password_number).iter().map(|it| Text::ours(it.to_string())).collect()
    }

    /// The path of a password below platform, environment and namespace.
    fn password(number: u32) -> String {
        format!("grafana/{number}/admin-password")
    }

    fn password_now(&self) -> String {
        Self::password(self.password_number)
    }

    fn secrets(&self) -> Vec<Secret> {
        let secret = |key: &str, writer, about| Secret {
            namespace: Bareword::of("monitoring"),
            key: key.to_owned(),
            writer,
            about,
        };
        let password = |number| {
            let about = "the password of the Grafana administrator";
            secret(&Self::password(number), Writer::Terraform, about)
        };
        let receiver = self.receiver.iter().map(|it| secret(it.key, Writer::Person, it.about));
        let heartbeat = self.heartbeat.then(|| {
            secret(
                HEARTBEAT,
                Writer::Person,
                "the URL that receives the heartbeat of the alerting every minute",
            )
        });
        numbers(self.password_number).into_iter().map(password).chain(receiver).chain(heartbeat).collect()
    }

    /// The link in a notification. Alertmanager's own address is reachable only inside the cluster.
    fn link(&self) -> Text {
        Text::ours(self.entrance.as_ref().map(|it| format!("https://{}/", it.host)).unwrap_or_default())
    }

    /// The receiver of alerts, or the one that discards them.
    fn receiver_name(&self) -> &'static str {
        self.receiver.as_ref().map_or("nobody", Receiver::name)
    }
}

impl Receiver {
    fn name(&self) -> &'static str {
        match self.alerts {
            Alerts::Slack => "slack",
            Alerts::Email => "email",
            Alerts::Pagerduty => "pagerduty",
            Alerts::Webhook => "webhook",
        }
    }
}

/// An e-mail address.
struct Mailbox(String);

impl Word for Mailbox {
    const CODE: &'static str = "monitoring/address";
    const WHAT: &'static str = "a valid e-mail address";
    const RULE: &'static str =
        "letters, digits and `.-_+` before `@`, and a domain after it, such as `team@example.com`";

    fn read(word: &str) -> Option<Self> {
        let (name, domain) = word.split_once('@')?;
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_+".contains(&b));
        let valid = plain && (1..=64).contains(&name.len()) && Domain::read(domain).is_some();
        valid.then(|| Self(word.to_owned()))
    }
}

/// The placeholder for an invalid address, which was reported.
impl Default for Mailbox {
    fn default() -> Self {
        Self("nobody@placeholder--.invalid".to_owned())
    }
}

/// A mail server with its port.
struct Server(String);

impl Word for Server {
    const CODE: &'static str = "monitoring/server";
    const WHAT: &'static str = "a valid server with its port";
    const RULE: &'static str = "such as `smtp.example.com:587`";

    fn read(word: &str) -> Option<Self> {
        let (host, port) = word.split_once(':')?;
        let valid = Domain::read(host).is_some()
            && port.parse::<u16>().is_ok_and(|it| it > 0 && it.to_string() == port);
        valid.then(|| Self(word.to_owned()))
    }
}

/// The placeholder for an invalid server, which was reported.
impl Default for Server {
    fn default() -> Self {
        Self("placeholder--.invalid:587".to_owned())
    }
}
