use serde_yaml::Value;

use crate::DRAWN;

fn stacks() -> Vec<(String, Value)> {
    let files = DRAWN.iter().flat_map(|(name, files)| files.iter().map(move |it| (name, it)));
    let stacks = files.filter(|(_, (path, _))| path.ends_with("/bootstrap/stack.yaml"));
    stacks
        .map(|(name, (path, text))| (format!("{name}: {path}"), serde_yaml::from_str(text).unwrap()))
        .collect()
}

/// The template after CloudFormation resolved it, with references of the maximum length.
fn plain(value: &Value) -> serde_json::Value {
    match value {
        Value::Tagged(_) => "r".repeat(120).into(),
        Value::Sequence(all) => all.iter().map(plain).collect(),
        Value::Mapping(all) => {
            all.iter().map(|(key, it)| (key.as_str().unwrap().to_owned(), plain(it))).collect()
        }
        other => serde_json::to_value(other).unwrap(),
    }
}

fn statements(policy: &serde_json::Value) -> &Vec<serde_json::Value> {
    policy["Properties"]["PolicyDocument"]["Statement"].as_array().unwrap()
}

fn words(value: &serde_json::Value) -> Vec<&str> {
    value
        .as_str()
        .into_iter()
        .chain(value.as_array().into_iter().flatten().filter_map(|it| it.as_str()))
        .collect()
}

/// IAM allows 6144 characters for a managed policy, and ten of them for a role.
#[test]
fn policies_fit() {
    let mut seen = 0;
    for (path, stack) in stacks() {
        for (name, resource) in plain(&stack["Resources"]).as_object().unwrap() {
            if resource["Type"] == "AWS::IAM::ManagedPolicy" {
                let length = resource["Properties"]["PolicyDocument"].to_string().len();
                assert!(length <= 6144, "`{path}`: `{name}` has {length} characters");
                seen += 1;
            }
            let attached = resource["Properties"]["ManagedPolicyArns"].as_array().map_or(0, Vec::len);
            assert!(attached <= 10, "`{path}`: `{name}` has {attached} policies");
        }
    }
    assert!(seen > 20, "the policies were not found");
}

/// T49: a plan writes only its lock, and no policy of the plan role names a secret that a person writes.
#[test]
fn t49_a_plan_only_reads() {
    let read = ["Describe", "Get", "List"];
    for (path, stack) in stacks() {
        let resources = plain(&stack["Resources"]);
        let policies =
            stack["Resources"]["PlanRole"]["Properties"]["ManagedPolicyArns"].as_sequence().unwrap();
        for policy in policies {
            let Value::Tagged(reference) = policy else { panic!("`{path}`: a policy of somebody else") };
            for statement in statements(&resources[reference.value.as_str().unwrap()]) {
                let known = ["Lock", "StateKey"].contains(&statement["Sid"].as_str().unwrap());
                for action in words(&statement["Action"]) {
                    let verb = action.split(':').nth(1).unwrap();
                    assert!(
                        known || read.iter().any(|it| verb.starts_with(it)),
                        "`{path}` lets a plan `{action}`"
                    );
                    if verb.starts_with("GetParameter") {
                        for resource in words(&statement["Resource"]) {
                            let open = ["/git/", "/registry/", "/alertmanager/", "*:parameter/*"];
                            assert!(
                                !open.iter().any(|it| resource.contains(it)),
                                "`{path}`: a plan reads `{resource}`"
                            );
                            assert!(
                                resource.split('/').filter(|it| !it.is_empty()).count() >= 5,
                                "`{resource}`"
                            );
                        }
                    }
                }
            }
        }
    }
}

/// T51: roles are passed by name, and every role that Terraform creates has the boundary.
#[test]
fn t51_roles_are_passed_by_name() {
    for (path, stack) in stacks() {
        let resources = plain(&stack["Resources"]);
        let mut passed = 0;
        for statement in statements(&resources["ApplyIdentityPolicy"]) {
            let actions = words(&statement["Action"]);
            if actions.contains(&"iam:PassRole") {
                passed += 1;
                for role in words(&statement["Resource"]) {
                    assert!(!role.contains('*'), "`{path}` passes `{role}`");
                }
            }
            if actions.contains(&"iam:CreateRole") {
                let boundary = &statement["Condition"]["StringEquals"]["iam:PermissionsBoundary"];
                assert!(
                    boundary.as_str().unwrap().contains(":policy/"),
                    "`{path}` makes roles without a boundary"
                );
            }
        }
        assert!(passed >= 4, "`{path}`: the roles were not found");
    }
}

/// The apply role may neither create nor pass a role outside the path.
#[test]
fn every_role_lies_below_the_path() {
    let mut roles = 0;
    for (path, text) in crate::tree(crate::plan(&crate::wide(|_| ()))) {
        if !path.ends_with(".tf") {
            continue;
        }
        let body = hcl::parse(&text).unwrap();
        for role in
            body.blocks().filter(|it| it.labels().first().is_some_and(|it| it.as_str() == "aws_iam_role"))
        {
            let lies = role.body().attributes().any(|it| it.key() == "path");
            assert!(lies, "`{path}`: `{}` lies beside the path", role.labels()[1].as_str());
            roles += 1;
        }
    }
    assert!(roles > 10, "the roles were not found");
}
