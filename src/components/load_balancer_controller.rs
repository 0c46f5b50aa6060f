//! Load balancers for Ingresses.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Component;
use crate::{
    cluster::load_balancing_role,
    contribution::{Condition, Contribution, HelmRelease, Identity, Need, PodSecurity, Statement},
    diagnostics::Report,
    foundation::Environment,
    layer::Layer,
    pages,
    rights::{self, Names, Policy, Rights},
    source::{Located, value_or},
    words::{Hcl, StackWord, Text},
};

/// Load balancers for Ingresses.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LoadBalancerController {
    /// Whether the component is enabled. Default: it is if something needs it.
    enabled: Option<Located<bool>>,
    /// Whether load balancers write access logs into a bucket, which keeps them for 90 days.
    #[schemars(extend("default" = ACCESS_LOGS))]
    access_logs: Option<Located<bool>>,
    /// Values for its Helm release, merged over those of the platform.
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>", extend("default" = {}))]
    values: Option<toml::Table>,
}

const ACCESS_LOGS: bool = true;

impl Component for LoadBalancerController {
    fn enabled(&self) -> Option<&Located<bool>> {
        self.enabled.as_ref()
    }

    fn answers(&self) -> Need {
        Need::LoadBalancers
    }

    fn contribute(&self, environment: &Environment, _: &mut Report) -> Contribution {
        let logs = &value_or(&self.access_logs, ACCESS_LOGS);
        let release = &HelmRelease {
            name: "load-balancer-controller",
            source: "load-balancer-controller",
            layer: Layer::CONTROLLERS,
            namespace: "load-balancer-controller",
            pods: PodSecurity::Restricted,
            url: Text::ours("https://aws.github.io/eks-charts"),
            chart: "aws-load-balancer-controller",
            version: environment.catalogue.chart("aws-load-balancer-controller").to_owned(),
            values: self.values.clone().unwrap_or_default(),
        };
        let mut pages = pages! { { release: HelmRelease, environment: Environment, logs: bool }
            Resource "kubernetes-manifest/clusters/{environment}/controllers/load-balancer-controller/release.yaml",
        };
        if *logs {
            pages.extend(pages! { { environment: Environment }
                Unlisted "infrastructure/environments/{environment}/platform/buckets.tf",
            });
        }
        Contribution {
            about: "creates an Application Load Balancer for Ingresses",
            identity: Some(Identity {
                role: "load-balancer-controller",
                namespace: "load-balancer-controller",
                service_account: "load-balancer-controller",
                statements: statements(),
            }),
            rights: rights(&environment.names(), *logs),
            bucket: *logs,
            pages,
            releases: vec![release.clone()],
            monitoring: pages! { { environment: Environment }
                Resource "kubernetes-manifest/clusters/{environment}/monitoring/monitors/load-balancer-controller.yaml",
                Resource "kubernetes-manifest/clusters/{environment}/monitoring/rules/load-balancer-controller.yaml",
            },
            ..Contribution::new("load-balancer-controller")
        }
    }
}

/// The bucket of access logs, and the service-linked role of load balancers.
fn rights(names: &Names, logs: bool) -> Rights {
    let uses = vec![load_balancing_role(names)];
    if !logs {
        return Rights { uses, ..Rights::default() };
    }
    let bucket = format!("arn:aws:s3:::{}-lb-logs-{}", names.prefix(), names.account);
    let read = [
        "s3:GetAccelerateConfiguration",
        "s3:GetBucketAcl",
        "s3:GetBucketCORS",
        "s3:GetBucketLocation",
        "s3:GetBucketLogging",
        "s3:GetBucketObjectLockConfiguration",
        "s3:GetBucketOwnershipControls",
        "s3:GetBucketPolicy",
        "s3:GetBucketPublicAccessBlock",
        "s3:GetBucketRequestPayment",
        "s3:GetBucketTagging",
        "s3:GetBucketVersioning",
        "s3:GetBucketWebsite",
        "s3:GetEncryptionConfiguration",
        "s3:GetLifecycleConfiguration",
        "s3:GetReplicationConfiguration",
        "s3:ListBucket",
        "s3:ListTagsForResource",
    ];
    let change = [
        "s3:CreateBucket",
        "s3:DeleteBucket",
        "s3:DeleteBucketPolicy",
        "s3:ListBucketVersions",
        "s3:PutBucketOwnershipControls",
        "s3:PutBucketPolicy",
        "s3:PutBucketPublicAccessBlock",
        "s3:PutBucketTagging",
        "s3:PutBucketVersioning",
        "s3:PutEncryptionConfiguration",
        "s3:PutLifecycleConfiguration",
        "s3:TagResource",
        "s3:UntagResource",
    ];
    let on_bucket = || vec![StackWord::ours(bucket.as_str())];
    let on_objects = vec![StackWord::ours(format!("{bucket}/*"))];
    Rights {
        read: vec![
            rights::Statement::allow("BucketOfLogs", &read)
                .on(on_bucket())
                .why("The settings of the bucket, but not the logs in it.")
                .within(Policy::ReadEdge),
        ],
        change: vec![
            rights::Statement::allow("BucketOfLogs", &change).on(on_bucket()).within(Policy::ApplyEdge),
            rights::Statement::allow("EmptyIt", &["s3:DeleteObject", "s3:DeleteObjectVersion"])
                .on(on_objects)
                .why("AWS deletes only empty buckets, and the logs cannot be deleted with this.")
                .within(Policy::ApplyEdge),
        ],
        uses,
    }
}

