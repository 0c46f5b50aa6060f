// Reads a root's HCL into values: locals, templates, `for` and `for_each` are evaluated, so that a check sees the values of
// Terraform. Values that only AWS knows stay expressions between `${` and `}`.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, LazyLock, Mutex},
};

use hcl::{
    Body, Expression, Structure,
    expr::{
        BinaryOperator, ForExpr, FuncCall, ObjectKey, Operation, TemplateExpr, Traversal, TraversalOperator,
    },
    template::{Element, Template},
};
use serde_json::{Map, Value, json};

use crate::Tree;

/// The configuration of one state.
pub struct Root {
    /// The path of its folder: `infrastructure/environments/production/platform`.
    pub path: String,
    pub environment: String,
    /// `platform` or `gitops`.
    pub name: String,
    pub items: Vec<Arc<Item>>,
    files: BTreeMap<String, Arc<Body>>,
    locals: BTreeMap<String, Expression>,
}

/// One block, or one instance of a resource with `for_each`.
pub struct Item {
    /// Such as `resource`, `data`, `provider`.
    pub word: String,
    pub labels: Vec<String>,
    /// Attributes by name, blocks as lists.
    pub body: Value,
    key: Option<String>,
    /// The name of its file.
    file: String,
}

impl Item {
    pub fn address(&self) -> String {
        let key = self.key.as_ref().map(|key| format!("[{key:?}]")).unwrap_or_default();
        format!("{}{key}", self.labels.join("."))
    }

    /// Its key in `for_each`.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Whether an expression refers to this resource: to this instance, or to all of them.
    pub fn is_meant_by(&self, text: &Value) -> bool {
        let name = self.labels.join(".");
        let text = text.as_str().unwrap_or_default();
        text.match_indices(&name).any(|(at, _)| {
            let (before, after) = (&text[..at], &text[at + name.len()..]);
            let ends = |it: Option<char>| it.is_none_or(|it| !it.is_alphanumeric() && !"_-".contains(it));
            let own = self.key.as_ref().is_none_or(|key| after.starts_with(&format!("[{key:?}]")));
            ends(after.chars().next())
                && ends(before.chars().next_back())
                && !before.ends_with('.')
                && (own || !after.starts_with("[\""))
        })
    }

    /// The same for a list of expressions.
    pub fn is_among(&self, list: &Value) -> bool {
        words(list).iter().any(|it| self.is_meant_by(&json!(it)))
    }

    /// Whether it depends on another one: by `depends_on`, or by a reference.
    pub fn waits_for(&self, other: &Self) -> bool {
        let mut found = Vec::new();
        attributes(&self.body, &mut found);
        found.iter().any(|(_, value)| other.is_among(value))
    }
}

impl Root {
    pub fn all(files: &Tree) -> Vec<Self> {
        let mut roots: BTreeMap<&str, BTreeMap<String, Arc<Body>>> = BTreeMap::new();
        for (path, text) in files {
            let Some((folder, file)) = path.rsplit_once('/') else { continue };
            if file.ends_with(".tf") {
                roots.entry(folder).or_default().insert(file.to_owned(), parsed(path, text));
            }
        }
        roots.into_iter().map(|(path, files)| Self::new(path, files, None)).collect()
    }

    /// Whether a file is one of its own.
    pub fn holds(&self, path: &str) -> bool {
        path.rsplit_once('/')
            .is_some_and(|(folder, file)| folder == self.path && self.files.contains_key(file))
    }

    /// A copy in which one of its files has another text.
    pub fn with(&self, path: &str, text: &str) -> Self {
        let (folder, file) = path.rsplit_once('/').unwrap();
        let mut files = self.files.clone();
        files.insert(file.to_owned(), parsed(path, text));
        Self::new(folder, files, Some(self))
    }

