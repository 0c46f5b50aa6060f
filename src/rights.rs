//! The AWS permissions of the pipeline and of the platform's roles. Each module that needs permissions returns typed statements;
//! only this module arranges them into the policies of the bootstrap stack, within the limits of IAM and CloudFormation.

use std::fmt;

use crate::{
    catalogue::Region,
    words::{Bareword, Name, RolePath, StackWord, Text},
};

mod spec;
mod limits;

pub use limits::{Excess, INLINE, length};
pub use spec::{IamAction, Resource, Spec, has_name_prefix, patterns_overlap};

/// The permissions that one part of a platform needs.
#[derive(Clone, Debug, Default)]
pub struct Rights {
    /// What a plan reads. The apply role has these permissions as well.
    pub read: Vec<Statement>,
    /// What an apply changes, and which roles it passes to which service.
    pub change: Vec<Statement>,
    /// What the roles that Terraform creates are granted. The permissions boundary allows the sum of these, and no more.
    pub uses: Vec<Statement>,
}

/// One statement of a policy. Statements of one policy with the same `Sid` and conditions are merged.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    policy: Policy,
    /// The name of the statement: letters and digits.
    pub sid: String,
    /// The reason for the statement or for its scope: the comment above it, line by line.
    why: &'static str,
    effect: Effect,
    /// Whether it applies to every action except these.
    excludes: bool,
    /// The actions.
    pub actions: Vec<StackWord>,
    /// The ARNs, or patterns of ARNs.
    pub resources: Vec<StackWord>,
    conditions: Vec<Condition>,
    /// Resources that are replaced by a pattern if there are too many: each resource, and its pattern.
    wide: Vec<(StackWord, StackWord)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Effect {
    Allow,
    Deny,
}

/// A condition of a statement. All of them must be true.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// Such as `StringEquals`.
    pub test: &'static str,
    /// The condition key.
    pub key: StackWord,
    /// The condition is true if one of them matches.
    pub values: Vec<StackWord>,
}

/// The policies of the pipeline's roles, in the order of the stack. Their names and descriptions never change: CloudFormation
/// cannot replace a policy that has a fixed name, and IAM cannot change a description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    /// What both roles read.
    Read,
    /// State and network.
    ApplyNetwork,
    /// Cluster, keys and log groups.
    ApplyCluster,
    /// Roles, and the cluster's issuer.
    ApplyIdentity,
    /// Reads zone, certificate and the bucket of access logs.
    ReadEdge,
    /// The same, as they are changed.
    ApplyEdge,
    /// Reads database and parameters.
    ReadData,
    /// The same, as they are changed.
    ApplyData,
    /// The second Terraform root, `gitops`.
    ApplyGitops,
    /// Everything without a policy of its own: components, and a platform's own Terraform. The number counts these policies.
    Apply(u8),
}

/// The names of the resources of one environment in AWS.
#[derive(Clone, Debug)]
pub struct Names {
    /// The account, in 12 digits.
    pub account: String,
    /// The region of all resources.
    pub region: Region,
    /// The platform's name.
    pub platform: Name,
    /// The environment's name.
    pub environment: Name,
    /// The path of the roles that Terraform creates.
    pub role_path: RolePath,
    /// The ARN of the permissions boundary of every role that Terraform creates.
    pub boundary: Text,
    /// The name of the state bucket.
    pub state_bucket: String,
}

/// The policies of one environment's bootstrap stack.
#[derive(Clone, Debug)]
pub struct Stack {
    /// Managed policies, in the order of the stack.
    pub policies: Vec<ManagedPolicy>,
    /// Statements of the permissions boundary.
    pub boundary: Vec<Statement>,
    /// The inline policy of both roles: what a plan reads.
    pub plan: Vec<Statement>,
    /// The inline policy of the apply role: what an apply changes.
    pub apply: Vec<Statement>,
    /// Whether patterns replace the parameters and roles of single applications.
    pub wide: bool,
}

