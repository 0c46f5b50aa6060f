//! The permissions for roles: the apply role may create the roles of the platform, but only with the permissions boundary.

use crate::rights::{Names, Policy, Rights, Statement, any};

/// The permissions for the roles of a platform.
pub fn rights(names: &Names) -> Rights {
    let ours = || vec![names.role("*")];
    let read = ["iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies"];
    let bounded = [
        "iam:CreateRole",
        "iam:DeleteRolePolicy",
        "iam:DetachRolePolicy",
        "iam:PutRolePermissionsBoundary",
        "iam:PutRolePolicy",
        "iam:UpdateAssumeRolePolicy",
    ];
    let rest = [
        "iam:DeleteRole",
        "iam:ListInstanceProfilesForRole",
        "iam:ListRoleTags",
        "iam:TagRole",
        "iam:UntagRole",
        "iam:UpdateRoleDescription",
    ];
    let pipeline = ["apply", "plan"].map(|it| names.iam(format!("role/{}-{it}", names.prefix())));
    let policies = names.iam(format!("policy/{}-*", names.prefix()));
    let change = [
        Statement::allow("RolesUnderTheBoundary", &bounded).on(ours()).under_the_boundary(names),
        Statement::allow("RolesOfThisPlatform", &rest).on(ours()),
        Statement::deny_all_but("NeverThePipeline", &["iam:Get*", "iam:List*"])
            .on([policies].into_iter().chain(pipeline.clone()).collect())
            .why("The pipeline can change neither its own permissions nor the boundary."),
        Statement::deny("NeverWithoutTheBoundary", &["iam:DeleteRolePermissionsBoundary"]).on(ours()),
    ];
    let outward = [
        "ec2:CreateVpcPeeringConnection",
        "ec2:ModifyImageAttribute",
        "ec2:ModifySnapshotAttribute",
        "ec2:RequestSpotFleet",
        "ec2:RequestSpotInstances",
        "s3:PutBucketAcl",
        "s3:PutBucketPolicy",
        "s3:PutBucketPublicAccessBlock",
    ];
    Rights {
        read: vec![Statement::allow("Roles", &read).on(ours()).within(Policy::Read)],
        change: change.map(|it| it.within(Policy::ApplyIdentity)).into(),
        uses: vec![
            Statement::deny("NeverThePipeline", &["sts:*"]).on(pipeline.into()),
            Statement::deny("NeverOutward", &outward).on(vec![any()]),
        ],
    }
}
