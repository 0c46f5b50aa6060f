//! The permissions for the cluster: of Terraform, of the control plane and of the nodes.

use super::Cluster;
use crate::{
    network::{Made, log_groups, made, security_groups},
    rights::{Names, Policy, Rights, Statement, any},
    words::StackWord,
};

impl Cluster {
    /// `associations` is whether pods authenticate by EKS Pod Identity; else the cluster issues tokens that IAM trusts.
    pub fn rights(&self, names: &Names, associations: bool) -> Rights {
        let own = Rights {
            read: read(names, associations),
            change: change(names, associations),
            uses: uses(names),
        };
        let issuer = (!associations).then(|| issuer(names));
        let inside = self.access.inside().then(|| security_groups(names, false));
        Rights::all([own, log_groups(names, "/aws/eks")].into_iter().chain(issuer).chain(inside))
    }
}

/// The EKS resources of the cluster.
fn parts(names: &Names, associations: bool) -> Vec<StackWord> {
    let prefix = names.prefix();
    let mut parts = vec![
        names.arn("eks", format!("access-entry/{prefix}/*")),
        names.arn("eks", format!("addon/{prefix}/*")),
        names.arn("eks", format!("cluster/{prefix}")),
        names.arn("eks", format!("nodegroup/{prefix}/*")),
    ];
    parts.extend(associations.then(|| names.arn("eks", format!("podidentityassociation/{prefix}/*"))));
    parts
}

fn read(names: &Names, associations: bool) -> Vec<Statement> {
    let mut eks = vec![
        "eks:DescribeAccessEntry",
        "eks:DescribeAddon",
        "eks:DescribeCluster",
        "eks:DescribeNodegroup",
        "eks:DescribeUpdate",
        "eks:ListAccessEntries",
        "eks:ListAddons",
        "eks:ListAssociatedAccessPolicies",
        "eks:ListNodegroups",
        "eks:ListTagsForResource",
        "eks:ListUpdates",
    ];
    if associations {
        eks.extend(["eks:DescribePodIdentityAssociation", "eks:ListPodIdentityAssociations"]);
    }
    let keys = ["kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListResourceTags"];
    vec![
        Statement::allow("Network", &["ec2:DescribeLaunchTemplateVersions", "ec2:DescribeLaunchTemplates"])
            .on(vec![any()])
            .within(Policy::Read),
        Statement::allow("Cluster", &eks).on(parts(names, associations)).within(Policy::Read),
        Statement::allow("Keys", &keys)
            .on(vec![names.arn("kms", "key/*")])
            .with_resource_tags(names)
            .within(Policy::Read),
        Statement::allow(
            "Lists",
            &["autoscaling:DescribeTags", "eks:DescribeAddonVersions", "kms:ListAliases"],
        )
        .on(vec![any()])
        .within(Policy::Read),
    ]
}

fn change(names: &Names, associations: bool) -> Vec<Statement> {
    let templates = Made {
        create: &["ec2:CreateLaunchTemplate"],
        types: &["launch-template"],
        change: &["ec2:CreateLaunchTemplateVersion", "ec2:DeleteLaunchTemplate", "ec2:ModifyLaunchTemplate"],
        tags: &["CreateLaunchTemplate", "RunInstances"],
    };
    let types = ["instance", "launch-template", "network-interface", "security-group", "subnet", "volume"];
    let images = ["image", "snapshot"];
    let images = images.iter().map(|it| StackWord::ours(format!("arn:aws:ec2:{}::{it}/*", names.region)));
    let dry_run = types.iter().map(|it| names.arn("ec2", format!("{it}/*"))).chain(images).collect();
    let mut eks = vec![
        "eks:AssociateAccessPolicy",
        "eks:CreateAccessEntry",
        "eks:CreateAddon",
        "eks:CreateCluster",
        "eks:CreateNodegroup",
        "eks:DeleteAccessEntry",
        "eks:DeleteAddon",
        "eks:DeleteCluster",
        "eks:DeleteNodegroup",
        "eks:DisassociateAccessPolicy",
        "eks:TagResource",
        "eks:UntagResource",
        "eks:UpdateAccessEntry",
        "eks:UpdateAddon",
        "eks:UpdateClusterConfig",
        "eks:UpdateClusterVersion",
        "eks:UpdateNodegroupConfig",
        "eks:UpdateNodegroupVersion",
    ];
    if associations {
        eks.extend([
            "eks:CreatePodIdentityAssociation",
            "eks:DeletePodIdentityAssociation",
            "eks:UpdatePodIdentityAssociation",
        ]);
    }
    let mut change = made(names, &templates);
    change.push(
        Statement::allow("LaunchTemplateDryRun", &["ec2:RunInstances"])
            .on(dry_run)
            .why("EKS makes a dry run with the caller's permissions before it accepts a launch template; no instance is started.")
            .within(Policy::ApplyNetwork),
    );
    let own = [
        Statement::allow("Cluster", &eks).on(parts(names, associations)),
        Statement::allow("AutoscalerTags", &["autoscaling:CreateOrUpdateTags", "autoscaling:DeleteTags"])
            .on(vec![names.arn("autoscaling", "autoScalingGroup:*:autoScalingGroupName/eks-*")])
            .when("StringEquals", "aws:ResourceTag/eks:cluster-name", [names.prefix().as_str()]),
        Statement::allow("CreateKeys", &["kms:CreateKey"])
            .on(vec![any()])
            .with_request_tags(names)
            .why("The policy of a new key names its administrator, which is this role."),
        Statement::allow("TagNewKeys", &["kms:TagResource"])
            .on(vec![names.arn("kms", "key/*")])
            .with_request_tags(names),
        Statement::allow("KeyAliases", &["kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"])
            .on(vec![names.arn("kms", format!("alias/{}-*", names.prefix()))]),
    ];
    change.extend(own.map(|it| it.within(Policy::ApplyCluster)));
    let identity = [
        attach(
            names,
            &["AmazonEC2ContainerRegistryPullOnly", "AmazonEKSClusterPolicy", "AmazonEKSWorkerNodePolicy"],
        ),
        Statement::pass(names, "PassToEks", &["cluster", "node"], "eks.amazonaws.com"),
        Statement::pass(names, "PassToNodes", &["node"], "ec2.amazonaws.com"),
    ];
    change.extend(identity.map(|it| it.within(Policy::ApplyIdentity)));
    change.extend(service_linked_roles(names, &["autoscaling", "eks", "eks-nodegroup"]));
    change
}

