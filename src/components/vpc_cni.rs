//! Addresses in the VPC for pods, and network policies.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Component, addon_version};
use crate::{
    contribution::{Addon, Condition, Contribution, Identity, Need, Statement},
    diagnostics::Report,
    foundation::Environment,
    source::Located,
    words::{AddonVersion, Hcl, patterns::Spelled},
};

/// Addresses in the VPC for pods, and network policies.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct VpcCni {
    /// The version of the add-on. Default: the version that EKS itself chooses for the Kubernetes version, from the catalogue.
    #[schemars(with = "Option<Spelled<AddonVersion>>")]
    version: Option<Located<String>>,
}

impl Component for VpcCni {
    fn answers(&self) -> Need {
        Need::PodNetwork
    }

    fn contribute(&self, environment: &Environment, report: &mut Report) -> Contribution {
        Contribution {
            about: "assigns VPC addresses to pods and enforces network policies",
            addon: Some(Addon {
                name: "vpc-cni",
                version: addon_version("vpc-cni", self.version.as_ref(), environment, report),
                before_nodes: true,
                configuration: Some(Hcl::code("{ enableNetworkPolicy = \"true\" }")),
            }),
            identity: Some(Identity {
                role: "vpc-cni",
                namespace: "kube-system",
                service_account: "aws-node",
                statements: statements(),
            }),
            ..Contribution::new("vpc-cni")
        }
    }
}

/// The managed policy AmazonEKS_CNI_Policy, limited to this network and this cluster's nodes.
fn statements() -> Vec<Statement> {
    vec![
        Statement {
            sid: "Read",
            actions: &[
                "ec2:DescribeInstanceTypes",
                "ec2:DescribeInstances",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
                "ec2:DescribeTags",
            ],
            resources: vec![Hcl::string("*")],
            conditions: vec![],
        },
        Statement {
            sid: "NetworkInterfaces",
            actions: &[
                "ec2:AssignPrivateIpAddresses",
                "ec2:AttachNetworkInterface",
                "ec2:CreateNetworkInterface",
                "ec2:CreateTags",
                "ec2:DeleteNetworkInterface",
                "ec2:DetachNetworkInterface",
                "ec2:ModifyNetworkInterfaceAttribute",
                "ec2:UnassignPrivateIpAddresses",
            ],
            resources: vec![Hcl::string("arn:aws:ec2:${local.region}:${local.account}:network-interface/*")],
            conditions: vec![],
        },
        Statement {
            sid: "InThisNetwork",
            actions: &["ec2:CreateNetworkInterface", "ec2:ModifyNetworkInterfaceAttribute"],
            resources: vec![
                Hcl::string("arn:aws:ec2:${local.region}:${local.account}:security-group/*"),
                Hcl::string("arn:aws:ec2:${local.region}:${local.account}:subnet/*"),
            ],
            conditions: vec![Condition {
                test: "ArnEquals",
                key: Hcl::string("ec2:Vpc"),
                value: Hcl::code("aws_vpc.main.arn"),
            }],
        },
        Statement {
            sid: "OnNodes",
            actions: &[
                "ec2:AttachNetworkInterface",
                "ec2:DetachNetworkInterface",
                "ec2:ModifyNetworkInterfaceAttribute",
            ],
            resources: vec![Hcl::string("arn:aws:ec2:${local.region}:${local.account}:instance/*")],
            conditions: vec![Condition {
                test: "StringEquals",
                key: Hcl::string("aws:ResourceTag/kubernetes.io/cluster/${local.name}"),
                value: Hcl::string("owned"),
            }],
        },
    ]
}
