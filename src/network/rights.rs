//! The permissions for the network: of Terraform, and of the flow logs.

use super::Network;
use crate::rights::{Names, Policy, Rights, Statement, any};

/// The EC2 resources that are tagged when they are created, and the actions on resources with our tags.
pub(crate) struct Made<'a> {
    /// The actions that create a resource with the platform's tags, and the types of these resources.
    pub create: &'a [&'a str],
    pub types: &'a [&'a str],
    /// The actions on resources with the platform's tags.
    pub change: &'a [&'a str],
    /// The calls that tag the resource they create, by the value of `ec2:CreateAction`.
    pub tags: &'a [&'a str],
}

/// EC2 resources may be created and changed only with the platform's tags.
pub(crate) fn made(names: &Names, made: &Made) -> Vec<Statement> {
    let types = made.types.iter().map(|it| names.arn("ec2", format!("{it}/*"))).collect();
    let everything = || vec![names.arn("ec2", "*/*")];
    vec![
        Statement::allow("Create", made.create)
            .on(types)
            .with_request_tags(names)
            .within(Policy::ApplyNetwork),
        Statement::allow("ChangeAndDelete", made.change)
            .on(everything())
            .with_resource_tags(names)
            .within(Policy::ApplyNetwork),
        Statement::allow("TagWhatIsNew", &["ec2:CreateTags"])
            .on(everything())
            .with_request_tags(names)
            .when("StringEquals", "ec2:CreateAction", made.tags.iter().copied())
            .within(Policy::ApplyNetwork),
    ]
}

/// The log groups below one of our paths, such as `/aws/vpc/NAME/*`.
pub(crate) fn log_groups(names: &Names, path: &str) -> Rights {
    let groups = || vec![names.arn("logs", format!("log-group:{path}/{}/*", names.prefix()))];
    let change = [
        "logs:AssociateKmsKey",
        "logs:CreateLogGroup",
        "logs:DeleteLogGroup",
        "logs:PutRetentionPolicy",
        "logs:TagResource",
        "logs:UntagResource",
    ];
    Rights {
        read: vec![
            Statement::allow("Lists", &["logs:DescribeLogGroups"]).on(vec![any()]).within(Policy::Read),
            Statement::allow("LogGroupTags", &["logs:ListTagsForResource"]).on(groups()).within(Policy::Read),
        ],
        change: vec![Statement::allow("LogGroups", &change).on(groups()).within(Policy::ApplyCluster)],
        uses: Vec::new(),
    }
}

/// Security groups of the platform. `rules` is whether their rules are resources of their own.
pub(crate) fn security_groups(names: &Names, rules: bool) -> Rights {
    let mut change = made(
        names,
        &Made {
            create: &["ec2:CreateSecurityGroup"],
            types: &["security-group"],
            change: &[
                "ec2:AuthorizeSecurityGroupIngress",
                "ec2:CreateSecurityGroup",
                "ec2:DeleteSecurityGroup",
            ],
            tags: &[],
        },
    );
    if rules {
        change.extend([
            Statement::allow("CreateSecurityGroupRules", &["ec2:AuthorizeSecurityGroupIngress"])
                .on(vec![names.arn("ec2", "security-group-rule/*")])
                .with_request_tags(names)
                .within(Policy::ApplyNetwork),
            Statement::allow("ChangeAndDelete", &["ec2:ModifySecurityGroupRules"])
                .on(vec![names.arn("ec2", "*/*")])
                .with_resource_tags(names)
                .within(Policy::ApplyNetwork),
            Statement::allow("TagWhatIsNew", &["ec2:CreateTags"])
                .on(vec![names.arn("ec2", "*/*")])
                .with_request_tags(names)
                .when("StringEquals", "ec2:CreateAction", ["AuthorizeSecurityGroupIngress"])
                .within(Policy::ApplyNetwork),
        ]);
    }
    Rights { change, ..Rights::default() }
}

impl Network {
    /// The permissions that it needs.
    pub fn rights(&self, names: &Names) -> Rights {
        let own = Rights { read: read(), change: change(names), uses: vec![uses()] };
        let endpoints = (!self.endpoints.is_empty()).then(|| endpoints(names));
        Rights::all([own, log_groups(names, "/aws/vpc")].into_iter().chain(endpoints))
    }
}