/// Lets the apply role attach these AWS managed policies to roles with the boundary.
pub(crate) fn attach(names: &Names, policies: &[&str]) -> Statement {
    let arns: Vec<String> = policies.iter().map(|it| format!("arn:aws:iam::aws:policy/{it}")).collect();
    Statement::allow("ManagedPoliciesUnderTheBoundary", &["iam:AttachRolePolicy"])
        .on(vec![names.role("*")])
        .under_the_boundary(names)
        .when("ArnEquals", "iam:PolicyARN", arns.iter().map(String::as_str))
        .within(Policy::ApplyIdentity)
}

/// Lets the apply role create service-linked roles, which an account has only once.
pub(crate) fn service_linked_roles(names: &Names, services: &[&str]) -> Vec<Statement> {
    let services: Vec<String> = services.iter().map(|it| format!("{it}.amazonaws.com")).collect();
    let of = |service: &String| names.iam(format!("role/aws-service-role/{service}/*"));
    vec![
        Statement::allow("ServiceLinkedRoles", &["iam:CreateServiceLinkedRole"])
            .on(vec![names.iam("role/aws-service-role/*")])
            .when("StringEquals", "iam:AWSServiceName", services.iter().map(String::as_str))
            .within(Policy::ApplyIdentity),
        Statement::allow("LookForServiceLinkedRoles", &["iam:GetRole"])
            .on(services.iter().map(of).collect())
            .within(Policy::ApplyIdentity),
    ]
}

/// The OIDC issuer of the tokens by which pods authenticate.
fn issuer(names: &Names) -> Rights {
    let hosts =
        [format!("oidc-eks.{}.api.aws", names.region), format!("oidc.eks.{}.amazonaws.com", names.region)];
    let issuers = || hosts.iter().map(|it| names.iam(format!("oidc-provider/{it}/id/*"))).collect::<Vec<_>>();
    let change = [
        "iam:AddClientIDToOpenIDConnectProvider",
        "iam:CreateOpenIDConnectProvider",
        "iam:DeleteOpenIDConnectProvider",
        "iam:RemoveClientIDFromOpenIDConnectProvider",
        "iam:TagOpenIDConnectProvider",
        "iam:UntagOpenIDConnectProvider",
    ];
    Rights {
        read: vec![
            Statement::allow("ClusterIssuer", &["iam:GetOpenIDConnectProvider"])
                .on(issuers())
                .within(Policy::Read),
        ],
        change: vec![Statement::allow("ClusterIssuer", &change).on(issuers()).within(Policy::ApplyIdentity)],
        uses: Vec::new(),
    }
}

/// The role of the control plane (AmazonEKSClusterPolicy, and the key of the cluster's secrets), and that of the nodes
/// (AmazonEKSWorkerNodePolicy, AmazonEC2ContainerRegistryPullOnly, and Session Manager).
fn uses(names: &Names) -> Vec<Statement> {
    vec![
        Statement::uses(&[
            "autoscaling:*",
            "ec2:*",
            "elasticloadbalancing:*",
            "kms:Decrypt",
            "kms:DescribeKey",
            "kms:Encrypt",
            "kms:ListGrants",
        ]),
        Statement::uses(&[
            "ecr:BatchGetImage",
            "ecr:BatchImportUpstreamImage",
            "ecr:GetAuthorizationToken",
            "ecr:GetDownloadUrlForLayer",
            "eks-auth:AssumeRoleForPodIdentity",
            "eks:DescribeCluster",
            "ssm:UpdateInstanceInformation",
            "ssmmessages:*",
        ]),
        load_balancing_role(names),
    ]
}

/// The first load balancer of an account creates this role.
pub(crate) fn load_balancing_role(names: &Names) -> Statement {
    Statement::allow("LoadBalancingServiceRole", &["iam:CreateServiceLinkedRole"])
        .on(vec![names.iam("role/aws-service-role/elasticloadbalancing.amazonaws.com/*")])
        .when("StringEquals", "iam:AWSServiceName", ["elasticloadbalancing.amazonaws.com"])
}
