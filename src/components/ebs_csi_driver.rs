//! EBS volumes for persistent volume claims.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Component, addon_version};
use crate::{
    contribution::{Addon, Condition, Contribution, Identity, Need, Statement},
    diagnostics::Report,
    foundation::Environment,
    pages,
    source::Located,
    words::{AddonVersion, Hcl, patterns::Spelled},
};

/// EBS volumes for persistent volume claims.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct EbsCsiDriver {
    /// The version of the add-on. Default: the version that EKS itself chooses for the Kubernetes version, from the catalogue.
    #[schemars(with = "Option<Spelled<AddonVersion>>")]
    version: Option<Located<String>>,
}

impl Component for EbsCsiDriver {
    fn answers(&self) -> Need {
        Need::Volumes
    }

    fn contribute(&self, environment: &Environment, report: &mut Report) -> Contribution {
        Contribution {
            about: "provisions EBS volumes for PersistentVolumeClaims",
            addon: Some(Addon {
                name: "aws-ebs-csi-driver",
                version: addon_version("ebs-csi-driver", self.version.as_ref(), environment, report),
                before_nodes: false,
                configuration: None,
            }),
            identity: Some(Identity {
                role: "ebs-csi-driver",
                namespace: "kube-system",
                service_account: "ebs-csi-controller-sa",
                statements: statements(),
            }),
            pages: pages! { { environment: Environment }
                Resource "kubernetes-manifest/clusters/{environment}/controllers/ebs-csi-driver/storage-class.yaml",
            },
            ..Contribution::new("ebs-csi-driver")
        }
    }
}

/// The driver's own policy (kubernetes-sigs/aws-ebs-csi-driver@v1.64.0 docs/AmazonEBSCSIDriverPolicyV2.json), limited to this
/// region, this account and this cluster's nodes, with the platform's key for volumes.
fn statements() -> Vec<Statement> {
    let volumes = || Hcl::string("arn:aws:ec2:${local.region}:${local.account}:volume/*");
    let snapshots = || Hcl::string("arn:aws:ec2:${local.region}::snapshot/*");
    let equals = |key, value| vec![Condition { test: "StringEquals", key: Hcl::string(key), value }];
    let ours = || Hcl::string("true");
    vec![
        Statement {
            sid: "Read",
            actions: &[
                "ec2:DescribeAvailabilityZones",
                "ec2:DescribeInstanceTypes",
                "ec2:DescribeInstances",
                "ec2:DescribeSnapshots",
                "ec2:DescribeVolumeStatus",
                "ec2:DescribeVolumes",
                "ec2:DescribeVolumesModifications",
            ],
            resources: vec![Hcl::string("*")],
            conditions: vec![],
        },
        Statement {
            sid: "CreateVolumes",
            actions: &["ec2:CopyVolumes", "ec2:CreateVolume"],
            resources: vec![volumes()],
            conditions: equals("aws:RequestTag/ebs.csi.aws.com/cluster", ours()),
        },
        Statement {
            sid: "CreateSnapshots",
            actions: &["ec2:CreateSnapshot"],
            resources: vec![snapshots()],
            conditions: equals("aws:RequestTag/ebs.csi.aws.com/cluster", ours()),
        },
        Statement {
            sid: "ManageVolumes",
            actions: &[
                "ec2:AttachVolume",
                "ec2:CopyVolumes",
                "ec2:CreateSnapshot",
                "ec2:DeleteVolume",
                "ec2:DetachVolume",
                "ec2:ModifyVolume",
            ],
            resources: vec![volumes()],
            conditions: equals("ec2:ResourceTag/ebs.csi.aws.com/cluster", ours()),
        },
        Statement {
            sid: "ManageSnapshots",
            actions: &[
                "ec2:CreateVolume",
                "ec2:DeleteSnapshot",
                "ec2:EnableFastSnapshotRestores",
                "ec2:LockSnapshot",
            ],
            resources: vec![snapshots()],
            conditions: equals("ec2:ResourceTag/ebs.csi.aws.com/cluster", ours()),
        },
        Statement {
            sid: "AttachToNodes",
            actions: &["ec2:AttachVolume", "ec2:DetachVolume"],
            resources: vec![Hcl::string("arn:aws:ec2:${local.region}:${local.account}:instance/*")],
            conditions: equals("ec2:ResourceTag/eks:cluster-name", Hcl::code("local.name")),
        },
        Statement {
            sid: "TagOnCreation",
            actions: &["ec2:CreateTags"],
            resources: vec![volumes(), snapshots()],
            conditions: equals(
                "ec2:CreateAction",
                Hcl::code(r#"["CopyVolumes", "CreateSnapshot", "CreateVolume"]"#),
            ),
        },
        Statement {
            sid: "Encrypt",
            actions: &[
                "kms:Decrypt",
                "kms:DescribeKey",
                "kms:Encrypt",
                "kms:GenerateDataKey*",
                "kms:ReEncrypt*",
            ],
            resources: vec![Hcl::code("aws_kms_key.volumes.arn")],
            conditions: vec![],
        },
        Statement {
            sid: "GrantToVolumes",
            actions: &["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"],
            resources: vec![Hcl::code("aws_kms_key.volumes.arn")],
            conditions: vec![Condition {
                test: "Bool",
                key: Hcl::string("kms:GrantIsForAWSResource"),
                value: ours(),
            }],
        },
    ]
}
