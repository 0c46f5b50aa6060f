//! The permissions for the database: of Terraform, and of enhanced monitoring.

use super::Database;
use crate::{
    cluster::{attach, service_linked_roles},
    network::{log_groups, security_groups},
    rights::{Names, Policy, Rights, Statement},
    words::StackWord,
};

impl Database {
    /// The permissions that it needs.
    pub fn rights(&self, names: &Names) -> Rights {
        let uses = Statement::uses(&[
            "logs:CreateLogGroup",
            "logs:CreateLogStream",
            "logs:DescribeLogStreams",
            "logs:GetLogEvents",
            "logs:PutLogEvents",
            "logs:PutRetentionPolicy",
        ]);
        let own = Rights { read: vec![read(names)], change: change(names), uses: vec![uses] };
        Rights::all([own, log_groups(names, "/aws/rds/instance"), security_groups(names, true)])
    }
}

fn read(names: &Names) -> Statement {
    let actions = [
        "rds:DescribeDBInstances",
        "rds:DescribeDBParameterGroups",
        "rds:DescribeDBParameters",
        "rds:DescribeDBSubnetGroups",
        "rds:ListTagsForResource",
    ];
    Statement::allow("Database", &actions)
        .on(["db", "pg", "subgrp"].map(|it| names.arn("rds", format!("{it}:*"))).into())
        .within(Policy::ReadData)
}

fn change(names: &Names) -> Vec<Statement> {
    let actions = [
        "rds:AddTagsToResource",
        "rds:CreateDBInstance",
        "rds:CreateDBParameterGroup",
        "rds:CreateDBSnapshot",
        "rds:CreateDBSubnetGroup",
        "rds:DeleteDBInstance",
        "rds:DeleteDBParameterGroup",
        "rds:DeleteDBSubnetGroup",
        "rds:ModifyDBInstance",
        "rds:ModifyDBParameterGroup",
        "rds:ModifyDBSubnetGroup",
        "rds:RebootDBInstance",
        "rds:RemoveTagsFromResource",
        "rds:ResetDBParameterGroup",
        "rds:RestoreDBInstanceToPointInTime",
    ];
    let own = ["db:NAME", "pg:NAME-*", "snapshot:NAME-*", "subgrp:NAME"]
        .map(|it| names.arn("rds", it.replace("NAME", &names.prefix())));
    let with_options = ["rds:CreateDBInstance", "rds:ModifyDBInstance", "rds:RestoreDBInstanceToPointInTime"];
    let moved: StackWord = names.arn("rds", format!("db:{}-before", names.prefix()));
    let data = [
        Statement::allow("Database", &actions).on(own.into()),
        Statement::allow("DefaultOptions", &with_options)
            .on(vec![names.arn("rds", "og:default:postgres-*")])
            .why("Every instance has an option group. This is the empty default of AWS."),
        Statement::allow("RestoreFrom", &["rds:RestoreDBInstanceToPointInTime"])
            .on(vec![moved])
            .why("For a restore the runbook renames the old instance first."),
    ];
    let monitoring = "monitoring.rds.amazonaws.com";
    let mut change: Vec<Statement> = data.map(|it| it.within(Policy::ApplyData)).into();
    change.push(attach(names, &["service-role/AmazonRDSEnhancedMonitoringRole"]));
    change.push(
        Statement::pass(names, "PassToMonitoring", &["database-monitoring"], monitoring)
            .within(Policy::ApplyIdentity),
    );
    change.extend(service_linked_roles(names, &["rds"]));
    change
}
