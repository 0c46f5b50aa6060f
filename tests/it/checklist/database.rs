// The database: settings, logins, network access, names and certificates.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    Platform, Verdict,
    policies::grants,
    prove,
    terraform::{Item, Root, attributes, words},
};

fn databases(platform: &Platform) -> impl Iterator<Item = (&Root, &Item)> {
    platform.roots().flat_map(|root| root.resources("aws_db_instance").map(move |it| (root, it)))
}

/// A setting of the parameter group that an instance uses.
fn setting<'a>(root: &'a Root, database: &Item, name: &str) -> Option<&'a Value> {
    let mut groups = root.resources("aws_db_parameter_group");
    let group = groups.find(|it| it.is_meant_by(&database.body["parameter_group_name"]))?;
    group.body["parameter"].as_array()?.iter().find(|it| it["name"] == name).map(|it| &it["value"])
}

#[test]
fn t39_the_database_is_private_encrypted_doubled_and_saved() {
    prove(
        "T39",
        &["database"],
        check,
        &[
            ("database.tf", "publicly_accessible = false", "publicly_accessible = true"),
            ("database.tf", "storage_encrypted = true", "storage_encrypted = false"),
            ("database.tf", "kms_key_id = aws_kms_key.database.arn parameter", "parameter"),
            ("database.tf", "multi_az = true", "multi_az = false"),
            ("database.tf", "backup_retention_period = …", "backup_retention_period = 1"),
            ("database.tf", "max_allocated_storage = …", ""),
            ("database.tf", "auto_minor_version_upgrade = true", ""),
            ("database.tf", "performance_insights_enabled = true", ""),
            ("database.tf", "monitoring_interval = …", "monitoring_interval = 0"),
            ("database.tf", "enabled_cloudwatch_logs_exports = …", ""),
            ("database.tf", "parameter_group_name = …", "parameter_group_name = \"default.postgres18\""),
            ("database.tf", "aws_cloudwatch_log_group.database, aws_iam", "aws_iam"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for (root, database) in databases(platform) {
            verdict.see("database");
            let place = &root.path;
            let it = &database.body;
            let own =
                |kind: &'static str, value: &Value| root.resources(kind).any(|it| it.is_meant_by(value));
            let asked =
                platform.setting(&root.environment, &["database", "multi-az"]).and_then(|it| it.as_bool());
            for (holds, what) in [
                (it["publicly_accessible"] == false, "is not private"),
                (
                    it["storage_encrypted"] == true && own("aws_kms_key", &it["kms_key_id"]),
                    "has no key of its own",
                ),
                (it["multi_az"] == asked.unwrap_or(true), "has no second zone"),
                (it["backup_retention_period"].as_u64() >= Some(7), "cannot go back a week"),
                (it["skip_final_snapshot"] == false, "leaves no last snapshot"),
                (it["auto_minor_version_upgrade"] == true, "stays behind"),
                (it["max_allocated_storage"].as_u64() >= it["allocated_storage"].as_u64(), "does not grow"),
                (
                    it["performance_insights_enabled"] == true
                        && own("aws_kms_key", &it["performance_insights_kms_key_id"]),
                    "is not watched",
                ),
                (
                    it["monitoring_interval"].as_u64() >= Some(1)
                        && own("aws_iam_role", &it["monitoring_role_arn"]),
                    "is not measured",
                ),
                (
                    words(&it["enabled_cloudwatch_logs_exports"]) == ["postgresql", "upgrade"],
                    "logs into nothing",
                ),
                (own("aws_db_parameter_group", &it["parameter_group_name"]), "has AWS's settings"),
                (own("aws_db_subnet_group", &it["db_subnet_group_name"]), "stands anywhere"),
                (
                    root.resources("aws_cloudwatch_log_group").any(|it| database.waits_for(it)),
                    "makes its log groups itself, for ever",
                ),
            ] {
                verdict.hold(holds, format!("{place}: the database {what}"));
            }
        }
    }
}

#[test]
fn t40_the_database_speaks_tls_alone() {
    prove(
        "T40",
        &["database", "client"],
        check,
        &[
            (
                "database.tf",
                "name = \"rds.force_ssl\" value = \"1\"",
                "name = \"rds.force_ssl\"\nvalue = \"0\"",
            ),
            ("database.tf", "parameter { name = \"rds.force_ssl\" value = \"1\" }", ""),
            ("database.tf", "value = \"scram-sha-256\"", "value = \"md5\""),
            (".yaml", "verify-full", "require"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for (root, database) in databases(platform) {
            verdict.see("database");
            let tls = setting(root, database, "rds.force_ssl").is_some_and(|it| *it == "1");
            verdict.hold(tls, format!("{}: passwords may travel in the clear", root.path));
            let scram =
                setting(root, database, "password_encryption").is_some_and(|it| *it == "scram-sha-256");
            verdict.hold(scram, format!("{}: passwords are kept as MD5", root.path));
        }
        for document in platform.documents().filter(|it| !it.is_workflow()) {
            for value in document.values() {
                let mut found = Vec::new();
                attributes(value, &mut found);
                // As a variable of libpq, or within a URL.
                let within = found.iter().filter_map(|(_, it)| it.as_str()?.split_once("sslmode="));
                let within = within.map(|(_, it)| it.split(['&', ' ', '"']).next().unwrap());
                let listed = found.iter().filter_map(|(_, it)| it.as_array()).flatten();
                let listed =
                    listed.filter(|it| it["name"] == "PGSSLMODE").filter_map(|it| it["value"].as_str());
                let modes: Vec<&str> = within.chain(listed).collect();
                for mode in modes {
                    verdict.see("client");
                    verdict.hold(
                        mode == "verify-full",
                        format!("{}: a client takes any server, by `{mode}`", document.path),
                    );
                }
            }
        }
    }
}

#[test]
fn t41_only_workloads_reach_the_database() {
    prove(
        "T41",
        &["database"],
        check,
        &[
            ("database.tf", "referenced_security_group_id = …", "cidr_ipv4 = \"0.0.0.0/0\""),
            ("database.tf", "referenced_security_group_id = …", "referenced_security_group_id = \"sg-0\""),
            ("database.tf", "from_port = 5432", "from_port = 0"),
            ("database.tf", "ip_protocol = \"tcp\"", "ip_protocol = \"-1\""),
            ("database.tf", "vpc_security_group_ids = […]", "vpc_security_group_ids = []"),
            (
                "database.tf",
                "description = \"Database of ${local.name}\" vpc_id",
                "ingress {\n cidr_blocks = [\"10.0.0.0/8\"]\n}\nvpc_id",
            ),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for (root, database) in databases(platform) {
            verdict.see("database");
            let place = &root.path;
            let ids = words(&database.body["vpc_security_group_ids"]);
            let own = root
                .resources("aws_security_group")
                .filter(|it| it.is_among(&database.body["vpc_security_group_ids"]));
            let own: Vec<&Item> = own.collect();
            verdict.hold(
                own.len() == ids.len() && !own.is_empty(),
                format!("{place}: the database stands behind {ids:?}"),
            );
            for group in own {
                verdict.hold(
                    group.body["ingress"].is_null(),
                    format!("{place}: `{}` has rules of two kinds", group.address()),
                );
                let mut any = false;
                for kind in ["aws_vpc_security_group_ingress_rule", "aws_security_group_rule"] {
                    for rule in
                        root.resources(kind).filter(|it| group.is_meant_by(&it.body["security_group_id"]))
                    {
                        any = true;
                        let it = &rule.body;
                        let open = ["cidr_ipv4", "cidr_ipv6", "cidr_blocks", "prefix_list_id"]
                            .iter()
                            .any(|key| !it[*key].is_null());
                        let from = it["referenced_security_group_id"].as_str().unwrap_or_default();
                        let known = from.contains("aws_eks_cluster.") || from.contains("aws_security_group.");
                        verdict.hold(!open && known, format!("{place}: `{}` lets others in", rule.address()));
                        let port =
                            it["from_port"] == 5432 && it["to_port"] == 5432 && it["ip_protocol"] == "tcp";
                        verdict.hold(port, format!("{place}: `{}` opens more than a port", rule.address()));
                    }
                }
                verdict.hold(any, format!("{place}: nobody reaches the database"));
            }
        }
    }
}

/// The parts of a parameter's name below platform and environment.
fn parameters(root: &Root) -> impl Iterator<Item = (Vec<&str>, &Item)> {
    root.resources("aws_ssm_parameter")
        .map(|it| (it.body["name"].as_str().unwrap_or_default().split('/').skip(3).collect(), it))
}

#[test]
fn t42_each_application_has_a_login_and_nobody_has_the_masters() {
    prove(
        "T42",
        &["database", "reader"],
        check,
        &[
            ("database.tf", "password_wo_version = …", ""),
            ("database.tf", "password_wo_version = …", "password_wo_version = timestamp()"),
            ("database.tf", "password_wo_version = …", "password_wo_version = 7"),
            (".tf", "\"test-app/database/1\" = ", "\"test-app/database/one\" = "),
            (
                ".tf",
                "\"${local.parameters}/${each.key}/username\"",
                "\"${local.parameters}/${each.key}/user\"",
            ),
            (".tf", "\"test-app/database\" = ", "\"test-app/data\" = "),
            (
                ".tf",
                "\"${local.parameters}/database/master/${each.key}/password\"",
                "\"${local.parameters}/test-app/database/master/password\"",
            ),
            (
                "platform/secrets.tf",
                "\"test-app\" = [\"test-app\"]",
                "\"test-app\" = [\"test-app\", \"database\"]",
            ),
            ("platform/secrets.tf", "\"monitoring\" = [\"monitoring\"]", "\"monitoring\" = [\"test-app\"]"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for (root, database) in databases(platform) {
            verdict.see("database");
            let place = &root.path;
            let version = &database.body["password_wo_version"];
            verdict.hold(version.is_u64(), format!("{place}: the master's password has version {version}"));
            let mut logins: BTreeMap<&str, BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
            let mut plain: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
            let mut masters = Vec::new();
            for (parts, _) in parameters(root) {
                match parts[..] {
                    ["database", "master", number, "password"] => masters.push(number),
                    ["database", "master", _] => {}
                    [_, .., "master", _] => {
                        verdict.wrong.push(format!("{place}: {parts:?} shows the master's login"))
                    }
                    [application, "database", number, key] => {
                        logins.entry(application).or_default().entry(number).or_default().insert(key);
                    }
                    [application, "database", key] => drop(plain.entry(application).or_default().insert(key)),
                    _ => {}
                }
            }
            let alive =
                version.as_u64().map(|it| (it.saturating_sub(1).max(1)..=it).map(|it| it.to_string()));
            let alive: Vec<String> = alive.into_iter().flatten().collect();
            verdict.hold(
                masters == alive,
                format!("{place}: the master's passwords have the numbers {masters:?}"),
            );
            verdict.hold(!logins.is_empty(), format!("{place}: no application has a login"));
            for (application, numbers) in &logins {
                for (number, keys) in numbers {
                    let whole =
                        number.parse::<u16>().is_ok() && *keys == BTreeSet::from(["username", "password"]);
                    verdict.hold(whole, format!("{place}: {application} has login `{number}` with {keys:?}"));
                }
                let keys = plain.get(application).cloned().unwrap_or_default();
                let found = keys == BTreeSet::from(["endpoint", "name", "port"]);
                verdict.hold(found, format!("{place}: {application} finds only {keys:?}"));
            }
        }
        for root in platform.roots() {
            for role in root.resources("aws_iam_role") {
                let name = role.body["name"].as_str().unwrap_or_default();
                for statement in grants(root, role).iter().filter(|it| it.may("ssm:GetParameter")) {
                    verdict.see("reader");
                    // `/project/environment/namespace/…`, only of its own namespace; the Jobs that create the logins read them too.
                    let namespace = name.split_once("-secrets-").map(|it| it.1).unwrap_or_default();
                    for resource in statement.resources() {
                        let path: Vec<&str> = resource
                            .split_once(":parameter/")
                            .map(|(_, it)| it.split('/').collect())
                            .unwrap_or_default();
                        let own = matches!(path[..], [_, _, first, ..] if first == namespace);
                        let login = namespace == "database" && matches!(path[..], [_, _, _, "database", ..]);
                        verdict.hold(own || login, format!("{}: `{name}` reads `{resource}`", root.path));
                    }
                }
            }
        }
    }
}

#[test]
fn t47_minor_versions_come_by_themselves() {
    prove(
        "T47",
        &["database"],
        check,
        &[
            ("database.tf", "postgres_version = \"…\"", "postgres_version = \"17.4\""),
            ("database.tf", "engine_version = …", "engine_version = \"17.4\""),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for (root, database) in databases(platform) {
            verdict.see("database");
            let version = database.body["engine_version"].as_str().unwrap_or_default();
            let major = version.parse::<u8>().is_ok();
            let fixed = database.body["auto_minor_version_upgrade"] == false;
            verdict.hold(major != fixed, format!("{}: `{version}` takes a minor upgrade back", root.path));
        }
    }
}

#[test]
fn t52_a_second_last_snapshot_does_not_meet_the_first() {
    prove(
        "T52",
        &["database"],
        check,
        &[
            (
                "database.tf",
                "final_snapshot_identifier = …",
                "final_snapshot_identifier = \"${local.name}-final\"",
            ),
            (
                "database.tf",
                "final_snapshot_identifier = …",
                "final_snapshot_identifier = \"${local.name}-${timestamp()}\"",
            ),
            ("database.tf", "final_snapshot_identifier = …", ""),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for (root, database) in databases(platform) {
            verdict.see("database");
            let name = database.body["final_snapshot_identifier"].as_str().unwrap_or_default();
            let kinds = ["${aws_kms_key.", "${random_id.", "${random_string.", "${random_pet."];
            let fresh = kinds.iter().any(|it| name.contains(it)) && !name.contains("timestamp(");
            verdict.hold(fresh, format!("{}: the last snapshot is always `{name}`", root.path));
        }
    }
}

/// Trap 64. Trap 65.
#[test]
fn t54_nothing_waits_for_a_delegation() {
    prove(
        "T54",
        &["certificate", "teardown"],
        check,
        &[
            (
                ".tf",
                "resource \"aws_acm_certificate\" \"main\" {",
                "resource \"aws_acm_certificate_validation\" \"main\" {\n  certificate_arn = aws_acm_certificate.main.arn\n}\n\nresource \"aws_acm_certificate\" \"main\" {",
            ),
            (".tf", "check \"certificate\" {", "locals {"),
            ("scripts/teardown", "external-dns/owner=", "external-dns/resource="),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for root in platform.roots() {
            for certificate in root.resources("aws_acm_certificate") {
                verdict.see("certificate");
                let waits = root.resources("aws_acm_certificate_validation").next().is_some();
                verdict.hold(!waits, format!("{}: a first apply hangs until somebody delegates", root.path));
                let told = root.words("check").any(|it| {
                    it.body["assert"].as_array().is_some_and(|it| !it.is_empty())
                        && it.body.to_string().contains("ISSUED")
                });
                verdict.hold(
                    told,
                    format!("{}: nobody learns that `{}` waits", root.path, certificate.address()),
                );
            }
        }
        for (path, text) in platform.files.iter().filter(|(path, _)| path.ends_with("scripts/teardown")) {
            verdict.see("teardown");
            let own = text.contains("external-dns/owner=") && text.contains("change-resource-record-sets");
            verdict.hold(own, format!("{path}: leaves records behind, and the zone cannot go"));
        }
    }
}

/// Trap 60.
#[test]
fn an_ephemeral_value_has_one_reader_at_a_time() {
    prove(
        "Trap 60",
        &["value with two readers"],
        check,
        &[
            (".tf", "depends_on = [aws_db_instance.main]", ""),
            (".tf", "random_password.master[each.key].result", "random_password.master[\"9\"].result"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for root in platform.roots() {
            for value in root.words("ephemeral") {
                let bare = |text: String| text.replace(['"', '\\'], "");
                let name = bare(format!("ephemeral.{}.", value.address()));
                let readers: Vec<&Item> =
                    root.words("resource").filter(|it| bare(it.body.to_string()).contains(&name)).collect();
                let given = readers.iter().any(|it| it.labels[0] == "aws_db_instance");
                verdict.hold(
                    !given || readers.len() > 1,
                    format!("{}: `{name}` is a password that nobody can read", root.path),
                );
                if readers.len() < 2 {
                    continue;
                }
                verdict.see("value with two readers");
                let ordered =
                    readers.iter().filter(|one| readers.iter().any(|other| one.waits_for(other))).count();
                verdict.hold(
                    ordered + 1 >= readers.len(),
                    format!("{}: `{name}` is written twice, in any order", root.path),
                );
                // The number whose change causes a write: the version, or else the number in the key.
                let numbers: BTreeSet<String> = readers
                    .iter()
                    .map(|it| match (&it.body["password_wo_version"], it.key()) {
                        (Value::Null, Some(number)) => number.to_owned(),
                        (version, _) => version.to_string(),
                    })
                    .collect();
                verdict
                    .hold(numbers.len() == 1, format!("{}: `{name}` is written for {numbers:?}", root.path));
            }
        }
    }
}

/// Trap 95. A name that is deleted and created again in one apply is refused, and an overwritten value loses its key.
#[test]
fn a_secret_that_terraform_writes_has_a_number_and_is_written_once() {
    prove(
        "Trap 95",
        &["written secret"],
        check,
        &[
            ("parameters.tf", "/database/master/${each.key}/password", "/database/master/password"),
            ("monitoring.tf", "/grafana/${each.key}/admin-password", "/grafana/admin-password"),
            ("parameters.tf", "value_wo_version = 1", "value_wo_version = 3"),
            ("monitoring.tf", "value_wo_version = 1", "value_wo_version = 2"),
            (
                "parameters.tf",
                "ignore_changes = [key_id, tier]",
                "ignore_changes       = [key_id, tier]\n    replace_triggered_by = [aws_db_instance.main.password_wo_version]",
            ),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for root in platform.roots() {
            for parameter in root.resources("aws_ssm_parameter").filter(|it| !it.body["value_wo"].is_null()) {
                verdict.see("written secret");
                let name = parameter.body["name"].as_str().unwrap_or_default();
                let number = parameter.key().and_then(|it| it.rsplit('/').next()?.parse::<u32>().ok());
                let numbered =
                    number.is_some_and(|number| name.split('/').any(|it| it == number.to_string()));
                verdict.hold(numbered, format!("{}: `{name}` is the name of every value", root.path));
                let once = parameter.body["value_wo_version"] == 1;
                verdict.hold(once, format!("{}: `{name}` is overwritten", root.path));
                let kept = parameter.body["lifecycle"].to_string().contains("replace_triggered_by");
                verdict.hold(!kept, format!("{}: `{name}` is deleted and made again", root.path));
            }
        }
    }
}

/// Trap 61.
#[test]
fn nothing_beside_a_write_only_value_changes_without_it() {
    prove(
        "Trap 61",
        &["write-only parameter"],
        check,
        &[
            (".tf", "ignore_changes = [key_id, tier]", "ignore_changes = [tier]"),
            (".tf", "value_wo_version = 1", "value_wo_version = 1\n  description = \"Of ${local.name}\""),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for root in platform.roots() {
            for parameter in root.resources("aws_ssm_parameter").filter(|it| !it.body["value_wo"].is_null()) {
                verdict.see("write-only parameter");
                let ignored = words(&parameter.body["lifecycle"][0]["ignore_changes"]);
                for key in ["description", "key_id", "tier", "allowed_pattern", "data_type"] {
                    let kept =
                        parameter.body[key].is_null() || ignored.contains(&format!("${{{key}}}").as_str());
                    verdict.hold(
                        kept,
                        format!("{}: a new `{key}` of `{}` would be refused", root.path, parameter.address()),
                    );
                }
            }
        }
    }
}
