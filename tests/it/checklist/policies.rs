// Statements of IAM policies, from HCL and from CloudFormation, in one form.

use serde_json::Value;

use super::{
    Platform,
    documents::Document,
    terraform::{Item, Root, words},
};

pub struct Statement<'a> {
    /// The file and resource that contain it.
    pub place: String,
    pub body: &'a Value,
}

impl<'a> Statement<'a> {
    pub fn all(place: &str, policy: &'a Value) -> Vec<Self> {
        let list = &policy["Statement"];
        let list = list.as_array().map_or_else(|| vec![list], |it| it.iter().collect());
        let place = |it: &Value| format!("{place}, {}", it["Sid"].as_str().unwrap_or("statement"));
        list.into_iter().map(|body| Self { place: place(body), body }).collect()
    }

    pub fn allows(&self) -> bool {
        self.body["Effect"] == "Allow"
    }

    pub fn actions(&self) -> Vec<&'a str> {
        words(&self.body["Action"])
    }

    pub fn resources(&self) -> Vec<&'a str> {
        words(&self.body["Resource"])
    }

    pub fn may(&self, action: &str) -> bool {
        self.allows() && self.actions().iter().any(|it| covers(it, action))
    }

    /// The values that conditions require for a key.
    pub fn demands(&self, test: &str, key: &str) -> Vec<&'a str> {
        words(&self.body["Condition"][test][key])
    }
}

/// Whether an IAM pattern matches an action.
fn covers(pattern: &str, action: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == action,
        Some((start, _)) => action.starts_with(start),
    }
}

/// The policies of a role in a root, without its trust policy.
pub fn grants<'a>(root: &'a Root, role: &Item) -> Vec<Statement<'a>> {
    let own = root.resources("aws_iam_role_policy").filter(|it| role.is_meant_by(&it.body["role"]));
    own.flat_map(|it| Statement::all(&it.address(), &it.body["policy"])).collect()
}

pub fn trust(role: &Item) -> Vec<Statement<'_>> {
    Statement::all(&role.address(), &role.body["assume_role_policy"])
}

/// A bootstrap stack.
pub struct Stack<'a> {
    pub environment: &'a str,
    pub document: &'a Document,
}

impl<'a> Stack<'a> {
    pub fn all(platform: &'a Platform) -> impl Iterator<Item = Self> {
        platform
            .documents()
            .filter_map(|document| Some(Self { environment: document.environment()?, document }))
    }

    pub fn resources(&self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let resources = self.document.value()["Resources"].as_object().unwrap();
        resources.iter().filter(move |(_, it)| it["Type"] == kind).map(|(name, it)| (name.as_str(), it))
    }

    /// A role by the end of its name.
    pub fn role(&self, end: &str) -> Option<&'a Value> {
        let mut roles = self.resources("AWS::IAM::Role").map(|(_, it)| &it["Properties"]);
        roles.find(|it| it["RoleName"].as_str().unwrap_or_default().ends_with(end))
    }

    pub fn trust(&self, end: &str) -> Vec<Statement<'a>> {
        let role = self.role(end);
        role.map(|it| Statement::all(end, &it["AssumeRolePolicyDocument"])).unwrap_or_default()
    }

    /// The policies that the stack attaches to a role.
    pub fn grants(&self, end: &str) -> Vec<Statement<'a>> {
        let role = self.role(end).unwrap_or(&Value::Null);
        let attached = words(&role["ManagedPolicyArns"]);
        let all =
            ["AWS::IAM::ManagedPolicy", "AWS::IAM::Policy"].into_iter().flat_map(|it| self.resources(it));
        let managed = all.filter(|(name, it)| {
            let roles = words(&it["Properties"]["Roles"]);
            attached.contains(&format!("${{{name}}}").as_str())
                || roles.iter().any(|it| it.trim_matches(['$', '{', '}']) == self.name(end))
        });
        let inline = role["Policies"].as_array().into_iter().flatten();
        managed
            .map(|(_, it)| &it["Properties"]["PolicyDocument"])
            .chain(inline.map(|it| &it["PolicyDocument"]))
            .flat_map(|it| Statement::all(end, it))
            .collect()
    }

    fn name(&self, end: &str) -> &'a str {
        let mut roles = self.resources("AWS::IAM::Role");
        let named = |it: &Value| it["Properties"]["RoleName"].as_str().unwrap_or_default().ends_with(end);
        roles.find(|(_, it)| named(it)).map(|(name, _)| name).unwrap_or_default()
    }
}