/// A policy of the stack, attached to the apply role, and to the plan role if it reads.
#[derive(Clone, Debug)]
pub struct ManagedPolicy {
    /// Its place in the stack.
    pub policy: Policy,
    /// It never changes.
    pub description: Text,
    /// Its statements.
    pub statements: Vec<Statement>,
}

/// The state bucket, which the stack creates.
pub const STATE_BUCKET: StackWord = StackWord::Arn("StateBucket");
/// The key that encrypts the states, which the stack creates.
pub const STATE_KEY: StackWord = StackWord::Arn("StateKey");

/// A path in the state bucket.
pub fn in_state_bucket(path: &'static str) -> StackWord {
    StackWord::Below("StateBucket", path)
}

/// Every resource.
pub fn any() -> StackWord {
    StackWord::ours("*")
}

impl Statement {
    fn new(effect: Effect, sid: impl Into<String>, actions: &[&str]) -> Self {
        let mut actions: Vec<StackWord> = actions.iter().map(|it| StackWord::ours(*it)).collect();
        actions.sort();
        Self {
            policy: Policy::Apply(1),
            sid: sid.into(),
            why: "",
            effect,
            excludes: false,
            actions,
            resources: Vec::new(),
            conditions: Vec::new(),
            wide: Vec::new(),
        }
    }

    /// A statement that allows these actions, without resources yet.
    pub fn allow(sid: impl Into<String>, actions: &[&str]) -> Self {
        Self::new(Effect::Allow, sid, actions)
    }

    /// A statement that denies these actions, without resources yet.
    pub fn deny(sid: impl Into<String>, actions: &[&str]) -> Self {
        Self::new(Effect::Deny, sid, actions)
    }

    /// A statement that denies every action except these.
    pub fn deny_all_but(sid: impl Into<String>, actions: &[&str]) -> Self {
        Self { excludes: true, ..Self::new(Effect::Deny, sid, actions) }
    }

    /// Actions that roles of the platform are granted. The role's own policy limits the resources.
    pub fn uses(actions: &[&str]) -> Self {
        Self::allow("", actions).on(vec![any()])
    }

    /// Only on roles that have the platform's permissions boundary.
    pub fn under_the_boundary(mut self, names: &Names) -> Self {
        let key = StackWord::ours("iam:PermissionsBoundary");
        let values = vec![StackWord::Word(names.boundary.clone())];
        self.conditions.push(Condition { test: "StringEquals", key, values });
        self
    }

    /// Lets the apply role pass these roles to a service.
    pub fn pass(names: &Names, sid: impl Into<String>, roles: &[&str], service: &str) -> Self {
        let roles = roles.iter().map(|it| names.role(it)).collect();
        Self::allow(sid, &["iam:PassRole"]).on(roles).when("StringEquals", "iam:PassedToService", [service])
    }

    /// On these resources.
    pub fn on(mut self, mut resources: Vec<StackWord>) -> Self {
        resources.sort();
        resources.dedup();
        self.resources = resources;
        self
    }

    /// On each of these resources, or on its pattern if there are too many.
    pub fn on_each(mut self, resources: Vec<(StackWord, StackWord)>) -> Self {
        self.wide = resources.clone();
        self.on(resources.into_iter().map(|(exact, _)| exact).collect())
    }

    /// Sets the actions.
    pub fn to(mut self, actions: Vec<StackWord>) -> Self {
        self.actions = Vec::new();
        union(&mut self.actions, actions);
        self
    }

