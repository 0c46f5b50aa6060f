// Evaluates one request: statements, wildcards, conditions. The caller selects the policies.

use std::collections::BTreeMap;

use serde_json::Value;

use super::terraform::words;

/// The values of a request, by condition key in lower case.
pub type Context = BTreeMap<String, Vec<String>>;

/// One action on one resource. A call about several resources is several requests, and each must be allowed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    pub action: String,
    pub resource: String,
    pub context: Context,
}

/// A statement of a policy, with its references replaced.
#[derive(Clone)]
pub struct Rule {
    /// The text of the statement. Statements with the same text are equal.
    pub text: String,
    pub sid: String,
    pub allows: bool,
    pub actions: Vec<String>,
    /// Whether it applies to every action except these.
    excludes: bool,
    pub resources: Vec<String>,
    pub conditions: Vec<Condition>,
}

#[derive(Clone)]
pub struct Condition {
    pub test: String,
    pub key: String,
    pub values: Vec<String>,
}

impl Rule {
    /// Reads a statement. `replace` resolves a value, such as a reference to an ARN.
    pub fn read(body: &Value, replace: impl Fn(&str) -> String) -> Self {
        let list = |value: &Value| words(value).into_iter().map(&replace).collect::<Vec<_>>();
        let tests = body["Condition"].as_object().into_iter().flatten();
        let conditions = tests.flat_map(|(test, keys)| {
            keys.as_object().into_iter().flatten().map(|(key, value)| Condition {
                test: test.clone(),
                key: replace(key),
                values: if value.is_boolean() { vec![value.to_string()] } else { list(value) },
            })
        });
        let excludes = !body["NotAction"].is_null();
        assert!(body["NotResource"].is_null() && body["NotPrincipal"].is_null(), "{body} is not understood");
        Self {
            text: body.to_string(),
            sid: body["Sid"].as_str().unwrap_or_default().to_owned(),
            allows: body["Effect"] == "Allow",
            actions: list(&body[if excludes { "NotAction" } else { "Action" }]),
            excludes,
            resources: list(&body["Resource"]),
            conditions: conditions.collect(),
        }
    }

    /// IAM ignores the case of actions; policies and the table of calls both use the spelling of AWS.
    pub fn is_about(&self, action: &str) -> bool {
        self.actions.iter().any(|it| like(it, action)) != self.excludes
    }

    fn meets(&self, request: &Request) -> bool {
        self.is_about(&request.action)
            && self.resources.iter().any(|it| like(it, &request.resource))
            && self.conditions.iter().all(|it| it.holds(&request.context))
    }
}

/// Whether a list of rules allows a request. A denial overrides all others.
pub fn allows<'a>(rules: impl IntoIterator<Item = &'a Rule>, request: &Request) -> bool {
    let mut allowed = false;
    for rule in rules.into_iter().filter(|it| it.meets(request)) {
        if !rule.allows {
            return false;
        }
        allowed = true;
    }
    allowed
}

impl Condition {
    fn holds(&self, context: &Context) -> bool {
        let found = context.get(&self.key.to_lowercase());
        let (set, test) = self.test.split_once(':').map_or(("", self.test.as_str()), |(set, it)| (set, it));
        if test == "Null" {
            return self.values == [found.is_none().to_string()];
        }
        let (test, may_miss) = test.strip_suffix("IfExists").map_or((test, false), |it| (it, true));
        let negated = test.contains("Not");
        let Some(found) = found else { return may_miss || negated || set == "ForAllValues" };
        let one = |value: &String| self.values.iter().any(|it| compares(test, it, value)) != negated;
        match set {
            "ForAllValues" => found.iter().all(one),
            "ForAnyValue" | "" => found.iter().any(one),
            other => panic!("`{other}` is not understood"),
        }
    }
}

/// Whether a value matches a test that is not negated.
fn compares(test: &str, wanted: &str, value: &str) -> bool {
    match test {
        "StringEquals" | "StringNotEquals" => wanted == value,
        "StringLike" | "StringNotLike" | "ArnEquals" | "ArnLike" | "ArnNotEquals" | "ArnNotLike" => {
            like(wanted, value)
        }
        "Bool" | "StringEqualsIgnoreCase" => wanted.eq_ignore_ascii_case(value),
        "NumericLessThan" => value.parse::<f64>().unwrap() < wanted.parse::<f64>().unwrap(),
        other => panic!("`{other}` is not understood"),
    }
}