    /// Reuses the values of another root for the same files.
    fn new(path: &str, files: BTreeMap<String, Arc<Body>>, known: Option<&Self>) -> Self {
        let mut parts = path.rsplit('/');
        let (name, environment) = (parts.next().unwrap(), parts.next().unwrap_or_default());
        let blocks = || files.values().flat_map(|body| body.blocks());
        let locals = blocks().filter(|it| it.identifier() == "locals").flat_map(|it| it.body().attributes());
        let locals = locals.map(|it| (it.key().to_owned(), it.expr.clone())).collect();
        let known = known.filter(|it| it.locals == locals);
        let mut items = Vec::new();
        for (file, body) in &files {
            match known.filter(|it| it.files.get(file).is_some_and(|known| Arc::ptr_eq(known, body))) {
                Some(known) => items.extend(known.items.iter().filter(|it| it.file == *file).cloned()),
                None => items.extend(worked_out(file, body, &locals).into_iter().map(Arc::new)),
            }
        }
        Self {
            path: path.to_owned(),
            environment: environment.to_owned(),
            name: name.to_owned(),
            items,
            files,
            locals,
        }
    }

    pub fn words(&self, word: &str) -> impl Iterator<Item = &Item> {
        self.items.iter().map(Arc::as_ref).filter(move |it| it.word == word)
    }

    pub fn resources(&self, kind: &str) -> impl Iterator<Item = &Item> {
        self.words("resource").filter(move |it| it.labels[0] == kind)
    }

    /// How often a word is a complete value in the files.
    pub fn mentions(&self, word: &str) -> usize {
        fn within(expr: &Expression, word: &str) -> usize {
            match expr {
                Expression::String(it) => usize::from(it == word),
                Expression::Array(list) => list.iter().map(|it| within(it, word)).sum(),
                Expression::Object(object) => object.values().map(|it| within(it, word)).sum(),
                _ => 0,
            }
        }
        fn inside(body: &Body, word: &str) -> usize {
            let one = |it: &Structure| match it {
                Structure::Attribute(it) => within(&it.expr, word),
                Structure::Block(it) => inside(&it.body, word),
            };
            body.iter().map(one).sum()
        }
        self.files.values().map(|body| inside(body, word)).sum()
    }
}

/// The blocks of one file.
fn worked_out(file: &str, body: &Body, locals: &BTreeMap<String, Expression>) -> Vec<Item> {
    let scope = Scope { locals, names: Vec::new() };
    let mut items = Vec::new();
    for block in body.blocks().filter(|it| it.identifier() != "locals") {
        let labels: Vec<String> = block.labels().iter().map(|it| it.as_str().to_owned()).collect();
        let each = block.body().attributes().find(|it| it.key() == "for_each");
        let mut add = |scope: &Scope, key| {
            let (word, labels) = (block.identifier().to_owned(), labels.clone());
            items.push(Item { file: file.to_owned(), word, labels, key, body: scope.body(block.body()) });
        };
        match each.map(|it| entries(&scope.value(&it.expr))) {
            Some(Some(entries)) => {
                for (key, value) in entries {
                    add(&scope.with("each", json!({ "key": key, "value": value })), Some(key));
                }
            }
            _ => add(&scope, None),
        }
    }
    items
}

/// A list of words, or one word.
pub fn words(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        Value::String(one) => vec![one],
        _ => Vec::new(),
    }
}

/// Every attribute at any depth, with its name.
pub fn attributes<'a>(value: &'a Value, found: &mut Vec<(&'a str, &'a Value)>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                found.push((key, value));
                attributes(value, found);
            }
        }
        Value::Array(list) => list.iter().for_each(|it| attributes(it, found)),
        _ => {}
    }
}

/// Parsing takes most of the time, and most files occur in many trees.
pub fn parsed(path: &str, text: &str) -> Arc<Body> {
    static READ: LazyLock<Mutex<HashMap<String, Arc<Body>>>> = LazyLock::new(Default::default);
    if let Some(body) = READ.lock().unwrap().get(text) {
        return body.clone();
    }
    let body = hcl::parse(text).unwrap_or_else(|error| panic!("`{path}` does not read: {error}"));
    READ.lock().unwrap().entry(text.to_owned()).or_insert(Arc::new(body)).clone()
}

