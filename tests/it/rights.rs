use std::collections::{BTreeMap, BTreeSet};

use blueprint::{
    blueprint::read,
    components::Component,
    diagnostics::Report,
    infrastructure, plan,
    platform::{self, EnvironmentPlan, Platform},
    rights::{Rights, Stack, Statement},
    source::Source,
};
use serde_json::Value;

use self::queue::Queue;
use crate::{Tree, tree};

/// A made-up component.
mod queue;

fn platform(text: &str) -> Platform {
    let source = Source { path: "rights.toml".to_owned(), text: text.to_owned() };
    let mut report = Report::default();
    let platform = read(&source, &mut report).and_then(|it| platform::resolve(&it, &mut report));
    platform.unwrap_or_else(|| panic!("{}", report.render(&source)))
}

fn minimal() -> String {
    crate::blueprints().remove("minimal.toml").unwrap()
}

/// The platform with the queue, as if the component were in the list.
fn with_queue(queue: &Queue) -> Tree {
    let mut platform = platform(&minimal());
    for plan in &mut platform.environment_plans {
        let contribution = queue.contribute(&plan.environment, &mut Report::default());
        plan.contributions.push(contribution);
        let EnvironmentPlan { environment, contributions, workloads, secrets, .. } = &*plan;
        let rights = infrastructure::rights(environment, contributions, workloads, secrets, false);
        plan.stack = Stack::new(&environment.names(), &rights, true, false);
    }
    tree(plan::plan(platform))
}

const STACK: &str = "infrastructure/environments/production/bootstrap/stack.yaml";

/// The statements of each policy of a stack, by policy and `Sid`.
fn statements(stack: &str) -> BTreeMap<(String, String), Value> {
    let mut found = BTreeMap::new();
    for (name, resource) in read_stack(stack)["Resources"].as_object().unwrap() {
        for statement in
            resource["Properties"]["PolicyDocument"]["Statement"].as_array().into_iter().flatten()
        {
            found.insert((name.clone(), statement["Sid"].as_str().unwrap().to_owned()), statement.clone());
        }
    }
    found
}

fn read_stack(text: &str) -> Value {
    fn plain(value: &serde_yaml::Value) -> Value {
        match value {
            // As long as the value that CloudFormation inserts.
            serde_yaml::Value::Tagged(it) => format!("{:?}{}", it.value, "r".repeat(70)).into(),
            serde_yaml::Value::Sequence(all) => all.iter().map(plain).collect(),
            serde_yaml::Value::Mapping(all) => {
                all.iter().map(|(key, it)| (key.as_str().unwrap().to_owned(), plain(it))).collect()
            }
            other => serde_json::to_value(other).unwrap(),
        }
    }
    plain(&serde_yaml::from_str(text).unwrap())
}

