use blueprint::{
    database::{BackupWindow, MaintenanceWindow},
    words::{DatabaseName, Name, Word},
};

use crate::{Tree, plan, tree, wide};

fn with(edit: impl FnOnce(&mut toml::Table)) -> Tree {
    tree(plan(&wide(edit)))
}

fn platform<'t>(files: &'t Tree, file: &str) -> &'t str {
    &files[&format!("ledger-infrastructure/environments/production/platform/{file}")]
}

/// Without an application that has a database there is no instance, no parameter, and no permission to create either.
#[test]
fn nothing_is_made_that_nobody_asked_for() {
    let files = with(|table| {
        table.remove("database");
        table["environments"]["staging"].as_table_mut().unwrap().remove("database");
        table["environments"]["staging"]["applications"]["ledger-api"]
            .as_table_mut()
            .unwrap()
            .remove("database");
        for application in ["ledger-api", "batch"] {
            table["applications"][application].as_table_mut().unwrap().remove("database");
        }
    });
    for (path, text) in
        files.iter().filter(|(path, _)| path.starts_with("ledger-infrastructure/environments/"))
    {
        for word in ["rds:", "rds.amazonaws", "aws_db_", "aws_subnet\" \"database", "postgres"] {
            assert!(!text.contains(word), "`{path}` speaks of `{word}`");
        }
    }
}

/// There are the login in use and the previous one, so raising the number by one does not change the login in use.
#[test]
fn two_logins_are_alive() {
    let logins = |number: i64| -> Vec<String> {
        let files = with(|table| table["applications"]["ledger-api"]["database"]["login"] = number.into());
        let lines = platform(&files, "parameters.tf").lines().map(str::trim);
        lines.filter(|line| line.starts_with("\"ledger-api/database/")).map(str::to_owned).collect()
    };
    let [one, two, three] =
        ["1", "2", "3"].map(|it| format!("\"ledger-api/database/{it}\" = \"books_{it}\""));
    assert_eq!(logins(1), [one.as_str()]);
    assert_eq!(logins(2), [one.as_str(), two.as_str()]);
    assert_eq!(logins(3), [two.as_str(), three.as_str()]);
}

/// An administrator deploys the bootstrap stack, so the rotation of a login must not change it.
#[test]
fn a_rotation_changes_no_right() {
    let stack = |number: i64| {
        let files = with(|table| table["applications"]["ledger-api"]["database"]["login"] = number.into());
        files["ledger-infrastructure/environments/production/bootstrap/stack.yaml"].clone()
    };
    assert_eq!(stack(1), stack(4));
    assert!(stack(1).contains("parameter/ledger/production/ledger-api/database/*"));
    assert!(!stack(1).contains("parameter/ledger/production/*"), "a person's secrets lie there too");
}

/// AWS allows policies of up to 6144 characters without white space, ten of them for a role, and a template of 51200 bytes.
#[test]
fn policies_and_stack_fit() {
    let long = "l".repeat(Name::MAX);
    let files = with(|table| {
        table.insert("name".into(), long.clone().into());
        let applications = table["applications"].as_table_mut().unwrap();
        for index in 0..5 {
            let name = format!("{}{index}", "a".repeat(Name::MAX - 1));
            applications.insert(name, toml::toml! { database = {} }.into());
        }
        let zone = toml::toml! { dns = { zone = "other.example.com" } };
        table["environments"].as_table_mut().unwrap().insert("e".repeat(12), zone.into());
    });
    let stacks = files.iter().filter(|(path, _)| path.ends_with("/bootstrap/stack.yaml"));
    let mut policies = 0;
    for (path, text) in stacks {
        assert!(text.len() <= 51200, "`{path}` has {} bytes", text.len());
        let stack: serde_yaml::Value = serde_yaml::from_str(text).unwrap();
        for (name, resource) in stack["Resources"].as_mapping().unwrap() {
            if resource["Type"] == "AWS::IAM::ManagedPolicy" {
                let size = size(&resource["Properties"]["PolicyDocument"]);
                assert!(size <= 6144, "`{path}`: {name:?} has {size} characters");
                policies += 1;
            }
            if resource["Type"] == "AWS::IAM::Role" {
                assert!(resource["Properties"]["ManagedPolicyArns"].as_sequence().unwrap().len() <= 10);
            }
        }
    }
    assert!(policies > 6, "the policies were not found");
}

/// The length of a value in JSON. A reference becomes an ARN.
fn size(value: &serde_yaml::Value) -> usize {
    use serde_yaml::Value::*;
    match value {
        Sequence(items) => 1 + items.iter().map(|it| size(it) + 1).sum::<usize>(),
        Mapping(pairs) => 1 + pairs.iter().map(|(key, it)| size(key) + size(it) + 2).sum::<usize>(),
        String(word) => word.chars().filter(|c| !c.is_whitespace()).count() + 2,
        Tagged(it) => size(&it.value).max(100),
        other => format!("{other:?}").len(),
    }
}

#[test]
fn windows_are_read_and_written() {
    for word in ["00:00-00:30", "23:45-00:15", "12:00-11:30"] {
        assert_eq!(BackupWindow::read(word).unwrap().to_string(), word);
    }
    for word in
        ["", "02:00", "02:00-02:29", "2:00-3:00", "24:00-01:00", "02:60-03:30", "02:00-03:00 ", "02:00-02:00"]
    {
        assert!(BackupWindow::read(word).is_none(), "`{word}` should not be a window");
    }
    for word in ["mon:00:00-mon:00:30", "sun:23:45-mon:00:15", "wed:10:00-thu:09:59"] {
        assert_eq!(MaintenanceWindow::read(word).unwrap().to_string(), word);
    }
    for word in [
        "",
        "mon:00:00",
        "Mon:00:00-mon:01:00",
        "mon:00:00-wed:00:00",
        "mon:01:00-mon:00:30",
        "day:00:00-day:01:00",
    ] {
        assert!(MaintenanceWindow::read(word).is_none(), "`{word}` should not be a window");
    }
}

/// A database may not have the name of a login of another one.
#[test]
fn logins_and_owners_are_told_apart() {
    let name = |word: &str| DatabaseName::read(word).unwrap();
    assert_eq!(name("books_12").owner(), Some(name("books")));
    for other in ["books", "books_", "books_a", "books1", "book_1"] {
        assert_ne!(name(other).owner(), Some(name("books")), "`{other}`");
    }
}