/// Its own policy (kubernetes-sigs/aws-load-balancer-controller@v3.5.0 docs/install/iam_policy.json), statement by statement.
/// Resources are limited to this region and account, tags to this cluster, and security group rules to this network. The other
/// statements stay open, because their calls name no resource, or a resource without tags.
fn statements() -> Vec<Statement> {
    vec![
        Statement {
            sid: "ServiceLinkedRole",
            actions: &["iam:CreateServiceLinkedRole"],
            resources: vec![Hcl::string(
                "arn:aws:iam::${local.account}:role/aws-service-role/elasticloadbalancing.amazonaws.com/*",
            )],
            conditions: vec![Condition {
                test: "StringEquals",
                key: Hcl::string("iam:AWSServiceName"),
                value: Hcl::string("elasticloadbalancing.amazonaws.com"),
            }],
        },
        Statement {
            sid: "Read",
            actions: &[
                "ec2:DescribeAccountAttributes",
                "ec2:DescribeAddresses",
                "ec2:DescribeAvailabilityZones",
                "ec2:DescribeCoipPools",
                "ec2:DescribeInstances",
                "ec2:DescribeInternetGateways",
                "ec2:DescribeIpamPools",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeRouteTables",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
                "ec2:DescribeTags",
                "ec2:DescribeVpcPeeringConnections",
                "ec2:DescribeVpcs",
                "ec2:GetCoipPoolUsage",
                "ec2:GetSecurityGroupsForVpc",
                "elasticloadbalancing:DescribeCapacityReservation",
                "elasticloadbalancing:DescribeListenerAttributes",
                "elasticloadbalancing:DescribeListenerCertificates",
                "elasticloadbalancing:DescribeListeners",
                "elasticloadbalancing:DescribeLoadBalancerAttributes",
                "elasticloadbalancing:DescribeLoadBalancers",
                "elasticloadbalancing:DescribeRules",
                "elasticloadbalancing:DescribeSSLPolicies",
                "elasticloadbalancing:DescribeTags",
                "elasticloadbalancing:DescribeTargetGroupAttributes",
                "elasticloadbalancing:DescribeTargetGroups",
                "elasticloadbalancing:DescribeTargetHealth",
                "elasticloadbalancing:DescribeTrustStores",
            ],
            resources: vec![Hcl::string("*")],
            conditions: vec![],
        },
        Statement {
            sid: "CertificatesAndShields",
            actions: &[
                "acm:DescribeCertificate",
                "acm:ListCertificates",
                "cognito-idp:DescribeUserPoolClient",
                "elasticloadbalancing:SetWebAcl",
                "iam:GetServerCertificate",
                "iam:ListServerCertificates",
                "shield:CreateProtection",
                "shield:DeleteProtection",
                "shield:DescribeProtection",
                "shield:GetSubscriptionState",
                "waf-regional:AssociateWebACL",
                "waf-regional:DisassociateWebACL",
                "waf-regional:GetWebACL",
                "waf-regional:GetWebACLForResource",
                "wafv2:AssociateWebACL",
                "wafv2:DisassociateWebACL",
                "wafv2:GetWebACL",
                "wafv2:GetWebACLForResource",
            ],
            resources: vec![Hcl::string("*")],
            conditions: vec![],
        },
        Statement {
            sid: "RulesInThisNetwork",
            actions: &["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"],
            resources: vec![Hcl::string("arn:aws:ec2:${local.region}:${local.account}:security-group/*")],
            conditions: vec![Condition {
                test: "ArnEquals",
                key: Hcl::string("ec2:Vpc"),
                value: Hcl::code("aws_vpc.main.arn"),
            }],
        },
        Statement {
            sid: "CreateSecurityGroups",
            actions: &["ec2:CreateSecurityGroup"],
            resources: vec![Hcl::string("arn:aws:ec2:${local.region}:${local.account}:security-group/*")],
            conditions: vec![Condition {
                test: "StringEquals",
                key: Hcl::string("aws:RequestTag/elbv2.k8s.aws/cluster"),
                value: Hcl::code("local.name"),
            }],
        },
        Statement {
            sid: "CreateSecurityGroupsHere",
            actions: &["ec2:CreateSecurityGroup"],
            resources: vec![Hcl::code("aws_vpc.main.arn")],
            conditions: vec![],
        },
        Statement {
            sid: "TagNewSecurityGroups",
            actions: &["ec2:CreateTags"],
            resources: vec![Hcl::string("arn:aws:ec2:${local.region}:${local.account}:security-group/*")],
            conditions: vec![
                Condition {
                    test: "StringEquals",
                    key: Hcl::string("ec2:CreateAction"),
                    value: Hcl::string("CreateSecurityGroup"),
                },
                Condition {
                    test: "StringEquals",
                    key: Hcl::string("aws:RequestTag/elbv2.k8s.aws/cluster"),
                    value: Hcl::code("local.name"),
                },
            ],
        },
        Statement {
            sid: "TagSecurityGroups",
            actions: &["ec2:CreateTags", "ec2:DeleteTags"],
            resources: vec![Hcl::string("arn:aws:ec2:${local.region}:${local.account}:security-group/*")],
            conditions: vec![
                Condition {
                    test: "Null",
                    key: Hcl::string("aws:RequestTag/elbv2.k8s.aws/cluster"),
                    value: Hcl::string("true"),
                },
                Condition {
                    test: "StringEquals",
                    key: Hcl::string("aws:ResourceTag/elbv2.k8s.aws/cluster"),
                    value: Hcl::code("local.name"),
                },
            ],
        },
        Statement {
            sid: "ChangeSecurityGroups",
            actions: &[
                "ec2:AuthorizeSecurityGroupIngress",
                "ec2:DeleteSecurityGroup",
                "ec2:RevokeSecurityGroupIngress",
            ],
            resources: vec![Hcl::string("arn:aws:ec2:${local.region}:${local.account}:security-group/*")],
            conditions: vec![Condition {
                test: "StringEquals",
                key: Hcl::string("aws:ResourceTag/elbv2.k8s.aws/cluster"),
                value: Hcl::code("local.name"),
            }],
        },
        Statement {
            sid: "Create",
            actions: &["elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:CreateTargetGroup"],
            resources: vec![
                Hcl::string(
                    "arn:aws:elasticloadbalancing:${local.region}:${local.account}:loadbalancer/app/*/*",
                ),
                Hcl::string(
                    "arn:aws:elasticloadbalancing:${local.region}:${local.account}:loadbalancer/net/*/*",
                ),
                Hcl::string("arn:aws:elasticloadbalancing:${local.region}:${local.account}:targetgroup/*/*"),
            ],
            conditions: vec![Condition {
                test: "StringEquals",
                key: Hcl::string("aws:RequestTag/elbv2.k8s.aws/cluster"),
                value: Hcl::code("local.name"),
            }],
        },
        Statement {
            sid: "ListenersAndRules",
            actions: &[
                "elasticloadbalancing:CreateListener",
                "elasticloadbalancing:CreateRule",
                "elasticloadbalancing:DeleteListener",
                "elasticloadbalancing:DeleteRule",
            ],
            resources: vec![
                Hcl::string(
                    "arn:aws:elasticloadbalancing:${local.region}:${local.account}:listener-rule/app/*/*/*/*",
                ),
                Hcl::string(
                    "arn:aws:elasticloadbalancing:${local.region}:${local.account}:listener-rule/net/*/*/*/*",
                ),
                Hcl::string(
                    "arn:aws:elasticloadbalancing:${local.region}:${local.account}:listener/app/*/*/*",
                ),
                Hcl::string(
                    "arn:aws:elasticloadbalancing:${local.region}:${local.account}:listener/net/*/*/*",
                ),
                Hcl::string(
                    "arn:aws:elasticloadbalancing:${local.region}:${local.account}:loadbalancer/app/*/*",
                ),
                Hcl::string(
                    "arn:aws:elasticloadbalancing:${local.region}:${local.account}:loadbalancer/net/*/*",
                ),
            ],
            conditions: vec![],
        },
        Statement {
            sid: "Tag",
            actions: &["elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags"],
            resources: vec![
                Hcl::string(
                    "arn:aws:elasticloadbalancing:${local.region}:${local.account}:loadbalancer/app/*/*",
                ),
                Hcl::string(
                    "arn:aws:elasticloadbalancing:${local.region}:${local.account}:loadbalancer/net/*/*",
                ),
                Hcl::string("arn:aws:elasticloadbalancing:${local.region}:${local.account}:targetgroup/*/*"),
            ],
            conditions: vec![
                Condition {
                    test: "Null",
                    key: Hcl::string("aws:RequestTag/elbv2.k8s.aws/cluster"),
                    value: Hcl::string("true"),
                },
                Condition {
                    test: "StringEquals",
                    key: Hcl::string("aws:ResourceTag/elbv2.k8s.aws/cluster"),
                    value: Hcl::code("local.name"),
                },
            ],
        },
        Statement {
            sid: "TagListenersAndRules",
            actions: &["elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags"],
            resources: vec![
                Hcl::string(
                    "arn:aws:elasticloadbalancing:${local.region}:${local.account}:listener-rule/app/*/*/*",
                ),
                Hcl::string(
                    "arn:aws:elasticloadbalancing:${local.region}:${local.account}:listener-rule/net/*/*/*",
                ),
                Hcl::string(
                    "arn:aws:elasticloadbalancing:${local.region}:${local.account}:listener/app/*/*/*",
                ),
                Hcl::string(
                    "arn:aws:elasticloadbalancing:${local.region}:${local.account}:listener/net/*/*/*",
                ),
            ],
            conditions: vec![],
        },
        Statement {
            sid: "TagNew",
            actions: &["elasticloadbalancing:AddTags"],
            resources: vec![
                Hcl::string(
                    "arn:aws:elasticloadbalancing:${local.region}:${local.account}:loadbalancer/app/*/*",
                ),
                Hcl::string(
                    "arn:aws:elasticloadbalancing:${local.region}:${local.account}:loadbalancer/net/*/*",
                ),
                Hcl::string("arn:aws:elasticloadbalancing:${local.region}:${local.account}:targetgroup/*/*"),
            ],
            conditions: vec![
                Condition {
                    test: "StringEquals",
                    key: Hcl::string("elasticloadbalancing:CreateAction"),
                    value: Hcl::code(r#"["CreateLoadBalancer", "CreateTargetGroup"]"#),
                },
                Condition {
                    test: "StringEquals",
                    key: Hcl::string("aws:RequestTag/elbv2.k8s.aws/cluster"),
                    value: Hcl::code("local.name"),
                },
            ],
        },
        Statement {
            sid: "Change",
            actions: &[
                "elasticloadbalancing:DeleteLoadBalancer",
                "elasticloadbalancing:DeleteTargetGroup",
                "elasticloadbalancing:ModifyCapacityReservation",
                "elasticloadbalancing:ModifyIpPools",
                "elasticloadbalancing:ModifyListenerAttributes",
                "elasticloadbalancing:ModifyLoadBalancerAttributes",
                "elasticloadbalancing:ModifyTargetGroup",
                "elasticloadbalancing:ModifyTargetGroupAttributes",
                "elasticloadbalancing:SetIpAddressType",
                "elasticloadbalancing:SetSecurityGroups",
                "elasticloadbalancing:SetSubnets",
            ],
            resources: vec![
                Hcl::string(
                    "arn:aws:elasticloadbalancing:${local.region}:${local.account}:listener/app/*/*/*",
                ),
                Hcl::string(
                    "arn:aws:elasticloadbalancing:${local.region}:${local.account}:listener/net/*/*/*",
                ),
                Hcl::string(
                    "arn:aws:elasticloadbalancing:${local.region}:${local.account}:loadbalancer/app/*/*",
                ),
                Hcl::string(
                    "arn:aws:elasticloadbalancing:${local.region}:${local.account}:loadbalancer/net/*/*",
                ),
                Hcl::string("arn:aws:elasticloadbalancing:${local.region}:${local.account}:targetgroup/*/*"),
            ],
            conditions: vec![Condition {
                test: "StringEquals",
                key: Hcl::string("aws:ResourceTag/elbv2.k8s.aws/cluster"),
                value: Hcl::code("local.name"),
            }],
        },
        Statement {
            sid: "Targets",
            actions: &["elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:RegisterTargets"],
            resources: vec![Hcl::string(
                "arn:aws:elasticloadbalancing:${local.region}:${local.account}:targetgroup/*/*",
            )],
            conditions: vec![],
        },
        Statement {
            sid: "ChangeListenersAndRules",
            actions: &[
                "elasticloadbalancing:AddListenerCertificates",
                "elasticloadbalancing:ModifyListener",
                "elasticloadbalancing:ModifyRule",
                "elasticloadbalancing:RemoveListenerCertificates",
                "elasticloadbalancing:SetRulePriorities",
            ],
            resources: vec![
                Hcl::string(
                    "arn:aws:elasticloadbalancing:${local.region}:${local.account}:listener-rule/app/*/*/*/*",
                ),
                Hcl::string(
                    "arn:aws:elasticloadbalancing:${local.region}:${local.account}:listener-rule/net/*/*/*/*",
                ),
                Hcl::string(
                    "arn:aws:elasticloadbalancing:${local.region}:${local.account}:listener/app/*/*/*",
                ),
                Hcl::string(
                    "arn:aws:elasticloadbalancing:${local.region}:${local.account}:listener/net/*/*/*",
                ),
            ],
            conditions: vec![],
        },
    ]
}