    /// Only under this condition: one of the values is enough.
    pub fn when<'w>(
        mut self,
        test: &'static str,
        key: impl Into<String>,
        values: impl IntoIterator<Item = &'w str>,
    ) -> Self {
        let mut values: Vec<StackWord> = values.into_iter().map(StackWord::ours).collect();
        values.sort();
        self.conditions.push(Condition { test, key: StackWord::ours(key), values });
        self
    }

    /// Only on resources with the tags of this platform and environment.
    pub fn with_resource_tags(self, names: &Names) -> Self {
        self.tagged("aws:ResourceTag", names)
    }

    /// Only in requests that set the tags of this platform and environment.
    pub fn with_request_tags(self, names: &Names) -> Self {
        self.tagged("aws:RequestTag", names)
    }

    fn tagged(self, key: &str, names: &Names) -> Self {
        self.when("StringEquals", format!("{key}/environment"), [names.environment.to_string().as_str()])
            .when("StringEquals", format!("{key}/project"), [names.platform.to_string().as_str()])
    }

    /// Sets the comment above it. Of merged statements, the first comment is kept.
    pub fn why(mut self, why: &'static str) -> Self {
        self.why = why;
        self
    }

    /// Sets the policy that contains it.
    pub fn within(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// A word: letters and digits.
    pub fn sid(&self) -> Vec<StackWord> {
        vec![StackWord::ours(self.sid.as_str())]
    }

    /// The lines of the comment above it.
    pub fn reasons(&self) -> Vec<Text> {
        self.why.lines().map(Text::ours).collect()
    }

    /// Whether it allows.
    pub fn is_allowing(&self) -> bool {
        self.effect == Effect::Allow
    }

    /// The value of `Effect`.
    pub fn effect(&self) -> &'static str {
        match self.effect {
            Effect::Allow => "Allow",
            Effect::Deny => "Deny",
        }
    }

    /// The element that lists its actions.
    pub fn element(&self) -> &'static str {
        if self.excludes { "NotAction" } else { "Action" }
    }

    /// Its conditions by test, in the order in which they were given.
    pub fn tests(&self) -> Vec<(StackWord, Vec<&Condition>)> {
        let mut tests: Vec<(StackWord, Vec<&Condition>)> = Vec::new();
        for condition in &self.conditions {
            let test = StackWord::ours(condition.test);
            match tests.iter_mut().find(|(known, _)| *known == test) {
                Some((_, conditions)) => conditions.push(condition),
                None => tests.push((test, vec![condition])),
            }
        }
        tests
    }

    /// Whether both can be merged into one.
    fn is_like(&self, other: &Self) -> bool {
        let keys = |it: &Self| it.conditions.iter().map(|it| (it.test, it.key.clone())).collect::<Vec<_>>();
        (self.policy, &self.sid, self.effect, self.excludes)
            == (other.policy, &other.sid, other.effect, other.excludes)
            && keys(self) == keys(other)
    }

    fn join(&mut self, other: Self) {
        union(&mut self.actions, other.actions);
        union(&mut self.resources, other.resources);
        self.wide.extend(other.wide);
        for (condition, other) in self.conditions.iter_mut().zip(other.conditions) {
            union(&mut condition.values, other.values);
        }
        if self.why.is_empty() {
            self.why = other.why;
        }
    }

    /// With the pattern of each resource that has one.
    fn widened(mut self) -> Self {
        for (exact, pattern) in std::mem::take(&mut self.wide) {
            self.resources.retain(|it| *it != exact);
            self.resources.push(pattern);
        }
        self.resources.sort();
        self.resources.dedup();
        self
    }
}

fn union(words: &mut Vec<StackWord>, others: Vec<StackWord>) {
    words.extend(others);
    words.sort();
    words.dedup();
}

/// Merges the statements that have the same `Sid`, policy and conditions.
fn joined(statements: impl IntoIterator<Item = Statement>) -> Vec<Statement> {
    let mut all: Vec<Statement> = Vec::new();
    for statement in statements {
        match all.iter_mut().find(|it| it.is_like(&statement)) {
            Some(known) => known.join(statement),
            None => all.push(statement),
        }
    }
    all
}

impl Rights {
    /// The sum of several.
    pub fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self::default();
        for Self { read, change, uses } in parts {
            all.read.extend(read);
            all.change.extend(change);
            all.uses.extend(uses);
        }
        all
    }
}

/// Services with one endpoint for all regions: their requests do not name the region of the platform.
const WITHOUT_REGION: [&str; 3] = ["iam", "route53", "shield"];