/// `*` is any characters, `?` one.
pub fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut from) = (0, 0);
    let mut star = None;
    while from < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(it) if *it == b'?' || *it == text[from] => (at, from) = (at + 1, from + 1),
            _ => match star {
                Some((place, taken)) => {
                    star = Some((place, taken + 1));
                    (at, from) = (place + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|it| *it == b'*')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asks(action: &str, resource: &str, context: &[(&str, &[&str])]) -> Request {
        let entry = |(key, values): &(&str, &[&str])| {
            (key.to_lowercase(), values.iter().map(|it| (*it).to_owned()).collect())
        };
        let (action, resource) = (action.to_owned(), resource.to_owned());
        Request { action, resource, context: context.iter().map(entry).collect() }
    }

    fn rule(body: Value) -> Rule {
        Rule::read(&body, str::to_owned)
    }

    #[test]
    fn wildcards() {
        for (pattern, text) in [("*", ""), ("a*c", "abbc"), ("a?c", "abc"), ("a*b*c", "aXbYbZc"), ("a", "a")]
        {
            assert!(like(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a*c", "abd"), ("a?c", "ac"), ("a", "ab"), ("", "a"), ("*:x/*", "a:y/z")] {
            assert!(!like(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_denial_has_the_last_word() {
        let allow = rule(json!({ "Effect": "Allow", "Action": "s3:*", "Resource": "*" }));
        let deny = rule(json!({ "Effect": "Deny", "NotAction": "s3:Get*", "Resource": "arn:x/*" }));
        let both = [allow, deny];
        assert!(allows(&both, &asks("s3:GetObject", "arn:x/1", &[])));
        assert!(!allows(&both, &asks("s3:PutObject", "arn:x/1", &[])));
        assert!(allows(&both, &asks("s3:PutObject", "arn:y/1", &[])));
        assert!(!allows(&both, &asks("ec2:RunInstances", "arn:y/1", &[])));
    }

    #[test]
    fn conditions() {
        let holds = |test: &str, key: &str, values: Value, context: &[(&str, &[&str])]| {
            let body = json!({ "Effect": "Allow", "Action": "a:b", "Resource": "*", "Condition": { test: { key: values } } });
            allows([&rule(body)], &asks("a:b", "r", context))
        };
        let tag: (&str, &[&str]) = ("aws:ResourceTag/Project", &["x"]);
        assert!(holds("StringEquals", "aws:resourceTag/project", json!("x"), &[tag]));
        assert!(!holds("StringEquals", "aws:ResourceTag/project", json!("X"), &[tag]));
        assert!(!holds("StringEquals", "aws:ResourceTag/project", json!("x"), &[]));
        assert!(holds("StringNotEquals", "k", json!(["x", "y"]), &[]));
        assert!(!holds("StringNotEquals", "k", json!(["x", "y"]), &[("k", &["y"])]));
        assert!(holds("StringEqualsIfExists", "k", json!("x"), &[]));
        assert!(!holds("BoolIfExists", "k", json!("true"), &[("k", &["false"])]));
        assert!(
            holds("Null", "k", json!("true"), &[]) && !holds("Null", "k", json!("true"), &[("k", &["x"])])
        );
        assert!(
            holds("Null", "k", json!("false"), &[("k", &["x"])]) && !holds("Null", "k", json!("false"), &[])
        );
        assert!(holds("ForAllValues:StringLike", "k", json!("x*"), &[("k", &["xa", "xb"])]));
        assert!(!holds("ForAllValues:StringLike", "k", json!("x*"), &[("k", &["xa", "b"])]));
        assert!(holds("ForAllValues:StringEquals", "k", json!("x"), &[]));
        assert!(holds("ForAnyValue:StringEquals", "k", json!("x"), &[("k", &["y", "x"])]));
        assert!(!holds("ForAnyValue:StringEquals", "k", json!("x"), &[]));
        assert!(holds("NumericLessThan", "k", json!("1.2"), &[("k", &["1.1"])]));
        assert!(holds("ArnLike", "k", json!("arn:*:x"), &[("k", &["arn:y:x"])]));
    }
}