/// One Rust file and its template are enough: the stack grants its permissions and no others, and no other file changes.
#[test]
fn a_component_brings_its_rights() {
    let (before, after) = (tree(plan::plan(platform(&minimal()))), with_queue(&Queue::default()));
    let changed: Vec<&str> = after
        .iter()
        .filter(|(path, text)| before.get(*path) != Some(*text))
        .map(|(path, _)| path.as_str())
        .collect();
    assert_eq!(changed, [STACK, "infrastructure/environments/production/platform/queue.tf"]);
    assert!(before.keys().all(|path| after.contains_key(path)), "a file is gone");
    let (old, new) = (statements(&before[STACK]), statements(&after[STACK]));
    assert!(old.keys().all(|it| new.contains_key(it)), "a statement is gone");
    let added: BTreeSet<(&str, &str)> = new
        .iter()
        .filter(|(key, it)| old.get(*key) != Some(*it))
        .map(|((policy, sid), _)| (policy.as_str(), sid.as_str()))
        .collect();
    let expected = [
        ("ApplyMorePolicy", "ChangeQueue"),
        ("ApplyMorePolicy", "MakeQueue"),
        ("Boundary", "ServicesOfThisRegion"),
        ("ReadPolicy", "Queue"),
    ];
    assert_eq!(added, BTreeSet::from(expected));
    let words = |value: &Value| -> BTreeSet<String> {
        let list = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        list.iter().map(|it| it.as_str().unwrap().to_owned()).collect()
    };
    let of = |all: &BTreeMap<(String, String), Value>, policy: &str, sid: &str| {
        words(&all[&(policy.to_owned(), sid.to_owned())]["Action"])
    };
    let ceiling = |all| of(all, "Boundary", "ServicesOfThisRegion");
    let lifted: Vec<String> = ceiling(&new).difference(&ceiling(&old)).cloned().collect();
    assert_eq!(lifted, ["sqs:ReceiveMessage", "sqs:SendMessage"]);
    assert!(ceiling(&old).is_subset(&ceiling(&new)));
    assert_eq!(of(&new, "ReadPolicy", "Queue").len(), 2);
    let queue = "arn:aws:sqs:eu-west-1:111122223333:orchard-production-orders";
    assert_eq!(
        words(&new[&("ApplyMorePolicy".to_owned(), "ChangeQueue".to_owned())]["Resource"]),
        words(&queue.into())
    );
}

/// The table of calls finds each missing permission.
#[test]
fn a_right_that_is_forgotten_is_found() {
    let wrong = |forgets| crate::checklist::wrong_rights(with_queue(&Queue { forgets, ..Queue::default() }));
    assert_eq!(wrong(None), Vec::<String>::new());
    for (forgets, action) in [
        ("Queue", "sqs:GetQueueAttributes"),
        ("MakeQueue", "sqs:CreateQueue"),
        ("ChangeQueue", "sqs:SetQueueAttributes"),
    ] {
        let wrong = wrong(Some(forgets));
        let named = wrong.iter().any(|it| it.contains(action) && it.contains("is denied to the"));
        assert!(named, "without `{forgets}` nothing is missed: {wrong:?}");
    }
}

/// The limits of IAM and CloudFormation: 6,144 characters for a managed policy, ten of them and 10,240 characters of inline policies
/// for a role, 32,768 for a key policy, 51,200 bytes for a template (IAM User Guide, reference_iam-quotas; KMS Developer Guide,
/// resource-limits; CloudFormation User Guide, cloudformation-limits).
#[test]
fn five_hundred_applications_fit() {
    for identity in ["irsa", "pod-identity"] {
        let mut text =
            minimal().replace("region = ", &format!("workload-identity = \"{identity}\"\nregion = "));
        text += "[applications.shop.secrets]\nPAYMENT = \"payment/key\"\n";
        for number in 0..499 {
            text += &format!(
                "[applications.service-of-shop-{number:03}]\ndatabase = {{}}\npermissions.images = {{ actions = ['s3:GetObject'], resources = ['arn:aws:s3:::orchard-images-of-service-{number:03}/*'] }}\n"
            );
        }
        text += "[applications.shop.database]\n";
        let platform = platform(&text);
        let plan = &platform.environment_plans[0];
        assert!(plan.stack.wide, "so many names do not fit");
        let put: Vec<String> = plan
            .secrets
            .iter()
            .filter(|it| it.writer == blueprint::contribution::Writer::Person)
            .map(|it| it.path(&plan.environment.platform, &plan.environment.name))
            .collect();
        let files = tree(plan::plan(platform));
        let text = &files[STACK];
        assert!(text.len() <= 51_200, "the template has {} bytes", text.len());
        let stack = read_stack(text);
        let mut inline = 0;
        for (name, resource) in stack["Resources"].as_object().unwrap() {
            let length = resource["Properties"]["PolicyDocument"].to_string().len();
            match resource["Type"].as_str().unwrap() {
                "AWS::IAM::ManagedPolicy" => assert!(length <= 6144, "`{name}` has {length} characters"),
                "AWS::IAM::Policy" => inline += length,
                "AWS::IAM::Role" => {
                    let attached = resource["Properties"]["ManagedPolicyArns"].as_array().unwrap().len();
                    assert!(attached <= 10, "`{name}` has {attached} policies");
                }
                _ => {}
            }
        }
        assert!(inline <= 10_240, "the roles have {inline} characters of their own");
        // No pattern of the pipeline matches a secret that a person writes.
        for ((policy, sid), statement) in statements(text) {
            for resource in statement["Resource"]
                .as_array()
                .cloned()
                .unwrap_or_else(|| vec![statement["Resource"].clone()])
            {
                let Some((_, pattern)) = resource.as_str().unwrap().split_once(":parameter") else {
                    continue;
                };
                if pattern.contains("/git/") {
                    continue;
                }
                let reached: Vec<&String> =
                    put.iter().filter(|it| crate::checklist::like(pattern, it)).collect();
                assert!(reached.is_empty(), "{policy}, {sid}: `{pattern}` means {reached:?}");
            }
        }
        let folder = "infrastructure/environments/production/platform/";
        let secrets = &files[&format!("{folder}secrets.tf")];
        let reader = secrets.lines().find(|it| it.trim_start().starts_with("\"database\"")).unwrap();
        assert!(reader.ends_with("= [\"*/database\", \"database\"]"), "{reader}");
        let parameters = &files[&format!("{folder}parameters.tf")];
        let written = parameters.split("written_parameters = [").nth(1).unwrap().split(']').next().unwrap();
        assert!(written.len() < 2000, "the key's policy has no room for {} characters", written.len());
    }
}