impl Stack {
    /// `bounded` is whether the stack creates the boundary, `wide` whether patterns replace exact resources that do not fit.
    pub fn new(names: &Names, rights: &Rights, bounded: bool, wide: bool) -> Self {
        let widened = |it: Statement, wide: bool| if wide { it.widened() } else { it };
        let read = rights.read.iter().cloned().map(|mut it| {
            if matches!(it.policy, Policy::Apply(_)) {
                it.policy = Policy::Read;
            }
            it
        });
        let all = joined(read.chain(rights.change.iter().cloned()));
        let all: Vec<Statement> = all.into_iter().map(|it| widened(it, wide)).collect();
        let mut boundary = if bounded { ceiling(names, &rights.uses) } else { Vec::new() };
        if limits::policy(names, &boundary) > limits::POLICY {
            boundary = boundary.into_iter().map(Statement::widened).collect();
        }
        let mut stack = Self { policies: Vec::new(), boundary, plan: Vec::new(), apply: Vec::new(), wide };
        limits::arrange(&mut stack, names, all);
        stack
    }

    /// The policies of the plan role.
    pub fn read_policies(&self) -> impl Iterator<Item = &ManagedPolicy> {
        self.policies.iter().filter(|it| it.policy.reads())
    }
}

/// The statements of the boundary. A boundary grants nothing, so it allows these actions on all resources, and the role's own
/// policy limits them. Only statements with resources or conditions are kept as they are.
fn ceiling(names: &Names, uses: &[Statement]) -> Vec<Statement> {
    let is_open = |it: &Statement| it.is_allowing() && it.resources == [any()] && it.conditions.is_empty();
    let mut services: Vec<StackWord> =
        uses.iter().filter(|it| is_open(it)).flat_map(|it| it.actions.clone()).collect();
    services.sort();
    services.dedup();
    let all = services.clone();
    services.retain(|it| !all.iter().any(|other| other != it && other.covers(it)));
    let (global, regional): (Vec<_>, Vec<_>) = services
        .into_iter()
        .partition(|it| WITHOUT_REGION.iter().any(|service| it.begins(&format!("{service}:"))));
    let regional = Statement::allow("ServicesOfThisRegion", &[]).to(regional).on(vec![any()]).when(
        "StringEquals",
        "aws:RequestedRegion",
        [names.region.to_string().as_str()],
    );
    let global = Statement::allow("ServicesWithoutRegion", &[]).to(global).on(vec![any()]);
    let own = uses.iter().filter(|it| !is_open(it)).cloned();
    let (allowed, denied): (Vec<_>, Vec<_>) = joined(own).into_iter().partition(Statement::is_allowing);
    let services = [regional, global].into_iter().filter(|it| !it.actions.is_empty());
    services.chain(allowed).chain(denied).collect()
}

impl ManagedPolicy {
    /// The length of its document in characters, as IAM counts them.
    pub fn length(&self, names: &Names) -> usize {
        limits::policy(names, &self.statements)
    }
}

impl Policy {
    /// Whether it is also attached to the plan role.
    pub fn reads(self) -> bool {
        matches!(self, Self::Read | Self::ReadEdge | Self::ReadData)
    }

    /// The end of its name.
    pub fn end(self) -> Bareword {
        match self {
            Self::Read => Bareword::of("read"),
            Self::ApplyNetwork => Bareword::of("apply-network"),
            Self::ApplyCluster => Bareword::of("apply-cluster"),
            Self::ApplyIdentity => Bareword::of("apply-identity"),
            Self::ReadEdge => Bareword::of("read-edge"),
            Self::ApplyEdge => Bareword::of("apply-edge"),
            Self::ReadData => Bareword::of("read-data"),
            Self::ApplyData => Bareword::of("apply-data"),
            Self::ApplyGitops => Bareword::of("apply-gitops"),
            Self::Apply(1) => Bareword::of("apply-more"),
            Self::Apply(part) => Bareword::of("apply-more").and('-', u32::from(part)),
        }
    }

