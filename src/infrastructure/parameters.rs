//! The permissions for Parameter Store: of Terraform, which writes secrets, and of the roles that read them.

use std::collections::BTreeSet;

use crate::{
    contribution::{Secret, Writer},
    rights::{Names, Policy, Rights, Statement, any},
    words::Text,
};

/// Folders of parameters, below platform and environment: `shop/database`.
pub type Folders = Vec<Text>;

/// The folders in which Terraform writes parameters. Permissions are for folders, so that an administrator need not change them
/// when the keys in a folder change.
pub fn written(secrets: &[Secret], wide: bool) -> Folders {
    let by = |writer| -> BTreeSet<String> {
        secrets.iter().filter(|it| it.writer == writer).map(Secret::folder).collect()
    };
    let (folders, others) = (by(Writer::Terraform), by(Writer::Person));
    let mixed = folders.intersection(&others).next();
    assert!(mixed.is_none(), "the pipeline would read what a person puts into `{mixed:?}`");
    let folders = if wide { patterns(folders, secrets) } else { folders };
    folders.into_iter().map(Text::ours).collect()
}

/// Replaces several folders with the same end by one pattern: `*/database`. No pattern may match a secret that a person writes;
/// in IAM, `*` also matches `/`.
pub fn patterns(folders: BTreeSet<String>, secrets: &[Secret]) -> BTreeSet<String> {
    let end = |it: &String| it.split_once('/').map(|(_, end)| end.to_owned());
    let meant = |end: &str| {
        let persons = secrets.iter().filter(|it| it.writer == Writer::Person);
        persons.into_iter().any(|it| format!("{}/{}", it.namespace, it.key).contains(&format!("/{end}/")))
    };
    let pattern = |folder: &String| {
        let end = end(folder).filter(|it| !meant(it))?;
        let alike = folders.iter().filter(|it| it.ends_with(&format!("/{end}"))).count();
        (alike > 1).then(|| format!("*/{end}"))
    };
    folders.iter().map(|it| pattern(it).unwrap_or_else(|| it.clone())).collect()
}

/// `folders` are those that Terraform writes, `wide` is whether they contain patterns, `none` whether there are no parameters.
pub fn rights(names: &Names, folders: &[Text], wide: bool, none: bool) -> Rights {
    if none {
        return Rights::default();
    }
    let list = Statement::allow("ListOfParameters", &["ssm:DescribeParameters"]).on(vec![any()]);
    let mut rights = Rights {
        read: vec![list.within(Policy::ReadData)],
        change: Vec::new(),
        uses: vec![Statement::uses(&[
            "kms:Decrypt",
            "ssm:GetParameter",
            "ssm:GetParameters",
            "ssm:GetParametersByPath",
        ])],
    };
    if folders.is_empty() {
        return rights;
    }
    let resources = || folders.iter().map(|it| names.parameters(it)).collect();
    let change =
        ["ssm:AddTagsToResource", "ssm:DeleteParameter", "ssm:PutParameter", "ssm:RemoveTagsFromResource"];
    let read = ["ssm:GetParameter", "ssm:ListTagsForResource"];
    let why = if wide {
        "One pattern for all applications, because their names do not fit into this template."
    } else {
        ""
    };
    rights.read.push(Statement::allow("Parameters", &read).on(resources()).why(why).within(Policy::ReadData));
    rights
        .change
        .push(Statement::allow("Parameters", &change).on(resources()).why(why).within(Policy::ApplyData));
    rights
}