/// Statements that do not fit move on: reads into the inline policies of both roles, changes into further policies and then into
/// the inline policy. What does not fit there either is reported with its size.
#[test]
fn rights_are_spread_until_nothing_takes_them() {
    let names = platform(&minimal()).environment_plans[0].environment.names();
    let many = |count: usize, sid: &str| -> Vec<Statement> {
        let statement = |number: usize| {
            let queue = names.arn("sqs", format!("{}{}", "q".repeat(900), number));
            Statement::allow(format!("{sid}{number}"), &["sqs:GetQueueUrl"]).on(vec![queue])
        };
        (0..count).map(statement).collect()
    };
    let stack = |read: usize, change: usize| {
        let rights = Rights { read: many(read, "Read"), change: many(change, "Change"), uses: Vec::new() };
        Stack::new(&names, &rights, true, false)
    };
    let count = |stack: &Stack| {
        let managed = stack.policies.iter().map(|it| it.statements.len()).sum::<usize>();
        managed + stack.plan.len() + stack.apply.len()
    };
    for (read, change, policies, fits) in [
        (5, 5, 2, true),
        (8, 8, 3, true),
        (5, 40, 8, true),
        (5, 60, 10, true),
        (20, 5, 2, false),
        (5, 80, 10, false),
    ] {
        let stack = stack(read, change);
        assert_eq!(count(&stack), read + change, "a statement is lost");
        assert_eq!(stack.policies.len(), policies, "{read} and {change}");
        let excess = stack.excess(&names, 0);
        assert_eq!(excess.is_empty(), fits, "{read} and {change}: {excess:?}");
        assert!(excess.iter().all(|it| it.words().contains(" of 10240")), "{excess:?}");
    }
    let excess = stack(1, 1).excess(&names, 51_201);
    assert!(excess[0].words().contains("51201 bytes of 51200"), "{excess:?}");
    let long = names.arn("sqs", "q".repeat(7000));
    let uses = vec![Statement::allow("Uses", &["sqs:SendMessage"]).on(vec![long])];
    let stack = Stack::new(&names, &Rights { uses, ..Rights::default() }, true, false);
    assert!(stack.excess(&names, 0)[0].words().contains("boundary has 7"), "{:?}", stack.excess(&names, 0));
}