    /// Its name in the stack: `ApplyEdgePolicy` is called `…-apply-edge`.
    pub fn id(self) -> String {
        let capital = |part: &str| part[..1].to_ascii_uppercase() + &part[1..];
        self.end().split('-').map(capital).collect::<String>() + "Policy"
    }

    /// IAM cannot change it, so it must stay the same for ever.
    fn description(self, prefix: &str) -> String {
        match self {
            Self::Read => format!("What a Terraform plan of {prefix} reads, and its lock"),
            Self::ApplyNetwork => format!("State and network, as Terraform changes them for {prefix}"),
            Self::ApplyCluster => {
                format!("Cluster, keys and log groups, as Terraform changes them for {prefix}")
            }
            Self::ApplyIdentity => {
                format!(
                    "Roles under the boundary and the cluster's issuer, as Terraform changes them for {prefix}"
                )
            }
            Self::ReadEdge => {
                format!(
                    "Zone, certificate and logs of requests, as a Terraform plan of {prefix} looks at them"
                )
            }
            Self::ApplyEdge => {
                format!("Zone, certificate and logs of requests, as Terraform changes them for {prefix}")
            }
            Self::ReadData => format!("Database and parameters, as a Terraform plan of {prefix} reads them"),
            Self::ApplyData => format!("Database and parameters, as Terraform changes them for {prefix}"),
            Self::ApplyGitops => format!("The first install of Flux, as Terraform makes it for {prefix}"),
            Self::Apply(_) => format!("What else Terraform changes for {prefix}"),
        }
    }

    /// The comment above it.
    pub fn about(self) -> Vec<Text> {
        let about = match self {
            Self::Read => "Read permissions of both roles. The plan role writes only state locks.",
            Self::ApplyNetwork => {
                "New resources must be created with the tags of this platform; existing ones can be changed only if they have them."
            }
            Self::ReadEdge => "DNS, certificates, and the access logs of load balancers.",
            Self::ReadData => {
                "Database and parameters. A plan reads the parameters that Terraform writes; the key policy allows both roles to decrypt\nthese parameters and no others."
            }
            Self::ApplyGitops => {
                "The gitops root: its state, access to the cluster, and the Git credential that Terraform passes on. The plan role has\nnone of these permissions, because anyone who can open a pull request can use it."
            }
            Self::Apply(_) => "Resources of components and of this platform's own Terraform files.",
            Self::ApplyCluster | Self::ApplyIdentity | Self::ApplyEdge | Self::ApplyData => "",
        };
        about.lines().map(Text::ours).collect()
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id())
    }
}

impl Names {
    /// The prefix of all names in this environment.
    pub fn prefix(&self) -> String {
        format!("{}-{}", self.platform, self.environment)
    }

    /// An ARN in the platform's region and account, such as `arn("ec2", "vpc/*")`.
    pub fn arn(&self, service: &str, resource: impl fmt::Display) -> StackWord {
        StackWord::ours(format!("arn:aws:{service}:{}:{}:{resource}", self.region, self.account))
    }

    /// An ARN of IAM, such as `iam("oidc-provider/*")`.
    pub fn iam(&self, resource: impl fmt::Display) -> StackWord {
        StackWord::ours(format!("arn:aws:iam::{}:{resource}", self.account))
    }

    /// A role that Terraform creates, by the end of its name.
    pub fn role(&self, end: &str) -> StackWord {
        self.iam(format!("role{}{}-{end}", self.role_path, self.prefix()))
    }

    /// All parameters in a folder below the platform's own path, such as `shop/database`.
    pub fn parameters(&self, folder: &Text) -> StackWord {
        let above = format!(
            "arn:aws:ssm:{}:{}:parameter/{}/{}/",
            self.region, self.account, self.platform, self.environment
        );
        let below = Text::joined(&Text::ours(above), "", folder);
        StackWord::Word(Text::joined(&below, "/*", &Text::default()))
    }
}