fn read() -> Vec<Statement> {
    let actions = [
        "ec2:DescribeAccountAttributes",
        "ec2:DescribeAddresses",
        "ec2:DescribeAddressesAttribute",
        "ec2:DescribeAvailabilityZones",
        "ec2:DescribeFlowLogs",
        "ec2:DescribeInternetGateways",
        "ec2:DescribeNatGateways",
        "ec2:DescribeNetworkAcls",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribePrefixLists",
        "ec2:DescribeRouteTables",
        "ec2:DescribeSecurityGroupRules",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeTags",
        "ec2:DescribeVpcAttribute",
        "ec2:DescribeVpcEndpoints",
        "ec2:DescribeVpcs",
    ];
    vec![Statement::allow("Network", &actions).on(vec![any()]).within(Policy::Read)]
}

fn change(names: &Names) -> Vec<Statement> {
    let own = Made {
        create: &[
            "ec2:AllocateAddress",
            "ec2:CreateFlowLogs",
            "ec2:CreateInternetGateway",
            "ec2:CreateNatGateway",
            "ec2:CreateRouteTable",
            "ec2:CreateSubnet",
            "ec2:CreateVpc",
            "ec2:CreateVpcEndpoint",
        ],
        types: &[
            "elastic-ip",
            "internet-gateway",
            "natgateway",
            "route-table",
            "subnet",
            "vpc",
            "vpc-endpoint",
            "vpc-flow-log",
        ],
        change: &[
            "ec2:AssociateRouteTable",
            "ec2:AttachInternetGateway",
            "ec2:CreateFlowLogs",
            "ec2:CreateNatGateway",
            "ec2:CreateRoute",
            "ec2:CreateRouteTable",
            "ec2:CreateSubnet",
            "ec2:CreateTags",
            "ec2:CreateVpcEndpoint",
            "ec2:DeleteFlowLogs",
            "ec2:DeleteInternetGateway",
            "ec2:DeleteNatGateway",
            "ec2:DeleteRoute",
            "ec2:DeleteRouteTable",
            "ec2:DeleteSubnet",
            "ec2:DeleteTags",
            "ec2:DeleteVpc",
            "ec2:DeleteVpcEndpoints",
            "ec2:DetachInternetGateway",
            "ec2:DisassociateRouteTable",
            "ec2:ModifySubnetAttribute",
            "ec2:ModifyVpcAttribute",
            "ec2:ModifyVpcEndpoint",
            "ec2:ReleaseAddress",
            "ec2:ReplaceRoute",
            "ec2:ReplaceRouteTableAssociation",
            "ec2:RevokeSecurityGroupEgress",
            "ec2:RevokeSecurityGroupIngress",
        ],
        tags: &[
            "AllocateAddress",
            "CreateFlowLogs",
            "CreateInternetGateway",
            "CreateNatGateway",
            "CreateRouteTable",
            "CreateSubnet",
            "CreateVpc",
            "CreateVpcEndpoint",
        ],
    };
    let mut change = made(names, &own);
    change.extend([
        Statement::allow("ClaimSecurityGroups", &["ec2:CreateTags"])
            .on(vec![names.arn("ec2", "security-group/*")])
            .with_request_tags(names)
            .when("Null", "aws:ResourceTag/project", ["true"])
            .why("Security groups without tags may be tagged: new ones, and the default group of the VPC. Groups with the tag of another\nplatform may not.")
            .within(Policy::ApplyNetwork),
        Statement::allow("Disassociate", &["ec2:DisassociateAddress"])
            .on(vec![names.arn("ec2", "elastic-ip/*"), names.arn("ec2", "network-interface/*")])
            .why("A deleted NAT gateway leaves an association that no longer exists and therefore has no tag.")
            .within(Policy::ApplyNetwork),
        Statement::pass(names, "PassToFlowLogs", &["flow-logs"], "vpc-flow-logs.amazonaws.com")
            .within(Policy::ApplyIdentity),
    ]);
    change
}

fn endpoints(names: &Names) -> Rights {
    let private = Statement::allow("PrivateNames", &["route53:AssociateVPCWithHostedZone"])
        .on(vec![crate::words::StackWord::ours("arn:aws:route53:::hostedzone/*")])
        .why("EC2 creates the private DNS names of the endpoints with the caller's permissions.")
        .within(Policy::ApplyEdge);
    Rights::all([security_groups(names, true), Rights { change: vec![private], ..Rights::default() }])
}

/// The role of the flow logs.
fn uses() -> Statement {
    Statement::uses(&[
        "logs:CreateLogStream",
        "logs:DescribeLogGroups",
        "logs:DescribeLogStreams",
        "logs:PutLogEvents",
    ])
}