/// The computed lengths are those of the documents that IAM gets.
#[test]
fn lengths_are_those_of_the_documents() {
    let platform = platform(&crate::wide(|_| ()));
    for EnvironmentPlan { environment, stack, .. } in &platform.environment_plans {
        let names = environment.names();
        let text = infrastructure::bootstrap(environment, stack).text();
        let bucket = format!("arn:aws:s3:::{}", names.state_bucket);
        let key = format!("arn:aws:kms:{}:{}:key/{}", names.region, names.account, "0".repeat(36));
        let filled = text
            .replace("!GetAtt StateBucket.Arn", &bucket)
            .replace("!GetAtt StateKey.Arn", &key)
            .replace("!Sub \"${StateBucket.Arn}", &format!("\"{bucket}"));
        let document = read_stack(&filled);
        let mut seen = 0;
        for policy in &stack.policies {
            let resource = &document["Resources"][policy.policy.id()]["Properties"]["PolicyDocument"];
            assert_eq!(policy.length(&names), resource.to_string().len(), "{}", policy.policy.id());
            seen += 1;
        }
        assert!(seen > 5, "the policies were not found");
    }
}

/// A grant allows each call of a platform's own Terraform. Each of its actions is needed for one of them, and without the file none
/// is.
#[test]
fn a_platforms_own_terraform_is_let_through() {
    let orders = "['arn:aws:sqs:eu-west-1:111122223333:orchard-production-orders']";
    let read = "['sqs:GetQueueAttributes', 'sqs:ListQueueTags']";
    let change =
        "['sqs:CreateQueue', 'sqs:DeleteQueue', 'sqs:SetQueueAttributes', 'sqs:TagQueue', 'sqs:UntagQueue']";
    let wrong = |read: &str, change: &str, environments: &str| {
        let grant = format!(
            "[aws.grants.orders]\nenvironments = {environments}\nread = [{{ actions = {read}, resources = {orders} }}]\nchange = [{{ actions = {change}, resources = {orders} }}]\n"
        );
        let text = format!("{}\n{grant}", minimal());
        let mut files = tree(plan::plan(platform(&text)));
        let own = "infrastructure/environments/production/platform/queue.tf";
        files.insert(own.to_owned(), include_str!("rights/queue.tf").to_owned());
        crate::checklist::wrong_rights(files)
    };
    assert_eq!(wrong(read, change, "['production']"), Vec::<String>::new());
    for (read, change, denied) in [
        ("['sqs:GetQueueAttributes']", change, "sqs:ListQueueTags"),
        (
            read,
            "['sqs:CreateQueue', 'sqs:SetQueueAttributes', 'sqs:TagQueue', 'sqs:UntagQueue']",
            "sqs:DeleteQueue",
        ),
    ] {
        let wrong = wrong(read, change, "['production']");
        assert!(wrong.iter().any(|it| it.contains(denied) && it.contains("is denied")), "{wrong:?}");
    }
    let more = change.replace(']', ", 'sqs:PurgeQueue']");
    let wrong_more = wrong(read, &more, "['production']");
    assert!(wrong_more.iter().any(|it| it.contains("nothing needs `sqs:PurgeQueue`")), "{wrong_more:?}");
}

/// Whether two patterns can match the same ARN, for wildcards in both.
#[test]
fn patterns_meet() {
    use blueprint::rights::patterns_overlap;
    for (one, other) in [
        ("a*", "abc"),
        ("abc", "a*"),
        ("a*c", "*bc"),
        ("a*", "*b"),
        ("", "*"),
        ("arn:aws:s3:::orchard-*", "arn:aws:s3:::orchard-production-tfstate-1/*"),
    ] {
        assert!(patterns_overlap(one, other) && patterns_overlap(other, one), "{one} {other}");
    }
    for (one, other) in [("a*", "b*"), ("a", "ab"), ("a*c", "abd"), ("", "a"), ("x/y*", "x/z*")] {
        assert!(!patterns_overlap(one, other) && !patterns_overlap(other, one), "{one} {other}");
    }
}