/// The parts of a template, which is parsed only when it is needed.
fn understood(expr: &TemplateExpr) -> Arc<Template> {
    static READ: LazyLock<Mutex<HashMap<String, Arc<Template>>>> = LazyLock::new(Default::default);
    let text = expr.to_string();
    if let Some(template) = READ.lock().unwrap().get(&text) {
        return template.clone();
    }
    let template = Arc::new(Template::from_expr(expr).unwrap());
    READ.lock().unwrap().entry(text).or_insert(template).clone()
}

/// The values of names in a scope.
struct Scope<'a> {
    locals: &'a BTreeMap<String, Expression>,
    names: Vec<(String, Value)>,
}

impl Scope<'_> {
    fn with(&self, name: &str, value: Value) -> Self {
        let mut names = self.names.clone();
        names.insert(0, (name.to_owned(), value));
        Scope { locals: self.locals, names }
    }

    fn body(&self, body: &Body) -> Value {
        let mut object = Map::new();
        for structure in body.iter() {
            let block = match structure {
                Structure::Attribute(it) => {
                    object.insert(it.key().to_owned(), self.value(&it.expr));
                    continue;
                }
                Structure::Block(it) => it,
            };
            let mut add = |name: &str, value| {
                let list = object.entry(name).or_insert_with(|| json!([]));
                list.as_array_mut().unwrap().push(value);
            };
            let label = block.labels().first().map(|it| it.as_str());
            if let (Some(name), "dynamic") = (label, block.identifier()) {
                let each = block.body().attributes().find(|it| it.key() == "for_each").unwrap();
                let content = block.body().blocks().find(|it| it.identifier() == "content").unwrap();
                for (key, value) in entries(&self.value(&each.expr)).unwrap_or_default() {
                    let each = json!({ "key": key, "value": value });
                    add(name, self.with(name, each).body(content.body()));
                }
            } else {
                let mut value = self.body(block.body());
                if let Some(label) = label {
                    value["label"] = json!(label);
                }
                add(block.identifier(), value);
            }
        }
        Value::Object(object)
    }

    fn value(&self, expr: &Expression) -> Value {
        match expr {
            Expression::Null => Value::Null,
            Expression::Bool(it) => json!(it),
            Expression::Number(it) => json!(it),
            Expression::String(it) => json!(it),
            Expression::Array(list) => list.iter().map(|it| self.value(it)).collect(),
            Expression::Object(object) => {
                let entry = |(key, value): (&ObjectKey, &Expression)| {
                    let key = match key {
                        ObjectKey::Expression(key) => text(&self.value(key)),
                        key => key.to_string(),
                    };
                    (key, self.value(value))
                };
                Value::Object(object.iter().map(entry).collect())
            }
            Expression::TemplateExpr(it) => self.template(it),
            Expression::Variable(name) => self.name(name.as_str()).unwrap_or_else(|| unknown(expr)),
            Expression::Traversal(it) => self.traversal(it),
            Expression::FuncCall(it) => self.call(it).unwrap_or_else(|| unknown(expr)),
            Expression::Parenthesis(it) => self.value(it),
            Expression::Conditional(it) => match self.value(&it.cond_expr) {
                Value::Bool(true) => self.value(&it.true_expr),
                Value::Bool(false) => self.value(&it.false_expr),
                _ => unknown(expr),
            },
            Expression::Operation(it) => self.comparison(it).unwrap_or_else(|| unknown(expr)),
            Expression::ForExpr(it) => self.each(it).unwrap_or_else(|| unknown(expr)),
            other => unknown(other),
        }
    }

    fn name(&self, name: &str) -> Option<Value> {
        self.names.iter().find(|(it, _)| it == name).map(|(_, value)| value.clone())
    }

    fn template(&self, expr: &TemplateExpr) -> Value {
        let template = understood(expr);
        let parts: Vec<Value> = template
            .elements()
            .iter()
            .map(|it| match it {
                Element::Literal(it) => json!(it),
                Element::Interpolation(it) => self.value(&it.expr),
                Element::Directive(_) => panic!("a directive, which nobody reads: {expr}"),
            })
            .collect();
        if let [one] = parts.as_slice() {
            one.clone()
        } else {
            json!(parts.iter().map(text).collect::<String>())
        }
    }

    fn traversal(&self, it: &Traversal) -> Value {
        let mut operators = it.operators.as_slice();
        let known = match (&it.expr, operators) {
            (Expression::Variable(name), [TraversalOperator::GetAttr(local), rest @ ..])
                if name.as_str() == "local" =>
            {
                operators = rest;
                self.locals
                    .get(local.as_str())
                    .map(|it| Scope { locals: self.locals, names: Vec::new() }.value(it))
            }
            (Expression::Variable(name), _) => self.name(name.as_str()),
            (other, _) => Some(self.value(other)).filter(|it| !is_unknown(it)),
        };
        let mut value = known;
        for operator in operators {
            value = value.and_then(|value| match operator {
                TraversalOperator::GetAttr(name) => value.get(name.as_str()).cloned(),
                TraversalOperator::Index(index) => match self.value(index) {
                    Value::String(key) => value.get(key).cloned(),
                    index => value.get(usize::try_from(index.as_u64()?).ok()?).cloned(),
                },
                _ => None,
            });
        }
        value.unwrap_or_else(|| {
            let mut words = it.expr.to_string();
            for operator in &it.operators {
                words += &match operator {
                    TraversalOperator::GetAttr(name) => format!(".{}", name.as_str()),
                    TraversalOperator::Index(index) => format!("[{}]", self.value(index)),
                    TraversalOperator::LegacyIndex(index) => format!(".{index}"),
                    TraversalOperator::AttrSplat => ".*".to_owned(),
                    TraversalOperator::FullSplat => "[*]".to_owned(),
                };
            }
            json!(format!("${{{words}}}"))
        })
    }

    fn call(&self, call: &FuncCall) -> Option<Value> {
        let arguments: Vec<Value> = call.args.iter().map(|it| self.value(it)).collect();
        let lists = || arguments.iter().map(|it| it.as_array().cloned().unwrap_or(vec![it.clone()]));
        Some(match (call.name.name.as_str(), arguments.as_slice()) {
            ("jsonencode" | "toset" | "tolist" | "sensitive", [one]) => one.clone(),
            ("concat", _) => lists().flatten().collect(),
            ("flatten", [Value::Array(list)]) => {
                list.iter().flat_map(|it| it.as_array().cloned().unwrap_or(vec![it.clone()])).collect()
            }
            ("keys", [Value::Object(object)]) => object.keys().map(|it| json!(it)).collect(),
            ("values", [Value::Object(object)]) => object.values().cloned().collect(),
            ("merge", _) if arguments.iter().all(Value::is_object) => {
                let entries = arguments.iter().flat_map(|it| it.as_object().unwrap().clone());
                Value::Object(entries.collect())
            }
            _ => return None,
        })
    }

    fn comparison(&self, it: &Operation) -> Option<Value> {
        let Operation::Binary(it) = it else { return None };
        let (left, right) = (self.value(&it.lhs_expr), self.value(&it.rhs_expr));
        match it.operator {
            // A value that only AWS knows may be null, but an attribute of a resource is not.
            BinaryOperator::Eq | BinaryOperator::NotEq
                if right.is_null() || !is_unknown(&left) && !is_unknown(&right) =>
            {
                Some(json!((left == right) == (it.operator == BinaryOperator::Eq)))
            }
            _ => None,
        }
    }

    fn each(&self, it: &ForExpr) -> Option<Value> {
        let collection = self.value(&it.collection_expr);
        let list = collection.is_array();
        let (mut pairs, mut values) = (Map::new(), Vec::new());
        for (place, (key, value)) in entries(&collection)?.into_iter().enumerate() {
            let mut scope = self.with(it.value_var.as_str(), value);
            if let Some(name) = &it.key_var {
                scope = scope.with(name.as_str(), if list { json!(place) } else { json!(key) });
            }
            if it.cond_expr.as_ref().is_some_and(|it| scope.value(it) == false) {
                continue;
            }
            let value = scope.value(&it.value_expr);
            match &it.key_expr {
                Some(key) => drop(pairs.insert(text(&scope.value(key)), value)),
                None => values.push(value),
            }
        }
        Some(if it.key_expr.is_some() { Value::Object(pairs) } else { Value::Array(values) })
    }
}

