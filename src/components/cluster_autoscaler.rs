//! Adds and removes nodes, between `min` and `max` of each node group.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Component;
use crate::{
    contribution::{Condition, Contribution, HelmRelease, Identity, Need, PodSecurity, Statement},
    diagnostics::Report,
    foundation::Environment,
    layer::Layer,
    pages,
    source::Located,
    words::{Hcl, Text},
};

/// Adds and removes nodes, between `min` and `max` of each node group.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClusterAutoscaler {
    /// Whether the component is enabled. Default: it is if something needs it.
    enabled: Option<Located<bool>>,
    /// Values for its Helm release, merged over those of the platform.
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>", extend("default" = {}))]
    values: Option<toml::Table>,
}

impl Component for ClusterAutoscaler {
    fn enabled(&self) -> Option<&Located<bool>> {
        self.enabled.as_ref()
    }

    fn answers(&self) -> Need {
        Need::NodeScaling
    }

    fn contribute(&self, environment: &Environment, _: &mut Report) -> Contribution {
        let release = &HelmRelease {
            name: "cluster-autoscaler",
            source: "cluster-autoscaler",
            layer: Layer::CONTROLLERS,
            namespace: "cluster-autoscaler",
            pods: PodSecurity::Restricted,
            url: Text::ours("https://kubernetes.github.io/autoscaler"),
            chart: "cluster-autoscaler",
            version: environment.catalogue.chart("cluster-autoscaler").to_owned(),
            values: self.values.clone().unwrap_or_default(),
        };
        Contribution {
            about: "adds nodes for pending pods and removes underutilized nodes",
            identity: Some(Identity {
                role: "cluster-autoscaler",
                namespace: "cluster-autoscaler",
                service_account: "cluster-autoscaler",
                statements: statements(),
            }),
            pages: pages! { { release: HelmRelease, environment: Environment }
                Resource "kubernetes-manifest/clusters/{environment}/controllers/cluster-autoscaler/release.yaml",
            },
            releases: vec![release.clone()],
            monitoring: pages! { { environment: Environment }
                Resource "kubernetes-manifest/clusters/{environment}/monitoring/monitors/cluster-autoscaler.yaml",
                Resource "kubernetes-manifest/clusters/{environment}/monitoring/rules/cluster-autoscaler.yaml",
            },
            ..Contribution::new("cluster-autoscaler")
        }
    }
}

/// Its full policy (kubernetes/autoscaler@55c37cd5 cluster-autoscaler/cloudprovider/aws/README.md), whose second half is limited
/// here to resources with its tags.
fn statements() -> Vec<Statement> {
    let tagged =
        |key, value| Condition { test: "StringEquals", key: Hcl::string(key), value: Hcl::string(value) };
    vec![
        Statement {
            sid: "Read",
            actions: &[
                "autoscaling:DescribeAutoScalingGroups",
                "autoscaling:DescribeAutoScalingInstances",
                "autoscaling:DescribeLaunchConfigurations",
                "autoscaling:DescribeScalingActivities",
                "ec2:DescribeImages",
                "ec2:DescribeInstanceTypes",
                "ec2:DescribeLaunchTemplateVersions",
                "ec2:GetInstanceTypesFromInstanceRequirements",
            ],
            resources: vec![Hcl::string("*")],
            conditions: vec![],
        },
        Statement {
            sid: "ReadNodeGroups",
            actions: &["eks:DescribeNodegroup"],
            resources: vec![Hcl::string(
                "arn:aws:eks:${local.region}:${local.account}:nodegroup/${local.name}/*/*",
            )],
            conditions: vec![],
        },
        Statement {
            sid: "Scale",
            actions: &["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"],
            resources: vec![Hcl::string(
                "arn:aws:autoscaling:${local.region}:${local.account}:autoScalingGroup:*:autoScalingGroupName/eks-*",
            )],
            conditions: vec![
                tagged("aws:ResourceTag/k8s.io/cluster-autoscaler/enabled", "true"),
                tagged("aws:ResourceTag/k8s.io/cluster-autoscaler/${local.name}", "owned"),
            ],
        },
    ]
}