/// The items of `for_each`. None if only AWS knows them.
fn entries(value: &Value) -> Option<Vec<(String, Value)>> {
    match value {
        Value::Object(object) => {
            Some(object.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
        }
        Value::Array(list) => Some(list.iter().map(|it| (text(it), it.clone())).collect()),
        _ => None,
    }
}

fn text(value: &Value) -> String {
    value.as_str().map(str::to_owned).unwrap_or_else(|| value.to_string())
}

fn unknown(expr: &Expression) -> Value {
    json!(format!("${{{expr}}}"))
}

pub fn is_unknown(value: &Value) -> bool {
    value.as_str().is_some_and(|it| it.starts_with("${"))
}

#[test]
fn hcl_is_worked_out() {
    let text = r#"
        locals {
            name  = "a-b"
            zones = { "z1" = { range = "10.0.0.0/19" }, "z2" = { range = "10.0.32.0/19" } }
        }
        resource "aws_subnet" "private" {
            for_each   = local.zones
            cidr_block = each.value.range
            tags       = merge({ Name = "${local.name}-${each.key}" }, { x = aws_vpc.main.id })
        }
        resource "aws_thing" "one" {
            policy     = jsonencode({ Statement = concat([{ Sid = "A" }], [{ Sid = local.missing }]) })
            subnet_ids = [for zone in keys(local.zones) : aws_subnet.private[zone].id]
            dynamic "rule" {
                for_each = local.name == null ? {} : { (local.name) = aws_role.one.arn }
                content { port = "${rule.key} ${rule.value}" }
            }
        }"#;
    let files = Tree::from([("x/environments/e/platform/a.tf".to_owned(), text.to_owned())]);
    let roots = Root::all(&files);
    let items: Vec<(String, &Value)> = roots[0].items.iter().map(|it| (it.address(), &it.body)).collect();
    assert_eq!((roots[0].environment.as_str(), roots[0].name.as_str()), ("e", "platform"));
    assert_eq!(items[1].0, "aws_subnet.private[\"z2\"]");
    assert_eq!(items[1].1["cidr_block"], "10.0.32.0/19");
    assert_eq!(items[1].1["tags"], json!({ "Name": "a-b-z2", "x": "${aws_vpc.main.id}" }));
    assert_eq!(items[2].1["policy"], json!({ "Statement": [{ "Sid": "A" }, { "Sid": "${local.missing}" }] }));
    assert_eq!(items[2].1["subnet_ids"][0], "${aws_subnet.private[\"z1\"].id}");
    assert_eq!(items[2].1["rule"], json!([{ "port": "a-b ${aws_role.one.arn}" }]));
    let meant = |at: usize| roots[0].items[at].is_meant_by(&items[2].1["subnet_ids"][0]);
    assert!(meant(0) && !meant(1));
    assert!(!roots[0].items[0].is_meant_by(&json!("${aws_subnet.private_db.id}")));
    assert_eq!(roots[0].mentions("a-b"), 1);
}
